"""The schema as a row of numbered steps that are never edited, and how a file gets to the newest one.

Knows SQL and files; knows no noun of the domain.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simonides.errors import NewerStore, StoreUnusable
from simonides.ledger.drivers import STANDARD, Driver, FileConnection
from simonides.ledger.faults import explain
from simonides.ledger.sql import Connection, SqliteConnection, Taken

APPLICATION_ID = 0x53494D4F
"""The letters SIMO in the header of every file of ours."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `number` is what ``PRAGMA user_version`` says once it is done."""

    number: int
    name: str
    statements: tuple[str, ...]


_TWO_CLOCKS = """
    valid_from INTEGER NOT NULL, valid_to INTEGER NOT NULL,
    recorded_from INTEGER NOT NULL, recorded_to INTEGER NOT NULL"""

MIGRATIONS = (
    Migration(
        1,
        "memories, links, events and what is derived from them",
        (
            """CREATE TABLE scope (
    scope INTEGER PRIMARY KEY,
    user TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT '',
    session TEXT NOT NULL DEFAULT '', project TEXT NOT NULL DEFAULT '',
    UNIQUE (user, agent, session, project))""",
            # What every scan asks for comes first: SQLite reads a long text page by page to reach what is behind it.
            f"""CREATE TABLE memory (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL, version INTEGER NOT NULL, kind TEXT NOT NULL, scope INTEGER NOT NULL REFERENCES scope,
    {_TWO_CLOCKS},
    opened INTEGER NOT NULL, closed INTEGER,
    zone TEXT NOT NULL, confidence REAL NOT NULL, importance REAL NOT NULL,
    speaker TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
    source TEXT, metadata TEXT, attributes TEXT, text TEXT NOT NULL,
    UNIQUE (id, version))""",
            "CREATE INDEX memory_scope ON memory (scope)",
            "CREATE INDEX memory_closed ON memory (closed) WHERE closed IS NOT NULL",
            f"""CREATE TABLE link (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL, version INTEGER NOT NULL,
    source BLOB NOT NULL, target BLOB NOT NULL, relation TEXT NOT NULL,
    {_TWO_CLOCKS},
    weight REAL NOT NULL, evidence TEXT NOT NULL,
    reason TEXT NOT NULL, actor TEXT NOT NULL,
    opened INTEGER NOT NULL, closed INTEGER,
    UNIQUE (id, version))""",
            "CREATE INDEX link_source ON link (source)",
            "CREATE INDEX link_target ON link (target)",
            """CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, subject BLOB NOT NULL,
    payload TEXT, payload_hash BLOB, digest BLOB NOT NULL)""",
            """CREATE TABLE model (
    model INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE)""",
            """CREATE TABLE lexical (
    row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
    words BLOB NOT NULL, tokens BLOB NOT NULL)""",
            """CREATE TABLE pooled (
    row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES model, serial INTEGER NOT NULL UNIQUE,
    vector BLOB NOT NULL)""",
            """CREATE TABLE codes (
    row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
    states BLOB NOT NULL, tokens BLOB NOT NULL)""",
            "CREATE TABLE backlog (row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE)",
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        2,
        "find the events of one memory without reading the whole log",
        ("CREATE INDEX event_subject ON event (subject)",),
    ),
    Migration(
        3,
        "jobs, calls, expiry and retention, erased rows, codes of several models, numbers never reused",
        (
            "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
            """INSERT INTO counter (name, value)
    SELECT 'memory', max(coalesce((SELECT max(row) FROM memory), 0),
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'memory'), 0))
    UNION ALL SELECT 'link', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'link'), 0)
    UNION ALL SELECT 'scope', coalesce((SELECT max(scope) FROM scope), 0)
    UNION ALL SELECT 'model', coalesce((SELECT max(model) FROM model), 0)
    UNION ALL SELECT 'serial', coalesce((SELECT max(serial) FROM pooled), 0)
    UNION ALL SELECT 'epoch', coalesce((SELECT value FROM meta WHERE key = 'epoch'), 0)
    UNION ALL SELECT 'erased', 0 UNION ALL SELECT 'expiry', 0 UNION ALL SELECT 'rules', 0""",
            "DELETE FROM meta WHERE key = 'epoch'",
            "INSERT INTO meta (key, value) VALUES ('store', lower(hex(randomblob(16))))",
            "INSERT INTO meta (key, value) SELECT 'model', model FROM pooled LIMIT 1",
            "ALTER TABLE pooled RENAME TO pooled_before",
            "ALTER TABLE codes RENAME TO codes_before",
            # A serial is the rowid: what is new is read in the order of the file, and codes of two models can be there.
            """CREATE TABLE pooled (
    serial INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model, row INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
    vector BLOB NOT NULL,
    UNIQUE (row, model))""",
            """CREATE TABLE codes (
    serial INTEGER PRIMARY KEY REFERENCES pooled ON DELETE CASCADE,
    states BLOB NOT NULL, tokens BLOB NOT NULL)""",
            "INSERT INTO pooled SELECT serial, model, row, vector FROM pooled_before",
            """INSERT INTO codes SELECT p.serial, c.states, c.tokens
    FROM codes_before c JOIN pooled_before p ON p.row = c.row""",
            "DROP TABLE codes_before",
            "DROP TABLE pooled_before",
            """CREATE TABLE job (
    job INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, row INTEGER REFERENCES memory ON DELETE CASCADE, payload TEXT,
    priority INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'waiting', reason TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL DEFAULT 0)""",
            "CREATE INDEX job_next ON job (kind, state, priority, due)",
            "CREATE INDEX job_row ON job (row) WHERE row IS NOT NULL",
            "INSERT INTO job (kind, row) SELECT 'read', row FROM backlog ORDER BY row",
            "DROP TABLE backlog",
            """CREATE TABLE call (
    call INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL, job INTEGER,
    prompt_tokens INTEGER NOT NULL, reply_tokens INTEGER NOT NULL, cost REAL NOT NULL, seconds REAL NOT NULL,
    ok INTEGER NOT NULL, detail TEXT NOT NULL DEFAULT '')""",
            "CREATE INDEX call_at ON call (at)",
            """CREATE TABLE expiry (
    serial INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, action TEXT NOT NULL)""",
            """CREATE TABLE retention (
    rule INTEGER PRIMARY KEY,
    kind TEXT NOT NULL DEFAULT '', "user" TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT '',
    session TEXT NOT NULL DEFAULT '', project TEXT NOT NULL DEFAULT '',
    seconds INTEGER NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL)""",
            "CREATE TABLE erased (serial INTEGER PRIMARY KEY, row INTEGER NOT NULL)",
        ),
    ),
    Migration(
        4,
        "credentials of those who come over a network, and receipts of requests that may come again",
        (
            """CREATE TABLE credential (
    id BLOB PRIMARY KEY, name TEXT NOT NULL,
    "user" TEXT NOT NULL DEFAULT '', agent TEXT NOT NULL DEFAULT '',
    session TEXT NOT NULL DEFAULT '', project TEXT NOT NULL DEFAULT '',
    rights TEXT NOT NULL, digest BLOB NOT NULL, former BLOB, former_until INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER, revoked INTEGER) WITHOUT ROWID""",
            """CREATE TABLE replay (
    key BLOB NOT NULL, part INTEGER NOT NULL, at INTEGER NOT NULL, digest BLOB NOT NULL, receipt TEXT NOT NULL,
    PRIMARY KEY (key, part)) WITHOUT ROWID""",
            "CREATE INDEX replay_at ON replay (at)",
        ),
    ),
)
LATEST = MIGRATIONS[-1].number


def version_of(connection: Connection) -> int:
    """Return the schema number of an open file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def identify(connection: Connection, path: str) -> int:
    """Return the schema number of a file that is ours or empty; writes nothing.

    Raises:
        StoreUnusable: the file belongs to another program.
        NewerStore: the file was written by a newer simonides.
    """
    version = version_of(connection)
    empty = not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    # The mark last: another process may make the store just now, all of it in one transaction.
    mark = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if mark != APPLICATION_ID and (mark or not empty):
        rule = "is a SQLite file of another program"
        raise StoreUnusable(f"store {path}", rule, "", "Choose another path; the file was left alone.")
    if version > LATEST:
        rule = f"was written by a newer simonides (schema {version}, this one knows {LATEST})"
        raise NewerStore(f"store {path}", rule, "", "Upgrade: pip install --upgrade simonides.")
    return version


def pending(path: str | Path, driver: Driver = STANDARD) -> tuple[Migration, ...]:
    """Return the steps that opening the file would take; changes nothing, creates nothing.

    Raises:
        StoreUnusable: the file is not a store of ours.
        NewerStore: the file was written by a newer simonides.
    """
    if not Path(path).exists():
        return MIGRATIONS
    if driver.encrypted:
        with contextlib.closing(driver.connect(str(path), 0)) as connection:
            return _after(identify(connection, str(path)))
    # Reading a WAL file makes its -wal and -shm; where there is none, `immutable` keeps the folder as it is.
    mode = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    address = f"{Path(path).absolute().as_uri()}?{mode}"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, factory=SqliteConnection)) as connection:
            version = identify(connection, str(path))
    except sqlite3.Error as err:
        ours = explain(err, str(path), 0)
        if ours is None:
            raise
        raise ours from err
    return _after(version)


@cache
def schema() -> dict[str, str]:
    """Return how each table and index of the newest schema is made, by name, as a sound file has it."""
    with contextlib.closing(sqlite3.connect(":memory:", factory=SqliteConnection)) as connection:
        for step in MIGRATIONS:
            for statement in step.statements:
                connection.execute(statement)
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        return dict(connection.execute(query).fetchall())


def _after(version: int) -> tuple[Migration, ...]:
    return tuple(step for step in MIGRATIONS if step.number > version)


def migrate(connection: FileConnection, path: str, reopen: Callable[[str], FileConnection] | None) -> int:
    """Bring an open file to the newest schema, one transaction a step; returns the number it had.

    A new file is made in one transaction, so that nobody takes it for an old one. A file that holds something already
    is copied to ``<path>.v<N>.backup`` first, under the write lock, so that of two processes that migrate at once the
    second finds the work done.

    Args:
        reopen: opens a connection to a file with the same library and key, for the copy; None for a store in memory.
    """
    began = version = identify(connection, path)
    while version < LATEST:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = identify(connection, path)
            if version < LATEST:
                if version and version == began and reopen is not None:
                    _back_up(reopen, path, f"{path}.v{version}.backup")
                for step in _after(version)[: 1 if version else None]:
                    version = _take(connection, path, step)
            connection.execute("COMMIT")
        except BaseException:  # Ctrl-C too must leave the old version whole
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return began


def _take(connection: Connection, path: str, step: Migration) -> int:
    try:
        for statement in step.statements:
            connection.execute(statement)
    except Taken as err:
        raise StoreUnusable(f"store {path}", "is damaged", str(err), "Copy back a backup.") from err
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {step.number}")
    return step.number


def _back_up(reopen: Callable[[str], FileConnection], path: str, backup: str) -> None:
    partial = (
        f"{backup}.partial"  # of whoever holds the write lock, so it can only be left of one that was killed
    )
    _remove(partial)
    os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
    try:
        with contextlib.closing(reopen(path)) as source, contextlib.closing(reopen(partial)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        Path(partial).replace(backup)
    except BaseException:  # Ctrl-C too must not leave half a copy
        _remove(partial)
        raise


def _remove(path: str) -> None:
    """Delete a file, and what SQLite has beside it: a journal that is left would be played into the next one."""
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
