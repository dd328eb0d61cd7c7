"""One run of a hook: read what the agent says, recall or capture, answer or stay silent, and always end with 0.

Whatever happens, the agent goes on as if there were no hook: errors go to a log, and a thread ends the process when
its time is over, also in the middle of something. Nothing that is written can be cut in half by that: the store
commits a batch or does not.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from simonides.doors.hooks import faults
from simonides.doors.hooks.project import project_of
from simonides.doors.places import server_address, store_path, user_path

if TYPE_CHECKING:
    from simonides.types import Json


@dataclass(frozen=True, slots=True)
class Event:
    """A hook.

    Attributes:
        name: what the agent calls it.
        milliseconds: what it may take, the start of the interpreter included.
        tokens: of what it may say; 0 for those that capture.
    """

    name: str
    milliseconds: int
    tokens: int = 0


EVENTS = {
    "session-start": Event("SessionStart", 300, 1000),
    "user-prompt-submit": Event("UserPromptSubmit", 300, 500),
    "pre-compact": Event("PreCompact", 3000),
    "stop": Event("Stop", 5000),
    "session-end": Event("SessionEnd", 1000),
}
"""Those that speak make people wait, and have 300 ms. `stop` runs in the background of the agent, `pre-compact` before
something that takes seconds anyway; Claude Code gives `session-end` 1.5 s."""
LONGEST_INPUT = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line may say; what is left out is what the table, Git and the environment say."""

    milliseconds: int | None = None
    tokens: int | None = None
    project: str = ""
    path: str | None = None
    key_file: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def server(self) -> str:
        """The address of the PostgreSQL server; empty for a file."""
        return server_address(self.path)

    @property
    def place(self) -> Path:
        """The file; it depends on the working directory."""
        return store_path(self.path)

    def fixed(self) -> Options:
        """Return the same with the path made absolute, before the working directory is changed."""
        given = self.path or os.environ.get("SIMONIDES_PATH")
        if not given or self.server:
            return self
        return replace(self, path=str(Path(given).expanduser().absolute()))

    @property
    def log_place(self) -> Path:
        """The file beside which the log is."""
        return user_path() if self.server else self.place


def number(text: str) -> int | None:
    """Return a positive number; None for anything else, which is then not said."""
    return int(text) if re.fullmatch("[1-9][0-9]{0,8}", text) else None


class Given:
    """What the agent wrote on standard input."""

    def __init__(self, raw: bytes) -> None:
        """Parse it; ValueError when it is no JSON object."""
        found = json.loads(raw)
        if not isinstance(found, dict):
            raise ValueError("must be a JSON object")
        self._fields = cast("dict[str, Json]", found)

    def text(self, name: str) -> str:
        """Return a field, empty where it is missing or no text."""
        value = self._fields.get(name)
        return value if isinstance(value, str) else ""


def run(name: str, options: Options) -> NoReturn:
    """Run a hook in this process, and end the process with 0."""
    answer = faults.quiet()
    event = EVENTS.get(name)
    log = _Log(name)
    if event is not None:
        spent = time.process_time()  # the interpreter's start and the imports so far
        allowed = (options.milliseconds or event.milliseconds) / 1000
        ending = _Ending(
            max(0.01, allowed - spent), lambda: log.write(f"{faults.LATE} {allowed * 1000:.0f} ms")
        )
        try:
            text = _said(event, options, log)
            if text and ending.speak():
                _write(answer, text)
        except BaseException as err:
            if ending.speak():
                log.write(faults.told(err))
    else:
        log.write("there is no such event")
    os._exit(0)


def _said(event: Event, options: Options, log: _Log) -> bytes:
    options = options.fixed()
    log.place = options.log_place
    given = Given(sys.stdin.buffer.read(LONGEST_INPUT))
    folder = given.text("cwd") or os.environ.get("CLAUDE_PROJECT_DIR", "")
    if folder and Path(folder).is_dir():
        os.chdir(folder)
    log.place = options.log_place
    project = options.project or project_of(folder or str(Path.cwd()))
    if event.tokens:
        return _recalled(event, given, options, project)
    _captured(event, given, options, project)
    return b""


def _recalled(event: Event, given: Given, options: Options, project: str) -> bytes:
    if not project or not (options.server or options.place.exists()):
        return b""
    budget = options.tokens or event.tokens
    from simonides.doors.hooks import recalling
    from simonides.doors.hooks.store import opened

    memory = opened(options, options.milliseconds or event.milliseconds)
    session = given.text("session_id")
    if event.name == "SessionStart":
        text = recalling.for_start(memory, project, session, given.text("source"), budget)
    else:
        text = recalling.for_prompt(memory, project, session, given.text("prompt"), budget)
    if not text:
        return b""
    said = {"hookSpecificOutput": {"hookEventName": event.name, "additionalContext": text}}
    return json.dumps(said).encode() + b"\n"


def _captured(event: Event, given: Given, options: Options, project: str) -> None:
    transcript = given.text("transcript_path")
    if not transcript:
        raise ValueError("no transcript_path")
    path = Path(transcript).expanduser()
    if not path.exists():
        return  # a session in which nothing was said has none
    from simonides.doors.hooks.capturing import Session, capture
    from simonides.doors.hooks.store import opened

    with opened(options, options.milliseconds or event.milliseconds) as memory:
        stored = capture(memory, Session(path, given.text("session_id"), project))
        if stored and event.name == "Stop":  # nobody waits for it
            memory.keep_index()


class _Log:
    """Where to write what went wrong: beside the store, once it is known which; else beside the user's own."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.place: Path | None = None

    def write(self, what: str) -> None:
        try:
            faults.write(faults.log_of(self.place or user_path()), self.event[:40], what)
        except (OSError, RuntimeError):
            return


class _Ending:
    """Ends the process when its time is over, unless somebody has begun to speak."""

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._speaking = threading.Lock()
        self._late = late
        threading.Thread(target=self._watch, args=(seconds,), daemon=True).start()

    def speak(self) -> bool:
        """Take the word; False when the time is over."""
        return self._speaking.acquire(blocking=False)

    def _watch(self, seconds: float) -> None:
        time.sleep(seconds)
        if self._speaking.acquire(blocking=False):
            self._late()
        else:
            time.sleep(0.2)  # it is writing; should nobody read what it writes, it ends all the same
        os._exit(0)


def _write(handle: int, text: bytes) -> None:
    left = memoryview(text)
    while left:
        left = left[os.write(handle, left) :]
