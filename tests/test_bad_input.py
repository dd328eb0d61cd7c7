"""Whatever is handed in, there is a clear error or a defined result, and nothing is half-written."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides.clock import FrozenClock, new_id, zone_name
from simonides.errors import (
    FilterError,
    InputError,
    NotFound,
    SimonidesError,
    StoreUnusable,
    TextError,
    TimeError,
    UnknownName,
)
from simonides.memory import Memory
from simonides.settings import Settings

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - that is what is refused
NOBODY = "0192" + "0" * 28
QUICK = Settings(meaning="instant", synchronous="normal", gate=0.0)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", clock=FrozenClock(NOW), settings=QUICK) as memory:
        memory.add("the piano is out of tune", user="ann", metadata={"stars": 3})
        yield memory


def sizes(memory: Memory) -> dict[str, int]:
    return memory.ledger.sizes() | {"bytes": 0}


def refused(memory: Memory, error: type[Exception], match: str, verb: Callable[[], object]) -> None:
    """See that a call is refused with the documented error, by name, and that nothing was written."""
    before = sizes(memory), memory.log()
    with pytest.raises(error, match=match) as caught:
        verb()
    assert isinstance(caught.value, SimonidesError)
    assert caught.value.subject
    assert caught.value.rule
    assert (sizes(memory), memory.log()) == before
    assert memory.verify().ok


# --- texts ---------------------------------------------------------------------------------------------------------

UNKEEPABLE: dict[str, tuple[Any, str]] = {
    "empty": ("", "text: must not be empty"),
    "blank": (" \n\t\u3000\u2003", "text: must not be empty"),
    "NUL": ("piano\0", "text: must not hold a NUL character.*Remove"),
    "lone surrogate": ("pia\ud83dno", "text: must not hold a lone surrogate.*errors='replace'"),
    "bytes": (b"piano", "text: must be text"),
    "number": (5, "text: must be text"),
    "too long": ("x" * (16 * 1024 * 1024 + 1), "text: must be at most 16777216 bytes.*Split it"),
    "too long in UTF-8": ("語" * (6 * 1024 * 1024), "text: must be at most 16777216 bytes"),
}


@pytest.mark.parametrize("name", UNKEEPABLE)
def test_a_text_that_cannot_be_kept_is_refused(memory: Memory, name: str) -> None:
    text, message = UNKEEPABLE[name]
    [one] = memory.list()
    refused(memory, TextError, message, lambda: memory.add(text, user="new"))
    refused(memory, TextError, message, lambda: memory.add_many([{"text": "fine"}, {"text": text}]))
    refused(memory, TextError, message, lambda: memory.update(one.id, text))
    refused(memory, TextError, message, lambda: memory.add(text, plan=True))


ODD: dict[str, tuple[str, str]] = {
    "ten million bytes": ("the quick piano " * 655_360, "quick"),
    "a million characters without a space": ("x" * 1_000_000, "x" * 1_000_000),
    "a million Chinese characters": ("鋼琴" * 500_000, "鋼琴"),
    "right to left": ("الكمان في البيت\u200f", "الكمان"),
    "right-to-left override": ("\u202egnorw\u202c violin", "violin"),
    "Chinese": ("钢琴在客厅里", "客厅"),
    "emoji": ("🎻🎻🎻 👨‍👩‍👧", "🎻"),
    "combining marks": ("v" + "\u0301" * 5000 + "iolin", "violin"),
    "control characters": ("violin \x01\x1b[31m\x7f\u2028", "violin"),
    "only signs": ("?!?! ... ---", "?!"),
    "zero width": ("\u200b\u200d\ufeff", "\u200b"),
    "half a tag": ("</memories> violin", "violin"),
    "SQL": ("'; DROP TABLE memory; --", "drop table"),
    "a number": ("1" * 5000, "1" * 64),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_text_is_kept_word_for_word_and_found(memory: Memory, name: str) -> None:
    text, query = ODD[name]
    id = memory.add(text, speaker="Ann").id
    assert memory.get(id).text == text
    assert id in {hit.memory.id for hit in memory.search(query, gate=False)}
    assert isinstance(str(memory.context(query, gate=False)), str)
    assert memory.verify().ok
    memory.update(id, "violin")
    assert memory.search("violin", k=1)[0].memory.text == "violin"


def test_odd_texts_are_read_by_the_full_tier_too(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", settings=Settings(synchronous="normal", gate=0.0)) as memory:
        short = {name: (text[:4_000], query[:4_000]) for name, (text, query) in ODD.items()}
        ids = memory.add_many(({"text": text} for text, _ in short.values()), wait=True).ids
        assert memory.status().backlog == 0
        for id, (_, query) in zip(ids, short.values(), strict=True):
            assert id in {hit.memory.id for hit in memory.search(query, k=20, gate=False)}
            assert all(0 <= hit.score <= 1 for hit in memory.search(query, k=20, gate=False))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=40), st.text(max_size=20))
def test_any_text_is_kept_or_refused_and_any_question_answered_or_refused(
    memory: Memory, text: str, query: str
) -> None:
    before = sizes(memory)["versions"]
    try:
        id = memory.add(text, speaker=query).id
    except InputError:
        assert sizes(memory)["versions"] == before
    else:
        assert (memory.get(id).text, sizes(memory)["versions"]) == (text, before + 1)
    try:
        hits = memory.search(query, gate=False, k=3)
    except InputError:
        refusable = "\0" in query or any("\ud800" <= char <= "\udfff" for char in query)
        assert refusable or not query.strip()
    else:
        assert len(hits) == min(3, len({(one.speaker, one.text) for one in memory.list(limit=1000)})) or hits


# --- questions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "query: must be a text that is not empty"),
        (" \n", "query: must be a text that is not empty"),
        (None, "query: must be a text"),
        (["piano"], "query: must be a text"),
        ("pia\0no", "query: must not hold a NUL character"),
        ("pia\udc00no", "query: must not hold a lone surrogate"),
    ],
)
def test_a_question_that_is_none_is_refused(memory: Memory, query: Any, message: str) -> None:
    for verb in (memory.search, memory.explain, memory.context):
        refused(memory, InputError, message, lambda verb=verb: verb(query))


@pytest.mark.parametrize("k", [0, -1, -(10**30), True, False, 1.0, "3", None])
def test_k_is_a_whole_number_of_at_least_1(memory: Memory, k: Any) -> None:
    for verb in (memory.search, memory.explain, memory.context):
        refused(
            memory,
            InputError,
            "k: must be a whole number of at least 1.*Leave it out",
            lambda verb=verb: verb("piano", k=k),
        )


def test_k_may_be_larger_than_the_store(memory: Memory) -> None:
    assert len(memory.search("piano", k=10**30)) == 1


@pytest.mark.parametrize(
    ("within", "error", "message"),
    [
        ({"user": 5}, InputError, "user: must be text"),
        ({"session": ["s"]}, InputError, "session: must be text"),
        ({"kinds": ["trun"]}, UnknownName, "kind: unknown name.*Did you mean 'turn'"),
        ({"as_of": NAIVE}, TimeError, "must carry a time zone"),
        ({"known_at": NAIVE}, TimeError, "must carry a time zone"),
        ({"as_of": "2026-01-01"}, TimeError, "must be an aware datetime"),
        ({"known_at": 5}, TimeError, "must be an aware datetime"),
        ({"where": {"stars": {"above": 3}}}, FilterError, "unknown operator.*Known: eq"),
        ({"where": {"stars": {"in": 3}}}, FilterError, "stars"),
        ({"where": {"stars": {"gte": [1]}}}, FilterError, "stars"),
        ({"where": {"or": {"stars": 3}}}, FilterError, "or"),
        ({"where": {"stars": {}}}, FilterError, "stars"),
        ({"where": [1]}, FilterError, "where"),
    ],
)
def test_what_limits_a_search_is_checked(
    memory: Memory, within: Any, error: type[Exception], message: str
) -> None:
    refused(memory, error, message, lambda: memory.search("piano", **within))
    refused(memory, error, message, lambda: memory.explain("piano", **within))
    refused(memory, error, message, lambda: memory.context("piano", **within))
    refused(memory, error, message, lambda: memory.list(**within))


def test_now_is_aware(memory: Memory) -> None:
    refused(memory, TimeError, "now: must carry a time zone", lambda: memory.search("piano", now=NAIVE))


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
def test_a_list_has_a_limit_of_at_least_1(memory: Memory, limit: Any) -> None:
    refused(memory, InputError, "limit: must be a whole number", lambda: memory.list(limit=limit))


# --- rows ----------------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    return {"in": nested(depth - 1)} if depth else "end"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"kind": "trun"}, UnknownName, "kind: unknown name.*Did you mean 'turn'"),
        ({"user": 5}, InputError, "user: must be text"),
        ({"user": "x" * 513}, InputError, "user: must be at most 512 characters"),
        ({"project": "a\0"}, InputError, "project: must not hold a NUL"),
        ({"speaker": "\ud800"}, InputError, "speaker: must not hold a lone surrogate"),
        ({"speaker": ["Ann"]}, InputError, "speaker: must be text"),
        ({"at": NAIVE}, TimeError, r"at: must carry a time zone.*replace\(tzinfo"),
        ({"at": 1700000000}, TimeError, "at: must be an aware datetime"),
        ({"at": "yesterday"}, TimeError, "at: must be ISO 8601.*Example"),
        ({"at": "2026-01-01T10:00"}, TimeError, "at: must carry a time zone"),
        (
            {"at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-3)))},
            TimeError,
            "at: is outside the years 1 to 9999",
        ),
        ({"metadata": [1]}, InputError, "metadata: must be an object"),
        ({"metadata": {"a": {1, 2}}}, InputError, "metadata.a: must be JSON"),
        ({"metadata": {"a": float("nan")}}, InputError, "metadata.a: numbers must be finite"),
        ({"metadata": {"a": 2**70}}, InputError, "metadata.a: integers must fit"),
        ({"metadata": {"a": "x" * (17 * 1024 * 1024)}}, InputError, "metadata: must be at most"),
        ({"metadata": nested(40)}, InputError, "nested deeper than 32"),
        ({"metadata": {"\ud800": 1}}, InputError, "lone surrogate"),
    ],
)
def test_a_field_that_cannot_be_kept_is_refused_by_name(
    memory: Memory, fields: Any, error: type[Exception], message: str
) -> None:
    refused(memory, error, message, lambda: memory.add("violin", **fields))
    refused(
        memory,
        error,
        message,
        lambda: memory.add_many([{"text": "fine", "user": "new"}, {"text": "violin", **fields}]),
    )


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ("violin", InputError, "row: must be a mapping.*Example"),
        (None, InputError, "row: must be a mapping"),
        ({}, InputError, "row: must have a text.*Example"),
        ({"text": None}, InputError, "row: must have a text"),
        ({"text": "a", "usr": "ann"}, UnknownName, "key of a row: unknown name.*Did you mean 'user'"),
        ({"text": "a", 5: 6}, UnknownName, "key of a row: unknown name"),
        ({"text": "a", "confidence": 2}, InputError, "confidence: must be a number from 0 to 1"),
        ({"text": "a", "source": 5}, InputError, "source"),
        ({"text": "a", "until": NOW - timedelta(days=9)}, TimeError, "until: must be later than at"),
    ],
)
def test_a_row_that_is_none_is_refused(
    memory: Memory, row: Any, error: type[Exception], message: str
) -> None:
    refused(memory, error, message, lambda: memory.add_many([row]))


def test_huge_and_deep_metadata_come_back_as_they_were(memory: Memory) -> None:
    wide: Any = {f"key {number}": [number, str(number), None, True, 1.5] for number in range(20_000)}
    odd: list[Any] = [nested(30), wide, {"a": "x" * 1_000_000}, {"": 0}, {"a.b": {"$c": "'"}}]
    for metadata in odd:
        id = memory.add("violin", metadata=metadata).id
        assert memory.get(id).metadata == metadata
    assert len(memory.search("violin", where={"key 7": {"contains": "7"}})) == 1
    assert memory.verify().ok


# --- times ---------------------------------------------------------------------------------------------------------

ZONES: dict[str, Any] = {
    "UTC": UTC,
    "+05:45": timezone(timedelta(hours=5, minutes=45)),
    "-03:30": timezone(timedelta(hours=-3, minutes=-30)),
    "+14:00": timezone(timedelta(hours=14)),
    "-00:25:21": timezone(-timedelta(minutes=25, seconds=21)),
    "+00:19:32": timezone(timedelta(minutes=19, seconds=32)),
    "Asia/Kathmandu": ZoneInfo("Asia/Kathmandu"),
    "America/St_Johns": ZoneInfo("America/St_Johns"),
}


@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_is_kept_by_its_name(memory: Memory, zone: str) -> None:
    at = datetime(1890, 7, 1, 10, 0, 0, 123456, tzinfo=ZONES[zone])
    id = memory.add("violin", at=at).id
    one = memory.get(id, as_of=at)
    assert (one.at, one.at.tzinfo, one.zone) == (at, UTC, zone)
    memory.update(id, "viola", at=at + timedelta(days=1))
    assert memory.get(id).zone == zone == zone_name(at)
    assert memory.search("violin", as_of=at, k=1)[0].memory.text == "violin"


@pytest.mark.parametrize("year", [1, 2, 1582, 1969, 1970, 2038, 9999])
def test_far_years_are_kept_exactly(memory: Memory, year: int) -> None:
    at = datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    id = memory.add(f"violin of the year {year}", at=at).id
    assert memory.get(id, as_of=at).at == at
    assert id in {hit.memory.id for hit in memory.search("violin", now=at, gate=False)}
    block = str(memory.context("violin of the year", now=at, gate=False))
    assert f"[{year:04d}-12-31]" in block
    assert memory.search("What was said yesterday, last week, in May, 3 years ago?", now=at, gate=False)
    memory.explain("What was said last spring?", now=at)
    assert memory.verify().ok


def test_the_first_and_the_last_instant_are_kept(memory: Memory) -> None:
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        id = memory.add("violin", at=at).id
        assert memory.get(id, as_of=at).at == at
        assert memory.search("What was the violin like two weeks ago?", now=at, gate=False)


@pytest.mark.parametrize("at", [NAIVE, "2026-01-01", 5])
def test_a_change_is_dated_with_its_zone(memory: Memory, at: Any) -> None:
    one, two = memory.list()[0].id, memory.add("violin").id
    link = memory.link(one, two, "near").id
    for verb in (
        lambda: memory.update(one, "viola", at=at),
        lambda: memory.retire(one, at=at),
        lambda: memory.link(two, one, "near", at=at),
        lambda: memory.unlink(link, at=at),
    ):
        refused(memory, TimeError, r"at: must (carry a time zone|be an aware datetime)", verb)


# --- ids -----------------------------------------------------------------------------------------------------------


def by_id(memory: Memory, id: Any) -> list[Callable[[], object]]:
    return [
        lambda: memory.get(id),
        lambda: memory.history(id),
        lambda: memory.update(id, "viola"),
        lambda: memory.retire(id),
        lambda: memory.restore(id),
        lambda: memory.neighbours(id),
        lambda: memory.unlink(id),
        lambda: memory.link(id, memory.list()[0].id, "near"),
    ]


def test_an_unknown_id_is_not_found(memory: Memory) -> None:
    for id in (NOBODY, new_id()):
        for verb in by_id(memory, id):
            refused(memory, NotFound, id, verb)


@pytest.mark.parametrize("id", ["", "12", "x" * 32, "é" * 32, 5, None, b"0" * 32, f"{NOBODY}0"])
def test_what_is_no_id_is_refused(memory: Memory, id: Any) -> None:
    for verb in by_id(memory, id):
        refused(memory, InputError, "id: must be 32 hexadecimal digits", verb)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"relation": ""}, "relation: must not be empty"),
        ({"relation": 5}, "relation: must be text"),
        ({"relation": "near", "weight": float("inf")}, "weight: must be a finite number"),
        ({"relation": "near", "weight": True}, "weight: must be a finite number"),
    ],
)
def test_a_link_is_checked(memory: Memory, fields: Any, message: str) -> None:
    one, two = memory.list()[0].id, memory.add("violin").id
    refused(memory, InputError, message, lambda: memory.link(one, two, **fields))
    refused(
        memory, InputError, "must not lead from a memory to itself", lambda: memory.link(one, one, "near")
    )
    refused(memory, InputError, "hops", lambda: memory.neighbours(one, hops=0))


@pytest.mark.parametrize("version", [0, 7, -1])
def test_a_version_that_is_not_there_is_not_restored(memory: Memory, version: int) -> None:
    id = memory.list()[0].id
    before = sizes(memory)
    with pytest.raises((InputError, NotFound), match="version"):
        memory.restore(id, version=version)
    assert sizes(memory) == before


# --- places --------------------------------------------------------------------------------------------------------


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"is a directory.*Name a file in it"):
        Memory(tmp_path, settings=QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"not a database, only a note to myself " * 50, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnusable):
        Memory(path, settings=QUICK)
    assert path.read_bytes() == content
    assert [one.name for one in tmp_path.iterdir()] == ["memory.db"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that nobody may write to")
def test_a_place_that_cannot_be_written_is_refused() -> None:
    for path in ("/proc/memory.db", "/proc/self/new/memory.db", "/proc/version", "/dev/null", "/dev/full"):
        with pytest.raises(StoreUnusable) as caught:
            Memory(path, settings=QUICK)
        assert caught.value.way_out


def test_a_path_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NUL"):
        Memory(f"{tmp_path}/a\0b", settings=QUICK)
    with pytest.raises(StoreUnusable):
        Memory(tmp_path / ("x" * 5000), settings=QUICK)


FULL_DISK = """
import resource, sys
from simonides.errors import StoreError
from simonides.memory import Memory
from simonides.settings import Settings
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
memory = Memory(sys.argv[1], settings=Settings(meaning="instant"))
memory.add("the piano is out of tune")
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
kept = 1
try:
    for number in range(10_000):
        memory.add(f"number {number} " * 100)
        kept += 1
