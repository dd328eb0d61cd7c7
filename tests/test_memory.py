"""The object that users hold: durable at once, enriched in time, safe for threads and processes, nothing half-done."""

from __future__ import annotations

import gc
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import IN_CHILD, Place, for_memory, here
from simonides.clock import FrozenClock
from simonides.errors import Conflict, InputError, ModelMismatch, NotFound, StoreUnusable, UnknownName
from simonides.memory import Memory, default_path
from simonides.parts import codes, embed
from simonides.parts.embed import States
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
DAY = timedelta(days=1)
QUICK = Settings(meaning="instant", synchronous="normal", gate=0.0, fusion="hand")
FULL = Settings(synchronous="normal", gate=0.0, fusion="hand")
LATER = Settings(synchronous="normal", gate=0.0, background=False, fusion="hand")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), clock=FrozenClock(NOW), settings=QUICK, actor="tester"
    ) as memory:
        yield memory


def counts(memory: Memory) -> tuple[int, ...]:
    status = memory.status()
    return status.memories, status.versions, status.links, status.events


def first(memory: Memory, query: str, **within: Any) -> str:
    return memory.search(query, k=1, gate=False, **within)[0].memory.text


def run(script: str, *given: object) -> str:
    """Run a script in a process of its own; warnings are errors there too."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IN_CHILD + script, *map(str, given)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- adding --------------------------------------------------------------------------------------------------------


def test_what_was_added_is_found_at_once_by_words_and_the_rest_follows(tmp_path: Path) -> None:
    with Memory(here(tmp_path / "memory.db"), **for_memory(), settings=LATER) as memory:
        receipt = memory.add("The spare key hangs behind the piano")
        assert (receipt.state, memory.status().backlog) == ("stored", 1)
        [hit] = memory.search("where is the spare key")
        assert hit.memory.id == receipt.id
        assert memory.wait() == memory.status().backlog == 0
        [hit] = memory.search("where is the spare key")
        assert hit.memory.id == receipt.id


def test_waiting_returns_when_the_full_tier_has_read_it(tmp_path: Path) -> None:
    with Memory(here(tmp_path / "memory.db"), **for_memory(), settings=FULL) as memory:
        receipt = memory.add("My automobile broke down on the motorway", wait=True)
        assert (receipt.state, memory.status().backlog) == ("enriched", 0)
        many = memory.add_many(({"text": f"the {n}th lesson"} for n in range(30)), wait=True)
        assert (many.state, memory.status().backlog, len(many.ids)) == ("enriched", 0, 30)
        assert first(memory, "trouble with the car") == "My automobile broke down on the motorway"
        assert "meaning" in memory.search("trouble with the car")[0].shares


def test_the_background_reads_without_being_told(tmp_path: Path) -> None:
    reader = HashReader(dimension=32)
    with Memory(here(tmp_path / "memory.db"), **for_memory(), embedder=reader, settings=FULL) as memory:
        for number in range(5):
            memory.add(f"number {number}")
        ends = time.monotonic() + 10
        while memory.status().backlog and time.monotonic() < ends:
            time.sleep(0.02)
        assert (memory.status().backlog, reader.texts_read) == (0, 5)


def test_closing_finishes_a_little_backlog(tmp_path: Path) -> None:
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=HashReader(dimension=32), settings=FULL
    ) as memory:
        memory.add_many({"text": f"number {n}"} for n in range(100))
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=HashReader(dimension=32), settings=FULL
    ) as memory:
        assert (memory.status().backlog, memory.status().memories) == (0, 100)


def test_a_wait_may_be_cut_short(tmp_path: Path) -> None:
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=HashReader(dimension=32), settings=LATER
    ) as memory:
        memory.add_many({"text": f"number {n}"} for n in range(100))
        assert memory.wait(timeout=0) == 100
        told: list[int] = []
        assert memory.wait(progress=told.append) == 0
        assert sum(told) == 100


def test_a_row_is_whole_or_not_there(memory: Memory) -> None:
    at = datetime.fromisoformat("2026-02-01T10:00:00+05:45")
    id = memory.add(
        "I take the train", kind="turn", speaker="Ann", at=at, user="ann", agent="a", session="s", project="p",
        metadata={"stars": 3}, source="chat.json",
    ).id  # fmt: skip
    one = memory.get(id)
    assert (one.text, one.kind, one.speaker, one.zone, one.at) == (
        "I take the train",
        "turn",
        "Ann",
        "+05:45",
        at,
    )
    assert (one.scope.user, one.scope.agent, one.scope.session, one.scope.project) == ("ann", "a", "s", "p")
    assert (one.metadata, one.actor, one.reason) == ({"stars": 3}, "tester", "said")
    assert one.source is not None
    assert one.source.name == "chat.json"


def test_many_go_in_by_batches_and_progress_counts_them_all(memory: Memory) -> None:
    told: list[int] = []
    receipt = memory.add_many(
        ({"text": f"number {n}", "user": "ann"} for n in range(1201)), progress=told.append
    )
    assert (sum(told), max(told), len(receipt.ids), len(receipt.seqs)) == (1201, 500, 1201, 1201)
    assert [one.id for one in memory.list(limit=2000)] == list(receipt.ids)
    assert receipt.changes == (), "a receipt of a million memories does not hold them"
    assert memory.add_many([]).ids == ()


def test_a_bad_row_stops_its_batch_and_keeps_those_before(memory: Memory) -> None:
    rows: list[dict[str, object]] = [{"text": f"number {n}"} for n in range(700)]
    rows[600] = {"text": ""}
    with pytest.raises(InputError, match="text: must not be empty"):
        memory.add_many(rows)
    assert counts(memory)[1] == 500
    with pytest.raises(InputError, match="must not be empty"):
        memory.add_many(rows, plan=True)
    assert counts(memory)[1] == 500


# --- plans ---------------------------------------------------------------------------------------------------------

Act = Callable[[Memory, str, str, str], Any]
VERBS: dict[str, Act] = {
    "add": lambda m, one, two, link: m.add("new", user="new user", plan=True),
    "add_many": lambda m, one, two, link: m.add_many(
        [{"text": "new", "session": "new"}, {"text": "x"}], plan=True
    ),
    "update": lambda m, one, two, link: m.update(one, "newer", plan=True),
    "retire": lambda m, one, two, link: m.retire(one, plan=True),
    "restore": lambda m, one, two, link: m.restore(two, plan=True),
    "link": lambda m, one, two, link: m.link(one, two, "near", plan=True),
    "unlink": lambda m, one, two, link: m.unlink(link, plan=True),
    "apply": lambda m, one, two, link: m.apply(m.add("new", plan=True).changes, plan=True),
    "undump": lambda m, one, two, link: m.undump(others(), plan=True),
}


def others() -> list[dict[str, Any]]:
    with Memory(here(), **for_memory(), settings=QUICK) as other:
        other.add("from elsewhere")
        return [*other.dump()]


@pytest.mark.parametrize("verb", VERBS)
def test_a_plan_writes_nothing(memory: Memory, verb: str) -> None:
    one, two, three = memory.add_many([{"text": "one"}, {"text": "two"}, {"text": "three"}]).ids
    link = memory.link(one, three, "beside").id
    memory.update(two, "zwei")
    before, log, dumped = counts(memory), memory.log(), [*memory.dump()]
    receipt = VERBS[verb](memory, one, two, link)
    if verb != "undump":
        assert (receipt.state, receipt.seqs) == ("planned", ())
        assert receipt.ids == tuple(change.id for change in receipt.changes)
    assert (counts(memory), memory.log(), [*memory.dump()]) == (before, log, dumped)
    assert memory.search("new newer near elsewhere")[0].memory.text in {"one", "zwei", "three"}


def test_a_plan_can_be_applied(memory: Memory) -> None:
    planned = memory.add("I will move to Porto", plan=True)
    done = memory.apply(planned.changes)
    assert done.ids == planned.ids
    assert memory.get(planned.id).text == "I will move to Porto"
    with pytest.raises(Conflict, match="taken"):
        memory.apply(planned.changes)


# --- changing ------------------------------------------------------------------------------------------------------


def test_a_change_is_true_from_its_time_on_and_can_be_undone(memory: Memory) -> None:
    clock: Any = memory.clock
    id = memory.add("Ana lives in Lisbon", at=NOW - 100 * DAY).id
    clock.advance(hours=1)
    memory.update(id, "Ana lives in Porto", at=NOW - 10 * DAY, reason="she moved")
    clock.advance(hours=1)
    memory.update(id, "Ana lives in Braga", at=NOW - 50 * DAY, reason="learnt late")
    assert memory.get(id).text == "Ana lives in Porto", "a late arrival does not overwrite the newer truth"
    assert memory.get(id, as_of=NOW - 20 * DAY).text == "Ana lives in Braga"
    assert memory.get(id, as_of=NOW - 60 * DAY).text == "Ana lives in Lisbon"
    assert memory.get(id, as_of=NOW - 20 * DAY, known_at=NOW).text == "Ana lives in Lisbon"
    reasons = [version.reason for version in memory.history(id)]
    assert reasons[0] == "said"
    assert {"she moved", "learnt late"} <= set(reasons)
    clock.advance(hours=1)
    memory.restore(id, reason="a mistake")
    assert memory.get(id, as_of=NOW - 20 * DAY).text == "Ana lives in Lisbon"
    assert {version.actor for version in memory.history(id)} == {"tester"}
    assert [event.verb for event in memory.log(subject=id)] == ["add", "supersede", "supersede", "restore"]
    assert memory.verify().ok


def test_a_correction_is_for_all_of_its_time(memory: Memory) -> None:
    id = memory.add("Ana lives in Lisbon", at=NOW - 100 * DAY, metadata={"a": 1}).id
    memory.update(id, "Ana lives in Porto", if_version=1)
    assert memory.get(id, as_of=NOW - 60 * DAY).text == "Ana lives in Porto"
    assert memory.get(id).metadata == {"a": 1}
    memory.update(id, metadata={"a": 2})
    assert (memory.get(id).text, memory.get(id).metadata) == ("Ana lives in Porto", {"a": 2})
    with pytest.raises(Conflict, match="not at 1"):
        memory.update(id, "Ana lives in Faro", if_version=1)
    with pytest.raises(NotFound):
        memory.update("0" * 32, "nobody")


def test_what_is_retired_is_found_no_more_until_it_is_restored(memory: Memory) -> None:
    clock: Any = memory.clock
    id, other = memory.add_many([{"text": "the red bicycle"}, {"text": "the river"}], wait=True).ids
    clock.advance(days=1)
    memory.retire(id)
    assert [hit.memory.id for hit in memory.search("bicycle")] == [other]
    assert [one.id for one in memory.list()] == [other]
    with pytest.raises(NotFound, match="has ended"):
        memory.get(id)
    assert memory.get(id, as_of=NOW + DAY / 2).text == "the red bicycle"
    with pytest.raises(InputError, match="retired"):
        memory.retire(id)
    memory.restore(id, version=1)
    assert first(memory, "bicycle") == "the red bicycle"
    assert memory.status().memories == 2


def test_links_join_memories_and_end(memory: Memory) -> None:
    clock: Any = memory.clock
    a, b, c = memory.add_many([{"text": "a"}, {"text": "b"}, {"text": "c"}]).ids
    ab = memory.link(a, b, "supports", weight=0.5, evidence="said so").id
    memory.link(b, c, "supports")
    assert memory.neighbours(a, hops=2) == {b: 1, c: 2}
    [link] = memory.links(a)
    assert (link.id, link.weight, link.evidence, memory.status().links) == (ab, 0.5, "said so", 2)
    clock.advance(days=1)
    memory.unlink(ab)
    assert memory.links(a) == []
    assert [one.id for one in memory.links(a, as_of=NOW)] == [ab]


def test_a_list_may_ask_for_memories_without_an_owner(memory: Memory) -> None:
    one = memory.add("a").id
    two, three = memory.add("b", user="ann").id, memory.add("c", user="ann", session="s").id
    assert [m.id for m in memory.list()] == [one, two, three]
    assert [m.id for m in memory.list(user="")] == [one]
    assert [m.id for m in memory.list(user="ann", session="")] == [two]
    assert [m.id for m in memory.list(user="nobody", session="")] == []
    scopes: list[dict[str, Any]] = [{"user": ""}, {"user": "ann", "session": ""}, {"user": "ann"}]
    for within in scopes:
        assert {m.id for m in memory.list(**within)} == {
            h.memory.id for h in memory.search("a b c", **within)
        }


# --- opening and closing -------------------------------------------------------------------------------------------


def test_closing_twice_is_fine_and_what_is_closed_says_so(tmp_path: Path) -> None:
    memory = Memory(here(tmp_path / "memory.db"), **for_memory(), settings=QUICK)
    with memory as same:
        assert same is memory
        memory.add("once")
    memory.close()
    for verb in (lambda: memory.add("again"), lambda: memory.search("once"), memory.list, memory.status):
        with pytest.raises(StoreUnusable, match="is closed"):
            verb()
    with Memory(here(tmp_path / "memory.db"), **for_memory(), settings=QUICK) as memory:
        assert [one.text for one in memory.list()] == ["once"]


@pytest.mark.only("sqlite")
def test_without_a_path_it_lies_in_the_users_own_place(empty_home: Path) -> None:
    assert default_path().is_relative_to(empty_home)
    with Memory(settings=QUICK) as memory:
        memory.add("hello")
        assert (memory.path, default_path().exists()) == (default_path(), True)


@pytest.mark.only("sqlite")
def test_a_store_in_memory_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Memory(here(), **for_memory(), embedder=HashReader(dimension=32), settings=FULL) as memory:
        memory.add("hello", wait=True)
        assert first(memory, "hello") == "hello"
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_forgotten_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    memory = Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=HashReader(dimension=32), settings=FULL
    )
    memory.add("hello")
    memory.close()
    del memory
    gc.collect()
    assert set(threading.enumerate()) <= before


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path, memory: Memory) -> None:
    with pytest.raises(UnknownName, match="recipe"):
        Memory(tmp_path / "other.db", recipe="no such paper")
    assert not (tmp_path / "other.db").exists()
    for verb in (memory.search, memory.explain, memory.context):
        asking: Any = verb
        with pytest.raises(TypeError, match="usr"):
            asking("hello", usr="ann")
    with pytest.raises(InputError, match="setting meaning"):
        Settings(meaning="fulll")
    with (
        pytest.raises(UnknownName, match=r"model.*Known: minilm"),
        Memory(here(), **for_memory(), embedder="minilmm") as other,
    ):
        other.search("hello")


# --- models --------------------------------------------------------------------------------------------------------


def test_a_store_of_another_model_is_refused_until_it_is_made_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "memory.db", HashReader(dimension=64, name="other")
    with Memory(here(path), **for_memory(), embedder=HashReader(dimension=32), settings=LATER) as memory:
        memory.add_many(({"text": f"number {n} of the river"} for n in range(9)), wait=True)
    with Memory(here(path), **for_memory(), embedder=other, settings=LATER) as memory:
        with pytest.raises(ModelMismatch, match="simonides reindex"):
            memory.search("river")
        assert [one.text for one in memory.list(limit=1)] == ["number 0 of the river"]
        assert memory.reindex() == 9
        assert memory.status().backlog == 0
        assert len(memory.search("river")) == 9
        assert other.texts_read == 10


DAMAGE = [
    "DELETE FROM lexical", "DELETE FROM codes", "DELETE FROM pooled", "UPDATE lexical SET words = 'abc'",
    "UPDATE lexical SET tokens = x'010203'", "UPDATE codes SET states = x'0102'",
    "UPDATE pooled SET vector = x'0102' WHERE row % 2 = 1",
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_damaged_by_hand_does_no_harm_and_is_made_anew(
    place: Place, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "memory.db"
    with Memory(here(path), **for_memory(), embedder=HashReader(dimension=32), settings=LATER) as memory:
        memory.add_many(({"text": f"word{n} in the river"} for n in range(9)), wait=True)
        before = [(hit.memory.id, hit.score) for hit in memory.search("word3 river")]
    place.run(here(path), damage)
    with Memory(here(path), **for_memory(), embedder=HashReader(dimension=32), settings=LATER) as memory:
        assert len(memory.search("word3 river")) == 9
        assert memory.reindex() == 9
        assert [(hit.memory.id, hit.score) for hit in memory.search("word3 river")] == before
        assert all(finding.ok for finding in memory.doctor())


class Slow(HashReader):
    """A reader that is still at it when something else happens."""

    def __init__(self) -> None:
        super().__init__(dimension=32, name="slow")
        self.begun, self.go_on = threading.Event(), threading.Event()

    def read(self, texts: Any) -> list[States]:
        self.begun.set()
        self.go_on.wait(10)
        return super().read(texts)


def test_codes_made_while_another_model_moves_in_are_not_taken_for_its_own(tmp_path: Path) -> None:
    path, slow = tmp_path / "memory.db", Slow()
    with Memory(here(path), **for_memory(), embedder=slow, settings=FULL) as memory:
        memory.add_many({"text": f"word{n} in the river"} for n in range(5))
        assert slow.begun.wait(10)
        with Memory(here(path), **for_memory(), embedder=HashReader(dimension=64), settings=LATER) as other:
            assert other.reindex() == 5
            slow.go_on.set()
            time.sleep(0.1)
            assert [hit.memory.text for hit in other.search("word3", k=1)] == ["word3 in the river"]
            assert other.ledger.model_identity() is not None
            assert '"hash"' in str(other.ledger.model_identity())


def test_a_reindex_while_the_background_reads_loses_nothing(tmp_path: Path) -> None:
    slow = Slow()
    with Memory(here(tmp_path / "memory.db"), **for_memory(), embedder=slow, settings=FULL) as memory:
        memory.add_many({"text": f"word{n} in the river"} for n in range(5))
        assert slow.begun.wait(10)
        threading.Timer(0.1, slow.go_on.set).start()
        assert memory.reindex() == 5
        assert memory.status().backlog == 0
        assert first(memory, "word3") == "word3 in the river"
        assert all(finding.ok for finding in memory.doctor())


@pytest.mark.only("sqlite")
def test_a_store_that_is_busy_for_a_while_is_read_later(tmp_path: Path) -> None:
    path, slow = tmp_path / "memory.db", Slow()
    with Memory(
        here(path), **for_memory(), embedder=slow, settings=replace(FULL, busy_seconds=0.02)
    ) as memory:
        memory.add("the river")
        assert slow.begun.wait(10)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            slow.go_on.set()
            time.sleep(0.2)
            other.execute("ROLLBACK")
        ends = time.monotonic() + 10
        while memory.status().backlog and time.monotonic() < ends:
            time.sleep(0.02)
        assert memory.status().backlog == 0
        assert all(finding.ok for finding in memory.doctor())


class Broken(HashReader):
    """A reader that cannot read, as an endpoint that is down."""

    def read(self, texts: Any) -> list[States]:
        raise StoreUnusable("endpoint", "does not answer", "", "Start it.")


def test_a_model_that_fails_leaves_the_rest_working_and_doctor_says_so(tmp_path: Path) -> None:
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=Broken(dimension=32), settings=FULL
    ) as memory:
        memory.add("the spare key is in the piano")
        assert first(memory, "spare key") == "the spare key is in the piano"
        ends = time.monotonic() + 10
        while all(finding.ok for finding in memory.doctor()) and time.monotonic() < ends:
            time.sleep(0.02)
        assert [f.detail for f in memory.doctor() if not f.ok and "endpoint" in f.detail]
        with pytest.raises(StoreUnusable, match="does not answer"):
            memory.wait()
        assert memory.status().backlog == 1


OFF = """
import json, sys
from simonides.memory import Memory
loaded = "onnxruntime" in sys.modules
from simonides.settings import Settings
with Memory(sys.argv[1], **FOR_MEMORY, settings=Settings(meaning=sys.argv[2])) as memory:
    memory.add("the spare key is in the piano", wait=True)
    memory.update(memory.list()[0].id, "the spare key is in the garden")
    texts = [hit.memory.text for hit in memory.search("spare key", gate=False)]
    str(memory.context("spare key")), memory.explain("spare key"), memory.status(), memory.doctor(), memory.reindex()
