"""Zep (Graphiti): a graph of entities whose facts carry two clocks; composes parts, and knows no store.

A turn is an episode. Its facts are `zep.fact`, linked to the `zep.entity` at their ends; a fact that another excludes
ends when that one begins, and both stay. Upkeep makes communities of entities, each a `zep.summary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from simonides.parts.extract import Extractor, Rules, Told
from simonides.parts.fusing import rrf
from simonides.parts.reranking import Ranker
from simonides.recipes import zep_graph, zep_writing
from simonides.recipes.composition import Asked, Look, Recipe, Searching
from simonides.types import Change, Hit, Memory


@dataclass(frozen=True)
class Zep(Recipe):
    """Zep's constants; the defaults are those of the paper and its released code.

    Attributes:
        limit: candidates of each search.
        depth: facts that a walk goes along, from the entities of the question.
        rank_constant: of rank fusion, with ranks from 0.
        mmr_weight: lambda.
        context_turns: turns before the one that is read.
        candidates: known entities that a name may mean.
        neighbours: facts that a new one is held against.
        reranker: ``rrf``, ``mmr``, ``node-distance``, ``mentions`` or ``cross-encoder``.
        center: the entity that node distance counts from; empty for the first one of the question.
        ranker: what scores for ``cross-encoder``.
        searches: which of the three are asked.
        summary_characters: of a community.
        extractor: reads facts.
    """

    name: ClassVar[str] = "zep"
    paper: ClassVar[str] = "Zep: A Temporal Knowledge Graph Architecture for Agent Memory"
    year: ClassVar[int] = 2025
    link: ClassVar[str] = "https://arxiv.org/abs/2501.13956"
    differs: ClassVar[tuple[str, ...]] = (
        "Rules read entities, facts, dates and contradictions; the paper asks a language model for each.",
        "Names near to a known one, and not nearly the same, stay apart; the paper asks a model.",
        "Two facts that began at the same instant both stay, linked as in doubt; which was later nobody can tell.",
        "Words and meaning are the two shares of the default search; no cosine of .6 is asked for.",
        "Episodes are searched too, beside the facts that were read from them.",
        "A community is a `zep.summary` of its newest facts; an entity has no summary but its facts.",
        "Mentions puts the most mentioned first; the released code sorts the other way round.",
    )
    derives: ClassVar[tuple[str, ...]] = ("entity", "fact", "summary")

    limit: int = 10
    depth: int = 3
    rank_constant: float = 1.0
    mmr_weight: float = 0.5
    context_turns: int = 4
    candidates: int = 15
    neighbours: int = 10
    reranker: str = "rrf"
    center: str = ""
    ranker: Ranker | None = None
    searches: tuple[str, ...] = ("words", "meaning", "walk")
    summary_characters: int = 1000
    extractor: Extractor = field(default_factory=lambda: Rules(agent=False))

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Derive entities and facts, and end the facts that a new one excludes."""
        read = self.extractor.extract(Told.of(told, before=before[-self.context_turns :]))
        facts = [fact for fact in read if fact.says is not None and fact.modality == "asserted"]
        if facts:
            yield from zep_writing.derived(self, told, facts, look)

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Search by words, by meaning and along links; fuse the ranks, then order by the reranker."""
        found = zep_graph.candidates(self, asked, look)
        if not any(found.lists.values()):
            return []
        fused = rrf(found.lists, self.rank_constant, first=0)
        shares = {one.id: one.shares for one in fused}
        order = zep_graph.reranked(self, asked, found, [one.id for one in fused], look)
        best = len(found.lists) / self.rank_constant
        return [
            Hit(found.memories[id], min(1.0, sum(shares[id].values()) / best), shares[id])
            for id in order[: asked.k]
        ]

    def tend(self, look: Look, now: datetime) -> Iterable[Change]:
        """Find the communities anew by label propagation; those that are as they were are left alone."""
        return zep_graph.communities(self, look, now)
