"""Turn what a caller hands in into changes; knows no store: whether text can be kept is the ledger's to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar, cast

from simonides.clock import new_id, parse_time, utc, zone_name
from simonides.errors import InputError, UnknownName
from simonides.parts.lifecycle import ending
from simonides.types import Add, Kind, Scope, Source

T = TypeVar("T")

FIELDS = (
    "text", "kind", "speaker", "at", "user", "agent", "session", "project", "metadata", "source", "until",
    "confidence", "importance", "attributes", "reason", "ttl", "expires", "on_expiry",
)  # fmt: skip


def adding(row: Mapping[str, object], now: datetime) -> Add:
    """Return the change that adds a row; its keys are the keyword arguments of `Memory.add`.

    `at` may be an aware datetime or ISO 8601 text with a zone; `source` a `Source` or its name.

    Raises:
        InputError: an unknown key, a missing text, a value of the wrong type. TimeError: a naive time.
    """
    if not isinstance(row, Mapping):
        raise InputError("row", "must be a mapping", repr(row), 'Example: {"text": "...", "speaker": "Ana"}.')
    given: dict[str, Any] = {key: value for key, value in row.items() if value is not None}
    for key in given:
        if key not in FIELDS:
            raise UnknownName("key of a row", str(key), FIELDS)
    if "text" not in given:
        raise InputError(
            "row", "must have a text", sorted(given), 'Example: {"text": "...", "speaker": "Ana"}.'
        )
    at = _time(given.pop("at", now), "at")
    if "until" in given:
        given["until"] = utc(_time(given["until"], "until"), "until")
    if "expires" in given or "ttl" in given:
        expires = _time(given["expires"], "expires") if "expires" in given else None
        given["expires"] = ending(now, expires, given.pop("ttl", None))
    if isinstance(given.get("source"), str):
        given["source"] = Source(name=given["source"])
    scope = Scope(**{name: given.pop(name, "") for name in ("user", "agent", "session", "project")})
    kind = str(given.pop("kind", Kind.TURN))
    return Add(id=new_id(), at=utc(at, "at"), zone=zone_name(at), scope=scope, kind=kind, **given)


def _time(value: object, subject: str) -> datetime:
    if isinstance(value, str):
        value = parse_time(value, subject)
    utc(cast("datetime", value), subject)
    return cast("datetime", value)


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items."""
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch
