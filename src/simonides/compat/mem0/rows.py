"""Memories as mem0's dicts, key by key: what `get`, `search`, `get_all` and `history` answer; knows no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import md5
from uuid import UUID, uuid5

from simonides.compat.mem0.checks import IDENTITIES
from simonides.types import Hit, Json, Memory

Row = dict[str, Json]

PROMOTED = ("actor_id", "role", "attributed_to", "expiration_date")
"""Fields that mem0 keeps among the metadata, and shows beside them."""
CORE = frozenset({"data", "hash", "created_at", "updated_at", "id", "text_lemmatized"})
"""Fields of mem0's own payload; metadata of these names would be taken for them."""


def digest(text: str) -> str:
    """Return mem0's hash of a text."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def iso(value: datetime) -> str:
    """Return a time as mem0 writes it."""
    return value.astimezone(UTC).isoformat()


def created(memory: Memory) -> str:
    """Return when it was said; what the caller wrote into `created_at` stays as it was written."""
    told = memory.metadata.get("created_at")
    return told if isinstance(told, str) else iso(memory.at)


def payload(memory: Memory) -> Row:
    """Return what mem0 would keep of a memory: what its filters look at."""
    began = created(memory)
    names = {theirs: getattr(memory.scope, ours) for theirs, ours in IDENTITIES.items()}
    return {
        **({"role": memory.speaker} if memory.speaker else {}),
        **memory.metadata,
        **{name: value for name, value in names.items() if value},
        "data": memory.text,
        "hash": digest(memory.text),
        "created_at": began,
        "updated_at": began if memory.version == 1 else iso(memory.recorded.start),
    }


def row(memory: Memory) -> Row:
    """Return a memory as `get_all` shows it."""
    kept = payload(memory)
    shown: Row = {
        "id": memory.id,
        "memory": memory.text,
        "hash": kept["hash"],
        "metadata": None,
        "created_at": kept["created_at"],
        "updated_at": kept["updated_at"],
    }
    promoted = (*IDENTITIES, *PROMOTED)
    shown |= {name: kept[name] for name in promoted if name in kept}
    rest = {name: value for name, value in kept.items() if name not in CORE and name not in promoted}
    if rest:
        shown["metadata"] = rest
    return shown


def single(memory: Memory) -> Row:
    """Return a memory as `get` shows it."""
    return {**row(memory), "score": None}


def found(hit: Hit, *, explain: bool, threshold: float | None) -> Row:
    """Return a hit as `search` shows it; the shares of the score are ours."""
    shown = {**row(hit.memory), "score": hit.score}
    if explain:
        shares: dict[str, Json] = dict(hit.shares)
        shown["score_details"] = {"final_score": hit.score, "threshold": threshold, "shares": shares}
    return shown


def expired(metadata: Mapping[str, Json], today: date) -> bool:
    """Tell whether the day in `expiration_date` is over."""
    try:
        return date.fromisoformat(str(metadata.get("expiration_date") or date.max)) < today
    except ValueError:
        return False


def history(versions: Sequence[Memory]) -> list[Row]:
    """Return what happened to a memory, oldest first: ADD, UPDATE, DELETE; ADD again where it came back."""
    rows: list[Row] = []
    before: str | None = None
    for moment in sorted({one.recorded.start for one in versions}):
        newest = _believed(versions, moment)
        text = None if newest is None else newest.text
        if text is None and before is None:
            continue
        shown = newest or max(versions, key=lambda one: (one.recorded.start <= moment, one.version))
        event = "ADD" if before is None else "DELETE" if text is None else "UPDATE"
        kept = payload(shown)
        rows.append(
            {
                "id": str(uuid5(UUID(shown.id), f"{iso(moment)} {len(rows)}")),
                "memory_id": shown.id,
                "old_memory": before,
                "new_memory": text,
                "event": event,
                "created_at": kept["created_at"],
                "updated_at": iso(moment) if rows else kept["created_at"],
                "is_deleted": event == "DELETE",
                "actor_id": kept.get("actor_id"),
                "role": kept.get("role"),
            }
        )
        before = text
    return rows


def _believed(versions: Sequence[Memory], moment: datetime) -> Memory | None:
    """Return what was believed at a moment and had not ended then, the latest truth of it."""
    held = [
        one
        for one in versions
        if one.recorded.start <= moment and (one.recorded.end is None or one.recorded.end > moment)
        if one.valid.end is None or one.valid.end > moment
    ]
    return max(held, key=lambda one: one.valid.start, default=None)
