"""`Client` against a real server: the same answers and errors as `Memory` on the same store, also over bad lines."""

from __future__ import annotations

import inspect
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import serving
from simonides import Client, Memory, Settings, shapes
from simonides.client import reading
from simonides.clock import Span
from simonides.errors import (
    Conflict,
    Forbidden,
    InputError,
    NotFound,
    SimonidesError,
    StoreBusy,
    StoreError,
    StoreUnusable,
    TimeError,
    UnknownName,
)
from simonides.types import (
    Add,
    Change,
    Connect,
    Context,
    Disconnect,
    Doubt,
    Dropped,
    Erasure,
    Event,
    Expire,
    Explanation,
    Hit,
    Json,
    Link,
    Receipt,
    Restore,
    Retire,
    Rule,
    Scope,
    Source,
    Supersede,
    Undone,
    Upkeep,
)
from simonides.types import Memory as Version

QUICK = Settings(meaning="instant", busy_seconds=20)
SOON = 5.0


# Shapes and back

_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_times = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_numbers = st.integers(0, 2**53)
_shares = st.dictionaries(_texts, st.floats(-9, 9), max_size=3)
_part = st.floats(0, 1)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(_texts, _json, max_size=3)
_ids = st.integers(0, 2**128 - 1).map(lambda n: f"{n:032x}")


@st.composite
def _span(draw: st.DrawFn) -> Span:
    one, two = sorted((draw(_times), draw(_times)))
    return Span(one, draw(st.sampled_from((None, two))))


_scopes = st.builds(Scope, _texts, _texts, _texts, _texts)
_sources = st.builds(Source, _texts, _ids | st.just(""), st.none() | st.tuples(_numbers, _numbers), _texts)
_memories = st.builds(
    Version, id=_ids, kind=_texts, text=_texts, scope=_scopes, valid=_span(), recorded=_span(), version=_numbers,
    speaker=_texts, source=st.none() | _sources, zone=_texts, confidence=_part, importance=_part, metadata=_objects,
    attributes=_objects, reason=_texts, actor=_texts,
)  # fmt: skip
_hits = st.builds(Hit, _memories, _part, _shares)
_erasures = st.builds(
    Erasure, state=_texts, store=_texts, at=_times, actor=_texts, reason=_texts, ids=st.tuples(_ids), links=st.tuples(),
    derived=_numbers, counts=st.dictionaries(_texts, _numbers, max_size=3), seq=_numbers, digest=_texts,
    pending=st.tuples(_texts), still_holding=st.tuples(_texts, _texts), examples=st.tuples(_texts), signature=_texts,
)  # fmt: skip
_changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Add, id=_ids, text=_texts, at=_times, scope=_scopes, source=st.none() | _sources,
              until=st.none() | _times, metadata=_objects, expires=st.none() | _times),
    st.builds(Supersede, id=_ids, text=st.none() | _texts, at=st.none() | _times, source=st.none() | _sources),
    st.builds(Retire, id=_ids, at=_times, if_version=st.none() | _numbers),
    st.builds(Restore, id=_ids, version=st.none() | _numbers),
    st.builds(Connect, id=_ids, source=_ids, target=_ids, relation=_texts, at=_times, weight=_part),
    st.builds(Disconnect, id=_ids, at=_times),
    st.builds(Expire, id=_ids, at=st.none() | _times),
)  # fmt: skip

