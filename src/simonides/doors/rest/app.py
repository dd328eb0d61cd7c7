"""The server as one ASGI application: its routes behind the guard; opens no socket and reads no environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from simonides import __version__
from simonides.doors.rest import care, carry, finding, links, memories, problems, telemetry, vitals
from simonides.doors.rest.answers import ProblemOut
from simonides.doors.rest.described import ERRORS, problem_of
from simonides.doors.rest.gate import Gate
from simonides.doors.rest.guard import OPEN, Guard
from simonides.doors.rest.metrics import Metrics
from simonides.doors.rest.mounts import UI, mount_mem0, mount_page
from simonides.doors.rest.problems import MEDIA_TYPE
from simonides.doors.rest.rates import Rates
from simonides.errors import SimonidesError

if TYPE_CHECKING:
    from simonides.doors.rest.config import Config
    from simonides.doors.rest.logs import Log
    from simonides.doors.rest.stores import Stores

PARTS = (memories, finding, links, care, carry, vitals)
_NOT_ALLOWED = 405
ABOUT = """The verbs of simonides as resources.

Every request but those of health needs `Authorization: Bearer TOKEN`. Times are ISO 8601 with a zone. Errors are
`application/problem+json` and say the way out. What belongs to others is not found.
"""


def make_app(stores: Stores, config: Config, *, log: Log | None = None) -> FastAPI:
    """Return the application; its life ends the stores'.

    Args:
        stores: what it answers from.
        config: how it behaves.
        log: where requests and failures are written down; nowhere if None.
    """

    limits, metrics = config.limits, Metrics()
    gate = Gate(stores, Rates(limits.rate, limits.burst, limits.strangers))
    sending = telemetry.Telemetry() if telemetry.wanted() else None
    ends: list[Callable[[], object]] = [] if sending is None else [sending.close]
    watchers = [metrics.exchange, *([] if log is None else [log.exchange])]
    watchers += [] if sending is None else [sending.exchange]

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None]:
        gate.begin()
        await stores.store("")
        yield
        for end in ends:
            await asyncio.to_thread(end)
        await stores.aclose()

    app = Server(
        title="simonides", version=__version__, description=ABOUT, openapi_url="/openapi.json",
        docs_url=None, redoc_url=None, lifespan=life, redirect_slashes=False,
    )  # fmt: skip
    app.state.stores, app.state.metrics = stores, metrics
    for part in PARTS:
        app.include_router(part.router)
    for kind, handler in (
        (SimonidesError, _known),
        (RequestValidationError, _unfit),
        (HTTPException, _refused),
    ):
        app.add_exception_handler(kind, handler)
    if config.mem0:
        mount_mem0(app)
    if config.ui:
        ends.append(mount_page(app, gate))
    app.add_middleware(
        Guard, config=config, gate=gate, open_paths=(UI,) if config.ui else (), watchers=tuple(watchers),
        failed=None if log is None else log.failure,
    )  # fmt: skip
    return app


class Server(FastAPI):
    """FastAPI, with a description that says what is true of errors and tokens."""

    def openapi(self) -> dict[str, Any]:
        """Return the description; made once."""
        if self.openapi_schema is None:
            self._correct(super().openapi())
        return self.openapi_schema or {}

    def _correct(self, made: dict[str, Any]) -> None:
        """Put our errors in the place of the framework's, each described once."""
        parts = made.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        schemas[ProblemOut.__name__] = ProblemOut.model_json_schema()
        for theirs in ("HTTPValidationError", "ValidationError"):
            schemas.pop(theirs, None)
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        parts["responses"] = {f"Problem{code}": problem_of(code) for code in ERRORS}
        made["security"] = [{"token": []}]
        for path, operations in made["paths"].items():
            for operation in operations.values():
                answers = operation["responses"]
                answers.pop("422", None)
                for code in answers.keys() & {str(each) for each in ERRORS}:
                    if MEDIA_TYPE in answers[code].get("content", {}):
                        answers[code] = {"$ref": f"#/components/responses/Problem{code}"}
                if path in OPEN:
                    operation["security"] = []


def _allowed(path: str) -> set[str]:
    """Return the methods of a path; the framework names those of the first route that fits."""
    routes = [one for part in PARTS for one in part.router.routes if isinstance(one, APIRoute)]
    fitting = [one for one in routes if one.path == path] or [
        one for one in routes if one.path_regex.match(path)
    ]
    return {name for one in fitting for name in one.methods or ()}


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, SimonidesError)
    return problems.of_error(error)


async def _unfit(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problems.of_validation(error.errors())


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == _NOT_ALLOWED:
        methods = _allowed(request.url.path) or {"GET"}
        error = HTTPException(_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(methods))})
    return problems.of_status(error)
