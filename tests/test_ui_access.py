"""Who may see the page: keys, cookies, hosts, origins, scopes, rights; over real sockets, without a browser."""

from __future__ import annotations

import http.client
import re
import socket
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

pytest.importorskip("uvicorn", reason="needs simonides[ui]")

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request

from simonides.bounded import RIGHTS, Bounded
from simonides.doors.ui.access import COOKIE, HEADERS
from simonides.doors.ui.page import attach
from simonides.doors.ui.serving import make
from simonides.errors import InputError
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Scope

OFF = Settings(meaning="off", background=False)


@dataclass(slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True)
class Browserless:
    """Speaks HTTP to a page, with a cookie once it has one."""

    port: int
    cookie: str = ""

    def ask(self, method: str, path: str, form: Mapping[str, str] | None, **headers: str) -> Reply:
        """Send one request; forms come from the page's own address unless `origin` says otherwise."""
        given = {"cookie": self.cookie} if self.cookie else {}
        if form is not None:
            given |= {
                "content-type": "application/x-www-form-urlencoded",
                "origin": f"http://127.0.0.1:{self.port}",
            }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, urlencode(form) if form is not None else None, given)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, told, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Look at a page."""
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Reply:
        """Send a form."""
        return self.ask("POST", path, form, **headers)

    def keep(self, reply: Reply) -> None:
        """Keep the cookie that came."""
        self.cookie = reply.headers["set-cookie"].split(";")[0]


@contextmanager
def running(server: uvicorn.Server, listening: socket.socket) -> Generator[int]:
    """Run a server in a thread and stop it at the end."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@pytest.fixture
def memory() -> Generator[Memory]:
    """Return a store with a secret of Ana's and one of Bob's."""
    with Memory(":memory:", settings=OFF) as store:
        store.add("Ana keeps the key under the third stone.", user="ana")
        store.add("Bob keeps the money in the piano.", user="bob")
        yield store


@pytest.fixture
def own(memory: Memory) -> Generator[tuple[Browserless, str]]:
    """Run the page of `simonides ui`; yield a stranger and the path of the key."""
    served = make(memory)
    with running(served.server, served.listening) as port:
        yield Browserless(port), served.key_url.removeprefix(f"http://127.0.0.1:{port}")


@pytest.fixture
def shared(memory: Memory) -> Generator[Browserless]:
    """Attach the page to a server where tokens stand for scopes and rights."""
    known = {
        "t-ana": Bounded(memory, Scope(user="ana"), ("read", "write"), "ana"),
        "t-look": Bounded(memory, rights=("read",)),
        "t-all": Bounded(memory, rights=RIGHTS),
    }

    def provide(request: Request) -> Bounded | None:
        return known.get(request.cookies.get(COOKIE, ""))

    app = Starlette()
    attach(app, provide)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
    with running(uvicorn.Server(config), listening) as port:
        yield Browserless(port)


def _signed(stranger: Browserless, token: str) -> Browserless:
    stranger.cookie = ""
    stranger.keep(stranger.post("/ui/sign-in", {"token": token, "back": ""}))
    return stranger


def test_a_stranger_sees_no_memory(own: tuple[Browserless, str]) -> None:
    stranger, _ = own
    for path in (
        "/ui/",
        "/ui/search",
        "/ui/health",
        "/ui/timeline",
        "/ui/graph",
        "/ui/review",
        "/ui/import",
        "/ui/add",
    ):
        reply = stranger.get(path)
        assert reply.status == 401
        assert "stone" not in reply.body
        assert "piano" not in reply.body
    reply = stranger.post("/ui/search", {"query": "where is the key?"})
    assert reply.status == 401
    assert "stone" not in reply.body
    assert stranger.post("/ui/add", {"text": "I was here."}).status == 401


