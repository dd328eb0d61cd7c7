"""Makes up memories and questions for measuring speed; the same for a seed, and from no data set.

Words are drawn by the law of Zipf and Mandelbrot, sentences from patterns, so that few words stand in many memories and
most words in few: inverted lists are as uneven as those of real talk. A memory has about 22 words.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 7
START = datetime(2024, 1, 1, 9, tzinfo=UTC)
SESSION = 20
"""Turns of a session; two persons take turns."""
USER = 100
"""Memories of a user."""
SHIFT = 7
"""Makes questions touch as many memories as those about people's real chats do: a seventh, summed over its words."""

NAMES = (
    "Ana Ben Carla Dmitri Elif Farid Grace Hanna Ivo Jun Kemal Lena Marta Nils Olga Pavel Quentin Rosa Samir"
    " Tess Ulla Viktor Wanda Xenia Yusuf Zoe Amara Bjorn Chiara Dong Esra Femi Greta Hugo Ines Jamal Kaito"
    " Leila Mikko Noor Oscar Priya Rafael Sanna Tomas Uma Vera Wim Yara Zoltan"
).split()
THINGS = (
    "report bicycle ticket garden laptop invoice recipe letter piano kitchen budget photo contract lamp"
    " jacket meeting apartment server camera notebook bridge engine carpet passport medicine ladder menu sofa"
    " guitar printer window heater backpack translation poster package drawing tent script mirror keyboard"
    " blanket telescope drill kettle umbrella statue violin tractor lantern compass greenhouse barometer quilt"
    " kayak loom anvil sextant abacus gramophone"
).split()
PLACES = (
    "office kitchen station market school library harbour airport cellar clinic museum workshop garage park"
    " theatre bakery lighthouse monastery shipyard orchard observatory quarry sawmill vineyard ferry"
    " planetarium aqueduct glacier embassy courthouse stadium chapel canteen barracks aquarium sauna stables"
    " laundry pharmacy bookshop"
).split()
TOWNS = (
    "Lisbon Berlin Porto Vienna Utrecht Tbilisi Valparaiso Odessa Windhoek Samarkand Oslo Lyon Turin Ghent"
    " Krakow Bergen Seville Dublin Malmo Riga Bern Split Nantes Leeds Cadiz Varna Graz Tartu Pisa Kyoto Quito"
    " Hanoi Accra Fez Aswan"
).split()
QUALITIES = (
    "new old small red broken blue quiet expensive heavy green second missing wooden bright borrowed dusty"
    " antique waterproof striped fragile portable crooked handmade magnetic velvet rusty translucent lopsided"
    " ceremonial narrow yellow empty frozen hollow painted silver spare folded cracked bitter enormous famous"
    " gentle humid ivory jagged"
).split()
DEEDS = (
    "found bought repaired sold moved cleaned forgot borrowed ordered lost painted returned packed measured"
    " finished cancelled photographed restored polished translated insured weighed dismantled auctioned"
    " varnished calibrated delivered praised sketched hid locked rented wrapped stored tested dropped welded"
    " copied donated traded sharpened"
).split()
TOPICS = (
    "rent weather dinner holidays deadline health training music taxes insurance politics baking chess"
    " astronomy geology beekeeping calligraphy falconry origami numismatics bookbinding glassblowing"
    " cartography swimming pensions vaccines traffic elections football poetry wages knitting genetics opera"
    " recycling archery sleep migration"
).split()
FIRST = (
    "sea moon iron salt rain snow star stone fire wind copper paper glass river thunder honey silver winter"
    " summer night morning harbour mountain forest desert cotton pepper marble amber cedar"
).split()
SECOND = (
    "bridge wood bell cart fish root house mill stove rope chair clock horn pipe wheel shelf boat basket"
    " frame button ribbon bench tower candle whistle hammer saddle barrel curtain hinge"
).split()
WHENS = (
    "yesterday; last week; on Monday; this morning; in spring; on Friday evening; two days ago; before lunch;"
    " at the end of the month; in October; during the storm; after the concert; on the longest day; at low"
    " tide"
).split("; ")
FEELINGS = (
    "I am glad about it; it was too much; nobody expected that; we should do it again; I would rather not; it"
    " took ages; that was cheap; my sister helped; the neighbours complained; it still smells of paint; the"
    " dog slept through it; the bill comes later; it rained all day; we had soup afterwards; nobody wrote it"
    " down; the children laughed"
).split("; ")
RARE = [first + second for second in SECOND for first in FIRST]
"""Nine hundred compounds, for the long tail of a vocabulary."""

