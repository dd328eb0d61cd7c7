"""What those see who watch the REST server: health, figures of Prometheus, OpenTelemetry; and what is mounted on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from rest_servers import LOCAL, OWNER, QUIET, bearing, served, token
from simonides import Memory
from simonides.doors.rest.telemetry import wanted
from simonides.ledger.calls import Call


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.mark.parametrize(("meaning", "status"), [("full", 503), ("instant", 200)])
def test_ready_turns_red_when_work_has_waited_too_long(store: Path, meaning: str, status: int) -> None:
    settings = replace(QUIET, meaning=meaning, backlog_hours=0.2 / 3600)
    with served(store, settings=settings) as client:
        assert client.get("/health/ready").json()["status"] == "green"
        client.post("/v1/memories", json={"text": "Nobody reads this."})
        time.sleep(1.2)
        answer = client.get("/health/ready")
        assert answer.status_code == status
        assert answer.json()["checks"]["backlog"] is (status == 200)
        assert answer.json()["backlog"] == (1 if meaning == "full" else 0)


def test_ready_turns_red_when_model_calls_fail(store: Path) -> None:
    with served(store) as client, Memory(store, settings=QUIET) as memory:
        assert client.get("/health/ready").status_code == 200
        book = memory.ledger.calls
        calls = [
            Call(book.now(), "memory", "m", None, 5, 0, 0.0, 0.1, n < 2, "" if n < 2 else "refused")
            for n in range(12)
        ]
        book.record(calls)
        time.sleep(1.1)
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"store": True, "backlog": True, "calls": False}
        assert client.get("/health/live").status_code == 200


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every figure by name and labels."""
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_figures_say_how_much_there_is_and_how_long_it_took(store: Path) -> None:
    with served(store) as client, Memory(store, settings=QUIET) as memory:
        id = client.post("/v1/memories", json={"text": "The harbour is closed."}).json()["ids"][0]
        client.get(f"/v1/memories/{id}")
        client.get("/v1/memories/unknown-and-long")
        client.get("/v1/other")
        book = memory.ledger.calls
        book.record([Call(book.now(), "question", "m", None, 7, 3, 0.0, 0.1, True, "")])
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        found = samples(answer.text)
        assert "unknown-and-long" not in answer.text
        assert id not in answer.text
        added = (("method", "POST"), ("route", "/v1/memories"), ("status", "201"))
        assert found["simonides_requests_total", added] == 1
        assert (
            found["simonides_requests_total", (("method", "GET"), ("route", "none"), ("status", "404"))] == 1
        )
        assert found["simonides_request_seconds_count", added[:2]] == 1
        assert found["simonides_memories", ()] == 1
        assert found["simonides_model_calls_today", (("ok", "true"), ("purpose", "question"))] == 1
        assert found["simonides_model_tokens_today", (("direction", "prompt"), ("purpose", "question"))] == 7


def test_figures_need_a_token_unless_they_are_open(store: Path) -> None:
    with served(store) as client:
        del client.headers["Authorization"]
        assert client.get("/metrics").status_code == 401
    with served(store, replace(LOCAL, open_metrics=True)) as client:
        del client.headers["Authorization"]
        assert "simonides_memories 0.0" in client.get("/metrics").text
        assert client.get("/v1/status").status_code == 401


# OpenTelemetry


@contextmanager
def collector() -> Generator[tuple[str, list[tuple[str, bytes]]]]:
    """Give the URL of something that takes OTLP over HTTP, and what it got."""
    got: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            got.append((self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_traces_and_metrics_go_to_the_collector_that_is_named(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as (url, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        with served(store) as client:
            parent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
            client.post("/v1/memories", json={"text": "pistachio"}, headers={"traceparent": parent})
            client.get("/v1/memories", params={"user": "pistachio"})
        spans = [
            (resource, span)
            for path, body in got
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scoped in resource.scope_spans
            for span in scoped.spans
        ]
        names = sorted(span.name for _, span in spans)
        assert names == ["GET /v1/memories", "POST /v1/memories"]
        (child,) = [span for _, span in spans if span.name.startswith("POST")]
        assert child.trace_id.hex() == "a" * 32
        assert child.parent_span_id.hex() == "b" * 16
        assert child.end_time_unix_nano > child.start_time_unix_nano
        told = {one.key: one.value for one in child.attributes}
        assert told["http.response.status_code"].int_value == 201
        assert told["simonides.credential"].string_value == "startup"
        service = {one.key: one.value.string_value for one in spans[0][0].resource.attributes}
        assert service["service.name"] == "simonides"
        metrics = {
            metric.name
            for path, body in got
            if path == "/v1/metrics"
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scoped in resource.scope_metrics
            for metric in scoped.metrics
        }
        assert "http.server.request.duration" in metrics
        assert not any(b"pistachio" in body for _, body in got)


def test_without_a_collector_nothing_is_sent() -> None:
    assert not wanted({})
    assert not wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"})
    assert wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"})


# Mounts


def test_the_paths_of_mem0_are_there_when_they_are_asked_for(store: Path) -> None:
    with served(store) as client:
        assert client.post("/search", json={"query": "x", "user_id": "ana"}).status_code == 404
    with served(store, replace(LOCAL, mem0=True)) as client:
        said = {
            "messages": [{"role": "user", "content": "I moved to Lisbon."}],
            "user_id": "ana",
            "infer": False,
        }
        assert client.post("/memories", json=said).status_code == 200
        del client.headers["Authorization"]
        assert client.get("/memories", params={"user_id": "ana"}).status_code == 401
        for headers in (bearing(OWNER), {"X-API-Key": OWNER}, {"Authorization": f"Token {OWNER}"}):
            found = client.get("/memories", params={"user_id": "ana"}, headers=headers)
            assert found.status_code == 200, found.text
            assert "Lisbon" in found.text


def test_the_page_is_there_when_it_is_asked_for_and_asks_for_a_token(store: Path) -> None:
    ana = token(store, "ana", user="ana", rights=("read", "write"))
    with served(store) as client:
        assert client.get("/ui/").status_code == 404
    with served(store, replace(LOCAL, ui=True)) as client:
        client.post("/v1/memories", json={"text": "The secret of Ben.", "user": "ben"})
        client.post("/v1/memories", json={"text": "The wish of Ana.", "user": "ana"})
        del client.headers["Authorization"]
        door = client.get("/ui/")
        assert door.status_code == 401
        assert 'name="token"' in door.text
        same = {"Origin": "http://127.0.0.1"}
        assert client.post("/ui/sign-in", data={"token": "wrong"}, headers=same).status_code == 401
        assert client.post("/ui/sign-in", data={"token": ana}, headers=same).status_code == 200
        page = client.get("/ui/")
        assert page.status_code == 200
        assert "The wish of Ana." in page.text
        assert "The secret of Ben." not in page.text
        assert client.get("/v1/memories").status_code == 401, (
            "a cookie is no token of the interface for programs"
        )
        assert client.get("/uix").status_code == 401
