"""Answer a question from the index: read it, retrieve, fuse, gate and order; loads no text and writes nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from simonides.clock import micros
from simonides.errors import BudgetSpent, ModelMismatch
from simonides.parts import fuse, signals
from simonides.parts.models import read_question
from simonides.parts.query import Question, read
from simonides.parts.retrieve import Candidates, retrieve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from simonides.ledger.index import Believed, Index
    from simonides.parts.embed import Reader, States
    from simonides.settings import Settings

    Floats = NDArray[np.float32]

READ = 2000
"""Characters of a question that the full tier reads: each of its tokens is compared with each of every candidate."""
REMEMBERED = 128
"""Questions whose token states are kept, so that asking again costs nothing."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates of one question, best first.

    Attributes:
        rows: version rows of the store.
        logits: calibrated log-odds of being evidence.
        shares: gives what each group of signals adds to the candidate at a place.
        answerable: the chance that the store holds an answer at all, in [0, 1].
        threshold: the chance below which nothing fits.
    """

    question: Question
    rows: NDArray[np.int64]
    logits: Floats
    shares: Callable[[int], dict[str, float]]
    answerable: float
    threshold: float
    considered: int
    took: Mapping[str, float]


class Recall:
    """Searches one index with one reader; safe for several threads."""

    def __init__(
        self, index: Index, reader: Reader | None, settings: Settings, fusion: fuse.Fusion | None = None
    ) -> None:
        self._fusion = fusion
        self._index = index
        self._reader = reader
        self._settings = settings
        self._states: OrderedDict[str, States] = OrderedDict()
        self._lock = Lock()

    @property
    def index(self) -> Index:
        """What it searches; to be read under its lock."""
        return self._index

    def ask(self, query: str, scope: dict[str, str], believed: Believed, now: datetime) -> Ranked:
        """Return the candidates for a query, best first."""
        started = time.perf_counter()
        question, found = self.measure(query, scope, believed, now)
        ranked = self.rank(question, found)
        return replace(ranked, took={**found.took, "all": (time.perf_counter() - started) * 1000})

    def measure(
        self, query: str, scope: dict[str, str], believed: Believed, now: datetime
    ) -> tuple[Question, Candidates]:
        """Return the question as read and the candidates as measured, before any weight; for fitting and benchmarks."""
        started = time.perf_counter()
        question = read(query, now)
        self._index.follow()
        states = self.states(query)
        reading = (time.perf_counter() - started) * 1000
        with self._index.lock:
            self._index.follow_on()  # another thread may just have let the index start anew
            usable = self._index.usable(scope, believed, micros(now))
            meaning = self._settings.meaning != "off"
            try:
                found = retrieve(self._index, question, usable, states, meaning=meaning)
            except (IndexError, ValueError):  # a damaged cache, found out: the store is well
                if not self._index.distrust():
                    raise
                usable = self._index.usable(scope, believed, micros(now))
                found = retrieve(self._index, question, usable, states, meaning=meaning)
        return question, replace(found, took={"question": reading, **found.took})

    def close(self) -> None:
        """Save the index if that is worth it, and wait for it."""
        self._index.close()

    def states(self, query: str) -> States | None:
        """Return what the full tier makes of a query; None where it is off or has read no memory yet."""
        if self._index.vectors is None or not len(self._index.vectors):
            return None
        return self._read(query[:READ])

    def _tier(self, found: Candidates) -> str:
        if self._settings.meaning == "off":
            return "off"
        if found.measured.full is not None:
            return "full"
        return "pooled" if found.measured.pooled is not None else "instant"

    def _read(self, query: str) -> States | None:
        if self._reader is None:
            return None
        with self._lock:
            if query in self._states:
                self._states.move_to_end(query)
                return self._states[query]
        try:
            states = read_question(self._reader, query)
        except (
            BudgetSpent,
            ModelMismatch,
        ):  # words and the instant tier answer; `explain` and `doctor` say so
            return None
        with self._lock:
            self._states[query] = states
            if len(self._states) > REMEMBERED:
                self._states.popitem(last=False)
        return states

    def rank(self, question: Question, found: Candidates) -> Ranked:
        """Return candidates as measured in order, with what their places come from."""
        weights = self._fusion or fuse.fusion(f"{self._settings.fusion}-{self._tier(found)}")
        took = found.took
        threshold = weights.threshold if self._settings.gate < 0 else self._settings.gate
        if not len(found.rows):
            nothing = np.zeros(0, np.float32)
            return Ranked(
                question, found.rows, nothing, lambda place: {}, 0.0, threshold, found.considered, took
            )
        named = signals.signals(found.measured)
        logits = weights.logits(named)
        order = np.argsort(-logits, kind="stable")
        chance = weights.gate(gate_facts(found, named, logits, order, len(question.terms)))
        return Ranked(
            question,
            found.rows[order],
            logits[order],
            lambda place: weights.shares(named, int(order[place])),
            chance,
            threshold,
            found.considered,
            took,
        )


def gate_facts(
    found: Candidates, named: Mapping[str, Floats], logits: Floats, order: NDArray[np.int64], terms: int
) -> dict[str, float]:
    """Return what the refusal gate looks at: how well the best three fit, and how much of the question they hold."""
    measured = found.measured
    first, best = order[0], order[:3]
    full = measured.static if measured.full is None else np.nan_to_num(measured.full)
    return {
        "top": float(logits[first]),
        "meaning": float(full[best].max()),
        "static": float(measured.static[best].max()),
        "pooled": 0.0 if measured.pooled is None else float(np.nan_to_num(measured.pooled)[best].max()),
        "coverage": float(measured.coverage[best].max()),
        "spoke": float(named["named"][first]),
        "dated": float(named["date"][first]),
        "user": float(named["user_wanted"][first]),
        "crowd": float(np.log1p(found.considered)),
        "terms": float(np.log1p(terms)),
    }
