"""A disk that writes down what SQLite asks of it, and what is left of it when it stops; knows no store.

The write-ahead log's index (``-shm``) is not recorded: SQLite makes it anew when nobody has the file open.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import apsw

from simonides.ledger.drivers import FileConnection
from simonides.ledger.encrypted import open_connection

SECTOR_BYTES = 512
_HEADS, _TORN = 0.5, 0.3
"""How likely a write that was not yet synced reaches the disk when the power fails, and how likely only in part."""


class Act(StrEnum):
    """What was asked of the disk."""

    CREATE = "create"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One request.

    Attributes:
        file: name of the file.
        place: offset of a write, length after a truncation, 1 for a deletion that is synced.
    """

    act: Act
    file: str
    place: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Trace:
    """All requests in their order, and remarks of whoever made them happen.

    Attributes:
        steps: the requests.
        marks: (number of steps before it, what was remarked).
        failing: called before each write and sync; raises what the disk shall answer.
    """

    steps: list[Step] = field(default_factory=list[Step])
    marks: list[tuple[int, object]] = field(default_factory=list[tuple[int, object]])
    failing: Callable[[Step], None] | None = None

    def mark(self, remark: object) -> None:
        """Remark something between two requests."""
        self.marks.append((len(self.steps), remark))

    def take(self, step: Step) -> None:
        """Write down a request, unless it is to fail."""
        if self.failing is not None and step.act in (Act.WRITE, Act.SYNC, Act.TRUNCATE):
            self.failing(step)
        self.steps.append(step)


class Disk(apsw.VFS):
    """A VFS of SQLite that passes everything on to the system's own, and writes it down."""

    def __init__(self, name: str, trace: Trace) -> None:
        self._base = next(name for name in apsw.vfs_names() if not name.startswith("multipleciphers"))
        self._trace = trace
        super().__init__(name, self._base)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        """Open a file."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        new = path is not None and not Path(path).exists()
        file = _File(self._base, name, flags, self._trace)
        if new and path is not None:
            self._trace.take(Step(Act.CREATE, Path(path).name))
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 - SQLite's name and call
        """Delete a file."""
        self._trace.take(Step(Act.DELETE, Path(filename).name, int(syncdir)))
        super().xDelete(filename, syncdir)

    def excepthook(self, kind: type[BaseException], error: BaseException, where: object) -> None:
        """Say nothing of what fails on purpose; SQLite has its result code."""


class _File(apsw.VFSFile):
    def __init__(
        self, base: str, name: str | apsw.URIFilename | None, flags: list[int], trace: Trace
    ) -> None:
        self._trace = trace
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = "" if path is None else Path(path).name
        super().__init__(base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._trace.take(Step(Act.WRITE, self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._trace.take(Step(Act.TRUNCATE, self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._trace.take(Step(Act.SYNC, self._name))
        super().xSync(flags)

    def excepthook(self, kind: type[BaseException], error: BaseException, where: object) -> None:
        """Say nothing of what fails on purpose."""


class Watched:
    """A driver (`ledger.drivers.Driver`) of plain files that goes through a disk."""

    encrypted = False

    def __init__(self, disk: str) -> None:
        self._disk = disk

    def connect(self, path: str, busy_seconds: float, /) -> FileConnection:
        """Open a connection."""
        return open_connection(path, busy_seconds, vfs=self._disk)


Files = dict[str, bytearray]


def after_kill(steps: Sequence[Step], before: dict[str, bytes]) -> Iterator[Files]:
    """Yield the files after no step, after the first, the second ... as the system keeps them when a process dies.

    What is yielded is changed by going on; copy it to keep it.
    """
    files = {name: bytearray(content) for name, content in before.items()}
    yield files
    for step in steps:
        apply(files, step)
        yield files


class Platter:
    """What of a disk survives a power failure: all that was synced, and of the rest nobody knows.

    The names of files are in their folder. SQLite syncs it along with the first sync of a new log or journal, and with
    a deletion that says so.
    """

    def __init__(self, before: dict[str, bytes]) -> None:
        self._synced: Files = {name: bytearray(content) for name, content in before.items()}
        self._pending: list[Step] = []
        self._new: set[str] = set()

    def take(self, step: Step) -> None:
        """Take one request in."""
        if step.act is Act.SYNC:
            self._settle(lambda each: each.file == step.file)
            if step.file in self._new:
                self._settle(lambda each: each.act in (Act.CREATE, Act.DELETE))
                self._new.clear()
            return
        self._pending.append(step)
        if step.act is Act.CREATE:
            self._new.add(step.file)
        if step.act is Act.DELETE and step.place:
            self._settle(lambda each: each.file == step.file or each.act in (Act.CREATE, Act.DELETE))
            self._new.clear()

    def _settle(self, chosen: Callable[[Step], bool]) -> None:
        for each in self._pending:
            if chosen(each):
                apply(self._synced, each)
        self._pending = [each for each in self._pending if not chosen(each)]

    def fail(self, chance: random.Random) -> Files:
        """Return the files when the power fails now: any part of what was not synced is there, some of it torn."""
        files = {name: bytearray(content) for name, content in self._synced.items()}
        kept = chance.choice((0.0, _HEADS, _HEADS, _HEADS, 0.95, 1.0))
        for step in self._pending:
            if step.act is Act.CREATE:
                if chance.random() < _HEADS:
                    files.setdefault(step.file, bytearray())
            elif chance.random() < kept:
                for part in _torn(step, chance):
                    apply(files, part)
        return files


def apply(files: Files, step: Step) -> None:
    """Do to files what was asked."""
    if step.act is Act.DELETE:
        files.pop(step.file, None)
        return
    content = files.setdefault(step.file, bytearray())
    if step.act is Act.WRITE:
        if len(content) < step.place:
            content.extend(bytes(step.place - len(content)))
        content[step.place : step.place + len(step.data)] = step.data
    elif step.act is Act.TRUNCATE:
        del content[step.place :]


def _torn(step: Step, chance: random.Random) -> Iterator[Step]:
    """Yield a write, sometimes only some sectors of it."""
    if step.act is not Act.WRITE or chance.random() >= _TORN:
        yield step
        return
    start, end = step.place, step.place + len(step.data)
    cuts = [start, *range(start - start % SECTOR_BYTES + SECTOR_BYTES, end, SECTOR_BYTES), end]
    for one, other in pairwise(cuts):
        if chance.random() < _HEADS:
            yield Step(Act.WRITE, step.file, one, step.data[one - start : other - start])
