"""mem0's filters: their meaning as plain Python, and as much of it as our `where` can take; knows no store.

The meaning is that of mem0 over Qdrant, its default store: a condition on a field that isn't there is false, whatever
the operator, and a list fits when one of its elements does. Texts that look like times are compared as times.
`wider` gives a `where` that keeps all that fits, and perhaps more; `fits` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import ge, gt, le, lt
from typing import Any, TypeAlias, cast

from simonides.compat.mem0.checks import IDENTITIES, identity
from simonides.errors import FilterError
from simonides.ledger.filters import parse as parse_where
from simonides.types import Json

OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains")
ANY = "*"
_LOGIC = {"AND": "AND", "OR": "OR", "NOT": "NOT", "$and": "AND", "$or": "OR", "$not": "NOT"}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_PAYLOAD = frozenset({*IDENTITIES, "role", "data", "hash", "created_at", "updated_at"})
"""Fields that aren't, or needn't be, in our metadata."""
_FEW = 20
"""Values of `in` that are worth a condition each."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field is compared with, and how."""

    field: str
    operator: str
    wanted: object


@dataclass(frozen=True, slots=True)
class Combined:
    """``AND``: all parts hold. ``OR``: one does. ``NOT``: none does."""

    logic: str
    parts: tuple[Node, ...]


Node: TypeAlias = Condition | Combined


def parse(filters: object) -> Combined:
    """Return a filter as a tree.

    Raises:
        ValueError: with mem0's words: an operator it doesn't know, or a list that isn't one.
    """
    if not isinstance(filters, Mapping):
        raise ValueError(f"filters must be a dict, got {type(filters).__name__}")
    given = cast("Mapping[object, object]", filters)
    return Combined("AND", tuple(part for name, value in given.items() for part in _parts(str(name), value)))


def scope(tree: Combined) -> tuple[dict[str, str], Combined]:
    """Return the fields of our scope that a filter fixes, and the rest of it; ``AND`` is looked into."""
    fields: dict[str, str] = {}
    rest: list[Node] = []
    for part in tree.parts:
        if isinstance(part, Combined) and part.logic == "AND":
            inner, part = scope(part)
            if any(fields.setdefault(name, value) != value for name, value in inner.items()):
                rest.append(Combined("OR", ()))  # two users at once are nobody
        elif isinstance(part, Condition) and part.field in IDENTITIES and part.operator == "eq":
            value, name = identity(part.wanted, part.field) or "", IDENTITIES[part.field]
            if fields.setdefault(name, value) != value:
                rest.append(Combined("OR", ()))
            continue
        rest.append(part)
    return fields, Combined("AND", tuple(rest))


def names_somebody(tree: Combined) -> bool:
    """Tell whether a filter says, where it must hold, whose memories are meant."""
    return any(
        names_somebody(part)
        if isinstance(part, Combined)
        else part.field in IDENTITIES and part.operator in ("eq", "in", ANY)
        for part in tree.parts
        if isinstance(part, Condition) or part.logic == "AND"
    )


def fits(node: Node, payload: Mapping[str, Json]) -> bool:
    """Tell whether what mem0 would keep of a memory satisfies a filter; this function is the definition."""
    if isinstance(node, Condition):
        values = [*_values(payload, node.field)]
        return any(_holds(value, node.operator, node.wanted) for value in values)
    if node.logic == "AND":
        return all(fits(part, payload) for part in node.parts)
    held = any(fits(part, payload) for part in node.parts)
    return held if node.logic == "OR" else not held


def wider(tree: Combined) -> dict[str, Json] | None:
    """Return a filter for `where` that keeps all that fits, and perhaps more; None keeps everything."""
    where = _wider(tree)
    if where is None:
        return None
    try:
        parse_where(where)
    except FilterError:  # too deep, too long or not for our JSON: `fits` decides alone
        return None
    return where


def _parts(name: str, value: object) -> Iterator[Node]:
    if name in _LOGIC:
        yield _combined(_LOGIC[name], value)
    elif isinstance(value, Mapping):
        operators = cast("Mapping[object, object]", value)
        if not operators:
            raise ValueError(f"Unsupported filter operator(s) for field '{name}': none given")
        for operator, wanted in operators.items():
            if operator not in OPERATORS:
                raise ValueError(f"Unsupported metadata filter operator: {operator}")
            if operator in ("in", "nin") and not isinstance(wanted, list | tuple):
                raise ValueError(f"Filter operator '{operator}' for '{name}' requires a list value")
            yield Condition(name, str(operator), cast("object", wanted))
    elif isinstance(value, list | tuple):
        yield Condition(name, "in", [*cast("Sequence[object]", value)])
    else:
        yield Condition(name, ANY if value == ANY else "eq", value)


def _combined(logic: str, value: object) -> Combined:
    if not isinstance(value, list) or (not value and logic != "AND"):
        kind = "list" if logic == "AND" else "non-empty list"
        raise ValueError(f"{logic} operator requires a {kind} of conditions")
    return Combined(logic, tuple(parse(part) for part in cast("list[object]", value)))


def _values(payload: Mapping[str, Json], field: str) -> Iterator[object]:
    """Yield what stands at a field, a dot going inwards, and each element where a list stands there."""
    if field in payload:
        yield from _elements(payload[field])
        return
    found: list[object] = [payload]
    for key in field.split("."):
        inner = [each for one in found for each in _elements(one)]
        maps = [cast("Mapping[str, object]", one) for one in inner if isinstance(one, Mapping)]
        found = [one[key] for one in maps if key in one]
    for one in found:
        yield from _elements(one)


def _elements(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _holds(value: object, operator: str, wanted: object) -> bool:
    match operator:
        case "eq":
            return _same(value, wanted)
        case "ne":
            return not _same(value, wanted)
        case "in" | "nin":
            among = any(_same(value, item) for item in cast("Sequence[object]", wanted))
            return among == (operator == "in")
        case "contains":
            return isinstance(value, str) and str(wanted) in value
        case "icontains":
            return isinstance(value, str) and str(wanted).casefold() in value.casefold()
        case "*":
            return value is not None
        case _:
            left, right = _ordered(value), _ordered(wanted)
            return type(left) is type(right) and left is not None and _ORDER[operator](left, right)


def _same(left: object, right: object) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _ordered(value: object) -> float | datetime | str | None:
    """Return what can be put in order: numbers, times, texts; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _wider(node: Node) -> dict[str, Json] | None:
    if isinstance(node, Condition):
        return _wider_condition(node)
    if node.logic == "NOT":
        return None
    parts = [_wider(part) for part in node.parts]
    kept = cast("list[Json]", [part for part in parts if part is not None])
    if node.logic == "OR":
        return {"or": kept} if len(kept) == len(parts) else None
    return {"and": kept} if kept else None


def _wider_condition(one: Condition) -> dict[str, Json] | None:
    name = one.field
    if name in _PAYLOAD or "." in name or name in ("and", "or", "not", ""):
        return None
    there: dict[str, Json] = {name: {"exists": True}}
    wanted = [one.wanted] if one.operator == "eq" else one.wanted if one.operator == "in" else None
    if not isinstance(wanted, list) or len(cast("list[object]", wanted)) > _FEW:
        return there
    each = cast("list[Json]", wanted)
    if not all(value is None or isinstance(value, str | int | float) for value in each):
        return there
    return {"or": [{name: {"in": each}}, *({name: {"contains": value}} for value in each)]}
