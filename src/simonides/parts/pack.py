"""Pack hits into a prompt within a token budget, dated and cited; knows no store and no search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simonides.errors import InputError
from simonides.parts.analyse import count_tokens
from simonides.types import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.types import Hit

OPENING = "<memories>"
CLOSING = "</memories>"
"""The marks around the block: forged ones inside a memory are made harmless, and capture knows the block by them."""
CITED = 8
"""Last digits of an id that a citation shows; `get` and the command line take them."""
BEGINNING = 20
"""Characters for each token of the budget that are counted at first: more than any language needs."""
_FORGED = re.compile(r"<(\s*/?\s*memories\b)", re.IGNORECASE)


def pack(hits: Sequence[Hit], budget: int) -> Context:
    """Return the best hits that fit the budget, in the order in which they were said.

    A hit that does not fit is left out, and the next one is tried: a long memory does not push out short ones.
    """
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise InputError("budget", "must be a whole number of at least 1 token", repr(budget))
    lines = [line(hit) for hit in hits]
    costs = _costs(lines, budget)
    left = budget - count_tokens([f"{OPENING}\n{CLOSING}"])[0]
    kept: list[int] = []
    for place, cost in enumerate(costs):
        if cost + 1 <= left:
            kept.append(place)
            left -= cost + 1
    kept.sort(key=lambda place: (hits[place].memory.at, hits[place].memory.id))
    text = "\n".join([OPENING, *(lines[place] for place in kept), CLOSING]) if kept else ""
    chosen = set(kept)
    return Context(
        text=text,
        hits=tuple(hits[place] for place in kept),
        left_out=tuple(hit for place, hit in enumerate(hits) if place not in chosen),
        tokens=count_tokens([text])[0] if text else 0,
        budget=budget,
    )


def _costs(lines: Sequence[str], budget: int) -> list[int]:
    """Return the tokens of each line; of a long one whose beginning is too much already, those of the beginning."""
    begun = count_tokens([one[: BEGINNING * budget] for one in lines])
    whole = [len(one) <= BEGINNING * budget or cost > budget for one, cost in zip(lines, begun, strict=True)]
    return [cost if ok else count_tokens([one])[0] for one, cost, ok in zip(lines, begun, whole, strict=True)]


def line(hit: Hit) -> str:
    """Return one memory as a line of the block: date, speaker, quoted text, citation."""
    memory = hit.memory
    who = f"{memory.speaker}: " if memory.speaker else ""
    said = _FORGED.sub(r"&lt;\1", " ".join(f"{who}{memory.text}".split()))
    return f"- [{memory.at.date().isoformat()}] {said} [{memory.id[-CITED:]}]"
