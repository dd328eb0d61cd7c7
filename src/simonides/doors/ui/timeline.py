"""The timeline: what was true when, and what was believed when, over versions; draws what `timeline_data` computes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from simonides.clock import parse_time
from simonides.doors.paper import count
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import (
    button,
    byline,
    clock_field,
    empty,
    excerpt,
    kind,
    kinds_field,
    opening,
    scope_fields,
    span,
    table,
)
from simonides.doors.ui.timeline_data import Bar, Lane, Window, known, lanes, reach, ticks
from simonides.doors.ui.visit import Answer, Visit
from simonides.errors import InputError
from simonides.types import Memory

if TYPE_CHECKING:
    from simonides.bounded import Listing

PAGE = 25
WIDE, NAMES, LANE, TOP = 1000, 240, 46, 46
BARS = WIDE - NAMES - 10
FILTERS = ("user", "agent", "session", "project", "kind", "id", "after", "as_of", "known_at")


def show(visit: Visit) -> Answer:
    """Show memories as lanes: the strong bar is when it was true, the thin one when the store said so."""
    ids = _ids(visit)
    histories = [visit.store.history(id) for id in ids]
    if not histories:
        return Answer("Timeline", join(_form(visit, None), _nothing(visit)))
    now = visit.store.memory.clock.now()
    whole = reach(histories, now)
    window = _window(visit) or whole
    drawn = lanes(histories, window)
    as_of, known_at = visit.time("as_of"), visit.time("known_at")
    body = join(
        _form(visit, whole),
        _zoom(visit, window, whole),
        _key(),
        el("div", chart(visit, drawn, window, (as_of, known_at), now), class_="chart"),
        _known(visit, histories, as_of or now, known_at or now),
        _as_table(visit, drawn),
        _more(visit, ids),
    )
    return Answer("Timeline", body)


def _ids(visit: Visit) -> list[str]:
    """Return the memories that were named, else a page of the newest ones that fit, ended ones left out."""
    if named := visit.one("id").replace(",", " ").split():
        return list(dict.fromkeys(named[:PAGE]))
    given: Listing = {"limit": PAGE, "after": visit.one("after"), "newest_first": True}
    for name, value in visit.scope().items():
        given[name] = value
    if kinds := visit.many("kind"):
        given["kinds"] = kinds
    return [one.id for one in visit.store.list(**given)]


def _window(visit: Visit) -> Window | None:
    start, end = visit.one("from"), visit.one("to")
    if not start or not end:
        return None
    window = parse_time(start, "from"), parse_time(end, "to")
    if any(time.tzinfo is None for time in window) or window[0] >= window[1]:
        raise InputError("from", "must lie before `to`, and both need a zone", start)
    return Window(*window)


def _nothing(visit: Visit) -> Html:
    if any(visit.one(name) for name in FILTERS):
        return empty(
            "Nothing fits",
            join(el("a", "Clear the filter", href=visit.url("timeline")), " to see the newest."),
        )
    return empty(
        "No time has passed yet", join(el("a", "Import a file", href=visit.url("import")), " first.")
    )


def _form(visit: Visit, whole: Window | None) -> Html:
    clocks: list[Html] = []
    if whole is not None:
        clocks = [
            clock_field(
                "as_of",
                "True on",
                visit.one("as_of"),
                whole.start,
                whole.end,
                "What held in the world that day.",
            ),
            clock_field(
                "known_at",
                "Known on",
                visit.one("known_at"),
                whole.start,
                whole.end,
                "What was written by then.",
            ),
        ]
    form = el(
        "form",
        el("div", kinds_field(visit.many("kind")), *scope_fields(visit), *clocks, class_="filters"),
        el("input", type="hidden", name="id", value=visit.one("id")) if visit.one("id") else None,
        el(
            "div",
            button("Show", look="main"),
            el("a", "Clear", class_="button quiet", href=visit.url("timeline")),
            class_="row",
        ),
        method="get",
        action=visit.url("timeline"),
    )
    chosen = any(visit.one(name) for name in FILTERS if name not in ("id", "after"))
    return el("details", el("summary", "Choose, and set both clocks"), form, class_="panel", open=chosen)


def _zoom(visit: Visit, window: Window, whole: Window) -> Html:
    def to(words: str, name: str, seen: Window) -> Html:
        kept = {key: visit.one(key) for key in FILTERS}
        target = visit.url("timeline", **{**kept, "from": seen.start.isoformat(), "to": seen.end.isoformat()})
        return el("a", words, class_="button plain", href=target, aria_label=name)

    kept = {key: visit.one(key) for key in FILTERS}
    newest = whole.end - (whole.end - whole.start) * 0.02
    inside = newest if window.start < newest < window.end and window == whole else None
    return el(
        "nav",
        to("−", "Zoom out", window.zoomed(2)),
        to("+", "Zoom in", window.zoomed(0.5)),
        to("←", "Earlier", window.moved(-0.5)),
        to("→", "Later", window.moved(0.5)),
        to("Newest", "Zoom to the newest", window.zoomed(0.1, inside)),
        el("a", "Whole", class_="button plain", href=visit.url("timeline", **kept)),
        class_="row",
        aria_label="Zoom",
    )


def _key() -> Html:
    def sample(class_: str, words: str) -> Html:
        mark = el("rect", width=24, height=8, y=2, rx=2, class_=class_)
        return el("li", el("svg", mark, viewBox="0 0 24 12", aria_hidden="true"), words)

    return el(
        "ul",
        sample("true", "true in the world, and believed now"),
        sample("past", "was believed once, and replaced"),
        sample("believed", "when the store said so"),
        class_="key",
    )


def chart(
    visit: Visit,
    drawn: Sequence[Lane],
    window: Window,
    cursors: tuple[datetime | None, datetime | None],
    now: datetime,
) -> Html:
    """Draw lanes below an axis; each is a link to its memory."""
    height = TOP + len(drawn) * LANE + 6
    marks = [_tick(place, words, height) for place, words in ticks(window)]
    rows = [_lane(visit, lane, TOP + place * LANE) for place, lane in enumerate(drawn)]
    names = (("true on", cursors[0]), ("known on", cursors[1]), ("now", now))
    lines = [
        _cursor(words, window.place(time), height)
        for words, time in names
        if time and window.start < time < window.end
    ]
    title = f"Timeline of {len(drawn)} memories from {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
    return el("svg", *marks, *rows, *lines, viewBox=f"0 0 {WIDE} {height}", role="group", aria_label=title)


def _tick(place: float, words: str, height: int) -> Html:
    x = NAMES + place * BARS
    line = el("line", x1=x, x2=x, y1=4, y2=height, class_="grid")
    late = place > 0.92
    text = el(
        "text",
        words,
        x=x - 3 if late else x + 3,
        y=14,
        class_="soft",
        more={"text-anchor": "end" if late else None},
    )
    return join(line, text)


def _cursor(words: str, place: float, height: int) -> Html:
    x = NAMES + place * BARS
    line = el("line", x1=x, x2=x, y1=TOP - 22, y2=height, class_="now")
    return join(line, el("text", words, x=x - 4, y=TOP - 10, class_="soft", more={"text-anchor": "end"}))


def _lane(visit: Visit, lane: Lane, y: int) -> Html:
    back = el("rect", x=0, y=y, width=WIDE, height=LANE, class_="back")
    name = el("text", excerpt(lane.memory.text, 34), x=8, y=y + 20)
    about = el(
        "text",
        f"{lane.memory.at:%Y-%m-%d} · {lane.memory.kind}",
        x=8,
        y=y + 36,
        class_="soft",
        more={"font-size": 11},
    )
    told = f"{excerpt(lane.memory.text, 80)}, {lane.memory.at:%Y-%m-%d}, {count(len(lane.bars), 'version')}"
    inner = [name, about, *(_bar(bar, y) for bar in lane.bars)]
    return el("g", back, el("a", *inner, href=visit.memory(lane.memory.id), aria_label=told), class_="lane")


def _bar(bar: Bar, y: int) -> Html:
    (left, right), (since, until) = bar.true, bar.believed
    one = bar.memory
    title = el("title", f"{excerpt(one.text, 120)}\nversion {one.version}: {one.reason}")
    strong = el(
        "g", title,
        el("rect", x=NAMES + left * BARS, y=y + 9, width=max((right - left) * BARS, 2), height=15, rx=3,
           class_="true" if bar.current else "past"),
    )  # fmt: skip
    thin = el(
        "rect", x=NAMES + since * BARS, y=y + 30, width=max((until - since) * BARS - 1, 1.5), height=5, rx=2,
        class_="believed" if bar.current else "doubted",
    )  # fmt: skip
    return join(strong, thin)


def _known(
    visit: Visit, histories: Sequence[Sequence[Memory]], as_of: datetime, known_at: datetime
) -> Html | None:
    """List what was known at the two times that were chosen."""
    if not visit.one("as_of") and not visit.one("known_at"):
        return None
    held = [found for versions in histories if (found := known(versions, as_of, known_at))]
    heading = el("h2", f"What was known on {known_at:%Y-%m-%d} about {as_of:%Y-%m-%d}")
    rows = [el("li", byline(one), opening(visit, one, excerpt(one.text))) for one in held]
    return el(
        "section",
        heading,
        el("ul", *rows, class_="plain-list") if rows else el("p", "Nothing of these memories."),
    )


def _as_table(visit: Visit, drawn: Sequence[Lane]) -> Html:
    rows = [
        (
            el("a", excerpt(bar.memory.text, 80), href=visit.memory(bar.memory.id)),
            kind(bar.memory.kind),
            bar.memory.version,
            span(bar.memory.valid.start, bar.memory.valid.end),
            span(bar.memory.recorded.start, bar.memory.recorded.end),
        )
        for lane in drawn
        for bar in lane.bars
    ]
    heads = ("Memory", "Kind", "Version", "True in the world", "Believed by the store")
    inner = table("The versions of the timeline", heads, rows)
    return el("details", el("summary", "The same as a table"), inner, class_="panel")


def _more(visit: Visit, ids: Sequence[str]) -> Html | None:
    if visit.one("id") or len(ids) < PAGE:
        return None
    kept = {key: visit.one(key) for key in FILTERS} | {"after": ids[-1]}
    on = el("a", "Older", class_="button plain", rel="next", href=visit.url("timeline", **kept))
    return el("nav", el("span"), on, class_="pages", aria_label="Pages")
