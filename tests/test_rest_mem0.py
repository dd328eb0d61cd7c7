"""mem0's REST paths: the shapes and codes of its own server, and never more than the token allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import rest_servers
from simonides.memory import Memory

TEA = "I drink green tea in the morning."
RUM = "I drink dark rum in the evening."


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")


@pytest.fixture
def client(path: str) -> Iterator[TestClient]:
    with rest_servers.served(path, replace(rest_servers.LOCAL, mem0=True)) as client:
        yield client


def of(path: str, client: TestClient, **scope: Any) -> TestClient:
    """Return a client of another token, named as mem0's clients do."""
    token = rest_servers.token(path, **scope)
    return TestClient(
        client.app, "http://127.0.0.1", headers={"X-API-Key": token}, raise_server_exceptions=False
    )


def add(client: TestClient, text: str, **more: Any) -> str:
    body = {"messages": [{"role": "user", "content": text}], **more}
    answer = client.post("/memories", json=body)
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["results"]
    assert (row["memory"], row["event"]) == (text, "ADD")
    return row["id"]


def test_a_memory_lives_and_dies_as_on_mem0s_server(client: TestClient) -> None:
    id = add(client, TEA, user_id="ana", metadata={"topic": "tea"}, infer=False)
    assert client.get(f"/memories/{id}").json()["metadata"] == {"topic": "tea"}
    for body in (
        {"user_id": "ana"},
        {"filters": {"user_id": "ana", "topic": "tea"}, "top_k": 1, "explain": True},
    ):
        (row,) = client.post("/search", json={"query": "what do I drink in the morning?", **body}).json()[
            "results"
        ]
        assert (row["id"], row["user_id"], "score_details" in row) == (id, "ana", "explain" in body)
    assert client.put(f"/memories/{id}", json={"text": "I drink water."}).json() == {
        "message": "Memory updated successfully!"
    }
    assert client.put(f"/memories/{id}", json={"expiration_date": "2020-01-01"}).status_code == 200
    assert client.get("/memories", params={"user_id": "ana"}).json() == {"results": []}
    shown = client.get("/memories", params={"user_id": "ana", "show_expired": True, "top_k": 5}).json()[
        "results"
    ]
    assert [row["memory"] for row in shown] == ["I drink water."]
    assert client.put(f"/memories/{id}", json={"expiration_date": None, "data": TEA}).status_code == 200
    assert client.delete(f"/memories/{id}").json() == {"message": "Memory deleted successfully"}
    assert client.get(f"/memories/{id}").json() is None
    events = [row["event"] for row in client.get(f"/memories/{id}/history").json()]
    assert events == ["ADD", "UPDATE", "UPDATE", "UPDATE", "DELETE"]


def test_what_is_wrong_is_said_with_mem0s_codes(client: TestClient) -> None:
    def detail(answer: Any, status: int) -> str:
        assert answer.status_code == status, answer.text
        return answer.json()["detail"]

    said = {"messages": [{"role": "user", "content": TEA}]}
    assert "At least one identifier" in detail(client.post("/memories", json=said), 400)
    assert "At least one identifier" in detail(client.delete("/memories"), 400)
    assert "must contain at least one of" in detail(client.post("/search", json={"query": "x"}), 400)
    assert "not found" in detail(client.put(f"/memories/{'0' * 32}", json={"text": "x"}), 404)
    assert "not found" in detail(client.delete("/memories/unknown"), 404)
    assert "At least one of text" in detail(client.put(f"/memories/{'0' * 32}", json={}), 400)
    assert "memory_type" in detail(
        client.post("/memories", json={**said, "user_id": "a", "memory_type": "x"}), 400
    )
    assert client.get("/memories/unknown").json() is None
    assert client.get("/memories/unknown/history").json() == []
    assert client.post("/memories", json={"messages": 7}).status_code in (400, 422)
    assert client.get("/memories", params={"user_id": "a", "top_k": -1}).status_code in (400, 422)
    assert (
        client.get("/memories", params={"user_id": "a"}, headers={"Authorization": "Bearer no"}).status_code
        == 401
    )


def test_a_token_never_reaches_what_others_own(path: str, client: TestClient) -> None:
    theirs = add(client, RUM, user_id="ben")
    ana = of(path, client, user="ana")
    own = add(ana, TEA)
    assert [row["id"] for row in ana.get("/memories").json()["results"]] == [own]
    for answer in (
        ana.post("/memories", json={"messages": [{"role": "user", "content": "x"}], "user_id": "ben"}),
        ana.get("/memories", params={"user_id": "ben"}),
        ana.post("/search", json={"query": "what do I drink?", "user_id": "ben"}),
        ana.post("/search", json={"query": "what do I drink?", "filters": {"user_id": "ben"}}),
        ana.delete("/memories", params={"user_id": "ben"}),
        ana.delete("/entities/user/ben"),
    ):
        assert answer.status_code == 403, answer.text
        assert RUM not in answer.text
    assert ana.get(f"/memories/{theirs}").json() is None
    assert ana.get(f"/memories/{theirs}/history").json() == []
    assert ana.put(f"/memories/{theirs}", json={"text": "x"}).status_code == 404
    assert ana.delete(f"/memories/{theirs}").status_code == 404
    either = {"OR": [{"user_id": "ben"}, {"user_id": "ana"}]}
    found = ana.post("/search", json={"query": "what do I drink?", "filters": either, "threshold": 0}).json()
    assert [row["id"] for row in found["results"]] == [own]
    assert [one["id"] for one in ana.get("/entities").json()] == ["ana"]
    assert ana.post("/reset").status_code == 403, "the token may not erase"
    assert ana.delete("/memories", params={"user_id": "ana"}).json() == {
        "message": "All relevant memories deleted"
    }
    assert client.get(f"/memories/{theirs}").json()["memory"] == RUM


def test_the_owner_sees_and_ends_it_all(path: str, client: TestClient) -> None:
    for number in range(3):
        add(client, f"I own boat {number}.", user_id="ana", run_id=f"r{number}")
    every = client.get("/memories").json()["results"]
    assert {*every[0]} == {
        "id", "memory", "user_id", "agent_id", "run_id", "hash", "expiration_date", "metadata",
        "created_at", "updated_at",
    }  # fmt: skip
    assert len(client.get("/memories", params={"top_k": 2}).json()["results"]) == 2
    kinds = {(one["type"], one["id"]): one["total_memories"] for one in client.get("/entities").json()}
    assert kinds == {("user", "ana"): 3, ("run", "r0"): 1, ("run", "r1"): 1, ("run", "r2"): 1}
    assert client.delete("/entities/run/r0").json() == {"message": "Entity deleted"}
    assert client.get("/configure").json()["version"] == "v1.1"
    assert client.post("/configure", json={"llm": {"provider": "openai"}}).status_code == 200
    reader = of(path, client)
    assert reader.get("/memories").json() == {"detail": "Admin role required to list all memories."}
    assert client.post("/reset").json() == {"message": "All memories reset"}
    with Memory(path) as memory:
        assert memory.list() == []


def test_the_paths_are_there_only_when_asked_for(path: str) -> None:
    with rest_servers.served(path) as client:
        assert client.get("/memories", params={"user_id": "ana"}).status_code == 404
