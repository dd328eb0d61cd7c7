"""Makes stores with the real packages of other memory systems, each in an environment of its own, and imports them.

    python scripts/make_foreign_stores.py /tmp/foreign           # all; needs uv, Python 3.12 and a package index
    python scripts/make_foreign_stores.py /tmp/foreign letta zep # some

It shows whether the importers still read what these programs write. The tests make the same tables themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTE = """# Coffee Brewing

## Observations
- [method] Pour over gives clarity #brewing #light (tried on 3 May)
- [tip] Water at 96 degrees

## Relations
- relates_to [[Tea]]
- pairs_with [[Chocolate]] (dark)
"""


@dataclass(frozen=True, slots=True)
class System:
    """What is installed for a system, and what of its store is imported."""

    packages: tuple[str, ...]
    stores: tuple[str, ...]
    python: str = "3.11"


SYSTEMS = {
    "mem0": System(("mem0ai",), (".", "history.db", "all.json")),
    "zep": System(("graphiti-core[kuzu]", "openai", "httpx"), ("graph.jsonl",)),
    "letta": System(("letta<0.20", "sqlite-vec", "asyncpg"), ("letta.db", "nora.af"), "3.12"),
    "langmem": System(("langgraph-checkpoint-sqlite", "langgraph"), ("store.db",)),
    "basic-memory": System(("basic-memory",), ("brain", "home/.basic-memory"), "3.12"),
}


def main() -> None:
    """Make and import the stores that the command line names."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    root, wanted = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(SYSTEMS)
    for name in wanted:
        system, place = SYSTEMS[name], root / name
        python = environment(root / f"{name}-environment", system)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        if name == "basic-memory":
            notes(python.with_name("basic-memory"), place)
        else:
            run(str(python), "-P", str(HERE / "foreign" / f"{name}.py"), str(place))
        for store in system.stores:
            print(f"== {name} {store}", flush=True)
            into = ("--path", str(place / "simonides.db"))
            run(sys.executable, "-m", "simonides", *into, "import", name, str(place / store), quiet=False)


def environment(place: Path, system: System) -> Path:
    """Return the Python of an environment with the packages of a system, made if it is not there."""
    python = place / "bin" / "python"
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not python.exists():
        run(uv, "venv", "-q", "--python", system.python, str(place))
    run(uv, "pip", "install", "-q", "-p", str(python), *system.packages)
    return python


def notes(program: Path, place: Path) -> None:
    """Write two notes with the command line of Basic Memory."""
    home = place / "home"
    own = {
        "HOME": str(home),
        "BASIC_MEMORY_CONFIG_DIR": str(home / ".basic-memory"),
        "BASIC_MEMORY_HOME": str(place / "main"),
        "BASIC_MEMORY_SEMANTIC_SEARCH_ENABLED": "false",
    }
    (place / "brain").mkdir()
    home.mkdir()
    run(str(program), "project", "add", "brain", str(place / "brain"), more=own)
    for title, text in (("Coffee Brewing", NOTE), ("Tea", "Green tea at 80 degrees.")):
        write = ("tool", "write-note", "--project", "brain", "--folder", "drinks", "--title", title)
        run(str(program), *write, "--content", text, more=own)


def run(*command: str, quiet: bool = True, more: Mapping[str, str] | None = None) -> None:
    """Run a program; what it says is shown when it fails."""
    done = subprocess.run(
        command, env={**os.environ, **(more or {})}, capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout or ''}{done.stderr or ''}")


if __name__ == "__main__":
    main()
