"""Processes are killed while they write one file, and nothing acknowledged is lost; what would be, is noticed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from backends import DATABASE, ROLE
from simonides.bench.crashing import journal, old, rounds
from simonides.bench.crashing.checks import DIMENSION, inspect, look
from simonides.bench.crashing.journal import Journal, Writer, decoded, encoded, named
from simonides.bench.crashing.nursery import Nursery
from simonides.bench.crashing.rounds import Plan
from simonides.bench.crashing.worker import LIVES, Order, phase_file
from simonides.bench.postgres_server import Server
from simonides.bench.processes import found
from simonides.clock import new_id
from simonides.doors.cli import cli
from simonides.errors import InputError
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add, Change, Connect, Disconnect, Restore, Retire, Scope, Supersede

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks")


def open_memory(path: Path) -> Memory:
    return Memory(
        path, embedder=HashReader(DIMENSION), settings=Settings(background=False, synchronous="normal")
    )


# --- killing -------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.slow
def test_twenty_killed_processes_lose_nothing(tmp_path: Path) -> None:
    """In one store that they make, and in one that they migrate; see `simonides bench crash` for 500."""
    plan = Plan(kills=20, processes=3, writers=2, seconds=60, seed=4, patience=10, of_a_round=5, of_a_store=2)
    tally = rounds.run(tmp_path, plan, lambda _: None)
    assert tally.problems == []
    assert (tally.lost, tally.half) == (0, 0)
    assert tally.killed >= 20
    assert tally.stores >= 2
    assert tally.acknowledged > 20
    assert tally.versions >= tally.acknowledged


@posix
@pytest.mark.slow
def test_killed_clients_of_a_server_lose_nothing(server: Server, tmp_path: Path) -> None:
    """The same with processes that write a store in PostgreSQL; see `bench crash --backend postgresql`."""
    url = server.url_of(DATABASE, ROLE)
    plan = Plan(
        kills=8,
        processes=2,
        writers=2,
        seconds=60,
        seed=4,
        patience=20,
        of_a_round=4,
        of_a_store=2,
        server=url,
    )
    tally = rounds.run(tmp_path, plan, lambda _: None)
    assert tally.problems == []
    assert (tally.lost, tally.half) == (0, 0)
    assert tally.killed >= 8
    assert tally.acknowledged > 0


@posix
@pytest.mark.parametrize("life", [life for life in LIVES if life != "first"])
def test_processes_of_each_kind_end_well_when_they_are_asked_to(tmp_path: Path, life: str) -> None:
    store, journals = tmp_path / "store", tmp_path / "journals"
    store.mkdir()
    journals.mkdir()
    path = store / "memory.db"
    with Nursery(tmp_path / "errors.txt") as nursery:
        order = Order(str(path), str(journals), "one", life, 1, 2, "normal")
        pids = [nursery.start(order)]
        assert nursery.wait(nursery.start(Order(str(path), str(journals), "two", "first", 2, 1))) == 0
        assert nursery.stop_all(pids) == [0]
    assert (tmp_path / "errors.txt").read_text() == ""
    assert inspect(path, journals) == []
    assert {file.name for file in store.iterdir()} <= {"memory.db", "memory.db-index"}


@posix
def test_a_new_process_writes_at_once_when_all_others_were_killed(tmp_path: Path) -> None:
    """No lock outlives its process."""
    path = tmp_path / "memory.db"
    with Nursery(tmp_path / "errors.txt") as nursery:
        orders = [Order(str(path), str(tmp_path), f"p{number}", "working", number, 3) for number in range(3)]
        pids = [nursery.start(order) for order in orders]
        while not any(entry.state == journal.DONE for entry in journal.read(tmp_path).entries):
            pass
        assert nursery.kill_all(pids) == [-9, -9, -9]
        assert nursery.wait(nursery.start(Order(str(path), str(tmp_path), "last", "first", 9, 1))) == 0
    last = next(entry for entry in journal.read(tmp_path).entries if entry.name.startswith("last"))
    assert last.state == journal.DONE
    assert last.seconds < 5
    assert inspect(path, tmp_path) == []


@posix
def test_a_reindex_that_is_killed_leaves_all_memories_with_their_words(tmp_path: Path) -> None:
    """Words are replaced a few at a time and never taken away, so there is no moment at which they are missing."""
    path = tmp_path / "memory.db"
    with open_memory(path) as memory:
        memory.add_many({"text": f"the cat number {number} sleeps on the roof"} for number in range(3000))
    with Nursery(tmp_path / "errors.txt") as nursery:
        for number in range(4):
            order = Order(str(path), str(tmp_path), f"p{number}", "reindexing", number, 1)
            pid = nursery.start(order)
            while not phase_file(order).exists() or b"reindexing" not in phase_file(order).read_bytes():
                time.sleep(0.001)
            time.sleep(0.03 * number)
            assert nursery.kill(pid) == -9
            with open_memory(path) as memory:
                assert [one for one in memory.ledger.check() if not one.ok] == []
                assert memory.search(f"cat number {number}", gate=False)


@posix
def test_what_one_process_acknowledges_the_next_search_of_another_finds(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with open_memory(path) as memory:
        memory.add_many({"text": f"the cat number {number} sleeps on the roof"} for number in range(50))
    spent = found(path, 20)
    assert spent.count == 20, "each was found; how soon is measured by `simonides bench speed`"


@posix
def test_the_command_reports_and_leaves_no_stores(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "stores"
    folder.mkdir()
    given = ["bench", "crash", "--kills", "2", "--processes", "1", "--writers", "1", "--seconds", "20"]
    done = CliRunner().invoke(cli, [*given, "--folder", str(folder), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads((out / "crash.json").read_text("utf-8"))
    assert report == json.loads(done.stdout)
    details = report["details"]
    assert (details["lost"], details["half"], details["problems"]) == (0, 0, [])
    assert details["kills"] >= 2
    assert list(folder.iterdir()) == []


# --- noticing ------------------------------------------------------------------------------------------------------


class Written:
    """A store with its journal, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "memory.db"
        self.writer = Writer(folder / f"one{journal.ENDING}")
        with open_memory(self.path) as memory:
            self.ids = [new_id() for _ in range(12)]
            for number, id in enumerate(self.ids):
                scope = Scope(session=f"session {number % 2}")
                self.write(memory, Add(id, f"text number {number} of many", NOW, scope=scope, speaker="ann"))
            self.write(memory, Supersede(self.ids[0], "a better text", NOW + timedelta(days=1)))
            self.write(memory, Supersede(self.ids[1], "a better text"), Retire(self.ids[2], NOW))
            self.link = new_id()
            self.write(memory, Connect(self.link, self.ids[3], self.ids[4], "near", NOW))
            self.write(memory, Restore(self.ids[1]))
            memory.wait()
            self.write(memory, Add(new_id(), "the full tier has not read this", NOW))

    def write(self, memory: Memory, *changes: Change) -> None:
        name = f"n{memory.status().events}"
        given = named(changes, name)
        self.writer.tried(name, given)
        self.writer.done(name, memory.apply(given).seqs)

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(statement)

    def problems(self) -> str:
        return "\n".join(inspect(self.path, self.folder))


