"""The ledger keeps what it is given, all or nothing, and says clearly what it cannot keep."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgers import NOW, add, open_ledger
from simonides.clock import FrozenClock, new_id
from simonides.errors import (
    Conflict,
    InputError,
    NotFound,
    SimonidesError,
    StoreUnusable,
    TextError,
    TimeError,
    UnknownName,
)
from simonides.ledger import Ledger, register_kind
from simonides.settings import Settings
from simonides.types import Change, Connect, Kind, Memory, Restore, Retire, Scope, Source, Supersede

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = open_ledger()
    yield ledger
    ledger.close()


# --- what goes in comes out ----------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: not text.isspace()
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)
MOMENTS = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive bounds
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from((UTC, ZoneInfo("Asia/Kathmandu"))),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXTS, at=MOMENTS, kind=st.sampled_from(Kind), speaker=NAMES, metadata=OBJECTS, attributes=OBJECTS,
    scope=st.builds(Scope, NAMES, NAMES, NAMES, NAMES), confidence=st.floats(0, 1), importance=st.floats(0, 1),
    source=st.none() | st.builds(Source, NAMES, st.just(""), st.none() | st.just((1, 5))), actor=NAMES,
)  # fmt: skip
def test_a_memory_comes_back_as_it_was_given(ledger: Ledger, **given: Any) -> None:
    actor = given.pop("actor")
    change = add(**given)
    ledger.apply([change], actor=actor)
    memory = ledger.get(change.id, as_of=change.at)
    for name in (set(given) - {"at"}) | {"id", "zone", "reason"}:
        assert getattr(memory, name) == getattr(change, name), name
    # In UTC: a local time that a change of clocks skipped equals no time of another zone.
    assert (memory.at, memory.valid.end, memory.recorded.start) == (change.at.astimezone(UTC), None, NOW)
    assert (memory.version, memory.actor) == (1, actor)
    assert memory.at.tzinfo is UTC
    assert [row.length for row in ledger.fresh(0)][-1] == len(change.text)
    assert ledger.verify().ok


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "word " * 300_000,
        "مرحبا بالعالم",
        "記憶の術は古い",
        "e\u0301\u200d\ufeff",
        "\u2028\x01\x7f",
        "🙂" * 9,
    ],
    ids=[
        "a million characters without a space",
        "long",
        "right to left",
        "chinese characters",
        "joiners",
        "control",
        "astral",
    ],
)
def test_odd_texts_are_kept_word_for_word(ledger: Ledger, text: str) -> None:
    change = add(text)
    ledger.apply([change])
    assert ledger.get(change.id).text == text
    assert ledger.verify().ok


def test_the_zone_that_was_given_is_kept(ledger: Ledger) -> None:
    at = datetime(2026, 7, 1, 10, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    change = add(at=at, zone="+05:45")
    ledger.apply([change])
    memory = ledger.get(change.id, as_of=at)
    assert (memory.at, memory.at.tzinfo, memory.zone) == (at, UTC, "+05:45")


def test_an_update_changes_what_it_names_and_keeps_the_rest(ledger: Ledger) -> None:
    change = add(metadata={"a": 1}, attributes={"b": 2}, source=Source("chat"), confidence=0.5, speaker="Ann")
    ledger.apply([change])
    ledger.apply([Supersede(change.id, metadata={}, importance=1.0, zone="Europe/Rome")])
    memory = ledger.get(change.id)
    assert (memory.text, memory.metadata, memory.attributes) == ("hello", {}, {"b": 2})
    assert (memory.confidence, memory.importance, memory.zone, memory.speaker) == (
        0.5,
        1.0,
        "Europe/Rome",
        "Ann",
    )
    assert memory.source == Source("chat")


def test_an_id_may_be_written_with_dashes(ledger: Ledger) -> None:
    id = new_id()
    dashed = f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"
    ledger.apply([add(id=dashed)])
    assert ledger.get(dashed).id == ledger.get(id.upper()).id == id


# --- all or nothing ------------------------------------------------------------------------------------------------


def test_one_bad_change_stops_all(ledger: Ledger) -> None:
    for last in (
        add(""),
        add(at=NOW.replace(tzinfo=None)),
        Retire(new_id(), NOW),
        Connect(new_id(), new_id(), new_id(), "x", NOW),
    ):
        with pytest.raises((InputError, NotFound)) as caught:
            ledger.apply([add("one"), add("two"), last])
        assert caught.value.__notes__ == ["In change 3 of 3."]
    assert ledger.sizes() | {"bytes": 0} == dict.fromkeys(ledger.sizes(), 0)
    assert ledger.scope_table() == []


def test_a_plan_says_what_would_fail_and_writes_nothing(ledger: Ledger) -> None:
    change = add(scope=Scope(user="ann"))
    assert ledger.apply([change], plan=True) == ()
    with pytest.raises(NotFound):
        ledger.apply([change, Retire(new_id(), NOW)], plan=True)
    assert ledger.sizes()["versions"] == ledger.sizes()["events"] == ledger.sizes()["scopes"] == 0
    assert ledger.apply([change]) == (1,)
    assert ledger.list(scope=Scope(user="ann"))[0].id == change.id


def test_changes_see_those_before_them(ledger: Ledger) -> None:
    one, two = add("one"), add("two")
    changes: list[Change] = [
        one,
        Supersede(one.id, "uno"),
        two,
        Connect(new_id(), one.id, two.id, "near", NOW),
        Retire(two.id, NOW),
    ]
    assert ledger.apply(changes) == (1, 2, 3, 4, 5)
    assert [memory.text for memory in ledger.list()] == ["uno"]
    assert ledger.verify().ok


def test_no_change_is_no_event(ledger: Ledger) -> None:
    before = ledger.changed()
    assert ledger.apply([]) == ()
    assert ledger.changed() == before


def test_an_id_is_given_once(ledger: Ledger) -> None:
    one, two = add(), add()
    ledger.apply([one])
    with pytest.raises(Conflict, match=f"memory {one.id}: its id is taken already"):
        ledger.apply([two, one])
    with pytest.raises(Conflict, match=f"memory {two.id}: its id is taken already"):
        ledger.apply([two, two])
    assert ledger.existing([one.id, two.id]) == {one.id}


# --- what cannot be kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_a_text_of_nothing_is_refused(ledger: Ledger, text: str) -> None:
    with pytest.raises(TextError, match="text: must not be empty"):
        ledger.apply([add(text)])


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"text": "a\0b"}, TextError, r"text: must not hold a NUL character \(got 'a\\x00b'\)"),
        ({"text": "a\ud800b"}, TextError, r"lone surrogate.*errors='replace'"),
        ({"text": b"bytes"}, TextError, "must be text"),
        ({"text": "é" * 600}, TextError, r"at most 1000 bytes \(got 1200\).*Split it"),
        ({"id": "12"}, InputError, "id: must be 32 hexadecimal digits"),
        ({"at": NOW.replace(tzinfo=None)}, TimeError, r"at: must carry a time zone.*replace\(tzinfo"),
        ({"at": "2026-01-01"}, TimeError, "at: must be an aware datetime"),
        ({"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))}, TimeError, "years 1 to 9999"),
        ({"until": NOW}, TimeError, "until: must be later than at"),
        ({"kind": "trun"}, UnknownName, r"kind: unknown name \(got 'trun'\). Did you mean 'turn'"),
        ({"scope": Scope(user="x" * 513)}, InputError, r"user: must be at most 512 characters \(got 513\)"),
        ({"scope": Scope(session="a\0")}, InputError, "session: must not hold a NUL"),
        ({"scope": Scope(agent=5)}, InputError, "agent: must be text"),  # pyright: ignore[reportArgumentType]
        ({"scope": {"user": "ann"}}, InputError, "must be a simonides.types.Scope"),
        ({"speaker": None}, InputError, "speaker: must be text"),
        ({"confidence": 1.1}, InputError, r"confidence: must be a number from 0 to 1 \(got 1.1\)"),
        ({"importance": float("nan")}, InputError, "importance: must be a number from 0 to 1"),
        ({"importance": True}, InputError, "importance: must be a number from 0 to 1"),
        ({"metadata": {"a": float("inf")}}, InputError, r"metadata.a: numbers must be finite"),
        ({"metadata": {"a": {"b": {1, 2}}}}, InputError, r"metadata.a.b: must be JSON \(got set"),
        ({"metadata": {1: 2}}, InputError, "metadata: keys must be text"),
        ({"metadata": {"a": 2**63}}, InputError, "metadata.a: integers must fit in 64 bits"),
        ({"metadata": {"a": "\0"}}, InputError, "metadata.a: must not hold a NUL"),
        ({"metadata": {"\udfff": 1}}, InputError, "metadata key: must not hold a lone surrogate"),
        ({"metadata": [1]}, InputError, "metadata: must be an object"),
        ({"metadata": {"a": "x" * 1200}}, InputError, "metadata: must be at most 1000 bytes"),
        ({"attributes": {"a": object()}}, InputError, "attributes.a: must be JSON"),
        ({"source": Source(modality="guessed")}, UnknownName, "source modality"),
        ({"source": Source(span=(5, 2))}, InputError, "source span: must not end before it starts"),
        ({"source": Source(memory="xyz")}, InputError, "32 hexadecimal digits"),
        ({"reason": None}, InputError, "reason: must be text"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_by_name(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    ledger = open_ledger(settings=Settings(max_text_bytes=1000))
    with pytest.raises(error, match=message):
        ledger.apply([add(**fields)])
    assert ledger.sizes()["versions"] == 0
    ledger.close()


def test_metadata_nested_without_end_is_refused(ledger: Ledger) -> None:
    metadata: dict[str, Any] = {}
    metadata["me"] = metadata
    with pytest.raises(InputError, match="nested deeper than 32"):
        ledger.apply([add(metadata=metadata)])


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger, one: ledger.get(one),
        lambda ledger, one: ledger.history(one),
        lambda ledger, one: ledger.neighbours(one),
        lambda ledger, one: ledger.apply([Supersede(one, "x")]),
        lambda ledger, one: ledger.apply([Retire(one, NOW)]),
        lambda ledger, one: ledger.apply([Restore(one)]),
        lambda ledger, one: ledger.expand(one[-6:]),
    ],
)
def test_an_unknown_id_is_named(ledger: Ledger, call: Callable[[Ledger, str], object]) -> None:
    id = new_id()
    with pytest.raises(NotFound, match=id[-6:]):
        call(ledger, id)


@pytest.mark.only("sqlite")
def test_more_kinds_can_be_registered(ledger: Ledger) -> None:
    with pytest.raises(UnknownName):
        ledger.list(kinds=["persona"])
    register_kind("persona")
    ledger.apply([add(kind="persona")])
    assert [memory.kind for memory in ledger.list(kinds="persona")] == ["persona"]


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(ledger: Ledger) -> list[Memory]:
    """Twelve memories of two users, three sessions and two kinds."""
    changes = [
        add(
            f"text {place}",
            kind=("turn", "fact")[place % 2],
            scope=Scope(user=("ann", "bob")[place % 2], session=f"s{place % 3}"),
            metadata={"n": place},
        )
        for place in range(12)
    ]
    ledger.apply(changes)
    return [ledger.get(change.id) for change in changes]


def test_a_scope_chooses_before_anything_else(ledger: Ledger, shelf: list[Memory]) -> None:
    for scope in (
        Scope(),
        Scope(user="ann"),
        Scope(session="s1"),
        Scope(user="bob", session="s2"),
        Scope(project="none"),
    ):
        wanted = [
            memory
            for memory in shelf
            if all(
                not value or getattr(memory.scope, name) == value for name, value in vars_of(scope).items()
            )
        ]
        assert ledger.list(scope=scope) == wanted
        assert ledger.list(scope=ledger.scopes(scope)) == wanted
        table = dict(ledger.scope_table())
        assert {table[number] for number in ledger.scopes(scope)} == {memory.scope for memory in wanted}


def vars_of(scope: Scope) -> dict[str, str]:
    return {name: getattr(scope, name) for name in ("user", "agent", "session", "project")}


def test_a_list_is_read_page_by_page(ledger: Ledger, shelf: list[Memory]) -> None:
    for newest_first in (False, True):
        expected = shelf[::-1] if newest_first else shelf
        seen: list[Memory] = []
        while page := ledger.list(limit=5, after=seen[-1].id if seen else "", newest_first=newest_first):
            seen += page
        assert seen == expected
    facts = ledger.list(kinds=("fact",), where={"n": {"gt": 4}}, limit=2)
    assert [memory.metadata["n"] for memory in facts] == [5, 7]


@pytest.mark.parametrize("limit", [0, -1, 1.5, None, True])
def test_a_limit_is_a_whole_number(ledger: Ledger, limit: Any) -> None:
    with pytest.raises(InputError, match="limit: must be a whole number"):
        ledger.list(limit=limit)


def test_the_last_digits_name_a_memory(ledger: Ledger, shelf: list[Memory]) -> None:
    id = shelf[3].id
    assert ledger.expand(id[-10:]) == ledger.expand(id[-9:].upper()) == ledger.expand(id) == id
    for text in ("abc", "", "xyz1", id + "0"):
        with pytest.raises(InputError, match="4 to 32 hexadecimal digits"):
            ledger.expand(text)
    twin = new_id()[:16] + id[16:]
    ledger.apply([add(id=twin)])
    with pytest.raises(InputError, match="several ids"):
        ledger.expand(id[-8:])


def test_rows_are_loaded_by_number(ledger: Ledger, shelf: list[Memory]) -> None:
    rows = [row.row for row in ledger.fresh(0)]
    assert ledger.load(rows[2:4]) == {rows[2]: shelf[2], rows[3]: shelf[3]}
    assert ledger.load([10**9]) == ledger.load([]) == {}


# --- life ----------------------------------------------------------------------------------------------------------


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    for path in (":memory:", tmp_path / "memory.db"):
        ledger = open_ledger(path)
        ledger.close()
        ledger.close()
        for call in (ledger.list, ledger.changed, ledger.verify, ledger.check, ledger.backlog_size):
            with pytest.raises(StoreUnusable, match="is closed"):
                call()
        with pytest.raises(StoreUnusable, match="is closed"):
            ledger.apply([add()])


@pytest.mark.only("sqlite")
def test_every_statement_can_be_seen(tmp_path: Path) -> None:
    seen: list[str] = []
    ledger = open_ledger(tmp_path / "memory.db", tracer=seen.append)
    ledger.apply([add("see me")])
    ledger.list()
    assert "BEGIN IMMEDIATE" in seen
    assert any("see me" in statement for statement in seen)
    assert any(statement.startswith("SELECT") and "FROM memory" in statement for statement in seen)
    ledger.close()


@pytest.mark.parametrize("in_memory", [False, True])
def test_many_threads_write_and_read_at_once(tmp_path: Path, in_memory: bool) -> None:
    ledger = open_ledger(
        ":memory:" if in_memory else tmp_path / "memory.db", settings=Settings(synchronous="normal")
    )
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for place in range(40):
                change = add(f"{name} {place}", scope=Scope(user=name))
                ledger.apply([change])
                assert ledger.get(change.id).text == change.text
                assert len(ledger.list(scope=Scope(user=name))) == place + 1
        except (SimonidesError, AssertionError) as err:
            failures.append(err)

    threads = [threading.Thread(target=work, args=(f"t{place}",)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert ledger.sizes()["memories"] == 240
    assert ledger.verify().ok
    ledger.close()


@pytest.mark.only("sqlite")
def test_the_connections_of_threads_that_ended_are_closed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "memory.db")
    for _ in range(20):
        thread = threading.Thread(target=ledger.list)
        thread.start()
        thread.join()
    assert len(ledger.database.handles()) <= 3
    ledger.close()


def test_a_clock_that_stands_still_or_runs_back_spoils_nothing(ledger: Ledger) -> None:
    clock = FrozenClock(NOW)
    other = open_ledger(clock=clock)
    change = add()
    other.apply([change])
    other.apply([Supersede(change.id, "same instant")])
    clock.advance(days=-5)
    other.apply([Supersede(change.id, "five days earlier")])
    spans = [(memory.recorded.start, memory.recorded.end) for memory in other.history(change.id)]
    assert all(end is None or start <= end for start, end in spans)
    assert other.get(change.id).text == "five days earlier"
    assert other.verify().ok
    other.close()


def test_sizes_count_what_is_there(ledger: Ledger, shelf: list[Memory]) -> None:
    ledger.apply([Retire(shelf[0].id, NOW + timedelta(days=-1))])
    ledger.apply([Supersede(shelf[1].id, "new", at=NOW + timedelta(days=1))])
    sizes = ledger.sizes()
    assert (sizes["memories"], sizes["versions"], sizes["events"], sizes["scopes"]) == (11, 14, 14, 6)
    assert sizes["bytes"] > 0


@pytest.mark.only("sqlite")
def test_a_healthy_store_has_nothing_to_fix(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "memory.db")
    ledger.apply([add(), add()])
    findings = ledger.check()
    assert [finding.name for finding in findings if not finding.ok or finding.fix] == []
    Path(ledger.path).chmod(0o644)
    assert next(finding.fix for finding in ledger.check() if finding.name == "permissions").startswith(
        "chmod 600"
    )
    ledger.close()
