"""`update`, `retire`, `restore`: change what is believed, never what was; knows nothing of searching."""

from __future__ import annotations

from datetime import datetime

import click

from simonides.doors.commands.write import metadata_from, report
from simonides.doors.desk import Desk, words_or_stdin
from simonides.doors.verb import DATA, MOMENT, verb
from simonides.types import Json


@verb(
    "update",
    examples=(
        'simonides update 4f2a91c7 "Ana lives in Porto." --at 2026-09-01',
        'simonides update 4f2a91c7 --text "Ana lives in Lisboa." --reason "spelling"',
        "simonides update 4f2a91c7 --meta checked=true --if-version 2",
    ),
    then=("simonides history 4f2a91c7", "simonides restore 4f2a91c7      # undoes it"),
)
@click.argument("id")
@click.argument("words", metavar="[TEXT]...", nargs=-1)
@click.option("--text", help="The new text; `-` reads standard input. The same as writing it after the id.")
@click.option(
    "--at", type=MOMENT, help="Since when it is so. Without it the old text was never right: a correction."
)
@click.option(
    "--meta", multiple=True, metavar="NAME=VALUE", help="New metadata instead of the old. Repeatable."
)
@click.option("--metadata-json", type=DATA, help="The same as one JSON object.")
@click.option("--if-version", type=int, help="Only if the memory is still at this version; else exit code 6.")
@click.option("--reason", default="updated", show_default=True, help="Why, for the history.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def update(
    desk: Desk,
    id: str,
    words: tuple[str, ...],
    *,
    text: str | None,
    at: datetime | None,
    meta: tuple[str, ...],
    metadata_json: dict[str, Json] | None,
    if_version: int | None,
    reason: str,
    dry_run: bool,
) -> None:
    """Change what a memory says; the old text stays in its history.

    With --at both are true, one after the other. ID is the whole id or its last digits.
    """
    metadata = metadata_from(meta, metadata_json)
    given = (text,) if text is not None else words
    new = words_or_stdin(given) if given or metadata is None else None
    memory = desk.memory()
    receipt = memory.update(
        memory.ledger.expand(id),
        new,
        at=at,
        metadata=metadata,
        if_version=if_version,
        reason=reason,
        plan=dry_run,
    )
    report(desk, receipt, "Updated")


@verb(
    "retire",
    examples=(
        "simonides retire 4f2a91c7",
        'simonides retire 4f2a91c7 --at 2026-03-01 --reason "cancelled the gym"',
    ),
    then=("simonides restore 4f2a91c7      # undoes it", "simonides list --as-of 2026-02-01"),
)
@click.argument("id")
@click.option("--at", type=MOMENT, help="When it ceased to be true, if not now.")
@click.option("--reason", default="retired", show_default=True, help="Why, for the history.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def retire(desk: Desk, id: str, *, at: datetime | None, reason: str, dry_run: bool) -> None:
    """End a memory; it stays in the history and can be restored.

    A search as of an earlier day still finds it.
    """
    memory = desk.memory()
    report(desk, memory.retire(memory.ledger.expand(id), at=at, reason=reason, plan=dry_run), "Retired")


@verb(
    "restore",
    examples=("simonides restore 4f2a91c7", "simonides restore 4f2a91c7 --version 1"),
    then=("simonides get 4f2a91c7", "simonides history 4f2a91c7"),
)
@click.argument("id")
@click.option("--version", type=int, help="Bring back the text of this version, see `history`.")
@click.option("--reason", default="restored", show_default=True, help="Why, for the history.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def restore(desk: Desk, id: str, *, version: int | None, reason: str, dry_run: bool) -> None:
    """Undo the last update or retirement of a memory.

    Undoing is a change too: it is in the history and the log.
    """
    memory = desk.memory()
    receipt = memory.restore(memory.ledger.expand(id), version=version, reason=reason, plan=dry_run)
    report(desk, receipt, "Restored")
