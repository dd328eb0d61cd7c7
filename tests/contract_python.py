"""The object itself, driven by the contract of all doors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from simonides import Memory
from simonides.clock import parse_time
from simonides.errors import NotFound


class Python:
    """`simonides.Memory`."""

    gates = corrects = True

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def remember(self, text: str, at: str) -> str:
        return self.memory.add(text, at=parse_time(at, "at")).id

    def recall(self, query: str) -> list[str]:
        return [hit.memory.text for hit in self.memory.search(query)]

    def read(self, id: str) -> str | None:
        try:
            return self.memory.get(id).text
        except NotFound:
            return None

    def correct(self, id: str, text: str) -> None:
        self.memory.update(id, text)

    def forget(self, id: str) -> None:
        self.memory.retire(id)


@contextmanager
def opened(path: str) -> Generator[Python]:
    """Open the store in this process."""
    with Memory(path) as memory:
        yield Python(memory)
