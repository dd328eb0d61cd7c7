"""What `Database` needs of an SQLite library, and the one of Python itself; knows no key and no table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from simonides.ledger.sql import Connection, SqliteConnection

HEADER_BYTES = 24
PLAIN = b"SQLite format 3\0"
"""How a file that is not encrypted begins."""
_TAG_BYTES = 32
"""What the cipher reserves in each page for its nonce and tag; byte 20 of a file."""
_FRACTIONS = bytes((64, 32, 32))
"""Bytes 21 to 23 of every SQLite file; the cipher leaves bytes 16 to 23 as they are."""


class FileConnection(Connection, Protocol):
    """A connection to one SQLite file. What fails is raised as an error of the module ``sqlite3``, with its code."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def backup(
        self, target: Any, /, *, pages: int = ..., progress: Callable[[int, int, int], object] | None = ...
    ) -> None:
        """Copy all pages to a connection of the same library, so many at a time; ``progress(_, left, total)``."""
        ...

    def set_trace_callback(self, tracer: Callable[[str], None] | None, /) -> None:
        """Have every statement told, with its values."""
        ...

    def close(self) -> None:
        """Close it; twice is fine."""
        ...


class Driver(Protocol):
    """Opens connections to a file."""

    @property
    def encrypted(self) -> bool:
        """Whether what it writes can be read with a key only."""
        ...

    def connect(self, path: str, busy_seconds: float, /) -> FileConnection:
        """Open a connection that commits each statement unless told to begin, and that any one thread may use."""
        ...


class Standard:
    """The SQLite of Python itself."""

    encrypted = False

    def connect(self, path: str, busy_seconds: float, /) -> SqliteConnection:
        """Open a connection."""
        return sqlite3.connect(
            path,
            timeout=max(0.0, busy_seconds),
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteConnection,
        )


STANDARD = Standard()


def looks_encrypted(header: bytes) -> bool:
    """Tell from the first 24 bytes of a file whether it is a store that a key opens."""
    return (
        len(header) >= HEADER_BYTES
        and not header.startswith(PLAIN)
        and header[20] == _TAG_BYTES
        and header[21:HEADER_BYTES] == _FRACTIONS
    )


def holds_encrypted(path: Path) -> bool:
    """Tell whether a file, which this process must not have open, is a store that a key opens."""
    return looks_encrypted(_header(path))


def holds_pages(path: Path) -> bool:
    """Tell whether a file, which this process must not have open, begins like one of SQLite, encrypted or not."""
    header = _header(path)
    return header.startswith(PLAIN) or looks_encrypted(header)


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEADER_BYTES)
    except OSError:  # whoever opens it will say so
        return b""
