"""A request that comes again: one write, the first receipt, whatever happened in between; another one is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import IN_CHILD, Place, for_memory, here
from simonides import FrozenClock, Memory, Settings
from simonides.bounded import Bounded
from simonides.errors import InputError, NotFound
from simonides.ledger import Replay
from simonides.types import Erasure, Receipt, Scope, Undone

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUICK = Settings(meaning="instant", busy_seconds=30)
DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("place")


def asked(name: str, what: str = "") -> Replay:
    return Replay(name, sha256((what or name).encode()).digest())


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def memory(clock: FrozenClock) -> Iterator[Memory]:
    with Memory(here("memory.db"), clock=clock, settings=QUICK, **for_memory()) as opened:
        yield opened


def state(memory: Memory) -> tuple[int, str]:
    return memory.ledger.head()


Verb = Callable[[Bounded, str, str], Receipt | Undone | Erasure]

VERBS: dict[str, Verb] = {
    "add": lambda door, one, two: door.add("new", ttl=DAY),
    "add_many": lambda door, one, two: door.add_many([{"text": "new"}, {"text": "newer"}]),
    "update": lambda door, one, two: door.update(one, "changed", if_version=1),
    "retire": lambda door, one, two: door.retire(one, if_version=1),
    "restore": lambda door, one, two: door.restore(two),
    "expire": lambda door, one, two: door.expire(one, NOW + timedelta(hours=2)),
    "link": lambda door, one, two: door.link(one, two, "follows"),
    "undo": lambda door, one, two: door.undo(door.memory.log(subject=one)[-1].seq),
    "erase": lambda door, one, two: door.erase(one),
    "erase by words": lambda door, one, two: door.erase(query="tea with milk", k=1, reason="asked for"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("scope", [Scope(), Scope(user="ana")], ids=["whole", "bounded"])
def test_the_second_time_writes_nothing_and_the_first_receipt_comes_back(
    memory: Memory, clock: FrozenClock, verb: str, scope: Scope
) -> None:
    one = memory.add("tea with milk", user="ana").id
    two = memory.add("tea without", user="ana").id
    memory.update(two, "coffee")

    def run() -> Receipt | Undone | Erasure:
        return VERBS[verb](Bounded(memory, scope, actor="ana", replay=asked(verb)), one, two)

    first = run()
    after = state(memory)
    clock.advance(hours=12)
    again = run()
    assert state(memory) == after, "nothing was written"
    if isinstance(first, Receipt):
        assert isinstance(again, Receipt)
        assert (again.ids, again.seqs, again.state) == (first.ids, first.seqs, first.state)
    else:
        assert again == first
    if isinstance(again, Erasure):
        assert memory.ledger.verify(again).ok, "the receipt is signed"


def test_without_a_key_each_is_a_request_of_its_own(memory: Memory) -> None:
    door = Bounded(memory)
    assert door.add("tea").id != door.add("tea").id


def test_another_request_under_the_same_key_is_refused(memory: Memory) -> None:
    Bounded(memory, replay=asked("key", "tea")).add("tea")
    with pytest.raises(InputError, match="idempotency key: was used for another request"):
        Bounded(memory, replay=asked("key", "milk")).add("milk")
    with pytest.raises(InputError, match="idempotency key"):
        Bounded(memory, replay=asked("key", "milk")).retire("0" * 32)
    assert len(memory.list()) == 1


def test_a_plan_takes_no_key(memory: Memory) -> None:
    door = Bounded(memory, replay=asked("key"))
    assert door.add("tea", plan=True).state == "planned"
    assert door.add("tea").state == "stored"
    assert Bounded(memory, replay=asked("key")).add("tea", plan=True).state == "planned"
    assert len(memory.list()) == 1


def test_what_failed_may_be_tried_again(memory: Memory) -> None:
    with pytest.raises(InputError):
        Bounded(memory, replay=asked("key")).add("")
    with pytest.raises(NotFound):
        Bounded(memory, replay=asked("other")).retire("0" * 32)
    assert Bounded(memory, replay=asked("key")).add("tea").ids


def test_a_long_write_goes_on_where_it_was_cut_off(memory: Memory) -> None:
    rows = [{"text": f"line {number}"} for number in range(1100)]
    broken = [*rows[:1000], {"text": ""}]
    with pytest.raises(InputError):
        memory.acting("", replay=asked("long")).add_many(broken)
    assert memory.status().memories == 1000
    done = memory.acting("", replay=asked("long")).add_many(rows)
    assert memory.status().memories == 1100
    assert len({*done.ids}) == len({*done.seqs}) == 1100
    assert memory.acting("", replay=asked("long")).add_many(rows).ids == done.ids
    assert [memory.get(id).text for id in done.ids[::100]] == [row["text"] for row in rows[::100]]


def test_receipts_are_kept_for_a_day_and_upkeep_takes_them_away(memory: Memory, clock: FrozenClock) -> None:
    def kept() -> int:
        with memory.ledger.database.reading() as connection:
            return connection.execute("SELECT count(*) FROM replay").fetchone()[0]

    one = Bounded(memory, replay=asked("key")).add("tea").id
    clock.advance(hours=23, minutes=59)
    assert Bounded(memory, replay=asked("key")).add("tea").id == one
    assert kept() == 1
    clock.advance(minutes=1)
    memory.upkeep()
    assert kept() == 0
    assert Bounded(memory, replay=asked("key")).add("tea").id != one
    clock.advance(days=1)
    Bounded(memory, replay=asked("other")).add("tea")
    assert kept() == 1, "a store that nobody looks after doesn't grow for ever"


def test_nothing_of_what_was_asked_lies_in_the_store(memory: Memory) -> None:
    words = "a most peculiar sentence"
    replay = asked("key of ana", words)
    one = Bounded(memory, replay=replay).add(words, user="ana").id
    Bounded(memory, replay=asked("gone")).erase(one)
    with memory.ledger.database.reading() as connection:
        held = repr(connection.execute("SELECT * FROM replay").fetchall())
    assert "peculiar" not in held
    assert "key of ana" not in held
    assert replay.digest.hex() not in held
    assert Bounded(memory, replay=asked("key of ana", words)).add(words, user="ana").id == one
    assert memory.list() == [], "what was erased does not come back because its request does"


def test_an_erasure_that_was_cut_off_before_its_cleaning_is_finished_by_the_next_try(memory: Memory) -> None:
    one = memory.add("tea with milk").id
    first = memory.acting("", replay=asked("erase")).erase(one, keep_pages=True)
    assert "pages" in memory.ledger.pending()
    again = memory.acting("", replay=asked("erase")).erase(one)
    assert memory.ledger.pending() == again.pending
    assert (again.ids, again.seq, again.digest) == (first.ids, first.seq, first.digest)
    assert memory.verify(again).ok


@pytest.mark.parametrize("verb", ["add", "erase"])
def test_two_threads_with_one_request_write_once(memory: Memory, verb: str) -> None:
    one = memory.add("tea with milk").id
    before = memory.log(limit=1000)[-1].seq
    barrier = Barrier(6)

    def run(_: int) -> tuple[str, ...]:
        barrier.wait()
        return VERBS[verb](Bounded(memory, replay=asked("one")), one, one).ids

    with ThreadPoolExecutor(6) as pool:
        done = {*pool.map(run, range(6))}
    assert len(done) == 1
    assert [event.seq for event in memory.log(after=before)] == [before + 1]


CHILD = """
import os, sys
from hashlib import sha256
from simonides import Memory, Settings
from simonides.ledger import Replay
dies, armed = sys.argv[2], False
def trace(statement):
    if armed and dies and statement.lstrip().startswith(dies):
        os._exit(9)
