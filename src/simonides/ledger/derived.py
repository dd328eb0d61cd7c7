"""Words, codes, models and the backlog: data that can be made again from the texts; knows no search and no model.

Opaque bytes come in and go out. What a row has codes for is learnt through `serial`, a number that grows with every
write, so that an index in another process can ask for *what is new since*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simonides.clock import FOREVER
from simonides.errors import InputError, ModelMismatch
from simonides.ledger import counters
from simonides.ledger.canonical import encode, plain
from simonides.ledger.jobs import READ, REINDEX
from simonides.ledger.rows import no_memory
from simonides.ledger.rules import Lexical
from simonides.ledger.sql import Connection, numbers
from simonides.types import Json, Progress

WHAT = ("codes", "lexical", "all")
SERVED = "model"
"""Key in the table meta: the number of the model whose codes are served."""


@dataclass(frozen=True, slots=True)
class Code:
    """What the full tier made of one row: a vector for finding candidates, token states and token numbers."""

    row: int
    pooled: bytes
    states: bytes
    tokens: bytes


def codes(connection: Connection, rows: Sequence[int], model: int) -> dict[int, Code]:
    """Return the codes of rows, by row; rows without codes of this model are left out."""
    query = """SELECT p.row, p.vector, c.states, c.tokens FROM json_each(?) e
        JOIN pooled p ON p.row = e.value AND p.model = ? JOIN codes c ON c.serial = p.serial"""
    return {row[0]: Code(*row) for row in connection.execute(query, (numbers(rows), model)).fetchall()}


def pooled(connection: Connection, model: int, after_row: int, limit: int) -> list[tuple[int, bytes]]:
    """Return (row, vector) of rows greater than `after_row`, in row order."""
    query = "SELECT row, vector FROM pooled WHERE row > ? AND model = ? ORDER BY row LIMIT ?"
    return connection.execute(query, (after_row, model, limit)).fetchall()


def coded_since(
    connection: Connection, model: int, after_serial: int, limit: int
) -> list[tuple[int, int, bytes]]:
    """Return (serial, row, vector) of what got codes after a serial number, in the order in which it did."""
    query = "SELECT serial, row, vector FROM pooled WHERE serial > ? AND model = ? ORDER BY serial LIMIT ?"
    return connection.execute(query, (after_serial, model, limit)).fetchall()


def put_codes(connection: Connection, model: int, given: Sequence[Code]) -> None:
    """Write codes, replacing earlier ones, and drop the jobs that asked for them; rows that are gone are ignored."""
    require_model(connection, model)
    write_codes(connection, model, given)
    connection.executemany("DELETE FROM job WHERE row = ? AND kind = ?", [(code.row, READ) for code in given])


def write_codes(connection: Connection, model: int, given: Sequence[Code]) -> None:
    """Write codes of any model, replacing its earlier ones; rows that are gone are ignored."""
    rows = numbers([code.row for code in given])
    query = "SELECT row FROM memory WHERE row IN (SELECT value FROM json_each(?))"
    there = {row[0] for row in connection.execute(query, (rows,)).fetchall()}
    kept = [code for code in given if code.row in there]
    if not kept:
        return
    forget_codes(connection, model, [code.row for code in kept])
    serial = counters.draw(connection, "serial", len(kept))
    connection.executemany(
        "INSERT INTO pooled (serial, model, row, vector) VALUES (?, ?, ?, ?)",
        [(number, model, code.row, code.pooled) for number, code in enumerate(kept, serial)],
    )
    connection.executemany(
        "INSERT INTO codes (serial, states, tokens) VALUES (?, ?, ?)",
        [(number, code.states, code.tokens) for number, code in enumerate(kept, serial)],
    )


def forget_codes(connection: Connection, model: int, rows: Sequence[int]) -> None:
    """Delete what a model made of rows; what it made of their tokens goes with it."""
    query = "DELETE FROM pooled WHERE model = ? AND row IN (SELECT value FROM json_each(?))"
    connection.execute(query, (model, numbers(rows)))


def copy_codes(connection: Connection, source: int, target: int) -> bool:
    """Give a row the codes of another with the same text; tell whether the served model had any."""
    query = "SELECT serial, model FROM pooled WHERE row = ?"
    found = connection.execute(query, (source,)).fetchall()
    for serial, _ in found:
        number = counters.draw(connection, "serial")
        connection.execute(
            "INSERT INTO pooled (serial, model, row, vector) SELECT ?, model, ?, vector FROM pooled WHERE serial = ?",
            (number, target, serial),
        )
        connection.execute(
            "INSERT INTO codes (serial, states, tokens) SELECT ?, states, tokens FROM codes WHERE serial = ?",
            (number, serial),
        )
    return served(connection) in {model for _, model in found}


def backlog(connection: Connection, limit: int) -> list[int]:
    """Return rows that have no codes yet, oldest first."""
    query = "SELECT row FROM job WHERE kind = ? AND state = 'waiting' ORDER BY job LIMIT ?"
    return [row[0] for row in connection.execute(query, (READ, limit)).fetchall()]


def backlog_size(connection: Connection) -> int:
    """Return how many rows have no codes yet."""
    return int(connection.execute("SELECT count(*) FROM job WHERE kind = ?", (READ,)).fetchone()[0])


def progress(connection: Connection, id: bytes) -> Progress:
    """Return how far the codes of a memory are: of what is believed of it, else of its last version.

    Raises:
        NotFound: there is no memory or link of this id.
    """
    query = """SELECT m.row, m.recorded_to, p.serial, j.state, j.reason, j.attempts FROM memory m
        LEFT JOIN pooled p ON p.row = m.row AND p.model = ? LEFT JOIN job j ON j.row = m.row AND j.kind = ?
        WHERE m.id = ? ORDER BY m.version DESC"""
    rows = connection.execute(query, (served(connection), READ, id)).fetchall()
    if not rows:
        if connection.execute("SELECT 1 FROM link WHERE id = ? LIMIT 1", (id,)).fetchone() is None:
            raise no_memory(id)
        return Progress(id.hex(), "stored", "links have no codes")
    rows = [row for row in rows if row[1] == FOREVER] or rows[:1]
    for _, _, _, state, reason, _ in rows:
        if state == "dead":
            return Progress(id.hex(), "failed", reason)
    if all(serial is not None and state is None for _, _, serial, state, _, _ in rows):
        return Progress(id.hex(), "enriched")
    retried = [f"tried {attempts} times: {reason}" for *_, reason, attempts in rows if reason]
    return Progress(id.hex(), "stored", retried[0] if retried else "")


def served(connection: Connection) -> int:
    """Return the number of the model whose codes are served, 0 without codes."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (SERVED,)).fetchone()
    return int(row[0]) if row else 0


