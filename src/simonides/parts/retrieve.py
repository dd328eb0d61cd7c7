"""Ask every channel, gather the candidates and measure them; knows no weights, no gate and writes nothing.

Scope, kinds, filters and both clocks come first, as a mask: what they leave out is never a candidate. A scope that is
small enough is measured whole; in a larger one the union of what each channel proposes is measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.index import ASKS, NONE_YET
from simonides.parts import analyse, codes, static
from simonides.parts.query import Question, is_assistant, is_user, named_speakers
from simonides.parts.signals import Measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.index import Index
    from simonides.parts.embed import States

    Floats = NDArray[np.float32]

K1, B = 1.0, 0.6
"""BM25: how fast repeats stop counting, and how much length counts; between what chat (.8, .2) and long answers
(1.2, .75) like."""
WHOLE = 1500
"""Scopes of at most so many memories are measured whole."""
PROPOSED = 160
"""Memories that each channel proposes in a larger scope."""
SAMPLED = 16
"""Every how many-th score is looked at to tell what the best ones are above."""
STOP_WEIGHT = 0.05
"""What a question's stop words count in the full tier, against 1 to 10 of a word that carries meaning."""
DAY = 86_400_000_000


@dataclass(slots=True)
class Channels:
    """What the channels found, over all documents of the index; kept for `explain`."""

    words: Floats
    coverage: Floats
    static: Floats
    weights: dict[int, float]
    took: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The documents that were measured, with what was measured."""

    docs: NDArray[np.int64]
    rows: NDArray[np.int64]
    measured: Measured
    considered: int
    took: dict[str, float]


def retrieve(
    index: Index, question: Question, allowed: NDArray[np.bool_], read: States | None, *, meaning: bool = True
) -> Candidates:
    """Return the candidates for a question among the allowed documents; call it under the index's lock.

    Args:
        index: the columns and lists of the store.
        question: the question as read.
        allowed: (documents,) mask.
        read: the question's token states, None where the full tier is off.
        meaning: False leaves the instant tier out too.
    """
    clock = _Watch()
    considered = int(np.count_nonzero(allowed))
    channels = Channels(*bm25(index, question.terms, allowed), np.zeros(index.size, np.float32), {})
    clock.lap(channels.took, "words")
    if meaning:
        channels.static, weights, _ = static.similar(question.pieces, index.pieces, allowed)
        channels.weights = dict(zip(question.pieces, weights.tolist(), strict=True))
    clock.lap(channels.took, "static")
    docs = propose(index, channels, allowed, considered, read)
    clock.lap(channels.took, "candidates")
    measured = measure(index, question, channels, docs, allowed, read)
    clock.lap(channels.took, "measure")
    return Candidates(docs, index.column("row")[docs], measured, considered, channels.took)


class _Watch:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self, took: dict[str, float], name: str) -> None:
        now = time.perf_counter()
        took[name] = (now - self._last) * 1000
        self._last = now


def bm25(index: Index, terms: tuple[int, ...], allowed: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return BM25 over the question's summed term weight, and the share of that weight found, for all documents."""
    scores, coverage = np.zeros(index.size, np.float32), np.zeros(index.size, np.float32)
    keys = np.array(terms, np.uint32)
    which, docs, counts = index.words.find(keys)
    inside = allowed[docs]
    which, docs, counts = which[inside], docs[inside], counts[inside]
    many = max(1, int(np.count_nonzero(allowed)))
    found = np.bincount(which, minlength=len(keys))
    weights = np.log1p((many - found + 0.5) / (found + 0.5)).astype(np.float32)
    total = float(weights.sum())
    if not total or not len(docs):
        return scores, coverage
    lengths = index.column("words")
    mean = max(1.0, float(lengths[allowed].mean()))
    often = counts.astype(np.float32)
    gain = often * (K1 + 1) / (often + K1 * (1 - B + B * lengths[docs] / mean))
    for i, weight in enumerate(weights / total):
        mine = which == i
        scores[docs[mine]] += weight * gain[mine]
        coverage[docs[mine]] += weight
    return scores, coverage


def propose(
    index: Index, channels: Channels, allowed: NDArray[np.bool_], considered: int, read: States | None
) -> NDArray[np.int64]:
    """Return the documents to measure: all allowed ones of a small scope, else the best of each channel."""
    if considered <= WHOLE:
        return np.flatnonzero(allowed)
    best = [_top(channels.words, PROPOSED), _top(channels.static, PROPOSED)]
    if read is not None and index.vectors is not None:
        best.append(index.vectors.nearest(read.pooled, allowed, PROPOSED).astype(np.int64))
    leading = np.concatenate([docs[: PROPOSED // 5] for docs in best])
    beside = np.concatenate([index.column("before")[leading], index.column("after")[leading]])
    best.append(beside[beside >= 0].astype(np.int64))
    docs = np.unique(np.concatenate(best))
    return docs[allowed[docs]]


def _top(scores: Floats, k: int) -> NDArray[np.int64]:
    """Return the documents of the k highest scores above 0, best first; exact, and without sorting them all."""
    found = np.zeros(0, np.int64)
    sample = scores[::SAMPLED]
    if len(sample) > k:
        # Whatever is above the k-th of a sample is far more than k, and holds the k best of all.
        found = np.flatnonzero(scores > max(0.0, float(np.partition(sample, -k)[-k])))
    if len(found) < k:
        found = np.flatnonzero(scores > 0)
    if len(found) > k:
        found = found[np.argpartition(scores[found], -k)[-k:]]
    return found[np.argsort(-scores[found], kind="stable")]


def measure(
    index: Index,
    question: Question,
    channels: Channels,
    docs: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    read: States | None,
) -> Measured:
    """Return everything that signals are made of, for the documents."""
    before = _beside(index.column("before")[docs], allowed)
    after = _beside(index.column("after")[docs], allowed)
    speakers = index.column("speaker")
    full, full_before, pooled = _full(index, channels, docs, before, read)
    named, user, assistant = _speakers(index, question, docs)
    replies = (
        (before >= 0) & (index.column("flags")[before] & ASKS > 0) & (speakers[before] != speakers[docs])
    )
    return Measured(
        words=channels.words[docs],
        coverage=channels.coverage[docs],
        static=channels.static[docs],
        full=full,
        pooled=pooled,
        words_before=_at(channels.words, before),
        words_after=_at(channels.words, after),
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


def _beside(docs: NDArray[np.int32], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where((docs >= 0) & allowed[docs], docs, -1).astype(np.int64)


def _at(values: Floats, docs: NDArray[np.int64]) -> Floats:
    return np.where(docs >= 0, values[docs], 0).astype(np.float32)


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
