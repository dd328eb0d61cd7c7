"""Reads BEAM; knows no metric and no other set."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from simonides.bench.cases import (
    Conversation,
    Question,
    Turn,
    files_of,
    in_order,
    parse_date,
    read_json,
    spread,
)
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

MOST_EVIDENCE = 8
"""Questions that need more turns than this are left out: no short list of hits can hold them."""
STEP = timedelta(minutes=1)


def read_beam(path: Path) -> tuple[Conversation, ...]:
    """Return the chats of BEAM, one store each; give the folder of all chats or of one.

    A batch of messages starts at the time anchor found in it, and each message is a minute after
    the one before. The category is the ability asked for. Abstention questions have no evidence and
    are not answerable; others are kept when 1 to `MOST_EVIDENCE` messages of the chat are named.
    For knowledge updates, the messages named before the last one are `stale`.
    """
    return tuple(_chat(file) for file in files_of(path, "chat.json", "*/chat.json"))


def _chat(file: Path) -> Conversation:
    name = f"beam-{file.parent.name}"
    turns = tuple(_turns(read_json(file)))
    questions = []
    for ability, entries in read_json(file.with_name("probing_questions.json")).items():
        for k, entry in enumerate(entries):
            question = _question(f"{name}:{ability}{k}", ability, entry, turns)
            if not question.answerable or 1 <= len(question.evidence) <= MOST_EVIDENCE:
                questions.append(question)
    return Conversation(name, turns, tuple(questions), ("user", "assistant"))


def _turns(batches: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    last: datetime | None = None
    for batch in batches:
        messages = [message for group in batch["turns"] for message in group]
        stated = [message["time_anchor"] for message in messages if message.get("time_anchor")]
        anchor = batch.get("time_anchor") or (stated[0] if stated else None)
        if anchor is None and last is None:
            raise InputError("BEAM chat", "its first batch must have a time anchor", "none")
        start = parse_date(anchor, "%B-%d-%Y") if anchor else last
        assert start is not None
        times = spread(start, len(messages), last, STEP)
        for message, at in zip(messages, times, strict=True):
            session = f"batch-{batch['batch_number']}"
            role = message["role"]
            yield Turn(str(message["id"]), message["content"], role, at, session, role)
            last = at


def _question(name: str, ability: str, entry: Mapping[str, Any], turns: Sequence[Turn]) -> Question:
    evidence = in_order(turns, map(str, _leaves(entry.get("source_chat_ids"))))
    stale = evidence[:-1] if ability == "knowledge_update" else ()
    answerable = ability != "abstention"
    category = ability.replace("_", "-")
    return Question(name, entry["question"], category, evidence, answerable, stale=stale)


def _leaves(value: object) -> Iterator[object]:
    """Ids come as a list, or as lists under names such as ``first_statement``."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield value
