"""Writes the reference tables of docs/ from the code: settings, errors and the command line; `--check` only compares.

.venv/bin/python scripts/reference.py [--check]
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click

from marked import fill, table
from simonides import errors
from simonides.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"


def settings_table() -> str:
    """Return the table of settings."""
    rows: list[list[str]] = []
    for item in fields(Settings):
        default = f"`{item.default!r}`" if item.default != "" else "empty"
        rows.append([f"`{item.name}`", default, f"`SIMONIDES_{item.name.upper()}`", item.metadata["help"]])
    return table(["setting", "default", "in the environment", "what it does"], rows)


def error_classes() -> list[type[errors.SimonidesError]]:
    """Return every class of the tree, the root first, in the order of the source."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.SimonidesError)]


def errors_table() -> str:
    """Return the table of errors."""
    rows: list[list[str]] = []
    for cls in error_classes():
        bases = ", ".join(f"`{base.__name__}`" for base in cls.__bases__ if base is not Exception)
        rows.append(
            [f"`{cls.__name__}`", bases or "`Exception`", (inspect.getdoc(cls) or "").splitlines()[0]]
        )
    return table(["error", "is also", "when"], rows)


def commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command below a group, its full name, itself and its context; groups come before what they hold."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is None or below.hidden:
            continue
        inner = click.Context(below, info_name=name, parent=context)
        yield inner.command_path, below, inner
        yield from commands(below, inner)


def command_line() -> tuple[click.Command, click.Context]:
    """Return the whole command line and the context it runs in."""
    from simonides.doors.cli import cli

    return cli, click.Context(cli, info_name="simonides")


def option_rows(command: click.Command, context: click.Context) -> list[list[str]]:
    """Return a row for each argument and option of a command."""
    rows: list[list[str]] = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Argument):
            rows.append([f"`{parameter.make_metavar(context)}`", getattr(parameter, "help", "") or ""])
        elif record is not None and "--help" not in parameter.opts:
            rows.append([f"`{record[0]}`", " ".join(record[1].split())])
    return rows


def cli_reference() -> str:
    """Return one section for each command, with its options."""
    top, context = command_line()
    sections = [table(["before the verb", "what it does"], option_rows(top, context))]
    for path, command, inner in commands(top, context):
        usage = command.get_usage(inner).removeprefix("Usage: ")
        summary = (inspect.cleandoc(command.help or "")).split("\n\n")[0].replace("\n", " ").replace("\b", "")
        sections.append(f"## {path}\n\n{summary}\n\n```text\n{usage}\n```")
        rows = option_rows(command, inner)
        if rows:
            sections.append(table(["argument or option", "what it does"], rows))
    return "\n\n".join(sections)


PLACES = {
    "settings": ("settings.md", settings_table),
    "errors": ("errors.md", errors_table),
    "cli": ("cli.md", cli_reference),
}


def main() -> int:
    """Fill the places, or with --check name those that are not as the code says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check: bool = parser.parse_args().check
    stale = [
        page for name, (page, make) in PLACES.items() if not fill(DOCS / page, name, make(), check=check)
    ]
    for page in stale:
        print(f"docs/{page}: {'is not as the code says' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
