"""Which keys each document has: the lists of `postings` the other way round; knows no text and no ranking.

A question's few candidates are measured by what they hold themselves, so that no list over all documents need be
read to its end for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.ledger.growing import Growing

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Docs = NDArray[np.int64]


class Forward:
    """Keys, and counts if there are any, of documents 0, 1, 2 ...; not thread-safe."""

    __slots__ = ("counts", "keys", "sizes", "starts")

    def __init__(self, dtype: DTypeLike, *, counted: bool) -> None:
        self.starts = Growing.of(np.int64)
        self.sizes = Growing.of(np.int32)
        self.keys = Growing.of(dtype)
        self.counts = Growing.of(np.uint8) if counted else None

    def extend(
        self, sizes: NDArray[Any], keys: NDArray[Any], counts: NDArray[np.uint8] | None = None
    ) -> None:
        """Add documents at the end: how many keys each has, and the keys of one after the other."""
        ends = self.keys.size + np.cumsum(sizes, dtype=np.int64)
        self.starts.extend(ends - sizes)
        self.sizes.extend(sizes)
        self.keys.extend(keys)
        if self.counts is not None and counts is not None:
            self.counts.extend(counts)

    def places(self, docs: Docs) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return all entries of documents: whose each is (its place in `docs`), and where it lies."""
        sizes = self.sizes.all[docs]
        ends = np.cumsum(sizes, dtype=np.int64)
        owners = np.repeat(np.arange(len(docs), dtype=np.int32), sizes)
        within = np.arange(len(owners)) - np.repeat(ends - sizes, sizes)
        return owners, np.repeat(self.starts.all[docs], sizes) + within

    def drop(self, docs: Docs) -> None:
        """Forget what documents hold, and leave nothing of it in memory."""
        _, places = self.places(docs)
        self.keys.all[places] = 0
        if self.counts is not None:
            self.counts.all[places] = 0
        self.sizes.all[docs] = 0


EXACT, LONGEST, LEVELS = 32, 4096, 64
"""Lengths below the first have a level of their own; those up to the second share what is left of the levels."""
OFTEN = 15
"""A term that stands more often in a text counts as if it stood so often."""


def pack_gain(counts: NDArray[np.uint8], lengths: NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
    """Return how often terms stand in texts of so many words, roughly, in 10 bits."""
    octaves = np.log2(np.maximum(lengths, EXACT) / EXACT) / np.log2(LONGEST / EXACT)
    levels = np.where(lengths < EXACT, lengths, EXACT + np.minimum(octaves, 1) * (LEVELS - EXACT - 1))
    return (np.minimum(counts, OFTEN).astype(np.uint16) * LEVELS + levels.astype(np.uint16)).astype(np.uint16)


def unpack_gain() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the count and the length that each value of `pack_gain` stands for."""
    counts, levels = np.divmod(np.arange((OFTEN + 1) * LEVELS), LEVELS)
    above = np.maximum(levels - EXACT + 0.5, 0) / (LEVELS - EXACT - 1)
    lengths = np.where(levels < EXACT, levels, EXACT * (LONGEST / EXACT) ** above)
    return counts.astype(np.float32), lengths.astype(np.float32)
