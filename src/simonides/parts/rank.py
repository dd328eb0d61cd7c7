"""Choose the hits among ranked candidates: the gate, the same words only once, the first k; knows no index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.parts.analyse import words
from simonides.parts.fuse import chance
from simonides.types import Dropped, Hit, Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simonides.parts.recall import Ranked


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
    rows = ranked.rows[: k + max(explained, 20)].tolist()
    loaded = load(rows)
    places = [place for place, row in enumerate(rows) if row in loaded]
    memories = [loaded[rows[place]] for place in places]
    repeats = same_words(memories)
    hits: list[Hit] = []
    dropped: list[Dropped] = []
    for number, (place, memory) in enumerate(zip(places, memories, strict=True)):
        score, shares = float(chance(ranked.logits[place])), ranked.shares[place]
        if refused:
            why = f"nothing fits: the chance of an answer is {ranked.answerable:.2f}, below {ranked.threshold:.2f}"
        elif number in repeats:
            why = f"says the same as {memories[repeats[number]].id[-8:]}"
        elif len(hits) == k:
            why = f"ranked below the first {k}"
        else:
            hits.append(Hit(memory, score, shares))
            continue
        if len(dropped) < explained:
            dropped.append(Dropped(memory, score, shares, why))
    return hits, dropped


def same_words(memories: Sequence[Memory]) -> dict[int, int]:
    """Return for each place whose memory only repeats an earlier one, the place of that one.

    Two memories repeat each other when the same speaker says the same words in the same order, letters and signs
    aside. What is said twice is kept twice in the store; it only takes one place among the hits.
    """
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    repeats: dict[int, int] = {}
    for place, memory in enumerate(memories):
        key = (memory.speaker, tuple(words(memory.text)) or (memory.text,))
        if key in first:
            repeats[place] = first[key]
        else:
            first[key] = place
    return repeats