def serve(connection: Connection, model: int) -> None:
    """Let the codes of a model be the ones that are served; 0 for none."""
    connection.execute("DELETE FROM meta WHERE key = ?", (SERVED,))
    if model:
        connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (SERVED, str(model)))


def find_model(connection: Connection, identity: Mapping[str, Json]) -> int:
    """Return the number of a model, 0 when it was never used here.

    Raises:
        ModelMismatch: the codes served by this store were made by another model.
    """
    text = encode(plain(identity, "model identity"))
    number = number_of(connection, text)
    present = served(connection)
    if present and present != number:
        raise _mismatch(connection, text)
    return number


def number_of(connection: Connection, identity: str) -> int:
    """Return the number of the model with this identity (canonical JSON), 0 when it was never used here."""
    found = connection.execute("SELECT model FROM model WHERE identity = ?", (identity,)).fetchone()
    return int(found[0]) if found else 0


def require_model(connection: Connection, number: int) -> None:
    """Refuse a model when this store serves the codes of another one; the first to come is the one that is served.

    Raises:
        ModelMismatch: with the identity of the model that made them.
    """
    present = served(connection)
    if not present:
        serve(connection, number)
    elif present != number:
        raise _mismatch(connection)


def _mismatch(connection: Connection, name: str = "") -> ModelMismatch:
    wanted = f" ({name})" if name else ""
    way_out = f"Use that model, or make all codes again with this one{wanted}: simonides reindex."
    return ModelMismatch(
        "model", "this store holds codes of another model", model_identity(connection), way_out
    )


