"""Keep vectors at 32, 8, 4, 2 or 1 bit a number and search all of them exactly; knows no text, store or model.

Every search is exhaustive and deterministic: equal scores stand in the order of their rows. The recall that each
precision leaves is measured by `simonides bench precision` and stands in docs/parts.md beside it. The default recall
does not use this (its vectors lie in turbovec); recipes that promise a precision do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np

from simonides.errors import InputError, UnknownName

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]

Precision = Literal["f32", "int8", "4-bit", "2-bit", "1-bit"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
BITS: dict[str, int] = {"f32": 32, "int8": 8, "4-bit": 4, "2-bit": 2, "1-bit": 1}
LEVELS: dict[str, tuple[float, ...]] = {
    "4-bit": (0.1284, 0.3881, 0.6568, 0.9424, 1.2562, 1.6181, 2.0690, 2.7326),
    "2-bit": (0.4528, 1.5104),
}
"""The positive levels that lose least of a normal distribution (Max, 1960); a rotated coordinate is nearly normal."""
FIRST = 100
"""Rows that the first stage hands to the exact one."""
_BLOCK = 8192  # rows that are unpacked at a time: memory, not meaning
_WORD = 64


@dataclass(frozen=True, slots=True)
class Codes:
    """Vectors at one precision.

    Attributes:
        packed: (rows, bytes) the codes; (words, rows) of 64 bits at 1 bit, so that a scan reads along them.
        scales: (rows,) what one step of a code is worth; empty where codes need none.
        counts: (rows,) how many bits are set, at 1 bit; else empty.
        seed: of the rotation before 2 and 4 bits.
    """

    precision: Precision
    dimension: int
    packed: NDArray[np.float32] | NDArray[np.int8] | NDArray[np.uint8] | NDArray[np.uint64]
    scales: Floats
    counts: NDArray[np.int64]
    seed: int = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.packed.shape[1] if self.precision == "1-bit" else len(self.packed)

    @property
    def bytes_each(self) -> int:
        """Bytes that one vector takes, its scale included: 48 for 384 numbers at 1 bit."""
        wide = self.packed.shape[0] if self.precision == "1-bit" else self.packed.shape[1]
        return wide * self.packed.itemsize + (4 if len(self.scales) else 0)


def encode(vectors: Floats, precision: Precision, *, seed: int = 0) -> Codes:
    """Return vectors (rows, dimension) at a precision.

    At 2 and 4 bits they are rotated by chance first, which makes their coordinates alike. At 1 bit the signs are kept,
    1 for what is above 0: 32 times smaller than f32.

    Raises:
        UnknownName: there is no such precision.
        InputError: not a matrix, or not finite.
    """
    if precision not in BITS:
        raise UnknownName("precision", precision, PRECISIONS)
    if vectors.ndim != 2:
        raise InputError("vectors", "must be (rows, dimension)", vectors.shape)
    if not np.isfinite(vectors).all():
        raise InputError("vectors", "must be finite", "infinite or NaN")
    plain, none, uncounted = np.asarray(vectors, np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    made = Codes(precision, plain.shape[1], plain.copy(), none, uncounted, seed)
    if precision == "int8":
        steps = np.maximum(np.abs(plain).max(axis=1, initial=0.0), np.float32(1e-30)) / np.float32(127)
        return replace(made, packed=np.rint(plain / steps[:, None]).astype(np.int8), scales=steps)
    if precision in LEVELS:
        return _levelled(made, plain)
    if precision == "1-bit":
        words = _signs(plain)
        return replace(made, packed=words, counts=_ones(words).sum(axis=0, dtype=np.int64))
    return made


def decode(codes: Codes) -> Floats:
    """Return the vectors that codes stand for, (rows, dimension); at 1 bit -1 and 1, whose lengths say nothing."""
    if not len(codes):
        return np.zeros((0, codes.dimension), np.float32)
    whole = np.concatenate([_block(codes, start) for start in range(0, len(codes), _BLOCK)])
    if len(codes.scales):
        whole = whole * codes.scales[:, None]
    return whole @ _rotation(codes.dimension, codes.seed) if codes.precision in LEVELS else whole


def requantise(codes: Codes, precision: Precision) -> Codes:
    """Return the same vectors at another precision; what is lost stays lost."""
    return encode(decode(codes), precision, seed=codes.seed)


def similar(codes: Codes, query: Floats) -> Floats:
    """Return for each row the product with a query at full precision, (rows,): cosines for unit vectors.

    At 1 bit the row is its signs over the root of the dimension, so that it has length 1.
    """
    asked = _asked(codes, query)
    if codes.precision in LEVELS:
        asked = _rotation(codes.dimension, codes.seed) @ asked
    if codes.precision == "f32":
        return cast("Floats", codes.packed) @ asked
    scores = np.zeros(len(codes), np.float32)
    for start in range(0, len(codes), _BLOCK):
        block = _block(codes, start)
        scores[start : start + len(block)] = block @ asked
    if codes.precision == "1-bit":
        return scores / np.float32(np.sqrt(codes.dimension))
    return scores * codes.scales


def hamming(codes: Codes, query: Floats) -> NDArray[np.int64]:
    """Return in how many signs each row differs from the query, (rows,): XOR and a count of ones.

    Raises:
        InputError: the codes are not of 1 bit.
    """
    words = _one_bit(codes)
    asked = _signs(_asked(codes, query)[None])
    total = np.zeros(len(codes), np.uint16)
    for word, own in zip(words, asked[:, 0], strict=True):
        total += _ones(word ^ own)
    return total.astype(np.int64)


def information(codes: Codes, query: Floats) -> NDArray[np.float64]:
    """Return what the signs of each row tell about those of the query, in [-1, 1]: 1 for equal, -1 for opposite.

    The mutual information of the two rows of bits over the entropy of the query's, with the sign of their
    correlation. It is Memanto's score as others have reconstructed it, signed: without the sign an exact complement
    scores as high as an exact match. 0 where all signs of the query are equal: it tells nothing then.
    """
    asked = int(_ones(_signs(_asked(codes, query)[None])).sum())
    size, held = codes.dimension, codes.counts.astype(np.float64)
    entropy = -float(
        _gain(np.array([asked, size - asked], np.float64), np.array([size, size], np.float64)).sum()
    )
    if entropy <= 0:
        return np.zeros(len(codes))
    both = (asked + held - hamming(codes, query)) / 2
    only_asked, only_held = asked - both, held - both
    neither = size - both - only_asked - only_held
    alike = _gain(both, asked * held / size) + _gain(neither, (size - asked) * (size - held) / size)
    crossed = _gain(only_asked, asked * (size - held) / size) + _gain(only_held, (size - asked) * held / size)
    sign = np.sign(both * neither - only_asked * only_held)
    return np.clip(sign * (alike + crossed) / entropy, -1, 1)


def first(scores: NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64], k: int) -> Rows:
    """Return the rows of the k highest scores, highest first, equal ones by row: always the same order."""
    k = min(k, len(scores))
    if k <= 0:
        return np.zeros(0, np.int64)
    bar = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, level = np.flatnonzero(scores > bar), np.flatnonzero(scores == bar)
    rows = np.concatenate([above, level[: k - len(above)]])
    return rows[np.lexsort((rows, -scores[rows]))].astype(np.int64)


def nearest(codes: Codes, query: Floats, k: int) -> Rows:
    """Return the k rows nearest to a query at full precision, nearest first."""
    return first(similar(codes, query), k)


def nearest_signs(codes: Codes, query: Floats, k: int) -> Rows:
    """Return the k rows with the fewest signs that differ from the query's."""
    return first(-hamming(codes, query), k)


