"""`bench crash`: many processes write one file and are killed; every figure of what was lost; knows no SQL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench import options
from simonides.bench.crashing import rounds
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.timing import Spell, digits, spell
from simonides.doors.paper import size
from simonides.doors.verb import verb
from simonides.errors import InputError

if TYPE_CHECKING:
    from simonides.bench.crashing.rounds import Plan, Tally
    from simonides.doors.desk import Desk
    from simonides.doors.paper import Paper

KILLS, PROCESSES, WRITERS, SECONDS = 500, 3, 3, 600.0
NOTE = (
    "{processes} processes of {writers} writing threads each add, update, retire, restore, link, unlink and search in"
    " {where}, one to twelve changes in a transaction, while the full tier's work is done in the background by a"
    " scripted model. Processes are killed with SIGKILL at random moments and started again at once. Each thread"
    " keeps a journal outside of the store: what it is about to do, and what it was told. After each round every"
    " operation is replayed, in the order of the store's own log, on a ledger of plain Python values, and each version"
    " of each memory is compared; the log's hash chain, the database's integrity, and all derived data are"
    " checked, and the indexes of a new process and of one that was open all the time are compared with one made from"
    " the rows."
)
PLACES = {"sqlite": "one file", "postgresql": "one store of a server that has default durability"}
DATABASE, ROLE = "crash", "writer"


@contextmanager
def _server(backend: str) -> Generator[str]:
    """Give the address of a database on a server of its own; nothing for files."""
    if backend == "sqlite":
        yield ""
        return
    from simonides.bench import postgres_server

    with postgres_server.temporary({"fsync": "on", "synchronous_commit": "on"}) as server:
        yield server.make_database(DATABASE, ROLE)


@verb(
    "crash",
    examples=(
        "simonides bench crash",
        "simonides bench crash --kills 2000 --processes 6",
        "simonides bench crash --out bench/out",
    ),
    then=("simonides bench soak", "simonides doctor"),
)
@click.option("--kills", type=click.IntRange(min=1), default=KILLS, show_default=True, help="Kill so many.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=PROCESSES,
    show_default=True,
    help="Processes that write at a time.",
)
@click.option(
    "--writers", type=click.IntRange(min=1), default=WRITERS, show_default=True, help="Threads of each."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=SECONDS,
    show_default=True,
    help="Begin nothing new after so long.",
)
@click.option(
    "--backend",
    type=click.Choice(("sqlite", "postgresql")),
    default="sqlite",
    show_default=True,
    help="Write files, or stores of a PostgreSQL server that is started for it.",
)
@options.seed
@options.folder
@options.out
def command(
    desk: Desk,
    *,
    kills: int,
    processes: int,
    writers: int,
    seconds: float,
    backend: str,
    seed: int,
    folder: Path | None,
    out: Path | None,
) -> None:
    """Kill processes that write one file, and prove that nothing acknowledged is lost.

    Stores are made in a temporary folder and deleted. Ends with 1 when anything was lost or damaged.
    """
    if os.name != "posix":
        raise InputError("bench crash", "needs the signals and forks of a POSIX system", os.name)
    started, ticker = here(), desk.ticker()
    plan = rounds.Plan(kills, processes, writers, seconds, seed)
    with tempfile.TemporaryDirectory(prefix="simonides-crash-", dir=folder) as place, _server(backend) as url:
        plan = replace(plan, server=url)
        tally = rounds.run(Path(place), plan, ticker.counting("killed", kills))
    ticker.clear()
    name = "crash" if backend == "sqlite" else f"crash-{backend}"
    report = Report(
        name=name,
        title="Killed processes" if backend == "sqlite" else "Killed clients of a PostgreSQL server",
        command=_told(plan),
        made=today(),
        machine=started,
        note=NOTE.format(processes=processes, writers=writers, where=PLACES[backend]),
        order=40 if backend == "sqlite" else 41,
        tables=_tables(tally),
        summary=_summary(tally),
        details=_details(plan, tally),
    )
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: _show(paper, report, tally))
    if tally.problems:
        click.get_current_context().exit(1)


def _told(plan: Plan) -> str:
    given = {
        "--kills": (plan.kills, KILLS),
        "--processes": (plan.processes, PROCESSES),
        "--writers": (plan.writers, WRITERS),
        "--seed": (plan.seed, 1),
    }
    backend = " --backend postgresql" * bool(plan.server)
    changed = [f" {option} {value}" for option, (value, default) in given.items() if value != default]
    return f"simonides bench crash{backend}" + "".join(changed)


def _tables(tally: Tally) -> list[Table]:
    phases: list[list[Any]] = [[phase, many] for phase, many in sorted(tally.kills.items())]
    answers = answered(tally)
    return [
        Table(
            "What was lost",
            ["", ""],
            [
                ["acknowledged operations lost", tally.lost],
                ["operations half there", tally.half],
                ["problems of any kind", len(tally.problems)],
            ],
        ),
        Table("Processes killed, by what their main thread was about", ["", "kills"], phases),
        Table(
            "What was done",
            ["", ""],
            [
                ["processes killed", tally.killed],
                ["stores, and inspections of them", f"{tally.stores}, {tally.rounds}"],
                ["operations acknowledged", tally.acknowledged],
                ["operations refused, a race having been lost or a rule broken", tally.refused],
                ["operations whose writer died before the answer", tally.unanswered],
                ["of these there, as a whole", tally.happened],
                ["events in the logs, versions of memories", f"{tally.events}, {tally.versions}"],
                ["searches and reads beside", tally.searches],
            ],
        ),
        Table(
            "Times and sizes",
            ["", ""],
            [
                ["from the call to the answer, p50 ms", digits(answers.p50)],
                ["from the call to the answer, p99 ms", digits(answers.p99)],
                ["all killed, until a new process has written, worst ms", digits(_slowest(tally))],
                *([["largest write-ahead log", size(tally.largest_log)]] if tally.largest_log else []),
                ["seconds", digits(tally.seconds)],
            ],
        ),
    ]


def answered(tally: Tally) -> Spell:
    """Return how long answers took."""
    return spell(tally.answers or [0.0], 0.0)


def _slowest(tally: Tally) -> float:
    return 1000 * max(tally.first_writes, default=0.0)


def _summary(tally: Tally) -> list[Line]:
    beside = f"{tally.acknowledged:,} operations acknowledged, {tally.half} half there"
    lost = f"{tally.lost} lost" if tally.lost else "none lost"
    return [Line(f"{tally.killed} processes killed while they write one store", lost, beside)]


def _details(plan: Plan, tally: Tally) -> dict[str, Any]:
    answers = answered(tally)
    return {
        "plan": {**asdict(plan), "server": bool(plan.server)},
        "kills": tally.killed,
        "killed_while": dict(tally.kills),
        "acknowledged": tally.acknowledged,
        "refused": tally.refused,
        "unanswered": tally.unanswered,
        "unanswered_there": tally.happened,
        "lost": tally.lost,
        "half": tally.half,
        "problems": tally.problems,
        "events": tally.events,
        "versions": tally.versions,
        "inspections": tally.rounds,
        "answer_p50_ms": answers.p50,
        "answer_p99_ms": answers.p99,
        "first_write_worst_ms": _slowest(tally),
        "largest_log_bytes": tally.largest_log,
        "seconds": tally.seconds,
    }


def _show(paper: Paper, report: Report, tally: Tally) -> None:
    show(paper, report, titled=True, note=False)
    for problem in tally.problems:
        paper.line(f"PROBLEM {problem}")
    paper.then("simonides bench soak", "simonides doctor")
