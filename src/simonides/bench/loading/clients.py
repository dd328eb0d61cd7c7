"""Many clients of one server at once, each on a connection of its own; knows sockets and what to ask, no store.

All of them run in one thread of this process and read no more of an answer than they must, so that on a machine of few
cores as much as possible is left to the server. What they take is measured all the same.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from simonides.bench.generate import Generator as Inventor
from simonides.clock import new_id

READS = {"search": 5, "get": 3, "context": 1, "list": 1}
"""What ten reads are."""
PATIENCE = 120.0
"""Seconds after the end of a run within which every answer must be there."""


@dataclass(slots=True)
class Load:
    """What a server was asked, and how it took it.

    Attributes:
        walls: seconds of each request, by what was asked.
        errors: what was answered in place of what was asked for, with how often.
        written: text by the id of each write that was acknowledged.
        seconds: from the first request to the last answer.
        mine: seconds of processor time that the clients took.
    """

    walls: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    errors: dict[str, int] = field(default_factory=dict[str, int])
    written: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    mine: float = 0.0

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(map(len, self.walls.values()))

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def of(self, *kinds: str) -> list[float]:
        """Return the seconds of some kinds together; of all, if none is named."""
        return [wall for kind in kinds or self.walls for wall in self.walls.get(kind, [])]


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked.

    Attributes:
        url: of the server.
        token: of who asks.
        known: ids that can be got.
        reads: for each write.
        echo: send everything to a path that answers with what it is sent.
    """

    url: str
    token: str = ""
    known: Sequence[str] = ()
    reads: int = 10
    echo: bool = False

    def request(self, kind: str, asked: Random, inventor: Inventor, text: str) -> bytes:
        """Return one request."""
        method, path, body = self._asked(kind, asked, inventor, text)
        data = b"" if body is None else json.dumps(body).encode()
        if self.echo:
            method, path, data = "POST", "/echo", data or json.dumps({"path": path}).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if data:
            lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        if kind == "add":
            lines.append(f"Idempotency-Key: {new_id()}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def _asked(
        self, kind: str, asked: Random, inventor: Inventor, text: str
    ) -> tuple[str, str, dict[str, Any] | None]:
        match kind:
            case "add":
                return "POST", "/v1/memories", {"text": text, "user": f"user-{asked.randrange(100)}"}
            case "get":
                return "GET", f"/v1/memories/{asked.choice(self.known)}", None
            case "list":
                return "GET", f"/v1/memories?limit=20&user=user-{asked.randrange(100)}", None
            case "context":
                return "POST", "/v1/context", {"query": inventor.question(), "budget": 400}
            case _:
                return "POST", "/v1/search", {"query": inventor.question(), "k": 10}


def run(target: Target, clients: int, seconds: float, seed: int) -> Load:
    """Let clients ask for so long, and wait for the last answers.

    Raises:
        TimeoutError: an answer did not come at all.
    """
    return asyncio.run(_all(target, clients, seconds, seed))


async def _all(target: Target, clients: int, seconds: float, seed: int) -> Load:
    load = Load()
    host = urlsplit(target.url)
    lines = [await asyncio.open_connection(host.hostname, host.port) for _ in range(clients)]
    begun, mine = time.perf_counter(), time.process_time()
    work = [
        _one(target, line, begun + seconds, number + clients * seed, load)
        for number, line in enumerate(lines)
    ]
    async with asyncio.timeout(seconds + PATIENCE):
        await asyncio.gather(*work)
    load.seconds, load.mine = time.perf_counter() - begun, time.process_time() - mine
    for _, writer in lines:
        writer.close()
    return load


async def _one(
    target: Target,
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ends: float,
    seed: int,
    load: Load,
) -> None:
    """Be one client: ask, wait for the answer, ask the next."""
    reader, writer = line
    asked, inventor = Random(seed), Inventor(seed)
    for kind in _mix(asked, target.reads):
        if time.perf_counter() >= ends:
            return
        text = f"{inventor.memories(1)[0].text} ({new_id()})" if kind == "add" else ""
        sent = target.request(kind, asked, inventor, text)
        begun = time.perf_counter()
        writer.write(sent)
        try:
            status, body = await answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as err:
            load.errors[type(err).__name__] = load.errors.get(type(err).__name__, 0) + 1
            return
        load.walls.setdefault(kind, []).append(time.perf_counter() - begun)
        if status not in (200, 201):
            name = f"{kind}: {status}"
            load.errors[name] = load.errors.get(name, 0) + 1
        elif kind == "add" and not target.echo:
            load.written[json.loads(body)["ids"][0]] = text


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and the body of one answer of a stated length."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    place = head.find(b"content-length:")
    length = int(head[place + 15 : head.index(b"\r\n", place)]) if place >= 0 else 0
    return int(head[9:12]), await reader.readexactly(length)


def _mix(asked: Random, reads: int) -> Iterator[str]:
    """Yield what to ask next, for ever: so many reads to each write, in random order."""
    names, weights = [*READS], [*READS.values()]
    while True:
        some = [*asked.choices(names, weights, k=reads), "add"]
        asked.shuffle(some)
        yield from some
