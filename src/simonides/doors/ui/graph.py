"""The graph: memories and their links, grown node by node; draws what `graph_data` places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simonides.doors.paper import count
from simonides.doors.ui.graph_data import MOST_NODES, Piece, grow, layout
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import (
    button,
    byline,
    choice,
    command,
    empty,
    ended,
    excerpt,
    opening,
    table,
    text_field,
)
from simonides.doors.ui.timeline_data import newest
from simonides.doors.ui.visit import Answer, Visit
from simonides.types import Kind, Link, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_NODES = 60
LOOKED_AT = 300
"""Memories whose links are looked up to find a place to begin."""
WIDE, HIGH, EDGE = 1000, 720, 120
MANY = 60
"""Above so many nodes only those with several links carry their names."""


def show(visit: Visit) -> Answer:
    """Show some memories and their links; `open` are those whose neighbours are shown, `at` the one in the middle."""
    at, opened = visit.one("at"), [id for id in visit.one("open").split(",") if id]
    if at:
        visit.store.history(at)  # what is not there, or not the visitor's, is not found
        opened = list(dict.fromkeys([*opened, at]))
    piece = grow(opened, lambda one: _links(visit, one)) if opened else _beginning(visit)
    for id in opened[:MOST_NODES]:
        piece.nodes.setdefault(id)
    if not piece.nodes:
        return Answer("Graph", join(_form(visit, piece), _nothing(visit)))
    shown = {id: newest(visit.store.history(id)) for id in piece.nodes}
    body = join(
        _form(visit, piece),
        _said(visit, piece, opened),
        el(
            "div",
            el("div", _chart(visit, piece, shown, opened), class_="chart graph"),
            _aside(visit, piece, shown, opened),
            class_="beside",
        ),
        _list(visit, piece, shown, opened),
    )
    return Answer("Graph", body)


def _links(visit: Visit, id: str) -> Sequence[Link]:
    return visit.store.links(
        id, relation=visit.one("relation") or None, as_of=visit.time("as_of"), known_at=visit.time("known_at")
    )


def _beginning(visit: Visit) -> Piece:
    """Return a first piece: entities that have links, else the newest memories that have any."""
    entities = visit.store.list(kinds=[Kind.ENTITY.value], limit=LOOKED_AT, newest_first=True)
    others = visit.store.list(limit=LOOKED_AT, newest_first=True)
    ids = dict.fromkeys([*(one.id for one in entities), *(one.id for one in others)])
    return grow(ids, lambda one: _links(visit, one), most=FIRST_NODES, enough=FIRST_NODES - 10)


def _url(visit: Visit, at: str, opened: Sequence[str]) -> str:
    kept = {name: visit.one(name) for name in ("relation", "as_of", "known_at")}
    return visit.url("graph", at=at, open=",".join(opened), **kept)


def _form(visit: Visit, piece: Piece) -> Html:
    relations = sorted({link.relation for link in piece.links.values()} | {visit.one("relation")} - {""})
    form = el(
        "form",
        el(
            "div",
            choice(
                "relation",
                "Relation",
                [("", "Any relation"), *((one, one) for one in relations if one)],
                visit.one("relation"),
            ),
            text_field("as_of", "Linked on", visit.one("as_of"), type="date"),
            text_field("known_at", "Known on", visit.one("known_at"), type="date"),
            class_="filters",
        ),
        *(
            el("input", type="hidden", name=name, value=visit.one(name))
            for name in ("at", "open")
            if visit.one(name)
        ),
        el(
            "div",
            button("Show", look="main"),
            el("a", "Begin anew", class_="button quiet", href=visit.url("graph")),
            class_="row",
        ),
        method="get",
        action=visit.url("graph"),
    )
    chosen = any(visit.one(name) for name in ("relation", "as_of", "known_at"))
    return el("details", el("summary", "Filter by relation and time"), form, class_="panel", open=chosen)


def _nothing(visit: Visit) -> Html:
    if visit.one("relation") or visit.one("as_of") or visit.one("known_at"):
        return empty("No link fits", join(el("a", "Take the filter away", href=visit.url("graph")), "."))
    return empty(
        "No memories are linked yet",
        "Links come with notes that point to each other, with imports, and by hand:",
        command("simonides link add ID ID supports"),
    )


def _said(visit: Visit, piece: Piece, opened: Sequence[str]) -> Html:
    more = f" There is more; at most {MOST_NODES} are shown." if piece.cut and opened else ""
    begin = "" if opened else " Choose one to see what it is linked with."
    words = (
        f"{count(len(piece.nodes), 'memory', 'memories')}, {count(len(piece.links), 'link')}.{more}{begin}"
    )
    return el("p", words, class_="soft")


def _chart(visit: Visit, piece: Piece, shown: Mapping[str, Memory], opened: Sequence[str]) -> Html:
    pairs = [(link.source, link.target) for link in piece.links.values()]
    square = layout([*piece.nodes], pairs)
    places = {id: (EDGE + x * (WIDE - 2 * EDGE), 40 + y * (HIGH - 100)) for id, (x, y) in square.items()}
    edges = [_edge(link, places, named=len(piece.links) <= MANY) for link in piece.links.values()]
    degrees = piece.degrees()
    nodes = [
        _node(
            visit,
            shown[id],
            places[id],
            opened,
            named=len(places) <= MANY or degrees[id] > 2,
            degree=degrees[id],
        )
        for id in piece.nodes
    ]
    return el(
        "svg", *edges, *nodes, class_="net", viewBox=f"0 0 {WIDE} {HIGH}", role="group",
        aria_label=f"Graph of {len(nodes)} memories; the same follows as a list",
    )  # fmt: skip


def _edge(link: Link, places: Mapping[str, tuple[float, float]], *, named: bool) -> Html:
    (x1, y1), (x2, y2) = places[link.source], places[link.target]
    over = link.valid.end is not None
    line = el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="edge past" if over else "edge",
              more={"stroke-width": 1 + min(max(link.weight, 0.0), 3.0)})  # fmt: skip
    name = el(
        "text",
        link.relation,
        x=(x1 + x2) / 2,
        y=(y1 + y2) / 2 - 3,
        class_="name",
        more={"text-anchor": "middle"},
    )
    return join(line, name if named else None)


def _node(
    visit: Visit,
    memory: Memory,
    place: tuple[float, float],
    opened: Sequence[str],
    *,
    named: bool,
    degree: int,
) -> Html:
    x, y = place
    state = " here" if memory.id == visit.one("at") else " open" if memory.id in opened else ""
    words = excerpt(memory.text, 26)
    label = el("text", words, x=x, y=y + 28, more={"text-anchor": "middle"}) if named else None
    circle = el("circle", cx=x, cy=y, r=7 + min(degree, 12) * 0.6)
    told = f"{excerpt(memory.text, 80)}: {count(degree, 'link')}{', open' if state else ''}"
    return el(
        "a", el("title", excerpt(memory.text, 160)), circle, label, href=_url(visit, memory.id, opened),
        class_=f"node{state}", aria_label=told,
    )  # fmt: skip


def _aside(visit: Visit, piece: Piece, shown: Mapping[str, Memory], opened: Sequence[str]) -> Html:
    at = visit.one("at")
    if not at or at not in shown:
        return el(
            "aside",
            el("p", "A dot is a memory, a line is a link. Dashed links have ended.", class_="soft"),
            class_="panel",
        )
    memory = shown[at]
    others = [id for id in opened if id != at]
    fold = el("a", "Close it", class_="button plain", href=_url(visit, others[-1] if others else "", others))
    rows = [
        el("li", _relation(visit, link, at, shown, opened))
        for link in piece.links.values()
        if at in (link.source, link.target)
    ]
    return el(
        "aside",
        byline(memory),
        el("h2", excerpt(memory.text, 140)),
        el(
            "div", el("a", "Open the memory", class_="button main", href=visit.memory(at)), fold, class_="row"
        ),
        el("h3", count(len(rows), "link")),
        el("ul", *rows[:40], class_="plain-list"),
        class_="panel",
        aria_label="The chosen memory",
    )


def _relation(visit: Visit, link: Link, at: str, shown: Mapping[str, Memory], opened: Sequence[str]) -> Html:
    outward = link.source == at
    other = shown[link.target if outward else link.source]
    arrow = f"{link.relation} →" if outward else f"← {link.relation}"
    target = el("a", excerpt(other.text, 70), href=_url(visit, other.id, opened))
    return join(el("small", arrow), el("br"), target, " ", ended(other))


def _list(visit: Visit, piece: Piece, shown: Mapping[str, Memory], opened: Sequence[str]) -> Html:
    rows = [
        (
            opening(visit, shown[link.source], excerpt(shown[link.source].text, 60)),
            link.relation,
            el("a", excerpt(shown[link.target].text, 60), href=visit.memory(link.target)),
            f"{link.valid.start:%Y-%m-%d}" + (f" – {link.valid.end:%Y-%m-%d}" if link.valid.end else ""),
            el(
                "a",
                "Expand",
                href=_url(visit, link.target, opened),
                aria_label=f"Expand {excerpt(shown[link.target].text, 60)}",
            ),
        )
        for link in piece.links.values()
    ]
    inner = table("Links", ("From", "Relation", "To", "When", "Further"), rows)
    return el("details", el("summary", "The same as a list"), inner, class_="panel")
