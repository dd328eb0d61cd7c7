"""Moving in from other memory systems: what they wrote comes in whole, once, with its times, and nothing of it runs.

mem0's store is written by mem0 itself; the tables of the others are those that their packages made on 22 November 2026
(`scripts/make_foreign_stores.py` makes them anew): Letta 0.16.8, Basic Memory 0.23.2, langgraph-checkpoint-sqlite
3.1.2, and Graphiti 0.31.1 for its lines.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides.clock import FrozenClock
from simonides.doors.cli import cli
from simonides.doors.importers import FORMATS, OTHERWISE, parser
from simonides.doors.importers.detect import detect
from simonides.doors.importers.points import points
from simonides.doors.importers.record import Earlier, Edge, Problem, Reading, Record
from simonides.doors.importers.run import Plan, Run, Tally
from simonides.errors import InputError
from simonides.memory import Memory
from simonides.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LATER = START + timedelta(days=30)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    clock = FrozenClock(START + timedelta(days=365))
    with Memory(tmp_path / "memory.db", clock=clock, settings=Settings(meaning="off")) as opened:
        yield opened


def bring(memory: Memory, format: str, path: Path, *, dry: bool = False) -> Tally:
    plan = Plan(format, f"{format}:{path.name}", FORMATS[format].follows, dry=dry)
    return Run(memory, plan).go(parser(format)(path, Reading()))


def database(path: Path, script: str, **rows: list[tuple[Any, ...]]) -> Path:
    """Write a SQLite file with the tables of a script and rows in them."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)
        for name, values in rows.items():
            marks = ", ".join("?" * len(values[0]))
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
    return path


