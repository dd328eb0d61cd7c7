"""Memanto: kinds without a model, conflicts before writing, one-bit search with exact scores, time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from kind_sentences import FIRST, SECOND
from simonides import Memory, Settings
from simonides.clock import FrozenClock, Span
from simonides.errors import UnknownName
from simonides.ledger.index import unpack_vectors
from simonides.parts.conflicts import OPTIONS, Conflict, Option, conflict, settled
from simonides.parts.embed import MiniLM
from simonides.parts.extract import Rules, Told
from simonides.parts.kinds import KINDS, typed
from simonides.parts.resolve import resolve
from simonides.parts.signs import Signs
from simonides.recipes.composition import chosen
from simonides.recipes.memanto import DAYS, Memanto

QUIET = Settings(meaning="instant", synchronous="normal")
FULL = Settings(meaning="full", synchronous="normal")
JAN, FEB, MAR, APR = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
RECORDS = Memanto().kinds()


def opened(memanto: Memanto | None = None, settings: Settings = QUIET, now: datetime = APR) -> Memory:
    return Memory(":memory:", recipe=memanto or Memanto(), settings=settings, clock=FrozenClock(now))


def texts(memory: Memory, as_of: datetime | None = None) -> list[str]:
    return [one.text for one in memory.list(kinds=RECORDS, as_of=as_of)]


@pytest.mark.parametrize("table", [FIRST, SECOND], ids=["first", "second"])
def test_twenty_two_of_twenty_six_sentences_get_their_kind(table: tuple[tuple[str, str], ...]) -> None:
    assert [kind for kind, _ in table[::2]] == [kind for kind, _ in table[1::2]]
    assert len({kind for kind, _ in table}) == len(KINDS) == 13
    right = sum(str(typed(sentence).kind) == kind for kind, sentence in table)
    assert right >= 22


def test_what_no_rule_claims_is_a_fact_and_points_are_as_computed() -> None:
    assert (typed("Blue, mostly.").kind, typed("Blue, mostly.").points) == ("fact", 0)
    assert typed("Ana prefers tea.").points == 5
    assert typed("The build failed.").points == 6


def test_a_turn_becomes_records_of_their_kinds_that_cite_it() -> None:
    said = "Hi! I prefer tea over coffee. Please keep every answer short. What do you think?"
    with opened() as memory:
        turn = memory.add(said, speaker="Ana").id
        memory.add("I prefer coffee.", speaker="assistant")
        stored = {one.kind: one for one in memory.list(kinds=RECORDS)}
        assert {*stored} == {"memanto.preference", "memanto.instruction"}
        for one in stored.values():
            assert one.source is not None
            assert one.source.memory == turn
            assert one.confidence == 0.8
        source = stored["memanto.instruction"].source
        assert source is not None
        assert source.span is not None
        assert said[slice(*source.span)] == "Please keep every answer short."


def test_a_record_is_found_by_the_search_right_after_it() -> None:
    for settings in (QUIET, FULL):
        with opened(settings=settings) as memory:
            memory.add("Ana lives in Oslo.")
            memory.add("Walt plays chess.")
            assert memory.search("Who plays chess?", kinds=RECORDS)[0].memory.text == "Walt plays chess."


@pytest.mark.parametrize("settings", [QUIET, FULL], ids=["instant", "full"])
def test_a_hundred_searches_give_one_order_byte_for_byte(settings: Settings) -> None:
    with opened(settings=settings) as memory:
        memory.add_many([{"text": f"Person{n % 7} owns boat number {n // 2}."} for n in range(60)], wait=True)
        memory.wait()
        answers = {
            "\n".join(
                f"{hit.memory.id} {hit.score!r}"
                for hit in memory.search("Who owns boat 3?", k=20, gate=False)
            )
            for _ in range(100)
        }
        assert len(answers) == 1
        assert answers.pop().count("\n") == 19


# Conflicts


def test_a_contradiction_is_a_conflict_with_three_options() -> None:
    with opened(now=JAN) as memory:
        memory.add("Ana lives in Oslo.")
        old = memory.list(kinds=RECORDS)
    (fact,) = Rules().extract(Told("Ana lives in Rome.", MAR))
    found = conflict(fact, resolve(fact, old))
    assert found is not None
    assert (found.old.id, found.options, found.sure) == (old[0].id, OPTIONS, True)
    (other,) = Rules().extract(Told("Ana likes Rome.", MAR))
    assert conflict(other, resolve(other, old)) is None


@pytest.mark.parametrize(
    ("option", "now", "then"),
    [
        ("supersede", ["Ana lives in Rome."], ["Ana lives in Oslo."]),
        ("retain", ["Ana lives in Oslo."], ["Ana lives in Oslo."]),
        ("annotate", ["Ana lives in Oslo.", "Ana lives in Rome."], ["Ana lives in Oslo."]),
    ],
)
def test_what_is_chosen_is_done_before_anything_is_written(
    option: Option, now: list[str], then: list[str]
) -> None:
    asked: list[Conflict] = []

    def choose(conflict: Conflict) -> Option:
        asked.append(conflict)
        return option

    with opened(Memanto(choose=choose)) as memory:
        memory.add("Ana lives in Oslo.", at=JAN)
        memory.add("Ana lives in Rome.", at=MAR)
        assert len(asked) == 1
        assert sorted(texts(memory)) == now
        assert texts(memory, FEB) == then
        assert len(memory.links(relation="annotates")) == (option == "annotate")
        assert len(memory.list(kinds=["turn"])) == 2, "no choice loses a turn"


def test_superseding_keeps_both_rows() -> None:
    with opened() as memory:
        memory.add("Ana lives in Oslo.", at=JAN)
        memory.add("Ana lives in Rome.", at=MAR)
        (old,) = memory.list(kinds=RECORDS, as_of=FEB)
        assert old.valid == Span(JAN, MAR)
        assert [one.recorded.end is None for one in memory.history(old.id)] == [False, True]
        assert (
            memory.search("Where does Ana live?", kinds=RECORDS, gate=False)[0].memory.text
            == "Ana lives in Rome."
        )
        hits = memory.search("Where does Ana live?", kinds=RECORDS, gate=False, as_of=FEB)
        assert [hit.memory.text for hit in hits] == ["Ana lives in Oslo."]


def test_what_the_rules_are_not_sure_of_ends_nothing_and_is_in_doubt() -> None:
    with opened() as memory:
        memory.add("Ana is a nurse.", at=JAN)
        memory.add("Ana is a pilot.", at=MAR)
        assert len(texts(memory)) == 2
        assert len(memory.links(relation="in-doubt-with")) == 1


def test_another_choice_is_refused() -> None:
    (fact,) = Rules().extract(Told("Ana lives in Rome.", MAR))
    with opened() as memory:
        memory.add("Ana lives in Oslo.", at=JAN)
        old = memory.list(kinds=RECORDS)
        add = Memanto().derived(old[0], fact.text, fact=fact)
        with pytest.raises(UnknownName):
            settled(fact, resolve(fact, old), add, old[0], lambda _: "guess")  # pyright: ignore[reportArgumentType]


# Time


def test_what_changed_since_lists_what_began_and_what_ended() -> None:
    with opened() as memory:
        memory.add("Ana lives in Oslo. Ana owns a canoe.", at=JAN)
        memory.add("Ana lives in Rome.", at=MAR)
        hits = memory.search("What has changed since February 2026?", now=APR)
        assert [hit.memory.text for hit in hits] == ["Ana lives in Rome.", "Ana lives in Oslo."]
        assert memory.search("What has changed since March 20, 2026?", now=APR) == []


def test_upkeep_retires_each_kind_after_its_days_and_only_once() -> None:
    with opened(now=JAN) as memory:
        memory.add("Right now we are debugging the login page. Ana lives in Oslo.", at=JAN)
        digester = memory._digester()
        assert digester is not None
        days = timedelta(days=DAYS["context"])
        assert digester.tend(JAN + days - timedelta(seconds=1), plan=True) == []
        plan = digester.tend(JAN + days, plan=True)
        assert isinstance(plan, list)
        assert len(plan) == 1
        assert len(texts(memory)) == 2, "a plan writes nothing"
        memory.clock.set(JAN + days)  # pyright: ignore[reportAttributeAccessIssue]
        digester.tend(JAN + days)
        assert texts(memory) == ["Ana lives in Oslo."]
        assert digester.tend(JAN + days, plan=True) == []


# One bit


def test_signs_find_all_that_brute_force_finds_and_follow_the_store() -> None:
    said = [
        f"{who} {does} in {where}."
        for who in ("Ana", "Ben")
        for does in ("sings", "paints", "rows")
        for where in ("Oslo", "Rome")
    ]
    model = MiniLM()
    with opened(settings=FULL) as memory:
        memory.add_many([{"text": text} for text in said], wait=True)
        memory.wait()
        index = memory._enricher.recall().index
        query = model.read([("", "Who paints in Rome?")])[0].pooled
        signs = Signs()
        everything = memory._believed({})
        wanted = memory._believed({"kinds": ["turn"]})
        index.follow()
        found = signs.nearest(index, query, {}, wanted, APR, among=5)
        assert signs.bytes_each == 48
        assert index.model is not None
        stored = memory.ledger.pooled(index.model)
        vectors = unpack_vectors([blob for _, blob in stored])
        flips = {
            row: int(((vector > 0) != (query > 0)).sum())
            for (row, _), vector in zip(stored, vectors, strict=True)
        }
        turns = memory.ledger.load([*flips])
        nearest = sorted((flips[row], row) for row in flips if turns[row].kind == "turn")[:5]
        assert {row for row, _ in found} == {row for _, row in nearest}
        assert all(a >= b for (_, a), (_, b) in pairwise(found))
        memory.add("Cleo dances in Turin.", wait=True)
        memory.wait()
        index.follow()
        assert len(signs.nearest(index, query, {}, everything, APR)) == len(said) + 1
        assert signs.nearest(index, query, {"user": "nobody"}, everything, APR) == []


def test_exact_scores_alone_are_the_order_of_cosines() -> None:
    with opened(Memanto(words=False), FULL) as memory:
        memory.add_many(
            [{"text": t} for t in ("Ana paints boats.", "Ben repairs cars.", "Cleo bakes bread.")], wait=True
        )
        memory.digest()
        memory.wait()
        hits = memory.search("Who fixes vehicles?", kinds=RECORDS, gate=False)
        assert hits[0].memory.text == "Ben repairs cars."
        assert all("signs" in hit.shares and "words" not in hit.shares for hit in hits)


def test_the_recipe_says_what_it_is() -> None:
    memanto = chosen("memanto")
    assert isinstance(memanto, Memanto)
    assert len(memanto.derives) == 13
    assert memanto.link.endswith("2604.22085")
    assert memanto.differs
    assert all(days > 0 for days in memanto.retention.values())
