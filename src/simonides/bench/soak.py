"""`bench soak`: a hundred thousand operations in one process, and whether it grows; knows no SQL."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from simonides.bench import options
from simonides.bench.generate import Generator
from simonides.bench.machine import here, today
from simonides.bench.report import Line, Report, Table, save
from simonides.bench.timing import digits
from simonides.doors.paper import size
from simonides.doors.verb import verb
from simonides.errors import Conflict, InputError, NotFound
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

if TYPE_CHECKING:
    from simonides.doors.desk import Desk
    from simonides.doors.paper import Paper

OPERATIONS, THREADS = 100_000, 4
SAMPLES, LEAST = 200, 50
"""How often the process is looked at, and after how many operations at least."""
WARM = 0.2
"""The share of operations before growth counts: libraries load, caches fill."""
READING = 0.25
"""The share of operations at the end that only read; nothing at all may grow there."""
FIRST = 2_000
"""Memories in the store before it begins."""
PASSING = 50
"""Every how many-th operation is done by a thread that ends after it."""
REOPENED = 500
"""Every how many-th operation opens the file a second time and closes it."""
POOL = 500
MAPPED = 8
"""Descriptors that an index may hold open once it is large enough to be saved: one for each of its files."""
NOTE = (
    "{threads} threads of one process add, update, retire, restore, link, search, pack, list and read in one file of"
    " {first:,} memories at first, commits durable, the full tier's work done in the background by a scripted model;"
    " each {passing}th operation is done by a thread that ends after it, each {reopened}th opens the file a second"
    " time and closes it. The last {reading:.0%} only search and read. The slopes are least squares over samples after"
    " the first {warm:.0%}; what C's allocator holds of memory that was freed is given back before each. While it"
    " writes, a process grows by what its index holds of each new version; when the index is large enough to be saved,"
    " its files are mapped into memory, with a descriptor for each, and are read in as they are searched."
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process held after so many operations."""

    operations: int
    resident: int
    descriptors: int
    threads: int
    children: int
    log: int
    versions: int


@dataclass(slots=True)
class Soaked:
    """All that was seen.

    Attributes:
        samples: after the warm-up.
        writing: bytes that the resident memory grew by for each version written, while writing.
        reading: bytes that it grew by for each operation, while only reading.
    """

    operations: int
    seconds: float
    samples: list[Sample] = field(default_factory=list[Sample])
    writing: float = 0.0
    reading: float = 0.0
    problems: list[str] = field(default_factory=list[str])

    def spread(self, what: str) -> tuple[int, int]:
        """Return the least and the most of a figure."""
        values = [int(getattr(sample, what)) for sample in self.samples]
        return min(values), max(values)


class Soak:
    """One process on one file."""

    def __init__(self, path: Path, seed: int = 1) -> None:
        self.path = path
        self.others = _children()  # of whoever soaks, and none of the store's
        self.memory = Memory(path, embedder=HashReader(64))
        self.random = random.Random(seed)
        self.texts = Generator(seed)
        self.ids: list[str] = []
        self.links: list[str] = []
        self.lock = threading.Lock()
        self.memory.add_many(self._row() for _ in range(FIRST))
        self.ids += [one.id for one in self.memory.list(limit=POOL)]

    def close(self) -> None:
        """Close the file."""
        self.memory.close()

    def operate(self, number: int, *, writing: bool) -> None:
        """Do one operation; a lost race is none of a failure."""
        with self.lock:
            deed = self.random.choices(*(_WRITING if writing else _READING))[0]
        try:
            if number % REOPENED == 0:
                with Memory(self.path, embedder=HashReader(64), settings=Settings(background=False)) as other:
                    other.search("a second look at the file")
            elif number % PASSING == 0:
                passing = threading.Thread(target=_READS[number % len(_READS)], args=(self,))
                passing.start()
                passing.join()
            else:
                deed(self)
        except (InputError, NotFound, Conflict):  # another thread was faster; a refusal is an operation too
            return

    def _row(self) -> dict[str, Any]:
        made = self.texts.memories(1)[0]
        return {"text": made.text, "speaker": made.speaker, "user": made.user, "session": made.session}

    def _id(self) -> str:
        with self.lock:
            return self.random.choice(self.ids)

    def _add(self) -> None:
        with self.lock:
            row = self._row()
        id = self.memory.add(**row).id
        with self.lock:
            self.ids.append(id)
            del self.ids[: len(self.ids) - POOL]

    def _add_some(self) -> None:
        with self.lock:
            rows = [self._row() for _ in range(5)]
        self.memory.add_many(rows)

    def _update(self) -> None:
        with self.lock:
            text = self._row()["text"]
        self.memory.update(self._id(), text, at=datetime.now(UTC))

    def _retire(self) -> None:
        self.memory.retire(self._id())

    def _restore(self) -> None:
        self.memory.restore(self._id())

    def _link(self) -> None:
        self.memory.link(self._id(), self._id(), "near")

    def _search(self) -> None:
        with self.lock:
            question = self.texts.question()
        self.memory.search(question)

    def _context(self) -> None:
        with self.lock:
            question = self.texts.question()
        str(self.memory.context(question, budget=300))

    def _get(self) -> None:
        self.memory.get(self._id())

    def _history(self) -> None:
        self.memory.history(self._id())

    def _list(self) -> None:
        self.memory.list(limit=20, newest_first=True)

    def _read_links(self) -> None:
        self.memory.links(self._id())


