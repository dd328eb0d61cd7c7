"""Memanto: records of thirteen kinds, found by one-bit codes of all of them; composes parts, and knows no store.

A record is of a kind, `memanto.fact` to `memanto.error`, given by rules. Where it contradicts another one, what becomes
of the two is chosen before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from simonides.parts.conflicts import Chooser, by_rules, settled
from simonides.parts.dates import find_dates
from simonides.parts.extract import Extractor, Fact, Rules, Told, modality_of, shown
from simonides.parts.fusing import by_best, weighted
from simonides.parts.kinds import ENOUGH, KINDS, typed
from simonides.parts.person import third
from simonides.parts.query import is_assistant
from simonides.parts.resolve import resolve
from simonides.parts.small_talk import small_talk
from simonides.parts.spans import sentences
from simonides.recipes.composition import Asked, Look, Recipe, Searching
from simonides.types import Change, Hit, Kind, Memory, Retire, Supersede

DAYS: Mapping[str, int] = {
    Kind.CONTEXT: 7, Kind.COMMITMENT: 90, Kind.OBSERVATION: 180, Kind.EVENT: 730, Kind.PREFERENCE: 1095,
    Kind.GOAL: 1095,
}  # fmt: skip
"""Days after which a record of a kind is retired; the others stay. The paper names no numbers: these are ours."""
_SINCE = re.compile(r"^what\b.*\b(?:chang\w+|new|updated|different)\b.*\bsince\b", re.IGNORECASE)
_SHORTEST = 3


@dataclass(frozen=True)
class Memanto(Recipe):
    """Typed records, the conflict choice before writing, exhaustive one-bit search, exact rescoring.

    Attributes:
        rescored: records that the signs leave for exact scores.
        candidates: records that a new one may contradict.
        confidence: of a record, in [0, 1].
        words: add the default search's score; False ranks by exact cosine alone, as the paper does.
        verbatim: turns are searched beside the records.
        choose: decides conflicts.
        retention: days by kind; a kind that is not named stays.
        extractor: reads facts.
    """

    name: ClassVar[str] = "memanto"
    paper: ClassVar[str] = (
        "Memanto: Typed Semantic Memory with Information-Theoretic Retrieval for Long-Horizon Agents"
    )
    year: ClassVar[int] = 2026
    link: ClassVar[str] = "https://arxiv.org/abs/2604.22085"
    differs: ClassVar[tuple[str, ...]] = (
        "Conflicts are settled before a record is written, as the paper says; the released code looks at night.",
        "A contradiction is the same slot with another value, of any kind; cosine alone decides nothing.",
        "An update ends the old record and keeps it; the released code deletes and writes anew.",
        "Retention in days is ours: the paper names none.",
        "The final score adds words to the exact cosine; the paper leaves its own score to another paper.",
        "What the model has not read yet is found by words at once.",
    )
    derives: ClassVar[tuple[str, ...]] = tuple(str(kind) for kind in KINDS)

    rescored: int = 100
    candidates: int = 5
    confidence: float = 0.8
    words: bool = True
    verbatim: bool = True
    choose: Chooser = by_rules
    retention: Mapping[str, int] = field(default_factory=lambda: dict(DAYS))
    extractor: Extractor = field(default_factory=lambda: Rules(agent=False), repr=False)

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Derive a record of each thing that is said; a conflict is chosen on first."""
        ended = set[str]()
        for kind, fact in self.records(told, before):
            add = replace(self.derived(told, fact.text, kind=kind, fact=fact), confidence=self.confidence)
            near = [hit.memory for hit in look.near(fact.text, self.candidates, self.kinds())]
            decision = resolve(fact, [one for one in near if one.id not in ended], at=told.at)
            changes = settled(fact, decision, add, told, self.choose)
            ended |= {change.id for change in changes if isinstance(change, Retire | Supersede)}
            yield from changes

    def records(self, told: Memory, before: Sequence[Memory] = ()) -> Iterator[tuple[Kind, Fact]]:
        """Yield what a turn says, with its kind: the facts, and other sentences that a rule gives a kind."""
        if is_assistant(told.speaker):
            return
        found = {fact.span: fact for fact in self.extractor.extract(Told.of(told, before=before))}
        for span in sentences(told.text):
            words = told.text[slice(*span)]
            kind = typed(words)
            if span in found:
                yield kind.kind, found[span]
                continue
            told_so = kind.points >= ENOUGH and modality_of(words) == "asserted"
            if told_so and len(words.split()) >= _SHORTEST and not small_talk(words):
                yield kind.kind, Fact(third(words, shown(told.speaker)), span, kind.kind)

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Search the signs of all, rescore exactly; "what has changed since ..." lists what began or ended since."""
        if _SINCE.search(asked.query) and (dates := find_dates(asked.query, asked.now)):
            changed = self.changed_since(look, dates[0].start)
            return [Hit(one, 1.0, {"since": 1.0}) for one in changed[: asked.k]]
        kinds = self.among(asked) if self.verbatim or asked.kinds else self.kinds()
        hits = look.search(asked, kinds, k=max(asked.k, self.rescored))
        if not hits:
            return []
        near = look.alike(asked, kinds, among=max(asked.k, self.rescored))
        memories = {one.id: one for one in (*(hit.memory for hit in hits), *(one for one, _ in near))}
        exact = {one.id: max(0.0, cosine) for one, cosine in near}
        scores = {
            "words": {hit.memory.id: hit.score for hit in hits if self.words or hit.memory.id not in exact}
        }
        fused = weighted({"signs": exact, **scores} if exact else scores, scale=by_best)
        most = 2.0 if exact and self.words else 1.0
        return [Hit(memories[one.id], min(1.0, one.score / most), one.shares) for one in fused[: asked.k]]

    def changed_since(self, look: Look, since: datetime) -> list[Memory]:
        """Return the records that began at a time or later, newest first, and then those that have ended since."""
        current = look.listed(self.kinds(), limit=100_000)
        now = {one.id for one in current}
        then = [one for one in look.listed(self.kinds(), limit=100_000, as_of=since) if one.id not in now]
        began = sorted(
            (one for one in current if one.at >= since), key=lambda one: (one.at, one.id), reverse=True
        )
        return began + then

    def tend(self, look: Look, now: datetime) -> Iterable[Change]:
        """Retire records that are older than their kind is kept."""
        for kind, days in sorted(self.retention.items()):
            for one in look.listed(self.kinds(kind), limit=100_000, newest_first=False):
                if (end := one.at + timedelta(days=days)) <= now:
                    yield Retire(one.id, end, reason=f"a {kind} is kept for {days} days")
