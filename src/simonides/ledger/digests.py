"""Which turns a recipe has yet to derive from: a mark in the rows, and a job for each turn behind it; knows no recipe.

Rows are numbered in the order in which they are committed. So a mark says what was asked for already, also of what
processes write that know nothing of the recipe: nothing need stand in the transaction that writes a turn.
"""

from __future__ import annotations

from simonides.ledger import counters, jobs, meta
from simonides.ledger.jobs import Database
from simonides.ledger.sql import Connection

AT_ONCE = 5000
"""Jobs that are made in one transaction."""


def kind_of(recipe: str) -> str:
    """Return the kind of the jobs of a recipe."""
    return f"digest.{recipe}"


def ask(database: Database, recipe: str, now: int) -> int:
    """Make the jobs of all turns and documents that were written since the mark; return how many."""
    asked = 0
    while True:
        with database.reading() as connection:
            mark, newest = _marks(connection, recipe)
        if newest <= mark:
            return asked
        with database.writing() as connection:
            asked += _ask(connection, recipe, now)


def _marks(connection: Connection, recipe: str) -> tuple[int, int]:
    return int(meta.get(connection, _name(recipe)) or 0), counters.last(connection, "memory")


def _name(recipe: str) -> str:
    return f"digested.{recipe}"


def _ask(connection: Connection, recipe: str, now: int) -> int:
    mark, newest = _marks(connection, recipe)
    upto = min(newest, mark + AT_ONCE)
    rows = connection.execute(
        """SELECT row FROM memory WHERE row > ? AND row <= ? AND version = 1 AND kind IN ('turn', 'document')
        ORDER BY row""",
        (mark, upto),
    ).fetchall()
    for (row,) in rows:
        jobs.put(connection, kind_of(recipe), row, now=now)
    meta.put(connection, _name(recipe), str(upto))
    return len(rows)
