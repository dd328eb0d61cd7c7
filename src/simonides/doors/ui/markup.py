"""Builds HTML from Python; every text is escaped unless it is `Html` already. Knows no page and no memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TypeAlias

VOID = frozenset({"input", "meta", "link", "br", "hr", "img", "circle", "rect", "line", "path"})
"""Elements without content; those of SVG are closed by a slash."""


class Html(str):
    """A piece of HTML; nothing else may stand in a page unescaped."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | None | Iterable[Child]"
Attribute: TypeAlias = "str | int | float | bool | None"


def el(
    name: str, /, *children: Child, more: Mapping[str, Attribute] | None = None, **attributes: Attribute
) -> Html:
    """Return an element.

    Attributes are keywords: `class_` is `class`, `aria_label` is `aria-label`, `for_` is `for`. True gives the bare
    name, None and False leave it out. `more` is for names that no keyword can have.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()} | dict(more or {})
    written = "".join(_attribute(key, value) for key, value in given.items())
    if name in VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Return pieces one after the other; None is left out."""
    return Html("".join(_pieces(children)))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(_number(value))}"'


def _pieces(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, (str, int, float)):
            yield escape(_number(child), quote=False)
        else:
            yield from _pieces(child)


def _number(value: str | float) -> str:
    """Return text as it is, a fraction with at most two digits: coordinates need no more."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
