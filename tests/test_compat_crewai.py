"""CrewAI's memory over ours, with the real CrewAI in an environment of its own; the checks are in crewai_checks.py."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import environments
from simonides.errors import ModelMissing

CHECKS = Path(__file__).with_name("crewai_checks.py")
NAMES = re.findall(r"^def check_(\w+)", CHECKS.read_text(encoding="utf-8"), re.MULTILINE)


@cache
def results() -> dict[str, str]:
    """Return what went wrong in each check; all of them run in one process, for CrewAI takes long to import."""
    with TemporaryDirectory() as folder:
        done = environments.run("crewai", str(CHECKS), home=Path(folder))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"')]
    return {line["check"].removeprefix("check_"): line["wrong"] for line in lines}


@pytest.mark.parametrize("name", NAMES)
def test_crewai(name: str) -> None:
    assert results()[name] == ""


def test_the_example_runs(tmp_path: Path) -> None:
    example = environments.ROOT / "examples" / "crewai_memory.py"
    done = environments.run("crewai", str(example), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Ana is allergic to peanuts." in done.stdout


def test_without_crewai_the_way_out_is_named() -> None:
    with pytest.raises(ModelMissing, match=r"simonides\[crewai\]"):
        import simonides.compat.crewai  # noqa: F401  # pyright: ignore[reportUnusedImport]
