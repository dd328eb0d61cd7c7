"""A store as records: out, in and out again gives the same bytes; into another store comes what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.errors import InputError
from simonides.ledger import Counts, Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Change, Connect, Disconnect, Json, Restore, Retire, Scope, Source, Supersede

NOW = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
Records = list[dict[str, Any]]


def open_ledger(clock: FrozenClock | None = None) -> Ledger:
    chosen = clock or FrozenClock(NOW)
    return Ledger(
        here(),
        **for_ledger(),
        clock=chosen,
        settings=Settings(),
        analyse=lambda text: Lexical(text.upper().encode(), b"t"),
    )


def lines(ledger: Ledger) -> str:
    """Return what a door would write: one record a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in ledger.dump())


def records(ledger: Ledger) -> Records:
    return [json.loads(line) for line in lines(ledger).split("\n") if line]  # splitlines() would split texts


def history(seed: int, steps: list[tuple[int, int, int]]) -> Ledger:
    """Return a ledger with a past: what is done (0 to 6), to which memory, and on which day."""
    clock = FrozenClock(NOW)
    ledger = open_ledger(clock)
    ids: list[str] = []
    edges: list[str] = []
    for what, which, when in steps:
        clock.advance(hours=7)
        at = NOW + timedelta(days=when)
        text = f'text {seed} {len(ids)} {when} äöü 漢字 🙂 \u2028 "quoted" \\ back'
        change: Change
        if what == 0 or not ids:
            extra: dict[str, Json] = {"n": when / 3, "deep": {"er": [True, None, "x"]}} if when % 2 else {}
            source = Source(name="f.zip", span=(1, 2), modality="agent", memory=ids[0] if ids else "")
            ids.append(new_id())
            change = Add(
                ids[-1],
                text,
                at,
                kind=("turn", "fact")[when % 2],
                scope=Scope(user=("", "ann")[when % 2], session="s"),
                metadata=extra,
                attributes=extra,
                source=source if which % 2 else None,
                zone="Europe/Zurich",
                confidence=1 / (1 + when),
            )
        elif what == 4 and len(ids) > 1 and ids[which % len(ids)] != ids[0]:
            edges.append(new_id())
            change = Connect(edges[-1], ids[0], ids[which % len(ids)], "near", at, weight=0.1)
        elif what == 5 and edges:
            change = Disconnect(edges[which % len(edges)], at)
        else:
            id = ids[which % len(ids)]
            others = {1: Retire(id, at), 2: Restore(id), 3: Supersede(id, metadata={"m": 1})}
            change = others.get(what, Supersede(id, text, at=at))
        try:
            ledger.apply([change], actor="ann" if which % 2 else "")
        except InputError:
            continue
    return ledger


PASTS = st.tuples(
    st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25),
)


@settings(max_examples=60, deadline=None)
@given(PASTS)
def test_out_in_and_out_again_gives_the_same_bytes(past: tuple[Any, Any]) -> None:
    ledger, copy = history(*past), open_ledger()
    copy.undump(records(ledger))
    assert lines(copy) == lines(ledger)
    assert copy.verify() == ledger.verify()
    assert copy.verify().ok
    assert [list(row)[2:] for row in copy.fresh(0)] == [list(row)[2:] for row in ledger.fresh(0)]
    for opened in (ledger, copy):
        opened.close()