def two_stage(
    codes: Codes, exact: Floats | Callable[[Rows], Floats], query: Floats, k: int, *, among: int = FIRST
) -> Rows:
    """Return the k nearest rows: the `among` with the fewest differing signs, ranked by exact products.

    Args:
        codes: of 1 bit.
        exact: the vectors (rows, dimension), or what loads those of some rows: they may lie on disk.
        query: at full precision.
        k: how many at most.
        among: how many are rescored, k at least.
    """
    rows = np.sort(nearest_signs(codes, query, max(among, k)))
    vectors = exact(rows) if callable(exact) else exact[rows]
    return rows[first(_products(vectors, _asked(codes, query)), k)]


def _products(vectors: Floats, query: Floats) -> NDArray[np.float64]:
    """Products in double precision and one order of adding, whatever the number of rows."""
    return np.einsum("ij,j->i", vectors.astype(np.float64), query.astype(np.float64))


def _levelled(codes: Codes, plain: Floats) -> Codes:
    bits, size = BITS[codes.precision], codes.dimension
    levels = _levels(codes.precision)
    turned = plain @ _rotation(size, codes.seed).T
    length = np.linalg.norm(turned, axis=1) / np.sqrt(max(size, 1))
    even = turned / np.maximum(length, 1e-30)[:, None]
    places: NDArray[np.uint8] = np.asarray(np.searchsorted((levels[1:] + levels[:-1]) / 2, even), np.uint8)
    kept = levels[places]
    # The scale keeps each vector's product with its own code exact: codes are shorter than what they stand for.
    scales = (turned**2).sum(axis=1) / np.maximum((turned * kept).sum(axis=1), 1e-30)
    each = 8 // bits
    padded = np.zeros((len(plain), -(-size // each) * each), np.uint8)
    padded[:, :size] = places
    packed = np.zeros((len(plain), padded.shape[1] // each), np.uint8)
    for place in range(each):
        packed |= padded[:, place::each] << np.uint8(bits * place)
    return replace(codes, packed=packed, scales=scales.astype(np.float32))


def _block(codes: Codes, start: int) -> Floats:
    """Return some rows as numbers without their scales; those of 2 and 4 bits are still rotated."""
    stop, size = start + _BLOCK, codes.dimension
    if codes.precision == "1-bit":
        words = np.ascontiguousarray(cast("NDArray[np.uint64]", codes.packed)[:, start:stop].T)
        bits = np.unpackbits(words.view(np.uint8), axis=1, count=size, bitorder="little")
        return bits.astype(np.float32) * np.float32(2) - np.float32(1)
    part = codes.packed[start:stop]
    if codes.precision in LEVELS:
        table = _unpacked(codes.precision)
        return table[cast("NDArray[np.uint8]", part)].view(np.float32)[:, :size]
    return part.astype(np.float32, copy=False)


@lru_cache(maxsize=4)
def _unpacked(precision: str) -> NDArray[Any]:
    """Return the levels that each value of a byte holds, (256,), each entry as wide as its levels: one look for all."""
    bits = BITS[precision]
    values = np.arange(256)[:, None] >> (bits * np.arange(8 // bits)) & (2**bits - 1)
    wide = np.float64 if bits == 4 else np.complex128  # two or four numbers of 32 bits
    return np.ascontiguousarray(_levels(precision)[values]).view(wide)[:, 0]


@lru_cache(maxsize=4)
def _levels(precision: str) -> Floats:
    up = np.array(LEVELS[precision], np.float32)
    return np.concatenate([-up[::-1], up])


@lru_cache(maxsize=4)
def _rotation(dimension: int, seed: int) -> Floats:
    """Return a random rotation, (dimension, dimension); the same for a seed on one build of numpy."""
    # The dimension is part of the seed: vectors drawn with the same seed would not be turned by chance at all.
    normal = np.random.default_rng((dimension, seed)).standard_normal((dimension, dimension))
    turn, upper = np.linalg.qr(normal)
    return (turn * np.sign(np.diag(upper))).astype(np.float32)


def _signs(vectors: Floats) -> NDArray[np.uint64]:
    """Return the signs of rows as words of 64 bits, (words, rows); bits beyond the dimension are 0."""
    bits = np.packbits(vectors > 0, axis=1, bitorder="little")
    whole = np.zeros((len(vectors), -(-vectors.shape[1] // _WORD) * _WORD // 8), np.uint8)
    whole[:, : bits.shape[1]] = bits
    return np.ascontiguousarray(whole.view(np.uint64).T)


def _ones(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return how many bits of each word are set."""
    count = cast(
        "Callable[[NDArray[np.uint64]], NDArray[np.uint8]] | None", getattr(np, "bitwise_count", None)
    )
    return _ones_by_table(words) if count is None else count(words)


def _ones_by_table(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the same with numpy 1.26, which has no count of bits."""
    parts = np.ascontiguousarray(words).view(np.uint16).reshape(*words.shape, 4)
    return _table()[parts].sum(axis=-1, dtype=np.uint8)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    return np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(
        axis=1, dtype=np.uint8
    )


def _gain(count: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return count x log2(count / expected), 0 where the count is 0."""
    some = count > 0
    return count * np.log2(np.where(some, count, 1.0) / np.where(some, expected, 1.0))


def _one_bit(codes: Codes) -> NDArray[np.uint64]:
    if codes.precision != "1-bit":
        raise InputError(
            "codes", "must be of 1 bit to be compared by signs", codes.precision, "Encode them so first."
        )
    return cast("NDArray[np.uint64]", codes.packed)


def _asked(codes: Codes, query: Floats) -> Floats:
    if query.shape != (codes.dimension,):
        raise InputError("query", f"must have {codes.dimension} numbers", query.shape)
    return np.asarray(query, np.float32)
