"""Choose the hits among ranked candidates: the gate, the same words only once, the first k; knows no index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simonides.parts.analyse import fold
from simonides.parts.fuse import chance
from simonides.types import Dropped, Hit, Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simonides.parts.recall import Ranked

SPARE = 10
"""Candidates that are loaded beyond `k` at once, to fill the places of those that only repeat another."""
LONG = 4000
"""Characters of a text that are compared by their words; what follows must be equal as it is."""
_SIGNS = re.compile(r"\W+")


def pick(
    ranked: Ranked, k: int, *, gate: bool, explained: int, load: Callable[[Sequence[int]], dict[int, Memory]]
) -> tuple[list[Hit], list[Dropped]]:
    """Return at most `k` hits, best first, and up to `explained` dropped candidates with the reason.

    Args:
        ranked: the candidates, best first.
        k: how many hits at most.
        gate: whether to return nothing when nothing fits.
        explained: how many dropped ones to load and name.
        load: gives the memories of rows; rows that are gone meanwhile are left out.
    """
    refused = gate and ranked.answerable < ranked.threshold
    if refused and not explained:
        return [], []
    hits: list[Hit] = []
    dropped: list[Dropped] = []
    seen: dict[tuple[str, str], Memory] = {}
    for place, memory in _loaded(ranked, k + max(explained, SPARE), load):
        score, shares = chance(ranked.logits[place]), ranked.shares(place)
        first = seen.setdefault(wording(memory), memory)
        if refused:
            why = f"nothing fits: the chance of an answer is {ranked.answerable:.2f}, below {ranked.threshold:.2f}"
        elif first is not memory:
            why = f"says the same as {first.id[-8:]}"
        elif len(hits) == k:
            why = f"ranked below the first {k}"
        else:
            hits.append(Hit(memory, score, shares))
            continue
        if len(dropped) < explained:
            dropped.append(Dropped(memory, score, shares, why))
        elif refused or len(hits) == k:
            break
    return hits, dropped


def _loaded(
    ranked: Ranked, at_once: int, load: Callable[[Sequence[int]], dict[int, Memory]]
) -> Iterator[tuple[int, Memory]]:
    """Yield places with their memories, best first; more are loaded only when those before were not enough."""
    for start in range(0, len(ranked.rows), at_once):
        rows = ranked.rows[start : start + at_once].tolist()
        loaded = load(rows)
        for place, row in enumerate(rows, start):
            if row in loaded:
                yield place, loaded[row]


def wording(memory: Memory) -> tuple[str, str]:
    """Return what is equal for two memories in which the same speaker says the same words in the same order.

    Capitals, accents and signs aside. What is said twice is kept twice in the store; it only takes one place among
    the hits.
    """
    bare = _SIGNS.sub(" ", fold(memory.text[:LONG])).strip() + memory.text[LONG:]
    return memory.speaker, bare or memory.text


def same_words(memories: Sequence[Memory]) -> dict[int, int]:
    """Return for each place whose memory only repeats an earlier one (by `wording`), the place of that one."""
    first: dict[tuple[str, str], int] = {}
    places = enumerate(first.setdefault(wording(memory), place) for place, memory in enumerate(memories))
    return {place: earlier for place, earlier in places if earlier != place}
