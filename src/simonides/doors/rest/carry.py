"""Routes that carry a whole store out and in, as lines of JSON, in bounded memory; they know no other format.

Both work in a thread of their own, piece by piece: an export waits for the client to take what it has, an import for
the client to send more. An import is one transaction: all of it, or nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from threading import Event
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from simonides.bounded import Bounded
from simonides.doors.rest import answers, bodies
from simonides.doors.rest.calling import JSON, caller_of, encoded, require_whole, stores_of
from simonides.doors.rest.described import describing
from simonides.doors.rest.stores import Stores
from simonides.errors import InputError
from simonides.types import Json

router = APIRouter(prefix="/v1", tags=["carry"])
NDJSON = "application/x-ndjson"
_PIECE_BYTES = 64 * 1024
_WAITING = 4
"""Pieces of an export that wait for the client."""
_ESCAPED = 7
"""JSON takes at most so many bytes for one of a text, quotes and names of a record aside."""

_LINES = {"content": {NDJSON: {"schema": {"type": "string"}, "example": '{"type":"simonides","format":1}\n'}}}
_EXPORT: dict[str, Any] = describing("exportStore", None)
_EXPORT["responses"][200] = {"description": "One record a line.", **_LINES}
_IMPORT: dict[str, Any] = describing("importStore", answers.CountsOut)
_IMPORT["openapi_extra"] = {"requestBody": {"required": False, **_LINES}}


class Streamed(StreamingResponse):
    """Pieces that are made while they are sent; their making ends with the sending, however that ends."""

    media_type = NDJSON

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        super().__init__(pieces)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._pieces.aclose()


@router.get("/export", response_class=StreamingResponse, **_EXPORT)
async def export(request: Request, _: Annotated[bodies.Nothing, Query()]) -> Response:
    """Stream everything, history, links and log too: one record a line; /v1/import takes it in."""
    caller, stores = caller_of(request), stores_of(request)
    require_whole(caller.view, "an export", "admin", "read")
    stores.require_stream()
    return Streamed(_pieces(stores, caller.view))


@router.post("/import", **_IMPORT)
async def import_(request: Request, how: Annotated[bodies.Writing, Query()]) -> Response:
    """Take in what an export has, streamed: all of it or nothing; what is here already is skipped.

    A line that is no record is refused, with its number. It needs no Idempotency-Key: a second time adds nothing.
    """
    caller, stores = caller_of(request), stores_of(request)
    require_whole(caller.view, "an import", "admin", "write")
    stores.require_stream()
    loop, body = asyncio.get_running_loop(), aiter(request.stream())

    def piece() -> bytes | None:
        return asyncio.run_coroutine_threadsafe(_next(body), loop).result()

    lines = Lines(piece, stores.settings.max_text_bytes * _ESCAPED)

    def run() -> bytes:
        try:
            counts = caller.view.memory.undump(iter(lines), plan=how.plan)
        except InputError as err:
            where = f"line {lines.number}"
            if err.subject == where:
                raise
            raise InputError(f"{where}, {err.subject}", err.rule, err.value, err.way_out) from err
        told: dict[str, Json] = {
            "memories": counts.memories,
            "links": counts.links,
            "events": counts.events,
            "skipped": counts.skipped,
            "erased": counts.erased,
        }
        return encoded(told)

    return Response(await stores.stream(run, caller.store), 200, None, JSON)


class Lines:
    """The records of an import, read as they come.

    Attributes:
        number: of the line that was read last, from 1.
    """

    def __init__(self, piece: Any, most: int) -> None:
        self._piece, self._most = piece, most
        self.number = 0

    def __iter__(self) -> Iterator[dict[str, Json]]:
        """Yield one record for each line that is not blank."""
        for line in self._lines():
            self.number += 1
            if line.strip():
                yield self._record(line)

    def _lines(self) -> Generator[bytes]:
        rest: list[bytes] = []
        size = 0
        while (piece := self._piece()) is not None:
            first, *others = piece.split(b"\n")
            rest.append(first)
            size += len(first)
            if size > self._most:
                self.number += 1
                raise InputError(f"line {self.number}", f"must be at most {self._most} bytes")
            if others:
                yield b"".join(rest)
                yield from others[:-1]
                rest, size = [others[-1]], len(others[-1])
        if size:
            yield b"".join(rest)

    def _record(self, line: bytes) -> dict[str, Json]:
        where, way_out = f"line {self.number}", "Export again; nothing was written."
        try:
            found = json.loads(line)
        except RecursionError as err:
            raise InputError(where, "is nested too deeply", "", way_out) from err
        except ValueError as err:
            raise InputError(where, "is not JSON", str(err), way_out) from err
        if not isinstance(found, dict):
            raise InputError(where, "must be a JSON object", "", way_out)
        return cast("dict[str, Json]", found)


async def _next(body: AsyncIterator[bytes]) -> bytes | None:
    return await anext(body, None)


async def _pieces(stores: Stores, mine: Bounded) -> AsyncGenerator[bytes]:
    """Yield an export in pieces, made in a thread that waits while the client does not take them."""
    loop, gone = asyncio.get_running_loop(), Event()
    made: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)

    def put(piece: bytes | None) -> None:
        waiting = asyncio.run_coroutine_threadsafe(made.put(piece), loop)
        while not gone.is_set():
            try:
                waiting.result(0.5)
            except TimeoutError:
                continue
            return
        waiting.cancel()
        raise ConnectionError("the client is gone")

    def run() -> None:
        held: list[bytes] = []
        size = 0
        for record in mine.memory.dump():
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            held.append(line)
            size += len(line)
            if size >= _PIECE_BYTES:
                put(b"".join(held))
                held, size = [], 0
        put(b"".join(held))

    async def whole() -> None:
        try:
            await stores.stream(run, None)
        finally:
            if not gone.is_set():
                await made.put(None)

    task = asyncio.create_task(whole())
    try:
        while (piece := await made.get()) is not None:
            yield piece
        await task
    finally:
        gone.set()
        if not task.done():
            task.cancel()
