"""One visit: who looks at which store, what was asked, and the answers a view can give; knows no view and no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from simonides.clock import parse_time
from simonides.errors import InputError

if TYPE_CHECKING:
    from simonides.bounded import Bounded
    from simonides.doors.ui.arrivals import Arrivals
    from simonides.doors.ui.looks import Looks
    from simonides.doors.ui.markup import Html

SCOPE = ("user", "agent", "session", "project")
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was handed in; it lies in a folder of its own until it is dropped."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, read.

    Attributes:
        store: what the visitor may see and do.
        root: where the page is mounted, e.g. ``/ui``; all addresses begin with it.
        here: the path below `root`.
        place: ids in the path.
        asked: the fields of the address; never a text of a memory.
        sent: the fields of a form that was posted.
        theme: ``light``, ``dark``, or empty to follow the system.
        arrivals: files that were handed in and are being imported.
        looks: what takes long to find, and was found a while ago.
    """

    store: Bounded
    root: str
    here: str
    arrivals: Arrivals
    looks: Looks
    place: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: Mapping[str, str] = field(default_factory=dict[str, str])
    sent: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    file: Upload | None = None
    theme: str = ""
    signed: bool = False

    def url(self, path: str, **query: str | int | None) -> str:
        """Return an address of the page; what is empty is left out of the query."""
        given = {key: str(value) for key, value in query.items() if value not in (None, "")}
        return f"{self.root}/{path.lstrip('/')}" + (f"?{urlencode(given)}" if given else "")

    def memory(self, id: str, **query: str | int | None) -> str:
        """Return the address of a memory."""
        return self.url(f"memory/{id}", **query)

    def one(self, name: str) -> str:
        """Return a field of the form or of the address, without white space around; empty if it is not there."""
        if values := self.sent.get(name):
            return values[0].strip()
        return self.asked.get(name, "").strip()

    def many(self, name: str) -> list[str]:
        """Return all values of a field, without the empty ones."""
        values = self.sent.get(name) or ([self.asked[name]] if name in self.asked else [])
        return [value for value in values if value]

    def text(self, name: str) -> str:
        """Return a text as it was typed; browsers send line ends as CR LF, which a memory does not get."""
        values = self.sent.get(name)
        return values[0].replace("\r\n", "\n") if values else ""

    def time(self, name: str) -> datetime | None:
        """Return a time that was typed or picked; a bare date is the end of that day in UTC.

        Raises:
            TimeError: it can't be read, or lacks a zone.
        """
        given = self.one(name)
        if not given:
            return None
        read = parse_time(given, name.replace("_", " "))
        return read + DAY - INSTANT if len(given) == len("2026-01-31") else read

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds.

        Raises:
            InputError: it is no number.
        """
        given = self.one(name)
        if not given:
            return default
        if not given.lstrip("-").isdigit() or len(given) > 18:
            raise InputError(name, "must be a whole number", given)
        return min(max(int(given), least), most)

    def scope(self) -> dict[str, str]:
        """Return the fields of the scope that were asked for, without those the credential fixes."""
        fixed = self.store.scope
        return {name: value for name in SCOPE if (value := self.one(name)) and not getattr(fixed, name)}

    def may(self, right: str) -> bool:
        """Tell whether the visitor has a right."""
        return right in self.store.rights

    @property
    def whole(self) -> bool:
        """Whether the visitor is bound to no scope."""
        return not any(getattr(self.store.scope, name) for name in SCOPE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view answers: a page, or another address to go to.

    Attributes:
        title: of the page, for its tab and its heading; never a text of a memory.
        wait: seconds after which the page asks again by itself; 0 for never.
    """

    title: str = ""
    body: Html | None = None
    go: str = ""
    status: int = 200
    wait: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
