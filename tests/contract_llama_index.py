"""LlamaIndex's memory block, driven by the contract of all doors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from simonides.compat.llama_index import SimonidesMemoryBlock
from simonides.errors import NotFound

LINE = re.compile(r"- \[[0-9-]+\] user: (.*) \[[0-9a-f]+\]")


class LlamaIndex:
    """`simonides.compat.llama_index.SimonidesMemoryBlock`.

    A block has no word for one memory: reading and ending one is asked of the store below. Its lines stand in order of
    time, so the first one is the best only where one is asked for.
    """

    gates = True
    corrects = False

    def __init__(self, block: SimonidesMemoryBlock) -> None:
        self.block = block

    def remember(self, text: str, at: str) -> str:
        asyncio.run(self.block.aput([ChatMessage(role=MessageRole.USER, content=text)], session_id=at))
        return self.block.store.list(newest_first=True, limit=1)[0].id

    def recall(self, query: str) -> list[str]:
        block = asyncio.run(self.block.aget([ChatMessage(role=MessageRole.USER, content=query)]))
        return LINE.findall(block)

    def read(self, id: str) -> str | None:
        try:
            return self.block.store.get(id).text
        except NotFound:
            return None

    def correct(self, id: str, text: str) -> None:
        raise NotImplementedError

    def forget(self, id: str) -> None:
        self.block.store.retire(id)


@contextmanager
def opened(path: str) -> Generator[LlamaIndex]:
    """Open the store in this process."""
    block = SimonidesMemoryBlock(memory=path, k=1)  # pyright: ignore[reportArgumentType]
    with block.store:
        yield LlamaIndex(block)
