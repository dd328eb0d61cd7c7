"""`upkeep`, `expire`, `retention`: what happens to memories when their time is over; knows nothing of erasing."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from simonides import shapes
from simonides.doors.commands.write import report
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, moment
from simonides.doors.verb import MOMENT, TTL, Entry, LazyGroup, Scoped, scoping, verb
from simonides.types import Json, Rule, Scope, Upkeep

HOME = "simonides.doors.commands.upkeep"
RETENTION = {
    "list": Entry("Rules", f"{HOME}:list_", "List the rules of how long memories are kept."),
    "add": Entry("Rules", f"{HOME}:add", "Keep memories of a kind or a scope for so long only."),
    "drop": Entry("Rules", f"{HOME}:drop", "Delete a rule."),
}
_ACTION = click.Choice(("retire", "erase"))
_DAY = 86_400


@verb(
    "upkeep",
    examples=("simonides upkeep --dry-run", "simonides upkeep", "simonides --json upkeep   # from cron"),
    then=("simonides retention list", "simonides log list --newest"),
)
@click.option("--dry-run", is_flag=True, help="Show what is due; change nothing.")
@click.option("--full", is_flag=True, help="PostgreSQL: VACUUM FULL, which stops everybody meanwhile.")
def upkeep(desk: Desk, *, dry_run: bool, full: bool) -> None:
    """Retire or erase what has expired, and clean up.

    It also finishes what erasures have left pending. Nothing runs by itself: call it from time to time, e.g.
    from cron. Twice is fine.
    """
    done = (desk.look() if dry_run else desk.memory()).upkeep(plan=dry_run, full=full)
    desk.answer(shapes.upkeep(done), lambda paper: _tell(paper, done))


def _tell(paper: Paper, done: Upkeep) -> None:
    would = " (nothing was written)" if done.state == "planned" else ""
    erased = len(done.erasure.ids) if done.erasure else 0
    paper.line(f"{count(len(done.retired), 'memory', 'memories')} retired, {erased:,} erased{would}")
    for name in done.finished:
        paper.line(f"finished: {name}")
    for name in done.pending:
        paper.line(f"pending: {name}")
    for place in done.erasure.still_holding if done.erasure else ():
        paper.line(f"still holds what was erased: {place}")


@verb(
    "expire",
    examples=(
        "simonides expire 4f2a91c7 --ttl 30d",
        "simonides expire 4f2a91c7 --at 2027-01-01 --action erase",
        "simonides expire 4f2a91c7 --never",
    ),
    then=("simonides upkeep --dry-run",),
)
@click.argument("id")
@click.option("--at", type=MOMENT, help="When it expires.")
@click.option("--ttl", type=TTL, help="How long from now: 90m, 12h, 30d, 2w.")
@click.option("--never", is_flag=True, help="Take its end away.")
@click.option("--action", type=_ACTION, default="retire", show_default=True, help="What upkeep does then.")
@click.option("--reason", default="expiry set", show_default=True, help="Why, for the log.")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
def expire(
    desk: Desk,
    id: str,
    *,
    at: datetime | None,
    ttl: timedelta | None,
    never: bool,
    action: str,
    reason: str,
    dry_run: bool,
) -> None:
    """Say when a memory expires, or that it never does.

    From then on only its history shows it. Upkeep retires or erases it later, as --action says.
    """
    if [at is not None, ttl is not None, never].count(True) != 1:
        raise click.UsageError("Give one of --at, --ttl and --never.")
    memory = desk.memory()
    whole = memory.ledger.expand(id)
    receipt = memory.expire(whole, at, ttl=ttl, action=action, reason=reason, plan=dry_run)
    report(desk, receipt, "Never expires:" if never else "Expires:")


@click.group(
    "retention", cls=LazyGroup, entries=RETENTION, otherwise={"ls": "list", "rm": "drop", "set": "add"}
)
def retention() -> None:
    """Say how long memories are kept, by kind and scope."""


@verb("list", examples=("simonides retention list",), then=("simonides upkeep --dry-run",))
def list_(desk: Desk) -> None:
    """List the rules of how long memories are kept.

    Exit code 1 when there are none.
    """
    rules = desk.look().retention()
    desk.answer({"rules": [shapes.rule(one) for one in rules]}, lambda paper: _rules(desk, paper, rules))
    if not rules:
        click.get_current_context().exit(NOTHING_FOUND)


def _rules(desk: Desk, paper: Paper, rules: list[Rule]) -> None:
    rows = [
        (
            str(one.rule),
            one.kind or "any",
            _whose(one.scope),
            f"{one.seconds / _DAY:g} days",
            one.action,
            moment(one.created).removesuffix(" UTC"),
            one.reason,
        )
        for one in rules
    ]
    if rows:
        paper.table(("rule", "kind", "whose", "kept for", "then", "made (UTC)", "why"), rows)
    else:
        desk.aside("There are no rules: everything is kept.")


@verb(
    "add",
    examples=(
        "simonides retention add --kind turn --session s --days 30 --action erase",
        "simonides retention add --project trial --days 90",
    ),
    then=("simonides upkeep --dry-run", "simonides retention list"),
)
@click.option("--kind", default="", help="Only this kind: turn, fact, note ...")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), required=True, help="How long they are kept."
)
@click.option("--action", type=_ACTION, default="retire", show_default=True, help="What upkeep does then.")
@click.option("--reason", default="", help="Why, for the log.")
@scoping
def add(desk: Desk, *, kind: str, days: float, action: str, reason: str, scope: Scoped) -> None:
    """Keep memories of a kind or a scope for so long only.

    Their age counts from when they were first written. What is older is shown by nothing but its history,
    from now on; upkeep retires or erases it.
    """
    whose = Scope(**{name: str(value) for name, value in scope.items() if value})
    rule = Rule(max(1, round(days * _DAY)), action, kind, whose, reason)
    made = desk.memory().retention(add=rule)[-1]
    answer: dict[str, Json] = {"rule": shapes.rule(made)}
    desk.answer(
        answer, lambda paper: paper.line(f"Rule {made.rule}. `simonides upkeep --dry-run` shows what is due.")
    )


@verb("drop", examples=("simonides retention drop 3",), then=("simonides retention list",))
@click.argument("rule", type=int)
def drop(desk: Desk, rule: int) -> None:
    """Delete a rule.

    What it alone had hidden, and upkeep has not ended yet, is shown again.
    """
    left = desk.memory().retention(drop=rule)
    desk.answer(
        {"rules": [shapes.rule(one) for one in left]}, lambda paper: paper.line(f"Rule {rule} is gone.")
    )


def _whose(scope: Scope) -> str:
    named = ((name, getattr(scope, name)) for name in ("user", "agent", "session", "project"))
    return ", ".join(f"{name} {value}" for name, value in named if value) or "everybody"
