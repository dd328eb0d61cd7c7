"""A store on a server: lost connections lose nothing acknowledged, many may start at once, and files go in and out."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends import DATABASE, ROLE
from simonides.bench import postgres_server
from simonides.bench.postgres_server import QUICK, Server
from simonides.clock import FrozenClock, SystemClock, new_id, parse_id
from simonides.errors import InputError, ModelMissing, NewerStore, NotFound, StoreBusy, StoreUnusable
from simonides.ledger import Code, Ledger, Lexical, migrations
from simonides.ledger.expiry import KEPT
from simonides.ledger.postgres import plan, schema, vectors
from simonides.ledger.postgres.address import Address, is_address, masked
from simonides.ledger.postgres.database import PostgresDatabase
from simonides.ledger.postgres.driver import translated
from simonides.ledger.postgres.schema import SHARED, TABLES, Names
from simonides.ledger.rows import SCOPED
from simonides.ledger.selection import Selection
from simonides.ledger.upkeep import Manner
from simonides.settings import Settings
from simonides.types import Add, Connect, Disconnect, Retire, Scope, Supersede

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def open_ledger(url: str, **settings: Any) -> Ledger:
    return Ledger(
        url,
        clock=FrozenClock(NOW),
        settings=Settings(**settings),
        analyse=lambda text: Lexical(text.encode(), b""),
    )


@pytest.fixture
def url(server: Server) -> str:
    """Return the address of a store that nobody else has; its connections have a name of their own."""
    name = new_id()
    return f"{server.url_of(DATABASE, ROLE)}?tenant={name}&application_name={name}"


@pytest.fixture
def database(server: Server, worker_id: str) -> Iterator[str]:
    """Return the address of an empty database."""
    name = f"empty_{worker_id}_{new_id()}"
    yield server.make_database(name, f"maker_{worker_id}")
    server.run("dropdb", "--force", name)


def terminate(server: Server, name: str) -> int:
    """End all connections of a name; return how many there were."""
    with psycopg.connect(server.url) as raw:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
        row = raw.execute(query, (name,)).fetchone()
    return row[0] if row else 0


# --- lost connections ----------------------------------------------------------------------------------------------


def test_whatever_was_acknowledged_is_there_once_when_connections_are_killed(
    server: Server, url: str
) -> None:
    name = Address.of(url).tenant
    ledgers = [
        Ledger(url, clock=SystemClock(), settings=Settings(), analyse=lambda _: Lexical(b"w", b"t"))
        for _ in range(3)
    ]
    acknowledged, refused, done = list[str](), dict[str, str](), threading.Event()

    def write(ledger: Ledger) -> None:
        while not done.is_set():
            ids = [new_id() for _ in range(3)]
            try:
                ledger.apply(
                    [Add(id, "written while connections die", NOW, scope=Scope(user=id)) for id in ids]
                )
            except StoreUnusable as err:
                refused.update(dict.fromkeys(ids, str(err)))
            else:
                acknowledged.extend(ids)

    def read(ledger: Ledger) -> None:
        while not done.is_set():
            ledger.list(limit=3)
            ledger.changed()

    failures: list[BaseException] = []

    def watched(step: Callable[[Ledger], None], ledger: Ledger) -> None:
        try:
            step(ledger)
        except BaseException as err:  # noqa: BLE001 - told below, by the test
            failures.append(err)

    threads = [threading.Thread(target=watched, args=(write, ledger)) for ledger in ledgers]
    threads += [threading.Thread(target=watched, args=(read, ledgers[0]))]
    for thread in threads:
        thread.start()
    killed, ends = 0, time.monotonic() + 90
    while (killed <= 20 or len(acknowledged) <= 60) and time.monotonic() < ends:
        killed += terminate(server, name)
        time.sleep(0.02)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == [], "readers are not disturbed, and writers are told in our words"
    assert killed > 20
    assert len(acknowledged) > 60
    assert not [text for text in refused.values() if "can't be asked" in text], "every outcome is known"
    with closing(open_ledger(url)) as ledger:
        there = ledger.existing([*acknowledged, *refused])
        assert there == set(acknowledged), "all that was acknowledged, and nothing that was said to be lost"
        assert ledger.sizes()["versions"] == ledger.sizes()["events"] == len(acknowledged)
        assert ledger.verify().ok
    for ledger in ledgers:
        ledger.close()


def test_a_commit_whose_answer_is_lost_is_acknowledged_when_it_was_done() -> None:
    """A server that waits for a replica has committed already when the connection dies: the worst moment."""
    with postgres_server.temporary() as server, psycopg.connect(server.url, autocommit=True) as boss:
        with closing(open_ledger(server.url)) as first:
            first.apply([Add(new_id(), "before", NOW)])
        boss.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        boss.execute("SELECT pg_reload_conf()")
        _until(lambda: boss.execute("SHOW synchronous_standby_names").fetchone() == ("nobody",))
        ledger, id = open_ledger(f"{server.url}?application_name=victim"), new_id()
        answers: list[object] = []
        thread = threading.Thread(target=lambda: answers.append(ledger.apply([Add(id, "worst moment", NOW)])))
        thread.start()
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'SyncRep'"
        _until(lambda: boss.execute(query).fetchone() == (1,))
        boss.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        boss.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        boss.execute("SELECT pg_reload_conf()")
        thread.join(30)
        assert answers == [(2,)]
        assert ledger.get(id).text == "worst moment"
        assert ledger.verify().events == 2
        ledger.close()


def test_a_commit_that_was_cut_off_is_told_to_be_lost(server: Server, database: str) -> None:
    """The transaction is slow at its very end, and its connection dies there."""
    name = new_id()
    ledger = open_ledger(f"{database}?application_name={name}")
    with psycopg.connect(database, autocommit=True) as raw:
        raw.execute("""CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$""")
        raw.execute("""CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON simonides.event DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slow()""")
        failures: list[BaseException] = []

        def write() -> None:
            try:
                ledger.apply([Add(new_id(), "too late", NOW)])
            except StoreUnusable as err:
                failures.append(err)

        thread = threading.Thread(target=write)
        thread.start()
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event = 'PgSleep'"
        _until(lambda: raw.execute(query, (name,)).fetchone() == (1,))
        terminate(server, name)
        thread.join(30)
        assert "during a commit, and nothing was written" in str(failures[0])
        assert ledger.list() == []
        raw.execute("DROP TRIGGER slow ON simonides.event")
    ledger.apply([Add(new_id(), "in time", NOW)])
    assert [memory.text for memory in ledger.list()] == ["in time"]
    ledger.close()


def test_a_server_that_is_killed_and_starts_again_is_used_again() -> None:
    with postgres_server.temporary() as server:
        ledger = open_ledger(server.url)
        ids = [new_id() for _ in range(5)]
        for id in ids:
            ledger.apply([Add(id, "durable", NOW)])
        server.kill()
        again = postgres_server.start(server.data, server.port, conf=QUICK)
        server.pid = again.pid
        assert [memory.id for memory in ledger.list()] == ids
        ledger.apply([Add(new_id(), "life goes on", NOW)])
        assert ledger.verify().ok
        ledger.close()


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    with postgres_server.temporary() as server:
        ledger = open_ledger(server.url, busy_seconds=0.5)
        server.stop()
        with pytest.raises(StoreUnusable, match=r"gave no connection|was lost"):
            ledger.list()
        with pytest.raises(StoreUnusable, match=r"gave no connection|was lost"):
            ledger.apply([Add(new_id(), "hello", NOW)])
        ledger.close()
        with pytest.raises(StoreUnusable, match=r"can't be connected to.*that the server runs"):
            open_ledger(server.url)


def test_a_slow_statement_is_stopped(url: str) -> None:
    ledger = open_ledger(url, statement_seconds=0.2)
    with (
        pytest.raises(StoreUnusable, match=r"took too long.*statement_seconds"),
        ledger.database.reading() as connection,
    ):
        connection.execute("SELECT pg_sleep(20)")
    assert ledger.list() == []
    ledger.close()


def test_nobody_waits_in_a_circle(server: Server, url: str) -> None:
    """Jobs are put, taken, renewed, failed and done, in all orders, while codes arrive and memories are erased."""
    given: dict[str, Any] = {
        "clock": SystemClock(),
        "settings": Settings(),
        "analyse": lambda _: Lexical(b"w", b"t"),
    }
    ledgers = [Ledger(url, **given) for _ in range(3)]
    writer = ledgers[0]
    model = writer.model_id({"name": "m"}, create=True)
    writer.apply([Add(new_id(), f"text {n}", NOW) for n in range(60)])
    stop, failures = time.monotonic() + 4, list[BaseException]()

    def add(ledger: Ledger, chance: random.Random) -> None:
        ledger.apply([Add(new_id(), "more", NOW) for _ in range(5)])

    def code(ledger: Ledger, chance: random.Random) -> None:
        rows = [row.row for row in ledger.fresh(0)]
        chosen = chance.sample(rows, min(20, len(rows)))
        ledger.put_codes(model, [Code(row, b"vector", b"", b"") for row in chosen])

    def erase(ledger: Ledger, chance: random.Random) -> None:
        ids = [parse_id(memory.id) for memory in ledger.list(limit=50)]
        with suppress(NotFound):
            ledger.erase(Selection(ids=tuple(chance.sample(ids, min(5, len(ids))))), Manner(derived=False))

    def work(ledger: Ledger, chance: random.Random) -> None:
        taken = ledger.jobs.find(limit=30)
        chance.shuffle(taken)
        steps = (
            lambda: ledger.jobs.claim(["read"], 0.001, 20),
            lambda: ledger.jobs.renew(taken, 0.001),
            lambda: ledger.jobs.postpone(taken, "later", 0),
            lambda: ledger.jobs.fail([(job, "no") for job in taken]),
            lambda: ledger.jobs.done(taken[:3]),
        )
        chance.choice(steps)()

    def repeat(step: Callable[[Ledger, random.Random], None], ledger: Ledger, seed: int) -> None:
        chance = random.Random(seed)
        try:
            while time.monotonic() < stop:
                step(ledger, chance)
        except BaseException as err:  # noqa: BLE001 - told below, by the test
            failures.append(err)

    steps = (add, code, erase, work, work, work)
    threads = [
        threading.Thread(target=repeat, args=(step, ledgers[n % 3], n)) for n, step in enumerate(steps)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert writer.verify().ok
    for ledger in ledgers:
        ledger.close()
    with psycopg.connect(server.url_of(DATABASE)) as raw:
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = %s"
        assert raw.execute(query, (DATABASE,)).fetchone() == (0,)


def test_two_processes_that_write_take_turns(url: str) -> None:
    one, two = open_ledger(url), open_ledger(url, busy_seconds=0.2)
    with one.database.writing():
        with pytest.raises(StoreBusy, match=r"another writer of this tenant.*0.2 seconds"):
            two.apply([Add(new_id(), "hello", NOW)])
        other = open_ledger(re.sub("tenant=[^&]*", f"tenant={new_id()}", url), busy_seconds=0.2)
        other.apply([Add(new_id(), "another tenant does not wait", NOW)])
        other.close()
    for ledger in (one, two):
        ledger.close()


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


# --- opening -------------------------------------------------------------------------------------------------------


def test_many_that_open_an_empty_database_at_once_make_one_store(database: str) -> None:
    opened: list[PostgresDatabase] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            opened.append(PostgresDatabase(database))
        except BaseException as err:  # noqa: BLE001 - told below, by the test
            failures.append(err)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {each.tenant for each in opened} == {1}
    with psycopg.connect(database) as raw:
        assert raw.execute("SELECT number FROM simonides.migration").fetchall() == [
            (step.number,) for step in schema.MIGRATIONS
        ]
        assert raw.execute("SELECT tenant, name FROM simonides.tenant").fetchall() == [(1, "default")]
    for each in opened:
        each.close()


def test_a_newer_schema_is_left_alone(database: str) -> None:
    PostgresDatabase(database).close()
    with psycopg.connect(database) as raw:
        raw.execute("INSERT INTO simonides.migration (number, name) VALUES (99, 'from the future')")
    with pytest.raises(NewerStore, match=r"schema 99, this one knows \d+.*pip install --upgrade"):
        PostgresDatabase(database)


def test_both_databases_have_the_same_tables_and_columns(database: str) -> None:
    PostgresDatabase(database).close()
    with psycopg.connect(database) as raw:
        query = """SELECT table_name, array_agg(column_name::text ORDER BY column_name)
            FROM information_schema.columns WHERE table_schema = 'simonides_tenant' GROUP BY 1"""
        views = {name: set(columns) for name, columns in raw.execute(query).fetchall()}
    with (
        closing(
            Ledger(
                ":memory:", clock=FrozenClock(NOW), settings=Settings(), analyse=lambda _: Lexical(b"", b"")
            )
        ) as ledger,
        ledger.database.reading() as connection,
    ):
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        ]
        tables = {
            name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})").fetchall()}
            for name in names
            if not name.startswith("sqlite_")
        }
    assert views.pop("writer") == {"writer", "mark", "at"}
    assert views == tables
    assert schema.LATEST == migrations.LATEST


def test_another_schema_is_another_store(database: str) -> None:
    with (
        closing(open_ledger(f"{database}?schema=one")) as one,
        closing(open_ledger(f"{database}?schema=two")) as two,
    ):
        one.apply([Add(new_id(), "in one", NOW)])
        assert (len(one.list()), two.list()) == (1, [])
    with pytest.raises(InputError, match="schema: must be lower-case letters"):
        open_ledger(f"{database}?schema=one%22;drop")


def test_without_psycopg_it_is_said_what_to_install() -> None:
    script = """
