"""What an index was saved as is used where it fits its store, and is as if it were not there everywhere else."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.clock import FrozenClock, micros, new_id
from simonides.errors import SimonidesError
from simonides.ledger import Ledger, saving, snapshot
from simonides.ledger.index import NONE_YET, Believed, Index
from simonides.memory import Memory
from simonides.parts.query import is_assistant, is_user
from simonides.parts.recall import Recall
from simonides.settings import Settings
from simonides.types import Add, Rule, Scope, Supersede
from test_index import (
    DIMENSION,
    IDENTITY,
    NOW,
    SCOPES,
    assert_codes,
    assert_same,
    assert_words,
    changed,
    code,
    expected,
    open_ledger,
)


def open_saved(ledger: Ledger, *, model: bool = True) -> Index:
    number = ledger.model_id(IDENTITY, create=True) if model else None
    place = snapshot.folder(Path(ledger.path))
    role: Callable[[str], bool] = lambda name: is_user(name) or is_assistant(name)  # noqa: E731 - typed in place
    return Index(ledger, number, DIMENSION if model else 0, role, place)


def save(ledger: Ledger, *, model: bool = True) -> saving.Saver:
    index = open_saved(ledger, model=model)
    index.follow()
    saver = saving.Saver(index, snapshot.folder(Path(ledger.path)))
    assert saver.save()
    return saver


def used(ledger: Ledger, *, model: bool = True) -> bool:
    """Tell whether a new index takes what was saved; it is as good as one without, whatever it does."""
    index, plain = open_saved(ledger, model=model), open_saved(ledger, model=model)
    took = saving.Saver(plain, snapshot.folder(Path(ledger.path))).load()
    index.follow()
    assert index.column("row").tolist() == [row.row for row in ledger.fresh(0)]
    assert_words(index, ledger)
    return took


@contextmanager
def filled(many: int = 30) -> Generator[Ledger]:
    with TemporaryDirectory() as folder:
        ledger = open_ledger(Path(folder) / "memory.db", FrozenClock(NOW))
        ledger.apply([Add(new_id(), f"words {n} and more", NOW, scope=SCOPES[n % 4]) for n in range(many)])
        chance = np.random.default_rng(4)
        rows = [row.row for row in ledger.fresh(0)][::2]
        ledger.put_codes(ledger.model_id(IDENTITY, create=True), [code(row, chance) for row in rows])
        yield ledger
        ledger.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "add",
                "add",
                "update",
                "retire",
                "restore",
                "code",
                "expire",
                "rule",
                "unrule",
                "erase",
                "save",
                "open",
            ]
        ),
        st.integers(0, 99),
        st.integers(-5, 5).map(lambda day: NOW + timedelta(days=day)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 99))
def test_an_index_equals_a_rebuild_after_anything_with_and_without_saving(
    steps: list[Any], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    with (
        TemporaryDirectory() as folder,
        Memory(
            Path(folder) / "memory.db",
            clock=FrozenClock(NOW),
            settings=Settings(meaning="instant", synchronous="normal"),
        ) as memory,
    ):
        ledger, clock = memory.ledger, memory.clock
        assert isinstance(clock, FrozenClock)
        model, ids = ledger.model_id(IDENTITY, create=True), list[str]()
        living = open_saved(ledger)
        for verb, place, at in [("add", 0, NOW), *steps]:
            clock.advance(hours=3)
            try:
                step(memory, verb, place, at, ids, model, chance)
            except SimonidesError:  # it had ended or was erased; the store says so, and nothing was written
                continue
            if verb == "save" and ledger.fresh(0):
                save(ledger)
            elif verb == "open":
                living = open_saved(ledger)
            living.follow()
            living.few = place % 2 * 1000  # masks that are kept, and lists
            for asked in ({}, {"user": "ann"}):
                living.usable(asked, Believed(), micros(clock.now() + timedelta(hours=place - 50)))
        living.follow()
        rebuilt = Index(ledger, model, DIMENSION, living.role)
        rebuilt.follow()
        assert_same_usable(living, rebuilt, ledger, clock)


def step(
    memory: Memory, verb: str, place: int, at: Any, ids: list[str], model: int, chance: np.random.Generator
) -> None:
    ledger, id = memory.ledger, ids[place % len(ids)] if ids else ""
    if verb in ("add", "update", "retire", "restore"):
        change = changed(verb, place, at, ids)
        if change is not None:
            ledger.apply([change])
    elif verb == "code":
        ledger.put_codes(
            model, [code(row, chance) for row in [row.row for row in ledger.fresh(0)][:: place % 3 + 1]]
        )
    elif verb == "expire" and id:
        memory.expire(id, at=at)
    elif verb == "rule":
        scope = Scope(user=("ann", "")[place % 2])
        memory.retention(add=Rule(86_400 * (place % 9 + 1), "retire", ("turn", "fact", "")[place % 3], scope))
    elif verb == "unrule" and (rules := ledger.rules()):
        memory.retention(drop=rules[0].rule)
    elif verb == "erase" and id:
        memory.erase(id)


def assert_same_usable(one: Index, other: Index, ledger: Ledger, clock: FrozenClock) -> None:
    """What both may use is the same, with all that is known of it; what is gone is nowhere in either."""
    now = micros(clock.now())
    for asked in ({}, {"user": "ann"}, {"session": "s1"}):
        for believed in (
            Believed(),
            Believed(kinds=frozenset({"turn"})),
            Believed(known_at=now),
            Believed(as_of=now),
        ):
            one.few = 0
            kept = one.usable(asked, believed, now)
            rows = [i.column("row")[i.usable(asked, believed, now).numbers()].tolist() for i in (one, other)]
            assert rows[0] == rows[1]
            docs = kept.numbers()
            assert (kept.count, kept.words) == (len(docs), int(one.column("words")[docs].sum()))
            assert kept.has(np.arange(-1, one.size)).tolist() == [d in docs for d in range(-1, one.size)]
            if not ledger.rules() and believed.as_of is None:
                assert set(rows[0]) <= set(expected(ledger, asked, believed, now))
    rows = other.column("row")
    docs, same = one.docs(rows.tolist()), np.arange(len(rows))
    assert (docs >= 0).all()
    for name in (
        "valid_from",
        "valid_to",
        "recorded_from",
        "recorded_to",
        "born",
        "expires",
        "words",
        "flags",
        "scope",
    ):
        assert one.column(name)[docs].tolist() == other.column(name).tolist(), name
    for name in ("before", "after"):
        beside = [index.column(name)[at] for index, at in ((one, docs), (other, same))]
        found = [
            np.where(b >= 0, i.column("row")[b], -1).tolist()
            for i, b in zip((one, other), beside, strict=True)
        ]
        assert found[0] == found[1], name
    assert one.people(docs).tolist() == other.people(same).tolist()
    assert [one.speakers[s] for s in one.column("speaker")[docs].tolist()] == [
        other.speakers[s] for s in other.column("speaker").tolist()
    ]
    assert_words(one, ledger)
    for index, at in ((one, docs), (other, same)):
        states, sizes = index.codes(at)
        query = np.ones(DIMENSION, np.float32) / np.float32(DIMENSION**0.5)
        assert states.tobytes() == other.codes(same)[0].tobytes()
        assert sizes.tolist() == other.codes(same)[1].tolist()
        assert np.array_equal(index.cosines(at, query), other.cosines(same, query), equal_nan=True)
        assert index.vectors is not None
        near = index.vectors.nearest(query, np.ones(index.size, np.bool_), 1000)
        coded = index.column("row")[at[sizes != NONE_YET]]
        assert sorted(index.column("row")[near].tolist()) == sorted(coded.tolist())


def test_a_new_process_reads_the_files_and_then_what_is_new() -> None:
    with filled() as ledger:
        save(ledger)
        assert used(ledger)
        ledger.apply([Add(new_id(), "later words", NOW, scope=SCOPES[2], speaker="Bob")])
        first = ledger.history(ledger.list(limit=1)[0].id)[0]
        ledger.apply([Supersede(first.id, "corrected words")])
        assert used(ledger)
        index = open_saved(ledger)
        index.follow()
        plain = Index(ledger, index.model, DIMENSION, index.role)
        plain.follow()
        assert_same(index, plain)
        assert_codes(index, ledger, np.random.default_rng(1))


def test_an_index_without_vectors_reads_those_with() -> None:
    with filled() as ledger:
        save(ledger)
        assert used(ledger, model=False)
        index = open_saved(ledger, model=False)
        index.follow()
        assert (index.column("code_size") == NONE_YET).all()


def test_an_index_with_vectors_does_not_take_those_without() -> None:
    with filled() as ledger:
        save(ledger, model=False)
        assert not used(ledger)


@pytest.mark.parametrize("file", ["current", "lists", "pooled", "codes", "vectors"])
@pytest.mark.parametrize("how", ["cut", "longer", "gone", "empty"])
def test_what_is_cut_off_is_not_used(file: str, how: str) -> None:
    with filled() as ledger:
        save(ledger)
        (path,) = (one for one in snapshot.folder(Path(ledger.path)).iterdir() if one.name.endswith(file))
        raw = path.read_bytes()
        path.unlink()
        if how != "gone":
            path.write_bytes({"cut": raw[:-1], "longer": raw + b"\0", "empty": b""}[how])
        assert not used(ledger)


def test_a_flipped_byte_of_the_header_or_a_column_is_seen() -> None:
    with filled() as ledger:
        save(ledger)
        place = snapshot.folder(Path(ledger.path))
        header = place / "current"
        told = json.loads(header.read_bytes().partition(b"\n")[2])
        lists = place / f"{told['generation']}.lists"
        for path, at in [
            (header, 3),
            (header, 200),
            *((lists, told["parts"][f"column.{n}"][1]) for n in ("row", "scope")),
        ]:
            raw = path.read_bytes()
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 255]) + raw[at + 1 :])
            assert not used(ledger), (path.name, at)
            path.write_bytes(raw)
        assert used(ledger)


def test_a_damaged_list_that_a_search_stumbles_over_is_made_anew() -> None:
    with filled() as ledger:
        save(ledger)
        place = snapshot.folder(Path(ledger.path))
        told = json.loads((place / "current").read_bytes().partition(b"\n")[2])
        _, at, _, shape, *_ = told["parts"]["tokens.keys"]
        path = place / f"{told['generation']}.lists"
        raw = path.read_bytes()
        path.write_bytes(raw[:at] + b"\xff" * 2 * shape[0] + raw[at + 2 * shape[0] :])
        index = open_saved(ledger)
        recall = Recall(index, None, Settings(meaning="instant"))
        assert len(recall.ask("more words", {}, Believed(), NOW).rows) == 30
        assert not place.exists()
        assert_words(index, ledger)


def test_another_store_at_the_same_place_does_not_use_them(tmp_path: Path) -> None:
    with filled() as ledger, filled(31) as other:
        save(ledger)
        place = snapshot.folder(Path(other.path))
        snapshot.folder(Path(ledger.path)).rename(place)
        assert not used(other)


def test_a_reindex_makes_them_useless_and_so_does_an_older_copy_of_the_store(tmp_path: Path) -> None:
    with filled() as ledger:
        copy = tmp_path / "copy.db"
        with closing(sqlite3.connect(ledger.path)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        ledger.apply([Add(new_id(), "later words", NOW)])
        save(ledger)
        snapshot.folder(Path(ledger.path)).rename(snapshot.folder(copy))
        with_copy = open_ledger(copy, FrozenClock(NOW))
        with_copy.apply([Add(new_id(), "other words", NOW)])
        assert not used(with_copy)
        with_copy.close()
        save(ledger)
        assert used(ledger)
        ledger.drop_derived("lexical")
        assert not used(ledger)


def test_one_process_writes_at_a_time_and_others_let_it() -> None:
    with filled() as ledger:
        index = open_saved(ledger)
        saver = saving.Saver(index, snapshot.folder(Path(ledger.path)))
        with snapshot.locked(snapshot.folder(Path(ledger.path))) as held:
            assert held
            assert not saver.save()
        assert saver.save()
        names = {file.suffix for file in snapshot.folder(Path(ledger.path)).iterdir()}
        assert saver.save(), "what was there before goes"
        assert {file.suffix for file in snapshot.folder(Path(ledger.path)).iterdir()} == names
        assert len(list(snapshot.folder(Path(ledger.path)).glob("*.lists"))) == 1


def test_files_are_their_owners_only() -> None:
    with filled() as ledger:
        save(ledger)
        place = snapshot.folder(Path(ledger.path))
        assert place.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in place.iterdir()} == {0o600}


def test_discarding_deletes_all_and_who_has_them_mapped_goes_on() -> None:
    with filled() as ledger:
        save(ledger)
        index = open_saved(ledger)
        index.follow()
        snapshot.discard(snapshot.folder(Path(ledger.path)))
        assert not snapshot.folder(Path(ledger.path)).exists()
        snapshot.discard(snapshot.folder(Path(ledger.path)))
        assert_codes(index, ledger, np.random.default_rng(2))
        assert_words(index, ledger)


def test_searching_goes_on_while_it_is_saved_and_read_anew() -> None:
    with filled() as ledger:
        index = open_saved(ledger)
        index.follow()
        saver = saving.Saver(index, snapshot.folder(Path(ledger.path)))
        recall, done = Recall(index, None, Settings(meaning="instant")), threading.Event()

        def keep_saving() -> None:
            for _ in range(5):
                saver.save()
                index.anew()
            done.set()

        thread = threading.Thread(target=keep_saving)
        thread.start()
        while not done.is_set():
            assert len(recall.ask("more words", {}, Believed(), NOW).rows) == 30
        thread.join()


def test_a_small_store_is_not_saved(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory.db", settings=Settings(meaning="instant")) as memory:
        memory.add_many({"text": f"words {n}"} for n in range(50))
        memory.search("words")
    assert not snapshot.folder(tmp_path / "memory.db").exists()


def test_names_of_nobody_are_not_written(tmp_path: Path) -> None:
    settings = Settings(meaning="instant", synchronous="normal")
    with Memory(tmp_path / "memory.db", clock=FrozenClock(NOW), settings=settings) as memory:
        memory.add(
            "a canary in the mine", user="canaryuser", session="canarysession", speaker="Canaryspeaker"
        )
        memory.add("nothing of it", user="ann", speaker="Ann")
        memory.search("canary")
        save(memory.ledger, model=False)
        memory.erase(user="canaryuser")
        save(memory.ledger, model=False)
        for file in snapshot.folder(tmp_path / "memory.db").iterdir():
            assert b"canary" not in file.read_bytes().lower()
        assert Scope(user="ann") in [scope for _, scope in memory.ledger.scope_table(after=0)]
