"""What a recipe is made of: what it derives from a turn, how it finds, what its upkeep is; knows no store and no door.

A recipe never writes: it proposes changes, and `simonides.digesting` has them applied. What it derives is of a kind
that begins with the recipe's name (``mem0.fact``), cites the span it comes from, and is seen by those who ask for it:
several recipes may look at the same turns, and none of them changes a turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Protocol, cast

from simonides.clock import Clock
from simonides.parts.extract import Fact, Told
from simonides.recipes import RECIPES
from simonides.types import Add, Change, Hit, Json, Kind, Link, Memory, Scope

_CONSTANTS = (str, int, float, bool, tuple, dict)
PLAIN = tuple(str(kind) for kind in Kind)


class Look(Protocol):
    """What a recipe may read: the store as it is, limited to the scope of what it is asked about."""

    clock: Clock

    def near(self, text: str, k: int, kinds: Sequence[str], *, gate: bool = False) -> list[Hit]:
        """Return the memories of these kinds that are nearest to a text, by words and the instant tier at least."""
        ...

    def listed(
        self,
        kinds: Sequence[str],
        *,
        limit: int = 1000,
        newest_first: bool = True,
        as_of: datetime | None = None,
    ) -> list[Memory]:
        """Return memories of these kinds."""
        ...

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Memory:
        """Return one memory as it is, or as it was by either clock; NotFound where it says nothing about then."""
        ...

    def history(self, id: str) -> list[Memory]:
        """Return every version of a memory."""
        ...

    def links(
        self,
        id: str,
        *,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> list[Link]:
        """Return the links of a memory, as they are or were by either clock."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a recipe.

    Attributes:
        query: the question.
        k: how many hits at most.
        gate: return nothing when nothing fits.
        as_of, known_at: what was true, and what was believed, then.
        now: what relative dates count from.
        kinds: only these, in the recipe's own words (``fact``); None for what the recipe finds best.
        where: filter on metadata.
    """

    query: str
    k: int
    gate: bool
    now: datetime
    as_of: datetime | None = None
    known_at: datetime | None = None
    kinds: tuple[str, ...] | None = None
    where: Mapping[str, Json] | None = None


class Searching(Look, Protocol):
    """What a recipe may read while it answers a question."""

    def search(self, asked: Asked, kinds: Sequence[str] | None = None, *, k: int = 0) -> list[Hit]:
        """Return what the default way finds among these kinds; None is what no recipe has derived."""
        ...

    def alike(self, asked: Asked, kinds: Sequence[str], *, among: int = 100) -> list[tuple[Memory, float]]:
        """Return the nearest by one-bit codes of all these kinds, with exact cosines, nearest first.

        Empty where no model reads; what a model has not read yet is not among them.
        """
        ...


@dataclass(frozen=True)
class Recipe:
    """A published system as a composition of parts; subclasses add its constants as fields with defaults.

    `name`, `paper` and the rest are said by each; `differs` lists where it does something else than the paper.
    """

    name: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    year: ClassVar[int] = 0
    link: ClassVar[str] = ""
    differs: ClassVar[tuple[str, ...]] = ()
    derives: ClassVar[tuple[str, ...]] = ()
    """The kinds it derives, without its name."""

    def digest(self, told: Memory, before: Sequence[Memory], look: Look) -> Iterable[Change]:
        """Return what to derive from a turn or a document that is stored already; `before` are the turns before it.

        It may be called again for the same turn after a crash: what it derives has the same ids then (`derived`).
        """
        del told, before, look
        return ()

    def find(self, asked: Asked, look: Searching) -> list[Hit]:
        """Return the hits of a question, best first; by default what the default way finds in all it may see."""
        return look.search(asked, self.among(asked))

    def tend(self, look: Look, now: datetime) -> Iterable[Change]:
        """Return what upkeep would do at a moment; the same again once it is done."""
        del look, now
        return ()

    def kinds(self, *names: str) -> list[str]:
        """Return kinds as they are stored: ``fact`` as ``mem0.fact``."""
        return [f"{self.name}.{name}" for name in names or self.derives]

    def among(self, asked: Asked, *names: str) -> list[str]:
        """Return the kinds to look among: those asked for, with or without its name; else all plain ones and `names`.

        Without `names` all that it derives.
        """
        if asked.kinds is None:
            return [*PLAIN, *self.kinds(*names)]
        own = [f"{self.name}.{kind}" for kind in asked.kinds if kind in self.derives]
        return list(dict.fromkeys((*asked.kinds, *own)))

    def constants(self) -> dict[str, Any]:
        """Return the constants, by name; what is no constant (an extractor handed in) is left out."""
        held = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in held.items() if isinstance(value, _CONSTANTS)}

    def derived(
        self,
        told: Memory,
        text: str,
        *,
        kind: str = Kind.FACT,
        fact: Fact | None = None,
        salt: str = "",
        attributes: Mapping[str, Json] | None = None,
        reason: str = "",
        until: datetime | None = None,
        at: datetime | None = None,
    ) -> Add:
        """Return the change that adds something derived from a stored memory, in its scope, citing it.

        The id follows from the recipe, the source and the text, so that deriving twice adds nothing. It is true from
        when it was said, unless `at` says otherwise; the conversation it was said in is not part of its scope.
        """
        source = Told.of(told).source(fact, self.name) if fact is not None else None
        return Add(
            id=derived_id(told.id, self.name, kind, text, salt),
            text=text,
            at=at or told.at,
            kind=f"{self.name}.{kind}",
            scope=Scope(user=told.scope.user, agent=told.scope.agent, project=told.scope.project),
            speaker=told.speaker,
            source=source or Told.of(told).source(Fact(text, (0, len(told.text))), self.name),
            zone=told.zone,
            until=until,
            importance=0.5 if fact is None else fact.importance,
            attributes={**(fact.attributes() if fact else {}), **(attributes or {}), "at": told.id},
            reason=reason or f"derived by {self.name}",
        )


def chosen(recipe: str | Recipe | None) -> Recipe | None:
    """Return a recipe by its name, or as it is.

    Raises:
        UnknownName: there is no recipe of that name.
    """
    if isinstance(recipe, str):
        return cast("Callable[[], Recipe]", RECIPES.get(recipe))()
    return recipe


def derived_id(source: str, *parts: str) -> str:
    """Return the id of what is derived from a memory: as old as it, and otherwise a hash of what makes it itself."""
    digest = hashlib.sha256("\x1f".join((source, *parts)).encode()).hexdigest()
    return source[:12] + digest[:20]


@dataclass(frozen=True, slots=True)
class Step:
    """A change with what it is measured by, for plans that are shown before they are applied."""

    change: Change
    why: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
