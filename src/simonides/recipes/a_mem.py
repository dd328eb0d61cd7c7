"""A-MEM: notes that describe themselves, link, and change their neighbours; composes parts, and knows no store.

Each turn becomes an `a-mem.note` with keywords, tags and a context. A new note is linked to those that it is like, and
some of these take on its tags and a word of its context, as a new version: the old one is in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from simonides.errors import NotFound
from simonides.parts.extract import Extractor, Rules, Told
from simonides.parts.likeness import Likeness
from simonides.parts.notes import KEYWORDS, TAGS, Note, describe, evolved, joined, shared
from simonides.parts.small_talk import small_talk
from simonides.recipes.composition import Asked, Look, Recipe, Searching, derived_id
from simonides.types import Change, Connect, Hit, Json, Kind, Memory, Supersede

LINKED = "linked"
"""The relation of two notes."""


@dataclass(frozen=True)
class AMem(Recipe):
    """Self-describing notes in a box.

    Attributes:
        neighbours: k: the nearest notes that a new one is held against.
        keywords, tags: how many of each a note has at most.
        link_from, share: likeness and Jaccard of the keywords from which two notes are linked.
        evolve_from: likeness from which the older one may change.
        box: hits from which links are followed, one hop; 0 follows none.
        box_weight: score of a linked note, as a part of that of the hit it hangs on.
        enriched: keywords, tags and context are searched too; False keeps the content alone.
        verbatim: turns are searched beside the notes.
        extractor: reads what a note states.
    """

    name: ClassVar[str] = "a-mem"
    paper: ClassVar[str] = "A-MEM: Agentic Memory for LLM Agents"
    year: ClassVar[int] = 2025
    link: ClassVar[str] = "https://arxiv.org/abs/2502.12110"
    differs: ClassVar[tuple[str, ...]] = (
        "Rules describe, link and evolve; the paper asks a language model twice for each note.",
        "Likeness while writing is of words and their static neighbours; the paper's of a model.",
        ".17 and .41 let through as many neighbours as a model's cosines of .5 and .7 (LoCoMo, development half).",
        "Neighbours are known by their ids; the released code takes ranks for places and changes other notes.",
        "An evolution is a new version that can be taken back; the paper overwrites.",
        "A write changes its nearest notes and nothing beyond them.",
        "Small talk becomes no note.",
    )
    derives: ClassVar[tuple[str, ...]] = ("note",)

    neighbours: int = 5
    keywords: int = KEYWORDS
    tags: int = TAGS
    link_from: float = 0.17
    share: float = 0.1
    evolve_from: float = 0.41
    box: int = 5
    box_weight: float = 0.5
    enriched: bool = True
    verbatim: bool = False
    extractor: Extractor = field(default_factory=Rules, repr=False)

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Derive the note, link it to its nearest, and let those evolve: one hop, by id."""
        if told.kind != Kind.TURN or small_talk(told.text):
            return
        facts = self.extractor.extract(Told.of(told, before=before))
        note = describe(told.text, told.speaker, facts, keywords=self.keywords)
        near = look.near(" ".join(note.keywords) or told.text, self.neighbours, self.kinds())
        kept: dict[str, Json] = {**note.attributes(), "content": len(told.text)}
        add = self.derived(told, self.text(note, told.text), kind="note", attributes=kept)
        yield add
        likeness = Likeness(told.text)
        for hit in near:
            other = Note.of(hit.memory.attributes)
            alike = likeness.to(content(hit.memory))
            weight = joined(note, other, alike, least=self.link_from, jaccard=self.share)
            if not weight:
                continue
            evidence = ", ".join(shared(note, other))
            id = derived_id(told.id, self.name, LINKED, hit.memory.id)
            yield Connect(
                id, add.id, hit.memory.id, LINKED, told.at, weight, evidence, "alike, and keywords in common"
            )
            after = evolved(other, note, alike, least=self.evolve_from, tags=self.tags)
            if after is not None and hit.memory.at <= told.at:
                text = self.text(after, content(hit.memory))
                kept = {**hit.memory.attributes, **after.attributes()}
                yield Supersede(hit.memory.id, text, told.at, attributes=kept, reason=f"evolved by {add.id}")

    def text(self, note: Note, said: str) -> str:
        """Return what is searched of a note."""
        return note.enriched(said) if self.enriched else said

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Find notes, and one hop along their links what hangs on the best of them."""
        kinds = self.among(asked) if self.verbatim or asked.kinds else self.kinds()
        found = {hit.memory.id: hit for hit in look.search(asked, kinds)}
        for hit in [*found.values()][: self.box]:
            for link in look.links(
                hit.memory.id, relation=LINKED, as_of=asked.as_of, known_at=asked.known_at
            ):
                other = link.target if link.source == hit.memory.id else link.source
                score = self.box_weight * hit.score * link.weight
                if other in found and found[other].score >= score:
                    continue
                try:
                    one = (
                        found[other].memory
                        if other in found
                        else look.get(other, as_of=asked.as_of, known_at=asked.known_at)
                    )
                except NotFound:
                    continue  # it says nothing about that time
                if not asked.where or one.metadata == {**one.metadata, **asked.where}:
                    found[other] = Hit(one, score, {"link": score})
        return sorted(found.values(), key=lambda hit: (-hit.score, hit.memory.id))[: asked.k]


def content(note: Memory) -> str:
    """Return what a note is of: the words of its turn, without what it says of itself."""
    size = note.attributes.get("content")
    return note.text[:size] if isinstance(size, int) else note.text
