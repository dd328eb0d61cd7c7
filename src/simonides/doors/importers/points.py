"""Reads the points that Qdrant keeps in a folder of its own, without running what is in it; knows no format of payload.

Each point is a pickle, and a pickle may name any function. So no pickle is loaded here: its steps are read one by one,
and only those that make plain values are followed. One that asks for a function is a problem, and nothing of it runs.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from simonides.doors.importers.reading import Found, string
from simonides.doors.importers.record import Problem
from simonides.doors.importers.sqlite_file import DAMAGE, connected, is_sqlite
from simonides.types import Json

STORAGE = "storage.sqlite"
DEEPEST, MOST = 60, 200_000
"""Levels of a payload, and values in it; more are no memory."""
CLASSES = ("PointStruct", "SparseVector")
"""Qdrant's own, of which a point is made."""


class _Shell:
    """What stands for a point or its class: it takes its state and does nothing."""

    def __init__(self) -> None:
        self.state: object = None


_MARK = object()
_PUSHED = frozenset(
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE SHORT_BINUNICODE "
    "BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 SHORT_BINSTRING BINSTRING STRING".split()
)
_FIXED: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PASSED = frozenset(("PROTO", "FRAME"))


@dataclass(slots=True)
class _Machine:
    """Follows the steps of a pickle that make plain values."""

    stack: list[Any] = field(default_factory=list[Any])
    memo: dict[int, Any] = field(default_factory=dict[int, Any])

    def run(self, raw: bytes) -> object:
        """Return what the pickle makes; ValueError for what makes anything but plain values and points."""
        for code, given, _ in pickletools.genops(raw):
            if code.name == "STOP":
                return self.stack.pop()
            if code.name in _PUSHED:
                self.stack.append(_FIXED.get(code.name, given))
            elif code.name not in _PASSED:
                self._step(code.name, given)
        raise ValueError("it does not end")

    def _step(self, name: str, given: object) -> None:
        stack, memo = self.stack, self.memo
        match name:
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST" | "EMPTY_SET" | "EMPTY_TUPLE":
                stack.append([])
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[cast("int", given)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[cast("int", given)])
            case "APPEND":
                self._into([stack.pop()])
            case "APPENDS" | "ADDITEMS":
                self._into(self._marked())
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                stack[-1][key] = value
            case "SETITEMS":
                items = self._marked()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case _:
                self._made(name, given)

    def _made(self, name: str, given: object) -> None:
        stack = self.stack
        match name:
            case "TUPLE" | "LIST" | "FROZENSET":
                stack.append(self._marked())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                many = int(name[-1])
                stack[-many:] = [stack[-many:]]
            case "STACK_GLOBAL":
                found, module = stack.pop(), stack.pop()
                stack.append(_class(module, found))
            case "GLOBAL":
                stack.append(_class(*str(given).split(" ", 1)))
            case "NEWOBJ":
                stack.pop()
                if not isinstance(stack.pop(), _Shell):
                    raise ValueError("it makes something that is no point")
                stack.append(_Shell())
            case "BUILD":
                state = stack.pop()
                cast("_Shell", stack[-1]).state = state
            case _:
                raise ValueError(f"it asks for {name}, which could run something")

    def _into(self, values: list[Any]) -> None:
        held = self.stack[-1]
        if not isinstance(held, list):
            raise TypeError("it appends to what is no list")
        cast("list[Any]", held).extend(values)

    def _marked(self) -> list[Any]:
        """Return what lies above the last mark."""
        at = next(place for place in range(len(self.stack) - 1, -1, -1) if self.stack[place] is _MARK)
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values


def _class(module: object, name: object) -> _Shell:
    if not isinstance(module, str) or module.split(".", 1)[0] != "qdrant_client" or name not in CLASSES:
        raise ValueError(f"it names {module}.{name}, which is no point")
    return _Shell()


def storages(path: Path) -> list[Path]:
    """Return the files of points in a folder, one for each collection."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob(STORAGE) if is_sqlite(file))


def points(file: Path) -> Iterator[Found | Problem]:
    """Yield the payload of each point, with its id as `id`."""
    number = 0
    try:
        with connected(file) as connection:
            for number, (raw,) in enumerate(connection.execute("SELECT point FROM points ORDER BY rowid"), 1):
                yield _point(f"{file.parent.name} point {number}", raw)
    except DAMAGE as err:
        yield Problem(f"{file.parent.name} point {number + 1}", f"cannot be read: {err}")


def _point(where: str, raw: object) -> Found | Problem:
    try:
        shell = _Machine().run(cast("bytes", raw))
        state = _table(shell.state if isinstance(shell, _Shell) else None)
        held = _table(state.get("__dict__", state))  # pydantic 2, and 1
        payload = _Plain().json(held.get("payload"))
    except (ValueError, TypeError, LookupError, AttributeError, StopIteration, OverflowError) as err:
        return Problem(where, f"is no point that can be read: {err or type(err).__name__}")
    if not isinstance(payload, dict):
        return Problem(where, "has no payload")
    return Found(where, {**payload, "id": string(_Plain().json(held.get("id")))})


def _table(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


@dataclass(slots=True)
class _Plain:
    """Turns what a pickle made into JSON; a value may hold itself, so it is counted."""

    left: int = MOST

    def json(self, value: object, depth: int = 0) -> Json:
        """Return a value as JSON; ValueError for one that is too large."""
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise ValueError("it is nested too deeply, or too large")
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, dict):
            given = cast("dict[object, object]", value)
            return {str(key): self.json(part, depth + 1) for key, part in given.items()}
        if isinstance(value, list):
            return [self.json(part, depth + 1) for part in cast("list[object]", value)]
        return type(value).__name__
