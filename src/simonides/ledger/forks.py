"""Keeping connections out of forks: they are closed before one and opened again when next needed.

SQLite's locks belong to a process. A connection that both sides of a fork use can corrupt the file, so none is
carried over. Knows locks and processes; knows no SQL.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from simonides.ledger.db import Handle

_PATIENCE = 5.0
"""Seconds that a fork waits for a connection that is in use; after that the child must open its own."""


class Forkable:
    """Something with connections that are closed before this process forks.

    Attributes:
        pid: the process that may use the connections.
        gate: held while connections are registered, and during a fork.
    """

    def __init__(self, *, lasting: bool) -> None:
        """Register for forks, unless what the connections hold would be lost by closing them."""
        self.pid = os.getpid()
        self.gate = threading.RLock()
        self._held = ExitStack()
        self._safe = False
        if not lasting:
            _living.add(self)
            _hook()

    def handles(self) -> list[Handle]:
        """Return what holds the connections."""
        raise NotImplementedError

    def in_use(self) -> bool:
        """Tell whether a transaction is open in this process."""
        raise NotImplementedError

    def rest(self) -> None:
        """Close every connection and hold all locks until `wake`."""
        stack = ExitStack()
        self._safe = _take(stack, self.gate)
        for handle in self.handles():
            self._safe = self._safe and _take(stack, handle.lock)
        self._safe = self._safe and not self.in_use()
        if self._safe:
            for handle in self.handles():
                handle.shut()
        self._held = stack

    def wake(self, *, child: bool) -> None:
        """Give the locks back; in the child, take over if nothing was carried into it."""
        if child and self._safe:
            self.pid = os.getpid()
        self._held.close()


class _Lock(Protocol):
    def acquire(self, *, timeout: float) -> bool: ...

    def release(self) -> None: ...


def _take(stack: ExitStack, lock: _Lock) -> bool:
    if not lock.acquire(timeout=_PATIENCE):
        return False
    stack.callback(lock.release)
    return True


_living: weakref.WeakSet[Forkable] = weakref.WeakSet()


def living() -> list[Forkable]:
    """Return what this process has registered and not dropped."""
    return list(_living)


@cache
def _hook() -> None:
    """Ask the interpreter, once, to be told of forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _before() -> None:
    for each in living():
        each.rest()


def _after_in_parent() -> None:
    for each in living():
        each.wake(child=False)


def _after_in_child() -> None:
    for each in living():
        each.wake(child=True)