NOUNS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], st.SearchStrategy[Any]]] = {
    "memory": (shapes.memory, reading.memory, _memories),
    "hit": (shapes.hit, reading.hit, _hits),
    "context": (
        shapes.context, reading.context,
        st.builds(Context, _texts, st.tuples(_hits), st.tuples(_hits, _hits), _numbers, _numbers),
    ),
    "explanation": (
        shapes.explanation, reading.explanation,
        st.builds(
            Explanation, _texts, _objects, st.tuples(_hits),
            st.tuples(st.builds(Dropped, _memories, _part, _shares, _texts)), st.tuples(_part, _part), _numbers,
            _shares,
        ),
    ),
    "link": (
        shapes.link, reading.link,
        st.builds(Link, _ids, _ids, _ids, _texts, _span(), _span(), _part, _texts, _texts, _texts),
    ),
    "event": (
        shapes.event, reading.event,
        st.builds(Event, _numbers, _times, _texts, _texts, _ids, st.none() | _objects, _texts),
    ),
    "receipt": (
        shapes.receipt, reading.receipt,
        st.builds(
            Receipt, st.tuples(_ids), st.tuples(_numbers), st.sampled_from(("stored", "enriched")), skipped=_numbers
        )
        | st.builds(Receipt, st.tuples(_ids), st.just(()), st.just("planned"), st.tuples(_changes, _changes)),
    ),
    "erasure": (shapes.erasure, reading.erasure, _erasures),
    "upkeep": (
        shapes.upkeep, reading.upkeep,
        st.builds(Upkeep, _texts, st.tuples(_ids), st.none() | _erasures, st.tuples(_texts), st.tuples(_texts)),
    ),
    "undone": (
        shapes.undone, reading.undone,
        st.builds(
            Undone, _texts, _numbers, st.tuples(_ids), st.tuples(st.tuples(_ids, _numbers)), st.just(()),
            st.tuples(_numbers),
        ),
    ),
    "rule": (
        shapes.rule, reading.rule,
        st.builds(Rule, _numbers, _texts, _texts, _scopes, _texts, _numbers, st.none() | _times),
    ),
    "doubt": (
        shapes.doubt, reading.doubt,
        st.builds(Doubt, _ids, _texts, st.tuples(_memories, _memories), _part, _texts),
    ),
}  # fmt: skip


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_was_written_as_json_reads_back(noun: str, data: st.DataObject) -> None:
    write, read, values = NOUNS[noun]
    value = data.draw(values)
    assert read(write(value)) == value


@given(st.sampled_from([NotFound, Conflict, TimeError, Forbidden, StoreBusy]), _texts, _texts, _texts, _texts)
def test_errors_read_back(
    kind: type[SimonidesError], subject: str, rule: str, value: str, way_out: str
) -> None:
    error = kind(subject or "x", rule, value, way_out)
    told = shapes.error(error)["error"]
    assert isinstance(told, dict)
    again = reading.error(told | {"type": f"urn:simonides:error:{told['type']}"})
    assert (type(again), str(again), again.way_out) == (kind, str(error), way_out)


def test_an_unknown_name_reads_back() -> None:
    again = reading.error(
        {"type": "urn:simonides:error:UnknownName", "subject": "kind", "rule": "unknown name"}
    )
    assert isinstance(again, UnknownName)
    assert again.known == ()


# The same verbs

NOT_THERE = {
    "acting": "the token says who acts",
    "apply": "changes are what parts propose in the process of the store",
    "backup": "it writes a file beside the store; `dump` brings everything over the line",
    "digest": "it runs a recipe in the process of the store",
    "estimate_reindex": "it is about the machine of the server",
    "reindex": "it is about the machine of the server",
    "seen": "the client draws the keys of its requests itself",
    "wait": "it reads the backlog in the process of the store; `add(wait=True)` and `status(receipt)` are there",
}
OTHERWISE = {
    "add_many": {"pool"},  # the server analyses
    "verify": {"erasure"},  # the receipt is signed for whoever has the store
}
BESIDE = {"whoami"}


def told(signature: inspect.Signature) -> str:
    """Return what a verb says it returns; a class with a verb called `list` spells that name otherwise."""
    return str(signature.return_annotation).replace("builtins.", "")


def test_the_verbs_are_those_of_memory_with_the_same_arguments() -> None:
    def verbs(owner: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(verb)
            for name, verb in inspect.getmembers(owner, callable)
            if name[0] != "_"
        }

    ours, theirs = verbs(Client), verbs(Memory)
    assert set(theirs) - set(ours) <= set(NOT_THERE)
    assert not set(ours) & set(NOT_THERE)
    assert set(ours) - set(theirs) == BESIDE
    for name in set(ours) & set(theirs):
        left_out = OTHERWISE.get(name, set())
        wanted = [one for one in theirs[name].parameters.values() if one.name not in left_out]
        assert [*ours[name].parameters.values()] == wanted, name
        assert told(ours[name]) == told(theirs[name]), name


# The same answers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("client") / "memory.db")


@pytest.fixture(scope="module")
def server(place: str) -> Iterator[tuple[str, str]]:
    with serving(place, before=("--set", "meaning=instant")) as given:
        yield given


@pytest.fixture
def client(server: tuple[str, str]) -> Iterator[Client]:
    with Client(*server, timeout=30) as made:
        yield made


