"""The forms in which English names a time, each with the stretch it means; knows neither texts nor zones.

Times here are naive and local: `parts.moments` hands in when something was said as a clock on the wall shows it there,
and puts the zone back. A form that means nothing (the 31st of June) raises ValueError or OverflowError.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from simonides.parts.dates import DAYS, MONTHS, SEASONS
from simonides.parts.moment_stretches import (
    ONES,
    PARTS_OF_DAY,
    TENS,
    Said,
    Stretch,
    beside,
    day,
    decade,
    easter,
    midnight,
    months,
    moved,
    number,
    of_unit,
    part_of_day,
    week,
    weekday_at,
    weekend,
    years,
)

W = "[\\s\u00a0]{1,3}"
"""Between two words; bounded, so that a run of blanks costs nothing."""
_NTH = {word: i for i, word in enumerate("first second third fourth fifth".split(), 1)}
_SHORT_DAYS = "mon tues? wed thu(?:rs?)? fri sat sun".split()
_FIXED = {
    "christmas eve": (12, 24),
    "christmas": (12, 25),
    "boxing day": (12, 26),
    "new year's eve": (12, 31),
    "new year's": (1, 1),
    "halloween": (10, 31),
    "valentine's": (2, 14),
    "independence day": (7, 4),
}

COUNT = (
    rf"(?P<count>\d{{1,4}}|(?:{'|'.join(TENS)})(?:[-\s](?:{'|'.join(ONES[1:10])}))?|"
    rf"{'|'.join(reversed(ONES))}|"
    rf"(?:a{W})?(?:couple|few)(?:{W}of)?|several|an?)"
)
UNIT = r"(?P<unit>minute|hour|day|night|weekend|week|fortnight|month|quarter|year|decade)s?"
_DAYNAME = rf"(?P<weekday>{'|'.join(DAYS)}|(?-i:{'|'.join(d.title() for d in _SHORT_DAYS)})\b\.?)"
_MONTH = (
    "(?P<month>" + "|".join(f"{m[:3]}{'t?' if m[0] == 's' else ''}(?:{m[3:]})?" for m in MONTHS) + r")\b\.?"
)
_SEASON = f"(?P<season>{'|'.join(SEASONS)})"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?![\w:%/])"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?![\w-]|[.,]\d)"
_WHICH = rf"(?P<which>last|past|previous|this{W}past|this{W}coming|this|coming|next|upcoming)"
_PART = rf"(?P<part>early|mid(?:dle{W}of)?|late|(?:beginning|start|middle|end){W}of)"


Form = Callable[["re.Match[str]", Said], "Stretch | None"]


def _around(said: Said, count: int, unit: str) -> Stretch:
    if unit in ("minute", "hour"):
        return moved(Stretch(said.now, said.now, "instant"), count, unit)
    at = moved(day(said.today), count, unit)
    if unit in ("week", "fortnight"):  # people round: three weeks ago is a matter of days either way
        return Stretch(at.start - timedelta(days=3), at.start + timedelta(days=4), "week")
    if unit == "weekend" and count < 0 and said.now.weekday() >= 5:
        return at
    return at


def _month_of(match: re.Match[str]) -> int:
    name = match["month"].lower().rstrip(".")[:3]
    return next(i for i, month in enumerate(MONTHS, 1) if month.startswith(name))


def _weekday_of(match: re.Match[str]) -> int:
    return next(i for i, name in enumerate(DAYS) if name.startswith(match["weekday"].lower()[:3]))


def _dated(match: re.Match[str], said: Said) -> Stretch:
    """A day of a month; without a year it is the nearest one that the tense allows."""
    month, number_ = _month_of(match), int(match["day"])
    last = int(match["until"]) if match.groupdict().get("until") else number_
    if match["year"]:
        year = int(match["year"])
        return Stretch(datetime(year, month, number_), datetime(year, month, last) + timedelta(days=1), "day")  # noqa: DTZ001
    near = range(said.now.year - 8, said.now.year + 9)  # eight, for the 29th of February
    fits = (year for year in near if max(number_, last) <= monthrange(year, month)[1])
    dates = [datetime(year, month, number_) for year in fits]  # noqa: DTZ001
    if said.tense:
        dates = [one for one in dates if (one <= said.now if said.tense < 0 else one >= said.today)]
    start = min(dates, key=lambda one: abs(one - said.today))
    return Stretch(start, start.replace(day=last) + timedelta(days=1), "day")


def _iso(match: re.Match[str], said: Said) -> Stretch:
    del said
    start = datetime(int(match["y"]), int(match["mm"]), int(match["d"]))  # noqa: DTZ001
    if match["hour"]:
        at = start.replace(hour=int(match["hour"]), minute=int(match["minute"]))
        return Stretch(at, at + timedelta(minutes=1), "instant")
    return day(start)


def _slashed(match: re.Match[str], said: Said) -> Stretch:
    """Month first where it can be, as Americans write; the day first with full stops."""
    del said
    one, other = int(match["a"]), int(match["b"])
    first = match["sign"] == "." or one > 12
    number_, month = (one, other) if first else (other, one)
    year = int(match["y"])
    return day(datetime(year + (2000 if year < 100 else 0), month, number_))  # noqa: DTZ001


def _which(match: re.Match[str]) -> str:
    which = " ".join((match["which"] or "").lower().split())
    return {
        "past": "last",
        "previous": "last",
        "this past": "last",
        "coming": "next",
        "upcoming": "next",
    }.get(which, which)


def _named_month(match: re.Match[str], said: Said) -> Stretch:
    month, which = _month_of(match), _which(match)
    return _turn(said, match["year"], which, months(said.now.year, month))


def _named_season(match: re.Match[str], said: Said) -> Stretch:
    month = SEASONS[match["season"].lower()]
    return _turn(said, match["year"], _which(match), months(said.now.year, month, 3, "season"))


def _turn(said: Said, year: str | None, which: str, this: Stretch) -> Stretch:
    """Return which year's month, season or holiday is meant; `this` is the one of this year."""

    def of(ahead: int) -> Stretch:
        length = (this.end.year - this.start.year) * 12 + this.end.month - this.start.month
        return months(this.start.year + ahead, this.start.month, length, this.precision)

    if year:
        return of(int(year) - this.start.year)
    if which in ("last", "next"):
        order = (0, -1, -2) if which == "last" else (-1, 0, 1)
        return next(
            one
            for one in map(of, order)
            if (one.end <= said.now if which == "last" else one.start > said.now)
        )
    if which in ("this", "this coming"):
        return next((one for one in (of(-1), this) if one.start <= said.now < one.end), this)
    if said.tense == 0:
        return min(map(of, (-1, 0, 1)), key=lambda one: abs(one.start - said.today))
    order = (0, -1) if said.tense < 0 else (-1, 0, 1)
    return next(
        one for one in map(of, order) if (one.start <= said.now if said.tense < 0 else one.end > said.now)
    )


