"""The log: nothing can be changed behind its back, and it holds no text of a memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import Place, for_ledger, here
from simonides.clock import FrozenClock, new_id
from simonides.errors import InputError
from simonides.ledger import Ledger, Lexical, proof
from simonides.settings import Settings
from simonides.types import Add, Connect, Disconnect, Restore, Retire, Scope, Source, Supersede

NOW = datetime(2026, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("place")
SECRET = "The password is swordfish"


def open_ledger(path: Path | str, clock: FrozenClock) -> Ledger:
    return Ledger(
        here(path), clock=clock, settings=Settings(), analyse=lambda text: Lexical(b"w", b"t"), **for_ledger()
    )


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def ledger(tmp_path: Path, clock: FrozenClock) -> Iterator[Ledger]:
    """A ledger in which something of every kind has happened."""
    ledger = open_ledger(tmp_path / "memory.db", clock)
    first, second, edge = new_id(), new_id(), new_id()
    scope = Scope(user="annabella", session="session-1")
    said = Source(name="chat", modality="asserted")
    ledger.apply(
        [
            Add(first, SECRET, NOW, scope=scope, source=said, metadata={"topic": "hidden"}, speaker="Ann"),
            Add(second, "Another one", NOW),
            Connect(edge, first, second, "near", NOW, evidence="proof of it"),
        ],
        actor="test",
    )
    clock.advance(days=1)
    ledger.apply([Supersede(first, SECRET + "!", at=clock.now(), reason="louder")])
    ledger.apply([Retire(second, clock.now())])
    ledger.apply([Restore(second), Disconnect(edge, clock.now())])
    yield ledger
    ledger.close()


def test_every_change_is_in_the_log_in_order(ledger: Ledger) -> None:
    events = ledger.events()
    assert [event.seq for event in events] == list(range(1, 8))
    assert [event.verb for event in events] == [
        "add",
        "add",
        "link",
        "supersede",
        "retire",
        "restore",
        "unlink",
    ]
    assert [event.actor for event in events[:4]] == ["test", "test", "test", ""]
    assert events[0].at == NOW


def test_the_log_can_be_read_in_parts_and_by_subject(ledger: Ledger) -> None:
    assert [event.seq for event in ledger.events(after=2, limit=3)] == [3, 4, 5]
    first = ledger.events()[0].subject
    assert [event.verb for event in ledger.events(subject=first)] == ["add", "supersede"]
    with pytest.raises(InputError, match="limit"):
        ledger.events(limit=0)


def test_the_log_holds_no_text_of_a_memory(ledger: Ledger) -> None:
    log = json.dumps([dict(event.payload or {}) for event in ledger.events()])
    for word in ("password", "swordfish", "Another", "hidden", "proof", "annabella", "session-1"):
        assert word not in log


def test_equal_contents_have_different_payloads(ledger: Ledger) -> None:
    """A salt keeps a redacted payload from being guessed by hashing likely texts."""
    salts = [(event.payload or {})["salt"] for event in ledger.events()]
    assert len(set(salts)) == len(salts)


def test_the_chain_can_be_computed_by_anybody(ledger: Ledger) -> None:
    """From the description alone: SHA-256 over the digest before and canonical JSON."""
    before = bytes(32)
    for event in ledger.events():
        payload = json.dumps(event.payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        at = (event.at - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
        entry = [event.seq, at, event.actor, event.verb, event.subject, sha256(payload.encode()).hexdigest()]
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        before = sha256(before + line.encode()).digest()
        assert event.digest == before.hex()
    assert ledger.verify().head == before.hex()


def test_an_untouched_store_verifies(ledger: Ledger) -> None:
    result = ledger.verify()
    assert result.ok
    assert (result.events, len(result.head)) == (7, 64)


TAMPERINGS = {
    "a text": "UPDATE memory SET text = 'x' WHERE row = 1",
    "one letter of a closed version": "UPDATE memory SET text = replace(text, 'p', 'P') WHERE closed IS NOT NULL",
    "who said it": "UPDATE memory SET speaker = 'Bob' WHERE row = 1",
    "metadata": 'UPDATE memory SET metadata = \'{"topic":"open"}\' WHERE row = 1',
    "where it comes from": "UPDATE memory SET source = NULL WHERE row = 1",
    "when it was true": "UPDATE memory SET valid_from = valid_from + 1 WHERE row = 2",
    "when it was believed": "UPDATE memory SET recorded_from = recorded_from - 1 WHERE row = 2",
    "until when it was believed": "UPDATE memory SET recorded_to = recorded_to + 1 WHERE closed IS NOT NULL",
    "that it was closed": "UPDATE memory SET closed = NULL, recorded_to = 9223372036854775807 WHERE row = 1",
    "that it is open": "UPDATE memory SET recorded_to = 1 WHERE row = (SELECT max(row) FROM memory)",
    "whose it is": "UPDATE memory SET scope = 2 WHERE row = 1",
    "the name of a user": "UPDATE scope SET \"user\" = 'eve' WHERE scope = 1",
    "a confidence": "UPDATE memory SET confidence = 0.5 WHERE row = 1",
    "a row that is gone": "DELETE FROM memory WHERE row = 2",
    "a row put in": """INSERT INTO memory
        (row, id, version, kind, scope, valid_from, valid_to, recorded_from, recorded_to, opened, zone, confidence,
        importance, speaker, actor, reason, text)
        SELECT 99, x'00112233445566778899aabbccddeeff', 1, kind, scope, valid_from, valid_to, recorded_from,
        recorded_to, opened, zone, confidence, importance, speaker, actor, reason, text FROM memory WHERE row = 2""",
    "the weight of a link": "UPDATE link SET weight = 9",
    "a link that is gone": "DELETE FROM link WHERE version = 2",
    "an event's time": "UPDATE event SET at = at + 1 WHERE seq = 3",
    "an event's actor": "UPDATE event SET actor = 'eve' WHERE seq = 3",
    "an event's payload": "UPDATE event SET payload = '{}' WHERE seq = 2",
    "an event in the middle": "DELETE FROM event WHERE seq = 3",
    "the newest events": "DELETE FROM event WHERE seq > 5",
    "the first event": "DELETE FROM event WHERE seq = 1",
    "a digest": "UPDATE event SET digest = x'" + "00" * 32 + "' WHERE seq = 7",
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found(place: Place, tmp_path: Path, ledger: Ledger, statement: str) -> None:
    assert place.run(here(tmp_path / "memory.db"), statement) > 0
    result = ledger.verify()
    assert not result.ok
    assert not next(finding for finding in ledger.check() if finding.name == "log").ok


def test_a_head_kept_elsewhere_shows_that_the_log_was_written_anew(
    ledger: Ledger, clock: FrozenClock
) -> None:
    """Who owns the file can write a new history; the head that somebody noted down doesn't fit it."""
    other = open_ledger(":memory:", clock)
    other.apply([Add(event.subject, "made up", NOW) for event in ledger.events(limit=2)])
    assert other.verify().ok
    assert other.verify().head not in {event.digest for event in ledger.events()}
    other.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.only("sqlite")
def test_any_one_byte_of_the_log_matters(ledger: Ledger, data: st.DataObject) -> None:
    column = data.draw(st.sampled_from(("payload", "digest", "actor", "verb", "subject")))
    seq = data.draw(st.integers(1, 7))
    with ledger.database.writing(keep=False) as connection:
        old = connection.execute(
            f"SELECT CAST({column} AS BLOB) FROM event WHERE seq = ?", (seq,)
        ).fetchone()[0]
        if old:
            place = data.draw(st.integers(0, len(old) - 1))
            new = old[:place] + bytes([(old[place] + 1) % 128]) + old[place + 1 :]
            as_text = column in ("payload", "actor", "verb")
            connection.execute(
                f"UPDATE event SET {column} = {'CAST(? AS TEXT)' if as_text else '?'} WHERE seq = ?",
                (new, seq),
            )
            assert not proof.verify(connection).ok
    assert ledger.verify().ok
