"""What answers on standard input from the first millisecond, while the SDK is being loaded; imports nothing heavy.

Every message goes on to the SDK's server, except requests that a manifest answers as well: until the server is up,
those are answered here, word for word as it would (a test compares them). The request that opens the connection is
answered here and goes on too, because it decides which protocol is spoken; the server's own answer to it is dropped.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Any, BinaryIO, cast

from simonides.doors.mcp.manifest import NAME, TITLE, Manifest

HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Versions of the protocol that begin with `initialize`; the last one is offered to whoever asks for another."""
ENVELOPE = "2026-07-28"
"""The version in which each request says by itself what it speaks."""
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
ENDLESS = "subscriptions/listen"
"""A request whose answer comes when the connection ends."""
PATIENCE = 60.0
"""Seconds for what is under way when standard input ends."""


class Inbox:
    """The lines that go on to the server, read like a text file."""

    def __init__(self) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()

    def put(self, line: str) -> None:
        """Hand on a line."""
        self._lines.put(line)

    def end(self) -> None:
        """Say that there will be no more."""
        self._lines.put("")

    def readline(self) -> str:
        """Return the next line; empty at the end, and ever after."""
        line = self._lines.get()
        if not line:
            self.end()
        return line


class Outbox:
    """What the server writes, without the answers that were given already; written to like a text file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Condition()
        self._dropped: set[object] = set()
        self._open: set[object] = set()

    def drop(self, id: object) -> None:
        """Leave out the answer to this request: it was answered."""
        with self._lock:
            self._dropped.add(id)

    def expect(self, id: object) -> None:
        """Remember that this request is under way."""
        with self._lock:
            self._open.add(id)

    def settle(self, id: object) -> None:
        """Forget a request that nobody waits for any more."""
        with self._lock:
            self._open.discard(id)
            self._lock.notify_all()

    def idle(self, seconds: float) -> bool:
        """Wait until nothing is under way; False if that takes longer."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._open, seconds)

    def write(self, line: str) -> int:
        """Write one message of the server."""
        id = _answered(line)
        with self._lock:
            if id in self._dropped:
                self._dropped.discard(id)
                return len(line)
            self._send(line.encode())
            self._open.discard(id)
            self._lock.notify_all()
        return len(line)

    def send(self, message: Mapping[str, object]) -> None:
        """Write an answer of our own."""
        with self._lock:
            self._send(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def flush(self) -> None:
        """Do nothing: every message is flushed as it is written."""

    def _send(self, raw: bytes) -> None:
        try:
            self._stream.write(raw)
            self._stream.flush()
        except (OSError, ValueError):  # the client is gone; standard input ends with it
            self._open.clear()


def _answered(line: str) -> object:
    """Return the id of the request that a message answers; None for anything else."""
    message = _message(line)
    return message.get("id") if "result" in message or "error" in message else None


class Front:
    """Reads messages, answers what it can until the server is up, and hands on the rest."""

    def __init__(self, offered: Manifest, inbox: Inbox, outbox: Outbox) -> None:
        self.up = threading.Event()
        self._offered = offered
        self._inbox = inbox
        self._outbox = outbox
        self._era = ""

    def run(self, lines: Iterable[bytes], opened: Callable[[], object] = bool) -> None:
        """Read until the input ends, then wait for what is under way; `opened` is called after the first message."""
        for number, raw in enumerate(lines):
            line = raw.decode("utf-8", "replace").strip()
            if line:
                self._take(line)
            if number == 0:
                opened()
        opened()
        self._outbox.idle(PATIENCE)

    def _take(self, line: str) -> None:
        message = _message(line)
        if _is_request(message):
            if not self.up.is_set() and self._answer(message, line):
                return
            if message["method"] != ENDLESS:
                self._outbox.expect(message["id"])
        elif message.get("method") == "notifications/cancelled":
            self._outbox.settle(_object(message.get("params")).get("requestId"))
        self._inbox.put(line + "\n")

    def _answer(self, message: dict[str, Any], line: str) -> bool:
        """Answer a request, if that can be done without the server; tell whether it was."""
        id, params = message["id"], _object(message.get("params"))
        result = self._result(message["method"], params)
        if result is None:
            return False
        self._outbox.send({"jsonrpc": "2.0", "id": id, "result": result})
        if not self._era:
            self._era = "envelope" if _enveloped(params) else "handshake"
            self._outbox.drop(id)
            if "protocolVersion" in result:  # the server must speak the version that was promised
                params["protocolVersion"] = result["protocolVersion"]
                line = json.dumps(message)
            self._inbox.put(line + "\n")
        return True

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, object] | None:
        if method == "initialize":
            return None if self._era else initialized(self._offered, params)
        if _enveloped(params):
            return discovered(self._offered, method, params) if self._era != "handshake" else None
        if self._era != "handshake" or set(params) - {"_meta"}:
            return None
        return {} if method == "ping" else self._listed(method)

    def _listed(self, method: str) -> dict[str, object] | None:
        if method == "prompts/list" and not self._offered.prompts:
            return None
        return self._offered.lists().get(method)


