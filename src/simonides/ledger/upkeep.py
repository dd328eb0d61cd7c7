"""Erasing and upkeep, from the transaction to the last byte of the file; puts `erase`, `retention`, `remains` together.

Knows no search and no clock: what is chosen, and when it is now, comes from above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simonides.clock import FOREVER, instant
from simonides.ledger import erase, remains, replays, retention
from simonides.ledger.expiry import expiry, set_expiry
from simonides.ledger.memories import Batch
from simonides.ledger.replays import Replay
from simonides.ledger.retention import Due
from simonides.ledger.rules import Ready
from simonides.ledger.selection import Selection, choose
from simonides.ledger.sql import Connection
from simonides.types import Erasure, Retire, Upkeep

if TYPE_CHECKING:
    from simonides.ledger.opening import Store


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, into what, and when it is now, in microseconds."""

    database: Store
    now: int
    actor: str

    def batch(self, connection: Connection) -> Batch:
        """Begin a batch of several changes in an open transaction."""
        return Batch(connection, now=self.now, actor=self.actor, several=True)


@dataclass(frozen=True, slots=True)
class Manner:
    """How to erase.

    Attributes:
        links: False refuses when links hang on what is chosen.
        derived: whether what cites it goes too.
        keep_pages: leaves writing the file anew to upkeep.
        backups: deletes the copies that migrations have put beside the file.
        full: has a server write its files anew, which stops everybody meanwhile.
    """

    reason: str = ""
    links: bool = True
    derived: bool = True
    keep_pages: bool = False
    backups: bool = False
    full: bool = False


def erase_chosen(
    writer: Writer, selection: Selection, manner: Manner, *, plan: bool = False, replay: Replay | None = None
) -> Erasure:
    """Erase what a selection names, in one transaction; then clean the file, and return the signed receipt.

    A request that comes again because the first try was cut off finishes the cleaning.
    """
    try:
        with writer.database.writing(keep=not plan) as connection:
            if replay is not None:
                replays.require_new(connection, replay, writer.now)
            doomed = choose(connection, selection, links=manner.links, derived=manner.derived)
            done = erase.erase(writer.batch(connection), doomed, reason=manner.reason)
            secret = erase.key(connection, make=True)
            if replay is not None:
                replays.keep(connection, replay, writer.now, done)
    except replays.Seen as seen:
        return again(writer.database, seen.done, manner)
    if plan:
        holding = (*done.still_holding, *remains.holding(writer.database))
        return replace(erase.planned(done), still_holding=holding)
    return _cleaned(writer.database, done, secret, manner)


def again(database: Store, done: replays.Done, manner: Manner = Manner()) -> Erasure:
    """Return the signed receipt of an erasure that was committed before, and finish its cleaning."""
    assert isinstance(done, Erasure)
    with database.reading() as connection:
        secret = erase.key(connection)
    return _cleaned(database, done, secret, manner)


def upkeep(writer: Writer, *, plan: bool = False, full: bool = False) -> Upkeep:
    """Retire and erase what has expired, in one transaction, and finish what earlier erasures left pending."""
    if plan:
        return _planned(writer)
    before = remains.pending(writer.database)
    with writer.database.writing() as connection:
        replays.prune(connection, writer.now)
        due = retention.due(connection, writer.now)
        retired = _retire(writer.batch(connection), [one for one in due if one.action != "erase"])
        done = _erase(writer, connection, [one for one in due if one.action == "erase"])
        secret = erase.key(connection, make=True) if done is not None else b""
    if done is not None:
        done = _cleaned(writer.database, done, secret, Manner(full=full))
        left, gone = done.pending, set(done.ids)
        retired = tuple(id for id in retired if id not in gone)
    else:
        left = remains.settle(writer.database, full=full).pending if before or full else ()
    return Upkeep("done", retired, done, tuple(name for name in before if name not in left), left)


def _planned(writer: Writer) -> Upkeep:
    with writer.database.writing(keep=False) as connection:
        due = retention.due(connection, writer.now)
        done = _erase(writer, connection, [one for one in due if one.action == "erase"])
        retired = tuple(one.id.hex() for one in due if one.action != "erase")
    gone = set(() if done is None else done.ids)
    retired = tuple(id for id in retired if id not in gone)
    return Upkeep(
        "planned",
        retired,
        None if done is None else erase.planned(done),
        (),
        remains.pending(writer.database),
    )


def _retire(batch: Batch, due: Sequence[Due]) -> tuple[str, ...]:
    """Retire memories at the time at which each expired; their own end is moved to never, so that `undo` shows them."""
    for one in due:
        batch.write(Ready(Retire(one.id.hex(), instant(one.at), reason=one.reason), one.id, at=one.at))
        end = expiry(batch.connection, one.id)
        if end is not None and end[0] <= batch.now:
            set_expiry(batch.connection, one.id, FOREVER, end[1])
    batch.flush()
    return tuple(one.id.hex() for one in due)


def _erase(writer: Writer, connection: Connection, due: Sequence[Due]) -> Erasure | None:
    if not due:
        return None
    doomed = choose(connection, Selection(ids=tuple(one.id for one in due)))
    reasons = sorted({one.reason for one in due})
    return erase.erase(writer.batch(connection), doomed, reason="; ".join(reasons))


def _cleaned(database: Store, done: Erasure, secret: bytes, manner: Manner) -> Erasure:
    """Clean the file after an erasure was committed, and sign its receipt."""
    remains.discard_caches(database)
    left = remains.settle(database, pages=not manner.keep_pages, full=manner.full).pending
    holding = (*done.still_holding, *remains.holding(database, backups=manner.backups))
    done = replace(done, examples=(), pending=left, still_holding=holding)
    return replace(done, signature=erase.signature(done, secret))
