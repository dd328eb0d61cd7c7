"""mem0's REST paths over a real socket, driven by the contract of all doors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import httpx

import rest_servers


class Mem0Rest:
    """A client that knows mem0's paths and nothing of us."""

    gates = corrects = True

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def remember(self, text: str, at: str) -> str:
        body = {"messages": [{"role": "user", "content": text}], "user_id": "ana", "timestamp": at}
        return self.client.post("/memories", json=body).raise_for_status().json()["results"][0]["id"]

    def recall(self, query: str) -> list[str]:
        body = {"query": query, "filters": {"user_id": "ana"}}
        found = self.client.post("/search", json=body).raise_for_status().json()
        return [one["memory"] for one in found["results"]]

    def read(self, id: str) -> str | None:
        found = self.client.get(f"/memories/{id}").raise_for_status().json()
        return None if found is None else found["memory"]

    def correct(self, id: str, text: str) -> None:
        self.client.put(f"/memories/{id}", json={"text": text}).raise_for_status()

    def forget(self, id: str) -> None:
        self.client.delete(f"/memories/{id}").raise_for_status()


@contextmanager
def opened(path: str) -> Generator[Mem0Rest]:
    """Serve the store, and speak to it as a client of mem0 does."""
    config = replace(rest_servers.LOCAL, mem0=True)
    with (
        rest_servers.listening(path, config) as url,
        httpx.Client(base_url=url, headers={"X-API-Key": rest_servers.OWNER}, timeout=30) as client,
    ):
        yield Mem0Rest(client)
