"""Batch work spread over processes: one seam for a loop, local workers and a cluster; knows no memory and no model.

A pool maps a function of a module over items and gives the results in their order. The function and the items travel
by pickle, so the function must be importable where the workers run, and what is expensive to load (a model) is kept
by the function's own module, once for each worker. Nothing is written by workers: whoever asks writes, in one place.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Generic, Protocol, TypeVar

from simonides.errors import InputError, WorkerLost, shorten

T = TypeVar("T")
R = TypeVar("R")
H = TypeVar("H")

AHEAD = 2
"""Chunks for each worker that are handed out before the first result is taken: none idles, and few wait in memory."""
TRIES = 3
"""How often a chunk is given to a worker of its own before it is blamed for the workers that died."""
_LOOK = 1.0
"""Seconds between two looks at Ctrl-C, on platforms where waiting isn't interrupted by it."""


class Pool(Protocol):
    """Something that works on many items."""

    @property
    def workers(self) -> int:
        """How many items are worked on at once."""
        ...

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        chunk: int = 1,
        step: Callable[[int], object] | None = None,
    ) -> Iterator[R]:
        """Yield the result of each item, in the order of the items, which are drawn only a little ahead.

        Args:
            function: of a module, not nested; an error it raises is raised here, with a note that says of which item.
                The results of the same chunk that came before it may be lost.
            chunk: items that travel together; more of them cost fewer messages.
            step: is told how many more items are done, as their results are given.

        Raises:
            WorkerLost: workers died again and again over the same items.
        """
        ...

    def close(self) -> None:
        """Stop the workers; twice is fine."""
        ...


