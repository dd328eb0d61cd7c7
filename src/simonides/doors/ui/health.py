"""How the store is: counts, findings with their fixes, jobs, the last changes; mends nothing but what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.doors.paper import count, short, size
from simonides.doors.ui.markup import Html, el, join
from simonides.doors.ui.pieces import button, command, notice, number, table, when
from simonides.doors.ui.visit import Answer, Visit

if TYPE_CHECKING:
    from simonides.doors.ui.looks import Look
    from simonides.ledger import Finding
    from simonides.types import Event

LOOK = "doctor"
LAST = 12
MOST_JOBS = 8
DONE = {"undone": "Undone.", "retried": "What was given up is tried again."}


def show(visit: Visit, said: Html | None = None) -> Answer:
    """Show all of it; for administrators of the whole store."""
    visit.store.require("admin")
    words = DONE.get(visit.one("done"))
    checkup = visit.looks.look(LOOK, visit.store, visit.store.doctor)
    body = join(
        said or (notice(words) if words else None),
        _figures(visit),
        _checkup(visit, checkup),
        _jobs(visit),
        _care(visit),
        _last(visit) if visit.whole else None,
    )
    return Answer("Health", body, wait=1 if checkup.working and not visit.sent else 0)


def _figures(visit: Visit) -> Html:
    status = visit.store.status()
    figures = [
        number(status.memories, "memories"),
        number(status.versions, "versions"),
        number(status.links, "links"),
        number(status.events, "entries in the log"),
        number(status.backlog, "still to be read by the model"),
        el("div", el("strong", size(status.bytes)), el("span", "on disk"), class_="figure"),
    ]
    where = el(
        "p",
        el("code", str(status.path)),
        f" · meaning is {status.meaning}",
        f" ({status.model})" if status.model else "",
        class_="soft",
    )
    return el("section", el("div", *figures, class_="figures"), where, aria_label="Counts")


def _checkup(visit: Visit, look: Look[list[Finding]]) -> Html:
    if look.value is None:
        again = el("p", el("a", "Look again", href=visit.url("health")), class_="soft")
        if look.error is not None:
            return el("section", el("h2", "It can't be looked at"), notice(str(look.error), again, bad=True))
        waits = el(
            "p", "Every page, index and entry of the log is being looked at.", more={"data-said": True}
        )
        return el("section", el("h2", "Looking ..."), waits, el("progress", aria_label="Looking"), again)
    bad = sum(not one.ok for one in look.value)
    verdict = "All is well" if not bad else f"{count(bad, 'thing')} to mend"
    rows = [_finding(one) for one in sorted(look.value, key=lambda each: each.ok)]
    looked = el("p", f"Looked at {look.age:.0f} seconds ago, in {look.took:.1f} seconds.", class_="soft")
    return el("section", el("h2", verdict), looked, el("div", *rows, role="list", aria_label="Findings"))


def _finding(one: Finding) -> Html:
    fix = el("p", el("strong", "Fix: "), command(one.fix)) if one.fix and not one.ok else None
    mark = el("span", "well" if one.ok else "to mend", class_="well" if one.ok else "ill")
    return el(
        "div", mark, el("strong", one.name), el("div", one.detail, fix), class_="finding", role="listitem"
    )


def _jobs(visit: Visit) -> Html:
    """List the work that waits or was given up."""
    jobs = visit.store.memory.ledger.jobs
    health, found = jobs.health(), jobs.find(limit=MOST_JOBS)
    words = f"{health.waiting:,} wait, {health.leased:,} are worked on, {health.dead:,} were given up."
    ledger = visit.store.memory.ledger
    now, about = ledger.calls.now(), ledger.load([job.row for job in found if job.row is not None])
    rows = [
        (
            str(job.job),
            job.kind,
            job.shown(now),
            el("a", short(about[job.row].id), href=visit.memory(about[job.row].id))
            if job.row in about
            else "–",
            str(job.attempts),
            job.reason,
        )
        for job in found
    ]
    heads = ("Job", "Kind", "State", "Memory", "Tries", "What went wrong")
    shown = table("Jobs", heads, rows) if rows else None
    again = (
        _act(visit, "health/retry", "Try again what was given up")
        if health.dead and visit.may("write")
        else None
    )
    return el("section", el("h2", "Jobs"), el("p", words, class_="soft"), shown, again)


def _act(visit: Visit, path: str, words: str) -> Html:
    return el("form", button(words), method="post", action=visit.url(path))


def _care(visit: Visit) -> Html:
    acts = [_act(visit, "health/check", "Look again"), _act(visit, "health/verify", "Verify the log")]
    if visit.may("write") and visit.may("erase"):
        acts.append(_act(visit, "health/upkeep", "Run upkeep"))
    acts.append(
        el("a", "Go through duplicates and contradictions", class_="button plain", href=visit.url("review"))
    )
    return el("section", el("h2", "Look after it"), el("div", *acts, class_="row"))


def _last(visit: Visit) -> Html:
    newest = visit.store.memory.ledger.head()[0]
    events = visit.store.log(after=max(newest - LAST, 0), limit=LAST)
    rows = [
        (
            str(one.seq),
            when(one.at, minutes=True),
            one.verb,
            _subject(visit, one),
            one.actor,
            _undo(visit, one),
        )
        for one in reversed(events)
    ]
    heads = ("Entry", "When", "What", "About", "Who", "Take back")
    return el("section", el("h2", "The last changes"), table("The last changes", heads, rows))


def _subject(visit: Visit, event: Event) -> Html | str:
    if event.verb in ("link", "unlink") or len(event.subject) != 32:
        return short(event.subject)
    return el("a", short(event.subject), href=visit.memory(event.subject))


def _undo(visit: Visit, event: Event) -> Html | None:
    if not visit.may("write") or event.verb == "erase":
        return None
    hidden = el("input", type="hidden", name="event", value=event.seq)
    label = f"Undo entry {event.seq}, {event.verb}"
    return el(
        "form",
        hidden,
        button("Undo", look="plain small", aria_label=label),
        method="post",
        action=visit.url("undo"),
    )


def check(visit: Visit) -> Answer:
    """Look at everything anew."""
    visit.store.require("admin")
    visit.looks.look(LOOK, visit.store, visit.store.doctor, anew=True)
    return Answer(go=visit.url("health"))


def verify(visit: Visit) -> Answer:
    """Check the log's chain and every memory against it."""
    visit.store.require("admin")
    found = visit.store.memory.verify()
    if found.ok:
        said = notice(
            f"The log is whole: {count(found.events, 'entry', 'entries')}, and every memory agrees with it.",
            el("code", found.head),
        )
    else:
        said = notice(
            "The log does not agree with the memories.",
            el("ul", *(el("li", one) for one in found.problems)),
            bad=True,
        )
    return show(visit, said)


def upkeep(visit: Visit) -> Answer:
    """Retire or erase what has expired, and finish what erasures have left."""
    for right in ("admin", "write", "erase"):
        visit.store.require(right)
    done = visit.store.memory.upkeep()
    erased = len(done.erasure.ids) if done.erasure else 0
    said = f"Upkeep is done: {count(len(done.retired), 'memory', 'memories')} retired, {erased} erased."
    rest = el("p", f"Still pending: {', '.join(done.pending)}.") if done.pending else None
    return show(visit, notice(said, rest))


def retry(visit: Visit) -> Answer:
    """Try again what was given up."""
    visit.store.require("admin")
    visit.store.require("write")
    visit.store.memory.ledger.jobs.retry()
    return Answer(go=visit.url("health", done="retried"))
