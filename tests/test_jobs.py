"""Work that is to be done is in the store: taken by one, given back by the killed, never lost, dead with a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from backends import IN_CHILD, Place, for_ledger, for_memory, here
from simonides.clock import FrozenClock, new_id
from simonides.doors.cli import cli
from simonides.errors import InputError, ModelMissing, NotFound, StoreError
from simonides.ledger import Ledger, Lexical
from simonides.ledger.calls import Call
from simonides.ledger.jobs import BACKOFF, DAY, READ, SECOND, Job, claim, fail, put, ready
from simonides.ledger.jobs import done as done_
from simonides.memory import Memory
from simonides.parts.embed import States
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add

pytestmark = pytest.mark.usefixtures("place")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUIET = Settings(synchronous="normal", gate=0.0, background=False, fusion="hand")
BUSY = replace(QUIET, background=True)
READS = ("read",)


def lexical(text: str) -> Lexical:
    return Lexical(text.encode(), text[:2].encode())


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def ledger(tmp_path: Path, clock: FrozenClock) -> Iterator[Ledger]:
    settings = Settings(synchronous="normal")
    ledger = Ledger(here(tmp_path / "j.db"), clock=clock, settings=settings, analyse=lexical, **for_ledger())
    yield ledger
    ledger.close()


def fill(ledger: Ledger, count: int) -> None:
    ledger.apply([Add(new_id(), f"text {place}", NOW) for place in range(count)])


def rows(taken: Sequence[Job]) -> list[int | None]:
    return [job.row for job in taken]


# The queue


def test_a_job_is_there_if_and_only_if_what_needs_it_is(ledger: Ledger) -> None:
    ledger.apply([Add(new_id(), "planned", NOW)], plan=True)
    assert ledger.jobs.find() == []
    with pytest.raises(InputError):
        ledger.apply([Add(new_id(), "good", NOW), Add(new_id(), "", NOW)])
    assert ledger.jobs.find() == []
    fill(ledger, 2)
    assert [(job.kind, job.row, job.state) for job in ledger.jobs.find()] == [
        ("read", 1, "waiting"),
        ("read", 2, "waiting"),
    ]


def test_what_is_taken_is_nobody_elses_until_the_lease_runs_out(ledger: Ledger, clock: FrozenClock) -> None:
    fill(ledger, 5)
    first = ledger.jobs.claim(READS, 60, 3)
    assert rows(first) == [1, 2, 3]
    assert {job.attempts for job in first} == {1}
    assert rows(ledger.jobs.claim(READS, 60, 3)) == [4, 5]
    assert ledger.jobs.claim(READS, 60, 3) == []
    clock.advance(seconds=59)
    assert ledger.jobs.renew(first[:1], 60) == 1
    clock.advance(seconds=2)
    again = ledger.jobs.claim(READS, 60, 9)
    assert [(job.row, job.attempts) for job in again] == [(2, 2), (3, 2), (4, 2), (5, 2)]
    ledger.jobs.done(again)
    assert [job.row for job in ledger.jobs.find(state="leased")] == [1]
    ledger.jobs.release(first)
    assert [(job.row, job.attempts) for job in ledger.jobs.claim(READS, 60, 9)] == [(1, 1)]


def test_a_lower_priority_waits_longer(ledger: Ledger) -> None:
    for name, priority in (("low", -5), ("usual", 0), ("high", 7), ("high", 7), ("usual", 0)):
        ledger.jobs.put("summary", {"name": name}, priority=priority)
    taken = [ledger.jobs.claim(("summary",), 60, 2) for _ in range(3)]
    assert [[(job.payload or {})["name"] for job in some] for some in taken] == [
        ["high", "high"],
        ["usual", "usual"],
        ["low"],
    ]


def test_the_first_kind_that_has_any_is_taken(ledger: Ledger) -> None:
    ledger.jobs.put("b")
    ledger.jobs.put("a")
    assert [ledger.jobs.claim(("a", "b"), 60, 5)[0].kind for _ in range(2)] == ["a", "b"]
    assert ledger.jobs.claim(("a", "b"), 60, 5) == []


def test_what_fails_waits_longer_each_time_and_is_dead_in_the_end(ledger: Ledger, clock: FrozenClock) -> None:
    fill(ledger, 1)
    waits: list[float] = []
    job = ledger.jobs.find()[0]
    for attempt in range(1, BACKOFF.attempts + 1):
        [job] = ledger.jobs.claim(READS, 60, 1)
        assert job.attempts == attempt
        dead = ledger.jobs.fail([(job, f"no {attempt}")])
        assert dead == (attempt == BACKOFF.attempts)
        [job] = ledger.jobs.find()
        if not dead:
            assert ledger.jobs.claim(READS, 60, 1) == []
            waits.append((job.due - ledger.calls.now()) / SECOND)
            clock.advance(seconds=waits[-1])
    assert (job.state, job.reason, job.worker) == ("dead", f"no {BACKOFF.attempts}", "")
    assert waits == sorted(waits)
    assert waits[0] >= 1
    assert waits[-1] <= BACKOFF.longest / SECOND
    clock.advance(days=30)
    assert ledger.jobs.claim(READS, 60, 1) == []
    health = ledger.jobs.health()
    assert (health.dead, health.waiting, health.reason) == (1, 0, job.reason)
    assert ledger.jobs.retry() == 1
    assert rows(ledger.jobs.claim(READS, 60, 1)) == [1]
    assert ledger.jobs.drop([job.job]) == 0, "somebody has it"


def test_jobs_that_failed_together_are_not_tried_together() -> None:
    waits = {BACKOFF.wait(Job(number, "read", attempts=3)) for number in range(1, 50)}
    assert len(waits) > 40
    assert max(waits) <= 2 * min(waits)


def test_what_kills_its_reader_is_taken_alone_and_dies_in_the_end(ledger: Ledger, clock: FrozenClock) -> None:
    fill(ledger, 3)
    for _ in range(2):
        assert rows(ledger.jobs.claim(READS, 60, 3)) == [1, 2, 3]
        clock.advance(minutes=2)
    taken: list[int | None] = []
    while some := ledger.jobs.claim(READS, 60, 3):
        assert len(some) == 1
        taken.append(some[0].row)
        if some[0].row == 1:  # its reader dies once more
            clock.advance(minutes=2)
        else:
            ledger.jobs.done(some)
    assert sorted(taken, key=str) == [1] * (BACKOFF.attempts - 2) + [2, 3]
    assert ledger.jobs.claim(READS, 60, 3) == []
    [job] = ledger.jobs.find()
    assert (job.row, job.state) == (1, "dead")
    assert "was stopped" in job.reason


def test_a_clock_that_was_put_back_stops_nothing(ledger: Ledger, clock: FrozenClock) -> None:
    fill(ledger, 2)
    clock.advance(days=400)
    assert rows(ledger.jobs.claim(READS, 60, 1)) == [1]
    clock.advance(days=-400)
    assert rows(ledger.jobs.claim(READS, 60, 5)) == [2]
    assert rows(ledger.jobs.claim(READS, 60, 5)) == [1]


def test_an_idle_process_asks_for_no_lock(ledger: Ledger, place: Place, tmp_path: Path) -> None:
    quick = Settings(busy_seconds=0.05)
    path = here(tmp_path / "j.db")
    other = Ledger(path, clock=FrozenClock(NOW), settings=quick, analyse=lexical, **for_ledger())
    with ledger.database.writing():
        assert other.jobs.claim(READS, 60, 1) == []
        assert other.jobs.hasten(READ) == 0
    other.close()


def test_jobs_can_be_chosen_by_number(ledger: Ledger) -> None:
    fill(ledger, 4)
    numbers = [job.job for job in ledger.jobs.find()]
    [job] = ledger.jobs.claim(READS, 60, 1)
    assert ledger.jobs.drop(numbers[:2]) == 1, "the first one is being worked on"
    with pytest.raises(NotFound, match="jobs list"):
        ledger.jobs.retry([numbers[1]])
    assert ledger.jobs.drop(state="waiting") == 2
    assert [one.job for one in ledger.jobs.find()] == [job.job]
    with pytest.raises(InputError, match="waiting, leased, dead"):
        ledger.jobs.find(state="lost")


@pytest.mark.only("sqlite")
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "claim", "done", "fail", "wait"]), st.integers(0, 5)), max_size=40
    )
)
def test_the_queue_does_what_a_list_would(steps: list[tuple[str, int]]) -> None:
    """Every job put is waiting, taken, dead or done, whatever happens; no two holders at once."""
    clock = FrozenClock(NOW)
    ledger = Ledger(":memory:", clock=clock, settings=Settings(), analyse=lexical)
    put_, done, held = 0, 0, dict[int, int]()
    for what, size in steps:
        now = ledger.calls.now()
        with ledger.database.writing() as connection:
            match what:
                case "put":
                    put(connection, "x", priority=size, now=now)
                    put_ += 1
                case "claim":
                    for job in claim(connection, ("x",), f"w{size}", now, 60 * SECOND, size):
                        assert held.get(job.job, 0) <= now
                        held[job.job] = job.due
                case "done" | "fail" as end if held:
                    job = sorted(held)[size % len(held)]
                    found = [one for one in ledger.jobs.find() if one.job == job and one.worker]
                    if found and end == "done":
                        done_(connection, [job])
                        done += 1
                    elif found:
                        fail(connection, found[0], "why", now)
                    del held[job]
                case _:
                    clock.advance(seconds=30 * size)
    health = ledger.jobs.health()
    assert health.waiting + health.leased + health.dead == put_ - done
    clock.advance(days=1)
    with ledger.database.reading() as connection:
        assert ready(connection, ("x",), ledger.calls.now()) == bool(put_ - done - health.dead)
    ledger.close()


# Reading with a model


class Picky(HashReader):
    """A reader that can't read texts with a word in them."""

    def __init__(self, bad: str = "poison") -> None:
        super().__init__(dimension=32)
        self.bad = bad

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        if self.bad and any(self.bad in text for _, text in texts):
            raise ValueError(f"can't read {self.bad}")
        return super().read(texts)


