"""Attaches the page to a server: addresses, forms, files, signing in, errors as pages; knows no view from inside."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router

from simonides.doors.ui import doubts, graph, health, incoming, memories, one, playground, timeline
from simonides.doors.ui.access import COOKIE, MOST_FORM_BYTES, Guard, keep, with_cookie
from simonides.doors.ui.arrivals import Arrivals
from simonides.doors.ui.assets import ASSETS
from simonides.doors.ui.layout import THEMES, bare, document, shortcuts
from simonides.doors.ui.looks import Looks
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import button, notice
from simonides.doors.ui.visit import Answer, Upload, Visit
from simonides.errors import Conflict, Forbidden, InputError, NotFound, SimonidesError

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from simonides.bounded import Bounded

    Provide = Callable[[Request], Bounded | None]
    View = Callable[[Visit], Answer]

THEME = "simonides_theme"
YEAR = 365 * 86_400
LOG = logging.getLogger("simonides.ui")
STATUS = ((NotFound, 404), (Forbidden, 403), (Conflict, 409), (InputError, 400))

VIEWS: dict[str, tuple[View | None, View | None]] = {
    "/": (memories.show, None),
    "/add": (memories.form, memories.add),
    "/search": (playground.show, playground.answer),
    "/timeline": (timeline.show, None),
    "/graph": (graph.show, None),
    "/memory/{id}": (one.show, None),
    "/memory/{id}/correct": (None, one.correct),
    "/memory/{id}/retire": (None, one.retire),
    "/memory/{id}/restore": (None, one.restore),
    "/memory/{id}/erase": (one.ask_erase, one.erase),
    "/undo": (None, one.undo),
    "/health": (health.show, None),
    "/health/check": (None, health.check),
    "/health/verify": (None, health.verify),
    "/health/upkeep": (None, health.upkeep),
    "/health/retry": (None, health.retry),
    "/review": (doubts.show, doubts.settle),
    "/import": (incoming.show, incoming.take),
    "/import/{key}": (incoming.one, incoming.act),
}
"""What answers each address: to look at it, and to send it a form."""


def attach(
    app: Starlette,
    provide: Provide,
    path: str = "/ui",
    *,
    exchange: Callable[[str], str | None] | None = None,
    leave: Callable[[str], object] | None = None,
    cookie: str = COOKIE,
    hosts: Sequence[str] = (),
) -> Arrivals:
    """Serve the page below `path` of a server.

    Args:
        app: a Starlette or FastAPI application.
        provide: returns what a request may see and do, None for a stranger, who is asked for a token. It finds the
            token in the cookie `cookie`. It may raise a SimonidesError, which is shown.
        exchange: turns what a stranger typed into the value of the cookie, None where it is wrong; by default the
            token is the value.
        leave: is told the cookie of who signs out.
        hosts: names that the page may be asked for, without ports; empty for any (then the server must check).

    Returns:
        The files that visitors hand in; close it when the server stops.
    """
    page = _Page(path.rstrip("/"), provide, exchange or (lambda token: token), leave, cookie)
    app.mount(page.path, Guard(Router([*page.routes()]), hosts))
    app.add_route(page.path, lambda _request: RedirectResponse(f"{page.path}/", 308), include_in_schema=False)
    return page.arrivals


class _Page:
    """The page of one server."""

    def __init__(
        self,
        path: str,
        provide: Provide,
        exchange: Callable[[str], str | None],
        leave: Callable[[str], object] | None,
        cookie: str,
    ) -> None:
        self.path, self.arrivals, self.looks = path, Arrivals(), Looks()
        self._provide, self._exchange, self._leave, self._cookie = provide, exchange, leave, cookie

    def routes(self) -> Sequence[BaseRoute]:
        """Return all addresses below the path."""
        views = [
            Route(
                pattern,
                self._endpoint(look, send),
                methods=[name for name, view in (("GET", look), ("POST", send)) if view],
            )
            for pattern, (look, send) in VIEWS.items()
        ]
        return [
            Route("/static/{name}", _asset),
            Route("/theme", self._theme, methods=["POST"]),
            Route("/enter", self._enter),
            Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/help", self._endpoint(_keys, None)),
            *views,
            Route("/{rest:path}", self._endpoint(_lost, None)),
        ]

    def _endpoint(self, look: View | None, send: View | None) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            try:
                store = await run_in_threadpool(self._provide, request)
            except SimonidesError as err:
                return self._door(request, str(err))
            if store is None:
                return self._door(request)
            return await self._answer(request, store, send if request.method == "POST" else look)

        return endpoint

    async def _answer(self, request: Request, store: Bounded, view: View | None) -> Response:
        """Read the form that was sent, let the view answer in a thread, and write its answer."""
        visit = Visit(
            store=store,
            root=self.path,
            here=_here(request),
            arrivals=self.arrivals,
            looks=self.looks,
            place={key: str(value) for key, value in request.path_params.items()},
            asked=dict(request.query_params),
            theme=_theme_of(request),
            signed=self._cookie in request.cookies,
        )
        folder = Path(tempfile.mkdtemp(prefix="simonides-ui-")) if _is_file(request) else None
        try:
            if request.method == "POST":
                visit = await _read(request, visit, folder)
            answer = await run_in_threadpool(_safely, view or _lost, visit)
        except SimonidesError as err:
            answer = failure(visit, err)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            if folder is not None:
                await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)
        if answer.go:
            return RedirectResponse(answer.go, 303)
        return HTMLResponse(document(visit, answer), answer.status, dict(answer.headers))

    def _door(self, request: Request, wrong: str = "", status: int = 401) -> Response:
        """Return the form that asks for a token."""
        typed = el(
            "input",
            type="password",
            name="token",
            autocomplete="current-password",
            required=True,
            autofocus=True,
        )
        form = el(
            "form",
            el("input", type="text", name="name", value="simonides", autocomplete="username", hidden=True),
            el("label", el("span", "Token"), typed, class_="field"),
            el("input", type="hidden", name="back", value=_here(request)),
            button("Sign in", look="main"),
            method="post",
            action=f"{self.path}/sign-in",
            class_="stack",
        )
        hint = el(
            "p", "An administrator makes one with ", el("code", "simonides token create NAME"), ". The page of ",
            el("code", "simonides ui"), " prints its key in the terminal.", class_="soft",
        )  # fmt: skip
        body = el(
            "main", el("h1", "Simonides"), notice(wrong, bad=True) if wrong else None, form, hint, id="main"
        )
        body = el("div", body, class_="door")
        return HTMLResponse(bare(self.path, "Sign in · Simonides", body, theme=_theme_of(request)), status)

    async def _sign_in(self, request: Request) -> Response:
        if request.method == "GET":
            return self._door(request, status=200)
        sent = await _form(request)
        value = self._exchange(_first(sent, "token").strip())
        return await self._let_in(request, value, _first(sent, "back"))

    async def _enter(self, request: Request) -> Response:
        value = self._exchange(request.query_params.get("key", ""))
        if value is None:
            wrong = "That key was used already or is wrong. The terminal shows a new one."
            return self._door(_at(request, ""), wrong)
        return await self._let_in(request, value, "")

    async def _let_in(self, request: Request, value: str | None, back: str) -> Response:
        if not value or not value.isascii() or not value.isprintable() or set(value) & set(' ",;\\'):
            return self._door(_at(request, back), "That token is not known here.")
        try:
            store = await run_in_threadpool(self._provide, with_cookie(request, self._cookie, value))
        except SimonidesError as err:
            return self._door(_at(request, back), str(err))
        if store is None:
            return self._door(_at(request, back), "That token is not known here.")
        answer = RedirectResponse(_inside(self.path, back), 303)
        keep(answer, request, self._cookie, value, self.path)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        if self._leave is not None:
            self._leave(request.cookies.get(self._cookie, ""))
        answer = RedirectResponse(f"{self.path}/sign-in", 303)
        keep(answer, request, self._cookie, "", self.path)
        return answer

    async def _theme(self, request: Request) -> Response:
        sent = await _form(request)
        chosen = _first(sent, "theme")
        answer = RedirectResponse(_inside(self.path, _first(sent, "back")), 303)
        answer.set_cookie(
            THEME,
            chosen if chosen in THEMES else "",
            max_age=YEAR,
            path=self.path,
            httponly=True,
            samesite="strict",
        )
        return answer


def failure(visit: Visit, err: SimonidesError) -> Answer:
    """Return an error as a page: what it is about, the rule, the way out."""
    status = next((code for kind, code in STATUS if isinstance(err, kind)), 503)
    got = f" (got {err.value})" if err.value else ""
    said = notice(f"{err.subject}: {err.rule}{got}.", el("p", err.way_out) if err.way_out else None, bad=True)
    back = visit.memory(visit.place["id"]) if "id" in visit.place and status != 404 else visit.url("")
    return Answer("That did not work", join(said, _back(back)), status=status)


def _safely(view: View, visit: Visit) -> Answer:
    """Return what a view answers; errors are pages too."""
    try:
        return view(visit)
    except SimonidesError as err:
        return failure(visit, err)
    except Exception:
        LOG.exception("a view of the page failed: %s", visit.here.partition("?")[0].partition("/")[0])
        said = "A mistake of ours. Nothing was half-written; the terminal shows what happened."
        return Answer("That did not work", join(notice(said, bad=True), _back(visit.url(""))), status=500)


def _back(target: str) -> Html:
    return el("p", el("a", "Go back", class_="button plain", href=target))


def _keys(_visit: Visit) -> Answer:
    return Answer("Keyboard", shortcuts())


def _lost(visit: Visit) -> Answer:
    return Answer("There is no such page", _back(visit.url("")), status=404)


def _here(request: Request) -> str:
    """Return the path below the page, with its query."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", "")).lstrip("/")
    return path + (f"?{request.url.query}" if request.url.query else "")


