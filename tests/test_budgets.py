"""Nothing grows past the hard stops: files, functions, classes, parameters, and the wheels of an install.

Files are counted whole, functions and classes without the docstrings in them.

`python tests/test_budgets.py` (or `make sizes`) prints the ten largest of each, a star where the soft budget is
passed. The typical function is the same size in good and in bad code; what differs is the tail.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "simonides"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Budget:
    """What a thing should not pass, and what it must not."""

    soft: int
    hard: int


BUDGETS = {
    "file": Budget(400, 600),
    "function": Budget(50, 80),
    "class": Budget(250, 400),
    "parameters": Budget(6, 8),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How large one thing is."""

    what: str
    where: str
    size: int


def lines(node: ast.stmt) -> int:
    """Count the lines of a definition without the docstrings in it: to explain more must not cost anything."""
    told = 0
    for inner in ast.walk(node):
        if isinstance(inner, Function | ast.ClassDef) and ast.get_docstring(inner, clean=False) is not None:
            told += (inner.body[0].end_lineno or 0) - inner.body[0].lineno + 1
    return (node.end_lineno or node.lineno) - node.lineno + 1 - told


def positional(node: Function) -> int:
    """Count the parameters that may be given by position; `self` and `cls` are not counted."""
    given = [*node.args.posonlyargs, *node.args.args]
    return len(given) - (1 if given and given[0].arg in ("self", "cls") else 0)


def sizes() -> Iterator[Size]:
    """Measure everything in the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        place = str(path.relative_to(ROOT))
        yield Size("file", place, len(text.splitlines()))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                yield Size("class", f"{place}:{node.lineno} {node.name}", lines(node))
            elif isinstance(node, Function):
                where = f"{place}:{node.lineno} {node.name}"
                yield Size("function", where, lines(node))
                yield Size("parameters", where, positional(node))


def largest(what: str) -> list[Size]:
    """Return the ten largest of a kind."""
    return sorted((size for size in sizes() if size.what == what), key=lambda size: -size.size)[:10]


def report(what: str) -> str:
    """Return a table of the ten largest of a kind."""
    budget = BUDGETS[what]
    rows = [f"largest by {what} (soft {budget.soft}, hard {budget.hard})"]
    rows += [f"{size.size:6}{'*' if size.size > budget.soft else ' '} {size.where}" for size in largest(what)]
    return "\n".join(rows)


@pytest.mark.parametrize("what", BUDGETS)
def test_nothing_passes_the_hard_stop(what: str) -> None:
    print(report(what))
    over = [f"{size.where}: {size.size}" for size in largest(what) if size.size > BUDGETS[what].hard]
    assert not over, f"more than {BUDGETS[what].hard}: split it\n" + "\n".join(over)


def test_an_install_keeps_to_ninety_megabytes_of_wheels() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import wheel_sizes
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    found = wheel_sizes.wheels(wheel_sizes.here())
    print("\n".join(f"{wheel.name} {wheel.size}" for wheel in found))
    assert not [wheel.name for wheel in found if wheel.size is None], "these would need a compiler"
    assert wheel_sizes.total(found) <= wheel_sizes.LIMIT_BYTES
    assert not {"torch", "transformers", "fastapi", "uvicorn", "sympy"} & {wheel.name for wheel in found}


if __name__ == "__main__":
    print("\n\n".join(report(what) for what in BUDGETS))
