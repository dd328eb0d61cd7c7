"""`bench load`: many clients ask a server at once, and every write that it acknowledged must be there at the end.

Beside it stands a bare FastAPI on the same uvicorn that answers what it is sent: no server of this kind is faster on
the same machine with the same clients. Knows no route from inside.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench import options, postgres_server
from simonides.bench.generate import Generator as Inventor
from simonides.bench.loading import clients, servers
from simonides.bench.loading.clients import Load, Target
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.timing import digits, spell
from simonides.clock import new_id
from simonides.credentials import issue
from simonides.doors.desk import Desk
from simonides.doors.places import settings_from
from simonides.doors.verb import verb
from simonides.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from simonides.bench.loading.servers import Served

WARM_SECONDS = 3.0
_READS = (*clients.READS,)
_ASKED = (("all", ()), ("writes", ("add",)), ("reads", _READS), *((name, (name,)) for name in _READS))
HEAD = ("server", "asked", "requests", "a second", "p50 ms", "p95 ms", "p99 ms", "largest ms")
SAFE = ("server", "errors", "writes acknowledged", "lost", "twice", "CPU of the server", "CPU of the clients")
NOTE = (
    "{clients} clients on loopback, each on a connection of its own, ask as fast as they are answered for {seconds:g}"
    " s: {reads} reads to each write; of ten reads five are searches, three get one memory, one packs a context and"
    " one lists twenty. A write is one memory of about 22 words, durable when it is acknowledged, with an idempotency"
    " key. The store begins with {memories:,} memories that the full tier has read; what is written meanwhile is read"
    " in the background. *Echo* is a FastAPI with one route that answers the JSON it is sent, without a token, a log"
    " or a store, on the same uvicorn, asked by the same clients. One process each; server, clients and PostgreSQL"
    " share the {cores} cores, so each takes from the others: CPU counts cores in use, 1.0 is one."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One server under load.

    Attributes:
        lost: writes that were acknowledged and are not there, or say something else.
        twice: texts that are there more than once.
        cpu: cores that the server used.
    """

    name: str
    load: Load
    lost: int
    twice: int
    cpu: float


