"""Whoever is bound to one tenant sees and changes nothing of another, whatever SQL they send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from simonides.bench.postgres_server import Server
from simonides.clock import FrozenClock, new_id
from simonides.errors import InputError, StoreUnusable
from simonides.ledger import Ledger, Lexical
from simonides.ledger.postgres import administer, roles
from simonides.ledger.postgres.database import PostgresDatabase
from simonides.ledger.postgres.schema import TABLES, Names
from simonides.settings import Settings
from simonides.types import Add, Connect, Scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def open_ledger(url: str) -> Ledger:
    return Ledger(url, clock=FrozenClock(NOW), settings=Settings(), analyse=lambda _: Lexical(b"w", b"t"))


@pytest.fixture(scope="module")
def house(server: Server, worker_id: str) -> Callable[..., str]:
    """Return what gives the address of a role; acme_app is bound to acme, front to nobody, landlord owns it all."""
    database = f"house_{worker_id}"
    owner = server.make_database(database, f"landlord_{worker_id}")
    mark = f"_{worker_id}"
    superuser = server.url_of(database)
    for tenant in ("acme", "bolt"):
        ledger = open_ledger(f"{owner}?tenant={tenant}")
        ids = [new_id() for _ in range(3)]
        ledger.apply(
            [Add(id, f"{tenant} secret {n}", NOW, scope=Scope(user=tenant)) for n, id in enumerate(ids)]
        )
        ledger.apply([Connect(new_id(), ids[0], ids[1], "knows", NOW)])
        ledger.close()
    with closing(PostgresDatabase(superuser)) as opened:
        administer.run(opened, roles.statements(f"acme_app{mark}", Names(), "acme"))
        administer.run(opened, roles.statements(f"front{mark}", Names()))

    def address(role: str = "acme_app", tenant: str = "") -> str:
        who = role if role == "postgres" else role + mark
        return f"{server.url_of(database, who)}{f'?tenant={tenant}' if tenant else ''}"

    return address


@pytest.fixture
def intruder(house: Callable[..., str]) -> Iterator[psycopg.Connection[Any]]:
    """Return a raw connection of the role that is bound to acme."""
    with psycopg.connect(house(), autocommit=True) as raw:
        yield raw


@pytest.fixture(autouse=True)
def bolt_is_as_it_was(house: Callable[..., str]) -> Iterator[None]:
    """Compare all of the other tenant's rows before and after each test."""

    def everything() -> dict[str, list[Any]]:
        with psycopg.connect(house("postgres")) as raw:
            other = raw.execute("SELECT tenant FROM simonides.tenant WHERE name = 'bolt'").fetchone()
            assert other is not None
            return {
                table: sorted(
                    map(
                        repr,
                        raw.execute(
                            f"SELECT * FROM simonides.{table} WHERE tenant = %s".encode(), other
                        ).fetchall(),
                    )
                )
                for table in TABLES
            }

    before = everything()
    assert before["memory"]
    yield
    assert everything() == before


def numbers_of(house: Callable[..., str]) -> tuple[int, int]:
    with psycopg.connect(house("postgres")) as raw:
        found = dict(raw.execute("SELECT name, tenant FROM simonides.tenant").fetchall())
    return found["acme"], found["bolt"]


READS = [
    "SELECT text FROM simonides.memory",
    "SELECT text FROM simonides_tenant.memory",
    "SELECT m.text FROM simonides.memory m, (SELECT set_config('simonides.tenant', '{bolt}', false)) s",
    "SELECT text FROM simonides.memory WHERE tenant = {bolt} OR true",
    "SELECT a.text FROM simonides.scope s JOIN simonides.memory a ON a.scope = s.scope",
    "TABLE simonides_tenant.memory",
]


@pytest.mark.parametrize("query", READS)
@pytest.mark.parametrize(
    "first", ["", "SET simonides.tenant = '{bolt}'", "SET LOCAL simonides.tenant = '{bolt}'"]
)
def test_no_query_shows_another_tenant(
    intruder: psycopg.Connection[Any], house: Callable[..., str], query: str, first: str
) -> None:
    _, bolt = numbers_of(house)
    with intruder.transaction():
        if first:
            intruder.execute(first.format(bolt=bolt).encode())
        rows = intruder.execute(query.format(bolt=bolt).encode()).fetchall()
    assert len(rows) >= 3
    assert "acme" in repr(rows)
    assert "bolt" not in repr(rows)


@pytest.mark.parametrize("table", TABLES)
def test_no_table_shows_another_tenant(
    intruder: psycopg.Connection[Any], house: Callable[..., str], table: str
) -> None:
    acme, bolt = numbers_of(house)
    intruder.execute(f"SET simonides.tenant = '{bolt}'".encode())
    found = intruder.execute(f"SELECT DISTINCT tenant FROM simonides.{table}".encode()).fetchall()
    assert found in ([(acme,)], [])
    copied = b""
    with intruder.cursor().copy(f"COPY simonides.{table} TO STDOUT".encode()) as copy:
        copied = b"".join(bytes(part) for part in copy)
    assert all(line.startswith(f"{acme}\t".encode()) for line in copied.splitlines())


