"""`bench speed`: how fast and how large, against what the machine can do; knows no metric of recall."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench import filling, growing, growth, options, writing
from simonides.bench.generate import SEED, Generator
from simonides.bench.limits import Limits, limits
from simonides.bench.machine import here, today
from simonides.bench.processes import Processes, found, processes
from simonides.bench.report import Line, Report, Table, save, show
from simonides.bench.searching import Searched, searched
from simonides.bench.timing import CELLS, Spell, digits
from simonides.bench.writing import Sizes, Written
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper, size
from simonides.doors.verb import verb
from simonides.ledger import snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.doors.desk import Ticker

UNITS = {"k": 1_000, "m": 1_000_000}
LARGE = 1_000_000
SIZES, ROUNDS, ASKED = (1_000, 10_000, 100_000), 3, 200
PROCESSES = 10_000
"""Memories in the store on which start-up time and memory are measured."""
NOTE = (
    "Memories and questions are made up by a seeded generator, about 22 words a memory; no question is asked twice, so"
    " its embedding is part of every search. Of the larger stores the model read {read:,} memories; the others have"
    " codes of these with noise on them. *One scope* is all memories, *spread* is one user of 100 memories among all"
    " users. Percentiles are of wall time, medians over {rounds} rounds; CPU is the mean of this process. Adds are"
    " durable: SQLite's `synchronous=full`, one transaction each. The *first search* of a process reads the index: the"
    " full tier's from the store, the instant tier's from where that was saved, if the store is large."
)


def _sizes(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in value.lower().split(","):
        text = part.strip()
        number, unit = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
        if not number.isdecimal() or not 100 <= int(number) * unit <= 10 * LARGE:
            raise click.BadParameter(f"{part!r} is no number from 100 to 10m; write them like 1k,10k,100k")
        found.append(int(number) * unit)
    return tuple(sorted(dict.fromkeys(found)))


@dataclass(slots=True)
class Measured:
    """All that one run measured."""

    limits: Limits
    written: Written
    stores: dict[int, list[Searched]] = field(default_factory=dict[int, list[Searched]])
    sizes: dict[int, Sizes] = field(default_factory=dict[int, Sizes])
    processes: Processes | None = None
    followed: dict[int, Spell] = field(default_factory=dict[int, Spell])


@verb(
    "speed",
    examples=(
        "simonides bench speed",
        "simonides bench speed --sizes 1k,10k --rounds 5",
        "simonides bench speed --large --out bench/out",
    ),
    then=("simonides bench recall --data DATA", "make numbers"),
)
@click.option(
    "--sizes", default="1k,10k,100k", show_default=True, callback=_sizes, help="Memories in a store."
)
@click.option(
    "--large", is_flag=True, help="How all of it grows, to a million memories: an hour, and 5 GB of disk."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --large: put the stores here, go on with those begun, and leave them.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=ROUNDS, show_default=True, help="Repeat each so often."
)
@click.option(
    "--asked",
    type=click.IntRange(min=10),
    default=ASKED,
    show_default=True,
    help="Questions and adds a round.",
)
@options.folder
@options.out
def command(
    desk: Desk,
    *,
    sizes: tuple[int, ...],
    large: bool,
    keep: Path | None,
    rounds: int,
    asked: int,
    folder: Path | None,
    out: Path | None,
) -> None:
    """Measure how fast it writes and finds, how large it gets, and what the machine allows.

    Stores are made in a temporary folder and deleted. Let the machine be quiet: the report says how busy it
    was at the start.
    """
    if large:
        wanted = growth.SIZES if sizes == SIZES else sizes
        command = told(wanted, rounds, asked, large=True)
        made, picture = growing.report(
            desk, wanted, (rounds, asked), folder=folder, keep=keep, command=command
        )
        if out is not None:
            made.save(out)
            (out / f"{made.name}.svg").write_text(picture, "utf-8")
            desk.aside(f"Saved {out / made.name}.json, .md and .svg.")
        desk.answer(made.as_json(), lambda paper: _show(paper, made))
        return
    if keep is not None:
        raise click.UsageError("--keep is for --large.")
    started = here()
    ticker = desk.ticker()
    with tempfile.TemporaryDirectory(prefix="simonides-bench-", dir=folder) as place:
        measured = _measure(Path(place), sizes, rounds, asked, ticker)
    ticker.clear()
    report = Report(
        name="speed",
        title="Speed and size",
        command=told(sizes, rounds, asked),
        made=today(),
        machine=started,
        note=NOTE.format(read=filling.READ, rounds=rounds),
        order=30,
        tables=_tables(measured),
        summary=_summary(measured),
        details={"rounds": rounds, "asked": asked, "seed": SEED, **_details(measured)},
    )
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: _show(paper, report))


def _measure(folder: Path, sizes: Sequence[int], rounds: int, asked: int, ticker: Ticker) -> Measured:
    ticker.show("the machine's limits ...")
    machine = limits(folder, Generator(2), asked)
    ticker.show("writing ...")
    measured = Measured(machine, writing.written(folder, rounds, asked))
    ticker.show("the model reads ...")
    given = filling.read(Generator().memories(min(filling.READ, max(sizes))))
    for many in sizes:
        path = folder / f"search-{many}.db"
        measured.sizes[many] = writing.filled(
            path, many, given, ticker.counting(f"{many:,}: filling", 2 * many)
        )
        asking = ticker.counting(f"{many:,}: searching", 4)
        measured.stores[many] = list(searched(path, many, rounds, asked, asking))
        ticker.show(f"{many:,}: another process writes ...")
        measured.followed[many] = found(path)
        if many == _nearest(sizes):
            ticker.show("starting processes ...")
            measured.processes = processes(path, many, rounds)
        snapshot.discard(snapshot.folder(path))
        for file in folder.glob(f"{path.name}*"):
            file.unlink()
    return measured


def _nearest(sizes: Sequence[int]) -> int:
    return min(sizes, key=lambda many: abs(many - PROCESSES))


def told(sizes: Sequence[int], rounds: int, asked: int, *, large: bool = False) -> str:
    """Return the command that measures this."""
    shown = ",".join(f"{many // 1000}k" if many % 1000 == 0 else str(many) for many in sizes)
    usual = growth.SIZES if large else SIZES
    words = ["simonides bench speed", *[f"--sizes {shown}"] * (tuple(sizes) != usual), *["--large"] * large]
    words += [f"--rounds {rounds}"] * (rounds != ROUNDS) + [f"--asked {asked}"] * (asked != ASKED)
    return " ".join(words)


def _tables(found: Measured) -> list[Table]:
    stores = [one for some in found.stores.values() for one in some]
    names = list(dict.fromkeys(name for one in stores for name in one.steps))
    steps = [
        [
            *one.row()[:3],
            *(digits(one.steps[name]) if name in one.steps else "" for name in names),
            digits(one.first),
        ]
        for one in stores
    ]
    tables = [
        Table(
            "Search, the question's embedding included",
            ["memories", "tier", "scope", *CELLS],
            [one.row() for one in stores],
        ),
        Table(
            "Search by step, median milliseconds of `explain`",
            ["memories", "tier", "scope", *names, "first search, s"],
            steps,
        ),
        Table("Writing", ["", *CELLS], found.written.rows()),
        Table(
            "Bytes a memory on disk",
            ["memories", "text", "instant tier and the rest", "full tier", "beyond the text"],
            [one.row() for one in found.sizes.values()],
        ),
    ]
    tables.append(
        Table(
            "What another process has written, until this one's next search has taken it in",
            ["memories", *CELLS[:3]],
            [[f"{many:,}", *one.cells()[:3]] for many, one in found.followed.items()],
        )
    )
    if found.processes is not None:
        tables.append(Table("Fresh processes", ["", ""], found.processes.rows()))
    return [*tables, Table("The machine's limits, in the same run", ["", *CELLS], found.limits.rows())]


def _summary(found: Measured) -> list[Line]:
    limit = found.limits
    lines = [
        Line(
            "one durable add, p50",
            f"{digits(found.written.alone.p50)} ms",
            f"one fsync here {digits(limit.fsync.p50)} ms",
        )
    ]
    for many, stores in found.stores.items():
        full, instant = (_whole(stores, tier) for tier in ("full", "instant"))
        lines.append(
            Line(
                f"search in {many:,} memories of one scope, p50",
                f"{digits(full)} ms",
                f"instant tier alone {digits(instant)} ms; reading the question takes {digits(limit.forward.p50)} ms",
            )
        )
    largest = found.sizes[max(found.sizes)]
    lines.append(
        Line(
            "bytes a memory on disk beyond its text",
            f"{largest.beyond:,.0f}",
            f"at {largest.memories:,} memories",
        )
    )
    rate = f"{digits(found.written.read_cpu)} memories/s and core"
    lines.append(Line("the full tier reads", rate, f"{digits(found.written.batch)} a second are written"))
    if found.processes is not None:
        peak = found.processes.peak["full"]
        lines.append(Line(f"memory of a process that searched {found.processes.memories:,}", size(peak)))
    return lines


def _whole(stores: Sequence[Searched], tier: str) -> float:
    return next(one.spell.p50 for one in stores if one.tier == tier and one.scope == "one scope")


def _details(found: Measured) -> dict[str, Any]:
    return {
        "limits": found.limits,
        "written": found.written,
        "searched": [one for some in found.stores.values() for one in some],
        "sizes": list(found.sizes.values()),
        "processes": found.processes,
        "followed": {str(many): one for many, one in found.followed.items()},
    }


def _show(paper: Paper, report: Report) -> None:
    show(paper, report, titled=True)
    paper.then("simonides bench recall --data DATA", "make numbers")
