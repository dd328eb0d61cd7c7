"""Decide what a new fact does to what is stored: nothing, added, refined, ended; proposes only, and destroys nothing.

Similarity proposes the neighbours; it decides nothing. A slot test does: the same subject and the same attribute, and
whether that attribute has one value at a time (`parts.slots`). What can't be decided by a slot is compared as a whole:
a sentence that denies what another says ends it; a sentence that names what is wrong ("not Ben") ends what says so.
What is unsure stands beside the old one until somebody decides (`Memory.review`).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from simonides.parts import slots
from simonides.parts.extract import Fact
from simonides.parts.review import DOUBTS, INTO, normal
from simonides.parts.statements import Statement, same_value, statement
from simonides.types import Add, Change, Connect, Link, Memory, Retire, Supersede

Op = Literal["ADD", "NOOP", "UPDATE", "MERGE", "SUPERSEDE", "INVALIDATE", "ANNOTATE"]

SUPERSEDES, ENDS, BESIDE = "supersedes", "ends", "annotates"
"""Relations of the links that say what a fact did to an older one; also `INTO`, and `DOUBTS` where it is unsure."""
FRAME = 0.4
"""Share of the old sentence's words that the new one must repeat to be the same sentence with another value."""
NAMED_FRAME = 0.2
"""The same where the new sentence says what is wrong, or that nothing else is so."""
SLOT = 8
"""The rank of what a slot decides: above all but the same sentence."""
ONCE = 20.0
"""What it weighs, in words, that both tell of what happens once, as where two people met."""
MOST = 200
"""Memories that a late arrival is held against."""
RULES = ("same", "slot", "single", "aliases", "negation", "specific", "guard", "wrong", "frame")
"""What can be left out, to see what it is worth."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a new fact.

    Attributes:
        op: ``ADD`` it; ``NOOP``, it is known; ``UPDATE`` the target to a more exact value; ``MERGE`` the target into
            it, which says the same and more; ``SUPERSEDE`` the target, whose value it changes; ``INVALIDATE`` the
            target, which it denies; ``ANNOTATE`` the target, which stays true beside it.
        target: the id of the memory that it concerns; empty for ``ADD``.
        reason: why, in words.
        evidence: the words of the two that it was decided by: the old, then the new.
        unsure: somebody should look at it; nothing is ended until then.
        old: the target itself, whose time `applied` needs.
        others: neighbours that the same ground speaks against: what held at other times.
    """

    op: Op
    target: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()
    unsure: bool = False
    old: Memory | None = None
    others: tuple[Memory, ...] = ()


def resolve(
    new: Fact,
    neighbours: Sequence[Memory],
    *,
    at: datetime | None = None,
    record: bool = False,
    without: Collection[str] = (),
) -> Decision:
    """Decide what a new fact does to its neighbours; their order does not matter.

    Args:
        new: the fact.
        neighbours: memories that may be about the same, in the same scope, with their statements in `attributes`;
            of those without, the text is read.
        at: when it was said; what had ended by then is no neighbour.
        record: it was written down to be kept (a note, a form, an edit) and not said in passing. Of two such notes the
            same sentence with another value replaces the old one; of two remarks of a conversation it does not. Only
            neighbours without a speaker are compared so.
        without: names of `RULES` that are left out.
    """
    if new.modality == "asked" or (new.modality == "hypothetical" and not record):
        return Decision("ADD", reason=f"what is {new.modality} changes nothing")
    judge = _Judge(new, record=record, without=frozenset(without), weights=_weights(neighbours))
    found: list[tuple[float, Memory, Decision]] = []
    for one in neighbours:
        if at is not None and one.valid.end is not None and one.valid.end <= at:
            continue
        rank, decision = judge.of(one)
        if decision is None or (new.modality == "agent" and decision.op != "NOOP"):
            continue  # the system's own words end nothing
        found.append((rank, one, decision))
    if not found:
        return Decision("ADD", reason="nothing stored is about the same")
    rank, old, decision = max(found, key=lambda each: (each[0], each[1].at, each[1].id))
    others = tuple(
        one
        for same, one, its in found
        if int(same) == int(rank) == SLOT and its.op == decision.op and one.id != old.id
    )
    return replace(decision, target=old.id, old=old, others=others)


