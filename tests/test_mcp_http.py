"""The server over HTTP: who comes in, under which name, what is refused; stateless for both protocols."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from click.testing import CliRunner
from fastmcp import Client as OtherClient
from fastmcp.client.auth import BearerAuth
from mcp import Client

from contract_mcp_http import reaching, served
from mcp_inside import said
from mcp_reading import recalled_texts
from simonides import Memory
from simonides.bounded import Bounded
from simonides.credentials import issue, revoke
from simonides.doors.cli import cli
from simonides.doors.mcp.answering import Caller
from simonides.doors.mcp.http import make_app
from simonides.doors.mcp.manifest import manifest
from simonides.types import Scope

TOKEN = "the-token-of-this-test"
RIGHTS = ("read", "write", "erase")
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db") as opened:
        yield opened


@contextmanager
def running(memory: Memory, scope: Scope = Scope(), profile: str = "default") -> Generator[str]:
    """Serve a store in this process on a free port; give the address."""
    caller = Caller(Bounded(memory, scope, RIGHTS))
    app = make_app(manifest(profile, RIGHTS), lambda: caller, TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        thread.join(20)


def test_who_brings_no_good_token_is_sent_away(memory: Memory) -> None:
    with running(memory) as url:
        for sent in (
            None,
            "Bearer",
            "Bearer wrong",
            "Basic dTpw",
            f"Bearer {TOKEN}x",
            "Bearer sim_-_0_0",
            "Bearer \u00fc",
        ):
            headers: dict[bytes, bytes] = {} if sent is None else {b"Authorization": sent.encode()}
            for method, address in (("POST", url), ("GET", url), ("POST", url.replace("/mcp", "/other"))):
                answer = httpx2.request(method, address, headers=headers, json=LIST)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), sent
                assert "remember" not in answer.text
        assert httpx2.post(url, headers=HEADERS, json=LIST).status_code == 200


def test_a_page_of_another_site_reaches_nothing(memory: Memory) -> None:
    """What DNS rebinding makes possible is refused by Host and Origin, even with a good token."""
    with running(memory) as url:
        port = url.split(":")[2].split("/")[0]
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Host": f"evil.example:{port}"}, 421),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}, 200),
        ):
            assert httpx2.post(url, headers={**HEADERS, **headers}, json=LIST).status_code == status, headers
        assert httpx2.post(url, headers=HEADERS, content=b"x" * (5 << 20)).status_code in (400, 413)
        assert "access-control-allow-origin" not in httpx2.options(url, headers=HEADERS).headers


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_both_protocols_are_spoken_and_each_request_stands_for_itself(memory: Memory, mode: Any) -> None:
    async def scenario(url: str) -> None:
        async with Client(reaching(url, TOKEN), mode=mode) as client:
            done = await client.call_tool("remember", {"text": "The safe is behind the painting."})
            assert not done.is_error
            found = await client.call_tool("recall", {"query": "where is the safe?"})
            assert recalled_texts(said(found)) == ["The safe is behind the painting."]
            assert len((await client.list_tools()).tools) == 6

    with running(memory) as url:
        anyio.run(scenario, url)
        answer = httpx2.post(url, headers=HEADERS, json=LIST)
        assert "mcp-session-id" not in answer.headers


def test_issued_tokens_see_what_they_were_issued_for(memory: Memory) -> None:
    memory.add("Ben keeps bees.", user="ben")
    ana, credential = issue(memory, "ana's laptop", scope=Scope(user="ana"))
    reader, _ = issue(memory, "a reader", rights=("read",))
    stranger, _ = issue(memory, "another project", scope=Scope(project="ship"))
    late, _ = issue(memory, "late", ttl=timedelta(seconds=1))

    async def call(url: str, token: str, tool: str, **arguments: Any) -> tuple[bool, str]:
        async with Client(reaching(url, token)) as client:
            done = await client.call_tool(tool, arguments)
            return bool(done.is_error), said(done)

    with running(memory, Scope(project="shop")) as url:

        def ask(token: str, tool: str, **arguments: Any) -> tuple[bool, str]:
            async def scenario() -> tuple[bool, str]:
                return await call(url, token, tool, **arguments)

            return anyio.run(scenario)

        failed, told = ask(ana, "status")
        assert not failed
        assert told.startswith("Bound to: user ana, project shop.\nAllowed: read, write.")
        assert not ask(ana, "remember", text="Ana keeps cats.")[0]
        assert "Ben" not in ask(ana, "context")[1]
        failed, told = ask(reader, "remember", text="No.")
        assert failed
        assert "may not write" in told
        failed, told = ask(ana, "forget", id=memory.list(user="ana")[0].id, erase=True)
        assert failed
        assert "may not erase" in told
        assert httpx2.post(url, headers={"Authorization": f"Bearer {stranger}"}, json=LIST).status_code == 401
        revoke(memory, credential.id)
        assert httpx2.post(url, headers={"Authorization": f"Bearer {ana}"}, json=LIST).status_code == 401
        threading.Event().wait(1.1)
        assert httpx2.post(url, headers={"Authorization": f"Bearer {late}"}, json=LIST).status_code == 401
    (one,) = memory.list(user="ana")
    assert (one.scope, one.actor) == (Scope(user="ana", project="shop"), "mcp:ana's laptop")


def test_another_client_library_comes_in(memory: Memory) -> None:
    async def scenario(url: str) -> None:
        async with OtherClient(url, auth=BearerAuth(TOKEN)) as client:
            await client.call_tool("remember", {"text": "Ben is allergic to peanuts."})
            found = await client.call_tool("recall", {"query": "what is Ben allergic to?"})
            assert recalled_texts(getattr(found.content[0], "text", "")) == ["Ben is allergic to peanuts."]

    with running(memory) as url:
        anyio.run(scenario, url)


def test_many_clients_write_at_once(memory: Memory) -> None:
    async def write(url: str, number: int) -> None:
        async with Client(reaching(url, TOKEN)) as client:
            for turn in range(5):
                assert not (await client.call_tool("remember", {"text": f"{number} says {turn}."})).is_error

    async def scenario(url: str) -> None:
        async with anyio.create_task_group() as clients:
            for number in range(8):
                clients.start_soon(write, url, number)

    with running(memory) as url:
        anyio.run(scenario, url)
    assert len({one.text for one in memory.list()}) == 40


def test_a_token_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with served(str(path)) as (url, token):
        file = tmp_path / "memory.db.mcp-token"
        assert file.read_text("utf-8").strip() == token
        assert len(token) > 40
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        assert httpx2.post(url, headers=headers, json=LIST).status_code == 200
        with served(str(path)) as (_, same):
            assert same == token


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--host", "0.0.0.0"], "other machines can reach"),
        (["--host", "192.0.2.1"], "other machines can reach"),
        (["--host", "example.org"], "other machines can reach"),
        (["--host", "0.0.0.0", "--public"], "needs the name by which clients reach"),
        (["--token-file", "empty"], "is empty"),
        (["--token-file", "open"], "can be read by others"),
    ],
)
def test_what_is_not_safe_is_refused_before_it_listens(tmp_path: Path, words: list[str], rule: str) -> None:
    (tmp_path / "empty").touch(0o600)
    (tmp_path / "open").write_text("secret")
    (tmp_path / "open").chmod(0o644)
    if words[0] == "--token-file":
        if os.name != "posix":
            return
        words = [words[0], str(tmp_path / words[1])]
    store = str(tmp_path / "memory.db")
    done = CliRunner().invoke(cli, ["--path", store, "--json", "mcp", "--http", "--port", "0", *words])
    assert done.exit_code == 3
    assert rule in json.loads(done.stderr)["error"]["rule"]
    assert not Path(store).exists()


def test_a_store_that_cannot_be_opened_is_said_before_it_listens(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_text("These are no memories.")
    done = CliRunner().invoke(cli, ["--path", str(path), "--json", "mcp", "--http", "--port", "0"])
    assert done.exit_code == 5
    assert "memory.db" in json.loads(done.stderr)["error"]["subject"]


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with served(str(tmp_path / "memory.db")) as (url, _):
        port = url.split(":")[2].split("/")[0]
        done = CliRunner().invoke(
            cli, ["--path", str(tmp_path / "other.db"), "mcp", "--http", "--port", port]
        )
    assert done.exit_code == 3
    assert "can't listen" in done.stderr
