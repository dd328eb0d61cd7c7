"""Measures one store size after the other, up to a million memories: what grows, and how; knows no drawing.

A store holds all memories as one scope, and 100 of them for each of its users: a million are 10,000 small scopes too.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.bench import exact, filling
from simonides.bench.generate import Generator
from simonides.bench.processes import found
from simonides.bench.searching import Searched, searched
from simonides.bench.timing import CELLS, Spell, digits
from simonides.clock import micros
from simonides.doors.paper import size
from simonides.errors import InputError
from simonides.ledger import snapshot
from simonides.ledger.index import Believed
from simonides.memory import Memory
from simonides.settings import Settings

if TYPE_CHECKING:
    from simonides.doors.desk import Ticker
    from simonides.parts.query import Question
    from simonides.parts.recall import Recall

SIZES = (1_000, 10_000, 100_000, 1_000_000)
A_MEMORY = 4_200
"""Bytes on the disk for each memory: the store, its index beside it, and some room while that is written."""
COMPARED, WHOLLY = 40, 100_000
"""Questions that are also ranked exactly, and the largest store of which every memory is measured for some."""
TOP = 10
STARTED = 3
STARTING = """
import sys, time
started = float(sys.argv[1])
from simonides import Memory
from simonides.settings import Settings
memory = Memory(sys.argv[2], settings=Settings(meaning=sys.argv[3], background=False))
imported = time.time()
memory.search(sys.argv[5], project=sys.argv[4])
print(imported - started, time.time() - started, flush=True)
memory.close()
"""
HOLDING = """
import json, resource, sys
from pathlib import Path
from simonides import Memory
from simonides.settings import Settings
path, tier, project, *questions = json.load(sys.stdin)
memory = Memory(path, settings=Settings(meaning=tier, background=False))
for question in questions:
    memory.search(question, project=project)
status = Path("/proc/self/status")
lines = dict(line.split(":", 1) for line in status.read_text().splitlines()) if status.exists() else {}
names = {"peak": "VmHWM", "own": "RssAnon", "mapped": "RssFile"}
held = {name: int(lines[key].split()[0]) * 1024 for name, key in names.items() if key in lines}
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps(held or {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}))
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling a store took, kept beside it so that it can be used again.

    Attributes:
        rate: memories a second, durable, found by words and the instant tier; `cpu` by processor time.
        store: bytes of the file.
    """

    memories: int
    rate: float
    cpu: float
    store: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the first ten hits exact rankings share.

    Attributes:
        exact: the same channels, exhaustive and exact, propose whom to measure.
        whole: every memory is measured; None where that would take too long.
    """

    tier: str
    exact: float
    whole: float | None


@dataclass(frozen=True, slots=True)
class Grown:
    """All that was measured of one size.

    Attributes:
        saved: bytes of the index beside the store.
        starts: seconds from the start of a process to its first answer, by tier, the index read from where it was
            saved; `imported` is how long of that Python took to import.
        rebuilt: the same where it must be read from the store.
        followed: what another process has written, until the next search has taken it in.
        memory: bytes of a process that has asked 100 questions, by tier.
    """

    filled: Filled
    saved: int
    starts: dict[str, float]
    imported: float
    rebuilt: float
    searched: Sequence[Searched]
    followed: Spell
    memory: dict[str, dict[str, int]]
    agreements: Sequence[Agreement]

    def row(self) -> list[str]:
        """Return what does not go by tier as a row of a table."""
        return [
            f"{self.filled.memories:,}",
            digits(self.filled.rate),
            size(self.filled.store),
            size(self.saved),
            digits(self.starts["full"]),
            digits(self.starts["instant"]),
            digits(self.rebuilt),
            digits(self.followed.p50),
            digits(self.followed.p99),
        ]

    def held(self) -> list[list[str]]:
        """Return what processes hold as rows of a table."""
        names = ("peak", "own", "mapped")
        return [
            [f"{self.filled.memories:,}", tier, *(size(held[n]) if n in held else "" for n in names)]
            for tier, held in self.memory.items()
        ]

    def agreed(self) -> list[list[str]]:
        """Return the agreements as rows of a table."""
        return [
            [
                f"{self.filled.memories:,}",
                one.tier,
                f"{one.exact:.3f}",
                "" if one.whole is None else f"{one.whole:.3f}",
            ]
            for one in self.agreements
        ]


HEAD = (
    "memories", "add_many, memories/s", "store", "index beside it", "first answer, full, s", "instant, s",
    "index made anew, s", "another's write taken in, p50 ms", "p99 ms",
)  # fmt: skip
HELD = ("memories", "tier", "at most", "its own", "mapped from files")
AGREED = ("memories", "tier", "with exact channels", "with all measured")
FOUND = ("memories", "tier", "scope", *CELLS)


def needed(folder: Path, sizes: Sequence[int], *, kept: bool) -> int:
    """Return how many bytes on the disk the stores will take that are not there yet.

    Raises:
        InputError: there is not so much.
    """
    missing = [many for many in sizes if not _marker(folder, many).exists()]
    bytes_ = A_MEMORY * (sum(missing) if kept else max(missing, default=0))
    free = shutil.disk_usage(folder).free
    if bytes_ > free:
        raise InputError(
            "folder", f"must have {size(bytes_)} free", size(free), "Name another with --folder or --keep."
        )
    return bytes_


