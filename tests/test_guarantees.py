"""What the page of guarantees promises has a test, and here are those that belong nowhere else."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from backends import IN_CHILD, Place
from simonides.clock import FrozenClock, new_id
from simonides.errors import Conflict, NotFound, StoreError
from simonides.ledger.once import Once
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add, Retire

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "guarantees.md"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEST = re.compile(r"tests/(test_\w+)\.py::(test_\w+)")


# --- the page ------------------------------------------------------------------------------------------------------


def promises() -> list[str]:
    """Return the rows of the page's tables: what is promised, and the tests of it."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    return [row for row in rows if not re.fullmatch(r"[| -]+", row) and not row.startswith("| Promise")]


def functions_of(module: str) -> set[str]:
    """Return the names of the test functions of a module."""
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_promise_names_its_tests_and_they_exist() -> None:
    rows = promises()
    assert len(rows) >= 30
    missing = [row for row in rows if not TEST.search(row)]
    assert not missing, "no test is named in\n" + "\n".join(missing)
    named = {(module, test) for row in rows for module, test in TEST.findall(row)}
    gone = [
        f"tests/{module}.py::{test}"
        for module, test in sorted(named)
        if not (ROOT / "tests" / f"{module}.py").exists() or test not in functions_of(module)
    ]
    assert not gone, "these tests do not exist:\n" + "\n".join(gone)


# --- writers and readers -------------------------------------------------------------------------------------------


HOLDING = (
    IN_CHILD
    + """
import sys
from simonides import Memory
from simonides.settings import Settings
from simonides.types import Add
from simonides.clock import SystemClock, new_id
memory = Memory(sys.argv[1], settings=Settings(meaning="instant"), **FOR_MEMORY)
with memory.ledger.database.writing() as connection:
    connection.execute("UPDATE memory SET reason = reason")
    print("holding", flush=True)
    sys.stdin.readline()
memory.close()
"""
)


