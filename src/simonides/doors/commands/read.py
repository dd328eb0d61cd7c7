"""`get`, `list`, `history`: look at what is there; knows nothing of relevance."""

from __future__ import annotations

from datetime import datetime

import click

from simonides import shapes
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, day, moment, short
from simonides.doors.verb import MOMENT, Chosen, choosing, verb


@verb(
    "get",
    examples=(
        "simonides get 4f2a91c7",
        "simonides get 4f2a91c7 --as-of 2026-03-01",
        "simonides --json get 4f2a91c7",
    ),
    then=("simonides history 4f2a91c7", "simonides link near 4f2a91c7"),
)
@click.argument("id")
@click.option("--as-of", type=MOMENT, help="What was true then.")
@click.option("--known-at", type=MOMENT, help="What was written down by then.")
def get(desk: Desk, id: str, *, as_of: datetime | None, known_at: datetime | None) -> None:
    """Show one memory.

    ID is the whole id or its last digits, as long as only one memory ends so.
    """
    memory = desk.look()
    found = memory.get(memory.ledger.expand(id), as_of=as_of, known_at=known_at)
    desk.answer(shapes.memory(found), lambda paper: paper.card(found))


@verb(
    "list",
    examples=(
        "simonides list --newest --limit 5",
        "simonides list --kind decision --project shop --as-of 2026-03-01",
        "simonides list | cut -f1,5              # tab-separated into a pipe: id, date, kind, speaker, text",
    ),
    then=("simonides get ID", "simonides list --after ID      # the next page"),
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option(
    "--after", default="", metavar="ID", help="Go on behind this one: the last id of the page before."
)
@click.option("--newest", is_flag=True, help="Newest first.")
@choosing
def list_(desk: Desk, *, limit: int, after: str, newest: bool, chosen: Chosen) -> None:
    """List memories, oldest first.

    Into a pipe: tab-separated, one memory a line, nothing cut. Exit code 1 when there are none.
    """
    memory = desk.look()
    start = memory.ledger.expand(after) if after else ""
    found = memory.list(limit=limit, after=start, newest_first=newest, **chosen)
    cursor = found[-1].id if len(found) == limit else None

    def people(paper: Paper) -> None:
        rows = [
            (one.id if paper.plain else short(one.id), day(one.at, one.zone), one.kind, one.speaker, one.text)
            for one in found
        ]
        if rows:
            paper.table(("id", "date", "kind", "speaker", "text"), rows)
        else:
            desk.aside("There are none.")
        if cursor:
            paper.then(f"simonides list --after {short(cursor)}{' --newest' if newest else ''}")

    desk.answer({"memories": shapes.memories(found), "after": cursor}, people)
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


@verb(
    "history",
    examples=("simonides history 4f2a91c7", "simonides --json history 4f2a91c7"),
    then=("simonides restore 4f2a91c7 --version 1", "simonides log list --subject 4f2a91c7"),
)
@click.argument("id")
def history(desk: Desk, id: str) -> None:
    """Show every version of a memory, with who wrote it and why.

    `true` is when it was so in the world, `believed` when this file said so.
    """
    memory = desk.look()
    versions = memory.history(memory.ledger.expand(id))

    def people(paper: Paper) -> None:
        paper.line(f"{versions[0].id}: {count(len(versions), 'version')}")
        for one in versions:
            mark = paper.style("believed now", "green") if one.recorded.end is None else paper.dim("replaced")
            by = f" by {one.actor}" if one.actor else ""
            paper.line(f"\n{paper.style(f'version {one.version}', bold=True)}  {one.reason}{by}  {mark}")
            paper.body(one.text)
            for name, span in (("true", one.valid), ("believed", one.recorded)):
                end = f"until {moment(span.end, one.zone)}" if span.end else "to this day"
                paper.line(f"    {paper.dim(f'{name:<9}')} {moment(span.start, one.zone)} {end}")

    desk.answer({"id": versions[0].id, "versions": shapes.memories(versions)}, people)
