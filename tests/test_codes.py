"""Short codes and neighbour lists score as the obvious computation does, and lose nothing they promise to keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simonides.ledger.forward import Forward
from simonides.ledger.index import pack_vector, pack_words, unpack_vectors, unpack_words
from simonides.ledger.vectors import Vectors
from simonides.parts import analyse, codes, static, tally
from simonides.parts.embed import DIMENSION, States

Floats = NDArray[np.float32]
SEEDS = st.integers(0, 10**6)


def unit(chance: np.random.Generator, *shape: int) -> Floats:
    vectors = chance.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# --- token codes ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12), st.lists(st.integers(0, codes.MOST), min_size=1, max_size=12))
def test_maxsim_equals_the_slow_reference(seed: int, tokens: int, sizes: list[int]) -> None:
    chance = np.random.default_rng(seed)
    states, weights = unit(chance, tokens, DIMENSION), chance.random(tokens).astype(np.float32) + 0.01
    near = states - codes.mean_state()  # one memory that says the same, so that scores spread
    held = [near[: codes.MOST], *(unit(chance, size, DIMENSION) - codes.mean_state() for size in sizes)]
    held = [np.packbits(one > 0, axis=1) for one in held]
    counts = np.array([len(one) for one in held], np.int64)
    packed = np.concatenate(held)
    fast = codes.maxsim(codes.ask(states, weights), packed, counts)
    slow = codes.maxsim_slowly(states, weights, [one.tobytes() for one in held])
    assert np.isnan(fast).tolist() == (counts == 0).tolist() == np.isnan(slow).tolist()
    assert fast == pytest.approx(slow, abs=0.01, nan_ok=True)
    assert ((fast[counts > 0] >= 0) & (fast[counts > 0] <= 1)).all()
    assert np.nanargmax(fast) == 0


def test_maxsim_of_nothing_is_unknown() -> None:
    chance = np.random.default_rng(1)
    asked = codes.ask(unit(chance, 3, DIMENSION), np.ones(3, np.float32))
    none = np.zeros((0, DIMENSION // 8), np.uint8)
    assert np.isnan(codes.maxsim(asked, none, np.zeros(4, np.int64))).all()
    assert codes.maxsim(asked, none, np.zeros(0, np.int64)).shape == (0,)
    weightless = codes.ask(unit(chance, 3, DIMENSION), np.zeros(3, np.float32))
    assert np.isnan(codes.maxsim(weightless, np.ones((2, DIMENSION // 8), np.uint8), np.array([2]))).all()


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 60), st.integers(1, 25))
def test_a_merge_keeps_few_vectors_and_short_texts_whole(seed: int, size: int, most: int) -> None:
    vectors = unit(np.random.default_rng(seed), size, 16) if size else np.zeros((0, 16), np.float32)
    merged = codes.merge(vectors, most)
    if size <= most:
        assert merged is vectors
        return
    assert merged.shape == (most, 16)
    seeds = [vectors[int(place)] for place in np.linspace(0, size - 1, most)]
    joined: list[Floats] = [np.zeros(16, np.float32) for _ in seeds]
    for vector in vectors:
        joined[max(range(most), key=lambda i: float(vector @ seeds[i]))] += vector
    slowly = [total / max(float(np.linalg.norm(total)), 1e-9) for total in joined]
    assert merged == pytest.approx(np.array(slowly), abs=1e-4)


def test_what_is_kept_of_a_memory_is_at_most_a_thousand_bytes() -> None:
    chance = np.random.default_rng(3)
    stop, word = min(analyse.stop_pieces()), analyse.pieces("bicycle")[0].token
    for tokens in ([word] * 500, [word], [stop, word, stop], [stop] * 4):
        code = codes.encode(states(np.array(tokens, np.uint16), unit(chance, len(tokens), DIMENSION)))
        kept = [token for token in tokens if token != stop] or tokens
        assert len(code) == min(len(kept), codes.MOST) * DIMENSION // 8 <= 1024
    assert codes.encode(states(np.zeros(0, np.uint16), np.zeros((0, DIMENSION), np.float32))) == b""
    assert codes.encode(states(np.array([word], np.uint16), unit(chance, 1, 64))) == b"", "of another model"


def states(tokens: NDArray[np.uint16], vectors: Floats) -> States:
    return States(tokens, vectors, np.zeros(vectors.shape[1], np.float32))


# --- the static tier -----------------------------------------------------------------------------------------------


def slow_similar(pieces: list[int], docs: list[set[int]], allowed: list[bool]) -> Floats:
    """Return weighted MaxSim over the neighbour table, one document and one piece after the other."""
    near, cosine = static._table()
    chosen = [doc for doc, ok in zip(docs, allowed, strict=True) if ok]
    counts = [sum(piece in doc for doc in chosen) for piece in pieces]
    many = max(1, len(chosen))
    weights = [np.log1p((many - count + 0.5) / (count + 0.5)) for count in counts]
    scores = np.zeros(len(docs), np.float32)
    for at, doc in enumerate(docs):
        for piece, weight in zip(pieces, weights, strict=True):
            alike = {
                int(other): min(0.999, max(0.0, (int(level) / 255 - static.LEAST) / (1 - static.LEAST)))
                for other, level in zip(near[piece][: static.NEAR], cosine[piece][: static.NEAR], strict=True)
            }
            alike[piece] = 1.0
            best = max((alike.get(one, 0.0) for one in doc), default=0.0)
            scores[at] += allowed[at] * weight * best / sum(weights)
    return scores


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(1, 30))
def test_the_static_tier_equals_a_search_of_the_whole_table(seed: int, asked: int, size: int) -> None:
    chance, near = np.random.default_rng(seed), static._table()[0]
    pieces = list(dict.fromkeys(chance.integers(2000, len(near), asked).tolist()))
    pool = [*pieces, *near[pieces, :60].ravel().tolist(), *chance.integers(2000, len(near), 40).tolist()]
    docs = [{int(one) for one in chance.choice(pool, chance.integers(0, 12))} for _ in range(size)]
    allowed = (chance.random(size) < 0.7).tolist()
    tokens = Forward(np.uint16, counted=False)
    for held in docs:
        tokens.extend(np.array([len(held)]), np.array(sorted(held), np.uint16))
    chosen, likes = np.flatnonzero(allowed), static.Likes.of(tuple(pieces))
    likeness, counts = likes.of_documents(tokens, chosen)
    weights, scores = tally.weigh(counts, max(1, len(chosen))), np.zeros(size, np.float32)
    scores[chosen] = likes.mean(likeness, weights)
    assert scores == pytest.approx(slow_similar(pieces, docs, allowed), abs=1e-4)
    assert ((scores >= 0) & (scores <= 1.0001)).all()
    assert counts.tolist() == [
        sum(piece in doc for doc, ok in zip(docs, allowed, strict=True) if ok) for piece in pieces
    ]
    assert (np.diff(weights[np.argsort(counts)]) <= 1e-6).all(), "what is rare weighs more"


def test_no_pieces_are_like_nothing() -> None:
    tokens, likes = Forward(np.uint16, counted=False), static.Likes.of(())
    tokens.extend(np.zeros(3, np.int64), np.zeros(0, np.uint16))
    likeness, counts = likes.of_documents(tokens, np.arange(3))
    weights = tally.weigh(counts, 3)
    scores = likes.mean(likeness, weights)
    assert (scores.tolist(), len(weights), len(counts)) == ([0, 0, 0], 0, 0)


def test_words_of_like_meaning_are_near() -> None:
    near = {
        word: {int(one) for one in static._table()[0][analyse.pieces(word)[0].token][: static.NEAR]}
        for word in ("dog", "car")
    }
    puppy, vehicle = (analyse.pieces(word)[0].token for word in ("puppy", "vehicle"))
    assert puppy in near["dog"]
    assert vehicle in near["car"]
    assert puppy not in near["car"]


# --- pooled vectors ------------------------------------------------------------------------------------------------

LATTICE = 64


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 60), st.integers(1, 20))
def test_the_nearest_are_allowed_ones_and_newest_vectors(seed: int, size: int, k: int) -> None:
    chance, vectors = np.random.default_rng(seed), Vectors(LATTICE)
    newest: dict[int, Floats] = {}
    while len(vectors) < size:
        docs = np.unique(chance.integers(0, size, chance.integers(1, 8))).astype(np.int32)
        given_ = unit(chance, len(docs), LATTICE)
        vectors.add(docs, given_)
        newest.update(zip(docs.tolist(), given_, strict=True))
    allowed = chance.random(size) < 0.6
    query = unit(chance, LATTICE)
    found = vectors.nearest(query, allowed, k).tolist()
    can = [doc for doc in newest if allowed[doc]]
    assert len(found) == len(set(found)) == min(k, len(can))
    assert set(found) <= set(can)
    exact = sorted((float(newest[doc] @ query) for doc in can), reverse=True)
    for place, doc in enumerate(found):  # 4 bits a coordinate: near, not exact
        assert float(newest[doc] @ query) == pytest.approx(exact[place], abs=0.15)


def test_a_replaced_vector_is_forgotten() -> None:
    vectors, everything = Vectors(LATTICE), np.ones(2, np.bool_)
    first, second = np.eye(LATTICE, dtype=np.float32)[:2]
    vectors.add(np.array([0, 1], np.int32), np.stack([first, second]))
    assert vectors.nearest(first, everything, 1).tolist() == [0]
    vectors.add(np.array([0], np.int32), -first[None])
    assert vectors.nearest(first, everything, 1).tolist() == [1]
    assert sorted(vectors.nearest(first, everything, 9).tolist()) == [0, 1]
    assert vectors.nearest(first, np.zeros(2, np.bool_), 5).tolist() == []
    vectors.add(np.zeros(0, np.int32), np.zeros((0, LATTICE), np.float32))
    assert Vectors(LATTICE).nearest(first, everything, 3).tolist() == []


# --- bytes ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), st.sampled_from([1e-6, 1.0, 100.0]))
def test_a_vector_survives_its_eight_bits(seed: int, many: int, size: float) -> None:
    vectors = unit(np.random.default_rng(seed), many, 96) * np.float32(size)
    blobs = [pack_vector(vector) for vector in vectors]
    assert {len(blob) for blob in blobs} == {100}
    back = unpack_vectors(blobs)
    assert np.abs(back - vectors).max() <= np.abs(vectors).max() / 127
    assert not unpack_vectors([pack_vector(np.zeros(96, np.float32))]).any()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 255)), max_size=20), st.integers(0, 255))
def test_terms_survive_their_bytes(entries: list[tuple[int, int]], flags: int) -> None:
    keys, counts = (np.array([one[i] for one in entries], np.int64) for i in range(2))
    blob = pack_words(keys.astype(np.uint32), counts.astype(np.uint8), flags)
    back = unpack_words(blob)
    assert [part.tolist() if isinstance(part, np.ndarray) else part for part in back] == [
        [key for key, _ in entries],
        [count for _, count in entries],
        flags,
    ]


@pytest.mark.parametrize("damaged", [b"", b"ab", b"12345"])
def test_damaged_terms_are_no_terms(damaged: bytes) -> None:
    keys, counts, flags = unpack_words(damaged)
    assert (len(keys), len(counts), flags) == (0, 0, 0)


def test_the_table_fits_the_tokeniser() -> None:
    near, cosine = static._table()
    table: Any = near.shape
    assert table == cosine.shape
    assert table[0] == analyse.tokenizer().get_vocab_size()
    assert table[1] >= static.NEAR
    assert int(near.max()) < table[0]
