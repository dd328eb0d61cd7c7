"""Stands before every request: numbers it, knows who asks, holds it to the limits, and writes it down.

One pure ASGI middleware, because each layer costs every request. It knows no route. Nothing of what is asked or
answered is written down: only the route, the status, the time it took and whose credential it was.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
import traceback
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from simonides.doors.rest import problems
from simonides.doors.rest.config import is_loopback
from simonides.doors.rest.problems import Refusal
from simonides.errors import SimonidesError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from simonides.doors.rest.config import Config
    from simonides.doors.rest.gate import Gate
    from simonides.doors.rest.stores import Caller

CALLER = "simonides.caller"
REQUEST = "simonides.request"
OPEN = frozenset({"/health/live", "/health/ready", "/openapi.json"})
"""Answered to anybody."""
METRICS = "/metrics"
IMPORT = "/v1/import"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
_EXPOSED_HEADERS = "ETag, Location, Retry-After, X-Request-ID"
_PRIVATE: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"private, no-cache"),
    (b"x-content-type-options", b"nosniff"),
)
"""On every answer: it is for who asked, and to be asked for again; an ETag saves the sending."""
_ALLOWED_METHODS = "GET, POST, PATCH, PUT, DELETE, OPTIONS"


class Stalled(Exception):
    """The client does not take what it asked for."""


class Exchange:
    """One request and its answer, as the log and the measurements will have it."""

    __slots__ = (
        "bytes",
        "caller",
        "headers",
        "id",
        "more",
        "origin",
        "patience",
        "scope",
        "send",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, send: Send, patience: float) -> None:
        self.scope, self.send, self.patience = scope, send, patience
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        self.started = time.perf_counter()
        self.status = self.bytes = 0
        self.origin = b""
        self.more = _PRIVATE
        self.caller: Caller | None = None

    async def reply(self, message: Message) -> None:
        """Send a part of the answer, with the number of the request on it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.id), *self.more]
            if self.origin:
                headers += [
                    (b"access-control-allow-origin", self.origin), (b"vary", b"Origin"),
                    (b"access-control-expose-headers", _EXPOSED_HEADERS.encode()),
                ]  # fmt: skip
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            if message.get("more_body"):
                await self._send_soon(message)
                return
        await self.send(message)

    async def _send_soon(self, message: Message) -> None:
        """Send a piece of a long answer, to somebody who takes it."""
        try:
            async with asyncio.timeout(self.patience):
                await self.send(message)
        except TimeoutError as err:
            raise Stalled from err

    def hold(self, caller: Caller) -> Caller:
        """Note who asks, and keep their store open until the request is over."""
        if self.caller is None:
            self.caller = caller
            caller.store.users += 1
        return caller

    def let_go(self) -> None:
        """Let the store be closed again."""
        if self.caller is not None:
            self.caller.store.users -= 1

    @property
    def route(self) -> str:
        """The pattern of the path; empty when there is none, or nobody looked."""
        return str(getattr(self.scope.get("route"), "path", ""))

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.perf_counter() - self.started


