"""The object for asyncio, driven by the contract of all doors."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from simonides import AsyncMemory, Memory
from simonides.clock import parse_time
from simonides.errors import NotFound


class Asynchronous:
    """`simonides.AsyncMemory`."""

    gates = corrects = True

    def __init__(self, memory: AsyncMemory) -> None:
        self.memory = memory

    def remember(self, text: str, at: str) -> str:
        return asyncio.run(self.memory.add(text, at=parse_time(at, "at"))).id

    def recall(self, query: str) -> list[str]:
        return [hit.memory.text for hit in asyncio.run(self.memory.search(query))]

    def read(self, id: str) -> str | None:
        try:
            return asyncio.run(self.memory.get(id)).text
        except NotFound:
            return None

    def correct(self, id: str, text: str) -> None:
        asyncio.run(self.memory.update(id, text))

    def forget(self, id: str) -> None:
        asyncio.run(self.memory.retire(id))


@contextmanager
def opened(path: str) -> Generator[Asynchronous]:
    """Open the store in this process."""
    with Memory(path) as memory:
        yield Asynchronous(AsyncMemory(memory))
