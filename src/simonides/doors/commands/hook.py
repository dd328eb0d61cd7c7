"""`hook`: what an agent's hooks call; it must never fail, so it refuses nothing; the work is in `doors.hooks`."""

from __future__ import annotations

import click

from simonides.doors.desk import Desk
from simonides.doors.verb import HELP, Verb


@click.command(
    "hook",
    cls=Verb,
    examples=("simonides hook session-start < what-claude-code-says.json",),
    then=("simonides doctor   # shows what went wrong in hooks",),
    context_settings=HELP["context_settings"] | {"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("event", required=False, default="")
@click.option(
    "--budget", default="", metavar="MS", help="Milliseconds it may take, instead of the event's own."
)
@click.option("--tokens", default="", metavar="N", help="Tokens it may put into the session.")
@click.option("--project", default="", metavar="NAME", help="Instead of the name of the Git repository.")
@click.pass_obj
def hook(desk: Desk, *, event: str, budget: str, tokens: str, project: str) -> None:
    """Answer a hook of an agent; `connect` sets it up.

    Reads the JSON of Claude Code on standard input and answers on standard output. EVENT is session-start,
    user-prompt-submit, pre-compact, stop or session-end. It ends with 0 whatever happens, and says nothing
    when it has nothing to say. `simonides connect claude-code` writes these calls for you.
    """
    from simonides.doors.hooks.running import Options, number, run

    options = Options(number(budget), number(tokens), project, desk.path, desk.key_file, desk.settings)
    run(event, options)
