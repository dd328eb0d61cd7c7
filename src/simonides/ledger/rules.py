"""What may be written: each change is checked and made ready before the write lock is taken; knows no table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from simonides.clock import FOREVER, micros, parse_id
from simonides.errors import InputError, TextError, TimeError, UnknownName
from simonides.ledger.canonical import checked_object, checked_string, encode
from simonides.settings import Settings
from simonides.types import (
    Add,
    Change,
    Connect,
    Disconnect,
    Expire,
    Kind,
    Restore,
    Retire,
    Scope,
    Source,
    Supersede,
)

LONGEST_NAME = 512
"""Characters that a scope field, a speaker, a relation or an actor may have."""
MODALITIES = ("asserted", "hypothetical", "asked", "agent")
ACTIONS = ("retire", "erase")
"""What upkeep can do with a memory that has expired."""
_kinds = {str(kind) for kind in Kind}
_RECIPE = re.compile(r"[a-z][a-z0-9_-]{0,30}")
"""The name before the dot in the kind of what a recipe has derived: ``mem0.fact``."""


@dataclass(frozen=True, slots=True)
class Lexical:
    """What the analyser made of a text, opaque here: its words for counting and its tokens for the instant tier."""

    words: bytes
    tokens: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """A change whose parts were checked and turned into what columns hold; None where it says nothing.

    Attributes:
        at: start in microseconds, None for *correct it for all of its time*.
        until: end in microseconds.
        expires: when nothing but the history shows it any more, in microseconds.
        metadata: canonical JSON; empty text for the empty object.
    """

    change: Change
    id: bytes
    at: int | None = None
    until: int = FOREVER
    metadata: str | None = None
    attributes: str | None = None
    source: str | None = None
    lexical: Lexical | None = None
    expires: int = FOREVER


def known_kinds() -> tuple[str, ...]:
    """Return the names of all kinds of memory, sorted."""
    return tuple(sorted(_kinds))


def register_kind(name: str) -> None:
    """Let memories of one more kind be written; recipes call it when they are imported. Twice is fine."""
    _kinds.add(checked_name(name, "kind", needed=True))


def checked_kinds(kinds: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the kinds of a filter, all known; a single text is taken as one kind."""
    if kinds is None:
        return None
    chosen = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in chosen:
        _require_kind(kind)
    return tuple(str(kind) for kind in chosen)


def prepare(change: Change, settings: Settings, analyse: Callable[[str], Lexical]) -> Ready:
    """Check one change as far as it can be checked without the store.

    Raises:
        InputError: with the field, the rule, the value and the way out.
    """
    match change:
        case Add():
            return _prepare_add(change, settings, analyse)
        case Supersede():
            return _prepare_supersede(change, settings, analyse)
        case Retire() | Disconnect():
            checked_name(change.reason, "reason", longest=settings.max_text_bytes)
            return Ready(change, parse_id(change.id), at=_moment(change.at, "at"))
        case Restore():
            checked_name(change.reason, "reason", longest=settings.max_text_bytes)
            return Ready(change, parse_id(change.id))
        case Connect():
            return _prepare_connect(change, settings)
        case Expire():
            checked_name(change.reason, "reason", longest=settings.max_text_bytes)
            return Ready(change, parse_id(change.id), expires=_expiry(change.at, change.action))
    raise InputError("change", "must be one of the change types of simonides.types", repr(change))


def checked_text(text: object, settings: Settings) -> str:
    """Return a text that can be kept word for word.

    Raises:
        TextError: it is empty, too long, or holds NUL or a lone surrogate.
    """
    if not isinstance(text, str):
        raise TextError("text", "must be text", f"{type(text).__name__} {text!r}")
    if not text or text.isspace():
        raise TextError("text", "must not be empty", repr(text), "Give it a word.")
    try:
        checked_string(text, "text")
    except InputError as err:
        raise TextError(err.subject, err.rule, err.value, err.way_out) from err
    size = len(text) if text.isascii() else len(text.encode())
    if size > settings.max_text_bytes:
        way_out = "Split it, or raise the setting max_text_bytes."
        raise TextError("text", f"must be at most {settings.max_text_bytes} bytes", size, way_out)
    return text


def checked_name(value: object, subject: str, *, longest: int = LONGEST_NAME, needed: bool = False) -> str:
    """Return a short text such as a scope field or a speaker."""
    if not isinstance(value, str):
        raise InputError(subject, "must be text", f"{type(value).__name__} {value!r}")
    if needed and not value:
        raise InputError(subject, "must not be empty")
    if len(value) > longest:
        raise InputError(subject, f"must be at most {longest} characters", len(value))
    return value if value.isalnum() and value.isascii() else checked_string(value, subject)


