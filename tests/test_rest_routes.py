"""Every route of the REST server does what its verb does, and answers as /openapi.json says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from rest_servers import served
from simonides import Memory
from simonides.doors.rest.bodies import Shape

AT = "2026-05-02T10:00:00+02:00"

AS_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


class Checked:
    """A client that holds every answer against the description of the server."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.described: dict[str, Any] = client.get("/openapi.json").json()
        self.used: set[str] = set()

    def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = self.client.request(method, path, **more)
        assert answer.status_code == status, answer.text
        operation = self._operation(method, path)
        self.used.add(operation["operationId"])
        told = operation["responses"][str(status)]
        if "$ref" in told:
            told = self.described["components"]["responses"][told["$ref"].rpartition("/")[2]]
        if "content" not in told:
            return answer
        kind = answer.headers["content-type"].partition(";")[0]
        schema = {**told["content"][kind]["schema"], "components": self.described["components"]}
        if kind.endswith(("/json", "+json")):
            Draft202012Validator(schema).validate(answer.json())
            return answer.json()
        return answer

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        parts = path.partition("?")[0].split("/")
        for pattern, operations in self.described["paths"].items():
            wanted = pattern.split("/")
            fits = all(one == two or one.startswith("{") for one, two in zip(wanted, parts, strict=False))
            if len(wanted) == len(parts) and fits and method.lower() in operations:
                fixed = path.partition("?")[0] in self.described["paths"]
                if not fixed or pattern == path.partition("?")[0]:
                    return operations[method.lower()]
        raise AssertionError(f"{method} {path} is not described")


@pytest.fixture
def ask(store: Path) -> Iterator[Checked]:
    with served(store) as client:
        yield Checked(client)


def remember(ask: Checked, text: str = "Ana moved to Lisbon.", **more: Any) -> str:
    return ask("POST", "/v1/memories", 201, json={"text": text, **more})["ids"][0]


