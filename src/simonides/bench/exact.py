"""The ranking that a search approximates: every document and every vector measured; knows no shortcut.

Slow on purpose. The fusion is the one that searches use, so what differs is only what the shortcuts miss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.held import NONE_YET
from simonides.parts import static, tally
from simonides.parts.retrieve import PROPOSED, WHOLE, Candidates, Channels, measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simonides.ledger.index import Index
    from simonides.ledger.masks import Usable
    from simonides.parts.embed import States
    from simonides.parts.query import Question

    Floats = NDArray[np.float32]
    Docs = NDArray[np.int64]

AT_ONCE = 1 << 15


def exhaustive(
    index: Index, question: Question, usable: Usable, read: States | None, *, whole: bool = False
) -> Candidates:
    """Return the candidates that exact channels propose, or with `whole` all usable documents, as measured.

    Call it under the lock of the index.
    """
    docs = usable.numbers()
    likes = static.Likes.of(question.pieces)
    words, coverage = bm25(index, question.terms, usable)
    alike, weights = similar(index, likes, usable)
    pieces = dict(zip(question.pieces, weights.tolist(), strict=True))
    channels = Channels(docs, words, coverage, alike, pieces)
    if not whole and usable.count > WHOLE:
        docs = proposed(index, channels, usable, read)
    measured = measure(index, question, channels, docs, usable, read)
    return Candidates(docs, index.column("row")[docs], measured, usable.count, channels.took)


def proposed(index: Index, channels: Channels, usable: Usable, read: States | None) -> Docs:
    """Return the best of each channel and what stands beside the first of them."""
    best = [channels.docs[tally.top(s, channels.docs, PROPOSED)] for s in (channels.words, channels.static)]
    if read is not None and index.vectors is not None:
        best.append(nearest(index, read.pooled, usable, PROPOSED))
    leading = np.concatenate([docs[: PROPOSED // 5] for docs in best])
    beside = np.concatenate([index.column("before")[leading], index.column("after")[leading]])
    docs = np.unique(np.concatenate([*best, beside]).astype(np.int64))
    return docs[usable.has(docs)]


def _blocks(docs: Docs) -> Iterator[Docs]:
    return (docs[start : start + AT_ONCE] for start in range(0, len(docs), AT_ONCE))


def bm25(index: Index, terms: tuple[int, ...], usable: Usable) -> tuple[Floats, Floats]:
    """Return BM25 over the summed term weight, and the share of that weight found, for all usable documents."""
    keys, docs = np.array(terms, np.uint32), usable.numbers()
    held = [tally.held_terms(index, keys, block) for block in _blocks(docs)]
    counts = sum((np.bincount(one[0], minlength=len(keys)) for one in held), np.zeros(len(keys), np.int64))
    asked = tally.Terms.of(keys, counts, usable)
    found = [tally.score_terms(index, asked, *one) for one in zip(_blocks(docs), held, strict=True)]
    nothing = np.zeros(0, np.float32)
    return np.concatenate([nothing, *(one[0] for one in found)]), np.concatenate(
        [nothing, *(one[1] for one in found)]
    )


def similar(index: Index, likes: static.Likes, usable: Usable) -> tuple[Floats, Floats]:
    """Return the weighted MaxSim of all usable documents with the question's pieces, and what each piece weighs."""
    found = [likes.of_documents(index.tokens, block) for block in _blocks(usable.numbers())]
    counts = sum((one[1] for one in found), np.zeros(len(likes.own), np.int64))
    weights = tally.weigh(counts, max(1, usable.count))
    scores = [likes.mean(one[0], weights) for one in found]
    return np.concatenate([np.zeros(0, np.float32), *scores]), weights


def nearest(index: Index, query: Floats, usable: Usable, k: int) -> Docs:
    """Return the documents whose vectors, as the store keeps them, are nearest."""
    docs = usable.numbers()
    docs = docs[index.column("code_size")[docs] != NONE_YET]
    parts = [index.cosines(block, query) for block in _blocks(docs)]
    cosines = np.nan_to_num(np.concatenate([np.zeros(0, np.float32), *parts]), nan=-2.0)
    return docs[tally.top(cosines + 3, docs, k)]
