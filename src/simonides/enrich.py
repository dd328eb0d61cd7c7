"""Read new memories with the full tier, in the background or when told to wait; knows no search and no door.

The work to do is a queue in the store, so it survives the process: whichever process comes next goes on, and no two
read the same memory at once. No transaction is open while the model reads. The model is loaded when there is something
to read, never at import or for an empty store.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simonides import health
from simonides.chosen import Chosen
from simonides.errors import (
    BudgetSpent,
    ModelMismatch,
    ModelMissing,
    SimonidesError,
    StoreBusy,
    StoreError,
)
from simonides.ledger import Finding, Ledger, snapshot
from simonides.ledger.index import Index
from simonides.ledger.jobs import READ, TIDY, Job
from simonides.parts import models
from simonides.parts.query import is_assistant, is_user
from simonides.parts.recall import Recall
from simonides.spending import Spending
from simonides.unread import read_each, reason_of, unread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from simonides.parts.embed import Reader, States
    from simonides.settings import Settings
    from simonides.types import Json

BATCH = 64
"""Memories read and committed at a time; about a quarter of a second of work."""
LEASE_SECONDS = 60.0
"""How long a batch is this process's; a killed process keeps it for so long. Renewed while the model reads."""
UNDECIDED = -1
"""Stands for the model of a search that was opened without, for a time: the next question looks again."""
LAST_SECONDS = 0.5
"""How long `close` goes on reading after a write, so that a command that adds one memory leaves none behind."""
LOOK = 5.0
"""Seconds between two looks of the background at what other processes left."""
LOOK_AGAIN = 0.5
"""The same after a failure, whose jobs are due again soon."""
PAUSE = 0.02
"""Seconds the background waits after a batch, so that searches get the processor."""
MOST_DOUBLINGS = 9
LONGEST_REST = 300.0
"""Seconds the background rests at most after the model failed as a whole; the first rest is a second."""
TIDIED = 2000
"""Codes of another model that are deleted in one transaction."""


