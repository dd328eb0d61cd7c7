"""Routes for machines that watch the server: alive, ready, and the figures of Prometheus; they know no memory.

Ready is red, with status 503, where the store does not answer, work has waited for longer than `backlog_hours`, a
larger share of today's model calls than `failure_share` has failed, or the server is stopping.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import JSON, encoded, require_whole, stores_of
from simonides.doors.rest.described import describing
from simonides.doors.rest.guard import CALLER
from simonides.errors import SimonidesError
from simonides.health import FEW_CALLS, SECONDS_PER_HOUR, age_seconds

if TYPE_CHECKING:
    from simonides.doors.rest.metrics import Metrics
    from simonides.doors.rest.stores import Caller, Stores
    from simonides.memory import Memory
    from simonides.types import Json

router = APIRouter(tags=["health"])
REMEMBERED_SECONDS = 1.0
"""So long an answer about readiness holds: whoever asks costs the store no more than that."""
_Nothing = Annotated[bodies.Nothing, Query()]
_READY = describing("isReady", answers.HealthOut)
_READY["responses"][503] = {"description": "It is not ready, and why.", "model": answers.HealthOut}


@router.get("/health/live", **describing("isAlive", answers.HealthOut))
async def live(_request: Request, _: _Nothing) -> Response:
    """Tell that the process answers; it asks no store."""
    return Response(encoded({"status": "green"}), 200, None, JSON)


@router.get("/health/ready", **_READY)
async def ready(request: Request, _: _Nothing) -> Response:
    """Tell whether requests can be answered well: the store, the backlog, the model calls."""
    state = request.app.state
    known: tuple[float, dict[str, Json]] | None = getattr(state, "readiness", None)
    now = time.monotonic()
    if known is None or known[0] < now:
        known = (now + REMEMBERED_SECONDS, await _readiness(stores_of(request)))
        state.readiness = known
    told = known[1]
    return Response(encoded(told), 200 if told["status"] == "green" else 503, None, JSON)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Give the figures in Prometheus' text format."""
    stores, caller = stores_of(request), cast("Caller | None", request.scope.get(CALLER))
    if caller is not None:
        require_whole(caller.view, "the metrics")
    store = await stores.store("") if caller is None else caller.store
    gathered = cast("Metrics", request.app.state.metrics)
    body = await stores.run(lambda: gathered.text(store.memory), store)
    return Response(body, 200, None, gathered.media_type)


async def _readiness(stores: Stores) -> dict[str, Json]:
    """Return what is well and what is not."""
    if stores.closing:
        return {"status": "red", "checks": {"serving": False}}
    try:
        base = await stores.store("")
        return await stores.run(lambda: _looked(base.memory), base, seconds=stores.limits.verb_seconds)
    except SimonidesError:
        return {"status": "red", "checks": {"store": False}}


def _looked(memory: Memory) -> dict[str, Json]:
    settings, ledger = memory.settings, memory.ledger
    jobs, today = ledger.jobs.health(), ledger.calls.today()
    full = settings.meaning == "full"  # otherwise nobody is going to read what waits, and nobody misses it
    oldest = age_seconds(ledger, jobs) if full else 0.0
    share = today.failed / today.calls if today.calls else 0.0
    checks: dict[str, Json] = {
        "store": True,
        "backlog": oldest <= settings.backlog_hours * SECONDS_PER_HOUR,
        "calls": today.calls < FEW_CALLS or share <= settings.failure_share,
    }
    return {
        "status": "green" if all(checks.values()) else "red",
        "checks": checks,
        "backlog": jobs.waiting + jobs.leased if full else 0,
        "oldest_seconds": round(oldest, 3),
        "failure_share": round(share, 4),
    }
