"""Copies of a store that stand on their own, putting one back, and changing its key; knows files, pages and locks.

A copy is taken page by page from one state of the store while others go on writing, is opened and checked, and gets
its name last. What is put back takes the place of the old file in one step; nobody may have that open.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from simonides.errors import InputError, StoreBusy, StoreError, StoreUnusable
from simonides.ledger import proof
from simonides.ledger.db import Database, check_place, opened_here
from simonides.ledger.drivers import STANDARD, Driver, FileConnection, holds_pages
from simonides.ledger.encrypted import Vault, open_connection
from simonides.ledger.faults import OF_DAMAGE, code_of, explain
from simonides.ledger.migrations import LATEST, identify
from simonides.ledger.snapshot import discard, folder
from simonides.ledger.sql import Connection

Progress = Callable[[int, int], object]
"""Is told how many pages are done, and of how many."""

BEFORE = ".before-restore"
"""What is put behind the name of a file that a backup takes the place of."""
BESIDE = ("-wal", "-journal", "-shm")
"""What SQLite keeps beside a file."""
_STEP_PAGES = 2000
_PENDING_BYTE = 0x40000000
_SHARED_FIRST, _SHARED_SIZE = _PENDING_BYTE + 2, 510
"""Where SQLite's locks lie in a file: whoever has it open holds the shared ones."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is in a file that was opened and checked.

    Attributes:
        versions: of memories; `links` likewise.
        head: digest of the last entry of the log, in hexadecimal; empty without entries.
        schema: its number; an older one is migrated when the file is next opened.
    """

    path: Path
    bytes: int
    versions: int
    links: int
    events: int
    head: str
    schema: int
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put in the place of a store, and where that is now; None where there was none."""

    copy: Copy
    path: Path
    kept: Path | None


def back_up(
    database: object, target: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Copy:
    """Write a copy of an open store, of one moment, and check it; others may read and write meanwhile.

    Args:
        database: a `Database`; the connections of a ledger.

    Raises:
        InputError: the target is there already, or can't be written; or the store is no file.
        StoreUnusable: the copy is not as it should be; no file is left.
    """
    if not isinstance(database, Database):
        way_out = "Use pg_dump, or `simonides export`."
        raise InputError("backup", "is for files, not for a PostgreSQL server", "", way_out)
    target = _writable(target, overwrite=overwrite, store=database.path)
    with _partial(target) as partial:
        with database.snapshot() as source:
            expected = _told(source)
            _pages(source, partial, database.driver, progress)
        copy = examine(partial, database.driver)
        if (copy.versions, copy.links, copy.events, copy.head) != expected:
            raise StoreUnusable(
                f"backup {target}", "differs from the store", "", "Check the disk, try again."
            )
        _settle(partial, target)
    return _named(copy, target)


def examine(path: Path, driver: Driver = STANDARD) -> Copy:
    """Open a file that nobody else has open, and check all of it: pages, references, the chain of the log.

    Raises:
        InputError: there is no such file.
        StoreUnusable: it is no store, is damaged, or the key doesn't fit.
        NewerStore: it was written by a newer simonides.
    """
    if not path.is_file():
        raise InputError(f"backup {path}", "does not exist")
    with _explained(path), contextlib.closing(driver.connect(str(path), 0)) as connection:
        schema = identify(connection, str(path))
        if not schema:
            raise StoreUnusable(f"backup {path}", "is empty", "", "Choose another file.")
        damage = _damage(connection, schema)
        if damage:
            raise StoreUnusable(f"backup {path}", "is damaged", damage, "Choose another backup.")
        return Copy(path, path.stat().st_size, *_told(connection), schema, driver.encrypted)


def restore(
    source: Path, store: Path, driver: Driver = STANDARD, *, progress: Progress | None = None
) -> Restored:
    """Put a copy of a backup in the place of a store, once it is checked; what was there is kept beside it.

    Raises:
        InputError: there is no such backup, or it is the store itself.
        StoreBusy: another program has the store open.
        StoreUnusable: the backup is damaged, or is not opened by the key.
    """
    store = check_place(store)
    if not source.is_file():
        raise InputError(f"backup {source}", "does not exist")
    if store.exists() and source.samefile(store):
        raise InputError(f"backup {source}", "is the store itself", "", "Name another file.")
    with _alone(store):  # before the work, and again when the place is taken
        pass
    with _partial(store) as partial:
        _copied(source, partial, driver, progress)
        copy = examine(partial, driver)
        _begin_epoch(partial, copy, driver)
        _fold(store, driver)
        with _alone(store):
            kept = _keep(store)
            _settle(partial, store)
            discard(folder(store))
    return Restored(_named(copy, source), store, kept)


def check(source: Path, driver: Driver = STANDARD, progress: Progress | None = None) -> Copy:
    """Check a backup as `restore` does, on a copy that is thrown away; raises what it raises."""
    if not source.is_file():
        raise InputError(f"backup {source}", "does not exist")
    with tempfile.TemporaryDirectory(prefix="simonides-") as folder:
        partial = Path(folder) / source.name
        _copied(source, partial, driver, progress)
        return _named(examine(partial, driver), source)


def convert(store: Path, old: Driver, new: Driver, *, before: Callable[[Path], object] | None = None) -> Copy:
    """Encrypt a store, decrypt it, or change its key; the old file is gone afterwards.

    Args:
        before: called with the new file before it takes the place of the old one, e.g. to keep its key safe.

    Raises:
        StoreBusy: another program has the store open.
        StoreUnusable: it can't be read with the old key.
    """
    store = check_place(store)
    if not store.is_file():
        raise InputError(f"store {store}", "does not exist")
    _refuse_ours(store)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_explained(store))
        holder = old.connect(str(store), 0) if isinstance(old, Vault) else open_connection(str(store), 0)
        stack.enter_context(contextlib.closing(holder))
        identify(holder, str(store))
        _hold(holder, store)
        partial = stack.enter_context(_partial(store))
        partial.unlink()
        plainly = f"{partial.as_uri()}?key="
        holder.execute("VACUUM INTO ?", (new.address(partial) if isinstance(new, Vault) else plainly,))
        partial.chmod(0o600)
        copy = examine(partial, new)
        if before is not None:
            before(partial)
        _settle(partial, store)
        discard(folder(store))
    return _named(copy, store)


