"""Erasing for good: one transaction over every table, and the receipt for it; knows no file.

The log keeps the entries about what is gone, without their payloads: the hash of each stays, so the chain still
verifies, and one more entry for each memory and link says that it was erased. No text goes anywhere else.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

from simonides.clock import instant, micros
from simonides.ledger import counters, meta, replays
from simonides.ledger.canonical import decode, encode
from simonides.ledger.events import ERASE, Deed
from simonides.ledger.memories import Batch
from simonides.ledger.selection import IDS, IN_ROWS, Doomed, portions
from simonides.ledger.sql import Connection, numbers
from simonides.types import Erasure

PENDING = "pending"
"""Key in the table meta: what is still to be done outside the tables before the words are gone, see `remains`."""
_KEY = "receipt_key"
_KEY_BYTES = 32
_HIDDEN_DIGITS = 32
_EXAMPLES = 5
_EXAMPLE_CHARACTERS = 120
_ORIGIN = "import"
"""The metadata by which an importer knows again what it brought; a keyed hash of it outlives the memory."""


def erase(batch: Batch, doomed: Doomed, *, reason: str) -> Erasure:
    """Erase what was chosen from every table, in the transaction of `batch`; the receipt is not signed yet."""
    connection = batch.connection
    if connection.dialect.name == "sqlite":
        connection.execute("PRAGMA secure_delete = ON")
    versions = _versions(connection, doomed.memories)
    rows = [row for row, _, _ in versions]
    examples = _examples(connection, rows)
    counts = {"memories": len(doomed.memories), "links": len(doomed.links), "derived": len(doomed.derived)}
    counts["bytes"] = _bytes(connection, rows)
    origins = _origins(connection, rows)
    counts |= _delete(connection, rows, doomed)
    counts["scopes"] = _drop_scopes(connection, {scope for _, _, scope in versions})
    counts["events"] = _redact(connection, [*doomed.memories, *doomed.links])
    if rows:
        serial = counters.draw(connection, "erased", len(rows))
        connection.executemany(
            "INSERT INTO erased (serial, row) VALUES (?, ?)", list(enumerate(rows, serial))
        )
    meta.put(connection, PENDING, encode(["pages", "log"]))
    replays.forget_requests(connection)
    seq = _log(batch, doomed, origins, counts, reason)
    return Erasure(
        state="erased",
        store=meta.get(connection, "store"),
        at=instant(batch.now),
        actor=batch.actor,
        reason=reason,
        ids=tuple(sorted(id.hex() for id in doomed.memories)),
        links=tuple(sorted(id.hex() for id in doomed.links)),
        derived=len(doomed.derived),
        counts=counts,
        seq=seq,
        digest=batch.head.hex(),
        still_holding=tuple(_naming(connection)) if counts["scopes"] else (),
        examples=examples,
    )


def planned(erasure: Erasure) -> Erasure:
    """Return what would be erased."""
    return replace(erasure, state="planned", seq=0, digest="")


def erased_ids(connection: Connection) -> set[bytes]:
    """Return the ids of all that was ever erased here; nothing but the log remembers them."""
    query = "SELECT DISTINCT subject FROM event WHERE verb = ?"
    return {bytes(row[0]) for row in connection.execute(query, (ERASE,)).fetchall()}


def erased_origins(connection: Connection) -> Callable[[str], bool]:
    """Return what tells whether something that an importer would bring in was erased here."""
    rows = connection.execute("SELECT payload FROM event WHERE verb = ?", (ERASE,)).fetchall()
    known = {str(decode(row[0]).get("origin", "")) for row in rows}
    secret = key(connection)
    return lambda name: bool(secret) and _hidden(name, secret) in known


def _origins(connection: Connection, rows: Sequence[int]) -> dict[bytes, str]:
    """Return what importers know the memories by, hidden: nobody without the store's key can tell what it was."""
    secret = key(connection, make=True)
    query = f"SELECT id, metadata FROM memory WHERE row {IN_ROWS} AND metadata IS NOT NULL"
    named = (
        (bytes(id), decode(text).get(_ORIGIN)) for id, text in _rows(connection, query, (numbers(rows),))
    )
    return {id: _hidden(name, secret) for id, name in named if isinstance(name, str)}


