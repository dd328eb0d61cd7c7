"""Who gets into the REST server, how far, how much and how fast; on real sockets where the network matters."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from rest_servers import LOCAL, OWNER, QUIET, bearing, limited, listening, made, process, served, token
from simonides import Memory, credentials
from simonides.doors.rest.config import Config, is_loopback
from simonides.doors.rest.logs import Log
from simonides.doors.rest.oidc import Provider
from simonides.doors.rest.problems import Refusal
from simonides.doors.rest.rates import Rates
from simonides.doors.rest.server import owner_token
from simonides.errors import InputError, StoreUnusable

ONE = {"text": "The harbour is closed."}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


# Tokens


def test_nobody_gets_in_without_a_token_that_is_known(store: Path) -> None:
    with served(store) as client:
        del client.headers["Authorization"]
        strangers = [{}, bearing(""), bearing("x"), bearing(OWNER[:-1]), {"Authorization": f"Basic {OWNER}"}]
        strangers += [
            bearing(f"sim_-_{'1' * 32}_{'a' * 52}"),
            bearing("sim_mfra_" + "1" * 32 + "_" + "a" * 52),
        ]
        for headers in strangers:
            for path in ("/v1/memories", "/v1/whoami", "/v1/nothing", "/metrics", "/"):
                answer = client.get(path, headers=headers)
                assert answer.status_code == 401, (path, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["content-type"] == "application/problem+json"
        for path in ("/health/live", "/health/ready", "/openapi.json"):
            assert client.get(path).status_code == 200


def test_a_token_is_worth_what_it_was_issued_for(store: Path) -> None:
    reads = token(store, "reader", rights=("read",))
    with served(store) as client:
        client.headers.update(bearing(reads))
        assert client.get("/v1/whoami").json()["name"] == "reader"
        assert client.post("/v1/search", json={"query": "harbour?"}).status_code == 200
        for method, path, body in (
            ("POST", "/v1/memories", ONE),
            ("POST", "/v1/erase", {"everything": True}),
            ("GET", "/v1/status", None),
            ("GET", "/v1/export", None),
            ("POST", "/v1/import", None),
            ("GET", "/v1/log", None),
            ("POST", "/v1/upkeep", {}),
            ("GET", "/v1/retention", None),
            ("GET", "/metrics", None),
        ):
            answer = client.request(method, path, json=body)
            assert answer.status_code == 403, (path, answer.text)
            assert answer.json()["type"].endswith(":Forbidden")


def test_a_token_that_was_revoked_ends(store: Path) -> None:
    gone = token(store, "gone")
    with served(store, limited(remembered_seconds=0.2)) as client, Memory(store, settings=QUIET) as memory:
        assert client.get("/v1/whoami", headers=bearing(gone)).status_code == 200
        credentials.revoke(memory, credentials.listed(memory)[0].id)
        time.sleep(0.3)
        assert client.get("/v1/whoami", headers=bearing(gone)).status_code == 401


def test_a_token_that_has_expired_ends_even_while_it_is_remembered(store: Path) -> None:
    with served(store, limited(remembered_seconds=600)) as client, Memory(store, settings=QUIET) as memory:
        client.get("/v1/whoami")
        short = credentials.issue(memory, "short", ttl=timedelta(seconds=1))[0]
        assert client.get("/v1/whoami", headers=bearing(short)).status_code == 200
        time.sleep(1.1)
        assert client.get("/v1/whoami", headers=bearing(short)).status_code == 401


def test_what_belongs_to_others_is_not_there(store: Path) -> None:
    ana, ben = (
        token(store, name, user=name, rights=("read", "write", "erase", "admin")) for name in ("ana", "ben")
    )
    with served(store) as client:

        def ask(method: str, path: str, **more: Any) -> Any:
            return client.request(method, path, headers=bearing(ben), **more)

        told = [
            client.post("/v1/memories", json={"text": text}, headers=bearing(ana)).json()
            for text in ("Ana's key is under the mat.", "Ana's other key is at the office.")
        ]
        ids = [each["ids"][0] for each in told]
        link = {"source": ids[0], "target": ids[1], "relation": "beside"}
        tie = client.post("/v1/links", json=link, headers=bearing(ana)).json()["ids"][0]
        own = client.post("/v1/memories", json={"text": "Ben's own."}, headers=bearing(ben)).json()["ids"][0]
        theirs = f"/v1/memories/{ids[0]}"
        missing = f"/v1/memories/{'0' * 32}"
        for method, rest, body in (
            ("GET", "", None),
            ("PATCH", "", {"text": "Mine now."}),
            ("DELETE", "", None),
            ("POST", "/restore", {}),
            ("PUT", "/expiry", {"ttl": 1}),
            ("GET", "/history", None),
            ("GET", "/links", None),
            ("GET", "/neighbours", None),
        ):
            answer, nothing = ask(method, theirs + rest, json=body), ask(method, missing + rest, json=body)
            assert (answer.status_code, nothing.status_code) == (404, 404), (method, rest, answer.text)
            assert answer.text.replace(ids[0], "0" * 32) == nothing.text, "both are absent in the same words"
        for body in (
            {"source": ids[0], "target": own, "relation": "x"},
            {"source": own, "target": ids[1], "relation": "x"},
        ):
            assert ask("POST", "/v1/links", json=body).status_code == 404
        assert ask("DELETE", f"/v1/links/{tie}").status_code == 404
        assert ask("POST", "/v1/erase", json={"ids": [ids[0]]}).status_code == 404
        assert ask("POST", "/v1/erase", json={"ids": [tie]}).status_code == 404
        assert ask("POST", "/v1/erase", json={"subject": "Ana"}).status_code == 404
        assert ask("GET", "/v1/progress", params={"id": [own, ids[0]]}).status_code == 404
        assert ask("GET", "/v1/log", params={"subject": ids[0]}).status_code == 404
        assert ask("GET", "/v1/log").status_code == 403
        assert ask("POST", f"/v1/events/{told[0]['seqs'][0]}/undo", json={}).status_code == 404
        assert ask("POST", "/v1/review/whatever", json={"decision": "keep"}).status_code == 404
        for path in (
            "/v1/export",
            "/v1/status",
            "/v1/verify",
            "/v1/doctor",
            "/v1/jobs",
            "/v1/retention",
            "/metrics",
        ):
            assert ask("GET", path).status_code == 403, path
        assert ask("POST", "/v1/import", content=b"").status_code == 403
        assert ask("POST", "/v1/upkeep", json={}).status_code == 403
        assert ask("POST", "/v1/retention", json={"seconds": 5}).status_code == 403
        assert ask("DELETE", "/v1/retention/1").status_code == 403
        assert [each["id"] for each in ask("GET", "/v1/memories").json()["memories"]] == [own]
        assert ask("GET", "/v1/links").json()["links"] == []
        assert ask("GET", "/v1/review").json()["doubts"] == []
        for path in ("search", "explain", "context"):
            told = ask("POST", f"/v1/{path}", json={"query": "where is Ana's key?", "gate": False}).text
            assert ids[0] not in told
            assert "mat" not in told
            refused = ask("POST", f"/v1/{path}", json={"query": "where is Ana's key?", "user": "ana"})
            assert refused.status_code == 403
        assert ask("POST", "/v1/memories", json={"text": "x", "user": "ana"}).status_code == 403
        assert client.get(theirs, headers=bearing(ana)).json()["version"] == 1, (
            "and nothing of it was touched"
        )


def test_keys_of_two_credentials_do_not_meet(store: Path) -> None:
    ana, ben = (token(store, name, user=name) for name in ("ana", "ben"))
    with served(store) as client:
        ids = [
            client.post("/v1/memories", json=ONE, headers={**bearing(each), "Idempotency-Key": "1"}).json()[
                "ids"
            ]
            for each in (ana, ben)
        ]
        assert ids[0] != ids[1]


# Names and pages


def raw(url: str, request: bytes, *, slowly: float = 0.0) -> bytes:
    """Send bytes as they are, and return all that comes back until the other side closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as made:
        pieces = [request] if not slowly else [request[at : at + 1] for at in range(len(request))]
        got = b""
        try:
            for piece in pieces:
                made.sendall(piece)
                time.sleep(slowly)
            while more := made.recv(65536):
                got += more
        except (ConnectionError, TimeoutError):
            pass
        return got


