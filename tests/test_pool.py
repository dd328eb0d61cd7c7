"""Batch work gives the same in a loop and in workers, outlives killed ones, and leaves no process behind."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides import errors
from simonides.clock import parse_id
from simonides.errors import InputError, SimonidesError, UnknownName, WorkerLost
from simonides.pool import AHEAD, LocalProcesses, Pool, Serial, processors

SOURCE = Path(__file__).resolve().parents[1] / "src"
PID = "__import__('os').getpid()"
DEATH = "__import__('os')._exit(9)"
SLEEPER = """
    import sys, time
    from simonides.pool import LocalProcesses

    if __name__ == "__main__":
        with LocalProcesses(2) as pool:
            pids = "__import__('os').getpid(), __import__('time').sleep(0.3)"
            print(*{pid for pid, _ in pool.map(eval, [pids] * 4)}, flush=True)
            list(pool.map(time.sleep, [60] * 10))
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalProcesses]:
    with LocalProcesses(2) as pool:
        yield pool


@pytest.fixture(params=["serial", "processes"])
def pool(request: pytest.FixtureRequest, processes: LocalProcesses) -> Pool:
    return Serial() if request.param == "serial" else processes


@settings(max_examples=25, deadline=None)
@given(items=st.lists(st.integers(0, 30), max_size=40), chunk=st.integers(1, 9))
def test_results_come_in_the_order_of_the_items(
    processes: LocalProcesses, items: list[int], chunk: int
) -> None:
    wanted = [math.factorial(item) for item in items]
    for pool in (Serial(), processes):
        told: list[int] = []
        assert list(pool.map(math.factorial, items, chunk=chunk, step=told.append)) == wanted
        assert sum(told) == len(items)


def test_an_error_is_raised_as_it_was_and_says_of_which_item(pool: Pool) -> None:
    with pytest.raises(ValueError, match=r"domain|nonnegative") as of_python:
        list(pool.map(math.sqrt, [1.0, 4.0, -9.0, 16.0], chunk=3))
    assert of_python.value.__notes__[-1] == "item 2: -9.0"
    with pytest.raises(InputError) as ours:
        list(pool.map(parse_id, ["0" * 32, "no id"]))
    assert (ours.value.value, ours.value.__notes__[-1]) == ("'no id'", "item 1: no id")


def test_items_are_drawn_only_a_little_ahead(pool: Pool) -> None:
    drawn = itertools.count()
    found = pool.map(math.factorial, drawn, chunk=3)
    assert list(itertools.islice(found, 9)) == [math.factorial(item) for item in range(9)]
    assert next(drawn) <= 9 + 3 * AHEAD * pool.workers
    found.close()  # pyright: ignore[reportAttributeAccessIssue] - an iterator to callers, a generator in fact
    assert list(pool.map(math.factorial, [3])) == [6]


def test_no_items_give_no_results_and_bad_numbers_are_refused(pool: Pool) -> None:
    assert list(pool.map(math.factorial, [])) == []
    with pytest.raises(InputError, match="chunk"):
        pool.map(math.factorial, [1], chunk=0)
    with pytest.raises(InputError, match="processes"):
        LocalProcesses(0)
    assert LocalProcesses().workers == processors() >= 1


def test_work_is_spread_over_the_workers_and_none_is_done_here(processes: LocalProcesses) -> None:
    busy = f"({PID}, __import__('time').sleep(0.2))[0]"
    pids = set(processes.map(eval, [busy] * 6))
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_worker_that_is_killed_costs_no_result(processes: LocalProcesses) -> None:
    list(processes.map(math.factorial, [1]))
    before = {child.pid for child in multiprocessing.active_children()}
    work = [f"__import__('time').sleep(0.05) or {number}" for number in range(20)]
    killer = threading.Timer(0.3, _kill_one)
    killer.start()
    assert list(processes.map(eval, work, chunk=2)) == list(range(20))
    killer.join()
    assert before - {child.pid for child in multiprocessing.active_children()}


def _kill_one() -> None:
    child = multiprocessing.active_children()[0]
    child.kill()


def test_an_item_that_kills_its_workers_is_named_and_the_pool_goes_on(processes: LocalProcesses) -> None:
    found: list[object] = []
    with pytest.raises(WorkerLost) as lost:
        found.extend(processes.map(eval, ["1", "2", "3", "4", DEATH, "6", "7", "8"], chunk=2))
    assert lost.value.subject == "items 4 to 5"
    assert list(processes.map(eval, ["1", "2"])) == [1, 2]


def test_a_pool_that_was_closed_has_no_processes_and_can_begin_again() -> None:
    pool = LocalProcesses(1)
    (pid,) = pool.map(eval, [PID])
    pool.close()
    pool.close()
    assert not _lives(pid)
    (other,) = pool.map(eval, [PID])
    pool.close()
    assert other != pid


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_however_it_ends(tmp_path: Path, sent: signal.Signals) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(textwrap.dedent(SLEEPER))
    started = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)}, start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    workers = [int(pid) for pid in started.stdout.readline().split()]
    assert len(workers) == 2
    time.sleep(0.2)
    if sent == signal.SIGINT:
        os.killpg(started.pid, sent)  # as a terminal does: the workers get it too
    else:
        started.send_signal(sent)
    _, told = started.communicate(timeout=20)
    assert started.returncode != 0
    assert _within(10, lambda: not any(map(_lives, workers)))
    if sent == signal.SIGINT:
        assert told.count("KeyboardInterrupt") <= 1, told


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def _within(seconds: float, so: Callable[[], bool]) -> bool:
    ends = time.monotonic() + seconds
    while not so():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def test_every_error_of_ours_can_travel() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if kind is UnknownName:
            sent = UnknownName("kind", "fct", ["fact"])
        elif issubclass(kind, SimonidesError):
            sent = kind("subject", "rule", "value", "Way out.")
        else:
            continue
        sent.add_note("item 3: x")
        come = pickle.loads(pickle.dumps(sent))
        assert (type(come), str(come), vars(come)) == (type(sent), str(sent), vars(sent))


def test_a_pool_brings_no_ray() -> None:
    code = "import sys, simonides.pool, simonides.cluster; assert not {'ray', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
