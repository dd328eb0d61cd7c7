"""Holds each way of fusing to values worked out by hand, and to what the released code of others computes."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.errors import InputError, UnknownName
from simonides.parts import fusing
from simonides.parts.fusing import Fused

LISTS = {"words": ["a", "b", "c"], "vectors": ["b", "d"]}
IDS = st.text("abcdef", min_size=1, max_size=2)
SCORES = st.dictionaries(IDS, st.floats(0, 1), max_size=8)
CHANNELS = st.dictionaries(st.sampled_from(["words", "vectors", "people"]), SCORES, max_size=3)


def order(fused: list[Fused]) -> list[str]:
    return [one.id for one in fused]


def scores(fused: list[Fused]) -> dict[str, float]:
    return {one.id: one.score for one in fused}


# --- rank fusion ---------------------------------------------------------------------------------------------------


def test_rank_fusion_by_hand() -> None:
    fused = fusing.rrf(LISTS, 60)
    assert scores(fused) == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62})
    assert order(fused) == ["b", "a", "d", "c"]
    assert fused[0].shares == pytest.approx({"words": 1 / 62, "vectors": 1 / 61})


def test_rank_fusion_as_zep_counts() -> None:
    zep = fusing.rrf(LISTS, 1, first=0)
    assert scores(zep) == pytest.approx({"a": 1.0, "b": 1 / 2 + 1.0, "c": 1 / 3, "d": 1 / 2})
    assert order(zep) == ["b", "a", "d", "c"]
    assert scores(fusing.rrf(LISTS, 1))["a"] == 0.5, "the same constant with ranks from 1 is another rule"


def test_a_weight_goes_with_its_list_by_name() -> None:
    heavy = fusing.rrf(LISTS, 60, weights={"vectors": 3.0})
    turned = fusing.rrf(dict(reversed(LISTS.items())), 60, weights={"vectors": 3.0})
    assert heavy == turned, "the order of the lists does not matter"
    assert order(heavy) == ["b", "d", "a", "c"]
    with pytest.raises(UnknownName, match="Did you mean 'vectors'"):
        fusing.rrf(LISTS, 60, weights={"vector": 3.0})


def test_an_id_twice_in_a_list_counts_once() -> None:
    assert fusing.rrf({"one": ["a", "a", "b"]}, 1) == fusing.rrf({"one": ["a", "b"]}, 1)


def test_a_constant_that_divides_by_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        fusing.rrf(LISTS, 0, first=0)


@given(st.dictionaries(st.sampled_from("xyz"), st.lists(IDS, unique=True, max_size=8)), st.integers(1, 90))
def test_rank_fusion_equals_its_formula(lists: dict[str, list[str]], k: int) -> None:
    every = {id for ids in lists.values() for id in ids}
    slow = {id: sum(1 / (k + ids.index(id) + 1) for ids in lists.values() if id in ids) for id in every}
    fused = fusing.rrf(lists, k)
    assert scores(fused) == pytest.approx(slow)
    assert fused == sorted(fused, key=lambda one: (-one.score, one.id))


# --- sums and the best layer ---------------------------------------------------------------------------------------

TWO = {"words": {"a": 8.0, "b": 4.0}, "vectors": {"b": 0.9, "c": 0.6}}


def test_weighted_by_hand() -> None:
    assert scores(fusing.weighted(TWO)) == pytest.approx({"a": 8.0, "b": 4.9, "c": 0.6})
    even = fusing.weighted(TWO, {"vectors": 0.5}, scale=fusing.by_best)
    assert scores(even) == pytest.approx({"a": 1.0, "b": 0.5 + 0.5, "c": 0.5 * 0.6 / 0.9})
    ranged = fusing.weighted(TWO, scale=fusing.by_range)
    assert scores(ranged) == pytest.approx({"a": 1.0, "b": 0.0 + 1.0, "c": 0.0})
    assert order(ranged) == ["a", "b", "c"], "equal ones stand by their ids"


def test_scales_by_hand() -> None:
    assert fusing.saturated({"a": 3.0, "b": 0.0}) == {"a": 0.75, "b": 0.0}
    assert fusing.by_best({"a": 0.0}) == {"a": 0.0}
    assert fusing.by_range({"a": 5.0, "b": 5.0}) == {"a": 1.0, "b": 1.0}
    assert fusing.by_range({}) == fusing.by_best({}) == {}


def test_the_best_layer_by_hand() -> None:
    layers = {"episodic": {"a": 0.6, "b": 0.5}, "semantic": {"a": 0.7, "c": 0.9}}
    assert order(fusing.max_layer(layers)) == ["c", "a", "b"]
    temporal = fusing.max_layer(
        layers, {"episodic": 2.0}
    )  # ZenBrain: a question about time doubles the episodic layer
    assert scores(temporal) == pytest.approx({"a": 1.2, "b": 1.0, "c": 0.9})
    assert temporal[0].shares == {"episodic": 1.2}


@given(CHANNELS)
def test_sums_and_layers_equal_their_formulas(channels: dict[str, dict[str, float]]) -> None:
    every = {id for found in channels.values() for id in found}
    assert scores(fusing.weighted(channels)) == pytest.approx(
        {id: sum(found.get(id, 0) for found in channels.values()) for id in every}
    )
    assert scores(fusing.max_layer(channels)) == pytest.approx(
        {id: max(found[id] for found in channels.values() if id in found) for id in every}
    )
    for one in fusing.weighted(channels):
        assert one.score == pytest.approx(sum(one.shares.values()))


# --- Mem0's sum of 2026 --------------------------------------------------------------------------------------------


def test_three_terms_and_bm25_five_are_one_half() -> None:
    assert fusing.squashed(5.0, *fusing.curve(3)) == 0.5
    fused = fusing.additive_sigmoid({"a": 0.8, "b": 0.6}, {"b": 5.0}, terms=3)
    assert scores(fused) == pytest.approx({"a": 0.8 / 2, "b": (0.6 + 0.5) / 2})
    assert order(fused) == ["b", "a"]


@pytest.mark.parametrize(
    ("terms", "middle", "steepness"),
    [(1, 5, 0.7), (3, 5, 0.7), (4, 7, 0.6), (6, 7, 0.6), (7, 9, 0.5), (9, 9, 0.5), (10, 10, 0.5), (15, 10, 0.5),
     (16, 12, 0.5), (90, 12, 0.5)],
)  # fmt: skip
def test_the_curve_follows_the_length_of_the_question(terms: int, middle: float, steepness: float) -> None:
    assert fusing.curve(terms) == (middle, steepness)


@pytest.mark.parametrize(
    ("words", "entities", "most"),
    [(None, None, 1.0), (None, {"z": 0.5}, 1.5), ({"z": 5.0}, None, 2.0), ({"z": 5.0}, {"z": 0.5}, 2.5)],
)
def test_the_divisor_counts_the_active_channels(
    words: dict[str, float] | None, entities: dict[str, float] | None, most: float
) -> None:
    assert scores(fusing.additive_sigmoid({"a": 0.9}, words, entities)) == pytest.approx({"a": 0.9 / most})


def test_what_lies_below_the_floor_is_left_out_whatever_its_words() -> None:
    assert order(fusing.additive_sigmoid({"a": 0.09, "b": 0.1}, {"a": 50.0}, terms=2)) == ["b"]
    assert fusing.additive_sigmoid({"a": 1.0}, {"a": 900.0}, {"a": 0.5}, terms=2)[0].score == 1.0


def test_an_entity_of_many_memories_adds_less() -> None:
    assert fusing.entity_boost(0.8, 1) == pytest.approx(0.4)
    assert fusing.entity_boost(0.8, 11) == pytest.approx(0.5 * 0.8 / 1.1)
    assert fusing.entity_boost(0.49, 1) == 0.0


@cache
def released() -> Any:
    """Load the module of the package by its file: importing the package itself would write into the home folder."""
    package = importlib.util.find_spec("mem0")
    assert package is not None
    assert package.origin is not None
    spec = importlib.util.spec_from_file_location(
        "scoring_of_mem0", Path(package.origin).parent / "utils" / "scoring.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(deadline=None)
@given(SCORES, st.dictionaries(IDS, st.floats(0, 40), max_size=6), SCORES, st.integers(1, 20))
def test_the_sum_is_that_of_the_released_package(
    semantic: dict[str, float], words: dict[str, float], entities: dict[str, float], terms: int
) -> None:
    theirs = released()
    question = " ".join(["word"] * terms)
    middle, steepness = theirs.get_bm25_params(question, lemmatized=question)
    entities = {id: 0.5 * value for id, value in entities.items()}
    expected = theirs.score_and_rank(
        [{"id": id, "score": value} for id, value in semantic.items()],
        {id: theirs.normalize_bm25(value, middle, steepness) for id, value in words.items()},
        entities,
        0.1,
        100,
    )
    ours = fusing.additive_sigmoid(semantic, words, entities, terms=terms)
    assert scores(ours) == pytest.approx({one["id"]: one["score"] for one in expected})


# --- products ------------------------------------------------------------------------------------------------------


def test_the_cube_by_hand() -> None:
    fused = fusing.cube({"words": {"a": 0.5, "b": 1.0}, "person": {"a": 1.0, "c": 0.9}})
    assert scores(fused) == pytest.approx({"a": 0.125, "b": 0.0, "c": 0.0})
    assert fused[0].shares == {"words": 0.125, "person": 1.0}
    kind = fusing.cube({"words": {"a": 0.5}, "person": {"c": 1.0}}, missing={"words": 0.2})
    assert scores(kind) == pytest.approx({"a": 0.0, "c": 0.008})
    assert scores(fusing.cube({"words": {"a": -0.5}}, power=2)) == {"a": 0.0}, "unlike is not alike"
    with pytest.raises(UnknownName):
        fusing.cube({"words": {}}, missing={"word": 0.2})


@given(CHANNELS)
def test_what_is_not_probed_changes_nothing(channels: dict[str, dict[str, float]]) -> None:
    every = {id for found in channels.values() for id in found}
    expected = {id: math.prod(found.get(id, 0.0) ** 3 for found in channels.values()) for id in every}
    assert scores(fusing.cube(channels)) == pytest.approx(expected)
    assert fusing.cube({}) == []


def test_tiers_by_hand() -> None:
    worth = {
        "maturity": {"core": 1.15, "validated": 1.0, "draft": 0.85},
        "source": {"user": 1.2, "web": 0.85},
    }
    found = {"a": 0.5, "b": 0.45, "c": 0.6, "d": 0.4}
    fused = fusing.tiers(found, {"maturity": {"a": "validated", "b": "core", "c": "draft"}}, worth)
    assert scores(fused) == pytest.approx({"a": 0.5, "b": 0.5175, "c": 0.51, "d": 0.4})
    assert order(fused) == ["b", "c", "a", "d"]
    both = fusing.tiers({"a": 0.5}, {"maturity": {"a": "core"}, "source": {"a": "web"}}, worth)
    assert both[0].score == pytest.approx(0.5 * 1.15 * 0.85)
    assert both[0].shares == {"score": 0.5, "maturity": 1.15, "source": 0.85}


def test_a_tier_nobody_knows_and_a_negative_score_are_refused() -> None:
    with pytest.raises(UnknownName, match="core"):
        fusing.tiers({"a": 1.0}, {"maturity": {"a": "cor"}}, {"maturity": {"core": 1.15}})
    with pytest.raises(UnknownName, match="kind of tier"):
        fusing.tiers({"a": 1.0}, {"age": {}}, {"maturity": {}})
    with pytest.raises(InputError, match="must not be negative"):
        fusing.tiers({"a": -1.0}, {}, {})


def test_byterovers_whole_score_by_hand() -> None:
    blend = fusing.weighted(
        {
            "words": fusing.saturated({"a": 4.0, "b": 9.0}),
            "importance": {"a": 0.9, "b": 0.5},
            "recency": {"a": math.exp(-30 / 30), "b": 1.0},
        },
        {"words": 0.6, "importance": 0.2, "recency": 0.2},
    )
    tiered = fusing.tiers(
        scores(blend), {"m": {"a": "core", "b": "draft"}}, {"m": {"core": 1.15, "draft": 0.85}}
    )
    a, b = (0.48 + 0.18 + 0.2 / math.e) * 1.15, (0.54 + 0.1 + 0.2) * 0.85
    assert scores(tiered) == pytest.approx({"a": a, "b": b})
    assert order(tiered) == ["a", "b"], "0.844 before 0.714"
