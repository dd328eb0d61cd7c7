"""How a route calls a verb: in a thread, as whoever asks, and its result as JSON; knows no route.

What a route hands in runs in a thread and returns the bytes of the answer, so that neither the store nor the making of
JSON stands in the way of the event loop.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response

from simonides import shapes
from simonides.bounded import Bounded
from simonides.doors.rest.config import READ, WRITE
from simonides.doors.rest.guard import CALLER
from simonides.doors.rest.problems import of_error
from simonides.errors import Conflict, Forbidden, InputError, NotFound
from simonides.ledger.replays import Replay
from simonides.types import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simonides.doors.rest.stores import Caller, Stores
    from simonides.types import Json, Receipt

JSON = "application/json"
KEY = "idempotency-key"
LONGEST_KEY = 200
_TAG = re.compile(r'(?:W/)?"(\d{1,15})"')


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    return cast("Caller", request.scope[CALLER])


def stores_of(request: Request) -> Stores:
    """Return the stores of the server."""
    return cast("Stores", request.app.state.stores)


def encoded(value: Json) -> bytes:
    """Return JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


async def read(
    request: Request,
    verb: Callable[[Bounded], Json],
    *,
    status: int = 200,
    lane: str = READ,
) -> Response:
    """Run a verb as whoever asks, and answer with its result."""
    caller, stores = caller_of(request), stores_of(request)
    view = caller.view
    seconds = stores.limits.verb_seconds
    body = await stores.run(lambda: encoded(verb(view)), caller.store, seconds=seconds, lane=lane)
    return Response(body, status, None, JSON)


async def write(
    request: Request,
    verb: Callable[[Bounded], Json],
    *,
    status: int = 200,
    headers: Callable[[dict[str, Any]], Mapping[str, str]] | None = None,
) -> Response:
    """Run a verb that writes; with an Idempotency-Key it is done once, however often it is asked for."""
    caller, stores = caller_of(request), stores_of(request)
    view = await _once(request, caller)

    def run() -> tuple[bytes, Mapping[str, str]]:
        value = verb(view)
        return encoded(value), headers(cast("dict[str, Any]", value)) if headers else {}

    body, more = await stores.run(run, caller.store, seconds=stores.limits.verb_seconds, lane=WRITE)
    return Response(body, status, more, JSON)


async def _once(request: Request, caller: Caller) -> Bounded:
    """Return the store as the caller sees it; for a request with an Idempotency-Key, such that it is done once."""
    key = request.headers.get(KEY)
    if key is None:
        return caller.view
    if not 0 < len(key) <= LONGEST_KEY:
        raise InputError("Idempotency-Key", f"must be 1 to {LONGEST_KEY} characters", "", "A UUID is enough.")
    asked = f"{request.method}\0{request.url.path}?{request.url.query}\0".encode("utf-8", "surrogateescape")
    replay = Replay(f"{caller.id}:{key}", sha256(asked + await request.body()).digest())
    return Bounded(caller.store.memory, caller.scope, caller.rights, caller.view.memory.actor, replay)


async def change(
    request: Request, id: str, verb: Callable[[Bounded, int | None], Receipt], *, tagged: bool = True
) -> Response:
    """Run a change of one memory, if it is at the version that If-Match says; 409 tells the current one."""
    wanted = request.headers.get("if-match")
    current: list[int] = []

    def run(mine: Bounded) -> Json:
        version = None if wanted is None else _version(mine, id, wanted)
        try:
            receipt = verb(mine, version)
        except Conflict:
            current.append(newest(mine, id))
            raise
        if tagged and receipt.state != "planned":
            current.append(newest(mine, id))
        return shapes.receipt(receipt)

    try:
        return await write(request, run, headers=lambda _: {"ETag": tag(current[0])} if current else {})
    except Conflict as err:
        return of_error(err, current=current[0] if current else None)


def newest(mine: Bounded, id: str) -> int:
    """Return the version that a memory is at: the believed one, or the last where it has ended."""
    try:
        return mine.get(id).version
    except NotFound:
        return max(one.version for one in mine.history(id))


def tag(version: int) -> str:
    """Return a version as an ETag."""
    return f'"{version}"'


def _version(mine: Bounded, id: str, wanted: str) -> int | None:
    """Return the version that If-Match wants, None for any; of several the one that the memory is at."""
    if wanted.strip() == "*":
        return None
    found = [int(match[1]) for match in _TAG.finditer(wanted)]
    if not found or _TAG.sub("", wanted).strip(" \t,"):
        way_out = 'Send the ETag of the memory, e.g. If-Match: "3".'
        raise InputError("If-Match", "must be a version in quotes", wanted, way_out)
    if len(found) == 1:
        return found[0]
    at = newest(mine, id)
    return at if at in found else found[0]


def fits_none(given: str | None, current: str) -> bool:
    """Tell whether If-None-Match names what the client has already."""
    if given is None:
        return False
    return given.strip() == "*" or current in {part.strip().removeprefix("W/") for part in given.split(",")}


def require_whole(mine: Bounded, what: str, *rights: str) -> None:
    """Refuse who may not look after the whole store.

    Raises:
        Forbidden: a right is missing, or the credential is bound to a scope.
    """
    for right in rights or ("admin",):
        mine.require(right)
    if mine.scope != Scope():
        raise Forbidden(what, "is about the whole store, and this credential is bound to a scope")


def where_of(text: str | None) -> dict[str, Any] | None:
    """Return the filter in a query string."""
    if text is None:
        return None
    from simonides.doors.verb import json_object

    return json_object(text, "where")
