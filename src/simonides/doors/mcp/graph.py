"""The knowledge graph of the reference memory server, kept as memories and links of a scope; knows no tool.

What the reference server keeps in memory.jsonl is kept here as `importers.mcp_memory` says. So its entities and
observations are found by every other door, have a history, and can be erased. Several processes may write at once: a
write looks again, in its own transaction, for what others have added since it read (`ledger.once`).
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from simonides.bounded import Bounded
from simonides.clock import new_id
from simonides.doors.importers.mcp_memory import (
    ABOUT,
    FORMAT,
    KEY,
    entity,
    is_link,
    is_ours,
    name_of,
    observation,
    relationship,
    words_of,
)
from simonides.doors.importers.record import Record
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger.once import Once
from simonides.types import Add, Change, Connect, Disconnect, Json, Link, Memory, Retire, Source

R = TypeVar("R")
KINDS = ("entity", "observation", "relationship")
PAGE = 1000
TRIES = 20
"""How often a write is begun anew because others have written the same things meanwhile."""


class Absent(InputError):
    """An entity is not there; the message is that of the reference server."""

    def __init__(self, name: str) -> None:
        super().__init__(f"entity {name}", "is not there")
        self.args = (f"Entity with name {name} not found",)


@dataclass(slots=True)
class Entity:
    """An entity with what was observed of it, and the memories that hold it."""

    name: str
    type: str
    id: str
    observations: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def shape(self) -> dict[str, Json]:
        """Return it as the reference server does."""
        return {
            "name": self.name,
            "entityType": self.type,
            "observations": [words for words, _ in self.observations],
        }


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation, and the link or memory that holds it."""

    source: str
    target: str
    type: str
    id: str
    link: bool

    @property
    def named(self) -> tuple[str, str, str]:
        """What makes it the same as another one."""
        return self.source, self.target, self.type

    def shape(self) -> dict[str, Json]:
        """Return it as the reference server does."""
        return {"from": self.source, "to": self.target, "relationType": self.type}


