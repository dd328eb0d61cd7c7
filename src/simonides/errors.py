"""The whole tree of errors, so that a caller can catch by meaning; knows nothing of what raises them.

    SimonidesError
    |-- InputError (ValueError)          the caller's mistake; nothing was written
    |   |-- TimeError                    naive, unparsable or impossible time
    |   |-- FilterError                  unknown operator or shape in a `where` filter
    |   |-- TextError                    text that cannot be kept as it is
    |   `-- UnknownName (LookupError)    no recipe, setting, kind, model ... of that name
    |-- NotFound (LookupError)           no memory, link or event with that id, here and now
    |-- Forbidden                        the credential may not do this, or is bound to another scope
    |-- Conflict (RuntimeError)          a lost race: what you read has changed since
    `-- StoreError (RuntimeError)        the world's failure
        |-- StoreUnusable                not our file, a directory, read-only, full, corrupt
        |-- NewerStore                   written by a newer simonides
        |-- StoreBusy                    another process held the file for too long
        |-- ModelMismatch                vectors of two models must not be mixed
        |-- ModelMissing                 a model or an optional package is not installed
        |-- BudgetSpent                  the day's budget for model calls is used up
        `-- WorkerLost                   workers of a pool died again and again over the same items

Every message reads: *subject: rule (got value). Way out.*
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class SimonidesError(Exception):
    """Root of everything this package raises on purpose.

    Attributes:
        subject: what the message is about, e.g. ``"at"`` or ``"memory 0192..."``.
        rule: the rule that was broken or the thing that failed.
        value: what was given, shortened for people; empty when there is none.
        way_out: what to do now; empty when there is nothing to do.
    """

    def __init__(self, subject: str, rule: str, value: object = "", way_out: str = "") -> None:
        self.subject = subject
        self.rule = rule
        self.value = shorten(value)
        self.way_out = way_out
        got = f" (got {self.value})" if self.value else ""
        out = f" {way_out}" if way_out else ""
        super().__init__(f"{subject}: {rule}{got}.{out}")

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error travel from a worker process with its facts, whatever its class needs to be made."""
        return _bare, (type(self), *self.args), self.__dict__


class InputError(SimonidesError, ValueError):
    """The caller gave something that cannot be used; nothing was written."""


class TimeError(InputError):
    """A time is naive, unparsable or outside what can be stored."""


class FilterError(InputError):
    """A ``where`` filter has an unknown operator, shape or value."""


class TextError(InputError):
    """A text is empty, too long, or holds characters that cannot be stored unchanged."""


class UnknownName(InputError, LookupError):
    """A name is in no registry; the message lists the nearest ones."""

    def __init__(self, subject: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        near = get_close_matches(name, self.known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        super().__init__(
            subject, "unknown name", repr(name), f"{hint}Known: {', '.join(self.known) or 'none'}."
        )


class NotFound(SimonidesError, LookupError):
    """Nothing with that id exists in this store, this scope and at that time."""


class Forbidden(SimonidesError):
    """The credential does not allow it; what others own is not forbidden but not found."""


class Conflict(SimonidesError, RuntimeError):
    """Somebody else changed it first; read it again and decide anew."""


class StoreError(SimonidesError, RuntimeError):
    """The store could not do it; nothing was half-written."""


class StoreUnusable(StoreError):
    """The path is no store that can be opened or written."""


class NewerStore(StoreError):
    """The file was written by a newer version of simonides."""


class StoreBusy(StoreError):
    """Another process held the write lock longer than the busy timeout."""


class ModelMismatch(StoreError):
    """Vectors made by one model would be compared with those of another."""


class ModelMissing(StoreError):
    """A model file or an optional package is not installed."""


class BudgetSpent(StoreError):
    """The day's budget for model calls is used up; what waits goes on after midnight UTC."""


class WorkerLost(StoreError):
    """Workers of a pool died again and again over the same items; nothing of theirs was written."""


def _bare(kind: type[SimonidesError], *args: object) -> SimonidesError:
    return kind.__new__(kind, *args)


def shorten(value: object, limit: int = 120) -> str:
    """Return a value as short text for a message; never more than `limit` characters."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}\u2026"
