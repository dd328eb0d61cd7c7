"""Mem0, the generation of 2026: facts are only ever added; three channels are summed; knows no store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from simonides.parts import fusing, pool_scores
from simonides.parts.escalate import asked_names
from simonides.parts.extract import Told
from simonides.parts.review import normal
from simonides.parts.statements import plain
from simonides.recipes.composition import Asked, Look, Searching
from simonides.recipes.mem0 import Mem0
from simonides.types import Change, Hit, Json, Memory


@dataclass(frozen=True)
class Mem0Additive(Mem0):
    """The generation of 2026: facts are only added, and found by a sum of meaning, words and entities."""

    name: ClassVar[str] = "mem0-additive"
    year: ClassVar[int] = 2026
    link: ClassVar[str] = "https://github.com/mem0ai/mem0"
    differs: ClassVar[tuple[str, ...]] = (
        Mem0.differs[0],
        "meaning is the instant tier's likeness; BM25 counts words over the facts that were fetched",
        "entities are the names in a fact, compared by their words",
    )
    floor: float = 0.1
    """Least likeness of a fact, before anything is summed."""
    fetched: int = 60
    """Facts that are scored at least; four times k where that is more."""
    similar: float = 0.5
    """Least similarity of an entity of the question and one of a fact."""

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Return facts to add: all but those whose words, signs and capitals aside, are stored already."""
        for fact in self.extractor.extract(Told.of(told, before=before)):
            near = look.near(fact.text, self.neighbours, self.kinds("fact"))
            if all(normal(hit.memory.text) != normal(fact.text) for hit in near):
                digest = hashlib.md5(normal(fact.text).encode(), usedforsecurity=False).hexdigest()
                yield self.derived(told, fact.text, fact=fact, attributes={"hash": digest})

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return facts by the additive score, in [0, 1]; it is the score of the hits."""
        if asked.kinds is not None or (asked.gate and not super().find(replace(asked, k=1), look)):
            return super().find(asked, look) if asked.kinds is not None else []
        wide = replace(asked, k=max(4 * asked.k, self.fetched), gate=False)
        hits = {hit.memory.id: hit for hit in super().find(wide, look)}
        pool = {id: hit.memory.text for id, hit in hits.items()}
        fused = fusing.additive_sigmoid(
            pool_scores.likeness(asked.query, pool), pool_scores.bm25(asked.query, pool),
            self.boosts(asked.query, hits),
            terms=len(pool_scores.terms(asked.query)), floor=self.floor,
        )  # fmt: skip
        return [Hit(hits[one.id].memory, one.score, one.shares) for one in fused[: asked.k]]

    def boosts(self, query: str, hits: Mapping[str, Hit]) -> dict[str, float]:
        """Return what each fact gets for the entities that it shares with the question."""
        held = {
            id: [plain(str(name)) for name in _listed(hit.memory.attributes.get("names"))]
            for id, hit in hits.items()
        }
        asked = [set(plain(name).split()) for name in asked_names(query)]
        best: dict[str, float] = {}
        for id, mine in held.items():
            for name in mine:
                alike = max(
                    (len(one & set(name.split())) / len(one | set(name.split())) for one in asked),
                    default=0.0,
                )
                if alike >= self.similar:
                    many = sum(name in others for others in held.values())
                    best[id] = max(best.get(id, 0.0), fusing.entity_boost(alike, many, least=self.similar))
        return best


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
