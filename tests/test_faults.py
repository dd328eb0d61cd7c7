"""Nothing acknowledged is lost when a store breaks off at any write, and a disk that fails leaves it whole."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simonides.bench.crashing.checks import opening_of
from simonides.bench.faulting.boundaries import Crashes, crash, held
from simonides.bench.faulting.disk import Act, Disk, Platter, Step, Trace, Watched, after_kill, apply
from simonides.bench.faulting.erasing import erased
from simonides.bench.faulting.failing import Refusal, refuse
from simonides.bench.faulting.measuring import KEY, encrypted_opening, lived, migrated
from simonides.bench.faulting.workload import opened
from simonides.ledger.encrypted import Vault

NAME = f"tested{os.getpid()}"
EVERY = int(os.environ.get("SIMONIDES_FAULTS_EVERY", "12"))
"""Each so many-th boundary is tried; `simonides bench faults` tries all."""


@pytest.fixture(scope="module")
def trace() -> Iterator[Trace]:
    made = Trace()
    disk = Disk(NAME, made)
    yield made
    disk.unregister()


def silent(what: str) -> Callable[[int], object]:
    return lambda _more: None


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_nothing_acknowledged_is_lost_at_any_write(tmp_path: Path, trace: Trace, synchronous: str) -> None:
    """With `full` also when the power fails; with `normal` a power failure may take the last writes, never a half."""
    lived(trace, tmp_path / "life", Watched(NAME), synchronous)
    lasting = synchronous == "full"
    crashes = Crashes(EVERY, power=1, kill=lasting, lasting=lasting)
    survived = crash(trace, {}, tmp_path, held(opening_of), crashes)
    assert survived.problems == []
    assert survived.writes > 500
    assert survived.syncs > (30 if lasting else 5)
    assert survived.failures > survived.steps / EVERY - 1


def test_an_encrypted_store_survives_alike(tmp_path: Path, trace: Trace) -> None:
    lived(trace, tmp_path / "life", Vault(KEY, NAME), "full")
    survived = crash(trace, {}, tmp_path, held(encrypted_opening), Crashes(3 * EVERY))
    assert survived.problems == []
    assert survived.kills > 20


def test_a_migration_is_done_or_not_begun_at_any_write(tmp_path: Path, trace: Trace) -> None:
    survived = migrated(trace, tmp_path, Watched(NAME), Crashes(EVERY), silent)
    assert survived.problems == []
    assert survived.kills > 5


def test_an_erasure_is_done_or_not_begun_at_any_write(tmp_path: Path, trace: Trace) -> None:
    """And once it was acknowledged, no file holds a word of it, whatever happens to the process or the power."""
    survived = erased(trace, tmp_path, Watched(NAME), opening_of, Crashes(EVERY))
    assert survived.problems == []
    assert survived.kills > 5


def test_the_check_sees_a_loss(tmp_path: Path, trace: Trace) -> None:
    """`normal` does not promise what `full` does: held to that promise, it fails."""
    lived(trace, tmp_path / "life", Watched(NAME), "normal", rounds=1)
    survived = crash(trace, {}, tmp_path, held(opening_of), Crashes(40, power=2, kill=False))
    assert any("LOST" in problem for problem in survived.problems)


@pytest.mark.parametrize("how", list(Refusal))
def test_a_write_that_fails_is_told_and_the_next_goes_well(
    tmp_path: Path, trace: Trace, how: Refusal
) -> None:
    found = refuse(
        trace, tmp_path, lambda path: opened(path, Watched(NAME)), opening_of, how, every=3 * EVERY
    )
    assert found.problems == []
    assert found.runs > 10
    assert found.calls >= found.runs - found.silent > 0


def test_a_kill_keeps_all_writes_and_a_power_failure_those_that_were_synced() -> None:
    steps = [
        Step(Act.CREATE, "a"),
        Step(Act.WRITE, "a", 0, b"one"),
        Step(Act.SYNC, "a"),
        Step(Act.WRITE, "a", 5, b"x" * 1000),
        Step(Act.TRUNCATE, "a", 4),
        Step(Act.DELETE, "a", 1),
    ]
    killed = [{name: bytes(content) for name, content in files.items()} for files in after_kill(steps, {})]
    assert killed[3] == {"a": b"one"}
    assert killed[4] == {"a": b"one\0\0" + b"x" * 1000}
    assert killed[5] == {"a": b"one\0"}
    assert killed[6] == {}
    platter, chance, seen = Platter({}), random.Random(1), set[bytes]()
    for step in steps[:4]:
        platter.take(step)
    for _ in range(200):
        left = bytes(platter.fail(chance)["a"])
        assert left.startswith(b"one")
        seen.add(left)
    whole = b"one\0\0" + b"x" * 1000
    assert {b"one", whole} < seen
    assert any(one != whole and len(one) == len(whole) for one in seen), "no write was torn"
    for step in steps[4:]:
        platter.take(step)
    assert platter.fail(chance) == {}


def test_the_first_sync_of_a_new_log_settles_the_names_of_all_files() -> None:
    platter, chance = Platter({"j": b"journal"}), random.Random(1)
    for step in (Step(Act.DELETE, "j"), Step(Act.CREATE, "w"), Step(Act.WRITE, "w", 0, b"log")):
        platter.take(step)
    assert any("j" in platter.fail(chance) for _ in range(20))
    platter.take(Step(Act.SYNC, "w"))
    assert platter.fail(chance) == {"w": b"log"}
    files = {"a": bytearray(b"a")}
    apply(files, Step(Act.SYNC, "a"))
    assert files == {"a": b"a"}
