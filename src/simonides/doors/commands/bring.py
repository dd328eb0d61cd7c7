"""`import` and `export`: bring memories in and out; knows no format, only the table of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from simonides.doors.commands.carry import import_own
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.importers import FORMATS, Format, named, parser
from simonides.doors.importers.detect import detect, is_own_export
from simonides.doors.importers.record import Item, Reading, Record, unreadable
from simonides.doors.importers.run import Plan, Run, Tally
from simonides.doors.paper import Paper, count, cut
from simonides.doors.spreading import Workers, spreading
from simonides.doors.verb import Scoped, Verb, scoping, verb, write_lines
from simonides.types import Json, Scope

if TYPE_CHECKING:
    from simonides.pool import Pool

SHOWN = 5
"""Problems that people are shown; --json has them all."""


class ImportVerb(Verb):
    """The command whose help also lists the formats."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the formats, then what every command writes."""
        width = max(map(len, FORMATS))
        write_lines(formatter, "Formats", [f"{name:<{width}}  {one.what}" for name, one in FORMATS.items()])
        super().format_epilog(ctx, formatter)


def _zone(_ctx: click.Context, param: click.Parameter, value: str | None) -> tzinfo | None:
    from simonides.doors.paper import zone_of

    if value is None:
        return None
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        if value[:1] in "+-" and len(value) == len("+02:00"):
            return zone_of(value)
        raise click.BadParameter(f"unknown zone {value!r}; try Europe/Berlin or +02:00", param=param) from err


@verb(
    "import",
    cls=ImportVerb,
    examples=(
        "simonides import chatgpt export.zip --dry-run",
        "simonides import claude-code                      # ~/.claude/projects",
        "simonides import markdown ./notes --project thesis",
        "simonides import jsonl years.jsonl --processes 4  # texts are analysed in four processes",
    ),
    then=('simonides search "what did I decide?"', "simonides list --newest"),
)
@click.argument("format", required=False)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--detect", "unknown", type=click.Path(path_type=Path), metavar="PATH", help="Find out the format."
)
@click.option("--dry-run", is_flag=True, help="Read everything and count; write nothing.")
@click.option(
    "--zone", callback=_zone, metavar="ZONE", help="The zone of times that carry none: Europe/Berlin, +02:00."
)
@click.option("--name", default="", help="Names a folder of notes, so that it is known again after it moved.")
@click.option("--wait", is_flag=True, help="Return only when the model has read it all.")
@click.option("--even-erased", is_flag=True, help="Take in again what was erased here.")
@spreading
@scoping
def import_(
    desk: Desk,
    *,
    format: str | None,
    path: Path | None,
    unknown: Path | None,
    dry_run: bool,
    zone: tzinfo | None,
    name: str,
    wait: bool,
    even_erased: bool,
    scope: Scoped,
    workers: Workers,
) -> None:
    """Bring in chats, notes and other programs' memories.

    A second run adds only what is new: nothing comes in twice, and what you retired stays retired. Stop it
    when you like; the next run goes on. A bad record is reported with its line, the rest goes in. --user,
    --project and the like fill in what the file leaves open.
    """
    wanted, place = _which(format, path, unknown)
    with _piped(place) as file:
        found = wanted or detect(file)
        if found == "jsonl" and is_own_export(file):
            import_own(desk, file, dry=dry_run, even_erased=even_erased)
            return
        known = Scope(**{key: str(value or "") for key, value in scope.items()})
        plan = Plan(found, f"{found}:{place.name}", FORMATS[found].follows, known, dry_run, even_erased)
        with workers.pool() as pool:
            _import(desk, plan, parser(found)(file, Reading(zone, name)), wait=wait, pool=pool)


@contextmanager
def _piped(path: Path) -> Generator[Path]:
    """Give standard input a file of its own when the path is `-`; formats look at a file more than once."""
    if str(path) != "-":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="simonides-") as folder:
        spooled = Path(folder) / "standard-input"
        with spooled.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield spooled


def _import(desk: Desk, plan: Plan, items: Iterable[Item], *, wait: bool, pool: Pool | None) -> None:
    memory = desk.look() if plan.dry else desk.memory()
    ticker = desk.ticker()

    def show(tally: Tally) -> None:
        ticker.show(f"{tally.new:,} new, {tally.already:,} already here ...")

    run = Run(memory, plan, show, pool)
    try:
        run.go(items)
        if wait and not plan.dry:
            counting = ticker.counting("read by the model:", memory.status().backlog)
            memory.wait(progress=counting, pool=pool)
    except KeyboardInterrupt:
        ticker.clear()
        desk.aside(f"Stopped: {count(run.tally.new, 'new memory', 'new memories')} in, nothing half-written.")
        desk.aside("The same command goes on from here.")
        raise
    ticker.clear()
    _report(desk, plan, run.tally)


