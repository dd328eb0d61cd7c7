"""`reindex`: make derived data anew, or with another model beside the old; knows no memory."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from simonides import shapes
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper, count, size
from simonides.doors.places import settings_given
from simonides.doors.spreading import Workers, spreading
from simonides.doors.verb import verb

if TYPE_CHECKING:
    from simonides.memory import Memory
    from simonides.reindex import Estimate
    from simonides.types import Json

ASKING_SECONDS = 60.0
"""Below this much work nobody is asked."""


@verb(
    "reindex",
    examples=(
        "simonides reindex --missing",
        "simonides reindex --model multilingual --dry-run",
        "simonides reindex --model multilingual --yes --processes 4",
        "simonides reindex",
    ),
    then=("simonides status", "simonides doctor"),
)
@click.option("--model", help="Read with this model from now on; the old codes answer until all is ready.")
@click.option("--missing", is_flag=True, help="Make only what is missing or damaged.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="With --model: estimate what it takes; with --missing: count. Writes nothing.",
)
@click.option("--yes", is_flag=True, help="Don't ask before a long work.")
@spreading
def reindex(
    desk: Desk, *, model: str | None, missing: bool, dry_run: bool, yes: bool, workers: Workers
) -> None:
    """Make derived data anew, or with another model beside the old.

    Words, vectors and codes come from the texts, which are not touched. Stop it when you like: run it
    again, and it goes on.
    """
    if model is not None and missing:
        raise click.UsageError("--model makes all codes; --missing makes some. Choose one.")
    memory = desk.memory()
    if model is not None:
        _change(desk, memory, model, None if dry_run else workers, yes=yes)
    elif dry_run:
        _count(desk, memory, missing=missing)
    else:
        _anew(desk, memory, workers, missing=missing)


def _anew(desk: Desk, memory: Memory, workers: Workers, *, missing: bool) -> None:
    ticker = desk.ticker()
    counting = ticker.counting("read by the model:", memory.status().versions)
    with workers.pool() as pool:
        made = memory.reindex(missing=missing, progress=counting, pool=pool)
    ticker.clear()
    found = memory.status()
    answer: dict[str, Json] = {
        "memories": found.memories,
        "made": made,
        "backlog": found.backlog,
        "model": shapes.plain(found.model),
    }
    told = (
        f"Made {count(made, 'thing')} that were missing or damaged."
        if missing
        else f"Made anew for {count(found.memories, 'memory', 'memories')}."
    )
    desk.answer(answer, lambda paper: paper.line(told))


def _count(desk: Desk, memory: Memory, *, missing: bool) -> None:
    damage = memory.ledger.damage(codes=memory.settings.meaning == "full")
    many = damage.many if missing else memory.status().versions
    answer: dict[str, Json] = {"made": 0, "planned": many}
    what = "are missing or damaged" if missing else "would be made anew"
    desk.answer(answer, lambda paper: paper.line(f"{count(many, 'thing' if missing else 'version')} {what}."))


def _change(desk: Desk, memory: Memory, model: str, workers: Workers | None, *, yes: bool) -> None:
    estimate = memory.estimate_reindex(model)
    if workers is None:
        _tell(desk, estimate, {"state": "planned"}, "")
        return
    long = estimate.seconds > ASKING_SECONDS or estimate.cost > 0
    if long and not yes and not desk.json:
        _ask(desk, estimate)
    ticker = desk.ticker()
    counting = ticker.counting(f"read by {model}:", estimate.memories)
    with workers.pool() as pool:
        read = memory.reindex(model, progress=counting, pool=pool)
    ticker.clear()
    backlog = memory.status().backlog
    rest = f" {count(backlog, 'memory', 'memories')} are left to the backlog." if backlog else ""
    done: dict[str, Json] = {"state": "switched", "read": read, "backlog": backlog}
    _tell(desk, estimate, done, f"The store is read with {model} now: {read:,} read.{rest}")
    given = settings_given(desk.settings).get("model")
    if given is not None and given[0] not in (model, "auto"):
        desk.aside(f"The setting model, from {given[1]}, still says {given[0]}: change or remove it.")


def _ask(desk: Desk, estimate: Estimate) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("This takes long: say --yes to begin, or --dry-run to see what it takes.")
    click.echo(_words(estimate), err=True)
    click.confirm("Begin?", abort=True, err=True)


def _words(estimate: Estimate) -> str:
    took = f"{estimate.seconds / 60:.1f} minutes at {estimate.per_second:,.0f} a second"
    done = f" ({estimate.done:,} are done already)" if estimate.done else ""
    paid = f", {count(estimate.calls, 'call')}, cost about {estimate.cost:.4g}" if estimate.calls else ""
    memories = count(estimate.memories, "version")
    return (
        f"{estimate.model} has {memories} to read{done}: about {took}, {size(estimate.bytes)} on disk{paid}."
    )


def _tell(desk: Desk, estimate: Estimate, more: dict[str, Json], done: str) -> None:
    shape = shapes.plain(estimate)
    assert isinstance(shape, dict)

    def people(paper: Paper) -> None:
        paper.line(done or _words(estimate))
        if not done:
            paper.line("Nothing was written. The old codes answer until the new ones are complete.")
            paper.then(f"simonides reindex --model {estimate.model} --yes")

    desk.answer({**shape, **more}, people)