class Enricher:
    """Keeps the full tier of one store up to date; at most one background thread."""

    def __init__(self, ledger: Ledger, settings: Settings, reader: Reader | None = None) -> None:
        self._ledger = ledger
        self._settings = settings
        self._spending = Spending(ledger, settings, self._enters_later)
        self._chosen = Chosen(ledger, settings, reader, self._spending)
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._opening = threading.Lock()
        self._work = threading.Event()
        self._resume = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: SimonidesError | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._unreleased: list[Job] = []
        self._closed = self._wrote = False
        self._recall: Recall | None = None
        self._token: object = None
        self._opened_for = 0
        self._degraded = ""

    @property
    def active(self) -> bool:
        """Whether there is a full tier."""
        return self._settings.meaning == "full"

    @property
    def model(self) -> str:
        """The name of the model, empty where there is no full tier."""
        return self._chosen.name if self.active else ""

    @property
    def settings(self) -> Settings:
        """The settings, with the model that was adopted last."""
        return self._settings

    def adopt(self, model: str | Reader) -> None:
        """Read with another model from now on."""
        named = isinstance(model, str)
        if named:
            self._settings = replace(self._settings, model=model)
        self._chosen = Chosen(self._ledger, self._settings, None if named else model, self._spending)
        self._failed, self._degraded = None, ""
        self.forget()

    def forget(self) -> None:
        """Open the search anew at the next question."""
        with self._opening:
            self._recall, self._token, self._opened_for = None, None, 0

    @property
    def spending(self) -> Spending:
        """What is called outside the machine, and what that may cost."""
        return self._spending

    @property
    def chosen(self) -> Chosen:
        """The model."""
        return self._chosen

    # Searching

    def recall(self) -> Recall:
        """Return the search over the store, opened once, and anew when another process switched the model.

        Raises:
            ModelMismatch: at first, the store is served with another model than the one chosen. Later that only
                leaves out the full tier, and `degraded` says so.
        """
        token = self._ledger.changed()
        if self._recall is not None and token == self._token:
            return self._recall
        with self._opening:
            served = self._ledger.served()
            switched = self.active and served not in (0, self._opened_for)
            if self._recall is None or switched or self._opened_for == UNDECIDED:
                self._recall = self._reopened(served, first=self._recall is None)
            self._token = None if self._opened_for == UNDECIDED else token
            return self._recall

    def _reopened(self, served: int, *, first: bool) -> Recall:
        undecided = self._opened_for == UNDECIDED
        self._degraded, self._opened_for = "", served
        try:
            found = self.open_recall()
            if self.active:
                self._opened_for = self._chosen.number()
        except BudgetSpent as err:
            self._degraded, self._opened_for = err.rule, UNDECIDED
            return self._recall if self._recall is not None and undecided else self._without()
        except (ModelMismatch, ModelMissing) as err:
            if first:
                raise
            self._degraded = f"{err.rule} ({err.value})" if err.value else err.rule
            return self._without()
        return found

    def open_recall(self) -> Recall:
        """Return a search over the store; refuses a store whose vectors another model made."""
        if not self.active:
            return self._without()
        identity, number = self._chosen.identity(), self._chosen.number()
        index = Index(
            self._ledger, number, int(str(identity["dimension"])), _has_a_role, _cache_of(self._ledger)
        )
        return Recall(index, _Lazily(self._chosen, identity), self._settings)

    def _without(self) -> Recall:
        index = Index(self._ledger, None, 0, _has_a_role, _cache_of(self._ledger))
        return Recall(index, None, self._settings)

    def degraded(self) -> str:
        """Return why questions are answered without the full tier; empty when they are not."""
        if self._degraded or not self.active or not self._chosen.remote:
            return self._degraded
        return self._spending.spent()

    # Reading

    def wake(self, *, wrote: bool = True) -> None:
        """Let the background look for work; starts it when it does not run."""
        self._wrote |= wrote
        if (
            not self.active
            or not self._settings.background
            or self._closed
            or self._ledger.database.read_only
        ):
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                run = threading.Thread(target=_run, args=(weakref.ref(self),), name="simonides", daemon=True)
                self._thread = run
                run.start()
                atexit.register(_stop_at_exit, weakref.ref(self))
        self._work.set()

    def drain(self, timeout: float | None, step: Callable[[int], object]) -> int:
        """Read until the backlog is empty or the seconds are over; return what remains.

        What other processes are reading is waited for; what failed before is tried again.

        Raises:
            StoreError: the model cannot be had or reads nothing, or the store cannot be written.
        """
        if not self.active:
            return 0
        self._ledger.jobs.hasten(READ)
        ends = None if timeout is None else time.monotonic() + timeout
        idle_since = time.monotonic()
        while ends is None or time.monotonic() < ends:
            done = self.batch()
            if done:
                idle_since = time.monotonic()
                step(done)
            elif time.monotonic() - idle_since > LEASE_SECONDS or not self._elsewhere():
                break
            else:
                self._stop.wait(PAUSE)
        return self._ledger.backlog_size()

    def _elsewhere(self) -> bool:
        """Tell whether others are reading; where the clock stands still their leases never end."""
        return bool(self._ledger.jobs.find(state="leased", kind=READ, limit=1))

    def batch(self, most: int = BATCH) -> int:
        """Take, read and commit one batch; return how many memories that were.

        Raises:
            StoreError: no text of the batch could be read. Its jobs are given back, to be tried later.
        """
        with self._reading:
            self._release()
            if not self._ledger.jobs.ready((READ, TIDY)):
                if self._failed is not None and not self._ledger.backlog_size():
                    self._failed = None  # others have read it
                return 0
            try:
                if self._chosen.remote and (why := self._spending.spent()):
                    raise BudgetSpent("model calls", why, "", "It goes on at 00:00 UTC.")
                # Before anything is taken: who can't read takes nothing.
                model, reader = self._chosen.opened()
                taken = self._ledger.jobs.claim((READ, TIDY), LEASE_SECONDS, most)
                with self._holding(taken):
                    if taken and taken[0].kind == TIDY:
                        self._tidy(taken[0])
                    elif taken:
                        self._read(model, reader, taken)
            except StoreBusy:
                raise
            except SimonidesError as err:
                self._failed = err
                raise
            if taken:
                self._failed, self._failures, self._rests_until = None, 0, 0.0
                self._resume.set()
            return len(taken)

    def _read(self, model: int, reader: Reader, taken: Sequence[Job]) -> None:
        """Read what was taken, write its codes, and give back what can't be read, each with its reason.

        Raises:
            StoreError: nothing could be read.
        """
        queue = self._ledger.jobs
        items = unread(self._ledger, [job.row or 0 for job in taken])
        self._spending.job = taken[0].job
        try:
            made, failed = read_each(reader, items)
        except BudgetSpent as err:
            queue.postpone(taken, err.rule, self._ledger.calls.tomorrow())
            raise
        except SimonidesError as err:
            queue.fail([(job, reason_of(err)) for job in taken])
            raise
        if made:
            self._ledger.put_codes(model, made)
        if failed:
            queue.fail([(job, failed[job.row or 0]) for job in taken if (job.row or 0) in failed])
            if not made:
                raise StoreError("full tier", next(iter(failed.values())), "", "See `simonides jobs list`.")

    def _tidy(self, job: Job) -> None:
        while self._ledger.staging.tidy(TIDIED):
            if self._stop.is_set():
                self._ledger.jobs.release([job])
                return
        self._ledger.jobs.done([job])

    @contextlib.contextmanager
    def _holding(self, taken: Sequence[Job]) -> Generator[None]:
        """Keep the leases of jobs while they are worked on; what is left of them after an error is given back."""
        with holding(self._ledger, taken):
            try:
                yield
            except BaseException:  # Ctrl-C too: others need not wait for the lease to end
                self._unreleased += taken
                with contextlib.suppress(StoreError):
                    self._release()
                raise

    def _release(self) -> None:
        if self._unreleased:
            self._ledger.jobs.release(self._unreleased)
            self._unreleased = []

    # Keeping

    def check(self) -> list[Finding]:
        """Return what `doctor` says of the full tier, of the jobs, of model calls and of derived data."""
        return health.check(self._ledger, self._settings, self._chosen, self._spending, self.trouble())

    def trouble(self) -> tuple[str, str]:
        """Return what keeps this process from reading, and the way out; empty when nothing does."""
        if self._failed is not None:
            return str(self._failed), self._failed.way_out or "simonides reindex"
        return (f"left out: {self._degraded}", "Open the store again.") if self._degraded else ("", "")

    def close(self) -> None:
        """Go on for a moment if there is little left, then stop the background."""
        if self._closed:
            return
        self._closed = True
        started = self._thread is not None
        self._stop.set()
        self._work.set()
        self._resume.set()
        try:
            if started and self._thread is not None:
                self._thread.join(timeout=30)
                if self._failed is None and self._wrote:
                    self._finish()
            self._release()
        except SimonidesError:  # the rows stay in the backlog, and `status` says so
            return
        finally:
            self._spending.flush()
            if self._recall is not None:
                self._recall.close()

    def _finish(self) -> None:
        ends = time.monotonic() + LAST_SECONDS
        while time.monotonic() < ends and self.batch():
            pass

    def work(self) -> bool:
        """Do what the background does once: wait for work, read a batch; return whether to go on."""
        self._work.wait(timeout=LOOK_AGAIN if self._failures else LOOK)
        self._spending.flush()
        if self._stop.is_set():
            return False
        rest = self._rests_until - time.monotonic()
        if rest > 0:
            self._resume.wait(min(rest, LOOK))
            return True
        try:
            if not self.batch():
                self._work.clear()
            else:
                self._stop.wait(PAUSE)
        except StoreBusy:  # somebody else writes for long; the rows can wait
            self._stop.wait(PAUSE)
        except SimonidesError:  # kept, for `doctor`; the jobs were given back
            self._resume.clear()
            self._rests_until = time.monotonic() + min(LONGEST_REST, 2.0**self._failures)
            self._failures = min(self._failures + 1, MOST_DOUBLINGS)
        return True

    def _enters_later(self) -> bool:
        """Tell whether the background will enter a call; wakes it."""
        running = self._thread is not None and self._thread.is_alive() and not self._closed
        if running:
            self._work.set()
        return running


