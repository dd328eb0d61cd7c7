"""Capture: a session's new turns into the store, each once; strips what recall put in, redacts secrets.

The key of a turn is the one that `simonides import claude-code` gives it, so neither stores what the other has. The
place in the transcript is told by the turns that are in the store: they and it can't contradict each other, and a
process that is killed leaves nothing behind that the next one could trip over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.doors.hooks.transcript import beginning, turns
from simonides.doors.importers.claude_code import FORMAT
from simonides.doors.importers.run import KEY
from simonides.errors import Conflict
from simonides.ledger.once import Once
from simonides.parts.intake import adding
from simonides.types import Json, Scope, Source

if TYPE_CHECKING:
    from simonides.doors.importers.record import Record
    from simonides.finding import Finding

BATCH = 100
"""Turns of one transaction: few enough that a capture which is stopped has kept most of them."""
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Session:
    """Whose turns they are."""

    transcript: Path
    id: str
    project: str


def capture(memory: Finding, session: Session) -> int:
    """Store the turns that are new since the last capture; return how many were.

    Raises:
        OSError: the transcript can't be read. StoreError: the store can't be written; what was stored stays.
    """
    for _ in range(_TRIES):
        try:
            return _capture(memory, session)
        except Conflict:
            continue  # another process captures the same session just now: look again
    return 0


def _capture(memory: Finding, session: Session) -> int:
    seen = memory.ledger.counters()["memory"]
    known = _known(memory, session)
    begin = beginning(session.transcript, known)
    found = turns(session.transcript, begin)
    gone = memory.ledger.erased_origins()
    stored = 0
    while batch := list(islice(found, BATCH)):
        keys = [f"{FORMAT}:{record.key}" for record in batch]
        there = known if begin else known | _anywhere(memory, keys)
        new = {
            key: record
            for key, record in zip(keys, batch, strict=True)
            if key not in there and record.text.strip() and not gone(key)
        }
        if new:
            now = memory.clock.now()
            changes = [adding(_row(key, record, session), now) for key, record in new.items()]
            memory.ledger.apply(changes, actor=memory.actor, once=Once(KEY, seen))
            known |= set(new)
            stored += len(new)
    return stored


def _known(memory: Finding, session: Session) -> set[str]:
    """Return the keys of the session that are in the store, in any version, retired ones too."""
    ledger = memory.ledger
    scopes = ledger.scopes(Scope(session=session.id)) if session.id else []
    return _keys(memory, ledger.rows_where({KEY: {"exists": True}}, scopes)) if scopes else set()


def _anywhere(memory: Finding, keys: Sequence[str]) -> set[str]:
    """Return which of these are in the store: a session that was resumed repeats the lines of another one."""
    return _keys(memory, memory.ledger.rows_where({KEY: {"in": [*keys]}}))


def _keys(memory: Finding, rows: Sequence[int]) -> set[str]:
    return {str(one.metadata.get(KEY)) for one in memory.ledger.load(rows).values()}


def _row(key: str, record: Record, session: Session) -> dict[str, object]:
    metadata: dict[str, Json] = {**record.metadata, KEY: key}
    return {
        "text": record.text,
        "speaker": record.speaker or None,
        "at": record.at,
        "session": record.session or session.id or None,
        "project": session.project or record.project or None,
        "metadata": metadata,
        "source": Source(f"{FORMAT}:{session.transcript.name}", modality=record.modality),
    }
