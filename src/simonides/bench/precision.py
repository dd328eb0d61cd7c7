"""`bench precision`: what vectors of fewer bits find beside those of 32, and what ways of fusing find; knows no store.

Ways of ranking are named functions over the same vectors. Recall is measured on LoCoMo, speed on made-up vectors.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from simonides.bench import metrics, options
from simonides.bench.baselines import Baselines
from simonides.bench.baselines import said as as_embedded
from simonides.bench.caching import CachedReader
from simonides.bench.datasets import load
from simonides.bench.machine import here, today
from simonides.bench.metrics import ALL, Score
from simonides.bench.report import Report, Table, difference, save, show, with_interval
from simonides.bench.timing import Spell, digits, timed
from simonides.bench.where import places
from simonides.doors.desk import Desk
from simonides.doors.places import settings_from
from simonides.doors.verb import verb
from simonides.errors import InputError
from simonides.parts import analyse, fusing, models, precision
from simonides.parts.fusing import Fused, Scores
from simonides.parts.precision import FIRST, PRECISIONS, Codes, Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simonides.bench.cases import Conversation

    Floats = NDArray[np.float32]
    Rows = NDArray[np.int64]
    Rank = Callable[[Floats, int], Rows]

K, DIMENSION, QUERIES, REPEATS = 10, 384, 100, 100
EXACT, WORDS = "f32", "BM25"
NOTE = (
    "Recall: share of the evidence turns of LoCoMo among the first {k}, averaged over {count:,} questions with"
    " evidence; each conversation is searched on its own, nothing is refused. In brackets: 95 % intervals by bootstrap"
    " over questions; differences are paired. Vectors are those of the full tier's model, of 'speaker: text'; BM25"
    " (1.2, 0.75) reads the date too. Speed: {rows:,} unit vectors of chance, {queries} queries, one after the other."
    " *Same order*: one query {repeats} times gave the same rows in the same order, byte by byte."
)


@dataclass(frozen=True, slots=True)
class Way:
    """A way of ranking rows by vectors.

    Attributes:
        name: in the table.
        precision: of what it scans.
        rank: makes the ranking of a matrix: of its codes, and of the vectors they were made from.
    """

    name: str
    precision: Precision
    rank: Callable[[Codes, Floats], Rank]


def _nearest(codes: Codes, _: Floats) -> Rank:
    return partial(precision.nearest, codes)


def _signs(codes: Codes, _: Floats) -> Rank:
    return partial(precision.nearest_signs, codes)


def _information(codes: Codes, _: Floats) -> Rank:
    return lambda query, k: precision.first(precision.information(codes, query), k)


def _two_stage(among: int, codes: Codes, vectors: Floats) -> Rank:
    return lambda query, k: precision.two_stage(codes, vectors, query, k, among=among)


WAYS = (
    *(Way(name, name, _nearest) for name in PRECISIONS if name != "1-bit"),
    Way("1-bit, question f32", "1-bit", _nearest),
    Way("1-bit both (Hamming)", "1-bit", _signs),
    Way("1-bit both, signed information", "1-bit", _information),
    Way("1-bit first 30, then f32", "1-bit", partial(_two_stage, 30)),
    Way(f"1-bit first {FIRST}, then f32", "1-bit", partial(_two_stage, FIRST)),
)


def _ranks(found: Mapping[str, Scores]) -> dict[str, list[str]]:
    return {name: [one.id for one in fusing.weighted({name: scores})] for name, scores in found.items()}


FUSIONS: Mapping[str, Callable[[Mapping[str, Scores], int], Sequence[Fused]]] = {
    WORDS: lambda found, _: fusing.weighted({"words": found["words"]}),
    "cosine": lambda found, _: fusing.weighted({"cosine": found["cosine"]}),
    "rank fusion, k = 60": lambda found, _: fusing.rrf(_ranks(found), 60),
    "rank fusion, k = 15": lambda found, _: fusing.rrf(_ranks(found), 15),
    "rank fusion, k = 1 from rank 0 (Zep)": lambda found, _: fusing.rrf(_ranks(found), 1, first=0),
    "weighted, each over its best": lambda found, _: fusing.weighted(found, scale=fusing.by_best),
    "best layer, each over its best": lambda found, _: fusing.max_layer(
        {name: fusing.by_best(scores) for name, scores in found.items()}
    ),
    "additive sigmoid (Mem0, 2026)": lambda found, terms: fusing.additive_sigmoid(
        found["cosine"], found["words"], terms=terms
    ),
    "cube, words over their best": lambda found, _: fusing.cube(
        {"cosine": found["cosine"], "words": fusing.by_best(found["words"])}, missing={"words": 0.1}
    ),
}
"""Ways of fusing BM25 and cosines, from the scores and the terms of the question."""


@verb(
    "precision",
    examples=(
        "simonides bench precision --data ./data",
        "simonides bench precision --data ./data --out bench/out",
    ),
    then=("simonides bench recall --data DATA",),
)
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="LoCoMo, or the folder of all sets.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    help="Vectors of the scan that is timed.",
)
@options.seed
@options.out
def command(desk: Desk, *, data: Path, rows: int, seed: int, out: Path | None) -> None:
    """Measure what vectors of fewer bits find, and how fast, beside those of 32.

    The same for ways of fusing words and vectors. Let the machine be quiet.
    """
    machine = here()
    conversations = load("locomo", places(data, ["locomo"])["locomo"])
    ticker = desk.ticker()
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") if out is None else nullcontext(out) as place:
        reader = CachedReader(models.open_reader(settings_from(desk.settings)), Path(place) / "cache")
        answers = list(_answers(conversations, reader, ticker.counting("locomo: store", len(conversations))))
    ticker.clear()
    speeds = _speeds(rows, seed)
    told = [f"--rows {rows}"] * (rows != 100_000) + [f"--seed {seed}"] * (seed != 1)
    report = Report(
        name="precision",
        title="Vectors of fewer bits, and ways of fusing",
        command=" ".join(["simonides bench precision --data DATA", *told]),
        made=today(),
        machine=machine,
        note=NOTE.format(k=K, count=len(answers), rows=rows, queries=QUERIES, repeats=REPEATS),
        order=18,
        tables=[_precisions(answers, speeds, rows), _fusions(answers)],
        summary=[],
        details={"seed": seed, "rows": rows, "speeds": {name: asdict(one) for name, one in speeds.items()}},
    )
    save(desk, report, out)
    desk.answer(
        {"report": json.loads(json.dumps(report.as_json()))}, lambda paper: show(paper, report, titled=True)
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """One question: its scores by way of ranking, and by way of fusing; the first row by way of ranking."""

    ranked: Mapping[str, Score]
    fused: Mapping[str, Score]
    best: Mapping[str, int]


def _answers(
    conversations: Sequence[Conversation], reader: CachedReader, step: Callable[[int], object]
) -> list[Answered]:
    answers: list[Answered] = []
    for conversation in conversations:
        answers += _asked(conversation, reader)
        step(1)
    if not answers:
        raise InputError("LoCoMo", "must have a question with evidence", 0)
    return answers


def _asked(conversation: Conversation, reader: CachedReader) -> Iterator[Answered]:
    vectors = reader.pooled([as_embedded(turn) for turn in conversation.turns])
    base = Baselines(conversation, reader)
    ids = [turn.id for turn in conversation.turns]
    codes = {name: precision.encode(vectors, name) for name in PRECISIONS}
    ways = {way.name: way.rank(codes[way.precision], vectors) for way in WAYS}
    for question in conversation.questions:
        if not question.in_recall:
            continue
        asked = reader.ask(question.text).pooled
        rows = {name: rank(asked, K).tolist() for name, rank in ways.items()}
        ranked = {name: [ids[row] for row in found] for name, found in rows.items()}
        channels = zip(("words", "cosine"), base.channels(question))
        scores = {
            name: {id: float(one) for id, one in zip(ids, found) if one > 0} for name, found in channels
        }
        terms = len(analyse.terms(question.text))
        fused = {name: [one.id for one in way(scores, terms)[:K]] for name, way in FUSIONS.items()}
        score = partial(metrics.score, conversation.id, question, ks=(K,))
        yield Answered(
            {name: score(found) for name, found in ranked.items()},
            {name: score(found) for name, found in fused.items()},
            {name: found[0] for name, found in rows.items()},
        )


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one way scans, what a vector takes, and whether it says the same each time."""

    spell: Spell
    size: int
    same: bool


