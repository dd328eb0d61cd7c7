"""Makes a store as an earlier version left it, for processes that are killed while they migrate it; starts none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from simonides.bench.crashing.journal import ENDING, Writer
from simonides.bench.generate import Generator
from simonides.clock import FOREVER, micros, new_id, parse_id
from simonides.ledger import events
from simonides.ledger.events import GENESIS, Deed
from simonides.ledger.migrations import APPLICATION_ID, MIGRATIONS
from simonides.ledger.rows import Version, memory_digest
from simonides.parts import analyse
from simonides.types import Add

SCHEMA = 2
MEMORIES = 1000
ACTOR = "an earlier version"
NAME = "old"
"""What the names of its operations begin with."""
BACKUP = f"memory.db.v{SCHEMA}.backup"
"""What the migration leaves beside the file."""


def make(path: Path, journals: Path) -> None:
    """Make the file, and a journal that says what is in it."""
    writer = Writer(journals / f"{NAME}{ENDING}")
    generator = Generator(3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for step in MIGRATIONS[:SCHEMA]:
            for statement in step.statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO scope (scope) VALUES (1)")
        head = GENESIS
        for number, made in enumerate(generator.memories(MEMORIES), 1):
            change = Add(new_id(), made.text, made.at, speaker=made.speaker, reason=f"{NAME}{number}")
            writer.tried(change.reason, [change])
            head = _insert(connection, number, head, change)
            writer.done(change.reason, (number,))
        connection.execute("COMMIT")
    path.chmod(0o600)
    writer.close()


def _insert(connection: sqlite3.Connection, number: int, head: bytes, change: Add) -> bytes:
    """Write one memory with its words, its place in the backlog and its event; return the digest of the event."""
    now = micros(datetime.now(UTC))
    row = Version(
        row=number,
        id=parse_id(change.id),
        version=1,
        kind=str(change.kind),
        scope=1,
        speaker=change.speaker,
        text=change.text,
        valid_from=micros(change.at),
        valid_to=FOREVER,
        recorded_from=now,
        recorded_to=FOREVER,
        zone=change.zone,
        confidence=1.0,
        importance=0.5,
        metadata=None,
        attributes=None,
        source=None,
        reason=change.reason,
        actor=ACTOR,
        opened=number,
        closed=None,
    )
    columns, marks = ", ".join(row._fields), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO memory ({columns}) VALUES ({marks})", row)
    words = analyse.lexical(change.text)
    connection.execute("INSERT INTO lexical VALUES (?, ?, ?)", (number, words.words, words.tokens))
    connection.execute("INSERT INTO backlog VALUES (?)", (number,))
    digest = memory_digest(row, change.scope)
    deed = Deed("add", row.id, change.reason, {"1": digest}, facts={"kind": row.kind})
    entry = events.entry(number, head, now, ACTOR, deed)
    connection.execute(events.INSERT, entry)
    return entry.digest
