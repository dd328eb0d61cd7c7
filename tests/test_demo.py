"""The tour tells the truth: each step shows what it promises; how recall works is tested elsewhere."""

from __future__ import annotations

import json
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simonides.doors.cli import cli
from simonides.doors.commands.demo import CONVERSATION, TODAY


@pytest.fixture(scope="module")
def tour() -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(cli, ["--json", "demo"])
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["seconds"] < 20
    return {step["title"]: step for step in answer["steps"]}


def found(step: dict[str, Any]) -> list[str]:
    return [hit["memory"]["text"] for hit in step["found"]]


def test_the_conversation_is_whole_and_in_order() -> None:
    rows = [
        json.loads(line) for line in (files("simonides.doors") / CONVERSATION).read_text("utf-8").splitlines()
    ]
    times = [datetime.fromisoformat(row["at"]) for row in rows]
    assert 40 <= len(rows) <= 60
    assert times == sorted(times)
    assert times[-1] < TODAY
    assert {row["speaker"] for row in rows} == {"Nora", "Sam", "assistant"}
    assert len({row["session"] for row in rows}) >= 6
    assert len({row["text"] for row in rows}) == len(rows)


def test_everything_is_brought_in(tour: dict[str, dict[str, Any]]) -> None:
    assert (tour["Bring in a conversation"]["new"], tour["Bring in a conversation"]["problems"]) == (57, 0)


def test_questions_in_other_words_are_answered(tour: dict[str, dict[str, Any]]) -> None:
    assert "still no meat" in found(tour["Ask, and get the latest word"])[0]
    assert "from PostgreSQL to SQLite" in found(tour["Ask for the reason of a decision"])[0]


def test_a_contradiction_leaves_both_truths_each_in_its_time(tour: dict[str, dict[str, Any]]) -> None:
    assert "Porto" in found(tour["Ask where she lives now"])[0]
    assert not any("lives in Hamburg" in text for text in found(tour["Ask where she lives now"]))
    then = found(tour["Ask the same as of last spring"])
    assert "Hamburg" in then[0]
    assert not any("Porto" in text for text in then)
    versions = tour["Look at a history"]["versions"]
    assert [one["reason"] for one in versions][-1] == "they moved"


def test_the_explanation_has_hits_and_what_was_dropped(tour: dict[str, dict[str, Any]]) -> None:
    explained = tour["See why"]["explanation"]
    assert "level B1" in explained["hits"][0]["memory"]["text"]
    assert explained["dropped"]
    assert all(one["reason"] for one in explained["dropped"])


def test_what_nobody_said_is_refused(tour: dict[str, dict[str, Any]]) -> None:
    assert found(tour["Ask what nobody ever said"]) == []


def test_retiring_is_undone(tour: dict[str, dict[str, Any]]) -> None:
    step = tour["Retire a memory, and bring it back"]
    assert (step["retired"], step["restored"]) == (True, True)


def test_the_log_is_intact_and_the_export_whole(tour: dict[str, dict[str, Any]]) -> None:
    step = tour["Prove that nothing was altered, and take it all with you"]
    assert (step["intact"], step["same"]) == (True, True)
    assert step["records"] > 57


def test_people_are_told_what_to_type_next_and_nothing_is_left(empty_home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "tour.db"
    result = CliRunner().invoke(cli, ["--set", "meaning=instant", "demo", "--keep", str(kept)])
    assert result.exit_code == 0, result.stderr
    assert kept.exists()
    assert list(empty_home.rglob("*")) == []
    assert 'simonides add "I moved' in result.stdout.split("Now with your own words:")[1]
    for word in (
        "$ simonides import",
        "$ simonides update",
        "--as-of 2025-04-15",
        "$ simonides restore",
        "intact",
    ):
        assert word in result.stdout
    assert CliRunner().invoke(cli, ["demo", "--keep", str(kept)]).exit_code == 2
