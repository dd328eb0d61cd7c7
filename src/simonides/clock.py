"""Instants, spans and ids: aware UTC inside, microseconds on disk; knows no memory and no store.

Time is stored as whole microseconds since 1970-01-01 UTC. Naive times are refused: a guess about the zone is
the most common silent error of memory systems.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from simonides.errors import InputError, TimeError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = 2**63 - 1
"""Microseconds that stand for *no end*; larger than any datetime."""


class Clock(Protocol):
    """Whatever tells the time; hand in a `FrozenClock` to make time repeatable."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine, in UTC."""

    def now(self) -> datetime:
        """Return the present instant."""
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told; ships for tests and demonstrations."""

    def __init__(self, at: datetime) -> None:
        self._at = utc(at, "clock")

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self._at

    def advance(self, **units: float) -> None:
        """Move forward by the keyword arguments of `datetime.timedelta`, e.g. ``days=2``."""
        self._at += timedelta(**units)

    def set(self, at: datetime) -> None:
        """Move to an instant, earlier or later."""
        self._at = utc(at, "clock")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time ``[start, end)``; `end` is None while it is open."""

    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        utc(self.start, "span start")
        if self.end is not None and utc(self.end, "span end") < self.start:
            raise TimeError("span", "must not end before it starts", f"{self.start} .. {self.end}")

    def holds(self, instant: datetime) -> bool:
        """Tell whether the instant lies in the span; the start belongs to it, the end does not."""
        return self.start <= instant and (self.end is None or instant < self.end)

    def overlaps(self, other: Span) -> bool:
        """Tell whether the two spans share an instant."""
        return (other.end is None or self.start < other.end) and (self.end is None or other.start < self.end)


def utc(value: datetime, subject: str = "time") -> datetime:
    """Return the instant in UTC; refuse naive times.

    Raises:
        TimeError: the time has no zone, or is so near year 1 or 9999 that UTC cannot hold it.
    """
    if not isinstance(value, datetime):
        raise TimeError(subject, "must be an aware datetime", value, "Pass datetime(..., tzinfo=...).")
    if value.tzinfo is None or value.utcoffset() is None:
        way_out = "Say which zone is meant, e.g. value.replace(tzinfo=timezone.utc) or value.astimezone()."
        raise TimeError(subject, "must carry a time zone", value.isoformat(), way_out)
    try:
        return value.astimezone(UTC)
    except OverflowError as err:
        raise TimeError(subject, "is outside the years 1 to 9999 in UTC", value.isoformat()) from err


def micros(value: datetime) -> int:
    """Return whole microseconds since the epoch; exact, no floating point."""
    return (utc(value) - EPOCH) // timedelta(microseconds=1)


def instant(value: int) -> datetime:
    """Return the UTC instant of so many microseconds since the epoch."""
    return EPOCH + timedelta(microseconds=value)


def until(value: int) -> datetime | None:
    """Return the end of a stored span, None when it is open."""
    return None if value == FOREVER else instant(value)


def zone_name(value: datetime) -> str:
    """Return the zone a time was given in: its IANA key where it has one, else its offset as ``+HH:MM[:SS]``."""
    key = getattr(value.tzinfo, "key", None)
    if isinstance(key, str):
        return key
    offset = value.utcoffset() or timedelta()
    sign, size = ("-", -offset) if offset < timedelta() else ("+", offset)
    hours, rest = divmod(size, timedelta(hours=1))
    minutes, seconds = divmod(rest, timedelta(minutes=1))
    odd = f":{seconds.seconds:02}" if seconds else ""  # zones of before the railways
    return f"{sign}{hours:02}:{minutes:02}{odd}" if offset else "UTC"


def parse_time(text: str, subject: str = "time") -> datetime:
    """Parse ISO 8601 with a zone, e.g. ``2026-05-02T10:00:00+02:00`` or ``2026-05-02T08:00Z``.

    A bare date is midnight UTC: it is what people type, and a day is coarse enough for zones not to matter much.
    """
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError as err:
        raise TimeError(
            subject, "must be ISO 8601", repr(text), "Example: 2026-05-02T10:00:00+02:00."
        ) from err
    if value.tzinfo is None and len(text.strip()) == len("2026-05-02"):
        value = value.replace(tzinfo=UTC)
    return value if value.tzinfo is None else _checked(value, subject)


def _checked(value: datetime, subject: str) -> datetime:
    utc(value, subject)
    return value


_id_lock = threading.Lock()
_id_last = 0


def new_id() -> str:
    """Return a new time-ordered 128-bit id as 32 hexadecimal digits (layout of UUID version 7).

    Ids of one process are strictly increasing, also within a millisecond: the 74 bits below the time hold a counter
    that starts at random and only grows.
    """
    global _id_last
    with _id_lock:
        fresh = (time.time_ns() // 1_000_000) << 74 | secrets.randbits(73)
        _id_last = fresh if fresh > _id_last else _id_last + 1 + secrets.randbits(16)
        value = _id_last
    high, low = value >> 62, value & (1 << 62) - 1
    milli, rand_a = high >> 12, high & 0xFFF
    return f"{milli << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | low:032x}"


def parse_id(text: str) -> bytes:
    """Return the 16 bytes of an id; dashes are allowed.

    Raises:
        InputError: it is not 32 hexadecimal digits.
    """
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except (ValueError, AttributeError, TypeError):
        raw = b""
    if len(raw) != 16:
        raise InputError(
            "id", "must be 32 hexadecimal digits", repr(text), "Take it from `list` or a receipt."
        )
    return raw
