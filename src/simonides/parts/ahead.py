"""Analyse texts in a pool, ahead of whoever writes them; knows no store, and no pool but by its protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from simonides.ledger import Lexical
from simonides.parts import analyse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simonides.pool import Pool

T = TypeVar("T")


def analysed(
    batches: Iterable[list[T]], text_of: Callable[[T], object], pool: Pool | None
) -> Iterator[tuple[list[T], Mapping[str, Lexical]]]:
    """Yield each batch with the words of its texts; without a pool with none, so that who writes makes them.

    What is no text, or can't be stored, has no words here: whoever writes it refuses it.
    """
    if pool is None:
        yield from ((batch, {}) for batch in batches)
        return
    waiting: deque[tuple[list[T], list[str]]] = deque()

    def texts() -> Iterator[list[str]]:
        for batch in batches:
            found = list(dict.fromkeys(text for one in batch if isinstance(text := text_of(one), str)))
            waiting.append((batch, found))
            yield found

    for made in pool.map(lexical, texts()):
        batch, found = waiting.popleft()
        words = zip(found, made, strict=True)
        yield batch, {text: Lexical(*one) for text, one in words if one is not None}


def text_of(row: Mapping[str, object]) -> object:
    """Return the text of a row as `Memory.add_many` takes it, None where there is no such thing."""
    return row.get("text") if isinstance(row, Mapping) else None


def lexical(texts: Sequence[str]) -> list[tuple[bytes, bytes] | None]:
    """Return words and tokens of each text; None for what is no well-formed text."""
    return [_of(text) for text in texts]


def _of(text: str) -> tuple[bytes, bytes] | None:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character
        return None
    made = analyse.lexical(text)
    return made.words, made.tokens
