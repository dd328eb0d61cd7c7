"""A reader for tests and trials: vectors are made of hashed words; knows no meaning, loads nothing, is never random."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from simonides.errors import InputError
from simonides.parts import analyse
from simonides.parts.pooled import padded, pooled_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simonides.parts.embed import States
    from simonides.types import Json


class HashReader:
    """Gives each text the sum of its words' signed places: texts that share words are near, synonyms are not.

    Deterministic over processes and machines, in microseconds; fits `parts.embed.Reader`:
    ``Memory(embedder=HashReader())``. Two readers of different dimension or name are different models.

    Args:
        dimension: length of the vectors; kept as the next multiple of 8.
        name: what the identity says.
    """

    def __init__(self, dimension: int = 256, *, name: str = "hash") -> None:
        if dimension < 1:
            raise InputError("dimension", "must be at least 1", dimension)
        self.dimension = dimension
        self.name = name
        self.texts_read = 0

    def identity(self) -> Mapping[str, Json]:
        """Return what makes its vectors comparable."""
        dimension = padded(self.dimension)
        return {"name": self.name, "revision": "1", "dimension": dimension, "normalised": True, "prefix": ""}

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return a pooled vector of each text; the text before it is not read."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, (_, text) in enumerate(texts):
            for word in analyse.stems(analyse.words(text)):
                place = crc32(word.encode("utf-8", "surrogatepass"))
                vectors[row, (place >> 1) % self.dimension] += 1.0 if place & 1 else -1.0
        self.texts_read += len(texts)
        return pooled_only(vectors)
