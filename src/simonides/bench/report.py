"""The form of a report: tables for people, figures for scripts, and its files; measures nothing.

`scripts/figures.py` writes README.md and docs/benchmarks.md from these files, and says what each field is for. No
report holds a path of this machine or a text of a data set: ids and numbers only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from simonides.bench.machine import Machine
    from simonides.bench.metrics import Estimate
    from simonides.doors.desk import Desk
    from simonides.doors.paper import Paper

Cell = str | int | float
DEEPEST = 5
"""Levels of a report's JSON that are laid out on lines of their own."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table in README.md: what was measured, our figure, and what to hold it against."""

    what: str
    ours: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run measured.

    Attributes:
        name: of its files.
        command: that made it, with DATA for the place of the data.
        order: where it stands on the page.
        details: every figure, settings and versions, for scripts.
    """

    name: str
    title: str
    command: str
    made: str
    machine: Machine
    note: str
    order: int
    tables: Sequence[Table]
    summary: Sequence[Line]
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """Return it as `scripts/figures.py` reads it; the machine as a line, and in full among the details."""
        whole = {
            "title": self.title,
            "command": self.command,
            "made": self.made,
            "machine": str(self.machine),
            "note": self.note,
            "order": self.order,
            "tables": [asdict(table) for table in self.tables],
            "summary": [asdict(line) for line in self.summary],
            "details": {**self.details, "machine": asdict(self.machine)},
        }
        return rounded(json.loads(json.dumps(whole, default=plain)))

    def as_markdown(self) -> str:
        """Return it as a page."""
        parts = [f"# {self.title}", f"    {self.command}", f"Made {self.made} on {self.machine}.", self.note]
        for table in self.tables:
            parts += [f"## {table.title}", markdown(table)]
        return "\n\n".join(filter(None, parts)) + "\n"

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write both forms into a folder, which is made; return the files."""
        folder.mkdir(parents=True, exist_ok=True)
        figures, page = folder / f"{self.name}.json", folder / f"{self.name}.md"
        figures.write_text(laid_out(self.as_json()) + "\n", "utf-8")
        page.write_text(self.as_markdown(), "utf-8")
        return figures, page


def save(desk: Desk, report: Report, out: Path | None) -> None:
    """Save a report into a folder and say so; without a folder do nothing."""
    if out is not None:
        report.save(out)
        desk.aside(f"Saved {out / report.name}.json and .md.")


def show(paper: Paper, report: Report, *, titled: bool = False, note: bool = True) -> None:
    """Print a report for people: tables on a terminal, Markdown into a file.

    Args:
        paper: where to.
        report: what.
        titled: on a terminal too, each table has its title above it.
        note: on a terminal too, the note is at the end.
    """
    if paper.plain:
        paper.line(report.as_markdown())
        return
    for table in report.tables:
        if titled:
            paper.line(f"\n{paper.style(table.title, bold=True)}")
        paper.table([*table.head], [[str(cell) for cell in row] for row in table.rows])
    made = f"Made {report.made} on {report.machine}."
    paper.line("".join(f"\n{paper.dim(line)}" for line in ([report.note] if note else []) + [made]))


def markdown(table: Table) -> str:
    """Return a table in Markdown."""
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def with_interval(estimate: Estimate) -> str:
    """Return an estimate as ``.812 [.790, .834]``."""
    return f"{short(estimate.value)} [{short(estimate.low)}, {short(estimate.high)}]"


def difference(estimate: Estimate) -> str:
    """Return a difference as ``+.012 [-.003, +.027]``."""
    value, low, high = (short(one, signed=True) for one in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def short(value: float, *, signed: bool = False) -> str:
    """Return a share with three digits and without the nought: ``.812``."""
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def rounded(value: Any) -> Any:
    """Return JSON with four digits after the point."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def laid_out(value: Any, depth: int = 0) -> str:
    """Return JSON with a line for each row of a table and for each system, so that versions of it can be compared."""
    nested = isinstance(value, dict | list) and any(isinstance(one, dict | list) for one in _inside(value))
    if not nested or depth == DEEPEST:
        return json.dumps(value)
    pad = " " * (depth + 1)
    if isinstance(value, list):
        rows = [laid_out(one, depth + 1) for one in value]
    else:
        rows = [f"{json.dumps(name)}: {laid_out(one, depth + 1)}" for name, one in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return f"{opening}\n{pad}" + f",\n{pad}".join(rows) + f"\n{pad[1:]}{closing}"


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def save_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, default=plain) + "\n" for line in lines), "utf-8")


def plain(value: object) -> object:
    """Return what JSON has no form for: sets sorted, numbers of numpy as numbers, estimates as objects."""
    if isinstance(value, set | frozenset):
        return sorted(str(one) for one in value)
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)  # type: ignore[call-overload]
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"no JSON for {type(value).__name__}")
    return item()