settings = Settings(meaning="instant", busy_seconds=30)
with Memory(sys.argv[1], settings=settings, tracer=trace, **FOR_MEMORY) as memory:
    armed = True
    done = memory.acting("", replay=Replay("one", sha256(b"one").digest())).add("tea")
    if dies == "answering":
        os._exit(9)
    print(done.id, flush=True)
"""


def child(path: str, dies: str = "") -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", IN_CHILD + CHILD, path, dies], env=env, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_with_one_request_write_once(place: Place) -> None:
    with Memory(place(), settings=QUICK, **for_memory()):
        pass
    running = [child(place()) for _ in range(3)]
    ids = {each.communicate(timeout=60)[0].strip() for each in running}
    assert [each.returncode for each in running] == [0, 0, 0]
    with Memory(place(), settings=QUICK, **for_memory()) as memory:
        assert {one.id for one in memory.list()} == ids
        assert len(ids) == 1


@pytest.mark.parametrize("dies", ["INSERT INTO event", "INSERT INTO replay", "COMMIT", "answering"])
def test_whoever_dies_on_the_way_may_ask_again(place: Place, dies: str) -> None:
    if dies == "COMMIT" and place.backend == "postgresql":
        return  # its tracer is shown what the ledger says, not when it commits
    with Memory(place(), settings=QUICK, **for_memory()):
        pass
    dead = child(place(), dies)
    dead.communicate(timeout=60)
    assert dead.returncode == 9
    with Memory(place(), settings=QUICK, **for_memory()) as memory:
        assert len(memory.list()) == (dies == "answering")
        done = memory.acting("", replay=asked("one")).add("tea")
        assert [one.id for one in memory.list()] == [done.id]


@given(key=st.text(min_size=1, max_size=40), other=st.text(min_size=1, max_size=40))
def test_keys_are_told_apart(key: str, other: str) -> None:
    with Memory(":memory:", settings=QUICK) as memory:
        one = Bounded(memory, replay=Replay(key, b"x")).add("tea").id
        two = Bounded(memory, replay=Replay(other, b"x")).add("tea").id
        assert (one == two) is (key == other)


@pytest.mark.parametrize("key", ["", "k" * 513])
def test_a_key_has_a_length(key: str) -> None:
    with pytest.raises(InputError, match="idempotency key: must be 1 to 512 characters"):
        Replay(key, b"")
