"""Says on which machine and with which versions a report was made; measures nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = ("simonides", "numpy", "onnxruntime", "tokenizers", "turbovec", "PyStemmer")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a number depends on beside the code. `load` is the load average of the last minute at the start."""

    processor: str
    cores: int
    gigabytes: float
    system: str
    python: str
    versions: dict[str, str]
    load: float

    def __str__(self) -> str:
        """Return it as one line of a report."""
        return (
            f"{self.cores} cores of {self.processor}, {self.gigabytes:.0f} GB, {self.system}, Python {self.python},"
            f" onnxruntime {self.versions.get('onnxruntime', '?')}, load {self.load:.1f} at the start"
        )


def here() -> Machine:
    """Return this machine."""
    return Machine(
        processor=_processor(),
        cores=_cores(),
        gigabytes=_memory() / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions={**{name: _version(name) for name in PACKAGES}, "sqlite": sqlite3.sqlite_version},
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
    )


def today() -> str:
    """Return the day in UTC."""
    return datetime.now(UTC).date().isoformat()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "?"
