"""`AsyncMemory` is `Memory` awaited: the same verbs, arguments, results and errors, and several at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from simonides.errors import InputError, StoreUnusable
from simonides.memory import Memory
from simonides.memory_async import AsyncMemory
from simonides.settings import Settings

QUICK = Settings(meaning="instant", synchronous="normal", gate=0.0)
SYNC = {"acting", "dump", "seen"}
"""What gives its results one by one, and what waits for nothing or is for doors; they are there through `memory`."""


def verbs() -> list[str]:
    return [name for name, _ in inspect.getmembers(Memory, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("verb", [name for name in verbs() if name not in SYNC])
def test_every_verb_can_be_awaited_with_the_same_arguments(verb: str) -> None:
    asynchronous, sync = getattr(AsyncMemory, verb), getattr(Memory, verb)
    assert inspect.iscoroutinefunction(asynchronous)
    assert inspect.signature(asynchronous) == inspect.signature(sync)
    assert asynchronous.__doc__ == sync.__doc__


def awaited(path: Path, use: Callable[[AsyncMemory], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with await AsyncMemory.open(path, settings=QUICK) as memory:
            return await use(memory)

    return asyncio.run(run())


def test_what_is_awaited_is_what_memory_gives(tmp_path: Path) -> None:
    async def use(memory: AsyncMemory) -> str:
        receipt = await memory.add("The spare key is in the piano", user="ann")
        await memory.add_many([{"text": "the river", "user": "bob"}])
        assert await memory.get(receipt.id) == memory.memory.get(receipt.id)
        assert await memory.search("spare key", user="ann") == memory.memory.search("spare key", user="ann")
        assert str(await memory.context("spare key")) == str(memory.memory.context("spare key"))
        assert [one.id for one in await memory.list(user="ann")] == [receipt.id]
        await memory.update(receipt.id, "The spare key is in the garden")
        assert len(await memory.history(receipt.id)) == 2
        await memory.retire(receipt.id)
        await memory.restore(receipt.id)
        assert (await memory.verify()).ok
        return (await memory.get(receipt.id)).text

    assert awaited(tmp_path / "memory.db", use) == "The spare key is in the garden"


def test_several_may_be_awaited_at_once(tmp_path: Path) -> None:
    async def use(memory: AsyncMemory) -> int:
        receipts = await asyncio.gather(*(memory.add(f"number{n} river") for n in range(30)))
        found = await asyncio.gather(*(memory.search(f"number{n}", k=1) for n in range(30)))
        assert [hits[0].memory.id for hits in found] == [receipt.id for receipt in receipts]
        return (await memory.status()).memories

    assert awaited(tmp_path / "memory.db", use) == 30


def test_the_loop_goes_on_while_a_verb_works(tmp_path: Path) -> None:
    async def use(memory: AsyncMemory) -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        await memory.add_many({"text": f"number {n} of the river and the garden"} for n in range(3000))
        ticking.cancel()
        return ticks

    assert awaited(tmp_path / "memory.db", use) > 5


def test_errors_come_through(tmp_path: Path) -> None:
    async def use(memory: AsyncMemory) -> None:
        with pytest.raises(InputError, match="text: must not be empty"):
            await memory.add(" ")
        with pytest.raises(InputError, match="k: must be"):
            await memory.search("river", k=0)

    awaited(tmp_path / "memory.db", use)
    with pytest.raises(StoreUnusable, match="is a directory"):
        awaited(tmp_path, use)
    memory = AsyncMemory(Memory(tmp_path / "memory.db", settings=QUICK))
    asyncio.run(memory.close())
    with pytest.raises(StoreUnusable, match="is closed"):
        asyncio.run(memory.status())