def _unit(match: re.Match[str], said: Said) -> Stretch:
    which = _which(match)
    ahead = {"last": -1, "next": 1}.get(which, 0)
    return of_unit(match["unit"].lower(), said, ahead)


def _beyond(match: re.Match[str], said: Said) -> Stretch:
    ahead = -2 if match["order"].lower().startswith("before") else 2
    if match["weekday"]:
        return weekday_at(_weekday_of(match), said, ahead)
    return of_unit(match["unit"].lower(), said, ahead)


def _weekday(match: re.Match[str], said: Said) -> Stretch:
    weekday, which = _weekday_of(match), _which(match)
    if which in ("last", "next") and match["which"].lower() not in ("coming", "upcoming"):
        return weekday_at(weekday, said, -1 if which == "last" else 1)
    if which == "this" and said.tense >= 0 and said.now.weekday() <= weekday:
        return day(week(said.today).start + timedelta(days=weekday))
    if said.tense < 0 and which not in ("next", "this coming"):
        return day(said.today - timedelta(days=(said.now.weekday() - weekday) % 7))
    ahead = (weekday - said.now.weekday()) % 7
    return day(said.today + timedelta(days=ahead or 7 * (which in ("next", "this coming"))))


def _ago(match: re.Match[str], said: Said) -> Stretch:
    count = number(match["count"])
    if match["weekday"]:
        return weekday_at(_weekday_of(match), said, -count)
    return _around(said, -count, match["unit"].lower())


