"""The stores that a server answers from, and who a bearer token is; knows no route.

SQLite: one file, one store. PostgreSQL: the tenant is part of the token, and the stores of the tenants that were asked
for last are kept open. All but `close` is called on the event loop; what waits runs in threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from simonides.bounded import RIGHTS, Bounded
from simonides.clock import SystemClock
from simonides.credentials import Credential, check, is_due, known_tenant, note_use, tenant_of
from simonides.doors.rest.config import QUICK, READ, WRITE
from simonides.doors.rest.problems import RETRY_SECONDS, Refusal
from simonides.errors import Forbidden, SimonidesError
from simonides.ledger.postgres.address import Address, is_address
from simonides.memory import Memory
from simonides.types import Scope

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from simonides.doors.rest.config import Limits
    from simonides.ledger.encrypted import Key
    from simonides.settings import Settings

T = TypeVar("T")
_MOST_REMEMBERED = 10_000
OURS = "sim_"
"""How the tokens of this program begin."""
STARTUP = "startup"
"""The id of the credential that a server makes for its owner."""


@dataclass(eq=False, slots=True)
class Opened:
    """An open store, and how many requests are at it.

    Attributes:
        tenant: under which it was asked for; empty for the one that is always open.
        name: of its tenant, as its tokens say it.
    """

    memory: Memory
    tenant: str
    name: str = ""
    users: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what the credential says, and nothing that the request says.

    Attributes:
        id: of the credential.
        name: of the credential; the actor of what it writes.
        expires: from then on it is none; None never.
        view: the store within the scope and the rights of the credential.
    """

    id: str
    name: str
    scope: Scope
    rights: tuple[str, ...]
    created: datetime | None
    expires: datetime | None
    store: Opened
    view: Bounded

    def has_expired(self) -> bool:
        """Tell whether the credential is good for nothing any more, whatever was true when it was checked."""
        return self.expires is not None and self.expires <= SystemClock().now()


