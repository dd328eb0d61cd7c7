"""`tools/list` as it is written down, and against what common clients take of JSON schema.

`python tests/test_mcp_schemas.py` writes the snapshots anew, to be read before they are committed: a client's user may
have allowed a tool by its name and words.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from mcp_types import Tool as Parsed

from simonides.bounded import RIGHTS
from simonides.doors.mcp.manifest import PROFILES, Manifest, manifest
from simonides.doors.mcp.table import DEFAULT, KINDS
from simonides.doors.mcp.tool import Tool
from simonides.registry import Registry
from simonides.types import Kind

GOLDEN = Path(__file__).parent / "golden"
OFFERS = {
    **{profile: manifest(profile, ("read", "write", "admin")) for profile in PROFILES},
    "erase": manifest("full", RIGHTS),
    "read": manifest("default", ("read",)),
}
TOOLS = [(name, tool) for name, offered in OFFERS.items() for tool in offered.tools]
CASES = pytest.mark.parametrize(
    "tool", [tool for _, tool in TOOLS], ids=[f"{name}-{tool.name}" for name, tool in TOOLS]
)

GEMINI = {"type", "description", "enum", "items", "properties", "required", "minimum", "maxLength"}
"""Of what Gemini's function declarations know, what we use; anything else makes it refuse the whole list."""
GEMINI_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,63}")
OPENAI_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
OPENAI_DESCRIPTION = 1024
OPENAI_DEPTH = 5
OPENAI_ENUM = 500
CLAUDE_PREFIX, CLAUDE_NAME = "mcp__simonides__", 64
CURSOR_NAME = 60
"""Characters that the names of a server and a tool may have together."""
SIX_TOOLS_TOKENS = 2000
"""Tokens that the default profile may cost each conversation (4 characters each, as a rule of thumb)."""


def schemas(schema: Any, depth: int = 1) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield a schema and all that are in it, with their depth."""
    yield schema, depth
    for part in schema.get("properties", {}).values():
        yield from schemas(part, depth + 1)
    if "items" in schema:
        yield from schemas(schema["items"], depth + 1)


def snapshot(offered: Manifest) -> str:
    return json.dumps(offered.lists(), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", OFFERS)
def test_what_is_offered_is_what_was_written_down(name: str) -> None:
    written = (GOLDEN / f"mcp_{name}.json").read_text("utf-8")
    assert snapshot(OFFERS[name]) == written, (
        "if that is meant: python tests/test_mcp_schemas.py, and read the diff"
    )


@CASES
def test_schemas_are_flat_and_known_to_every_client(tool: Tool) -> None:
    wire: Any = tool.wire()
    for part in ("inputSchema", "outputSchema"):
        whole: Any = wire.get(part)
        if whole is None:
            continue
        assert whole["type"] == "object"
        for schema, depth in schemas(whole):
            assert set(schema) <= GEMINI, "no $ref, no anyOf, no additionalProperties"
            assert isinstance(schema["type"], str), "no unions, nothing nullable"
            assert depth <= OPENAI_DEPTH
            assert (schema["type"] == "array") == ("items" in schema)
            assert (schema["type"] == "object") == ("properties" in schema)
            assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
            assert schema.get("required") != []
            assert len(schema.get("enum", ())) <= OPENAI_ENUM
            assert all(isinstance(word, str) for word in schema.get("enum", ()))
    if tool in DEFAULT:
        assert max(depth for _, depth in schemas(wire["inputSchema"])) <= 3, "flat: at most a list of texts"


@CASES
def test_names_and_words_are_short_enough_and_there(tool: Tool) -> None:
    assert OPENAI_NAME.fullmatch(tool.name)
    assert GEMINI_NAME.fullmatch(tool.name)
    assert len(CLAUDE_PREFIX + tool.name) <= CLAUDE_NAME
    assert len("simonides" + tool.name) < CURSOR_NAME
    assert 0 < len(tool.description) <= OPENAI_DESCRIPTION
    assert tool.title
    for name, schema in tool.parameters.items():
        assert re.fullmatch(r"[a-zA-Z_]+", name)
        assert len(str(schema.get("description", ""))) <= OPENAI_DESCRIPTION
    wire: Any = tool.wire()
    assert set(wire["annotations"]) == {
        "title",
        "readOnlyHint",
        "destructiveHint",
        "idempotentHint",
        "openWorldHint",
    }
    assert not (tool.reads and tool.destroys)
    assert tool.reads == (tool.right in ("read", "admin"))


@CASES
def test_the_sdk_reads_back_what_we_write(tool: Tool) -> None:
    parsed = Parsed.model_validate(tool.wire(), by_name=False)
    assert parsed.model_dump(by_alias=True, mode="json", exclude_none=True) == tool.wire()


@CASES
def test_a_tool_and_its_function_take_the_same(tool: Tool) -> None:
    function: Any = Registry("tool", {tool.name: tool.target}).get(tool.name)
    parameters = inspect.signature(function).parameters
    assert next(iter(parameters)) == "caller"
    named = {name: one for name, one in parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
    if named or len(parameters) == 1:
        assert set(named) == set(tool.parameters)
        assert {name for name, one in named.items() if one.default is inspect.Parameter.empty} == set(
            tool.required
        )
    else:
        (given,) = get_type_hints(function)["given"].__args__
        assert set(get_type_hints(given)) == set(tool.parameters)


def test_the_default_profile_is_small() -> None:
    offered = OFFERS["default"]
    assert len(offered.tools) <= 6
    said = json.dumps(offered.lists()["tools/list"]) + offered.instructions
    assert len(said) / 4 < SIX_TOOLS_TOKENS


def test_the_kinds_are_kinds() -> None:
    assert set(KINDS) <= set(Kind)


def test_every_reading_tool_takes_a_budget() -> None:
    without = {
        tool.name for tool in (*OFFERS["erase"].tools,) if tool.reads and "budget" not in tool.parameters
    }
    assert without == {"status"}, "which has no text of a memory in it"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, offered in OFFERS.items():
        (GOLDEN / f"mcp_{name}.json").write_text(snapshot(offered), "utf-8")
