"""Fit the numbers of `data/fusion.json`: weights of signals, calibration of scores, the refusal gate; knows no door.

    python scripts/fit_fusion.py --data FOLDER_OF_SETS --cache FOLDER

Fitted only on sets whose licence allows it: LongMemEval (rebuilt) and Letta. LoCoMo and BEAM are evaluated and never
fitted on; what is right only where people talk to each other cannot be learned from those two, so a few coarse weights
are set by hand (`PEOPLE`). Steps: a listwise softmax over each question's candidates gives the weights; Platt scaling
turns the sum into the chance of being evidence; the gate is a fixed shape (`GATE`), scaled the same way on questions
asked of their own and of another store, whole and cut down to 100, 30, 8 and 3 memories.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simonides.bench import datasets
from simonides.bench.caching import CachedReader
from simonides.bench.cases import Conversation, Question
from simonides.bench.metrics import auc
from simonides.bench.negatives import misplace
from simonides.bench.stores import row, when
from simonides.clock import micros
from simonides.enrich import Enricher
from simonides.ledger.index import Believed
from simonides.memory import Memory
from simonides.parts import fuse, recall, retrieve, signals
from simonides.parts.embed import MiniLM
from simonides.settings import Settings

Floats = NDArray[np.float64]

FITTED = ("longmemeval", "letta")
JUDGED = ("locomo", "beam")
LETTA_QUESTIONS = 200
"""Letta's questions are easy and alike; a sample keeps them from outweighing the rest."""
RIDGE = 3e-3
SIZES = (0, 100, 30, 8, 3)
"""Memories that stores are cut down to for the gate; 0 leaves them whole."""
KEPT = 0.9
"""Share of answerable questions that the threshold lets through, of LongMemEval in whole stores."""

PEOPLE = {
    "full": {"named": 0.8, "words_asked": 0.2, "words_before": 0.1, "words_after": 0.05, "full_asked": 0.15,
             "full_before": 0.05, "question": -0.3},
    "pooled": {"named": 0.8, "words_asked": 0.3, "words_before": 0.15, "words_after": 0.1, "question": -0.4},
    "instant": {"named": 0.8, "words_asked": 0.4, "words_before": 0.2, "words_after": 0.1, "question": -0.5},
    "off": {"named": 0.8, "words_asked": 0.4, "words_before": 0.2, "words_after": 0.1, "question": -0.5},
}  # fmt: skip
"""Set by hand: they are 0 in all that may be fitted on. Coarse, from the neighbour measurements in docs/log.md."""

HAND = {
    "full": {"full": 1.0, "words": 0.3, "pooled": 0.3},
    "pooled": {"pooled": 1.0, "words": 1.0},
    "instant": {"words": 1.0, "static": 0.6},
    "off": {"words": 1.0},
}
HAND_ALL = {"named": 1.0, "user_wanted": 1.0, "assistant_wanted": 1.0, "date": 1.0, "words_asked": 0.2,
            "words_before": 0.1, "question": -0.4}  # fmt: skip

GATE = {
    "full": {"top": 0.3, "meaning": 8, "pooled": 8, "coverage": 2, "static": 1, "terms": 1, "spoke": 0.5, "dated": 1.2,
             "user": 0.5},
    "pooled": {"top": 0.3, "pooled": 10, "coverage": 2, "static": 2, "terms": 1, "spoke": 0.5, "dated": 1.2,
               "user": 0.5},
    "instant": {"top": 0.6, "static": 5, "coverage": 3, "terms": 1.2},
    "off": {"top": 0.6, "coverage": 6, "terms": 1.2},
}  # fmt: skip
"""Shape of the gate: both ways of measuring meaning count alike; what each alone misses differs from set to set."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question asked of one store: what was measured, which candidates are evidence, how much evidence there is."""

    measured: signals.Measured
    gold: NDArray[np.bool_]
    evidence: int
    terms: int


@dataclass(frozen=True, slots=True)
class Cases:
    """A set: questions asked of their own store, and of another one."""

    own: list[Case]
    other: list[Case]


