"""Each of five rerankers puts a fixture into the order worked out by hand; what released code gets wrong is pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simonides.clock import Span
from simonides.errors import InputError
from simonides.parts import fusing, reranking
from simonides.types import Link

Floats = NDArray[np.float32]
SPRING = datetime(2026, 3, 1, tzinfo=UTC)


def link(source: str, target: str) -> Link:
    return Link(f"{source}-{target}", source, target, "knows", Span(SPRING), Span(SPRING))


def vector(*numbers: float) -> Floats:
    return np.array(numbers, np.float32)


FOUND = ["harp", "boat", "cake", "ship"]
"""The fixture, as a search gave it: best first."""


def test_rank_fusion_reorders_the_fixture() -> None:
    fused = fusing.rrf({"words": FOUND, "vectors": ["ship", "boat"]}, 1, first=0)
    assert [one.id for one in fused] == ["ship", "boat", "harp", "cake"], "1.25, 1, 1, 0.33; equal ones by id"


def test_marginal_relevance_reorders_the_fixture() -> None:
    vectors = {
        "harp": vector(0, 0.6, 0.8),
        "boat": vector(1, 0, 0),
        "cake": vector(0, 1, 0),
        "ship": vector(0.96, 0.28, 0),
    }
    query = vector(0.8, 0.6, 0)
    # Cosines to the query: harp 0.36, boat 0.8, cake 0.6, ship 0.936. First the ship.
    # Then half of the cosine less half of the likeness to the ship: harp 0.18 - 0.084 = 0.096,
    # boat 0.4 - 0.48 = -0.08, cake 0.3 - 0.14 = 0.16: the cake. Then harp 0.18 - 0.3 = -0.12, boat -0.08: the boat.
    assert reranking.mmr(query, vectors) == ["ship", "cake", "boat", "harp"]
    assert reranking.mmr(query, vectors, weight=1.0) == ["ship", "boat", "cake", "harp"], "cosines alone"
    assert reranking.mmr(query, vectors, k=2) == ["ship", "cake"]
    assert reranking.mmr(query, {}) == []


def test_node_distance_reorders_the_fixture() -> None:
    links = [link("ada", "cake"), link("cake", "boat"), link("ship", "boat")]
    assert reranking.node_distance(FOUND, links, "ada") == ["cake", "boat", "ship", "harp"]
    assert reranking.node_distance(FOUND, links, "ada", hops=2) == ["cake", "boat", "harp", "ship"], (
        "beyond: as it was"
    )
    assert reranking.node_distance(FOUND, links, "ship") == ["ship", "boat", "cake", "harp"]


def test_a_centre_that_was_not_found_is_not_added() -> None:
    assert set(reranking.node_distance(FOUND, [link("ada", "cake")], "ada")) == set(FOUND)


def test_mentions_reorder_the_fixture() -> None:
    counts = {"cake": 3, "ship": 1, "boat": 3}
    assert reranking.mentions(FOUND, counts) == ["boat", "cake", "ship", "harp"], "most first, none last"


class Overlap:
    """Scores a text by the letters it shares with the question; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        self.asked += texts
        return [len(set(query) & set(text)) / len(set(text)) for text in texts]


def test_a_ranker_reorders_the_fixture() -> None:
    ranker = Overlap()
    texts = {id: id for id in FOUND}
    assert reranking.by_ranker("to a boat", texts, ranker) == ["boat", "harp", "cake", "ship"], (
        "1, 1/4, 1/4, 0"
    )
    ranker.asked.clear()
    assert reranking.by_ranker("ship", texts, ranker, top=2) == ["harp", "boat", "cake", "ship"]
    assert ranker.asked == ["harp", "boat"], "the rest was not asked about, and stays behind"
    assert reranking.by_ranker("ship", {}, ranker) == []


class Sum:
    """A learned ranker: a fitted sum."""

    def score(self, features: Mapping[str, Floats]) -> Sequence[float]:
        return (2 * features["words"] - features["age"]).tolist()


def test_a_learned_ranker_reorders_the_fixture() -> None:
    features = {"words": vector(1, 2, 3, 0), "age": vector(0, 3, 6, 0)}
    assert reranking.by_features(FOUND, features, Sum()) == ["harp", "boat", "cake", "ship"], "2, 1, 0, 0"
    with pytest.raises(InputError, match="each of 4"):
        reranking.by_features(FOUND, {"words": vector(1)}, Sum())


class Broken:
    """Gives what it is told to give."""

    def __init__(self, *scores: float) -> None:
        self.scores = scores

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        return self.scores


@pytest.mark.parametrize("given_", [(), (1.0,), (1.0, float("nan"))])
def test_a_ranker_that_does_not_score_all_is_refused(given_: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="ranker"):
        reranking.by_ranker("?", {"a": "a", "b": "b"}, Broken(*given_))


# --- laws ----------------------------------------------------------------------------------------------------------


def slow_mmr(query: Floats, vectors: Mapping[str, Floats], weight: float) -> list[str]:
    def cosine(one: Floats, other: Floats) -> float:
        left, right = one.astype(np.float64), other.astype(np.float64)
        return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))

    left, taken = list(vectors), list[str]()
    while left:
        worth = {
            id: weight * cosine(query, vectors[id])
            - (1 - weight) * max((cosine(vectors[id], vectors[other]) for other in taken), default=0.0)
            for id in left
        }
        best = max(worth.values())
        taken.append(next(id for id in left if worth[id] >= best - 1e-12))
        left.remove(taken[-1])
    return taken


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0, 0.1, 0.3, 0.5, 0.7, 1]))
def test_marginal_relevance_equals_its_formula(seed: int, many: int, weight: float) -> None:
    chance = np.random.default_rng(seed)
    vectors = {
        str(place): row for place, row in enumerate(chance.standard_normal((many, 6)).astype(np.float32))
    }
    query = chance.standard_normal(6).astype(np.float32)
    assert reranking.mmr(query, vectors, weight=weight) == slow_mmr(query, vectors, weight)


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3)),
)
def test_no_reranker_loses_or_invents(ids: list[str], counts: dict[str, int]) -> None:
    links = [link(one, other) for one, other in zip("abcd", "bcde", strict=True)]
    assert sorted(reranking.mentions(ids, counts)) == sorted(ids)
    assert sorted(reranking.node_distance(ids, links, "a")) == sorted(ids)
    assert sorted(reranking.by_ranker("abc", {id: id for id in ids}, Overlap(), top=3)) == sorted(ids)


def test_a_weight_outside_of_nought_and_one_is_refused() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        reranking.mmr(vector(1), {"a": vector(1)}, weight=1.5)
