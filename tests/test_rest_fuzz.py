"""A real server under nonsense: all that its own description allows, and bytes that no description would.

`TESTS_FUZZ=20 pytest tests/test_rest_fuzz.py` tries twenty times as much.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving import serving
from simonides import Client

MORE = int(os.environ.get("TESTS_FUZZ", "1"))
PATIENCE = 10.0
UNTRUE = "positive_data_acceptance"
"""The one check that is left out: whether an id is there, or a filter makes sense, no schema says."""
LINES = "/v1/import"
"""Takes lines of JSON, which the tool can't make; the bytes below ask for it."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@dataclass(frozen=True)
class Target:
    """A running server, and an id of a memory in it."""

    url: str
    token: str
    id: str
    log: Path

    def said(self, sent: bytes, *, whole: bool) -> list[int]:
        """Send bytes on a connection of their own; return the statuses of what comes back until it is closed.

        Args:
            whole: what is sent is a whole request that asks to close the connection; else we stop sending.
        """
        place = urlsplit(self.url)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=PATIENCE) as line:
            heard = b""
            try:
                line.sendall(sent)
                if not whole:
                    line.shutdown(socket.SHUT_WR)
                while piece := line.recv(65536):
                    heard += piece
            except (ConnectionResetError, BrokenPipeError):
                pass  # refused in the middle of it
        return [int(status) for status in _STATUS.findall(heard)]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    path = tmp_path_factory.mktemp("fuzz") / "memory.db"
    with serving(str(path), before=("--set", "meaning=instant")) as (url, token):
        with Client(url, token) as client:
            id = client.add("Ana moved from Berlin to Lisbon.", user="ana", metadata={"city": "Lisbon"}).id
        yield Target(url, token, id, Path(f"{path}.serve.log"))


@pytest.fixture(autouse=True)
def nothing_failed(target: Target) -> Iterator[None]:
    """After each test the server lives, and has written down no mistake of its own."""
    yield
    with Client(target.url, target.token, timeout=PATIENCE) as client:
        assert client.whoami()["name"] == "owner"
    failures = [line for line in target.log.read_text().splitlines() if json.loads(line)["level"] == "error"]
    assert failures == []


@pytest.mark.parametrize("known", [False, True], ids=["any id", "an id that is there"])
def test_it_is_what_its_description_says(target: Target, tmp_path: Path, known: bool) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.id" = "{target.id}"\n' if known else "")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
        f"{target.url}/openapi.json", "-H", f"Authorization: Bearer {target.token}", "--exclude-checks", UNTRUE,
        "--exclude-path", LINES, "--phases", "examples,coverage,fuzzing", "--max-examples", str(4 * MORE),
        "--generation-database", "none", "--seed", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=90 + 60 * MORE, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    tested = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tested is not None
    assert int(tested[1]) == int(tested[2]) > 500


# Bytes

_METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY"])
_PLACES = """
/v1/memories /v1/memories/batch /v1/memories/ID /v1/memories/ID/history /v1/memories/ID/expiry
/v1/memories/ID/restore /v1/memories/ID/links /v1/memories/ID/neighbours /v1/progress /v1/links /v1/links/ID
/v1/search /v1/explain /v1/context /v1/erase /v1/log /v1/events/1/undo /v1/upkeep /v1/retention /v1/retention/1
/v1/verify /v1/status /v1/doctor /v1/jobs /v1/review /v1/review/ID /v1/export /v1/import /v1/whoami /health/live
/health/ready /metrics /openapi.json / /v1 /v1/../v1/status // /ui
""".split()
_FIELDS = """
text kind speaker at user agent session project metadata source ttl expires on_expiry rows reason version action
target relation weight evidence query k gate kinds where as_of known_at now budget ids subject entity before
everything plan full seconds scope decision keep limit after hops newest_first wait type id
""".split()
_HEADERS = """
If-Match If-None-Match Idempotency-Key Content-Type Content-Encoding Accept Accept-Encoding Origin Range Cookie
X-Request-Id X-Forwarded-For X-API-Key traceparent Authorization Access-Control-Request-Method User-Agent
Forwarded X-HTTP-Method-Override Upgrade TE
""".split()
_odd = st.sampled_from([
    "", "0", "-1", "1e999", "NaN", "null", "true", "[]", "{}", "\x00", "\ud800", "%00", "%ff", "..", "\u202e", "*",
    "2026-01-01", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00-23:59", "9999-12-31T23:59:59+00:00", "ID", '"1"',
    'W/"2"', "' OR 1=1 --", "application/json", "gzip", "ERASE", str(2**63), str(2**64), "turn", "retire",
    "\U0010ffff", "a" * 999,
])  # fmt: skip
_text = _odd | st.text(max_size=30)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_FIELDS) | _text, inner, max_size=4)
    ),
    max_leaves=12,
)
_objects = st.dictionaries(st.sampled_from(_FIELDS), _values, max_size=6)
_deep = st.integers(1, 800).map(lambda depth: b'{"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}")
_lines = st.lists(_objects, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
_bodies = st.one_of(
    st.just(b""), st.binary(max_size=300), _deep, _lines,
    st.tuples(_objects, st.booleans()).map(
        lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]).encode("utf-8", "surrogatepass")
    ),
)  # fmt: skip


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """Return a whole request: its line, its headers and its length are in order, and nothing else need be."""
    place = draw(st.sampled_from(_PLACES) | _text.map(lambda text: "/" + _quoted(text)))
    pairs = draw(st.lists(st.tuples(st.sampled_from(_FIELDS), _text), max_size=3))
    query = "&".join(f"{name}={_quoted(value)}" for name, value in pairs)
    body = draw(_bodies)
    rows = [
        f"{draw(_METHODS)} {place}{'?' + query if query else ''} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
    ]
    if draw(st.integers(0, 9)):
        rows.append("Authorization: Bearer TOKEN")
    for name, value in draw(st.lists(st.tuples(st.sampled_from(_HEADERS), _text), max_size=4)):
        clean = "".join(one for one in value if one.isprintable() and ord(one) < 256)
        if (name, clean) != ("Upgrade", "h2c"):
            rows.append(f"{name}: {clean}")
    if draw(st.integers(0, 3)):
        rows.append("Content-Type: application/json")
    rows.append(f"Content-Length: {len(body)}")
    return "\r\n".join(rows).encode("latin-1", "replace") + b"\r\n\r\n" + body


@settings(
    max_examples=200 * MORE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(request=_requests())
def test_a_whole_request_gets_an_answer_and_never_a_500(target: Target, request: bytes) -> None:
    sent = request.replace(b"TOKEN", target.token.encode())
    head, _, body = sent.partition(b"\r\n\r\n")
    sent = head.replace(b"/ID", f"/{target.id}".encode()) + b"\r\n\r\n" + body
    begun = time.monotonic()
    said = target.said(sent, whole=True)
    assert said, "it says something"
    assert all(status < 500 for status in said), said
    assert time.monotonic() - begun < PATIENCE


@settings(max_examples=200 * MORE, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.tuples(_requests(), st.integers(0, 400), st.binary(min_size=1, max_size=20)).map(
            lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]
        ),
        st.tuples(_requests(), st.integers(0, 200)).map(lambda cut: cut[0][: cut[1]]),
        st.lists(_requests(), min_size=2, max_size=3).map(b"".join),
        _requests().map(
            lambda one: one.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length")
        ),
        _requests().map(lambda one: one.replace(b"Content-Length: ", b"Content-Length: -")),
        _requests().map(
            lambda one: one.replace(b"Content-Length: ", b"Content-Length: 99999999999999999999")
        ),
        _requests().map(lambda one: one.replace(b"HTTP/1.1", b"HTTP/9.9")),
    )
)
def test_broken_bytes_end_the_connection_and_nothing_else(target: Target, sent: bytes) -> None:
    begun = time.monotonic()
    said = target.said(sent.replace(b"TOKEN", target.token.encode()), whole=False)
    assert all(status < 500 for status in said), said
    assert time.monotonic() - begun < PATIENCE


@pytest.mark.parametrize("depth", [100, 3_000, 100_000])
@pytest.mark.parametrize("place", ["/v1/memories", "/v1/search", "/v1/import"])
def test_what_is_nested_too_deeply_is_refused(target: Target, depth: int, place: str) -> None:
    body = b'{"text": "x", "metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    head = f"POST {place} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {target.token}\r\nConnection: close\r\n"
    more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    assert target.said((head + more).encode() + body, whole=True) == [400]


def test_what_is_too_large_is_refused(target: Target) -> None:
    start = (
        f"POST /v1/memories HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {target.token}\r\n".encode()
    )
    assert target.said(start + b"Content-Length: 99999999999\r\n\r\n", whole=True) == [413]
    assert target.said(start + b"X: " + b"a" * 200_000, whole=True) == [431]
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 20 + b"0\r\n\r\n"
    assert target.said(chunked, whole=True) in ([413], []), "it may close before we have read why"