def _half_ago(match: re.Match[str], said: Said) -> Stretch:
    if match["halved"]:
        return _around(
            said,
            -6 if match["halved"].lower() == "year" else -30,
            "month" if match["halved"].lower() == "year" else "minute",
        )
    count, unit = {"year": (18, "month"), "month": (6, "week"), "week": (10, "day"), "day": (36, "hour")}[
        match["unit"].lower()
    ]
    return _around(said, -count, unit)


def _seasons_ago(match: re.Match[str], said: Said) -> Stretch:
    this = months(said.now.year, SEASONS[match["season"].lower()], 3, "season")
    ended = said.now.year - (this.end > said.now)
    return months(ended - number(match["count"]) + 1, this.start.month, 3, "season")


def _weekend_at(match: re.Match[str], said: Said) -> Stretch:
    del match
    return weekend(said.today - timedelta(days=7 if said.tense < 0 and said.now.weekday() < 5 else 0))


def _week_of(match: re.Match[str], said: Said) -> Stretch:
    name, number_ = (match["month"], match["day"]) if match["month"] else (match["name"], match["first"])
    found = re.match(rf"{_MONTH}{W}{_DAY}(?P<year>x)?", f"{name} {number_}", re.IGNORECASE)
    if found is None:
        raise ValueError("no such day")
    return week(_dated(found, said).start)


def _hence(match: re.Match[str], said: Said) -> Stretch | None:
    if said.tense < 0 and match.group().lower().startswith("in"):
        return None  # "I finished it in three days" says how long it took
    return _around(said, number(match["count"]), match["unit"].lower())


def _running(match: re.Match[str], said: Said) -> Stretch:
    """The last three months, the next two weeks, within a year: from or until the moment it was said."""
    back = (match["which"] or "next").lower() in ("last", "past", "previous")
    count, unit = number(match["count"]), match["unit"].lower()
    precision = {
        "minute": "instant",
        "hour": "hour",
        "night": "day",
        "weekend": "week",
        "fortnight": "week",
        "quarter": "season",
    }.get(unit, unit)
    if unit in ("minute", "hour"):
        step = timedelta(**{f"{unit}s": count})
        return Stretch(said.now - step * back, said.now + step * (not back), precision)
    far = moved(day(said.today), -count if back else count, unit).start
    if unit in ("month", "quarter", "year", "decade"):
        wanted = min(said.today.day, monthrange(far.year, far.month)[1])
        far = far.replace(month=far.month if unit != "year" else said.today.month)
        far = far.replace(day=min(wanted, monthrange(far.year, far.month)[1]))
    tomorrow = said.today + timedelta(days=1)
    return (
        Stretch(far, tomorrow, precision) if back else Stretch(said.today, far + timedelta(days=1), precision)
    )


def _near(match: re.Match[str], said: Said) -> Stretch:
    words = " ".join(match.group().lower().split())
    if words == "the other day":
        return Stretch(said.today - timedelta(days=7), said.today, "week")
    if words in ("tonight", "last night"):
        return part_of_day(day(said.today - timedelta(days=words != "tonight")), "night")
    if words.startswith("this "):
        return part_of_day(day(said.today), words[5:])
    ahead = {"day before": -2, "day after": 2, "yesterday": -1, "tomorrow": 1}
    return day(said.today + timedelta(days=next((n for word, n in ahead.items() if word in words), 0)))


def _rest(match: re.Match[str], said: Said) -> Stretch:
    unit = match["unit"].lower()
    whole = day(said.today) if unit == "today" else of_unit(unit, said, 0)
    if match["side"].lower() == "later":
        return replace(whole, start=min(said.now, whole.end))
    return replace(whole, end=max(said.now, whole.start))


