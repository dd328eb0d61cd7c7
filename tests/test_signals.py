"""Signals are comparable whatever was measured, and the shares of a hit are the whole of its score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simonides.errors import UnknownName
from simonides.parts import fuse
from simonides.parts.fuse import GROUPS, Fusion, chance
from simonides.parts.signals import FILL, Measured, signals, standard, without_trend

Floats = NDArray[np.float32]
TIERS = [
    f"{fusion}-{tier}" for fusion in ("learned", "hand") for tier in ("full", "pooled", "instant", "off")
]


def floats(size: int, low: float = 0.0, high: float = 3.0) -> st.SearchStrategy[Floats]:
    one = st.one_of(st.sampled_from([low, high, 1.0]), st.floats(low, high, width=32))
    return st.lists(one, min_size=size, max_size=size).map(lambda values: np.array(values, np.float32))


SOME = st.integers(0, 12).flatmap(floats)
PAIRS = st.integers(0, 12).flatmap(lambda size: st.tuples(floats(size), floats(size, 0.0, 8.0)))


@settings(max_examples=200, deadline=None)
@given(SOME)
def test_standard_values_have_mean_0_and_deviation_1_or_are_all_0(values: Floats) -> None:
    found = standard(values)
    assert found.shape == values.shape
    assert np.isfinite(found).all()
    if len(values) and values.std() > 1e-4:
        assert abs(found.mean()) < 1e-3
        assert abs(found.std() - 1) < 1e-3
        assert (np.diff(found[np.argsort(values)]) >= 0).all(), "in the order they were in"
    if len(set(values.tolist())) <= 1:
        assert not found.any()


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_a_trend_is_taken_out_and_never_put_in(pair: tuple[Floats, Floats]) -> None:
    values, length = pair
    found = without_trend(values, length)
    assert found.shape == values.shape
    assert np.isfinite(found).all()
    if len(values) < 2 or length.std() < 1e-2:
        return
    before, after = (float(np.cov(of, length, bias=True)[0, 1]) for of in (values, found))
    least, most = min(before, 0.0), before
    assert abs(found.mean() - values.mean()) < 1e-3
    assert least - 1e-3 <= after <= most + 1e-3, "never turned round, never made steeper"
    spread = float(((length - length.mean()) ** 2).sum())
    if before > 0:
        assert after == pytest.approx(before * FILL / (spread + FILL), abs=1e-2), (
            "shrunk by so many without a trend"
        )


@settings(max_examples=100, deadline=None)
@given(SOME, st.tuples(st.floats(0, 1), st.floats(0.1, 1)))
def test_a_small_store_is_filled_up_with_usual_memories(values: Floats, usual: tuple[float, float]) -> None:
    half, rest = int(FILL) // 2, FILL % 2
    assert not rest
    around = [usual[0] - usual[1]] * half + [usual[0] + usual[1]] * half
    slowly = np.concatenate([values, np.array(around)])
    wanted = (values - slowly.mean()) / slowly.std()
    assert standard(values, usual) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_constants_say_nothing(size: int) -> None:
    alike = np.full(size, 0.7, np.float32)
    assert not standard(alike).any()
    assert np.allclose(without_trend(alike, np.linspace(0, 6, size, dtype=np.float32)), alike)
    assert np.allclose(without_trend(alike, alike), alike)


@st.composite
def measured(draw: st.DrawFn) -> Measured:
    """Draw a seed instead of each number: eighteen arrays would take Hypothesis a second each time."""
    size = draw(st.integers(1, 9))
    chance, levels = (
        np.random.default_rng(draw(st.integers(0, 10**6))),
        draw(st.sampled_from([1, 2, 5, 1000])),
    )
    arrays = {
        item.name: (chance.integers(0, levels, size) / levels).astype(np.float32) for item in fields(Measured)
    }
    given_: dict[str, Any] = {
        **arrays,
        "wants_user": draw(st.booleans()),
        "wants_assistant": draw(st.booleans()),
    }
    for name in ("full", "pooled"):
        which = draw(st.sampled_from(["none", "some", "all"]))
        if which == "none":
            given_[name] = None
        elif which == "some":
            given_[name] = np.where(chance.random(size) < 0.5, np.float32("nan"), arrays[name])
    return Measured(**given_)


@settings(max_examples=200, deadline=None)
@given(measured())
def test_signals_are_numbers_whatever_is_missing(what: Measured) -> None:
    named = signals(what)
    size = len(what.words)
    assert all(values.shape == (size,) and values.dtype == np.float32 for values in named.values())
    assert all(np.isfinite(values).all() for values in named.values())
    assert set(named) <= set(GROUPS)
    assert ("full" in named) == (what.full is not None)
    assert ("pooled" in named) == (what.pooled is not None)
    assert list(named) == list(signals(what)), "in a fixed order"


@settings(max_examples=100, deadline=None)
@given(measured(), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(what: Measured, chance: Any) -> None:
    order = list(range(len(what.words)))
    chance.shuffle(order)
    moved = {
        item.name: getattr(what, item.name)[order]
        for item in fields(what)
        if isinstance(getattr(what, item.name), np.ndarray)
    }
    for name, values in signals(replace(what, **moved)).items():
        assert values == pytest.approx(signals(what)[name][order], abs=2e-3), name


def test_missing_codes_stand_in_between_and_not_at_the_end() -> None:
    zeros = np.zeros(5, np.float32)
    static = np.array([0.9, 0.7, 0.5, 0.3, 0.8], np.float32)
    full = np.array([0.8, 0.6, np.nan, 0.2, np.nan], np.float32)
    given_: dict[str, Any] = {item.name: zeros for item in fields(Measured)}
    given_ |= {"static": static, "full": full, "wants_user": False, "wants_assistant": False, "pooled": None}
    found = signals(Measured(**given_))["full"]
    assert np.argsort(-found).tolist() == np.argsort(-static).tolist(), "as the instant tier orders them"
    given_["full"] = np.full(5, np.nan, np.float32)
    assert len(set(signals(Measured(**given_))["full"].tolist())) == 1, "unknown of all: no difference"


WEIGHTS = st.dictionaries(st.sampled_from(sorted(GROUPS)), st.floats(-5, 5), max_size=len(GROUPS))


@settings(max_examples=150, deadline=None)
@given(measured(), WEIGHTS, st.floats(-5, 5))
def test_shares_and_bias_sum_to_the_logit(what: Measured, weights: Mapping[str, float], bias: float) -> None:
    named, fusion = signals(what), Fusion(weights, bias, {}, 0.0)
    logits = fusion.logits(named)
    for candidate in range(len(what.words)):
        shares = fusion.shares(named, candidate)
        assert set(shares) <= set(GROUPS.values())
        assert sum(shares.values()) + bias == pytest.approx(float(logits[candidate]), abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6, width=32))
def test_a_chance_is_the_sigmoid_and_stays_inside(logit: float) -> None:
    found = chance(np.float32(logit))
    assert 0 <= found <= 1
    if abs(logit) < 30:
        assert found == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


@pytest.mark.parametrize("name", TIERS)
def test_every_tier_ships_weights_whose_names_are_known(name: str) -> None:
    fusion = fuse.fusion(name)
    assert set(fusion.weights) <= set(GROUPS)
    assert all(math.isfinite(weight) for weight in (*fusion.weights.values(), fusion.bias))
    assert 0 <= fusion.threshold <= 1
    for facts in ({}, {"top": 1e9}, {"top": -1e9}):
        assert 0 <= fusion.gate(facts) <= 1


def test_an_unknown_tier_is_named() -> None:
    with pytest.raises(UnknownName, match=r"learned-ful.*Did you mean 'learned-full'"):
        fuse.fusion("learned-ful")
