"""The public surface is a list, and this is the list; a name is added here on purpose or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import simonides

NAMES = [
    "AsyncMemory",
    "Client",
    "Context",
    "Dropped",
    "Event",
    "Explanation",
    "FrozenClock",
    "Hit",
    "Kind",
    "Link",
    "Memory",
    "Receipt",
    "Scope",
    "Settings",
    "SimonidesError",
    "Source",
    "Span",
    "__version__",
]

VERBS = [
    "acting",
    "add",
    "add_many",
    "apply",
    "backup",
    "close",
    "context",
    "digest",
    "doctor",
    "dump",
    "erase",
    "estimate_reindex",
    "expire",
    "explain",
    "get",
    "history",
    "link",
    "links",
    "list",
    "log",
    "neighbours",
    "reindex",
    "restore",
    "retention",
    "retire",
    "review",
    "search",
    "seen",
    "settle",
    "status",
    "undo",
    "undump",
    "unlink",
    "update",
    "upkeep",
    "verify",
    "wait",
]


def test_the_list_is_what_the_package_says() -> None:
    assert simonides.__all__ == NAMES
    assert dir(simonides) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there(name: str) -> None:
    assert getattr(simonides, name) is not None


def test_a_star_import_gives_the_list() -> None:
    code = "from simonides import *; print(*sorted(n for n in globals() if n in __import__('simonides').__all__))"
    source = Path(__file__).resolve().parent.parent / "src"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == sorted(NAMES)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Momery'"):
        getattr(simonides, "Momery")  # noqa: B009 - the checker would refuse the attribute


def test_a_name_comes_from_its_home_once() -> None:
    from simonides import types

    assert simonides.Hit is types.Hit
    assert simonides.Hit is vars(simonides)["Hit"]


def verbs(owner: type) -> list[str]:
    """Return the public methods of a class."""
    return sorted(name for name in dir(owner) if name[0] != "_" and callable(getattr(owner, name)))


def test_the_object_has_the_verbs_and_no_others() -> None:
    assert verbs(simonides.Memory) == VERBS


def test_the_object_for_asyncio_has_the_same_verbs() -> None:
    # `dump` yields as it reads, which a thread cannot do for a coroutine; `open` is how one is made; `acting` and
    # `seen` are for doors, which have the object itself.
    assert {*verbs(simonides.AsyncMemory)} == {*VERBS, "open"} - {"dump", "acting", "seen"}