def test_every_route_answers_as_it_is_described(ask: Checked) -> None:
    one = remember(ask, user="ana", at=AT, metadata={"city": "Lisbon"}, source={"name": "chat", "span": None})
    two, three = ask(
        "POST", "/v1/memories/batch", 201, json={"rows": [{"text": "Ben sings."}, {"text": "Clara swims."}]}
    )["ids"]
    assert ask("GET", f"/v1/memories/{one}")["at"] == "2026-05-02T08:00:00Z"
    page = ask("GET", "/v1/memories", params={"limit": 2})
    rest = ask("GET", "/v1/memories", params={"limit": 2, "after": page["next"]})
    assert [each["id"] for each in page["memories"] + rest["memories"]] == [one, two, three]
    assert rest["next"] is None
    where = json.dumps({"city": {"eq": "Lisbon"}})
    assert len(ask("GET", "/v1/memories", params={"where": where, "kind": ["turn", "note"]})["memories"]) == 1
    hits = ask("POST", "/v1/search", json={"query": "where did Ana move to?", "user": "ana"})["hits"]
    assert hits[0]["memory"]["id"] == one
    assert ask("POST", "/v1/explain", json={"query": "who sings?"})["considered"] == 3
    assert "Lisbon" in ask("POST", "/v1/context", json={"query": "where did Ana move to?"})["text"]
    ask("PATCH", f"/v1/memories/{one}", json={"text": "Ana moved to Porto.", "reason": "a slip"})
    assert [each["version"] for each in ask("GET", f"/v1/memories/{one}/history")["versions"]] == [1, 2]
    assert (
        ask("GET", f"/v1/memories/{one}", params={"known_at": "2100-01-01"})["text"] == "Ana moved to Porto."
    )
    link = ask("POST", "/v1/links", 201, json={"source": one, "target": two, "relation": "knows"})["ids"][0]
    ask("POST", "/v1/links", 201, json={"source": two, "target": three, "relation": "knows", "weight": 1})
    assert ask("GET", f"/v1/memories/{one}/links")["links"][0]["id"] == link
    assert ask("GET", f"/v1/memories/{one}/neighbours", params={"hops": 2})["neighbours"] == {
        two: 1,
        three: 2,
    }
    page = ask("GET", "/v1/links", params={"limit": 1})
    assert len(ask("GET", "/v1/links", params={"after": page["next"]})["links"]) == 1
    ask("DELETE", f"/v1/links/{link}")
    ask("PUT", f"/v1/memories/{two}/expiry", json={"ttl": 3600})
    ask("DELETE", f"/v1/memories/{three}", params={"reason": "over"})
    ask("GET", f"/v1/memories/{three}", 404)
    ask("POST", f"/v1/memories/{three}/restore", json={})
    assert {each["state"] for each in ask("GET", "/v1/progress", params={"id": [one, two]})["progress"]} == {
        "stored"
    }
    log = ask("GET", "/v1/log", params={"limit": 2})
    assert ask("GET", "/v1/log", params={"after": log["next"], "subject": one})["events"]
    last = ask("GET", "/v1/log", params={"limit": 1000})["events"][-1]["seq"]
    assert ask("POST", f"/v1/events/{last}/undo", json={"plan": True})["state"] == "planned"
    assert ask("POST", f"/v1/events/{last}/undo", json={})["state"] == "undone"
    rule = ask("POST", "/v1/retention", 201, json={"seconds": 3600, "kind": "note", "scope": {"user": "x"}})[
        "rule"
    ]
    assert ask("GET", "/v1/retention")["rules"] == [rule]
    assert ask("DELETE", f"/v1/retention/{rule['rule']}")["rules"] == []
    assert ask("POST", "/v1/upkeep", json={"plan": True})["state"] == "planned"
    assert ask("POST", "/v1/upkeep", json={})["state"] == "done"
    assert ask("GET", "/v1/verify")["ok"] is True
    assert ask("GET", "/v1/status")["memories"] == 2
    assert all(each["ok"] for each in ask("GET", "/v1/doctor")["findings"])
    jobs = ask("GET", "/v1/jobs", params={"limit": 1})
    assert jobs["next"] == jobs["jobs"][0]["job"]
    assert jobs["waiting"] > 1
    assert ask("GET", "/v1/whoami")["rights"] == ["read", "write", "erase", "admin"]
    erased = ask("POST", "/v1/erase", json={"ids": [one], "plan": True})
    assert (erased["state"], erased["examples"] != []) == ("planned", True)
    assert ask("POST", "/v1/erase", json={"subject": "Ana", "reason": "asked"})["ids"] == [one]
    lines = ask("GET", "/v1/export").content
    assert ask("POST", "/v1/import", content=lines)["skipped"] > 0
    assert ask("GET", "/health/live")["status"] == "green"
    assert ask("GET", "/health/ready")["checks"] == {"store": True, "backlog": True, "calls": True}
    twice = [remember(ask, "The harbour office opens at nine.") for _ in range(2)]
    doubt = ask("GET", "/v1/review")["doubts"][0]
    assert sorted(each["id"] for each in doubt["memories"]) == sorted(twice)
    ask("POST", f"/v1/review/{doubt['id']}", json={"decision": "merge", "keep": twice[0]})
    known = {each["operationId"] for one in ask.described["paths"].values() for each in one.values()}
    assert ask.used == known


def test_what_came_in_is_what_memory_itself_sees(store: Path) -> None:
    with served(store) as client:
        body = {"text": "Ben is here.", "kind": "note", "speaker": "ben", "source": "file.txt", "ttl": 3600.5}
        id = client.post("/v1/memories", json=body, params={"wait": "true"}).json()["ids"][0]
    with Memory(store) as memory:
        found = memory.get(id)
    assert (found.text, found.kind, found.speaker, found.source and found.source.name) == (
        "Ben is here.",
        "note",
        "ben",
        "file.txt",
    )
    assert found.actor == "owner"


