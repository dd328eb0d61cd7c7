"""Stores from before there were credentials get the tables, and roles that were let in before may use them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from simonides import Memory, Settings
from simonides.bench.postgres_server import Server
from simonides.bounded import Bounded
from simonides.credentials import check, issue
from simonides.ledger import Replay, migrations
from simonides.ledger.postgres import schema
from simonides.ledger.postgres.schema import Names

QUICK = Settings(meaning="off")
BEFORE = 3


def used(memory: Memory) -> None:
    """Issue a credential, come in with it, and write twice with one key."""
    token, made = issue(memory, "new")
    assert check(memory, token).id == made.id
    first, again = (Bounded(memory, replay=Replay("key", b"x")).add("tea") for _ in range(2))
    assert first.ids == again.ids
    assert all(one.ok for one in memory.doctor() if one.name in ("schema", "tenants", "log"))


def test_a_file_of_before_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for step in migrations.MIGRATIONS[:BEFORE]:
            for statement in step.statements:
                old.execute(statement)
        old.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {BEFORE}")
    with Memory(path, settings=QUICK) as memory:
        used(memory)
    backup = tmp_path / f"memory.db.v{BEFORE}.backup"
    with closing(sqlite3.connect(backup)) as kept:
        assert kept.execute("PRAGMA user_version").fetchone() == (BEFORE,)


def test_a_server_of_before_gets_them_and_its_roles_may_use_them(server: Server, worker_id: str) -> None:
    owner = server.make_database(f"before_{worker_id}", f"builder_{worker_id}")
    names, role = Names(), f"front_before_{worker_id}"
    with psycopg.connect(owner, autocommit=True) as raw:
        (step,) = [one for one in schema.MIGRATIONS if one.number == BEFORE]
        for statement in step.statements:
            raw.execute(names.fill(statement, raw.info.server_version), prepare=False)
        raw.execute(f"INSERT INTO simonides.migration (number, name) VALUES ({BEFORE}, 'before')".encode())
        tables = [
            row[0] for row in raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'simonides'")
        ]
        both = [f"{each}.{name}" for each in ("simonides", "simonides_tenant") for name in tables]
        owned = [name for name in both if name.split(".")[1] not in schema.SHARED]
        with psycopg.connect(server.url_of(f"before_{worker_id}"), autocommit=True) as superuser:
            superuser.execute(f"CREATE ROLE {role} LOGIN".encode())
        for grant in (
            f"USAGE ON SCHEMA {names.tables}, {names.views}", f"SELECT ON {names.tables}.migration",
            f"SELECT, INSERT, UPDATE, DELETE ON {', '.join(owned)}",
            f"EXECUTE ON FUNCTION {names.tables}.enter(text)",
        ):  # fmt: skip
            raw.execute(f"GRANT {grant} TO {role}".encode())
    with Memory(owner, settings=QUICK) as memory:
        used(memory)
    with Memory(f"{server.url_of(f'before_{worker_id}', role)}?tenant=other", settings=QUICK) as memory:
        used(memory)
