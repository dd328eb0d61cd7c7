"""One row of a store as one record of an export, and back; knows no connection and no order of records.

Times are ISO 8601 in UTC, an open end is null, and fields that are empty objects are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simonides.clock import FOREVER, instant, micros, parse_id, parse_time
from simonides.errors import InputError
from simonides.ledger.canonical import checked_object, decode, encode
from simonides.ledger.events import Entry
from simonides.ledger.rows import Edge, Version, source_of
from simonides.ledger.rules import (
    checked_action,
    checked_count,
    checked_name,
    checked_number,
    checked_scope,
    checked_share,
    checked_source,
    checked_text,
)
from simonides.settings import Settings
from simonides.types import Json, Rule, Scope

_SCOPE = ("user", "agent", "session", "project")
_OPTIONAL = ("metadata", "attributes", "source")
Record = Mapping[str, Any]
"""A record as it was read from outside: nothing about it is known yet."""


def memory_record(row: Version, scope: tuple[str, ...]) -> dict[str, Json]:
    """Return the record of a version of a memory; `scope` holds its four fields."""
    record: dict[str, Json] = {
        "type": "memory",
        "id": row.id.hex(),
        "version": row.version,
        "kind": row.kind,
        "scope": {name: value for name, value in zip(_SCOPE, scope, strict=True) if value},
        "speaker": row.speaker,
        "text": row.text,
        **_clocks(row),
        "zone": row.zone,
        "confidence": row.confidence,
        "importance": row.importance,
        "reason": row.reason,
        "actor": row.actor,
        "opened": row.opened,
        "closed": row.closed,
    }
    for name in _OPTIONAL:
        if getattr(row, name) is not None:
            record[name] = decode(getattr(row, name))
    return record


def link_record(row: Edge) -> dict[str, Json]:
    """Return the record of a version of a link."""
    return {
        "type": "link",
        "id": row.id.hex(),
        "version": row.version,
        "source": row.source.hex(),
        "target": row.target.hex(),
        "relation": row.relation,
        **_clocks(row),
        "weight": row.weight,
        "evidence": row.evidence,
        "reason": row.reason,
        "actor": row.actor,
        "opened": row.opened,
        "closed": row.closed,
    }


def event_record(row: Entry) -> dict[str, Json]:
    """Return the record of an entry of the log."""
    record: dict[str, Json] = {
        "type": "event",
        "seq": row.seq,
        "at": _moment(row.at),
        "actor": row.actor,
        "verb": row.verb,
        "subject": row.subject.hex(),
        "payload": None if row.payload is None else decode(row.payload),
        "digest": row.digest.hex(),
    }
    if row.payload_hash is not None:
        record["payload_hash"] = row.payload_hash.hex()
    return record


def expiry_record(id: bytes, at: int, action: str) -> dict[str, Json]:
    """Return the record of when a memory expires; null for never."""
    return {"type": "expiry", "id": id.hex(), "at": _moment(at), "action": action}


def rule_record(rule: Rule) -> dict[str, Json]:
    """Return the record of a rule of retention."""
    return {
        "type": "retention",
        "rule": rule.rule,
        "kind": rule.kind,
        "scope": {name: value for name in _SCOPE if (value := getattr(rule.scope, name))},
        "seconds": rule.seconds,
        "action": rule.action,
        "reason": rule.reason,
        "created": None if rule.created is None else rule.created.isoformat(),
    }


def _clocks(row: Version | Edge) -> dict[str, Json]:
    return {
        "valid": [_moment(row.valid_from), _moment(row.valid_to)],
        "recorded": [_moment(row.recorded_from), _moment(row.recorded_to)],
    }


def _moment(value: int) -> str | None:
    return None if value == FOREVER else instant(value).isoformat()


def version_of(record: Record, settings: Settings) -> tuple[Version, Scope]:
    """Return the row and the scope that a record describes, checked like a new one.

    Its kind may be one that no recipe has registered here: the store it comes from knew it.
    """
    scope = checked_scope(Scope(**record.get("scope", {})))
    source = record.get("source")
    valid, recorded = _spans(record)
    return Version(
        row=0,
        id=parse_id(record["id"]),
        version=checked_count(record.get("version", 1), "version"),
        kind=checked_name(record["kind"], "kind", needed=True),
        scope=0,
        speaker=checked_name(record.get("speaker", ""), "speaker"),
        text=checked_text(record["text"], settings),
        valid_from=valid[0],
        valid_to=valid[1],
        recorded_from=recorded[0],
        recorded_to=recorded[1],
        zone=checked_name(record.get("zone", "UTC"), "zone"),
        confidence=checked_share(record.get("confidence", 1.0), "confidence"),
        importance=checked_share(record.get("importance", 0.5), "importance"),
        metadata=checked_object(record.get("metadata", {}), "metadata", settings.max_text_bytes),
        attributes=checked_object(record.get("attributes", {}), "attributes", settings.max_text_bytes),
        source=None if source is None else checked_source(source_of(source)),
        reason=checked_name(record.get("reason", ""), "reason", longest=settings.max_text_bytes),
        actor=checked_name(record.get("actor", ""), "actor"),
        opened=0,
        closed=None,
    ), scope


def edge_of(record: Record, settings: Settings) -> Edge:
    """Return the row of a link that a record describes, checked like a new one."""
    valid, recorded = _spans(record)
    return Edge(
        row=0,
        id=parse_id(record["id"]),
        version=checked_count(record.get("version", 1), "version"),
        source=parse_id(record["source"]),
        target=parse_id(record["target"]),
        relation=checked_name(record["relation"], "relation", needed=True),
        valid_from=valid[0],
        valid_to=valid[1],
        recorded_from=recorded[0],
        recorded_to=recorded[1],
        weight=checked_number(record.get("weight", 1.0), "weight"),
        evidence=checked_name(record.get("evidence", ""), "evidence", longest=settings.max_text_bytes),
        reason=checked_name(record.get("reason", ""), "reason", longest=settings.max_text_bytes),
        actor=checked_name(record.get("actor", ""), "actor"),
        opened=0,
        closed=None,
    )


def expiry_of(record: Record) -> tuple[bytes, int, str]:
    """Return id, time and action of when a memory expires."""
    at = record["at"]
    when = FOREVER if at is None else micros(parse_time(at, "at"))
    return parse_id(record["id"]), when, checked_action(record["action"])


def rule_of(record: Record) -> Rule:
    """Return a rule of retention."""
    return Rule(
        seconds=checked_count(record["seconds"], "seconds"),
        action=checked_action(record["action"]),
        kind=checked_name(record.get("kind", ""), "kind"),
        scope=checked_scope(Scope(**record.get("scope", {}))),
        reason=checked_name(record.get("reason", ""), "reason"),
        rule=checked_count(record["rule"], "rule"),
        created=parse_time(record["created"], "created"),
    )


def _spans(record: Record) -> tuple[tuple[int, int], tuple[int, int]]:
    return _span(record["valid"], "valid"), _span(record["recorded"], "recorded")


def _span(value: list[str | None], subject: str) -> tuple[int, int]:
    start, end = value
    if start is None:
        raise InputError(subject, "must have a start", value)
    first = micros(parse_time(start, subject))
    last = FOREVER if end is None else micros(parse_time(end, subject))
    if last < first:
        raise InputError(subject, "must not end before it starts", value)
    return first, last


def entry_of(record: Record) -> Entry:
    """Return the row of the log that a record describes."""
    payload = record["payload"]
    hashed = record.get("payload_hash")
    return Entry(
        seq=checked_count(record["seq"], "seq"),
        at=micros(parse_time(record["at"], "at")),
        actor=checked_name(record["actor"], "actor"),
        verb=checked_name(record["verb"], "verb", needed=True),
        subject=parse_id(record["subject"]),
        payload=None if payload is None else encode(payload),
        payload_hash=None if hashed is None else bytes.fromhex(hashed),
        digest=bytes.fromhex(record["digest"]),
    )