def test_a_version_is_an_etag(ask: Checked) -> None:
    id = remember(ask)
    answer = ask.client.get(f"/v1/memories/{id}")
    assert answer.headers["etag"] == '"1"'
    for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
        same = ask.client.get(f"/v1/memories/{id}", headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", '"1"')
    changed = ask.client.patch(f"/v1/memories/{id}", json={"text": "Porto."}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert ask.client.get(f"/v1/memories/{id}", headers={"If-None-Match": '"1"'}).status_code == 200
    late = ask("PATCH", f"/v1/memories/{id}", 409, json={"text": "Rome."}, headers={"If-Match": '"1"'})
    assert late["current"] == 2
    assert late["type"].endswith(":Conflict")
    late = ask.client.delete(f"/v1/memories/{id}", headers={"If-Match": '"1"'})
    assert (late.status_code, late.headers["etag"]) == (409, '"2"')
    assert (
        ask("PATCH", f"/v1/memories/{id}", 400, json={"text": "x"}, headers={"If-Match": "2"})["subject"]
        == "If-Match"
    )
    ask("PATCH", f"/v1/memories/{id}", json={"text": "Rome."}, headers={"If-Match": '"9", "2"'})
    ask("DELETE", f"/v1/memories/{id}", headers={"If-Match": "*"})
    gone = ask("PATCH", f"/v1/memories/{id}", 409, json={"text": "x"}, headers={"If-Match": '"3"'})
    assert gone["current"] >= 3


def test_what_was_true_then_has_no_etag(ask: Checked) -> None:
    id = remember(ask, at="2026-01-01")
    answer = ask.client.get(f"/v1/memories/{id}", params={"as_of": "2026-02-01"})
    assert answer.status_code == 200
    assert "etag" not in answer.headers


def test_a_write_with_a_key_is_done_once(ask: Checked) -> None:
    def add(text: str, key: str) -> Any:
        return ask.client.post("/v1/memories", json={"text": text}, headers={"Idempotency-Key": key})

    first, again, other = add("Once.", "a"), add("Once.", "a"), add("Once.", "b")
    assert first.json()["ids"] == again.json()["ids"] != other.json()["ids"]
    assert first.headers["location"] == again.headers["location"]
    clash = add("Something else.", "a")
    assert clash.status_code == 400
    assert clash.json()["subject"] == "idempotency key"
    id = first.json()["ids"][0]
    for path, method, body in (
        (f"/v1/memories/{id}", "PATCH", {"text": "Twice."}),
        (f"/v1/memories/{id}", "DELETE", None),
        (f"/v1/memories/{id}/restore", "POST", {}),
        ("/v1/erase", "POST", {"ids": [id]}),
    ):
        both = [
            ask.client.request(method, path, json=body, headers={"Idempotency-Key": f"{method}{path}"}).json()
            for _ in range(2)
        ]
        assert both[0]["ids"] == both[1]["ids"], both
        assert both[0].get("seqs") == both[1].get("seqs"), both
    events = ask("GET", "/v1/log", params={"limit": 1000})["events"]
    assert [each["verb"] for each in events if each["verb"] in ("supersede", "retire", "restore")] == [
        "supersede",
        "retire",
        "restore",
    ]


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "name"),
    [
        ("POST", "/v1/memories", {"json": {"text": "x", "at": "2026-05-02T10:00"}}, 400, "TimeError"),
        ("POST", "/v1/memories", {"json": {"text": ""}}, 400, "TextError"),
        ("POST", "/v1/memories", {"json": {"text": "x", "mood": 1}}, 400, "InputError"),
        ("POST", "/v1/memories", {"json": {"text": 5}}, 400, "InputError"),
        ("POST", "/v1/memories", {"content": b'{"text": "\\ud800"}', "headers": AS_JSON}, 400, "TextError"),
        (
            "POST",
            "/v1/memories",
            {"content": b'{"text": "x", "metadata": {"a": "\\ud800"}}', "headers": AS_JSON},
            400,
            "InputError",
        ),
        ("POST", "/v1/memories", {"json": {"text": "x"}, "params": {"plan": "perhaps"}}, 400, "InputError"),
        ("POST", "/v1/memories", {"json": {"text": "x"}, "params": {"plann": "true"}}, 400, "InputError"),
        ("POST", "/v1/memories", {"json": {"text": "x", "ttl": 1e300}}, 400, "InputError"),
        ("POST", "/v1/memories", {"content": b"{"}, 400, "InputError"),
        (
            "POST",
            "/v1/memories",
            {"content": b"\xff\xfe", "headers": AS_JSON},
            400,
            "",
        ),
        (
            "POST",
            "/v1/memories",
            {"content": b"[" * 100_000, "headers": AS_JSON},
            400,
            "",
        ),
        (
            "POST",
            "/v1/memories",
            {"content": b'{"text":"x"}', "headers": {"Content-Type": "text/plain"}},
            400,
            "",
        ),
        ("POST", "/v1/search", {"json": {"query": " "}}, 400, "InputError"),
        ("POST", "/v1/search", {"json": {"query": "x", "where": {"a": {"near": 1}}}}, 400, "FilterError"),
        ("GET", "/v1/memories?where=[", {}, 400, "InputError"),
        ("GET", "/v1/memories?limit=0", {}, 400, "InputError"),
        ("GET", f"/v1/memories/{'0' * 32}", {}, 404, "NotFound"),
        ("GET", "/v1/nothing", {}, 404, "NotFound"),
        ("GET", "/v1/memories/", {}, 404, "NotFound"),
        ("PUT", "/v1/memories", {}, 405, "MethodNotAllowed"),
        ("POST", "/v1/erase", {"json": {}}, 400, "InputError"),
        ("POST", "/v1/erase", {"json": {"ids": ["a"], "user": "ana"}}, 400, "InputError"),
        ("POST", "/v1/events/99/undo", {"json": {}}, 404, "NotFound"),
        ("POST", "/v1/events/0/undo", {"json": {}}, 400, "InputError"),
        ("DELETE", "/v1/retention/9", {}, 404, "NotFound"),
    ],
)
def test_what_cannot_be_done_is_a_problem_with_a_way_out(
    ask: Checked, method: str, path: str, more: dict[str, Any], status: int, name: str
) -> None:
    answer = ask.client.request(method, path, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["subject"]
    assert told["rule"]
    assert name in told["type"]
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"


def test_shapes_of_requests_refuse_what_they_do_not_know() -> None:
    def all_of(kind: type[Shape]) -> Iterator[type[Shape]]:
        for each in kind.__subclasses__():
            yield each
            yield from all_of(each)

    assert len([*all_of(Shape)]) > 20
    assert all(each.model_config.get("extra") == "forbid" for each in all_of(Shape))


def test_the_description_has_an_example_of_every_body_and_every_error(ask: Checked) -> None:
    parts = ask.described["components"]
    for path, operations in ask.described["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], path
            assert operation["tags"]
            assert {"400", "401", "404", "429", "500", "503"} <= operation["responses"].keys() | {"503"}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body:
                name = body["schema"]["$ref"].rpartition("/")[2]
                examples = parts["schemas"][name]["examples"]
                assert examples, f"{method} {path}"
                schema = {"$ref": f"#/components/schemas/{name}", "components": parts}
                for example in examples:
                    Draft202012Validator(schema).validate(example)
    assert all(one["content"]["application/problem+json"]["example"] for one in parts["responses"].values())


def test_no_page_of_swagger_is_served(ask: Checked) -> None:
    assert [ask.client.get(path).status_code for path in ("/docs", "/redoc", "/")] == [404, 404, 404]
