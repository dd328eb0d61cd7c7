"""Files that are old, new, foreign, damaged or unwritable: a clear error or a safe migration, nothing half-written."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simonides.clock import FrozenClock, new_id
from simonides.doors.places import open_to_others, user_path
from simonides.errors import InputError, NewerStore, SimonidesError, StoreError, StoreUnusable
from simonides.ledger import Ledger, Lexical
from simonides.ledger.db import make_private
from simonides.ledger.migrations import LATEST, MIGRATIONS, pending
from simonides.settings import Settings
from simonides.types import Add, Restore
from test_cli import Shell

HERE = Path(__file__).resolve().parent
OLD = HERE / "old" / "v1.db"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def open_ledger(path: Path | str, **settings: str) -> Ledger:
    return Ledger(
        path,
        clock=FrozenClock(NOW),
        settings=Settings(**settings),  # pyright: ignore[reportArgumentType]
        analyse=lambda text: Lexical(b"w" * 50, b"t"),
    )


def add(text: str = "hello") -> Add:
    return Add(new_id(), text, NOW)


def statement(path: Path, *sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for each in sql:
            connection.execute(each)


# --- places --------------------------------------------------------------------------------------------------------


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "memory.db"
    ledger = open_ledger(path)
    ledger.apply([add()])
    assert ledger.path == path
    if os.name == "posix":
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    ledger.close()
    assert [each.name for each in path.parent.iterdir()] == ["memory.db"]


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.touch()
    ledger = open_ledger(path)
    ledger.apply([add()])
    ledger.close()


def test_a_path_may_begin_at_home(empty_home: Path) -> None:
    ledger = open_ledger("~/memory.db")
    assert ledger.path == empty_home / "memory.db"
    ledger.close()


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"is a directory.*memory.db"):
        open_ledger(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(StoreUnusable, match="its folder can't be made"):
        open_ledger(tmp_path / "file" / "memory.db")
    with pytest.raises(InputError, match="NUL"):
        open_ledger("a\0b")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreUnusable, match="is not a regular file"):
        open_ledger(tmp_path / "pipe")


def test_an_installed_package_is_no_place_for_memories(tmp_path: Path) -> None:
    import simonides

    for folder in (Path(simonides.__file__).parent / "nowhere", tmp_path / "site-packages" / "x"):
        with pytest.raises(StoreUnusable, match="inside an installed package"):
            open_ledger(folder / "memory.db")
        assert not folder.exists()


def message_to_somebody_without_rights(path: Path) -> str:
    """Return what opening a store says to a user who may not write it; root, who may write everything, steps down."""
    if not hasattr(os, "fork"):
        pytest.skip("file modes are those of POSIX")
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        message = "it was opened"
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            open_ledger(path)
        except Exception as err:  # noqa: BLE001 - whatever it is, the child must say it and end: it is a test runner too
            message = f"{type(err).__name__}: {err}"
        finally:
            os.write(send, message.encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        return pipe.read()


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """Return a folder that everybody may enter."""
    for folder in (tmp_path, *list(tmp_path.parents)[:4]):
        if folder.name.startswith(("pytest", "test", "popen")):
            folder.chmod(0o755)
    return tmp_path


def test_a_file_without_rights_is_refused(open_folder: Path) -> None:
    path = open_folder / "memory.db"
    open_ledger(path).close()
    before = path.read_bytes()
    path.chmod(0o444)
    assert "can't be read and written by you" in message_to_somebody_without_rights(path)
    assert path.read_bytes() == before


def test_a_folder_without_rights_is_refused(open_folder: Path) -> None:
    folder = open_folder / "mine"
    folder.mkdir(mode=0o755)
    folder.chmod(0o555)
    assert "can't be made" in message_to_somebody_without_rights(folder / "memory.db")
    assert list(folder.iterdir()) == []
    folder.chmod(0o755)
    open_ledger(folder / "memory.db").close()
    (folder / "memory.db").chmod(0o666)
    folder.chmod(0o555)
    message = message_to_somebody_without_rights(folder / "memory.db")
    assert "can't be" in message
    assert "Check the permissions" in message
    folder.chmod(0o755)


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"Dear diary", b"\0" * 5000, b"SQLite format 3\0" + b"x" * 5000],
    ids=["text", "zeros", "header only"],
)
def test_a_file_that_is_not_sqlite_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"is not a SQLite file|is damaged"):
        open_ledger(path)
    assert path.read_bytes() == content
    with pytest.raises(StoreError):
        pending(path)


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    for number, sql in enumerate(
        ("CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 3")
    ):
        path = tmp_path / f"{number}.db"
        statement(path, sql)
        before = path.read_bytes()
        with pytest.raises(StoreUnusable, match=r"another program.*Choose another path"):
            open_ledger(path)
        assert path.read_bytes() == before
        with pytest.raises(StoreUnusable, match="another program"):
            pending(path)


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    open_ledger(path).close()
    statement(path, f"PRAGMA user_version = {LATEST + 1}")
    before = path.read_bytes()
    with pytest.raises(NewerStore, match=rf"schema {LATEST + 1}, this one knows {LATEST}\).*Upgrade"):
        open_ledger(path)
    with pytest.raises(NewerStore):
        pending(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["memory.db"]


def filled(path: Path, count: int = 400) -> None:
    ledger = open_ledger(path, synchronous="normal")
    ledger.apply([add(f"text {place} " + "x" * 500) for place in range(count)])
    ledger.close()


def test_a_damaged_page_is_named_and_the_rest_can_be_read(tmp_path: Path) -> None:
    """Wherever 4 KB of the file are overwritten, reading gives the truth or a StoreError, and `check` finds it."""
    original = tmp_path / "original.db"
    filled(original)
    with open_ledger(original).database.reading() as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    places = range(1, pages, max(1, pages // 25))
    noticed: set[int] = set()
    for place in places:
        path = tmp_path / f"{place}.db"
        shutil.copy(original, path)
        with path.open("r+b") as file:
            file.seek(place * page)
            file.write(os.urandom(page))
        try:
            ledger = open_ledger(path)
            findings = ledger.check()
            noticed |= {place for finding in findings if not finding.ok}
            assert all(memory.text.startswith("text ") for memory in ledger.list(limit=1000))
            ledger.close()
        except StoreUnusable as err:
            noticed |= {place} if "damaged" in str(err) else set()
    assert noticed == set(places)


def test_flipped_bits_give_an_error_of_ours_or_an_answer(tmp_path: Path) -> None:
    original, path = tmp_path / "original.db", tmp_path / "memory.db"
    filled(original, 60)
    content, chance = original.read_bytes(), random.Random(11)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 3, 30))):
            damaged[chance.randrange(100, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(SimonidesError):
            ledger = open_ledger(path, synchronous="normal")
            for call in (
                ledger.list,
                ledger.check,
                ledger.verify,
                ledger.events,
                lambda it=ledger: list(it.dump()),
            ):
                with contextlib.suppress(SimonidesError):
                    call()
            with contextlib.suppress(SimonidesError):
                ledger.apply([add()])
            ledger.close()


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    filled(path)
    os.truncate(path, path.stat().st_size // 3)
    with pytest.raises(StoreUnusable, match="is damaged"):
        open_ledger(path).list(limit=1000)


@pytest.mark.parametrize("size", [1, 300])
def test_a_full_disk_stops_a_change_whole(tmp_path: Path, size: int) -> None:
    ledger = open_ledger(tmp_path / "memory.db")
    ledger.apply([add("first")])
    with ledger.database.writing() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    written = ledger.sizes()["versions"]
    failure = None
    while failure is None:
        try:
            written += len(ledger.apply([add("x" * 400) for _ in range(size)]))
        except StoreUnusable as err:
            failure = str(err)
    assert "the disk is full" in failure
    assert "Free some space" in failure
    sizes = ledger.sizes()
    assert sizes["versions"] == sizes["events"] == sizes["backlog"] == written
    assert all(finding.ok for finding in ledger.check())
    with ledger.database.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    ledger.apply([add("there is space again")])
    ledger.close()


LIMITED = """
import resource, signal, sys
from datetime import UTC, datetime
from simonides.clock import FrozenClock, new_id
from simonides.doors.places import open_to_others, user_path
from simonides.errors import StoreUnusable
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
from simonides.types import Add
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
now = datetime(2026, 1, 1, tzinfo=UTC)
count = 0
try:
    ledger = Ledger(sys.argv[1], clock=FrozenClock(now), settings=Settings(), analyse=lambda text: Lexical(b"", b""))
    while True:
        ledger.apply([Add(new_id(), "x" * 300, now)])
        count += 1
