"""`undo`: take back a set of changes; knows nothing of how it is done."""

from __future__ import annotations

import click

from simonides import shapes
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper, count, short
from simonides.doors.verb import verb
from simonides.types import Undone

SHOWN = 10
"""Versions that are listed for people; an import undone has hundreds."""


@verb(
    "undo",
    examples=(
        "simonides undo 1204 --dry-run",
        'simonides undo 1204 --reason "imported the wrong file"',
        "simonides log list --newest     # shows the numbers",
    ),
    then=("simonides log list --newest", "simonides history 4f2a91c7"),
)
@click.argument("event", type=click.IntRange(min=1))
@click.option("--reason", default="undone", show_default=True, help="Why, for the history.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def undo(desk: Desk, event: int, *, reason: str, dry_run: bool) -> None:
    """Undo all that was written together with an entry of the log.

    Undoing the undo redoes. Exit code 6 when something newer changed one of the same memories since;
    the message names it. What was erased can't be brought back.
    """
    done = desk.memory().undo(event, reason=reason, plan=dry_run)
    desk.answer(shapes.undone(done), lambda paper: _tell(paper, done))


def _tell(paper: Paper, done: Undone) -> None:
    planned = done.state == "planned"
    things = count(len(done.ids), "memory or link", "memories and links")
    paper.line(f"{'Would undo' if planned else 'Undid'} event {done.undone}: {things}")
    lines = [f"  {short(id)}  version {version} is not believed any more" for id, version in done.closed]
    lines += [f"  {short(id)}  version {version} is believed again" for id, version in done.reopened]
    for line in lines[:SHOWN]:
        paper.line(line)
    if len(lines) > SHOWN:
        paper.line(f"  ... and {len(lines) - SHOWN:,} more (--json lists them all)")
    if not planned:
        paper.then(f"simonides undo {done.seqs[0]}      # redoes it")
