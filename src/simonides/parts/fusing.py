"""Fuse named lists of candidates into one order; knows no index, no text and no model.

Every way takes channels by name, never by position, and returns `Fused` values, best first; equal scores stand in the
order of their ids. The formulas, with where they come from, are in docs/parts.md. The default recall of simonides
does not fuse this way: `parts/fuse.py` is a fitted sum. These are what published systems do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simonides.errors import InputError, UnknownName

Scores = Mapping[str, float]
"""Scores of one channel by the id of the candidate; higher is better, and what is not there was not found."""

CURVES: tuple[tuple[float, float, float], ...] = (
    (3, 5.0, 0.7),
    (6, 7.0, 0.6),
    (9, 9.0, 0.5),
    (15, 10.0, 0.5),
    (math.inf, 12.0, 0.5),
)
"""Mem0, 2026: terms of the question at most, the BM25 score that is worth one half, and how steep it is there."""
ENTITY = 0.5
"""Mem0, 2026: what a candidate gets at most for sharing an entity with the question."""


@dataclass(frozen=True, slots=True)
class Fused:
    """A candidate with its score.

    Attributes:
        shares: what each channel brought: terms that sum to the score, for a product its factors, for the best layer
            that layer alone.
    """

    id: str
    score: float
    shares: Mapping[str, float] = field(default_factory=dict[str, float])


def rrf(
    lists: Mapping[str, Sequence[str]],
    k: float,
    *,
    weights: Mapping[str, float] | None = None,
    first: int = 1,
) -> list[Fused]:
    """Return rank fusion: the sum over lists of weight / (k + rank). What a list does not hold gets nothing from it.

    Args:
        lists: ids by channel, best first; an id that comes twice counts at its first place.
        k: the constant: 60 in Cormack, Clarke and Buettcher (2009).
        weights: by channel, 1 where none is given.
        first: the rank of the best. Zep's constant is 1 with ranks from 0, so that its best gets 1: `k=1, first=0`.
    """
    _known("channel", weights, lists)
    if k + first <= 0:
        raise InputError("k", "must be above 0 with the first rank added", k)
    shares: dict[str, dict[str, float]] = {}
    for name, ids in lists.items():
        weight = 1.0 if weights is None else weights.get(name, 1.0)
        for rank, id in enumerate(dict.fromkeys(ids), first):
            shares.setdefault(id, {})[name] = weight / (k + rank)
    return _summed(shares)


def weighted(
    scores: Mapping[str, Scores],
    weights: Mapping[str, float] | None = None,
    *,
    scale: Callable[[Scores], Scores] | None = None,
) -> list[Fused]:
    """Return the weighted sum of scores; a candidate that a channel did not find gets 0 from it.

    Args:
        scores: by channel.
        weights: by channel, 1 where none is given.
        scale: what is done to each channel first: `by_best`, `by_range`, or nothing.
    """
    _known("channel", weights, scores)
    shares: dict[str, dict[str, float]] = {}
    for name, found in scores.items():
        weight = 1.0 if weights is None else weights.get(name, 1.0)
        for id, score in (found if scale is None else scale(found)).items():
            shares.setdefault(id, {})[name] = weight * score
    return _summed(shares)


def max_layer(scores: Mapping[str, Scores], weights: Mapping[str, float] | None = None) -> list[Fused]:
    """Return the best weighted score over layers, as ZenBrain does: to be found twice is worth no more than once."""
    _known("layer", weights, scores)
    best: dict[str, tuple[float, str]] = {}
    for name in sorted(scores):
        weight = 1.0 if weights is None else weights.get(name, 1.0)
        for id, score in scores[name].items():
            if id not in best or weight * score > best[id][0]:
                best[id] = (weight * score, name)
    return _ordered(Fused(id, score, {name: score}) for id, (score, name) in best.items())


def additive_sigmoid(
    semantic: Scores,
    words: Scores | None = None,
    entities: Scores | None = None,
    *,
    terms: int = 1,
    floor: float = 0.1,
) -> list[Fused]:
    """Return the sum of Mem0's generation of 2026, over what it can be at most, in [0, 1].

    (semantic + sigmoid of BM25 + entity boost) / (1, plus 1 if words are given, plus 0.5 if entities are). A channel
    is active when it found anything at all for this question, for every candidate alike. Candidates that `semantic`
    does not hold, or holds below the floor, are left out, whatever their words: so does the original.

    Args:
        semantic: cosines.
        words: BM25 as it is, see `squashed`.
        entities: boosts as `entity_boost` gives them, at most 0.5.
        terms: how many terms the question has.
        floor: the least cosine.
    """
    middle, steepness = curve(terms)
    most = 1.0 + (1.0 if words else 0.0) + (ENTITY if entities else 0.0)
    fused: list[Fused] = []
    for id, cosine in semantic.items():
        if cosine < floor:
            continue
        shares = {"semantic": cosine / most}
        if words and id in words:
            shares["words"] = squashed(words[id], middle, steepness) / most
        if entities and id in entities:
            shares["entities"] = entities[id] / most
        fused.append(Fused(id, min(math.fsum(shares.values()), 1.0), shares))
    return _ordered(fused)


def curve(terms: int) -> tuple[float, float]:
    """Return the middle and the steepness of Mem0's sigmoid for a question of so many terms."""
    return next((middle, steepness) for most, middle, steepness in CURVES if terms <= most)


