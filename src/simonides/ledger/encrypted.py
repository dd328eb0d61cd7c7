"""Files that can be read with a key only: SQLite3 Multiple Ciphers through apsw; knows no table and no door.

The cipher is ChaCha20-Poly1305, page by page, with a random nonce and a tag for each page; the write-ahead log and
rollback journals are encrypted alike. The first 16 bytes of a file are its salt. A key of 32 bytes is used as it is;
a passphrase becomes one with PBKDF2-HMAC-SHA256 (`ROUNDS`) and that salt. Other programs read the file with::

    PRAGMA cipher = 'chacha20'; PRAGMA kdf_iter = <ROUNDS>; PRAGMA key = '<passphrase>';

Nothing here opens a file behind SQLite's back: closing it would drop the locks of this process on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from simonides.errors import InputError, ModelMissing, StoreUnusable
from simonides.ledger.drivers import HEADER_BYTES, PLAIN, FileConnection, looks_encrypted
from simonides.ledger.sql import SQLITE, Taken

if TYPE_CHECKING:
    import apsw

Key = str | bytes | Callable[[], str | bytes]
"""A passphrase, 32 bytes, or what returns one of them when it is needed."""

ROUNDS = 600_000
"""Of PBKDF2: what OWASP asks for with SHA-256; a third of a second, once for each file that a process opens."""
KEY_BYTES = 32
SALT_BYTES = 16
_STEP_PAGES = 1000
_TAKEN = (0x613, 0x813)
"""SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE."""


class Vault:
    """A driver (`drivers.Driver`) for files that one key opens.

    Args:
        key: the key; asked for at the first connection if it is a callable.
        vfs: the SQLite VFS to go through, empty for the system's own.
    """

    encrypted = True

    def __init__(self, key: Key, vfs: str = "") -> None:
        self._key = key
        self._vfs = vfs
        self._secret: str | bytes | None = None
        self._derived: dict[bytes, bytes] = {}
        self._salts: dict[str, bytes] = {}
        library()

    def __repr__(self) -> str:
        """Show no key."""
        return "Vault(***)"

    def connect(self, path: str, busy_seconds: float, /) -> FileConnection:
        """Open a connection to an encrypted file, or to an empty one, which its first write encrypts.

        Raises:
            StoreUnusable: the file is not encrypted, is no SQLite file, or the key doesn't fit.
        """
        while True:
            salt = self._salt(path)
            connection = open_connection(path, busy_seconds, vfs=self._vfs and f"multipleciphers-{self._vfs}")
            try:
                connection.unlock(self.raw(salt) + salt)
            except sqlite3.DatabaseError as err:
                connection.close()
                if getattr(err, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_NOTADB:
                    raise
                if (now := header(path, self._vfs)) is not None and now[:SALT_BYTES] != salt:
                    continue  # another process made the file in between, with its own salt
                raise self._misfit(path, now or b"") from err
            except BaseException:  # Ctrl-C too must not leave it open
                connection.close()
                raise
            return connection

    def raw(self, salt: bytes) -> bytes:
        """Return the 32 bytes that encrypt a file with this salt."""
        if salt not in self._derived:
            if self._secret is None:
                self._secret = checked(self._key() if callable(self._key) else self._key)
            secret = self._secret
            self._derived[salt] = (
                secret
                if isinstance(secret, bytes)
                else hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ROUNDS, KEY_BYTES)
            )
        return self._derived[salt]

    def address(self, path: Path) -> str:
        """Return the URI under which ``VACUUM INTO`` writes a file that this key opens; hand it over as a parameter."""
        salt = os.urandom(SALT_BYTES)
        return f"{path.absolute().as_uri()}?cipher=chacha20&key=raw:{self.raw(salt).hex()}{salt.hex()}"

    def _salt(self, path: str) -> bytes:
        found = header(path, self._vfs)
        if found is None:
            return self._salts.setdefault(path, os.urandom(SALT_BYTES))
        if found.startswith(PLAIN):
            way_out = "Open it without a key, or encrypt it first: `simonides encrypt`."
            raise StoreUnusable(f"store {path}", "is not encrypted, and a key was given", "", way_out)
        return found[:SALT_BYTES]

    def _misfit(self, path: str, found: bytes) -> StoreUnusable:
        if looks_encrypted(found):
            way_out = "Give the key it was encrypted with; the file was left alone."
            return StoreUnusable(f"store {path}", "can't be read with this key", "", way_out)
        way_out = "Choose another path; the file was left alone."
        return StoreUnusable(f"store {path}", "is not a SQLite file", "", way_out)


def checked(secret: object) -> str | bytes:
    """Return a key that can be used.

    Raises:
        InputError: it is empty, or bytes of another length than 32; the message never shows it.
    """
    if isinstance(secret, bytes) and len(secret) == KEY_BYTES:
        return secret
    if isinstance(secret, bytes | bytearray):
        raise InputError(
            "key", f"must have {KEY_BYTES} bytes", f"{len(secret)} bytes", "Or give a passphrase."
        )
    if not isinstance(secret, str) or not secret:
        raise InputError("key", "must be a passphrase that is not empty, or 32 bytes")
    try:
        secret.encode()
    except UnicodeEncodeError as err:
        raise InputError("key", "must be text that UTF-8 can hold") from err
    return secret


def header(path: str, vfs: str = "") -> bytes | None:
    """Return the first 24 bytes of a file, read through SQLite; None when there are fewer."""
    apsw = library()
    base = vfs or next(name for name in apsw.vfs_names() if not name.startswith("multipleciphers"))
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0]
    try:
        with translated():
            file = apsw.VFSFile(base, str(Path(path).absolute()), flags)
            try:
                return file.xRead(HEADER_BYTES, 0) if file.xFileSize() >= HEADER_BYTES else None
            finally:
                file.xClose()
    except sqlite3.OperationalError as err:
        if getattr(err, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN and not Path(path).exists():
            return None
        raise


@cache
def library() -> ModuleType:
    """Return apsw, built with the ciphers.

    Raises:
        ModelMissing: it isn't installed.
    """
    way_out = "pip install 'simonides[encrypted]'."
    try:
        import apsw
    except ImportError as err:
        raise ModelMissing("encryption", "apsw-sqlite3mc is not installed", "", way_out) from err
    if not hasattr(apsw, "mc_version"):
        rule = "the installed apsw has no ciphers"
        raise ModelMissing("encryption", rule, "", f"pip uninstall apsw, then {way_out}")
    return apsw


def open_connection(path: str, busy_seconds: float, *, vfs: str = "") -> ApswConnection:
    """Open a connection with apsw; it reads and writes plainly until `unlock` is called."""
    apsw = library()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    with translated():
        inner = apsw.Connection(str(path), flags=flags, vfs=vfs or None)
        inner.set_busy_timeout(max(0, round(busy_seconds * 1000)))
    return ApswConnection(inner)


class ApswConnection:
    """A connection of apsw in the shape of one of the standard library (`drivers.FileConnection`)."""

    __slots__ = ("_connection",)
    dialect = SQLITE

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def unlock(self, key_and_salt: bytes) -> None:
        """Give the key, and read the file with it."""
        with translated():
            self._connection.execute("PRAGMA cipher = 'chacha20'").fetchall()
            # A pragma takes no parameters; hexadecimal digits need no quoting.
            self._connection.execute(f'PRAGMA key = "raw:{key_and_salt.hex()}"').fetchall()
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchall()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> ApswCursor:
        """Run one statement."""
        try:
            return ApswCursor(self._connection.execute(sql, tuple(parameters)), self._connection.changes())
        except _errors() as err:
            raise translate(err) from err

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row of parameters."""
        try:
            return self._connection.executemany(sql, [tuple(row) for row in rows]).fetchall()
        except _errors() as err:
            raise translate(err) from err

    def backup(
        self,
        target: ApswConnection,
        /,
        *,
        pages: int = -1,
        progress: Callable[[int, int, int], object] | None = None,
    ) -> None:
        """Copy all pages to another connection."""
        with translated(), target._connection.backup("main", self._connection, "main") as copying:
            while not copying.done:
                copying.step(pages)
                if progress is not None:
                    progress(0, copying.remaining, copying.page_count)

    def set_trace_callback(self, tracer: Callable[[str], None] | None, /) -> None:
        """Have every statement told, with its values."""
        if tracer is None:
            self._connection.exec_trace = None
            return
        spell = library().format_sql_value

        def tell(_cursor: object, sql: str, values: Sequence[Any] | None) -> bool:
            parts, given = sql.split("?"), values or ()
            spelt = [spell(value) for value in given] if len(parts) == len(given) + 1 else None
            ends = [*spelt, ""] if spelt is not None else []
            tracer(sql if spelt is None else "".join(f"{a}{b}" for a, b in zip(parts, ends, strict=True)))
            return True

        self._connection.exec_trace = tell

    def close(self) -> None:
        """Close it; what may fail is the last checkpoint, which the next one to open the file makes up for."""
        with contextlib.suppress(*_errors()):
            self._connection.close()