def test_a_key_opens_once_and_becomes_a_cookie_that_nothing_else_can_read(
    own: tuple[Browserless, str],
) -> None:
    first, key = own
    reply = first.get(key)
    assert reply.status == 303
    assert reply.headers["location"] == "/ui/"
    flags = {part.strip().lower() for part in reply.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/ui"} <= flags
    assert key.partition("=")[2] not in reply.headers["set-cookie"]
    first.keep(reply)
    assert "stone" in first.get("/ui/").body
    second = Browserless(first.port)
    assert second.get(key).status == 401
    assert second.get("/ui/", cookie=f"simonides_{first.port}=guessed").status == 401


def test_signing_out_makes_the_cookie_worthless(own: tuple[Browserless, str]) -> None:
    visitor, key = own
    visitor.keep(visitor.get(key))
    assert visitor.get("/ui/").status == 200
    assert visitor.post("/ui/sign-out", {}).status == 303
    assert visitor.get("/ui/").status == 401


def test_only_its_own_names_are_answered(own: tuple[Browserless, str]) -> None:
    visitor, key = own
    visitor.keep(visitor.get(key))
    assert visitor.get("/ui/", host=f"localhost:{visitor.port}").status == 200
    for name in ("evil.example", f"evil.example:{visitor.port}", "127.0.0.1.evil.example", "[bad", ""):
        assert visitor.get("/ui/", host=name).status in (400, 421), name


def test_only_its_own_forms_are_taken(own: tuple[Browserless, str], memory: Memory) -> None:
    visitor, key = own
    visitor.keep(visitor.get(key))
    before = memory.status().events
    for origin in (
        "http://evil.example",
        "null",
        f"http://localhost:{visitor.port + 1}",
        f"http://127.0.0.1:{visitor.port}.evil.example",
    ):
        assert visitor.post("/ui/add", {"text": "forged"}, origin=origin).status == 403, origin
    silent = visitor.ask("POST", "/ui/add", None)
    assert silent.status == 403, "a form that says nothing of where it comes from"
    assert memory.status().events == before
    assert visitor.post("/ui/add", {"text": "my own"}).status == 303


def test_every_answer_forbids_what_is_not_needed(own: tuple[Browserless, str]) -> None:
    visitor, key = own
    visitor.keep(visitor.get(key))
    for path in ("/ui/", "/ui/search", "/ui/nowhere", "/ui/memory/00", "/ui/static/nothing"):
        reply = visitor.get(path)
        assert HEADERS.items() <= reply.headers.items(), path
        assert reply.headers["cache-control"] == "no-store"
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert (
        "no-store"
        not in visitor.get(re.findall(r'href="(/ui/static/page[^"]+)"', visitor.get("/ui/").body)[0]).headers[
            "cache-control"
        ]
    )


def test_no_websocket_is_opened(own: tuple[Browserless, str]) -> None:
    visitor, _ = own
    wanted = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec_websocket_version": "13",
        "sec_websocket_key": "eA==",
    }
    assert visitor.get("/ui/", **wanted).status != 101


def test_nobody_is_led_away_from_the_page(shared: Browserless) -> None:
    for back in (
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "x\r\nlocation: y",
    ):
        reply = shared.post("/ui/sign-in", {"token": "t-all", "back": back})
        assert reply.status == 303
        assert reply.headers["location"].startswith("/ui/"), back
        shared.cookie = ""


def test_a_wrong_token_is_told_so_and_gets_no_cookie(shared: Browserless) -> None:
    for token in ("t-none", "", "a b", "x;y", "ümlaut", '"'):
        reply = shared.post("/ui/sign-in", {"token": token})
        assert reply.status == 401
        assert "not known here" in reply.body
        assert "set-cookie" not in reply.headers


def test_a_token_of_one_person_shows_nothing_of_another(shared: Browserless, memory: Memory) -> None:
    ana = _signed(shared, "t-ana")
    listed = ana.get("/ui/").body
    assert "stone" in listed
    assert "piano" not in listed
    found = ana.post(
        "/ui/search", {"query": "who keeps the money in the piano?", "no_gate": "1", "user": "bob"}
    ).body
    assert "piano." not in found
    (bobs,) = memory.list(user="bob")
    for path in ("", "/erase"):
        assert ana.get(f"/ui/memory/{bobs.id}{path}").status in (403, 404)
    for path in (f"timeline?id={bobs.id}", f"graph?at={bobs.id}"):
        assert ana.get(f"/ui/{path}").status == 404
    reply = ana.post(f"/ui/memory/{bobs.id}/correct", {"text": "stolen"})
    assert reply.status == 404
    assert memory.get(bobs.id).text.endswith("piano.")
    written = ana.post("/ui/add", {"text": "Ana waters the plants.", "user": "bob"})
    assert written.status == 303
    assert {one.scope.user for one in memory.list() if "plants" in one.text} == {"ana"}
    assert '"/ui/health"' not in listed
    assert '"/ui/import"' not in listed
    assert ana.get("/ui/health").status == 403
    assert ana.get("/ui/import").status == 400, "files name scopes of their own"


