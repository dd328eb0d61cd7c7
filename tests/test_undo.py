"""It undoes any applied set of changes by one of its events, unless something newer stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgers import NOW, add, open_ledger
from simonides.clock import FOREVER, new_id
from simonides.errors import Conflict, InputError, NotFound, SimonidesError
from simonides.ledger import Ledger, Selection
from simonides.types import (
    Add,
    Change,
    Connect,
    Disconnect,
    Expire,
    Restore,
    Retire,
    Rule,
    Supersede,
)

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    ledger = open_ledger()
    yield ledger
    ledger.close()


def text_of(ledger: Ledger, id: str) -> str | None:
    try:
        return ledger.get(id).text
    except NotFound:
        return None


def test_an_add_is_undone(ledger: Ledger) -> None:
    one = add("one")
    (seq,) = ledger.apply([one])
    done = ledger.undo(seq, reason="a slip")
    assert done.state == "undone"
    assert (done.undone, done.ids, done.closed, done.reopened) == (seq, (one.id,), ((one.id, 1),), ())
    assert text_of(ledger, one.id) is None
    event = ledger.events()[-1]
    assert (event.verb, event.subject, event.seq) == ("undo", one.id, done.seqs[0])
    assert event.payload is not None
    assert event.payload["undone"] == seq
    assert event.payload["reason"] == "a slip"
    assert ledger.verify().ok


def test_an_update_is_undone_and_redone(ledger: Ledger) -> None:
    one = add("before")
    ledger.apply([one])
    (seq,) = ledger.apply([Supersede(one.id, "after")])
    undone = ledger.undo(seq)
    assert text_of(ledger, one.id) == "before"
    redone = ledger.undo(undone.seqs[0])
    assert text_of(ledger, one.id) == "after"
    ledger.undo(redone.seqs[0])
    assert text_of(ledger, one.id) == "before"
    assert ledger.verify().ok


def test_a_retirement_and_a_restoration_are_undone(ledger: Ledger) -> None:
    one = add("here")
    ledger.apply([one])
    (retired,) = ledger.apply([Retire(one.id, NOW + timedelta(hours=-1))])
    assert text_of(ledger, one.id) is None
    ledger.undo(retired)
    assert text_of(ledger, one.id) == "here"
    (restored,) = ledger.apply([Restore(one.id)])
    assert text_of(ledger, one.id) is None
    ledger.undo(restored)
    assert text_of(ledger, one.id) == "here"


def test_links_are_undone(ledger: Ledger) -> None:
    one, two = add("one"), add("two")
    ledger.apply([one, two])
    link = Connect(new_id(), one.id, two.id, "supports", NOW)
    (linked,) = ledger.apply([link])
    (unlinked,) = ledger.apply([Disconnect(link.id, NOW)])
    assert ledger.links() == []
    ledger.undo(unlinked)
    assert [each.id for each in ledger.links()] == [link.id]
    ledger.undo(linked)
    assert ledger.links() == []
    assert ledger.verify().ok


def test_a_set_is_undone_as_a_whole_by_any_of_its_events(ledger: Ledger) -> None:
    one, two = add("one"), add("two")
    ledger.apply([one])
    seqs = ledger.apply([two, Supersede(one.id, "uno"), Connect(new_id(), one.id, two.id, "near", NOW)])
    done = ledger.undo(seqs[1])
    assert done.undone == seqs[0]
    assert len(done.seqs) == 3
    assert (text_of(ledger, one.id), text_of(ledger, two.id), ledger.links()) == ("one", None, [])
    ledger.undo(done.seqs[2])
    assert (text_of(ledger, one.id), text_of(ledger, two.id), len(ledger.links())) == ("uno", "two", 1)


def test_a_plan_says_what_it_would_do_and_does_nothing(ledger: Ledger) -> None:
    one = add("before")
    ledger.apply([one])
    (seq,) = ledger.apply([Supersede(one.id, "after")])
    planned = ledger.undo(seq, plan=True)
    assert (planned.state, planned.seqs) == ("planned", ())
    assert (planned.closed, planned.reopened) == (((one.id, 2),), ((one.id, 1),))
    assert text_of(ledger, one.id) == "after"
    assert ledger.events()[-1].seq == seq


def test_something_newer_stands_in_the_way(ledger: Ledger) -> None:
    one, two = add("one"), add("two")
    (first, _) = ledger.apply([one, two])
    (newer,) = ledger.apply([Supersede(one.id, "uno")])
    with pytest.raises(Conflict, match=rf"event {newer} \(supersede\) changed {one.id} since"):
        ledger.undo(first)
    undone = ledger.undo(newer)
    ledger.undo(first)  # what came between was taken back, so nothing stands in the way
    assert (text_of(ledger, one.id), text_of(ledger, two.id)) == (None, None)
    with pytest.raises(Conflict, match="was undone already, by event"):
        ledger.undo(first)
    with pytest.raises(Conflict, match=f"event {undone.seqs[0]}: event"):
        ledger.undo(undone.seqs[0])  # redoing the update of what is undone by now


def test_what_others_did_elsewhere_does_not_matter(ledger: Ledger) -> None:
    one, two = add("one"), add("two")
    (seq,) = ledger.apply([one])
    ledger.apply([two])
    ledger.undo(seq)
    assert text_of(ledger, two.id) == "two"


def test_an_end_is_undone(ledger: Ledger) -> None:
    one = add("one", expires=NOW + timedelta(days=1))
    ledger.apply([one])
    (seq,) = ledger.apply([Expire(one.id, None)])
    assert expiries(ledger) == {}
    ledger.undo(seq)
    assert set(expiries(ledger)) == {one.id}


def test_an_import_is_undone_as_a_whole(ledger: Ledger) -> None:
    ledger.apply([add("mine")])
    other = open_ledger()
    one, two = add("one"), add("two")
    other.apply([one, two])
    other.apply([Supersede(one.id, "uno")])
    ledger.undump(other.dump())
    other.close()
    assert text_of(ledger, one.id) == "uno"
    ledger.undo(ledger.events()[-1].seq)
    assert (text_of(ledger, one.id), text_of(ledger, two.id)) == (None, None)
    assert ledger.verify().ok


def test_what_is_erased_stays_erased(ledger: Ledger) -> None:
    one, two, three = add("one"), add("two"), add("three")
    (other,) = ledger.apply([add("before")])
    first, second, third = ledger.apply([one, two, three])
    (after,) = ledger.apply([add("after")])
    erased = ledger.erase(Selection(ids=(bytes.fromhex(one.id), bytes.fromhex(three.id))))
    with pytest.raises(InputError, match=f"event {erased.seq}: is an erasure, which can't be undone"):
        ledger.undo(erased.seq)
    for seq in (first, third):
        with pytest.raises(InputError, match=f"event {seq}: is about something that was erased since"):
            ledger.undo(seq)
    done = ledger.undo(second)  # what is left of the set, and no more
    assert (done.undone, done.ids) == (first, (two.id,))
    ledger.undo(done.seqs[0])
    assert text_of(ledger, two.id) == "two"
    assert {ledger.undo(seq).undone for seq in (other, after)} == {other, after}
    assert ledger.verify().ok


def test_an_event_that_is_not_there_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="event 7: no such event in the log"):
        ledger.undo(7)
    with pytest.raises(InputError, match="event: must be a whole number"):
        ledger.undo(0)


def test_rules_are_not_undone(ledger: Ledger) -> None:
    ledger.add_rule(Rule(seconds=60))
    with pytest.raises(InputError, match="event 1: is about a retention rule"):
        ledger.undo(1)


# --- against a plain model ---------------------------------------------------------------------------------------

State = dict[str, frozenset[tuple[Any, ...]]]


def believed(ledger: Ledger) -> State:
    """Return what each memory and link says, without when it was written: the rows that no event has closed."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    queries = (
        "SELECT id, text, valid_from, valid_to, metadata, zone FROM memory WHERE closed IS NULL",
        "SELECT id, relation, valid_from, valid_to, evidence, weight FROM link WHERE closed IS NULL",
        f"SELECT id, 'expires', at, action, '', '' FROM expiry WHERE at < {FOREVER}",
    )
    with ledger.database.reading() as connection:
        for query in queries:
            for id, *content in connection.execute(query).fetchall():
                found.setdefault(bytes(id).hex(), set()).add(tuple(content))
    return {id: frozenset(rows) for id, rows in found.items()}


