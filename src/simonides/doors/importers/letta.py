"""Reads what Letta (MemGPT) keeps: an agent file (.af), or the SQLite file of its server; knows no other agent.

Blocks of core memory come in with what they said before, where the database kept that; archival passages as notes;
what user and agent said to each other as turns. What an agent says through `send_message` is its turn, and what it
thinks beside is kept in the metadata. System prompts, heartbeats and the results of tools are no memories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from simonides.doors.importers.reading import Found, json_items, named, rows, stamp, string, table
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
from simonides.doors.importers.sqlite_file import Tables, decoded, inner, is_sqlite, opened
from simonides.errors import TimeError
from simonides.types import Json

_NOTICES = ("heartbeat", "login", "system_alert", "summary")
_SPEAKERS = ("user", "assistant")


@dataclass(slots=True)
class _Agents:
    """The agents of a database, and what is theirs."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    blocks: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    archives: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    past: dict[str, list[dict[str, Json]]] = field(default_factory=dict[str, list[dict[str, Json]]])

    def only(self, ids: list[str]) -> str:
        """Return the agent if there is but one; what several share is nobody's alone."""
        return self.names.get(ids[0], ids[0]) if len(ids) == 1 else ""


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield blocks, passages and turns; times without a zone are UTC, as Letta keeps them."""
    if path.is_file() and is_sqlite(path):
        with opened(path) as tables:
            if not tables.has("agents", "id") or not tables.has("block", "id", "value"):
                raise unreadable(path, "is no database of Letta: it has no tables `agents` and `block`")
            yield from _database(tables, reading)
        return
    for found in json_items(path, r".*\.(af|json)"):
        yield from [found] if isinstance(found, Problem) else _agent_file(found, reading)


# An agent file


def _agent_file(found: Found, reading: Reading) -> Iterator[Item]:
    given = table(found.value)
    if "agents" not in given and "core_memory" not in given:
        yield Problem(found.where, "an agent file has `agents` and `blocks`, or `core_memory`")
        return
    made = string(given.get("created_at"))
    if "agents" not in given:  # the first version of the format: one agent
        yield from _of_agent(found, given, rows(given.get("core_memory")), reading, made)
        return
    blocks = {string(table(one).get("id")): one for one in rows(given.get("blocks"))}
    for agent in rows(given.get("agents")):
        own = [blocks.pop(string(id)) for id in rows(table(agent).get("block_ids")) if string(id) in blocks]
        yield from _of_agent(found, table(agent), own, reading, made)
    for block in blocks.values():
        yield from _block(
            found.where, table(block), "", f"shared:{string(table(block).get('label'))}", made, reading
        )
    for file in rows(given.get("files")):
        yield from _file(found.where, table(file), reading)


def _of_agent(
    found: Found, agent: dict[str, Json], blocks: list[Json], reading: Reading, made: str
) -> Iterator[Item]:
    name = string(agent.get("name")) or string(agent.get("id"))
    for block in blocks:
        key = f"{name}:{string(table(block).get('label'))}"
        yield from _block(found.where, table(block), name, key, made, reading)
    seen: dict[str, int] = {}
    for number, message in enumerate(rows(agent.get("messages")), 1):
        given = table(message)
        told = digest(
            name, string(given.get("created_at")), string(given.get("role")), json.dumps(given.get("content"))
        )
        seen[told] = seen.get(told, 0) + 1
        key = told if seen[told] == 1 else f"{told}~{seen[told]}"
        yield from _message(f"{found.where} message {number}", given, name, key, reading)


def _file(where: str, given: dict[str, Json], reading: Reading) -> Iterator[Item]:
    name, text = string(given.get("file_name")) or string(given.get("id")), string(given.get("content"))
    if not text.strip():
        yield Passed("files whose text is not in the agent file")
        return
    try:
        at = stamp(given.get("file_creation_date") or given.get("created_at"), reading.zone or UTC)
    except TimeError:
        at = None
    key = f"file:{digest(name, text)}"
    yield Record(key, text, where, kind="document", at=at, metadata=named(title=name))


# A database


def _database(tables: Tables, reading: Reading) -> Iterator[Item]:
    agents = _Agents()
    yield from _known(tables, agents)
    for row in tables.rows("block"):
        if isinstance(row, Problem):
            yield row
            continue
        where, given = row
        id = string(given.get("id"))
        agent = agents.only(agents.blocks.get(id, []))
        if given.get("is_deleted"):
            yield Passed("deleted in Letta")
            continue
        yield from _block(where, given, agent, id, "", reading, agents.past.get(id, []))
    yield from _passages(tables, agents, reading)
    for row in (
        tables.rows("messages", "agent_id, created_at, rowid") if tables.has("messages", "id", "role") else ()
    ):
        if isinstance(row, Problem):
            yield row
        elif row[1].get("is_deleted"):
            yield Passed("deleted in Letta")
        else:
            id = string(row[1].get("agent_id"))
            yield from _message(row[0], row[1], agents.names.get(id, id), string(row[1].get("id")), reading)


def _known(tables: Tables, agents: _Agents) -> Iterator[Item]:
    """Read who is there and what is whose."""
    for name in ("agents", "blocks_agents", "archives_agents", "block_history"):
        for row in tables.rows(name) if name in tables.columns else ():
            if isinstance(row, Problem):
                yield row
                continue
            given = row[1]
            block, archive, agent = (
                string(given.get(f"{noun}_id")) for noun in ("block", "archive", "agent")
            )
            if name == "agents":
                agents.names[string(given.get("id"))] = string(given.get("name")) or string(given.get("id"))
            elif name == "blocks_agents":
                agents.blocks.setdefault(block, []).append(agent)
            elif name == "archives_agents":
                agents.archives.setdefault(archive, []).append(agent)
            else:
                agents.past.setdefault(block, []).append(given)


def _passages(tables: Tables, agents: _Agents, reading: Reading) -> Iterator[Item]:
    for name in ("archival_passages", "agent_passages", "source_passages"):
        for row in tables.rows(name) if tables.has(name, "id", "text") else ():
            if isinstance(row, Problem):
                yield row
                continue
            where, given = row
            text = string(given.get("text"))
            if given.get("is_deleted") or not text.strip():
                yield Passed("deleted in Letta" if given.get("is_deleted") else "passages without words")
                continue
            owners = agents.archives.get(string(given.get("archive_id")), [])
            owners = [string(given["agent_id"])] if given.get("agent_id") else owners
            tags = [string(tag) for tag in rows(decoded(given.get("tags")))]
            more = named(
                tags=[*tags],
                file_name=string(given.get("file_name")),
                archive=string(given.get("archive_id")),
            )
            at, problem = _times(where, given, reading)
            yield problem or Record(
                key=string(given.get("id")),
                text=text,
                where=where,
                kind="document" if name == "source_passages" else "note",
                at=at,
                agent=agents.only(owners),
                metadata={**inner(given.get("metadata_")), **more},
            )


# What both have


def _block(
    where: str,
    given: dict[str, Json],
    agent: str,
    key: str,
    made: str,
    reading: Reading,
    past: list[dict[str, Json]] | None = None,
) -> Iterator[Item]:
    text, label = string(given.get("value")), string(given.get("label"))
    if not text.strip():
        yield Passed("empty blocks")
        return
    zone = reading.zone or UTC
    try:
        first = stamp(given.get("created_at") or made, zone)
        changed = stamp(given.get("updated_at"), zone) or first
        earlier = _earlier(past or [], given, zone)
    except TimeError as err:
        yield Problem(where, str(err))
        return
    metadata = inner(given.get("metadata_")) or table(given.get("metadata"))
    told = named(
        label=label,
        description=string(given.get("description")),
        limit=given.get("limit"),
        read_only=given.get("read_only") or None,
    )
    yield Record(
        key=f"block:{key}",
        text=text,
        where=where,
        kind="block",
        at=first,
        changed=changed,
        earlier=earlier,
        agent=agent,
        metadata={**metadata, **told},
    )


def _earlier(past: list[dict[str, Json]], given: Mapping[str, Json], zone: tzinfo) -> tuple[Earlier, ...]:
    """Return what a block said before, oldest first: its history up to the entry it is at now."""
    current = string(given.get("current_history_entry_id"))
    ordered = sorted(past, key=lambda row: int(string(row.get("sequence_number")) or 0))
    places = [place for place, row in enumerate(ordered) if string(row.get("id")) == current]
    before = ordered[: places[0]] if places else ordered
    found: list[Earlier] = []
    for row in before:
        text, at = string(row.get("value")), stamp(row.get("created_at"), zone)
        if at is not None and text.strip() and text != string(given.get("value")):
            found.append(Earlier(text, at))
    return tuple(found)


def _message(where: str, given: dict[str, Json], agent: str, key: str, reading: Reading) -> Iterator[Item]:
    role = string(given.get("role"))
    if role not in _SPEAKERS:
        yield Passed(
            {"system": "system prompts", "tool": "results of tools"}.get(
                role, f"messages of {role or 'nobody'}"
            )
        )
        return
    thoughts = _words(decoded(given.get("content"))) or string(given.get("text"))
    spoken = _sent(decoded(given.get("tool_calls")))
    text = "\n".join(spoken) or thoughts
    if role == "user":
        text, notice = _unpacked(text)
        if notice:
            yield Passed("heartbeats and notices")
            return
    if not text.strip():
        yield Passed("messages without words")
        return
    at, problem = _times(where, given, reading)
    yield problem or Record(
        key=f"message:{key}",
        text=text,
        where=where,
        speaker=string(given.get("name")) or role,
        at=at,
        agent=agent,
        session=string(given.get("conversation_id")),
        metadata=named(thoughts=thoughts if spoken else "", model=string(given.get("model"))),
        modality="agent" if role == "assistant" else "asserted",
    )


def _times(where: str, given: dict[str, Json], reading: Reading) -> tuple[datetime | None, Problem | None]:
    try:
        return stamp(given.get("created_at"), reading.zone or UTC), None
    except TimeError as err:
        return None, Problem(where, str(err))


def _words(content: Json) -> str:
    """Return the text of a message's parts."""
    if isinstance(content, str):
        return content
    parts = [
        string(table(part).get("text")) for part in rows(content) if table(part).get("type") in ("text", None)
    ]
    return "\n".join(part for part in parts if part)


def _sent(calls: Json) -> list[str]:
    """Return what an agent said through its tool for that."""
    found: list[str] = []
    for call in rows(calls):
        function = table(table(call).get("function"))
        if string(function.get("name")) == "send_message":
            found.append(string(inner(function.get("arguments")).get("message")))
    return [text for text in found if text.strip()]


def _unpacked(text: str) -> tuple[str, bool]:
    """Return what the user said of a message that Letta packed in JSON, and whether it is a notice of Letta's own."""
    packed = inner(text) if text.lstrip().startswith("{") else {}
    kind = string(packed.get("type"))
    if kind == "user_message" and isinstance(packed.get("message"), str):
        return string(packed["message"]), False
    return text, kind in _NOTICES
