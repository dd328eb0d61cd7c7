"""Rounds of writing and killing on one store after the other, each with an inspection at its end; prints nothing."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simonides.bench.crashing import journal, old
from simonides.bench.crashing.checks import Found, look, opening_of, save_index
from simonides.bench.crashing.nursery import Nursery
from simonides.bench.crashing.worker import Order, phase_file
from simonides.clock import FrozenClock, SystemClock
from simonides.ledger import snapshot
from simonides.memory import Memory

LIVES = {"working": 6, "reopening": 3, "enriching": 2, "checkpointing": 2, "saving": 2, "reindexing": 1}
"""How processes live, and how often each."""
OF_FILES = {"checkpointing", "saving"}
"""Lives that only a store in a file has."""
PAUSES = (0.1, 0.9)
"""Shortest and longest time between two kills, in seconds."""
OF_A_SERVER = 2
"""How many times longer it is with a server, to which a process takes longer to connect than to open a file."""
SOON = 0.012
"""A process that is killed while it starts lives at most so long."""
AT_START = 0.3
"""The share of kills that hit a process just started."""
OF_A_ROUND, OF_A_STORE = 13, 4
"""Kills of a round; rounds of a store."""
LATER = timedelta(days=2)
"""After so long every lease of a killed process is over."""
_LEAST_LOG = 128 * 1024 * 1024
"""A write-ahead log beyond this has grown without bound."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        kills: processes to kill before the end.
        processes: alive at a time.
        writers: threads of each.
        seconds: begin no new round after so long.
        patience: seconds within which a new process must have written after all others were killed.
        server: the address of a database for the stores; empty for files.
    """

    kills: int
    processes: int
    writers: int
    seconds: float
    seed: int = 1
    patience: float = 1.0
    of_a_round: int = OF_A_ROUND
    of_a_store: int = OF_A_STORE
    server: str = ""


@dataclass(slots=True)
class Tally:
    """All that happened, over all stores."""

    kills: Counter[str] = field(default_factory=Counter[str])
    stopped: int = 0
    stores: int = 0
    rounds: int = 0
    seconds: float = 0.0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    happened: int = 0
    lost: int = 0
    half: int = 0
    events: int = 0
    versions: int = 0
    searches: int = 0
    largest_log: int = 0
    first_writes: list[float] = field(default_factory=list[float])
    answers: list[float] = field(default_factory=list[float])
    problems: list[str] = field(default_factory=list[str])

    @property
    def killed(self) -> int:
        """How many processes were killed."""
        return self.kills.total()

    def take(self, found: Found, written: journal.Journal) -> None:
        """Take in the last inspection of a store."""
        done = [entry for entry in written.entries if entry.state == journal.DONE]
        done = [entry for entry in done if not entry.name.startswith(old.NAME)]
        self.acknowledged += len(done)
        self.refused += found.refused
        self.unanswered += found.unanswered
        self.happened += found.happened
        self.events += found.events
        self.versions += found.versions
        self.searches += sum(written.counts.values())
        self.answers += [entry.seconds for entry in done]


def run(folder: Path, plan: Plan, step: Callable[[int], object]) -> Tally:
    """Make stores, write and kill until the plan is fulfilled; `step` is told of kills.

    Args:
        folder: an empty one; stores and journals are left in it.
    """
    tally, began = Tally(), time.monotonic()
    chance = random.Random(plan.seed)
    with Nursery(folder / "errors.txt") as nursery:
        while tally.killed < plan.kills and time.monotonic() - began < plan.seconds:
            place = folder / f"store-{tally.stores}"
            round_ = Rounds(place, plan, nursery, tally, chance, step)
            tally.stores += 1
            round_.run(began + plan.seconds)
            tally.seconds = time.monotonic() - began
    said = (folder / "errors.txt").read_text("utf-8", "replace")
    if said:
        tally.problems.append(f"processes said on standard error: {said[-1000:]}")
    return tally


class Rounds:
    """The rounds of one store."""

    def __init__(
        self,
        place: Path,
        plan: Plan,
        nursery: Nursery,
        tally: Tally,
        chance: random.Random,
        step: Callable[[int], object],
    ) -> None:
        self._store, self._journals = place / "store", place / "journals"
        self._store.mkdir(parents=True)
        self._journals.mkdir()
        self._file = None if plan.server else self._store / "memory.db"
        self._path = str(self._file or f"{plan.server}?tenant={place.parent.name}-{place.name}")
        self._lives = {life: often for life, often in LIVES.items() if self._file or life not in OF_FILES}
        self._plan = plan
        self._nursery = nursery
        self._tally = tally
        self._chance = chance
        self._step = step
        self._alive: dict[int, Order] = {}
        self._started = 0

    def run(self, deadline: float) -> None:
        """Go through all rounds; the file is made, or migrated, by the processes of the first one."""
        tally = self._tally
        if self._file is not None and tally.stores % 2 == 0:
            old.make(self._file, self._journals)
        found, follower = Found(), None
        for number in range(self._plan.of_a_store):
            self._write_and_kill(follower, starting=number == 0)
            if follower is None:
                follower = opening_of(self._path)(SystemClock())
            found = look(self._path, self._journals, follower=follower)
            self._tell(found)
            tally.rounds += 1
            if tally.killed >= self._plan.kills or time.monotonic() > deadline or found.problems:
                break
        assert follower is not None
        follower.close()
        tally.take(found, journal.read(self._journals))
        self._tell(self._left())

    def _tell(self, found: Found) -> None:
        name = f"store {self._tally.stores}, round {self._tally.rounds}"
        self._tally.lost += found.lost
        self._tally.half += found.half
        self._tally.problems += [f"{name}: {problem}" for problem in found.problems]

    def _write_and_kill(self, follower: Memory | None, *, starting: bool) -> None:
        plan, tally, chance = self._plan, self._tally, self._chance
        for _ in range(plan.processes):
            self._start()
        for number in range(plan.of_a_round):
            soon = chance.random() < AT_START or (starting and number < 2 * plan.processes)
            self._sleep(*((0, SOON) if soon else PAUSES))
            self._kill(max(self._alive) if soon else chance.choice(list(self._alive)))
            self._start()
            if follower is not None:
                follower.search("what was written meanwhile")
            tally.largest_log = max(tally.largest_log, self._log())
        self._sleep(*PAUSES)
        if chance.random() < 0.5:
            self._kill_all()
        else:
            self._stop_all()
        self._write_first()

    def _sleep(self, shortest: float, longest: float) -> None:
        time.sleep(self._chance.uniform(shortest, longest) * (1 if self._file else OF_A_SERVER))

    def _log(self) -> int:
        """Return the bytes of the write-ahead log."""
        log = self._store / "memory.db-wal"
        return log.stat().st_size if log.exists() else 0

    def _start(self, life: str = "") -> int:
        self._started += 1
        life = life or self._chance.choices(list(self._lives), list(self._lives.values()))[0]
        name = f"s{self._tally.stores}p{self._started}"
        seed = self._chance.randrange(10**6)
        order = Order(self._path, str(self._journals), name, life, seed, self._plan.writers)
        pid = self._nursery.start(order)
        self._alive[pid] = order
        return pid

    def _kill(self, pid: int) -> None:
        order = self._alive.pop(pid)
        status = self._nursery.kill(pid)
        self._count(order, status)

    def _kill_all(self) -> None:
        pids = list(self._alive)
        for pid, status in zip(pids, self._nursery.kill_all(pids), strict=True):
            self._count(self._alive.pop(pid), status)

    def _count(self, order: Order, status: int) -> None:
        if status != -9:
            self._tally.problems.append(f"{order.name} ({order.life}) had ended by itself, with {status}")
            return
        said = phase_file(order)
        phase = said.read_text().strip() if said.exists() else ""
        self._tally.kills[phase or "starting"] += 1
        self._step(1)

    def _stop_all(self) -> None:
        for order, status in zip(
            self._alive.values(), self._nursery.stop_all(list(self._alive)), strict=True
        ):
            self._tally.stopped += 1
            if status:
                self._tally.problems.append(f"{order.name} ({order.life}) ended with {status}")
        self._alive.clear()

    def _write_first(self) -> None:
        """Nobody is left: a new process must be able to open the file and write at once."""
        began = time.monotonic()
        pid = self._start("first")
        status = self._nursery.wait(pid)
        spent = time.monotonic() - began
        self._alive.clear()
        self._tally.first_writes.append(spent)
        if status or spent > self._plan.patience:
            problem = f"a process that came after the others ended with {status} after {spent:.1f} s"
            self._tally.problems.append(problem)

    def _left(self) -> Found:
        """Look at what is left when all is over: work that nobody does any more, and files that nobody needs."""
        found = Found()
        with opening_of(self._path)(FrozenClock(datetime.now(UTC) + LATER)) as memory:
            left = memory.wait(60)
            saved = None if self._file is None else save_index(memory)
        if left:
            found.problems.append(f"{left} memories are left that the full tier does not read")
        if self._tally.largest_log > _LEAST_LOG:
            found.problems.append(f"the write-ahead log grew to {self._tally.largest_log} bytes")
        if saved is not None:
            found.tell(self._strays(saved))
        return found

    def _strays(self, saved: Path) -> Iterator[str]:
        """Tell of files that nobody needs; `saved` is where the index was just saved."""
        kept = {snapshot.HEADER, snapshot.LOCK}
        generations = {file.name.split(".")[0] for file in saved.iterdir() if file.name not in kept}
        if len(generations) != 1:
            yield f"the saved index is in files of several generations: {generations}"
        strays = {file.name for file in self._store.iterdir()} - {"memory.db", saved.name, old.BACKUP}
        if strays:
            yield f"stray files: {sorted(strays)}"
