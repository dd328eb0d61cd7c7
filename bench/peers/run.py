"""Measures other memory systems beside simonides: the same turns, the same questions, the same vectors, one run.

    .venv/bin/python bench/peers/run.py --data DATA [--set locomo,beam] [--limit N] [--peers mem0,txtai,langgraph]

Each system runs in an environment of its own under bench/peers/.venvs, made from requirements-<system>.txt with pip;
`--torch` says which torch txtai gets, because the one on PyPI brings gigabytes for graphics cards. A system that cannot
be installed or that fails is named in the report with what it said, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from simonides.bench import scoring
from simonides.bench.asking import Answer, Plan, ask
from simonides.bench.baselines import said
from simonides.bench.caching import CachedReader
from simonides.bench.cases import Conversation
from simonides.bench.datasets import load
from simonides.bench.machine import here, today
from simonides.bench.recall import TITLES
from simonides.bench.report import Line, Report, Table
from simonides.bench.stores import DEPTH
from simonides.bench.timing import digits
from simonides.bench.where import places
from simonides.parts import embed
from simonides.settings import Settings

HERE = Path(__file__).resolve().parent
VENVS = HERE / ".venvs"
PEERS = {
    "mem0": ("mem0", ["mem0ai"]),
    "mem0 + BM25": ("mem0", ["bm25"]),
    "txtai": ("txtai", []),
    "langgraph": ("langgraph", []),
}
"""Systems by the name in the report: whose environment and adapter, and words for its command line."""
NOTE = (
    'Other systems with their default settings, without a language model, on the same turns (as "speaker: text") and'
    " with the same vectors as *cosine* in this run; their times leave the embedding out. *mem0* is what `pip install"
    " mem0ai` gives; *mem0 + BM25* is the same with the keyword encoder handed in that it would fetch from a model hub."
    " *txtai* is its hybrid index, *langgraph* its store in memory. Ours and the baselines are as in `bench recall`."
)


@dataclass(slots=True)
class Outcome:
    """What one system did: rankings by conversation and question, its costs, or why there are none."""

    ranked: dict[tuple[str, str], tuple[str, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[str, ...]]
    )
    cost: dict[str, Any] = field(default_factory=dict[str, Any])
    failed: str = ""


def main() -> int:
    """Run what the command line asks for."""
    given = arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    reader = CachedReader(embed.MiniLM(), given.out / "cache")
    pythons: dict[str, Path | str] = {
        name: environment(name, given.torch) for name in dict.fromkeys(PEERS[peer][0] for peer in given.peers)
    }
    for name, place in places(given.data, given.sets).items():
        report = measured(name, place, given, pythons, reader)
        report.save(given.out)
        print(report.as_markdown())
    return 0


def measured(
    name: str, place: Path, given: argparse.Namespace, pythons: dict[str, Path | str], reader: CachedReader
) -> Report:
    """Ask us and every system the questions of a set."""
    title, machine = TITLES[name], here()
    whole = asked_last(load(name, place))
    chosen = evenly(whole, given.limit)
    print(f"{name}: simonides", file=sys.stderr)
    answers = [one for one in ask((), Plan(Settings(), reader), chosen, lambda _: None) if one.ranked]
    outcomes = {peer: run(peer, pythons[PEERS[peer][0]], chosen, answers, reader) for peer in given.peers}
    for peer, outcome in outcomes.items():
        if not outcome.failed:
            answers = [with_peer(one, peer, outcome) for one in answers]
    found = scoring.figures(answers, (5, 10, 20))
    took = {peer: outcome.cost or outcome.failed for peer, outcome in outcomes.items()}
    return Report(
        name=f"peers-{name}",
        title=f"Other systems: {title}",
        command=command(name, len(chosen) if len(chosen) < len(whole) else None),
        made=today(),
        machine=machine,
        note=NOTE,
        order=40 + list(TITLES).index(name),
        tables=[ranks(title, found), costs(title, outcomes)],
        summary=[line(title, found, outcomes)],
        details={"set": name, "stores": len(chosen), "figures": found, "costs": took},
    )


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="where the sets are")
    parser.add_argument("--set", dest="sets", default="locomo,beam", type=lambda text: text.split(","))
    parser.add_argument("--peers", default=",".join(PEERS), type=lambda text: text.split(","))
    parser.add_argument("--limit", type=int, help="at most so many stores of a set")
    parser.add_argument("--out", type=Path, default=Path("bench/out"))
    parser.add_argument(
        "--torch", default=os.environ.get("TORCH", ""), help="what pip installs for txtai first"
    )
    given = parser.parse_args()
    if unknown := set(given.peers) - set(PEERS):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return given


def command(name: str, limit: int | None) -> str:
    """Return the command with DATA for the place of the data."""
    return f"make bench-peers DATA=DATA SETS={name}" + f' ARGS="--limit {limit}"' * (limit is not None)


def asked_last(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return conversations with the questions asked after the last turn: other systems know no `as_of`."""
    kept = [
        replace(one, questions=tuple(q for q in one.questions if one.seen_by(q) == len(one.turns)))
        for one in conversations
    ]
    return [one for one in kept if any(q.in_recall for q in one.questions)]


