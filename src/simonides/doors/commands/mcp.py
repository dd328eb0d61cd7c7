"""`mcp`: the store as a server for MCP clients, on standard input or HTTP; knows no tool from inside."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from simonides.doors.desk import Desk
from simonides.doors.mcp.manifest import PROFILES, manifest
from simonides.doors.mcp.table import MOST_BUDGET
from simonides.doors.verb import Scoped, scoping, verb
from simonides.errors import InputError, ModelMissing
from simonides.types import Scope

if TYPE_CHECKING:
    from simonides.doors.mcp.answering import Caller


@verb(
    "mcp",
    examples=(
        "simonides mcp                              # a client starts this, see docs/mcp.md",
        "simonides mcp --project shop --allow-erase",
        "simonides mcp --profile reference          # in place of @modelcontextprotocol/server-memory",
        "simonides mcp --http --port 8765",
    ),
    then=("simonides connect claude-code    # writes the entry into the client's configuration",),
)
@click.option(
    "--profile", type=click.Choice(PROFILES), default="default", show_default=True, help="Which tools."
)
@click.option("--allow-erase", is_flag=True, help="Let `forget` erase for good.")
@click.option("--read-only", is_flag=True, help="Offer only what changes nothing.")
@click.option(
    "--budget",
    type=click.IntRange(min=100),
    help=f"Tokens that an answer may have.  [default: {MOST_BUDGET}]",
)
@click.option("--http", is_flag=True, help="Serve many clients over HTTP instead of one on standard input.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: listen here.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 is any free one."
)
@click.option(
    "--token-file", metavar="FILE", help="With --http: the token that clients must send is in this file."
)
@click.option("--public", is_flag=True, help="With --http: allow a --host that other machines reach.")
@click.option(
    "--allow-host",
    "hosts",
    metavar="NAME",
    multiple=True,
    help="With --public: a name by which clients reach it.",
)
@scoping
def mcp(
    desk: Desk,
    *,
    scope: Scoped,
    profile: str,
    allow_erase: bool,
    read_only: bool,
    budget: int | None,
    http: bool,
    host: str,
    port: int,
    token_file: str | None,
    public: bool,
    hosts: tuple[str, ...],
) -> None:
    """Serve agents over MCP, on standard input or HTTP.

    Without --http it speaks the protocol on standard input and output until the input ends; a client starts it.
    With --user, --agent, --session or --project it sees and writes nothing else.
    """
    if find_spec("mcp") is None:
        raise ModelMissing("the MCP SDK", "is not installed", "", "pip install 'simonides[mcp]'.")
    if read_only and allow_erase:
        raise InputError("--allow-erase", "contradicts --read-only", "", "Give one of them.")
    bound = _bound(scope)
    rights = _rights(bound, allow_erase=allow_erase, read_only=read_only)
    offered = manifest(profile, rights)
    desk.actor = "mcp" if desk.actor == "cli" else desk.actor
    lock = threading.Lock()

    def caller() -> Caller:
        from simonides.bounded import Bounded
        from simonides.doors.mcp.answering import Caller

        with lock:
            memory = desk.memory()
        return Caller(Bounded(memory, bound, rights), budget or MOST_BUDGET, limited=budget is not None)

    if http:
        from simonides.doors.mcp.http import Listening, serve_http

        serve_http(desk, offered, caller, Listening(host, port, token_file, hosts, public=public))
        return
    from simonides.doors.mcp.stdio import serve_stdio

    def alone(_request: Any) -> Caller:
        return caller()

    if sys.stdin.isatty():
        desk.aside("This speaks MCP with a client that starts it (docs/mcp.md). Ctrl-D ends it.")
    serve_stdio(offered, alone)


def _bound(scope: Scoped) -> Scope:
    """Return what the server is bound to.

    Raises:
        InputError: a field was given as empty text, which would bind nothing: perhaps a variable that isn't set.
    """
    given = {name: str(value) for name, value in scope.items() if value is not None}
    for name, value in given.items():
        if not value.strip():
            raise InputError(f"--{name}", "must not be empty", "", "Leave it out to serve all of them.")
    return Scope(**given)


def _rights(bound: Scope, *, allow_erase: bool, read_only: bool) -> tuple[str, ...]:
    """Return what whoever started this lets its clients do; the store as a whole only where nothing is bound."""
    rights = ["read"] if read_only else ["read", "write"]
    if allow_erase:
        rights.append("erase")
    if bound == Scope():
        rights.append("admin")
    return tuple(rights)
