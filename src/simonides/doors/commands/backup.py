"""`backup`: a checked copy of the file while it is in use, and putting one back; knows no memory in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.doors.paper import Paper, count, size
from simonides.doors.verb import verb
from simonides.errors import InputError

if TYPE_CHECKING:
    from simonides.doors.desk import Desk, Ticker
    from simonides.ledger.backup import Copy
    from simonides.ledger.drivers import Driver
    from simonides.types import Json

STAMP = "%Y%m%dT%H%M%SZ"


@verb(
    "backup",
    examples=(
        "simonides backup                      # beside the file: memory-20260514T081500Z.db",
        "simonides backup /media/usb/",
        "simonides backup memory.copy --force",
        "simonides backup --restore memory-20260514T081500Z.db",
    ),
    then=("simonides --path memory-20260514T081500Z.db status", "simonides doctor"),
)
@click.argument("target", required=False, metavar="[FILE|DIR]", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option(
    "--restore",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Put this backup in the place of the file, which is kept as FILE.before-restore.",
)
@click.option("--dry-run", is_flag=True, help="With --restore: check the backup, change nothing.")
def backup(desk: Desk, target: Path | None, *, force: bool, restore: Path | None, dry_run: bool) -> None:
    """Copy the file while it is in use, check the copy, put one back.

    The copy is of one moment, however many programs write meanwhile, and is one file: it needs nothing
    beside it, and `--path` opens it. It is opened and checked before it gets its name. The copy of an
    encrypted file has the same key. `--restore` wants all programs that have the file open to end first.
    """
    _refuse_server(desk)
    if restore is not None:
        if target is not None or force:
            raise click.UsageError("--restore takes no other file, and never overwrites one.")
        _restore(desk, restore, dry=dry_run)
        return
    if dry_run:
        raise click.UsageError("--dry-run is for --restore.")
    _copy(desk, target, force=force)


def _copy(desk: Desk, target: Path | None, *, force: bool) -> None:
    from simonides.ledger.backup import name_for

    place = desk.place
    if not place.exists():
        raise InputError(f"backup of {place}", "there is no such file", "", "Name another with --path.")
    folder = place.parent if target is None else target
    if target is None or target.is_dir():
        target = name_for(place, folder, datetime.now(UTC).strftime(STAMP))
    ticker = desk.ticker()
    copy = desk.memory().backup(target, overwrite=force, progress=_pages(ticker))
    ticker.clear()

    def people(paper: Paper) -> None:
        paper.line(str(copy.path))
        paper.line(_told(copy))
        paper.then(f"simonides backup --restore {copy.path}")

    desk.answer({"file": str(copy.path), **_shape(copy)}, people)


def _restore(desk: Desk, source: Path, *, dry: bool) -> None:
    from simonides.ledger import backup as backups

    place, ticker, driver = desk.place, desk.ticker(), _driver(desk, source)
    if dry:
        copy, kept = backups.check(source, driver, _pages(ticker)), None
    else:
        done = backups.restore(source, place, driver, progress=_pages(ticker))
        copy, kept = done.copy, done.kept
    ticker.clear()

    def people(paper: Paper) -> None:
        paper.line(f"{source} is whole: {_told(copy)}")
        if dry:
            paper.line(f"It would take the place of {place}. Nothing was changed.")
            return
        paper.line(f"It is in the place of {place}.")
        if kept is not None:
            paper.line(f"What was there is kept as {kept}.")
        paper.then("simonides status", "simonides doctor")

    answer: dict[str, Json] = {"file": str(place), "backup": str(source), "dry_run": dry}
    desk.answer({**answer, "kept": None if kept is None else str(kept), **_shape(copy)}, people)


def _driver(desk: Desk, source: Path) -> Driver:
    """Return what opens a backup: with the key that is given for the file, or with the one that its salt names."""
    from simonides.doors.keys import key_for
    from simonides.ledger.drivers import STANDARD
    from simonides.ledger.encrypted import Vault

    if not source.is_file():
        raise InputError(f"backup {source}", "does not exist")
    key = key_for(source, desk.key_file, ask=desk.ask_key)
    return STANDARD if key is None else Vault(key)


def _refuse_server(desk: Desk) -> None:
    from simonides.ledger.postgres.address import is_address

    given = desk.path or ""
    if is_address(given):
        way_out = "Use pg_dump on the server, or `simonides export FILE`, which any simonides imports."
        raise InputError("backup", "is for files, not for a PostgreSQL server", "", way_out)


def _pages(ticker: Ticker) -> Callable[[int, int], object]:
    return lambda done, whole: ticker.show(f"copied {done:,} of {whole:,} pages ...")


def _told(copy: Copy) -> str:
    sort = ", encrypted" if copy.encrypted else ""
    return (
        f"{count(copy.versions, 'version')} of memories, {count(copy.links, 'link')},"
        f" {count(copy.events, 'entry', 'entries')} in the log,"
        f" {size(copy.bytes)}{sort}; every page and the chain of the log are sound."
    )


def _shape(copy: Copy) -> dict[str, Json]:
    return {
        "bytes": copy.bytes,
        "versions": copy.versions,
        "links": copy.links,
        "events": copy.events,
        "head": copy.head,
        "schema": copy.schema,
        "encrypted": copy.encrypted,
    }