def _cache_of(ledger: Ledger) -> Path | None:
    """Return the folder that the index of a store is saved in: beside a file; None for what must not be on a disk."""
    database = ledger.database
    if database.in_memory or database.encrypted:
        return None
    if isinstance(database.path, Path):
        return snapshot.folder(database.path)
    return models.user_folder() / "indexes" / ledger.identity()


class _Lazily:
    """A reader that loads the model when the first question is read, and reads with no other one."""

    def __init__(self, chosen: Chosen, identity: Mapping[str, Json]) -> None:
        self._chosen = chosen
        self._identity = identity

    def identity(self) -> Mapping[str, Json]:
        return self._identity

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        return self._chosen.reader_of(self._identity).read(texts)

    def ask(self, question: str) -> States:
        return models.read_question(self._chosen.reader_of(self._identity), question)


@contextlib.contextmanager
def holding(ledger: Ledger, taken: Sequence[Job]) -> Generator[None]:
    """Renew the leases of jobs while the block runs."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(LEASE_SECONDS / 3):
            with contextlib.suppress(StoreError):
                ledger.jobs.renew(taken, LEASE_SECONDS)

    if taken:
        threading.Thread(target=renew, name="simonides lease", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _has_a_role(name: str) -> bool:
    return is_user(name) or is_assistant(name)


def _run(reference: weakref.ref[Enricher]) -> None:
    while True:
        enricher = reference()
        if enricher is None or not enricher.work():
            return
        del enricher


def _stop_at_exit(reference: weakref.ref[Enricher]) -> None:
    enricher = reference()
    if enricher is not None:
        enricher.close()
