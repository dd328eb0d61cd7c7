"""HTTP to one server, over connections that are kept; knows no noun and no verb.

The standard library only. The token goes to that one server and nowhere else: redirects are not followed, certificates
are checked, proxies of the environment are not used.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from simonides.client import reading
from simonides.errors import InputError, StoreBusy, StoreError, StoreUnusable

PIECE = 64 * 1024
_MOST_IDLE = 8
_IDLE_SECONDS = 4.0
"""After so long a connection is not used again: a server closes idle ones, and uvicorn does after five seconds."""
_LONGEST_WAIT = 5.0
_AGAIN = frozenset({429, 502, 503, 504})
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Query = Mapping[str, str | int | bool | Iterable[str] | None]


class Transport:
    """Connections to one server, for any number of threads.

    Args:
        url: of the server, ``http://`` or ``https://``, with what comes before ``/v1``.
        token: sent with every request.
        timeout: seconds until a server that says nothing is given up.
        retries: how often a request is made again that may have been lost.
        ca: a file with the certificates to trust, in place of those of the system.
        insecure: to send the token over plain http to another machine.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float,
        retries: int,
        ca: str | Path | None = None,
        insecure: bool = False,
    ) -> None:
        parts = _split(url)
        self.url = url.rstrip("/")
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._tls = _trusting(ca) if parts.scheme == "https" else None
        if self._tls is None and self._host not in _LOOPBACK and not insecure:
            rule = "would send the token and the memories over the network for everybody to read"
            raise InputError(
                f"server {url}", rule, "", "Use https; or insecure=True inside a network of your own."
            )
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InputError(
                "token", "must be visible ASCII characters", "", "`simonides token create` makes one."
            )
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._headers |= {"Accept": "application/json", "User-Agent": "simonides-client"}
        self._timeout, self._retries = timeout, retries
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._closed = False

    def __repr__(self) -> str:
        """Say where it goes, without the token."""
        return f"Transport({self.url!r})"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> Any:
        """Send a request and return the JSON of the answer; ask again where it may have been lost.

        Args:
            again: False for what must not be done twice: neither reading, nor writing with an idempotency key.

        Raises:
            SimonidesError: what the server answered, as `Memory` would raise it; or it can't be reached.
        """
        data = None if body is None else _encoded(body)
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if data is not None else {})}
        target = f"{self._prefix}{path}{_query(query or {})}"
        retries = self._retries if again else 0
        for turn in range(retries + 1):
            last = turn == retries
            try:
                status, found, answer = self._once(method, target, data, sent)
            except (OSError, HTTPException) as err:
                if last or isinstance(err, ssl.SSLCertVerificationError):
                    raise self._lost(err) from err
                _pause(turn)
                continue
            if status < 300:
                return self.json(answer, found)
            if status in _AGAIN and not last and _pause(turn, found.get("retry-after", "")):
                continue
            raise self._problem(status, found, answer)
        raise AssertionError("unreachable")

    def lines(self, path: str, *, query: Query | None = None) -> Iterator[bytes]:
        """Yield the lines of a long answer as they come; one that is cut off is an error and not an end."""
        target = f"{self._prefix}{path}{_query(query or {})}"
        connection = self._connect()
        try:
            try:
                connection.request("GET", target, headers=self._headers)
                response = connection.getresponse()
                if response.status >= 300:
                    raise self._problem(response.status, _headers(response), response.read())
                rest = b""
                while piece := response.read1(PIECE):
                    *whole, rest = (rest + piece).split(b"\n")
                    yield from whole
                if rest:
                    yield rest
            except (OSError, HTTPException) as err:
                raise self._lost(err) from err
        finally:
            connection.close()

    def send(
        self, path: str, pieces: Iterable[bytes], *, kind: str, query: Query, headers: Mapping[str, str]
    ) -> Any:
        """Send a long body piece by piece, once, and return the JSON of the answer."""
        target = f"{self._prefix}{path}{_query(query)}"
        connection = self._connect()
        try:
            sent = {**self._headers, **headers, "Content-Type": kind, "Transfer-Encoding": "chunked"}
            # A server that refuses answers before all was sent, and closes.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", target, body=pieces, headers=sent, encode_chunked=True)
            response = connection.getresponse()
            found, answer = _headers(response), response.read()
        except (OSError, HTTPException) as err:
            raise self._lost(err) from err
        finally:
            connection.close()
        if response.status >= 300:
            raise self._problem(response.status, found, answer)
        return self.json(answer, found)

    def close(self) -> None:
        """Close all connections; twice is fine."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    # Inside

    def _once(
        self, method: str, target: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        connection = self._take()
        kept = False
        try:
            connection.request(method, target, body=data, headers={**self._headers, **headers})
            response = connection.getresponse()
            answer = response.read()
            kept = not response.will_close
            return response.status, _headers(response), answer
        finally:
            if kept:
                self._keep(connection)
            else:
                connection.close()

    def _take(self) -> HTTPConnection:
        now = time.monotonic()
        with self._lock:
            if self._process != os.getpid():  # a fork: those belong to the parent
                self._process, self._idle = os.getpid(), []
            while self._idle:
                connection, since = self._idle.pop()
                if now - since < _IDLE_SECONDS:
                    return connection
                connection.close()
        return self._connect()

    def _keep(self, connection: HTTPConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MOST_IDLE:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()

    def _connect(self) -> HTTPConnection:
        if self._closed:
            raise StoreUnusable(f"server {self.url}", "was closed here", "", "Make a new Client.")
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=self._timeout)
        return HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)

    def json(self, answer: bytes, headers: Mapping[str, str] = {}) -> Any:
        """Return what the server said.

        Raises:
            StoreError: it is no JSON.
        """
        if not answer:
            return None
        try:
            return json.loads(answer)
        except ValueError as err:
            rule = f"answered with {headers.get('content-type') or 'something'} and not with JSON"
            raise StoreError(f"server {self.url}", rule, "", "Is it a server of simonides?") from err

    def _problem(self, status: int, headers: Mapping[str, str], answer: bytes) -> Exception:
        if status < 400:
            where = headers.get("location", "nowhere")
            rule = "answers with a redirect, which is not followed with a token"
            return StoreError(f"server {self.url}", rule, where, "Use that address, if it is yours.")
        try:
            shape: Any = json.loads(answer)
        except ValueError:
            shape = None
        if not isinstance(shape, dict) or "problem+json" not in headers.get("content-type", ""):
            rule = f"answered {status}, and not as a server of simonides would"
            return reading.error({"subject": f"server {self.url}", "rule": rule}, status)
        return reading.error(cast("Mapping[str, Any]", shape), status)

    def _lost(self, error: Exception) -> StoreError:
        subject = f"server {self.url}"
        if isinstance(error, ssl.SSLCertVerificationError):
            way_out = "Name its authority with ca=FILE, if it is your own."
            return StoreUnusable(
                subject, "has a certificate that is not trusted", error.verify_message, way_out
            )
        if isinstance(error, TimeoutError):
            rule = f"said nothing for {self._timeout:g} seconds"
            return StoreBusy(subject, rule, "", "Try again, or raise `timeout`.")
        why = str(error) or type(error).__name__
        return StoreUnusable(
            subject, "can't be reached, or broke off", why, "Is it running? `simonides serve` starts one."
        )


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
        parts = urlsplit("")
    if not known or parts.query or parts.fragment or "@" in parts.netloc:
        way_out = "Example: http://127.0.0.1:7466, with the token apart."
        raise InputError("url", "must be http:// or https:// and a host", "" if "@" in url else url, way_out)
    return parts


def _trusting(ca: str | Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as err:
        raise InputError("ca", "must be a file of certificates", str(ca)) from err


def _headers(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _query(given: Query) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        if value is None:
            continue
        values = [value] if isinstance(value, (str, int)) else [*value]
        pairs += [(name, str(one).lower() if isinstance(one, bool) else str(one)) for one in values]
    try:
        return f"?{urlencode(pairs)}" if pairs else ""
    except UnicodeEncodeError as err:
        raise InputError("text", "holds half a character (a lone surrogate)") from err


def part(text: str) -> str:
    """Return a text as one part of a path.

    Raises:
        InputError: it can't be one.
    """
    if not isinstance(text, str) or not text or text in (".", ".."):
        raise InputError(
            "id", "must be 32 hexadecimal digits", repr(text), "Take it from `list` or a receipt."
        )
    return quote(text, safe="", errors="backslashreplace")


def _encoded(body: object) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as err:
        raise InputError("request", f"must be what JSON can hold ({err})", "", "See docs/rest.md.") from err


def _pause(turn: int, asked: str = "") -> bool:
    """Wait a little before the next try, as long as the server asks for; tell whether that was short enough."""
    seconds = float(asked) if asked.isascii() and asked.isdigit() else 0.1 * 2**turn
    if seconds > _LONGEST_WAIT:
        return False
    time.sleep(seconds * random.uniform(0.5, 1.0) if not asked else seconds)
    return True
