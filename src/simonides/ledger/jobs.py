"""The queue of work that is still to be done: who does what, until when, how often, why not; knows no work itself.

A job is put in the transaction that makes it necessary, so that neither is ever there without the other. Whoever works
takes a lease: until it runs out, nobody else gets the job. A process that is killed gives nothing back, and need not:
its leases run out. What fails is tried again later and later; what fails too often is dead, with the reason, until
somebody retries or drops it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from simonides.errors import InputError, NotFound, shorten
from simonides.ledger.sql import Connection, numbers
from simonides.types import Json

READ = "read"
"""The full tier has yet to read the version in `row`."""
REINDEX = "reindex"
"""Codes of another model are being made beside those that are served; `payload` names it."""
TIDY = "tidy"
"""Codes of models that are not served any more are to be deleted."""
STATES = ("waiting", "leased", "dead")
SECOND = 1_000_000
DAY = 86_400 * SECOND
SUSPECT = 2
"""Leases of a job that ran out: from then on it is taken alone, so that a text which kills its reader spares others."""
REASON_CHARACTERS = 300
_TOP = 2**31 - 1
_COLUMNS = "job, kind, row, payload, priority, due, attempts, worker, state, reason, created"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work; times are microseconds.

    Attributes:
        job: its number.
        kind: what is to be done.
        row: the version it is about, if it is about one; erasing that takes the job along.
        payload: what else the work needs to know.
        priority: a lower one waits longer.
        due: not to be taken before; while it is leased, when the lease ends.
        attempts: how often it was taken.
        worker: who has it, or had it when the lease ran out; empty when nobody has.
        state: ``waiting`` or ``dead``, as stored.
        reason: why the last attempt failed.
    """

    job: int
    kind: str
    row: int | None = None
    payload: Mapping[str, Json] | None = None
    priority: int = 0
    due: int = 0
    attempts: int = 0
    worker: str = ""
    state: str = "waiting"
    reason: str = ""
    created: int = 0

    def shown(self, now: int) -> str:
        """Return what it is to people: ``waiting``, ``leased`` or ``dead``."""
        return "leased" if self.state == "waiting" and self.worker and self.due > now else self.state


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a job that failed waits: twice as long or more each time, and not all at the same moment."""

    first: int = 2 * SECOND
    factor: int = 4
    longest: int = 3600 * SECOND
    attempts: int = 8
    """Taken so often without success, a job is dead."""

    def wait(self, job: Job) -> int:
        """Return the microseconds: between the half and the whole of what is due, spread by the job's number."""
        whole = min(self.longest, self.first * self.factor ** max(0, min(job.attempts, 30) - 1))
        return whole // 2 + whole // 2 * (job.job * 0x9E3779B1 % 2**16) // 2**16


BACKOFF = Backoff()


@dataclass(frozen=True, slots=True)
class Health:
    """What waits, who has it, and since when; `retrying` are those waiting that have failed before.

    Attributes:
        oldest: microsecond at which the oldest job that is not dead was made; 0 where there is none.
        reason: why the newest of the dead, or else of the retrying, failed.
    """

    waiting: int = 0
    leased: int = 0
    dead: int = 0
    retrying: int = 0
    oldest: int = 0
    reason: str = ""


def put(
    connection: Connection,
    kind: str,
    row: int | None = None,
    payload: Mapping[str, Json] | None = None,
    priority: int = 0,
    due: int = 0,
    *,
    now: int = 0,
) -> int:
    """Ask for work, in the transaction that makes it necessary; return the number of the job."""
    insert = (
        "INSERT INTO job (kind, row, payload, priority, due, created) VALUES (?, ?, ?, ?, ?, ?) RETURNING job"
    )
    text = None if payload is None else json.dumps(payload, ensure_ascii=False, sort_keys=True)
    return int(connection.execute(insert, (kind, row, text, priority, due, now)).fetchall()[0][0])


