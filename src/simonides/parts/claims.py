"""Read what a text claims of attributes that hold one value at a time: where somebody lives, what somebody is called.

Written patterns over single sentences of English; what is asked, supposed, denied or past is no claim. Two claims of
one subject and one attribute with two values cannot both be true at once. Knows no memory and no store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from simonides.parts.analyse import checksum, fold, stems

LONGEST = 2000
"""Characters of a text that is read: longer ones are pasted, and their "I" is somebody else."""
CUES = (
    "live",
    "living",
    "residing",
    "reside",
    "based",
    "work",
    "job",
    "name",
    "called",
    "favorite",
    "favourite",
    "birthday",
    "born",
    "married",
    "old",
)
"""Words of which a text with a claim has one."""
CUE_TERMS = frozenset(checksum(stem) for stem in stems(CUES))
"""Those words as terms of the index."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+|;\s+|,? (?:and|but) (?=i\b|i'm\b|my\b)", re.IGNORECASE)
_NO_CLAIM = re.compile(
    r"\?|[\"\u201c\u201d]|n't\b|\b(?:if|would|could|might|may|maybe|perhaps|used to|wish|imagine|suppose|pretend|"
    r"ass?um\w*|was|were|had|not|never|hope|want|plan|considering|thinking of|when i|as a kid|grew up|before|"
    r"previously|formerly|until|example|one of|act as|dear)\b",
    re.IGNORECASE,
)
_END = (
    r"(?=$|[.,!:()-]| (?:now|currently|these days|at the moment|since|for|with|because|which|who|that|where|so|and|"
    r"but|as|right now|though|too|again|i|we|is|when)\b)"
)
_NAME = r"(?P<name>[^\W\d_][\w'&.-]*(?: [\w'&.-]+){0,4}?)"
_PLAIN = r"(?P<value>[\w'&-]+(?: [\w'&-]+){0,3}?)"
_NOUN = r"(?P<of>[a-z][\w-]*(?: [a-z][\w-]*){0,2})"
_I_AM = r"(?:i am|i'm|im)"
_NOW = r"(?:currently |now |still |actually |just )?"
_PATTERNS = tuple(
    (attribute, re.compile(pattern, re.IGNORECASE))
    for attribute, pattern in (
        ("home", rf"\bi {_NOW}(?:live|reside) (?:now )?in (?:the (?:city|town) of )?{_NAME}{_END}"),
        ("home", rf"\b{_I_AM} {_NOW}(?:living|based|residing) in {_NAME}{_END}"),
        ("employer", rf"\bi {_NOW}work (?:at|for) {_NAME}{_END}"),
        ("job", rf"\bi {_NOW}work as (?:an?|the) {_PLAIN}{_END}"),
        ("job", rf"\bmy (?:current )?job is (?:an? )?{_PLAIN}{_END}"),
        ("name", rf"\bmy name is {_NAME}{_END}"),
        ("age", rf"\b{_I_AM} {_NOW}(?P<value>\d{{1,3}}) years? old\b"),
        ("birthday", rf"\bmy birthday is (?:on )?{_PLAIN}{_END}"),
        ("birthplace", rf"\bi was born in {_NAME}{_END}"),
        ("spouse", rf"\b{_I_AM} {_NOW}married to {_NAME}{_END}"),
        ("favourite", rf"\bmy (?:all-time |absolute )?favou?rite {_NOUN} is {_PLAIN}{_END}"),
        ("name of", rf"\bmy {_NOUN}(?:'s name is| is called| is named) {_NAME}{_END}"),
        ("name of", rf"\bthe name of my {_NOUN} is {_NAME}{_END}"),
        ("age of", rf"\bmy {_NOUN} is (?P<value>\d{{1,3}}) years? old\b"),
    )
)
_CUED = re.compile(rf"\b(?:{'|'.join(CUES)})", re.IGNORECASE)
_BORN = re.compile(r"\bi was born", re.IGNORECASE)
_LEAD = re.compile(r"^(?:an?|the|my|called|named|about|around) ")
_EMPTY = frozenset(
    "a an the it this that there here home person place city town area small big beautiful nice same fear country "
    "house apartment different another other very also something someone somewhere what how to be".split()
)


@dataclass(frozen=True, slots=True)
class Claim:
    """That an attribute of the speaker has a value; of a thing of the speaker's, `attribute` names it too."""

    attribute: str
    value: str


@lru_cache(maxsize=4096)
def claims(text: str) -> tuple[Claim, ...]:
    """Return what a text claims, each attribute once (the last counts)."""
    if len(text) > LONGEST or "```" in text:
        return ()
    found: dict[str, Claim] = {}
    for raw in _SENTENCE.split(text):
        sentence = " ".join(raw.replace("\u2019", "'").split())
        if len(sentence) > 300 or not _CUED.search(sentence):
            continue
        if not _NO_CLAIM.search(_BORN.sub("i am born", sentence)):
            found.update((claim.attribute, claim) for claim in _claimed(sentence))
    return tuple(found.values())


def _claimed(sentence: str) -> Iterator[Claim]:
    lower = "".join(char for char in sentence if char.isalpha()).replace("I", "").islower()
    for attribute, pattern in _PATTERNS:
        match = pattern.search(sentence)
        if match is None:
            continue
        given = match.groupdict()
        name = given.get("name")
        if name and not (lower or name[0].isupper()):
            continue
        value = _LEAD.sub("", fold(name or given.get("value") or "")).strip(" .'-")
        if value and not {value.split()[0], value.split()[-1]} & _EMPTY:
            of = fold(given.get("of") or "")
            yield Claim(f"{attribute} {of}" if of else attribute, value)


def rivals(one: tuple[Claim, ...], other: tuple[Claim, ...]) -> str:
    """Return which attribute has two values in two sets of claims, in words; empty when none has."""
    theirs = {claim.attribute: claim.value for claim in other}
    for claim in one:
        value = theirs.get(claim.attribute)
        if value is not None and differ(claim.value, value):
            return f"two values of one attribute ({claim.attribute}): {claim.value} or {value}"
    return ""


def differ(one: str, other: str) -> bool:
    """Tell whether two values name two things: none is a part of the other ("Berlin", "East Berlin")."""
    mine, theirs = ({*stems(value.replace("-", " ").split())} for value in (one, other))
    return not mine <= theirs and not theirs <= mine
