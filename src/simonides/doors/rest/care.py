"""Routes for who looks after a store: its log, undo, upkeep, rules, jobs, doubts; they know nothing of search.

Most are about the store as a whole, and refuse a credential that is bound to a scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from simonides import shapes
from simonides.bounded import Bounded
from simonides.clock import instant
from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import JSON, caller_of, encoded, read, require_whole, write
from simonides.doors.rest.config import WRITE
from simonides.doors.rest.described import describing
from simonides.types import Json, Rule, Scope

if TYPE_CHECKING:
    from simonides.types import Doubt

router = APIRouter(prefix="/v1", tags=["care"])
_Nothing = Annotated[bodies.Nothing, Query()]
_Number = Annotated[int, Path(ge=1, le=bodies.BIG)]


@router.get("/whoami", **describing("whoami", answers.CredentialOut))
async def whoami(request: Request, _: _Nothing) -> Response:
    """Tell who asks: the name, the scope and the rights of the credential."""
    caller = caller_of(request)
    told: dict[str, Json] = {
        "id": caller.id,
        "name": caller.name,
        "scope": shapes.plain(caller.scope),
        "rights": list(caller.rights),
        "created": shapes.time(caller.created),
        "expires": shapes.time(caller.expires),
    }
    return Response(encoded(told), 200, None, JSON)


@router.get("/log", **describing("readLog", answers.EventsOut))
async def log(request: Request, which: Annotated[bodies.Reading, Query()]) -> Response:
    """Read the log of all changes, oldest first, a page at a time; within a scope, that of one memory."""

    def verb(mine: Bounded) -> Json:
        found = mine.log(after=which.after, limit=which.limit + 1, subject=which.subject)
        page = found[: which.limit]
        return {
            "events": [shapes.event(one) for one in page],
            "next": page[-1].seq if len(found) > which.limit else None,
        }

    return await read(request, verb)


@router.post("/events/{seq}/undo", **describing("undo", answers.UndoneOut, writes=True))
async def undo(request: Request, seq: _Number, body: bodies.Undoing, _: _Nothing) -> Response:
    """Undo all that was written together with an entry of the log; undoing that undo redoes."""
    return await write(
        request, lambda mine: shapes.undone(mine.undo(seq, reason=body.reason, plan=body.plan))
    )


@router.post("/upkeep", **describing("upkeep", answers.UpkeepOut))
async def upkeep(request: Request, body: bodies.Keeping, _: _Nothing) -> Response:
    """Retire or erase what has expired, and finish what erasures have left pending; twice is fine."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "upkeep", "admin", "erase")
        return shapes.upkeep(mine.memory.upkeep(plan=body.plan, full=body.full))

    return await read(request, verb, lane=WRITE)


@router.get("/retention", **describing("listRules", answers.RulesOut))
async def rules(request: Request, _: _Nothing) -> Response:
    """List the rules of how long memories are kept."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "retention")
        return {"rules": [shapes.rule(one) for one in mine.memory.retention()]}

    return await read(request, verb)


@router.post("/retention", **describing("addRule", answers.MadeRuleOut, status=201))
async def add_rule(request: Request, body: bodies.NewRule, _: _Nothing) -> Response:
    """Keep memories of a kind or a scope for so long only."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "retention", "admin", *(["erase"] if body.action == "erase" else []))
        whose = Scope(**{name: value for name, value in bodies.given(body.scope).items() if value})
        rule = Rule(body.seconds, body.action, body.kind, whose, body.reason)
        return {"rule": shapes.rule(mine.memory.retention(add=rule)[-1])}

    return await read(request, verb, status=201, lane=WRITE)


@router.delete("/retention/{rule}", **describing("dropRule", answers.RulesOut))
async def drop_rule(request: Request, rule: _Number, _: _Nothing) -> Response:
    """Delete a rule; what it alone had hidden is shown again."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "retention")
        return {"rules": [shapes.rule(one) for one in mine.memory.retention(drop=rule)]}

    return await read(request, verb, lane=WRITE)


@router.get("/verify", **describing("verify", answers.VerificationOut))
async def verify(request: Request, _: _Nothing) -> Response:
    """Check the log's chain of hashes, and every memory against it."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "verify")
        found = mine.memory.verify()
        return {"ok": found.ok, "events": found.events, "head": found.head, "problems": [*found.problems]}

    return await read(request, verb)


@router.get("/status", **describing("getStatus", answers.StatusOut))
async def status(request: Request, _: _Nothing) -> Response:
    """Count what the store holds, and what is still to be read."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "status")
        told = shapes.plain(mine.status())
        assert isinstance(told, dict)
        return {name: value for name, value in told.items() if name != "path"}

    return await read(request, verb)


@router.get("/doctor", **describing("runDoctor", answers.FindingsOut))
async def doctor(request: Request, _: _Nothing) -> Response:
    """Find out what is wrong, and what to do about it; reads the whole store."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "doctor")
        return {"findings": shapes.plain(mine.doctor())}

    return await read(request, verb)


@router.get("/jobs", **describing("listJobs", answers.JobsOut))
async def jobs(request: Request, which: Annotated[bodies.Queue, Query()]) -> Response:
    """List the work that is still to be done, and what failed, a page at a time."""

    def verb(mine: Bounded) -> Json:
        require_whole(mine, "the jobs")
        ledger = mine.memory.ledger
        found = ledger.jobs.find(
            state=which.state or "", kind=which.kind, after=which.after, limit=which.limit + 1
        )
        page, health, now = found[: which.limit], ledger.jobs.health(), ledger.calls.now()
        about = ledger.load([job.row for job in page if job.row is not None])
        shown: list[Json] = [
            {
                "job": job.job, "kind": job.kind, "state": job.shown(now),
                "memory": about[job.row].id if job.row in about else None,
                "payload": None if job.payload is None else dict(job.payload),
                "priority": job.priority, "attempts": job.attempts,
                "due": shapes.time(instant(job.due)) if job.due else None,
                "created": shapes.time(instant(job.created)) if job.created else None,
                "worker": job.worker, "reason": job.reason,
            }
            for job in page
        ]  # fmt: skip
        following = page[-1].job if len(found) > which.limit else None
        counts: dict[str, Json] = {
            name: getattr(health, name) for name in ("waiting", "leased", "dead", "retrying")
        }
        return {"jobs": shown, "next": following, **counts}

    return await read(request, verb)


@router.get("/review", **describing("listDoubts", answers.DoubtsOut))
async def review(request: Request, which: Annotated[bodies.Doubting, Query()]) -> Response:
    """List memories that do not go together, or are of no use: duplicates, contradictions, junk."""
    return await read(
        request, lambda mine: {"doubts": [_doubt(one) for one in mine.review(**bodies.given(which))]}
    )


@router.post("/review/{id}", **describing("settleDoubt", answers.ReceiptOut, writes=True))
async def settle(request: Request, id: str, body: bodies.Decision, _: _Nothing) -> Response:
    """Decide what becomes of a doubt: keep all, merge into one, or retire; it can be undone."""

    def verb(mine: Bounded) -> Json:
        return shapes.receipt(
            mine.settle(id, body.decision, keep=body.keep, reason=body.reason, plan=body.plan)
        )

    return await write(request, verb)


def _doubt(value: Doubt) -> dict[str, Json]:
    return {
        "id": value.id,
        "why": value.why,
        "memories": shapes.memories(value.memories),
        "score": value.score,
        "reason": value.reason,
    }
