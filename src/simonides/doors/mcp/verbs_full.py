"""What the tools of the full profile do: every verb of a bounded store; parses and words, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, Unpack, cast

from simonides import shapes
from simonides.doors.mcp.answering import Answer, Caller, moment
from simonides.doors.mcp.quoted import block, harmless, line, record, whole
from simonides.doors.mcp.verbs import MOST_HITS, NOTHING, REMARK, facts, shown
from simonides.errors import FilterError, InputError
from simonides.finding import Within
from simonides.parts.analyse import count_tokens
from simonides.parts.lifecycle import Erasing
from simonides.types import Doubt, Hit, Json, Memory, Receipt

PAGE = 20
SMALLEST = 30
"""Tokens below which a block is not worth beginning."""


class Choosing(TypedDict, total=False):
    """Which memories, as a model writes it."""

    kinds: list[str]
    where: str
    user: str
    agent: str
    session: str
    project: str
    as_of: str
    known_at: str


class Finding(Choosing, total=False):
    """How to search, as a model writes it."""

    query: str
    limit: int
    now: str
    gate: bool
    budget: int


class Listing(Choosing, total=False):
    """What to list, as a model writes it."""

    limit: int
    after: str
    newest_first: bool
    budget: int


def _within(given: Choosing) -> Within:
    """Return what a search or a list is limited to."""
    return Within(
        user=given.get("user"), agent=given.get("agent"), session=given.get("session"),
        project=given.get("project"), kinds=given.get("kinds"), where=_filter(given.get("where")),
        as_of=moment(given.get("as_of"), "as_of"), known_at=moment(given.get("known_at"), "known_at"),
    )  # fmt: skip


def _filter(text: str | None) -> dict[str, Json] | None:
    if text is None or not text.strip():
        return None
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise FilterError(
            "where", f"must be JSON ({err})", text, 'Example: {"city": {"eq": "Lisbon"}}.'
        ) from err
    if not isinstance(found, dict):
        raise FilterError("where", "must be a JSON object", text, 'Example: {"city": {"eq": "Lisbon"}}.')
    return cast("dict[str, Json]", found)


def _asked(given: Finding) -> tuple[str, int, bool, Within]:
    within = _within(given)
    within["now"] = moment(given.get("now"), "now")
    return given.get("query", ""), min(given.get("limit", 10), MOST_HITS), given.get("gate", True), within


def search(caller: Caller, **given: Unpack[Finding]) -> Answer:
    """Find with every filter."""
    query, k, gate, within = _asked(given)
    hits = caller.bounded.search(query, k=k, gate=gate, **within)
    if not hits:
        return Answer(f"{NOTHING} With gate false the nearest are shown anyway.")
    return shown([hit.memory for hit in hits], caller.budget(given.get("budget")))


def explain(caller: Caller, **given: Unpack[Finding]) -> Answer:
    """Show what a search considered."""
    query, k, gate, within = _asked(given)
    found = caller.bounded.explain(query, k=k, gate=gate, **within)
    chance, threshold = found.gate
    head = [
        f"Considered {found.considered:,} memories; {len(found.hits)} fit.",
        f"Chance that an answer is here: {chance:.2f}, needed: {threshold:.2f}.",
        f"Read from the query: {record({**found.reading})}",
    ]
    rows = [f"{line(one.memory)} score {one.score:.2f}: {_shares(one)}" for one in found.hits]
    rows += [f"{line(one.memory)} dropped: {harmless(one.reason)}" for one in found.dropped]
    return _rows(rows, caller.budget(given.get("budget")), head)


def _shares(hit: Hit) -> str:
    return ", ".join(f"{name} {share:+.2f}" for name, share in hit.shares.items() if abs(share) >= 0.005)


def get(
    caller: Caller,
    *,
    id: str,
    as_of: str | None = None,
    known_at: str | None = None,
    budget: int | None = None,
) -> Answer:
    """Show one memory whole."""
    found = caller.bounded.get(
        caller.id(id), as_of=moment(as_of, "as_of"), known_at=moment(known_at, "known_at")
    )
    return _rows([whole(found)], caller.budget(budget))


def list_(caller: Caller, **given: Unpack[Listing]) -> Answer:
    """List memories, page by page."""
    limit, after = given.get("limit", PAGE), given.get("after", "")
    within = _within(given)
    found = caller.bounded.list(
        limit=limit,
        after=caller.id(after) if after else "",
        newest_first=given.get("newest_first", False),
        **within,
    )
    if not found:
        return Answer("There are no more." if after else "There are none.")
    return _page(
        found, [line(one) for one in found], caller.budget(given.get("budget")), full=len(found) == limit
    )


def _page(found: Sequence[Memory], lines: Sequence[str], budget: int, *, full: bool) -> Answer:
    """Return what fits of a page, and where the next one begins: lines of a page are never skipped."""
    fitting = len(lines)
    while fitting > 1 and len(block(lines[:fitting], budget - REMARK).shown) < fitting:
        fitting -= 1
    packed = block(lines[:fitting], budget - REMARK)
    more = full or fitting < len(lines)
    then = f"\nThe next page is after {found[fitting - 1].id}." if more else ""
    return Answer(f"{packed.text}{then}")


def history(caller: Caller, *, id: str, budget: int | None = None) -> Answer:
    """Show every version of a memory."""
    versions = caller.bounded.history(caller.id(id))
    return _rows([whole(one) for one in versions], caller.budget(budget), [f"Versions: {len(versions)}."])


def links(caller: Caller, *, id: str, relation: str | None = None, budget: int | None = None) -> Answer:
    """List the links of a memory."""
    found = caller.bounded.links(caller.id(id), relation=relation)
    if not found:
        return Answer("It has no links.")
    return _rows([record(shapes.link(one)) for one in found], caller.budget(budget), framed=False)


def neighbours(
    caller: Caller, *, id: str, hops: int = 1, relation: str | None = None, budget: int | None = None
) -> Answer:
    """Show what can be reached over links."""
    found = caller.bounded.neighbours(caller.id(id), hops, relation=relation)
    rows = [f"{line(caller.bounded.history(each)[-1])} at {distance}" for each, distance in found.items()]
    return _rows(rows, caller.budget(budget)) if rows else Answer("Nothing is linked with it.")


def log(
    caller: Caller, *, id: str | None = None, after: int = 0, limit: int = PAGE, budget: int | None = None
) -> Answer:
    """Read the log."""
    subject = "" if id is None else caller.id(id)
    found = caller.bounded.log(after=after, limit=limit, subject=subject)
    if not found:
        return Answer("The log has no such entries.")
    told = [{name: value for name, value in shapes.event(one).items() if name != "digest"} for one in found]
    return _rows([record(one) for one in told], caller.budget(budget), framed=False)


def restore(
    caller: Caller, *, id: str, version: int | None = None, reason: str = "restored", plan: bool = False
) -> Answer:
    """Bring back what a memory said."""
    done = caller.bounded.restore(caller.id(id), version=version, reason=reason, plan=plan)
    return _written(done, "Restored")


def undo(caller: Caller, *, event: int, reason: str = "undone", plan: bool = False) -> Answer:
    """Undo what was written together."""
    done = caller.bounded.undo(event, reason=reason, plan=plan)
    verb = "Would undo" if plan else "Undone:"
    return Answer(f"{verb} event {done.undone}, about {', '.join(done.ids)}.", shapes.undone(done))


def expire(
    caller: Caller, *, id: str, at: str | None = None, action: str = "retire", reason: str = "expiry set"
) -> Answer:
    """Say when a memory expires."""
    done = caller.bounded.expire(caller.id(id), moment(at, "at"), action=action, reason=reason)
    return _written(done, "It expires then:" if at else "It never expires:")


def link(caller: Caller, *, source: str, target: str, relation: str, evidence: str = "") -> Answer:
    """Link two memories."""
    done = caller.bounded.link(caller.id(source), caller.id(target), relation, evidence=evidence)
    return _written(done, "Linked, by")


def unlink(caller: Caller, *, id: str) -> Answer:
    """End a link."""
    done = caller.bounded.unlink(id.strip())
    return _written(done, "Ended")


def doctor(caller: Caller, *, budget: int | None = None) -> Answer:
    """Check the store."""
    found = caller.bounded.doctor()
    rows = [record({**_plain(one)}) for one in found]
    return _rows(rows, caller.budget(budget), framed=False)


def erase(
    caller: Caller,
    *,
    ids: Sequence[str] | None = None,
    query: str | None = None,
    subject: str | None = None,
    before: str | None = None,
    reason: str = "",
    plan: bool = True,
) -> Answer:
    """Erase for good, or count what would go."""
    chosen = Erasing(reason=reason)
    if query is not None:
        chosen["query"] = query
    if subject is not None:
        chosen["subject"] = subject
    if before is not None:
        chosen["before"] = moment(before, "before")
    if ids is not None and len(chosen) > 1:
        raise InputError(
            "ids", "can't be combined with a choice", "", "Give ids, or query, subject and before."
        )
    if ids is not None:
        done = caller.bounded.erase([caller.id(each) for each in ids], plan=plan, reason=reason)
    else:
        done = caller.bounded.erase(plan=plan, **chosen)
    what = f"{len(done.ids)} memories and {len(done.links)} links"
    told = (
        f"Would erase {what}. Call again with plan false to do it." if plan else f"Erased for good: {what}."
    )
    rest = {name: value for name, value in shapes.erasure(done).items() if name != "examples"}
    return Answer(told, rest)


def review(caller: Caller, *, limit: int = PAGE, budget: int | None = None) -> Answer:
    """List what is in doubt."""
    found: Sequence[Doubt] = caller.bounded.review(limit=limit)
    if not found:
        return Answer("Nothing is in doubt.")
    rows: Sequence[str] = [row for doubt in found for row in _doubt(doubt)]
    return _rows(rows, caller.budget(budget), [f"Doubts: {len(found)}."])


def _doubt(doubt: Doubt) -> Sequence[str]:
    head = f"{doubt.id}: {doubt.why}, {doubt.score:.2f}, {harmless(doubt.reason)}"
    return ["\n".join([head, *(f"{line(one)} whole id {one.id}" for one in doubt.memories)])]


def settle(
    caller: Caller,
    *,
    doubt: str,
    decision: str,
    keep: str | None = None,
    reason: str = "",
    plan: bool = False,
) -> Answer:
    """Decide on a doubt."""
    kept = None if keep is None else caller.id(keep)
    decide: Callable[..., Receipt] = caller.bounded.settle
    return _written(decide(doubt, decision, keep=kept, reason=reason, plan=plan), "Settled:")


def _written(done: Receipt, verb: str) -> Answer:
    told = "Planned; nothing was written:" if done.state == "planned" else verb
    return Answer(f"{told} {', '.join(done.ids) or 'nothing to do'}.", facts(done))


def _plain(value: object) -> dict[str, Json]:
    found = shapes.plain(value)
    return found if isinstance(found, dict) else {"found": found}


def _rows(rows: Sequence[str], budget: int, head: Sequence[str] = (), *, framed: bool = True) -> Answer:
    """Return rows within a budget; framed where they hold texts of memories."""
    above = "\n".join(head)
    room = budget - (count_tokens([above])[0] if above else 0) - REMARK
    if framed and room >= SMALLEST:
        packed = block(rows, room)
        shown, left, cut = packed.text, len(rows) - len(packed.shown), packed.cut
    else:
        kept = 0 if framed else _first(rows, room)
        shown, left, cut = "\n".join(rows[:kept]), len(rows) - kept, False
    remarks = ["The first is cut: it is longer than the budget."] if cut else []
    remarks += [f"{left} more did not fit into {budget} tokens."] if left else []
    return Answer("\n".join(part for part in (*head, shown, *remarks) if part))


def _first(rows: Sequence[str], room: int) -> int:
    """Return how many rows fit, from the first on."""
    kept = 0
    for cost in count_tokens([*rows]):
        room -= cost + 1
        if room < 0:
            break
        kept += 1
    return kept
