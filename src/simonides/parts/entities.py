"""Tell which known entity a name means, without a model where names suffice; knows no store and never writes.

In this order (Zep, arXiv:2501.13956, and its released code): the same name after normalising, an alias, then names
that are nearly the same, by MinHash over letters. The rest is undecided, and a model's or a person's turn. Merging two
entities is a link between them, so that ending the link takes it back.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from simonides.errors import InputError
from simonides.parts.spreading import holding
from simonides.types import Connect, Disconnect

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from simonides.types import Link

    Signature = tuple[bytes, ...]
    Traits = tuple[frozenset[str], frozenset[tuple[int, bytes]], frozenset[str]]

PERMUTATIONS, BAND = 32, 4
"""MinHash values of a name, and how many of them make a band: 8 bands, one of which must be equal."""
JACCARD = 0.9
"""Shared letters in threes over all of them, from which two names are one."""
ENTROPY, LENGTH, TOKENS = 1.5, 6, 2
"""A name is compared by its letters only with this many bits a letter, and this long or of so many words."""
GRAM = 3
"""Letters of a shingle."""
SHOWN = 5
"""Candidates that are handed to whoever decides."""
SAME_AS = "same-as"
"""The relation that merges two entities."""

How = Literal["same", "alias", "alike", "undecided", "new"]
_SPACES = re.compile(r"\s+")
_WORDS = re.compile(r"\w+")
_SALTS = np.random.default_rng(32).integers(0, 2**63, PERMUTATIONS, np.uint64)[:, None]


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that has names.

    Attributes:
        aliases: other names that somebody has said, or a model has found, to mean the same.
        kind: person, place ...; two entities of different kinds are never one because of their names. Empty fits all.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What a name means.

    Attributes:
        how: ``same`` (normalised name), ``alias``, ``alike`` (MinHash and Jaccard), ``undecided`` (some are near, or
            several are the same), or ``new`` (nothing is near).
        entity: whom it means; None where undecided or new.
        score: Jaccard similarity of the letters of the names; 1 for the same and an alias.
        candidates: those that are near, nearest first, at most 5. They are ids, never places in a list.
    """

    how: How
    entity: Entity | None = None
    score: float = 0.0
    candidates: tuple[Entity, ...] = ()


class Directory:
    """Known entities, ready for many names.

    An entity that is added is known to the next match: two names of one text meet each other.
    """

    def __init__(self, known: Iterable[Entity] = ()) -> None:
        """Take entities in; of two with the same id the later one counts."""
        self._known: dict[str, Entity] = {}
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        self._aliases: defaultdict[str, set[str]] = defaultdict(set)
        self._traits: dict[str, tuple[Traits, ...]] = {}
        for entity in known:
            self.add(entity)

    def add(self, entity: Entity) -> None:
        """Take one more in."""
        self._known[entity.id] = entity
        self._traits.pop(entity.id, None)
        self._names[normalised(entity.name)].add(entity.id)
        for alias in entity.aliases:
            self._aliases[normalised(alias)].add(entity.id)

    def match(self, name: str, *, kind: str = "") -> Match:
        """Return whom a name means.

        Raises:
            InputError: the name is empty.
        """
        plain = normalised(name)
        if not plain:
            raise InputError("name", "must not be empty", name)
        kinds: tuple[tuple[How, Mapping[str, set[str]]], ...] = (
            ("same", self._names),
            ("alias", self._aliases),
        )
        for how, names in kinds:
            found = self._of(names.get(plain, ()), kind)
            found = [one for one in found if plain in _plain(one)]
            if len(found) == 1:
                return Match(how, found[0], 1.0, (found[0],))
            if found:
                return Match("undecided", None, 1.0, tuple(found[:SHOWN]))
        return self._nearly(plain, kind)

    def _nearly(self, plain: str, kind: str) -> Match:
        asked, bands, words = _traits(plain)
        banded: set[str] = set()
        like: dict[str, float] = {}
        # All are looked at, about a microsecond each: an index of bands costs more to fill than it saves a turn or two.
        for one in self._of(self._known, kind):
            for grams, own_bands, own_words in self._traits_of(one):
                same_band = not bands.isdisjoint(own_bands)
                if same_band or not words.isdisjoint(own_words):
                    like[one.id] = max(like.get(one.id, 0.0), jaccard(asked, grams))
                    if same_band:
                        banded.add(one.id)
        scored = sorted((-value, id) for id, value in like.items())
        near = tuple(self._known[id] for _, id in scored[:SHOWN])
        if not near:
            return Match("new")
        best = -scored[0][0]
        clear = len(scored) == 1 or -scored[1][0] < best
        if best >= JACCARD and clear and telling(plain) and scored[0][1] in banded:
            return Match("alike", near[0], best, near)
        return Match("undecided", None, best, near)

    def _traits_of(self, entity: Entity) -> tuple[Traits, ...]:
        if entity.id not in self._traits:
            self._traits[entity.id] = tuple(_traits(plain) for plain in sorted(_plain(entity)))
        return self._traits[entity.id]

    def _of(self, ids: Iterable[str], kind: str) -> list[Entity]:
        found = (self._known[id] for id in sorted(ids))
        return [one for one in found if not kind or not one.kind or one.kind == kind]


