"""A date in a question is the stretch of time that a person would mean by it, counted from the instant handed in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simonides.parts.dates import DAYS, MONTHS, find_dates

NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
"""A Saturday."""
NOWS = st.datetimes(datetime(1950, 1, 1), datetime(2090, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
DATES = st.dates(date(1900, 1, 1), date(2099, 12, 31))


def days(text: str, now: datetime = NOW) -> list[tuple[date, date]]:
    """Return first and last day of each date found."""
    return [(one.start.date(), (one.end - timedelta(days=1)).date()) for one in find_dates(text, now)]


def written(day: date, form: str) -> str:
    month = MONTHS[day.month - 1]
    suffix = "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    forms = {
        "iso": day.isoformat(),
        "american": f"{month.title()} {day.day}, {day.year}",
        "ordinal": f"{month} {day.day}{suffix}, {day.year}",
        "british": f"the {day.day}{suffix} of {month.upper()} {day.year}",
        "short": f"{day.day} {month[:3].title()} {day.year}",
    }
    return forms[form]


@settings(max_examples=150, deadline=None)
@given(DATES, st.sampled_from(["iso", "american", "ordinal", "british", "short"]), NOWS)
def test_a_whole_date_is_that_day_whatever_now_is(day: date, form: str, now: datetime) -> None:
    assert days(f"What did we do on {written(day, form)}?", now) == [(day, day)]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 12), st.integers(1, 31), NOWS)
def test_a_date_without_a_year_is_the_latest_that_is_not_to_come(month: int, day: int, now: datetime) -> None:
    past = (now.date() - timedelta(days=back) for back in range(366 * 9))
    latest = next((one for one in past if (one.month, one.day) == (month, day)), None)
    found = days(f"Who called on {MONTHS[month - 1]} {day}?", now)
    if latest is not None:
        assert found == [(latest, latest)]
    else:
        assert not any(first == last for first, last in found), "there is no such day"


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), NOWS)
def test_a_month_without_a_year_is_the_latest_that_has_begun(month: int, now: datetime) -> None:
    [(first, last)] = days(f"Where was I in {MONTHS[month - 1]}?", now)
    assert (first.month, first.day) == (month, 1)
    assert first <= now.date()
    assert (last + timedelta(days=1)).month == month % 12 + 1
    assert (now.date() - first).days < 366


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(DAYS), st.sampled_from(["last", "on", "this", "past"]), NOWS)
def test_a_weekday_is_the_latest_one(weekday: str, which: str, now: datetime) -> None:
    [(first, last)] = days(f"What happened {which} {weekday.title()}?", now)
    assert first == last
    assert DAYS[first.weekday()] == weekday
    assert 0 <= (now.date() - first).days <= 7
    if which in ("last", "past"):
        assert first < now.date()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.sampled_from(["day", "week", "month", "year"]), NOWS)
def test_so_long_ago_holds_the_day_it_was(count: int, unit: str, now: datetime) -> None:
    [(first, last)] = days(f"What did I say {count} {unit}{'s' * (count > 1)} ago?", now)
    if unit in ("day", "week"):
        day = now.date() - timedelta(days=count * (7 if unit == "week" else 1))
    else:
        months = now.year * 12 + now.month - 1 - count * (12 if unit == "year" else 1)
        day = date(months // 12, months % 12 + 1, 15)
    assert first <= day <= last
    assert (last - first).days < {"day": 1, "week": 7, "month": 31, "year": 366}[unit]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["week", "month", "year", "weekend", "night"]), NOWS)
def test_the_last_one_is_over_and_the_next_one_has_not_begun(unit: str, now: datetime) -> None:
    [(first, last)] = days(f"the trip last {unit}", now)
    assert first <= last < now.date()
    [(following, _)] = days(f"the trip this {unit}", now)
    if unit != "weekend":
        assert last < following or unit == "night"
        assert following <= now.date()
    length = (last - first).days + 1
    assert (
        length
        in {"week": {7}, "month": {28, 29, 30, 31}, "year": {365, 366}, "weekend": {2}, "night": {1}}[unit]
    )
    assert (now.date() - last).days <= {"week": 7, "month": 31, "year": 366, "weekend": 7, "night": 1}[unit]


WORDS = st.sampled_from(
    "last this in on ago two 3 days week weeks month may march 31 of the 2023 monday spring , 1999-12-31 night".split()
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS, max_size=8).map(" ".join),
    NOWS | st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
)
def test_any_words_give_spans_in_order_and_no_error(text: str, now: datetime) -> None:
    found = find_dates(text, now)
    assert all(one.start < one.end and one.start.tzinfo is UTC and one.words in text for one in found)
    places, at = [], 0
    for one in found:
        at = text.index(one.words, at)
        places.append(at)
        at += len(one.words)
    assert places == sorted(places)


@settings(max_examples=60, deadline=None)
@given(NOWS, st.integers(-12, 12))
def test_the_zone_of_now_makes_no_difference(now: datetime, hours: int) -> None:
    assume(now.year > 1950)
    elsewhere = now.astimezone(timezone(timedelta(hours=hours)))
    for text in ("yesterday", "last week", "in March", "two weeks ago", "last Monday"):
        assert find_dates(text, elsewhere) == find_dates(text, now)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("yesterday", date(2026, 3, 13), date(2026, 3, 13)),
        ("the day before yesterday", date(2026, 3, 12), date(2026, 3, 12)),
        ("today", date(2026, 3, 14), date(2026, 3, 14)),
        ("last spring", date(2025, 3, 1), date(2025, 5, 31)),
        ("in the summer of 2023", date(2023, 6, 1), date(2023, 8, 31)),
        ("last winter", date(2025, 12, 1), date(2026, 2, 28)),
        ("in 2019", date(2019, 1, 1), date(2019, 12, 31)),
        ("May 2024", date(2024, 5, 1), date(2024, 5, 31)),
        ("in May", date(2025, 5, 1), date(2025, 5, 31)),
        ("a couple of days ago", date(2026, 3, 12), date(2026, 3, 12)),
        ("in the last 3 days", date(2026, 3, 11), date(2026, 3, 14)),
        ("February 29", date(2024, 2, 29), date(2024, 2, 29)),
        ("last weekend", date(2026, 3, 7), date(2026, 3, 8)),
        ("this weekend", date(2026, 3, 14), date(2026, 3, 15)),
        ("last Saturday", date(2026, 3, 7), date(2026, 3, 7)),
        ("on Saturday", date(2026, 3, 14), date(2026, 3, 14)),
        ("2026-02-30 or 2026-02-03", date(2026, 2, 3), date(2026, 2, 3)),
    ],
)
def test_people_mean_by_it(text: str, first: date, last: date) -> None:
    assert days(f"What did we eat {text}?") == [(first, last)]


@pytest.mark.parametrize(
    "text", ["May I ask?", "It may rain", "the march of time", "room 2023", "3 weeks of rain", ""]
)
def test_no_date_is_none(text: str) -> None:
    assert days(text) == []


def test_several_dates_come_in_their_order_and_the_longest_reading_wins() -> None:
    found = days("Between March 3, 2024 and last week, or in 2019?")
    assert [first for first, _ in found] == [date(2024, 3, 3), date(2026, 3, 2), date(2019, 1, 1)]
