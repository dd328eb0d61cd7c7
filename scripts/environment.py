"""Makes `.venv` for the Makefile on a machine that may have nothing but Python; standard library only.

    python3 scripts/environment.py [--dev] [--no-uv]
    python3 scripts/environment.py --chromium       # the browser that the tests of the page drive

Three ways, the first that works: uv from the PATH; uv brought by pip into the new environment; pip alone. The first
two install exactly what `uv.lock` names. Debian's Python comes without ensurepip; then pip is taken from the system's
own pip, or its wheel is fetched from PyPI and its checksum compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
WAY_OUT = """
No environment could be made in .venv. What usually helps, one of:
  - Debian or Ubuntu:  apt-get install python3-venv
  - uv:                see https://docs.astral.sh/uv/, then run make again
  - an environment of your own:  pip install -e . --group dev  in it, and  make PY=/path/to/its/python ...
"""


def run(*command: str | Path, quiet: bool = False) -> bool:
    """Run a command, show it, and tell whether it succeeded."""
    print("+", *command, flush=True)
    sink = subprocess.DEVNULL if quiet else None
    words = [str(part) for part in command]
    return subprocess.run(words, cwd=ROOT, stdout=sink, stderr=sink, check=False).returncode == 0


def has_pip() -> bool:
    """Tell whether the environment exists and has pip."""
    return PYTHON.exists() and run(PYTHON, "-m", "pip", "--version", quiet=True)


def make_venv() -> bool:
    """Make the bare environment with pip in it, by whichever way the machine allows."""
    if has_pip() or (run(sys.executable, "-m", "venv", VENV, quiet=True) and has_pip()):
        return True
    print("This Python cannot give pip to a new environment (no ensurepip); trying other ways.")
    if not run(sys.executable, "-m", "venv", "--without-pip", "--clear", VENV):
        return False
    if run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "pip") and has_pip():
        return True
    wheel = fetch_pip(VENV)
    return run(PYTHON, wheel / "pip", "install", "--quiet", "--no-index", wheel) and has_pip()


def fetch_pip(folder: Path) -> Path:
    """Download pip's newest stable wheel from PyPI and compare its checksum with the index."""
    page = urllib.request.Request("https://pypi.org/simple/pip/", headers={"Accept": SIMPLE_JSON})
    with urllib.request.urlopen(page, timeout=60) as answer:
        files = json.load(answer)["files"]
    wheels = [f for f in files if f["filename"].endswith("-py3-none-any.whl") and not f["yanked"]]
    stable = [f for f in wheels if f["filename"].split("-")[1].replace(".", "").isdigit()]
    newest = max(stable, key=lambda f: [int(part) for part in f["filename"].split("-")[1].split(".")])
    with urllib.request.urlopen(newest["url"], timeout=120) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != newest["hashes"]["sha256"]:
        raise SystemExit(f"{newest['filename']}: the checksum differs from the index; nothing was installed.")
    path = folder / newest["filename"]
    path.write_bytes(content)
    return path


def find_uv(*, allowed: bool) -> Path | None:
    """Return uv from the PATH, else the one that pip can bring into the environment."""
    if not allowed:
        return None
    found = shutil.which("uv")
    if found:
        return Path(found)
    own = BIN / ("uv.exe" if os.name == "nt" else "uv")
    if not own.exists() and make_venv():
        run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv>=0.9")
    return own if own.exists() else None


def find_chromium() -> str:
    """Return the browser that the tests of the page drive, empty where there is none."""
    named = os.environ.get("CHROMIUM", "")
    return (
        named
        or next(filter(None, map(shutil.which, BROWSERS)), "")
        or (MAC_CHROME if Path(MAC_CHROME).exists() else "")
    )


def install_chromium() -> int:
    """Install Chromium with apt where this may be done without asking; else say what to do, and what is skipped."""
    if find_chromium():
        return 0
    way_out = "  CHROMIUM=/path/to/it names one that lies elsewhere."
    if sys.platform == "darwin":
        way_out = f"  brew install --cask chromium, or Google Chrome.\n{way_out}"
    elif shutil.which("apt-get"):
        way_out = f"  apt-get install chromium, as root.\n{way_out}"
        root = os.name == "posix" and os.geteuid() == 0
        sudo = [] if root else ["sudo", "-n"]
        if root or (shutil.which("sudo") and run("sudo", "-n", "true", quiet=True)):
            install = [
                *sudo,
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "--yes",
                "--quiet",
            ]
            run(*sudo, "apt-get", "update", "--quiet", quiet=True)
            run(*install, "--no-install-recommends", "chromium", quiet=True)
            if find_chromium():
                return 0
    what = "fail, because CI=true" if os.environ.get("CI") == "true" else "are skipped"
    print(
        f"There is no Chromium here, so the tests of the page in a browser {what}.\n{way_out}",
        file=sys.stderr,
    )
    return 0


def main() -> int:
    """Make or bring up to date the environment; exit code 1 and a way out when nothing works."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dev", action="store_true", help="also what tests, checks and docs need")
    parser.add_argument("--no-uv", action="store_true", help="use pip alone")
    parser.add_argument(
        "--chromium", action="store_true", help="install the browser for tests, and nothing else"
    )
    options = parser.parse_args()
    if options.chromium:
        return install_chromium()
    group = ["--group", "dev"] if options.dev else []
    print("Installing what is needed into .venv; the first time takes a while.", flush=True)
    uv = find_uv(allowed=not options.no_uv)
    # --inexact keeps what is there already: uv itself, and the dev group when only the package is asked for.
    if uv and run(uv, "sync", "--quiet", "--frozen", "--inexact", "--python", sys.executable, *group):
        return 0
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    if make_venv():
        run(*pip, "--upgrade", "pip>=25.1")  # --group came with 25.1
        if run(*pip, "--editable", ".", *group):
            return 0
    print(WAY_OUT, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