class Past(Protocol):
    """What knows the versions and the links of memories, those that have ended too."""

    def history(self, id: str) -> list[Memory]:
        """Return every version of a memory."""
        ...

    def links(self, id: str, *, relation: str | None = None) -> list[Link]:
        """Return the links of a memory."""
        ...


def with_past(neighbours: Sequence[Memory], past: Past, at: datetime) -> list[Memory]:
    """Return the neighbours of what began at `at`, with what they replaced where it is a late arrival.

    A search finds what is true now. What is told late began before that, and what was true then has ended since: it
    is found by the links that say what replaced what.
    """
    found = {one.id: one for one in neighbours}
    waiting = [one.id for one in neighbours if one.at > at]
    while waiting and len(found) < MOST:
        id = waiting.pop()
        for relation in (SUPERSEDES, BESIDE):
            for link in past.links(id, relation=relation):
                other = link.target if link.source == id else link.source
                if other not in found:
                    waiting.append(other)
                    found.update((other, one) for one in past.history(other) if one.recorded.end is None)
    return list(found.values())


class _Judge:
    """One new fact, held against one memory at a time."""

    def __init__(
        self, new: Fact, *, record: bool, without: frozenset[str], weights: Mapping[str, float]
    ) -> None:
        self.new, self.record, self.without, self.weights = new, record, without, weights
        self.raw = new.says or statement(new.text)
        self.says = self._slotted(self.raw, new.text)
        self.words = slots.content(new.text)
        self.denies = self._has("negation") and slots.denies(new.text)
        self.ending = slots.ending(new.text) if self._has("negation") else None

    def of(self, one: Memory) -> tuple[float, Decision | None]:
        """Return what the fact does to a memory, and how strong the ground for it is; None where it does nothing."""
        told = self._slotted(_statement_of(one), one.text)
        rules = self._same, partial(self._slot, told=told), partial(self._ended, told=told), self._denied
        for rank, rule in zip((9.0, SLOT, 7.0, 6.0), rules, strict=True):
            if (decision := rule(one)) is not None:
                return rank, decision
        share, decision = self._framed(one)
        if decision is not None:
            return 2 + share / (1 + share), decision
        if (decision := self._more(one)) is not None:
            return 1.5, decision
        return 1.0, self._profession(one)

    def _has(self, rule: str) -> bool:
        return rule not in self.without

    def _slotted(self, says: Statement | None, text: str) -> Statement | None:
        if says is None:
            return None
        found = slots.slotted(says, aliases=self._has("aliases"))
        return replace(found, value=slots.whole_value(text, found.value)) if found.single else found

    def _same(self, one: Memory) -> Decision | None:
        if normal(one.text) == normal(self.new.text):
            return Decision("NOOP", reason="the same words", evidence=(one.text, self.new.text))
        if not self._has("same") or slots.denies(one.text) != slots.denies(self.new.text):
            return None
        if (
            slots.content(one.text) == self.words
            and len(self.words) > 1
            and slots.order(one.text) == slots.order(self.new.text)
        ):
            return Decision("NOOP", reason="the same in other words", evidence=(one.text, self.new.text))
        return None

    # One slot

    def _slot(self, one: Memory, told: Statement | None) -> Decision | None:
        mine = self.says
        if not self._has("slot") or mine is None or told is None or mine.attribute != told.attribute:
            return None
        if not slots.same_subject(mine.subject, told.subject):
            return None
        evidence = (told.value or one.text, mine.value or self.new.text)
        alike = same_value(mine.value, told.value) or slots.content(mine.value) == slots.content(told.value)
        negated = mine.negated and self._has("negation")
        if negated != told.negated:
            if mine.value and told.value and not slots.within(told.value, mine.value):
                return None  # green tea is denied, not tea
            if negated:
                return Decision("INVALIDATE", reason=f"{mine.attribute}: denied or over", evidence=evidence)
            if mine.attribute == "is":
                return None
            return Decision("SUPERSEDE", reason=f"{mine.attribute}: so again", evidence=evidence)
        if alike:
            return self._refined(one, mine, told, evidence)
        if negated:
            return None
        if slots.only(self.new.text) and mine.attribute not in ("is", "has"):
            return Decision("SUPERSEDE", reason=f"{mine.attribute}: nothing but this", evidence=evidence)
        if not (mine.single or told.single) or not self._has("single"):
            return None
        return self._changed(one, mine, told, evidence)

    def _refined(
        self, one: Memory, mine: Statement, told: Statement, evidence: tuple[str, str]
    ) -> Decision | None:
        more, less = slots.content(mine.value), slots.content(told.value)
        asked = self.raw.attribute if self.raw else ""
        known = slots.content(f"{one.text} {told.value} {mine.subject} {mine.attribute} {asked}")
        fresh = self.words - known - _VERBS
        if self._has("specific") and more > less:
            op: Op = "UPDATE" if mine.single or told.single else "MERGE"
            if self._kept(one):
                return Decision(op, reason=f"{mine.attribute}: more exact", evidence=evidence)
            return Decision(
                "ANNOTATE", reason="more exact, but the old one says other things too", evidence=evidence
            )
        if slots.excludes(self.new.text) and fresh:
            return None
        if not fresh:
            return Decision("NOOP", reason=f"{mine.attribute}: known", evidence=evidence)
        if self._kept(one):
            return Decision("MERGE", reason="the same and more", evidence=evidence)
        return None  # each says something that the other does not

    def _changed(
        self, one: Memory, mine: Statement, told: Statement, evidence: tuple[str, str]
    ) -> Decision | None:
        if mine.attribute == "job" and not self._said_plainly(one):
            return None  # see _profession
        lost = self._lost(one, told)
        if lost and self._has("guard"):
            reason = f"{mine.attribute} has changed, but the old one also says {', '.join(sorted(lost))}"
            return Decision("ANNOTATE", reason=reason, evidence=evidence, unsure=True)
        if not slots.plain_values(mine, told):
            return Decision(
                "ANNOTATE", reason="may be two views of one thing", evidence=evidence, unsure=True
            )
        return Decision("SUPERSEDE", reason=f"{mine.attribute} has one value at a time", evidence=evidence)

    def _profession(self, one: Memory) -> Decision | None:
        mine, theirs = slots.profession(self.new.text), slots.profession(one.text)
        if (
            not self._has("slot")
            or mine is None
            or theirs is None
            or not slots.same_subject(mine[0], theirs[0])
        ):
            return None
        if self.denies or slots.denies(one.text) or same_value(mine[1], theirs[1]):
            return None
        evidence = (theirs[1], mine[1])
        if (self.record and not one.speaker) or slots.excludes(self.new.text):
            return Decision("SUPERSEDE", reason="another profession", evidence=evidence)
        return Decision("ANNOTATE", reason="one may have two professions", evidence=evidence, unsure=True)

    def _said_plainly(self, one: Memory) -> bool:
        """Tell whether both say so as a job, not only what somebody is."""
        raw = (self.new.says or statement(self.new.text), _statement_of(one))
        return any(each is not None and slots.slot_name(each.attribute) == "job" for each in raw)

    def _kept(self, one: Memory) -> bool:
        """Tell whether the new fact says all that the old one says."""
        return not self._has("guard") or slots.content(one.text) - _VERBS <= self.words

    def _lost(self, one: Memory, told: Statement) -> frozenset[str]:
        """Return the names and numbers of the old sentence that are no part of the value that has changed."""
        text = slots.without_value(one.text, told.value)
        heavy = slots.told_names(text) | {word for word in slots.content(text) if word[0].isdigit()}
        return frozenset(heavy - slots.content(f"{told.subject} {told.value} {told.attribute}") - self.words)

    # Denials

    def _ended(self, one: Memory, told: Statement | None) -> Decision | None:
        over = self.ending
        if over is None or told is None or told.negated or not slots.same_subject(over.subject, told.subject):
            return None
        fits = told.attribute == over.attribute or (
            over.attribute == "has" and told.attribute in ("drives", "has")
        )
        fits |= over.attribute == "job" and told.attribute == "employer"
        if not fits or (over.value and not same_value(over.value, told.value)):
            return None
        return Decision("INVALIDATE", reason=f"{told.attribute}: over", evidence=(one.text, self.new.text))

    def _denied(self, one: Memory) -> Decision | None:
        if not self.denies or slots.denies(one.text):
            return None
        mine, theirs = slots.denied(self.new.text), slots.denied(one.text)
        shared = mine & theirs
        if len(shared) < 2 or not mine <= theirs:
            return None
        names = slots.told_names(one.text)
        lost = {word for word in theirs - mine if word in names or word[0].isdigit()}
        unsure = len(shared) < 0.6 * len(theirs) or (bool(lost) and len(shared) < 0.8 * len(theirs))
        return Decision(
            "INVALIDATE",
            reason="one denies what the other says",
            evidence=(one.text, self.new.text),
            unsure=unsure and not (self.record and not one.speaker),
        )

    # Whole sentences

    def _framed(self, one: Memory) -> tuple[float, Decision | None]:
        theirs = slots.content(one.text)
        named = slots.same_people(self.new.text, one.text)
        gone, fresh = theirs - self.words, self.words - theirs
        record, excludes = self.record and not one.speaker, slots.excludes(self.new.text)
        turned = slots.roles(self.new.text) != slots.roles(one.text)
        names = slots.told_names(one.text)
        both = (self.words & theirs) - names
        if not (fresh or turned) or not (gone or excludes or turned) or not named:
            return 0.0, None
        shared = self._mass(both)
        rest = theirs - names
        share = max(shared / max(0.1, self._mass(rest)), len(both) / max(1, len(rest)))
        evidence = (" ".join(sorted(gone)), " ".join(sorted(fresh)))
        if (
            self._has("wrong")
            and (bonus := self._corrected(theirs, record=record))
            and share >= (NAMED_FRAME if record else FRAME)
        ):
            return shared + bonus, Decision("SUPERSEDE", reason="it says what is wrong", evidence=evidence)
        if not record or not self._has("frame") or slots.adds(self.new.text):
            return 0.0, None
        least = NAMED_FRAME if excludes or slots.opening(self.new.text) == slots.opening(one.text) else FRAME
        if slots.once(self.new.text) & slots.once(one.text) and not turned:
            least, shared = 0.0, shared + ONCE
        if share < least:
            return 0.0, None
        return shared, Decision("SUPERSEDE", reason="the same note with another value", evidence=evidence)

    def _corrected(self, theirs: frozenset[str], *, record: bool) -> float:
        """Return how much of what is named as wrong is said by the old one; of a remark only names count."""
        said = [
            words for words in slots.wrong(self.new.text) if record or words & slots.told_names(self.new.text)
        ]
        return max((len(words & theirs) / len(words) for words in said), default=0.0)

    def _mass(self, words: frozenset[str]) -> float:
        return sum(self.weights.get(word, 1.0) for word in words)

    def _more(self, one: Memory) -> Decision | None:
        theirs = slots.content(one.text)
        if slots.excludes(self.new.text) or slots.roles(self.new.text) != slots.roles(one.text):
            return None
        if len(theirs) > 2 and theirs < self.words and slots.denies(one.text) == slots.denies(self.new.text):
            return Decision("MERGE", reason="the same and more", evidence=(one.text, self.new.text))
        if (
            len(self.words) > 2
            and self.words < theirs
            and slots.denies(one.text) == slots.denies(self.new.text)
        ):
            return Decision("NOOP", reason="known, and more", evidence=(one.text, self.new.text))
        return None


