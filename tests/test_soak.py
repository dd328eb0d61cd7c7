"""One process does much for long and does not grow: no descriptor, no thread, no child process, no memory is left."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from simonides.bench import soak
from simonides.bench.soak import Sample
from simonides.doors.cli import cli
from simonides.memory import Memory
from simonides.parts.scripted import HashReader

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@linux
@pytest.mark.slow
def test_a_process_that_does_much_does_not_grow(tmp_path: Path) -> None:
    """A hundredth and a half of what `simonides bench soak` does; the command reports, and leaves no store."""
    given = [
        "bench",
        "soak",
        "--operations",
        "1500",
        "--folder",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(cli, [*given, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "soak.json").read_text("utf-8"))
    assert report == json.loads(done.stdout)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out"]
    found = report["details"]["found"]
    assert (found["operations"], found["problems"]) == (1500, [])
    seen = {what: [one[what] for one in found["samples"]] for what in found["samples"][0]}
    assert set(seen["children"]) == {0}
    assert max(seen["descriptors"]) - min(seen["descriptors"]) <= 8, "connections of threads just alive"
    assert max(seen["threads"]) <= 3
    assert max(seen["log"]) < 16 * 2**20
    assert seen["versions"][-1] > seen["versions"][0]
    assert seen["resident"][-1] - seen["resident"][0] < 64 * 2**20


@linux
def test_opening_and_closing_leaves_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    def once() -> None:
        with Memory(tmp_path / "memory.db", embedder=HashReader(16)) as memory:
            memory.add("the cat sleeps on the roof", wait=True)
            assert memory.search("where is the cat?", gate=False)

    once()
    before, threads = descriptors(), threading.active_count()
    for _ in range(10):
        once()
    assert (descriptors(), threading.active_count()) == (before, threads)


@linux
def test_threads_that_end_leave_no_descriptor(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", embedder=HashReader(16)) as memory:
        memory.add("the cat sleeps on the roof", wait=True)
        held: list[int] = []
        for number in range(30):
            thread = threading.Thread(target=memory.search, args=(f"where is cat {number}?",))
            thread.start()
            thread.join()
            held.append(descriptors())
        assert max(held[10:]) <= max(held[:10])


ALONE = """
import json, sys, threading
from pathlib import Path
from simonides import Memory
memory = Memory(sys.argv[1])
memory.add("The cat sleeps on the roof.", wait=True)
memory.search("where is the cat?")
children = [p.read_text().split() for p in Path("/proc/self/task").glob("*/children")]
memory.close()
print(json.dumps([sum(map(len, children)), threading.active_count()]))
"""


@linux
def test_a_process_with_the_real_model_starts_no_other_and_ends_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path / "memory.db")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [0, 1]


def sample(operations: int, **given: int) -> Sample:
    values = {"resident": 0, "descriptors": 9, "threads": 2, "children": 0, "log": 0, "versions": operations}
    return Sample(operations, **(values | given))


def test_growth_is_noticed() -> None:
    flat = [sample(100 * (i + 1), resident=1000 * min(i, 75)) for i in range(100)]
    found = soak.weighed(flat, 10_000, 1.0)
    assert found.problems == []
    assert (found.writing, found.reading) == (pytest.approx(10), pytest.approx(0))
    assert soak.weighed([*flat, sample(10_000, threads=3)], 10_000, 1.0).problems == [
        "threads grow: 2 at first, 3 later"
    ]
    assert (
        "there are child processes" in soak.weighed([*flat, sample(10_000, children=1)], 10_000, 1.0).problems
    )