class Stores:
    """Opens stores, resolves tokens, and runs verbs in a bounded number of threads.

    Args:
        place: a file, or the address of a PostgreSQL server.
        settings, key: as for `Memory`.
        startup: the token of the owner, which may do everything; empty for none.
        verify: tells who a token of an identity provider is.
    """

    def __init__(
        self,
        place: str | Path,
        limits: Limits,
        *,
        settings: Settings,
        key: Key | None = None,
        startup: str = "",
        verify: Callable[[str], Any] | None = None,
        actor: str = "rest",
    ) -> None:
        self.limits = limits
        self.settings = settings
        self._place, self._key, self._actor, self._verify = place, key, actor, verify
        self._many = is_address(place)
        self._fixed = bool(settings.tenant or (self._many and Address.of(str(place)).tenant))
        self._startup = _digest(startup) if startup else b""
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._opening: dict[str, asyncio.Task[Opened]] = {}
        self._noting: dict[str, asyncio.Task[None]] = {}
        self._remembered: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._lanes = {
            READ: ThreadPoolExecutor(limits.threads, "verb"),
            QUICK: ThreadPoolExecutor(max(1, limits.threads // 2), "quick"),
            WRITE: ThreadPoolExecutor(max(1, limits.threads // 2), "write"),
        }
        self._streams = ThreadPoolExecutor(limits.streams, "stream")
        self._busy = self._streaming = 0
        self.closing = False

    # Who asks

    async def caller(self, token: str) -> Caller:
        """Return who a token is.

        Raises:
            Forbidden: nobody; or not any more.
        """
        digest = _digest(token)
        known = self._remembered.get(digest)
        now = time.monotonic()
        if known is not None and known[1] > now and not known[0].has_expired():
            return known[0]
        found = await self._found(token, digest)
        self._remembered[digest] = (found, now + self.limits.remembered_seconds)
        self._remembered.move_to_end(digest)
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def knows(self, token: str) -> bool:
        """Tell whether a token was somebody's not long ago; it is not checked again."""
        return _digest(token) in self._remembered

    async def _found(self, token: str, digest: bytes) -> Caller:
        base = await self.store("")
        if self._startup and hmac.compare_digest(digest, self._startup):
            return self._caller(base, STARTUP, "owner", Scope(), RIGHTS)
        if self._verify is not None and not token.startswith(OURS):
            return await self._of_provider(token)
        tenant = tenant_of(token)
        if not await self._is_known(base, tenant):
            raise Forbidden("token", "is unknown here", "", "`simonides token create` issues one.")
        store = await self._of_tenant(base, tenant)
        found = await self.run(lambda: check(store.memory, token, note=False), store, lane=QUICK)
        if is_due(store.memory, found):
            self._note(store, found)
        times = {"created": found.created, "expires": found.expires}
        return self._caller(store, found.id, found.name, found.scope, found.rights, **times)

    def _note(self, store: Opened, credential: Credential) -> None:
        """Have it noted that a credential is used, by and by: nobody waits for it, and it may fail."""

        async def later() -> None:
            with suppress(Refusal, SimonidesError):
                await self.run(lambda: note_use(store.memory, credential), store, lane=WRITE)
            self._noting.pop(credential.id, None)

        if credential.id not in self._noting:
            self._noting[credential.id] = asyncio.create_task(later())

    async def _of_provider(self, token: str) -> Caller:
        """Return who a token of an identity provider is; the provider says the tenant too."""
        verify, base = self._verify, await self.store("")
        assert verify is not None
        found = await self.run(lambda: verify(token), lane=QUICK)
        tenant = getattr(found, "tenant", "")
        if not await self._is_known(base, tenant):
            raise Forbidden("token", "is of a tenant that is unknown here", "", "")
        store = await self._of_tenant(base, tenant)
        times = {"created": getattr(found, "created", None), "expires": getattr(found, "expires", None)}
        return self._caller(store, found.id, found.name, found.scope, found.rights, **times)

    async def _is_known(self, base: Opened, tenant: str) -> bool:
        """Tell whether there is a tenant that this server may serve; opening one that is not there would make it."""
        if not tenant or tenant == base.name or tenant in self._open:
            return True
        if not self._many or self._fixed:
            return False
        return await self.run(lambda: known_tenant(base.memory, tenant), base, lane=QUICK)

    async def _of_tenant(self, base: Opened, tenant: str) -> Opened:
        return base if not tenant or tenant == base.name else await self.store(tenant)

    def _caller(
        self,
        store: Opened,
        id: str,
        name: str,
        scope: Scope,
        rights: Iterable[str],
        *,
        created: datetime | None = None,
        expires: datetime | None = None,
    ) -> Caller:
        view = Bounded(store.memory, scope, rights, name or id)
        return Caller(id, name, scope, tuple(rights), created, expires, store, view)

    # Stores

    async def store(self, tenant: str) -> Opened:
        """Return the open store of a tenant; opened when it is first asked for."""
        found = self._open.get(tenant)
        if found is not None:
            self._open.move_to_end(tenant)
            return found
        task = self._opening.get(tenant)
        if task is None:
            task = asyncio.create_task(self._opened(tenant))
            self._opening[tenant] = task
            task.add_done_callback(lambda _: self._opening.pop(tenant, None))
        return await asyncio.shield(task)

    def open(self) -> None:
        """Open the store of nobody in particular now, before there is a loop: what is wrong with it shows at once."""
        memory = self._make("")
        self._open[""] = Opened(memory, "", memory.ledger.database.tenant_name)

    async def _opened(self, tenant: str) -> Opened:
        memory = await self.run(lambda: self._make(tenant))
        made = self._open[tenant] = Opened(memory, tenant, memory.ledger.database.tenant_name)
        await self._shed(made)
        return made

    def _make(self, tenant: str) -> Memory:
        settings = replace(self.settings, tenant=tenant) if tenant else self.settings
        return Memory(self._place, settings=settings, actor=self._actor, key=self._key)

    async def _shed(self, new: Opened) -> None:
        """Close the stores that nobody has asked for the longest, where a new one is one too many."""
        idle = [one for one in self._open.values() if not one.users and one.tenant and one is not new]
        for store in idle[: max(0, len(self._open) - self.limits.tenants)]:
            del self._open[store.tenant]
            gone = [key for key, (caller, _) in self._remembered.items() if caller.store is store]
            for key in gone:
                del self._remembered[key]
            await asyncio.wrap_future(self._lanes[WRITE].submit(store.memory.close))

    # Running

    async def run(
        self,
        verb: Callable[[], T],
        store: Opened | None = None,
        *,
        seconds: float | None = None,
        lane: str = READ,
    ) -> T:
        """Run a verb in a thread and return its result; the store it is about stays open until it is done.

        What writes, what searches and what is read in a moment have threads of their own, a lane each: writers wait
        for each other, nobody who reads waits for them, and who wants one memory waits for no search.

        Raises:
            Refusal: too many wait already (503), or it took too long (504): it may still come to its end.
        """
        if self._busy >= self.limits.waiting + self.limits.threads or self.closing:
            raise Refusal(
                503, "server", "is stopping" if self.closing else "has too much to do", "",
                "Try again in a moment.", headers={"Retry-After": str(RETRY_SECONDS)},
            )  # fmt: skip
        loop = asyncio.get_running_loop()
        self._busy += 1
        if store is not None:
            store.users += 1
        inner = self._lanes[lane].submit(verb)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(inner)
        except TimeoutError as err:
            if inner.done() and not inner.cancelled():
                raise
            way_out = "It may still be done: ask again, a write with the same Idempotency-Key."
            raise Refusal(504, "request", f"took longer than {seconds:g} seconds", "", way_out) from err
        finally:
            if inner.done():
                self._leave(store)
            else:
                inner.add_done_callback(lambda _: self._leave_later(loop, store))

    def require_stream(self) -> None:
        """Refuse one more import or export than there may be at once.

        Raises:
            Refusal: there are as many.
        """
        if self._streaming >= self.limits.streams or self.closing:
            rule = f"has {self._streaming} imports and exports under way"
            raise Refusal(503, "server", rule, "", "Try again later.", headers={"Retry-After": "30"})

    async def stream(self, work: Callable[[], T], store: Opened | None) -> T:
        """Run an import or an export in a thread, for as long as it takes."""
        self._streaming += 1
        if store is not None:
            store.users += 1
        try:
            return await asyncio.wrap_future(self._streams.submit(work))
        finally:
            self._streaming -= 1
            if store is not None:
                store.users -= 1

    def _leave(self, store: Opened | None) -> None:
        self._busy -= 1
        if store is not None:
            store.users -= 1

    def _leave_later(self, loop: asyncio.AbstractEventLoop, store: Opened | None) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody counts any more
            loop.call_soon_threadsafe(self._leave, store)

    def close(self) -> None:
        """Finish what runs, and close all stores; twice is fine."""
        self.closing = True
        for pool in (*self._lanes.values(), self._streams):
            pool.shutdown(wait=True, cancel_futures=True)
        while self._open:
            _, store = self._open.popitem()
            store.memory.close()

    async def aclose(self) -> None:
        """Close without standing in the way of the loop."""
        await asyncio.to_thread(self.close)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