WRITES = [
    "UPDATE simonides.memory SET text = 'mine now'",
    "UPDATE simonides_tenant.memory SET text = 'mine now'",
    "UPDATE simonides.memory SET text = 'mine now' WHERE tenant = {bolt}",
    "DELETE FROM simonides.event WHERE tenant = {bolt}",
    "DELETE FROM simonides_tenant.link",
    "DELETE FROM simonides.memory WHERE true",
    "UPDATE simonides.counter SET value = 0",
    "SELECT value FROM simonides.counter WHERE tenant = {bolt} FOR UPDATE",
    "MERGE INTO simonides.meta m USING (VALUES ({bolt}::bigint)) v (t) ON m.tenant = v.t WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM simonides.codes RETURNING *) SELECT count(*) FROM gone",
]


@pytest.mark.parametrize("statement", WRITES)
def test_no_statement_changes_another_tenant(
    intruder: psycopg.Connection[Any], house: Callable[..., str], statement: str
) -> None:
    _, bolt = numbers_of(house)
    intruder.execute(f"SET simonides.tenant = '{bolt}'".encode())
    with intruder.transaction(force_rollback=True):  # its own rows it may change: they come back
        intruder.execute(statement.format(bolt=bolt).encode())
    with intruder.transaction(force_rollback=False):
        if "tenant = {bolt}" in statement:
            assert intruder.execute(statement.format(bolt=bolt).encode()).rowcount == 0


FORBIDDEN = {
    "a row for another tenant": "INSERT INTO simonides.meta (tenant, key, value) VALUES ({bolt}, 'k', 'v')",
    "giving a row away": "UPDATE simonides.meta SET tenant = {bolt}",
    "a version for another tenant": """INSERT INTO simonides.memory SELECT {bolt}, row + 9, id, version, kind, scope,
        valid_from, valid_to, recorded_from, recorded_to, opened, closed, zone, confidence, importance, speaker, actor,
        reason, source, metadata, attributes, text FROM simonides.memory""",
    "the list of tenants": "SELECT * FROM simonides.tenant",
    "who is bound": "SELECT * FROM simonides.member",
    "binding oneself": "UPDATE simonides.member SET tenant = {bolt}",
    "unbinding oneself": "DELETE FROM simonides.member",
    "entering another tenant": "SELECT simonides.enter('bolt')",
    "the wall": "ALTER TABLE simonides.memory DISABLE ROW LEVEL SECURITY",
    "the policy": "DROP POLICY tenant ON simonides.memory",
    "another policy": "CREATE POLICY mine ON simonides.memory USING (true)",
    "the function": "CREATE OR REPLACE FUNCTION simonides.current_tenant() RETURNS bigint LANGUAGE sql RETURN 2",
    "a function before it": "CREATE FUNCTION simonides_tenant.current_tenant() RETURNS bigint LANGUAGE sql RETURN 2",
    "everything at once": "TRUNCATE simonides.memory CASCADE",
    "the tables": "DROP TABLE simonides.memory CASCADE",
    "the view": "CREATE OR REPLACE VIEW simonides_tenant.memory AS SELECT * FROM simonides.memory",
    "the owner": "SET ROLE {owner}",
    "the superuser": "SET SESSION AUTHORIZATION postgres",
    "another role": "SET ROLE postgres",
    "no row security": "SET row_security = off; SELECT * FROM simonides.memory",
    "a role of one's own": "CREATE ROLE mine SUPERUSER",
    "a trigger": """CREATE TRIGGER t BEFORE INSERT ON simonides.memory
        EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()""",
}  # fmt: skip


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_would_open_the_wall_is_refused(
    intruder: psycopg.Connection[Any], house: Callable[..., str], statement: str
) -> None:
    _, bolt = numbers_of(house)
    owner = house("landlord").split("//")[1].split("@")[0]
    with pytest.raises(psycopg.Error) as refused:
        intruder.execute(statement.format(bolt=bolt, owner=owner).encode())
    assert refused.value.sqlstate == "42501", refused.value


def test_rows_of_another_tenant_cannot_be_copied_in(
    intruder: psycopg.Connection[Any], house: Callable[..., str]
) -> None:
    _, bolt = numbers_of(house)
    with (
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)),
        intruder.cursor().copy("COPY simonides.meta (tenant, key, value) FROM STDIN") as copy,
    ):
        copy.write_row((bolt, "k", "v"))


def test_a_function_that_tells_what_it_sees_sees_one_tenant(intruder: psycopg.Connection[Any]) -> None:
    """The planner could run a cheap condition before the wall; row-level security keeps it behind."""
    told: list[str] = []
    intruder.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    intruder.execute("""CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001
        AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$""")
    for schema in ("simonides", "simonides_tenant"):
        intruder.execute(f"SELECT count(*) FROM {schema}.memory WHERE pg_temp.tell(text)".encode())
    assert len(told) >= 6
    assert not [text for text in told if "bolt" in text]


