"""Whatever is done in whatever order, a store is what a ledger of plain Python values says, and its indexes follow."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backends import Place
from simonides.bench.crashing.checks import DIMENSION, index_of, unequal
from simonides.bench.crashing.plain import PlainLedger, Refused
from simonides.clock import FrozenClock, new_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add, Change, Connect, Disconnect, Expire, Restore, Retire, Scope, Supersede

if TYPE_CHECKING:
    from simonides.memory import Within

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFUSALS = (InputError, NotFound, Conflict)
ERASURES = "erasures"
"""What `doctor` says of pages that are left to upkeep, as the machine leaves them."""

Rule = Callable[..., object]

HOURS = st.integers(-6, 6)
"""Few moments, so that changes fall on each other's."""
MOMENTS = HOURS.map(lambda hours: START + timedelta(hours=hours))
SOMETIMES = st.none() | MOMENTS
SCOPES = st.builds(Scope, user=st.sampled_from(("", "ann", "ben")), session=st.sampled_from(("", "one")))
HANDLES = st.integers(0, 1)
METADATA = st.sampled_from(({}, {"topic": "home"}, {"topic": "work", "stars": 3}))
VERSIONS = st.none() | st.integers(1, 4)


def word(number: int) -> str:
    """Return a word of letters that no other number has."""
    letters = ""
    while number or not letters:
        number, rest = divmod(number, 20)
        letters += "bcdfghjklmnpqrtvwxzy"[rest]
    return f"zo{'o'.join(letters)}x"


def few(step: Rule) -> Rule:
    """Take a rule only while there are few memories, so that changes fall on the same ones again and again."""
    return precondition(lambda self: len(self.plain.rows) < 6)(step)


