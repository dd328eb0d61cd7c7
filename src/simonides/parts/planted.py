"""Make up memories with planted evidence: six kinds of question, 1 to 6 pieces each, and a solver that knows the slots.

What a question needs is known by construction, so that each case can be proven: solvable with all of its pieces, not
without any one of them. Persons, things and filler are made up here; the same seed gives the same case.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from simonides.errors import InputError

Category = Literal[
    "user facts", "assistant facts", "changing facts", "abstention", "preferences", "implicit connections"
]
CATEGORIES: tuple[Category, ...] = (
    "user facts", "assistant facts", "changing facts", "abstention", "preferences", "implicit connections",
)  # fmt: skip
SIZES = (2, 30, 150, 300)
"""Conversations of a case."""
MOST = 6
"""Pieces of evidence at most."""
START = datetime(2024, 1, 1, 9, tzinfo=UTC)
USER, ASSISTANT = "user", "assistant"

_TOWNS = "Lisbon Vienna Utrecht Tbilisi Oslo Turin Ghent Krakow Bergen Seville Dublin Riga Graz Tartu Quito".split()
_NAMES = (
    "Kestrel Halyard Fennel Quarto Bramble Tundra Cobalt Larkspur Mistral Onyx Pagoda Russet Sable Teasel Umber "
    "Velum".split()
)
_OWN = {
    "locker": "My locker is the one called {}.",
    "boat": "We named the boat {} in the end.",
    "landlord": "My landlord goes by {}, oddly enough.",
    "rowing club": "I joined the rowing club {}.",
    "wifi": "Our wifi at home is named {}.",
    "parrot": "The parrot is called {} now.",
}
_TOLD = {
    "hotel": "For the hotel I would suggest the {}.",
    "bakery": "A good bakery for you is {}.",
    "paint": "The paint that suits the hall is {}.",
    "novel": "As a novel, try {}.",
    "plumber": "The plumber with the best reviews is {}.",
    "tent": "The tent I would take is the {}.",
}
_LIKED = {
    "seat": "On trains I prefer the seats of class {}.",
    "tea": "The only tea I enjoy is {}.",
    "airline": "If I can choose, I fly with {}.",
    "notebook": "I love notebooks by {}.",
    "pen": "I prefer a {} pen.",
    "soap": "My favourite soap is {}.",
}
_KEPT = (
    "My passport is in the {}.",
    "The {} stands in the {}.",
    "The {} belongs to the {}.",
    "You reach the {} through the {}.",
    "The {} is part of the {}.",
)
_PLACES = "green suitcase, boathouse, chapel, mill, customs house, brewery, museum, tannery, granary, lighthouse".split(
    ", "
)
_COSTS = "gym rent phone insurance garage tuition".split()
_FILLER = (
    "Could you make that paragraph shorter?",
    "The weather has been dull all week.",
    "I watched a film about whales.",
    "What is a good word for very tired?",
    "The neighbours are painting their fence.",
    "Let us go through the list again.",
    "I slept badly, the street was loud.",
    "How do I centre a title in a table?",
    "The soup needed more salt.",
    "Here is a draft of what you asked for.",
    "That depends on how much time you have.",
    "I can explain it step by step.",
    "The train was late again this morning.",
    "A short walk often helps.",
    "We had guests, and they stayed for long.",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a message says of a slot: a value, or by how much a number changes."""

    slot: str
    value: str = ""
    change: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said in a made-up conversation; `piece` where it is evidence or a distraction."""

    conversation: int
    speaker: str
    at: datetime
    text: str
    piece: Piece | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A memory with a question.

    Attributes:
        slots: what the question asks for, in order; for an implicit connection where the chain begins.
        answer: the values, or None where the memory does not hold them.
        stale: values that were true once, and must not be the answer.
        evidence: places in `messages` that the answer needs; in an abstention those that look as if.
        withheld: what an abstention lacks.
    """

    category: Category
    question: str
    slots: tuple[str, ...]
    answer: tuple[str, ...] | None
    messages: tuple[Message, ...]
    evidence: tuple[int, ...]
    stale: tuple[str, ...] = ()
    withheld: Message | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    question: str
    slots: tuple[str, ...]
    said: tuple[tuple[str, str, Piece], ...]
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """How an answer did.

    Attributes:
        right: all values are there and none that is stale; for an abstention, that nothing was answered.
        recall: the share of the evidence among what was read.
    """

    right: bool
    recall: float


