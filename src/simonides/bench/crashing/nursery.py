"""Starts processes in a few milliseconds, kills them and tells how they ended; knows stores only by name.

A process of its own that has imported everything and opened nothing: it forks one child for each order. Its parent
speaks with it in lines of JSON over its standard input and output; when the parent is gone, all children are killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from simonides.bench.crashing.worker import Order, main
from simonides.parts import analyse

PATIENCE = 60.0
"""Seconds that a process which was told to stop may take."""


class Nursery:
    """The parent's side; for one thread."""

    def __init__(self, errors: Path) -> None:
        """Start it.

        Args:
            errors: where processes write what they say on standard error.
        """
        self._errors = errors.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def start(self, order: Order) -> int:
        """Start a process; return its number."""
        return self._ask(start=asdict(order))

    def kill(self, pid: int) -> int:
        """Kill a process as `kill -9` does, and wait until it is gone; return its status (-9)."""
        return self._ask(kill=pid)

    def kill_all(self, pids: list[int]) -> list[int]:
        """Kill processes at once; return their statuses."""
        return self._ask(kill_all=pids)

    def stop_all(self, pids: list[int]) -> list[int]:
        """Ask processes to stop, and wait until they have; return their statuses, 0 when all went well."""
        return self._ask(stop_all=pids)

    def wait(self, pid: int) -> int:
        """Wait until a process has ended by itself; return its status."""
        return self._ask(wait=pid)

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that starts others has ended")
        return json.loads(answer)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Kill all that is left, and end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        self._errors.close()


def serve() -> None:
    """Answer the parent until it is gone."""
    analyse.lexical("loads the words and the pieces of words, which children then share")
    children: set[int] = set()
    for line in sys.stdin:
        ((what, value),) = json.loads(line).items()
        if what == "start":
            answer: Any = _fork(Order(**value))
            children.add(answer)
        elif what in ("kill_all", "stop_all"):
            for pid in value:
                os.kill(pid, signal.SIGKILL if what == "kill_all" else signal.SIGTERM)
            answer = [_ended(pid) for pid in value]
            children.difference_update(value)
        else:
            if what == "kill":
                os.kill(value, signal.SIGKILL)
            answer = _ended(value)
            children.discard(value)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(order: Order) -> int:
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child can hear it
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        return pid
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        main(order)
        status = 0
    except BaseException:  # nobody above this fork would print it
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)  # what the parent has registered for its own end is none of the child's


def _ended(pid: int) -> int:
    """Return the status of a process when it ends; one that does not is aborted, and its status is then -6."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(pid, signal.SIGABRT)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    assert threading.active_count() == 1, "a fork copies no threads"
    serve()
