"""Lays out text for people: cards, tables, bars, colours; knows no command and never writes JSON.

On a terminal: colours, bars, lines cut to the width. Into a pipe or a file: the same words, plain and whole, and tables
as tab-separated lines that `cut` and `awk` can take.
"""

from __future__ import annotations

import re
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from simonides.types import Hit, Memory

BLOCKS = " ▏▎▍▌▋▊▉█"
BAR_CELLS = 8
EXCERPT = 420
STRENGTHS = ((2.0, "strongly"), (0.7, "clearly"), (0.15, "a little"))
"""How large a share in log-odds is called what; below the last it is not worth a word."""

_WORD = re.compile(r"\w+")
_SMALL = frozenset(
    "a an and are as at be by did do does for from had has have how i in is it of on or our she the they to was we were"
    " what when where which who whose why will with you your he her his me my".split()
)


class Paper:
    """Where a command writes for people. `plain` is for pipes: no colour, nothing cut."""

    def __init__(self, *, plain: bool, colour: bool, width: int = 0) -> None:
        self.plain = plain
        self.colour = colour
        self.width = width or min(shutil.get_terminal_size((100, 24)).columns, 120)

    def line(self, text: str = "") -> None:
        """Write one line."""
        click.echo(text, color=self.colour)

    def style(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        """Return the text in a colour, or as it is where there are none."""
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None) if self.colour else text

    def dim(self, text: str) -> str:
        """Return the text as an aside."""
        return self.style(text, dim=True)

    def cut(self, text: str, used: int = 0) -> str:
        """Return the text as one line, cut to the width that is left after `used` columns; whole into a pipe."""
        line = _one_line(text)
        return line if self.plain else cut(line, self.width - used)

    def then(self, *commands: str) -> None:
        """Say what to type next; into a pipe nobody reads it, so nothing is written."""
        if not self.plain:
            for label, command in zip(("Next:", *[""] * len(commands)), commands, strict=False):
                self.line(f"{self.dim(f'{label:<5}')} {command}")

    def bar(self, score: float) -> str:
        """Return a score in [0, 1] as a bar with its number; as the number alone into a pipe."""
        if self.plain:
            return f"{score:.2f}"
        eighths = round(min(max(score, 0.0), 1.0) * BAR_CELLS * 8)
        full = BLOCKS[8] * (eighths // 8) + BLOCKS[eighths % 8].strip()
        colour = "green" if score >= 0.6 else "yellow" if score >= 0.3 else "red"
        return f"{self.style(full.ljust(BAR_CELLS, '·'), colour)} {score:.2f}"

    def hit(self, found: Hit, rank: int, words: frozenset[str]) -> None:
        """Write a hit: how sure, when, who, the text, and why."""
        memory = found.memory
        who = self.style(memory.speaker or memory.kind, "cyan")
        ended = f" (until {day(memory.valid.end, memory.zone)})" if memory.valid.end else ""
        when = f"{day(memory.at, memory.zone)}{ended}"
        self.line(f"{rank:>2}  {self.bar(found.score)}  {when}  {who}  {self.dim(short(memory.id))}")
        self.body(memory.text, words)
        if why := in_words(found.shares):
            self.line(f"    {self.dim(f'why: {why}')}")

    def body(self, text: str, words: frozenset[str] = frozenset(), *, whole: bool = False) -> None:
        """Write an indented text; on a terminal wrapped, cut around the words that were asked for, and these bold."""
        shown = text if self.plain or whole else excerpt(text, words)
        for paragraph in shown.splitlines():
            lines = [paragraph] if self.plain else wrap(paragraph, self.width - 4)
            for line in lines or [""]:
                self.line(f"    {self.mark(line, words)}")

    def mark(self, text: str, words: frozenset[str]) -> str:
        """Return the text with the words that were asked for in bold."""
        if not self.colour or not words:
            return text
        return _WORD.sub(
            lambda match: self.style(match[0], bold=True) if _same(match[0], words) else match[0], text
        )

    def card(self, memory: Memory, words: frozenset[str] = frozenset()) -> None:
        """Write a memory with all that is known of it."""
        who = self.style(memory.speaker, "cyan") + "  " if memory.speaker else ""
        end = f" until {moment(memory.valid.end, memory.zone)}" if memory.valid.end else ""
        when = f"{moment(memory.at, memory.zone)}{end}"
        self.line(f"{self.style(memory.kind, bold=True)}  {who}{when}")
        self.body(memory.text, words, whole=True)
        for name, value in facts(memory):
            self.line(f"    {self.dim(f'{name:<9}')} {value}")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; its last column takes what width is left."""
        cells = [[_one_line(cell) for cell in row] for row in rows]
        if self.plain:
            for row in cells:
                self.line("\t".join(row))
            return
        widths = [max(map(columns, column)) for column in zip(heads, *cells, strict=True)]
        left = max(self.width - sum(widths[:-1]) - 2 * (len(heads) - 1), 20)
        self.line(
            self.dim("  ".join(pad(head, width) for head, width in zip(heads, widths, strict=True)).rstrip())
        )
        for row in cells:
            firsts = [pad(cell, width) for cell, width in zip(row[:-1], widths, strict=False)]
            self.line("  ".join([*firsts, cut(row[-1], left)]))


def short(id: str) -> str:
    """Return the last eight digits of an id, which every command accepts in its place."""
    return id[-8:]


def day(value: datetime | None, zone: str = "UTC") -> str:
    """Return the date of an instant, in the zone in which it was given."""
    return value.astimezone(zone_of(zone)).strftime("%Y-%m-%d") if value else ""


def moment(value: datetime | None, zone: str = "UTC") -> str:
    """Return the date and the minute of an instant, in the zone in which it was given, with that zone."""
    return f"{value.astimezone(zone_of(zone)).strftime('%Y-%m-%d %H:%M')} {zone}" if value else ""


def zone_of(name: str) -> ZoneInfo | timezone:
    """Return the zone of an IANA name or an offset such as +02:00; UTC for one that this machine does not know."""
    if match := re.fullmatch(r"([+-])(\d{2}):(\d{2})", name):
        minutes = int(match[2]) * 60 + int(match[3])
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def worth_marking(query: str) -> frozenset[str]:
    """Return the words of a query that are worth marking."""
    return frozenset(word for word in map(str.casefold, _WORD.findall(query)) if word not in _SMALL)


def _same(word: str, words: frozenset[str]) -> bool:
    """Tell whether a word is one of those asked for, give or take its ending."""
    word = word.casefold()
    return word in words or (len(word) > 4 and any(len(one) > 4 and one[:5] == word[:5] for one in words))


def in_words(shares: Mapping[str, float]) -> str:
    """Return the shares of a score as words, e.g. ``meaning strongly, words a little; against: date``."""
    ranked = sorted(((value, name) for name, value in shares.items() if name != "bias"), reverse=True)
    pro = ", ".join(f"{name} {how}" for value, name in ranked if (how := _strength(value)))
    con = ", ".join(f"{name} {how}" for value, name in reversed(ranked) if (how := _strength(-value)))
    return "; ".join(part for part in (pro, con and f"against: {con}") if part)


def _strength(value: float) -> str:
    return next((word for least, word in STRENGTHS if value >= least), "")


def excerpt(text: str, words: frozenset[str], limit: int = EXCERPT) -> str:
    """Return at most about `limit` characters of the text: those with the most words that were asked for."""
    if len(text) <= limit:
        return text
    places = [match.start() for match in _WORD.finditer(text) if _same(match[0], words)]
    best = max(places, key=lambda start: sum(start <= place < start + limit for place in places), default=0)
    start = (
        0 if best < limit // 2 else max(text.rfind(mark, 0, best) for mark in (". ", "\n", "? ", "! ")) + 1
    )
    start = start if best - start < limit // 2 else best - limit // 4
    end = start + limit
    return f"{'… ' if start else ''}{text[start:end].strip()}{' …' if end < len(text) else ''}"


def facts(memory: Memory) -> list[tuple[str, str]]:
    """Return what is known of a memory beside its text, as names and values."""
    scope = ", ".join(
        f"{name} {value}"
        for name in ("user", "agent", "session", "project")
        if (value := getattr(memory.scope, name))
    )
    source = memory.source.name if memory.source else ""
    believed = f"version {memory.version}, recorded {moment(memory.recorded.start)}"
    ended = f", replaced {moment(memory.recorded.end)}" if memory.recorded.end else ""
    by = f" by {memory.actor}" if memory.actor else ""
    metadata = ", ".join(f"{key}={value}" for key, value in memory.metadata.items())
    rows = [("id", memory.id), ("scope", scope), ("metadata", metadata), ("source", source)]
    return [
        (name, value)
        for name, value in [*rows, ("believed", f"{believed}{ended}{by}: {memory.reason}")]
        if value
    ]


def columns(text: str) -> int:
    """Return how many columns of a terminal the text takes; CJK and emoji take two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def pad(text: str, width: int) -> str:
    """Return the text filled with blanks to so many columns."""
    return text + " " * max(width - columns(text), 0)


def cut(text: str, width: int) -> str:
    """Return the text, cut to so many columns."""
    if columns(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns(kept) + columns(character) >= width:
            break
        kept += character
    return f"{kept}…"


def wrap(text: str, width: int) -> list[str]:
    """Return the text as lines of so many columns; text without blanks (CJK) is broken between characters."""
    if columns(text) == len(text):
        return textwrap.wrap(text, max(width, 20))
    lines = [""]
    for word in re.findall(r"\s+|\S", text):
        if columns(lines[-1]) + columns(word) > width:
            lines.append("")
        lines[-1] += word if lines[-1] or word.strip() else ""
    return [line.rstrip() for line in lines]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, e.g. ``1,204 memories``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(number: float) -> str:
    """Return bytes for people, e.g. ``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
