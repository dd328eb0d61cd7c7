"""Fills stores with made-up memories, and with what the full tier would say of them; measures nothing.

The model reads some hundred memories a second, so a hundred thousand would take minutes. Instead it reads `READ` of
them, and each memory gets the codes of one of these with noise on them: each sign turned with a chance of `TURNED`,
the pooled vector moved a little. Sizes, and the work of a search, are those of codes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger import Code
from simonides.ledger.index import pack_vector, unpack_vectors
from simonides.memory import Memory
from simonides.parts import codes, embed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from simonides.bench.generate import Generator, Made
    from simonides.settings import Settings

READ = 2_000
TURNED = 0.05
MOVED = 0.02
"""Deviation of the noise on each of the 384 coordinates; their own is 0.05."""
AT_ONCE = 5_000
EVERYTHING = "everything"
"""The project of all memories, to search them as one scope."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the model said of some memories, as the store keeps it."""

    pooled: Sequence[bytes]
    states: Sequence[bytes]


def read(made: Sequence[Made]) -> Read:
    """Return what the full tier keeps of memories, read one by one with the one before."""
    model = embed.MiniLM()
    said = [f"{one.speaker}: {one.text}" for one in made]
    before = ["", *said[:-1]]
    found: list[embed.States] = []
    for start in range(0, len(made), 64):
        found += model.read(list(zip(before, said, strict=True))[start : start + 64])
    return Read([pack_vector(one.pooled) for one in found], [codes.encode(one) for one in found])


def fill(memory: Memory, generator: Generator, many: int, step: Callable[[int], object]) -> int:
    """Write memories of users who each have some; return the bytes of their texts."""
    size = 0
    for start in range(0, many, AT_ONCE):
        made = generator.memories(min(AT_ONCE, many - start))
        memory.add_many({**one._asdict(), "project": EVERYTHING} for one in made)
        size += sum(len(one.text.encode()) for one in made)
        step(len(made))
    return size


def give_codes(memory: Memory, given: Read, seed: int, step: Callable[[int], object]) -> None:
    """Give codes to all memories that have none, from those of `given` with noise."""
    rng = np.random.default_rng(seed)
    model = memory.ledger.model_id(embed.identity(), create=True)
    while rows := memory.ledger.backlog(AT_ONCE):
        chosen = rng.integers(len(given.pooled), size=len(rows))
        vectors = unpack_vectors([given.pooled[i] for i in chosen])
        vectors = vectors + rng.normal(0, MOVED, vectors.shape).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        made = [
            Code(row, pack_vector(vector), _noisy(given.states[i], rng), b"")
            for row, i, vector in zip(rows, chosen.tolist(), vectors, strict=True)
        ]
        memory.ledger.put_codes(model, made)
        step(len(rows))


def _noisy(packed: bytes, rng: np.random.Generator) -> bytes:
    bits = np.frombuffer(packed, np.uint8)
    turned = np.packbits(rng.random(8 * len(bits), np.float32) < TURNED)
    return (bits ^ turned).tobytes()


def opened(path: Path, settings: Settings) -> Memory:
    """Return a store that is open, made if need be."""
    return Memory(path, settings=settings)
