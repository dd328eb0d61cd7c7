"""One bit a number of every vector that a store holds, and what is nearest by them; knows no text and no fusion.

An exhaustive scan in two stages: the documents whose signs differ least from the question's, then the exact cosines of
those alone. The codes follow the store as its index does: what was read a moment ago is in the next scan.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simonides.clock import micros
from simonides.ledger.index import BULK, unpack_vectors
from simonides.parts.precision import FIRST, Codes, encode, first, nearest_signs

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from simonides.ledger.index import Believed, Index

    Rows = NDArray[np.int64]


class Signs:
    """The codes of one process; they are made again when the store is served by another index."""

    def __init__(self) -> None:
        self._index: Index | None = None
        self._serial = 0
        self._rows = np.zeros(0, np.int64)
        self._codes: Codes | None = None

    def __len__(self) -> int:
        """Return how many vectors are held."""
        return len(self._rows)

    @property
    def bytes_each(self) -> int:
        """Bytes that one vector takes: 48 for 384 numbers."""
        return 0 if self._codes is None else self._codes.bytes_each

    def nearest(
        self,
        index: Index,
        query: NDArray[np.float32],
        scope: dict[str, str],
        believed: Believed,
        now: datetime,
        *,
        among: int = FIRST,
    ) -> list[tuple[int, float]]:
        """Return (row, cosine) of the `among` documents whose signs differ least, nearest first, equal ones by row."""
        with index.lock:
            self._follow(index)
            if self._codes is None:
                return []
            docs = index.usable(scope, believed, micros(now)).numbers()
            rows = np.asarray(index.column("row")[docs], np.int64)
            places = np.flatnonzero(self._among(rows))
            if not len(places):
                return []
            codes = self._codes
            if len(places) < len(self._rows):
                codes = replace(codes, packed=codes.packed[:, places], counts=codes.counts[places])
            found = np.sort(self._rows[places[nearest_signs(codes, query, among)]])
            cosines = index.cosines(index.docs(found.tolist()), query)
        order = first(np.nan_to_num(cosines, nan=-1.0), len(found))
        return [(int(found[place]), float(cosines[place])) for place in order]

    def _among(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell of each vector whether its row is one of these."""
        marks = np.zeros(int(max(self._rows.max(initial=0), rows.max(initial=0))) + 1, np.bool_)
        marks[rows] = True
        return marks[self._rows]

    def _follow(self, index: Index) -> None:
        if self._index is not index:
            self._index, self._serial, self._rows, self._codes = index, 0, np.zeros(0, np.int64), None
        if index.model is None:
            return
        while found := index.ledger.coded_since(index.model, self._serial, BULK):
            self._serial = found[-1][0]
            whole = [one for one in found if len(one[2]) == index.dimension + 4]  # not damaged
            if whole:
                self._take(
                    np.array([row for _, row, _ in whole], np.int64),
                    encode(unpack_vectors([blob for *_, blob in whole]), "1-bit"),
                )

    def _take(self, rows: Rows, codes: Codes) -> None:
        """Take codes in; a row that was read again has its new ones alone."""
        if self._codes is None:
            self._rows, self._codes = rows, codes
            return
        kept = ~np.isin(self._rows, rows)
        self._rows = np.concatenate([self._rows[kept], rows])
        self._codes = replace(
            codes,
            packed=np.concatenate([self._codes.packed[:, kept], codes.packed], axis=1),
            counts=np.concatenate([self._codes.counts[kept], codes.counts]),
        )
