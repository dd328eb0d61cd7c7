"""Everything that `bench faults` tries, one after the other; needs an SQLite that can be watched, knows no command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench.crashing import old
from simonides.bench.crashing.checks import DIMENSION, Opening, inspect, opening_of
from simonides.bench.crashing.journal import read
from simonides.bench.faulting.boundaries import Crashes, Survived, crash, held
from simonides.bench.faulting.disk import Disk, Trace, Watched
from simonides.bench.faulting.erasing import erased
from simonides.bench.faulting.failing import Refusal, Refused, refuse
from simonides.bench.faulting.workload import Remark, Workload, opened
from simonides.ledger.encrypted import Vault
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.clock import Clock
    from simonides.ledger.drivers import Driver

KEY = bytes(range(32))
DISK = "watched"


@dataclass(slots=True)
class Found:
    """All that was tried, by what it was tried on."""

    crashes: dict[str, Survived] = field(default_factory=dict[str, Survived])
    refusals: dict[str, Refused] = field(default_factory=dict[str, Refused])

    def problems(self) -> list[str]:
        """Return what went wrong."""
        parts = [*self.crashes.items(), *self.refusals.items()]
        return [f"{what}: {problem}" for what, found in parts for problem in found.problems]

    @property
    def boundaries(self) -> int:
        """How many states of files were opened."""
        return sum(one.kills + one.failures for one in self.crashes.values())


def measure(
    folder: Path, every: int, power: int, seed: int, counting: Callable[[str], Callable[[int], object]]
) -> Found:
    """Try everything."""
    found = Found()
    trace = Trace()
    with closing(_Mounted(DISK, trace)):
        plain, vault = Watched(DISK), Vault(KEY, DISK)
        for what, driver, synchronous in (
            ("synchronous = full", plain, "full"),
            ("synchronous = normal", plain, "normal"),
            ("encrypted", vault, "full"),
        ):
            wanted = Crashes(
                every, power, kill=synchronous == "full", lasting=synchronous == "full", seed=seed
            )
            look = held(encrypted_opening if driver is vault else opening_of)
            lived(trace, folder / what.replace(" ", ""), driver, synchronous, seed)
            found.crashes[what] = crash(trace, {}, folder, look, wanted, counting(what))
        found.crashes["a migration"] = migrated(
            trace, folder, plain, Crashes(every, power, seed=seed), counting
        )
        found.crashes["an erasure"] = erased(
            trace, folder, plain, opening_of, Crashes(every, power, seed=seed), counting("an erasure")
        )
        for how in Refusal:
            found.refusals[f"disk {how}"] = refuse(
                trace,
                folder,
                lambda path: opened(path, plain),
                opening_of,
                how,
                every,
                counting(f"disk {how}"),
            )
    return found


class _Mounted:
    """A disk while it is registered with SQLite."""

    def __init__(self, name: str, trace: Trace) -> None:
        self._disk = Disk(name, trace)

    def close(self) -> None:
        self._disk.unregister()


def lived(
    trace: Trace, folder: Path, driver: Driver, synchronous: str, seed: int = 1, rounds: int = 2
) -> Path:
    """Let a store live, and the disk write it down; return the file."""
    folder.mkdir(parents=True, mode=0o700)
    trace.steps.clear()
    trace.marks.clear()
    path = folder / "memory.db"
    Workload(lambda: opened(path, driver, synchronous), trace.mark, seed).live(rounds)
    return path


def migrated(
    trace: Trace,
    folder: Path,
    driver: Driver,
    crashes: Crashes,
    counting: Callable[[str], Callable[[int], object]],
) -> Survived:
    """Crash at each boundary of a migration; the files of a migration that is done already are not opened."""
    place, journals = folder / "old", folder / "journals"
    place.mkdir(mode=0o700)
    journals.mkdir()
    path = place / "memory.db"
    old.make(path, journals)
    before, said = {path.name: path.read_bytes()}, read(journals)
    trace.steps.clear()
    trace.marks.clear()
    opened(path, driver).close()

    def look(left: Path, _remarks: Sequence[Remark], _lasting: bool) -> list[str]:  # noqa: FBT001 - a Look
        return inspect(left, said, opening=opening_of(left))

    return crash(trace, before, folder, look, crashes, counting("a migration"))


def encrypted_opening(path: Path) -> Opening:
    """Return what opens an encrypted file with the scripted model."""

    def opening(clock: Clock) -> Memory:
        settings = Settings(background=False)
        return Memory(path, embedder=HashReader(DIMENSION), clock=clock, settings=settings, key=KEY)

    return opening
