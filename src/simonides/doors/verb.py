"""The shape of every command: purpose, examples, what to type next, `--json`; knows no command by name."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

import click

from simonides.clock import parse_time
from simonides.doors.desk import Desk
from simonides.errors import FilterError, InputError, TimeError
from simonides.registry import Registry

if TYPE_CHECKING:
    from simonides.types import Json

    AnyType = click.ParamType[Any]
else:
    AnyType = click.ParamType  # not generic before click 8.4

R = TypeVar("R")


HELP: dict[str, Any] = {"context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 110}}
"""The same for every command, also one that is run without those above it: click keeps what the first run found."""


class Verb(click.Command):
    """A command whose help ends with examples and the next step, and which takes `--json` too."""

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), then: Sequence[str] = (), **attributes: Any
    ) -> None:
        super().__init__(*args, **HELP | attributes)
        self.examples = tuple(examples)
        self.then = tuple(then)
        self.params.append(_json_option())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and what to type next."""
        write_lines(formatter, "Examples", self.examples)
        write_lines(formatter, "Next", self.then)


def write_lines(formatter: click.HelpFormatter, title: str, lines: Sequence[str]) -> None:
    """Write a section of lines as they are, without wrapping."""
    if lines:
        with formatter.section(title):
            for line in lines:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _json_option() -> click.Option:
    def set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(Desk).json = True

    return click.Option(
        ["--json"], is_flag=True, expose_value=False, is_eager=True, callback=set_json, help="Answer in JSON."
    )


def verb(
    name: str, *, examples: Sequence[str], then: Sequence[str] = (), cls: type[Verb] = Verb
) -> Callable[[Callable[..., object]], click.Command]:
    """Return a decorator that makes a command; its docstring's first line is its purpose."""

    def decorate(function: Callable[..., object]) -> click.Command:
        return click.command(name, cls=cls, examples=examples, then=then)(click.pass_obj(function))

    return decorate


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the list of commands shows it, before its module is loaded."""

    section: str
    target: str
    what: str


class LazyGroup(click.Group):
    """Commands that are imported when they are run; their list is printed from a table."""

    def __init__(
        self,
        *args: Any,
        entries: dict[str, Entry],
        otherwise: dict[str, str] | None = None,
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **HELP | attributes)
        self.entries = entries
        self.otherwise = otherwise or {}
        self._registry = Registry("command", {name: entry.target for name, entry in entries.items()})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, None when there is none of that name."""
        if cmd_name not in self.entries:
            return None
        try:
            return cast(click.Command, self._registry.get(cmd_name))
        except ModuleNotFoundError as err:
            if err.name is None or not err.name.startswith("simonides"):
                raise
            raise click.UsageError(
                f"`{cmd_name}` is not part of this installation ({err.name} is missing)."
            ) from err

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; nothing at all is a question for help."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; for an unknown one say which was probably meant."""
        name = args[0]
        if name in self.entries:
            return super().resolve_command(ctx, args)
        close = get_close_matches(name, [*self.entries, *self.otherwise], n=1)
        near = self.otherwise.get(name) or next((self.otherwise.get(one, one) for one in close), "")
        hint = f" Did you mean `{near}`?" if near else ""
        raise click.UsageError(f"There is no command `{name}`.{hint}", ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first, then the options."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section."""
        width = max(map(len, self.entries))
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            found = [(name, entry) for name, entry in self.entries.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), entry.what) for name, entry in found])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete the names of commands from the table, without loading any; options as click does."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        found = [(name, entry.what) for name, entry in self.entries.items() if name.startswith(incomplete)]
        return [CompletionItem(name, help=what) for name, what in found]


class Scoped(TypedDict, total=False):
    """Whose memories; None does not filter, an empty text means those that say nothing."""

    user: str | None
    agent: str | None
    session: str | None
    project: str | None


class Chosen(Scoped, total=False):
    """Which memories, and as of when."""

    kinds: list[str] | None
    where: dict[str, Json] | None
    as_of: datetime | None
    known_at: datetime | None


