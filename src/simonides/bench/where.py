"""Finds benchmark sets in a file or folder by the names of their files; reads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.bench.datasets import SETS
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKS = {
    "locomo": ("locomo*.json",),
    "longmemeval": ("longmemeval_evidence_turns*.json",),
    "beam": ("chat.json", "*/probing_questions.json"),
    "realtalk": ("Chat_*.json",),
    "realmem": ("*_dialogues_*.json", "dataset/*_dialogues_*.json"),
    "letta": ("core_memory_update*.jsonl",),
}
"""What a set's file is called, or what its folder holds."""


def places(path: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """Return where the sets are, by name, in the order of `names`, or else all that are found.

    Args:
        path: the file or folder of one set, or a folder that holds folders of that name.
        names: the sets that are wanted; a file or folder of one set may have any name then.

    Raises:
        InputError: one that is wanted is not there, or nothing is.
    """
    found = _at(path)
    if path.is_dir():
        for folder in sorted(one for one in path.iterdir() if one.is_dir()):
            for name, place in _at(folder).items():
                found.setdefault(name, place)
    if len(names) == 1 and not found:
        return {names[0]: path}
    if missing := [name for name in names or list(found)[:1] or SETS if name not in found]:
        here = ", ".join(found) or "none of them"
        raise InputError(
            "data", f"must hold {', '.join(missing)}", f"{path}: {here}", "See docs/benchmarks.md."
        )
    return {name: found[name] for name in names or sorted(found, key=list(SETS).index)}


def _at(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {name: path for name, marks in MARKS.items() if any(path.match(mark) for mark in marks)}
    return {name: path for name, marks in MARKS.items() if any(any(path.glob(mark)) for mark in marks)}
