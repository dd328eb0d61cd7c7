"""Links: typed edges on two clocks, and neighbours as far as one asks, against brute force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Change, Connect, Disconnect, Retire

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")


def day(number: float) -> datetime:
    return ORIGIN + timedelta(days=number)


def open_ledger(clock: FrozenClock) -> Ledger:
    return Ledger(
        here(), clock=clock, settings=Settings(), analyse=lambda text: Lexical(b"", b""), **for_ledger()
    )


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(day(10))


@pytest.fixture
def ledger(clock: FrozenClock) -> Iterator[Ledger]:
    ledger = open_ledger(clock)
    yield ledger
    ledger.close()


def nodes(ledger: Ledger, count: int) -> list[str]:
    ids = [new_id() for _ in range(count)]
    ledger.apply([Add(id, f"node {id}", day(0)) for id in ids])
    return ids


def test_a_link_is_kept_as_it_was_given(ledger: Ledger) -> None:
    one, two = nodes(ledger, 2)
    id = new_id()
    ledger.apply([Connect(id, one, two, "knows", day(3), weight=0.25, evidence="she said so")], actor="ann")
    (link,) = ledger.links(of=two)
    assert (link.id, link.source, link.target, link.relation) == (id, one, two, "knows")
    assert (link.weight, link.evidence, link.reason, link.actor) == (0.25, "she said so", "linked", "ann")
    assert (link.valid.start, link.valid.end, link.recorded.start) == (day(3), None, day(10))


def test_a_link_that_ended_is_still_there_in_its_time(ledger: Ledger, clock: FrozenClock) -> None:
    one, two = nodes(ledger, 2)
    id = new_id()
    ledger.apply([Connect(id, one, two, "knows", day(3))])
    clock.advance(days=5)
    ledger.apply([Disconnect(id, day(7))])
    assert ledger.links() == []
    assert [link.id for link in ledger.links(as_of=day(6))] == [id]
    assert ledger.links(as_of=day(7)) == []
    assert [link.id for link in ledger.links(as_of=day(8), known_at=day(14))] == [id]
    assert ledger.links(as_of=day(8), known_at=day(9)) == []
    with pytest.raises(InputError, match="has ended already"):
        ledger.apply([Disconnect(id, day(7))])


def test_a_link_that_never_held_is_closed_whole(ledger: Ledger) -> None:
    one, two = nodes(ledger, 2)
    id = new_id()
    ledger.apply([Connect(id, one, two, "knows", day(3)), Disconnect(id, day(1))])
    assert ledger.links(as_of=day(4)) == []
    assert ledger.verify().ok


def test_links_need_both_their_ends(ledger: Ledger) -> None:
    (one,) = nodes(ledger, 1)
    other = new_id()
    with pytest.raises(NotFound, match=f"memory {other}: no such memory"):
        ledger.apply([Connect(new_id(), one, other, "knows", day(1))])
    with pytest.raises(NotFound, match="no such link"):
        ledger.apply([Disconnect(new_id(), day(1))])
    with pytest.raises(InputError, match="from a memory to itself"):
        ledger.apply([Connect(new_id(), one, one, "knows", day(1))])
    with pytest.raises(NotFound):
        ledger.neighbours(other)


def test_ends_and_links_can_come_in_one_change(ledger: Ledger) -> None:
    one, two, id = new_id(), new_id(), new_id()
    ledger.apply([Add(one, "a", day(1)), Add(two, "b", day(1)), Connect(id, one, two, "knows", day(1))])
    assert ledger.neighbours(two) == {one: 1}


def test_a_link_outlives_what_it_joins(ledger: Ledger) -> None:
    one, two = nodes(ledger, 2)
    ledger.apply([Connect(new_id(), one, two, "knows", day(1)), Retire(two, day(5))])
    assert ledger.neighbours(one) == {two: 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", float("nan")),
        ("weight", True),
        ("relation", ""),
        ("relation", "a\0b"),
        ("evidence", "\ud800"),
    ],
)
def test_a_link_that_cannot_be_kept_is_refused(ledger: Ledger, field: str, value: Any) -> None:
    one, two = nodes(ledger, 2)
    change = replace(Connect(new_id(), one, two, "knows", day(1)), **{field: value})
    with pytest.raises(InputError, match=field):
        ledger.apply([change])


def test_an_id_is_given_once(ledger: Ledger) -> None:
    one, two = nodes(ledger, 2)
    change = Connect(new_id(), one, two, "knows", day(1))
    ledger.apply([change])
    with pytest.raises(Conflict, match="taken already"):
        ledger.apply([change])


EDGES = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 6),
        st.sampled_from("ab"),
        st.integers(0, 8),
        st.one_of(st.none(), st.integers(0, 9)),
    ).filter(lambda edge: edge[0] != edge[1]),
    max_size=12,
)


@settings(max_examples=120, deadline=None)
@given(
    edges=EDGES,
    start=st.integers(0, 6),
    hops=st.integers(1, 4),
    relation=st.one_of(st.none(), st.sampled_from("ab")),
    as_of=st.one_of(st.none(), st.integers(0, 12)),
    late=st.booleans(),
)
def test_neighbours_are_those_of_brute_force(
    edges: list[tuple[int, int, str, int, int | None]],
    start: int,
    hops: int,
    relation: str | None,
    as_of: int | None,
    late: bool,
) -> None:
    """Believed now, or (`late`) before any link was ended."""
    clock = FrozenClock(day(10))
    ledger = open_ledger(clock)
    ids = nodes(ledger, 7)
    links = [new_id() for _ in edges]
    changes: list[Change] = [
        Connect(link, ids[one], ids[two], kind, day(since))
        for link, (one, two, kind, since, _) in zip(links, edges)
    ]
    ledger.apply(changes)
    clock.advance(hours=1)
    ledger.apply([Disconnect(link, day(end)) for link, (*_, end) in zip(links, edges) if end is not None])

    def holds(since: int, end: int | None) -> bool:
        last = None if late else end
        if as_of is None:
            return last is None
        return since <= as_of and (last is None or as_of < last)

    near = {
        (a, b)
        for one, two, kind, since, end in edges
        if relation in (None, kind) and holds(since, end)
        for a, b in ((one, two), (two, one))
    }
    expected, reached = dict[str, int](), {start}
    for distance in range(1, hops + 1):
        reached = {b for a, b in near if a in reached}
        for node in reached:
            expected.setdefault(ids[node], distance)
    expected.pop(ids[start], None)
    true = None if as_of is None else day(as_of)
    known_at = day(10) if late else None
    found = ledger.neighbours(ids[start], hops=hops, relation=relation, as_of=true, known_at=known_at)
    assert found == expected
    assert list(found.values()) == sorted(found.values())
    ledger.close()


def test_many_neighbours_are_found_at_once(ledger: Ledger) -> None:
    """More than one statement can name."""
    middle, *rest = nodes(ledger, 1800)
    ledger.apply([Connect(new_id(), middle, other, "near", day(1)) for other in rest])
    assert len(ledger.neighbours(rest[0], hops=3)) == 1799
