"""`where`, `status`, `doctor`, `reindex`: look after the file; knows no memory in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from simonides.doors import shapes
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, size
from simonides.doors.places import settings_from, settings_given, strangers
from simonides.doors.verb import verb
from simonides.errors import SimonidesError, StoreError
from simonides.settings import Settings
from simonides.types import Json


@verb(
    "where",
    examples=(
        "simonides where",
        "simonides where --settings",
        'sqlite3 -readonly "$(simonides where)" .schema',
    ),
    then=(
        "simonides status",
        "simonides --path .simonides/memory.db add ...   # a file for this project alone",
    ),
)
@click.option("--settings", is_flag=True, help="List the settings: value, where it comes from, what it does.")
@click.option(
    "--migrations", is_flag=True, help="Dry run: list what opening the file would migrate; opens nothing."
)
def where(desk: Desk, *, settings: bool, migrations: bool) -> None:
    """Print the one file that holds it all.

    It is --path, else SIMONIDES_PATH, else `.simonides/memory.db` of the project around you if that
    exists, else one file in your data folder. Nothing is kept anywhere else.
    """
    place = desk.place
    if migrations:
        _migrations(desk, place)
        return
    if not settings:
        answer: dict[str, Json] = {"path": str(place), "exists": place.exists()}
        desk.answer(answer, lambda paper: paper.line(str(place)))
        return
    values = settings_from(desk.settings)
    given = settings_given(desk.settings)
    rows = [_setting(values, name, help_, given.get(name, ("", "default"))[1]) for name, help_ in _settings()]

    def people(paper: Paper) -> None:
        paper.table(
            ("setting", "value", "from", "what it does"), [tuple(map(str, row.values())) for row in rows]
        )
        paper.then("simonides --set meaning=instant search ...", "export SIMONIDES_MEANING=instant")

    desk.answer({"path": str(place), "settings": [*rows]}, people)


def _migrations(desk: Desk, place: Path) -> None:
    """Show the steps that opening the file would take; each is one transaction, after a backup of the file."""
    from simonides.ledger.migrations import pending

    steps = pending(place)
    rows: list[Json] = [{"version": step.number, "what": step.name} for step in steps]
    what = "make the file" if not place.exists() else f"back up to {place.name}.v<N>.backup, then migrate"

    def people(paper: Paper) -> None:
        paper.line(f"Opening {place} would {what}:" if steps else f"{place} is up to date.")
        for step in steps:
            paper.line(f"  {step.number}  {step.name}")

    desk.answer({"path": str(place), "exists": place.exists(), "migrations": rows}, people)


def _settings() -> list[tuple[str, str]]:
    return [(item.name, str(item.metadata["help"])) for item in fields(Settings)]


def _setting(values: Settings, name: str, help_: str, origin: str) -> dict[str, Json]:
    value: Json = getattr(values, name)
    return {
        "name": name,
        "value": "***" if name == "endpoint_key" and value else value,
        "from": origin,
        "help": help_,
    }


@verb("status", examples=("simonides status", "simonides --json status"), then=("simonides doctor",))
def status(desk: Desk) -> None:
    """Count what is in the file, and what the model has yet to read.

    A memory that waits for the model is found already: by words, and by the instant tier of meaning.
    """
    found = desk.look().status()
    answer = shapes.plain(found)

    def people(paper: Paper) -> None:
        paper.line(str(found.path))
        pairs = [
            (f"{found.memories:,}", f"memories in {count(found.versions, 'version')}"),
            (f"{found.links:,}", "links"),
            (f"{found.events:,}", "entries in the log"),
            (
                f"{found.backlog:,}",
                f"still to be read by the model ({found.model or 'none: meaning is off'})",
            ),
            (size(found.bytes), "on disk"),
        ]
        for number, what in pairs:
            paper.line(f"{number:>12}  {what}")

    desk.answer(answer, people)


@verb(
    "doctor",
    examples=("simonides doctor", "simonides --path other.db doctor"),
    then=("simonides log verify",),
)
def doctor(desk: Desk) -> None:
    """Find out what is wrong, and what to do about it.

    Exit code 1 when anything is.
    """
    findings = [*_surroundings(desk), *_inside(desk)]
    bad = [one for one in findings if not one["ok"]]

    def people(paper: Paper) -> None:
        for one in findings:
            mark = paper.style("ok ", "green") if one["ok"] else paper.style("BAD", "red", bold=True)
            paper.line(f"{mark}  {one['name']}: {one['detail']}")
            if not one["ok"] and one["fix"]:
                paper.line(f"     {paper.style('fix', bold=True)}  {one['fix']}")
        paper.line("All is well." if not bad else f"{count(len(bad), 'thing')} to mend.")

    desk.answer({"ok": not bad, "findings": [*findings]}, people)
    if bad:
        click.get_current_context().exit(NOTHING_FOUND)


def _finding(name: str, ok: bool, detail: str, fix: str = "") -> dict[str, Json]:
    return {"name": name, "ok": ok, "detail": detail, "fix": fix}


def _surroundings(desk: Desk) -> list[dict[str, Json]]:
    """Return what can be told without opening the file."""
    version = ".".join(map(str, sys.version_info[:3]))
    names = strangers()
    unknown = f"no setting is called {', '.join(names)}" if names else "every SIMONIDES_* name is known"
    return [
        _finding("python", True, f"{version} at {Path(sys.executable).name} on {sys.platform}"),
        _tried(
            "settings", lambda: settings_from(desk.settings) and "all readable", "simonides where --settings"
        ),
        _finding(
            "environment", not names, unknown, "See `simonides where --settings`, and unset the others."
        ),
        _tried("place", lambda: str(desk.place), "Choose another file with --path."),
    ]


def _tried(name: str, look: Callable[[], str], fix: str) -> dict[str, Json]:
    try:
        return _finding(name, True, look())
    except SimonidesError as err:
        return _finding(name, False, f"{err.subject}: {err.rule}", err.way_out or fix)


def _inside(desk: Desk) -> list[dict[str, Json]]:
    """Return what the store says of itself; a file that cannot be opened is a finding too."""
    try:
        found = desk.look().doctor()
    except SimonidesError as err:
        fix = err.way_out or ("Restore the last backup or export." if isinstance(err, StoreError) else "")
        return [_finding("file", False, f"{err.subject}: {err.rule}", fix)]
    return [_finding(one.name, one.ok, one.detail, one.fix) for one in found]


@verb(
    "reindex",
    examples=("simonides reindex", "simonides --set model=multilingual reindex"),
    then=("simonides status", "simonides doctor"),
)
def reindex(desk: Desk) -> None:
    """Make all derived data anew, e.g. after changing the model.

    Words, vectors and codes come from the texts, which are not touched. Stop it when you like; what is
    missing is made by the next command that opens the file.
    """
    memory = desk.memory()
    ticker = desk.ticker()
    memory.reindex(progress=ticker.counting("read by the model:", memory.status().versions))
    ticker.clear()
    found = memory.status()
    answer: dict[str, Json] = {
        "memories": found.memories,
        "backlog": found.backlog,
        "model": shapes.plain(found.model),
    }
    desk.answer(
        answer, lambda paper: paper.line(f"Made anew for {count(found.memories, 'memory', 'memories')}.")
    )
