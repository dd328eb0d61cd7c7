"""Proving that nothing was changed behind the log's back: the chain, and every row against its event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from simonides.clock import FOREVER
from simonides.ledger import events
from simonides.ledger.events import GENESIS
from simonides.ledger.rows import LINK, SCOPED, Edge, Version, link_digest, memory_digest
from simonides.ledger.sql import Connection
from simonides.types import Scope

MOST_PROBLEMS = 100
"""After so many, `verify` stops looking."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing the log found.

    Attributes:
        events: how many there are.
        head: digest of the newest one, hexadecimal; keep it elsewhere to prove later that nothing was cut off.
        problems: what does not fit, at most `MOST_PROBLEMS`; empty when all is well.
    """

    events: int
    head: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Tell whether nothing was found."""
        return not self.problems


def verify(connection: Connection) -> Verification:
    """Recompute the chain and compare every version of every memory and link with the hash in its event."""
    count, head = 0, GENESIS
    found: list[str] = []
    try:
        count, head, broken = _chain(connection)
        found.extend(islice(_all_problems(connection, broken), MOST_PROBLEMS))
    except (AttributeError, TypeError, ValueError) as err:
        found.append(f"a row holds values of types that are never written: {err}")
    return Verification(count, head.hex(), tuple(found))


def _chain(connection: Connection) -> tuple[int, bytes, list[str]]:
    before, count, expected, problems = GENESIS, 0, 1, list[str]()
    for row in events.entries(connection):
        count += 1
        if row.seq != expected and len(problems) < MOST_PROBLEMS:
            problems.append(f"event {row.seq}: should be number {expected}; an event is missing")
        if events.digest_after(before, row) != row.digest and len(problems) < MOST_PROBLEMS:
            problems.append(
                f"event {row.seq}: its digest does not follow from its content and the event before it"
            )
        before, expected = row.digest, row.seq + 1
    return count, before, problems


def _all_problems(connection: Connection, broken: list[str]) -> Iterator[str]:
    yield from broken
    yield from _memory_problems(connection)
    yield from _link_problems(connection)
    yield from _missing_rows(connection)
    yield from _blanked(connection)


def _memory_problems(connection: Connection) -> Iterator[str]:
    query = f"""SELECT {SCOPED}, o.payload, o.subject, c.payload, c.subject FROM memory m
        LEFT JOIN scope s ON s.scope = m.scope
        LEFT JOIN event o ON o.seq = m.opened LEFT JOIN event c ON c.seq = m.closed ORDER BY m.row"""
    width = len(Version._fields)
    for columns in _rows(connection, query):
        row = Version._make(columns[:width])
        scope = Scope(*("" if field is None else field for field in columns[width : width + 4]))
        yield from _row_problems("memory", row, memory_digest(row, scope), columns[width + 4 :])


def _link_problems(connection: Connection) -> Iterator[str]:
    query = f"""SELECT {LINK}, o.payload, o.subject, c.payload, c.subject FROM link l
        LEFT JOIN event o ON o.seq = l.opened LEFT JOIN event c ON c.seq = l.closed ORDER BY l.row"""
    width = len(Edge._fields)
    for columns in _rows(connection, query):
        row = Edge._make(columns[:width])
        yield from _row_problems("link", row, link_digest(row), columns[width:])


def _row_problems(noun: str, row: Version | Edge, digest: str, logged: tuple[Any, ...]) -> Iterator[str]:
    opened_payload, opened_subject, closed_payload, closed_subject = logged
    name = f"{noun} {row.id.hex()} version {row.version}"
    if opened_subject != row.id:
        yield f"{name}: no event says that it was written"
    elif opened_payload is not None and events.deeds_of(opened_payload)[0].get(str(row.version)) != digest:
        yield f"{name}: its content is not what event {row.opened} says was written"
    if row.closed is None:
        if row.recorded_to != FOREVER:
            yield f"{name}: is not believed any more, but no event says so"
    elif closed_subject != row.id:
        yield f"{name}: no event says that it was closed"
    elif (
        closed_payload is not None
        and events.deeds_of(closed_payload)[1].get(str(row.version)) != row.recorded_to
    ):
        yield f"{name}: event {row.closed} says that it was believed until another time"


def _missing_rows(connection: Connection) -> Iterator[str]:
    """Compare how many versions each event opened and closed with the rows that name it."""
    query = """WITH written (seq, opened, closed) AS (
            SELECT opened, 1, 0 FROM memory UNION ALL SELECT closed, 0, 1 FROM memory WHERE closed IS NOT NULL
            UNION ALL SELECT opened, 1, 0 FROM link UNION ALL SELECT closed, 0, 1 FROM link WHERE closed IS NOT NULL),
        counted AS (SELECT seq, count(*) FILTER (WHERE opened = 1) AS opened,
            count(*) FILTER (WHERE closed = 1) AS closed FROM written GROUP BY seq)
        SELECT e.seq, e.subject, e.payload, coalesce(c.opened, 0), coalesce(c.closed, 0)
        FROM event e LEFT JOIN counted c ON c.seq = e.seq WHERE e.payload IS NOT NULL ORDER BY e.seq"""
    for seq, subject, payload, opened, closed in _rows(connection, query):
        said_opened, said_closed = events.deeds_of(payload)
        if len(said_opened) != opened or len(said_closed) != closed:
            yield f"event {seq}: what it wrote about {subject.hex()} is not there"


def _blanked(connection: Connection) -> Iterator[str]:
    """Look for events whose payload is gone although nothing says that what they are about was erased."""
    query = """SELECT e.seq FROM event e WHERE e.payload IS NULL AND NOT EXISTS (
        SELECT 1 FROM event x WHERE x.subject = e.subject AND x.verb = 'erase' AND x.seq > e.seq) ORDER BY e.seq"""
    for (seq,) in _rows(connection, query):
        yield f"event {seq}: its payload is gone, but no event says that what it is about was erased"


def _rows(connection: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    cursor = connection.execute(query)
    while rows := cursor.fetchmany(2000):
        yield from rows
