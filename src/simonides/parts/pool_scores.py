"""Score a small pool of texts against a question: BM25, and likeness by the instant tier's table; knows no store.

For recipes whose formulas want the raw numbers that a search has summed already. Word statistics are those of the pool.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from simonides.parts import analyse
from simonides.parts.static import Likes

K1, B = 1.5, 0.75
"""Saturation and length of BM25."""


def terms(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, with repeats."""
    return analyse.stems([word for word in analyse.words(text) if word not in analyse.STOPS])


def bm25(question: str, pool: Mapping[str, str], *, k1: float = K1, b: float = B) -> dict[str, float]:
    """Return BM25 of each text that shares a term with the question, by id."""
    counts = {id: Counter(terms(text)) for id, text in pool.items()}
    asked = set(terms(question))
    holding = {term: sum(term in held for held in counts.values()) for term in asked}
    average = sum(held.total() for held in counts.values()) / max(1, len(counts)) or 1.0
    found: dict[str, float] = {}
    for id, held in counts.items():
        long = k1 * (1 - b + b * held.total() / average)
        score = math.fsum(
            math.log(1 + (len(pool) - holding[term] + 0.5) / (holding[term] + 0.5))
            * held[term]
            * (k1 + 1)
            / (held[term] + long)
            for term in sorted(asked & held.keys())
        )
        if score > 0:
            found[id] = score
    return found


def likeness(question: str, pool: Mapping[str, str]) -> dict[str, float]:
    """Return how like each text is to the question, in [0, 1]: the mean of its pieces' best likeness."""
    stops = analyse.stop_pieces()
    asked = dict.fromkeys(piece.token for piece in analyse.pieces(question) if piece.token not in stops)
    if not asked:
        return dict.fromkeys(pool, 0.0)
    likes = Likes.of(tuple(asked))
    found: dict[str, float] = {}
    for id, held in zip(pool, _pieces(list(pool.values())), strict=True):
        best = np.zeros(len(likes.own), np.float32)
        there = np.isin(likes.keys, held)
        np.maximum.at(best, likes.owner[there], likes.values[there])
        found[id] = float(best.mean())
    return found


def _pieces(texts: Sequence[str]) -> list[list[int]]:
    return [[piece.token for piece in analyse.pieces(text)] for text in texts]
