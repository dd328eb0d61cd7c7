"""Reads one JSON object a line, with the keys of `add`; knows no other program's format.

The names that other programs use for the same things are understood too; keys nobody knows go into the
metadata. The key of a record is its content, so that numbers which only count lines of one file never hide
a memory of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from simonides.doors.importers.reading import Found, json_lines, rows, stamp, string, table
from simonides.doors.importers.record import Item, Problem, Reading, Record, digest
from simonides.errors import TimeError
from simonides.types import Json

NAMES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content", "message", "memory", "body"),
    "kind": ("kind",),
    "speaker": ("speaker", "role", "author", "sender"),
    "at": ("at", "timestamp", "created_at", "time", "date"),
    "user": ("user", "user_id"),
    "agent": ("agent", "agent_id"),
    "session": ("session", "session_id", "conversation_id", "run_id", "thread_id"),
    "project": ("project", "project_id"),
    "source": ("source",),
    "metadata": ("metadata", "meta"),
}


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield a record for each line."""
    seen: Counter[str] = Counter()
    for found in json_lines(path):
        item = found if isinstance(found, Problem) else _record(found, reading, seen)
        yield item


def _record(found: Found, reading: Reading, seen: Counter[str]) -> Item:
    if not isinstance(found.value, dict):
        return Problem(found.where, "a line is an object with the keys of `add`, at least `text`")
    given = dict(found.value)
    taken = {name: _take(given, names) for name, names in NAMES.items()}
    text = taken["text"] if isinstance(taken["text"], str) else _said(taken["text"])
    if not text.strip():
        return Problem(found.where, "`text` must hold words")
    if not isinstance(taken["metadata"], (dict, type(None))):
        return Problem(found.where, "`metadata` must be an object")
    try:
        at = stamp(taken["at"], reading.zone, "at")
    except TimeError as err:
        return Problem(found.where, str(err))
    said = {
        name: string(taken[name])
        for name in ("kind", "speaker", "user", "agent", "session", "project", "source")
    }
    name = digest(text, at.isoformat() if at else "", *said.values())
    seen[name] += 1
    return Record(
        key=f"{name}:{seen[name]}",
        text=text,
        where=found.where,
        kind=said["kind"] or "turn",
        speaker=said["speaker"],
        at=at,
        user=said["user"],
        agent=said["agent"],
        session=said["session"],
        project=said["project"],
        metadata={**given, **table(taken["metadata"])},
        source=said["source"],
    )


def _take(given: dict[str, Json], names: tuple[str, ...]) -> Json:
    """Remove and return the first of the names that says something."""
    for name in names:
        if given.get(name) not in (None, ""):
            return given.pop(name)
    return None


def _said(value: Json) -> str:
    """Return the words of a list of content blocks, as chat programs write them."""
    blocks = [string(table(block).get("text")) for block in rows(value)]
    return "\n".join(block for block in blocks if block)
