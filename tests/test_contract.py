"""One scenario through every door, and the same in the store afterwards; see contract.py."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import contract


@cache
def expected() -> contract.Seen:
    """Return what the object itself shows."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "memory.db")
        with contract.opened("python", path) as door:
            return contract.run(door, path)


@pytest.mark.parametrize("name", contract.DOORS)
def test_every_door_leads_to_the_same_memories(name: str, tmp_path: Path) -> None:
    path = str(tmp_path / "memory.db")
    with contract.opened(name, path) as door:
        seen = contract.run(door, path)
        if door.corrects:
            assert seen.moved == (contract.MOVED,)
            assert (seen.believed, seen.versions) == (expected().believed, expected().versions)
        assert seen.allergy in ((), expected().allergy)


def test_no_door_is_left_out() -> None:
    """A file beside this one that nobody runs would be a promise that nobody keeps."""
    there = {path.stem.removeprefix("contract_") for path in Path(__file__).parent.glob("contract_*.py")}
    assert there == set(contract.DOORS)
