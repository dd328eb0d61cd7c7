"""The columns and lists that a process searches, following the store row by row; holds no text and writes nothing.

One document is one version row. Everything here is derived: it can be dropped and read again from the store at any
time, and another process's commit is seen by the next `follow`. What was read can be saved beside the store
(`saving`), so that the next process need not read it all again.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.clock import FOREVER
from simonides.errors import StoreUnusable
from simonides.ledger.columns import FIELDS, Columns, Names, Scopes
from simonides.ledger.forward import Forward, pack_gain
from simonides.ledger.growing import spare
from simonides.ledger.held import (
    CODE_BYTES,
    CODES_HELD,
    ELSEWHERE,
    NONE_YET,
    Held,
    pack_vector,
    unpack_vectors,
)
from simonides.ledger.masks import Masks, Usable
from simonides.ledger.postings import Postings
from simonides.ledger.saving import WORTH, Saver
from simonides.ledger.vectors import Vectors
from simonides.types import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simonides.ledger.rows import Fresh
    from simonides.ledger.store import Ledger
    from simonides.types import Rule

    Docs = NDArray[np.int64]

__all__ = [
    "ASKS", "CODES_HELD", "CODE_BYTES", "ELSEWHERE", "NONE_YET", "Believed", "Index", "Position", "pack_vector",
    "pack_words", "unpack_vectors", "unpack_words",
]  # fmt: skip

BULK = 50_000
"""Rows read from the store at a time."""
FEW = 6_000
"""So many documents or fewer are named by number, and searched by what each of them holds."""
ASKS = 1
"""Flag of a text that ends with a question mark."""
SECOND = 1_000_000
GONE = 0
"""When what was erased has expired: long ago, at any present."""


def pack_words(keys: NDArray[np.uint32], counts: NDArray[np.uint8], flags: int) -> bytes:
    """Return terms, their counts and the flags of a text as the bytes that the store keeps."""
    return keys.tobytes() + counts.tobytes() + bytes([flags])


def unpack_words(blob: bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint8], int]:
    """Return terms, counts and flags of `pack_words`; nothing of an empty or damaged one."""
    count, rest = divmod(len(blob), 5)
    if rest != 1:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint8), 0
    return np.frombuffer(blob, np.uint32, count), np.frombuffer(blob, np.uint8, count, 4 * count), blob[-1]


def unpack_many(
    blobs: Sequence[bytes | None],
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return of many what `unpack_words` does of one: how many terms each has, all terms, all counts, the flags."""
    whole = [blob if blob is not None and len(blob) % 5 == 1 else b"\0" for blob in blobs]
    raw = np.frombuffer(b"".join(whole), np.uint8)
    sizes = np.array([len(blob) for blob in whole], np.int64) // 5
    lengths = np.stack([4 * sizes, sizes, np.ones_like(sizes)], axis=1).ravel()
    parts = np.repeat(np.tile(np.arange(3, dtype=np.uint8), len(whole)), lengths)
    return sizes, np.ascontiguousarray(raw[parts == 0]).view(np.uint32), raw[parts == 1], raw[parts == 2]


@dataclass(frozen=True, slots=True)
class Believed:
    """Which documents a search may use, besides scope: kinds, rows of a metadata filter, and the two clocks."""

    kinds: frozenset[str] | None = None
    rows: NDArray[np.int64] | None = None
    as_of: int | None = None
    known_at: int | None = None


@dataclass(slots=True)
class Position:
    """How far an index has followed its store: the last number of each kind that it took in."""

    epoch: int = 0
    seq: int = 0
    serial: int = 0
    erased: int = 0
    expiry: int = 0
    rules: int = 0


