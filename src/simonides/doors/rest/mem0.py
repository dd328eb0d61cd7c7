"""The paths of mem0's self-hosted server over our store, so that its clients work unchanged; knows no token.

Who may see what is decided before: `provide` turns a request into a store within a scope. Nothing here can widen it.
Answers have mem0's shapes, errors are ``{"detail": ...}`` as there.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from simonides.bounded import Bounded
from simonides.compat.mem0 import Memory, rows
from simonides.compat.mem0.checks import IDENTITIES
from simonides.errors import Conflict, Forbidden, NotFound, StoreError

if TYPE_CHECKING:
    from simonides.types import Memory as Version

Provide = Callable[[Request], "Bounded | Awaitable[Bounded]"]

ALL_LIMIT = 1000
"""Memories that a list without a name shows at most."""
SCAN_LIMIT = 10_000
"""Memories that the list of entities looks at."""
PAGE = 500
_SCOPED = "At least one identifier is required."
_ADD_SCOPED = "At least one identifier (user_id, agent_id, run_id) is required."
_ADMIN = "Admin role required to list all memories."


class Said(BaseModel):
    """One message; content may be a list of parts, of which the texts are kept."""

    role: str
    content: str | list[Any] | None = None
    name: str | None = None


class Create(BaseModel):
    """What POST /memories takes."""

    messages: list[Said] | str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    metadata: dict[str, Any] | None = None
    timestamp: int | float | str | None = None
    expiration_date: str | None = None
    infer: bool = True
    memory_type: str | None = None
    prompt: str | None = None


class Change(BaseModel):
    """What PUT /memories/{memory_id} takes; `data` is an old name of `text`."""

    text: str | None = None
    data: str | None = None
    metadata: dict[str, Any] | None = None
    expiration_date: str | None = None


class Search(BaseModel):
    """What POST /search takes."""

    query: str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    filters: dict[str, Any] | None = None
    top_k: int | None = None
    limit: int | None = None
    threshold: float | None = None
    explain: bool = False
    show_expired: bool = False
    reference_date: int | float | str | None = None


class Entity(BaseModel):
    """A user, an agent or a run, with what is known of it."""

    id: str
    type: Literal["user", "agent", "run"]
    total_memories: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Message(BaseModel):
    """A sentence."""

    message: str = Field(examples=["Memory deleted successfully"])


def router(provide: Provide) -> APIRouter:
    """Return mem0's paths: /memories, /search, /entities, /reset, /configure.

    Args:
        provide: returns the store that a request may see, or raises what the server answers with; it may be a
            coroutine function, and is called in a thread otherwise.
    """

    async def bounded(request: Request) -> Bounded:
        found = await run_in_threadpool(provide, request)
        return await found if inspect.isawaitable(found) else found

    routes = APIRouter(tags=["mem0"])
    store = Depends(bounded)
    _write(routes, store)
    _read(routes, store)
    _manage(routes, store)
    return routes


def _write(routes: APIRouter, store: Any) -> None:
    """Add the paths that write."""

    @routes.post("/memories", summary="Create memories", response_model=None)
    def _(body: Create, store: Bounded = store) -> Response:
        who = _who(body.user_id, body.agent_id, body.run_id)
        if not who and not _bound(store):
            return _refused(400, _ADD_SCOPED)
        messages = (
            body.messages if isinstance(body.messages, str) else [one.model_dump() for one in body.messages]
        )
        return _answer(
            lambda: Memory.over(store).add(
                messages, **who, metadata=body.metadata, timestamp=body.timestamp, infer=body.infer,
                expiration_date=body.expiration_date, memory_type=body.memory_type, prompt=body.prompt,
            )
        )  # fmt: skip

    @routes.put("/memories/{memory_id}", summary="Update a memory", response_model=None)
    def _(memory_id: str, body: Change, store: Bounded = store) -> Response:
        text = body.data if body.text is None else body.text
        given: dict[str, Any] = {"text": text, "metadata": body.metadata}
        if "expiration_date" in body.model_fields_set:
            given["expiration_date"] = body.expiration_date
        return _answer(lambda: Memory.over(store).update(memory_id, **given))

    @routes.delete("/memories/{memory_id}", summary="Delete a memory", responses={200: {"model": Message}})
    def _(memory_id: str, store: Bounded = store) -> Response:
        return _told("Memory deleted successfully", lambda: Memory.over(store).delete(memory_id))

    @routes.delete("/memories", summary="Delete all memories", responses={200: {"model": Message}})
    def _(
        user_id: str | None = None,
        run_id: str | None = None,
        agent_id: str | None = None,
        store: Bounded = store,
    ) -> Response:
        who = _who(user_id, agent_id, run_id)
        if not who:
            return _refused(400, _SCOPED)
        return _told("All relevant memories deleted", lambda: Memory.over(store).delete_all(**who))


def _read(routes: APIRouter, store: Any) -> None:
    """Add the paths that read."""

    @routes.get("/memories", summary="Get memories", response_model=None)
    def _(
        user_id: str | None = None,
        run_id: str | None = None,
        agent_id: str | None = None,
        top_k: Annotated[int | None, Query(ge=0, le=ALL_LIMIT)] = None,
        show_expired: bool = False,
        store: Bounded = store,
    ) -> Response:
        who = _who(user_id, agent_id, run_id)
        if who:
            limit: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
            return _answer(
                lambda: Memory.over(store).get_all(filters={**who}, show_expired=show_expired, **limit)
            )
        if not _bound(store) and "admin" not in store.rights:
            return _refused(403, _ADMIN)
        most = ALL_LIMIT if top_k is None else top_k
        return _answer(lambda: {"results": [_raw(one) for one in _all(store, most)]})

    @routes.get("/memories/{memory_id}", summary="Get a memory", response_model=None)
    def _(memory_id: str, store: Bounded = store) -> Response:
        return _answer(lambda: Memory.over(store).get(memory_id))

    @routes.get("/memories/{memory_id}/history", summary="Get memory history", response_model=None)
    def _(memory_id: str, store: Bounded = store) -> Response:
        return _answer(lambda: Memory.over(store).history(memory_id))

    @routes.post("/search", summary="Search memories", response_model=None)
    def _(body: Search, store: Bounded = store) -> Response:
        filters = {**(body.filters or {}), **_who(body.user_id, body.agent_id, body.run_id)}
        top_k = body.limit if body.top_k is None else body.top_k
        limit: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
        return _answer(
            lambda: Memory.over(store).search(
                body.query, filters=filters, threshold=body.threshold, explain=body.explain,
                show_expired=body.show_expired, reference_date=body.reference_date,
                **limit,
            )
        )  # fmt: skip


def _manage(routes: APIRouter, store: Any) -> None:
    """Add the paths about the store as a whole."""

    @routes.get("/entities", summary="List entities", responses={200: {"model": list[Entity]}})
    def _(store: Bounded = store) -> Response:
        return _answer(lambda: [one.model_dump(mode="json") for one in _entities(store)])

    @routes.delete(
        "/entities/{entity_type}/{entity_id}", summary="Delete an entity", responses={200: {"model": Message}}
    )
    def _(entity_type: Literal["user", "agent", "run"], entity_id: str, store: Bounded = store) -> Response:
        who: dict[str, Any] = {f"{entity_type}_id": entity_id}
        return _told("Entity deleted", lambda: Memory.over(store).delete_all(**who))

    @routes.post("/reset", summary="Reset all memories", responses={200: {"model": Message}})
    def _(store: Bounded = store) -> Response:
        return _told("All memories reset", lambda: Memory.over(store).reset())

    @routes.get("/configure", summary="Get the configuration", response_model=None)
    def _(store: Bounded = store) -> Response:
        return _answer(lambda: {"version": "v1.1", "vector_store": {"provider": "simonides", "config": {}}})

    @routes.post("/configure", summary="Take a configuration, and use nothing of it", response_model=None)
    def _(config: dict[str, Any], store: Bounded = store) -> Response:
        return _told("Nothing to configure: no model and no vector store is needed", lambda: None)


def _who(user_id: str | None, agent_id: str | None, run_id: str | None) -> dict[str, Any]:
    """Return whom a request names; an empty name is none."""
    given = {"user_id": user_id, "agent_id": agent_id, "run_id": run_id}
    return {name: value for name, value in given.items() if value}


def _bound(store: Bounded) -> bool:
    return any((store.scope.user, store.scope.agent, store.scope.session))


def _answer(call: Callable[[], object]) -> Response:
    """Return what a call returns, or why it doesn't, as mem0's server would."""
    try:
        return JSONResponse(call())
    except Forbidden as err:
        return _refused(403, str(err))
    except Conflict as err:
        return _refused(409, str(err))
    except StoreError:
        return _refused(503, "The memory database is unreachable.", code="datastore_unavailable")
    except (ValueError, NotFound) as err:
        return _refused(404 if isinstance(err, NotFound) or "not found" in str(err) else 400, str(err))


def _told(sentence: str, call: Callable[[], object]) -> Response:
    """Return a sentence when a call succeeds."""

    def done() -> dict[str, str]:
        call()
        return {"message": sentence}

    return _answer(done)


def _refused(status: int, detail: str, **more: str) -> Response:
    return JSONResponse({"detail": detail, **more}, status)


def _all(store: Bounded, most: int) -> Iterator[Version]:
    """Yield the memories that may be seen, in pages."""
    after, left = "", most
    while left > 0 and (page := store.list(limit=min(PAGE, left), after=after)):
        yield from page
        after, left = page[-1].id, left - len(page)


def _raw(memory: Version) -> dict[str, Any]:
    """Return a memory as the list of all shows it: every field, there or not."""
    shown = rows.row(memory)
    kept = rows.payload(memory)
    names = (*IDENTITIES, "expiration_date")
    hidden = {*rows.CORE, *names}
    metadata = {name: value for name, value in kept.items() if name not in hidden}
    return {
        **{name: shown[name] for name in ("id", "memory", "hash", "created_at", "updated_at")},
        **{name: kept.get(name) for name in names},
        "metadata": metadata,
    }


def _entities(store: Bounded) -> list[Entity]:
    """Return whose memories may be seen, with their number and times."""
    found: dict[tuple[str, str], Entity] = {}
    for memory in _all(store, SCAN_LIMIT):
        updated = memory.at if memory.version == 1 else memory.recorded.start
        for theirs, ours in IDENTITIES.items():
            if name := getattr(memory.scope, ours):
                kind = cast("Literal['user', 'agent', 'run']", theirs.removesuffix("_id"))
                one = found.setdefault((kind, name), Entity(id=name, type=kind))
                one.total_memories += 1
                one.created_at = min(one.created_at or memory.at, memory.at)
                one.updated_at = max(one.updated_at or updated, updated)
    return [found[key] for key in sorted(found)]
