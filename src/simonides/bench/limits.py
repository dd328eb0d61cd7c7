"""Measures what the machine itself can do, to hold our speed against; knows no memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.bench.timing import Spell, digits, spell, timed
from simonides.parts import embed

if TYPE_CHECKING:
    from pathlib import Path

    from simonides.bench.generate import Generator

COPIED = 256 * 2**20
PAGE = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """What no memory on this machine can beat.

    Attributes:
        bandwidth: gigabytes a second that one thread reads and writes when it copies.
        fsync: a page appended to a file and made durable, in the folder of the stores.
        forward: the full-tier model reading one question.
    """

    bandwidth: float
    fsync: Spell
    forward: Spell

    def rows(self) -> list[list[str]]:
        """Return them as rows of a table."""
        return [
            [f"copying memory, one thread: {digits(self.bandwidth)} GB/s read and written", *[""] * 4],
            ["a page appended and fsynced", *self.fsync.cells()],
            ["the model reads one question", *self.forward.cells()],
        ]


def limits(folder: Path, generator: Generator, times: int) -> Limits:
    """Measure the limits; the folder is where the stores will be."""
    return Limits(_bandwidth(), _fsync(folder / "fsync", times), _forward(generator, times))


def _bandwidth(times: int = 7) -> float:
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    np.copyto(target, source)
    seconds: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - start)
    return 2 * COPIED / sorted(seconds)[times // 2] / 1e9


def _fsync(path: Path, times: int) -> Spell:
    page = os.urandom(PAGE)
    with path.open("wb", buffering=0) as file:

        def append(_number: int) -> None:
            file.write(page)
            os.fsync(file.fileno())

        timed(append, range(10))
        found = timed(append, range(times))
    path.unlink()
    return found


def _forward(generator: Generator, times: int) -> Spell:
    model = embed.MiniLM()
    for _ in range(10):
        model.read([("", generator.question())])
    questions = [generator.question() for _ in range(times)]
    walls: list[float] = []
    cpu = time.process_time()
    for question in questions:
        start = time.perf_counter()
        model.read([("", question)])
        walls.append(time.perf_counter() - start)
    return spell(walls, time.process_time() - cpu)
