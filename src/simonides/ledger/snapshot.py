"""Files that an index is saved in, beside its store: arrays to be mapped into memory; knows no index and no store.

A generation is a few files of arrays, told by a header that is renamed into place when they are all on the disk. Who
maps them may write into them: the mapping is private, and the files stay as they are. They can be deleted at any
time; whatever does not fit its header is as if it were not there. One process at a time writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.ledger.db import make_private
from simonides.ledger.growing import Growing, spare

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray


FORMAT = 1
HEADER, LOCK = "current", "lock"
PAGE = 4096
CHUNK = 1 << 26
WAIT = 10.0
"""Seconds that `discard` waits for whoever is writing."""


def folder(store: Path) -> Path:
    """Return where the index of a store in a file is saved."""
    return store.with_name(f"{store.name}-index")


def discard(place: Path, wait: float = WAIT) -> None:
    """Delete what is saved in a folder, and wait so many seconds for a writer in another process to be done before.

    Without waiting, a writer is left alone: it replaces what is saved.
    """
    if not place.is_dir():
        return
    with locked(place, wait) as held:
        if not held and not wait:
            return
        for file in place.iterdir():
            if file.name != LOCK:
                file.unlink(missing_ok=True)
    shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def locked(place: Path, seconds: float = 0.0) -> Generator[bool]:
    """Be the one process that writes into a folder; gives False if another still is after so many seconds."""
    make_private(place)
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        ends = time.monotonic() + seconds
        while not (held := _lock(handle)) and time.monotonic() < ends:
            time.sleep(0.02)
        yield held
    finally:
        os.close(handle)  # gives the lock back, as the end of the process would


def _lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:  # another process has it
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it
        return False
    return True


@dataclass(frozen=True, slots=True)
class Part:
    """Where an array lies in its file, and how much room there is for it to grow."""

    file: str
    at: int
    dtype: str
    shape: tuple[int, ...]
    room: int
    checksum: int | None

    @property
    def bytes(self) -> int:
        """How long the array is, without its room."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(slots=True)
class Saved:
    """What a header tells, with the arrays mapped.

    Attributes:
        facts: what the writer wanted known.
        arrays: by name.
        path: the folder; `generation` is what the names of its files begin with.
    """

    facts: Mapping[str, Any]
    arrays: dict[str, Growing]
    path: Path
    generation: str

    def file(self, name: str) -> Path:
        """Return the path of a file of this generation."""
        return self.path / f"{self.generation}.{name}"


