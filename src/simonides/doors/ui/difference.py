"""What changed between two texts, word by word; pure, knows no memory and no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

_PIECE = re.compile(r"\s+|\w+|[^\w\s]")
MOST_PIECES = 4000
"""Longer texts are compared line by line: time grows by the square."""


def changes(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield (``same``, ``gone`` or ``new``, text) in order; all but the gone ones together are the new text."""
    before, after = _PIECE.findall(old), _PIECE.findall(new)
    if len(before) + len(after) > MOST_PIECES:
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    gone, fresh = "", ""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        old_piece, new_piece = "".join(before[a:b]), "".join(after[c:d])
        if tag == "equal" and not ((gone or fresh) and new_piece.isspace() and d < len(after)):
            yield from _told(gone, fresh)
            gone, fresh = "", ""
            yield "same", new_piece
        else:  # a blank between two changes belongs to both
            gone, fresh = gone + old_piece, fresh + new_piece
    yield from _told(gone, fresh)


def _told(gone: str, fresh: str) -> Iterator[tuple[str, str]]:
    if gone:
        yield "gone", gone
    if fresh:
        yield "new", fresh
