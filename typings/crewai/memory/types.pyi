from datetime import datetime
from typing import Any

class MemoryRecord:
    id: str
    content: str
    scope: str
    categories: list[str]
    metadata: dict[str, Any]
    importance: float
    created_at: datetime
    last_accessed: datetime
    embedding: list[float] | None
    source: str | None
    private: bool
    def __init__(
        self,
        *,
        id: str = ...,
        content: str,
        scope: str = ...,
        categories: list[str] = ...,
        metadata: dict[str, Any] = ...,
        importance: float = ...,
        created_at: datetime = ...,
        last_accessed: datetime = ...,
        source: str | None = ...,
        private: bool = ...,
    ) -> None: ...

class MemoryMatch:
    record: MemoryRecord
    score: float
    match_reasons: list[str]
    def __init__(
        self, *, record: MemoryRecord, score: float, match_reasons: list[str] = ..., **more: Any
    ) -> None: ...
    def format(self) -> str: ...

class ScopeInfo:
    path: str
    record_count: int
    categories: list[str]
    oldest_record: datetime | None
    newest_record: datetime | None
    child_scopes: list[str]
    def __init__(
        self,
        *,
        path: str,
        record_count: int = ...,
        categories: list[str] = ...,
        oldest_record: datetime | None = ...,
        newest_record: datetime | None = ...,
        child_scopes: list[str] = ...,
    ) -> None: ...
