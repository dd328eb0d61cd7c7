"""`bench batch`: what workers are worth for an import and for reading with the full tier; knows no recall."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simonides.bench import options
from simonides.bench.generate import SEED, Generator
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.timing import digits
from simonides.doors.desk import Desk
from simonides.doors.importers import parser
from simonides.doors.importers.record import Reading
from simonides.doors.importers.run import Plan, Run
from simonides.doors.spreading import Workers, usual_address
from simonides.doors.verb import verb
from simonides.memory import Memory
from simonides.pool import processors
from simonides.settings import Settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from simonides.pool import Pool

HEAD = ("work", "workers", "seconds", "a second", "against alone", "CPU of this process")
NOTE = (
    "Memories are made up by a seeded generator, about 22 words each. An *import* of JSON lines parses and writes in"
    " this process, durably (`synchronous=full`), and analyses the texts in the workers; *reading* is the full tier's"
    " model in the workers, and the writing of its codes here. Workers were started, and had loaded what they need,"
    " before the clock. CPU of this process is what bounds an import however many workers there are. A Ray on one"
    " machine has the same processors as the processes: it is for more machines."
)


@dataclass(frozen=True, slots=True)
class Timed:
    """One work done by one kind of workers."""

    work: str
    workers: str
    many: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.many / self.seconds


@verb(
    "batch",
    examples=("simonides bench batch", "simonides bench batch --ray --out bench/out"),
    then=("simonides import jsonl FILE --processes 4",),
)
@click.option(
    "--processes", type=click.IntRange(min=2), help="Workers; as many as there are processors, at least 2."
)
@click.option("--ray", is_flag=True, help="Measure a Ray on this machine too.")
@click.option(
    "--memories", type=click.IntRange(min=1000), default=40_000, show_default=True, help="To import."
)
@click.option("--read", type=click.IntRange(min=100), default=2000, show_default=True, help="To read.")
@options.out
def command(
    desk: Desk, *, processes: int | None, ray: bool, memories: int, read: int, out: Path | None
) -> None:
    """Measure what workers are worth: an import, and reading with the full tier.

    Each is done alone, in processes, and on Ray if you ask for it. Let the machine be quiet.
    """
    many = processes or max(2, processors())
    machine, found = here(), list[Timed]()
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") as place:
        for name, pool in _pools(many, ray=ray):
            with pool as workers:
                found += _measure(Path(place), name, workers, memories, read)
    told = [f"--processes {many}"] * (processes is not None) + ["--ray"] * ray
    told += [f"--memories {memories}"] * (memories != 40_000) + [f"--read {read}"] * (read != 2000)
    report = Report(
        name="batch",
        title="Work in many processes",
        command=" ".join(["simonides bench batch", *told]),
        made=today(),
        machine=machine,
        note=NOTE,
        order=60,
        tables=[Table("Import and reading", HEAD, _rows(found))],
        summary=[_line(found)],
        details={"seed": SEED, "timed": [asdict(one) for one in found]},
    )
    save(desk, report, out)
    desk.answer({"report": report.as_json()}, lambda paper: show(paper, report))


def _pools(many: int, *, ray: bool) -> list[tuple[str, AbstractContextManager[Pool | None]]]:
    pools: list[tuple[str, AbstractContextManager[Pool | None]]] = [("none", nullcontext())]
    pools.append((f"{many} processes", Workers(many).pool()))
    if ray:
        pools.append((f"Ray, {many} workers", Workers(many, usual_address()).pool()))
    return pools


def _measure(folder: Path, name: str, pool: Pool | None, memories: int, read: int) -> list[Timed]:
    _imported(folder / "warm.db", _lines(folder, 2000), pool)
    said = _lines(folder, memories)
    store = folder / f"{name}.db"
    seconds, cpu = _imported(store, said, pool)
    found = [Timed("import", name, memories, seconds, cpu)]
    with Memory(folder / f"{name}-read.db", settings=Settings(background=False)) as memory:
        made = Generator(SEED).memories(read + 128)
        memory.add_many(one._asdict() for one in made[:128])
        memory.wait(pool=pool)
        memory.add_many(one._asdict() for one in made[128:])
        begun, cpu = time.perf_counter(), time.process_time()
        memory.wait(pool=pool)
        found.append(Timed("reading", name, read, time.perf_counter() - begun, time.process_time() - cpu))
    return found


def _lines(folder: Path, many: int) -> Path:
    path = folder / f"{many}.jsonl"
    if not path.exists():
        with path.open("w", encoding="utf-8") as file:
            for number, one in enumerate(Generator(SEED).memories(many)):
                file.write(json.dumps({**one._asdict(), "at": one.at.isoformat(), "id": str(number)}) + "\n")
    return path


def _imported(store: Path, said: Path, pool: Pool | None) -> tuple[float, float]:
    """Import a file into a new store; return the seconds, and those of this process's processor."""
    for file in store.parent.glob(f"{store.name}*"):
        file.unlink()
    with Memory(store, settings=Settings(background=False)) as memory:
        memory.status()
        begun, cpu = time.perf_counter(), time.process_time()
        Run(memory, Plan("jsonl", "made up"), pool=pool).go(parser("jsonl")(said, Reading()))
        return time.perf_counter() - begun, time.process_time() - cpu


def _rows(found: list[Timed]) -> list[list[str]]:
    alone = {one.work: one.rate for one in found if one.workers == "none"}
    return [
        [
            one.work, one.workers, digits(one.seconds), f"{one.rate:,.0f}", f"{one.rate / alone[one.work]:.2f}",
            f"{digits(one.cpu)} s",
        ]
        for one in sorted(found, key=lambda one: one.work)
    ]  # fmt: skip


def _line(found: list[Timed]) -> Line:
    best = {one.work: one for one in found if one.workers.endswith("processes")}
    alone = {one.work: one for one in found if one.workers == "none"}
    return Line(
        f"import and reading in {best['import'].workers}",
        f"{best['import'].rate:,.0f} and {best['reading'].rate:,.0f} a second",
        f"alone {alone['import'].rate:,.0f} and {alone['reading'].rate:,.0f}",
    )
