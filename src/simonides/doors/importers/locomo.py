"""Reads conversations in the format of LoCoMo, sessions of turns between two people; not the questions.

A session has one date and no zone: turns follow it minute by minute, in UTC unless `--zone` says otherwise.
The caption of a shared picture follows the text as ``[shares <caption>]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from simonides.doors.importers.reading import Found, json_items, rows, stamp, string, table
from simonides.doors.importers.record import Item, Passed, Problem, Reading, Record, digest
from simonides.errors import TimeError
from simonides.types import Json

STEP = timedelta(minutes=1)
_SESSION = re.compile(r"session_\d+")
_DATES = ("%I:%M %p on %d %B, %Y", "%d %B, %Y", "%d.%m.%Y, %H:%M:%S", "%Y/%m/%d %H:%M")


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield the turns of every conversation in a file, a zip or a folder."""
    for found in json_items(path, r".*\.json"):
        if isinstance(found, Problem):
            yield found
        else:
            yield from _conversation(found, reading.zone or UTC)


def _conversation(found: Found, zone: tzinfo) -> Iterator[Item]:
    sample = table(found.value)
    body = table(sample.get("conversation")) or sample
    names = [key for key in body if _SESSION.fullmatch(key) and isinstance(body[key], list)]
    if not names:
        yield Problem(found.where, "a LoCoMo conversation has lists session_1, session_2 ...")
        return
    name = string(sample.get("sample_id")) or digest(
        string(body.get("speaker_a")), string(body.get("speaker_b"))
    )
    for session in names:
        yield from _session(f"{found.where} {session}", f"{name}:{session}", body, zone)


def _session(where: str, session: str, body: dict[str, Json], zone: tzinfo) -> Iterator[Item]:
    key = session.rpartition(":")[2]
    try:
        start = _date(string(body.get(f"{key}_date_time")), zone)
    except TimeError as err:
        yield Problem(where, str(err))
        return
    for number, value in enumerate(rows(body[key])):
        turn = table(value)
        text = _text(turn)
        if not text:
            yield Passed("turns without words")
            continue
        at = None if start is None else start + number * STEP
        name = string(turn.get("dia_id")) or f"{key}:{number + 1}"
        sample = session.rpartition(":")[0]
        yield Record(
            key=f"{sample}:{name}:{digest(text)}",
            text=text,
            where=f"{where} turn {number + 1}",
            speaker=string(turn.get("speaker")),
            at=at,
            session=session,
            project=sample,
            metadata={"dia_id": name},
        )


def _text(turn: dict[str, Json]) -> str:
    text = (string(turn.get("clean_text")) or string(turn.get("text"))).strip()
    caption = string(turn.get("blip_caption")).strip()
    return f"{text} [shares {caption}]".strip() if caption else text


def _date(text: str, zone: tzinfo) -> datetime | None:
    for form in _DATES:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=zone)
        except ValueError:
            continue
    return stamp(text, zone)
