"""Say in the third person what somebody said in the first: "I moved" becomes "Ana moved"; knows no memory.

Written rules for English. What stands in quotation marks is somebody else's and stays. A verb after "I" or "you" gets
its third person unless it is past; which verbs are past without an ending in -ed is a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from simonides.parts.verbs import PAST, base

USER, ASSISTANT = "The user", "The assistant"

_MODAL = frozenset(
    "can could may might must shall should will would ought cannot can't couldn't won't wouldn't".split()
)
_MODALS = _MODAL | frozenset(
    "shouldn't mustn't might've could've should've would've had hadn't did didn't was were".split()
)
_PRESENT = frozenset("need feed bleed breed speed heed exceed proceed succeed embed".split())
_ADVERBS = (
    r"(?:also|always|already|actually|absolutely|really|still|just|now|never|often|usually|"
    r"currently|recently|rarely|"
    r"sometimes|finally|even|only|mostly|generally|typically|probably|definitely|honestly|"
    r"basically|truly|totally|"
    r"especially|particularly|no longer|once|kind of|sort of|almost|ever|once|then|normally|"
    r"mainly|simply|both|all|(?!(?:re|ap|sup|multi|com|im)?p?ly\b|rely\b|fly\b|apply\b|"
    r"reply\b|supply\b)[a-z]{3,}ly)"
)
_HELPING = {"am": "is", "are": "is", "have": "has", "do": "does", "don't": "doesn't", "haven't": "hasn't",
            "aren't": "isn't", "were": "was", "weren't": "wasn't", "ain't": "isn't"}  # fmt: skip
_SHORT = {"'m": "is", "'re": "is", "'ve": "has", "'d": "would", "'ll": "will"}
_QUOTED = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d")
_CLAUSE = re.compile(
    rf"\b(?P<who>i|you)(?P<short>'(?:m|re|ve|d|ll))?\b(?:\s+(?P<adverb>{_ADVERBS}(?:\s+{_ADVERBS})?))?"
    r"(?:\s+(?P<verb>[a-z]+(?:'[a-z]+)?))?",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?P<word>me|my|mine|myself|your|yours|yourself)\b", re.IGNORECASE)
_WE = re.compile(r"\b(?P<word>we|us|our|ours|ourselves)\b(?P<short>'(?:re|ve|d|ll))?", re.IGNORECASE)
_NUMBERED = re.compile(
    r"\b(?:act|part|phase|level|type|volume|chapter|war|stage|class|grade|book|section) $", re.IGNORECASE
)
_ASKING = re.compile(
    r"\b(?:can|could|may|might|must|shall|should|will|would|do|did|does|to|let|make|help)\s+$", re.IGNORECASE
)


def third(text: str, speaker: str, listener: str = "") -> str:
    """Return a sentence as somebody else would tell it.

    Args:
        text: one sentence.
        speaker: who said it: a name, or `USER` or `ASSISTANT`.
        listener: who is "you"; where it is empty, "you" stays.
    """
    names = {"i": speaker, "you": listener}
    told = _outside_quotes(text.replace("\u2019", "'"), lambda part: _clauses(part, names))
    told = _outside_quotes(told, lambda part: _owned(part, speaker, listener))
    told = _outside_quotes(told, lambda part: _together(part, speaker))
    return told[:1].upper() + told[1:]


def _outside_quotes(text: str, change: Callable[[str], str]) -> str:
    parts, last = list[str](), 0
    for match in _QUOTED.finditer(text):
        parts += [change(text[last : match.start()]), match.group()]
        last = match.end()
    return "".join([*parts, change(text[last:])])


def _clauses(text: str, names: dict[str, str]) -> str:
    def said(match: re.Match[str]) -> str:
        name = names[match["who"].lower()]
        if not name or (
            match["who"] == "I" and _NUMBERED.search(text[max(0, match.start() - 10) : match.start()])
        ):
            return match.group()
        subject = name if match.start() == 0 or not name.startswith("The ") else f"the {name[4:]}"
        if match["who"].lower() == "you" and not _is_subject(text, match):
            return subject + match.group()[len(match["who"]) :]
        words = [subject]
        helping = _SHORT.get((match["short"] or "").lower())
        if helping:
            words.append(helping)
        if match["adverb"]:
            words.append(match["adverb"])
        if match["verb"]:
            bare = helping or _ASKING.search(text[max(0, match.start() - 12) : match.start()])
            words.append(match["verb"] if bare else inflected(match["verb"]))
        return " ".join(words)

    return _CLAUSE.sub(said, text)


_BEFORE_OBJECT = re.compile(
    (
        r"\b(?:to|for|with|of|about|from|at|by|on|in|thank|thanks|tell|told|ask|asked|show|let|"
        r"help|see|give|gave|send|"
        r"sent|like|love|miss|than|and)\s+$"
    ),
    re.IGNORECASE,
)


def _is_subject(text: str, match: re.Match[str]) -> bool:
    verb = (match["verb"] or "").lower()
    says = match["short"] or match["adverb"] or base(verb) or verb in _HELPING or verb in _MODALS
    return bool(says) and not _BEFORE_OBJECT.search(text[max(0, match.start() - 12) : match.start()])


def inflected(verb: str) -> str:
    """Return a verb after "I" as it stands after a name; past forms and modal verbs stay."""
    low = verb.lower()
    if low in _HELPING:
        return _HELPING[low]
    past = low.endswith("ed") and low not in _PRESENT
    if past or low in _MODALS or low in PAST or not low.isalpha():
        return verb
    if low.endswith("ing") or low in ("and", "or", "who", "to", "in", "on", "at", "with", "as", "not"):
        return verb
    if low.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{verb}es"
    if low.endswith("y") and low[-2:-1] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}s"


def _owned(text: str, speaker: str, listener: str) -> str:
    named = set[str]()

    def said(match: re.Match[str]) -> str:
        word = match["word"].lower()
        name = speaker if word[0] == "m" else listener
        if not name:
            return match.group()
        told = name in named or name.removeprefix("The ") in text[: match.start()]
        named.add(name)
        if word in ("myself", "yourself"):
            return "themself"
        if word == "me":
            return "them" if told else _inside(name, match)
        own = f"{_inside(name, match)}'{'' if name.endswith('s') else 's'}"
        return ("their" if word in ("my", "your") else "theirs") if told else own

    return _OWN.sub(said, text)


def _inside(name: str, match: re.Match[str]) -> str:
    return name if match.start() == 0 or not name.startswith("The ") else f"the {name[4:]}"


def _together(text: str, speaker: str) -> str:
    def said(match: re.Match[str]) -> str:
        word = match["word"].lower()
        if word != "we":
            short = match["short"] or ""
            return {"us": "them", "our": "their", "ours": "theirs"}.get(word, "themselves") + short
        told = speaker.removeprefix("The ") in text[: match.start()]
        helping = {"'re": "are", "'ve": "have", "'d": "would", "'ll": "will"}.get(
            (match["short"] or "").lower()
        )
        who = "they" if told else f"{_inside(speaker, match)} and others"
        return f"{who} {helping}" if helping else who

    return _WE.sub(said, text)