def _ordinal(match: re.Match[str], said: Said) -> Stretch:
    """The first week of May, the last Friday of next month."""
    within = _named_month(match, said) if match["month"] else _unit_of(match, said)
    word = match["nth"].lower()
    nth = _NTH.get(word) or (int(word[0]) if word[0].isdigit() else 0)
    if match["weekday"] or match["what"] == "weekend":
        wanted = _weekday_of(match) if match["weekday"] else 5
        first = within.start + timedelta(days=(wanted - within.start.weekday()) % 7)
        last = within.end - timedelta(days=(within.end.weekday() - wanted - 1) % 7 + 1)
        start = first + timedelta(days=7 * (nth - 1)) if nth else last
        if start >= within.end:
            raise ValueError("there is no fifth one")
        return day(start) if match["weekday"] else weekend(start)
    length = 7 if match["what"].lower() == "week" else 1
    start = within.start + timedelta(days=length * (nth - 1)) if nth else within.end - timedelta(days=length)
    return Stretch(start, start + timedelta(days=length), "week" if length == 7 else "day")


def _unit_of(match: re.Match[str], said: Said) -> Stretch:
    ahead = {"last": -1, "next": 1}.get((match["in"] or "").lower(), 0)
    return of_unit(match["span"].lower(), said, ahead)


def _numbered(match: re.Match[str], said: Said) -> Stretch:
    """On the 5th: of the month that the tense asks for."""
    for ahead in range(12):
        month = months(said.now.year, said.now.month + (-ahead if said.tense < 0 else ahead)).start
        if int(match["day"]) <= monthrange(month.year, month.month)[1]:
            start = month.replace(day=int(match["day"]))
            if start <= said.now if said.tense < 0 else start >= said.today:
                return day(start)
    raise ValueError("no month has such a day")


def _decade(match: re.Match[str], said: Said) -> Stretch:
    text = match["decade"].lower().strip("'\u2019")
    if not text[0].isdigit():
        tens = {
            "twenties": 2020,
            "thirties": 1930,
            "forties": 1940,
            "fifties": 1950,
            "sixties": 1960,
            "seventies": 1970,
            "eighties": 1980,
            "nineties": 1990,
        }
        return decade(tens[text])
    value = int(text[:-1])
    if value >= 100:
        return decade(value)
    return decade(2000 + value if 2000 + value <= said.now.year else 1900 + value)


def _quarter(match: re.Match[str], said: Said) -> Stretch:
    year = int(match["year"]) if match["year"] else said.now.year
    return months(year, 3 * int(match["q"]) - 2, 3, "season")


def _holiday(match: re.Match[str], said: Said) -> Stretch:
    name = match["holiday"].lower().replace("\u2019", "'").removesuffix(" day")

    def of(year: int) -> Stretch:
        if "easter" in name or name == "good friday":
            return day(easter(year) + timedelta(days={"good friday": -2, "easter monday": 1}.get(name, 0)))
        if name == "thanksgiving":
            first = datetime(year, 11, 1)  # noqa: DTZ001
            return day(first + timedelta(days=(3 - first.weekday()) % 7 + 21))
        key = name if name in _FIXED else f"{name} day"
        return day(datetime(year, *_FIXED[key]))  # noqa: DTZ001

    which, year = _which(match), said.now.year
    if match["year"]:
        return of(int(match["year"]))
    if which == "last" or (which != "next" and said.tense < 0):
        return next(
            one for one in map(of, (year, year - 1)) if one.end <= said.now or one.start == said.today
        )
    return next(one for one in map(of, (year, year + 1)) if one.start >= said.today)


def _same(match: re.Match[str], said: Said) -> Stretch | None:
    """That day, that week: of the time named before."""
    if said.last is None:
        return None
    noun = match["noun"].lower()
    if noun in PARTS_OF_DAY:
        return part_of_day(day(midnight(said.last.start)), noun)
    return of_unit(noun, Said(said.last.start), 0)


