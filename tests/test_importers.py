"""Each importer reads small files of its format, reports what is broken, and never crashes; writes to no store."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides.doors.importers import FORMATS, front_matter, parser
from simonides.doors.importers.detect import detect, is_own_export
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record, repaired
from simonides.errors import InputError, UnknownName

NOON = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


def read(format: str, path: Path, reading: Reading | None = None) -> list[Item]:
    return list(parser(format)(path, reading or Reading()))


def records(items: list[Item]) -> list[Record]:
    return [item for item in items if isinstance(item, Record)]


def problems(items: list[Item]) -> list[Problem]:
    return [item for item in items if isinstance(item, Problem)]


def edges(items: list[Item]) -> list[Edge]:
    return [item for item in items if isinstance(item, Edge)]


def passed(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Passed)]


def write(path: Path, value: object) -> Path:
    """Write JSON, or JSON lines when the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        assert isinstance(value, list)
        path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in value))
    else:
        path.write_text(json.dumps(value))
    return path


# ChatGPT


def message(role: str, text: object, time: float | None = None, **more: object) -> dict[str, object]:
    parts = text if isinstance(text, list) else [text]
    content = {"content_type": more.pop("content_type", "text"), "parts": parts}
    return {"author": {"role": role}, "create_time": time, "content": content, **more}


def chatgpt(**more: object) -> dict[str, object]:
    """Return a conversation with a branch that was left: b2 is current, b1 is not."""
    said = {
        "root": (None, None),
        "a": ("root", message("system", "You are helpful.", 1.0)),
        "b0": ("a", message("user", "Where did I park?", NOON.timestamp(), id="m0")),
        "b1": ("b0", message("assistant", "In the old garage.", NOON.timestamp() + 5, id="m1")),
        "b2": ("b0", message("assistant", "On Mill Street.", None, id="m2", metadata={"model_slug": "x-1"})),
        "t": ("b2", message("assistant", "search('x')", 9.0, recipient="browser", content_type="code")),
        "u": ("t", message("tool", "found", 9.0)),
        "c": ("u", message("user", [{"content_type": "image_asset_pointer"}, "and this?"], None,
                           id="m3", content_type="multimodal_text")),
        "d": ("c", message("user", [{"content_type": "image_asset_pointer"}], None, content_type="multimodal_text")),
    }  # fmt: skip
    mapping = {
        name: {"id": name, "parent": parent, "message": inner, "children": []}
        for name, (parent, inner) in said.items()
    }
    return {"conversation_id": "c1", "title": "Car", "mapping": mapping, "current_node": "d", **more}


def test_chatgpt_walks_the_branch_that_was_open_last(tmp_path: Path) -> None:
    items = read("chatgpt", write(tmp_path / "conversations.json", [chatgpt(create_time=5.0)]))
    found = records(items)
    assert [(one.speaker, one.text) for one in found] == [
        ("user", "Where did I park?"),
        ("assistant", "On Mill Street."),
        ("user", "and this?"),
    ]
    assert {one.at for one in found} == {NOON}, "a message without a time takes that of the one before"
    assert [one.key for one in found] == ["c1:m0", "c1:m2", "c1:m3"]
    assert found[1].metadata == {"title": "Car", "model": "x-1"}
    assert found[1].modality == "agent"
    assert {one.session for one in found} == {"c1"}
    assert sorted(passed(items)) == [
        "calls of a tool",
        "messages without words",
        "system and tool messages",
        "system and tool messages",
    ]


def test_chatgpt_without_any_time_leaves_the_time_open(tmp_path: Path) -> None:
    mapping = {"x": {"parent": None, "message": message("user", "hello")}}
    items = read("chatgpt", write(tmp_path / "conversations.json", [{"id": "c", "mapping": mapping}]))
    assert [(one.text, one.at) for one in records(items)] == [("hello", None)]


