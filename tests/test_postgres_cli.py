"""The command line speaks to a server as to a file, and prints or runs what an operator needs."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from backends import DATABASE, ROLE
from simonides.bench.postgres_server import Server
from simonides.clock import new_id
from simonides.doors.cli import cli
from simonides.ledger.postgres import plan, roles
from simonides.ledger.postgres.schema import Names


def run(*words: str, path: str = "", code: int = 0) -> Result:
    given = [*(("--path", path) if path else ()), "--set", "meaning=off", *words]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == code, (words, result.stdout, result.stderr)
    return result


def answer(*words: str, path: str = "", code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json", *words, path=path, code=code).stdout)
    return found


@pytest.fixture
def url(server: Server) -> str:
    return f"{server.url_of(DATABASE, ROLE)}?tenant={new_id()}"


def test_every_day_commands_take_the_address_of_a_server(url: str) -> None:
    id = run("add", "I moved from Berlin to Lisbon.", "--user", "ana", path=url).stdout.strip()
    assert "Lisbon" in run("search", "where did I move", path=url).stdout
    run("update", id[-8:], "I moved to Porto.", path=url)
    assert [one["text"] for one in answer("list", path=url)["memories"]] == ["I moved to Porto."]
    assert answer("status", path=url)["versions"] == 2
    assert answer("log", "verify", path=url)["intact"]
    assert answer("doctor", path=url)["ok"]
    assert answer("where", path=url) == {"path": url, "exists": True}


def test_a_password_is_never_shown(url: str) -> None:
    secret = url.replace(f"{ROLE}@", f"{ROLE}:s3cret@")
    for words in (("where",), ("doctor",), ("status",), ("where", "--settings")):
        shown = run(*words, path=secret)
        assert "s3cret" not in shown.stdout + shown.stderr
        assert ("***@" in shown.stdout) == (len(words) == 1)
    broken = run("list", path="postgresql://me:s3cret@127.0.0.1:1/x", code=5)
    assert "s3cret" not in broken.stdout + broken.stderr


def test_commands_about_files_say_so(url: str) -> None:
    for words in (("backup", "copy.db"), ("where", "--migrations")):
        assert run(*words, path=url, code=3).stderr


def test_a_server_that_is_not_there_is_a_finding(server: Server) -> None:
    found = answer("doctor", path=f"postgresql://me@127.0.0.1:1/x?tenant={new_id()}", code=1)
    (bad,) = [one for one in found["findings"] if not one["ok"]]
    assert "can't be connected to" in bad["detail"]


def test_a_role_is_printed_or_made(server: Server, url: str, worker_id: str) -> None:
    name, tenant = f"cli_{worker_id}", new_id()
    printed = answer("postgres", "role", "--role", name, "--tenant", tenant)
    assert printed == {"statements": roles.statements(name, Names(), tenant), "executed": False}
    text = run("postgres", "role", "--role", name, "--tenant", tenant).stdout
    assert text.count(";\n") >= len(printed["statements"])
    assert run("postgres", "role", "--role", name, "--execute", code=3).stderr
    boss = server.url_of(DATABASE)
    assert answer("postgres", "role", "--role", name, "--tenant", tenant, "--execute", path=boss)["executed"]
    run("add", "mine", path=server.url_of(DATABASE, name))
    with psycopg.connect(server.url_of(DATABASE, name)) as raw:
        assert raw.execute("SELECT text FROM simonides.memory").fetchall() == [("mine",)]


def test_another_schema_is_named_in_what_is_printed(url: str) -> None:
    text = run("postgres", "role", "--role", "someone", path=f"{url}&schema=elsewhere").stdout
    assert "ON SCHEMA elsewhere, elsewhere_tenant" in text


def test_the_plan_is_printed() -> None:
    found = answer("postgres", "plan", "--distributed", "--shards", "8")
    assert found == {"statements": plan.distributed(Names(), 8), "executed": False}
    assert "shard_count => 8" in found["statements"][4]
    assert run("postgres", "plan", code=2).stderr
    assert "never run on Citus" in " ".join(run("postgres", "plan", "--help").stdout.split())


def test_an_index_in_the_server_is_printed() -> None:
    made = answer("postgres", "index", "--dimension", "256")["statements"]
    assert "halfvec(256)" in made[-1]
    assert "DROP COLUMN" in answer("postgres", "index", "--drop")["statements"][0]
    assert run("postgres", "index", "--dimension", "5000", code=3).stderr
