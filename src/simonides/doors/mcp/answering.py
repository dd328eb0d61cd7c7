"""Runs one tool: checks its arguments against its schema, calls it, turns errors into words; knows no tool, no SDK."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, cast

from simonides.bounded import Bounded
from simonides.clock import parse_time
from simonides.doors.mcp.table import DEFAULT_BUDGET, MOST_BUDGET
from simonides.doors.mcp.tool import Tool
from simonides.errors import InputError, NotFound, SimonidesError, TimeError
from simonides.registry import Registry
from simonides.types import Json, Scope

logger = logging.getLogger("simonides.mcp")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_NAMES = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is.

    Attributes:
        bounded: the store, as far as this caller may see and change it.
        most: tokens that an answer may have.
        limited: whether `most` was asked for, and is not the usual.
    """

    bounded: Bounded
    most: int = MOST_BUDGET
    limited: bool = False

    def budget(self, asked: int | None) -> int:
        """Return how many tokens an answer may have."""
        return min(self.most, DEFAULT_BUDGET if asked is None else asked)

    def id(self, given: str) -> str:
        """Return the whole id of a memory of the scope; what is outside is not found, however short its name.

        Raises:
            NotFound: there is none. InputError: it is no id.
        """
        absent = NotFound(f"memory {given}", "no such memory here", "", "Take an id from a recalled line.")
        if (uri := given.removeprefix("memory://item/")) != given:
            given = uri
        given = given.strip().strip("[]")
        try:
            found = self.bounded.memory.ledger.expand(given)
        except NotFound:
            raise absent from None
        except InputError as err:
            if self.bounded.scope == Scope():
                raise
            raise absent from err  # the error could name ids of others
        if not self.bounded.holds(found):
            raise absent
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says: words for the model, and facts for programs where there are any that hold no memory's text."""

    text: str
    facts: Mapping[str, Json] | None = None
    failed: bool = False
    note: str = ""


def answer(tool: Tool, caller: Caller, given: Mapping[str, Any]) -> Answer:
    """Run a tool. Never raises: whatever goes wrong is an answer that says so and names the way out."""
    try:
        function = cast("Callable[..., Answer]", Registry("tool", {tool.name: tool.target}).get(tool.name))
        return function(caller, **checked(tool, given))
    except SimonidesError as err:
        return Answer(str(err), failed=True)
    except OSError as err:
        return Answer(f"The store could not be used: {err.strerror or err}.", failed=True)
    except Exception as err:
        logger.exception("tool %s failed", tool.name)
        said = f"{tool.name} failed unexpectedly ({type(err).__name__}). The server's log has the details."
        return Answer(said, failed=True)


def checked(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the function takes them.

    Null is as good as left out, and numbers, lists and booleans may come as text: models write them so.

    Raises:
        InputError: something is missing, unknown, or of another type; the message says what to give.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in tool.parameters:
            near = get_close_matches(name, tool.parameters, n=1)
            known = ", ".join(tool.parameters) or "none"
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InputError(
                f"{tool.name}: {name}", "is no argument of this tool", "", f"{hint}It takes: {known}."
            )
        if value is not None:
            found[name] = _fitting(f"{tool.name}: {name}", value, tool.parameters[name])
    for name in tool.required:
        if name not in found:
            described = str(tool.parameters[name].get("description", ""))
            raise InputError(f"{tool.name}: {name}", "is missing", "", described)
    return found


def _fitting(subject: str, given: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value as its schema wants it."""
    kind: str = schema["type"]
    value: Any = _read(given, kind)
    told = str(schema.get("description", ""))
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        raise InputError(subject, f"must be {_NAMES[kind]}", repr(given), told)
    match kind:
        case "array":
            return [
                _fitting(f"{subject}[{place}]", each, schema["items"])
                for place, each in enumerate(cast("list[Any]", value))
            ]
        case "object":
            return _parts(subject, cast("dict[str, Any]", value), schema)
        case "string":
            _check_text(subject, cast("str", value), schema)
        case "integer":
            if (least := schema.get("minimum")) is not None and value < least:
                raise InputError(subject, f"must be at least {least}", value)
        case _:
            pass
    return value


def _check_text(subject: str, value: str, schema: Mapping[str, Any]) -> None:
    words, most = schema.get("enum"), schema.get("maxLength")
    if words and value not in words:
        raise InputError(
            subject, "must be one of its words", repr(value), f"Give one of: {', '.join(words)}."
        )
    if most is not None and len(value) > most:
        raise InputError(subject, f"must be at most {most} characters", len(value), "Ask in fewer words.")


def _parts(subject: str, value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with what its schema names; the rest is left out."""
    parts: Mapping[str, Any] = schema["properties"]
    for name in schema["required"]:
        if name not in value:
            told = str(parts[name].get("description", ""))
            raise InputError(f"{subject}.{name}", "is missing", "", told)
    return {name: _fitting(f"{subject}.{name}", value[name], part) for name, part in parts.items()}


def _read(value: Any, kind: str) -> Any:
    """Return what a model has written as text, where something else is wanted, as what it means."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" or not isinstance(value, str):
        return value
    try:
        meant: Any = json.loads(value.strip().lower() if kind == "boolean" else value)
    except (ValueError, RecursionError):
        return [value] if kind == "array" else value
    if isinstance(meant, _TYPES[kind]):
        return meant
    return [value] if kind == "array" else value


def moment(value: str | None, subject: str) -> datetime | None:
    """Return a time that was given as text; a bare date is midnight UTC.

    Raises:
        TimeError: it isn't ISO 8601, or a time of day has no zone.
    """
    if value is None or not value.strip():
        return None
    found = parse_time(value, subject)
    if found.tzinfo is None:
        raise TimeError(subject, "must carry a time zone", value, f"Write {value.strip()}Z for UTC.")
    return found
