"""One registry class for every kind of name: lazy targets, clashes refused, near names offered; knows no entry."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from simonides.errors import InputError, UnknownName


class Registry:
    """Names that stand for objects in modules which are imported only when asked for."""

    def __init__(self, noun: str, entries: dict[str, str] | None = None) -> None:
        self.noun = noun
        self._targets: dict[str, str] = {}
        for name, target in (entries or {}).items():
            self.add(name, target)

    def add(self, name: str, target: str) -> None:
        """Register ``"module:object"`` under a name; a second entry of the same name is refused."""
        if self._targets.get(name, target) != target:
            raise InputError(f"{self.noun} {name!r}", "is registered already", self._targets[name])
        self._targets[name] = target

    def get(self, name: str) -> object:
        """Import and return what the name stands for.

        Raises:
            UnknownName: the name is not registered; the message offers the nearest one.
        """
        if name not in self._targets:
            raise UnknownName(self.noun, name, self._targets)
        module, _, attribute = self._targets[name].partition(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        return iter(sorted(self._targets))

    def __contains__(self, name: object) -> bool:
        """Tell whether the name is registered."""
        return name in self._targets
