"""Score documents by words and by pieces: a few exactly, by what each holds, or all of a large scope roughly, by lists.

Rough scores are sums of 16-bit integers: a million of them fit the processor's cache, and adding up all lists of a
question takes a few nanoseconds an entry. They only choose whose exact scores are worth having.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.forward import unpack_gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.index import Index
    from simonides.ledger.masks import Usable
    from simonides.ledger.postings import Postings
    from simonides.parts.static import Likes

    Floats = NDArray[np.float32]
    Docs = NDArray[np.int64]
    Sums = NDArray[np.uint16]

K1, B = 1.0, 0.6
"""BM25: how fast repeats stop counting, and how much length counts; between what chat (.8, .2) and long answers
(1.2, .75) like."""
SPARE = 4
"""So many times the documents that are wanted are scored exactly."""
MOST = 1_000_000
"""Entries of lists that are added up at most; the lists that count least are left out before."""
AT_ONCE = 8192
"""Entries added up at once: what is made of them stays in the processor's nearest cache."""
SAMPLED = 64
"""Every how many-th score is looked at to tell what the best ones are above."""
STEP = 30_000
"""What a score of 1 is as an integer; words gain 2 at most."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A question's terms among the documents that may be used.

    Attributes:
        keys: (terms,) their checksums.
        weights: inverse document frequencies; they sum to 1.
        length: mean number of words of a document.
    """

    keys: NDArray[np.uint32]
    weights: Floats
    length: float

    @classmethod
    def of(cls, keys: NDArray[np.uint32], counts: NDArray[np.int64], usable: Usable) -> Terms:
        """Weigh terms of which each stands in so many of the usable documents."""
        weights = weigh(counts, max(1, usable.count))
        total = float(weights.sum())
        length = max(1.0, usable.words / max(1, usable.count))
        return cls(keys, weights / total if total and counts.any() else np.zeros_like(weights), length)

    def gain(self, often: Floats, lengths: NDArray[np.number]) -> NDArray[np.floating]:
        """Return what a term gains that stands so often in texts of so many words."""
        return often * (K1 + 1) / (often + K1 * (1 - B + B * lengths.astype(np.float64) / self.length))


def weigh(counts: NDArray[np.int64], many: int) -> Floats:
    """Return inverse document frequencies, of what stands in so many of `many` documents."""
    return np.log1p((many - counts + 0.5) / (counts + 0.5)).astype(np.float32)


def standing(postings: Postings, keys: NDArray[np.uint32], usable: Usable) -> NDArray[np.int64]:
    """Return in how many usable documents each key stands."""
    if usable.count == usable.size:
        return postings.sizes(keys)
    mask, counts = usable.marks(), np.zeros(len(keys), np.int64)
    for segment in postings.segments():
        starts, sizes = segment.places(keys)
        for place in np.flatnonzero(sizes).tolist():
            docs = segment.docs[starts[place] : starts[place] + sizes[place]]
            counts[place] += np.count_nonzero(mask[docs])
    return counts


