"""Importing is free: `import simonides` does nothing to the process and brings nothing heavy; watched from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
LIMIT_IMPORT_SECONDS = 0.050
LIMIT_HELP_SECONDS = 0.150

ALLOWED = {
    "__future__",
    "importlib",
    "typing",
    "simonides",
    "collections",
    "contextlib",
    "functools",
    "warnings",
}
"""What `import simonides` may add to a bare interpreter, by top-level name; `importlib` and `typing` bring the rest."""
ALLOWED_BELOW = {"abc", "keyword", "operator", "reprlib", "re", "enum", "types", "copyreg", "itertools"}
HEAVY = {
    "numpy",
    "sqlite3",
    "onnxruntime",
    "tokenizers",
    "turbovec",
    "Stemmer",
    "click",
    "rich",
    "asyncio",
    "socket",
}

WATCH = """
import json, os, sys, threading, time

events = []
def hook(name, args):
    if name == "open":
        path, mode, flags = (tuple(args) + (None,) * 3)[:3]
        writes = flags is not None and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
            events.append(f"opened for writing: {path}")
    elif name.split(".")[0] in ("socket", "subprocess", "shutil", "sqlite3", "urllib", "http", "ctypes") or name in (
        "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.putenv", "os.unsetenv", "os.system", "os.fork",
        "os.posix_spawn", "_thread.start_new_thread", "tempfile.mkstemp", "tempfile.mkdtemp", "signal.pthread_kill",
    ):
        events.append(f"{name} {args!r}")
sys.dont_write_bytecode = True
target = sys.argv[1]

import logging, warnings
def state():
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "threads": [thread.name for thread in threading.enumerate()],
        "loggers": {name: str(logger) for name, logger in sorted(logging.root.manager.loggerDict.items())},
        "root logger": [logging.root.level, [str(handler) for handler in logging.root.handlers]],
        "warning filters": [str(filter) for filter in warnings.filters],
        "hooks": [str(sys.excepthook), str(sys.displayhook), str(threading.excepthook)],
        "path": list(sys.path),
    }

before, modules = state(), set(sys.modules)
sys.addaudithook(hook)
start = time.process_time()
__import__(target)
seconds = time.process_time() - start
events = list(events)
after = state()
print(json.dumps({
    "events": events,
    "changed": [key for key in before if before[key] != after[key]],
    "modules": sorted(set(sys.modules) - modules),
    "seconds": seconds,
}))
"""


def interpreter(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh Python that sees the package and nothing of the test's own settings."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )


@cache
def watched(target: str) -> dict[str, Any]:
    """Import a module in a fresh interpreter and return what that did."""
    return json.loads(interpreter("-c", WATCH, target).stdout)


@pytest.mark.parametrize("target", ["simonides", "simonides.types", "simonides.doors.cli"])
def test_it_writes_connects_starts_and_changes_nothing(target: str) -> None:
    assert watched(target)["events"] == []
    assert watched(target)["changed"] == []


def test_it_brings_only_what_is_on_the_list() -> None:
    # logging and warnings are there before the watch begins, and with them most of what typing needs.
    added = {name.split(".")[0].lstrip("_") for name in watched("simonides")["modules"]}
    assert added <= {name.lstrip("_") for name in ALLOWED | ALLOWED_BELOW}


def test_it_brings_no_module_of_ours_but_itself() -> None:
    assert [name for name in watched("simonides")["modules"] if name.startswith("simonides")] == ["simonides"]


@pytest.mark.parametrize(
    "target", ["simonides", "simonides.types", "simonides.settings", "simonides.registry"]
)
def test_it_brings_nothing_heavy(target: str) -> None:
    assert not HEAVY & {name.split(".")[0] for name in watched(target)["modules"]}


def test_the_command_line_starts_without_store_and_model() -> None:
    heavy = HEAVY - {"click"}
    assert not heavy & {name.split(".")[0] for name in watched("simonides.doors.cli")["modules"]}


def test_the_object_starts_without_the_model_runtime() -> None:
    added = {name.split(".")[0] for name in watched("simonides.memory")["modules"]}
    assert not {"onnxruntime", "tokenizers", "click", "rich", "torch", "huggingface_hub"} & added


def test_it_takes_under_fifty_milliseconds() -> None:
    best = min(json.loads(interpreter("-c", WATCH, "simonides").stdout)["seconds"] for _ in range(3))
    assert best < LIMIT_IMPORT_SECONDS, f"{best * 1000:.1f} ms"


def test_help_takes_under_a_hundred_and_fifty_milliseconds() -> None:
    code = (
        "import sys, time; start = time.process_time(); sys.argv = ['simonides', '--help']\n"
        "from simonides.doors.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('seconds', time.process_time() - start)"
    )
    # The interpreter's own start is Python's; what is ours begins with our first import. Processor time, because what
    # else the machine does is not ours either.
    best = min(float(interpreter("-c", code).stdout.split()[-1]) for _ in range(5))
    assert best < LIMIT_HELP_SECONDS, f"{best * 1000:.1f} ms"