def main() -> None:
    """Fit, judge, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder for each set")
    parser.add_argument("--cache", type=Path, required=True, help="folder for codes, reused by the next run")
    parser.add_argument("--out", type=Path, default=Path("src/simonides/data/fusion.json"))
    given = parser.parse_args()
    reader = CachedReader(MiniLM(), given.cache)
    cases = {name: collect(name, given.data / name, reader) for name in (*FITTED, *JUDGED)}
    tiers: dict[str, object] = {}
    for tier, by_eye in HAND.items():
        learned, cross = learn(cases, tier)
        for kind, weights in (("learned", learned), ("hand", by_eye | HAND_ALL)):
            fitted = finish(cases, tier, weights)
            tiers[f"{kind}-{tier}"] = {
                "weights": fitted.weights, "bias": fitted.bias, "gate": fitted.gate_weights,
                "threshold": fitted.threshold,
            }  # fmt: skip
            judge(f"{kind}-{tier}", cases, tier, fitted)
        print(f"learned-{tier}: longmemeval R@10 in 5 folds {cross:.3f}", flush=True)
    note = (
        "Made by scripts/fit_fusion.py; fitted on " + ", ".join(FITTED) + "; judged on " + ", ".join(JUDGED)
    )
    given.out.write_text(
        json.dumps({"note": note, "tiers": tiers}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def collect(name: str, path: Path, reader: CachedReader) -> Cases:
    """Return the measured cases of a set."""
    conversations = datasets.load(name, path)
    misplaced: dict[str, list[Question]] = {}
    for one in misplace(conversations):
        misplaced.setdefault(one.asked_of, []).append(one.question)
    own: list[Case] = []
    other: list[Case] = []
    for conversation in conversations:
        with Memory(":memory:", embedder=reader, settings=Settings(background=False)) as memory:
            receipt = memory.add_many([row(turn) for turn in conversation.turns], wait=True)
            numbers = {
                turn.id: i for i, turn in enumerate(conversation.turns, 1)
            }  # rows count from 1 in a new file
            if len(receipt.ids) != len(numbers):
                raise SystemExit(
                    f"{name}: {conversation.id}: {len(receipt.ids)} of {len(numbers)} turns were written"
                )
            search = Enricher(memory.ledger, memory.settings, reader).open_recall()
            fair = [q for q in conversation.questions if q.in_recall and q.answerable]
            own.extend(ask(search, conversation, question, numbers) for question in fair)
            other.extend(ask(search, conversation, q, numbers) for q in misplaced.get(conversation.id, []))
    print(f"{name}: {len(own)} questions, {len(other)} misplaced; {reader.read_now} texts read", flush=True)
    return Cases(own, other)


def ask(
    search: recall.Recall, conversation: Conversation, question: Question, numbers: dict[str, int]
) -> Case:
    """Return one question, measured."""
    times = when(conversation, question)
    as_of = None if times["as_of"] is None else micros(times["as_of"])
    asked, found = search.measure(question.text, {}, Believed(as_of=as_of), times["now"])
    gold = np.isin(found.rows, [numbers[name] for name in question.evidence])
    return Case(found.measured, gold, len(question.evidence), len(asked.terms))


def as_tier(measured: signals.Measured, tier: str) -> signals.Measured:
    """Return what a tier sees of it."""
    if tier == "full":
        return measured
    nothing = np.zeros_like(measured.static)
    pooled = measured.pooled if tier == "pooled" else None
    seen = nothing if tier == "off" else measured.static
    return dataclasses.replace(measured, full=None, full_before=nothing, pooled=pooled, static=seen)


def matrix(case: Case, tier: str, names: Sequence[str]) -> Floats:
    """Return the signals of a case (candidates, names)."""
    found = signals.signals(as_tier(case.measured, tier))
    return np.stack([found[name].astype(np.float64) for name in names], axis=1)


def names_of(case: Case, tier: str) -> list[str]:
    """Return the names of the signals of a tier."""
    return [*signals.signals(as_tier(case.measured, tier))]


def learn(cases: dict[str, Cases], tier: str) -> tuple[dict[str, float], float]:
    """Return the weights fitted on all that may be fitted on, and the recall on LongMemEval in five folds."""
    chat = [case for case in cases["longmemeval"].own if case.gold.any()]
    letta = cases["letta"].own
    facts = [letta[i] for i in np.random.default_rng(0).permutation(len(letta))[:LETTA_QUESTIONS]]
    names = names_of(chat[0], tier)
    inputs = [matrix(case, tier, names) for case in chat]
    more = [matrix(case, tier, names) for case in facts]
    golds, more_golds = [case.gold for case in chat], [case.gold for case in facts]
    weights = by_hand(softmax([*inputs, *more], [*golds, *more_golds]), names, tier)
    folds = np.random.default_rng(1).permutation(len(chat))
    found = []
    for fold in range(5):
        held = set(folds[fold::5].tolist())
        kept = [i for i in range(len(chat)) if i not in held]
        part = softmax([*(inputs[i] for i in kept), *more], [*(golds[i] for i in kept), *more_golds])
        found.extend(recall_at_10(chat[i], inputs[i] @ by_hand(part, names, tier)) for i in held)
    rounded = {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}
    return {name: weight for name, weight in rounded.items() if weight}, float(np.mean(found))


def by_hand(weights: Floats, names: Sequence[str], tier: str) -> Floats:
    """Return the weights with those of `PEOPLE` put in."""
    return np.array([PEOPLE[tier].get(name, weight) for name, weight in zip(names, weights, strict=True)])


def softmax(
    inputs: list[Floats], golds: list[NDArray[np.bool_]], steps: int = 400, rate: float = 0.05
) -> Floats:
    """Return weights that make the evidence of each question likely among its candidates (Adam, ridge)."""
    kept = [i for i, gold in enumerate(golds) if gold.any()]
    sizes = [len(inputs[i]) for i in kept]
    starts = np.cumsum([0, *sizes[:-1]])
    owner = np.repeat(np.arange(len(kept)), sizes)
    values = np.concatenate([inputs[i] for i in kept])
    gold = np.concatenate([golds[i] for i in kept]).astype(np.float64)
    wanted = gold / np.add.reduceat(gold, starts)[owner]
    weights = np.zeros(values.shape[1])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        scores = values @ weights
        grown = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
        likely = grown / np.add.reduceat(grown, starts)[owner]
        slope = (likely - wanted) @ values / len(kept) + RIDGE * weights
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        weights = weights - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return weights


def platt(
    scores: Floats, crowds: Floats, truth: NDArray[np.bool_], counts: Floats
) -> tuple[float, float, float]:
    """Return slope, weight of the crowd and offset that turn scores into log-odds (Platt, 1999); Newton's method."""
    means, spreads = [scores.mean(), crowds.mean()], [scores.std(), crowds.std()]
    inputs = np.stack(
        [(scores - means[0]) / spreads[0], (crowds - means[1]) / spreads[1], np.ones_like(scores)], axis=1
    )
    found = np.zeros(3)
    for _ in range(50):
        likely = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        slope = inputs.T @ (counts * (likely - truth)) + 1e-6 * found
        bend = (inputs * (counts * likely * (1 - likely))[:, None]).T @ inputs + 1e-6 * np.eye(3)
        found = found - np.linalg.solve(bend, slope)
    by_score, by_crowd = float(found[0] / spreads[0]), float(found[1] / spreads[1])
    return by_score, by_crowd, float(found[2] - by_score * means[0] - by_crowd * means[1])


