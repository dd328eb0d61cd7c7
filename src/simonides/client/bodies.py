"""Arguments of verbs as JSON for requests; knows no verb and no server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

from simonides.clock import utc
from simonides.errors import InputError
from simonides.types import Json, Source

WITHIN = frozenset(("user", "agent", "session", "project", "kinds", "where", "as_of", "known_at", "now"))
ERASING = frozenset(
    "query k subject entity user agent session project kinds where before everything links derived keep_pages"
    " backups full reason".split()
)


def body(given: Mapping[str, object]) -> dict[str, Any]:
    """Return arguments as the JSON of a request, without those that are None."""
    return {name: plain(value, name) for name, value in given.items() if value is not None}


def plain(value: object, name: str) -> Any:
    """Return one argument as JSON.

    Raises:
        TimeError: a time without a zone.
    """
    if isinstance(value, datetime):
        utc(value, name)
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Source):
        return asdict(value) | {"span": None if value.span is None else list(value.span)}
    if isinstance(value, Mapping):
        return {**cast("Mapping[str, object]", value)}
    if isinstance(value, (tuple, set, frozenset)):
        return [*value]
    return value


def moment(value: datetime | None, name: str) -> str | None:
    """Return a time for a query string."""
    return None if value is None else plain(value, name)


def where(value: Mapping[str, Json] | None) -> str | None:
    """Return a filter for a query string."""
    if value is None:
        return None
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise InputError("where", f"must be what JSON can hold ({err})") from err


def require_known(given: Mapping[str, object], known: frozenset[str]) -> None:
    """Refuse keyword arguments that there are not, as Python does."""
    if unknown := set(given) - known:
        raise TypeError(f"no such keyword argument: {', '.join(sorted(unknown))}")


def pieces(records: Iterable[Mapping[str, Json]], size: int) -> Iterator[bytes]:
    """Yield records as lines of JSON, many in a piece."""
    held: list[bytes] = []
    length = 0
    for record in records:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        held.append(line)
        length += len(line)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)
