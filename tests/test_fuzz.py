"""Whatever is handed in, only errors of ours come out, and the store stays whole; a minute in CI, longer when asked.

``TESTS_FUZZ_SECONDS=600 pytest tests/test_fuzz.py`` gives each part its share of ten minutes, and draws other
examples each time; ``TESTS_FUZZ_SEED`` draws the same again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from simonides.doors.importers import FORMATS, parser
from simonides.doors.importers.record import Reading
from simonides.doors.importers.run import Plan, Run
from simonides.errors import SimonidesError
from simonides.ledger.backup import examine, restore
from simonides.ledger.encrypted import Vault
from simonides.ledger.filters import OPERATORS
from simonides.ledger.migrations import pending
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Kind, Scope

OLD = Path(__file__).resolve().parent / "old" / "v1.db"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAIVE = NOW.replace(tzinfo=None)
QUICK = Settings(meaning="off", background=False, synchronous="normal", busy_seconds=1)
KEY = bytes(range(32))
ASKED = os.environ.get("TESTS_FUZZ_SECONDS")
PARTS = 9
SECONDS = float(ASKED or 54) / PARTS
"""For each part; several run at once where pytest has several workers."""
SEED = int(os.environ.get("TESTS_FUZZ_SEED", random.randrange(10**9) if ASKED else 1))
AT_ONCE, ROUNDS = 20, 8
"""Examples of a round, and rounds where no time is asked for: a quick machine tries the same as a slow one."""
UNWATCHED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

SIGNS = st.characters(codec=None)
WORDS = st.one_of(
    st.sampled_from(
        ["", " ", "a", "text", "\0", "\ud800", "\u202e", "' OR 1=1 --", "$.a", "a.b.c", "0" * 32, "f" * 33]
    ),
    st.text(max_size=30),
    st.text(SIGNS, max_size=5),
)
NUMBERS = st.one_of(st.integers(), st.sampled_from([2**63, -(2**63) - 1, 10**400]), st.floats())
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)
MOMENTS = st.one_of(
    st.datetimes(timezones=st.one_of(st.just(UTC), st.timezones())),
    st.sampled_from([NAIVE, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
)


def fuzz(check: Callable[..., None], seconds: float = SECONDS, **strategies: st.SearchStrategy[Any]) -> None:
    """Try examples, some at a time, until the seconds are over."""
    chosen = settings(
        max_examples=AT_ONCE,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=UNWATCHED,
    )
    ends, number = time.monotonic() + seconds, SEED
    while time.monotonic() < ends and (ASKED or number < SEED + ROUNDS):
        print(f"TESTS_FUZZ_SEED={number}")
        seed(number)(chosen(given(**strategies)(check)))()
        number += 1


def whole(memory: Memory) -> bool:
    """Tell whether a store is as it should be."""
    return all(finding.ok for finding in memory.doctor()) and memory.verify().ok


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """Return a store with something in it."""
    with Memory(tmp_path / "memory.db", settings=QUICK) as opened:
        opened.add_many(
            {"text": f"text {n}", "metadata": {"n": n, "a": {"b": [n, "x"]}}, "user": "u"} for n in range(9)
        )
        opened.link(opened.list()[0].id, opened.list()[1].id, "near")
        yield opened
        assert whole(opened)


# --- what callers hand in ------------------------------------------------------------------------------------------

FIELDS = st.one_of(WORDS, st.sampled_from(["n", "a.b", "and", "or", "not", "a.b.0"]))
COMPARED = st.dictionaries(st.one_of(st.sampled_from(sorted(OPERATORS)), WORDS), JSON, max_size=2)
FILTERS = st.recursive(
    st.dictionaries(FIELDS, st.one_of(SCALARS, COMPARED), max_size=3),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["and", "or"]), st.lists(inner, max_size=3), max_size=2),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)  # fmt: skip


def test_filters(memory: Memory) -> None:
    def check(where: Any) -> None:
        with suppress(SimonidesError):
            memory.list(where=where)
        with suppress(SimonidesError):
            memory.search("text", where=where, gate=False)
        with suppress(SimonidesError):
            memory.ledger.rows_where(where)

    fuzz(check, where=st.one_of(FILTERS, FILTERS, JSON))


def test_ids_and_names(memory: Memory) -> None:
    known = memory.list()[0].id
    ids = st.one_of(
        WORDS, st.text("0123456789abcdefABCDEF-", max_size=40), st.just(known), st.just(known[:-2])
    )
    calls: list[Callable[[str, str], object]] = [
        lambda one, _: memory.get(one),
        lambda one, _: memory.history(one),
        lambda one, _: memory.ledger.expand(one),
        lambda one, word: memory.links(one, relation=word),
        lambda one, word: memory.neighbours(one, 2, relation=word),
        lambda one, _: memory.log(subject=one),
        lambda one, word: memory.list(after=one, user=word, kinds=[word]),
        lambda one, word: memory.update(one, text=word),
        lambda one, word: memory.retire(one, reason=word),
        lambda one, _: memory.restore(one),
        lambda one, word: memory.link(one, known, word, evidence=word),
        lambda one, word: memory.link(known, one, "near", plan=word > "m"),
        lambda one, _: memory.unlink(one),
        lambda _, word: memory.search(word, user=word, session=word, gate=False),
        lambda _, word: memory.context(word, project=word),
        lambda _, word: memory.explain(word, agent=word),
        lambda one, word: memory.ledger.scopes(Scope(one, word, one, word)),
    ]

    def check(one: str, word: str, which: Callable[[str, str], object]) -> None:
        with suppress(SimonidesError):
            which(one, word)

    fuzz(check, one=ids, word=WORDS, which=st.sampled_from(calls))


def test_memories(memory: Memory) -> None:
    def check(row: dict[str, Any], moment: datetime, number: int) -> None:
        with suppress(SimonidesError):
            ids = memory.add(**row).ids
            found = memory.get(ids[0])
            assert (found.text, found.metadata) == (row["text"], row["metadata"] or {})
        with suppress(SimonidesError):
            memory.list(as_of=moment, known_at=moment, limit=number)
        with suppress(SimonidesError):
            memory.search("text", as_of=moment, now=moment, k=number)
        with suppress(SimonidesError):
            memory.update(
                memory.list()[0].id, row["text"], at=moment, metadata=row["metadata"], if_version=number
            )

    row = st.fixed_dictionaries(
        {
            "text": WORDS,
            "kind": st.one_of(st.sampled_from(sorted(Kind)), WORDS),
            "speaker": st.one_of(st.none(), WORDS),
            "at": st.one_of(st.none(), MOMENTS),
            "user": st.one_of(st.none(), WORDS),
            "metadata": st.one_of(st.none(), st.dictionaries(WORDS, JSON, max_size=3)),
        }
    )
    fuzz(check, row=row, moment=MOMENTS, number=st.one_of(st.integers(-2, 5), st.integers()))


# --- what importers read -------------------------------------------------------------------------------------------

NAMES = """
mapping id parent children message author role content parts content_type text create_time title uuid
chat_messages sender created_at updated_at name conversations memory results user_id metadata type
entityType observations from to relationType entities relations conversation session_1
session_1_date_time speaker dia_id speaker_a kind at user session project source sessionId timestamp
isSidechain toolUseResult links valid recorded version event memories
""".split()
SHAPES = st.recursive(
    st.one_of(
        SCALARS,
        st.sampled_from(["user", "assistant", "2026-01-01T10:00:00Z", "entity", "relation", "root", 1e9]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=25,
)


def pieces(value: object) -> bytes:
    """Return a value as JSON; what UTF-8 or JSON can't hold is written the way broken programs write it."""
    return json.dumps(value).encode()


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_importers(memory: Memory, tmp_path: Path, format: str) -> None:
    endings = {"markdown": ".md", "jsonl": ".jsonl", "mcp-memory": ".jsonl", "claude-code": ".jsonl"}

    def check(value: Any, raw: bytes, how: str, cut: int) -> None:
        path = tmp_path / f"x{'.zip' if how == 'zip' else endings.get(format, '.json')}"
        lines = value if isinstance(value, list) else [value]
        content = {
            "raw": raw,
            "cut": pieces(value)[:cut],
            "lines": b"\n".join(pieces(line) for line in lines),
        }.get(how, pieces(lines))
        if how == "zip":
            with zipfile.ZipFile(path, "w") as packed:
                packed.writestr("conversations.json", content)
            broken = bytearray(path.read_bytes())
            broken[cut % len(broken)] ^= len(raw) & 0xFF
            content = bytes(broken)
        path.write_bytes(content)
        plan = Plan(format, format, FORMATS[format].follows, Scope(), False)
        with suppress(SimonidesError):
            Run(memory, plan).go(parser(format)(path, Reading()))

    ways = ["lines" if endings.get(format) == ".jsonl" else "json", "json", "raw", "cut", "zip"]
    fuzz(
        check,
        2 * SECONDS / len(FORMATS),
        value=SHAPES,
        raw=st.binary(max_size=200),
        how=st.sampled_from(ways),
        cut=st.integers(0, 400),
    )


