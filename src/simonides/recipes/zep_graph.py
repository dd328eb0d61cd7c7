"""How Zep's graph is read and kept: walks, searches, rerankers, communities; knows no store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from simonides.errors import InputError, NotFound, UnknownName
from simonides.parts.communities import propagate
from simonides.parts.entities import normalised
from simonides.parts.likeness import term_vectors
from simonides.parts.reaching import reached
from simonides.parts.reranking import by_ranker, mentions, mmr, node_distance
from simonides.parts.spreading import within
from simonides.recipes.composition import derived_id
from simonides.types import Change, Connect, Disconnect, Hit, Link, Memory, Retire

if TYPE_CHECKING:
    from simonides.recipes.composition import Asked, Look, Searching
    from simonides.recipes.zep import Zep

ABOUT, MENTIONS, MEMBER = "about", "mentions", "has-member"
"""Relations: a fact and its ends, an episode and what it names or says again, a community and its entities."""
RERANKERS = ("rrf", "mmr", "node-distance", "mentions", "cross-encoder")
SEARCHES = ("words", "meaning", "walk")
SEEDS = 3
"""Best facts by words whose ends are walked from too, beside the entities that the question names."""


def ends_of(fact: Memory) -> list[str]:
    """Return the entities at the ends of a stored fact, by id."""
    kept = fact.attributes.get("ends")
    return [str(id) for id in kept] if isinstance(kept, list) else []


@dataclass(frozen=True, slots=True)
class Found:
    """What the three searches found: memories by id, the order of each search, and the links that were walked."""

    memories: dict[str, Memory]
    lists: dict[str, list[str]]
    links: list[Link]
    seeds: list[str]


def candidates(zep: Zep, asked: Asked, look: Searching) -> Found:
    """Return what words, meaning and the walk find; nothing where the gate is shut."""
    for name in zep.searches:
        if name not in SEARCHES:
            raise UnknownName("search", name, SEARCHES)
    limit = max(zep.limit, asked.k)
    own, told = (
        zep.kinds("fact")[0],
        [kind for kind in zep.among(asked, "fact") if not kind.startswith(f"{zep.name}.")],
    )
    hits = look.search(asked, [own], k=2 * limit) if own in zep.among(asked, "fact") else []
    said = look.search(asked, told, k=limit) if told else []
    memories = {hit.memory.id: hit.memory for hit in (*hits, *said)}
    lists = {**{name: list[str]() for name in zep.searches}, "episodes": [hit.memory.id for hit in said]}
    for name in ("words", "meaning"):
        if name in lists:
            lists[name] = _best(hits, name)[:limit]
    wanted = f" {normalised(asked.query)} "
    named = look.near(asked.query, limit, zep.kinds("entity")) if hits or said or not asked.gate else []
    seeds = [
        hit.memory.id for hit in named if re.search(rf"\b{re.escape(normalised(hit.memory.text))}\b", wanted)
    ]
    links: dict[str, Link] = {}
    if "walk" in lists and (seeds or hits):
        begin = [*seeds, *(id for one in _best(hits, "words")[:SEEDS] for id in ends_of(memories[one]))]
        links = reached(begin, lambda one: _about(one, asked, look), 2 * zep.depth - 1)
        far = within(links.values(), begin, 2 * zep.depth - 1)
        for id in sorted(far, key=lambda one: (far[one], one)):
            if far[id] and len(lists["walk"]) < limit and _fact(id, zep, asked, look, memories):
                lists["walk"].append(id)
    kept = {id for ids in lists.values() for id in ids}
    return Found({id: memories[id] for id in memories if id in kept}, lists, [*links.values()], seeds)


def _best(hits: Sequence[Hit], share: str) -> list[str]:
    """Return those to which a share adds anything, most first."""
    found = [hit for hit in hits if hit.shares.get(share, 0.0) > 0]
    return [hit.memory.id for hit in sorted(found, key=lambda hit: -hit.shares[share])]


def _about(id: str, asked: Asked, look: Searching) -> list[Link]:
    return look.links(id, relation=ABOUT, as_of=asked.as_of, known_at=asked.known_at)


def _fact(id: str, zep: Zep, asked: Asked, look: Searching, memories: dict[str, Memory]) -> bool:
    """Tell whether what a walk has reached is a fact that may be shown, and keep it then."""
    if id not in memories:
        try:
            one = look.get(id, as_of=asked.as_of, known_at=asked.known_at)
        except NotFound:
            return False  # it says nothing about that time
        if one.kind not in zep.kinds("fact") or (
            asked.where and one.metadata != {**one.metadata, **asked.where}
        ):
            return False
        memories[id] = one
    return memories[id].kind in zep.kinds("fact")


def reranked(zep: Zep, asked: Asked, found: Found, ids: list[str], look: Searching) -> list[str]:
    """Return fused candidates in the order of the recipe's reranker."""
    if zep.reranker not in RERANKERS:
        raise UnknownName("reranker", zep.reranker, RERANKERS)
    if zep.reranker == "mmr":
        vectors = term_vectors({"": asked.query, **{id: found.memories[id].text for id in ids}})
        return mmr(vectors.pop(""), vectors, weight=zep.mmr_weight)
    if zep.reranker == "node-distance":
        wanted = normalised(zep.center)
        near = look.near(zep.center, zep.candidates, zep.kinds("entity")) if wanted else []
        center = next((hit.memory.id for hit in near if normalised(hit.memory.text) == wanted), "")
        center = center or next(iter(found.seeds), "")
        links = reached([center], lambda one: _about(one, asked, look), 2 * zep.depth - 1) if center else {}
        return node_distance(ids, [*links.values()], center, hops=2 * zep.depth - 1)
    if zep.reranker == "mentions":
        return mentions(ids, {id: episodes(found.memories[id], look) for id in ids})
    if zep.reranker == "cross-encoder":
        if zep.ranker is None:
            raise InputError("ranker", "is needed for the reranker cross-encoder", None, "Zep(ranker=...)")
        return by_ranker(asked.query, {id: found.memories[id].text for id in ids}, zep.ranker)
    return ids