@dataclass(slots=True)
class Read:
    """A graph as it was read.

    Attributes:
        relations: two processes may have written the same one at once; it is shown once, and ended as often.
    """

    entities: list[Entity]
    relations: list[Relation]

    def distinct(self) -> list[Relation]:
        """Return each relation once."""
        return [*{one.named: one for one in self.relations}.values()]

    def named(self, name: str) -> Entity | None:
        """Return the entity of a name."""
        return next((one for one in self.entities if one.name == name), None)

    def around(self, chosen: Sequence[Entity]) -> Read:
        """Return some entities with the relations that have at least one of them at an end."""
        names = {one.name for one in chosen}
        return Read([*chosen], [one for one in self.relations if {one.source, one.target} & names])

    def shape(self) -> dict[str, Json]:
        """Return it as the reference server does."""
        return {
            "entities": [one.shape() for one in self.entities],
            "relations": [one.shape() for one in self.distinct()],
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of the reference server's memory.jsonl."""
        for kind, found in (("entity", self.entities), ("relation", self.distinct())):
            for one in found:
                yield json.dumps({"type": kind, **one.shape()}, ensure_ascii=False, separators=(",", ":"))


class Graph:
    """The graph of a scope."""

    def __init__(self, bounded: Bounded) -> None:
        self._bounded = bounded
        self._memory = bounded.memory

    def read(self) -> Read:
        """Return all of it."""
        self._bounded.require("read")
        found = list(self._memories())
        held = {one.id: one for one in found}
        links = self._memory.ledger.links(limit=2**62)
        links = [one for one in links if one.source in held and one.target in held]
        entities = {
            one.id: Entity(name_of(one), str(one.metadata.get("entity_type", "")), one.id)
            for one in found
            if one.kind == "entity"
        }
        self._observe(entities, found, links)
        relations = [
            Relation(entities[one.source].name, entities[one.target].name, one.relation, one.id, link=True)
            for one in links
            if one.source in entities and one.target in entities
        ]
        for one in found:
            if one.kind == "relationship" and is_ours(one):
                source, target, type_ = (
                    str(one.metadata.get(part, "")) for part in ("from", "to", "relation_type")
                )
                relations.append(Relation(source, target, type_, one.id, link=False))
        return Read([*entities.values()], relations)

    @staticmethod
    def _observe(entities: dict[str, Entity], found: Sequence[Memory], links: Sequence[Link]) -> None:
        about = {one.source: one.target for one in links if one.relation == ABOUT and one.target in entities}
        by_name = {one.name: one for one in reversed(entities.values())}
        for one in found:
            if one.kind != "observation":
                continue
            whose = entities.get(about.get(one.id, "")) or by_name.get(str(one.metadata.get("entity", "")))
            if whose is not None:
                whose.observations.append((words_of(one), one.id))

    def _memories(self) -> Iterator[Memory]:
        after = ""
        while True:
            page = self._bounded.list(kinds=KINDS, limit=PAGE, after=after)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].id

    # Writing

    def create_entities(self, given: Sequence[Entity]) -> builtins.list[Entity]:
        """Write the entities whose names are new; return those."""

        def plan(read: Read, changes: builtins.list[Change]) -> builtins.list[Entity]:
            known = {one.name for one in read.entities}
            new: builtins.list[Entity] = []
            for one in given:
                if one.name in known:
                    continue
                known.add(one.name)
                new.append(one)
                added = self._add(entity(one.name, one.type))
                changes.append(added)
                made = Entity(one.name, one.type, added.id)
                for words, _ in one.observations:
                    self._observed(made, words, changes)
            return new

        return self._write(plan)

    def add_observations(
        self, given: Sequence[tuple[str, Sequence[str]]]
    ) -> builtins.list[tuple[str, builtins.list[str]]]:
        """Write what was not observed before; return that, by entity.

        Raises:
            Absent: there is no such entity; nothing was written.
        """

        def plan(read: Read, changes: builtins.list[Change]) -> builtins.list[tuple[str, builtins.list[str]]]:
            done: builtins.list[tuple[str, builtins.list[str]]] = []
            for name, contents in given:
                found = read.named(name)
                if found is None:
                    raise Absent(name)
                known = {words for words, _ in found.observations}
                new = [words for words in contents if words not in known]
                for words in new:
                    self._observed(found, words, changes)
                done.append((name, new))
            return done

        return self._write(plan)

    def create_relations(self, given: Sequence[tuple[str, str, str]]) -> builtins.list[tuple[str, str, str]]:
        """Write the relations that are new; return those.

        Raises:
            Absent: one of the entities is not there; nothing was written.
        """

        def plan(read: Read, changes: builtins.list[Change]) -> builtins.list[tuple[str, str, str]]:
            ids = {one.name: one.id for one in reversed(read.entities)}
            for source, target, _ in given:
                for name in (source, target):
                    if name not in ids:
                        raise Absent(name)
            known = {one.named for one in read.relations}
            new = [one for one in dict.fromkeys(given) if one not in known]
            for source, target, relation in new:
                if is_link(source, target, relation, {*ids}):
                    changes.append(self._connect(ids[source], ids[target], relation))
                    continue
                added = self._add(relationship(source, target, relation))
                changes.append(added)
                changes += [self._connect(added.id, ids[end], ABOUT) for end in sorted({source, target})]
            return new

        return self._write(plan)

    def delete_entities(self, names: Sequence[str]) -> tuple[builtins.list[str], builtins.list[str]]:
        """End entities with all that was observed of them and their relations; return who was there and who not."""

        def plan(read: Read, changes: builtins.list[Change]) -> tuple[builtins.list[str], builtins.list[str]]:
            there = {one.name for one in read.entities}
            for one in read.entities:
                if one.name in names:
                    changes += [self._retire(id) for id in (one.id, *(id for _, id in one.observations))]
            changes += [
                self._end(one) for one in read.relations if one.source in names or one.target in names
            ]
            return [name for name in names if name in there], [name for name in names if name not in there]

        return self._write(plan)

    def delete_observations(
        self, given: Sequence[tuple[str, Sequence[str]]]
    ) -> tuple[int, builtins.list[str]]:
        """End observations; return how many, and the entities that are not there."""

        def plan(read: Read, changes: builtins.list[Change]) -> tuple[int, builtins.list[str]]:
            absent: builtins.list[str] = []
            ending: dict[str, None] = {}
            for name, contents in given:
                found = read.named(name)
                if found is None:
                    absent.append(name)
                    continue
                ending |= dict.fromkeys(id for words, id in found.observations if words in contents)
            changes += [self._retire(id) for id in ending]
            return len(ending), absent

        return self._write(plan)

    def delete_relations(self, given: Sequence[tuple[str, str, str]]) -> int:
        """End relations; return how many."""

        def plan(read: Read, changes: builtins.list[Change]) -> int:
            wanted = {*given}
            ending = [one for one in read.relations if one.named in wanted]
            changes += [self._end(one) for one in ending]
            return len({one.named for one in ending})

        return self._write(plan)

    # Inside

    def _write(self, plan: Callable[[Read, builtins.list[Change]], R]) -> R:
        """Read, plan and commit in one transaction; begin anew when others have written the same meanwhile."""
        self._bounded.require("write")
        ledger = self._memory.ledger
        for left in reversed(range(TRIES)):
            seen = ledger.counters()["memory"]
            changes: builtins.list[Change] = []
            done = plan(self.read(), changes)
            try:
                ledger.apply(changes, actor=self._memory.actor, once=Once(KEY, seen))
            except (Conflict, NotFound):
                if not left:
                    raise
                continue
            self._memory.apply(())  # wakes the full tier
            return done
        raise AssertionError("the last try returns or raises")

    def _add(self, record: Record) -> Add:
        metadata: dict[str, Json] = {**record.metadata, KEY: f"{FORMAT}:{record.key}"}
        return Add(
            new_id(),
            record.text,
            self._memory.clock.now(),
            kind=record.kind,
            scope=self._bounded.scope,
            source=Source("mcp"),
            metadata=metadata,
        )

    def _observed(self, whose: Entity, words: str, changes: builtins.list[Change]) -> None:
        time = 1 + sum(said == words for said, _ in whose.observations)
        added = self._add(observation(whose.name, whose.type, words, time))
        changes += [added, self._connect(added.id, whose.id, ABOUT)]
        whose.observations.append((words, added.id))

    def _connect(self, source: str, target: str, relation: str) -> Connect:
        return Connect(new_id(), source, target, relation, self._memory.clock.now())

    def _retire(self, id: str) -> Retire:
        return Retire(id, self._memory.clock.now(), reason="deleted")

    def _end(self, relation: Relation) -> Disconnect | Retire:
        now = self._memory.clock.now()
        return Disconnect(relation.id, now) if relation.link else Retire(relation.id, now, reason="deleted")
