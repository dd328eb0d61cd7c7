"""Inverted lists from small-integer keys to documents, growing without rebuilds; knows no text and no ranking.

New documents go to an open tail; a full tail is frozen into a segment, and segments of like size are merged, so that
a document is copied only about log(n) times. All entries of a document are in one segment. Keys are 32-bit: checksums
of terms, or ids of wordpieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Keys = NDArray[np.uint32]
    Docs = NDArray[np.int32]
    Counts = NDArray[np.uint16]
    Places = NDArray[np.int64]

TAIL_ENTRIES = 1 << 12
"""How many entries the open tail takes before it is frozen; sorting so many costs about a third of a millisecond."""

MERGE_RATIO = 4
"""A segment is merged into the one before it unless that one is so many times larger."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries sorted by key; those of key i lie at ``offsets[i]:offsets[i + 1]``. No counts: all are 1."""

    keys: Keys
    offsets: NDArray[np.int64]
    docs: Docs
    counts: Counts | None

    @classmethod
    def of(cls, keys: Keys, docs: Docs, counts: Counts | None) -> Segment:
        """Sort entries into a segment; entries of one key keep their order."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = (
            np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            if len(ordered)
            else np.zeros(0, np.int64)
        )
        offsets = np.r_[starts, len(ordered)].astype(np.int64)
        return cls(ordered[starts], offsets, docs[order], None if counts is None else counts[order])

    def followed_by(self, later: Segment) -> Segment:
        """Return one segment of both; of one key, the entries of this one come first."""
        keys = np.union1d(self.keys, later.keys)
        mine, theirs = np.searchsorted(keys, self.keys), np.searchsorted(keys, later.keys)
        sizes, my_sizes, their_sizes = (np.zeros(len(keys), np.int64) for _ in range(3))
        my_sizes[mine], their_sizes[theirs] = np.diff(self.offsets), np.diff(later.offsets)
        sizes = my_sizes + their_sizes
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        # Where the entries of each key of either segment go: both are sorted by key already.
        first = np.repeat((offsets[:-1] - _before(my_sizes))[mine], np.diff(self.offsets))
        second = np.repeat((offsets[:-1] + my_sizes - _before(their_sizes))[theirs], np.diff(later.offsets))
        first += np.arange(len(first))
        second += np.arange(len(second))
        docs = np.empty(len(first) + len(second), np.int32)
        docs[first], docs[second] = self.docs, later.docs
        counts = None
        if self.counts is not None or later.counts is not None:
            counts = np.ones(len(docs), np.uint16)
            counts[first] = 1 if self.counts is None else self.counts
            counts[second] = 1 if later.counts is None else later.counts
        return Segment(keys, offsets, docs, counts)

    def without(self, gone: NDArray[np.bool_]) -> Segment:
        """Return a segment without the entries of documents that are marked; itself if it has none of them."""
        kept = ~gone[self.docs]
        if kept.all():
            return self
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[self.offsets]
        there = np.diff(before) > 0
        offsets = np.r_[before[:-1][there], before[-1]]
        counts = None if self.counts is None else self.counts[kept]
        return Segment(self.keys[there], offsets, self.docs[kept], counts)

    def places(self, keys: Keys) -> tuple[Places, Places]:
        """Return where the entries of each key start, and how many there are (0 for unknown keys)."""
        if not len(self.keys):
            none = np.zeros(len(keys), np.int64)
            return none, none
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        return self.offsets[at], np.where(known, self.offsets[at + 1] - self.offsets[at], 0)


class Postings:
    """All lists of one kind. Not thread-safe: whoever owns it holds a lock."""

    def __init__(self, segments: Sequence[Segment] = ()) -> None:
        self._segments = list(segments)
        self._tail: list[tuple[Keys, Docs, Counts | None]] = []
        self._tail_entries = 0
        self._open: Segment | None = None

    def add(self, doc: int, keys: Keys, counts: Counts | None = None) -> None:
        """Add one document under each of its keys; `counts` default to 1."""
        self.add_bulk(keys, np.full(len(keys), doc, np.int32), counts)

    def add_bulk(self, keys: Keys, docs: Docs, counts: Counts | None = None) -> None:
        """Add many entries at once; all those of a document must come in one call."""
        if not len(keys):
            return
        if len(keys) >= TAIL_ENTRIES:
            self._freeze()
            self._push(Segment.of(keys, docs, counts))
            return
        self._tail.append((keys, docs, counts))
        self._tail_entries += len(keys)
        self._open = None
        if self._tail_entries >= TAIL_ENTRIES:
            self._freeze()

    def find(self, keys: Keys) -> tuple[NDArray[np.int32], Docs, Counts]:
        """Return all entries of the keys: the position of the key in `keys`, the document, the count."""
        found = [_gather(segment, keys) for segment in self.segments()]
        if not found:
            return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint16)
        which, docs, counts = zip(*found, strict=True)
        return np.concatenate(which), np.concatenate(docs), np.concatenate(counts)

    def sizes(self, keys: Keys) -> Places:
        """Return how many documents each key has."""
        total = np.zeros(len(keys), np.int64)
        for segment in self.segments():
            total += segment.places(keys)[1]
        return total

    def drop(self, gone: NDArray[np.bool_]) -> None:
        """Leave out the documents that are marked: (documents,) mask."""
        self._freeze()
        self._segments = [left for one in self._segments if len((left := one.without(gone)).docs)]

    def bytes(self) -> int:
        """Return how much memory the lists take."""
        return sum(
            s.keys.nbytes + s.offsets.nbytes + s.docs.nbytes + (0 if s.counts is None else s.counts.nbytes)
            for s in self.segments()
        )

    def segments(self) -> list[Segment]:
        """Return all segments, the open one too."""
        if self._tail and self._open is None:
            self._open = self._tail_segment()
        return [*self._segments, self._open] if self._open is not None else self._segments

    def _tail_segment(self) -> Segment:
        keys, docs, counts = zip(*self._tail, strict=True)
        counted = any(part is not None for part in counts)
        many = [
            np.ones(len(key), np.uint16) if part is None else part
            for key, part in zip(keys, counts, strict=True)
        ]
        return Segment.of(
            np.concatenate(keys).astype(np.uint32, copy=False),
            np.concatenate(docs),
            np.concatenate(many) if counted else None,
        )

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
            self._merge()

    def _merge(self) -> None:
        last, before = self._segments.pop(), self._segments.pop()
        self._segments.append(before.followed_by(last))


def _before(sizes: Places) -> Places:
    return np.cumsum(sizes) - sizes


def _gather(segment: Segment, keys: Keys) -> tuple[NDArray[np.int32], Docs, Counts]:
    starts, sizes = segment.places(keys)
    which = np.repeat(np.arange(len(keys), dtype=np.int32), sizes)
    at = np.arange(len(which)) + np.repeat(starts - _before(sizes), sizes)
    counts = np.ones(len(at), np.uint16) if segment.counts is None else segment.counts[at]
    return which, segment.docs[at], counts