def _speeds(rows: int, seed: int) -> dict[str, Speed]:
    chance = np.random.default_rng(seed)
    vectors, asked = (_units(chance, many) for many in (rows, QUERIES))
    speeds: dict[str, Speed] = {}
    for name in PRECISIONS:
        codes = precision.encode(vectors, name)
        for way in (one for one in WAYS if one.precision == name):
            rank = way.rank(codes, vectors)
            rank(asked[0], K)  # what is made once
            orders = {hashlib.sha256(rank(asked[0], K).tobytes()).digest() for _ in repeat(None, REPEATS)}
            spell = timed(lambda query, rank=rank: rank(query, K), asked)
            speeds[way.name] = Speed(spell, codes.bytes_each, len(orders) == 1)
    return speeds


def _units(chance: np.random.Generator, many: int) -> Floats:
    vectors = chance.standard_normal((many, DIMENSION), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _precisions(answers: Sequence[Answered], speeds: Mapping[str, Speed], rows: int) -> Table:
    head = (
        "vectors", "bytes each", f"R@{K}", "minus f32", "same first hit", f"p50 ms at {rows:,}", "p95 ms", "same order",
    )  # fmt: skip
    table: list[list[str | int]] = []
    for way in WAYS:
        scores = [one.ranked[way.name] for one in answers]
        speed = speeds[way.name]
        same = sum(one.best[way.name] == one.best[EXACT] for one in answers) / len(answers)
        table.append(
            [
                way.name,
                speed.size,
                with_interval(metrics.summary(scores)[ALL][f"R@{K}"]),
                _minus(answers, lambda one, name=way.name: one.ranked[name], lambda one: one.ranked[EXACT]),
                f"{100 * same:.1f} %",
                digits(speed.spell.p50),
                digits(speed.spell.p95),
                "yes" if speed.same else "NO",
            ]
        )
    return Table("Vectors of fewer bits", head, table)


def _fusions(answers: Sequence[Answered]) -> Table:
    table = [
        [
            name,
            with_interval(metrics.summary([one.fused[name] for one in answers])[ALL][f"R@{K}"]),
            _minus(answers, lambda one, name=name: one.fused[name], lambda one: one.fused[WORDS]),
        ]
        for name in FUSIONS
    ]
    return Table("Ways of fusing", ("way", f"R@{K}", f"minus {WORDS}"), table)


def _minus(
    answers: Sequence[Answered], one: Callable[[Answered], Score], other: Callable[[Answered], Score]
) -> str:
    left, right = [one(answer) for answer in answers], [other(answer) for answer in answers]
    return "" if left == right else difference(metrics.difference(left, right, f"R@{K}"))
