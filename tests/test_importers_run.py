"""An import into a real store: no duplicates, nothing lost, what changed supersedes; parsing is tested elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simonides.clock import FrozenClock
from simonides.doors.cli import cli
from simonides.doors.importers import FORMATS, parser
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record
from simonides.doors.importers.run import BATCH, KEY, Plan, Run, Tally
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Scope

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@pytest.fixture
def memory(tmp_path: Path, clock: FrozenClock) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", clock=clock, settings=Settings(meaning="off")) as opened:
        yield opened


def record(number: int, **more: Any) -> Record:
    given: dict[str, Any] = {"text": f"memory {number}", "where": f"line {number}", "at": NOW, **more}
    return Record(f"k{number}", **given)


def bring(
    memory: Memory, items: list[Item], *, follows: bool = False, dry: bool = False, scope: Scope = Scope()
) -> Tally:
    return Run(memory, Plan("test", "test:file", follows, scope, dry)).go(items)


def texts(memory: Memory) -> list[str]:
    return [one.text for one in memory.list(limit=10_000)]


def test_a_second_run_adds_only_what_is_new(memory: Memory) -> None:
    first = bring(memory, [record(n) for n in range(3)])
    second = bring(memory, [record(n) for n in range(5)])
    assert (first.new, first.already) == (3, 0)
    assert (second.new, second.already) == (2, 3)
    assert sorted(texts(memory)) == [f"memory {n}" for n in range(5)]


def test_a_key_that_comes_twice_in_one_run_comes_in_once(memory: Memory) -> None:
    tally = bring(memory, [record(1), record(2), record(1, text="another")])
    assert (tally.new, tally.already) == (2, 1)
    assert sorted(texts(memory)) == ["memory 1", "memory 2"]


def test_what_was_retired_does_not_come_back(memory: Memory) -> None:
    bring(memory, [record(1)])
    memory.retire(memory.list()[0].id)
    assert bring(memory, [record(1)]).already == 1
    assert texts(memory) == []


def test_keys_of_other_formats_are_other_memories(memory: Memory) -> None:
    bring(memory, [record(1)])
    assert Run(memory, Plan("other", "other:file")).go([record(1)]).new == 1


def test_a_record_carries_its_key_its_source_and_its_scope(memory: Memory) -> None:
    row = record(1, speaker="Ana", user="ana", session="s", metadata={"a": 1}, modality="agent", kind="fact")
    bring(memory, [row], scope=Scope(user="default", project="p"))
    (found,) = memory.list()
    assert found.scope == Scope(user="ana", session="s", project="p")
    assert dict(found.metadata) == {"a": 1, KEY: "test:k1"}
    assert found.source is not None
    assert (found.source.name, found.source.modality) == ("test:file", "agent")
    assert (found.kind, found.speaker, found.at) == ("fact", "Ana", NOW)


def test_a_dry_run_counts_and_writes_nothing(memory: Memory) -> None:
    items: list[Item] = [
        record(1),
        record(2),
        Edge("k1", "k2", "to"),
        Problem("line 3", "broken"),
        Passed("noise"),
    ]
    tally = bring(memory, items, dry=True)
    assert (tally.new, tally.links, len(tally.problems), tally.passed["noise"]) == (2, 1, 1, 1)
    assert texts(memory) == []
    assert memory.log() == []
    assert [one.text for one in tally.samples] == ["memory 1", "memory 2"]


def test_many_records_go_in_by_batches_and_bad_ones_are_found_in_them(memory: Memory) -> None:
    wrong = {7: "", BATCH + 3: "  ", BATCH * 2 + 1: "\n"}
    tally = bring(
        memory, [record(n, **({"text": wrong[n]} if n in wrong else {})) for n in range(BATCH * 2 + 10)]
    )
    assert tally.new == BATCH * 2 + 10 - len(wrong)
    assert sorted(one.where for one in tally.problems) == sorted(f"line {n}" for n in wrong)
    assert all("must not be empty" in one.reason for one in tally.problems)
    assert len(texts(memory)) == tally.new


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "novel"},
        {"user": "u" * 5000},
        {"at": datetime(1, 1, 1, tzinfo=UTC)},
        {"metadata": {"n": 2**70}},
    ],
)
def test_what_the_store_refuses_is_a_problem_of_that_record_alone(
    memory: Memory, more: dict[str, Any]
) -> None:
    tally = bring(memory, [record(1), record(2, **more), record(3)])
    assert min(texts(memory)) == "memory 1"
    assert tally.new + len(tally.problems) == 3
    assert tally.new >= 2


def test_text_that_no_store_can_hold_is_repaired_and_counted(memory: Memory) -> None:
    tally = bring(memory, [record(1, text="a\x00b\ud800c"), record(2)])
    assert tally.repaired == 1
    assert sorted(texts(memory)) == ["a\ufffdb\ufffdc", "memory 2"]
    assert bring(memory, [record(1, text="a\x00b\ud800c")]).already == 1


def test_a_changed_record_supersedes_from_when_it_changed(memory: Memory, clock: FrozenClock) -> None:
    later = NOW + timedelta(days=2)
    bring(memory, [record(1)], follows=True)
    clock.advance(days=3)
    tally = bring(memory, [record(1, text="changed", changed=later)], follows=True)
    assert (tally.changed, tally.already, tally.new) == (1, 0, 0)
    assert texts(memory) == ["changed"]
    id = memory.list()[0].id
    assert memory.get(id, as_of=NOW + timedelta(days=1)).text == "memory 1"
    assert bring(memory, [record(1, text="changed", changed=later)], follows=True).already == 1
    assert bring(memory, [record(1, text="other")]).already == 1, "formats that don't follow leave it alone"


def test_a_changed_record_that_was_retired_is_a_problem_not_a_crash(memory: Memory) -> None:
    bring(memory, [record(1)], follows=True)
    memory.retire(memory.list()[0].id)
    tally = bring(memory, [record(1, text="changed")], follows=True)
    assert tally.new == 0
    assert texts(memory) == []


def test_links_come_in_once_and_loose_ends_are_counted(memory: Memory) -> None:
    items: list[Item] = [
        Edge("k1", "k2", "to", "why"),
        record(1),
        record(2),
        Edge("k1", "gone", "to"),
        Edge("k1", "k2", "to"),
    ]
    first = bring(memory, items)
    assert (first.links, first.loose) == (1, 1)
    second = bring(memory, [*items, record(3), Edge("k3", "k1", "back")])
    assert (second.links, second.loose) == (1, 1)
    (link, _) = memory.links()
    assert (link.relation, link.evidence) == ("to", "why")


def test_a_link_that_was_ended_by_hand_may_come_back_but_not_twice(memory: Memory) -> None:
    items: list[Item] = [record(1), record(2), Edge("k1", "k2", "to")]
    bring(memory, items)
    assert len(memory.links()) == 1
    assert bring(memory, items).links == 0


# Through the command line


def cli_import(path: Path, *words: str, code: int = 0) -> dict[str, Any]:
    given = ["--path", str(path), "--set", "meaning=off", "--json", "import", *words]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == code, (result.stdout, result.stderr)
    return json.loads(result.stdout)


def sample(format: str, folder: Path) -> Path:
    """Write a small file of a format; each has two memories."""
    lines: dict[str, object] = {
        "chatgpt": [{"id": "c", "create_time": 1.7e9, "current_node": "b", "mapping": {
            "a": {"message": {"id": "a", "author": {"role": "user"},
                  "content": {"content_type": "text", "parts": ["hi"]}}},
            "b": {"parent": "a", "message": {"id": "b", "author": {"role": "assistant"},
                  "content": {"content_type": "text", "parts": ["hello"]}}}}}],
        "claude": [{"uuid": "c", "created_at": "2025-01-01T00:00:00Z", "chat_messages": [
            {"uuid": "a", "sender": "human", "text": "hi"}, {"uuid": "b", "sender": "assistant", "text": "hello"}]}],
        "claude-code": [{"type": role, "uuid": role, "sessionId": "s", "timestamp": "2025-01-01T00:00:00Z",
                         "message": {"content": "hi"}} for role in ("user", "assistant")],
        "mcp-memory": [{"type": "entity", "name": "Ada", "entityType": "p", "observations": ["sings"]}],
        "mem0": [{"id": n, "memory": f"fact {n}", "created_at": "2025-01-01T00:00:00Z"} for n in (1, 2)],
        "jsonl": [{"text": "one"}, {"text": "two"}],
        "locomo": [{"sample_id": "x", "conversation": {"session_1_date_time": "1:00 pm on 1 May, 2025", "session_1": [
            {"speaker": "A", "dia_id": "D1:1", "text": "hi"}, {"speaker": "B", "dia_id": "D1:2", "text": "hello"}]}}],
        "zep": [{"uuid": "e", "name": "Ada", "group_id": "g", "created_at": "2025-01-01T00:00:00Z"},
                {"uuid": "f", "fact": "Ada sings", "source_node_uuid": "e", "created_at": "2025-01-01T00:00:00Z"}],
        "langmem": [{"prefix": "memories.ada", "key": n, "value": {"content": f"fact {n}"}} for n in "ab"],
        "letta": {"agents": [{"name": "Nora", "block_ids": ["b"], "messages": [{"role": "user", "content": "hi"}]}],
                  "blocks": [{"id": "b", "label": "human", "value": "sings"}]},
    }  # fmt: skip
    if format == "basic-memory":
        (folder / "notes").mkdir()
        (folder / "notes" / "a.md").write_text("---\npermalink: a\n---\nA note.\n\n- [tip] Sing.\n")
        return folder / "notes"
    if format == "markdown":
        (folder / "notes").mkdir()
        (folder / "notes" / "a.md").write_text("see [[b]]")
        (folder / "notes" / "b.md").write_text("hello")
        return folder / "notes"
    value = lines[format]
    if format in ("claude-code", "mcp-memory", "jsonl", "langmem"):
        assert isinstance(value, list)
        path = folder / "x.jsonl"
        path.write_text("\n".join(map(json.dumps, value)))
    else:
        path = folder / "x.json"
        path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_comes_in_once_and_only_once(format: str, tmp_path: Path) -> None:
    path, store = sample(format, tmp_path), tmp_path / "memory.db"
    assert cli_import(store, format, str(path), "--dry-run")["new"] == 2
    assert not store.exists()
    first = cli_import(store, format, str(path))
    assert (first["format"], first["new"], first["problems"]) == (format, 2, [])
    second = cli_import(store, format, str(path))
    assert (second["new"], second["already"], second["changed"]) == (0, 2, 0)
    detected = cli_import(store, "--detect", str(path))
    assert (detected["format"], detected["new"]) == (format, 0)


def test_a_folder_of_notes_is_followed(tmp_path: Path) -> None:
    notes, store = sample("markdown", tmp_path), tmp_path / "memory.db"
    assert cli_import(store, "markdown", str(notes))["links"] == 1
    later = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    (notes / "b.md").write_text("hello again")
    os.utime(notes / "b.md", (later, later))
    (notes / "c.md").write_text("new")
    again = cli_import(store, "markdown", str(notes))
    assert (again["new"], again["changed"], again["already"], again["links"]) == (1, 1, 1, 0)
    moved = notes.rename(tmp_path / "moved")
    assert cli_import(store, "markdown", str(moved), "--name", "x", "--dry-run")["new"] == 3


def test_nothing_to_import_is_exit_code_1_and_only_problems_3(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    (tmp_path / "bad.jsonl").write_text("{\n[]\n")
    (tmp_path / "half.jsonl").write_text('{"text": "good"}\n{\n')
    cli_import(tmp_path / "m.db", "jsonl", str(tmp_path / "empty.jsonl"), code=1)
    bad = cli_import(tmp_path / "m.db", "jsonl", str(tmp_path / "bad.jsonl"), code=3)
    assert [one["where"] for one in bad["problems"]] == ["bad.jsonl line 1", "bad.jsonl line 2"]
    half = cli_import(tmp_path / "m.db", "jsonl", str(tmp_path / "half.jsonl"))
    assert (half["new"], len(half["problems"])) == (1, 1)


def test_the_options_of_a_scope_fill_what_the_file_leaves_open(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    cli_import(store, "jsonl", str(sample("jsonl", tmp_path)), "--user", "ana", "--project", "p")
    with Memory(store, settings=Settings(meaning="off")) as memory:
        assert {one.scope for one in memory.list()} == {Scope(user="ana", project="p")}


def test_export_and_import_give_the_same_bytes(tmp_path: Path) -> None:
    store, copy = tmp_path / "memory.db", tmp_path / "copy.db"
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    cli_import(store, "mcp-memory", str(sample("mcp-memory", tmp_path)))
    with Memory(store, settings=Settings(meaning="off")) as memory:
        ids = [one.id for one in memory.list()]
        memory.update(ids[0], "Ada Lovelace", at=NOW)
        memory.retire(ids[1])
        memory.add("naïve 茶 \u2028", metadata={"deep": {"x": [1, None, 0.1]}})
    run = CliRunner().invoke
    assert run(cli, ["--path", str(store), "export", str(first)]).exit_code == 0
    taken = cli_import(copy, "jsonl", str(first))
    assert taken["format"] == "simonides"
    assert taken["memories"] >= 5
    assert run(cli, ["--path", str(copy), "export", str(second)]).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert run(cli, ["--path", str(copy), "export"]).stdout_bytes == first.read_bytes()
    assert cli_import(copy, "--detect", str(first))["already"] > 0


def test_export_never_overwrites_unasked_and_leaves_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.jsonl"
    target.parent.mkdir()
    target.write_text("precious")
    run = CliRunner().invoke
    refused = run(cli, ["--path", str(tmp_path / "m.db"), "export", str(target)])
    assert refused.exit_code == 3
    assert target.read_text() == "precious"
    assert run(cli, ["--path", str(tmp_path / "m.db"), "export", str(target), "--force"]).exit_code == 0
    assert [one.name for one in target.parent.iterdir()] == ["x.jsonl"]
    lost = run(cli, ["--path", str(tmp_path / "m.db"), "export", str(tmp_path / "no" / "x.jsonl")])
    assert lost.exit_code == 3


def test_an_export_with_a_broken_line_is_refused_whole(tmp_path: Path) -> None:
    store, out = tmp_path / "memory.db", tmp_path / "out.jsonl"
    cli_import(store, "jsonl", str(sample("jsonl", tmp_path)))
    run = CliRunner().invoke
    run(cli, ["--path", str(store), "export", str(out)])
    lines = out.read_text().splitlines()
    out.write_text("\n".join([*lines[:2], lines[2][:-5], *lines[3:]]))
    copy = tmp_path / "copy.db"
    result = run(cli, ["--path", str(copy), "import", "jsonl", str(out)])
    assert result.exit_code == 3
    assert "out.jsonl line 3" in result.stderr
    assert run(cli, ["--path", str(copy), "list"]).exit_code == 1


@pytest.mark.parametrize("format", FORMATS)
def test_reading_is_lazy(format: str, tmp_path: Path) -> None:
    parser(format)(tmp_path / "nowhere", Reading())  # nothing happens until somebody asks for an item
