"""The server as a process, the way clients start it: quiet, quick to begin, clean at the end, many on one file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client as OtherClient
from fastmcp.client.transports import StdioTransport
from mcp import Client, stdio_client

from contract_mcp_stdio import parameters
from mcp_reading import recalled_texts
from simonides import Memory
from simonides.bounded import Bounded
from simonides.doors.mcp.graph import Graph

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": "hello",
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def calling(id: int, tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


@contextmanager
def started(path: Path, *words: str) -> Generator[subprocess.Popen[bytes]]:
    """Start the server with pipes, and be sure that it is gone afterwards."""
    command = [sys.executable, "-m", "simonides", "--path", str(path), "mcp", *words]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield server
    finally:
        if server.poll() is None:
            server.kill()
        server.communicate()


def piped(path: Path, messages: list[dict[str, Any]], *words: str) -> tuple[list[Any], bytes, int]:
    """Pipe all messages in at once; return the answers, standard error and the exit code."""
    with started(path, *words) as server:
        out, err = server.communicate(
            "".join(json.dumps(one) + "\n" for one in messages).encode(), timeout=60
        )
    return [json.loads(line) for line in out.splitlines()], err, server.returncode


def test_what_is_piped_in_is_answered_before_it_ends(tmp_path: Path) -> None:
    calls = [calling(n, "remember", text=f"Fact number {n}.") for n in range(20)]
    answers, err, code = piped(tmp_path / "memory.db", [INITIALIZE, READY, *calls])
    assert (err, code) == (b"", 0)
    assert {one["id"] for one in answers} == {"hello", *range(20)}
    assert all("result" in one and not one["result"].get("isError") for one in answers)
    with Memory(tmp_path / "memory.db") as memory:
        assert len(memory.list()) == 20


def test_what_is_no_request_is_not_waited_for(tmp_path: Path) -> None:
    odd: list[Any] = [
        {"jsonrpc": "2.0", "id": None, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "tools/list"},
        {"jsonrpc": "1.0", "id": 5, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": [1]},
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": 7}},
        {"jsonrpc": "2.0", "id": 8, "result": {}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "hello"}},
        [INITIALIZE],
        "[" * 100_000,
    ]
    begun = time.monotonic()
    answers, _, code = piped(tmp_path / "memory.db", [INITIALIZE, READY, *odd, calling(9, "status")])
    assert code == 0
    assert "result" in next(one for one in answers if one.get("id") == 9), "and it goes on after all that"
    assert time.monotonic() - begun < 30


def test_nothing_but_the_protocol_is_printed(tmp_path: Path) -> None:
    """A statement of SQL on standard output would end the connection; with --trace-sql it goes elsewhere."""
    command = [sys.executable, "-m", "simonides", "--path", str(tmp_path / "m.db"), "--trace-sql", "mcp"]
    sent = [INITIALIZE, READY, calling(1, "remember", text="x y z"), calling(2, "context")]
    done = subprocess.run(
        command,
        input="".join(json.dumps(one) + "\n" for one in sent).encode(),
        capture_output=True,
        check=True,
    )
    assert [json.loads(line)["jsonrpc"] for line in done.stdout.splitlines()] == ["2.0"] * 3
    assert b"INSERT" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", [True, False])
def test_a_signal_ends_it_cleanly(tmp_path: Path, sign: signal.Signals, busy: bool) -> None:
    with started(tmp_path / "memory.db") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        sent = [INITIALIZE, READY, *([calling(1, "remember", text="The end is near.")] if busy else [])]
        server.stdin.write("".join(json.dumps(one) + "\n" for one in sent).encode())
        server.stdin.flush()
        for _ in range(1 + busy):
            assert b"result" in server.stdout.readline()
        server.send_signal(sign)
        assert server.wait(20) == 0
        assert server.stderr is not None
        assert server.stderr.read() == b""
    if busy:
        with Memory(tmp_path / "memory.db") as memory:
            assert [one.text for one in memory.list()] == ["The end is near."]


def test_a_store_that_cannot_be_opened_is_said_in_the_answer(tmp_path: Path) -> None:
    (tmp_path / "memory.db").write_text("These are no memories.")
    answers, _, code = piped(
        tmp_path / "memory.db", [INITIALIZE, READY, calling(1, "recall", query="anything")]
    )
    assert code == 0
    result = answers[1]["result"]
    assert result["isError"]
    assert "memory.db" in result["content"][0]["text"]
    assert "Traceback" not in result["content"][0]["text"]


@pytest.mark.skipif(os.name != "posix", reason="a signal wakes what waits for input")
def test_a_broken_sdk_ends_it_instead_of_leaving_the_client_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "__init__.py").write_text("raise ImportError('half installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started(tmp_path / "memory.db") as server:
        assert server.stdin is not None
        assert server.stderr is not None
        server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        server.stdin.flush()
        assert server.wait(20) == 70
        assert b"half installed" in server.stderr.read()


@pytest.mark.parametrize(
    ("words", "rule"),
    [(("--read-only", "--allow-erase"), b"contradicts"), (("--user", ""), b"must not be empty")],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_served(
    tmp_path: Path, words: tuple[str, ...], rule: bytes
) -> None:
    answers, err, code = piped(tmp_path / "m.db", [INITIALIZE], *words)
    assert (answers, code) == ([], 3)
    assert rule in err


def test_options_bind_the_server(tmp_path: Path) -> None:
    words = ("--user", "ana", "--project", "shop", "--allow-erase")
    sent = [INITIALIZE, READY, calling(1, "remember", text="Bound."), calling(2, "status")]
    answers, _, _ = piped(tmp_path / "memory.db", sent, *words)
    told = next(one for one in answers if one["id"] == 2)["result"]["content"][0]["text"]
    assert "Bound to: user ana, project shop." in told
    assert "Allowed: read, write, erase." in told
    with Memory(tmp_path / "memory.db") as memory:
        (one,) = memory.list()
        assert (one.scope.user, one.scope.project, one.actor) == ("ana", "shop", "mcp")


def test_four_clients_write_to_one_file_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")

    async def write(number: int) -> None:
        mode: Any = "legacy" if number % 2 else "auto"
        async with Client(stdio_client(parameters(path)), mode=mode) as client:
            for turn in range(10):
                done = await client.call_tool("remember", {"text": f"Client {number} says {turn}."})
                assert not done.is_error, done

    async def scenario() -> None:
        async with anyio.create_task_group() as clients:
            for number in range(4):
                clients.start_soon(write, number)

    anyio.run(scenario)
    with Memory(path) as memory:
        said = [one.text for one in memory.list()]
        assert memory.verify().ok if hasattr(memory.verify(), "ok") else True
    assert sorted(said) == sorted(
        f"Client {number} says {turn}." for number in range(4) for turn in range(10)
    )
    for number in range(4):
        own = [text for text in said if text.startswith(f"Client {number} ")]
        assert own == [f"Client {number} says {turn}." for turn in range(10)]


def test_four_reference_clients_share_one_graph(tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")

    async def write(number: int) -> None:
        async with Client(stdio_client(parameters(path, "--profile", "reference"))) as client:
            for turn in range(4):
                entities = [
                    {"name": f"Shared {turn}", "entityType": "x", "observations": ["one"]},
                    {"name": f"Own {number}.{turn}", "entityType": "y", "observations": []},
                ]
                done = await client.call_tool("create_entities", {"entities": entities})
                assert not done.is_error, done

    async def scenario() -> None:
        async with anyio.create_task_group() as clients:
            for number in range(4):
                clients.start_soon(write, number)

    anyio.run(scenario)
    with Memory(path) as memory:
        read = Graph(Bounded(memory)).read()
    assert len(read.entities) == 4 + 16
    assert [len(one.observations) for one in read.entities if one.name.startswith("Shared")] == [1] * 4


def test_another_client_library_finds_everything_in_its_place(tmp_path: Path) -> None:
    arguments = ["-m", "simonides", "--path", str(tmp_path / "memory.db"), "mcp"]

    async def scenario() -> None:
        transport = StdioTransport(sys.executable, arguments, env={**os.environ}, keep_alive=False)
        async with OtherClient(transport) as client:
            names = {tool.name for tool in await client.list_tools()}
            assert names == {"remember", "recall", "correct", "forget", "context", "status"}
            done = await client.call_tool("remember", {"text": "Ben is allergic to peanuts."})
            assert done.structured_content is not None
            found = await client.call_tool("recall", {"query": "what is Ben allergic to?"})
            assert recalled_texts(getattr(found.content[0], "text", "")) == ["Ben is allergic to peanuts."]
            item = await client.read_resource(f"memory://item/{done.structured_content['id']}")
            assert "peanuts" in getattr(item[0], "text", "")
            assert [prompt.name for prompt in await client.list_prompts()] == [
                "how_to_use_your_memory",
                "what_do_you_know",
            ]
            refused = await client.call_tool("recall", {"query": ""}, raise_on_error=False)
            assert refused.is_error

    anyio.run(scenario)


def test_it_answers_long_before_the_sdk_is_loaded(tmp_path: Path) -> None:
    """Not a measurement (docs/mcp.md has one): only that the front is in the way, and nothing heavy before it."""
    watch = (
        "import sys\n"
        "from simonides.doors.mcp import front\n"
        "import simonides.doors.commands.mcp\n"
        "heavy = {'mcp', 'pydantic', 'anyio', 'numpy', 'sqlite3', 'onnxruntime', 'starlette', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    begun = time.monotonic()
    with started(tmp_path / "memory.db") as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        server.stdin.flush()
        assert json.loads(server.stdout.readline())["id"] == "hello"
    assert time.monotonic() - begun < 10
