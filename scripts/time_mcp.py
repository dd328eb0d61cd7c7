"""Times how long a client waits for a fresh MCP server: python scripts/time_mcp.py [processes]. Prints a table.

Each process is new and its file is there already, as when a client starts. Numbers of docs/mcp.md come from here.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

PROCESSES = 20
WHO = {"name": "time_mcp", "version": "1"}
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": WHO}),
    ("tools/list", {}),
    (
        "tools/call",
        {"name": "remember", "arguments": {"text": "The harbour project stores its data in PostgreSQL."}},
    ),
    (
        "tools/call",
        {"name": "recall", "arguments": {"query": "which database does the harbour project use?"}},
    ),
    ("tools/call", {"name": "recall", "arguments": {"query": "where is the data of the harbour project?"}}),
)
NAMES = ("initialize", "tools/list", "first remember", "first recall", "second recall")


def one(path: Path, took: dict[str, list[float]]) -> None:
    """Start a server, send the steps one after the other, and note when each was answered, from the start on."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "simonides", "--path", str(path), "mcp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for number, ((method, params), name) in enumerate(zip(STEPS, NAMES, strict=True)):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            server.stdin.write(json.dumps(message).encode() + b"\n")
            server.stdin.flush()
            assert "result" in json.loads(server.stdout.readline())
            took[name].append(time.perf_counter() - begun)
        server.stdin.close()


def python() -> float:
    """Return what a bare Python takes to start and end."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else PROCESSES
    took: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(processes + 1):
            one(Path(folder) / "memory.db", took if number else defaultdict(list))
            if number:
                took["a bare Python"].append(python())
    print("| answered after, in ms | best | median | slowest |\n|---|---|---|---|")
    for name in ("a bare Python", *NAMES):
        values = sorted(1000 * one for one in took[name])
        print(f"| {name} | {values[0]:.0f} | {statistics.median(values):.0f} | {values[-1]:.0f} |")


if __name__ == "__main__":
    main()
