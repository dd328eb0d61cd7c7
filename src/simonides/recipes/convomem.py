"""ConvoMem: while a memory is small, read all of it; blocks of conversations when it is not; knows no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import ClassVar

from simonides.parts import deliberate, escalate, reader
from simonides.parts.escalate import Attempt, Climb, Ladder, Rung, Size
from simonides.recipes.composition import PLAIN, Asked, Recipe, Searching
from simonides.types import Hit, Kind, Memory

EVERYTHING = 1_000_000
"""Messages of a memory at most."""


@dataclass(frozen=True)
class ConvoMem(Recipe):
    """No facts: the verbatim conversations are read, all of them or block by block, as their number says."""

    name: ClassVar[str] = "convomem"
    paper: ClassVar[str] = "ConvoMem Benchmark: Why Your First 150 Conversations Don't Need RAG"
    year: ClassVar[int] = 2025
    link: ClassVar[str] = "https://arxiv.org/abs/2511.10523"
    differs: ClassVar[tuple[str, ...]] = (
        "messages are read by rules and by the search; a model reads them in the paper",
        "what is read gives its best messages, as many as are asked for, not a prompt with all of them",
        "blocks are chosen by the search until the budget is spent; the paper reads all blocks at once",
    )
    derives: ClassVar[tuple[str, ...]] = ()
    full: int = 30
    """Up to so many conversations everything is read."""
    budgeted: int = 150
    """Up to so many conversations too, as long as the budget allows."""
    budget: int | None = None
    """Tokens that may be read for one question; None is no limit up to `budgeted` conversations."""
    block: int = 10
    """Conversations of a block."""
    blocks: int = 6
    """Blocks that the hybrid reads at most."""
    least: float = 3.0
    """Points, from 0 to 10, that the best message needs; below, nothing that was read is relevant."""

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return the messages that answer, read in the way that the size of the memory allows."""
        if asked.kinds is not None:
            return look.search(asked, asked.kinds)
        return list(self.climb(asked, look).attempt.hits[: asked.k])

    def climb(self, asked: Asked, look: Searching) -> Climb:
        """Return how a question is answered: the rung is the size's, ``full``, ``budgeted`` or ``hybrid``."""
        told = look.listed(
            (Kind.TURN, Kind.DOCUMENT), limit=EVERYTHING, newest_first=False, as_of=asked.as_of
        )
        talks = conversations(told)
        tokens = _tokens(told)
        size = self.size(len(talks), tokens)
        if size == "hybrid":
            return Ladder((Rung(size, partial(self._hybrid, asked, look, talks)),)).climb(asked.query)
        return Ladder((Rung(size, partial(self._read, asked, look, told), tokens),)).climb(asked.query)

    def size(self, conversations: int, tokens: int) -> Size:
        """Return how a memory of this size is read."""
        return escalate.size_gate(conversations, tokens, self.budget, full=self.full, budgeted=self.budgeted)

    def _read(self, asked: Asked, look: Searching, told: Sequence[Memory]) -> Attempt:
        """Return what is found by reading messages; nothing where nothing relevant is found and the gate is on."""
        if not told:
            return Attempt()
        wide = replace(asked, k=max(60, asked.k), gate=False)
        chance = {hit.memory.id: hit.score for hit in look.search(wide, PLAIN)}
        found = deliberate.Log(told).read(asked.query, size=self.block, chance=chance)
        relevant = not asked.gate or max((one.points for one in found), default=0.0) >= self.least
        hits = deliberate.hits(found, asked.k) if relevant else []
        answer = reader.answer(asked.query, hits, asked.now)
        return Attempt(tuple(hits), answer, scanned=len(told), tokens=_tokens(told))

    def _hybrid(self, asked: Asked, look: Searching, talks: Sequence[Sequence[Memory]]) -> Attempt:
        """Return what is found in the blocks that the search points at, best first, within the budget."""
        blocks = list(deliberate.chunks(talks, self.block))
        where = {one.id: number for number, block in enumerate(blocks) for talk in block for one in talk}
        wide = replace(asked, k=max(60, asked.k), gate=False)
        wanted = dict.fromkeys(
            where[hit.memory.id] for hit in look.search(wide, PLAIN) if hit.memory.id in where
        )
        chosen, spent = list[Memory](), 0
        for number in list(wanted)[: self.blocks]:
            messages = [one for talk in blocks[number] for one in talk]
            cost = _tokens(messages)
            if self.budget is not None and chosen and spent + cost > self.budget:
                break
            chosen, spent = [*chosen, *messages], spent + cost
        return self._read(asked, look, sorted(chosen, key=lambda one: one.at))


def conversations(told: Sequence[Memory]) -> list[list[Memory]]:
    """Return messages by conversation: by session, or by day where none is named; oldest first."""
    talks: dict[str, list[Memory]] = {}
    for key, run in groupby(told, key=lambda one: one.scope.session or f"day {one.at:%Y-%m-%d}"):
        talks.setdefault(key, []).extend(run)
    return list(talks.values())


def _tokens(told: Sequence[Memory]) -> int:
    """Return about how many tokens messages hold: four characters each, as models count English."""
    return sum(len(one.text) for one in told) // 4
