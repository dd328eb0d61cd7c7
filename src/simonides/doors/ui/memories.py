"""All memories, page by page, and a form to write one; knows nothing of relevance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.doors.paper import count
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import (
    button,
    byline,
    choice,
    command,
    empty,
    ended,
    excerpt,
    field,
    kind,
    kinds_field,
    notice,
    opening,
    scope_fields,
    scope_of,
    table,
    text_field,
    when,
)
from simonides.doors.ui.visit import Answer, Visit
from simonides.types import Kind, Memory

if TYPE_CHECKING:
    from simonides.bounded import Listing

PAGE = 50
FILTERS = ("user", "agent", "session", "project", "kind", "as_of", "known_at", "order")


def show(visit: Visit) -> Answer:
    """Show one page of memories; never reads more than it shows."""
    rows, before, after = _page(visit)
    filtered = any(visit.one(name) for name in FILTERS)
    body = join(
        _summary(visit),
        _filters(visit, open_=filtered),
        _table(visit, rows) if rows else _nothing(visit, filtered=filtered),
        _pages(visit, before, after),
    )
    return Answer("Memories", body)


def _page(visit: Visit) -> tuple[list[Memory], str, str]:
    """Return the memories of this page, and the ids to go back and on from; empty where there is nothing more."""
    newest, turned = visit.one("order") != "oldest", visit.one("before")
    given: Listing = {
        "limit": PAGE + 1,
        "after": turned or visit.one("after"),
        "newest_first": newest != bool(turned),
        "as_of": visit.time("as_of"),
        "known_at": visit.time("known_at"),
    }
    for name, value in visit.scope().items():
        given[name] = value
    if kinds := visit.many("kind"):
        given["kinds"] = kinds
    rows = visit.store.list(**given)
    more, rows = len(rows) > PAGE, rows[:PAGE]
    if turned:
        rows.reverse()
    before = rows[0].id if rows and (visit.one("after") or (turned and more)) else ""
    after = rows[-1].id if rows and (more or turned) else ""
    return rows, before, after


def _summary(visit: Visit) -> Html:
    counted = None
    if visit.may("admin") and visit.whole:
        status = visit.store.status()
        counted = el("p", f"{count(status.memories, 'memory', 'memories')} in this store.", class_="soft")
    write = el("a", "Write one", class_="button plain", href=visit.url("add")) if visit.may("write") else None
    return el("div", counted, write, class_="pages")


def _filters(visit: Visit, *, open_: bool) -> Html:
    date = "date"
    form = el(
        "form",
        el(
            "div",
            kinds_field(visit.many("kind")),
            *scope_fields(visit),
            text_field("as_of", "True on", visit.one("as_of"), type=date),
            text_field("known_at", "Known on", visit.one("known_at"), type=date),
            choice("order", "Order", (("", "Newest first"), ("oldest", "Oldest first")), visit.one("order")),
            class_="filters",
        ),
        el(
            "div",
            button("Show", look="main"),
            el("a", "Clear", class_="button quiet", href=visit.url("")),
            class_="row",
        ),
        method="get",
        action=visit.url(""),
    )
    return el("details", el("summary", "Filter"), form, class_="panel", open=open_)


def _table(visit: Visit, rows: list[Memory]) -> Html:
    cells = [
        (
            when(one.at, one.zone),
            kind(one.kind),
            one.speaker,
            join(
                el("div", byline(one), class_="only-narrow"),
                opening(visit, one, excerpt(one.text)),
                " ",
                ended(one),
            ),
            scope_of(one),
        )
        for one in rows
    ]
    return table("Memories", ("When", "Kind", "Who", "What", "Whose"), cells, class_="memories")


def _pages(visit: Visit, before: str, after: str) -> Html | None:
    if not before and not after:
        return None
    kept = {name: visit.one(name) for name in FILTERS}
    back = el("a", "Previous", class_="button plain", rel="prev", href=visit.url("", before=before, **kept))
    on = el("a", "Next", class_="button plain", rel="next", href=visit.url("", after=after, **kept))
    blank = el("span")
    return el("nav", back if before else blank, on if after else blank, class_="pages", aria_label="Pages")


def _nothing(visit: Visit, *, filtered: bool) -> Html:
    if filtered or visit.one("after") or visit.one("before"):
        return empty(
            "Nothing fits", join(el("a", "Clear the filter", href=visit.url("")), " to see all there is.")
        )
    return empty(
        "Nothing is remembered yet",
        join(el("a", "Import a file", href=visit.url("import")), " of chats or notes, or write one:"),
        command('simonides add "I moved from Berlin to Lisbon."'),
    )


def form(visit: Visit) -> Answer:
    """Show the form to write a memory."""
    options = [(one.value, one.value) for one in Kind]
    fields = [
        field("What to remember, word for word", el("textarea", name="text", required=True)),
        el(
            "div",
            choice("kind", "Kind", options, Kind.NOTE.value),
            text_field("speaker", "Who said it"),
            text_field("at", "When (empty is now)", type="date"),
            *scope_fields(visit),
            class_="filters",
        ),
        el("div", button("Remember", look="main"), class_="row"),
    ]
    if not visit.may("write"):
        return Answer("Write", notice("You may look, and not write.", bad=True), status=403)
    return Answer(
        "Write a memory", el("form", *fields, method="post", action=visit.url("add"), class_="stack")
    )


def add(visit: Visit) -> Answer:
    """Write a memory."""
    from simonides.clock import parse_time

    said = visit.one("at")
    receipt = visit.store.add(
        visit.text("text"),
        kind=visit.one("kind") or Kind.NOTE,
        speaker=visit.one("speaker") or None,
        at=parse_time(said, "at") if said else None,
        **visit.scope(),  # pyright: ignore[reportArgumentType]
    )
    return Answer(go=visit.memory(receipt.id, done="remembered"))