def test_chatgpt_finds_the_newest_leaf_and_survives_a_circle(tmp_path: Path) -> None:
    mapping = {
        "x": {"parent": "y", "message": message("user", "one", 10.0), "children": ["y"]},
        "y": {"parent": "x", "message": message("assistant", "two", 20.0), "children": []},
    }
    items = read("chatgpt", write(tmp_path / "conversations.json", [{"id": "c", "mapping": mapping}]))
    assert [one.text for one in records(items)] == ["one", "two"]


def test_chatgpt_reads_a_zip_a_folder_and_several_files(tmp_path: Path) -> None:
    whole = write(tmp_path / "export" / "conversations.json", [chatgpt()])
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(whole, "some/folder/conversations.json")
        packed.writestr("conversations-001.json", json.dumps([chatgpt(conversation_id="c2")]))
        packed.writestr("user.json", "{}")
    plain = records(read("chatgpt", tmp_path / "export"))
    assert [one.text for one in plain] == [one.text for one in records(read("chatgpt", whole))]
    assert {one.session for one in records(read("chatgpt", archive))} == {"c1", "c2"}


def test_a_broken_conversation_is_a_problem_and_the_rest_goes_in(tmp_path: Path) -> None:
    path = write(tmp_path / "conversations.json", [{"title": "no mapping"}, 7, chatgpt()])
    items = read("chatgpt", path)
    assert [one.where for one in problems(items)] == [
        "conversations.json item 1",
        "conversations.json item 2",
    ]
    assert len(records(items)) == 3


def test_a_file_that_is_cut_off_gives_what_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "conversations.json", [chatgpt(), chatgpt(conversation_id="c2")])
    path.write_text(path.read_text()[:-40])
    items = read("chatgpt", path)
    assert len(records(items)) == 3
    assert "not read" in problems(items)[0].reason


# Claude


def claude(**more: object) -> dict[str, object]:
    return {
        "uuid": "k1",
        "name": "Garden",
        "created_at": "2025-03-01T12:00:00.5Z",
        "chat_messages": [
            {"uuid": "h", "sender": "human", "text": "old field", "created_at": "2025-03-01T12:00:00+00:00",
             "content": [{"type": "text", "text": "When do I prune roses?"}],
             "attachments": [{"file_name": "plan.txt", "extracted_content": "Bed 1: roses"}, {"file_name": "x.png"}]},
            {"uuid": "i", "sender": "assistant", "text": "In March.", "created_at": None,
             "content": [{"type": "thinking", "thinking": "hm"}]},
            {"uuid": "j", "sender": "assistant", "text": "", "content": []},
            {"uuid": "l", "sender": "robot", "text": "beep"},
        ],
        **more,
    }  # fmt: skip


def test_claude_reads_blocks_text_and_attachments(tmp_path: Path) -> None:
    items = read("claude", write(tmp_path / "conversations.json", [claude(), {"name": "none"}]))
    assert [(one.kind, one.speaker, one.text) for one in records(items)] == [
        ("turn", "user", "When do I prune roses?"),
        ("document", "user", "Bed 1: roses"),
        ("turn", "assistant", "In March."),
    ]
    assert records(items)[1].metadata == {"title": "Garden", "file": "plan.txt"}
    assert records(items)[0].at == NOON
    assert len(problems(items)) == 1
    assert "attachments without text" in passed(items)


# Claude Code


def line(role: str, content: object, uuid: str, **more: object) -> dict[str, object]:
    return {
        "type": role,
        "uuid": uuid,
        "sessionId": "s1",
        "timestamp": "2025-03-01T12:00:00.000Z",
        "cwd": "/home/ada/shop",
        "gitBranch": "main",
        "message": {"role": role, "content": content},
        **more,
    }


