"""Loads benchmark sets by name; knows neither how recall works nor where anybody keeps the data."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from simonides.bench.beam import read_beam
from simonides.bench.cases import Conversation, Question, Turn
from simonides.bench.letta import read_letta
from simonides.bench.locomo import read_locomo, read_realtalk
from simonides.bench.longmemeval import read_longmemeval
from simonides.bench.realmem import read_realmem
from simonides.errors import InputError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SETS", "Conversation", "Question", "Turn", "load"]

SETS: Mapping[str, Callable[[Path], tuple[Conversation, ...]]] = MappingProxyType(
    {
        "beam": read_beam,
        "letta": read_letta,
        "locomo": read_locomo,
        "longmemeval": read_longmemeval,
        "realmem": read_realmem,
        "realtalk": read_realtalk,
    }
)
"""Reader of each set by name; its docstring says what is kept and how evidence is resolved."""


def load(name: str, path: str | Path) -> tuple[Conversation, ...]:
    """Return the conversations of a set, read from its file or folder; the same each time.

    Raises:
        UnknownName: there is no set of that name.
        InputError: the path cannot be read, or what it holds has not the form of that set.
    """
    if name not in SETS:
        raise UnknownName("benchmark set", name, SETS)
    try:
        return SETS[name](Path(path))
    except (KeyError, IndexError, TypeError, AttributeError) as err:
        rule = f"does not have the form of {name}: {type(err).__name__} {err}"
        way_out = "See `simonides.bench.datasets.SETS` for the forms."
        raise InputError("benchmark data", rule, str(path), way_out) from err
