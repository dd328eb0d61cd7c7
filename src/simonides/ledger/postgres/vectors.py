"""The statements that keep vectors in pgvector too, for whoever asks them in SQL; runs nothing.

The store keeps a vector as 8-bit integers and a scale. The direction is all that a cosine asks for, so the integers
alone make the column; the database computes it from the bytes, for new rows and for those that are there.
"""

from __future__ import annotations

from simonides.errors import InputError
from simonides.ledger.postgres.schema import Names

COLUMN = "embedding"
KINDS = ("halfvec", "vector")
"""Types of pgvector, the smaller first; versions before 0.7 have the second only."""
_MOST = {"halfvec": 4000, "vector": 2000}


def making(names: Names, dimension: int, kind: str = "halfvec") -> list[str]:
    """Return what makes the column and its HNSW index, for vectors of one dimension; as the owner of the tables.

    Raises:
        InputError: pgvector can't index so many dimensions.
    """
    if kind not in KINDS or not 0 < dimension <= _MOST[kind]:
        raise InputError("dimension", f"must be 1 to {_MOST.get(kind, 0)} for {kind}", dimension)
    signed = "get_byte(bytes, n) - CASE WHEN get_byte(bytes, n) > 127 THEN 256 ELSE 0 END"
    return [
        "CREATE EXTENSION IF NOT EXISTS vector",
        # The body is parsed now, so that it finds its type whatever the search path of a later session is.
        names.fill(f"""CREATE OR REPLACE FUNCTION @@.embedding_of(bytes bytea) RETURNS {kind} LANGUAGE sql
    IMMUTABLE STRICT PARALLEL SAFE RETURN CASE WHEN length(bytes) > 4 THEN
    (SELECT array_agg({signed} ORDER BY n)::real[]::{kind} FROM generate_series(4, length(bytes) - 1) n) END"""),
        names.fill(
            f"ALTER TABLE @@.pooled ADD COLUMN IF NOT EXISTS {COLUMN} {kind} "
            "GENERATED ALWAYS AS (@@.embedding_of(vector)) STORED"
        ),
        names.fill(
            f"CREATE INDEX IF NOT EXISTS pooled_{COLUMN}_{dimension} ON @@.pooled "
            f"USING hnsw (({COLUMN}::{kind}({dimension})) {kind}_cosine_ops) WHERE length(vector) = {dimension + 4}"
        ),
    ]


def dropping(names: Names) -> list[str]:
    """Return what takes column and indexes away again."""
    return [
        names.fill(f"ALTER TABLE @@.pooled DROP COLUMN IF EXISTS {COLUMN}"),
        names.fill("DROP FUNCTION IF EXISTS @@.embedding_of(bytea)"),
    ]
