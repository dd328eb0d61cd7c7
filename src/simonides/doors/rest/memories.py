"""Routes of memories: write, list, read, correct, retire, restore, expire, and what hangs on them; knows no search."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from simonides import shapes
from simonides.bounded import Bounded
from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import (
    JSON,
    caller_of,
    change,
    encoded,
    fits_none,
    read,
    stores_of,
    tag,
    where_of,
    write,
)
from simonides.doors.rest.config import QUICK
from simonides.doors.rest.described import CHANGED, MADE, describing
from simonides.errors import InputError
from simonides.types import Json, Source

router = APIRouter(prefix="/v1", tags=["memories"])


@router.post(
    "/memories", **describing("addMemory", answers.ReceiptOut, status=201, headers=MADE, writes=True)
)
async def add(request: Request, body: bodies.NewMemory, how: Annotated[bodies.Adding, Query()]) -> Response:
    """Write one memory, word for word; it is durable and can be found when the answer comes."""

    def verb(mine: Bounded) -> Json:
        return shapes.receipt(mine.add(body.text, **row_of(body, "text"), wait=how.wait, plan=how.plan))

    return await write(request, verb, status=201, headers=_made)


@router.post("/memories/batch", **describing("addMemories", answers.ReceiptOut, status=201, writes=True))
async def add_many(
    request: Request, body: bodies.NewMemories, how: Annotated[bodies.Adding, Query()]
) -> Response:
    """Write many memories, 500 in a transaction; much faster than one after the other."""

    def verb(mine: Bounded) -> Json:
        rows = ({"text": row.text, **row_of(row, "text")} for row in body.rows)
        return shapes.receipt(mine.add_many(rows, wait=how.wait, plan=how.plan))

    return await write(request, verb, status=201)


@router.get("/memories", **describing("listMemories", answers.MemoriesOut))
async def list_(request: Request, which: Annotated[bodies.Listing, Query()]) -> Response:
    """List memories in the order in which they were written, a page at a time."""

    def verb(mine: Bounded) -> Json:
        chosen = bodies.given(which, "kind", "where", "limit")
        found = mine.list(**chosen, kinds=which.kind, where=where_of(which.where), limit=which.limit + 1)
        page = found[: which.limit]
        return {
            "memories": shapes.memories(page),
            "next": page[-1].id if len(found) > which.limit else None,
        }

    return await read(request, verb, lane=QUICK)


@router.get("/memories/{id}", **describing("getMemory", answers.MemoryOut, headers=CHANGED, cached=True))
async def get(request: Request, id: str, then: Annotated[bodies.Then, Query()]) -> Response:
    """Read one memory as it is, or as it was by either clock; what is read now has an ETag, its version."""
    caller, stores = caller_of(request), stores_of(request)

    def run() -> tuple[bytes, int]:
        found = caller.view.get(id, as_of=then.as_of, known_at=then.known_at)
        return encoded(shapes.memory(found)), found.version

    body, version = await stores.run(run, caller.store, seconds=stores.limits.verb_seconds, lane=QUICK)
    if then.as_of is not None or then.known_at is not None:
        return Response(body, 200, None, JSON)  # its end may change without a new version
    current = tag(version)
    if fits_none(request.headers.get("if-none-match"), current):
        return Response(None, 304, {"ETag": current})
    return Response(body, 200, {"ETag": current}, JSON)


@router.patch(
    "/memories/{id}", **describing("updateMemory", answers.ReceiptOut, headers=CHANGED, versioned=True)
)
async def update(
    request: Request, id: str, body: bodies.NewText, how: Annotated[bodies.Writing, Query()]
) -> Response:
    """Say what is true from `at` on; without `at` the memory is corrected for all of its time."""
    return await change(
        request,
        id,
        lambda mine, version: mine.update(id, **bodies.given(body), if_version=version, plan=how.plan),
    )


@router.delete(
    "/memories/{id}", **describing("retireMemory", answers.ReceiptOut, headers=CHANGED, versioned=True)
)
async def retire(request: Request, id: str, how: Annotated[bodies.Retiring, Query()]) -> Response:
    """End a memory: searches stop finding it, its history stays, and it can be restored. /v1/erase erases."""
    return await change(
        request,
        id,
        lambda mine, version: mine.retire(
            id, at=how.at, reason=how.reason, if_version=version, plan=how.plan
        ),
    )


@router.post(
    "/memories/{id}/restore", **describing("restoreMemory", answers.ReceiptOut, headers=CHANGED, writes=True)
)
async def restore(
    request: Request, id: str, body: bodies.Restoring, how: Annotated[bodies.Writing, Query()]
) -> Response:
    """Undo the last change of a memory, or make the text of one version the truth again."""
    return await change(request, id, lambda mine, _: mine.restore(id, **bodies.given(body), plan=how.plan))


@router.put(
    "/memories/{id}/expiry", **describing("expireMemory", answers.ReceiptOut, headers=CHANGED, writes=True)
)
async def expire(
    request: Request, id: str, body: bodies.Expiry, how: Annotated[bodies.Writing, Query()]
) -> Response:
    """Say when a memory expires; with neither `at` nor `ttl`, never."""

    def verb(mine: Bounded, _: int | None) -> Any:
        more = bodies.given(body, "at", "ttl")
        return mine.expire(id, body.at, ttl=bodies.seconds(body.ttl), **more, plan=how.plan)

    return await change(request, id, verb)


@router.get("/memories/{id}/history", **describing("getHistory", answers.VersionsOut))
async def history(request: Request, id: str, _: Annotated[bodies.Nothing, Query()]) -> Response:
    """Read every version of a memory ever written, oldest first, each with its reason and who wrote it."""
    return await read(request, lambda mine: {"versions": shapes.memories(mine.history(id))}, lane=QUICK)


@router.get("/progress", **describing("getProgress", answers.ProgressesOut))
async def progress(request: Request, which: Annotated[bodies.Following, Query()]) -> Response:
    """Tell how far memories are: stored, enriched by the full tier too, or failed."""
    return await read(request, lambda mine: {"progress": shapes.plain(mine.progress(which.id))}, lane=QUICK)


def row_of(shape: bodies.NewMemory, *without: str) -> dict[str, Any]:
    """Return the keyword arguments of `Memory.add` for a memory of a request."""
    row = bodies.given(shape, *without)
    if "ttl" in row:
        row["ttl"] = bodies.seconds(shape.ttl)
    if isinstance(shape.source, bodies.Origin):
        span = shape.source.span
        if span is not None and span[0] > span[1]:
            raise InputError("source.span", "must not end before it starts", list(span))
        row["source"] = Source(shape.source.name, shape.source.memory, span, shape.source.modality)
    return row


def _made(receipt: dict[str, Any]) -> dict[str, str]:
    if receipt["state"] == "planned":
        return {}
    return {"Location": f"/v1/memories/{receipt['ids'][0]}", "ETag": tag(1)}
