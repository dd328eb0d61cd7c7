"""Reads ChatGPT data exports along the current branch of each conversation; knows no other chat service.

Skipped by design: system and tool messages, messages to a tool, hidden ones, and pictures without words. A
message without a time takes that of the message before it, else that of its conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from simonides.doors.importers.reading import Found, json_items, named, rows, stamp, string, table
from simonides.doors.importers.record import Item, Passed, Problem, Reading, Record, digest
from simonides.errors import TimeError
from simonides.types import Json

MEMBER = r"conversations(-\d+)?\.json"
_SAID = ("text", "multimodal_text")


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield what was said in the conversations of a zip, a folder or a conversations.json."""
    for found in json_items(path, MEMBER):
        if isinstance(found, Problem):
            yield found
        elif not table(table(found.value).get("mapping")):
            yield Problem(found.where, "a ChatGPT conversation has a `mapping` of messages")
        else:
            yield from _conversation(found, reading)


def _conversation(found: Found, reading: Reading) -> Iterator[Item]:
    whole = table(found.value)
    name = string(whole.get("conversation_id")) or string(whole.get("id"))
    title = string(whole.get("title"))
    name = name or digest(title, string(whole.get("current_node")))
    at = _time(whole.get("create_time")) or _time(whole.get("update_time"))
    for node, message in _branch(table(whole.get("mapping")), string(whole.get("current_node"))):
        reason = _passed(message)
        if reason is not None:
            yield Passed(reason)
            continue
        where = f"{found.where} message {node}"
        try:
            at = stamp(message.get("create_time"), reading.zone or UTC) or at
        except TimeError as err:
            yield Problem(where, str(err))
            continue
        role = string(table(message.get("author")).get("role"))
        yield Record(
            key=f"{name}:{string(message.get('id')) or node}",
            text=_text(message),
            where=where,
            speaker=role,
            at=at,
            session=name,
            metadata=named(title=title, model=string(table(message.get("metadata")).get("model_slug"))),
            modality="agent" if role == "assistant" else "asserted",
        )


def _time(value: Json) -> datetime | None:
    try:
        return stamp(value, UTC)
    except TimeError:
        return None


def _branch(mapping: dict[str, Json], current: str) -> list[tuple[str, dict[str, Json]]]:
    """Return the messages from the root to the node that was open last; without one, to the newest leaf."""
    node = current if current in mapping else _newest_leaf(mapping)
    branch: list[tuple[str, dict[str, Json]]] = []
    seen: set[str] = set()
    while node in mapping and node not in seen:
        seen.add(node)
        message = table(table(mapping[node]).get("message"))
        if message:
            branch.append((node, message))
        node = string(table(mapping[node]).get("parent"))
    return branch[::-1]


def _newest_leaf(mapping: dict[str, Json]) -> str:
    def age(node: str) -> tuple[bool, float]:
        inner = table(mapping[node])
        time = table(inner.get("message")).get("create_time")
        return not rows(inner.get("children")), float(time) if isinstance(time, (int, float)) else 0.0

    return max(mapping, key=age)


def _passed(message: dict[str, Json]) -> str | None:
    role = string(table(message.get("author")).get("role"))
    if role not in ("user", "assistant"):
        return "system and tool messages"
    if string(message.get("recipient")) not in ("", "all"):
        return "calls of a tool"
    if table(message.get("metadata")).get("is_visually_hidden_from_conversation"):
        return "hidden messages"
    if string(table(message.get("content")).get("content_type")) not in _SAID:
        return "reasoning and other parts that were not said"
    return None if _text(message).strip() else "messages without words"


def _text(message: dict[str, Json]) -> str:
    content = table(message.get("content"))
    parts = [_part(part) for part in rows(content.get("parts"))] or [string(content.get("text"))]
    return "\n".join(part for part in parts if part)


def _part(part: Json) -> str:
    return part if isinstance(part, str) else string(table(part).get("text"))
