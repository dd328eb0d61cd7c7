"""From versions that the full tier has not read to their codes; pure but for `unread`, and knows no queue.

`read_rows` can be mapped over a pool of processes: what it takes and gives travels by pickle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from simonides.errors import BudgetSpent, InputError, SimonidesError, StoreError, shorten
from simonides.ledger import Code
from simonides.ledger.index import pack_vector
from simonides.parts import codes, models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.ledger import Ledger
    from simonides.parts.embed import Reader, States
    from simonides.settings import Settings
    from simonides.types import Memory


ENOUGH = 3
"""Texts that fail alone, with none that can be read, before the model is blamed and not the texts."""
Read: TypeAlias = "tuple[list[Code], dict[int, str]]"
"""Codes, and by row why those are missing that can't be read."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What a reader needs of one version: the end of the turn before it, and what was said."""

    row: int
    before: str
    text: str


def read_rows(items: Sequence[Unread], settings: Settings) -> list[Code]:
    """Return the codes of versions, with the model that the settings name, loaded once in each process.

    Pure, and made to be mapped over a pool: the result goes to `Ledger.put_codes` or `Ledger.staging.write`.

    Raises:
        InputError: the model is an endpoint's: its calls are counted where the store is open.
    """
    _require_local(settings)
    return read_with(_opened(settings), items)


def _require_local(settings: Settings) -> None:
    if settings.model.startswith(models.OPENAI):
        raise InputError("model", "can't be read in other processes", settings.model, "Read it in this one.")


@lru_cache(maxsize=2)
def _opened(settings: Settings) -> Reader:
    return models.open_reader(settings)


def read_with(reader: Reader, items: Sequence[Unread]) -> list[Code]:
    """Return the codes of versions, with a reader."""
    return coded([item.row for item in items], reader.read([(item.before, item.text) for item in items]))


def read_each(reader: Reader, items: Sequence[Unread]) -> Read:
    """Return the codes of versions and, by row, why those are missing that can't be read.

    All at once; when that fails, one by one, so that one bad text spoils no other.

    Raises:
        StoreError: several were tried alone, and none could be read: it is the model, and not the texts.
    """
    made, error = _attempt(reader, items)
    if error is None:
        return made, {}
    if len(items) == 1 and isinstance(error, SimonidesError):
        raise error
    failed: dict[int, str] = {}
    for item in items:
        one, error = _attempt(reader, [item]) if len(items) > 1 else ([], error)
        made += one
        if error is not None:
            failed[item.row] = reason_of(error)
            if not made and len(failed) == ENOUGH:
                if isinstance(error, SimonidesError):
                    raise error
                raise StoreError("full tier", reason_of(error), "", "See `simonides jobs list`.") from error
    return made, failed


def _attempt(reader: Reader, items: Sequence[Unread]) -> tuple[list[Code], Exception | None]:
    """Read; give back what the model raises: it may be anybody's, and raise anything."""
    try:
        return read_with(reader, items), None
    except BudgetSpent:
        raise
    except Exception as err:  # noqa: BLE001 - it becomes the reason of a job, and nothing is lost
        return [], err


def for_workers(settings: Settings) -> Settings:
    """Return what workers are given of the settings: no key, as they call nobody."""
    return replace(settings, endpoint_key="")


def read_in_pool(items: Sequence[Unread], settings: Settings) -> Read:
    """Return what `read_each` does, with the model that the settings name; made to be mapped over a pool."""
    _require_local(settings)
    return read_each(_opened(settings), items)


def reason_of(error: Exception) -> str:
    """Return an error as the reason of a job."""
    if isinstance(error, SimonidesError):
        return f"{error.subject}: {error.rule}"
    return shorten(f"{type(error).__name__}: {error}")


def unread(ledger: Ledger, rows: Sequence[int]) -> list[Unread]:
    """Return what a reader needs of rows; rows that are gone give empty texts."""
    before = ledger.previous(rows)
    texts = ledger.load([*rows, *before.values()])
    return [Unread(row, _said(texts.get(before.get(row, 0))), _said(texts.get(row))) for row in rows]


def coded(rows: Sequence[int], states: Sequence[States]) -> list[Code]:
    """Return what is stored of states: the pooled vector as 8-bit integers, and the token codes."""
    return [
        Code(row, pack_vector(one.pooled), codes.encode(one), b"")
        for row, one in zip(rows, states, strict=True)
    ]


def _said(memory: Memory | None) -> str:
    if memory is None:
        return ""
    return f"{memory.speaker}: {memory.text}" if memory.speaker else memory.text
