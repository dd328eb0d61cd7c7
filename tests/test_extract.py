"""Facts are read from what was said: cut, told in the third person, read into slots, and each cites its span."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from simonides.bench.extraction import junk
from simonides.doors.cli import cli
from simonides.parts.extract import Extractor, Fact, Rules, Told, kind_of, modality_of, names
from simonides.parts.person import USER, inflected, third
from simonides.parts.spans import LONGEST, sentences
from simonides.parts.statements import plain, same_value, statement

CHINESE = "\u6211\u5728\u91cc\u65af\u672c\u3002\u4f60\u5462\uff1f"
AT = datetime(2026, 5, 2, 9, tzinfo=UTC)


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Hi there. How are you? Fine!", ["Hi there.", "How are you?", "Fine!"]),
        (
            "I saw Dr. Smith at 3 p.m. on Elm St. today. Good.",
            ["I saw Dr. Smith at 3 p.m. on Elm St. today.", "Good."],
        ),
        ("It costs 1.5 kg, e.g. for J. Doe.", ["It costs 1.5 kg, e.g. for J. Doe."]),
        ("- First one\n2) second\n# Title\n> quoted", ["First one", "second", "Title", "quoted"]),
        ("Look:\n```py\nx = 1. y\n```\nDone.", ["Look:", "Done."]),
        ('He said "Stop!" and left. Then?', ['He said "Stop!"', "and left.", "Then?"]),
        (CHINESE, [CHINESE[:6], CHINESE[6:]]),
        ("", []),
        ("   \n \n", []),
    ],
)
def test_a_text_is_cut_into_sentences(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


@given(st.text(max_size=2000))
def test_spans_are_in_order_apart_and_without_space_around(text: str) -> None:
    last = 0
    for start, end in sentences(text):
        assert last <= start < end <= len(text)
        assert text[start:end].strip() == text[start:end]
        assert end - start <= LONGEST
        last = end


def test_a_text_without_an_end_is_cut_and_keeps_its_words() -> None:
    text = " ".join(f"word{i}" for i in range(500))
    assert " ".join(cut(text)) == text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I moved from Berlin to Lisbon.", "Ana moved from Berlin to Lisbon."),
        (
            "I'm allergic to peanuts and my sister isn't.",
            "Ana is allergic to peanuts and their sister isn't.",
        ),
        ("I have two cats and I don't eat meat.", "Ana has two cats and Ana doesn't eat meat."),
        ("My favourite colour is green.", "Ana's favourite colour is green."),
        ("I still work at Siemens.", "Ana still works at Siemens."),
        ("I no longer live in Berlin.", "Ana no longer lives in Berlin."),
        ("I carry a bag and I watch films.", "Ana carries a bag and Ana watches films."),
        ("I've been there; I'd go again, I'll see.", "Ana has been there; Ana would go again, Ana will see."),
        ("We're buying a house with our friends.", "Ana and others are buying a house with their friends."),
        ("You told me that your dog is sick.", "Ben told Ana that their dog is sick."),
        ("I love you.", "Ana loves Ben."),
        ("She gave me my first guitar.", "She gave Ana their first guitar."),
        ('I said "I am here" to my boss.', 'Ana said "I am here" to Ana\'s boss.'),
        ("The train leaves at seven.", "The train leaves at seven."),
        ("it is mine", "It is Ana's"),
    ],
)
def test_the_first_person_becomes_the_third(said: str, told: str) -> None:
    assert third(said, "Ana", "Ben") == told


def test_who_has_no_name_is_the_user_and_you_may_stay() -> None:
    assert third("I think you like my dog.", USER) == "The user thinks you like their dog."


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("go", "goes"),
        ("try", "tries"),
        ("play", "plays"),
        ("went", "went"),
        ("lived", "lived"),
        ("can", "can"),
        ("am", "is"),
        ("haven't", "haven't"),
        ("miss", "misses"),
        ("don't", "doesn't"),
    ],
)
def test_verbs_are_inflected(verb: str, told: str) -> None:
    assert inflected(verb) == ("hasn't" if verb == "haven't" else told)


@given(st.text(max_size=300), st.sampled_from(["Ana", "Chris", USER, "Jo\u00e3o"]))
def test_telling_in_the_third_person_never_fails_and_leaves_no_i(text: str, speaker: str) -> None:
    told = third(text, speaker, "Ben")
    assert isinstance(told, str)
    assert " I'm " not in f" {told.replace(chr(8217), chr(39))} " or '"' in text or "\u201c" in text


@pytest.mark.parametrize(
    ("sentence", "subject", "attribute", "value", "single", "negated"),
    [
        ("Ana moved from Berlin to Lisbon last week.", "Ana", "home", "Lisbon", True, False),
        ("Ana no longer lives in Berlin.", "Ana", "home", "Berlin", True, True),
        ("Ana used to work at Google.", "Ana", "employer", "Google", True, True),
        ("Ana works at Siemens as an engineer", "Ana", "employer", "Siemens", True, False),
        ("Ana is allergic to peanuts.", "Ana", "allergy", "peanuts", False, False),
        ("Ana hates olives", "Ana", "likes", "olives", False, True),
        ("Ana doesn't like olives", "Ana", "likes", "olives", False, True),
        ("Ana's favourite colour is green.", "Ana", "favourite colour", "green", True, False),
        ("Ana's sister's name is Clara.", "Ana's sister", "name", "Clara", True, False),
        ("Ana's email is ana@x.org.", "Ana", "email", "ana@x.org", True, False),
        ("The budget of the shop is $20 a month", "the shop", "budget", "$20 a month", True, False),
        ("The deadline is Friday.", "", "deadline", "Friday", True, False),
        ("Ana turned 30 yesterday", "Ana", "age", "30", True, False),
        ("Ana has two cats.", "Ana", "has", "two cats", False, False),
        ("Ana wants to learn Rust.", "Ana", "goal", "learn Rust", False, False),
        ("Ana is a vegetarian now.", "Ana", "diet", "vegetarian", True, False),
        (
            "The harbour project stores its data in PostgreSQL.",
            "The harbour project",
            "uses",
            "PostgreSQL",
            False,
            False,
        ),
    ],
)
def test_a_statement_is_read(
    sentence: str, subject: str, attribute: str, value: str, single: bool, negated: bool
) -> None:
    found = statement(sentence)
    assert found is not None
    assert (found.subject, found.attribute, found.value) == (subject, attribute, value)
    assert (found.single, found.negated) == (single, negated)


@pytest.mark.parametrize(
    "sentence", ["It is nice.", "Ana is happy to hear that!", "Where does Ana live?", "", "Yes."]
)
def test_what_states_nothing_of_a_named_subject_is_left_out(sentence: str) -> None:
    assert statement(sentence) is None


@given(st.text(max_size=700))
def test_reading_statements_never_fails(text: str) -> None:
    found = statement(text)
    assert found is None or found.attribute


def test_values_are_compared_by_what_they_name() -> None:
    assert plain("The Harbour's  Project!") == "harbour project"
    assert same_value("a puppy named Rex", "the puppies named Rex")
    assert same_value("Lisbon", "Lisbon, Portugal")
    assert not same_value("Lisbon", "Berlin")


def told(text: str, speaker: str = "Ana") -> Told:
    return Told(text, AT, speaker, "assistant", "0" * 32)


def test_facts_cite_the_span_they_were_read_from() -> None:
    text = (
        "Hello! I moved to Lisbon yesterday. Could you help me? If I win I might buy a boat. I have two cats."
    )
    facts = Rules().extract(told(text))
    assert [fact.text for fact in facts] == ["Ana moved to Lisbon yesterday.", "Ana has two cats."]
    assert [text[slice(*fact.span)] for fact in facts] == ["I moved to Lisbon yesterday.", "I have two cats."]
    assert facts[0].when is not None
    assert facts[0].when.start == datetime(2026, 5, 1, tzinfo=UTC)
    assert facts[0].attributes()["value"] == "Lisbon"


def test_questions_and_suppositions_come_when_asked_for() -> None:
    text = "Where does Ben live? I might move to Porto."
    assert Rules().extract(told(text)) == []
    both = Rules(asked=True, supposed=True).extract(told(text))
    assert [fact.modality for fact in both] == ["hypothetical"] or "asked" in {fact.modality for fact in both}


def test_what_the_machine_says_is_marked_as_its_own() -> None:
    facts = Rules().extract(told("The library opens at 9 on Mondays in Lisbon.", "assistant"))
    assert {fact.modality for fact in facts} == {"agent"}
    assert Rules(agent=False).extract(told("The library opens at 9 in Lisbon.", "assistant")) == []


def test_recalled_text_is_no_evidence() -> None:
    recalled = "<memories>\n- [2026-01-01] Ana: I live in Berlin. [0a1b2c3d]\n</memories>\nI live in Lisbon."
    assert [fact.text for fact in Rules().extract(told(recalled))] == ["Ana lives in Lisbon."]


def test_what_is_to_be_remembered_is() -> None:
    (fact,) = Rules().extract(told("Please remember that my bike lock is at 4711."))
    assert "4711" in fact.text


@pytest.mark.parametrize(
    ("sentence", "speaker", "modality"),
    [
        ("I live here.", "Ana", "asserted"),
        ("Do I?", "Ana", "asked"),
        ("I might go.", "Ana", "hypothetical"),
        ("I'd go if I could.", "Ana", "hypothetical"),
        ("I would love to learn Rust.", "Ana", "asserted"),
        ("I'd like to see Japan.", "Ana", "asserted"),
        ("You live here.", "assistant", "agent"),
    ],
)
def test_modality(sentence: str, speaker: str, modality: str) -> None:
    assert modality_of(sentence, speaker) == modality


def test_kinds_and_names() -> None:
    assert kind_of("Always answer in French.", None) == "instruction"
    assert kind_of("x", statement("Ana wants to learn Rust.")) == "goal"
    assert [*names("Nora Fishel met Ana in New York and I said hi to Ben's dog.")] == [
        "Nora Fishel",
        "Ana",
        "New York",
        "Ben",
    ]


@given(st.text(max_size=1500))
def test_extraction_never_fails_and_spans_are_substrings(text: str) -> None:
    for fact in Rules(asked=True, supposed=True).extract(told(text)):
        start, end = fact.span
        assert 0 <= start < end <= len(text)
        assert fact.text.strip()


@pytest.mark.parametrize(
    "unit",
    [
        "a ",
        "I live in ",
        "the the ",
        "I ",
        "my ",
        "you ",
        "no longer ",
        "Ana's ",
        "a.",
        "\u2014 so ",
        "x's ",
        "and of ",
        "let's go ",
    ],
)
def test_hostile_sentences_take_time_in_proportion(unit: str) -> None:
    Rules().extract(told("I live in Lisbon."))

    def seconds(length: int) -> float:
        text = ". ".join(f"{number} {(unit * 600)[:590]}" for number in range(length))
        begun = time.perf_counter()
        Rules(asked=True, supposed=True).extract(told(text))
        return time.perf_counter() - begun

    assert min(seconds(20) for _ in range(2)) < 1.0


def test_a_long_text_is_not_read_to_its_end() -> None:
    facts = Rules().extract(told("a " * 50_000 + "I live in Lisbon. " * 50_000))
    assert len(facts) <= 60


def test_own_words_and_recalled_text_never_become_evidence() -> None:
    """Fifty rounds: the machine recalls what it knows and says it again; what is known does not grow."""
    rules, known = Rules(agent=False), list[str]()
    for fact in rules.extract(told("I live in Lisbon. I have two cats.")):
        known.append(fact.text)
    first = list(known)
    for number in range(50):
        recalled = (
            "<memories>\n"
            + "\n".join(f"- [2026-05-02] {text} [0a1b2c3d]" for text in known)
            + "\n</memories>"
        )
        answer = f"You live in Lisbon and have {number} cats. " + " ".join(known)
        for speaker, text in (
            ("Ana", f"{recalled}\nHello again!"),
            ("assistant", answer),
            ("assistant", recalled),
        ):
            known += [fact.text for fact in rules.extract(told(text, speaker)) if fact.text not in known]
    assert known == first


def test_a_fact_knows_what_a_person_would_ask_for_it() -> None:
    home, cats = Rules().extract(told("I moved to Lisbon. I have two cats."))
    assert "Where does Ana live?" in home.questions()
    assert "What does Ana have?" in cats.questions()
    (code,) = Rules().extract(told("My favourite colour is green."))
    assert code.questions() == ("What is Ana's favourite colour?",)


def test_the_day_after_counts_from_a_date_in_the_sentence_before() -> None:
    found = Rules().extract(told("I met Ben on 3 March 2025. I moved to Lisbon the day after."))
    assert found[1].when is not None
    assert found[1].when.start == datetime(2025, 3, 4, tzinfo=UTC)
    assert found[1].attributes()["precision"] == "day"


@pytest.mark.parametrize(
    "text",
    [
        "Thanks a lot for your help!",
        "This plan makes sense.",
        "Stop asking and just push it.",
        "Peak hours at lunch.",
        "Next steps:",
        "It is whispered to be a big one.",
        "You flagged those restaurants.",
        "I need you to fix the list.",
        "Sounds great, thank you.",
        "Looking forward to it on Friday.",
    ],
)
def test_what_is_about_the_talk_alone_is_no_fact(text: str) -> None:
    assert Rules().extract(told(text)) == []


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("**Outstanding Balance:** NGN 200,000.", "Outstanding Balance: NGN 200,000."),
        ("And yes, I work at Siemens.", "Ana works at Siemens."),
        ("This is Adeleke.", "Ana's name is Adeleke."),
        ("Let's focus on the apprentice list.", "Ana wants to focus on the apprentice list."),
        ("I sincerely apologize to Ben.", "Ana sincerely apologizes to Ben."),
        ("I need the file in Act I by Friday.", "Ana needs the file in Act I by Friday."),
    ],
)
def test_facts_are_told_without_what_only_ties_them_to_the_talk(text: str, fact: str) -> None:
    assert [one.text for one in Rules().extract(told(text))] == [fact]


class Upper:
    """An extractor of somebody else's: one fact for each word in capitals."""

    def extract(self, told: Told) -> list[Fact]:
        return [Fact(m.group(), m.span()) for m in re.finditer(r"\b[A-Z]{2,}\b", told.text)]


