"""What was true and what was believed when, as lanes on one axis of time; pure, knows no HTML and no store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simonides.types import Memory

LEAST = timedelta(minutes=1)
"""The shortest window, so that a single instant has a width."""
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""Between these a window can be; the rest of the calendar is room for zones."""
MARGIN = 0.04
TICKS = 8
_STEPS = tuple(
    timedelta(minutes=many)
    for many in (1, 5, 15, 60, 3 * 60, 6 * 60, 12 * 60, 24 * 60, 2 * 24 * 60, 7 * 24 * 60)
)
_MONTHS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12_000)
"""Steps of dates, short ones as they are and long ones in months of the calendar."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that is shown."""

    start: datetime
    end: datetime

    def place(self, time: datetime | None) -> float:
        """Return where an instant lies, 0 at the start and 1 at the end; None is after the end."""
        if time is None:
            return 1.0
        return min(max((time - self.start) / (self.end - self.start), 0.0), 1.0)

    def zoomed(self, factor: float, centre: datetime | None = None) -> Window:
        """Return a window so many times as long, around a time; its middle by default."""
        middle = centre or self.start + (self.end - self.start) / 2
        length = (self.end - self.start) * min(factor, (LAST - FIRST) / (self.end - self.start))
        half = max(length, LEAST) / 2
        return _window(middle, half)

    def moved(self, share: float) -> Window:
        """Return the window that lies so many of its lengths later."""
        half = (self.end - self.start) / 2
        room = LAST - self.end if share > 0 else FIRST - self.start
        by = half * 2 * share
        return _window(self.start + half + (min(by, room) if share > 0 else max(by, room)), half)


def _window(middle: datetime, half: timedelta) -> Window:
    """Return a window within the years that can be written."""
    half = min(half, (LAST - FIRST) / 2)
    middle = FIRST + half if middle - FIRST < half else LAST - half if LAST - middle < half else middle
    return Window(middle - half, middle + half)


@dataclass(frozen=True, slots=True)
class Bar:
    """One version on the axis, by both clocks.

    Attributes:
        true: from where to where it was true in the world, in [0, 1] of the window.
        believed: from where to where the store said so.
        current: whether it is believed now.
    """

    memory: Memory
    true: tuple[float, float]
    believed: tuple[float, float]
    current: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One memory with its versions, oldest first."""

    memory: Memory
    bars: tuple[Bar, ...]


def believed(memory: Memory) -> bool:
    """Tell whether a version is believed now."""
    return memory.recorded.end is None


def newest(versions: Sequence[Memory]) -> Memory:
    """Return the version that stands for a memory: the believed one that was true last, else the last written."""
    held = [one for one in versions if believed(one)]
    return max(held, key=lambda one: one.valid.start) if held else versions[-1]


def reach(histories: Iterable[Sequence[Memory]], now: datetime) -> Window:
    """Return a window that holds everything of these memories, and now, with a margin."""
    spans = [span for versions in histories for one in versions for span in (one.valid, one.recorded)]
    times = [time for span in spans for time in (span.start, span.end) if time is not None]
    start, end = min([*times, now]), max([*times, now])
    length = max(end - start, LEAST)
    return _window(start + (end - start) / 2, length * (0.5 + MARGIN))


def lanes(histories: Iterable[Sequence[Memory]], window: Window) -> list[Lane]:
    """Return memories as lanes, in their order."""
    return [
        Lane(newest(versions), tuple(_bar(one, window) for one in versions))
        for versions in histories
        if versions
    ]


def _bar(memory: Memory, window: Window) -> Bar:
    true = window.place(memory.valid.start), window.place(memory.valid.end)
    held = window.place(memory.recorded.start), window.place(memory.recorded.end)
    return Bar(memory, true, held, believed(memory))


def known(versions: Sequence[Memory], as_of: datetime, known_at: datetime) -> Memory | None:
    """Return what was known of a memory: the version that the store believed at one time, about another one."""
    return next((one for one in versions if one.recorded.holds(known_at) and one.valid.holds(as_of)), None)


def ticks(window: Window) -> list[tuple[float, str]]:
    """Return where to write which dates, at most `TICKS` or so, at round steps of the clock or the calendar."""
    length = window.end - window.start
    step = next((one for one in _STEPS if length / one <= TICKS), None)
    if step is None:
        return _months(window, length)
    words = (
        "%Y-%m-%d"
        if step >= timedelta(days=1)
        else "%d %b %H:%M"
        if length > timedelta(hours=12)
        else "%H:%M"
    )
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    time = zero + step * -(-(window.start - zero) // step)
    found: list[tuple[float, str]] = []
    while time <= window.end:
        found.append((window.place(time), f"{time:{words}}"))
        time += step
    return found


def _months(window: Window, length: timedelta) -> list[tuple[float, str]]:
    by = next((one for one in _MONTHS if length / timedelta(days=30.44 * one) <= TICKS), _MONTHS[-1])
    number = -(-(window.start.year * 12 + window.start.month) // by) * by
    found: list[tuple[float, str]] = []
    while number // 12 <= min(window.end.year, 9999):
        time = datetime(max(number // 12, 1), number % 12 + 1, 1, tzinfo=UTC)
        if window.start <= time <= window.end:
            found.append(
                (window.place(time), f"{time.year:04}-{time.month:02}" if by < 12 else f"{time.year:04}")
            )
        number += by
    return found
