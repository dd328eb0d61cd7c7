"""Find texts that share many of their words without comparing all pairs: MinHash and bands; knows no text and no rule.

Each document gets `HASHES` minima of its terms. Two documents come together when the minima of a band are equal:
nearly always when they share two thirds of their terms, in 49 of 50 cases when they share a third. Cost: one to
two seconds for 100,000 documents, and 256 bytes for each while it runs; pairs grow with the documents, not with their
square, because a document is compared with the `BESIDE` ones before it in a band only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.index import ASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.index import Index
    from simonides.ledger.masks import Usable

    Numbers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

HASHES, BAND = 64, 2
BESIDE = 3
"""Documents of a band that each is compared with: those that were written just before it."""
LEAST, LEAST_LONG = 0.25, 0.6
"""Share of equal minima below which a pair is not worth reading; that of longer texts."""
LONG = 25
"""Terms of a longer text: such ones are compared for being the same only, not for a slot in which they differ."""
PAIRS = 50_000
"""Pairs that are read, the newest ones; so many there are only where most texts are alike."""
CLAIMS = 4000
"""Documents whose claims are read, the newest ones."""
NEWEST = 100_000
"""Documents that are looked at, the newest ones."""
FEW_WORDS = 4
"""A text with more words that carry meaning is no small talk."""
BLOCK = 2000
"""Documents that are judged at a time."""
AT_ONCE = 30
"""Documents with the same terms that are judged together, the newest ones."""


@dataclass(slots=True)
class Candidates:
    """What is worth reading, by document; all of it sorted by the newest document in it.

    Attributes:
        rows: the row of each document of the index.
        groups: a number for each document that is equal where user, agent, project and speaker are; -1 elsewhere.
        small: documents of few words.
        claiming: documents that hold one of the terms that were asked for.
        sets: documents with the same terms, ascending; `set_ends` has the newest of each.
        older, newer: pairs that are alike.
        asked: documents whose turn before is a question.
    """

    rows: Numbers
    groups: Numbers
    small: Numbers
    claiming: Numbers
    sets: list[Numbers]
    set_ends: Numbers
    older: Numbers
    newer: Numbers
    asked: frozenset[int]

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of documents [start, end), the newest first."""
        for end in range(len(self.rows), 0, -BLOCK):
            yield max(0, end - BLOCK), end

    def within(self, block: tuple[int, int]) -> tuple[list[int], list[list[int]], list[tuple[int, int]]]:
        """Return the small documents, the sets and the pairs whose newest document is in a block."""
        small, sets, pairs = (
            slice(*np.searchsorted(ends, block).tolist()) for ends in (self.small, self.set_ends, self.newer)
        )
        both = zip(self.older[pairs].tolist(), self.newer[pairs].tolist(), strict=True)
        return self.small[small].tolist(), [one.tolist() for one in self.sets[sets]], list(both)

    def answers(self, doc: int) -> bool:
        """Tell whether the turn before asked something."""
        return doc in self.asked


def candidates(index: Index, usable: Usable, unasked: Collection[str], cues: Collection[int]) -> Candidates:
    """Return what is worth reading among the newest usable documents; call it under the lock of the index.

    Documents come together only when user, agent, project and speaker are the same.

    Args:
        index: the columns and terms of the store.
        usable: the documents that may be used.
        unasked: kinds that are left out.
        cues: terms of which documents that claim something hold one.
    """
    docs = usable.numbers()
    left_out = [code for code, kind in enumerate(index.kinds) if kind in unasked]
    docs = docs[~np.isin(index.column("kind")[docs], left_out)][-NEWEST:]
    owners, places = index.terms.places(docs)
    keys, sizes = index.terms.keys.all[places].astype(np.uint32), index.terms.sizes.all[docs]
    groups = _groups(index, docs)
    whole = np.full(index.size, -1, np.int64)
    whole[docs] = groups
    cued = np.unique(owners[np.isin(keys, np.fromiter(cues, np.uint32))])
    sets = sorted((docs[one][-AT_ONCE:] for one in same(keys, sizes, groups)), key=lambda one: int(one[-1]))
    older, newer = pairs(keys, sizes, groups)
    order = np.argsort(newer, kind="stable")[-PAIRS:]
    before = index.column("before")[docs]
    small = sizes <= FEW_WORDS
    asks = small & (before >= 0) & ((index.column("flags")[before] & ASKS) > 0)
    return Candidates(
        rows=index.column("row").astype(np.int64),
        groups=whole,
        small=docs[small],
        claiming=docs[cued][-CLAIMS:],
        sets=sets,
        set_ends=np.array([int(one[-1]) for one in sets], np.int64),
        older=docs[older[order]],
        newer=docs[newer[order]],
        asked=frozenset(docs[asks].tolist()),
    )


