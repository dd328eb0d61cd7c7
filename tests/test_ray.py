"""A real Ray on this machine gives what the loop gives, outlives killed workers and leaves nothing behind."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray has no wheel for this Python or platform")

from simonides.clock import parse_id
from simonides.cluster import RayPool
from simonides.errors import InputError, WorkerLost
from simonides.pool import Serial

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).resolve().parents[1] / "src"
ALONE = """
    import os, sys, time
    from simonides.cluster import RayPool

    pool = RayPool(workers=1)
    (worker,) = pool.map(eval, ["__import__('os').getpid()"])
    print(worker, flush=True)
    if "stay" in sys.argv:
        time.sleep(60)
    pool.close()
"""


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayPool]:
    with pytest.MonkeyPatch.context() as patch:  # Ray keeps its token in the home
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        with RayPool(workers=2) as pool:
            yield pool


def test_results_come_in_the_order_of_the_items(pool: RayPool) -> None:
    told: list[int] = []
    items = list(range(30))
    found = list(pool.map(math.factorial, items, chunk=4, step=told.append))
    assert found == list(Serial().map(math.factorial, items, chunk=4))
    assert (pool.workers, sum(told)) == (2, 30)


def test_an_error_is_raised_as_it_was_and_says_of_which_item(pool: RayPool) -> None:
    with pytest.raises(InputError) as ours:
        list(pool.map(parse_id, ["0" * 32, "no id"]))
    assert (ours.value.value, ours.value.__notes__[-1]) == ("'no id'", "item 1: no id")
    with pytest.raises(ValueError, match=r"domain|nonnegative"):
        list(pool.map(math.sqrt, [1.0, -1.0]))


def test_a_worker_that_is_killed_costs_no_result(pool: RayPool, tmp_path: Path) -> None:
    mark = tmp_path / "killed"
    once = f"__import__('pathlib').Path({str(mark)!r})"
    death = f"3 if {once}.exists() else ({once}.touch(), __import__('os')._exit(9))"
    assert list(pool.map(eval, ["0", "1", "2", death, "4"])) == [0, 1, 2, 3, 4]
    assert mark.exists()


def test_an_item_that_kills_its_workers_is_named(pool: RayPool) -> None:
    with pytest.raises(WorkerLost) as lost:
        list(pool.map(eval, ["1", "2", "__import__('os')._exit(9)"], chunk=2))
    assert lost.value.subject == "item 2"
    assert list(pool.map(eval, ["1"])) == [1]


def test_a_second_pool_takes_the_ray_that_runs_and_leaves_it_running(pool: RayPool) -> None:
    with RayPool() as other:
        assert list(other.map(math.factorial, [4])) == [24]
    assert list(pool.map(math.factorial, [5])) == [120]


def test_it_reports_nothing_to_the_makers_of_ray(pool: RayPool) -> None:
    from ray._common.usage import usage_lib

    assert not usage_lib.usage_stats_enabled()
    assert list(pool.map(os.getenv, ["RAY_USAGE_STATS_ENABLED"])) == ["0"]


@pytest.mark.parametrize("how", ["close", "stay"])
def test_it_ends_with_its_process_and_leaves_no_file(tmp_path: Path, how: str) -> None:
    """Killed, the process cannot take the folder away; everything else ends with it."""
    script, place = tmp_path / "alone.py", tempfile.mkdtemp(prefix="r")  # a short path: sockets lie in it
    script.write_text(textwrap.dedent(ALONE))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": place}
    started = subprocess.Popen(
        [sys.executable, str(script), how], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert started.stdout is not None
    assert int(started.stdout.readline())
    if how == "stay":
        started.kill()
    started.communicate(timeout=60)
    ends = time.monotonic() + 30
    while (left := _mentioning(place)) and time.monotonic() < ends:
        time.sleep(0.2)
    assert not left
    if how == "close":
        assert not list(Path(place).iterdir())
    shutil.rmtree(place)


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    """In a process of its own: here a Ray runs already, which a pool takes."""
    code = "from simonides.cluster import RayPool; RayPool('127.0.0.1:9')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "StoreError: Ray at 127.0.0.1:9: can't be reached" in done.stderr


def _mentioning(text: str) -> list[str]:
    """Return the command lines of living processes that hold a text."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended since
            continue
        if text in line:
            found.append(line)
    return found
