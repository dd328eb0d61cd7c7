"""The one table of settings; reads no environment (doors do) and knows nobody who uses a setting."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

from simonides.errors import InputError, UnknownName

T = TypeVar("T")
Plain = bool | int | float | str


def setting(
    default: T,
    help_: str,
    choices: tuple[str, ...] = (),
    *,
    least: float | None = None,
    most: float = sys.maxsize,
) -> T:
    """Declare one setting; the help is what `simonides where --settings` and the docs print.

    Args:
        least: the smallest number that makes sense, `most` the largest; None for what is no number.
    """
    return field(default=default, metadata={"help": help_, "choices": choices, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """How a store behaves. Each can be set by keyword, or in the environment as ``SIMONIDES_<NAME>``."""

    meaning: str = setting(
        "full",
        "How meaning is read: full (MiniLM), instant (static table only) or off.",
        ("full", "instant", "off"),
    )
    model: str = setting(
        "auto",
        "Name of the full-tier model, see `simonides model list`; auto is the store's own, minilm in a new one.",
    )
    synchronous: str = setting(
        "full",
        "Durability of SQLite commits: full survives power loss, normal survives kill -9.",
        ("full", "normal"),
    )
    busy_seconds: float = setting(
        30.0, "How long to wait for another process's write lock.", least=0, most=86_400
    )
    tenant: str = setting(
        "", "PostgreSQL: whose memories; empty is the tenant that the role is bound to, else `default`."
    )
    statement_seconds: float = setting(
        120.0, "PostgreSQL: the longest that one statement may take.", least=0.001, most=86_400
    )
    pool_size: int = setting(
        8, "PostgreSQL: most connections of one process to one store.", least=1, most=10_000
    )
    max_staleness: float = setting(
        0.0,
        "PostgreSQL: seconds that a server which follows another may be behind and still answer; 0 allows any.",
        least=0,
    )
    gate: float = setting(
        -1.0, "Refusal threshold in [0, 1]; -1 uses the calibrated one of the fusion.", least=-1, most=1
    )
    fusion: str = setting("learned", "How signals are summed: learned or hand.", ("learned", "hand"))
    background: bool = setting(True, "Compute the full tier in the background of the writing process.")
    threads: int = setting(1, "Threads of the full-tier model.", least=1, most=1024)
    max_text_bytes: int = setting(
        16 * 1024 * 1024, "Longest text that one memory may hold, in UTF-8 bytes.", least=1, most=500_000_000
    )
    endpoint: str = setting("", "URL of an OpenAI-compatible embeddings endpoint, for model = openai:<name>.")
    endpoint_key: str = setting("", "Key for that endpoint; never stored.")
    endpoint_price: float = setting(0.0, "What 1,000 tokens cost at that endpoint, in your money.", least=0)
    daily_calls: int = setting(
        0, "Most model calls that leave the machine in a day (UTC); 0 is no limit.", least=0
    )
    daily_cost: float = setting(0.0, "Most money that they may cost in a day (UTC); 0 is no limit.", least=0)
    backlog_hours: float = setting(24.0, "A job that has waited longer turns `doctor` red.", least=0)
    failure_share: float = setting(
        0.5,
        "A larger share of failed model calls today turns `doctor` red (from 10 calls).",
        least=0,
        most=1,
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            choices = item.metadata["choices"]
            value = getattr(self, item.name)
            if choices and value not in choices:
                raise InputError(f"setting {item.name}", f"must be one of {', '.join(choices)}", repr(value))
            least, most = item.metadata["least"], item.metadata["most"]
            if least is not None and not (isinstance(value, int | float) and least <= value <= most):
                bounds = f"from {least:g} to {most:g}" if most < sys.maxsize else f"of at least {least:g}"
                raise InputError(f"setting {item.name}", f"must be a number {bounds}", repr(value))

    def with_strings(self, given: Mapping[str, str]) -> Settings:
        """Return a copy with settings given as text, as a door reads them from the environment or a flag."""
        known = {item.name: item for item in fields(self)}
        values: dict[str, Any] = {}
        for name, text in given.items():
            if name not in known:
                raise UnknownName("setting", name, known)
            values[name] = _convert(name, text, type(cast("Plain", known[name].default)))
        return replace(self, **values)


def _convert(name: str, text: str, kind: type[Plain]) -> Plain:
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise InputError(f"setting {name}", "must be true or false", repr(text))
    try:
        return kind(text)
    except ValueError as err:
        what = "a whole number" if kind is int else "a number"
        raise InputError(f"setting {name}", f"must be {what}", repr(text)) from err
