"""What is served beside /v1 when it is asked for: mem0's paths and the page; each is loaded only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request

from simonides.bounded import Bounded
from simonides.doors.rest.guard import CALLER, REQUEST
from simonides.doors.rest.problems import Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI

    from simonides.doors.rest.gate import Gate

UI = "/ui"
_UNAUTHORIZED = 401


def mount_mem0(app: FastAPI) -> None:
    """Answer under the paths of mem0's own server, as whoever the token is."""
    from simonides.doors.rest.mem0 import router

    def provide(request: Request) -> Bounded:
        view: Bounded = request.scope[CALLER].view
        return view

    app.include_router(router(provide))


def mount_page(app: FastAPI, gate: Gate) -> Callable[[], object]:
    """Show the page; who looks at it signs in with a token, which a cookie keeps. Return what ends it."""
    from simonides.doors.ui.access import COOKIE
    from simonides.doors.ui.page import attach

    def provide(request: Request) -> Bounded | None:
        token = request.cookies.get(COOKIE, "")
        if not token:
            return None
        try:
            caller = gate.admit_from_thread(token, request.client.host if request.client else "")
        except Refusal as err:
            if err.status_code == _UNAUTHORIZED:
                return None
            raise
        request.scope[REQUEST].hold(caller)
        return caller.view

    return attach(app, provide, UI).close
