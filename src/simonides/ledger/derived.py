"""Words, codes, models and the backlog: data that can be made again from the texts; knows no search and no model.

Opaque bytes come in and go out. What a row has codes for is learnt through `serial`, a number that grows with every
write, so that an index in another process can ask for *what is new since*.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simonides.errors import InputError, ModelMismatch
from simonides.ledger.canonical import encode, plain
from simonides.ledger.reading import numbers
from simonides.ledger.rules import Lexical
from simonides.types import Json

WHAT = ("codes", "lexical", "all")
EPOCH = "epoch"
"""Key in the table meta: a number that grows whenever derived data were dropped."""


@dataclass(frozen=True, slots=True)
class Code:
    """What the full tier made of one row: a vector for finding candidates, token states and token numbers."""

    row: int
    pooled: bytes
    states: bytes
    tokens: bytes


def codes(connection: sqlite3.Connection, rows: Sequence[int], model: int) -> dict[int, Code]:
    """Return the codes of rows, by row; rows without codes of this model are left out."""
    query = """SELECT p.row, p.vector, c.states, c.tokens FROM json_each(?) e
        JOIN pooled p ON p.row = e.value JOIN codes c ON c.row = e.value WHERE p.model = ?"""
    return {row[0]: Code(*row) for row in connection.execute(query, (numbers(rows), model)).fetchall()}


def pooled(connection: sqlite3.Connection, model: int, after_row: int, limit: int) -> list[tuple[int, bytes]]:
    """Return (row, vector) of rows greater than `after_row`, in row order."""
    query = "SELECT row, vector FROM pooled WHERE row > ? AND model = ? ORDER BY row LIMIT ?"
    return connection.execute(query, (after_row, model, limit)).fetchall()


def coded_since(
    connection: sqlite3.Connection, model: int, after_serial: int, limit: int
) -> list[tuple[int, int, bytes]]:
    """Return (serial, row, vector) of what got codes after a serial number, in the order in which it did."""
    query = "SELECT serial, row, vector FROM pooled WHERE serial > ? AND model = ? ORDER BY serial LIMIT ?"
    return connection.execute(query, (after_serial, model, limit)).fetchall()


def put_codes(connection: sqlite3.Connection, model: int, given: Sequence[Code]) -> None:
    """Write codes, replacing earlier ones, and take their rows from the backlog; rows that are gone are ignored."""
    require_model(connection, model)
    query = "SELECT row FROM memory WHERE row IN (SELECT value FROM json_each(?))"
    there = {row[0] for row in connection.execute(query, (numbers([code.row for code in given]),))}
    kept = [code for code in given if code.row in there]
    serial = (connection.execute("SELECT max(serial) FROM pooled").fetchone()[0] or 0) + 1
    connection.executemany(
        "INSERT OR REPLACE INTO pooled (row, model, serial, vector) VALUES (?, ?, ?, ?)",
        [(code.row, model, serial + place, code.pooled) for place, code in enumerate(kept)],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO codes (row, states, tokens) VALUES (?, ?, ?)",
        [(code.row, code.states, code.tokens) for code in kept],
    )
    connection.executemany("DELETE FROM backlog WHERE row = ?", [(code.row,) for code in given])


def backlog(connection: sqlite3.Connection, limit: int) -> list[int]:
    """Return rows that have no codes yet, oldest first."""
    return [
        row[0]
        for row in connection.execute("SELECT row FROM backlog ORDER BY row LIMIT ?", (limit,)).fetchall()
    ]


def backlog_size(connection: sqlite3.Connection) -> int:
    """Return how many rows have no codes yet."""
    return int(connection.execute("SELECT count(*) FROM backlog").fetchone()[0])


def find_model(connection: sqlite3.Connection, identity: Mapping[str, Json]) -> int:
    """Return the number of a model, 0 when it was never used here.

    Raises:
        ModelMismatch: the codes in this store were made by another model.
    """
    text = encode(plain(identity, "model identity"))
    found = connection.execute("SELECT model FROM model WHERE identity = ?", (text,)).fetchone()
    number = int(found[0]) if found else 0
    require_model(connection, number, text)
    return number


def require_model(connection: sqlite3.Connection, number: int, name: str = "") -> None:
    """Refuse a model when the codes in this store were made by another one (all are always of one model).

    Raises:
        ModelMismatch: with the identity of the model that made them.
    """
    present = connection.execute("SELECT model FROM pooled LIMIT 1").fetchone()
    if present is not None and present[0] != number:
        wanted = f" ({name})" if name else ""
        way_out = f"Use that model, or make all codes again with this one{wanted}: simonides reindex."
        raise ModelMismatch(
            "model", "this store holds codes of another model", model_identity(connection), way_out
        )


def make_model(connection: sqlite3.Connection, identity: Mapping[str, Json]) -> int:
    """Return the number of a model, a new one when it was never used here; refuses like `find_model`."""
    number = find_model(connection, identity)
    if number:
        return number
    text = encode(plain(identity, "model identity"))
    made = connection.execute("INSERT INTO model (identity) VALUES (?)", (text,)).lastrowid
    assert made is not None
    return made


def model_identity(connection: sqlite3.Connection) -> str | None:
    """Return the identity (JSON) of the model whose codes the store holds, None without codes."""
    query = "SELECT identity FROM model WHERE model = (SELECT model FROM pooled LIMIT 1)"
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def drop(connection: sqlite3.Connection, what: str) -> int:
    """Forget codes (their rows go to the backlog) or words or both; returns how many rows are to be made again."""
    if what not in WHAT:
        raise InputError("what", f"must be one of {', '.join(WHAT)}", repr(what))
    if what in ("codes", "all"):
        connection.execute("DELETE FROM codes")
        connection.execute("DELETE FROM pooled")
        # Models keep their numbers: codes that a process is just making must never pass for those of another model.
        connection.execute("INSERT OR IGNORE INTO backlog SELECT row FROM memory")
    if what in ("lexical", "all"):
        connection.execute("DELETE FROM lexical")
    begin_epoch(connection)
    return int(connection.execute("SELECT count(*) FROM memory").fetchone()[0])


def begin_epoch(connection: sqlite3.Connection) -> None:
    """Let every index start over."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
        (EPOCH,),
    )


def epoch(connection: sqlite3.Connection) -> int:
    """Return a number that grows whenever derived data were dropped: an index that sees it grow starts over."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (EPOCH,)).fetchone()
    return int(row[0]) if row else 0


def wordless(connection: sqlite3.Connection, after_row: int, limit: int) -> list[tuple[int, str]]:
    """Return (row, text) of rows without words, in row order."""
    query = """SELECT m.row, m.text FROM memory m LEFT JOIN lexical x ON x.row = m.row
        WHERE m.row > ? AND x.row IS NULL ORDER BY m.row LIMIT ?"""
    return connection.execute(query, (after_row, limit)).fetchall()


def put_words(connection: sqlite3.Connection, analysed: Sequence[tuple[int, Lexical]]) -> None:
    """Write the words of rows; rows that are gone are ignored."""
    connection.executemany(
        "INSERT OR REPLACE INTO lexical SELECT row, ?, ? FROM memory WHERE row = ?",
        [(lexical.words, lexical.tokens, row) for row, lexical in analysed],
    )


Analyse = Callable[[str], Lexical]
"""What makes words of a text."""
