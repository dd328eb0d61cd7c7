"""The new part of a transcript: what stands after the last line that was captured; knows no store.

A transcript only grows. So the last known line is looked for from the end backwards, whatever the length of the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from simonides.doors.importers.claude_code import FORMAT, item
from simonides.doors.importers.reading import Found
from simonides.doors.importers.record import Reading, Record, repaired
from simonides.types import Json

BLOCK = 256 * 1024
_UUID = re.compile(rb'"uuid"\s*:\s*"([^"\\]{1,100})"')


def beginning(path: Path, known: Collection[str]) -> int:
    """Return where in the file the line after the newest known one begins; 0 when there is none.

    Raises:
        OSError: the file can't be read.
    """
    names = {key.removeprefix(f"{FORMAT}:").encode() for key in known}
    if not names:
        return 0
    with path.open("rb") as file:
        return _after(file, names)


def turns(path: Path, begin: int) -> Iterator[Record]:
    """Yield what was said from a place in the file on, oldest first.

    A last line that is still being written is no line yet; it comes with the next look.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        file.seek(begin)
        for number, line in enumerate(file, 1):
            if line.strip() and (record := _record(f"{path.name} new line {number}", line)) is not None:
                yield record


def _record(where: str, line: bytes) -> Record | None:
    try:
        value: Json = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    found = item(Found(where, value), Reading()) if isinstance(value, dict) else None
    return repaired(found)[0] if isinstance(found, Record) else None


def _after(file: IO[bytes], names: Collection[bytes]) -> int:
    """Return where the line after the newest known one begins; 0 when no line is known."""
    end = file.seek(0, 2)
    rest = b""
    while end > 0:
        start = max(0, end - BLOCK)
        file.seek(start)
        block = file.read(end - start) + rest
        cut = 0 if start == 0 else block.find(b"\n") + 1
        if cut == 0 and start > 0:
            rest, end = block, start
            continue
        place = len(block)
        for line in reversed(block[cut:].splitlines(keepends=True)):
            if any(name in names for name in _UUID.findall(line)):
                return start + place
            place -= len(line)
        rest, end = block[:cut], start
    return 0
