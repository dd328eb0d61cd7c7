"""A time that a statement names is the interval a person would mean, whenever and wherever it was said."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simonides.parts.dates import DAYS, MONTHS
from simonides.parts.moment_forms import forms
from simonides.parts.moments import LONGEST, Moment, moments, zone_of

TABLE = Path(__file__).parent / "golden" / "moments.txt"
SAID = datetime(2026, 5, 6, 10, 30, tzinfo=UTC)
"""A Wednesday."""
SAIDS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
Read = tuple[datetime, datetime, str, str] | None


def rows() -> list[tuple[str, datetime, Read]]:
    """Read the table: a text, when it was said, and the last time it names."""
    found: list[tuple[str, datetime, Read]] = []
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        text, wanted = (part.strip() for part in line.split("|"))
        wanted, _, day = wanted.partition(" @")
        said = SAID if not day else datetime.fromisoformat(f"{day}T10:30+00:00")
        span, *words = wanted.split()
        if span == "-":
            found.append((text, said, None))
            continue
        first, _, last = span.partition("..")
        start, end = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (first, last or first))
        end += timedelta(days="T" not in span)
        found.append((text, said, (start, end, words[0], words[1] if len(words) > 1 else "")))
    return found


def last(text: str, said: datetime) -> Read:
    found = moments(text, said)
    return (found[-1].start, found[-1].end, found[-1].precision, found[-1].bound) if found else None


def test_the_table_has_at_least_150_rows_and_no_text_twice() -> None:
    table = rows()
    assert len(table) >= 150
    assert len({(text, said) for text, said, _ in table}) == len(table)


def test_at_least_95_of_100_rows_of_the_table_are_right() -> None:
    wrong = [text for text, said, wanted in rows() if last(text, said) != wanted]
    assert len(wrong) <= 0.05 * len(rows()), wrong


def only(text: str, said: datetime = SAID, zone: str = "") -> Moment:
    (found,) = moments(text, said, zone)
    return found


def test_a_day_is_a_day_where_it_was_said() -> None:
    said = datetime(2026, 5, 6, 23, 30, tzinfo=UTC)  # half past eight in the morning of the 7th in Tokyo
    assert only("I met her yesterday.", said, "Asia/Tokyo").start == datetime(2026, 5, 5, 15, tzinfo=UTC)
    assert only("I met her yesterday.", said, "-08:00").start == datetime(2026, 5, 5, 8, tzinfo=UTC)
    assert only("I met her yesterday.", said.astimezone(ZoneInfo("Asia/Tokyo"))).start.hour == 15


def test_a_day_with_a_change_of_the_clock_is_an_hour_shorter() -> None:
    found = only("I slept badly yesterday.", datetime(2026, 3, 30, 12, tzinfo=UTC), "Europe/Berlin")
    assert found.end - found.start == timedelta(hours=23)


@pytest.mark.parametrize("name", ["", "Nowhere/Else", "../etc/passwd", "+99:00", "\0"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone_of(name) is None


def test_times_come_in_the_order_of_the_text_with_their_places() -> None:
    text = "Yesterday I packed, tomorrow I fly, and next week I rest."
    found = moments(text, SAID)
    assert [one.words for one in found] == ["Yesterday", "tomorrow", "next week"]
    assert [text[slice(*one.span)] for one in found] == [one.words for one in found]


WORDS = [
    *DAYS,
    *MONTHS,
    *(
        "last next this the of in on at a an two 3 31 29 99 9999 2019 0 week weeks ago month "
        "year decade from to until "
        "since before after day later and - , . : 12:99 25pm 7pm morning end early christmas "
        "easter that same following"
    ).split(),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), SAIDS)
@example("9999 decades ago and in 9999 years, 9999 weeks from now", datetime(9999, 12, 31, 23, tzinfo=UTC))
@example("yesterday, 9999 years ago, the day before, last month", datetime(1, 1, 1, tzinfo=UTC))
@example("on 31 June, 2025-13-45, 99/99/2025, the fifth Monday of February 2026", SAID)
def test_any_words_at_any_time_give_intervals_and_never_an_error(text: str, said: datetime) -> None:
    for zone in ("", "Pacific/Kiritimati", "-12:00"):
        for one in moments(text, said, zone):
            assert one.start <= one.end
            assert text[slice(*one.span)] == one.words
            assert one.start.tzinfo is UTC


@given(st.text(max_size=600))
def test_any_text_is_read(text: str) -> None:
    assert all(one.words in text for one in moments(text, SAID))


@given(st.integers(1, 3000), st.sampled_from(["days", "weeks", "months", "years"]))
def test_ago_lies_before_and_in_lies_after(count: int, unit: str) -> None:
    for text, ago in ((f"It was {count} {unit} ago.", True), (f"It will be in {count} {unit}.", False)):
        for one in moments(text, SAID):
            middle = one.start + (one.end - one.start) / 2
            assert middle < SAID if ago else middle > SAID


@pytest.mark.parametrize(
    "text",
    [
        "the day after ",
        "a " * 3,
        "last ",
        "3 ",
        "from Monday to ",
        "two weeks ",
        "in the ",
        " ",
        "the end of ",
        "12:",
        "9" * 7,
        "May 3-",
        "christmas ",
    ],
)
def test_hostile_texts_take_time_in_proportion(text: str) -> None:
    def seconds(size: int) -> float:
        given_ = (text * size)[: size * 4]
        begun = time.perf_counter()
        moments(given_, SAID)
        return time.perf_counter() - begun

    seconds(10)
    assert min(seconds(LONGEST // 4) for _ in range(2)) < 0.5


def test_each_form_is_in_the_table() -> None:
    texts = [text for text, _, _ in rows()] + [
        "It was half a year ago.",
        "two summers ago",
        "at the weekend",
        "the week of May 18",
        "in 1990s style",
    ]
    unused = [name for name, pattern, _ in forms() if not any(pattern.search(text) for text in texts)]
    assert unused == []


def test_other_zones_than_utc_are_kept_by_the_said_time() -> None:
    said = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert only("I moved last year.", said).start == datetime(2024, 12, 31, 22, tzinfo=UTC)
