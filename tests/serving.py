"""A real server for tests: `simonides serve` in a process of its own on a free port of loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
DEADLINE = 60


@contextmanager
def serving(path: str, *more: str, before: tuple[str, ...] = ()) -> Generator[tuple[str, str]]:
    """Give the URL of a server over the store at `path` and the token of its owner; stop it afterwards.

    Args:
        more: further options of `serve`.
        before: further options of `simonides`.
    """
    command = [
        sys.executable,
        "-m",
        "simonides",
        "--path",
        path,
        "--json",
        *before,
        "serve",
        "--port",
        "0",
        *more,
    ]
    errors = Path(f"{path}.serve.log") if "://" not in path else Path(os.devnull)
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with errors.open("wb") as log:
        server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log)
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert line, errors.read_text(errors="replace")
        told = json.loads(line)
        file = told["token_file"]
        yield told["url"], Path(file).read_text().strip() if file else ""
    finally:
        server.terminate()
        try:
            server.wait(DEADLINE)
        finally:
            server.kill()
            server.stdout.close()