def name_for(store: Path, folder: Path, moment: str) -> Path:
    """Return where a backup of a store goes in a folder, by the moment of its making."""
    return folder / f"{store.stem}-{moment}.db"


# What a copy holds


def _told(connection: Connection) -> tuple[int, int, int, str]:
    counts = [
        connection.execute(query).fetchone()[0]
        for query in (
            "SELECT count(*) FROM memory",
            "SELECT count(*) FROM link",
            "SELECT count(*) FROM event",
        )
    ]
    last = connection.execute("SELECT digest FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    return counts[0], counts[1], counts[2], "" if last is None else bytes(last[0]).hex()


def _damage(connection: FileConnection, schema: int) -> str:
    rows = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)").fetchall()]
    if rows != ["ok"]:
        return "; ".join(rows)
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        return "rows refer to rows that don't exist"
    if schema == LATEST:
        result = proof.verify(connection)
        return "" if result.ok else str(result.problems[0])
    return ""


def _named(copy: Copy, path: Path) -> Copy:
    return Copy(
        path, copy.bytes, copy.versions, copy.links, copy.events, copy.head, copy.schema, copy.encrypted
    )


def _begin_epoch(path: Path, copy: Copy, driver: Driver) -> None:
    """Make every index and cache of what was in its place start over; they know a store by its id and its counters."""
    if copy.schema == LATEST:
        with _explained(path), contextlib.closing(driver.connect(str(path), 0)) as connection:
            leap = 1 + secrets.randbelow(2**20)
            connection.execute("UPDATE counter SET value = value + ? WHERE name = 'epoch'", (leap,))


# Files


def _writable(target: Path, *, overwrite: bool, store: Path) -> Path:
    target = target.expanduser().absolute()
    subject = f"backup {target}"
    if target.is_dir():
        raise InputError(subject, "is a folder", "", "Name a file in it.")
    if target.exists():
        if store.exists() and target.samefile(store):
            raise InputError(subject, "is the store itself", "", "Choose another name.")
        if not overwrite:
            raise InputError(subject, "exists already", "", "Choose another name, or --force overwrites it.")
    if not target.parent.is_dir():
        raise InputError(subject, "its folder does not exist", "", f"mkdir -p {target.parent}")
    return target