def listing(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def outline(memory: Memory) -> list[tuple[str, str]]:
    return sorted((one.kind, one.text) for one in memory.list(limit=1000))


# mem0, written by mem0


@pytest.fixture(scope="module")
def mem0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mem0")
    command = [sys.executable, "-P", str(ROOT / "scripts" / "foreign" / "mem0.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_folder_of_mem0_comes_in_with_its_people_and_its_past(memory: Memory, mem0: Path) -> None:
    before = listing(mem0)
    tally = bring(memory, "mem0", mem0)
    assert (tally.new, tally.problems, dict(tally.passed)) == (3, [], {"deleted in mem0": 1})
    assert listing(mem0) == before
    (home,) = memory.list(session="r1")
    assert (home.text, home.scope.user, home.kind) == ("I live in Lisbon.", "ana", "fact")
    assert (home.metadata["topic"], home.metadata["role"]) == ("home", "user")
    past = memory.history(home.id)
    assert past[0].text == "I live in Berlin."
    assert past[0].at.isoformat() == home.metadata["created_at"]
    assert [one.text for one in memory.list(session="r1", as_of=past[0].at)] == ["I live in Berlin."]
    (said,) = memory.list(where={"role": "assistant"})
    assert (said.scope.agent, said.text) == ("bot", "Noted.")
    assert "rain" not in json.dumps(list(memory.dump()))


def test_what_mem0_holds_is_known_again_from_any_of_its_files(memory: Memory, mem0: Path) -> None:
    assert bring(memory, "mem0", mem0, dry=True).new == 3
    assert memory.list() == []
    bring(memory, "mem0", mem0 / "qdrant" / "collection" / "mem0" / "storage.sqlite")
    events = len(memory.log(limit=1000))
    for name in (".", "history.db", "all.json"):
        tally = bring(memory, "mem0", mem0 / name)
        assert (tally.new, tally.already, tally.changed, tally.problems) == (0, 3, 0, [])
    assert len(memory.log(limit=1000)) == events
    assert detect(mem0) == detect(mem0 / "history.db") == "mem0"


class Bomb:
    """A pickle that writes a file when it is loaded by anybody who lets it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_pickle_runs(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    made = [
        pickle.dumps(Bomb(traces)),
        pickle.dumps({"__dict__": Bomb(traces)}),
        b"\x80\x04.",
        b"",
        b"cos\nsystem\n.",
    ]
    rows = [(base64.b64encode(bytes([n])).decode(), raw) for n, raw in enumerate(made)]
    file = database(
        tmp_path / "storage.sqlite", "CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)", points=rows
    )
    found = list(points(file))
    assert [type(one) for one in found] == [Problem] * len(made)
    assert not traces.exists()
    assert isinstance(found[0], Problem)
    assert "which is no point" in found[0].reason


@QUICK
@given(raw=st.binary(max_size=80))
def test_random_pickles_are_problems(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "storage.sqlite"
    file.unlink(missing_ok=True)
    database(file, "CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)", points=[("a", raw)])
    assert len(list(points(file))) == 1


# Zep and Graphiti


def graph(*more: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {"group_id": "ana", "created_at": "2026-01-01T09:00:00"}
    moved = {"group_id": "ana", "created_at": "2026-01-31T09:00:00"}
    lives = {"source_node_uuid": "n1", "name": "LIVES_IN", "attributes": {}, "fact_embedding": [0.1]}
    return [
        {"uuid": "e1", "content": "I live in Berlin.", "source": "message", "valid_at": "2026-01-01T09:00:00", **whole},
        {"uuid": "n1", "name": "Ana", "labels": ["Entity", "Person"], "summary": "A nurse.", **whole},
        {"uuid": "n2", "name": "Berlin", "labels": ["Entity"], "summary": "", **whole},
        {"uuid": "n3", "name": "Lisbon", "labels": ["Entity"], "summary": "", **whole},
        {"uuid": "f1", "fact": "Ana lives in Berlin", "target_node_uuid": "n2", "episodes": ["e1"], **lives, **whole,
         "valid_at": "2026-01-01T09:00:00", "invalid_at": "2026-01-31T09:00:00", "expired_at": "2026-02-01T09:00:00"},
        {"uuid": "f2", "fact": "Ana lives in Lisbon", "target_node_uuid": "n3", "episodes": [], **lives, **moved,
         "valid_at": "2026-01-31T09:00:00", "invalid_at": None, "expired_at": None},
        {"uuid": "m1", "source_node_uuid": "e1", "target_node_uuid": "n1", **whole},
        *more,
    ]  # fmt: skip


def lines(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in values), encoding="utf-8")
    return path


def test_a_graph_comes_in_with_both_clocks_and_its_links(memory: Memory, tmp_path: Path) -> None:
    file = lines(tmp_path / "graph.jsonl", graph())
    tally = bring(memory, "zep", file)
    assert (tally.new, tally.links, tally.loose, tally.problems) == (7, 7, 0, [])
    assert [one.text for one in memory.list(kinds=["fact"])] == ["Ana lives in Lisbon"]
    (old,) = memory.list(kinds=["fact"], as_of=START + timedelta(days=3))
    assert (old.text, old.at, old.valid.end) == ("Ana lives in Berlin", START, LATER)
    assert (old.scope.user, old.metadata["expired_at"]) == ("ana", "2026-02-01T09:00:00")
    assert "fact_embedding" not in old.metadata
    (berlin,) = memory.list(kinds=["entity"], where={"uuid": "n2"})
    relations = {(one.relation, one.target == berlin.id) for one in memory.links(old.id)}
    assert relations == {("source", False), ("target", True), ("said in", False)}
    again = bring(memory, "zep", file)
    assert (again.new, again.already, again.changed, again.links) == (0, 7, 0, 0)


def test_a_fact_that_ends_later_ends_here_too(memory: Memory, tmp_path: Path) -> None:
    values = graph()
    values[4] |= {"invalid_at": None, "expired_at": None}
    bring(memory, "zep", lines(tmp_path / "graph.jsonl", values))
    assert len(memory.list(kinds=["fact"])) == 2
    tally = bring(memory, "zep", lines(tmp_path / "graph.jsonl", graph()))
    assert (tally.new, tally.changed) == (0, 1)
    assert [one.text for one in memory.list(kinds=["fact"])] == ["Ana lives in Lisbon"]
    assert bring(memory, "zep", lines(tmp_path / "graph.jsonl", graph())).changed == 0


def test_apoc_and_one_object_of_lists_are_the_same_graph(tmp_path: Path) -> None:
    values = graph()
    nodes = [
        {"type": "node", "id": str(n), "labels": ["x"], "properties": one} for n, one in enumerate(values[:4])
    ]
    ends = {"start": {"properties": {"uuid": "n1"}}, "end": {"properties": {"uuid": "n2"}}}
    edge = {key: value for key, value in values[4].items() if not key.endswith("_node_uuid")}
    apoc = lines(
        tmp_path / "apoc.json", [*nodes, {"type": "relationship", "label": "R", "properties": edge, **ends}]
    )
    whole = tmp_path / "all.json"
    whole.write_text(json.dumps({"episodes": values[:1], "nodes": values[1:4], "edges": values[4:5]}))
    plain = lines(tmp_path / "plain.jsonl", values[:5])
    keys = [
        [
            (type(one), getattr(one, "key", ""), getattr(one, "target", ""))
            for one in parser("zep")(path, Reading())
        ]
        for path in (plain, whole, apoc)
    ]
    assert keys[0] == keys[1] == keys[2]


def test_a_broken_fact_is_a_problem_and_the_rest_comes_in(memory: Memory, tmp_path: Path) -> None:
    bad = [
        {"uuid": "f9", "fact": "x", "valid_at": "last week"},
        {"fact": "no id"},
        {"uuid": "f8", "fact": " "},
    ]
    tally = bring(memory, "zep", lines(tmp_path / "graph.jsonl", graph(*bad)))
    assert (tally.new, [one.where for one in tally.problems]) == (
        7,
        ["graph.jsonl line 8", "graph.jsonl line 9"],
    )
    assert "valid_at" in tally.problems[0].reason
    assert sum(tally.passed.values()) == 1


# LangMem

LANGGRAPH = """
CREATE TABLE store (prefix text NOT NULL, key text NOT NULL, value text NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    expires_at TIMESTAMP, ttl_minutes REAL, PRIMARY KEY (prefix, key));
"""


def langgraph(path: Path, *more: tuple[Any, ...]) -> Path:
    whole = b'{"kind":"Memory","content":{"content":"Ana lives in Lisbon."}}'
    profile = b'{"kind":"Profile","content":{"name":"Ben","languages":["Dutch"]}}'
    rows = [
        ("memories.ana", "m1", whole, "2026-01-01 09:00:00", "2026-01-31 09:00:00", None, None),
        (
            "memories.ana",
            "m2",
            b'{"content":"Ana likes tea","stars":4}',
            *["2026-01-01 09:00:00"] * 2,
            None,
            None,
        ),
        ("users.ben", "p", profile, *["2026-01-01 09:00:00"] * 2, "2027-06-01 00:00:00+00:00", 1440.0),
        (
            "users.ben",
            "old",
            b'{"content":"gone"}',
            *["2026-01-01 09:00:00"] * 2,
            "2026-01-02 09:00:00",
            1440.0,
        ),
        *more,
    ]
    return database(path, LANGGRAPH, store=rows)


def test_a_store_of_langmem_comes_in_by_its_namespaces(memory: Memory, tmp_path: Path) -> None:
    file = langgraph(tmp_path / "store.db")
    tally = bring(memory, "langmem", file)
    assert (tally.new, tally.problems) == (3, [])
    assert dict(tally.passed) == {"expired where it was imported from": 1}
    first, second = memory.list(user="ana")
    told = {one.text: one for one in (first, second)}
    assert told["Ana lives in Lisbon."].at == LATER
    assert told["Ana likes tea"].metadata["stars"] == 4
    assert told["Ana likes tea"].metadata["namespace"] == ["memories", "ana"]
    (profile,) = memory.list(user="ben")
    assert profile.text == 'name: Ben\nlanguages: ["Dutch"]'
    assert profile.metadata["value"] == {"name": "Ben", "languages": ["Dutch"]}
    assert bring(memory, "langmem", file).new == 0
    assert isinstance(memory.clock, FrozenClock)
    memory.clock.set(datetime(2027, 7, 1, tzinfo=UTC))
    assert memory.list(user="ben") == []


def test_rows_of_postgresql_are_the_same_store(memory: Memory, tmp_path: Path) -> None:
    bring(memory, "langmem", langgraph(tmp_path / "store.db"))
    value = {"kind": "Memory", "content": {"content": "Ana lives in Rome."}}
    row = {"prefix": "memories.ana", "key": "m1", "value": value,
           "created_at": "2026-01-01T09:00:00+00:00", "updated_at": "2026-03-01T09:00:00+00:00"}  # fmt: skip
    tally = bring(memory, "langmem", lines(tmp_path / "rows.jsonl", [row]))
    assert (tally.new, tally.changed) == (0, 1)
    assert "Ana lives in Rome." in [one.text for one in memory.list(user="ana")]
    assert "Ana lives in Lisbon." in [one.text for one in memory.list(user="ana", as_of=LATER)]


# Letta

LETTA = """
CREATE TABLE agents (id VARCHAR NOT NULL, name VARCHAR, PRIMARY KEY (id));
CREATE TABLE block (id VARCHAR NOT NULL, label VARCHAR NOT NULL, value VARCHAR NOT NULL, "limit" INTEGER NOT NULL,
    metadata_ JSON, read_only BOOLEAN NOT NULL, current_history_entry_id VARCHAR, created_at DATETIME,
    updated_at DATETIME, is_deleted BOOLEAN DEFAULT FALSE NOT NULL, PRIMARY KEY (id));
CREATE TABLE blocks_agents (agent_id VARCHAR NOT NULL, block_id VARCHAR NOT NULL, block_label VARCHAR NOT NULL);
CREATE TABLE block_history (id VARCHAR NOT NULL, value TEXT NOT NULL, block_id VARCHAR NOT NULL,
    sequence_number INTEGER NOT NULL, created_at DATETIME, PRIMARY KEY (id));
CREATE TABLE archives_agents (agent_id VARCHAR NOT NULL, archive_id VARCHAR NOT NULL);
CREATE TABLE archival_passages (id VARCHAR NOT NULL, text VARCHAR NOT NULL, metadata_ JSON NOT NULL, tags JSON,
    embedding BINARY, created_at DATETIME, is_deleted BOOLEAN NOT NULL, archive_id VARCHAR NOT NULL, PRIMARY KEY (id));
CREATE TABLE messages (id VARCHAR NOT NULL, role VARCHAR NOT NULL, text VARCHAR, content JSON, tool_calls JSON NOT NULL,
    name VARCHAR, conversation_id VARCHAR, created_at DATETIME, is_deleted BOOLEAN NOT NULL, agent_id VARCHAR NOT NULL,
    PRIMARY KEY (id));
"""


def letta(path: Path) -> Path:
    at, later = "2026-01-01 09:00:00", "2026-01-31 09:00:00"
    user = json.dumps([{"type": "text", "text": json.dumps({"type": "user_message", "message": "I moved."})}])
    beat = json.dumps([{"type": "text", "text": json.dumps({"type": "heartbeat", "reason": "x"})}])
    thought = json.dumps([{"type": "text", "text": "They moved."}])
    said = json.dumps(
        [{"function": {"name": "send_message", "arguments": json.dumps({"message": "Lovely!"})}}]
    )
    return database(
        path,
        LETTA,
        agents=[("agent-1", "Nora"), ("agent-2", "Otto")],
        block=[
            ("b1", "human", "Lives in Lisbon.", 5000, '{"topic": "home"}', 0, "h2", at, later, 0),
            ("b2", "shared", "We speak Dutch.", 5000, None, 1, None, at, at, 0),
            ("b3", "persona", "", 5000, None, 0, None, at, at, 0),
            ("b4", "old", "gone", 5000, None, 0, None, at, at, 1),
        ],
        blocks_agents=[("agent-1", "b1", "human"), ("agent-1", "b2", "shared"), ("agent-2", "b2", "shared")],
        block_history=[
            ("h1", "Lives in Berlin.", "b1", 1, at), ("h2", "Lives in Lisbon.", "b1", 2, later),
            ("h3", "Lives in Oslo.", "b1", 3, later),
        ],
        archives_agents=[("agent-1", "a1")],
        archival_passages=[("p1", "The boat is called Mermaid.", "{}", '["boat"]', b"\x00\xff", at, 0, "a1")],
        messages=[
            ("m1", "system", None, thought, "[]", None, None, at, 0, "agent-1"),
            ("m2", "user", None, user, "[]", None, "c1", at, 0, "agent-1"),
            ("m3", "user", None, beat, "[]", None, None, at, 0, "agent-1"),
            ("m4", "assistant", None, thought, said, None, None, at, 0, "agent-1"),
            ("m5", "tool", None, thought, "[]", None, None, at, 0, "agent-1"),
        ],
    )  # fmt: skip


def test_a_database_of_letta_comes_in_with_what_blocks_said_before(memory: Memory, tmp_path: Path) -> None:
    file = letta(tmp_path / "letta.db")
    tally = bring(memory, "letta", file)
    assert (tally.new, tally.problems) == (5, [])
    assert dict(tally.passed) == {
        "empty blocks": 1, "deleted in Letta": 1, "system prompts": 1, "heartbeats and notices": 1,
        "results of tools": 1,
    }  # fmt: skip
    assert outline(memory) == [
        ("block", "Lives in Lisbon."), ("block", "We speak Dutch."), ("note", "The boat is called Mermaid."),
        ("turn", "I moved."), ("turn", "Lovely!"),
    ]  # fmt: skip
    (block,) = memory.list(where={"label": "human"})
    assert (block.scope.agent, block.at, block.metadata["topic"]) == ("Nora", LATER, "home")
    assert [one.text for one in memory.list(where={"label": "human"}, as_of=START)] == ["Lives in Berlin."]
    (shared,) = memory.list(where={"label": "shared"})
    assert shared.scope.agent == ""  # of two agents, so of neither alone
    (said,) = memory.list(where={"thoughts": {"exists": True}})
    assert (said.text, said.metadata["thoughts"], said.speaker) == ("Lovely!", "They moved.", "assistant")
    again = bring(memory, "letta", file)
    assert (again.new, again.already, again.changed) == (0, 5, 0)


def test_two_agent_files_do_not_take_each_other_for_known(memory: Memory, tmp_path: Path) -> None:
    for name, home in (("Nora", "Lisbon"), ("Otto", "Berlin")):
        turn = {"id": "message-0", "role": "user", "content": [{"type": "text", "text": f"I live in {home}."}],
                "created_at": "2026-01-01T09:00:00Z"}  # fmt: skip
        agent = {"id": "agent-0", "name": name, "block_ids": ["block-0"], "messages": [turn, turn]}
        block = {"id": "block-0", "label": "human", "value": f"Lives in {home}."}
        (tmp_path / f"{name}.af").write_text(json.dumps({"agents": [agent], "blocks": [block], "files": []}))
        assert bring(memory, "letta", tmp_path / f"{name}.af").new == 3
    assert bring(memory, "letta", tmp_path / "Nora.af").already == 3
    assert [one.text for one in memory.list(agent="Nora")] == ["Lives in Lisbon.", *["I live in Lisbon."] * 2]
    old = {
        "agent_type": "x",
        "name": "Ida",
        "core_memory": [{"label": "human", "value": "Sings."}],
        "messages": [],
    }
    (tmp_path / "old.af").write_text(json.dumps(old))
    assert bring(memory, "letta", tmp_path / "old.af").new == 1


# Basic Memory

BASIC = """
CREATE TABLE project (id INTEGER NOT NULL, name VARCHAR NOT NULL, path VARCHAR NOT NULL, PRIMARY KEY (id));
CREATE TABLE entity (id INTEGER NOT NULL, title VARCHAR NOT NULL, note_type VARCHAR NOT NULL, entity_metadata JSON,
    content_type VARCHAR NOT NULL, permalink VARCHAR, file_path VARCHAR NOT NULL, created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL, project_id INTEGER NOT NULL, PRIMARY KEY (id));
CREATE TABLE observation (id INTEGER NOT NULL, entity_id INTEGER NOT NULL, content TEXT NOT NULL,
    category VARCHAR NOT NULL, context TEXT, tags JSON DEFAULT '[]', project_id INTEGER NOT NULL, PRIMARY KEY (id));
CREATE TABLE relation (id INTEGER NOT NULL, from_id INTEGER NOT NULL, to_id INTEGER, to_name VARCHAR NOT NULL,
    relation_type VARCHAR NOT NULL, context TEXT, project_id INTEGER NOT NULL, PRIMARY KEY (id));
CREATE TABLE note_content (entity_id INTEGER NOT NULL, markdown_content TEXT NOT NULL, PRIMARY KEY (entity_id));
"""
COFFEE = """---
title: Coffee Brewing
type: note
permalink: brain/coffee
tags:
- coffee
---

# Coffee Brewing

- [method] Pour over gives clarity #brewing (tried on 3 May)
- [ ] buy filters
- [x] descale
- relates_to [[Tea]]
- pairs_with [[Chocolate]] (dark)

See also [[Tea|the other one]].
"""
TEA = "---\ntitle: Tea\npermalink: brain/tea\n---\n\nGreen tea at 80 degrees.\n"


def notes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Coffee.md").write_text(COFFEE, encoding="utf-8")
    (folder / "Tea.md").write_text(TEA, encoding="utf-8")
    return folder


def basic(path: Path, *, contents: bool) -> Path:
    at = "2026-01-01 09:00:00.000000"
    kind = ("note", "{}", "text/markdown")
    rows: dict[str, list[tuple[Any, ...]]] = {
        "project": [(1, "brain", "/x")],
        "entity": [(1, "Coffee Brewing", *kind, "brain/coffee", "Coffee.md", at, at, 1),
                   (2, "Tea", *kind, "brain/tea", "Tea.md", at, at, 1)],
        "observation": [(1, 1, "Pour over gives clarity #brewing", "method", "tried on 3 May", '["brewing"]', 1)],
        "relation": [(1, 1, 2, "Tea", "relates_to", None, 1), (2, 1, None, "Chocolate", "pairs_with", "dark", 1)],
    }  # fmt: skip
    if contents:
        rows["note_content"] = [(1, COFFEE), (2, TEA)]
    return database(path, BASIC, **rows)


def test_notes_come_in_with_observations_and_named_relations(memory: Memory, tmp_path: Path) -> None:
    tally = bring(memory, "basic-memory", notes(tmp_path / "brain"))
    assert (tally.new, tally.links, tally.loose, tally.problems) == (3, 2, 1, [])
    (seen,) = memory.list(kinds=["observation"])
    assert (seen.text, seen.metadata["category"]) == ("Pour over gives clarity #brewing", "method")
    assert (seen.metadata["context"], seen.metadata["tags"]) == ("tried on 3 May", ["brewing"])
    (coffee,) = memory.list(where={"title": "Coffee Brewing", "path": {"exists": True}})
    assert coffee.text == COFFEE.split("---\n")[2].strip()
    assert coffee.metadata["tags"] == ["coffee"]
    assert sorted(one.relation for one in memory.links(coffee.id)) == ["about", "relates_to"]


def test_the_folder_and_the_database_know_each_other(memory: Memory, tmp_path: Path) -> None:
    file = basic(tmp_path / "memory.db.basic", contents=True)
    assert bring(memory, "basic-memory", file).new == 3
    (coffee,) = memory.list(where={"title": "Coffee Brewing", "path": {"exists": True}})
    assert (coffee.at, coffee.scope.project) == (START, "brain")
    tally = bring(memory, "basic-memory", notes(tmp_path / "brain"))
    assert (tally.new, tally.already, tally.changed, tally.links) == (0, 3, 0, 0)


def test_a_database_without_the_notes_gives_what_it_has_and_says_so(memory: Memory, tmp_path: Path) -> None:
    tally = bring(memory, "basic-memory", basic(tmp_path / "old.db", contents=False))
    assert (tally.new, [one.text for one in memory.list()]) == (1, ["Pour over gives clarity #brewing"])
    assert dict(tally.passed) == {"notes whose text is in their files only: import their folder too": 2}


# All of them

STORES: dict[str, Callable[[Path], Path]] = {
    "letta": lambda folder: letta(folder / "letta.db"),
    "langmem": lambda folder: langgraph(folder / "store.db"),
    "basic-memory": lambda folder: basic(folder / "memory.db", contents=True),
}


@pytest.mark.parametrize("format", STORES)
def test_reading_a_database_writes_nothing_beside_it(format: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    file = STORES[format](tmp_path / "theirs")
    before = listing(tmp_path / "theirs")
    assert detect(file) == format
    assert [one for one in parser(format)(file, Reading()) if isinstance(one, Record)]
    assert listing(tmp_path / "theirs") == before


@pytest.mark.parametrize("format", STORES)
def test_a_database_that_somebody_writes_to_is_read_with_what_was_committed(
    format: str, tmp_path: Path
) -> None:
    file = STORES[format](tmp_path)
    whole = len(list(parser(format)(file, Reading())))
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE more (x)")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO more VALUES (1)")
        assert len(list(parser(format)(file, Reading()))) == whole


@pytest.mark.parametrize("format", STORES)
@QUICK
@given(place=st.floats(0, 1), junk=st.binary(min_size=1, max_size=200), cut=st.booleans())
def test_a_damaged_database_gives_records_problems_or_an_error(
    format: str, place: float, junk: bytes, cut: bool, tmp_path: Path
) -> None:
    file = tmp_path / f"{format}.db"
    if not (tmp_path / "whole").exists():
        (tmp_path / "whole").mkdir()
        STORES[format](tmp_path / "whole")
    (source,) = (tmp_path / "whole").iterdir()
    raw = source.read_bytes()
    at = int(place * len(raw))
    file.write_bytes(raw[:at] if cut else raw[:at] + junk + raw[at + len(junk) :])
    with suppress(InputError):
        for item in parser(format)(file, Reading()):
            assert isinstance(item, Record) is hasattr(item, "text")


@pytest.mark.parametrize("format", STORES)
def test_another_program_s_database_is_an_error_that_says_so(format: str, tmp_path: Path) -> None:
    file = database(tmp_path / "x.db", "CREATE TABLE hats (size INTEGER)", hats=[(7,)])
    with pytest.raises(InputError, match=r"has no table|is no database"):
        list(parser(format)(file, Reading()))


def test_versions_only_go_forward_and_one_transaction_has_them_all(memory: Memory) -> None:
    earlier = (Earlier("one", START), Earlier("two", LATER), Earlier("late", START))
    record = Record("k", "three", "here", at=START, changed=LATER + timedelta(days=1), earlier=earlier)
    Run(memory, Plan("test", "test", follows=True)).go([record, Edge("k", "k2", "knows")])
    (one,) = memory.list()
    assert (one.text, one.at) == ("three", LATER + timedelta(days=1))
    assert [each.text for each in memory.list(as_of=START)] == ["one"]
    assert [each.text for each in memory.list(as_of=LATER)] == ["late"]
    undone = memory.undo(1)
    assert undone.ids == (one.id,)
    assert memory.list() == []


def test_other_names_of_a_format_are_the_same_format(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "memory.jsonl", [{"type": "entity", "name": "Ada", "entityType": "p", "observations": []}]
    )
    for name, new in (("reference", 1), ("mcp-memory", 0)):
        given = [
            "--path",
            str(tmp_path / "m.db"),
            "--set",
            "meaning=off",
            "--json",
            "import",
            name,
            str(file),
        ]
        answer = CliRunner().invoke(cli, given)
        assert (answer.exit_code, json.loads(answer.stdout)["new"]) == (0, new), answer.stderr
    assert set(OTHERWISE.values()) <= set(FORMATS)
    assert not set(OTHERWISE) & set(FORMATS)
