"""What the ledger asks of a database, whichever it is: connections, cursors and the spelling of lists; knows no table.

The statements of this floor are written once, in SQL that SQLite and PostgreSQL both understand. Parameters are ``?``;
a list of integers is one parameter (`numbers`) read by ``json_each(?)``; nothing counts on rowids or on conflict
clauses. What a driver must change on the way, it changes in its own file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Taken(Exception):
    """A unique key is there already; each driver raises this in place of its own error.

    Attributes:
        ids: those ids among the key that the database names.
    """

    def __init__(self, message: str, ids: frozenset[bytes] = frozenset()) -> None:
        super().__init__(message)
        self.ids = ids


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what a database differs where one statement can't serve all.

    Attributes:
        name: ``sqlite`` or ``postgresql``.
        skip_locked: ends a SELECT so that two claimants never get the same rows; empty where there is one writer.
    """

    name: str
    skip_locked: str = ""


SQLITE = Dialect("sqlite")
POSTGRESQL = Dialect("postgresql", " FOR UPDATE SKIP LOCKED")


class Cursor(Protocol):
    """The answer to a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row as a tuple, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...

    def fetchmany(self, size: int = ..., /) -> list[Any]:
        """Return at most so many rows."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left."""
        ...


class Connection(Protocol):
    """An open connection; one thread at a time."""

    @property
    def dialect(self) -> Dialect:
        """What it speaks."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement.

        Raises:
            Taken: a unique key is there already.
        """
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row of parameters; raises like `execute`."""
        ...


class SqliteConnection(sqlite3.Connection):
    """A connection of the standard library, with its unique violations named as ours."""

    dialect = SQLITE

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run one statement."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.IntegrityError as err:
            raise _taken(err) from err

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
        """Run one statement for each row."""
        try:
            return super().executemany(sql, rows)
        except sqlite3.IntegrityError as err:
            raise _taken(err) from err


def _taken(error: sqlite3.IntegrityError) -> Exception:
    unique = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
    return Taken(str(error)) if getattr(error, "sqlite_errorcode", 0) in unique else error


def numbers(values: Sequence[int]) -> str:
    """Return integers as the one parameter that ``json_each(?)`` takes, however many there are."""
    return json.dumps([int(value) for value in values])
