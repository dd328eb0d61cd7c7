"""What SQLite's failures mean to a user of the store; knows no table and no connection."""

from __future__ import annotations

import sqlite3

from simonides.errors import SimonidesError, StoreBusy, StoreUnusable

BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one."""

_MEANINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Free some space and try again; nothing of this change was written.",
    ),
    sqlite3.SQLITE_READONLY: ("can't be written", "Check the permissions of the file and of its folder."),
    sqlite3.SQLITE_PERM: ("can't be written", "Check the permissions of the file and of its folder."),
    sqlite3.SQLITE_AUTH: ("can't be written", "Check the permissions of the file and of its folder."),
    sqlite3.SQLITE_CANTOPEN: ("can't be opened", "Check that the folder exists and may be written."),
    sqlite3.SQLITE_IOERR: (
        "the disk reports an error",
        "Check the disk; nothing of this change was written.",
    ),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite file", "Choose another path; the file was left alone."),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Run `simonides doctor`, then import the last export or copy back a `.backup` file.",
    ),
}


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where Python gives none."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def explain(error: sqlite3.Error, path: str, busy_seconds: float) -> SimonidesError | None:
    """Return the error that a user understands, or None when it is a bug of ours that should be seen as it is."""
    code = code_of(error)
    subject = f"store {path}"
    if code in BUSY:
        rule = f"another writer held the file for more than {busy_seconds:g} seconds"
        return StoreBusy(subject, rule, "", "Try again, or raise the setting busy_seconds.")
    if code in _MEANINGS:
        rule, way_out = _MEANINGS[code]
        return StoreUnusable(subject, rule, str(error), way_out)
    if code == 0 and "decode" in str(error):
        rule, way_out = _MEANINGS[sqlite3.SQLITE_CORRUPT]
        return StoreUnusable(subject, rule, str(error), way_out)
    return None
