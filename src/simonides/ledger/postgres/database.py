"""One store in PostgreSQL and its connections: who may write now, who reads, and what happens when one is lost.

Knows servers, pools, tenants and transactions; of our tables only those that order the writers. Writers of one tenant
take turns: each first locks the row of the counter `commits`, so that rows, events and serials are numbered in the
order of commits, as in a file. Nothing else is ever locked before that row, and no job before the lock over jobs, so
nobody waits in a circle.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed

from simonides.errors import StoreBusy, StoreUnusable
from simonides.ledger.forks import Forkable
from simonides.ledger.postgres import faults, schema
from simonides.ledger.postgres.address import Address
from simonides.ledger.postgres.driver import PgConnection, Raw, equip, lost
from simonides.ledger.postgres.following import Staleness
from simonides.ledger.sql import POSTGRESQL
from simonides.settings import Settings

if TYPE_CHECKING:
    from types import TracebackType

    from psycopg.errors import Diagnostic

_CONNECT_SECONDS = 10
_KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000,
}  # fmt: skip
_FORK_SECONDS = 5.0
_PAUSE = 0.05
"""Seconds between two attempts to learn from a server what became of a commit."""
_SESSION = "SELECT " + ", ".join(
    f"set_config('{name}', ${place}, false)"
    for place, name in enumerate(
        ("search_path", "simonides.tenant", "lock_timeout", "statement_timeout",
         "idle_in_transaction_session_timeout", "timezone"), 1,
    )
)  # fmt: skip
_TURN = """WITH mine AS (INSERT INTO @@.writer (writer, mark) VALUES ($1, $2)
    ON CONFLICT (tenant, writer) DO UPDATE SET mark = excluded.mark, at = now())
    UPDATE counter SET value = value + 1 WHERE name = 'commits' RETURNING value"""
_FORGOTTEN = "DELETE FROM writer WHERE at < now() - interval '7 days'"
_GROWN = frozenset(8**power for power in range(1, 8))
"""After so many transactions of one process the server is asked for statistics, sooner than autovacuum would be:
without them it takes a tenant's rows for a few, and joins whole tables. Who doesn't own the tables is only warned."""
_ANALYSE = "ANALYZE (SKIP_LOCKED) @@.memory, @@.scope, @@.lexical, @@.event, @@.job, @@.link, @@.pooled"
_BEGUN: LiteralString = "begun"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class PostgresDatabase(Forkable):
    """Opens a tenant's store (making and migrating it) and hands out connections for reading and for writing.

    Attributes:
        dialect: what its connections speak.
        path: the address, with its password hidden.
        url: the address for libpq, with whatever it holds.
        tenant: number of the tenant.
        tenant_name: what was asked for; empty for the one that the role is bound to, else the default.
        names: of the schemas.
        read_only: whether the server follows another one.
        commits: how many transactions this object has committed.
    """

    dialect = POSTGRESQL
    in_memory = False
    encrypted = False

    def __init__(
        self, address: str, settings: Settings | None = None, tracer: Callable[[str], None] | None = None
    ) -> None:
        chosen = settings or Settings()
        parts = Address.of(address)
        self.url = parts.url
        self.path = parts.shown
        self.names = schema.Names(parts.schema or schema.SCHEMA)
        self.busy_seconds = chosen.busy_seconds
        self.commits = 0
        self.tenant = 0
        self.read_only = False
        self._subject = f"store {self.path}"
        self._stale_seconds = chosen.max_staleness
        self._staleness = Staleness(chosen.max_staleness, self._subject)
        self.tenant_name = parts.tenant or chosen.tenant
        self._statement_seconds = chosen.statement_seconds
        self._pool_size = chosen.pool_size
        self._tracer = tracer
        self._closed = False
        self._turn = threading.RLock()
        self._writing = False
        self._writer = secrets.token_bytes(16)
        self._mark = 0
        self._after = ExitStack()
        self._pool: ConnectionPool[Raw] | None = None
        self._warnings: weakref.WeakKeyDictionary[Raw, str] = weakref.WeakKeyDictionary()
        super().__init__(lasting=False)
        self._open()

    # Connections

    def reading(self) -> Reading:
        """Return a context that gives a connection whose every statement sees the newest committed state."""
        return Reading(self)

    def writing(self, *, keep: bool = True) -> Writing:
        """Return a context of one transaction of this tenant's only writer: committed at its end, all or nothing.

        Args:
            keep: False rolls back at the end, for plans.
        """
        return Writing(self, keep=keep)

    @contextlib.contextmanager
    def working(self) -> Generator[PgConnection]:
        """Give one transaction over jobs and calls only; many can be open at once."""
        with self.translating(), self._transaction("BEGIN") as raw:
            raw.execute(self._jobs_lock)
            yield self.wrapped(raw)
            raw.execute("COMMIT")

    @property
    def _jobs_lock(self) -> LiteralString:
        """Takes the lock over the jobs of this tenant, which comes after the turn and before the row of any job.

        Two transactions over several jobs each would otherwise lock them in different orders, and wait in a circle.
        """
        return self.names.fill(f"SELECT pg_advisory_xact_lock(hashtextextended('@@ jobs', {self.tenant:d}))")

    @contextlib.contextmanager
    def snapshot(self) -> Generator[PgConnection]:
        """Give a connection that sees one state of the store, however long it takes."""
        with self.translating(), self._transaction(_SNAPSHOT) as raw:
            self.require_fresh(raw)
            raw.execute("SET LOCAL statement_timeout = 0")
            raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield PgConnection(raw, tracer=self._tracer, stream=True)

    def token(self) -> tuple[int, int]:
        """Return a pair that differs from an earlier one whenever any process has committed in between."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM counter WHERE name = 'commits'").fetchone()
        return (int(row[0]), 0) if row else (0, 0)

    def close(self) -> None:
        """Close all connections; the object can't be used afterwards. Closing twice is fine."""
        self._closed = True
        self._shut()

    def closed(self) -> bool:
        """Tell whether `close` was called."""
        return self._closed

    def translating(self) -> Translating:
        """Return a context that turns PostgreSQL's errors into ours."""
        return Translating(self)

    def require_fresh(self, raw: Raw) -> Raw:
        """Refuse a server too far behind the one that it follows; take notice when it follows none any more."""
        if self.read_only or self._stale_seconds:
            self.read_only = self._staleness.require(raw).following
        return raw

    def wrapped(
        self, raw: Raw, renew: Callable[[], Raw] | None = None, *, writes: bool = False
    ) -> PgConnection:
        """Return a connection as the ledger takes it; `renew` as in `PgConnection`."""
        savepoint, before_jobs = (_BEGUN, self._jobs_lock) if writes else ("", "")
        return PgConnection(
            raw, tracer=self._tracer, renew=renew, savepoint=savepoint, before_jobs=before_jobs
        )

    def pool(self) -> ConnectionPool[Raw]:
        """Return the open pool; opens it when it is first needed, and again after a fork."""
        self.require_alive()
        with self.gate:
            if self._pool is None:
                patience = max(0.1, self.busy_seconds)
                self._pool = ConnectionPool(
                    self.url, kwargs=self._parameters(), configure=self._configure, open=True, min_size=0,
                    max_size=self._pool_size, num_workers=1, timeout=patience, reconnect_timeout=patience,
                )  # fmt: skip
            return self._pool

    @contextlib.contextmanager
    def _transaction(self, begin: LiteralString) -> Generator[Raw]:
        """Give a connection in a transaction, which is rolled back at the end unless it was committed."""
        with Lease(self) as lease:
            try:
                lease.raw.execute(begin)
            except psycopg.Error as err:
                if not lost(err):
                    raise
                lease.replace().execute(begin)
            yield lease.raw

    # Writing

    def begin(self) -> Lease:
        """Take the tenant's turn, in this process and in the server; wait at most `busy_seconds` for each."""
        self.require_alive()
        if not self._turn.acquire(timeout=max(0.0, self.busy_seconds)):
            rule = f"another thread wrote for more than {self.busy_seconds:g} seconds"
            raise StoreBusy(self._subject, rule, "", "Try again, or raise the setting busy_seconds.")
        with contextlib.ExitStack() as stack:
            stack.callback(self._turn.release)
            if self._writing:
                raise RuntimeError("a transaction is open in this thread already")
            self._writing = True
            stack.callback(setattr, self, "_writing", False)
            stack.enter_context(self.translating())
            lease = stack.enter_context(Lease(self))
            self._mark += 1
            try:
                self._take_turn(lease.raw)
            except psycopg.Error as err:
                if not lost(err):
                    raise
                self._take_turn(lease.replace())
            self._after = stack.pop_all()
        return lease

    def _take_turn(self, raw: Raw) -> None:
        with raw.pipeline():
            raw.execute("BEGIN")
            raw.execute(self.names.fill(_TURN), (self._writer, self._mark))
            if self._mark == 1:
                raw.execute(_FORGOTTEN)
            raw.execute(f"SAVEPOINT {_BEGUN}")

    def end(self, lease: Lease, *, keep: bool) -> None:
        """Commit or roll back what `begin` began, and give the turn back."""
        with self._after:
            if not keep:
                return
            try:
                self._commit(lease.raw)
            except psycopg.Error as err:
                if not lost(err):
                    raise
                self._resolve(lease, err)
            self.commits += 1
            if self._mark in _GROWN:
                with contextlib.suppress(psycopg.Error):
                    lease.raw.execute(self.names.fill(_ANALYSE))

    def _commit(self, raw: Raw) -> None:
        """Commit, and acknowledge it only when the server waited for those that it was told to wait for."""
        self._warnings.pop(raw, None)
        done = raw.execute("COMMIT")
        if done.statusmessage != "COMMIT":
            raise RuntimeError("a statement of this transaction had failed: nothing was written")
        if warning := self._warnings.pop(raw, ""):
            raise faults.alone(warning, self._subject)

    def _resolve(self, lease: Lease, error: psycopg.Error) -> None:
        """Find out what became of a commit whose connection was lost; return when it was done.

        Whoever holds the turn knows that the lost transaction is over, and its mark says how it ended. A small commit
        of its own waits for replicas as the lost one would have, where the server makes commits wait.

        Raises:
            StoreUnusable: nothing was written; or the server can't be asked in time.
        """
        deadline = time.monotonic() + max(1.0, self.busy_seconds)
        while True:
            try:
                raw = lease.replace()
                raw.execute("BEGIN")
                raw.execute("UPDATE counter SET value = value + 1 WHERE name = 'commits'")
                found = raw.execute("SELECT mark FROM writer WHERE writer = $1", (self._writer,)).fetchone()
                if found is None or found[0] != self._mark:
                    raise faults.undone(error, self._subject) from error
                self._commit(raw)
            except psycopg.Error as err:
                if time.monotonic() > deadline:
                    raise faults.unknown(error, self._subject) from err
                time.sleep(_PAUSE)
            else:
                return

    # Opening, forks

    def require_alive(self) -> None:
        """Refuse a store that was closed, or that was carried into another process by a fork we didn't see."""
        if self._closed:
            raise self.gone()
        if os.getpid() != self.pid:
            rule = f"was opened in process {self.pid} and carried into process {os.getpid()} by a fork"
            raise StoreUnusable(self._subject, rule, "", "Open it in the process that uses it.")

    def rest(self) -> None:
        """Close every connection before a fork, unless somebody writes."""
        stack = ExitStack()
        self._safe = self._turn.acquire(timeout=_FORK_SECONDS)
        if self._safe:
            stack.callback(self._turn.release)
            self._safe = not self._writing
        if self._safe:
            self._shut()
        self._held = stack

    def wake(self, *, child: bool) -> None:
        """Give the locks back; the child writes under a name of its own."""
        if child and self._safe:
            self._writer = secrets.token_bytes(16)
        super().wake(child=child)

    def gone(self) -> StoreUnusable:
        """Return the error for a store that was closed."""
        return StoreUnusable(self._subject, "is closed", "", "Open it again.")

    def _shut(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(timeout=_FORK_SECONDS)

    def _parameters(self) -> dict[str, Any]:
        given = conninfo_to_dict(self.url)
        usual = {"connect_timeout": _CONNECT_SECONDS, "application_name": "simonides", **_KEEPALIVE}
        return {**{name: value for name, value in usual.items() if name not in given}, "autocommit": True}

    def _note(self, source: weakref.ref[Raw], told: Diagnostic) -> None:
        """Keep a warning for the commit that it may be about: a wait that was cancelled comes as a mere warning."""
        raw = source()
        if raw is not None and told.severity_nonlocalized == "WARNING":
            self._warnings[raw] = told.message_primary or "warning"

    def _configure(self, raw: Raw) -> None:
        equip(raw)
        raw.add_notice_handler(partial(self._note, weakref.ref(raw)))
        limit = str(int(1000 * self._statement_seconds))
        values = (
            f"{self.names.views}, {self.names.tables}", str(self.tenant or ""),
            str(max(1, int(1000 * self.busy_seconds))), limit, limit, "UTC",
        )  # fmt: skip
        raw.execute(cast("Any", _SESSION), values)

    def _open(self) -> None:
        logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what is lost is told by our errors
        try:
            raw = psycopg.connect(self.url, **self._parameters())
        except psycopg.OperationalError as err:
            raise faults.unreachable(err, self._subject) from err
        with self.translating(), contextlib.closing(raw):
            equip(raw)
            following = raw.execute("SELECT pg_is_in_recovery()").fetchone()
            self.read_only = bool(following and following[0])
            if self.read_only:
                schema.require_present(raw, self.names, self._subject)
            else:
                schema.migrate(raw, self.names)
            enter = self.names.fill("SELECT @@.enter($1)")
            found = raw.execute(enter, (self.tenant_name,)).fetchone()
            self.tenant = int(found[0]) if found else 0


class Lease:
    """A connection of the pool for a while, and another in its place when it is lost; a context that gives it back.

    Attributes:
        raw: the connection.
    """

    __slots__ = ("_database", "_drawn", "_pool", "raw")

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._drawn = False
        self._draw()

    def replace(self) -> Raw:
        """Drop the connection, and those of the pool that were lost with it; return another."""
        self.raw.close()
        self._put()
        with contextlib.suppress(psycopg.Error):
            self._pool.check()
        self._draw()
        return self.raw

    def give_back(self) -> None:
        """Roll back what is open, and put the connection back."""
        if self.raw.info.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
            with contextlib.suppress(psycopg.Error):
                self.raw.execute("ROLLBACK")
        self._put()

    def _put(self) -> None:
        if self._drawn:
            self._drawn = False
            self._pool.putconn(self.raw)

    def _draw(self) -> None:
        self._pool = self._database.pool()
        try:
            self.raw = self._pool.getconn()
        except PoolClosed as err:
            raise self._database.gone() from err
        self._drawn = True

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()


class Translating:
    """A context that turns PostgreSQL's errors into ours, and lets all others pass."""

    __slots__ = ("_database",)

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def __enter__(self) -> Any:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error):
            ours = faults.explain(error, f"store {self._database.path}", self._database.busy_seconds)
            if ours is not None:
                raise ours from error


