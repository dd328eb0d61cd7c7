"""Inverted lists from small-integer keys to documents, growing without rebuilds; knows no text and no ranking.

New documents go to an open tail; a full tail is frozen into a segment, and segments of like size are merged, so that
a document is copied only about log(n) times. Keys are 32-bit: checksums of terms, or ids of wordpieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.uint32]
    Docs = NDArray[np.int32]
    Counts = NDArray[np.uint8]

TAIL_ENTRIES = 1 << 12
"""How many entries the open tail takes before it is frozen; sorting so many costs about a third of a millisecond."""

MERGE_RATIO = 4
"""A segment is merged into the one before it unless that one is so many times larger."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries sorted by key; those of key i lie at ``offsets[i]:offsets[i + 1]``."""

    keys: Keys
    offsets: NDArray[np.int64]
    docs: Docs
    counts: Counts

    @classmethod
    def of(cls, keys: Keys, docs: Docs, counts: Counts) -> Segment:
        """Sort entries into a segment; entries of one key keep their order."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = (
            np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            if len(ordered)
            else np.zeros(0, np.int64)
        )
        return cls(ordered[starts], np.r_[starts, len(ordered)].astype(np.int64), docs[order], counts[order])

    def flat(self) -> tuple[Keys, Docs, Counts]:
        """Return the entries with their keys written out."""
        return np.repeat(self.keys, np.diff(self.offsets)), self.docs, self.counts

    def followed_by(self, later: Segment) -> Segment:
        """Return one segment of both; of one key, the entries of this one come first."""
        (keys, docs, counts), (more_keys, more_docs, more_counts) = self.flat(), later.flat()
        return Segment.of(
            np.concatenate([keys, more_keys]),
            np.concatenate([docs, more_docs]),
            np.concatenate([counts, more_counts]),
        )

    def places(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the entries of each key start, and how many there are (0 for unknown keys)."""
        if not len(self.keys):
            none = np.zeros(len(keys), np.int64)
            return none, none
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        return self.offsets[at], np.where(known, self.offsets[at + 1] - self.offsets[at], 0)


class Postings:
    """All lists of one kind. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._tail: list[tuple[Keys, int, Counts | None]] = []
        self._tail_entries = 0
        self._open: Segment | None = None

    def add(self, doc: int, keys: Keys, counts: Counts | None = None) -> None:
        """Add one document under each of its keys; `counts` default to 1."""
        self._tail.append((keys, doc, counts))
        self._tail_entries += len(keys)
        self._open = None
        if self._tail_entries >= TAIL_ENTRIES:
            self._freeze()

    def add_bulk(self, keys: Keys, docs: Docs, counts: Counts) -> None:
        """Add many entries at once; much faster than one document after the other."""
        self._freeze()
        if len(keys):
            self._push(Segment.of(keys, docs, counts))

    def find(self, keys: Keys) -> tuple[NDArray[np.int32], Docs, Counts]:
        """Return all entries of the keys: the position of the key in `keys`, the document, the count."""
        found = [_gather(segment, keys) for segment in self._all()]
        if len(found) == 1:
            return found[0]
        if not found:
            return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8)
        which, docs, counts = zip(*found, strict=True)
        return np.concatenate(which), np.concatenate(docs), np.concatenate(counts)

    def bytes(self) -> int:
        """Return how much memory the lists take."""
        return sum(s.keys.nbytes + s.offsets.nbytes + s.docs.nbytes + s.counts.nbytes for s in self._all())

    def _all(self) -> list[Segment]:
        if self._tail and self._open is None:
            self._open = self._tail_segment()
        return [*self._segments, self._open] if self._open is not None else self._segments

    def _tail_segment(self) -> Segment:
        keys = np.concatenate([keys for keys, _, _ in self._tail]).astype(np.uint32, copy=False)
        sizes = [len(keys) for keys, _, _ in self._tail]
        docs = np.repeat(np.array([doc for _, doc, _ in self._tail], np.int32), sizes)
        counts = [
            np.ones(len(keys), np.uint8) if counts is None else counts for keys, _, counts in self._tail
        ]
        return Segment.of(keys, docs, np.concatenate(counts))

    def _freeze(self) -> None:
        if self._tail:
            segment = self._open if self._open is not None else self._tail_segment()
            self._tail, self._tail_entries, self._open = [], 0, None
            self._push(segment)

    def _push(self, segment: Segment) -> None:
        self._segments.append(segment)
        while len(self._segments) > 1 and len(self._segments[-2].docs) < MERGE_RATIO * len(
            self._segments[-1].docs
        ):
            last, before = self._segments.pop(), self._segments.pop()
            self._segments.append(before.followed_by(last))


def _gather(segment: Segment, keys: Keys) -> tuple[NDArray[np.int32], Docs, Counts]:
    starts, sizes = segment.places(keys)
    total = int(sizes.sum())
    which = np.repeat(np.arange(len(keys), dtype=np.int32), sizes)
    ends = np.cumsum(sizes)
    at = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return which, segment.docs[at], segment.counts[at]
