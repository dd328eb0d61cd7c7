"""Read the backlog of one store in the workers of a pool; knows no door, and starts no worker.

Jobs are taken and codes are written here, by one process; workers only read texts. What they have not given back when
this ends goes back to the queue.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from simonides.enrich import BATCH, LEASE_SECONDS, holding
from simonides.ledger.jobs import READ, Job
from simonides.unread import for_workers, read_in_pool, unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simonides.chosen import Chosen
    from simonides.ledger import Ledger
    from simonides.pool import Pool
    from simonides.unread import Unread


def read_backlog(
    ledger: Ledger,
    chosen: Chosen,
    pool: Pool | None,
    step: Callable[[int], object],
    timeout: float | None = None,
) -> int:
    """Read until nothing is left that can be taken, or the seconds are over; return how many were read.

    Reads nothing without a pool, and nothing with a model that workers can't open by its name, or whose calls are
    counted here.

    Raises:
        StoreError: the model can't be had or reads nothing, or the store can't be written.
        WorkerLost: workers died again and again over the same texts.
    """
    if pool is None or chosen.remote or not chosen.named:
        return 0
    ends = None if timeout is None else time.monotonic() + timeout
    model = chosen.number()
    reading: deque[list[Job]] = deque()
    held = ledger.jobs.claim((READ,), LEASE_SECONDS, BATCH)

    def items() -> Iterator[list[Unread]]:
        taken = list(held)
        while taken:
            reading.append(taken)
            yield unread(ledger, [job.row or 0 for job in taken])
            over = ends is not None and time.monotonic() >= ends
            taken = [] if over else ledger.jobs.claim((READ,), LEASE_SECONDS, BATCH)
            held.extend(taken)

    done = 0
    try:
        with holding(ledger, held):
            for made, failed in pool.map(
                partial(read_in_pool, settings=for_workers(chosen.settings)), items()
            ):
                ledger.put_codes(model, made)
                taken = reading.popleft()
                ledger.jobs.fail([(job, failed[job.row or 0]) for job in taken if (job.row or 0) in failed])
                del held[: len(taken)]
                done += len(taken)
                step(len(taken))
    finally:
        if held:
            ledger.jobs.release(held)
    return done
