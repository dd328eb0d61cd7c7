"""Find the times a statement names, past and future, each as an interval with its precision; knows no memory.

English. Times are resolved against when it was said, in the zone it was said in, never against the machine's clock.
The tense of the sentence says which Friday is meant. What can't be resolved ("on my birthday") is left out. Questions
have their own reading (`parts.dates`): people ask about what has been.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from simonides.parts.moment_forms import COUNT, NEEDS_WORD, UNIT, Form, W, forms
from simonides.parts.moment_stretches import Said, Stretch, beside, day, moved, number, part_of_day, thirds
from simonides.parts.verbs import PAST

LONGEST = 4000
"""Characters of a text that are read: what is longer is a document, and its "yesterday" is not that of who sent it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that a text names.

    Attributes:
        start: in UTC.
        end: in UTC; ``[start, end)``.
        words: that named it.
        precision: ``instant``, ``hour`` (a part of a day), ``day``, ``week``, ``month``, ``season``, ``year``,
            ``decade``.
        span: where the words stand in the text.
        bound: ``since`` (from its start until it was said), ``until`` (from when it was said, where that is before its
            end), ``before`` or ``after`` where the text says so of the time that is given; else empty.
    """

    start: datetime
    end: datetime
    words: str
    precision: str = "day"
    span: tuple[int, int] = (0, 0)
    bound: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A form that was found: its place, and either the stretch or what to do with the one beside it."""

    start: int
    end: int
    name: str
    match: re.Match[str]
    form: Form | None = None
    stretch: Stretch | None = None


def moments(text: str, said: datetime, zone: str = "") -> list[Moment]:
    """Return the times a text names, in its order.

    Args:
        text: what was said; after `LONGEST` characters nothing is read.
        said: when, with a zone.
        zone: where, an IANA name or an offset; the zone of `said` otherwise.
    """
    text = text[:LONGEST]
    if not _cue().search(text):
        return []
    where = zone_of(zone) or said.tzinfo or UTC
    try:
        now = said.astimezone(where).replace(tzinfo=None)
    except (OverflowError, ValueError):
        return []
    told: list[Moment] = []
    for one, bound in _resolved(text, now):
        if one.stretch is None:
            continue
        try:
            start, end = (
                at.replace(tzinfo=where).astimezone(UTC) for at in (one.stretch.start, one.stretch.end)
            )
        except (OverflowError, ValueError):
            continue
        words = text[one.start : one.end]
        told.append(Moment(start, end, words, one.stretch.precision, (one.start, one.end), bound))
    return told


