"""A store after a crash at each boundary of a trace, held against what was acknowledged before; knows no command."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simonides.bench.crashing.checks import Opening, inspect
from simonides.bench.faulting.disk import Act, Files, Platter, Step, Trace, after_kill
from simonides.bench.faulting.workload import Remark, journal_of

ENDINGS = ("", "-wal", "-journal")
"""Files of a store that last; the rest of its folder are copies, which are made whole before they get their name."""
MOST = 20


@dataclass(slots=True)
class Survived:
    """What was tried.

    Attributes:
        kills: boundaries at which a process was thought dead.
        failures: states that a failing power supply may have left.
        problems: what was lost, half there or damaged, each with where.
    """

    steps: int = 0
    writes: int = 0
    syncs: int = 0
    kills: int = 0
    failures: int = 0
    problems: list[str] = field(default_factory=list[str])


Look = Callable[[Path, Sequence[Remark], bool], list[str]]
"""What is wrong with the file, given what was remarked until then, and whether acknowledged means durable."""


def held(opening: Callable[[Path], Opening]) -> Look:
    """Return what holds a store against a journal."""

    def look(path: Path, remarks: Sequence[Remark], lasting: bool) -> list[str]:  # noqa: FBT001 - one call, named there
        return inspect(path, journal_of(remarks, lasting=lasting), opening=opening(path))

    return look


@dataclass(frozen=True, slots=True)
class Crashes:
    """Where to break off.

    Attributes:
        every: only each so many-th boundary.
        power: states of a power failure tried at each boundary.
        kill: also try the death of a process.
        lasting: what was acknowledged must outlast a power failure (`synchronous` = full).
    """

    every: int = 1
    power: int = 1
    kill: bool = True
    lasting: bool = True
    seed: int = 1


def crash(
    trace: Trace,
    before: dict[str, bytes],
    folder: Path,
    look: Look,
    crashes: Crashes,
    progress: Callable[[int], object] | None = None,
) -> Survived:
    """Open the store as each crash would leave it.

    Args:
        before: the files at the start of the trace.
        folder: an empty one, to build files in.
    """
    name = _store_of(trace, before)
    steps = [step for step in trace.steps if step.file.removeprefix(name) in ENDINGS]
    survived = Survived(len(steps), _count(steps, Act.WRITE), _count(steps, Act.SYNC))
    chance, platter = random.Random(crashes.seed), Platter(before)
    states = after_kill(steps, before)
    for number, (files, remarks) in enumerate(zip(states, _remarks(trace, name), strict=True)):
        if number:
            platter.take(steps[number - 1])
        if number % crashes.every == 0 or number == len(steps):
            where = f"after step {number} of {len(steps)}"
            if crashes.kill:
                survived.kills += 1
                _try(folder, name, files, survived, f"killed {where}", lambda p, r=remarks: look(p, r, True))
            for _ in range(crashes.power):
                survived.failures += 1
                left = platter.fail(chance)
                _try(
                    folder, name, left, survived, f"power lost {where}",
                    lambda p, r=remarks: look(p, r, crashes.lasting),
                )  # fmt: skip
        if progress is not None:
            progress(1)
        if len(survived.problems) >= MOST:
            break
    return survived


def _try(
    folder: Path, name: str, files: Files, survived: Survived, where: str, look: Callable[[Path], list[str]]
) -> None:
    place = folder / "crashed"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    for file, content in files.items():
        path = place / file
        path.write_bytes(content)
        path.chmod(0o600)
    survived.problems += [f"{where}: {problem}" for problem in look(place / name)]


def _remarks(trace: Trace, name: str) -> Iterator[list[Remark]]:
    """Yield, for each boundary of the files that last, what had been remarked until then."""
    said: list[Remark] = []
    marks = iter(trace.marks)
    waiting = next(marks, None)

    def until(number: int) -> list[Remark]:
        nonlocal waiting
        while waiting is not None and waiting[0] <= number:
            if isinstance(waiting[1], Remark):
                said.append(waiting[1])
            waiting = next(marks, None)
        return list(said)

    yield until(0)
    for number, step in enumerate(trace.steps, 1):
        if step.file.removeprefix(name) in ENDINGS:
            yield until(number)


def _store_of(trace: Trace, before: dict[str, bytes]) -> str:
    names = {step.file for step in trace.steps} | set(before)
    return min((name for name in names if f"{name}-wal" in names), key=len)


def _count(steps: Sequence[Step], act: Act) -> int:
    return sum(step.act is act for step in steps)