def match(name: str, known: Iterable[Entity], *, kind: str = "") -> Match:
    """Return whom a name means among known entities; for many names make a `Directory` once.

    >>> match("robert  SMITH", [Entity("1", "Robert Smith")]).how
    'same'
    >>> match("Bob", [Entity("1", "Rob")]).how
    'new'
    """
    return Directory(known).match(name, kind=kind)


@lru_cache(maxsize=50_000)
def normalised(name: str) -> str:
    """Return a name in small letters, its spaces single, its Unicode composed; accents stay."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def entropy(name: str) -> float:
    """Return the Shannon entropy of a name's letters in bits a letter, spaces aside; 0 for an empty one.

    >>> entropy("abab")
    1.0
    """
    letters = Counter(name.replace(" ", ""))
    whole = letters.total()
    return math.fsum(-count / whole * math.log2(count / whole) for count in letters.values())


def telling(name: str) -> bool:
    """Tell whether the letters of a normalised name say enough to be compared: "Bob" and "Anna" do not."""
    long = len(name) >= LENGTH or len(name.split()) >= TOKENS
    return long and entropy(name) >= ENTROPY


def shingles(name: str) -> frozenset[str]:
    """Return the letters of a normalised name in threes, spaces left out; a short one as a whole."""
    bare = name.replace(" ", "")
    if len(bare) <= GRAM:
        return frozenset((bare,)) if bare else frozenset()
    return frozenset(bare[at : at + GRAM] for at in range(len(bare) - GRAM + 1))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return what two sets share over all they hold; 1 for two empty ones."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if one or other else 1.0


@lru_cache(maxsize=50_000)
def signature(name: str) -> Signature:
    """Return the bands of a normalised name's MinHash; names with Jaccard 0.9 share one in 9,998 of 10,000 cases."""
    grams = shingles(name)
    if not grams:
        return ()
    digests = b"".join(hashlib.blake2b(gram.encode(), digest_size=8).digest() for gram in grams)
    hashes = np.frombuffer(digests, "<u8").astype(np.uint64)
    mixed = _mixed(np.bitwise_xor(hashes[None], _SALTS))  # (permutations, shingles)
    least = mixed.min(axis=1).astype("<u8")
    return tuple(least[at : at + BAND].tobytes() for at in range(0, PERMUTATIONS, BAND))


def merge(one: str, other: str, at: datetime, *, reason: str = "", evidence: str = "") -> Connect:
    """Return the change by which two entities count as one from `at` on: a link, so nothing of either is lost.

    Its id follows from the two and the time: proposing it twice adds nothing. A second merge after an undone one has
    another time, and so another id.
    """
    if one == other:
        raise InputError("merge", "must name two entities", one)
    first, second = sorted((one, other))
    digest = hashlib.sha256("\x1f".join((SAME_AS, first, second, at.isoformat())).encode()).hexdigest()
    return Connect(
        id=second[:12] + digest[:20],
        source=second,
        target=first,
        relation=SAME_AS,
        at=at,
        evidence=evidence,
        reason=reason or "the same entity",
    )


def unmerge(link: Link, at: datetime, *, reason: str = "not the same entity") -> Disconnect:
    """Return the change that takes a merge back from `at` on; what was merged over it falls apart again.

    Raises:
        InputError: the link merges nothing.
    """
    if link.relation != SAME_AS:
        raise InputError("unmerge", f"must be given a {SAME_AS!r} link", link.relation)
    return Disconnect(link.id, at, reason)


def canonical(
    links: Iterable[Link], *, as_of: datetime | None = None, known_at: datetime | None = None
) -> dict[str, str]:
    """Return the entity that stands for each merged one: the oldest of all that are linked, by id.

    Ids that are merged with nothing are not in it. Times as in `spreading.holding`.
    """
    roots: dict[str, str] = {}

    def root(id: str) -> str:
        while (above := roots.setdefault(id, id)) != id:
            roots[id] = roots[above]
            id = above
        return id

    for link in holding(links, as_of=as_of, known_at=known_at, relations=(SAME_AS,)):
        low, high = sorted((root(link.source), root(link.target)))
        roots[high] = low
    return {id: root(id) for id in sorted(roots)}


def merged(known: Sequence[Entity], standing: Mapping[str, str]) -> list[Entity]:
    """Return entities with those that `canonical` made one put together: the other names become aliases."""
    groups: dict[str, list[Entity]] = {}
    for entity in sorted(known, key=lambda one: one.id):
        groups.setdefault(standing.get(entity.id, entity.id), []).append(entity)
    found: list[Entity] = []
    for id, group in sorted(groups.items()):
        lead = next((one for one in group if one.id == id), group[0])
        names = [name for one in group for name in (one.name, *one.aliases)]
        others = {
            normalised(name): name for name in reversed(names) if normalised(name) != normalised(lead.name)
        }
        kind = lead.kind or next((one.kind for one in group if one.kind), "")
        found.append(Entity(id, lead.name, tuple(others[plain] for plain in sorted(others)), kind))
    return found


def _plain(entity: Entity) -> set[str]:
    return {normalised(name) for name in (entity.name, *entity.aliases)}


@lru_cache(maxsize=50_000)
def _traits(plain: str) -> Traits:
    """Return the shingles, the numbered bands and the words of a normalised name."""
    return shingles(plain), frozenset(enumerate(signature(plain))), frozenset(_WORDS.findall(plain))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits of 64-bit numbers (the last step of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
