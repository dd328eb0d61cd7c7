"""Work: operations and bytes of a step, free of any device; knows neither who did it nor what it costs where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What a step took. Addable; `hardware` prices it for a device.

    Attributes:
        operations: multiply-adds, counted once each.
        read: bytes read from memory.
        written: bytes written to memory.
        synced: bytes made durable on disk.
    """

    operations: float = 0.0
    read: float = 0.0
    written: float = 0.0
    synced: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Return the sum of two pieces of work."""
        return Work(
            self.operations + other.operations,
            self.read + other.read,
            self.written + other.written,
            self.synced + other.synced,
        )
