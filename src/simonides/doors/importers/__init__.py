"""The table of formats that can be imported; imports a format only when somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from simonides.registry import Registry

if TYPE_CHECKING:
    from simonides.doors.importers.record import Parser


@dataclass(frozen=True, slots=True)
class Format:
    """What people see of a format before anything of it is loaded.

    Attributes:
        what: one line on what it reads.
        follows: a record that changed since the last import supersedes what was imported then.
        home: where its files are by default, relative to the home directory; empty when nowhere.
    """

    what: str
    follows: bool = False
    home: str = ""


FORMATS: dict[str, Format] = {
    "chatgpt": Format("ChatGPT data export: the zip, the folder or conversations.json"),
    "claude": Format("Claude.ai data export: the zip, the folder or conversations.json"),
    "claude-code": Format(
        "Claude Code transcripts: a folder of .jsonl, or one file", home=".claude/projects"
    ),
    "markdown": Format("a folder of Markdown notes (Obsidian too), or one note", follows=True),
    "basic-memory": Format("Basic Memory: its folder of notes, or its memory.db", follows=True),
    "langmem": Format("LangMem: LangGraph's store.db, or rows of its table as JSON lines", follows=True),
    "letta": Format("Letta: an agent file (.af), or its SQLite file", follows=True),
    "mcp-memory": Format("memory.jsonl of the reference MCP memory server"),
    "mem0": Format("mem0: its folder (Qdrant points, history.db), or exported JSON", follows=True),
    "zep": Format("Zep and Graphiti: episodes, entities and facts as JSON (lines)", follows=True),
    "jsonl": Format("one JSON object a line with the keys of `add`, or `simonides export`"),
    "locomo": Format("conversations in the format of LoCoMo"),
}
OTHERWISE = {"reference": "mcp-memory", "graphiti": "zep", "langgraph": "langmem", "memgpt": "letta"}
"""Other names of a format; what is imported under one is known again under the other."""

PARSERS = Registry(
    "import format",
    {name: f"simonides.doors.importers.{name.replace('-', '_')}:parse" for name in FORMATS},
)


def named(name: str) -> str:
    """Return the name of a format by any of its names."""
    return OTHERWISE.get(name, name)


def parser(name: str) -> Parser:
    """Return the function that reads a format.

    Raises:
        UnknownName: there is no such format; the message offers the nearest one.
    """
    return cast("Parser", PARSERS.get(name))
