"""A server in a process of its own, asked by `simonides.Client`, driven by the contract of all doors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from serving import serving
from simonides import Client
from simonides.clock import parse_time
from simonides.errors import NotFound


class Rest:
    """`simonides serve`."""

    gates = corrects = True

    def __init__(self, client: Client) -> None:
        self.client = client

    def remember(self, text: str, at: str) -> str:
        return self.client.add(text, at=parse_time(at, "at")).id

    def recall(self, query: str) -> list[str]:
        return [hit.memory.text for hit in self.client.search(query)]

    def read(self, id: str) -> str | None:
        try:
            return self.client.get(id).text
        except NotFound:
            return None

    def correct(self, id: str, text: str) -> None:
        self.client.update(id, text)

    def forget(self, id: str) -> None:
        self.client.retire(id)


@contextmanager
def opened(path: str) -> Generator[Rest]:
    """Start a server on a free port, and stop it afterwards."""
    with serving(path) as (url, token), Client(url, token) as client:
        yield Rest(client)