def expiries(ledger: Ledger) -> State:
    return {id: rows for id, rows in believed(ledger).items() if any(row[0] == "expires" for row in rows)}


@dataclass
class Applied:
    """A set as the model knows it: what its subjects were before, and which set it undid."""

    seqs: tuple[int, ...]
    before: State
    undoes: int | None = None


@dataclass
class Model:
    """The plain twin: states of everything, and all sets."""

    now: State = field(default_factory=dict[str, frozenset[tuple[Any, ...]]])
    sets: list[Applied] = field(default_factory=list[Applied])

    def active(self, place: int) -> bool:
        return not any(
            one.undoes == place and self.active(later) for later, one in enumerate(self.sets) if later > place
        )

    def in_the_way(self, place: int) -> bool:
        """Tell whether a later set that still counts has a subject in common, or this one is undone already."""
        subjects = self.sets[place].before.keys()
        for later in range(place + 1, len(self.sets)):
            one = self.sets[later]
            counts = one.undoes is None or one.undoes <= place
            if counts and self.active(later) and subjects & one.before.keys():
                return True
        return not self.active(place)


MANY = 5
SOME = st.integers(0, MANY - 1)
DAYS = st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days))
CHANGES = st.one_of(
    st.tuples(st.just("add"), SOME),
    st.tuples(st.just("supersede"), SOME, st.text("abc", min_size=1, max_size=2), st.none() | DAYS),
    st.tuples(st.just("retire"), SOME, DAYS),
    st.tuples(st.just("restore"), SOME),
    st.tuples(st.just("link"), SOME, SOME),
    st.tuples(st.just("unlink"), SOME, DAYS),
    st.tuples(st.just("expire"), SOME, st.none() | DAYS),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), st.lists(CHANGES, min_size=1, max_size=4)),
        st.tuples(st.just("undo"), st.integers(0, 30)),
        st.tuples(st.just("undo last"), st.integers(0, 2)),
    ),
    max_size=14,
)