class Index:
    """What one process knows of one store; safe for several threads through its `lock`.

    Args:
        ledger: the store.
        model: the number of the model whose codes are searched, None for none.
        dimension: of the model's vectors.
        role: tells of a speaker's name whether it is a role, such as `assistant`, and no person.
        cache: the folder that the index is saved in, None for not saving it.

    Attributes:
        few: so many documents or fewer are named by number.
        worth: documents that must be new before it is worth to save.
    """

    def __init__(
        self,
        ledger: Ledger,
        model: int | None,
        dimension: int,
        role: Callable[[str], bool],
        cache: Path | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.ledger = ledger
        self.model = model
        self.dimension = dimension
        self.role = role
        self.few = FEW
        self.worth = WORTH
        self._seen: object = None
        self._saver = None if cache is None else Saver(self, cache)
        self.clear()

    def clear(self) -> None:
        """Start anew, knowing nothing."""
        self.columns = Columns()
        self.scopes = Scopes()
        self.words, self.pieces = Postings(), Postings()
        self.terms, self.tokens = Forward(np.uint32, counted=True), Forward(np.uint16, counted=False)
        self.vectors = None if self.model is None else Vectors(self.dimension)
        self.held = Held(self.ledger, self.model or 0, self.dimension, self.columns)
        self.masks = Masks(self.columns)
        self.position = Position(epoch=self.ledger.epoch())
        self._speakers, self._kinds = Names(), Names()
        self._rules: list[Rule] = []
        self._talkers: dict[int, set[int]] = {}
        self._scratch = np.zeros((2, 0), np.uint16)

    @property
    def size(self) -> int:
        """How many documents there are."""
        return len(self.columns)

    @property
    def speakers(self) -> list[str]:
        """Names by the numbers of the column `speaker`."""
        return self._speakers.names

    @property
    def kinds(self) -> list[str]:
        """Names by the numbers of the column `kind`."""
        return self._kinds.names

    def named(self, speakers: Sequence[str], kinds: Sequence[str]) -> None:
        """Take the names of the columns `speaker` and `kind`, as `saving` found them."""
        self._speakers, self._kinds = Names(speakers), Names(kinds)

    def column(self, name: str) -> NDArray[Any]:
        """Return one column over all documents; a view, to be read under the lock."""
        return self.columns[name]

    @contextmanager
    def scratch(self) -> Generator[tuple[NDArray[np.uint16], NDArray[np.uint16]]]:
        """Give two arrays (documents,) of small numbers, all 0, under the lock; the second must be all 0 at the end."""
        arrays = self._scratch
        if arrays.shape[1] < self.size:
            arrays = np.zeros((2, spare(self.size)), np.uint16)
        self._scratch = np.zeros((2, 0), np.uint16)  # after an error anything may be in it
        yield arrays[0, : self.size], arrays[1, : self.size]
        arrays[0, : self.size].fill(0)
        self._scratch = arrays

    # Following

    def follow(self) -> None:
        """Take in whatever any process has committed since the last call; microseconds when nothing has."""
        token = self.ledger.changed()
        if token == self._seen:
            return
        self.follow_on()
        if self._saver is not None:
            self._saver.consider()

    def follow_on(self) -> None:
        """Do what `follow` does, and save nothing."""
        token = self.ledger.changed()
        with self.lock:
            if token == self._seen:
                return
            if self._seen is None and self._saver is not None and not self.size:
                self._saver.load()
            counters = self.ledger.counters()
            if counters["epoch"] != self.position.epoch:
                self.clear()
                if self._saver is not None:
                    self._saver.spoil()
            self._follow_rows()
            self._follow_closings()
            if counters["expiry"] > self.position.expiry:
                self._follow_expiries()
            if counters["rules"] != self.position.rules:
                self._follow_rules(counters["rules"])
            if counters["serial"] > self.position.serial:
                self._follow_codes(counters["serial"])
            # Last, so that what was taken in before it was erased goes too.
            if counters["erased"] > self.position.erased:
                self._follow_erased()
            self._seen = token

    def close(self) -> None:
        """Save what is worth it, and wait until that is done."""
        if self._saver is not None:
            self._saver.close()

    def anew(self) -> None:
        """Start anew from what was saved; what was held in memory lies in the files then."""
        with self.lock:
            self.clear()
            self._seen = None
            self.follow_on()

    def distrust(self) -> bool:
        """Hear that what is held makes no sense, and start anew from the store; False if that would change nothing."""
        if self._saver is None or not self.held.mapped:
            return False
        self._saver.distrust()
        self.anew()
        return True

    def _follow_rows(self) -> None:
        while True:
            after = int(self.columns["row"][-1]) if self.size else 0
            fresh = self.ledger.fresh(after, BULK)
            if fresh:
                # After the rows: whatever scope they are in is there by now.
                self.scopes.extend(self.ledger.scope_table(after=len(self.scopes) - 1))
                self._append(fresh)
            if len(fresh) < BULK:
                return

    def _append(self, fresh: Sequence[Fresh]) -> None:
        try:
            self._take(fresh)
        except (TypeError, ValueError, OverflowError) as err:
            self.clear()  # a part of them may be in
            self._seen = None
            broken = next((item.row for item in fresh if not _is_whole(item)), None)
            if broken is None:  # a mistake of ours, which nobody should take for damage
                raise
            rule, way_out = "is damaged", "Run `simonides doctor`, then copy back a backup."
            raise StoreUnusable(f"row {broken!r} of the store", rule, "", way_out) from err

    def _take(self, fresh: Sequence[Fresh]) -> None:
        start, end = self.size, self.size + len(fresh)
        (row, scope, kind, speaker, valid_from, valid_to, recorded_from, recorded_to, words, tokens, _, version,
         expires, born) = zip(*fresh, strict=True)  # fmt: skip
        sizes, keys, counts, flags = unpack_many(words)
        docs = np.arange(start, end, dtype=np.int32)
        owners = np.repeat(docs, sizes)
        length = np.bincount(owners - start, counts, len(fresh)).astype(np.int32)
        self.columns.extend(
            {
                "row": row, "scope": scope, "kind": self._kinds.coded(kind), "speaker": self._speakers.coded(speaker),
                "valid_from": valid_from, "valid_to": valid_to, "recorded_from": recorded_from,
                "recorded_to": recorded_to, "born": born, "expires": expires, "words": length,
                "flags": flags, "before": -1, "after": -1, "code_size": NONE_YET,
            },
            len(fresh),
        )  # fmt: skip
        self.words.add_bulk(keys, owners, pack_gain(counts, length[owners - start]))
        self.terms.extend(sizes, keys, counts)
        blobs = [blob if blob is not None and len(blob) % 2 == 0 else b"" for blob in tokens]
        many = np.frombuffer(b"".join(blobs), np.uint16)
        sizes = np.array([len(blob) for blob in blobs], np.int64) // 2
        self.pieces.add_bulk(many.astype(np.uint32), np.repeat(docs, sizes))
        self.tokens.extend(sizes, many)
        self._chain(start, [k == Kind.TURN and v == 1 for k, v in zip(kind, version, strict=True)])
        if self._rules:
            self._expire(np.arange(start, end))

    def _chain(self, start: int, said: Sequence[bool]) -> None:
        """Join turns to the one before and after in their session; notes and later versions of a turn stand alone."""
        scope, before, after = (self.columns[name] for name in ("scope", "before", "after"))
        turns = start + np.flatnonzero(said)
        turns = turns[self.scopes.sessions()[scope[turns]]]
        last = self.scopes.last.all
        speakers = self.columns["speaker"][turns].tolist()
        for doc, number, speaker in zip(turns.tolist(), scope[turns].tolist(), speakers, strict=True):
            talkers = self._talkers.get(number)
            if talkers is None:
                talkers = self._talkers[number] = self._talked(number)
            if speaker not in talkers:
                talkers.add(speaker)
                self.scopes.people.all[number] = len(talkers) > 1 and not any(
                    self.role(self.speakers[one]) for one in talkers
                )
            previous = last[number]
            if previous >= 0:
                before[doc] = previous
                after[previous] = doc
            last[number] = doc

    def _talked(self, scope: int) -> set[int]:
        """Return who spoke in a session whose turns are known."""
        found: set[int] = set()
        doc = int(self.scopes.last.all[scope])
        while doc >= 0:
            found.add(int(self.columns["speaker"][doc]))
            doc = int(self.columns["before"][doc])
        return found

    def _follow_closings(self) -> None:
        closed, self.position.seq = self.ledger.closings(self.position.seq)
        docs = self.docs([row for row, _ in closed])
        known = docs >= 0
        self.columns["recorded_to"][docs[known]] = np.array([at for _, at in closed], np.int64)[known]
        self.masks.change(docs[known])

    def _follow_codes(self, newest: int) -> None:
        """Take in the codes of our model; those that are being made of another one are passed over once."""
        if self.vectors is None or self.model is None:
            return
        while True:
            found = self.ledger.coded_since(self.model, self.position.serial, BULK)
            if found:
                docs = self.docs([row for _, row, _ in found])
                if (docs < 0).any():  # added and read since the rows were followed
                    self._follow_rows()
                    docs = self.docs([row for _, row, _ in found])
                whole = [len(blob) == self.dimension + 4 for _, _, blob in found]  # not damaged
                docs, blobs = docs[whole], [blob for (_, _, blob), ok in zip(found, whole, strict=True) if ok]
                known = docs >= 0
                if known.any():
                    self.vectors.add(docs[known].astype(np.int32), unpack_vectors(blobs)[known])
                    self.held.take(docs[known])
                self.position.serial = found[-1][0]
            if len(found) < BULK:
                self.position.serial = max(self.position.serial, newest)
                return

    def _follow_expiries(self) -> None:
        found = self.ledger.expiries(self.position.expiry)
        docs = self.docs([row for _, row, _ in found])
        known = docs >= 0
        self.columns["expires"][docs[known]] = np.array([at for _, _, at in found], np.int64)[known]
        self.position.expiry = max([self.position.expiry, *(serial for serial, _, _ in found)])
        self._expire(docs[known])
        self.masks.change(docs[known])

    def _follow_rules(self, number: int) -> None:
        self._rules = self.ledger.rules()
        self.position.rules = number
        expires = self.columns["expires"]
        docs = np.flatnonzero(expires != GONE)
        expires[docs] = FOREVER
        found = self.ledger.expiries(0)
        ended = self.docs([row for _, row, _ in found])
        self.columns["expires"][ended[ended >= 0]] = np.array([at for _, _, at in found], np.int64)[
            ended >= 0
        ]
        self._expire(docs)
        self.masks.forget()

    def _expire(self, docs: Docs) -> None:
        """Let documents expire when a retention rule says so, unless they do before."""
        expires, born, scope = (self.columns[name] for name in ("expires", "born", "scope"))
        for rule in self._rules:
            asked = {name: value for name in FIELDS if (value := getattr(rule.scope, name))}
            fits = self.scopes.fitting(asked)[scope[docs]]
            if rule.kind:
                fits &= self.columns["kind"][docs] == self._kinds.codes.get(rule.kind, -1)
            ruled = docs[fits]
            expires[ruled] = np.minimum(expires[ruled], born[ruled] + rule.seconds * SECOND)

    def _follow_erased(self) -> None:
        found = self.ledger.erased(self.position.erased)
        docs = self.docs([row for _, row in found])
        docs = docs[docs >= 0]
        self.position.erased = max([self.position.erased, *(serial for serial, _ in found)])
        if not len(docs):
            return
        gone = np.zeros(self.size, np.bool_)
        gone[docs] = True
        self.words.drop(gone)
        self.pieces.drop(gone)
        self.terms.drop(docs)
        self.tokens.drop(docs)
        if self.vectors is not None:
            self.vectors.drop(docs)
        self.held.drop(docs)
        self._unchain(docs)
        self.columns["expires"][docs] = GONE
        for name in ("flags", "speaker"):  # how many words it had stays, for `masks` to subtract
            self.columns[name][docs] = 0
        self.masks.change(docs)
        if self._saver is not None:
            self._saver.spoil()

    def _unchain(self, docs: Docs) -> None:
        """Take documents out of their sessions: the turns beside them are beside each other then."""
        before, after, scope = (self.columns[name] for name in ("before", "after", "scope"))
        last = self.scopes.last.all
        for doc in docs.tolist():
            earlier, later = int(before[doc]), int(after[doc])
            if earlier >= 0:
                after[earlier] = later
            if later >= 0:
                before[later] = earlier
            elif last[scope[doc]] == doc:
                last[scope[doc]] = earlier
            before[doc] = after[doc] = -1
        for number in np.unique(scope[docs]).tolist():
            talkers = self._talkers[number] = self._talked(number)
            self.scopes.people.all[number] = len(talkers) > 1 and not any(
                self.role(self.speakers[one]) for one in talkers
            )

    # Asking

    def codes(self, docs: Docs) -> tuple[NDArray[np.uint8], Docs]:
        """Return the token codes of documents, one after the other, and how many each has; `NONE_YET` where none."""
        return self.held.of(docs)

    def cosines(self, docs: Docs, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of each document's pooled vector with a unit query; NaN where there is none yet."""
        return self.held.cosines(docs, query)

    def people(self, docs: Docs) -> NDArray[np.float32]:
        """Return 1 for documents that stand in a session where people talk to each other, else 0."""
        if not len(self.scopes):
            return np.zeros(len(docs), np.float32)
        return self.scopes.people.all[self.columns["scope"][docs]].astype(np.float32)

    def docs(self, rows: Iterable[int]) -> Docs:
        """Return the document of each row, -1 for rows that the index does not hold."""
        return self.columns.docs(rows)

    def allowed(self, scope: Mapping[str, str], believed: Believed, now: int) -> NDArray[np.bool_]:
        """Return the mask of documents that a search may use; scope fields that are not named do not filter."""
        return self.usable(scope, believed, now).marks()

    def usable(self, scope: Mapping[str, str], believed: Believed, now: int) -> Usable:
        """Return the documents that a search may use, few by number; call it under the lock.

        Args:
            scope: scope fields; those that are not named do not filter.
            believed: what else is asked for.
            now: the present, in microseconds: what has ended or expired by then is left out.
        """
        column = self.columns["scope"]
        fits = self.scopes.fitting(scope) if scope else None
        few = np.arange(self.size) if self.size <= self.few else None
        if fits is not None:
            few = self.scopes.docs(fits, column, max(self.few, self.size // 16))
        if few is not None:
            found = Usable.few(few[self._fitting(few, fits, believed, now)], self.columns)
            if found.count > self.few:
                found.marks()
                found.docs = None
            return found
        if believed.rows is None and believed.as_of is None and believed.known_at is None:
            key = (tuple(sorted(scope.items())), believed.kinds)
            found = self.masks.usable(key, lambda docs: self._asked(docs, fits, believed), now)
        else:
            found = Usable.many(self._fitting(slice(0, self.size), fits, believed, now), self.columns)
        if found.count <= self.few:
            found.numbers()
        return found

    def _asked(
        self, docs: Docs | slice, fits: NDArray[np.bool_] | None, believed: Believed
    ) -> NDArray[np.bool_]:
        """Tell of documents whether scope and kind fit."""
        scope = self.columns["scope"][docs]
        mask = np.ones(len(scope), np.bool_) if fits is None else fits[scope]
        if believed.kinds is not None:
            codes = [code for kind, code in self._kinds.codes.items() if kind in believed.kinds]
            mask &= np.isin(self.columns["kind"][docs], codes)
        elif derived := [code for kind, code in self._kinds.codes.items() if "." in kind]:
            mask &= ~np.isin(self.columns["kind"][docs], derived)
        return mask

    def _fitting(
        self, docs: Docs | slice, fits: NDArray[np.bool_] | None, believed: Believed, now: int
    ) -> NDArray[np.bool_]:
        """Tell of documents whether a search may use them."""
        columns = self.columns
        mask = self._asked(docs, fits, believed)
        if believed.rows is not None:
            mask &= np.isin(columns["row"][docs], believed.rows)
        if believed.known_at is None:
            mask &= columns["recorded_to"][docs] == FOREVER
        else:
            mask &= columns["recorded_from"][docs] <= believed.known_at
            mask &= believed.known_at < columns["recorded_to"][docs]
        mask &= columns["expires"][docs] > now
        if believed.as_of is None:
            return mask & (columns["valid_to"][docs] > now)
        mask &= columns["valid_from"][docs] <= believed.as_of
        return mask & (believed.as_of < columns["valid_to"][docs])


def _is_whole(item: Fresh) -> bool:
    """Tell whether a row holds values of the types that were written; a flipped bit can change a type."""
    words, tokens = item.words, item.tokens
    texts = isinstance(item.kind, str) and isinstance(item.speaker, str)
    blobs = (words is None or isinstance(words, bytes)) and (tokens is None or isinstance(tokens, bytes))
    rest = (value for name, value in item._asdict().items() if name not in _NO_NUMBERS)
    return texts and blobs and all(isinstance(value, int) and abs(value) < 2**63 for value in rest)


_NO_NUMBERS = frozenset({"kind", "speaker", "words", "tokens"})
