"""Tells which format a path is in by looking at a little of it; reads no record."""

from __future__ import annotations

import os
import zipfile
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from simonides.doors.importers import front_matter
from simonides.doors.importers.reading import Found, json_items, json_lines, table
from simonides.doors.importers.record import unreadable
from simonides.doors.importers.sqlite_file import is_sqlite, opened
from simonides.types import Json

LOOKED_AT = 20
"""So many lines or elements are looked at before giving up."""

Marks: TypeAlias = tuple[tuple[str, frozenset[str]], ...]

_LINE_MARKS: Marks = (
    ("claude-code", frozenset({"sessionId", "type"})),
    ("claude-code", frozenset({"leafUuid", "summary"})),
    ("mcp-memory", frozenset({"type", "entityType"})),
    ("mcp-memory", frozenset({"type", "relationType"})),
    ("langmem", frozenset({"prefix", "key", "value"})),
    ("zep", frozenset({"uuid", "fact"})),
    ("zep", frozenset({"uuid", "group_id"})),
)
_ITEM_MARKS: Marks = (
    ("chatgpt", frozenset({"mapping"})),
    ("claude", frozenset({"chat_messages"})),
    ("locomo", frozenset({"conversation", "qa"})),
    ("locomo", frozenset({"conversation", "sample_id"})),
    ("locomo", frozenset({"session_1"})),
    ("mem0", frozenset({"memory", "id"})),
    ("letta", frozenset({"agents", "blocks"})),
    ("letta", frozenset({"core_memory", "messages"})),
    ("langmem", frozenset({"prefix", "key", "value"})),
    ("zep", frozenset({"uuid", "fact"})),
    ("zep", frozenset({"uuid", "group_id"})),
    ("zep", frozenset({"nodes", "edges"})),
)
_TABLES = (
    ("mem0", "points", ("id", "point")),
    ("mem0", "history", ("memory_id", "new_memory", "event")),
    ("langmem", "store", ("prefix", "key", "value")),
    ("letta", "archival_passages", ("id", "text")),
    ("basic-memory", "entity", ("id", "title", "permalink")),
)
"""Formats by a table that their SQLite files have."""
LOOKED_AT_BYTES = 10_000
_DATABASES = ("history.db", "storage.sqlite", "memory.db")
_MEMBERS = (".json", ".jsonl", ".md", ".markdown")


def detect(path: Path) -> str:
    """Return the name of the format that a path is in.

    Raises:
        InputError: it does not exist, or nothing that can be imported looks like it.
    """
    if not path.exists():
        raise unreadable(path, "does not exist")
    found = _of_folder(path) if path.is_dir() else _of_file(path)
    if found is None:
        way_out = "Say which it is: simonides import FORMAT PATH, see `simonides import --help`."
        raise unreadable(path, "looks like none of the formats that can be imported", way_out)
    return found


def _of_folder(path: Path) -> str | None:
    names: dict[str, Path] = {}
    databases: set[str] = set()
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.casefold() in _MEMBERS:
                names.setdefault(Path(name).suffix.casefold(), Path(folder, name))
            if name == "conversations.json":
                return _of_file(Path(folder, name))
            if name in _DATABASES and (found := _of_tables(Path(folder, name))):
                databases.add(found)
    if databases:
        return min(databases)
    if ".jsonl" in names and (found := _of_file(names[".jsonl"])) == "claude-code":
        return found
    if ".md" in names or ".markdown" in names:
        note = names.get(".md") or names[".markdown"]
        return "basic-memory" if "permalink" in _front(note) else "markdown"
    return _of_file(names[".json"]) if ".json" in names else None


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.casefold()
    if is_sqlite(path):
        return _of_tables(path)
    if suffix in (".md", ".markdown"):
        return "markdown"
    if zipfile.is_zipfile(path) or suffix in (".json", ".af"):
        return _marked(_items(path), _ITEM_MARKS) or _marked(_lines(path), _LINE_MARKS)
    return _marked(_lines(path), _LINE_MARKS) or ("jsonl" if any(_lines(path)) else None)


def _of_tables(path: Path) -> str | None:
    if not is_sqlite(path):
        return None
    with opened(path) as tables:
        return next((name for name, table_, columns in _TABLES if tables.has(table_, *columns)), None)


def _front(path: Path) -> dict[str, Json]:
    try:
        return front_matter.split(path.read_bytes()[:LOOKED_AT_BYTES].decode("utf-8-sig", "replace"))[0]
    except OSError:
        return {}


def _items(path: Path) -> list[dict[str, Json]]:
    member = r"conversations(-\d+)?\.json" if zipfile.is_zipfile(path) else r".*"
    return [
        table(item.value) for item in islice(json_items(path, member), LOOKED_AT) if isinstance(item, Found)
    ]


def _lines(path: Path) -> list[dict[str, Json]]:
    return [table(item.value) for item in islice(json_lines(path), LOOKED_AT) if isinstance(item, Found)]


def _marked(items: list[dict[str, Json]], marks: Marks) -> str | None:
    return next((name for item in items for name, keys in marks if keys <= item.keys()), None)


def is_own_export(path: Path) -> bool:
    """Tell whether a file is what `simonides export` wrote; its first line says so."""
    if path.is_dir():
        return False
    first = next((found.value for found in json_lines(path) if isinstance(found, Found)), None)
    return table(first).get("type") == "simonides"
