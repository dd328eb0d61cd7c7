"""`add`: remember a text; knows nothing of finding it again."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime, timedelta
from typing import cast

import click

from simonides import shapes
from simonides.doors.desk import Desk, words_or_stdin
from simonides.doors.paper import Paper, short
from simonides.doors.verb import DATA, MOMENT, TTL, Scoped, scoping, verb
from simonides.errors import InputError
from simonides.types import Change, Json, Receipt, Source


def metadata_from(pairs: tuple[str, ...], whole: dict[str, Json] | None) -> dict[str, Json] | None:
    """Return the metadata of `--meta k=v` and `--metadata-json`; a value that parses as JSON is that value."""
    if not pairs and whole is None:
        return None
    found = dict(whole or {})
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InputError(
                "--meta", "must be name=value", pair, "Example: --meta city=Lisbon --meta stars=4."
            )
        found[name] = _value(text)
    return found


def _value(text: str) -> Json:
    try:
        return cast(Json, json.loads(text))
    except (ValueError, RecursionError):
        return text


@verb(
    "add",
    examples=(
        'simonides add "I moved from Berlin to Lisbon." --at 2026-05-02',
        'simonides add "We chose GraphQL over REST." --kind decision --project shop --meta by=Mia',
        "pbpaste | simonides add - --kind note",
    ),
    then=('simonides search "where did I move to?"', "simonides list --newest"),
)
@click.argument("words", metavar="TEXT...", nargs=-1)
@click.option(
    "--kind", default="turn", show_default=True, help="What it is: turn, fact, decision, note, document ..."
)
@click.option("--speaker", help="Who said it.")
@click.option("--at", type=MOMENT, help="When it was said, if not now.")
@click.option("--meta", multiple=True, metavar="NAME=VALUE", help="Your own data about it. Repeatable.")
@click.option("--metadata-json", type=DATA, help="The same as one JSON object.")
@click.option("--source", help="Where it comes from: a file, a page, a tool.")
@click.option("--ttl", type=TTL, help="How long it lives: 90m, 12h, 30d, 2w.")
@click.option("--expires", type=MOMENT, help="Until when it lives; then only its history shows it.")
@click.option(
    "--on-expiry", type=click.Choice(("retire", "erase")), default="retire", help="What upkeep does then."
)
@click.option("--wait", is_flag=True, help="Return only when the model has read it.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@scoping
def add(
    desk: Desk,
    words: tuple[str, ...],
    *,
    kind: str,
    speaker: str | None,
    at: datetime | None,
    meta: tuple[str, ...],
    metadata_json: dict[str, Json] | None,
    source: str | None,
    ttl: timedelta | None,
    expires: datetime | None,
    on_expiry: str,
    wait: bool,
    dry_run: bool,
    scope: Scoped,
) -> None:
    """Remember a text, word for word.

    Several words need no quotes; `-` reads standard input. It can be found as soon as the command returns.
    """
    text = words_or_stdin(words)
    metadata = metadata_from(meta, metadata_json)
    receipt = desk.memory().add(
        text,
        kind=kind,
        speaker=speaker,
        at=at,
        metadata=metadata,
        source=Source(name=source) if source else None,
        ttl=ttl,
        expires=expires,
        on_expiry=on_expiry,
        wait=wait,
        plan=dry_run,
        **scope,
    )
    report(desk, receipt, "Remembered")


def report(desk: Desk, receipt: Receipt, done: str) -> None:
    """Write what a receipt says: the id, or the plan."""

    def people(paper: Paper) -> None:
        if receipt.state == "planned":
            paper.line("Would do, in one transaction (nothing was written):")
            for change in receipt.changes:
                paper.line(f"  {in_words(change)}")
            return
        shown = (
            receipt.id
            if paper.plain
            else f"{paper.style(short(receipt.id), 'green')}  {paper.dim(receipt.id)}"
        )
        paper.line(shown if paper.plain else f"{done} {shown}")
        paper.then(f"simonides get {short(receipt.id)}", f"simonides history {short(receipt.id)}")

    desk.answer(shapes.receipt(receipt), people)


def in_words(change: Change) -> str:
    """Return a planned change as one line, without what is as usual."""
    shape = shapes.change(change)
    said = [item.name for item in fields(change) if getattr(change, item.name) != item.default]
    told = [
        (name, shape[name])
        for name in said
        if name not in ("id", "text") and shape.get(name) not in (None, {})
    ]
    text = f"{shape['text']!r} " if "text" in shape else ""
    rest = ", ".join(f"{name} {_told(value)}" for name, value in told)
    return f"{shape['do']} {short(change.id)} {text}{f'({rest})' if rest else ''}".rstrip()


def _told(value: Json) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part not in ("", None))
    return str(value)
