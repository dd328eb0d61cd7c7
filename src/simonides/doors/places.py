"""Where the one file is, and what the environment says; the only reader of `SIMONIDES_*`, opens nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from simonides.errors import InputError
from simonides.settings import Settings

PREFIX = "SIMONIDES_"
OTHER_NAMES = ("PATH", "ACTOR", "COMPLETE", "KEY_FILE")
"""What else `SIMONIDES_<NAME>` may be called, beside the settings."""

SERVERS = ("postgresql:", "postgres:")
"""How the address of a server begins, where a path could stand."""
LOCAL = Path(".simonides") / "memory.db"
_PACKAGES = (
    "site-packages",
    "dist-packages",
    "node_modules",
    "_npx",
    "archive-v0",
    "builds-v0",
    "environments-v2",
)
"""Folders that an upgrade or a cleaning of caches removes, with all that is in them."""


def server_address(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the address of the PostgreSQL server to use; empty when it is a file."""
    chosen = given or environment.get(f"{PREFIX}PATH") or ""
    return chosen if chosen.startswith(SERVERS) else ""


def store_path(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file to use: the given one, that of the project around the working directory, or the user's.

    A project's file is `.simonides/memory.db` in the working directory or a parent up to the git root; it is used when
    it exists, never made unasked.

    Raises:
        InputError: it lies inside an installed package, where the next update would delete it; or it is a server.
    """
    if server_address(given, environment):
        raise InputError("path", "must be a file here, not a server", "", "Name a file with --path.")
    chosen = given or environment.get(f"{PREFIX}PATH")
    path = Path(chosen).expanduser() if chosen else project_path(Path.cwd()) or user_path(environment)
    if str(path) == ":memory:":
        return path
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links, and people know the link's name
    inside = next((part for part in path.resolve().parts if part in _PACKAGES), None)
    if inside:
        way_out = f"Choose another with --path or {PREFIX}PATH; without them it is {user_path(environment)}."
        raise InputError(
            "path", f"must not be inside an installed package or its cache ({inside})", str(path), way_out
        )
    return path


def project_path(start: Path) -> Path | None:
    """Return the file of the project around a folder, None when it has none."""
    above = [start, *start.parents]
    root = next((number for number, folder in enumerate(above) if (folder / ".git").exists()), 0)
    return next((folder / LOCAL for folder in above[: root + 1] if (folder / LOCAL).is_file()), None)


def user_path(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return the file in the platform's own place for a user's data."""
    home = Path.home()
    if platform == "win32":
        base = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        named = environment.get("XDG_DATA_HOME", "")
        base = Path(named) if Path(named).is_absolute() else home / ".local" / "share"
    return base / "simonides" / "memory.db"


def open_to_others(folder: Path) -> int:
    """Return the mode of a folder that others may enter or read; 0 where they can not, or where it is not there."""
    try:
        mode = folder.stat().st_mode & 0o777
    except OSError:
        return 0
    return mode if os.name == "posix" and mode & 0o077 else 0


def settings_given(
    flags: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> dict[str, tuple[str, str]]:
    """Return each setting that was given, with its text and where it came from; flags win over the environment."""
    known = {item.name for item in fields(Settings)}
    found: dict[str, tuple[str, str]] = {}
    for name in known:
        if (text := environment.get(f"{PREFIX}{name.upper()}")) is not None:
            found[name] = (text, f"{PREFIX}{name.upper()}")
    found.update({name: (text, "--set") for name, text in flags.items()})
    return found


def settings_from(flags: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that flags and environment make.

    Raises:
        UnknownName: a flag names no setting.
        InputError: a value does not fit; the message says which.
    """
    given = settings_given(flags, environment)
    return Settings().with_strings({name: text for name, (text, _) in given.items()})


def strangers(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names in the environment that look like settings and are none."""
    known = {item.name.upper() for item in fields(Settings)} | set(OTHER_NAMES)
    return sorted(
        name for name in environment if name.startswith(PREFIX) and name[len(PREFIX) :] not in known
    )
