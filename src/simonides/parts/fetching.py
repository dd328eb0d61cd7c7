"""Fetch files whose SHA-256 is known beforehand, and go on where a fetch stopped; knows no model and reads no settings.

A file grows as ``NAME.part``; only what has the right checksum gets its name. A file that somebody placed by hand is
checked and used like one that was fetched. One process at a time works in a folder; others wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simonides.errors import ModelMissing
from simonides.ledger.db import make_private

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from http.client import HTTPResponse
    from pathlib import Path
    from typing import IO

    Progress = Callable[[int, int], object]

MANIFEST = "manifest.json"
CHUNK = 1 << 18
TRIES = 5
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Remote:
    """One file to be had over HTTPS.

    Attributes:
        file: what it is called in the model's folder.
        url: where it is.
        sha256: what it must be, hexadecimal.
        bytes: its size.
        member: the one part of it that is kept when it is a zip or a wheel, as a path in it; else empty.
        member_sha256: what that part must be.
        member_bytes: its size.
    """

    file: str
    url: str
    sha256: str
    bytes: int
    member: str = ""
    member_sha256: str = ""
    member_bytes: int = 0

    @property
    def kept(self) -> tuple[str, str, int]:
        """Return name, checksum and size of what stays in the folder."""
        if self.member:
            return self.member.rpartition("/")[2], self.member_sha256, self.member_bytes
        return self.file, self.sha256, self.bytes


def present(folder: Path, remotes: Sequence[Remote]) -> bool:
    """Tell whether all files were fetched and checked; looks at the manifest and at sizes, not at every byte."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        return all(
            manifest["files"][name]["sha256"] == sha256
            and (folder / name).stat().st_size == manifest["files"][name]["bytes"]
            for name, sha256, _ in (remote.kept for remote in remotes)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def fetch(
    name: str,
    remotes: Sequence[Remote],
    folder: Path,
    progress: Progress | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring the files of a model into a folder and return the folder; nothing is fetched that is already there.

    Args:
        name: how the model is called, for messages.
        remotes: the files.
        folder: made if it is not there.
        progress: called with the bytes that are here and those of all files.
        sleep: what waits between tries.

    Raises:
        ModelMissing: no connection, a wrong checksum, or the folder cannot be written; what is here so far stays.
    """
    whole = sum(remote.bytes for remote in remotes)
    try:
        make_private(folder)
        with _alone(folder / ".lock"):
            if not present(folder, remotes):
                done = 0
                for remote in remotes:
                    tell = _shifted(progress, done, whole) if progress else None
                    _bring(_Fetch(name, remote, folder, tell, sleep))
                    done += remote.bytes
                _write_manifest(name, remotes, folder)
    except OSError as err:
        way_out = "Free or choose another disk; what was fetched is kept."
        raise ModelMissing(f"model {name}", "cannot be written", f"{folder}: {err}", way_out) from err
    if progress:
        progress(whole, whole)
    return folder


def _shifted(progress: Progress, before: int, whole: int) -> Callable[[int], object]:
    """Return what is told of one file and tells of all."""
    return lambda here: progress(before + here, whole)


@dataclass(frozen=True, slots=True)
class _Fetch:
    name: str
    remote: Remote
    folder: Path
    tell: Callable[[int], object] | None
    sleep: Callable[[float], None]

    @property
    def part(self) -> Path:
        return self.folder / f"{self.remote.file}.part"

    def failed(self, rule: str, value: object) -> ModelMissing:
        remote = self.remote
        way_out = (
            f"Try again: it goes on where it stopped. Without a connection: bring {remote.url} "
            f"(sha256 {remote.sha256}) as {self.folder / remote.file} and run `simonides model get {self.name}` again."
        )
        return ModelMissing(f"model {self.name}", rule, value, way_out)


def _bring(job: _Fetch) -> None:
    name, sha256, size = job.remote.kept
    kept = job.folder / name
    if kept.is_file() and kept.stat().st_size == size and _digest(kept) == sha256:
        return
    placed = job.folder / job.remote.file
    if not placed.is_file() or _digest(placed) != job.remote.sha256:
        _download(job)
        placed = job.part
    if job.remote.member:
        _unpack(job, placed, kept)
        placed.unlink()
    elif placed != kept:
        placed.replace(kept)


def _download(job: _Fetch) -> None:
    """Fill the part file, in as many tries as are allowed; a wrong checksum is tried once more from the beginning."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError

    fresh, pause = False, PAUSE_SECONDS
    for left in range(TRIES - 1, -1, -1):
        try:
            if _grow(job):
                if _digest(job.part) == job.remote.sha256:
                    return
                wrong = _digest(job.part)
                job.part.unlink()
                if fresh:
                    raise job.failed(f"{job.remote.file} has another checksum than it must", wrong)
                fresh = True
                continue
            problem: object = "the connection broke off"
        except HTTPError as err:
            with err:
                if err.code < 500 and err.code not in (408, 429):
                    raise job.failed(f"the server answered {err.code}", job.remote.url) from err
                problem = f"the server answered {err.code}"
        except (URLError, HTTPException, TimeoutError, ConnectionError) as err:
            problem = getattr(err, "reason", err)
        if not left:
            raise job.failed("cannot be fetched", f"{job.remote.url}: {problem}")
        job.sleep(pause)
        pause *= 2
    raise job.failed(f"{job.remote.file} has another checksum than it must", job.remote.url)


def _grow(job: _Fetch) -> bool:
    """Append to the part file what the server sends; return whether it is all."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    here = job.part.stat().st_size if job.part.exists() else 0
    if here >= job.remote.bytes:
        return True
    headers = {"User-Agent": "simonides", "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
    try:
        answer: HTTPResponse = urlopen(Request(job.remote.url, headers=headers), timeout=TIMEOUT_SECONDS)  # noqa: S310
    except HTTPError as err:
        if err.code != 416:
            raise
        err.close()
        job.part.unlink()
        return False
    with answer:
        if answer.status != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            here = 0
        with job.part.open("ab" if here else "wb") as file:
            _copy(job, answer, file, here)
            os.fsync(file.fileno())
    return job.part.stat().st_size >= job.remote.bytes


def _copy(job: _Fetch, answer: HTTPResponse, file: IO[bytes], here: int) -> None:
    from urllib.error import URLError

    while True:
        try:
            chunk = answer.read(CHUNK)
        except OSError as err:  # of the connection, so that it is not taken for one of the disk
            raise URLError(err) from err
        if not chunk:
            return
        file.write(chunk)
        here += len(chunk)
        if here > job.remote.bytes:
            return  # longer than it may be: the checksum will tell
        if job.tell:
            job.tell(here)


def _unpack(job: _Fetch, archive: Path, kept: Path) -> None:
    fresh = kept.with_name(f"{kept.name}.new")
    try:
        with (
            zipfile.ZipFile(archive) as whole,
            whole.open(job.remote.member) as source,
            fresh.open("wb") as target,
        ):
            while chunk := source.read(CHUNK):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
    except (zipfile.BadZipFile, KeyError) as err:
        raise job.failed(f"{job.remote.file} does not hold {job.remote.member}", err) from err
    if _digest(fresh) != job.remote.member_sha256:
        fresh.unlink()
        raise job.failed(f"{job.remote.member} has another checksum than it must", job.remote.file)
    fresh.replace(kept)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(name: str, remotes: Sequence[Remote], folder: Path) -> None:
    files = {
        kept: {"sha256": sha256, "bytes": (folder / kept).stat().st_size, "url": remote.url}
        for remote in remotes
        for kept, sha256, _ in [remote.kept]
    }
    fresh = folder / f"{MANIFEST}.new"
    fresh.write_text(json.dumps({"name": name, "files": files}, indent=1) + "\n", "utf-8")
    fresh.replace(folder / MANIFEST)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold a lock that the system lets go of when the process ends."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten seconds; a large model takes longer
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
