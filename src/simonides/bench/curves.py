"""Draws growth curves as a picture that a page can show, light and dark; measures nothing and knows no report.

Both axes are logarithmic: what grows tenfold with ten times the memories is a straight line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, COLUMNS = 360, 240, 2
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 62
COLOURS = ("a", "b", "c", "d")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .mark { fill: #57606a }
.grid { stroke: #d0d7de; stroke-width: 1 } .aim { stroke: #57606a; stroke-dasharray: 4 3 }
.a { stroke: #0969da } .b { stroke: #bc4c00 } .c { stroke: #1a7f37 } .d { stroke: #8250df }
.line { fill: none; stroke-width: 2 } .dot { stroke-width: 5; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .mark { fill: #9198a1 } .grid { stroke: #3d444d } .aim { stroke: #9198a1 }
.a { stroke: #4493f8 } .b { stroke: #f0883e } .c { stroke: #3fb950 } .d { stroke: #ab7df8 } }
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its name, and a value for each size where there is one."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Some lines of one unit.

    Attributes:
        aim: a value that is aimed at, drawn dashed; 0 for none.
    """

    title: str
    curves: Sequence[Curve]
    aim: float = 0.0


def drawn(panels: Sequence[Panel]) -> str:
    """Return the picture as SVG."""
    rows = -(-len(panels) // COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows
    body = "\n".join(
        f'<g transform="translate({WIDTH * (place % COLUMNS)} {HEIGHT * (place // COLUMNS)})">{_panel(one)}</g>'
        for place, one in enumerate(panels)
    )
    told = escape("; ".join(panel.title for panel in panels))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">'
    return f"{head}\n<style>{STYLE}</style>\n{body}\n</svg>\n"


def _panel(panel: Panel) -> str:
    points = [point for curve in panel.curves for point in curve.points if point[1] > 0]
    if not points:
        return ""
    across = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([*(y for _, y in points), *([panel.aim] if panel.aim else [])], HEIGHT - BOTTOM, TOP)
    parts = [f'<text class="title" x="{LEFT}" y="18">{escape(panel.title)}</text>']
    for value in up.decades():
        y = up.at(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="mark" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        )
    for value in across.decades():
        x = across.at(value)
        parts.append(
            f'<text class="mark" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(value)}</text>'
        )
    if panel.aim:
        y = up.at(panel.aim)
        parts.append(f'<line class="aim" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for place, curve in enumerate(panel.curves):
        colour = COLOURS[place % len(COLOURS)]
        places = [(across.at(x), up.at(y)) for x, y in curve.points if y > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        parts += [
            f'<line class="dot {colour}" x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{y:.1f}"/>'
            for x, y in places
        ]
        at, low = LEFT + 150 * (place % 2), HEIGHT - BOTTOM + 36 + 16 * (place // 2)
        parts.append(f'<line class="line {colour}" x1="{at}" x2="{at + 14}" y1="{low - 4}" y2="{low - 4}"/>')
        parts.append(f'<text x="{at + 19}" y="{low}">{escape(curve.name)}</text>')
    return "".join(parts)


class _Axis:
    """A logarithmic axis over whole decades."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(values))))
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def decades(self) -> list[float]:
        return [10.0**power for power in range(self._low, self._high + 1)]


def _short(value: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