NOUNS: list[str] = [*THINGS, *RARE]

PATTERNS = (
    "{who} {did} the {how} {thing} {when}, and {feeling}. Then we talked about {topic} on the way to the {place}.",
    "I {did} a {how} {thing} at the {place} {when}. {who} says that {topic} matters more, but {feeling}.",
    "Do you remember the {how} {thing} that {who} {did} {when}? It is still at the {place}, next to the {thing2}.",
    "The {thing} number {number} is {how} now, so {who} {did} another one in {place2} {when}; {feeling}.",
    "{when}, {who} asked me about {topic}, and I could only think of the {how} {thing} that we {did} at the {place}.",
    "Please note: the {how} {thing} goes to {who} in {place2}, room {number}, and the {thing2} stays at the {place}.",
    "We {did} it {when}! The {thing} fits beside the {how} {thing2}, {who} paid {number} for both, and {feeling}.",
)
QUESTIONS = (
    "What did {who} say about {topic} {when}?",
    "Where is the {how} {thing} that {who} {did}?",
    "Who {did} the {thing} at the {place}?",
    "When was the {how} {thing} in {place2} {did}?",
    "What happened with the {thing} number {number}?",
    "How much was the {how} {thing2} beside the {thing}?",
    "Which {thing} did {who} bring to the {place} {when}, and was it {how}?",
)


class Made(NamedTuple):
    """A made-up memory, with whose it is."""

    text: str
    speaker: str
    at: datetime
    user: str
    session: str


class Generator:
    """An endless supply of memories and questions; two of the same seed give the same."""

    def __init__(self, seed: int = SEED) -> None:
        """Start anew."""
        self._random = random.Random(seed)
        self._made = 0

    def memories(self, many: int) -> list[Made]:
        """Return the next memories, in order of time; users and sessions fill up one after the other."""
        return [self._memory() for _ in range(many)]

    def skip(self, many: int) -> None:
        """Go on after the next so many memories."""
        for _ in range(many):
            self._memory()

    def question(self) -> str:
        """Return a question; with about 10^9 possible ones it is practically new."""
        return self._filled(QUESTIONS)

    def _memory(self) -> Made:
        place = self._made
        self._made += 1
        session = place // SESSION
        pair = random.Random(session).sample(NAMES, 2)
        return Made(
            self._filled(PATTERNS),
            pair[place % 2],
            START + timedelta(minutes=10 * place),
            f"user-{place // USER}",
            f"session-{session}",
        )

    def _filled(self, patterns: tuple[str, ...]) -> str:
        draw = self._draw
        text = self._random.choice(patterns).format(
            who=draw(NAMES), did=draw(DEEDS), how=draw(QUALITIES), thing=draw(NOUNS), thing2=draw(NOUNS),
            place=draw(PLACES), place2=draw(TOWNS), topic=draw(TOPICS), when=draw(WHENS), feeling=draw(FEELINGS),
            number=self._random.randrange(10, 100_000),
        )  # fmt: skip
        return text[0].upper() + text[1:]

    def _draw(self, words: Sequence[str]) -> str:
        """Draw a word by the law of Zipf and Mandelbrot: the n-th as often as 1 / (n + SHIFT)."""
        return self._random.choices(words, cum_weights=_zipf(len(words)))[0]


def _zipf(many: int, _known: dict[int, list[float]] = {}) -> list[float]:  # noqa: B006 - a cache
    if many not in _known:
        _known[many] = list(accumulate(1 / (rank + SHIFT) for rank in range(1, many + 1)))
    return _known[many]
