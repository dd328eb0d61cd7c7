"""LangGraph's `BaseStore` over a store of ours, which LangMem's tools take too; knows no model and no door."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from simonides import clock as clocks
from simonides.bounded import Bounded
from simonides.compat import langgraph_items as items
from simonides.compat.langgraph_items import Entry
from simonides.errors import Conflict, InputError, ModelMissing, NotFound, StoreError
from simonides.finding import Within
from simonides.ledger.expiry import expiry
from simonides.ledger.rules import checked_action
from simonides.memory import Memory
from simonides.types import Add, Change, Expire, Json, Kind, Restore, Retire, Scope, Supersede

try:
    from langgraph.store.base import BaseStore, GetOp, ListNamespacesOp, Op, PutOp, Result, SearchOp
except ImportError as err:
    raise ModelMissing("LangGraph", "is not installed", "", "pip install 'simonides[langgraph]'.") from err

if TYPE_CHECKING:
    from langgraph.store.base import IndexConfig, SearchItem, TTLConfig

ALL = 2**31 - 1
"""More items than a store has."""
SPARE = 10
MORE = 4
"""Hits that are asked for beyond those that are wanted, and how many times more where they don't suffice."""
GONE = "(deleted)"
"""What a memory says about the time between the deletion of an item and the next put of the same key."""
RENEWED = 0.01
"""Share of its time that must be over before a read renews it: not every read is worth a write."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a key before it is written.

    Attributes:
        version: the newest one; 0 where the key was never there.
        alive: since when it holds; None where there is no item now.
        ended: when it was deleted; None where it wasn't, or has only expired.
        expires: whether it has an end.
    """

    version: int = 0
    alive: datetime | None = None
    ended: datetime | None = None
    expires: bool = False


