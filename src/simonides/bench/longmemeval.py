"""Rebuilds LongMemEval haystacks from its evidence turns; knows no metric and no other set."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from simonides.bench.cases import (
    Conversation,
    Question,
    Role,
    Turn,
    files_of,
    parse_date,
    read_json,
    spread,
)
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SEED = 7
FILLERS = 40
"""Distractor sessions of a store, beside one host session per evidence session."""
SHIFTED = 90
"""Oldest pool sessions to draw from, moved back, for questions asked before enough others were."""
SHORTEST = 4
"""Turns a pool session must have; shorter ones hide nothing."""
STEP = timedelta(seconds=10)
"""Between turns of a session; small, so that no session crosses midnight for its length."""

_DATES = ("%Y/%m/%d (%a) %H:%M",)
_OTHER: Mapping[str, Role] = {"user": "assistant", "assistant": "user"}


class _Line(NamedTuple):
    id: str
    text: str
    role: Role


class _Session(NamedTuple):
    id: str
    at: datetime
    lines: tuple[_Line, ...]


class _Pool(NamedTuple):
    sessions: tuple[_Session, ...]  # oldest first
    lines: Mapping[str, Sequence[tuple[str, _Line]]]  # by role, with the session each is from


def read_longmemeval(path: Path, seed: int = SEED) -> tuple[Conversation, ...]:
    """Return one store per question of LongMemEval, rebuilt; NOT the published haystacks.

    Give the folder of ``longmemeval_evidence_turns.json`` and
    ``longmemeval_distractor_sessions.json``. The published S file could not be had: of its sessions
    the evidence turns are known for all questions, the turns around them are not. So:

    * The pool are the full distractor sessions that hold no evidence turn of any question (compared
      by text without regard to white space), whose id does not start with ``answer`` and which have
      at least `SHORTEST` turns: 314 sessions. Hence no store holds another question's evidence.
    * Per question, `FILLERS` sessions plus one per evidence session are drawn without replacement
      from those dated before the question (by a generator seeded with `seed` and the question's
      id, so stores do not depend on each other). Where too few are, the `SHIFTED` oldest are
      drawn from, all moved back by the same whole number of days.
    * The first drawn sessions are the hosts of the evidence sessions and take their dates. Each
      evidence turn is put before a user turn of the host chosen at random, in order. Its partner is
      the evidence turn of the other role next to it, where there is one, else a random turn of that
      role from a pool session outside the store. So roles alternate, but the neighbours of evidence
      say nothing about it: do not judge by this set what depends on neighbours.
    * The question is asked at its own date, or one step after the last turn where that is later
      the same day, as the set's own dates have it for 43 questions.

    All 500 questions are returned: 479 with evidence, 9 of which are abstention questions whose
    evidence is a near miss, and 21 abstention questions without. ``_abs`` ones are not answerable.
    For knowledge updates all evidence but that of the newest session is `stale`.
    """
    folder = path if path.is_dir() else path.parent
    (evidence_file, *_) = files_of(folder, "longmemeval_evidence_turns*.json")
    (pool_file, *_) = files_of(folder, "longmemeval_distractor_sessions*.json")
    items = read_json(evidence_file)
    evidence = {plain(turn["content"]) for item in items for turn in _evidence_turns(item)}
    pool = _pool(read_json(pool_file), evidence)
    return tuple(_store(item, pool, random.Random(f"{seed}:{item['question_id']}")) for item in items)


def plain(text: str) -> str:
    """Return the text with all white space as single spaces, for comparing copies."""
    return " ".join(text.split())


def _evidence_turns(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for session in item["haystack_sessions"]:
        yield from session


def _pool(raw: Sequence[Mapping[str, Any]], evidence: set[str]) -> _Pool:
    sessions: list[_Session] = []
    for item in raw:
        name, turns = item["session_id"], item["turns"]
        if item.get("truncated") or len(turns) < SHORTEST or name.startswith("answer"):
            continue
        if any(plain(turn["content"]) in evidence for turn in turns):
            continue
        lines = [_Line(f"{name}:{i}", turn["content"], turn["role"]) for i, turn in enumerate(turns)]
        sessions.append(_Session(name, parse_date(item["date"], *_DATES), tuple(lines)))
    sessions.sort(key=lambda session: (session.at, session.id))
    lines_of: dict[str, list[tuple[str, _Line]]] = {"user": [], "assistant": []}
    for session in sessions:
        for line in session.lines:
            lines_of[line.role].append((session.id, line))
    return _Pool(tuple(sessions), lines_of)


def _store(item: Mapping[str, Any], pool: _Pool, rng: random.Random) -> Conversation:
    name = item["question_id"]
    asked = parse_date(item["question_date"], *_DATES)
    groups = [
        (parse_date(date, *_DATES), session)
        for date, session in zip(item["haystack_dates"], item["haystack_sessions"], strict=True)
    ]
    drawn = _draw(pool, FILLERS + len(groups), asked, rng)
    used = {session.id for session in drawn}
    built = list(drawn[len(groups) :])
    evidence: list[list[str]] = []  # ids of each evidence session, in time
    hosts = zip(groups, drawn, strict=False)
    for number, ((at, turns), host) in enumerate(hosts):
        marked = [
            _Line(f"{name}_ev{number}:{k}", turn["content"], turn["role"]) for k, turn in enumerate(turns)
        ]
        pairs = _pairs(marked, pool, used, rng)
        built.append(_Session(host.id, at, _splice(host.lines, pairs, rng)))
        evidence.append([line.id for line in marked])
    turns = _turns(built)
    chosen = [identity for ids in evidence for identity in ids]
    by_time = tuple(turn.id for turn in turns if turn.id in set(chosen))
    question = Question(
        name,
        item["question"],
        item["question_type"],
        by_time,
        answerable=not name.endswith("_abs"),
        at=max(asked, turns[-1].at + STEP),
        stale=_stale(item["question_type"], by_time),
    )
    return Conversation(name, turns, (question,), ("user", "assistant"))


def _draw(pool: _Pool, count: int, asked: datetime, rng: random.Random) -> list[_Session]:
    def ends(session: _Session) -> datetime:
        return session.at + STEP * (len(session.lines) + 1)

    before = [session for session in pool.sessions if ends(session) < asked]
    if len(before) < count:
        before = list(pool.sessions[:SHIFTED])
        if len(before) < count:
            rule = f"must have at least {count} usable sessions"
            raise InputError("distractor pool", rule, len(before), "Give the whole file.")
        days = (max(map(ends, before)) - asked).days + 1
        before = [session._replace(at=session.at - timedelta(days=days)) for session in before]
    return rng.sample(before, count)


def _pairs(
    marked: Sequence[_Line], pool: _Pool, used: set[str], rng: random.Random
) -> list[tuple[_Line, _Line]]:
    pairs = []
    queue = list(marked)
    while queue:
        line = queue.pop(0)
        if line.role == "user" and queue and queue[0].role == "assistant":
            pairs.append((line, queue.pop(0)))
            continue
        partners = [other for home, other in pool.lines[_OTHER[line.role]] if home not in used]
        partner = rng.choice(partners)._replace(id=f"{line.id}:partner")
        pairs.append((line, partner) if line.role == "user" else (partner, line))
    return pairs


def _splice(
    host: Sequence[_Line], pairs: Sequence[tuple[_Line, _Line]], rng: random.Random
) -> tuple[_Line, ...]:
    places = [i for i, line in enumerate(host) if line.role == "user"]
    many = len(places) >= len(pairs)
    chosen = sorted(rng.sample(places, len(pairs)) if many else rng.choices(places, k=len(pairs)))
    lines: list[_Line] = []
    done = 0
    for place, pair in zip(chosen, pairs, strict=True):
        lines += [*host[done:place], *pair]
        done = place
    return (*lines, *host[done:])


def _turns(sessions: Sequence[_Session]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for session in sorted(sessions, key=lambda session: (session.at, session.id)):
        last = turns[-1].at if turns else None
        times = spread(session.at, len(session.lines), last, STEP)
        turns += [
            Turn(line.id, line.text, line.role, at, session.id, line.role)
            for line, at in zip(session.lines, times, strict=True)
        ]
    return tuple(turns)


def _stale(category: str, evidence: Sequence[str]) -> tuple[str, ...]:
    if category != "knowledge-update" or not evidence:
        return ()
    newest = evidence[-1].rpartition(":")[0]
    return tuple(name for name in evidence if name.rpartition(":")[0] != newest)
