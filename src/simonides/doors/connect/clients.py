"""The table of agents: where each keeps its settings, in which format, and what an entry looks like; writes nothing.

Each was checked against the documentation that `source` names; docs/connect.md says what could not be tried here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simonides.types import Json

NAME = "simonides"
"""What the entry is called in every file."""


@dataclass(frozen=True, slots=True)
class Call:
    """How an agent starts this program.

    Attributes:
        command: absolute path of the program. store: the file or server to use, empty for the default.
        python: the interpreter that has simonides, for hooks.
    """

    command: str
    python: str
    store: str = ""

    @property
    def environment(self) -> dict[str, Json]:
        """What the server must find in its environment."""
        return {"SIMONIDES_PATH": self.store} if self.store else {}


@dataclass(frozen=True, slots=True)
class Client:
    """An agent.

    Attributes:
        title: its own name. format: json (comments are kept in it too) or toml.
        files: places of its settings for a user, by platform; the first that exists is used, else the first.
        project: its settings inside a project, empty where it has none.
        path: the names under which servers stand. shape: how an entry looks, see `entry`.
        signs: folders that are there when it is installed.
        hooks: where its hooks are written, in the user's place and in a project; empty where it has none.
    """

    title: str
    files: Mapping[str, tuple[str, ...]]
    project: str
    path: tuple[str, ...]
    shape: str
    signs: tuple[str, ...]
    source: str
    format: str = "json"
    hooks: tuple[str, str] = field(default=("", ""))


def _everywhere(*files: str) -> dict[str, tuple[str, ...]]:
    return {"linux": files, "darwin": files, "win32": files}


CLIENTS: dict[str, Client] = {
    "claude-code": Client(
        "Claude Code",
        _everywhere("{claude.json}"),
        ".mcp.json",
        ("mcpServers",),
        "typed",
        ("{claude}",),
        "https://code.claude.com/docs/en/mcp and /hooks",
        hooks=("{claude}/settings.json", ".claude/settings.local.json"),
    ),
    "claude-desktop": Client(
        "Claude Desktop",
        {
            "darwin": ("{support}/Claude/claude_desktop_config.json",),
            "win32": ("{appdata}/Claude/claude_desktop_config.json",),
            "linux": ("{config}/Claude/claude_desktop_config.json",),
        },
        "",
        ("mcpServers",),
        "plain",
        ("{support}/Claude", "{appdata}/Claude", "{config}/Claude"),
        "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
    ),
    "cursor": Client(
        "Cursor",
        _everywhere("{home}/.cursor/mcp.json"),
        ".cursor/mcp.json",
        ("mcpServers",),
        "plain",
        ("{home}/.cursor",),
        "https://cursor.com/docs/mcp",
    ),
    "codex": Client(
        "Codex CLI",
        _everywhere("{codex}/config.toml"),
        ".codex/config.toml",
        ("mcp_servers",),
        "plain",
        ("{codex}",),
        "https://developers.openai.com/codex/mcp",
        format="toml",
    ),
    "gemini": Client(
        "Gemini CLI",
        _everywhere("{home}/.gemini/settings.json"),
        ".gemini/settings.json",
        ("mcpServers",),
        "plain",
        ("{home}/.gemini",),
        "https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
    ),
    "vscode": Client(
        "VS Code",
        {
            "darwin": ("{support}/Code/User/mcp.json",),
            "win32": ("{appdata}/Code/User/mcp.json",),
            "linux": ("{config}/Code/User/mcp.json",),
        },
        ".vscode/mcp.json",
        ("servers",),
        "typed",
        ("{support}/Code/User", "{appdata}/Code/User", "{config}/Code/User"),
        "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
    ),
    "windsurf": Client(
        "Windsurf",
        _everywhere("{home}/.codeium/windsurf/mcp_config.json"),
        "",
        ("mcpServers",),
        "plain",
        ("{home}/.codeium/windsurf",),
        "https://docs.windsurf.com/windsurf/cascade/mcp",
    ),
    "zed": Client(
        "Zed",
        {
            "darwin": ("{home}/.config/zed/settings.json",),
            "win32": ("{appdata}/Zed/settings.json",),
            "linux": ("{config}/zed/settings.json",),
        },
        ".zed/settings.json",
        ("context_servers",),
        "zed",
        ("{home}/.config/zed", "{appdata}/Zed", "{config}/zed"),
        "https://github.com/zed-industries/zed/blob/main/docs/src/ai/mcp.md",
    ),
    "opencode": Client(
        "opencode",
        _everywhere("{config}/opencode/opencode.json", "{config}/opencode/opencode.jsonc"),
        "opencode.json",
        ("mcp",),
        "opencode",
        ("{config}/opencode",),
        "https://opencode.ai/docs/mcp-servers/ and /migrate-v1/",
    ),
}

OTHER_NAMES = {"claude": "claude-code", "codex-cli": "codex", "gemini-cli": "gemini", "code": "vscode"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The machine as the table needs it; handed in, so that any can be looked at.

    Attributes:
        project: the project's folder when its own settings are meant, None for the user's.
    """

    home: Path
    environment: Mapping[str, str]
    platform: str = sys.platform
    project: Path | None = None

    def place(self, template: str) -> Path:
        """Return the path that a template of the table means here."""
        home, given = self.home, self.environment
        claude = given.get("CLAUDE_CONFIG_DIR")
        named = {
            "home": home,
            "config": Path(given.get("XDG_CONFIG_HOME") or home / ".config"),
            "support": home / "Library" / "Application Support",
            "appdata": Path(given.get("APPDATA") or home / "AppData" / "Roaming"),
            "codex": Path(given.get("CODEX_HOME") or home / ".codex"),
            "claude": Path(claude or home / ".claude"),
            "claude.json": Path(claude) / ".claude.json" if claude else home / ".claude.json",
        }
        name, _, rest = template.removeprefix("{").partition("}")
        return named[name] / rest.lstrip("/") if rest else named[name]

    def settings(self, client: Client) -> Path | None:
        """Return the file that names the servers of a client; None where it has no such file here."""
        if self.project is not None:
            return self.project / client.project if client.project else None
        system = self.platform if self.platform in client.files else "linux"
        places = [self.place(template) for template in client.files[system]]
        return next((place for place in places if place.exists()), places[0])

    def hooks(self, client: Client) -> Path | None:
        """Return the file of a client's hooks; None where it has none."""
        mine, shared = client.hooks
        if not mine:
            return None
        return self.place(mine) if self.project is None else self.project / shared

    def installed(self, client: Client) -> bool:
        """Tell whether a client has left its folder on this machine."""
        return any(self.place(sign).is_dir() for sign in client.signs)


def entry(client: Client, call: Call) -> dict[str, Json]:
    """Return what stands under our name in a client's settings."""
    environment = call.environment
    made: dict[str, Json] = {"type": "stdio"} if client.shape == "typed" else {}
    if client.shape == "zed":
        made["source"] = "custom"  # for the versions before it could be left out
    if client.shape == "opencode":
        made |= {"type": "local", "command": [call.command, "mcp"], "enabled": True}
    else:
        made |= {"command": call.command, "args": ["mcp"]}
    if environment:
        made["environment" if client.shape == "opencode" else "env"] = environment
    return made


def path_of(client: Client, data: Json) -> tuple[str, ...]:
    """Return the names under which our entry stands; the second opencode has a level more, and reads the first's."""
    if client.shape == "opencode" and isinstance(data, dict):
        servers = data.get("mcp")
        inner = servers.get("servers") if isinstance(servers, dict) else None
        if isinstance(inner, dict) and not {"type", "command"} & set(inner):
            return (*client.path, "servers", NAME)
    return (*client.path, NAME)
