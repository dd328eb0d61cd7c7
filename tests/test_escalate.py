"""A ladder goes up when a gate refuses, says why, and stays within its budget; each axis fires on a case of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.clock import Span
from simonides.parts import deliberate, escalate
from simonides.parts.escalate import (
    AXES,
    Attempt,
    Ladder,
    Refusal,
    Rung,
    Verdict,
    quality,
    size_gate,
    tracing,
)
from simonides.parts.reader import Answer
from simonides.types import Hit, Json, Memory, Scope

NOW = datetime(2024, 5, 8, 12, tzinfo=UTC)


def fact(
    text: str,
    number: int = 0,
    *,
    speaker: str = "Ana",
    attributes: Mapping[str, Json] | None = None,
    at: datetime = NOW - timedelta(days=7),
) -> Memory:
    return Memory(
        f"{number:032x}",
        "fact",
        text,
        Scope(),
        Span(at),
        Span(at),
        speaker=speaker,
        attributes=attributes or {},
    )


def attempt(*facts: Memory, score: float = 0.9, answer: str = "", dated: bool = False) -> Attempt:
    return Attempt(tuple(Hit(one, score, {}) for one in facts), Answer(answer, dated=dated))


def fired(question: str, made: Attempt) -> list[str]:
    verdicts = [gate.judge(question, made) for gate in quality(NOW)]
    assert all(one.reason for one in verdicts)
    return [one.gate for one in verdicts if not one.passed]


GOOD = fact("Ana lives in Lisbon.")


def test_a_good_answer_passes_all_three_axes() -> None:
    assert [
        gate.judge("Where does Ana live?", attempt(GOOD, answer="Lisbon")).gate for gate in quality(NOW)
    ] == [*AXES]
    assert fired("Where does Ana live?", attempt(GOOD, answer="Lisbon")) == []


@pytest.mark.parametrize(
    ("axis", "question", "made"),
    [
        ("relevance", "Where does Ana live?", attempt(GOOD, score=0.1, answer="Lisbon")),
        ("faithfulness", "Where does Ana live?", attempt(GOOD, answer="Porto")),
        ("faithfulness", "How many cats does Ana have?", attempt(fact("Ana has 2 cats."), answer="3")),
        ("completeness", "Where does Ben live?", attempt(GOOD, answer="Lisbon")),
        ("completeness", "How many cats does Ana have?", attempt(fact("Ana has some cats."), answer="some")),
        ("completeness", "Where did Ana live in March 2021?", attempt(GOOD, answer="Lisbon")),
        ("completeness", "Which violin teacher taught Ana harmony?", attempt(GOOD, answer="Lisbon")),
    ],
)  # fmt: skip
def test_each_axis_fires_alone_on_a_case_built_for_it(axis: str, question: str, made: Attempt) -> None:
    assert fired(question, made) == [axis]


def test_two_values_of_one_slot_are_not_faithful() -> None:
    def home(value: str, number: int) -> Memory:
        says = {"subject": "Ana", "attribute": "home", "value": value, "single": True}
        return fact(f"Ana lives in {value}.", number, attributes=says)

    assert fired("Where does Ana live?", attempt(home("Lisbon", 1), home("Porto", 2), answer="Lisbon")) == [
        "faithfulness"
    ]
    assert fired("Where does Ana live?", attempt(home("Lisbon", 1), home("Lisbon", 2), answer="Lisbon")) == []


def test_a_resolved_date_need_not_stand_in_the_fact() -> None:
    told = fact("Ana went to the fair yesterday.")
    assert fired("When did Ana go to the fair?", attempt(told, answer="30 April 2024", dated=True)) == []


class Refusing:
    def __init__(self, name: str) -> None:
        self.name = name

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        return Verdict(self.name, False, "never good enough")


def climbing(refusals: int, gates: int, budget: int | None = None) -> Ladder:
    first = Rung("fast", lambda: attempt(GOOD), 10, tuple(Refusing(f"g{n}") for n in range(gates)), refusals)
    return Ladder((first, Rung("full", lambda: Attempt(scanned=60, tokens=900), 900)), budget)


def test_a_ladder_goes_up_when_enough_gates_refuse_and_keeps_the_record() -> None:
    with tracing() as seen:
        up = climbing(1, 1).climb("q")
        stays = climbing(2, 1).climb("q")
    assert seen == [up, stays]
    assert (up.rung, up.escalated, up.fired, up.scanned) == ("full", True, ("g0",), 60)
    assert (stays.rung, stays.escalated, stays.fired, stays.scanned) == ("fast", False, ("g0",), 0)
    climbing(1, 1).climb("q")
    assert len(seen) == 2


def test_a_budget_skips_the_rung_that_does_not_fit() -> None:
    short = climbing(1, 1, 500).climb("q")
    assert (short.rung, short.attempt.hits[0].memory) == ("fast", GOOD)
    assert short.steps[-1].skipped
    assert "900" in short.steps[-1].verdicts[0].reason
    assert climbing(1, 1, 910).climb("q").rung == "full"
    assert climbing(1, 1, 0).climb("q").rung == ""


def test_nothing_is_refused() -> None:
    assert not Refusal().judge("q", Attempt()).passed
    assert Refusal().judge("q", attempt(GOOD)).passed


@pytest.mark.parametrize(
    ("conversations", "tokens", "budget", "size"),
    [
        (20, 10_000, None, "full"), (30, 10_000, None, "full"), (31, 10_000, None, "budgeted"),
        (100, 50_000, 60_000, "budgeted"), (100, 50_000, 40_000, "hybrid"), (150, 1, 1, "budgeted"),
        (151, 1, None, "hybrid"), (300, 1, None, "hybrid"), (20, 10_000, 9_999, "hybrid"),
    ],
)  # fmt: skip
def test_the_size_gate_reads_all_while_that_is_affordable(
    conversations: int, tokens: int, budget: int | None, size: str
) -> None:
    assert size_gate(conversations, tokens, budget) == size


@given(st.integers(0, 400), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_more_budget_never_reads_less(conversations: int, tokens: int, one: int, other: int) -> None:
    order = ("hybrid", "budgeted", "full")
    less, more = sorted((one, other))
    low, high = (order.index(size_gate(conversations, tokens, budget)) for budget in (less, more))
    assert low <= high <= order.index(size_gate(conversations, tokens, None))


@given(st.lists(st.integers(), max_size=200), st.integers(1, 70))
def test_chunks_are_the_whole_log_in_order(items: list[int], size: int) -> None:
    parts = [list(part) for part in deliberate.chunks(items, size)]
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= size for part in parts)


def test_reading_gives_points_from_0_to_10_and_the_sentence() -> None:
    told = [fact(f"Filler number {number}.", number, speaker="Ben") for number in range(70)]
    told[65] = fact("Hello there. The ferry to Split leaves at noon.", 65, speaker="Ben")
    found = deliberate.Log(told).read("When does the ferry to Split leave?", size=60)
    best = max(found, key=lambda one: one.points)
    assert (best.memory, best.points, best.chunk) == (told[65], 10, 1)
    assert best.memory.text[slice(*best.span)] == "The ferry to Split leaves at noon."
    (hit,) = deliberate.hits(found, 5, 5.0)
    assert (hit.memory, hit.score) == (told[65], 1.0)
    assert deliberate.hits(deliberate.Log(told).read("Who painted the aqueduct?"), 5, 5.0) == []


def test_a_turn_that_answers_has_the_words_of_the_question_before_it() -> None:
    told = [fact("Which harbour do you sail from?", 1, speaker="Ben"), fact("Split.", 2)]
    scores = {
        one.memory.id: one.points for one in deliberate.Log(told).read("Which harbour does Ana sail from?")
    }
    assert scores[told[1].id] > 0


def test_a_chance_of_the_search_counts_where_it_is_more() -> None:
    told = [fact("Something else.", 1)]
    assert deliberate.Log(told).read("Who sings?", chance={told[0].id: 0.7})[0].points == pytest.approx(7)
    assert Answer() == escalate.NOTHING
