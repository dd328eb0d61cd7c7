"""Read new memories with the full tier, in the background or when told to wait; knows no search and no door.

The work to do is a table of the store, so it survives the process: whichever process comes next goes on. Two
processes that read the same memory write the same codes twice, which is harmless. The model is loaded when there is
something to read, never at import or for an empty store.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from typing import TYPE_CHECKING

from simonides.errors import SimonidesError, StoreBusy
from simonides.ledger import Code, Finding, Ledger
from simonides.ledger.index import Index, pack_vector
from simonides.parts import codes, models
from simonides.parts.query import is_assistant, is_user
from simonides.parts.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simonides.parts.embed import Reader, States
    from simonides.settings import Settings
    from simonides.types import Memory

BATCH = 64
"""Memories read and committed at a time; about a quarter of a second of work."""
LAST_SECONDS = 0.5
"""How long `close` goes on reading after a write, so that a command that adds one memory leaves none behind."""
PAUSE = 0.02
"""Seconds the background waits after a batch, so that searches get the processor."""


class Enricher:
    """Keeps the full tier of one store up to date; at most one background thread."""

    def __init__(self, ledger: Ledger, settings: Settings, reader: Reader | None = None) -> None:
        self._ledger = ledger
        self._settings = settings
        self._reader = reader
        self._lock = threading.Lock()
        self._loading = threading.Lock()  # a lock of its own: to write is not to wait for a model
        self._reading = threading.Lock()
        self._work = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: Exception | None = None
        self._closed = self._wrote = False

    @property
    def active(self) -> bool:
        """Whether there is a full tier."""
        return self._settings.meaning == "full"

    def open_recall(self) -> Recall:
        """Return a search over the store; refuses a store whose vectors another model made."""
        identity = models.identity(self._settings, self._reader) if self.active else None
        model = None
        if identity is not None:
            model = self._ledger.model_id(identity, create=True)
        dimension = int(str(identity["dimension"])) if identity else 0
        index = Index(self._ledger, model, dimension, lambda name: is_user(name) or is_assistant(name))
        return Recall(index, _Lazily(self) if identity else None, self._settings)

    def reader(self) -> Reader:
        """Return the model, loaded once."""
        with self._loading:
            if self._reader is None:
                self._reader = models.open_reader(self._settings)
            return self._reader

    def wake(self, *, wrote: bool = True) -> None:
        """Let the background look for work; starts it when it does not run."""
        self._wrote |= wrote
        if not self.active or not self._settings.background or self._closed or self._failed is not None:
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

        Raises:
            StoreError: the model cannot be had, or the store cannot be written.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        while self.active and (ends is None or time.monotonic() < ends):
            done = self.batch()
            if not done:
                break
            step(done)
        return self._ledger.backlog_size() if self.active else 0

    def batch(self, most: int = BATCH) -> int:
        """Read and commit one batch; return how many memories that were."""
        with self._reading:
            rows = self._ledger.backlog(most)
            if not rows:
                return 0
            reader = self.reader()
            model = self._ledger.model_id(reader.identity(), create=True)
            before = self._ledger.previous(rows)
            texts = self._ledger.load([*rows, *before.values()])
            given = [(_said(texts.get(before.get(row, 0))), _said(texts.get(row))) for row in rows]
            self._ledger.put_codes(model, coded(rows, reader.read(given)))
            self._failed = None
            return len(rows)

    def check(self) -> list[Finding]:
        """Return what `doctor` says of the full tier."""
        if not self.active:
            return [Finding("full tier", True, f"meaning is {self._settings.meaning}", "")]
        try:
            models.identity(self._settings, self._reader)
        except SimonidesError as err:
            return [Finding("full tier", False, str(err), err.way_out)]
        if self._failed is not None:
            return [Finding("full tier", False, str(self._failed), "Run `simonides reindex`.")]
        return [Finding("full tier", True, f"model {self._settings.model}", "")]

    def close(self) -> None:
        """Go on for a moment if there is little left, then stop the background."""
        if self._closed:
            return
        self._closed = True
        started = self._thread is not None
        self._stop.set()
        self._work.set()
        if started and self._thread is not None:
            self._thread.join(timeout=30)
            if self._failed is None and self._wrote:
                try:
                    self.drain(LAST_SECONDS, lambda done: None)
                except SimonidesError:  # the rows stay in the backlog, and `status` says so
                    return

    def work(self) -> bool:
        """Do what the background does once: wait for work, read a batch; return whether to go on."""
        self._work.wait(timeout=5.0)
        if self._stop.is_set():
            return False
        try:
            if not self.batch():
                self._work.clear()
            else:
                self._stop.wait(PAUSE)
        except StoreBusy:  # somebody else writes for long; the rows can wait
            self._stop.wait(PAUSE)
        except SimonidesError as err:  # reported by `doctor`; the rows stay in the backlog
            self._failed = err
            return False
        return True


class _Lazily:
    """A reader that loads the model when the first question is read."""

    def __init__(self, enricher: Enricher) -> None:
        self._enricher = enricher

    def identity(self):
        return self._enricher.reader().identity()

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        return self._enricher.reader().read(texts)

    def ask(self, question: str) -> States:
        return models.read_question(self._enricher.reader(), question)


def coded(rows: Sequence[int], states: Sequence[States]) -> list[Code]:
    """Return what is stored of states: the pooled vector as 8-bit integers, and the token codes."""
    return [
        Code(row, pack_vector(one.pooled), codes.encode(one), b"")
        for row, one in zip(rows, states, strict=True)
    ]


def _said(memory: Memory | None) -> str:
    if memory is None:
        return ""
    return f"{memory.speaker}: {memory.text}" if memory.speaker else memory.text


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
