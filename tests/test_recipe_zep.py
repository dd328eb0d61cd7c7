"""Zep: the six checks of its digest, the interval rule against brute force, and the traps of the released code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides import Memory, Settings
from simonides.clock import FrozenClock, Span
from simonides.errors import InputError, UnknownName
from simonides.ledger import digests
from simonides.parts.intervals import settle
from simonides.parts.reaching import reached
from simonides.recipes.composition import chosen
from simonides.recipes.zep import Zep
from simonides.recipes.zep_graph import ABOUT, MEMBER, MENTIONS
from simonides.types import Link, Scope

QUIET = Settings(meaning="instant", synchronous="normal")
FACT, ENTITY, COMMUNITY = ["zep.fact"], ["zep.entity"], ["zep.summary"]
JAN, FEB, MAR, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 5))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def opened(path: Path | str = ":memory:", zep: Zep | None = None, now: datetime = MAY) -> Memory:
    return Memory(path, recipe=zep or Zep(), settings=QUIET, clock=FrozenClock(now))


def facts(
    memory: Memory, *, as_of: datetime | None = None, known_at: datetime | None = None
) -> dict[str, Span]:
    return {one.text: one.valid for one in memory.list(kinds=FACT, as_of=as_of, known_at=known_at)}


# The six checks


def test_a_change_ends_the_old_fact_and_both_clocks_keep_it() -> None:
    clock = FrozenClock(JAN)
    with Memory(":memory:", recipe=Zep(), settings=QUIET, clock=clock) as memory:
        memory.add("Ann works at Acme.")
        clock.set(MAR)
        memory.add("Ann works at Globex.")
        assert facts(memory) == {"Ann works at Globex.": Span(MAR)}
        assert facts(memory, as_of=FEB) == {"Ann works at Acme.": Span(JAN, MAR)}
        assert facts(memory, as_of=FEB, known_at=FEB) == {"Ann works at Acme.": Span(JAN)}
        old = memory.list(kinds=FACT, as_of=FEB)[0]
        assert [one.recorded.end for one in memory.history(old.id)] == [MAR, None]


def test_a_late_arrival_is_born_ended_and_ends_nothing() -> None:
    with opened() as memory:
        memory.add("Ann works at Globex.", at=MAR)
        memory.add("Ann works at Initech.", at=LONG_AGO)
        assert facts(memory) == {"Ann works at Globex.": Span(MAR)}
        assert facts(memory, as_of=JAN) == {"Ann works at Initech.": Span(LONG_AGO, MAR)}


def test_names_that_are_one_merge_and_short_ones_do_not() -> None:
    with opened() as memory:
        for text in (
            "Robert Smith lives in Oslo.",
            "robert smith has a dog.",
            "Bob lives in Bergen.",
            "Rob lives in Bodo.",
        ):
            memory.add(text)
        names = [one.text.casefold() for one in memory.list(kinds=ENTITY)]
        assert names.count("robert smith") == 1
        assert {"bob", "rob"} <= {*names}


def test_every_fact_names_its_episode() -> None:
    with opened() as memory:
        said = memory.add("Ann works at Acme. Ann lives in Oslo.", at=JAN)
        again = memory.add("Ann works at Acme.", at=FEB)
        stored = memory.list(kinds=FACT)
        assert len(stored) == 2
        for fact in stored:
            assert fact.source is not None
            assert fact.source.span is not None
            episode = memory.get(fact.source.memory)
            assert episode.id == said.id
            assert episode.text[slice(*fact.source.span)] == fact.text
            ends = [memory.get(link.target).text for link in memory.links(fact.id, relation=ABOUT)]
            assert ends[0] == "Ann"
            assert ends[1] in ("Acme", "Oslo")
        work = next(one for one in stored if "Acme" in one.text)
        assert [link.source for link in memory.links(work.id, relation=MENTIONS)] == [again.id]


CLIQUES = (("Ann", "Ben", "Cleo", "Dan"), ("Vera", "Walt", "Xena", "Yuri"))


def befriended(memory: Memory) -> None:
    for clique in CLIQUES:
        for at, one in enumerate(clique):
            for other in clique[at + 1 :]:
                memory.add(f"{one} knows {other}.")


def members(memory: Memory) -> set[frozenset[str]]:
    return {
        frozenset(memory.get(link.target).text for link in memory.links(one.id, relation=MEMBER))
        for one in memory.list(kinds=COMMUNITY)
    }


def test_two_planted_cliques_become_two_communities() -> None:
    with opened() as memory:
        befriended(memory)
        tend(memory)
        assert members(memory) == {frozenset(clique) for clique in CLIQUES}
        assert all(len(one.text) <= 1000 for one in memory.list(kinds=COMMUNITY))
        assert tend(memory) == 0, "upkeep that is done does nothing"
        memory.add("Zoe knows Vera.")
        assert frozenset({*CLIQUES[1], "Zoe"}) in members(memory), "a new entity joins at once"
        memory.add("Ben knows Zoe. Ann knows Zoe. Cleo knows Zoe. Dan knows Zoe.")
        tend(memory)
        assert frozenset({*CLIQUES[0], "Zoe"}) in members(memory), "and is looked at again by upkeep"
        assert tend(memory) == 0


def tend(memory: Memory) -> int:
    digester = memory._digester()
    assert digester is not None
    planned = digester.tend(MAY, plan=True)
    assert isinstance(planned, list)
    digester.tend(MAY)
    return len(planned)


SAID = (
    "Ann owns a red bicycle.",
    "Ann owns a red bicycle bell.",
    "Ben owns a red bicycle.",
    "Ann likes bicycles.",
)


@pytest.mark.parametrize(
    ("zep", "first"),
    [
        # rank fusion: the sum over the searches of 1 / (1 + rank), ranks from 0, here along one list
        (Zep(searches=("words",)), None),
        # lambda 1 is the order of cosines to the question: red, bicycle of 3 stems; bell adds a fourth
        (Zep(reranker="mmr", mmr_weight=1.0), "Ben owns a red bicycle."),
        # Ben's own fact is one link away, Ann's are joined to him over the bicycle alone
        (Zep(reranker="node-distance", center="Ben"), "Ben owns a red bicycle."),
        # said twice: two episodes against one
        (Zep(reranker="mentions"), "Ann likes bicycles."),
        (Zep(reranker="cross-encoder"), "Ann owns a red bicycle bell."),
    ],
    ids=["rrf", "mmr", "node-distance", "mentions", "cross-encoder"],
)
def test_each_reranker_orders_as_computed_by_hand(zep: Zep, first: str | None) -> None:
    class Longest:
        def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
            return [len(text) for text in texts]

    with opened(zep=replace(zep, ranker=Longest())) as memory:
        for text in (*SAID, SAID[3]):
            memory.add(text)
        hits = memory.search("Ben's red bicycle", kinds=FACT, gate=False)
        assert {hit.memory.text for hit in hits} == {*SAID} or first is None
        if first is None:
            ranks = [hit.shares["words"] for hit in hits]
            assert ranks == [pytest.approx(1 / (1 + rank)) for rank in range(len(hits))]
        else:
            assert hits[0].memory.text == first


# The interval rule


@given(st.permutations([0, 1, 2, 3, 4]))
def test_facts_that_exclude_each_other_form_one_line_in_whatever_order_they_arrive(order: list[int]) -> None:
    moments = [JAN + timedelta(days=day) for day in range(5)]
    stored: dict[str, Span] = {}
    for one in order:
        new = Span(moments[one])
        settled = settle(new, stored)
        stored |= {id: Span(stored[id].start, at) for id, at in settled.ended.items()}
        stored[str(one)] = Span(new.start, settled.until)
    assert stored == {str(at): Span(moments[at], moments[at + 1] if at < 4 else None) for at in range(5)}


def test_the_interval_rule_by_hand() -> None:
    assert settle(Span(MAR), {"gone": Span(JAN, FEB)}).ended == {}, "never true at once"
    assert settle(Span(MAR), {"now": Span(JAN)}).ended == {"now": MAR}
    assert settle(Span(JAN), {"a": Span(MAR), "b": Span(FEB)}).until == FEB
    assert settle(Span(JAN, FEB), {"a": Span(MAR)}).until == FEB
    assert settle(Span(JAN), {"twin": Span(JAN)}).level == ("twin",)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_store_has_the_same_times_in_whatever_order_they_arrive(order: tuple[int, ...]) -> None:
    said = (("Initech", LONG_AGO, JAN), ("Acme", JAN, MAR), ("Globex", MAR, None))
    with opened() as memory:
        for one in order:
            memory.add(f"Ann works at {said[one][0]}.", at=said[one][1])
        for name, start, end in said:
            assert facts(memory, as_of=start) == {f"Ann works at {name}.": Span(start, end)}
        assert memory.verify().problems == ()


def test_times_that_are_named_count_and_not_when_they_were_said() -> None:
    with opened() as memory:
        memory.add("Ann works at Globex.", at=MAR)
        memory.add("Ann moved to Lisbon in 2024.", at=MAR)
        assert memory.list(kinds=FACT, as_of=datetime(2025, 1, 1, tzinfo=UTC))[0].text.startswith(
            "Ann moved to Lisbon"
        )


def test_a_fact_that_is_denied_ends_and_one_told_twice_is_kept_once() -> None:
    with opened() as memory:
        memory.add("Ann works at Acme.", at=JAN)
        memory.add("Ann works at Acme. Ann works at Acme.", at=FEB)
        assert len(facts(memory)) == 1
        memory.add("Ann no longer works at Acme.", at=MAR)
        assert "Ann works at Acme." not in facts(memory)
        assert facts(memory, as_of=FEB)["Ann works at Acme."] == Span(JAN, MAR)


def test_of_two_that_began_at_once_neither_ends() -> None:
    with opened() as memory:
        memory.add("Ann works at Acme.", at=JAN)
        memory.add("Ann works at Globex.", at=JAN)
        assert {*facts(memory)} == {"Ann works at Acme.", "Ann works at Globex."}
        assert len(memory.links(relation="in-doubt-with")) == 1


# Searching


def test_the_walk_finds_what_no_word_of_the_question_says() -> None:
    said = ("Ann works at Globex.", "Globex uses Python.", "Walt plays chess.")
    with opened() as memory:
        for text in said:
            memory.add(text)
        on = {
            hit.memory.text: hit.shares
            for hit in memory.search("Where does Ann work?", kinds=FACT, gate=False)
        }
        assert "walk" in on[said[1]]
        assert "walk" not in on.get(said[2], {})
    with opened(zep=Zep(searches=("words",))) as memory:
        for text in said:
            memory.add(text)
        assert said[1] not in {hit.memory.text for hit in memory.search("Ann", kinds=FACT, gate=False)}


def test_the_current_value_comes_before_the_stale_turn() -> None:
    with opened() as memory:
        memory.add("Ann works at Acme.", at=JAN)
        memory.add("Ann works at Globex.", at=MAR)
        hits = memory.search("Where does Ann work?", gate=False)
        assert (hits[0].memory.kind, hits[0].memory.text) == ("zep.fact", "Ann works at Globex.")
        assert {hit.memory.kind for hit in hits} == {"zep.fact", "turn"}
        then = memory.search("Where does Ann work?", gate=False, as_of=FEB)
        assert then[0].memory.text == "Ann works at Acme."
        assert all(0 <= hit.score <= 1 for hit in hits)


def test_unknown_searches_and_rerankers_are_refused() -> None:
    for zep, error in (
        (Zep(reranker="best"), UnknownName),
        (Zep(searches=("smell",)), UnknownName),
        (Zep(reranker="cross-encoder"), InputError),
    ):
        with opened(zep=zep) as memory:
            memory.add("Ann works at Acme.")
            with pytest.raises(error):
                memory.search("Ann", gate=False)


def test_reading_links_stops_at_a_hub() -> None:
    def links_of(id: str) -> list[Link]:
        return [Link(f"{id}{n}", id, f"{id}{n}", "about", Span(JAN), Span(JAN)) for n in range(9)]

    assert len(reached(["a"], links_of, 1)) == 9
    assert len(reached(["a"], links_of, 2)) == 90
    assert len(reached(["a"], links_of, 3, most=5)) == 45
    assert reached(["a"], links_of, 0) == {}


# Digesting


def test_what_other_people_said_is_another_graph() -> None:
    with opened() as memory:
        memory.add("Ann works at Acme.", user="one", at=JAN)
        memory.add("Ann works at Globex.", user="two", at=MAR)
        assert len(facts(memory)) == 2
        assert {one.scope for one in memory.list(kinds=FACT)} == {Scope(user="one"), Scope(user="two")}


def test_digesting_again_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "memory.db") as memory:
        for text, at in (
            ("Ann works at Acme.", JAN),
            ("Ann works at Acme.", FEB),
            ("Ann works at Globex.", MAR),
        ):
            memory.add(text, at=at)
        before = memory.log(limit=1000)
        with memory.ledger.database.writing() as connection:
            connection.execute("DELETE FROM meta WHERE key = 'digested.zep'")
        assert digests.ask(memory.ledger.database, "zep", 0) == 3
        memory.digest()
        assert memory.log(limit=1000) == before
        assert memory.ledger.jobs.find(kind="digest.zep") == []


def test_the_recipe_says_what_it_is() -> None:
    zep = chosen("zep")
    assert isinstance(zep, Zep)
    assert (zep.limit, zep.depth, zep.rank_constant, zep.mmr_weight) == (10, 3, 1.0, 0.5)
    assert zep.paper
    assert zep.link.endswith("2501.13956")
    assert zep.differs