def test_one_bad_text_spoils_no_other(tmp_path: Path, clock: FrozenClock) -> None:
    reader = Picky()
    with Memory(
        here(tmp_path / "m.db"), **for_memory(), embedder=reader, settings=QUIET, clock=clock
    ) as memory:
        texts = [f"river number {n}" for n in range(20)]
        texts[7] = "the poison in the well"
        receipt = memory.add_many([{"text": text} for text in texts])
        assert {one.state for one in memory.status(receipt)} == {"stored"}
        assert memory.wait() == 1
        states = {one.id: one for one in memory.status(receipt)}
        assert [states[id].state for id in receipt.ids] == ["enriched"] * 7 + ["stored"] + ["enriched"] * 12
        assert "can't read poison" in states[receipt.ids[7]].reason
        assert memory.search("in the well")[0].memory.text == texts[7]
        for _ in range(BACKOFF.attempts - 1):
            clock.advance(hours=2)
            with pytest.raises(StoreError, match="can't read poison"):
                memory.wait()
        assert memory.wait() == 1
        [bad] = memory.status(receipt.ids[7])
        assert (bad.state, bad.reason) == ("failed", "ValueError: can't read poison")
        red = {finding.name: finding for finding in memory.doctor() if not finding.ok}
        assert "can't read poison" in red["jobs"].detail
        assert "jobs retry" in red["jobs"].fix
        assert memory.status().dead == 1
        reader.bad = ""
        memory.ledger.jobs.retry()
        assert memory.wait() == 0
        assert memory.status(receipt.ids[7])[0].state == "enriched"
        assert all(finding.ok for finding in memory.doctor())


