"""Brings what an importer yields into a `Memory`: batches, no duplicates, counts; knows no format.

Every imported memory carries its key as metadata `import`, e.g. ``chatgpt:<conversation>:<message>``. A
second run looks the keys up, in all versions of all memories: what is there, or was there and was retired,
is left alone. So a run that was stopped goes on where it was, and a newer export adds only what is new.
Formats that follow their files supersede a memory whose record has changed. Batches are one transaction
each.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING

from simonides.clock import new_id
from simonides.doors.importers.record import Earlier, Edge, Item, Passed, Problem, Record, digest, repaired
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger.once import Once
from simonides.parts.ahead import analysed
from simonides.parts.intake import adding
from simonides.types import Add, Change, Connect, Json, Retire, Scope, Source, Supersede

if TYPE_CHECKING:
    from simonides.ledger import Lexical
    from simonides.memory import Memory
    from simonides.pool import Pool

BATCH = 500
KEY = "import"
"""The metadata that names the record a memory was made from."""
CHANGED, ENDED = "changed where it was imported from", "ended where it was imported from"
EXPIRED = "expired where it was imported from"
ERASED = "erased here (--even-erased takes it in again)"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the records.

    Attributes:
        format: its name, the first part of every key.
        source: where they come from, for `Source.name`.
        follows: a record that changed supersedes what was made from it.
        scope: fills what a record leaves open.
        dry: count only.
        even_erased: take in again what was erased here.
    """

    format: str
    source: str
    follows: bool = False
    scope: Scope = Scope()
    dry: bool = False
    even_erased: bool = False


@dataclass(slots=True)
class Tally:
    """What came of it.

    Attributes:
        new: memories written, or that would be.
        already: records that were in the store before.
        changed: memories superseded because their record had changed.
        repaired: records with characters that no store can hold, replaced by U+FFFD.
        links: connections written.
        loose: connections to something that is not there.
        passed: how many things were left out by design, by reason.
    """

    new: int = 0
    already: int = 0
    changed: int = 0
    repaired: int = 0
    links: int = 0
    loose: int = 0
    sessions: set[str] = field(default_factory=set[str])
    passed: Counter[str] = field(default_factory=Counter[str])
    problems: list[Problem] = field(default_factory=list[Problem])
    samples: list[Record] = field(default_factory=list[Record])

    @property
    def seen(self) -> int:
        """How many records were read."""
        return self.new + self.already + self.changed + len(self.problems)


@dataclass(slots=True)
class _Known:
    id: str
    text: str
    fresh: bool = False