def case(category: Category, pieces: int, conversations: int, seed: int = 0, *, messages: int = 10) -> Case:
    """Return a made-up memory with a question.

    Args:
        pieces: of evidence, from 1 to `MOST`.
        conversations: how many there are, at least 1.
        messages: of a conversation, at least as many as there are pieces.
    """
    if category not in CATEGORIES or not 1 <= pieces <= MOST:
        raise InputError(
            "case", f"must be one of {', '.join(CATEGORIES)} with 1 to {MOST} pieces", f"{category}, {pieces}"
        )
    if conversations < 1 or messages < pieces + 1:
        raise InputError(
            "case", "must have room for its pieces", f"{conversations} conversations of {messages}"
        )
    draw = random.Random(f"{category}/{pieces}/{conversations}/{seed}")
    hidden = category == "abstention"
    plan = _planned(category, min(pieces + hidden, MOST), draw) if not hidden else _abstaining(pieces, draw)
    told = list(plan.said)
    withheld = told.pop(draw.randrange(len(told))) if hidden else None
    built, places = _built(told, conversations, messages, draw)
    lacking = None
    if withheld is not None:
        lacking = Message(
            conversations - 1, withheld[0], built[-1].at + timedelta(minutes=1), withheld[1], withheld[2]
        )
    found = Case(category, plan.question, plan.slots, None, tuple(built), places, plan.stale, lacking)
    return found if hidden else replace(found, answer=solve(found, built))


def solve(case: Case, messages: Iterable[Message]) -> tuple[str, ...] | None:
    """Return what the slots of some messages say to the question; None where a slot is empty, or a chain is broken."""
    held: dict[str, str] = {}
    for one in sorted((one for one in messages if one.piece is not None), key=lambda one: one.at):
        piece = one.piece
        assert piece is not None
        if piece.change:
            if piece.slot in held:
                held[piece.slot] = str(int(held[piece.slot]) + piece.change)
        else:
            held[piece.slot] = piece.value
    if case.category == "implicit connections":
        return _followed(case.slots[0], held)
    values = tuple(held.get(slot, "") for slot in case.slots)
    return values if all(values) else None


def proven(case: Case) -> bool:
    """Tell whether all pieces solve the case, and no smaller set of all but one does.

    An abstention must have no solution as it is, one with what is withheld, and then again none without any one piece.
    """
    whole = list(case.messages) + ([case.withheld] if case.withheld is not None else [])
    needed = [*case.evidence, *([len(case.messages)] if case.withheld is not None else [])]
    right = solve(case, whole)
    if right is None or (case.withheld is None and right != case.answer):
        return False
    if case.withheld is not None and (case.answer is not None or solve(case, case.messages) is not None):
        return False
    return all(solve(case, whole[:place] + whole[place + 1 :]) != right for place in needed)


def score(case: Case, answer: str, read: Iterable[int] = ()) -> Scored:
    """Return how an answer in words did: by exact slots, an empty one being an abstention.

    Args:
        read: places in `messages` of what the answer was made from.
    """
    evidence = set(case.evidence)
    recall = len(evidence & set(read)) / len(evidence) if evidence else 1.0
    if case.answer is None:
        return Scored(not answer.strip(), recall)
    said = f" {_plain(answer)} "
    right = all(f" {_plain(value)} " in said for value in case.answer)
    return Scored(right and not any(f" {_plain(value)} " in said for value in case.stale), recall)


