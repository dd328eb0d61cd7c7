"""The MCP server on standard input, a process of its own, driven by the contract of all doors with the SDK's client."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client

from mcp_reading import read_item, recalled_texts


class McpDoor:
    """The tools remember, recall, correct and forget; a memory is read as a resource."""

    gates = corrects = True

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self._client = client

    def call(self, tool: str, **arguments: Any) -> Any:
        done = self._portal.call(self._client.call_tool, tool, arguments)
        assert not done.is_error, done.content
        return done

    def remember(self, text: str, at: str) -> str:
        return self.call("remember", text=text, at=at).structured_content["id"]

    def recall(self, query: str) -> list[str]:
        return recalled_texts(self.call("recall", query=query).content[0].text)

    def read(self, id: str) -> str | None:
        return self._portal.call(read_item, self._client, id)

    def correct(self, id: str, text: str) -> None:
        self.call("correct", id=id, text=text)

    def forget(self, id: str) -> None:
        self.call("forget", id=id)


@contextmanager
def connected(server: Any) -> Generator[McpDoor]:
    """Connect the SDK's client to a server or a transport."""
    with start_blocking_portal() as portal:
        client: AbstractAsyncContextManager[Client] = Client(server)
        with portal.wrap_async_context_manager(client) as inside:
            yield McpDoor(portal, inside)


def parameters(path: str, *words: str) -> StdioServerParameters:
    """Return how a client starts the server."""
    arguments = ["-m", "simonides", "--path", path, "mcp", *words]
    return StdioServerParameters(command=sys.executable, args=arguments, env={**os.environ})


@contextmanager
def opened(path: str) -> Generator[McpDoor]:
    """Start the server as a client would."""
    with connected(stdio_client(parameters(path))) as door:
        yield door