def held_terms(
    index: Index, keys: NDArray[np.uint32], docs: Docs
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Return which of the terms documents hold: each term's place in `keys`, each document's in `docs`, each count."""
    counts = index.terms.counts
    if not len(keys) or not len(docs) or counts is None:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0, np.uint8)
    low = np.zeros(1 << 16, np.bool_)  # most terms are told from the question's by half their bits
    low[keys & 0xFFFF] = True
    owners, at = index.terms.places(docs)
    found = index.terms.keys.all[at]
    like = np.flatnonzero(low[found.astype(np.uint16)])
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], found[like]), len(keys) - 1)
    same = keys[order][place] == found[like]
    like = like[same]
    return order[place[same]], owners[like].astype(np.int64), counts.all[at[like]]


def score_terms(
    index: Index,
    terms: Terms,
    docs: Docs,
    held: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]],
) -> tuple[Floats, Floats]:
    """Return BM25 over the summed term weight, and the share of that weight found, for documents."""
    which, place, counts = held
    scores, coverage = np.zeros(len(docs), np.float32), np.zeros(len(docs), np.float32)
    gain = terms.gain(counts.astype(np.float32), index.column("words")[docs[place]])
    for i, weight in enumerate(terms.weights):
        mine = which == i
        scores[place[mine]] += weight * gain[mine]
        coverage[place[mine]] += weight
    return scores, coverage


def best_by_words(index: Index, terms: Terms, usable: Usable, k: int) -> Docs:
    """Return up to k usable documents that score highest by words."""
    gains = STEP * terms.gain(*unpack_gain())
    kept = _affordable(terms.weights, index.words.sizes(terms.keys))
    tables = [np.rint(weight * gains).astype(np.uint16) for weight in terms.weights[kept]]
    with index.scratch() as (sums, _):
        for segment in index.words.segments():
            starts, sizes = segment.places(terms.keys[kept])
            codes = segment.counts
            if codes is None:
                continue
            for place in np.flatnonzero(sizes).tolist():
                start, end = int(starts[place]), int(starts[place] + sizes[place])
                for first in range(start, end, AT_ONCE):
                    part = slice(first, min(end, first + AT_ONCE))
                    np.add.at(sums, segment.docs[part].astype(np.intp), tables[place].take(codes[part]))
        best = leaders(sums, usable, SPARE * k)
    exact, _ = score_terms(index, terms, best, held_terms(index, terms.keys, best))
    return best[top(exact, best, k)]


def best_by_pieces(index: Index, likes: Likes, weights: Floats, usable: Usable, k: int) -> Docs:
    """Return up to k usable documents that score highest by pieces and their neighbours."""
    if not len(likes.own) or not weights.any():
        return np.zeros(0, np.int64)
    share = weights[likes.owner] * likes.values
    kept = _affordable(share, index.pieces.sizes(likes.keys))
    owner, keys = likes.owner[kept], likes.keys[kept]
    steps = np.rint(2 * STEP * share[kept] / weights.sum()).astype(np.uint16)
    with index.scratch() as (sums, row):
        segments = [(one, *one.places(keys)) for one in index.pieces.segments()]
        for piece in np.unique(owner).tolist():
            lists = range(*np.searchsorted(owner, [piece, piece + 1]).tolist())
            for segment, starts, sizes in segments:
                for place in lists:  # from the least like to the piece itself: the best is written last
                    if sizes[place]:
                        row[segment.docs[starts[place] : starts[place] + sizes[place]]] = steps[place]
            sums += row
            row.fill(0)
        best = leaders(sums, usable, SPARE * k)
    likeness, _ = likes.of_documents(index.tokens, best)
    return best[top(likes.mean(likeness, weights), best, k)]


def _affordable(worth: Floats, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the lists to be added up, in their order: all, or those of most worth."""
    if sizes.sum() <= MOST:
        return np.flatnonzero(sizes)
    order = np.argsort(-worth, kind="stable")
    costs = np.cumsum(sizes[order])
    return np.sort(order[: max(1, int(np.searchsorted(costs, MOST, side="right")))])


def leaders(sums: Sums, usable: Usable, k: int) -> Docs:
    """Return the usable documents of the k highest sums above 0."""
    if usable.count < usable.size:
        sums *= usable.marks().view(np.uint8)
    sample, found = sums[::SAMPLED], np.zeros(0, np.int64)
    rank = 2 * k // SAMPLED + 1  # about twice as many as are wanted are above this one of the sample
    if len(sample) > rank:
        floor = int(np.partition(sample, -rank)[-rank])
        found = np.flatnonzero(sums > floor)
        if len(found) < k and floor:  # of those that are equal, the newest do
            found = np.concatenate([found, np.flatnonzero(sums == floor)[len(found) - k :]])
    if len(found) < k:
        found = np.flatnonzero(sums)
    return found[top(sums[found], found, k)]


def top(scores: NDArray[np.number], docs: Docs, k: int) -> NDArray[np.int64]:
    """Return the places of the k highest scores above 0, best first; of equal ones the newest documents first."""
    there = np.flatnonzero(scores > 0)
    scores, docs = scores[there], docs[there]
    if len(there) > k:
        last = np.partition(scores, -k)[-k]
        above, tied = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
        newest = tied[np.argsort(-docs[tied], kind="stable")[: k - len(above)]]
        chosen = np.concatenate([above, newest])
        there, scores, docs = there[chosen], scores[chosen], docs[chosen]
    return there[np.lexsort((-docs, -scores))]
