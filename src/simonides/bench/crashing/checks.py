"""The proof that a store lost nothing: held against the journals of its writers, and its indexes against new ones.

Knows stores and journals; knows no process and kills nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from simonides.bench.crashing.journal import DONE, FAILED, REFUSED, Entry, Journal, read
from simonides.bench.crashing.plain import PlainLedger, Refused
from simonides.clock import Clock, FrozenClock, SystemClock, micros
from simonides.errors import SimonidesError
from simonides.ledger import snapshot
from simonides.ledger.index import NONE_YET, Believed, Index, pack_vector, unpack_words
from simonides.ledger.saving import Saver
from simonides.memory import Memory
from simonides.parts import analyse
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.ledger import Ledger
    from simonides.types import Event

Opening: TypeAlias = Callable[[Clock], Memory]
"""Opens the store in question with a clock; for stores that need a key, another model or another backend."""
MOST = 10
"""Problems of one kind that are told."""
DIMENSION = 64
"""Of the vectors of the scripted model that writers and checks use."""
LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
_AT_ONCE = 2000


@dataclass(slots=True)
class Found:
    """What an inspection found.

    Attributes:
        problems: everything that must not be, told in words; empty when nothing was lost.
        lost: operations that were acknowledged and are not there as they were acknowledged.
        half: operations of which only a part is there.
        acknowledged: operations that were acknowledged.
        unanswered: operations whose writer died before it was told; `happened` of them are there, as a whole.
    """

    problems: list[str] = field(default_factory=list[str])
    lost: int = 0
    half: int = 0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    happened: int = 0
    events: int = 0
    versions: int = 0

    def tell(self, problems: Iterable[str]) -> None:
        """Take in problems of one kind, the first ones of many."""
        self.problems.extend(islice(problems, MOST))


def inspect(
    path: Path | str, journal: Path | Journal | Sequence[Entry], *, opening: Opening | None = None
) -> list[str]:
    """Return what is wrong with a store after all its writers have stopped; see `look`."""
    return look(path, journal, opening=opening).problems


def look(
    path: Path | str,
    journal: Path | Journal | Sequence[Entry],
    *,
    opening: Opening | None = None,
    follower: Memory | None = None,
) -> Found:
    """Hold a store against what its writers were told, and everything that is derived against its text.

    Args:
        path: the file, or the address of a store in a server.
        journal: the folder of the journals, or what they say.
        opening: opens the store; None opens the file with the scripted model.
        follower: a store that was open all the time: its index must equal a new one.
    """
    if isinstance(journal, Path):
        journal = read(journal)
    elif not isinstance(journal, Journal):
        journal = Journal(list(journal))
    found = Found()
    found.tell(f"a writer saw: {note}" for note in journal.notes)
    try:
        with (opening or opening_of(path))(SystemClock()) as memory:
            found.tell(_unsound(memory))
            _held_against(memory.ledger, journal.entries, found)
            found.tell(_words(memory.ledger))
            found.tell(_codes(memory))
            found.tell(_indexes(memory, follower))
        with (opening or opening_of(path))(FrozenClock(LONG_AGO)) as memory:
            found.tell(_links(memory, _replayed(memory.ledger, journal.entries, Found())))
    except SimonidesError as err:
        found.problems.append(f"cannot be read: {type(err).__name__}: {err}")
    return found


def opening_of(path: Path | str, *, background: bool = False) -> Opening:
    """Return what opens a store with the scripted model."""

    def opened(clock: Clock) -> Memory:
        settings = Settings(background=background)
        return Memory(path, embedder=HashReader(DIMENSION), clock=clock, settings=settings)

    return opened


def _unsound(memory: Memory) -> Iterator[str]:
    """Tell what `doctor` finds: pages, indexes and references of SQLite, spans, the log's chain, missing words."""
    for finding in memory.doctor():
        if not finding.ok:
            yield f"doctor: {finding.name}: {finding.detail}"


# What was acknowledged


def _held_against(ledger: Ledger, entries: Sequence[Entry], found: Found) -> None:
    for state, number in Counter(entry.state for entry in entries).items():
        if state == DONE:
            found.acknowledged = number
        elif state == REFUSED:
            found.refused = number
        elif state != FAILED:
            found.unanswered = number
    plain = _replayed(ledger, entries, found)
    found.tell(_differences(ledger, plain, found))


def _replayed(ledger: Ledger, entries: Sequence[Entry], found: Found) -> PlainLedger:
    """Return the plain ledger after all operations that the log says have happened, in its order."""
    known = {entry.name: entry for entry in entries}
    logged: dict[str, list[Event]] = {}
    for event in _events(ledger):
        found.events += 1
        logged.setdefault(_name(event), []).append(event)
    plain = PlainLedger()
    found.tell(_wrong_events(known, logged, found))
    for name, events in sorted(logged.items(), key=lambda item: item[1][0].seq):
        entry = known.get(name)
        if entry is None or len(events) != len(entry.changes):
            continue
        if events[0].seq != plain.seq + 1:
            plain.seq = events[0].seq - 1
        try:
            plain.apply(entry.changes, events[0].at, events[0].actor)
        except Refused as err:
            found.tell([f"{name}: happened, though it must be refused: {err}"])
    return plain


