"""AutoGen's memory, driven by the contract of all doors."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from autogen_core.memory import MemoryContent, MemoryMimeType

from simonides.compat.autogen import SimonidesMemory
from simonides.errors import NotFound


class AutoGen:
    """`simonides.compat.autogen.SimonidesMemory`.

    AutoGen has no word for one entry: reading and ending one is asked of the store below, by the id that a query shows.
    """

    gates = True
    corrects = False

    def __init__(self, memory: SimonidesMemory) -> None:
        self.memory = memory

    def remember(self, text: str, at: str) -> str:
        entry = MemoryContent(content=text, mime_type=MemoryMimeType.TEXT, metadata={"said": at})
        asyncio.run(self.memory.add(entry))
        return self.memory.store.list(newest_first=True, limit=1)[0].id

    def recall(self, query: str) -> list[str]:
        return [str(entry.content) for entry in asyncio.run(self.memory.query(query)).results]

    def read(self, id: str) -> str | None:
        try:
            return self.memory.store.get(id).text
        except NotFound:
            return None

    def correct(self, id: str, text: str) -> None:
        raise NotImplementedError

    def forget(self, id: str) -> None:
        self.memory.store.retire(id)


@contextmanager
def opened(path: str) -> Generator[AutoGen]:
    """Open the store in this process."""
    memory = SimonidesMemory(path)
    with memory.store:
        yield AutoGen(memory)
