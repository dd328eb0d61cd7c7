"""AutoGen's `Memory` over a store of ours; knows no agent, no model and no door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from simonides.bounded import Bounded, Scoped
from simonides.errors import InputError, ModelMissing
from simonides.memory import Memory as Store
from simonides.parts.capture import strip
from simonides.types import Change, Hit, Json, Kind, Retire

try:
    from autogen_core import CancellationToken, Component
    from autogen_core.memory import (
        Memory,
        MemoryContent,
        MemoryMimeType,
        MemoryQueryResult,
        UpdateContextResult,
    )
    from autogen_core.model_context import ChatCompletionContext
    from autogen_core.models import SystemMessage, UserMessage
    from pydantic import BaseModel
except ImportError as err:
    raise ModelMissing("AutoGen", "is not installed", "", "pip install 'simonides[autogen]'.") from err

SOURCE = "autogen"
KEPT = "mime_type"
"""The attribute by which an entry is known as AutoGen's."""
AT_ONCE = 500


class SimonidesMemoryConfig(BaseModel):
    """What `dump_component` writes, and `load_component` opens again.

    Attributes:
        path: the file, or the address of a server; None is the default one.
        budget: tokens that recalled memories may take in the context.
        k: at most so many memories.
    """

    path: str | None = None
    user: str | None = None
    agent: str | None = None
    session: str | None = None
    project: str | None = None
    budget: int = 800
    k: int = 10


class SimonidesMemory(Memory, Component[SimonidesMemoryConfig]):
    """Long-term memory for `AssistantAgent(memory=[...])`.

    Before each run it puts what answers the last message of the user into the context: a dated and cited block,
    nothing when nothing fits, and no block twice. `add` keeps text word for word, without what recall had put in.
    AutoGen adds nothing by itself: whoever wants the conversation kept calls `add`.

    Args:
        memory: an open store, which stays open when this is closed; a `Bounded`, whose scope and rights then hold; or
            a path, None for the default one.
        user, agent, session, project: whose memory it is; written and searched with.
        budget: tokens that the block may take.
        k: at most so many memories.
    """

    component_type = "memory"
    component_provider_override = "simonides.compat.autogen.SimonidesMemory"
    component_config_schema = SimonidesMemoryConfig

    def __init__(
        self,
        memory: Store | Bounded | str | Path | None = None,
        *,
        user: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        project: str | None = None,
        budget: int = 800,
        k: int = 10,
    ) -> None:
        self._owned = not isinstance(memory, Store | Bounded)
        opened = memory if isinstance(memory, Store | Bounded) else Store(memory)
        self._store = opened if isinstance(opened, Bounded) else Bounded(opened)
        self._scope: Scoped = {"user": user, "agent": agent, "session": session, "project": project}
        self._budget = budget
        self._k = k

    @property
    def store(self) -> Store:
        """The store below: everything that AutoGen has no word for."""
        return self._store.memory

    async def add(self, content: MemoryContent, cancellation_token: CancellationToken | None = None) -> None:
        """Keep an entry: a text word for word, an object as JSON; its metadata can be filtered on.

        Raises:
            InputError: it is a picture or bytes, or holds nothing that can be kept.
        """
        text, form = written(content)
        if text := strip(text) if form != MemoryMimeType.JSON.value else text:
            row = {
                "text": text, "kind": Kind.NOTE, "metadata": content.metadata or {}, "source": SOURCE,
                "attributes": {KEPT: form}, **self._scope,
            }  # fmt: skip
            await asyncio.to_thread(self._store.add_many, [row])

    async def query(
        self,
        query: str | MemoryContent,
        cancellation_token: CancellationToken | None = None,
        **kwargs: Any,
    ) -> MemoryQueryResult:
        """Return the entries that answer a query, best first, none when nothing fits.

        Each has its ``id``, ``score`` (the chance that it answers), ``at`` and ``speaker`` in its metadata, beside its
        own. Takes what `Memory.search` takes by keyword, e.g. ``where=`` and ``as_of=``.
        """
        asked = cleaned(written(query)[0] if isinstance(query, MemoryContent) else query)
        if not asked:
            return MemoryQueryResult(results=[])
        within: dict[str, Any] = {"k": self._k, **self._scope, **kwargs}
        hits = await asyncio.to_thread(self._store.search, asked, **within)
        return MemoryQueryResult(results=[found(hit) for hit in hits])

    async def update_context(self, model_context: ChatCompletionContext) -> UpdateContextResult:
        """Put what answers the last message of the user into the context, as a message of the system."""
        messages = await model_context.get_messages()
        last = next((one.content for one in reversed(messages) if isinstance(one, UserMessage)), "")
        said = last if isinstance(last, str) else "\n".join(part for part in last if isinstance(part, str))
        asked = cleaned(strip(said))
        if not asked:
            return UpdateContextResult(memories=MemoryQueryResult(results=[]))
        context = await asyncio.to_thread(
            self._store.context, asked, budget=self._budget, k=self._k, **self._scope
        )
        there = {one.content for one in messages if isinstance(one, SystemMessage)}
        if str(context) and str(context) not in there:
            await model_context.add_message(SystemMessage(content=str(context)))
        return UpdateContextResult(memories=MemoryQueryResult(results=[found(hit) for hit in context]))

    async def clear(self) -> None:
        """Retire every entry of this scope that came in through AutoGen; what other doors wrote stays.

        Retired entries are in the history, and each can be restored. `Memory.erase` is for good.
        """
        await asyncio.to_thread(self._clear)

    async def close(self) -> None:
        """Close the store if it was opened here."""
        if self._owned:
            await asyncio.to_thread(self.store.close)

    def _clear(self) -> None:
        self._store.require("write")
        after, now = "", self.store.clock.now()
        while page := self._store.list(limit=AT_ONCE, after=after, **self._scope):
            after = page[-1].id
            ending: list[Change] = [
                Retire(one.id, max(now, one.at), reason="clear") for one in page if KEPT in one.attributes
            ]
            if ending:
                self.store.apply(ending)

    @classmethod
    def _from_config(cls, config: SimonidesMemoryConfig) -> Self:
        return cls(
            config.path, user=config.user, agent=config.agent, session=config.session, project=config.project,
            budget=config.budget, k=config.k,
        )  # fmt: skip

    def _to_config(self) -> SimonidesMemoryConfig:
        """Return where the memory is and whose; no key and no password is in it."""
        fixed, said = self._store.scope, self._scope
        return SimonidesMemoryConfig(
            path=str(self.store.path), user=fixed.user or said.get("user"), agent=fixed.agent or said.get("agent"),
            session=fixed.session or said.get("session"), project=fixed.project or said.get("project"),
            budget=self._budget, k=self._k,
        )  # fmt: skip