import sys
sys.modules["psycopg"] = None
from simonides import Memory
from simonides.errors import ModelMissing
Memory(":memory:").close()
try:
    Memory("postgresql://nobody@127.0.0.1:1/nothing")
except ModelMissing as err:
    print(err)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'simonides[postgres]'" in done.stdout
    assert issubclass(ModelMissing, Exception)


def test_a_file_needs_no_psycopg() -> None:
    script = "import sys; from simonides import Memory; Memory(':memory:').close(); print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


ADDRESSES = [
    ("postgresql://ann@host/db", "postgresql://ann@host/db", "", "postgresql://ann@host/db"),
    ("postgresql:/ann@host/db", "postgresql://ann@host/db", "", "postgresql://ann@host/db"),
    ("postgres://ann:pw@host:5433/db", "postgres://ann:pw@host:5433/db", "", "postgres://ann:***@host:5433/db"),
    ("postgresql:///d?host=/r&tenant=a%20b", "postgresql:///d?host=%2Fr", "a b", "postgresql:///d?host=/r&tenant=a%20b"),
    ("postgresql://h/db?password=pw", "postgresql://h/db?password=pw", "", "postgresql://h/db?password=***"),
    ("postgresql://a,b:5433/db?x=y", "postgresql://a,b:5433/db?x=y", "", "postgresql://a,b:5433/db?x=y"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "server", "tenant", "shown"), ADDRESSES)
