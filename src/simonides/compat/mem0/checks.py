"""What mem0 refuses, with mem0's words, so that code which reads its messages goes on working; knows no store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import cast

from simonides.clock import parse_time, utc
from simonides.errors import InputError
from simonides.types import Json

IDENTITIES = {"user_id": "user", "agent_id": "agent", "run_id": "session"}
"""mem0's names of a scope, and ours."""
NEVER_METADATA = frozenset({*IDENTITIES, "actor_id"})
"""Who somebody is comes from the arguments alone; the same fields in metadata are left out, as mem0 does."""
PROCEDURAL = "procedural_memory"

log = logging.getLogger("simonides.compat.mem0")


class ValidationError(InputError):
    """mem0's error of a wrong argument, with its attributes; here it is a `ValueError` too.

    Attributes:
        message, error_code, details, suggestion, debug_info: as in `mem0.exceptions.ValidationError`.
    """

    def __init__(self, message: str, error_code: str, details: Mapping[str, object], suggestion: str) -> None:
        super().__init__("argument", message.rstrip("."), "", suggestion)
        self.args = (message,)
        self.message = message
        self.error_code = error_code
        self.details = dict(details)
        self.suggestion = suggestion
        self.debug_info: dict[str, object] = {}


def identity(value: object, name: str) -> str | None:
    """Return the name of a user, an agent or a run, trimmed; numbers become text."""
    if value is None:
        return None
    text = str(value).strip()
    if not text:
        raise ValueError(f"Invalid {name}: cannot be empty or whitespace-only. Provide a valid identifier.")
    if any(letter.isspace() for letter in text):
        raise ValueError(
            f"Invalid {name}: cannot contain whitespace. Provide a valid identifier without spaces."
        )
    return text


def scoped(given: Mapping[str, object]) -> dict[str, str]:
    """Return the fields of our scope that mem0's arguments name."""
    checked = {ours: identity(given.get(theirs), theirs) for theirs, ours in IDENTITIES.items()}
    return {name: value for name, value in checked.items() if value is not None}


def require_scope(given: Mapping[str, object]) -> dict[str, str]:
    """Return the scope that `add` writes to; one of the three must be named."""
    fields = scoped(given)
    if not fields:
        raise ValidationError(
            "At least one of 'user_id', 'agent_id', or 'run_id' must be provided.",
            "VALIDATION_001",
            {"provided_ids": {name: given.get(name) for name in IDENTITIES}},
            "Please provide at least one identifier to scope the memory operation.",
        )
    return fields


def check_kind(memory_type: str | None) -> None:
    """Refuse a type of memory that mem0 doesn't know."""
    if memory_type not in (None, PROCEDURAL):
        raise ValidationError(
            f"Invalid 'memory_type'. Please pass {PROCEDURAL} to create procedural memories.",
            "VALIDATION_002",
            {"provided_type": memory_type, "valid_type": PROCEDURAL},
            f"Use '{PROCEDURAL}' to create procedural memories.",
        )


def listed(messages: object) -> list[object]:
    """Return messages as a list, whatever form they were given in."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Mapping):
        return [cast("object", messages)]
    if isinstance(messages, list):
        return cast("list[object]", messages)
    raise ValidationError(
        "messages must be str, dict, or list[dict]",
        "VALIDATION_003",
        {"provided_type": type(messages).__name__, "valid_types": ["str", "dict", "list[dict]"]},
        "Convert your input to a string, dictionary, or list of dictionaries.",
    )


def check_numbers(threshold: object, top_k: object) -> None:
    """Refuse a threshold outside [0, 1], and a number of results that is none."""
    if threshold is not None:
        if not isinstance(threshold, int | float):
            raise ValueError("threshold must be a valid number")
        if not 0 <= threshold <= 1:
            raise ValueError(f"Invalid threshold: {threshold}. Must be between 0 and 1 (inclusive).")
    if top_k is not None:
        if not isinstance(top_k, int) or isinstance(top_k, bool):
            raise ValueError("top_k must be a valid integer")
        if top_k < 0:
            raise ValueError(f"Invalid top_k: {top_k}. Must be a non-negative integer.")


def question(query: object) -> str:
    """Return what is searched for, trimmed."""
    if not isinstance(query, str):
        raise ValueError("Invalid query: must be a non-empty string.")
    if not query.strip():
        raise ValueError("Invalid query: cannot be empty or whitespace-only.")
    return query.strip()


def expiration(value: object) -> str | None:
    """Return a day as YYYY-MM-DD."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError as err:
            raise ValueError("expiration_date must be a valid date in YYYY-MM-DD format.") from err
    raise ValueError("expiration_date must be a date string in YYYY-MM-DD format.")


def moment(value: object, name: str) -> datetime | None:
    """Return a time that was given as seconds since 1970, as ISO 8601 text, as a day (its start in UTC) or aware.

    Raises:
        TimeError: it is naive, or no time.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        if len(value) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
        return parse_time(value, name)
    return utc(cast("datetime", value), name)


def own_fields(
    metadata: Mapping[str, Json] | None, before: Mapping[str, object], where: str
) -> dict[str, Json]:
    """Return metadata without what says who somebody is; what would change that is told to the log."""
    kept: dict[str, Json] = {}
    for name, value in (metadata or {}).items():
        if name not in NEVER_METADATA:
            kept[name] = value
        elif value != before.get(name):
            rule = "identity fields cannot be set through metadata"
            log.warning("%s: ignoring metadata['%s'] - %s", where, name, rule)
    return kept
