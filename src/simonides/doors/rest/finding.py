"""Routes that answer questions: search, explain, context; and the one that erases what is found; they know no page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from simonides import shapes
from simonides.bounded import Bounded
from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import read, write
from simonides.doors.rest.described import describing
from simonides.errors import InputError
from simonides.types import Json

router = APIRouter(prefix="/v1", tags=["finding"])
_Nothing = Annotated[bodies.Nothing, Query()]


@router.post("/search", **describing("search", answers.HitsOut))
async def search(request: Request, body: bodies.Question, _: _Nothing) -> Response:
    """Find the memories that answer a query, best first; no hits mean that nothing fits."""

    def verb(mine: Bounded) -> Json:
        hits = mine.search(body.query, **bodies.given(body, "query"))
        return {"query": body.query, "hits": [shapes.hit(one) for one in hits]}

    return await read(request, verb)


@router.post("/explain", **describing("explain", answers.ExplanationOut))
async def explain(request: Request, body: bodies.Question, _: _Nothing) -> Response:
    """Show what a search considered, kept and dropped, and why."""
    return await read(
        request, lambda mine: shapes.explanation(mine.explain(body.query, **bodies.given(body, "query")))
    )


@router.post("/context", **describing("getContext", answers.ContextOut))
async def context(request: Request, body: bodies.Packing, _: _Nothing) -> Response:
    """Pack what answers a query for a prompt, dated and cited, within a budget of tokens."""
    return await read(
        request, lambda mine: shapes.context(mine.context(body.query, **bodies.given(body, "query")))
    )


@router.post("/erase", **describing("erase", answers.ErasureOut, writes=True))
async def erase(request: Request, body: bodies.Erasing, _: _Nothing) -> Response:
    """Erase for good, with a receipt; it cannot be undone. Use `plan` first."""
    chosen = bodies.given(body, "ids", "plan")
    choosing = set(chosen) - {"links", "derived", "keep_pages", "reason"}
    if body.ids is not None and choosing:
        raise InputError(
            "ids", "must not be given together with what else chooses", ", ".join(sorted(choosing))
        )
    return await write(request, lambda mine: shapes.erasure(mine.erase(body.ids, plan=body.plan, **chosen)))
