"""The columns and lists that a process searches, following the store row by row; holds no text and writes nothing.

One document is one version row. Everything here is derived: it can be dropped and read again from the store at any
time, and another process's commit is seen by the next `follow`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.clock import FOREVER
from simonides.ledger.postings import Postings
from simonides.ledger.vectors import Vectors
from simonides.types import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from simonides.ledger.derived import Code
    from simonides.ledger.rows import Fresh
    from simonides.ledger.store import Ledger
    from simonides.types import Scope

BULK = 50_000
"""Rows read from the store at a time."""
ASKS = 1
"""Flag of a text that ends with a question mark."""


def pack_words(keys: NDArray[np.uint32], counts: NDArray[np.uint8], flags: int) -> bytes:
    """Return terms, their counts and the flags of a text as the bytes that the store keeps."""
    return keys.tobytes() + counts.tobytes() + bytes([flags])


def unpack_words(blob: bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint8], int]:
    """Return terms, counts and flags of `pack_words`; nothing of an empty or damaged one."""
    count, rest = divmod(len(blob), 5)
    if rest != 1:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint8), 0
    return np.frombuffer(blob, np.uint32, count), np.frombuffer(blob, np.uint8, count, 4 * count), blob[-1]


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Return a unit vector as int8 with its scale: dimension + 4 bytes."""
    scale = np.float32(np.abs(vector).max() / 127 or 1)
    return scale.tobytes() + np.rint(vector / scale).astype(np.int8).tobytes()


def unpack_vectors(blobs: Sequence[bytes]) -> NDArray[np.float32]:
    """Return the vectors (blobs, dimension) of `pack_vector`; all blobs must be of one length."""
    raw = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)
    return raw[:, 4:].view(np.int8).astype(np.float32) * _scales(raw)


