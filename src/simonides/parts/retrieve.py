"""Ask every channel, gather the candidates and measure them; knows no weights, no gate and writes nothing.

Scope, kinds, filters and both clocks come first: what they leave out is never a candidate. A scope that is small
enough is measured whole; in a larger one the union of what each channel proposes is measured. Few documents are
scored by what each of them holds, many by the lists of the question's words (`parts.tally`).
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.index import ASKS, NONE_YET
from simonides.parts import analyse, codes, static, tally
from simonides.parts.query import Question, is_assistant, is_user, named_speakers
from simonides.parts.signals import Measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.index import Index
    from simonides.ledger.masks import Usable
    from simonides.parts.embed import States

    Floats = NDArray[np.float32]
    Docs = NDArray[np.int64]

WHOLE = 1500
"""Scopes of at most so many memories are measured whole."""
PROPOSED = 160
"""Memories that each channel proposes in a larger scope."""
NEAREST = 3 * PROPOSED
"""Vectors that are nearest by their short codes, of which the nearest by their exact ones are proposed."""
STOP_WEIGHT = 0.05
"""What a question's stop words count in the full tier, against 1 to 10 of a word that carries meaning."""
DAY = 86_400_000_000


@dataclass(slots=True)
class Channels:
    """What the channels say of some documents.

    Attributes:
        docs: which, ascending.
        words, coverage, static: what each channel says of them.
        weights: how much each of the question's pieces counts.
        took: milliseconds by step.
    """

    docs: Docs
    words: Floats
    coverage: Floats
    static: Floats
    weights: dict[int, float]
    took: dict[str, float] = field(default_factory=dict[str, float])

    def at(self, values: Floats, docs: Docs) -> Floats:
        """Return the values of documents, 0 for -1; all others must be among `docs`."""
        if not len(self.docs):
            return np.zeros(len(docs), np.float32)
        place = np.minimum(np.searchsorted(self.docs, docs), len(self.docs) - 1)
        return np.where(docs >= 0, values[place], 0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The documents that were measured, with what was measured."""

    docs: Docs
    rows: NDArray[np.int64]
    measured: Measured
    considered: int
    took: dict[str, float]


def retrieve(
    index: Index, question: Question, usable: Usable, read: States | None, *, meaning: bool = True
) -> Candidates:
    """Return the candidates for a question among the usable documents; call it under the index's lock.

    Args:
        index: the columns and lists of the store.
        question: the question as read.
        usable: the documents that may be used.
        read: the question's token states, None where the full tier is off.
        meaning: False leaves the instant tier out too.
    """
    likes = static.Likes.of(question.pieces if meaning else ())
    if usable.docs is not None:
        channels = score_few(index, question, likes, usable.docs, usable)
        clock = _Watch()
        docs = propose(index, channels, usable, read)
    else:
        channels, docs, clock = score_many(index, question, likes, usable, read)
    clock.lap(channels.took, "candidates")
    measured = measure(index, question, channels, docs, usable, read)
    clock.lap(channels.took, "measure")
    return Candidates(docs, index.column("row")[docs], measured, usable.count, channels.took)


class _Watch:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self, took: dict[str, float], name: str) -> None:
        now = time.perf_counter()
        took[name] = took.get(name, 0.0) + (now - self._last) * 1000
        self._last = now


def score_few(index: Index, question: Question, likes: static.Likes, docs: Docs, usable: Usable) -> Channels:
    """Return what the channels say of all usable documents, by what each of them holds."""
    clock, took = _Watch(), dict[str, float]()
    keys = np.array(question.terms, np.uint32)
    held = tally.held_terms(index, keys, docs)
    terms = tally.Terms.of(keys, np.bincount(held[0], minlength=len(keys)), usable)
    words, coverage = tally.score_terms(index, terms, docs, held)
    clock.lap(took, "words")
    likeness, counts = likes.of_documents(index.tokens, docs)
    weights = tally.weigh(counts, max(1, usable.count))
    scores = likes.mean(likeness, weights)
    clock.lap(took, "static")
    return Channels(docs, words, coverage, scores, _by_piece(likes, weights), took)


def score_many(
    index: Index, question: Question, likes: static.Likes, usable: Usable, read: States | None
) -> tuple[Channels, Docs, _Watch]:
    """Return what the channels say of the documents that they propose and of those beside them; and the former."""
    with _Nearest(index, usable, read) as nearest:
        return _score_many(index, question, likes, usable, nearest)


def _score_many(
    index: Index, question: Question, likes: static.Likes, usable: Usable, nearest: _Nearest
) -> tuple[Channels, Docs, _Watch]:
    clock, took = _Watch(), dict[str, float]()
    keys = np.array(question.terms, np.uint32)
    terms = tally.Terms.of(keys, tally.standing(index.words, keys, usable), usable)
    best = [tally.best_by_words(index, terms, usable, PROPOSED)]
    clock.lap(took, "words")
    weights = tally.weigh(
        tally.standing(index.pieces, likes.own.astype(np.uint32), usable), max(1, usable.count)
    )
    best.append(tally.best_by_pieces(index, likes, weights, usable, PROPOSED))
    clock.lap(took, "static")
    docs = _gathered(index, best, usable, nearest)
    beside = np.concatenate([index.column("before")[docs], index.column("after")[docs]]).astype(np.int64)
    near = np.union1d(docs, beside[usable.has(beside)])
    words, coverage = tally.score_terms(index, terms, near, tally.held_terms(index, keys, near))
    likeness, _ = likes.of_documents(index.tokens, docs)
    scores = np.zeros(len(near), np.float32)
    scores[np.searchsorted(near, docs)] = likes.mean(likeness, weights)
    return Channels(near, words, coverage, scores, _by_piece(likes, weights), took), docs, clock


def _by_piece(likes: static.Likes, weights: Floats) -> dict[int, float]:
    return dict(zip(likes.own.tolist(), weights.tolist(), strict=True))


def propose(index: Index, channels: Channels, usable: Usable, read: States | None) -> Docs:
    """Return the documents to measure: all of a small scope, else the best of each channel."""
    if usable.count <= WHOLE:
        return channels.docs
    scores = (channels.words, channels.static)
    best = [channels.docs[tally.top(one, channels.docs, PROPOSED)] for one in scores]
    with _Nearest(index, usable, read) as nearest:
        return _gathered(index, best, usable, nearest)


class _Nearest:
    """The usable documents with the nearest vectors, looked for beside other work: the search lets go of Python's lock.

    At a million memories that takes a quarter off a search, and it needs no second processor to be right.
    """

    def __init__(self, index: Index, usable: Usable, read: States | None) -> None:
        self._index = index
        self._read = read
        self._beside: ThreadPoolExecutor | None = None
        if read is not None and index.vectors is not None and usable.count > WHOLE:
            self._beside = ThreadPoolExecutor(1, "nearest")
            self._found = self._beside.submit(index.vectors.nearest, read.pooled, usable.marks(), NEAREST)

    def __enter__(self) -> _Nearest:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait: nobody may look at the vectors once the index's lock is given back."""
        if self._beside is not None:
            self._beside.shutdown()

    def docs(self) -> Docs | None:
        """Return the `PROPOSED` nearest by their exact vectors, best first; None without vectors."""
        if self._beside is None or self._read is None:
            return None
        found = self._found.result().astype(np.int64)
        exact = self._index.cosines(found, self._read.pooled)
        return found[np.argsort(-exact, kind="stable")[:PROPOSED]]


def _gathered(index: Index, best: list[Docs], usable: Usable, near: _Nearest) -> Docs:
    """Return the usable ones among the best of each channel, the nearest vectors, and what stands beside the first."""
    if (nearest := near.docs()) is not None:
        best.append(nearest)
    leading = np.concatenate([docs[: PROPOSED // 5] for docs in best])
    beside = np.concatenate([index.column("before")[leading], index.column("after")[leading]])
    docs = np.unique(np.concatenate([*best, beside]).astype(np.int64))
    return docs[usable.has(docs)]


def measure(
    index: Index,
    question: Question,
    channels: Channels,
    docs: Docs,
    usable: Usable,
    read: States | None,
) -> Measured:
    """Return everything that signals are made of, for the documents."""
    before = _beside(index.column("before")[docs], usable)
    after = _beside(index.column("after")[docs], usable)
    speakers = index.column("speaker")
    full, full_before, pooled = _full(index, channels, docs, before, read)
    named, user, assistant = _speakers(index, question, docs)
    replies = (
        (before >= 0) & (index.column("flags")[before] & ASKS > 0) & (speakers[before] != speakers[docs])
    )
    return Measured(
        words=channels.at(channels.words, docs),
        coverage=channels.at(channels.coverage, docs),
        static=channels.at(channels.static, docs),
        full=full,
        pooled=pooled,
        words_before=channels.at(channels.words, before),
        words_after=channels.at(channels.words, after),
        full_before=full_before,
        replies=replies.astype(np.float32),
        people=index.people(docs),
        named=named,
        user=user,
        assistant=assistant,
        wants_user=question.asks_user,
        wants_assistant=question.asks_assistant,
        asks=(index.column("flags")[docs] & ASKS).astype(np.float32),
        length=np.log1p(index.column("words")[docs]).astype(np.float32),
        date=_dated(index.column("valid_from")[docs], question),
    )


def _beside(docs: NDArray[np.int32], usable: Usable) -> Docs:
    return np.where(usable.has(docs), docs, -1).astype(np.int64)


def _full(
    index: Index, channels: Channels, docs: NDArray[np.int64], before: NDArray[np.int64], read: States | None
) -> tuple[Floats | None, Floats, Floats | None]:
    nothing = np.zeros(len(docs), np.float32)
    if read is None or index.model is None or not len(docs):
        return None, nothing, None
    packed, sizes = index.codes(docs)
    if not (sizes != NONE_YET).any():
        return None, nothing, None
    full = None
    if len(packed) and len(read.tokens):  # a model of pooled vectors gives none
        asked = codes.ask(read.states, _weights(read, channels))
        full = codes.maxsim(asked, packed, sizes)
    beside = nothing
    if full is not None:
        place = {doc: i for i, doc in enumerate(docs.tolist())}
        known = np.array([place.get(doc, -1) for doc in before.tolist()])
        beside = np.where(known >= 0, np.nan_to_num(full)[known], 0).astype(np.float32)
    return full, beside, index.cosines(docs, read.pooled)


def _weights(read: States, channels: Channels) -> Floats:
    stops = analyse.stop_pieces()
    weigh = channels.weights
    return np.array(
        [STOP_WEIGHT if t in stops else weigh.get(t, 1.0) for t in read.tokens.tolist()], np.float32
    )


def _speakers(index: Index, question: Question, docs: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    spoken = index.column("speaker")[docs]
    present = np.unique(spoken)
    numbers: list[int] = present.tolist()
    names = [index.speakers[number] for number in numbers]
    named = named_speakers(question, names)
    sign = np.array(
        [0.0 if not named or not name else 1.0 if name in named else -1.0 for name in names], np.float32
    )
    if named and all(name in named for name in names if name):
        sign[:] = 0
    user = np.array([is_user(name) for name in names], np.float32)
    assistant = np.array([is_assistant(name) for name in names], np.float32)
    at = np.searchsorted(present, spoken)
    return (sign[at], user[at], assistant[at]) if len(present) else (sign, user, assistant)


def _dated(said: NDArray[np.int64], question: Question) -> Floats:
    near = np.zeros(len(said), np.float32)
    for dated in question.dates:
        start, end = dated.start.timestamp() * 1e6, dated.end.timestamp() * 1e6
        off = np.maximum(0, np.maximum(start - said, said - end))
        near = np.maximum(near, np.exp(-off / max(DAY, (end - start) / 2)))
    return near.astype(np.float32)
