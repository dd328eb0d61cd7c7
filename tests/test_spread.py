"""Commands give the same alone, in processes and on Ray, and a worker that is killed leaves nothing half-written."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backends import Place
from simonides.clock import FrozenClock
from simonides.doors.cli import cli
from simonides.ledger import Lexical
from simonides.memory import Memory
from simonides.parts.ahead import analysed, lexical
from simonides.pool import LocalProcesses, Serial
from simonides.settings import Settings

SOURCE = Path(__file__).resolve().parents[1] / "src"
SPRING = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
QUIET = ["--set", "background=false", "--set", "synchronous=normal"]
MANY = 1200
"""More than two batches."""


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start a Ray that the commands of these tests find running."""
    pytest.importorskip("ray", reason="Ray has no wheel for this Python or platform")
    from simonides.cluster import RayPool

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        with RayPool(workers=2):
            yield


@pytest.fixture(params=["--processes 2", pytest.param("--ray", marks=pytest.mark.slow)])
def spread(request: pytest.FixtureRequest) -> list[str]:
    """Return the options that spread the work."""
    if request.param == "--ray":
        request.getfixturevalue("ray")
    return str(request.param).split()


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(one) for one in arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Write a file of lines, one of which cannot be kept and some of which are the same."""
    lines = [
        {"text": f"Note {number % 900} of the harbour at dawn.", "id": f"n{number}"} for number in range(MANY)
    ]
    lines[700]["text"] = " "
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def kept(path: str | Path, **given: Any) -> list[tuple[str, bytes, bytes]]:
    """Return every text with its words, in the order in which they were written."""
    with Memory(path, settings=Settings(background=False), **given) as memory:
        with memory.ledger.database.reading() as connection:
            query = "SELECT m.text, l.words, l.tokens FROM memory m JOIN lexical l ON l.row = m.row ORDER BY m.row"
            rows = connection.execute(query).fetchall()
        assert memory.verify().ok
        assert all(finding.ok for finding in memory.ledger.check())
    return [tuple(row) for row in rows]


def test_an_import_is_the_same(tmp_path: Path, said: Path, spread: list[str]) -> None:
    alone, many = tmp_path / "alone.db", tmp_path / "many.db"
    told = [
        json.loads(run("--json", "--path", path, *QUIET, "import", "jsonl", said, *options))
        for path, options in ((alone, []), (many, spread))
    ]
    assert told[0] == told[1]
    assert (told[0]["new"], len(told[0]["problems"])) == (MANY - 1, 1)
    assert kept(alone) == kept(many)
    again = json.loads(run("--json", "--path", many, *QUIET, "import", "jsonl", said, *spread))
    assert (again["new"], again["already"]) == (0, MANY - 1)


def test_the_recall_bench_finds_the_same(tmp_path: Path, locomo: Path, spread: list[str]) -> None:
    found: list[tuple[object, str]] = []
    for name, options in (("alone", []), ("many", spread)):
        out = tmp_path / name
        run("--json", "bench", "recall", "--data", locomo, "--alone", "--out", out, *options)
        report = json.loads((out / "recall-locomo.json").read_text())
        assert report["details"]["cost"]["texts read by the model"] > 0
        assert report["command"].endswith(" ".join(["--alone", *options]))
        found.append((report["details"]["figures"], (out / "recall-locomo.jsonl").read_text()))
        (kept,) = (out / "cache").iterdir()
        assert kept.stat().st_size > 1000
    assert found[0] == found[1]


def codes(path: str | Path, **given: Any) -> list[tuple[int, bytes, bytes]]:
    """Return what the full tier keeps, by row."""
    with Memory(path, settings=Settings(background=False), **given) as memory:
        assert all(finding.ok for finding in memory.doctor())
        with memory.ledger.database.reading() as connection:
            query = "SELECT p.row, p.vector, c.states FROM pooled p JOIN codes c ON c.serial = p.serial ORDER BY p.row"
            return [tuple(row) for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize("command", [["jobs", "run"], ["reindex"], ["reindex", "--missing"]])
def test_reading_with_the_full_tier_is_the_same(
    tmp_path: Path, spread: list[str], command: list[str]
) -> None:
    alone, many = tmp_path / "alone.db", tmp_path / "many.db"
    with Memory(alone, settings=Settings(background=False)) as memory:
        memory.add_many({"text": f"Note {number} of the harbour at dawn."} for number in range(150))
    shutil.copy(alone, many)
    run("--path", alone, *QUIET, *command)
    told = json.loads(run("--json", "--path", many, *QUIET, *command, *spread))
    assert told.get("left", 0) == told.get("backlog", 0) == 0
    assert len(codes(alone)) == 150
    assert codes(alone) == codes(many)


def test_reading_goes_on_when_a_worker_is_killed_and_gives_its_jobs_back_when_it_is_stopped(
    place: Place,
) -> None:
    settings = Settings(background=False)
    with Memory(place(), **place.memory, settings=settings) as memory, LocalProcesses(2) as pool:
        memory.add_many({"text": f"Note {number} of the harbour at dawn."} for number in range(400))
        told: list[int] = []

        def step(done: int) -> None:
            told.append(done)
            if len(told) == 1:
                multiprocessing.active_children()[0].kill()
            if len(told) == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            memory.wait(progress=step, pool=pool)
        assert memory.ledger.backlog_size() == 400 - sum(told)
        assert not memory.ledger.jobs.find(state="leased")
        assert all(job.attempts == 0 for job in memory.ledger.jobs.find(limit=1000))
        assert memory.wait(pool=pool) == 0
    assert len(codes(place(), **place.memory)) == 400


@pytest.fixture
def locomo(tmp_path: Path) -> Path:
    """Write three small conversations in the form of LoCoMo."""
    said = [
        "I bought a harp.",
        "What did it cost?",
        "My sister is allergic to walnuts.",
        "The tortoise escaped.",
    ]
    items = [
        {
            "sample_id": f"made-{number}",
            "conversation": {
                "session_1_date_time": "9:05 am on 3 May, 2021",
                "session_1": [
                    {"speaker": "Ada", "dia_id": f"D1:{place}", "text": f"{text} That was year {number}."}
                    for place, text in enumerate(said, 1)
                ],
            },
            "qa": [{"question": f"Who fled in {number}?", "evidence": ["D1:4"], "category": 4}],
        }
        for number in range(3)
    ]
    folder = tmp_path / "locomo"
    folder.mkdir()
    (folder / "locomo_made.json").write_text(json.dumps(items))
    (folder / "audit_errors_made.json").write_text("[]")
    return folder


def test_what_is_analysed_ahead_is_what_the_writer_would_make(tmp_path: Path) -> None:
    batches = [["a harbour", "a harbour", "鲸鱼"], [], ["half \ud800 a character"], ["dawn"]]
    for pool in (Serial(), LocalProcesses(2)):
        made = list(analysed(iter(batches), lambda text: text, pool))
        pool.close()
        assert [batch for batch, _ in made] == batches
        for batch, words in made:
            assert words == {
                text: Lexical(*one)
                for text, one in zip(batch, lexical(batch), strict=True)
                if one is not None
            }
    assert [words for _, words in analysed(iter(batches), lambda text: text, None)] == [{}] * 4


def test_rows_that_are_added_through_a_pool_are_as_without(place: Place) -> None:
    rows = [{"text": f"Note {number} of the harbour."} for number in range(MANY)]
    for name, pool in (("alone", None), ("many", LocalProcesses(2))):
        settings = Settings(background=False)
        with Memory(place(name), **place.memory, settings=settings, clock=FrozenClock(SPRING)) as memory:
            assert len(memory.add_many(rows, pool=pool).ids) == MANY
        if pool is not None:
            pool.close()
    assert kept(place("alone"), **place.memory) == kept(place("many"), **place.memory)


def test_an_import_whose_worker_is_killed_goes_on(tmp_path: Path, said: Path) -> None:
    path = tmp_path / "memory.db"
    killed: list[int] = []

    def kill() -> None:
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        killed.append(children[0].pid or 0)
        children[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    told = json.loads(run("--json", "--path", path, *QUIET, "import", "jsonl", said, "--processes", "2"))
    killer.join()
    assert killed
    assert told["new"] == MANY - 1 == len(kept(path))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_import_that_is_interrupted_leaves_whole_batches_and_goes_on(tmp_path: Path) -> None:
    said, path = tmp_path / "said.jsonl", tmp_path / "memory.db"
    many = 15_000
    with said.open("w") as file:
        for number in range(many):
            file.write(
                json.dumps({"text": f"Note {number} of the harbour at dawn.", "id": f"n{number}"}) + "\n"
            )
    command = [sys.executable, "-m", "simonides", "--path", str(path), *QUIET, "import", "jsonl", str(said)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    started = subprocess.Popen(
        [*command, "--processes", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip
    with Memory(path, settings=Settings(background=False)) as memory:
        ends = time.monotonic() + 60
        while memory.status().memories < 500 and time.monotonic() < ends:
            time.sleep(0.01)
    os.killpg(started.pid, signal.SIGINT)
    _, told = started.communicate(timeout=30)
    assert "nothing half-written" in told
    assert "Traceback" not in told
    whole = len(kept(path))
    assert 500 <= whole < many
    assert whole % 500 == 0
    subprocess.run([*command, "--processes", "2"], env=environment, check=True, capture_output=True)
    assert len(kept(path)) == many


@pytest.mark.slow
def test_the_bench_of_batch_work_measures_each_kind_of_workers(tmp_path: Path) -> None:
    small = ["--processes", "2", "--memories", "1000", "--read", "100"]
    report = json.loads(run("--json", "bench", "batch", *small, "--out", tmp_path))["report"]
    timed = report["details"]["timed"]
    assert [(one["work"], one["workers"], one["many"]) for one in timed] == [
        (work, workers, many)
        for workers in ("none", "2 processes")
        for work, many in (("import", 1000), ("reading", 100))
    ]
    assert all(one["seconds"] > 0 for one in timed)
    assert report["command"] == f"simonides bench batch {' '.join(small)}"
    assert json.loads((tmp_path / "batch.json").read_text()) == report
