"""Long looks at a store, taken in the background and kept for a while; knows neither what is looked for nor HTML.

Over many memories `doctor` and `review` take longer than anybody waits for a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from simonides.errors import SimonidesError, StoreError

if TYPE_CHECKING:
    from simonides.bounded import Bounded

T = TypeVar("T")
PATIENCE_SECONDS = 1.0
"""So long a page waits for what is being looked for before it is shown without it."""
KEPT_TIMES = 20
"""A look is taken again when so many times as long has passed as it took: what is quick is always fresh."""


@dataclass(slots=True)
class Look(Generic[T]):
    """The newest look.

    Attributes:
        value: what was found; None before the first time.
        took: seconds.
        error: why it failed, where it did.
    """

    value: T | None = None
    took: float = 0.0
    ended: float = 0.0
    error: SimonidesError | None = None
    worker: Thread | None = None
    lock: Lock = field(default_factory=Lock)

    @property
    def working(self) -> bool:
        """Whether somebody is looking."""
        return self.worker is not None and self.worker.is_alive()

    @property
    def age(self) -> float:
        """How many seconds ago it was taken."""
        return time.monotonic() - self.ended

    @property
    def done(self) -> bool:
        """Whether there is an answer, be it an error."""
        return self.value is not None or self.error is not None


class Looks:
    """The newest looks, by what was looked for, in which store, within which scope."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[object, Look[Any]] = {}

    def look(self, what: str, store: Bounded, work: Callable[[], T], *, anew: bool = False) -> Look[T]:
        """Return the newest look; begin one where there is none or it is too old, and wait a moment for it.

        An old one is shown while a new one is taken.
        """
        found = self._of(what, store)
        with found.lock:
            old = not found.done or found.age > KEPT_TIMES * found.took
            if (old or anew) and not found.working:
                found.worker = Thread(target=_work, args=(found, work), name=f"simonides-{what}", daemon=True)
                found.worker.start()
        if found.worker is not None:
            found.worker.join(PATIENCE_SECONDS)
        return cast("Look[T]", found)

    def forget(self, what: str, store: Bounded) -> None:
        """Let the next one look anew."""
        with self._lock:
            self._kept.pop(_key(what, store), None)

    def _of(self, what: str, store: Bounded) -> Look[Any]:
        with self._lock:
            return self._kept.setdefault(_key(what, store), Look[Any]())


def _key(what: str, store: Bounded) -> object:
    return what, str(store.memory.path), store.memory.settings.tenant, store.scope


def _work(look: Look[Any], work: Callable[[], object]) -> None:
    """Look, and keep what came of it; nobody else would hear of an error in a thread."""
    begun = time.monotonic()
    try:
        value, error = work(), None
    except SimonidesError as err:
        value, error = look.value, err
    except Exception as err:
        value = look.value
        error = StoreError("this look", f"failed unexpectedly: {type(err).__name__}", "", "Look again.")
    look.took = time.monotonic() - begun
    look.value, look.error, look.ended = value, error, time.monotonic()