class Reading(Translating):
    """A connection for reading; a statement whose connection is lost is run again on another."""

    __slots__ = ("_lease",)

    def __enter__(self) -> PgConnection:
        database = self._database
        with database.translating():
            lease = self._lease = Lease(database)
            try:
                _fresh(database, lease)
            except BaseException:  # Ctrl-C too must not lose a connection of the pool
                lease.give_back()
                raise
        return database.wrapped(lease.raw, lambda: database.require_fresh(lease.replace()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._lease.give_back()
        super().__exit__(kind, error, _)


def _fresh(database: PostgresDatabase, lease: Lease) -> None:
    try:
        database.require_fresh(lease.raw)
    except psycopg.Error as err:
        if not lost(err):
            raise
        database.require_fresh(lease.replace())


class Writing(Translating):
    """One transaction of the writer."""

    __slots__ = ("_connection", "_keep", "_lease")

    def __init__(self, database: PostgresDatabase, *, keep: bool) -> None:
        super().__init__(database)
        self._keep = keep

    def __enter__(self) -> PgConnection:
        self._lease = self._database.begin()
        self._connection = self._database.wrapped(self._lease.raw, writes=True)
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._database.end(self._lease, keep=self._keep and error is None and not self._connection.spoiled)
        super().__exit__(kind, error, _)
