"""REST servers for tests: in this process, on a real socket, or in a process of its own; knows no test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from starlette.testclient import TestClient

from simonides import Memory, credentials
from simonides.doors.rest.app import make_app
from simonides.doors.rest.config import Config, Limits
from simonides.doors.rest.logs import Log
from simonides.doors.rest.server import Running, bound, url_of
from simonides.doors.rest.stores import Stores
from simonides.settings import Settings
from simonides.types import Scope

if TYPE_CHECKING:
    from fastapi import FastAPI

OWNER = f"sim_-_{'0' * 32}_{'a' * 52}"
QUIET = Settings(meaning="instant", background=False)
LOCAL = Config(port=0)


def made(path: str | Path, config: Config = LOCAL, log: Log | None = None, **more: Any) -> FastAPI:
    """Return the application over a store."""
    given: dict[str, Any] = {"settings": QUIET, "startup": OWNER} | more
    return make_app(Stores(path, config.limits, verify=config.verify, **given), config, log=log)


@contextmanager
def served(
    path: str | Path, config: Config = LOCAL, log: Log | None = None, **more: Any
) -> Generator[TestClient]:
    """Give the owner's client of an application in this process."""
    app = made(path, config, log, **more)
    with TestClient(app, "http://127.0.0.1", headers=bearing(OWNER), raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listening(
    path: str | Path, config: Config = LOCAL, log: Log | None = None, **more: Any
) -> Generator[str]:
    """Give the URL of a server on a socket, in a thread of this process."""
    socket = bound(config.host, config.port)
    ready = threading.Event()
    server = Running(made(path, config, log, **more), config, lambda _: ready.set())
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([socket])), name="server")
    thread.start()
    try:
        assert ready.wait(10), "it never listened"
        yield url_of(socket, config)
    finally:
        server.should_exit = True
        thread.join(20)
        socket.close()
    assert not thread.is_alive()


def limited(**limits: Any) -> Config:
    """Return a configuration with other limits."""
    return replace(LOCAL, limits=replace(Limits(), **limits))


def token(path: str | Path, name: str = "somebody", **more: Any) -> str:
    """Issue a token for a store; `user` and the like bind it."""
    fields = ("user", "agent", "session", "project")
    scope = Scope(**{field: more.pop(field) for field in fields if field in more})
    with Memory(path, settings=QUIET) as memory:
        return credentials.issue(memory, name, scope=scope, **more)[0]


def bearing(given: str) -> dict[str, str]:
    """Return the headers of who has a token."""
    return {"Authorization": f"Bearer {given}"}


@dataclass(slots=True)
class Process:
    """A `simonides serve` of its own."""

    process: subprocess.Popen[str]
    url: str
    token_file: Path | None
    log: Path

    def client(self, given: str = "") -> httpx.Client:
        """Return a client; of the owner, or of a token."""
        own = self.token_file.read_text().strip() if self.token_file and not given else given
        return httpx.Client(base_url=self.url, headers=bearing(own), timeout=20, trust_env=False)


@contextmanager
def process(path: str | Path, folder: Path, *flags: str) -> Generator[Process]:
    """Give a server in a process of its own; it is ended by its id."""
    log = folder / f"serve-{len(list(folder.glob('serve-*')))}.log"
    with log.open("w") as stream:
        command = [
            sys.executable, "-m", "simonides", "--json", "--path", str(path), "--set", "meaning=instant",
            "serve", "--port", "0", *flags,
        ]  # fmt: skip
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, text=True)
    assert running.stdout is not None
    try:
        line = running.stdout.readline()
        assert line, log.read_text()
        told = json.loads(line)
        file = told["token_file"]
        yield Process(running, told["url"], None if file is None else Path(file), log)
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(20)
        running.stdout.close()
