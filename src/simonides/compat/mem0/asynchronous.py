"""mem0's `AsyncMemory`: the verbs of `Memory` as coroutines, each run in a thread; not a second implementation."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from typing import Any, NoReturn, Self

from simonides.bounded import Bounded
from simonides.compat.mem0.memory import UNSET, Memory
from simonides.compat.mem0.rows import Row
from simonides.memory import Memory as Store
from simonides.types import Json


class AsyncMemory:
    """Stands in for `mem0.AsyncMemory`; `memory` is the same thing without waiting.

    A coroutine that is cancelled doesn't stop what its thread has begun: a write that was under way is in.
    """

    def __init__(self, config: object = None) -> None:
        self.memory = Memory(config)

    @classmethod
    def from_config(cls, config_dict: dict[str, Any]) -> Self:
        """Return one that was configured by a dict; it may be awaited, as mem0's first generation wants it."""
        return cls(config_dict)

    @classmethod
    def over(cls, store: Store | Bounded, *, erase_on_delete: bool = False) -> Self:
        """Return one over a store that is open already, see `Memory.over`."""
        new = cls.__new__(cls)
        new.memory = Memory.over(store, erase_on_delete=erase_on_delete)
        return new

    def __await__(self) -> Generator[Any, Any, Self]:
        """Let ``await AsyncMemory.from_config(...)`` work, which was needed once."""
        yield from ()
        return self

    async def add(
        self,
        messages: object,
        *,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        metadata: Mapping[str, Json] | None = None,
        timestamp: object = None,
        expiration_date: object = None,
        infer: bool = True,
        memory_type: str | None = None,
        prompt: str | None = None,
        llm: object = None,
    ) -> dict[str, list[Row]]:
        """Keep messages word for word, see `Memory.add`; `llm` is not used."""
        return await asyncio.to_thread(
            self.memory.add, messages, user_id=user_id, agent_id=agent_id, run_id=run_id, metadata=metadata,
            timestamp=timestamp, expiration_date=expiration_date, infer=infer, memory_type=memory_type,
            prompt=prompt,
        )  # fmt: skip

    async def search(
        self,
        query: str,
        *,
        top_k: int = 20,
        filters: dict[str, Any] | None = None,
        threshold: float | None = 0.1,
        rerank: bool = False,
        explain: bool = False,
        reference_date: object = None,
        show_expired: bool = False,
        **kwargs: object,
    ) -> dict[str, list[Row]]:
        """Return the memories that answer a query, see `Memory.search`."""
        return await asyncio.to_thread(
            self.memory.search, query, top_k=top_k, filters=filters, threshold=threshold, rerank=rerank,
            explain=explain, reference_date=reference_date, show_expired=show_expired, **kwargs,
        )  # fmt: skip

    async def get(self, memory_id: object) -> Row | None:
        """Return one memory, or None."""
        return await asyncio.to_thread(self.memory.get, memory_id)

    async def get_all(
        self,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 20,
        show_expired: bool = False,
        **kwargs: object,
    ) -> dict[str, list[Row]]:
        """Return memories in the order in which they were written, see `Memory.get_all`."""
        return await asyncio.to_thread(
            self.memory.get_all, filters=filters, top_k=top_k, show_expired=show_expired, **kwargs
        )

    async def update(
        self,
        memory_id: object,
        text: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        expiration_date: object = UNSET,
        data: str | None = None,
    ) -> dict[str, str]:
        """Change what a memory says, see `Memory.update`."""
        return await asyncio.to_thread(self.memory.update, memory_id, text, metadata, expiration_date, data)

    async def delete(self, memory_id: object, *, erase: bool | None = None) -> dict[str, str]:
        """End a memory, see `Memory.delete`."""
        return await asyncio.to_thread(self.memory.delete, memory_id, erase=erase)

    async def delete_all(
        self,
        user_id: object = None,
        agent_id: object = None,
        run_id: object = None,
        *,
        erase: bool | None = None,
    ) -> dict[str, str]:
        """End all memories of a user, an agent or a run, see `Memory.delete_all`."""
        return await asyncio.to_thread(self.memory.delete_all, user_id, agent_id, run_id, erase=erase)

    async def history(self, memory_id: object) -> list[Row]:
        """Return what happened to a memory, oldest first."""
        return await asyncio.to_thread(self.memory.history, memory_id)

    async def reset(self) -> None:
        """Erase everything for good, see `Memory.reset`."""
        await asyncio.to_thread(self.memory.reset)

    async def chat(self, query: object) -> NoReturn:
        """Not there, as in mem0."""
        self.memory.chat(query)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        self.memory.close()

    async def __aenter__(self) -> Self:
        """Return the open memory."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await asyncio.to_thread(self.memory.close)
