"""The reader answers with a span of the evidence, dates counted from when it was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.bench.answers import exact, token_f1, wilson
from simonides.clock import Span
from simonides.errors import InputError
from simonides.parts.reader import Answer, answer, wanted
from simonides.types import Hit, Memory, Scope

SAID = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
LATER = SAID + timedelta(days=60)


def hit(text: str, speaker: str = "Ana", number: int = 1, at: datetime = SAID) -> Hit:
    return Hit(Memory(f"{number:032x}", "turn", text, Scope(), Span(at), Span(at), speaker=speaker), 0.9, {})


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When did Ana go?", "date"), ("In which year did she move?", "date"), ("How long did it take?", "duration"),
        ("How many cats has Ana?", "number"), ("How old is Ana?", "number"), ("Where does Ana live?", "place"),
        ("Which city did she visit?", "place"), ("Who came?", "name"), ("Did Ana come?", "yes or no"),
        ("What did Ana paint?", "text"), ("Which song does she like?", "text"),
    ],
)  # fmt: skip
def test_the_first_words_say_what_is_wanted(question: str, kind: str) -> None:
    assert wanted(question) == kind


@pytest.mark.parametrize(
    ("said", "question", "expected"),
    [
        ("I went to the support group yesterday.", "When did Ana go to the support group?", "7 May 2023"),
        ("We moved last year.", "When did Ana move?", "2022"),
        ("We moved last year.", "In which year did Ana move?", "2022"),
        ("I finished the course on 3 March 2023.", "When did Ana finish the course?", "3 March 2023"),
        ("I ran the race last Sunday.", "When did Ana run the race?", "The sunday before 8 May 2023"),
        ("I saw the band last week.", "When did Ana see the band?", "The week before 8 May 2023"),
        ("I have 3 cats.", "How many cats does Ana have?", "3"),
        ("I live in Lisbon now.", "Where does Ana live?", "Lisbon"),
        ("My dog is called Max.", "What is Ana's dog called?", "Max"),
        ("Oh nice. I painted a sunrise over a lake!", "What did Ana paint?", "sunrise over a lake"),
        ("I never eat fish.", "Does Ana eat fish?", "No"),
    ],
)  # fmt: skip
def test_answers_are_read_and_dates_counted_from_when_it_was_said(
    said: str, question: str, expected: str
) -> None:
    assert answer(question, [hit(said)], LATER).text == expected


def test_the_answer_says_where_it_stands() -> None:
    told = hit("Hello. My dog is called Max, by the way.")
    found = answer("What is Ana's dog called?", [hit("The weather is dull.", "Ben", 2), told], LATER)
    assert (found.text, found.memory) == ("Max", told.memory.id)
    assert told.memory.text[slice(*found.span)].startswith("Max")
    assert 0 < found.score <= 1


def test_no_evidence_is_no_answer_and_the_future_is_left_out() -> None:
    assert answer("Where does Ana live?", [], LATER) == Answer(wanted="place")
    assert (
        answer("Where does Ana live?", [hit("I live in Lisbon.", at=LATER + timedelta(days=1))], LATER).text
        == ""
    )


WORDS = st.lists(
    st.sampled_from(
        "Ana Ben moved to Lisbon in March 3 cats, the. I never likes? paint \u00e9t\u00e9".split()
    ),
    max_size=25,
)


@given(
    WORDS, st.sampled_from(["What did Ana like?", "How many cats?", "Where is Ben?", "Who moved?", "Why?"])
)
def test_what_is_read_stands_in_what_was_said(words: list[str], question: str) -> None:
    told = hit(" ".join(words))
    found = answer(question, [told], LATER)
    if found.text and not found.dated and found.wanted != "yes or no" and found.text != told.memory.speaker:
        start, end = found.span
        assert 0 <= start <= end <= len(told.memory.text)
        assert found.text in told.memory.text


@pytest.mark.parametrize(
    ("said", "gold", "f1", "same"),
    [
        ("the red boat", "A red boat!", 1.0, 1.0),
        ("red boat", "boat", 2 / 3, 0.0),
        ("7 May 2023", "8 May 2023", 2 / 3, 0.0),
        ("", "boat", 0.0, 0.0),
        ("", "the", 1.0, 1.0),
        ("boat boat", "boat", 2 / 3, 0.0),
    ],
)  # fmt: skip
def test_token_f1_and_exact_match_by_hand(said: str, gold: str, f1: float, same: float) -> None:
    assert token_f1(said, gold) == pytest.approx(f1)
    assert token_f1(gold, said) == pytest.approx(f1)
    assert exact(said, gold) == same


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (0, 0, 0.0, 1.0)],
)  # fmt: skip
def test_the_interval_of_wilson_by_hand(right: int, asked: int, low: float, high: float) -> None:
    assert wilson(right, asked) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_the_share(one: int, other: int) -> None:
    right, asked = sorted((one, other))
    low, high = wilson(right, asked)
    assert 0 <= low <= high <= 1
    assert not asked or low - 1e-9 <= right / asked <= high + 1e-9
    with pytest.raises(InputError):
        wilson(asked + 1, asked)
