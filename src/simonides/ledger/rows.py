"""The rows of memories and links as tuples: their columns, their digests, and the nouns made of them; runs no SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from simonides.clock import FOREVER, Span, instant, until
from simonides.errors import NotFound, StoreUnusable, TimeError
from simonides.ledger.canonical import decode, encode, short_hash
from simonides.types import Json, Link, Memory, Scope, Source


class Version(NamedTuple):
    """One row of the table memory, columns in their order."""

    row: int
    id: bytes
    version: int
    kind: str
    scope: int
    speaker: str
    text: str
    valid_from: int
    valid_to: int
    recorded_from: int
    recorded_to: int
    zone: str
    confidence: float
    importance: float
    metadata: str | None
    attributes: str | None
    source: str | None
    reason: str
    actor: str
    opened: int
    closed: int | None


class Edge(NamedTuple):
    """One row of the table link, columns in their order."""

    row: int
    id: bytes
    version: int
    source: bytes
    target: bytes
    relation: str
    valid_from: int
    valid_to: int
    recorded_from: int
    recorded_to: int
    weight: float
    evidence: str
    reason: str
    actor: str
    opened: int
    closed: int | None


class Fresh(NamedTuple):
    """One version as an index in memory needs it; times in microseconds, `length` in characters.

    `words` and `tokens` are None while a `reindex` is under way; `expires` is when the memory is to be gone,
    `born` when its first version was written: what retention rules count from.
    """

    row: int
    scope: int
    kind: str
    speaker: str
    valid_from: int
    valid_to: int
    recorded_from: int
    recorded_to: int
    words: bytes | None
    tokens: bytes | None
    length: int
    version: int
    expires: int = FOREVER
    born: int = 0


MEMORY = ", ".join(f"m.{name}" for name in Version._fields)
"""The columns of `Version`, for a table called m."""
SCOPED = f'{MEMORY}, s."user", s.agent, s.session, s.project'
"""The columns of `Version` and of its scope, for tables called m and s."""
LINK = ", ".join(f"l.{name}" for name in Edge._fields)
"""The columns of `Edge`, for a table called l."""
INSERT_MEMORY = (
    f"INSERT INTO memory ({', '.join(Version._fields)}) VALUES ({', '.join('?' * len(Version._fields))})"
)
INSERT_LINK = f"INSERT INTO link ({', '.join(Edge._fields)}) VALUES ({', '.join('?' * len(Edge._fields))})"


def memory_digest(row: Version, scope: Scope) -> str:
    """Return the short hash over all of a version that never changes: everything but the end of its recorded time."""
    return short_hash(
        encode(
            [
                row.id.hex(),
                row.version,
                row.kind,
                [scope.user, scope.agent, scope.session, scope.project],
                row.speaker,
                row.text,
                row.valid_from,
                row.valid_to,
                row.recorded_from,
                row.zone,
                row.confidence,
                row.importance,
                row.metadata,
                row.attributes,
                row.source,
                row.reason,
                row.actor,
            ]
        )
    )


def link_digest(row: Edge) -> str:
    """Return the short hash over all of a link's version that never changes."""
    facts = [row.id.hex(), row.version, row.source.hex(), row.target.hex(), *row[5:9], *row[10:14]]
    return short_hash(encode(facts))


def span(start: int, end: int) -> Span:
    """Return stored microseconds as a span."""
    try:
        return Span(instant(start), until(end))
    except TimeError as err:
        raise StoreUnusable("store", "holds a damaged span", str(err), "Run `simonides doctor`.") from err


def memory_of(columns: tuple[object, ...]) -> Memory:
    """Return the noun for a row of `SCOPED`."""
    row = Version._make(columns[: len(Version._fields)])
    return memory_with(row, Scope(*columns[len(Version._fields) :]))  # pyright: ignore[reportArgumentType] - SCOPED names texts


def memory_with(row: Version, scope: Scope) -> Memory:
    """Return the noun for a row and its scope."""
    return Memory(
        id=row.id.hex(),
        kind=row.kind,
        text=row.text,
        scope=scope,
        valid=span(row.valid_from, row.valid_to),
        recorded=span(row.recorded_from, row.recorded_to),
        version=row.version,
        speaker=row.speaker,
        source=None if row.source is None else source_of(decode(row.source)),
        zone=row.zone,
        confidence=row.confidence,
        importance=row.importance,
        metadata=decode(row.metadata),
        attributes=decode(row.attributes),
        reason=row.reason,
        actor=row.actor,
    )


def source_of(facts: Mapping[str, Json]) -> Source:
    """Return the noun for what the column source holds."""
    place = facts.get("span")
    return Source(
        name=str(facts.get("name", "")),
        memory=str(facts.get("memory", "")),
        span=(int(place[0]), int(place[1])) if isinstance(place, list) else None,  # pyright: ignore[reportArgumentType] - numbers, as written
        modality=str(facts.get("modality", "asserted")),
    )


def link_of(columns: Iterable[object]) -> Link:
    """Return the noun for a row of `LINK`."""
    row = Edge._make(columns)
    return Link(
        id=row.id.hex(),
        source=row.source.hex(),
        target=row.target.hex(),
        relation=row.relation,
        valid=span(row.valid_from, row.valid_to),
        recorded=span(row.recorded_from, row.recorded_to),
        weight=row.weight,
        evidence=row.evidence,
        reason=row.reason,
        actor=row.actor,
    )


def moment_sql(alias: str, as_of: int | None, known_at: int | None, now: int) -> tuple[str, tuple[int, ...]]:
    """Return the condition for *true then* and *believed then*.

    `as_of` None asks for what has not ended by `now`; `known_at` None for what is believed still.
    """
    if as_of is None:
        condition, values = f"{alias}.valid_to > ?", (now,)
    else:
        condition, values = f"{alias}.valid_from <= ? AND ? < {alias}.valid_to", (as_of, as_of)
    if known_at is None:
        return f"{condition} AND {alias}.recorded_to = {FOREVER}", values
    believed = f"{alias}.recorded_from <= ? AND ? < {alias}.recorded_to"
    return f"{condition} AND {believed}", (*values, known_at, known_at)


def no_memory(id: bytes) -> NotFound:
    """Return the error for an id that no memory has."""
    return NotFound(f"memory {id.hex()}", "no such memory in this store", "", "`list` shows what there is.")
