"""The verbs by which memories end, and by which what was done is taken back; `Memory` is one that has them."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Unpack, cast

from simonides.finding import Finding, Within
from simonides.ledger.replays import Seen
from simonides.opened import replayed
from simonides.parts.lifecycle import Erasing, ending, erasing
from simonides.types import Erasure, Expire, Receipt, Restore, Retire, Rule, Undone, Upkeep

SURE = 0.1
"""The least score of a hit that an erasure by query takes: what merely fills up the first ten stays."""


class Lifetime(Finding):
    """What `Memory` can do about the end of memories: at once, at a time, by a rule, and back again."""

    def retire(
        self,
        id: str,
        *,
        at: datetime | None = None,
        if_version: int | None = None,
        reason: str = "retired",
        plan: bool = False,
    ) -> Receipt:
        """End a memory at `at` (now if None): searches stop finding it; `restore` brings it back.

        Raises:
            NotFound: no memory has this id. Conflict: it is not at `if_version` any more.
        """
        return self.apply([Retire(id, at or self.clock.now(), if_version, reason)], plan=plan)

    def restore(
        self, id: str, *, version: int | None = None, reason: str = "restored", plan: bool = False
    ) -> Receipt:
        """Undo the last change of a memory, or make the text of one version the truth again."""
        return self.apply([Restore(id, version, reason)], plan=plan)

    @replayed
    def erase(
        self, id: str | Sequence[str] | None = None, *, plan: bool = False, **chosen: Unpack[Erasing]
    ) -> Erasure:
        """Erase for good: text, versions, links, vectors, words, jobs and what the log says of them.

        It can't be undone. One transaction does it; then the file is written anew, so that no byte of it is left.
        What can be chosen by is combined: memories that fit all of it go, in all their versions.

        Args:
            id: a memory or a link, or several.
            plan: count what would go, with a few examples; erase nothing.
            chosen: any of

                - ``query``: what a search finds, of its first ``k`` (10) hits those with a score of `SURE` at least.
                - ``subject``: what names a person or a thing, as whole words, anywhere in it.
                - ``entity``: an entity by its name or id, and all that was ever linked with it.
                - ``user``, ``agent``, ``session``, ``project``, ``kinds``, ``where``: as in `search`.
                - ``before``: what was said before then.
                - ``everything``: needed to erase all there is.
                - ``links``: False refuses when links hang on what would go.
                - ``derived``: False keeps what cites it (``Source.memory``); by default that goes too.
                - ``keep_pages``: True leaves writing the file anew to `upkeep`; faster for a large file.
                - ``backups``: True deletes the copies that migrations have left beside the file.
                - ``full``: on PostgreSQL, VACUUM FULL.
                - ``reason``: why, for the log; don't repeat in it what is to be forgotten.

        Raises:
            NotFound: nothing fits, or an id is not there.
            InputError: nothing was chosen, or everything without saying so.
        """

        def found(query: str, k: int) -> builtins.list[str]:
            within = Within(
                user=chosen.get("user"), agent=chosen.get("agent"), session=chosen.get("session"),
                project=chosen.get("project"), kinds=chosen.get("kinds"), where=chosen.get("where"),
            )  # fmt: skip
            hits = self.search(query, k=k, **within)
            return [hit.memory.id for hit in hits if hit.score >= SURE]

        selection, manner = erasing(self.ledger, id, chosen, self._numbers, found)
        replay = None if plan else self._next_part()
        return self.ledger.erase(selection, manner, actor=self.actor, plan=plan, replay=replay)

    @replayed
    def expire(
        self,
        id: str,
        at: datetime | None = None,
        *,
        ttl: timedelta | None = None,
        action: str = "retire",
        reason: str = "expiry set",
        plan: bool = False,
    ) -> Receipt:
        """Let a memory expire at a time, or so long from now; with neither, never.

        From then on only its history shows it; upkeep retires it, or erases it, as `action` says.

        Raises:
            NotFound: no memory has this id. TimeError: the time is over already.
        """
        return self.apply([Expire(id, ending(self.clock.now(), at, ttl), action, reason)], plan=plan)

    def retention(self, *, add: Rule | None = None, drop: int | None = None) -> builtins.list[Rule]:
        """Return the rules of how long memories are kept, after adding one or dropping that of a number.

        Raises:
            InputError: a rule asks for what can't be. NotFound: there is no rule of this number.
        """
        if add is not None:
            self.ledger.add_rule(add, actor=self.actor)
        if drop is not None:
            self.ledger.drop_rule(drop, actor=self.actor)
        return self.ledger.rules()

    def upkeep(self, *, plan: bool = False, full: bool = False) -> Upkeep:
        """Retire or erase what has expired by now, and finish what erasures have left pending; twice is fine."""
        return self.ledger.upkeep(actor=self.actor, plan=plan, full=full)

    def undo(self, event: int, *, reason: str = "undone", plan: bool = False) -> Undone:
        """Undo all that was written together with an event of the log; undoing that event redoes.

        Raises:
            NotFound: there is no such event.
            Conflict: something newer changed one of the same memories or links; it is named.
            InputError: it was an erasure, or is about something that was erased since.
        """
        replay = None if plan else self._next_part()
        try:
            return self.ledger.undo(event, reason=reason, actor=self.actor, plan=plan, replay=replay)
        except Seen as seen:
            return cast("Undone", seen.done)
