"""`bench postgres-write`: what several processes write to a server, against what the server can do; knows no search.

The bare commit is an INSERT of the same text into a table of two columns, each in a transaction of its own: no memory
on that server can be acknowledged faster. Both are measured in turns, in the same run, by the same workers.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psycopg

from simonides.bench import options, postgres_server
from simonides.bench.generate import Generator as Inventor
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.timing import digits, spell
from simonides.clock import new_id
from simonides.doors.desk import Desk
from simonides.doors.verb import verb
from simonides.memory import Memory
from simonides.pool import LocalProcesses
from simonides.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from simonides.pool import Pool

KINDS = {"bare": "bare INSERT and COMMIT", "many": "add, a tenant each", "one": "add, one tenant for all"}
LEAD = 3.0
"""Seconds until all workers begin at once: to connect and to warm up."""
WARM = 20
HEAD = ("what", "processes", "a second", "share of bare", "p50 ms", "p95 ms", "p99 ms")
NOTE = (
    "Processes write as fast as they can for {seconds:g} s, one memory (about 22 words) in a transaction: durable, with"
    " its words, its event in the hash chain and its job for the full tier. A *bare* commit is an INSERT of the same"
    " text into a table of two columns, on the same server in the same run. Writers of one tenant take turns, so that"
    " events and rows are numbered in the order of commits; tenants do not wait for each other. The server has the"
    " usual durability (`fsync = on`, `synchronous_commit = on`) and runs on the same processors as the writers."
)


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker writes: a kind of `KINDS`, where, from when on the wall clock, for how long."""

    kind: str
    url: str
    number: int
    begin: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Wrote:
    """What processes wrote together; milliseconds are those of one write."""

    kind: str
    processes: int
    rate: float
    p50: float
    p95: float
    p99: float


@verb(
    "postgres-write",
    examples=(
        "simonides bench postgres-write",
        "simonides bench postgres-write --writers 1,4,16 --seconds 20 --out bench/out",
        "simonides --path postgresql://me@host/bench bench postgres-write",
    ),
    then=("simonides bench failover",),
)
@click.option("--writers", default="1,2,4,8", show_default=True, help="Processes that write at a time.")
@click.option(
    "--seconds", type=click.FloatRange(min=0.5), default=5.0, show_default=True, help="For each figure."
)
@options.out
def command(desk: Desk, *, writers: str, seconds: float, out: Path | None) -> None:
    """Measure what several processes write to a server, against what the server can do.

    Starts a server of its own, unless --path names one; there it leaves tenants and a table called bench_*.
    """
    numbers = _numbers(writers)
    machine, ticker, found = here(), desk.ticker(), list[Wrote]()
    with postgres_server.given_or_roomy(desk.server) as url:
        for many in numbers:
            with LocalProcesses(many) as pool:
                for kind, name in KINDS.items():
                    ticker.show(f"{many} processes: {name} ...")
                    found.append(_measure(pool, kind, url, seconds))
    ticker.clear()
    words = [f"--writers {writers}"] * (writers != "1,2,4,8") + [f"--seconds {seconds:g}"] * (seconds != 5)
    report = Report(
        name="postgres-write",
        title="Writing to PostgreSQL",
        command=" ".join(["simonides bench postgres-write", *words]),
        made=today(),
        machine=machine,
        note=NOTE.format(seconds=seconds),
        order=61,
        tables=[Table("Commits", HEAD, _rows(found))],
        summary=[_line(found)],
        details={"wrote": [asdict(one) for one in found]},
    )
    save(desk, report, out)
    desk.answer({"report": report.as_json()}, lambda paper: show(paper, report))


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 64 for part in parts):
        raise click.BadParameter(
            "must be whole numbers from 1 to 64 with commas between", param_hint="--writers"
        )
    return list(dict.fromkeys(map(int, parts)))


def _measure(pool: Pool, kind: str, url: str, seconds: float) -> Wrote:
    """Let every worker write one kind; the store, or the table, is made before."""
    name = f"bench-{new_id()}"
    if kind == "bare":
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bench_bare")
            connection.execute(
                "CREATE TABLE bench_bare (number bigint GENERATED ALWAYS AS IDENTITY, text text)"
            )
    begin = time.time() + LEAD
    tasks = [
        Task(kind, _of(kind, url, name, number), number, begin, seconds) for number in range(pool.workers)
    ]
    walls = [wall for some in pool.map(write, tasks) for wall in some]
    measured = spell(walls, 0.0)
    return Wrote(kind, pool.workers, len(walls) / seconds, measured.p50, measured.p95, measured.p99)


def _of(kind: str, url: str, name: str, number: int) -> str:
    if kind == "bare":
        return url
    tenant = name if kind == "one" else f"{name}-{number}"
    return f"{url}{'&' if '?' in url else '?'}tenant={tenant}"


def write(task: Task) -> list[float]:
    """Write until the time is over, in whichever process this is; return the seconds of each write."""
    texts = [one.text for one in Inventor(task.number).memories(500)]
    if task.kind == "bare":
        with psycopg.connect(task.url, autocommit=True) as connection:
            insert = "INSERT INTO bench_bare (text) VALUES (%s)"
            return _timed(task, texts, lambda text: connection.execute(insert, (text,), prepare=True))
    with Memory(task.url, settings=Settings(background=False)) as memory:
        return _timed(task, texts, lambda text: memory.add(text, user=f"user-{task.number}"))


def _timed(task: Task, texts: list[str], one: Callable[[str], object]) -> list[float]:
    for text in texts[:WARM]:
        one(text)
    time.sleep(max(0.0, task.begin - time.time()))
    walls: list[float] = []
    ends = time.perf_counter() + task.seconds
    while (begun := time.perf_counter()) < ends:
        one(texts[len(walls) % len(texts)])
        walls.append(time.perf_counter() - begun)
    return walls


def _rows(found: list[Wrote]) -> list[list[str]]:
    bare = {one.processes: one.rate for one in found if one.kind == "bare"}
    return [
        [
            KINDS[one.kind], f"{one.processes}", f"{one.rate:,.0f}", f"{one.rate / bare[one.processes]:.2f}",
            digits(one.p50), digits(one.p95), digits(one.p99),
        ]
        for one in found
    ]  # fmt: skip


def _line(found: list[Wrote]) -> Line:
    best = {kind: max((one for one in found if one.kind == kind), key=lambda one: one.rate) for kind in KINDS}
    return Line(
        "durable adds a second to PostgreSQL, a tenant for each process",
        f"{best['many'].rate:,.0f} with {best['many'].processes} processes",
        f"bare commits {best['bare'].rate:,.0f} with {best['bare'].processes}; one tenant {best['one'].rate:,.0f}",
    )