def checked_share(value: object, subject: str) -> float:
    """Return a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(subject, "must be a number from 0 to 1", repr(value))
    return float(value)


def checked_number(value: object, subject: str) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise InputError(subject, "must be a finite number", repr(value))
    return float(value)


def checked_count(value: object, subject: str, *, least: int = 1) -> int:
    """Return a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(subject, f"must be a whole number, at least {least}", repr(value))
    return value


def checked_scope(scope: object) -> Scope:
    """Return a scope whose fields can be columns."""
    if not isinstance(scope, Scope):
        raise InputError("scope", "must be a simonides.types.Scope", repr(scope))
    for name in ("user", "agent", "session", "project"):
        checked_name(getattr(scope, name), name)
    return scope


def _moment(value: datetime, subject: str) -> int:
    try:
        return micros(value)
    except TimeError as err:
        raise TimeError(subject, err.rule, err.value, err.way_out) from err


def _require_kind(kind: str) -> None:
    recipe, dot, plain = str(kind).rpartition(".")
    if plain not in _kinds or (dot and not _RECIPE.fullmatch(recipe)):
        raise UnknownName("kind", str(kind), _kinds)


def _prepare_add(change: Add, settings: Settings, analyse: Callable[[str], Lexical]) -> Ready:
    _require_kind(change.kind)
    text = checked_text(change.text, settings)
    checked_scope(change.scope)
    checked_name(change.speaker, "speaker")
    checked_name(change.zone, "zone")
    checked_name(change.reason, "reason", longest=settings.max_text_bytes)
    checked_share(change.confidence, "confidence")
    checked_share(change.importance, "importance")
    at = _moment(change.at, "at")
    until = FOREVER if change.until is None else _moment(change.until, "until")
    if until <= at:
        raise TimeError("until", "must be later than at", f"{change.at} .. {change.until}")
    return Ready(
        change,
        parse_id(change.id),
        at=at,
        until=until,
        metadata=checked_object(change.metadata, "metadata", settings.max_text_bytes),
        attributes=checked_object(change.attributes, "attributes", settings.max_text_bytes),
        source=checked_source(change.source) if change.source is not None else None,
        lexical=analyse(text),
        expires=_expiry(change.expires, change.on_expiry),
    )


def checked_action(action: object, subject: str = "action") -> str:
    """Return what upkeep is to do with a memory that has expired."""
    if action not in ACTIONS:
        raise UnknownName(subject, str(action), ACTIONS)
    return str(action)


def _expiry(at: datetime | None, action: object) -> int:
    checked_action(action, "on_expiry")
    return FOREVER if at is None else _moment(at, "expires")


def _prepare_supersede(change: Supersede, settings: Settings, analyse: Callable[[str], Lexical]) -> Ready:
    limit = settings.max_text_bytes
    checked_name(change.reason, "reason", longest=limit)
    if change.zone is not None:
        checked_name(change.zone, "zone")
    for name in ("confidence", "importance"):
        if getattr(change, name) is not None:
            checked_share(getattr(change, name), name)
    metadata, attributes = change.metadata, change.attributes
    return Ready(
        change,
        parse_id(change.id),
        at=None if change.at is None else _moment(change.at, "at"),
        metadata=None if metadata is None else checked_object(metadata, "metadata", limit) or "",
        attributes=None if attributes is None else checked_object(attributes, "attributes", limit) or "",
        source=None if change.source is None else checked_source(change.source),
        lexical=None if change.text is None else analyse(checked_text(change.text, settings)),
    )


def _prepare_connect(change: Connect, settings: Settings) -> Ready:
    checked_name(change.relation, "relation", needed=True)
    checked_name(change.evidence, "evidence", longest=settings.max_text_bytes)
    checked_name(change.reason, "reason", longest=settings.max_text_bytes)
    checked_number(change.weight, "weight")
    if parse_id(change.source) == parse_id(change.target):
        raise InputError("link", "must not lead from a memory to itself", change.source)
    return Ready(change, parse_id(change.id), at=_moment(change.at, "at"))


def checked_source(source: Source) -> str:
    """Return where a memory comes from as canonical JSON, without what is left at its default."""
    if not isinstance(source, Source):
        raise InputError("source", "must be a simonides.types.Source or its name", repr(source))
    checked_name(source.name, "source name", longest=LONGEST_NAME * 8)
    if source.modality not in MODALITIES:
        raise UnknownName("source modality", str(source.modality), MODALITIES)
    facts: dict[str, object] = {"modality": source.modality}
    if source.name:
        facts["name"] = source.name
    if source.memory:
        facts["memory"] = parse_id(source.memory).hex()
    if source.span is not None:
        start, end = (checked_count(place, "source span", least=0) for place in source.span)
        if end < start:
            raise InputError("source span", "must not end before it starts", source.span)
        facts["span"] = [start, end]
    return encode(facts)
