"""mem0 without a language model (`infer=False`), on its embedded qdrant, as `pip install mem0ai` gives it.

Its keyword search needs fastembed and a file from a model hub; without them it is off, and a log line says so. With
the word `bm25` on the command line, an encoder that weighs terms as that file's does is handed in, so that both sides
of its hybrid search are seen.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ["MEM0_TELEMETRY"] = "False"
os.environ.setdefault("OPENAI_API_KEY", "none")

from mem0 import Memory
from protocol import Embed, serve

USER = "bench"
K, B, LENGTH = 1.2, 0.75, 256
STOPS = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it"
    " its me my no not of on or our she so that the their them then there these they this to was we were what when"
    " where which who why will with would you your".split()
)


class Sparse(NamedTuple):
    """A text as mem0's encoder gives it."""

    indices: np.ndarray
    values: np.ndarray


class Terms:
    """Term weights of BM25 for the documents and the question; qdrant multiplies by inverse document frequencies."""

    def embed(self, texts: Iterable[str]) -> Iterator[Sparse]:
        """Yield each text's terms."""
        for text in texts:
            words = [word for word in re.findall(r"\w+", text.lower()) if word not in STOPS]
            counts = Counter(_stem(word) for word in words)
            weights = [n * (K + 1) / (n + K * (1 - B + B * len(words) / LENGTH)) for n in counts.values()]
            keys = [zlib.crc32(term.encode()) & 0x7FFFFFFF for term in counts]
            yield Sparse(np.array(keys, np.int64), np.array(weights, np.float32))


def _stem(word: str) -> str:
    import snowballstemmer

    global _stemmer
    _stemmer = _stemmer or snowballstemmer.stemmer("english")
    return _stemmer.stemWord(word)


_stemmer = None


class Table:
    """mem0's embedder, reading vectors from the task."""

    def __init__(self, embed: Embed) -> None:
        """Keep where vectors are looked up."""
        self._embed = embed

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """Return one vector."""
        return self._embed.one(text).tolist()

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        """Return several vectors."""
        return self._embed.many(texts).tolist()


class Mem0:
    """One memory on a folder of its own."""

    def __init__(self, folder: Path, embed: Embed) -> None:
        """Open an empty memory."""
        place = {"path": str(folder / "qdrant"), "on_disk": True, "embedding_model_dims": 384}
        self._memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": {**place, "collection_name": "bench"}},
                "history_db_path": str(folder / "history.db"),
            }
        )
        self._memory.embedding_model = Table(embed)
        if "bm25" in sys.argv:
            self._memory.vector_store._bm25_encoder = Terms()

    def add(self, id: str, text: str) -> None:
        """Keep a text."""
        self._memory.add(text, user_id=USER, metadata={"turn": id}, infer=False)

    def search(self, question: str, k: int) -> list[str]:
        """Return ids, best first."""
        found = self._memory.search(question, filters={"user_id": USER}, top_k=k, threshold=0.0)
        return [hit["metadata"]["turn"] for hit in found["results"]]

    def close(self) -> None:
        """Close the embedded qdrant."""
        self._memory.vector_store.client.close()


if __name__ == "__main__":
    serve(Mem0, f"mem0ai {version('mem0ai')}")
