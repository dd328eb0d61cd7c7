"""An index allows exactly the rows that the store would, whoever wrote them and however late it follows."""

from __future__ import annotations

import random
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import Place, for_ledger, here
from simonides.clock import FOREVER, FrozenClock, micros, new_id
from simonides.errors import SimonidesError
from simonides.ledger import Code, Ledger
from simonides.ledger.index import (
    CODE_BYTES,
    ELSEWHERE,
    NONE_YET,
    Believed,
    Index,
    pack_vector,
    unpack_vectors,
)
from simonides.parts import analyse
from simonides.parts.query import is_assistant, is_user
from simonides.settings import Settings
from simonides.types import Add, Change, Restore, Retire, Scope, Supersede

NOW = datetime(2026, 1, 10, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
DIMENSION = 16
IDENTITY = {"name": "test", "dimension": DIMENSION}
SCOPES = [
    Scope(),
    Scope(user="ann"),
    Scope(user="bob", session="s1"),
    Scope(user="ann", session="s1", project="p"),
]
KINDS = ["turn", "fact", "note"]


def open_ledger(path: Path | str, clock: FrozenClock) -> Ledger:
    return Ledger(
        here(path),
        **for_ledger(),
        clock=clock,
        settings=Settings(synchronous="normal"),
        analyse=analyse.lexical,
    )


def open_index(ledger: Ledger, *, model: bool = False) -> Index:
    number = ledger.model_id(IDENTITY, create=True) if model else None
    return Index(ledger, number, DIMENSION if model else 0, lambda name: is_user(name) or is_assistant(name))


@contextmanager
def opened(many: int = 1) -> Generator[tuple[FrozenClock, list[Ledger]]]:
    with TemporaryDirectory() as folder:
        clock = FrozenClock(NOW)
        ledgers = [open_ledger(Path(folder) / "memory.db", clock) for _ in range(many)]
        yield clock, ledgers
        for ledger in ledgers:
            ledger.close()


def fits(row: Any, scope: Scope, asked: dict[str, str], believed: Believed, now: int) -> bool:
    """Tell what a search may use, from the row as the store has it."""
    if any(getattr(scope, name) != value for name, value in asked.items()):
        return False
    if believed.kinds is not None and row.kind not in believed.kinds:
        return False
    if believed.rows is not None and row.row not in believed.rows:
        return False
    if believed.known_at is None:
        known = row.recorded_to == FOREVER
    else:
        known = row.recorded_from <= believed.known_at < row.recorded_to
    if believed.as_of is None:
        return known and row.valid_to > now
    return known and row.valid_from <= believed.as_of < row.valid_to


def expected(ledger: Ledger, asked: dict[str, str], believed: Believed, now: int) -> list[int]:
    table = dict(ledger.scope_table())
    return [row.row for row in ledger.fresh(0) if fits(row, table[row.scope], asked, believed, now)]


def allowed(index: Index, asked: dict[str, str], believed: Believed, now: int) -> list[int]:
    index.follow()
    return index.column("row")[index.allowed(asked, believed, now)].tolist()


DAYS = st.integers(0, 20).map(lambda day: NOW + timedelta(days=day - 10))
ASKED = st.dictionaries(
    st.sampled_from(["user", "session", "project"]),
    st.sampled_from(["", "ann", "bob", "s1", "nobody"]),
    max_size=2,
)
BELIEVED = st.builds(
    Believed,
    kinds=st.none() | st.frozensets(st.sampled_from(KINDS), max_size=2),
    rows=st.none() | st.lists(st.integers(1, 30), max_size=10).map(lambda rows: np.array(rows, np.int64)),
    as_of=st.none() | DAYS.map(micros),
    known_at=st.none() | DAYS.map(micros),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "update", "correct", "retire", "restore", "ask", "reindex"]),
        st.integers(0, 99),
        DAYS,
    ),
    max_size=18,
)


def changed(verb: str, place: int, at: datetime, ids: list[str]) -> Change | None:
    id = ids[place % len(ids)] if ids else ""
    match verb:
        case "add":
            ids.append(new_id())
            kind = KINDS[place % 3]
            return Add(
                ids[-1], f"words {place} and more", at, kind=kind, scope=SCOPES[place % 4], speaker="Ann"
            )
        case "update" if id:
            return Supersede(id, f"other words {place}", at)
        case "correct" if id:
            return Supersede(id, f"right words {place}")
        case "retire" if id:
            return Retire(id, at)
        case "restore" if id:
            return Restore(id)
        case _:
            return None


