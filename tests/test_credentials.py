"""Credentials: the token is shown once, the store holds digests, and what ends one ends it in every process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from backends import Place, for_memory, here
from simonides import FrozenClock, Memory, Settings
from simonides.bounded import RIGHTS
from simonides.credentials import Credential, check, issue, known_tenant, listed, revoke, rotate, tenant_of
from simonides.doors.cli import cli
from simonides.errors import Forbidden, InputError, NotFound, SimonidesError
from simonides.ledger.postgres.address import is_address
from simonides.types import Scope

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUICK = Settings(meaning="instant", busy_seconds=20)
DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


def opened(clock: FrozenClock) -> Memory:
    return Memory(here("memory.db"), clock=clock, settings=QUICK, actor="lead", **for_memory())


@pytest.fixture
def memory(clock: FrozenClock) -> Iterator[Memory]:
    with opened(clock) as found:
        yield found


def test_a_token_stands_for_what_was_issued(memory: Memory) -> None:
    token, made = issue(memory, "Ana's laptop", scope=Scope(user="ana"), rights=("write", "read"), ttl=DAY)
    assert made == Credential(
        made.id, "Ana's laptop", Scope(user="ana"), ("read", "write"), NOW, NOW + DAY, None, None
    )
    found = check(memory, token)
    assert (found.id, found.scope, found.rights, found.used) == (made.id, made.scope, made.rights, NOW)
    assert listed(memory) == [found]


def test_another_process_knows_it_and_hears_of_its_end(memory: Memory, clock: FrozenClock) -> None:
    token, made = issue(memory, "server")
    with opened(clock) as other:
        assert check(other, token).id == made.id
        assert revoke(other, made.id).revoked == NOW
    with pytest.raises(Forbidden, match="was revoked"):
        check(memory, token)
    clock.advance(hours=1)
    assert revoke(memory, made.id).revoked == NOW, "twice is fine"


def test_it_expires(memory: Memory, clock: FrozenClock) -> None:
    token, made = issue(memory, "for a day", ttl=DAY)
    clock.advance(hours=23, minutes=59)
    check(memory, token)
    clock.advance(minutes=1)
    with pytest.raises(Forbidden, match="has expired"):
        check(memory, token)
    with pytest.raises(InputError, match="has expired"):
        rotate(memory, made.id, grace=DAY)


def test_the_old_token_is_good_for_the_grace_and_the_one_before_it_is_not(
    memory: Memory, clock: FrozenClock
) -> None:
    first, made = issue(memory, "rotating")
    second, after = rotate(memory, made.id, grace=timedelta(hours=1))
    assert (after.id, first == second) == (made.id, False)
    assert check(memory, first).id == check(memory, second).id
    third, _ = rotate(memory, made.id, grace=timedelta(hours=1))
    with pytest.raises(Forbidden, match="is unknown"):
        check(memory, first)
    check(memory, second)
    clock.advance(hours=1)
    with pytest.raises(Forbidden, match="was replaced"):
        check(memory, second)
    check(memory, third)
    fourth, _ = rotate(memory, made.id, grace=timedelta())
    with pytest.raises(Forbidden, match="was replaced"):
        check(memory, third)
    check(memory, fourth)


def test_its_use_is_written_once_a_minute(memory: Memory, clock: FrozenClock) -> None:
    token, made = issue(memory, "busy")
    check(memory, token)
    clock.advance(seconds=59)
    assert check(memory, token).used == NOW
    clock.advance(seconds=1)
    assert check(memory, token).used == NOW + timedelta(minutes=1)
    assert [one.verb for one in memory.log(subject=made.id)] == ["issue"], "and that is no event"


def test_what_is_done_is_in_the_log_without_a_secret_or_a_name(memory: Memory) -> None:
    token, made = issue(memory, "Ana's laptop", scope=Scope(user="ana"))
    other, _ = rotate(memory, made.id, grace=DAY)
    revoke(memory, made.id)
    events = memory.log(subject=made.id)
    assert [(one.verb, one.actor) for one in events] == [
        ("issue", "lead"),
        ("rotate", "lead"),
        ("revoke", "lead"),
    ]
    said = " ".join(str(one.payload) for one in events)
    assert "scoped" in said
    assert not any(part in said for part in ("laptop", "ana", token[-20:], other[-20:]))
    assert memory.ledger.verify().ok
    for event in events:
        with pytest.raises(InputError, match="is about a credential"):
            memory.undo(event.seq)


def test_no_token_lies_in_the_store(memory: Memory, tmp_path: Path) -> None:
    token, _ = issue(memory, "hidden")
    secret = token.rsplit("_", 1)[1]
    with memory.ledger.database.reading() as connection:
        rows = connection.execute("SELECT * FROM credential").fetchall()
    held = repr(rows)
    assert secret not in held
    assert secret.upper() not in held
    dumped = repr(list(memory.dump()))
    assert "hidden" not in dumped
    assert secret not in dumped
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_a_dump_brings_no_credentials_and_its_log_holds(memory: Memory, clock: FrozenClock) -> None:
    token, _ = issue(memory, "stays")
    memory.add("goes along")
    with Memory(here("other.db"), clock=clock, settings=QUICK, **for_memory()) as other:
        other.undump(memory.dump())
        assert listed(other) == []
        assert other.ledger.verify().ok
        with pytest.raises(Forbidden, match="is unknown"):
            check(other, token)


def test_a_backup_is_the_file_and_holds_them(clock: FrozenClock, place: Place, tmp_path: Path) -> None:
    if place.backend == "postgresql":
        return  # a server is backed up with its own tools
    with opened(clock) as memory:
        token, made = issue(memory, "kept")
        memory.backup(tmp_path / "copy.db")
    with Memory(tmp_path / "copy.db", clock=clock, settings=QUICK, **for_memory()) as copy:
        assert check(copy, token).id == made.id


def test_erasing_a_person_says_which_credential_still_names_them(memory: Memory) -> None:
    _, made = issue(memory, "hers", scope=Scope(user="ana"))
    memory.add("about Ana", user="ana")
    done = memory.erase(user="ana")
    assert f"credential {made.id}, which names a user that no memory has" in done.still_holding
    check_again, _ = rotate(memory, made.id, grace=timedelta())
    assert check(memory, check_again).scope.user == "ana"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"), "is unknown"),
        (lambda t: t.replace("sim_-_", "sim_mfxgc_"), "is unknown"),
        (lambda t: t.replace(t[-60:-53], "0000000"), "is unknown"),
        (lambda t: t + "a", "is no token"),
        (lambda t: t.upper(), "is no token"),
        (lambda t: " " + t, "is no token"),
        (lambda t: t + "\n", "is no token"),
        (lambda t: "", "is no token"),
        (lambda t: "x" * 100_000, "is no token"),
        (lambda t: t.replace("sim", "sïm"), "is no token"),
    ],
)  # fmt: skip
def test_a_token_that_was_changed_is_refused_and_not_repeated(
    clock: FrozenClock, change: Callable[[str], str], rule: str
) -> None:
    with Memory(here(), clock=clock, settings=QUICK, **for_memory()) as memory:
        token, _ = issue(memory, "one", tenant="")
        wrong = change(token)
        if wrong == token:
            return
        with pytest.raises(Forbidden, match=rule) as refused:
            check(memory, wrong)
        secret = token.rsplit("_", 1)[1]
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"name": ""}, "must not be empty"),
        ({"name": "x", "rights": ("root",)}, "must be of read, write, erase, admin"),
        ({"name": "x", "rights": ()}, "must be at least one"),
        ({"name": "x", "ttl": timedelta()}, "must be longer than nothing"),
        ({"name": "x", "ttl": timedelta.max}, "is longer than time"),
        ({"name": "x", "tenant": "t" * 200}, "must be at most 125 bytes"),
    ],
)
def test_what_can_not_be_issued_is_said(memory: Memory, arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        issue(memory, **arguments)
    assert listed(memory) == []


def test_what_is_not_there_is_not_found(memory: Memory) -> None:
    for act in (lambda: revoke(memory, "0" * 32), lambda: rotate(memory, "0" * 32, grace=DAY)):
        with pytest.raises(NotFound, match="no such credential"):
            act()
    with pytest.raises(InputError, match="grace"):
        rotate(memory, issue(memory, "x")[1].id, grace=-DAY)


def test_a_token_says_whose_store_it_opens(memory: Memory, place: Place) -> None:
    token, made = issue(memory, "x")
    named = memory.ledger.database.tenant_name
    assert tenant_of(token) == named
    assert tenant_of(rotate(memory, made.id, grace=DAY)[0]) == named
    assert known_tenant(memory, named)
    assert not known_tenant(memory, "somebody-else")
    assert not known_tenant(memory, "somebody-else"), "asking does not make it"
    assert bool(named) == is_address(place())


@given(tenant=st.text(max_size=30), rights=st.sets(st.sampled_from(RIGHTS), min_size=1))
def test_every_token_reads_back(tenant: str, rights: set[str]) -> None:
    with Memory(":memory:", settings=QUICK) as memory:
        try:
            token, made = issue(memory, "x", tenant=tenant, rights=rights)
        except SimonidesError:
            assert len(tenant.encode()) > 125
            return
        assert tenant_of(token) == tenant
        assert re.fullmatch(r"sim_(-|[a-z2-7]+)_[0-9a-f]{32}_[a-z2-7]{52}", token)
        assert set(check(memory, token).rights) == rights == set(made.rights)


def test_a_tenant_does_not_know_the_token_of_another(clock: FrozenClock, place: Place) -> None:
    with opened(clock) as memory:
        token, _ = issue(memory, "mine")
        with (
            Memory(place("other.db"), clock=clock, settings=QUICK, **for_memory()) as other,
            pytest.raises(Forbidden, match="is unknown"),
        ):
            check(other, token)


def test_the_command_line_issues_shows_rotates_and_revokes(tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(cli, ["--path", str(tmp_path / "memory.db"), "--json", "token", *words])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout or done.stderr)

    assert run("list", code=1) == {"credentials": []}
    made = run("create", "ana", "--user", "ana", "--right", "read", "--ttl", "90d")
    again = run("rotate", made["credential"]["id"], "--grace", "1h")
    assert again["credential"] == made["credential"]
    with Memory(tmp_path / "memory.db", settings=QUICK) as memory:
        for token in (made["token"], again["token"]):
            found = check(memory, token)
            assert (found.scope, found.rights) == (Scope(user="ana"), ("read",))
    (shown,) = run("list")["credentials"]
    assert shown["id"] == made["credential"]["id"]
    assert shown["used"] is not None
    assert made["token"][-20:] not in json.dumps(shown)
    assert run("rotate", shown["id"], "--now")["token"] != again["token"]
    assert run("revoke", shown["id"])["revoked"] is not None
    assert run("rotate", shown["id"], code=3)["error"]["rule"] == "was revoked"
    assert run("revoke", "0" * 32, code=4)["error"]["type"] == "NotFound"


def test_for_people_the_token_stands_alone_on_standard_output(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--path", str(tmp_path / "memory.db"), "token", "create", "laptop"])
    assert re.fullmatch(r"sim_\S+\n", done.stdout)
    assert "not shown again" in done.stderr
    listed_ = CliRunner().invoke(cli, ["--path", str(tmp_path / "memory.db"), "token", "list"]).stdout
    assert listed_.split("\t")[1:] == ["laptop", "everything", "read write", "for ever", "never\n"]
