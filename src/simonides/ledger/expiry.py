"""When one memory expires, and what it takes to be shown still; knows the tables expiry and retention, no change.

An end is never taken away, only moved to *never*, under a new serial number, so that every index hears of it.
"""

from __future__ import annotations

from simonides.ledger import counters
from simonides.ledger.sql import Connection

SECOND = 1_000_000
FITS = """(t.kind = '' OR t.kind = m.kind) AND (t."user" = '' OR t."user" = s."user")
    AND (t.agent = '' OR t.agent = s.agent) AND (t.session = '' OR t.session = s.session)
    AND (t.project = '' OR t.project = s.project)"""
"""Condition for a rule t that is about the memory m in its scope s."""
KEPT = f"""NOT EXISTS (SELECT 1 FROM expiry y WHERE y.id = m.id AND y.at <= ?)
    AND NOT EXISTS (SELECT 1 FROM retention t WHERE {FITS}
        AND (SELECT b.recorded_from FROM memory b WHERE b.id = m.id AND b.version = 1) + t.seconds * {SECOND} <= ?)"""
"""Condition on the tables m (memory) and s (its scope) for what has not expired; takes the present time twice."""


def set_expiry(connection: Connection, id: bytes, at: int, action: str) -> None:
    """Give a memory its end; FOREVER for never."""
    connection.execute("DELETE FROM expiry WHERE id = ?", (id,))
    serial = counters.draw(connection, "expiry")
    insert = "INSERT INTO expiry (serial, id, at, action) VALUES (?, ?, ?, ?)"
    connection.execute(insert, (serial, id, at, action))


def expiry(connection: Connection, id: bytes) -> tuple[int, str] | None:
    """Return when a memory expires and what is done then; None when nobody ever said."""
    row = connection.execute("SELECT at, action FROM expiry WHERE id = ?", (id,)).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))