_TRIM: Callable[[int], int] | None = (
    getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
)
"""Of the GNU C library; what its threads have freed would else be counted as held, by tens of megabytes at random."""
Deeds = tuple[Sequence[Callable[[Soak], None]], Sequence[int]]
_READS = (Soak._search, Soak._get, Soak._history, Soak._list)  # pyright: ignore[reportPrivateUsage] - its own module
_READING: Deeds = (
    (*_READS, Soak._context, Soak._read_links),  # pyright: ignore[reportPrivateUsage] - as above
    (40, 20, 10, 10, 10, 10),
)
_WRITING: Deeds = (
    (Soak._add, Soak._add_some, Soak._update, Soak._retire, Soak._restore, Soak._link, *_READING[0]),  # pyright: ignore[reportPrivateUsage] - as above
    (10, 1, 5, 2, 2, 3, 30, 15, 8, 8, 8, 8),
)


def sample(soak: Soak, operations: int) -> Sample:
    """Look at this process."""
    log = soak.path.with_name(f"{soak.path.name}-wal")
    return Sample(
        operations=operations,
        resident=_resident(),
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        children=_children() - soak.others,
        log=log.stat().st_size if log.exists() else 0,
        versions=soak.memory.status().versions,
    )


def _children() -> int:
    """Count the child processes of all threads."""
    found = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found += len((task / "children").read_text().split())
    return found


def _resident() -> int:
    """Return what is held, after memory that was given back inside the process went back to the system."""
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024