@contextlib.contextmanager
def _partial(target: Path) -> Generator[Path]:
    """Give an empty file beside a target, readable by its owner alone; whatever is left of it goes at the end."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as err:
        raise InputError(f"backup {target}", "can't be written", err.strerror) from err
    try:
        yield partial
    except OSError as err:
        raise StoreUnusable(f"backup {target}", "can't be written", err.strerror) from err
    finally:
        for ending in ("", *BESIDE):
            Path(f"{partial}{ending}").unlink(missing_ok=True)


def _copied(source: Path, target: Path, driver: Driver, progress: Progress | None) -> None:
    with _explained(source), contextlib.closing(driver.connect(str(source), 0)) as connection:
        identify(connection, str(source))
        connection.execute("PRAGMA query_only = ON")
        _pages(connection, target, driver, progress)


def _pages(source: FileConnection, target: Path, driver: Driver, progress: Progress | None) -> None:
    """Copy all pages; the copy is one file, without a log beside it."""

    def step(_: int, left: int, total: int) -> None:
        if progress is not None:
            progress(total - left, total)

    with contextlib.closing(driver.connect(str(target), 0)) as connection:
        source.backup(connection, pages=_STEP_PAGES, progress=step)
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def _settle(partial: Path, target: Path) -> None:
    """Give a file its name, so that a power failure leaves the old one or the new one."""
    _sync(partial)
    partial.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _keep(store: Path) -> Path | None:
    """Give the old file a second name, and take what SQLite keeps beside it from the place of the new one."""
    if not store.exists():
        return None
    kept = next(name for name in _names(store) if not name.exists())
    try:
        os.link(store, kept)
    except OSError:  # a file system without second names
        shutil.copy2(store, kept)
    for ending in BESIDE:
        beside = Path(f"{store}{ending}")
        if beside.exists() and ending != "-shm":
            beside.replace(f"{kept}{ending}")
        else:
            beside.unlink(missing_ok=True)
    _sync(store.parent)
    return kept


def _names(store: Path) -> Iterator[Path]:
    yield Path(f"{store}{BEFORE}")
    number = 2
    while True:
        yield Path(f"{store}{BEFORE}-{number}")
        number += 1


# Who has it open


def _refuse_ours(store: Path) -> None:
    if opened_here(store):
        raise StoreBusy(f"store {store}", "is open in this process", "", "Close it first.")


def _fold(store: Path, driver: Driver) -> None:
    """Have SQLite take the log beside an old file into it; where that is no SQLite file any more, the log stays."""
    if Path(f"{store}-wal").exists() and holds_pages(store):
        with contextlib.suppress(StoreError, *OF_DAMAGE):
            connection = driver.connect(str(store), 0)
            with contextlib.closing(connection):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextlib.contextmanager
def _alone(store: Path) -> Generator[None]:
    """Keep every other process out of a file, which may be damaged, as SQLite itself does before it changes one.

    Raises:
        StoreBusy: somebody has it open.
    """
    _refuse_ours(store)
    if os.name != "posix" or not store.exists():
        yield  # where a file that is open can't be renamed, replacing it fails
        return
    import fcntl

    handle = os.open(store, os.O_RDWR)
    try:
        for start, length in ((_PENDING_BYTE, 1), (_SHARED_FIRST, _SHARED_SIZE)):
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
            except OSError as err:
                raise _in_use(store) from err
        yield
    finally:
        os.close(handle)  # and so lets go of the locks


def _hold(connection: FileConnection, store: Path) -> None:
    """Keep every other process out of a sound file until the connection is closed, and take its log into it."""
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except sqlite3.OperationalError as err:
        if isinstance(explain(err, str(store), 0), StoreBusy):
            raise _in_use(store) from err
        raise


def _in_use(store: Path) -> StoreBusy:
    who = ", ".join(_holders(store))
    way_out = "End those programs (agents, servers, `simonides` commands) and try again."
    return StoreBusy(f"store {store}", "is open in other programs", who, way_out)


def _holders(store: Path) -> list[str]:
    """Return the processes that hold locks on a file, where the system tells."""
    try:
        number = store.stat().st_ino
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:  # only Linux has that list
        return []
    found: set[int] = set()
    for line in lines:
        words = line.split()
        if len(words) >= 8 and words[-3].rsplit(":", 1)[-1] == str(number) and words[-4].isdecimal():
            found.add(int(words[-4]))
    return [f"process {process}{_program(process)}" for process in sorted(found - {os.getpid()})]


def _program(process: int) -> str:
    try:
        return f" ({Path(f'/proc/{process}/comm').read_text().strip()})"
    except OSError:  # it has ended since
        return ""


@contextlib.contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OF_DAMAGE as err:
        ours = explain(err, str(path), 0)
        if ours is None:
            raise
        if isinstance(err, sqlite3.Error) and code_of(err) == sqlite3.SQLITE_READONLY:
            rule = "is damaged"  # its header says that only a newer SQLite may write it; the rights are ours
            raise StoreUnusable(f"backup {path}", rule, str(err), "Choose another backup.") from err
        raise ours from err
