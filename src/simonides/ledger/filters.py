"""The filters that `where=` takes: their meaning as plain Python, and the same as SQL; knows metadata only.

``{"field": value}`` is equality, ``{"field": {"op": value}}`` one of the operators of `OPERATORS`, several fields at
once mean *all of them*; ``{"and": [...]}``, ``{"or": [...]}`` and ``{"not": {...}}`` combine. A dot in a field goes
into a nested object. Values of different types are never equal and never ordered: text is compared with text by code
points, numbers with numbers, and booleans are no numbers. A field that is missing satisfies ``ne``, ``nin`` and
``{"exists": false}`` only. ``contains`` asks for an element of a list or a piece of a text.

`matches` gives the meaning; `to_sql` must agree with it on everything, and so must `postgres.conditions` (a property
test holds them together).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from operator import ge, gt, le, lt
from typing import Any, TypeAlias, cast

from simonides.errors import FilterError, InputError
from simonides.ledger.canonical import encode, plain
from simonides.types import Json

OPERATORS = ("eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "exists")
DEEPEST = 20
"""How deep `and`, `or` and `not` may lie inside one another."""
MOST_CONDITIONS = 200
"""How many conditions one filter may have; lists of values may be longer."""

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OPPOSITES = {"ne": "eq", "nin": "in"}
_MISSING = object()
_PLAIN_KEY = re.compile(r"[^\"\\\x00-\x1f\x7f]+")
"""Keys that JSON writes as they are, and that SQLite's JSON paths therefore find."""


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """True when some part is."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part isn't."""

    part: Node


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field (the path to it) is compared with, and how."""

    path: tuple[str, ...]
    operator: str
    wanted: Json


Node: TypeAlias = All | Either | Not | Condition


def parse(where: object) -> Node:
    """Return a filter as a tree whose every part has been checked.

    Raises:
        FilterError: an unknown operator, a wrong shape, or a value that can't be compared.
    """
    tree = _parse(where, DEEPEST)
    if _count(tree) > MOST_CONDITIONS:
        raise FilterError(
            "where", f"must have at most {MOST_CONDITIONS} conditions", _count(tree), "Use `in`."
        )
    return tree


def matches(where: Node | Mapping[str, Json], metadata: Mapping[str, Json]) -> bool:
    """Tell whether metadata satisfy a filter; this function is the definition."""
    node = parse(where) if isinstance(where, Mapping) else where
    if isinstance(node, All):
        return all(matches(part, metadata) for part in node.parts)
    if isinstance(node, Either):
        return any(matches(part, metadata) for part in node.parts)
    if isinstance(node, Not):
        return not matches(node.part, metadata)
    return _holds(_find(metadata, node.path), node.operator, node.wanted)


def to_sql(where: Node, column: str) -> tuple[str, list[object]]:
    """Return the filter as a SQL condition (0 or 1, never NULL) on a JSON column, and its parameters."""
    return joined(where, lambda one: _located(one.path, column, one.operator, one.wanted))


def joined(where: Node, spell: Callable[[Condition], tuple[str, list[object]]]) -> tuple[str, list[object]]:
    """Return a filter as a SQL condition, and its parameters.

    Args:
        where: the filter.
        spell: writes a condition, never NULL, in the SQL of one database; only of operators that deny nothing.
    """
    if isinstance(where, All | Either):
        word, empty = (" AND ", "true") if isinstance(where, All) else (" OR ", "false")
        parts = [joined(part, spell) for part in where.parts]
        condition = word.join(part for part, _ in parts) if parts else empty
        return f"({condition})", [value for _, values in parts for value in values]
    denied = where.part if isinstance(where, Not) else _denied(where)
    if denied is None:
        assert isinstance(where, Condition)
        return spell(where)
    condition, values = joined(denied, spell)
    return f"(NOT {condition})", values


def _denied(one: Condition) -> Condition | None:
    """Return the condition that this one denies; None when it denies none."""
    if one.operator in _OPPOSITES:
        return Condition(one.path, _OPPOSITES[one.operator], one.wanted)
    return Condition(one.path, "exists", True) if one.operator == "exists" and not one.wanted else None


def _parse(where: object, depth: int) -> Node:
    if not isinstance(where, Mapping):
        raise FilterError("where", "must be an object", repr(where), 'Example: {"topic": "travel"}.')
    if depth == 0:
        raise FilterError("where", f"must not be nested deeper than {DEEPEST} levels")
    parts: list[Node] = []
    for key, value in cast("Mapping[object, object]", where).items():
        if key in ("and", "or"):
            if not isinstance(value, list | tuple):
                raise FilterError(f"where {key}", "must be a list of filters", repr(value))
            inner = tuple(_parse(part, depth - 1) for part in cast("Sequence[object]", value))
            parts.append(All(inner) if key == "and" else Either(inner))
        elif key == "not":
            parts.append(Not(_parse(value, depth - 1)))
        else:
            parts.extend(_conditions(key, value))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _conditions(field: object, value: object) -> list[Condition]:
    path = _path(field)
    given = cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {"eq": value}
    if not given:
        way_out = f"Known: {', '.join(OPERATORS)}."
        raise FilterError(f"where {field}", "must name an operator", repr(given), way_out)
    return [
        Condition(path, _operator(name, field), _checked(name, item, field)) for name, item in given.items()
    ]


def _path(field: object) -> tuple[str, ...]:
    if not isinstance(field, str) or not all(field.split(".")):
        raise FilterError("where", "a field must be text, its parts between dots not empty", repr(field))
    try:
        plain(field, "where field")
    except InputError as err:
        raise FilterError(err.subject, err.rule, err.value, err.way_out) from err
    return tuple(field.split("."))


def _operator(name: object, field: object) -> str:
    if name in OPERATORS:
        return str(name)
    near = get_close_matches(str(name), OPERATORS, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise FilterError(
        f"where {field}", "unknown operator", repr(name), f"{hint}Known: {', '.join(OPERATORS)}."
    )


def _checked(operator: object, value: object, field: object) -> Json:
    """Return the value of a condition, fit for its operator."""
    subject = f"where {field}"
    try:
        wanted = plain(value, subject)
    except InputError as err:
        raise FilterError(err.subject, err.rule, err.value, err.way_out) from err
    if operator == "exists":
        if not isinstance(wanted, bool):
            raise FilterError(subject, "exists must be true or false", repr(value))
    elif operator in ("in", "nin"):
        if not isinstance(wanted, list) or any(isinstance(item, list | dict) for item in wanted):
            raise FilterError(
                subject, f"{operator} must be a list of texts, numbers, booleans or null", repr(value)
            )
    elif operator in _ORDER:
        if type_name(wanted) not in ("number", "text"):
            raise FilterError(subject, f"{operator} must be a number or a text", repr(value))
    elif isinstance(wanted, list | dict):
        way_out = "Use `in` for one of several values, `contains` for an element of a list."
        raise FilterError(
            subject, f"{operator} must be a text, a number, a boolean or null", repr(value), way_out
        )
    return wanted


def _count(node: Node) -> int:
    if isinstance(node, Condition):
        return 1
    return 1 + sum(map(_count, (node.part,) if isinstance(node, Not) else node.parts))


def type_name(value: object) -> str:
    """Return the type that decides what may be compared with what."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def _same(left: object, right: object) -> bool:
    return type_name(left) == type_name(right) != "other" and left == right


