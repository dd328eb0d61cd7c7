"""Read the answer out of the evidence: the span that answers, dates resolved; no model, and nothing that is not said.

The question word says what kind of answer is wanted. Each sentence of the best evidence is looked at; the one that
holds most of the question is read, and what stands beside the question's own words is the answer. A time is counted
from when the sentence was said ("yesterday" on the 8th of May is the 7th).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from simonides.parts import analyse
from simonides.parts.extract import names
from simonides.parts.moments import Moment, moments
from simonides.parts.spans import sentences
from simonides.parts.statements import plain
from simonides.types import Hit, Memory

Wanted = Literal["date", "duration", "number", "place", "name", "yes or no", "text"]

LOOKED_AT = 10
"""Hits that are read for an answer."""
LONGEST = 12
"""Words of an answer."""

_NUMBER = re.compile(
    r"(?:[$\u20ac\u00a3] ?)?\b\d[\d.,]*(?:%| ?(?:percent|dollars?|euros?|kg|km|miles?))?|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|once|twice|"
    r"several|a couple|a dozen)\b",
    re.IGNORECASE,
)
_DURATION = re.compile(
    r"\b(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|a few|several|a couple of)(?: and a half)? "
    r"(?:second|minute|hour|day|night|week|month|year|decade)s?\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at|to|from|near|around|on|visited|visit) (?:the )?"
    r"(?P<place>[A-Z][\w'&.-]*(?:,? (?:(?:of|the|de) )?[A-Z][\w'&.-]*)*)"
)
_ASKED: dict[Wanted, str] = {
    "date": r"(?:in |on |since )?(?:when|(?:what|which) (?:date|day|month|year|time))\b",
    "duration": r"(?:for )?how (?:long|often)\b",
    "number": r"what (?:number|percentage|age) |how (?:many|much|old|far|tall)\b|at what age",
    "place": r"(?:from |in |to )?(?:where|(?:what|which) (?:city|country|state|town|place|location|region))\b",
    "name": r"(?:with |to |for )?(?:who|whom|whose)\b",
    "yes or no": r"(?:did|does|do|is|are|was|were|has|have|had|can|could|will|would|should)\b",
}
_DENIED = re.compile(r"\b(?:not|no|never|n't|nothing|nobody)\b|n't\b", re.IGNORECASE)
_TELLING = re.compile(r"(?:how|why|what (?:does|did|do) .+ (?:think|feel|say)\b)", re.IGNORECASE)
_NAMING = re.compile(r"[A-Z0-9]")
FEW = 2
"""Words below which a phrase is too little, and the sentence is the answer; a name or a number will do."""
_SHARED = re.compile(r"\s*\[shares (?P<caption>[^\]]*)\]")
_CUT = re.compile(
    r"[.,;:!?()\u2014]+(?=\s|$)|\s-+\s|\b(?:but|because|since|although|though|while|which|so|when|if|until|then)\b",
    re.IGNORECASE,
)
_OPENING = frozenset(
    "i we you he she it they my our your his her its their the a an is are was were am be been being has have had do "
    "does did to and or that this there just also really so very some of it's i'm i've we're they're by for with as at "
    "in on about from like than into would could can will been got get gets getting yeah yes well oh wow hey "
    "thanks".split()
)
_CLOSING = frozenset(
    "and or of to the a an is are was were in on at for with my our your his her their too also i it that "
    "this as by".split()
)
_QUESTION_WORDS = frozenset(
    "who what when where why how which whose whom did does do is are was were has have had can could will would "
    "should many much long often old kind type name sort".split()
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read.

    Attributes:
        text: the answer; empty where nothing in the evidence answers.
        span: the characters of the memory that it was read from.
        memory: the memory's id.
        score: how much of the question the sentence holds, times the hit's chance, in [0, 1].
        dated: the text is a time that was resolved, and need not stand in the memory as it is.
        wanted: which kind of answer the question asks for.
    """

    text: str = ""
    span: tuple[int, int] = (0, 0)
    memory: str = ""
    score: float = 0.0
    dated: bool = False
    wanted: Wanted = "text"


