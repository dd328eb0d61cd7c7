"""What the server writes down, one JSON object a line: never a text, a question, a path with one, or a token."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from simonides.doors.rest.guard import Exchange
    from simonides.types import Json

QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked every few seconds by machines; written down only where they fail."""
_WRONG = 500


class Log:
    """Writes lines to a stream; one that is gone is not written to any more."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def line(self, level: str, event: str, **facts: Json) -> None:
        """Write one line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json.dumps({"time": at, "level": level, "event": event, **facts})
        try:
            print(text, file=self._stream or sys.stderr, flush=True)
        except (OSError, ValueError):
            return

    def exchange(self, exchange: Exchange) -> None:
        """Write down a request that is over."""
        route = exchange.route
        if route in QUIET and exchange.status < _WRONG:
            return
        self.line(
            "error" if exchange.status >= _WRONG else "info",
            "request",
            request=exchange.id.decode(),
            method=str(exchange.scope["method"]),
            route=route or None,
            status=exchange.status,
            ms=round(exchange.seconds * 1000, 2),
            bytes=exchange.bytes,
            credential=None if exchange.caller is None else exchange.caller.id,
        )

    def failure(self, exchange: Exchange, where: str) -> None:
        """Write down a mistake of ours: where, and not what about."""
        self.line("error", "failure", request=exchange.id.decode(), route=exchange.route or None, where=where)


class Handler(logging.Handler):
    """Takes what uvicorn and others log; of an error only its class and where it happened."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        from simonides.doors.rest.guard import told

        facts: dict[str, Json] = {"logger": record.name, "message": str(record.msg)}
        if record.exc_info and record.exc_info[1] is not None:
            facts["where"] = told(record.exc_info[1])
        self._log.line(record.levelname.lower(), "log", **facts)
