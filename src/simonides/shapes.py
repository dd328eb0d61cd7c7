"""The nouns as JSON, the same for every command with `--json`; knows no store and prints nothing.

Times are ISO 8601 in UTC; an open end is null. These shapes only grow: a key is never removed and never changes its
meaning within a major version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import cast

from simonides.errors import SimonidesError
from simonides.types import (
    Change,
    Context,
    Doubt,
    Dropped,
    Erasure,
    Event,
    Explanation,
    Hit,
    Json,
    Link,
    Memory,
    Receipt,
    Rule,
    Undone,
    Upkeep,
)


def time(value: datetime | None) -> Json:
    """Return a time as text."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def memory(value: Memory) -> dict[str, Json]:
    """Return one version of a memory."""
    return {
        "id": value.id,
        "version": value.version,
        "kind": value.kind,
        "text": value.text,
        "speaker": value.speaker,
        "at": time(value.valid.start),
        "until": time(value.valid.end),
        "zone": value.zone,
        "recorded": time(value.recorded.start),
        "recorded_until": time(value.recorded.end),
        "scope": plain(value.scope),
        "metadata": dict(value.metadata),
        "attributes": dict(value.attributes),
        "confidence": value.confidence,
        "importance": value.importance,
        "source": plain(value.source),
        "reason": value.reason,
        "actor": value.actor,
    }


def memories(values: Iterable[Memory]) -> list[Json]:
    """Return many memories."""
    return [memory(value) for value in values]


def hit(value: Hit) -> dict[str, Json]:
    """Return a hit: its score in [0, 1], the shares in log-odds, the memory."""
    return {"score": value.score, "shares": dict(value.shares), "memory": memory(value.memory)}


def dropped(value: Dropped) -> dict[str, Json]:
    """Return a candidate that was dropped, with the reason."""
    shares: dict[str, Json] = dict(value.shares)
    return {"score": value.score, "shares": shares, "reason": value.reason, "memory": memory(value.memory)}


def context(value: Context) -> dict[str, Json]:
    """Return a packed context; `text` is the block for the prompt."""
    return {
        "text": value.text,
        "tokens": value.tokens,
        "budget": value.budget,
        "hits": [hit(one) for one in value.hits],
        "left_out": [hit(one) for one in value.left_out],
    }


def explanation(value: Explanation) -> dict[str, Json]:
    """Return all that a search considered."""
    return {
        "query": value.query,
        "reading": plain(dict(value.reading)),
        "gate": {"chance": value.gate[0], "threshold": value.gate[1]},
        "considered": value.considered,
        "hits": [hit(one) for one in value.hits],
        "dropped": [dropped(one) for one in value.dropped],
        "milliseconds": dict(value.milliseconds),
    }


def link(value: Link) -> dict[str, Json]:
    """Return a link."""
    return {
        "id": value.id,
        "source": value.source,
        "target": value.target,
        "relation": value.relation,
        "weight": value.weight,
        "at": time(value.valid.start),
        "until": time(value.valid.end),
        "recorded": time(value.recorded.start),
        "recorded_until": time(value.recorded.end),
        "evidence": value.evidence,
        "reason": value.reason,
        "actor": value.actor,
    }


def event(value: Event) -> dict[str, Json]:
    """Return an entry of the log."""
    return {
        "seq": value.seq,
        "at": time(value.at),
        "actor": value.actor,
        "verb": value.verb,
        "subject": value.subject,
        "payload": None if value.payload is None else plain(dict(value.payload)),
        "digest": value.digest,
    }


def receipt(value: Receipt) -> dict[str, Json]:
    """Return what was committed, or would be (`state` is then ``planned`` and `changes` says what)."""
    planned = [change(one) for one in value.changes] if value.state == "planned" else []
    return {
        "ids": list(value.ids),
        "seqs": list(value.seqs),
        "state": value.state,
        "skipped": value.skipped,
        "changes": cast("list[Json]", planned),
    }


def erasure(value: Erasure) -> dict[str, Json]:
    """Return the receipt of an erasure, or a plan for one."""
    return {item.name: plain(getattr(value, item.name)) for item in fields(value)}


def upkeep(value: Upkeep) -> dict[str, Json]:
    """Return what upkeep did, or would do."""
    return {
        "state": value.state,
        "retired": list(value.retired),
        "erasure": None if value.erasure is None else erasure(value.erasure),
        "finished": list(value.finished),
        "pending": list(value.pending),
    }


def undone(value: Undone) -> dict[str, Json]:
    """Return what an undo did, or would do."""
    return {item.name: plain(getattr(value, item.name)) for item in fields(value)}


def doubt(value: Doubt) -> dict[str, Json]:
    """Return something to decide; the first memory is the one that would be kept."""
    return {
        "id": value.id,
        "why": value.why,
        "score": value.score,
        "reason": value.reason,
        "memories": memories(value.memories),
    }


def rule(value: Rule) -> dict[str, Json]:
    """Return a rule of retention."""
    return {item.name: plain(getattr(value, item.name)) for item in fields(value)}


def change(value: Change) -> dict[str, Json]:
    """Return a change that was planned, without the fields it leaves alone."""
    given = {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    return {
        "do": type(value).__name__.lower(),
        **{name: part for name, part in given.items() if part is not None},
    }


def error(value: SimonidesError) -> dict[str, Json]:
    """Return an error."""
    parts = {"subject": value.subject, "rule": value.rule, "value": value.value, "way_out": value.way_out}
    return {"error": {"type": type(value).__name__, **parts}}


def plain(value: object) -> Json:
    """Return a value made of JSON: times as text, tuples as lists, dataclasses as objects."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, datetime):
        return time(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in cast("Iterable[object]", value)]
    return str(value)
