"""An erasure that breaks off at any write: all or nothing, and no word is left once it was acknowledged; no command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from simonides.bench.crashing.checks import DIMENSION, Opening
from simonides.bench.faulting.boundaries import Crashes, Survived, crash
from simonides.bench.faulting.disk import Trace
from simonides.bench.faulting.workload import CLOCK, Remark, Workload, opened
from simonides.clock import new_id, parse_id
from simonides.ledger.drivers import Driver
from simonides.ledger.selection import Selection
from simonides.parts.scripted import HashReader
from simonides.types import Add, Supersede

WORDS = ("zanzibar", "kingfisher")
"""Of the memory that is erased; no other has them."""
ERASED = "erased"
CLEANING = "erasures"
"""What `doctor` says that there is left to clean, until the erasure is acknowledged."""


def erased(
    trace: Trace,
    folder: Path,
    driver: Driver,
    opening: Callable[[Path], Opening],
    crashes: Crashes,
    progress: Callable[[int], object] | None = None,
) -> Survived:
    """Crash at each boundary of an erasure."""
    place = folder / "erasing"
    place.mkdir(mode=0o700)
    path = place / "memory.db"
    Workload(lambda: opened(path, driver), lambda _: None, 7).live(1)
    ledger = opened(path, driver)
    id = new_id()
    ledger.apply([Add(id, f"the {WORDS[0]} sings", CLOCK.now(), metadata={"bird": WORDS[1]})])
    ledger.apply([Supersede(id, f"the {WORDS[0]} has gone", CLOCK.now())])
    versions = len(ledger.history(id))
    ledger.close()
    before = {path.name: path.read_bytes()}
    trace.steps.clear()
    trace.marks.clear()
    ledger = opened(path, driver)
    ledger.model_id(HashReader(DIMENSION).identity(), create=True)
    done = ledger.erase(Selection(ids=(parse_id(id),)))
    trace.mark(Remark(ERASED, done.state))
    ledger.close()

    def look(left: Path, remarks: Sequence[Remark], lasting: bool) -> list[str]:  # noqa: FBT001 - a Look
        return _wrong(left, id, versions, opening(left), acknowledged=bool(remarks) and lasting)

    return crash(trace, before, folder, look, crashes, progress)


def _wrong(path: Path, id: str, versions: int, opening: Opening, *, acknowledged: bool) -> list[str]:
    with opening(CLOCK) as memory:
        findings = [one for one in memory.doctor() if not one.ok and (acknowledged or one.name != CLEANING)]
        problems = [f"doctor: {one.name}: {one.detail}" for one in findings]
        there = {one.id: one.text for one in memory.list(limit=1000)}
        found = [hit.memory.id for hit in memory.search(" ".join(WORDS), k=3, gate=False)]
        if id in there and (acknowledged or len(memory.history(id)) != versions or id not in found):
            problems.append("HALF: it is there after its erasure was acknowledged, or only in part")
        if id not in there and (id in found or any(WORDS[0] in str(record) for record in memory.dump())):
            problems.append("HALF: it is gone, and its words are not")
    left = [file.name for file in path.parent.rglob("*") if file.is_file() and _holds(file)]
    if id not in there and acknowledged and left:
        problems.append(f"its words can be read in {left}")
    return problems


def _holds(file: Path) -> bool:
    content = file.read_bytes()
    return any(word.encode() in content for word in WORDS)
