"""A file that only a key opens: nothing in it or beside it can be read without, and every mistake is told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from simonides.clock import FrozenClock
from simonides.doors import keys
from simonides.errors import InputError, SimonidesError, StoreBusy, StoreUnusable
from simonides.ledger.backup import convert, restore
from simonides.ledger.drivers import STANDARD, holds_encrypted
from simonides.ledger.encrypted import ROUNDS, Key, Vault, header
from simonides.memory import Memory
from simonides.parts.scripted import HashReader
from simonides.settings import Settings

HERE = Path(__file__).resolve().parent
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
CANARY = "zanzibar kingfisher"
QUICK = Settings(background=False)


def opened(path: Path, key: Key | None = KEY, clock: FrozenClock | None = None) -> Memory:
    return Memory(path, key=key, embedder=HashReader(32), settings=QUICK, clock=clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return an encrypted store that is closed."""
    place = tmp_path / "memory.db"
    with opened(place) as memory:
        memory.add(f"the {CANARY} sings", user="Ana", metadata={"bird": CANARY}, wait=True)
    return place


def bare(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file under a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def readable(folder: Path) -> list[str]:
    """Return the files in which a word of the memory, or a name of a table, can be read."""
    words = (*CANARY.encode().split(), b"CREATE TABLE", b"SQLite format")
    return [name for name, content in bare(folder).items() if any(word in content for word in words)]


# --- what lies on the disk -----------------------------------------------------------------------------------------


def test_no_file_tells_anything_while_it_is_open_nor_after(tmp_path: Path, path: Path) -> None:
    memory = opened(path)
    memory.add(f"another {CANARY}", wait=True)
    assert memory.search(CANARY, gate=False)[0].memory.text.startswith(("the", "another"))
    memory.update(memory.list()[0].id, f"the {CANARY} has gone")
    assert (tmp_path / "memory.db-wal").stat().st_size > 0
    assert readable(tmp_path) == []
    memory.close()
    assert readable(tmp_path) == []
    assert set(bare(tmp_path)) == {"memory.db"}, "no cache beside it"
    assert path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_a_killed_process_leaves_tells_nothing_either(tmp_path: Path, path: Path) -> None:
    script = f"""
import os, signal, sys
from simonides.memory import Memory
from simonides.settings import Settings
memory = Memory(sys.argv[1], key={KEY!r}, settings=Settings(meaning="off"))
for number in range(50):
    memory.add(f"{CANARY} {{number}}")
memory.search("{CANARY}")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "memory.db-wal").stat().st_size > 0
    assert readable(tmp_path) == []
    with opened(path) as memory:
        assert memory.status().memories == 51
        assert all(finding.ok for finding in memory.doctor())


def test_a_migration_leaves_an_encrypted_copy(tmp_path: Path) -> None:
    place = tmp_path / "old.db"
    shutil.copyfile(HERE / "old" / "v1.db", place)
    copy = convert(place, STANDARD, Vault(KEY))
    assert (copy.schema, copy.encrypted) == (1, True)
    with opened(place) as memory:
        assert memory.list()[0].text == "Ann lives in Rome"
        assert memory.verify().ok
    assert [file for file in bare(tmp_path) if b"Ann" in (tmp_path / file).read_bytes()] == []
    assert (tmp_path / "old.db.v1.backup").exists()
    with opened(tmp_path / "old.db.v1.backup") as memory:
        assert memory.list()[0].text == "Ann lives in Rome"


def test_a_backup_has_the_same_key(tmp_path: Path, path: Path) -> None:
    with opened(path) as memory:
        copy = memory.backup(tmp_path / "copy.db")
        memory.add("written later")
    assert copy.encrypted
    assert readable(tmp_path) == []
    with opened(tmp_path / "copy.db") as memory:
        assert memory.status().memories == 1
    done = restore(tmp_path / "copy.db", path, Vault(KEY))
    assert done.kept is not None
    assert readable(tmp_path) == []
    with opened(path) as memory:
        assert memory.status().memories == 1
    with opened(done.kept) as memory:
        assert memory.status().memories == 2


def test_a_change_of_the_file_by_hand_is_noticed(path: Path) -> None:
    """Each page has a tag: what was changed is damage, never another text."""
    content = bytearray(path.read_bytes())
    content[-2000] ^= 1
    path.write_bytes(content)
    findings: list[str] = []
    try:
        with opened(path) as memory:
            findings = [finding.name for finding in memory.doctor() if not finding.ok]
    except StoreUnusable as err:
        findings = [err.rule]
    assert findings


# --- keys ----------------------------------------------------------------------------------------------------------


def test_another_key_opens_nothing_and_changes_nothing(tmp_path: Path, path: Path) -> None:
    before = bare(tmp_path)
    for key in (OTHER, "a passphrase"):
        with pytest.raises(StoreUnusable, match=r"can't be read with this key.*left alone"):
            opened(path, key)
    with pytest.raises(StoreUnusable, match=r"is encrypted, and no key was given.*--key-file"):
        opened(path, None)
    assert bare(tmp_path) == before
    with opened(path) as memory:
        assert memory.status().memories == 1


def test_a_plain_file_is_not_opened_with_a_key(tmp_path: Path) -> None:
    place = tmp_path / "plain.db"
    opened(place, None).close()
    before = bare(tmp_path)
    with pytest.raises(StoreUnusable, match=r"is not encrypted, and a key was given.*simonides encrypt"):
        opened(place)
    assert bare(tmp_path) == before
    for content in (b"Dear diary", b"\0" * 5000, bytes(range(256)) * 20):
        (tmp_path / "other.db").write_bytes(content)
        with pytest.raises(SimonidesError, match="is not a SQLite file"):
            opened(tmp_path / "other.db")
        assert (tmp_path / "other.db").read_bytes() == content


def test_a_file_is_not_open_both_ways_in_one_process(tmp_path: Path, path: Path) -> None:
    """Two libraries on one file would drop each other's locks."""
    with opened(path) as memory:
        with pytest.raises(StoreUnusable, match="is open in this process with a key"):
            opened(path, None)
        (tmp_path / "link.db").symlink_to(path)
        with pytest.raises(StoreUnusable, match="is open in this process with a key"):
            opened(tmp_path / "link.db", None)
        memory.add("it can still be written")
        assert holders(path), "and its locks are held"


def holders(path: Path) -> list[str]:
    if not Path("/proc/locks").exists():
        return ["unknown here"]
    number = str(path.stat().st_ino)
    return [line for line in Path("/proc/locks").read_text().splitlines() if f":{number} " in line]


def test_looking_at_the_salt_drops_no_lock(path: Path) -> None:
    with opened(path):
        before = holders(path)
        assert header(str(path))
        assert keys.is_encrypted(path)
        assert holders(path) == before != []


@pytest.mark.parametrize("wrong", ["", b"", b"short", bytes(33), "\ud800", 7, None])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(InputError, match="key") as caught:
        opened(tmp_path / "memory.db", lambda: wrong)  # pyright: ignore[reportArgumentType] - that is the point
    assert "short" not in str(caught.value)


def test_a_store_in_memory_takes_no_key() -> None:
    with pytest.raises(InputError, match="store in memory"):
        Memory(":memory:", key=KEY)


def test_a_key_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append("once")
        return "open sesame"

    with opened(tmp_path / "memory.db", ask) as memory:
        memory.add(CANARY, wait=True)
        list(memory.dump())
        memory.backup(tmp_path / "copy.db")
    assert asked == ["once"]
    with opened(tmp_path / "copy.db", "open sesame") as memory:
        assert memory.status().memories == 1


def test_other_programs_open_it_with_the_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    opened(path, "correct horse").close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("cipher", "chacha20")
        connection.pragma("kdf_iter", ROUNDS)
        connection.pragma("key", "correct horse")
        assert connection.execute("SELECT count(*) FROM memory").fetchall() == [(0,)]


def test_no_statement_and_no_name_shows_the_key(tmp_path: Path) -> None:
    told: list[str] = []
    memory = Memory(
        tmp_path / "memory.db", key=KEY, settings=QUICK, embedder=HashReader(32), tracer=told.append
    )
    memory.add("it's here?", metadata={"n": 1})
    memory.close()
    said = "\n".join(told)
    assert "it''s here?" in said, "values are shown"
    assert KEY.hex() not in said.lower()
    assert repr(Vault(KEY)) == "Vault(***)"


# --- giving, changing and taking away a key ------------------------------------------------------------------------


def test_a_file_gets_a_key_another_and_none(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with opened(path, None) as memory:
        memory.add(f"the {CANARY} sings", wait=True)
        head = memory.verify().head
        assert memory.search(CANARY, gate=False)
    steps = (
        (None, STANDARD, KEY),
        (KEY, Vault(KEY), OTHER),
        (OTHER, Vault(OTHER), "words"),
        ("words", None, None),
    )
    for old, driver, new in steps:
        target = STANDARD if new is None else Vault(new)
        copy = convert(path, driver or Vault("words"), target)
        assert (copy.versions, copy.head, copy.encrypted) == (1, head, new is not None)
        assert holds_encrypted(path) == (new is not None)
        if new is not None:
            assert readable(tmp_path) == [], "the index beside it is gone too"
            with pytest.raises(StoreUnusable):
                opened(path, old)
        with opened(path, new) as memory:
            assert memory.search(CANARY, gate=False)[0].memory.text == f"the {CANARY} sings"
            assert all(finding.ok for finding in memory.doctor())
    assert path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"


@pytest.fixture
def reader(path: Path) -> Iterator[int]:
    """Return a process that has the encrypted store open."""
    script = f"""
import sys, time
from simonides.memory import Memory
from simonides.settings import Settings
memory = Memory(sys.argv[1], key={KEY!r}, settings=Settings(meaning="off"))
print("open", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the system refuses to rename it")
def test_nobody_may_have_it_open_when_its_key_changes(tmp_path: Path, path: Path, reader: int) -> None:
    before = path.read_bytes()
    with pytest.raises(
        StoreBusy, match=rf"is open in other programs.*{reader if sys.platform == 'linux' else ''}"
    ):
        convert(path, Vault(KEY), Vault(OTHER))
    assert path.read_bytes() == before
    assert not [file for file in bare(tmp_path) if "partial" in file]
    with opened(path) as memory:
        memory.add("still there")
        with pytest.raises(StoreBusy, match="is open in this process"):
            convert(path, Vault(KEY), Vault(OTHER))


def test_a_key_that_cannot_be_kept_changes_nothing(tmp_path: Path, path: Path) -> None:
    def keep(_path: Path) -> None:
        raise StoreUnusable("keychain", "could not keep the key")

    with pytest.raises(StoreUnusable, match="could not keep"):
        convert(path, Vault(KEY), Vault(OTHER), before=keep)
    assert set(bare(tmp_path)) == {"memory.db"}
    opened(path).close()


# --- where keys come from ------------------------------------------------------------------------------------------


def test_a_key_file_holds_a_key_or_a_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert keys.make_file(file) == keys.from_file(file)
    assert file.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    with pytest.raises(InputError, match="can't be made"):
        keys.make_file(file)
    file.write_text(f"{KEY.hex().upper()}\r\n")
    assert keys.from_file(file) == KEY
    file.write_text("correct horse battery staple\n")
    assert keys.from_file(file) == "correct horse battery staple"
    file.write_text("  spaces stay \n")
    assert keys.from_file(file) == "  spaces stay "
    for content, rule in ((b"\n", "empty"), (b"\xff\xfe\x00", "not text"), (b"x" * 5000, "longer")):
        file.write_bytes(content)
        with pytest.raises(InputError, match=rule):
            keys.from_file(file)
    with pytest.raises(InputError, match="can't be read"):
        keys.from_file(tmp_path / "none")


@pytest.mark.skipif(os.name != "posix", reason="file modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    keys.make_file(file)
    file.chmod(mode)
    with pytest.raises(InputError, match=r"may be read by others.*chmod 600"):
        keys.from_file(file)


def test_the_key_of_a_file_is_found(tmp_path: Path, path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.hex())
    file.chmod(0o600)
    named = {keys.VARIABLE: str(file)}
    assert keys.key_for(path, str(file), environment={}) == KEY
    assert keys.key_for(path, None, environment=named) == KEY
    assert keys.key_for(tmp_path / "new.db", None, environment=named) == KEY
    assert keys.key_for(tmp_path / "new.db", None, environment={}) is None
    assert keys.key_for(path, None, environment={}) is None, "no terminal and no keychain: the store says so"
    with pytest.raises(InputError, match="terminal"):
        keys.key_for(path, None, ask=True, environment={})
