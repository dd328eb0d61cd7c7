"""Scores rankings and separations, with bootstrap intervals; knows no data set and no store.

Every interval is the 2.5 to 97.5 percentile of a seeded bootstrap. Resampling questions treats
those of one conversation as independent; give `clusters` to resample whole conversations.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from simonides.bench.cases import Question

    Floats = NDArray[np.float64]

DRAWS = 10_000
SEED = 7
KS = (5, 10, 20)
ALL = "all"
"""Name of the row over every category."""

_CELLS = 4_000_000  # numbers held at once by a bootstrap; bounds memory, not results' meaning


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of `count` values with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Score:
    """What one ranking is worth for one question, by metric: ``R@k``, ``hit@k`` and ``MRR``."""

    conversation: str
    question: str
    category: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Decisions at a threshold; `share` weighs every question alike, `balanced` both kinds."""

    share: float
    kept: float
    refused: float

    @property
    def balanced(self) -> float:
        """The mean of the share rightly kept and the share rightly refused."""
        return (self.kept + self.refused) / 2


def recall_at(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """Return the share of gold ids among the first `k` of the ranking."""
    return len(_gold(gold).intersection(ranked[: _size(k)])) / len(set(gold))


def hit_at(ranked: Sequence[str], gold: Collection[str], k: int) -> float:
    """Return 1.0 if any gold id is among the first `k` of the ranking, else 0.0."""
    return float(not _gold(gold).isdisjoint(ranked[: _size(k)]))


def reciprocal_rank(ranked: Sequence[str], gold: Collection[str]) -> float:
    """Return 1 / rank of the first gold id, 0.0 when none is ranked."""
    wanted = _gold(gold)
    return next((1 / rank for rank, name in enumerate(ranked, 1) if name in wanted), 0.0)


def score(conversation: str, question: Question, ranked: Sequence[str], ks: Sequence[int] = KS) -> Score:
    """Return the score of a ranking of turn ids, best first, for a question that has evidence.

    Repeated ids count once, at their first rank, so a search by chunks may give its turns as is.
    """
    once = tuple(dict.fromkeys(ranked))
    gold = question.evidence
    values = {f"R@{k}": recall_at(once, gold, k) for k in ks}
    values |= {f"hit@{k}": hit_at(once, gold, k) for k in ks}
    values["MRR"] = reciprocal_rank(once, gold)
    return Score(conversation, question.id, question.category, values)


def summary(
    scores: Sequence[Score], *, by_conversation: bool = False, draws: int = DRAWS, seed: int = SEED
) -> dict[str, dict[str, Estimate]]:
    """Return the mean of every metric, by category and over `ALL`; metrics of a call share draws.

    Args:
        scores: of one system; all with the same metrics.
        by_conversation: resample whole conversations instead of questions.
    """
    groups: dict[str, list[Score]] = defaultdict(list)
    for one in scores:
        groups[one.category].append(one)
    table = {}
    for name in (ALL, *sorted(groups)):
        rows = scores if name == ALL else groups[name]
        metrics = _metrics(rows)
        values = np.array([[row.values[metric] for metric in metrics] for row in rows])
        clusters = [row.conversation for row in rows] if by_conversation else None
        estimates = _means(values, clusters, draws, seed)
        table[name] = dict(zip(metrics, estimates, strict=True))
    return table


def difference(
    one: Sequence[Score],
    other: Sequence[Score],
    metric: str,
    *,
    by_conversation: bool = False,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Estimate:
    """Return the mean of `one` minus `other`, paired by question; both must score the same ones."""
    left = {(row.conversation, row.question): row.values[metric] for row in one}
    right = {(row.conversation, row.question): row.values[metric] for row in other}
    if left.keys() != right.keys() or len(left) < len(one) or len(right) < len(other):
        rule = "must score the same questions, each once"
        got = f"{len(one)} and {len(other)} scores, {len(left.keys() & right.keys())} shared"
        raise InputError("paired difference", rule, got, "Rank with both systems first.")
    values = [left[key] - right[key] for key in left]
    clusters = [conversation for conversation, _ in left] if by_conversation else None
    return mean(values, clusters=clusters, draws=draws, seed=seed)


def mean(
    values: ArrayLike,
    *,
    clusters: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Estimate:
    """Return the mean with its interval; `clusters` names the conversation of each value."""
    return _means(_floats(values, "values")[:, None], clusters, draws, seed)[0]


def auc(positives: ArrayLike, negatives: ArrayLike, *, draws: int = DRAWS, seed: int = SEED) -> Estimate:
    """Return the chance that a positive scores above a negative, a tie counting half.

    This is the Mann-Whitney statistic over both counts; the interval resamples each side.
    """
    ups, downs = _floats(positives, "positives"), _floats(negatives, "negatives")
    levels, where = np.unique(np.concatenate([ups, downs]), return_inverse=True)
    up = np.bincount(where[: len(ups)], minlength=len(levels)).astype(np.float64)
    down = np.bincount(where[len(ups) :], minlength=len(levels)).astype(np.float64)
    above, below = np.random.default_rng(seed).spawn(2)
    # Scores on a level are alike, so drawing level counts is drawing scores.
    drawn = [
        _above(
            above.multinomial(len(ups), up / len(ups), size=size).astype(np.float64),
            below.multinomial(len(downs), down / len(downs), size=size).astype(np.float64),
        )
        for size in _chunks(draws, len(levels))
    ]
    value = float(_above(up[None, :], down[None, :])[0])
    return _estimate(value, np.concatenate(drawn), len(ups) + len(downs))


def accuracy_at(threshold: float, positives: ArrayLike, negatives: ArrayLike) -> Accuracy:
    """Return how often keeping what scores at least the threshold is right."""
    ups, downs = _floats(positives, "positives"), _floats(negatives, "negatives")
    kept, refused = int((ups >= threshold).sum()), int((downs < threshold).sum())
    share = (kept + refused) / (len(ups) + len(downs))
    return Accuracy(share, kept / len(ups), refused / len(downs))


def best_threshold(positives: ArrayLike, negatives: ArrayLike) -> float:
    """Return the score at which keeping is most often right, both kinds weighing alike.

    The lowest such score of those given, or infinity where refusing everything is no worse. Choose
    on one half of the data and report `accuracy_at` on the other.
    """
    ups = np.sort(_floats(positives, "positives"))
    downs = np.sort(_floats(negatives, "negatives"))
    levels = np.append(np.unique(np.concatenate([ups, downs])), np.inf)
    kept = 1 - np.searchsorted(ups, levels, side="left") / len(ups)
    refused = np.searchsorted(downs, levels, side="left") / len(downs)
    return float(levels[int(np.argmax(kept + refused))])


def _means(values: Floats, clusters: Sequence[str] | None, draws: int, seed: int) -> list[Estimate]:
    """Estimate the mean of each column, all columns under the same draws."""  # (rows, columns)
    count = len(values)
    if count == 0:
        raise InputError("bootstrap", "needs at least one value", 0)
    sizes, sums = _grouped(values, clusters)
    rng = np.random.default_rng(seed)
    parts = []
    for size in _chunks(draws, len(sizes)):
        times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=size)
        parts.append((times @ sums) / (times @ sizes)[:, None])  # (draws, columns)
    drawn = np.concatenate(parts)
    centre = values.mean(axis=0)
    return [_estimate(float(centre[i]), drawn[:, i], count) for i in range(values.shape[1])]


def _grouped(values: Floats, clusters: Sequence[str] | None) -> tuple[Floats, Floats]:
    if clusters is None:
        return np.ones(len(values)), values
    if len(clusters) != len(values):
        got = f"{len(clusters)} for {len(values)}"
        raise InputError("clusters", "must name one conversation per value", got)
    names, where = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, where, values)
    return np.bincount(where).astype(np.float64), sums


def _above(up: Floats, down: Floats) -> Floats:
    """Share of pairs with the positive above, from counts by rising level: (draws, levels)."""
    below = np.cumsum(down, axis=1) - down / 2
    total: Floats = (up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return total


def _estimate(value: float, drawn: Floats, count: int) -> Estimate:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value, float(low), float(high), count)


def _chunks(draws: int, width: int) -> Iterator[int]:
    if draws < 1:
        raise InputError("draws", "must be at least 1", draws)
    step = max(1, _CELLS // max(width, 1))
    for done in range(0, draws, step):
        yield min(step, draws - done)


def _floats(values: ArrayLike, subject: str) -> Floats:
    array: Floats = np.asarray(values, dtype=np.float64).ravel()
    if len(array) == 0:
        raise InputError(subject, "must not be empty", 0)
    if np.isnan(array).any():
        raise InputError(subject, "must hold no NaN", f"{int(np.isnan(array).sum())} of them")
    return array


def _gold(gold: Collection[str]) -> set[str]:
    if not gold:
        raise InputError("gold", "must name at least one turn", "none", "Keep to `in_recall`.")
    return set(gold)


def _size(k: int) -> int:
    if k < 1:
        raise InputError("k", "must be at least 1", k)
    return k


def _metrics(rows: Sequence[Score]) -> tuple[str, ...]:
    if not rows:
        raise InputError("summary", "needs at least one score", 0)
    metrics = tuple(rows[0].values)
    if any(row.values.keys() != rows[0].values.keys() for row in rows):
        raise InputError("summary", "all scores must have the same metrics", metrics)
    return metrics
