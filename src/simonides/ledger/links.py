"""Typed edges between memories on two clocks: writing inside a batch, reading, and neighbours at a distance.

Knows the table link; knows no text of a memory. A link's ends are memories that exist, believed or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from simonides.clock import FOREVER, parse_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger import counters
from simonides.ledger.events import Deed
from simonides.ledger.rows import INSERT_LINK, LINK, Edge, link_digest, link_of, no_memory
from simonides.ledger.rules import Ready, checked_count
from simonides.ledger.sql import Connection
from simonides.types import Connect, Disconnect, Link

if TYPE_CHECKING:
    from simonides.ledger.memories import Batch

Holding: TypeAlias = tuple[str, tuple[int, ...]]
"""A condition on the clocks of the table l, and its parameters; see `rows.moment_sql`."""
_CHUNK = 500
"""Ids looked up by one statement; SQLite's smallest limit on parameters is 999."""
_MEMORY_EXISTS = "SELECT 1 FROM memory WHERE id = ? LIMIT 1"


def connect(batch: Batch, ready: Ready, change: Connect) -> None:
    """Write a new link between two memories that exist.

    Raises:
        NotFound: one of them doesn't.
        Conflict: the link's id is taken.
    """
    assert ready.at is not None
    source, target = parse_id(change.source), parse_id(change.target)
    for end in (source, target):
        if batch.connection.execute(_MEMORY_EXISTS, (end,)).fetchone() is None:
            raise no_memory(end)
    if batch.connection.execute("SELECT 1 FROM link WHERE id = ? LIMIT 1", (ready.id,)).fetchone():
        raise Conflict(
            f"link {ready.id.hex()}", "its id is taken already", "", "Draw a new one (clock.new_id())."
        )
    edge = Edge(
        row=0,
        id=ready.id,
        version=0,
        source=source,
        target=target,
        relation=change.relation,
        valid_from=ready.at,
        valid_to=FOREVER,
        recorded_from=0,
        recorded_to=FOREVER,
        weight=float(change.weight),
        evidence=change.evidence,
        reason="",
        actor="",
        opened=0,
        closed=None,
    )
    deed = Deed("link", ready.id, change.reason)
    deed.facts = {"relation": change.relation, "source": source.hex(), "target": target.hex()}
    record(batch, (), (edge,), deed)


def disconnect(batch: Batch, ready: Ready, change: Disconnect) -> None:
    """End a link at a time.

    Raises:
        NotFound: there is no such link.
        InputError: it has ended by then already.
    """
    assert ready.at is not None
    at = ready.at
    query = f"SELECT {LINK} FROM link l WHERE l.id = ? ORDER BY l.version"
    rows = [Edge._make(row) for row in batch.connection.execute(query, (ready.id,)).fetchall()]
    if not rows:
        raise NotFound(f"link {ready.id.hex()}", "no such link in this store", "", "`links` lists them.")
    believed = [row for row in rows if row.recorded_to == FOREVER and row.valid_to > at]
    if not believed:
        raise InputError(f"link {ready.id.hex()}", "has ended already", "", "There is nothing left to end.")
    kept = [row._replace(valid_to=at) for row in believed if row.valid_from < at]
    record(batch, believed, kept, Deed("unlink", ready.id, change.reason, facts={"at": at}))


def record(batch: Batch, close: Sequence[Edge], opened: Sequence[Edge], deed: Deed) -> None:
    """Write what of one link stops and begins to be believed, and its event; recorded time never runs backwards."""
    query = f"""SELECT max(version), max(recorded_from), max(CASE WHEN recorded_to < {FOREVER} THEN recorded_to END)
        FROM link WHERE id = ?"""
    version, began, ended = batch.connection.execute(query, (deed.subject,)).fetchone()
    version, at = version or 0, max(batch.now, began or batch.now, ended or batch.now)
    seq = batch.next_seq
    for row in close:
        batch.connection.execute(
            "UPDATE link SET recorded_to = ?, closed = ? WHERE row = ?", (at, seq, row.row)
        )
        deed.closed[str(row.version)] = at
    for content in opened:
        version += 1
        edge = content._replace(
            version=version,
            recorded_from=at,
            recorded_to=FOREVER,
            reason=deed.reason,
            actor=batch.actor,
            opened=seq,
            closed=None,
        )
        row = counters.draw(batch.connection, "link")
        batch.connection.execute(INSERT_LINK, (row, *edge[1:]))
        deed.opened[str(version)] = link_digest(edge)
    batch.log(deed)


def read(
    connection: Connection, *, of: str | None, relation: str | None, moment: Holding, limit: int
) -> list[Link]:
    """Return links that hold at a moment, oldest first; `of` is one of their ends."""
    limit = checked_count(limit, "limit")
    condition, values = moment
    parameters: list[object] = [*values]
    if of is not None:
        condition += " AND (l.source = ? OR l.target = ?)"
        parameters += [parse_id(of)] * 2
    if relation is not None:
        condition += " AND l.relation = ?"
        parameters.append(relation)
    query = f"SELECT {LINK} FROM link l WHERE {condition} ORDER BY l.row LIMIT ?"
    return [link_of(row) for row in connection.execute(query, (*parameters, limit)).fetchall()]


def neighbours(
    connection: Connection, id: bytes, *, hops: int, relation: str | None, moment: Holding
) -> dict[str, int]:
    """Return the memories that can be reached over at most `hops` links, in either direction, with their distance."""
    checked_count(hops, "hops")
    if connection.execute(_MEMORY_EXISTS, (id,)).fetchone() is None:
        raise no_memory(id)
    condition, values = moment[0], list[object](moment[1])
    if relation is not None:
        condition += " AND l.relation = ?"
        values.append(relation)
    found, edge = {id: 0}, [id]
    for distance in range(1, hops + 1):
        reached: set[bytes] = set()
        for start in range(0, len(edge), _CHUNK):
            chunk = edge[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            for here, there in (("source", "target"), ("target", "source")):
                query = f"SELECT l.{there} FROM link l WHERE l.{here} IN ({marks}) AND {condition}"
                reached.update(row[0] for row in connection.execute(query, (*chunk, *values)).fetchall())
        edge = [each for each in reached if each not in found]
        if not edge:
            break
        found.update(dict.fromkeys(edge, distance))
    del found[id]
    return {
        each.hex(): distance for each, distance in sorted(found.items(), key=lambda item: (item[1], item[0]))
    }
