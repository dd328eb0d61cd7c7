"""`export`, and taking an export in again: the whole store as JSON lines; knows no other program's format."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from simonides.doors.desk import Desk
from simonides.doors.importers.reading import json_lines, table
from simonides.doors.importers.record import Problem
from simonides.doors.paper import Paper, count
from simonides.doors.verb import verb
from simonides.errors import InputError
from simonides.types import Json


def import_own(desk: Desk, path: Path, *, dry: bool, even_erased: bool = False) -> None:
    """Take in what `export` wrote, with its ids, versions, links and log; all of it or nothing."""

    def records() -> Iterator[dict[str, Json]]:
        for found in json_lines(path):
            if isinstance(found, Problem):
                raise InputError(found.where, found.reason, "", "Export again; nothing was written.")
            yield table(found.value)

    memory = desk.look() if dry else desk.memory()
    found = memory.undump(records(), plan=dry, even_erased=even_erased)
    rows = [
        (found.memories, "versions of memories"),
        (found.links, "versions of links"),
        (found.events, "entries of the log"),
        (found.skipped, "were here already"),
        (found.erased, "were erased here and stay out (--even-erased takes them in)"),
    ]

    def people(paper: Paper) -> None:
        paper.line(paper.style(f"simonides export{' (nothing was written)' if dry else ''}", bold=True))
        for number, text in rows:
            if number:
                paper.line(f"{number:>9,}  {text}")
        paper.then("simonides log verify", "simonides list --newest")

    counts: dict[str, Json] = {"memories": found.memories, "links": found.links, "events": found.events}
    left_out: dict[str, Json] = {"already": found.skipped, "erased": found.erased}
    desk.answer({"format": "simonides", "dry_run": dry, **counts, **left_out}, people)


@verb(
    "export",
    examples=(
        "simonides export memory-2026-05.jsonl",
        "simonides export | gzip > memory.jsonl.gz",
        "simonides --path copy.db import jsonl memory-2026-05.jsonl",
        "simonides export --as reference memory.jsonl",
    ),
    then=("simonides --path copy.db log verify",),
)
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option(
    "--as",
    "form",
    type=click.Choice(("simonides", "reference")),
    default="simonides",
    show_default=True,
    help="reference: the memory.jsonl of the reference MCP memory server, entities and relations only.",
)
def export(desk: Desk, file: Path, *, force: bool, form: str) -> None:
    """Write everything, history and links too, as JSON lines.

    Nothing is lost: importing it into an empty file and exporting that gives the same bytes. A file is
    written whole or not at all.
    """
    lines = _reference(desk) if form == "reference" else (_row(record) for record in desk.look().dump())
    if str(file) == "-":
        for line in lines:
            click.echo(line, nl=False)
        return
    if file.exists() and not force:
        raise InputError(
            f"export {file}", "exists already", "", "Choose another name, or --force overwrites it."
        )
    number = _write(file, lines)
    size = file.stat().st_size
    answer: dict[str, Json] = {"file": str(file), "records": number, "bytes": size}
    desk.answer(answer, lambda paper: paper.line(f"{count(number, 'record')} in {file} ({size:,} bytes)"))


def _reference(desk: Desk) -> Iterator[bytes]:
    """Yield the lines of the reference server's memory.jsonl."""
    from simonides.bounded import Bounded
    from simonides.doors.mcp.graph import Graph

    return (f"{line}\n".encode() for line in Graph(Bounded(desk.look())).read().lines())


def _row(record: Mapping[str, Json]) -> bytes:
    """Return one line, in UTF-8 whatever the terminal speaks."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _write(file: Path, lines: Iterator[bytes]) -> int:
    """Write to a file beside it, then put that in its place."""
    number = 0
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as err:
        raise InputError(f"export {file}", f"cannot be written: {err.strerror}") from err
    try:
        with os.fdopen(handle, "wb") as stream:
            for line in lines:
                number += 1
                stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return number