@dataclass(frozen=True, slots=True)
class _Line:
    memory: Memory
    span: tuple[int, int]
    score: float

    @property
    def text(self) -> str:
        return self.memory.text[slice(*self.span)]


def wanted(question: str) -> Wanted:
    """Return which kind of answer a question asks for, by its first words."""
    asked = question.strip()
    for kind, form in _ASKED.items():
        if re.match(form, asked, re.IGNORECASE):
            return kind
    return "text"


def holds(kind: Wanted, memory: Memory) -> bool:
    """Tell whether a memory holds anything of a kind; every memory has a time and a text."""
    match kind:
        case "number":
            return bool(_NUMBER.search(memory.text))
        case "duration":
            return bool(_DURATION.search(memory.text) or _NUMBER.search(memory.text))
        case "place" | "name":
            return any(True for _ in names(memory.text)) or bool(re.search(r"\b[A-Z]\w+", memory.text))
        case _:
            return True


def answer(question: str, hits: Sequence[Hit], now: datetime) -> Answer:
    """Return the answer that the best evidence holds.

    Args:
        question: what is asked.
        hits: the evidence, best first; the first `LOOKED_AT` are read.
        now: when it is asked; what was said later is left out.
    """
    kind = wanted(question)
    asked = _stems(question, _QUESTION_WORDS)
    lines = sorted(_lines(hits[:LOOKED_AT], asked, now), key=lambda line: -line.score)
    if kind == "yes or no":
        return _decided(lines, kind)
    for line in lines[:LOOKED_AT]:
        text, span, dated = _read(kind, line, asked, question)
        if text:
            return Answer(text, span, line.memory.id, min(1.0, line.score), dated, kind)
    return Answer(wanted=kind)