class Away(HashReader):
    """A reader that is not there at first, as an endpoint that is restarted."""

    def __init__(self, failures: int) -> None:
        super().__init__(dimension=32)
        self.failures = failures
        self.tried = 0

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        self.tried += 1
        if self.tried <= self.failures:
            raise ModelMissing("endpoint", "does not answer", "", "Start it.")
        return super().read(texts)


def test_the_background_tries_again_by_itself(tmp_path: Path) -> None:
    reader = Away(failures=1)
    with Memory(here(tmp_path / "m.db"), **for_memory(), embedder=reader, settings=BUSY) as memory:
        receipt = memory.add("the spare key is in the piano")
        until(lambda: memory.status(receipt)[0].state == "enriched", seconds=60)
        assert reader.tried == 2
        assert all(finding.ok for finding in memory.doctor())


def test_a_model_that_is_away_does_not_make_the_whole_backlog_fail(
    tmp_path: Path, clock: FrozenClock
) -> None:
    reader = Away(failures=1000)
    with Memory(
        here(tmp_path / "m.db"), **for_memory(), embedder=reader, settings=QUIET, clock=clock
    ) as memory:
        memory.add_many([{"text": f"river {n}"} for n in range(300)])
        with pytest.raises(ModelMissing):
            memory.wait()
        assert reader.tried < 10, "neither each text alone, nor batch after batch"
        assert memory.ledger.jobs.health().retrying == 64
        reader.failures = 0
        assert memory.wait() == 0


def test_other_writers_go_on_while_the_model_reads(tmp_path: Path) -> None:
    path = here(tmp_path / "m.db")
    with Memory(path, **for_memory(), settings=replace(QUIET, busy_seconds=0.2)) as other:

        class Nosy(HashReader):
            def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
                other.add("written while the model reads")
                return super().read(texts)

        with Memory(path, **for_memory(), embedder=Nosy(dimension=32), settings=QUIET) as memory:
            memory.add("the river")
            memory.wait(timeout=0.05)
            assert other.status().memories >= 2