except StoreError as err:
    assert err.way_out, err
    print(kept, len(memory.list(limit=20_000)), memory.search("piano", k=1, gate=False)[0].memory.text, sep="|")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stderr
    kept, listed, found = run.stdout.strip().split("|")
    assert (kept, found) == (listed, "the piano is out of tune")
    with Memory(path, settings=QUICK) as memory:
        assert len(memory.list(limit=20_000)) == int(kept)
        assert memory.verify().ok
        memory.add("there is room again")


def test_settings_are_checked_by_name() -> None:
    for given_, message in (
        ({"meaning": "maybe"}, "setting meaning: must be one of full, instant, off"),
        ({"synchronous": "off"}, "setting synchronous"),
        ({"fusion": "magic"}, "setting fusion"),
    ):
        with pytest.raises(InputError, match=message):
            Settings(**given_)  # pyright: ignore[reportArgumentType] - that is the point


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("busy_seconds", -1),
        ("busy_seconds", math.nan),
        ("busy_seconds", math.inf),
        ("busy_seconds", "soon"),
        ("gate", 1.5),
        ("gate", -2),
        ("threads", 0),
        ("pool_size", 0),
        ("max_text_bytes", 0),
        ("failure_share", 2),
    ],
)
def test_a_setting_beyond_its_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"setting {name}: must be a number"):
        Settings(**{name: value})  # pyright: ignore[reportArgumentType] - some are wrong on purpose
