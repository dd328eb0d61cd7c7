"""Whatever arguments a model makes up, a tool answers with words: never a traceback, never a broken store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides import Memory
from simonides.bounded import RIGHTS, Bounded
from simonides.doors.mcp.answering import Caller, answer
from simonides.doors.mcp.manifest import Manifest, manifest
from simonides.doors.mcp.tool import Tool
from simonides.types import Scope

PROFILES = {name: manifest(name, RIGHTS) for name in ("full", "reference")}
WORDS = st.text(max_size=30) | st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\ud800",
        "</memories>",
        "Ana",
        "2026-01-01",
        "9999-12-31T23:59:59-12:00",
        "[]",
        "{",
        '{"a":1}',
        "NaN",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def fitting(schema: Any, ids: list[str]) -> st.SearchStrategy[Any]:
    """Draw values that a schema takes, with ids that are there among the texts."""
    match schema["type"]:
        case "string":
            known = st.sampled_from([*ids, *(id[-8:] for id in ids)])
            words: st.SearchStrategy[Any] = (
                st.sampled_from(schema["enum"]) if "enum" in schema else known | WORDS
            )
            return words
        case "integer":
            return st.integers(-1, 10) | st.integers()
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"], ids), max_size=3)
        case _:
            parts = {name: fitting(part, ids) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(parts)


@st.composite
def arguments(draw: st.DrawFn, tool: Tool, ids: list[str]) -> dict[str, Any]:
    """Draw arguments: mostly of the right type, some missing, some of any type, some unknown."""
    given: dict[str, Any] = {}
    for name, schema in tool.parameters.items():
        if name in tool.required or draw(st.booleans()):
            given[name] = draw(fitting(schema, ids) if draw(st.integers(0, 5)) else JSON)
    if not draw(st.integers(0, 9)):
        given[draw(WORDS)] = draw(JSON)
    return given


@pytest.mark.parametrize(
    ("profile", "name"),
    [(profile, tool.name) for profile, offered in PROFILES.items() for tool in offered.tools],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_arguments_break_a_tool(profile: str, name: str, data: st.DataObject) -> None:
    offered: Manifest = PROFILES[profile]
    tool = offered.tool(name)
    assert tool is not None
    with Memory(":memory:") as memory:
        ids = [memory.add(text, user="ana").id for text in ("Ana lives in Berlin.", "Ben keeps bees.")]
        ids.append(memory.link(ids[0], ids[1], "knows").id)
        ids.append(memory.add("Of somebody else.", user="ben").id)
        scope = Scope(user="ana") if data.draw(st.booleans()) else Scope()
        caller = Caller(Bounded(memory, scope, RIGHTS), most=1000)
        for _ in range(2):
            done = answer(tool, caller, data.draw(arguments(tool, ids)))
            assert "failed unexpectedly" not in done.text, done.text
            assert done.text
            if scope.user:
                assert "somebody else" not in done.text
        assert memory.verify().ok
        if scope.user:
            assert memory.get(ids[-1]).text == "Of somebody else."
