"""Token states as short codes, and MaxSim over them; knows no store and no ranking.

Of each state the signs of its coordinates, centred, are kept: 384 bits, 48 bytes a token. A question keeps its states
as 8-bit integers, so scoring is asymmetric and one integer matrix product. MaxSim: Khattab and Zaharia, "ColBERT"
(2020).
Merging the tokens of long texts: Clavié et al., "Reducing the Footprint of Multi-Vector Retrieval with Minimal
Performance Impact via Token Pooling", 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from simonides.parts import analyse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.parts.embed import States

    Floats = NDArray[np.float32]

MOST = 21
"""Token codes kept of one memory: 48 bytes each, so at most 1 KB."""
WORTH = 0.045
"""What one sign stands for: about the mean size of a centred coordinate of a unit state."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question ready for scoring.

    Attributes:
        levels: (384, tokens) its states as 8-bit integers.
        scale: (tokens,) what one step of a state is worth, times what a sign is worth.
        base: (tokens,) the part of the similarity that all memories share.
        weights: (tokens,) how much each token counts.
    """

    levels: NDArray[np.int8]
    scale: Floats
    base: Floats
    weights: Floats


@lru_cache(maxsize=1)
def mean_state() -> Floats:
    """Return the mean of unit token states, (384,)."""
    with resources.files("simonides").joinpath("data/minilm/mean.npy").open("rb") as file:
        return np.load(file).astype(np.float32)


@lru_cache(maxsize=1)
def _dots():
    """Return the integer matrix product as an onnxruntime session: numpy has no fast one for 8 bits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = resources.files("simonides").joinpath("data/minilm/dots.onnx").read_bytes()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def encode(states: States) -> bytes:
    """Return the codes of a memory: stop words dropped, merged to at most `MOST` tokens.

    Empty where there are no token states, or states of another dimension than these codes are fitted to.
    """
    if not len(states.tokens) or states.states.shape[1] != len(mean_state()):
        return b""
    stops = analyse.stop_pieces()
    keep = np.array([token not in stops for token in states.tokens.tolist()], bool)
    vectors = states.states[keep] if keep.any() else states.states
    return np.packbits(merge(vectors, MOST) > mean_state(), axis=1).tobytes()


def merge(vectors: Floats, most: int) -> Floats:
    """Return at most `most` unit vectors that stand for all: each joins its nearest seed; seeds lie evenly spread."""
    if len(vectors) <= most:
        return vectors
    seeds = vectors[np.linspace(0, len(vectors) - 1, most).astype(int)]
    owner = np.argmax(vectors @ seeds.T, axis=1)
    sums = np.zeros_like(seeds)
    np.add.at(sums, owner, vectors)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)


def ask(states: Floats, weights: Floats) -> Asked:
    """Return a question's unit states (tokens, 384) and weights (tokens,) ready for `maxsim`."""
    step = np.abs(states).max(axis=1, keepdims=True) / 127
    levels = np.rint(states / np.maximum(step, 1e-9)).astype(np.int8)
    signs_off = (levels.astype(np.float32) * step).sum(axis=1) * WORTH
    return Asked(
        np.ascontiguousarray(levels.T), 2 * WORTH * step[:, 0], states @ mean_state() - signs_off, weights
    )


def maxsim(asked: Asked, packed: NDArray[np.uint8], sizes: NDArray[np.int64]) -> Floats:
    """Return for each memory the weighted mean over question tokens of its best matching token, in [0, 1].

    Args:
        asked: the question.
        packed: (all tokens, 48) codes of the memories, one after the other.
        sizes: (memories,) how many codes each memory has; none gives NaN.
    """
    scores = np.full(len(sizes), np.nan, np.float32)
    filled = np.flatnonzero(sizes > 0)
    if not len(filled) or asked.weights.sum() <= 0:
        return scores
    bits = np.unpackbits(packed.ravel()).reshape(len(packed), -1)
    dots = _dots().run(None, {"bits": bits, "question": asked.levels})[0]  # (all tokens, question tokens)
    held = sizes[filled]
    best = np.maximum.reduceat(dots, np.cumsum(held) - held, axis=0)
    similar = np.clip(best * asked.scale + asked.base, 0, 1)
    scores[filled] = similar @ asked.weights / asked.weights.sum()
    return scores


def maxsim_slowly(states: Floats, weights: Floats, codes: list[bytes]) -> Floats:
    """Return what `maxsim` does, the obvious way: the reference it is tested against."""
    scores = np.full(len(codes), np.nan, np.float32)
    for i, code in enumerate(codes):
        if code:
            bits = (
                np.unpackbits(np.frombuffer(code, np.uint8)).reshape(-1, states.shape[1]).astype(np.float32)
            )
            similar = states @ ((2 * bits - 1) * WORTH + mean_state()).T
            scores[i] = np.clip(similar.max(axis=1), 0, 1) @ weights / weights.sum()
    return scores
