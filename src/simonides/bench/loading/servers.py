"""Servers in processes of their own for `bench load`: ours, and a bare FastAPI that answers what it is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simonides.errors import StoreUnusable

ECHO = """
import socket, sys
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
app = FastAPI()
class Body(BaseModel):
    query: str = ""
    text: str = ""
    path: str = ""
@app.post("/echo")
async def echo(body: Body):
    return body
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen(1024)
print("http://127.0.0.1:%d" % listening.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False)
uvicorn.Server(config).run([listening])
"""
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: where, and its process."""

    url: str
    pid: int

    def cpu(self) -> float:
        """Return the seconds of processor time that it has taken; 0 where the system does not say."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def simonides(path: str, settings: Mapping[str, str], log: Path) -> Generator[Served]:
    """Give a server over a store; the log of its requests goes into a file."""
    chosen = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = ["-m", "simonides", "--path", path, "--json", *chosen, "serve", "--port", "0", "--no-owner"]
    with _running(command, log) as (line, pid):
        yield Served(json.loads(line)["url"], pid)


@contextmanager
def echo(log: Path) -> Generator[Served]:
    """Give the bare server."""
    with _running(["-c", ECHO], log) as (line, pid):
        yield Served(line.strip(), pid)


@contextmanager
def _running(command: Sequence[str], log: Path) -> Generator[tuple[str, int]]:
    with log.open("ab") as errors:
        server = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        if not line:
            raise StoreUnusable("server", "did not start", log.read_text(errors="replace")[-300:])
        yield line, server.pid
    finally:
        server.terminate()
        try:
            server.wait(_PATIENCE)
        finally:
            server.kill()
            server.stdout.close()
