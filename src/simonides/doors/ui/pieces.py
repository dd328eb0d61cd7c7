"""The pieces that views are made of: times, kinds, fields, notices, tables; knows no view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simonides.doors.paper import moment, short
from simonides.doors.ui.markup import Child, Html, el, join
from simonides.types import Kind, Memory

if TYPE_CHECKING:
    from simonides.doors.ui.visit import Visit

SCOPE = ("user", "agent", "session", "project")
EXCERPT = 180


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """Return the beginning of a text as one line."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def when(value: datetime | None, zone: str = "UTC", *, minutes: bool = False) -> Html:
    """Return a time for people, and for machines beside it; a dash for none."""
    if value is None:
        return el("span", "–", class_="faint")
    text = moment(value, zone)
    return el("time", text if minutes else text[:10], datetime=value.isoformat(), title=text)


def span(start: datetime, end: datetime | None, zone: str = "UTC") -> Html:
    """Return from when until when."""
    return join(when(start, zone, minutes=True), " – ", when(end, zone, minutes=True) if end else "today")


def kind(name: str) -> Html:
    """Return the kind of a memory as a small label."""
    return el("span", name, class_="kind")


def scope_of(memory: Memory) -> str:
    """Return the scope of a memory as words."""
    return " · ".join(value for name in SCOPE if (value := getattr(memory.scope, name)))


def ended(memory: Memory) -> Html | None:
    """Return the mark of a memory that is not true any more, None for the others."""
    if memory.recorded.end is not None:
        return el("span", "replaced", class_="ended")
    if memory.valid.end is None or memory.valid.end > datetime.now(UTC):
        return None
    return el("span", "ended ", when(memory.valid.end, memory.zone), class_="ended")


def opening(visit: Visit, memory: Memory, *children: Child) -> Html:
    """Return a link to a memory."""
    return el("a", *children, href=visit.memory(memory.id), more={"data-entry": True})


def byline(memory: Memory) -> Html:
    """Return when, who and whose, as one quiet line."""
    parts = [when(memory.at, memory.zone), kind(memory.kind), memory.speaker, scope_of(memory), ended(memory)]
    return el("p", *(el("span", part) for part in parts if part), class_="byline")


def notice(text: Child, *more: Child, bad: bool = False) -> Html:
    """Return a message; one of an error is spoken at once by screen readers."""
    return el(
        "div",
        el("p", text),
        *more,
        class_="notice bad" if bad else "notice",
        role="alert" if bad else "status",
    )


def empty(title: str, *what: Child) -> Html:
    """Return what stands where there is nothing: what that means, and what to do."""
    return el("section", el("h2", title), *(el("p", one) for one in what), class_="empty")


def command(text: str) -> Html:
    """Return what to type in a terminal."""
    return el("code", text, class_="command")


def button(
    text: str, *, name: str = "", value: str = "", look: str = "plain", aria_label: str | None = None
) -> Html:
    """Return a button that sends its form; `look` is plain, main, danger or quiet."""
    return el("button", text, class_=look, name=name or None, value=value or None, aria_label=aria_label)


def field(label: str, input_: Html, *, hint: str = "") -> Html:
    """Return a field below its label."""
    return el("label", el("span", label), input_, el("small", hint) if hint else None, class_="field")


def text_field(
    name: str,
    label: str,
    value: str = "",
    *,
    type: str = "text",
    required: bool = False,
    described: str | None = None,
) -> Html:
    """Return a field of one line; `described` is the id of what explains it."""
    return field(
        label,
        el(
            "input",
            name=name,
            value=value,
            type=type,
            required=required,
            autocomplete="off",
            aria_describedby=described,
        ),
    )


def choice(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str) -> Html:
    """Return a field to choose one of several (value, words)."""
    rows = [el("option", words, value=value, selected=value == chosen) for value, words in options]
    return field(label, el("select", *rows, name=name))


def kinds_field(chosen: Sequence[str]) -> Html:
    """Return the choice of a kind."""
    options = [("", "Any kind"), *((one.value, one.value) for one in Kind)]
    return choice("kind", "Kind", options, chosen[0] if chosen else "")


def scope_fields(visit: Visit) -> list[Html]:
    """Return the fields of the scope that the visitor may choose."""
    fixed = visit.store.scope
    return [text_field(name, name.title(), visit.one(name)) for name in SCOPE if not getattr(fixed, name)]


def clock_field(name: str, label: str, value: str, first: datetime, last: datetime, hint: str) -> Html:
    """Return a date with a slider beside it; its right end, and an empty date, are now."""
    least, most = (int(time.timestamp() // 86_400) for time in (first, last))
    date = el("input", type="date", name=name, id=name, value=value)
    slider = el(
        "input",
        type="range",
        min=least,
        max=max(most, least + 1),
        value=most,
        class_="needs-script",
        aria_label=f"{label}, as a slider",
        more={"data-day-of": name},
    )
    return el(
        "div", el("label", label, for_=name), date, slider, el("small", hint), class_="clock", role="group",
        aria_label=label,
    )  # fmt: skip


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], *, class_: str = "") -> Html:
    """Return a table; its first row names the columns, and its caption is for screen readers."""
    return el(
        "div",
        el(
            "table",
            el("caption", caption, class_="unseen"),
            el("thead", el("tr", *(el("th", head, scope="col") for head in heads))),
            el("tbody", *(el("tr", *(el("td", cell) for cell in row)) for row in rows)),
            class_=class_ or None,
        ),
        class_="wide",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def facts(rows: Iterable[tuple[str, Child]]) -> Html:
    """Return names and values."""
    return el("dl", *(join(el("dt", name), el("dd", value)) for name, value in rows), class_="facts")


def number(value: float, what: str) -> Html:
    """Return a large figure with what it counts."""
    return el("div", el("strong", f"{value:,}"), el("span", what), class_="figure")


def tail(id: str) -> Html:
    """Return the last digits of an id, which every command takes."""
    return el("code", short(id), title=id, class_="id")
