"""Reads RealMem's dialogues; knows no metric and no other set."""

from __future__ import annotations

import json
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

STEP = timedelta(minutes=1)


def read_realmem(path: Path) -> tuple[Conversation, ...]:
    """Return RealMem as one store per persona, sessions in the order of the file.

    A question is a query turn of the user. It is asked `at` the start of its session, since what
    was said earlier in that session is context and not memory; so `Conversation.seen_by` cuts the
    store before the session, and a measure must respect it: the query itself is a later turn.
    Stores therefore grow from a few turns to some 1,500 over the questions of a persona.

    Evidence are the turns that the memories used by the next assistant turn were extracted from
    (``source_turn``, from 1). Memories with ``source_turn`` 0 sum up their whole session and
    negative ones are schedule entries: they have no turn. A question with at least one turn is in
    recall, under the flag ``evidence-partial`` where another memory it needs has none.

    Sessions are days apart; those dated a day before their predecessor are moved just after it, so
    that order in time is order in the file, which is the order the memories were used in.
    """
    files = files_of(path, "*_dialogues_*.json", "dataset/*_dialogues_*.json")
    return tuple(_persona(file) for file in files)


def _persona(file: Path) -> Conversation:
    data = read_json(file)
    person = str(data.get("_metadata", {}).get("person_name") or file.stem)
    turns: list[Turn] = []
    questions: list[Question] = []
    sources: dict[tuple[str, str], str] = {}
    for dialogue in data["dialogues"]:
        last = turns[-1].at if turns else None
        fresh = _turns(dialogue, last)
        questions += _questions(person, dialogue, fresh, sources, turns)
        turns += fresh
        for memory in dialogue.get("extracted_memory", ()):
            number = memory.get("source_turn")
            known = isinstance(number, int) and 1 <= number <= len(fresh)
            key = (memory["session_uuid"], _content(memory))
            sources.setdefault(key, fresh[number - 1].id if known else "")
    return Conversation(person, tuple(turns), tuple(questions), ("user", "assistant"))


def _turns(dialogue: Mapping[str, Any], last: datetime | None) -> list[Turn]:
    entries = dialogue["dialogue_turns"]
    session = dialogue["session_identifier"]
    start = parse_date(dialogue["current_time"], "%Y-%m-%d (%A)", "%Y-%m-%d")
    return [
        Turn(
            f"{dialogue['session_uuid']}:{number}",
            entry["content"],
            entry["speaker"].lower(),
            at,
            session,
            "user" if entry["speaker"] == "User" else "assistant",
        )
        for number, (entry, at) in enumerate(
            zip(entries, spread(start, len(entries), last, STEP), strict=True), 1
        )
    ]


def _questions(
    person: str,
    dialogue: Mapping[str, Any],
    fresh: Sequence[Turn],
    sources: Mapping[tuple[str, str], str],
    earlier: Sequence[Turn],
) -> list[Question]:
    entries = dialogue["dialogue_turns"]
    found = []
    for entry, turn, answer in zip(entries, fresh, [*entries[1:], {}], strict=True):
        if not entry.get("is_query"):
            continue
        used = answer.get("memory_used") or ()
        ids = [sources.get((memory["session_uuid"], _content(memory)), "") for memory in used]
        flags = {f"topic:{entry['topic']}"} if entry.get("topic") else set()
        if "" in ids:
            flags.add("evidence-partial")
        found.append(
            Question(
                f"{person}:{turn.id}",
                entry["content"],
                str(entry.get("category_name", "")).lower().replace(" ", "-"),
                in_order(earlier, ids),
                at=fresh[0].at,
                flags=frozenset(flags),
            )
        )
    return found


def _content(memory: Mapping[str, Any]) -> str:
    content = memory["content"]
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return " ".join(text.split())
