"""Environments of their own for what does not fit beside the others; made once, in pytest's cache.

CrewAI wants mcp 1.x while ours is 2.x, and AutoGen's agents are no part of our own environment. Each environment gets
what simonides itself needs; simonides is read from this source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "environments"
WANTED = {
    "autogen": ("autogen-agentchat>=0.7,<0.8", "autogen-ext>=0.7,<0.8"),
    "crewai": ("crewai>=1.15,<2",),
}
"""What each environment has beside what simonides needs."""
NEWEST = {"crewai": (3, 13)}
"""The newest Python that an environment can have, where there is one."""
EXAMPLES = {"autogen_memory.py": "autogen", "crewai_memory.py": "crewai"}
"""Examples that run in an environment of their own."""
SECONDS = 900


def interpreter(name: str) -> str:
    """Return the Python of an environment, made if it isn't there."""
    packages = [*_own(), *WANTED[name]]
    mark = sha256(repr((packages, sys.version_info[:2])).encode()).hexdigest()[:12]
    place = FOLDER / f"{name}-{mark}"
    with _alone(FOLDER / f"{name}.lock"):
        if not place.exists():
            for old in FOLDER.glob(f"{name}-*"):
                shutil.rmtree(old, ignore_errors=True)
            _make(place, packages, _base(name))
    return str(_python(place))


def run(name: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment, with an empty home and without what would call out."""
    told = {
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_TRACKING": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_SDK_DISABLED": "true",
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        [interpreter(name), *arguments], env={**os.environ, **told}, cwd=home, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


def _own() -> list[str]:
    """Return what simonides itself needs."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def _base(name: str) -> str:
    """Return the Python that an environment is made of: this one, or the newest that it can have."""
    newest = NEWEST.get(name, sys.version_info[:2])
    return sys.executable if sys.version_info[:2] <= newest else ".".join(map(str, newest))


def _make(place: Path, packages: list[str], base: str) -> None:
    """Make an environment beside its place and move it there when it is whole."""
    half = Path(mkdtemp(prefix="half-", dir=FOLDER))
    uv = _uv()
    try:
        if not uv or not _by_uv(uv, half, packages, base):
            shutil.rmtree(half)
            _call(base if Path(base).exists() else f"python{base}", "-m", "venv", str(half))
            _call(str(_python(half)), "-m", "pip", "install", "-q", *packages)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _by_uv(uv: str, place: Path, packages: list[str], base: str) -> bool:
    """Tell whether uv could make the environment; where it does not trust the network's certificates, pip may."""
    try:
        _call(uv, "venv", "--clear", "-q", "--python", base, str(place))
        _call(uv, "pip", "install", "-q", "--python", str(_python(place)), *packages)
    except subprocess.CalledProcessError:
        return False
    return True


def _call(*command: str) -> None:
    around = {"UV_CACHE_DIR": str(FOLDER / "uv"), "UV_NO_PROGRESS": "1"} | os.environ
    subprocess.run(command, check=True, cwd=ROOT, env=around, timeout=SECONDS)


def _python(place: Path) -> Path:
    return place / "Scripts" / "python.exe" if os.name == "nt" else place / "bin" / "python"


def _uv() -> str | None:
    """Return the uv of this environment, or the one on the path; None where pip has to do."""
    beside = Path(sys.executable).parent / ("uv.exe" if os.name == "nt" else "uv")
    return str(beside) if beside.exists() else shutil.which("uv")


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Let only one process of a test run make an environment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
