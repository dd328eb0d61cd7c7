"""Writes the tables of README.md and docs/benchmarks.md from the reports in bench/reports/; `--check` only compares.

    .venv/bin/python scripts/figures.py [--take bench/out | --check]

With --take, reports that the bench saved are copied first, whole runs only: one that was cut short to have a quick look
(--limit, --alone) stays where it is.

A report is a JSON object:

    title      what was measured
    command    the command that made it, to be typed in the root of the project
    made       the day, 2026-11-22
    machine    cores, memory, system
    note       one paragraph, or nothing
    order      where it stands on the page; the smallest comes first
    tables     [{"title": ..., "head": [...], "rows": [[...], ...]}, ...]
    summary    [{"what": ..., "ours": ..., "beside": ...}, ...]: its lines in the table of README.md
               a picture of the same name, .svg, is shown above its tables
    details    all figures, the settings and the versions, for scripts; not shown

Cells are texts, or numbers, which are shown as they are. (This script is not called numbers.py: it would hide the
module of that name of the standard library from whatever runs beside it.)
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marked import fill, table

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "bench" / "reports"
CUT = {"--limit", "--alone", "--asked"}
"""Words of a command that measured only a part."""
NONE_YET = "No report has been saved yet. `make bench` makes them."


@dataclass(frozen=True, slots=True)
class Report:
    """One saved report."""

    name: str
    title: str
    command: str
    made: str
    machine: str
    note: str = ""
    order: int = 100
    tables: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    summary: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def reports() -> list[Report]:
    """Return the saved reports, in the order of the page; files that are no reports of this form are left alone."""
    found: list[Report] = []
    for path in sorted(REPORTS.glob("*.json")):
        saved: Any = json.loads(path.read_text("utf-8"))
        if isinstance(saved, dict) and "tables" in saved and "command" in saved:
            known: dict[str, Any] = {
                str(name): value for name, value in saved.items() if name in Report.__slots__
            }
            found.append(Report(**known, name=path.stem))
    return sorted(found, key=lambda report: (report.order, report.name))


def cells(row: list[object]) -> list[str]:
    """Return a row as texts."""
    return [str(cell) for cell in row]


def details(found: list[Report]) -> str:
    """Return the page of benchmarks: each report with its command, machine and tables."""
    sections: list[str] = []
    for report in found:
        sections.append(
            f"## {report.title}\n\nMade by `{report.command}`, {report.made}, on {report.machine}."
        )
        sections += [report.note] * bool(report.note)
        if (REPORTS / f"{report.name}.svg").exists():
            sections.append(f"![{report.title}]({report.name}.svg)")
        for one in report.tables:
            sections += [f"### {one['title']}"] * bool(one.get("title"))
            sections.append(table(cells(one["head"]), [cells(row) for row in one["rows"]]))
    return "\n\n".join(sections) or NONE_YET


def _idle(machine: str) -> str:
    """Return a machine without how busy it was, which differs from run to run and stands beside each report."""
    return re.sub(r", load [\d.]+ at the start", "", machine)


def summary(found: list[Report]) -> str:
    """Return the table of README.md: what, ours, what to hold it against, and the command."""
    rows = [
        cells([line["what"], line["ours"], line.get("beside", ""), f"`{report.command}`"])
        for report in found
        for line in report.summary
    ]
    machines = sorted({f"{_idle(report.machine)}, {report.made}" for report in found if report.summary})
    told = table(["", "simonides", "to compare", "made by"], rows) if rows else NONE_YET
    return told + (f"\n\nMeasured on {'; '.join(machines)}." if machines else "")


def cut(name: str, command: str) -> bool:
    """Tell whether a report is of a quick look; other systems are too slow to be run on everything."""
    return not name.startswith("peers") and any(word in command for word in CUT)


def take(folder: Path) -> list[Path]:
    """Copy the saved reports of whole runs into `REPORTS`; return where they are now."""
    taken: list[Path] = []
    for path in sorted(folder.glob("*.json")):
        saved: Any = json.loads(path.read_text("utf-8"))
        if isinstance(saved, dict) and "tables" in saved and not cut(path.stem, str(saved["command"])):
            REPORTS.mkdir(parents=True, exist_ok=True)
            picture = path.with_suffix(".svg")
            files = [path, *[picture] * picture.exists()]
            taken += [Path(shutil.copyfile(file, REPORTS / file.name)) for file in files]
    return taken


def pictures(*, check: bool) -> list[Path]:
    """Copy the pictures of reports to the pages; return those that were not there as they are."""
    stale: list[Path] = []
    for source in sorted(REPORTS.glob("*.svg")):
        shown = ROOT / "docs" / source.name
        if not shown.exists() or shown.read_bytes() != source.read_bytes():
            stale.append(shown)
            if not check:
                shutil.copyfile(source, shown)
    return stale


def main() -> int:
    """Fill the places, or with --check name those that are not as the reports say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--take", type=Path, metavar="FOLDER", help="copy the reports of this folder first")
    given = parser.parse_args()
    check: bool = given.check
    for path in take(given.take) if given.take is not None else ():
        print(f"{path.relative_to(ROOT)}: taken")
    found = reports()
    pages = [
        (ROOT / "README.md", "summary", summary(found)),
        (ROOT / "docs" / "benchmarks.md", "numbers", details(found)),
    ]
    stale = [path for path, name, content in pages if not fill(path, name, content, check=check)]
    stale += pictures(check=check)
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'is not as the reports say' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