@settings(max_examples=30, deadline=None)
@given(STEPS, st.lists(st.tuples(ASKED, BELIEVED, DAYS), min_size=3, max_size=3))
def test_two_indexes_allow_what_the_store_would(steps: list[Any], questions: list[Any]) -> None:
    with opened(2) as (clock, (writer, other)):
        early, late = open_index(writer), open_index(other)
        early.few = 0  # by masks that are kept, the other one by number
        ids: list[str] = []
        for number, (verb, place, at) in enumerate(steps):
            clock.advance(hours=9)
            change = changed(verb, place, at, ids)
            if verb == "reindex":
                writer.drop_derived("lexical")
            if change is not None:
                try:
                    (writer if number % 3 else other).apply([change])
                except SimonidesError:  # it had ended already; the store says so, and nothing was written
                    continue
            asked, believed, now = questions[number % 3]
            assert allowed(early, asked, believed, micros(now)) == expected(
                other, asked, believed, micros(now)
            )
        for asked, believed, now in [*questions, ({}, Believed(), clock.now())]:
            wanted = expected(writer, asked, believed, micros(now))
            assert allowed(early, asked, believed, micros(now)) == wanted
            assert allowed(late, asked, believed, micros(now)) == wanted
        assert_same(early, late)
        assert_words(early, writer)


def assert_same(one: Index, other: Index) -> None:
    """The same rows and the same order, whoever followed earlier."""
    for name in ("row", "scope", "valid_from", "valid_to", "recorded_from", "recorded_to", "words", "flags"):
        assert one.column(name).tolist() == other.column(name).tolist(), name
    for name, names in (("kind", "kinds"), ("speaker", "speakers")):
        texts = [[getattr(i, names)[code] for code in i.column(name).tolist()] for i in (one, other)]
        assert texts[0] == texts[1]


def assert_words(index: Index, ledger: Ledger) -> None:
    """Every row is found by each of its terms and by nothing else."""
    held = ledger.load([row.row for row in ledger.fresh(0)])
    stored = {row: set(analyse.terms(memory.text)) for row, memory in held.items()}
    terms = np.array(sorted(set().union(*stored.values())), np.uint32)
    which, docs, _ = index.words.find(terms)
    found: dict[int, set[int]] = {row: set() for row in stored}
    for place, doc in zip(which.tolist(), docs.tolist(), strict=True):
        found[int(index.column("row")[doc])].add(int(terms[place]))
    assert found == stored


# --- codes ---------------------------------------------------------------------------------------------------------


def code(row: int, chance: np.random.Generator) -> Code:
    vector = chance.normal(size=DIMENSION).astype(np.float32)
    states = chance.integers(0, 256, int(chance.integers(0, 5)) * CODE_BYTES, np.uint8)
    return Code(row, pack_vector(vector / np.float32(np.linalg.norm(vector))), states.tobytes(), b"")


def assert_codes(index: Index, ledger: Ledger, chance: np.random.Generator) -> None:
    """Token codes and cosines are those in the store, for any documents in any order."""
    index.follow()
    assert index.model is not None
    docs = chance.permutation(index.size)[: int(chance.integers(0, index.size + 1))].astype(np.int64)
    rows = index.column("row")[docs].tolist()
    stored = ledger.codes(rows, index.model)
    packed, sizes = index.codes(docs)
    assert sizes.tolist() == [
        len(stored[row].states) // CODE_BYTES if row in stored else NONE_YET for row in rows
    ]
    assert packed.tobytes() == b"".join(stored[row].states for row in rows if row in stored)
    query = unpack_vectors([code(0, chance).pooled])[0]
    cosines = index.cosines(docs, query)
    for row, cosine in zip(rows, cosines.tolist(), strict=True):
        if row not in stored:
            assert np.isnan(cosine)
        else:
            exact = float(unpack_vectors([stored[row].pooled])[0] @ query)
            assert cosine == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["held", "read from the store"])
