"""What went wrong in hooks, which must be silent: a small file beside the store, for `doctor`; holds no memory text.

One line of JSON for each fault: when, which event, what kind of error. Of a message only our own rules are kept; what
was given may be somebody's words.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from simonides.errors import SimonidesError

LATE = "took longer than"
SUFFIX = ".hooks.log"
LARGEST = 64 * 1024
"""Bytes; beyond them the older half goes."""
RECENT = timedelta(days=7)
"""Faults that are older do not turn `doctor` red."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One hook that failed, or was too slow."""

    at: datetime
    event: str
    what: str

    @property
    def late(self) -> bool:
        """Whether it was ended because its time was over."""
        return self.what.startswith(LATE)


def log_of(store: Path) -> Path:
    """Return the log of a store's hooks."""
    return store.with_name(store.name + SUFFIX)


def write(log: Path, event: str, what: str) -> None:
    """Add a line; a log that cannot be written is nobody's trouble."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"at": at, "event": event, "what": what}).encode() + b"\n"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(log, flags, 0o600)
        try:
            if os.fstat(handle).st_size + len(line) > LARGEST:
                _halve(handle)
            os.write(handle, line)
        finally:
            os.close(handle)
    except OSError:
        pass


def _halve(handle: int) -> None:
    os.lseek(handle, -LARGEST // 2, os.SEEK_END)
    rest = os.read(handle, LARGEST)
    os.ftruncate(handle, 0)
    os.write(handle, rest.partition(b"\n")[2])


def told(error: BaseException) -> str:
    """Return what kind of error it is and where it happened, without a word of what was being handled."""
    if isinstance(error, SimonidesError):
        return f"{type(error).__name__}: {error.rule}"[:300]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def read(log: Path) -> list[Fault]:
    """Return the faults of a log, oldest first; lines that cannot be read are left out."""
    try:
        lines = log.read_bytes()[-2 * LARGEST :].splitlines()
    except OSError:
        return []
    return [fault for line in lines if (fault := _fault(line)) is not None]


def recent(log: Path, now: datetime) -> list[Fault]:
    """Return the faults of the last days."""
    return [fault for fault in read(log) if now - fault.at <= RECENT]


def _fault(line: bytes) -> Fault | None:
    try:
        found = json.loads(line)
        if not isinstance(found, dict):
            return None
        row = cast("dict[str, object]", found)
        at = datetime.fromisoformat(str(row["at"]))
        return None if at.tzinfo is None else Fault(at, str(row["event"]), str(row["what"]))
    except (ValueError, KeyError, RecursionError):
        return None


def quiet() -> int:
    """Send all that anybody prints into nowhere; return where the answer alone may still be written."""
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    sys.stderr = sys.stdout
    return answer
