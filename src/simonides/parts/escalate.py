"""Answer by a ladder of strategies, cheapest first: gates with reasons say when to go up; knows no store, no recipe.

A rung makes an attempt; its gates judge it; the first attempt that no gate refuses is the answer, and what each gate
said is kept. `tracing` hands the record to whoever wants to see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from simonides.parts import analyse, reader
from simonides.parts.dates import find_dates
from simonides.parts.extract import names
from simonides.parts.reader import Answer
from simonides.parts.statements import plain, same_value
from simonides.types import Hit, Json, Memory

Axis = Literal["relevance", "faithfulness", "completeness"]
Size = Literal["full", "budgeted", "hybrid"]
NOTHING = Answer()
AXES: tuple[Axis, ...] = ("relevance", "faithfulness", "completeness")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one rung came up with.

    Attributes:
        hits: the evidence, best first.
        answer: what the reader makes of it.
        scanned: messages of the verbatim log that were read for it.
        tokens: what they hold, as far as it was counted.
    """

    hits: tuple[Hit, ...] = ()
    answer: Answer = NOTHING
    scanned: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of an attempt."""

    gate: str
    passed: bool
    reason: str
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


class Gate(Protocol):
    """Judges an attempt at a question."""

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        """Return whether it will do, with the reason."""
        ...


@dataclass(frozen=True, slots=True)
class Rung:
    """A way of answering.

    Attributes:
        name: as the record calls it.
        attempt: does it.
        cost: what it would read, in tokens; held against the budget before it is tried.
        gates: what is asked of the attempt; the last rung needs none.
        refusals: how many gates must refuse before the ladder goes up.
    """

    name: str
    attempt: Callable[[], Attempt]
    cost: int = 0
    gates: tuple[Gate, ...] = ()
    refusals: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """A rung that was tried, or skipped for its cost."""

    rung: str
    verdicts: tuple[Verdict, ...]
    scanned: int = 0
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Climb:
    """How a question was answered: every rung with what its gates said, and the attempt that was kept."""

    question: str
    steps: tuple[Step, ...]
    attempt: Attempt

    @property
    def rung(self) -> str:
        """The rung whose attempt was kept; empty where all were skipped."""
        return next((step.rung for step in reversed(self.steps) if not step.skipped), "")

    @property
    def escalated(self) -> bool:
        """Whether more than one rung was tried."""
        return sum(not step.skipped for step in self.steps) > 1

    @property
    def fired(self) -> tuple[str, ...]:
        """The gates that refused an attempt, in order."""
        return tuple(one.gate for step in self.steps for one in step.verdicts if not one.passed)

    @property
    def scanned(self) -> int:
        """Messages read in all."""
        return sum(step.scanned for step in self.steps)


_SEEN: ContextVar[list[Climb] | None] = ContextVar("simonides.climbs", default=None)


@contextmanager
def tracing() -> Generator[list[Climb]]:
    """Collect the climbs of what is asked inside the block, in this thread or task."""
    seen: list[Climb] = []
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rungs, cheapest first.

    Attributes:
        budget: tokens that all rungs together may read; None is no limit. A rung that would not fit is skipped.
    """

    rungs: Sequence[Rung]
    budget: int | None = None

    def climb(self, question: str) -> Climb:
        """Return the first attempt that its gates let pass, else the last that could be made."""
        steps: list[Step] = []
        kept, spent = Attempt(), 0
        for rung in self.rungs:
            if self.budget is not None and spent + rung.cost > self.budget:
                reason = f"it would read {rung.cost} tokens, and {max(0, self.budget - spent)} are left"
                steps.append(Step(rung.name, (Verdict("budget", False, reason),), skipped=True))
                continue
            kept = rung.attempt()
            spent += max(rung.cost, kept.tokens)
            verdicts = tuple(gate.judge(question, kept) for gate in rung.gates)
            steps.append(Step(rung.name, verdicts, kept.scanned))
            if sum(not one.passed for one in verdicts) < max(1, rung.refusals):
                break
        climb = Climb(question, tuple(steps), kept)
        if (seen := _SEEN.get()) is not None:
            seen.append(climb)
        return climb


# Gates


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refuses an attempt without evidence or without an answer."""

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        """Return whether there is any evidence."""
        del question
        found = bool(attempt.hits)
        return Verdict("refusal", found, f"{len(attempt.hits)} hits" if found else "nothing fits")


@dataclass(frozen=True, slots=True)
class Relevance:
    """The best fact fits the question.

    `least` is held against the calibrated chance that the best hit is evidence: unlike a cosine it counts words, names,
    speakers and dates too, and it means the same in each tier.
    """

    least: float = 0.2

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        """Return whether the best hit reaches the least chance."""
        del question
        best = max((hit.score for hit in attempt.hits), default=0.0)
        passed = best >= self.least
        word = "reaches" if passed else "is below"
        return Verdict(
            "relevance", passed, f"the best chance, {best:.2f}, {word} {self.least:.2f}", {"best": best}
        )


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Each word and number of the answer stands in the facts it cites, and no two of them contradict each other.

    Attributes:
        cited: how many of the best facts are held against each other.
    """

    cited: int = 5

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        """Return whether the answer is borne out by what it cites."""
        facts = [hit.memory for hit in attempt.hits[: self.cited]]
        wanting = {*analyse.words(attempt.answer.text)} - analyse.STOPS - _DATE_WORDS
        wanting -= {word for fact in facts for word in analyse.words(f"{fact.text} {fact.speaker}")}
        if attempt.answer.dated:
            wanting = set[str]()  # resolved from what the fact says and when it was said
        if wanting:
            return Verdict("faithfulness", False, f"no cited fact says {', '.join(sorted(wanting))}")
        if rivals := _rivals(question, facts):
            return Verdict("faithfulness", False, rivals)
        return Verdict("faithfulness", True, "what it says stands in what it cites")


