"""Serves many clients over streamable HTTP: who may come in, at which address, by which name; knows no tool.

Each request stands for itself (stateless), carries a token, and is answered as JSON. There is no page here and no
login: a token is made beside the store, or issued by `simonides token`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Asked

from simonides.bounded import Bounded
from simonides.credentials import check
from simonides.doors.mcp.answering import Caller
from simonides.doors.mcp.manifest import Manifest
from simonides.doors.mcp.server import Door
from simonides.doors.places import user_path
from simonides.errors import Forbidden, InputError, SimonidesError

if TYPE_CHECKING:
    from simonides.doors.desk import Desk

PATH = "/mcp"
CALLER = "simonides.caller"
"""Where the caller of a request is kept in its ASGI scope."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
TOKEN_BYTES = 32
GRACE = 3
"""Seconds that requests under way are waited for when the server ends."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and who may come in.

    Attributes:
        token_file: holds the token; made beside the store if None.
        hosts: names by which clients reach it, where it listens publicly.
        public: other machines may reach it.
    """

    host: str
    port: int
    token_file: str | None
    hosts: tuple[str, ...]
    public: bool


def serve_http(desk: Desk, offered: Manifest, caller: Callable[[], Caller], listening: Listening) -> None:
    """Serve until a signal says so; the address and the token's file are told when it listens.

    Raises:
        InputError: the address is public and nobody said that it may be, or no host name was allowed.
        StoreError: the store can't be opened.
    """
    names = _names(listening)
    file, token = _token(desk, listening.token_file)
    try:
        bound = _bound(listening.host, listening.port)
    except OSError as err:
        way_out = "Choose another --port; 0 is any free one."
        raise InputError(
            "--port", f"can't listen on {listening.host}:{listening.port}: {err.strerror}", "", way_out
        ) from err
    with contextlib.closing(bound):
        caller()  # a store that can't be opened is said now, and not to the first client
        port = int(bound.getsockname()[1])
        shown = f"[{listening.host}]" if ":" in listening.host else listening.host
        url = f"http://{shown}:{port}{PATH}"
        told = f"MCP at {url}. Clients send the token in {file}:\n  Authorization: Bearer $(cat {file})"
        config = uvicorn.Config(
            make_app(offered, caller, token, names),
            log_level="warning",
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        with _ending(uvicorn.Server(config)) as server:
            desk.answer({"url": url, "token_file": str(file)}, lambda paper: paper.line(told))
            sys.stdout.flush()
            asyncio.run(server.serve(sockets=[bound]))


@contextlib.contextmanager
def _ending(server: uvicorn.Server) -> Generator[uvicorn.Server]:
    """Let signals end a server also before it listens to them; when it has ended, it raises them once more."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {sign: signal.signal(sign, end) for sign in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield server
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def make_app(
    offered: Manifest, caller: Callable[[], Caller], token: str, names: tuple[str, ...] = LOOPBACK_NAMES
) -> ASGIApp:
    """Return the server as an ASGI application.

    Args:
        caller: who comes in with `token`.
        token: good for what `caller` may do; tokens that were issued are good for what they were issued for.
        names: what the Host header may say, any port.
    """

    def provide(request: Any) -> Caller:
        return request.scope[CALLER]

    door = Door(offered, provide)
    security = TransportSecuritySettings(
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            form
            for name in names
            for web in ("http", "https")
            for form in (f"{web}://{name}", f"{web}://{name}:*")
        ],
    )
    app = door.server.streamable_http_app(
        streamable_http_path=PATH, json_response=True, stateless_http=True, transport_security=security
    )
    return Guard(app, caller, token)


class Guard:
    """Lets in who has a token, and notes who it is; everybody else is told to bring one."""

    def __init__(self, app: ASGIApp, caller: Callable[[], Caller], token: str) -> None:
        self._app = app
        self._caller = caller
        self._token = token.encode()

    async def __call__(self, scope: Asked, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("authorization", "")
        kind, _, token = given.partition(" ")
        try:
            if kind.lower() != "bearer" or not token.strip():
                raise Forbidden("this server", "wants a token", "", "Send Authorization: Bearer TOKEN.")
            caller = await anyio.to_thread.run_sync(self._known, token.strip())
        except Forbidden as err:
            answer = JSONResponse({"error": str(err)}, 401, {"WWW-Authenticate": "Bearer"})
        except (SimonidesError, OSError) as err:
            answer = JSONResponse({"error": str(err)}, 503)
        else:
            await self._app({**scope, CALLER: caller}, receive, send)
            return
        await answer(scope, receive, send)

    def _known(self, token: str) -> Caller:
        """Return who a token stands for.

        Raises:
            Forbidden: nobody.
        """
        own = self._caller()
        if hmac.compare_digest(token.encode(), self._token):
            return own
        server = own.bounded
        credential = check(server.memory, token)
        fields = ("user", "agent", "session", "project")
        for name in fields:
            here, theirs = getattr(server.scope, name), getattr(credential.scope, name)
            if here and theirs and here != theirs:
                raise Forbidden("this token", f"is for another {name} than this server")
        both = {name: getattr(server.scope, name) or getattr(credential.scope, name) for name in fields}
        rights = server.rights & frozenset(credential.rights)
        scope = type(server.scope)(**both)
        bounded = Bounded(server.memory, scope, rights, actor=f"mcp:{credential.name}")
        return Caller(bounded, own.most, own.limited)


def _names(listening: Listening) -> tuple[str, ...]:
    """Return what the Host header may say.

    Raises:
        InputError: the address is one that other machines reach, and that was not asked for.
    """
    if _is_loopback(listening.host):
        return (*LOOPBACK_NAMES, *listening.hosts)
    if not listening.public:
        way_out = "Leave --host out, or say --public; a proxy with TLS in front is better."
        raise InputError("--host", "is one that other machines can reach", listening.host, way_out)
    if not listening.hosts:
        way_out = "Add --allow-host with the name or address that they use; it guards against DNS rebinding."
        raise InputError("--public", "needs the name by which clients reach this server", "", way_out)
    return listening.hosts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _token(desk: Desk, named: str | None) -> tuple[Path, str]:
    """Return the file with the token and what it holds; made, for its owner alone, where it is not there yet.

    Raises:
        InputError: it is empty, or others can read it.
    """
    if named is not None:
        file = Path(named).expanduser()
    else:
        beside = user_path() if desk.server or str(desk.place) == ":memory:" else desk.place
        file = beside.with_name(f"{beside.name}.mcp-token")
    with contextlib.suppress(FileExistsError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    token = file.read_text("utf-8").strip()
    if not token:
        raise InputError(f"token file {file}", "is empty", "", "Delete it, and another one is made.")
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise InputError(f"token file {file}", "can be read by others", "", f"chmod 600 {file}")
    return file, token
