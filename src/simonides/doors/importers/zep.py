"""Reads what Zep and Graphiti keep: episodes, entities and facts as JSON or JSON lines; knows no other system.

The records are those of Graphiti's own classes (`model_dump_json`), of Zep's API, or of Neo4j's APOC export. A fact is
true from `valid_at` until `invalid_at`; when the graph learned and dropped it (`created_at`, `expired_at`) stays in the
metadata. Facts link the two entities, and cite the episodes that they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from simonides.doors.importers.reading import Found, json_items, json_lines, named, rows, stamp, string, table
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record
from simonides.doors.importers.sqlite_file import decoded
from simonides.errors import TimeError
from simonides.types import Json

FROM, TO, SAID_IN, MENTIONS = "source", "target", "said in", "mentions"
_LEFT_OUT = frozenset({"name_embedding", "fact_embedding", "embedding", "score", "relevance"})
"""Vectors are made anew here."""
_SHOWN = frozenset(
    "uuid uuid_ group_id graph_id user_id session_id thread_id name fact content summary labels attributes episodes "
    "source_node_uuid target_node_uuid valid_at invalid_at entity_edges role role_type".split()
)


class _Span(NamedTuple):
    start: datetime | None
    end: datetime | None


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield episodes as turns, entities, facts, and links between them; times without a zone are UTC."""
    for found in _found(path):
        if isinstance(found, Problem):
            yield found
            continue
        try:
            yield from _one(found, _flat(table(found.value)), reading)
        except TimeError as err:
            yield Problem(found.where, str(err))


def _found(path: Path) -> Iterator[Found | Problem]:
    if path.is_dir():
        lines = sorted(path.rglob("*.jsonl"))
        for file in lines:
            yield from json_lines(file)
        if not lines or any(path.rglob("*.json")):
            yield from json_items(path, r".*\.json")
    elif path.suffix.casefold() == ".json" and not _has_lines(path):
        yield from _spread(json_items(path, r".*"))
    else:
        yield from json_lines(path)


def _has_lines(path: Path) -> bool:
    """Tell whether a file named .json holds one object a line, as APOC writes them."""
    try:
        with path.open("rb") as stream:
            first, second = stream.readline().strip(), stream.readline().strip()
    except OSError:
        return False
    return first.startswith(b"{") and first.endswith(b"}") and second.startswith(b"{")


def _spread(found: Iterator[Found | Problem]) -> Iterator[Found | Problem]:
    """Yield the elements of `{"episodes": [...], "nodes": [...], "edges": [...]}` one by one."""
    for item in found:
        given = {} if isinstance(item, Problem) else table(item.value)
        lists = {name: value for name, value in given.items() if isinstance(value, list)}
        if (
            isinstance(item, Problem)
            or "uuid" in given
            or not lists.keys() & {"nodes", "edges", "episodes", "facts"}
        ):
            yield item
            continue
        for name, value in lists.items():
            for number, one in enumerate(value, 1):
                yield Found(f"{item.where} {name} {number}", one)


def _flat(given: dict[str, Json]) -> dict[str, Json]:
    """Return a record with its properties on top, as Graphiti has them; a relationship of APOC gets its ends."""
    if "properties" not in given:
        return given
    start, end = (table(table(given.get(name)).get("properties")) for name in ("start", "end"))
    inner = table(given.get("properties"))
    known = [str(name) for name in inner]
    rest = {k: v for k, v in inner.items() if k not in ("source_node_uuid", "target_node_uuid")}
    ends = named(source_node_uuid=start.get("uuid"), target_node_uuid=end.get("uuid")) if start or end else {}
    own = {k: inner[k] for k in ("source_node_uuid", "target_node_uuid") if k in known}
    return {"labels": given.get("labels"), **rest, **ends, **own}


