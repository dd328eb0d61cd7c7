"""Pooled vectors held per process as 4-bit codes, to propose candidates; knows no text and is never the truth.

Scores from here are approximate and only choose whom to look at; exact vectors lie in the store. The codes are those
of turbovec (TurboQuant: Zandieh et al., 2025): a new vector is found at once, without a rebuild.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 4


class Vectors:
    """Unit vectors of documents, in the order they came. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, dimension: int) -> None:
        from turbovec import TurboQuantIndex

        self._index = TurboQuantIndex(dimension, BITS)
        self._docs = np.zeros(1024, np.int32)
        self._slots: dict[int, int] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many vectors are held, replaced ones included."""
        return self._count

    def add(self, docs: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        """Add the vectors (documents, dimension) of documents; a later vector of a document replaces the earlier."""
        if not len(docs):
            return
        end = self._count + len(docs)
        if end > len(self._docs):
            self._docs = np.concatenate([self._docs, np.zeros(max(end, len(self._docs)), np.int32)])
        for slot, doc in enumerate(docs.tolist(), self._count):
            stale = self._slots.get(doc)
            if stale is not None:
                self._docs[stale] = -1
            self._slots[doc] = slot
        self._docs[self._count : end] = docs
        self._index.add(np.ascontiguousarray(vectors, np.float32))
        self._count = end

    def nearest(self, query: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int32]:
        """Return up to `k` allowed documents whose vectors are nearest to the query (dimension,), best first."""
        if not self._count:
            return np.zeros(0, np.int32)
        docs = self._docs[: self._count]
        mask = (docs >= 0) & allowed[np.maximum(docs, 0)]
        whole = bool(mask.all())  # without a mask the scan skips blocks that cannot win
        _, slots = self._index.search(
            query.reshape(1, -1).astype(np.float32), k, mask=None if whole else mask
        )
        return docs[slots[0]]
