"""What the six tools do: recall, remember, correct, forget, context, status; parses and words, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from simonides.bounded import RIGHTS
from simonides.doors.mcp.answering import Answer, Caller, moment
from simonides.doors.mcp.quoted import block, line
from simonides.errors import InputError
from simonides.finding import SCOPE, Within
from simonides.parts.capture import strip
from simonides.types import Json, Memory, Receipt

NOTHING = "Nothing that is remembered fits."
EMPTY = "Nothing is remembered here yet."
MOST_HITS = 100
RECENT = 100
"""How many of the newest memories are tried for a budget."""


def remember(
    caller: Caller, *, text: str, kind: str = "note", at: str | None = None, source: str | None = None
) -> Answer:
    """Store a text, without what recall had put into it."""
    left = strip(text)
    if text.strip() and not left.strip():
        raise InputError(
            "text", "held only what recall had given you, which is stored already", "", "Nothing was stored."
        )
    receipt = caller.bounded.add(left, kind=kind, at=moment(at, "at"), source=source)
    taken = "" if left == text else " Recalled lines in it were left out: they are stored already."
    return Answer(f"Remembered as {receipt.id}.{taken}", facts(receipt))


def recall(
    caller: Caller,
    *,
    query: str,
    limit: int = 10,
    kinds: list[str] | None = None,
    as_of: str | None = None,
    budget: int | None = None,
) -> Answer:
    """Find what fits a question, best first."""
    within = Within(kinds=kinds, as_of=moment(as_of, "as_of"))
    hits = caller.bounded.search(query, k=min(limit, MOST_HITS), **within)
    if not hits:
        return Answer(f"{NOTHING} Say so, or ask in other words.")
    return shown([hit.memory for hit in hits], caller.budget(budget))


def correct(
    caller: Caller, *, id: str, text: str, at: str | None = None, reason: str = "corrected"
) -> Answer:
    """Replace what a memory says."""
    found = caller.id(id)
    left = strip(text)
    if text.strip() and not left.strip():
        raise InputError("text", "held only what recall had given you", "", "Write what is true instead.")
    receipt = caller.bounded.update(found, left, at=moment(at, "at"), reason=reason)
    return Answer(f"Corrected {found}. The old text is in its history.", facts(receipt))


def forget(caller: Caller, *, id: str, reason: str = "forgotten") -> Answer:
    """End a memory."""
    found = caller.id(id)
    receipt = caller.bounded.retire(found, reason=reason)
    return Answer(f"Forgotten: {found} is recalled no more. It can be restored.", facts(receipt))


def forget_or_erase(caller: Caller, *, id: str, reason: str = "forgotten", erase: bool = False) -> Answer:
    """End a memory, or erase it for good."""
    if not erase:
        return forget(caller, id=id, reason=reason)
    done = caller.bounded.erase([caller.id(id)])
    pending = f" Still to be finished by upkeep: {', '.join(done.pending)}." if done.pending else ""
    return Answer(
        f"Erased for good: {', '.join(done.ids)}.{pending}", {"ids": list(done.ids), "state": done.state}
    )


def context(caller: Caller, *, topic: str | None = None, budget: int | None = None) -> Answer:
    """Pack background for a task, oldest first."""
    if topic is None or not topic.strip():
        return newest(caller, budget)
    found = [hit.memory for hit in caller.bounded.search(topic, k=30)]
    if not found:
        return Answer(f"{NOTHING} Begin without background.")
    return shown(found, caller.budget(budget), chronological=True)


def newest(caller: Caller, budget: int | None = None) -> Answer:
    """Pack what was remembered last, oldest first."""
    found = caller.bounded.list(limit=RECENT, newest_first=True)
    if not found:
        return Answer(EMPTY)
    return shown(found, caller.budget(budget), chronological=True, rest="older")


def status(caller: Caller, *, id: str | None = None) -> Answer:
    """Tell whose memory it is and what it holds; or how far one memory is."""
    if id is not None:
        (one,) = caller.bounded.progress([caller.id(id)])
        why = f" ({one.reason})" if one.reason else ""
        return Answer(f"{one.id} is {one.state}{why}.", {"id": one.id, "state": one.state})
    bounded = caller.bounded
    scope = [f"{name} {value}" for name in SCOPE if (value := getattr(bounded.scope, name))]
    lines = [
        f"Bound to: {', '.join(scope) or 'nothing; all that is stored'}.",
        f"Allowed: {', '.join(right for right in RIGHTS if right in bounded.rights)}.",
    ]
    if "admin" in bounded.rights and not scope:
        now = bounded.status()
        lines += [
            f"Memories: {now.memories:,}, in {now.versions:,} versions, with {now.links:,} links.",
            f"Meaning: {now.meaning}. Still to be read by the model: {now.backlog:,} (they are found by words).",
        ]
    last = bounded.list(limit=1, newest_first=True)
    lines.append(f"Newest: {last[0].at.date().isoformat()}." if last else EMPTY)
    return Answer("\n".join(lines))


def shown(found: Sequence[Memory], budget: int, *, chronological: bool = False, rest: str = "more") -> Answer:
    """Return memories as a block within a budget, with a remark on what did not fit."""
    order = sorted(range(len(found)), key=lambda place: (found[place].at, found[place].id))
    room = budget - REMARK
    packed = block([line(one) for one in found], room, order if chronological else None)
    left = len(found) - len(packed.shown)
    remarks: list[str] = []
    if packed.cut:
        remarks.append("The memory is cut: it is longer than the budget.")
    if left:
        remarks.append(f"{left} {rest} did not fit into {budget} tokens.")
    return Answer("\n".join([packed.text, *remarks]))


REMARK = 40
"""Tokens kept back for remarks below a block."""


def facts(receipt: Receipt) -> dict[str, Json]:
    """Return what a program wants of a receipt."""
    return {"id": receipt.id, "ids": list(receipt.ids), "state": receipt.state, "events": list(receipt.seqs)}
