"""A few facts about the store itself, by name; knows no meaning."""

from __future__ import annotations

from simonides.ledger.sql import Connection


def get(connection: Connection, name: str) -> str:
    """Return a fact, empty where it is not there."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
    return "" if row is None or row[0] is None else str(row[0])


def put(connection: Connection, name: str, value: str) -> None:
    """Write a fact in place of what was there."""
    connection.execute("DELETE FROM meta WHERE key = ?", (name,))
    connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (name, value))
