"""psycopg behind the ledger's Protocol: placeholders, lists of integers, unique violations, renewed reads.

Knows how statements travel; knows no table and no transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.numeric import Int8Dumper, NumericLoader
from psycopg.types.string import StrDumper

from simonides.ledger.sql import POSTGRESQL, Cursor, Taken

Raw = psycopg.Connection[TupleRow]
"""A connection as psycopg gives it."""
AT_ONCE = 2000
"""Rows that a streamed statement fetches at a time."""
_IN_LIST = "IN (SELECT value FROM json_each(?))"
_OF_JOBS = re.compile(r"\s*(DELETE\s+FROM|UPDATE)\s+job\b|\s*DELETE\s+FROM\s+memory\b")
"""Statements that lock jobs; deleting a version deletes the jobs about it."""
_RENEWALS = 10
"""How often a read is tried again on another connection before the loss is told."""


@lru_cache(maxsize=4096)
def translated(sql: str) -> LiteralString:
    """Return a statement of ours as PostgreSQL takes it: ``$1`` for the first ``?``, and our functions for lists.

    A list is compared as an array: joined as a table, a young store without statistics is read as a whole.
    """
    outside = sql.replace(f"NOT {_IN_LIST}", "<> ALL(integers(?))")
    pieces = outside.replace(_IN_LIST, "= ANY(integers(?))").replace("json_each(", "numbers(").split("?")
    numbers = count(1)
    joined = pieces[0] + "".join(f"${next(numbers)}{piece}" for piece in pieces[1:])
    return cast("LiteralString", joined)


def equip(raw: Raw) -> None:
    """Let a new connection send integers as bigint and texts as text, so that each statement has one plan."""
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(str, StrDumper)
    raw.adapters.register_loader("numeric", _WholeLoader)
    raw.cursor_factory = psycopg.RawCursor


class _WholeLoader(NumericLoader):
    """Reads a numeric, such as the sum of a column, as the integer it is here."""

    def load(self, data: Any) -> Any:
        value = super().load(data)
        return int(value) if value == value.to_integral_value() else float(value)


def lost(error: BaseException) -> bool:
    """Tell whether an error means that the connection is gone, and not that the statement was refused."""
    if isinstance(error, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown):
        return True
    if isinstance(error, psycopg.errors.CannotConnectNow | psycopg.errors.IdleInTransactionSessionTimeout):
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None


class PgConnection:
    """One connection, for one thread at a time.

    Attributes:
        raw: psycopg's own.
        dialect: what it speaks.
        spoiled: whether a part of the transaction was taken back.
    """

    __slots__ = ("_before_jobs", "_renew", "_savepoint", "_stream", "_tracer", "raw", "spoiled")
    dialect = POSTGRESQL

    def __init__(
        self,
        raw: Raw,
        *,
        tracer: Callable[[str], None] | None = None,
        renew: Callable[[], Raw] | None = None,
        stream: bool = False,
        savepoint: LiteralString = "",
        before_jobs: LiteralString = "",
    ) -> None:
        """Wrap a connection.

        Args:
            tracer: is given every statement, with its values.
            renew: gives another connection in place of one that was lost; only where every statement stands alone.
            stream: fetch the rows of a SELECT piece by piece; needs an open transaction.
            before_jobs: run once, before the first statement that changes or deletes jobs that others may see.
            savepoint: gone back to when a key is taken, so that it can be asked which; nothing may be kept then.
        """
        self.raw = raw
        self._tracer = tracer
        self._renew = renew
        self._stream = stream
        self._savepoint = savepoint
        self._before_jobs: LiteralString = before_jobs
        self.spoiled = False

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement; a read outside a transaction survives the loss of its connection.

        Raises:
            Taken: a unique key is there already.
        """
        if self._tracer is not None:
            self._tracer(_filled(sql, parameters))
        if self._stream and sql.lstrip()[:6].upper() == "SELECT":
            return Stream(self.raw, translated(sql), parameters)
        self._guard(sql)
        for attempt in count(1):
            try:
                return self.raw.execute(translated(sql), parameters)
            except psycopg.errors.UniqueViolation as err:
                raise self._taken(err) from err
            except psycopg.Error as err:
                if self._renew is None or attempt > _RENEWALS or not lost(err):
                    raise
                self.raw = self._renew()
        raise AssertionError

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row, in one go over the network."""
        given = rows if isinstance(rows, Sequence) else list(rows)
        if not given:
            return None
        if self._tracer is not None:
            self._tracer(f"{_filled(sql, given[0])} -- and {len(given) - 1} more")
        self._guard(sql)
        try:
            self.raw.cursor().executemany(translated(sql), given)
        except psycopg.errors.UniqueViolation as err:
            raise self._taken(err) from err
        return None

    def _guard(self, sql: str) -> None:
        if self._before_jobs and _OF_JOBS.match(sql):
            self.raw.execute(self._before_jobs)
            self._before_jobs = ""

    def _taken(self, error: psycopg.errors.UniqueViolation) -> Taken:
        """Return our error; the server doesn't name the key to who is held by row-level security."""
        if self._savepoint:
            self.spoiled = True
            self.raw.execute(cast("LiteralString", f"ROLLBACK TO {self._savepoint}"))
        return Taken(str(error))


class Stream:
    """The rows of one SELECT, fetched piece by piece, so that a table of any size can be gone through."""

    __slots__ = ("_held", "_name", "_raw", "_unread")
    _numbers = count(1)

    def __init__(self, raw: Raw, sql: LiteralString, parameters: Sequence[Any]) -> None:
        self._raw = raw
        self._name = f"stream_{next(self._numbers)}"
        self._held: list[Any] = []
        raw.execute(cast("LiteralString", f"DECLARE {self._name} NO SCROLL CURSOR FOR ") + sql, parameters)
        self._unread = True

    @property
    def rowcount(self) -> int:
        """How many rows it is, unknown before the last was fetched."""
        return -1

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return list(self)

    def fetchmany(self, size: int = AT_ONCE, /) -> list[Any]:
        """Return at most so many rows."""
        if len(self._held) < size and self._unread:
            wanted = max(size, AT_ONCE) - len(self._held)
            fetch = cast("LiteralString", f"FETCH FORWARD {int(wanted)} FROM {self._name}")
            found = self._raw.execute(fetch).fetchall()
            self._held += found
            if len(found) < wanted:
                self._unread = False
                self._raw.execute(cast("LiteralString", f"CLOSE {self._name}"))
        given, self._held = self._held[:size], self._held[size:]
        return given

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left."""
        while rows := self.fetchmany():
            yield from rows


def _filled(sql: str, parameters: Sequence[Any]) -> str:
    """Return a statement with its values in place, for people to read; never sent to a server."""
    pieces = sql.split("?")
    values = (*(_literal(value) for value in parameters), *("?" for _ in pieces))
    return "".join(f"{piece}{value}" for piece, value in zip(pieces, (*values[: len(pieces) - 1], "")))


def _literal(value: object) -> str:
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    return (
        "'" + value.replace("'", "''") + "'"
        if isinstance(value, str)
        else "NULL"
        if value is None
        else str(value)
    )