def test_a_caller_may_bring_an_extractor() -> None:
    mine: Extractor = Upper()
    assert [fact.text for fact in mine.extract(told("the API of NASA"))] == ["API", "NASA"]


def test_importing_the_object_does_not_load_the_extractor() -> None:
    code = (
        "import sys, simonides.memory; print([m for m in sys.modules if "
        "m.endswith(('parts.extract', 'parts.moments'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def session_file(folder: Path) -> Path:
    turns = [
        ("User", "Hi there! I moved to Lisbon last week. What is the weather?"),
        ("Assistant", "Lisbon has sun today in May."),
    ]
    made = {
        "dialogues": [
            {
                "current_time": "2026-05-06 (Wednesday)",
                "extracted_memory": [{"content": "\u3010Home\u3011 User moved to Lisbon last week."}],
                "dialogue_turns": [{"speaker": who, "content": text} for who, text in turns],
            }
        ]
    }
    file = folder / "Ana_dialogues_1k.json"
    file.write_text(json.dumps(made), "utf-8")
    return folder


def test_the_bench_counts_what_was_found_and_what_is_junk(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["--json", "bench", "extraction", "--data", str(session_file(tmp_path))])
    assert answer.exit_code == 0, answer.output
    figures = json.loads(answer.output)["details"]["figures"]
    ours, beside = figures["facts of the user"], figures["sentences of the user"]
    assert (ours["items"], ours["recall"]["value"], ours["precision"]["value"], ours["junk"]["value"]) == (
        1,
        1,
        1,
        0,
    )
    assert (beside["items"], beside["recall"]["value"]) == (3, 1)
    assert beside["junk"]["value"] > 0.6


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Thank you so much!", "thanks"),
        ("Is it so?", "a question"),
        ("Next steps:", "a heading"),
        ("The big red one.", "a fragment"),
        ("It is whispered.", "names nobody"),
        ("Stop asking now.", "an order"),
        ("Ana lives in Lisbon.", ""),
        ("Balance: NGN 20", ""),
    ],
)
def test_junk_is_judged_by_written_rules(text: str, why: str) -> None:
    assert junk(text) == why
