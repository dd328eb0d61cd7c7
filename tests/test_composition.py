"""A recipe derives by durable jobs, in kinds of its own, and can lose or change no turn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from backends import Place
from simonides import Memory, Settings
from simonides.errors import InputError, UnknownName
from simonides.ledger import digests
from simonides.recipes.composition import Look, Recipe, chosen
from simonides.types import Change, Kind, Retire, Scope
from simonides.types import Memory as Version

QUIET = Settings(meaning="instant", synchronous="normal")
SAID = ("Ana moved to Lisbon.", "Ben plays chess.", "Clara grows tomatoes.")


def loud(text: str) -> str:
    return f"{text.upper()} Echo!"


@dataclass(frozen=True)
class Shouting(Recipe):
    """Derives each turn in capitals, with an echo; what it derived from the turn before, it ends."""

    name: ClassVar[str] = "shouting"
    derives: ClassVar[tuple[str, ...]] = ("note",)
    ending: bool = False
    failing: str = ""

    def digest(self, told: Version, before: Sequence[Version], look: Look) -> Iterable[Change]:
        if self.failing and self.failing in told.text:
            raise InputError("shouting", "is not allowed here", told.text)
        yield self.derived(told, loud(told.text), kind=Kind.NOTE)
        if self.ending and before:
            for old in look.listed(self.kinds(), limit=1):
                yield Retire(old.id, told.at, reason="said since")


@dataclass(frozen=True)
class Whispering(Shouting):
    name: ClassVar[str] = "whispering"


def derived(memory: Memory, name: str = "shouting") -> list[str]:
    return sorted(one.text for one in memory.list(kinds=[f"{name}.note"]))


def test_what_is_derived_is_seen_by_those_who_ask_for_it(place: Place) -> None:
    with Memory(place(), recipe=Shouting(), settings=QUIET, **place.memory) as memory:
        for text in SAID:
            memory.add(text, user="ana", session="s")
        assert derived(memory) == [loud(text) for text in SAID]
        assert [one.text for one in memory.list()] == [*SAID]
        first = memory.list(kinds=["shouting.note"])[0]
        assert first.scope == Scope(user="ana")
        assert first.actor == "recipe:shouting"
        turn = memory.list()[0]
        assert first.source is not None
        assert (first.source.memory, first.source.span) == (turn.id, (0, len(turn.text)))
        assert {hit.memory.kind for hit in memory.search("chess", gate=False)} == {"turn", "shouting.note"}
    with Memory(place(), settings=QUIET, **place.memory) as memory:
        assert {hit.memory.kind for hit in memory.search("chess", gate=False)} == {"turn"}
        assert memory.search("chess", kinds=["shouting.note"])[0].memory.text == loud(SAID[1])


def test_a_recipe_catches_up_with_what_others_wrote(place: Place) -> None:
    with Memory(place(), settings=QUIET, **place.memory) as memory:
        memory.add_many([{"text": text} for text in SAID])
        memory.add("A note of somebody.", kind="note")
        with pytest.raises(InputError, match="recipe"):
            memory.digest()
    with Memory(place(), recipe=Shouting(), settings=QUIET, **place.memory) as memory:
        assert memory.digest() == 3
        assert memory.digest() == 0
        assert derived(memory) == [loud(text) for text in SAID]


def test_several_recipes_look_at_one_file(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with (
        Memory(path, recipe=Shouting(), settings=QUIET) as one,
        Memory(path, recipe=Whispering(), settings=QUIET) as other,
    ):
        one.add(SAID[0])
        other.add(SAID[1])
        one.digest()
        other.digest()
        for name in ("shouting", "whispering"):
            assert derived(one, name) == derived(other, name) == [loud(text) for text in SAID[:2]]
        assert [memory.text for memory in one.list()] == [*SAID[:2]]
        assert len(one.history(one.list()[0].id)) == 1


def test_deriving_again_adds_nothing(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", recipe=Shouting(ending=True), settings=QUIET) as memory:
        for text in SAID:
            memory.add(text, session="s")
        before = memory.log(limit=1000)
        with memory.ledger.database.writing() as connection:
            connection.execute("DELETE FROM meta WHERE key = 'digested.shouting'")
        assert digests.ask(memory.ledger.database, "shouting", 0) == 3
        memory.digest()
        assert memory.log(limit=1000) == before
        assert derived(memory) == [loud(SAID[2])]


def test_what_can_not_be_digested_is_stored_and_stays_a_job(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", recipe=Shouting(failing="chess"), settings=QUIET) as memory:
        receipts = [memory.add(text) for text in SAID]
        assert [receipt.state for receipt in receipts] == ["stored"] * 3
        assert derived(memory) == [loud(SAID[0]), loud(SAID[2])]
        (job,) = memory.ledger.jobs.find(kind="digest.shouting")
        assert "not allowed here" in job.reason
        assert memory.search("who plays chess?")[0].memory.text == SAID[1]
    with Memory(tmp_path / "memory.db", recipe=Shouting(), settings=QUIET) as memory:
        memory.ledger.jobs.hasten("digest.shouting")
        assert memory.digest() == 1
        assert derived(memory) == [loud(text) for text in SAID]


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[3])
from test_composition import QUIET, SAID, Shouting
from simonides import Memory
from simonides.digesting import Digester

class Killed(Shouting):
    pass

memory = Memory(sys.argv[1], recipe=Killed(ending=True), settings=QUIET)
left = int(sys.argv[2])
real = Digester._digest
def digest(self, job):
    global left
    left -= 1
    real(self, job)
    if not left:
        os._exit(9)  # applied, and the job not yet done
Digester._digest = digest
for text in SAID:
    memory.add(text, session="s")
"""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_kill_between_the_changes_and_the_job_is_harmless(tmp_path: Path, after: int) -> None:
    path = tmp_path / "memory.db"
    command = [sys.executable, "-c", KILLED, str(path), str(after), str(Path(__file__).parent)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9
    with Memory(path, recipe=Shouting(ending=True), settings=QUIET) as memory:
        memory.ledger.jobs.release(memory.ledger.jobs.find(kind="digest.shouting"))
        with memory.ledger.database.writing() as connection:  # the lease of the dead runs for a minute
            connection.execute("UPDATE job SET due = 0, worker = ''")
        for text in SAID[after:]:
            memory.add(text, session="s")
        memory.digest()
        assert derived(memory) == [loud(SAID[2])]
        assert len(memory.list(kinds=["shouting.note"], as_of=memory.list()[0].at)) <= 1
        adds = [
            event
            for event in memory.log(limit=100)
            if event.actor == "recipe:shouting" and event.verb == "add"
        ]
        assert len(adds) == len({event.subject for event in adds}) == 3
        assert memory.verify().problems == ()


def test_erasing_a_turn_takes_along_what_was_derived_from_it(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", recipe=Shouting(), settings=QUIET) as memory:
        first, *_ = [memory.add(text).id for text in SAID]
        gone = memory.erase(first)
        assert len(gone.ids) == 2
        assert derived(memory) == [loud(text) for text in SAID[1:]]


def test_unknown_recipes_and_kinds_are_refused() -> None:
    with pytest.raises(UnknownName):
        Memory(":memory:", recipe="no-such-recipe")
    with pytest.raises(UnknownName):
        chosen("no-such-recipe")
    with Memory(":memory:", settings=QUIET) as memory:
        for kind in ("mem0.thing", ".fact", "A.fact", "a.b.fact", "mem0.", "x" * 40 + ".fact"):
            with pytest.raises(UnknownName):
                memory.add("text", kind=kind)
        memory.add("text", kind="mem0.fact")
        assert memory.list() == []


def test_nobody_asks_a_plan_to_be_digested(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", recipe=Shouting(), settings=QUIET) as memory:
        memory.add(SAID[0], plan=True)
        assert memory.ledger.jobs.find(kind="digest.shouting") == []
        assert memory.status().memories == 0
