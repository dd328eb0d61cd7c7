"""Settle when each of two facts that exclude each other was true, by when they began; knows no text and no store.

The rule of Zep (arXiv:2501.13956) and its released code: facts that were never true at once leave each other alone; the
older one ends when the newer begins; one that arrives late is born with its end, which is where the next one begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from simonides.clock import Span


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a new fact and of those that exclude it.

    Attributes:
        until: when the new one ended; None while it is true.
        ended: when each of the others ended, by id; those that stay as they are left out.
        level: ids of those that began at the same instant: nothing says which of the two was later.
    """

    until: datetime | None
    ended: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    level: tuple[str, ...] = ()


def settle(new: Span, others: Mapping[str, Span]) -> Settled:
    """Return when the new fact and the others ended, each against the new one alone.

    Args:
        new: when the new fact began, and ended where it says so itself.
        others: those that exclude it, by id.
    """
    until, ended, level = new.end, dict[str, datetime](), list[str]()
    for id, other in sorted(others.items()):
        if not new.overlaps(other):
            continue
        if other.start < new.start:
            ended[id] = new.start
        elif other.start == new.start:
            level.append(id)
        else:
            until = other.start if until is None else min(until, other.start)
    return Settled(until, ended, tuple(level))
