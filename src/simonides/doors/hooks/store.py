"""The store as hooks open it: without the full tier, and with its index saved early, because each hook starts cold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simonides.doors.keys import key_for
from simonides.doors.places import settings_from
from simonides.finding import Finding

if TYPE_CHECKING:
    from simonides.doors.hooks.running import Options

AGENT = "claude-code"
"""Who acts, as the log of the store says."""
WORTH = 1000
"""New documents from which on the index is saved; to read so many takes a hook some 7 ms."""


class Store(Finding):
    """An open store, of which hooks need no more than to find and to apply; `Memory` takes longer to load."""

    def keep_index(self) -> None:
        """Save the index, if enough is new, so that the next hook need not read the store for it."""
        index = self._enricher.recall().index
        index.worth = WORTH
        index.follow()


def opened(options: Options, milliseconds: int) -> Store:
    """Open the store without what takes longer to load than there is time; wait for a lock half of the time at most."""
    given = settings_from(options.settings)
    meaning = "instant" if given.meaning == "full" else given.meaning
    busy = min(given.busy_seconds, milliseconds / 2000)
    settings = replace(given, meaning=meaning, background=False, busy_seconds=busy)
    key = None if options.server else key_for(options.place, options.key_file)
    return Store(options.server or options.place, settings=settings, actor=AGENT, key=key)
