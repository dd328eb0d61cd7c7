"""What a writer meant to do and what it was told, in plain files outside the store; knows no store.

A line is written before each call, and another one after the call returned; each is with the operating system before
the writer goes on, so the death of the writer takes none back. The name of an operation is the reason of all its
changes: by it the store's own log says which of them happened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simonides.types import Add, Change, Connect, Disconnect, Restore, Retire, Scope, Supersede

if TYPE_CHECKING:
    from pathlib import Path

ENDING = ".journal"
_TYPES: dict[str, type[Change]] = {
    one.__name__: one for one in (Add, Supersede, Retire, Restore, Connect, Disconnect)
}
TRIED, DONE, REFUSED, FAILED = "tried", "done", "refused", "failed"


@dataclass(slots=True)
class Entry:
    """One operation.

    Attributes:
        name: no other operation has it.
        state: ``tried`` (no answer came), ``done``, ``refused`` (a rule was broken, or the race was lost) or
            ``failed`` (the store could not do it, which must not happen).
        seqs: the events that it was told of.
        seconds: until the answer came.
        told: the answer, where it was none of success.
    """

    name: str
    changes: Sequence[Change]
    state: str = TRIED
    seqs: tuple[int, ...] = ()
    seconds: float = 0.0
    told: str = ""


@dataclass(slots=True)
class Journal:
    """The entries of any number of writers.

    Attributes:
        notes: what writers saw that must not be, e.g. a memory that was not found right after its `add`.
        counts: how often writers did what leaves no trace in the log, e.g. searches.
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    notes: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])


class Writer:
    """Writes one journal; for one thread."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def tried(self, name: str, changes: Sequence[Change]) -> None:
        """Say what is about to be done."""
        self._line({TRIED: name, "changes": [encoded(change) for change in changes]})

    def done(self, name: str, seqs: Sequence[int], seconds: float = 0.0) -> None:
        """Say that it was acknowledged."""
        self._line({DONE: name, "seqs": list(seqs), "seconds": round(seconds, 6)})

    def refused(self, name: str, why: object) -> None:
        """Say that it was refused; nothing of it may be there."""
        self._line({REFUSED: name, "told": str(why)})

    def failed(self, name: str, why: object) -> None:
        """Say that the store could not do it."""
        self._line({FAILED: name, "told": f"{type(why).__name__}: {why}"})

    def note(self, text: str) -> None:
        """Say that something was seen that must not be."""
        self._line({"note": text})

    def count(self, name: str, many: int = 1) -> None:
        """Say that something was done that leaves no trace in the log."""
        self._line({"count": name, "many": many})

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _line(self, value: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(value, ensure_ascii=False).encode() + b"\n")


def read(folder: Path) -> Journal:
    """Return what all journals of a folder say; a last line that was cut off says nothing."""
    journal = Journal()
    for path in sorted(folder.glob(f"*{ENDING}")):
        open_entries: dict[str, Entry] = {}
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                _take(journal, open_entries, json.loads(line))
    return journal


def _take(journal: Journal, entries: dict[str, Entry], line: dict[str, Any]) -> None:
    if TRIED in line:
        entry = entries[line[TRIED]] = Entry(line[TRIED], tuple(map(decoded, line["changes"])))
        journal.entries.append(entry)
    elif "note" in line:
        journal.notes.append(line["note"])
    elif "count" in line:
        journal.counts[line["count"]] = journal.counts.get(line["count"], 0) + line["many"]
    else:
        state = next(one for one in (DONE, REFUSED, FAILED) if one in line)
        entry = entries[line[state]]
        entry.state, entry.told = state, line.get("told", "")
        entry.seqs, entry.seconds = tuple(line.get("seqs", ())), line.get("seconds", 0.0)


def named(changes: Iterable[Change], name: str) -> tuple[Change, ...]:
    """Return changes whose reason is the name of an operation."""
    return tuple(replace(change, reason=name) for change in changes)


def encoded(change: Change) -> dict[str, Any]:
    """Return a change as plain values; what stands at its default is left out."""
    plain: dict[str, Any] = {"is": type(change).__name__}
    for name, value in _said(change):
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Scope):
            value = [value.user, value.agent, value.session, value.project]
        plain[name] = value
    return plain


def _said(change: Change) -> Iterator[tuple[str, Any]]:
    for item in fields(change):
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        value = getattr(change, item.name)
        if value != default:
            yield item.name, value


def decoded(plain: dict[str, Any]) -> Change:
    """Return the change of `encoded`."""
    given = {name: value for name, value in plain.items() if name != "is"}
    for name in ("at", "until"):
        if name in given:
            given[name] = datetime.fromisoformat(given[name])
    if "scope" in given:
        given["scope"] = Scope(*given["scope"])
    return _TYPES[plain["is"]](**given)