def _at(request: Request, back: str) -> Request:
    """Return the request as one for another path of the page, for the form to come back to."""
    root = request.scope.get("root_path", "")
    path, _, query = back.partition("?")
    return Request({**request.scope, "path": f"{root}/{path}", "query_string": query.encode()})


def _inside(root: str, back: str) -> str:
    """Return an address of the page; what could lead out of it is cut off."""
    safe = back.replace("\\", "/").lstrip("/")
    return f"{root}/{safe if safe.isprintable() else ''}"


def _theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else ""


def _is_file(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def _read(request: Request, visit: Visit, folder: Path | None) -> Visit:
    """Return the visit with the form it sent; a file is put into the folder."""
    if folder is None:
        return replace(visit, sent=await _form(request))
    async with request.form(max_files=1, max_fields=20) as given:
        fields = {key: [value] for key, value in given.items() if isinstance(value, str)}
        file = next((value for value in given.values() if isinstance(value, UploadFile)), None)
        if file is None or not file.filename:
            raise InputError("file", "was not chosen", "", "Choose a file first.")
        path = folder / "file"
        await run_in_threadpool(_copy, file, path)
        return replace(visit, sent=fields, file=Upload(file.filename, path))


def _copy(file: UploadFile, path: Path) -> None:
    with path.open("wb") as stream:
        shutil.copyfileobj(file.file, stream)


async def _form(request: Request) -> Mapping[str, Sequence[str]]:
    """Read a form that browsers send by default."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise InputError("form", f"must not hold more than {MOST_FORM_BYTES:,} bytes")
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=1000, errors="strict")
    except (UnicodeDecodeError, ValueError) as err:
        raise InputError("form", "can't be read", str(err)) from err


def _first(sent: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(sent.get(name, ())), "")


async def _asset(request: Request) -> Response:
    found = ASSETS.get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("There is no such file.", 404)
    content, type_ = found
    return Response(
        content, headers={"cache-control": "private, max-age=31536000, immutable"}, media_type=type_
    )
