"""ConvoMem reads all while that is possible; its made-up cases are solved with all their evidence, not with less."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from simonides import Memory, Settings
from simonides.errors import InputError
from simonides.parts.escalate import Climb, tracing
from simonides.parts.planted import CATEGORIES, MOST, SIZES, Category, case, proven, score, solve
from simonides.recipes.composition import chosen
from simonides.recipes.convomem import ConvoMem

QUIET = Settings(meaning="instant", synchronous="normal", background=False)


@pytest.mark.parametrize("category", get_args(Category))
def test_every_case_is_proven(category: Category) -> None:
    for pieces in range(1, MOST + 1):
        for size in SIZES:
            made = case(category, pieces, size, seed=pieces)
            assert len(made.evidence) == pieces
            assert len({one.conversation for one in made.messages}) == size
            assert (made.answer is None) == (category == "abstention")
            assert proven(made)
    assert case(category, 3, 30, 5) == case(category, 3, 30, 5)
    assert case(category, 3, 30, 5) != case(category, 3, 30, 6)


def test_a_case_that_needs_less_is_not_proven() -> None:
    made = case("user facts", 2, 2)
    twice = (*made.messages, made.messages[made.evidence[0]])
    doubled = type(made)(made.category, made.question, made.slots, made.answer, twice, made.evidence)
    assert not proven(doubled)


def test_only_the_latest_value_of_a_changing_fact_is_right() -> None:
    made = case("changing facts", 4, 30, 2)
    assert made.answer is not None
    assert len(made.stale) == 3
    assert solve(made, made.messages) == made.answer
    assert score(made, f"{made.answer[0]} euros a month").right
    assert not score(made, made.stale[-1]).right
    assert not score(made, f"{made.stale[0]}, now {made.answer[0]}").right


def test_an_abstention_punishes_guessing() -> None:
    made = case("abstention", 2, 30, 2)
    guess = next(one.piece.value for one in made.messages if one.piece is not None)
    assert score(made, "").right
    assert not score(made, guess).right
    assert score(made, "", made.evidence[:1]).recall == 0.5


def test_what_can_not_be_made_is_refused() -> None:
    for pieces, size, messages in ((0, 2, 10), (7, 2, 10), (1, 0, 10), (6, 2, 6)):
        with pytest.raises(InputError):
            case("user facts", pieces, size, messages=messages)
    assert len(CATEGORIES) == 6


def asked(size: int, **constants: int) -> Climb:
    made = case("user facts", 1, size, 1, messages=2)
    recipe = ConvoMem(**constants)
    with Memory(":memory:", recipe=recipe, settings=QUIET) as memory, tracing() as seen:
        memory.add_many(
            {"text": one.text, "speaker": one.speaker, "at": one.at, "session": str(one.conversation)}
            for one in made.messages
        )
        memory.search(made.question, now=made.messages[-1].at + timedelta(days=1))
        found = {hit.memory.text for hit in seen[0].attempt.hits}
        assert {made.messages[place].text for place in made.evidence} <= found
    return seen[0]


@pytest.mark.parametrize(
    ("size", "budget", "rung"),
    [
        (20, None, "full"), (100, None, "budgeted"), (300, None, "hybrid"), (100, 5_000, "budgeted"),
        (100, 500, "hybrid"), (20, 50, "hybrid"),
    ],
)  # fmt: skip
def test_the_size_and_the_budget_choose_how_it_is_read(size: int, budget: int | None, rung: str) -> None:
    climb = asked(size) if budget is None else asked(size, budget=budget)
    assert climb.rung == rung
    assert climb.scanned == 2 * size if rung != "hybrid" else climb.scanned < 2 * size


def test_a_hybrid_reads_whole_blocks_within_its_budget() -> None:
    climb = asked(300, blocks=3)
    assert climb.scanned in (20, 40, 60)
    assert asked(300, blocks=1).scanned == 20


def test_nothing_relevant_is_nothing() -> None:
    with Memory(":memory:", recipe="convomem", settings=QUIET) as memory:
        assert memory.search("Who painted the aqueduct?") == []
        memory.add("The soup needed more salt.", session="1")
        assert memory.search("Who painted the aqueduct of Segovia?") == []
        assert (
            memory.search("Was there enough salt in the soup?")[0].memory.text == "The soup needed more salt."
        )
        assert memory.search("salt", kinds=["turn"], gate=False)[0].memory.kind == "turn"


def test_it_says_where_it_comes_from() -> None:
    recipe = chosen("convomem")
    assert isinstance(recipe, ConvoMem)
    assert (recipe.full, recipe.budgeted, recipe.block) == (30, 150, 10)
    assert recipe.derives == ()
    assert "2511.10523" in recipe.link
