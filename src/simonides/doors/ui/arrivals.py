"""Files that were handed in: looked at, counted, imported in the background; knows no HTML and no request."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from simonides.doors.importers import FORMATS, parser
from simonides.doors.importers.detect import detect, is_own_export
from simonides.doors.importers.reading import json_lines, table
from simonides.doors.importers.record import Problem, Reading
from simonides.doors.importers.run import Plan, Run, Tally
from simonides.doors.paper import zone_of
from simonides.errors import InputError, NotFound, SimonidesError
from simonides.types import Json, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simonides.bounded import Bounded
    from simonides.ledger import Counts

OWN = "simonides"
"""The format of `simonides export`, which brings history and links too."""
MOST = 20
"""Files that wait at a time; the oldest one goes when there are more."""


@dataclass(slots=True)
class Arrival:
    """One file on its way in.

    Attributes:
        state: ``looking``, ``counted``, ``importing``, ``done`` or ``failed``.
        zone: the zone of times in the file that carry none.
        tally: counts so far.
        expected: how many new memories were counted before the import began.
        counts: the same for an export of simonides.
        way_out: what to do, where it failed.
    """

    key: str
    name: str
    folder: Path
    store: Bounded
    zone: str = "UTC"
    format: str = ""
    state: str = "looking"
    tally: Tally = field(default_factory=Tally)
    expected: int = 0
    counts: Counts | None = None
    why: str = ""
    way_out: str = ""

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.folder / self.name

    @property
    def working(self) -> bool:
        """Whether something goes on that is worth waiting for."""
        return self.state in ("looking", "importing")


class Arrivals:
    """The files that were handed in to this process, each with a name that can't be guessed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: dict[str, Arrival] = {}

    def take(self, store: Bounded, name: str, zone: str, copy: Callable[[Path], object]) -> Arrival:
        """Keep a file in a folder that is its owner's alone, and begin to look at it; `copy` writes it there."""
        require(store)
        safe = Path(name.replace("\\", "/")).name.strip(". ") or "file"
        folder = Path(tempfile.mkdtemp(prefix="simonides-import-"))
        arrival = Arrival(secrets.token_hex(12), safe[-120:], folder, store, zone)
        try:
            copy(arrival.path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            idle = [key for key, one in self._files.items() if not one.working]
            old = [self._files.pop(key) for key in idle[: max(len(self._files) + 1 - MOST, 0)]]
            self._files[arrival.key] = arrival
        for one in old:
            _discard(one)
        self._begin(arrival, dry=True)
        return arrival

    def find(self, key: str, store: Bounded) -> Arrival:
        """Return a file that was handed in.

        Raises:
            NotFound: there is none of that name, or it is somebody else's.
        """
        found = self._files.get(key)
        if found is None or (found.store.memory.path, found.store.scope) != (store.memory.path, store.scope):
            way_out = "Hand it in again; files are kept until the page is stopped."
            raise NotFound("this file", "is not here any more", "", way_out)
        return found

    def start(self, arrival: Arrival) -> None:
        """Import a file that was counted."""
        with self._lock:
            if arrival.state != "counted":
                raise InputError("this import", f"can't be started: it is {arrival.state}")
            arrival.state, arrival.expected = "importing", arrival.tally.new
        self._begin(arrival, dry=False)

    def drop(self, arrival: Arrival) -> None:
        """Forget a file."""
        with self._lock:
            self._files.pop(arrival.key, None)
        _discard(arrival)

    def close(self) -> None:
        """Forget all files."""
        for one in [*self._files.values()]:
            self.drop(one)

    def _begin(self, arrival: Arrival, *, dry: bool) -> None:
        Thread(
            target=_work, args=(arrival,), kwargs={"dry": dry}, name="simonides-import", daemon=True
        ).start()


def require(store: Bounded) -> None:
    """Refuse who may not import: what a file says of its scope can't be held against a bound one."""
    store.require("write")
    if store.scope != Scope():
        raise InputError("import", "is for those who are bound to no scope", "", "Ask an administrator.")


def _discard(arrival: Arrival) -> None:
    shutil.rmtree(arrival.folder, ignore_errors=True)


def _work(arrival: Arrival, *, dry: bool) -> None:
    """Count or import, and keep what came of it; nobody else would hear of an error in a thread."""
    try:
        if not arrival.format:
            arrival.format = detect(arrival.path)
            if arrival.format == "jsonl" and is_own_export(arrival.path):
                arrival.format = OWN
        _bring(arrival, dry=dry)
        arrival.state = "counted" if dry else "done"
    except SimonidesError as err:
        arrival.why, arrival.way_out = f"{err.subject}: {err.rule}", err.way_out
        arrival.why = arrival.why.replace(str(arrival.path), arrival.name)
        arrival.state = "failed"
    except Exception as err:
        arrival.why, arrival.way_out = (
            f"it could not be read ({type(err).__name__})",
            "Is it the file you meant?",
        )
        arrival.state = "failed"
    if arrival.state in ("done", "failed"):
        _discard(arrival)


def _bring(arrival: Arrival, *, dry: bool) -> None:
    memory = arrival.store.memory
    if arrival.format == OWN:
        arrival.counts = memory.undump(_records(arrival.path), plan=dry)
        return
    form = FORMATS[arrival.format]
    plan = Plan(arrival.format, f"{arrival.format}:{arrival.name}", form.follows, dry=dry)
    run = Run(memory, plan)
    arrival.tally = run.tally
    run.go(parser(arrival.format)(arrival.path, Reading(zone_of(arrival.zone), "")))


def _records(path: Path) -> Iterator[dict[str, Json]]:
    for found in json_lines(path):
        if isinstance(found, Problem):
            raise InputError(found.where, found.reason, "", "Export again; nothing was written.")
        yield table(found.value)
