"""What is derived can be followed by an index, made again, and is never mixed from two models."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backends import for_ledger, here
from simonides.clock import FOREVER, FrozenClock, new_id
from simonides.errors import InputError, ModelMismatch
from simonides.ledger import Code, Fresh, Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add, Restore, Retire, Scope, Supersede

NOW = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
MINILM = {"name": "minilm", "dimension": 384}


def lexical(text: str) -> Lexical:
    return Lexical(text.encode(), text[:2].encode())


def open_ledger(path: Path | str, clock: FrozenClock | None = None) -> Ledger:
    chosen = Settings(synchronous="normal")
    return Ledger(
        here(path), clock=clock or FrozenClock(NOW), settings=chosen, analyse=lexical, **for_ledger()
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path / "memory.db")
    yield ledger
    ledger.close()


def fill(ledger: Ledger, count: int, **fields: str) -> list[str]:
    ids = [new_id() for _ in range(count)]
    ledger.apply([Add(id, f"text {place}", NOW, scope=Scope(**fields)) for place, id in enumerate(ids)])
    return ids


def code(row: int, mark: bytes = b"a") -> Code:
    return Code(row, mark * 4, mark * 9, mark * 2)


@dataclass
class Mirror:
    """An index in another process: it knows only what it asks for, piece by piece."""

    ledger: Ledger
    rows: dict[int, Fresh] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)
    token: tuple[int, int] | None = None
    seq: int = 0
    serial: int = 0
    epoch: int = 0
    reads: int = 0

    def follow(self, model: int) -> None:
        token = self.ledger.changed()
        if token == self.token:
            return
        self.token, self.reads = token, self.reads + 1
        if self.ledger.epoch() != self.epoch:
            self.rows, self.vectors, self.serial, self.epoch = {}, {}, 0, self.ledger.epoch()
        while fresh := self.ledger.fresh(max(self.rows, default=0), limit=7):
            self.rows.update((row.row, row) for row in fresh)
        closed, self.seq = self.ledger.closings(self.seq)
        self.ends.update(closed)
        while coded := self.ledger.coded_since(model, self.serial, limit=7):
            self.vectors.update((row, vector) for _, row, vector in coded)
            self.serial = coded[-1][0]

    def believed(self) -> set[int]:
        return {row for row, fresh in self.rows.items() if self.ends.get(row, fresh.recorded_to) == FOREVER}


def test_an_index_in_another_process_can_follow_piece_by_piece(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    ledger = open_ledger(tmp_path / "memory.db", clock)
    other = open_ledger(tmp_path / "memory.db", clock)
    model = ledger.model_id(MINILM, create=True)
    mirror, chance, ids = Mirror(other), random.Random(5), fill(ledger, 5)
    for step in range(60):
        clock.advance(minutes=1)
        id = chance.choice(ids)
        match chance.randrange(6):
            case 0:
                ids += fill(ledger, chance.randrange(1, 12))
            case 1 | 2 as which:
                try:
                    ledger.apply([Supersede(id, f"new {step}") if which == 1 else Retire(id, clock.now())])
                except InputError:
                    ledger.apply([Restore(id)])
            case 3:
                ledger.put_codes(model, [code(row, b"%d" % (row % 7)) for row in ledger.backlog(5)])
            case 4 if step > 30:
                ledger.drop_derived(chance.choice(("codes", "lexical", "all")))
                model = ledger.model_id(MINILM, create=True)
            case _:
                pass
        mirror.follow(model)
        everything = ledger.fresh(0)
        assert [mirror.rows[row.row][:7] for row in everything] == [row[:7] for row in everything]
        assert mirror.believed() == {row.row for row in everything if row.recorded_to == FOREVER}
        assert mirror.vectors == dict(ledger.pooled(model))
    seen = mirror.reads
    mirror.follow(model)
    assert mirror.reads == seen, "nothing was committed, so nothing is read"
    other.close()
    ledger.close()


def test_the_token_changes_with_every_commit_of_anybody(ledger: Ledger) -> None:
    other = open_ledger(ledger.path)
    tokens = [ledger.changed()]
    for writer in (ledger, other, ledger, other):
        fill(writer, 1)
        tokens.append(ledger.changed())
    assert len(set(tokens)) == 5
    assert ledger.changed() == tokens[-1]
    in_threads: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: in_threads.append(ledger.changed()))
    thread.start()
    thread.join()
    assert in_threads == [tokens[-1]]
    ledger.list()
    assert ledger.changed() == tokens[-1]
    other.close()


def test_a_new_version_keeps_the_codes_of_a_text_that_stays(ledger: Ledger) -> None:
    (id,) = fill(ledger, 1)
    model = ledger.model_id(MINILM, create=True)
    ledger.put_codes(model, [code(1)])
    ledger.apply([Supersede(id, "other", at=NOW + timedelta(days=1))])
    clipped, new = 2, 3
    assert ledger.codes([clipped, new], model) == {clipped: code(clipped)}
    assert ledger.backlog() == [new]
    ledger.apply([Supersede(id, metadata={"n": 1})])
    assert ledger.backlog() == [new, 4]
    assert [row.words for row in ledger.fresh(0)] == [b"text 0", b"text 0", b"other", b"other"]


def test_the_backlog_holds_what_has_no_codes(ledger: Ledger) -> None:
    fill(ledger, 10)
    model = ledger.model_id(MINILM, create=True)
    assert ledger.backlog(3) == [1, 2, 3]
    ledger.put_codes(model, [code(row) for row in (2, 3, 99)])
    assert ledger.backlog() == [1, 4, 5, 6, 7, 8, 9, 10]
    assert ledger.backlog_size() == ledger.sizes()["backlog"] == 8
    assert ledger.codes([1, 2, 99], model) == {2: code(2)}
    assert ledger.codes([2], model + 1) == {}
    ledger.put_codes(model, [code(2, b"b")])
    assert ledger.codes([2], model) == {2: code(2, b"b")}
    assert [row for _, row, _ in ledger.coded_since(model, 0)] == [3, 2]
    assert all(finding.ok for finding in ledger.check())


def test_two_models_are_never_mixed(ledger: Ledger) -> None:
    fill(ledger, 3)
    assert ledger.model_id(MINILM, create=False) == 0
    first, other = ledger.model_id(MINILM, create=True), ledger.model_id({"name": "other"}, create=True)
    assert first != other
    assert ledger.model_id(dict(reversed(MINILM.items())), create=False) == first
    ledger.put_codes(first, [code(1)])
    assert ledger.model_identity() == '{"dimension":384,"name":"minilm"}'
    for attempt in (
        lambda: ledger.model_id({"name": "other"}, create=True),
        lambda: ledger.model_id({"name": "third"}, create=False),
        lambda: ledger.put_codes(other, [code(2)]),
    ):
        with pytest.raises(ModelMismatch, match=r"minilm.*simonides reindex"):
            attempt()
    ledger.drop_derived("codes")
    third = ledger.model_id({"name": "third"}, create=True)
    ledger.put_codes(third, [code(2)])
    assert ledger.backlog() == [1, 3]


def test_words_can_be_made_again(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "memory.db")
    fill(ledger, 30)
    ledger.close()
    louder = Ledger(
        here(tmp_path / "memory.db"),
        **for_ledger(),
        clock=FrozenClock(NOW),
        settings=Settings(),
        analyse=lambda text: lexical(text.upper()),
    )
    seen: list[int] = []
    assert louder.drop_derived("lexical", progress=seen.append) == 30
    assert [row.words for row in louder.fresh(0)] == [f"TEXT {place}".encode() for place in range(30)]
    assert seen[-1] == 30
    with pytest.raises(InputError, match="one of codes, lexical, all"):
        louder.drop_derived("texts")
    louder.close()


def test_words_lost_on_the_way_are_named_and_made_good(ledger: Ledger) -> None:
    fill(ledger, 5)
    with ledger.database.writing() as connection:
        connection.execute("DELETE FROM lexical WHERE row > 3")
    assert [row.words is None for row in ledger.fresh(0)] == [False, False, False, True, True]
    assert [finding.name for finding in ledger.check() if not finding.ok] == ["words"]
    assert ledger.fill_words() == 2
    assert all(finding.ok for finding in ledger.check())


def test_the_turn_before_is_the_one_written_before_in_the_session(ledger: Ledger) -> None:
    (first, *_) = fill(ledger, 3, session="s1")  # rows 1 to 3
    fill(ledger, 2, session="s2")  # rows 4 and 5
    fill(ledger, 2)  # rows 6 and 7, of no session
    ledger.apply([Add(new_id(), "a note", NOW, kind="note", scope=Scope(session="s1"))])  # row 8
    fill(ledger, 1, session="s1")  # row 9
    ledger.apply([Supersede(first, "changed")])  # row 10 is the first turn again
    fill(ledger, 1, session="s1")  # row 11
    expected = {2: 1, 3: 2, 5: 4, 9: 3, 11: 9}
    assert ledger.previous(range(1, 12)) == expected
    assert ledger.previous([3, 6, 99]) == {3: 2}


def test_scopes_are_numbered_once_for_all_processes(tmp_path: Path) -> None:
    one, two = open_ledger(tmp_path / "memory.db"), open_ledger(tmp_path / "memory.db")
    fill(one, 1, user="ann")
    fill(two, 1, user="ann")
    fill(two, 1, user="bob")
    fill(one, 1, user="bob")
    assert one.scope_table() == two.scope_table() == [(1, Scope(user="ann")), (2, Scope(user="bob"))]
    assert one.scope_table(after=1) == [(2, Scope(user="bob"))]
    assert one.verify().ok
    one.close()
    two.close()