def test_only_its_own_names_reach_it(store: Path) -> None:
    names = {
        "127.0.0.1": 200, "localhost:99": 200, "[::1]:5": 200, "10.1.2.3": 200, "memory.example:443": 200,
        "MEMORY.example": 200, "evil.example": 421, "localhost.evil.example": 421,
        "127.0.0.1.evil.example": 421, "": 421,
    }  # fmt: skip
    with listening(store, replace(LOCAL, hosts=("memory.example",))) as url:
        for name, status in names.items():
            head = f"GET /health/live HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
            assert raw(url, head.encode()).split()[1] == str(status).encode(), name


def test_pages_of_others_get_nothing(store: Path) -> None:
    config = replace(LOCAL, origins=("https://app.example",))
    with served(store, config) as client:
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "https://app.example.evil"):
            answer = client.get("/v1/whoami", headers={"Origin": origin})
            assert answer.status_code == 403, origin
            assert "access-control-allow-origin" not in answer.headers
        assert client.get("/v1/whoami", headers={"Origin": "http://127.0.0.1"}).status_code == 200
        asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}
        before = client.options("/v1/memories", headers=asking)
        assert before.status_code == 204
        assert "PATCH" in before.headers["access-control-allow-methods"]
        answer = client.get("/v1/whoami", headers={"Origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers
    with served(store) as client:
        assert client.options("/v1/memories", headers=asking).status_code == 403


# Limits


def test_a_body_has_an_end(store: Path) -> None:
    with served(store, limited(body_bytes=2000)) as client:
        assert client.post("/v1/memories", json={"text": "x" * 1900}).status_code == 201
        for body in (
            b'{"text":"' + b"x" * 2000 + b'"}',
            iter([b'{"text":"', b"x" * 1500, b"x" * 1500, b'"}']),
        ):
            answer = client.post("/v1/memories", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413
            assert answer.json()["subject"] == "body"
            assert answer.headers["connection"] == "close"
        assert len(client.get("/v1/memories").json()["memories"]) == 1


def test_an_import_has_an_end_of_its_own(store: Path, tmp_path: Path) -> None:
    with served(store) as client:
        for number in range(20):
            client.post("/v1/memories", json={"text": f"Number {number}. {'x' * 500}"})
        lines = client.get("/v1/export").content
    assert len(lines) > 10_000
    with served(tmp_path / "other.db", limited(body_bytes=2000)) as client:
        assert client.post("/v1/import", content=lines).json()["memories"] == 20
        assert client.get("/v1/export").content == lines
    with served(tmp_path / "third.db", limited(import_bytes=2000)) as client:
        assert client.post("/v1/import", content=lines).status_code == 413
        assert client.get("/v1/memories").json()["memories"] == []


def test_an_export_waits_for_who_reads_it_and_not_for_ever(store: Path) -> None:
    with Memory(store, settings=QUIET) as memory:
        memory.add_many({"text": f"{n}", "metadata": {"much": "x" * 50_000}} for n in range(160))
    head = f"GET /v1/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OWNER}\r\n\r\n"
    with listening(store, limited(streams=1, body_seconds=0.8)) as url:
        parts = urlsplit(url)
        for leaves in (True, False):
            with socket.socket() as reader:
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
                reader.settimeout(10)
                reader.connect((parts.hostname, parts.port))
                reader.sendall(head.encode())
                assert b" 200 " in reader.recv(100)
                with httpx.Client(base_url=url, headers=bearing(OWNER), trust_env=False) as client:
                    refused = client.get("/v1/export")
                    assert refused.status_code == 503, "it still waits for its reader"
                    assert "retry-after" in refused.headers
                    if leaves:
                        reader.close()
                    deadline = time.monotonic() + 20
                    while (status := client.post("/v1/import", content=b"").status_code) == 503:
                        assert time.monotonic() < deadline
                        time.sleep(0.05)
                    assert status == 200
        whole = httpx.get(f"{url}/v1/export", headers=bearing(OWNER), trust_env=False)
        assert len(whole.content.splitlines()) > 24


def test_a_broken_line_of_an_import_is_named_and_nothing_is_kept(store: Path, tmp_path: Path) -> None:
    with served(store) as client:
        for number in range(3):
            client.post("/v1/memories", json={"text": f"Number {number}."})
        lines = client.get("/v1/export").content.splitlines()
    with served(tmp_path / "other.db") as client:
        for at, bad, said in (
            (2, b"{", "line 3"),
            (0, b'{"type":"simonides","format":99}', "line 1"),
            (1, b"[]", "line 2"),
            (3, b'{"type":"memory"}', "line 4"),
        ):
            broken = b"\n".join([*lines[:at], bad, *lines[at + 1 :]])
            answer = client.post("/v1/import", content=broken)
            assert answer.status_code == 400, answer.text
            assert said in answer.json()["subject"], answer.json()
        assert client.get("/v1/memories").json()["memories"] == []
        assert (
            client.post("/v1/import", params={"plan": "true"}, content=b"\n".join(lines)).json()["memories"]
            == 3
        )
        assert client.get("/v1/memories").json()["memories"] == []


def test_a_body_that_comes_too_slowly_is_refused(store: Path) -> None:
    head = (
        f"POST /v1/memories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OWNER}\r\n"
        "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n"
    )
    with listening(store, limited(body_seconds=0.3)) as url:
        for path in ("memories", "import"):
            began = time.monotonic()
            got = raw(url, head.replace("memories", path).encode() + b'{"te')
            assert b" 408 " in got.splitlines()[0]
            assert time.monotonic() - began < 15
        answer = httpx.post(f"{url}/v1/memories", json=ONE, headers=bearing(OWNER), trust_env=False)
        assert answer.status_code == 201, "and the store is free again"


def test_headers_that_are_too_slow_or_too_large_end_the_connection(store: Path) -> None:
    with listening(store, limited(header_seconds=1.0, header_bytes=4000)) as url:
        began = time.monotonic()
        assert raw(url, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n") == b""
        assert raw(url, b"GET /health/live HTTP/1.1\r\nX: " + b"x" * 50, slowly=0.03) == b""
        assert time.monotonic() - began < 20
        large = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 20_000
        assert b" 431 " in raw(url, large).splitlines()[0]
        nonsense = raw(url, b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b" 400 " in nonsense.splitlines()[0]
        assert json.loads(nonsense.rpartition(b"\r\n\r\n")[2])["subject"] == "request"
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert client.get("/health/live").status_code == 200
            time.sleep(1.2)
            assert client.get("/health/live").status_code == 200, "a connection that is idle is no slow one"


def test_a_credential_has_a_rate_of_its_own(store: Path) -> None:
    other = token(store)
    with served(store, limited(rate=0.5, burst=3)) as client:
        seen = [client.get("/v1/whoami") for _ in range(6)]
        assert [each.status_code for each in seen][:3] == [200] * 3
        refused = next(each for each in seen if each.status_code == 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 3
        assert client.get("/v1/whoami", headers=bearing(other)).status_code == 200
        deadline = time.monotonic() + 20
        while client.get("/v1/whoami").status_code == 429:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_who_guesses_is_slowed_down_and_who_is_known_is_not(store: Path) -> None:
    with served(store, limited(strangers=5)) as client:
        assert client.get("/v1/whoami").status_code == 200
        codes = [client.get("/v1/whoami", headers=bearing(f"guess {n}")).status_code for n in range(8)]
        assert codes == [401] * 5 + [429] * 3
        assert client.get("/v1/whoami").status_code == 200


def test_a_bucket_fills_as_time_goes_by() -> None:
    now = 0.0
    rates = Rates(2.0, 4, 60, lambda: now)

    def allowed() -> int:
        count = 0
        while True:
            try:
                rates.require("a")
            except Refusal:
                return count
            count += 1

    assert allowed() == 4
    now = 1.0
    assert allowed() == 2
    now = 1000.0
    assert allowed() == 4


def test_what_takes_too_long_is_answered_and_does_not_stop_the_others(store: Path) -> None:
    with served(store, limited(verb_seconds=1.0)) as client, Memory(store, settings=QUIET) as memory:
        client.post("/v1/search", json={"query": "harbour?"})
        with memory.ledger.database.writing():
            answer = client.post("/v1/memories", json=ONE)
            assert answer.status_code == 504
            assert client.post("/v1/search", json={"query": "harbour?"}).status_code == 200
        deadline = time.monotonic() + 20
        while not client.get("/v1/memories").json()["memories"]:
            assert time.monotonic() < deadline, "it was done in the end"


def test_who_reads_waits_for_nobody_who_writes(store: Path) -> None:
    known = token(store)
    with served(store, limited(threads=2)) as client, Memory(store, settings=QUIET) as memory:
        client.post("/v1/search", json={"query": "harbour?"})
        with memory.ledger.database.writing():
            writers = [
                threading.Thread(target=lambda: client.post("/v1/memories", json=ONE)) for _ in range(6)
            ]
            for each in writers:
                each.start()
            time.sleep(0.2)
            began = time.monotonic()
            assert client.post("/v1/search", json={"query": "harbour?"}).status_code == 200
            assert client.get("/health/ready").status_code == 200
            assert client.get("/v1/whoami", headers=bearing(known)).status_code == 200
            assert time.monotonic() - began < 15, "nobody held it up"
            assert credentials.listed(memory)[0].used is None
        for each in writers:
            each.join()
        assert len(client.get("/v1/memories").json()["memories"]) == 6
        deadline = time.monotonic() + 20
        while credentials.listed(memory)[0].used is None:
            assert time.monotonic() < deadline, "that it was used is noted later"
            time.sleep(0.01)


def test_more_than_can_wait_is_told_to_come_again(store: Path) -> None:
    with served(store, limited(waiting=1, threads=1)) as client, Memory(store, settings=QUIET) as memory:
        client.get("/v1/whoami")
        codes: list[int] = []
        with memory.ledger.database.writing():
            threads = [
                threading.Thread(
                    target=lambda: codes.append(client.post("/v1/memories", json=ONE).status_code)
                )
                for _ in range(5)
            ]
            for each in threads:
                each.start()
            deadline = time.monotonic() + 20
            while len(codes) < 3:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        for each in threads:
            each.join()
    assert sorted(codes) == [201, 201, 503, 503, 503]


# The log, and mistakes of ours


def test_the_log_never_holds_what_was_said_asked_or_shown(store: Path) -> None:
    stream = io.StringIO()
    secret = "pistachio"
    with served(store, log=Log(stream)) as client:
        id = client.post("/v1/memories", json={"text": secret, "metadata": {"m": secret}}).json()["ids"][0]
        client.post("/v1/search", json={"query": secret}, headers={"X-Request-ID": "abc-1"})
        client.get("/v1/memories", params={"where": secret, "user": secret})
        client.get(f"/{secret}", headers={"X-Secret": secret, "X-Request-ID": f"{secret} {secret}"})
        client.get("/v1/whoami", headers=bearing(secret))
        client.patch(f"/v1/memories/{id}", json={"text": secret, "at": secret})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 6
    assert secret not in stream.getvalue()
    assert OWNER not in stream.getvalue()
    assert {
        "request": "abc-1",
        "route": "/v1/search",
        "status": 200,
        "credential": "startup",
    }.items() <= lines[1].items()
    assert [line["status"] for line in lines] == [201, 200, 400, 404, 401, 400]
    assert all(line["request"] and line["ms"] >= 0 for line in lines)


def test_a_mistake_of_ours_says_nothing_but_its_number(store: Path) -> None:
    stream = io.StringIO()
    app = made(store, LOCAL, Log(stream))

    @app.get("/v1/broken")
    def broken() -> None:
        raise ZeroDivisionError("the secret is pistachio")

    from starlette.testclient import TestClient

    with TestClient(app, "http://127.0.0.1", headers=bearing(OWNER)) as client:
        answer = client.get("/v1/broken", headers={"X-Request-ID": "broken-1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "broken-1")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "broken-1" in answer.json()["way_out"]
    assert "ZeroDivision" not in answer.text
    assert "pistachio" not in answer.text + stream.getvalue()
    assert "ZeroDivisionError in broken" in stream.getvalue()


# The command


def test_it_refuses_to_be_public_by_accident() -> None:
    for config in (
        Config(host="0.0.0.0"),
        Config(host="::"),
        Config(host="192.0.2.1"),
        Config(host="example.org"),
    ):
        with pytest.raises(InputError, match="other machines"):
            config.require_safe()
        replace(config, insecure=True).require_safe()
        replace(config, certfile=Path("a"), keyfile=Path("b")).require_safe()
    with pytest.raises(InputError, match="--keyfile"):
        Config(certfile=Path("a")).require_safe()
    assert [is_loopback(each) for each in ("127.0.0.1", "::1", "[::1]", "localhost", "0.0.0.0", "")] == [
        True
    ] * 4 + [False] * 2


def test_the_token_of_the_owner_is_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "memory.db.token"
    first = owner_token(file)
    assert owner_token(file) == first
    assert credentials.tenant_of(first) == ""
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        with pytest.raises(StoreUnusable, match="read by others"):
            owner_token(file)
        file.chmod(0o600)
    file.write_text("")
    with pytest.raises(StoreUnusable, match="empty"):
        owner_token(file)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("running")
    with process(folder / "memory.db", folder) as server:
        yield server


def test_the_command_serves_and_says_where(running: Any) -> None:
    with running.client() as client:
        assert client.post("/v1/memories", json=ONE).status_code == 201
        assert client.get("/v1/whoami").json()["name"] == "owner"
    assert running.url.startswith("http://127.0.0.1:")
    assert OWNER[:6] not in running.log.read_text()
    assert running.token_file.read_text().strip() not in running.log.read_text()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_what_is_under_way_finish(tmp_path: Path, number: int, code: int) -> None:
    place = tmp_path / "memory.db"
    with process(place, tmp_path) as server, Memory(place, settings=QUIET) as memory:
        codes: list[int] = []
        with server.client() as client:
            client.get("/v1/whoami")
            slow = threading.Thread(
                target=lambda: codes.append(client.post("/v1/memories", json=ONE).status_code)
            )
            with memory.ledger.database.writing():
                slow.start()
                time.sleep(0.8)
                server.process.send_signal(number)
                time.sleep(0.3)
                assert server.process.poll() is None
                with pytest.raises(httpx.TransportError):
                    server.client().get("/health/live")
            slow.join(10)
        assert codes == [201]
        assert server.process.wait(10) == code
        assert len(memory.list()) == 1
        assert "Traceback" not in server.log.read_text()


def test_a_port_that_is_taken_is_said_so(running: Any, tmp_path: Path) -> None:
    port = str(urlsplit(running.url).port)
    command = [sys.executable, "-m", "simonides", "--path", str(tmp_path / "m.db"), "serve", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 3
    assert "cannot be listened at" in done.stderr


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    for missing in ("fastapi", "uvicorn"):
        code = (
            f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['simonides', '--path', 'm.db', 'serve']\n"
            "from simonides.doors.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 5, done.stderr
        assert f"needs {missing}" in done.stderr
        assert 'pip install "simonides[server]"' in done.stderr
        assert list(tmp_path.iterdir()) == []


def test_it_speaks_tls(store: Path, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    with listening(store, replace(LOCAL, certfile=cert, keyfile=key)) as url:
        assert url.startswith("https://")
        trusting = ssl.create_default_context(cafile=str(cert))
        answer = httpx.get(f"{url}/v1/whoami", headers=bearing(OWNER), verify=trusting, trust_env=False)
        assert answer.status_code == 200


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1."""
    from datetime import UTC, datetime
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "memory")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


def test_tokens_of_an_identity_provider_are_taken_where_it_is_named(store: Path, tmp_path: Path) -> None:
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one"}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public]}))

    def signed(user: str, by: Any = key) -> str:
        claims = {"iss": "https://login.example", "aud": "memory", "sub": user, "exp": time.time() + 60}
        return jwt.encode(claims, by, "ES256", {"kid": "one"})

    provider = Provider("https://login.example", "memory", keys=str(tmp_path / "keys.json"))
    with served(store, replace(LOCAL, verify=provider)) as client:
        made = client.post("/v1/memories", json=ONE, headers=bearing(signed("ana")))
        assert made.status_code == 201
        id = made.json()["ids"][0]
        assert client.get(f"/v1/memories/{id}").json()["scope"]["user"] == "ana"
        assert client.get(f"/v1/memories/{id}").json()["actor"] == "ana"
        assert client.get(f"/v1/memories/{id}", headers=bearing(signed("ben"))).status_code == 404
        forged = signed("ana", ec.generate_private_key(ec.SECP256R1()))
        assert client.get("/v1/whoami", headers=bearing(forged)).status_code == 401
    with served(store) as client:
        assert client.get("/v1/whoami", headers=bearing(signed("ana"))).status_code == 401
