"""The verbs that go through what is kept: what may be junk, said twice or out of date, and what becomes of it.

`Memory` has them. The rules are in `parts.review`, the search for what is alike in `parts.alike`; this hands them the
index and the texts, and proposes changes. Knows no door.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from simonides.clock import micros, new_id
from simonides.errors import InputError, NotFound
from simonides.finding import SCOPE
from simonides.ledger.index import Believed
from simonides.ledger.rules import checked_count, checked_name
from simonides.opened import Opened, replayed
from simonides.parts.alike import Candidates, candidates
from simonides.parts.claims import CUE_TERMS, claims, differ
from simonides.parts.review import (
    APART,
    DOUBTS,
    INTO,
    KEPT,
    UNASKED,
    comparable,
    doubted,
    duplicate,
    judged,
    junk_doubt,
    members,
    no_doubt,
    normal,
    same_text,
)
from simonides.parts.small_talk import small_talk
from simonides.types import Change, Connect, Doubt, Memory, Receipt, Retire, Supersede

DECISIONS = ("keep", "merge", "retire")
_ALL_LINKS = 1 << 31


class Reviewing(Opened):
    """What `Memory` can do to let a person go through what is in doubt."""

    def review(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        limit: int = 100,
    ) -> list[Doubt]:
        """Return what is in doubt among the newest 100,000 memories of a scope, newest first.

        Found are: small talk and nothing else, the same text twice, nearly the same text, and two statements of which
        only one can be true. A memory stands in one doubt at a time; what was settled does not come back unless one
        of the memories changes. Pairs are looked for by the words of the index, never by comparing all with all:
        for 100,000 memories that takes some seconds, and texts are read only for what is alike.

        Args:
            user, agent, session, project: only memories of this scope; None does not filter. Two people are never
                compared with each other, two sessions of one person are.
            limit: at most so many.
        """
        checked_count(limit, "limit")
        given = {"user": user, "agent": agent, "session": session, "project": project}
        scope = {name: checked_name(value, name) for name in SCOPE if (value := given[name]) is not None}
        index = self._enricher.recall().index
        index.follow()
        with index.lock:
            index.follow_on()
            usable = index.usable(scope, Believed(), micros(self.clock.now()))
            found = candidates(index, usable, UNASKED, CUE_TERMS)
        queue = _Queue(self, found, limit).fill()
        return [*_in_doubt(self, scope, {one.id for held in queue for one in held.memories}), *queue][:limit]

    @replayed
    def settle(
        self, doubt: str, decision: str, *, keep: str | None = None, reason: str = "", plan: bool = False
    ) -> Receipt:
        """Decide what becomes of memories that are in doubt, in one transaction; `undo` of its event takes it back.

        Args:
            doubt: its id, as `review` gives it; ends of ids do where they are unique.
            decision: ``keep`` leaves all as they are and never asks again; ``merge`` retires all but one and links
                them to it (`merged-into`); ``retire`` retires all but one, or what is junk.
            keep: the id of the one that stays; the doubt's first if None. Of a contradiction, an older statement ends
                when the newer one that stays begins, so that it remains true of the time before.
            reason: why, for the history.
            plan: show what would be written, and write nothing.

        Raises:
            NotFound: the memories are not in doubt, or not any more.
            Conflict: somebody else changed one of them meanwhile.
            InputError: there is no such decision, or the one to keep is not among them.
        """
        if decision not in DECISIONS:
            rule = f"must be {', '.join(DECISIONS)}"
            raise InputError("decision", rule, decision, "`keep` leaves everything as it is.")
        held = self._doubt(doubt)
        stays = _staying(self, held, decision, keep)
        changes = _changes(held, decision, stays, self.clock.now(), reason)
        return self.apply(changes, plan=plan)

    def _doubt(self, doubt: str) -> Doubt:
        why, ids = members(doubt)
        try:
            memories = [self.ledger.get(self.ledger.expand(id)) for id in ids]
        except (InputError, NotFound) as err:
            raise no_doubt(doubt) from err
        if len({one.id for one in memories}) != len(memories) or _settled(self, memories):
            raise no_doubt(doubt)
        found = _judged_anew(why, memories) or _told(self, why, memories)
        if found is None or found.why != why:
            raise no_doubt(doubt)
        return found


def _judged_anew(why: str, memories: Sequence[Memory]) -> Doubt | None:
    first, *rest = memories
    if why == "junk":
        what = small_talk(first.text)
        return junk_doubt(first, what) if what else None
    if why == "duplicate":
        alike = all(comparable(first, one) and same_text(first, one) for one in rest)
        return duplicate(memories) if alike else None
    return judged(first, rest[0])


def _told(store: Opened, why: str, memories: Sequence[Memory]) -> Doubt | None:
    """Return the doubt that whoever derived one of two memories left with it."""
    if why != "contradiction" or len(memories) != 2:
        return None
    one, other = memories
    left = store.ledger.links(of=one.id, relation=DOUBTS)
    return next(
        (doubted(one, other, link.reason) for link in left if other.id in (link.source, link.target)), None
    )


def _in_doubt(store: Opened, scope: Mapping[str, str], taken: set[str]) -> list[Doubt]:
    """Return the doubts that were left by recipes and are not settled, newest first, each memory once."""
    found: list[Doubt] = []
    apart = _kept_apart(store)
    for link in reversed(store.ledger.links(relation=DOUBTS, limit=_ALL_LINKS)):
        try:
            one, other = store.ledger.get(link.source), store.ledger.get(link.target)
        except NotFound:
            continue  # one of them has ended
        within = all(getattr(one.scope, name) == value for name, value in scope.items())
        if not within or {one.id, other.id} & taken or _decided(apart, one, other):
            continue
        if (held := doubted(one, other, link.reason)) is not None:
            taken |= {one.id, other.id}
            found.append(held)
    return found


def _settled(store: Opened, memories: Sequence[Memory]) -> bool:
    """Tell whether all of these were looked at and kept."""
    first, *rest = memories
    if not rest:
        return KEPT in first.attributes
    apart = _kept_apart(store, first.id)
    return all(_decided(apart, first, one) for one in rest)


def _kept_apart(store: Opened, of: str | None = None) -> dict[tuple[str, str], datetime]:
    """Return the pairs that were kept, both ways, and when that was decided."""
    found: dict[tuple[str, str], datetime] = {}
    for link in store.ledger.links(of=of, relation=APART, limit=_ALL_LINKS):
        found[link.source, link.target] = found[link.target, link.source] = link.recorded.start
    return found


def _decided(apart: Mapping[tuple[str, str], datetime], one: Memory, other: Memory) -> bool:
    """Tell whether somebody has kept both since either changed."""
    when = apart.get((one.id, other.id))
    return when is not None and when >= max(one.recorded.start, other.recorded.start)


def _staying(store: Opened, held: Doubt, decision: str, keep: str | None) -> Memory | None:
    if held.why == "junk":
        if decision == "merge" or keep is not None:
            raise InputError("junk", "is kept or retired", decision, "There is nothing to merge it with.")
        return None
    if keep is None:
        return held.memories[0]
    whole = store.ledger.expand(keep)
    found = next((one for one in held.memories if one.id == whole), None)
    if found is None:
        way_out = f"It has {', '.join(one.id for one in held.memories)}."
        raise InputError("keep", "must be one of the memories in doubt", keep, way_out)
    return found


def _changes(held: Doubt, decision: str, stays: Memory | None, now: datetime, reason: str) -> list[Change]:
    told = reason or f"review: {held.why}"
    if decision == "keep":
        return _keeping(held, now, told)
    changes: list[Change] = []
    for one in held.memories:
        if stays is not None and one.id == stays.id:
            continue
        if stays is not None and decision == "merge":
            changes.append(Connect(new_id(), one.id, stays.id, INTO, now, evidence=held.reason, reason=told))
        at = now
        if stays is not None and held.why == "contradiction" and one.at < stays.at < now:
            at = stays.at
        changes.append(Retire(one.id, at, if_version=one.version, reason=told))
    return changes


def _keeping(held: Doubt, now: datetime, told: str) -> list[Change]:
    if held.why == "junk":
        (one,) = held.memories
        kept = {**one.attributes, KEPT: "kept"}
        return [Supersede(one.id, attributes=kept, if_version=one.version, reason=told)]
    ids = [one.id for one in held.memories]
    return [
        Connect(new_id(), one, other, APART, now, evidence=held.reason, reason=told)
        for one, other in combinations(ids, 2)
    ]


@dataclass(slots=True)
class _Queue:
    """Goes through candidates block by block, newest first, and judges them by their texts."""

    store: Opened
    found: Candidates
    limit: int
    doubts: list[Doubt] = field(default_factory=list[Doubt])
    taken: set[str] = field(default_factory=set[str])
    apart: dict[tuple[str, str], datetime] = field(default_factory=dict[tuple[str, str], datetime])
    texts: dict[int, Memory] = field(default_factory=dict[int, Memory])
    rivals: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def fill(self) -> list[Doubt]:
        """Return the doubts, newest first, at most `limit`."""
        self.apart = _kept_apart(self.store)
        self.rivals = self._rivals()
        for block in self.found.blocks():
            self.go(block)
            if len(self.doubts) >= self.limit:
                break
        return self.doubts[: self.limit]

    def _rivals(self) -> list[tuple[int, int]]:
        """Return pairs of documents that claim two values of one attribute of one person; the newest of each."""
        docs: list[int] = self.found.claiming.tolist()
        self._load(docs)
        held: dict[tuple[int, str], tuple[int, str]] = {}
        found: list[tuple[int, int]] = []
        for doc in docs:
            memory = self.texts.get(doc)
            for claim in () if memory is None else claims(memory.text):
                key = int(self.found.groups[doc]), claim.attribute
                before = held.get(key)
                if before is not None and differ(before[1], claim.value):
                    found.append((before[0], doc))
                held[key] = doc, claim.value
        return found

    def go(self, block: tuple[int, int]) -> None:
        """Judge what has its newest memory in a block of documents, given as [start, end)."""
        small, sets, pairs = self.found.within(block)
        pairs = dict.fromkeys([*pairs, *(pair for pair in self.rivals if block[0] <= pair[1] < block[1])])
        self._load([*small, *(doc for one in sets for doc in one), *(doc for one in pairs for doc in one)])
        made: list[tuple[int, Doubt]] = []
        for doc in small:
            made += self._small_talk(doc)
        for docs in sets:
            made += self._same(docs)
        ordered = sorted(self._judged(pairs), key=lambda one: (one[1].why != "contradiction", -one[0]))
        for newest, doubt in ordered:
            if not self.taken & {one.id for one in doubt.memories}:
                made.append((newest, self._take(doubt)))
        self.doubts += [doubt for _, doubt in sorted(made, key=lambda one: -one[0])]

    def _load(self, docs: Sequence[int]) -> None:
        rows = {int(self.found.rows[doc]): doc for doc in set(docs) - self.texts.keys()}
        wanted = list(rows)
        for start in range(0, len(wanted), 5000):
            loaded = self.store.ledger.shown(wanted[start : start + 5000])
            self.texts.update((rows[row], memory) for row, memory in loaded.items())

    def _take(self, doubt: Doubt) -> Doubt:
        self.taken.update(one.id for one in doubt.memories)
        return doubt

    def _small_talk(self, doc: int) -> Iterator[tuple[int, Doubt]]:
        memory = self.texts.get(doc)
        if memory is None or KEPT in memory.attributes:
            return
        if what := small_talk(memory.text, answers=self.found.answers(doc)):
            yield doc, self._take(junk_doubt(memory, what))

    def _same(self, docs: Sequence[int]) -> Iterator[tuple[int, Doubt]]:
        """Yield the doubts of documents with the same terms, of which those with the same text are duplicates."""
        by_text: dict[str, list[int]] = {}
        for doc in docs:
            memory = self.texts.get(doc)
            if memory is not None and memory.id not in self.taken:
                by_text.setdefault(normal(memory.text), []).append(doc)
        for alike in by_text.values():
            group: list[int] = []
            for doc in sorted(alike, reverse=True):
                if all(self._may_be_one(doc, other) for other in group):
                    group.append(doc)
            if len(group) > 1:
                copies = [self.texts[doc] for doc in group]
                self.taken.update(one.id for one in copies)
                yield group[0], duplicate(copies)

    def _may_be_one(self, doc: int, other: int) -> bool:
        one, two = self.texts[doc], self.texts[other]
        decided = _decided(self.apart, one, two)
        return one.id != two.id and not decided and comparable(one, two) and same_text(one, two)

    def _judged(self, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, Doubt]]:
        for older, newer in sorted(pairs, key=lambda pair: (-pair[1], -pair[0])):
            one, two = self.texts.get(older), self.texts.get(newer)
            if one is None or two is None or one.id == two.id or {one.id, two.id} & self.taken:
                continue
            if _decided(self.apart, one, two):
                continue
            doubt = judged(one, two)
            if doubt is not None:
                yield newer, doubt
