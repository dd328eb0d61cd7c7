"""Reads memory.jsonl of the reference MCP memory server; knows no other server.

An observation that does not name its entity gets the name in front (metadata `prefixed`), or nobody could
find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simonides.doors.importers.reading import Found, json_lines, named, rows, string, table
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record, digest
from simonides.types import Json

ABOUT = "about"
"""The relation of an observation to its entity."""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield entities and observations as memories, relations as edges; the file holds no times."""
    del reading
    for found in json_lines(path):
        if isinstance(found, Problem):
            yield found
        else:
            yield from _line(found)


def _line(found: Found) -> Iterator[Item]:
    line = table(found.value)
    kind = line.get("type")
    if kind == "entity" and string(line.get("name")).strip():
        yield from _entity(found, line)
    elif kind == "relation" and string(line.get("from")) and string(line.get("to")):
        relation = string(line.get("relationType")).strip() or "related to"
        yield Edge(_key(string(line.get("from"))), _key(string(line.get("to"))), relation)
    else:
        yield Problem(found.where, "a line is an entity with a `name` or a relation with `from` and `to`")


def _key(name: str) -> str:
    return f"entity:{name}"


def _entity(found: Found, line: dict[str, Json]) -> Iterator[Item]:
    name = string(line.get("name"))
    type_ = string(line.get("entityType"))
    metadata = named(entity_type=type_)
    yield Record(_key(name), name, found.where, kind="entity", metadata=metadata)
    for value in rows(line.get("observations")):
        text = string(value)
        if not text.strip():
            yield Passed("observations without words")
            continue
        key = f"observation:{digest(name, text)}"
        prefixed = name.casefold() not in text.casefold()
        yield Record(
            key,
            f"{name}: {text}" if prefixed else text,
            found.where,
            kind="observation",
            metadata=named(entity=name, entity_type=type_, prefixed=prefixed or None),
        )
        yield Edge(key, _key(name), ABOUT)
