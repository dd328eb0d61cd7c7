"""Receipts of requests that may come again, so that the second time writes nothing; knows no door and no verb.

A request is known by the key that its sender gave it. What it wrote and its receipt are one transaction: a crash leaves
both or neither. A verb that commits several times, like a long `add_many`, leaves a receipt for each part, and goes on
after the last one when it comes again. Receipts hold ids and no text; keys are held by their digest, and the digest of
a request under a secret that every erasure changes, so that nobody can find out by guessing what was asked.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from simonides.clock import instant, micros
from simonides.errors import InputError
from simonides.ledger import meta
from simonides.ledger.canonical import encode
from simonides.ledger.sql import Connection
from simonides.types import Erasure, Receipt, Undone

KEPT_SECONDS = 86_400
"""How long a receipt is kept for a request that comes again."""
LONGEST_KEY = 512
_MICROS = 1_000_000
_KEY_NAME = "replay_key"
_GENERATION_BYTES = 8

Done = Receipt | Undone | Erasure
"""What a write comes back with."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A request that may come again.

    Attributes:
        key: what its sender calls it; a door puts whose credential it is in front, for keys are one's own.
        digest: of all that was asked, so that another request under the same key is refused.
        part: which transaction of the request, from 0; counted by whoever writes.
    """

    key: str
    digest: bytes
    part: int = 0

    def __post_init__(self) -> None:
        if not self.key or len(self.key) > LONGEST_KEY:
            rule = f"must be 1 to {LONGEST_KEY} characters"
            raise InputError("idempotency key", rule, len(self.key), "A UUID is enough.")


class Seen(Exception):
    """The request was here before; carries its first receipt. Never leaves this package."""

    def __init__(self, done: Done) -> None:
        super().__init__("seen")
        self.done = done


def require_new(connection: Connection, replay: Replay, now: int) -> None:
    """Go on only with a request that was not here before; called first in the transaction that writes.

    Raises:
        Seen: it was, with its receipt. InputError: the key belongs to another request.
    """
    prune(connection, now)
    done = find(connection, replay, now)
    if done is not None:
        raise Seen(done)


def find(connection: Connection, replay: Replay, now: int) -> Done | None:
    """Return the receipt of a request that was here before; None for a new one.

    Raises:
        InputError: the key belongs to another request.
    """
    query = "SELECT digest, receipt FROM replay WHERE key = ? AND part = ? AND at > ?"
    values = (_hidden(replay.key), replay.part, now - KEPT_SECONDS * _MICROS)
    found = connection.execute(query, values).fetchone()
    if found is None:
        return None
    held, mine = bytes(found[0]), _marked(replay.digest, _secret(connection))
    # One of before an erasure can't be compared any more.
    same_generation = held[:_GENERATION_BYTES] == mine[:_GENERATION_BYTES]
    if same_generation and not hmac.compare_digest(held, mine):
        rule = "was used for another request before"
        raise InputError("idempotency key", rule, "", "Draw a new one for each request.")
    return _read(str(found[1]))


def keep(connection: Connection, replay: Replay, now: int, done: Done) -> None:
    """Write the receipt, in the transaction of what it is for."""
    row = (
        _hidden(replay.key),
        replay.part,
        now,
        _marked(replay.digest, _secret(connection)),
        encode(_written(done)),
    )
    connection.execute("INSERT INTO replay (key, part, at, digest, receipt) VALUES (?, ?, ?, ?, ?)", row)


def prune(connection: Connection, now: int) -> int:
    """Delete receipts that are too old; return how many."""
    return connection.execute("DELETE FROM replay WHERE at <= ?", (now - KEPT_SECONDS * _MICROS,)).rowcount


def forget_requests(connection: Connection) -> None:
    """Change the secret, in the transaction of an erasure: no digest tells any more what was asked."""
    meta.put(connection, _KEY_NAME, secrets.token_hex(32))


def _secret(connection: Connection) -> bytes:
    found = meta.get(connection, _KEY_NAME)
    if not found:
        forget_requests(connection)
        found = meta.get(connection, _KEY_NAME)
    return bytes.fromhex(found)


def _marked(digest: bytes, secret: bytes) -> bytes:
    """Return a digest under the secret, behind a mark that says which secret that is."""
    return sha256(b"which" + secret).digest()[:_GENERATION_BYTES] + hmac.digest(secret, digest, "sha256")


def _hidden(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _written(done: Done) -> dict[str, object]:
    """Return a receipt as JSON, without what could hold a text."""
    match done:
        case Receipt():
            return {"is": "receipt", "ids": done.ids, "seqs": done.seqs, "skipped": done.skipped}
        case Undone():
            return {
                "is": "undone",
                "undone": done.undone,
                "ids": done.ids,
                "closed": done.closed,
                "reopened": done.reopened,
                "seqs": done.seqs,
            }
        case Erasure():
            return {
                "is": "erasure",
                "store": done.store,
                "at": micros(done.at),
                "actor": done.actor,
                "reason": done.reason,
                "ids": done.ids,
                "links": done.links,
                "derived": done.derived,
                "counts": {**done.counts},
                "seq": done.seq,
                "digest": done.digest,
                "still_holding": done.still_holding,
            }


def _read(text: str) -> Done:
    held: dict[str, Any] = json.loads(text)
    what = held.pop("is")
    if what == "receipt":
        return Receipt(tuple(held["ids"]), tuple(held["seqs"]), "stored", skipped=held["skipped"])
    if what == "undone":
        pairs = {name: tuple((id, number) for id, number in held[name]) for name in ("closed", "reopened")}
        return Undone("undone", held["undone"], tuple(held["ids"]), seqs=tuple(held["seqs"]), **pairs)
    for name in ("ids", "links", "still_holding"):
        held[name] = tuple(held[name])
    held["at"] = instant(held["at"])
    return Erasure("erased", **held)
