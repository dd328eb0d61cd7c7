"""Messages as mem0's `add` takes them, and what becomes of them; knows no store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, cast

from simonides.compat.mem0 import checks
from simonides.compat.mem0.rows import Row
from simonides.types import Json


class Turn(NamedTuple):
    """What somebody said: as which role, under which name."""

    role: str
    name: str
    text: str


def said(messages: list[object]) -> Iterator[Turn]:
    """Yield the messages that have something to keep."""
    for message in messages:
        if not isinstance(message, Mapping):
            checks.log.warning("Skipping invalid message format: %s", type(message).__name__)
            continue
        fields = cast("Mapping[str, object]", message)
        one = Turn(str(fields.get("role") or "user"), str(fields.get("name") or ""), _text(fields))
        if one.role != "system" and one.text.strip():
            yield one


def _text(message: Mapping[str, object]) -> str:
    """Return the words of a message; of a list of parts those that are text."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    fields = [cast("Mapping[str, object]", part) for part in parts if isinstance(part, Mapping)]
    return " ".join(str(part.get("text", "")) for part in fields if part.get("type") == "text")


def written(
    one: Turn, fields: Mapping[str, str], own: Mapping[str, Json], at: datetime | None
) -> dict[str, object]:
    """Return a message as a row of `add_many`."""
    who = {"role": one.role, "actor_id": one.name}
    metadata = {**own, **{name: value for name, value in who.items() if value}}
    return {"text": one.text, "speaker": one.role, "at": at, "metadata": metadata, **fields}


def added(id: str, one: Turn, *, plain: bool) -> Row:
    """Return a message that was written, as `add` shows it."""
    shown: Row = {"id": id, "memory": one.text, "event": "ADD"}
    return shown if plain else {**shown, "actor_id": one.name or None, "role": one.role}


def told(created: object) -> datetime | None:
    """Return the time in `created_at` of the metadata, where it has a zone; mem0 takes it too."""
    try:
        return checks.moment(created, "created_at") if isinstance(created, str) else None
    except ValueError:
        return None
