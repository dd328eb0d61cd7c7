"""The storage below CrewAI's unified memory, over a store of ours; knows no model, no agent and no door."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, cast
from uuid import UUID

from simonides import clock as clocks
from simonides.bounded import Bounded
from simonides.errors import InputError, ModelMissing, NotFound
from simonides.memory import Memory as Store
from simonides.types import Add, Change, Hit, Json, Kind, Memory, Retire, Scope, Supersede

try:
    from crewai.memory.types import MemoryRecord, ScopeInfo  # pyright: ignore[reportMissingModuleSource]
except ImportError as err:
    raise ModelMissing("CrewAI", "is not installed", "", "pip install 'simonides[crewai]'.") from err

MARK = "crewai"
"""The field of a memory's metadata that says: this is a record of CrewAI."""
ALL = 2**31 - 1
"""More memories than a store has."""
SPARE = 4
"""Hits asked for in place of one, where some may be left out."""
REMEMBERED = 4096
"""Texts whose vectors are known again."""


class Storage:
    """CrewAI's `StorageBackend`: ``crewai.Memory(storage=storage, embedder=storage.embed)``.

    CrewAI hands a storage vectors where ours wants words. So `embed` stands in for an embedding model: it gives a text
    a vector without meaning and remembers which text it was, and `search` asks with the text.

    Memories of other doors are found and listed at the root ``/``; `delete` and `reset` leave them alone.

    Args:
        memory: an open store, which stays open when this is closed; a `Bounded`, whose scope and rights then hold; or
            a path, None for the default one.
        user, agent, project: whose memory it is; written and searched with.
    """

    def __init__(
        self,
        memory: Store | Bounded | str | Path | None = None,
        *,
        user: str | None = None,
        agent: str | None = None,
        project: str | None = None,
    ) -> None:
        self._owned = not isinstance(memory, Store | Bounded)
        opened = memory if isinstance(memory, Store | Bounded) else Store(memory)
        given = {"user": user or "", "agent": agent or "", "project": project or ""}
        bound = opened if isinstance(opened, Bounded) else Bounded(opened)
        fixed = {name: getattr(bound.scope, name) for name in ("user", "agent", "session", "project")}
        chosen = Scope(**{name: fixed[name] or given.get(name, "") for name in fixed})
        self._store = Bounded(bound.memory, chosen, bound.rights)
        self._texts: OrderedDict[tuple[float, ...], str] = OrderedDict()

    @property
    def store(self) -> Store:
        """The store below: everything that CrewAI has no word for."""
        return self._store.memory

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, by which `search` knows it again; alike vectors mean nothing."""
        made: list[list[float]] = []
        for text in texts:
            digest = sha256(text.encode(errors="surrogatepass")).digest()
            vector = [(byte - 127.5) / 127.5 for byte in digest]
            self._texts[tuple(vector)] = text
            made.append(vector)
        while len(self._texts) > REMEMBERED:
            self._texts.popitem(last=False)
        return made

    # Writing

    def save(self, records: list[MemoryRecord]) -> None:
        """Write records word for word, all or none."""
        self._store.require("write")
        adding: list[Change] = [
            Add(
                identity(one.id), one.content, aware(one.created_at), Kind.NOTE, self._store.scope,
                importance=one.importance, metadata=facts(one), reason="saved",
            )
            for one in records
        ]  # fmt: skip
        if adding:
            self.store.apply(adding)

    def update(self, record: MemoryRecord) -> None:
        """Correct a record in a new version; its history stays.

        Raises:
            NotFound: there is none with its id.
        """
        id = identity(record.id)
        self._store.require("write")
        self._store.get(id)
        change = Supersede(id, record.content, metadata=facts(record), importance=record.importance)
        self.store.apply([change])

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Retire the records that fit all that is said, and return how many; they stay in the history."""
        self._store.require("write")
        ids = None if record_ids is None else {identity(one) for one in record_ids}
        limit = None if older_than is None else aware(older_than)
        now = self.store.clock.now()
        ending: list[Change] = [
            Retire(one.id, max(now, one.at), reason="forgotten")
            for one in self._listed(scope_prefix)
            if MARK in one.metadata
            and (ids is None or one.id in ids)
            and (limit is None or one.at < limit)
            and fits(record(one), categories, metadata_filter)
        ]
        if ending:
            self.store.apply(ending)
        return len(ending)

    def reset(self, scope_prefix: str | None = None) -> None:
        """Retire all records of a scope and of those below it; None for all."""
        self.delete(scope_prefix)

    # Finding

    def search(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Return the nearest records, each with the chance that it answers, best first.

        Raises:
            InputError: the vector wasn't made by `embed` of this storage.
        """
        text = self._texts.get(tuple(query_embedding))
        if text is None:
            way_out = "Hand it to CrewAI: Memory(storage=storage, embedder=storage.embed)."
            raise InputError("query_embedding", "must come from this storage's embed()", "", way_out)
        hits = self.hits(text, scope_prefix, categories, metadata_filter, limit=limit, min_score=min_score)
        return [(record(hit.memory), hit.score) for hit in hits]

    def hits(
        self,
        query: str,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        *,
        limit: int = 10,
        min_score: float = 0.0,
        source: str | None = None,
        private: bool = True,
    ) -> list[Hit]:
        """Return the nearest to a question in words; `private` ones of others than `source` only where that is said.

        CrewAI asks with whole task descriptions, which are no questions: whether anything answers them is not judged.
        """
        asked = query.replace("\0", " ").encode(errors="replace").decode().strip()
        if not asked or limit < 1:
            return []
        where = within(scope_prefix)
        chosen: list[Hit] = []
        many = limit if private and not (categories or metadata_filter or min_score) else limit * SPARE
        while True:
            found = self._store.search(asked, k=many, gate=False, where=where)
            chosen = [
                hit for hit in found if hit.score >= min_score and visible(hit.memory, source, all_of_them=private)
                and fits(record(hit.memory), categories, metadata_filter)
            ]  # fmt: skip
            if len(chosen) >= limit or len(found) < many:
                return chosen[:limit]
            many *= SPARE

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Return one record, None where there is none."""
        try:
            return record(self._store.get(identity(record_id)))
        except NotFound:
            return None

    def list_records(
        self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0
    ) -> list[MemoryRecord]:
        """Return the records of a scope and of those below it, newest first."""
        if limit <= 0 or offset < 0:
            return []
        newest = sorted(self._listed(scope_prefix), key=lambda one: (one.at, one.id), reverse=True)
        return [record(one) for one in newest[offset : offset + limit]]

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Return how much a scope and those below it hold, and since when."""
        there = [record(one) for one in self._listed(scope)]
        times = [one.created_at for one in there]
        return ScopeInfo(
            path="/" + "/".join(parts(scope)), record_count=len(there),
            categories=sorted({name for one in there for name in one.categories}),
            oldest_record=min(times, default=None), newest_record=max(times, default=None),
            child_scopes=children(there, scope),
        )  # fmt: skip

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Return the scopes right below one."""
        return children([record(one) for one in self._listed(parent)], parent)

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Return how many records have each category."""
        return dict(Counter(name for one in self._listed(scope_prefix) for name in record(one).categories))

    def count(self, scope_prefix: str | None = None) -> int:
        """Return how many records there are in a scope and in those below it."""
        return len(self._listed(scope_prefix))

    # The same for CrewAI's asynchronous calls

    async def asave(self, records: list[MemoryRecord]) -> None:
        """Write records, see `save`."""
        await asyncio.to_thread(self.save, records)

    async def asearch(self, query_embedding: list[float], **within: Any) -> list[tuple[MemoryRecord, float]]:
        """Return records that answer, see `search`."""
        return await asyncio.to_thread(self.search, query_embedding, **within)

    async def adelete(self, **chosen: Any) -> int:
        """Retire records, see `delete`."""
        return await asyncio.to_thread(self.delete, **chosen)

    def close(self) -> None:
        """Close the store if it was opened here."""
        if self._owned:
            self.store.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same storage: a copy of a crew has the same memory."""
        return self

    def _listed(self, scope: str | None) -> list[Memory]:
        return self._store.list(where=within(scope), limit=ALL)


def parts(scope: str | None) -> list[str]:
    """Return the names in a path such as ``/crew/research``."""
    return [name for name in (scope or "").split("/") if name]


def within(scope: str | None) -> dict[str, Json]:
    """Return the filter for a scope and those below it; the root is everything."""
    return {f"{MARK}.path.{place}": name for place, name in enumerate(parts(scope))}


def children(records: Sequence[MemoryRecord], scope: str | None) -> list[str]:
    """Return the scopes right below one, of records that are in it."""
    deep = len(parts(scope))
    below = [names for one in records if len(names := parts(one.scope)) > deep]
    return sorted({"/" + "/".join(names[: deep + 1]) for names in below})


def fits(record: MemoryRecord, categories: Sequence[str] | None, wanted: Mapping[str, Any] | None) -> bool:
    """Tell whether a record has one of the categories, and all the metadata."""
    if categories and not set(categories) & set(record.categories):
        return False
    return all(record.metadata.get(name) == value for name, value in (wanted or {}).items())


def visible(memory: Memory, source: str | None, *, all_of_them: bool) -> bool:
    """Tell whether somebody may see a memory: a private one is for the source that wrote it."""
    mark = _mark(memory)
    return all_of_them or not mark.get("private") or (source is not None and mark.get("source") == source)


def facts(record: MemoryRecord) -> dict[str, Json]:
    """Return a record's fields as metadata: its own, and those of CrewAI below one name."""
    names: dict[str, Json] = {str(place): name for place, name in enumerate(parts(record.scope))}
    mark: dict[str, Json] = {
        "path": names, "categories": [*record.categories], "source": record.source, "private": record.private,
    }  # fmt: skip
    return {**record.metadata, MARK: mark}


def record(memory: Memory) -> MemoryRecord:
    """Return a memory as CrewAI's record; one of another door is at the root."""
    mark = _mark(memory)
    path = cast("Mapping[str, str]", mark.get("path") or {})
    source = mark.get("source") or (memory.source.name if memory.source else "")
    return MemoryRecord(
        id=str(UUID(memory.id)), content=memory.text,
        scope="/" + "/".join(path[name] for name in sorted(path, key=int)),
        categories=[str(name) for name in cast("Sequence[object]", mark.get("categories") or [])],
        metadata={name: value for name, value in memory.metadata.items() if name != MARK},
        importance=memory.importance, created_at=naive(memory.at), last_accessed=naive(memory.recorded.start),
        source=str(source) if source else None, private=mark.get("private") is True,
    )  # fmt: skip


def _mark(memory: Memory) -> Mapping[str, Json]:
    mark = memory.metadata.get(MARK)
    return mark if isinstance(mark, Mapping) else {}


def identity(record_id: str) -> str:
    """Return the id of the memory that a record is; CrewAI's own are UUIDs, others are made into one."""
    try:
        return clocks.parse_id(record_id).hex()
    except InputError:
        return sha256(f"{MARK} {record_id}".encode()).hexdigest()[:32]


def aware(moment: datetime) -> datetime:
    """Return a time with its zone; CrewAI's have none and mean UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def naive(moment: datetime) -> datetime:
    """Return a time as CrewAI keeps it: UTC, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)