@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["add", "code", "again", "update", "drop", "ask"]), max_size=14),
    seed=st.integers(0, 999),
)
def test_codes_are_those_of_the_store(elsewhere: bool, steps: list[str], seed: int) -> None:
    chance = np.random.default_rng(seed)
    with opened(2) as (clock, (writer, reader)):
        index = open_index(reader, model=True)
        model, ids = writer.model_id(IDENTITY, create=True), list[str]()
        for step in ["add", *steps, "code"]:
            clock.advance(minutes=1)
            rows = [row.row for row in writer.fresh(0)]
            if step == "add":
                ids += [new_id() for _ in range(4)]
                writer.apply([Add(id, "words", clock.now()) for id in ids[-4:]])
            elif step == "code":
                writer.put_codes(model, [code(row, chance) for row in writer.backlog(5)])
            elif step == "again":
                writer.put_codes(model, [code(row, chance) for row in rows[:3]])
            elif step == "update":
                writer.apply([Supersede(ids[0], metadata={"seen": True})])
            elif step == "drop":
                writer.drop_derived("codes")
                assert writer.model_id(IDENTITY, create=True) == model
            else:
                assert_codes(index, writer, chance)
            if elsewhere:  # as in a store of more codes than a process holds
                index.follow()
                index.held.fetched = ((), {})
                sizes = index.column("code_size")
                sizes[sizes >= 0] = ELSEWHERE
        assert_codes(index, writer, chance)


def test_another_model_is_never_read_as_this_one(tmp_path: Path) -> None:
    clock, chance = FrozenClock(NOW), np.random.default_rng(1)
    writer, reader = (open_ledger(tmp_path / "memory.db", clock) for _ in range(2))
    index = open_index(reader, model=True)
    writer.apply([Add(new_id(), "words", NOW) for _ in range(3)])
    writer.put_codes(writer.model_id(IDENTITY, create=True), [code(row, chance) for row in (1, 2, 3)])
    assert_codes(index, writer, chance)
    writer.drop_derived("codes")
    other = writer.model_id({"name": "other", "dimension": 8}, create=True)
    assert other != index.model, (
        "a process that still reads with the first must not write under the second's number"
    )
    writer.put_codes(other, [Code(row, pack_vector(np.ones(8, np.float32)), b"", b"") for row in (1, 2, 3)])
    index.follow()
    assert index.codes(np.arange(3))[1].tolist() == [NONE_YET] * 3
    assert np.isnan(index.cosines(np.arange(3), np.ones(DIMENSION, np.float32))).all()
    for ledger in (writer, reader):
        ledger.close()


# --- following -----------------------------------------------------------------------------------------------------