def when(moment: Moment, said: datetime) -> str:
    """Return a time in words: as exact as it was said, a stretch by the day it was counted from."""
    start, words = moment.start, moment.words.lower()
    day = f"{said.day} {said:%B %Y}"
    if moment.precision == "decade":
        return words
    if moment.precision == "year":
        return str(start.year)
    if moment.precision in ("month", "season"):
        return f"{start:%B %Y}"
    if moment.precision == "week":
        if start > said:
            return f"The week after {day}"
        return f"The week {'of' if said < moment.end else 'before'} {day}"
    if "weekend" in words and moment.end <= said:
        return f"The weekend before {day}"
    if (
        weekday := re.search(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", words)
    ) and moment.end <= said:
        return f"The {weekday.group()} before {day}"
    return f"{start.day} {start:%B %Y}"


def _lines(hits: Sequence[Hit], asked: set[str], now: datetime) -> Iterator[_Line]:
    for place, hit in enumerate(hits):
        if hit.memory.at > now:
            continue
        speaker = _stems(hit.memory.speaker)
        for span in list(sentences(hit.memory.text)) or [(0, len(hit.memory.text))]:
            text = hit.memory.text[slice(*span)]
            held = _stems(text) | speaker
            share = len(asked & held) / len(asked) if asked else 0.0
            rank = 1 / (1 + 0.25 * place)
            asks = 0.25 if text.rstrip().endswith("?") else 1.0
            yield _Line(hit.memory, span, asks * (0.15 + share) * rank * max(hit.score, 0.02) ** 0.25 / 1.15)


def _decided(lines: Sequence[_Line], kind: Wanted) -> Answer:
    if not lines:
        return Answer(wanted=kind)
    line = lines[0]
    return Answer(
        "No" if _DENIED.search(line.text) else "Yes",
        line.span,
        line.memory.id,
        min(1.0, line.score),
        wanted=kind,
    )


def _read(kind: Wanted, line: _Line, asked: set[str], question: str) -> tuple[str, tuple[int, int], bool]:
    if kind == "date":
        return (*_dated(line, question), True)
    pattern = {"number": _NUMBER, "duration": _DURATION, "place": _PLACE}.get(kind)
    if pattern is not None:
        for match in pattern.finditer(line.text):
            group = "place" if kind == "place" else 0
            if not _stems(match[group]) & asked:
                return match[group], _moved(match.span(group), line), False
        if kind in ("number", "duration"):
            return "", line.span, False
    if kind == "name":
        found = [name for name in names(line.text) if not _stems(name) & asked]
        if not found and not _stems(line.memory.speaker) & asked and line.memory.speaker:
            return line.memory.speaker, line.span, False
        if found:
            start = line.text.index(found[0])
            return found[0], _moved((start, start + len(found[0])), line), False
    best, place, _ = _phrase(line, asked)
    if _TELLING.match(question) or (len(best.split()) < FEW and not _NAMING.match(best)):
        return _sentence(line, asked)
    return best, place, False


def _dated(line: _Line, question: str) -> tuple[str, tuple[int, int]]:
    said = line.memory.at
    found = moments(line.text, said, line.memory.zone) or moments(line.memory.text, said, line.memory.zone)
    if not found:
        told = said - timedelta(days=0)
        return f"{told.day} {told:%B %Y}", line.span
    best = min(found, key=lambda one: (one.precision in ("instant", "hour"), one.span[0]))
    told = when(best, said)
    if re.match(r"(?:in )?(?:what|which) year\b", question, re.IGNORECASE):
        told = str(best.start.year)
    elif re.match(r"(?:in )?(?:what|which) month\b", question, re.IGNORECASE):
        told = f"{best.start:%B %Y}"
    return told, line.span


def _phrase(line: _Line, asked: set[str]) -> tuple[str, tuple[int, int], bool]:
    """Return the clause beside the last word of the question: what comes after it, else what stands before it."""
    best, place, value = "", line.span, -1.0
    for start, end in _clauses(line.text):
        words = list(re.finditer(r"[^\s]+", line.text[start:end]))
        if not words:
            continue
        own = [bool(_stems(word.group()) & asked) for word in words]
        last = max((i for i, mine in enumerate(own) if mine), default=-1)
        first = next((i for i, mine in enumerate(own) if mine), len(words))
        for low, high, side in ((last + 1, len(words), 1.0), (0, first, 0.6)):
            low, high = _trimmed(words, low, high)
            if low >= high:
                continue
            fresh = len(_stems(" ".join(word.group() for word in words[low:high])) - asked)
            worth = side * (1 + sum(own)) * min(fresh, 4) / 4
            if fresh and worth > value:
                span = (start + words[low].start(), start + words[high - 1].end())
                best, place, value = line.text[slice(*span)].strip(" .,;:!?\"'"), _moved(span, line), worth
    shared = _SHARED.search(best)
    if shared and shared.start() > 0:
        best = best[: shared.start()]
    return best, place, False


def _sentence(line: _Line, asked: set[str]) -> tuple[str, tuple[int, int], bool]:
    """Return the sentence without its first filling words, and without the question's own words at its ends."""
    words = list(re.finditer(r"[^\s]+", line.text))
    low, high = 0, len(words)
    while low < high and (plain(words[low].group()) in _OPENING or _stems(words[low].group()) & asked):
        low += 1
    high = min(high, low + LONGEST)
    while low < high and plain(words[high - 1].group()) in _CLOSING:
        high -= 1
    if low >= high:
        return "", line.span, False
    span = (words[low].start(), words[high - 1].end())
    return line.text[slice(*span)].strip(" .,;:!?\"'"), _moved(span, line), False


def _clauses(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _CUT.finditer(text):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def _trimmed(words: Sequence[re.Match[str]], low: int, high: int) -> tuple[int, int]:
    while low < high and plain(words[low].group()) in _OPENING:
        low += 1
    high = min(high, low + LONGEST)
    while low < high and plain(words[high - 1].group()) in _CLOSING:
        high -= 1
    return low, high


def _moved(span: tuple[int, int], line: _Line) -> tuple[int, int]:
    return line.span[0] + span[0], line.span[0] + span[1]


def _stems(text: str, less: frozenset[str] = frozenset()) -> set[str]:
    return {
        *analyse.stems(
            [word for word in analyse.words(text) if word not in analyse.STOPS and word not in less]
        )
    }
