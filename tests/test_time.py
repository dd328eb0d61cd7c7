"""Two clocks: whatever was written when, in whatever order, `get` and `list` answer like a model one can see through.

The model is a strip of twenty days for each memory and each moment of belief. A day holds a row (an object of its own)
or nothing; the last day stands for *and ever after*. No spans are computed in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backends import Place, for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Change, Memory, Restore, Retire, Supersede

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
DAYS = 20


def day(number: float) -> datetime:
    return ORIGIN + timedelta(days=number)


def open_ledger(clock: FrozenClock) -> Ledger:
    return Ledger(
        here(),
        **for_ledger(),
        clock=clock,
        settings=Settings(),
        analyse=lambda text: Lexical(text.encode(), b""),
    )


@dataclass(eq=False)
class Row:
    """One row of the model; equal only to itself."""

    text: str
    topic: str


Strip = list[Row | None]


@dataclass
class Modelled:
    """A memory of the model: what was believed when, newest last."""

    end: int
    beliefs: list[tuple[datetime, Strip]] = field(default_factory=list)

    def believe(self, now: datetime, strip: Strip) -> None:
        self.beliefs.append((max([now, *(at for at, _ in self.beliefs)]), strip))

    def now(self) -> Strip:
        return self.beliefs[-1][1]

    def known(self, at: datetime | None) -> Strip:
        believed = [strip for since, strip in self.beliefs if at is None or since <= at]
        return believed[-1] if believed else [None] * DAYS

    def answer(self, as_of: datetime | None, known_at: datetime | None, now: datetime) -> Row | None:
        strip = self.known(known_at)
        place = ((as_of or now) - ORIGIN) // timedelta(days=1)
        if as_of is not None:
            return strip[min(place, DAYS - 1)] if place >= 0 else None
        return next((row for row in strip[max(0, min(place, DAYS - 1)) :] if row is not None), None)


def superseded(strip: Strip, at: int | None, now: int, text: str | None, topic: str | None) -> Strip | None:
    """Return the strip after an update, None where an update must be refused."""
    there = [row for row in strip if row is not None]
    if at is None:
        if not there or all(row is not there[-1] for row in strip[min(now, DAYS - 1) :]):
            return None
        base, places = there[-1], [place for place in range(DAYS) if strip[place] is there[-1]]
    else:
        following = [place for place in range(at, DAYS) if strip[place] is not None]
        if not following:
            return None
        base = strip[following[0]]
        assert base is not None
        until, there_now = (DAYS, base) if following[0] == at else (following[0], None)
        places = [place for place in range(at, until) if strip[place] is there_now]
    new = Row(base.text if text is None else text, base.topic if topic is None else topic)
    return [new if place in places else strip[place] for place in range(DAYS)]


days = st.integers(0, DAYS - 1)
moments = st.one_of(st.none(), st.floats(-1, DAYS + 2).map(lambda number: round(number * 4) / 4))


class TwoClocks(RuleBasedStateMachine):
    """Random histories of a few memories, asked about random times."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock(day(8))
        self.ledger = open_ledger(self.clock)
        self.model: dict[str, Modelled] = {}
        self.written = 0

    def text(self) -> str:
        self.written += 1
        return f"text {self.written}"

    def pick(self, place: int) -> str:
        return list(self.model)[place % len(self.model)]

    def try_change(self, change: Change, strip: Strip | None) -> None:
        """Apply a change that the model allows, or see that one it doesn't allow is refused and changes nothing."""
        if strip is None:
            with pytest.raises(InputError, match=r"retired|undo"):
                self.ledger.apply([change])
        else:
            self.ledger.apply([change])
            self.model[change.id].believe(self.clock.now(), strip)

    @initialize(at=days)
    def begin(self, at: int) -> None:
        self.add(at, None, "a")

    @rule(at=days, end=st.one_of(st.none(), days), topic=st.sampled_from("ab"))
    def add(self, at: int, end: int | None, topic: str) -> None:
        if len(self.model) >= 4 or (end is not None and end <= at):
            return
        id, text = new_id(), self.text()
        until = None if end is None else day(end)
        self.ledger.apply([Add(id, text, day(at), until=until, metadata={"topic": topic})])
        memory = Modelled(DAYS if end is None else end)
        row = Row(text, topic)
        memory.believe(self.clock.now(), [row if at <= place < memory.end else None for place in range(DAYS)])
        self.model[id] = memory

    @rule(who=days, at=st.one_of(st.none(), days), topic=st.one_of(st.none(), st.sampled_from("ab")))
    def supersede(self, who: int, at: int | None, topic: str | None) -> None:
        id, text = self.pick(who), self.text()
        now = (self.clock.now() - ORIGIN) // timedelta(days=1)
        strip = superseded(self.model[id].now(), at, max(0, now), text, topic)
        metadata = None if topic is None else {"topic": topic}
        self.try_change(
            Supersede(id, text, at=None if at is None else day(at), metadata=metadata, reason="r"), strip
        )

    @rule(who=days, at=days)
    def retire(self, who: int, at: int) -> None:
        id = self.pick(who)
        strip = self.model[id].now()
        left = any(row is not None for row in strip[at:])
        self.try_change(Retire(id, day(at)), [*strip[:at], *[None] * (DAYS - at)] if left else None)

    @rule(who=days)
    def undo(self, who: int) -> None:
        id = self.pick(who)
        beliefs = self.model[id].beliefs
        self.try_change(Restore(id), beliefs[-2][1] if len(beliefs) > 1 else None)

    @rule(who=days, which=st.integers(0, 30))
    def bring_back(self, who: int, which: int) -> None:
        id = self.pick(who)
        versions = self.ledger.history(id)
        old = versions[which % len(versions)]
        begin = (old.valid.start - ORIGIN) // timedelta(days=1)
        row = Row(old.text, str(old.metadata["topic"]))
        memory = self.model[id]
        strip = [row if begin <= place < memory.end else None for place in range(DAYS)]
        self.try_change(Restore(id, version=old.version), [*memory.now()[:begin], *strip[begin:]])

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        if self.clock.now() < day(DAYS + 5):
            self.clock.advance(hours=hours)

    @rule(hours=st.integers(1, 30))
    def set_clock_back(self, hours: int) -> None:
        if self.clock.now() > day(2):
            self.clock.advance(hours=-hours)

    @rule(as_of=moments, known_at=moments)
    def ask(self, as_of: float | None, known_at: float | None) -> None:
        """Compare `get` for every memory, and `list` with and without a filter, with the model."""
        true, believed = (None if when is None else day(when) for when in (as_of, known_at))
        expected: dict[str, Row] = {}
        for id, memory in self.model.items():
            row = memory.answer(true, believed, self.clock.now())
            if row is None:
                with pytest.raises(NotFound):
                    self.ledger.get(id, as_of=true, known_at=believed)
            else:
                assert self.ledger.get(id, as_of=true, known_at=believed).text == row.text
                expected[id] = row
        found = self.ledger.list(as_of=true, known_at=believed)
        assert [(one.id, one.text) for one in found] == [(id, expected[id].text) for id in sorted(expected)]
        chosen = self.ledger.list(as_of=true, known_at=believed, where={"topic": "a"}, newest_first=True)
        named = [id for id in sorted(expected, reverse=True) if expected[id].topic == "a"]
        assert [one.id for one in chosen] == named

    @precondition(lambda self: self.model)
    @invariant()
    def believed_rows_never_overlap(self) -> None:
        assert all(finding.ok for finding in self.ledger.check())

    def teardown(self) -> None:
        assert self.ledger.verify().ok
        self.ledger.close()