@pytest.fixture
def memory(server: tuple[str, str], place: str) -> Iterator[Memory]:
    """The same store, opened beside the server."""
    with Memory(place, settings=QUICK) as opened:
        yield opened


def test_the_client_answers_what_memory_answers(client: Client, memory: Memory) -> None:
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    one = client.add(
        "Ana moved from Berlin to Lisbon.", user="same", speaker="Ana", at=at, metadata={"city": "Lisbon", "n": 1.5},
        source=Source("chat", "", (0, 3)), kind="note",
    ).id  # fmt: skip
    rows = [{"text": f"line {n} of the log", "user": "same", "ttl": timedelta(days=n + 1)} for n in range(7)]
    many = client.add_many(rows)
    client.update(one, "Ana moved from Berlin to Porto.", at=at + timedelta(days=2), reason="again")
    tied = client.link(one, many.ids[0], "follows", weight=0.5, evidence="said so").id
    client.retire(many.ids[1], reason="old")
    client.expire(many.ids[2], ttl=timedelta(days=3), action="erase")

    assert client.get(one) == memory.get(one)
    assert client.get(one, as_of=at) == memory.get(one, as_of=at)
    assert client.history(one) == memory.history(one)
    assert client.list(user="same") == memory.list(user="same")
    where: dict[str, Json] = {"city": {"eq": "Lisbon"}}
    assert client.list(where=where, kinds=("note",), newest_first=True, limit=3) == memory.list(
        where=where, kinds=("note",), newest_first=True, limit=3
    )
    assert client.links(one) == memory.links(one)
    assert client.links() == memory.links()
    assert client.neighbours(one, 2) == memory.neighbours(one, 2)
    question = "where did Ana move to?"
    assert client.search(question, user="same") == memory.search(question, user="same")
    assert client.search(question, user="same", as_of=at, k=1) == memory.search(
        question, user="same", as_of=at, k=1
    )
    assert client.context(question, user="same", budget=60) == memory.context(
        question, user="same", budget=60
    )
    ours, theirs = (each.explain(question, user="same", gate=False) for each in (client, memory))
    assert (ours.hits, ours.dropped, ours.gate, ours.reading) == (
        theirs.hits,
        theirs.dropped,
        theirs.gate,
        theirs.reading,
    )
    assert client.log(subject=one) == memory.log(subject=one)
    assert client.log(limit=5) == memory.log(limit=5)
    assert client.status(many) == memory.status(many)
    assert client.status().memories == memory.status().memories
    assert client.verify() == memory.verify()
    assert {each.name for each in client.doctor()} == {each.name for each in memory.doctor()}
    assert client.unlink(tied).ids == (tied,)
    assert client.links() == memory.links() == []


def test_what_ends_and_comes_back(client: Client, memory: Memory) -> None:
    one = client.add("tea with milk", user="ends").id
    done = client.retire(one)
    undone = client.undo(done.seqs[0])
    assert undone.ids == (one,)
    assert client.get(one).text == memory.get(one).text == "tea with milk"
    client.update(one, "tea with lemon")
    assert client.restore(one, version=1).ids == (one,)
    assert client.get(one).text == "tea with milk"
    planned = client.erase(user="ends", plan=True)
    assert (planned.state, planned.ids) == ("planned", (one,))
    gone = client.erase([one], reason="asked for")
    assert memory.verify(gone).ok
    with pytest.raises(NotFound, match=f"memory {one}: no such memory"):
        client.get(one)
    (rule,) = client.retention(add=Rule(86_400 * 400, kind="turn", scope=Scope(user="ends"), reason="policy"))
    assert client.retention() == memory.retention() == [rule]
    assert client.retention(drop=rule.rule) == []
    assert client.upkeep(plan=True) == memory.upkeep(plan=True)
    assert client.upkeep().state == "done"


def test_a_plan_says_what_would_be_written(client: Client, memory: Memory) -> None:
    before = memory.log(limit=1000)
    told = client.add("planned", user="plans", source="notes", ttl=timedelta(days=1), plan=True)
    (change,) = told.changes
    assert isinstance(change, Add)
    assert (change.text, change.scope, change.source) == ("planned", Scope(user="plans"), Source("notes"))
    assert client.add_many([{"text": "a"}, {"text": "b"}], plan=True).state == "planned"
    assert memory.log(limit=1000) == before