def test_who_may_only_look_is_offered_nothing_else(shared: Browserless, memory: Memory) -> None:
    looker = _signed(shared, "t-look")
    (anas,) = memory.list(user="ana")
    page = looker.get(f"/ui/memory/{anas.id}").body
    assert "stone" in page
    assert "Erase" not in page
    assert 'method="post" action="/ui/memory' not in page
    for act in ("correct", "retire", "restore", "erase"):
        assert looker.post(f"/ui/memory/{anas.id}/{act}", {"text": "x", "typed": anas.id[-8:]}).status == 403
    assert looker.post("/ui/add", {"text": "x"}).status == 403
    assert looker.post("/ui/undo", {"event": "1"}).status == 403
    assert memory.get(anas.id).text.endswith("stone.")


@pytest.mark.parametrize("path", ["search", "add", "undo", "review", "import/00", "memory/00/erase"])
def test_forms_of_nonsense_get_an_answer_and_change_nothing(
    shared: Browserless, memory: Memory, path: str
) -> None:
    visitor = _signed(shared, "t-all")
    before = memory.status().events
    for form in (
        {},
        {"query": "\x00"},
        {"k": "1e9", "query": "x", "as_of": "2026-13-45"},
        {"event": "-1"},
        {"decision": "eat"},
    ):
        assert visitor.post(f"/ui/{path}", form).status < 500
    assert visitor.ask("POST", f"/ui/{path}", {"x": "y"}, content_length="99999999999").status == 413
    assert memory.status().events == before


def test_a_text_of_markup_is_shown_as_it_is(shared: Browserless, memory: Memory) -> None:
    visitor = _signed(shared, "t-all")
    id = memory.add(
        "<script>alert('x')</script><img src=x onerror=alert(1)>", speaker='"><b>', metadata={"<i>": "</dd>"}
    ).id
    for path in ("", f"memory/{id}", f"timeline?id={id}", f"graph?at={id}"):
        body = visitor.get(f"/ui/{path}").body
        assert "<script>alert" not in body
        assert "<img" not in body
        assert "<i>" not in body


def test_a_port_that_is_taken_says_so(memory: Memory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError, match="--port 0"):
        make(memory, other.getsockname()[1])


def test_the_page_is_attached_where_it_is_wanted(memory: Memory) -> None:
    app = Starlette()
    attach(app, lambda _request: Bounded(memory), "/memories/page/")
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
    with running(uvicorn.Server(config), listening) as port:
        visitor = Browserless(port)
        assert visitor.get("/memories/page").headers["location"] == "/memories/page/"
        body = visitor.get("/memories/page/").body
        assert "stone" in body
        for address in re.findall(r'(?:href|action|src)="([^"]+)"', body):
            assert address.startswith(("/memories/page/", "#")), address


def test_a_file_that_was_handed_in_is_gone_when_the_page_is_stopped(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    served = make(memory)
    with running(served.server, served.listening) as port:
        visitor = Browserless(port)
        visitor.keep(visitor.get(served.key_url.removeprefix(f"http://127.0.0.1:{port}")))
        body = (
            '--x\r\ncontent-disposition: form-data; name="file"; filename="../../a.jsonl"'
            '\r\n\r\n{"text": "a"}\r\n--x--\r\n'
        )
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"content-type": "multipart/form-data; boundary=x", "origin": f"http://127.0.0.1:{port}"}
        connection.request("POST", "/ui/import", body, headers | {"cookie": visitor.cookie})
        reply = connection.getresponse()
        assert reply.status == 303
        connection.close()
        (folder,) = tmp_path.iterdir()
        assert [file.name for file in folder.iterdir()] == ["a.jsonl"], (
            "whatever its name says, it lies in its folder"
        )
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
