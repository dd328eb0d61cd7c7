"""The recall bench measures what it says, on conversations of a few turns; copies no line of any real set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from simonides.bench import baselines, scoring
from simonides.bench.asking import Answer, Plan, ask
from simonides.bench.baselines import Baselines
from simonides.bench.caching import CachedReader
from simonides.bench.cases import Conversation, Question, Turn
from simonides.bench.machine import here
from simonides.bench.metrics import Estimate
from simonides.bench.report import Report, Table, difference, short, with_interval
from simonides.bench.stores import Store
from simonides.bench.where import places
from simonides.doors.cli import cli
from simonides.errors import InputError
from simonides.ledger.index import Believed, Index
from simonides.memory import Memory
from simonides.parts import codes, embed, fuse
from simonides.parts.pooled import pooled_only
from simonides.parts.query import is_assistant, is_user
from simonides.parts.recall import Recall
from simonides.settings import Settings
from simonides.types import Json

SPRING = datetime(2026, 3, 1, 9, tzinfo=UTC)
SAID = {
    "made-1": [
        ("Ada", "I sold the red boat to a fisherman in Split."),
        ("Ben", "What did you do with the money?"),
        ("Ada", "I bought a harp, and lessons with Mister Novak on Thursdays."),
        ("Ben", "My sister is allergic to walnuts, so no cake for her."),
        ("Ada", "Good morning! The harp is out of tune already."),
        ("Ben", "I start at the observatory on the first of May."),
    ],
    "made-2": [
        ("Cem", "We painted the hallway green, it took the whole weekend."),
        ("Dora", "The dentist says that I need two crowns."),
        ("Cem", "Our tortoise escaped again and hid under the shed."),
        ("Dora", "I will run the marathon in Ghent with Pia."),
    ],
}
ASKED = {
    "made-1": [
        ("What did Ada do with her boat?", ["D1:1"], 4),
        ("Which instrument did Ada buy?", ["D1:3"], 4),
        ("What can Ben's sister not eat?", ["D1:4"], 1),
        ("When does Ada start at the observatory?", ["D1:6"], 5),
    ],
    "made-2": [
        ("Where was the tortoise?", ["D1:3"], 4),
        ("Who runs a marathon with Dora?", ["D1:4"], 1),
    ],
}


def locomo(folder: Path) -> Path:
    """Write the conversations in the form of LoCoMo, with an audit that finds one question wrong."""
    items = [
        {
            "sample_id": name,
            "conversation": {
                "session_1_date_time": "9:05 am on 3 May, 2021",
                "session_1": [
                    {"speaker": who, "dia_id": f"D1:{number}", "text": text}
                    for number, (who, text) in enumerate(said, 1)
                ],
            },
            "qa": [{"question": text, "evidence": ids, "category": kind} for text, ids, kind in ASKED[name]],
        }
        for name, said in SAID.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "locomo_made.json").write_text(json.dumps(items))
    audit = [{"question_id": "locomo_0_qa2", "error_type": "WRONG_CITATION"}]
    (folder / "audit_errors_made.json").write_text(json.dumps(audit))
    return folder


def conversation(name: str = "made-1", *questions: Question) -> Conversation:
    turns = tuple(
        Turn(f"D1:{number}", text, who, SPRING + timedelta(minutes=number), "s1", "person")
        for number, (who, text) in enumerate(SAID[name], 1)
    )
    return Conversation(name, turns, questions, tuple(dict.fromkeys(turn.speaker for turn in turns)))


@pytest.fixture(scope="module")
def reader() -> CachedReader:
    return CachedReader(embed.MiniLM())


def test_the_command_measures_everything_and_saves_no_text(tmp_path: Path) -> None:
    data, out = locomo(tmp_path / "data" / "locomo"), tmp_path / "out"
    given = ["--json", "bench", "recall", "--data", str(data.parent), "--k", "1,3", "--out", str(out)]
    result = CliRunner().invoke(cli, given)
    assert result.exit_code == 0, result.stderr
    (report,) = json.loads(result.stdout)["reports"]
    assert report == json.loads((out / "recall-locomo.json").read_text())
    assert report["command"] == "simonides bench recall --data DATA --set locomo --k 1,3"
    assert {"title", "machine", "made", "note", "order", "tables", "summary"} <= set(report)
    details = report["details"]
    assert (details["set"], details["k"], details["stores"]) == ("locomo", [1, 3], 2)
    assert details["settings"]["meaning"] == "full"
    assert "endpoint_key" not in details["settings"]
    assert details["model"]["name"] == "minilm"
    figures = details["figures"]
    assert figures["metric"] == "R@1"
    assert set(figures["systems"]) >= {
        "default",
        "hand recipe",
        "instant",
        *baselines.NAMES,
        *(f"without {group}" for group in set(fuse.GROUPS.values())),
    }
    assert set(figures["systems"]["default"]) == {"all", "single-hop", "multi-hop"}
    for estimate in figures["systems"]["default"]["all"].values():
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1
        assert estimate["count"] == 5
    assert figures["audited"]["default"]["R@1"]["count"] == 4
    of = {one["of"]: one["auc"]["count"] for one in figures["refusals"]["default"]}
    assert of == {"misplaced": 5 + 5, "unanswerable": 5 + 1}
    lines = [json.loads(line) for line in (out / "recall-locomo.jsonl").read_text().splitlines()]
    assert len(lines) == 5 + 1 + 5
    assert lines[0]["evidence"] == ["D1:1"]
    assert set(lines[0]["ranked"]["default"]) <= {f"D1:{number}" for number in range(1, 7)}
    saved = "".join(path.read_text() for path in out.glob("recall-*"))
    told = [text for said in SAID.values() for _, text in said] + [
        q[0] for some in ASKED.values() for q in some
    ]
    assert not [text for text in told if text in saved]
    assert str(tmp_path) not in saved


def test_the_command_runs_as_a_process_with_the_instant_tier_alone(tmp_path: Path) -> None:
    data = locomo(tmp_path / "locomo")
    command = [sys.executable, "-m", "simonides", "bench", "recall", "--data", str(data)]
    done = subprocess.run(
        [*command, "--alone", "--meaning", "instant", "--limit", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("# Recall: LoCoMo\n")
    assert "| default |" in done.stdout
    assert "BM25 |" not in done.stdout


@pytest.mark.parametrize("given", [["--k", "0"], ["--k", "5,x"], ["--set", "locamo"], ["--data", "/nowhere"]])
def test_a_wrong_command_line_is_refused(given: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["bench", "recall", "--data", str(tmp_path), *given])
    assert result.exit_code == 2


def test_sets_are_told_from_their_files(tmp_path: Path) -> None:
    locomo(tmp_path / "locomo")
    for number in range(2):
        (tmp_path / "beam" / str(number)).mkdir(parents=True)
        (tmp_path / "beam" / str(number) / "probing_questions.json").write_text("{}")
        (tmp_path / "beam" / str(number) / "chat.json").write_text("[]")
    both = {"locomo": tmp_path / "locomo", "beam": tmp_path / "beam"}
    assert places(tmp_path) == both
    assert list(places(tmp_path, ["locomo", "beam"])) == ["locomo", "beam"]
    assert places(tmp_path / "beam" / "0") == {"beam": tmp_path / "beam" / "0"}
    file = tmp_path / "locomo" / "locomo_made.json"
    assert places(file) == {"locomo": file}
    other = file.rename(tmp_path / "mine.json")
    assert places(other, ["locomo"]) == {"locomo": other}
    with pytest.raises(InputError, match="must hold realmem"):
        places(tmp_path, ["realmem"])
    with pytest.raises(InputError, match="See docs"):
        places(tmp_path / "locomo")


def test_the_cache_gives_the_same_codes_and_reads_each_text_once(tmp_path: Path) -> None:
    model = embed.MiniLM()
    texts = [
        ("", "Ada: I sold the red boat."),
        ("Ada: I sold it.", "Ben: " + "What a pity, and so cheap! " * 60),
    ]
    plainly = model.read(texts)
    first = CachedReader(model, tmp_path)
    for states in (first.read(texts), first.read(texts), CachedReader(model, tmp_path).read(texts)):
        assert [codes.encode(one) for one in states] == [codes.encode(one) for one in plainly]
        assert [one.pooled.tolist() for one in states] == [one.pooled.tolist() for one in plainly]
    assert (first.read_now, first.from_cache) == (2, 2)
    (file,) = tmp_path.glob("*.codes")
    file.write_bytes(file.read_bytes()[:-5])
    again = CachedReader(model, tmp_path)
    again.read(texts)
    assert (again.read_now, again.from_cache) == (1, 1)
    asked = again.ask("Who sold it?")
    assert asked.states.tolist() == model.read([("", "Who sold it?")])[0].states.tolist()
    assert again.read([("", "Who sold it?")])[0] is asked


class Pooled:
    """A model that gives one vector a text, as most do."""

    def identity(self) -> dict[str, Json]:
        return {"name": "made", "dimension": 16}

    def read(self, texts: Sequence[tuple[str, str]]) -> list[embed.States]:
        return pooled_only(
            np.array([[len(before), len(text), *range(14)] for before, text in texts], np.float32)
        )


def test_the_cache_takes_models_of_one_vector_a_text(tmp_path: Path) -> None:
    texts = [("", "one"), ("before", "another")]
    first, again = CachedReader(Pooled(), tmp_path).read(texts), CachedReader(Pooled(), tmp_path).read(texts)
    for one, other, plainly in zip(first, again, Pooled().read(texts), strict=True):
        assert one.pooled.tolist() == other.pooled.tolist() == plainly.pooled.tolist()
        assert len(one.tokens) == len(other.states) == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".codes"]


def test_a_cached_store_ranks_like_any_store(tmp_path: Path, reader: CachedReader) -> None:
    talk = conversation()
    rows = [
        {"text": turn.text, "speaker": turn.speaker, "at": turn.at, "session": turn.session}
        for turn in talk.turns
    ]
    with Memory(tmp_path / "plain.db", settings=Settings(background=False)) as memory:
        ids = memory.add_many(rows, wait=True).ids
        now = talk.turns[-1].at + timedelta(seconds=1)
        hits = memory.search("Which instrument did Ada buy?", k=100, gate=False, now=now)
        plainly = [f"D1:{ids.index(hit.memory.id) + 1}" for hit in hits]
    store = Store(tmp_path / "bench.db", talk, Settings(), reader)
    try:
        asked = Question("q", "Which instrument did Ada buy?", "c", ("D1:3",))
        assert list(store.default(asked).ranked) == plainly
    finally:
        store.close()
    assert not list(tmp_path.glob("bench.db*"))


def test_leaving_out_a_group_is_ranking_with_weights_of_nought(tmp_path: Path, reader: CachedReader) -> None:
    talk = conversation()
    asked = Question("q", "What did Ada do with the boat she had?", "c", ("D1:1",))
    groups = tuple(dict.fromkeys(fuse.GROUPS.values()))
    store = Store(tmp_path / "bench.db", talk, Settings(), reader)
    found = store.default(asked, groups)
    shipped = fuse.fusion("learned-full")
    with Memory(tmp_path / "bench.db", embedder=reader, settings=Settings(background=False)) as memory:
        model = memory.ledger.model_id(reader.identity(), create=False)
        index = Index(memory.ledger, model, 384, lambda name: is_user(name) or is_assistant(name))
        now = talk.turns[-1].at + timedelta(seconds=1)
        for group in groups:
            left = {name: 0.0 if fuse.GROUPS[name] == group else w for name, w in shipped.weights.items()}
            recall = Recall(index, reader, Settings(), replace(shipped, weights=left))
            ranked = recall.ask(asked.text, {}, Believed(), now)
            memories = memory.ledger.load(ranked.rows.tolist())
            texts = [memories[row].text for row in ranked.rows.tolist()]
            turn_of = {turn.text: turn.id for turn in talk.turns}
            assert list(found.without[group]) == [turn_of[text] for text in texts], group
    store.close()
    assert set(found.without) == set(groups)


def test_later_turns_are_no_candidates_for_an_earlier_question(tmp_path: Path, reader: CachedReader) -> None:
    talk = conversation()
    early = Question("q", "Where does Ben start in May?", "c", ("D1:6",), at=talk.turns[3].at)
    store = Store(tmp_path / "bench.db", talk, Settings(), reader)
    seen = {f"D1:{number}" for number in range(1, 4)}
    assert set(store.default(early).ranked) == seen
    assert set(store.variant("instant", early, meaning="instant").ranked) == seen
    store.close()
    for ranked in Baselines(talk, reader).rank(early).ranked.values():
        assert set(ranked) == seen


def test_questions_are_asked_of_their_own_and_of_another_store(reader: CachedReader) -> None:
    first = conversation("made-1", Question("q1", "Which instrument did Ada buy?", "c", ("D1:3",)))
    second = conversation("made-2", Question("q2", "Where was the tortoise of Cem?", "c", ("D1:3",)))
    done: list[int] = []
    answers = list(ask([first, second], Plan(Settings(), reader, alone=True), [first], done.append))
    assert [(one.conversation, one.kind, one.question.id) for one in answers] == [
        ("made-1", "own", "q1"),
        ("made-1", "misplaced", "q2@made-1"),
    ]
    assert set(answers[0].ranked) == {"default"}
    assert not answers[1].ranked
    assert 0 <= answers[1].chance["default"] <= 1
    assert done == [1]


def test_baselines_rank_as_their_formulas_say(reader: CachedReader) -> None:
    talk = conversation()
    asked = Question("q", "What did Ada do with the boat?", "c", ("D1:1",))
    ranked = Baselines(talk, reader).rank(asked).ranked
    assert set(ranked) == set(baselines.NAMES)
    assert all(sorted(ids) == sorted(turn.id for turn in talk.turns) for ids in ranked.values())
    assert ranked[baselines.WORDS][0] == "D1:1"
    vectors = reader.pooled([f"{turn.speaker}: {turn.text}" for turn in talk.turns])
    cosines = vectors @ reader.ask(asked.text).pooled
    order = [talk.turns[place].id for place in np.argsort(-cosines, kind="stable")]
    assert list(ranked[baselines.VECTORS]) == order
    spoken = [talk.turns[int(id[3:]) - 1].speaker for id in ranked[baselines.SPOKEN]]
    assert spoken == ["Ada"] * 3 + ["Ben"] * 3


def answer(name: str, chance: float, ranked: dict[str, list[str]], kind: str = "own") -> Answer:
    question = Question(name, f"{name}?", "c", ("D1:1", "D1:2") if ranked else (), answerable=bool(ranked))
    tuples = {system: tuple(ids) for system, ids in ranked.items()}
    return Answer("made", question, kind, tuples, {"default": chance}, {"default": 0.5})


def test_figures_are_those_of_the_answers() -> None:
    answers = [
        answer("q1", 0.9, {"default": ["D1:1", "D1:2"], "BM25": ["D1:3", "D1:1"]}),
        answer("q2", 0.4, {"default": ["D1:4", "D1:2"], "BM25": ["D1:3", "D1:4"]}),
        answer("q3", 0.2, {}, "misplaced"),
    ]
    found = scoring.figures(answers, (1, 10))
    assert found.metric == "R@10"
    assert found.default["all"]["R@10"].value == 0.75
    assert found.systems["BM25"]["all"]["MRR"].value == 0.25
    assert found.paired["BM25"].value == 0.5
    (refusal,) = found.refusals["default"]
    assert (refusal.of, refusal.auc.value, refusal.threshold) == ("misplaced", 1.0, 0.5)
    assert refusal.accuracy is not None
    assert (refusal.accuracy.kept, refusal.accuracy.refused) == (0.5, 1.0)
    first = scoring.tables("Made", found)[0]
    assert [row[0] for row in first.rows] == ["default", "BM25"]
    assert all(len(row) == len(table.head) for table in scoring.tables("Made", found) for row in table.rows)
    assert next(line.what for line in scoring.summary("Made", found)) == "Made, R@10 of 2 questions"


def test_a_report_has_two_forms(tmp_path: Path) -> None:
    estimate = Estimate(0.8123, 0.79, 1.0, 10)
    assert with_interval(estimate) == ".812 [.790, 1.000]"
    assert difference(Estimate(-0.01, -0.02, 0.0, 10)) == "-.010 [-.020, +.000]"
    assert short(0.5) == ".500"
    table = Table("Things", ["a|b", "c"], [["x", 1]])
    report = Report(
        "made", "Made", "make it", "2026-03-01", here(), "A note.", 1, [table], [], {"e": estimate}
    )
    figures, page = report.save(tmp_path / "deep" / "out")
    saved: dict[str, Any] = json.loads(figures.read_text())
    assert saved["details"]["e"]["count"] == 10
    assert saved["machine"] == str(here()) or "load" in saved["machine"]
    assert "| a\\|b | c |" in page.read_text()
