"""Make the codes of another model beside those that are served, check them, and switch; knows no search and no door.

It can be stopped at any moment: what was written stays, and running it again goes on. The old codes answer searches
until one transaction switches to the new ones.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from simonides.chosen import Chosen
from simonides.enrich import BATCH, LEASE_SECONDS, TIDIED, holding
from simonides.errors import BudgetSpent, InputError, StoreError
from simonides.ledger.index import unpack_vectors
from simonides.parts import models
from simonides.parts.endpoint import BATCH_TEXTS, TOKEN_CHARACTERS
from simonides.unread import for_workers, read_each, read_in_pool, read_with, unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simonides.ledger import Code, Ledger
    from simonides.parts.embed import Reader
    from simonides.pool import Pool
    from simonides.settings import Settings
    from simonides.spending import Spending
    from simonides.unread import Read, Unread

SAMPLED = 32
"""Texts that an estimate reads."""
READ_AGAIN = 16
"""Texts that are read a second time before the switch."""
SAME = 0.98
"""Cosine that the two vectors of one text must have at least: 8 bits and the size of a batch change a little."""
FAILING_SHARE = 0.01
"""A larger share of texts that the model can't read forbids the switch."""
STILL_SERVED = "The old codes go on being served."
ROW_BYTES = 90
"""What a row of codes takes in the file beside them, indexes included."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What making the codes of a model will take.

    Attributes:
        memories: versions that have none of it yet; `done` have some already.
        per_second: versions read in a second, measured on a few.
        bytes: that the file grows by until the old codes are deleted; most of it is used again afterwards.
        calls: requests to an endpoint, `cost` what they cost; 0 for a model on this machine.
    """

    model: str
    memories: int
    done: int
    per_second: float
    seconds: float
    bytes: int
    calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch did.

    Attributes:
        read: versions read in this run; others had codes already, or are still to be read.
        failed: versions that the model can't read, by row, with the reason.
        waiting: versions that the backlog holds now.
    """

    model: str
    read: int
    failed: dict[int, str]
    waiting: int


class Reindex:
    """One change of the model of one store.

    Args:
        chosen: the new model.
        pool: reads in its workers; None reads here. An endpoint's model is always read here.
    """

    def __init__(self, ledger: Ledger, settings: Settings, chosen: Chosen, pool: Pool | None = None) -> None:
        self._ledger = ledger
        self._settings = settings
        self._chosen = chosen
        self._pool = None if chosen.remote or not chosen.named else pool

    def estimate(self) -> Estimate:
        """Read a few texts with the new model and tell what all will take; writes nothing.

        Raises:
            ModelMissing: the model isn't here.
        """
        model = self._ledger.staging.known(self._chosen.identity())
        left = self._ledger.staging.left(model, self._chosen.vector_bytes())
        newest = self._ledger.counters()["memory"]
        places = sorted({newest * step // SAMPLED for step in range(SAMPLED)})
        rows = [found for place in places for found in self._ledger.staging.unread(model, place, 1)]
        items = unread(self._ledger, sorted(set(rows)))
        reader = self._chosen.reader()
        read_with(reader, items[:1])  # the first one loads what is loaded late
        begun = time.perf_counter()
        made = read_with(reader, items)
        rate = len(items) / max(time.perf_counter() - begun, 1e-6)
        each = sum(len(code.pooled) + len(code.states) + ROW_BYTES for code in made) / max(1, len(made))
        calls = math.ceil(left.missing / BATCH_TEXTS) if self._chosen.remote else 0
        characters = sum(len(item.text) for item in items) / max(1, len(items))
        price = characters / TOKEN_CHARACTERS / 1000 * self._settings.endpoint_price if calls else 0.0
        return Estimate(
            self._chosen.name,
            left.missing,
            left.rows - left.missing,
            rate,
            left.missing / rate if rate else 0.0,
            int(left.missing * each),
            calls,
            left.missing * price,
        )

    def run(self, step: Callable[[int], object]) -> Switched:
        """Make all codes that are missing, check them, switch, and delete the old ones.

        Raises:
            Conflict: another process is at it, or another model's codes are being made.
            BudgetSpent: the rest has to wait for tomorrow; run it again then.
            StoreError: the model can't read the texts, or its codes aren't what it gives now; nothing was switched.
        """
        staging, jobs = self._ledger.staging, self._ledger.jobs
        size = self._chosen.vector_bytes()
        model = staging.number(self._chosen.identity())
        if model == self._ledger.served():
            return Switched(self._chosen.name, 0, {}, self._ledger.backlog_size())
        job = staging.begin(model, self._chosen.name, jobs.worker, LEASE_SECONDS)
        self._chosen.count_for(job.job)
        try:
            with holding(self._ledger, [job]):
                staging.prune(model, size)
                read, failed, last = self._read(model, step)
                if wrong := staging.prune(model, size):
                    rule = f"gives {wrong} vectors of another size than it says"
                    raise StoreError(f"model {self._chosen.name}", rule, "", STILL_SERVED)
                self._require_same(model)
                waiting = staging.switch(model, job.job, last, len(failed))
        except BudgetSpent as err:
            jobs.postpone([job], err.rule, self._ledger.calls.tomorrow())
            raise
        except BaseException:  # Ctrl-C too: others need not wait for the lease to end
            jobs.release([job])
            raise
        self.tidy()
        return Switched(self._chosen.name, read, failed, waiting)

    def tidy(self) -> None:
        """Delete the codes of models that are not served any more, and the job for it."""
        taken = self._ledger.jobs.claim(("tidy",), LEASE_SECONDS, 1)
        if taken:
            with holding(self._ledger, taken):
                while self._ledger.staging.tidy(TIDIED):
                    pass
            self._ledger.jobs.done(taken)

    def _read(self, model: int, step: Callable[[int], object]) -> tuple[int, dict[int, str], int]:
        """Write the codes of all rows; again and again until hardly any came in meanwhile."""
        read, failed, last = 0, dict[int, str](), 0
        while True:
            before = read
            for codes, bad in self._codes(self._missing(model, failed)):
                self._ledger.staging.write(model, codes)
                failed |= bad
                read += len(codes)
                last = max(last, *(code.row for code in codes), *bad)
                step(len(codes) + len(bad))
                if len(failed) > FAILING_SHARE * (read + len(failed)) + 1:
                    rule = f"can't read {len(failed)} of {read + len(failed)} texts: {next(iter(failed.values()))}"
                    raise StoreError(
                        f"model {self._chosen.name}", rule, "", "The old codes go on being served."
                    )
            if read - before < BATCH:
                return read, failed, last

    def _missing(self, model: int, failed: dict[int, str]) -> Iterator[list[Unread]]:
        last = 0
        while rows := self._ledger.staging.unread(model, last, BATCH):
            last = rows[-1]
            left = [row for row in rows if row not in failed]
            if left:
                yield unread(self._ledger, left)

    def _codes(self, chunks: Iterator[list[Unread]]) -> Iterator[Read]:
        if self._pool is not None:
            yield from self._pool.map(
                partial(read_in_pool, settings=for_workers(self._chosen.settings)), chunks
            )
        else:
            reader = self._chosen.reader()
            for chunk in chunks:
                yield read_each(reader, chunk)

    def _require_same(self, model: int) -> None:
        """Read some texts again and compare with what was stored."""
        newest = self._ledger.counters()["memory"]
        chosen = [random.randint(1, max(1, newest)) for _ in range(READ_AGAIN)]
        stored = self._ledger.staging.sample(model, chosen)
        again = read_with(self._chosen.reader(), unread(self._ledger, list(stored)))
        off = [code.row for code in again if not _same(code, stored[code.row])]
        if off:
            rule = f"gives other codes for {len(off)} of {len(again)} texts than were stored a moment ago"
            way_out = (
                "The old codes go on being served. Run it again with `simonides jobs drop` of its job before."
            )
            raise StoreError(f"model {self._chosen.name}", rule, "", way_out)


def reindexing(
    ledger: Ledger, settings: Settings, model: str | Reader, spending: Spending, pool: Pool | None = None
) -> Reindex:
    """Return the change of a store to a model, by its name or as an object."""
    named = isinstance(model, str)
    if named and model == models.AUTO:
        raise InputError("model", "must be the name of one model", model, "See `simonides model list`.")
    chosen = Chosen(
        ledger, replace(settings, model=model) if named else settings, None if named else model, spending
    )
    return Reindex(ledger, settings, chosen, pool)


def _same(one: Code, other: Code) -> bool:
    if one.pooled == other.pooled:
        return True
    vectors = unpack_vectors([one.pooled, other.pooled])
    norms = np.linalg.norm(vectors, axis=1)
    return bool(vectors[0] @ vectors[1] >= SAME * norms[0] * norms[1])
