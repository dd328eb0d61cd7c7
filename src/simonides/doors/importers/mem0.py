"""Reads what mem0 holds, a JSON list of memories or an object with the list; knows no other system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simonides.doors.importers.reading import Found, json_items, named, stamp, string, table
from simonides.doors.importers.record import Item, Problem, Reading, Record, digest
from simonides.errors import TimeError
from simonides.types import Json

_IDENTITY = ("user_id", "agent_id", "run_id", "actor_id", "role", "hash")
"""Read from the record itself, never from its metadata."""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield each memory as a fact, with its own id as key, so that a changed one supersedes."""
    for found in json_items(path, r".*\.json"):
        yield found if isinstance(found, Problem) else _memory(found, reading)


def _memory(found: Found, reading: Reading) -> Item:
    given = table(found.value)
    text = string(given.get("memory")) or string(given.get("text")) or string(given.get("data"))
    if not text.strip():
        return Problem(found.where, "a mem0 memory has a text under `memory`")
    try:
        at = stamp(given.get("updated_at") or given.get("created_at"), reading.zone)
    except TimeError as err:
        return Problem(found.where, str(err))
    user, agent, run = (string(given.get(name)) for name in _IDENTITY[:3])
    return Record(
        key=string(given.get("id")) or digest(user, agent, run, text),
        text=text,
        where=found.where,
        kind="fact",
        speaker=string(given.get("actor_id")),
        at=at,
        changed=at,
        user=user,
        agent=agent,
        session=run,
        metadata=_metadata(given),
    )


def _metadata(given: dict[str, Json]) -> dict[str, Json]:
    own = {key: value for key, value in table(given.get("metadata")).items() if key not in _IDENTITY}
    return {**own, **named(categories=given.get("categories"), created_at=string(given.get("created_at")))}
