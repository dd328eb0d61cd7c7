"""JSON back to nouns: the inverse of `simonides.shapes`; knows no server and no store.

What a shape leaves out is left out here too: the changes of a receipt that was no plan. Keys that a newer server adds
are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, cast

from simonides import errors
from simonides.clock import Span, parse_time
from simonides.errors import SimonidesError, StoreError
from simonides.types import (
    Add,
    Change,
    Connect,
    Context,
    Disconnect,
    Doubt,
    Dropped,
    Erasure,
    Event,
    Expire,
    Explanation,
    Hit,
    Link,
    Memory,
    Progress,
    Receipt,
    Restore,
    Retire,
    Rule,
    Scope,
    Source,
    Status,
    Supersede,
    Undone,
    Upkeep,
)

T = TypeVar("T")
Shape = Mapping[str, Any]
_CHANGES = {
    one.__name__.lower(): one for one in (Add, Supersede, Retire, Restore, Connect, Disconnect, Expire)
}
_TIMES = ("at", "until", "expires")


def time(value: str | None) -> datetime | None:
    """Return a time; None for an open end."""
    return None if value is None else parse_time(value)


def memory(shape: Shape) -> Memory:
    """Return one version of a memory."""
    return Memory(
        id=shape["id"],
        kind=shape["kind"],
        text=shape["text"],
        scope=scope(shape["scope"]),
        valid=_span(shape["at"], shape["until"]),
        recorded=_span(shape["recorded"], shape["recorded_until"]),
        version=shape["version"],
        speaker=shape["speaker"],
        source=source(shape["source"]),
        zone=shape["zone"],
        confidence=float(shape["confidence"]),
        importance=float(shape["importance"]),
        metadata=shape["metadata"],
        attributes=shape["attributes"],
        reason=shape["reason"],
        actor=shape["actor"],
    )


def memories(shapes: Iterable[Shape]) -> list[Memory]:
    """Return many memories."""
    return [memory(one) for one in shapes]


def scope(shape: Shape) -> Scope:
    """Return whose it is."""
    return Scope(shape["user"], shape["agent"], shape["session"], shape["project"])


def source(shape: Shape | None) -> Source | None:
    """Return where something comes from."""
    if shape is None:
        return None
    span = shape["span"]
    return Source(shape["name"], shape["memory"], None if span is None else _pair(span), shape["modality"])


def hit(shape: Shape) -> Hit:
    """Return a hit."""
    return Hit(memory(shape["memory"]), float(shape["score"]), _floats(shape["shares"]))


def context(shape: Shape) -> Context:
    """Return a packed context."""
    kept, left = (tuple(hit(one) for one in shape[name]) for name in ("hits", "left_out"))
    return Context(shape["text"], kept, left, shape["tokens"], shape["budget"])


def explanation(shape: Shape) -> Explanation:
    """Return all that a search considered."""
    return Explanation(
        query=shape["query"],
        reading=shape["reading"],
        hits=tuple(hit(one) for one in shape["hits"]),
        dropped=tuple(
            Dropped(memory(one["memory"]), float(one["score"]), _floats(one["shares"]), one["reason"])
            for one in shape["dropped"]
        ),
        gate=(float(shape["gate"]["chance"]), float(shape["gate"]["threshold"])),
        considered=shape["considered"],
        milliseconds=_floats(shape["milliseconds"]),
    )


def link(shape: Shape) -> Link:
    """Return a link."""
    return Link(
        id=shape["id"],
        source=shape["source"],
        target=shape["target"],
        relation=shape["relation"],
        valid=_span(shape["at"], shape["until"]),
        recorded=_span(shape["recorded"], shape["recorded_until"]),
        weight=float(shape["weight"]),
        evidence=shape["evidence"],
        reason=shape["reason"],
        actor=shape["actor"],
    )


def event(shape: Shape) -> Event:
    """Return an entry of the log."""
    return Event(**_known(Event, shape, at=parse_time(shape["at"])))


def receipt(shape: Shape) -> Receipt:
    """Return what was committed, or would be."""
    return Receipt(
        ids=tuple(shape["ids"]),
        seqs=tuple(shape["seqs"]),
        state=shape["state"],
        changes=tuple(change(one) for one in shape["changes"]),
        skipped=shape["skipped"],
    )


def change(shape: Shape) -> Change:
    """Return a change that was planned."""
    kind = cast("Callable[..., Change]", _CHANGES[shape["do"]])
    given = _known(_CHANGES[shape["do"]], shape)
    given |= {name: time(given[name]) for name in _TIMES if name in given}
    if "scope" in given:
        given["scope"] = scope(given["scope"])
    if "source" in given and isinstance(given["source"], Mapping):
        given["source"] = source(cast("Shape", given["source"]))
    if shape["do"] == "expire":
        given.setdefault("at", None)
    return kind(**given)


def erasure(shape: Shape) -> Erasure:
    """Return the receipt of an erasure, or a plan for one."""
    lists = {name: tuple(shape[name]) for name in ("ids", "links", "pending", "still_holding", "examples")}
    return Erasure(**_known(Erasure, shape, **lists, at=parse_time(shape["at"])))


def upkeep(shape: Shape) -> Upkeep:
    """Return what upkeep did, or would do."""
    done = shape["erasure"]
    return Upkeep(
        state=shape["state"],
        retired=tuple(shape["retired"]),
        erasure=None if done is None else erasure(done),
        finished=tuple(shape["finished"]),
        pending=tuple(shape["pending"]),
    )


def undone(shape: Shape) -> Undone:
    """Return what an undo did, or would do."""
    return Undone(
        state=shape["state"],
        undone=shape["undone"],
        ids=tuple(shape["ids"]),
        closed=tuple(_pair(one) for one in shape["closed"]),
        reopened=tuple(_pair(one) for one in shape["reopened"]),
        seqs=tuple(shape["seqs"]),
    )


def rule(shape: Shape) -> Rule:
    """Return a rule of retention."""
    return Rule(**_known(Rule, shape, scope=scope(shape["scope"]), created=time(shape["created"])))


def doubt(shape: Shape) -> Doubt:
    """Return what is in doubt."""
    told = tuple(memories(shape["memories"]))
    return Doubt(shape["id"], shape["why"], told, float(shape["score"]), shape["reason"])


def progress(shape: Shape) -> Progress:
    """Return how far a memory is."""
    return Progress(shape["id"], shape["state"], shape["reason"])


def status(shape: Shape, path: str) -> Status:
    """Return how much a store holds; a server does not say where it keeps it, so `path` is the server."""
    return Status(**_known(Status, shape, path=path))


def error(shape: Shape, status: int = 0) -> SimonidesError:
    """Return the error that a server answered with, of the class that `Memory` would have raised."""
    name = str(shape.get("type", "")).rpartition(":")[2]
    found = getattr(errors, name, None)
    kind = found if isinstance(found, type) and issubclass(found, SimonidesError) else _by_status(status)
    parts = [str(shape.get(part, "") or "") for part in ("subject", "rule", "value", "way_out")]
    made = kind.__new__(kind)
    SimonidesError.__init__(made, *(parts if any(parts) else ["server", f"answered {status}", "", ""]))
    if isinstance(made, errors.UnknownName):
        made.name, made.known = parts[2], ()
    return made


def _by_status(status: int) -> type[SimonidesError]:
    if status in (401, 403):
        return errors.Forbidden
    if status in (429, 502, 503, 504):
        return errors.StoreBusy
    if status >= 500 or status < 400:
        return StoreError
    return {404: errors.NotFound, 409: errors.Conflict}.get(status, errors.InputError)


def _known(kind: type, shape: Shape, **read: object) -> dict[str, Any]:
    """Return those values of a shape that a noun has a field for, with what was read of it in their place."""
    return {item.name: shape[item.name] for item in fields(kind) if item.name in shape} | read


def _span(start: str, end: str | None) -> Span:
    return Span(parse_time(start), time(end))


def _pair(values: Sequence[Any]) -> tuple[Any, Any]:
    first, second = values
    return first, second


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