def _next_to(match: re.Match[str], said: Said) -> Stretch | None:
    """The next day, the following week, the previous month: beside the time named before."""
    if said.last is None:
        return None
    back = match["side"].lower() == "previous"
    return beside(said.last, match["noun"].lower(), -1 if back else 1)


def _year(match: re.Match[str], said: Said) -> Stretch:
    del said
    return years(int(match["year"]))


NEEDS_WORD = frozenset({"month", "year", "numbered"})
"""Forms that count only after a word such as "in": a month's name alone may be a person's, a year a number."""


_NOUN = rf"(?P<noun>day|night|morning|afternoon|evening|weekend|week|month|year|decade|{'|'.join(DAYS)})"
_NAMED = rf"(?:{_PART}{W}(?:the{W})?|(?P<mid>mid)-)?(?:{_WHICH}{W}|the{W})?"
_TO = rf"(?:[ ]?[-\u2013][ ]?|{W}(?:to|and|until|through|till){W}(?:the{W})?)"
_ROWS: tuple[tuple[str, str, Form], ...] = (
    ("iso", r"(?P<y>\d{4})-(?P<mm>\d{1,2})-(?P<d>\d{1,2})(?:[T ](?P<hour>\d\d):(?P<minute>\d\d))?", _iso),
    ("slashed", r"(?P<a>\d{1,2})(?P<sign>[/.])(?P<b>\d{1,2})(?P=sign)(?P<y>\d{4}|\d\d)(?!\d)", _slashed),
    (
        "dated",
        rf"{_DAY}{_TO}(?P<until>[0-3]?\d)(?:st|nd|rd|th)?{W}(?:of{W})?{_MONTH}(?:,?{W}{_YEAR})?",
        _dated,
    ),
    (
        "dated",
        (
            rf"{_MONTH}{W}(?:the{W})?{_DAY}{_TO}(?P<until>[0-3]?\d)(?:st|nd|rd|"
            rf"th)?(?![\w:%/])(?:,?{W}{_YEAR})?"
        ),
        _dated,
    ),
    ("dated", rf"(?:the{W})?{_DAY}{W}(?:of{W})?{_MONTH}(?:,?{W}{_YEAR})?", _dated),
    ("dated", rf"{_MONTH}{W}(?:the{W})?{_DAY}(?:,?{W}{_YEAR})?", _dated),
    ("month", rf"{_NAMED}{_MONTH}(?:,?{W}(?:of{W})?{_YEAR})?", _named_month),
    ("season", rf"{_NAMED}{_SEASON}(?:{W}(?:of{W})?{_YEAR})?", _named_season),
    (
        "unit",
        (
            rf"(?:{_PART}{W}(?:the{W})?|(?P<mid>mid)-)?{_WHICH}{W}(?P<unit>week|weekend|fortnight|"
            rf"month|quarter|year|decade)"
        ),
        _unit,
    ),
    ("unit", rf"{_PART}{W}(?:the{W})?(?P<which>)(?P<unit>week|month|quarter|year|decade)", _unit),
    ("year", rf"(?:{_PART}{W}|(?P<mid>mid)-)?{_YEAR}", _year),
    ("weekday", rf"(?:{_WHICH}{W})?{_DAYNAME}", _weekday),
    (
        "beyond",
        (
            rf"(?:the{W})?(?:{_DAYNAME}|(?P<unit>week|weekend|month|year)){W}(?P<order>before{W}last|"
            rf"after{W}next)"
        ),
        _beyond,
    ),
    ("ago", rf"{COUNT}{W}(?:{_DAYNAME}s?|{UNIT})(?:{W}or{W}so)?{W}(?:ago|back)", _ago),
    (
        "ago",
        (
            rf"(?P<half>a{W}(?P<unit>year|month|week|day){W}and{W}a{W}half|"
            rf"half{W}an?{W}(?P<halved>year|hour)){W}ago"
        ),
        _half_ago,
    ),
    ("ago", rf"{COUNT}{W}{_SEASON}s{W}ago", _seasons_ago),
    ("unit", rf"(?P<which>)at{W}the{W}(?P<unit>weekend)", _weekend_at),
    (
        "week of",
        (
            rf"(?:the{W})?week{W}of{W}(?:the{W})?(?:{_MONTH}{W}{_DAY}|(?P<first>[0-3]?\d)(?:st|nd|rd|"
            rf"th)?{W}(?:of{W})?{_MONTH.replace('<month>', '<name>')})"
        ),
        _week_of,
    ),
    ("hence", rf"in{W}(?:about{W}|around{W})?{COUNT}{W}{UNIT}(?:['\u2019]?{W}time)?", _hence),
    ("hence", rf"{COUNT}{W}{UNIT}{W}from{W}(?:now|today)", _hence),
    ("running", rf"(?P<which>last|past|previous|next|coming){W}{COUNT}{W}{UNIT}", _running),
    ("running", rf"(?P<which>)within{W}(?:the{W}next{W})?{COUNT}{W}{UNIT}", _running),
    (
        "near",
        (
            rf"(?:the{W})?day{W}before{W}yesterday|(?:the{W})?day{W}after{W}tomorrow|yesterday|today|"
            rf"tomorrow|tonight|last{W}night|"
            rf"this{W}(?:morning|afternoon|evening)|the{W}other{W}day"
        ),
        _near,
    ),
    ("rest", rf"(?P<side>earlier|later){W}(?:this{W})?(?P<unit>today|week|month|year|decade)", _rest),
    (
        "ordinal",
        (
            rf"(?:the{W})?(?P<nth>first|second|third|fourth|fifth|last|[1-5](?:st|nd|rd|"
            rf"th)){W}(?:{_DAYNAME}|(?P<what>weekend|week|day)){W}(?:of|in){W}"
            rf"(?:(?P<which>last|this|next){W})?(?:{_MONTH}(?:,?{W}(?:of{W})?{_YEAR})?|(?:the{W}|"
            rf"(?P<in>last|this|next){W})?(?P<span>month|year))"
        ),
        _ordinal,
    ),
    (
        "numbered",
        (
            r"the[ ](?P<day>[0-3]?\d)(?:st|nd|rd|th)(?=[.,;:!?)]|$|[ ](?:and|at|to|for|with|but|or|"
            r"because|we|i|when|until|he|she|they)\b)"
        ),
        _numbered,
    ),
    (
        "decade",
        (
            r"(?:the[ ])(?P<decade>['\u2019]?(?:(?:19|20)\d|\d)0s|twenties|thirties|forties|fifties|"
            r"sixties|seventies|eighties|nineties)"
        ),
        _decade,
    ),
    ("decade", r"(?P<decade>(?:19|20)\d0s)", _decade),
    ("quarter", rf"Q(?P<q>[1-4])(?:{W}(?:of{W})?{_YEAR})?", _quarter),
    (
        "holiday",
        (
            rf"(?:{_WHICH}{W})?(?P<holiday>christmas eve|christmas(?: day)?|boxing day|new "
            rf"year['\u2019]s eve|new year['\u2019]s(?: day)?|halloween|"
            rf"valentine['\u2019]s day|independence day|thanksgiving|good friday|easter(?: sunday| "
            rf"monday)?)(?:,?{W}(?:of{W}|in{W})?{_YEAR})?"
        ),
        _holiday,
    ),
    ("same", rf"(?:that|(?:the|that){W}(?:very{W})?same){W}{_NOUN}", _same),
    ("beside", rf"the{W}(?P<side>next|following|previous){W}{_NOUN}", _next_to),
)


@lru_cache(maxsize=1)
def forms() -> tuple[tuple[str, re.Pattern[str], Form], ...]:
    """Return the forms: a name, a pattern, and what the match means; the longest match of a place counts."""
    return tuple(
        (name, re.compile(rf"\b(?:{text})(?!\w)", re.IGNORECASE), form) for name, text, form in _ROWS
    )
