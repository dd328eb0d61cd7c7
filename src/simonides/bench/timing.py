"""Times small work and tells it in percentiles; knows nothing of what is timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spell:
    """Milliseconds of one kind of work: percentiles of wall time, and mean processor time of this process."""

    count: int
    p50: float
    p95: float
    p99: float
    cpu: float

    def cells(self) -> list[str]:
        """Return it as cells of a table."""
        return [digits(self.p50), digits(self.p95), digits(self.p99), digits(self.cpu)]


CELLS = ("p50 ms", "p95 ms", "p99 ms", "CPU ms")


def timed(work: Callable[[T], object], items: Iterable[T]) -> Spell:
    """Return how long the work takes for each item."""
    walls: list[float] = []
    cpu = time.process_time()
    for item in items:
        start = time.perf_counter()
        work(item)
        walls.append(time.perf_counter() - start)
    return spell(walls, time.process_time() - cpu)


def spell(walls: list[float], cpu: float) -> Spell:
    """Return the percentiles of wall seconds, and the mean of the processor seconds, in milliseconds."""
    ordered = sorted(1000 * wall for wall in walls)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Spell(len(ordered), at(0.5), at(0.95), at(0.99), 1000 * cpu / len(ordered))


def middle(spells: list[Spell]) -> Spell:
    """Return the median of each figure over several runs."""

    def of(figure: Callable[[Spell], float]) -> float:
        return statistics.median(map(figure, spells))

    return Spell(
        sum(one.count for one in spells),
        of(lambda one: one.p50),
        of(lambda one: one.p95),
        of(lambda one: one.p99),
        of(lambda one: one.cpu),
    )


def digits(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
