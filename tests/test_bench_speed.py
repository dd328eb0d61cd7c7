"""The speed bench makes up the same memories each time, fills stores with codes, and reports what it measured."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

from simonides.bench import filling, growth
from simonides.bench.curves import Curve, Panel, drawn
from simonides.bench.generate import USER, Generator
from simonides.bench.timing import Spell, digits, middle, spell, timed
from simonides.bench.writing import filled
from simonides.doors.cli import cli
from simonides.errors import InputError
from simonides.ledger.index import unpack_vectors
from simonides.memory import Memory
from simonides.parts import embed
from simonides.settings import Settings


def test_a_seed_gives_the_same_memories_and_questions() -> None:
    one, same, other = Generator(1), Generator(1), Generator(2)
    made = one.memories(300)
    assert made == [*same.memories(100), *same.memories(200)]
    assert made != other.memories(300)
    assert [one.question() for _ in range(5)] == [same.question() for _ in range(5)]


def test_made_up_memories_are_varied_and_uneven() -> None:
    generator = Generator()
    made = generator.memories(2_000)
    assert len({one.text for one in made}) > 1_990
    assert len({generator.question() for _ in range(1_000)}) > 950
    words = [len(one.text.split()) for one in made]
    assert 18 < np.mean(words) < 28
    often = sorted((sum("report" in one.text for one in made), sum("moonbell" in one.text for one in made)))
    assert often[0] < 20 < often[1]
    assert all(one.at < other.at for one, other in pairwise(made))
    assert len({one.user for one in made}) == 2_000 // USER
    assert len({one.speaker for one in made if one.session == "session-3"}) == 2


def test_a_filled_store_has_codes_for_all_and_finds_by_them(tmp_path: Path) -> None:
    given = filling.read(Generator().memories(40))
    done: list[int] = []
    sizes = filled(tmp_path / "made.db", 300, given, done.append)
    assert sum(done) == 600
    assert (sizes.memories, len(sizes.row())) == (300, 5)
    assert 0 < sizes.text < sizes.instant < sizes.full
    assert sizes.beyond == (sizes.full - sizes.text) / 300
    with Memory(tmp_path / "made.db") as memory:
        assert memory.status().backlog == 0
        model = memory.ledger.model_id(embed.identity(), create=False)
        vectors = unpack_vectors([blob for _, blob in memory.ledger.pooled(model)])
        assert len(vectors) == 300
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.02)
        nearest = (vectors @ unpack_vectors(given.pooled).T).max(axis=1)
        assert 0.6 < nearest.min() < nearest.max() < 0.99
        question = Generator(5).question()
        hits = memory.search(question, project=filling.EVERYTHING, gate=False)
        assert len(hits) == 10
        assert len(memory.search(question, user="user-1", gate=False, k=200)) == USER


def test_percentiles_are_of_the_times_given() -> None:
    found = spell([0.001 * number for number in range(1, 101)], 1.0)
    assert found.count == 100
    assert (found.p50, found.p95, found.p99) == pytest.approx((51.0, 96.0, 100.0))
    assert found.cpu == pytest.approx(10.0)
    other = Spell(1, 1.0, 2.0, 3.0, 4.0)
    assert middle([other, other, Spell(1, 9.0, 9.0, 9.0, 0.0)]) == Spell(3, 1.0, 2.0, 3.0, 4.0)
    assert [digits(value) for value in (0.1234, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]
    seen: list[int] = []
    assert timed(seen.append, range(4)).count == len(seen) == 4


def test_the_command_measures_a_small_store(tmp_path: Path) -> None:
    given = ["bench", "speed", "--sizes", "300", "--rounds", "1", "--asked", "10", "--folder", str(tmp_path)]
    result = CliRunner().invoke(cli, ["--json", *given, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "out" / "speed.json").read_text())
    assert report["command"] == "simonides bench speed --sizes 300 --rounds 1 --asked 10"
    details = report["details"]
    assert details["limits"]["bandwidth"] > 0
    assert {(one["tier"], one["scope"]) for one in details["searched"]} == {
        (tier, scope) for tier in ("full", "instant") for scope in ("one scope", "spread")
    }
    for one in details["searched"]:
        assert 0 < one["spell"]["p50"] <= one["spell"]["p95"] <= one["spell"]["p99"]
        assert "measure" in one["steps"]
    assert details["written"]["read"] > 0
    assert set(details["processes"]["peak"]) == {"full", "instant"}
    assert all(len(row) == len(table["head"]) for table in report["tables"] for row in table["rows"])
    assert str(tmp_path) not in json.dumps(report)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("sizes", ["", "5", "1k,many", "1g"])
def test_sizes_that_are_none_are_refused(sizes: str) -> None:
    assert CliRunner().invoke(cli, ["bench", "speed", "--sizes", sizes]).exit_code == 2


def test_growth_is_measured_in_stores_that_can_be_kept(tmp_path: Path) -> None:
    given = ["bench", "speed", "--large", "--sizes", "150", "--rounds", "1", "--asked", "10"]
    where = ["--keep", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(cli, ["--json", *given, *where])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "out" / "growth.json").read_text())
    assert report["command"] == "simonides bench speed --sizes 150 --large --rounds 1 --asked 10"
    for many, one in zip((150,), report["details"]["grown"], strict=True):
        assert one["filled"]["memories"] == many
        assert 0 < one["imported"] < one["starts"]["full"]
        assert {a["tier"]: (a["exact"], a["whole"]) for a in one["agreements"]} == {
            "full": (1, 1),
            "instant": (1, 1),
        }
        assert one["followed"]["p50"] > 0
    assert all(len(row) == len(table["head"]) for table in report["tables"] for row in table["rows"])
    assert str(tmp_path) not in json.dumps(report)
    picture = ET.fromstring((tmp_path / "out" / "growth.svg").read_text())
    assert len(picture.findall("{http://www.w3.org/2000/svg}g")) == 4
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("*.json")}
    assert set(made) == {"growth-150.json"}


def test_a_store_that_was_half_filled_is_filled_on(tmp_path: Path) -> None:
    read = filling.read(Generator().memories(40))
    made = Generator()
    with Memory(tmp_path / "growth-200.db", settings=Settings(background=False)) as memory:
        filling.fill(memory, made, 120, lambda done: None)
    done: list[int] = []
    filled = growth.fill(tmp_path, 200, read, done.append)
    assert (sum(done), filled.memories) == (400, 200)
    assert growth.fill(tmp_path, 200, read, done.append) == filled
    with Memory(tmp_path / "growth-200.db", settings=Settings(background=False)) as memory:
        texts = [one.text for one in memory.list(limit=1000)]
        assert memory.status().backlog == 0
    assert texts == [one.text for one in Generator().memories(200)]
    growth.discard(tmp_path, 200)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_told_before(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="free"):
        growth.needed(tmp_path, [10**12], kept=False)
    assert growth.needed(tmp_path, [100, 200], kept=True) > growth.needed(tmp_path, [100, 200], kept=False)


def test_curves_show_every_point_between_whole_decades() -> None:
    points = [(1000, 3.0), (10_000, 30.0), (1_000_000, 250.0)]
    picture = drawn(
        [Panel("Some & more", [Curve("a < b", points), Curve("none", [])], 20.0), Panel("empty", [])]
    )
    root = ET.fromstring(picture)
    places = root.find(".//{http://www.w3.org/2000/svg}polyline")
    assert places is not None
    found = [tuple(map(float, place.split(","))) for place in places.attrib["points"].split()]
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert [y for _, y in found] == sorted((y for _, y in found), reverse=True), "up is more"
    assert all(0 <= x <= 360 and 0 <= y <= 240 for x, y in found)
    marks = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Some & more", "a < b", "1k", "1M", "1"} <= set(marks)
    assert "prefers-color-scheme: dark" in picture
