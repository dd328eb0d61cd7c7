"""The runner of other systems gives each the same task, and says so when one fails; no other system is needed here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from simonides.bench.asking import Answer
from simonides.bench.cases import Conversation, Question, Turn

PEERS = Path(__file__).resolve().parent.parent / "bench" / "peers"
START = datetime(2026, 3, 1, tzinfo=UTC)
COSINE = """
import numpy as np
from protocol import serve

class Cosine:
    def __init__(self, folder, embed):
        assert folder.is_dir()
        self.embed, self.ids, self.vectors = embed, [], []
    def add(self, id, text):
        self.ids.append(id)
        self.vectors.append(self.embed.one(text))
    def search(self, question, k):
        scores = np.stack(self.vectors) @ self.embed.one(question)
        return [self.ids[place] for place in np.argsort(-scores)[:k]]
    def close(self):
        pass

serve(Cosine, "cosine 1.0")
"""


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peers_run", PEERS / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["peers_run"] = module
    spec.loader.exec_module(module)
    return module


def talk(*questions: Question) -> Conversation:
    turns = tuple(
        Turn(f"t{number}", f"text {number}", "Ada", START + timedelta(hours=number), "s", "person")
        for number in range(3)
    )
    return Conversation("made", turns, questions, ("Ada",))


def test_a_system_is_asked_with_the_vectors_of_the_task(tmp_path: Path) -> None:
    texts = ["one", "two", "which?"]
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    store = {"id": "made", "turns": [["a", "one"], ["b", " two"]], "questions": [["q", "which?"]]}
    (tmp_path / "task.json").write_text(json.dumps({"texts": texts, "stores": [store], "k": 5}))
    np.save(tmp_path / "vectors.npy", vectors)
    (tmp_path / "cosine_peer.py").write_text(COSINE)
    names = [str(tmp_path / name) for name in ("task.json", "vectors.npy", "answers.jsonl")]
    command = [sys.executable, str(tmp_path / "cosine_peer.py"), *names]
    subprocess.run(command, check=True, capture_output=True, env={"PYTHONPATH": str(PEERS)})
    answer, cost = map(json.loads, (tmp_path / "answers.jsonl").read_text().splitlines())
    assert answer == {"store": "made", "question": "q", "ranked": ["b", "a"]}
    assert cost["version"] == "cosine 1.0"
    assert min(cost["add ms"], cost["search ms"]) > 0


def test_only_questions_after_the_last_turn_are_asked(run: ModuleType) -> None:
    late = Question("late", "Which?", "c", ("t0",))
    early = Question("early", "Which?", "c", ("t0",), at=START + timedelta(minutes=90))
    (kept,) = run.asked_last([talk(late, early), talk(early)])
    assert [question.id for question in kept.questions] == ["late"]


def test_what_a_system_says_stands_beside_ours(run: ModuleType) -> None:
    answer = Answer("made", Question("q", "Which?", "c", ("t0",)), "own", {"default": ("t0",)})
    outcome = run.Outcome(ranked={("made", "q"): ("t1", "t0")})
    assert run.with_peer(answer, "other", outcome).ranked == {"default": ("t0",), "other": ("t1", "t0")}


def test_a_system_that_fails_is_named_with_what_it_said(run: ModuleType) -> None:
    failed = run.run("txtai", "not installed: no such wheel", [], [], None)
    table = run.costs("Made", {"txtai": failed})
    assert table.rows[0][:2] == ["txtai", "not installed: no such wheel"]
    assert len(table.rows[0]) == len(table.head)


@pytest.mark.parametrize("name", ["mem0", "txtai", "langgraph"])
def test_each_system_has_an_adapter_and_requirements(name: str) -> None:
    assert (PEERS / f"{name}_peer.py").is_file()
    assert (PEERS / f"requirements-{name}.txt").read_text().strip()