def ready(connection: Connection, kinds: Sequence[str], now: int) -> bool:
    """Tell whether there is a job to take; reads only, so that an idle process never asks for the writer's lock."""
    return any(_due(connection, kind, now, 1, "") or _mistimed(connection, kind, now) for kind in kinds)


def claim(
    connection: Connection, kinds: Sequence[str], worker: str, now: int, lease: int, limit: int
) -> list[Job]:
    """Take at most `limit` jobs of the first kind that has any, for `lease` microseconds.

    Jobs whose reader died over them are taken one at a time, and are dead after the last attempt.
    """
    lock = connection.dialect.skip_locked
    for kind in kinds:
        taken = _sound(connection, _due(connection, kind, now, limit, lock))
        if not taken and _mistimed(connection, kind, now):
            repair = "UPDATE job SET due = 0, worker = '' WHERE kind = ? AND state = 'waiting' AND due > ?"
            connection.execute(repair, (kind, now + 2 * DAY))
            taken = _due(connection, kind, now, limit, lock)
        if taken:
            update = """UPDATE job SET worker = ?, due = ?, attempts = attempts + 1
                WHERE job IN (SELECT value FROM json_each(?))"""
            connection.execute(update, (worker, now + lease, numbers([job.job for job in taken])))
            return [_taken(job, worker, now + lease) for job in taken]
    return []


def _taken(job: Job, worker: str, due: int) -> Job:
    return Job(
        job.job, job.kind, job.row, job.payload, job.priority, due, job.attempts + 1, worker, job.state,
        job.reason, job.created,
    )  # fmt: skip


def _sound(connection: Connection, found: Sequence[Job]) -> list[Job]:
    """Return those to take together; bury those that nobody ever came back from."""
    buried = [job for job in found if job.worker and job.attempts >= BACKOFF.attempts]
    if buried:
        _bury(connection, buried, f"who took it was stopped, {BACKOFF.attempts} times")
    left = [job for job in found if job not in buried]
    if left and _suspect(left[0]):
        return left[:1]
    return [job for job in left if not _suspect(job)]


def _suspect(job: Job) -> bool:
    return bool(job.worker) and job.attempts >= SUSPECT


def _due(connection: Connection, kind: str, now: int, limit: int, lock: str) -> list[Job]:
    """Return what may be taken, the highest priority first; each priority is one stretch of the index."""
    found: list[Job] = []
    for priority in _priorities(connection, kind):
        query = f"""SELECT {_COLUMNS} FROM job WHERE kind = ? AND state = 'waiting' AND priority = ? AND due <= ?
            ORDER BY due, job LIMIT ?{lock}"""
        rows = connection.execute(query, (kind, priority, now, limit - len(found))).fetchall()
        found += [_job(row) for row in rows]
        if len(found) >= limit:
            break
    return found


def _mistimed(connection: Connection, kind: str, now: int) -> bool:
    """Tell whether a job waits for a time that no rule of ours sets: the clock was put back since."""
    query = "SELECT 1 FROM job WHERE kind = ? AND state = 'waiting' AND priority = ? AND due > ? LIMIT 1"
    return any(
        connection.execute(query, (kind, priority, now + 2 * DAY)).fetchone() is not None
        for priority in _priorities(connection, kind)
    )


def _priorities(connection: Connection, kind: str) -> Iterator[int]:
    """Yield the priorities of the jobs of a kind that wait, the highest first; a step in the index for each."""
    query = """SELECT priority FROM job WHERE kind = ? AND state = 'waiting' AND priority < ?
        ORDER BY priority DESC LIMIT 1"""
    below = _TOP
    while (top := connection.execute(query, (kind, below)).fetchone()) is not None:
        below = int(top[0])
        yield below


def _job(row: Sequence[Any]) -> Job:
    job, kind, about, payload, *rest = row
    return Job(job, kind, about, None if payload is None else json.loads(payload), *rest)


