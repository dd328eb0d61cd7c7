"""The one table of settings; reads no environment (doors do) and knows nobody who uses a setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

from simonides.errors import InputError, UnknownName

T = TypeVar("T")
Plain = bool | int | float | str


def setting(default: T, help_: str, choices: tuple[str, ...] = ()) -> T:
    """Declare one setting; the help is what `simonides where --settings` and the docs print."""
    return field(default=default, metadata={"help": help_, "choices": choices})


@dataclass(frozen=True, slots=True)
class Settings:
    """How a store behaves. Each can be set by keyword, or in the environment as ``SIMONIDES_<NAME>``."""

    meaning: str = setting(
        "full",
        "How meaning is read: full (MiniLM), instant (static table only) or off.",
        ("full", "instant", "off"),
    )
    model: str = setting("minilm", "Name of the full-tier model, see `simonides model list`.")
    synchronous: str = setting(
        "full",
        "Durability of SQLite commits: full survives power loss, normal survives kill -9.",
        ("full", "normal"),
    )
    busy_seconds: float = setting(30.0, "How long to wait for another process's write lock.")
    gate: float = setting(-1.0, "Refusal threshold in [0, 1]; -1 uses the calibrated one of the fusion.")
    fusion: str = setting("learned", "How signals are summed: learned or hand.", ("learned", "hand"))
    background: bool = setting(True, "Compute the full tier in the background of the writing process.")
    threads: int = setting(1, "Threads of the full-tier model.")
    max_text_bytes: int = setting(16 * 1024 * 1024, "Longest text that one memory may hold, in UTF-8 bytes.")
    endpoint: str = setting("", "URL of an OpenAI-compatible embeddings endpoint, for model = openai:<name>.")
    endpoint_key: str = setting("", "Key for that endpoint; never stored.")

    def __post_init__(self) -> None:
        for item in fields(self):
            choices = item.metadata["choices"]
            value = getattr(self, item.name)
            if choices and value not in choices:
                raise InputError(f"setting {item.name}", f"must be one of {', '.join(choices)}", repr(value))

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
        raise InputError(f"setting {name}", f"must be {kind.__name__}", repr(text)) from err
