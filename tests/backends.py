"""The kinds of store that the tests run over, and how a test gets places for them; knows no test.

A place is what `Memory` and `Ledger` take as a path. A module whose tests ask for the fixture `place` runs once over
each kind; `here` gives the places, and `for_ledger` and `for_memory` what the kind wants beside the path. Adding a
kind is adding a line to `BACKENDS`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from simonides.bench import postgres_server
from simonides.bench.postgres_server import QUICK, Server
from simonides.ledger.drivers import STANDARD
from simonides.ledger.encrypted import Vault
from simonides.ledger.forks import living
from simonides.ledger.opening import opened
from simonides.ledger.postgres.address import is_address
from simonides.ledger.postgres.database import PostgresDatabase
from simonides.settings import Settings

DATABASE, ROLE = "tests", "tester"
"""Where tests keep their stores, each of them a tenant; the role owns it and is no superuser."""
KEY = bytes(range(32))
"""Of encrypted stores; bytes, so that no passphrase has to be stretched for each of them."""
IN_CHILD = """
import os
from simonides.ledger.encrypted import Vault
_key = bytes.fromhex(os.environ.get("TESTS_KEY", ""))
FOR_MEMORY, FOR_LEDGER = ({"key": _key}, {"driver": Vault(_key)}) if _key else ({}, {})
"""
"""How a script begins that runs in a process of its own and opens a store that it is told of."""
PROGRAMS = "TESTS_POSTGRES"
"""Names the folder of another PostgreSQL's programs, e.g. /usr/lib/postgresql/15/bin; that of the package otherwise."""
_BYTES = re.compile(r"x'([0-9a-f]*)'")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """Makes places of one kind of store for one test.

    Attributes:
        backend: the kind's name.
        folder: of the test.
        server: of PostgreSQL, where the kind needs one.
        ledger: what `Ledger` is given beside the path.
        memory: what `Memory` is given beside the path.
    """

    backend: str
    folder: Path
    server: Server | None = None
    ledger: dict[str, Any] = field(default_factory=dict[str, Any])
    memory: dict[str, Any] = field(default_factory=dict[str, Any])
    _named: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, name: str = "memory.db") -> str:
        """Return the path of a store; the same one for the same name."""
        if is_address(name):
            return name
        if self.server is None:
            return str(self.folder / name)
        if name not in self._named:
            self._named[name] = (
                f"{self.server.url_of(DATABASE, ROLE)}?tenant=test-{os.getpid()}-{next(_numbers)}"
            )
        return self._named[name]

    def new(self) -> str:
        """Return the path of a store that nobody else has; in memory where that can be."""
        return ":memory:" if self.backend == "sqlite" else self(f"new-{next(_numbers)}.db")

    def run(self, path: str | Path, *statements: str) -> int:
        """Run statements of SQL in a store, behind the back of whoever has it open; return how many rows they hit."""
        database = opened(path, Settings(), driver=self.ledger.get("driver", STANDARD))
        try:
            with database.writing() as connection:
                return sum(connection.execute(self._spelt(each)).rowcount for each in statements)
        finally:
            database.close()

    def _spelt(self, statement: str) -> str:
        """Return a statement with bytes (``x'00'``) as the database writes them."""
        return statement if self.server is None else _BYTES.sub(r"'\\x\1'::bytea", statement)


def _sqlite(request: pytest.FixtureRequest) -> Place:
    return Place("sqlite", request.getfixturevalue("tmp_path"))


def _postgresql(request: pytest.FixtureRequest) -> Place:
    return Place("postgresql", request.getfixturevalue("tmp_path"), request.getfixturevalue("server"))


def _encrypted(request: pytest.FixtureRequest) -> Place:
    pytest.importorskip("apsw", reason="needs simonides[encrypted]")
    request.getfixturevalue("monkeypatch").setenv("TESTS_KEY", KEY.hex())
    return Place(
        "encrypted", request.getfixturevalue("tmp_path"), ledger={"driver": Vault(KEY)}, memory={"key": KEY}
    )


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "sqlite": _sqlite,
    "encrypted": _encrypted,
    "postgresql": _postgresql,
}
"""Makes the places of a kind of store; called in each test that runs over them."""