def finish(cases: dict[str, Cases], tier: str, weights: dict[str, float]) -> fuse.Fusion:
    """Return the weights scaled to log-odds, on stores of all sizes, with the gate fitted on top."""
    raw = fuse.Fusion(weights, 0.0, {}, 0.0)
    drawn = np.random.default_rng(0)
    scores, crowds, truth, counts = [], [], [], []
    for name in FITTED:
        own = cases[name].own
        for case in (cut(case, size, drawn) for size in SIZES for case in own):
            found = raw.logits(signals.signals(as_tier(case.measured, tier))).astype(np.float64)
            best = np.argsort(-found, kind="stable")[:30]
            scores.append(found[best])
            crowds.append(np.full(len(best), np.log1p(len(found))))
            truth.append(case.gold[best])
            counts.append(np.full(len(best), 1 / len(own)))
    slope, crowd, bias = platt(*(np.concatenate(values) for values in (scores, crowds, truth, counts)))
    scaled = {name: round(weight * slope, 4) for name, weight in weights.items()} | {"crowd": round(crowd, 4)}
    return gate(cases, tier, fuse.Fusion(scaled, round(bias, 4), GATE[tier], 0.0))


def gate(cases: dict[str, Cases], tier: str, fusion: fuse.Fusion) -> fuse.Fusion:
    """Return the fusion with its gate scaled on stores of all sizes, and the threshold for `KEPT`."""
    drawn = np.random.default_rng(0)
    scores, crowds, truth, counts = [], [], [], []
    for name in FITTED:
        for size in SIZES:
            for answerable, some in ((True, cases[name].own), (False, cases[name].other)):
                cuts = [cut(case, size, drawn) for case in some if len(case.gold)]
                scores.extend(shape(case, tier, fusion) for case in cuts)
                crowds.extend(np.log1p(len(case.gold)) for case in cuts)
                truth.extend([answerable] * len(cuts))
                counts.extend([1 / len(cuts)] * len(cuts))
    scored, crowded, known = np.array(scores), np.array(crowds), np.array(truth)
    slope, crowd, bias = platt(scored, crowded, known, np.array(counts))
    scaled = {name: round(weight * slope, 4) for name, weight in GATE[tier].items()}
    scaled |= {"crowd": round(crowd, 4), "bias": round(bias, 4)}
    fitted = dataclasses.replace(fusion, gate_weights=scaled)
    sure = [shape(case, tier, fitted) for case in cases["longmemeval"].own if len(case.gold)]
    lowest = 1 / (1 + np.exp(-np.quantile(sure, 1 - KEPT)))
    return dataclasses.replace(fitted, threshold=round(float(lowest), 3))


