"""What readers of one vector a text give: no token states, a unit vector; knows no model and no store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simonides.parts.embed import States

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MULTIPLE = 8
"""The quantised index takes dimensions that this divides; zeros are added to others, which changes no cosine."""


def padded(dimension: int) -> int:
    """Return the dimension that vectors of a dimension are kept in."""
    return -(-dimension // MULTIPLE) * MULTIPLE


def pooled_only(vectors: Floats) -> list[States]:
    """Return each row of (texts, dimension) as states without tokens: unit length, padded; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float32)
    vectors = np.pad(vectors, ((0, 0), (0, padded(vectors.shape[1]) - vectors.shape[1])))
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    tokens, states = np.zeros(0, np.uint16), np.zeros((0, vectors.shape[1]), np.float32)
    return [States(tokens, states, vector) for vector in vectors]
