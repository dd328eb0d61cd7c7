"""A session of the OpenAI Agents SDK over a store: each item is a memory; knows the SDK's protocol, no runner.

from simonides.compat.openai_agents import Session

await Runner.run(agent, "...", session=Session("trip-to-porto", "memory.db", user="ana"))
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from simonides.clock import new_id
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger.once import Once
from simonides.memory import Memory as Store
from simonides.types import Add, Kind, Memory, Retire, Scope

if TYPE_CHECKING:
    from agents import SessionSettings, TResponseInputItem

__all__ = ["Session"]

TOOL = "openai-agents"
"""What `tool` says in the metadata of items; `place` and `item` stand beside it."""
PAGE = 500
TRIES = 200
T = TypeVar("T")


class Session:
    """A conversation kept item by item; fits `agents.memory.Session`, and the runner takes it as it is.

    Items come back as they were given, in the order in which they were added: one after the other, however many
    processes add to one session, and those of one call side by side. What users and assistants say in them is found by
    `Memory.search`, each as a turn of this session.

    Args:
        session_id: the session of the scope.
        memory: an open store, which stays open; or its path; None is the default one.
        user, agent, project: the rest of the scope.
        erase: `pop_item` and `clear_session` erase for good; by default items end, and their history is kept.
        session_settings: as in the SDK: how many items a run reads.
    """

    def __init__(
        self,
        session_id: str,
        memory: Store | str | Path | None = None,
        *,
        user: str = "",
        agent: str = "",
        project: str = "",
        erase: bool = False,
        session_settings: SessionSettings | None = None,
    ) -> None:
        if not session_id:
            raise InputError("session_id", "must not be empty", "", "Name the conversation.")
        self.session_id = session_id
        self.session_settings = session_settings
        self._owned = not isinstance(memory, Store)
        self.memory = memory if isinstance(memory, Store) else Store(memory)
        self.scope = Scope(user, agent, session_id, project)
        self._erase = erase
        name = "\0".join((TOOL, user, agent, session_id, project))
        self._name = hashlib.sha256(name.encode()).hexdigest()[:32]

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the latest items, at most `limit` (all when None or negative), oldest first."""
        if limit is None and self.session_settings is not None:
            limit = self.session_settings.limit
        return await _finished(lambda: [_item(one) for one in self._latest(limit)])

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items at the end, all or none; they are durable when this returns."""
        if items:
            given = [_written(cast("Mapping[str, Any]", item)) for item in items]
            await _finished(lambda: self._add(given))

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the last item away and return it; None when there is none."""
        return await _finished(self._pop)

    async def clear_session(self) -> None:
        """Take all items away."""
        await _finished(self._clear)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned:
            self.memory.close()

    # What is there

    def _page(self, limit: int, after: str = "") -> list[Memory]:
        """Return the items before one, newest first."""
        whose = self.scope
        return self.memory.list(
            user=whose.user, agent=whose.agent, session=whose.session, project=whose.project,
            where={"tool": TOOL}, limit=limit, after=after, newest_first=True,
        )  # fmt: skip

    def _latest(self, limit: int | None) -> list[Memory]:
        """Return the latest items, oldest first."""
        found: list[Memory] = []
        wanted = None if limit is None or limit < 0 else limit
        while wanted is None or len(found) < wanted:
            size = PAGE if wanted is None else min(PAGE, wanted - len(found))
            page = self._page(size, found[-1].id if found else "")
            found += page
            if len(page) < size:
                break
        return found[::-1]

    # Changing it

    def _add(self, given: Sequence[tuple[Mapping[str, Any], str]]) -> None:
        """Write items behind the last one; who was overtaken looks again.

        Two who add behind the same item would give the same place twice; the transaction of the second one sees that.
        """
        for attempt in range(TRIES):
            seen = self.memory.ledger.counters()["memory"]
            last = next(iter(self._page(1)), None)
            changes = [*self._behind(last, given)]
            try:
                self.memory.ledger.apply(changes, actor=self.memory.actor, once=Once("place", seen))
            except Conflict:
                if attempt == TRIES - 1:
                    raise
                continue
            self.memory.apply(())  # wakes the full tier
            return

    def _behind(self, last: Memory | None, given: Sequence[tuple[Mapping[str, Any], str]]) -> Iterator[Add]:
        """Yield items as memories behind another one; ids grow with the places, for lists are in the order of ids."""
        number, id = (0, "") if last is None else (_number(last), last.id)
        for item, text in given:
            number, id = number + 1, max(new_id(), _next(id))
            role = str(item.get("role") or _SPEAKERS.get(str(item.get("type")), ""))
            said = item.get("role") in ("user", "assistant") and _words(item)
            yield Add(
                id,
                _words(item) or f"({item.get('type') or 'item'})",
                self.memory.clock.now(),
                kind=Kind.TURN if said else Kind.ARTIFACT,
                scope=self.scope,
                speaker=role,
                metadata={"tool": TOOL, "place": f"{self._name}:{number}", "item": text},
            )

    def _pop(self) -> TResponseInputItem | None:
        for _ in range(TRIES):
            last = next(iter(self._page(1)), None)
            if last is None or self._end([last]):
                return None if last is None else _item(last)
        raise Conflict(f"session {self.session_id}", "others took its last item each time", "", "Try again.")

    def _clear(self) -> None:
        for _ in range(TRIES):
            there = self._latest(None)
            if not there or self._end(there):
                return
        raise Conflict(f"session {self.session_id}", "others changed it each time", "", "Try again.")

    def _end(self, items: Sequence[Memory]) -> bool:
        """End items, all or none; False when somebody else has ended one of them."""
        at = self.memory.clock.now()
        try:
            if self._erase:
                self.memory.erase([one.id for one in items], reason="taken out of the session")
            else:
                reason = "taken out of the session"
                self.memory.apply([Retire(one.id, at, one.version, reason) for one in items])
        except (Conflict, NotFound, InputError):
            return False
        return True


_SPEAKERS = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}


def _written(item: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return an item with its JSON; escaped, so that every text can be kept."""
    return item, json.dumps(item, ensure_ascii=True, separators=(",", ":"))


def _item(memory: Memory) -> TResponseInputItem:
    return cast("TResponseInputItem", json.loads(str(memory.metadata["item"])))


def _number(memory: Memory) -> int:
    return int(str(memory.metadata["place"]).rpartition(":")[2])


def _next(id: str) -> str:
    """Return the id after another one."""
    return f"{int(id, 16) + 1:032x}" if id else ""


def _words(item: Mapping[str, Any]) -> str:
    """Return the words of an item, for searching: of a message, a call, what a tool answered, a thought."""
    parts = [item.get(name) for name in ("content", "name", "arguments", "output", "summary")]
    text = " ".join(word for part in parts for word in _texts(part)).strip()
    return "".join(letter for letter in text if letter and not "\ud800" <= letter <= "\udfff").replace(
        "\0", ""
    )


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for each in cast("list[object]", part):
            if isinstance(each, Mapping):
                fields = cast("Mapping[str, object]", each)
                yield from (
                    str(fields[name]) for name in ("text", "refusal", "transcript") if fields.get(name)
                )


async def _finished(work: Callable[[], T]) -> T:
    """Do work in a thread, and wait for its end even when cancelled: what was begun is then known to be in or not."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
