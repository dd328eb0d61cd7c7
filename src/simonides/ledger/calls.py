"""The book of every model call that left this process: why, how much, what it cost; knows no model, holds no text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simonides.ledger.jobs import DAY, Database
from simonides.ledger.sql import Connection

_COLUMNS = "at, purpose, model, job, prompt_tokens, reply_tokens, cost, seconds, ok, detail"


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        at: microsecond at which it ended.
        purpose: what it was for: ``memory``, ``question`` ...
        model: who was asked.
        job: the (first) job it was made for, None when somebody waited for it.
        cost: in the money of the setting that says what a token costs.
        detail: what went wrong, in our words, or a remark; never what was sent or answered.
    """

    at: int
    purpose: str
    model: str
    job: int | None = None
    prompt_tokens: int = 0
    reply_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    ok: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a stretch of time took."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    cost: float = 0.0


def midnight(now: int) -> int:
    """Return the microsecond at which the day (UTC) of an instant began."""
    return now - now % DAY


def record(connection: Connection, made: Sequence[Call]) -> None:
    """Enter calls."""
    connection.executemany(
        f"INSERT INTO call ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                call.at, call.purpose, call.model, call.job, call.prompt_tokens, call.reply_tokens, call.cost,
                call.seconds, int(call.ok), call.detail,
            )
            for call in made
        ],
    )  # fmt: skip


def spent(connection: Connection, since: int) -> Spent:
    """Return what the calls since an instant took."""
    query = """SELECT count(*), count(*) FILTER (WHERE ok = 0), coalesce(sum(prompt_tokens), 0),
        coalesce(sum(reply_tokens), 0), coalesce(sum(cost), 0) FROM call WHERE at >= ?"""
    calls, failed, prompt, reply, cost = connection.execute(query, (since,)).fetchone()
    return Spent(calls, failed, int(prompt), int(reply), float(cost))


def find(connection: Connection, *, limit: int = 100) -> list[Call]:
    """Return the newest calls, newest first."""
    query = f"SELECT {_COLUMNS} FROM call ORDER BY call DESC LIMIT ?"
    rows = connection.execute(query, (limit,)).fetchall()
    return [Call(*row[:8], ok=bool(row[8]), detail=row[9]) for row in rows]


class Book:
    """The calls of one store, each step in a transaction of its own.

    Args:
        database: of the store.
        now: tells the microsecond.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def record(self, made: Sequence[Call]) -> None:
        """Enter calls."""
        with self._database.working() as connection:
            record(connection, made)

    def today(self) -> Spent:
        """Return what was spent since midnight UTC."""
        with self._database.reading() as connection:
            return spent(connection, midnight(self._now()))

    def find(self, *, limit: int = 100) -> list[Call]:
        """Return the newest calls, newest first."""
        with self._database.reading() as connection:
            return find(connection, limit=limit)

    def tomorrow(self) -> int:
        """Return the microsecond at which the next day (UTC) begins."""
        return midnight(self._now()) + DAY

    def now(self) -> int:
        """Return the present microsecond."""
        return self._now()
