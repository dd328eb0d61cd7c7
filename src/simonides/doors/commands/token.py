"""`token`: who may use the server, and what for; knows neither how tokens are made nor how they are checked."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from simonides import credentials, shapes
from simonides.bounded import RIGHTS
from simonides.credentials import Credential
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, moment
from simonides.doors.verb import TTL, Entry, LazyGroup, Scoped, scoping, verb
from simonides.types import Json, Scope

HOME = "simonides.doors.commands.token"
TOKEN = {
    "create": Entry("Tokens", f"{HOME}:create", "Issue a token; it is shown once."),
    "list": Entry("Tokens", f"{HOME}:list_", "List who may come in; no token is shown."),
    "rotate": Entry("Tokens", f"{HOME}:rotate", "Put a new token in the place of an old one."),
    "revoke": Entry("Tokens", f"{HOME}:revoke", "Make a token good for nothing, at once."),
}


@click.group(
    "token",
    cls=LazyGroup,
    entries=TOKEN,
    otherwise={
        "ls": "list", "add": "create", "new": "create", "issue": "create", "rm": "revoke", "delete": "revoke",
        "renew": "rotate",
    },
)  # fmt: skip
def token() -> None:
    """Say who may use the server, and what for."""


@verb(
    "create",
    examples=(
        "simonides token create laptop",
        "simonides token create ana --user ana --ttl 90d",
        "simonides token create backup --right read --right admin",
    ),
    then=("simonides token list", "simonides serve"),
)
@click.argument("name")
@click.option(
    "--right",
    "rights",
    type=click.Choice(RIGHTS),
    multiple=True,
    help="What it may do; repeatable. Read and write, if none is named.",
)
@click.option("--ttl", type=TTL, help="How long it is good for: 12h, 90d, 52w. For ever, if left out.")
@scoping
def create(desk: Desk, name: str, *, rights: tuple[str, ...], ttl: timedelta | None, scope: Scoped) -> None:
    """Issue a token; it is shown once.

    With --user, --agent, --session or --project it sees and writes that scope only. The store keeps a digest of
    it, so nobody can read it there.
    """
    whose = Scope(**{field: str(value) for field, value in scope.items() if value})
    given, made = credentials.issue(
        desk.memory(), name, scope=whose, rights=rights or ("read", "write"), ttl=ttl
    )
    _show(desk, given, made)


@verb("list", examples=("simonides token list",), then=("simonides token revoke ID",))
def list_(desk: Desk) -> None:
    """List who may come in; no token is shown.

    Exit code 1 when there is nobody.
    """
    found = credentials.listed(desk.look())
    desk.answer({"credentials": [_shape(one) for one in found]}, lambda paper: _table(desk, paper, found))
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


@verb(
    "rotate",
    examples=("simonides token rotate ID --grace 1h",),
    then=("simonides token list",),
)
@click.argument("id")
@click.option(
    "--grace", type=TTL, default="1h", show_default=True, help="How long the old one is good still."
)
@click.option("--now", "at_once", is_flag=True, help="The old one ends at once.")
def rotate(desk: Desk, id: str, *, grace: timedelta, at_once: bool) -> None:
    """Put a new token in the place of an old one.

    It stands for the same: its id, scope, rights and end stay as they are.
    """
    left = timedelta() if at_once else grace
    given, made = credentials.rotate(desk.memory(), id, grace=left)
    _show(desk, given, made)


@verb("revoke", examples=("simonides token revoke ID",), then=("simonides token list",))
@click.argument("id")
def revoke(desk: Desk, id: str) -> None:
    """Make a token good for nothing, at once.

    A server that is running may trust it for a few seconds more.
    """
    made = credentials.revoke(desk.memory(), id)
    desk.answer(_shape(made), lambda paper: paper.line(f"{made.name} can't come in any more."))


def _show(desk: Desk, given: str, made: Credential) -> None:
    """Write the token: alone on standard output, so that a script can take it."""
    desk.answer({"token": given, "credential": _shape(made)}, lambda paper: paper.line(given))
    end = f", until {moment(made.expires)}" if made.expires else ""
    desk.aside(f"For {made.name} ({_whose(made.scope)}; {', '.join(made.rights)}{end}), id {made.id}.")
    desk.aside("It is not shown again.")


def _shape(one: Credential) -> dict[str, Json]:
    return {
        "id": one.id,
        "name": one.name,
        "scope": shapes.plain(one.scope),
        "rights": [*one.rights],
        "created": shapes.time(one.created),
        "expires": shapes.time(one.expires),
        "used": shapes.time(one.used),
        "revoked": shapes.time(one.revoked),
    }


def _table(desk: Desk, paper: Paper, found: list[Credential]) -> None:
    now = desk.look().clock.now()
    rows = [
        (one.id, one.name, _whose(one.scope), " ".join(one.rights), _state(one, now), _when(one.used))
        for one in found
    ]
    if rows:
        paper.table(("id", "name", "sees", "may", "is good", "last used (UTC)"), rows)
    else:
        desk.aside("Nobody may come in yet. `simonides token create NAME` issues a token.")


def _state(one: Credential, now: datetime) -> str:
    if one.revoked is not None:
        return "revoked"
    if one.expires is None:
        return "for ever"
    return f"until {_when(one.expires)}" if one.expires > now else "expired"


def _when(at: datetime | None) -> str:
    return "never" if at is None else moment(at).removesuffix(" UTC")


def _whose(scope: Scope) -> str:
    named = ((name, getattr(scope, name)) for name in ("user", "agent", "session", "project"))
    return ", ".join(f"{name} {value}" for name, value in named if value) or "everything"
