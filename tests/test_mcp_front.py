"""The front answers what the SDK's server would, word for word, before the SDK is there; and hands on the rest."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

import simonides
from simonides.doors.mcp.front import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    ENVELOPE,
    VERSION_KEY,
    Front,
    Inbox,
    Outbox,
)
from simonides.doors.mcp.manifest import PROFILES, Manifest, installed_version, manifest

RIGHTS = ("read", "write", "erase", "admin")
WHO = {"name": "test", "version": "1"}
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")


def request(id: int | str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    more = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "id": id, "method": method, **more}


def hello(version: str = "2025-11-25", **more: Any) -> dict[str, Any]:
    return request(
        "hello", "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": WHO, **more}
    )


def enveloped(id: int, method: str, **meta: Any) -> dict[str, Any]:
    return request(
        id, method, {"_meta": {VERSION_KEY: ENVELOPE, CAPABILITIES_KEY: {}, CLIENT_KEY: WHO, **meta}}
    )


READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
HANDSHAKE = [hello(), READY, request(1, "ping"), *(request(n, name) for n, name in enumerate(LISTS, 2))]
MODERN = [enveloped(n, name) for n, name in enumerate(("server/discover", *LISTS), 1)]
ODD = {
    "an old version": [hello("2024-11-05"), request(1, "tools/list", {})],
    "a version of the future": [
        hello("2099-01-01"),
        request(1, "tools/list", {"_meta": {"progressToken": 7}}),
    ],
    "no client info": [request("hello", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})],
    "a list before the handshake": [request(1, "tools/list")],
    "a ping before the handshake": [request(1, "ping"), hello()],
    "a cursor": [hello(), request(1, "tools/list", {"cursor": "2"})],
    "parameters that are none": [hello(), request(1, "tools/list", {"cursor": 2})],
    "an envelope of the future": [enveloped(1, "tools/list", **{VERSION_KEY: "2099-01-01"})],
    "an envelope without what it needs": [request(1, "tools/list", {"_meta": {VERSION_KEY: ENVELOPE}})],
    "an envelope with a nameless client": [enveloped(1, "tools/list", **{CLIENT_KEY: {"name": 1}})],
    "an envelope after the handshake": [hello(), enveloped(1, "tools/list")],
    "a handshake after an envelope": [enveloped(1, "tools/list"), hello()],
    "an unknown method": [hello(), request(1, "tools/burn")],
    "no JSON": ["{", hello()],
    "two handshakes": [hello(), hello()],
}


def front_alone(offered: Manifest, messages: list[Any]) -> tuple[list[Any], list[str]]:
    """Return what the front answers while no server is up, and what it hands on."""
    stream, inbox = io.BytesIO(), Inbox()
    front = Front(offered, inbox, Outbox(stream))
    for message in messages:
        front._take(message if isinstance(message, str) else json.dumps(message))
    inbox.end()
    return [json.loads(line) for line in stream.getvalue().splitlines()], list(iter(inbox.readline, ""))


def with_server(offered: Manifest, messages: list[Any], *, up_from: int) -> list[Any]:
    """Return all answers when the server is up from one message on: 0 is the SDK alone."""
    import anyio
    from mcp.server.stdio import stdio_server

    from simonides.doors.mcp.server import Door

    def refuse(_request: Any) -> Any:
        raise AssertionError("nothing here opens a store")

    stream, inbox = io.BytesIO(), Inbox()
    outbox = Outbox(stream)
    front = Front(offered, inbox, outbox)
    door = Door(offered, refuse)
    ready = threading.Event()

    async def run() -> None:
        files: Any = anyio.wrap_file(inbox), anyio.wrap_file(outbox)  # pyright: ignore[reportArgumentType]
        async with stdio_server(*files) as (read, write):
            ready.set()
            await door.server.run(read, write, door.server.create_initialization_options())

    server = threading.Thread(target=anyio.run, args=(run,), daemon=True)

    def lines() -> Any:
        for place, message in enumerate(messages):
            if place == up_from:
                server.start()
                assert ready.wait(10)
                front.up.set()
            yield (message if isinstance(message, str) else json.dumps(message)).encode()
        if up_from >= len(messages):
            server.start()

    front.run(lines())
    inbox.end()
    server.join(10)
    assert not server.is_alive()
    return sorted(
        (json.loads(line) for line in stream.getvalue().splitlines()), key=lambda one: str(one["id"])
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("messages", [HANDSHAKE, MODERN], ids=["handshake", "envelopes"])
def test_the_front_says_what_the_sdk_says(profile: str, messages: list[Any]) -> None:
    offered = manifest(profile, RIGHTS)
    answers, handed_on = front_alone(offered, messages)
    offers_prompts = bool(offered.prompts)
    assert len(answers) == len([one for one in messages if "id" in one]) - (not offers_prompts)
    assert json.loads(handed_on[0]) == messages[0], "the server must learn which protocol is spoken"
    theirs = {one["id"]: one for one in with_server(offered, messages, up_from=0)}
    for answer in answers:
        assert answer == theirs[answer["id"]]


def test_the_version_is_that_of_the_package() -> None:
    assert installed_version() == simonides.__version__


def test_the_server_is_asked_for_the_version_that_was_promised() -> None:
    """A newer SDK may know versions that the front does not: both must speak the same."""
    answers, handed_on = front_alone(manifest("default", RIGHTS), [hello("2099-01-01")])
    promised = answers[0]["result"]["protocolVersion"]
    assert promised == "2025-11-25"
    assert json.loads(handed_on[0]) == hello(promised)


@pytest.mark.parametrize("name", [*ODD, "handshake", "envelopes"])
def test_when_the_server_comes_up_makes_no_difference(name: str) -> None:
    messages: list[Any] = {**ODD, "handshake": HANDSHAKE, "envelopes": MODERN}[name]
    offered = manifest("default", RIGHTS)
    theirs = with_server(offered, messages, up_from=0)
    for place in range(1, len(messages) + 1):
        assert with_server(offered, messages, up_from=place) == theirs, f"up before message {place}"
