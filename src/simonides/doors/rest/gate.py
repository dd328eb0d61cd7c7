"""Decides who comes in: one token, one address, one answer; knows neither requests nor routes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from simonides.doors.rest.problems import Refusal
from simonides.errors import Forbidden

if TYPE_CHECKING:
    from simonides.doors.rest.rates import Rates
    from simonides.doors.rest.stores import Caller, Stores

_MISSING = "Send the header Authorization: Bearer TOKEN."


class Gate:
    """Admits callers, and holds them to how often they may ask."""

    def __init__(self, stores: Stores, rates: Rates) -> None:
        self.stores, self.rates = stores, rates
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Note the event loop that all this happens on."""
        self._loop = asyncio.get_running_loop()

    async def admit(self, token: str, address: str) -> Caller:
        """Return who a token is.

        Raises:
            Refusal: nobody that is known (401), or too often (429).
        """
        if not token:
            raise _unauthorized("is missing", _MISSING)
        if not self.stores.knows(token):
            self.rates.require_few_failures(address)
        try:
            caller = await self.stores.caller(token)
        except Forbidden as err:
            self.rates.note_failure(address)
            raise _unauthorized(err.rule, err.way_out) from err
        self.rates.require(caller.id)
        return caller

    def admit_from_thread(self, token: str, address: str) -> Caller:
        """Do the same for who is not on the event loop."""
        assert self._loop is not None, "the server has not begun"
        return asyncio.run_coroutine_threadsafe(self.admit(token, address), self._loop).result()


def _unauthorized(rule: str, way_out: str) -> Refusal:
    return Refusal(401, "token", rule, "", way_out, headers={"WWW-Authenticate": 'Bearer realm="simonides"'})
