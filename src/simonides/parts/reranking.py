"""Put found candidates into another order; knows no store and no index, only ids and what is handed in.

The five of Zep are rank fusion (`fusing.rrf`), `mmr`, `node_distance`, `mentions` and `by_ranker`; formulas and
sources are in docs/parts.md. Candidates come as ids, best first, and no way loses or invents one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from simonides.errors import InputError
from simonides.parts.spreading import within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.types import Link

    Floats = NDArray[np.float32]

T = TypeVar("T", bound="float | int")


class Ranker(Protocol):
    """Scores texts against a question, one at a time or all at once: a cross-encoder, an endpoint, a model."""

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return a score for each text, higher is better; in any unit."""
        ...


class Learned(Protocol):
    """Scores candidates by named features: a fitted sum, gradient-boosted trees."""

    def score(self, features: Mapping[str, Floats]) -> Sequence[float]:
        """Return a score for each candidate; every feature holds one value for each."""
        ...


def mmr(
    query: Floats, vectors: Mapping[str, Floats], *, weight: float = 0.5, k: int | None = None
) -> list[str]:
    """Return ids by maximal marginal relevance: near to the query, and unlike what stands before.

    Greedily the next is the one with the largest weight x cosine to the query - (1 - weight) x largest cosine to one
    already taken (Carbonell and Goldstein, 1998); equal ones in the order given. Graphiti's released code compares
    each candidate with all, itself among them, and then takes the order out of a set; this does not.

    Args:
        query: its vector; lengths do not matter.
        vectors: by id.
        weight: lambda; 1 is the order of cosines alone.
        k: how many at most, all by default. Cost: k x candidates products.
    """
    if not 0 <= weight <= 1:
        raise InputError("weight", "must be from 0 to 1", weight)
    ids = list(vectors)
    if not ids:
        return []
    units = _units(np.stack([np.asarray(vectors[id], np.float64) for id in ids]))
    near = units @ _units(np.asarray(query, np.float64)[None])[0]
    repeats = np.zeros(len(ids))
    taken: list[int] = []
    free = np.ones(len(ids), np.bool_)
    while len(taken) < min(len(ids), len(ids) if k is None else k):
        worth = np.where(free, weight * near - (1 - weight) * repeats, -np.inf)
        place = int(np.argmax(worth))
        like = units @ units[place]
        repeats = like if not taken else np.maximum(repeats, like)
        taken.append(place)
        free[place] = False
    return [ids[place] for place in taken]


def node_distance(ids: Sequence[str], links: Sequence[Link], center: str, *, hops: int = 3) -> list[str]:
    """Return ids by how many links lie between them and the centre; equally near ones stay as they are.

    What is farther than `hops`, or not joined at all, comes last. The centre comes first if it is among the ids, and
    is not added if it is not.
    """
    far = within(links, [center], hops)
    return _sorted(ids, {id: -float(far.get(id, math.inf)) for id in ids})


def mentions(ids: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return ids by how many episodes mention them, most first; what none mentions comes last.

    Equal ones stay as they are. (Graphiti's released code sorts the other way round.)
    """
    return _sorted(ids, {id: counts.get(id, 0) for id in ids})


def by_ranker(query: str, texts: Mapping[str, str], ranker: Ranker, *, top: int | None = None) -> list[str]:
    """Return ids by what a ranker says of their texts; only the first `top` are asked about, the rest stays behind."""
    ids = list(texts)
    asked = ids if top is None else ids[:top]
    scores = [float(score) for score in ranker.score(query, [texts[id] for id in asked])] if asked else []
    return _sorted(asked, _scores(asked, scores)) + ids[len(asked) :]


def by_features(ids: Sequence[str], features: Mapping[str, Floats], learned: Learned) -> list[str]:
    """Return ids by what a learned ranker makes of their features, each (candidates,)."""
    for name, values in features.items():
        if len(values) != len(ids):
            raise InputError(f"feature {name!r}", f"must hold a value for each of {len(ids)}", len(values))
    return _sorted(ids, _scores(ids, [float(score) for score in learned.score(features)]))


def _scores(ids: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    if len(scores) != len(ids):
        raise InputError("ranker", f"must score each of {len(ids)} candidates", len(scores))
    if any(math.isnan(score) for score in scores):
        raise InputError("ranker", "must give numbers", "NaN")
    return dict(zip(ids, scores, strict=True))


def _sorted(ids: Sequence[str], worth: Mapping[str, T]) -> list[str]:
    return sorted(ids, key=lambda one: -worth[one])


def _units(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
