"""Codes of another model, made beside those that are served until they can take their place; knows no model.

The codes that are served go on being served, and new memories go on getting them, until one transaction switches over.
Work that was stopped goes on: what has codes is skipped. The codes that are not served any more are deleted afterwards,
in small transactions, by whoever takes the job for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from simonides.clock import FOREVER
from simonides.errors import Conflict, StoreError
from simonides.ledger import derived, jobs
from simonides.ledger.canonical import encode, plain
from simonides.ledger.derived import Code
from simonides.ledger.jobs import Job
from simonides.ledger.sql import Connection, numbers
from simonides.types import Json

SCALE_BYTES = 4
"""Bytes of a stored vector beside one for each dimension."""
_HAS = "EXISTS (SELECT 1 FROM pooled p WHERE p.row = m.row AND p.model = ?)"
_WHOLE = "EXISTS (SELECT 1 FROM pooled p WHERE p.row = m.row AND p.model = ? AND length(p.vector) = ?)"


@dataclass(frozen=True, slots=True)
class Left:
    """How far the codes of a model are.

    Attributes:
        rows: versions in the store.
        missing: of them, without codes of the model.
        believed: of these, believed now.
    """

    rows: int
    missing: int
    believed: int


def number(connection: Connection, identity: Mapping[str, Json]) -> int:
    """Return the number of a model that need not be the one that is served, a new one when it is new here."""
    text = encode(plain(identity, "model identity"))
    return derived.number_of(connection, text) or derived.new_model(connection, text)


def begin(connection: Connection, model: int, name: str, worker: str, now: int, lease: int) -> Job:
    """Take the one job that makes the codes of a model, put it when it isn't there.

    Raises:
        Conflict: another model's codes are being made, or another process makes these.
    """
    found = jobs.find(connection, now, kind=jobs.REINDEX, limit=1)
    if found and (found[0].payload or {}).get("model") != model:
        other, at = (found[0].payload or {}).get("name"), found[0].job
        way_out = f"Finish it: simonides reindex --model {other}; or give it up: simonides jobs drop {at}."
        raise Conflict("reindex", f"the codes of {other} are being made", f"job {at}", way_out)
    if found and found[0].shown(now) == "leased" and _lives(connection, found[0].worker):
        seconds = (found[0].due - now) // jobs.SECOND
        way_out = f"Leave it to that process; should it have died, try again in {seconds} seconds."
        raise Conflict("reindex", "another process is at it", found[0].worker, way_out)
    job = (
        found[0].job
        if found
        else jobs.put(connection, jobs.REINDEX, payload={"model": model, "name": name}, now=now)
    )
    update = "UPDATE job SET worker = ?, due = ?, state = 'waiting', reason = '', attempts = 1 WHERE job = ?"
    connection.execute(update, (worker, now + lease, job))
    return replace(jobs.find(connection, now, kind=jobs.REINDEX, limit=1)[0], worker=worker)


def _lives(connection: Connection, worker: str) -> bool:
    """Tell whether the process that took a job may still be there; a file's processes are those of this machine."""
    number = worker.split("-", maxsplit=1)[0]
    if connection.dialect.name != "sqlite" or os.name != "posix" or not number.isdigit():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and somebody else's
        return True
    return True


def unread(connection: Connection, model: int, after_row: int, limit: int) -> list[int]:
    """Return rows greater than `after_row` without codes of a model, in row order."""
    query = f"SELECT m.row FROM memory m WHERE m.row > ? AND NOT {_HAS} ORDER BY m.row LIMIT ?"
    return [row[0] for row in connection.execute(query, (after_row, model, limit)).fetchall()]


def left(connection: Connection, model: int, vector_bytes: int) -> Left:
    """Count what has no codes of a model, or codes of another size than its vectors have."""
    query = f"""SELECT count(*), count(*) FILTER (WHERE m.recorded_to = {FOREVER}) FROM memory m
        WHERE NOT {_WHOLE}"""
    missing, believed = connection.execute(query, (model, vector_bytes)).fetchone()
    rows = connection.execute("SELECT count(*) FROM memory").fetchone()[0]
    return Left(int(rows), int(missing), int(believed))


def sample(connection: Connection, model: int, chosen: Sequence[int]) -> dict[int, Code]:
    """Return the codes of a model for the first rows from each of the numbers on that have any."""
    query = "SELECT row FROM pooled WHERE model = ? AND row >= ? ORDER BY row LIMIT 1"
    found = [connection.execute(query, (model, place)).fetchone() for place in chosen]
    return derived.codes(connection, [row[0] for row in found if row is not None], model)