def _find(metadata: Mapping[str, Json], path: tuple[str, ...]) -> object:
    value: object = metadata
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _holds(value: object, operator: str, wanted: Json) -> bool:
    match operator:
        case "exists":
            return (value is not _MISSING) == wanted
        case "eq":
            return _same(value, wanted)
        case "ne":
            return not _same(value, wanted)
        case "in" | "nin":
            assert isinstance(wanted, list)
            return any(_same(value, item) for item in wanted) == (operator == "in")
        case "contains":
            if isinstance(value, str):
                return isinstance(wanted, str) and wanted in value
            items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
            return any(_same(item, wanted) for item in items)
        case _:
            return type_name(value) == type_name(wanted) and _ORDER[operator](value, wanted)


def _located(path: tuple[str, ...], column: str, operator: str, wanted: Json) -> tuple[str, list[object]]:
    """Return a condition on the value at a path; keys that SQLite's paths can't spell are compared one by one."""
    if all(_PLAIN_KEY.fullmatch(key) for key in path):
        at = "$" + "".join(f'."{key}"' for key in path)
        condition, values = _compared("json_type({c}, ?)", "json_extract({c}, ?)", operator, wanted)
        parameters = [at if value is _AT else value for value in values]
        return f"coalesce({condition.format(c=column)}, 0)", parameters
    tables, keys = [f"json_each({column}) k0"], ["k0.key = ?"]
    for number in range(1, len(path)):
        outer = f"CASE WHEN k{number - 1}.type = 'object' THEN k{number - 1}.value ELSE '{{}}' END"
        tables.append(f"json_each({outer}) k{number}")
        keys.append(f"k{number}.key = ?")
    last = f"k{len(path) - 1}"
    condition, values = _compared(f"{last}.type", f"{last}.value", operator, wanted)
    where = f"{' AND '.join(keys)} AND coalesce({condition}, 0)"
    return f"EXISTS (SELECT 1 FROM {', '.join(tables)} WHERE {where})", [
        *path,
        *(value for value in values if value is not _AT),
    ]


