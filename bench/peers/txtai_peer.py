"""txtai with its hybrid index (vectors and BM25, summed)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from protocol import Embed, serve
from txtai import Embeddings

FIRST = 100
"""Texts that are indexed at once to begin with: `upsert` into nothing is what `index` is for."""


class Txtai:
    """Collects its first texts, since an index starts with several; adds the others one by one."""

    def __init__(self, _folder: Path, embed: Embed) -> None:
        """Open an empty index."""

        def transform(
            texts: list[str],
        ) -> object:  # a function: of any other callable, txtai makes an instance first
            return embed.many(texts)

        self._index = Embeddings(method="external", transform=transform, hybrid=True, content=False)
        self._first: list[tuple[str, str, None]] | None = []

    def add(self, id: str, text: str) -> None:
        """Keep a text."""
        if self._first is None:
            self._index.upsert([(id, text, None)])
            return
        self._first.append((id, text, None))
        if len(self._first) == FIRST:
            self._start()

    def search(self, question: str, k: int) -> list[str]:
        """Return ids, best first."""
        if self._first is not None:
            self._start()
        return [str(id) for id, _ in self._index.search(question, k)]

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _start(self) -> None:
        self._index.index(self._first)
        self._first = None


if __name__ == "__main__":
    serve(Txtai, f"txtai {version('txtai')}")
