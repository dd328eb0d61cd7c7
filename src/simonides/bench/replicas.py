"""A primary and a standby on loopback, and a program that writes to whichever can be written to; measures nothing.

`docs/replication.md` says how the same is done on two machines.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from simonides.bench import postgres_server
from simonides.bench.postgres_server import QUICK, SUPERUSER, Server
from simonides.errors import StoreUnusable
from simonides.memory import Memory
from simonides.settings import Settings

SMALL = {**QUICK, "max_connections": "40", "max_wal_senders": "5"}
WRITER = """
import os, sys, time
from simonides.errors import StoreError
from simonides.memory import Memory
from simonides.settings import Settings

url, journal, name = sys.argv[1:]
file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
memory = Memory(url, settings=Settings(meaning="instant", busy_seconds=5.0))
number = 0
while True:
    try:
        receipt = memory.add(f"{name} {number}", user=name)
    except StoreError as err:
        os.write(file, f"- {time.time():.6f} {err.rule}\\n".encode())
        continue
    os.write(file, f"{receipt.ids[0]} {time.time():.6f}\\n".encode())
    number += 1
"""
"""Adds memories for ever, and journals the id of each that was acknowledged, and when."""


@dataclass
class Pair:
    """A primary and the standby that follows it."""

    primary: Server
    standby: Server

    @property
    def either(self) -> str:
        """The address of whichever of the two can be written to."""
        ports = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://{SUPERUSER}@{ports}/postgres?target_session_attrs=read-write&connect_timeout=2"

    def wait_for_standby(self) -> None:
        """Make every commit wait until the standby shows it."""
        ask(self.primary, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")
        ask(self.primary, "ALTER SYSTEM SET synchronous_commit = remote_apply")
        ask(self.primary, "SELECT pg_reload_conf()")
        state = "SELECT sync_state FROM pg_stat_replication"
        require(30, lambda: ask(self.primary, state) == [("quorum",)], "the standby is waited for")

    def promote(self) -> None:
        """Let the standby take over."""
        ask(self.standby, "SELECT pg_promote()")


class Writing:
    """A process that writes, and its journal."""

    def __init__(self, url: str, journal: Path) -> None:
        self._journal = journal
        self._process = subprocess.Popen([sys.executable, "-c", WRITER, url, str(journal), journal.name])

    def acknowledged(self) -> list[tuple[str, float]]:
        """Return the ids that it was given, with the times; a line that it was killed in is none."""
        return [(words[0], float(words[1])) for words in self._lines() if words[0] != "-"]

    def refused(self) -> int:
        """Return how many adds raised."""
        return sum(words[0] == "-" for words in self._lines())

    def stop(self) -> None:
        """Kill it; twice is fine."""
        self._process.kill()
        self._process.wait()

    def _lines(self) -> list[list[str]]:
        if not self._journal.exists():
            return []
        lines = self._journal.read_text("utf-8").splitlines(keepends=True)
        return [line.split() for line in lines if line.endswith("\n")]


@contextlib.contextmanager
def made() -> Generator[Path]:
    """Give a folder with the data directories of a primary that holds a store and of a standby, both stopped."""
    with postgres_server.temporary_home() as folder:
        primary = postgres_server.start(folder / "primary", conf=SMALL)
        try:
            Memory(primary.url, settings=Settings(meaning="instant")).close()
            postgres_server.copy_cluster(primary, folder / "standby", "-R")
            primary.stop()
        finally:
            primary.kill()
        yield folder


@contextlib.contextmanager
def started(origin: Path, conf: Mapping[str, str] | None = None) -> Generator[Pair]:
    """Start copies of what `made` gave; whatever they run is killed in the end."""
    servers: list[Server] = []
    with postgres_server.temporary_home() as folder:
        try:
            for name in ("primary", "standby"):
                subprocess.run(["cp", "-a", str(origin / name), str(folder / name)], check=True)
                follows = f"host=127.0.0.1 port={servers[0].port} user={SUPERUSER}" if servers else ""
                given = {**SMALL, **(conf or {}), "primary_conninfo": follows}
                servers.append(postgres_server.start(folder / name, conf=given))
            pair = Pair(*servers)
            yield pair
            servers += [pair.primary, pair.standby]  # those that were started again
        finally:
            for server in reversed(servers):
                server.kill()


def ask(server: Server, sql: LiteralString) -> list[tuple[Any, ...]]:
    """Run a statement on a server and return its rows."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        found = connection.execute(sql)
        return found.fetchall() if found.description else []


def within(seconds: float, so: Callable[[], object]) -> bool:
    """Wait until something is so, at most so many seconds; return whether it is."""
    ends = time.monotonic() + seconds
    while not so():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def require(seconds: float, so: Callable[[], object], what: str) -> None:
    """Wait until something is so.

    Raises:
        StoreUnusable: it is not, after so many seconds.
    """
    if not within(seconds, so):
        raise StoreUnusable("PostgreSQL", f"{seconds:g} seconds are over before {what}")