def until(so: Callable[[], bool], *, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not so() and time.monotonic() < ends:
        time.sleep(0.05)
    assert so()


SHARE = """
import sys
from pathlib import Path
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

class Noting(HashReader):
    def read(self, texts):
        with open(sys.argv[2], "a") as notes:
            notes.write("".join(f"{text}\\n" for _, text in texts))
        return super().read(texts)

settings = Settings(synchronous="normal", background=False)
with Memory(sys.argv[1], **FOR_MEMORY, embedder=Noting(dimension=32), settings=settings) as memory:
    sys.stdout.write("open\\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(str(memory.wait()))
"""


def test_no_two_processes_read_the_same(tmp_path: Path) -> None:
    path, count = here(tmp_path / "m.db"), 1500
    with Memory(path, **for_memory(), embedder=HashReader(dimension=32), settings=QUIET) as memory:
        memory.add_many([{"text": f"text {n}"} for n in range(count)])
        notes = [tmp_path / f"notes{n}" for n in range(3)]
        started = [begin(SHARE, path, note) for note in notes]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
        left = [process.communicate("go\n", timeout=60)[0] for process in started]
        assert left == ["0", "0", "0"], "each waits for what the others read"
        read = [line for note in notes if note.exists() for line in note.read_text().splitlines()]
        assert len(read) == len(set(read)) == count
        assert all(finding.ok for finding in memory.doctor())


def begin(script: str, *given: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", IN_CHILD + script, *map(str, given)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


HELD = """
import sys, time
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

class Stuck(HashReader):
    def read(self, texts):
        sys.stdout.write("reading\\n")
        sys.stdout.flush()
        time.sleep(600)

memory = Memory(sys.argv[1], **FOR_MEMORY, embedder=Stuck(dimension=32), settings=Settings(background=False))
memory.wait()
"""


def test_what_a_killed_process_held_comes_back(tmp_path: Path) -> None:
    path = here(tmp_path / "m.db")
    with Memory(path, **for_memory(), embedder=HashReader(dimension=32), settings=QUIET) as memory:
        memory.add_many([{"text": f"text {n}"} for n in range(70)])
        process = begin(HELD, path)
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert memory.wait(timeout=0.5) == 64, "what nobody held is read at once"
        later = FrozenClock(datetime.now(UTC) + timedelta(seconds=61))
        with Memory(
            path, **for_memory(), embedder=HashReader(dimension=32), settings=QUIET, clock=later
        ) as other:
            assert other.wait() == 0
            assert other.ledger.jobs.find() == []


# What is told of it


def test_the_status_of_a_receipt(tmp_path: Path, clock: FrozenClock) -> None:
    with Memory(
        here(tmp_path / "m.db"), **for_memory(), embedder=HashReader(dimension=32), settings=QUIET,
        clock=clock,
    ) as memory:  # fmt: skip
        one, two = memory.add("the river"), memory.add("the bridge", wait=True)
        assert two.state == "enriched"
        three = memory.add("the boat")
        assert [p.state for p in memory.status([one.id, three.id])] == ["enriched", "stored"]
        link = memory.link(one.id, two.id, "near")
        assert memory.status(link)[0].state == "stored"
        memory.update(two.id, "the new bridge")
        assert memory.status(two.id)[0].state == "stored", "what it says now is not read yet"
        memory.retire(one.id)
        assert memory.status(one)[0].state == "enriched"
        with pytest.raises(NotFound):
            memory.status(new_id())
    assert memory.settings.meaning == "full"


def test_an_old_backlog_turns_doctor_red(tmp_path: Path, clock: FrozenClock) -> None:
    settings = replace(QUIET, backlog_hours=2.0)
    with Memory(here(tmp_path / "m.db"), **for_memory(), settings=settings, clock=clock) as memory:
        memory.add("the river")
        clock.advance(hours=1)
        assert all(finding.ok for finding in memory.doctor())
        assert memory.status().oldest_seconds == 3600
        clock.advance(hours=2)
        [red] = [finding for finding in memory.doctor() if not finding.ok]
        assert (red.name, red.fix) == ("backlog", "simonides jobs run")
        memory.wait()
        assert all(finding.ok for finding in memory.doctor())


def test_a_day_is_a_day() -> None:
    assert timedelta(days=1) == timedelta(microseconds=DAY)


# The command line


@dataclass(frozen=True)
class Shell:
    """A command line on one store, with the shipped model."""

    path: str

    def __call__(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["--path", self.path, "--set", "background=false", *words])
        assert result.exit_code == code, (words, result.stdout, result.stderr)
        return result.stdout

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        return json.loads(self("--json", *words, code=code))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(str(here(tmp_path / "m.db")))


@pytest.mark.only("sqlite", "postgresql")
def test_jobs_are_listed_run_retried_and_dropped(shell: Shell) -> None:
    assert shell.json("jobs", code=1)["jobs"] == []
    one, two = (shell("add", text).strip() for text in ("I moved to Lisbon.", "The dog is called Biscuit."))
    listed = shell.json("jobs")
    assert [(job["memory"], job["state"], job["kind"]) for job in listed["jobs"]] == [
        (one, "waiting", "read"),
        (two, "waiting", "read"),
    ]
    assert (listed["waiting"], listed["dead"]) == (2, 0)
    assert one in shell("jobs", "--state", "waiting")
    assert shell.json("jobs", "list", "--state", "dead", code=1)["jobs"] == []
    assert shell.json("status", one[-8:])["memories"] == [{"id": one, "state": "stored", "reason": ""}]
    first = str(listed["jobs"][0]["job"])
    assert shell.json("jobs", "drop", first, "--dry-run")["planned"] == 1
    assert shell.json("jobs", "drop", first)["dropped"] == 1
    assert shell.json("jobs", "run") == {"done": 1, "left": 0, "dead": 0}
    assert [one["state"] for one in shell.json("status", one, two)["memories"]] == ["stored", "enriched"]
    shell("doctor", code=1)
    assert shell.json("reindex", "--missing", "--dry-run")["planned"] == 1
    assert shell.json("reindex", "--missing")["made"] == 1
    assert shell.json("status", one)["memories"][0]["state"] == "enriched"
    shell("doctor")
    for words in (("retry",), ("drop",), ("drop", "--all", "3")):
        shell("jobs", *words, code=2)
    shell("jobs", "retry", "999", code=4)
    shell("jobs", "retry", "999", "--dry-run", code=3)
    assert shell.json("jobs", "retry", "--all")["retried"] == 0
    assert shell.json("jobs", "retry", "--all", "--dry-run")["planned"] == 0


@pytest.mark.only("sqlite")
def test_dead_jobs_are_told_with_their_reason(shell: Shell, clock: FrozenClock) -> None:
    with Memory(shell.path, embedder=Picky(), settings=QUIET) as memory:
        id = memory.add("the poison in the well").id
        [job] = memory.ledger.jobs.claim(READS, 60, 1)
        memory.ledger.jobs.fail([(replace(job, attempts=99), "can't read it")])
    assert "can't read it" in shell("jobs", "list", "--state", "dead")
    assert "can't read it" in shell("status", id)
    assert "1  of these given up" in shell("status")
    assert "jobs retry" in shell("doctor", code=1)
    assert shell.json("jobs", "retry", "--all", "--dry-run")["planned"] == 1
    assert shell.json("jobs", "retry", "--all")["retried"] == 1
    assert shell.json("jobs", "run")["left"] == 0


@pytest.mark.only("sqlite")
def test_the_book_of_calls_is_shown(shell: Shell) -> None:
    shell("add", "I moved to Lisbon.")
    assert shell.json("jobs", "calls", code=1)["today"]["calls"] == 0
    with Memory(shell.path, settings=QUIET) as memory:
        at = memory.ledger.calls.now()
        memory.ledger.calls.record([Call(at, "memory", "openai:small", 1, 70, 0, 0.14, 0.5)])
    found = shell.json("jobs", "calls")
    assert (found["today"]["cost"], found["calls"][0]["prompt_tokens"]) == (0.14, 70)
    assert "openai:small" in shell("jobs", "calls")


@pytest.mark.only("sqlite")
def test_a_change_of_model_is_estimated_first(shell: Shell) -> None:
    with Memory(shell.path, embedder=HashReader(dimension=32), settings=QUIET) as memory:
        memory.add_many([{"text": f"the river {n}"} for n in range(40)], wait=True)
    shell("search", "river", code=5)
    planned = shell.json("reindex", "--model", "minilm", "--dry-run")
    assert (planned["state"], planned["memories"], planned["done"]) == ("planned", 40, 0)
    assert planned["seconds"] > 0
    assert "minutes at" in shell("reindex", "--model", "minilm", "--dry-run")
    done = shell.json("reindex", "--model", "minilm")
    assert (done["state"], done["read"], done["backlog"]) == ("switched", 40, 0)
    shell("search", "river 7")
    assert shell.json("model", "list")["in_use"] == "minilm"
    shell("reindex", "--model", "minilm", "--missing", code=2)
    shell("doctor")
