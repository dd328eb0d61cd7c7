"""`connect` and `disconnect`: agents get this memory, and lose it again; the files are changed in `doors.connect`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.doors.connect.changes import Change, changes
from simonides.doors.connect.clients import CLIENTS, OTHER_NAMES, Call, Surroundings
from simonides.doors.connect.writing import write
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count
from simonides.doors.places import store_path
from simonides.doors.verb import Verb, verb, write_lines
from simonides.errors import InputError, UnknownName

if TYPE_CHECKING:
    from simonides.types import Json


CACHES = ("archive-v0", "builds-v0", "environments-v2", "_npx")
"""Folders from which a program disappears when a cache is cleaned."""


class ClientsVerb(Verb):
    """A command whose help also lists the agents."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the agents, then what every command writes."""
        width = max(map(len, CLIENTS))
        hooks = {True: ", with hooks", False: ""}
        lines = [f"{name:<{width}}  {one.title}{hooks[bool(one.hooks[0])]}" for name, one in CLIENTS.items()]
        write_lines(formatter, "Agents", lines)
        super().format_epilog(ctx, formatter)


@verb(
    "connect",
    cls=ClientsVerb,
    examples=(
        "simonides connect                          # those that are installed; shows the diff, and asks",
        "simonides connect claude-code cursor --dry-run",
        "simonides connect claude-code --project    # for the project in this folder only",
        "simonides --path work.db connect zed       # another file than the default",
    ),
    then=("simonides connect --list", "simonides doctor"),
)
@click.argument("clients", metavar="[AGENT]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--undo", is_flag=True, help="Take it out again, as disconnect does.")
@click.option(
    "--no-hooks", is_flag=True, help="The MCP server alone: nothing is recalled or captured by itself."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--project/--global", "project", default=False, help="This folder's settings, or yours (the default)."
)
@click.option(
    "--list", "listed", is_flag=True, help="List the agents: installed, connected, and in which file."
)
def connect(
    desk: Desk,
    *,
    clients: tuple[str, ...],
    dry_run: bool,
    undo: bool,
    no_hooks: bool,
    yes: bool,
    project: bool,
    listed: bool,
) -> None:
    """Give the agents on this machine this memory.

    Adds an entry for the MCP server to their settings, and hooks to those of Claude Code, which recall into a session
    and keep what was said. The change is shown first. Everything else in the files stays as it is, comments too;
    `disconnect` puts them back as they were.
    """
    here = _here(project=project)
    if listed:
        _list(desk, here)
        return
    call = None if undo else _call(desk)
    names = _chosen(clients, here, call)
    found = [change for name in names for change in changes(name, CLIENTS[name], here, call)]
    wanted = [change for change in found if not (no_hooks and change.what == "hooks")]
    _go(desk, names, wanted, call, dry=dry_run, yes=yes)


@verb(
    "disconnect",
    cls=ClientsVerb,
    examples=("simonides disconnect", "simonides disconnect cursor --dry-run"),
    then=("simonides connect --list",),
)
@click.argument("clients", metavar="[AGENT]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--project/--global", "project", default=False, help="This folder's settings, or yours (the default)."
)
def disconnect(desk: Desk, *, clients: tuple[str, ...], dry_run: bool, yes: bool, project: bool) -> None:
    """Take it away from them again.

    No memory is touched. A file that nobody has changed since is put back to the byte. From others only our
    own entry is taken out.
    """
    here = _here(project=project)
    names = _chosen(clients, here, None)
    found = [change for name in names for change in changes(name, CLIENTS[name], here, None)]
    _go(desk, names, found, None, dry=dry_run, yes=yes)


def _here(*, project: bool) -> Surroundings:
    return Surroundings(Path.home(), os.environ, sys.platform, Path.cwd() if project else None)


def _call(desk: Desk) -> Call:
    """Return how agents start this program: by its absolute path, and with the file if one was named."""
    beside = Path(sys.executable).with_name("simonides.exe" if os.name == "nt" else "simonides")
    command = str(beside) if beside.exists() else shutil.which("simonides") or ""
    if not command:
        rule = "the command `simonides` can't be found"
        raise InputError("connect", rule, "", "Install it for good: uv tool install simonides")
    cache = next((part for part in Path(command).parts if part in CACHES), None)
    if cache:
        rule = f"simonides runs from a cache that is cleaned now and then ({cache})"
        raise InputError("connect", rule, command, "Install it for good: uv tool install simonides")
    given = desk.path or os.environ.get("SIMONIDES_PATH") or ""
    store = (desk.server or str(store_path(given))) if given else ""
    return Call(os.path.abspath(command), sys.executable, store)  # noqa: PTH100 - not where a link leads


