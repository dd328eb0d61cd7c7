"""Find dates in a question and turn them into spans of time; knows no memory and no ranking.

English, deterministic, resolved against the instant handed in (never against the machine's clock). A date without a
year is the latest one that is not after that instant, because people ask about what has been.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = ("january february march april may june july august september october november december").split()
DAYS: Sequence[str] = "monday tuesday wednesday thursday friday saturday sunday".split()
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""First month of each (northern, meteorological) season, three months long."""
NUMBERS = {
    word: i
    for i, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"a": 1, "an": 1, "couple": 2, "few": 3}

_MONTH = "(?P<month>" + "|".join(f"{m[:3]}(?:{m[3:]})?" if m != "may" else "may" for m in MONTHS) + r")\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_COUNT = r"(?P<count>\d{1,3}|" + "|".join(NUMBERS) + ")"


@dataclass(frozen=True, slots=True)
class Dated:
    """A stretch of time that a text names: ``[start, end)`` in UTC, and the words that named it."""

    start: datetime
    end: datetime
    words: str


def find_dates(text: str, now: datetime) -> list[Dated]:
    """Return the dates a question names, in order, resolved against `now`; overlapping readings give the longest."""
    found: list[tuple[int, int, Dated]] = []
    for pattern, resolve in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end, _ in found):
                continue
            span = _safely(resolve, match, now.astimezone(UTC))
            if span is not None:
                found.append((match.start(), match.end(), Dated(*span, match.group().strip())))
    return [dated for _, _, dated in sorted(found, key=lambda item: item[0])]


Resolve = Callable[["re.Match[str]", datetime], "tuple[datetime, datetime] | None"]


def _safely(resolve: Resolve, match: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    try:
        return resolve(match, now)
    except (ValueError, OverflowError):  # the 31st of June, a thousand years ago
        return None


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _days(start: datetime, count: int = 1) -> tuple[datetime, datetime]:
    return start, start + timedelta(days=count)


def _months(year: int, month: int, count: int = 1) -> tuple[datetime, datetime]:
    first, last = year * 12 + month - 1, year * 12 + month - 1 + count
    return datetime(first // 12, first % 12 + 1, 1, tzinfo=UTC), datetime(
        last // 12, last % 12 + 1, 1, tzinfo=UTC
    )


def _month_number(match: re.Match[str]) -> int:
    return next(i for i, name in enumerate(MONTHS, 1) if name.startswith(match["month"].lower()[:3]))


def _number(match: re.Match[str]) -> int:
    word = match["count"].lower()
    return NUMBERS[word] if word in NUMBERS else int(word)


def _iso(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    return _days(datetime(int(match["year"]), int(match["mm"]), int(match["day"]), tzinfo=UTC))


def _full(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    month, day = _month_number(match), int(match["day"])
    if match["year"]:
        return _days(datetime(int(match["year"]), month, day, tzinfo=UTC))
    for year in range(now.year, now.year - 9, -1):  # nine, for the 29th of February
        if day <= monthrange(year, month)[1] and (start := datetime(year, month, day, tzinfo=UTC)) <= now:
            return _days(start)
    raise ValueError(f"month {month} never has a day {day}")


def _month_year(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    return _months(int(match["year"]), _month_number(match))


def _month_alone(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    month = _month_number(match)
    year = now.year if month <= now.month else now.year - 1
    if match["which"].lower() == "last" and month == now.month:
        year -= 1
    return _months(year, month)


def _year(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    return _months(int(match["year"]), 1, 12)


def _season(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    month = SEASONS[match["season"].lower()]
    year = int(match["year"]) if match["year"] else now.year
    if not match["year"] and (
        month > now.month or ((match["which"] or "").lower() == "last" and now.month < month + 3)
    ):
        year -= 1
    return _months(year, month, 3)


def _ago(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    count, unit = _number(match), match["unit"].lower()
    today = _midnight(now)
    if unit == "day":
        return _days(today - timedelta(days=count))
    if unit == "week":  # people round: three weeks ago is a matter of days either way
        return _days(today - timedelta(days=7 * count + 3), 7)
    if unit == "month":
        at = now.year * 12 + now.month - 1 - count
        return _months(at // 12, at % 12 + 1)
    return _months(now.year - count, 1, 12)


def _past(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    days = {"day": 1, "week": 7, "month": 31, "year": 366}[match["unit"].lower()] * _number(match)
    return _midnight(now) - timedelta(days=days), _midnight(now) + timedelta(days=1)


def _last(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    today, back = _midnight(now), 0 if match["which"].lower() == "this" else 1
    unit = match["unit"].lower()
    if unit == "night":
        return _days(today - timedelta(days=back))
    if unit == "week":
        return _days(today - timedelta(days=today.weekday() + 7 * back), 7)
    if unit == "weekend":
        return _days(today - timedelta(days=today.weekday() + 7 * back - 5), 2)
    if unit == "month":
        at = now.year * 12 + now.month - 1 - back
        return _months(at // 12, at % 12 + 1)
    return _months(now.year - back, 1, 12)


def _weekday(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    back = (now.weekday() - DAYS.index(match["weekday"].lower())) % 7
    if back == 0 and match["which"] and match["which"].lower() in ("last", "past"):
        back = 7
    return _days(_midnight(now) - timedelta(days=back))


def _near(match: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    back = {"today": 0, "tonight": 0, "yesterday": 1, "the day before yesterday": 2}[match.group().lower()]
    return _days(_midnight(now) - timedelta(days=back))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b{pattern}\b", re.IGNORECASE)


_UNIT = "(?P<unit>day|week|month|year)s?"
_PATTERNS: tuple[tuple[re.Pattern[str], Resolve], ...] = (
    (_compiled(rf"{_YEAR}-(?P<mm>[01]?\d)-(?P<day>[0-3]?\d)"), _iso),
    (_compiled(rf"{_DAY}(?:\s+of)?\s+{_MONTH},?(?:\s+{_YEAR})?"), _full),
    (_compiled(rf"{_MONTH}\s+{_DAY},?(?:\s+{_YEAR})?"), _full),
    (_compiled(rf"{_MONTH},?\s+(?:of\s+)?{_YEAR}"), _month_year),
    (
        _compiled(
            rf"(?P<which>in|last|this|since|during|of|by|until|before|after|early|late|mid)\s+{_MONTH}"
        ),
        _month_alone,
    ),
    (
        _compiled(
            rf"(?:(?P<which>last|this|in|in the|during)\s+)?(?P<season>{'|'.join(SEASONS)})(?:\s+(?:of\s+)?{_YEAR})"
        ),
        _season,
    ),
    (_compiled(rf"(?P<which>last|this|in|in the)\s+(?P<season>{'|'.join(SEASONS)})(?P<year>)"), _season),
    (_compiled(rf"{_COUNT}(?:\s+of)?\s+{_UNIT}\s+(?:ago|earlier|back)"), _ago),
    (_compiled(rf"(?:past|last)\s+{_COUNT}\s+{_UNIT}"), _past),
    (_compiled(r"(?P<which>last|this|past)\s+(?P<unit>night|weekend|week|month|year)"), _last),
    (_compiled(rf"(?:(?P<which>last|this|on|past)\s+)(?P<weekday>{'|'.join(DAYS)})"), _weekday),
    (_compiled(r"(?:the day before yesterday|yesterday|today|tonight)"), _near),
    (_compiled(rf"(?:in|of|since|during|by|before|after|until)\s+{_YEAR}"), _year),
)
