"""The search playground: hits with shares, what was dropped and why, the gate, both clocks; ranks nothing itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, cast

from simonides.doors.paper import count, in_words, worth_marking
from simonides.doors.paper import excerpt as around
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import (
    button,
    byline,
    choice,
    clock_field,
    empty,
    excerpt,
    kinds_field,
    opening,
    scope_fields,
    table,
)
from simonides.doors.ui.visit import Answer, Visit
from simonides.types import Dropped, Explanation, Hit

if TYPE_CHECKING:
    from simonides.finding import Within

MOST_HITS = 50
WIDE, LABEL, ROW = 272, 84, 17
"""The drawing of shares: its width, that of the names, and the height of a row."""
HALF = (WIDE - LABEL - 52) / 2
LEAST_SHARE = 0.005
"""Shares that are smaller are not drawn: they say nothing."""
_WORD = re.compile(r"\w+")


def show(visit: Visit) -> Answer:
    """Show the form, with nothing asked yet."""
    hint = empty(
        "Ask your memories",
        "Each hit shows why it was found; what was left out shows why not.",
        "The question stays on this page: it is in no address and in no log.",
    )
    return Answer("Search", join(_form(visit), el("div", hint, id="result")))


def answer(visit: Visit) -> Answer:
    """Show what a search finds."""
    query = visit.one("query")
    if not query:
        return show(visit)
    found = visit.store.explain(
        query, k=visit.number("k", 10, 1, MOST_HITS), gate=not visit.one("no_gate"), **_within(visit)
    )
    parts = [
        el("p", _said(found), class_="soft", more={"data-said": True}),
        _gate(found),
        _hits(visit, query, found.hits),
        _dropped(visit, found.dropped),
        _reading(found),
    ]
    return Answer("Search", join(_form(visit), el("div", *parts, id="result")))


def _within(visit: Visit) -> Within:
    given: Within = {"as_of": visit.time("as_of"), "known_at": visit.time("known_at")}
    for name, value in visit.scope().items():
        given[name] = value
    if kinds := visit.many("kind"):
        given["kinds"] = kinds
    return given


def _form(visit: Visit) -> Html:
    query = el(
        "input",
        type="search",
        name="query",
        value=visit.one("query"),
        required=True,
        placeholder="Where does Ana live?",
        aria_label="Question",
        autocomplete="off",
        autofocus=not visit.one("query"),
    )
    first, last = _reach(visit)
    gate = el(
        "label", el("input", type="checkbox", name="no_gate", value="1", checked=bool(visit.one("no_gate"))),
        " Show the nearest even when nothing fits", class_="check",
    )  # fmt: skip
    filters = el(
        "div",
        kinds_field(visit.many("kind")),
        *scope_fields(visit),
        choice("k", "At most", [(n, f"{n} hits") for n in ("5", "10", "20", "50")], visit.one("k") or "10"),
        clock_field("as_of", "True on", visit.one("as_of"), first, last, "What held in the world that day."),
        clock_field(
            "known_at", "Known on", visit.one("known_at"), first, last, "What was written down by then."
        ),
        class_="filters",
    )
    return el(
        "form",
        el("div", query, button("Search", look="main"), class_="ask"),
        el(
            "details",
            el("summary", "Filters and both clocks"),
            filters,
            gate,
            class_="panel",
            open=_open(visit),
        ),
        el("p", id="said", class_="unseen", role="status"),
        method="post",
        action=visit.url("search"),
        more={"data-live": True},
    )


def _open(visit: Visit) -> bool:
    return bool(visit.scope() or any(visit.one(name) for name in ("kind", "as_of", "known_at", "no_gate")))


def _reach(visit: Visit) -> tuple[datetime, datetime]:
    """Return from when to when the sliders go: what was first said or written, to now."""
    now = visit.store.memory.clock.now()
    oldest = visit.store.list(limit=20)
    starts = [time for one in oldest for time in (one.at, one.recorded.start)]
    return min([*starts, now]), now


def _said(found: Explanation) -> str:
    total = sum(found.milliseconds.values())
    return (
        f"{count(len(found.hits), 'hit')} of {found.considered:,} considered, in {total:.1f} milliseconds."
        if found.hits
        else f"Nothing fits among {found.considered:,} considered ({total:.1f} milliseconds)."
    )


def _gate(found: Explanation) -> Html:
    """Draw the chance that there is an answer, against the threshold."""
    chance, threshold = found.gate
    width = 300
    picture = el(
        "svg",
        el("rect", x=0, y=10, width=width, height=12, rx=6, class_="doubted"),
        el(
            "rect",
            x=0,
            y=10,
            width=max(chance, 0.01) * width,
            height=12,
            rx=6,
            class_="for" if chance >= threshold else "opposed",
        ),
        el(
            "line",
            x1=threshold * width,
            x2=threshold * width,
            y1=4,
            y2=28,
            class_="axis",
            more={"stroke-width": 2},
        ),
        viewBox=f"0 0 {width} 32",
        role="img",
        aria_label=f"Gate: {chance:.0%} against a threshold of {threshold:.0%}",
    )
    opens = f" that there is an answer; the gate opens at {threshold:.0%}"
    verdict = "." if chance >= threshold else ", so the store holds no answer."
    text = el("p", el("strong", f"{chance:.0%}"), opens, verdict, class_="soft")
    return el("section", picture, text, class_="gate", aria_label="Gate")


def _hits(visit: Visit, query: str, hits: tuple[Hit, ...]) -> Html:
    if not hits:
        return empty("Nothing fits", "Ask in other words, take filters away, or show the nearest anyway.")
    words = worth_marking(query)
    rows = [el("li", _hit(visit, one, words), class_="panel") for one in hits]
    return el("section", el("h2", "Hits", class_="unseen"), el("ol", *rows, class_="hits"))


def _hit(visit: Visit, hit: Hit, words: frozenset[str]) -> Html:
    text = el(
        "p", opening(visit, hit.memory, *_marked(around(hit.memory.text, words), words)), class_="words"
    )
    score = el("p", chance(hit.score), el("small", " chance that it answers"), class_="score")
    return el(
        "div", el("div", byline(hit.memory), text), el("div", score, shares(hit.shares)), class_="hit"
    )  # fmt: skip


def chance(value: float) -> str:
    """Return a chance for people; small ones are not said to be nothing."""
    return f"{value:.0%}" if value >= 0.095 else f"{value:.1%}" if value >= 0.0005 else "< 0.1%"


def _marked(text: str, words: frozenset[str]) -> Iterator[str | Html]:
    """Yield a text with the words that were asked for marked."""
    last = 0
    for match in _WORD.finditer(text):
        if match[0].casefold() in words:
            yield text[last : match.start()]
            yield el("mark", match[0])
            last = match.end()
    yield text[last:]


def shares(given: Mapping[str, float]) -> Html:
    """Draw what each signal added to the score, in log-odds: for it to the right, against it to the left."""
    shown = [pair for pair in given.items() if abs(pair[1]) >= LEAST_SHARE]
    rows = sorted(shown, key=lambda pair: -abs(pair[1]))
    scale = HALF / max((abs(value) for _, value in rows), default=1.0)
    middle = LABEL + HALF
    drawn = [
        join(
            el("text", name, x=LABEL - 8, y=place * ROW + 12, class_="soft", more={"text-anchor": "end"}),
            el(
                "rect",
                x=middle if value >= 0 else middle + value * scale,
                y=place * ROW + 4,
                width=max(abs(value) * scale, 0.5),
                height=9,
                rx=2,
                class_="for" if value >= 0 else "opposed",
            ),
            el("text", f"{value:+.2f}", x=WIDE, y=place * ROW + 12, more={"text-anchor": "end"}),
        )
        for place, (name, value) in enumerate(rows)
    ]
    axis = el("line", x1=middle, x2=middle, y1=0, y2=len(rows) * ROW, class_="axis")
    told = ", ".join(f"{name} {value:+.2f}" for name, value in rows)
    return el(
        "svg", axis, *drawn, viewBox=f"0 0 {WIDE} {max(len(rows), 1) * ROW + 2}", class_="shares", role="img",
        aria_label=f"Shares in log-odds: {told}",
    )  # fmt: skip


def _dropped(visit: Visit, dropped: tuple[Dropped, ...]) -> Html | None:
    if not dropped:
        return None
    rows = [
        (
            chance(one.score),
            el("a", excerpt(one.memory.text, 110), href=visit.memory(one.memory.id)),
            one.reason,
            el("small", in_words(one.shares)),
        )
        for one in dropped
    ]
    heads = ("Chance", "Memory", "Why it was dropped", "Shares")
    inner = table("Candidates that were dropped", heads, rows)
    return el("details", el("summary", f"Dropped: {count(len(rows), 'candidate')}"), inner, class_="panel")


def _reading(found: Explanation) -> Html:
    """Show what was read from the question, and where the time went."""
    read = [(name, _words(value)) for name, value in found.reading.items() if value]
    spent = [(name, f"{value:.2f} ms") for name, value in found.milliseconds.items()]
    inner = el(
        "div",
        table("What was read from the question", ("Read", "From the question"), read),
        table("Time by step", ("Step", "Time"), spent),
        class_="two",
    )
    return el("details", el("summary", "What was read from it, and timing"), inner, class_="panel")


def _words(value: object) -> str:
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
