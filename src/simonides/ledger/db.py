"""One SQLite file and its connections: who may write now, who reads, and what happens when the world fails.

Knows files, locks, processes and transactions; knows no table of ours.

In one process there is one writer connection behind a lock and one reader connection for each thread. A store in
memory has one connection for everything. No connection crosses a fork: before one, the idle connections are closed,
and both sides open new ones when they next need them.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType

from simonides.errors import InputError, SimonidesError, StoreBusy, StoreError, StoreUnusable
from simonides.ledger.drivers import STANDARD, Driver, FileConnection, holds_encrypted
from simonides.ledger.faults import BUSY, OF_DAMAGE, code_of, explain
from simonides.ledger.forks import Forkable, living
from simonides.ledger.migrations import identify, migrate, schema
from simonides.ledger.sql import SQLITE
from simonides.settings import Settings

IN_MEMORY = ":memory:"
_OF_NONSENSE = (TypeError, ValueError, AttributeError, LookupError)
"""What values raise that can't be in a sound file, and mistakes of ours."""
_PAUSES = (0.002, 0.05)
"""Shortest and longest sleep in seconds between two attempts at a lock that SQLite itself doesn't wait for."""


class Handle:
    """A connection with the lock of whoever uses it; opened when first needed, closed when dropped."""

    __slots__ = ("__weakref__", "connection", "lock")

    def __init__(self) -> None:
        self.connection: FileConnection | None = None
        self.lock = threading.RLock()

    def shut(self) -> None:
        """Close the connection; the next use opens a new one."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        self.shut()


class Database(Forkable):
    """Opens the file (making and migrating it) and hands out connections for reading and for writing.

    Attributes:
        dialect: what its connections speak.
        path: the file, or ``:memory:``.
        encrypted: whether the file can be read with a key only; what is kept beside it must not tell what it holds.
        commits: how many transactions this object has committed.
        read_only: never; a server that follows another one is.
        tenant_name: empty; only a server has tenants.
    """

    dialect = SQLITE
    read_only = False
    tenant_name = ""

    def __init__(
        self,
        path: str | Path,
        settings: Settings | None = None,
        tracer: Callable[[str], None] | None = None,
        driver: Driver = STANDARD,
    ) -> None:
        chosen = settings or Settings()
        self.in_memory = str(path) == IN_MEMORY
        if self.in_memory and driver.encrypted:
            rule = "has no use for a store in memory: a backup of it would be plain"
            raise InputError("key", rule, "", "Leave it out, or name a file.")
        self.driver = driver
        self.path = Path(path) if self.in_memory else check_place(Path(path))
        self.busy_seconds = chosen.busy_seconds
        self.commits = 0
        self._synchronous = chosen.synchronous
        self._tracer = tracer
        self._closed = False
        self._writer = Handle()
        self._watch = self._writer if self.in_memory else Handle()
        self._threads = threading.local()
        self._handles: weakref.WeakSet[Handle] = weakref.WeakSet()
        self._refuse_another_library()
        super().__init__(lasting=self.in_memory)
        self._open()

    @property
    def encrypted(self) -> bool:
        """Whether the file can be read with a key only."""
        return self.driver.encrypted

    def reading(self) -> Reading:
        """Return a context that gives this thread's connection for reading."""
        return Reading(self)

    def writing(self, *, keep: bool = True) -> Writing:
        """Return a context of one ``BEGIN IMMEDIATE`` transaction: committed at its end, all or nothing.

        Args:
            keep: False rolls back at the end, for plans.
        """
        return Writing(self, keep=keep)

    def working(self) -> Writing:
        """Return a context of one transaction over jobs and calls only; a database with many writers needs no lock."""
        return self.writing()

    @contextlib.contextmanager
    def snapshot(self) -> Generator[FileConnection]:
        """Give a connection of its own that sees one state of the file, however long it takes."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.translating())
            if self.in_memory:
                source = STANDARD.connect(IN_MEMORY, 0)
                stack.enter_context(contextlib.closing(source))
                with self.reading() as connection:
                    connection.backup(source)
            else:
                self.require_alive()
                source = stack.enter_context(contextlib.closing(self.connect(query_only=True)))
            source.execute("BEGIN")
            yield source

    def token(self) -> tuple[int, int]:
        """Return a pair that differs from an earlier one whenever any process has committed in between."""
        handle = self._watch
        with handle.lock, self.translating():
            version = self.opened(handle).execute("PRAGMA data_version").fetchone()[0]
        return version, self.commits

    def close(self) -> None:
        """Close all connections; the object can't be used afterwards. Closing twice is fine."""
        self._closed = True
        for handle in self.handles():
            with handle.lock:
                handle.shut()

    def handles(self) -> list[Handle]:
        """Return what holds the connections of this process, the writer's first."""
        with self.gate:
            return [self._writer, *({self._watch, *self._handles} - {self._writer})]

    def reader(self) -> Handle:
        """Return what holds the reader connection of this thread."""
        if self.in_memory:
            return self._writer
        try:
            return self._threads.handle
        except AttributeError:
            handle = self._threads.handle = Handle()
            with self.gate:
                self._handles.add(handle)
            return handle

    def opened(self, handle: Handle) -> FileConnection:
        """Return the open connection of a handle whose lock is held."""
        self.require_alive()
        if handle.connection is None:
            handle.connection = self.connect(query_only=handle is not self._writer)
        return handle.connection

    def begin(self) -> FileConnection:
        """Take the writer's lock, in this process and in the file; wait at most `busy_seconds` for each."""
        self.require_alive()
        handle = self._writer
        if not handle.lock.acquire(timeout=max(0.0, self.busy_seconds)):
            rule = f"another thread wrote for more than {self.busy_seconds:g} seconds"
            raise StoreBusy(f"store {self.path}", rule, "", "Try again, or raise the setting busy_seconds.")
        try:
            with self.translating():
                connection = self.opened(handle)
            self._persist(lambda: connection.execute("BEGIN IMMEDIATE"))
        except BaseException:  # Ctrl-C too must not leave it locked
            handle.lock.release()
            raise
        return connection

    def end(self, *, keep: bool) -> None:
        """Commit or roll back what `begin` began, and give the lock back."""
        handle = self._writer
        connection = handle.connection
        try:
            if connection is not None and connection.in_transaction:
                with self.translating():
                    connection.execute("COMMIT" if keep else "ROLLBACK")
                self.commits += keep
        finally:
            try:
                if connection is not None and connection.in_transaction:
                    connection.execute("ROLLBACK")
            finally:
                handle.lock.release()

    def connect(self, *, query_only: bool = False) -> FileConnection:
        """Open a new connection with our settings."""
        connection = self.driver.connect(str(self.path), self.busy_seconds)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            if query_only:
                connection.execute("PRAGMA query_only = ON")
            connection.set_trace_callback(self._tracer)
        except BaseException:  # Ctrl-C too must not leave it open
            connection.close()
            raise
        return connection

    def require_alive(self) -> None:
        """Refuse a store that was closed, or that was carried into another process by a fork we didn't see."""
        if self._closed:
            raise StoreUnusable(f"store {self.path}", "is closed", "", "Open it again.")
        if os.getpid() != self.pid:
            rule = f"was opened in process {self.pid} and carried into process {os.getpid()} by a fork"
            raise StoreUnusable(f"store {self.path}", rule, "", "Open it in the process that uses it.")

    def translating(self) -> Translating:
        """Return a context that turns SQLite's errors into ours."""
        return Translating(self)

    def in_use(self) -> bool:
        """Tell whether a transaction is open in this process."""
        connection = self._writer.connection
        return connection is not None and connection.in_transaction

    def closed(self) -> bool:
        """Tell whether `close` was called."""
        return self._closed

    def damage(self) -> str:
        """Return what is wrong with the file, where reading it made no sense; empty when the mistake is ours."""
        if self.in_memory or self._closed:
            return ""
        try:
            with contextlib.closing(self.connect(query_only=True)) as connection:
                query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
                held = dict(connection.execute(query).fetchall())
                for name, statement in schema().items():
                    if held.get(name) != statement:
                        return f"{name} is not as it was made"
                found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
                if found != "ok":
                    return found
                loose = connection.execute("PRAGMA foreign_key_check").fetchone()
                return "" if loose is None else f"a row of {loose[0]} refers to one that isn't there"
        except (StoreError, *OF_DAMAGE) as err:  # what fails is the finding
            return str(err)

    def same_file(self, path: Path) -> bool:
        """Tell whether a path leads to the file of this store."""
        try:
            return not self.in_memory and path.samefile(self.path)
        except OSError:  # one of the two is not there
            return False

    def _open(self) -> None:
        writer = self._writer
        while True:
            number = None if self.in_memory else _create(self.path)
            try:
                self._persist(lambda: self._prepare(writer))
            except BaseException as err:  # whatever it is, the file is let go of
                writer.shut()
                if isinstance(err, StoreError) and number is not None and number != _number(self.path):
                    continue  # another file took its place while it was being opened
                self._closed = True
                self._refuse_encrypted(err)
                raise
            # From now on our lock keeps others from putting another file in its place (`backup.restore`).
            if self.in_memory or number == _number(self.path):
                return
            writer.shut()

    def _refuse_another_library(self) -> None:
        """Refuse a file that this process has open with another library: closing one drops the locks of the other."""
        if any(other.encrypted != self.encrypted for other in opened_here(self.path)):
            rule = f"is open in this process {'without' if self.encrypted else 'with'} a key already"
            raise StoreUnusable(f"store {self.path}", rule, "", "Open it the same way.")

    def _refuse_encrypted(self, failure: BaseException | None) -> None:
        """Say of a file without sense that it is encrypted, where it is."""
        if isinstance(failure, StoreUnusable) and not self.encrypted and not self.in_memory:
            cause = failure.__cause__
            foreign = isinstance(cause, sqlite3.Error) and code_of(cause) == sqlite3.SQLITE_NOTADB
            if foreign and holds_encrypted(self.path):
                way_out = "Give its key: `Memory(path, key=...)`, or --key-file on the command line."
                rule = "is encrypted, and no key was given"
                raise StoreUnusable(f"store {self.path}", rule, "", way_out) from cause

    def _prepare(self, handle: Handle) -> None:
        connection = self.opened(handle)
        identify(connection, str(self.path))
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != ("memory" if self.in_memory else "wal"):
            rule = "lies on a file system that SQLite's write-ahead log doesn't work on"
            raise StoreUnusable(f"store {self.path}", rule, mode, "Choose a path on a local disk.")
        migrate(connection, str(self.path), None if self.in_memory else self._raw)

    def _raw(self, path: str) -> FileConnection:
        """Open any file with the driver, and so with the key, of this one."""
        return self.driver.connect(path, self.busy_seconds)

    def _persist(self, step: Callable[[], object]) -> None:
        """Run a step again while the file is locked by others, until `busy_seconds` are over."""
        deadline = time.monotonic() + self.busy_seconds
        while True:
            try:
                step()
            except OF_DAMAGE as err:
                busy = isinstance(err, sqlite3.Error) and code_of(err) in BUSY
                if not busy or time.monotonic() >= deadline:
                    with self.translating():
                        raise
            else:
                return
            time.sleep(random.uniform(*_PAUSES))