embed = sys.modules.get("simonides.parts.embed")
sessions = embed is not None and embed._session.cache_info().currsize
print(json.dumps([loaded, "onnxruntime" in sys.modules, sessions, texts]))
"""


@pytest.mark.parametrize("meaning", ["off", "instant"])
def test_without_the_full_tier_no_model_is_loaded(tmp_path: Path, meaning: str) -> None:
    loaded, after, sessions, texts = json.loads(run(OFF, here(tmp_path / "memory.db"), meaning))
    assert (loaded, after, sessions) == (False, False, 0)
    assert texts == ["the spare key is in the garden"]


def test_the_full_tier_is_loaded_when_there_is_something_to_read(tmp_path: Path) -> None:
    script = """
import sys
from simonides.memory import Memory
with Memory(sys.argv[1], **FOR_MEMORY) as memory:
    memory.search("anything")
    assert "onnxruntime" not in sys.modules, "an empty store needs no model"
    memory.add("the automobile", wait=True)
    assert "onnxruntime" in sys.modules
    print(memory.status().backlog)
"""
    assert run(script, here(tmp_path / "memory.db")).split() == ["0"]


# --- many at once --------------------------------------------------------------------------------------------------


def test_eight_threads_add_and_search_and_lose_nothing(tmp_path: Path) -> None:
    reader = HashReader(dimension=32)
    with Memory(here(tmp_path / "memory.db"), **for_memory(), embedder=reader, settings=FULL) as memory:

        def work(thread: int) -> list[str]:
            ids: list[str] = []
            for number in range(20):
                text = f"thread{thread} number{number} river"
                ids.append(memory.add(text, user=f"u{thread}", session=f"s{number % 3}").id)
                [hit] = memory.search(text, k=1, user=f"u{thread}", gate=False)
                assert hit.memory.id == ids[-1]
                if number % 7 == 6:
                    memory.update(ids[-2], f"thread{thread} changed{number} river")
                    memory.context("river", user=f"u{thread}")
            return ids

        with ThreadPoolExecutor(8) as pool:
            ids = [id for found in pool.map(work, range(8)) for id in found]
        assert len(set(ids)) == 160
        assert {one.id for one in memory.list(limit=1000)} == set(ids)
        assert {hit.memory.id for hit in memory.search("river", k=1000)} == set(ids)
        assert memory.wait() == 0
        assert memory.verify().ok


def test_what_another_object_on_the_file_writes_is_found_by_the_next_search(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with (
        Memory(here(path), **for_memory(), settings=QUICK) as one,
        Memory(here(path), **for_memory(), settings=QUICK) as two,
    ):
        assert two.search("piano") == []
        id = one.add("the piano is out of tune").id
        assert first(two, "piano") == "the piano is out of tune"
        two.update(id, "the piano was tuned")
        assert first(one, "piano") == "the piano was tuned"
        one.retire(id)
        assert two.search("piano", gate=False) == []
        two.restore(id)
        assert first(one, "piano") == "the piano was tuned"


KILLED = """
import os, sys
from simonides.memory import Memory
memory = Memory(sys.argv[1], **FOR_MEMORY)
memory.add_many({"text": text} for text in ("My automobile broke down", "We sang in the choir", "The soup was salty"))
sys.stdout.write("added")
sys.stdout.flush()
os._exit(0)
"""


def test_what_a_killed_process_left_is_read_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(here(path), **for_memory(), settings=QUICK) as watching:
        assert watching.search("soup") == []
        assert run(KILLED, here(path)) == "added"
        assert first(watching, "soup") == "The soup was salty", "no rebuild is needed to see it"
    with Memory(here(path), **for_memory(), settings=FULL) as memory:
        assert memory.status().backlog == 3
        assert first(memory, "salty soup") == "The soup was salty"
        ends = time.monotonic() + 20
        while memory.status().backlog and time.monotonic() < ends:
            time.sleep(0.05)
        assert memory.status().backlog == 0
        assert first(memory, "trouble with the car") == "My automobile broke down"


def test_a_process_that_only_added_leaves_nothing_behind(tmp_path: Path) -> None:
    script = """
