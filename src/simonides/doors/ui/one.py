"""One memory: its text and source, versions, links and log, and what can be done with it; decides nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simonides.clock import parse_time
from simonides.doors.paper import count, short
from simonides.doors.ui.difference import changes
from simonides.doors.ui.markup import Child, Html, el, join
from simonides.doors.ui.pieces import (
    button,
    byline,
    ended,
    excerpt,
    facts,
    field,
    notice,
    opening,
    scope_of,
    span,
    table,
    text_field,
    when,
)
from simonides.doors.ui.planes import plane
from simonides.doors.ui.timeline_data import newest
from simonides.doors.ui.visit import Answer, Visit
from simonides.errors import InputError, NotFound
from simonides.types import Event, Link, Memory

if TYPE_CHECKING:
    from datetime import datetime

MOST_EVENTS = 200
MOST_LINKS = 100
DONE = {
    "remembered": "Remembered, word for word.",
    "corrected": "Corrected. The old text stays in the history.",
    "retired": "Retired. Searches don't find it any more; its history stays.",
    "restored": "Restored.",
    "undone": "Undone.",
}


def show(visit: Visit) -> Answer:
    """Show a memory with all that is known of it."""
    versions = visit.store.history(visit.place["id"])
    memory = newest(versions)
    events = visit.store.log(subject=memory.id, limit=MOST_EVENTS)
    left = join(_versions(versions), _events(visit, memory, events))
    right = join(_facts(visit, memory), _links(visit, memory), _clocks(visit, versions))
    body = join(
        _done(visit, events),
        byline(memory),
        el("blockquote", memory.text, class_="quote"),
        _source(visit, memory),
        _actions(visit, memory, versions),
        el("div", el("div", left), el("div", right), class_="two"),
    )
    return Answer(f"Memory {short(memory.id)}", body)


def _done(visit: Visit, events: Sequence[Event]) -> Html | None:
    """Say what was just done, with the way to take it back."""
    words = DONE.get(visit.one("done"))
    if words is None:
        return None
    undo = (
        _undo(visit, events[-1], "Undo")
        if events and visit.may("write") and visit.one("done") != "remembered"
        else None
    )
    return notice(words, undo)


def _undo(visit: Visit, event: Event, words: str) -> Html:
    fields = [
        el("input", type="hidden", name="event", value=event.seq),
        el("input", type="hidden", name="id", value=event.subject),
    ]
    label = f"Undo entry {event.seq}, {event.verb}"
    return el(
        "form",
        *fields,
        button(words, look="plain small", aria_label=label),
        method="post",
        action=visit.url("undo"),
    )


def _source(visit: Visit, memory: Memory) -> Html | None:
    """Show what the memory quotes, where it cites another one."""
    source = memory.source
    if source is None or not source.memory:
        return None
    try:
        cited = newest(visit.store.history(source.memory))
    except NotFound:
        return el("p", "What it was taken from is not here any more.", class_="soft")
    text: Child = excerpt(cited.text, 600)
    if source.span is not None:
        start, end = source.span
        text = join(
            cited.text[max(start - 160, 0) : start],
            el("mark", cited.text[start:end]),
            cited.text[end : end + 160],
        )
    origin = el(
        "p",
        "From ",
        el("a", "the memory it quotes", href=visit.memory(cited.id)),
        ", ",
        when(cited.at, cited.zone),
    )
    return el("section", el("h2", "Source"), el("blockquote", text, class_="source"), origin)


def _facts(visit: Visit, memory: Memory) -> Html:
    source = memory.source
    rows: list[tuple[str, Child]] = [
        ("Id", el("code", memory.id)),
        ("True", span(memory.valid.start, memory.valid.end, memory.zone)),
        ("Believed", span(memory.recorded.start, memory.recorded.end)),
        ("Said by", memory.speaker),
        ("Whose", scope_of(memory)),
        ("Source", source.name if source else ""),
        ("How said", source.modality if source and source.modality != "asserted" else ""),
        ("Sure", f"{memory.confidence:.0%}"),
        ("Matters", f"{memory.importance:.0%}"),
        *((key, str(value)) for key, value in {**memory.metadata, **memory.attributes}.items()),
    ]
    shown = facts((name, value) for name, value in rows if value)
    there = el("p", el("a", "On the timeline", href=visit.url("timeline", id=memory.id)), " · ",
               el("a", "In the graph", href=visit.url("graph", at=memory.id)))  # fmt: skip
    return el("section", el("h2", "What is known of it"), shown, there)


def _versions(versions: Sequence[Memory]) -> Html:
    """Show the versions, newest first, each with what it changed."""
    rows: list[Html] = []
    for place, one in reversed([*enumerate(versions)]):
        before = versions[place - 1].text if place else None
        state = (
            None
            if one.recorded.end is None
            else el("span", "replaced ", when(one.recorded.end), class_="faint")
        )
        by = f" · {one.actor}" if one.actor else ""
        head = el(
            "p",
            el("strong", f"Version {one.version}"),
            f" · {one.reason}",
            by,
            " · " if state else None,
            state,
        )
        text = el("p", *_diff(before, one.text), class_="diff")
        true = el("small", "True ", span(one.valid.start, one.valid.end, one.zone))
        rows.append(el("li", head, text, true, class_="now" if one.recorded.end is None else None))
    return el(
        "section",
        el("h2", count(len(versions), "version")),
        el("ol", *rows, class_="versions", reversed=True),
    )


def _diff(before: str | None, after: str) -> list[Child]:
    if before is None or before == after:
        return [excerpt(after, 300)]
    shown: list[Child] = []
    for what, text in changes(before, after):
        if what == "gone":
            shown.append(el("del", el("span", "removed: ", class_="unseen"), text))
        elif what == "new":
            shown.append(el("ins", el("span", "added: ", class_="unseen"), text))
        else:
            shown.append(text if len(text) < 400 else f"{text[:160]} … {text[-160:]}")
    return shown


def _events(visit: Visit, memory: Memory, events: Sequence[Event]) -> Html:
    undoable = visit.may("write")
    rows = [
        (
            str(one.seq),
            when(one.at, minutes=True),
            one.verb,
            one.actor,
            _undo(visit, one, "Undo") if undoable else None,
        )
        for one in reversed(events)
    ]
    heads = ("Entry", "When", "What", "Who", "Take back")
    return el("section", el("h2", "Log"), table(f"Log entries of memory {short(memory.id)}", heads, rows))


def _links(visit: Visit, memory: Memory) -> Html:
    found = visit.store.links(memory.id)
    rows = [el("li", _link(visit, link, memory.id)) for link in found[:MOST_LINKS]]
    more = (
        el("p", f"The first {MOST_LINKS} of {len(found):,}.", class_="soft")
        if len(found) > MOST_LINKS
        else None
    )
    none = el("p", "It is linked with nothing.", class_="soft")
    return el("section", el("h2", "Links"), el("ul", *rows, class_="plain-list") if rows else none, more)


def _link(visit: Visit, link: Link, here: str) -> Html:
    outward = link.source == here
    other = newest(visit.store.history(link.target if outward else link.source))
    arrow = f"{link.relation} →" if outward else f"← {link.relation}"
    return join(
        el("small", arrow, class_="faint"),
        el("br"),
        opening(visit, other, excerpt(other.text, 100)),
        " ",
        ended(other),
    )


def _clocks(visit: Visit, versions: Sequence[Memory]) -> Html | None:
    if len(versions) < 2:
        return None
    picture = el("div", plane(versions, visit.store.memory.clock.now()), class_="chart graph")
    hint = el(
        "p",
        "Across: when it was true. Upward: when the store said so. Filled is believed now.",
        class_="soft",
    )
    return el("section", el("h2", "On both clocks"), picture, hint)


def _actions(visit: Visit, memory: Memory, versions: Sequence[Memory]) -> Html | None:
    forms = (
        [_correct(visit, memory), _retire(visit, memory), _restore(visit, versions)]
        if visit.may("write")
        else []
    )
    if visit.may("erase"):
        address = visit.memory(f"{memory.id}/erase")
        forms.append(el("a", "Erase for good …", class_="button danger", href=address))
    return el("section", *forms, class_="acts", aria_label="Change it") if forms else None


def _folded(words: str, form: Html) -> Html:
    return el("details", el("summary", words), form, class_="panel act")


def _posted(visit: Visit, memory: Memory, act: str, *fields: Child) -> Html:
    return el("form", *fields, method="post", action=visit.memory(f"{memory.id}/{act}"), class_="stack")


def _correct(visit: Visit, memory: Memory) -> Html:
    form = _posted(
        visit,
        memory,
        "correct",
        field("What it says", el("textarea", f"\n{memory.text}", name="text", required=True)),
        text_field("at", "True from", type="date", described="correct-hint"),
        el(
            "small",
            "Empty: it was never true as written. A date: the old text stays true until then.",
            id="correct-hint",
        ),
        text_field("reason", "Why", "corrected"),
        el("input", type="hidden", name="if_version", value=memory.version),
        el("div", button("Correct", look="main"), class_="row"),
    )
    return _folded("Correct", form)


def _retire(visit: Visit, memory: Memory) -> Html:
    form = _posted(
        visit,
        memory,
        "retire",
        el("p", "Searches stop finding it. Its history stays, and it can be restored."),
        text_field("at", "Not true from (empty is now)", type="date"),
        text_field("reason", "Why", "retired"),
        el("div", button("Retire", look="main"), class_="row"),
    )
    return _folded("Retire", form)


def _restore(visit: Visit, versions: Sequence[Memory]) -> Html | None:
    if len(versions) < 2:
        return None
    options = [el("option", "Undo the last change", value="")]
    options += [
        el("option", f"Version {one.version}: {excerpt(one.text, 60)}", value=one.version) for one in versions
    ]
    form = _posted(
        visit,
        versions[-1],
        "restore",
        field("Bring back", el("select", *options, name="version")),
        text_field("reason", "Why", "restored"),
        el("div", button("Restore", look="main"), class_="row"),
    )
    return _folded("Restore", form)


def _at(visit: Visit) -> datetime | None:
    given = visit.one("at")
    return parse_time(given, "at") if given else None


def correct(visit: Visit) -> Answer:
    """Change what the memory says, unless somebody else did since the form was shown."""
    id = visit.place["id"]
    expected = visit.number("if_version", 0, 0, 2**31) or None
    versions = visit.store.history(id)
    expected = versions[-1].version if expected == newest(versions).version else expected
    reason = visit.one("reason") or "corrected"
    visit.store.update(id, visit.text("text"), at=_at(visit), if_version=expected, reason=reason)
    return Answer(go=visit.memory(id, done="corrected"))


def retire(visit: Visit) -> Answer:
    """End the memory."""
    visit.store.retire(visit.place["id"], at=_at(visit), reason=visit.one("reason") or "retired")
    return Answer(go=visit.memory(visit.place["id"], done="retired"))


def restore(visit: Visit) -> Answer:
    """Undo the last change of the memory, or bring one version back."""
    version = visit.number("version", 0, 0, 2**31) or None
    visit.store.restore(visit.place["id"], version=version, reason=visit.one("reason") or "restored")
    return Answer(go=visit.memory(visit.place["id"], done="restored"))


def undo(visit: Visit) -> Answer:
    """Undo what was written together with an entry of the log."""
    done = visit.store.undo(visit.number("event", 0, 0, 2**62), reason="undone on the page")
    visit.looks.forget("review", visit.store)
    id = visit.one("id")
    return Answer(
        go=visit.memory(id, done="undone") if id in done.ids else visit.url("health", done="undone")
    )


def ask_erase(visit: Visit) -> Answer:
    """Show what erasing would take with it, and ask for a word that nobody types by accident."""
    return _asked(visit)


def _asked(visit: Visit, wrong: str = "") -> Answer:
    id = visit.place["id"]
    planned = visit.store.erase(id, plan=True)
    counts = table(
        "What would be erased",
        ("What", "How many"),
        [(name, f"{many:,}") for name, many in planned.counts.items() if many],
    )
    others = [el("li", one) for one in planned.still_holding]
    held = (
        join(el("h3", "What may still hold it, and is not ours to clean"), el("ul", *others))
        if others
        else None
    )
    derived = (
        el("p", f"{count(planned.derived, 'memory', 'memories')} that cite it would go too.")
        if planned.derived
        else None
    )
    form = el(
        "form",
        text_field("typed", f"Type {short(id)} to erase it", required=True),
        text_field("reason", "Why (don't repeat in it what is to be forgotten)", ""),
        el(
            "div",
            button("Erase for good", look="danger"),
            el("a", "Keep it", class_="button plain", href=visit.memory(id)),
            class_="row",
        ),
        method="post",
        action=visit.memory(f"{id}/erase"),
        class_="stack",
    )
    memory = newest(visit.store.history(id))
    body = join(
        notice(wrong, bad=True) if wrong else None,
        byline(memory),
        el("blockquote", excerpt(memory.text, 400), class_="quote"),
        el(
            "p",
            "Erasing can't be undone: text, versions, links, words and codes go, and what the log says of them.",
        ),
        derived,
        counts,
        held,
        form,
    )
    return Answer(f"Erase memory {short(id)}?", body, status=400 if wrong else 200)


def erase(visit: Visit) -> Answer:
    """Erase the memory once its last digits were typed."""
    id = visit.place["id"]
    if visit.one("typed").casefold() != short(id):
        return _asked(visit, f"Nothing was erased: type {short(id)}, the last digits of its id.")
    try:
        gone = visit.store.erase(id, reason=visit.one("reason"))
    except InputError as err:
        return _asked(visit, str(err))
    rows: list[tuple[str, Child]] = [
        ("Entry in the log", f"{gone.seq}"),
        ("Memories", f"{len(gone.ids)}"),
        ("Links", f"{len(gone.links)}"),
        ("Still to be finished by upkeep", ", ".join(gone.pending)),
        ("Signature", el("code", gone.signature)),
    ]
    receipt = facts((name, value) for name, value in rows if value and value != "0")
    back = el("p", el("a", "All memories", class_="button plain", href=visit.url("")))
    return Answer("Erased", join(notice("It is gone for good. This is the receipt."), receipt, el("p"), back))
