"""The verbs that look after a store: status, doctor, reindex, backup, and moving it whole; `Memory` has them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, overload

from simonides.health import status
from simonides.ledger import Counts, Finding
from simonides.ledger.backup import Copy, back_up
from simonides.opened import Opened
from simonides.parts.progress import shown
from simonides.reindex import Estimate, reindexing
from simonides.types import Json, Progress, Receipt, Status

if TYPE_CHECKING:
    from simonides.parts.embed import Reader
    from simonides.pool import Pool


class Keeping(Opened):
    """What `Memory` can do to look after what is kept."""

    @overload
    def status(self) -> Status: ...

    @overload
    def status(self, receipt: Receipt | Iterable[str] | str) -> builtins.list[Progress]: ...

    def status(
        self, receipt: Receipt | Iterable[str] | str | None = None
    ) -> Status | builtins.list[Progress]:
        """Return how much there is; or, of a receipt or of ids, how far each memory is: stored, enriched or failed.

        Raises:
            NotFound: there is no memory or link of an id.
        """
        if receipt is not None:
            ids = receipt.ids if isinstance(receipt, Receipt) else receipt
            return self.ledger.progress([ids] if isinstance(ids, str) else ids)
        return status(self.ledger, self.settings, self._enricher.model)

    def doctor(self) -> builtins.list[Finding]:
        """Return each thing that was checked: what is wrong, and the fix."""
        return [*self.ledger.check(), *self._enricher.check()]

    def reindex(
        self,
        model: str | Reader | None = None,
        *,
        missing: bool = False,
        progress: bool | Callable[[int], object] = False,
        pool: Pool | None = None,
    ) -> int:
        """Make derived data anew, from the texts, which are not touched; return how many versions that concerned.

        Args:
            model: read with this model from now on. The old codes answer until those of the new model are complete
                and checked; then one transaction switches, for all processes. Stopped on the way, it goes on when
                called again.
            missing: make only what is missing or damaged.
            progress: as for `add_many`.
            pool: reads in its workers.

        Raises:
            Conflict: another process is making the codes of another model, or these.
            StoreError: the model isn't here, or can't read the texts; the old codes go on answering.
        """
        if model is not None:
            change = reindexing(self.ledger, self.settings, model, self._enricher.spending, pool)
            with shown(progress, "reading") as step:
                done = change.run(step)
            self._enricher.adopt(model)
            self.settings = self._enricher.settings
            self._enricher.wake()
            return done.read
        full, chosen = self.settings.meaning == "full", self._enricher.chosen
        if missing:
            rows = self.ledger.mend(codes=full).many
        else:
            number = self.ledger.staging.number(chosen.identity()) if full else self.ledger.served()
            rows = self.ledger.drop_derived("all", model=number)
        self._recall = None
        self._enricher.forget()
        self.wait(progress=progress, pool=pool)
        return rows

    def estimate_reindex(self, model: str | Reader) -> Estimate:
        """Return how much reading with another model has to be done, and how long it takes here; reads a few texts."""
        return reindexing(self.ledger, self.settings, model, self._enricher.spending).estimate()

    def backup(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Copy:
        """Write a checked copy of the file, of one moment, while others go on; `progress(pages done, of how many)`."""
        return back_up(self.ledger.database, Path(path), overwrite=overwrite, progress=progress)

    def dump(self) -> Iterator[dict[str, Json]]:
        """Yield the whole store as plain values: one for each version, link and event; `undump` takes them."""
        return self.ledger.dump()

    def undump(
        self, records: Iterable[Mapping[str, Json]], *, plan: bool = False, even_erased: bool = False
    ) -> Counts:
        """Take in what `dump` yielded: all of it in an empty file (it then dumps equal bytes), else what is missing."""
        counts = self.ledger.undump(records, actor=self.actor, plan=plan, even_erased=even_erased)
        self._enricher.wake()
        return counts
