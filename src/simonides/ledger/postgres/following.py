"""How far a server that follows another one is behind, and whether that may still be read; knows no table.

A standby is *up to date* when it receives from its primary and has replayed all that it received; else it is as far
behind as the last commit that it replayed is old. What was measured holds for a while: a store gets no older than the
time that passes, so most reads ask nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from simonides.errors import StoreBusy

if TYPE_CHECKING:
    from simonides.ledger.postgres.driver import Raw

LOOK = 5.0
"""Seconds after which a server is asked again whether it still follows, however old its answers may be."""
PATIENCE = 0.2
"""Seconds that a read waits for a server to catch up: between receiving and replaying it knows no better than to say
that it is as old as the commit before, and after a quiet hour that is an hour."""
_PAUSE = 0.01
# Of the receiver a plain role sees the process and nothing else, which says that it is connected.
_BEHIND = """SELECT pg_is_in_recovery(), CASE
    WHEN NOT pg_is_in_recovery() THEN 0
    WHEN EXISTS (SELECT 1 FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
        AND pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::double precision"""


@dataclass(frozen=True, slots=True)
class Behind:
    """What a server said of itself.

    Attributes:
        following: it follows another one.
        seconds: that it was behind; None when it can't tell.
        at: when it was asked, on this process's monotonic clock.
    """

    following: bool
    seconds: float | None
    at: float


def behind(execute: Callable[[LiteralString], Any]) -> Behind:
    """Ask a server, over a connection's `execute`, how far it is behind the one it follows; 0 if it follows none."""
    asked = time.monotonic()
    found = execute(_BEHIND).fetchone()
    following, seconds = found or (False, 0.0)
    return Behind(bool(following), None if seconds is None else max(0.0, float(seconds)), asked)


class Staleness:
    """Watches the servers that one store is read from, and refuses those that are too far behind.

    Args:
        most: seconds that a server may be behind; 0 allows any.
    """

    def __init__(self, most: float, subject: str) -> None:
        self._most = most
        self._subject = subject
        self._known: dict[tuple[str, int], Behind] = {}

    def require(self, raw: Raw) -> Behind:
        """Return how far the server of a connection is behind, as far as it matters.

        Raises:
            StoreBusy: it is, or may be, further behind than allowed.
        """
        server = raw.info.host, raw.info.port
        found = self._known.get(server)
        if found is None or not self._holds(found):
            found = self._known[server] = behind(raw.execute)
            until = time.monotonic() + PATIENCE
            while self._exceeds(found) and time.monotonic() < until:
                time.sleep(_PAUSE)
                found = self._known[server] = behind(raw.execute)
        if self._exceeds(found):
            much = "by how much it can't tell" if found.seconds is None else f"{found.seconds:.1f} seconds"
            rule = f"is behind the server that it follows ({much}), and {self._most:g} seconds are allowed"
            way_out = "Read from the other server, or raise the setting max_staleness."
            raise StoreBusy(self._subject, rule, "", way_out)
        return found

    def _holds(self, found: Behind) -> bool:
        passed = time.monotonic() - found.at
        if passed > LOOK:
            return False
        return not self._most or (found.seconds is not None and found.seconds + passed <= self._most)

    def _exceeds(self, found: Behind) -> bool:
        return bool(self._most) and (found.seconds is None or found.seconds > self._most)
