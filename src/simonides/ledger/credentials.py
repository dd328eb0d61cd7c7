"""The table of credentials: who may come in, held by digests only; knows no token, no door and no right by name.

What is issued, rotated and revoked is in the log, by the credential's id and without a name, a scope or a digest.
A dump leaves the table out: whoever takes an export in gets the memories, and not the keys to somebody's server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simonides.errors import NotFound
from simonides.ledger.events import Deed
from simonides.ledger.memories import Batch
from simonides.ledger.sql import Connection
from simonides.types import Json

COLUMNS = (
    'id, name, "user", agent, session, project, rights, digest, '
    "former, former_until, created, expires, used, revoked"
)
_INSERT = f"INSERT INTO credential ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Row(NamedTuple):
    """One row of the table; times in microseconds.

    `former` is the digest from before the last rotation, good until `former_until`; `rights` are joined by commas.
    """

    id: bytes
    name: str
    user: str
    agent: str
    session: str
    project: str
    rights: str
    digest: bytes
    former: bytes | None
    former_until: int
    created: int
    expires: int
    used: int | None
    revoked: int | None


def issue(batch: Batch, row: Row) -> None:
    """Write a new one and its event."""
    batch.connection.execute(_INSERT, row)
    facts: dict[str, Json] = {
        "rights": row.rights,
        "scoped": [name for name in ("user", "agent", "session", "project") if getattr(row, name)],
        "expires": row.expires,
    }
    _log(batch, "issue", row.id, "issued", facts)


def rotate(batch: Batch, id: bytes, digest: bytes, former_until: int) -> Row:
    """Put another digest in the place of the one that is good now, which stays good until then; return the new row.

    Raises:
        NotFound: there is none of this id.
    """
    row = find(batch.connection, id)
    change = "UPDATE credential SET digest = ?, former = ?, former_until = ? WHERE id = ?"
    batch.connection.execute(change, (digest, row.digest, former_until, id))
    _log(batch, "rotate", id, "rotated", {"former_until": former_until})
    return find(batch.connection, id)


def revoke(batch: Batch, id: bytes) -> Row:
    """End one now; one that has ended stays as it is. Return the row.

    Raises:
        NotFound: there is none of this id.
    """
    if find(batch.connection, id).revoked is None:
        batch.connection.execute("UPDATE credential SET revoked = ? WHERE id = ?", (batch.now, id))
        _log(batch, "revoke", id, "revoked", {})
    return find(batch.connection, id)


def touch(connection: Connection, id: bytes, at: int) -> None:
    """Note when one was used; that is no event."""
    connection.execute("UPDATE credential SET used = ? WHERE id = ?", (at, id))


def find(connection: Connection, id: bytes) -> Row:
    """Return one.

    Raises:
        NotFound: there is none of this id.
    """
    found = connection.execute(f"SELECT {COLUMNS} FROM credential WHERE id = ?", (id,)).fetchone()
    if found is None:
        rule = "no such credential in this store"
        raise NotFound(f"credential {id.hex()}", rule, "", "`token list` lists them.")
    return Row._make(found)


def listed(connection: Connection) -> list[Row]:
    """Return all, oldest first."""
    return [
        Row._make(found)
        for found in connection.execute(f"SELECT {COLUMNS} FROM credential ORDER BY id").fetchall()
    ]


def _log(batch: Batch, verb: str, id: bytes, reason: str, facts: Mapping[str, Json]) -> None:
    batch.log(Deed(verb, id, reason, facts={**facts}))
    batch.flush()
