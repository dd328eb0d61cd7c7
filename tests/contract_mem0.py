"""The drop-in for mem0's class, driven by the contract of all doors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from simonides.compat.mem0 import Memory


class Mem0:
    """`simonides.compat.mem0.Memory`, with the calls of mem0's second generation."""

    gates = corrects = True

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def remember(self, text: str, at: str) -> str:
        (added,) = self.memory.add(text, user_id="ana", timestamp=at)["results"]
        return str(added["id"])

    def recall(self, query: str) -> list[str]:
        return [
            str(one["memory"]) for one in self.memory.search(query, filters={"user_id": "ana"})["results"]
        ]

    def read(self, id: str) -> str | None:
        found = self.memory.get(id)
        return None if found is None else str(found["memory"])

    def correct(self, id: str, text: str) -> None:
        self.memory.update(id, text)

    def forget(self, id: str) -> None:
        self.memory.delete(id)


@contextmanager
def opened(path: str) -> Generator[Mem0]:
    """Open the store in this process."""
    with Memory.from_config({"path": path}) as memory:
        yield Mem0(memory)