def test_lists_are_longer_than_a_page(client: Client, memory: Memory) -> None:
    seen: list[int] = []
    done = client.add_many(({"text": f"n {n}", "user": "long"} for n in range(2300)), progress=seen.append)
    assert sum(seen) == len(done.ids) == len(done.seqs) == 2300
    assert [one.id for one in client.list(user="long", limit=5000)] == [*done.ids]
    assert [one.id for one in client.list(user="long", limit=1500)] == [*done.ids[:1500]]
    assert [one.id for one in client.list(user="long", limit=10, after=done.ids[9])] == [*done.ids[10:20]]
    assert len(client.log(limit=2000)) == 2000
    assert client.list(user="nobody") == []


def test_everything_goes_out_and_in(client: Client, memory: Memory, tmp_path: Path) -> None:
    client.add("goes out", user="carried")
    records = [*client.dump()]
    assert records == [*memory.dump()]
    with (
        serving(str(tmp_path / "other.db"), before=("--set", "meaning=instant")) as given,
        Client(*given) as other,
    ):
        counts = other.undump(iter(records))
        assert (counts.memories, counts.events) == (
            sum(one["type"] == "memory" for one in records),
            sum(one["type"] == "event" for one in records),
        )
        assert [*other.dump()] == records
        assert other.undump(records).skipped > 0, "twice is fine"
        with pytest.raises(InputError):
            other.undump([{"type": "nonsense"}])
        with pytest.raises(InputError):
            other.undump({"type": "nonsense", "filler": "x" * 1000} for _ in range(20_000))


ERRORS: dict[str, Callable[[Any], object]] = {
    "no such memory": lambda m: m.get("0" * 32),
    "no id": lambda m: m.get("nonsense"),
    "an id that is a path": lambda m: m.get("../../v1/status"),
    "an empty text": lambda m: m.add(""),
    "half a character": lambda m: m.add("\ud800"),
    "an unknown kind": lambda m: m.add("x", kind="sort"),
    "a filter of an unknown form": lambda m: m.search("tea", where={"a": {"like": 1}}),
    "an empty question": lambda m: m.search(" "),
    "a naive time": lambda m: m.search("tea", as_of=datetime(2026, 1, 1)),  # noqa: DTZ001
    "a time that is over": lambda m: m.expire(m.list(user="errors")[0].id, datetime(2020, 1, 1, tzinfo=UTC)),
    "an old version": lambda m: m.update(m.list(user="errors")[0].id, "x", if_version=7),
    "retired by an old version": lambda m: m.retire(m.list(user="errors")[0].id, if_version=7),
    "no such event": lambda m: m.undo(10**9),
    "no such rule": lambda m: m.retention(drop=10**6),
    "no such link": lambda m: m.unlink("0" * 32),
    "nothing to erase": lambda m: m.erase(query="of the submarine's hull alloy"),
    "everything, unsaid": lambda m: m.erase(),
}


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_are_those_of_memory(client: Client, memory: Memory, wrong: str) -> None:
    if not memory.list(user="errors"):
        memory.add("about errors", user="errors")
    with pytest.raises(SimonidesError) as theirs:
        ERRORS[wrong](memory)
    with pytest.raises(SimonidesError) as ours:
        ERRORS[wrong](client)
    assert issubclass(ours.type, InputError) == issubclass(theirs.type, InputError)
    assert issubclass(theirs.type, ours.type) or issubclass(ours.type, theirs.type)
    assert ours.value.way_out or not theirs.value.way_out


def test_an_unknown_argument_is_a_mistake_of_the_program(client: Client) -> None:
    with pytest.raises(TypeError, match="no such keyword argument: colour"):
        client.explain("tea", colour="red")  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="no such keyword argument: colour"):
        client.erase(colour="red")  # pyright: ignore[reportCallIssue]