def test_an_address_is_taken_apart(given: str, server: str, tenant: str, shown: str) -> None:
    parts = Address.of(given)
    assert (parts.url, parts.tenant, parts.shown) == (server, tenant, shown)
    assert is_address(given)
    assert masked(given) == shown


def test_a_path_is_no_address() -> None:
    for path in ("memory.db", "/a/b", "postgresql.db", "C:\\x", ":memory:"):
        assert not is_address(path)
        assert masked(path) == path


# --- statements ----------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.sampled_from(
            ["SELECT ", "?", " % ", "json_each(", " IN (SELECT value FROM json_each(?))", "'x'", ")"]
        ),
        max_size=12,
    ).map("".join)
)
@example("SELECT a FROM json_each(?) WHERE b LIKE '%' || ?")
def test_placeholders_are_numbered_and_nothing_else_is_touched(sql: str) -> None:
    found = translated(sql)
    assert [int(number) for number in re.findall(r"\$(\d+)", found)] == list(range(1, sql.count("?") + 1))
    back = re.sub(r"\$\d+", "?", found).replace("= ANY(integers(?))", "IN (SELECT value FROM json_each(?))")
    assert back.replace("numbers(", "json_each(") == sql


def test_a_snapshot_reads_piece_by_piece_and_sees_one_state(url: str) -> None:
    ledger = open_ledger(url)
    ledger.apply([Add(new_id(), f"text {n}", NOW) for n in range(4500)])
    with ledger.database.snapshot() as connection:
        cursor = connection.execute("SELECT row FROM memory ORDER BY row")
        first = cursor.fetchmany(3)
        ledger.apply([Add(new_id(), "later", NOW)])
        one = cursor.fetchone()
        rest = cursor.fetchall()
        assert [row[0] for row in (*first, one, *rest)] == list(range(1, 4501))
        assert cursor.fetchone() is None
        assert connection.execute("SELECT count(*) FROM memory").fetchone() == (4500,)
    assert ledger.sizes()["versions"] == 4501
    ledger.close()


