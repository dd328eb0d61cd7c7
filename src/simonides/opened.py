"""A store, opened: what writes to it, waits for it and closes it; knows neither search nor any other verb."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from simonides import clock as clocks
from simonides.backlog import read_backlog
from simonides.enrich import Enricher
from simonides.ledger import Ledger
from simonides.ledger.drivers import STANDARD
from simonides.ledger.encrypted import Key, Vault
from simonides.parts import analyse
from simonides.parts.models import user_folder
from simonides.parts.progress import shown
from simonides.recipes import RECIPES
from simonides.settings import Settings
from simonides.types import Change, Receipt

if TYPE_CHECKING:
    from simonides.ledger import Lexical
    from simonides.parts.embed import Reader
    from simonides.parts.recall import Recall
    from simonides.pool import Pool


def default_path() -> Path:
    """Return the file that is used when none is named: the platform's own place for a user's data."""
    return user_folder() / "memory.db"


class Opened:
    """An open store, and the one way by which changes get into it; `Memory` says what its arguments are."""

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        embedder: str | Reader | None = None,
        recipe: str | None = None,
        clock: clocks.Clock | None = None,
        settings: Settings | None = None,
        actor: str = "",
        tracer: Callable[[str], None] | None = None,
        key: Key | None = None,
    ) -> None:
        if recipe is not None:
            RECIPES.get(recipe)
        self.settings = settings or Settings()
        self.clock = clock or clocks.SystemClock()
        self.actor = actor
        if isinstance(embedder, str):
            self.settings = replace(self.settings, model=embedder)
        self.ledger = Ledger(
            default_path() if path is None else path,
            clock=self.clock,
            settings=self.settings,
            analyse=analyse.lexical,
            tracer=tracer,
            driver=STANDARD if key is None else Vault(key),
        )
        self._enricher = Enricher(self.ledger, self.settings, None if isinstance(embedder, str) else embedder)
        self._recall: Recall | None = None

    @property
    def path(self) -> Path | str:
        """The one file; or the address of the server, its password hidden."""
        return self.ledger.path

    def apply(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        analysed: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        """Apply changes that a part or a recipe proposes, all in one transaction; `plan` only checks them.

        `analysed` holds the words of texts that were analysed elsewhere, as `parts.ahead` does.
        """
        return self._write(list(changes), wait=wait, plan=plan, known=analysed)

    def wait(
        self,
        timeout: float | None = None,
        *,
        progress: bool | Callable[[int], object] = False,
        pool: Pool | None = None,
    ) -> int:
        """Read the backlog with the full tier until it is empty or the seconds are over; return what remains.

        A `pool` reads in its workers, see `simonides.pool`; an endpoint's model is always read in this process.
        """
        if self.settings.meaning != "full":
            return 0
        with shown(progress, "reading", self.ledger.backlog_size()) as step:
            read_backlog(self.ledger, self._enricher.chosen, pool, step, timeout)
            return self._enricher.drain(timeout, step)

    def close(self) -> None:
        """Finish a little of the backlog, stop the background and close the file; twice is fine."""
        self._enricher.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        """Return the open memory."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def acting(self, actor: str) -> Self:
        """Return the same open store for another actor, as the log will say; it costs nothing, and is not closed."""
        other = copy.copy(self)
        other.actor = actor
        return other

    # Inside

    def _write(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        known: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        seqs = self.ledger.apply(changes, actor=self.actor, plan=plan, analysed=known)
        ids = tuple(change.id for change in changes)
        if plan:
            return Receipt(ids, (), "planned", tuple(changes))
        if wait:
            self.wait()
        else:
            self._enricher.wake()
        return Receipt(ids, seqs, self._state(ids) if wait else "stored", tuple(changes))

    def _state(self, ids: Sequence[str]) -> str:
        """Return whether all of these were read by the full tier; cheap when nothing waits at all."""
        if not ids or self.settings.meaning != "full":
            return "stored"
        waits = self.ledger.backlog_size()
        return (
            "stored"
            if waits and {one.state for one in self.ledger.progress(ids)} != {"enriched"}
            else "enriched"
        )