def done(connection: Connection, done: Sequence[int]) -> None:
    """Take away jobs that were done."""
    connection.execute("DELETE FROM job WHERE job IN (SELECT value FROM json_each(?))", (numbers(done),))


def renew(connection: Connection, held: Sequence[int], worker: str, until: int) -> int:
    """Keep jobs until a later time; return how many the worker still held."""
    update = "UPDATE job SET due = ? WHERE worker = ? AND job IN (SELECT value FROM json_each(?))"
    return connection.execute(update, (until, worker, numbers(held))).rowcount


def fail(connection: Connection, job: Job, reason: str, now: int, backoff: Backoff = BACKOFF) -> bool:
    """Give back a job that could not be done, to be tried later; tell whether it is dead now."""
    if job.attempts >= backoff.attempts:
        _bury(connection, [job], reason)
        return True
    update = "UPDATE job SET worker = '', due = ?, reason = ? WHERE job = ? AND worker = ?"
    values = (now + backoff.wait(job), shorten(reason, REASON_CHARACTERS), job.job, job.worker)
    connection.execute(update, values)
    return False


def postpone(connection: Connection, given: Sequence[Job], reason: str, due: int) -> None:
    """Give back jobs that were not tried, until a time; it doesn't count as an attempt."""
    update = "UPDATE job SET worker = '', due = ?, reason = ?, attempts = attempts - 1 WHERE job = ? AND worker = ?"
    text = shorten(reason, REASON_CHARACTERS)
    connection.executemany(update, [(due, text, job.job, job.worker) for job in given])


def release(connection: Connection, given: Sequence[Job]) -> None:
    """Give back jobs that were not tried, to be taken at once; it doesn't count as an attempt."""
    update = "UPDATE job SET worker = '', due = 0, attempts = attempts - 1 WHERE job = ? AND worker = ?"
    connection.executemany(update, [(job.job, job.worker) for job in given])


def _bury(connection: Connection, given: Sequence[Job], reason: str) -> None:
    update = "UPDATE job SET state = 'dead', worker = '', due = 0, reason = ? WHERE job = ?"
    connection.executemany(update, [(shorten(reason, REASON_CHARACTERS), job.job) for job in given])


def hasten(connection: Connection, kind: str, now: int) -> int:
    """Let what waits after a failure be tried at once; return how many jobs that were."""
    update = "UPDATE job SET due = 0 WHERE kind = ? AND state = 'waiting' AND worker = '' AND due > ?"
    return connection.execute(update, (kind, now)).rowcount


def retry(connection: Connection, chosen: Sequence[int] | None, now: int, *, kind: str = "") -> int:
    """Let dead jobs (or those chosen, unless somebody has them) be tried at once, as if new; return how many."""
    update = "UPDATE job SET state = 'waiting', worker = '', due = 0, attempts = 0, reason = '' WHERE "
    return _each(connection, update, chosen, now, "dead", kind)


def drop(
    connection: Connection, chosen: Sequence[int] | None, now: int, *, state: str = "dead", kind: str = ""
) -> int:
    """Take away the jobs chosen, or all of a state, unless somebody has them; return how many.

    Giving up the codes of another model asks for those that are made already to be deleted.
    """
    making = connection.execute("SELECT count(*) FROM job WHERE kind = ?", (REINDEX,)).fetchone()[0]
    dropped = _each(connection, "DELETE FROM job WHERE ", chosen, now, state, kind)
    if connection.execute("SELECT count(*) FROM job WHERE kind = ?", (REINDEX,)).fetchone()[0] < making:
        put(connection, TIDY)
    return dropped


def _each(
    connection: Connection, statement: str, chosen: Sequence[int] | None, now: int, state: str, kind: str
) -> int:
    """Run a statement on the jobs chosen, or all of a state, without those that somebody has."""
    where, values = "(worker = '' OR due <= ?)", list[object]([now])
    if chosen is None:
        where, values = f"{where} AND state = ?", [*values, state]
    else:
        where, values = f"{where} AND job IN (SELECT value FROM json_each(?))", [*values, numbers(chosen)]
    if kind:
        where, values = f"{where} AND kind = ?", [*values, kind]
    return connection.execute(statement + where, values).rowcount