def test_an_index_that_follows_in_the_middle_of_a_reindex_has_its_words_afterwards(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    writer = open_ledger(tmp_path / "memory.db", clock)
    other = open_ledger(tmp_path / "memory.db", clock)
    index = open_index(other)
    writer.apply([Add(new_id(), f"words {place}", NOW) for place in range(5)])
    index.follow()
    with writer.database.writing() as connection:  # a reindex begins as `drop_derived` does, and stops there
        connection.execute("DELETE FROM lexical WHERE row > 2")
        connection.execute("INSERT INTO meta (key, value) VALUES ('epoch', 1)")
    index.follow()
    assert writer.fill_words() == 3
    index.follow()
    assert_words(index, writer)
    writer.close()
    other.close()


def test_words_taken_away_by_hand_come_back(place: Place, tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "memory.db", FrozenClock(NOW))
    index = open_index(ledger)
    ledger.apply([Add(new_id(), f"words {place}", NOW) for place in range(5)])
    place.run(here(tmp_path / "memory.db"), "DELETE FROM lexical")
    index.follow()
    assert len(index.words.find(np.array(analyse.terms("words 1"), np.uint32))[1]) == 0
    assert ledger.drop_derived("all") == 5
    index.follow()
    assert_words(index, ledger)
    ledger.close()


def test_nothing_is_asked_of_the_store_when_nothing_was_committed(tmp_path: Path) -> None:
    statements: list[str] = []
    clock = FrozenClock(NOW)
    ledger = Ledger(
        here(tmp_path / "memory.db"),
        **for_ledger(),
        clock=clock,
        settings=Settings(),
        analyse=analyse.lexical,
        tracer=statements.append,
    )
    index = open_index(ledger)
    ledger.apply([Add(new_id(), "words", NOW)])
    index.follow()
    statements.clear()
    index.follow()
    assert [one for one in statements if "data_version" not in one and "'commits'" not in one] == []
    ledger.close()


def test_rows_of_new_scopes_arrive_whole_while_somebody_follows(tmp_path: Path) -> None:
    """Each commit makes a scope of its own; an index that reads in between never knows a row without its scope."""
    clock = FrozenClock(NOW)
    writer, reader = (open_ledger(tmp_path / "memory.db", clock) for _ in range(2))
    index, done = open_index(reader), threading.Event()

    def write() -> None:
        for place in range(250):
            scope = Scope(user=f"u{place}", session=f"s{place}")
            writer.apply(
                [Add(new_id(), f"one {place}", NOW, scope=scope), Add(new_id(), "two", NOW, scope=scope)]
            )
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        index.follow()
        assert int(index.allowed({"user": "u3"}, Believed(), micros(NOW)).sum()) in (0, 2)
        index.people(np.arange(index.size))
    thread.join()
    index.follow()
    before = index.column("before")
    assert before.tolist() == [place - 1 if place % 2 else -1 for place in range(500)]
    for ledger in (writer, reader):
        ledger.close()


def test_codes_given_to_rows_while_an_index_follows_are_not_missed(tmp_path: Path) -> None:
    clock, chance = FrozenClock(NOW), np.random.default_rng(5)
    writer, reader = (open_ledger(tmp_path / "memory.db", clock) for _ in range(2))
    model = writer.model_id(IDENTITY, create=True)
    index, done = open_index(reader, model=True), threading.Event()

    def write() -> None:
        for place in range(200):
            writer.apply([Add(new_id(), f"one {place}", NOW)])
            writer.put_codes(model, [code(place + 1, chance)])
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        index.follow()
    thread.join()
    index.follow()
    assert index.size == 200
    assert (index.column("code_size") != NONE_YET).all()
    for ledger in (writer, reader):
        ledger.close()


# --- talk ----------------------------------------------------------------------------------------------------------


def talk(ledger: Ledger, session: str, speakers: Sequence[str]) -> None:
    scope = Scope(session=session)
    ledger.apply(
        [Add(new_id(), f"word {s}", NOW, scope=scope, speaker=name) for s, name in enumerate(speakers)]
    )


def test_neighbours_are_the_turns_before_and_after_in_the_session() -> None:
    with opened() as (_, (ledger,)):
        index, chance = open_index(ledger), random.Random(3)
        sessions = ["", "a", "b", "c"]
        written: list[str] = []
        for _ in range(12):
            session = chance.choice(sessions)
            talk(ledger, session, ["Ann"] * chance.randint(1, 4))
            written += [session] * (len(ledger.fresh(0)) - len(written))
            if chance.random() < 0.5:
                index.follow()
        index.follow()
        for doc, session in enumerate(written):
            mates = [other for other, name in enumerate(written) if name == session and session]
            earlier = [other for other in mates if other < doc]
            later = [other for other in mates if other > doc]
            assert index.column("before")[doc] == (earlier[-1] if earlier else -1)
            assert index.column("after")[doc] == (later[0] if later else -1)


@pytest.mark.parametrize(
    ("speakers", "people"),
    [
        (["Ann", "Bob"], True),
        (["Ann", "Ann"], False),
        (["user", "assistant"], False),
        (["Ann", "assistant"], False),
        (["Ann", "Bob", "ChatGPT"], False),
        ([""], False),
    ],
)
def test_people_talk_to_each_other_or_to_a_machine(speakers: list[str], people: bool) -> None:
    with opened() as (_, (ledger,)):
        talk(ledger, "s", speakers)
        index = open_index(ledger)
        index.follow()
        assert index.people(np.arange(index.size)).tolist() == [float(people)] * len(speakers)


def test_an_empty_store_allows_nothing() -> None:
    with opened() as (_, (ledger,)):
        index = open_index(ledger, model=True)
        assert allowed(index, {"user": "ann"}, Believed(), micros(NOW)) == []
        assert index.docs([1, 2]).tolist() == [-1, -1]
        assert index.codes(np.zeros(0, np.int64))[1].tolist() == []
        assert index.people(np.zeros(0, np.int64)).tolist() == []