def test_every_statement_can_be_seen_and_no_password(url: str) -> None:
    seen: list[str] = []
    ledger = Ledger(
        url,
        clock=FrozenClock(NOW),
        settings=Settings(),
        analyse=lambda _: Lexical(b"w", b"t"),
        tracer=seen.append,
    )
    ledger.apply([Add(new_id(), "see it's me", NOW)])
    ledger.list()
    assert any("see it''s me" in statement for statement in seen)
    assert any(statement.startswith("SELECT") and "FROM memory" in statement for statement in seen)
    ledger.close()


# --- in and out ----------------------------------------------------------------------------------------------------


def a_past(ledger: Ledger) -> None:
    ids = [new_id() for _ in range(6)]
    scopes = [Scope(user="ann", session="s"), Scope(), Scope(project="x, \"y\" and 'z'")]
    ledger.apply(
        [
            Add(
                id,
                f"text {n}\t\u00fc \U0001f600 \\x00 %s ?",
                NOW,
                scope=scopes[n % 3],
                metadata={"n": n, "deep": [1.5, None]},
            )
            for n, id in enumerate(ids)
        ],
        actor="ann",
    )
    ledger.apply([Supersede(ids[0], "changed", at=NOW + timedelta(days=1))])
    ledger.apply([Retire(ids[1], NOW + timedelta(days=2))])
    edge = new_id()
    ledger.apply([Connect(edge, ids[2], ids[3], "knows", NOW, 0.5, "said so")])
    ledger.apply([Disconnect(edge, NOW + timedelta(days=3))])