def _hidden(name: str, secret: bytes) -> str:
    return hmac.new(secret, b"origin " + name.encode(), sha256).hexdigest()[:_HIDDEN_DIGITS]


def key(connection: Connection, *, make: bool = False) -> bytes:
    """Return the key that signs receipts, made at its first use; empty where there is none yet."""
    found = meta.get(connection, _KEY)
    if not found and make:
        found = secrets.token_hex(_KEY_BYTES)
        meta.put(connection, _KEY, found)
    return bytes.fromhex(found)


def signature(erasure: Erasure, secret: bytes) -> str:
    """Return HMAC-SHA256 over the canonical JSON of a receipt without its signature."""
    facts = asdict(erasure) | {"at": micros(erasure.at), "counts": dict(erasure.counts)}
    del facts["signature"]
    return hmac.new(secret, encode(facts).encode(), sha256).hexdigest()


def problems(connection: Connection, erasure: Erasure) -> Iterator[str]:
    """Yield what in a receipt doesn't agree with the store; the log itself is proven elsewhere."""
    if erasure.state != "erased":
        yield "receipt: it is a plan, nothing was erased"
        return
    if erasure.store != meta.get(connection, "store"):
        yield f"receipt: it is of another store ({erasure.store})"
        return
    secret = key(connection)
    if not secret or not hmac.compare_digest(signature(erasure, secret), erasure.signature):
        yield "receipt: its signature is not of this store, or something in it was changed"
    query = "SELECT digest FROM event WHERE seq = ? AND verb = ?"
    found = connection.execute(query, (erasure.seq, ERASE)).fetchone()
    if found is None or bytes(found[0]).hex() != erasure.digest:
        yield f"receipt: event {erasure.seq} of the log is not the one that it names"
    for noun, ids in (("memory", erasure.ids), ("link", erasure.links)):
        for id in ids:
            if connection.execute(
                f"SELECT 1 FROM {noun} WHERE id = ? LIMIT 1", (bytes.fromhex(id),)
            ).fetchone():
                yield f"{noun} {id}: is in the store again"
            logged = "SELECT 1 FROM event WHERE subject = ? AND verb = ? AND seq <= ? LIMIT 1"
            if connection.execute(logged, (bytes.fromhex(id), ERASE, erasure.seq)).fetchone() is None:
                yield f"{noun} {id}: no event says that it was erased"


def _versions(connection: Connection, ids: set[bytes]) -> list[tuple[int, bytes, int]]:
    """Return (row, id, scope) of all versions, in row order."""
    found: list[tuple[int, bytes, int]] = []
    for marks, some in portions(sorted(ids)):
        found += connection.execute(
            f"SELECT row, id, scope FROM memory WHERE id IN ({marks})", some
        ).fetchall()
    return sorted(found)


def _examples(connection: Connection, rows: Sequence[int]) -> tuple[str, ...]:
    query = f"SELECT text FROM memory WHERE row {IN_ROWS} AND version = 1 ORDER BY row LIMIT ?"
    found = connection.execute(query, (numbers(rows), _EXAMPLES)).fetchall()
    return tuple(row[0][:_EXAMPLE_CHARACTERS] for row in found)


def _bytes(connection: Connection, rows: Sequence[int]) -> int:
    query = f"SELECT text FROM memory WHERE row {IN_ROWS}"
    return sum(len(row[0].encode()) for row in _rows(connection, query, (numbers(rows),)))


