"""What the server counts and measures, in a registry of its own; knows routes by their patterns only.

Labels are few and never hold anything of a request: the method, the pattern of the path, the status.
"""

from __future__ import annotations

from collections import Counter as Counted
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from simonides.health import age_seconds
from simonides.ledger.calls import midnight

if TYPE_CHECKING:
    from simonides.doors.rest.guard import Exchange
    from simonides.memory import Memory

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD"})
_MOST_CALLS = 10_000


class Metrics:
    """The figures of one server; those of the store are read when they are asked for."""

    media_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("simonides_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "simonides_request_seconds", "Seconds until the end of the answer.", labels[:2],
            registry=self._registry, buckets=BUCKETS,
        )  # fmt: skip
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._gauges = {
            name: Gauge(f"simonides_{name}", text, registry=self._registry)
            for name, text in (
                ("memories", "Memories that are believed now."),
                ("versions", "Versions ever written."),
                ("links", "Links."),
                ("events", "Entries of the log."),
                ("bytes", "What the store takes on disk."),
                ("backlog", "Memories that the full tier has not read yet."),
                ("backlog_oldest_seconds", "How long the oldest of them has waited."),
                ("jobs_dead", "Jobs that were given up."),
            )
        }
        self._calls = Gauge(
            "simonides_model_calls_today", "Model calls today (UTC), by purpose.", ("purpose", "ok"),
            registry=self._registry,
        )  # fmt: skip
        self._tokens = Gauge(
            "simonides_model_tokens_today", "Tokens they took, by purpose.", ("purpose", "direction"),
            registry=self._registry,
        )  # fmt: skip

    def exchange(self, exchange: Exchange) -> None:
        """Count a request that is over."""
        method = exchange.scope["method"]
        key = (method if method in METHODS else "other", exchange.route or "none", exchange.status)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                self._requests.labels(key[0], key[1], str(key[2])), self._seconds.labels(*key[:2]),
            )  # fmt: skip
        found[0].inc()
        found[1].observe(exchange.seconds)

    def text(self, memory: Memory) -> bytes:
        """Return all figures, with those of a store."""
        sizes, ledger = memory.ledger.sizes(), memory.ledger
        jobs = ledger.jobs.health()
        for name in ("memories", "versions", "links", "events", "bytes"):
            self._gauges[name].set(sizes.get(name, 0))
        full = memory.settings.meaning == "full"
        self._gauges["backlog"].set(jobs.waiting + jobs.leased if full else 0)
        self._gauges["backlog_oldest_seconds"].set(age_seconds(ledger, jobs) if full else 0)
        self._gauges["jobs_dead"].set(jobs.dead)
        self._spending(memory)
        return generate_latest(self._registry)

    def _spending(self, memory: Memory) -> None:
        book = memory.ledger.calls
        since = midnight(book.now())
        calls: Counted[tuple[str, str]] = Counted()
        tokens: Counted[tuple[str, str]] = Counted()
        for call in book.find(limit=_MOST_CALLS):
            if call.at >= since:
                calls[call.purpose, str(call.ok).lower()] += 1
                tokens[call.purpose, "prompt"] += call.prompt_tokens
                tokens[call.purpose, "reply"] += call.reply_tokens
        for gauge, counted in ((self._calls, calls), (self._tokens, tokens)):
            gauge.clear()
            for labels, number in counted.items():
                gauge.labels(*labels).set(number)