@contextmanager
def shared_server(folder: Path) -> Generator[Server]:
    """Give the one server of a test run: whoever comes first starts it, whoever leaves last stops it.

    Args:
        folder: one that all processes of the run share.
    """
    with _noted(folder) as notes:
        if not notes.get("users"):
            named = os.environ.get(PROGRAMS)
            programs = Path(named) if named else None
            conf = {**QUICK, "max_connections": "200"}
            started = postgres_server.start(
                postgres_server.make_home() / "data", conf=conf, programs=programs
            )
            _guard(started)
            started.make_database(DATABASE, ROLE)
            notes |= {
                "programs": named,
                "data": str(started.data),
                "port": started.port,
                "pid": started.pid,
                "users": 0,
            }
        notes["users"] += 1
    server = Server(Path(notes["data"]), notes["port"], notes["pid"], dict(QUICK))
    server.programs = Path(notes["programs"]) if notes["programs"] else None
    try:
        yield server
    finally:
        with _noted(folder) as notes:
            notes["users"] -= 1
            if not notes["users"]:
                server.stop()
                shutil.rmtree(server.data.parent, ignore_errors=True)


def _guard(server: Server) -> None:
    """Have the server stopped when the whole run is killed, and nobody is left to stop it."""
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    script = """while kill -0 "$0" 2>/dev/null && [ -f "$2/data/postmaster.pid" ]; do sleep 2; done
        [ -f "$2/data/postmaster.pid" ] && kill -INT "$1" && sleep 5 && rm -rf "$2" """
    given = ["sh", "-c", script, str(run), str(server.pid), str(server.data.parent)]
    nowhere = subprocess.DEVNULL
    guard = subprocess.Popen(given, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    guard.returncode = 0  # nobody waits for it


@contextmanager
def _noted(folder: Path) -> Generator[dict[str, Any]]:
    """Give what the processes of a run have noted about the server, one process at a time."""
    import fcntl  # where there is none, there is no server either

    with (folder / "postgres.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / "postgres.json"
        notes: dict[str, Any] = {}
        with suppress(FileNotFoundError):
            notes = json.loads(path.read_text())
        yield notes
        path.write_text(json.dumps(notes))


_current: list[Place] = []
_EXAMPLES = 8
"""A property is tried on so many times fewer examples over a server: the same statements, each a journey."""


@contextmanager
def fewer(test: Any, place: Place) -> Generator[None]:
    """Let Hypothesis try fewer examples of other kinds than the first: the same statements, each a longer journey."""
    name = "_hypothesis_internal_use_settings"
    chosen = getattr(test, name, None)
    if place.backend == "sqlite" or chosen is None:
        yield
        return
    setattr(test, name, settings(chosen, max_examples=max(5, chosen.max_examples // _EXAMPLES)))
    try:
        yield
    finally:
        setattr(test, name, chosen)


@contextmanager
def current(place: Place) -> Generator[Place]:
    """Let `here` give places of this kind."""
    _current.append(place)
    try:
        yield place
    finally:
        _current.remove(place)


def close_servers() -> None:
    """Close whatever a test, or a thousand examples of it, have left open on a server."""
    for database in living():
        if isinstance(database, PostgresDatabase):
            database.close()


def here(path: str | Path = ":memory:") -> str | Path:
    """Return what stands for a path in the kind of store that is tested; another one each time for ``:memory:``."""
    if not _current:
        return path
    return _current[-1].new() if str(path) == ":memory:" else _current[-1](str(path))


def for_ledger() -> dict[str, Any]:
    """Return what `Ledger` is given beside the path."""
    return _current[-1].ledger if _current else {}


def for_memory() -> dict[str, Any]:
    """Return what `Memory` is given beside the path."""
    return _current[-1].memory if _current else {}
