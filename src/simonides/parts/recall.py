"""Answer a question from the index: read it, retrieve, fuse, gate and order; loads no text and writes nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
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
    from simonides.parts.signals import Measured
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
        scores = _scores(found, weights)
        logits, shares = scores.logits, scores.shares
        unread = None if self._fusion is not None else _unread(found.measured)
        instant = None
        if unread is not None:
            # What the full tier has not read yet is judged as in a store without that tier: both chances are
            # calibrated, and stand-ins for what it would say hide what was written a moment ago (docs/log.md).
            plain = replace(found, measured=as_instant(found.measured))
            instant = _scores(plain, fuse.fusion(f"{self._settings.fusion}-instant"))
            logits = np.where(unread, instant.logits, logits)
            shares = partial(_shares_of, scores, instant, unread)
        order = np.argsort(-logits, kind="stable")
        judge = instant if instant is not None and unread is not None and unread[order[0]] else scores
        if judge is instant and self._settings.gate < 0:
            threshold = judge.weights.threshold
        return Ranked(
            question,
            found.rows[order],
            logits[order],
            lambda place: shares(int(order[place])),
            judge.gate(order, len(question.terms)),
            threshold,
            found.considered,
            took,
        )


@dataclass(frozen=True, slots=True)
class _Scores:
    """Candidates under the weights of one tier."""

    found: Candidates
    weights: fuse.Fusion
    named: Mapping[str, Floats]
    logits: Floats

    def shares(self, candidate: int) -> dict[str, float]:
        return self.weights.shares(self.named, candidate)

    def gate(self, order: NDArray[np.int64], terms: int) -> float:
        return self.weights.gate(gate_facts(self.found, self.named, self.logits, order, terms))


def _shares_of(
    full: _Scores, instant: _Scores, unread: NDArray[np.bool_], candidate: int
) -> dict[str, float]:
    return (instant if unread[candidate] else full).shares(candidate)


def _scores(found: Candidates, weights: fuse.Fusion) -> _Scores:
    named = signals.signals(found.measured)
    return _Scores(found, weights, named, weights.logits(named))


def _unread(measured: Measured) -> NDArray[np.bool_] | None:
    """Return which candidates the full tier has not read; None when it has read all, or none."""
    read = measured.pooled if measured.full is None else measured.full
    unread = None if read is None else np.isnan(read)
    return unread if unread is not None and unread.any() else None


def as_instant(measured: Measured) -> Measured:
    """Return what the instant tier alone would have measured."""
    return replace(measured, full=None, pooled=None, full_before=np.zeros_like(measured.static))


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