def find(
    connection: Connection, now: int, *, state: str = "", kind: str = "", after: int = 0, limit: int = 100
) -> list[Job]:
    """Return jobs in the order in which they were put, of one state and kind or of all."""
    wheres, values = ["job > ?"], [after]
    conditions: dict[str, tuple[str, tuple[Any, ...]]] = {
        "": ("", ()),
        "dead": ("state = 'dead'", ()),
        "leased": ("state = 'waiting' AND worker <> '' AND due > ?", (now,)),
        "waiting": ("state = 'waiting' AND (worker = '' OR due <= ?)", (now,)),
    }
    if state not in conditions:
        raise InputError("state", f"must be one of {', '.join(STATES)}", state)
    condition, more = conditions[state]
    if condition:
        wheres, values = [*wheres, condition], [*values, *more]
    if kind:
        wheres, values = [*wheres, "kind = ?"], [*values, kind]
    query = f"SELECT {_COLUMNS} FROM job WHERE {' AND '.join(wheres)} ORDER BY job LIMIT ?"
    return [_job(row) for row in connection.execute(query, (*values, limit)).fetchall()]


def about(connection: Connection, rows: Sequence[int]) -> dict[int, Job]:
    """Return the job that asks for the codes of a row, by row, where there is one; of several a dead one."""
    query = f"SELECT {_COLUMNS} FROM job WHERE kind = ? AND row IN (SELECT value FROM json_each(?)) ORDER BY state DESC"
    found = [_job(row) for row in connection.execute(query, (READ, numbers(rows))).fetchall()]
    return {job.row: job for job in found if job.row is not None}


def health(connection: Connection, now: int) -> Health:
    """Count the jobs."""
    query = """SELECT count(*) FILTER (WHERE state = 'waiting'),
        count(*) FILTER (WHERE state = 'waiting' AND worker <> '' AND due > ?),
        count(*) FILTER (WHERE state = 'dead'),
        count(*) FILTER (WHERE state = 'waiting' AND reason <> ''),
        min(CASE WHEN state = 'waiting' AND created > 0 THEN created END) FROM job"""
    held, leased, dead, retrying, oldest = connection.execute(query, (now,)).fetchone()
    reason = ""
    if dead or retrying:
        query = "SELECT reason FROM job WHERE reason <> '' ORDER BY state, job DESC LIMIT 1"
        reason = str(connection.execute(query).fetchone()[0])
    return Health(held - leased, leased, dead, retrying, int(oldest or 0), reason)


class Database(Protocol):
    """What the queue needs of a store."""

    def reading(self) -> AbstractContextManager[Connection, Any]:
        """Return a context that reads."""
        ...

    def writing(self) -> AbstractContextManager[Connection, Any]:
        """Return a context of one transaction of the store's one writer."""
        ...

    def working(self) -> AbstractContextManager[Connection, Any]:
        """Return a context of one transaction over jobs and calls only, which need not wait for other writers."""
        ...


