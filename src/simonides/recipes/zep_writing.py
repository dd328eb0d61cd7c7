"""How a turn becomes entities and facts of Zep's graph, and which facts end by it; knows no store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from simonides.clock import Span
from simonides.parts.communities import assign
from simonides.parts.entities import Directory, Entity, normalised
from simonides.parts.extract import Fact
from simonides.parts.intervals import settle
from simonides.parts.resolve import DOUBTS, SUPERSEDES, resolve
from simonides.recipes.composition import derived_id
from simonides.recipes.zep_graph import ABOUT, MEMBER, MENTIONS
from simonides.types import Change, Connect, Memory, Retire

if TYPE_CHECKING:
    from simonides.recipes.composition import Look
    from simonides.recipes.zep import Zep

WORDS = 4
"""Words of a value that is taken for an entity though it is no name."""
_UNTIL = re.compile(r"\b(?:until|till|up to|through)\s*$", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:an?|the|some|in|at|to|with|on|for)\s+", re.IGNORECASE)


def derived(zep: Zep, told: Memory, facts: Sequence[Fact], look: Look) -> Iterator[Change]:
    """Yield the entities of a turn, its facts with their links, and the ends of what these exclude."""
    joins = {fact.span: ends(fact) for fact in facts}
    names = list(dict.fromkeys(name for each in joins.values() for name in each))
    near = look.near(" ".join(names), zep.candidates + len(names), zep.kinds("entity"))
    book = Directory(Entity(hit.memory.id, hit.memory.text) for hit in near)
    ids, new = dict[str, str](), set[str]()
    for name in names:
        match = book.match(name)
        known = match.entity or (match.candidates[0] if match.score == 1 else None)
        if known is None:
            add = zep.derived(told, name, kind="entity")
            known = Entity(add.id, name)
            book.add(known)
            new.add(add.id)
            yield add
        ids[name] = known.id
    yield from (_link(told, told.id, one, MENTIONS, told.at) for one in sorted(set(ids.values())))
    gone = set[str]()
    for fact in facts:
        yield from _fact(zep, told, fact, [ids[name] for name in joins[fact.span]], gone, look)
    yield from _joined(told, [[ids[name] for name in each] for each in joins.values()], new, look)


def ends(fact: Fact) -> list[str]:
    """Return the names of the entities that a fact joins: its subject, and the names in its value or that itself."""
    if fact.says is None:
        return []
    value = _ARTICLE.sub("", fact.says.value)
    named = [name for name in fact.names if name in value and name != fact.says.subject]
    short = [value] if value and len(value.split()) <= WORDS else []
    return list(dict.fromkeys(one for one in (fact.says.subject, *(named or short)) if normalised(one)))


def period(fact: Fact, said: datetime) -> Span:
    """Return when a fact was true: from when it names, else from when it was said; until what it names so."""
    if fact.when is None:
        return Span(said)
    if _UNTIL.search(fact.text.partition(fact.when.words)[0]):
        return Span(said, fact.when.end) if fact.when.end > said else Span(fact.when.end, fact.when.end)
    return Span(fact.when.start)


def earlier(memory: Memory, start: datetime, look: Look) -> dict[str, Memory]:
    """Return a fact that is excluded; for a late arrival also those that it had ended before, with their times."""
    found, edge = {memory.id: memory}, [memory.id] if memory.at > start else []
    while edge:
        one = edge.pop()
        for link in look.links(one, relation=SUPERSEDES):
            if link.source == one and link.target not in found:
                versions = [each for each in look.history(link.target) if each.recorded.end is None]
                if versions:
                    found[link.target] = min(versions, key=lambda each: each.at)
                    edge.append(link.target)
    return found


def _fact(
    zep: Zep, told: Memory, fact: Fact, joins: Sequence[str], gone: set[str], look: Look
) -> Iterator[Change]:
    span = period(fact, told.at)
    excluded, doubts = dict[str, Memory](), list[str]()
    for one in (hit.memory for hit in look.near(fact.text, zep.neighbours, zep.kinds("fact"))):
        decision = resolve(fact, [one])
        if decision.op == "NOOP":
            if one.id not in gone and one.attributes.get("at") != told.id:
                gone.add(one.id)
                yield _link(told, told.id, one.id, MENTIONS, told.at)
            return
        if decision.op in ("SUPERSEDE", "INVALIDATE") and one.id not in gone:
            if decision.unsure:
                doubts.append(one.id)
            else:
                excluded |= earlier(one, span.start, look)
    settled = settle(span, {id: one.valid for id, one in excluded.items()})
    add = zep.derived(
        told, fact.text, kind="fact", fact=fact, at=span.start, until=settled.until,
        attributes={"ends": [*joins]},
    )  # fmt: skip
    yield add
    began = min(span.start, told.at)
    yield from (_link(told, add.id, end, ABOUT, began) for end in dict.fromkeys(joins))
    for id, at in settled.ended.items():
        gone.add(id)
        yield Retire(id, at, reason=f"since then: {fact.text}"[:200])
        yield _link(told, add.id, id, SUPERSEDES, at)
    for id, one in excluded.items():  # what ended a late arrival, so that the next late one finds them all
        if span.overlaps(one.valid) and one.at > span.start:
            yield _link(told, id, add.id, SUPERSEDES, one.at)
    yield from (_link(told, add.id, id, DOUBTS, told.at) for id in (*doubts, *settled.level))


def _joined(told: Memory, facts: Sequence[Sequence[str]], new: set[str], look: Look) -> Iterator[Change]:
    """Put each new entity into the community that most of its neighbours are in, until upkeep looks at all."""
    for id in sorted(new):
        near = {other: 1.0 for joins in facts if id in joins for other in joins if other not in new}
        known = {other: link.source for other in near for link in look.links(other, relation=MEMBER)}
        if (community := assign(near, known)) is not None:
            yield _link(told, community, id, MEMBER, told.at)


def _link(told: Memory, source: str, target: str, relation: str, at: datetime) -> Connect:
    id = derived_id(told.id, "zep", relation, source, target)
    return Connect(id, source, target, relation, at, reason="derived by zep")
