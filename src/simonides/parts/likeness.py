"""How alike two texts are without a model: shared words and words that mean nearly the same; knows no store.

Soft: each wordpiece is worth its best likeness in the other text, by the shipped table of neighbours (`parts.static`),
and rare ones count more. For the neighbours of one text; a search has better means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING

import numpy as np

from simonides.parts.analyse import STOPS, pieces, stems, stop_pieces, words
from simonides.parts.static import Likes

if TYPE_CHECKING:
    from numpy.typing import NDArray

RAREST = 30_522
"""Size of the vocabulary, whose numbers grow as words get rarer."""


class Likeness:
    """One text, ready to be held against others."""

    def __init__(self, text: str) -> None:
        self._own = _tokens(text)
        likes = Likes.of(self._own)
        order = np.argsort(likes.keys, kind="stable")
        self._keys, self._owners, self._values = likes.keys[order], likes.owner[order], likes.values[order]

    def to(self, text: str) -> float:
        """Return how alike a text is, in [0, 1]: the mean of both directions, 1 for the same words."""
        theirs = _tokens(text)
        if not theirs or not self._own:
            return 0.0
        starts, ends = (
            np.searchsorted(self._keys, np.array(theirs, np.uint32), side) for side in ("left", "right")
        )
        mine, back = [0.0] * len(self._own), [0.0] * len(theirs)
        for place, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            if start == end:
                continue
            values: list[float] = self._values[start:end].tolist()
            back[place] = max(values)
            owners: list[int] = self._owners[start:end].tolist()
            for owner, value in zip(owners, values, strict=True):
                mine[owner] = max(mine[owner], value)
        return (_mean(mine, self._own) + _mean(back, theirs)) / 2


@lru_cache(maxsize=32_768)
def rarity(token: int) -> float:
    """Return how much a wordpiece counts, in (0, 1]: its place in the vocabulary, on a scale of logarithms.

    >>> rarity(2000) < rarity(20000)
    True
    """
    return log(1 + max(token - 996, 1)) / log(RAREST)


def term_vectors(texts: Mapping[str, str]) -> dict[str, NDArray[np.float32]]:
    """Return the counts of each text's stems as vectors over the words of all of them, by id."""
    terms = {id: stems(word for word in words(text) if word not in STOPS) for id, text in texts.items()}
    places = {
        term: place for place, term in enumerate(sorted({t for found in terms.values() for t in found}))
    }
    vectors = {id: np.zeros(max(1, len(places)), np.float32) for id in texts}
    for id, found in terms.items():
        for term in found:
            vectors[id][places[term]] += 1
    return vectors


def _mean(values: Iterable[float], tokens: tuple[int, ...]) -> float:
    weights = [rarity(token) for token in tokens]
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


@lru_cache(maxsize=8192)
def _tokens(text: str) -> tuple[int, ...]:
    stops = stop_pieces()
    return tuple(dict.fromkeys(piece.token for piece in pieces(text) if piece.token not in stops))
