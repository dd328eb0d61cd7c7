"""LangGraph's items as memories, and back: ids, texts, filters; knows one item at a time, and no store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from simonides.errors import FilterError, InputError, ModelMissing
from simonides.ledger.rules import LONGEST_NAME
from simonides.parts.rank import wording
from simonides.types import Json, Memory, Scope

try:
    from langgraph.store.base import Item, MatchCondition, SearchItem, get_text_at_path, tokenize_path
except ImportError as err:
    raise ModelMissing("LangGraph", "is not installed", "", "pip install 'simonides[langgraph]'.") from err

SESSION = "langgraph:"
"""What the names of sessions begin with that hold the items of one namespace each."""
MARK = "langgraph"
"""The field of a memory's metadata that says: this is an item of LangGraph."""
WHOLE = "$"
"""The path of a whole value."""
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """An item that is there.

    Attributes:
        ttl: minutes after which it goes; None where it stays.
        indexed: whether a query may find it.
    """

    id: str
    namespace: Path
    key: str
    value: dict[str, Any]
    created: datetime
    updated: datetime
    ttl: float | None
    indexed: bool
    memory: Memory

    @property
    def wording(self) -> tuple[str, str]:
        """Equal for items that say the same."""
        return wording(self.memory)

    def item(self) -> Item:
        """Return it as LangGraph's get gives it."""
        return Item(
            value=self.value, key=self.key, namespace=self.namespace, created_at=self.created,
            updated_at=self.updated,
        )  # fmt: skip

    def found(self, score: float | None = None) -> SearchItem:
        """Return it as LangGraph's search gives it."""
        return SearchItem(self.namespace, self.key, self.value, self.created, self.updated, score)


def identity(scope: Scope, namespace: Sequence[str], key: str) -> str:
    """Return the id of an item: the same in every process, so that two that put one key meet in one memory.

    It is made of the parts one by one: no label can be written so that it runs into the next one.
    """
    parts = [MARK, scope.user, scope.agent, scope.session, scope.project, [*namespace], key]
    digest = sha256(json.dumps(parts).encode()).hexdigest()
    return f"{digest[:12]}8{digest[13:16]}{'89ab'[int(digest[16], 16) % 4]}{digest[17:32]}"


def session(namespace: Sequence[str]) -> str:
    """Return the name of the session that holds the items of a namespace: its labels as JSON, or their digest."""
    name = SESSION + json.dumps([*namespace], separators=(",", ":"))
    return name if len(name) <= LONGEST_NAME else f"{SESSION}{sha256(name.encode()).hexdigest()}"


def labels(session: str) -> Path | None:
    """Return the namespace of a session; None where its name is only a digest."""
    try:
        return tuple(json.loads(session.removeprefix(SESSION)))
    except (TypeError, ValueError):  # a digest, or a session that somebody has named so
        return None


def plain(text: str) -> str:
    """Return a text without what no store keeps (NUL, lone surrogates): those are written as escapes."""
    if "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return "".join(
        json.dumps(char)[1:-1] if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text
    )


def metadata(namespace: Sequence[str], key: str, *, indexed: bool) -> dict[str, Json]:
    """Return what filters see: each label in a field of its own, by its place."""
    labels: dict[str, Json] = {str(place): plain(label) for place, label in enumerate(namespace)}
    return {MARK: {"namespace": labels, "key": plain(key), "indexed": indexed}}


def within(prefix: Sequence[str]) -> dict[str, Json]:
    """Return the filter for all items below a prefix; it may let through some that `below` must take out."""
    return {f"{MARK}.namespace.{place}": plain(label) for place, label in enumerate(prefix)}


def question(query: str | None) -> str:
    """Return a query without what no store keeps; empty where nothing is asked."""
    return plain((query or "").replace("\0", " ")).strip()


def below(entries: Iterable[Entry | None], prefix: Sequence[str]) -> list[Entry]:
    """Return the entries of a namespace and of those below it."""
    wanted = tuple(prefix)
    return [one for one in entries if one is not None and one.namespace[: len(wanted)] == wanted]


def attributes(
    namespace: Sequence[str], key: str, value: Mapping[str, Any], ttl: float | None, field: str | None
) -> dict[str, Json]:
    """Return what brings the item back to the character: JSON in plain ASCII, the order of its fields kept.

    Raises:
        InputError: the value isn't JSON.
    """
    try:
        kept = json.dumps({"namespace": [*namespace], "key": key, "value": dict(value)})
    except (TypeError, ValueError) as err:
        way_out = "Use text, numbers, booleans, None, lists and objects."
        raise InputError("value", "must be JSON", value, way_out) from err
    return {MARK: kept, "ttl": ttl, "field": field}


