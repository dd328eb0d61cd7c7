"""The MCP server over HTTP, a process of its own, driven by the contract of all doors with the SDK's client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client

from contract_mcp_stdio import McpDoor, connected


@contextmanager
def served(path: str, *words: str) -> Generator[tuple[str, str]]:
    """Start the server on a free port; give its address and the token that it made."""
    command = [
        sys.executable,
        "-m",
        "simonides",
        "--path",
        path,
        "--json",
        "mcp",
        "--http",
        "--port",
        "0",
        *words,
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        told: dict[str, str] = json.loads(server.stdout.readline())
        yield told["url"], Path(told["token_file"]).read_text("utf-8").strip()
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert server.returncode == 0, "it ends by itself when told to"


@asynccontextmanager
async def reaching(url: str, token: str) -> AsyncGenerator[TransportStreams]:
    """Open the SDK's transport to a server."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
        streamable_http_client(url, http_client=client) as streams,
    ):
        yield streams


@contextmanager
def opened(path: str) -> Generator[McpDoor]:
    """Start the server and connect to it."""
    with served(path) as (url, token), connected(reaching(url, token)) as door:
        yield door
