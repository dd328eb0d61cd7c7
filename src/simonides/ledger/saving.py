"""Saves an index and takes it from where it was saved; knows what an index holds, and no search.

What is saved is used only where it fits its store exactly: the same store, the same model, the same event at the same
place of the log, and no number ahead of the store's. Nothing of an erased memory is written: the store is asked again
before the new files count. Large lists are not checked when they are read, which would take longer than all else; a
search that stumbles over one says so with `Index.distrust`.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from simonides.errors import SimonidesError
from simonides.ledger import snapshot
from simonides.ledger.columns import Names
from simonides.ledger.growing import Growing
from simonides.ledger.held import AT_ONCE, CODE_BYTES, ELSEWHERE, NONE_YET
from simonides.ledger.postings import Postings, Segment
from simonides.ledger.vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from simonides.ledger.index import Index

    Arrays = dict[str, NDArray[Any]]

WORTH = 2_000
"""Documents that must be new before it is worth to save."""
SHARE = 10
"""And the share of all that they must be: a tenth, so that what is written is only so many times what is added."""
LARGE = (".keys", ".docs", ".counts")
"""Ends of the names of arrays that are not checked when they are read."""
UNNAMED = "\0"
"""What the names of nobody who is left begin with; no name has it."""


class Saver:
    """Saves one index in one folder, in the background and at its end."""

    def __init__(self, index: Index, path: Path) -> None:
        self._index = index
        self._path = path
        self._saved = 0  # documents in the files, as far as this process knows
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._failed = False

    def load(self) -> bool:
        """Fill an empty index from the files; tells whether they fit. Call it under the lock of the index."""
        saved = snapshot.load(self._path)
        if saved is None or not fits(self._index, saved.facts):
            return False
        try:
            fill(self._index, saved)
        except (OSError, ValueError, KeyError, TypeError):  # damaged; the rows of the store can make it anew
            self._index.clear()
            return False
        self._saved = self._index.size
        return True

    def consider(self) -> None:
        """Save in the background if enough is new."""
        if self._worth() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._save_quietly, name="simonides-index")
            self._thread.start()

    def spoil(self) -> None:
        """Hear that what is saved fits no more, and may hold something that was erased."""
        self._saved = 0
        told = snapshot.facts(self._path)
        if told is not None and told["position"]["erased"] < self._index.position.erased:
            with contextlib.suppress(OSError):
                snapshot.discard(
                    self._path, wait=0
                )  # who writes just now asks the store again before it counts

    def distrust(self) -> None:
        """Delete the files."""
        self._saved = 0
        snapshot.discard(self._path)

    def close(self) -> None:
        """Wait for the background, and save if it is worth it still."""
        if self._process != os.getpid():
            return
        if self._thread is not None:
            self._thread.join()
        if self._worth():
            self._save_quietly()

    def _worth(self) -> bool:
        fresh, size = self._index.size - self._saved, self._index.size
        if self._failed or fresh <= self._index.worth or fresh * SHARE <= size:
            return False
        if self._index.model is None and fresh * 2 <= size:  # those who have a model save more
            return (snapshot.facts(self._path) or {}).get("model") is None
        return True

    def _save_quietly(self) -> None:
        try:
            if self.save():
                self._index.anew()
        except (
            OSError,
            SimonidesError,
            ValueError,
        ):  # a cache that cannot be written is none; the store is well
            self._failed = True

    def save(self) -> bool:
        """Write the files; tells whether they count now. Another process that writes is left alone."""
        with snapshot.locked(self._path) as held:
            if not held:
                return False
            self._index.follow_on()
            told = snapshot.facts(self._path)
            if (
                told is not None
                and fits(self._index, told)
                and self._index.size - told["size"] <= self._index.worth
            ):
                self._saved = told["size"]  # another process has just done it
                return True
            writer = snapshot.Writer(self._path)
            try:
                with self._index.lock:
                    erased = self._index.position.erased
                    facts, arrays = packed(self._index)
                    if self._index.vectors is not None and len(self._index.vectors):
                        self._index.vectors.save(writer.file("vectors"))
                        writer.taken("vectors")
                    pooled, codes = self._index.held.pooled.all, self._index.held.codes.all
                size = len(arrays["column.row"])
                self._stream(writer, arrays, pooled, codes)
                growing = frozenset(name for name in arrays if not name.startswith(("words.", "pieces.")))
                checked = frozenset(name for name in arrays if not name.endswith(LARGE))
                writer.arrays("lists", arrays, growing, checked)
                if self._index.ledger.counters()["erased"] != erased:
                    writer.abandon()
                    return False
                writer.finish(facts)
            except BaseException:  # Ctrl-C too must not leave half a file
                writer.abandon()
                raise
        self._saved = size
        return True

    def _stream(
        self, writer: snapshot.Writer, arrays: Arrays, pooled: NDArray[np.uint8], codes: NDArray[np.uint8]
    ) -> None:
        """Write codes and exact vectors: those that the process holds, and those that only the store has."""
        with writer.writing("pooled") as vectors, writer.writing("codes") as states:
            _put(vectors, pooled)
            _put(states, codes)
            held, begun = len(pooled), len(codes)
            row, size, start, place = (
                arrays[f"column.{n}"] for n in ("row", "code_size", "code_start", "held")
            )
            away = np.flatnonzero(size == ELSEWHERE)
            for first in range(0, len(away), AT_ONCE):
                docs = away[first : first + AT_ONCE].tolist()
                rows = [int(row[doc]) for doc in docs]
                stored = self._index.ledger.codes(rows, self._index.model or 0)
                for doc, number in zip(docs, rows, strict=True):
                    code = stored.get(number)
                    if code is None or not self._index.held.whole(code):
                        continue
                    vectors.write(code.pooled)
                    states.write(code.states)
                    size[doc], start[doc], place[doc] = len(code.states) // CODE_BYTES, begun, held
                    held, begun = held + 1, begun + int(size[doc])
            writer.stream("pooled", vectors, np.dtype(np.uint8), (pooled.shape[1],))
            writer.stream("codes", states, np.dtype(np.uint8), (CODE_BYTES,))


def _put(file: BinaryIO, array: NDArray[Any]) -> None:
    if array.nbytes:
        file.write(array.data.cast("B"))


def fits(index: Index, facts: Mapping[str, Any]) -> bool:
    """Tell whether what was saved is a state that the store was in."""
    ledger, position = index.ledger, facts["position"]
    counters = ledger.counters()
    if facts["store"] != ledger.identity():
        return False
    if index.model is not None and (facts["model"], facts["dimension"]) != (index.model, index.dimension):
        return False
    if position["epoch"] != counters["epoch"] or facts["row"] > counters["memory"]:
        return False
    if any(position[name] > counters[name] for name in ("serial", "erased", "expiry", "rules")):
        return False
    return facts["digest"] == _digest(index, position["seq"])


def _digest(index: Index, seq: int) -> str:
    found = index.ledger.events(after=seq - 1, limit=1) if seq else []
    return found[0].digest if found and found[0].seq == seq else ""


def packed(index: Index) -> tuple[dict[str, Any], Arrays]:
    """Return what is to be saved of an index: facts, and arrays of which nothing changes any more."""
    columns, scopes = index.columns, index.scopes
    scopes.arrange(columns["scope"])
    arrays: Arrays = {f"column.{name}": column.all.copy() for name, column in columns.held.items()}
    arrays |= {"scope.last": scopes.last.all.copy(), "scope.people": scopes.people.all.copy()}
    arrays |= {
        "scope.order": scopes.order,
        "scope.offsets": scopes.offsets,
        "scope.fields": scopes.fields.all.copy(),
    }
    lists: dict[str, Any] = {}
    for name, postings in (("words", index.words), ("pieces", index.pieces)):
        segments = postings.segments()
        lists[name] = len(segments)
        for place, one in enumerate(segments):
            arrays |= {f"{name}.{place}.{part}": getattr(one, part) for part in ("keys", "offsets", "docs")}
            if one.counts is not None:
                arrays[f"{name}.{place}.counts"] = one.counts
    for name, forward in (("terms", index.terms), ("tokens", index.tokens)):
        arrays |= {f"{name}.{part}": getattr(forward, part).all for part in ("starts", "sizes", "keys")}
    assert index.terms.counts is not None
    arrays["terms.counts"] = index.terms.counts.all
    if index.vectors is not None:
        arrays |= {
            "vector.owners": index.vectors.owners.all.copy(),
            "vector.slots": index.vectors.slots.all.copy(),
        }
    seq = index.position.seq
    left = columns["speaker"][columns["expires"] > 0]
    facts: dict[str, Any] = {
        "store": index.ledger.identity(), "model": index.model, "dimension": index.dimension,
        "position": asdict(index.position), "digest": _digest(index, seq),
        "row": int(columns["row"][-1]) if len(columns) else 0, "size": len(columns), "lists": lists,
        "speakers": _left(index.speakers, np.unique(left)), "kinds": index.kinds,
        "scopes": _scopes_left(index, arrays["scope.fields"]),
    }  # fmt: skip
    return facts, arrays


def _scopes_left(index: Index, fields: NDArray[np.int32]) -> list[list[str]]:
    """Return the names in scopes that the store still has, and forget the others in a copy of their fields."""
    if index.position.erased:
        there = np.zeros(len(fields), np.bool_)
        there[[number for number, _ in index.ledger.scope_table(after=-1)]] = True
        fields[~there] = -1
    return [_left(names.names, np.unique(fields[:, place])) for place, names in enumerate(index.scopes.names)]


def _left(names: list[str], codes: NDArray[Any]) -> list[str]:
    used = set(codes.tolist())
    return [name if code in used else f"{UNNAMED}{code}" for code, name in enumerate(names)]


def fill(index: Index, saved: snapshot.Saved) -> None:
    """Let an empty index hold what was saved.

    Raises:
        ValueError, KeyError, OSError: it is not what it should be.
    """
    arrays, facts = saved.arrays, saved.facts
    for name in index.columns.held:
        index.columns.held[name] = arrays[f"column.{name}"]
    scopes = index.scopes
    scopes.last, scopes.people, scopes.fields = (arrays[f"scope.{n}"] for n in ("last", "people", "fields"))
    scopes.order, scopes.offsets = arrays["scope.order"].all, arrays["scope.offsets"].all
    scopes.names = [Names(names) for names in facts["scopes"]]
    index.named(facts["speakers"], facts["kinds"])
    index.words, index.pieces = (
        _postings(arrays, name, facts["lists"][name]) for name in ("words", "pieces")
    )
    for name, forward in (("terms", index.terms), ("tokens", index.tokens)):
        forward.starts, forward.sizes, forward.keys = (
            arrays[f"{name}.{n}"] for n in ("starts", "sizes", "keys")
        )
    index.terms.counts = arrays["terms.counts"]
    if index.model is not None:
        index.held.pooled, index.held.codes = arrays["pooled"], arrays["codes"]
        index.held.mapped = arrays["codes"].size
    if index.vectors is not None and arrays["vector.owners"].size:
        owners, slots = arrays["vector.owners"], arrays["vector.slots"]
        index.vectors = Vectors.load(saved.file("vectors"), index.dimension, owners, slots)
    for name, value in facts["position"].items():
        setattr(index.position, name, value)
    if index.model is None:
        index.columns["code_size"][:] = NONE_YET
    if index.position.rules:
        index.position.rules = -1  # they are read from the store, which says how long each keeps things


def _postings(arrays: dict[str, Growing], name: str, many: int) -> Postings:
    segments: list[Segment] = []
    for place in range(many):
        counts = arrays.get(f"{name}.{place}.counts")
        keys, offsets, docs = (arrays[f"{name}.{place}.{part}"].all for part in ("keys", "offsets", "docs"))
        segments.append(Segment(keys, offsets, docs, None if counts is None else counts.all))
    return Postings(segments)
