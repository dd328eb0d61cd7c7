"""One process that lives on a store until it is told to stop or is killed; knows nothing of who kills it.

Each thread keeps a journal of its own. What it does is drawn at random, on memories of its own and of others, so that
writers get into each other's way; changes that lose a race are refused by the store, which is as it must be.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench.crashing.checks import DIMENSION, candidates, save_index
from simonides.bench.crashing.journal import ENDING, Writer, named
from simonides.bench.generate import Generator
from simonides.clock import new_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add, Connect, Disconnect, Restore, Retire, Scope, Supersede

if TYPE_CHECKING:
    from simonides.types import Change

PHASE_BYTES = 16
"""Size of the file in which a process says what it is about, for whoever counts what its death interrupted."""
OTHERS = 30
"""Memories of other writers that a thread knows of."""
LOOK_BACK = 2
"""Every how many-th acknowledged add is read back and searched for at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do.

    Attributes:
        name: of no other process; its operations, journals and actor carry it.
        life: one of `LIVES`.
        folder: for its journals.
    """

    path: str
    folder: str
    name: str
    life: str
    seed: int
    threads: int
    synchronous: str = "full"


class Hand:
    """One thread that writes and reads."""

    def __init__(self, order: Order, number: int, stop: threading.Event) -> None:
        self.name = f"{order.name}t{number}"
        self.stop = stop
        self._random = random.Random(f"{order.seed} {number}")
        self._texts = Generator(order.seed * 100 + number)
        self._journal = Writer(Path(order.folder) / f"{self.name}{ENDING}")
        self._count = 0
        self._mine: list[str] = []
        self._links: list[str] = []
        self._others: list[str] = []
        self._lately: list[tuple[str, str]] = []

    def work(self, memory: Memory) -> None:
        """Go on until told to stop."""
        while not self.stop.is_set():
            self.step(memory)

    def step(self, memory: Memory) -> None:
        """Do one thing."""
        chosen = self._random.choices(_STEPS, cum_weights=_WEIGHTS)[0]
        try:
            chosen(self, memory)
        except Exception as err:  # noqa: BLE001 - whatever a reader raises is a finding
            self._journal.note(f"{self.name} {chosen.__name__.strip('_')}: {type(err).__name__}: {err}")

    def write(self, memory: Memory, changes: Sequence[Change]) -> bool:
        """Apply changes under a new name, and keep the journal; tell whether they were acknowledged."""
        self._count += 1
        name = f"{self.name}n{self._count}"
        changes = named(changes, name)
        self._journal.tried(name, changes)
        began = time.perf_counter()
        try:
            receipt = memory.apply(changes)
        except (InputError, NotFound, Conflict) as err:  # some deeds are impossible, or somebody was faster
            self._journal.refused(name, err)
            return False
        except Exception as err:  # noqa: BLE001 - a store that fails is what is looked for
            self._journal.failed(name, err)
            return False
        self._journal.done(name, receipt.seqs, time.perf_counter() - began)
        return True

    def add(self, memory: Memory, many: int = 1) -> None:
        """Write new memories in one transaction, and look at some of them at once."""
        adds = [self._new() for _ in range(many)]
        if not self.write(memory, adds):
            return
        self._mine.extend(one.id for one in adds)
        if self._count % LOOK_BACK == 0:
            self._look_back(memory, adds[-1])

    def _look_back(self, memory: Memory, added: Add) -> None:
        """What is added can be read and found when `add` returns, unless another writer has changed it since."""
        first = memory.history(added.id)[0]
        if first.text != added.text:
            self._journal.note(f"{added.id}: reads {first.text!r} right after it was added as {added.text!r}")
        mark = added.text.rsplit(" ", 1)[1]
        if added.id in candidates(memory, mark):
            return
        held = memory.history(added.id)
        # A writer who retires it from before it was said ends its only version and writes no other.
        if len(held) == 1 and held[0].recorded.end is None:
            self._journal.note(f"{added.id}: was not found by {mark!r} right after it was added")
        self._journal.count("searches")

    def _new(self) -> Add:
        made = self._texts.memories(1)[0]
        mark = f"{self.name}m{self._random.randrange(10**9)}"
        scope = Scope(user=f"user{self._random.randrange(5)}", session=f"session{self._random.randrange(20)}")
        metadata = {"mark": mark} if self._random.random() < 0.3 else {}
        return Add(
            new_id(), f"{made.text} {mark}", _now(), scope=scope, speaker=made.speaker, metadata=metadata
        )

    def _add(self, memory: Memory) -> None:
        self.add(memory)

    def _add_some(self, memory: Memory) -> None:
        self.add(memory, self._random.randrange(2, 12))

    def _update(self, memory: Memory) -> None:
        self.write(memory, [self._supersede()])

    def _retire(self, memory: Memory) -> None:
        self.write(memory, [Retire(self._any(), self._when())])

    def _restore(self, memory: Memory) -> None:
        version = self._random.choice((None, None, 1, 2))
        self.write(memory, [Restore(self._any(), version)])

    def _link(self, memory: Memory) -> None:
        link = Connect(new_id(), self._any(), self._any(), "near", _now())
        if self.write(memory, [link]):
            self._links.append(link.id)

    def _unlink(self, memory: Memory) -> None:
        if self._links:
            self.write(memory, [Disconnect(self._random.choice(self._links), _now())])

    def _mixed(self, memory: Memory) -> None:
        """Several kinds of change that belong together."""
        one, other = self._new(), self._new()
        changes: list[Change] = [one, other, Connect(new_id(), one.id, other.id, "follows", _now())]
        changes += [self._supersede(), Supersede(one.id, f"{one.text} again")]
        if self.write(memory, changes):
            self._mine += [one.id, other.id]

    def _impossible(self, memory: Memory) -> None:
        """Good changes, then one that must be refused: none may be there."""
        if self.write(memory, [self._new(), self._new(), Retire("f" * 32, _now())]):
            self._journal.note("a memory that was never there was retired")

    def _search(self, memory: Memory) -> None:
        memory.search(self._texts.question(), user=self._random.choice((None, "user1", "user2")))
        self._journal.count("searches")

    def _read(self, memory: Memory) -> None:
        found = memory.list(newest_first=True, limit=OTHERS)
        self._others = [one.id for one in found]
        for one in found[:3]:
            if memory.history(one.id)[0].id != one.id:
                self._journal.note(f"{one.id}: the history is that of another")
            memory.links(one.id)
        self._journal.count("reads")

    def _supersede(self) -> Supersede:
        text = f"{self._texts.memories(1)[0].text} {self.name}u{self._count}"
        at = None if self._random.random() < 0.5 else self._when()
        return Supersede(self._any(), text, at)

    def _any(self) -> str:
        """Return a memory of this thread or of another, mostly one that was written lately."""
        pool = self._mine if self._random.random() < 0.7 else self._others
        pool = pool or self._mine or self._others
        if not pool:
            return new_id()
        return self._random.choice(pool[-30:] if self._random.random() < 0.7 else pool)

    def _when(self) -> datetime:
        return _now() + timedelta(seconds=self._random.choice((0, 0, -5, -3600, 3600, -(10**7))))


_DEEDS: tuple[tuple[Callable[[Hand, Memory], None], int], ...] = (
    (Hand._add, 30),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._add_some, 8),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._update, 14),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._retire, 6),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._restore, 8),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._link, 8),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._unlink, 3),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._mixed, 6),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._impossible, 3),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._search, 8),  # pyright: ignore[reportPrivateUsage] - this module's own
    (Hand._read, 6),  # pyright: ignore[reportPrivateUsage] - this module's own
)
_STEPS = [deed for deed, _ in _DEEDS]
_WEIGHTS = [sum(weight for _, weight in _DEEDS[: place + 1]) for place in range(len(_DEEDS))]


class Life:
    """One process: its threads, what it says it is about, and how it ends."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.stop = threading.Event()
        self.hands = [Hand(order, number, self.stop) for number in range(order.threads)]
        self._phase = os.open(phase_file(order), os.O_CREAT | os.O_WRONLY, 0o600)

    def says(self, phase: str) -> None:
        """Say what the main thread is about."""
        os.pwrite(self._phase, phase.encode().ljust(PHASE_BYTES), 0)

    def opened(self, *, background: bool = True) -> Memory:
        """Return the store, opened."""
        settings = Settings(background=background, synchronous=self.order.synchronous)
        reader = HashReader(DIMENSION)
        return Memory(self.order.path, embedder=reader, settings=settings, actor=self.order.name)

    def beside(self, memory: Memory, work: Callable[[], object]) -> None:
        """Let all hands work in threads of their own, and the main thread do its work, until told to stop."""
        threads = [threading.Thread(target=hand.work, args=(memory,)) for hand in self.hands]
        for thread in threads:
            thread.start()
        while not self.stop.is_set():
            work()
        for thread in threads:
            thread.join()

    def live(self) -> None:
        """Live as ordered."""
        self.says("starting")
        LIVES[self.order.life](self)
        self.says("ended")