def shape(case: Case, tier: str, fusion: fuse.Fusion) -> float:
    """Return the log-odds of the gate for one case."""
    seen = as_tier(case.measured, tier)
    named = signals.signals(seen)
    logits = fusion.logits(named)
    rows = np.arange(len(case.gold))
    found = retrieve.Candidates(rows, rows, seen, len(rows), {})
    facts = recall.gate_facts(found, named, logits, np.argsort(-logits, kind="stable"), case.terms)
    return fusion.gate_weights.get("bias", 0.0) + sum(
        fusion.gate_weights.get(n, 0.0) * v for n, v in facts.items()
    )


def cut(case: Case, size: int, drawn: np.random.Generator) -> Case:
    """Return the case with so many memories left, one piece of its evidence among them."""
    if not size or size >= len(case.gold):
        return case
    kept = np.unique(
        np.r_[drawn.permutation(len(case.gold))[: size - 1], np.flatnonzero(case.gold)[:1]]
    ).astype(int)
    fields = {f.name: getattr(case.measured, f.name) for f in dataclasses.fields(case.measured)}
    smaller = {name: value[kept] for name, value in fields.items() if isinstance(value, np.ndarray)}
    return Case(dataclasses.replace(case.measured, **smaller), case.gold[kept], case.evidence, case.terms)


def recall_at_10(case: Case, scores: Floats) -> float:
    """Return the share of the evidence among the ten best."""
    return float(case.gold[np.argsort(-scores, kind="stable")[:10]].sum() / case.evidence)


def judge(label: str, cases: dict[str, Cases], tier: str, fusion: fuse.Fusion) -> None:
    """Print recall, the gate's AUC, and how many are let through and refused, on every set."""
    for name, some in cases.items():
        found = [
            recall_at_10(
                case, fusion.logits(signals.signals(as_tier(case.measured, tier))).astype(np.float64)
            )
            for case in some.own
        ]
        own = np.array([shape(case, tier, fusion) for case in some.own if len(case.gold)])
        other = np.array([shape(case, tier, fusion) for case in some.other if len(case.gold)])
        limit = np.log(fusion.threshold / (1 - fusion.threshold))
        print(
            f"{label:16s} {name:12s} R@10 {np.mean(found):.3f}  gate AUC {auc(own, other).value:.3f}"
            f"  answered {np.mean(own >= limit):.2f}  refused {np.mean(other < limit):.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
