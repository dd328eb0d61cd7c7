"""Mem0 three ways: the right operation, every state still there, old edges ended and found by "used to", the sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from simonides import Memory, Settings
from simonides.clock import Span
from simonides.parts import fusing, pool_scores
from simonides.recipes.composition import chosen
from simonides.recipes.mem0 import Mem0
from simonides.recipes.mem0_additive import Mem0Additive
from simonides.recipes.mem0_graph import asked_slot
from simonides.types import Hit, Scope
from simonides.types import Memory as Version

QUIET = Settings(meaning="instant", synchronous="normal", background=False)
BEGIN = datetime(2024, 3, 1, 9, tzinfo=UTC)
NAMES = ("mem0", "mem0-graph", "mem0-additive")


def told(name: str, *texts: str, speaker: str = "Ana") -> Memory:
    memory = Memory(":memory:", recipe=name, settings=QUIET)
    for day, text in enumerate(texts):
        memory.add(text, speaker=speaker, user="ana", session="s", at=BEGIN + timedelta(days=day))
    assert memory.ledger.jobs.find(kind=f"digest.{name}") == []
    return memory


def facts(memory: Memory, name: str = "mem0", as_of: datetime | None = None) -> list[str]:
    return sorted(one.text for one in memory.list(kinds=[f"{name}.fact"], limit=1000, as_of=as_of))


OPERATIONS = [
    ("ADD", "I live in Berlin.", "I play the violin."),
    ("ADD", "My dog is called Max.", "My cat is called Coco."),
    ("ADD", "I like jazz.", "I like chess."),
    ("NOOP", "I live in Berlin.", "I live in Berlin!"),
    ("NOOP", "My dog is called Max.", "my dog is called Max"),
    ("NOOP", "I work at Kestrel.", "I'm working at Kestrel."),
    ("UPDATE", "I live in Berlin.", "I moved to Lisbon."),
    ("UPDATE", "I work at Kestrel.", "I joined Halyard."),
    ("UPDATE", "My favourite colour is green.", "My favourite colour is blue."),
    ("DELETE", "I work at Kestrel.", "I no longer work at Kestrel."),
    ("DELETE", "I like jazz.", "I don't like jazz anymore."),
    ("DELETE", "I am vegetarian.", "I am not vegetarian anymore."),
]


@pytest.mark.parametrize(("operation", "first", "then"), OPERATIONS)
def test_each_operation_is_chosen(operation: str, first: str, then: str) -> None:
    with told("mem0", first, then) as memory:
        (old,) = told("mem0", first).list(kinds=["mem0.fact"])
        now, kept = facts(memory), old.text in facts(memory)
        match operation:
            case "ADD":
                assert (kept, len(now)) == (True, 2)
            case "NOOP":
                assert now == [old.text]
            case "UPDATE":
                assert (kept, len(now)) == (False, 1)
            case _:
                assert not kept


def test_every_state_can_be_read_again_and_no_turn_is_lost() -> None:
    texts = (
        "I live in Berlin.",
        "I work at Kestrel.",
        "I moved to Lisbon.",
        "I no longer work at Kestrel.",
        "I moved to Oslo.",
    )
    states: list[list[str]] = []
    for count in range(1, len(texts) + 1):
        with told("mem0", *texts[:count]) as memory:
            states.append(facts(memory))
    with told("mem0", *texts) as memory:
        for day, state in enumerate(states):
            assert facts(memory, as_of=BEGIN + timedelta(days=day, hours=1)) == state
        assert [one.text for one in memory.list()] == [*texts]
        assert all(len(memory.history(one.id)) == 1 for one in memory.list())
        for one in memory.list(kinds=["mem0.fact"], limit=100):
            assert one.source is not None
            assert one.source.span is not None
            assert memory.get(one.source.memory).text[slice(*one.source.span)] in texts
        assert memory.verify().problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_deriving_again_changes_nothing(name: str) -> None:
    texts = ("I live in Berlin. My dog is called Max.", "I moved to Lisbon.", "I no longer like chess.")
    with told(name, *texts) as memory:
        before = memory.log(limit=1000)
        with memory.ledger.database.writing() as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (f"digested.{name}",))
        memory.digest()
        assert memory.log(limit=1000) == before


def test_two_facts_of_one_turn_know_of_each_other() -> None:
    with told("mem0", "I live in Berlin. I work at Kestrel. I moved to Lisbon.") as memory:
        assert "Ana lives in Berlin." not in facts(memory)
        assert len(facts(memory)) == 2


def test_another_user_is_no_neighbour() -> None:
    with told("mem0", "I live in Berlin.") as memory:
        memory.add("I moved to Lisbon.", speaker="Ana", user="other", at=BEGIN + timedelta(days=1))
        assert facts(memory) == ["Ana lives in Berlin.", "Ana moved to Lisbon."]


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_is_named_with_or_without_the_recipe(name: str) -> None:
    with told(name, "My dog is called Max.", "I like chess.") as memory:
        for kinds in (["fact"], [f"{name}.fact"]):
            (first, *_) = memory.search("What is Ana's dog called?", kinds=kinds, gate=False)
            assert (first.memory.kind, first.memory.text) == (f"{name}.fact", "Ana's dog is called Max.")
        assert memory.search("What is Ana's dog called?", kinds=["turn"], gate=False)[0].memory.kind == "turn"


@pytest.mark.parametrize("name", NAMES)
def test_questions_greetings_and_recalled_text_become_no_facts(name: str) -> None:
    with told(name, "Hello!", "Where do I live?", "Thanks a lot.", "What if I lived in Rome?") as memory:
        assert facts(memory, name) == []


def test_the_graph_ends_the_old_edge_and_still_answers_used_to() -> None:
    with told(
        "mem0-graph", "I live in Berlin.", "My dog is called Max.", "I moved to Lisbon.", "I like chess."
    ) as memory:
        ids = {one.text: one.id for one in memory.list(kinds=["mem0-graph.entity"], limit=100)}
        assert {"Ana", "Berlin", "Lisbon"} <= ids.keys()
        before, now = (
            {(link.target, link.relation) for link in memory.links(ids["Ana"], as_of=when)}
            for when in (BEGIN + timedelta(hours=1), None)
        )
        assert (ids["Berlin"], "home") in before
        assert (ids["Berlin"], "home") not in now
        assert (ids["Lisbon"], "home") in now
        for question in (
            "Where did Ana use to live?",
            "Where did Ana live before?",
            "Where did Ana previously live?",
        ):
            assert memory.search(question)[0].memory.text == "Ana lives in Berlin."
        assert memory.search("Where does Ana live?")[0].memory.text == "Ana moved to Lisbon."
        assert all(hit.memory.valid.end is None for hit in memory.search("Where does Ana live?"))
        assert memory.search("Who painted the aqueduct of Segovia?") == []


def test_a_name_is_one_entity_however_often_it_is_said() -> None:
    with told("mem0-graph", "I live in Berlin.", "I like chess.", "I work at Kestrel.") as memory:
        names = [one.text for one in memory.list(kinds=["mem0-graph.entity"], limit=100)]
        assert names.count("Ana") == 1


@pytest.mark.parametrize(
    ("question", "slot"),
    [
        ("Where does Ana live?", ("ana", "home")),
        ("Where did Ana use to live?", ("ana", "home")),
        ("Where does Ben work now?", ("ben", "employer")),
        ("What did Ana eat?", None),
        ("Tell me about Ana.", None),
    ],
)
def test_the_slot_that_is_asked_for(question: str, slot: tuple[str, str] | None) -> None:
    assert asked_slot(question) == slot


def test_the_additive_generation_only_adds() -> None:
    texts = ("I live in Berlin.", "I moved to Lisbon.", "I no longer live in Berlin.", "I LIVE in Berlin!")
    with told("mem0-additive", *texts) as memory:
        assert len(facts(memory, "mem0-additive")) == 3
        assert {event.verb for event in memory.log(limit=100)} == {"add"}


def test_the_additive_score_by_hand() -> None:
    words = {"a": 5.0}
    (best, other) = fusing.additive_sigmoid({"a": 0.8, "b": 0.4, "c": 0.09}, words, terms=3)
    assert best.score == pytest.approx((0.8 + 0.5) / 2)  # BM25 of 5 is one half for three terms
    assert other.score == pytest.approx(0.4 / 2)
    (alone,) = fusing.additive_sigmoid({"a": 0.8}, terms=3)
    assert alone.score == pytest.approx(0.8)
    (all_three,) = fusing.additive_sigmoid({"a": 0.8}, words, {"a": 0.5}, terms=3)
    assert all_three.score == pytest.approx((0.8 + 0.5 + 0.5) / 2.5)


def test_the_boost_of_an_entity_falls_with_what_hangs_on_it() -> None:
    def hit(number: int, *names: str) -> Hit:
        kept = Version(
            f"{number:032x}",
            "mem0-additive.fact",
            "text",
            Scope(),
            Span(BEGIN),
            Span(BEGIN),
            attributes={"names": [*names]},
        )
        return Hit(kept, 0.5, {})

    hits = {str(number): hit(number, "Ana") for number in range(11)} | {"rare": hit(99, "Lisbon")}
    boosts = Mem0Additive().boosts("Did Ana like Lisbon?", hits)
    assert boosts["rare"] == pytest.approx(0.5)
    assert boosts["0"] == pytest.approx(0.5 / (1 + 0.001 * 10**2))
    assert Mem0Additive().boosts("did anybody sing?", hits) == {}


def test_the_additive_search_scores_as_its_parts_say() -> None:
    with told("mem0-additive", "I live in Berlin.", "My dog is called Max.", "I like chess.") as memory:
        (first, *_) = memory.search("What is Ana's dog called?", gate=False)
        assert first.memory.text == "Ana's dog is called Max."
        assert first.score == pytest.approx(sum(first.shares.values()))
        assert {"semantic", "words"} <= first.shares.keys()
        assert 0 < first.score <= 1


def test_bm25_over_a_pool_by_hand() -> None:
    found = pool_scores.bm25("red boat", {"a": "red boat", "b": "green tent", "c": "red car"})
    # two of three hold "red", one "boat"; all have the average length, so that tf is 1
    assert found["a"] == pytest.approx(0.470004 + 0.980829, abs=1e-5)
    assert found["c"] == pytest.approx(0.470004, abs=1e-5)
    assert "b" not in found
    likeness = pool_scores.likeness(
        "red boat", {"same": "red boat", "near": "a crimson ship", "far": "tax law"}
    )
    assert likeness["same"] == pytest.approx(1.0)
    assert likeness["same"] > likeness["near"] > likeness["far"]


def test_each_says_where_it_comes_from() -> None:
    for name in NAMES:
        recipe = chosen(name)
        assert isinstance(recipe, Mem0)
        assert recipe.name == name
        assert all((recipe.paper, recipe.year, recipe.link, recipe.differs))
        assert recipe.constants()["neighbours"] == 10
