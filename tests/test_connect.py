"""Agents get the memory and lose it again; their files keep everything else, to the byte; in homes of the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.doors.connect import agent_hooks, jsonc, toml_table
from simonides.doors.connect.changes import BACKUP, Change, changes
from simonides.doors.connect.clients import CLIENTS, NAME, Call, Surroundings, entry, path_of
from simonides.doors.connect.writing import FRESH, write
from simonides.errors import Conflict, InputError

CALL = Call("/opt/sim/bin/simonides", "/opt/sim/bin/python", "")
OTHER = Call("/new/bin/simonides", "/new/bin/python", "/data/work memory.db")

JSON_BEFORE = """{
    // what I like
    "theme": "dark", /* very */
    "mcpServers": {
        "other": {"command": "npx", "args": ["-y", "x"]} // keep me
    },
    "last": [1, 2.50, -3e4]   // odd   spacing
}
"""
JSON_AFTER = """{
    // what I like
    "theme": "dark", /* very */
    "mcpServers": {
        "other": {"command": "npx", "args": ["-y", "x"]}, // keep me
        "simonides": {
            "command": "/opt/sim/bin/simonides",
            "args": [
                "mcp"
            ]
        }
    },
    "last": [1, 2.50, -3e4]   // odd   spacing
}
"""
ZED_BEFORE = """// Zed settings
{
\t"theme": "One",
\t"context_servers": {
\t\t"other": { "command": "x", "args": [] }, // mine
\t},
}
"""
ZED_AFTER = """// Zed settings
{
\t"theme": "One",
\t"context_servers": {
\t\t"other": { "command": "x", "args": [] }, // mine
\t\t"simonides": {
\t\t\t"source": "custom",
\t\t\t"command": "/opt/sim/bin/simonides",
\t\t\t"args": [
\t\t\t\t"mcp"
\t\t\t]
\t\t},
\t},
}
"""
TOML_BEFORE = """model = "gpt-5" # the good one

[mcp_servers.other] # mine
command = "npx"
args = [ "-y", "x" ]

