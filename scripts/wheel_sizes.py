"""Adds up the wheels of a default install, from `uv.lock` and our own files; downloads nothing.

    .venv/bin/python scripts/wheel_sizes.py            # this machine
    .venv/bin/python scripts/wheel_sizes.py --all      # the common platforms, and whether any would need a compiler

A megabyte is a million bytes. The promise is at most 90 of them in all; the exit code says whether it is kept.
"""

from __future__ import annotations

import argparse
import io
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, sys_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
LIMIT_BYTES = 90_000_000
PLATFORMS = {
    "linux x86_64": ("linux", "Linux", "x86_64", [f"manylinux_2_{n}_x86_64" for n in range(36, 4, -1)]),
    "linux aarch64": ("linux", "Linux", "aarch64", [f"manylinux_2_{n}_aarch64" for n in range(36, 16, -1)]),
    "macOS arm64": ("darwin", "Darwin", "arm64", list(mac_platforms((14, 0), "arm64"))),
    "macOS x86_64": ("darwin", "Darwin", "x86_64", list(mac_platforms((14, 0), "x86_64"))),
    "Windows x86_64": ("win32", "Windows", "AMD64", ["win_amd64"]),
}
LEGACY = {"manylinux_2_17": "manylinux2014", "manylinux_2_12": "manylinux2010", "manylinux_2_5": "manylinux1"}


@dataclass(frozen=True, slots=True)
class Target:
    """A Python on a platform: the tags it takes, best first, and the values its markers see."""

    name: str
    tags: tuple[Tag, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of an install; `size` is None where there is none for the target and a compiler is needed."""

    name: str
    version: str
    size: int | None


def here() -> Target:
    """Return the running Python as a target."""
    return Target("this machine", tuple(sys_tags()), {k: str(v) for k, v in default_environment().items()})


def elsewhere(platform: str, minor: int) -> Target:
    """Return CPython 3.<minor> on a named platform as a target."""
    sys_platform, system, machine, names = PLATFORMS[platform]
    for new, old in LEGACY.items():
        if f"{new}_{machine}" in names:
            names = [*names, f"{old}_{machine}"]
    tags = [*cpython_tags((3, minor), platforms=names), *compatible_tags((3, minor), f"cp3{minor}", names)]
    environment = {k: str(v) for k, v in default_environment().items()} | {
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.0",
        "implementation_version": f"3.{minor}.0",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": "nt" if sys_platform == "win32" else "posix",
    }
    return Target(f"{platform}, Python 3.{minor}", tuple(tags), environment)


def installed(lock: dict[str, Any], target: Target) -> Iterator[dict[str, Any]]:
    """Yield the locked packages of a default install, ourselves excepted."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for package in lock["package"]:
        by_name.setdefault(package["name"], []).append(package)
    todo, seen = ["simonides"], {"simonides"}
    while todo:
        for package in by_name[todo.pop()]:
            markers = package.get("resolution-markers", [])
            if markers and not any(Marker(m).evaluate(target.environment) for m in markers):
                continue
            if package["name"] != "simonides":
                yield package
            for need in package.get("dependencies", []):
                wanted = "marker" not in need or Marker(need["marker"]).evaluate(target.environment)
                if wanted and need["name"] not in seen:
                    seen.add(need["name"])
                    todo.append(need["name"])


def best(package: dict[str, Any], target: Target) -> Wheel:
    """Choose the wheel that an installer would choose."""
    rank = {tag: place for place, tag in enumerate(target.tags)}
    sizes: list[tuple[int, int]] = []
    for wheel in package.get("wheels", []):
        tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3]
        places = [rank[tag] for tag in tags if tag in rank]
        if places:
            sizes.append((min(places), wheel["size"]))
    return Wheel(package["name"], package["version"], min(sizes)[1] if sizes else None)


def ours() -> Wheel:
    """Return our own wheel, measured by packing the package the way a wheel is packed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "src" / "simonides").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(ROOT / "src"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return Wheel("simonides", project["version"], sink.tell())


def wheels(target: Target) -> list[Wheel]:
    """Return every wheel of a default install on a target, largest first."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    found = [best(package, target) for package in installed(lock, target)]
    return sorted([ours(), *found], key=lambda wheel: -(wheel.size or 0))


def total(found: list[Wheel]) -> int:
    """Return the bytes of the wheels together."""
    return sum(wheel.size or 0 for wheel in found)


def main() -> int:
    """Print one table; exit code 1 when an install is larger than promised or would need a compiler."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="the common platforms instead of this machine")
    if not parser.parse_args().all:
        found = wheels(here())
        for wheel in found:
            size = "no wheel: a compiler is needed" if wheel.size is None else f"{wheel.size / 1e6:6.2f} MB"
            print(f"{wheel.name:22} {wheel.version:12} {size}")
        print(f"{len(found)} wheels, {total(found) / 1e6:.1f} MB in all, {LIMIT_BYTES / 1e6:.0f} MB promised")
        return int(total(found) > LIMIT_BYTES or any(wheel.size is None for wheel in found))
    worst = 0
    for platform in PLATFORMS:
        for minor in (11, 12, 13, 14):
            found = wheels(elsewhere(platform, minor))
            missing = [wheel.name for wheel in found if wheel.size is None]
            note = f"  needs a compiler for {', '.join(missing)}" if missing else ""
            print(f"{platform:15} 3.{minor}  {len(found)} wheels {total(found) / 1e6:6.1f} MB{note}")
            worst = max(worst, total(found))
    return int(worst > LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())
