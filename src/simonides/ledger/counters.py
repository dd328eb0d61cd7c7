"""Numbers that only grow: rows, scopes, serials and the marks by which an index sees what is new; knows no meaning."""

from __future__ import annotations

from simonides.errors import StoreUnusable
from simonides.ledger.sql import Connection

NAMES = ("memory", "link", "scope", "model", "serial", "epoch", "erased", "expiry", "rules")
"""The counters of every store; each starts at 0 and holds the last number given."""


def last(connection: Connection, name: str) -> int:
    """Return the last number given."""
    row = connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return whole(row and row[0], name)


def draw(connection: Connection, name: str, many: int = 1) -> int:
    """Take so many numbers, in a transaction that writes; return the first of them."""
    query = "UPDATE counter SET value = value + ? WHERE name = ? RETURNING value"
    rows = connection.execute(query, (many, name)).fetchall()  # all, or SQLite leaves the statement open
    return whole(rows and rows[0][0], name) - many + 1


def read(connection: Connection) -> dict[str, int]:
    """Return all counters by name."""
    return dict(connection.execute("SELECT name, value FROM counter").fetchall())


def whole(value: object, name: str) -> int:
    """Return a number that the store must hold.

    Raises:
        StoreUnusable: it is missing or no number, because the file is damaged.
    """
    if not isinstance(value, int):
        raise StoreUnusable("store", f"has lost its number of {name}", repr(value), "Run `simonides doctor`.")
    return value