def squashed(score: float, middle: float, steepness: float) -> float:
    """Return a score in [0, 1]: one half at the middle.

    >>> squashed(5.0, *curve(3))
    0.5
    """
    power = -steepness * (score - middle)
    return 1 / (1 + math.exp(power)) if power < 700 else 0.0


def entity_boost(similarity: float, memories: int, *, least: float = 0.5) -> float:
    """Return what an entity of the question adds to a memory it is linked to.

    0.5 x similarity / (1 + 0.001 (memories - 1)^2): an entity that hangs on many memories says less about each.

    Args:
        similarity: of the entity in the question and the stored one; below `least` it adds nothing.
        memories: how many memories are linked to the stored one, at least 1.
    """
    if similarity < least:
        return 0.0
    return ENTITY * similarity / (1 + 0.001 * (max(memories, 1) - 1) ** 2)


def cube(
    similar: Mapping[str, Scores], *, power: float = 3.0, missing: Mapping[str, float] | None = None
) -> list[Fused]:
    """Return the product over dimensions of similarity to the third power, as DTCM reads MINERVA 2.

    A dimension that the question does not probe is not given, and so counts as 1. One that is probed and that a
    candidate is not in counts as `missing` says, 0 otherwise: another person's memory scores 0, however alike.
    Negative similarities count as 0.
    """
    _known("dimension", missing, similar)
    ids = {id for found in similar.values() for id in found}
    fused: list[Fused] = []
    for id in ids:
        lacks = missing or {}
        factors = {
            name: max(found.get(id, lacks.get(name, 0.0)), 0.0) ** power for name, found in similar.items()
        }
        fused.append(Fused(id, math.prod(factors.values()), factors))
    return _ordered(fused)


def tiers(
    scores: Scores, labels: Mapping[str, Mapping[str, str]], worth: Mapping[str, Mapping[str, float]]
) -> list[Fused]:
    """Return scores times what each candidate's tiers are worth.

    ByteRover: maturity core 1.15, validated 1, draft 0.85. SuperLocalMemory multiplies several such tables.

    Args:
        scores: by id, not negative: a factor above 1 must not push a candidate down.
        labels: by kind of tier, the tier of each id; an id that has none is multiplied by 1.
        worth: by kind of tier and tier, the factor.

    Raises:
        UnknownName: a tier has no factor.
    """
    _known("kind of tier", labels, worth)
    fused: list[Fused] = []
    for id, score in scores.items():
        if score < 0:
            raise InputError("scores", "must not be negative where tiers multiply them", f"{score} of {id}")
        factors = {"score": score}
        for kind, of in labels.items():
            if (label := of.get(id)) is not None:
                _known(kind, (label,), worth[kind])
                factors[kind] = worth[kind][label]
        fused.append(Fused(id, math.prod(factors.values()), factors))
    return _ordered(fused)


def by_best(scores: Scores) -> Scores:
    """Return scores over the best one: BM25 in [0, 1]; as they are where none is above 0."""
    best = max(scores.values(), default=0.0)
    return {id: score / best for id, score in scores.items()} if best > 0 else scores


def by_range(scores: Scores) -> Scores:
    """Return scores moved to [0, 1], the lowest at 0; all 1 where they are equal."""
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    return {id: (score - low) / (high - low) if high > low else 1.0 for id, score in scores.items()}


def saturated(scores: Scores) -> Scores:
    """Return s / (1 + s), ByteRover's BM25 in [0, 1)."""
    return {id: score / (1 + score) for id, score in scores.items()}


def _summed(shares: Mapping[str, Mapping[str, float]]) -> list[Fused]:
    return _ordered(Fused(id, math.fsum(found.values()), found) for id, found in shares.items())


def _ordered(fused: Iterable[Fused]) -> list[Fused]:
    return sorted(fused, key=lambda one: (-one.score, one.id))


def _known(subject: str, names: Iterable[str] | None, known: Iterable[str]) -> None:
    known = tuple(known)
    for name in names or ():
        if name not in known:
            raise UnknownName(subject, name, known)
