"""Draws the versions of one memory on both clocks: across when it was true, upward when it was believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.timeline_data import Window, believed, reach, ticks
from simonides.types import Memory

SIDE, HIGH, LEFT, BELOW, TOP = 420, 240, 82, 34, 14


def plane(versions: Sequence[Memory], now: datetime) -> Html:
    """Return the picture: a version is a rectangle, as wide as it was true, from when to when it was believed.

    Times of writing are evenly spaced, because a minute of corrections matters as much as a quiet year.
    """
    across = reach([versions], now)
    times = sorted({time for one in versions for time in (one.recorded.start, one.recorded.end) if time})
    levels = {time: place / len(times) for place, time in enumerate(times)}
    boxes = [_box(one, across, levels) for one in versions]
    width, height = LEFT + SIDE + 8, TOP + HIGH + BELOW
    words = "%H:%M:%S" if times[-1] - times[0] < timedelta(days=1) else "%Y-%m-%d"
    beside = [_beside(share, f"{time:{words}}") for time, share in levels.items()]
    axes = [*(_below(place, name) for place, name in ticks(across)[::2]), *beside]
    told = f"{len(versions)} versions on both clocks; the list of versions says the same in words"
    return el("svg", *axes, *boxes, viewBox=f"0 0 {width} {height:.0f}", role="img", aria_label=told)


def _y(share: float) -> float:
    return TOP + (1 - share) * HIGH


def _box(one: Memory, across: Window, levels: Mapping[datetime, float]) -> Html:
    left, right = (LEFT + across.place(time) * SIDE for time in (one.valid.start, one.valid.end))
    low, high = _y(levels[one.recorded.start]), _y(levels[one.recorded.end] if one.recorded.end else 1.0)
    title = el("title", f"version {one.version}: {one.reason}")
    shape = el(
        "rect", x=left, y=high, width=max(right - left, 2), height=max(low - high, 2), rx=2,
        class_="true" if believed(one) else "past", more={"fill-opacity": 0.85},
    )  # fmt: skip
    label = el("text", str(one.version), x=left + 6, y=low - 6, class_="on" if believed(one) else None)
    return el("g", title, shape, label)


def _below(place: float, words: str) -> Html:
    x = LEFT + place * SIDE
    line = el("line", x1=x, x2=x, y1=TOP, y2=TOP + HIGH, class_="grid")
    more = {"text-anchor": "end" if place > 0.9 else "middle"}
    return join(line, el("text", words, x=x, y=TOP + HIGH + 18, class_="soft", more=more))


def _beside(place: float, words: str) -> Html:
    y = _y(place)
    line = el("line", x1=LEFT, x2=LEFT + SIDE, y1=y, y2=y, class_="grid")
    return join(line, el("text", words, x=LEFT - 6, y=y + 4, class_="soft", more={"text-anchor": "end"}))