def test_claude_code_keeps_what_was_said_and_passes_over_the_noise(tmp_path: Path) -> None:
    text = {"type": "text", "text": "Use GraphQL.\n<system-reminder>secret</system-reminder>"}
    lines: list[object] = [
        {"type": "summary", "summary": "Shop", "leafUuid": "z"},
        line("user", "Why REST?", "1"),
        line("assistant", [{"type": "thinking", "thinking": "hm"}, text], "2"),
        line("assistant", [{"type": "tool_use", "name": "Bash"}], "3"),
        line("user", [{"type": "tool_result", "content": "ok"}], "4"),
        line("user", "<command-name>/clear</command-name>", "5"),
        line("user", "Caveat: The messages below were generated", "6", isMeta=True),
        line("assistant", "side", "7", isSidechain=True),
        line("user", "what we did so far", "8", isCompactSummary=True),
        line("user", "naive", "9", timestamp="2025-03-01T12:00:00"),
        "{broken",
        "[1]",
    ]
    write(tmp_path / "p" / "s1.jsonl", lines)
    write(tmp_path / "q" / "resumed.jsonl", lines[:2])
    items = read("claude-code", tmp_path)
    assert [(one.speaker, one.text, one.key) for one in records(items)] == [
        ("user", "Why REST?", "1"),
        ("assistant", "Use GraphQL.", "2"),
        ("user", "Why REST?", "1"),
    ]
    first = records(items)[0]
    assert (first.project, first.session, first.at) == ("shop", "s1", NOON)
    assert first.metadata == {"cwd": "/home/ada/shop", "branch": "main"}
    assert [one.where for one in problems(items)] == [
        "s1.jsonl line 10",
        "s1.jsonl line 11",
        "s1.jsonl line 12",
    ]
    assert "--zone" in problems(items)[0].reason
    zoned = read("claude-code", tmp_path / "p", Reading(zone=ZoneInfo("Europe/Berlin")))
    assert records(zoned)[-1].at == NOON.replace(hour=11)


# Markdown


def test_markdown_splits_long_notes_at_headings_and_follows_links(tmp_path: Path) -> None:
    long = (
        "intro\n\n# Plan\n\n## Beds\n"
        + "roses " * 200
        + "\n```\n# no heading\n```\n## Tools\nsee [[Shed|the shed]]\n"
        + ("spade and rake\n\n" * 300)
    )
    (tmp_path / "Garden.md").write_text(
        f"---\ntitle: My garden\ntags: [plants, 2025]\ndate: 2025-03-01\n---\n{long}"
    )
    (tmp_path / "Shed.md").write_text(
        "Back to [[garden]], [beds](Garden.md#beds) and [[Nowhere]]. [web](http://x/y.md)"
    )
    (tmp_path / "2025-02-03 diary.md").write_text("It rained.")
    (tmp_path / "Empty.md").write_text("---\na: 1\n---\n\n")
    (tmp_path / ".obsidian").mkdir()
    (tmp_path / ".obsidian" / "hidden.md").write_text("no")
    items = read("markdown", tmp_path, Reading(name="vault"))
    found = {one.key: one for one in records(items)}
    assert [key for key in found if key.startswith("vault/Garden")][:3] == [
        "vault/Garden.md",
        "vault/Garden.md#Plan > Beds",
        "vault/Garden.md#Plan > Tools",
    ]
    beds = found["vault/Garden.md#Plan > Beds"]
    assert beds.text.startswith("# Plan\n\n## Beds")
    assert "# no heading" in beds.text
    assert beds.metadata == {
        "title": "My garden", "tags": ["plants", 2025], "date": "2025-03-01",
        "path": "Garden.md", "headings": ["Plan", "Beds"],
    }  # fmt: skip
    assert beds.at == datetime(2025, 3, 1, tzinfo=UTC)
    assert found["vault/2025-02-03 diary.md"].at == datetime(2025, 2, 3, tzinfo=UTC)
    assert {(one.source, one.target) for one in edges(items)} == {
        ("vault/Garden.md#Plan > Tools", "vault/Shed.md"),
        ("vault/Shed.md", "vault/Garden.md"),
        ("vault/Shed.md", "vault/missing:nowhere"),
    }
    assert passed(items) == ["notes without text"]
    assert all(len(one.text) <= 3100 for one in records(items))
    assert "".join(one.text for one in records(items) if "Garden" in one.key).count("spade") == 300