def _scales(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.ascontiguousarray(raw[:, :4]).view(np.float32)


def _dots(raw: NDArray[np.uint8], query: NDArray[np.float32]) -> NDArray[np.float32]:
    return (raw[:, 4:].view(np.int8).astype(np.float32) @ query) * _scales(raw)[:, 0]


_COLUMNS: dict[str, type[np.integer[Any]]] = {
    "row": np.int64,
    "scope": np.int32,
    "kind": np.int16,
    "speaker": np.int32,
    "valid_from": np.int64,
    "valid_to": np.int64,
    "recorded_from": np.int64,
    "recorded_to": np.int64,
    "words": np.int32,
    "flags": np.uint8,
    "before": np.int32,
    "after": np.int32,
    "code_start": np.int64,
    "code_size": np.int32,
    "held": np.int32,
}
CODE_BYTES = 48
"""Bytes of one token code."""
CODES_HELD = 160 * 1024 * 1024
"""Bytes of token codes that a process holds; those of later memories are read from the store when they are needed."""
SCOPES_HELD = 256
"""Scopes asked for whose fitting scope numbers are kept."""
ELSEWHERE, NONE_YET = -1, -2
"""Code sizes that are no sizes: the codes are in the store only; the full tier has not read the memory yet."""


@dataclass(frozen=True, slots=True)
class Believed:
    """Which documents a search may use, besides scope: kinds, rows of a metadata filter, and the two clocks."""

    kinds: frozenset[str] | None = None
    rows: NDArray[np.int64] | None = None
    as_of: int | None = None
    known_at: int | None = None


class Index:
    """What one process knows of one store; safe for several threads through its `lock`."""

    def __init__(
        self, ledger: Ledger, model: int | None, dimension: int, role: Callable[[str], bool]
    ) -> None:
        self.lock: threading.RLock = getattr(self, "lock", None) or threading.RLock()
        self.dimension = dimension
        self.role = role
        self.words = Postings()
        self.pieces = Postings()
        self.vectors = Vectors(dimension) if model is not None else None
        self.model = model
        self.speakers: list[str] = []
        self.kinds: list[str] = []
        self.size = 0
        self._ledger = ledger
        self._columns: dict[str, NDArray[Any]] = {n: np.zeros(1024, dtype) for n, dtype in _COLUMNS.items()}
        self._names: dict[str, int] = {}
        self._kind_codes: dict[str, int] = {}
        self._scopes: list[Scope | None] = []
        self._last: dict[int, int] = {}
        self._fits: dict[tuple[tuple[str, str], ...], NDArray[np.bool_]] = {}
        self._people: list[bool] = []
        self._talkers: dict[int, set[int]] = {}
        self._pooled = np.zeros((0, dimension + 4), np.uint8)
        self._codes = np.zeros((0, CODE_BYTES), np.uint8)
        self._codes_used = 0
        self._held = 0
        self._fetched: tuple[tuple[int, ...], dict[int, Code]] = ((), {})
        self._seen: object = None
        self._epoch = ledger.epoch()
        self._seq = 0
        self._serial = 0

    def column(self, name: str) -> NDArray[Any]:
        """Return one column over all documents; a view, to be read under the lock."""
        return self._columns[name][: self.size]

    def follow(self) -> None:
        """Take in whatever any process has committed since the last call; microseconds when nothing has."""
        token = self._ledger.changed()
        if token == self._seen:
            return
        with self.lock:
            if token == self._seen:
                return
            if self._ledger.epoch() != self._epoch:
                self._forget()
            self._follow_rows()
            self._follow_closings()
            self._follow_codes()
            self._seen = token

    def _follow_rows(self) -> None:
        while True:
            after = int(self._columns["row"][self.size - 1]) if self.size else 0
            fresh = self._ledger.fresh(after, BULK)
            if fresh:
                self._follow_scopes()  # after the rows: whatever scope they are in is there by now
                self._append(fresh)
            if len(fresh) < BULK:
                return

    def _follow_scopes(self) -> None:
        for number, scope in self._ledger.scope_table(after=len(self._scopes) - 1):
            self._scopes.extend([None] * (number + 1 - len(self._scopes)))
            self._people.extend([False] * (number + 1 - len(self._people)))
            self._scopes[number] = scope

    def _append(self, fresh: Sequence[Fresh]) -> None:
        start, end = self.size, self.size + len(fresh)
        self._reserve(end)
        columns = self._columns
        for name in ("row", "scope", "valid_from", "valid_to", "recorded_from", "recorded_to"):
            columns[name][start:end] = [getattr(item, name) for item in fresh]
        columns["kind"][start:end] = [_code(item.kind, self._kind_codes, self.kinds) for item in fresh]
        columns["speaker"][start:end] = [_code(item.speaker, self._names, self.speakers) for item in fresh]
        unpacked = [unpack_words(item.words or b"") for item in fresh]
        columns["code_size"][start:end] = NONE_YET
        columns["flags"][start:end] = [flags for _, _, flags in unpacked]
        sizes = np.array([len(keys) for keys, _, _ in unpacked])
        docs = np.arange(start, end, dtype=np.int32)
        counts = np.concatenate([counts for _, counts, _ in unpacked])
        columns["words"][start:end] = np.bincount(np.repeat(np.arange(len(fresh)), sizes), counts, len(fresh))
        self.words.add_bulk(np.concatenate([keys for keys, _, _ in unpacked]), np.repeat(docs, sizes), counts)
        pieces = [
            np.frombuffer(item.tokens or b"", np.uint16, len(item.tokens or b"") // 2) for item in fresh
        ]
        many = np.concatenate(pieces).astype(np.uint32)
        self.pieces.add_bulk(many, np.repeat(docs, [len(p) for p in pieces]), np.ones(len(many), np.uint8))
        self._chain(start, end, [item.kind == Kind.TURN and item.version == 1 for item in fresh])
        self.size = end

    def _chain(self, start: int, end: int, said: list[bool]) -> None:
        """Join turns to the one before and after in their session; notes and later versions of a turn stand alone."""
        before, after = self._columns["before"], self._columns["after"]
        before[start:end] = -1
        after[start:end] = -1
        speakers = self._columns["speaker"]
        scopes: list[int] = self._columns["scope"][start:end].tolist()
        for doc, scope in enumerate(scopes, start):
            named = self._scopes[scope] if scope < len(self._scopes) else None
            if named is None or not named.session or not said[doc - start]:
                continue
            talkers = self._talkers.setdefault(scope, set())
            if int(speakers[doc]) not in talkers:
                talkers.add(int(speakers[doc]))
                self._people[scope] = len(talkers) > 1 and not any(
                    self.role(self.speakers[t]) for t in talkers
                )
            previous = self._last.get(scope)
            if previous is not None:
                before[doc] = previous
                after[previous] = doc
            self._last[scope] = doc

    def _reserve(self, end: int) -> None:
        capacity = len(self._columns["row"])
        if end > capacity:
            more = max(end, 2 * capacity) - capacity
            for name, dtype in _COLUMNS.items():
                self._columns[name] = np.concatenate([self._columns[name], np.zeros(more, dtype)])

    def _follow_closings(self) -> None:
        closed, self._seq = self._ledger.closings(self._seq)
        docs = self.docs([row for row, _ in closed])
        for doc, (_, moment) in zip(docs.tolist(), closed, strict=True):
            if doc >= 0:
                self._columns["recorded_to"][doc] = moment

    def _forget(self) -> None:
        """Start anew: derived data were dropped and are being made again."""
        model, dimension, role = self.model, self.dimension, self.role
        self.__init__(self._ledger, model, dimension, role)  # the one way that forgets no field

    def _follow_codes(self) -> None:
        if self.vectors is None or self.model is None:
            return
        while True:
            found = self._ledger.coded_since(self.model, self._serial, BULK)
            if found:
                self._serial = found[-1][0]
                docs = self.docs([row for _, row, _ in found])
                if (docs < 0).any():  # added and read since the rows were followed
                    self._follow_rows()
                    docs = self.docs([row for _, row, _ in found])
                whole = [len(blob) == self.dimension + 4 for _, _, blob in found]  # not damaged
                docs, blobs = docs[whole], [blob for (_, _, blob), ok in zip(found, whole, strict=True) if ok]
                known = docs >= 0
                if known.any():
                    self.vectors.add(docs[known].astype(np.int32), unpack_vectors(blobs)[known])
                    self._columns["code_size"][docs[known]] = ELSEWHERE
                    self._hold(docs[known])
            if len(found) < BULK:
                return

    def _hold(self, docs: NDArray[np.int64]) -> None:
        rows = self._columns["row"]
        for start in range(0, len(docs), 1000):
            if self._codes_used * CODE_BYTES >= CODES_HELD:
                return
            part = docs[start : start + 1000].tolist()
            stored = self._ledger.codes([int(rows[doc]) for doc in part], self.model or 0)
            for doc in part:
                code = stored.get(int(rows[doc]))
                if (
                    code is not None
                    and len(code.states) % CODE_BYTES == 0
                    and len(code.pooled) == self.dimension + 4
                ):
                    self._keep(doc, np.frombuffer(code.states, np.uint8).reshape(-1, CODE_BYTES), code.pooled)

    def _keep(self, doc: int, codes: NDArray[np.uint8], pooled: bytes) -> None:
        if self._held == len(self._pooled):
            more = np.zeros((max(1024, self._held), self.dimension + 4), np.uint8)
            self._pooled = np.concatenate([self._pooled, more])
        self._pooled[self._held] = np.frombuffer(pooled, np.uint8)
        self._columns["held"][doc] = self._held
        self._held += 1
        end = self._codes_used + len(codes)
        if end > len(self._codes):
            more = np.zeros((max(1024, end, len(self._codes)), CODE_BYTES), np.uint8)
            self._codes = np.concatenate([self._codes, more])
        self._codes[self._codes_used : end] = codes
        self._columns["code_start"][doc] = self._codes_used
        self._columns["code_size"][doc] = len(codes)
        self._codes_used = end

    def codes(self, docs: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the token codes of documents, one after the other, and how many each has; `NONE_YET` where none."""
        sizes = self.column("code_size")[docs].astype(np.int64)
        away = np.flatnonzero(sizes == ELSEWHERE)
        if not len(away):
            held = np.maximum(sizes, 0)
            starts = np.repeat(self.column("code_start")[docs] - (np.cumsum(held) - held), held)
            return self._codes[np.arange(int(held.sum())) + starts], sizes
        stored = self._stored(docs[away])
        parts: list[NDArray[np.uint8]] = []
        for place, (doc, size) in enumerate(zip(docs.tolist(), sizes.tolist(), strict=True)):
            if size == ELSEWHERE:
                code = stored.get(int(self._columns["row"][doc]))
                states = code.states if code is not None and len(code.states) % CODE_BYTES == 0 else b""
                parts.append(np.frombuffer(states, np.uint8).reshape(-1, CODE_BYTES))
                sizes[place] = len(parts[-1])
            elif size > 0:
                start = int(self._columns["code_start"][doc])
                parts.append(self._codes[start : start + size])
        return np.concatenate(parts) if parts else np.zeros((0, CODE_BYTES), np.uint8), sizes

    def cosines(self, docs: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of each document's pooled vector with a unit query; NaN where there is none yet."""
        sizes = self.column("code_size")[docs]
        found = np.full(len(docs), np.nan, np.float32)
        held = np.flatnonzero(sizes >= 0)
        if len(held):
            found[held] = _dots(self._pooled[self.column("held")[docs[held]]], query)
        away = np.flatnonzero(sizes == ELSEWHERE)
        if len(away):
            stored = self._stored(docs[away])
            blobs = [
                stored[row].pooled if row in stored else b""
                for row in self.column("row")[docs[away]].tolist()
            ]
            there = [i for i, blob in enumerate(blobs) if len(blob) == self.dimension + 4]
            raw = np.frombuffer(b"".join(blobs[i] for i in there), np.uint8)
            found[away[there]] = _dots(raw.reshape(len(there), self.dimension + 4), query)
        return found

    def _stored(self, docs: NDArray[np.int64]) -> dict[int, Code]:
        rows = tuple(self.column("row")[docs].tolist())
        if self._fetched[0] != rows:
            self._fetched = (rows, self._ledger.codes(rows, self.model or 0))
        return self._fetched[1]

    def people(self, docs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return 1 for documents that stand in a session where people talk to each other, else 0."""
        return (
            np.array(self._people, np.float32)[self.column("scope")[docs]]
            if self._people
            else np.zeros(len(docs), np.float32)
        )

    def docs(self, rows: Iterable[int]) -> NDArray[np.int64]:
        """Return the document of each row, -1 for rows that the index does not hold."""
        wanted = np.fromiter(rows, np.int64)
        held = self.column("row")
        if not len(held):
            return np.full(len(wanted), -1)
        at = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
        return np.where(held[at] == wanted, at, -1)

    def allowed(self, scope: dict[str, str], believed: Believed, now: int) -> NDArray[np.bool_]:
        """Return the mask of documents that a search may use; scope fields that are not named do not filter."""
        mask = self._in_time(believed, now)
        if scope:
            mask &= self._fitting(scope)[self.column("scope")]
        if believed.kinds is not None:
            codes = [code for kind, code in self._kind_codes.items() if kind in believed.kinds]
            mask &= np.isin(self.column("kind"), codes)
        if believed.rows is not None:
            mask &= np.isin(self.column("row"), believed.rows)
        return mask

    def _fitting(self, scope: dict[str, str]) -> NDArray[np.bool_]:
        """Return by scope number which scopes fit; kept from search to search, and only looked at for new scopes."""
        key = tuple(sorted(scope.items()))
        known = self._fits.pop(key, np.zeros(0, np.bool_))
        if len(known) < len(self._scopes):
            fresh = self._scopes[len(known) :]
            more = [one is not None and all(getattr(one, f) == v for f, v in key) for one in fresh]
            known = np.concatenate([known, np.array(more, np.bool_)])
        self._fits[key] = known  # last again, so that the first is the one not asked for longest
        if len(self._fits) > SCOPES_HELD:
            del self._fits[next(iter(self._fits))]
        return known

    def _in_time(self, believed: Believed, now: int) -> NDArray[np.bool_]:
        if believed.known_at is None:
            mask = self.column("recorded_to") == FOREVER
        else:
            known = believed.known_at
            mask = (self.column("recorded_from") <= known) & (known < self.column("recorded_to"))
        if believed.as_of is None:
            return mask & (self.column("valid_to") > now)
        return (
            mask & (self.column("valid_from") <= believed.as_of) & (believed.as_of < self.column("valid_to"))
        )


def _code(name: str, codes: dict[str, int], names: list[str]) -> int:
    code = codes.get(name)
    if code is None:
        code = codes[name] = len(names)
        names.append(name)
    return code
