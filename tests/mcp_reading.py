"""Reads what the MCP server shows back into texts: what a careful client would do with a block."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp import Client, MCPError

from simonides.parts.pack import CLOSING, OPENING

LINE = re.compile(
    r"""^-\ \[(?P<day>\d{4}-\d\d-\d\d)\]\ (?P<text>"(?:[^"\\]|\\.)*"|\{.*\})
    (?P<about>\ \(.*\))?\ \[(?P<id>[0-9a-f]{8})\](?P<more>.*)$""",
    re.VERBOSE,
)


def lines(shown: str) -> list[dict[str, Any]]:
    """Return the lines of a block, each with its day, text, what it is about and the end of its id."""
    if OPENING not in shown:
        return []
    inside = shown[shown.index(OPENING) + len(OPENING) : shown.index(CLOSING)]
    found = [LINE.match(line) for line in inside.strip().splitlines()]
    assert all(found), shown
    return [{**one.groupdict(), "text": json.loads(one["text"])} for one in found if one]


def recalled_texts(shown: str) -> list[str]:
    """Return the texts of a block."""
    return [line["text"] for line in lines(shown)]


async def read_item(client: Client, id: str) -> str | None:
    """Return the text of a memory, read as a resource; None where there is none."""
    try:
        found: Any = await client.read_resource(f"memory://item/{id}")
    except MCPError as err:
        if "no such memory" in str(err) or "has ended" in str(err):
            return None
        raise
    (line,) = lines(found.contents[0].text)
    return line["text"]["text"]