def _planned(category: Category, pieces: int, draw: random.Random) -> _Plan:
    match category:
        case "assistant facts":
            return _listed(_TOLD, pieces, draw, ASSISTANT, "Which {} did you suggest to me?")
        case "preferences":
            return _listed(_LIKED, pieces, draw, USER, "Order for me what I like: which {}?")
        case "changing facts":
            return _changing(pieces, draw)
        case "implicit connections":
            return _chained(pieces, draw)
        case _:
            return _listed(_OWN, pieces, draw, USER, "What is the name of my {}?")


def _abstaining(pieces: int, draw: random.Random) -> _Plan:
    """Return the plan of a question for one thing more than the memory will hold."""
    slots = {**_OWN, "harbour berth": "The harbour berth is registered as {}."}
    return _listed(slots, pieces + 1, draw, USER, "What is the name of my {}?")


def _listed(forms: Mapping[str, str], pieces: int, draw: random.Random, speaker: str, question: str) -> _Plan:
    slots, values = draw.sample(list(forms), pieces), draw.sample(_NAMES, pieces)
    said = tuple(
        (speaker, forms[slot].format(value), Piece(slot, value))
        for slot, value in zip(slots, values, strict=True)
    )
    return _Plan(
        question.format(", and of my ".join(slots) if "of my" in question else " and ".join(slots)),
        tuple(slots),
        said,
    )


def _changing(pieces: int, draw: random.Random) -> _Plan:
    slot, amount = draw.choice(_COSTS), draw.randrange(200, 900)
    said, stale = [(USER, f"My {slot} costs {amount} euros a month.", Piece(slot, str(amount)))], list[str]()
    for step in draw.sample(range(3, 60), pieces - 1):
        stale.append(str(amount))
        amount += step
        said.append((USER, f"My {slot} went up by {step} euros a month.", Piece(slot, change=step)))
    return _Plan(f"How many euros a month does my {slot} cost now?", (slot,), tuple(said), tuple(stale))


def _chained(pieces: int, draw: random.Random) -> _Plan:
    town = draw.choice(_TOWNS)
    links = ["passport", *draw.sample(_PLACES, pieces - 1), f"the town of {town}"]
    said = list[tuple[str, str, Piece]]()
    for place, (here, there) in enumerate(pairwise(links)):
        if place == 0:
            text = f"My passport is in {there}." if pieces == 1 else _KEPT[0].format(there)
        else:
            text = f"The {here} is in {there}." if place == pieces - 1 else _KEPT[place].format(here, there)
        said.append((USER, text, Piece(here, there)))
    return _Plan("To which town do I have to go to fetch my passport?", ("passport",), tuple(said))


def _followed(start: str, held: Mapping[str, str]) -> tuple[str, ...] | None:
    at, steps = start, 0
    while at in held and steps <= len(held):
        at, steps = held[at], steps + 1
    return (at.removeprefix("the town of "),) if at.startswith("the town of ") else None


def _built(
    told: Sequence[tuple[str, str, Piece]], conversations: int, messages: int, draw: random.Random
) -> tuple[list[Message], tuple[int, ...]]:
    """Return the messages with the pieces among them in order, spread over the conversations, and their places."""
    room = [(talk, turn) for talk in range(conversations) for turn in range(messages)]
    chosen = sorted(draw.sample(range(len(room)), len(told)))
    pieces = dict(zip(chosen, told, strict=True))
    built: list[Message] = []
    for place, (talk, turn) in enumerate(room):
        at = START + timedelta(days=talk, minutes=turn)
        if place in pieces:
            speaker, text, piece = pieces[place]
            built.append(Message(talk, speaker, at, text, piece))
        else:
            built.append(Message(talk, (USER, ASSISTANT)[turn % 2], at, draw.choice(_FILLER)))
    return built, tuple(chosen)


def _plain(text: str) -> str:
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split())