def test_exports(memory: Memory, tmp_path: Path) -> None:
    """Records that were changed are refused, or taken in and whole."""
    memory.update(memory.list()[0].id, "changed")
    memory.retire(memory.list()[1].id)
    records = list(memory.dump())

    def check(changes: list[tuple[int, str, Any]], order: list[int], empty: bool) -> None:
        given = [json.loads(json.dumps(record)) for record in records]
        for place, name, value in changes:
            given[place % len(given)][name] = value
        for place in order:
            given.append(given.pop(place % len(given))) if place % 3 else given.pop(place % len(given))
            if not given:
                return
        with Memory(":memory:", settings=QUICK) as other:
            if not empty:
                other.add("here already")
            before = list(other.dump())
            try:
                other.undump(given)
            except SimonidesError:  # refused, and then wholly
                assert list(other.dump()) == before
            assert whole(other)

    names = sorted({name for record in records for name in record})
    change = st.tuples(st.integers(0, 99), st.sampled_from(names), st.one_of(JSON, MOMENTS.map(str)))
    fuzz(
        check,
        changes=st.lists(change, max_size=3),
        order=st.lists(st.integers(0, 99), max_size=3),
        empty=st.booleans(),
    )  # fmt: skip


# --- files ---------------------------------------------------------------------------------------------------------

