"""Extract facts from what was said, by rules: each cites the span it was read from; writes nothing, calls no model.

A turn is cut into sentences. Small talk, questions and what is only supposed are told apart; what remains is said in
the third person, and what it states is read (`parts.statements`). The text of a fact is never more than its sentence
says: no fact without a span of a stored memory, and what the machine said is marked as its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol

from simonides.parts.capture import strip
from simonides.parts.moments import LONGEST, Moment, moments
from simonides.parts.person import ASSISTANT, USER, third
from simonides.parts.predicted import asked_for
from simonides.parts.query import is_assistant, is_user
from simonides.parts.small_talk import small_talk
from simonides.parts.spans import sentences
from simonides.parts.statements import Statement, statement
from simonides.parts.verbs import has_verb, orders
from simonides.types import Json, Kind, Memory, Source

SHORTEST = 3
"""Words of a sentence that can state something."""
MOST = 60
"""Facts that one memory may give: a long document is not taken apart to its last line."""
READ = 2000
"""Sentences of one memory that are read."""

_SUPPOSED = re.compile(
    (
        r"\b(?:would|(?<=\w)'d)(?! (?:(?:really |also )?(?:like|love|prefer|rather)|better|been|"
        r"gone|just|already)\b)|\b(?:if|unless|could|might|(?-i:may)(?! \d)|maybe|perhaps|"
        r"possibly|probably|wish|"
        r"imagine|suppose|supposing|pretend|what if|"
        r"hypothetically|assuming|i think about|thinking (?:of|about)|considering|"
        r"wonder(?:ing)?)\b"
    ),
    re.IGNORECASE,
)
_REQUEST = re.compile(
    (
        r"^(?:please|can|could|would|will|help|tell|show|give|write|explain|make|let'?s|let me "
        r"know|let us|suggest|recommend|"
        r"list|provide|create|describe|compare|summari[sz]e|find|translate|generate|check|look|"
        r"consider|try|remember that|note|"
        r"don't forget|imagine|act as|do|what|how|why|when|where|who|which)\b"
    ),
    re.IGNORECASE,
)
_KEEP = re.compile(
    r"^(?:please )?(?:remember|note|keep in mind|don't forget)(?: that)?[:,]? (?P<rest>.+)", re.IGNORECASE
)
_OVER = re.compile(r"\b(?:stopped|quit|sold|no longer|gave up|any ?more|broke up|divorced)\b", re.IGNORECASE)
_MARKS = re.compile(r"\*{1,3}|__|^#{1,6}\s|~~")
_TIE = re.compile(
    (
        r"^(?:(?:and|but|so|also|well|yes|yeah|yep|no|nah|ok|okay|oh|ah|hm+|anyway|actually|"
        r"honestly|basically|right|sure|hey|hi|hello|alright|"
        r"plus|look|listen|now|then|still|great|perfect|good|thanks|thank you|exactly|indeed|you "
        r"know|i mean|of course|for sure|haha|wow|"
        r"to be honest|by the way|btw)(?:,|\s?[-\u2013\u2014]|\s(?=i\b|i'|my\b|we\b|"
        r"yes,))\s?){1,3}"
    ),
    re.IGNORECASE,
)
_TALK = re.compile(
    (
        r"^(?:thank|thanks|sorry|hello|hi|hey|good (?:morning|evening|afternoon|work|job|point|"
        r"idea|call|news|question)|great|perfect|"
        r"looking forward|sounds|makes sense|got it|no (?:worries|problem|rush|doubt|need|more|"
        r"other)|here(?:'s| is| are)|"
        r"(?:that|this|it|the (?:plan|content|focus|parameters|structure|list|approach|breakdown|"
        r"outline|summary))(?:'s| "
        r"is| are| looks| sounds| makes| works)? "
        r"(?:\w+ )?(?:perfect|perfectly|great|good|solid|clear|sense|right|exactly|fine|helpful|"
        r"excellent|spot|brilliant|fantastic|amazing)\b|"
        r"i (?:see|agree|understand|appreciate|hear you|know|think so|get it|hope so|guess "
        r"so)\b(?=[.!,]|$| the| that| your| it)|"
        r"i(?:'m| am) (?:ready|here|listening|all ears|glad|happy|sorry|sure|looking)\b|let me "
        r"(?:know|see|think|check))"
    ),
    re.IGNORECASE,
)
_PROPOSED = re.compile(
    r"^let'?s (?=(?:go|focus|start|stick|begin|use|make|keep|do|choose|pick|set|move|plan)\b)", re.IGNORECASE
)
_INTRODUCED = re.compile(
    r"(?:[Tt]his is|[Ii]t's|[Ii]t is) (?P<name>[A-Z][a-z]+(?: [A-Z][a-z]+)?)(?: here)?[.!]?"
)
_LABELLED = re.compile(r"[A-Z][\w '/&()-]{2,40}: ?[^\s:][^:]*")
_SIGNS = (
    (
        Kind.ERROR,
        re.compile(r"\b(?:errors?|exception|bug|stack trace|traceback|crash(?:ed|es))\b", re.IGNORECASE),
    ),
    (
        Kind.ARTIFACT,
        re.compile(
            r"https?://|\b[\w/-]{1,80}\.(?:py|md|pdf|csv|json|docx?|xlsx?|pptx?|ipynb|yaml|toml|txt)\b"
        ),
    ),
    (Kind.CONTEXT, re.compile(r"\b(?:currently|these days|at the moment)\b.{0,40}\b\w+ing\b", re.IGNORECASE)),
)
"""Kinds that show in the words of a sentence that states nothing more particular."""
_STANDING = re.compile(
    (
        r"\b(?:always|never|from now on|every time|whenever|in (?:the )?future|going forward|by "
        r"default)\b"
    ),
    re.IGNORECASE,
)
_TO_THE_MACHINE = re.compile(
    (
        r"\b(?:needs?|wants?|would like|expects?|asked|asks|told|requested|waiting for|counting "
        r"on|trusts?|thanks?|appreciates?) "
        r"(?:\w+ )?the assistant\b|\bthe assistant(?:'s)? (?:\w+ )?(?:response|reply|answer|help|"
        r"suggestion|advice|output|message)s?\b|"
        r"^The assistant\b|\b(?:tell|give|show|send|get) (?:the user|them)\b"
    ),
    re.IGNORECASE,
)
_POINTING = re.compile(
    (
        r"^(?:It|This|That|These|Those|They|He|She|There|Here|Such|Which|One|Everything|Nothing|"
        r"Something|All|Both|Not|What|So)\b"
    ),
    re.IGNORECASE,
)
_TALKING = re.compile(
    (
        r"\b(?:back[- ]and[- ]forth|no time (?:to waste|for)|is ready (?:to|for)|is here to|sharp "
        r"sharp|right now, just|moving on|"
        r"let's|next step|the task at hand|please|(?:sounds?|looks?) (?:\w+ )?(?:good|great|solid|"
        r"perfect|fine)|makes? (?:\w+ )?sense|is (?:(?:also|really|so|just|super|not|very) "
        r")*(?:excited|ready|determined|glad|thrilled)|needs? to (?:see|know|review|move|nail|"
        r"talk)|not (?:an explanation|another question|more research)|exactly what)\b"
    ),
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w'&-])[A-Z][\w'&-]*(?:[ -](?:(?:of|de|van|von|the) )?(?!I\b)[A-Z][\w'&-]*)*")
_INSTRUCTION = re.compile(r"\b(?:always|never|make sure|must|from now on|do not|don't)\b", re.IGNORECASE)
_COMMON = frozenset(
    "I I'm I've I'd I'll Please The A An My Our We You It This That He She They And But So Or If".split()
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
    when: Moment | None = None
    importance: float = 0.5

    def questions(self) -> tuple[str, ...]:
        """Return what a person would ask to get this fact, by templates; empty where no statement could be read."""
        return asked_for(self.says) if self.says is not None else ()

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
            found["precision"] = self.when.precision
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
    zone: str = ""

    @classmethod
    def of(cls, memory: Memory, listener: str = "", before: Iterable[Memory] = ()) -> Told:
        """Return a stored turn as what is to be read; `before` are the turns before it, oldest first."""
        return cls(
            memory.text,
            memory.at,
            memory.speaker,
            listener,
            memory.id,
            tuple(one.text for one in before),
            memory.zone,
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
        text = told.text
        kept = {line.strip() for line in strip(text).splitlines()} if "<memories" in text.lower() else None
        found: list[Fact] = []
        seen = set[str]()
        times = (
            moments(text, told.at, told.zone) if len(text) <= LONGEST else None
        )  # "the day after" needs the rest
        for start, end in islice(sentences(text), READ):
            said = text[start:end]
            if kept is not None and not any(said in line for line in kept):
                continue  # recalled text is no evidence
            fact = self._fact(told, said, (start, end), times)
            if fact is not None and fact.text.casefold() not in seen:
                seen.add(fact.text.casefold())
                found.append(fact)
                if len(found) == MOST:
                    break
        return found

    def _fact(
        self, told: Told, said: str, span: tuple[int, int], times: Sequence[Moment] | None
    ) -> Fact | None:
        kept = _KEEP.match(said)
        words = bare(kept["rest"] if kept else said)
        modality = modality_of(words, told.speaker)
        if (modality == "asked" and not self.asked) or (modality == "hypothetical" and not self.supposed):
            return None
        asks = bool(told.before) and told.before[-1].rstrip().endswith("?")
        if not kept and empty(words, asked=modality == "asked", answers=asks):
            return None
        speaker, listener = shown(told.speaker), shown(told.listener) if told.listener else ""
        text = third(words, speaker, listener)
        says = statement(text) if modality != "asked" else None
        if not kept and _of_the_talk(text, says, speaker, listener):
            return None
        kind = kind_of(words, says)
        when = next(iter(moments(words, told.at, told.zone)), None) if times is None else _within(times, span)
        shown_text = words[:1].upper() + words[1:] if self.verbatim else text
        weight = _WEIGHT.get(kind, 0.5)
        return Fact(shown_text, span, kind, modality, says, tuple(names(text)), when, weight)


def _within(times: Sequence[Moment], span: tuple[int, int]) -> Moment | None:
    return next((one for one in times if span[0] <= one.span[0] and one.span[1] <= span[1]), None)


def bare(sentence: str) -> str:
    """Return a sentence without marks of emphasis and without the words that only tie it to the one before."""
    plain = _MARKS.sub("", sentence).strip()
    untied = _TIE.sub("", plain, count=1) or plain
    if name := _INTRODUCED.fullmatch(untied):
        return f"My name is {name['name']}."
    return _PROPOSED.sub("I want to ", untied, count=1)


def empty(sentence: str, *, asked: bool = False, answers: bool = False) -> bool:
    """Tell whether a sentence states nothing that could be remembered: small talk, an order, a heading, a fragment."""
    if (
        len(sentence.replace("'", " ").split()) < SHORTEST and not _LABELLED.fullmatch(sentence)
    ) or small_talk(sentence, answers=answers):
        return True
    if _TALK.match(sentence) or sentence.endswith(":"):
        return True
    if asked or _STANDING.search(sentence):
        return False
    return (
        bool(_REQUEST.match(sentence))
        or orders(sentence)
        or not (has_verb(sentence) or _LABELLED.fullmatch(sentence))
    )


def _of_the_talk(text: str, says: Statement | None, speaker: str, listener: str) -> bool:
    """Tell whether a sentence is about this talk and no more, or about something it does not name."""
    if listener == ASSISTANT:
        theirs = says is not None and says.subject == ASSISTANT
        if theirs or _TO_THE_MACHINE.search(text) or _TALKING.search(text):
            return True
    inside = f"the {speaker[4:]}" if speaker.startswith("The ") else speaker
    if _POINTING.match(text):
        clause = rf"(?:[,;\u2014]|\b(?:and|but|so|because|that))\s(?:\w+\s)?{re.escape(inside)}\s"
        return re.search(clause, text) is None
    about = text.startswith(speaker) or re.search(rf"\b{re.escape(inside)}\b", text) is not None
    return says is None and not about and not _carries(text, speaker)


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
    for kind, pattern in _SIGNS:
        if pattern.search(sentence):
            return str(kind)
    return str(Kind.FACT if says is not None else Kind.OBSERVATION)


def names(text: str) -> Iterator[str]:
    """Yield the names in a sentence, each once: words with a capital inside it, and several of them at its start."""
    seen = set[str]()
    for match in _NAME.finditer(text):
        name = match.group().removesuffix("'s").removesuffix("'")
        first = match.start() == 0 or text[match.start() - 2 : match.start()] in (". ", "! ", "? ", ": ")
        if name in _COMMON or len(name) < 2 or (first and " " not in name) or name.casefold() in seen:
            continue
        seen.add(name.casefold())
        yield name


_WEIGHT: Mapping[str, float] = {
    Kind.INSTRUCTION: 0.8, Kind.PREFERENCE: 0.7, Kind.DECISION: 0.7, Kind.COMMITMENT: 0.7, Kind.GOAL: 0.6,
    Kind.RELATIONSHIP: 0.7, Kind.FACT: 0.6, Kind.EVENT: 0.4, Kind.OBSERVATION: 0.3,
}  # fmt: skip
"""How much a fact matters, by its kind; set by hand."""


def _carries(text: str, speaker: str) -> bool:
    """Tell whether a sentence that no pattern reads still says something of its own: a name or a number in it."""
    rest = text.replace(speaker, "")
    return bool(re.search(r"\d", rest)) or any(True for _ in names(rest))
