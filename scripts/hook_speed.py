"""How long an agent waits for a hook: `python scripts/hook_speed.py [memories] [runs]`, each run a cold process.

Prints the median, the 95th percentile and the slowest of the wall-clock time as the agent sees it, with a budget that
no run meets; then how many runs would have been silent at the budget that `connect` leaves them.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simonides.doors.hooks.running import EVENTS
from simonides.memory import Memory
from simonides.settings import Settings

WORDS = (
    "store file agent memory model index query vector test user deploy python error build token cache server"
)
HOOKS = ("stop", "session-start", "user-prompt-submit")


def fill(store: Path, memories: int) -> None:
    """Make a store of turns of a tenth of which are of the project that is asked for."""
    drawn = random.Random(1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with Memory(store, settings=Settings(meaning="instant")) as memory:
        memory.add_many(
            {
                "text": " ".join(drawn.choices(WORDS.split(), k=25)),
                "project": "voyage" if number % 10 == 0 else f"other {number % 7}",
                "session": f"s{number // 40}",
                "speaker": ("user", "assistant")[number % 2],
                "at": start + timedelta(minutes=number),
            }
            for number in range(memories)
        )
        memory.add("We moved the office from Berlin to Lisbon.", project="voyage", speaker="user")


def transcript(path: Path, turns: int) -> None:
    """Write the turns of a session so far; the last two are new at each run, because nothing is kept in between."""
    lines = [
        {
            "type": role, "message": {"role": role, "content": f"turn {number} of the session"}, "uuid": f"u{number}",
            "sessionId": "here", "timestamp": "2026-05-02T09:00:00Z", "isSidechain": False, "cwd": str(path.parent),
        }
        for number in range(turns)
        for role in ("user" if number % 2 == 0 else "assistant",)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def processor() -> float:
    """Return the processor seconds of all processes that this one has run."""
    used = os.times()
    return used.children_user + used.children_system


def main(memories: int = 10_000, runs: int = 30) -> None:
    """Measure each hook."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        project = home / "voyage"
        (project / ".git").mkdir(parents=True)
        store = home / "memory.db"
        fill(store, memories)
        given = {"cwd": str(project), "prompt": "Where did we move the office?"}
        given |= {"source": "startup", "transcript_path": str(home / "here.jsonl")}
        print(f"{memories:,} memories, {runs} cold runs, milliseconds")
        for event in HOOKS:
            took: list[float] = []
            busy: list[float] = []
            for run in range(runs + 2):
                transcript(home / "here.jsonl", 200 + 2 * run)
                command = [sys.executable, "-P", "-m", "simonides.doors.hooks", event, "--path", str(store)]
                used = processor()
                started = time.perf_counter()
                done = subprocess.run(
                    [*command, "--budget", "60000"],
                    input=json.dumps(given | {"session_id": "here" if event == "stop" else "new"}).encode(),
                    capture_output=True,
                    check=True,
                )
                took.append((time.perf_counter() - started) * 1000)
                busy.append((processor() - used) * 1000)
                if EVENTS[event].tokens and not done.stdout:
                    raise SystemExit(f"{event} said nothing")
            took = sorted(took[2:])  # the first runs read the disk
            late = sum(1 for one in took if one > EVENTS[event].milliseconds)
            print(
                f"{event:<20} p50 {statistics.median(took):4.0f}   p95 {took[int(len(took) * 0.95)]:4.0f}   "
                f"slowest {took[-1]:4.0f}   processor p50 {statistics.median(busy[2:]):4.0f}   "
                f"beyond {EVENTS[event].milliseconds} ms: {late} of {len(took)}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