HARMS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "page", "zero", "grow"]), st.integers(0, 2**31), st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)


def harmed(content: bytes, harms: list[tuple[str, int, int]]) -> bytes:
    """Return bytes after some damage."""
    left = bytearray(content)
    for what, place, value in harms:
        at = place % (len(left) or 1)
        if what == "flip" and left:
            left[at] ^= value
        elif what == "cut":
            del left[at:]
        elif what == "page":
            left[at - at % 4096 : at - at % 4096 + 4096] = random.Random(place).randbytes(4096)
        elif what == "zero":
            left[at : at + value] = bytes(value)
        else:
            left += random.Random(place).randbytes(value)
    return bytes(left)


def use(path: Path, **given: Any) -> list[str]:
    """Open a file and do what there is to do; return the texts that could be read."""
    texts: list[str] = []
    with suppress(SimonidesError), Memory(path, settings=QUICK, **given) as memory:
        calls: list[Callable[[], object]] = [
            lambda: texts.extend(one.text for one in memory.list()),
            lambda: memory.search("home", gate=False),
            memory.doctor,
            memory.verify,
            memory.log,
            memory.status,
            lambda: list(memory.dump()),
            lambda: memory.add("one more"),
            lambda: memory.backup(path.with_name("copy.db"), overwrite=True),
        ]
        for call in calls:
            with suppress(SimonidesError):
                call()
    return texts


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder / "memory.db"


def test_old_files_that_are_damaged(tmp_path: Path) -> None:
    content = OLD.read_bytes()

    def check(harms: list[tuple[str, int, int]]) -> None:
        path = emptied(tmp_path / "place")
        path.write_bytes(harmed(content, harms))
        with suppress(SimonidesError):
            pending(path)
        use(path)

    fuzz(check, harms=HARMS)


def test_files_with_a_log_that_is_damaged(tmp_path: Path) -> None:
    """The log, or a journal that never belonged to it, is damaged: what is read is what was once written."""
    path = tmp_path / "memory.db"
    with Memory(path, settings=QUICK) as memory:
        memory.add("first")
    with Memory(path, settings=QUICK) as memory:
        memory.add_many({"text": f"text {n}"} for n in range(5))
        parts = {ending: Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")}
    said = {"first", "one more", *(f"text {n}" for n in range(5))}

    def check(harms: list[tuple[str, int, int]], junk: bytes, journal: bool) -> None:
        place = emptied(tmp_path / "place")
        place.write_bytes(parts[""])
        Path(f"{place}-wal").write_bytes(harmed(parts["-wal"], harms))
        if journal:
            Path(f"{place}-journal").write_bytes(junk)
        assert set(use(place)) <= said

    fuzz(check, harms=HARMS, junk=st.binary(max_size=600), journal=st.booleans())


def test_encrypted_files_that_are_damaged(tmp_path: Path) -> None:
    """Nothing that was not written is ever read from them."""
    path = tmp_path / "memory.db"
    with Memory(path, settings=QUICK, key=KEY) as memory:
        memory.add_many({"text": f"text {n}"} for n in range(30))
    content = path.read_bytes()
    said = {"one more", *(f"text {n}" for n in range(30))}

    def check(harms: list[tuple[str, int, int]]) -> None:
        place = emptied(tmp_path / "place")
        place.write_bytes(harmed(content, harms))
        assert set(use(place, key=KEY)) <= said

    fuzz(check, harms=HARMS)


def test_backups_that_are_damaged(tmp_path: Path) -> None:
    """A backup is put back when it is the one that was made, and else nothing is changed."""
    path, place = tmp_path / "memory.db", tmp_path / "place" / "memory.db"
    with Memory(path, embedder=HashReader(32), settings=QUICK) as memory:
        memory.add_many({"text": f"text {n}"} for n in range(9))
        made = memory.backup(tmp_path / "copy.db")
    content = made.path.read_bytes()

    def check(harms: list[tuple[str, int, int]]) -> None:
        emptied(place.parent)
        shutil.copyfile(path, place)
        source = place.with_name("source.db")
        source.write_bytes(harmed(content, harms))
        before = place.read_bytes()
        try:
            done = restore(source, place)
        except SimonidesError:  # refused, and then wholly
            assert place.read_bytes() == before
        else:
            assert (done.copy.versions, done.copy.head) == (made.versions, made.head)
        with suppress(SimonidesError):
            examine(source)
        with suppress(SimonidesError):
            examine(source, Vault(KEY))

    fuzz(check, harms=HARMS)
