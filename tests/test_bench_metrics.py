"""Holds the benchmark metrics to slow references; knows no set."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.bench import metrics
from simonides.bench.cases import Question
from simonides.errors import InputError

NAMES = st.text("abcdefgh", min_size=1, max_size=2)
FEW = st.floats(-2, 2).map(lambda x: round(x, 1))


@given(st.lists(NAMES, unique=True), st.sets(NAMES, min_size=1), st.integers(1, 9))
def test_ranking_metrics_equal_counting_by_hand(ranked: list[str], gold: set[str], k: int) -> None:
    found = [name for name in ranked[:k] if name in gold]
    ranks = [rank for rank, name in enumerate(ranked, 1) if name in gold]
    assert metrics.recall_at(ranked, gold, k) == pytest.approx(len(found) / len(gold))
    assert metrics.hit_at(ranked, gold, k) == (1 if found else 0)
    assert metrics.reciprocal_rank(ranked, gold) == (1 / min(ranks) if ranks else 0)


def test_a_score_counts_repeated_ids_once_at_their_first_rank() -> None:
    question = Question("q", "?", "c", ("b", "z"))
    values = metrics.score("s", question, ["a", "a", "b", "b"], ks=(2,)).values
    assert values == {"R@2": 0.5, "hit@2": 1.0, "MRR": 0.5}


@given(st.lists(FEW, min_size=1, max_size=12), st.lists(FEW, min_size=1, max_size=12))
def test_auc_equals_comparing_every_pair(ups: list[float], downs: list[float]) -> None:
    wins = sum((up > down) + (up == down) / 2 for up in ups for down in downs)
    found = metrics.auc(ups, downs, draws=50)
    assert found.value == pytest.approx(wins / (len(ups) * len(downs)))
    assert 0 <= found.low <= found.high <= 1
    assert found.count == len(ups) + len(downs)


@given(st.lists(FEW, min_size=1, max_size=9), st.lists(FEW, min_size=1, max_size=9), FEW)
def test_accuracy_and_best_threshold_equal_trying_all(
    ups: list[float], downs: list[float], threshold: float
) -> None:
    found = metrics.accuracy_at(threshold, ups, downs)
    right = sum(x >= threshold for x in ups) + sum(x < threshold for x in downs)
    assert found.share == pytest.approx(right / (len(ups) + len(downs)))
    best = metrics.accuracy_at(metrics.best_threshold(ups, downs), ups, downs).balanced
    tried = [metrics.accuracy_at(x, ups, downs).balanced for x in [*ups, *downs, math.inf]]
    assert best == pytest.approx(max(tried))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), FEW), min_size=1, max_size=20))
def test_bootstraps_surround_the_mean_and_repeat(rows: list[tuple[str, float]]) -> None:
    names, values = [name for name, _ in rows], [value for _, value in rows]
    for clusters in (None, names):
        one = metrics.mean(values, clusters=clusters, draws=400)
        assert one == metrics.mean(values, clusters=clusters, draws=400)
        assert one.value == pytest.approx(sum(values) / len(values))
        assert min(values) - 1e-9 <= one.low <= one.high <= max(values) + 1e-9


def slow_bootstrap(groups: list[list[float]], draws: int) -> tuple[float, float]:
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(draws):
        chosen = [groups[i] for i in rng.integers(len(groups), size=len(groups))]
        drawn.append(np.mean([value for group in chosen for value in group]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("clustered", [False, True])
def test_bootstrap_intervals_equal_a_loop_within_sampling_error(clustered: bool) -> None:
    rng = np.random.default_rng(3)
    values = rng.random(60)
    names = [str(i % 7) for i in range(60)]
    groups = [[v for v, n in zip(values, names, strict=True) if n == name] for name in set(names)]
    low, high = slow_bootstrap(groups if clustered else [[v] for v in values], 4000)
    found = metrics.mean(values, clusters=names if clustered else None, draws=20_000)
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_auc_interval_equals_a_loop_within_sampling_error() -> None:
    rng = np.random.default_rng(5)
    ups, downs = rng.integers(0, 8, 40) + 1.0, rng.integers(0, 8, 30) + 0.0
    drawn = [metrics.auc(rng.choice(ups, 40), rng.choice(downs, 30), draws=1).value for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = metrics.auc(ups, downs)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)


def test_intervals_do_not_depend_on_how_draws_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = metrics.auc([1, 2, 3], [0, 2], draws=500), metrics.mean([1, 2, 5], draws=500)
    monkeypatch.setattr(metrics, "_CELLS", 30)
    assert whole == (metrics.auc([1, 2, 3], [0, 2], draws=500), metrics.mean([1, 2, 5], draws=500))


def scores(values: dict[str, float], category: str = "c") -> list[metrics.Score]:
    return [metrics.Score("s", name, category, {"m": value}) for name, value in values.items()]


def test_summary_has_a_row_per_category_and_one_for_all() -> None:
    table = metrics.summary(scores({"a": 1, "b": 0}) + scores({"d": 1}, "e"), draws=50)
    assert {name: (row["m"].value, row["m"].count) for name, row in table.items()} == {
        "all": (pytest.approx(2 / 3), 3),
        "c": (0.5, 2),
        "e": (1.0, 1),
    }


def test_differences_pair_by_question_and_refuse_others() -> None:
    one, other = scores({"a": 1, "b": 0}), scores({"b": 0.5, "a": 0.25})
    assert metrics.difference(one, other, "m").value == pytest.approx(0.125)
    same = metrics.difference(one, one[::-1], "m")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    with pytest.raises(InputError, match="same questions"):
        metrics.difference(one, other[:1], "m")


def test_metrics_refuse_what_would_give_a_silent_wrong_number() -> None:
    for call in (
        lambda: metrics.recall_at(["a"], [], 5),
        lambda: metrics.recall_at(["a"], ["a"], 0),
        lambda: metrics.auc([], [1]),
        lambda: metrics.auc([math.nan], [1]),
        lambda: metrics.mean([]),
        lambda: metrics.mean([1, 2], clusters=["x"]),
    ):
        with pytest.raises(InputError):
            call()
