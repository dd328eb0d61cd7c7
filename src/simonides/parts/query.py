"""Read a question: what it is about, whom, and when; knows no store and no ranking."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from simonides.parts import analyse
from simonides.parts.dates import Dated, find_dates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

USERS = frozenset({"user", "human", "customer", "me", "i"})
"""Names under which the person at the keyboard speaks."""
ASSISTANTS = frozenset(
    {"assistant", "ai", "bot", "model", "agent", "chatgpt", "claude", "gemini", "gpt", "system", "tool"}
)
"""Names under which the machine speaks."""

FUZZY = 0.84
"""How alike (difflib ratio, doubled letters as one) a word and a speaker's name must be: `Muhhamed` is `Muhammad`."""
FUZZY_LETTERS = 5
"""Shorter names must match exactly: they are one letter from many words."""

_YOUR_WORDS = re.compile(
    r"\byou(?:r|'d|'ve| had| have)?\s+(?:\w+\s+)?(?:sa(?:id|y)|told|tell|suggest\w*|recommend\w*|g[ai]ve\w*|mention\w*|"
    r"list\w*|explain\w*|provid\w*|propos\w*|describ\w*|shar\w*|advis\w*|answer\w*|wrote|written|compar\w*|refer\w*|point\w*|"
    r"creat\w*|generat\w*|show\w*|outlin\w*|response|reply|suggestion|recommendation|advice|list)\b",
    re.IGNORECASE,
)
_DOUBLED = re.compile(r"(.)\1+")
_ME = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What was read from a query.

    Attributes:
        terms: checksums of the stemmed content words, each once, in order.
        pieces: wordpieces of the static tier, stop words left out.
        dates: the spans of time it names.
        asks_user: it speaks of "I" or "my".
        asks_assistant: it asks for the assistant's own earlier words.
        names: the words that could be a name, small letters.
    """

    text: str
    terms: tuple[int, ...]
    pieces: tuple[int, ...]
    dates: tuple[Dated, ...]
    asks_user: bool
    asks_assistant: bool
    names: tuple[str, ...]


def read(text: str, now: datetime) -> Question:
    """Return what a query says; `now` resolves its relative dates."""
    found = analyse.words(text)
    content = [word for word in found if word not in analyse.STOPS] or found
    checksums = dict.fromkeys(analyse.checksum(stem) for stem in analyse.stems(content))
    coded = [piece.token for piece in analyse.pieces(text)]
    pieces = dict.fromkeys(token for token in coded if token not in analyse.stop_pieces())
    yours = bool(_YOUR_WORDS.search(text))
    return Question(
        text=text,
        terms=tuple(checksums),
        pieces=tuple(pieces) or tuple(dict.fromkeys(coded)),
        dates=tuple(find_dates(text, now)),
        asks_user=bool(_ME.search(text)) and not yours,
        asks_assistant=yours,
        names=tuple(dict.fromkeys(word for word in found if len(word) > 1 and word not in analyse.STOPS)),
    )


def named_speakers(question: Question, speakers: Iterable[str]) -> set[str]:
    """Return the speakers whom the question names, by first or full name, fuzzily."""
    named: set[str] = set()
    words = set(question.names)
    for speaker in speakers:
        parts = [part for part in analyse.words(speaker) if len(part) > 1]
        if not parts or speaker.lower() in USERS or speaker.lower() in ASSISTANTS:
            continue
        if parts[0] in words or (len(parts) > 1 and parts[-1] in words) or _alike(parts[0], words):
            named.add(speaker)
    return named


def _alike(name: str, words: set[str]) -> bool:
    if len(name) < FUZZY_LETTERS:
        return False
    bare = _DOUBLED.sub(r"\1", name)
    near = (
        word
        for word in words
        if word[0] == name[0] and abs(len(word) - len(name)) <= 2 and len(word) >= FUZZY_LETTERS
    )
    return any(SequenceMatcher(None, bare, _DOUBLED.sub(r"\1", word)).ratio() >= FUZZY for word in near)


def is_user(speaker: str) -> bool:
    """Tell whether a speaker's name stands for the person at the keyboard."""
    return speaker.lower() in USERS


def is_assistant(speaker: str) -> bool:
    """Tell whether a speaker's name stands for the machine."""
    return speaker.lower() in ASSISTANTS


def between_people(speakers: Sequence[str]) -> bool:
    """Tell whether people talk to each other: two or more speakers, none of them a role name."""
    return len(speakers) >= 2 and not any(is_user(name) or is_assistant(name) for name in speakers)
