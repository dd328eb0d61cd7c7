"""What all commands of one run share: which file, how to answer, the open `Memory`; knows no command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.doors.places import server_address, settings_from, store_path

if TYPE_CHECKING:
    from simonides.doors.paper import Paper
    from simonides.ledger.drivers import Driver
    from simonides.memory import Memory
    from simonides.types import Json

NOTHING_FOUND = 1
"""The exit code of a question that was answered, with nothing."""


class Ticker:
    """One line on stderr that is written over as work goes on; silent where nobody watches."""

    def __init__(self, *, watched: bool) -> None:
        self._watched = watched

    def show(self, text: str) -> None:
        """Put a text in place of the line."""
        if self._watched:
            click.echo(f"\r\x1b[2K{text}", nl=False, err=True)

    def clear(self) -> None:
        """Take the line away."""
        self.show("")

    def counting(self, what: str, whole: int) -> Callable[[int], None]:
        """Return what is told of each step how many more are done."""
        done = 0

        def step(more: int) -> None:
            nonlocal done
            done += more
            self.show(f"{what} {done:,} of {whole:,} ...")

        return step


@dataclass(slots=True)
class Desk:
    """One run of the command line. The file is opened when a command first asks for it."""

    path: str | None = None
    json: bool = False
    quiet: bool = False
    trace: bool = False
    actor: str = "cli"
    settings: dict[str, str] = field(default_factory=dict[str, str])
    key_file: str | None = None
    ask_key: bool = False
    _memory: Memory | None = None

    @property
    def place(self) -> Path:
        """The file that this run is about; it need not exist yet."""
        return store_path(self.path)

    @property
    def server(self) -> str:
        """The address of the PostgreSQL server that this run is about; empty when it is a file."""
        return server_address(self.path)

    def memory(self) -> Memory:
        """Return the open store, opened (and made, if need be) at the first call."""
        return self._open(self.server or self.place) if self._memory is None else self._memory

    def look(self) -> Memory:
        """Return the open store for reading; where there is no file yet, an empty one that leaves no file behind."""
        if self.server:
            return self.memory()
        place = self.place
        if self._memory is None and not place.exists() and str(place) != ":memory:":
            self.aside(f"There is no file yet at {place}.")
            return self._open(Path(":memory:"))
        return self.memory()

    def _open(self, place: Path | str) -> Memory:
        from simonides.memory import Memory

        settings = settings_from(self.settings)
        key = None if str(place) == ":memory:" else self.key()
        self._memory = Memory(place, settings=settings, actor=self.actor, tracer=self.tracer(), key=key)
        return self._memory

    def key(self) -> str | bytes | None:
        """Return the key of the file; None for a plain one."""
        from simonides.doors.keys import key_for

        if self.server:
            return None
        return key_for(self.place, self.key_file, ask=self.ask_key)

    def driver(self) -> Driver:
        """Return what opens the file without migrating it."""
        from simonides.ledger.drivers import STANDARD
        from simonides.ledger.encrypted import Vault

        key = self.key()
        return STANDARD if key is None else Vault(key)

    def tracer(self) -> Callable[[str], None] | None:
        """Return what shows each SQL statement, None unless asked for."""
        return (
            (lambda statement: click.echo(click.style(statement, dim=True), err=True)) if self.trace else None
        )

    def close(self) -> None:
        """Close the store if it was opened."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def paper(self) -> Paper:
        """Return what to write on for people."""
        from simonides.doors.paper import Paper

        return Paper(plain=not sys.stdout.isatty(), colour=colours())

    def answer(self, value: Json, people: Callable[[Paper], None]) -> None:
        """Write the answer: one JSON object with --json, words for people otherwise, nothing with --quiet."""
        if self.json:
            click.echo(dumps(value))
        elif not self.quiet:
            people(self.paper())

    def ticker(self) -> Ticker:
        """Return where to show how far a work is."""
        return Ticker(watched=not (self.quiet or self.json) and sys.stderr.isatty())

    def aside(self, text: str) -> None:
        """Write a remark for people to stderr, where no script reads it."""
        if not self.quiet and not self.json:
            click.echo(text, err=True, color=colours(sys.stderr))


def dumps(value: Json) -> str:
    """Return one line of JSON that the terminal's encoding can hold."""
    utf8 = (getattr(sys.stdout, "encoding", "") or "utf-8").lower().replace("-", "") in ("utf8", "utf8sig")
    return json.dumps(value, ensure_ascii=not utf8)


def colours(stream: object = None) -> bool:
    """Tell whether to write in colours: NO_COLOR forbids, FORCE_COLOR wants, else only on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    target = stream if stream is not None else sys.stdout
    return bool(getattr(target, "isatty", bool)()) and os.environ.get("TERM") != "dumb"


def words_or_stdin(words: tuple[str, ...], what: str = "text") -> str:
    """Return the words of the command line as one text; `-`, or no words before a pipe, reads standard input.

    Raises:
        UsageError: there are no words and nobody pipes any in.
        TextError: what was piped in is not UTF-8.
    """
    if words and words != ("-",):
        return " ".join(words)
    if not words and sys.stdin.isatty():
        raise click.UsageError(f"No {what} given. Write it after the command, or pipe it in with `-`.")
    raw: bytes = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as err:
        from simonides.errors import TextError

        way_out = "Convert it first, e.g. with `iconv -f latin1 -t utf-8`."
        raise TextError(f"{what} from standard input", "must be UTF-8", str(err), way_out) from err