def episodes(memory: Memory, look: Searching) -> int:
    """Return how many episodes say a fact: the one it was read from, and those that say it again."""
    again = sum(link.target == memory.id for link in look.links(memory.id, relation=MENTIONS))
    return again + (memory.source is not None and bool(memory.source.memory))


def communities(zep: Zep, look: Look, now: datetime) -> Iterator[Change]:
    """Yield what makes the communities that are stored those that label propagation finds."""
    entities = {one.id: one for one in look.listed(zep.kinds("entity"), limit=100_000)}
    facts = look.listed(zep.kinds("fact"), limit=100_000)
    edges: dict[str, dict[str, float]] = {id: {} for id in entities}
    for fact in facts:
        joined = [id for id in ends_of(fact) if id in entities]
        for one in joined:
            for other in joined:
                if one != other:
                    edges[one][other] = edges[one].get(other, 0.0) + 1.0
    labels = propagate(edges)
    wanted: dict[str, set[str]] = {}
    for id, label in labels.items():
        wanted.setdefault(label, set()).add(id)
    wanted = {label: members for label, members in wanted.items() if len(members) > 1}
    stored: dict[frozenset[str], Memory] = {}
    gone = list[str]()
    for one in look.listed(zep.kinds("summary"), limit=100_000):
        members = {link.target: link for link in look.links(one.id, relation=MEMBER) if link.source == one.id}
        if frozenset(members) in {frozenset(each) for each in wanted.values()} - stored.keys():
            stored[frozenset(members)] = one
            continue
        gone.append(one.id)
        yield Retire(one.id, max(now, one.at), reason="its members have changed")
        yield from (Disconnect(link.id, max(now, link.valid.start)) for link in members.values())
    for members in (each for each in wanted.values() if frozenset(each) not in stored):
        oldest = entities[min(members)]
        text = summary([entities[id] for id in sorted(members)], facts, zep.summary_characters)
        add = replace(
            zep.derived(oldest, text, kind="summary", salt=" ".join((now.isoformat(), *gone)), at=now),
            speaker="",
        )
        yield add
        for id in sorted(members):
            link = derived_id(oldest.id, zep.name, MEMBER, add.id, id)
            yield Connect(link, add.id, id, MEMBER, now, reason="found by label propagation")


def summary(members: Sequence[Memory], facts: Sequence[Memory], most: int) -> str:
    """Return the names of a community and its newest facts, as many as fit."""
    text = ", ".join(one.text for one in members)[: most // 2]
    ids = {one.id for one in members}
    for fact in sorted(facts, key=lambda one: (one.at, one.id), reverse=True):
        if len(ids & {*ends_of(fact)}) > 1 and len(text) + len(fact.text) < most:
            text += f"\n{fact.text}"
    return text
