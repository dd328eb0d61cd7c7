"""Asks every question of a set, of our searches and of the baselines; knows no metric and writes no report."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench.baselines import VECTORS, Baselines
from simonides.bench.negatives import misplace
from simonides.bench.stores import Store
from simonides.parts.fuse import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from simonides.bench.caching import CachedReader
    from simonides.bench.cases import Conversation, Question
    from simonides.settings import Settings

DEFAULT = "default"
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "hand recipe": {"fusion": "hand"},
    "instant": {"meaning": "instant"},
    "off": {"meaning": "off"},
}
"""Other settings of ours that are asked beside the default, by the name in reports."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What everybody said to one question.

    Attributes:
        kind: ``own`` of the conversation, or ``misplaced`` from another one, which nothing answers.
        ranked: turn ids by system, best first.
        chance: the gate's chance of an answer by our system; beside it the baselines' nearest cosine.
        threshold: by our system, below which it refuses.
    """

    conversation: str
    question: Question
    kind: str
    ranked: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    chance: Mapping[str, float] = field(default_factory=dict[str, float])
    threshold: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask; `alone` leaves out the variants, the ablations and the baselines."""

    settings: Settings
    reader: CachedReader | None
    alone: bool = False

    def variants(self) -> dict[str, Mapping[str, str]]:
        """Return the other settings that differ from those asked for."""
        if self.alone:
            return {}
        return {
            name: changed
            for name, changed in VARIANTS.items()
            if any(getattr(self.settings, key) != value for key, value in changed.items())
            and (name == "hand recipe" or self.settings.meaning != "off")
        }


def ask(
    conversations: Sequence[Conversation],
    plan: Plan,
    chosen: Sequence[Conversation],
    step: Callable[[int], object],
) -> Iterator[Answer]:
    """Yield the answers to all questions of the chosen conversations, store after store.

    Args:
        conversations: the whole set: misplaced questions come from all of it.
        chosen: those whose stores are built.
        step: is told of each store that is done.
    """
    moved: dict[str, list[Question]] = defaultdict(list)
    if len(conversations) > 1:
        for one in misplace(conversations):
            moved[one.asked_of].append(one.question)
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder:
        for conversation in chosen:
            if conversation.turns:
                yield from _conversation(conversation, plan, moved[conversation.id], Path(folder))
            step(1)


def _conversation(
    conversation: Conversation, plan: Plan, misplaced: Sequence[Question], folder: Path
) -> Iterator[Answer]:
    store = Store(folder / "bench.db", conversation, plan.settings, plan.reader)
    try:
        baselines = None
        if not plan.alone and plan.reader is not None:
            baselines = Baselines(conversation, plan.reader)
        for question in conversation.questions:
            if conversation.seen_by(question) and (question.in_recall or not question.answerable):
                yield _answer("own", question, store, plan, baselines)
        for question in misplaced:
            yield _answer("misplaced", question, store, plan, baselines)
    finally:
        store.close()


def _answer(kind: str, question: Question, store: Store, plan: Plan, baselines: Baselines | None) -> Answer:
    measured = kind == "own" and question.in_recall
    groups = tuple(dict.fromkeys(GROUPS.values())) if measured and not plan.alone else ()
    found = {DEFAULT: store.default(question, groups)}
    for name, changed in plan.variants().items():
        found[name] = store.variant(name, question, **changed)
    ranked = {name: one.ranked for name, one in found.items()}
    ranked |= {f"without {group}": ids for group, ids in found[DEFAULT].without.items()}
    chance = {name: one.chance for name, one in found.items()}
    if baselines is not None:
        beside = baselines.rank(question)
        ranked |= beside.ranked
        chance[VECTORS] = beside.nearest
    threshold = {name: one.threshold for name, one in found.items()}
    return Answer(store.conversation.id, question, kind, ranked if measured else {}, chance, threshold)
