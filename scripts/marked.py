"""Replaces what stands between two markers of a page; knows nothing of what is put there.

A place looks like this, and the two lines stay:

    <!-- settings: made by scripts/reference.py -->
    ...
    <!-- end of settings -->
"""

from __future__ import annotations

import re
from pathlib import Path


def place(name: str) -> re.Pattern[str]:
    """Return what finds the place of a name: its two markers and what stands between."""
    return re.compile(
        rf"(<!-- {re.escape(name)}: [^\n]*-->\n).*?(\n<!-- end of {re.escape(name)} -->)", re.DOTALL
    )


def filled(page: str, name: str, content: str) -> str:
    """Return a page with a place filled; LookupError when it has no such place."""
    pattern = place(name)
    if not pattern.search(page):
        raise LookupError(f"no place named {name!r} in the page")
    return pattern.sub(lambda found: f"{found[1]}\n{content.strip()}\n{found[2]}", page)


def fill(path: Path, name: str, content: str, *, check: bool = False) -> bool:
    """Fill a place of a file; with `check`, only tell whether it was filled so already."""
    page = path.read_text("utf-8")
    fresh = filled(page, name, content)
    if fresh != page and not check:
        path.write_text(fresh, "utf-8")
    return fresh == page


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
