"""Memories that must be there only once, told apart by a field of their metadata; knows no importer.

Whoever brings them looks up what is there and then writes what is not. Between the two another writer may bring the
same, so the transaction that writes looks once more, at what is newer than the look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simonides.errors import Conflict
from simonides.ledger.canonical import decode
from simonides.ledger.sql import Connection
from simonides.types import Add, Change


@dataclass(frozen=True, slots=True)
class Once:
    """A field of metadata that no two memories may share, and the newest row that its writer has looked at."""

    name: str
    seen: int


def require_new(connection: Connection, changes: Iterable[Change], once: Once) -> None:
    """Refuse changes that add what another writer has added since.

    Raises:
        Conflict: with the first value that is there already.
    """
    query = "SELECT m.metadata FROM memory m WHERE m.row > ? AND m.metadata IS NOT NULL"
    rows = connection.execute(query, (once.seen,)).fetchall()
    there = {str(metadata[once.name]) for row in rows if once.name in (metadata := decode(row[0]))}
    if not there:
        return
    for change in changes:
        value = change.metadata.get(once.name) if isinstance(change, Add) else None
        if value is not None and str(value) in there:
            rule = "another writer has added the same memory since you looked"
            raise Conflict(f"metadata {once.name}", rule, value, "Look again, and leave it out.")
