"""Many processes, one file: nothing is lost, also when one of them is killed, and forks are survived."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends import IN_CHILD, for_ledger, here
from simonides.clock import SystemClock, new_id
from simonides.errors import StoreBusy, StoreUnusable
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Scope

pytestmark = pytest.mark.usefixtures("place")

WRITER = """
import sys
from simonides.clock import SystemClock, new_id
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Scope

path, name, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
settings = Settings(synchronous="normal")
ledger = Ledger(path, clock=SystemClock(), settings=settings, analyse=lambda text: Lexical(b"w", b"t"),
    **FOR_LEDGER)
now = SystemClock().now()
for place in range(count):
    ids = [new_id() for _ in range(size)]
    ledger.apply([Add(id, f"{name} {place}", now, scope=Scope(user=name)) for id in ids], actor=name)
    print(" ".join(ids), flush=True)
"""


def open_ledger(path: Path | str, **settings: float) -> Ledger:
    chosen = Settings(synchronous="normal", **settings)  # pyright: ignore[reportArgumentType]
    return Ledger(
        here(path),
        clock=SystemClock(),
        settings=chosen,
        analyse=lambda text: Lexical(b"w", b"t"),
        **for_ledger(),
    )


def start_writer(path: Path, name: str, count: int, size: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", IN_CHILD + WRITER, str(here(path)), name, str(count), str(size)]
    source = str(Path(__file__).resolve().parents[1] / "src")
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source}
    )


def test_four_processes_that_open_and_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """The file isn't there yet: they also make it and migrate it at the same time."""
    path = tmp_path / "memory.db"
    writers = [start_writer(path, f"p{number}", 100) for number in range(4)]
    acknowledged = [
        line.strip() for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()
    ]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(set(acknowledged)) == 400
    ledger = open_ledger(path)
    assert ledger.existing(acknowledged) == set(acknowledged)
    assert [event.seq for event in ledger.events(limit=1000)] == list(range(1, 401))
    assert len(ledger.scope_table()) == 4
    assert all(finding.ok for finding in ledger.check())
    ledger.close()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    for attempt in range(3):
        path = tmp_path / f"memory{attempt}.db"
        writer = start_writer(path, "victim", 10_000, size=50)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(2 + attempt)]
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines()
        writer.wait(timeout=30)
        writer.stdout.close()
        acknowledged = [id for line in lines for id in line.split() if len(id) == 32]
        ledger = open_ledger(path)
        assert ledger.existing(acknowledged) == set(acknowledged)
        sizes = ledger.sizes()
        assert sizes["versions"] == sizes["events"] == sizes["backlog"]
        assert sizes["versions"] % 50 == 0, "a batch is there as a whole or not at all"
        assert all(finding.ok for finding in ledger.check())
        ledger.apply([Add(new_id(), "life goes on", datetime.now(UTC))])
        ledger.close()


def test_a_writer_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    ledger, other = open_ledger(tmp_path / "memory.db"), open_ledger(tmp_path / "memory.db", busy_seconds=0.2)
    change = Add(new_id(), "hello", datetime.now(UTC))
    with ledger.database.writing():
        began = time.monotonic()
        with pytest.raises(StoreBusy, match=r"more than 0.2 seconds.*busy_seconds"):
            other.apply([change])
        assert 0.1 < time.monotonic() - began < 5
        assert other.list() == [], "readers do not wait"
    other.apply([change])
    assert [memory.id for memory in ledger.list()] == [change.id]
    ledger.close()
    other.close()


def test_a_thread_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "memory.db", busy_seconds=0.2)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            ledger.apply([Add(new_id(), "hello", datetime.now(UTC))])
        except StoreBusy as err:
            failures.append(err)

    thread = threading.Thread(target=write)
    with ledger.database.writing():
        thread.start()
        thread.join()
    assert "another thread wrote for more than 0.2 seconds" in str(failures[0])
    ledger.close()


def test_a_reader_sees_one_state_while_others_write(tmp_path: Path) -> None:
    ledger, other = open_ledger(tmp_path / "memory.db"), open_ledger(tmp_path / "memory.db")
    for number in range(5):
        ledger.apply([Add(new_id(), f"text {number}", datetime.now(UTC))])
    records = other.dump()
    header = next(records)
    ledger.apply([Add(new_id(), "later", datetime.now(UTC))])
    rest = list(records)
    assert header["events"] == 5
    assert sum(record["type"] == "memory" for record in rest) == 5
    assert other.sizes()["memories"] == 6
    ledger.close()
    other.close()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_fork_may_use_the_store_of_its_parent(tmp_path: Path) -> None:
    """Both go on with the object they have; neither sees a connection of the other."""
    ledger = open_ledger(tmp_path / "memory.db")
    ledger.apply([Add(new_id(), "before", datetime.now(UTC))])
    ledger.list()
    context = multiprocessing.get_context("fork")

    def work(name: str) -> None:
        for place in range(20):
            ledger.apply([Add(new_id(), f"{name} {place}", datetime.now(UTC), scope=Scope(user=name))])
        os._exit(0 if len(ledger.list(scope=Scope(user=name))) == 20 else 1)

    children = [context.Process(target=work, args=(f"child {number}",)) for number in range(3)]
    for child in children:
        child.start()
        ledger.apply([Add(new_id(), "parent", datetime.now(UTC))])
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert ledger.sizes()["memories"] == 1 + 3 + 60
    assert all(finding.ok for finding in ledger.check())
    ledger.close()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize(
    "how", [pytest.param("in memory", marks=pytest.mark.only("sqlite")), "in a transaction"]
)
def test_a_store_that_cannot_cross_a_fork_says_so(tmp_path: Path, how: str) -> None:
    ledger = open_ledger(":memory:" if how == "in memory" else tmp_path / "memory.db")
    context = multiprocessing.get_context("fork")

    def work() -> None:
        try:
            ledger.list()
        except StoreUnusable as err:
            os._exit(0 if "carried into process" in str(err) else 1)
        os._exit(2)

    child = context.Process(target=work)
    if how == "in memory":
        child.start()
    else:
        with ledger.database.writing():
            child.start()
    child.join(30)
    assert child.exitcode == 0
    ledger.apply([Add(new_id(), "the parent goes on", datetime.now(UTC))])
    assert ledger.verify().ok
    ledger.close()
