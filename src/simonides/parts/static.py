"""The instant tier: MaxSim over static token vectors, through lists of near neighbours; knows no store.

Each wordpiece has its nearest others with their cosines, computed once from a table distilled from MiniLM (model2vec
style). A memory scores, for each piece of a question, the cosine of the best of its own pieces: over inverted lists
that is exact down to the last listed neighbour, for every memory at once, in the millisecond it was written.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger.postings import Postings

    Floats = NDArray[np.float32]

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


def similar(
    pieces: tuple[int, ...], postings: Postings, allowed: NDArray[np.bool_]
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return for each document the weighted MaxSim with the question's pieces, in [0, 1].

    Returns:
        the scores (documents,); the weight of each piece, its inverse document frequency among the allowed; and in
        how many allowed documents each piece stands.
    """
    size, many = len(allowed), max(1, int(allowed.sum()))
    which, docs, cosines, counts = _entries(pieces, postings, allowed)
    weights = np.log1p((many - counts + 0.5) / (counts + 0.5)).astype(np.float32)
    scores = np.zeros(size, np.float32)
    row = np.zeros(size, np.float32)
    for i, weight in enumerate(weights):
        mine = slice(*np.searchsorted(which, [i, i + 1]))
        row[docs[mine]] = cosines[mine]  # ascending, so the best of a document is written last
        scores += weight * row
        row[docs[mine]] = 0
    total = float(weights.sum())
    return scores / total if total else scores, weights, counts


def _entries(
    pieces: tuple[int, ...], postings: Postings, allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, NDArray[np.int64]]:
    near, cosine = _table()
    own = np.array(pieces, np.int64)
    keys = np.concatenate([near[own, :NEAR].astype(np.uint32), own[:, None].astype(np.uint32)], axis=1)
    alike = np.clip((cosine[own, :NEAR] / np.float32(255) - LEAST) / (1 - LEAST), 0, BELOW_SELF)
    values = np.concatenate([alike, np.ones((len(own), 1), np.float32)], axis=1)
    flat_keys, flat_values = keys.ravel(), values.ravel().astype(np.float32)
    kept = flat_values > 0
    owner = np.repeat(np.arange(len(own), dtype=np.int32), keys.shape[1])[kept]
    flat_keys, flat_values = flat_keys[kept], flat_values[kept]
    order = np.lexsort((flat_values, owner))
    owner, flat_keys, flat_values = owner[order], flat_keys[order], flat_values[order]
    at, docs, _ = postings.find(flat_keys)
    inside = allowed[docs]
    at, docs = at[inside], docs[inside]
    sorted_at = np.argsort(at, kind="stable")  # several segments come one after the other
    at, docs = at[sorted_at], docs[sorted_at]
    exact = flat_values[at] >= 1.0
    counts = np.bincount(owner[at[exact]], minlength=len(own)).astype(np.int64)
    return owner[at], docs, flat_values[at], counts