def evenly(conversations: list[Conversation], limit: int | None) -> list[Conversation]:
    """Return at most so many, evenly chosen."""
    if limit is None or limit >= len(conversations):
        return conversations
    return [conversations[i * len(conversations) // limit] for i in range(limit)]


def environment(name: str, torch: str) -> Path | str:
    """Return the Python of a system's environment, made if need be; or why there is none."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    if stamp.exists():
        return python
    wanted = ["-r", str(HERE / f"requirements-{name}.txt")]
    steps = [[sys.executable, "-m", "venv", "--clear", str(folder)]]
    steps += [[str(python), "-m", "pip", "install", "--quiet", torch]] * bool(torch and name == "txtai")
    steps += [[str(python), "-m", "pip", "install", "--quiet", *wanted]]
    for step in steps:
        print("+", *step, file=sys.stderr)
        done = subprocess.run(step, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            return f"not installed: {_last(done.stderr)}"
    stamp.touch()
    return python


def run(
    peer: str,
    python: Path | str,
    chosen: Sequence[Conversation],
    answers: Sequence[Answer],
    reader: CachedReader,
) -> Outcome:
    """Let a system answer."""
    if isinstance(python, str):
        return Outcome(failed=python)
    print(f"{peer}: ", end="", flush=True, file=sys.stderr)
    texts = list(dict.fromkeys(said(turn).strip() for one in chosen for turn in one.turns))
    questions = list(dict.fromkeys(one.question.text.strip() for one in answers))
    vectors = [reader.pooled(texts), np.stack([reader.ask(text).pooled for text in questions])]
    stores = [
        {
            "id": one.id,
            "turns": [[turn.id, said(turn)] for turn in one.turns],
            "questions": [[a.question.id, a.question.text] for a in answers if a.conversation == one.id],
        }
        for one in chosen
    ]
    adapter, words = PEERS[peer]
    with tempfile.TemporaryDirectory() as folder:
        task, table, out = (Path(folder, name) for name in ("task.json", "vectors.npy", "answers.jsonl"))
        task.write_text(json.dumps({"texts": [*texts, *questions], "stores": stores, "k": DEPTH}), "utf-8")
        np.save(table, np.concatenate(vectors))
        quiet = {"HOME": folder, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MEM0_DIR": f"{folder}/mem0"}
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | quiet
        done = subprocess.run(
            [str(python), str(HERE / f"{adapter}_peer.py"), str(task), str(table), str(out), *words],
            env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        print("failed" if done.returncode else "done", file=sys.stderr)
        if done.returncode:
            return Outcome(failed=_last(done.stderr))
        *rows, cost = [json.loads(row) for row in out.read_text("utf-8").splitlines()]
    cost["installed MB"] = _size(VENVS / adapter) / 1e6
    return Outcome({(row["store"], row["question"]): tuple(row["ranked"]) for row in rows}, cost)


def with_peer(answer: Answer, peer: str, outcome: Outcome) -> Answer:
    """Return an answer with what a system said beside ours."""
    ranked = outcome.ranked[answer.conversation, answer.question.id]
    return replace(answer, ranked={**answer.ranked, peer: ranked})


def ranks(title: str, found: scoring.Figures) -> Table:
    """Return what everybody finds; the signals of ours are left out elsewhere."""
    whole = scoring.tables(title, found)[0]
    return replace(whole, rows=[row for row in whole.rows if not str(row[0]).startswith("without ")])


def costs(title: str, outcomes: dict[str, Outcome]) -> Table:
    """Return what the systems took."""
    names = ["add ms", "add CPU ms", "search ms", "search CPU ms", "peak MB", "installed MB"]
    rows: list[list[str]] = []
    for peer, one in outcomes.items():
        figures = [""] * len(names) if one.failed else [digits(one.cost[name]) for name in names]
        rows.append([peer, one.failed or one.cost["version"], *figures])
    return Table(f"{title}: what they took, embedding left out", ["system", "version", *names], rows)


def line(title: str, found: scoring.Figures, outcomes: dict[str, Outcome]) -> Line:
    """Return the line of a set for README.md."""
    beside = "; ".join(
        f"{peer} {scoring.short(found.systems[peer]['all'][found.metric].value)}"
        for peer, one in outcomes.items()
        if not one.failed
    )
    ours = scoring.with_interval(found.default["all"][found.metric])
    return Line(f"{title}, {found.metric}, other systems in the same run", ours, beside)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _last(stderr: bytes) -> str:
    lines = [text for text in stderr.decode(errors="replace").splitlines() if text.strip()]
    return lines[-1].strip()[:200] if lines else "it said nothing"


if __name__ == "__main__":
    raise SystemExit(main())