class Store(BaseStore):
    """A LangGraph store on one file: for any number of threads and processes, with history and no key.

    Each item is one memory, and each namespace a session of its own. A put of the same key corrects it in a new
    version, `delete` retires it, and `search` with a query finds it as `Memory.search` does, without a model to
    configure. Within a batch, reads see what was there before, and of several puts of one key the last one counts, as
    with LangGraph's own stores. All puts of a batch are written, or none.

    Args:
        memory: an open store, which stays open when this is closed; a `Bounded`, whose scope and rights then hold; or
            a path, None for the default one.
        index: LangGraph's `IndexConfig`; of it, ``fields`` counts. Nothing has to be embedded by the caller.
        ttl: LangGraph's `TTLConfig`. What has expired is never returned, swept or not.
        on_expiry: what a sweep does with expired items: ``retire``, or ``erase`` for good.
        erase_on_delete: `delete` erases for good, with all history.
    """

    supports_ttl = True

    def __init__(
        self,
        memory: Memory | Bounded | str | Path | None = None,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        on_expiry: str = "retire",
        erase_on_delete: bool = False,
    ) -> None:
        self.ttl_config = ttl
        self.index_config = index
        self._paths = (index or {}).get("fields") or [items.WHOLE]
        self._action = checked_action(on_expiry, "on_expiry")
        self._erase = erase_on_delete
        self._owned = not isinstance(memory, Memory | Bounded)
        opened = memory if isinstance(memory, Memory | Bounded) else Memory(memory)
        self._bounded = opened if isinstance(opened, Bounded) else Bounded(opened)
        self._places: dict[int, tuple[str, ...] | None] = {}
        self._newest = 0
        self._sweeper: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def memory(self) -> Memory:
        """The store below: history, undo, erasing, and all that LangGraph has no word for."""
        return self._bounded.memory

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations and return their results in the same order.

        Raises:
            InputError: an operation, a value or a filter can't be used; nothing was written.
        """
        results: list[Result] = []
        puts: dict[tuple[tuple[str, ...], str], PutOp] = {}
        for op in ops:
            match op:
                case GetOp():
                    results.append(self._get(op))
                case SearchOp():
                    results.append(self._search(op))
                case ListNamespacesOp():
                    results.append(self._namespaces(op))
                case PutOp():
                    puts[tuple(op.namespace), op.key] = op
                    results.append(None)
                case _ as other:  # pyright: ignore[reportUnnecessaryComparison]
                    rule = "must be a GetOp, SearchOp, PutOp or ListNamespacesOp"
                    raise InputError("operation", rule, repr(other))
        if puts:
            self._write(puts.values())
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations in a thread, so that the loop goes on."""
        return await asyncio.to_thread(self.batch, [*ops])

    def sweep_ttl(self) -> int:
        """Retire or erase what has expired, in the whole store; return how many memories that were."""
        self._bounded.require("write")
        done = self.memory.upkeep()
        return len(done.retired) + (len(done.erasure.ids) if done.erasure else 0)

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Sweep every so many minutes in a thread until `stop_ttl_sweeper`; the configured interval by default."""
        minutes = sweep_interval_minutes or (self.ttl_config or {}).get("sweep_interval_minutes") or 5
        if self._sweeper is None or not self._sweeper.is_alive():
            self._stopping.clear()
            self._sweeper = threading.Thread(
                target=self._sweep, args=(minutes * 60,), name="simonides-ttl", daemon=True
            )
            self._sweeper.start()

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop the sweeper; tells whether it has ended within so many seconds."""
        self._stopping.set()
        if self._sweeper is not None:
            self._sweeper.join(timeout)
        return self._sweeper is None or not self._sweeper.is_alive()

    def close(self) -> None:
        """Stop the sweeper, and close the store if it was opened here."""
        self.stop_ttl_sweeper()
        if self._owned:
            self.memory.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    # Reading

    def _get(self, op: GetOp) -> Any:
        self._bounded.require("read")
        try:
            found = items.entry(self.memory.get(self._id(op.namespace, op.key)))
        except NotFound:
            return None
        if found is None:
            return None
        if op.refresh_ttl:
            self._renew([found])
        return found.item()

    def _search(self, op: SearchOp) -> list[SearchItem]:
        below = self._listed(op.namespace_prefix)
        chosen = [one for one in below if items.fits(one.value, op.filter or {})]
        scores: dict[str, float] = {}
        if asked := items.question(op.query):
            chosen, scores = self._ranked(asked, op, chosen)
        page = chosen[op.offset : op.offset + op.limit]
        if op.refresh_ttl:
            self._renew(page)
        return [one.found(scores.get(one.id)) for one in page]

    def _ranked(self, query: str, op: SearchOp, chosen: list[Entry]) -> tuple[list[Entry], dict[str, float]]:
        """Return the entries, those that a query finds first, and the scores of those that it may find.

        A search of ours names each wording once; here two items that say the same are two results. Hits that a filter
        leaves out make room for later ones.
        """
        same: dict[tuple[str, str], list[Entry]] = {}
        for one in chosen:
            if one.indexed:
                same.setdefault(one.wording, []).append(one)
        first: list[Entry] = []
        scores: dict[str, float] = {}
        wanted, many = op.offset + op.limit, max(1, op.offset + op.limit) + SPARE
        while same and len(first) < wanted:
            hits = self.memory.search(query, k=many, gate=False, **self._within(op.namespace_prefix))
            for hit in hits:
                for one in same.pop(items.wording(hit.memory), []):
                    first.append(one)
                    scores[one.id] = hit.score
            if len(hits) < many:
                break
            many *= MORE
        rest = [one for one in chosen if one.id not in scores]
        scores |= {one.id: 0.0 for one in rest if one.indexed}
        return first + sorted(rest, key=lambda one: not one.indexed), scores

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        self._bounded.require("read")
        there: set[tuple[str, ...]] = set()
        for number, namespace in self._homes(()).items():
            if namespace is None:
                there |= {one.namespace for one in self._read([number])}
            elif items.matches(namespace, op.match_conditions or ()) and self._read([number], limit=1):
                there.add(namespace)
        chosen = [one for one in there if items.matches(one, op.match_conditions or ())]
        if op.max_depth is not None:
            chosen = {one[: op.max_depth] for one in chosen}
        return sorted(chosen)[op.offset : op.offset + op.limit]

    def _listed(self, prefix: Sequence[str]) -> list[Entry]:
        """Return the items of a namespace and of those below it, the last written first."""
        self._bounded.require("read")
        found = items.below(self._read([*self._homes(prefix)]), prefix)
        return sorted(found, key=lambda one: (-clocks.micros(one.updated), one.namespace, one.key))

    def _read(self, homes: Sequence[int], limit: int = ALL) -> list[Entry]:
        if not homes:
            return []
        marked: dict[str, Json] = {items.MARK: {"exists": True}}
        found = self.memory.ledger.list(scope=homes, where=marked, limit=limit)
        return [one for one in map(items.entry, found) if one is not None]

    def _homes(self, prefix: Sequence[str]) -> dict[int, tuple[str, ...] | None]:
        """Return the numbers of the scopes that hold the items below a prefix; the namespace where one is one's own."""
        own = self._bounded.scope
        for number, scope in self.memory.ledger.scope_table(self._newest):
            self._newest = max(self._newest, number)
            if own.session and scope == own:
                self._places[number] = None
            elif scope.session.startswith(items.SESSION) and replace(scope, session="") == own:
                self._places[number] = items.labels(scope.session)
        wanted = tuple(prefix)
        return {
            number: namespace
            for number, namespace in self._places.items()
            if namespace is None or namespace[: len(wanted)] == wanted
        }

    def _within(self, prefix: Sequence[str]) -> Within:
        """Return what limits a search to the items below a prefix; where there is one scope only, that is fast."""
        own, homes = self._bounded.scope, self._homes(prefix)
        within: Within = {
            "user": own.user or None,
            "agent": own.agent or None,
            "project": own.project or None,
        }
        within["session"] = own.session or None
        if len(homes) == 1 and (namespace := next(iter(homes.values()))) is not None:
            within["session"] = self._home(namespace).session
        if not within["session"] or None in homes.values():
            within["where"] = items.within(prefix) or {items.MARK: {"exists": True}}
        return within

    # Writing

    def _write(self, puts: Iterable[PutOp]) -> None:
        """Write all or none; what another process has done in between is looked at again."""
        self._bounded.require("write")
        wanted = {self._id(op.namespace, op.key): op for op in puts}
        until = monotonic() + self.memory.settings.busy_seconds
        while True:
            states = {id: self._state(id) for id in wanted}
            try:
                self._apply(wanted, states)
            except (Conflict, NotFound, InputError):
                if monotonic() > until or states == {id: self._state(id) for id in wanted}:
                    raise
            else:
                return

    def _apply(self, wanted: Mapping[str, PutOp], states: Mapping[str, State]) -> None:
        erased = [id for id, op in wanted.items() if op.value is None and self._erase and states[id].version]
        now = self.memory.clock.now()
        changes = [
            change
            for id, op in wanted.items()
            if id not in erased
            for change in self._changes(id, op, states[id], now)
        ]
        if changes:
            self.memory.apply(changes)
        if erased:
            self._bounded.require("erase")
            self.memory.erase(erased, reason="delete")

    def _changes(self, id: str, op: PutOp, state: State, now: datetime) -> list[Change]:
        """Return what a put or a delete changes."""
        if op.value is None:
            return [] if state.alive is None else [Retire(id, max(now, state.alive), reason="delete")]
        paths = self._paths if op.index is None else op.index or []
        text, field = items.searchable(op.value, paths)
        indexed = bool(text) and not text.isspace()
        shown = text if indexed else items.plain("/".join((*op.namespace, op.key)))
        marks = items.metadata(op.namespace, op.key, indexed=indexed)
        kept = items.attributes(op.namespace, op.key, op.value, op.ttl, field if indexed else None)
        end = items.ending(now, op.ttl)
        if not state.version:
            new = Add(
                id, shown, now, Kind.NOTE, self._home(op.namespace), metadata=marks, attributes=kept, reason="put",
                expires=end, on_expiry=self._action,
            )  # fmt: skip
            return [new]
        changes: list[Change] = []
        if state.ended is not None:
            changes.append(Restore(id, state.version, reason="put"))
            changes.append(Supersede(id, GONE, state.ended, metadata={}, attributes={}, reason="delete"))
        at = None if state.alive is not None else max(now, state.ended or now)
        changes.append(Supersede(id, shown, at, metadata=marks, attributes=kept, reason="put"))
        if end is not None or state.expires:
            changes.append(Expire(id, end, self._action, reason="put"))
        return changes

    def _state(self, id: str) -> State:
        try:
            alive = self.memory.get(id)
        except NotFound:
            return self._past(id)
        there = items.entry(alive)
        return State(alive.version, alive.at, expires=there is not None and there.ttl is not None)

    def _past(self, id: str) -> State:
        """Return the state of what is deleted, has expired, or never was."""
        try:
            versions = self.memory.history(id)
        except NotFound:
            return State()
        newest = versions[-1]
        believed = [one.valid for one in versions if one.recorded.end is None]
        if any(span.end is None for span in believed):
            return State(newest.version, expires=True)
        ended = max((span.end for span in believed if span.end is not None), default=newest.at)
        return State(newest.version, ended=ended, expires=True)

    def _renew(self, entries: Iterable[Entry]) -> None:
        """Let items that were read live their time anew."""
        if "write" not in self._bounded.rights:
            return
        now, ends = self.memory.clock.now(), dict[str, datetime]()
        with self.memory.ledger.database.reading() as connection:
            for one in entries:
                end = items.ending(now, one.ttl)
                if end is None or one.ttl is None:
                    continue
                lives = expiry(connection, clocks.parse_id(one.id))
                if lives and clocks.micros(end) - lives[0] > RENEWED * one.ttl * 60_000_000:
                    ends[one.id] = end
        for id, end in ends.items():
            try:
                self.memory.apply([Expire(id, end, self._action, reason="read")])
            except NotFound:  # somebody erased it since it was read
                continue

    # Inside

    def _id(self, namespace: Sequence[str], key: str) -> str:
        return items.identity(self._bounded.scope, namespace, key)

    def _home(self, namespace: Sequence[str]) -> Scope:
        """Return the scope of a namespace: a session of its own, unless a session is fixed already."""
        own = self._bounded.scope
        return own if own.session else replace(own, session=items.session(namespace))

    def _sweep(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            with suppress(
                StoreError
            ):  # busy or full: what has expired is hidden already, and the next sweep comes
                self.sweep_ttl()
