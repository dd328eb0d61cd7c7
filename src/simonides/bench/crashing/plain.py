"""A ledger of plain Python values that says what a store must hold after a list of changes; knows no SQL and no file.

The slow, obvious twin of the ledger: rows are tuples in a dictionary, each question walks all of them. Tests and the
bench apply the same changes to both and compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from simonides.clock import Span, utc
from simonides.types import (
    Add,
    Change,
    Connect,
    Disconnect,
    Expire,
    Link,
    Memory,
    Restore,
    Retire,
    Scope,
    Supersede,
)

if TYPE_CHECKING:
    from collections.abc import Generator


class Refused(Exception):
    """The change breaks a rule; nothing of the list it came in is applied."""


@dataclass(frozen=True, slots=True)
class Row:
    """One version ever written: the event that opened it, and the one that closed it (0 while it is believed)."""

    memory: Memory
    opened: int
    closed: int = 0

    @property
    def starts(self) -> datetime:
        """When it begins to be true."""
        return self.memory.valid.start

    def after(self, moment: datetime) -> bool:
        """Tell whether it is true at some time after a moment."""
        return self.memory.valid.end is None or self.memory.valid.end > moment


@dataclass(frozen=True, slots=True)
class Edge:
    """One version of a link ever written."""

    link: Link
    opened: int
    closed: int = 0


class PlainLedger:
    """Memories and links on two clocks, held in dictionaries.

    Attributes:
        rows: every version of every memory by id, oldest first.
        edges: every version of every link by id, oldest first.
        ends: when a memory expires, where that was said.
        seq: number of the newest event.
    """

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Row, ...]] = {}
        self.edges: dict[str, tuple[Edge, ...]] = {}
        self.ends: dict[str, datetime | None] = {}
        self.seq = 0

    # Writing

    def apply(
        self, changes: Sequence[Change], now: datetime, actor: str = "", *, plan: bool = False
    ) -> tuple[int, ...]:
        """Apply all changes or none; return the numbers of their events, none for a plan.

        Raises:
            Refused: one of them breaks a rule.
        """
        began = self.seq
        with self._undoing(changes, always=plan):
            for change in changes:
                self.seq += 1
                self._change(change, now, actor)
        return tuple(range(began + 1, self.seq + 1))

    @contextmanager
    def _undoing(self, changes: Sequence[Change], *, always: bool) -> Generator[None]:
        ids = {change.id for change in changes}
        rows = {id: self.rows.get(id) for id in ids}
        edges = {id: self.edges.get(id) for id in ids}
        ends, seq, keep = dict(self.ends), self.seq, False
        try:
            yield
            keep = not always
        finally:
            if not keep:
                self.seq, self.ends = seq, ends
                _put_back(self.rows, rows)
                _put_back(self.edges, edges)

    def _change(self, change: Change, now: datetime, actor: str) -> None:
        match change:
            case Add():
                self._add(change, now, actor)
            case Supersede():
                self._supersede(change, now, actor)
            case Retire():
                self._retire(change, now, actor)
            case Restore():
                self._restore(change, now, actor)
            case Connect():
                self._connect(change, now, actor)
            case Disconnect():
                self._disconnect(change, now, actor)
            case Expire():
                self._known(change.id)
                self.ends[change.id] = change.at

    def _add(self, change: Add, now: datetime, actor: str) -> None:
        if change.id in self.rows:
            raise Refused(f"{change.id} is taken")
        if change.until is not None and change.until <= change.at:
            raise Refused(f"{change.id} would end before it starts")
        memory = Memory(
            id=change.id,
            kind=str(change.kind),
            text=change.text,
            scope=change.scope,
            valid=Span(utc(change.at), None if change.until is None else utc(change.until)),
            recorded=Span(now),
            speaker=change.speaker,
            source=change.source,
            zone=change.zone,
            confidence=change.confidence,
            importance=change.importance,
            metadata=change.metadata,
            attributes=change.attributes,
            reason=change.reason,
            actor=actor,
        )
        self.rows[change.id] = (Row(memory, self.seq),)
        if change.expires is not None:
            self.ends[change.id] = change.expires

    def _supersede(self, change: Supersede, now: datetime, actor: str) -> None:
        believed = self._believed(change.id, change.if_version, change.at or now)
        if change.at is None:
            base = max(believed, key=lambda row: row.starts, default=None)
            if base is None or not base.after(now):
                raise Refused(f"{change.id} has ended")
            closed, kept, valid = [base], list[Memory](), base.memory.valid
        else:
            at = utc(change.at)
            base = next((row for row in believed if row.starts <= at and row.after(at)), None)
            if base is not None:
                closed, kept = [base], _before(base, at)
                valid = Span(at, base.memory.valid.end)
            else:
                later = [row for row in believed if row.starts > at]
                base = min(later, key=lambda row: row.starts, default=None)
                if base is None:
                    raise Refused(f"{change.id} has ended")
                closed, kept, valid = [], [], Span(at, base.starts)
        given = {
            name: value
            for name in ("text", "zone", "confidence", "importance", "metadata", "attributes", "source")
            if (value := getattr(change, name)) is not None
        }
        content = replace(base.memory, valid=valid, **given)
        self._write(change.id, closed, [*kept, content], now, change.reason, actor)

    def _retire(self, change: Retire, now: datetime, actor: str) -> None:
        at = utc(change.at)
        believed = self._believed(change.id, change.if_version, at)
        ending = [row for row in believed if row.after(at)]
        if not ending:
            raise Refused(f"{change.id} has ended")
        kept = [memory for row in ending for memory in _before(row, at)]
        self._write(change.id, ending, kept, now, change.reason, actor)

    def _restore(self, change: Restore, now: datetime, actor: str) -> None:
        rows = self._known(change.id)
        believed = [row for row in rows if not row.closed]
        if change.version is None:
            latest = max(max(row.opened, row.closed) for row in rows)
            if all(row.opened == latest for row in rows):
                raise Refused(f"{change.id} was only added")
            closing = [row for row in believed if row.opened == latest]
            opening = [row.memory for row in rows if row.closed == latest]
        else:
            chosen = next((row for row in rows if row.memory.version == change.version), None)
            if chosen is None:
                raise Refused(f"{change.id} has no version {change.version}")
            closing = [row for row in believed if row.after(chosen.starts)]
            ends = [row.memory.valid.end for row in rows]
            end = None if None in ends else max(end for end in ends if end is not None)
            opening = [memory for row in closing for memory in _before(row, chosen.starts)]
            opening.append(replace(chosen.memory, valid=Span(chosen.starts, end)))
        self._write(change.id, closing, opening, now, change.reason, actor)

    def _write(
        self,
        id: str,
        closing: Sequence[Row],
        opening: Iterable[Memory],
        now: datetime,
        reason: str,
        actor: str,
    ) -> None:
        """Close rows and open others; recorded time never runs backwards for one memory."""
        rows = self.rows[id]
        began = [row.memory.recorded.start for row in rows]
        ended = [row.memory.recorded.end for row in rows if row.memory.recorded.end is not None]
        at = max([now, *began, *ended])
        left = [row if row not in closing else _closed(row, at, self.seq) for row in rows]
        fresh = [
            Row(replace(memory, version=version, recorded=Span(at), reason=reason, actor=actor), self.seq)
            for version, memory in enumerate(opening, len(rows) + 1)
        ]
        self.rows[id] = (*left, *fresh)

    def _connect(self, change: Connect, now: datetime, actor: str) -> None:
        self._known(change.source)
        self._known(change.target)
        if change.id in self.edges or change.source == change.target:
            raise Refused(f"link {change.id} is taken, or leads to where it starts")
        link = Link(
            change.id,
            change.source,
            change.target,
            change.relation,
            Span(utc(change.at)),
            Span(now),
            change.weight,
            change.evidence,
            change.reason,
            actor,
        )
        self.edges[change.id] = (Edge(link, self.seq),)

    def _disconnect(self, change: Disconnect, now: datetime, actor: str) -> None:
        at = utc(change.at)
        edges = self.edges.get(change.id, ())
        ending = [
            edge
            for edge in edges
            if not edge.closed and (edge.link.valid.end is None or edge.link.valid.end > at)
        ]
        if not ending:
            raise Refused(f"link {change.id} is not there, or has ended")
        kept = [
            replace(edge.link, valid=Span(edge.link.valid.start, at))
            for edge in ending
            if edge.link.valid.start < at
        ]
        self._rewrite(change.id, ending, kept, now, change.reason, actor)

    def _rewrite(
        self,
        id: str,
        closing: Sequence[Edge],
        opening: Iterable[Link],
        now: datetime,
        reason: str,
        actor: str,
    ) -> None:
        edges = self.edges[id]
        spans = [edge.link.recorded for edge in edges]
        at = max(
            [now, *(each.start for each in spans), *(each.end for each in spans if each.end is not None)]
        )
        left = [
            edge
            if edge not in closing
            else Edge(replace(edge.link, recorded=Span(edge.link.recorded.start, at)), edge.opened, self.seq)
            for edge in edges
        ]
        fresh = [
            Edge(replace(link, recorded=Span(at), reason=reason, actor=actor), self.seq) for link in opening
        ]
        self.edges[id] = (*left, *fresh)

    def undo(
        self, first: int, ids: Sequence[str], now: datetime, reason: str, actor: str = ""
    ) -> tuple[int, ...]:
        """Undo the newest set of changes, given by its first event and the ids it is about; return the new events."""
        began = self.seq
        for id in ids:
            self.seq += 1
            if id in self.edges:
                self._undo_link(id, first, now, reason, actor)
                continue
            rows = self.rows[id]
            ending = [row for row in rows if row.opened >= first and not row.closed]
            coming = [row.memory for row in rows if row.closed >= first > row.opened]
            stay = [_content(memory) for memory in coming]
            left = [_content(row.memory) for row in ending]
            self._write(
                id,
                [row for row in ending if _content(row.memory) not in stay],
                [memory for memory in coming if _content(memory) not in left],
                now,
                reason,
                actor,
            )
        return tuple(range(began + 1, self.seq + 1))

    def _undo_link(self, id: str, first: int, now: datetime, reason: str, actor: str) -> None:
        edges = self.edges[id]
        ending = [edge for edge in edges if edge.opened >= first and not edge.closed]
        coming = [edge.link for edge in edges if edge.closed >= first > edge.opened]
        stay = [_content(link) for link in coming]
        left = [_content(edge.link) for edge in ending]
        self._rewrite(
            id,
            [edge for edge in ending if _content(edge.link) not in stay],
            [link for link in coming if _content(link) not in left],
            now,
            reason,
            actor,
        )

    def erase(self, id: str) -> None:
        """Forget a memory with its links, whatever they were."""
        del self.rows[id]
        self.ends.pop(id, None)
        for name, edges in list(self.edges.items()):
            if id in (edges[0].link.source, edges[0].link.target):
                del self.edges[name]

    def _known(self, id: str) -> tuple[Row, ...]:
        if id not in self.rows:
            raise Refused(f"no memory {id}")
        return self.rows[id]

    def _believed(self, id: str, version: int | None, moment: datetime) -> list[Row]:
        believed = [row for row in self._known(id) if not row.closed]
        if version is not None and version not in {row.memory.version for row in believed}:
            raise Refused(f"{id} is not at version {version}")
        return [row for row in believed if row.after(utc(moment))] or believed

    # Reading

    def history(self, id: str) -> list[Memory]:
        """Return every version of a memory."""
        return [row.memory for row in self.rows.get(id, ())]

    def get(
        self, id: str, now: datetime, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Memory | None:
        """Return what a memory says; None when it says nothing."""
        holding = [memory for memory in self.history(id) if _holds(memory, now, as_of, known_at)]
        if self._expired(id, now):
            return None
        return min(holding, key=lambda memory: memory.valid.start, default=None)

    def list(
        self, now: datetime, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> list[Memory]:
        """Return what each memory says, in the order of ids."""
        found = (self.get(id, now, as_of, known_at) for id in sorted(self.rows))
        return [memory for memory in found if memory is not None]

    def visible(
        self, now: datetime, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> list[Memory]:
        """Return every version that may be found: of one memory also what will be true later."""
        every = (row.memory for rows in self.rows.values() for row in rows)
        return [
            memory
            for memory in every
            if _holds(memory, now, as_of, known_at) and not self._expired(memory.id, now)
        ]

    def _expired(self, id: str, now: datetime) -> bool:
        end = self.ends.get(id)
        return end is not None and end <= now

    def links(
        self, now: datetime, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> dict[tuple[str, datetime], Link]:
        """Return the links that hold, by id and start."""
        every = (edge.link for edges in self.edges.values() for edge in edges)
        return {(link.id, link.valid.start): link for link in every if _holds(link, now, as_of, known_at)}

    def scopes(self) -> set[Scope]:
        """Return every scope that was ever written to."""
        return {row.memory.scope for rows in self.rows.values() for row in rows}


def _before(row: Row, at: datetime) -> list[Memory]:
    """Return what of a row is left before a time."""
    if row.starts >= at:
        return []
    return [replace(row.memory, valid=Span(row.starts, at))]


def _content(one: Memory | Link) -> Memory | Link:
    """Return what a version says, without when, why and by whom it was written; two that say the same stay one."""
    if isinstance(one, Memory):
        return replace(one, version=0, recorded=one.valid, reason="", actor="")
    return replace(one, recorded=one.valid, reason="", actor="")


def _closed(row: Row, at: datetime, seq: int) -> Row:
    return Row(replace(row.memory, recorded=Span(row.memory.recorded.start, at)), row.opened, seq)


def _holds(one: Memory | Link, now: datetime, as_of: datetime | None, known_at: datetime | None) -> bool:
    believed = one.recorded.end is None if known_at is None else one.recorded.holds(known_at)
    if as_of is None:
        return believed and (one.valid.end is None or one.valid.end > now)
    return believed and one.valid.holds(as_of)


def _put_back(
    held: dict[str, tuple[Row, ...]] | dict[str, tuple[Edge, ...]],
    before: Mapping[str, tuple[Row, ...] | None] | Mapping[str, tuple[Edge, ...] | None],
) -> None:
    for id, rows in before.items():
        if rows is None:
            held.pop(id, None)
        else:
            held[id] = rows  # pyright: ignore[reportArgumentType] - of the kind that `held` holds