[profiles.work]
model = "o3"
"""
TOML_AFTER = f"""{TOML_BEFORE}
[mcp_servers.simonides]
command = "/opt/sim/bin/simonides"
args = ["mcp"]
"""
OPENCODE_AFTER = """{"$schema": "https://opencode.ai/config.json", "mcp": {
  "simonides": {
    "type": "local",
    "command": [
      "/opt/sim/bin/simonides",
      "mcp"
    ],
    "enabled": true
  }
}}"""
TYPED = '"simonides": {\n', '"simonides": {\n            "type": "stdio",\n'
GOLDEN = {
    "claude-code": (JSON_BEFORE, JSON_AFTER.replace(*TYPED)),
    "claude-desktop": (JSON_BEFORE, JSON_AFTER),
    "cursor": (JSON_BEFORE, JSON_AFTER),
    "codex": (TOML_BEFORE, TOML_AFTER),
    "gemini": (JSON_BEFORE, JSON_AFTER),
    "vscode": (
        JSON_BEFORE.replace("mcpServers", "servers"),
        JSON_AFTER.replace("mcpServers", "servers").replace(*TYPED),
    ),
    "windsurf": (JSON_BEFORE, JSON_AFTER),
    "zed": (ZED_BEFORE, ZED_AFTER),
    "opencode": (
        '{"$schema": "https://opencode.ai/config.json", "mcp": {}}',
        OPENCODE_AFTER,
    ),
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path, {}, "linux")


def settled(here: Surroundings, name: str) -> Path:
    place = here.settings(CLIENTS[name])
    assert place is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def carry_out(name: str, here: Surroundings, call: Call | None) -> list[Change]:
    found = changes(name, CLIENTS[name], here, call)
    for change in found:
        if change.needed:
            write(change)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_file_gets_our_entry_and_keeps_the_rest(name: str, here: Surroundings) -> None:
    before, after = GOLDEN[name]
    place = settled(here, name)
    place.write_bytes(before.encode())
    carry_out(name, here, CALL)
    assert place.read_text() == after
    assert place.with_name(place.name + BACKUP).read_text() == before


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("there", [True, False])
def test_connect_then_disconnect_leaves_no_trace(name: str, there: bool, here: Surroundings) -> None:
    place = settled(here, name)
    if there:
        place.write_bytes(GOLDEN[name][0].encode())
    before = files(here.home)
    carry_out(name, here, CALL)
    assert files(here.home) != before
    carry_out(name, here, None)
    assert files(here.home) == before


@pytest.mark.parametrize("name", CLIENTS)
def test_the_second_time_nothing_changes(name: str, here: Surroundings) -> None:
    settled(here, name).write_bytes(GOLDEN[name][0].encode())
    carry_out(name, here, CALL)
    after = files(here.home)
    assert not any(change.needed for change in carry_out(name, here, CALL))
    assert files(here.home) == after
    carry_out(name, here, None)
    assert not any(change.needed for change in carry_out(name, here, None))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_program_that_has_moved_is_written_in_place_of_the_old_one(name: str, here: Surroundings) -> None:
    place = settled(here, name)
    place.write_bytes(GOLDEN[name][0].encode())
    before = files(here.home)
    carry_out(name, here, CALL)
    carry_out(name, here, OTHER)
    assert "/opt/sim" not in place.read_text()
    assert "/data/work memory.db" in place.read_text()
    carry_out(name, here, None)
    assert files(here.home) == before


@pytest.mark.parametrize("name", CLIENTS)
def test_what_somebody_changed_in_between_stays(name: str, here: Surroundings) -> None:
    place = settled(here, name)
    place.write_bytes(GOLDEN[name][0].encode())
    carry_out(name, here, CALL)
    mine = "# later\n" if CLIENTS[name].format == "toml" else "// later\n"
    place.write_text(mine + place.read_text())
    carry_out(name, here, None)
    text = place.read_text()
    assert text.startswith(mine)
    assert NAME not in text

    def parse(told: str) -> Any:
        return tomllib.loads(told) if CLIENTS[name].format == "toml" else jsonc.parse(told).value

    gone = {"mcp": {}} if name == "opencode" else {}
    assert parse(text) | gone == parse(GOLDEN[name][0])
    assert not place.with_name(place.name + BACKUP).exists()


@pytest.mark.parametrize("name", ["claude-code", "cursor", "codex"])
def test_a_link_stays_a_link(name: str, here: Surroundings) -> None:
    place = settled(here, name)
    real = here.home / "dotfiles" / "settings"
    real.parent.mkdir()
    real.write_text(GOLDEN[name][0])
    place.symlink_to(real)
    carry_out(name, here, CALL)
    assert place.is_symlink()
    assert real.read_text() == GOLDEN[name][1]
    carry_out(name, here, None)
    assert place.is_symlink()
    assert real.read_text() == GOLDEN[name][0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cursor", '{"mcpServers": {'),
        ("cursor", '{"mcpServers": []}'),
        ("cursor", "[]"),
        ("cursor", '{"a": 1 "b": 2}'),
        ("cursor", "mcpServers: {}"),
        ("codex", "mcp_servers = { other = { command = 'x' } }\n"),
        ("codex", "model = \n"),
        ("claude-code", "\udcff"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_and_left_alone(
    name: str, text: str, here: Surroundings
) -> None:
    place = settled(here, name)
    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = files(here.home)
    with pytest.raises(InputError) as caught:
        carry_out(name, here, CALL)
    assert str(place) in str(caught.value)
    assert files(here.home) == before


def test_a_file_that_changed_after_the_diff_is_not_overwritten(here: Surroundings) -> None:
    place = settled(here, "cursor")
    place.write_text("{}")
    (change,) = changes("cursor", CLIENTS["cursor"], here, CALL)
    place.write_text('{"new": 1}')
    with pytest.raises(Conflict):
        write(change)
    assert place.read_text() == '{"new": 1}'


def test_modes_are_kept_and_new_files_are_private(here: Surroundings) -> None:
    place = settled(here, "gemini")
    place.write_text("{}")
    place.chmod(0o640)
    carry_out("gemini", here, CALL)
    assert place.stat().st_mode & 0o777 == 0o640
    assert place.with_name(place.name + BACKUP).stat().st_mode & 0o777 == 0o640
    carry_out("cursor", here, CALL)
    assert settled(here, "cursor").stat().st_mode & 0o777 == 0o600


def test_each_client_gets_the_shape_that_it_documents() -> None:
    shapes = {name: entry(one, OTHER) for name, one in CLIENTS.items()}
    variables = {"SIMONIDES_PATH": "/data/work memory.db"}
    plain = {"command": "/new/bin/simonides", "args": ["mcp"], "env": variables}
    assert shapes["cursor"] == shapes["codex"] == shapes["gemini"] == shapes["windsurf"] == plain
    assert shapes["claude-code"] == shapes["vscode"] == {"type": "stdio", **plain}
    assert shapes["zed"] == {"source": "custom", **plain}
    assert shapes["opencode"] == {
        "type": "local", "command": ["/new/bin/simonides", "mcp"], "enabled": True, "environment": variables,
    }  # fmt: skip
    assert path_of(CLIENTS["opencode"], {"mcp": {"servers": {}}}) == ("mcp", "servers", "simonides")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_client_has_a_place_on_every_platform(platform: str, tmp_path: Path) -> None:
    here = Surroundings(tmp_path, {"APPDATA": str(tmp_path / "AppData")}, platform)
    places = {name: here.settings(one) for name, one in CLIENTS.items()}
    assert all(place is not None and place.is_relative_to(tmp_path) for place in places.values())
    assert len(set(places.values())) == len(places)


# Hooks


def test_hooks_of_others_stay_and_ours_are_there_once(here: Surroundings) -> None:
    place = here.hooks(CLIENTS["claude-code"])
    assert place is not None
    place.parent.mkdir(parents=True)
    mine = {"hooks": [{"type": "command", "command": "notify-send done"}]}
    text = json.dumps({"model": "opus", "hooks": {"Stop": [mine]}}, indent=2)
    place.write_text(text)
    carry_out("claude-code", here, CALL)
    found = json.loads(place.read_text())
    assert set(found["hooks"]) == set(agent_hooks.WORDS)
    assert found["hooks"]["Stop"][0] == mine
    ours = found["hooks"]["Stop"][1]["hooks"][0]
    assert ours["command"] == "/opt/sim/bin/python -P -m simonides.doors.hooks stop"
    assert ours["async"] is True
    assert found["model"] == "opus"
    carry_out("claude-code", here, OTHER)
    assert len(json.loads(place.read_text())["hooks"]["Stop"]) == 2
    assert "--path '/data/work memory.db'" in place.read_text()
    place.write_text(place.read_text().replace("opus", "sonnet"))
    carry_out("claude-code", here, None)
    assert json.loads(place.read_text()) == {"model": "sonnet", "hooks": {"Stop": [mine]}}


def test_options_that_somebody_gave_a_hook_stay(here: Surroundings) -> None:
    carry_out("claude-code", here, CALL)
    place = here.hooks(CLIENTS["claude-code"])
    assert place is not None
    place.write_text(place.read_text().replace("user-prompt-submit", "user-prompt-submit --budget 600"))
    assert not any(change.needed for change in carry_out("claude-code", here, CALL))
    carry_out("claude-code", here, OTHER)
    assert "/opt/sim" not in place.read_text()
    carry_out("claude-code", here, None)
    assert files(here.home) == {}


def test_the_command_line_of_a_hook_is_quoted_for_the_shell_of_the_agent() -> None:
    words = ["C:\\Program Files\\Python\\python.exe", "-P"]
    assert agent_hooks.command_line(words, "win32") == "'C:/Program Files/Python/python.exe' -P"
    assert agent_hooks.command_line(["/opt/a b/python"], "linux") == "'/opt/a b/python'"


# Edits, as laws

SPACES = st.sampled_from(["", " ", "\n", "\n  ", "\t", " // note\n", "/* a */", "\r\n"])
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), NAMES
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """Write a value the way that people and programs do: comments, odd blanks, commas at the end."""
    gap = lambda: draw(SPACES)  # noqa: E731
    if isinstance(value, dict):
        parts = [
            f"{gap()}{json.dumps(key)}{gap()}:{gap()}{draw(written(part))}{gap()}"
            for key, part in value.items()
        ]
        brackets = "{}"
    elif isinstance(value, list):
        parts = [f"{gap()}{draw(written(part))}{gap()}" for part in value]
        brackets = "[]"
    else:
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    end = f",{gap()}" if parts and draw(st.booleans()) else gap()
    return f"{brackets[0]}{','.join(parts)}{end}{brackets[1]}"


DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=3).flatmap(
    lambda value: st.dictionaries(NAMES, VALUES, max_size=3).flatmap(
        lambda servers: st.booleans().map(lambda has: {**value, **({"servers": servers} if has else {})})
    )
)


@settings(max_examples=200)
@given(DOCUMENTS.flatmap(lambda value: st.tuples(st.just(value), written(value))))
def test_an_edit_of_any_json_changes_what_it_should_and_nothing_else(
    both: tuple[dict[str, Any], str],
) -> None:
    value, text = both
    ours: dict[str, Any] = {"command": "x", "args": ["mcp"]}
    assert jsonc.parse(text).value == value
    if not isinstance(value.get("servers", {}), dict):
        return
    servers = {name: one for name, one in value.get("servers", {}).items() if name != "simonides"}
    new = jsonc.put(text, ("servers", "simonides"), ours)
    assert jsonc.parse(new).value == jsonc.merged(value, ("servers", "simonides"), ours)
    holder = jsonc.find(jsonc.parse(new), ("servers",))
    assert holder is not None
    names = [name for name, _, _ in holder.members or []]
    gone = jsonc.cut(new, holder, names.index("simonides"))
    assert jsonc.parse(gone).value == {**value, "servers": servers}


TOML_LINES = st.lists(
    st.sampled_from(
        ["a = 1", "# note", "", "[x]", "[x.y]", 'b = "[mcp_servers.simonides]"', "[mcp_servers.other]", "[[z]]",
         'c = """\n[d]\n"""']
    ),
    max_size=8,
)  # fmt: skip


@given(TOML_LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_an_edit_of_any_toml_changes_what_it_should_and_nothing_else(
    lines: list[str], end: str, ended: bool
) -> None:
    text = end.join(lines) + (end if ended else "")
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    table: dict[str, Any] = {"command": 'C:\\a "b"', "args": ["mcp"], "env": {"X": "y"}}
    new = toml_table.put(text, ("mcp_servers", "simonides"), table)
    servers = value.get("mcp_servers", {})
    assert tomllib.loads(new) == {**value, "mcp_servers": {**servers, "simonides": table}}
    assert new.startswith(text)
    again = toml_table.put(new, ("mcp_servers", "simonides"), {"command": "z"})
    assert tomllib.loads(again)["mcp_servers"]["simonides"] == {"command": "z"}
    assert tomllib.loads(toml_table.cut(new, ("mcp_servers", "simonides"))) == value


# The commands


def simonides(*words: str, home: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "simonides", *words],
        capture_output=True, text=True, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_finds_what_is_installed_shows_it_and_writes_it(tmp_path: Path) -> None:
    for folder in (".cursor", ".codex", ".claude"):
        (tmp_path / folder).mkdir()
    dry = simonides("connect", "--dry-run", home=tmp_path)
    assert "+[mcp_servers.simonides]" in dry.stdout
    assert files(tmp_path) == {}
    refused = simonides("connect", home=tmp_path)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert files(tmp_path) == {}
    done = json.loads(simonides("connect", "--yes", "--json", home=tmp_path).stdout)
    assert done["clients"] == ["claude-code", "cursor", "codex"]
    assert {one["state"] for one in done["changes"]} == {"connected"}
    again = json.loads(simonides("connect", "--yes", "--json", home=tmp_path).stdout)
    assert {one["state"] for one in again["changes"]} == {"already connected"}
    listed = json.loads(simonides("connect", "--list", "--json", home=tmp_path).stdout)
    states = {one["client"]: one["connected"] for one in listed["clients"]}
    assert (states["claude-code"], states["cursor"], states["zed"]) == ("server and hooks", "server", "")
    command = json.loads((tmp_path / ".cursor" / "mcp.json").read_text())["mcpServers"]["simonides"][
        "command"
    ]
    assert Path(command).is_absolute()
    undone = simonides("disconnect", "--yes", home=tmp_path)
    assert undone.returncode == 0, undone.stderr
    assert files(tmp_path) == {}
    assert simonides("disconnect", "--yes", home=tmp_path).returncode == 1


def test_undo_is_disconnect_and_a_project_has_settings_of_its_own(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    words = ("connect", "claude-code", "vscode", "--project", "--yes")
    assert simonides(*words, home=tmp_path, cwd=project).returncode == 0
    assert set(files(project)) == {".mcp.json", ".claude/settings.local.json", ".vscode/mcp.json"}
    assert simonides(*words, "--undo", home=tmp_path, cwd=project).returncode == 0
    assert files(project) == {}
    none = simonides("connect", "windsurf", "--project", "--yes", home=tmp_path, cwd=project)
    assert none.returncode == 3
    assert "--project" in none.stderr


def test_the_server_can_be_had_without_the_hooks(tmp_path: Path) -> None:
    done = simonides("connect", "claude-code", "--no-hooks", "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(files(tmp_path)) == {".claude.json"}


def test_a_named_file_goes_into_the_environment_of_the_server(tmp_path: Path) -> None:
    place = tmp_path / "work.db"
    done = simonides("--path", str(place), "connect", "cursor", "--yes", home=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / ".cursor" / "mcp.json").read_text())["mcpServers"]["simonides"]
    assert found["env"] == {"SIMONIDES_PATH": str(place)}


def test_an_unknown_agent_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    done = simonides("connect", "cursr", home=tmp_path)
    assert done.returncode == 3
    assert "cursor" in done.stderr


WRITER = """
import sys
from pathlib import Path
from simonides.doors.connect.changes import Change
from simonides.doors.connect.writing import write
path = Path(sys.argv[1])
old, new = b"{}" + b" " * 200_000, b"[]" + b" " * 300_000
print("ready", flush=True)
while True:
    write(Change("x", "server", path, path, old, new, connected=False, leaving=False))
    write(Change("x", "server", path, path, new, old, connected=True, leaving=False))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process at any moment")
def test_a_killed_process_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    place = tmp_path / "settings.json"
    old, new = b"{}" + b" " * 200_000, b"[]" + b" " * 300_000
    for round_ in range(6):
        place.write_bytes(old)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 + 0.017 * round_)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert place.read_bytes() in (old, new)
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {
        "settings.json",
        f"settings.json{BACKUP}",
        f"settings.json{FRESH}",
        f"settings.json{BACKUP}{FRESH}",
    }