def _groups(index: Index, docs: Numbers) -> Numbers:
    """Return a number for each document that is equal where user, agent, project and speaker are."""
    fields = index.scopes.fields.all[index.column("scope")[docs]].astype(np.int64)
    whose = np.stack([fields[:, 0], fields[:, 1], fields[:, 3], index.column("speaker")[docs]], axis=1)
    return np.unique(whose, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


_SEED = 20_260_401
_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: NDArray[np.uint64]) -> Hashes:
    """Return numbers scattered over 64 bits; equal ones stay equal."""
    with np.errstate(over="ignore"):
        found = (values ^ (values >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def same(keys: NDArray[np.uint32], sizes: NDArray[np.int32], groups: Numbers) -> list[Numbers]:
    """Return the documents of one group that hold exactly the same terms, each set ascending; singles are left out.

    Args:
        keys: the terms of one document after the other.
        sizes: how many each has; documents without any are left out.
        groups: what must be equal beside the terms, for each document.
    """
    sums = np.add.reduceat(np.r_[mixed(keys.astype(np.uint64) + _ODD), np.uint64(0)], _starts(sizes))
    known = np.flatnonzero(sizes > 0)
    whole = mixed(sums[known] ^ mixed(groups[known].astype(np.uint64)))
    place = np.argsort(whole, kind="stable")
    order, ordered = known[place], whole[place]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return [part for part in np.split(order, cuts) if len(part) > 1]


def pairs(keys: NDArray[np.uint32], sizes: NDArray[np.int32], groups: Numbers) -> tuple[Numbers, Numbers]:
    """Return pairs (older, newer) of documents of one group that share many terms; arguments as for `same`."""
    known = np.flatnonzero(sizes > 0)
    minima = _minima(keys, sizes[known])
    salt = mixed(groups[known].astype(np.uint64))
    many = np.int64(max(1, len(known)))
    found: list[Numbers] = []
    for start in range(0, HASHES, BAND):
        band = salt.copy()
        for one in range(start, start + BAND):
            band = mixed(band + minima[one].astype(np.uint64))
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        for step in range(1, BESIDE + 1):
            at = np.flatnonzero(ordered[step:] == ordered[:-step])
            found.append(order[at] * many + order[at + step])
    codes = np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)
    older, newer = np.divmod(codes, many)
    long = np.maximum(sizes[known][older], sizes[known][newer]) >= LONG
    near = _equal(minima, older, newer) >= np.where(long, LEAST_LONG, LEAST) * HASHES
    return known[older[near]], known[newer[near]]


def _starts(sizes: NDArray[np.int32]) -> Numbers:
    return np.cumsum(sizes, dtype=np.int64) - sizes


def _minima(keys: NDArray[np.uint32], sizes: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return the least of each hash over each document's terms: (HASHES, documents)."""
    seeds = np.random.default_rng(_SEED).integers(1, 2**63, HASHES, dtype=np.uint64)
    found = np.zeros((HASHES, len(sizes)), np.uint32)
    if not len(sizes):
        return found
    starts, spread = _starts(sizes), mixed(keys.astype(np.uint64) + _ODD)
    with np.errstate(over="ignore"):
        for place, seed in enumerate(seeds | np.uint64(1)):
            found[place] = np.minimum.reduceat((spread * seed) >> np.uint64(32), starts)
    return found


def _equal(minima: NDArray[np.uint32], older: Numbers, newer: Numbers) -> NDArray[np.int64]:
    total = np.zeros(len(older), np.int64)
    for row in minima:
        total += row[older] == row[newer]
    return total