def test_markdown_takes_the_time_of_the_file_when_the_note_has_none(tmp_path: Path) -> None:
    note = tmp_path / "n.md"
    note.write_text("---\ndate: '{{date}}'\n---\nhello")
    (found,) = records(read("markdown", note))
    assert found.at == datetime.fromtimestamp(note.stat().st_mtime, UTC)
    assert found.changed == found.at


@pytest.mark.parametrize(
    ("front", "value"),
    [
        ("a: b", "b"),
        ('a: "x: y"', "x: y"),
        ("a: yes # no comment", "yes"),
        ("a:\n  - one\n  - 2", ["one", 2]),
        ("a: |\n  two\n  lines", "two\nlines"),
        ("a: true", True),
        ("a: 1.5", 1.5),
        ("a:", None),
        ("a: {b: c}", "{b: c}"),
    ],
)
def test_front_matter_reads_what_people_write(front: str, value: object) -> None:
    found, body = front_matter.split(f"---\n{front}\n---\n\ntext")
    assert found == {"a": value}
    assert body == "text"


def test_a_rule_in_a_note_is_no_front_matter() -> None:
    assert front_matter.split("---\nnever closed") == ({}, "---\nnever closed")


# The reference MCP server


def test_mcp_memory_becomes_entities_observations_and_links(tmp_path: Path) -> None:
    path = write(
        tmp_path / "memory.jsonl",
        [
            {
                "type": "entity",
                "name": "Ada",
                "entityType": "person",
                "observations": ["Ada likes tea", "speaks Dutch"],
            },
            {"type": "entity", "name": "Shop", "entityType": "project", "observations": []},
            {"type": "relation", "from": "Ada", "to": "Shop", "relationType": "owns"},
            {"type": "relation", "from": "Ada"},
            {"type": "entity"},
        ],
    )
    items = read("mcp-memory", path)
    assert [(one.kind, one.text) for one in records(items)] == [
        ("entity", "Ada"),
        ("observation", "Ada likes tea"),
        ("observation", "Ada: speaks Dutch"),
        ("entity", "Shop"),
    ]
    assert records(items)[2].metadata == {"entity": "Ada", "entity_type": "person", "prefixed": True}
    assert [(one.source, one.relation, one.target) for one in edges(items)][-1] == (
        "entity:Ada",
        "owns",
        "entity:Shop",
    )
    assert len(edges(items)) == 3
    assert len(problems(items)) == 2


# mem0


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"results": rows}], ids=["list", "results"])
def test_mem0_keeps_identity_apart_from_metadata(tmp_path: Path, wrap: Callable[[object], object]) -> None:
    memory = {
        "id": "m1", "memory": "Is vegetarian", "user_id": "ada", "agent_id": None, "run_id": "r1",
        "created_at": "2025-03-01T05:00:00-07:00", "updated_at": None,
        "metadata": {"topic": "food", "user_id": "mallory"}, "categories": ["diet"],
    }  # fmt: skip
    items = read("mem0", write(tmp_path / "m.json", wrap([memory, {"id": "m2"}])))
    (found,) = records(items)
    assert (found.key, found.kind, found.user, found.session) == ("m1", "fact", "ada", "r1")
    assert found.at == NOON
    assert found.metadata["topic"] == "food"
    assert "user_id" not in found.metadata
    assert len(problems(items)) == 1


# Plain JSON lines


def test_jsonl_understands_the_keys_of_add_and_those_of_others(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.jsonl",
        [
            {
                "text": "one",
                "at": "2025-03-01T12:00:00Z",
                "kind": "fact",
                "metadata": {"a": 1},
                "mood": "good",
            },
            {
                "role": "user",
                "content": [{"type": "text", "text": "two"}],
                "timestamp": NOON.timestamp() * 1000,
            },
            {"text": "one", "at": "2025-03-01T12:00:00Z", "kind": "fact"},
            {"txt": "wrong"},
            {"text": "naive", "at": "2025-03-01T12:00:00"},
            {"text": "bad", "metadata": 3},
        ],
    )
    items = read("jsonl", path)
    first, second, third = records(items)
    assert (first.text, first.kind, first.at, dict(first.metadata)) == (
        "one",
        "fact",
        NOON,
        {"mood": "good", "a": 1},
    )
    assert (second.text, second.speaker, second.at) == ("two", "user", NOON)
    assert first.key != third.key, "the same words twice in a file are two memories"
    assert [one.key for one in records(read("jsonl", path))] == [first.key, second.key, third.key]
    assert [one.where for one in problems(items)] == ["m.jsonl line 4", "m.jsonl line 5", "m.jsonl line 6"]


