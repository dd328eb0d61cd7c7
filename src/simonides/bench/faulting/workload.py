"""A life of a store in small: every kind of change, codes, checkpoints, closing and opening.

Knows the ledger; knows no disk. What it remarks becomes the journal that the store is held against after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench.crashing.checks import DIMENSION
from simonides.bench.crashing.journal import DONE, REFUSED, TRIED, Entry, Journal, named
from simonides.bench.generate import Generator
from simonides.clock import SystemClock, new_id
from simonides.errors import StoreError
from simonides.ledger import Ledger
from simonides.ledger.drivers import STANDARD, Driver
from simonides.parts import analyse
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add, Connect, Disconnect, Restore, Retire, Scope, Supersede
from simonides.unread import coded

if TYPE_CHECKING:
    from simonides.types import Change

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Remark:
    """What the workload was about, or was told."""

    state: str
    name: str
    changes: tuple[Change, ...] = ()
    seqs: tuple[int, ...] = ()
    told: str = ""


def opened(path: Path, driver: Driver = STANDARD, synchronous: str = "full") -> Ledger:
    """Return an open store without a model."""
    settings = Settings(synchronous=synchronous)
    return Ledger(path, clock=CLOCK, settings=settings, analyse=analyse.lexical, driver=driver)


@dataclass(slots=True)
class Workload:
    """One life.

    Attributes:
        open: opens the store.
        remark: is told what is tried and what was acknowledged.
        relieve: called when the store could not do a call, before it is tried again.
        failed: how many calls that were; the second time they must go well.
    """

    open: Callable[[], Ledger]
    remark: Callable[[Remark], object]
    seed: int = 1
    relieve: Callable[[], object] = lambda: None
    failed: int = 0
    adds: list[str] = field(default_factory=list[str])
    _links: list[str] = field(default_factory=list[str])
    _count: int = 0
    _ledger: Ledger | None = None
    _texts: Generator | None = None

    def live(self, rounds: int = 2) -> None:
        """Open, write, read with the scripted model, checkpoint, close; so many times."""
        for number in range(rounds):
            self._again(self._open)
            for step in (
                self._add, self._some, self._update, self._read, self._link, self._retire, self._checkpoint,
                self._restore, self._mixed, self._unlink, self._large, self._read, self._reset,
            ):  # fmt: skip
                self._again(step)
            self._again(self._close)
            if not number:
                self.remark(Remark("closed", ""))

    @property
    def ledger(self) -> Ledger:
        """The open store."""
        assert self._ledger is not None
        return self._ledger

    def _again(self, step: Callable[[], object]) -> None:
        """Take a step; once more if the store could not do it."""
        try:
            step()
        except StoreError:  # the write that was made to fail
            self.failed += 1
            self.relieve()
            step()

    def _open(self) -> None:
        if self._ledger is None:
            self._ledger = self.open()

    def _close(self) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()

    def _write(self, changes: Sequence[Change]) -> None:
        self._count += 1
        name = f"w{self.seed}n{self._count}"
        ready = named(changes, name)
        self.remark(Remark(TRIED, name, ready))
        try:
            seqs = self.ledger.apply(ready, actor="workload")
        except StoreError as err:
            self.remark(Remark(REFUSED, name, told=str(err)))
            raise
        self.remark(Remark(DONE, name, seqs=seqs))
        self.adds += [change.id for change in changes if isinstance(change, Add)]

    def _new(self, words: int = 0) -> Add:
        self._texts = self._texts or Generator(self.seed)
        made = self._texts.memories(1)[0]
        text = f"{made.text} {'more ' * words}"
        return Add(new_id(), text.strip(), CLOCK.now(), scope=Scope(user="u", session="s"), speaker="Ana")

    def _add(self) -> None:
        self._write([self._new()])

    def _some(self) -> None:
        self._write([self._new() for _ in range(8)])

    def _large(self) -> None:
        """A text over several pages of the file."""
        self._write([self._new(3000)])

    def _update(self) -> None:
        self._write([Supersede(self.adds[0], f"changed {self._count}")])

    def _retire(self) -> None:
        self._write([Retire(self.adds[-1], CLOCK.now())])

    def _restore(self) -> None:
        self._write([Restore(self.adds[0])])

    def _link(self) -> None:
        link = Connect(new_id(), self.adds[0], self.adds[1], "near", CLOCK.now() - timedelta(days=1))
        self._write([link])
        self._links.append(link.id)

    def _unlink(self) -> None:
        self._write([Disconnect(self._links[-1], CLOCK.now())])

    def _mixed(self) -> None:
        one, other = self._new(), self._new()
        link = Connect(new_id(), one.id, other.id, "follows", CLOCK.now())
        self._write([one, other, link, Supersede(one.id, "another text")])

    def _read(self) -> None:
        """Read what waits with the scripted model, as the background of a process does."""
        ledger, reader = self.ledger, HashReader(DIMENSION)
        model = ledger.model_id(reader.identity(), create=True)
        rows = ledger.backlog()
        found = ledger.load(rows)
        texts = [("", f"{found[row].speaker}: {found[row].text}") for row in rows]
        ledger.put_codes(model, coded(rows, reader.read(texts)))

    def _checkpoint(self) -> None:
        """Copy the log into the file; the next writer begins the log anew, over the old one."""
        with self.ledger.database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _reset(self) -> None:
        with self.ledger.database.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def journal_of(remarks: Sequence[Remark], *, lasting: bool = True) -> Journal:
    """Return the journal of what was remarked.

    Args:
        lasting: False takes every acknowledgement for none, for a store that may forget its last writes.
    """
    entries: dict[str, Entry] = {}
    for one in remarks:
        if one.state == TRIED:
            entries[one.name] = Entry(one.name, one.changes)
        elif one.state == REFUSED or (one.state == DONE and lasting):
            entry = entries[one.name]
            entry.state, entry.seqs, entry.told = one.state, one.seqs, one.told
    return Journal(list(entries.values()))
