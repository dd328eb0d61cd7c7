"""Mem0, as in its paper: facts, four operations; knows no store. Its graph and its later generation are beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from simonides.clock import Span
from simonides.parts.extract import Extractor, Rules, Told
from simonides.parts.resolve import applied, resolve
from simonides.recipes.composition import Asked, Look, Recipe, Searching
from simonides.types import Add, Change, Hit, Memory, Retire, Supersede


@dataclass(frozen=True)
class Mem0(Recipe):
    """Facts from each turn, each held against its nearest: add, update, delete (softly) or leave."""

    name: ClassVar[str] = "mem0"
    paper: ClassVar[str] = "Mem0: Building Production-Ready AI Agents with Scalable Long-Term Memory"
    year: ClassVar[int] = 2025
    link: ClassVar[str] = "https://arxiv.org/abs/2504.19413"
    differs: ClassVar[tuple[str, ...]] = (
        "rules extract and decide; no language model, no running summary",
        "update and delete end the old version's time: every state can be read again",
        "a neighbour is known by its id, never by its place in a list",
        "facts keep to the scope of their turn, the conversation aside",
    )
    derives: ClassVar[tuple[str, ...]] = ("fact",)
    neighbours: int = 10
    """s: how many of the nearest facts a new one is held against."""
    extractor: Extractor = field(default_factory=Rules, repr=False)

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Return the operations on facts that a turn calls for."""
        changes: list[Change] = []
        fresh, ended = list[Memory](), set[str]()
        for fact in self.extractor.extract(Told.of(told, before=before)):
            add = self.derived(told, fact.text, fact=fact)
            near = fresh + [hit.memory for hit in look.near(fact.text, self.neighbours, self.kinds("fact"))]
            decision = resolve(fact, [one for one in near if one.id not in ended], at=told.at)
            step = applied(decision, add, told)
            ended |= {change.id for change in step if isinstance(change, Retire | Supersede)}
            fresh += [_as_memory(change) for change in step if isinstance(change, Add)]
            changes += step
        return changes

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return the nearest facts of the scope."""
        return look.search(asked, self.kinds("fact") if asked.kinds is None else self.among(asked))


def _as_memory(add: Add) -> Memory:
    return Memory(
        add.id,
        add.kind,
        add.text,
        add.scope,
        Span(add.at, add.until),
        Span(add.at),
        attributes=add.attributes,
    )
