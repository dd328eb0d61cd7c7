"""`review`: go through what may be junk, said twice or out of date; knows no rule by which that is found."""

from __future__ import annotations

from collections import Counter

import click

from simonides import shapes
from simonides.doors.commands.write import report
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, day, short
from simonides.doors.verb import Entry, LazyGroup, Scoped, scoping, verb
from simonides.parts.review import WHYS, members
from simonides.types import Doubt, Json, Memory

HOME = "simonides.doors.commands.review"
REVIEW = {
    "list": Entry("Review", f"{HOME}:list_", "List what is in doubt, newest first."),
    "keep": Entry("Review", f"{HOME}:keep", "Leave it all as it is, and don't ask again."),
    "merge": Entry("Review", f"{HOME}:merge", "Keep one, retire the others and link them to it."),
    "retire": Entry("Review", f"{HOME}:retire", "Retire what is junk, or all but one."),
}
_EVERYTHING = 1 << 31
_OPTION = click.option("--keep", "stays", metavar="MEMORY", help="The one that stays; the first if not said.")
_REASON = click.option("--reason", default="", help="Why, for the history.")
_DRY = click.option(
    "--dry-run", "--plan", "dry_run", is_flag=True, help="Show what would change; change nothing."
)


class Review(LazyGroup):
    """The group that lists when no subcommand is named: `review --user ana` is `review list --user ana`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of options and of nothing."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("review", cls=Review, entries=REVIEW, otherwise={"ls": "list", "show": "list", "drop": "retire"})
def review() -> None:
    """Go through duplicates, contradictions and junk.

    Without a subcommand it lists them.
    """


@verb(
    "list",
    examples=(
        "simonides review",
        "simonides review --why duplicate --user ana",
        "simonides review --count",
    ),
    then=("simonides review keep ID", "simonides review merge ID", "simonides review retire ID"),
)
@click.option("--why", multiple=True, type=click.Choice(WHYS), help="Only these. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--count", "counts", is_flag=True, help="Only say how many there are of each.")
@scoping
def list_(desk: Desk, *, why: tuple[str, ...], limit: int, counts: bool, scope: Scoped) -> None:
    """List what is in doubt, newest first.

    The first memory of each is the one that would stay. Exit code 1 when nothing is in doubt.
    """
    found = desk.look().review(limit=_EVERYTHING if why or counts else limit, **scope)
    found = [one for one in found if not why or one.why in why]
    if counts:
        _count(desk, found)
    else:
        answer: dict[str, Json] = {"doubts": [shapes.doubt(one) for one in found[:limit]]}
        desk.answer(answer, lambda paper: _tell(desk, paper, found[:limit]))
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


def _count(desk: Desk, found: list[Doubt]) -> None:
    many = Counter(one.why for one in found)
    counts: dict[str, Json] = {why: many[why] for why in WHYS}
    answer: dict[str, Json] = {"counts": counts, "all": len(found)}

    def people(paper: Paper) -> None:
        for why in WHYS:
            paper.line(f"{many[why]:>9,}  {why}")

    desk.answer(answer, people)


def _tell(desk: Desk, paper: Paper, found: list[Doubt]) -> None:
    if not found:
        desk.aside("Nothing is in doubt.")
        return
    for one in found:
        paper.line(f"{paper.style(one.why, bold=True)}  {one.reason}  {paper.dim(_shown(paper, one.id))}")
        for memory in one.memories:
            paper.line(f"    {_line(paper, memory)}")
    paper.then("simonides review keep|merge|retire ID", "simonides review --count")


def _shown(paper: Paper, doubt: str) -> str:
    why, ids = members(doubt)
    return doubt if paper.plain else "-".join((why, *map(short, ids)))


def _line(paper: Paper, memory: Memory) -> str:
    id = memory.id if paper.plain else short(memory.id)
    who = memory.speaker or memory.kind
    head = f"{id}  {day(memory.at, memory.zone)}  {who}  "
    return f"{paper.dim(id)}{head[len(id) :]}{paper.cut(memory.text, 4 + len(head))}"


@verb(
    "keep",
    examples=("simonides review keep duplicate-4f2a91c7-b03c77de",),
    then=("simonides review", "simonides undo EVENT      # asks again"),
)
@click.argument("id")
@_REASON
@_DRY
def keep(desk: Desk, id: str, *, reason: str, dry_run: bool) -> None:
    """Leave it all as it is, and don't ask again.

    It is asked again when one of the memories changes.
    """
    _settle(desk, id, "keep", None, reason, dry_run)


@verb(
    "merge",
    examples=(
        "simonides review merge duplicate-4f2a91c7-b03c77de",
        "simonides review merge similar-4f2a91c7-b03c77de --keep b03c77de",
    ),
    then=("simonides review", "simonides undo EVENT      # takes it back"),
)
@click.argument("id")
@_OPTION
@_REASON
@_DRY
def merge(desk: Desk, id: str, *, stays: str | None, reason: str, dry_run: bool) -> None:
    """Keep one, retire the others and link them to it.

    The links say `merged-into`.
    """
    _settle(desk, id, "merge", stays, reason, dry_run)


@verb(
    "retire",
    examples=(
        "simonides review retire junk-4f2a91c7",
        "simonides review retire contradiction-4f2a91c7-b03c77de --keep 4f2a91c7",
    ),
    then=("simonides review", "simonides undo EVENT      # takes it back"),
)
@click.argument("id")
@_OPTION
@_REASON
@_DRY
def retire(desk: Desk, id: str, *, stays: str | None, reason: str, dry_run: bool) -> None:
    """Retire what is junk, or all but one.

    Of a contradiction, the older statement ends when the newer begins: it stays true of the time before.
    """
    _settle(desk, id, "retire", stays, reason, dry_run)


def _settle(desk: Desk, id: str, decision: str, stays: str | None, reason: str, dry: bool) -> None:
    receipt = desk.memory().settle(id, decision, keep=stays, reason=reason, plan=dry)

    def people(paper: Paper) -> None:
        paper.line(f"Settled ({decision}): {count(len(receipt.ids), 'change')} in one transaction.")
        paper.then(f"simonides undo {receipt.seqs[0]}", "simonides review")

    if dry:
        report(desk, receipt, "")
    else:
        desk.answer(shapes.receipt(receipt), people)