def _events(ledger: Ledger) -> Iterator[Event]:
    last = 0
    while events := ledger.events(after=last, limit=_AT_ONCE):
        yield from events
        last = events[-1].seq


def _name(event: Event) -> str:
    return "" if event.payload is None else str(event.payload.get("reason"))


def _wrong_events(known: dict[str, Entry], logged: dict[str, list[Event]], found: Found) -> Iterator[str]:
    for name, events in logged.items():
        if name not in known:
            yield f"event {events[0].seq}: nobody meant to do {name!r}"
    for name, entry in known.items():
        seqs = tuple(event.seq for event in logged.get(name, ()))
        whole = len(seqs) == len(entry.changes) and seqs[-1] - seqs[0] == len(seqs) - 1
        if entry.state == DONE:
            if seqs != entry.seqs or not whole:
                found.lost += 1
                yield f"{name}: LOST: was told of events {entry.seqs}, and the log has {seqs}"
        elif seqs and not whole:
            found.half += 1
            yield f"{name}: HALF: {len(entry.changes)} changes, and the log has {seqs}"
        elif entry.state == FAILED:
            yield f"{name}: the store failed: {entry.told}"
        elif entry.state == REFUSED and seqs:
            yield f"{name}: was refused ({entry.told}), and the log has {seqs}"
        else:
            found.happened += bool(seqs)


def _differences(ledger: Ledger, plain: PlainLedger, found: Found) -> Iterator[str]:
    """Compare every version of every memory."""
    held: dict[str, list[tuple[int, str]]] = {}
    for rows in _rows(ledger):
        found.versions += len(rows)
        for memory in ledger.load(rows).values():
            expected = plain.rows.get(memory.id, ())
            held.setdefault(memory.id, []).append((memory.version, memory.text))
            if memory.version > len(expected):
                yield f"memory {memory.id} version {memory.version}: nobody wrote it"
            elif expected[memory.version - 1].memory != memory:
                found.lost += 1
                written = expected[memory.version - 1].memory
                yield f"memory {memory.id} version {memory.version}: LOST: {memory} instead of {written}"
    for id, rows in plain.rows.items():
        if len(held.get(id, ())) < len(rows):
            found.lost += 1
            yield f"memory {id}: LOST: {len(held.get(id, ()))} of its {len(rows)} versions are there"


def _rows(ledger: Ledger) -> Iterator[list[int]]:
    last = 0
    while fresh := ledger.fresh(last, _AT_ONCE):
        yield [one.row for one in fresh]
        last = fresh[-1].row


def _links(memory: Memory, plain: PlainLedger) -> Iterator[str]:
    """Compare all believed links; the clock stands long ago, so that those which have ended are among them."""
    held = {(link.id, link.valid.start): link for link in memory.ledger.links(limit=10**9)}
    expected = plain.links(LONG_AGO)
    for key in sorted({*held, *expected}):
        if held.get(key) != expected.get(key):
            yield f"link {key[0]}: LOST: {held.get(key)} instead of {expected.get(key)}"


# What is derived


def _words(ledger: Ledger) -> Iterator[str]:
    """Compare the words of every version with those that its text gives now."""
    last = 0
    while fresh := ledger.fresh(last, _AT_ONCE):
        texts = ledger.load([one.row for one in fresh])
        for one in fresh:
            made = analyse.lexical(texts[one.row].text)
            if (one.words, one.tokens) != (made.words, made.tokens):
                yield f"row {one.row}: its words are not those of its text"
        last = fresh[-1].row


def _codes(memory: Memory) -> Iterator[str]:
    """Compare what the full tier stored with what the scripted model says now; a row without must be waiting."""
    ledger, reader = memory.ledger, HashReader(DIMENSION)
    model = ledger.model_id(reader.identity(), create=False)
    waiting = set(ledger.backlog(10**9))
    for rows in _rows(ledger):
        texts = ledger.load(rows)
        stored = ledger.codes(rows, model) if model else {}
        said = [("", _said(texts[row].speaker, texts[row].text)) for row in rows]
        for row, state in zip(rows, reader.read(said), strict=True):
            if row not in stored:
                if row not in waiting:
                    yield f"row {row}: the full tier has not read it, and nobody will"
            elif stored[row].pooled != pack_vector(state.pooled):
                yield f"row {row}: its codes are not those of its text"


def _said(speaker: str, text: str) -> str:
    return f"{speaker}: {text}" if speaker else text


