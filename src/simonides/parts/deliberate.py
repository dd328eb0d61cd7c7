"""Read the verbatim log from end to end for one question: chunks, the facts in each, points from 0 to 10; no store.

Reading is by rules: a sentence has the share of the question's words that it holds, each weighed by how rare it is in
the log, or what the search makes of its turn where that is more. A turn that follows a question has its words too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simonides.parts import analyse
from simonides.parts.spans import sentences
from simonides.types import Hit, Memory

POINTS = 10
"""What a fact gets that holds all of the question."""
BEFORE = 0.3
"""What a word counts that stands only in the turn before, or in the speaker's name."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence that bears on the question.

    Attributes:
        span: its characters in the text of the memory.
        points: from 0 to 10.
        chunk: the number of the chunk it was read in, from 0.
    """

    memory: Memory
    span: tuple[int, int]
    points: float
    chunk: int


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Log:
    """Messages in the order in which they were said, ready to be read for several questions."""

    def __init__(self, messages: Sequence[Memory]) -> None:
        self.messages = messages
        self._stems = [_stems(one.text) for one in messages]
        self._speakers = [_stems(one.speaker) for one in messages]
        self._in = Counter(stem for held in self._stems for stem in held)

    def read(
        self, question: str, *, size: int = 60, chance: Mapping[str, float] | None = None
    ) -> list[Found]:
        """Return the best sentence of each message that bears on the question, in order of the log.

        Args:
            question: what is asked.
            size: messages of a chunk.
            chance: what a search makes of messages, by id, in [0, 1].
        """
        weights = self._weights(question)
        total = sum(weights.values())
        found: list[Found] = []
        for number, chunk in enumerate(chunks(range(len(self.messages)), size)):
            for place in chunk:
                message = self.messages[place]
                share = self._share(place, weights) / total if total else 0.0
                points = POINTS * max(share, (chance or {}).get(message.id, 0.0))
                if points > 0:
                    found.append(Found(message, self._best(message, weights), points, number))
        return found

    def _weights(self, question: str) -> dict[str, float]:
        asked = [word for word in analyse.words(question) if word not in analyse.STOPS]
        many = len(self.messages) + 1
        return {stem: math.log(1 + many / (1 + self._in[stem])) for stem in analyse.stems(asked)}

    def _share(self, place: int, weights: Mapping[str, float]) -> float:
        held, speaker = self._stems[place], self._speakers[place]
        before = (
            self._stems[place - 1]
            if place and self.messages[place - 1].text.rstrip().endswith("?")
            else set[str]()
        )
        return sum(
            weight if stem in held else BEFORE * weight if stem in before or stem in speaker else 0.0
            for stem, weight in weights.items()
        )

    def _best(self, message: Memory, weights: Mapping[str, float]) -> tuple[int, int]:
        spans = list(sentences(message.text)) or [(0, len(message.text))]
        return max(
            spans, key=lambda span: sum(weights.get(stem, 0.0) for stem in _stems(message.text[slice(*span)]))
        )


def hits(found: Sequence[Found], k: int, least: float = 0.0) -> list[Hit]:
    """Return the best `k` messages with at least so many points, best first, with the points as their score."""
    kept = sorted((one for one in found if one.points >= least), key=lambda one: -one.points)[:k]
    return [Hit(one.memory, min(1.0, one.points / POINTS), {"read": round(one.points, 3)}) for one in kept]


def _stems(text: str) -> set[str]:
    return {*analyse.stems([word for word in analyse.words(text) if word not in analyse.STOPS])}
