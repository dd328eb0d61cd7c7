"""Servers as stateless replicas on one PostgreSQL: what one wrote the other finds, and tenants never meet."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from backends import DATABASE, ROLE
from rest_servers import LOCAL, QUIET, Process, bearing, limited, process, served, token
from simonides import Memory, credentials
from simonides.bench.postgres_server import Server

_numbers = count(1)


@pytest.fixture
def place(server: Server) -> str:
    return server.url_of(DATABASE, ROLE)


@pytest.fixture
def tenants() -> tuple[str, str]:
    return f"rest-{os.getpid()}-{next(_numbers)}", f"rest-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def replicas(place: str, tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    with process(place, tmp_path) as one, process(place, tmp_path) as two:
        yield one, two


def of(place: str, tenant: str, name: str = "somebody", **more: str) -> str:
    """Issue a token of a tenant."""
    return token(f"{place}?tenant={tenant}", name, **more)


def test_two_replicas_serve_one_store(
    replicas: tuple[Process, Process], place: str, tenants: tuple[str, str]
) -> None:
    mine, theirs = of(place, tenants[0]), of(place, tenants[1])
    one, two = replicas
    assert one.token_file is None, "nothing of a server lies on a replica"
    with one.client(mine) as first, two.client(mine) as second, two.client(theirs) as other:
        made = first.post(
            "/v1/memories", json={"text": "The ferry leaves at nine."}, headers={"Idempotency-Key": "k"}
        )
        id = made.json()["ids"][0]
        assert second.get(f"/v1/memories/{id}").json()["text"] == "The ferry leaves at nine."
        hits = second.post("/v1/search", json={"query": "when does the ferry leave?"}).json()["hits"]
        assert [hit["memory"]["id"] for hit in hits] == [id]
        again = second.post(
            "/v1/memories", json={"text": "The ferry leaves at nine."}, headers={"Idempotency-Key": "k"}
        )
        assert again.json()["ids"] == [id], "a key holds on every replica"
        assert (
            second.patch(
                f"/v1/memories/{id}", json={"text": "At ten."}, headers={"If-Match": '"1"'}
            ).status_code
            == 200
        )
        late = first.patch(f"/v1/memories/{id}", json={"text": "At noon."}, headers={"If-Match": '"1"'})
        assert (late.status_code, late.json()["current"]) == (409, 2)
        assert other.get(f"/v1/memories/{id}").status_code == 404
        assert other.get("/v1/memories").json()["memories"] == []
        assert (
            other.post("/v1/search", json={"query": "when does the ferry leave?", "gate": False}).json()[
                "hits"
            ]
            == []
        )
        with Memory(f"{place}?tenant={tenants[0]}", settings=QUIET) as memory:
            (found,) = credentials.listed(memory)
            credentials.revoke(memory, found.id)
        deadline = time.monotonic() + 20
        while {each.get("/v1/whoami").status_code for each in (first, second)} != {401}:
            assert time.monotonic() < deadline, "a token that is revoked ends on both"
            time.sleep(0.1)
        assert other.get("/v1/whoami").status_code == 200


def test_a_token_of_a_tenant_that_is_not_there_makes_none(place: str, tenants: tuple[str, str]) -> None:
    known = of(place, tenants[0])
    encoded = known.split("_")[1]
    with served(place, limited(strangers=1000), startup="") as client:
        assert client.get("/v1/whoami", headers=bearing(known)).status_code == 200
        with Memory(place, settings=QUIET) as memory:
            for forged in ("nobody", tenants[1]):
                tag = credentials._encoded(forged.encode())
                assert (
                    client.get("/v1/whoami", headers=bearing(known.replace(encoded, tag))).status_code == 401
                )
                assert not credentials.known_tenant(memory, forged)


def test_a_server_of_one_tenant_serves_no_other(place: str, tenants: tuple[str, str]) -> None:
    mine, theirs = (of(place, each) for each in tenants)
    with served(f"{place}?tenant={tenants[0]}", startup="") as client:
        assert [client.get("/v1/whoami", headers=bearing(each)).status_code for each in (mine, theirs)] == [
            200,
            401,
        ]


def test_only_so_many_tenants_are_open_at_once(place: str) -> None:
    names = [f"rest-{os.getpid()}-{next(_numbers)}" for _ in range(5)]
    tokens = [of(place, each) for each in names]
    with served(place, limited(tenants=2), startup="") as client:
        for _ in range(2):
            for number, each in enumerate(tokens):
                done = client.post("/v1/memories", json={"text": f"Of {number}."}, headers=bearing(each))
                assert done.status_code == 201
        assert len(client.app.state.stores._open) <= 3  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        for number, each in enumerate(tokens):
            found = client.get("/v1/memories", headers=bearing(each)).json()["memories"]
            assert [one["text"] for one in found] == [f"Of {number}."] * 2
    assert LOCAL.limits.tenants > 2