@pytest.fixture
def written(tmp_path: Path) -> Written:
    made = Written(tmp_path)
    assert made.problems() == ""
    return made


DAMAGES = {
    "UPDATE memory SET text = 'other' WHERE row = 5": "LOST",
    "UPDATE memory SET valid_to = 5 + valid_from WHERE row = 5": "LOST",
    "UPDATE memory SET actor = 'other' WHERE row = 5": "LOST",
    "UPDATE memory SET recorded_to = 9223372036854775807, closed = NULL WHERE row = 1": "LOST",
    "DELETE FROM memory WHERE row = 5": "LOST",
    "DELETE FROM event WHERE seq = 12": "LOST",
    "DELETE FROM event WHERE seq = 14": "HALF",
    "UPDATE event SET digest = x'00' WHERE seq = 7": "doctor: log",
    "UPDATE link SET weight = 0.5": "link",
    "DELETE FROM link": "link",
    "DELETE FROM lexical WHERE row = 5": "words",
    "UPDATE lexical SET words = (SELECT words FROM lexical WHERE row = 6) WHERE row = 5": "its words are not",
    "UPDATE lexical SET tokens = x'0a0b' WHERE row = 5": "its words are not",
    "DELETE FROM pooled WHERE row = 5": "nobody will",
    "UPDATE pooled SET vector = (SELECT vector FROM pooled WHERE row = 6) WHERE row = 5": "its codes are not",
    "DELETE FROM job": "nobody will",
    "UPDATE scope SET session = 'other' WHERE scope = 1": "LOST",
}


@pytest.mark.parametrize("statement", DAMAGES)
def test_each_damage_is_noticed(written: Written, statement: str) -> None:
    expected = DAMAGES[statement]
    written.sql(statement)
    found = written.problems()
    assert (expected if expected != "HALF" else "LOST") in found


