"""Token codes and exact vectors of the full tier: held by the process, mapped from its cache, or read when needed.

Knows what is stored of them, not how they are made or scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.growing import Growing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simonides.ledger.columns import Columns
    from simonides.ledger.derived import Code
    from simonides.ledger.store import Ledger

    Docs = NDArray[np.int64]

CODE_BYTES = 48
"""Bytes of one token code."""
CODES_HELD = 160 * 1024 * 1024
"""Bytes of token codes that a process holds beside its cache; others are read from the store when they are needed."""
ELSEWHERE, NONE_YET = -1, -2
"""Code sizes that are no sizes: the codes are in the store only; the full tier has not read the memory yet."""
AT_ONCE = 1000


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Return a unit vector as int8 with its scale: dimension + 4 bytes."""
    scale = np.float32(np.abs(vector).max() / 127 or 1)
    return scale.tobytes() + np.rint(vector / scale).astype(np.int8).tobytes()


def unpack_vectors(blobs: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the vectors (blobs, dimension) of `pack_vector`; all blobs must be of one length."""
    raw = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)
    return raw[:, 4:].view(np.int8).astype(np.float32) * _scales(raw)


def _scales(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    scales = np.ascontiguousarray(raw[:, :4]).view(np.float32)
    return np.where((scales >= 0) & (scales <= 1), scales, np.float32(0))  # what is damaged is like nothing


def _dots(raw: NDArray[np.uint8], query: NDArray[np.float32]) -> NDArray[np.float32]:
    return (raw[:, 4:].view(np.int8).astype(np.float32) @ query) * _scales(raw)[:, 0]


class Held:
    """What the model said of documents; the columns say where of each it is. Not thread-safe."""

    def __init__(self, ledger: Ledger, model: int, dimension: int, columns: Columns) -> None:
        self.pooled = Growing.of(np.uint8, dimension + 4)
        self.codes = Growing.of(np.uint8, CODE_BYTES)
        self.mapped = 0  # codes that are in the cache, and take no memory
        self.fetched: tuple[tuple[int, ...], dict[int, Code]] = ((), {})
        self._ledger = ledger
        self._model = model
        self._columns = columns
        self._bytes = dimension + 4

    def take(self, docs: Docs) -> None:
        """Hear that documents have got codes, and hold those as long as there is room."""
        self._columns["code_size"][docs] = ELSEWHERE
        self.fetched = ((), {})
        for start in range(0, len(docs), AT_ONCE):
            if (self.codes.size - self.mapped) * CODE_BYTES >= CODES_HELD:
                return
            self._take(docs[start : start + AT_ONCE])

    def _take(self, docs: Docs) -> None:
        rows = self._columns["row"][docs].tolist()
        stored = self._ledger.codes(rows, self._model)
        there = [place for place, row in enumerate(rows) if row in stored and self.whole(stored[row])]
        if not there:
            return
        found = [stored[rows[place]] for place in there]
        docs = docs[there]
        sizes = np.array([len(code.states) // CODE_BYTES for code in found])
        self._columns["held"][docs] = self.pooled.size + np.arange(len(docs))
        self._columns["code_start"][docs] = self.codes.size + np.cumsum(sizes) - sizes
        self._columns["code_size"][docs] = sizes
        self.pooled.extend(
            np.frombuffer(b"".join(code.pooled for code in found), np.uint8).reshape(-1, self._bytes)
        )
        self.codes.extend(
            np.frombuffer(b"".join(code.states for code in found), np.uint8).reshape(-1, CODE_BYTES)
        )

    def whole(self, code: Code) -> bool:
        """Tell whether codes are of the right size; damaged ones are left in the store."""
        return len(code.states) % CODE_BYTES == 0 and len(code.pooled) == self._bytes

    def of(self, docs: Docs) -> tuple[NDArray[np.uint8], Docs]:
        """Return the token codes of documents, one after the other, and how many each has; `NONE_YET` where none."""
        sizes = self._columns["code_size"][docs].astype(np.int64)
        starts = self._columns["code_start"][docs]
        away = np.flatnonzero(sizes == ELSEWHERE)
        if not len(away):
            held = np.maximum(sizes, 0)
            places = np.repeat(starts - (np.cumsum(held) - held), held)
            return self.codes.all[np.arange(len(places)) + places], sizes
        stored = self._stored(docs[away])
        parts: list[NDArray[np.uint8]] = []
        rows = self._columns["row"][docs].tolist()
        for place, (row, size) in enumerate(zip(rows, sizes.tolist(), strict=True)):
            if size == ELSEWHERE:
                code = stored.get(row)
                states = code.states if code is not None and len(code.states) % CODE_BYTES == 0 else b""
                parts.append(np.frombuffer(states, np.uint8).reshape(-1, CODE_BYTES))
                sizes[place] = len(parts[-1])
            elif size > 0:
                start = int(starts[place])
                parts.append(self.codes.all[start : start + size])
        return np.concatenate(parts) if parts else np.zeros((0, CODE_BYTES), np.uint8), sizes

    def cosines(self, docs: Docs, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of each document's pooled vector with a unit query; NaN where there is none yet."""
        sizes = self._columns["code_size"][docs]
        found = np.full(len(docs), np.nan, np.float32)
        held = np.flatnonzero(sizes >= 0)
        if len(held):
            found[held] = _dots(self.pooled.all[self._columns["held"][docs[held]]], query)
        away = np.flatnonzero(sizes == ELSEWHERE)
        if len(away):
            stored = self._stored(docs[away])
            rows = self._columns["row"][docs[away]].tolist()
            blobs = [stored[row].pooled if row in stored else b"" for row in rows]
            there = [place for place, blob in enumerate(blobs) if len(blob) == self._bytes]
            raw = np.frombuffer(b"".join(blobs[place] for place in there), np.uint8)
            found[away[there]] = _dots(raw.reshape(len(there), self._bytes), query)
        return found

    def drop(self, docs: Docs) -> None:
        """Forget what the model said of documents, and leave nothing of it in memory."""
        self.fetched = ((), {})
        sizes = self._columns["code_size"][docs]
        held = docs[sizes >= 0]
        self.pooled.all[self._columns["held"][held]] = 0
        starts, sizes = self._columns["code_start"][held].tolist(), self._columns["code_size"][held].tolist()
        for start, size in zip(starts, sizes, strict=True):
            self.codes.all[start : start + size] = 0
        self._columns["code_size"][docs] = NONE_YET

    def _stored(self, docs: Docs) -> dict[int, Code]:
        rows = tuple(self._columns["row"][docs].tolist())
        if self.fetched[0] != rows:
            self.fetched = (rows, self._ledger.codes(rows, self._model))
        return self.fetched[1]
