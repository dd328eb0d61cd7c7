"""Reads the store of LangGraph that LangMem writes to: its SQLite file, or rows of its PostgreSQL table as JSON lines.

A row is a namespace, a key and a JSON value. The last name of a namespace of two or more is taken for the user
(`("memories", "ana")`), because LangMem puts the user's id there; the whole namespace stays in the metadata. An item
with a time to live is erased when that is over, as it would have been there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

from simonides.doors.importers.reading import Found, json_items, json_lines, named, rows, stamp, string, table
from simonides.doors.importers.record import Item, Problem, Reading, Record, unreadable
from simonides.doors.importers.sqlite_file import decoded, is_sqlite, opened
from simonides.errors import TimeError
from simonides.types import Json

_COLUMNS = ("prefix", "key", "value", "created_at", "updated_at", "expires_at", "ttl_minutes", "namespace")
_TEXTS = ("content", "text", "memory", "data")
"""Where a value has its text; LangMem's tools write `content`, its manager an object with a `content`."""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield each item as a fact; times without a zone are UTC, as SQLite writes them."""
    for found in _rows(path):
        yield found if isinstance(found, Problem) else _item(found, reading)


def _rows(path: Path) -> Iterator[Found | Problem]:
    if path.is_file() and is_sqlite(path):
        with opened(path) as tables:
            if not tables.has("store", "prefix", "key", "value"):
                raise unreadable(path, "has no table `store` of LangGraph")
            for row in tables.rows("store", "prefix, created_at, key"):
                yield row if isinstance(row, Problem) else Found(row[0], row[1])
    elif path.is_dir() or path.suffix.casefold() == ".json":
        yield from json_items(path, r".*\.json")
    else:
        yield from json_lines(path)


def _item(found: Found, reading: Reading) -> Item:
    row = table(found.value)
    names = _names(row)
    key, value = string(row.get("key")), decoded(row.get("value"))
    if not key or "value" not in row:
        return Problem(found.where, "a row of the store has a prefix, a key and a value")
    text, kind, left = _read(value)
    if not text.strip():
        return Problem(found.where, f"the value of {'.'.join(names)} {key} has no words")
    zone = reading.zone or UTC
    try:
        first, last, end = (stamp(row.get(name), zone) for name in ("created_at", "updated_at", "expires_at"))
    except TimeError as err:
        return Problem(found.where, str(err))
    extra = {name: part for name, part in row.items() if name not in _COLUMNS}
    metadata = named(namespace=[*names], key=key, langmem_kind=kind, **left)
    return Record(
        key=json.dumps([*names, key], ensure_ascii=False),
        text=text,
        where=found.where,
        kind="fact",
        at=last or first,
        changed=last or first,
        expires=end,
        user=names[-1] if len(names) > 1 else "",
        metadata={**extra, **metadata, **named(created_at=string(row.get("created_at")))},
    )


def _names(row: dict[str, Json]) -> list[str]:
    listed = rows(row.get("namespace"))
    return [string(name) for name in listed] if listed else string(row.get("prefix")).split(".")


def _read(value: Json) -> tuple[str, str, dict[str, Json]]:
    """Return the text of a value, the name of its schema, and what else it holds; what is no text is JSON."""
    if isinstance(value, str):
        return value, "", {}
    if value is not None and not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False), "", {}
    given = table(value)
    kind, content = string(given.get("kind")), given.get("content")
    if isinstance(content, dict):
        text, _, inner = _read(content)
        return text, kind, {**{k: v for k, v in given.items() if k not in ("kind", "content")}, **inner}
    name = next((name for name in _TEXTS if string(given.get(name)).strip()), None)
    if name is not None:
        return string(given[name]), kind, {k: v for k, v in given.items() if k not in ("kind", name)}
    shown = "\n".join(
        f"{k}: {v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}" for k, v in given.items()
    )
    return shown, kind, {"value": given}