@dataclass(frozen=True, slots=True)
class Completeness:
    """Each name, each time and the kind of answer that the question asks for is in a cited fact.

    Attributes:
        cited: how many of the best facts may cover them.
        least: the share of the question's content words that one fact must hold by itself.
        now: what relative dates in the question count from.
    """

    now: datetime
    cited: int = 5
    least: float = 0.4

    def judge(self, question: str, attempt: Attempt) -> Verdict:
        """Return whether nothing that was asked for is missing."""
        facts = [hit.memory for hit in attempt.hits[: self.cited]]
        missing = [f"nobody called {name}" for name in asked_names(question) if not _named(name, facts)]
        missing += [
            f"nothing of {one.words}"
            for one in find_dates(question, self.now)
            if not any(_within(fact, one.start, one.end) for fact in facts)
        ]
        wanted = reader.wanted(question)
        if wanted != "text" and not any(reader.holds(wanted, fact) for fact in facts):
            missing.append(f"no {wanted}")
        share = max((_share(question, fact) for fact in facts), default=0.0)
        if share < self.least:
            missing.append(f"no fact with more than {share:.0%} of what is asked")
        passed = not missing
        reason = "all that is asked for is there" if passed else "; ".join(missing)
        return Verdict("completeness", passed, reason, {"share": round(share, 3)})


def quality(
    now: datetime, *, relevance: float = 0.2, cited: int = 5, coverage: float = 0.4
) -> tuple[Gate, ...]:
    """Return the three axes of the quality gate, in the order of `AXES`."""
    return Relevance(relevance), Faithfulness(cited), Completeness(now, cited, coverage)


def size_gate(
    conversations: int, tokens: int, budget: int | None = None, *, full: int = 30, budgeted: int = 150
) -> Size:
    """Return how to read a memory of a size: all of it, all of it while that is affordable, or a part.

    Args:
        conversations: how many there are.
        tokens: what they hold together.
        budget: tokens that may be read for one question; None is no limit.
        full: up to so many conversations everything is read.
        budgeted: up to so many too, as long as the budget allows.
    """
    affordable = budget is None or tokens <= budget
    if conversations <= full and affordable:
        return "full"
    return "budgeted" if conversations <= budgeted and affordable else "hybrid"


_DATE_WORDS = frozenset(
    "january february march april may june july august september october november december".split()
)
_ASKING = frozenset(
    "who what when where why how which whose whom did does do is are was were has have had can could would will should"
    " many much long name names called kind type".split()
)


def asked_names(question: str) -> list[str]:
    """Return the people, places and things that a question names; its first word is one only if it asks nothing."""
    words = re.sub(
        r"^\W*\w+",
        lambda first: first.group().lower() if first.group().lower() in _ASKING else first.group(),
        question,
    )
    found = [name for name in names(words) if name.casefold() not in _DATE_WORDS]
    first = re.match(r"[A-Z][a-z]+\b", words)
    if first and first.group().casefold() not in _ASKING and first.group() not in " ".join(found):
        found.insert(0, first.group())
    return [name for name in found if not find_dates(f"in {name}", _EPOCH)]


_EPOCH = datetime.fromisoformat("2030-01-01T00:00:00+00:00")


def _named(name: str, facts: Sequence[Memory]) -> bool:
    wanted = set(plain(name).split())
    return any(wanted & set(plain(f"{fact.text} {fact.speaker}").split()) for fact in facts)


def _within(fact: Memory, start: datetime, end: datetime) -> bool:
    if start <= fact.at < end:
        return True
    return any(one.start < end and start < one.end for one in find_dates(fact.text, fact.at))


def _share(question: str, fact: Memory) -> float:
    wanted = {
        *analyse.stems([word for word in analyse.words(question) if word not in _ASKING | analyse.STOPS])
    }
    held = {*analyse.stems(analyse.words(f"{fact.text} {fact.speaker}"))}
    return len(wanted & held) / len(wanted) if wanted else 1.0


def _rivals(question: str, facts: Sequence[Memory]) -> str:
    slots: dict[tuple[str, str], str] = {}
    for fact in facts:
        kept = fact.attributes
        if not kept.get("single") or kept.get("negated") or fact.valid.end is not None:
            continue
        slot, value = (plain(str(kept["subject"])), str(kept["attribute"])), str(kept["value"])
        if slot in slots and not same_value(slots[slot], value) and _share(question, fact) > 0:
            return f"two values of one attribute ({slot[1]}): {slots[slot]} or {value}"
        slots.setdefault(slot, value)
    return ""
