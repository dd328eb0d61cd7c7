"""mem0's class and ours beside each other: the same calls, the same keys, the same words when something is wrong."""

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import real_mem0
from simonides.bounded import Bounded
from simonides.clock import FrozenClock
from simonides.compat.mem0 import AsyncMemory, Memory, ValidationError
from simonides.compat.mem0.filters import fits, parse, scope, wider
from simonides.errors import Forbidden
from simonides.ledger.filters import matches
from simonides.memory import Memory as Store
from simonides.settings import Settings
from simonides.types import Scope

SAID = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "I drink green tea in the morning.", "name": "ana"},
    {"role": "assistant", "content": "Green tea it is."},
    {"role": "tool"},
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


class Both(NamedTuple):
    """The two classes, each over an empty store."""

    real: Any
    ours: Memory


@pytest.fixture(scope="module")
def mem0(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return real_mem0.library(tmp_path_factory.mktemp("mem0"))


@pytest.fixture(scope="module")
def real(mem0: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with real_mem0.models() as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        memory = mem0.Memory.from_config(real_mem0.config(tmp_path_factory.mktemp("real"), url))
        yield memory
        memory.close()
        memory.vector_store.client.close()


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(":memory:", settings=Settings(meaning="instant")) as store:
        yield store


@pytest.fixture
def ours(store: Store) -> Memory:
    return Memory.over(store)


@pytest.fixture
def both(real: Any, ours: Memory) -> Iterator[Both]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Both(real, ours)
        for user in ("ana", "ben"):
            real.delete_all(user_id=user)


def plain(value: Any) -> Any:
    """Return an answer with what differs between any two runs replaced by what it is."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, str) and TIME.fullmatch(value):
        return "<time>"
    if isinstance(value, str):
        try:
            return (
                f"<id {bool(UUID(value))}>" if len(value) in (32, 36) and "-" in value[8:9] + "-" else value
            )
        except ValueError:
            return value
    return value


def test_signatures_are_those_of_mem0(mem0: Any) -> None:
    for real, ours in ((mem0.Memory, Memory), (mem0.AsyncMemory, AsyncMemory)):
        for name in (
            "add",
            "search",
            "get",
            "get_all",
            "update",
            "delete",
            "delete_all",
            "history",
            "reset",
            "chat",
            "close",
        ):
            wanted = inspect.signature(getattr(real, name)).parameters
            got = inspect.signature(getattr(ours, name)).parameters
            for parameter in wanted.values():
                assert parameter.name in got, f"{name}({parameter.name})"
                same = got[parameter.name]
                assert same.kind == parameter.kind, f"{name}({parameter.name})"
                unset = type(parameter.default) is object
                assert unset == (type(same.default) is object)
                assert unset or same.default == parameter.default
            assert all(
                more.kind is inspect.Parameter.KEYWORD_ONLY for key, more in got.items() if key not in wanted
            )
            assert inspect.iscoroutinefunction(getattr(real, name)) == inspect.iscoroutinefunction(
                getattr(ours, name)
            )


def test_what_is_added_is_answered_with_the_same_keys(both: Both) -> None:
    for user, infer in (("ana", False), ("ben", True)):
        answers = [
            one.add([*SAID, {"role": "user", "content": "I walk."}], user_id=user, infer=infer)
            for one in both
        ]
        assert [{*row} for row in answers[1]["results"]] == [{*answers[0]["results"][0]}] * 3
    told = [one.add("I like figs.", user_id="ana", metadata={"stars": 4}, infer=False) for one in both]
    assert plain(told[0]) == plain(told[1])


def test_every_reading_has_the_same_keys_and_values(both: Both) -> None:
    answers: list[list[Any]] = []
    for one in both:
        fields: dict[str, Any] = {"stars": 4, "user_id": "mallory", "role": "x"}
        more: dict[str, Any] = {"metadata": fields, "expiration_date": "2999-01-01", "infer": False}
        id = one.add(SAID, user_id="ana", agent_id="helper", run_id="r1", **more)["results"][0]["id"]
        searched = one.search("who can drink green tea in the morning?", filters={"user_id": "ana"}, top_k=1)[
            "results"
        ]
        every = sorted(one.get_all(filters={"user_id": "ana"})["results"], key=lambda row: str(row["memory"]))
        changed = one.update(id, "I drink black tea.", metadata={"stars": 5, "user_id": "mallory"})
        answers.append(
            [
                one.get(id), every, {**searched[0], "score": 0}, changed, one.get(id), one.history(id), one.delete(id),
                one.get(id), one.history(id), one.get_all(filters={"run_id": "nobody"}), one.get("0" * 32),
                one.delete_all(user_id="ana"), one.get_all(filters={"user_id": "ana"}),
            ]
        )  # fmt: skip
    for place, (wanted, got) in enumerate(zip(*answers, strict=True)):
        assert plain(got) == plain(wanted), place


def test_metadata_alone_makes_a_row_of_history_too(both: Both) -> None:
    told: list[Any] = []
    for one in both:
        id = one.add("I like figs.", user_id="ana", infer=False)["results"][0]["id"]
        one.update(id, metadata={"stars": 1})
        one.update(id, expiration_date="2999-01-01")
        told.append([one.history(id), one.get(id)])
    assert plain(told[1]) == plain(told[0])


WRONG: dict[str, Callable[[Any], object]] = {
    "nobody": lambda m: m.add("I walk."),
    "blank": lambda m: m.add("I walk.", user_id=" "),
    "two words": lambda m: m.add("I walk.", user_id="ana maria"),
    "a number": lambda m: m.add(7, user_id="ana"),
    "a type": lambda m: m.add("I walk.", user_id="ana", memory_type="episodic"),
    "a day": lambda m: m.add("I walk.", user_id="ana", expiration_date="tomorrow"),
    "no day": lambda m: m.add("I walk.", user_id="ana", expiration_date=7),
    "search nobody": lambda m: m.search("tea", filters={"topic": "tea"}),
    "search nothing": lambda m: m.search("  ", filters={"user_id": "ana"}),
    "search a number": lambda m: m.search(7, filters={"user_id": "ana"}),
    "threshold": lambda m: m.search("tea", filters={"user_id": "ana"}, threshold=2),
    "threshold text": lambda m: m.search("tea", filters={"user_id": "ana"}, threshold="x"),
    "top_k": lambda m: m.search("tea", filters={"user_id": "ana"}, top_k=-1),
    "top_k text": lambda m: m.get_all(filters={"user_id": "ana"}, top_k="x"),
    "list nobody": lambda m: m.get_all(),
    "and": lambda m: m.search("tea", filters={"user_id": "ana", "AND": {}}),
    "or": lambda m: m.search("tea", filters={"user_id": "ana", "OR": []}),
    "not": lambda m: m.search("tea", filters={"user_id": "ana", "NOT": {"a": 1}}),
    "operator": lambda m: m.search("tea", filters={"user_id": "ana", "a": {"eq": 1, "like": 2}}),
    "update nothing": lambda m: m.update("0" * 32),
    "update none": lambda m: m.update("0" * 32, "text"),
    "delete none": lambda m: m.delete("0" * 32),
    "delete nobody": lambda m: m.delete_all(),
    "chat": lambda m: m.chat("hello"),
}


@pytest.mark.parametrize("act", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_in_the_same_words(both: Both, act: Callable[[Any], object]) -> None:
    told: list[Exception] = []
    for one in both:
        with pytest.raises((ValueError, NotImplementedError, Exception)) as caught:
            act(one)
        told.append(caught.value)
    assert str(told[1]) == str(told[0])
    assert type(told[1]).__name__ == type(told[0]).__name__
    if isinstance(told[1], ValidationError):
        for name in ("message", "error_code", "suggestion", "debug_info"):
            assert getattr(told[1], name) == getattr(told[0], name)


METADATA: list[dict[str, Any]] = [
    {},
    {"stars": 1, "topic": "tea"},
    {"stars": 2, "topic": "tea party", "tags": ["a", "b"]},
    {"stars": 3, "topic": "Tea", "tags": ["b"]},
    {"stars": 4, "topic": "coffee", "open": True, "size": {"pages": 3}},
    {"stars": 2.5, "topic": "", "open": False, "size": {"pages": 7}},
    {"stars": -1, "day": "2026-03-01", "tags": []},
    {"day": "2026-03-02T10:00:00+00:00"},
    {"day": "2026-03-02T10:00:00+02:00", "stars": "4"},
]
FIELDS = st.sampled_from(["stars", "topic", "tags", "open", "size.pages", "day", "nowhere"])
WORDS = st.sampled_from(["tea", "coffee", "a", "b", "", "Tea", "party", "4"])
NUMBERS = st.integers(-2, 5)
ORDERED = st.tuples(
    st.sampled_from(["gt", "gte", "lt", "lte"]),
    NUMBERS | st.sampled_from(["2026-03-02", "2026-03-02T09:00:00Z"]),
)
SOME = st.lists(WORDS, min_size=1) | st.lists(NUMBERS, min_size=1)
LOGIC = st.sampled_from(["AND", "OR", "NOT"])
TESTS = st.one_of(
    WORDS, NUMBERS, st.booleans(),
    st.builds(lambda op, v: {op: v}, st.sampled_from(["eq", "ne"]), WORDS | NUMBERS),
    st.builds(lambda op, v: {op: v}, st.sampled_from(["in", "nin"]), SOME),
    ORDERED.map(lambda one: {one[0]: one[1]}),
)  # fmt: skip
SIMPLE = st.dictionaries(FIELDS, TESTS, min_size=1, max_size=2)
FILTERS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    SIMPLE,
    lambda inner: st.builds(lambda word, parts: {word: parts}, LOGIC, st.lists(inner, min_size=1, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def shelves(real: Any) -> Iterator[Both]:
    """Both, with the same memories of different metadata."""
    with Store(":memory:", settings=Settings(meaning="instant")) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = Both(real, Memory.over(store))
        for one in both:
            for number, metadata in enumerate(METADATA):
                one.add(f"note {number}", user_id="shelf", metadata=metadata, infer=False)
        yield both
        real.delete_all(user_id="shelf")


def numbers(answer: Any) -> list[int]:
    return sorted(int(row["memory"].split()[1]) for row in answer["results"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS)
def test_filters_keep_what_mem0_over_qdrant_keeps(shelves: Both, filters: dict[str, Any]) -> None:
    wanted, got = (one.get_all(filters={**filters, "user_id": "shelf"}) for one in shelves)
    assert numbers(got) == numbers(wanted)


@given(FILTERS, st.sampled_from(METADATA))
def test_what_the_store_is_asked_for_is_never_too_little(
    filters: dict[str, Any], metadata: dict[str, Any]
) -> None:
    _, rest = scope(parse(filters))
    where = wider(rest)
    if fits(rest, metadata):
        assert where is None or matches(where, metadata)


def test_searching_filters_before_it_counts(shelves: Both) -> None:
    ours = shelves.ours
    for filters, wanted in (
        ({"stars": {"gte": 3}}, [3, 4]),
        ({"topic": {"icontains": "TEA"}}, [1, 2, 3]),
        ({"topic": {"contains": "tea"}}, [1, 2]),
        ({"tags": {"contains": "b"}}, [2, 3]),
        ({"topic": "*"}, [1, 2, 3, 4, 5]),
        ({"NOT": [{"topic": "*"}]}, [0, 6, 7, 8]),
        ({"stars": {"gt": 1, "lt": 3}}, [2, 5]),
        ({"created_at": {"lt": "2001-01-01"}}, []),
    ):
        found = ours.search("note", filters={"user_id": "shelf", **filters}, threshold=0)
        assert numbers(found) == wanted
        assert numbers(ours.get_all(filters={"user_id": "shelf", **filters})) == wanted
    one = ours.search(
        "note", filters={"user_id": "shelf", "topic": {"icontains": "TEA"}}, top_k=1, threshold=0
    )
    assert len(one["results"]) == 1


def test_both_generations_ask_for_the_same(ours: Memory) -> None:
    ours.add("I drink tea.", user_id="ana", run_id="r1")
    ours.add("I drink rum.", user_id="ben")
    new = ours.search("what do I drink?", filters={"user_id": "ana"}, top_k=5)
    assert new["results"]
    assert new == ours.search("what do I drink?", user_id="ana", limit=5)
    assert ours.get_all(filters={"AND": [{"user_id": "ana"}, {"run_id": "r1"}]}) == ours.get_all(
        user_id="ana", run_id="r1"
    )
    assert ours.get_all(filters={"AND": [{"user_id": "ana"}, {"user_id": "ben"}]}) == {"results": []}
    assert len(ours.get_all(filters={"user_id": {"in": ["ana", "ben"]}})["results"]) == 2
    assert len(ours.get_all(filters={"user_id": "*"})["results"]) == 2
    with pytest.raises(TypeError, match="unexpected keyword argument 'page'"):
        ours.get_all(user_id="ana", page=2)


def test_the_first_generation_lists_a_hundred(ours: Memory) -> None:
    ours.add([{"role": "user", "content": f"note {n}"} for n in range(130)], user_id="ana")
    assert len(ours.get_all(user_id="ana")["results"]) == 100
    assert len(ours.get_all(filters={"user_id": "ana"})["results"]) == 20
    assert len(ours.get_all(user_id="ana", limit=120)["results"]) == 120
    assert (
        ours.get_all(user_id="ana", limit=0) == {"results": []} == ours.search("note", user_id="ana", limit=0)
    )


def test_who_somebody_is_never_comes_from_metadata(
    ours: Memory, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    told: dict[str, Any] = {
        "user_id": "ben",
        "agent_id": "x",
        "run_id": "y",
        "actor_id": "z",
        "hash": "0",
        "data": "no",
    }
    id = ours.add("I like figs.", user_id="ana", metadata=told)["results"][0]["id"]
    ours.update(id, metadata={**told, "user_id": "ben"})
    found = ours.get(id)
    assert found is not None
    assert (found["user_id"], found["memory"], found["metadata"]) == ("ana", "I like figs.", None)
    assert store.get(str(id)).scope == Scope(user="ana")
    assert "ignoring metadata['user_id']" in caplog.text
    assert "actor_id" not in found


def test_what_is_added_is_all_in_or_not_at_all(ours: Memory, store: Store) -> None:
    with pytest.raises(ValueError, match="NUL"):
        ours.add([{"role": "user", "content": "good"}, {"role": "user", "content": "bad\0"}], user_id="ana")
    assert store.list() == []
    assert ours.add([{"role": "user", "content": "  "}, {"role": "user"}], user_id="ana") == {"results": []}
    assert ours.add("", user_id="ana") == {"results": []}


def test_pictures_leave_their_words(ours: Memory) -> None:
    picture = {"type": "image_url", "image_url": {"url": "http://x/y.png"}}
    parts = [{"type": "text", "text": "My cat"}, picture, {"type": "text", "text": "Piri"}]
    added = ours.add(
        [{"role": "user", "content": parts}, {"role": "user", "content": picture}], user_id="ana"
    )
    assert [one["memory"] for one in added["results"]] == ["My cat Piri"]


def test_a_procedure_is_one_memory_without_a_model(ours: Memory) -> None:
    said = [{"role": "user", "content": "book it"}, {"role": "assistant", "content": "booked"}]
    (added,) = ours.add(said, agent_id="clerk", memory_type="procedural_memory", prompt="Sum up.")["results"]
    assert added["memory"] == "user: book it\nassistant: booked"
    found = ours.get(added["id"])
    assert found is not None
    assert found["metadata"] == {"memory_type": "procedural_memory"}


def test_times_are_taken_that_mem0_refuses(ours: Memory) -> None:
    for told, wanted in (
        (1_700_000_000, "2023-11-14T22:13:20+00:00"),
        ("2024-05-02T10:00:00+02:00", "2024-05-02T08:00:00+00:00"),
        ("2024-05-02", "2024-05-02T00:00:00+00:00"),
        (datetime(2024, 5, 2, tzinfo=UTC), "2024-05-02T00:00:00+00:00"),
    ):
        found = ours.get(ours.add("I walk.", user_id="ana", timestamp=told)["results"][0]["id"])
        assert found is not None
        assert found["created_at"] == found["updated_at"] == wanted
    with pytest.raises(ValueError, match="zone"):
        ours.add("I walk.", user_id="ana", timestamp="2024-05-02T10:00:00")
    backfilled = ours.add("I ran.", user_id="ana", metadata={"created_at": "2020-01-01T00:00:00+00:00"})
    assert ours.store.get(str(backfilled["results"][0]["id"])).at == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_last_day_hides_and_can_be_changed(clock: FrozenClock) -> None:
    with Store(":memory:", settings=Settings(meaning="instant"), clock=clock) as store:
        ours = Memory.over(store)
        id = ours.add("I am staying in a hotel in Porto.", user_id="ana", expiration_date="2026-03-14")[
            "results"
        ][0]["id"]
        asked: dict[str, Any] = {"filters": {"user_id": "ana"}}
        assert len(ours.search("which hotel am I staying in?", **asked)["results"]) == 1
        clock.advance(days=1)
        assert (
            ours.search("which hotel am I staying in?", **asked) == ours.get_all(**asked) == {"results": []}
        )
        assert len(ours.search("which hotel am I staying in?", **asked, show_expired=True)["results"]) == 1
        assert len(ours.get_all(**asked, show_expired=True)["results"]) == 1
        assert ours.get(id) is not None
        ours.update(id, expiration_date=None)
        assert len(ours.get_all(**asked)["results"]) == 1


def test_expired_ones_do_not_use_up_the_answer(ours: Memory) -> None:
    for _ in range(300):
        ours.add("I walk in the old park.", user_id="ana", expiration_date="2020-01-01")
    ours.add("I walk in the new park.", user_id="ana")
    assert [one["memory"] for one in ours.get_all(user_id="ana", limit=1)["results"]] == [
        "I walk in the new park."
    ]
    found = ours.search("where do I walk?", user_id="ana", limit=1)
    assert [one["memory"] for one in found["results"]] == ["I walk in the new park."]


def test_deleting_keeps_the_history_and_erasing_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with Memory.from_config({"path": path, "llm": {"provider": "openai"}}) as ours:
        first, second, third = (
            ours.add(f"My code word is {word}.", user_id="ana")["results"][0]["id"]
            for word in ("figaro", "tosca", "aida")
        )
        ours.delete(first)
        ours.delete(second, erase=True)
        assert [row["event"] for row in ours.history(first)] == ["ADD", "DELETE"]
        assert ours.history(second) == []
        with pytest.raises(ValueError, match=f"Memory with id {second} not found"):
            ours.delete(second)
        ours.store.restore(str(first))
        assert [row["event"] for row in ours.history(first)] == ["ADD", "DELETE", "ADD"]
        ours.delete_all(user_id="ana", erase=True)
        assert ours.history(third) == []
    assert b"aida" not in path.read_bytes()
    with Memory.from_config({"path": str(path), "erase_on_delete": True}) as ours:
        id = ours.add("My code word is semiramide.", user_id="ana")["results"][0]["id"]
        ours.delete(id)
        assert ours.history(id) == []
        ours.add("My code word is semiramide.", user_id="ana")
        ours.reset()
        ours.reset()
        assert ours.get_all(user_id="ana") == {"results": []}
    assert b"semiramide" not in path.read_bytes()


def test_a_bounded_store_stays_bounded(store: Store) -> None:
    everybody = Memory.over(store)
    theirs = everybody.add("I drink rum.", user_id="ben")["results"][0]["id"]
    ana = Memory.over(Bounded(store, Scope(user="ana")))
    ana.add("I drink tea.")
    assert [one["memory"] for one in ana.get_all()["results"]] == ["I drink tea."]
    assert [one["memory"] for one in ana.search("what do I drink?")["results"]] == ["I drink tea."]
    assert ana.get(theirs) is None
    assert ana.history(theirs) == []
    for act in (ana.delete, lambda known: ana.update(known, "x")):
        with pytest.raises(ValueError, match="not found"):
            act(theirs)
    for act in (
        lambda: ana.get_all(user_id="ben"),
        lambda: ana.search("drink", filters={"user_id": "ben"}),
        lambda: ana.add("x", user_id="ben"),
        lambda: ana.delete_all(user_id="ben"),
    ):
        with pytest.raises(Forbidden):
            act()
    ana.delete_all()
    assert everybody.get(theirs) is not None
    assert ana.get_all() == {"results": []}
    ana.add("I drink tea.")
    ana.reset()
    assert everybody.get(theirs) is not None
    reader = Memory.over(Bounded(store, Scope(user="ben"), ["read"]))
    for act in (reader.delete_all, lambda: reader.delete(theirs), reader.reset):
        with pytest.raises(Forbidden):
            act()


def test_coroutines_do_the_same(store: Store) -> None:
    async def run() -> None:
        memory = await AsyncMemory.over(store)
        await asyncio.gather(*(memory.add(f"I own boat {n}.", user_id="ana", llm=None) for n in range(20)))
        every = await memory.get_all(filters={"user_id": "ana"}, top_k=50)
        assert {str(row["memory"]) for row in every["results"]} == {f"I own boat {n}." for n in range(20)}
        id = every["results"][0]["id"]
        assert (await memory.search("which boat do I own?", user_id="ana"))["results"]
        await memory.update(id, "I own a raft.")
        found = await memory.get(id)
        assert found is not None
        assert found["memory"] == "I own a raft."
        assert (await memory.delete(id)) == {"message": "Memory deleted successfully!"}
        assert [row["event"] for row in await memory.history(id)] == ["ADD", "UPDATE", "DELETE"]
        await memory.delete_all(user_id="ana")
        await memory.reset()
        with pytest.raises(NotImplementedError):
            await memory.chat("hello")
        memory.close()

    asyncio.run(run())


def test_an_async_memory_is_configured_with_and_without_waiting(tmp_path: Path) -> None:
    async def run() -> None:
        async with await AsyncMemory.from_config({"path": tmp_path / "m.db"}) as memory:
            await memory.add("I walk.", user_id="ana")
        async with AsyncMemory({"path": tmp_path / "m.db"}) as memory:
            assert len((await memory.get_all(user_id="ana"))["results"]) == 1

    asyncio.run(run())


WRITER = """
import sys
from simonides.compat.mem0 import Memory
with Memory.from_config({"path": sys.argv[1]}) as memory:
    for n in range(20):
        memory.update(sys.argv[2], metadata={f"{sys.argv[3]}{n}": n})
"""


def test_no_change_of_two_processes_is_lost(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    with Memory.from_config({"path": path}) as memory:
        id = str(memory.add("I walk.", user_id="ana")["results"][0]["id"])
        running = [subprocess.Popen([sys.executable, "-c", WRITER, path, id, name]) for name in "ab"]
        assert [one.wait(60) for one in running] == [0, 0]
        found = memory.get(id)
        assert found is not None
        assert found["metadata"] == {f"{name}{n}": n for name in "ab" for n in range(20)}


def test_nothing_but_simonides_is_needed() -> None:
    code = """
import sys
import simonides.compat.mem0
print([name for name in ('mem0', 'openai', 'pydantic', 'qdrant_client') if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_config_object_is_taken_and_not_used(
    mem0: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = mem0.configs.base.MemoryConfig()
    with Memory(config) as memory:
        assert str(memory.store.path).startswith(str(tmp_path))
    with pytest.raises(ValueError, match="must be a path"):
        Memory.from_config({"path": 7})