class Queue:
    """The jobs of one store, each step in a transaction of its own; safe for several threads.

    Args:
        database: of the store.
        now: tells the microsecond.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now
        self._name = secrets.token_hex(4)

    @property
    def worker(self) -> str:
        """The name under which this object takes jobs; another one in each process."""
        return f"{os.getpid()}-{self._name}"

    def claim(self, kinds: Sequence[str], seconds: float, limit: int) -> list[Job]:
        """Take jobs for so many seconds; asks for no lock when there is nothing to do."""
        with self._database.reading() as connection:
            if not ready(connection, kinds, self._now()):
                return []
        with self._database.working() as connection:
            return claim(connection, kinds, self.worker, self._now(), int(seconds * SECOND), limit)

    def put(self, kind: str, payload: Mapping[str, Json] | None = None, *, priority: int = 0) -> int:
        """Ask for work that no change makes necessary."""
        with self._database.working() as connection:
            return put(connection, kind, payload=payload, priority=priority, now=self._now())

    def done(self, given: Sequence[Job]) -> None:
        """Take away jobs that were done."""
        with self._database.working() as connection:
            done(connection, [job.job for job in given])

    def renew(self, given: Sequence[Job], seconds: float) -> int:
        """Keep jobs for so many seconds from now; return how many were still this object's."""
        with self._database.working() as connection:
            until = self._now() + int(seconds * SECOND)
            return renew(connection, [job.job for job in given], self.worker, until)

    def fail(self, failed: Sequence[tuple[Job, str]], backoff: Backoff = BACKOFF) -> int:
        """Give back jobs that could not be done, each with the reason; return how many are dead now."""
        with self._database.working() as connection:
            return sum(fail(connection, job, reason, self._now(), backoff) for job, reason in failed)

    def postpone(self, given: Sequence[Job], reason: str, due: int) -> None:
        """Give back jobs that were not tried, until a time."""
        with self._database.working() as connection:
            postpone(connection, given, reason, due)

    def release(self, given: Sequence[Job]) -> None:
        """Give back jobs that were not tried, to be taken at once."""
        with self._database.working() as connection:
            release(connection, given)

    def hasten(self, kind: str) -> int:
        """Let what waits after a failure be tried at once; asks for no lock when nothing does."""
        with self._database.reading() as connection:
            query = (
                "SELECT 1 FROM job WHERE kind = ? AND state = 'waiting' AND worker = '' AND due > ? LIMIT 1"
            )
            if connection.execute(query, (kind, self._now())).fetchone() is None:
                return 0
        with self._database.working() as connection:
            return hasten(connection, kind, self._now())

    def ready(self, kinds: Sequence[str]) -> bool:
        """Tell whether there is a job to take."""
        with self._database.reading() as connection:
            return ready(connection, kinds, self._now())

    def retry(self, chosen: Sequence[int] | None = None, *, kind: str = "") -> int:
        """Let dead jobs, or those chosen, be tried at once; return how many.

        Raises:
            NotFound: a job that was chosen isn't there.
        """
        with self._database.working() as connection:
            _require(connection, chosen)
            return retry(connection, chosen, self._now(), kind=kind)

    def drop(self, chosen: Sequence[int] | None = None, *, state: str = "dead", kind: str = "") -> int:
        """Take away the jobs chosen, or all of a state; return how many.

        Raises:
            NotFound: a job that was chosen isn't there.
        """
        with self._database.working() as connection:
            _require(connection, chosen)
            return drop(connection, chosen, self._now(), state=state, kind=kind)

    def find(self, *, state: str = "", kind: str = "", after: int = 0, limit: int = 100) -> list[Job]:
        """Return jobs in the order in which they were put."""
        with self._database.reading() as connection:
            return find(connection, self._now(), state=state, kind=kind, after=after, limit=limit)

    def about(self, rows: Sequence[int]) -> dict[int, Job]:
        """Return the job that asks for the codes of a row, by row."""
        with self._database.reading() as connection:
            return about(connection, rows)

    def health(self) -> Health:
        """Count the jobs."""
        with self._database.reading() as connection:
            return health(connection, self._now())


def _require(connection: Connection, chosen: Sequence[int] | None) -> None:
    if chosen is None:
        return
    query = "SELECT job FROM job WHERE job IN (SELECT value FROM json_each(?))"
    there = {row[0] for row in connection.execute(query, (numbers(chosen),)).fetchall()}
    for number in chosen:
        if number not in there:
            raise NotFound(
                f"job {number}", "is not there, or was done meanwhile", "", "See `simonides jobs list`."
            )