def test_a_token_opens_its_own_scope_only(client: Client, memory: Memory, server: tuple[str, str]) -> None:
    from simonides.credentials import issue, revoke

    theirs = client.add("Ben's secret", user="ben").id
    token, made = issue(memory, "ana", scope=Scope(user="ana"), rights=("read", "write"))
    with Client(server[0], token) as ana:
        one = ana.add("mine").id
        assert ana.get(one).scope.user == "ana"
        assert ana.get(one).actor == "ana"
        assert [each.id for each in ana.list()] == [one]
        assert ana.whoami()["rights"] == ["read", "write"]
        with pytest.raises(NotFound):
            ana.get(theirs)
        for refused in (
            lambda: ana.erase(one),
            ana.status,
            lambda: ana.add("x", user="ben"),
            lambda: [*ana.dump()],
        ):
            with pytest.raises(Forbidden):
                refused()
        revoke(memory, made.id)
        deadline = time.monotonic() + 10
        with pytest.raises(Forbidden, match="revoked"):
            until_refused(ana, deadline)
    with (
        Client(server[0], "sim_-_" + "0" * 32 + "_" + "a" * 52) as nobody,
        pytest.raises(Forbidden) as refusal,
    ):
        nobody.list()
    assert "aaaa" not in str(refusal.value)
    with Client(server[0]) as nobody, pytest.raises(Forbidden):
        nobody.list()


def until_refused(client: Client, deadline: float) -> None:
    """Ask until the server hears of it: it trusts a token that it has checked for two seconds."""
    while time.monotonic() < deadline:
        client.list()
        time.sleep(0.1)


def test_many_threads_share_one_client(client: Client, memory: Memory) -> None:
    def work(number: int) -> str:
        one = client.add(f"thread {number}", user="threads").id
        assert client.get(one).text == f"thread {number}"
        return one

    with ThreadPoolExecutor(12) as pool:
        ids = [*pool.map(work, range(60))]
    assert {one.id for one in memory.list(user="threads", limit=100)} == {*ids}
    assert len({*ids}) == 60


# Over bad lines


