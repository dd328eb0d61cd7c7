"""The command line: global options, the list of commands, errors as exit codes; knows no command from inside.

Commands are imported when they run, so that `simonides --help` loads neither numpy nor SQLite nor a model.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from simonides.doors.desk import Desk, colours, dumps
from simonides.doors.verb import Entry, LazyGroup, write_lines
from simonides.errors import Conflict, InputError, NotFound, SimonidesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.types import Json

HOME = "simonides.doors.commands"
KEEP, FIND, LOOK, MOVE, CARE = "Remember", "Recall", "Look", "Move in and out", "Look after"
DOORS = "Let others in"

COMMANDS: dict[str, Entry] = {
    "add": Entry(KEEP, f"{HOME}.write:add", "Remember a text, word for word."),
    "update": Entry(
        KEEP,
        f"{HOME}.change:update",
        "Change what a memory says; the old text stays in its history.",
    ),
    "retire": Entry(
        KEEP, f"{HOME}.change:retire", "End a memory; it stays in the history and can be restored."
    ),
    "restore": Entry(KEEP, f"{HOME}.change:restore", "Undo the last update or retirement of a memory."),
    "undo": Entry(KEEP, f"{HOME}.undo:undo", "Undo all that was written together with an entry of the log."),
    "expire": Entry(KEEP, f"{HOME}.upkeep:expire", "Say when a memory expires, or that it never does."),
    "erase": Entry(KEEP, f"{HOME}.erase:erase", "Forget for good, with a receipt; it can't be undone."),
    "link": Entry(KEEP, f"{HOME}.link:link", "Connect memories, list connections, walk along them."),
    "search": Entry(
        FIND, f"{HOME}.recall:search", "Find memories by meaning and words; nothing when nothing fits."
    ),
    "context": Entry(FIND, f"{HOME}.recall:context", "Pack what fits a question into a block for a prompt."),
    "explain": Entry(
        FIND,
        f"{HOME}.recall:explain",
        "Show what a search considered, kept and dropped, and why.",
    ),
    "get": Entry(LOOK, f"{HOME}.read:get", "Show one memory."),
    "list": Entry(LOOK, f"{HOME}.read:list_", "List memories, oldest first."),
    "history": Entry(
        LOOK, f"{HOME}.read:history", "Show every version of a memory, with who wrote it and why."
    ),
    "log": Entry(LOOK, f"{HOME}.log:log", "Read the log of all changes, and prove that nobody altered it."),
    "import": Entry(MOVE, f"{HOME}.bring:import_", "Bring in chats, notes and other programs' memories."),
    "export": Entry(MOVE, f"{HOME}.carry:export", "Write everything, history and links too, as JSON lines."),
    "backup": Entry(
        MOVE, f"{HOME}.backup:backup", "Copy the file while it is in use, check the copy, put one back."
    ),
    "connect": Entry(DOORS, f"{HOME}.connect:connect", "Give the agents on this machine this memory."),
    "disconnect": Entry(DOORS, f"{HOME}.connect:disconnect", "Take it away from them again."),
    "hook": Entry(DOORS, f"{HOME}.hook:hook", "Answer a hook of an agent; `connect` sets it up."),
    "mcp": Entry(DOORS, f"{HOME}.mcp:mcp", "Serve agents over MCP, on standard input or HTTP."),
    "serve": Entry(DOORS, f"{HOME}.serve:serve", "Serve programs over REST."),
    "token": Entry(DOORS, f"{HOME}.token:token", "Say who may use the server, and what for."),
    "ui": Entry(DOORS, f"{HOME}.ui:ui", "Look at it all in a browser."),
    "where": Entry(CARE, f"{HOME}.care:where", "Print the one file that holds it all."),
    "status": Entry(
        CARE, f"{HOME}.care:status", "Count what is in the file, and what the model has yet to read."
    ),
    "doctor": Entry(CARE, f"{HOME}.care:doctor", "Find out what is wrong, and what to do about it."),
    "review": Entry(CARE, f"{HOME}.review:review", "Go through duplicates, contradictions and junk."),
    "upkeep": Entry(CARE, f"{HOME}.upkeep:upkeep", "Retire or erase what has expired, and clean up."),
    "retention": Entry(
        CARE, f"{HOME}.upkeep:retention", "Say how long memories are kept, by kind and scope."
    ),
    "jobs": Entry(CARE, f"{HOME}.jobs:jobs", "See and steer the work that is still to be done."),
    "reindex": Entry(
        CARE, f"{HOME}.reindex:reindex", "Make derived data anew, or with another model beside the old."
    ),
    "model": Entry(CARE, f"{HOME}.model:model", "List, inspect and fetch models of meaning."),
    "encrypt": Entry(CARE, f"{HOME}.keys:encrypt", "Make the file readable with a key only."),
    "rekey": Entry(CARE, f"{HOME}.keys:rekey", "Give an encrypted file another key."),
    "decrypt": Entry(CARE, f"{HOME}.keys:decrypt", "Make an encrypted file plain again."),
    "postgres": Entry(CARE, f"{HOME}.postgres:postgres", "Look after a store in PostgreSQL."),
    "completion": Entry(
        CARE, f"{HOME}.completion:completion", "Let the shell complete commands and options."
    ),
    "demo": Entry("See it", f"{HOME}.demo:demo", "Take a tour of twenty seconds on a temporary file."),
    "bench": Entry("See it", f"{HOME}.bench:bench", "Measure recall, speed and safety on this machine."),
}

_MEANT = {
    "add": "remember save store write put learn",
    "search": "recall query ask find",
    "explain": "why",
    "get": "show cat view",
    "list": "ls all",
    "update": "edit set supersede correct",
    "retire": "delete rm remove invalidate",
    "restore": "revert",
    "erase": "forget purge wipe shred destroy",
    "expire": "ttl",
    "upkeep": "gc vacuum prune expired",
    "retention": "rules policy policies",
    "history": "versions",
    "link": "links unlink neighbours neighbors graph",
    "log": "events verify audit",
    "import": "load ingest mine",
    "export": "dump",
    "backup": "copy snapshot",
    "encrypt": "lock protect",
    "where": "path settings config",
    "status": "stats info size",
    "doctor": "check fix",
    "jobs": "queue backlog work tasks calls",
    "connect": "install setup wire agents hooks",
    "disconnect": "uninstall",
    "serve": "server rest http api",
    "token": "tokens apikey credential credentials login",
    "ui": "web page browser open",
    "review": "dedupe duplicates contradictions junk audit",
    "reindex": "rebuild index",
    "model": "models",
    "postgres": "postgresql pg database",
    "demo": "tour",
    "bench": "benchmark",
    "--help": "help",
}
OTHERWISE = {typed: name for name, words in _MEANT.items() for typed in words.split()}
"""What people coming from elsewhere type, and what it is called here."""

FIRST = (
    'simonides add "I moved from Berlin to Lisbon."',
    'simonides search "where did I move to?"',
    "simonides import claude-code      # or chatgpt export.zip, markdown ./notes ...",
    "simonides demo                    # a tour of twenty seconds",
)

EXIT_CODES = (
    "0    done",
    "1    nothing found; `doctor` or `log verify` found something bad",
    "2    the command line is wrong",
    "3    what was given cannot be used; nothing was written",
    "4    there is no memory or link of that id, here and then",
    "5    the store could not do it (locked, full, not ours ...); nothing was half-written",
    "6    somebody else changed it first (--if-version)",
    "70   a mistake of ours; the traceback is on stderr",
    "130  stopped with Ctrl-C",
)
USAGE, INPUT, MISSING, STORE, RACE, OURS, STOPPED = 2, 3, 4, 5, 6, 70, 130


class Door(LazyGroup):
    """The group of all commands; turns every error into a message and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run a command and exit; errors go to stderr, as JSON when the answer would have been."""
        desk = Desk()
        given = list(sys.argv[1:] if args is None else args)
        extra |= {"standalone_mode": False, "obj": desk}
        try:
            code = cast("int | None", super().main(given, *rest, **extra))
            sys.stdout.flush()  # a full disk shows here, and not only when the interpreter ends
        except (click.exceptions.Abort, KeyboardInterrupt):
            if desk.json:
                _complain("Stopped", ("simonides", "was stopped with Ctrl-C", "", ""), as_json=True)
            desk.aside("Stopped.")
            code = STOPPED
        except click.ClickException as err:
            code = _usage(err, desk.json or "--json" in given)
        except SimonidesError as err:
            code = _known(err, desk.json)
        except OSError as err:
            code = _world(err, desk.json)
            _give_up_output()
        except Exception as err:
            code = _unknown(err, desk.json)
        sys.exit(code or 0)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first steps and the exit codes."""
        write_lines(formatter, "First steps", FIRST)
        write_lines(formatter, "Exit codes", EXIT_CODES)


