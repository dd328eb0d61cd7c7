"""Reads JSON arrays, JSON lines, zips and folders piece by piece, never a whole array; knows no format.

Bytes that are not UTF-8 become lone surrogates, which `record.repaired` replaces and counts.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO, TextIO, cast

from simonides.clock import EPOCH, utc
from simonides.doors.importers.record import Problem, unreadable
from simonides.errors import InputError, TimeError
from simonides.types import Json

CHUNK = 1 << 20
LISTS = ("results", "memories", "conversations", "data", "items", "samples")
"""Keys under which a lone object hides its list."""

_DAMAGE = (
    EOFError,
    OSError,
    RuntimeError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
)
"""What is raised by packed files that are cut off, altered or locked."""

_SPACE = re.compile(r"[\s,]*")
_MILLISECONDS_FROM = 1e11
"""Seconds since 1970 above this (year 5138) are taken for milliseconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """One JSON value of a file, with where it stands."""

    where: str
    value: Json


def table(value: Json) -> dict[str, Json]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: Json) -> list[Json]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def string(value: Json) -> str:
    """Return the value if it is text, a number as text, else nothing."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def named(**given: Json) -> dict[str, Json]:
    """Return metadata without what is empty."""
    return {key: value for key, value in given.items() if value not in (None, "", [], {})}


def stamp(value: Json, zone: tzinfo | None, subject: str = "time") -> datetime | None:
    """Return an aware time from seconds or milliseconds since 1970 or ISO 8601; None for nothing said.

    Raises:
        TimeError: it is no time, or it carries no zone and `zone` is None.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > _MILLISECONDS_FROM else value
            return utc(datetime.fromtimestamp(seconds, UTC), subject)
        if not isinstance(value, str):
            raise TimeError(subject, "must be a time", repr(value))
        found = datetime.fromisoformat(value.strip())
    except (ValueError, OverflowError, OSError) as err:
        if isinstance(err, TimeError):
            raise
        raise TimeError(subject, "must be ISO 8601 or seconds since 1970", repr(value)) from err
    if found.tzinfo is None and len(value.strip()) == len("2026-05-02"):
        found = found.replace(tzinfo=UTC)
    if found.tzinfo is None and zone is None:
        raise TimeError(
            subject, "must carry a time zone", value, "Say which with --zone, e.g. --zone Europe/Berlin."
        )
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    if utc(found, subject) < EPOCH.replace(year=2):
        raise TimeError(subject, "is too early", value)
    return found


def text_stream(stream: IO[bytes]) -> TextIO:
    """Return the bytes as text: UTF-8 (with or without a mark), or UTF-16 when it starts with its mark."""
    buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
    peek = getattr(buffered, "peek", None)
    start: bytes = peek(2)[:2] if peek else b""
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    return io.TextIOWrapper(buffered, encoding=encoding, errors=errors, newline="\n")


def json_lines(path: Path) -> Iterator[Found | Problem]:
    """Yield one value for each line that is not blank."""
    number = 0
    stream = _opened(path)
    try:
        with stream, text_stream(stream) as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield _line(f"{path.name} line {number}", line)
    except _DAMAGE as err:
        yield Problem(f"{path.name} line {number + 1}", f"cannot be read: {err}")


def _line(where: str, line: str) -> Found | Problem:
    try:
        return Found(where, json.loads(line, parse_constant=_no_constant))
    except RecursionError:
        return Problem(where, "nested too deeply")
    except ValueError as err:
        return Problem(where, f"not JSON: {err}")


def _no_constant(_name: str) -> None:
    """Stand in for NaN and Infinity, which JSON does not know."""


def json_items(path: Path, member: str) -> Iterator[Found | Problem]:
    """Yield the elements of each JSON array that `path` holds under a file name like the pattern `member`.

    `path` is the JSON file itself, a zip or a folder. An object instead of an array yields the list it hides.
    """
    for name, stream in _streams(path, re.compile(member)):
        try:
            with stream, text_stream(stream) as text:
                yield from _items(name, text)
        except _DAMAGE as err:
            yield Problem(name, f"cannot be read: {err}")


def _streams(path: Path, member: re.Pattern[str]) -> Iterator[tuple[str, IO[bytes]]]:
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*.json")) if member.fullmatch(file.name)]
        if not files:
            raise unreadable(path, f"has no file like {member.pattern}")
        for file in files:
            yield file.name, _opened(file)
    elif zipfile.is_zipfile(_checked(path)):
        yield from _members(path, member)
    else:
        yield path.name, _opened(path)


def _members(path: Path, member: re.Pattern[str]) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if member.fullmatch(name.rpartition("/")[2])]
            if not names:
                raise unreadable(path, f"has no file like {member.pattern}")
            for name in names:
                yield name, io.BufferedReader(_Member(archive.open(name)))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as err:
        if isinstance(err, InputError):
            raise
        raise unreadable(path, f"is not a zip that can be read: {err}") from err


class _Member(io.RawIOBase):
    """A zip member as a raw stream, so that it can be buffered and peeked into like a file."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill the buffer and return how many bytes were there."""
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _opened(path: Path) -> IO[bytes]:
    """Open a file for reading; what gzip packed is unpacked on the way."""
    stream = _checked(path).open("rb")
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    stream.close()
    return io.BufferedReader(cast("io.RawIOBase", gzip.open(path)))


def _checked(path: Path) -> Path:
    if not path.exists():
        raise unreadable(path, "does not exist")
    if path.is_dir():
        raise unreadable(path, "is a folder, not a file")
    try:
        path.open("rb").close()
    except OSError as err:
        raise unreadable(path, f"cannot be read: {err.strerror}") from err
    return path


def _items(name: str, stream: TextIO) -> Iterator[Found | Problem]:
    start = ""
    while not start and (chunk := stream.read(CHUNK)):
        start = chunk.lstrip()
    if start.startswith("["):
        yield from _array(name, stream, start[1:])
    elif start:
        yield from _object(name, start + stream.read())


def _object(name: str, text: str) -> Iterator[Found | Problem]:
    whole = _line(name, text)
    if isinstance(whole, Problem):
        yield whole
        return
    inner = table(whole.value)
    key = next((key for key in LISTS if isinstance(inner.get(key), list)), None)
    if key is None:
        yield whole
    else:
        for number, value in enumerate(rows(inner[key]), 1):
            yield Found(f"{name} {key} item {number}", value)


def _array(name: str, stream: TextIO, buffer: str) -> Iterator[Found | Problem]:
    """Decode one element after the other; the buffer doubles while an element is not complete yet."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    place, number, ended = 0, 1, False
    while True:
        blank = _SPACE.match(buffer, place)
        place = blank.end() if blank else place
        if buffer.startswith("]", place):
            return
        problem = "the array is not closed"
        if place < len(buffer):
            try:
                value, end = decoder.raw_decode(buffer, place)
            except RecursionError:
                yield Problem(f"{name} item {number}", "nested too deeply; what follows was not read")
                return
            except ValueError as err:
                problem = f"not JSON: {getattr(err, 'msg', err)}; what follows was not read"
            else:
                if end < len(buffer) or ended:
                    yield Found(f"{name} item {number}", value)
                    place, number = end, number + 1
                    continue
        if ended:
            yield Problem(f"{name} item {number}", problem)
            return
        more = stream.read(max(CHUNK, len(buffer) - place))
        ended = not more
        buffer, place = buffer[place:] + more, 0