class Guard:
    """Lets in who may come in, and never lets an error out as anything but problem+json.

    Args:
        open_paths: how paths begin for which the caller is found out elsewhere, such as those of the page.
        watchers: are told of each exchange when it is over.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Config,
        gate: Gate,
        *,
        open_paths: tuple[str, ...] = (),
        watchers: tuple[Callable[[Exchange], None], ...] = (),
        failed: Callable[[Exchange, str], None] | None = None,
    ) -> None:
        self.app, self.config, self.gate = app, config, gate
        self.open_paths, self.watchers, self.failed = open_paths, watchers, failed
        self._anybody = OPEN | {METRICS} if config.open_metrics else OPEN
        self._any_host = "*" in config.hosts
        self._hosts = {name.lower() for name in config.hosts}
        self._origins = set(config.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there are none here
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, send, self.config.limits.body_seconds)
        scope[REQUEST] = exchange
        try:
            await self._answer(exchange, receive)
        except SimonidesError as err:
            await self._say(exchange, problems.of_error(err))
        except Refusal as err:
            await self._say(exchange, err.response())
        except Stalled:
            return  # the answer has no end, so that the connection is closed
        except Exception as err:  # the last stop: nothing of ours leaves with it
            if self.failed is not None:
                self.failed(exchange, told(err))
            await self._say(exchange, problems.unexpected(exchange.id.decode()))
        finally:
            exchange.let_go()
            for watch in self.watchers:
                watch(exchange)

    async def _answer(self, exchange: Exchange, receive: Receive) -> None:
        scope, headers = exchange.scope, exchange.headers
        self._check_host(headers)
        self._check_origin(exchange)
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers and exchange.origin:
            await self._say(exchange, preflight())
            return
        path = scope["path"]
        opened = any(path == one or path.startswith(f"{one}/") for one in self.open_paths)
        if not (opened or path in self._anybody):
            caller = await self.gate.admit(bearer(headers), (scope.get("client") or ("",))[0])
            scope[CALLER] = exchange.hold(caller)
        if opened:
            exchange.more = ()  # it says itself how it may be kept
        limits, streamed = self.config.limits, path == IMPORT or opened
        most = limits.import_bytes if streamed else limits.body_bytes
        body = Body(receive, headers, most, limits.body_seconds, streamed=streamed)
        await self.app(scope, body, exchange.reply)

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        """Refuse a name that is not ours: a page of somebody may have bent its own name to our address."""
        host = headers.get(b"host", b"").decode("latin-1")
        name = host_name(host)
        if self._any_host or is_address(name) or name == "localhost" or name in self._hosts:
            return
        way_out = "Start it with --allow-host NAME, if that is its name."
        raise Refusal(421, "Host", "is no name of this server", host, way_out, closing=True)

    def _check_origin(self, exchange: Exchange) -> None:
        """Refuse requests from pages of others; note an origin that is allowed."""
        origin = exchange.headers.get(b"origin")
        if origin is None:
            return
        text = origin.decode("latin-1")
        if text in self._origins or "*" in self._origins:
            exchange.origin = origin
            return
        host = exchange.headers.get(b"host", b"").decode("latin-1")
        if urlsplit_host(text) != host.lower():
            way_out = "Start it with --allow-origin ORIGIN, if its pages may ask."
            raise Refusal(403, "Origin", "is not allowed to ask", text, way_out, closing=True)

    async def _say(self, exchange: Exchange, response: Response) -> None:
        """Send an answer, unless one has begun already: then the connection ends in the middle of it."""
        if exchange.status:
            raise RuntimeError("the answer had begun")
        await response(exchange.scope, _nothing, exchange.reply)


class Body:
    """What is received of a request, with an end to how much and how slowly.

    Args:
        most: so many bytes.
        seconds: for all of it; for each piece of one that is `streamed`.
    """

    __slots__ = ("_left", "_most", "_receive", "_seconds", "_streamed", "_until", "over")

    def __init__(
        self, receive: Receive, headers: dict[bytes, bytes], most: int, seconds: float, *, streamed: bool
    ) -> None:
        self._receive, self._most, self._left, self._seconds = receive, most, most, seconds
        self._streamed = streamed
        self._until = 0.0
        self.over = False
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            raise self._too_large()

    async def __call__(self) -> Message:
        """Return the next piece."""
        if self.over:
            return await self._receive()
        if not self._until or self._streamed:
            self._until = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as err:
            rule = f"did not come within {self._seconds:g} seconds"
            raise Refusal(408, "body", rule, closing=True) from err
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self.over = not message.get("more_body", False)
            if self._left < 0:
                raise self._too_large()
        else:
            self.over = True
        return message

    def _too_large(self) -> Refusal:
        way_out = "Send it in several requests."
        return Refusal(413, "body", f"must be at most {self._most} bytes", "", way_out, closing=True)


def bearer(headers: dict[bytes, bytes]) -> str:
    """Return the token of a request; empty when there is none."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() in ("bearer", "token"):  # the second is what mem0's clients say
        return token.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()


def preflight() -> Response:
    """Return the answer to a browser that asks what a page of an allowed origin may do."""
    from starlette.responses import Response

    headers = {
        "Access-Control-Allow-Methods": _ALLOWED_METHODS,
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    return Response(None, 204, headers)


def told(error: BaseException) -> str:
    """Return the class of an error and where it happened, without its words: they may hold those of a memory."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = " < ".join(
        f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames)
    )
    return f"{type(error).__name__} in {places}"


def host_name(host: str) -> str:
    """Return the name in the header Host, without the port."""
    if host.startswith("["):
        return host.partition("]")[0][1:].lower()
    return host.partition(":")[0].lower()


def is_address(name: str) -> bool:
    """Tell whether a name is an IP address; those cannot be bent to point at something else."""
    import ipaddress

    if is_loopback(name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def urlsplit_host(origin: str) -> str:
    """Return host and port of an origin; empty for what is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
