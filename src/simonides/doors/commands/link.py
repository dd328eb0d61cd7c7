"""`link add|remove|list|near`: connect memories; knows nothing of what a relation means."""

from __future__ import annotations

from datetime import datetime

import click

from simonides import shapes
from simonides.doors.commands.write import report
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, day, short
from simonides.doors.verb import MOMENT, Entry, LazyGroup, verb

HOME = "simonides.doors.commands.link"
LINK = {
    "add": Entry("Links", f"{HOME}:add", "Connect two memories."),
    "remove": Entry("Links", f"{HOME}:remove", "End a connection; it stays in the history."),
    "list": Entry("Links", f"{HOME}:list_", "List the connections of a memory, or all."),
    "near": Entry("Links", f"{HOME}:near", "Show the memories that are few connections away."),
}


@click.group(
    "link", cls=LazyGroup, entries=LINK, otherwise={"rm": "remove", "delete": "remove", "ls": "list"}
)
def link() -> None:
    """Connect memories, list connections, walk along them."""


@verb(
    "add",
    examples=(
        "simonides link add 4f2a91c7 b03c77de contradicts",
        'simonides link add 4f2a91c7 b03c77de "decided by" --weight 0.8 --evidence "minutes of 3 May"',
    ),
    then=("simonides link list 4f2a91c7", "simonides link near 4f2a91c7 --hops 2"),
)
@click.argument("source")
@click.argument("target")
@click.argument("relation")
@click.option("--weight", type=float, default=1.0, show_default=True, help="How strong.")
@click.option("--at", type=MOMENT, help="Since when, if not now.")
@click.option("--evidence", default="", help="What it rests on.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
def add(
    desk: Desk,
    source: str,
    target: str,
    relation: str,
    *,
    weight: float,
    at: datetime | None,
    evidence: str,
    dry_run: bool,
) -> None:
    """Connect two memories.

    RELATION is any word: supports, contradicts, `decided by` ... The link leads from SOURCE to TARGET.
    """
    memory = desk.memory()
    ends = memory.ledger.expand(source), memory.ledger.expand(target)
    report(
        desk, memory.link(*ends, relation, weight=weight, at=at, evidence=evidence, plan=dry_run), "Linked"
    )


@verb("remove", examples=("simonides link remove 9d1e0a44",), then=("simonides link list",))
@click.argument("id")
def remove(desk: Desk, id: str) -> None:
    """End a connection; it stays in the history.

    ID is the id of the link, see `link list`.
    """
    memory = desk.memory()
    report(desk, memory.unlink(memory.ledger.expand(id)), "Unlinked")


@verb("list", examples=("simonides link list", "simonides link list 4f2a91c7"), then=("simonides get ID",))
@click.argument("id", required=False)
def list_(desk: Desk, id: str | None) -> None:
    """List the connections of a memory, or all.

    Exit code 1 when there are none.
    """
    memory = desk.look()
    found = memory.links(memory.ledger.expand(id) if id else None)

    def people(paper: Paper) -> None:
        rows = [
            (one.id, one.source, one.relation, one.target, f"{one.weight:g}", day(one.valid.start))
            for one in found
        ]
        if not paper.plain:
            rows = [
                (short(a), short(b), relation, short(c), weight, at) for a, b, relation, c, weight, at in rows
            ]
        if rows:
            paper.table(("id", "from", "relation", "to", "weight", "since"), rows)
        else:
            desk.aside("There are none.")

    desk.answer({"links": [shapes.link(one) for one in found]}, people)
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


@verb("near", examples=("simonides link near 4f2a91c7 --hops 2",), then=("simonides get ID",))
@click.argument("id")
@click.option(
    "--hops", type=click.IntRange(min=1), default=1, show_default=True, help="At most so many links away."
)
def near(desk: Desk, id: str, *, hops: int) -> None:
    """Show the memories that are few connections away.

    Links are walked in both directions. Exit code 1 when there are none.
    """
    memory = desk.look()
    start = memory.ledger.expand(id)
    found = {one: hop for one, hop in memory.neighbours(start, hops=hops).items() if one != start}
    shown = [(hop, memory.get(one)) for one, hop in sorted(found.items(), key=lambda pair: pair[1])]

    def people(paper: Paper) -> None:
        if not shown:
            desk.aside("There are none.")
            return
        rows = [
            (str(hop), one.id if paper.plain else short(one.id), one.kind, one.text) for hop, one in shown
        ]
        paper.table(("hops", "id", "kind", "text"), rows)

    desk.answer({"neighbours": [{"hops": hop, "memory": shapes.memory(one)} for hop, one in shown]}, people)
    if not shown:
        click.get_current_context().exit(NOTHING_FOUND)