def _delete(connection: Connection, rows: Sequence[int], doomed: Doomed) -> dict[str, int]:
    """Delete the rows of all tables; return how many there were, by table."""
    run, whose = connection.execute, numbers(rows)
    counts: dict[str, int] = {}
    inside = f"serial IN (SELECT serial FROM pooled WHERE row {IN_ROWS})"
    counts["codes"] = run(f"DELETE FROM codes WHERE {inside}", (whose,)).rowcount
    for name in ("pooled", "lexical"):
        counts[name] = run(f"DELETE FROM {name} WHERE row {IN_ROWS}", (whose,)).rowcount
    counts["jobs"] = run(f"DELETE FROM job WHERE row {IN_ROWS}", (whose,)).rowcount + _drop_jobs(
        connection, doomed
    )
    counts["calls"] = run("UPDATE call SET detail = '' WHERE detail <> ''").rowcount
    counts["expiries"] = _delete_by_id(connection, "expiry", doomed.memories)
    counts["link_versions"] = _delete_by_id(connection, "link", doomed.links)
    counts["versions"] = run(f"DELETE FROM memory WHERE row {IN_ROWS}", (whose,)).rowcount
    return counts


def _delete_by_id(connection: Connection, table: str, ids: set[bytes]) -> int:
    return sum(
        connection.execute(f"DELETE FROM {table} WHERE id IN ({marks})", some).rowcount
        for marks, some in portions(sorted(ids))
    )


def _drop_jobs(connection: Connection, doomed: Doomed) -> int:
    """Delete the jobs whose payload names one of the ids."""
    gone = {id.hex() for id in (*doomed.memories, *doomed.links)}
    found = connection.execute("SELECT job, payload FROM job WHERE payload IS NOT NULL").fetchall()
    named = [job for job, payload in found if not gone.isdisjoint(IDS.findall(payload))]
    return (
        connection.execute(f"DELETE FROM job WHERE job {IN_ROWS}", (numbers(named),)).rowcount if named else 0
    )


def _drop_scopes(connection: Connection, scopes: set[int]) -> int:
    """Delete scopes that no memory is in any more: their names can be names of people."""
    query = f"""DELETE FROM scope WHERE scope {IN_ROWS}
        AND NOT EXISTS (SELECT 1 FROM memory m WHERE m.scope = scope.scope)"""
    return connection.execute(query, (numbers(sorted(scopes)),)).rowcount


def _naming(connection: Connection) -> Iterator[str]:
    """Yield the rules and credentials that name somebody or something whom no memory is about any more."""
    for table, what, key in (("retention", "retention rule", "rule"), ("credential", "credential", "id")):
        query = f'SELECT {key}, "user", agent, session, project FROM {table} ORDER BY {key}'
        for number, *fields in connection.execute(query).fetchall():
            for name, value in zip(("user", "agent", "session", "project"), fields, strict=True):
                known = f'SELECT 1 FROM scope WHERE "{name}" = ? LIMIT 1'
                if value and connection.execute(known, (value,)).fetchone() is None:
                    which = number if isinstance(number, int) else bytes(number).hex()
                    yield f"{what} {which}, which names a {name} that no memory has"


def _redact(connection: Connection, ids: Sequence[bytes]) -> int:
    """Blank the payloads of all events about these ids; their hashes stay."""
    count = 0
    for marks, some in portions(sorted(ids)):
        query = f"SELECT seq, payload FROM event WHERE subject IN ({marks}) AND payload IS NOT NULL"
        found = connection.execute(query, some).fetchall()
        blank = [(sha256(payload.encode()).digest(), seq) for seq, payload in found]
        connection.executemany("UPDATE event SET payload = NULL, payload_hash = ? WHERE seq = ?", blank)
        count += len(blank)
    return count


def _log(
    batch: Batch, doomed: Doomed, origins: Mapping[bytes, str], counts: dict[str, int], reason: str
) -> int:
    """Write an event for each memory and link; the last one holds the counts. Returns its number."""
    subjects = [(id, "memory") for id in sorted(doomed.memories)] + [
        (id, "link") for id in sorted(doomed.links)
    ]
    seq = 0
    for place, (id, noun) in enumerate(subjects, 1):
        deed = Deed(ERASE, id, reason, facts={"noun": noun})
        if id in origins:
            deed.facts["origin"] = origins[id]
        if place == len(subjects):
            deed.facts["counts"] = {**counts}
        seq = batch.log(deed)
    batch.flush()
    return seq


def _rows(connection: Connection, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
    cursor = connection.execute(query, values)
    while rows := cursor.fetchmany(2000):
        yield from rows
