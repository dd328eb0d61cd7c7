"""What `doctor` asks of a store: is it whole, is it private, is anything left undone; changes nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simonides.clock import FOREVER
from simonides.ledger import meta, proof
from simonides.ledger.db import Database
from simonides.ledger.drivers import FileConnection
from simonides.ledger.migrations import LATEST, version_of
from simonides.ledger.sql import Connection

_LARGE_LOG_BYTES = 256 * 1024 * 1024
"""A write-ahead log beyond this size means that some reader never lets go of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is, one word or two.
        ok: whether it is well.
        detail: what was found.
        fix: what to do; empty when it is well.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


def check(database: Database) -> list[Finding]:
    """Look at everything; a finding that could not be made says why."""
    looks: tuple[Callable[[FileConnection], Finding], ...] = (
        _schema,
        _integrity,
        _references,
        *EVERYWHERE,
    )
    found = [_private(database), _encryption(database), _write_ahead_log(database)]
    with database.snapshot() as connection:
        found += [_tried(look, connection) for look in looks]
    return found


def file_bytes(database: Database) -> int:
    """Return how many bytes the store takes on disk, its write-ahead log included; in memory, its pages."""
    if database.in_memory:
        with database.reading() as connection:
            pages, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
        return pages * size
    return sum(_size(Path(f"{database.path}{ending}")) for ending in ("", "-wal"))


def _tried(look: Callable[[FileConnection], Finding], connection: FileConnection) -> Finding:
    try:
        return look(connection)
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as err:
        fix = "Import the last export into a new file, or copy back a `.backup` file."
        return Finding(look.__name__.strip("_"), False, f"could not be read: {err}", fix)


def _schema(connection: FileConnection) -> Finding:
    version = version_of(connection)
    return Finding("schema", version == LATEST, f"version {version}, newest is {LATEST}")


def _integrity(connection: FileConnection) -> Finding:
    rows = [row[0] for row in connection.execute("PRAGMA integrity_check(10)").fetchall()]
    if rows == ["ok"]:
        return Finding("integrity", True, "every page and index is sound")
    return Finding(
        "integrity", False, "; ".join(rows), "Export what can be read, and import it into a new file."
    )


def _references(connection: FileConnection) -> Finding:
    count = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    fix = "" if not count else "simonides reindex"
    return Finding("references", not count, f"{count} rows refer to rows that don't exist", fix)


def spans(connection: Connection) -> Finding:
    """Look for two believed versions of one memory whose valid times overlap."""
    query = f"""SELECT count(*) FROM memory a JOIN memory b ON b.id = a.id AND b.version > a.version
        WHERE a.recorded_to = {FOREVER} AND b.recorded_to = {FOREVER}
        AND a.valid_from < b.valid_to AND b.valid_from < a.valid_to"""
    count = connection.execute(query).fetchone()[0]
    fix = "`history` of the memory shows them, `restore --version` decides." if count else ""
    return Finding("time", not count, f"{count} versions contradict each other about when they hold", fix)


def log(connection: Connection) -> Finding:
    """Look whether the log's chain holds, and the rows are those it tells of."""
    result = proof.verify(connection)
    if result.ok:
        return Finding("log", True, f"{result.events} events, head {result.head[:16]}")
    fix = "Compare with a backup: `simonides log verify` lists all problems."
    return Finding("log", False, f"{len(result.problems)} problems, first: {result.problems[0]}", fix)


def words(connection: Connection) -> Finding:
    """Look for versions that no search for words can find."""
    query = "SELECT (SELECT count(*) FROM memory) - (SELECT count(*) FROM lexical)"
    missing = connection.execute(query).fetchone()[0]
    return Finding(
        "words", not missing, f"{missing} versions without words", "simonides reindex" if missing else ""
    )


def erasures(connection: Connection) -> Finding:
    """Look whether erased words may still lie in the file."""
    pending = meta.get(connection, "pending")
    left = ", ".join(json.loads(pending)) if pending else ""
    detail = f"left to clean: {left}" if left else "nothing of what was erased is left to clean"
    return Finding("erasures", not left, detail, "simonides upkeep" if left else "")


EVERYWHERE = (spans, log, words, erasures)
"""What is asked in the same words of whichever database holds the store."""


def _private(database: Database) -> Finding:
    if database.in_memory or os.name != "posix":
        return Finding("permissions", True, "not a file" if database.in_memory else "left to the system")
    mode = stat.S_IMODE(database.path.stat().st_mode)
    fix = f"chmod 600 {database.path}" if mode & 0o077 else ""
    return Finding("permissions", not fix, f"mode {mode:o}", fix)


def _encryption(database: Database) -> Finding:
    return Finding("encryption", True, "ChaCha20-Poly1305" if database.encrypted else "none")


def _write_ahead_log(database: Database) -> Finding:
    size = 0 if database.in_memory else _size(Path(f"{database.path}-wal"))
    fix = "Close programs that keep the store open for reading." if size > _LARGE_LOG_BYTES else ""
    return Finding("write-ahead log", not fix, f"{size} bytes", fix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