class ApswCursor:
    """The rows of one statement.

    It is a row ahead, as the standard library is: what a statement does at its end is done, and may fail, when its last
    row is fetched, and not when somebody drops the cursor.
    """

    __slots__ = ("_ahead", "_cursor", "rowcount")

    def __init__(self, cursor: apsw.Cursor, changes: int) -> None:
        self._cursor = cursor
        self._ahead: list[Any] = []
        self.rowcount = changes

    def fetchone(self) -> Any:
        """Return the next row as a tuple, None after the last."""
        try:
            row = self._ahead.pop() if self._ahead else self._cursor.fetchone()
            if row is not None:
                self._ahead.append(self._cursor.fetchone())
        except _errors() as err:
            raise translate(err) from err
        return row

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        try:
            return [*self._left(), *self._cursor.fetchall()]
        except _errors() as err:
            raise translate(err) from err

    def fetchmany(self, size: int = 1, /) -> list[Any]:
        """Return at most so many rows."""
        return list(islice(self, size))

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left."""
        try:
            yield from self._left()
            for row in self._cursor:  # noqa: UP028 - `yield from` closes the cursor when the generator is left early
                yield row
        except _errors() as err:
            raise translate(err) from err

    def _left(self) -> list[Any]:
        ahead, self._ahead = self._ahead, []
        return [row for row in ahead if row is not None]


@contextlib.contextmanager
def translated() -> Generator[None]:
    """Raise what apsw raises as an error of the module ``sqlite3``."""
    try:
        yield
    except _errors() as err:
        raise translate(err) from err


@cache
def _errors() -> tuple[type[Exception], ...]:
    return (library().Error,)


_KINDS: dict[int, type[sqlite3.DatabaseError]] = {
    sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError,
    sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError,
    sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    sqlite3.SQLITE_MISMATCH: sqlite3.IntegrityError,
    sqlite3.SQLITE_TOOBIG: sqlite3.DataError,
    sqlite3.SQLITE_INTERNAL: sqlite3.InternalError,
}


def translate(error: Exception) -> Exception:
    """Return an error of apsw as the one that the standard library raises for the same result code."""
    code = int(getattr(error, "extendedresult", 0) or getattr(error, "result", 0))
    if code in _TAKEN:
        return Taken(str(error))
    kind = _KINDS.get(code & 0xFF, sqlite3.OperationalError)
    if not code:  # apsw's own: a wrong number of parameters, a closed connection
        kind = sqlite3.ProgrammingError
    ours = kind(str(error))
    ours.sqlite_errorcode = code
    return ours
