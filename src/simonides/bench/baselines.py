"""Ranks turns in the ways that simonides has to beat, from the same texts; knows no store of ours and no metric.

All read a turn as "May 8, 2023. Ana: text": names and dates are worth several points to them. The vectors are those of
the full tier's own model, the mean over the tokens of "Ana: text".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.bench.stores import DEPTH
from simonides.parts import analyse, query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simonides.bench.caching import CachedReader
    from simonides.bench.cases import Conversation, Question, Turn

    Floats = NDArray[np.float32]

K1, B = 1.2, 0.75
"""BM25 as most systems ship it."""
RANKS = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009)."""
SPEAKER = 0.4
"""What it counts to be spoken by whom the question is about, beside cosines and BM25 of at most 1. The one number that
is chosen, and in the baseline's favour: the best of 0.1 to 0.7 on the mean of LoCoMo, BEAM and part of LongMemEval."""
WORDS, VECTORS, BOTH, SPOKEN, BY_RANKS = (
    "BM25",
    "cosine",
    "cosine + BM25",
    "cosine + BM25 + speaker",
    "rank fusion",
)
"""The baselines by the name in reports. A sum takes BM25 over its best; ranks are those of both."""
NAMES = (WORDS, VECTORS, BOTH, SPOKEN, BY_RANKS)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the baselines say of one question: turn ids by baseline, best first; the best cosine, as a gate."""

    ranked: Mapping[str, tuple[str, ...]]
    nearest: float


class Baselines:
    """The turns of one conversation, ready to be ranked."""

    def __init__(self, conversation: Conversation, reader: CachedReader) -> None:
        """Count the words of all turns and take their vectors."""
        self._conversation = conversation
        self._reader = reader
        self._counts = [Counter(analyse.terms(_dated(turn))) for turn in conversation.turns]
        self._lengths = np.array([sum(counts.values()) for counts in self._counts], np.float32)
        self._vectors = reader.pooled([said(turn) for turn in conversation.turns])
        self._postings: dict[int, tuple[NDArray[np.int64], Floats]] = {}
        places: dict[int, list[tuple[int, int]]] = {}
        for doc, counts in enumerate(self._counts):
            for term, often in counts.items():
                places.setdefault(term, []).append((doc, often))
        for term, found in places.items():
            docs, often = zip(*found, strict=True)
            self._postings[term] = (np.array(docs), np.array(often, np.float32))

    def rank(self, question: Question) -> Baseline:
        """Rank the turns that the question may use."""
        words, cosine = self.channels(question)
        seen = len(words)
        cc = cosine + words / max(float(words.max(initial=0.0)), 1e-9)
        scores = {
            WORDS: words,
            VECTORS: cosine,
            BOTH: cc,
            SPOKEN: cc + SPEAKER * self._speaker(question, seen),
            BY_RANKS: _inverse_ranks(words) + _inverse_ranks(cosine),
        }
        ranked = {name: self._ids(values) for name, values in scores.items()}
        return Baseline(ranked, float(cosine.max(initial=0.0)))

    def channels(self, question: Question) -> tuple[Floats, Floats]:
        """Return BM25 and the cosine of each turn that the question may use."""
        seen = self._conversation.seen_by(question)
        cosine = self._vectors[:seen] @ self._reader.ask(question.text).pooled
        return self._bm25(question.text, seen), cosine

    def _bm25(self, text: str, seen: int) -> Floats:
        scores = np.zeros(seen, np.float32)
        lengths = self._lengths[:seen]
        mean = max(float(lengths.mean()), 1.0) if seen else 1.0
        for term in dict.fromkeys(analyse.terms(text)):
            docs, often = self._postings.get(term, (np.zeros(0, np.int64), np.zeros(0, np.float32)))
            inside = docs < seen
            docs, often = docs[inside], often[inside]
            rare = np.log1p((seen - len(docs) + 0.5) / (len(docs) + 0.5))
            scores[docs] += rare * often * (K1 + 1) / (often + K1 * (1 - B + B * lengths[docs] / mean))
        return scores

    def _speaker(self, question: Question, seen: int) -> Floats:
        """The same reading of the question as ours: +1 spoken by whom it asks about, -1 by another person named."""
        turns = self._conversation.turns[:seen]
        asked = query.read(question.text, turns[-1].at) if turns else None
        if asked is None:
            return np.zeros(0, np.float32)
        present = {turn.speaker for turn in turns if turn.speaker}
        named = query.named_speakers(asked, present)
        clear = bool(named) and named != present
        wanted = {True: 1.0, False: -1.0} if clear else {True: 0.0, False: 0.0}
        by = {name: wanted[name in named] for name in present}
        for name in present:
            by[name] += (asked.asks_user and query.is_user(name)) + (
                asked.asks_assistant and query.is_assistant(name)
            )
        return np.array([by.get(turn.speaker, 0.0) for turn in turns], np.float32)

    def _ids(self, scores: Floats) -> tuple[str, ...]:
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        return tuple(self._conversation.turns[place].id for place in order.tolist())


def _inverse_ranks(scores: Floats) -> Floats:
    ranks = np.empty(len(scores), np.float32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return np.where(scores > 0, 1 / (RANKS + ranks), 0).astype(np.float32)


def said(turn: Turn) -> str:
    """Return a turn as it is embedded."""
    return f"{turn.speaker}: {turn.text}" if turn.speaker else turn.text


def _dated(turn: Turn) -> str:
    return f"{turn.at:%B} {turn.at.day}, {turn.at.year}. {said(turn)}"
