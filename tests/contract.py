"""What every door must do the same, and the doors that do it; knows the scenario, and no door from inside.

A door is driven by an object that fits `Door`; `tests/contract_<name>.py` has ``opened(path)``, a context manager that
gives one over the store at `path`. The scenario is run through the door, and then the store itself is read: whatever
way memories came in, the same ones are believed, with the same histories.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from simonides import Memory

SAID = (
    ("2026-01-05T09:00:00Z", "Ana lives in Berlin and works for a museum."),
    ("2026-01-06T09:00:00Z", "The harbour project stores its data in PostgreSQL."),
    ("2026-01-07T09:00:00Z", "Ben is allergic to peanuts, so no satay."),
    ("2026-01-08T09:00:00Z", "The train to Porto leaves at seven in the morning."),
    ("2026-01-09T09:00:00Z", "Clara's birthday is on the third of May."),
)
MOVED = "Ana lives in Lisbon and works for a museum."
NOWHERE = "which alloy is the hull of the submarine made of?"

DOORS = (
    "python",
    "asynchronous",
    "cli",
    "rest",
    "mem0_rest",
    "mcp_stdio",
    "mcp_http",
    "mem0",
    "langgraph",
    "llama_index",
    "autogen",
)
"""The names behind `tests/contract_<name>.py`."""


class Door(Protocol):
    """A way into a store.

    Attributes:
        gates: whether a question that nothing answers gets nothing; some foreign interfaces always want the nearest.
        corrects: whether the interface can change what a memory says.
    """

    gates: bool
    corrects: bool

    def remember(self, text: str, at: str) -> str:
        """Write one memory, said at `at` where the interface can say so; return what the door knows it by."""
        ...

    def recall(self, query: str) -> list[str]:
        """Return the texts that answer, best first."""
        ...

    def read(self, id: str) -> str | None:
        """Return the text that is believed now; None where there is none."""
        ...

    def correct(self, id: str, text: str) -> None:
        """Change what a memory says."""
        ...

    def forget(self, id: str) -> None:
        """End a memory, so that it is found no more."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run of the scenario showed, through the door and in the store."""

    moved: tuple[str, ...]
    allergy: tuple[str, ...]
    believed: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...]


def opened(name: str, path: str) -> AbstractContextManager[Door]:
    """Return what opens a door by its name."""
    return import_module(f"contract_{name}").opened(path)


def run(door: Door, path: str) -> Seen:
    """Run the scenario through a door, and say what was seen."""
    ids = [door.remember(text, at) for at, text in SAID]
    assert len(set(ids)) == len(SAID), "each memory is known by something of its own"
    assert [door.read(id) for id in ids] == [text for _, text in SAID], (
        "what was said comes back word for word"
    )
    assert door.recall("which database does the harbour project use?")[0] == SAID[1][1]
    if door.gates:
        assert door.recall(NOWHERE) == [], "nothing fits, so nothing is the answer"
    if door.corrects:
        door.correct(ids[0], MOVED)
        assert door.read(ids[0]) == MOVED
    moved = door.recall("where does Ana live?")
    assert SAID[2][1] in door.recall("what is Ben allergic to?")
    door.forget(ids[2])
    assert door.read(ids[2]) is None, "what was forgotten is not read"
    allergy = door.recall("what is Ben allergic to?")
    assert SAID[2][1] not in allergy, "nor found"
    return Seen(tuple(moved[:1]), tuple(allergy[:1]) if door.gates else (), *stored(path))


def stored(path: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the texts that the store believes, and the texts of all versions of each memory, oldest first."""
    with Memory(path) as memory:
        told = {*(text for _, text in SAID), MOVED}
        believed = tuple(sorted(one.text for one in memory.list(limit=1000) if one.text in told))
        subjects = {event.subject for event in memory.log(limit=1000) if event.verb == "add"}
        texts = [tuple(each.text for each in memory.history(id)) for id in sorted(subjects)]
        return believed, tuple(sorted(each for each in texts if told & {*each}))
