"""Turns answers into the figures of a set, and the figures into tables; asks nothing and knows no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simonides.bench import asking, baselines, metrics
from simonides.bench.metrics import ALL, Accuracy, Estimate, Score
from simonides.bench.report import Line, Table, difference, short, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simonides.bench.asking import Answer

WRONG = {"audited-wrong", "audited-citation"}
"""Flags of questions whose gold answer or evidence an audit found to be wrong."""
FEWER = 2_000
"""Draws for the many rows that stand beside the default."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How well one score tells questions that can be answered from those that cannot.

    Attributes:
        of: ``misplaced`` (asked of another store) or ``unanswerable`` (the set's own).
        auc: 0.5 is chance.
        accuracy: at the shipped threshold; None for a baseline, which has none.
    """

    of: str
    auc: Estimate
    accuracy: Accuracy | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one set showed.

    Attributes:
        systems: by system, category and metric.
        paired: by system, the default minus it at `metric`, the same questions drawn for both.
        audited: by system, without the questions that an audit found wrong; empty where none is marked.
        whole: the default at `metric`, whole conversations drawn instead of questions.
        refusals: by what is looked at.
    """

    metric: str
    systems: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    paired: Mapping[str, Estimate]
    audited: Mapping[str, Mapping[str, Estimate]]
    whole: Estimate
    refusals: Mapping[str, Sequence[Refusal]]

    @property
    def default(self) -> Mapping[str, Mapping[str, Estimate]]:
        """Our figures with the settings as given, by category."""
        return self.systems[asking.DEFAULT]


def figures(answers: Sequence[Answer], ks: Sequence[int]) -> Figures:
    """Return the figures of a set from its answers."""
    measured = [one for one in answers if one.ranked]
    scores = {name: _scores(measured, name, ks) for name in measured[0].ranked}
    metric = f"R@{10 if 10 in ks else ks[0]}"
    own = scores[asking.DEFAULT]
    sound = {(one.conversation, one.question.id) for one in measured if not one.question.flags & WRONG}
    audited: dict[str, Mapping[str, Estimate]] = {}
    if len(sound) < len(measured):
        for name, rows in scores.items():
            kept = [row for row in rows if (row.conversation, row.question) in sound]
            audited[name] = metrics.summary(kept, draws=FEWER)[ALL]
    return Figures(
        metric=metric,
        systems={
            name: metrics.summary(rows, draws=metrics.DRAWS if rows is own else FEWER)
            for name, rows in scores.items()
        },
        paired={
            name: metrics.difference(own, rows, metric) for name, rows in scores.items() if rows is not own
        },
        audited=audited,
        whole=metrics.summary(own, by_conversation=True)[ALL][metric],
        refusals={name: _refusals(answers, name) for name in answers[0].chance},
    )


def _scores(answers: Sequence[Answer], system: str, ks: Sequence[int]) -> list[Score]:
    return [metrics.score(one.conversation, one.question, one.ranked[system], ks) for one in answers]


def _refusals(answers: Sequence[Answer], system: str) -> list[Refusal]:
    known = [one for one in answers if one.kind == "own" and one.question.answerable]
    kinds = {
        "misplaced": [one for one in answers if one.kind == "misplaced"],
        "unanswerable": [one for one in answers if one.kind == "own" and not one.question.answerable],
    }
    found: list[Refusal] = []
    for kind, unknown in kinds.items():
        if known and unknown:
            ups, downs = ([one.chance[system] for one in some] for some in (known, unknown))
            threshold = known[0].threshold.get(system)
            accuracy = None if threshold is None else metrics.accuracy_at(threshold, ups, downs)
            found.append(Refusal(kind, metrics.auc(ups, downs, draws=FEWER), accuracy, threshold))
    return found


def tables(name: str, found: Figures) -> list[Table]:
    """Return the figures of a set as tables."""
    shown = list(found.default[ALL])
    many = found.default[ALL][shown[0]].count
    rows = [
        [system, *(_cell(found, system, metric) for metric in shown), _paired(found, system)]
        for system in _in_order(found.systems)
    ]
    made = [
        Table(f"{name}: {many:,} questions", ["system", *shown, f"default minus it, {found.metric}"], rows),
        _categories(name, found, shown),
    ]
    if found.audited:
        made.append(_audited(name, found))
    if any(found.refusals.values()):
        made.append(_refusal_table(name, found))
    return made


def _in_order(systems: Mapping[str, object]) -> list[str]:
    """The default, other settings, the baselines, others, what it leaves out."""
    left_out = [name for name in systems if name.startswith("without ")]
    known = [name for name in (asking.DEFAULT, *asking.VARIANTS, *baselines.NAMES) if name in systems]
    return [*known, *(name for name in systems if name not in (*known, *left_out)), *left_out]


def _cell(found: Figures, system: str, metric: str) -> str:
    estimate = found.systems[system][ALL][metric]
    return with_interval(estimate) if metric == found.metric else short(estimate.value)


def _paired(found: Figures, system: str) -> str:
    return difference(found.paired[system]) if system in found.paired else ""


def _categories(name: str, found: Figures, shown: Sequence[str]) -> Table:
    beside = [system for system in (baselines.SPOKEN, "instant") if system in found.systems]
    head = ["category", "questions", *shown, *(f"{found.metric} of {system}" for system in beside)]
    rows = []
    for category, by_metric in found.default.items():
        others = [short(found.systems[system][category][found.metric].value) for system in beside]
        ours = [
            with_interval(one) if metric == found.metric else short(one.value)
            for metric, one in by_metric.items()
        ]
        rows.append([category, by_metric[found.metric].count, *ours, *others])
    return Table(f"{name}, by category: the default", head, rows)


def _audited(name: str, found: Figures) -> Table:
    first = next(iter(found.audited.values()))
    many = first[found.metric].count
    rows = [
        [system, *(short(one.value) for one in found.audited[system].values())]
        for system in _in_order(found.audited)
        if not system.startswith("without ")
    ]
    return Table(f"{name}, without what an audit found wrong: {many:,} questions", ["system", *first], rows)


def _refusal_table(name: str, found: Figures) -> Table:
    head = [
        "",
        "against",
        "questions",
        "AUC",
        "threshold",
        "accuracy there",
        "rightly kept",
        "rightly refused",
    ]
    rows = [
        [system, one.of, one.auc.count, with_interval(one.auc), *_at_threshold(one)]
        for system, refusals in found.refusals.items()
        for one in refusals
    ]
    return Table(f"{name}: nothing fits", head, rows)


def _at_threshold(one: Refusal) -> list[str]:
    if one.accuracy is None or one.threshold is None:
        return [""] * 4
    return [
        short(value)
        for value in (one.threshold, one.accuracy.balanced, one.accuracy.kept, one.accuracy.refused)
    ]


def summary(name: str, found: Figures) -> list[Line]:
    """Return the lines of a set for README.md."""
    metric = found.metric
    beside = [
        f"{system} {short(found.systems[system][ALL][metric].value)}"
        for system in (baselines.SPOKEN, baselines.BOTH, baselines.WORDS)
        if system in found.systems
    ]
    if "instant" in found.systems:
        beside.insert(0, f"our instant tier alone {short(found.systems['instant'][ALL][metric].value)}")
    ours = found.default[ALL][metric]
    lines = [Line(f"{name}, {metric} of {ours.count:,} questions", with_interval(ours), "; ".join(beside))]
    refused = f"{name}, AUC of refusing another store's questions"
    aucs = [with_interval(one.auc) for one in found.refusals[asking.DEFAULT] if one.of == "misplaced"]
    return [*lines, *(Line(refused, auc) for auc in aucs)]
