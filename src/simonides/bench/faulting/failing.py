"""A disk that refuses writes: what the store says, and whether it is whole afterwards; knows no command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import apsw

from simonides.bench.crashing.checks import Opening, inspect
from simonides.bench.faulting.disk import Step, Trace
from simonides.bench.faulting.workload import Remark, Workload, journal_of
from simonides.errors import SimonidesError
from simonides.ledger import Ledger

_FULL, _IO_ERROR = 13, 10


class Refusal(StrEnum):
    """How the disk fails: an error once, or full from then on, until a call has been refused."""

    ERROR = "error"
    FULL = "full"


@dataclass(slots=True)
class Refused:
    """What was tried.

    Attributes:
        runs: lives of a store, each with another write that failed.
        calls: calls that the store said it could not do.
        silent: runs in which no call failed: the write was of a checkpoint, which SQLite does again later.
    """

    runs: int = 0
    calls: int = 0
    silent: int = 0
    problems: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Fault:
    """Refuses one write or sync, counted from 1, or all from it on until `relieve`."""

    at: int
    how: Refusal
    seen: int = 0
    over: bool = False

    def __call__(self, step: Step) -> None:
        """Raise what SQLite shall be told."""
        self.seen += 1
        if self.over or self.seen < self.at:
            return
        if self.how is Refusal.ERROR:
            self.over = True
            raise apsw.exception_for(_IO_ERROR)
        raise apsw.exception_for(_FULL)

    def relieve(self) -> None:
        """Let writes through again."""
        if self.seen >= self.at:
            self.over = True


def refuse(
    trace: Trace,
    folder: Path,
    opened: Callable[[Path], Ledger],
    opening: Callable[[Path], Opening],
    how: Refusal,
    every: int = 1,
    progress: Callable[[int], object] | None = None,
) -> Refused:
    """Let each so many-th write of a life fail, each in a new store.

    Args:
        trace: what the disk under `opened` writes down.
        folder: an empty one for the stores.
    """
    found, at = Refused(), 1
    while True:
        place = folder / "refused"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700)
        fault = Fault(at, how)
        remarks: list[Remark] = []
        trace.failing = fault
        path = place / "memory.db"
        life = Workload(lambda path=path: opened(path), remarks.append, relieve=fault.relieve)
        try:
            life.live(1)
        except SimonidesError as err:
            found.problems.append(f"{how} at write {at}: the second attempt failed too: {err}")
        except Exception as err:  # noqa: BLE001 - whatever else comes out is a finding
            found.problems.append(f"{how} at write {at}: {type(err).__name__}: {err}")
        finally:
            trace.failing = None
            trace.steps.clear()
        if fault.seen < fault.at:
            return found
        found.runs += 1
        found.calls += life.failed
        found.silent += not life.failed
        problems = inspect(path, journal_of(remarks), opening=opening(path))
        found.problems += [f"{how} at write {at}: {problem}" for problem in problems]
        at += every
        if progress is not None:
            progress(1)
