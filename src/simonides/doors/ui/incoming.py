"""Importing: hand in a file, see what it is and what would come in, bring it in; reads no format itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from simonides.doors.importers import FORMATS
from simonides.doors.paper import count
from simonides.doors.ui.arrivals import OWN, Arrival, require
from simonides.doors.ui.markup import Child, Html, el, join
from simonides.doors.ui.pieces import button, excerpt, notice, table, text_field, when
from simonides.doors.ui.visit import Answer, Visit
from simonides.errors import InputError

STATES = {
    "looking": "Looking at it",
    "counted": "Ready to come in",
    "importing": "Coming in",
    "done": "It is in",
    "failed": "It did not come in",
}
PROBLEMS = 20


def show(visit: Visit) -> Answer:
    """Show where to put a file."""
    require(visit.store)
    form = el(
        "form",
        el(
            "label",
            el("span", "A file: drop it here, or choose one"),
            el("input", type="file", name="file", required=True),
            class_="field",
        ),
        text_field("zone", "Zone of times that carry none", "UTC"),
        el("div", button("Look at it", look="main"), class_="row"),
        el("p", "Nothing is written yet: first you see what is in it.", class_="soft"),
        method="post",
        action=visit.url("import"),
        enctype="multipart/form-data",
        class_="stack",
    )
    rows = [(el("strong", name), one.what) for name, one in FORMATS.items()]
    known = el("section", el("h2", "What can be read"), table("Formats", ("Format", "What it is"), rows))
    return Answer("Import", join(el("section", form), known))


def take(visit: Visit) -> Answer:
    """Keep the file and begin to look at it."""
    file = visit.file
    if file is None:
        raise InputError("file", "was not chosen", "", "Choose a file first.")

    def copy(path: Path) -> None:
        shutil.move(file.path, path)

    arrival = visit.arrivals.take(visit.store, file.name, visit.one("zone") or "UTC", copy)
    return Answer(go=visit.url(f"import/{arrival.key}"))


def one(visit: Visit) -> Answer:
    """Show how far a file is."""
    arrival = visit.arrivals.find(visit.place["key"], visit.store)
    parts: list[Child] = [
        el("p", el("strong", arrival.name), " ", _format(arrival)),
        _state(visit, arrival),
        _counts(arrival),
        _problems(arrival),
        _samples(arrival) if arrival.state == "counted" else None,
    ]
    return Answer("Import", el("div", *parts, id="result"), wait=1 if arrival.working else 0)


def _format(arrival: Arrival) -> str:
    if arrival.format == OWN:
        return "is what `simonides export` wrote: history and links come too"
    return f"is {FORMATS[arrival.format].what}" if arrival.format in FORMATS else ""


def _state(visit: Visit, arrival: Arrival) -> Html:
    words = el("p", f"{STATES[arrival.state]}.", more={"data-said": True})
    if arrival.state == "failed":
        out = el("p", arrival.way_out) if arrival.way_out else None
        again = el("a", "Choose another file", class_="button plain", href=visit.url("import"))
        return notice(f"{STATES['failed']}: {arrival.why}.", out, again, bad=True)
    if arrival.state == "done":
        return notice(
            "It is in, and can be found.",
            el("a", "See the newest", class_="button plain", href=visit.url("")),
        )
    if arrival.state == "counted":
        new = arrival.tally.new + arrival.tally.changed or (arrival.counts.memories if arrival.counts else 0)
        bring = button(f"Import {count(new, 'memory', 'memories')}", name="act", value="start", look="main")
        drop = button("Leave it", name="act", value="drop")
        form = el(
            "form",
            el("div", bring if new else None, drop, class_="row"),
            method="post",
            action=visit.url(f"import/{arrival.key}"),
        )
        return el(
            "div", words if new else el("p", "Nothing in it is new."), form, class_="notice", role="status"
        )
    return el("section", words, _progress(arrival), _again(visit, arrival))


def _progress(arrival: Arrival) -> Html:
    done = arrival.tally.new
    if arrival.state == "importing" and arrival.expected:
        return el(
            "progress",
            value=min(done, arrival.expected),
            max=arrival.expected,
            aria_label="Memories that are in",
        )
    return el("progress", aria_label=STATES[arrival.state])


def _again(visit: Visit, arrival: Arrival) -> Html:
    return el("p", el("a", "Look again", href=visit.url(f"import/{arrival.key}")), class_="soft")


def _counts(arrival: Arrival) -> Html | None:
    tally, own = arrival.tally, arrival.counts
    rows = [
        (
            tally.new,
            "new memories" + (f" in {count(len(tally.sessions), 'conversation')}" if tally.sessions else ""),
        ),
        (tally.already, "were here already"),
        (tally.changed, "changed since, and follow their file"),
        (tally.links, "links between them"),
        (tally.loose, "links to something that is not there, left out"),
        (tally.repaired, "with characters that can't be stored, replaced"),
        *((number, f"passed over: {reason}") for reason, number in tally.passed.most_common()),
        (len(tally.problems), "that can't be read"),
    ]
    if own is not None:
        rows = [
            (own.memories, "versions of memories"),
            (own.links, "versions of links"),
            (own.events, "entries of the log"),
            (own.skipped, "were here already"),
            (own.erased, "were erased here and stay out"),
        ]
    shown = [(f"{number:,}", what) for number, what in rows if number]
    return table("What is in the file", ("How many", "What"), shown) if shown else None


def _problems(arrival: Arrival) -> Html | None:
    problems = arrival.tally.problems
    if not problems:
        return None
    rows = [(one.where, one.reason) for one in problems[:PROBLEMS]]
    more = el("p", f"... and {len(problems) - PROBLEMS:,} more.") if len(problems) > PROBLEMS else None
    return el("section", el("h2", "What can't be read"), table("Problems", ("Where", "Why"), rows), more)


def _samples(arrival: Arrival) -> Html | None:
    if not arrival.tally.samples:
        return None
    rows = [(when(one.at), one.speaker or one.kind, excerpt(one.text, 120)) for one in arrival.tally.samples]
    return el("section", el("h2", "A few of them"), table("Samples", ("When", "Who", "What"), rows))


def act(visit: Visit) -> Answer:
    """Bring the file in, or leave it."""
    arrival = visit.arrivals.find(visit.place["key"], visit.store)
    if visit.one("act") == "start":
        visit.arrivals.start(arrival)
        return Answer(go=visit.url(f"import/{arrival.key}"))
    visit.arrivals.drop(arrival)
    return Answer(go=visit.url("import"))
