"""The hooks that go into Claude Code's settings: one for each event; knows the shape of the file, and no other client.

Format: https://code.claude.com/docs/en/hooks. `async` lets `Stop` run beside what the user does next; versions that do
not know the word wait for it, a few tenths of a second.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator

from simonides.doors.connect import jsonc
from simonides.doors.connect.clients import Call
from simonides.types import Json

MODULE = "simonides.doors.hooks"
WORDS = {
    "SessionStart": "session-start",
    "UserPromptSubmit": "user-prompt-submit",
    "PreCompact": "pre-compact",
    "Stop": "stop",
    "SessionEnd": "session-end",
}
SECONDS = 10
"""What the agent waits at most; each hook ends itself long before."""


def group(event: str, call: Call) -> dict[str, Json]:
    """Return the entry of an event."""
    words = [call.python, "-P", "-m", MODULE, WORDS[event], *(("--path", call.store) if call.store else ())]
    hook: dict[str, Json] = {"type": "command", "command": command_line(words), "timeout": SECONDS}
    return {"hooks": [hook | ({"async": True} if event == "Stop" else {})]}


def command_line(words: list[str], platform: str = sys.platform) -> str:
    """Return words for the shell that the agent uses: sh, and Git's bash on Windows, where backslashes must go."""
    return shlex.join([word.replace("\\", "/") for word in words] if platform == "win32" else words)


def connected(text: str, call: Call) -> str:
    """Return the text of a settings file with each of our hooks once, as it should be."""
    for event in WORDS:
        wanted = group(event, call)
        mine = [node for _, node in _ours(text, event)]
        if not mine:
            text = jsonc.append(text, ("hooks", event), wanted)
        elif not fits(mine[0].value, wanted):
            text = jsonc.replace(text, mine[0], wanted)
    return text


def fits(value: Json, wanted: Json) -> bool:
    """Tell whether an entry is the wanted one; options that somebody put behind the command may stay."""
    if value == wanted:
        return True
    commands = [*_commands(value)], [*_commands(wanted)]
    if [len(one) for one in commands] != [1, 1]:
        return False
    (there,), (command,) = commands
    return there.startswith(f"{command} --") and "--path" not in there[len(command) :]


def disconnected(text: str) -> str:
    """Return the text without our hooks, and without the lists that only they were in."""
    for event in WORDS:
        while places := [place for place, _ in _ours(text, event)]:
            holder = jsonc.find(jsonc.parse(text), ("hooks", event))
            if holder is None:
                break
            text = jsonc.cut(text, holder, places[-1])
        text = without_empty(text, ("hooks", event))
    return without_empty(text, ("hooks",))


def found(text: str) -> list[str]:
    """Return the events that have a hook of ours."""
    return [event for event in WORDS if any(True for _ in _ours(text, event))]


def groups(text: str) -> dict[str, Json]:
    """Return our hooks as they stand, by event."""
    return {event: node.value for event in WORDS for _, node in _ours(text, event)}


def without_empty(text: str, path: tuple[str, ...]) -> str:
    """Return the text without the object or list under names, if nothing is in it."""
    root = jsonc.parse(text)
    node, holder = jsonc.find(root, path), jsonc.find(root, path[:-1])
    if node is None or holder is None or node.parts() or node.value not in ({}, []):
        return text
    if text[node.start + 1 : node.end - 1].strip():
        return text  # somebody's comment stands in it
    number = [name for name, _, _ in holder.members or []].index(path[-1])
    return jsonc.cut(text, holder, number)


def _ours(text: str, event: str) -> Iterator[tuple[int, jsonc.Node]]:
    holder = jsonc.find(jsonc.parse(text), ("hooks", event))
    for place, node in enumerate((holder.items or []) if holder else []):
        commands = list(_commands(node.value))
        if commands and all(_is_ours(command) for command in commands):
            yield place, node


def _commands(value: Json) -> Iterator[str]:
    hooks = value.get("hooks") if isinstance(value, dict) else None
    for hook in hooks if isinstance(hooks, list) else []:
        if isinstance(hook, dict):
            yield str(hook.get("command", ""))


def _is_ours(command: str) -> bool:
    return f"-m {MODULE} " in f"{command} " or "simonides hook " in f"{command} "
