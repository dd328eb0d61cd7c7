"""`bench recall`: how much of the evidence is found, by us and by what we have to beat; knows no metric by heart."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simonides.bench import scoring
from simonides.bench.asking import Answer, Plan, ask
from simonides.bench.caching import CachedReader
from simonides.bench.datasets import SETS, load
from simonides.bench.machine import Machine, here, today
from simonides.bench.report import Report, save_lines
from simonides.bench.stores import DEPTH
from simonides.bench.where import places
from simonides.doors.desk import Desk
from simonides.doors.paper import Paper
from simonides.doors.places import settings_from
from simonides.doors.spreading import Workers, spreading
from simonides.doors.verb import verb
from simonides.errors import InputError
from simonides.parts import models

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from simonides.bench.cases import Conversation
    from simonides.settings import Settings

TITLES = {
    "locomo": "LoCoMo",
    "longmemeval": "LongMemEval, rebuilt",
    "beam": "BEAM",
    "realmem": "RealMem",
    "letta": "Letta",
    "realtalk": "RealTalk",
}
"""What the sets are called, in the order of the page."""
NOTE = (
    "Share of the turns that hold the answer among the first k hits, averaged over questions. One store for each"
    " conversation, no language model, nothing refused (the gate is measured apart). *default* is simonides as"
    " installed, the next rows are the same with another setting, *without ...* is the default with a group of signals"
    " left out of the sum (its weights not fitted anew). BM25, cosine and what is made of them rank the same turns with"
    " names and dates in the text; the cosines are of the same model's pooled vectors. Ranks after {depth} count as"
    " not found. In brackets: 95 % intervals by bootstrap over questions."
)
SHOWN = 20
"""Ranks that are saved of each question."""


def _ks(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    parts = [part.strip() for part in value.split(",")]
    if not parts or not all(part.isdecimal() and 1 <= int(part) <= DEPTH for part in parts):
        raise click.BadParameter(f"must be whole numbers from 1 to {DEPTH} with commas between, e.g. 5,10,20")
    return tuple(dict.fromkeys(map(int, parts)))


def _names(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for part in value for name in part.split(",") if name.strip()))
    for name in names:
        if name not in SETS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(SETS)}")
    return names


@verb(
    "recall",
    examples=(
        "simonides bench recall --data ./data",
        "simonides bench recall --data ./data --set beam --limit 3 --alone",
        "simonides --set threads=2 bench recall --data ./data --set locomo,beam --out bench/out",
        "simonides bench recall --data ./data --processes 8",
    ),
    then=("simonides bench speed", "make numbers"),
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="A set's file or folder, or the folder of all.",
)
@click.option(
    "--set", "names", metavar="NAME[,NAME]", multiple=True, callback=_names,
    help=f"Only these of {', '.join(SETS)}; told from the files otherwise.",
)  # fmt: skip
@click.option("--k", "ks", default="5,10,20", show_default=True, callback=_ks, help="How many hits count.")
@click.option("--model", metavar="NAME", help="The full-tier model, see `simonides model list`.")
@click.option("--meaning", type=click.Choice(["full", "instant", "off"]), help="The default tier to measure.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="At most so many stores of each set, evenly chosen."
)
@click.option("--alone", is_flag=True, help="Without baselines, other settings and left-out signals.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Save reports and rankings here."
)
@spreading
def command(
    desk: Desk,
    *,
    data: Path,
    names: tuple[str, ...],
    ks: tuple[int, ...],
    model: str | None,
    meaning: str | None,
    limit: int | None,
    alone: bool,
    out: Path | None,
    workers: Workers,
) -> None:
    """Measure what is found, on data sets whose evidence is known turn by turn.

    Each conversation becomes a store, and each of its questions is asked. Prints recall, hits and reciprocal
    ranks with 95 % intervals, beside baselines on the same texts, and how well questions that belong to
    another store are refused.
    """
    given = {"model": model, "meaning": meaning}
    settings = replace(settings_from(desk.settings), **{k: v for k, v in given.items() if v is not None})
    found = places(data, names)
    reports: list[Report] = []
    with _cache(out) as cache, workers.pool() as pool:
        reader = _reader(settings, cache, alone=alone)
        plan = Plan(settings, reader, alone, pool, cache)
        for name, place in found.items():
            meter, machine = _Meter(plan), here()
            conversations = load(name, place)
            chosen = _evenly(conversations, limit)
            ticker = desk.ticker()
            answers = list(ask(conversations, plan, chosen, ticker.counting(f"{name}: store", len(chosen))))
            ticker.clear()
            told = _said(name, ks, given, limit, alone=alone, workers=workers)
            run = Run(name, ks, plan, machine, meter.cost(), told)
            reports.append(report := _report(run, answers))
            if out is not None:
                report.save(out)
                save_lines(out / f"{report.name}.jsonl", map(line, answers))
                desk.aside(f"Saved {out / report.name}.json, .md and .jsonl.")
    desk.answer({"reports": [report.as_json() for report in reports]}, lambda paper: _show(paper, reports))


@contextmanager
def _cache(out: Path | None) -> Generator[Path]:
    if out is not None:
        yield out / "cache"
    else:
        with tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder:
            yield Path(folder)


def _reader(settings: Settings, cache: Path, *, alone: bool) -> CachedReader | None:
    if alone and settings.meaning != "full":
        return None
    return CachedReader(models.open_reader(settings), cache)


def _evenly(conversations: Sequence[Conversation], limit: int | None) -> list[Conversation]:
    if limit is None or limit >= len(conversations):
        return list(conversations)
    return [conversations[i * len(conversations) // limit] for i in range(limit)]


class _Meter:
    """What a set costs: seconds, those of workers too, and texts that the model read or that the cache held."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._at = self._now()

    def cost(self) -> dict[str, float]:
        """Return what was spent since it was made."""
        now = self._now()
        return {name: round(now[name] - self._at[name], 1) for name in now}

    def _now(self) -> dict[str, float]:
        reader = self._plan.reader
        return {
            "wall seconds": time.perf_counter(),
            "CPU seconds": time.process_time() + sum(self._plan.elsewhere),
            "texts read by the model": reader.read_now if reader else 0,
            "texts from the cache": reader.from_cache if reader else 0,
        }