class Asked(Chosen, total=False):
    """How to search."""

    now: datetime | None
    gate: bool


class Moment(AnyType):
    """A time with its zone; refuses naive ones with words for the command line."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse ISO 8601, a bare date, or `now`."""
        if isinstance(value, datetime):
            return value
        subject = param.opts[0] if param and param.opts else "time"
        text = str(value)
        if text == "now":
            from simonides.clock import SystemClock

            return SystemClock().now()
        found = parse_time(text, subject)
        if found.tzinfo is None:
            raise TimeError(
                subject, "must carry a time zone", text, f"Write {text}Z for UTC, or {text}+02:00."
            )
        return found


class Duration(AnyType):
    """A length of time: a number with its unit."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse a whole number with s, m, h, d or w behind it."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhdw])", str(value).strip())
        if found is None:
            subject = param.opts[0] if param and param.opts else "duration"
            raise TimeError(subject, "must be a number with s, m, h, d or w", repr(value), "Example: 30d.")
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Data(AnyType):
    """A JSON object."""

    name = "json"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Json]:
        """Parse the text; anything but an object is refused."""
        if isinstance(value, dict):
            return cast("dict[str, Json]", value)
        subject = param.opts[0] if param and param.opts else "json"
        return json_object(str(value), subject)


def json_object(text: str, subject: str) -> dict[str, Json]:
    """Return the JSON object in a text."""
    way_out = 'Quote it for the shell: --where \'{"city": {"eq": "Lisbon"}}\'.'
    error = FilterError if subject == "--where" else InputError
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise error(subject, f"must be JSON ({err})", text, way_out) from err
    if not isinstance(found, dict):
        raise error(subject, "must be a JSON object", text, way_out)
    return cast("dict[str, Json]", found)


MOMENT = Moment()
DATA = Data()
TTL = Duration()

_SCOPE = (
    click.option("--user", help="Whose memory it is."),
    click.option("--agent", help="Which agent it belongs to."),
    click.option("--session", help="Which conversation."),
    click.option("--project", help="Which project."),
)
_CHOICE = (
    click.option("--kind", "kinds", multiple=True, help="Only this kind: turn, fact, note ... Repeatable."),
    click.option("--where", type=DATA, help='Filter on metadata, e.g. \'{"city": {"eq": "Lisbon"}}\'.'),
    click.option("--as-of", type=MOMENT, help="What was true then: 2026-03-01 or 2026-03-01T09:00+01:00."),
    click.option("--known-at", type=MOMENT, help="What was written down by then."),
)
_ASK = (
    click.option("--now", type=MOMENT, help="What `yesterday` in the query is counted from."),
    click.option(
        "--no-gate", "gate", is_flag=True, flag_value=False, default=True, help="Answer even with noise."
    ),
)


def scoping(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a scope, as one argument `scope`."""

    @functools.wraps(function)
    def call(*args: Any, user: Any, agent: Any, session: Any, project: Any, **rest: Any) -> R:
        scope = Scoped(user=user, agent=agent, session=session, project=project)
        return function(*args, scope=scope, **rest)

    return _with(_SCOPE, call)


def choosing(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a selection, as one argument `chosen`."""

    @functools.wraps(function)
    def call(*args: Any, scope: Scoped, kinds: Any, where: Any, as_of: Any, known_at: Any, **rest: Any) -> R:
        chosen = Chosen(**scope, kinds=list(kinds) or None, where=where, as_of=as_of, known_at=known_at)
        return function(*args, chosen=chosen, **rest)

    return scoping(_with(_CHOICE, call))


def asking(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options of a search, as one argument `asked`."""

    @functools.wraps(function)
    def call(*args: Any, chosen: Chosen, now: Any, gate: bool, **rest: Any) -> R:
        return function(*args, asked=Asked(**chosen, now=now, gate=gate), **rest)

    return choosing(_with(_ASK, call))


def _with(options: Sequence[Callable[[Any], Any]], function: Callable[..., R]) -> Callable[..., R]:
    for option in reversed(options):
        function = option(function)
    return function
