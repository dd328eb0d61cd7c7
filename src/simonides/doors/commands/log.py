"""`log list|verify`: read the log of all changes and prove it; knows nothing of what the changes meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from simonides import shapes
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, moment, short
from simonides.doors.verb import Entry, LazyGroup, verb

if TYPE_CHECKING:
    from simonides.memory import Memory
    from simonides.types import Event

HOME = "simonides.doors.commands.log"
LOG = {
    "list": Entry("Log", f"{HOME}:list_", "List what was done, by whom and when."),
    "verify": Entry(
        "Log", f"{HOME}:verify", "Prove that no entry and no memory was altered behind its back."
    ),
}


@click.group("log", cls=LazyGroup, entries=LOG, otherwise={"ls": "list", "check": "verify"})
def log() -> None:
    """Read the log of all changes, and prove that nobody altered it."""


@verb(
    "list",
    examples=(
        "simonides log list",
        "simonides log list --subject 4f2a91c7",
        "simonides log list --after 200 --limit 50",
    ),
    then=("simonides log verify",),
)
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only entries behind this number.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--newest", is_flag=True, help="The newest ones, newest first.")
@click.option("--subject", default="", metavar="ID", help="Only what was done to this memory or link.")
def list_(desk: Desk, *, after: int, limit: int, newest: bool, subject: str) -> None:
    """List what was done, by whom and when.

    The log holds hashes of texts, never the texts. Exit code 1 when there is nothing.
    """
    memory = desk.look()
    about = memory.ledger.expand(subject) if subject else ""
    found = (
        _newest(memory, after, limit, about)
        if newest
        else memory.log(after=after, limit=limit, subject=about)
    )

    def people(paper: Paper) -> None:
        rows = [
            (
                str(one.seq),
                moment(one.at).removesuffix(" UTC"),
                one.actor,
                one.verb,
                one.subject if paper.plain else short(one.subject),
                "(redacted)"
                if one.payload is None
                else json.dumps(shapes.plain(one.payload), ensure_ascii=False),
            )
            for one in found
        ]
        if rows:
            paper.table(("seq", "at (UTC)", "actor", "verb", "subject", "what"), rows)
        else:
            desk.aside("There is nothing.")
        if len(found) == limit and not newest:
            paper.then(f"simonides log list --after {found[-1].seq}")

    desk.answer({"events": [shapes.event(one) for one in found]}, people)
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


def _newest(memory: Memory, after: int, limit: int, subject: str) -> list[Event]:
    """Return the last entries, newest first; those of one subject are few, so that all of them are read."""
    if not subject:
        return memory.log(after=max(after, memory.status().events - limit), limit=limit)[::-1]
    return memory.log(after=after, limit=1_000_000, subject=subject)[-limit:][::-1]


@verb("verify", examples=("simonides log verify",), then=("simonides doctor",))
def verify(desk: Desk) -> None:
    """Prove that no entry and no memory was altered behind its back.

    Recomputes the chain of hashes over the whole log, and the hash of each memory. Exit code 1 when
    anything is off.
    """
    found = desk.look().verify()
    problems = [str(one) for one in found.problems]

    def people(paper: Paper) -> None:
        mark = paper.style("altered", "red") if problems else paper.style("intact", "green")
        paper.line(f"{mark}: {found.events:,} entries, head {found.head or '(none)'}")
        for problem in problems:
            paper.line(f"  {problem}")

    desk.answer(
        {"intact": not problems, "events": found.events, "head": found.head, "problems": [*problems]}, people
    )
    if problems:
        click.get_current_context().exit(NOTHING_FOUND)
