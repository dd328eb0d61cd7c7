"""The append-only log: each entry holds the hash of the one before; knows no memory text.

A payload names each version that the change opened, with a hash of its content, and each one it closed. It also holds
a random salt, so that after its erasure nobody can find out what it said by guessing.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from typing import NamedTuple

from simonides.clock import instant, parse_id
from simonides.ledger.canonical import decode, encode
from simonides.ledger.rules import checked_count
from simonides.ledger.sql import Connection
from simonides.types import Event, Json

GENESIS = bytes(32)
"""What the first event names as the digest before it."""
ERASE = "erase"
"""Verb of the entries that say that a memory or a link was erased."""
_SALT_BYTES = 12
COLUMNS = "seq, at, actor, verb, subject, payload, payload_hash, digest"
INSERT = f"INSERT INTO event ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Entry(NamedTuple):
    """One row of the table event; `payload_hash` is held only where the payload was redacted."""

    seq: int
    at: int
    actor: str
    verb: str
    subject: bytes
    payload: str | None
    payload_hash: bytes | None
    digest: bytes


@dataclass(slots=True)
class Deed:
    """What one change did, on its way into the log.

    Attributes:
        opened: version number to content hash.
        closed: version number to the microsecond at which it stopped being believed.
        facts: what else the payload says; never text of a memory.
    """

    verb: str
    subject: bytes
    reason: str
    opened: dict[str, str] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Json] = field(default_factory=dict)

    def payload(self) -> str:
        """Return it as canonical JSON with a new salt."""
        salt = urlsafe_b64encode(token_bytes(_SALT_BYTES)).decode()
        value: dict[str, object] = {"reason": self.reason, "salt": salt, **self.facts}
        if self.opened:
            value["opened"] = self.opened
        if self.closed:
            value["closed"] = self.closed
        return encode(value)


def head(connection: Connection) -> tuple[int, bytes]:
    """Return number and digest of the newest event; (0, GENESIS) for an empty log."""
    row = connection.execute("SELECT seq, digest FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, GENESIS)


def entry(seq: int, before: bytes, at: int, actor: str, deed: Deed) -> Entry:
    """Return the row of the next event."""
    payload = deed.payload()
    digest = chained(before, seq, at, actor, deed.verb, deed.subject, sha256(payload.encode()).digest())
    return Entry(seq, at, actor, deed.verb, deed.subject, payload, None, digest)


def chained(
    before: bytes, seq: int, at: int, actor: str, verb: str, subject: bytes, payload_hash: bytes
) -> bytes:
    """Return the digest of an event: SHA-256 over the digest before it and its own canonical JSON."""
    return sha256(
        before + encode([seq, at, actor, verb, subject.hex(), payload_hash.hex()]).encode()
    ).digest()


def digest_after(before: bytes, row: Entry) -> bytes:
    """Return the digest that a stored event should have."""
    payload_hash = row.payload_hash if row.payload is None else sha256(row.payload.encode()).digest()
    return chained(before, row.seq, row.at, row.actor, row.verb, row.subject, payload_hash or b"")


def entries(connection: Connection, batch: int = 5000) -> Iterator[Entry]:
    """Iterate over the whole log in order."""
    cursor = connection.execute(f"SELECT {COLUMNS} FROM event ORDER BY seq")
    while rows := cursor.fetchmany(batch):
        yield from map(Entry._make, rows)


def read(connection: Connection, after: int, limit: int, subject: str) -> list[Event]:
    """Return events in order, `subject` (an id) empty for all."""
    checked_count(limit, "limit")
    wanted = (parse_id(subject),) if subject else ()
    condition = "AND subject = ?" if wanted else ""
    query = f"SELECT {COLUMNS} FROM event WHERE seq > ? {condition} ORDER BY seq LIMIT ?"
    rows: Sequence[tuple[object, ...]] = connection.execute(query, (after, *wanted, limit)).fetchall()
    return [event_of(Entry._make(row)) for row in rows]


def event_of(row: Entry) -> Event:
    """Return the noun for a row."""
    return Event(
        seq=row.seq,
        at=instant(row.at),
        actor=row.actor,
        verb=row.verb,
        subject=row.subject.hex(),
        payload=None if row.payload is None else decode(row.payload),
        digest=row.digest.hex(),
    )


def deeds_of(payload: str) -> tuple[Mapping[str, str], Mapping[str, int]]:
    """Return the versions that a payload says were opened and closed; empty where it can't be read."""
    try:
        value = json.loads(payload)
        return dict(value.get("opened", {})), dict(value.get("closed", {}))
    except (ValueError, AttributeError, TypeError):
        return {}, {}
