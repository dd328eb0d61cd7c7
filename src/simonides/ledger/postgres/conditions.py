"""The filters of `where=` as conditions of PostgreSQL; their meaning is that of `ledger.filters.matches`.

Metadata are text that holds canonical JSON, so the type json gives back each value as it was written; jsonb would read
``1e16`` and ``10000000000000000`` as the same. Texts are compared by code points: the collation C on UTF-8.
"""

from __future__ import annotations

from simonides.ledger.canonical import encode
from simonides.ledger.filters import Condition, Node, joined, type_name
from simonides.types import Json

_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def to_sql(where: Node, column: str) -> tuple[str, list[object]]:
    """Return a filter as a condition (never NULL) on a column of text that holds JSON, and its parameters."""
    return joined(where, lambda one: _spelt(one, column))


def _spelt(one: Condition, column: str) -> tuple[str, list[object]]:
    steps = "".join(" -> ?" for _ in one.path)
    if one.operator == "exists":
        return f"(({column}::json{steps}) IS NOT NULL)", [*one.path]
    condition, values = _compared(one.operator, one.wanted)
    found = f"(SELECT {condition} FROM (SELECT {column}::json{steps} AS v OFFSET 0) f)"
    # The value is in the middle of the statement and its path comes after what it is compared with.
    return f"coalesce({found}, false)", [*values, *one.path]


def _compared(operator: str, wanted: Json) -> tuple[str, list[object]]:
    """Return a comparison of the JSON value v; the branches of CASE are only looked at where the type fits."""
    if operator == "in":
        return _in(wanted)
    if operator == "contains":
        return _contains(wanted)
    sign = _SIGNS[operator]
    match type_name(wanted):
        case "number":
            condition = f"CASE WHEN json_typeof(v) = 'number' THEN exact(v #>> '{{}}') {sign} exact(?) END"
            return condition, [encode(wanted)]
        case "text":
            condition = (
                f"""CASE WHEN json_typeof(v) = 'string' THEN (v #>> '{{}}') COLLATE "C" {sign} ? END"""
            )
            return condition, [wanted]
        case name:
            return f"(json_typeof(v) = '{name}' AND v::text = ?)", [encode(wanted)]


def _in(wanted: Json) -> tuple[str, list[object]]:
    assert isinstance(wanted, list)
    parts, values = ["false"], list[object]()
    for kind, name, of in (("number", "number", "exact"), ("text", "string", "")):
        chosen = [encode(item) if of else item for item in wanted if type_name(item) == kind]
        if chosen:
            listed = f"SELECT {of}(e) FROM json_array_elements_text(?::json) e"
            parts.append(
                f"CASE WHEN json_typeof(v) = '{name}' THEN {of}(v #>> '{{}}') IN ({listed}) ELSE false END"
            )
            values.append(encode(chosen))
    for name in ("boolean", "null"):
        for text in sorted({encode(item) for item in wanted if type_name(item) == name}):
            parts.append(f"(json_typeof(v) = '{name}' AND v::text = ?)")
            values.append(text)
    return f"({' OR '.join(parts)})", values


def _contains(wanted: Json) -> tuple[str, list[object]]:
    condition, values = _compared("eq", wanted)
    array = "CASE WHEN json_typeof(v) = 'array' THEN v ELSE '[]'::json END"
    element = f"EXISTS (SELECT 1 FROM json_array_elements({array}) e (v) WHERE {condition})"
    if not isinstance(wanted, str):
        return element, values
    piece = "CASE WHEN json_typeof(v) = 'string' THEN strpos(v #>> '{}', ?) > 0 ELSE false END"
    return f"({element} OR {piece})", [*values, wanted]
