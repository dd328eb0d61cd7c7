"""Arrays that grow at their end, in memory or over a mapped file; knows nothing of what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

LEAST = 1024


def spare(size: int) -> int:
    """Return how many entries an array of so many is given room for, so that growing seldom copies it."""
    return size + size // 4 + LEAST


class Growing:
    """An array with room at its end; `room` may be a private mapping of a file, which writing leaves as it is."""

    __slots__ = ("room", "size")

    def __init__(self, room: NDArray[Any], size: int = 0) -> None:
        self.room = room
        self.size = size

    @classmethod
    def of(cls, dtype: DTypeLike, *width: int) -> Growing:
        """Return an empty one."""
        return cls(np.zeros((0, *width), dtype))

    @property
    def all(self) -> NDArray[Any]:
        """Everything that is in it, as a view."""
        return self.room[: self.size]

    def extend(self, values: NDArray[Any]) -> None:
        """Add values at the end."""
        self.grow(self.size + len(values))[self.size - len(values) :] = values

    def grow(self, size: int) -> NDArray[Any]:
        """Make it so large, and return it all; what is new holds anything."""
        if size > len(self.room):
            room = np.empty((spare(max(size, self.size)), *self.room.shape[1:]), self.room.dtype)
            room[: self.size] = self.all
            self.room = room
        self.size = size
        return self.all
