"""Reads LoCoMo and sets of its form (RealTalk); knows no metric and no other set."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from simonides.bench.cases import (
    ADVERSARIAL,
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
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

CATEGORIES = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: ADVERSARIAL,
}
REALTALK_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "commonsense"}
STEP = timedelta(minutes=1)
"""Between two turns of a session, which has one date for all; keeps their order."""

_DATES = (
    "%I:%M %p on %d %B, %Y",
    "%d %B, %Y",
    "%d.%m.%Y, %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%Y/%m/%d %H:%M",
)
_EVIDENCE = re.compile(r"D:?(\d+):0*(\d+)")


def read_locomo(path: Path) -> tuple[Conversation, ...]:
    """Return the conversations of LoCoMo, one store each.

    Captions of shared images follow the text as ``[shares <caption>]``. Evidence strings are split
    on ; , and space and read leniently (``D:11:26``, ``D30:05``); where some of a question's ids
    still name no turn the rest is kept under the flag ``evidence-partial``. Adversarial questions
    are kept as not answerable; their evidence is the bait, so they are outside recall.

    A file ``audit_errors*.json`` or ``errors.json`` beside the data is joined by position:
    ``audited-wrong`` where the gold answer is wrong, ``audited-citation`` where only the evidence
    is (its id is ``locomo_<conversation>_qa<question>``, both counted from 0).
    """
    (source, *_) = files_of(path, "locomo*.json")
    audit = _audit(source.parent)
    conversations = []
    for number, item in enumerate(read_json(source)):
        name = str(item.get("sample_id", number))
        turns = _turns(item["conversation"])
        questions = [
            _question(f"{name}:qa{k}", qa, turns, audit.get(f"locomo_{number}_qa{k}", frozenset()))
            for k, qa in enumerate(item["qa"])
        ]
        conversations.append(Conversation(name, turns, tuple(questions), _speakers(turns)))
    return tuple(conversations)


def read_realtalk(path: Path) -> tuple[Conversation, ...]:
    """Return the chats of RealTalk, one file and one store each.

    Only questions all of whose evidence ids name a turn are kept, after the repair of `read_locomo`
    and of trailing dots: 652 of 728 in the published set. A turn's own ``date_time`` is its time
    where it has one; turns that are not later than the one before are moved one second after it.
    """
    conversations = []
    for source in files_of(path, "Chat_*.json", "*.json"):
        item = read_json(source)
        turns = _turns(item.get("conversation", item), step=timedelta(seconds=1))
        questions = (
            _question(f"{source.stem}:qa{k}", qa, turns, frozenset(), REALTALK_CATEGORIES)
            for k, qa in enumerate(item.get("qa", ()))
        )
        kept = tuple(q for q in questions if q.evidence and "evidence-partial" not in q.flags)
        conversations.append(Conversation(source.stem, turns, kept, _speakers(turns)))
    return tuple(conversations)


def _turns(body: Mapping[str, Any], step: timedelta = STEP) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    numbers = sorted(int(key[8:]) for key in body if re.fullmatch(r"session_\d+", key))
    for number in numbers:
        session = f"session_{number}"
        entries = body[session]
        if not entries:
            continue
        stated = body.get(f"{session}_date_time") or entries[0].get("date_time")
        if not stated:
            raise InputError(session, "must have a date", "none", "Check the file's form.")
        base = spread(parse_date(stated, *_DATES), len(entries), _last(turns), step)
        for entry, planned in zip(entries, base, strict=True):
            own = entry.get("date_time")
            at = parse_date(own, *_DATES) if own else planned
            turns.append(_turn(entry, spread(at, 1, _last(turns), step)[0], session))
    return tuple(turns)


def _last(turns: Sequence[Turn]) -> datetime | None:
    return turns[-1].at if turns else None


def _turn(entry: Mapping[str, Any], at: datetime, session: str) -> Turn:
    text = str(entry.get("clean_text") or entry.get("text") or "").strip()
    if caption := entry.get("blip_caption"):
        text = f"{text} [shares {caption}]".strip()
    return Turn(entry["dia_id"], text, entry["speaker"], at, session, "person")


def _question(
    name: str,
    qa: Mapping[str, Any],
    turns: Sequence[Turn],
    flags: frozenset[str],
    categories: Mapping[int, str] = CATEGORIES,
) -> Question:
    evidence, whole = repair(qa.get("evidence") or (), {turn.id for turn in turns})
    category = categories.get(qa["category"], str(qa["category"]))
    bait = category == ADVERSARIAL
    flags |= {ADVERSARIAL} if bait else frozenset()
    flags |= frozenset() if whole else {"evidence-partial"}
    return Question(
        name, qa["question"], category, in_order(turns, evidence), answerable=not bait, flags=flags
    )


def repair(evidence: Sequence[str] | str, known: set[str]) -> tuple[tuple[str, ...], bool]:
    """Return the turn ids that evidence strings name, and whether every one of them was found.

    >>> repair(["D1:3; D2:04", "D:1:1", "D"], {"D1:1", "D1:3", "D2:4"})
    (('D1:3', 'D2:4', 'D1:1'), False)
    """
    found: list[str] = []
    whole = True
    for part in [evidence] if isinstance(evidence, str) else evidence:
        for piece in filter(None, re.split(r"[;,\s]+", part)):
            match = _EVIDENCE.fullmatch(piece.rstrip("."))
            name = f"D{match[1]}:{match[2]}" if match else piece.rstrip(".")
            if name in known:
                found.append(name)
            else:
                whole = False
    return tuple(dict.fromkeys(found)), whole


def _audit(folder: Path) -> Mapping[str, frozenset[str]]:
    files = [*sorted(folder.glob("audit_errors*.json")), *sorted(folder.glob("errors.json"))]
    rows = read_json(files[0]) if files else ()
    flags = {"WRONG_CITATION": frozenset({"audited-citation"})}
    wrong = frozenset({"audited-wrong"})
    return {row["question_id"]: flags.get(row["error_type"], wrong) for row in rows}


def _speakers(turns: Sequence[Turn]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(turn.speaker for turn in turns))