def _one(found: Found, given: dict[str, Json], reading: Reading) -> Iterator[Item]:
    uuid = string(given.get("uuid")) or string(given.get("uuid_"))
    source, target = string(given.get("source_node_uuid")), string(given.get("target_node_uuid"))
    if uuid and string(given.get("fact")).strip():
        yield from _fact(found, given, reading, uuid)
    elif source and target and "fact" not in given:
        yield Edge(f"episode:{source}", f"entity:{target}", MENTIONS)
    elif uuid and string(given.get("content")).strip():
        yield from _episode(found, given, reading, uuid)
    elif uuid and string(given.get("name")).strip() and "content" not in given and "fact" not in given:
        yield from _entity(found, given, reading, uuid)
    elif uuid:
        yield Passed("episodes, entities or facts without words")
    else:
        yield Problem(
            found.where, "no episode, entity or fact: it has no `uuid` with a fact, content or name"
        )


def _fact(found: Found, given: dict[str, Json], reading: Reading, uuid: str) -> Iterator[Item]:
    span = _span(given, reading)
    record = Record(
        key=f"fact:{uuid}",
        text=string(given.get("fact")),
        where=found.where,
        kind="fact",
        at=span.start,
        until=span.end,
        metadata={**_metadata(given), **named(relation=string(given.get("name")))},
    )
    yield _owned(record, given)
    for name, relation in (("source_node_uuid", FROM), ("target_node_uuid", TO)):
        if node := string(given.get(name)):
            yield Edge(f"fact:{uuid}", f"entity:{node}", relation, at=span.start)
    for episode in rows(decoded(given.get("episodes"))):
        if string(episode):
            yield Edge(f"fact:{uuid}", f"episode:{string(episode)}", SAID_IN, at=span.start)


def _episode(found: Found, given: dict[str, Json], reading: Reading, uuid: str) -> Iterator[Item]:
    speaker = string(given.get("role")) or string(given.get("role_type"))
    record = Record(
        key=f"episode:{uuid}",
        text=string(given.get("content")),
        where=found.where,
        kind="turn",
        speaker=speaker,
        at=_span(given, reading).start,
        metadata={**_metadata(given), **named(name=string(given.get("name")))},
    )
    yield _owned(record, given)


def _entity(found: Found, given: dict[str, Json], reading: Reading, uuid: str) -> Iterator[Item]:
    name, summary = string(given.get("name")), string(given.get("summary"))
    at = _span(given, reading).start
    labels = [string(one) for one in rows(decoded(given.get("labels")))]
    metadata = {**_metadata(given), **named(labels=[one for one in labels if one != "Entity"])}
    whole = Record(f"entity:{uuid}", name, found.where, kind="entity", at=at, metadata=metadata)
    yield _owned(whole, given)
    if summary.strip():
        key = f"summary:{uuid}"
        about = Record(key, summary, found.where, kind="summary", at=at, metadata={"entity": name})
        yield _owned(about, given)
        yield Edge(key, f"entity:{uuid}", "about", at=at)


def _span(given: dict[str, Json], reading: Reading) -> _Span:
    zone = reading.zone or UTC
    start, made, end = (
        stamp(given.get(name), zone, name) for name in ("valid_at", "created_at", "invalid_at")
    )
    return _Span(start or made, end)


def _owned(record: Record, given: dict[str, Json]) -> Record:
    """Return a record with whose it is: Zep's user, or the group that Graphiti keeps apart; and the thread."""
    user = string(given.get("user_id")) or string(given.get("group_id")) or string(given.get("graph_id"))
    return replace(
        record, user=user, session=string(given.get("session_id")) or string(given.get("thread_id"))
    )


def _metadata(given: dict[str, Json]) -> dict[str, Json]:
    """Return what the text, the scope and the links do not say already."""
    attributes = decoded(given.get("attributes"))
    rest = {
        name: value
        for name, value in given.items()
        if name not in _SHOWN | _LEFT_OUT and value not in (None, "", [], {})
    }
    return {
        **rest,
        **named(attributes=attributes, uuid=string(given.get("uuid")) or string(given.get("uuid_"))),
    }
