"""Recalled memories as text for a model: quoted, dated, cited, between marks, within a budget; knows no store.

Each line is ``- [date] "text" (what it is, where from) [last digits of its id]``. The text is a JSON string, so that it
stays one line and its quotes can't be closed from inside; marks that a memory forges are escaped in it. Capture knows
the block by its marks and the line by its form (`parts.capture`), and never stores either again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simonides import shapes
from simonides.parts.analyse import count_tokens
from simonides.parts.pack import CITED, CLOSING, OPENING
from simonides.types import Json, Memory

PLAIN_KINDS = ("turn", "note", "document")
"""Kinds that a line does not name."""
_CUT = " \u2026"
_UNSAFE = re.compile(
    rf"<(?=(?:\\(?:u[0-9a-f]{{4}}|[bfnrt])|[^A-Za-z<>])*memories)|[{chr(0x7F)}-{chr(0x9F)}{chr(0x2028)}{chr(0x2029)}]",
    re.IGNORECASE,
)
"""What begins a mark, whatever stands between its signs; and what some take for the end of a line."""
_CITATION = re.compile(rf" \[[0-9a-f]{{{CITED}}}\](?=[^\]]*$)")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines between marks.

    Attributes:
        shown: the places of the lines that are in it.
        cut: whether the only line is there in part.
    """

    text: str
    shown: tuple[int, ...]
    cut: bool = False


def line(memory: Memory) -> str:
    """Return a memory as one line of a block."""
    about = [] if memory.kind in PLAIN_KINDS else [memory.kind]
    if memory.speaker:
        about.append(f"said by {memory.speaker}")
    if memory.source is not None and memory.source.name:
        about.append(f"from {memory.source.name}")
    told = f" ({harmless(', '.join(about))})" if about else ""
    return _line(memory, f"{quote(memory.text)}{told}")


def whole(memory: Memory) -> str:
    """Return a memory with all there is to know of it as one line: its shape as JSON, without what is empty."""
    return _line(memory, record(_full(shapes.memory(memory))))


def _full(value: Mapping[str, Json]) -> dict[str, Json]:
    scope = value["scope"]
    own: dict[str, Json] = (
        {name: part for name, part in scope.items() if part} if isinstance(scope, dict) else {}
    )
    return {name: part for name, part in {**value, "scope": own}.items() if part not in (None, "", {})}


def record(value: Mapping[str, Json]) -> str:
    """Return an object as JSON in which nothing can be taken for a mark."""
    return _escaped(json.dumps(value, ensure_ascii=False))


def quote(text: str) -> str:
    """Return a text as a JSON string in which nothing can be taken for a mark."""
    return _escaped(json.dumps(text, ensure_ascii=False))


def harmless(text: str) -> str:
    """Return a short text, e.g. the name of a source, as part of one line."""
    return _escaped(json.dumps(" ".join(text.split()), ensure_ascii=False)[1:-1])


def _escaped(coded: str) -> str:
    """Return JSON without a sign that begins a mark, and without the line ends that JSON does not escape."""
    return _UNSAFE.sub(_coded, coded)


def _coded(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _line(memory: Memory, said: str) -> str:
    return f"- [{memory.at.date().isoformat()}] {said} [{memory.id[-CITED:]}]"


def block(lines: Sequence[str], budget: int, order: Sequence[int] | None = None) -> Block:
    """Return the lines that fit, the first ones first; where not even one does, the beginning of the first.

    Args:
        order: the places in the order in which those that fit are to stand; as they come if None.
    """
    frame = count_tokens([f"{OPENING}\n{CLOSING}"])[0]
    left, kept = budget - frame, list[int]()
    for place, cost in enumerate(count_tokens(list(lines)) if lines else ()):
        if cost + 1 <= left:
            kept.append(place)
            left -= cost + 1
    if not kept and lines:
        return Block(_framed([_beginning(lines[0], budget - frame - 1)]), (0,), cut=True)
    chosen = set(kept)
    stand = [place for place in (order or range(len(lines))) if place in chosen]
    return Block(_framed([lines[place] for place in stand]) if stand else "", tuple(stand))


def _framed(lines: Sequence[str]) -> str:
    return "\n".join([OPENING, *lines, CLOSING])


def _beginning(one: str, budget: int) -> str:
    """Return the beginning of a line that takes at most so many tokens, its date and citation kept."""
    cited = _CITATION.search(one)
    body, citation = (one[: cited.start()], cited[0].strip()) if cited else (one, "")
    low, high = len("- [2026-01-01] "), len(body)
    while low < high:
        middle = (low + high + 1) // 2
        if count_tokens([f"{body[:middle]}{_CUT} {citation}"])[0] <= budget:
            low = middle
        else:
            high = middle - 1
    return f"{body[:low]}{_CUT} {citation}"
