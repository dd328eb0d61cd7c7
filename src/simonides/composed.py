"""`Memory` with a recipe: what is written is digested, questions go to the recipe; knows no recipe by name."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from simonides import clock as clocks
from simonides.errors import InputError
from simonides.finding import Finding
from simonides.types import Change, Hit, Json, Receipt, Scope

if TYPE_CHECKING:
    from simonides.digesting import Digester
    from simonides.ledger import Lexical


class Composed(Finding):
    """What a recipe changes about a store; without one, nothing."""

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
        """Return the memories that answer a query; see `Finding.search`. A recipe answers in its own way."""
        plain = partial(
            super().search, query, k=k, user=user, agent=agent, session=session, project=project, kinds=kinds,
            where=where, as_of=as_of, known_at=known_at, now=now, gate=gate,
        )  # fmt: skip
        digester = self._digester()
        if digester is None:
            return plain()
        if not isinstance(query, str) or not query.strip() or k < 1:
            return plain()  # it says what is wrong
        from simonides.recipes.composition import Asked

        moment = self.clock.now() if now is None else clocks.utc(now, "now")
        scope = Scope(user or "", agent or "", session or "", project or "")
        names = None if kinds is None else tuple(kinds)
        asked = Asked(query, k, gate, moment, as_of, known_at, names, where)
        return digester.recipe.find(asked, digester.sight(scope))

    def digest(self, progress: Callable[[int], object] | None = None) -> int:
        """Let the recipe derive from all turns that wait, also those of others; return how many it could digest.

        It is done after each write of this object. What fails stays a job (`simonides jobs`), with the reason.

        Raises:
            InputError: this memory has no recipe.
        """
        digester = self._digester()
        if digester is None:
            raise InputError(
                "recipe", "is needed to digest", "", 'Open the store with Memory(recipe="mem0").'
            )
        return digester.run(progress)

    def _write(
        self,
        changes: Sequence[Change],
        *,
        wait: bool = False,
        plan: bool = False,
        known: Mapping[str, Lexical] | None = None,
    ) -> Receipt:
        digester = None if plan else self._digester()
        receipt = super()._write(changes, wait=wait and digester is None, plan=plan, known=known)
        if digester is not None:
            digester.run()
            if wait:
                self.wait()
        return receipt

    def _digester(self) -> Digester | None:
        if self.recipe is None:
            return None
        if self._digesting is None:
            from simonides.digesting import Digester

            plain = copy.copy(self)
            plain.recipe = plain._digesting = None  # what a recipe reads, it reads as everybody does
            writer = plain.acting(f"recipe:{self.recipe.name}")
            self._digesting = Digester(plain, self.recipe, writer.apply, self._enricher.recall)
        return self._digesting