import sys
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
memory = Memory(sys.argv[1], **FOR_MEMORY, embedder=HashReader(dimension=32))
memory.add("the soup was salty")
"""
    run(script, here(tmp_path / "memory.db"))
    with Memory(
        here(tmp_path / "memory.db"), **for_memory(), embedder=HashReader(dimension=32), settings=LATER
    ) as memory:
        assert memory.status().backlog == 0


# --- the full tier -------------------------------------------------------------------------------------------------

TALK = [
    ("Ana", "I finally bought a puppy, a small brown one."),
    ("Ben", "How wonderful! What is his name?"),
    ("Ana", "Biscuit. He chews every slipper in the flat."),
    ("Ben", "My sister plays the violin in the city orchestra."),
    ("Ana", "We could hear her on Friday, after the dentist."),
    ("Ben", "The doctor told me to stop drinking coffee."),
    ("Ana", "The flight to Lisbon leaves at six in the morning."),
    ("Ben", "My landlord raised the rent again."),
]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with Memory(tmp_path_factory.mktemp("talk") / "memory.db", settings=FULL) as memory:
        memory.add_many(({"text": text, "speaker": name, "session": "s"} for name, text in TALK), wait=True)
        yield memory


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Which pet did she get?", "puppy"),
        ("musical instrument of a sibling", "violin"),
        ("medical advice about caffeine", "coffee"),
        ("housing costs more", "rent"),
        ("airplane departure", "flight"),
    ],
)
def test_meaning_is_found_without_a_word_in_common(talk: Memory, query: str, words: str) -> None:
    assert words in first(talk, query)


def test_codes_are_small_and_nearly_those_of_a_single_reading(talk: Memory) -> None:
    model = talk.ledger.model_id(embed.identity(), create=False)
    stored = talk.ledger.codes(range(1, len(TALK) + 1), model)
    assert len(stored) == len(TALK)
    before = [("", f"{TALK[0][0]}: {TALK[0][1]}")]
    again = embed.MiniLM().read(before)[0]
    bits = [np.unpackbits(np.frombuffer(blob, np.uint8)) for blob in (stored[1].states, codes.encode(again))]
    assert (bits[0] == bits[1]).mean() > 0.9, "8-bit arithmetic depends a little on what is read beside it"
    for code in stored.values():
        assert 0 < len(code.states) <= 1024
        assert len(code.pooled) == embed.DIMENSION + 4


def test_a_pasted_page_is_a_question_like_any_other(talk: Memory) -> None:
    page = "The flight to Lisbon leaves at six. " + "And so on and on. " * 5000
    started = time.monotonic()
    assert talk.search(page, gate=False)
    assert time.monotonic() - started < 5


def test_the_background_may_be_off(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Memory(here(tmp_path / "memory.db"), **for_memory(), settings=LATER) as memory:
        memory.add("hello")
        memory.search("hello")
        ours = {thread for thread in threading.enumerate() if not thread.name.startswith("pool-")}
        assert ours <= before, "the threads of a connection pool don't read"
        assert memory.status().backlog == 1
