"""`bench load`, briefly: both kinds of store, no error, nothing lost; and that it would see what is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simonides import Memory, Settings
from simonides.bench import load
from simonides.bench.loading import clients, servers
from simonides.bench.loading.clients import Target
from simonides.bench.postgres_server import Server
from simonides.doors.cli import cli


def test_it_measures_both_stores_beside_the_limit(tmp_path: Path, server: Server) -> None:
    server.make_database("load", "loader")
    given = ["--json", "--path", server.url_of("load", "loader"), "--set", "meaning=instant", "bench", "load"]
    brief = [
        "--clients",
        "8",
        "--seconds",
        "0.5",
        "--memories",
        "40",
        "--postgres",
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(cli, [*given, *brief])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)["report"]
    kept = {row[0]: row[1:5] for row in report["tables"][1]["rows"]}
    assert set(kept) == {"echo", "SQLite", "PostgreSQL"}
    for errors, _, lost, twice in kept.values():
        assert (errors, lost, twice) == ("0", "0", "0")
    assert int(kept["SQLite"][1]) > 0 < int(kept["PostgreSQL"][1])
    assert {row[1] for row in report["tables"][0]["rows"]} >= {"all", "writes", "reads", "search"}
    assert len(report["summary"]) == 2
    assert json.loads((tmp_path / "out" / "load.json").read_text())["order"] == report["order"]


def test_what_is_lost_or_twice_is_seen(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", settings=Settings(meaning="off")) as memory:
        one = memory.add("kept").id
        other = memory.add("changed").id
        twice = memory.add("twice").id
        memory.add("twice")
        written = {one: "kept", other: "as it was", twice: "twice", "0" * 32: "gone"}
        assert load._missing(memory, written) == (2, 1)


def test_errors_are_counted_by_what_was_asked(tmp_path: Path) -> None:
    settings = {"meaning": "off"}
    with servers.simonides(str(tmp_path / "memory.db"), settings, tmp_path / "log") as server:
        found = clients.run(Target(server.url, "nonsense", ("0" * 32,)), 2, 0.2, 1)
    assert found.errors
    assert all(name.endswith((": 401", ": 429")) for name in found.errors)
    assert found.written == {}


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match="did not start"),
        servers.simonides(str(tmp_path), {}, tmp_path / "log"),
    ):
        raise AssertionError("it must not start on a folder")


def test_an_answer_is_read_to_its_end() -> None:
    async def read() -> tuple[int, bytes, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nX: y\r\n\r\nabcHTTP")
        status, body = await clients.answer(reader)
        return status, body, await reader.readexactly(4)

    assert asyncio.run(read()) == (201, b"abc", b"HTTP")