@dataclass(slots=True)
class Writer:
    """Writes one generation: files of arrays, and last the header that makes them count."""

    path: Path
    generation: str = field(default_factory=lambda: os.urandom(8).hex())
    parts: dict[str, Part] = field(default_factory=dict[str, Part])
    sizes: dict[str, int] = field(default_factory=dict[str, int])

    def file(self, name: str) -> Path:
        """Return the path of a file of this generation."""
        return self.path / f"{self.generation}.{name}"

    @contextlib.contextmanager
    def writing(self, name: str) -> Generator[BinaryIO]:
        """Open a file that only its owner can read; at the end it is on the disk."""
        with os.fdopen(os.open(self.file(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        self.sizes[name] = self.file(name).stat().st_size

    def arrays(
        self, name: str, arrays: Mapping[str, NDArray[Any]], growing: frozenset[str], checked: frozenset[str]
    ) -> None:
        """Write arrays into one file: those in `growing` with room at their end, those in `checked` with a checksum."""
        with self.writing(name) as file:
            at = 0
            for key, array in arrays.items():
                flat = np.ascontiguousarray(array)
                room = spare(len(flat)) if key in growing else len(flat)
                data = flat.data.cast("B") if flat.nbytes else memoryview(b"")
                checksum = zlib.crc32(data) if key in checked else None
                self.parts[key] = Part(name, at, flat.dtype.str, flat.shape, room, checksum)
                _write(file, at, data)
                each = flat.itemsize * int(np.prod(flat.shape[1:], dtype=np.int64))
                at = -(-(at + room * each) // PAGE) * PAGE
            file.truncate(at)

    def stream(self, name: str, file: BinaryIO, dtype: np.dtype[Any], width: tuple[int, ...]) -> None:
        """Tell of an array that was written into a file of its own, from its beginning; gives it room."""
        each = dtype.itemsize * int(np.prod(width, dtype=np.int64))
        many = file.tell() // each
        self.parts[name] = Part(name, 0, dtype.str, (many, *width), spare(many), None)
        file.truncate(spare(many) * each)

    def taken(self, name: str) -> None:
        """Take in a file that something else has written."""
        self.file(name).chmod(0o600)
        self.sizes[name] = self.file(name).stat().st_size

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Let this generation count, and delete all others."""
        parts = {
            name: [one.file, one.at, one.dtype, one.shape, one.room, one.checksum]
            for name, one in self.parts.items()
        }
        told = {
            "format": FORMAT,
            "generation": self.generation,
            "facts": facts,
            "parts": parts,
            "files": self.sizes,
        }
        body = json.dumps(told).encode()
        draft = self.path / f"{self.generation}.header"
        with self.writing("header") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        draft.replace(self.path / HEADER)
        _settle(self.path)
        self._tidy()

    def abandon(self) -> None:
        """Delete what was written."""
        for file in self.path.glob(f"{self.generation}.*"):
            file.unlink(missing_ok=True)

    def _tidy(self) -> None:
        for file in self.path.iterdir():
            if file.name not in (HEADER, LOCK) and not file.name.startswith(f"{self.generation}."):
                with contextlib.suppress(OSError):  # one that is mapped stays, where the system says so
                    file.unlink()


def _write(file: BinaryIO, at: int, data: memoryview) -> None:
    file.seek(at)
    file.writelines(data[start : start + CHUNK] for start in range(0, len(data), CHUNK))


def _settle(path: Path) -> None:
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(path: Path) -> Saved | None:
    """Map what is saved in a folder; None if nothing is, or if it is damaged."""
    for _ in range(3):  # another process may just replace it
        try:
            return _load(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError):  # damaged; the rows of the store can make it anew
            return None
    return None


def facts(path: Path) -> Mapping[str, Any] | None:
    """Return the facts of a header alone; None if there is none."""
    try:
        return _header(path)["facts"]
    except (OSError, ValueError, KeyError, TypeError):  # damaged is as good as none
        return None


def _header(path: Path) -> dict[str, Any]:
    digest, _, body = (path / HEADER).read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("the header is damaged")
    told = json.loads(body)
    if told["format"] != FORMAT:
        raise ValueError("another format")
    return told


def _load(path: Path) -> Saved:
    told = _header(path)
    saved = Saved(told["facts"], {}, path, told["generation"])
    for name, size in told["files"].items():
        if name != "header" and saved.file(name).stat().st_size != size:
            raise ValueError(f"{name} is cut off")
    maps: dict[str, memoryview] = {}
    for key, (name, at, dtype, shape, room, checksum) in told["parts"].items():
        if name not in maps:
            with saved.file(name).open("rb") as file:
                whole = told["files"][name]
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if whole else b""
                maps[name] = memoryview(mapped)
        part = Part(name, at, dtype, tuple(shape), room, checksum)
        each = np.dtype(dtype).itemsize * int(np.prod(part.shape[1:], dtype=np.int64))
        raw = maps[name][at : at + room * each]
        if checksum is not None and zlib.crc32(raw[: part.bytes]) != checksum:
            raise ValueError(f"{key} is damaged")
        array = np.frombuffer(raw, part.dtype) if room else np.zeros(0, dtype)
        saved.arrays[key] = Growing(array.reshape(room, *part.shape[1:]), part.shape[0])
    return saved