def misshapen(connection: Connection, model: int, vector_bytes: int) -> list[int]:
    """Return the serial numbers of the codes of a model whose vectors have not the size they must have."""
    query = "SELECT serial FROM pooled WHERE model = ? AND length(vector) <> ?"
    return [row[0] for row in connection.execute(query, (model, vector_bytes)).fetchall()]


def switch(connection: Connection, model: int, job: int, last: int, forgiven: int, *, now: int = 0) -> int:
    """Serve a model from now on, in one transaction; return how many rows it has yet to read.

    Args:
        job: the number of the job that made its codes; done with this.
        last: newest row that it was to read; later ones are read by the backlog.
        forgiven: so many of the others may be without codes.

    Raises:
        StoreError: more believed rows than that have none.
    """
    missing = f"""SELECT m.row, CASE WHEN m.row <= ? AND m.recorded_to = {FOREVER} THEN 1 ELSE 0 END
        FROM memory m WHERE NOT {_HAS} ORDER BY m.row"""
    rows = connection.execute(missing, (last, model)).fetchall()
    wanted = sum(due for _, due in rows)
    if wanted > forgiven:
        rule = f"{wanted} believed memories have no codes of it yet"
        raise StoreError(f"model {model}", rule, "", "Run the same command again: it goes on.")
    connection.execute("DELETE FROM job WHERE kind = ?", (jobs.READ,))
    asked = "INSERT INTO job (kind, row, created) VALUES (?, ?, ?)"
    connection.executemany(asked, [(jobs.READ, row, now) for row, _ in rows])
    derived.serve(connection, model)
    derived.begin_epoch(connection)
    jobs.done(connection, [job])
    jobs.put(connection, jobs.TIDY, now=now)
    return len(rows)


def tidy(connection: Connection, limit: int) -> int:
    """Delete some of the codes that are neither served nor being made; return how many."""
    served = derived.served(connection)
    if not served:
        return 0
    making = jobs.find(connection, 0, kind=jobs.REINDEX)
    kept = [served, *(int(str((job.payload or {}).get("model", 0))) for job in making)]
    query = """DELETE FROM pooled WHERE serial IN (SELECT serial FROM pooled
        WHERE model NOT IN (SELECT value FROM json_each(?)) ORDER BY serial LIMIT ?)"""
    return connection.execute(query, (numbers(kept), limit)).rowcount


class Staging:
    """The codes of another model of one store, each step in a transaction of its own.

    Args:
        database: of the store.
        now: tells the microsecond.
    """

    def __init__(self, database: jobs.Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def number(self, identity: Mapping[str, Json]) -> int:
        """Return the number of a model that need not be the one that is served."""
        with self._database.writing() as connection:
            return number(connection, identity)

    def known(self, identity: Mapping[str, Json]) -> int:
        """Return the number of a model, 0 when it was never used here; writes nothing."""
        with self._database.reading() as connection:
            return derived.number_of(connection, encode(plain(identity, "model identity")))

    def begin(self, model: int, name: str, worker: str, seconds: float) -> Job:
        """Take the job that makes the codes of a model; raises like the function of that name."""
        with self._database.writing() as connection:
            return begin(connection, model, name, worker, self._now(), int(seconds * jobs.SECOND))

    def unread(self, model: int, after_row: int, limit: int) -> list[int]:
        """Return rows greater than `after_row` without codes of a model, in row order."""
        with self._database.reading() as connection:
            return unread(connection, model, after_row, limit)

    def write(self, model: int, codes: Sequence[Code]) -> None:
        """Write codes of a model; rows that are gone are ignored."""
        with self._database.writing() as connection:
            derived.write_codes(connection, model, codes)

    def left(self, model: int, vector_bytes: int) -> Left:
        """Count what has no codes of a model."""
        with self._database.reading() as connection:
            return left(connection, model, vector_bytes)

    def sample(self, model: int, chosen: Sequence[int]) -> dict[int, Code]:
        """Return the codes of a model for the first rows from each of the numbers on that have any."""
        with self._database.reading() as connection:
            return sample(connection, model, chosen)

    def prune(self, model: int, vector_bytes: int) -> int:
        """Delete the codes of a model whose vectors have not the size they must have; return how many."""
        with self._database.reading() as connection:
            found = misshapen(connection, model, vector_bytes)
        if found:
            with self._database.writing() as connection:
                query = "DELETE FROM pooled WHERE serial IN (SELECT value FROM json_each(?))"
                connection.execute(query, (numbers(found),))
        return len(found)

    def switch(self, model: int, job: int, last: int, forgiven: int) -> int:
        """Serve a model from now on; returns and raises like the function of that name."""
        with self._database.writing() as connection:
            return switch(connection, model, job, last, forgiven, now=self._now())

    def tidy(self, limit: int) -> int:
        """Delete some of the codes that are neither served nor being made; return how many."""
        with self._database.writing() as connection:
            return tidy(connection, limit)
