"""`completion`: what the shell needs to complete commands; knows no command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from simonides.doors.desk import Desk
from simonides.doors.verb import verb

INSTALL = {
    "bash": 'eval "$(simonides completion bash)"                     # in ~/.bashrc',
    "zsh": 'eval "$(simonides completion zsh)"                      # in ~/.zshrc, after compinit',
    "fish": "simonides completion fish > ~/.config/fish/completions/simonides.fish",
}


@verb("completion", examples=tuple(INSTALL.values()), then=("simonides <TAB>      # in a new shell",))
@click.argument("shell", type=click.Choice(list(INSTALL)))
def completion(desk: Desk, shell: str) -> None:
    """Let the shell complete commands and options.

    Prints the script; the examples show where to put it.
    """
    made = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    script = made(root, {}, "simonides", "_SIMONIDES_COMPLETE").source() if made else ""
    click.echo(script)
    desk.aside(f"# To install: {INSTALL[shell]}")
