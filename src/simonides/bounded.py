"""A store as one credential or one project sees it: only its scope, only what it may do; knows no door and no key.

Doors hand in the scope that a credential is bound to. From then on nothing a caller says can widen it: what lies
outside is not found, as if it did not exist, and writes get the scope whatever they say.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypedDict, Unpack, cast

from simonides.errors import Forbidden, InputError, NotFound
from simonides.finding import SCOPE, Within
from simonides.ledger import Finding
from simonides.ledger.replays import Done, Replay
from simonides.ledger.rules import checked_name
from simonides.memory import Memory
from simonides.opened import replayed
from simonides.parts.lifecycle import Erasing
from simonides.parts.review import WHOLE_ID, members, no_doubt
from simonides.types import (
    Change,
    Context,
    Doubt,
    Erasure,
    Event,
    Explanation,
    Hit,
    Json,
    Link,
    Progress,
    Receipt,
    Scope,
    Status,
    Undone,
)
from simonides.types import Memory as Version

RIGHTS = ("read", "write", "erase", "admin")
"""What a credential may do: `read` finds and shows; `write` adds, changes, retires and undoes; `erase` erases;
`admin` sees the store as a whole (status, log, doctor, export) and looks after it."""


class Adding(TypedDict, total=False):
    """The keyword arguments of `Memory.add` beside the text."""

    kind: str
    speaker: str | None
    at: datetime | None
    user: str | None
    agent: str | None
    session: str | None
    project: str | None
    metadata: Mapping[str, Json] | None
    source: Any
    ttl: timedelta | None
    expires: datetime | None
    on_expiry: str
    wait: bool
    plan: bool


class Listing(Within, total=False):
    """The keyword arguments of `Memory.list`."""

    limit: int
    after: str
    newest_first: bool


class Scoped(TypedDict, total=False):
    """The fields of a scope; None does not filter."""

    user: str | None
    agent: str | None
    session: str | None
    project: str | None


class Bounded:
    """The verbs of `Memory`, within a scope and some rights.

    Args:
        memory: the open store; it may be shared by many.
        scope: fields that are fixed, e.g. ``Scope(user="ana")``; empty ones are the caller's to choose.
        rights: of `RIGHTS`; all by default.
        actor: who acts, as the log will say; the store's own by default.
        replay: a request that may come again, see `Memory.acting`; then for one verb only.
    """

    def __init__(
        self,
        memory: Memory,
        scope: Scope = Scope(),
        rights: Iterable[str] = RIGHTS,
        actor: str | None = None,
        replay: Replay | None = None,
    ) -> None:
        self.rights = frozenset(rights)
        if unknown := self.rights - set(RIGHTS):
            raise InputError("rights", f"must be of {', '.join(RIGHTS)}", ", ".join(sorted(unknown)))
        same = actor is None and replay is None
        self.memory = memory if same else memory.acting(actor or memory.actor, replay=replay)
        self.scope = scope
        self._fixed = {name: value for name in SCOPE if (value := getattr(scope, name))}

    # Writing

    def add(self, text: str, **fields: Unpack[Adding]) -> Receipt:
        """Write one memory; takes what `Memory.add` takes."""
        self.require("write")
        return self.memory.add(text, **self._own(fields))

    def add_many(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        progress: bool | Callable[[int], object] = False,
        wait: bool = False,
        plan: bool = False,
    ) -> Receipt:
        """Write many memories; takes what `Memory.add_many` takes."""
        self.require("write")
        return self.memory.add_many((self._own(row) for row in rows), progress=progress, wait=wait, plan=plan)

    @replayed
    def update(
        self,
        id: str,
        text: str | None = None,
        *,
        at: datetime | None = None,
        metadata: Mapping[str, Json] | None = None,
        if_version: int | None = None,
        reason: str = "updated",
        plan: bool = False,
    ) -> Receipt:
        """Change what a memory says, see `Memory.update`."""
        self._mine(id, "write")
        return self.memory.update(
            id, text, at=at, metadata=metadata, if_version=if_version, reason=reason, plan=plan
        )

    @replayed
    def retire(
        self,
        id: str,
        *,
        at: datetime | None = None,
        if_version: int | None = None,
        reason: str = "retired",
        plan: bool = False,
    ) -> Receipt:
        """End a memory, see `Memory.retire`."""
        self._mine(id, "write")
        return self.memory.retire(id, at=at, if_version=if_version, reason=reason, plan=plan)

    @replayed
    def restore(
        self, id: str, *, version: int | None = None, reason: str = "restored", plan: bool = False
    ) -> Receipt:
        """Undo the last change of a memory, see `Memory.restore`."""
        self._mine(id, "write")
        return self.memory.restore(id, version=version, reason=reason, plan=plan)

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
        """Let a memory expire, see `Memory.expire`; one that is to be erased then needs the right to erase."""
        self._mine(id, "write")
        if action == "erase":
            self.require("erase")
        return self.memory.expire(id, at, ttl=ttl, action=action, reason=reason, plan=plan)

    @replayed
    def link(
        self,
        source: str,
        target: str,
        relation: str,
        *,
        weight: float = 1.0,
        at: datetime | None = None,
        evidence: str = "",
        plan: bool = False,
    ) -> Receipt:
        """Link two memories, see `Memory.link`."""
        self._mine(source, "write")
        self._mine(target, "write")
        return self.memory.link(source, target, relation, weight=weight, at=at, evidence=evidence, plan=plan)

    @replayed
    def unlink(self, id: str, *, at: datetime | None = None, plan: bool = False) -> Receipt:
        """End a link, see `Memory.unlink`."""
        self.require("write")
        if self._fixed and not any(one.id == id for one in self.links()):
            raise NotFound(f"link {id}", "no such link in this store", "", "`links` lists them.")
        return self.memory.unlink(id, at=at, plan=plan)

    @replayed
    def undo(self, event: int, *, reason: str = "undone", plan: bool = False) -> Undone:
        """Undo what was written together with an event, see `Memory.undo`; all of it must be in the scope."""
        self.require("write")
        if not self._fixed:
            return self.memory.undo(event, reason=reason, plan=plan)
        ends = {one.id: (one.source, one.target) for one in self.memory.links()}
        subjects = {one.subject for one in self.memory.log(after=event - 1, limit=1)}
        self._require_own(event, subjects, ends)  # first, or another error tells that it is there
        planned = self.memory.undo(event, reason=reason, plan=True)
        self._require_own(event, planned.ids, ends)
        return planned if plan else self.memory.undo(event, reason=reason)

    @replayed
    def erase(
        self, id: str | Sequence[str] | None = None, *, plan: bool = False, **chosen: Unpack[Erasing]
    ) -> Erasure:
        """Erase for good, see `Memory.erase`."""
        self.require("erase")
        for each in [id] if isinstance(id, str) else id or ():
            if not self.holds(each) and not any(link.id == each for link in self.links()):
                self._absent(each)
        limited = cast("Erasing", self._own(chosen)) if id is None else chosen
        return self.memory.erase(id, plan=plan, **limited)

    def apply(self, changes: Sequence[Change], *, plan: bool = False) -> Receipt:
        """Apply changes as they are; only for who is not bound to a scope."""
        self.require("write")
        self._whole("apply")
        return self.memory.apply(changes, plan=plan)

    # Finding

    def search(self, query: str, *, k: int = 10, gate: bool = True, **within: Unpack[Within]) -> list[Hit]:
        """Return the memories that answer a query, see `Memory.search`."""
        self.require("read")
        return self.memory.search(query, k=k, gate=gate, **self._own(within))

    def explain(self, query: str, *, k: int = 10, gate: bool = True, **within: Unpack[Within]) -> Explanation:
        """Return all that a search considered, see `Memory.explain`."""
        self.require("read")
        return self.memory.explain(query, k=k, gate=gate, **self._own(within))

    def context(
        self, query: str, *, budget: int = 800, k: int = 30, gate: bool = True, **within: Unpack[Within]
    ) -> Context:
        """Return hits packed for a prompt, see `Memory.context`."""
        self.require("read")
        return self.memory.context(query, budget=budget, k=k, gate=gate, **self._own(within))

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Version:
        """Return one memory, see `Memory.get`."""
        self._mine(id, "read")
        return self.memory.get(id, as_of=as_of, known_at=known_at)

    def list(self, **chosen: Unpack[Listing]) -> builtins.list[Version]:
        """Return memories in the order in which they were written, see `Memory.list`."""
        self.require("read")
        return self.memory.list(**self._own(chosen))

    def history(self, id: str) -> builtins.list[Version]:
        """Return every version of a memory, see `Memory.history`."""
        return self._mine(id, "read")

    def links(
        self,
        id: str | None = None,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> builtins.list[Link]:
        """Return the links of a memory, or all whose both ends are in the scope, see `Memory.links`."""
        self.require("read") if id is None else self._mine(id, "read")
        found = self.memory.links(id, relation=relation, as_of=as_of, known_at=known_at)
        return [one for one in found if self.holds(one.source) and self.holds(one.target)]

    def neighbours(
        self,
        id: str,
        hops: int = 1,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, int]:
        """Return the ids that can be reached over links whose both ends are in the scope, with the hops."""
        self._mine(id, "read")
        if not self._fixed:
            return self.memory.neighbours(id, hops, relation=relation, as_of=as_of, known_at=known_at)
        reached, rim = {id: 0}, [id]
        for hop in range(1, hops + 1):
            beside = {
                end
                for each in rim
                for one in self.links(each, relation=relation, as_of=as_of, known_at=known_at)
                for end in (one.source, one.target)
            }
            rim = sorted(beside - reached.keys())
            reached.update(dict.fromkeys(rim, hop))
        del reached[id]
        return reached

    def progress(self, ids: Iterable[str]) -> builtins.list[Progress]:
        """Return how far memories are: stored, enriched or failed; see `Memory.status`."""
        wanted = [*ids]
        for id in wanted:
            self._mine(id, "read")
        return self.memory.status(wanted)

    # Reviewing

    def review(self, *, limit: int = 100, **scope: Unpack[Scoped]) -> builtins.list[Doubt]:
        """Return what is in doubt, see `Memory.review`."""
        self.require("read")
        return self.memory.review(limit=limit, **self._own(scope))

    @replayed
    def settle(
        self, doubt: str, decision: str, *, keep: str | None = None, reason: str = "", plan: bool = False
    ) -> Receipt:
        """Decide what becomes of a doubt, see `Memory.settle`; the ids must be whole."""
        self.require("write")
        ids = members(doubt)[1] if keep is None else [*members(doubt)[1], keep]
        if not all(len(id) == WHOLE_ID and self.holds(id) for id in ids):
            raise no_doubt(doubt)
        return self.memory.settle(doubt, decision, keep=keep, reason=reason, plan=plan)

    # Keeping

    def status(self) -> Status:
        """Return how much the whole store holds; for administrators."""
        self.require("admin")
        return self.memory.status()

    def doctor(self) -> builtins.list[Finding]:
        """Return what was checked, what is wrong, and the fix; for administrators."""
        self.require("admin")
        return self.memory.doctor()

    def log(self, *, after: int = 0, limit: int = 100, subject: str = "") -> builtins.list[Event]:
        """Return entries of the log: those about one memory of the scope, or all for administrators of the whole."""
        if subject:
            self._mine(subject, "read")
        else:
            self.require("admin")
            self._whole("the log")
        return self.memory.log(after=after, limit=limit, subject=subject)

    # Inside

    def seen(self) -> Done | None:
        """Return the receipt of the first time, if this request was here before."""
        return self.memory.seen()

    def holds(self, id: str) -> bool:
        """Tell whether a memory of this id, ended or not, is in the scope."""
        try:
            found = self.memory.history(id)
        except NotFound:
            return False
        return bool(found) and self._covers(found[0].scope)

    def require(self, right: str) -> None:
        """Refuse what the credential may not do."""
        if right not in self.rights:
            allowed = ", ".join(name for name in RIGHTS if name in self.rights) or "nothing"
            raise Forbidden("this credential", f"may not {right}", "", f"It may: {allowed}.")

    def _require_own(self, event: int, ids: Collection[str], ends: Mapping[str, tuple[str, str]]) -> None:
        """Refuse an event that is not there, or is about what others own: links count by both their ends."""
        if not ids or not all(self.holds(each) for id in ids for each in ends.get(id, (id,))):
            way_out = "`history` shows what is yours."
            raise NotFound(f"event {event}", "no such event in the log", "", way_out)

    def _covers(self, scope: Scope) -> bool:
        return all(getattr(scope, name) == value for name, value in self._fixed.items())

    def _mine(self, id: str, right: str) -> builtins.list[Version]:
        """Return the versions of a memory of the scope; whatever is wrong with the others, they are not there."""
        self.require(right)
        versions = self.memory.history(id)
        if not versions or not self._covers(versions[0].scope):
            self._absent(id)
        return versions

    def _absent(self, id: str) -> NoReturn:
        raise NotFound(f"memory {id}", "no such memory in this store", "", "`list` shows what there is.")

    def _own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments with the fixed fields of the scope filled in; what says another scope is refused."""
        for name, value in self._fixed.items():
            said = given.get(name)
            if said is not None and checked_name(said, name) != value:
                raise Forbidden(name, "is fixed by the credential", said, "Leave it out.")
        return {**given, **self._fixed}

    def _whole(self, what: str) -> None:
        if self._fixed:
            raise Forbidden(what, "is about the whole store, and this credential is bound to a scope")
