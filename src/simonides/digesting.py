"""Run a recipe over a store: derive from turns by durable jobs, answer questions, tend; knows no recipe by name.

What a recipe proposes for a turn is applied in one transaction. A process that dies in between leaves a job that is
done again, and ids that follow from the turn make the second time harmless. A turn that a recipe can't digest stays a
job with the reason; the turn itself is stored and found as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.clock import micros
from simonides.errors import SimonidesError
from simonides.finding import SCOPE, Finding
from simonides.ledger import digests
from simonides.ledger.index import Believed
from simonides.parts.fuse import chance
from simonides.parts.recall import Recall
from simonides.parts.signs import Signs
from simonides.recipes.composition import Asked, Recipe
from simonides.types import Add, Change, Connect, Hit, Kind, Link, Memory, Receipt, Scope

if TYPE_CHECKING:
    from simonides.ledger.jobs import Job
    from simonides.recipes.composition import Step

LEASE_SECONDS = 60.0
TAKEN = 50
"""Jobs that are taken at once."""
BEFORE = 10
"""Turns of the same conversation that a recipe is shown beside the one it digests."""


class Sight:
    """What a recipe may read, within a scope; the `Searching` of recipes.composition."""

    def __init__(
        self,
        store: Finding,
        instant: Callable[[], Recall],
        scope: Scope,
        recall: Callable[[], Recall] | None = None,
        signs: Signs | None = None,
    ) -> None:
        self._store = store
        self._instant = instant
        self._recall, self._signs = recall or instant, Signs() if signs is None else signs
        self._scope = {name: value for name in SCOPE if (value := getattr(scope, name))}
        self.clock = store.clock

    def near(self, text: str, k: int, kinds: Sequence[str], *, gate: bool = False) -> list[Hit]:
        """Return the nearest of these kinds by words and the instant tier: no model reads the text."""
        if not text.strip():
            return []
        ranked = self._instant().ask(text, self._scope, Believed(kinds=frozenset(kinds)), self.clock.now())
        if gate and ranked.answerable < ranked.threshold:
            return []
        rows = ranked.rows[:k].tolist()
        shown = self._store.ledger.shown(rows)
        return [
            Hit(shown[row], chance(ranked.logits[place]), ranked.shares(place))
            for place, row in enumerate(rows)
            if row in shown
        ]

    def listed(
        self,
        kinds: Sequence[str],
        *,
        limit: int = 1000,
        newest_first: bool = True,
        as_of: datetime | None = None,
    ) -> list[Memory]:
        """Return memories of these kinds."""
        return self._store.list(
            **self._scope, kinds=kinds, limit=limit, newest_first=newest_first, as_of=as_of
        )

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Memory:
        """Return one memory as it is, or as it was by either clock."""
        return self._store.get(id, as_of=as_of, known_at=known_at)

    def history(self, id: str) -> list[Memory]:
        """Return every version of a memory."""
        return self._store.history(id)

    def links(
        self,
        id: str,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> list[Link]:
        """Return the links of a memory, as they are or were by either clock."""
        return self._store.links(id, relation=relation, as_of=as_of, known_at=known_at)

    def search(self, asked: Asked, kinds: Sequence[str] | None = None, *, k: int = 0) -> list[Hit]:
        """Return what the default way finds among these kinds."""
        within: dict[str, Any] = {
            **self._scope, "kinds": kinds, "where": asked.where, "as_of": asked.as_of, "known_at": asked.known_at,
            "now": asked.now,
        }  # fmt: skip
        return self._store.search(asked.query, k=k or asked.k, gate=asked.gate, **within)

    def alike(self, asked: Asked, kinds: Sequence[str], *, among: int = 100) -> list[tuple[Memory, float]]:
        """Return the nearest by one-bit codes of all these kinds, with exact cosines; empty where no model reads."""
        recall = self._recall()
        recall.index.follow()
        read = recall.states(asked.query)
        if read is None:
            return []
        rows = (
            None
            if asked.where is None
            else np.array(self._store.ledger.rows_where(asked.where, None), np.int64)
        )
        believed = Believed(
            kinds=frozenset(kinds),
            rows=rows,
            as_of=None if asked.as_of is None else micros(asked.as_of),
            known_at=None if asked.known_at is None else micros(asked.known_at),
        )
        found = self._signs.nearest(
            recall.index, read.pooled, self._scope, believed, self.clock.now(), among=among
        )
        shown = self._store.ledger.shown([row for row, _ in found])
        return [(shown[row], cosine) for row, cosine in found if row in shown]


class Digester:
    """One recipe over one open store.

    Args:
        store: the open store, as nobody's recipe sees it.
        apply: writes changes in one transaction, as the recipe.
        recall: the search of the store, whose index is shared.
    """

    def __init__(
        self,
        store: Finding,
        recipe: Recipe,
        apply: Callable[[Sequence[Change]], Receipt],
        recall: Callable[[], Recall],
    ) -> None:
        self.recipe = recipe
        self._store = store
        self._apply = apply
        self._recall = recall
        self._kind = digests.kind_of(recipe.name)
        self._signs = Signs()

    def sight(self, scope: Scope) -> Sight:
        """Return what the recipe may read of a scope."""
        return Sight(self._store, self._instant, scope, self._recall, self._signs)

    def run(self, step: Callable[[int], object] | None = None) -> int:
        """Derive from all turns that wait; return how many could be digested."""
        ledger = self._store.ledger
        digests.ask(ledger.database, self.recipe.name, micros(self._store.clock.now()))
        done = 0
        while taken := ledger.jobs.claim([self._kind], LEASE_SECONDS, TAKEN):
            done += self._run(taken)
            if step is not None:
                step(len(taken))
        return done

    def waiting(self) -> int:
        """Return how many turns wait, the dead ones left out."""
        return len(self._store.ledger.jobs.find(state="waiting", kind=self._kind, limit=100_000))

    def tend(self, now: datetime, scope: Scope = Scope(), *, plan: bool = False) -> list[Step] | Receipt:
        """Apply the recipe's upkeep, or show it."""
        from simonides.recipes.composition import Step

        changes = list(self.recipe.tend(self.sight(scope), now))
        return [Step(change) for change in changes] if plan else self._apply(changes)

    def _run(self, taken: Sequence[Job]) -> int:
        ledger, left = self._store.ledger, list(taken)
        finished: list[Job] = []
        try:
            for job in taken:
                try:
                    self._digest(job)
                    finished.append(job)
                except SimonidesError as err:
                    ledger.jobs.fail([(job, str(err))])
                left.remove(job)
        finally:
            ledger.jobs.done(finished)
            with contextlib.suppress(SimonidesError):
                ledger.jobs.release(left)  # those after an unexpected end
        return len(finished)

    def _digest(self, job: Job) -> None:
        ledger = self._store.ledger
        told = ledger.load([job.row or 0]).get(job.row or 0)
        if told is None:
            return  # erased meanwhile
        changes = list(self.recipe.digest(told, self._before(told), self.sight(_without_session(told.scope))))
        if changes and not self._applied(changes, told):
            self._apply(changes)

    def _applied(self, changes: Sequence[Change], told: Memory) -> bool:
        """Tell whether what a turn comes to is in the store already: all of it went in at once, so one part tells."""
        adding = [change.id for change in changes if isinstance(change, Add)]
        if self._store.ledger.existing(adding):
            return True
        linking = {change.id for change in changes if isinstance(change, Connect)}
        return bool(linking) and any(link.id in linking for link in self._store.ledger.links(of=told.id))

    def _before(self, told: Memory) -> list[Memory]:
        if not told.scope.session or told.kind != Kind.TURN:
            return []
        found = self._store.ledger.list(
            scope=told.scope, kinds=(Kind.TURN,), limit=BEFORE, after=told.id, newest_first=True
        )
        return found[::-1]

    def _instant(self) -> Recall:
        return Recall(self._recall().index, None, self._store.settings)


def _without_session(scope: Scope) -> Scope:
    return Scope(user=scope.user, agent=scope.agent, project=scope.project)
