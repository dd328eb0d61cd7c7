"""A new fact ends what it contradicts and nothing else, loses nothing, and what is unsure is asked about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides import Memory, Settings
from simonides.bench.conflict_cases import AGAIN, CASES, CORRECTED, HELD, LOSSES, Case
from simonides.bench.conflicts import ENDING, Resolving, Updates, pairs, right, updates, version, wrong
from simonides.clock import FrozenClock, Span
from simonides.ledger import digests
from simonides.parts.extract import Fact, Rules, Told
from simonides.parts.resolve import BESIDE, SUPERSEDES, Decision, applied, resolve
from simonides.parts.review import DOUBTS, INTO
from simonides.parts.statements import statement
from simonides.types import Add, Connect, Retire, Scope, Supersede
from simonides.types import Memory as Version

QUIET = Settings(meaning="instant", synchronous="normal")
DATA = Path(os.environ.get("SIMONIDES_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MARCH, MAY = JANUARY + timedelta(days=60), JANUARY + timedelta(days=120)


def said(text: str, speaker: str = "Ana", at: datetime = MARCH) -> Fact:
    (fact,) = Rules(supposed=True).extract(Told(text, at, speaker))
    return fact


def known(*texts: str, speaker: str = "Ana", at: datetime = JANUARY) -> list[Version]:
    return [version(said(text, speaker, at), at, speaker, str(place)) for place, text in enumerate(texts)]


def note(text: str) -> Fact:
    return Fact(text, (0, len(text)), says=statement(text))


def notes(*texts: str) -> list[Version]:
    return [version(note(text), JANUARY, "", str(place)) for place, text in enumerate(texts)]


def score(cases: Sequence[Case], *without: str) -> int:
    return sum(right(case, without) for case in cases)


# The operations


def test_thirty_six_of_forty_cases_are_right() -> None:
    assert len(CASES) == 40
    assert score(CASES) >= 36


def test_cases_that_no_rule_has_seen_are_mostly_right() -> None:
    assert score(HELD) >= 13
    assert score(LOSSES) == len(LOSSES)
    assert score(AGAIN) == len(AGAIN)
    assert score(CORRECTED) >= 4


@pytest.mark.parametrize(
    "rule", ["same", "slot", "single", "aliases", "negation", "specific", "guard", "wrong"]
)
def test_a_rule_of_slots_matters(rule: str) -> None:
    every = (*CASES, *HELD, *LOSSES, *AGAIN, *CORRECTED)
    assert score(every, rule) < score(every)


NOTES = (
    ("frame", "Nora Fishel published a paper on corals in 2021.", "Nora Fishel published a paper on whales in 2021.",
     "SUPERSEDE"),
    ("wrong", "Nora Fishel and Eliza Woodley run a choir.",
     "Eliza Woodley runs a choir with Joren Sullivar, not Nora Fishel.", "SUPERSEDE"),
)  # fmt: skip


@pytest.mark.parametrize(("rule", "old", "new", "op"), NOTES, ids=[row[0] for row in NOTES])
def test_a_rule_of_whole_sentences_matters(rule: str, old: str, new: str, op: str) -> None:
    others = {"frame"} - {rule}  # each by itself
    assert resolve(note(new), notes(old), record=True, without=others).op == op
    assert resolve(note(new), notes(old), record=True, without={*others, rule}).op != op


def test_the_same_sentence_with_another_value_replaces_a_note_and_no_remark() -> None:
    old, new = "Nora Fishel enjoys hiking in the Alps.", "Nora Fishel enjoys hiking in the Andes."
    assert resolve(note(new), notes(old), record=True).op == "SUPERSEDE"
    assert resolve(note(new), notes(old)).op == "ADD"
    remark = known("I enjoy hiking in the Alps.")
    assert resolve(said("I enjoy hiking in the Andes."), remark, record=True).op == "ADD"


def test_the_order_of_neighbours_does_not_matter() -> None:
    stored = known("I live in Berlin.", "I like tea.", "My sister lives in Porto.", "I work at Siemens.")
    decision, *others = [resolve(said("I moved to Lisbon."), order) for order in permutations(stored)]
    assert all(other == decision for other in others)
    assert (decision.op, decision.target) == ("SUPERSEDE", "0")
    assert decision.evidence == ("Berlin", "Lisbon")
    assert "home" in decision.reason


@pytest.mark.parametrize("text", ["Maybe I'll live in Lisbon.", "I would live in Lisbon if I could."])
def test_what_is_only_supposed_ends_nothing(text: str) -> None:
    assert resolve(said(text), known("I live in Berlin.")).op == "ADD"


def test_what_the_machine_says_ends_nothing() -> None:
    fact = Fact("Ana lives in Lisbon.", (0, 5), modality="agent", says=statement("Ana lives in Lisbon."))
    assert resolve(fact, known("I live in Berlin.")).op == "ADD"
    assert resolve(fact, known("I live in Lisbon.")).op == "NOOP"


def test_who_did_it_to_whom_is_not_the_same_the_other_way_round() -> None:
    one, other = "Nora Fishel interviewed Eliza Woodley.", "Eliza Woodley interviewed Nora Fishel."
    assert resolve(note(other), notes(one)).op == "ADD"


def test_a_special_case_is_denied_and_the_general_one_stays() -> None:
    assert resolve(said("I don't like green tea."), known("I like tea.")).op == "ADD"
    assert resolve(said("I don't like tea."), known("I like green tea.")).op == "INVALIDATE"


def test_what_has_ended_by_then_is_no_neighbour() -> None:
    (old,) = known("I live in Berlin.")
    gone = Version(old.id, old.kind, old.text, old.scope, Span(JANUARY, MARCH), old.recorded, speaker="Ana",
                   attributes=old.attributes)  # fmt: skip
    assert resolve(said("I live in Berlin."), [gone], at=MAY).op == "ADD"


# What becomes of it


def add(at: datetime = MARCH, until: datetime | None = None) -> Add:
    return Add("f" * 32, "Ana moved to Lisbon.", at, kind="x.fact", until=until)


def held(start: datetime, end: datetime | None = None) -> Version:
    return Version("e" * 32, "x.fact", "Ana lives in Berlin.", Scope(), Span(start, end), Span(start))


def test_the_old_one_ends_when_the_new_one_begins() -> None:
    old = held(JANUARY)
    decision = Decision("SUPERSEDE", old.id, "moved", ("Berlin", "Lisbon"), old=old)
    first, gone, link = applied(decision, add(), old)
    assert first == add()
    assert isinstance(gone, Retire)
    assert (gone.id, gone.at) == (old.id, MARCH)
    assert isinstance(link, Connect)
    assert (link.source, link.target, link.relation) == ("f" * 32, old.id, SUPERSEDES)
    assert applied(decision, add(), old) == [first, gone, link], "the ids are the same again"


def test_a_late_arrival_is_born_ended() -> None:
    old = held(MAY)
    late, link = applied(Decision("SUPERSEDE", old.id, old=old), add(), old)
    assert isinstance(late, Add)
    assert late.until == MAY
    assert isinstance(link, Connect)
    assert link.relation == BESIDE


def test_two_times_that_do_not_meet_leave_both_alone() -> None:
    old = held(JANUARY, JANUARY + timedelta(days=10))
    assert applied(Decision("SUPERSEDE", old.id, old=old), add(), old) == [add()]
    later = held(MAY)
    assert applied(Decision("SUPERSEDE", later.id, old=later), add(until=MARCH + timedelta(1)), later) == [
        add(until=MARCH + timedelta(1))
    ]


@given(st.sampled_from(["ADD", "NOOP", "UPDATE", "MERGE", "SUPERSEDE", "INVALIDATE", "ANNOTATE"]), st.booleans(),
       st.integers(0, 20), st.integers(0, 20), st.none() | st.integers(1, 9),
       st.none() | st.integers(1, 9))  # fmt: skip
def test_nothing_is_destroyed(
    op: str, unsure: bool, old_day: int, new_day: int, old_days: int | None, new_days: int | None
) -> None:
    def day(number: int) -> datetime:
        return JANUARY + timedelta(days=number)

    old = held(day(old_day), None if old_days is None else day(old_day + old_days))
    new = add(day(new_day), None if new_days is None else day(new_day + new_days))
    decision = Decision(op, old.id, "why", ("a", "b"), unsure, old)  # type: ignore[arg-type]
    changes = applied(decision, new, old)
    for change in changes:
        if isinstance(change, Retire | Supersede):
            assert change.at is not None
            assert old.valid.start <= change.at, "it was true before, and stays so"
            assert old.valid.end is None or change.at < old.valid.end
            assert not unsure
        if isinstance(change, Add):
            assert change.until is None or change.until >= change.at
    if op in ("ADD", "ANNOTATE") or unsure:
        assert op == "NOOP" or new in changes
    if op == "NOOP":
        assert changes == []


CITIES = ("Berlin", "Lisbon", "Madrid", "Oslo")


@settings(max_examples=24, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(CITIES))))
def test_what_was_true_when_does_not_depend_on_when_it_was_told(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = FrozenClock(JANUARY + timedelta(days=300))
    with Memory(
        tmp_path_factory.mktemp("order") / "m.db", recipe=Resolving(), settings=QUIET, clock=clock
    ) as memory:
        for place in order:
            clock.advance(days=1)
            memory.add(f"I live in {CITIES[place]}.", speaker="Ana", at=JANUARY + timedelta(days=30 * place))
        for place, city in enumerate(CITIES):
            then = memory.list(kinds=["conflicts.fact"], as_of=JANUARY + timedelta(days=30 * place + 15))
            assert [one.text for one in then] == [f"Ana lives in {city}."]


def test_digesting_again_changes_nothing(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", recipe=Resolving(), settings=QUIET) as memory:
        for text in (
            "I live in Berlin.",
            "I live in Alfama, Lisbon.",
            "I like tea.",
            "I don't like tea anymore.",
        ):
            memory.add(text, speaker="Ana")
        before = memory.log(limit=1000)
        with memory.ledger.database.writing() as connection:
            connection.execute("DELETE FROM meta WHERE key = 'digested.conflicts'")
        assert digests.ask(memory.ledger.database, "conflicts", 0) == 4
        memory.digest()
        assert memory.log(limit=1000) == before


def test_a_more_exact_value_is_the_same_memory_with_its_history(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", recipe=Resolving(), settings=QUIET) as memory:
        memory.add("I live in Lisbon.", speaker="Ana", at=JANUARY)
        memory.add("I live in Alfama, Lisbon.", speaker="Ana", at=MARCH)
        (now,) = memory.list(kinds=["conflicts.fact"])
        assert now.text == "Ana lives in Alfama, Lisbon."
        assert [one.text for one in memory.list(kinds=["conflicts.fact"], as_of=JANUARY)] == [
            "Ana lives in Lisbon."
        ]
        assert now.source is not None
        assert memory.get(now.source.memory).text == "I live in Alfama, Lisbon."


def test_the_same_and_more_is_merged_into_what_says_more() -> None:
    (old,) = known("I adopted a cat.")
    decision = resolve(said("I adopted a cat with white paws."), [old])
    assert decision.op == "MERGE"
    link = applied(decision, add(), old)[-1]
    assert isinstance(link, Connect)
    assert (link.source, link.relation) == (old.id, INTO)


# What is unsure


def test_what_is_unsure_is_asked_about_and_nothing_ends_before(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", recipe=Resolving(), settings=QUIET) as memory:
        for text, at in ((LOSSES[0].before[0], JANUARY), (LOSSES[0].now, MARCH)):
            memory.add(text, speaker="Ana", at=at)
        facts = memory.list(kinds=["conflicts.fact"])
        assert len(facts) == 2
        assert memory.links(facts[1].id, relation=DOUBTS)
        (doubt,) = [one for one in memory.review() if one.why == "contradiction"]
        assert "marek" in doubt.reason
        assert doubt.memories[0].text == "Ana moved to Lisbon."
        memory.settle(doubt.id, "retire")
        assert [one.text for one in memory.list(kinds=["conflicts.fact"])] == ["Ana moved to Lisbon."]
        assert len(memory.list(kinds=["conflicts.fact"], as_of=JANUARY)) == 1
        assert not memory.review()


def test_what_was_kept_is_not_asked_again(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", recipe=Resolving(), settings=QUIET) as memory:
        memory.add(LOSSES[0].before[0], speaker="Ana", at=JANUARY)
        memory.add(LOSSES[0].now, speaker="Ana", at=MARCH)
        (doubt,) = [one for one in memory.review() if one.why == "contradiction"]
        memory.settle(doubt.id, "keep")
        assert not memory.review()
        assert len(memory.list(kinds=["conflicts.fact"])) == 2


# On data sets


@pytest.mark.slow
def test_letta_updates_put_the_newest_first_and_mark_the_old(tmp_path: Path) -> None:
    if not (DATA / "letta").is_dir():
        pytest.skip("letta is not at SIMONIDES_DATA")
    found: Updates = updates(DATA, tmp_path)
    assert found.marked / found.items >= 0.9
    assert found.wrong <= 0.03 * found.notes


@pytest.mark.slow
def test_what_is_alike_and_both_true_is_left_alone() -> None:
    if not (DATA / "realmem").is_dir():
        pytest.skip("realmem is not at SIMONIDES_DATA")
    chosen = pairs(DATA, 1)
    assert len(chosen) == 200
    assert chosen == pairs(DATA, 1)
    assert sum(wrong(pair.decided()) for pair in chosen) <= 2
    assert {pair.decided().op for pair in chosen} - set(ENDING)