def change(given: tuple[Any, ...], memories: list[str], links: list[str]) -> Change:
    verb, which, *rest = given
    match verb:
        case "add":
            return Add(memories[which], f"text {which}", NOW)
        case "supersede":
            return Supersede(memories[which], rest[0], rest[1])
        case "retire":
            return Retire(memories[which], rest[0])
        case "restore":
            return Restore(memories[which])
        case "link":
            return Connect(links[which], memories[which], memories[rest[0]], "near", NOW)
        case "unlink":
            return Disconnect(links[which], rest[0])
        case _:
            return Expire(memories[which], rest[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_it_agrees_with_a_plain_model(steps: list[tuple[str, Any]]) -> None:
    ledger, model = open_ledger(), Model()
    memories, links = [new_id() for _ in range(MANY)], [new_id() for _ in range(MANY)]
    for verb, what in steps:
        if verb == "apply":
            changes = [change(one, memories, links) for one in what]
            try:
                seqs = ledger.apply(changes)
            except SimonidesError:
                assert believed(ledger) == model.now
                continue
            subjects = {one.id for one in changes}
            before = {id: model.now.get(id, frozenset()) for id in subjects}
            model.sets.append(Applied(seqs, before))
            model.now = believed(ledger)
        elif model.sets:
            place = what % len(model.sets) if verb == "undo" else max(0, len(model.sets) - 1 - what)
            chosen = model.sets[place]
            if model.in_the_way(place):
                with pytest.raises(Conflict):
                    ledger.undo(chosen.seqs[-1])
                continue
            after = {id: model.now.get(id, frozenset()) for id in chosen.before}
            done = ledger.undo(chosen.seqs[-1])
            model.now = {id: rows for id, rows in (model.now | chosen.before).items() if rows}
            model.sets.append(Applied(done.seqs, after, place))
        assert believed(ledger) == model.now
    assert ledger.verify().ok
    ledger.close()
