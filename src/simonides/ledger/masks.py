"""Which documents a search may use: computed once, then kept up to date; knows no words, no codes and no ranking.

Comparing six columns over a million documents takes longer than a whole search may. What most searches ask for, what
is believed now of a scope and has neither ended nor expired, is kept as a mask; a document's bit is only looked at
again when something about it has changed, or when the clock has passed its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simonides.clock import FOREVER
from simonides.ledger.growing import Growing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simonides.ledger.columns import Columns

    Docs = NDArray[np.int64]
    Mask = NDArray[np.bool_]

KEPT = 8
"""Masks that are kept; each takes a byte a document."""
LOGGED = 1 << 16
"""Changes that masks catch up with; after more they are made anew."""


@dataclass(slots=True)
class Usable:
    """The documents that a search may use: a few by number, or many by a mask.

    Attributes:
        size: documents in the index.
        count: how many may be used.
        words: how many words they have together.
        docs: which, ascending; None where `mask` says it.
        mask: (documents,) or None where `docs` says it.
    """

    size: int
    count: int
    words: int
    docs: Docs | None = None
    mask: Mask | None = None

    @classmethod
    def few(cls, docs: Docs, columns: Columns) -> Usable:
        """Return one of documents by number."""
        return cls(len(columns), len(docs), int(columns["words"][docs].sum()), docs=docs)

    @classmethod
    def many(cls, mask: Mask, columns: Columns) -> Usable:
        """Return one of a mask."""
        words = int(np.dot(mask, columns["words"].astype(np.int64)))
        return cls(len(mask), int(np.count_nonzero(mask)), words, mask=mask)

    def has(self, docs: NDArray[np.integer]) -> Mask:
        """Tell of each document, -1 for none, whether it may be used."""
        if self.mask is not None:
            return (docs >= 0) & self.mask[docs] if self.size else np.zeros(len(docs), np.bool_)
        known = self.docs if self.docs is not None else np.zeros(0, np.int64)
        if not len(known):
            return np.zeros(len(docs), np.bool_)
        at = np.minimum(np.searchsorted(known, docs), len(known) - 1)
        return known[at] == docs

    def marks(self) -> Mask:
        """Return the mask."""
        if self.mask is None:
            self.mask = np.zeros(self.size, np.bool_)
            self.mask[self.docs] = True
        return self.mask

    def numbers(self) -> Docs:
        """Return the documents."""
        if self.docs is None:
            self.docs = np.flatnonzero(self.mask) if self.mask is not None else np.zeros(0, np.int64)
        return self.docs


@dataclass(slots=True)
class Kept:
    """A mask that is kept for one question of what may be used.

    Attributes:
        fits: tells of documents whether scope and kind fit.
        now: the moment it is true for; and it stays true after `since` up to `until`, the latter left out.
        seen: changes that it has taken in.
    """

    fits: Callable[[Docs | slice], Mask]
    now: int
    mask: Growing = field(default_factory=lambda: Growing.of(np.bool_))
    count: int = 0
    words: int = 0
    seen: int = 0
    since: int = -1
    until: int = FOREVER


class Masks:
    """Masks of what is believed now, by what was asked for; the index tells which documents have changed."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._kept: dict[object, Kept] = {}
        self._changed = Growing.of(np.int64)
        self._ending = Growing.of(np.int64)
        self._ending_of = 0

    def change(self, docs: Docs) -> None:
        """Hear that something has changed about documents that were there before."""
        self._changed.extend(docs)
        ends = self._ends(docs)
        self._ending.extend(docs[ends < FOREVER])
        if self._changed.size > LOGGED:
            self.forget()

    def forget(self) -> None:
        """Make all masks anew when they are next asked for."""
        self._kept.clear()
        self._changed.size = 0
        self._ending.size = self._ending_of = 0

    def usable(self, key: object, fits: Callable[[Docs | slice], Mask], now: int) -> Usable:
        """Return what is believed now and fits, neither ended nor expired at `now`; `key` stands for `fits`."""
        self._note_ending()
        kept = self._kept.pop(key, None)
        if kept is None:
            kept = Kept(fits, now, seen=self._changed.size)
        kept.fits = fits
        self._kept[key] = kept  # last again, so that the first is the one not asked for longest
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        self._follow(kept, now)
        return Usable(kept.mask.size, kept.count, kept.words, mask=kept.mask.all)

    def _follow(self, kept: Kept, now: int) -> None:
        known, size = kept.mask.size, len(self._columns)
        fresh = size > known or kept.seen < self._changed.size
        if size > known:
            part = slice(known, size)
            mask = kept.mask.grow(size)
            mask[part] = kept.fits(part) & self._columns.open(part, kept.now)
            kept.count += int(np.count_nonzero(mask[part]))
            kept.words += int(self._columns["words"][part][mask[part]].sum())
        if kept.seen < self._changed.size:
            self._look_again(kept, self._changed.all[kept.seen :], kept.now)
            kept.seen = self._changed.size
        if fresh or not kept.since < now < kept.until:
            ending = self._ending.all
            ends = self._ends(ending)
            low, high = min(now, kept.now), max(now, kept.now)
            self._look_again(kept, ending[(ends > low) & (ends <= high)], now)
            kept.now = now
            kept.since = int(ends[ends <= now].max(initial=0)) - 1
            kept.until = int(ends[ends > now].min(initial=FOREVER))

    def _look_again(self, kept: Kept, docs: Docs, now: int) -> None:
        if not len(docs):
            return
        docs = np.unique(docs)
        mask, words = kept.mask.all, self._columns["words"]
        old, new = mask[docs], kept.fits(docs) & self._columns.open(docs, now)
        mask[docs] = new
        kept.count += int(np.count_nonzero(new)) - int(np.count_nonzero(old))
        kept.words += int(words[docs[new]].sum()) - int(words[docs[old]].sum())

    def _ends(self, docs: Docs | slice) -> NDArray[np.int64]:
        return np.minimum(self._columns["valid_to"][docs], self._columns["expires"][docs])

    def _note_ending(self) -> None:
        if self._ending_of < len(self._columns):
            ends = self._ends(slice(self._ending_of, len(self._columns)))
            self._ending.extend(np.flatnonzero(ends < FOREVER) + self._ending_of)
            self._ending_of = len(self._columns)
