"""Describe a text as A-MEM's notes describe themselves: keywords, tags, one sentence of context; knows no store.

By rules: keywords are its names and rarest words, tags the topics whose cue words it holds and the kinds of what it
states, the context says who speaks of what. Whether two notes are linked, and how one changes the other, is decided
here too (arXiv:2502.12110 asks a language model for all of it). English.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

from simonides.parts.analyse import STOPS, pieces, stems, words
from simonides.parts.extract import Fact, names
from simonides.parts.likeness import rarity
from simonides.types import Json, Kind

KEYWORDS, TAGS = 7, 12
"""Keywords of a note, and tags that it may gather."""
CONTEXTS = 600
"""Characters of a context; what a note gathers beyond that pushes out the oldest addition."""
TOPICS: Mapping[str, str] = {
    "work": (
        "work job office boss colleague company project meeting client career salary team "
        "manager promotion deadline employ interview"
    ),
    "family": (
        "mother father mom dad sister brother son daughter wife husband child kid parent family "
        "aunt uncle cousin grandmother baby"
    ),
    "friends": "friend party hang together buddy roommate neighbour gathering reunion",
    "travel": (
        "trip travel flight hotel visit vacation holiday beach airport tour passport abroad "
        "country journey hike"
    ),
    "food": (
        "food cook recipe dinner lunch breakfast restaurant eat bake cake sushi pizza meal "
        "kitchen vegan coffee tea"
    ),
    "health": (
        "doctor health sick hospital therapy pain sleep diet allergic medicine exercise injury "
        "mental stress anxiety"
    ),
    "sport": "run marathon football soccer basketball tennis swim gym yoga climb cycle race training team match surf",
    "music": "music song guitar piano band concert sing album violin festival drum",
    "books": "book read novel author library story poem write writing",
    "films": "film movie series watch cinema actor show documentary",
    "art": "paint art draw museum gallery pottery photo photography sculpture craft",
    "pets": "dog cat pet puppy kitten vet rabbit fish parrot turtle",
    "nature": "garden plant tree flower park forest mountain lake river weather camp",
    "home": "house apartment flat move furniture rent room live neighbourhood city street renovate",
    "school": "school university class course study exam teacher student degree learn lecture homework",
    "money": "money buy price cost save loan tax bank budget pay invest sell",
    "technology": "computer code software phone app database server data internet model program bug laptop game",
    "feelings": "happy sad proud afraid excited angry love grateful worried nervous hope lonely",
    "plans": "plan goal tomorrow next soon decide future dream intend",
}
"""The vocabulary of tags, each with the words that call for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a note says of itself, beside its content."""

    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    context: str = ""

    @classmethod
    def of(cls, attributes: Mapping[str, Json]) -> Note:
        """Return the note that a memory keeps in its attributes."""
        keywords, tags = (cast("Sequence[str]", attributes.get(name) or ()) for name in ("keywords", "tags"))
        return cls(tuple(keywords), tuple(tags), str(attributes.get("context") or ""))

    def attributes(self) -> dict[str, Json]:
        """Return it as a memory keeps it."""
        return {"keywords": [*self.keywords], "tags": [*self.tags], "context": self.context}

    def enriched(self, content: str) -> str:
        """Return the text that is embedded and searched: the content, then what it says of itself."""
        return (
            f"{content}\n{self.context} Keywords: {', '.join(self.keywords)}. Tags: {', '.join(self.tags)}."
        )


def describe(content: str, speaker: str, facts: Sequence[Fact] = (), *, keywords: int = KEYWORDS) -> Note:
    """Return the keywords, tags and context of a text."""
    chosen = _keywords(content, keywords)
    kinds = dict.fromkeys(fact.kind for fact in facts if fact.kind not in (Kind.FACT, Kind.OBSERVATION))
    tags = (*_topics(content), *kinds)[:TAGS]
    said = next((fact.text for fact in facts if fact.says is not None), "")
    about = f" on {', '.join(tags[:2])}" if tags else ""
    context = f"{speaker or 'Somebody'}{about}: {said or ', '.join(chosen[:3])}"
    return Note(chosen, tags, context.rstrip(".") + ".")


def headword(note: Note, beside: Note) -> str:
    """Return the keyword that a note brings to another that has none like it; empty where it brings nothing new."""
    known = _stemmed(beside.keywords) | frozenset(stems(words(beside.context)))
    return next((word for word in note.keywords if not _stemmed((word,)) <= known), "")


def joined(one: Note, other: Note, likeness: float, *, least: float, jaccard: float) -> float:
    """Return how strongly two notes are linked: their likeness, or 0 where they are not.

    They are where they are alike enough and share keywords (Jaccard at least `jaccard`), a name counting as one.
    """
    mine, theirs = _stemmed(one.keywords), _stemmed(other.keywords)
    share = len(mine & theirs) / max(1, len(mine | theirs))
    return likeness if likeness >= least and share >= jaccard and mine & theirs else 0.0


def shared(one: Note, other: Note) -> list[str]:
    """Return the keywords that the other note has too, whatever their endings."""
    theirs = _stemmed(other.keywords)
    return [word for word in one.keywords if _stemmed((word,)) <= theirs]


def _stemmed(keywords: Sequence[str]) -> frozenset[str]:
    return frozenset(" ".join(stems(words(keyword))) for keyword in keywords)


def evolved(old: Note, new: Note, likeness: float, *, least: float, tags: int = TAGS) -> Note | None:
    """Return what a note becomes when a new one comes near; None where it stays as it is.

    It does when they are alike enough, share a tag, and it lacks one of the new note's: then it takes those tags on,
    and its context goes on with what the new note is about.
    """
    lacking = [tag for tag in new.tags if tag not in old.tags]
    if likeness < least or not lacking or not set(old.tags) & set(new.tags) or len(old.tags) >= tags:
        return None
    head = headword(new, old)
    context = f"{old.context.rstrip('.')}; later: {head}." if head else old.context
    if len(context) > CONTEXTS:
        context = old.context
    return replace(old, tags=(*old.tags, *lacking)[:tags], context=context)


_EMPTY = frozenset(
    "last next week month year day today yesterday tomorrow time thing things again another "
    "say says said see saw get got go "
    "going went come came make made want wants really much many lot lots good great nice back "
    "been like think know let way".split()
)
"""Words that are no keyword, beside the stop words."""


@lru_cache(maxsize=1)
def _cues() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for topic, cues in TOPICS.items():
        for stem in stems(cues.split()):
            found[stem] = (*found.get(stem, ()), topic)
    return found


def _topics(content: str) -> list[str]:
    counts = Counter(topic for stem in stems(words(content)) for topic in _cues().get(stem, ()))
    order = {topic: place for place, topic in enumerate(TOPICS)}
    return sorted(counts, key=lambda topic: (-counts[topic], order[topic]))[:4]


def _keywords(content: str, most: int) -> tuple[str, ...]:
    named = list(names(content))
    inside = {word for name in named for word in words(name)}
    plain = [
        word for word in words(content) if word not in STOPS | _EMPTY and len(word) > 2 and word not in inside
    ]
    counts = Counter(plain)
    place = {word: at for at, word in enumerate(counts)}
    ranked = sorted(counts, key=lambda word: (-counts[word] * _rarity(word), place[word]))
    return tuple(dict.fromkeys((*named[:most], *ranked)))[:most]


@lru_cache(maxsize=8192)
def _rarity(word: str) -> float:
    found = pieces(word)
    return sum(rarity(piece.token) for piece in found[:3]) if found else 0.0
