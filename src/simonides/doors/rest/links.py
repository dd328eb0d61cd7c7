"""Routes of links between memories: connect, list, walk along, end; they know nothing of what memories say."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from simonides import shapes
from simonides.bounded import Bounded
from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import read, write
from simonides.doors.rest.described import describing
from simonides.types import Json

router = APIRouter(prefix="/v1", tags=["links"])


@router.get("/memories/{id}/links", **describing("getLinks", answers.LinksOut))
async def of_memory(request: Request, id: str, which: Annotated[bodies.Linked, Query()]) -> Response:
    """List the links of a memory."""
    return await read(
        request,
        lambda mine: {"links": [shapes.link(one) for one in mine.links(id, **bodies.given(which))]},
    )


@router.get("/memories/{id}/neighbours", **describing("getNeighbours", answers.NeighboursOut))
async def neighbours(request: Request, id: str, which: Annotated[bodies.Near, Query()]) -> Response:
    """Walk along links, and tell which memories are reached in how many hops."""
    return await read(
        request, lambda mine: {"neighbours": shapes.plain(mine.neighbours(id, **bodies.given(which)))}
    )


@router.get("/links", **describing("listLinks", answers.LinkPageOut))
async def list_(request: Request, which: Annotated[bodies.Linking, Query()]) -> Response:
    """List links in the order in which they were made, a page at a time."""

    def verb(mine: Bounded) -> Json:
        found = sorted(mine.links(**bodies.given(which, "limit", "after")), key=lambda one: one.id)
        left = [one for one in found if one.id > which.after]
        page = left[: which.limit]
        return {
            "links": [shapes.link(one) for one in page],
            "next": page[-1].id if len(left) > which.limit else None,
        }

    return await read(request, verb)


@router.post("/links", **describing("link", answers.ReceiptOut, status=201, writes=True))
async def link(request: Request, body: bodies.NewLink, how: Annotated[bodies.Writing, Query()]) -> Response:
    """Link two memories; the id in the receipt is the link's."""

    def verb(mine: Bounded) -> Json:
        more = bodies.given(body, "source", "target", "relation")
        return shapes.receipt(mine.link(body.source, body.target, body.relation, **more, plan=how.plan))

    return await write(request, verb, status=201)


@router.delete("/links/{id}", **describing("unlink", answers.ReceiptOut, writes=True))
async def unlink(request: Request, id: str, how: Annotated[bodies.Ending, Query()]) -> Response:
    """End a link; it stays in the history."""
    return await write(request, lambda mine: shapes.receipt(mine.unlink(id, at=how.at, plan=how.plan)))