@settings(max_examples=60, deadline=None)
@given(PASTS, PASTS)
def test_into_another_store_comes_what_is_missing(past: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    one, two = history(*past), history(*other)
    ids = {memory.id for memory in (*one.list(as_of=None), *one.list(known_at=NOW + timedelta(days=9)))}
    before = two.sizes()
    counts = two.undump(records(one), actor="importer")
    assert two.verify().ok
    assert (counts.memories, counts.skipped) == (one.sizes()["versions"], 0)
    assert two.sizes()["versions"] == before["versions"] + counts.memories
    for id in ids:
        assert two.history(id) == one.history(id)
    assert two.links(limit=10**6, as_of=NOW + timedelta(days=5))[-1:] or not one.links(
        as_of=NOW + timedelta(days=5)
    )
    again = two.undump(records(one))
    assert again == Counts(skipped=counts.memories + counts.links)
    assert all(finding.ok for finding in two.check())
    for opened in (one, two):
        opened.close()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = history(1, [(0, 1, 1), (0, 0, 2), (4, 1, 1), (0, 0, 4), (6, 0, 5), (0, 1, 6)])
    yield ledger
    ledger.close()


def test_the_last_change_of_an_imported_memory_can_be_undone(ledger: Ledger) -> None:
    """The import keeps which versions belong to one change."""
    other = open_ledger()
    other.apply([Add(new_id(), "there before", NOW)])
    other.undump(records(ledger))
    for event in ledger.events(limit=1000):
        if event.verb == "supersede":
            other.apply([Restore(event.subject)])
            assert other.get(event.subject).text == ledger.history(event.subject)[0].text
            return
    pytest.fail("the fixture has an update")


def test_words_are_made_again(ledger: Ledger) -> None:
    copy = open_ledger()
    copy.undump(records(ledger))
    assert all(row.words for row in copy.fresh(0))
    assert copy.backlog_size() == copy.sizes()["versions"]


def test_a_plan_takes_nothing_in(ledger: Ledger) -> None:
    copy = open_ledger()
    counts = copy.undump(records(ledger), plan=True)
    assert counts.memories == ledger.sizes()["versions"]
    assert copy.sizes()["versions"] == copy.sizes()["events"] == 0


def test_records_of_memories_alone_get_a_log_of_their_own(ledger: Ledger) -> None:
    copy = open_ledger()
    kept = [record for record in records(ledger) if record["type"] == "memory"]
    for record in kept:
        del record["opened"], record["closed"]
    copy.undump(kept)
    assert copy.verify().ok
    assert {event.verb for event in copy.events()} == {"import"}


def broken(name: str, all_records: Records) -> Records:
    first = next(record for record in all_records if record["type"] == "memory")
    match name:
        case "text":
            first["text"] += "!"
        case "event":
            return all_records[:-1]
        case "kind of record":
            first["type"] = "memroy"
        case "format":
            all_records[0]["format"] = 99
        case "id":
            first["id"] = "xyz"
        case "a missing field":
            del first["valid"]
        case "a naive time":
            first["valid"][0] = "2026-01-01T10:00:00"
        case "a span":
            first["valid"] = ["2026-01-02", "2026-01-01"]
        case "a scope":
            first["scope"] = {"tenant": "x"}
        case "twice":
            return [*all_records, first]
        case "no object":
            return [*all_records, "hello"]  # pyright: ignore[reportReturnType]
        case _:
            first["text"] = " "
    return all_records


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "its log does not fit its memories"),
        ("event", "log"),
        ("kind of record", r"type must be.*got memroy"),
        ("format", r"another format.*Upgrade"),
        ("id", "32 hexadecimal digits"),
        ("a missing field", "not a record of an export.*valid"),
        ("a naive time", "must carry a time zone|must be ISO"),
        ("a span", "must not end before it starts"),
        ("a scope", "not a record"),
        ("twice", "not a record of an export"),
        ("no object", "not a record of an export"),
        ("an empty text", "text: must not be empty"),
    ],
)
def test_a_damaged_export_is_refused_whole(ledger: Ledger, name: str, message: str) -> None:
    copy = open_ledger()
    with pytest.raises(InputError, match=message) as caught:
        copy.undump(broken(name, records(ledger)))
    assert copy.sizes()["versions"] == copy.sizes()["events"] == 0
    if name in ("id", "a span"):
        assert caught.value.__notes__ == ["In record 2."]


def test_a_link_to_nowhere_is_refused(ledger: Ledger) -> None:
    copy = open_ledger()
    link = next(record for record in records(ledger) if record["type"] == "link")
    with pytest.raises(InputError, match="memory that is not there"):
        copy.undump([link])
