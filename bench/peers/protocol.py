"""What every adapter of another system does: read a task, fill a store, ask it, write rankings; knows no system.

Runs in the environment of the system, which need not hold simonides: the standard library and numpy only. Vectors come
ready with the task, those of our own full tier's model, so that all systems embed alike and none needs a model.

    python <system>_peer.py TASK.json VECTORS.npy ANSWERS.jsonl
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np


class Peer(Protocol):
    """One empty store of another system."""

    def add(self, id: str, text: str) -> None:
        """Keep a text word for word."""
        ...

    def search(self, question: str, k: int) -> list[str]:
        """Return the ids of at most `k` texts, best first."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class Embed:
    """Looks up unit vectors; a text that the task does not name is a mistake of the adapter, or of the system."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Index the vectors by text."""
        self._place = {text: place for place, text in enumerate(texts)}
        self._vectors = vectors

    def one(self, text: str) -> np.ndarray:
        """Return the vector of a text (dimension,)."""
        return self._vectors[self._place[text.strip()]]

    def many(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts (texts, dimension)."""
        return np.stack([self.one(text) for text in texts])


def serve(make: Callable[[Path, Embed], Peer], version: str) -> None:
    """Do the task of the command line."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    embed = Embed(task["texts"], np.load(sys.argv[2]))
    adds: list[float] = []
    searches: list[float] = []
    spent = {"add": 0.0, "search": 0.0}
    with Path(sys.argv[3]).open("w", encoding="utf-8") as answers:
        for store in task["stores"]:
            with tempfile.TemporaryDirectory() as folder:
                _one(make(Path(folder), embed), store, task["k"], (adds, searches, spent), answers)
            print(".", end="", flush=True, file=sys.stderr)
        cost = {
            "version": version,
            "add ms": statistics.median(adds),
            "add CPU ms": 1000 * spent["add"] / len(adds),
            "search ms": statistics.median(searches),
            "search CPU ms": 1000 * spent["search"] / len(searches),
            "peak MB": _peak() / 1e6,
        }
        print(json.dumps(cost), file=answers)
    print(file=sys.stderr)


def _one(
    peer: Peer,
    store: dict[str, Any],
    k: int,
    cost: tuple[list[float], list[float], dict[str, float]],
    answers: TextIO,
) -> None:
    adds, searches, spent = cost
    start = time.process_time()
    for name, text in store["turns"]:
        adds.append(_timed(peer.add, name, text)[0])
    between = time.process_time()
    for name, text in store["questions"]:
        wall, ranked = _timed(peer.search, text, k)
        searches.append(wall)
        print(json.dumps({"store": store["id"], "question": name, "ranked": ranked}), file=answers)
    spent["add"] += between - start
    spent["search"] += time.process_time() - between
    peer.close()


def _timed(work: Callable[..., Any], *given: object) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work(*given)
    return 1000 * (time.perf_counter() - start), found


def _peak() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024
