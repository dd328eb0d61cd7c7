"""Every code block of README.md and docs/ runs, in an empty home; what cannot run says why, and is listed.

A page is one story: its blocks run from top to bottom in one temporary folder.

- ```python blocks share one namespace. A ```output block right after one is what it must print.
- ```console blocks hold `$ command` lines (`> ` continues one), run by bash with the real command line on the PATH;
  the lines below a command are what it must print, `...` stands for anything. `# exits with 3` names another exit code
  than 0. Shell variables live as long as the page.
- `<!-- not run: reason -->` on the line above a block leaves it out. `<!-- run first: command -->` runs unseen;
  `$ROOT` is the folder of the project.

`python tests/test_examples.py docs/verbs/add.md` runs one page and shows what it prints.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_CODE = {"", "text", "output", "json", "toml", "sql", "http"}
FENCE = re.compile(r"^```(?P<language>[^\s`]*)\s*$")
NOT_RUN = re.compile(r"^<!-- not run: (?P<reason>.*?) -->$")
RUN_FIRST = re.compile(r"^<!-- run first: (?P<command>.*?) -->$")
EXITS = re.compile(r"# exits with (\d+)")
MATCHING = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SHIM = """#!/bin/sh
exec "{python}" -c 'import sys; sys.argv[0] = "simonides"; from simonides.doors.cli import main; main()' "$@"
"""
SESSION = """
set -a; [ -f "$HOME/.variables" ] && . "$HOME/.variables"
{command}
code=$?; export -p > "$HOME/.variables"; exit $code
"""
"""Runs a command as if the shell had gone on since the command before."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, or one unseen command."""

    line: int
    language: str
    text: str
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One `$` line of a console block, with what it must print and its exit code."""

    text: str
    wanted: str
    code: int


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    found: list[Block] = []
    lines, at, skipped = page.splitlines(), 0, ""
    while at < len(lines):
        line = lines[at].strip()
        if first := RUN_FIRST.match(line):
            found.append(Block(at + 1, "console", f"$ {first['command']}"))
        elif reason := NOT_RUN.match(line):
            skipped = reason["reason"]
        elif fence := FENCE.match(line):
            end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
            found.append(Block(at + 1, fence["language"], "\n".join(lines[at + 1 : end]) + "\n", skipped))
            at, skipped = end, ""
        elif line:
            skipped = ""
        at += 1
    return found


def commands(text: str) -> list[Command]:
    """Return the commands of a console block."""
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            code = EXITS.search(line)
            found.append(Command(line[2:], "", int(code[1]) if code else 0))
        elif not found:
            raise ValueError(f"a console block must begin with a command, not with {line!r}")
        elif line.startswith("> ") and not found[-1].wanted:
            found[-1] = Command(f"{found[-1].text}\n{line[2:]}", "", found[-1].code)
        else:
            found[-1] = Command(found[-1].text, f"{found[-1].wanted}{line}\n", found[-1].code)
    return found


def environment(home: Path) -> dict[str, str]:
    """Return a small environment in which the command line is on the PATH and the home is empty."""
    shims = home / ".shims"
    shims.mkdir(exist_ok=True)
    shim = shims / "simonides"
    shim.write_text(SHIM.format(python=sys.executable), "utf-8")
    shim.chmod(0o755)
    return {
        "PATH": os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "HOME": str(home),
        "ROOT": str(ROOT),
        "COLUMNS": "100",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "TZ": "UTC",
    }


def check(wanted: str, got: str, where: str) -> None:
    """Compare what was printed with what the page says."""
    if wanted.strip() and not doctest.OutputChecker().check_output(wanted, got, MATCHING):
        raise AssertionError(f"{where}: the page says\n{wanted}\nbut it printed\n{got}")


def run_console(block: Block, where: str) -> None:
    """Run the commands of a block in the present folder."""
    for command in commands(block.text):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", SESSION.format(command=command.text)],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        print(f"$ {command.text}\n{done.stdout}", end="")
        if done.returncode != command.code:
            raise AssertionError(f"{where}: $ {command.text}\nexit code {done.returncode}\n{done.stdout}")
        check(command.wanted, done.stdout, f"{where}: $ {command.text}")


def run_python(block: Block, namespace: dict[str, Any], where: str) -> str:
    """Run a block in the page's namespace and return what it printed."""
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink):
        exec(compile("\n" * block.line + block.text, where, "exec"), namespace)
    print(sink.getvalue(), end="")
    return sink.getvalue()


def run_page(path: Path) -> None:
    """Run a page in the present folder and environment."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks(path.read_text("utf-8")):
        where = f"{path.relative_to(ROOT)}:{block.line}"
        if block.language == "output" and printed is not None:
            check(block.text, printed, where)
        printed = None
        if block.skipped:
            continue
        if block.language == "python":
            printed = run_python(block, namespace, where)
        elif block.language == "console":
            run_console(block, where)
    for value in list(namespace.values()):
        if callable(getattr(value, "close", None)) and not isinstance(value, type):
            value.close()


def start_page(path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a page in a process of its own, in an empty home."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).resolve()), "--here", str(path)],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_does_what_it_says(path: Path, tmp_path: Path) -> None:
    done = start_page(path, tmp_path)
    if done.returncode:
        pytest.fail(done.stderr[-4000:], pytrace=False)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_block_is_in_a_language_that_runs_or_says_why_not(path: Path) -> None:
    for block in blocks(path.read_text("utf-8")):
        known = block.language in NOT_CODE | {"python", "console"} or block.language.startswith("{")
        assert known or block.skipped, (
            f"{path.name}:{block.line}: nothing runs {block.language!r}; use python or console"
        )


def test_few_blocks_are_left_out() -> None:
    found = [(path, block) for path in PAGES for block in blocks(path.read_text("utf-8"))]
    left_out = [(path, block) for path, block in found if block.skipped]
    for path, block in left_out:
        print(f"{path.relative_to(ROOT)}:{block.line}: {block.skipped}")
    ran = [block for _, block in found if not block.skipped and block.language in ("python", "console")]
    assert len(left_out) * 5 <= len(ran), "a page that does not run is a promise nobody checks"


def test_a_block_knows_its_line_and_why_it_is_left_out() -> None:
    page = "# A\n\n```python\n1\n```\n\n<!-- not run: a reason -->\n```console\n$ x\n```\n"
    page += "\n<!-- run first: touch a -->\n"
    assert blocks(page) == [
        Block(3, "python", "1\n"),
        Block(8, "console", "$ x\n", "a reason"),
        Block(12, "console", "$ touch a"),
    ]


def test_a_console_block_is_commands_and_what_they_print() -> None:
    text = "$ cat > a <<END\n> b\n> END\n$ ls  # exits with 2\na\nb\n"
    assert commands(text) == [
        Command("cat > a <<END\nb\nEND", "", 0),
        Command("ls  # exits with 2", "a\nb\n", 2),
    ]


def main() -> None:
    """Run the pages named, each in a home of its own unless --here."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--here", action="store_true", help="in the present folder and environment")
    options = parser.parse_args()
    for path in [page.resolve() for page in options.pages] or PAGES:
        if options.here:
            try:
                run_page(path)
            except AssertionError as error:
                raise SystemExit(str(error)) from None
            continue
        with tempfile.TemporaryDirectory() as home:
            done = start_page(path, Path(home))
        print(f"== {path.relative_to(ROOT)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