def test_jsonl_can_be_packed_and_in_utf16(tmp_path: Path) -> None:
    row = json.dumps({"text": "café"}, ensure_ascii=False)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(row.encode()))
    (tmp_path / "b.jsonl").write_bytes(row.encode("utf-16"))
    (tmp_path / "c.jsonl").write_bytes(b"\xef\xbb\xbf" + row.encode())
    for name in ("a.jsonl.gz", "b.jsonl", "c.jsonl"):
        assert [one.text for one in records(read("jsonl", tmp_path / name))] == ["café"], name


def test_a_packed_file_that_is_cut_off_is_a_problem(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"text": f"number {n}"}) + "\n" for n in range(2000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(rows.encode())[:-200])
    items = read("jsonl", tmp_path / "a.jsonl.gz")
    assert records(items)
    assert problems(items)


# LoCoMo


def test_locomo_spreads_a_session_over_minutes(tmp_path: Path) -> None:
    sample = {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada",
            "session_1_date_time": "12:00 pm on 1 March, 2025",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "Hello"},
                {"speaker": "Ben", "dia_id": "D1:2", "text": "Look", "blip_caption": "a boat"},
            ],
            "session_2_date_time": "whenever",
            "session_2": [{"speaker": "Ada", "dia_id": "D2:1", "text": "Bye"}],
            "session_3_date_time": "1:00 pm on 1 March, 2025",
        },
        "qa": [],
    }
    path = write(tmp_path / "l.json", [sample, {"no": "conversation"}])
    items = read("locomo", path)
    assert [(one.speaker, one.text, one.at) for one in records(items)] == [
        ("Ada", "Hello", NOON),
        ("Ben", "Look [shares a boat]", NOON + timedelta(minutes=1)),
    ]
    assert {one.session for one in records(items)} == {"conv-1:session_1"}
    assert len(problems(items)) == 2
    berlin = records(read("locomo", path, Reading(zone=timezone(timedelta(hours=1)))))
    assert berlin[0].at == NOON - timedelta(hours=1)


# All of them


def test_what_no_store_can_hold_is_repaired_and_said() -> None:
    record = Record("k\ud800", "a\x00b", "line 1", metadata={"x\udfff": ["\x00", 1.0, float("inf")]})
    fixed, was = repaired(record)
    assert was
    assert (fixed.key, fixed.text) == ("k\ufffd", "a\ufffdb")
    assert fixed.metadata == {"x\ufffd": ["\ufffd", 1.0, None]}
    assert repaired(Record("k", "fine", "line 1")) == (Record("k", "fine", "line 1"), False)