def test_a_store_moves_from_a_file_to_a_server_and_back_unchanged(url: str, tmp_path: Path) -> None:
    there = re.sub("tenant=[^&]*", f"tenant={new_id()}", url)
    for source, target in (
        (str(tmp_path / "a.db"), url),
        (there, str(tmp_path / "b.db")),
    ):
        with closing(open_ledger(source)) as one, closing(open_ledger(target)) as two:
            if not one.sizes()["versions"]:
                a_past(one)
            records = list(one.dump())
            two.undump(json.loads(json.dumps(records)))
            assert list(two.dump()) == records
            assert two.verify() == one.verify()
            assert two.verify().ok


# --- many machines, pgvector ---------------------------------------------------------------------------------------


def test_the_plan_covers_every_table_and_every_key_leads_with_the_tenant(database: str) -> None:
    PostgresDatabase(database).close()
    statements = plan.distributed(Names())
    spread = [
        found[1]
        for text in statements
        if (found := re.search(r"create_distributed_table\('simonides\.(\w+)', 'tenant'", text))
    ]
    shared = [
        found[1]
        for text in statements
        if (found := re.search(r"create_reference_table\('simonides\.(\w+)'\)", text))
    ]
    assert statements[0] == "CREATE EXTENSION IF NOT EXISTS citus"
    assert len(statements) == 1 + len(spread) + len(shared)
    assert all(f"colocate_with => 'simonides.{spread[0]}'" in text for text in statements[-len(spread) + 1 :])
    with psycopg.connect(database) as raw:
        tables = {
            row[0]
            for row in raw.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'simonides'::regnamespace AND relkind = 'r'"
            ).fetchall()
        }
        keys = raw.execute("""SELECT t.relname, a.attname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
            WHERE t.relnamespace = 'simonides'::regnamespace AND i.indisunique""").fetchall()
        joins = raw.execute("""SELECT t.relname, f.relname, a.attname, b.attname FROM pg_constraint c
            JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
            JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = c.confkey[1]
            WHERE c.contype = 'f' AND t.relnamespace = 'simonides'::regnamespace""").fetchall()
    assert (set(spread) | set(shared), len(spread), len(shared)) == (
        tables,
        len(set(spread)),
        len(set(shared)),
    )
    assert (tuple(spread), tuple(shared)) == (TABLES, SHARED)
    assert {table for table, _ in keys} == tables
    assert {column for table, column in keys if table in spread} == {"tenant"}
    order = [*shared, *spread]
    assert joins
    for table, target, column, other in joins:
        assert order.index(target) < order.index(table)
        assert (column, other) == ("tenant", "tenant")


