"""A backup is of one moment, whole and checked; putting one back takes no place that is in use and loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from simonides.clock import SystemClock, new_id
from simonides.errors import InputError, NewerStore, SimonidesError, StoreBusy, StoreUnusable
from simonides.ledger import Ledger, Lexical
from simonides.ledger.backup import BEFORE, back_up, check, examine, restore
from simonides.ledger.migrations import LATEST
from simonides.ledger.postgres.address import is_address
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings
from simonides.types import Add
from test_cli import Shell

OLD = Path(__file__).resolve().parent / "old" / "v1.db"
QUICK = Settings(background=False)


def opened(path: Path) -> Memory:
    return Memory(path, embedder=HashReader(32), settings=QUICK)


def texts(path: Path) -> list[str]:
    with opened(path) as memory:
        return [one.text for one in memory.list(limit=1000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a closed store with two memories and a link."""
    place = tmp_path / "memory.db"
    with opened(place) as memory:
        ids = [memory.add(text, wait=True).ids[0] for text in ("the first", "the second")]
        memory.link(ids[0], ids[1], "follows")
    return place


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {"memory.db-index"}


# --- making one ----------------------------------------------------------------------------------------------------


def test_a_copy_is_the_store_of_that_moment(tmp_path: Path, path: Path) -> None:
    with opened(path) as memory:
        told: list[tuple[int, int]] = []
        copy = memory.backup(tmp_path / "copy.db", progress=lambda done, whole: told.append((done, whole)))
        records = list(memory.dump())
        memory.add("later")
    assert told[-1][0] == told[-1][1] > 10
    assert (copy.versions, copy.links, copy.events, copy.schema, copy.encrypted) == (2, 1, 3, LATEST, False)
    assert copy.bytes == copy.path.stat().st_size
    assert names(tmp_path) == {"memory.db", "copy.db"}, "nothing lies beside it"
    assert copy.path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    with opened(copy.path) as memory:
        assert memory.verify().head == copy.head
        assert list(memory.dump()) == records
        assert memory.search("second", gate=False)[0].memory.text == "the second"
        assert all(finding.ok for finding in memory.doctor())


def test_a_store_in_memory_can_be_kept(tmp_path: Path) -> None:
    with Memory(":memory:", embedder=HashReader(32), settings=QUICK) as memory:
        memory.add("not for long")
        memory.backup(tmp_path / "kept.db")
    assert texts(tmp_path / "kept.db") == ["not for long"]