def test_the_store_answers_as_the_model_does(place: Place) -> None:
    chosen = settings(
        max_examples=120 if place.server is None else 12,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )
    run_state_machine_as_test(TwoClocks, settings=chosen)


class TestExamples:
    """The same in words, for whoever reads rather than runs."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(day(10))

    @pytest.fixture
    def ledger(self, clock: FrozenClock) -> Ledger:
        return open_ledger(clock)

    @pytest.fixture
    def id(self, ledger: Ledger) -> str:
        id = new_id()
        ledger.apply([Add(id, "Ann lives in Oslo", day(1))], actor="ann")
        return id

    def texts(self, memories: list[Memory]) -> list[str]:
        return [memory.text for memory in memories]

    def test_an_update_leaves_what_was_true_before(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Supersede(id, "Ann lives in Rome", at=day(5), reason="moved")], actor="bob")
        assert ledger.get(id).text == "Ann lives in Rome"
        assert ledger.get(id, as_of=day(3)).text == "Ann lives in Oslo"
        assert ledger.get(id, as_of=day(5)).text == "Ann lives in Rome"
        last = ledger.history(id)[-1]
        assert (last.reason, last.actor, last.version) == ("moved", "bob", 3)

    def test_a_late_arrival_does_not_overwrite_newer_truth(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Supersede(id, "Ann lives in Rome", at=day(8))])
        ledger.apply([Supersede(id, "Ann lives in Bern", at=day(4))])
        assert ledger.get(id).text == "Ann lives in Rome"
        assert ledger.get(id, as_of=day(4)).text == "Ann lives in Bern"
        assert ledger.get(id, as_of=day(3)).text == "Ann lives in Oslo"

    def test_what_was_believed_can_be_asked_for(self, ledger: Ledger, id: str, clock: FrozenClock) -> None:
        clock.advance(days=2)
        ledger.apply([Supersede(id, "Ann lives in Rome")])
        assert ledger.get(id, as_of=day(3)).text == "Ann lives in Rome"
        assert ledger.get(id, as_of=day(3), known_at=day(11)).text == "Ann lives in Oslo"
        with pytest.raises(NotFound, match="says nothing about that time"):
            ledger.get(id, known_at=day(9))

    def test_a_correction_holds_for_all_of_its_time(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Supersede(id, "Ann lives in Rome", at=day(5))])
        ledger.apply([Supersede(id, "Ann lives in Roma")])
        assert ledger.get(id, as_of=day(5)).text == "Ann lives in Roma"
        assert ledger.get(id, as_of=day(3)).text == "Ann lives in Oslo"

    def test_what_is_retired_can_be_restored(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Retire(id, day(9))])
        with pytest.raises(NotFound, match=r"has ended.*restore"):
            ledger.get(id)
        assert ledger.get(id, as_of=day(8)).text == "Ann lives in Oslo"
        with pytest.raises(InputError, match=r"retired.*Restore it first"):
            ledger.apply([Supersede(id, "Ann lives in Rome", at=day(10))])
        with pytest.raises(InputError, match="retired"):
            ledger.apply([Retire(id, day(10))])
        ledger.apply([Restore(id)])
        assert ledger.get(id).text == "Ann lives in Oslo"
        ledger.apply([Restore(id)])
        with pytest.raises(NotFound):
            ledger.get(id)

    def test_restoring_a_version_keeps_the_end_it_was_given(self, ledger: Ledger) -> None:
        id = new_id()
        ledger.apply([Add(id, "The fair is open", day(9), until=day(12))])
        ledger.apply([Supersede(id, "The fair is shut", at=day(10))])
        ledger.apply([Restore(id, version=1)])
        assert ledger.get(id).text == "The fair is open"
        with pytest.raises(NotFound):
            ledger.get(id, as_of=day(12))
        with pytest.raises(NotFound, match=r"no such version.*got 9"):
            ledger.apply([Restore(id, version=9)])

    def test_a_change_decided_on_an_old_version_is_refused(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Supersede(id, "Ann lives in Rome", if_version=1)])
        for change in (Supersede(id, "Ann lives in Bern", if_version=1), Retire(id, day(10), if_version=1)):
            with pytest.raises(Conflict, match="is at version 2, not at 1"):
                ledger.apply([change])
        ledger.apply([Supersede(id, "Ann lives in Bern", if_version=ledger.get(id).version)])
        assert self.texts(ledger.list()) == ["Ann lives in Bern"]

    def test_what_is_only_added_has_nothing_to_undo(self, ledger: Ledger, id: str) -> None:
        with pytest.raises(InputError, match=r"only added.*retire"):
            ledger.apply([Restore(id)])

    def test_a_truth_to_come_is_listed_once(self, ledger: Ledger, id: str) -> None:
        ledger.apply([Supersede(id, "Ann lives in Rome", at=day(15))])
        assert self.texts(ledger.list()) == ["Ann lives in Oslo"]
        soon = new_id()
        ledger.apply([Add(soon, "The fair opens", day(14))])
        assert ledger.get(soon).text == "The fair opens"
        assert soon not in [memory.id for memory in ledger.list(as_of=day(10))]

    def test_the_ends_of_time_can_be_kept(self, ledger: Ledger) -> None:
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        old, new = new_id(), new_id()
        ledger.apply([Add(old, "In the beginning", first, until=last), Add(new, "In the end", last)])
        assert ledger.get(old).valid.start == first
        assert ledger.get(new).at == last
        assert ledger.get(old, as_of=first).text == "In the beginning"
