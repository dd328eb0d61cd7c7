"""A memory block for LlamaIndex's `Memory` over a store of ours; knows no model, and no other block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from simonides.bounded import Bounded, Scoped
from simonides.errors import ModelMissing
from simonides.memory import Memory as Store
from simonides.parts.capture import strip
from simonides.parts.pack import CITED, CLOSING, OPENING
from simonides.types import Kind

try:
    from llama_index.core.base.llms.types import ChatMessage, TextBlock
    from llama_index.core.bridge.pydantic import Field, PrivateAttr, field_validator
    from llama_index.core.memory import BaseMemoryBlock
    from llama_index.core.utils import get_tokenizer  # pyright: ignore[reportUnknownVariableType]
except ImportError as err:
    raise ModelMissing("LlamaIndex", "is not installed", "", "pip install 'simonides[llama-index]'.") from err

SOURCE = "llama_index"


class SimonidesMemoryBlock(BaseMemoryBlock[str]):
    """Long-term memory for `Memory.from_defaults(memory_blocks=[...])`.

    When LlamaIndex asks, it gives what answers the last message of the user: a dated and cited block, nothing when
    nothing fits. What LlamaIndex pushes out of its short-term memory it keeps word for word: who said it, in which
    session. What was recalled is taken out before, so that no memory is evidence for itself.
    """

    name: str = Field(
        default="LongTermMemory", description="The name of the block; `Memory` shows it to the model."
    )
    priority: int = Field(
        default=1, description="0: never shortened; else lower numbers are shortened first."
    )
    memory: Store | Bounded = Field(
        exclude=True, description="An open store; a `Bounded`, whose scope and rights then hold; or a path."
    )
    user: str | None = Field(default=None, description="Whose memory it is; written and searched with.")
    agent: str | None = Field(default=None, description="The agent; written and searched with.")
    project: str | None = Field(default=None, description="The project; written and searched with.")
    this_session_only: bool = Field(
        default=False, description="Recall nothing that was said in other sessions."
    )
    budget: int = Field(
        default=800, description="Tokens that the block may take, counted with our tokeniser."
    )
    k: int = Field(default=30, description="At most so many memories.")
    roles: tuple[str, ...] = Field(default=("user", "assistant"), description="Whose messages are kept.")
    _scores: dict[str, float] = PrivateAttr(default_factory=dict[str, float])

    @field_validator("memory", mode="before")
    @classmethod
    def _opened(cls, value: object) -> object:
        return Store(value) if isinstance(value, str | Path) else value

    @property
    def store(self) -> Store:
        """The store below: everything that LlamaIndex has no word for."""
        return self.memory.memory if isinstance(self.memory, Bounded) else self.memory

    async def _aget(
        self, messages: list[ChatMessage] | None = None, session_id: str | None = None, **block_kwargs: Any
    ) -> str:
        query = next(
            (said for one in reversed(messages or []) if one.role == "user" and (said := text(one))), ""
        )
        if not query:
            return ""
        within = self._scope()
        if self.this_session_only:
            within["session"] = session_id
        found = await asyncio.to_thread(self.memory.context, query, budget=self.budget, k=self.k, **within)
        self._scores = {hit.memory.id[-CITED:]: hit.score for hit in found}
        return str(found)

    async def _aput(self, messages: list[ChatMessage]) -> None:
        rows = [
            {
                "text": said,
                "kind": Kind.TURN,
                "speaker": str(one.role.value),
                "session": one.additional_kwargs.get("session_id"),
                "source": SOURCE,
                **self._scope(),
            }
            for one in messages
            if one.role.value in self.roles and (said := text(one))
        ]
        if rows:
            await asyncio.to_thread(self.memory.add_many, rows)

    async def atruncate(self, content: str, tokens_to_truncate: int) -> str | None:
        """Return the block without its least likely lines, so many of LlamaIndex's tokens shorter at least."""
        tokens = cast("Callable[[str], Sequence[object]]", get_tokenizer())
        before = len(tokens(content))
        lines = [line for line in content.split("\n") if line not in (OPENING, CLOSING)]
        worst = sorted(
            range(len(lines)), key=lambda place: (self._scores.get(cited(lines[place]), 0.0), place)
        )
        kept = {*range(len(lines))}
        for place in worst:
            kept.discard(place)
            shorter = "\n".join([OPENING, *(lines[one] for one in sorted(kept)), CLOSING])
            if kept and before - len(tokens(shorter)) >= tokens_to_truncate:
                return shorter
        return None

    def _scope(self) -> Scoped:
        return {"user": self.user, "agent": self.agent, "project": self.project}


def text(message: ChatMessage) -> str:
    """Return what was said, without what recall had put in; empty where there is no text."""
    parts = [block.text for block in message.blocks if isinstance(block, TextBlock) and block.text]
    said = strip("\n".join(parts).replace("\0", ""))
    return "" if said.isspace() else said.encode(errors="replace").decode()


def cited(line: str) -> str:
    """Return the end of the id that a line of a block names."""
    return line.rstrip("]").rpartition("[")[2]
