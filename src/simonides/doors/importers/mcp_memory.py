"""memory.jsonl of the reference MCP memory server, and how its graph is kept as memories; knows no other server.

An entity is a memory of its name, an observation one that is linked to its entity, a relation a link. Nothing is lost:
`simonides export --as reference` writes the same file again, and the tools of the reference server
(`simonides mcp --profile reference`) read and write the same memories.

- An observation that does not name its entity gets the name in front (metadata `prefixed`), or nobody could find it.
- What is no text that can be kept (an empty name) stands in the metadata, and the text says so.
- What is no link that can be kept (from an entity to itself, without a name, to an entity that isn't there) is a memory
  of kind relationship.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from simonides.doors.importers.reading import Found, json_lines, named, rows, string, table
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record, digest
from simonides.ledger.rules import LONGEST_NAME
from simonides.types import Json, Memory

FORMAT = "mcp-memory"
KEY = "import"
"""The metadata under which `run` keeps the key of a record."""
ABOUT = "about"
"""The relation of an observation to its entity, and of a relationship to those it is between."""
NAMELESS = "(an entity without a name)"
WORDLESS = "(no words)"
RELATED = "related to"
"""What stands for a relation whose line doesn't say which."""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield entities and observations as memories, relations as edges; the file holds no times."""
    del reading
    there = {
        string(line.get("name"))
        for found in json_lines(path)
        if not isinstance(found, Problem) and (line := table(found.value)).get("type") == "entity"
    }
    for found in json_lines(path):
        if isinstance(found, Problem):
            yield found
        else:
            yield from _line(found, there)


def _line(found: Found, there: set[str]) -> Iterator[Item]:
    line = table(found.value)
    kind, ends = line.get("type"), (line.get("from"), line.get("to"))
    if kind == "entity" and isinstance(line.get("name"), str):
        yield from _entity(found, line)
    elif kind == "relation" and all(isinstance(end, str) for end in ends):
        relation = line.get("relationType")
        said = RELATED if relation is None else string(relation)
        yield from related(string(ends[0]), string(ends[1]), said, there, found.where)
    else:
        yield Problem(found.where, "a line is an entity with a `name` or a relation with `from` and `to`")


def _entity(found: Found, line: dict[str, Json]) -> Iterator[Item]:
    name, type_ = string(line.get("name")), string(line.get("entityType"))
    yield entity(name, type_, found.where)
    times: Counter[str] = Counter()
    for value in rows(line.get("observations")):
        if isinstance(value, bool) or not isinstance(value, str | int):
            yield Passed("observations that are no text")
            continue
        text = string(value)
        times[text] += 1
        record = observation(name, type_, text, times[text], found.where)
        yield record
        yield Edge(record.key, entity_key(name), ABOUT)


def entity_key(name: str) -> str:
    """Return what an entity is known by."""
    return f"entity:{name}"


def entity(name: str, type_: str, where: str = "") -> Record:
    """Return the memory of an entity."""
    odd: dict[str, Json] = {} if name.strip() else {"name": name}
    return Record(
        entity_key(name),
        name if name.strip() else NAMELESS,
        where,
        kind="entity",
        metadata={**named(entity_type=type_), **odd},
    )


def observation(name: str, type_: str, text: str, time: int = 1, where: str = "") -> Record:
    """Return the memory of an observation; `time` counts those of the same words about the same entity."""
    again = f":{time}" if time > 1 else ""
    prefixed = not text.strip() or name.casefold() not in text.casefold()
    odd: dict[str, Json] = {} if text.strip() else {"observation": text}
    said = text if text.strip() else WORDLESS
    return Record(
        f"observation:{digest(name, text)}{again}",
        f"{name}: {said}" if prefixed else said,
        where,
        kind="observation",
        metadata={"entity": name, **named(entity_type=type_, prefixed=prefixed or None), **odd},
    )


def is_link(source: str, target: str, relation: str, there: set[str]) -> bool:
    """Tell whether a relation can be kept as a link."""
    return source != target and {source, target} <= there and 0 < len(relation) <= LONGEST_NAME


def related(
    source: str, target: str, relation: str, there: set[str], where: str = ""
) -> Iterator[Record | Edge]:
    """Yield what keeps a relation: an edge; or a memory, with edges to those of the two that are there."""
    if is_link(source, target, relation, there):
        yield Edge(entity_key(source), entity_key(target), relation)
        return
    record = relationship(source, target, relation, where)
    yield record
    for end in sorted({source, target} & there):
        yield Edge(record.key, entity_key(end), ABOUT)


def relationship(source: str, target: str, relation: str, where: str = "") -> Record:
    """Return the memory of a relation that is no link."""
    words = " ".join(part for part in (source, relation, target) if part.strip())
    return Record(
        f"relation:{digest(source, target, relation)}",
        words or WORDLESS,
        where,
        kind="relationship",
        metadata={"from": source, "to": target, "relation_type": relation},
    )


def is_ours(memory: Memory) -> bool:
    """Tell whether a memory was written as part of such a graph."""
    return str(memory.metadata.get(KEY, "")).startswith(f"{FORMAT}:")


def name_of(memory: Memory) -> str:
    """Return the name of an entity, as the file says it."""
    odd = memory.metadata.get("name") if is_ours(memory) and memory.text == NAMELESS else None
    return odd if isinstance(odd, str) else memory.text


def words_of(memory: Memory) -> str:
    """Return the words of an observation, as the file says them."""
    odd, name = memory.metadata.get("observation"), str(memory.metadata.get("entity", ""))
    prefix = f"{name}: "
    if not memory.metadata.get("prefixed") or not memory.text.startswith(prefix):
        return memory.text
    said = memory.text.removeprefix(prefix)
    return odd if isinstance(odd, str) and said == WORDLESS else said
