"""Pooled vectors held per process as 4-bit codes, to propose candidates; knows no text and is never the truth.

Scores from here are approximate and only choose whom to look at; exact vectors lie in the store. The codes are those
of turbovec (TurboQuant: Zandieh et al., 2025): a new vector is found at once, without a rebuild.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.growing import Growing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from turbovec import TurboQuantIndex

BITS = 4
NOBODY = -1
"""Stands for the document of a replaced vector, and for the slot of a document without one."""


class Vectors:
    """Unit vectors of documents, in the order they came. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, dimension: int) -> None:
        from turbovec import TurboQuantIndex

        self._index: TurboQuantIndex = TurboQuantIndex(dimension, BITS)
        self.owners = Growing.of(np.int32)  # by slot
        self.slots = Growing.of(np.int32)  # by document
        self._straight = True  # slot i is of document i, for all slots

    @classmethod
    def load(cls, path: Path, dimension: int, owners: Growing, slots: Growing) -> Vectors:
        """Return vectors that `save` wrote, with their slots.

        Raises:
            ValueError, OSError: the file is not what it was.
        """
        from turbovec import TurboQuantIndex

        loaded = cls(dimension)
        loaded._index = TurboQuantIndex.load(str(path))
        if loaded._index.dim != dimension or len(loaded._index) != owners.size:
            raise ValueError("holds other vectors")
        loaded.owners, loaded.slots = owners, slots
        loaded._look()
        return loaded

    def save(self, path: Path) -> None:
        """Write the codes to a file; `owners` and `slots` are not in it."""
        self._index.write(str(path), durable=True)

    def __len__(self) -> int:
        """Return how many vectors are held, replaced ones included."""
        return self.owners.size

    def add(self, docs: NDArray[np.int32], vectors: NDArray[np.float32]) -> None:
        """Add the vectors (documents, dimension) of documents; a later vector of a document replaces the earlier."""
        if not len(docs):
            return
        start = self.owners.size
        self.owners.extend(docs)
        owners = self.owners.all
        known, most = self.slots.size, int(docs.max()) + 1
        if most > known:
            self.slots.grow(most)[known:] = NOBODY
        slots = self.slots.all
        stale = slots[docs]
        owners[stale[stale >= 0]] = NOBODY
        slots[docs] = np.arange(start, start + len(docs), dtype=np.int32)
        twice = np.flatnonzero(
            slots[docs] != np.arange(start, start + len(docs))
        )  # given again in the same call
        owners[start + twice] = NOBODY
        self._straight = self._straight and bool((owners[start:] == np.arange(start, len(owners))).all())
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def drop(self, docs: NDArray[np.int64]) -> None:
        """Forget the vectors of documents, replaced ones included, and leave nothing of them in memory."""
        slots = self.slots.all
        known = docs[docs < len(slots)]
        gone = slots[known]
        slots[known] = NOBODY
        owners = self.owners.all
        owners[gone[gone >= 0]] = NOBODY
        for slot in np.flatnonzero(owners == NOBODY)[::-1].tolist():
            last = int(self._index.swap_remove(slot))  # the last one takes its place
            owners[slot] = owners[last]
            if owners[slot] >= 0:
                slots[owners[slot]] = slot
            self.owners.size = last
            owners = self.owners.all
        self._look()

    def nearest(self, query: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int32]:
        """Return up to `k` allowed documents whose vectors are nearest to the query (dimension,), best first."""
        owners = self.owners.all
        if not len(owners):
            return np.zeros(0, np.int32)
        mask = allowed[: len(owners)] if self._straight else (owners >= 0) & allowed[np.maximum(owners, 0)]
        whole = bool(mask.all())  # without a mask the scan skips blocks that cannot win
        asked = np.ascontiguousarray(query.reshape(1, -1), np.float32)
        _, slots = self._index.search(asked, k, mask=None if whole else mask)
        return owners[slots[0]]

    def _look(self) -> None:
        owners = self.owners.all
        self._straight = bool((owners == np.arange(len(owners))).all())
