"""D-Mem finds what its extractor dropped by reading the log, and reads the log only where an axis of its gate fails."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from simonides import Memory, Settings
from simonides.errors import UnknownName
from simonides.parts.escalate import AXES, Climb, tracing
from simonides.parts.extract import Fact, Rules, Told
from simonides.recipes.composition import chosen
from simonides.recipes.dmem import POLICIES, DMem, Policy

QUIET = Settings(meaning="instant", synchronous="normal", background=False)
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
PEOPLE = (
    "Ana Ben Clara Dmitri Elif Farid Grace Hanna Ivo Jun Kemal Lena Marta Nils Olga Pavel Rosa Samir Tess "
    "Viktor".split()
)
TOWNS = (
    "Lisbon Berlin Porto Vienna Utrecht Tbilisi Odessa Windhoek Oslo Lyon Turin Ghent Krakow Bergen "
    "Seville Dublin Malmo Riga Bern Split".split()
)
FIRMS = (
    "Kestrel Halyard Fennel Quarto Ostrich Vermeer Bramble Tundra Cobalt Larkspur Mistral Onyx Pagoda "
    "Russet Sable Teasel Umber Velum Wicker Zephyr".split()
)
DOGS = (
    "Max Rex Bella Coco Luna Milo Nala Otis Pip Rufus Sam Toby Vito Wanda Zack Archie Benny Dexter Figo "
    "Gus".split()
)
PLAYED = (
    "violin cello piano guitar oboe flute harp banjo trumpet drums viola tuba lute organ sitar ukulele "
    "clarinet bassoon mandolin accordion".split()
)


class Dropping:
    """Loses three facts of ten, the same ones every time."""

    def extract(self, told: Told) -> list[Fact]:
        return [fact for fact in Rules().extract(told) if not dropped(fact.text)]


def dropped(text: str) -> bool:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 10 < 3


def fixture() -> tuple[list[dict[str, object]], list[tuple[str, str]]]:
    said, asked = list[tuple[str, str]](), list[tuple[str, str]]()
    for place, (who, town, firm, dog, played) in enumerate(
        zip(PEOPLE, TOWNS, FIRMS, DOGS, PLAYED, strict=True)
    ):
        code = str(1000 + 37 * place)
        for text, question, value in (
            (f"I live in {town}.", f"Where does {who} live?", town),
            (f"I work at {firm}.", f"Which company does {who} work at?", firm),
            (f"My dog is called {dog}.", f"What is {who}'s dog called?", dog),
            (f"I play the {played} every Sunday.", f"Which instrument does {who} play?", played),
            (f"My locker code is {code}.", f"What is {who}'s locker code?", code),
        ):
            said.append((who, text))
            asked.append((question, value))
    random.Random(3).shuffle(said)
    return [
        {"text": text, "speaker": who, "at": BEGIN + timedelta(hours=n)} for n, (who, text) in enumerate(said)
    ], asked


ROWS, ASKED = fixture()


def run(policy: Policy) -> tuple[int, list[Climb]]:
    """Return how many of the questions are answered, and how."""
    right = 0
    with (
        Memory(":memory:", recipe=DMem(policy=policy, extractor=Dropping()), settings=QUIET) as memory,
        tracing() as seen,
    ):
        memory.add_many(ROWS)
        for question, value in ASKED:
            hits = memory.search(question, k=5, gate=False)
            right += value in seen[-1].attempt.answer.text and value in hits[0].memory.text
    return right, seen


@pytest.fixture(scope="module")
def runs() -> dict[str, tuple[int, list[Climb]]]:
    return {policy: run(policy) for policy in POLICIES}


def up(climbs: list[Climb]) -> float:
    return sum(one.rung == "full" for one in climbs) / len(climbs)


def test_the_gate_recovers_what_was_dropped_and_reads_a_third(
    runs: dict[str, tuple[int, list[Climb]]],
) -> None:
    fast, full, (gated, climbs) = runs["fast"][0], runs["full"][0], runs["gated"]
    assert fast < 0.8 * full
    assert gated >= 0.9 * full
    assert 0.2 <= up(climbs) <= 0.5
    assert sum(one.scanned for one in climbs) <= 0.5 * len(ASKED) * len(ROWS)


def test_the_record_says_which_axis_fired(runs: dict[str, tuple[int, list[Climb]]]) -> None:
    for climb in runs["gated"][1]:
        fast = climb.steps[0]
        assert [one.gate for one in fast.verdicts] == [*AXES]
        assert all(one.reason for one in fast.verdicts)
        assert (climb.rung == "full") == bool(climb.fired)
    assert {axis for climb in runs["gated"][1] for axis in climb.fired} >= {"relevance", "completeness"}


def test_policies_differ_as_their_names_say(runs: dict[str, tuple[int, list[Climb]]]) -> None:
    often = {policy: up(climbs) for policy, (_, climbs) in runs.items()}
    assert often["fast"] == 0
    assert often["full"] == 1
    assert often["consensus"] <= often["majority"] <= often["gated"] <= often["filter"] <= 1
    assert runs["fast"][0] <= runs["majority"][0] <= runs["gated"][0] <= runs["full"][0]
    unknown = cast("Policy", "often")
    with (
        Memory(":memory:", recipe=DMem(policy=unknown), settings=QUIET) as memory,
        pytest.raises(UnknownName),
    ):
        memory.search("Where does Ana live?")


def test_a_contradiction_among_the_facts_goes_to_the_log() -> None:
    with Memory(":memory:", recipe="d-mem", settings=QUIET) as memory, tracing() as seen:
        memory.add("I live in Lisbon.", speaker="Ana", at=BEGIN)
        says = {"subject": "Ana", "attribute": "home", "value": "Oslo", "single": True, "negated": False}
        recipe = memory.recipe
        assert isinstance(recipe, DMem)
        turn = memory.list()[0]
        memory.apply(
            [recipe.derived(turn, "Ana lives in Oslo.", attributes=says)]
        )  # as an extractor that misread
        hits = memory.search("Where does Ana live?", gate=False)
        assert "faithfulness" in seen[0].fired
        assert hits[0].memory.text == "I live in Lisbon."


def test_nothing_is_found_where_nothing_fits() -> None:
    with Memory(":memory:", recipe="d-mem", settings=QUIET) as memory:
        assert memory.search("Who painted the aqueduct?") == []
        memory.add_many(ROWS)
        assert memory.search("Who painted the aqueduct of Segovia?") == []
        assert memory.search("Where does Ana live?", kinds=["fact"])[0].memory.kind == "d-mem.fact"


def test_it_says_where_it_comes_from() -> None:
    recipe = chosen("d-mem")
    assert isinstance(recipe, DMem)
    wanted = {"facts": 30, "chunk": 60, "neighbours": 5, "policy": "gated"}
    assert wanted.items() <= recipe.constants().items()
    assert (recipe.year, recipe.link) == (2026, "https://arxiv.org/abs/2603.18631")