def _message(line: str) -> dict[str, Any]:
    """Return what a line holds; an empty object for what is no message, which the server answers."""
    try:
        return _object(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _is_request(message: Mapping[str, Any]) -> bool:
    """Tell whether this is a request, as it must be to get an answer with its id."""
    id, params = message.get("id"), message.get("params")
    named = isinstance(message.get("method"), str) and message.get("jsonrpc") == "2.0"
    known = isinstance(id, int | str) and not isinstance(id, bool)
    return named and known and (params is None or isinstance(params, dict))


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _enveloped(params: Mapping[str, Any]) -> bool:
    meta = params.get("_meta")
    return isinstance(meta, dict) and VERSION_KEY in meta


def _named(value: object) -> bool:
    """Tell whether this is what a client or a server says of itself."""
    if not isinstance(value, dict):
        return False
    told = cast("dict[str, object]", value)
    return isinstance(told.get("name"), str) and isinstance(told.get("version"), str)


def server_info(offered: Manifest) -> dict[str, object]:
    """Return what the server says of itself."""
    return {"name": NAME, "title": TITLE, "version": offered.version}


def capabilities(offered: Manifest, *, enveloped: bool) -> dict[str, object]:
    """Return what the server can do, in the words of either protocol."""
    watched = enveloped and offered.subscribes
    able: dict[str, object] = {}
    if offered.prompts:
        able["prompts"] = {"listChanged": watched}
    able["resources"] = {"subscribe": offered.subscribes, "listChanged": watched}
    able["tools"] = {"listChanged": watched}
    return able


def initialized(offered: Manifest, params: Mapping[str, Any]) -> dict[str, object] | None:
    """Return the answer to `initialize`; None where the request is not as it should be."""
    asked = params.get("protocolVersion")
    fits = isinstance(asked, str) and isinstance(params.get("capabilities"), dict)
    if not fits or not _named(params.get("clientInfo")):
        return None
    told: dict[str, object] = {
        "protocolVersion": asked if asked in HANDSHAKE else HANDSHAKE[-1],
        "capabilities": capabilities(offered, enveloped=False),
        "serverInfo": server_info(offered),
    }
    return {**told, "instructions": offered.instructions} if offered.instructions else told


def discovered(offered: Manifest, method: str, params: Mapping[str, Any]) -> dict[str, object] | None:
    """Return the answer to a request that says what it speaks; None where only the server can give it."""
    meta: dict[str, Any] = params["_meta"]
    known = meta[VERSION_KEY] == ENVELOPE and isinstance(meta.get(CAPABILITIES_KEY), dict)
    client = meta.get(CLIENT_KEY)
    if not known or set(params) != {"_meta"} or not (client is None or _named(client)):
        return None
    stamp: dict[str, object] = {
        "_meta": {SERVER_KEY: server_info(offered)},
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
    }
    if method == "server/discover":
        told: dict[str, object] = {
            "supportedVersions": [ENVELOPE],
            "capabilities": capabilities(offered, enveloped=True),
        }
        if offered.instructions:
            told["instructions"] = offered.instructions
        return {**told, **stamp}
    if method == "prompts/list" and not offered.prompts:
        return None
    listed = offered.lists().get(method)
    return None if listed is None else {**listed, **stamp}