def test_vectors_are_kept_in_pgvector_when_asked_for(server: Server, database: str) -> None:
    import numpy as np

    from simonides.ledger.index import pack_vector

    ledger = open_ledger(database)
    ledger.apply([Add(new_id(), f"text {n}", NOW) for n in range(40)])
    model = ledger.model_id({"name": "m", "dimension": 16}, create=True)
    chance = np.random.default_rng(3)
    given_ = chance.normal(size=(40, 16)).astype(np.float32)
    given_ /= np.linalg.norm(given_, axis=1, keepdims=True)
    codes = [Code(n + 1, pack_vector(vector), b"", b"") for n, vector in enumerate(given_)]
    ledger.put_codes(model, codes[:20])
    name = database.rsplit("/", 1)[1]
    with psycopg.connect(server.url_of(name), autocommit=True) as raw:
        if not raw.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
            pytest.skip("the server that TESTS_POSTGRES names has no pgvector")
        for statement in vectors.making(Names(), 16):
            raw.execute(statement.encode())
        ledger.put_codes(model, codes[20:])
        raw.execute("SET enable_seqscan = off")
        query = """SELECT row FROM simonides.pooled WHERE length(vector) = 20
            ORDER BY embedding::halfvec(16) <=> %s::halfvec(16) LIMIT 5"""
        asked = str(given_[7].tolist())
        nearest = [row[0] - 1 for row in raw.execute(query, (asked,)).fetchall()]
        assert nearest == np.argsort(-(given_ @ given_[7]))[:5].tolist()
        told = raw.execute(f"EXPLAIN {query}".encode(), (asked,)).fetchall()
        assert "pooled_embedding_16" in repr(told)
        ledger.apply([Add(new_id(), "one more", NOW)])
        ledger.put_codes(model, [Code(41, b"xx", b"", b"")])  # damaged: no vector, no error
        for statement in vectors.dropping(Names()):
            raw.execute(statement.encode())
    ledger.put_codes(model, codes)
    assert ledger.verify().ok
    ledger.close()


