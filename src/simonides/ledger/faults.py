"""What SQLite's failures mean to a user of the store; knows no table and no connection."""

from __future__ import annotations

import re
import sqlite3

from simonides.errors import InputError, SimonidesError, StoreBusy, StoreUnusable

BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one."""

OF_DAMAGE = (sqlite3.Error, UnicodeError, OverflowError)
"""What reading a file of any content may raise: SQLite's own errors, broken text, and times that can't be.

Among them what a caller may have handed in: text that UTF-8 can't hold, and integers beyond 64 bits.
"""
_DAMAGE = re.compile(
    "decode|malformed|no such (table|column)|has no column|already exists|unsupported file format"
    "|(FOREIGN KEY|NOT NULL) constraint"
)
"""Messages without a code of their own; our statements fit our schema, so the schema of the file must be broken."""
_TOO_LARGE = re.compile("to SQLite INTEGER|^int too big to convert$")
"""What the two libraries say of a parameter beyond 64 bits."""

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


def explain(error: Exception, path: str, busy_seconds: float) -> SimonidesError | None:
    """Return the error that a user understands, or None when it is a bug of ours that should be seen as it is."""
    subject = f"store {path}"
    if isinstance(error, UnicodeEncodeError):
        return InputError("text", "must be characters that UTF-8 can hold", repr(error.object))
    if isinstance(error, OverflowError) and _TOO_LARGE.search(str(error)):
        return InputError("number", "must be an integer of at most 64 bits", "", "Choose a smaller one.")
    code = code_of(error) if isinstance(error, sqlite3.Error) else sqlite3.SQLITE_CORRUPT
    if code in BUSY:
        rule = f"another writer held the file for more than {busy_seconds:g} seconds"
        return StoreBusy(subject, rule, "", "Try again, or raise the setting busy_seconds.")
    if code not in _MEANINGS and _DAMAGE.search(str(error)):
        code = sqlite3.SQLITE_CORRUPT
    if code not in _MEANINGS:
        return None
    rule, way_out = _MEANINGS[code]
    return StoreUnusable(subject, rule, str(error), way_out)
