"""LangGraph's store, driven by the contract of all doors: a key for each memory, the text in one field."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from simonides.compat.langgraph import Store

NAMESPACE = ("memories", "ana")


class LangGraph:
    """`simonides.compat.langgraph.Store`; its search always gives the nearest, as LangGraph's own stores do."""

    gates = False
    corrects = True

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = 0

    def remember(self, text: str, at: str) -> str:
        self.keys += 1
        self.store.put(NAMESPACE, f"{self.keys}", {"text": text, "at": at})
        return f"{self.keys}"

    def recall(self, query: str) -> list[str]:
        return [item.value["text"] for item in self.store.search(NAMESPACE[:1], query=query)]

    def read(self, id: str) -> str | None:
        item = self.store.get(NAMESPACE, id)
        return None if item is None else item.value["text"]

    def correct(self, id: str, text: str) -> None:
        self.store.put(NAMESPACE, id, {"text": text})

    def forget(self, id: str) -> None:
        self.store.delete(NAMESPACE, id)


@contextmanager
def opened(path: str) -> Generator[LangGraph]:
    """Open the store in this process."""
    with Store(path, index={"fields": ["text"]}) as store:
        yield LangGraph(store)
