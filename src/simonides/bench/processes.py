"""Measures processes: how long they take to start, how much memory they take, how soon they see each other's writes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from simonides.bench import filling
from simonides.bench.generate import Generator
from simonides.bench.timing import Spell, digits, spell
from simonides.memory import Memory
from simonides.settings import Settings

ASKED = 100
FOLLOWED = 100
WRITING = """
import json, sys
from simonides import Memory
from simonides.settings import Settings
memory = Memory(sys.argv[1], settings=Settings(background=False))
for line in sys.stdin:
    text, user, session = json.loads(line)
    print(memory.add(text, user=user, session=session, project=sys.argv[2]).id, flush=True)
"""
SEARCHING = """
import json, resource, sys
from pathlib import Path
from simonides import Memory
from simonides.settings import Settings
path, tier, project, *questions = json.load(sys.stdin)
memory = Memory(path, settings=Settings(meaning=tier))
for question in questions:
    memory.search(question, project=project)
status = Path("/proc/self/status")
if status.exists():
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    peak = int(lines["VmHWM"].split()[0]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(peak)
"""


@dataclass(frozen=True, slots=True)
class Processes:
    """Fresh processes.

    Attributes:
        starts: milliseconds by what was started, the median; Python's own start is among them.
        peak: most bytes of memory that a process held which asked a store some questions, by tier.
        memories: in that store.
    """

    starts: dict[str, float]
    peak: dict[str, int]
    memories: int

    def rows(self) -> list[list[str]]:
        """Return it as rows of a table."""
        times = [[what, f"{digits(spent)} ms"] for what, spent in self.starts.items()]
        about = f"that asked {self.memories:,} memories {ASKED} questions"
        return [
            *times,
            *(
                [f"memory of a process {about}, {tier}", f"{size / 1e6:,.0f} MB"]
                for tier, size in self.peak.items()
            ),
        ]


def processes(path: Path, many: int, rounds: int) -> Processes:
    """Measure on a store that is there."""
    python, question = sys.executable, Generator(3).question()
    simonides = [python, "-m", "simonides"]
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import simonides'": [python, "-c", "import simonides"],
        "simonides --help": [*simonides, "--help"],
        f"simonides search, {many:,} memories, full": [*simonides, "--path", str(path), "search", question],
        f"simonides search, {many:,} memories, instant": [
            *simonides, "--path", str(path), "--set", "meaning=instant", "search", question,
        ],
    }  # fmt: skip
    starts = {what: _started(command, rounds) for what, command in commands.items()}
    return Processes(starts, {tier: _peak(path, tier) for tier in ("full", "instant")}, many)


def _started(command: list[str], times: int) -> float:
    spent: list[float] = []
    for _ in range(times + 1):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        spent.append(1000 * (time.perf_counter() - start))
        if done.returncode not in (0, 1):  # 1 says that nothing fits
            raise RuntimeError(f"{command[1:4]} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return statistics.median(spent[1:])  # the first one warms the disk's cache


def _peak(path: Path, tier: str) -> int:
    generator = Generator(4)
    given = [str(path), tier, filling.EVERYTHING, *(generator.question() for _ in range(ASKED))]
    done = subprocess.run(
        [sys.executable, "-c", SEARCHING], input=json.dumps(given).encode(), capture_output=True, check=True
    )
    return int(done.stdout)


def found(path: Path, times: int = FOLLOWED) -> Spell:
    """Measure how long the next search of this process takes longer when another process has written a memory.

    It is the time of the step in which a search takes in what is new; the question itself was read before.
    """
    generator, spent = Generator(5), list[float]()
    question = generator.question()
    with (
        Memory(path, settings=Settings(background=False)) as memory,
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(path), filling.EVERYTHING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as writer,
    ):
        assert writer.stdin is not None
        assert writer.stdout is not None
        memory.explain(question, k=1)
        for made in generator.memories(times):
            writer.stdin.write(json.dumps([made.text, made.user, made.session]).encode() + b"\n")
            writer.stdin.flush()
            id = writer.stdout.readline().decode().strip()
            spent.append(memory.explain(question, k=1).milliseconds["question"] / 1000)
            seen = memory.explain(made.text, user=made.user, k=5, gate=False)
            if all(one.memory.id != id for one in (*seen.hits, *seen.dropped)):
                raise RuntimeError(f"memory {id} of another process was not found")
        return spell(spent, 0.0)