class Run:
    """One import. `go` may be left by Ctrl-C between two batches, never within one."""

    def __init__(
        self,
        memory: Memory,
        plan: Plan,
        progress: Callable[[Tally], None] | None = None,
        pool: Pool | None = None,
    ) -> None:
        """Prepare; a `pool` analyses the texts while this process reads and writes."""
        self.tally = Tally()
        self._pool = None if plan.dry else pool
        self._memory = memory
        self._plan = plan
        self._progress: Callable[[Tally], None] = progress or _silent
        self._batch: list[Record] = []
        self._edges: list[Edge] = []
        self._seen = memory.ledger.counters()["memory"]
        self._known = dict(self._look_up())
        self._gone = _nothing if plan.even_erased else memory.ledger.erased_origins()
        self._stop = _Stop()

    def go(self, items: Iterable[Item]) -> Tally:
        """Take everything in; returns the counts, which are also there after Ctrl-C."""
        with self._stop.watching():
            for batch, words in analysed(self._batches(items), lambda record: record.text, self._pool):
                self._keep(batch, words)
            self._connect()
        return self.tally

    def _batches(self, items: Iterable[Item]) -> Iterator[list[Record]]:
        """Take items in; yield the new records, as many as are written in one transaction."""
        for item in items:
            self._take(item)
            if len(self._batch) >= BATCH:
                batch, self._batch = self._batch, []
                yield batch
        batch, self._batch = self._batch, []
        yield batch

    def _look_up(self) -> Iterator[tuple[str, _Known]]:
        """Yield what was imported before, whatever became of it since."""
        ledger = self._memory.ledger
        rows = ledger.rows_where({KEY: {"exists": True}}, None)
        for start in range(0, len(rows), 2000):
            for one in ledger.load(rows[start : start + 2000]).values():
                yield str(one.metadata.get(KEY)), _Known(one.id, digest(one.text))

    def _look_again(self) -> None:
        """Take in what others have imported since the last look."""
        ledger = self._memory.ledger
        while fresh := ledger.fresh(self._seen, 2000):
            for one in ledger.load([row.row for row in fresh]).values():
                if KEY in one.metadata:
                    known = _Known(one.id, digest(one.text))
                    self._known[str(one.metadata[KEY])] = known
            self._seen = fresh[-1].row

    def _take(self, item: Item) -> None:
        match item:
            case Problem():
                self.tally.problems.append(item)
            case Passed(reason):
                self.tally.passed[reason] += 1
            case Edge():
                self._edges.append(item)
            case Record():
                self._record(item)

    def _record(self, given: Record) -> None:
        record, was_repaired = repaired(given)
        self.tally.repaired += was_repaired
        known = self._known.get(self._key(record.key))
        if known is None and self._gone(self._key(record.key)):
            self.tally.passed[ERASED] += 1
        elif known is None and record.expires is not None and record.expires <= self._memory.clock.now():
            self.tally.passed[EXPIRED] += 1
        elif known is None:
            self._known[self._key(record.key)] = _Known("", digest(record.text), fresh=True)
            self._batch.append(record)
        elif self._plan.follows and known.text != digest(record.text) and not known.fresh:
            self._follow(record, known)
        elif self._plan.follows and record.until is not None and not known.fresh and self._lasts(known.id):
            self._end(record, known, record.until)
        else:
            self.tally.already += 1

    def _key(self, key: str) -> str:
        return f"{self._plan.format}:{key}"

    def _keep(self, batch: list[Record], words: Mapping[str, Lexical]) -> None:
        if self._plan.dry:
            self._count(batch)
        elif batch:
            with self._stop.held():
                self._write(batch, words)
        self._progress(self.tally)

    def _write(self, batch: list[Record], words: Mapping[str, Lexical]) -> None:
        """Write records in one transaction; when one of them is refused, find it by halving."""
        batch = self._unknown(batch)
        memory, now = self._memory, self._memory.clock.now()
        try:
            changes = [adding(self._row(record), now) for record in batch]
            later = [
                each for record, add in zip(batch, changes, strict=True) for each in _later(record, add, now)
            ]
            once = Once(KEY, self._seen)
            memory.ledger.apply([*changes, *later], actor=memory.actor, analysed=words, once=once)
        except Conflict:  # somebody else imports the same just now
            self._look_again()
            if len(self._unknown(batch, counted=False)) == len(batch):
                raise
            self._write(batch, words)
            return
        except InputError as err:
            if len(batch) == 1:
                self.tally.problems.append(Problem(batch[0].where, str(err)))
                return
            self._write(batch[: len(batch) // 2], words)
            self._write(batch[len(batch) // 2 :], words)
            return
        memory.apply(())  # wakes the full tier
        for record, change in zip(batch, changes, strict=True):
            self._known[self._key(record.key)].id = change.id
        if memory.ledger.counters()["memory"] == self._seen + len(batch):
            self._seen += len(batch)
        else:
            self._look_again()
        self._count(batch)

    def _unknown(self, batch: list[Record], *, counted: bool = True) -> list[Record]:
        """Return the records that nobody else has imported since they were read."""
        new = [record for record in batch if not self._known[self._key(record.key)].id]
        self.tally.already += (len(batch) - len(new)) * counted
        return new

    def _count(self, batch: list[Record]) -> None:
        self.tally.new += len(batch)
        self.tally.sessions |= {record.session for record in batch if record.session}
        self.tally.samples += batch[: max(0, 3 - len(self.tally.samples))]

    def _row(self, record: Record) -> dict[str, object]:
        scope = self._plan.scope
        metadata: dict[str, Json] = {**record.metadata, KEY: self._key(record.key)}
        return {
            "text": record.earlier[0].text if record.earlier else record.text,
            "kind": record.kind,
            "speaker": record.speaker or None,
            "at": record.earlier[0].at if record.earlier else record.at,
            "user": record.user or scope.user or None,
            "agent": record.agent or scope.agent or None,
            "session": record.session or scope.session or None,
            "project": record.project or scope.project or None,
            "expires": record.expires,
            "on_expiry": "erase" if record.expires else None,
            "metadata": metadata,
            "source": Source(name=record.source or self._plan.source, modality=record.modality),
        }

    def _follow(self, record: Record, known: _Known) -> None:
        """Supersede a memory by its changed record, from when it changed on if that can be said."""
        self.tally.changed += 1
        if self._plan.dry:
            return
        try:
            with self._stop.held():
                self._memory.update(
                    known.id, record.text, at=self._since(record, known.id), reason="its file changed"
                )
        except (InputError, NotFound) as err:
            self.tally.changed -= 1
            self.tally.problems.append(Problem(record.where, str(err)))
        known.text = digest(record.text)

    def _lasts(self, id: str) -> bool:
        """Tell whether a memory that was imported before is still open."""
        believed = [one for one in self._memory.history(id) if one.recorded.end is None]
        return any(one.valid.end is None for one in believed)

    def _end(self, record: Record, known: _Known, until: datetime) -> None:
        """Retire a memory whose record has ended since."""
        self.tally.changed += 1
        if self._plan.dry:
            return
        try:
            with self._stop.held():
                self._memory.retire(known.id, at=until, reason=ENDED)
        except (InputError, NotFound) as err:
            self.tally.changed -= 1
            self.tally.problems.append(Problem(record.where, str(err)))

    def _since(self, record: Record, id: str) -> datetime | None:
        newest = self._memory.history(id)[-1]
        return record.changed if record.changed and record.changed > newest.at else None

    def _connect(self) -> None:
        """Write the connections whose two ends are there and that are not there yet."""
        written: dict[str, set[tuple[str, str]]] = {}
        batch: list[Connect] = []
        for edge in dict.fromkeys(self._edges):
            source, target = (self._known.get(self._key(key)) for key in (edge.source, edge.target))
            if source is None or target is None:
                self.tally.loose += 1
            elif self._plan.dry:
                self.tally.links += source.fresh
            elif not (source.id and target.id):
                self.tally.loose += 1  # one of them was refused
            elif self._is_new(edge, source, target, written):
                at = edge.at or self._memory.clock.now()
                batch.append(
                    Connect(new_id(), source.id, target.id, edge.relation, at, evidence=edge.evidence)
                )
        for start in range(0, len(batch), BATCH):
            with self._stop.held():
                self._link(batch[start : start + BATCH])
        self._progress(self.tally)

    def _is_new(
        self, edge: Edge, source: _Known, target: _Known, written: dict[str, set[tuple[str, str]]]
    ) -> bool:
        if source.id not in written:
            there = [] if source.fresh else self._memory.links(source.id)
            written[source.id] = {(one.target, one.relation) for one in there if one.source == source.id}
        named = target.id, edge.relation
        new = named not in written[source.id]
        written[source.id].add(named)
        return new

    def _link(self, batch: list[Connect]) -> None:
        """Write links in one transaction; what is refused, e.g. to something retired, is found by halving."""
        try:
            self._memory.apply(batch)
        except (InputError, NotFound):
            if len(batch) == 1:
                self.tally.loose += 1
                return
            self._link(batch[: len(batch) // 2])
            self._link(batch[len(batch) // 2 :])
            return
        self.tally.links += len(batch)


def _later(record: Record, add: Add, now: datetime) -> Iterator[Change]:
    """Yield what became of a memory after it was first written, where the file kept that; times only go forward."""
    at = add.at
    texts = [*record.earlier[1:], *([Earlier(record.text, record.changed or now)] if record.earlier else [])]
    for one in texts:
        if one.at > at:
            at = one.at
            yield Supersede(add.id, one.text, at, "UTC", reason=CHANGED)
        else:
            yield Supersede(add.id, one.text, reason=CHANGED)
    if record.until is not None:
        yield Retire(add.id, max(record.until, at), reason=ENDED)


def _nothing(_key: str) -> bool:
    return False


def _silent(_tally: Tally) -> None:
    """Show nothing."""


class _Stop:
    """Keeps Ctrl-C waiting while a batch is being written; a second one does not wait."""

    def __init__(self) -> None:
        self._busy = False
        self._asked = False

    @contextmanager
    def watching(self) -> Generator[None]:
        """Hear Ctrl-C until the end of the block; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def held(self) -> Generator[None]:
        """Let the block finish before Ctrl-C is raised."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._asked:
            raise KeyboardInterrupt

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self._busy and not self._asked:
            self._asked = True
        else:
            raise KeyboardInterrupt