def written(content: MemoryContent) -> tuple[str, str]:
    """Return an entry as text, and its form.

    Raises:
        InputError: it is neither text nor an object.
    """
    form = content.mime_type.value if isinstance(content.mime_type, MemoryMimeType) else content.mime_type
    said = content.content
    if isinstance(said, str):
        return cleaned(said), form
    if isinstance(said, Mapping):
        try:
            return json.dumps(said, ensure_ascii=False), MemoryMimeType.JSON.value
        except (TypeError, ValueError) as err:
            raise InputError(
                "content", "must be JSON", said, "Use text, numbers, lists and objects."
            ) from err
    way_out = "Add what it shows as text; pictures and bytes are not kept here."
    raise InputError("content", "must be a text or an object", f"{type(said).__name__} ({form})", way_out)


def cleaned(text: str) -> str:
    """Return a text without what no store keeps; empty where it is blank."""
    return "" if text.isspace() else text.replace("\0", "").encode(errors="replace").decode()


def found(hit: Hit) -> MemoryContent:
    """Return a hit as AutoGen's entry."""
    memory = hit.memory
    form = str(memory.attributes.get(KEPT, MemoryMimeType.TEXT.value))
    content: str | dict[str, Any] = memory.text
    if form == MemoryMimeType.JSON.value:
        content = _object(memory.text)
    facts: dict[str, Json] = {
        **memory.metadata, "id": memory.id, "score": hit.score, "at": memory.at.isoformat(),
        "speaker": memory.speaker,
    }  # fmt: skip
    return MemoryContent(content=content, mime_type=form, metadata=facts)


def _object(text: str) -> str | dict[str, Any]:
    """Return the object that a text is; the text where somebody has corrected it into something else."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text  # pyright: ignore[reportUnknownVariableType]