@contextmanager
def held(path: str) -> Generator[subprocess.Popen[str]]:
    """Let another process hold a write transaction over every memory; killed at the end, if it has not ended."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDING, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "holding\n"
        try:
            yield child
        finally:
            child.kill()


def open_memory(place: Place, clock: FrozenClock | None = None) -> Memory:
    quick = Settings(background=False, synchronous="normal")
    return Memory(place(), embedder=HashReader(32), clock=clock, settings=quick, **place.memory)


def test_readers_do_not_wait_for_a_writer(place: Place) -> None:
    with open_memory(place) as memory:
        ids = [memory.add(f"the cat number {number} sleeps on the roof").id for number in range(20)]
        memory.link(ids[0], ids[1], "near")
        memory.wait()
        memory.search("cat")
        with held(place()):
            reads: list[Callable[[], object]] = [
                lambda: memory.get(ids[0]),
                lambda: memory.history(ids[1]),
                memory.list,
                memory.links,
                lambda: memory.search("which cat sleeps?", gate=False),
                lambda: memory.context("which cat sleeps?"),
                memory.verify,
                memory.status,
                lambda: list(memory.dump()),
            ]
            for read in reads:
                began = time.monotonic()
                assert read()
                assert time.monotonic() - began < 5, "the writer holds on for as long as it is told to"
            with open_memory(place) as fresh:
                assert len(fresh.list()) == 20, "a process that comes later reads too"


def test_a_writer_does_not_wait_for_readers(place: Place) -> None:
    """A reader in the middle of an export sees the state of its beginning, and nobody waits for it."""
    with open_memory(place) as memory, open_memory(place) as other:
        for number in range(20):
            memory.add(f"the cat number {number} sleeps on the roof")
        records = memory.dump()
        header = next(records)
        began = time.monotonic()
        for _ in range(5):
            other.add("another cat")
        assert time.monotonic() - began < 5
        assert header["events"] == 20
        assert sum(record["type"] == "memory" for record in records) == 20
        assert len(memory.list()) == 25


def test_the_lock_of_a_killed_writer_is_gone(place: Place) -> None:
    with open_memory(place) as memory:
        memory.add("the cat sleeps on the roof")
        with held(place()) as writer:
            writer.kill()
            writer.wait(10)
            began = time.monotonic()
            memory.add("life goes on")
            assert time.monotonic() - began < 1
        assert {one.reason for one in memory.list()} == {"said"}, "nothing of what it had begun"
        assert memory.verify().ok


# --- clocks --------------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_by_years_loses_and_reorders_nothing(place: Place) -> None:
    clock = FrozenClock(START)
    with open_memory(place, clock) as memory:
        id = memory.add("the cat is called Miro", at=START).id
        for number, days in enumerate((4000, -8000, 1, 6000, -4000)):
            clock.advance(days=days)
            memory.update(id, f"the cat is called Miro {number}", at=START + timedelta(days=number))
            other = memory.add(f"the dog of the year {clock.now().year} barks").id
            seen = memory.explain(f"dog of {clock.now().year}", gate=False)
            assert other in {one.memory.id for one in (*seen.hits, *seen.dropped)}
            assert memory.get(id, as_of=START + timedelta(days=number)).text.endswith(str(number))
        memory.retire(id, at=START + timedelta(days=9))
        memory.restore(id)
        versions = memory.history(id)
        starts = [one.recorded.start for one in versions]
        assert starts == sorted(starts), "recorded time never runs backwards for one memory"
        for one in versions:
            assert one.recorded.end is None or one.recorded.end >= one.recorded.start
        believed = sorted((one for one in versions if one.recorded.end is None), key=lambda one: one.at)
        for one, later in pairwise(believed):
            assert one.valid.end == later.at
        assert [event.seq for event in memory.log()] == list(range(1, memory.status().events + 1))
        assert memory.verify().ok
        assert all(finding.ok for finding in memory.ledger.check())
        assert memory.wait() == 0


def test_work_taken_while_the_clock_was_years_ahead_comes_back(place: Place) -> None:
    """A lease that ends in 2037 is none once the clock says 2026 again."""
    clock = FrozenClock(START + timedelta(days=4000))
    with open_memory(place, clock) as memory:
        memory.add("the cat sleeps on the roof")
        assert memory.ledger.jobs.claim(("read",), 60.0, 10)
        clock.set(START)
        assert memory.wait() == 0


def test_what_was_retired_is_found_again_while_the_clock_is_set_back(place: Place) -> None:
    """Valid time is compared with the clock, so a clock that is wrong gives the answers of the time it says."""
    clock = FrozenClock(START)
    with open_memory(place, clock) as memory:
        id = memory.add("the cat sleeps on the roof", at=START - timedelta(days=10)).id
        memory.retire(id)
        with pytest.raises(NotFound):
            memory.get(id)
        clock.advance(days=-1)
        assert memory.get(id).valid.end == START
        clock.advance(days=1)
        with pytest.raises(NotFound):
            memory.get(id)


# --- two at once ---------------------------------------------------------------------------------------------------


def lines(path: Path, many: int) -> Path:
    """Write a conversation that can be imported."""
    rows = [
        {
            "text": f"turn {number} of a long talk",
            "speaker": "ann",
            "at": f"2026-01-01T10:{number:02}:00+00:00",
        }
        for number in range(many)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def both(command: list[str], times: int = 2) -> list[str]:
    """Run a command several times at once; return what they wrote."""
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(times)
    ]
    answers = [each.communicate(timeout=120) for each in running]
    assert [each.returncode for each in running] == [0] * times, answers
    return [out for out, _ in answers]


@pytest.mark.only("sqlite", "postgresql")
def test_a_file_imported_twice_at_once_is_there_once(place: Place, tmp_path: Path) -> None:
    given = lines(tmp_path / "talk.jsonl", 40)
    simonides = [sys.executable, "-m", "simonides", "--path", place(), "--set", "meaning=instant"]
    answers = both([*simonides, "import", str(given), "--json"], 3)
    with open_memory(place) as memory:
        texts = [one.text for one in memory.list(limit=1000)]
        assert sorted(texts) == sorted({f"turn {number} of a long talk" for number in range(40)}), answers
        assert memory.verify().ok


def test_what_was_brought_by_another_since_a_look_is_refused(place: Place) -> None:
    with open_memory(place) as memory, open_memory(place) as other:
        memory.add("turn 0", metadata={"import": "talk:0"})
        once = Once("import", memory.ledger.counters()["memory"])
        other.add("turn 1", metadata={"import": "talk:1"})
        mine = [
            Add(new_id(), f"turn {number}", START, metadata={"import": f"talk:{number}"}) for number in (1, 2)
        ]
        with pytest.raises(Conflict, match=r"another writer has added the same memory .*talk:1.*Look again"):
            memory.ledger.apply(mine, once=once)
        assert len(memory.list()) == 2, "nothing of it was written"
        memory.ledger.apply(mine[1:], once=once)
        assert len(memory.list()) == 3


@pytest.mark.only("sqlite", "postgresql")
def test_an_export_imported_twice_at_once_is_there_once(place: Place, tmp_path: Path) -> None:
    with Memory(tmp_path / "source.db", settings=Settings(meaning="instant")) as source:
        for number in range(30):
            source.update(source.add(f"turn {number}").id, f"turn {number}, corrected")
        whole = list(source.dump())
        head = source.verify().head
    (tmp_path / "export.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole), "utf-8")
    simonides = [sys.executable, "-m", "simonides", "--path", place(), "--set", "meaning=instant"]
    both([*simonides, "import", str(tmp_path / "export.jsonl"), "--json"])
    with open_memory(place) as memory:
        assert memory.status().versions == 60
        assert memory.verify().head == head
        assert memory.verify().ok


def test_writers_that_were_decided_on_one_state_do_not_both_win(place: Place) -> None:
    """`if_version` is what makes read, decide and write safe among many."""
    with open_memory(place) as memory:
        id = memory.add("count 0").id
        barrier, won = threading.Barrier(4), list[int]()

        def race(number: int) -> None:
            with open_memory(place) as mine:
                barrier.wait(30)
                try:
                    mine.update(id, f"count 1 by {number}", if_version=1)
                except StoreError:  # a RuntimeError too, and no lost race
                    raise
                except RuntimeError:  # somebody else was first
                    return
                won.append(number)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert memory.get(id).text == f"count 1 by {won[0]}"


def test_an_order_of_events_is_the_order_of_commits(place: Place) -> None:
    """Of what is acknowledged before another call begins, the numbers are smaller: also through other handles."""
    with open_memory(place) as one, open_memory(place) as other:
        seqs = [memory.add(f"text {number}").seqs[0] for number, memory in enumerate([one, other] * 10)]
        assert seqs == list(range(1, 21))
        id = new_id()
        receipt = other.apply([Add(id, "text", START), Retire(id, START + timedelta(days=1))])
        assert receipt.seqs == (21, 22)


# --- the disk ------------------------------------------------------------------------------------------------------


@pytest.mark.only("sqlite", "encrypted")
@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_whatever_is_written_only_its_owner_can_read(place: Place) -> None:
    with open_memory(place) as memory:
        memory.add("the cat sleeps on the roof", wait=True)
        files = list(Path(place()).parent.glob("memory.db*"))
        assert len(files) >= 2, "the file and its write-ahead log"
        assert {file.stat().st_mode & 0o077 for file in files} == {0}
