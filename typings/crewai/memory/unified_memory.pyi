from typing import Any, Literal

from crewai.memory.types import MemoryMatch, MemoryRecord

class Memory:
    read_only: bool
    root_scope: str | None
    default_importance: float
    storage: Any
    embedder: Any
    def __init__(self, **settings: Any) -> None: ...
    def extract_memories(self, content: str) -> list[str]: ...
    def remember(
        self,
        content: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,
        *,
        agent_role: str | None = None,
        root_scope: str | None = None,
    ) -> MemoryRecord | None: ...
    def remember_many(
        self,
        contents: list[str],
        scope: str | None = None,
        categories: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        importance: float | None = None,
        source: str | None = None,
        private: bool = False,
        *,
        agent_role: str | None = None,
        root_scope: str | None = None,
    ) -> list[MemoryRecord]: ...
    def recall(
        self,
        query: str,
        scope: str | None = None,
        categories: list[str] | None = None,
        limit: int = 10,
        depth: Literal["shallow", "deep"] = "deep",
        source: str | None = None,
        include_private: bool = False,
    ) -> list[MemoryMatch]: ...
    def close(self) -> None: ...
