"""A memory for AI in one file: the public names, each imported when first asked for; knows no part by heart.

    from simonides import Memory

    memory = Memory()
    memory.add("I moved from Berlin to Lisbon.")
    memory.search("where did I move to?")

Importing this module imports nothing else: no numpy, no SQLite, no model. The nouns that are not listed here live in
`simonides.types`, the errors in `simonides.errors`. `simonides.Memory` is the object that holds a store; one version
of one memory is `simonides.types.Memory`, which calls return and nobody needs to build.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simonides.client import Client
    from simonides.clock import FrozenClock, Span
    from simonides.errors import SimonidesError
    from simonides.memory import Memory
    from simonides.memory_async import AsyncMemory
    from simonides.settings import Settings
    from simonides.types import Context, Dropped, Event, Explanation, Hit, Kind, Link, Receipt, Scope, Source

    __version__: str

_HOMES = {
    "AsyncMemory": "simonides.memory_async",
    "Client": "simonides.client",
    "Context": "simonides.types",
    "Dropped": "simonides.types",
    "Event": "simonides.types",
    "Explanation": "simonides.types",
    "FrozenClock": "simonides.clock",
    "Hit": "simonides.types",
    "Kind": "simonides.types",
    "Link": "simonides.types",
    "Memory": "simonides.memory",
    "Receipt": "simonides.types",
    "Scope": "simonides.types",
    "Settings": "simonides.settings",
    "SimonidesError": "simonides.errors",
    "Source": "simonides.types",
    "Span": "simonides.clock",
}

__all__ = [
    "AsyncMemory",
    "Client",
    "Context",
    "Dropped",
    "Event",
    "Explanation",
    "FrozenClock",
    "Hit",
    "Kind",
    "Link",
    "Memory",
    "Receipt",
    "Scope",
    "Settings",
    "SimonidesError",
    "Source",
    "Span",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        value: object = _version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return list(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("simonides")
    except PackageNotFoundError:
        return "0+uninstalled"
