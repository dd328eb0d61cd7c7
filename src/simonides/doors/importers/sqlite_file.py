"""Reads tables of another program's SQLite file, without writing a byte beside it; knows no format.

A file that nobody has open is read as if it lay on a read-only disk, so that not even the files SQLite keeps beside it
are made. One with a write-ahead log is read as any other reader would.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from simonides.doors.importers.reading import table
from simonides.doors.importers.record import Problem, unreadable
from simonides.types import Json

MAGIC = b"SQLite format 3\0"
DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises; the latter, when the names in it are no text."""


def is_sqlite(path: Path) -> bool:
    """Tell whether a file begins as SQLite files do."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


class Tables:
    """An open file of another program."""

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        self.name = name
        self._connection = connection
        query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        names = [str(row[0]) for row in connection.execute(query)]
        self.columns = {name: self._columns(name) for name in names}

    def _columns(self, name: str) -> list[str]:
        try:
            return [str(row[1]) for row in self._connection.execute(f"PRAGMA table_info({_quoted(name)})")]
        except DAMAGE:  # a virtual table whose module is not here
            return []

    def has(self, name: str, *columns: str) -> bool:
        """Tell whether there is a table with these columns."""
        return name in self.columns and set(columns) <= set(self.columns[name])

    def rows(self, name: str, order: str = "rowid") -> Iterator[tuple[str, dict[str, Json]] | Problem]:
        """Yield the rows of a table with where they stand, in order; where the file is damaged, a problem and no more.

        `order` is an expression of SQL that the importer writes, never one from the file.
        """
        number = 0
        try:
            found = self._connection.execute(f"SELECT * FROM {_quoted(name)} ORDER BY {order}")
            names = [str(column[0]) for column in found.description]
            for number, row in enumerate(found, 1):
                yield f"{self.name} {name} {number}", dict(zip(names, map(_json, row), strict=True))
        except DAMAGE as err:
            yield Problem(f"{self.name} {name} {number + 1}", f"cannot be read: {err}")


@contextmanager
def connected(path: Path) -> Generator[sqlite3.Connection]:
    """Open a file for reading only; errors of SQLite come as they are."""
    log = path.with_name(f"{path.name}-wal")
    busy = log.exists() and log.stat().st_size > 0
    address = f"file:{quote(str(path.resolve()))}"
    with closing(
        sqlite3.connect(f"{address}?{'mode=ro' if busy else 'immutable=1'}", uri=True)
    ) as connection:
        connection.text_factory = _text
        connection.execute("PRAGMA query_only = 1")
        yield connection


@contextmanager
def opened(path: Path) -> Generator[Tables]:
    """Open the tables of a file for reading only.

    Raises:
        InputError: it is no SQLite file, or damaged at its beginning.
    """
    try:
        with connected(path) as connection:
            yield Tables(path.name, connection)
    except DAMAGE as err:
        raise unreadable(path, f"is damaged, locked, or no SQLite file: {err}") from err


def decoded(value: Json) -> Json:
    """Return what a column of JSON holds, the text itself where it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return value


def inner(value: Json) -> dict[str, Json]:
    """Return the object that a column of JSON holds, an empty one where it holds none."""
    return table(decoded(value))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _json(value: object) -> Json:
    if isinstance(value, bytes):
        return _text(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
