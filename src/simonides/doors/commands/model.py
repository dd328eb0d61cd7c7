"""`model list|get|info`: which models of meaning there are; knows not how they work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simonides import shapes
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper, size
from simonides.doors.places import settings_from
from simonides.doors.verb import Entry, LazyGroup, verb
from simonides.errors import UnknownName

if TYPE_CHECKING:
    from simonides.parts.models import Model
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


def entry(name: str) -> Model:
    """Return one model of the catalogue.

    Raises:
        UnknownName: there is none of that name.
    """
    from simonides.parts.models import catalogue

    known = {one.name: one for one in catalogue()}
    if name not in known:
        raise UnknownName("model", name, known)
    return known[name]


@verb(
    "list", examples=("simonides model list",), then=("simonides model get NAME", "simonides model info NAME")
)
def list_(desk: Desk) -> None:
    """List the models, and which are here."""
    from simonides.parts.models import LIBRARY, OPENAI, catalogue

    found = catalogue()
    in_use = _in_use(desk)

    def people(paper: Paper) -> None:
        rows = [
            (
                f"{one.name}{' *' if one.name == in_use else ''}",
                "here" if one.installed else "-",
                size(one.bytes) if one.bytes else "",
                one.languages,
                one.what,
            )
            for one in found
        ]
        paper.table(("name", "here", "to fetch", "languages", "what"), rows)
        if not paper.plain:
            paper.line(
                paper.dim(f"* in use. Beside these: {OPENAI}NAME (an endpoint), {LIBRARY}NAME (a library).")
            )
        paper.then("simonides model get NAME", "simonides reindex --model NAME")

    shown = [_shape(one) for one in found]
    desk.answer({"models": [*shown], "in_use": in_use}, people)


def _in_use(desk: Desk) -> str:
    """Return the model of the settings; where they leave it to the store, the one it is read with."""
    from simonides.parts.models import AUTO, SHIPPED

    chosen = settings_from(desk.settings).model
    if chosen != AUTO:
        return chosen
    there = bool(desk.server) or desk.place.exists()
    return (desk.look().status().model if there else "") or SHIPPED


def _shape(one: Model) -> dict[str, Json]:
    shape = shapes.plain(one)
    assert isinstance(shape, dict)
    return shape


@verb("info", examples=("simonides model info multilingual",), then=("simonides model get NAME",))
@click.argument("name")
def info(desk: Desk, name: str) -> None:
    """Show what is known of a model.

    Licence, size, and the files it consists of, with where they are from and their checksums.
    """
    found = entry(name)

    def people(paper: Paper) -> None:
        here = "here" if found.installed else "not here yet"
        states = "token by token" if found.states else "one vector a text"
        for label, value in (
            ("name", found.name),
            ("what", found.what),
            ("languages", found.languages),
            ("licence", found.licence),
            ("vectors", f"{found.dimension} dimensions, {states}"),
            ("to fetch", size(found.bytes) if found.bytes else "nothing"),
            ("state", here),
        ):
            paper.line(f"{paper.dim(f'{label:<9}')} {value}")
        for file in found.files:
            paper.line(f"{paper.dim('file     ')} {file.url}")
            paper.line(f"          {paper.dim('sha256')} {file.sha256}")

    desk.answer(_shape(found), people)


@verb(
    "get",
    examples=("simonides model get multilingual",),
    then=("simonides reindex --model multilingual",),
)
@click.argument("name")
def get(desk: Desk, name: str) -> None:
    """Fetch a model; the only command that uses the network.

    The checksum is verified; a fetch that was stopped goes on where it was.
    """
    from simonides.parts.models import fetch

    ticker = desk.ticker()

    def told(done: int, whole: int) -> None:
        ticker.show(f"{size(done)} of {size(whole)}" if whole else size(done))

    place = fetch(name, progress=told)
    ticker.clear()

    def people(paper: Paper) -> None:
        paper.line(f"{name} is here: {place}")
        paper.then(f"simonides reindex --model {name}")

    desk.answer({"name": name, "path": str(place)}, people)
