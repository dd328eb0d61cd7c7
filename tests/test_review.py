"""The review queue: what is in doubt, what settling does, and that undo, export and a scope keep to it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import Place, for_memory, here
from simonides.bounded import Bounded
from simonides.clock import FrozenClock
from simonides.doors.cli import cli
from simonides.errors import Conflict, Forbidden, InputError, NotFound
from simonides.memory import Memory
from simonides.parts.alike import HASHES, LEAST, pairs, same
from simonides.parts.claims import claims
from simonides.parts.review import MOST, clash, judged, normal, tokens
from simonides.parts.small_talk import LONGEST, small_talk
from simonides.settings import Settings
from simonides.types import Doubt, Scope

JANUARY = datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.fixture
def memory(place: Place) -> Iterator[Memory]:
    del place  # `here` asks for it
    clock = FrozenClock(JANUARY + timedelta(days=200))
    with Memory(here(), clock=clock, settings=Settings(meaning="off"), **for_memory()) as opened:
        yield opened


def later(memory: Memory) -> None:
    assert isinstance(memory.clock, FrozenClock)
    memory.clock.advance(minutes=1)


def told(memory: Memory, *texts: str, user: str = "ana", **more: str) -> list[str]:
    """Add texts, each a day after the one before; return the ids."""
    rows = [
        {"text": text, "at": JANUARY + timedelta(days=day), "user": user, **more}
        for day, text in enumerate(texts)
    ]
    return list(memory.add_many(rows).ids)


def reasons(doubts: list[Doubt]) -> list[tuple[str, list[str]]]:
    return [(one.why, [each.text for each in one.memories]) for one in doubts]


# What is in doubt


def test_an_empty_store_is_in_no_doubt(memory: Memory) -> None:
    assert memory.review() == []


def test_the_same_text_twice_is_a_duplicate_and_the_oldest_comes_first(memory: Memory) -> None:
    ids = told(memory, "I like green tea.", "Rain.", "i like GREEN tea")
    (doubt,) = memory.review()
    assert (doubt.why, [one.id for one in doubt.memories]) == ("duplicate", [ids[0], ids[2]])
    assert doubt.score == 1.0


def test_nearly_the_same_text_is_similar_and_the_longer_one_would_stay(memory: Memory) -> None:
    short = "We met at the old mill by the river to talk about the plans for the roof and the garden."
    long = short.replace("met at", "all met at")
    told(memory, short, long)
    assert reasons(memory.review()) == [("similar", [long, short])]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I live in Berlin.", "I live in Lisbon."),
        ("I live in Berlin, near the park. It is nice.", "By the way, I now live in Lisbon with Tom."),
        ("I like coffee in the morning", "I don't like coffee in the morning"),
        ("The shop opens at 9 am.", "The shop opens at 10 am."),
        ("The release is due on Monday.", "The release is due on Friday."),
        ("My dog is called Rex.", "My dog's name is Max."),
        ("My favourite colour is blue.", "My favourite colour is green."),
        ("I work at Siemens as a nurse", "I work at Bosch."),
        ("The password of the router is 8812.", "The password of the router is 9120."),
    ],
)
def test_two_values_where_one_is_true_are_a_contradiction_and_the_newer_comes_first(
    memory: Memory, older: str, newer: str
) -> None:
    told(memory, older, newer)
    (doubt,) = memory.review()
    assert (doubt.why, [one.text for one in doubt.memories]) == ("contradiction", [newer, older])
    assert "2026-01-01 may be stale" in doubt.reason


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("I like tea.", "I like coffee."),  # both may be true
        ("I live in Berlin.", "I live in East Berlin."),  # one is a part of the other
        ("I ran 5 km in the park.", "I ran 7 km in the park."),  # two runs
        ("I have a dog named Rex.", "I have a dog named Max."),  # two dogs
        ("Do I live in Berlin?", "I live in Lisbon."),  # a question says nothing
        ("If I lived in Berlin I would cycle.", "I live in Lisbon."),
        ("I have 3 meetings today.", "I have 5 meetings today."),  # another day
        ("My sister is a teacher.", "My sister is tall."),
        ("I'm sure about it.", "I'm not sure about it."),  # says too little
        ("We bought the red car.", "We bought the blue car."),
    ],
)
def test_what_may_be_true_twice_is_no_contradiction(memory: Memory, older: str, newer: str) -> None:
    told(memory, older, newer)
    assert [one.why for one in memory.review()] == []


def test_small_talk_is_junk_unless_it_answers_something(memory: Memory) -> None:
    told(memory, "Thank you so much!", speaker="user", session="one")
    told(memory, "Shall I book the flight to Porto?", "Yes.", session="two")
    told(memory, "The flight to Porto is booked.", "Great!", session="three")
    assert reasons(memory.review()) == [("junk", ["Great!"]), ("junk", ["Thank you so much!"])]


@pytest.mark.parametrize(
    "text", ["Thanks, the tests are green now.", "OK Corral", "Sure, at 5.", "No milk", "42"]
)
def test_one_word_more_says_something(text: str) -> None:
    assert small_talk(text) == ""


def test_two_people_two_projects_and_a_quote_are_not_compared(memory: Memory) -> None:
    told(memory, "I live in Berlin.", user="ana")
    told(memory, "I live in Lisbon.", user="ben")
    told(memory, "I live in Porto.", user="ana", project="novel")
    assert memory.review() == []
    assert memory.review(user="ana") == []


def test_two_sessions_of_one_person_are_compared(memory: Memory) -> None:
    told(memory, "I live in Berlin.", session="one")
    told(memory, "I live in Lisbon.", session="two")
    assert [one.why for one in memory.review()] == ["contradiction"]
    assert memory.review(session="two") == []


def test_what_has_ended_or_expired_is_in_no_doubt(memory: Memory) -> None:
    ids = told(memory, "I live in Berlin.", "I live in Lisbon.", "Hello!", "I like tea", "I like tea.")
    memory.retire(ids[0])
    memory.retire(ids[2])
    memory.retire(ids[4])
    assert memory.review() == []


def test_doubts_come_newest_first_and_a_memory_stands_in_one_at_a_time(memory: Memory) -> None:
    told(memory, "hello", "I live in Berlin.", "thanks", "I live in Lisbon.", "I live in Porto.", "bye")
    found = memory.review()
    assert [one.why for one in found] == ["junk", "contradiction", "junk", "junk"]
    assert [one.text for one in found[1].memories] == ["I live in Porto.", "I live in Lisbon."]
    assert [one.id for one in memory.review(limit=2)] == [one.id for one in found[:2]]


def test_many_copies_are_asked_about_a_few_at_a_time(memory: Memory) -> None:
    told(memory, *["The kiln is at 1200 degrees."] * 10)
    (doubt,) = memory.review()
    assert len(doubt.memories) == MOST
    memory.settle(doubt.id, "merge")
    (rest,) = memory.review()
    memory.settle(rest.id, "merge")
    assert [one.text for one in memory.list(limit=20)] == ["The kiln is at 1200 degrees."]


@pytest.mark.parametrize("limit", [0, -1, True, 1.5])
def test_a_limit_that_is_no_number_is_refused(memory: Memory, limit: int) -> None:
    with pytest.raises(InputError, match="limit"):
        memory.review(limit=limit)


# Settling


def test_keep_is_remembered_until_one_of_them_changes(memory: Memory) -> None:
    ids = told(memory, "I live in Berlin.", "I live in Lisbon.")
    (doubt,) = memory.review()
    receipt = memory.settle(doubt.id, "keep", reason="two homes")
    assert memory.review() == []
    assert [one.relation for one in memory.links(ids[0])] == ["distinct-from"]
    with pytest.raises(NotFound, match="nothing like that is in doubt"):
        memory.settle(doubt.id, "keep")
    later(memory)
    memory.update(ids[0], "I live in Bonn.")
    assert [one.why for one in memory.review()] == ["contradiction"]
    assert len(receipt.seqs) == 1


def test_undo_brings_the_doubt_back(memory: Memory) -> None:
    told(memory, "I live in Berlin.", "I live in Lisbon.", "thanks", "I like tea", "I like tea")
    before = sorted(one.id for one in memory.review())
    assert len(before) == 3
    for id in before:
        for decision in ("keep", "retire") if id.startswith("junk") else ("keep", "merge", "retire"):
            receipt = memory.settle(id, decision)
            assert id not in [one.id for one in memory.review()]
            memory.undo(receipt.seqs[0])
            assert sorted(one.id for one in memory.review()) == before


def test_merge_links_the_others_to_the_one_that_stays(memory: Memory) -> None:
    ids = told(memory, "I like tea", "I like tea.", "i like tea")
    (doubt,) = memory.review()
    memory.settle(doubt.id, "merge", keep=ids[1])
    assert [one.id for one in memory.list()] == [ids[1]]
    found = {(one.source, one.relation, one.target) for one in memory.links(ids[1])}
    assert found == {(ids[0], "merged-into", ids[1]), (ids[2], "merged-into", ids[1])}


def test_the_stale_statement_ends_when_the_newer_one_begins(memory: Memory) -> None:
    told(memory, "I live in Berlin.", "I live in Lisbon.")
    (doubt,) = memory.review()
    memory.settle(doubt.id, "retire")
    assert [one.text for one in memory.list()] == ["I live in Lisbon."]
    noon = JANUARY + timedelta(hours=12)
    assert [one.text for one in memory.list(as_of=noon)] == ["I live in Berlin."]


def test_the_older_one_can_stay(memory: Memory) -> None:
    told(memory, "I live in Berlin.", "I live in Lisbon.")
    (doubt,) = memory.review()
    memory.settle(doubt.id, "retire", keep=doubt.memories[1].id)
    assert [one.text for one in memory.list()] == ["I live in Berlin."]


def test_junk_is_kept_by_a_mark_or_retired(memory: Memory) -> None:
    told(memory, "hello", "thanks")
    first, second = memory.review()
    memory.settle(first.id, "keep")
    memory.settle(second.id, "retire")
    assert memory.review() == []
    assert [(one.text, one.attributes) for one in memory.list()] == [("thanks", {"reviewed": "kept"})]
    with pytest.raises(NotFound):
        memory.settle(second.id, "retire")


def test_a_plan_writes_nothing(memory: Memory) -> None:
    told(memory, "I like tea", "I like tea")
    (doubt,) = memory.review()
    planned = memory.settle(doubt.id, "merge", plan=True)
    assert (planned.state, [type(one).__name__ for one in planned.changes]) == (
        "planned",
        ["Connect", "Retire"],
    )
    assert memory.review() == [doubt]


def test_decisions_survive_a_dump(memory: Memory) -> None:
    told(memory, "I like tea", "I like tea.", "hello", "I live in Berlin.", "I live in Lisbon.")
    for doubt in memory.review():
        memory.settle(doubt.id, "keep")
    with Memory(":memory:", clock=memory.clock, settings=memory.settings) as other:
        other.undump(memory.dump())
        assert other.review() == []


@pytest.mark.parametrize(
    "doubt",
    [
        "",
        "junk",
        "nonsense-" + "0" * 32,
        "junk-" + "0" * 32,
        "duplicate-" + "0" * 32,
        "similar-xx-yy",
        "junk-1-2",
    ],
)
def test_what_is_no_doubt_is_not_found(memory: Memory, doubt: str) -> None:
    told(memory, "hello")
    with pytest.raises(NotFound, match="nothing like that is in doubt"):
        memory.settle(doubt, "keep")


def test_memories_that_are_not_alike_cannot_be_merged_as_duplicates(memory: Memory) -> None:
    one, other = told(memory, "I like tea", "The roof leaks")
    for why in ("duplicate", "similar", "contradiction"):
        with pytest.raises(NotFound):
            memory.settle(f"{why}-{one}-{other}", "merge")


def test_wrong_decisions_are_refused(memory: Memory) -> None:
    ids = told(memory, "I like tea", "I like tea", "thanks", "The roof leaks")
    junk, duplicate = memory.review()
    for doubt, decision, keep in (
        (duplicate.id, "burn", None),
        (duplicate.id, "merge", ids[3]),
        (junk.id, "merge", None),
        (junk.id, "retire", ids[2]),
    ):
        with pytest.raises(InputError):
            memory.settle(doubt, decision, keep=keep)
    assert len(memory.list()) == 4


def test_a_change_in_between_is_a_conflict(memory: Memory) -> None:
    ids = told(memory, "I like tea", "I like tea")
    (doubt,) = memory.review()
    planned = memory.settle(doubt.id, "retire", plan=True)
    memory.update(ids[1], metadata={"stars": 5})
    with pytest.raises(Conflict):
        memory.apply(planned.changes)


# A scope


def test_a_bounded_store_sees_and_settles_only_its_own(memory: Memory) -> None:
    told(memory, "I live in Berlin.", "I live in Lisbon.", user="ana")
    told(memory, "I live in Rome.", "I live in Oslo.", user="ben")
    ana, ben = (Bounded(memory, Scope(user=name)) for name in ("ana", "ben"))
    (hers,), (his,) = ana.review(), ben.review()
    assert hers.memories[0].text == "I live in Lisbon."
    for decision in ("keep", "merge"):
        with pytest.raises(NotFound):
            ben.settle(hers.id, decision)
    with pytest.raises(NotFound):
        ben.settle(his.id, "merge", keep=hers.memories[0].id)
    with pytest.raises(NotFound):  # the end of an id would tell whether there is one
        ben.settle(f"junk-{hers.memories[0].id[-8:]}", "keep")
    with pytest.raises(Forbidden):
        ben.review(user="ana")
    with pytest.raises(Forbidden):
        Bounded(memory, rights=("read",)).settle(hers.id, "keep")
    ben.settle(his.id, "retire")
    assert [one.text for one in ben.list()] == ["I live in Oslo."]


# The parts, against slow twins


@given(st.lists(st.sets(st.integers(0, 30), max_size=8), max_size=40), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_documents_with_the_same_terms_are_found_and_no_others(docs: list[set[int]], groups: int) -> None:
    keys = np.array([key for one in docs for key in sorted(one)], np.uint32)
    sizes = np.array([len(one) for one in docs], np.int32)
    whose = np.arange(len(docs), dtype=np.int64) % groups
    slow = {
        (a, b)
        for a, b in combinations(range(len(docs)), 2)
        if docs[a] and docs[a] == docs[b] and whose[a] == whose[b]
    }
    found = {pair for one in same(keys, sizes, whose) for pair in combinations(one.tolist(), 2)}
    assert found == slow


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_pairs_that_share_two_thirds_of_their_terms_are_found(seed: int) -> None:
    dice = random.Random(seed)
    docs = [dice.sample(range(100_000), 12) for _ in range(60)]
    docs += [[*one[:10], *dice.sample(range(100_000, 200_000), 2)] for one in docs[:20]]
    keys = np.array([key for one in docs for key in one], np.uint32)
    sizes = np.full(len(docs), 12, np.int32)
    older, newer = pairs(keys, sizes, np.zeros(len(docs), np.int64))
    found = set(zip(older.tolist(), newer.tolist(), strict=True))
    assert len({(place, 60 + place) for place in range(20)} - found) <= 1
    shares = [len({*docs[a]} & {*docs[b]}) / len({*docs[a]} | {*docs[b]}) for a, b in found]
    assert all(a < b for a, b in found)
    assert min(shares, default=1) > LEAST - 4 / HASHES**0.5 * 0.5


@given(st.text(max_size=LONGEST + 20))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_rules(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert isinstance(small_talk(text), str)
    assert isinstance(claims(text), tuple)
    assert clash(tokens(text), tokens(text)) == ""


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
@settings(max_examples=100, deadline=None)
def test_a_judgement_does_not_depend_on_the_order(one: str, other: str) -> None:
    first, second = tokens(f"My dog {one} is"), tokens(f"My dog {other} is not")
    assert clash(first, second).split(":")[0] == clash(second, first).split(":")[0]


@pytest.mark.parametrize(
    "text", ["so much " * 25, "thank you very " * 13, "good " * 40, "ha" * 100, "'" * 200]
)
def test_small_talk_takes_no_time_to_tell(text: str) -> None:
    started = time.perf_counter()
    small_talk(text[:LONGEST])
    small_talk(text[: LONGEST - 5] + " roof")
    assert time.perf_counter() - started < 0.5


def test_judged_says_nothing_of_a_memory_and_what_quotes_it(memory: Memory) -> None:
    from simonides.types import Source

    said = memory.add("I live in Berlin.", kind="note", at=JANUARY).id
    fact = memory.add("I live in Lisbon.", kind="fact", at=JANUARY, source=Source(memory=said)).id
    assert judged(memory.get(said), memory.get(fact)) is None
    assert memory.review() == []


# The command line


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> CliRunner:
    path = tmp_path_factory.mktemp("cli") / "review.db"
    with Memory(path, settings=Settings(meaning="off")) as memory:
        told(memory, "I live in Berlin.", "I live in Lisbon.", "I like tea", "I like tea.", "thanks!")
    return CliRunner(env={"SIMONIDES_PATH": str(path), "SIMONIDES_MEANING": "off"})


def shown(run: CliRunner, *words: str, code: int = 0) -> str:
    answer = run.invoke(cli, list(words))
    assert answer.exit_code == code, answer.output
    return answer.output


def test_the_command_lists_counts_and_settles(run: CliRunner) -> None:
    found = json.loads(shown(run, "review", "--json"))["doubts"]
    assert [one["why"] for one in found] == ["junk", "duplicate", "contradiction"]
    assert json.loads(shown(run, "review", "--count", "--json")) == {
        "counts": {"duplicate": 1, "contradiction": 1, "similar": 0, "junk": 1},
        "all": 3,
    }
    assert "two values" in shown(run, "review", "list", "--why", "contradiction", "--user", "ana")
    ends = "-".join(("duplicate", *(one["id"][-8:] for one in found[1]["memories"])))
    assert "nothing was written" in shown(run, "review", "merge", ends, "--plan")
    shown(run, "review", "merge", ends)
    shown(run, "review", "retire", found[0]["id"])
    kept = json.loads(shown(run, "review", "keep", found[2]["id"], "--json"))
    assert kept["state"] == "stored"
    shown(run, "review", code=1)
    shown(run, "undo", str(kept["seqs"][0]))
    assert "contradiction" in shown(run, "review")


def test_the_command_says_what_is_wrong(run: CliRunner) -> None:
    assert "nothing like that is in doubt" in shown(run, "review", "keep", "junk-00000000", code=4)
    shown(run, "review", "burn", code=2)
    assert "merge" in shown(run, "review", "--help")
