"""Extract facts from what was said, by rules: each cites the span it was read from; writes nothing, calls no model.

A turn is cut into sentences. Small talk, questions and what is only supposed are told apart; what remains is said in the
third person, and what it states is read (`parts.statements`). The text of a fact is never more than its sentence says:
no fact without a span of a stored memory, and what the machine said is marked as its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from simonides.parts.capture import strip
from simonides.parts.dates import Dated, find_dates
from simonides.parts.person import ASSISTANT, USER, third
from simonides.parts.query import is_assistant, is_user
from simonides.parts.small_talk import small_talk
from simonides.parts.spans import sentences
from simonides.parts.statements import Statement, statement
from simonides.types import Json, Kind, Memory, Source

SHORTEST = 3
"""Words of a sentence that can state something."""
MOST = 60
"""Facts that one memory may give: a long document is not taken apart to its last line."""

_SUPPOSED = re.compile(
    r"\b(?:if|unless|would|could|might|(?-i:may)(?! \d)|maybe|perhaps|possibly|probably|wish|imagine|suppose|supposing|pretend|what if|"
    r"hypothetically|assuming|i think about|thinking (?:of|about)|considering|wonder(?:ing)?)\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"^(?:please|can|could|would|will|help|tell|show|give|write|explain|make|let'?s|let me know|let us|suggest|recommend|"
    r"list|provide|create|describe|compare|summari[sz]e|find|translate|generate|check|look|consider|try|remember that|note|"
    r"don't forget|imagine|act as|do|what|how|why|when|where|who|which)\b",
    re.IGNORECASE,
)
_KEEP = re.compile(
    r"^(?:please )?(?:remember|note|keep in mind|don't forget)(?: that)?[:,]? (?P<rest>.+)", re.IGNORECASE
)
_OVER = re.compile(r"\b(?:stopped|quit|sold|no longer|gave up|any ?more|broke up|divorced)\b", re.IGNORECASE)
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w'&-]*(?:[ -](?:(?:of|de|van|von|the|and) )?[A-Z][\w'&-]*)*")
_FIRST_NAME = re.compile(r"^[A-Z][\w'&-]*(?: [A-Z][\w'&-]*)+")
_INSTRUCTION = re.compile(r"\b(?:always|never|make sure|must|from now on|do not|don't)\b", re.IGNORECASE)
_COMMON = frozenset(
    "I I'm I've I'd I'll The A An My Our We You It This That He She They And But So Or If".split()
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was said, as a sentence of its own.

    Attributes:
        text: the sentence in the third person.
        span: the characters ``[start, end)`` of the memory that say so.
        kind: which of the typed kinds.
        modality: ``asserted``, ``hypothetical``, ``asked`` or ``agent``.
        says: subject, attribute and value, where they could be read.
        names: people, places and things that it names.
        when: the first stretch of time that it names, resolved against when it was said.
        importance: in [0, 1], by kind.
    """

    text: str
    span: tuple[int, int]
    kind: str = Kind.FACT
    modality: str = "asserted"
    says: Statement | None = None
    names: tuple[str, ...] = ()
    when: Dated | None = None
    importance: float = 0.5

    def attributes(self) -> dict[str, Json]:
        """Return what a derived memory keeps of it beside its text."""
        found: dict[str, Json] = {}
        if self.says is not None:
            said = self.says
            found |= {"subject": said.subject, "attribute": said.attribute, "value": said.value}
            found |= {"single": said.single, "negated": said.negated}
        if self.names:
            found["names"] = list(self.names)
        if self.when is not None:
            found["when"] = [self.when.start.isoformat(), self.when.end.isoformat()]
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be read: a text, who said it to whom, and when."""

    text: str
    at: datetime
    speaker: str = ""
    listener: str = ""
    memory: str = ""
    before: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, memory: Memory, listener: str = "", before: Iterable[Memory] = ()) -> Told:
        """Return a stored turn as what is to be read; `before` are the turns before it, oldest first."""
        return cls(
            memory.text, memory.at, memory.speaker, listener, memory.id, tuple(one.text for one in before)
        )

    def source(self, fact: Fact, name: str = "") -> Source:
        """Return where a fact comes from."""
        return Source(name=name, memory=self.memory, span=fact.span, modality=fact.modality)


class Extractor(Protocol):
    """Reads facts from what was said."""

    def extract(self, told: Told) -> list[Fact]:
        """Return the facts; each span must hold, in the text, what the fact was read from."""
        ...


class Rules:
    """The extractor that is always there: written rules, under a millisecond a sentence, the same every time.

    Args:
        asked: questions are facts too, of modality ``asked``.
        supposed: what is only supposed too, of modality ``hypothetical``.
        agent: what the machine said too, of modality ``agent``.
        verbatim: the sentence as it was said, instead of in the third person.
    """

    def __init__(
        self, *, asked: bool = False, supposed: bool = False, agent: bool = True, verbatim: bool = False
    ) -> None:
        self.asked, self.supposed, self.agent, self.verbatim = asked, supposed, agent, verbatim

    def extract(self, told: Told) -> list[Fact]:
        """Return the facts of a text, in its order, each sentence once."""
        if is_assistant(told.speaker) and not self.agent:
            return []
        bare = told.text
        kept = {line.strip() for line in strip(bare).splitlines()} if "<memories" in bare.lower() else None
        found: list[Fact] = []
        seen = set[str]()
        for start, end in sentences(bare):
            said = bare[start:end]
            if kept is not None and not any(said in line for line in kept):
                continue  # recalled text is no evidence
            fact = self._fact(told, said, (start, end))
            if fact is not None and fact.text.casefold() not in seen:
                seen.add(fact.text.casefold())
                found.append(fact)
                if len(found) == MOST:
                    break
        return found

    def _fact(self, told: Told, said: str, span: tuple[int, int]) -> Fact | None:
        kept = _KEEP.match(said)
        words = kept["rest"] if kept else said
        modality = modality_of(words, told.speaker)
        asks = bool(told.before) and told.before[-1].rstrip().endswith("?")
        if len(words.replace("'", " ").split()) < SHORTEST or small_talk(words, answers=asks):
            return None
        if (modality == "asked" and not self.asked) or (modality == "hypothetical" and not self.supposed):
            return None
        if _REQUEST.match(words) and not kept:
            return None
        speaker, listener = shown(told.speaker), shown(told.listener) if told.listener else ""
        text = third(words, speaker, listener)
        says = statement(text) if modality != "asked" else None
        kind = kind_of(words, says)
        if says is None and not _carries(text, speaker) and not _OVER.search(text):
            return None
        when = next(iter(find_dates(words, told.at)), None)
        shown_text = words[:1].upper() + words[1:] if self.verbatim else text
        return Fact(shown_text, span, kind, modality, says, tuple(names(text)), when, _WEIGHT.get(kind, 0.5))


def modality_of(sentence: str, speaker: str = "") -> str:
    """Return how a sentence is meant: ``asserted``, ``hypothetical``, ``asked`` or ``agent``."""
    if sentence.rstrip(" \"')*").endswith("?"):
        return "asked"
    if is_assistant(speaker):
        return "agent"
    return "hypothetical" if _SUPPOSED.search(sentence) else "asserted"


def shown(speaker: str) -> str:
    """Return how a speaker is called in a sentence about them."""
    if not speaker or is_user(speaker):
        return USER
    return ASSISTANT if is_assistant(speaker) else speaker


def kind_of(sentence: str, says: Statement | None) -> str:
    """Return the typed kind of a sentence."""
    if says is not None and says.kind != Kind.FACT:
        return str(says.kind)
    if _INSTRUCTION.match(sentence):
        return str(Kind.INSTRUCTION)
    return str(Kind.FACT if says is not None else Kind.OBSERVATION)


def names(text: str) -> Iterator[str]:
    """Yield the names in a sentence, each once: words with a capital inside it, and several of them at its start."""
    seen = set[str]()
    first = _FIRST_NAME.match(text)
    for name in ([first.group()] if first else []) + _NAME.findall(text):
        bare = name.removesuffix("'s").removesuffix("'")
        if bare not in _COMMON and bare.casefold() not in seen and len(bare) > 1:
            seen.add(bare.casefold())
            yield bare


_WEIGHT = {
    Kind.INSTRUCTION: 0.8, Kind.PREFERENCE: 0.7, Kind.DECISION: 0.7, Kind.COMMITMENT: 0.7, Kind.GOAL: 0.6,
    Kind.RELATIONSHIP: 0.7, Kind.FACT: 0.6, Kind.EVENT: 0.4, Kind.OBSERVATION: 0.3,
}  # fmt: skip
"""How much a fact matters, by its kind; set by hand."""


def _carries(text: str, speaker: str) -> bool:
    """Tell whether a sentence that no pattern reads still says something of its own: a name or a number in it."""
    rest = text.replace(speaker, "")
    return bool(re.search(r"\d", rest)) or any(True for _ in names(rest))
