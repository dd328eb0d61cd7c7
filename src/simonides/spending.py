"""Hold model calls that leave the machine to the day's budget, and keep the book of them; knows no protocol."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from simonides.errors import BudgetSpent, StoreError
from simonides.ledger.calls import Call, Spent

if TYPE_CHECKING:
    from collections.abc import Callable

    from simonides.ledger import Ledger
    from simonides.parts.endpoint import Sent
    from simonides.settings import Settings

QUESTION = "question"
"""Purpose of calls that somebody waits for: they are entered by the background, a moment later."""


class Spending:
    """The meter of one open store; safe for several threads.

    Processes that call at the same moment don't see each other's call, so that each may go over by one.

    Args:
        later: is told that calls wait to be entered; answers whether somebody will.
    """

    def __init__(self, ledger: Ledger, settings: Settings, later: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._settings = settings
        self._later = later
        self._lock = threading.Lock()
        self._made: list[Call] = []
        self.job: int | None = None

    def allow(self, sent: Sent) -> None:
        """Let a request leave.

        Raises:
            BudgetSpent: the calls or the money of the day are used up, or would be with it.
        """
        if why := self.spent(sent.tokens):
            way_out = "It goes on at 00:00 UTC, or when the setting is raised; see `simonides jobs calls`."
            raise BudgetSpent("model calls", why, "", way_out)

    def note(self, sent: Sent) -> None:
        """Enter a request that left."""
        asking = sent.purpose == QUESTION
        call = Call(
            self._ledger.calls.now(), sent.purpose, sent.model, None if asking else self.job, sent.tokens, 0,
            self._price(sent.tokens), sent.seconds, sent.ok, sent.detail,
        )  # fmt: skip
        with self._lock:
            self._made.append(call)
        if not (asking and self._later()):
            self.flush()

    def flush(self) -> None:
        """Enter what was noted; what the store can't take now is kept for the next time."""
        with self._lock:
            made, self._made = self._made, []
        if not made:
            return
        try:
            self._ledger.calls.record(made)
        except StoreError:
            with self._lock:
                self._made = made + self._made

    def spent(self, tokens: int = 0) -> str:
        """Return why a call (of so many tokens) may not leave today; empty when it may."""
        most, money = self._settings.daily_calls, self._settings.daily_cost
        if most <= 0 and money <= 0:
            return ""
        today = self.today()
        if 0 < most <= today.calls:
            return f"the {most} calls of the setting daily_calls are used up for today"
        if money > 0 and (today.cost >= money or today.cost + self._price(tokens) > money):
            return f"the {money:g} of the setting daily_cost are used up for today ({today.cost:.4g} spent)"
        return ""

    def today(self) -> Spent:
        """Return what was spent today, what is not entered yet too."""
        found = self._ledger.calls.today()
        with self._lock:
            made = list(self._made)
        return Spent(
            found.calls + len(made),
            found.failed + sum(not call.ok for call in made),
            found.prompt_tokens + sum(call.prompt_tokens for call in made),
            found.reply_tokens,
            found.cost + sum(call.cost for call in made),
        )

    def _price(self, tokens: int) -> float:
        return self._settings.endpoint_price * tokens / 1000
