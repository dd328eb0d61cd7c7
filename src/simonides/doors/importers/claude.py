"""Reads Claude.ai data exports; knows no other chat service.

Texts of attached files come in as documents beside the message. Thinking and tool blocks are passed over.
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
ROLES = {"human": "user", "user": "user", "assistant": "assistant"}


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield what was said in the conversations of a zip, a folder or a conversations.json."""
    for found in json_items(path, MEMBER):
        if isinstance(found, Problem):
            yield found
        elif not isinstance(table(found.value).get("chat_messages"), list):
            yield Problem(found.where, "a Claude conversation has a list `chat_messages`")
        else:
            yield from _conversation(found, reading)


def _conversation(found: Found, reading: Reading) -> Iterator[Item]:
    whole = table(found.value)
    title = string(whole.get("name"))
    name = string(whole.get("uuid")) or digest(title, string(whole.get("created_at")))
    at: datetime | None = None
    for number, value in enumerate(rows(whole.get("chat_messages")), 1):
        message = table(value)
        where = f"{found.where} message {number}"
        try:
            at = stamp(message.get("created_at") or whole.get("created_at"), reading.zone or UTC) or at
        except TimeError as err:
            yield Problem(where, str(err))
            continue
        role = ROLES.get(string(message.get("sender")), "")
        key = f"{name}:{string(message.get('uuid')) or number}"
        metadata = named(title=title)
        text = _text(message)
        if not role or not text.strip():
            yield Passed("messages without words" if role else "messages of neither human nor assistant")
        else:
            modality = "agent" if role == "assistant" else "asserted"
            yield Record(
                key, text, where, speaker=role, at=at, session=name, metadata=metadata, modality=modality
            )
        yield from _attachments(
            message, Record(key, "", where, "document", role, at, session=name, metadata=metadata)
        )


def _text(message: dict[str, Json]) -> str:
    blocks = [table(block) for block in rows(message.get("content"))]
    parts = [string(block.get("text")) for block in blocks if block.get("type") == "text"]
    return "\n".join(part for part in parts if part.strip()) or string(message.get("text"))


def _attachments(message: dict[str, Json], like: Record) -> Iterator[Item]:
    for number, value in enumerate(rows(message.get("attachments")), 1):
        attachment = table(value)
        text = string(attachment.get("extracted_content"))
        if not text.strip():
            yield Passed("attachments without text")
            continue
        metadata = {**like.metadata, **named(file=string(attachment.get("file_name")))}
        yield Record(
            f"{like.key}:attachment:{number}",
            text,
            f"{like.where} attachment {number}",
            "document",
            like.speaker,
            like.at,
            session=like.session,
            metadata=metadata,
        )
