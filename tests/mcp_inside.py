"""A server of ours in this process with the SDK's client on it, for the tests of tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from mcp import Client
from mcp_types import CallToolResult

from simonides import Memory
from simonides.bounded import Bounded
from simonides.doors.mcp.answering import Caller
from simonides.doors.mcp.manifest import manifest
from simonides.doors.mcp.server import Door
from simonides.doors.mcp.table import MOST_BUDGET
from simonides.types import Scope

R = TypeVar("R")
USUAL = ("read", "write")


class Inside:
    """A client that is connected."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Call a tool; it must not fail."""
        done = await self.client.call_tool(tool, arguments)
        assert not done.is_error, said(done)
        return done

    async def text(self, tool: str, **arguments: Any) -> str:
        """Call a tool and return its words."""
        return said(await self.call(tool, **arguments))

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that must refuse, and return its words."""
        done = await self.client.call_tool(tool, arguments)
        assert done.is_error, said(done)
        assert "Traceback" not in said(done)
        return said(done)

    async def remember(self, text: str, **more: Any) -> str:
        """Remember, and return the id."""
        done = await self.call("remember", text=text, **more)
        assert done.structured_content is not None
        return str(done.structured_content["id"])


def said(done: CallToolResult) -> str:
    """Return the words of a result."""
    return "\n".join(str(getattr(part, "text", "")) for part in done.content)


@asynccontextmanager
async def connected(
    memory: Memory,
    *,
    profile: str = "default",
    rights: tuple[str, ...] = USUAL,
    scope: Scope = Scope(),
    most: int = MOST_BUDGET,
    mode: Any = "auto",
    **more: Any,
) -> AsyncGenerator[Inside]:
    """Serve a store to a client in this process."""
    caller = Caller(Bounded(memory, scope, rights), most, limited=most != MOST_BUDGET)
    door = Door(manifest(profile, rights), lambda _request: caller)
    async with Client(door.server, mode=mode, **more) as client:
        yield Inside(client)


def run(scenario: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a scenario."""
    return anyio.run(scenario)
