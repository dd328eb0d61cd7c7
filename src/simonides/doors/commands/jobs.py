"""`jobs list|retry|drop|calls|run`: see and steer the work that is still to be done; knows no memory's meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from simonides.clock import instant
from simonides.doors.desk import NOTHING_FOUND, Desk
from simonides.doors.paper import Paper, count, moment, short
from simonides.doors.spreading import Workers, spreading
from simonides.doors.verb import Entry, LazyGroup, verb
from simonides.errors import InputError, SimonidesError

if TYPE_CHECKING:
    from simonides.ledger.jobs import Job
    from simonides.memory import Memory
    from simonides.types import Json

HOME = "simonides.doors.commands.jobs"
JOBS = {
    "list": Entry("Jobs", f"{HOME}:list_", "List the work that is still to be done, and what failed."),
    "retry": Entry("Jobs", f"{HOME}:retry", "Try again what was given up."),
    "drop": Entry("Jobs", f"{HOME}:drop", "Give up work that was asked for."),
    "calls": Entry(
        "Jobs", f"{HOME}:calls", "List the model calls that left the machine, and what they cost."
    ),
    "run": Entry("Jobs", f"{HOME}:run", "Do the work now, and wait for it."),
}
STATES = ("waiting", "leased", "dead")


class Listing(LazyGroup):
    """A group of commands that lists when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command that lists before options of its own."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("jobs", cls=Listing, entries=JOBS, otherwise={"ls": "list", "rm": "drop", "work": "run"})
def jobs() -> None:
    """See and steer the work that is still to be done."""


@verb(
    "list",
    examples=("simonides jobs", "simonides jobs list --state dead", "simonides jobs list --kind read --json"),
    then=("simonides jobs run", "simonides jobs retry --all"),
)
@click.option(
    "--state",
    type=click.Choice(STATES),
    help="Only what waits, what somebody works on, or what was given up.",
)
@click.option("--kind", default="", help="Only this kind: read, reindex, tidy.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only jobs behind this number.")
def list_(desk: Desk, *, state: str | None, kind: str, limit: int, after: int) -> None:
    """List the work that is still to be done, and what failed.

    What is done is not listed any more. Exit code 1 when there is nothing.
    """
    memory = desk.look()
    found = memory.ledger.jobs.find(state=state or "", kind=kind, after=after, limit=limit)
    health = memory.ledger.jobs.health()
    shown = _shapes(memory, found)

    def people(paper: Paper) -> None:
        if not shown:
            desk.aside("There is nothing to do.")
            return
        rows = [
            (
                str(one["job"]),
                str(one["kind"]),
                str(one["state"]),
                str(one["memory"] or "") if paper.plain else short(str(one["memory"] or "")),
                str(one["attempts"]),
                str(one["reason"]),
            )
            for one in shown
        ]
        paper.table(("job", "kind", "state", "memory", "tries", "what went wrong"), rows)
        if not paper.plain:
            whole = f"{health.waiting:,} wait, {health.leased:,} are worked on, {health.dead:,} are dead"
            paper.line(paper.dim(f"In all: {whole}."))

    counts: dict[str, Json] = {
        "waiting": health.waiting,
        "leased": health.leased,
        "dead": health.dead,
        "retrying": health.retrying,
    }
    desk.answer({"jobs": [*shown], **counts}, people)
    if not shown:
        click.get_current_context().exit(NOTHING_FOUND)


def _shapes(memory: Memory, found: list[Job]) -> list[dict[str, Json]]:
    """Return jobs as JSON, with the memory that each is about."""
    now = memory.ledger.calls.now()
    about = memory.ledger.load([job.row for job in found if job.row is not None])
    return [
        {
            "job": job.job,
            "kind": job.kind,
            "state": job.shown(now),
            "memory": about[job.row].id if job.row in about else None,
            "payload": None if job.payload is None else dict(job.payload),
            "priority": job.priority,
            "attempts": job.attempts,
            "due": instant(job.due).isoformat() if job.due else None,
            "created": instant(job.created).isoformat() if job.created else None,
            "worker": job.worker,
            "reason": job.reason,
        }
        for job in found
    ]


_CHOSEN = (
    click.argument("numbers", metavar="[JOB]...", nargs=-1, type=int),
    click.option("--all", "every", is_flag=True, help="All that are dead."),
    click.option("--kind", default="", help="With --all, only this kind."),
    click.option("--dry-run", is_flag=True, help="Show which ones; change nothing."),
)


def _choosing(function: Any) -> Any:
    for option in reversed(_CHOSEN):
        function = option(function)
    return function


def _require_choice(numbers: tuple[int, ...], *, every: bool) -> None:
    if every == bool(numbers):
        raise click.UsageError("Name jobs by their numbers, or say --all.")


@verb(
    "retry",
    examples=(
        "simonides jobs retry 17",
        "simonides jobs retry --all",
        "simonides jobs retry --all --dry-run",
    ),
    then=("simonides jobs run",),
)
@_choosing
def retry(desk: Desk, numbers: tuple[int, ...], *, every: bool, kind: str, dry_run: bool) -> None:
    """Try again what was given up.

    It is tried at once, and counts as new. A job that only waits after a failure can be named too.
    """
    _require_choice(numbers, every=every)
    memory = desk.memory()
    if dry_run:
        _plan(desk, memory, numbers, "dead", kind, "Would be tried again")
        return
    done = memory.ledger.jobs.retry(numbers or None, kind=kind)
    answer: dict[str, Json] = {"retried": done}
    desk.answer(answer, lambda paper: paper.line(f"{count(done, 'job')} will be tried again."))
    _left_alone(desk, len(numbers) - done)


