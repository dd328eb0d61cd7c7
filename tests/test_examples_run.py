"""Each file in examples/ runs as it stands, in a process and an empty home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ELSEWHERE = {"autogen_memory.py", "crewai_memory.py"}
"""Of libraries that don't go with the others: `test_compat_<name>.py` runs each in an environment of its own."""
FOLDER = Path(__file__).resolve().parent.parent / "examples"
EXAMPLES = [one for one in sorted(FOLDER.glob("*.py")) if one.name not in ELSEWHERE]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_it_runs_and_says_something(example: Path, tmp_path: Path) -> None:
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA")}
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path, env={**os.environ, **home}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()


def test_there_are_examples() -> None:
    assert {"mem0_dropin.py", "anthropic_memory_tool.py", "openai_agents_session.py"} <= {
        one.name for one in EXAMPLES
    }
