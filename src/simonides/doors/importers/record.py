"""What every importer yields: records, edges, problems and what it passed over; knows no format."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TypeAlias, cast

from simonides.errors import InputError
from simonides.types import Json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a memory said before, and from when on."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One memory to be.

    Attributes:
        key: names it within its format for ever, so that a second import knows it again.
        where: where it was read, for messages.
        at: when it was said, aware; None when the file does not say.
        changed: since when it reads like this, if later than `at`; a changed record supersedes from then on.
        modality: as in `simonides.types.Source`.
        source: where the file itself says that it comes from; empty for the file.
        earlier: what it said before `changed`, oldest first, where the file kept that; then `at` is the first of them.
        until: when it ceased to be true, if it did; it comes in with its end.
        expires: when it is to be erased, if the file says that.
    """

    key: str
    text: str
    where: str
    kind: str = "turn"
    speaker: str = ""
    at: datetime | None = None
    user: str = ""
    agent: str = ""
    session: str = ""
    project: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    modality: str = "asserted"
    source: str = ""
    changed: datetime | None = None
    earlier: tuple[Earlier, ...] = ()
    until: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A link to be, between the records of two keys, since `at` if said; either may be missing from the file."""

    source: str
    target: str
    relation: str
    evidence: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that could not be read; the rest goes on."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that is not a memory by design, e.g. the output of a tool; counted by its reason."""

    reason: str


Item: TypeAlias = Record | Edge | Problem | Passed


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read what a file leaves open.

    Attributes:
        zone: the zone of times that carry none; None refuses them, unless the format never carries one
        (then UTC). name: stands for the place of a folder of notes, so that it is known again after it
        moved.
    """

    zone: tzinfo | None = None
    name: str = ""


Parser: TypeAlias = Callable[[Path, Reading], Iterator[Item]]
"""A format: reads a path lazily; a broken record is a `Problem`, a path that can't be read an InputError."""


def digest(*parts: str) -> str:
    """Return a short name for content, the same in every process and on every machine."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=10).hexdigest()


def repaired(record: Record) -> tuple[Record, bool]:
    """Return the record with what no store can hold replaced by U+FFFD, and whether anything was."""
    changed = {
        item.name: _repair(value)
        for item in fields(record)
        if isinstance(value := getattr(record, item.name), str) and _UNSTORABLE.search(value)
    }
    metadata = cast("dict[str, Json]", _repair(dict(record.metadata)))
    earlier = tuple(replace(one, text=_UNSTORABLE.sub(REPLACEMENT, one.text)) for one in record.earlier)
    if not changed and metadata == record.metadata and earlier == record.earlier:
        return record, False
    return replace(record, metadata=metadata, earlier=earlier, **changed), True


def _repair(value: Json) -> Json:
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_repair(item) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub(REPLACEMENT, key): _repair(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def unreadable(path: Path, rule: str, way_out: str = "") -> InputError:
    """Return the error for a path that holds nothing the format can read."""
    return InputError(f"import {path.name or path}", rule, "", way_out)
