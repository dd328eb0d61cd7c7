"""What connecting or disconnecting would change in which file; reads files and writes none.

To disconnect gives back the file as it was, to the byte: from the backup, when connecting that backup gives what is
there now; else, when somebody has changed the file since, by taking out our entry and nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from simonides.doors.connect import agent_hooks, jsonc, toml_table
from simonides.doors.connect.clients import NAME, Call, Client, Surroundings, entry, path_of
from simonides.errors import InputError
from simonides.types import Json

T = TypeVar("T")

BACKUP = ".before-simonides"
LARGEST = 64 * 1024 * 1024
Unreadable = (jsonc.Unreadable, toml_table.Unreadable)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a file.

    Attributes:
        client: for whom. what: the server or the hooks.
        path: as people know it; `real` is where it is, behind links.
        before, after: its bytes; None where there is no file, or none is left.
        connected: whether our part is in it now. leaving: whether it is to go.
    """

    client: str
    what: str
    path: Path
    real: Path
    before: bytes | None
    after: bytes | None
    connected: bool
    leaving: bool

    @property
    def needed(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after

    @property
    def backup(self) -> Path:
        """Where the file as it was is kept."""
        return self.real.with_name(self.real.name + BACKUP)

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = (data.decode("utf-8", "replace") if data else "" for data in (self.before, self.after))
        lines = difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            str(self.path) if self.before is not None else "/dev/null",
            str(self.path) if self.after is not None else "/dev/null",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        )


def changes(name: str, client: Client, here: Surroundings, call: Call | None) -> list[Change]:
    """Return what has to change so that a client is connected; with no call, disconnected.

    Raises:
        InputError: a file can't be read as what it is; nothing is changed then.
    """
    found: list[Change] = []
    place = here.settings(client)
    if place is not None:
        found.append(_change(name, "server", place, _Server(client), call))
    hooks = here.hooks(client)
    if hooks is not None:
        found.append(_change(name, "hooks", hooks, _Hooks(), call))
    if not found:
        raise InputError(name, "has no settings inside a project", "", "Leave out --project.")
    return found


class _Server:
    """Our entry among the servers of a client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def put(self, text: str, call: Call) -> str:
        """Return the text with the entry that a call makes."""
        wanted = entry(self.client, call)
        return text if self.found(text) == wanted else self.again(text, wanted)

    def again(self, text: str, value: Json) -> str:
        """Return the text with an entry as it was found."""
        if self.client.format == "toml":
            return toml_table.put(text, (*self.client.path, NAME), value if isinstance(value, dict) else {})
        data = jsonc.parse(text).value
        path = path_of(self.client, data)
        new = jsonc.put(text, path, value)
        if jsonc.parse(new).value != jsonc.merged(data, path, value):
            raise jsonc.Unreadable("the entry can't be put into it as it is written")
        return new

    def found(self, text: str) -> Json:
        """Return the entry as it stands, None when there is none."""
        if self.client.format == "toml":
            return toml_table.find(text, (*self.client.path, NAME))
        root = jsonc.parse(text)
        node = jsonc.find(root, path_of(self.client, root.value))
        return None if node is None else node.value

    def cut(self, text: str) -> str:
        """Return the text without the entry."""
        if self.client.format == "toml":
            return toml_table.cut(text, (*self.client.path, NAME))
        path = path_of(self.client, jsonc.parse(text).value)
        holder = jsonc.find(jsonc.parse(text), path[:-1])
        if holder is None:
            return text
        number = [name for name, _, _ in holder.members or []].index(NAME)
        return agent_hooks.without_empty(jsonc.cut(text, holder, number), path[:-1])


class _Hooks:
    """Our hooks in the settings of Claude Code."""

    def put(self, text: str, call: Call) -> str:
        """Return the text with the hooks that a call makes."""
        new = agent_hooks.connected(text, call)
        there = agent_hooks.groups(new)
        wanted = {event: agent_hooks.group(event, call) for event in agent_hooks.WORDS}
        if not all(agent_hooks.fits(there.get(event), group) for event, group in wanted.items()):
            raise jsonc.Unreadable("the hooks can't be put into it as it is written")
        return new

    def again(self, text: str, value: Json) -> str:
        """Return the text with hooks as they were found."""
        for event, group in (value if isinstance(value, dict) else {}).items():
            text = jsonc.append(text, ("hooks", event), group)
        return text

    def found(self, text: str) -> Json:
        """Return the hooks as they stand, None when there are none."""
        return agent_hooks.groups(text) or None

    def cut(self, text: str) -> str:
        """Return the text without them."""
        return agent_hooks.disconnected(text)


def _change(name: str, what: str, path: Path, part: _Server | _Hooks, call: Call | None) -> Change:
    real = path.resolve()
    before = _bytes(real)
    backup = _bytes(real.with_name(real.name + BACKUP))
    text = "" if before is None else _text(path, before)
    connected = _tried(path, lambda: part.found(text)) is not None
    if call is not None:
        new = _tried(path, lambda: part.put(text, call))
        after = before if before is not None and new == text else new.encode()
        return Change(name, what, path, real, before, after, connected, leaving=False)
    if not connected:
        return Change(name, what, path, real, before, before, connected, leaving=True)
    return Change(
        name, what, path, real, before, _restored(path, part, text, backup), connected, leaving=True
    )


def _restored(path: Path, part: _Server | _Hooks, text: str, backup: bytes | None) -> bytes | None:
    """Return the file as it was before us; None when there was none."""
    ours = part.found(text)
    for old in (backup, None):
        try:
            if part.again("" if old is None else old.decode(), ours) == text:
                return old
        except (*Unreadable, UnicodeDecodeError):
            continue
    return _tried(path, lambda: part.cut(text)).encode()


def _tried(path: Path, edit: Callable[[], T]) -> T:
    try:
        return edit()
    except Unreadable as err:
        way_out = "Mend it by hand, or add the entry yourself; docs/connect.md shows it."
        raise InputError(str(path), f"can't be changed safely: {err}", "", way_out) from err


def _bytes(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(str(path), "is too large for a file of settings")
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as err:
        raise InputError(str(path), "must be UTF-8", "", "Convert it first; nothing was changed.") from err
