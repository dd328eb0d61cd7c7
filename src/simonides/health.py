"""What `doctor` says of models, jobs, calls and derived data: green or red, and the way out; and how much there is.

Changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.errors import SimonidesError, StoreError
from simonides.ledger import Finding
from simonides.ledger.jobs import SECOND, Health
from simonides.types import Status

if TYPE_CHECKING:
    from simonides.chosen import Chosen
    from simonides.ledger import Ledger
    from simonides.settings import Settings
    from simonides.spending import Spending

FEW_CALLS = 10
"""Model calls of a day below which their failures turn nothing red."""
SECONDS_PER_HOUR = 3600


def check(
    ledger: Ledger, settings: Settings, chosen: Chosen, spending: Spending, trouble: tuple[str, str]
) -> list[Finding]:
    """Return the findings; `trouble` is what keeps this process from reading, with the way out."""
    try:
        jobs = ledger.jobs.health()
        found = [
            _model(settings, chosen, trouble),
            _jobs(jobs),
            _backlog(jobs, age_seconds(ledger, jobs), settings.backlog_hours),
            _derived(ledger, codes=settings.meaning == "full"),
        ]
        if settings.daily_calls > 0 or settings.daily_cost > 0 or spending.today().calls:
            found.append(_calls(settings, spending))
    except StoreError as err:
        return [Finding("jobs", False, f"could not be read: {err}", err.way_out)]
    return found


def status(ledger: Ledger, settings: Settings, model: str) -> Status:
    """Count what a store holds."""
    sizes, jobs, full = ledger.sizes(), ledger.jobs.health(), settings.meaning == "full"
    return Status(
        path=str(ledger.path),
        memories=sizes.get("memories", 0),
        versions=sizes.get("versions", 0),
        links=sizes.get("links", 0),
        events=sizes.get("events", 0),
        backlog=ledger.backlog_size() if full else 0,
        bytes=sizes.get("bytes", 0),
        meaning=settings.meaning,
        model=model,
        dead=jobs.dead,
        oldest_seconds=age_seconds(ledger, jobs),
    )


def age_seconds(ledger: Ledger, jobs: Health) -> float:
    """Return how long the oldest job that is not dead has waited."""
    return max(0, ledger.calls.now() - jobs.oldest) / SECOND if jobs.oldest else 0.0


def _model(settings: Settings, chosen: Chosen, trouble: tuple[str, str]) -> Finding:
    if settings.meaning != "full":
        return Finding("full tier", True, f"meaning is {settings.meaning}")
    try:
        chosen.number()
    except SimonidesError as err:
        return Finding("full tier", False, str(err), err.way_out)
    what, way_out = trouble
    if what:
        return Finding("full tier", False, what, way_out)
    return Finding("full tier", True, f"model {chosen.name}")


def _jobs(jobs: Health) -> Finding:
    detail = f"{jobs.waiting} wait, {jobs.leased} are worked on, {jobs.retrying} failed before, {jobs.dead} are dead"
    if not jobs.dead:
        return Finding("jobs", True, detail)
    fix = "See `simonides jobs list --state dead`, then `simonides jobs retry --all`."
    return Finding("jobs", False, f"{detail}: {jobs.reason}", fix)


def _backlog(jobs: Health, seconds: float, hours: float) -> Finding:
    waiting = jobs.waiting + jobs.leased
    detail = f"{waiting} jobs wait; words and the instant tier find their memories meanwhile"
    if seconds <= hours * SECONDS_PER_HOUR:
        return Finding("backlog", True, detail)
    why = f": {jobs.reason}" if jobs.reason else ""
    detail = f"{detail}; the oldest for {seconds / SECONDS_PER_HOUR:.1f} hours{why}"
    return Finding("backlog", False, detail, "simonides jobs run")


def _calls(settings: Settings, spending: Spending) -> Finding:
    today = spending.today()
    detail = f"{today.calls} model calls today, {today.failed} failed, cost {today.cost:.4g}"
    if why := spending.spent():
        detail = f"{detail}; {why}: words and the instant tier answer questions until 00:00 UTC"
        return Finding("calls", False, detail, "Raise the setting daily_calls or daily_cost, or wait.")
    if today.calls >= FEW_CALLS and today.failed > settings.failure_share * today.calls:
        return Finding("calls", False, detail, "simonides jobs calls")
    return Finding("calls", True, detail)


def _derived(ledger: Ledger, *, codes: bool) -> Finding:
    found = ledger.damage(codes=codes)
    what = {
        "versions without words": found.words,
        "damaged words": found.words_off,
        "versions without codes that no job asks for": found.codes,
        "damaged codes": found.codes_off,
    }
    bad = ", ".join(f"{many} {name}" for name, many in what.items() if many)
    fix = "simonides reindex --missing" if bad else ""
    return Finding("derived", not bad, bad or "words and codes are whole", fix)
