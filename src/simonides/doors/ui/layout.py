"""The frame around every view: head, navigation, help, theme; knows no view from inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.doors.ui.assets import SCRIPT_NAME, STYLE_NAME
from simonides.doors.ui.markup import Html, el, join

if TYPE_CHECKING:
    from simonides.doors.ui.visit import Answer, Visit

VIEWS = (
    ("", "Memories", "m"),
    ("search", "Search", "s"),
    ("timeline", "Timeline", "t"),
    ("graph", "Graph", "g"),
    ("health", "Health", "h"),
    ("review", "Review", "r"),
    ("import", "Import", "i"),
)
"""Path, name and key of each view, in the order of the navigation."""

THEMES = {"": "System", "light": "Light", "dark": "Dark"}
KEYS = (
    ("/", "Go to the search field"),
    *((f"g {key}", name) for _, name, key in VIEWS),
    ("j or k", "Next and previous entry of a list"),
    ("n or p", "Next and previous page"),
    ("?", "These shortcuts"),
    ("Esc", "Close this"),
)


def document(visit: Visit, answer: Answer) -> Html:
    """Return a whole page."""
    return bare(
        visit.root,
        f"{answer.title} · Simonides" if answer.title else "Simonides",
        join(
            el("a", "Skip to the content", class_="skip", href="#main"),
            _header(visit),
            el(
                "main",
                el("h1", answer.title) if answer.title else None,
                answer.body,
                id="main",
                tabindex="-1",
                more={"data-again": answer.wait or None},
            ),
            _help(),
        ),
        theme=visit.theme,
    )


def bare(root: str, title: str, body: Html, *, theme: str = "") -> Html:
    """Return a page without navigation."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content=theme or "light dark"),
        el("title", title),
        el("link", rel="icon", href=f"{root}/static/icon.svg", type="image/svg+xml"),
        el("link", rel="stylesheet", href=f"{root}/static/{STYLE_NAME}"),
        el("script", src=f"{root}/static/{SCRIPT_NAME}", defer=True),
    )
    page = el(
        "html", head, el("body", body), lang="en", more={"data-theme": theme or None, "data-root": root}
    )
    return Html(f"<!doctype html>\n{page}")


def _header(visit: Visit) -> Html:
    place = visit.here.strip("/").split("/")[0]
    here = "" if place in ("memory", "add") else place
    links = [
        el(
            "a",
            name,
            href=visit.url(path),
            aria_current="page" if path == here else None,
            more={"data-key": key},
        )
        for path, name, key in VIEWS
        if _offered(visit, path)
    ]
    return el(
        "header",
        el("a", "Simonides", class_="mark", href=visit.url(""), aria_label="Simonides, all memories"),
        el("nav", *links, aria_label="Views", class_="views"),
        el("div", _theme(visit), _help_link(visit), _leave(visit), class_="tools"),
        class_="top",
    )


def _offered(visit: Visit, path: str) -> bool:
    """Tell whether a view is for this visitor; who goes there all the same is told why not."""
    if path == "health":
        return visit.may("admin")
    return path != "import" or (visit.may("write") and visit.whole)


def _theme(visit: Visit) -> Html:
    order = list(THEMES)
    following = order[(order.index(visit.theme) + 1) % len(order)]
    button = el(
        "button",
        f"◐ {THEMES[visit.theme]}",
        class_="quiet",
        id="theme",
        name="theme",
        value=following or "system",
        aria_label=f"Theme: {THEMES[visit.theme]}. Change to {THEMES[following]}",
    )
    back = el("input", type="hidden", name="back", value=visit.here)
    return el("form", back, button, method="post", action=visit.url("theme"))


def _help_link(visit: Visit) -> Html:
    return el(
        "a",
        "?",
        class_="quiet",
        href=visit.url("help"),
        aria_label="Keyboard shortcuts",
        more={"data-opens": "help"},
    )


def _leave(visit: Visit) -> Html | None:
    if not visit.signed:
        return None
    return el("form", el("button", "Sign out", class_="quiet"), method="post", action=visit.url("sign-out"))


def shortcuts() -> Html:
    """Return the table of the keyboard shortcuts."""
    rows = [el("tr", el("td", _keys(keys)), el("td", what)) for keys, what in KEYS]
    return el(
        "table",
        el("caption", "Keyboard shortcuts", class_="unseen"),
        el("thead", el("tr", el("th", "Keys", scope="col"), el("th", "What they do", scope="col"))),
        el("tbody", *rows),
        class_="keys",
    )


def _keys(keys: str) -> Html:
    return join(*(el("kbd", key) if key != "or" else "or " for key in keys.split(" ")))


def _help() -> Html:
    switch = el(
        "label",
        el("input", type="checkbox", id="shortcuts", checked=True),
        " Shortcuts of single keys are on",
        class_="check",
    )
    close = el("form", el("button", "Close", class_="plain"), method="dialog")
    return el(
        "dialog", el("h2", "Keyboard", id="help-title"), shortcuts(), switch, close, id="help",
        aria_labelledby="help-title",
    )  # fmt: skip
