"""Puts a file of settings in the place of another: whole or not at all, with a backup; knows no format."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from simonides.doors.connect.changes import Change
from simonides.errors import Conflict

FRESH = ".simonides-new"
"""Ends the name of what is not in its place yet; what a killed process left is written over by the next."""


def write(change: Change) -> None:
    """Carry out a change; the file holds the old or the new bytes at any moment.

    Raises:
        Conflict: somebody has changed the file since it was looked at. OSError: it can't be written.
    """
    path = change.real
    if _now(path) != change.before:
        raise Conflict(
            str(change.path), "has changed since the diff was made", "", "Run the same command again."
        )
    if change.after is None:
        path.unlink()
        change.backup.unlink(missing_ok=True)
        _sync(path.parent)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if change.before is not None else 0o600
    if change.before is not None and not change.connected:
        _replace(change.backup, change.before, mode)
    _replace(path, change.after, mode)
    if change.leaving:
        change.backup.unlink(missing_ok=True)


def _now(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, data: bytes, mode: int) -> None:
    fresh = path.with_name(path.name + FRESH)
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(mode)
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make a change of names durable, where the system lets a folder be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
