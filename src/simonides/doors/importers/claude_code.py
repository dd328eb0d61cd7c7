"""Reads the transcripts of Claude Code: what people and the agent said; knows nothing of the tools it ran.

Passed over: tool calls and results, thinking, side chains of sub-agents, meta lines, command echoes,
summaries that the agent wrote of its own earlier context, and reminders injected into the prompt. A resumed
session repeats earlier lines in a new file with the same uuid; the uuid is the key, so they come in once.
What recall put into the conversation is taken out, and secrets are replaced by what they were (`parts.redact`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from simonides.doors.hooks.project import project_of
from simonides.doors.importers.reading import Found, json_lines, named, rows, stamp, string, table
from simonides.doors.importers.record import Item, Passed, Problem, Reading, Record, digest, unreadable
from simonides.errors import TimeError
from simonides.parts.capture import strip
from simonides.parts.redact import redact
from simonides.types import Json

FORMAT = "claude-code"
"""Its name, and the first part of every key."""
_INJECTED = re.compile(r"<(system-reminder|ide_opened_file|ide_selection)>.*?</\1>\s*", re.DOTALL)
_ECHO = re.compile(
    r"\s*(<(command-(name|message|args|contents)|local-command-\w+|bash-(input|stdout|stderr)"
    r"|user-memory-input)>|\[Request interrupted|Caveat: The messages below)"
)


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield what was said in a transcript, or in all transcripts below a folder."""
    for file in _files(path):
        for found in json_lines(file):
            if isinstance(found, Problem):
                yield found
            elif not isinstance(found.value, dict):
                yield Problem(found.where, "a transcript line is an object")
            else:
                yield item(found, reading)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [
        Path(folder, name) for folder, _, names in os.walk(path) for name in names if name.endswith(".jsonl")
    ]
    if not found:
        raise unreadable(path, "holds no .jsonl transcript", "They are in ~/.claude/projects by default.")
    return sorted(found)


def item(found: Found, reading: Reading) -> Item:
    """Return what one line of a transcript says; `Passed` for the noise."""
    line = table(found.value)
    role = string(line.get("type"))
    reason = _passed(line, role)
    if reason is not None:
        return Passed(reason)
    text = _text(table(line.get("message")).get("content"))
    if not text.strip():
        return Passed("tool calls, tool results and thinking")
    if role == "user" and _ECHO.match(text):
        return Passed("command echoes")
    said = strip(text)
    if not said.strip():
        return Passed("what recall had put in")
    clean = redact(said)
    try:
        at = stamp(line.get("timestamp"), reading.zone)
    except TimeError as err:
        return Problem(found.where, str(err))
    session = string(line.get("sessionId"))
    folder = string(line.get("cwd"))
    return Record(
        key=string(line.get("uuid")) or digest(session, role, text, string(line.get("timestamp"))),
        text=clean.text,
        where=found.where,
        speaker=role,
        at=at,
        session=session,
        project=project_of(folder),
        metadata=named(cwd=folder, branch=string(line.get("gitBranch")), redacted=[*clean.found]),
        modality="agent" if role == "assistant" else "asserted",
    )


def _passed(line: dict[str, Json], role: str) -> str | None:
    if role not in ("user", "assistant"):
        return "lines that are no message"
    if line.get("isSidechain"):
        return "side chains of sub-agents"
    if line.get("isCompactSummary"):
        return "the agent's summaries of its own context"
    if line.get("isMeta") or line.get("isApiErrorMessage") or line.get("isVisibleInTranscriptOnly"):
        return "meta lines"
    return None


def _text(content: Json) -> str:
    if isinstance(content, str):
        blocks = [content]
    else:
        tables = [table(block) for block in rows(content)]
        blocks = [string(block.get("text")) for block in tables if block.get("type") == "text"]
    cleaned = [_INJECTED.sub("", block).strip() for block in blocks]
    return "\n".join(block for block in cleaned if block)
