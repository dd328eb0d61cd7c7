"""LangGraph's store over ours: the same answers as its own store in memory, and what that one can't do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from backends import Place
from simonides import Memory
from simonides.bounded import Bounded
from simonides.clock import FrozenClock
from simonides.compat import langgraph_items as items
from simonides.compat.langgraph import Store
from simonides.errors import FilterError, Forbidden, InputError
from simonides.types import Scope

ANA = ("memories", "ana")
LABELS = ["a", "b", "A", "a_", "a%", "*", "a.b", "a/b", "\0", "\\u0000", "ü", "\ud800", "", "0", '"']
"""What was once mistaken for something else: signs of LIKE, joints of paths, what no database keeps."""


@pytest.fixture
def memory(clock: FrozenClock) -> Iterator[Memory]:
    with Memory(":memory:", clock=clock) as opened:
        yield opened


@pytest.fixture
def store(memory: Memory) -> Store:
    return Store(memory)


def keys(found: list[Any]) -> list[str]:
    return [item.key for item in found]


# The same as LangGraph's own store

labels = st.sampled_from(LABELS)
namespaces = st.lists(labels, min_size=1, max_size=3).map(tuple)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.sampled_from([0.5, 9.0, 10.0, 1e300]), st.sampled_from(LABELS)
)  # fmt: skip
values = st.dictionaries(
    st.sampled_from(["a", "b", "c.d", "$"]),
    st.one_of(
        leaves, st.lists(leaves, max_size=2), st.dictionaries(st.sampled_from(["a", "x"]), leaves, max_size=2)
    ),
    max_size=3,
)
puts = st.builds(
    PutOp,
    namespaces,
    labels,
    st.one_of(st.none(), values),
    st.sampled_from([None, False, ["a"], []]),
    st.none(),
)
gets = st.builds(GetOp, namespaces, labels)
prefixes = st.lists(labels, max_size=3).map(tuple)
filters = st.dictionaries(
    st.sampled_from(["a", "b", "c.d"]),
    st.one_of(leaves, leaves.map(lambda one: {"$eq": one}), leaves.map(lambda one: {"$ne": one}), values),
    max_size=2,
)
searches = st.builds(
    SearchOp, prefixes, st.one_of(st.none(), filters), offset=st.just(0), limit=st.just(1000)
)
conditions = st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), prefixes)
listings = st.builds(
    ListNamespacesOp, st.lists(conditions, max_size=2).map(tuple), st.sampled_from([None, 1, 2]),
    limit=st.integers(0, 5), offset=st.integers(0, 3),
)  # fmt: skip
batches = st.lists(
    st.lists(st.one_of(puts, puts, gets, searches, listings), min_size=1, max_size=6), min_size=1, max_size=6
)
numbered = count()


def shown(result: Any) -> object:
    """Return a result without its times, and a search without its order."""
    if isinstance(result, list) and result and not isinstance(result[0], tuple):
        return sorted((one.namespace, one.key, repr(one.value)) for one in result)
    if result is None or isinstance(result, list):
        return result or None
    return result.namespace, result.key, result.value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_a_sequence_of_batches_gives_what_langgraphs_own_store_gives(
    memory: Memory, sequence: list[list[Op]]
) -> None:
    store, own = Store(Bounded(memory, Scope(user=f"u{next(numbered)}"))), InMemoryStore()
    for batch in sequence:
        batch = [op for op in batch if not isinstance(op, SearchOp) or sound(op)]
        kept = (
            InMemoryStore()
        )  # theirs goes on listing namespaces that are empty, and those that were only asked for
        for item in own.search((), limit=1000):
            kept.batch([PutOp(item.namespace, item.key, item.value)])
        expected = [(kept if isinstance(op, ListNamespacesOp) else own).batch([op])[0] for op in reads(batch)]
        given = store.batch(batch)
        own.batch([op for op in batch if isinstance(op, PutOp)])
        found = [one for op, one in zip(batch, given, strict=True) if not isinstance(op, PutOp)]
        assert [shown(one) for one in found] == [shown(one) for one in expected]


def reads(batch: list[Op]) -> list[Op]:
    return [op for op in batch if not isinstance(op, PutOp)]


def sound(op: SearchOp) -> bool:
    """Tell whether a filter means the same to both: theirs takes every key that begins with $ for an operator."""
    return "'$'" not in repr(op.filter)


@given(st.one_of(leaves, values), st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), leaves)
def test_an_order_is_what_langgraph_says_wherever_it_says_something(
    value: Any, operator: str, wanted: Any
) -> None:
    from langgraph.store.memory import _compare_values

    try:
        expected = _compare_values(value, {operator: wanted})
    except (TypeError, ValueError):
        assert items.fits(value, {operator: wanted}) in (True, False)
    else:
        assert items.fits(value, {operator: wanted}) == expected


@given(namespaces, labels, namespaces, labels)
def test_two_items_have_one_id_only_if_they_are_one(
    left: tuple[str, ...], key: str, right: tuple[str, ...], other: str
) -> None:
    same = items.identity(Scope(), left, key) == items.identity(Scope(), right, other)
    assert same == ((left, key) == (right, other))


# What other stores got wrong


def test_signs_of_like_are_no_wildcards(store: Store) -> None:
    for user in ("user_1", "userX1", "user%", "user"):
        store.put(("memories", user), "k", {"of": user})
    assert [item.value["of"] for item in store.search(("memories", "user_1"))] == ["user_1"]
    assert [item.value["of"] for item in store.search(("memories", "user%"))] == ["user%"]
    assert store.list_namespaces(prefix=("memories", "user_1")) == [("memories", "user_1")]


def test_a_prefix_ends_where_a_label_ends(store: Store) -> None:
    store.put(("a", "bc"), "k", {})
    store.put(("a", "b", "c"), "k", {})
    store.batch([PutOp(("a.b", "c"), "k", {"x": 1})])
    assert [item.namespace for item in store.search(("a", "b"))] == [("a", "b", "c")]


def test_numbers_are_compared_as_numbers_and_dates_as_text(store: Store) -> None:
    for number, day in ((9, "2026-01-09"), (10, "2026-01-10"), (100, "2025-12-31")):
        store.put(("n",), str(number), {"size": number, "day": day})
    store.put(("n",), "none", {})
    assert sorted(keys(store.search(("n",), filter={"size": {"$gt": 9}}))) == ["10", "100"]
    assert keys(store.search(("n",), filter={"size": {"$gte": 9, "$lt": 10}})) == ["9"]
    assert keys(store.search(("n",), filter={"day": {"$lt": "2026-01-01"}})) == ["100"]
    with pytest.raises(FilterError, match=r"\$gte"):
        store.search(("n",), filter={"size": {"$regex": "1"}})


def test_what_is_no_json_is_refused_and_nothing_of_the_batch_is_written(store: Store) -> None:
    with pytest.raises(InputError, match="must be JSON"):
        store.batch([PutOp(("a",), "good", {"x": 1}), PutOp(("a",), "bad", {"x": object()})])
    assert store.search(("a",)) == []
    with pytest.raises(InputError, match="must be a GetOp"):
        store.batch(["get"])  # pyright: ignore[reportArgumentType]


def test_a_value_comes_back_in_the_order_of_its_fields_and_as_a_copy(store: Store) -> None:
    value = {"z": 1, "a": {"c": [1, 2.5, None, True], "b": "\0\ud800é"}, "": 10**30}
    store.put(ANA, "k", value)
    found = store.get(ANA, "k")
    assert found is not None
    assert found.value == value
    assert [*found.value] == ["z", "a", ""]
    found.value["z"] = 2
    again = store.get(ANA, "k")
    assert again is not None
    assert again.value == value


def test_labels_are_checked_as_langgraph_checks_them(store: Store) -> None:
    for wrong in ((), ("",), ("a.b",), ("langgraph", "x")):
        with pytest.raises(InvalidNamespaceError):
            store.put(wrong, "k", {})


# Searching


def test_a_query_finds_by_meaning_with_a_score_and_the_rest_follows(store: Store) -> None:
    for key, text in (
        ("train", "The train to Porto leaves at seven"),
        ("diet", "Ben is allergic to peanuts"),
    ):
        store.put(ANA, key, {"content": text})
    store.put(ANA, "secret", {"content": "Ben hates peanuts"}, index=False)
    store.put(("other",), "diet", {"content": "Carl is allergic to peanuts"})
    found = store.search(("memories",), query="what must Ben not eat, peanuts?")
    assert keys(found) == ["diet", "train", "secret"]
    scores = [item.score for item in found]
    assert scores[0] is not None
    assert scores[1] is not None
    assert 0 <= scores[1] < scores[0] <= 1
    assert scores[2] is None


def test_two_items_that_say_the_same_are_two_results(store: Store) -> None:
    for user in ("ana", "ben", "carl"):
        store.put(("memories", user), "food", {"content": "Likes pizza", "user": user}, index=["content"])
    found = store.search(("memories",), query="who likes pizza?", filter={"user": {"$ne": "ben"}})
    assert sorted(item.namespace[1] for item in found) == ["ana", "carl"]
    assert len({item.score for item in found}) == 1


def test_pages_of_a_search_are_the_whole_without_gap_or_repetition(memory: Memory, store: Store) -> None:
    for number in range(25):
        store.put(ANA, f"{number}", {"content": f"Note {number} about the harbour", "even": number % 2 == 0})
    memory.wait()
    for query in (None, "harbour"):
        for chosen in (None, {"even": True}):
            whole = keys(store.search(ANA, query=query, filter=chosen, limit=100))
            pages = [
                keys(store.search(ANA, query=query, filter=chosen, limit=4, offset=at))
                for at in range(0, 28, 4)
            ]
            assert [key for page in pages for key in page] == whole
            assert len({*whole}) == len(whole) == (25 if chosen is None else 13)


def test_a_filter_reaches_behind_the_first_hits(store: Store) -> None:
    for number in range(60):
        store.put(ANA, f"{number}", {"content": f"The harbour has crane number {number}", "last": False})
    store.put(ANA, "ship", {"content": "A ship is in the harbour", "last": True})
    (found,) = store.search(ANA, query="which crane has the harbour?", filter={"last": True})
    assert found.score is not None
    assert found.score > 0, "it was ranked, not merely listed"


def test_only_the_fields_that_are_indexed_are_searched(memory: Memory) -> None:
    store = Store(memory, index={"fields": ["title", "parts[*].text"]})
    store.put(
        ANA, "k", {"title": "Harbour", "parts": [{"text": "cranes"}, {"text": "tides"}], "private": "gold"}
    )
    assert [one.text for one in memory.list()] == ["Harbour\ncranes\ntides"]
    assert memory.search("gold") == []
    store.put(ANA, "k", {"title": "Harbour", "private": "gold"}, index=["private"])
    assert [one.text for one in memory.list()] == ["gold"]


def test_a_query_of_blanks_or_odd_signs_is_no_error(store: Store) -> None:
    store.put(ANA, "k", {"content": "something"})
    for query in (" ", "\0", "\ud800", "?", "*", '"'):
        assert keys(store.search(ANA, query=query)) == ["k"]


def test_memories_of_other_doors_are_no_items(memory: Memory, store: Store) -> None:
    memory.add("Ana likes pizza", metadata={"langgraph": "no"})
    memory.add("Ana likes pasta")
    store.put(ANA, "k", {"content": "Ana likes rice"})
    assert keys(store.search((), query="Ana likes")) == ["k"]
    assert store.list_namespaces() == [ANA]


# History


def test_a_put_again_is_a_new_version_and_keeps_when_it_was_created(
    memory: Memory, store: Store, clock: FrozenClock
) -> None:
    store.put(ANA, "home", {"content": "Berlin"})
    before = clock.now()
    clock.advance(hours=1)
    store.put(ANA, "home", {"content": "Lisbon"})
    item = store.get(ANA, "home")
    assert item is not None
    assert (item.created_at, item.updated_at) == (before, clock.now())
    (kept,) = memory.list()
    assert [one.text for one in memory.history(kept.id)] == ["Berlin", "Lisbon"]
    assert memory.get(kept.id, known_at=before).text == "Berlin"
    memory.restore(kept.id)
    item = store.get(ANA, "home")
    assert item is not None
    assert item.value == {"content": "Berlin"}


def test_what_was_deleted_stays_in_the_history_and_the_key_can_be_used_again(
    memory: Memory, store: Store, clock: FrozenClock
) -> None:
    moments = [clock.now()]
    for step in ("first", None, "second", None, None, "third"):
        if step is None:
            store.delete(ANA, "k")
            assert store.get(ANA, "k") is None
            assert store.search((), query="first second") == store.list_namespaces() == []
        else:
            store.put(ANA, "k", {"content": step})
        moments.append(clock.now())
        clock.advance(days=1)
    item = store.get(ANA, "k")
    assert item is not None
    assert item.value == {"content": "third"}
    assert item.created_at == moments[-1], "a key that was deleted begins anew"
    (kept,) = memory.list()
    then = [memory.get(kept.id, as_of=moment).text for moment in moments[1:]]
    assert then == ["first", "(deleted)", "second", "(deleted)", "(deleted)", "third"]
    assert memory.verify().ok


def test_a_text_corrected_over_another_door_is_the_value_here(memory: Memory, store: Store) -> None:
    store.put(ANA, "home", {"content": "Ana lives in Berlin", "sure": True}, index=["content"])
    memory.update(memory.list()[0].id, "Ana lives in Lisbon")
    item = store.get(ANA, "home")
    assert item is not None
    assert item.value == {"content": "Ana lives in Lisbon", "sure": True}


def test_a_delete_can_be_made_to_erase(tmp_path: Path) -> None:
    with Store(tmp_path / "m.db", erase_on_delete=True) as store:
        store.put(ANA, "k", {"content": "zanzibar"})
        store.put(ANA, "k", {"content": "madagascar"})
        store.delete(ANA, "k")
        store.delete(ANA, "k")
        assert store.memory.list() == []
        assert store.memory.status().versions == 0
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"zanzibar" not in left


# Time to live


def test_an_item_goes_when_its_minutes_are_over_and_reading_renews_them(
    memory: Memory, clock: FrozenClock
) -> None:
    store = Store(memory, ttl={"default_ttl": 10, "refresh_on_read": True})
    store.put(ANA, "read", {"content": "read"})
    store.put(ANA, "left", {"content": "left"})
    store.put(ANA, "stays", {"content": "stays"}, ttl=None)
    clock.advance(minutes=6)
    assert store.get(ANA, "read") is not None
    assert len(store.search(ANA, refresh_ttl=False)) == 3
    clock.advance(minutes=6)
    assert sorted(keys(store.search(ANA, query="left"))) == ["read", "stays"]
    assert store.get(ANA, "left") is None, "what has expired is gone before a sweep, too"
    assert store.sweep_ttl() == 1
    clock.advance(minutes=60)
    assert keys(store.search(ANA)) == ["stays"]
    assert store.sweep_ttl() == 1


def test_a_put_gives_the_time_that_it_says_and_brings_back_what_had_expired(
    memory: Memory, clock: FrozenClock
) -> None:
    store = Store(memory)
    store.put(ANA, "k", {"n": 1}, ttl=10)
    store.put(ANA, "k", {"n": 2})
    clock.advance(minutes=11)
    assert store.get(ANA, "k") is not None, "the second put said nothing of an end"
    store.put(ANA, "k", {"n": 3}, ttl=1)
    clock.advance(minutes=2)
    assert store.get(ANA, "k") is None
    for swept in (False, True):
        if swept:
            assert store.sweep_ttl() == 1
        store.put(ANA, "k", {"n": 4}, ttl=1)
        item = store.get(ANA, "k", refresh_ttl=False)
        assert item is not None
        assert item.value == {"n": 4}
        assert item.created_at == clock.now()
        clock.advance(minutes=2)
        assert store.get(ANA, "k") is None


def test_many_reads_are_not_as_many_writes(memory: Memory, clock: FrozenClock) -> None:
    store = Store(memory, ttl={"default_ttl": 100, "refresh_on_read": True})
    store.put(ANA, "k", {"n": 1})
    for _ in range(50):
        store.get(ANA, "k")
        clock.advance(seconds=1)
    assert memory.status().events < 5


def test_the_sweeper_sweeps_and_stops() -> None:
    with Memory(":memory:") as memory, Store(memory, on_expiry="erase") as store:
        store.put(ANA, "k", {"n": 1}, ttl=0)
        store.start_ttl_sweeper(0.05 / 60)
        until = monotonic() + 10
        while memory.status().versions and monotonic() < until:
            sleep(0.02)
        assert memory.status().versions == 0
        assert store.stop_ttl_sweeper(5)


# Who may, and who is there too


def test_a_bounded_store_sees_only_its_own_items(memory: Memory, clock: FrozenClock) -> None:
    ana, ben = (Store(Bounded(memory, Scope(user=user))) for user in ("ana", "ben"))
    ana.put(("notes",), "k", {"of": "ana"})
    ben.put(("notes",), "k", {"of": "ben"})
    assert [item.value for item in ana.search((), query="ana ben")] == [{"of": "ana"}]
    ben.delete(("notes",), "k")
    assert ana.get(("notes",), "k") is not None
    ana.put(("notes",), "short", {"of": "ana"}, ttl=10)
    reader = Store(Bounded(memory, Scope(user="ana"), rights=("read",)), ttl={"refresh_on_read": True})
    clock.advance(minutes=9)
    assert reader.get(("notes",), "short") is not None
    clock.advance(minutes=2)
    assert reader.get(("notes",), "short") is None, "who may not write can't make it live longer"
    with pytest.raises(Forbidden):
        reader.put(("notes",), "k", {})


def test_processes_that_put_the_same_keys_at_once_leave_one_item_for_each(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    script = f"""
import sys
from simonides.compat.langgraph import Store
with Store({str(path)!r}) as store:
    for number in range(20):
        store.put(("shared",), f"{{number % 4}}", {{"by": sys.argv[1], "n": number}})
        if number % 5 == 4:
            store.delete(("shared",), f"{{number % 4}}")
    store.put(("own",), sys.argv[1], {{}})