def _said(
    name: str,
    ks: Sequence[int],
    given: dict[str, str | None],
    limit: int | None,
    *,
    alone: bool,
    workers: Workers,
) -> str:
    """Return the command with DATA for the place of the data, which is nobody else's business."""
    words = ["simonides bench recall --data DATA", f"--set {name}"]
    words += [f"--k {','.join(map(str, ks))}"] * (tuple(ks) != (5, 10, 20))
    words += [f"--{option} {value}" for option, value in given.items() if value is not None]
    words += [f"--limit {limit}"] * (limit is not None) + ["--alone"] * alone
    return " ".join([*words, *workers.said])


@dataclass(frozen=True, slots=True)
class Run:
    """How the answers of a set came about, as its report says."""

    name: str
    ks: tuple[int, ...]
    plan: Plan
    machine: Machine
    cost: dict[str, float]
    command: str


def _report(run: Run, answers: Sequence[Answer]) -> Report:
    if not any(one.ranked for one in answers):
        raise InputError(
            f"set {run.name}", "has no question with evidence in these stores", "", "Raise --limit."
        )
    fitted = fitted_on()
    title = TITLES[run.name] + " (weights fitted on it)" * (run.name in fitted)
    measured = scoring.figures(answers, run.ks)
    stores = len({one.conversation for one in answers})
    settings = {k: v for k, v in asdict(run.plan.settings).items() if not k.startswith("endpoint")}
    spent = f"{run.cost['CPU seconds']:,.0f} CPU seconds, {run.cost['wall seconds']:,.0f} in all"
    details: dict[str, Any] = {
        "set": run.name,
        "k": run.ks,
        "stores": stores,
        "filter": "questions with evidence that can be resolved to turns, bait left out",
        "settings": settings,
        "weights fitted on": fitted,
        "model": dict(run.plan.reader.identity()) if run.plan.reader is not None else None,
        "cost": run.cost,
        "figures": measured,
    }
    return Report(
        name=f"recall-{run.name}",
        title=f"Recall: {title}",
        command=run.command,
        made=today(),
        machine=run.machine,
        note=f"{NOTE.format(depth=DEPTH)} Fitted on {' and '.join(fitted)}. {stores:,} stores; {spent}.",
        order=10 + list(TITLES).index(run.name),
        tables=scoring.tables(title, measured),
        summary=scoring.summary(title, measured),
        details=details,
    )


def fitted_on() -> tuple[str, ...]:
    """Return the sets that the shipped weights were fitted on, as their file says."""
    text = resources.files("simonides").joinpath("data/fusion.json").read_text("utf-8")
    told = re.search(r"fitted on ([\w, ]+)", json.loads(text)["note"])
    return tuple(name.strip() for name in told[1].split(",")) if told else ()


def line(answer: Answer) -> dict[str, Any]:
    """Return an answer as it is saved: ids and numbers, no text of the set."""
    question = answer.question
    return {
        "conversation": answer.conversation,
        "question": question.id,
        "kind": answer.kind,
        "category": question.category,
        "answerable": question.answerable,
        "flags": question.flags,
        "evidence": question.evidence if answer.ranked else (),
        "chance": {name: round(value, 4) for name, value in answer.chance.items()},
        "ranked": {name: ids[:SHOWN] for name, ids in answer.ranked.items()},
    }


def _show(paper: Paper, reports: Sequence[Report]) -> None:
    for report in reports:
        if paper.plain:
            paper.line(report.as_markdown())
            continue
        paper.line(paper.style(report.title, bold=True))
        for table in report.tables:
            paper.line(f"\n{table.title}")
            paper.table(
                [str(head) for head in table.head], [[str(cell) for cell in row] for row in table.rows]
            )
        paper.line(f"\n{paper.dim(report.note)}\n{paper.dim(f'Made {report.made} on {report.machine}.')}\n")
    paper.then("simonides bench recall --data DATA --out bench/out", "simonides bench speed")
