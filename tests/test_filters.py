"""Filters: what SQL finds is what the plain Python of `matches` says, for all metadata and all filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backends import Place, for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.errors import FilterError
from simonides.ledger import Ledger, Lexical, filters
from simonides.ledger.canonical import checked_object
from simonides.ledger.opening import opened
from simonides.ledger.postgres import conditions
from simonides.settings import Settings
from simonides.types import Add, Scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = (
    "'",
    '"',
    "$",
    "$.a",
    "a'b",
    'a"b',
    "\\",
    "a\\",
    "[0]",
    "a b",
    "ü",
    "漢字",
    "🙂",
    "--",
    "%",
    "?",
    "{c}",
    "\n",
    "#-1",
)
KEYS = st.sampled_from(("a", "b", "a", "b", "n", "and x", *HOSTILE))
TEXTS = st.one_of(
    st.sampled_from(("", "a", "A", "ab", "b", "1", "true", "null", "é", "Z")),
    st.text("aZé🙂%_'\"\\\n", max_size=4),
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from(
        (
            0.0,
            -0.0,
            1.0,
            0.1,
            0.1 + 0.2,
            1e300,
            -1e-300,
            5e-324,
            2**53,
            2**53 + 1,
            float(2**53),
            2**63 - 1,
            -(2**63),
        )
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=5,
)
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)
FIELDS = st.lists(KEYS.filter(lambda key: "." not in key), min_size=1, max_size=2).map(".".join)
CONDITIONS = st.one_of(
    st.tuples(st.sampled_from(("eq", "ne", "contains")), SCALARS),
    st.tuples(st.sampled_from(("in", "nin")), st.lists(SCALARS, max_size=4)),
    st.tuples(st.sampled_from(("gt", "gte", "lt", "lte")), st.one_of(NUMBERS, TEXTS)),
    st.tuples(st.just("exists"), st.booleans()),
)
LEAVES = st.one_of(
    st.builds(lambda field, condition: {field: dict([condition])}, FIELDS, CONDITIONS),
    st.dictionaries(FIELDS, SCALARS, max_size=2),
    st.builds(lambda field, one, two: {field: dict([one, two])}, FIELDS, CONDITIONS, CONDITIONS),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"and": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=4,
)


Chosen = Callable[[dict[str, Any], list[dict[str, Any]]], list[int]]


@pytest.fixture
def chosen_by_sql(place: Place) -> Iterator[Chosen]:
    """Return what asks the database which rows of metadata satisfy a filter."""
    to_sql = conditions.to_sql if place.server else filters.to_sql

    def chosen(where: dict[str, Any], rows: list[dict[str, Any]]) -> list[int]:
        condition, values = to_sql(filters.parse(where), "t.metadata")
        stored = [part for n, row in enumerate(rows) for part in (n, checked_object(row, "metadata", 10**6))]
        table = ", ".join(["(CAST(? AS BIGINT), CAST(? AS TEXT))"] * len(rows))
        query = f"""WITH t (row, metadata) AS (VALUES {table})
            SELECT row, {condition} FROM t ORDER BY row"""
        with database.reading() as connection:
            answers = connection.execute(query, (*stored, *values)).fetchall()
        assert {answer for _, answer in answers} <= {0, 1}
        return [row for row, answer in answers if answer]

    database = opened(place.new(), Settings(), **place.ledger)
    yield chosen
    database.close()


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=FILTERS, rows=st.lists(METADATA, min_size=1, max_size=6))
@example(where={"a": 1}, rows=[{"a": 1.0}, {"a": True}, {"a": "1"}, {"a": None}, {}])
@example(where={"a": {"ne": 1}}, rows=[{"a": 1}, {"a": "1"}, {}])
@example(where={"a": {"contains": ""}}, rows=[{"a": ""}, {"a": "x"}, {"a": [""]}, {"a": []}])
@example(where={'x"y.z': {"gte": "b"}}, rows=[{'x"y': {"z": "b"}}, {'x"y': [1]}, {'x"y': 5}, {'x"y': "{}"}])
@example(where={"a": 0.30000000000000004}, rows=[{"a": 0.1 + 0.2}, {"a": 0.3}])
@example(where={"a": {"in": [True, None]}}, rows=[{"a": True}, {"a": 1}, {"a": None}, {}])
@example(where={"a": -(2**63)}, rows=[{"a": -(2.0**63)}, {"a": -(2**63) + 1}])
@example(
    where={"a": {"lt": 1.2345678901234567e18}}, rows=[{"a": 1234567890123456767}, {"a": 1234567890123456768}]
)
@example(where={"a": {"in": [1e16, 5e-324]}}, rows=[{"a": 10**16}, {"a": 0}, {"a": 10**16 + 1}])
def test_sql_finds_what_the_definition_says(
    chosen_by_sql: Chosen, where: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    expected = [place for place, row in enumerate(rows) if filters.matches(where, row)]
    assert chosen_by_sql(where, rows) == expected


@settings(max_examples=200, deadline=None)
@given(FILTERS, METADATA)
def test_a_filter_means_the_same_after_a_trip_through_json(
    where: dict[str, Any], metadata: dict[str, Any]
) -> None:
    again = json.loads(json.dumps(metadata))
    assert filters.matches(json.loads(json.dumps(where)), again) == filters.matches(where, metadata)


ROWS: list[dict[str, Any]] = [
    {},
    {"n": 5, "topic": "travel", "tags": ["sea", "sun"], "deep": {"er": 1}},
    {"n": 5.5, "topic": "Travel", "tags": [], "done": True},
    {"n": "5", "topic": None, "done": 1},
]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"topic": "travel"}, [1]),
        ({"topic": None}, [3]),
        ({"topic": {"ne": "travel"}}, [0, 2, 3]),
        ({"n": {"gt": 5}}, [2]),
        ({"n": {"gte": 5, "lt": 5.5}}, [1]),
        ({"n": {"lte": "5"}}, [3]),
        ({"done": True}, [2]),
        ({"done": 1}, [3]),
        ({"n": {"in": [5, "5"]}}, [1, 3]),
        ({"n": {"nin": [5, "5"]}}, [0, 2]),
        ({"tags": {"contains": "sea"}}, [1]),
        ({"topic": {"contains": "rav"}}, [1, 2]),
        ({"tags": {"exists": True}}, [1, 2]),
        ({"tags": {"exists": False}}, [0, 3]),
        ({"deep.er": 1}, [1]),
        ({"deep.er.est": {"exists": False}}, [0, 1, 2, 3]),
        ({"and": []}, [0, 1, 2, 3]),
        ({"or": []}, []),
        ({"not": {"or": [{"n": 5}, {"n": "5"}]}}, [0, 2]),
    ],
)
def test_examples(chosen_by_sql: Chosen, where: dict[str, Any], found: list[int]) -> None:
    assert [place for place, row in enumerate(ROWS) if filters.matches(where, row)] == found
    assert chosen_by_sql(where, ROWS) == found


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("topic", "must be an object"),
        ({"n": {"gtt": 5}}, r"unknown operator \(got 'gtt'\). Did you mean 'gt'"),
        ({"n": {}}, "must name an operator"),
        ({"n": [1]}, r"must be a text, a number, a boolean or null.*Use `in`"),
        ({"n": {"in": 5}}, "in must be a list"),
        ({"n": {"nin": [[1]]}}, "nin must be a list"),
        ({"n": {"gt": True}}, "gt must be a number or a text"),
        ({"n": {"exists": 1}}, "exists must be true or false"),
        ({"n": float("nan")}, "must be finite"),
        ({"n": {"lt": float("inf")}}, "must be finite"),
        ({"n": 2**64}, "must fit in 64 bits"),
        ({"and": {"n": 1}}, "must be a list of filters"),
        ({"a..b": 1}, "must be text, its parts between dots not empty"),
        ({5: 1}, "must be text"),
        ({"a": "\ud800"}, "lone surrogate"),
        ({"a\0": 1}, "NUL"),
        ({"or": [{"n": place} for place in range(300)]}, r"at most 200 conditions.*Use `in`"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(where: Any, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        filters.parse(where)


def test_a_filter_nested_too_deep_is_refused() -> None:
    where: dict[str, Any] = {"n": 1}
    for _ in range(30):
        where = {"not": where}
    with pytest.raises(FilterError, match="nested deeper"):
        filters.parse(where)


@pytest.mark.parametrize("field", [*HOSTILE, "x') OR 1=1 --", 'x"] = 1; DROP TABLE memory; --', "a.b'; --"])
@pytest.mark.usefixtures("place")
def test_a_hostile_field_is_a_field_and_nothing_else(field: str) -> None:
    """A ledger, so that the whole statement is the one that users run."""
    lexical = Lexical(b"", b"")
    ledger = Ledger(
        here(), **for_ledger(), clock=FrozenClock(NOW), settings=Settings(), analyse=lambda _: lexical
    )
    nested: dict[str, Any] = {}
    inner = nested
    *outer, last = field.split(".")
    for key in outer:
        inner = inner.setdefault(key, {})
    inner[last] = "it's"
    chosen, other = new_id(), new_id()
    ledger.apply([Add(chosen, "one", NOW, metadata=nested), Add(other, "two", NOW, scope=Scope(user="ann"))])
    if all(field.split(".")):
        assert [found.id for found in ledger.list(where={field: "it's"})] == [chosen]
        assert [found.id for found in ledger.list(where={field: {"ne": "it's"}})] == [other]
        assert ledger.rows_where({field: {"contains": "'"}}) == [1]
        assert ledger.rows_where({field: {"exists": False}}, ledger.scopes(Scope(user="ann"))) == [2]
    assert ledger.verify().ok
    ledger.close()


@pytest.mark.usefixtures("place")
def test_who_it_belongs_to_is_not_metadata() -> None:
    """Scope columns can't be reached by a filter, whatever it is called."""
    lexical = Lexical(b"", b"")
    ledger = Ledger(
        here(), **for_ledger(), clock=FrozenClock(NOW), settings=Settings(), analyse=lambda _: lexical
    )
    ledger.apply([Add(new_id(), "mine", NOW, scope=Scope(user="ann"))])
    assert ledger.list(where={"user": "ann"}) == []
    assert ledger.list(where={"scope": {"exists": True}}) == []
    ledger.close()
