"""What a change means on two clocks, as pure functions from the believed rows of one memory to an edit.

Knows spans and rows; runs no SQL and reads no clock. The rows of one memory that are believed (recorded time open)
have valid spans that don't overlap; every edit keeps that so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simonides.clock import FOREVER, instant
from simonides.errors import InputError, NotFound
from simonides.ledger.rows import Edge, Version


@dataclass(frozen=True, slots=True)
class Opening:
    """A row to write: the content of `row` (its number, version and recorded time are given when it is written).

    Attributes:
        copies: the number of the row whose words and codes can be taken over, because the text is the same.
    """

    row: Version
    copies: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Rows that stop being believed, and rows that begin to be."""

    close: tuple[Version, ...] = ()
    open: tuple[Opening, ...] = ()


def supersede(believed: Sequence[Version], at: int | None, now: int) -> tuple[Edit, Version]:
    """Return the edit that makes room for new content, and the row (with its span) that the content goes into.

    A late arrival ends where the next known truth begins. Before the first truth, or in a gap, the new content ends
    where the next one starts.

    Raises:
        InputError: the memory has ended at that time.
    """
    ordered = sorted(believed, key=lambda row: row.valid_from)
    if at is None:
        newest = ordered[-1] if ordered else None
        if newest is None or newest.valid_to <= now:
            raise _ended(newest, "Restore it first, or say from when on (`at`) the new text holds.")
        return Edit(close=(newest,)), newest
    holding = _holding(ordered, at)
    if holding is not None:
        return _cut(holding, at), holding._replace(valid_from=at)
    later = next((row for row in ordered if row.valid_from > at), None)
    if later is None:
        raise _ended(ordered[-1] if ordered else None, "Restore it first.")
    return Edit(), later._replace(valid_from=at, valid_to=later.valid_from)


def retire(believed: Sequence[Version], at: int) -> Edit:
    """Return the edit after which nothing of the memory is true from `at` on.

    Raises:
        InputError: the memory has ended before `at`.
    """
    ending = [row for row in believed if row.valid_to > at]
    if not ending:
        newest = max(believed, key=lambda row: row.valid_from, default=None)
        raise _ended(newest, "There is nothing left to retire; `history` shows what happened.")
    return _merge(_cut(row, at) for row in ending)


def undo(rows: Sequence[Version]) -> Edit:
    """Return the edit that brings back what was believed before the latest change; undoing twice is redoing.

    Raises:
        InputError: the memory was only added.
    """
    latest = max(max(row.opened, row.closed or 0) for row in rows)
    if all(row.opened >= latest for row in rows):
        subject = f"memory {rows[0].id.hex()}"
        raise InputError(
            subject, "was only added, so there is nothing to undo", "", "Use `retire` to end it."
        )
    return Edit(
        close=tuple(row for row in rows if row.recorded_to == FOREVER and row.opened == latest),
        open=tuple(Opening(row, row.row) for row in rows if row.closed == latest),
    )


Row = TypeVar("Row", Version, Edge)


def rewind(rows: Sequence[Row], seq: int) -> tuple[list[Row], list[Row]]:
    """Return which believed rows must end and which earlier ones begin again, to believe what was before an event.

    A row that says the same as the one that is to come back is left alone. Works for all rows of one memory or link.
    """
    ending = [row for row in rows if row.closed is None]
    coming = [row for row in rows if row.opened < seq and (row.closed is None or row.closed >= seq)]
    for row in (*coming,):
        same = next((one for one in ending if _content(one) == _content(row)), None)
        if same is not None:
            ending.remove(same)
            coming.remove(row)
    return ending, coming


def _content(row: Version | Edge) -> Version | Edge:
    """Return a row without what is given to it when it is written."""
    return row._replace(
        row=0, version=0, recorded_from=0, recorded_to=0, reason="", actor="", opened=0, closed=None
    )


def bring_back(rows: Sequence[Version], version: int) -> Edit:
    """Return the edit that makes the text of one version true from its own start to the memory's first end.

    Raises:
        NotFound: there is no such version.
    """
    chosen = next((row for row in rows if row.version == version), None)
    if chosen is None:
        subject = f"memory {rows[0].id.hex()}"
        raise NotFound(
            subject, "has no such version", version, f"It has 1 to {max(row.version for row in rows)}."
        )
    believed = [row for row in rows if row.recorded_to == FOREVER and row.valid_to > chosen.valid_from]
    whole = chosen._replace(valid_to=max(row.valid_to for row in rows))
    edit = _merge(_cut(row, chosen.valid_from) for row in believed)
    return Edit(edit.close, (*edit.open, Opening(whole, chosen.row)))


def _holding(ordered: Sequence[Version], at: int) -> Version | None:
    return next((row for row in ordered if row.valid_from <= at < row.valid_to), None)


def _cut(row: Version, at: int) -> Edit:
    """Close a row and keep what of it lies before `at`."""
    if row.valid_from >= at:
        return Edit(close=(row,))
    return Edit(close=(row,), open=(Opening(row._replace(valid_to=at), row.row),))


def _merge(edits: Iterable[Edit]) -> Edit:
    parts = list(edits)
    return Edit(tuple(row for e in parts for row in e.close), tuple(o for e in parts for o in e.open))


def _ended(newest: Version | None, way_out: str) -> InputError:
    if newest is None:
        return InputError("memory", "is retired: nothing of it is believed", "", way_out)
    when = "" if newest.valid_to == FOREVER else instant(newest.valid_to).isoformat()
    return InputError(f"memory {newest.id.hex()}", "has ended (is retired)", when, way_out)