"""
    running = [subprocess.Popen([sys.executable, "-c", script, f"p{number}"]) for number in range(3)]
    assert [one.wait(60) for one in running] == [0] * 3
    with Store(path) as store:
        assert len(store.search(("own",))) == 3
        shared = store.search(("shared",), limit=100)
        assert len({*keys(shared)}) == len(shared) <= 4
        assert len({one.id for one in store.memory.list(limit=100)}) == len(shared) + 3
        assert store.memory.verify().ok


def test_a_namespace_is_a_session_however_long_its_name_is(memory: Memory, store: Store) -> None:
    long = ("memories", "x" * 600)
    for namespace in (long, (*long, "y"), ("memories", "[1"), ANA):
        store.put(namespace, "k", {"content": f"The code word is heron in {len(namespace[1])}"})
    memory.add("The code word is stork", session="langgraph:[oops")
    assert sorted(item.namespace for item in store.search(long)) == [long, (*long, "y")]
    assert {item.namespace for item in store.search(long, query="code word")} == {long, (*long, "y")}
    assert [item.namespace for item in store.search((*long, "y"), query="code word")] == [(*long, "y")]
    assert store.list_namespaces(max_depth=1) == [("memories",)]
    assert len(store.search((), query="code word")) == 4
    assert [one.text for one in memory.list(session='langgraph:["memories","ana"]')] == [
        "The code word is heron in 3"
    ]
    fixed = Store(Bounded(memory, Scope(session="talk")))
    fixed.put(ANA, "k", {"content": "The code word is crane"})
    assert [item.value for item in fixed.search(ANA[:1], query="code word")] == [
        {"content": "The code word is crane"}
    ]
    assert fixed.list_namespaces(suffix=("*", "ana")) == [ANA]
    assert len(store.search((), query="code word")) == 4, "and those of another scope are not here"


def test_the_store_is_the_same_over_every_kind_of_place(place: Place) -> None:
    with Memory(place.new(), **place.memory) as memory:
        store = Store(memory, ttl={"default_ttl": 5})
        store.put(ANA, "\0", {"content": "Ana likes pizza", "n": 9})
        store.put(ANA, "k", {"content": "Ana has a dog", "n": 10})
        store.delete(ANA, "k")
        store.put(ANA, "k", {"content": "Ana has a cat", "n": 10})
        assert keys(store.search(("memories",), query="which animal does Ana have?"))[0] == "k"
        assert keys(store.search(("memories",), filter={"n": {"$lt": 10}})) == ["\0"]
        assert store.list_namespaces() == [ANA]
        assert memory.verify().ok


def test_the_asynchronous_calls_do_the_same(store: Store) -> None:
    async def run() -> None:
        await asyncio.gather(*(store.aput(ANA, f"{n}", {"n": n}) for n in range(20)))
        assert len(await store.asearch(ANA, limit=100)) == 20
        await store.adelete(ANA, "3")
        assert await store.aget(ANA, "3") is None
        assert await store.alist_namespaces(suffix=("ana",)) == [ANA]

    asyncio.run(run())


# LangMem on top


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LangMem's own imports
def test_langmems_tools_write_and_find_and_correct(store: Store) -> None:
    from langgraph.func import entrypoint  # pyright: ignore[reportMissingTypeStubs]
    from langmem import create_manage_memory_tool, create_search_memory_tool  # pyright: ignore[reportMissingTypeStubs]

    namespace = ("memories", "{langgraph_user_id}")
    manage, search = create_manage_memory_tool(namespace), create_search_memory_tool(namespace)

    @entrypoint(store=store)
    def run(call: dict[str, Any]) -> Any:
        tool = search if "query" in call else manage
        return tool.invoke(call)

    def ask(user: str, **call: Any) -> Any:
        return run.invoke(call, {"configurable": {"langgraph_user_id": user}})

    made = ask("ana", content="Ana prefers dark mode", action="create")
    ask("ana", content="Ana's dog is called Rex", action="create")
    ask("ben", content="Ben prefers light mode", action="create")
    id = made.rpartition(" ")[2]
    assert "dark mode" in ask("ana", query="which theme, dark mode or light?")
    assert "Ben" not in ask("ana", query="which theme, dark mode or light?")
    ask("ana", id=id, content="Ana prefers light mode", action="update")
    found = ask("ana", query="which mode does Ana prefer?")
    assert "light mode" in found
    assert "dark mode" not in found
    ask("ana", id=id, action="delete")
    assert "light mode" not in ask("ana", query="which mode does Ana prefer?")
    kept = items.identity(Scope(), ("memories", "ana"), id)
    assert {one.text for one in store.memory.history(kept)} >= {
        "Ana prefers dark mode",
        "Ana prefers light mode",
    }
