"""`bench faults`: a crash at every boundary of a store's writes, and writes that fail; knows no SQL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.bench import options
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.doors.verb import verb
from simonides.ledger.encrypted import library

if TYPE_CHECKING:
    from simonides.bench.faulting.measuring import Found
    from simonides.doors.desk import Desk, Ticker
    from simonides.doors.paper import Paper

NOTE = (
    "Every write, truncation and sync that SQLite asks of the disk is written down while a store lives: it is made,"
    " written to with each kind of change, read by a scripted model, checkpointed, closed, opened and written to again."
    " For each boundary between two of them the files are made as a crash there would leave them: *killed* keeps every"
    " write so far, as the operating system does when a process dies; *power lost* keeps what was synced and any part"
    " of the rest, some writes torn at sectors of 512 bytes, {power} times with different chances. Each is opened and"
    " held against what had been acknowledged: every version of every memory is compared with a ledger of plain Python"
    " values, the hash chain, SQLite's integrity and all derived data are checked, and the index is compared with a"
    " new one. A migration must be done or not begun; so must an erasure, and once it was acknowledged no word of it"
    " may be in any file. Then each write and sync of another life fails once, or the disk is full from there on until"
    " a call has been refused; the call is tried again, must go well, and the store must be whole."
)


@verb(
    "faults",
    examples=(
        "simonides bench faults",
        "simonides bench faults --every 10 --power 1",
        "simonides bench faults --out bench/out",
    ),
    then=("simonides bench crash", "simonides doctor"),
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Take each so many-th boundary only.",
)
@click.option(
    "--power",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="States of a power failure tried at each boundary.",
)
@options.seed
@options.folder
@options.out
def command(desk: Desk, *, every: int, power: int, seed: int, folder: Path | None, out: Path | None) -> None:
    """Crash at every write of a store, let every write fail, and prove that nothing acknowledged is lost.

    Stores are made in a temporary folder and deleted. Ends with 1 when anything was lost or damaged.
    Needs `simonides[encrypted]`, whose SQLite can be watched.
    """
    library()  # says what is missing, where it is
    from simonides.bench.faulting.measuring import measure

    started, ticker = here(), desk.ticker()
    with tempfile.TemporaryDirectory(prefix="simonides-faults-", dir=folder) as place:
        found = measure(Path(place), every, power, seed, lambda what: _counting(ticker, what))
    ticker.clear()
    report = Report(
        name="faults",
        title="Crashes at every write, and writes that fail",
        command=_told(every, power, seed),
        made=today(),
        machine=started,
        note=NOTE.format(power=power),
        order=41,
        tables=_tables(found),
        summary=_summary(found),
        details={"crashes": found.crashes, "refusals": found.refusals, "problems": found.problems()},
    )
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: _show(paper, report, found))
    if found.problems():
        click.get_current_context().exit(1)


def _counting(ticker: Ticker, what: str) -> Callable[[int], object]:
    done = 0

    def step(more: int) -> None:
        nonlocal done
        done += more
        ticker.show(f"{what}: boundary {done:,} ...")

    return step


def _told(every: int, power: int, seed: int) -> str:
    given = {"--every": (every, 1), "--power": (power, 2), "--seed": (seed, 1)}
    changed = [f" {option} {value}" for option, (value, default) in given.items() if value != default]
    return "simonides bench faults" + "".join(changed)


def _tables(found: Found) -> list[Table]:
    return [
        Table(
            "Crashes",
            ["", "writes", "syncs", "killed", "power lost", "lost, half there or damaged"],
            [
                [what, one.writes, one.syncs, one.kills, one.failures, len(one.problems)]
                for what, one in found.crashes.items()
            ],
        ),
        Table(
            "Writes that fail",
            ["", "writes and syncs that failed", "calls refused", "no call noticed", "problems"],
            [
                [what, one.runs, one.calls, one.silent, len(one.problems)]
                for what, one in found.refusals.items()
            ],
        ),
    ]


def _summary(found: Found) -> list[Line]:
    problems = len(found.problems())
    runs = sum(one.runs for one in found.refusals.values())
    return [
        Line(
            "acknowledged writes lost, crashing at every write and sync",
            str(problems),
            f"{found.boundaries:,} states of files opened, {runs:,} writes refused by the disk",
        )
    ]


def _show(paper: Paper, report: Report, found: Found) -> None:
    show(paper, report, titled=True, note=False)
    for problem in found.problems():
        paper.line(problem)