@verb(
    "drop",
    examples=(
        "simonides jobs drop 17",
        "simonides jobs drop --all --dry-run",
        "simonides jobs drop --all --state waiting",
    ),
    then=("simonides reindex --missing      # asks for it again",),
)
@_choosing
@click.option(
    "--state",
    type=click.Choice(("waiting", "dead")),
    default="dead",
    show_default=True,
    help="With --all, those in this state.",
)
def drop(desk: Desk, numbers: tuple[int, ...], *, every: bool, kind: str, dry_run: bool, state: str) -> None:
    """Give up work that was asked for.

    The memories stay, and are found by words and the instant tier. What somebody works on is left alone.
    """
    _require_choice(numbers, every=every)
    memory = desk.memory()
    if dry_run:
        _plan(desk, memory, numbers, state, kind, "Would be dropped")
        return
    done = memory.ledger.jobs.drop(numbers or None, state=state, kind=kind)
    answer: dict[str, Json] = {"dropped": done}
    desk.answer(answer, lambda paper: paper.line(f"Dropped {count(done, 'job')}."))
    _left_alone(desk, len(numbers) - done)


def _left_alone(desk: Desk, many: int) -> None:
    if many > 0:
        desk.aside(f"{many} left alone: a process works on them. Should it have died, try again in a minute.")


def _plan(desk: Desk, memory: Memory, numbers: tuple[int, ...], state: str, kind: str, what: str) -> None:
    """Show the jobs that a command would change."""
    queue = memory.ledger.jobs
    if numbers:
        found = [job for number in numbers for job in queue.find(after=number - 1, limit=1)]
        if missing := set(numbers) - {job.job for job in found}:
            raise InputError("job", "isn't there", min(missing), "See `simonides jobs list`.")
    else:
        found = queue.find(state=state, kind=kind, limit=10_000_000)
    shown = _shapes(memory, found[:50])

    def people(paper: Paper) -> None:
        paper.line(f"{what}: {count(len(found), 'job')}.")
        paper.table(
            ("job", "kind", "what went wrong"),
            [(str(one["job"]), str(one["kind"]), str(one["reason"])) for one in shown],
        )

    desk.answer({"planned": len(found), "jobs": [*shown]}, people)


@verb(
    "calls",
    examples=("simonides jobs calls", "simonides jobs calls --limit 5 --json"),
    then=("simonides where --settings      # daily_calls, daily_cost, endpoint_price",),
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
def calls(desk: Desk, *, limit: int) -> None:
    """List the model calls that left the machine, and what they cost.

    Newest first. A model on this machine makes none. Exit code 1 when there were never any.
    """
    memory = desk.look()
    book, settings = memory.ledger.calls, memory.settings
    found, today = book.find(limit=limit), book.today()
    limits = [
        f"{value:g} {what}"
        for value, what in ((settings.daily_calls, "calls"), (settings.daily_cost, "in money"))
        if value > 0
    ]

    def people(paper: Paper) -> None:
        rows = [
            (
                moment(instant(one.at)),
                one.purpose,
                one.model,
                f"{one.prompt_tokens:,}",
                f"{one.cost:.4g}",
                f"{one.seconds:.2f} s",
                one.detail or "ok",
            )
            for one in found
        ]
        if rows:
            paper.table(("when", "for", "model", "tokens", "cost", "took", "result"), rows)
        spent = f"Today: {count(today.calls, 'call')}, {today.failed:,} failed, cost {today.cost:.4g}"
        paper.line(f"{spent}; at most {' and '.join(limits) or 'any'} a day.")

    shown: list[Json] = [
        {
            "at": instant(one.at).isoformat(),
            "purpose": one.purpose,
            "model": one.model,
            "job": one.job,
            "prompt_tokens": one.prompt_tokens,
            "reply_tokens": one.reply_tokens,
            "cost": one.cost,
            "seconds": one.seconds,
            "ok": one.ok,
            "detail": one.detail,
        }
        for one in found
    ]
    spent: dict[str, Json] = {
        "calls": today.calls,
        "failed": today.failed,
        "prompt_tokens": today.prompt_tokens,
        "reply_tokens": today.reply_tokens,
        "cost": today.cost,
        "daily_calls": settings.daily_calls,
        "daily_cost": settings.daily_cost,
    }
    desk.answer({"calls": shown, "today": spent}, people)
    if not found:
        click.get_current_context().exit(NOTHING_FOUND)


@verb(
    "run",
    examples=("simonides jobs run", "simonides jobs run --seconds 60", "simonides jobs run --processes 4"),
    then=("simonides status", "simonides jobs list"),
)
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after so many, done or not.")
@spreading
def run(desk: Desk, *, seconds: float | None, workers: Workers) -> None:
    """Do the work now, and wait for it.

    What failed before is tried again at once, dead jobs are not. Several processes share the work.
    """
    memory = desk.memory()
    ticker = desk.ticker()
    before = memory.status().backlog
    counting = ticker.counting("read by the model:", before)
    try:
        with workers.pool() as pool:
            left = memory.wait(seconds, progress=counting, pool=pool)
    except SimonidesError:
        ticker.clear()
        raise
    ticker.clear()
    dead = memory.ledger.jobs.health().dead
    answer: dict[str, Json] = {"done": max(0, before - left), "left": left, "dead": dead}

    def people(paper: Paper) -> None:
        paper.line(f"Done {max(0, before - left):,}; {left:,} left, {dead:,} of them dead.")
        if dead:
            paper.then("simonides jobs list --state dead")

    desk.answer(answer, people)