def test_what_was_acknowledged_and_is_not_there_is_lost(written: Written) -> None:
    change = Add(new_id(), "never applied", NOW, reason="n99")
    written.writer.tried("n99", [change])
    assert written.problems() == "", "a writer that died before the answer loses nothing"
    written.writer.done("n99", (18,))
    found = look(written.path, written.folder)
    assert "n99: LOST" in found.problems[0]
    assert found.lost == 1


def test_what_is_half_there_is_noticed(written: Written) -> None:
    one, other = Add(new_id(), "one", NOW, reason="n99"), Add(new_id(), "other", NOW, reason="n99")
    with open_memory(written.path) as memory:
        memory.apply([one])
    written.writer.tried("n99", [one, other])
    found = look(written.path, written.folder)
    assert "n99: HALF" in "\n".join(found.problems)
    assert found.half == 1


def test_what_nobody_wrote_and_what_was_refused_is_noticed(written: Written) -> None:
    with open_memory(written.path) as memory:
        memory.apply([Add(new_id(), "nobody's", NOW, reason="whose")])
    assert "nobody meant to do 'whose'" in written.problems()
    written.writer.tried("whose", [Add(new_id(), "nobody's", NOW, reason="whose")])
    written.writer.refused("whose", InputError("text", "is refused"))
    assert "whose: was refused" in written.problems()


def test_an_answer_in_time_that_the_writer_did_not_get_is_no_loss(written: Written) -> None:
    change = Add(new_id(), "applied, and then the writer was killed", NOW, reason="n99")
    written.writer.tried("n99", [change])
    with open_memory(written.path) as memory:
        memory.apply([change])
    found = look(written.path, written.folder)
    assert found.problems == []
    assert (found.unanswered, found.happened) == (1, 1)


def test_an_index_that_does_not_follow_is_noticed(written: Written, tmp_path: Path) -> None:
    """It belongs to a copy of the store, to which nothing is written any more."""
    copy = tmp_path / "copy.db"
    shutil.copy(written.path, copy)
    with open_memory(copy) as follower:
        assert look(written.path, written.folder, follower=follower).problems == []
        with open_memory(written.path) as memory:
            written.write(memory, Add(new_id(), "seen by one only", NOW), Retire(written.ids[5], NOW))
        found = "\n".join(look(written.path, written.folder, follower=follower).problems)
        assert "the index that followed: does not hold rows" in found


def test_a_store_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "memory.db").write_bytes(b"no store")
    assert "cannot be read" in inspect(tmp_path / "memory.db", [])[0]


# --- journals ------------------------------------------------------------------------------------------------------

CHANGES: list[Change] = [
    Add(new_id(), "text", NOW, scope=Scope("a", "b", "c", "d"), metadata={"x": 1}, until=NOW + timedelta(1)),
    Add(new_id(), "text \u2028 with a line separator", NOW),
    Supersede(new_id(), "text", NOW, metadata={}, if_version=2),
    Supersede(new_id(), None, None, confidence=0.5),
    Retire(new_id(), NOW),
    Restore(new_id(), 3),
    Connect(new_id(), new_id(), new_id(), "near", NOW, 0.5),
    Disconnect(new_id(), NOW),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_a_change_comes_back_from_a_journal(change: Change) -> None:
    assert decoded(json.loads(json.dumps(encoded(change)))) == change


def test_a_journal_says_what_was_done_and_what_was_not(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "one.journal")
    for number, change in enumerate(CHANGES[:4]):
        writer.tried(f"n{number}", [change])
    writer.done("n0", (1,), 0.25)
    writer.refused("n1", "why")
    writer.failed("n2", OSError("how"))
    writer.note("odd")
    writer.count("searches", 3)
    writer.close()
    with (tmp_path / "one.journal").open("ab") as file:
        file.write(b'{"done": "n3", "se')  # the writer was killed
    found = journal.read(tmp_path)
    assert [entry.state for entry in found.entries] == ["done", "refused", "failed", "tried"]
    assert (found.entries[0].seqs, found.entries[0].seconds) == ((1,), 0.25)
    assert found.entries[2].told == "OSError: how"
    assert [entry.changes[0] for entry in found.entries] == CHANGES[:4]
    assert (found.notes, found.counts) == (["odd"], {"searches": 3})


def test_a_store_of_an_earlier_version_is_migrated_without_loss(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    old.make(store / "memory.db", tmp_path)
    assert inspect(store / "memory.db", tmp_path) == []
    assert sorted(file.name for file in store.iterdir()) == ["memory.db", old.BACKUP]
    with closing(sqlite3.connect(store / old.BACKUP)) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (old.SCHEMA,)


def test_no_journal_and_no_store_is_well(tmp_path: Path) -> None:
    open_memory(tmp_path / "memory.db").close()
    assert inspect(tmp_path / "memory.db", Journal()) == []
