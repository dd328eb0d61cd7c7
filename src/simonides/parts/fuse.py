"""Sum signals into the chance of being evidence; knows no store and no text, only named numbers.

The weights are few, named and shipped as JSON: fitted offline by `scripts/fit_fusion.py` (a listwise softmax over each
question's candidates, then Platt scaling), or set by hand. A sum of shares is what makes a hit explainable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from simonides.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

GROUPS = {
    "words": "words",
    "coverage": "words",
    "words_asked": "neighbours",
    "words_before": "neighbours",
    "words_after": "neighbours",
    "full_asked": "neighbours",
    "full_before": "neighbours",
    "static": "meaning",
    "full": "meaning",
    "full_level": "meaning",
    "pooled": "meaning",
    "named": "speaker",
    "user": "speaker",
    "assistant": "speaker",
    "user_wanted": "speaker",
    "assistant_wanted": "speaker",
    "date": "date",
    "question": "form",
    "question_to_machine": "form",
    "length": "form",
    "crowd": "form",
}
"""Under which share of a hit each signal is shown."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights for one tier.

    Attributes:
        weights: log-odds per unit of each signal; a signal that is not named counts nothing.
        bias: log-odds of a candidate whose signals are all 0.
        gate_weights: log-odds per unit of each fact of `gate_facts`; "bias" among them.
        threshold: chance of an answer below which a search returns nothing.
    """

    weights: Mapping[str, float]
    bias: float
    gate_weights: Mapping[str, float]
    threshold: float

    def logits(self, signals: Mapping[str, Floats]) -> Floats:
        """Return the log-odds of each candidate."""
        size = len(next(iter(signals.values())))
        total = np.full(size, self.bias, np.float32)
        for name, values in signals.items():
            weight = self.weights.get(name, 0.0)
            if weight:
                total += weight * values
        return total

    def shares(self, signals: Mapping[str, Floats], candidate: int) -> dict[str, float]:
        """Return what each group of signals adds to one candidate's log-odds; they sum, with the bias, to its logit."""
        shares: dict[str, float] = {}
        for name, values in signals.items():
            weight = self.weights.get(name, 0.0)
            if weight:
                group = GROUPS.get(name, name)
                shares[group] = shares.get(group, 0.0) + weight * float(values[candidate])
        return shares

    def gate(self, facts: Mapping[str, float]) -> float:
        """Return the chance that the store holds an answer at all, in [0, 1]."""
        total = self.gate_weights.get("bias", 0.0)
        total += sum(self.gate_weights.get(name, 0.0) * value for name, value in facts.items())
        return chance(np.float32(total))


def chance(logit: np.float32) -> float:
    """Return the probability of log-odds."""
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Fusion]:
    text = resources.files("simonides").joinpath("data/fusion.json").read_text(encoding="utf-8")
    return {
        name: Fusion(entry["weights"], entry["bias"], entry["gate"], entry["threshold"])
        for name, entry in json.loads(text)["tiers"].items()
    }


def fusion(name: str) -> Fusion:
    """Return shipped weights by name: ``<learned|hand>-<full|pooled|instant|off>``."""
    shipped = _shipped()
    if name not in shipped:
        raise UnknownName("fusion", name, shipped)
    return shipped[name]
