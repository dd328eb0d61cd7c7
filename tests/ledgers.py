"""A ledger whose clock stands still, and what goes into it, for tests of the ledger alone; knows no test."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends import for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def open_ledger(path: Path | str = ":memory:", **others: Any) -> Ledger:
    """Open a ledger in the kind of store that is tested; `others` is what differs from the usual."""
    usual: dict[str, Any] = {
        "clock": FrozenClock(NOW),
        "settings": Settings(),
        "analyse": lambda text: Lexical(text.encode(), b"t"),
    }
    return Ledger(here(path), **(usual | for_ledger() | others))


def add(text: str = "hello", **others: Any) -> Add:
    """Return a change that adds a new memory, said now."""
    usual: dict[str, Any] = {"id": new_id(), "text": text, "at": NOW}
    return Add(**(usual | others))
