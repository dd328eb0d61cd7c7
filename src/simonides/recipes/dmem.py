"""D-Mem: fast facts, a quality gate on three axes, and the whole log where it fails; knows no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

from simonides.errors import UnknownName
from simonides.parts import deliberate, escalate, reader
from simonides.parts.escalate import Attempt, Climb, Gate, Ladder, Rung
from simonides.recipes.composition import PLAIN, Asked, Searching
from simonides.recipes.mem0 import Mem0
from simonides.types import Hit, Kind

Policy = Literal["fast", "full", "gated", "filter", "majority", "consensus"]
POLICIES: dict[Policy, int] = {"fast": 4, "full": 0, "gated": 1, "filter": 1, "majority": 2, "consensus": 3}
"""By policy, how many of the three axes must refuse the fast answer before the log is read."""
EVERYTHING = 1_000_000
"""Messages of a log at most."""


@dataclass(frozen=True)
class DMem(Mem0):
    """Mem0's facts for most questions, and every message for those that the facts can't answer."""

    name: ClassVar[str] = "d-mem"
    paper: ClassVar[str] = "D-Mem: A Dual-Process Memory System for LLM Agents"
    year: ClassVar[int] = 2026
    link: ClassVar[str] = "https://arxiv.org/abs/2603.18631"
    differs: ClassVar[tuple[str, ...]] = (
        "the three axes are rules; a model judges in the paper",
        "relevance is held against the calibrated chance of the best hit, not a cosine",
        "the reader is extractive, and chunks are read by words and by the search, not by a model",
        "filter, majority and consensus are read as votes of the axes: any or an empty search, two, all three",
        *Mem0.differs[1:],
    )
    neighbours: int = 5
    policy: Policy = "gated"
    facts: int = 30
    """Facts of the fast answer."""
    chunk: int = 60
    """Messages of a chunk."""
    least: float = 5.0
    """Points, from 0 to 10, of a fact that full deliberation keeps."""
    relevance: float = 0.2
    """Least chance of the best fast fact, in [0, 1]."""
    cited: int = 5
    """Facts that may bear out an answer."""
    coverage: float = 0.4
    """Least share of the question's words in one cited fact, in [0, 1]."""

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return facts where they suffice, else what full deliberation keeps of the log."""
        if asked.kinds is not None:
            return super().find(asked, look)
        return list(self.climb(asked, look).attempt.hits[: asked.k])

    def climb(self, asked: Asked, look: Searching) -> Climb:
        """Return how a question is answered: which rungs, and what each axis said."""
        if self.policy not in POLICIES:
            raise UnknownName("policy", self.policy, POLICIES)
        fast = Rung("fast", partial(self._fast, asked, look), 0, self._gates(asked), POLICIES[self.policy])
        full = Rung("full", partial(self._full, asked, look))
        rungs = {"fast": (replace(fast, gates=()),), "full": (full,)}
        return Ladder(rungs.get(self.policy, (fast, full))).climb(asked.query)

    def _gates(self, asked: Asked) -> tuple[Gate, ...]:
        axes = escalate.quality(asked.now, relevance=self.relevance, cited=self.cited, coverage=self.coverage)
        return (escalate.Refusal(), *axes) if self.policy == "filter" else axes

    def _fast(self, asked: Asked, look: Searching) -> Attempt:
        strict = asked.gate and self.policy in ("fast", "filter")
        hits = super().find(replace(asked, k=max(self.facts, asked.k), gate=strict, kinds=None), look)
        return Attempt(tuple(hits), reader.answer(asked.query, hits, asked.now))

    def _full(self, asked: Asked, look: Searching) -> Attempt:
        kinds = (Kind.TURN, Kind.DOCUMENT)
        told = look.listed(kinds, limit=EVERYTHING, newest_first=False, as_of=asked.as_of)
        if not told:
            return Attempt()
        wide = replace(asked, k=max(self.chunk, asked.k), gate=False)
        chance = {hit.memory.id: hit.score for hit in look.search(wide, PLAIN)}
        found = deliberate.Log(told).read(asked.query, size=self.chunk, chance=chance)
        hits: Sequence[Hit] = deliberate.hits(
            found, max(self.facts, asked.k), self.least if asked.gate else 0.0
        )
        return Attempt(tuple(hits), reader.answer(asked.query, hits, asked.now), scanned=len(told))
