"""The instant tier: MaxSim over static token vectors, through lists of near neighbours; knows no store.

Each wordpiece has its nearest others with their cosines, computed once from a table distilled from MiniLM (model2vec
style). A memory scores, for each piece of a question, the cosine of the best of its own pieces: over inverted lists
that is exact down to the last listed neighbour, for every memory at once, in the millisecond it was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.forward import Forward

    Floats = NDArray[np.float32]
    Docs = NDArray[np.int64]

NEAR = 48
"""Neighbours of a piece that are looked up."""
BELOW_SELF = np.float32(0.999)
"""No other piece counts as much as the piece itself."""
LEAST = 0.3
"""Cosines up to this are what unrelated words have; a likeness counts from there on, up to 1 for the piece itself."""


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    folder = resources.files("simonides").joinpath("data/static")
    with (
        folder.joinpath("neighbours.npy").open("rb") as near,
        folder.joinpath("cosines.npy").open("rb") as cosine,
    ):
        return np.load(near), np.load(cosine)


@dataclass(frozen=True, slots=True)
class Likes:
    """What is like each piece of a question: by piece, and for each from the least like to the piece itself.

    Attributes:
        own: (pieces,) the question's pieces.
        owner: whose neighbour a key is: a place in `own`.
        keys: pieces that are like it.
        values: how much, up to 1.
    """

    own: NDArray[np.int64]
    owner: NDArray[np.int32]
    keys: NDArray[np.uint32]
    values: Floats

    @classmethod
    def of(cls, pieces: tuple[int, ...]) -> Likes:
        """Look up the neighbours of pieces."""
        near, cosine = _table()
        own = np.array(pieces, np.int64)
        keys = np.concatenate([near[own, :NEAR].astype(np.uint32), own[:, None].astype(np.uint32)], axis=1)
        alike = np.clip((cosine[own, :NEAR] / np.float32(255) - LEAST) / (1 - LEAST), 0, BELOW_SELF)
        values = np.concatenate([alike, np.ones((len(own), 1), np.float32)], axis=1)
        owner = np.repeat(np.arange(len(own), dtype=np.int32), keys.shape[1])
        flat_keys, flat_values = keys.ravel(), values.ravel().astype(np.float32)
        kept = flat_values > 0
        owner, flat_keys, flat_values = owner[kept], flat_keys[kept], flat_values[kept]
        order = np.lexsort((flat_values, owner))
        return cls(own, owner[order], flat_keys[order], flat_values[order])

    def of_documents(self, tokens: Forward, docs: Docs) -> tuple[Floats, NDArray[np.int64]]:
        """Return the likeness of each document to each piece (documents, pieces), and in how many each piece stands."""
        likeness = np.zeros((len(docs), len(self.own)), np.float32)
        if not len(self.own) or not len(docs):
            return likeness, np.zeros(len(self.own), np.int64)
        keys = np.unique(self.keys)
        table = np.zeros((len(keys) + 1, len(self.own)), np.float32)
        np.maximum.at(table, (np.searchsorted(keys, self.keys) + 1, self.owner), self.values)
        place = np.zeros(len(_table()[0]), np.uint16)  # of each piece in the table, 0 for those like none
        place[keys] = np.arange(1, len(keys) + 1)
        owners, at = tokens.places(docs)
        found = place[tokens.keys.all[at]]
        like = np.flatnonzero(found)
        found, owners = found[like], owners[like]
        if len(found):
            starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
            likeness[owners[starts]] = np.maximum.reduceat(table[found], starts, axis=0)
        return likeness, np.bincount(found, minlength=len(table))[place[self.own]]

    def mean(self, likeness: Floats, weights: Floats) -> Floats:
        """Return the weighted mean over the pieces, in [0, 1], summed in their order."""
        scores = np.zeros(len(likeness), np.float32)
        for i, weight in enumerate(weights):
            scores += weight * likeness[:, i]
        total = float(weights.sum())
        return scores / total if total else scores
