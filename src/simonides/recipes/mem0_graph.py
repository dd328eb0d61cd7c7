"""Mem0 with a graph (Mem0^g): entities, and links between them that end softly; knows no store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from simonides.parts import fusing
from simonides.parts.entities import Entity, match
from simonides.parts.resolve import ENDS, SUPERSEDES
from simonides.parts.statements import plain, statement
from simonides.recipes.composition import Asked, Look, Searching, derived_id
from simonides.recipes.mem0 import Mem0
from simonides.types import Add, Change, Connect, Disconnect, Hit, Json, Kind, Memory, Retire, Supersede

_PAST = re.compile(
    r"\b(?:used? to|previously|formerly|before|originally|back then|in the past|once)\b", re.IGNORECASE
)
_ASKED = re.compile(
    r"^(?:where|who|what|which \w+) (?:does|did|do|is|was) (?P<who>[\w' ]+?) "
    r"(?:used? to |previously |once )?(?P<verb>\w+)"
    r"(?: (?:for|at|in|before|now|today|previously|originally|in the past|back then))*\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mem0Graph(Mem0):
    """Mem0 with a graph: entities are memories, what a fact says of two of them is a link that can end."""

    name: ClassVar[str] = "mem0-graph"
    derives: ClassVar[tuple[str, ...]] = ("fact", "entity")
    differs: ClassVar[tuple[str, ...]] = (
        *Mem0.differs,
        "names are matched by letters, not by cosine .7 and .9",
        "the slot that a question asks for is read by rules, beside entities and meaning",
    )
    constant: float = 60.0
    """Of the rank fusion of meaning, entities and the asked slot, in ranks."""

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Return the operations on facts, and on the links between what they name."""
        known: dict[str, str] = {}
        for change in super().digest(told, before, look):
            if isinstance(change, Retire | Supersede):
                yield from _cut(change, look)
            if isinstance(change, Add | Supersede) and _says(change.attributes or {}):
                yield from self._linked(change, told, look, known)
            else:
                yield change

    def _linked(
        self, fact: Add | Supersede, told: Memory, look: Look, known: dict[str, str]
    ) -> Iterator[Change]:
        says = fact.attributes or {}
        link = derived_id(told.id, self.name, "triplet", fact.id)
        yield replace(fact, attributes={**says, "triplet": link})
        ends = list[str]()
        for name in (str(says["subject"]), str(says["value"])):
            if (key := plain(name)) not in known:
                known[key], new = self._entity(name, told, look)
                yield from new
            ends.append(known[key])
        yield Connect(
            link,
            ends[0],
            ends[1],
            plain(str(says["attribute"])) or "is",
            fact.at or told.at,
            evidence=fact.id,
        )
        if isinstance(fact, Add) and fact.until is not None:
            yield Disconnect(link, fact.until, reason="it had ended when it was said")

    def _entity(self, name: str, told: Memory, look: Look) -> tuple[str, list[Change]]:
        near = [hit.memory for hit in look.near(name, 5, self.kinds("entity"))]
        found = match(name, [Entity(one.id, one.text) for one in near]).entity
        if found is not None:
            return found.id, []
        add = self.derived(told, name, kind=Kind.ENTITY)
        return add.id, [add]

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return facts by meaning and by the entities of the question; what has ended first where that is asked."""
        if asked.kinds is not None:
            return super().find(asked, look)
        hits = super().find(replace(asked, gate=False), look)
        by_id = {hit.memory.id: hit for hit in hits}
        slot = asked_slot(asked.query)
        fitting = [id for id, hit in by_id.items() if slot is not None and _slot(hit.memory) == slot]
        if asked.gate and not fitting and not super().find(replace(asked, k=1), look):
            return []
        said, linked = set(plain(asked.query).split()), set[str]()
        for entity in look.near(asked.query, 5, self.kinds("entity")) if asked.as_of is None else ():
            if set(plain(entity.memory.text).split()) <= said:
                linked |= {link.evidence for link in look.links(entity.memory.id)}
        lists = {"meaning": [*by_id], "entities": [id for id in by_id if id in linked], "slot": fitting}
        hits = [by_id[one.id] for one in fusing.rrf(lists, self.constant)]
        if asked.as_of is None and _PAST.search(asked.query):
            hits = [*self._ended([by_id[id] for id in fitting] or hits[:1], look), *hits]
        return hits[: asked.k]

    def _ended(self, hits: Sequence[Hit], look: Searching) -> Iterator[Hit]:
        for hit in hits:
            for link in look.links(hit.memory.id):
                if link.source == hit.memory.id and link.relation in (SUPERSEDES, ENDS):
                    old = [one for one in look.history(link.target) if one.valid.end is not None]
                    yield from (Hit(one, hit.score, hit.shares) for one in old[-1:])


def asked_slot(question: str) -> tuple[str, str] | None:
    """Return whose attribute a question asks for: ("ana", "home") for "Where did Ana use to live?"."""
    found = _ASKED.match(question.strip())
    if found is None:
        return None
    told = (
        statement(f"{found['who']} {found['verb']}s {word} Somewhere Else") for word in ("in", "at", "for")
    )
    return next((says.slot for says in told if says is not None and says.single), None)


def _slot(memory: Memory) -> tuple[str, str]:
    return plain(str(memory.attributes.get("subject", ""))), str(memory.attributes.get("attribute", ""))


def _says(attributes: Mapping[str, Json]) -> bool:
    return bool(attributes.get("subject") and attributes.get("value")) and not attributes.get("negated")


def _cut(change: Retire | Supersede, look: Look) -> Iterator[Change]:
    """Yield the end of the link that a fact made, where the fact ends or says something else."""
    held = look.history(change.id)
    link = held[-1].attributes.get("triplet") if held else None
    if link and change.at is not None:
        yield Disconnect(str(link), change.at, reason="the fact has ended")