def _working(life: Life) -> None:
    """All threads write and search, and the full tier reads in the background."""
    with life.opened() as memory:
        life.says("working")
        life.beside(memory, lambda: life.stop.wait(0.1))
        life.says("closing")


def _reopening(life: Life) -> None:
    """Open, write a little, close, again and again."""
    while not life.stop.is_set():
        life.says("opening")
        with life.opened() as memory:
            life.says("working")
            for hand in life.hands:
                hand.step(memory)
            life.hands[0].add(memory, 5)
            life.says("closing")


def _enriching(life: Life) -> None:
    """The main thread does the full tier's work as fast as it can."""

    def work() -> None:
        life.says("enriching")
        memory.wait(1.0)
        life.stop.wait(0.005)

    with life.opened(background=False) as memory:
        life.beside(memory, work)


def _reindexing(life: Life) -> None:
    """The main thread makes all derived data again."""

    def work() -> None:
        life.says("reindexing")
        memory.ledger.drop_derived("all")
        memory.wait(
            0.5
        )  # and no longer: what a killed process was reading is taken over when its lease is over

    with life.opened() as memory:
        life.beside(memory, work)


def _checkpointing(life: Life) -> None:
    """The main thread moves the write-ahead log into the file."""

    def work() -> None:
        life.says("checkpointing")
        with closing(sqlite3.connect(life.order.path, timeout=5)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        life.stop.wait(0.005)

    with life.opened() as memory:
        life.beside(memory, work)


def _saving(life: Life) -> None:
    """The main thread saves its index again and again, as large stores have it, and takes it from the files."""

    def work() -> None:
        life.says("saving")
        save_index(memory)
        life.stop.wait(0.005)

    with life.opened() as memory:
        life.beside(memory, work)


def _first(life: Life) -> None:
    """Write one memory and end."""
    with life.opened(background=False) as memory:
        life.hands[0].add(memory)


LIVES: dict[str, Callable[[Life], None]] = {
    "working": _working,
    "reopening": _reopening,
    "enriching": _enriching,
    "reindexing": _reindexing,
    "checkpointing": _checkpointing,
    "saving": _saving,
    "first": _first,
}


def phase_file(order: Order) -> Path:
    """Return the file in which a process says what it is about."""
    return Path(order.folder) / f"{order.name}.phase"


def main(order: Order) -> None:
    """Live as ordered; a request to terminate is a request to stop."""
    life = Life(order)

    def stop(_signal: int, _frame: object) -> None:
        life.stop.set()

    signal.signal(signal.SIGTERM, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    life.live()


def _now() -> datetime:
    return datetime.now(UTC)