def _weights(neighbours: Sequence[Memory]) -> dict[str, float]:
    """Return how much each word tells the neighbours apart: little where many have it."""
    count: Counter[str] = Counter(word for one in neighbours for word in slots.content(one.text))
    return {word: 1.0 + math.log(len(neighbours) / often) for word, often in count.items()}


_VERBS = frozenset("live move work like is has play resid start join".split())


def _statement_of(memory: Memory) -> Statement | None:
    kept = memory.attributes
    if "attribute" in kept and "subject" in kept:
        value, single, negated = (
            str(kept.get("value") or ""),
            bool(kept.get("single")),
            bool(kept.get("negated")),
        )
        return Statement(str(kept["subject"]), str(kept["attribute"]), value, single, negated)
    return statement(memory.text)


def applied(decision: Decision, add: Add, told: Memory, *, denials: bool = True) -> list[Change]:
    """Turn a decision into changes; none of them destroys anything, and doing it again changes nothing more.

    The rule of the interval: where the two were never true at once, both stay as they are. Where the old one began
    first, it ends when the new one begins. A late arrival, which began before the old one, ends where that one begins.

    Args:
        decision: what `resolve` decided.
        add: the new memory, with when it begins (`at`) and, where that is known, ends (`until`).
        told: the turn it was told in; or the target of the decision, where that does not carry it (`old`).
        denials: keep what only denies something as a memory too.
    """
    op, old = decision.op, decision.old
    if old is None and told.id == decision.target:
        old = told
    if op == "NOOP":
        return []
    if op == "ADD" or old is None:
        return [add]
    if decision.unsure or op == "ANNOTATE":
        relation = DOUBTS if decision.unsure else BESIDE
        return [add, _link(add, old, relation, decision)]
    if op == "UPDATE":
        return _updated(decision, add, old)
    if op == "INVALIDATE" and not denials:
        return [Retire(old.id, add.at, reason=decision.reason)] if _before(old, add) else []
    return _ended(decision, add, old)


