"""Find derived data that are missing or damaged, and have just those made again; texts are never touched.

Words, vectors and token codes have fixed shapes; what doesn't have its shape was damaged. Bytes that are wrong in the
right shape can't be told from right ones: making everything anew mends those too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from simonides.ledger import derived
from simonides.ledger.derived import READ
from simonides.ledger.sql import Connection
from simonides.ledger.staging import SCALE_BYTES

CODE_BYTES = 48
"""Bytes of one token code."""
_WORDS_OFF = "(length(x.words) % 5 <> 1 OR length(x.tokens) % 2 <> 0)"
_CODES_OFF = "(length(p.vector) <> ? OR c.serial IS NULL OR length(c.states) % ? <> 0)"
_WANTED = "NOT EXISTS (SELECT 1 FROM job j WHERE j.row = m.row AND j.kind = ?)"


@dataclass(frozen=True, slots=True)
class Damage:
    """How many versions lack what.

    Attributes:
        words: words are missing.
        words_off: words are there but can't be right.
        codes: codes of the served model are missing, and no job asks for them.
        codes_off: codes are there but can't be right.
    """

    words: int = 0
    words_off: int = 0
    codes: int = 0
    codes_off: int = 0

    @property
    def many(self) -> int:
        """How many there are of all kinds."""
        return self.words + self.words_off + self.codes + self.codes_off


def damage(connection: Connection, *, codes: bool) -> Damage:
    """Count; `codes` is false where there is no full tier."""
    words = "SELECT count(*) FROM memory m LEFT JOIN lexical x ON x.row = m.row WHERE x.row IS NULL"
    found = Damage(
        _count(connection, words), _count(connection, f"SELECT count(*) FROM lexical x WHERE {_WORDS_OFF}")
    )
    model, vector_bytes = derived.served(connection), _vector_bytes(connection)
    if not codes or not vector_bytes:
        return found
    missing = f"""SELECT count(*) FROM memory m WHERE {_WANTED} AND NOT EXISTS
        (SELECT 1 FROM pooled p WHERE p.row = m.row AND p.model = ?)"""
    off = f"""SELECT count(*) FROM pooled p LEFT JOIN codes c ON c.serial = p.serial
        WHERE p.model = ? AND {_CODES_OFF}"""
    return Damage(
        found.words,
        found.words_off,
        _count(connection, missing, READ, model),
        _count(connection, off, model, vector_bytes, CODE_BYTES),
    )


def mend(connection: Connection, now: int, *, codes: bool) -> Damage:
    """Delete what is damaged and ask for the codes that are missing; the words that are missing are not made here."""
    found = damage(connection, codes=codes)
    if found.words_off:
        connection.execute(
            f"DELETE FROM lexical WHERE row IN (SELECT x.row FROM lexical x WHERE {_WORDS_OFF})"
        )
    model, vector_bytes = derived.served(connection), _vector_bytes(connection)
    if codes and vector_bytes:
        off = f"""DELETE FROM pooled WHERE serial IN (SELECT p.serial FROM pooled p
            LEFT JOIN codes c ON c.serial = p.serial WHERE p.model = ? AND {_CODES_OFF})"""
        connection.execute(off, (model, vector_bytes, CODE_BYTES))
        ask = f"""INSERT INTO job (kind, row, created) SELECT ?, m.row, ? FROM memory m WHERE {_WANTED}
            AND NOT EXISTS (SELECT 1 FROM pooled p WHERE p.row = m.row AND p.model = ?) ORDER BY m.row"""
        connection.execute(ask, (READ, now, READ, model))
    if found.many:
        derived.begin_epoch(connection)
    return found


def _vector_bytes(connection: Connection) -> int:
    """Return what a vector of the served model takes, 0 where there is none."""
    text = derived.model_identity(connection)
    dimension = json.loads(text).get("dimension", 0) if text else 0
    return dimension + SCALE_BYTES if dimension else 0


def _count(connection: Connection, query: str, *values: object) -> int:
    return int(connection.execute(query, values).fetchone()[0])
