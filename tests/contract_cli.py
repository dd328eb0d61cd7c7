"""The command line, each call a process of its own, driven by the contract of all doors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

MISSING, NOTHING = 4, 1


class CommandLine:
    """`simonides --json ...`."""

    gates = corrects = True

    def __init__(self, path: str) -> None:
        self.path = path

    def run(self, *words: str, allowed: int = 0) -> Any:
        """Run one command and return its answer; None where it ended with the allowed code."""
        command = [sys.executable, "-m", "simonides", "--path", self.path, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode in (0, allowed), done.stderr
        return json.loads(done.stdout) if done.returncode in (0, NOTHING) else None

    def remember(self, text: str, at: str) -> str:
        return self.run("add", text, "--at", at)["ids"][0]

    def recall(self, query: str) -> list[str]:
        return [hit["memory"]["text"] for hit in self.run("search", query, allowed=NOTHING)["hits"]]

    def read(self, id: str) -> str | None:
        found = self.run("get", id, allowed=MISSING)
        return found and found["text"]

    def correct(self, id: str, text: str) -> None:
        self.run("update", id, text)

    def forget(self, id: str) -> None:
        self.run("retire", id)


@contextmanager
def opened(path: str) -> Generator[CommandLine]:
    """Nothing stays open between commands."""
    yield CommandLine(path)
