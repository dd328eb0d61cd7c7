"""Models of the library sentence-transformers, when it is installed; fetches nothing and knows no store."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.errors import InputError, ModelMissing
from simonides.parts.pooled import padded, pooled_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simonides.parts.embed import States
    from simonides.types import Json

PASSAGES = ("passage", "document")
"""What the models call the prompt that goes before a text to be found."""


class SentenceReader:
    """One model by name or folder; pooled vectors only, with the model's own prompts for questions and passages.

    Args:
        name: a folder, or the name of a model that the library has already on this machine.

    Raises:
        ModelMissing: the library or the model is not here; nothing is fetched.
    """

    def __init__(self, name: str) -> None:
        if not name:
            raise InputError("model", "must name a model after st:", "st:", "Example: st:all-mpnet-base-v2.")
        try:
            import sentence_transformers  # pyright: ignore[reportMissingImports] - an extra
        except ImportError as err:
            raise ModelMissing(
                f"model st:{name}",
                "sentence-transformers is not installed",
                "",
                "pip install 'simonides[sentence-transformers]'.",
            ) from err
        library: Any = sentence_transformers
        try:
            self._model: Any = library.SentenceTransformer(name, device="cpu", local_files_only=True)
        except (OSError, ValueError) as err:
            load = f"from sentence_transformers import SentenceTransformer as S; S({name!r})"
            way_out = f"Fetch it once: python -c {load!r}."
            raise ModelMissing(f"model st:{name}", "is not on this machine", str(err), way_out) from err
        self.name = name
        self._prompts: Mapping[str, str] = dict(self._model.prompts or {})
        self._passage = next((prompt for prompt in PASSAGES if self._prompts.get(prompt)), None)
        self._query = "query" if self._prompts.get("query") else None

    def identity(self) -> Mapping[str, Json]:
        """Return name, a digest of the folder's files, dimension, normalisation and prompts."""
        folder = Path(self.name)
        prompts = [self._prompts.get(name or "", "") for name in (self._query, self._passage)]
        return {
            "name": f"st:{folder.name if folder.is_dir() else self.name}",
            "revision": _revision(folder),
            "dimension": padded(int(self._model.get_sentence_embedding_dimension())),
            "normalised": True,
            "prefix": "|".join(prompts) if any(prompts) else "",
        }

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the pooled vector of each text."""
        return self._encode([text for _, text in texts], self._passage)

    def ask(self, question: str) -> States:
        """Return the pooled vector of a question."""
        return self._encode([question], self._query)[0]

    def _encode(self, texts: list[str], prompt: str | None) -> list[States]:
        if not texts:
            return []
        found = self._model.encode(texts, prompt_name=prompt, convert_to_numpy=True, show_progress_bar=False)
        return pooled_only(found)


def _revision(folder: Path) -> str:
    """Return a digest of a folder's file names and sizes, empty for a name: fast, and enough to tell versions apart."""
    if not folder.is_dir():
        return ""
    files = sorted((str(p.relative_to(folder)), p.stat().st_size) for p in folder.rglob("*") if p.is_file())
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]
