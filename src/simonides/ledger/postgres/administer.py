"""Runs the statements of whoever looks after a server, all or none; knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString, cast

import psycopg

from simonides.ledger.postgres.database import PostgresDatabase


def run(database: PostgresDatabase, statements: Sequence[str]) -> None:
    """Run statements in one transaction, on a connection of their own without our search path.

    Raises:
        StoreUnusable: the role may not, or the server can't.
    """
    with database.translating(), psycopg.connect(database.url) as raw:
        for statement in statements:
            raw.execute(cast("LiteralString", statement))


def kind_of_vector(database: PostgresDatabase) -> str:
    """Return the smallest type that the server's pgvector has; ``halfvec`` where it is still to be installed."""
    query = "SELECT typname FROM pg_type WHERE typname IN (?, ?) ORDER BY typname LIMIT 1"
    with database.reading() as connection:
        row = connection.execute(query, ("halfvec", "vector")).fetchone()
    return str(row[0]) if row else "halfvec"