def _usage(err: click.ClickException, as_json: bool) -> int:
    context = err.ctx if isinstance(err, click.UsageError) else None
    way_out = f"{context.command_path if context else 'simonides'} --help shows what it takes."
    command = context.command_path if context else "simonides"
    _complain(type(err).__name__, (command, err.format_message().rstrip("."), "", way_out), as_json)
    return err.exit_code if err.exit_code != 1 else INPUT


def _known(err: SimonidesError, as_json: bool) -> int:
    _complain(type(err).__name__, (err.subject, err.rule, err.value, err.way_out), as_json)
    if isinstance(err, NotFound):
        return MISSING
    if isinstance(err, InputError):
        return INPUT
    return RACE if isinstance(err, Conflict) else STORE


def _world(err: OSError, as_json: bool) -> int:
    subject = str(err.filename or "the output")
    rule = f"cannot be read or written: {err.strerror or err}"
    _complain(
        type(err).__name__, (subject, rule, "", "Is the disk full, or is it not yours to write?"), as_json
    )
    return STORE


def _give_up_output() -> None:
    """Let what is still unwritten go nowhere, so that the interpreter does not fail on it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _unknown(err: Exception, as_json: bool) -> int:
    import traceback

    traceback.print_exception(err)
    way_out = "This is a mistake in simonides; please report it with the lines above."
    _complain(type(err).__name__, ("simonides", "failed unexpectedly", str(err), way_out), as_json)
    return OURS


def _complain(kind: str, parts: tuple[str, str, str, str], as_json: bool) -> None:
    """Write an error to stderr: what it is about, the rule, what was given, the way out."""
    subject, rule, value, way_out = (part.encode("utf-8", "backslashreplace").decode() for part in parts)
    if as_json:
        shape: dict[str, Json] = {
            "type": kind,
            "subject": subject,
            "rule": rule,
            "value": value,
            "way_out": way_out,
        }
        click.echo(dumps({"error": shape}), err=True)
        return
    colour = colours(sys.stderr)
    head = click.style("Error:", fg="red", bold=True) if colour else "Error:"
    got = f" (got {value})" if value else ""
    end = "" if f"{rule}{got}".endswith((".", "?", "!")) else "."
    click.echo(f"{head} {subject}: {rule}{got}{end}", err=True, color=colour)
    if way_out:
        click.echo(way_out, err=True, color=colour)


def _pairs(_ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    parts = [text.partition("=") for text in given]
    pairs = {name: value for name, _, value in parts}
    if not all(equals for _, equals, _ in parts):
        raise click.BadParameter("write name=value", param=param)
    return pairs


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import simonides

        click.echo(f"simonides {simonides.__version__}")
        ctx.exit()


@click.group(
    "simonides",
    cls=Door,
    entries=COMMANDS,
    otherwise=OTHERWISE,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option("--path", metavar="FILE", help="Use this file, or postgresql://...  [env: SIMONIDES_PATH]")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON; errors too, on stderr.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="A setting, see `where --settings`.  [env: SIMONIDES_<NAME>]",
)
@click.option("--key-file", metavar="FILE", help="The file's key is in this one.  [env: SIMONIDES_KEY_FILE]")
@click.option("--ask-key", is_flag=True, help="Ask for the file's passphrase.")
@click.option("--actor", metavar="NAME", help="Who acts, for the log.  [env: SIMONIDES_ACTOR]")
@click.option("--trace-sql", "trace", is_flag=True, help="Print every SQL statement to stderr.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.pass_context
def cli(
    ctx: click.Context,
    *,
    path: str | None,
    as_json: bool,
    quiet: bool,
    settings: dict[str, str],
    key_file: str | None,
    ask_key: bool,
    actor: str | None,
    trace: bool,
) -> None:
    """A memory for AI in one file: write, find, correct and prove, with no key and no network."""
    desk = ctx.ensure_object(Desk)
    desk.path, desk.json, desk.quiet, desk.trace = path, desk.json or as_json, quiet, trace
    desk.settings, desk.key_file, desk.ask_key = settings, key_file, ask_key
    desk.actor = actor or os.environ.get("SIMONIDES_ACTOR", "") or "cli"
    ctx.color = colours()
    ctx.call_on_close(desk.close)


def main() -> NoReturn:
    """Run the command line; the entry point of the package."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    cli.main(prog_name="simonides")
