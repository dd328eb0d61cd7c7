"""The review queue: duplicates, contradictions and junk, one after the other, to keep, merge or retire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simonides.doors.paper import count
from simonides.doors.ui.looks import Look
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import button, byline, choice, empty, notice, opening
from simonides.doors.ui.visit import Answer, Visit
from simonides.errors import InputError

if TYPE_CHECKING:
    from simonides.types import Doubt, Memory

LOOK = "review"
QUICK_SECONDS = 1.0
"""A review that took no longer is made anew after each decision; of a slow one only what was decided is taken out."""
AT_ONCE = 10
LOOKED_AT = 100
WHY = {
    "duplicate": "Said twice",
    "similar": "Nearly the same",
    "contradiction": "Can't both be true",
    "junk": "Junk",
}
HINT = {
    "duplicate": "Merging keeps the chosen one; the others are retired and point to it.",
    "similar": "Merging keeps the chosen one; the others are retired and point to it.",
    "contradiction": "Retire ends all but the chosen one. Keep both if both are true.",
    "junk": "Retire ends it; keep never asks again.",
}
DONE = {"keep": "Kept; it will not be asked again.", "merge": "Merged.", "retire": "Retired."}


def show(visit: Visit) -> Answer:
    """Show what is doubtful, newest first."""
    visit.store.require("read")
    look = visit.looks.look(LOOK, visit.store, lambda: visit.store.review(limit=LOOKED_AT))
    if look.value is None:
        return _waiting(look)
    found = look.value
    why = visit.one("why")
    chosen = [one for one in found if not why or one.why == why]
    said = DONE.get(visit.one("done"))
    undo = _undo(visit) if said and visit.one("event") else None
    body = join(
        notice(said, undo) if said else None,
        _filter(visit, why) if found else None,
        _list(visit, chosen) if chosen else _nothing(visit, any_=bool(found)),
    )
    return Answer("Review", body)


def _undo(visit: Visit) -> Html:
    hidden = el("input", type="hidden", name="event", value=visit.one("event"))
    return el("form", hidden, button("Undo"), method="post", action=visit.url("undo"))


def _filter(visit: Visit, why: str) -> Html:
    options = [("", "All of them"), *WHY.items()]
    form = el("form", el("div", choice("why", "What is doubtful", options, why), button("Show"), class_="filters"),
              method="get", action=visit.url("review"))  # fmt: skip
    return el("section", form)


def _nothing(visit: Visit, *, any_: bool) -> Html:
    if any_:
        return empty("None of that kind", join(el("a", "Show all", href=visit.url("review")), "."))
    return empty(
        "Nothing is doubtful", "No duplicates, contradictions or junk were found among the newest memories."
    )


def _list(visit: Visit, doubts: Sequence[Doubt]) -> Html:
    more = f", the first {AT_ONCE} of them" if len(doubts) > AT_ONCE else ""
    head = el(
        "p", f"{count(len(doubts), 'thing')} to decide{more}. Every decision can be undone.", class_="soft"
    )
    return el("section", head, *(_doubt(visit, one, place) for place, one in enumerate(doubts[:AT_ONCE])))


def _doubt(visit: Visit, doubt: Doubt, place: int) -> Html:
    memories = doubt.memories
    many = len(memories) > 1
    rows = [
        _pick(visit, one, f"d{place}-{number}", first=number == 0, many=many)
        for number, one in enumerate(memories)
    ]
    legend = el("legend", "Which one stays?" if many else "Is it worth keeping?")
    acts = [button("Keep both" if len(memories) == 2 else "Keep", name="decision", value="keep")]
    if many:
        acts.insert(0, button("Merge into the chosen one", name="decision", value="merge", look="main"))
    acts.append(
        button(
            "Retire the others" if many else "Retire",
            name="decision",
            value="retire",
            look="plain" if many else "main",
        )
    )
    form = el(
        "form",
        el("fieldset", legend, *rows),
        el("input", type="hidden", name="doubt", value=doubt.id),
        el("input", type="hidden", name="many", value="1") if many else None,
        el("div", *acts, class_="row")
        if visit.may("write")
        else el("p", "You may look, and not decide.", class_="soft"),
        method="post",
        action=visit.url("review"),
    )
    title = WHY.get(doubt.why, doubt.why)
    score = el(
        "p",
        f"{doubt.reason} ({doubt.score:.0%})",
        " ",
        el("small", HINT.get(doubt.why, "")),
        class_="soft",
    )
    return el(
        "article",
        el("h2", title, id=f"d{place}"),
        score,
        form,
        class_="panel doubt",
        aria_labelledby=f"d{place}",
    )


def _pick(visit: Visit, memory: Memory, name: str, *, first: bool, many: bool) -> Html:
    radio = el(
        "input",
        type="radio" if many else "hidden",
        name="stays",
        value=memory.id,
        checked=first and many,
        id=name,
    )
    text = memory.text if len(memory.text) < 600 else f"{memory.text[:600]}…"
    body = el(
        "div",
        byline(memory),
        el("label", text, for_=name if many else None, class_="words"),
        " ",
        opening(visit, memory, "Open"),
    )
    return el("div", radio, body, class_="pick" if many else None)


def _waiting(look: Look[list[Doubt]]) -> Answer:
    if look.error is not None:
        raise look.error
    said = el(
        "p",
        "Memories that say the same, or can't both be true, are being looked for.",
        more={"data-said": True},
    )
    return Answer("Review", join(said, el("progress", aria_label="Looking")), wait=1)


def settle(visit: Visit) -> Answer:
    """Do what was decided about one doubt."""
    decision, id = visit.one("decision"), visit.one("doubt")
    if decision not in DONE:
        raise InputError("decision", "must be keep, merge or retire", decision)
    keep = visit.one("stays") if visit.one("many") and decision != "keep" else None
    receipt = visit.store.settle(id, decision, keep=keep, reason="decided on the page")
    look = visit.looks.look(LOOK, visit.store, lambda: visit.store.review(limit=LOOKED_AT))
    if look.took <= QUICK_SECONDS:
        visit.looks.forget(LOOK, visit.store)
    elif look.value is not None:
        look.value = [one for one in look.value if one.id != id]
    event = receipt.seqs[0] if receipt.seqs else None
    return Answer(go=visit.url("review", done=decision, event=event))
