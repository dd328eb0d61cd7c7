"""The name of the project around a folder: that of its Git repository; runs no program and opens no store."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

_POINTER = 4096
"""Bytes that the `.git` file of a worktree has at most."""


@lru_cache(maxsize=256)
def project_of(folder: str) -> str:
    """Return the name of the folder that holds the repository, else that of the folder itself; empty for none.

    Every folder and every worktree of a repository has the same name. A folder that is not on this machine goes by
    its own name.
    """
    if not folder.strip():
        return ""
    root = _root(folder)
    return root.name if root is not None else re.split(r"[/\\]", folder.rstrip("/\\"))[-1]


def _root(folder: str) -> Path | None:
    try:
        start = Path(folder)
        if not start.is_absolute() or not start.is_dir():
            return None
        start = start.resolve()
        for place in (start, *start.parents):
            git = place / ".git"
            if git.is_dir():
                return place
            if git.is_file():
                return _of_worktree(git) or place
    except (OSError, ValueError):
        pass
    return None


def _of_worktree(pointer: Path) -> Path | None:
    """Return the main folder of a worktree: its `.git` file names `<main>/.git/worktrees/<name>`."""
    with pointer.open("rb") as file:
        text = file.read(_POINTER).decode("utf-8", "replace")
    found = re.match(r"gitdir:\s*(.+)", text)
    if found is None:
        return None
    parts = Path(os.path.normpath(pointer.parent / found[1].strip())).parts
    if len(parts) < 3 or parts[-2] != "worktrees" or parts[-3] != ".git":
        return None  # a submodule is a repository of its own
    return Path(*parts[:-3])
