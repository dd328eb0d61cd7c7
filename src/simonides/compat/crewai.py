"""CrewAI's unified memory over a store of ours, without its model calls; knows no agent and no door."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from simonides.bounded import Bounded
from simonides.clock import new_id
from simonides.compat.crewai_storage import Storage, naive, parts, record
from simonides.errors import ModelMissing
from simonides.memory import Memory as Store
from simonides.parts.capture import strip
from simonides.parts.pack import line
from simonides.types import Hit

try:
    from crewai.memory.types import MemoryMatch, MemoryRecord  # pyright: ignore[reportMissingModuleSource]
    from crewai.memory.unified_memory import Memory as CrewMemory  # pyright: ignore[reportMissingModuleSource]
except ImportError as err:
    raise ModelMissing("CrewAI", "is not installed", "", "pip install 'simonides[crewai]'.") from err


class Recalled(MemoryMatch):
    """A match that shows itself to a model as a dated and cited line, by which it is known again and not stored."""

    line: str = ""

    def format(self) -> str:
        """Return the line."""
        return self.line


class Memory(CrewMemory):
    """Stands in for `crewai.Memory`: ``Crew(memory=Memory("memory.db"))`` or ``Agent(memory=...)``.

    CrewAI's own asks a model at each save (what to keep, where, how important) and embeds every text. This one keeps
    what a task was and what came of it, word for word, at once, and finds it by `Memory.search`: no model, no key.
    Scopes, slices, categories, privacy, `forget`, `update`, `tree` and the agents' two memory tools work as they do.

    Args:
        memory: an open store, which stays open when this is closed; a `Bounded`, whose scope and rights then hold; or
            a path, None for the default one.
        user, agent, project: whose memory it is; written and searched with.
        settings: of CrewAI's own, ``root_scope`` and ``read_only`` count.
    """

    def __init__(
        self,
        memory: Store | Bounded | str | Path | None = None,
        *,
        user: str | None = None,
        agent: str | None = None,
        project: str | None = None,
        **settings: Any,
    ) -> None:
        storage = Storage(memory, user=user, agent=agent, project=project)
        super().__init__(**{"storage": storage, "embedder": storage.embed, **settings})

    @property
    def store(self) -> Store:
        """The store below: everything that CrewAI has no word for."""
        return self.storage.store

    def extract_memories(self, content: str) -> list[str]:
        """Return the text as the one thing to remember, without what recall had put in; no model is asked."""
        kept = strip(content)
        return [] if not kept or kept.isspace() else [kept]

    def remember(
        self,
        content: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,  # noqa: FBT001, FBT002 - CrewAI's own signature
        *,
        agent_role: str | None = None,
        root_scope: str | None = None,
    ) -> MemoryRecord | None:
        """Keep a text; it is durable, and can be found, when this returns. None where nothing was kept."""
        kept = self.remember_many(
            [content],
            scope,
            categories,
            metadata,
            importance,
            source,
            private,
            agent_role=agent_role,
            root_scope=root_scope,
        )
        return kept[0] if kept else None

    def remember_many(
        self,
        contents: list[str],
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,  # noqa: FBT001, FBT002 - CrewAI's own signature
        *,
        agent_role: str | None = None,
        root_scope: str | None = None,
    ) -> list[MemoryRecord]:
        """Keep texts, all or none, and return their records; CrewAI's own returns none of them."""
        if self.read_only:
            return []
        path = "/" + "/".join([*parts(self.root_scope if root_scope is None else root_scope), *parts(scope)])
        own = dict(metadata or {}) | ({"agent_role": agent_role} if agent_role else {})
        now = naive(self.store.clock.now())
        records = [
            MemoryRecord(
                id=new_id(), content=text, scope=path, categories=[*(categories or [])], metadata=own,
                importance=self.default_importance if importance is None else importance, created_at=now,
                last_accessed=now, source=source, private=private,
            )
            for content in contents
            for text in self.extract_memories(content)
        ]  # fmt: skip
        self.storage.save(records)
        return records

    def recall(
        self,
        query: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        limit: int = 10,
        depth: Literal["shallow", "deep"] = "deep",
        source: str | None = None,
        include_private: bool = False,  # noqa: FBT001, FBT002 - CrewAI's own signature
    ) -> list[MemoryMatch]:
        """Return the nearest, best first; `depth` changes nothing, and no model is asked."""
        path = "/".join([*parts(self.root_scope), *parts(scope)])
        hits = self.storage.hits(
            strip(query), path, categories, limit=limit, source=source, private=include_private
        )
        return [matched(hit) for hit in hits]


def matched(hit: Hit) -> MemoryMatch:
    """Return a hit as CrewAI's match; the score is the chance that it answers."""
    return Recalled(record=record(hit.memory), score=hit.score, match_reasons=[*hit.shares], line=line(hit))
