"""The store of LangGraph, in memory, embedding the field `text` as its documentation shows."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from langgraph.store.memory import InMemoryStore
from protocol import Embed, serve

SPACE = ("bench",)


class LangGraph:
    """Its `SqliteStore` ranks alike but needs a Python with loadable SQLite extensions."""

    def __init__(self, _folder: Path, embed: Embed) -> None:
        """Open an empty store."""
        index = {"dims": 384, "embed": lambda texts: embed.many(texts).tolist(), "fields": ["text"]}
        self._store = InMemoryStore(index=index)

    def add(self, id: str, text: str) -> None:
        """Keep a text."""
        self._store.put(SPACE, id, {"text": text})

    def search(self, question: str, k: int) -> list[str]:
        """Return ids, best first."""
        return [item.key for item in self._store.search(SPACE, query=question, limit=k)]

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    serve(LangGraph, f"langgraph-checkpoint {version('langgraph-checkpoint')}")