def _which(format: str | None, path: Path | None, unknown: Path | None) -> tuple[str, Path]:
    """Return the format and the path that the command line means; an empty format is to be detected."""
    if unknown is not None:
        if format is not None:
            raise click.UsageError("Give either a FORMAT or --detect PATH.")
        return "", _there(unknown)
    if format is None:
        raise click.UsageError(f"Which format? {', '.join(FORMATS)}; or --detect PATH.")
    format = named(format)
    if format not in FORMATS and path is None and Path(format).exists():
        return "", Path(format)
    parser(format)
    path = path or _home(FORMATS[format])
    if path is None:
        raise click.UsageError(f"Which file? simonides import {format} PATH, or `-` for standard input.")
    return format, _there(path)


def _there(path: Path) -> Path:
    if str(path) != "-" and not path.exists():
        raise unreadable(path, "does not exist", f"Looked for {path}.")
    return path


def _home(format: Format) -> Path | None:
    return Path.home() / format.home if format.home else None


def _report(desk: Desk, plan: Plan, tally: Tally) -> None:
    backlog = 0 if plan.dry else desk.memory().status().backlog
    answer: dict[str, Json] = {
        "format": plan.format,
        "source": plan.source,
        "dry_run": plan.dry,
        "new": tally.new,
        "already": tally.already,
        "changed": tally.changed,
        "repaired": tally.repaired,
        "links": tally.links,
        "loose_links": tally.loose,
        "sessions": len(tally.sessions),
        "passed_over": dict(tally.passed),
        "problems": [{"where": one.where, "reason": one.reason} for one in tally.problems],
        "backlog": backlog,
    }
    desk.answer(answer, lambda paper: _tell(paper, plan, tally, backlog))
    if not tally.seen or (tally.problems and len(tally.problems) == tally.seen):
        click.get_current_context().exit(3 if tally.problems else NOTHING_FOUND)


def _tell(paper: Paper, plan: Plan, tally: Tally, backlog: int) -> None:
    would = " would come in (nothing was written)" if plan.dry else ""
    paper.line(paper.style(plan.source, bold=True))
    for number, text in _lines(tally, would):
        if number:
            paper.line(f"{number:>9,}  {text}")
    for problem in tally.problems[:SHOWN]:
        paper.line(f"           {paper.style(problem.where, 'yellow')}: {problem.reason}")
    if len(tally.problems) > SHOWN:
        paper.line(f"           ... and {len(tally.problems) - SHOWN} more (--json lists them all)")
    if plan.dry:
        _show(paper, tally.samples)
        paper.then("the same without --dry-run")
        return
    if backlog:
        paper.line(
            f"Found by words and meaning now; {backlog:,} still to be read by the full model (--wait waits)."
        )
    paper.then('simonides search "..."', "simonides list --newest")


def _lines(tally: Tally, would: str) -> Iterator[tuple[int, str]]:
    inside = f" in {count(len(tally.sessions), 'conversation')}" if tally.sessions else ""
    yield tally.new or 0, f"new {'memory' if tally.new == 1 else 'memories'}{inside}{would}"
    yield tally.already, "were here already"
    yield tally.changed, "changed since, and superseded what was here"
    yield tally.links, f"link{'s' if tally.links != 1 else ''} between them"
    yield tally.loose, "links to something that is not there, left out"
    yield tally.repaired, "with characters that cannot be stored, replaced by U+FFFD"
    for reason, number in tally.passed.most_common():
        yield number, f"passed over: {reason}"
    yield (
        len(tally.problems),
        f"problem{'s' if len(tally.problems) != 1 else ''}; the rest went in"
        if (tally.new or tally.already or tally.changed)
        else "problems; nothing could be read",
    )


def _show(paper: Paper, samples: list[Record]) -> None:
    for one in samples:
        when = one.at.strftime("%Y-%m-%d") if one.at else "undated"
        text = " ".join(one.text.split())
        paper.line(f"           {when}  {one.speaker or one.kind}: {text if paper.plain else cut(text, 60)}")
