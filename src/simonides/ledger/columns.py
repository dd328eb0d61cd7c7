"""What an index knows of each document besides its words and codes, and of each scope; holds no text of a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.clock import FOREVER
from simonides.ledger.growing import Growing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from simonides.types import Scope

    Docs = NDArray[np.int64]

COLUMNS: dict[str, type[np.integer[Any]]] = {
    "row": np.int64,
    "scope": np.int32,
    "kind": np.int16,
    "speaker": np.int32,
    "valid_from": np.int64,
    "valid_to": np.int64,
    "recorded_from": np.int64,
    "recorded_to": np.int64,
    "born": np.int64,
    "expires": np.int64,
    "words": np.int32,
    "flags": np.uint8,
    "before": np.int32,
    "after": np.int32,
    "code_start": np.int64,
    "code_size": np.int32,
    "held": np.int32,
}
FIELDS = ("user", "agent", "session", "project")
ASTRAY = 1 << 16
"""So many documents may come before the lists of documents by scope are made anew."""


class Columns:
    """One array for each column over all documents, by name."""

    def __init__(self) -> None:
        self.held = {name: Growing.of(dtype) for name, dtype in COLUMNS.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column; a view, to be read under the lock of the index."""
        return self.held[name].all

    def __len__(self) -> int:
        """Return how many documents there are."""
        return self.held["row"].size

    def extend(self, values: Mapping[str, int | Sequence[int] | NDArray[Any]], many: int) -> None:
        """Add documents; columns that are not given are 0."""
        for name, column in self.held.items():
            column.grow(column.size + many)[column.size - many :] = values.get(name, 0)

    def docs(self, rows: Iterable[int]) -> Docs:
        """Return the document of each row, -1 for rows that there are none of."""
        wanted = np.fromiter(rows, np.int64)
        held = self["row"]
        if not len(held):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
        return np.where(held[at] == wanted, at, -1)

    def open(self, docs: Docs | slice, now: int) -> NDArray[np.bool_]:
        """Tell of documents whether they are believed now, have not ended at `now` and have not expired."""
        ends = np.minimum(self["valid_to"][docs], self["expires"][docs])
        return (self["recorded_to"][docs] == FOREVER) & (ends > now)


class Names:
    """Names and the numbers that stand for them, in the order in which they came."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self.codes = {name: code for code, name in enumerate(self.names)}

    def code(self, name: str) -> int:
        """Return the number of a name, a new one for a new name."""
        code = self.codes.get(name)
        if code is None:
            code = self.codes[name] = len(self.names)
            self.names.append(name)
        return code

    def coded(self, names: Sequence[str]) -> list[int]:
        """Return the number of each name."""
        known = self.codes
        return [known[name] if name in known else self.code(name) for name in names]


class Scopes:
    """The scopes of a store by number, and which documents are in each."""

    def __init__(self) -> None:
        self.names = [Names() for _ in FIELDS]
        self.fields = Growing.of(np.int32, len(FIELDS))
        self.last = Growing.of(np.int32)  # the newest turn of a session
        self.people = Growing.of(np.bool_)  # people talk to each other in it
        self.order = np.zeros(0, np.int32)  # documents by scope
        self.offsets = np.zeros(1, np.int64)  # where each scope's documents lie in `order`

    def __len__(self) -> int:
        """Return one more than the greatest number."""
        return self.fields.size

    def extend(self, table: Sequence[tuple[int, Scope]]) -> None:
        """Take in scopes with greater numbers than those known."""
        if not table:
            return
        known, end = len(self), table[-1][0] + 1
        numbers = [number for number, _ in table]
        fields = self.fields.grow(end)
        fields[known:] = -1
        for place, (name, names) in enumerate(zip(FIELDS, self.names, strict=True)):
            fields[numbers, place] = names.coded([getattr(scope, name) for _, scope in table])
        self.last.grow(end)[known:] = -1
        self.people.grow(end)[known:] = False

    def sessions(self) -> NDArray[np.bool_]:
        """Tell by number which scopes are sessions."""
        place = FIELDS.index("session")
        held = self.fields.all[:, place]
        return (held >= 0) & (held != self.names[place].codes.get("", -1))

    def fitting(self, scope: Mapping[str, str]) -> NDArray[np.bool_]:
        """Tell by number which scopes have these fields."""
        fits = self.fields.all[:, 0] >= 0
        for name, value in scope.items():
            place = FIELDS.index(name)
            fits &= self.fields.all[:, place] == self.names[place].codes.get(value, -2)
        return fits

    def arrange(self, scope: NDArray[np.int32]) -> None:
        """Make the lists of documents by scope anew, from the column."""
        self.order = np.argsort(scope, kind="stable").astype(np.int32)
        self.offsets = np.concatenate(
            [np.zeros(1, np.int64), np.cumsum(np.bincount(scope, minlength=len(self)))]
        )

    def docs(self, fits: NDArray[np.bool_], scope: NDArray[np.int32], most: int) -> Docs | None:
        """Return the documents of scopes in ascending order; None if they are more than `most`.

        Args:
            fits: by number, which scopes.
            scope: the column.
        """
        if len(scope) - len(self.order) > ASTRAY:
            self.arrange(scope)
        arranged = len(self.offsets) - 1
        numbers = np.flatnonzero(fits[:arranged])
        starts, ends = self.offsets[numbers], self.offsets[numbers + 1]
        if int((ends - starts).sum()) > most:
            return None
        numbers = numbers[ends > starts]
        if len(numbers) > most:
            return None
        parts = [
            self.order[start:end]
            for start, end in zip(
                self.offsets[numbers].tolist(), self.offsets[numbers + 1].tolist(), strict=True
            )
        ]
        late = np.flatnonzero(fits[scope[len(self.order) :]]) + len(self.order)
        docs = np.sort(np.concatenate([*parts, late])).astype(np.int64)
        return docs if len(docs) <= most else None
