"""Traces and metrics over OpenTelemetry, where the environment names a collector; without one nothing leaves.

A span has the pattern of the path, the status and the credential's id: nothing that was asked or answered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simonides import __version__
from simonides.errors import ModelMissing

if TYPE_CHECKING:
    from simonides.doors.rest.guard import Exchange

ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_WRONG = 500


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a collector is named, and telemetry not switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(environment.get(name) for name in ENDPOINTS)


class Telemetry:
    """Sends what happens to a collector, in batches, in the background; the providers are its own, not global.

    Raises:
        ModelMissing: the packages are not installed.
    """

    def __init__(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as err:
            way_out = 'pip install "simonides[otel]", or take OTEL_EXPORTER_OTLP_ENDPOINT away.'
            raise ModelMissing("OpenTelemetry", f"needs {err.name}", "", way_out) from err
        resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or "simonides"})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer("simonides", __version__)
        self._seconds = self._metrics.get_meter("simonides", __version__).create_histogram(
            "http.server.request.duration", unit="s", description="Seconds until the end of the answer."
        )

    def exchange(self, exchange: Exchange) -> None:
        """Note a request that is over: a span from its beginning to now, in the trace that the client is in."""
        from time import time_ns

        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        method, route = str(exchange.scope["method"]), exchange.route or "none"
        facts: dict[str, Any] = {
            "http.request.method": method, "http.route": route, "http.response.status_code": exchange.status,
        }  # fmt: skip
        more = {"simonides.request": exchange.id.decode()}
        if exchange.caller is not None:
            more["simonides.credential"] = exchange.caller.id
        given = {
            name: exchange.headers.get(name.encode(), b"").decode("latin-1")
            for name in ("traceparent", "tracestate")
        }
        context = TraceContextTextMapPropagator().extract(
            {name: text for name, text in given.items() if text}
        )
        now = time_ns()
        span = self._tracer.start_span(
            f"{method} {route}", context, SpanKind.SERVER, {**facts, **more},
            start_time=now - int(exchange.seconds * 1e9),
        )  # fmt: skip
        if exchange.status >= _WRONG:
            span.set_status(StatusCode.ERROR)
        span.end(now)
        self._seconds.record(exchange.seconds, facts)

    def close(self) -> None:
        """Send what is left; a collector that is gone is not waited for long."""
        self._traces.shutdown()
        self._metrics.shutdown()
