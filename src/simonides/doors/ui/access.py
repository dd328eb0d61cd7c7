"""Who may come in: hosts, origins, cookies, headers, how large a form may be; knows no view and no memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "simonides_token"
"""The cookie that holds the token of who signed in; `provide` reads it."""

MOST_FORM_BYTES = 64 * 1024 * 1024
MOST_FILE_BYTES = 2 * 1024 * 1024 * 1024

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
"""Nothing is loaded from elsewhere, nothing inline runs, nobody may frame it."""


class Guard:
    """Refuses what does not come from this page's own address, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        """Guard `app`; `hosts` are the names it may be asked for (without port), none for any."""
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, headed)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return PlainTextResponse("This page is not known by that name.", 421)
        if scope["method"] not in ("GET", "HEAD") and not _own(headers, host):
            return PlainTextResponse("This form was not sent from this page.", 403)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_FILE_BYTES:
            return PlainTextResponse("That is too much at once.", 413)
        return None


def _name(host: str) -> str:
    """Return the host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _own(headers: Headers, host: str) -> bool:
    """Tell whether a browser sent a form from this very page; who says nothing of it is refused."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "same-origin"
    try:
        return bool(host) and urlsplit(origin).netloc.casefold() == host.casefold()
    except ValueError:
        return False


def with_cookie(request: Request, name: str, value: str) -> Request:
    """Return the same request as if its cookie were this one, to try a token before it is given out."""
    headers = [pair for pair in _pairs(request) if pair[0] not in (b"cookie", b"authorization")]
    cookie = (b"cookie", f"{name}={value}".encode())
    return Request({**request.scope, "headers": [*headers, cookie]}, request.receive)


def _pairs(request: Request) -> Sequence[tuple[bytes, bytes]]:
    return request.headers.raw


def keep(response: Response, request: Request, name: str, value: str, path: str) -> None:
    """Put a cookie on a response that scripts can't read and other sites can't send; empty takes it away."""
    response.set_cookie(
        name,
        value,
        max_age=None if value else 0,
        path=path,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


class Doorkeeper:
    """Lets in who has the key that was printed; each key opens once, and becomes a cookie.

    Other users of the machine can reach the port, and neither see the key nor have the cookie.
    """

    def __init__(self, announce: Callable[[str], object] = lambda _key: None) -> None:
        """Make the first key; `announce` is told of each further one, which is made when one was used up."""
        self._lock = Lock()
        self._announce = announce
        self._inside: set[str] = set()
        self.key = secrets.token_urlsafe(24)

    def exchange(self, key: str) -> str | None:
        """Return the cookie for a key, and None for a wrong or a used one."""
        with self._lock:
            if not secrets.compare_digest(key.encode(), self.key.encode()):
                return None
            cookie = secrets.token_urlsafe(32)
            self._inside.add(cookie)
            self.key = secrets.token_urlsafe(24)
        self._announce(self.key)
        return cookie

    def knows(self, cookie: str) -> bool:
        """Tell whether a cookie was given out here."""
        return cookie in self._inside

    def forget(self, cookie: str) -> None:
        """Let a cookie open nothing any more."""
        self._inside.discard(cookie)
