"""Asks every question of a set, of our searches and of the baselines; knows no metric and writes no report.

Conversations have nothing to do with each other, so a pool may work on them: each worker loads the model once and
sends back what the model said, which one process keeps.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.bench.baselines import VECTORS, Baselines
from simonides.bench.caching import CachedReader
from simonides.bench.negatives import misplace
from simonides.bench.stores import Store
from simonides.parts import models
from simonides.parts.fuse import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from simonides.bench.cases import Conversation, Question
    from simonides.pool import Pool
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
    """What to ask, and who asks.

    Attributes:
        reader: the model, with its cache; None where no search uses it.
        alone: leave out the variants, the ablations and the baselines.
        pool: works on conversations; None asks them one after the other.
        cache: the folder of the reader's cache, which workers on this machine read too.
        elsewhere: processor seconds that workers took.
    """

    settings: Settings
    reader: CachedReader | None
    alone: bool = False
    pool: Pool | None = None
    cache: Path | None = None
    elsewhere: list[float] = field(default_factory=list[float], compare=False)

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
    if plan.pool is not None:
        yield from _spread(plan.pool, plan, [(one, moved[one.id]) for one in chosen], step)
        return
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder:
        for conversation in chosen:
            if conversation.turns:
                yield from _conversation(conversation, plan, moved[conversation.id], Path(folder))
            step(1)


@dataclass(frozen=True, slots=True)
class Task:
    """One conversation for a worker, with all that it needs to ask it."""

    conversation: Conversation
    misplaced: Sequence[Question]
    settings: Settings
    alone: bool
    reads: bool
    cache: Path | None


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker sends back: the answers, what the model said, how many texts it read, what the cache held."""

    answers: tuple[Answer, ...]
    fresh: bytes
    read_now: int
    from_cache: int
    seconds: float


def _spread(
    pool: Pool,
    plan: Plan,
    chosen: Sequence[tuple[Conversation, Sequence[Question]]],
    step: Callable[[int], object],
) -> Iterator[Answer]:
    tasks = (
        Task(one, moved, plan.settings, plan.alone, plan.reader is not None, plan.cache)
        for one, moved in chosen
    )
    for done in pool.map(asked, tasks, step=step):
        if plan.reader is not None:
            plan.reader.take(done.fresh)
            plan.reader.read_now += done.read_now
            plan.reader.from_cache += done.from_cache
        plan.elsewhere.append(done.seconds)
        yield from done.answers


def asked(task: Task) -> Done:
    """Ask all questions of one conversation, in whichever process this is."""
    if not task.conversation.turns:
        return Done((), b"", 0, 0, 0.0)
    started = time.process_time()
    reader = _reader(task.settings, task.cache) if task.reads else None
    before = (reader.read_now, reader.from_cache) if reader is not None else (0, 0)
    plan = Plan(task.settings, reader, task.alone)
    with tempfile.TemporaryDirectory(prefix="simonides-bench-") as folder:
        answers = tuple(_conversation(task.conversation, plan, task.misplaced, Path(folder)))
    seconds = time.process_time() - started
    if reader is None:
        return Done(answers, b"", 0, 0, seconds)
    now = reader.read_now, reader.from_cache
    return Done(answers, reader.fresh(), now[0] - before[0], now[1] - before[1], seconds)


@lru_cache(maxsize=1)
def _reader(settings: Settings, cache: Path | None) -> CachedReader:
    """Return the worker's model, loaded once."""
    return CachedReader(models.open_reader(settings), cache, borrowed=True)


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