def _taken(file: Path) -> int:
    """Return what a file takes on the disk: less than its length where it has room that nobody has written."""
    told = file.stat()
    return 512 * int(getattr(told, "st_blocks", -(-told.st_size // 512)))


def _store(folder: Path, many: int) -> Path:
    return folder / f"growth-{many}.db"


def _marker(folder: Path, many: int) -> Path:
    return folder / f"growth-{many}.json"


def grown(folder: Path, many: int, given: filling.Read, times: tuple[int, int], ticker: Ticker) -> Grown:
    """Measure a store of so many memories; one that is there is used, one that is half there is filled.

    Args:
        given: what the model said of some memories.
        times: rounds, and questions a round.
    """
    rounds, asked = times
    path = _store(folder, many)
    filled = fill(folder, many, given, ticker.counting(f"{many:,}: filling", 2 * many))
    ticker.show(f"{many:,}: starting processes ...")
    place = snapshot.folder(path)
    snapshot.discard(place)
    _, rebuilt = started(path, "full")
    found_at = {tier: [started(path, tier) for _ in range(STARTED)] for tier in ("full", "instant")}
    starts = {tier: statistics.median(whole for _, whole in times) for tier, times in found_at.items()}
    imported = statistics.median(part for part, _ in found_at["full"])
    asking = list(searched(path, many, rounds, asked, ticker.counting(f"{many:,}: searching", 4)))
    ticker.show(f"{many:,}: what processes hold ...")
    memory = {tier: held(path, tier) for tier in ("full", "instant")}
    compared = ticker.counting(f"{many:,}: ranking exactly", 2 * COMPARED)
    agreements = [agreement(path, tier, many, compared) for tier in ("full", "instant")]
    ticker.show(f"{many:,}: another process writes ...")
    saved = sum(map(_taken, place.glob("*")))
    followed = found(path)
    return Grown(filled, saved, starts, imported, rebuilt, asking, followed, memory, agreements)


def discard(folder: Path, many: int) -> None:
    """Delete a store."""
    path = _store(folder, many)
    snapshot.discard(snapshot.folder(path))
    for file in (*folder.glob(f"{path.name}*"), _marker(folder, many)):
        file.unlink(missing_ok=True)


def fill(folder: Path, many: int, given: filling.Read, step: Callable[[int], object]) -> Filled:
    """Write the memories of a store, as durably as by default, and give them codes; go on where it was left."""
    marker, path = _marker(folder, many), _store(folder, many)
    if marker.exists() and path.exists():
        step(2 * many)
        return Filled(**json.loads(marker.read_text("utf-8")))
    with Memory(path, settings=Settings(background=False)) as memory:
        there = memory.status().versions
        generator = Generator()
        generator.skip(there)
        step(there)
        clock, cpu = time.perf_counter(), time.process_time()
        filling.fill(memory, generator, many - there, step)
        seconds, processor = time.perf_counter() - clock, time.process_time() - cpu
        fresh = max(1, many - there)
        filling.give_codes(memory, given, many, step)
    filled = Filled(many, fresh / max(seconds, 1e-9), fresh / max(processor, 1e-9), path.stat().st_size)
    marker.write_text(json.dumps(asdict(filled)), "utf-8")
    return filled


def started(path: Path, tier: str) -> tuple[float, float]:
    """Return seconds from the start of a process until it has imported and opened, and until its first answer."""
    question = Generator(3).question()
    command = [
        sys.executable,
        "-c",
        STARTING,
        str(time.time()),
        str(path),
        tier,
        filling.EVERYTHING,
        question,
    ]
    imported, answered = map(float, _ran(command).split())
    return imported, answered


def held(path: Path, tier: str, times: int = 100) -> dict[str, int]:
    """Return the bytes that a process holds which has asked some questions."""
    generator = Generator(4)
    given = [str(path), tier, filling.EVERYTHING, *(generator.question() for _ in range(times))]
    told: dict[str, Any] = json.loads(_ran([sys.executable, "-c", HOLDING], json.dumps(given)))
    return {name: int(value) for name, value in told.items()}


def _ran(command: Sequence[str], given: str = "") -> str:
    """Return what a process prints.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    done = subprocess.run(command, input=given, capture_output=True, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"a process ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def agreement(path: Path, tier: str, many: int, step: Callable[[int], object]) -> Agreement:
    """Compare the first hits of searches with those of exact rankings."""
    generator, now, scope = Generator(many + 1), datetime.now(UTC), {"project": filling.EVERYTHING}
    shares: list[float] = []
    wholly: list[float] = []
    with Memory(path, settings=Settings(meaning=tier, background=False)) as memory:
        recall = memory._enricher.recall()  # pyright: ignore[reportPrivateUsage] - its steps one by one
        for number in range(COMPARED):
            query = generator.question()
            question, quick = recall.measure(query, scope, Believed(), now)
            first = recall.rank(question, quick).rows[:TOP].tolist()
            best = _exactly(recall, question, scope, now, whole=False)
            shares.append(len({*first} & {*best}) / max(1, len(best)))
            if many <= WHOLLY and number < COMPARED // 4:
                best = _exactly(recall, question, scope, now, whole=True)
                wholly.append(len({*first} & {*best}) / max(1, len(best)))
            step(1)
    return Agreement(tier, statistics.mean(shares), statistics.mean(wholly) if wholly else None)


def _exactly(
    recall: Recall, question: Question, scope: dict[str, str], now: datetime, *, whole: bool
) -> list[int]:
    """Return the rows of the first hits of an exact ranking."""
    read = recall.states(question.text)
    with recall.index.lock:
        usable = recall.index.usable(scope, Believed(), micros(now))
        found = exact.exhaustive(recall.index, question, usable, read, whole=whole)
    return recall.rank(question, found).rows[:TOP].tolist()