class LedgerMachine(RuleBasedStateMachine):
    """Does the same to a store, through two handles on one file, and to the plain ledger."""

    memories = Bundle("memories")
    links = Bundle("links")
    names = count()

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock(START)
        self.plain = PlainLedger()
        self.moved = 0
        self.name = ""
        self.texts = 0
        self.touched: set[str] = set()
        self.newest: tuple[tuple[int, ...], tuple[str, ...]] | None = None
        self.handles = self.open_new()
        self.chance = random.Random(7)

    def open(self, name: str) -> Memory:
        raise NotImplementedError

    def open_new(self) -> list[Memory]:
        self.name = f"store{next(self.names)}"
        return [self.open(self.name) for _ in range(2)]

    def teardown(self) -> None:
        try:
            self.everything_is_as_it_should_be()
        finally:
            for memory in self.handles:
                memory.close()

    # --- writing ---------------------------------------------------------------------------------------------------

    def text(self) -> str:
        self.texts += 1
        return f"{word(self.texts)} was said at {word(1000 + self.texts % 5)}"

    def do(self, changes: list[Change], handle: int) -> bool:
        """Apply changes to both; they agree on whether it can be done, and on the numbers of the events."""
        memory = self.handles[handle]
        self.touched |= {change.id for change in changes}
        try:
            seqs = self.plain.apply(changes, self.clock.now())
        except Refused:
            with pytest.raises(REFUSALS):
                memory.apply(changes)
            return False
        assert memory.apply(changes).seqs == seqs
        ids = tuple(dict.fromkeys(change.id for change in changes))
        self.newest = None if any(isinstance(one, Expire) for one in changes) else (seqs, ids)
        return True

    def adding(self, at: datetime, scope: Scope, until: int | None = None) -> Add:
        end = None if until is None else at + timedelta(hours=until)
        return Add(new_id(), self.text(), at, scope=scope, until=end, speaker=scope.user)

    @few
    @rule(target=memories, at=MOMENTS, scope=SCOPES, until=st.none() | st.integers(1, 9), handle=HANDLES)
    def add(self, at: datetime, scope: Scope, until: int | None, handle: int):
        change = self.adding(at, scope, until)
        assert self.do([change], handle)
        return change.id

    @few
    @rule(target=memories, ats=st.lists(MOMENTS, min_size=2, max_size=5), scope=SCOPES, handle=HANDLES)
    def add_several(self, ats: list[datetime], scope: Scope, handle: int):
        changes: list[Change] = [self.adding(at, scope) for at in ats]
        assert self.do(changes, handle)
        return multiple(*(change.id for change in changes))

    @rule(id=memories, at=SOMETIMES, version=VERSIONS, new_text=st.booleans(), metadata=st.none() | METADATA,
          handle=HANDLES)  # fmt: skip
    def update(
        self,
        id: str,
        at: datetime | None,
        version: int | None,
        new_text: bool,
        metadata: dict[str, str] | None,
        handle: int,
    ) -> None:
        """Late arrivals and gaps are among the moments; None corrects for all time."""
        text = self.text() if new_text else None
        self.do([Supersede(id, text, at, metadata=metadata, if_version=version)], handle)

    @rule(id=memories, at=MOMENTS, version=VERSIONS, handle=HANDLES)
    def retire(self, id: str, at: datetime, version: int | None, handle: int) -> None:
        self.do([Retire(id, at, version)], handle)

    @rule(id=memories, version=VERSIONS, handle=HANDLES)
    def restore(self, id: str, version: int | None, handle: int) -> None:
        self.do([Restore(id, version)], handle)

    @rule(target=links, source=memories, end=memories, at=MOMENTS, handle=HANDLES)
    def link(self, source: str, end: str, at: datetime, handle: int) -> object:
        change = Connect(new_id(), source, end, "near", at, weight=0.5)
        done = self.do([change], handle)
        return change.id if done else multiple()

    @rule(id=links, at=MOMENTS, handle=HANDLES)
    def unlink(self, id: str, at: datetime, handle: int) -> None:
        self.do([Disconnect(id, at)], handle)

    def mixed(self, id: str, at: datetime) -> list[Change]:
        """Return changes that belong together; whether they can be applied depends on the memory."""
        new = self.adding(at, Scope())
        return [
            new,
            Connect(new_id(), id, new.id, "followed by", at),
            Supersede(id, self.text(), at),
            Supersede(new.id, self.text()),
            Retire(id, at + timedelta(hours=1)),
        ]

    @rule(target=memories, id=memories, at=MOMENTS, handle=HANDLES)
    def change_together(self, id: str, at: datetime, handle: int) -> object:
        changes = self.mixed(id, at)
        return changes[0].id if self.do(changes, handle) else multiple()

    @rule(id=memories, at=MOMENTS, place=st.integers(0, 5), handle=HANDLES)
    def fail_in_the_middle(self, id: str, at: datetime, place: int, handle: int) -> None:
        changes = self.mixed(id, at)
        changes.insert(place, Retire("f" * 32, at))
        assert not self.do(changes, handle)

    @rule(id=memories, at=MOMENTS, handle=HANDLES)
    def plan(self, id: str, at: datetime, handle: int) -> None:
        """A plan says whether it would work, and does nothing."""
        changes = self.mixed(id, at)
        try:
            self.plain.apply(changes, self.clock.now(), plan=True)
        except Refused:
            with pytest.raises(REFUSALS):
                self.handles[handle].apply(changes, plan=True)
        else:
            receipt = self.handles[handle].apply(changes, plan=True)
            assert (receipt.seqs, receipt.state) == ((), "planned")

    @precondition(lambda self: self.newest)
    @rule(data=st.data(), handle=HANDLES)
    def undo(self, data: st.DataObject, handle: int) -> None:
        """Undo the newest set of changes by any of its events; undoing that again redoes it."""
        assert self.newest is not None
        seqs, ids = self.newest
        done = self.handles[handle].undo(data.draw(st.sampled_from(seqs)), reason="undone")
        assert (done.undone, done.ids) == (seqs[0], ids)
        assert done.seqs == self.plain.undo(seqs[0], ids, self.clock.now(), "undone")
        self.newest = done.seqs, ids
        self.touched |= set(ids)

    @rule(id=memories, at=SOMETIMES, handle=HANDLES)
    def expire(self, id: str, at: datetime | None, handle: int) -> None:
        self.do([Expire(id, at)], handle)

    @precondition(lambda self: len(self.plain.rows) > 3)
    @rule(id=memories, handle=HANDLES)
    def erase(self, id: str, handle: int) -> None:
        memory = self.handles[handle]
        if id not in self.plain.rows:
            with pytest.raises(NotFound):
                memory.erase(id, keep_pages=True)
            return
        receipt = memory.erase(id, keep_pages=True)
        assert receipt.ids == (id,)
        self.plain.erase(id)
        self.plain.seq, self.newest = receipt.seq, None

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(hours=hours)

    @rule(days=st.sampled_from((-4000, -1, 4000)))
    def the_clock_jumps(self, days: int) -> None:
        self.clock.advance(days=days)

    # --- keeping ---------------------------------------------------------------------------------------------------

    @rule(handle=HANDLES)
    def reopen(self, handle: int) -> None:
        self.handles[handle].close()
        self.handles[handle] = self.open(self.name)

    @precondition(lambda self: self.moved < 2)
    @rule()
    def export_and_import(self) -> None:
        """From now on another file is the store: the one that the export was imported into."""
        before, digest = list(self.handles[0].dump()), self.handles[0].verify().head
        for memory in self.handles:
            memory.close()
        self.moved += 1
        self.handles = self.open_new()
        self.handles[0].undump(before)
        assert self.handles[1].verify().head == digest
        assert list(self.handles[1].dump()) == before

    @rule(handle=HANDLES)
    def read_with_the_full_tier(self, handle: int) -> None:
        assert self.handles[handle].wait() == 0

    @precondition(lambda self: len(self.plain.rows) > 3)
    @rule(handle=HANDLES)
    def reindex(self, handle: int) -> None:
        self.handles[handle].reindex()

    # --- reading ---------------------------------------------------------------------------------------------------

    @rule(id=memories, as_of=SOMETIMES, known_at=SOMETIMES, handle=HANDLES)
    def get(self, id: str, as_of: datetime | None, known_at: datetime | None, handle: int) -> None:
        expected = self.plain.get(id, self.clock.now(), as_of, known_at)
        if expected is None:
            with pytest.raises(NotFound):
                self.handles[handle].get(id, as_of=as_of, known_at=known_at)
        else:
            assert self.handles[handle].get(id, as_of=as_of, known_at=known_at) == expected

    @rule(as_of=SOMETIMES, known_at=SOMETIMES, handle=HANDLES)
    def list(self, as_of: datetime | None, known_at: datetime | None, handle: int) -> None:
        now, memory = self.clock.now(), self.handles[handle]
        found = memory.list(as_of=as_of, known_at=known_at, limit=10_000)
        expected = self.plain.list(now, as_of, known_at)
        assert {one.id: one for one in found} == {one.id: one for one in expected}
        assert [one.id for one in found] == [one.id for one in expected]
        links = memory.links(as_of=as_of, known_at=known_at)
        assert {(one.id, one.valid.start): one for one in links} == self.plain.links(now, as_of, known_at)

    @precondition(lambda self: self.plain.rows)
    @rule(data=st.data(), as_of=SOMETIMES, known_at=SOMETIMES, handle=HANDLES)
    def search(
        self, data: st.DataObject, as_of: datetime | None, known_at: datetime | None, handle: int
    ) -> None:
        """A word of one text finds just what says it then; nothing is found that isn't said or believed then."""
        number = data.draw(st.integers(1, self.texts))
        within: Within = {"as_of": as_of, "known_at": known_at}
        seen = self.handles[handle].explain(word(number), k=100, gate=False, **within)
        found = [one.memory for one in (*seen.hits, *seen.dropped)]
        visible = self.plain.visible(self.clock.now(), as_of, known_at)
        assert all(memory in visible for memory in found)
        wanted = {(one.id, one.version) for one in visible if word(number) in one.text.split()}
        assert wanted <= {(memory.id, memory.version) for memory in found}

    @invariant()
    def what_was_touched_is_as_it_should_be(self) -> None:
        touched, self.touched = self.touched & set(self.plain.rows), set()
        for id in touched:
            assert self.handles[self.chance.randrange(2)].history(id) == self.plain.history(id)

    @rule()
    def everything_is_as_it_should_be(self) -> None:
        one, other = self.handles
        assert one.verify().ok
        assert one.verify().events == self.plain.seq == len(other.log(limit=10**6))
        assert one.status().versions == sum(map(len, self.plain.rows.values()))
        assert [look for look in one.ledger.check() if not look.ok and look.name != ERASURES] == []
        for id in self.plain.rows:
            assert other.history(id) == self.plain.history(id)
        rebuilt = index_of(one, kept=False)
        for memory in (one, other):
            assert list(unequal(one.ledger, index_of(memory), rebuilt, "an index")) == []


def test_a_store_is_as_a_ledger_of_plain_values_says(place: Place) -> None:
    class Machine(LedgerMachine):
        def open(self, name: str) -> Memory:
            quick = Settings(background=False, synchronous="normal")
            reader = HashReader(DIMENSION)
            return Memory(
                place(f"{name}.db"), embedder=reader, clock=self.clock, settings=quick, **place.memory
            )

    chosen = settings(
        max_examples={"sqlite": 30, "encrypted": 8}.get(place.backend, 4),
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Machine, settings=chosen)


def test_words_of_letters_are_all_different() -> None:
    words = [word(number) for number in range(2000)]
    assert len(set(words)) == 2000
    assert set("".join(words)) <= set(string.ascii_lowercase)