@verb(
    "load",
    examples=(
        "simonides bench load",
        "simonides bench load --postgres --out bench/out",
        "simonides bench load --clients 8 --seconds 10",
    ),
    then=("simonides serve --help",),
)
@click.option(
    "--clients", "many", type=click.IntRange(1, 1000), default=64, show_default=True, help="At once."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.5), default=60.0, show_default=True, help="For each server."
)
@click.option(
    "--memories", type=click.IntRange(10), default=1000, show_default=True, help="In the store before."
)
@click.option("--reads", type=click.IntRange(1), default=10, show_default=True, help="For each write.")
@click.option("--postgres", is_flag=True, help="Measure a store in PostgreSQL too; --path names the server.")
@options.seed
@options.out
def command(
    desk: Desk,
    *,
    many: int,
    seconds: float,
    memories: int,
    reads: int,
    postgres: bool,
    seed: int,
    out: Path | None,
) -> None:
    """Ask a server from many sides at once, and look for every write that it acknowledged.

    Every acknowledged write is looked for at the end. Exit code 1 when one is lost, or anything failed.
    """
    machine, ticker, found = here(), desk.ticker(), list[Measured]()
    plan = _Plan(many, seconds, memories, reads, seed, desk.settings, ticker.show)
    with tempfile.TemporaryDirectory(prefix="simonides-load-") as name:
        folder = Path(name)
        found.append(plan.echo(folder))
        found.append(plan.store("SQLite", str(folder / "memory.db"), folder))
        if postgres:
            with postgres_server.given_or_roomy(desk.server) as url:
                tenant = f"{url}{'&' if '?' in url else '?'}tenant=bench-{new_id()}"
                found.append(plan.store("PostgreSQL", tenant, folder))
    ticker.clear()
    usual = {
        "--clients": (many, 64),
        "--seconds": (seconds, 60),
        "--memories": (memories, 1000),
        "--reads": (reads, 10),
    }
    words = [f"{option} {value:g}" for option, (value, default) in usual.items() if value != default]
    report = Report(
        name="load",
        title="A server under load",
        command=" ".join(["simonides bench load", *words, *(["--postgres"] if postgres else [])]),
        made=today(),
        machine=machine,
        note=NOTE.format(clients=many, seconds=seconds, reads=reads, memories=memories, cores=machine.cores),
        order=62,
        tables=[Table("Requests", HEAD, _times(found)), Table("What was kept", SAFE, _kept(found))],
        summary=_lines(found, many),
        details={"loads": [_details(one) for one in found]},
    )
    save(desk, report, out)
    desk.answer({"report": report.as_json()}, lambda paper: show(paper, report))
    if any(one.lost or one.twice or one.load.errors for one in found):
        click.get_current_context().exit(1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How each server is asked."""

    many: int
    seconds: float
    memories: int
    reads: int
    seed: int
    settings: dict[str, str]
    tell: Callable[[str], None]

    def echo(self, folder: Path) -> Measured:
        """Measure the bare server."""
        with servers.echo(folder / "echo.log") as server:
            target = Target(server.url, known=("0" * 32,), reads=self.reads, echo=True)
            load, cpu = self._ask("echo", server, target)
        return Measured("echo", load, 0, 0, cpu)

    def store(self, name: str, path: str, folder: Path) -> Measured:
        """Measure ours over a store, and look for what it acknowledged."""
        settings = settings_from(self.settings)
        with Memory(path, settings=settings) as memory:
            self.tell(f"{name}: filling ...")
            made = Inventor(self.seed).memories(self.memories)
            rows = [{"text": one.text, "user": f"user-{place % 100}"} for place, one in enumerate(made)]
            known = memory.add_many(rows, wait=True).ids
            token, _ = issue(memory, "load")
        with servers.simonides(path, self.settings, folder / f"{name}.log") as server:
            target = Target(server.url, token, known, self.reads)
            load, cpu = self._ask(name, server, target)
        self.tell(f"{name}: looking for {len(load.written):,} writes ...")
        with Memory(path, settings=settings) as memory:
            lost, twice = _missing(memory, load.written)
        return Measured(name, load, lost, twice, cpu)

    def _ask(self, name: str, server: Served, target: Target) -> tuple[Load, float]:
        """Ask, after a while in which the server gets warm; what it writes then counts as written too."""
        self.tell(f"{name}: warming up ...")
        warm = clients.run(target, self.many, min(WARM_SECONDS, self.seconds), self.seed + 1)
        self.tell(f"{name}: {self.many} clients for {self.seconds:g} s ...")
        before = server.cpu()
        load = clients.run(target, self.many, self.seconds, self.seed + 2)
        cpu = (server.cpu() - before) / load.seconds
        load.written.update(warm.written)
        for error, often in warm.errors.items():
            load.errors[error] = load.errors.get(error, 0) + often
        return load, cpu


def _missing(memory: Memory, written: dict[str, str]) -> tuple[int, int]:
    """Return how many writes are not there as they were acknowledged, and how many texts are there twice."""
    there: dict[str, str] = {}
    last = ""
    while page := memory.list(limit=5000, after=last):
        there.update((one.id, one.text) for one in page)
        last = page[-1].id
    lost = sum(there.get(id) != text for id, text in written.items())
    wanted = {*written.values()}
    return lost, sum(text in wanted for text in there.values()) - len(wanted & {*there.values()})


def _times(found: list[Measured]) -> list[list[str]]:
    rows: list[list[str]] = []
    for one in found:
        for asked, kinds in _ASKED:
            walls = one.load.of(*kinds)
            if not walls or (one.name == "echo" and asked != "all"):
                continue
            measured = spell(walls, 0.0)
            times = (digits(value) for value in (measured.p50, measured.p95, measured.p99, 1000 * max(walls)))
            rows.append([one.name, asked, f"{len(walls):,}", f"{len(walls) / one.load.seconds:,.0f}", *times])
    return rows


def _kept(found: list[Measured]) -> list[list[str]]:
    return [
        [
            one.name, _errors(one.load), f"{len(one.load.written):,}", f"{one.lost}", f"{one.twice}",
            f"{one.cpu:.2f}", f"{one.load.mine / one.load.seconds:.2f}",
        ]
        for one in found
    ]  # fmt: skip


def _errors(load: Load) -> str:
    return ", ".join(f"{often} x {what}" for what, often in sorted(load.errors.items())) or "0"


def _lines(found: list[Measured], many: int) -> list[Line]:
    bare = found[0]
    lines: list[Line] = []
    for one in found[1:]:
        measured, limit = spell(one.load.of(), 0.0), spell(bare.load.of(), 0.0)
        wrong = sum(one.load.errors.values())
        lines.append(
            Line(
                f"requests a second to a server on {one.name}, {many} clients, ten reads to a write",
                f"{one.load.rate:,.0f}; p50 {digits(measured.p50)} ms, p99 {digits(measured.p99)} ms;"
                f" {wrong} errors, {one.lost} lost writes",
                f"bare FastAPI echo {bare.load.rate:,.0f}; p50 {digits(limit.p50)} ms, p99 {digits(limit.p99)} ms",
            )
        )
    return lines


def _details(one: Measured) -> dict[str, Any]:
    walls = {
        kind: {"requests": len(some), "p50": timing.p50, "p95": timing.p95, "p99": timing.p99}
        for kind, some in one.load.walls.items()
        if (timing := spell(some, 0.0))
    }
    return {
        "server": one.name,
        "seconds": one.load.seconds,
        "rate": one.load.rate,
        "asked": walls,
        "errors": one.load.errors,
        "written": len(one.load.written),
        "lost": one.lost,
        "twice": one.twice,
        "server_cores": one.cpu,
        "client_cores": one.load.mine / one.load.seconds,
    }