except StoreUnusable as err:
    print(count, err)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits")
@pytest.mark.parametrize("limit", [0, 5_000, 60_000, 300_000])
def test_a_disk_that_takes_no_more_leaves_a_sound_store(tmp_path: Path, limit: int) -> None:
    """The system itself refuses to let the files grow, also while the store is being made."""
    path = tmp_path / "memory.db"
    env = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    command = [sys.executable, "-c", LIMITED, str(path), str(limit)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    count, message = done.stdout.split(" ", 1)
    assert "the disk" in message
    ledger = open_ledger(path)
    assert ledger.sizes()["versions"] == ledger.sizes()["events"] == int(count)
    assert all(finding.ok for finding in ledger.check())
    ledger.apply([add("there is space again")])
    ledger.close()


def test_an_interrupt_in_the_middle_writes_nothing(tmp_path: Path) -> None:
    def analyse(text: str) -> Lexical:
        if text == "stop":
            raise KeyboardInterrupt
        return Lexical(b"", b"")

    ledger = Ledger(tmp_path / "memory.db", clock=FrozenClock(NOW), settings=Settings(), analyse=analyse)
    with pytest.raises(KeyboardInterrupt):
        ledger.apply([add("one"), add("stop")])
    with pytest.raises(KeyboardInterrupt):
        ledger.undump({"type": "memory", "id": new_id(), "kind": "turn", "text": text, "valid": ["2026-01-01", None],
                       "recorded": ["2026-01-01", None]} for text in ("one", "stop"))  # fmt: skip
    assert ledger.sizes()["versions"] == 0
    ledger.apply([add("two")])
    ledger.close()


OPENER = """
import sys
from datetime import UTC, datetime
from simonides.clock import FrozenClock
from simonides.ledger import Ledger, Lexical
from simonides.settings import Settings
clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
Ledger(sys.argv[1], clock=clock, settings=Settings(), analyse=lambda text: Lexical(b"", b"")).close()
"""


# --- migrations ----------------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "memory.db"
    shutil.copyfile(OLD, path)
    path.chmod(0o600)  # git keeps no more of the mode than whether it can be run
    return path


def schema(path: Path) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_an_old_file_is_opened_and_nothing_in_it_is_lost(old: Path, tmp_path: Path) -> None:
    ledger = open_ledger(old)
    assert [(memory.text, memory.metadata) for memory in ledger.list()] == [
        ("Ann lives in Rome", {"topic": "home"}),
        ("The cat is called Miro", {}),
    ]
    oslo, tea = ledger.list()[0].id, "01950000000070008000000000000003"
    assert [memory.reason for memory in ledger.history(oslo)] == ["said", "moved", "moved"]
    assert ledger.get(oslo, as_of=datetime(2025, 3, 5, tzinfo=UTC)).text == "Ann lives in Oslo"
    assert ledger.verify().ok
    assert all(finding.ok for finding in ledger.check())
    ledger.apply([Restore(tea)])
    assert ledger.get(tea).zone == "Europe/Oslo"
    ledger.close()
    open_ledger(tmp_path / "new.db").close()
    assert schema(old) == schema(tmp_path / "new.db")


def test_a_backup_is_made_before_the_first_step(old: Path) -> None:
    records = OLD.read_bytes()
    open_ledger(old).close()
    backup = old.with_name("memory.db.v1.backup")
    assert sorted(each.name for each in old.parent.iterdir()) == ["memory.db", "memory.db.v1.backup"]
    assert backup.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    assert schema(backup) == schema(OLD)
    with (
        contextlib.closing(sqlite3.connect(backup)) as copy,
        contextlib.closing(sqlite3.connect(OLD)) as source,
    ):
        for table in ("memory", "event", "codes", "scope"):
            query = f"SELECT * FROM {table}"
            assert copy.execute(query).fetchall() == source.execute(query).fetchall()
    assert OLD.read_bytes() == records
    open_ledger(old).close()
    open_ledger(backup).close()


def test_what_a_migration_would_do_can_be_seen_first(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    assert [step.number for step in pending(old)] == [*range(2, LATEST + 1)]
    assert old.read_bytes() == before
    assert pending(tmp_path / "none.db") == MIGRATIONS
    assert not (tmp_path / "none.db").exists()
    open_ledger(old).close()
    assert pending(old) == ()


def test_a_migration_that_fails_leaves_the_old_file(old: Path) -> None:
    """The step fails after the backup: the table it is about is gone."""
    statement(old, "DROP TABLE event")
    before = schema(old)
    with pytest.raises(StoreUnusable, match=r"is damaged .*no such table"):
        open_ledger(old)
    assert schema(old) == before
    assert [step.number for step in pending(old)] == [*range(2, LATEST + 1)]


def test_two_processes_may_migrate_at_once(old: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    command = [sys.executable, "-c", OPENER, str(old)]
    running = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)
    ]
    for each in running:
        assert each.communicate(timeout=60) == (b"", b"")
    assert schema(old.with_name("memory.db.v1.backup")) == schema(OLD)
    assert sorted(each.name for each in old.parent.iterdir()) == ["memory.db", "memory.db.v1.backup"]
    ledger = open_ledger(old)
    assert all(finding.ok for finding in ledger.check())
    ledger.close()


def test_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, LATEST + 1))
    assert all(step.name and step.statements for step in MIGRATIONS)


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_doctor_finds_a_default_folder_that_others_may_enter(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(empty_home))
    folder = empty_home / "simonides"
    assert open_to_others(folder) == 0, "it is not there yet"
    folder.mkdir(mode=0o700)
    assert open_to_others(folder) == 0
    shell = Shell(tmp_path / "memory.db")
    found = {one["name"]: one for one in shell.json("doctor")["findings"]}
    assert "folder" not in found or found["folder"]["ok"]
    folder.chmod(0o750)
    found = {one["name"]: one for one in shell.json("doctor", code=1)["findings"]}
    assert not found["folder"]["ok"]
    assert found["folder"]["fix"] == f"chmod 700 {user_path().parent}"


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_each_folder_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    place = tmp_path / "one" / "two" / "three"
    make_private(place)
    made = (place, place.parent, place.parent.parent)
    assert [each.stat().st_mode & 0o777 for each in made] == [0o700] * 3
    tmp_path.chmod(0o755)
    make_private(place)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_new_store_is_never_seen_half_made(tmp_path: Path) -> None:
    """Who opens it meanwhile would take it for an old one, and leave a backup of nothing beside it."""
    path, seen = tmp_path / "memory.db", set[int]()

    def look(_: str) -> None:
        with contextlib.closing(sqlite3.connect(path)) as other:
            seen.add(other.execute("PRAGMA user_version").fetchone()[0])

    clock, words = FrozenClock(NOW), Lexical(b"w", b"t")
    Ledger(path, clock=clock, settings=Settings(), analyse=lambda _: words, tracer=look).close()
    assert seen <= {0, LATEST}
