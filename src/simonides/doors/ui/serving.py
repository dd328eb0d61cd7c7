"""Serves the page to one person on this machine; knows no view. Stops when it is told."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from simonides.bounded import Bounded
from simonides.doors.ui.access import Doorkeeper
from simonides.doors.ui.page import attach
from simonides.errors import InputError

if TYPE_CHECKING:
    from simonides.memory import Memory

HOSTS = ("127.0.0.1", "localhost", "::1")
LOOPBACK = "127.0.0.1"
PATH = "/ui"


@dataclass(slots=True)
class Served:
    """The page, listening but not yet answering.

    Attributes:
        url: where it is.
        key_url: the address that opens it once.
    """

    server: uvicorn.Server
    listening: socket.socket
    url: str
    keeper: Doorkeeper

    @property
    def key_url(self) -> str:
        """The address that lets in whoever opens it first."""
        return entrance(self.url, self.keeper.key)

    def run(self) -> None:
        """Answer until it is stopped; then the files that were handed in are forgotten."""
        with self.listening:
            self.server.run(sockets=[self.listening])


def entrance(url: str, key: str) -> str:
    """Return the address that a key opens."""
    return f"{url}/enter?key={key}"


def make(memory: Memory, port: int = 0, announce: Callable[[str], object] = lambda _key: None) -> Served:
    """Listen on a port of this machine, any free one for 0; `announce` is told of each new key.

    Raises:
        InputError: the port is taken.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(64)  # who opens the address at once waits, and is not refused
    except OSError as err:
        listening.close()
        raise InputError(
            "port", f"can't be used: {err.strerror}", port, "--port 0 takes a free one."
        ) from err
    chosen = listening.getsockname()[1]
    keeper = Doorkeeper(announce)
    cookie = f"simonides_{chosen}"  # cookies of one host are shared by its ports
    bounded = Bounded(memory, actor="ui")

    def provide(request: Request) -> Bounded | None:
        return bounded if keeper.knows(request.cookies.get(cookie, "")) else None

    def home(_request: Request) -> Response:
        return RedirectResponse(f"{PATH}/")

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncGenerator[None]:
        yield
        await run_in_threadpool(
            arrivals.close
        )  # here, because a signal that ends the process comes right after

    app = Starlette(routes=[Route("/", home)], lifespan=life)
    arrivals = attach(
        app, provide, PATH, exchange=keeper.exchange, leave=keeper.forget, cookie=cookie, hosts=HOSTS
    )
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", ws="none", server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    return Served(uvicorn.Server(config), listening, f"http://{LOOPBACK}:{chosen}{PATH}", keeper)
