"""Holds codes of few bits to slow twins, to values by hand, and to the same order every time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simonides.doors.cli import cli
from simonides.errors import InputError, UnknownName
from simonides.parts import precision
from simonides.parts.precision import BITS, PRECISIONS, Precision

Floats = NDArray[np.float32]
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([1, 7, 8, 63, 64, 65, 128, 384])


def units(seed: int, many: int, size: int = 384) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((many, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def vector(*numbers: float) -> Floats:
    return np.array(numbers, np.float32)


# --- what is kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size"), [("f32", 1536), ("int8", 388), ("4-bit", 196), ("2-bit", 100), ("1-bit", 48)]
)
def test_a_vector_takes_the_bytes_it_promises(name: Precision, size: int) -> None:
    codes = precision.encode(units(1, 5), name)
    assert (codes.bytes_each, len(codes)) == (size, 5)


def test_eight_bits_by_hand() -> None:
    codes = precision.encode(vector(1.27, -0.64, 0.0)[None], "int8")
    assert codes.packed.tolist() == [[127, -64, 0]]
    assert codes.scales.tolist() == pytest.approx([0.01])
    assert precision.similar(codes, vector(1, 1, 1)).tolist() == pytest.approx([0.63])


def test_one_bit_by_hand() -> None:
    codes = precision.encode(np.stack([vector(0.5, -0.5, 0.0, 0.1), vector(-1, -1, -1, -1)]), "1-bit")
    assert codes.packed.tolist() == [[0b1001, 0]], "the first number is the lowest bit; nought is no 1"
    assert codes.counts.tolist() == [2, 0]
    assert precision.hamming(codes, vector(1, 1, -1, -1)).tolist() == [2, 2]
    assert precision.similar(codes, vector(1, 2, 3, 4)).tolist() == [
        (1 - 2 - 3 + 4) / 2,
        (-1 - 2 - 3 - 4) / 2,
    ]
    assert precision.decode(codes).tolist() == [[1, -1, -1, 1], [-1, -1, -1, -1]]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(PRECISIONS), SIZES, st.integers(0, 30), st.sampled_from([1e-3, 1.0, 1e3]))
def test_scores_are_products_with_what_the_codes_stand_for(
    seed: int, name: Precision, size: int, many: int, length: float
) -> None:
    vectors, query = units(seed, many, size) * np.float32(length), units(seed + 1, 1, size)[0]
    codes = precision.encode(vectors, name, seed=seed % 3)
    back = precision.decode(codes).astype(np.float64)
    over = math.sqrt(size) if name == "1-bit" else 1.0
    expected = back @ query / over
    assert back.shape == vectors.shape
    assert precision.similar(codes, query) == pytest.approx(expected, abs=1e-4 * length)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 10))
def test_fewer_bits_lose_more_and_never_much(seed: int, many: int) -> None:
    vectors = units(seed, many)
    lost = {
        name: np.linalg.norm(precision.decode(precision.encode(vectors, name)) - vectors, axis=1).max()
        for name in ("f32", "int8", "4-bit", "2-bit")
    }
    assert lost["f32"] == 0
    assert lost["int8"] < 0.015 < lost["4-bit"] < 0.25 < lost["2-bit"] < 0.5, (
        "Max, 1960: 0.0095 and 0.1175 squared"
    )


def test_a_lonely_large_number_survives_because_of_the_rotation() -> None:
    spike = np.eye(384, dtype=np.float32)[:1]
    for name in ("4-bit", "2-bit"):
        codes = precision.encode(spike, name)
        assert precision.similar(codes, spike[0])[0] == pytest.approx(1, abs=1e-3), (
            "a vector is as near to itself as ever"
        )
        assert np.linalg.norm(precision.decode(codes) - spike) < 0.45


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from(PRECISIONS), st.sampled_from(PRECISIONS))
def test_requantising_is_encoding_what_is_left(seed: int, one: Precision, other: Precision) -> None:
    codes = precision.encode(units(seed, 4, 64), one)
    again = precision.requantise(codes, other)
    fresh = precision.encode(precision.decode(codes), other)
    assert again.packed.tolist() == fresh.packed.tolist()
    assert (again.precision, BITS[again.precision]) == (other, BITS[other])


@pytest.mark.parametrize("name", PRECISIONS)
def test_nothing_is_found_in_nothing_and_zeros_are_no_trouble(name: Precision) -> None:
    empty = precision.encode(np.zeros((0, 64), np.float32), name)
    query = np.ones(64, np.float32)
    assert len(empty) == 0
    assert precision.nearest(empty, query, 5).tolist() == []
    assert precision.decode(empty).shape == (0, 64)
    zeros = precision.encode(np.zeros((3, 64), np.float32), name)
    assert precision.nearest(zeros, query, 2).tolist() == [0, 1]
    assert np.isfinite(precision.similar(zeros, query)).all()


def test_what_cannot_be_coded_is_refused() -> None:
    with pytest.raises(UnknownName, match="4-bit"):
        precision.encode(units(1, 1), "3-bit")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="finite"):
        precision.encode(vector(1, float("nan"))[None], "int8")
    with pytest.raises(InputError, match="rows, dimension"):
        precision.encode(vector(1, 2), "f32")
    with pytest.raises(InputError, match="384 numbers"):
        precision.similar(precision.encode(units(1, 1), "f32"), vector(1))
    with pytest.raises(InputError, match="1 bit"):
        precision.hamming(precision.encode(units(1, 1), "int8"), units(1, 1)[0])


# --- signs ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, SIZES, st.integers(1, 20))
def test_hamming_counts_differing_signs(seed: int, size: int, many: int) -> None:
    vectors, query = units(seed, many, size), units(seed + 1, 1, size)[0]
    codes = precision.encode(vectors, "1-bit")
    assert precision.hamming(codes, query).tolist() == [
        int(((row > 0) != (query > 0)).sum()) for row in vectors
    ]


@given(SEEDS)
def test_counting_by_a_table_gives_the_same(seed: int) -> None:
    words = np.random.default_rng(seed).integers(0, 2**64, (3, 5), np.uint64)
    assert precision._ones_by_table(words).tolist() == precision._ones(words).tolist()


def slow_information(row: Floats, query: Floats) -> float:
    pairs = list(zip((query > 0).tolist(), (row > 0).tolist(), strict=True))
    size = len(pairs)
    asked, held = sum(one for one, _ in pairs), sum(other for _, other in pairs)
    if asked in (0, size):
        return 0.0
    shared = 0.0
    for one in (True, False):
        for other in (True, False):
            count = pairs.count((one, other))
            expected = (asked if one else size - asked) * (held if other else size - held) / size
            shared += count * math.log2(count / expected) if count else 0.0
    entropy = -sum(count * math.log2(count / size) for count in (asked, size - asked))
    agree = pairs.count((True, True)) * pairs.count((False, False))
    return math.copysign(shared / entropy, agree - pairs.count((True, False)) * pairs.count((False, True)))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([2, 5, 16, 64, 384]))
def test_information_equals_its_table_of_four(seed: int, size: int) -> None:
    vectors, query = units(seed, 6, size), units(seed + 1, 1, size)[0]
    found = precision.information(precision.encode(vectors, "1-bit"), query)
    assert found == pytest.approx([slow_information(row, query) for row in vectors], abs=1e-9)


def test_an_exact_complement_is_not_an_exact_match() -> None:
    query = units(3, 1)[0]
    codes = precision.encode(np.stack([query, -query, units(4, 1)[0]]), "1-bit")
    same, opposite, other = precision.information(codes, query).tolist()
    assert (same, opposite) == pytest.approx((1.0, -1.0))
    assert -0.1 < other < 0.1
    assert precision.first(precision.information(codes, query), 3).tolist() == [0, 2, 1]


def test_information_by_hand() -> None:
    # Of 4 signs both have two: one shared, so a = b = c = d = 1 and nothing is told.
    codes = precision.encode(np.stack([vector(1, -1, 1, -1), vector(1, 1, 1, -1)]), "1-bit")
    told = precision.information(codes, vector(1, 1, -1, -1)).tolist()
    # a = 2, b = 0, c = 1, d = 1: 2 log2(8/6) + log2(4/2) + log2(4/6) = 1.245 of 4 bits.
    assert told == pytest.approx([0.0, (2 * math.log2(8 / 6) + math.log2(2) + math.log2(4 / 6)) / 4])
    assert precision.information(codes, vector(1, 1, 1, 1)).tolist() == [0.0, 0.0], (
        "a query that tells nothing"
    )


# --- orders --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 3)), st.integers(0, 12))
def test_the_first_are_those_of_a_sort(scores: list[int], k: int) -> None:
    wanted = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:k]
    assert precision.first(np.array(scores, np.int64), k).tolist() == wanted
    assert precision.first(np.array(scores, np.float32), k).tolist() == wanted
    assert precision.first(np.array(scores, np.float64), k).tolist() == wanted


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 60), st.integers(1, 12), st.integers(1, 70))
def test_two_stages_rank_the_nearest_by_signs_exactly(seed: int, many: int, k: int, among: int) -> None:
    vectors, query = units(seed, many, 48), units(seed + 1, 1, 48)[0]
    codes = precision.encode(vectors, "1-bit")
    differing = precision.hamming(codes, query).tolist()
    stage = sorted(range(many), key=lambda row: (differing[row], row))[: max(among, k)]
    products = vectors.astype(np.float64) @ query.astype(np.float64)
    wanted = sorted(stage, key=lambda row: (-products[row], row))[:k]
    assert precision.two_stage(codes, vectors, query, k, among=among).tolist() == wanted
    loaded = precision.two_stage(codes, lambda rows: vectors[rows], query, k, among=among)
    assert loaded.tolist() == wanted, "vectors may come from elsewhere"


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_order_is_the_same_a_hundred_times(name: Precision) -> None:
    vectors = units(5, 400)
    vectors[200:] = vectors[:200]  # equal ones, which must not change places
    query = units(6, 1)[0]
    codes = precision.encode(vectors, name)
    orders = {precision.nearest(codes, query, 50).tobytes() for _ in range(100)}
    assert len(orders) == 1
    found = np.frombuffer(orders.pop(), np.int64)
    assert (found[1::2] == found[::2] + 200).all(), "the earlier row of two equal ones stands first"
    if name == "1-bit":
        for rank in (
            precision.nearest_signs,
            lambda *given_: precision.two_stage(given_[0], vectors, *given_[1:]),
        ):
            assert len({rank(codes, query, 50).tobytes() for _ in range(100)}) == 1


def test_what_is_near_is_found_at_every_precision() -> None:
    vectors = units(7, 2000)
    asked = vectors[:40] + 0.5 * units(8, 40)
    for name in PRECISIONS:
        codes = precision.encode(vectors, name)
        assert [precision.nearest(codes, query, 1)[0] for query in asked] == list(range(40))
    codes = precision.encode(vectors, "1-bit")
    assert [precision.two_stage(codes, vectors, query, 1)[0] for query in asked] == list(range(40))


# --- the bench -----------------------------------------------------------------------------------------------------


def test_the_bench_measures_every_way_and_saves_no_text(tmp_path: Path) -> None:
    said = [
        "I sold the red boat to a fisherman.",
        "What will you do now?",
        "I bought a harp.",
        "The cat is ill again.",
    ]
    item = {
        "sample_id": "made",
        "conversation": {
            "session_1_date_time": "9:05 am on 3 May, 2021",
            "session_1": [
                {"speaker": ("Ada", "Ben")[place % 2], "dia_id": f"D1:{place}", "text": text}
                for place, text in enumerate(said, 1)
            ],
        },
        "qa": [
            {"question": "Which instrument did Ada buy?", "evidence": ["D1:3"], "category": 4},
            {"question": "Who got the boat?", "evidence": ["D1:1"], "category": 4},
            {"question": "What did Ben sell?", "evidence": ["D1:1"], "category": 5},
        ],
    }
    data, out = tmp_path / "locomo_made.json", tmp_path / "out"
    data.write_text(json.dumps([item]))
    given_ = ["--json", "bench", "precision", "--data", str(data), "--rows", "300", "--out", str(out)]
    result = CliRunner().invoke(cli, given_)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)["report"]
    bits, ways = report["tables"]
    assert report["command"] == "simonides bench precision --data DATA --rows 300"
    assert [row[0] for row in bits["rows"]][:4] == ["f32", "int8", "4-bit", "2-bit"]
    assert {row[2] for row in bits["rows"]} == {"1.000 [1.000, 1.000]"}, (
        "all four turns are among the first ten"
    )
    assert {row[-1] for row in bits["rows"]} == {"yes"}
    assert [row[1] for row in bits["rows"]][:5] == [1536, 388, 196, 100, 48]
    assert {"BM25", "cosine", "rank fusion, k = 60"} < {row[0] for row in ways["rows"]}
    saved = (out / "precision.json").read_text() + (out / "precision.md").read_text()
    assert "harp" not in saved
    assert str(tmp_path) not in saved