def _before(old: Memory, add: Add) -> bool:
    """Tell whether the old one began first and was still true when the new one begins."""
    return old.at <= add.at and (old.valid.end is None or add.at < old.valid.end)


def _ended(decision: Decision, add: Add, old: Memory) -> list[Change]:
    rivals = (old, *decision.others)
    later = [one.at for one in rivals if one.at > add.at and (add.until is None or one.at < add.until)]
    replaced = [one.valid.end for one in rivals if _before(one, add) and one.valid.end is not None]
    ends = later + (replaced if decision.op == "SUPERSEDE" else [])
    if ends and (add.until is None or min(ends) < add.until):
        until = min(ends)
        add = replace(add, until=until, reason=f"{add.reason}; until {until:%Y-%m-%d}")
    relation = {"MERGE": INTO, "INVALIDATE": ENDS}.get(decision.op, SUPERSEDES)
    changes: list[Change] = [add]
    for one in rivals:
        if _before(one, add):
            changes += [Retire(one.id, add.at, reason=decision.reason), _link(add, one, relation, decision)]
        elif one.at in later:
            changes.append(_link(add, one, BESIDE, decision))
    return changes


def _updated(decision: Decision, add: Add, old: Memory) -> list[Change]:
    """Return the change that says it more exactly from then on; said earlier, it was so until what is known."""
    if not _before(old, add):
        return [replace(add, until=old.at)] if add.at < old.at else [add]
    attributes = {**old.attributes, **add.attributes}
    return [
        Supersede(
            old.id, add.text, add.at, add.zone, attributes=attributes, confidence=add.confidence,
            importance=max(add.importance, old.importance), source=add.source, reason=decision.reason,
        )
    ]  # fmt: skip


def _link(add: Add, old: Memory, relation: str, decision: Decision) -> Connect:
    source, target = (old.id, add.id) if relation == INTO else (add.id, old.id)
    digest = hashlib.sha256("\x1f".join((source, target, relation)).encode()).hexdigest()
    evidence = " / ".join(decision.evidence)[:200]
    at = max(add.at, old.at)
    return Connect(
        add.id[:12] + digest[:20], source, target, relation, at, evidence=evidence, reason=decision.reason
    )