def make_model(connection: Connection, identity: Mapping[str, Json]) -> int:
    """Return the number of a model, a new one when it was never used here; refuses like `find_model`."""
    return find_model(connection, identity) or new_model(
        connection, encode(plain(identity, "model identity"))
    )


def new_model(connection: Connection, identity: str) -> int:
    """Number a model that was never used here."""
    number = counters.draw(connection, "model")
    connection.execute("INSERT INTO model (model, identity) VALUES (?, ?)", (number, identity))
    return number


def model_identity(connection: Connection) -> str | None:
    """Return the identity (JSON) of the model whose codes the store serves, None without codes."""
    row = connection.execute("SELECT identity FROM model WHERE model = ?", (served(connection),)).fetchone()
    return row[0] if row else None


def drop(connection: Connection, what: str, model: int = 0) -> int:
    """Forget codes, which jobs ask for again, of a model; return how many rows are to be made again.

    Words are not forgotten but replaced, a few rows at a time: who dies in between leaves none without words.
    """
    if what not in WHAT:
        raise InputError("what", f"must be one of {', '.join(WHAT)}", repr(what))
    if what in ("codes", "all"):
        connection.execute("DELETE FROM codes")
        connection.execute("DELETE FROM pooled")
        # Models keep their numbers: codes that a process is just making must never pass for those of another model.
        serve(connection, model)
        connection.execute("DELETE FROM job WHERE kind IN (?, ?)", (READ, REINDEX))
        connection.execute("INSERT INTO job (kind, row) SELECT ?, row FROM memory ORDER BY row", (READ,))
    if what in ("codes", "all"):
        begin_epoch(connection)
    return int(connection.execute("SELECT count(*) FROM memory").fetchone()[0])


def begin_epoch(connection: Connection) -> None:
    """Let every index start over."""
    counters.draw(connection, "epoch")


def epoch(connection: Connection) -> int:
    """Return a number that grows whenever derived data were dropped: an index that sees it grow starts over."""
    return counters.last(connection, "epoch")


def wordless(connection: Connection, after_row: int, limit: int) -> list[tuple[int, str]]:
    """Return (row, text) of rows without words, in row order."""
    query = """SELECT m.row, m.text FROM memory m LEFT JOIN lexical x ON x.row = m.row
        WHERE m.row > ? AND x.row IS NULL ORDER BY m.row LIMIT ?"""
    return connection.execute(query, (after_row, limit)).fetchall()


def texts(connection: Connection, after_row: int, limit: int) -> list[tuple[int, str]]:
    """Return (row, text) of all rows, in row order."""
    query = "SELECT row, text FROM memory WHERE row > ? ORDER BY row LIMIT ?"
    return connection.execute(query, (after_row, limit)).fetchall()


def put_words(connection: Connection, analysed: Sequence[tuple[int, Lexical]]) -> None:
    """Write the words of rows; rows that are gone are ignored."""
    connection.executemany("DELETE FROM lexical WHERE row = ?", [(row,) for row, _ in analysed])
    connection.executemany(
        "INSERT INTO lexical (row, words, tokens) SELECT row, ?, ? FROM memory WHERE row = ?",
        [(lexical.words, lexical.tokens, row) for row, lexical in analysed],
    )


Analyse = Callable[[str], Lexical]
"""What makes words of a text."""
