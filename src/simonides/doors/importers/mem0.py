"""Reads what mem0 holds: exported JSON, its history.db, or the folder with its Qdrant points; knows no other system.

The history knows what a memory said before and when it was deleted, the points know whose it is. A folder that has both
gives memories with both. What was deleted there stays away, though the history still has its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from simonides.doors.importers import points
from simonides.doors.importers.reading import Found, json_items, named, stamp, string, table
from simonides.doors.importers.record import (
    Earlier,
    Item,
    Passed,
    Problem,
    Reading,
    Record,
    digest,
    unreadable,
)
from simonides.doors.importers.sqlite_file import is_sqlite, opened
from simonides.errors import TimeError
from simonides.types import Json

_IDENTITY = ("user_id", "agent_id", "run_id", "actor_id", "role", "hash")
"""Read from the record itself, never from its metadata."""
_OWN = (
    "id",
    "data",
    "memory",
    "text",
    "created_at",
    "updated_at",
    "metadata",
    "categories",
    "text_lemmatized",
)
HISTORY = "history.db"


@dataclass(slots=True)
class _Past:
    """What the history says of one memory."""

    texts: list[Earlier] = field(default_factory=list[Earlier])
    deleted: bool = False
    speaker: str = ""
    where: str = ""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield each memory as a fact, with its own id as key, so that a changed one supersedes."""
    if path.is_file() and is_sqlite(path):
        yield from _databases([path], reading)
        return
    files = _folder(path) if path.is_dir() else []
    if files:
        yield from _databases(files, reading)
        return
    for found in json_items(path, r".*\.json"):
        yield found if isinstance(found, Problem) else _memory(found, reading, {})


def _folder(path: Path) -> list[Path]:
    return sorted([*points.storages(path), *(file for file in path.rglob(HISTORY) if is_sqlite(file))])


def _databases(files: Iterable[Path], reading: Reading) -> Iterator[Item]:
    past: dict[str, _Past] = {}
    stored: list[Path] = []
    for file in files:
        with opened(file) as tables:
            if tables.has("points", "id", "point"):
                stored.append(file)
                continue
            if not tables.has("history", "memory_id", "new_memory", "event"):
                raise unreadable(file, "is no history or collection of mem0")
            for row in tables.rows("history"):
                if isinstance(row, Problem):
                    yield row
                elif problem := _event(*row, past, reading):
                    yield problem
    for file in stored:
        for found in points.points(file):
            if isinstance(found, Problem):
                yield found
            elif string(table(found.value).get("data")):
                yield _memory(found, reading, past)
            else:
                yield Passed("points that are no memories (without a text under `data`)")
    yield from _rest(past, bool(stored))


def _event(where: str, row: dict[str, Json], past: dict[str, _Past], reading: Reading) -> Problem | None:
    """Take in one line of the history."""
    id, event, text = string(row.get("memory_id")), string(row.get("event")), string(row.get("new_memory"))
    try:
        at = stamp(row.get("updated_at") or row.get("created_at"), reading.zone)
    except TimeError as err:
        return Problem(where, str(err))
    if not id or at is None or (event != "DELETE" and not text.strip()):
        return Problem(where, "a line of the history has a memory_id, a time and a text")
    one = past.setdefault(id, _Past(where=where))
    one.speaker = string(row.get("actor_id")) or one.speaker
    one.deleted = event == "DELETE"
    if not one.deleted:
        one.texts.append(Earlier(text, at))
    return None


def _rest(past: dict[str, _Past], scoped: bool) -> Iterator[Item]:
    """Yield what only the history knows: everything that was not deleted, where there are no points."""
    for id, one in past.items():
        if one.deleted:
            yield Passed("deleted in mem0")
        elif scoped or not one.texts:
            yield Passed("in mem0's history only, and not among its memories")
        else:
            *earlier, last = one.texts
            first, changed = one.texts[0].at, last.at
            yield Record(
                id, last.text, one.where, kind="fact", speaker=one.speaker, at=first, changed=changed,
                earlier=tuple(earlier),
            )  # fmt: skip


def _memory(found: Found, reading: Reading, past: dict[str, _Past]) -> Item:
    given = table(found.value)
    text = string(given.get("memory")) or string(given.get("text")) or string(given.get("data"))
    if not text.strip():
        return Problem(found.where, "a mem0 memory has a text under `memory`")
    try:
        at = stamp(given.get("updated_at") or given.get("created_at"), reading.zone)
    except TimeError as err:
        return Problem(found.where, str(err))
    user, agent, run = (string(given.get(name)) for name in _IDENTITY[:3])
    id = string(given.get("id"))
    known = past.pop(id, None)
    return Record(
        key=id or digest(user, agent, run, text),
        text=text,
        where=found.where,
        kind="fact",
        speaker=string(given.get("actor_id")),
        at=at,
        changed=at,
        earlier=tuple(one for one in known.texts[:-1] if one.text != text) if known else (),
        user=user,
        agent=agent,
        session=run,
        metadata=_metadata(given, points="data" in given),
    )


def _metadata(given: dict[str, Json], *, points: bool) -> dict[str, Json]:
    own = {key: value for key, value in table(given.get("metadata")).items() if key not in _IDENTITY}
    flat = {key: value for key, value in given.items() if key not in (*_OWN, *_IDENTITY)} if points else {}
    told = named(
        categories=given.get("categories"),
        created_at=string(given.get("created_at")),
        role=string(given.get("role")),
    )
    return {**flat, **own, **told}
