"""`model list|get|info`: which models of meaning there are; knows not how they work."""

from __future__ import annotations

import click

from simonides.doors import shapes
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper, size
from simonides.doors.verb import Entry, LazyGroup, verb
from simonides.errors import UnknownName
from simonides.types import Json

HOME = "simonides.doors.commands.model"
MODEL = {
    "list": Entry("Models", f"{HOME}:list_", "List the models, and which are here."),
    "get": Entry("Models", f"{HOME}:get", "Fetch a model; the only command that uses the network."),
    "info": Entry("Models", f"{HOME}:info", "Show what is known of a model."),
}


@click.group("model", cls=LazyGroup, entries=MODEL, otherwise={"ls": "list", "fetch": "get", "show": "info"})
def model() -> None:
    """List, inspect and fetch models of meaning."""


def entries() -> list[dict[str, Json]]:
    """Return the catalogue as JSON; the seam to `parts.models`, which owns its shape."""
    from simonides.parts.models import catalogue

    found: list[dict[str, Json]] = []
    for one in catalogue():
        shape = shapes.plain(one)
        found.append(shape if isinstance(shape, dict) else {"name": shape})
    return found


def entry(name: str) -> dict[str, Json]:
    """Return one model of the catalogue.

    Raises:
        UnknownName: there is none of that name.
    """
    known = {str(one.get("name")): one for one in entries()}
    if name not in known:
        raise UnknownName("model", name, known)
    return known[name]


@verb(
    "list", examples=("simonides model list",), then=("simonides model get NAME", "simonides model info NAME")
)
def list_(desk: Desk) -> None:
    """List the models, and which are here."""
    found = entries()

    def people(paper: Paper) -> None:
        rows = [
            (
                str(one.get("name", "")),
                "here" if one.get("installed", one.get("here")) else "-",
                size(float(number)) if isinstance(number := one.get("bytes"), (int, float)) else "",
                str(one.get("what") or one.get("help") or one.get("description") or ""),
            )
            for one in found
        ]
        paper.table(("name", "here", "size", "what"), rows)
        paper.then("simonides model get NAME", "simonides --set model=NAME reindex")

    desk.answer({"models": [*found]}, people)


@verb("info", examples=("simonides model info minilm",), then=("simonides --set model=NAME reindex",))
@click.argument("name")
def info(desk: Desk, name: str) -> None:
    """Show what is known of a model.

    Licence, size, checksum, and where it is from.
    """
    found = entry(name)

    def people(paper: Paper) -> None:
        for key, value in found.items():
            if value not in (None, "", [], {}):
                paper.line(f"{paper.dim(f'{key:<12}')} {value}")

    desk.answer(found, people)


@verb(
    "get",
    examples=("simonides model get multilingual",),
    then=("simonides --set model=multilingual reindex", "export SIMONIDES_MODEL=multilingual"),
)
@click.argument("name")
def get(desk: Desk, name: str) -> None:
    """Fetch a model; the only command that uses the network.

    The checksum is verified; a fetch that was stopped goes on where it was.
    """
    from simonides.parts.models import fetch

    entry(name)
    ticker = desk.ticker()

    def told(done: int, whole: int) -> None:
        ticker.show(f"{size(done)} of {size(whole)}" if whole else size(done))

    place = fetch(name, progress=told)
    ticker.clear()

    def people(paper: Paper) -> None:
        paper.line(f"{name} is here: {place}")
        paper.then(f"simonides --set model={name} reindex", f"export SIMONIDES_MODEL={name}")

    desk.answer({"name": name, "path": str(place)}, people)