def _indexes(memory: Memory, follower: Memory | None) -> Iterator[str]:
    """Compare the index that a fresh process has, and one that followed all the time, with one made from the rows."""
    rebuilt = index_of(memory, kept=False)
    yield from unequal(memory.ledger, index_of(memory), rebuilt, "the index of a new process")
    if follower is not None:
        yield from unequal(memory.ledger, index_of(follower), rebuilt, "the index that followed")


def index_of(memory: Memory, *, kept: bool = True) -> Index:
    """Return the index of an open store, up to date; or one made from nothing but the rows of the store."""
    if kept:
        memory.search("anything at all")
        recall = memory._recall  # pyright: ignore[reportPrivateUsage] - its index is what is compared
        assert recall is not None
        return recall.index
    index = _fresh(memory)
    index.follow()
    return index


def candidates(memory: Memory, query: str) -> list[str]:
    """Return the ids of all that a search considers, best first; the order is the scripted model's and means little."""
    index_of(memory)
    recall = memory._recall  # pyright: ignore[reportPrivateUsage] - before the gate and the limit
    assert recall is not None
    rows = recall.ask(query, {}, Believed(), memory.clock.now()).rows.tolist()
    held = memory.ledger.load(rows)
    return [held[row].id for row in rows if row in held]


def save_index(memory: Memory) -> Path:
    """Save the index of a store in a file, however small it is, and read it anew; return the folder."""
    folder = snapshot.folder(Path(memory.path))
    index = _fresh(memory, folder)
    index.follow()
    if Saver(index, folder).save():
        index.anew()
    return folder


def _fresh(memory: Memory, cache: Path | None = None) -> Index:
    model = memory.ledger.model_id(HashReader(DIMENSION).identity(), create=True)
    return Index(memory.ledger, model, DIMENSION, lambda name: name in ("user", "assistant"), cache)


def unequal(ledger: Ledger, one: Index, rebuilt: Index, name: str) -> Iterator[str]:
    """Tell how an index that followed its store differs from one that was made from the rows of the store."""
    rows = rebuilt.column("row")
    docs = one.docs(rows.tolist())
    if (docs < 0).any():
        yield f"{name}: does not hold rows {rows[docs < 0][:5].tolist()}"
        return
    now = micros(SystemClock().now())
    gone = np.setdiff1d(one.column("row")[one.allowed({}, Believed(), now)], rows)
    if len(gone):
        yield f"{name}: finds rows {gone[:5].tolist()}, which are not there"
    for column, values in _columns(one, docs):
        right = dict(_columns(rebuilt, np.arange(len(rows))))[column]
        differ = ~_same(values, right)
        if differ.any():
            yield f"{name}: {column} of rows {rows[differ][:5].tolist()} is not that of a new one"
    keys = _keys(ledger)
    for lists in ("words", "pieces"):
        if _postings(one, lists, keys[lists], rows) != _postings(rebuilt, lists, keys[lists], rows):
            yield f"{name}: the inverted lists of {lists} are not those of a new one"


def _columns(index: Index, docs: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for name in ("scope", "valid_from", "valid_to", "recorded_from", "recorded_to", "words", "flags"):
        yield name, index.column(name)[docs]
    yield "kind", np.array(index.kinds)[index.column("kind")[docs]]
    yield "speaker", np.array(index.speakers)[index.column("speaker")[docs]]
    rows = index.column("row")
    for name in ("before", "after"):
        beside = index.column(name)[docs]
        yield name, np.where(beside >= 0, rows[beside], 0)
    yield "read", index.column("code_size")[docs] != NONE_YET
    query = np.random.default_rng(5).normal(size=DIMENSION).astype(np.float32)
    yield "cosines", index.cosines(docs, query)


def _same(one: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.bool_]:
    if one.dtype.kind == "f":
        return np.isclose(one, other, atol=1e-5, equal_nan=True)
    return np.asarray(one == other)


def _keys(ledger: Ledger) -> dict[str, NDArray[np.uint32]]:
    """Return every key of the inverted lists, as the rows of the store give them."""
    words: set[int] = set()
    pieces: set[int] = set()
    last = 0
    while fresh := ledger.fresh(last, _AT_ONCE):
        for one in fresh:
            words.update(unpack_words(one.words or b"")[0].tolist())
            pieces.update(np.frombuffer(one.tokens or b"", np.uint16).tolist())
        last = fresh[-1].row
    return {"words": np.array(sorted(words), np.uint32), "pieces": np.array(sorted(pieces), np.uint32)}


def _postings(
    index: Index, lists: str, keys: NDArray[np.uint32], rows: NDArray[np.int64]
) -> list[tuple[int, int, int]]:
    which, docs, counts = getattr(index, lists).find(keys)
    held = index.column("row")[docs]
    there = np.isin(held, rows)
    return sorted(zip(which[there].tolist(), held[there].tolist(), counts[there].tolist(), strict=True))