OFTEN = [
    "SELECT max(seq) FROM event",
    "SELECT seq, digest FROM event ORDER BY seq DESC LIMIT 1",
    "SELECT row, recorded_to FROM memory WHERE closed > 5 AND closed <= 90",
    """SELECT m.row, x.words FROM memory m LEFT JOIN lexical x ON x.row = m.row
        WHERE m.row > 4990 ORDER BY m.row LIMIT 50000""",
    """SELECT m.text FROM memory m JOIN scope s ON s.scope = m.scope
        WHERE m.row IN (SELECT value FROM json_each('[7, 9]'))""",
    "SELECT 1 FROM memory WHERE id = hex('00')::bytea",
    "SELECT serial, row, vector FROM pooled WHERE serial > 5 AND model = 1 ORDER BY serial LIMIT 500",
    "SELECT target FROM link WHERE source = hex('00')::bytea",
]


@pytest.mark.parametrize("query", OFTEN)
def test_what_is_asked_often_is_found_by_an_index(url: str, query: str) -> None:
    """Through the views and row-level security: a wall that hides the order or the joins costs a scan of everything."""
    ledger = open_ledger(url)
    with ledger.database.writing() as connection:
        connection.execute('INSERT INTO scope (scope, "user") VALUES (1, ?)', ("ann",))
        connection.execute("""INSERT INTO memory (row, id, version, kind, scope, valid_from, valid_to, recorded_from,
            recorded_to, opened, zone, confidence, importance, speaker, actor, reason, text)
            SELECT n, decode(md5(n::text), 'hex'), 1, 'turn', 1, 0, 1, 0, 1, 1, '', 1, 1, '', '', '', repeat('x', 200)
            FROM generate_series(1, 5000) n""")
        connection.execute(
            "INSERT INTO lexical SELECT n, ''::bytea, ''::bytea FROM generate_series(1, 5000) n"
        )
        connection.execute("""INSERT INTO event (seq, at, actor, verb, subject, digest)
            SELECT n, 0, '', 'add', ''::bytea, ''::bytea FROM generate_series(1, 5000) n""")
    with psycopg.connect(Address.of(url).url, autocommit=True) as raw:
        raw.execute("ANALYZE simonides.memory, simonides.lexical, simonides.event, simonides.scope")
    with ledger.database.reading() as connection:
        told = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}").fetchall())
    for table in ("memory", "lexical", "event"):
        assert not re.search(rf"Seq Scan on {table}\b", told), told
    ledger.close()


def test_a_young_store_is_not_read_as_a_whole(database: str) -> None:
    ledger = open_ledger(database)
    for start in range(0, 1500, 100):
        scopes = [Scope(user=f"u{n % 50}") for n in range(start, start + 100)]
        ledger.apply([Add(new_id(), "text", NOW, scope=scope) for scope in scopes])
    seen: list[str] = []
    kept = f"SELECT {SCOPED} FROM memory m JOIN scope s ON s.scope = m.scope WHERE {{}} AND {KEPT}"
    chosen = kept.format("m.row IN (SELECT value FROM json_each(?))")
    with ledger.database.reading() as connection:
        for query, values, most in (
            (chosen, ("[5, 9, 700]", 5, 5), 500),
            (kept.format("true"), (5, 5), 20_000),
        ):
            explained = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", values)
            (plan_,) = explained.fetchone()[0]
            pages = plan_["Plan"]["Shared Hit Blocks"] + plan_["Plan"]["Shared Read Blocks"]
            seen.append(f"{pages} pages")
            assert pages < most, seen
    ledger.close()
