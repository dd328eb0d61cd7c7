"""What erased words leave outside the tables of a file: pages, the log of SQLite, caches, copies; knows no row.

Deleting with ``secure_delete`` blanks what is deleted where it lies. That isn't all: as pages fill and split, SQLite
moves rows and leaves stale pieces of them in the free part of pages that are still in use, and the write-ahead log
holds earlier states of pages. So the file is written anew (VACUUM), and the log is emptied.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.errors import StoreError
from simonides.ledger import meta, snapshot
from simonides.ledger.canonical import encode
from simonides.ledger.db import Database
from simonides.ledger.erase import PENDING

if TYPE_CHECKING:
    from simonides.ledger.opening import Store

PAGES, LOG = "pages", "log"
"""What can be pending: writing the file anew, and emptying its write-ahead log."""
ELSEWHERE = (
    "free space in the server's files, until it is used again or VACUUM FULL (`upkeep --full`) writes them anew",
    "the server's write-ahead log, until its segments are recycled, and whatever archives them",
    "replicas that have not followed yet, and backups",
)
"""Where a PostgreSQL server keeps what was deleted, out of our reach."""
_LARGE_BYTES = 256 * 1024 * 1024
"""Beyond this size the new file is put together on disk and not in memory, unless it is encrypted."""
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Settled:
    """What was finished, and what is still pending."""

    finished: tuple[str, ...]
    pending: tuple[str, ...]


def pending(database: Store) -> tuple[str, ...]:
    """Return what earlier erasures have left to do."""
    with database.reading() as connection:
        text = meta.get(connection, PENDING)
    return tuple(map(str, json.loads(text))) if text else ()


def settle(database: Store, *, pages: bool = True, full: bool = False) -> Settled:
    """Do what is pending as far as others let us; `pages` False leaves the file as it is and empties the log only.

    What another process or a full disk prevents stays pending: nothing of this can fail an erasure that is committed.
    A server keeps its own log; its files are written anew only with `full`, because that stops everybody meanwhile.
    """
    asked = pending(database)
    if isinstance(database, Database):
        steps: dict[str, Callable[[], bool]] = {
            PAGES: lambda: _rewrite(database),
            LOG: lambda: _empty_log(database),
        }
    else:
        server = import_module("simonides.ledger.postgres.remains")
        steps = {PAGES: lambda: server.vacuum(database, full=full) or not full, LOG: lambda: True}
    done: list[str] = []
    for name in asked if asked or not full else (PAGES,):
        if name == PAGES and not pages:
            continue
        with contextlib.suppress(StoreError):
            if database.in_memory or steps[name]():
                done.append(name)
    left = tuple(name for name in asked if name not in done)
    if done:
        with database.writing() as connection:
            meta.put(connection, PENDING, encode([*left]))
    return Settled(tuple(done), left)


def holding(database: Store, *, backups: bool = False) -> tuple[str, ...]:
    """Return what is known to hold erased words still, beside the pending; `backups` deletes the copies of a file."""
    if database.in_memory:
        return ()
    if not isinstance(database, Database):
        return ELSEWHERE
    found = copies(database.path)
    for copy in found if backups else ():
        copy.unlink(missing_ok=True)
    return () if backups else tuple(map(str, found))


def discard_caches(database: Store) -> None:
    """Delete the caches of indexes beside a file; they are made again."""
    if database.in_memory or not isinstance(database, Database):
        return
    snapshot.discard(snapshot.folder(database.path))


def copies(path: Path) -> list[Path]:
    """Return what was put beside a file when it was migrated or replaced: copies, which hold what is erased since."""
    found = {
        *path.parent.glob(f"{_literal(path.name)}.v*.backup"),
        *path.parent.glob(f"{_literal(path.name)}.*.partial"),
        *path.parent.glob(f".{_literal(path.name)}.*.partial"),
        *path.parent.glob(f"{_literal(path.name)}.before-restore*"),
    }
    return sorted(found)


def _rewrite(database: Database) -> bool:
    """Write the file anew, through the log; needs as much room again as the file takes."""
    with database.translating(), contextlib.closing(database.connect()) as connection:
        if database.path.stat().st_size > _LARGE_BYTES and not database.encrypted:
            connection.execute("PRAGMA temp_store = FILE")
        connection.execute("VACUUM")
    return True


def _empty_log(database: Database) -> bool:
    """Move everything from the log into the file and cut the log to nothing; wait for those who still read it."""
    deadline = time.monotonic() + database.busy_seconds
    with database.translating(), contextlib.closing(database.connect()) as connection:
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
    return True


def _literal(name: str) -> str:
    """Return a name as a pattern that only it fits."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)