def ending(now: datetime, ttl: float | None) -> datetime | None:
    """Return when an item goes that lives so many minutes; None where it stays, or longer than there are dates.

    Raises:
        InputError: it is no number.
    """
    try:
        return None if ttl is None else now + timedelta(minutes=ttl)
    except OverflowError:
        return None
    except (TypeError, ValueError) as err:
        raise InputError("ttl", "must be a number of minutes", repr(ttl), "Leave it out for no end.") from err


def entry(memory: Memory) -> Entry | None:
    """Return the item that a memory holds; None where it holds none.

    A text that was corrected over another door is the new text of the field that it came from.
    """
    kept, mark = memory.attributes.get(MARK), memory.metadata.get(MARK)
    if not isinstance(kept, str) or not isinstance(mark, Mapping):
        return None
    item = json.loads(kept)
    value, field, ttl = item["value"], memory.attributes.get("field"), memory.attributes.get("ttl")
    if isinstance(field, str) and field in value and plain(value[field]) != memory.text:
        value[field] = memory.text
    return Entry(
        id=memory.id,
        namespace=tuple(item["namespace"]),
        key=item["key"],
        value=value,
        created=memory.at,
        updated=memory.recorded.start,
        ttl=float(ttl) if isinstance(ttl, int | float) else None,
        indexed=mark.get("indexed") is True,
        memory=memory,
    )


def searchable(value: Mapping[str, Any], paths: Sequence[str]) -> tuple[str, str | None]:
    """Return the text by which an item is found, and the one field that is all of it, if there is one.

    A whole value gives a line for each text and number in it, with its path; a single text stands alone.
    """
    texts: list[str] = []
    for path in paths:
        texts += _lines(value) if path == WHOLE else get_text_at_path(dict(value), tokenize_path(path))
    text = plain("\n".join(one for one in texts if one.strip()))
    fields = [name for name, one in value.items() if isinstance(one, str) and plain(one) == text]
    return text, fields[0] if text and len(fields) == 1 else None


def _lines(value: Mapping[str, Any]) -> list[str]:
    leaves = [*_leaves(value, "")]
    if len(leaves) == 1 and isinstance(leaves[0][1], str):
        return [leaves[0][1]]
    return [f"{path}: {leaf}" for path, leaf in leaves]


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[object, object]", value).items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for inner in cast("Sequence[object]", value):
            yield from _leaves(inner, path)
    elif value is not None:
        yield path, value


def fits(value: object, wanted: object) -> bool:
    """Tell whether a value satisfies a filter, as LangGraph's own store in memory says.

    Where that one fails with an exception (a missing field below ``$gt``, a date), this one compares text with text,
    and what can't be compared doesn't fit.

    Raises:
        FilterError: the filter has an unknown operator.
    """
    if isinstance(wanted, Mapping):
        given = cast("Mapping[str, object]", wanted)
        if any(name.startswith("$") for name in given):
            return all(_holds(value, operator, one) for operator, one in given.items())
        if not isinstance(value, Mapping):
            return False
        inside = cast("Mapping[str, object]", value)
        return all(fits(inside.get(name), one) for name, one in given.items())
    if isinstance(wanted, list | tuple):
        parts = cast("Sequence[object]", wanted)
        if not isinstance(value, list | tuple) or len(cast("Sequence[object]", value)) != len(parts):
            return False
        return all(map(fits, cast("Sequence[object]", value), parts))
    return value == wanted


def _holds(value: object, operator: str, wanted: object) -> bool:
    match operator:
        case "$eq":
            return value == wanted
        case "$ne":
            return value != wanted
        case "$gt" | "$gte" | "$lt" | "$lte":
            left, right = _comparable(value, wanted)
            if left is None or right is None:
                return False
            if left == right:
                return operator in ("$gte", "$lte")
            return (left > right) == operator.startswith("$g")
        case _:
            known = "$eq, $ne, $gt, $gte, $lt, $lte"
            raise FilterError("filter", "unknown operator", repr(operator), f"Known: {known}.")


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both as numbers, or else both as text; None where there is no way."""
    try:
        return float(left), float(right)
    except (TypeError, ValueError, OverflowError):
        return (left, right) if isinstance(left, str) and isinstance(right, str) else (None, None)


def matches(namespace: Path, conditions: Sequence[MatchCondition]) -> bool:
    """Tell whether a namespace begins or ends as all conditions say; ``*`` stands for any one label.

    Raises:
        InputError: a condition is neither about the beginning nor about the end.
    """
    for condition in conditions:
        wanted = tuple(condition.path)
        if condition.match_type not in ("prefix", "suffix"):
            raise InputError("match_type", "must be prefix or suffix", repr(condition.match_type))
        if len(namespace) < len(wanted):
            return False
        start = 0 if condition.match_type == "prefix" else len(namespace) - len(wanted)
        part = namespace[start : start + len(wanted)]
        if any(label not in ("*", there) for label, there in zip(wanted, part, strict=True)):
            return False
    return True
