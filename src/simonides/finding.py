"""The verbs that find and read: search, explain, context, get, list and their kin; write nothing."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from simonides import clock as clocks
from simonides.errors import InputError
from simonides.ledger import Verification
from simonides.ledger.canonical import checked_string
from simonides.ledger.index import Believed
from simonides.ledger.rules import checked_kinds, checked_name
from simonides.opened import Opened
from simonides.parts.pack import pack
from simonides.parts.rank import pick
from simonides.types import Context, Erasure, Event, Explanation, Hit, Json, Link, Scope
from simonides.types import Memory as Version

if TYPE_CHECKING:
    from simonides.parts.recall import Ranked

EXPLAINED = 50
"""Dropped candidates that `explain` shows."""
SCOPE = ("user", "agent", "session", "project")


class Within(TypedDict, total=False):
    """What a search may be limited to; each as in `Memory.search`."""

    user: str | None
    agent: str | None
    session: str | None
    project: str | None
    kinds: Sequence[str] | None
    where: Mapping[str, Json] | None
    as_of: datetime | None
    known_at: datetime | None
    now: datetime | None


class Finding(Opened):
    """What `Memory` can do to find and to read."""

    # Finding

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        now: datetime | None = None,
        gate: bool = True,
    ) -> builtins.list[Hit]:
        """Return the memories that answer a query, best first; an empty list means that nothing fits.

        Args:
            k: at most so many.
            user, agent, session, project: only memories of this scope are candidates; None does not filter.
            kinds: only these kinds.
            where: filter on metadata, e.g. ``{"topic": "travel", "stars": {"gte": 4}}``; see docs/filters.md.
            as_of: what was true then (valid time); None is what has not ended.
            known_at: what this store believed then (recorded time); None is what it believes now.
            now: what relative dates in the query count from; the clock's time if None.
            gate: False returns the nearest even when nothing fits.

        Raises:
            InputError: the query is empty, `k` is below 1, a time is naive, or a filter is malformed.
        """
        ranked = self._ask(
            query, user=user, agent=agent, session=session, project=project, kinds=kinds, where=where,
            as_of=as_of, known_at=known_at, now=now,
        )  # fmt: skip
        return pick(ranked, _checked_k(k), gate=gate, explained=0, load=self.ledger.shown)[0]

    def explain(self, query: str, *, k: int = 10, gate: bool = True, **within: Unpack[Within]) -> Explanation:
        """Return what `search` would, with all that was considered, every share, and why the rest was dropped."""
        ranked = self._ask(query, **within)
        hits, dropped = pick(ranked, _checked_k(k), gate=gate, explained=EXPLAINED, load=self.ledger.shown)
        asked = ranked.question
        reading: dict[str, Json] = {
            "terms": [*asked.names],
            "dates": [f"{d.words}: {d.start:%Y-%m-%d} to {d.end:%Y-%m-%d}" for d in asked.dates],
            "about": "the assistant's words"
            if asked.asks_assistant
            else "the user"
            if asked.asks_user
            else "",
        }
        if why := self._enricher.degraded():
            reading["meaning"] = f"words and the instant tier alone: {why}"
        gates = (ranked.answerable, ranked.threshold)
        return Explanation(
            query, reading, tuple(hits), tuple(dropped), gates, ranked.considered, dict(ranked.took)
        )

    def context(
        self, query: str, *, budget: int = 800, k: int = 30, gate: bool = True, **within: Unpack[Within]
    ) -> Context:
        """Return the hits of a search packed for a prompt, dated and cited, in at most `budget` tokens.

        ``str()`` of it is the block; it is empty when nothing fits. Takes what `search` takes.
        """
        return pack(self.search(query, k=k, gate=gate, **within), budget)

    # Reading

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Version:
        """Return one memory as it is, or as it was by either clock; NotFound if there is none."""
        return self.ledger.get(id, as_of=as_of, known_at=known_at)

    def list(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        limit: int = 100,
        after: str = "",
        newest_first: bool = False,
    ) -> builtins.list[Version]:
        """Return memories in the order in which they were written; `after` the last id goes on with the next page."""
        fields = {"user": user, "agent": agent, "session": session, "project": project}
        scope = {name: checked_name(value, name) for name, value in fields.items() if value is not None}
        return self.ledger.list(
            scope=Scope(**scope) if all(scope.values()) else self._numbers(scope), kinds=kinds, where=where,
            as_of=as_of, known_at=known_at, limit=limit, after=after, newest_first=newest_first,
        )  # fmt: skip

    def history(self, id: str) -> builtins.list[Version]:
        """Return every version of a memory ever written, oldest first, each with its reason and who wrote it."""
        return self.ledger.history(id)

    def links(
        self,
        id: str | None = None,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> builtins.list[Link]:
        """Return the links of a memory, or all."""
        return self.ledger.links(of=id, relation=relation, as_of=as_of, known_at=known_at)

    def neighbours(
        self,
        id: str,
        hops: int = 1,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, int]:
        """Return the ids that can be reached over links, with the number of hops."""
        return self.ledger.neighbours(id, hops=hops, relation=relation, as_of=as_of, known_at=known_at)

    def log(self, *, after: int = 0, limit: int = 100, subject: str = "") -> builtins.list[Event]:
        """Return entries of the append-only log, oldest first."""
        return self.ledger.events(after=after, limit=limit, subject=subject)

    def verify(self, erasure: Erasure | None = None) -> Verification:
        """Check the log's hash chain and every memory against it; and the receipt of an erasure, if one is given."""
        return self.ledger.verify(erasure)

    # Inside

    def _ask(self, query: str, **within: Unpack[Within]) -> Ranked:
        if not isinstance(query, str) or not query.strip():
            raise InputError("query", "must be a text that is not empty", query, "Ask something.")
        checked_string(query, "query")
        unknown = set(within) - Within.__annotations__.keys()
        if unknown:
            raise TypeError(f"no such keyword argument: {', '.join(sorted(unknown))}")
        first, self._recall = self._recall is None, self._enricher.recall()
        if first:
            self._enricher.wake(wrote=False)  # another process may have left some that are not read yet
        now = within.get("now")
        scope = {name: checked_name(value, name) for name in SCOPE if (value := within.get(name)) is not None}
        moment = self.clock.now() if now is None else clocks.utc(now, "now")
        with self.ledger.database.translating():  # a damaged file shows when its rows make no sense
            return self._recall.ask(query, scope, self._believed(within), moment)

    def _believed(self, within: Within) -> Believed:
        chosen = checked_kinds(within.get("kinds"))
        where, as_of, known_at = within.get("where"), within.get("as_of"), within.get("known_at")
        rows = None if where is None else np.array(self.ledger.rows_where(where, None), np.int64)
        return Believed(
            kinds=None if chosen is None else frozenset(chosen),
            rows=rows,
            as_of=None if as_of is None else clocks.micros(clocks.utc(as_of, "as_of")),
            known_at=None if known_at is None else clocks.micros(clocks.utc(known_at, "known_at")),
        )

    def _numbers(self, fields: Mapping[str, str]) -> builtins.list[int]:
        """Return the numbers of the scopes with exactly these fields, those that are empty included."""
        table = self.ledger.scope_table()
        return [number for number, scope in table if all(getattr(scope, f) == v for f, v in fields.items())]


def _checked_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError("k", "must be a whole number of at least 1", k, "Leave it out for 10.")
    return k
