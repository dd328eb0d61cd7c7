"""Measures writing: single and batched adds, the full tier's reading, and what a file takes; knows no search."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simonides.bench import filling
from simonides.bench.generate import Generator, Made
from simonides.bench.timing import Spell, digits, middle, timed
from simonides.memory import Memory
from simonides.settings import Settings

WARM = 50


@dataclass(frozen=True, slots=True)
class Written:
    """How fast a store takes in memories.

    Attributes:
        alone: one `add`, nothing else going on.
        beside: one `add` while the model reads in the background, as by default.
        unsafe: one `add` with synchronous=normal, which a power cut can undo.
        follows: milliseconds that a search takes longer for a memory added just before it, the medians' difference.
        batch: memories a second with `add_many`.
        batch_cpu: the same by processor time.
        read: memories a second that the model reads, codes written; `read_cpu` by processor time of one core.
    """

    alone: Spell
    beside: Spell
    unsafe: Spell
    follows: float
    batch: float
    batch_cpu: float
    read: float
    read_cpu: float

    def rows(self) -> list[list[str]]:
        """Return it as rows of a table."""
        return [
            ["one add, durable, found when it returns", *self.alone.cells()],
            ["the same while the model reads in the background", *self.beside.cells()],
            ["the same with synchronous=normal, which a power cut can undo", *self.unsafe.cells()],
            [f"the next search takes {digits(self.follows)} ms longer for it", *[""] * 4],
            [f"add_many: {digits(self.batch)} memories/s, {digits(self.batch_cpu)} by CPU time", *[""] * 4],
            [
                f"the model reads {digits(self.read)} memories/s, {digits(self.read_cpu)} by CPU time",
                *[""] * 4,
            ],
        ]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a store: of its texts, of the file without codes of the full tier, and of the file with them."""

    memories: int
    text: int
    instant: int
    full: int

    @property
    def beyond(self) -> float:
        """Bytes a memory that are not its text."""
        return (self.full - self.text) / self.memories

    def row(self) -> list[str]:
        """Return it as a row of a table, in bytes a memory."""
        many = self.memories
        parts = (self.text, self.instant - self.text, self.full - self.instant, self.full - self.text)
        return [f"{many:,}", *(f"{part / many:,.0f}" for part in parts)]


def written(folder: Path, rounds: int, times: int) -> Written:
    """Measure writing in fresh stores: so many single adds, twenty times as many at once, twice as many read."""
    batched, read_at_once = 20 * times, 2 * times
    alone: list[Spell] = []
    beside: list[Spell] = []
    unsafe: list[Spell] = []
    follows: list[float] = []
    batch: list[tuple[float, float]] = []
    read: list[tuple[float, float]] = []
    for number in range(rounds):
        generator = Generator(number + 1)
        path = folder / f"write-{number}.db"
        with Memory(path, settings=Settings(background=False)) as memory:
            _warm(memory, generator)
            alone.append(timed(_adding(memory), generator.memories(times)))
            follows.append(_follows(memory, generator))
            rows = [_row(one) for one in generator.memories(batched)]
            batch.append(_rate(lambda given=rows, to=memory: to.add_many(given), batched))
        quick = Settings(background=False, synchronous="normal")
        with Memory(folder / f"unsafe-{number}.db", settings=quick) as memory:
            _warm(memory, generator)
            unsafe.append(timed(_adding(memory), generator.memories(times)))
        with Memory(folder / f"read-{number}.db", settings=Settings(background=False)) as memory:
            memory.add_many(_row(one) for one in generator.memories(WARM))
            memory.wait()
            memory.add_many(_row(one) for one in generator.memories(read_at_once))
            read.append(_rate(memory.wait, read_at_once))
        with Memory(folder / f"beside-{number}.db") as memory:
            memory.add_many(_row(one) for one in generator.memories(WARM + times))
            beside.append(timed(_adding(memory), generator.memories(times // 2)))
    rates = [statistics.median(values) for values in (*zip(*batch, strict=True), *zip(*read, strict=True))]
    return Written(middle(alone), middle(beside), middle(unsafe), statistics.median(follows), *rates)


def _warm(memory: Memory, generator: Generator) -> None:
    for one in generator.memories(WARM):
        _add(memory, one)


def _adding(memory: Memory) -> Callable[[Made], object]:
    return lambda one: _add(memory, one)


def _add(memory: Memory, one: Made) -> None:
    memory.add(
        one.text,
        speaker=one.speaker,
        at=one.at,
        user=one.user,
        session=one.session,
        project=filling.EVERYTHING,
    )


def _row(one: Made) -> dict[str, object]:
    return {**one._asdict(), "project": filling.EVERYTHING}


def _follows(memory: Memory, generator: Generator, times: int = 60) -> float:
    question = generator.question()
    memory.search(question)
    again = timed(lambda _: memory.search(question), range(times))
    walls: list[float] = []
    for one in generator.memories(times):
        _add(memory, one)
        start = time.perf_counter()
        memory.search(question)
        walls.append(1000 * (time.perf_counter() - start))
    return statistics.median(walls) - again.p50


def _rate(work: Callable[[], object], many: int) -> tuple[float, float]:
    cpu, start = time.process_time(), time.perf_counter()
    work()
    return many / (time.perf_counter() - start), many / max(time.process_time() - cpu, 1e-9)


def filled(
    path: Path,
    many: int,
    given: filling.Read,
    step: Callable[[int], object],
    settings: Settings | None = None,
) -> Sizes:
    """Make a store of so many memories with codes; return what its file takes before and after the codes."""
    quick = Settings(background=False, synchronous="normal")
    with Memory(path, settings=quick) as memory:
        text = filling.fill(memory, Generator(), many, step)
    instant = path.stat().st_size
    with Memory(path, settings=quick) as memory:
        filling.give_codes(memory, given, many, step)
    return Sizes(many, text, instant, path.stat().st_size)