def test_a_copy_is_whole_while_others_write(tmp_path: Path) -> None:
    """Pairs are written in one transaction; no copy has half a pair, or an event without its memory."""
    path = tmp_path / "memory.db"
    ledger = Ledger(
        path, clock=SystemClock(), settings=Settings(), analyse=lambda text: Lexical(b"w" * 2000, b"t")
    )
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            ledger.apply([Add(new_id(), "x" * 3000, SystemClock().now()) for _ in range(2)])

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        copies = [back_up(ledger.database, tmp_path / f"copy{number}.db") for number in range(5)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert all(copy.versions == copy.events and copy.versions % 2 == 0 for copy in copies)
    assert copies[0].versions < copies[-1].versions <= ledger.sizes()["versions"]
    ledger.close()


def test_nothing_is_overwritten_unasked(tmp_path: Path, path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with opened(path) as memory:
        for target, rule in (
            (taken, "exists already"),
            (path, "is the store itself"),
            (tmp_path, "is a folder"),
            (tmp_path / "none" / "copy.db", "its folder does not exist"),
        ):
            with pytest.raises(InputError, match=rule):
                memory.backup(target)
        assert taken.read_text() == "mine"
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(InputError, match="is the store itself"):
            memory.backup(tmp_path / "link", overwrite=True)
        memory.backup(taken, overwrite=True)
    assert texts(taken) == ["the first", "the second"]


def test_a_damaged_store_gives_no_backup(tmp_path: Path, path: Path) -> None:
    spoil(path)
    with pytest.raises(StoreUnusable), opened(path) as memory:
        memory.backup(tmp_path / "copy.db")
    assert "copy.db" not in names(tmp_path)
    assert not [name for name in names(tmp_path) if "partial" in name]


def test_a_server_has_its_own_tools() -> None:
    assert is_address("postgresql://host/db")
    with pytest.raises(InputError, match=r"pg_dump.*simonides export"):
        back_up(object(), Path("copy.db"))


# --- putting one back ----------------------------------------------------------------------------------------------


def test_a_backup_takes_the_place_of_the_store_which_is_kept(tmp_path: Path, path: Path) -> None:
    with opened(path) as memory:
        copy = memory.backup(tmp_path / "copy.db").path
        memory.add("third")
        memory.search("third", gate=False)
    for kept in (f"memory.db{BEFORE}", f"memory.db{BEFORE}-2"):
        done = restore(copy, path)
        assert done.path == path
        assert done.kept == tmp_path / kept
        assert texts(path) == ["the first", "the second"]
        assert path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    assert texts(tmp_path / f"memory.db{BEFORE}") == ["the first", "the second", "third"]
    with opened(path) as memory:
        found = memory.search("third", gate=False, k=5)
        assert all(hit.memory.text != "third" for hit in found), "no index of the old file is used"
        assert all(finding.ok for finding in memory.doctor())
    assert restore(copy, tmp_path / "new.db").kept is None
    assert texts(tmp_path / "new.db") == ["the first", "the second"]


def test_what_is_in_the_log_of_the_old_file_is_kept_with_it(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as memory:
        memory.backup(copy)
    script = """
import os, sys
from simonides.memory import Memory
from simonides.settings import Settings
Memory(sys.argv[1], settings=Settings(meaning="off")).add("in the log")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert (tmp_path / "memory.db-wal").exists()
    kept = restore(copy, path).kept
    assert kept is not None
    assert "memory.db-wal" not in names(tmp_path)
    assert texts(path) == ["the first", "the second"]
    assert texts(kept) == ["the first", "the second", "in the log"]


def test_a_damaged_store_is_replaced_and_kept_with_its_log(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as memory:
        memory.backup(copy)
    path.write_bytes(b"not a database" * 1000)
    (tmp_path / "memory.db-wal").write_bytes(b"nor a log")
    kept = restore(copy, path).kept
    assert kept is not None
    assert kept.read_bytes().startswith(b"not a database")
    assert Path(f"{kept}-wal").read_bytes() == b"nor a log"
    assert texts(path) == ["the first", "the second"]


HOLDER = """
import sys
from simonides.memory import Memory
from simonides.settings import Settings
memory = Memory(sys.argv[1], settings=Settings(meaning="off"))
print("open", flush=True)
sys.stdin.readline()
memory.add("written after all")
print(memory.status().memories, flush=True)
"""


@pytest.fixture
def holder(path: Path) -> Iterator[Callable[[], str]]:
    """Return what lets a process that has the store open write, and end; it says how many memories it sees."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"

        def go() -> str:
            return process.communicate("go\n", timeout=30)[0].strip()

        yield go
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the system refuses to rename it")
def test_a_store_that_is_open_anywhere_is_not_replaced(
    tmp_path: Path, path: Path, holder: Callable[[], str]
) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as memory:
        memory.backup(copy)
        with pytest.raises(StoreBusy, match=r"is open in this process.*Close it"):
            restore(copy, path)
    with pytest.raises(StoreBusy, match=r"is open in other programs.*End those programs") as caught:
        restore(copy, path)
    if sys.platform == "linux":
        assert "process " in caught.value.value
    assert not [name for name in names(tmp_path) if "partial" in name or BEFORE in name]
    assert holder() == "3", "whoever has it open goes on"
    restore(copy, path)
    assert texts(path) == ["the first", "the second"]


@pytest.mark.skipif(os.name != "posix", reason="file locks of POSIX")
def test_a_process_that_opens_it_just_then_gets_the_new_file(tmp_path: Path, path: Path) -> None:
    """Processes open and write while backups are put back: each write is in the file, or the opening was refused."""
    copy = tmp_path / "copy.db"
    with opened(path) as memory:
        memory.backup(copy)
    script = """
import sys
from simonides.errors import StoreBusy
from simonides.memory import Memory
from simonides.settings import Settings
for number in range(40):
    with Memory(sys.argv[1], settings=Settings(meaning="off")) as memory:
        before = memory.status().memories
        memory.add(f"{sys.argv[2]} {number}")
        assert memory.status().memories > before or memory.status().memories >= 2
        assert memory.verify().ok
print("done")
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(number)], stdout=subprocess.PIPE, text=True
        )
        for number in range(2)
    ]
    restored = refused = 0
    while any(writer.poll() is None for writer in writers):
        try:
            restore(copy, path)
            restored += 1
        except StoreBusy:
            refused += 1
    assert [writer.communicate()[0] for writer in writers] == ["done\n", "done\n"]
    assert refused, "they overlapped"
    with opened(path) as memory:
        assert all(finding.ok for finding in memory.doctor())
    for kept in tmp_path.glob(f"memory.db{BEFORE}*"):
        if not kept.name.endswith(("-wal", "-shm")):
            assert examine(kept).versions >= 2


def spoil(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(4096 * 5)
        content.write(os.urandom(4096 * 3))


def replace_by_another_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (x)")


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {LATEST + 1}")


def alter(file: Path) -> None:
    """Change a text in a way that only the log's hashes tell."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE memory SET text = 'another' WHERE row = 1")


@pytest.mark.parametrize(
    ("make", "error", "rule"),
    [
        (lambda file: None, InputError, "does not exist"),
        (lambda file: file.write_bytes(b""), StoreUnusable, "is empty"),
        (lambda file: file.write_bytes(b"Dear diary" * 1000), StoreUnusable, "is not a SQLite file"),
        (spoil, StoreUnusable, "is damaged"),
        (replace_by_another_program, StoreUnusable, "another program"),
        (make_newer, NewerStore, "newer simonides"),
        (alter, StoreUnusable, "is damaged"),
    ],
    ids=["missing", "empty", "text", "damaged", "foreign", "newer", "altered"],
)
def test_what_is_no_backup_replaces_nothing(
    tmp_path: Path,
    path: Path,
    make: Callable[[Path], object],
    error: type[SimonidesError],
    rule: str,
) -> None:
    copy = tmp_path / "copy.db"
    with opened(path) as memory:
        memory.backup(copy)
    before = path.read_bytes()
    if rule == "does not exist":
        copy.unlink()
    make(copy)
    left = copy.read_bytes() if copy.exists() else None
    for attempt in (lambda: restore(copy, path), lambda: check(copy)):
        with pytest.raises(error, match=rule):
            attempt()
    assert path.read_bytes() == before
    assert (copy.read_bytes() if copy.exists() else None) == left
    assert names(tmp_path) <= {"memory.db", "copy.db"}


def test_the_store_is_no_backup_of_itself(path: Path) -> None:
    with pytest.raises(InputError, match="is the store itself"):
        restore(path, path)


def test_a_backup_of_an_earlier_version_can_be_put_back(tmp_path: Path, path: Path) -> None:
    done = restore(OLD, path)
    assert done.copy.schema == 1
    assert texts(path)[0] == "Ann lives in Rome"
    assert (tmp_path / "memory.db.v1.backup").exists()


def test_a_copy_of_a_file_that_was_in_use_is_taken_with_its_log(tmp_path: Path, path: Path) -> None:
    """Somebody copied the file and what lay beside it, without asking SQLite."""
    place = tmp_path / "copied"
    place.mkdir()
    with opened(path) as memory:
        memory.add("only in the log yet")
        for name in ("memory.db", "memory.db-wal"):
            (place / name).write_bytes((tmp_path / name).read_bytes())
    restore(place / "memory.db", tmp_path / "new.db")
    assert texts(tmp_path / "new.db")[-1] == "only in the log yet"


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "memory.db")


def test_the_command_makes_one_and_puts_it_back(shell: Shell, tmp_path: Path) -> None:
    shell.add("the first")
    made = shell.json("backup")
    assert Path(made["file"]).parent == tmp_path
    assert (made["versions"], made["events"], made["encrypted"]) == (1, 1, False)
    assert shell.json("backup", str(tmp_path / "copy.db"))["file"] == str(tmp_path / "copy.db")
    assert shell.error("backup", str(tmp_path / "copy.db"), code=3)["rule"] == "exists already"
    shell("backup", str(tmp_path / "copy.db"), "--force")
    shell.add("the second")
    tried = shell.json("backup", "--restore", str(tmp_path / "copy.db"), "--dry-run")
    assert (tried["dry_run"], tried["versions"], tried["kept"]) == (True, 1, None)
    assert shell.json("status")["memories"] == 2
    done = shell.json("backup", "--restore", str(tmp_path / "copy.db"))
    assert done["kept"] == str(tmp_path / f"memory.db{BEFORE}")
    assert shell.json("status")["memories"] == 1
    assert "is whole" in shell("backup", "--restore", str(tmp_path / "copy.db")).stdout
    folder = tmp_path / "folder"
    folder.mkdir()
    assert Path(shell.json("backup", str(folder))["file"]).parent == folder


def test_the_command_says_what_it_cannot_do(shell: Shell, tmp_path: Path) -> None:
    assert "no such file" in shell.error("backup", code=3)["rule"]
    assert not shell.path.exists()
    shell.add("the first")
    assert shell.error("backup", "--restore", str(tmp_path / "none"), code=3)["rule"] == "does not exist"
    shell("backup", "x", "--restore", "y", code=2)
    shell("backup", "--dry-run", code=2)
    told = shell.error("--path", "postgresql://host/db", "backup", code=3)
    assert "pg_dump" in told["way_out"]


def test_the_commands_give_change_and_take_a_key(shell: Shell, tmp_path: Path) -> None:
    shell.add("the first")
    one, two = str(tmp_path / "one.key"), str(tmp_path / "two.key")
    assert shell.json("encrypt", "--new-key-file", one)["encrypted"]
    assert "no key was given" in shell.error("status", code=5)["rule"]
    assert shell.json("--key-file", one, "status")["memories"] == 1
    assert shell.json("--key-file", one, "backup", str(tmp_path / "copy.db"))["encrypted"]
    assert shell.error("--key-file", one, "encrypt", code=3)["rule"] == "is encrypted already"
    shell("--key-file", one, "rekey", "--new-key-file", two)
    assert "this key" in shell.error("--key-file", one, "status", code=5)["rule"]
    assert shell.error("--key-file", two, "backup", "--restore", str(tmp_path / "copy.db"), code=5)
    assert shell.json("--key-file", one, "backup", "--restore", str(tmp_path / "copy.db"))["encrypted"]
    assert shell.json("--key-file", one, "where", "--migrations")["migrations"] == []
    assert shell.json("--key-file", one, "decrypt") == {"file": str(shell.path), "encrypted": False}
    assert shell.json("status")["memories"] == 1
    assert shell.error("decrypt", code=3)["rule"] == "is not encrypted"
    assert shell.error("rekey", code=3)["rule"] == "is not encrypted"
    assert "not encrypted" in shell.error("--key-file", one, "status", code=5)["rule"]
    assert "terminal" in shell.error("encrypt", code=3)["rule"]
    assert shell("encrypt", "--keychain", "--new-key-file", one, code=2)
    new = Shell(tmp_path / "new.db")
    new("--key-file", one, "add", "secret from the start")
    assert b"SQLite" not in new.path.read_bytes()