class Serial:
    """No workers: the loop itself, in this thread. What the other pools are measured and tested against."""

    workers = 1

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        chunk: int = 1,
        step: Callable[[int], object] | None = None,
    ) -> Iterator[R]:
        """Yield the result of each item; see `Pool.map`."""
        _checked(chunk, "chunk")
        return self._map(function, items, step or (lambda _done: None))

    def _map(
        self, function: Callable[[T], R], items: Iterable[T], step: Callable[[int], object]
    ) -> Generator[R]:
        for place, item in enumerate(items):
            yield from work(function, place, (item,))
            step(1)

    def close(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Job(Generic[H]):
    """One chunk on its way: the place of its first item, the items, and what stands for its result."""

    first: int
    items: Sequence[Any]
    handle: H


class Window(ABC, Generic[H]):
    """The part that pools of workers share: a window of chunks that moves over the items."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many workers there are."""

    def map(
        self,
        function: Callable[[T], R],
        items: Iterable[T],
        *,
        chunk: int = 1,
        step: Callable[[int], object] | None = None,
    ) -> Iterator[R]:
        """Yield the result of each item; see `Pool.map`."""
        _checked(chunk, "chunk")
        return self._map(function, iter(items), chunk, step or (lambda _done: None))

    def _map(
        self, function: Callable[[T], R], items: Iterator[T], chunk: int, step: Callable[[int], object]
    ) -> Generator[R]:
        waiting: deque[Job[H]] = deque()
        drawn = 0
        try:
            while True:
                while len(waiting) < AHEAD * self.workers:
                    if not (part := tuple(itertools.islice(items, chunk))):
                        break
                    waiting.append(Job(drawn, part, self.start(function, drawn, part)))
                    drawn += len(part)
                if not waiting:
                    return
                results = self.finish(function, waiting)
                done = waiting.popleft()
                yield from results
                step(len(done.items))
        finally:
            for job in waiting:
                self.drop(job.handle)

    @abstractmethod
    def start(self, function: Callable[[Any], R], first: int, items: Sequence[Any]) -> H:
        """Give a chunk to a worker."""

    @abstractmethod
    def finish(self, function: Callable[[Any], R], waiting: deque[Job[H]]) -> Sequence[R]:
        """Wait for the first job and return its results; give chunks out again whose worker died."""

    @abstractmethod
    def drop(self, handle: H) -> None:
        """Forget a chunk that nobody waits for any more."""


class LocalProcesses(Window[Future[list[Any]]]):
    """Worker processes of this machine, started when first needed; they end when this one does, however it ends.

    A program that uses it directly needs ``if __name__ == "__main__":`` around its start, as workers import it.

    Args:
        workers: how many; None is one for each processor that this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = processors() if workers is None else _checked(workers, "processes")
        self._context = multiprocessing.get_context("spawn")  # forks of a process with threads can hang
        self._executor: ProcessPoolExecutor | None = None
        self._leash: tuple[Any, Any] | None = None  # the ends of a pipe, whose class depends on the platform

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return self._workers

    def start(self, function: Callable[[Any], R], first: int, items: Sequence[Any]) -> Future[list[R]]:
        """Give a chunk to a worker."""
        try:
            with _unhearing():
                return self._opened().submit(work, function, first, items)
        except (BrokenProcessPool, OSError) as err:
            # A worker died since the last look, or while another one was started: found again when it is the turn of
            # this chunk. OSError is what a start raises whose pipes were closed meanwhile, or that the system refuses.
            broken: Future[list[R]] = Future()
            broken.set_exception(err if isinstance(err, BrokenProcessPool) else BrokenProcessPool(str(err)))
            return broken

    def finish(self, function: Callable[[Any], R], waiting: deque[Job[Future[list[R]]]]) -> list[R]:
        """Wait for the first job; when workers died, work on each chunk alone that was on its way."""
        try:
            return _result(waiting[0].handle)
        except BrokenProcessPool:
            self._cut()
        for job in waiting:
            if not _is_done(job.handle):
                job.handle = self._alone(function, job)
        return _result(waiting[0].handle)

    def drop(self, handle: Future[list[Any]]) -> None:
        """Forget a chunk."""
        handle.cancel()

    def close(self) -> None:
        """Stop the workers at once, in the middle of what they do; a later `map` starts new ones."""
        self._cut()

    def __enter__(self) -> LocalProcesses:
        """Return the pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the workers."""
        self.close()

    def _alone(self, function: Callable[[Any], R], job: Job[Future[list[R]]]) -> Future[list[R]]:
        """Work on a chunk while nothing else is worked on, so that it can be said whose fault a death is."""
        died: BaseException | None = None
        for _ in range(TRIES):
            future = self.start(function, job.first, job.items)
            try:
                wait_for(future)
            except BaseException:  # Ctrl-C too: nobody waits for it any more
                future.cancel()
                raise
            died = future.exception()
            if not isinstance(died, BrokenProcessPool):
                return future
            self._cut()
        raise lost(job.first, job.items) from died

    def _opened(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._leash = self._context.Pipe(duplex=False)
            self._executor = ProcessPoolExecutor(
                self._workers, mp_context=self._context, initializer=_begin, initargs=self._leash[:1]
            )
        return self._executor

    def _cut(self) -> None:
        """End all workers: letting go of the leash is what they watch for."""
        executor, self._executor = self._executor, None
        leash, self._leash = self._leash, None
        if executor is None or leash is None:
            return
        for end in leash:
            end.close()
        executor.shutdown(wait=True, cancel_futures=True)


def work(function: Callable[[T], R], first: int, items: Sequence[T]) -> list[R]:
    """Return the results of items, in the worker; an error gets a note that says of which item it is."""
    results: list[R] = []
    for place, item in enumerate(items, first):
        try:
            results.append(function(item))
        except Exception as err:
            err.add_note(f"item {place}: {shorten(item)}")
            raise
    return results


def lost(first: int, items: Sequence[object]) -> WorkerLost:
    """Return the error for a chunk that no worker outlived."""
    which = f"items {first} to {first + len(items) - 1}" if len(items) > 1 else f"item {first}"
    rule = (
        f"{TRIES} workers died while they worked on them" if len(items) > 1 else f"{TRIES} workers died of it"
    )
    way_out = "Often it is the memory that runs out: use fewer processes."
    return WorkerLost(which, rule, items[0], way_out)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def wait_for(future: Future[Any]) -> None:
    """Wait until a future is done, so that Ctrl-C is heard on every platform."""
    while not wait((future,), timeout=_LOOK).done:
        pass


@contextlib.contextmanager
def _unhearing() -> Generator[None]:
    """Let Ctrl-C wait, so that a worker that is just started never hears it: it tells its parent, who ends them all."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(future: Future[list[R]]) -> list[R]:
    wait_for(future)
    return future.result()


def _is_done(future: Future[Any]) -> bool:
    """Tell whether a chunk has an end of its own: results, or an error of the function."""
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)


def _checked(number: object, subject: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError(subject, "must be a whole number of at least 1", number)
    return number


def _begin(leash: Any) -> None:
    """Prepare a worker: leave Ctrl-C to the parent, and watch that the parent lives and wants it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(leash,), name="leash", daemon=True).start()


def _watch(leash: Any) -> None:
    parent = multiprocessing.parent_process()
    with contextlib.suppress(OSError, EOFError):
        connection.wait([leash] if parent is None else [leash, parent.sentinel])
    os._exit(1)
