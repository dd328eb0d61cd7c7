"""The models of the full tier by name; knows no store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.errors import UnknownName
from simonides.parts import embed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simonides.parts.embed import Reader
    from simonides.settings import Settings
    from simonides.types import Json


def identity(settings: Settings, reader: Reader | None) -> Mapping[str, Json]:
    """Return what makes the vectors of the chosen model comparable, without loading it where that can be told."""
    if reader is not None:
        return reader.identity()
    if settings.model == "minilm":
        return embed.identity()
    return open_reader(settings).identity()


def open_reader(settings: Settings) -> Reader:
    """Return the model that the settings name, loaded."""
    if settings.model == "minilm":
        return embed.MiniLM(settings.threads)
    raise UnknownName("model", settings.model, ["minilm"])
