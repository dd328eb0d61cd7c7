"""Puts the turns of a benchmark conversation into a store, through the same doors as any user; knows no metric.

All turns are written in order of time, each with its own time as the start of its valid time. A question that is asked
before the last turn is asked `as_of` then: that is what the product offers for "what did we know in March", and it
leaves out later turns exactly as a store that stopped there would, word statistics included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from simonides.ledger import snapshot
from simonides.memory import Memory
from simonides.parts.rank import same_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from simonides.bench.cases import Conversation, Question, Turn
    from simonides.parts.embed import Reader
    from simonides.settings import Settings
    from simonides.types import Dropped, Hit

DEPTH = 100
"""Ranks that are looked at; a question whose evidence comes later scores 0, also in the mean reciprocal rank."""
_MOMENT = timedelta(microseconds=1)


class When(TypedDict):
    """The two times of a question."""

    now: datetime
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """What one search gave.

    Attributes:
        ranked: turn ids, best first, at most `DEPTH`.
        without: the same with one group of signals left out of the sum, by group.
        chance: the gate's chance that the store holds an answer.
        threshold: below which it refuses.
    """

    ranked: tuple[str, ...]
    without: Mapping[str, tuple[str, ...]]
    chance: float
    threshold: float


class Store:
    """One conversation in a real file, with the searches that are compared."""

    def __init__(
        self, path: Path | str, conversation: Conversation, settings: Settings, reader: Reader | None
    ) -> None:
        """Write the turns, read them with the full tier if there is one, and open a search for each variant."""
        self.conversation = conversation
        self._path = path
        self._reader = reader
        self._settings = replace(settings, background=False, synchronous="normal")
        self._open: dict[str, Memory] = {}
        memory = self._memory("default", self._settings)
        receipt = memory.add_many((row(turn) for turn in conversation.turns), wait=True)
        self._turn_of = {id: turn.id for id, turn in zip(receipt.ids, conversation.turns, strict=True)}

    def default(self, question: Question, groups: Sequence[str] = ()) -> Found:
        """Ask with the settings as given, refusing nothing; leave out each group of signals in turn."""
        explained = self._open["default"].explain(
            question.text,
            k=len(self._turn_of) if groups else DEPTH,
            gate=False,
            **when(self.conversation, question),
        )
        candidates = [*explained.hits, *explained.dropped]
        without = {group: self._without(candidates, group) for group in groups}
        return Found(self._turns(explained.hits), without, *explained.gate)

    def variant(self, name: str, question: Question, **changed: str) -> Found:
        """Ask the same file with other settings."""
        memory = self._open.get(name) or self._memory(name, replace(self._settings, **changed))
        explained = memory.explain(question.text, k=DEPTH, gate=False, **when(self.conversation, question))
        return Found(self._turns(explained.hits), {}, *explained.gate)

    def close(self) -> None:
        """Close every search and delete the file; what is on a server stays there."""
        for memory in self._open.values():
            memory.close()
        if isinstance(self._path, Path):
            snapshot.discard(snapshot.folder(self._path))
            for file in self._path.parent.glob(f"{self._path.name}*"):
                file.unlink()

    def _memory(self, name: str, settings: Settings) -> Memory:
        full = settings.meaning == "full"
        self._open[name] = Memory(self._path, settings=settings, embedder=self._reader if full else None)
        return self._open[name]

    def _turns(self, hits: Sequence[Hit | Dropped]) -> tuple[str, ...]:
        return tuple(self._turn_of[hit.memory.id] for hit in hits[:DEPTH])

    def _without(self, candidates: Sequence[Hit | Dropped], group: str) -> tuple[str, ...]:
        """Rank by the sum of the other groups' shares: the same as weights of 0 for the group's signals."""
        left = [sum(candidate.shares.values()) - candidate.shares.get(group, 0.0) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda i: -left[i])
        ranked = [candidates[i] for i in order]
        repeats = same_words([hit.memory for hit in ranked[: 2 * DEPTH]])
        return self._turns([hit for place, hit in enumerate(ranked) if place not in repeats])


def row(turn: Turn) -> dict[str, object]:
    """Return a turn as `Memory.add_many` takes it; what nobody said in a session has none."""
    said = turn.kind == "turn"
    return {
        "text": turn.text or "-",
        "kind": turn.kind,
        "speaker": turn.speaker or None,
        "at": turn.at,
        "session": turn.session if said else None,
    }


def when(conversation: Conversation, question: Question) -> When:
    """Return the times of a question: just after the last turn that it may use, and what was true then."""
    if question.at is None:
        return {"now": conversation.turns[-1].at + _MOMENT, "as_of": None}
    return {"now": question.at, "as_of": question.at - _MOMENT}