def test_bytes_that_are_not_utf8_are_repaired_too(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    (found,) = records(read("jsonl", tmp_path / "x.jsonl"))
    assert repaired(found)[0].text == "caf\ufffd"


@pytest.mark.parametrize("format", FORMATS)
def test_a_path_that_is_not_there_is_an_error_that_says_so(format: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(format, tmp_path / "nowhere")


@pytest.mark.parametrize("format", ["chatgpt", "claude", "claude-code", "markdown"])
def test_a_folder_without_such_files_is_an_error(format: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(format, tmp_path)


def test_a_zip_without_conversations_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("readme.txt", "nothing here")
    with pytest.raises(InputError, match="has no file like"):
        read("chatgpt", tmp_path / "x.zip")


def test_an_unknown_format_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'chatgpt'"):
        parser("chatgtp")


@pytest.mark.parametrize(
    ("name", "value", "format"),
    [
        ("a.json", [chatgpt()], "chatgpt"),
        ("a.json", [claude()], "claude"),
        ("a.json", {"results": [{"id": "1", "memory": "x"}]}, "mem0"),
        ("a.json", [{"sample_id": "1", "conversation": {}, "qa": []}], "locomo"),
        ("a.jsonl", [line("user", "x", "1")], "claude-code"),
        ("a.jsonl", [{"type": "entity", "name": "x", "entityType": "y", "observations": []}], "mcp-memory"),
        ("a.jsonl", [{"text": "x"}], "jsonl"),
        ("folder/conversations.json", [claude()], "claude"),
        ("folder/p/s.jsonl", [line("user", "x", "1")], "claude-code"),
    ],
)
def test_the_format_is_found_by_looking(name: str, value: object, format: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, value)
    assert detect(tmp_path / "folder" if name.startswith("folder") else path) == format


def test_looking_finds_notes_zips_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "n.md").write_text("hello")
    assert detect(tmp_path) == "markdown"
    assert detect(tmp_path / "n.md") == "markdown"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("conversations.json", json.dumps([chatgpt()]))
    assert detect(tmp_path / "x.zip") == "chatgpt"
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="none of the formats"):
        detect(tmp_path / "x.bin")


def test_our_own_export_is_recognised(tmp_path: Path) -> None:
    assert is_own_export(write(tmp_path / "a.jsonl", [{"type": "simonides", "format": 1}]))
    assert not is_own_export(write(tmp_path / "b.jsonl", [{"text": "simonides"}]))


NAMES = """
    mapping current_node message author role content parts content_type create_time parent children id uuid
    chat_messages sender text created_at attachments extracted_content type sessionId timestamp cwd memory metadata
    results user_id name entityType observations from to relationType conversation session_1 session_1_date_time dia_id
    speaker at kind updated_at title x
""".split()
"""Keys that some format knows."""


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=12)
JSON_VALUES = st.recursive(PLAIN, nested, max_leaves=25)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(value=JSON_VALUES, format=st.sampled_from([name for name in FORMATS if name != "markdown"]))
def test_random_json_gives_records_or_problems(value: object, format: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(
        json.dumps([value, value]) if format not in ("jsonl", "mcp-memory") else json.dumps(value)
    )
    for item in read(format, path):
        if isinstance(item, Record):
            fixed, _ = repaired(item)
            assert fixed.text.strip()
            assert fixed.at is None or fixed.at.tzinfo is not None
            json.dumps(fixed.metadata, allow_nan=False).encode()


@QUICK
@given(data=st.binary(max_size=200), format=st.sampled_from(list(FORMATS)))
def test_random_bytes_give_records_or_problems(data: bytes, format: str, tmp_path: Path) -> None:
    path = tmp_path / ("x.md" if format == "markdown" else "x.json")
    path.write_bytes(data)
    with suppress(InputError):
        read(format, path)


@QUICK
@given(start=st.integers(0, 300), data=st.binary(max_size=20))
def test_a_damaged_zip_gives_records_problems_or_an_error(start: int, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("conversations.json", json.dumps([claude()]))
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + data + whole[start + len(data) :])
    with suppress(InputError):
        read("claude", path)


@QUICK
@given(text=st.text(st.sampled_from("#-:[]()|`~>!\n ab\"'{}\t"), max_size=400))
def test_any_note_keeps_its_words(text: str, tmp_path: Path) -> None:
    note = tmp_path / "n.md"
    note.write_text(text * 8, encoding="utf-8", newline="")
    _, body = front_matter.split(text * 8)
    found = records(read("markdown", note))
    assert sorted("".join(one.text for one in found).split()) == sorted(body.split()) or not body.strip()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_long_array_is_read_in_pieces(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simonides.doors.importers.reading.CHUNK", size)
    path = write(tmp_path / "conversations.json", [claude(uuid=f"k{n}") for n in range(5)])
    assert len(records(read("claude", path))) == 15