def test_tables_of_ones_own_do_not_stand_in_for_the_binding(
    intruder: psycopg.Connection[Any], house: Callable[..., str]
) -> None:
    _, bolt = numbers_of(house)
    intruder.execute("CREATE TEMP TABLE member (role name, tenant bigint)")
    intruder.execute(f"INSERT INTO member VALUES (session_user, {bolt})".encode())
    intruder.execute("SET search_path = pg_temp, simonides")
    rows = intruder.execute("SELECT text FROM simonides.memory").fetchall()
    assert rows
    assert "bolt" not in repr(rows)


def test_a_bound_role_uses_the_store_like_any_other(house: Callable[..., str]) -> None:
    """It has no right to change the schema, and needs none."""
    ledger = open_ledger(house())
    texts = {memory.text for memory in ledger.list()}
    assert len(texts) >= 3
    assert all(text.startswith("acme") for text in texts)
    id = new_id()
    ledger.apply([Add(id, "acme adds", NOW)])
    assert ledger.get(id).text == "acme adds"
    assert ledger.verify().ok
    assert [finding.name for finding in ledger.check() if not finding.ok] == []
    ledger.close()
    same = open_ledger(house(tenant="acme"))
    assert same.get(id).text == "acme adds"
    same.close()


def test_a_bound_role_is_told_when_it_asks_for_another_tenant(house: Callable[..., str]) -> None:
    with pytest.raises(StoreUnusable, match="is bound to tenant acme"):
        open_ledger(house(tenant="bolt"))


def test_an_unbound_role_chooses_its_tenant_with_each_connection(house: Callable[..., str]) -> None:
    for tenant in ("acme", "bolt"):
        ledger = open_ledger(house("front", tenant=tenant))
        assert {memory.text.split()[0] for memory in ledger.list()} == {tenant}
        ledger.close()
    new = open_ledger(house("front", tenant="new here"))
    assert (new.list(), new.changed()) == ([], (0, 0))
    new.apply([Add(new_id(), "hello", NOW)])
    assert new.verify().ok
    new.close()
    with psycopg.connect(house("front")) as raw:
        assert raw.execute("SELECT * FROM simonides.memory").fetchall() == [], "no tenant, no rows"


def test_doctor_warns_of_a_role_that_passes_through_the_wall(house: Callable[..., str]) -> None:
    ledger = open_ledger(house("postgres", tenant="acme"))
    found = {finding.name: finding for finding in ledger.check()}
    assert not found["role"].ok
    assert "passes through row-level security" in found["role"].detail
    assert "simonides postgres role" in found["role"].fix
    assert found["tenants"].ok
    ledger.close()


def test_doctor_warns_of_a_table_without_its_wall(house: Callable[..., str]) -> None:
    with psycopg.connect(house("postgres"), autocommit=True) as raw:
        raw.execute("ALTER TABLE simonides.meta NO FORCE ROW LEVEL SECURITY")
        ledger = open_ledger(house("postgres", tenant="acme"))
        found = {finding.name: finding for finding in ledger.check()}
        ledger.close()
        raw.execute("ALTER TABLE simonides.meta FORCE ROW LEVEL SECURITY")
    assert (found["tenants"].ok, found["tenants"].detail) == (False, "open: meta")


def test_a_role_without_rights_is_told_what_to_do(house: Callable[..., str], server: Server) -> None:
    address = house("postgres")
    name = address.rsplit("/", 1)[1]
    server.make_database("spare_" + name, "stranger_" + name)
    with pytest.raises(StoreUnusable, match=r"lacks a right.*simonides postgres role"):
        open_ledger(server.url_of(name, "stranger_" + name))


@pytest.mark.parametrize("role", ["", "pg_read_all_data", "x" * 64, "a\0b"])
def test_a_name_that_no_role_can_have_is_refused(role: str) -> None:
    with pytest.raises(InputError, match="role"):
        roles.statements(role, Names())


@pytest.mark.parametrize("name", ['he"; DROP SCHEMA simonides CASCADE; --', "it's", "$make$", "back\\slash"])
def test_a_hostile_name_is_a_name(house: Callable[..., str], name: str, worker_id: str) -> None:
    """In the name of a role and of a tenant."""
    role = f"{name}{worker_id}"
    with closing(PostgresDatabase(house("postgres"))) as database:
        administer.run(database, roles.statements(role, Names(), name))
        with database.reading() as connection:
            query = """SELECT t.name FROM simonides.member m JOIN simonides.tenant t ON t.tenant = m.tenant
                WHERE m.role = ?"""
            assert connection.execute(query, (role,)).fetchall() == [(name,)]


def test_a_superuser_is_not_made_a_plain_role(house: Callable[..., str]) -> None:
    with (
        closing(PostgresDatabase(house("postgres"))) as database,
        pytest.raises(psycopg.Error, match="superuser"),
    ):
        administer.run(database, roles.statements("postgres", Names(), "acme"))