def _chosen(clients: Sequence[str], here: Surroundings, call: Call | None) -> list[str]:
    """Return the names of the clients that are meant: those named, else all that are installed or connected."""
    named = [OTHER_NAMES.get(name, name) for name in clients]
    for name in named:
        if name not in CLIENTS:
            raise UnknownName("agent", name, CLIENTS)
    if named:
        return list(dict.fromkeys(named))
    if call is None:
        return [
            name
            for name in _possible(here)
            if any(one.connected for one in changes(name, CLIENTS[name], here, None))
        ]
    return [name for name in _possible(here) if here.installed(CLIENTS[name])]


def _possible(here: Surroundings) -> Iterable[str]:
    return (name for name, one in CLIENTS.items() if here.project is None or one.project)


def _go(
    desk: Desk, names: Sequence[str], found: Sequence[Change], call: Call | None, *, dry: bool, yes: bool
) -> None:
    needed = [change for change in found if change.needed]
    if needed and not dry:
        _ask(desk, needed, yes=yes)
        for change in needed:
            write(change)
    elif not desk.json and not desk.quiet:
        _show(desk, needed)
    done = "disconnected" if call is None else "connected"
    states = {True: f"would be {done}" if dry else done, False: f"already {done}"}
    rows: list[Json] = [
        {
            "client": one.client, "what": one.what, "file": str(one.path), "state": states[one.needed],
            "diff": one.diff() if one.needed else "",
        }
        for one in found
    ]  # fmt: skip
    desk.answer({"clients": [*names], "changes": rows}, lambda paper: _tell(paper, found, states, call))
    if not names:
        click.get_current_context().exit(NOTHING_FOUND)


def _ask(desk: Desk, needed: Sequence[Change], *, yes: bool) -> None:
    """Show what is to change and ask; where nobody can answer, --yes must be said."""
    if yes:
        return
    if desk.json or not sys.stdin.isatty():
        raise click.UsageError("Nobody is here to ask. Look with --dry-run, then say --yes.")
    _show(desk, needed)
    click.confirm(f"Change {count(len(needed), 'file')}?", abort=True, err=True)


def _show(desk: Desk, needed: Sequence[Change]) -> None:
    paper = desk.paper()
    for change in needed:
        for line in change.diff().splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            paper.line(paper.style(line, colour) if colour else line)


def _tell(paper: Paper, found: Sequence[Change], states: dict[bool, str], call: Call | None) -> None:
    for one in found:
        title = CLIENTS[one.client].title
        paper.line(f"{title}, {one.what}: {states[one.needed]}  {one.path}")
    if not found:
        what = "is connected" if call is None else "was found on this machine"
        paper.line(f"No agent {what}. Name one: simonides connect {' | '.join(CLIENTS)}")
    elif call is not None:
        if importlib.util.find_spec("mcp") is None:
            paper.line('The MCP server needs one more package: pip install "simonides[mcp]"')
        paper.then("start the agent anew", "simonides doctor")


def _list(desk: Desk, here: Surroundings) -> None:
    rows: list[dict[str, Json]] = []
    for name in _possible(here):
        client = CLIENTS[name]
        try:
            connected = [one.what for one in changes(name, client, here, None) if one.connected]
            state = " and ".join(connected)
        except InputError as err:
            state = f"unreadable: {err.rule}"
        place = here.settings(client)
        rows.append(
            {"client": name, "installed": here.installed(client), "connected": state, "file": str(place)}
        )

    def people(paper: Paper) -> None:
        lines = [
            (
                str(row["client"]),
                "yes" if row["installed"] else "no",
                str(row["connected"] or "no"),
                str(row["file"]),
            )
            for row in rows
        ]
        paper.table(("agent", "installed", "connected", "file"), lines)

    desk.answer({"clients": [*rows]}, people)