_AT = object()
"""Stands among the parameters where the path belongs."""


def _compared(kind: str, value: str, operator: str, wanted: Json) -> tuple[str, list[object]]:
    """Return a comparison of a found value; a wanted value travels as JSON, so that both sides are read alike."""
    if operator == "exists":
        return f"{kind} IS NOT NULL", [_AT]
    if operator == "in":
        return _in(kind, value, wanted)
    if operator == "contains":
        return _contains(kind, value, wanted)
    sign = _SIGNS.get(operator, "=")
    match type_name(wanted):
        case "number":
            condition = f"({kind} IN ('integer', 'real') AND {value} {sign} json_extract(?, '$'))"
            return condition, [_AT, _AT, encode(wanted)]
        case "text":
            return f"({kind} = 'text' AND {value} {sign} ?)", [_AT, _AT, wanted]
        case _:
            return f"{kind} = ?", [_AT, encode(wanted)]


def _in(kind: str, value: str, wanted: Json) -> tuple[str, list[object]]:
    assert isinstance(wanted, list)
    parts, values = ["0"], list[object]()
    for types, group in (("'integer', 'real'", "number"), ("'text'", "text")):
        chosen = [item for item in wanted if type_name(item) == group]
        if chosen:
            parts.append(f"({kind} IN ({types}) AND {value} IN (SELECT value FROM json_each(?)))")
            values += [_AT, _AT, encode(chosen)]
    for name in sorted({encode(item) for item in wanted if type_name(item) in ("boolean", "null")}):
        parts.append(f"{kind} = ?")  # SQLite names these types like the values themselves
        values += [_AT, name]
    return f"({' OR '.join(f'coalesce({part}, 0)' for part in parts)})", values


def _contains(kind: str, value: str, wanted: Json) -> tuple[str, list[object]]:
    element, values = _compared("e.type", "e.value", "eq", wanted)
    inner = [item for item in values if item is not _AT]
    array = f"CASE WHEN {kind} = 'array' THEN {value} ELSE '[]' END"
    condition = f"EXISTS (SELECT 1 FROM json_each({array}) e WHERE {element})"
    if not isinstance(wanted, str):
        return condition, [_AT, _AT, *inner]
    piece = f"({kind} = 'text' AND instr({value}, ?) > 0)"
    return f"({condition} OR {piece})", [_AT, _AT, *inner, _AT, _AT, wanted]
