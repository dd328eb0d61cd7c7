"""`where`, `status`, `doctor`: look after the file; knows no memory in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from simonides import shapes
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, short, size
from simonides.doors.places import open_to_others, settings_from, settings_given, strangers, user_path
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
    if migrations:
        _migrations(desk, desk.place)
        return
    place = _place(desk)
    if not settings:
        answer: dict[str, Json] = {"path": place, "exists": bool(desk.server) or desk.place.exists()}
        desk.answer(answer, lambda paper: paper.line(place))
        return
    values = settings_from(desk.settings)
    given = settings_given(desk.settings)
    rows = [_setting(values, name, help_, given.get(name, ("", "default"))[1]) for name, help_ in _settings()]

    def people(paper: Paper) -> None:
        paper.table(
            ("setting", "value", "from", "what it does"), [tuple(map(str, row.values())) for row in rows]
        )
        paper.then("simonides --set meaning=instant search ...", "export SIMONIDES_MEANING=instant")

    desk.answer({"path": place, "settings": [*rows]}, people)


def _place(desk: Desk) -> str:
    """Return the file, or the address of the server with its password hidden."""
    if not desk.server:
        return str(desk.place)
    from simonides.ledger.postgres.address import masked

    return masked(desk.server)


def _migrations(desk: Desk, place: Path) -> None:
    """Show the steps that opening the file would take; each is one transaction, after a backup of the file."""
    from simonides.ledger.migrations import pending

    steps = pending(place, desk.driver())
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


@verb(
    "status",
    examples=("simonides status", "simonides status 4f2a91c7", "simonides --json status"),
    then=("simonides doctor", "simonides jobs"),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
def status(desk: Desk, ids: tuple[str, ...]) -> None:
    """Count what is in the file, and what the model has yet to read.

    A memory that waits for the model is found already: by words, and by the instant tier of meaning.
    Of memories that are named: stored (durable), enriched (read by the model), or failed, and why.
    """
    if ids:
        _progress(desk, ids)
        return
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
        if found.dead:
            pairs.insert(4, (f"{found.dead:,}", "of these given up, see `simonides jobs`"))
        for number, what in pairs:
            paper.line(f"{number:>12}  {what}")

    desk.answer(answer, people)


def _progress(desk: Desk, ids: tuple[str, ...]) -> None:
    """Say of each memory how far it is."""
    memory = desk.look()
    found = memory.status([memory.ledger.expand(id) for id in ids])

    def people(paper: Paper) -> None:
        rows = [(one.id if paper.plain else short(one.id), one.state, one.reason) for one in found]
        paper.table(("id", "state", "why"), rows)

    desk.answer({"memories": [shapes.plain(one) for one in found]}, people)


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
        _tried("place", lambda: _place(desk), "Choose another file with --path."),
        _folder(),
        *_hooks(desk),
    ]


FEW_LATE = 20
"""Hooks of the last days that may have been too slow: a machine is busy at times, and a late hook is only silent."""


def _hooks(desk: Desk) -> list[dict[str, Json]]:
    """Return what the hooks of agents, which are silent, have written down of what went wrong."""
    from simonides.clock import SystemClock
    from simonides.doors.hooks import faults

    try:
        log = faults.log_of(user_path() if desk.server else desk.place)
    except SimonidesError:
        return []  # said already: there is no such place
    found = faults.recent(log, SystemClock().now())
    if not found:
        return []
    late = [one for one in found if one.late]
    failed = [one for one in found if not one.late]
    last = (failed or late)[-1]
    counts = f"{len(failed)} failed and {len(late)} were too slow in 7 days"
    detail = f"{counts}; {last.event} at {last.at:%Y-%m-%d %H:%M}Z: {last.what}"
    fix = (
        f"Delete {log} when it is mended."
        if failed
        else "Give them longer: --budget 600 in the settings of the agent."
    )
    return [_finding("hooks", not failed and len(late) <= FEW_LATE, detail, fix)]


def _folder() -> dict[str, Json]:
    """Look at the folder that is used when no file is named; it is made for its owner alone."""
    folder = user_path().parent
    mode = open_to_others(folder)
    detail = f"{folder} is {f'open to others (mode {mode:o})' if mode else 'yours alone'}"
    return _finding("folder", not mode, detail, f"chmod 700 {folder}" if mode else "")


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
