"""Models by name: what is fetched is verified, what is asked over HTTP is retried, what is mixed is refused."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simonides.clock import FrozenClock
from simonides.errors import InputError, ModelMismatch, ModelMissing, UnknownName
from simonides.ledger.index import Believed
from simonides.memory import Memory
from simonides.parts import e5, fetching, models
from simonides.parts.endpoint import BATCH_TEXTS, Endpoint
from simonides.parts.fetching import Remote
from simonides.parts.models import catalogue, models_folder, open_reader, read_question
from simonides.parts.pooled import padded, pooled_only
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

SOURCE = Path(models.__file__).parent.parent
BODY = bytes(range(256)) * 4096
TEXTS = ("The office is in Alfama.", "Ana plays the cello.", "The cat sleeps on the sofa.")
QUIET = Settings(background=False)


def never(seconds: float) -> None:
    """Wait not at all."""


# Servers on the loopback


@dataclass
class Files:
    """What a file server has, how often it breaks off, and what it was asked for."""

    bodies: dict[str, bytes]
    breaks: int = 0
    ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)


@dataclass
class Embeddings:
    """An embeddings endpoint: what it answers first, its key, and what it was asked for."""

    key: str = ""
    first: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    dimension: int = 12
    body: bytes | None = None
    asked: list[list[str]] = field(default_factory=list)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    """Serve on a free port of the loopback while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def file_server(state: Files) -> Generator[str]:
    """Serve files with ranges; the first `breaks` answers stop halfway."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "") if state.ranges else ""
            state.asked.append(wanted)
            body = state.bodies.get(self.path)
            if state.status != 200 or body is None:
                self.send_error(state.status if state.status != 200 else 404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body) - start))
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            rest = body[start:]
            if state.breaks:
                state.breaks -= 1
                rest = rest[: len(rest) // 2]
                self.close_connection = True
            self.wfile.write(rest)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield url


@contextmanager
def endpoint_server(state: Embeddings) -> Generator[str]:
    """Serve `/v1/embeddings`; the vectors come in another order than the texts, as the protocol allows."""
    reader = HashReader(state.dimension)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if state.first:
                status, headers = state.first.pop(0)
                self.answer(status, b"{}", headers)
            elif self.path != "/v1/embeddings":
                self.answer(404, b"no such path")
            elif state.key and self.headers.get("Authorization") != f"Bearer {state.key}":
                self.answer(401, f"wrong key {self.headers.get('Authorization')}".encode())
            else:
                state.asked.append(asked["input"])
                rows = [
                    {"index": i, "embedding": made.pooled[: state.dimension].tolist()}
                    for i, made in enumerate(reader.read([("", text) for text in asked["input"]]))
                ]
                self.answer(200, state.body or json.dumps({"data": rows[::-1]}).encode())

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield f"{url}/v1"


def remote(url: str, body: bytes = BODY, **more: object) -> Remote:
    """Return a file of a server."""
    return Remote("model.bin", f"{url}/model.bin", hashlib.sha256(body).hexdigest(), len(body), **more)  # type: ignore[arg-type]


# The catalogue


def test_the_catalogue_tells_what_is_here_and_what_each_model_is() -> None:
    found = {model.name: model for model in catalogue()}
    assert {"minilm", "multilingual", "multilingual-4bit"} <= set(found)
    assert found["minilm"].installed
    assert not found["multilingual"].installed
    for model in found.values():
        assert all((model.what, model.licence, model.languages, model.dimension))
        assert model.bytes == sum(one.bytes for one in model.files)
        for one in model.files:
            assert one.url.startswith("https://")
            assert "/main/" not in one.url, "pin a revision"
            assert one.bytes
            assert one.kept[2]
            assert len(one.sha256) == len(one.kept[1]) == 64


def test_fetched_models_lie_in_the_home_of_the_user(empty_home: Path) -> None:
    assert empty_home in models_folder().parents


def test_what_comes_with_the_package_is_not_fetched() -> None:
    assert models.fetch("minilm") == SOURCE / "data" / "minilm"


def test_an_unknown_name_is_answered_with_the_near_one() -> None:
    with pytest.raises(UnknownName, match="multilingual"):
        models.fetch("multilingaul")
    with pytest.raises(UnknownName, match="openai:NAME"):
        open_reader(Settings(model="bert"))


@pytest.mark.parametrize("name", ["multilingual", "multilingual-4bit"])
def test_a_model_that_is_not_here_names_the_command_that_brings_it(name: str) -> None:
    settings = Settings(model=name)
    for ask in (lambda: open_reader(settings), lambda: models.identity(settings, None)):
        with pytest.raises(ModelMissing, match=f"simonides model get {name}"):
            ask()


# Fetching


def test_a_file_is_fetched_verified_and_told_of(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with file_server(Files({"/model.bin": BODY})) as url:
        files = (remote(url),)
        assert not fetching.present(tmp_path / "m", files)
        place = fetching.fetch("m", files, tmp_path / "m", lambda done, whole: told.append((done, whole)))
    assert (place / "model.bin").read_bytes() == BODY
    assert fetching.present(place, files)
    assert told == sorted(told)
    assert told[-1] == (len(BODY), len(BODY))
    assert not list(place.glob("*.part"))
    assert (
        json.loads((place / "manifest.json").read_text())["files"]["model.bin"]["sha256"] == files[0].sha256
    )


def test_a_fetch_that_broke_off_goes_on_where_it_was(tmp_path: Path) -> None:
    state = Files({"/model.bin": BODY}, breaks=2)
    with file_server(state) as url:
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    half = len(BODY) // 2
    assert state.asked == ["", f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert (tmp_path / "model.bin").read_bytes() == BODY


def test_a_fetch_that_was_given_up_is_resumed_by_the_next_process(tmp_path: Path) -> None:
    state = Files({"/model.bin": BODY}, breaks=fetching.TRIES)
    with file_server(state) as url:
        with pytest.raises(ModelMissing, match="goes on where it stopped"):
            fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
        here = (tmp_path / "model.bin.part").stat().st_size
        assert not (tmp_path / "model.bin").exists()
        assert not fetching.present(tmp_path, (remote(url),))
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    assert state.asked[-1] == f"bytes={here}-"
    assert (tmp_path / "model.bin").read_bytes() == BODY


def test_a_server_without_ranges_sends_the_whole_again(tmp_path: Path) -> None:
    state = Files({"/model.bin": BODY}, breaks=1, ranges=False)
    with file_server(state) as url:
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    assert (tmp_path / "model.bin").read_bytes() == BODY


def test_a_wrong_checksum_is_tried_once_more_and_then_refused(tmp_path: Path) -> None:
    state = Files({"/model.bin": BODY[::-1]})
    with file_server(state) as url, pytest.raises(ModelMissing, match="another checksum"):
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    assert len(state.asked) == 2
    assert not list(tmp_path.glob("model.bin*"))


def test_a_damaged_beginning_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(b"x" * 1000)
    with file_server(Files({"/model.bin": BODY})) as url:
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    assert (tmp_path / "model.bin").read_bytes() == BODY


def test_a_file_that_is_gone_is_not_asked_for_again_and_the_way_by_hand_is_told(tmp_path: Path) -> None:
    state = Files({})
    with file_server(state) as url, pytest.raises(ModelMissing, match="404") as caught:
        fetching.fetch("m", (remote(url),), tmp_path, sleep=never)
    assert len(state.asked) == 1
    assert str(tmp_path / "model.bin") in caught.value.way_out
    assert "simonides model get m" in caught.value.way_out


def test_without_a_connection_a_file_placed_by_hand_is_checked_and_used(tmp_path: Path) -> None:
    gone = remote("http://127.0.0.1:9")
    with pytest.raises(ModelMissing, match="cannot be fetched"):
        fetching.fetch("m", (gone,), tmp_path, sleep=never)
    (tmp_path / "model.bin").write_bytes(BODY)
    fetching.fetch("m", (gone,), tmp_path, sleep=never)
    assert fetching.present(tmp_path, (gone,))


def test_of_a_wheel_only_the_named_part_is_kept(tmp_path: Path) -> None:
    weights = BODY[:5000]
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("pkg/weights.bin", weights)
        whole.writestr("pkg/__init__.py", "raise RuntimeError")
    body = (tmp_path / "whole.zip").read_bytes()
    place = tmp_path / "m"
    with file_server(Files({"/model.bin": body})) as url:
        digest = hashlib.sha256(weights).hexdigest()
        one = remote(url, body, member="pkg/weights.bin", member_sha256=digest, member_bytes=len(weights))
        fetching.fetch("m", (one,), place)
        assert {path.name for path in place.iterdir()} == {"weights.bin", "manifest.json", ".lock"}
        wrong = remote(url, body, member="pkg/absent.bin", member_sha256=digest, member_bytes=1)
        with pytest.raises(ModelMissing, match="does not hold"):
            fetching.fetch("w", (wrong,), tmp_path / "w")
    assert (place / "weights.bin").read_bytes() == weights


def test_fetches_at_the_same_time_fetch_once(tmp_path: Path) -> None:
    state = Files({"/model.bin": BODY})
    with file_server(state) as url:
        one = remote(url)
        threads = [threading.Thread(target=fetching.fetch, args=("m", (one,), tmp_path)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(state.asked) == 1
    assert fetching.present(tmp_path, (one,))


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    with pytest.raises(ModelMissing, match="cannot be written"):
        fetching.fetch("m", (remote("http://127.0.0.1:9"),), tmp_path / "m")


# An endpoint


def test_an_endpoint_gives_pooled_vectors_in_the_order_of_the_texts() -> None:
    state = Embeddings(key="secret")
    with endpoint_server(state) as url:
        reader = Endpoint("small", url, "secret")
        many = [("", f"text number {i}") for i in range(BATCH_TEXTS + 3)]
        found = reader.read(many)
    assert [len(batch) for batch in state.asked] == [BATCH_TEXTS, 3]
    expected = HashReader(12).read(many)
    for one, other in zip(found, expected, strict=True):
        assert one.tokens.shape == (0,)
        assert one.states.shape == (0, 16)
        np.testing.assert_allclose(one.pooled, other.pooled, atol=1e-6)


def test_the_identity_of_an_endpoint_names_host_and_model_and_no_key() -> None:
    state = Embeddings(key="secret")
    with endpoint_server(state) as url:
        reader = Endpoint("small", f"{url}/embeddings/", "secret")
        identity = reader.identity()
        assert reader.identity() == identity
    assert len(state.asked) == 1, "the dimension is asked for once"
    assert identity["name"] == "openai:small"
    assert str(identity["revision"]).startswith("127.0.0.1:")
    assert identity["dimension"] == padded(12) == 16
    assert "secret" not in json.dumps(identity)


def test_too_many_requests_and_failures_are_tried_again_after_the_time_told() -> None:
    waited: list[float] = []
    state = Embeddings(first=[(429, {"Retry-After": "7"}), (503, {}), (500, {})])
    with endpoint_server(state) as url:
        Endpoint("small", url, sleep=waited.append).read([("", "hello")])
    assert waited == [7.0, 14.0, 28.0]
    state = Embeddings(first=[(429, {"Retry-After": "3600"})] * 9)
    waited.clear()
    with endpoint_server(state) as url, pytest.raises(ModelMissing, match="answered 429"):
        Endpoint("small", url, sleep=waited.append).read([("", "hello")])
    assert len(waited) == 4
    assert max(waited) <= 30


def test_a_wrong_key_is_refused_at_once_and_never_shown() -> None:
    waited: list[float] = []
    with (
        endpoint_server(Embeddings(key="right")) as url,
        pytest.raises(ModelMissing, match="endpoint_key") as caught,
    ):
        Endpoint("small", url, "wrong-key", sleep=waited.append).read([("", "hello")])
    assert "wrong-key" not in str(caught.value)
    assert not waited


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (Embeddings(first=[(404, {})]), "no model 'small'"),
        (Embeddings(first=[(400, {})]), "answered 400"),
        (Embeddings(first=[(307, {"Location": "http://127.0.0.1:9/v1/embeddings"})]), "points elsewhere"),
        (Embeddings(body=b"<html>"), "no list of embeddings"),
        (Embeddings(body=b'{"data": [{"index": 0, "embedding": [NaN]}]}'), "other vectors"),
        (Embeddings(body=b'{"data": []}'), "other vectors"),
    ],
)
def test_an_answer_that_cannot_be_used_says_so(state: Embeddings, rule: str) -> None:
    with endpoint_server(state) as url, pytest.raises(ModelMissing, match=rule):
        Endpoint("small", url, sleep=never).read([("", "hello")])


def test_an_endpoint_that_is_not_there_says_how_to_go_on_without() -> None:
    with pytest.raises(ModelMissing, match="instant"):
        Endpoint("small", "http://127.0.0.1:9/v1", sleep=never).identity()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(model="openai:small"),
        Settings(model="openai:", endpoint="http://127.0.0.1:9"),
        Settings(model="openai:small", endpoint="127.0.0.1:9"),
        Settings(model="openai:small", endpoint="file:///etc"),
        Settings(model="st:"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(settings: Settings) -> None:
    with pytest.raises(InputError):
        open_reader(settings)


# Readers of pooled vectors in a store


@pytest.mark.parametrize("dimension", [1, 12, 256, 1536])
def test_the_hash_reader_is_deterministic_and_of_unit_length(dimension: int) -> None:
    one, other = HashReader(dimension), HashReader(dimension)
    first, second = (reader.read([("", "The cat sleeps"), ("", "")]) for reader in (one, other))
    np.testing.assert_array_equal(first[0].pooled, second[0].pooled)
    assert first[0].pooled.shape == (one.identity()["dimension"],)
    assert np.linalg.norm(first[0].pooled) == pytest.approx(1, abs=1e-5)
    assert not first[1].pooled.any()


@pytest.mark.parametrize("dimension", [12, 384, 1024])
def test_a_store_works_with_pooled_vectors_alone(tmp_path: Path, clock: FrozenClock, dimension: int) -> None:
    with Memory(tmp_path / "m.db", embedder=HashReader(dimension), settings=QUIET, clock=clock) as memory:
        for text in TEXTS:
            memory.add(text, session="s", speaker="Ana")
        assert memory.wait() == 0
        hits = memory.search("Where is the office?", gate=False)
        assert hits[0].memory.text == TEXTS[0]
        assert len(memory.explain("office").dropped) + len(hits) >= 3
        rows = [row.row for row in memory.ledger.fresh(0, 10)]
        assert {code.states for code in memory.ledger.codes(rows, 1).values()} == {b""}


def test_without_token_states_the_weights_of_the_pooled_tier_are_used(
    tmp_path: Path, clock: FrozenClock
) -> None:
    with Memory(tmp_path / "m.db", embedder=HashReader(), settings=QUIET, clock=clock) as memory:
        memory.add_many([{"text": text} for text in TEXTS], wait=True)
        asked = memory._enricher.open_recall()
        _, found = asked.measure("Where is the office?", {}, Believed(), clock.now())
        assert asked._tier(found) == "pooled"
    assert found.measured.full is None
    assert found.measured.pooled is not None
    assert np.isfinite(found.measured.pooled).all()


def test_a_model_that_reads_questions_in_another_way_is_asked_so(tmp_path: Path, clock: FrozenClock) -> None:
    class Prefixed(HashReader):
        asked = 0

        def ask(self, question: str):
            self.asked += 1
            return self.read([("", question)])[0]

    reader = Prefixed()
    with Memory(tmp_path / "m.db", embedder=reader, settings=QUIET, clock=clock) as memory:
        memory.add_many([{"text": text} for text in TEXTS], wait=True)
        memory.search("Where is the office?")
    assert reader.asked == 1
    assert read_question(HashReader(), "cat").tokens.shape == (0,)


def test_a_store_is_searched_through_an_endpoint(tmp_path: Path, clock: FrozenClock) -> None:
    state = Embeddings(dimension=64, key="k")
    with endpoint_server(state) as url:
        settings = Settings(model="openai:small", endpoint=url, endpoint_key="k", background=False)
        with Memory(tmp_path / "m.db", settings=settings, clock=clock) as memory:
            memory.add_many([{"text": text} for text in TEXTS], wait=True)
            assert memory.search("Who plays the cello?", gate=False)[0].memory.text == TEXTS[1]
            assert all(found.ok for found in memory.doctor())
    assert b"secret" not in (tmp_path / "m.db").read_bytes()


def test_a_background_that_cannot_have_its_model_leaves_the_memory_to_be_read_later(
    tmp_path: Path, clock: FrozenClock
) -> None:
    with Memory(tmp_path / "m.db", settings=Settings(model="openai:small"), clock=clock) as memory:
        memory.add(TEXTS[0])
        assert memory.status().backlog == 1
        assert [found for found in memory.doctor() if not found.ok and "endpoint" in found.detail]
    with Memory(tmp_path / "m.db", embedder=HashReader(), clock=clock) as memory:
        assert memory.wait() == 0
        assert memory.search("office", gate=False)


# Mixing


def test_vectors_of_another_model_are_refused_until_all_are_made_anew(
    tmp_path: Path, clock: FrozenClock
) -> None:
    path = tmp_path / "m.db"
    with Memory(path, settings=QUIET, clock=clock) as memory:
        memory.add_many([{"text": text} for text in TEXTS], wait=True)
    with Memory(path, embedder=HashReader(), settings=QUIET, clock=clock) as memory:
        for act in (lambda: memory.search("office"), lambda: memory.add("The dog barks.", wait=True)):
            with pytest.raises(ModelMismatch, match="simonides reindex"):
                act()
        assert memory.status().backlog == 1, "what was added is kept, and read later"
        memory.reindex()
        assert memory.search("Where is the office?", gate=False)[0].memory.text == TEXTS[0]
        memory.reindex()
        memory.add("A new text about rain.", wait=True)
        assert memory.search("rain", gate=False)[0].memory.text == "A new text about rain."
        assert memory.wait() == 0
    with Memory(path, settings=QUIET, clock=clock) as memory, pytest.raises(ModelMismatch, match="hash"):
        memory.search("office")


def test_the_background_goes_on_after_a_reindex(tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "m.db"
    with Memory(path, settings=QUIET, clock=clock) as memory:
        memory.add(TEXTS[0], wait=True)
    with Memory(path, embedder=HashReader(), clock=clock) as memory:
        memory.add(TEXTS[1])
        assert memory._enricher._thread is not None
        for _ in range(500):
            if memory._enricher.trouble()[0]:
                break
            threading.Event().wait(0.01)
        assert [found for found in memory.doctor() if not found.ok and "reindex" in found.fix]
        memory.reindex()
        memory.add(TEXTS[2])
        memory._enricher._thread.join(0.01)
        for _ in range(500):
            if not memory.status().backlog:
                break
            threading.Event().wait(0.01)
        assert not memory.status().backlog
        assert all(found.ok for found in memory.doctor())


@pytest.mark.parametrize("changed", [HashReader(128), HashReader(name="other")])
def test_dimension_and_name_are_part_of_what_a_model_is(
    tmp_path: Path, clock: FrozenClock, changed: HashReader
) -> None:
    with Memory(tmp_path / "m.db", embedder=HashReader(), settings=QUIET, clock=clock) as memory:
        memory.add(TEXTS[0], wait=True)
    with (
        Memory(tmp_path / "m.db", embedder=changed, settings=QUIET, clock=clock) as memory,
        pytest.raises(ModelMismatch),
    ):
        memory.search("office")


# The multilingual model


def test_the_onnx_form_reads_texts_and_questions_with_their_prefixes(tmp_path: Path) -> None:
    minilm = SOURCE / "data" / "minilm"  # stands in: the same inputs and output, and a tokeniser file
    reader = e5.open_onnx(e5.identity("x", "0" * 64), minilm / "model.onnx", minilm / "tokenizer.json", 1)
    cat, dog, long = reader.read([("", "a cat"), ("", "a dog"), ("", "word " * 1200)])
    assert cat.pooled.shape == (384,)
    assert np.linalg.norm(long.pooled) == pytest.approx(1, abs=1e-5)
    alone = reader.read([("before", "a cat")])[0]
    np.testing.assert_allclose(alone.pooled, cat.pooled, atol=0.02)
    assert float(cat.pooled @ dog.pooled) < 0.999
    assert float(reader.ask("a cat").pooled @ cat.pooled) < 0.999, "another prefix"


def test_blocks_of_four_bits_are_unpacked_as_they_were_packed() -> None:
    levels = (np.arange(32) % 16).astype(np.uint8)
    block = np.frombuffer(np.float16(0.5).tobytes() + (levels[:16] | (levels[16:] << 4)).tobytes(), np.uint8)
    np.testing.assert_array_equal(e5.unpack_blocks(block), (levels.astype(float) - 8) * 0.5)


@pytest.mark.parametrize("shapes", [((5, 8), (8, 3)), ((2, 3, 5, 8), (2, 3, 8, 4))])
def test_the_product_is_that_of_numpy(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    np.testing.assert_allclose(e5.open_product(1)(a, b), a @ b, atol=1e-5)


def test_gelu_is_that_of_the_error_function() -> None:
    from math import erf, sqrt

    x = np.linspace(-6, 6, 101, dtype=np.float32)
    slow = [0.5 * value * (1 + erf(value / sqrt(2))) for value in x.tolist()]
    np.testing.assert_allclose(e5.gelu(x), slow, atol=2e-6)


def packed_model() -> bytes:
    """Return a tiny model of the packed form: 384 dimensions, one layer, a handful of pieces, seeded weights."""
    rng = np.random.default_rng(7)
    pieces = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "\u2581query:",
        "\u2581passage:",
        "\u2581cat",
        "\u2581dog",
        "s",
        "\u2581",
    ]
    scores = [0.0, 0, 0, 0, -1, -1, -2, -2, -4, -3]
    blob = [piece.encode() for piece in pieces]
    head = b"E5S1" + struct.pack("<I7ifi", 1, 384, 1, 12, 384, len(pieces), 512, 2, 1e-12, 32)
    ends = np.cumsum([0, *map(len, blob)]).astype("<u4")
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, int(ends[-1])) + ends.tobytes()
    head += np.array(scores, "<f4").tobytes() + b"".join(blob)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0xFF43, 1, ord("c"))
    tensors: list[tuple[str, int, int, bytes]] = []

    def four_bits(name: str, count: int) -> None:
        blocks = rng.integers(0, 256, (count // 32, 18), dtype=np.uint8)
        blocks[:, :2] = np.frombuffer(np.float16(0.01).tobytes(), np.uint8)
        tensors.append((name, 1, count, blocks.tobytes()))

    def floats(name: str, values: np.ndarray) -> None:
        tensors.append((name, 0, len(values), values.astype("<f4").tobytes()))

    four_bits("emb.word", len(pieces) * 384)
    floats("emb.pos", rng.normal(0, 0.1, 512 * 384))
    floats("emb.type", np.zeros(768))
    for part in ("emb.ln", "l0.aln", "l0.oln"):
        floats(f"{part}.w", np.ones(384))
        floats(f"{part}.b", np.zeros(384))
    for part in ("q", "k", "v", "ao", "fi", "fo"):
        four_bits(f"l0.{part}.w", 384 * 384)
        floats(f"l0.{part}.b", np.zeros(384))
    start = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in tensors)
    directory = struct.pack("<i", len(tensors))
    for name, form, count, body in tensors:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", form, count, start, len(body))
        start += len(body)
    return head + directory + b"".join(body for *_, body in tensors)


def test_the_packed_form_is_read_and_its_characters_are_folded(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    path.write_bytes(packed_model())
    reader = e5.open_packed(e5.identity("x", "0" * 64), path)
    cat, wide, dog = reader.read([("", "cat"), ("", "\uff43at"), ("", "dogs and a tree")])
    np.testing.assert_allclose(cat.pooled, wide.pooled, atol=1e-5)
    assert float(cat.pooled @ dog.pooled) < 0.9999
    together, apart = reader.read([("", "cat"), ("", "dog " * 700)]), reader.read([("", "dog " * 700)])
    np.testing.assert_allclose(together[0].pooled, cat.pooled, atol=1e-4)
    np.testing.assert_allclose(together[1].pooled, apart[0].pooled, atol=1e-4)


@pytest.mark.parametrize("damage", [b"", b"E5S1", b"nonsense" * 100])
def test_a_damaged_packed_file_is_told_of(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "small.bin"
    path.write_bytes(damage or packed_model()[:3000])
    with pytest.raises(ModelMissing, match="damaged"):
        e5.open_packed(e5.identity("x", "0" * 64), path)


# sentence-transformers

STAND_IN = """
import numpy, os
class SentenceTransformer:
    def __init__(self, name, device, local_files_only):
        assert local_files_only
        if name == "absent":
            raise OSError("not cached")
        self.prompts = {"query": "Q: ", "document": "D: "}
    def get_sentence_embedding_dimension(self):
        return 10
    def encode(self, texts, prompt_name, convert_to_numpy, show_progress_bar):
        said = [self.prompts.get(prompt_name or "", "") + text for text in texts]
        return numpy.array([[float(ord(one[0]))] + [float(len(one))] * 9 for one in said], "float32")
"""


def test_a_library_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelMissing, match="pip install"):
        open_reader(Settings(model="st:all-mpnet-base-v2"))


def test_a_model_of_the_library_is_used_with_its_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sentence_transformers.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    reader = open_reader(Settings(model="st:org/some-model"))
    identity = reader.identity()
    assert identity["name"] == "st:org/some-model"
    assert identity["prefix"] == "Q: |D: "
    assert identity["dimension"] == 16
    (text,) = reader.read([("", "a cat")])
    assert not np.allclose(text.pooled, read_question(reader, "a cat").pooled)
    with pytest.raises(ModelMissing, match="Fetch it once"):
        open_reader(Settings(model="st:absent"))
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)


def test_padding_changes_no_cosine() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(4, 10)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = np.array([one.pooled for one in pooled_only(vectors)])
    assert kept.shape == (4, 16)
    np.testing.assert_allclose(kept @ kept.T, unit @ unit.T, atol=1e-6)