@contextmanager
def line(target: str, behave: Callable[[int, socket.socket, socket.socket], None]) -> Generator[str]:
    """Give the URL of something between client and server that does to each connection what it is told."""
    goal = urlsplit(target)
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    count = 0

    def serve() -> None:
        nonlocal count
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection((goal.hostname or "", goal.port or 0))
            number, count = count, count + 1
            thread = threading.Thread(target=run, args=(number, near, far))
            thread.start()
            threads.append(thread)

    def run(number: int, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            near.settimeout(SOON)
            far.settimeout(SOON)
            try:
                behave(number, near, far)
            except OSError:
                return

    main = threading.Thread(target=serve)
    main.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        main.join()
        for each in threads:
            each.join()


def message_of(near: socket.socket) -> bytes:
    """Read one request, or an answer, with a body of a stated length."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += near.recv(65536)
    head, _, body = held.partition(b"\r\n\r\n")
    length = next(
        (int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += near.recv(65536)
    return head + b"\r\n\r\n" + body


def passed(near: socket.socket, far: socket.socket) -> None:
    """Pass one request on, and its answer back."""
    far.sendall(message_of(near))
    near.sendall(message_of(far))


def test_an_answer_that_is_lost_is_asked_for_again_and_the_write_is_done_once(
    server: tuple[str, str], memory: Memory
) -> None:
    def loses_the_first_two(number: int, near: socket.socket, far: socket.socket) -> None:
        if number < 2:
            far.sendall(message_of(near))
            message_of(far)  # the server has done it, and nobody hears
            return
        passed(near, far)

    with line(server[0], loses_the_first_two) as url, Client(url, server[1]) as client:
        done = client.add("heard at last", user="lost")
    assert [one.id for one in memory.list(user="lost")] == [*done.ids]


def test_a_connection_that_was_closed_meanwhile_is_made_anew(server: tuple[str, str], memory: Memory) -> None:
    def closes_after_one(_: int, near: socket.socket, far: socket.socket) -> None:
        passed(near, far)

    with line(server[0], closes_after_one) as url, Client(url, server[1]) as client:
        for _ in range(3):
            client.add("again", user="closed")
            time.sleep(0.05)
    assert len(memory.list(user="closed")) == 3


def test_an_export_that_is_cut_off_is_no_end(server: tuple[str, str], client: Client) -> None:
    client.add_many({"text": f"line {n} " + "x" * 300, "user": "cut"} for n in range(600))

    def cuts(_: int, near: socket.socket, far: socket.socket) -> None:
        far.sendall(message_of(near))
        left = 100_000
        while left > 0:
            piece = far.recv(min(left, 65536))
            near.sendall(piece)
            left -= len(piece)

    with (
        line(server[0], cuts) as url,
        Client(url, server[1]) as cut,
        pytest.raises(StoreUnusable, match="broke off"),
    ):
        for _ in cut.dump():
            pass


def test_what_does_not_answer_in_time_is_given_up(server: tuple[str, str]) -> None:
    def says_nothing(_: int, near: socket.socket, far: socket.socket) -> None:
        message_of(near)
        near.recv(1)

    with (
        line(server[0], says_nothing) as url,
        Client(url, server[1], timeout=0.2, retries=1) as client,
        pytest.raises(StoreBusy, match=r"said nothing for 0\.2 seconds"),
    ):
        client.list()


def answering(answer: bytes) -> Callable[[int, socket.socket, socket.socket], None]:
    def behave(_: int, near: socket.socket, far: socket.socket) -> None:
        message_of(near)
        near.sendall(answer)

    return behave


@pytest.mark.parametrize(
    ("answer", "kind", "rule"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", StoreError, "redirect"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", StoreError, "text/html"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", NotFound, "not as a server of simonides"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", StoreError, "answered 500"),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", StoreBusy, "answered 429"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", StoreUnusable, "broke off"),
        (b"", StoreUnusable, "broke off"),
    ],
)  # fmt: skip
def test_whatever_else_answers_is_an_error_with_a_name(
    server: tuple[str, str], answer: bytes, kind: type[Exception], rule: str
) -> None:
    with line(server[0], answering(answer)) as url, Client(url, server[1], retries=1) as client:
        with pytest.raises(kind, match=rule) as told:
            client.list()
        assert server[1] not in str(told.value)
        with pytest.raises(kind):
            next(client.dump())


def test_a_busy_server_is_asked_again(server: tuple[str, str]) -> None:
    def busy_once(number: int, near: socket.socket, far: socket.socket) -> None:
        if number == 0:
            answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")(
                number, near, far
            )
        else:
            passed(near, far)

    with line(server[0], busy_once) as url, Client(url, server[1]) as client:
        assert client.whoami()["name"] == "owner"


def test_nobody_there_is_said_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", "x", retries=0) as client:
        with pytest.raises(
            StoreUnusable, match=r"can't be reached, or broke off.*`simonides serve` starts one"
        ):
            client.list()
        with pytest.raises(StoreUnusable, match="can't be reached"):
            client.undump([])


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate, key = certified(tmp_path)
    options = ("--certfile", str(certificate), "--keyfile", str(key))
    with serving(str(tmp_path / "tls.db"), *options, before=("--set", "meaning=off")) as (url, token):
        assert url.startswith("https://")
        with Client(url, token, retries=0) as client, pytest.raises(StoreUnusable, match="not trusted"):
            client.list()
        with Client(url, token, ca=certificate) as client:
            assert client.list() == []
        other = url.replace("127.0.0.1", "localhost")
        with Client(other, token, ca=certificate, retries=0) as client, pytest.raises(StoreUnusable):
            client.list()


def certified(folder: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1, and its key."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simonides test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    assert ssl.OPENSSL_VERSION
    return certificate, secret


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("ftp://example.org", "x"), "url: must be http"),
        (("example.org", "x"), "url: must be http"),
        (("http://", "x"), "url: must be http"),
        (("https://ana:secret@example.org", "x"), "url: must be http"),
        (("https://example.org/?a=b", "x"), "url: must be http"),
        (("http://[::", "x"), "url: must be http"),
        (("http://example.org", "x"), "would send the token"),
        (("https://example.org", "a\r\nb"), "token: must be visible"),
        (("https://example.org", "t\u00f6ken"), "token: must be visible"),
    ],
)
def test_what_would_not_be_safe_is_not_made(arguments: tuple[str, str], rule: str) -> None:
    with pytest.raises(InputError, match=rule) as told:
        Client(*arguments)
    assert "secret" not in str(told.value)


def test_it_does_not_show_its_token() -> None:
    assert "hidden" not in repr(Client("https://example.org", "hidden"))
    with Client("http://127.0.0.1:1", "hidden") as client:
        client.close()
    with pytest.raises(StoreUnusable, match="was closed"):
        client.list()


def test_it_needs_neither_numpy_nor_a_server_package() -> None:
    import subprocess
    import sys

    code = """
import sys
from simonides import Client
Client("http://127.0.0.1:1", "x").close()
heavy = {"numpy", "sqlite3", "fastapi", "onnxruntime", "simonides.ledger"} & {*sys.modules}
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
