"""Stretches of local time with their precision, and how one is counted from another; knows no words but units.

Times here are naive and local: `parts.moments` hands in when something was said as a clock on the wall shows it there,
and puts the zone back. What lies beyond the years 1 to 9999 raises ValueError or OverflowError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from simonides.parts.dates import DAYS

ONES: Sequence[str] = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # fmt: skip  # noqa: E501
TENS = {
    word: 10 * i for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
PARTS_OF_DAY = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 30)}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Local time ``[start, end)`` and how exactly it was said."""

    start: datetime
    end: datetime
    precision: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a form is read against: the local time it was said, past (-1) or future (1), and the time named before."""

    now: datetime
    tense: int = 0
    last: Stretch | None = None

    @property
    def today(self) -> datetime:
        """The midnight with which the day begins."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)


def day(start: datetime) -> Stretch:
    """Return the day that begins at a midnight."""
    return Stretch(start, start + timedelta(days=1), "day")


def week(of: datetime) -> Stretch:
    """Return the week, from Monday, of a day."""
    start = of.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=of.weekday())
    return Stretch(start, start + timedelta(days=7), "week")


def weekend(of: datetime) -> Stretch:
    """Return Saturday and Sunday of a day's week."""
    start = week(of).start + timedelta(days=5)
    return Stretch(start, start + timedelta(days=2), "day")


def months(year: int, month: int, count: int = 1, precision: str = "month") -> Stretch:
    """Return some months from one on; the month may be below 1 and above 12."""
    first = year * 12 + month - 1
    start, end = (datetime(at // 12, at % 12 + 1, 1) for at in (first, first + count))  # noqa: DTZ001
    return Stretch(start, end, precision)


def years(first: int, count: int = 1, precision: str = "year") -> Stretch:
    """Return some years from one on."""
    return months(first, 1, 12 * count, precision)


def decade(year: int) -> Stretch:
    """Return the decade of a year."""
    return years(year // 10 * 10, 10, "decade")


def number(words: str) -> int:
    """Return the number that is written: digits, words to ninety-nine, a couple, a few (three), several (four)."""
    low = words.lower()
    if low.isdigit():
        return int(low)
    for word, value in (("couple", 2), ("few", 3), ("several", 4)):
        if word in low:
            return value
    if low in ("a", "an"):
        return 1
    parts = re.split(r"[-\s]+", low)
    return sum(TENS.get(part, 0) or ONES.index(part) for part in parts)


def moved(anchor: Stretch, count: int, unit: str) -> Stretch:
    """Return a stretch so many units later, as exact as the unit and the anchor are."""
    start = anchor.start
    if unit in ("minute", "hour"):
        at = start + timedelta(**{f"{unit}s": count})
        return Stretch(at, at + timedelta(minutes=1), "instant")
    if unit in ("day", "night"):
        return day(start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=count))
    if unit in ("week", "fortnight"):
        step = timedelta(days=7 * count * (2 if unit == "fortnight" else 1))
        return replace(anchor, start=start + step, end=anchor.end + step)
    if unit == "weekend":
        return weekend(start + timedelta(days=7 * count))
    if unit in ("month", "quarter"):
        return months(start.year, start.month + count * (3 if unit == "quarter" else 1))
    return years(start.year + count) if unit == "year" else decade(start.year + 10 * count)


def weekday_at(weekday: int, said: Said, ahead: int) -> Stretch:
    """Return a weekday: -1 the latest before today, -2 the one before it; 1 that of next week, 2 of the week after."""
    if ahead < 0:
        back = (said.now.weekday() - weekday - 1) % 7 + 1
        return day(said.today - timedelta(days=back + 7 * (-ahead - 1)))
    return day(week(said.today).start + timedelta(days=weekday + 7 * ahead))


def of_unit(unit: str, said: Said, ahead: int) -> Stretch:
    """Return a whole day, week, month, season, year or decade, so many of them ahead of that in which it was said."""
    today = said.today
    if unit == "day":
        return day(today + timedelta(days=ahead))
    if unit == "week":
        return week(today + timedelta(days=7 * ahead))
    if unit == "weekend":
        return weekend(today + timedelta(days=7 * ahead))
    if unit == "fortnight":
        return Stretch(
            today + timedelta(days=14 * min(ahead, 0)), today + timedelta(days=14 * max(ahead, 0) + 1), "week"
        )
    if unit == "month":
        return months(today.year, today.month + ahead)
    if unit == "quarter":
        return months(today.year, (today.month - 1) // 3 * 3 + 1 + 3 * ahead, 3, "season")
    return years(today.year + ahead) if unit == "year" else decade(today.year + 10 * ahead)


def part_of_day(of: Stretch, name: str) -> Stretch:
    """Return the morning, afternoon, evening or night of a day; a night ends at six."""
    first, last = PARTS_OF_DAY[name.lower()]
    return Stretch(of.start + timedelta(hours=first), of.start + timedelta(hours=last), "hour")


def beside(anchor: Stretch, noun: str, side: int) -> Stretch:
    """Return the day, week or weekday right before (-1) or after (1) a stretch."""
    edge = midnight(anchor.start) if side < 0 else anchor.end - timedelta(microseconds=1)
    if noun in PARTS_OF_DAY and noun != "night":
        return part_of_day(day(midnight(edge) + timedelta(days=side)), noun)
    if noun in ("day", "night"):
        return day(midnight(edge) + timedelta(days=side))
    if noun in DAYS:
        return (
            weekday_at(DAYS.index(noun), Said(edge), -1)
            if side < 0
            else day(midnight(edge) + timedelta(days=(DAYS.index(noun) - edge.weekday() - 1) % 7 + 1))
        )
    return of_unit(noun, Said(edge), side)


def midnight(at: datetime) -> datetime:
    """Return the beginning of a day."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def thirds(whole: Stretch, part: str) -> Stretch:
    """Return the beginning, the middle or the end of a stretch: a third of its days, and four months of a year."""
    word, start = part.lower().split()[0], whole.start
    if whole.precision in ("year", "decade"):
        length = (whole.end.year - start.year) * 4
        cuts = [months(start.year, start.month + step * length).start for step in range(3)]
    else:
        cuts = [start + timedelta(days=step * ((whole.end - start).days // 3)) for step in range(3)]
        if whole.precision == "month":
            cuts = [start + timedelta(days=10 * step) for step in range(3)]
    cuts.append(whole.end)
    at = 0 if word in ("early", "beginning", "start") else 2 if word in ("late", "end") else 1
    precision = {"year": "season", "decade": "year", "season": "month", "month": "week", "week": "day"}
    return Stretch(cuts[at], cuts[at + 1], precision.get(whole.precision, whole.precision))


def easter(year: int) -> datetime:
    """Return Easter Sunday (the anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    span = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * span) // 451
    month, number_ = divmod(h + span - 7 * m + 114, 31)
    return datetime(year, month, number_ + 1)  # noqa: DTZ001