def zone_of(name: str) -> tzinfo | None:
    """Return the zone of an IANA name or of an offset such as ``+02:00``; None where it is neither."""
    if not name:
        return None
    if match := re.fullmatch(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", name):
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(offset if match[1] == "+" else -offset) if offset < timedelta(days=1) else None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # unknown, not a name at all, not readable
        return None


@lru_cache(maxsize=1)
def _cue() -> re.Pattern[str]:
    return re.compile(
        (
            r"\d|\b(?:today|tonight|tomorrow|yesterday|now|ago|later|earlier|before|after|last|next|"
            r"this|that|same|past|previous|"
            r"following|coming|upcoming|within|the|in|mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|"
            r"jun|jul|aug|sep|oct|nov|dec|"
            r"spring|summer|autumn|fall|winter|christmas|easter|halloween|thanksgiving|new year)"
        ),
        re.IGNORECASE,
    )


@lru_cache(maxsize=1)
def _beside() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the forms that mean nothing alone: offsets, clocks and parts of days."""
    noun = r"(?P<noun>day|night|morning|afternoon|evening|weekend|week|month|year|decade|\w{3,6}day)"
    clock = (
        r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?[ ]?(?P<half>[ap])\.?m\b\.?|"
        r"(?P<hour24>\d{1,2}):(?P<minute24>\d\d)|(?P<word>noon|midnight)|(?P<oclock>\d{1,2})[ "
        r"]o['\u2019]clock"
    )
    rows = (
        (
            "offset",
            (
                rf"(?:(?P<the>the){W}{noun}|{COUNT}{W}{UNIT}){W}(?P<side>after|before|from|following|"
                rf"prior{W}to|later|earlier|afterwards)"
            ),
        ),
        ("clock", rf"(?:at{W}|around{W}|by{W})?(?:{clock})"),
        ("part", rf"(?:in{W}the{W}|on{W}the{W})?(?P<part>morning|afternoon|evening|night)(?:{W}of)?"),
    )
    return tuple((name, re.compile(rf"\b(?:{text})(?!\w)", re.IGNORECASE)) for name, text in rows)


def _all(text: str) -> list[_Found]:
    """Return what stands in a text, the longest of those that overlap, in order."""
    found = [
        _Found(m.start(), m.end(), name, m, form)
        for name, pattern, form in forms()
        for m in pattern.finditer(text)
    ]
    found += [
        _Found(m.start(), m.end(), name, m) for name, pattern in _beside() for m in pattern.finditer(text)
    ]
    taken: list[_Found] = []
    used = bytearray(len(text))
    for one in sorted(found, key=lambda one: (one.start - one.end, one.form is None)):
        if not any(used[one.start : one.end]) and _counts(text, one):
            used[one.start : one.end] = b"\1" * (one.end - one.start)
            dot = one.name != "clock" and text[one.end - 1] == "."
            taken.append(replace(one, end=one.end - dot))
    return sorted(taken, key=lambda one: one.start)


_IN = re.compile(
    (
        r"\b(?:in|since|until|till|by|before|after|from|to|during|through|of|around|for|on|"
        r"between|and|or|back in|circa|class of|[-\u2013(])"
        r"\s?(?:the )?$"
    ),
    re.IGNORECASE,
)
_EVERY = re.compile(r"\b(?:every|each|most|any|all)\s(?:other )?$", re.IGNORECASE)
_NO_DATE = re.compile(r"[$\u20ac\u00a3#]$|\b(?:no|number|version|v)\.?\s?$", re.IGNORECASE)


def _counts(text: str, one: _Found) -> bool:
    before, words = text[max(0, one.start - 12) : one.start], one.match.group()
    if _EVERY.search(before) or _NO_DATE.search(before):
        return False
    if one.name in ("month", "dated") and re.search(r"\b(?:may|march)\b", words):
        return bool(re.search(r"\d", words)) or bool(
            re.match(r"(?:last|next|this|early|late|mid)\b", words, re.IGNORECASE)
        )
    if one.name == "season":
        bare = re.fullmatch(r"(?:the\s)?\w+", words)
        return bare is None or (
            bool(_IN.search(before)) and (words[:4].lower() != "fall" or words.startswith("the"))
        )
    if one.name == "weekday" and words[:3].lower() in ("sat", "sun", "wed", "mon") and len(words) <= 4:
        return bool(_IN.search(before) or one.match["which"])
    if one.name in NEEDS_WORD:
        said = one.match.groupdict()
        more = any(said.get(name) for name in ("part", "mid", "which"))
        return more or (one.name == "month" and bool(said["year"])) or bool(_IN.search(before))
    return True


_FUTURE = (
    r"will|'ll|won't|shall|going to|gonna|plan(?:s|ning|ned)?|wants?|hop(?:e|es|ing)|needs?|"
    r"needed|intends?|due|deadline|schedul(?:ed|ing)|"
    r"book(?:ed|ing)|let's|can|should|must|ha(?:s|ve) (?:to|an?|got)|'ve got|looking forward|"
    r"supposed to|expected|invited|flies|remind|"
    r"upcoming|moved to|(?:is|are|am|'m|'re|'s) (?:\w+ing|closed|open|off|on|in|at|from|next|"
    r"until|this)|starts|begins|opens|leaves|arrives|expires|ends"
)
_ALIKE = frozenset("put set read hit let cut cost hurt quit bet led left".split())
_GONE = (
    rf"was|were|did|didn't|had|been|{'|'.join(sorted(PAST - _ALIKE))}|"
    rf"left|\w{{2,20}}ed"
)


@lru_cache(maxsize=1)
def _tenses() -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w])(?:(?P<ahead>{_FUTURE})|(?P<gone>{_GONE}))\b|(?<=\w)(?P<short>'ll)\b", re.IGNORECASE
    )


class _Tenses:
    """The verbs of a text that say past or future, found once, and where its sentences end."""

    def __init__(self, text: str) -> None:
        found = [*_tenses().finditer(text.replace("\u2019", "'"))]
        self._starts = [one.start() for one in found]
        self._signs = [-1 if one["gone"] else 1 for one in found]
        self._breaks = [one.start() for one in _BREAK.finditer(text)]

    def at(self, start: int, end: int) -> int:
        """Return whether a place speaks of what was (-1) or will be (1) by the verb before it; 0 is neither."""
        place = bisect_left(self._breaks, start)
        begun = self._breaks[place - 1] if place else -1
        after = bisect_left(self._breaks, end)
        ends = self._breaks[after] if after < len(self._breaks) else LONGEST
        near = bisect_left(self._starts, start)
        if near and self._starts[near - 1] > begun:
            return self._signs[near - 1]
        near = bisect_left(self._starts, end)
        return self._signs[near] if near < len(self._starts) and self._starts[near] < ends else 0


_BREAK = re.compile(r"[.!?;\n]")


def _resolved(text: str, now: datetime) -> Iterator[tuple[_Found, str]]:
    """Yield what was found with its stretch and its bound, in order: clocks, offsets and ranges joined."""
    tenses = _Tenses(text)
    joined: list[_Found] = []
    last: Stretch | None = None
    for one in _all(text):
        fresh = replace(one, stretch=_read(one, Said(now, tenses.at(one.start, one.end), last)))
        before = joined[-1] if joined else None
        if before and (both := _together(before, fresh, text[before.end : one.start])) is not None:
            joined[-1] = fresh = both
        else:
            joined.append(fresh)
        last = fresh.stretch or last
    whole: list[_Found] = []
    last = None
    for one in joined:
        whole.append(_alone(text, one, Said(now, 0, last)))
        last = one.stretch or last
    for one in _ranged(text, whole):
        yield _bounded(text, one, now)


def _read(one: _Found, said: Said) -> Stretch | None:
    if one.form is None:
        return None
    try:
        stretch = one.form(one.match, said)
    except (ValueError, OverflowError, StopIteration):
        return None
    parts = one.match.groupdict()
    part = parts.get("part") or parts.get("mid")
    return thirds(stretch, part) if stretch is not None and part else stretch


_JOINS = re.compile(r"[,\s]*(?:at|on|the|by|around)?\s*", re.IGNORECASE)


def _together(one: _Found, other: _Found, between: str) -> _Found | None:
    """Return two neighbours as one: a day and a clock, a day and its morning, an offset and what it counts from."""
    if len(between) > 8 or not _JOINS.fullmatch(between):
        return None
    kinds = (one.name, other.name)
    dated, beside_it = (one, other) if one.form is not None else (other, one)
    if dated.stretch is None or beside_it.form is not None:
        return None
    stretch: Stretch | None = None
    try:
        if (
            "clock" in kinds
            and dated.stretch.precision in ("day", "hour")
            and dated.stretch.end > dated.stretch.start
        ):
            stretch = _at(dated.stretch.start.replace(hour=0), beside_it.match)
        elif "part" in kinds and dated.stretch.precision == "day":
            stretch = part_of_day(dated.stretch, beside_it.match["part"])
        elif one.name == "offset" and one.match["side"].lower() not in ("later", "earlier", "afterwards"):
            stretch = _offset(one.match, dated.stretch)
    except (ValueError, OverflowError):
        return None
    return replace(dated, start=one.start, end=other.end, stretch=stretch) if stretch else None


def _at(midnight: datetime, match: re.Match[str]) -> Stretch:
    if match["word"]:
        hour, minute = 12 if match["word"].lower() == "noon" else 0, 0
    elif match["hour"]:
        hour, minute = int(match["hour"]), int(match["minute"] or 0)
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + 12 * (match["half"].lower() == "p")
    else:
        hour, minute = int(match["hour24"] or match["oclock"]), int(match["minute24"] or 0)
    at = midnight.replace(hour=hour, minute=minute)
    return Stretch(at, at + timedelta(minutes=1), "instant")


def _offset(match: re.Match[str], anchor: Stretch) -> Stretch:
    side = -1 if match["side"].lower().split()[0] in ("before", "prior", "earlier") else 1
    if match["the"]:
        return beside(anchor, match["noun"].lower(), side)
    return moved(anchor, side * number(match["count"]), match["unit"].lower())


_ENDS = re.compile(r"\s*(?:that\b|this\b)?\s*(?:$|[.,;:!?)]|(?:and|but|so|or)\b)", re.IGNORECASE)


def _alone(text: str, one: _Found, said: Said) -> _Found:
    """Return an offset or a clock without a neighbour: it counts from the time named before, a clock from today."""
    if one.form is not None or one.stretch is not None:
        return one
    try:
        if one.name == "offset" and said.last is not None:
            spoken = one.match["side"].lower() in ("later", "earlier", "afterwards")
            if spoken or _ENDS.match(text, one.end):
                return replace(one, stretch=_offset(one.match, said.last))
        if one.name == "clock" and (said.last is None or said.last.precision == "day"):
            return replace(one, stretch=_at(said.last.start if said.last else said.today, one.match))
    except (ValueError, OverflowError):
        pass
    return one


_TO = re.compile(r"\s*(?:to|until|till|through|thru|and|-|\u2013|\u2014)\s*(?:the\s)?", re.IGNORECASE)
_FROM = re.compile(r"\b(?P<word>from|between)\s(?:the\s)?$", re.IGNORECASE)


def _ranged(text: str, found: Sequence[_Found]) -> list[_Found]:
    """Join "from Monday to Wednesday": what comes second comes later."""
    told = list(found)
    for place, (one, other) in enumerate(pairwise(found)):
        first, second = told[place].stretch, other.stretch
        between = text[one.end : other.start]
        if first is None or second is None or len(between) > 14 or not _TO.fullmatch(between):
            continue
        asked = _FROM.search(text[max(0, one.start - 14) : one.start])
        if not asked and between.strip().lower() in ("and", "until", "till"):
            continue
        try:
            told[place + 1] = _range(one, other, first, second, asked)
        except (ValueError, OverflowError):
            continue
        told[place] = replace(one, stretch=None)
    return told


def _range(
    one: _Found, other: _Found, first: Stretch, second: Stretch, asked: re.Match[str] | None
) -> _Found:
    ends = other.match.groupdict().get("year")
    if ends and not one.match.groupdict().get("year", ""):  # from May to July 2019
        ahead = int(ends) - first.start.year - (first.start.month > second.start.month)
        first = moved_years(first, ahead)
    if other.name == "weekday":  # of the week that follows
        second = day(first.start + timedelta(days=(second.start - first.start).days % 7))
    elif not ends and second.end <= first.start:
        second = moved_years(second, 1)
    start = one.start if asked is None else one.start - len(asked.group())
    return replace(other, start=start, stretch=Stretch(first.start, second.end, second.precision))


def moved_years(stretch: Stretch, ahead: int) -> Stretch:
    """Return the same days of another year."""
    start, end = (at.replace(year=at.year + ahead) for at in (stretch.start, stretch.end))
    return replace(stretch, start=start, end=end)


_BOUND = re.compile(
    (
        r"\b(?P<word>ever since|since|until|till|through|by|no later than|before|after|as of|"
        r"starting|from)\s(?:the\s)?$"
    ),
    re.IGNORECASE,
)


def _bounded(text: str, one: _Found, now: datetime) -> tuple[_Found, str]:
    stretch, said = one.stretch, _BOUND.search(text[max(0, one.start - 20) : one.start])
    if (
        stretch is None
        or said is None
        or (said["word"].lower() == "from" and one.match.groupdict().get("until"))
    ):
        return one, ""
    word = said["word"].lower()
    fresh = replace(one, start=one.start - len(said.group()))
    if word in ("since", "ever since", "as of", "starting", "from"):
        ended = replace(stretch, end=now) if stretch.start < now and word != "from" else stretch
        return replace(fresh, stretch=ended), "since"
    if word in ("until", "till", "through", "by", "no later than"):
        ended = replace(stretch, start=min(now, stretch.start)) if stretch.end > now else stretch
        return replace(fresh, stretch=ended), "until"
    return fresh, word
