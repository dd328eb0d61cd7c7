"""Measures searches over a store that is there: whole and spread, full tier and instant; knows no writing."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypedDict

from simonides.bench import filling
from simonides.bench.generate import USER, Generator
from simonides.bench.timing import Spell, middle, timed
from simonides.memory import Memory
from simonides.settings import Settings

WARM = 10
TIERS = ("full", "instant")
WHOLE, SPREAD = "one scope", "spread"


class Whose(TypedDict, total=False):
    """The scope of a search."""

    user: str
    project: str


@dataclass(frozen=True, slots=True)
class Searched:
    """Searches of one tier over one kind of scope.

    Attributes:
        spell: how long a search takes, its question's embedding included.
        steps: milliseconds by step, the median of each.
        first: seconds until the first search of a process is answered, the index read from the file.
        hits: mean number of hits; the gate refuses what does not fit.
    """

    tier: str
    scope: str
    memories: int
    spell: Spell
    steps: dict[str, float]
    first: float
    hits: float

    def row(self) -> list[str]:
        """Return it as a row of a table."""
        return [f"{self.memories:,}", self.tier, self.scope, *self.spell.cells()]


def searched(
    path: Path, many: int, rounds: int, asked: int, step: Callable[[int], object]
) -> Iterator[Searched]:
    """Measure both tiers over both kinds of scope."""
    for tier in TIERS:
        start = time.perf_counter()
        with Memory(path, settings=Settings(meaning=tier)) as memory:
            generator = Generator(many)
            memory.search(generator.question(), project=filling.EVERYTHING)
            first = time.perf_counter() - start
            for scope in (WHOLE, SPREAD):
                yield _searched(
                    memory, _scopes(scope, many), generator, (tier, scope, many, first), rounds, asked
                )
                step(1)


def _searched(
    memory: Memory,
    scopes: Callable[[], Whose],
    generator: Generator,
    named: tuple[str, str, int, float],
    rounds: int,
    asked: int,
) -> Searched:
    hits: list[int] = []

    def search(question: str) -> None:
        hits.append(len(memory.search(question, **scopes())))

    spells: list[Spell] = []
    for _ in range(rounds):
        timed(search, [generator.question() for _ in range(WARM)])
        spells.append(timed(search, [generator.question() for _ in range(asked)]))
    steps = _steps(memory, scopes, generator)
    tier, scope, many, first = named
    return Searched(tier, scope, many, middle(spells), steps, first, statistics.mean(hits))


def _scopes(scope: str, many: int) -> Callable[[], Whose]:
    draw, users = Random(many), -(-many // USER)
    if scope == WHOLE:
        return lambda: {"project": filling.EVERYTHING}
    return lambda: {"user": f"user-{draw.randrange(users)}"}


def _steps(
    memory: Memory, scopes: Callable[[], Whose], generator: Generator, times: int = 40
) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(times):
        for name, spent in memory.explain(generator.question(), **scopes()).milliseconds.items():
            found[name].append(spent)
    return {name: statistics.median(spent) for name, spent in found.items()}
