"""Runs the application on a socket until it is told to stop; knows uvicorn, and no route.

SIGTERM and Ctrl-C stop it the same way: no new connections, what is under way is finished, the stores are closed.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import secrets
import signal
import socket
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from simonides.doors.rest.config import Config
from simonides.doors.rest.problems import Refusal
from simonides.errors import InputError, StoreUnusable

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

TOKEN_SUFFIX = ".token"  # noqa: S105 - the end of a file's name
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Running(uvicorn.Server):
    """A server that says when it listens, and that a signal ends without ending the process.

    Attributes:
        stopped_by: the signal that stopped it; 0 when none did.
    """

    def __init__(self, app: FastAPI, config: Config, ready: Callable[[str], object]) -> None:
        limits = config.limits
        super().__init__(
            uvicorn.Config(
                app,
                http=guarded(limits.header_bytes, limits.header_seconds),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ssl_certfile=config.certfile,
                ssl_keyfile=config.keyfile,
                timeout_graceful_shutdown=max(1, round(limits.grace_seconds)),
                ws="none",
            )
        )
        self._ready, self._told = ready, config
        self.stopped_by = 0

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop on a signal, and do not raise it again: the exit code is the caller's to choose."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at the second Ctrl-C without waiting for what is under way."""
        self.stopped_by = sig
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say where it listens."""
        await super().startup(sockets)
        if self.started and sockets:
            self._ready(url_of(sockets[0], self._told))


def run(app: FastAPI, config: Config, ready: Callable[[str], object]) -> int:
    """Serve until a signal comes; return it, 0 when there was none.

    Args:
        ready: is told the URL when it listens.

    Raises:
        InputError: nothing can listen at that address.
    """
    config.require_safe()
    listening = bound(config.host, config.port)
    server = Running(app, config, ready)
    try:
        with listening, asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(server.serve([listening]))
    except KeyboardInterrupt:
        return signal.SIGINT
    if not server.started:
        raise StoreUnusable("server", "could not start", "", "See the lines above.")
    return server.stopped_by


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        InputError: it is taken, or not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as err:
        raise InputError(f"--host {host}", "is no address of this machine", str(err)) from err
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.set_inheritable(False)
    except OSError as err:
        made.close()
        way_out = "Choose another with --port; 0 takes any that is free."
        raise InputError(f"--port {port}", f"cannot be listened at: {err.strerror}", host, way_out) from err
    return made


def url_of(listening: socket.socket, config: Config) -> str:
    """Return the URL of a server."""
    host, port = listening.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if config.certfile else 'http'}://{name}:{port}"


def guarded(most: int, seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with an end to how large headers may be, and how slowly they may come."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
    except ImportError:  # httptools is not installed
        from uvicorn.protocols.http.h11_impl import H11Protocol as Base

    parent: Any = Base

    class Guarded(parent):
        """Closes a connection whose headers are too large or too slow."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            """Begin to wait."""
            self._heads = 0
            self._deadline = self.loop.call_later(seconds, transport.abort)
            parent.connection_made(self, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop waiting."""
            self._deadline.cancel()
            parent.connection_lost(self, exc)

        def data_received(self, data: bytes) -> None:
            """Count what comes until the headers are complete."""
            cycle = self.cycle
            idle = cycle is None or cycle.response_complete
            if not idle:
                parent.data_received(self, data)
                return
            if not self._heads:
                self._deadline.cancel()
                self._deadline = self.loop.call_later(seconds, self.transport.abort)
            self._heads += len(data)
            parent.data_received(self, data)
            if self.cycle is not cycle:  # the headers are complete
                self._heads = 0
                self._deadline.cancel()
            elif self._heads > most and not self.transport.is_closing():
                self._refuse(431, "headers", f"must be at most {most} bytes")

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP as everything else is answered."""
            self._refuse(400, "request", "is no HTTP that can be read")

        def _refuse(self, status: int, subject: str, rule: str) -> None:
            answer = Refusal(status, subject, rule, closing=True).response()
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in answer.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
            self.transport.close()

    return Guarded


# The token of the owner


def token_file(store: Path) -> Path:
    """Return where the token of a store's owner lies."""
    return store.with_name(store.name + TOKEN_SUFFIX)


def owner_token(file: Path) -> str:
    """Return the token in a file; drawn, and the file made for its owner alone, when it is not there.

    Raises:
        StoreUnusable: others can read the file, or it can't be read or made.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept(file)
    except OSError as err:
        raise StoreUnusable(f"token {file}", f"cannot be made: {err.strerror}") from err
    token = f"sim_-_{'0' * 32}_{base64.b32encode(secrets.token_bytes(32)).decode().rstrip('=').lower()}"
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(f"{token}\n")
    return token


def _kept(file: Path) -> str:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as err:
        raise StoreUnusable(f"token {file}", "cannot be read", str(err)) from err
    if os.name == "posix" and mode & 0o077:
        way_out = "Delete it, and a new one is made; or chmod 600, if nobody has read it."
        raise StoreUnusable(f"token {file}", "can be read by others", f"{mode:o}", way_out)
    if not token:
        raise StoreUnusable(f"token {file}", "is empty", "", "Delete it, and a new one is made.")
    return token


class _Garbage(logging.Filter):
    """Leaves out what uvicorn says of a connection that speaks no HTTP: a stranger could fill the log with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Invalid HTTP request" not in record.getMessage()


def quieten(handler: logging.Handler) -> None:
    """Let what uvicorn and asyncio have to say go to the log of the server, and nowhere else."""
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(logging.WARNING)
        if name == "uvicorn.error" and not any(isinstance(one, _Garbage) for one in logger.filters):
            logger.addFilter(_Garbage())