def run(path: Path, operations: int, threads: int, step: Callable[[int], object]) -> Soaked:
    """Do so many operations; `step` is told of them."""
    soak, began = Soak(path), time.perf_counter()
    samples: list[Sample] = []
    at_once = max(LEAST, operations // SAMPLES)
    try:
        while not samples or samples[-1].operations < operations:
            done = samples[-1].operations if samples else 0
            _together(soak, range(done, done + at_once), threads, writing=done < operations * (1 - READING))
            samples.append(sample(soak, done + at_once))
            step(at_once)
        seconds = time.perf_counter() - began
        return weighed(samples, operations, seconds)
    finally:
        soak.close()


def _together(soak: Soak, numbers: range, threads: int, *, writing: bool) -> None:
    """Do operations in threads that live as long; whatever one of them raises is raised here."""
    failures: list[BaseException] = []

    def work(mine: range) -> None:
        try:
            for number in mine:
                soak.operate(number, writing=writing)
        except BaseException as err:  # noqa: BLE001 - raised again below, by the thread that waits
            failures.append(err)

    running = [threading.Thread(target=work, args=(numbers[place::threads],)) for place in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]


def weighed(samples: Sequence[Sample], operations: int, seconds: float) -> Soaked:
    """Return what the samples of a run say."""
    warm = [one for one in samples if one.operations > WARM * operations]
    until = operations * (1 - READING)
    wrote = [one for one in warm if one.operations <= until]
    read = [one for one in warm if one.operations > until + 0.02 * operations]
    found = Soaked(operations, seconds, warm)
    found.writing = _slope([one.versions for one in wrote], [one.resident for one in wrote])
    found.reading = _slope([one.operations for one in read], [one.resident for one in read])
    for what in ("descriptors", "threads", "children"):
        values = [int(getattr(one, what)) for one in warm]
        half = len(values) // 2
        if max(values[half:]) > max(values[:half]) + (MAPPED if what == "descriptors" else 0):
            found.problems.append(f"{what} grow: {max(values[:half])} at first, {max(values[half:])} later")
    if max(one.children for one in warm):
        found.problems.append("there are child processes")
    return found


def _slope(x: Sequence[int], y: Sequence[int]) -> float:
    if len(set(x)) < 3:
        return 0.0
    return float(np.polyfit(np.array(x, float) - x[0], np.array(y, float), 1)[0])


@verb(
    "soak",
    examples=("simonides bench soak", "simonides bench soak --operations 1000000 --out bench/out"),
    then=("simonides bench crash", "simonides doctor"),
)
@click.option(
    "--operations", type=click.IntRange(min=1_000), default=OPERATIONS, show_default=True, help="Do so many."
)
@click.option("--threads", type=click.IntRange(min=1), default=THREADS, show_default=True, help="At a time.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to put the store.")
@options.out
def command(desk: Desk, *, operations: int, threads: int, folder: Path | None, out: Path | None) -> None:
    """Do a hundred thousand operations in one process, and see whether it grows.

    The store is made in a temporary folder and deleted. Ends with 1 when descriptors, threads or children grow.
    """
    if not Path("/proc/self/status").exists():
        raise InputError("bench soak", "needs a system with /proc, such as Linux", os.name)
    started, ticker = here(), desk.ticker()
    with tempfile.TemporaryDirectory(prefix="simonides-soak-", dir=folder) as place:
        found = run(Path(place) / "memory.db", operations, threads, ticker.counting("done", operations))
    ticker.clear()
    many = f" --operations {operations}" * (operations != OPERATIONS)
    report = Report(
        name="soak",
        title="One process for long",
        command=f"simonides bench soak{many}" + f" --threads {threads}" * (threads != THREADS),
        made=today(),
        machine=started,
        note=NOTE.format(
            threads=threads, first=FIRST, passing=PASSING, reopened=REOPENED, reading=READING, warm=WARM
        ),
        order=50,
        tables=[Table("What the process held", ["", ""], _rows(found))],
        summary=_summary(found),
        details={"found": found},
    )
    save(desk, report, out)
    desk.answer(report.as_json(), lambda paper: _show(paper, report, found))
    if found.problems:
        click.get_current_context().exit(1)


def _rows(found: Soaked) -> list[list[str]]:
    last, first = found.samples[-1], found.samples[0]
    ranges = {what: found.spread(what) for what in ("descriptors", "threads", "children")}
    return [
        ["operations", f"{found.operations:,}"],
        ["versions at first and at last", f"{first.versions:,} and {last.versions:,}"],
        *([f"{what}, least and most", f"{low} and {high}"] for what, (low, high) in ranges.items()),
        ["resident memory at first and at last", f"{size(first.resident)} and {size(last.resident)}"],
        ["while it writes, it grows a version written by", f"{found.writing:,.0f} bytes"],
        ["while it only reads, it grows an operation by", f"{found.reading:,.1f} bytes"],
        ["largest write-ahead log", size(found.spread("log")[1])],
        ["operations a second", digits(found.operations / found.seconds)],
    ]


def _summary(found: Soaked) -> list[Line]:
    low, high = found.spread("descriptors")
    return [
        Line(
            f"{found.operations:,} operations in one process",
            f"{found.reading:,.1f} bytes an operation of growth while it reads",
            f"{low} to {high} file descriptors, {found.spread('threads')[1]} threads, no child process",
        )
    ]


def _show(paper: Paper, report: Report, found: Soaked) -> None:
    if paper.plain:
        paper.line(report.as_markdown())
    else:
        paper.table(["", ""], [[str(cell) for cell in row] for row in report.tables[0].rows])
    for problem in found.problems:
        paper.line(f"PROBLEM {problem}")
    paper.then("simonides bench crash", "simonides doctor")