class Translating:
    """A context that turns SQLite's errors into ours, and lets all others pass."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, OF_DAMAGE):
            ours = explain(error, str(self._database.path), self._database.busy_seconds)
            if ours is not None:
                raise ours from error
        elif isinstance(error, _OF_NONSENSE) and not isinstance(error, SimonidesError):
            damage = self._database.damage()
            if damage:
                way_out = "Run `simonides doctor`, then put back a backup or import the last export."
                subject = f"store {self._database.path}"
                raise StoreUnusable(subject, "is damaged", damage, way_out) from error


class Reading(Translating):
    """This thread's connection; every statement sees the newest committed state."""

    __slots__ = ("_handle",)

    def __enter__(self) -> FileConnection:  # pyright: ignore[reportIncompatibleMethodOverride] - the base gives None
        handle = self._handle = self._database.reader()
        handle.lock.acquire()
        try:
            return self._database.opened(handle)
        except BaseException as err:  # Ctrl-C too must not leave it locked
            handle.lock.release()
            super().__exit__(type(err), err, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._handle.lock.release()
        if error is not None:
            super().__exit__(kind, error, _)


class Writing(Translating):
    """One transaction of the writer."""

    __slots__ = ("_keep",)

    def __init__(self, database: Database, *, keep: bool) -> None:
        super().__init__(database)
        self._keep = keep

    def __enter__(self) -> FileConnection:  # pyright: ignore[reportIncompatibleMethodOverride] - the base gives None
        return self._database.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._database.end(keep=self._keep and error is None)
        if error is not None:
            super().__exit__(kind, error, _)


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone; leave what is there as it is."""
    missing = [each for each in folder.parents if not each.exists()]
    for each in (*reversed(missing), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def check_place(path: Path) -> Path:
    """Return the absolute path of a file that may become a store; make its folder.

    Raises:
        StoreUnusable: it is a directory, lies inside an installed package, or its folder can't be made.
        InputError: the path can't be a path.
    """
    if "\0" in str(path):
        raise InputError("path", "must not hold a NUL character", repr(str(path)))
    path = path.expanduser().absolute()
    subject = f"store {path}"
    try:
        directory = path.is_dir()
    except OSError as err:  # the name is too long, or a folder above may not be entered
        raise StoreUnusable(subject, "can't be looked at", err.strerror, "Choose another path.") from err
    if directory:
        raise StoreUnusable(subject, "is a directory", "", f"Name a file in it, e.g. {path / 'memory.db'}.")
    package = Path(__file__).resolve().parents[1]
    place = path.resolve()
    if place.is_relative_to(package) or {"site-packages", "dist-packages"} & set(place.parts):
        rule = "lies inside an installed package, where the next upgrade deletes it"
        raise StoreUnusable(subject, rule, "", "Choose a path in your own folders.")
    if path.exists() and not path.is_file():
        raise StoreUnusable(subject, "is not a regular file", "", "Choose another path.")
    try:
        make_private(path.parent)
    except OSError as err:
        raise StoreUnusable(
            subject, "its folder can't be made", err.strerror, "Choose another path."
        ) from err
    return path


def opened_here(path: Path) -> list[Database]:
    """Return what this process has open of a file."""
    others = (each for each in living() if isinstance(each, Database))
    return [other for other in others if not other.closed() and other.same_file(path)]


def _number(path: Path) -> int | None:
    """Return what tells one file of a name from another that took its place."""
    try:
        return path.stat().st_ino
    except OSError:  # nothing has that name now
        return None


def _create(path: Path) -> int | None:
    """Make an empty file that only its owner can read; leave an existing one alone. Returns its number."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            way_out = f"chmod u+rw {path}, or choose another path."
            raise StoreUnusable(f"store {path}", "can't be read and written by you", "", way_out) from None
    except OSError as err:
        way_out = "Check the permissions of its folder, or choose another path."
        raise StoreUnusable(f"store {path}", "can't be made", err.strerror, way_out) from err
    return _number(path)
