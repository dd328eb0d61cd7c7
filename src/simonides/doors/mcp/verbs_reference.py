"""What the nine tools of the reference memory server do, with its results and its words; parses, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from simonides.doors.mcp.answering import Answer, Caller
from simonides.doors.mcp.graph import Entity, Graph, Read
from simonides.parts.analyse import count_tokens
from simonides.types import Json

Given: TypeAlias = "Sequence[Mapping[str, Json]]"


def create_entities(caller: Caller, *, entities: Given) -> Answer:
    """Write new entities."""
    given = [
        Entity(
            str(one["name"]),
            str(one["entityType"]),
            "",
            [(words, "") for words in _texts(one["observations"])],
        )
        for one in entities
    ]
    new = Graph(caller.bounded).create_entities(given)
    return _listed("entities", [one.shape() for one in new])


def create_relations(caller: Caller, *, relations: Given) -> Answer:
    """Write new relations."""
    new = Graph(caller.bounded).create_relations(_relations(relations))
    return _listed("relations", [{"from": one, "to": other, "relationType": how} for one, other, how in new])


def add_observations(caller: Caller, *, observations: Given) -> Answer:
    """Write new observations of entities that are there."""
    given = [(str(one["entityName"]), _texts(one["contents"])) for one in observations]
    done = Graph(caller.bounded).add_observations(given)
    return _listed("results", [{"entityName": name, "addedObservations": [*new]} for name, new in done])


def delete_entities(caller: Caller, *, entityNames: list[str]) -> Answer:  # noqa: N803 - the reference server's name
    """End entities."""
    deleted, absent = Graph(caller.bounded).delete_entities(entityNames)
    if not absent:
        return _done("Entities deleted successfully")
    return _done(f"Deleted {len(deleted)} of {len(entityNames)} entities. Not found: {', '.join(absent)}")


def delete_observations(caller: Caller, *, deletions: Given) -> Answer:
    """End observations."""
    given = [(str(one["entityName"]), _texts(one["observations"])) for one in deletions]
    count, absent = Graph(caller.bounded).delete_observations(given)
    asked = sum(len(contents) for _, contents in given)
    if count == asked:
        return _done("Observations deleted successfully")
    missing = f" Entities not found: {', '.join(absent)}" if absent else ""
    return _done(f"Deleted {count} of {asked} observations.{missing}")


def delete_relations(caller: Caller, *, relations: Given) -> Answer:
    """End relations."""
    count = Graph(caller.bounded).delete_relations(_relations(relations))
    if count == len(relations):
        return _done("Relations deleted successfully")
    return _done(f"Deleted {count} of {len(relations)} relations. The rest matched nothing.")


def read_graph(caller: Caller) -> Answer:
    """Return the whole graph."""
    return _graph(caller, Graph(caller.bounded).read())


def search_nodes(caller: Caller, *, query: str) -> Answer:
    """Return the entities that have these letters in their name, type or observations, whatever their case."""
    graph, wanted = Graph(caller.bounded).read(), query.lower()
    found = [
        one
        for one in graph.entities
        if any(
            wanted in text.lower() for text in (one.name, one.type, *(words for words, _ in one.observations))
        )
    ]
    return _graph(caller, graph.around(found))


def open_nodes(caller: Caller, *, names: list[str]) -> Answer:
    """Return the entities of these names; unknown ones are passed over."""
    graph = Graph(caller.bounded).read()
    return _graph(caller, graph.around([one for one in graph.entities if one.name in names]))


def _texts(value: Json) -> list[str]:
    return [str(one) for one in cast("list[Json]", value)]


def _relations(given: Given) -> list[tuple[str, str, str]]:
    return [(str(one["from"]), str(one["to"]), str(one["relationType"])) for one in given]


def _listed(name: str, values: Sequence[Mapping[str, Json]]) -> Answer:
    """Return what was written: the text is the list, the structured result an object with it."""
    return Answer(_text([dict(one) for one in values]), {name: [dict(one) for one in values]})


def _done(message: str) -> Answer:
    return Answer(message, {"success": True, "message": message})


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _graph(caller: Caller, read: Read) -> Answer:
    """Return a graph; where the server was started with a budget, as many of its entities as fit."""
    shape = read.shape()
    if not caller.limited or count_tokens([_text(shape)])[0] <= caller.most:
        return Answer(_text(shape), shape)
    low, high = 0, len(read.entities)
    while low < high:
        middle = (low + high + 1) // 2
        fits = count_tokens([_text(read.around(read.entities[:middle]).shape())])[0] <= caller.most
        low, high = (middle, high) if fits else (low, middle - 1)
    shape = read.around(read.entities[:low]).shape()
    left = len(read.entities) - low
    note = (
        f"{left} more entities do not fit into {caller.most} tokens; search_nodes or open_nodes shows them."
    )
    return Answer(_text(shape), shape, note=note)
