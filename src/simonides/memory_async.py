"""`Memory` for asyncio: each verb runs in a thread; a thin wrapping, not a second implementation."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from simonides.memory import Memory

P = ParamSpec("P")
T = TypeVar("T")


def _threaded(
    verb: Callable[Concatenate[Memory, P], T],
) -> Callable[Concatenate[AsyncMemory, P], Coroutine[Any, Any, T]]:
    @functools.wraps(verb)
    async def run(self: AsyncMemory, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(verb, self.memory, *args, **kwargs)

    return run


class AsyncMemory:
    """The verbs of `Memory` as coroutines, with the same arguments and results.

    Several may be awaited at once: `Memory` is safe for several threads. `memory` is the wrapped object.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @classmethod
    async def open(cls, *args: object, **kwargs: object) -> Self:
        """Open a store; takes what `Memory` takes."""
        return cls(await asyncio.to_thread(Memory, *args, **kwargs))  # pyright: ignore[reportArgumentType] - passed on

    add = _threaded(Memory.add)
    add_many = _threaded(Memory.add_many)
    apply = _threaded(Memory.apply)
    search = _threaded(Memory.search)
    explain = _threaded(Memory.explain)
    context = _threaded(Memory.context)
    digest = _threaded(Memory.digest)
    get = _threaded(Memory.get)
    list = _threaded(Memory.list)
    history = _threaded(Memory.history)
    update = _threaded(Memory.update)
    retire = _threaded(Memory.retire)
    restore = _threaded(Memory.restore)
    link = _threaded(Memory.link)
    unlink = _threaded(Memory.unlink)
    links = _threaded(Memory.links)
    neighbours = _threaded(Memory.neighbours)
    log = _threaded(Memory.log)
    verify = _threaded(Memory.verify)
    erase = _threaded(Memory.erase)
    expire = _threaded(Memory.expire)
    retention = _threaded(Memory.retention)
    upkeep = _threaded(Memory.upkeep)
    undo = _threaded(Memory.undo)
    review = _threaded(Memory.review)
    settle = _threaded(Memory.settle)
    status = _threaded(Memory.status)
    doctor = _threaded(Memory.doctor)
    undump = _threaded(Memory.undump)
    backup = _threaded(Memory.backup)
    reindex = _threaded(Memory.reindex)
    estimate_reindex = _threaded(Memory.estimate_reindex)
    wait = _threaded(Memory.wait)
    close = _threaded(Memory.close)

    async def __aenter__(self) -> Self:
        """Return the open memory."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()
