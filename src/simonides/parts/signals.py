"""Turn what the channels measured into comparable signals, by name; knows no store, no model and no weights.

A signal is either standardised over the candidates of one question (mean 0, deviation 1, so that BM25 and cosines can
be added) or a plain fact (spoken by the person named: 1). What the turns beside a turn say counts only where people
talk to each other: beside an assistant's long answers it misleads (docs/log.md). Scores that are a maximum over a
text's tokens grow with its length; that trend is taken out before they are compared, because it carries no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


FILL = 10
"""How many imaginary memories a small store is filled up with."""
USUAL = {"words": (0.04, 0.08), "static": (0.06, 0.09), "full": (0.15, 0.055), "pooled": (0.15, 0.11)}
"""Mean and deviation of what channels say of memories in general; between what LongMemEval and Letta show."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the channels say of the candidates; every array has one entry per candidate.

    Attributes:
        words: BM25 over the summed weight of the question's terms.
        coverage: share of the question's term weight that the text holds, in [0, 1].
        static: static-token MaxSim, in [0, 1].
        full: MiniLM MaxSim, in [0, 1]; None where that tier is off. NaN where a memory has no codes yet.
        pooled: cosine of pooled vectors; None where there are none. NaN where a memory has none yet.
        words_before, words_after, full_before: the same of the turns beside it; 0 without one.
        replies: the turn before is a question from somebody else.
        people: the turn stands in a talk between people.
        named: spoken by a person the question names (1), by another (-1), or nobody is named (0).
        user, assistant: who spoke, as 0 or 1.
        wants_user, wants_assistant: whose words the question asks for.
        asks: the text is itself a question.
        length: logarithm of one plus its number of words.
        date: how near it was said to a date in the question, in [0, 1].
    """

    words: Floats
    coverage: Floats
    static: Floats
    full: Floats | None
    pooled: Floats | None
    words_before: Floats
    words_after: Floats
    full_before: Floats
    replies: Floats
    people: Floats
    named: Floats
    user: Floats
    assistant: Floats
    wants_user: bool
    wants_assistant: bool
    asks: Floats
    length: Floats
    date: Floats


def signals(measured: Measured) -> Mapping[str, Floats]:
    """Return the named signals of the candidates, in a fixed order.

    `crowd`, how many candidates there are, is the same for all of them: it orders nothing, and it helps to tell how
    likely the best of few is evidence.
    """
    m = measured
    reply, other = m.people * m.replies, m.people * (1 - m.replies)
    found: dict[str, Floats] = {
        "words": standard(m.words, USUAL["words"]),
        "coverage": m.coverage,
        "words_asked": standard(reply * m.words_before),
        "words_before": standard(other * m.words_before),
        "words_after": standard(m.people * m.words_after),
        "static": standard(without_trend(m.static, m.length), USUAL["static"]),
    }
    if m.full is not None:
        full = np.where(np.isnan(m.full), _like(m.static, m.full), m.full)
        found["full"] = standard(without_trend(full, m.length), USUAL["full"])
        found["full_level"] = np.clip(full, 0, 1)
        found["full_asked"] = standard(reply * m.full_before)
        found["full_before"] = standard(other * m.full_before)
    if m.pooled is not None:
        pooled = np.where(np.isnan(m.pooled), _like(m.static, m.pooled), m.pooled)
        found["pooled"] = standard(pooled, USUAL["pooled"])
    found["named"] = m.named
    found["user"] = m.user
    found["assistant"] = m.assistant
    found["user_wanted"] = m.user * m.wants_user
    found["assistant_wanted"] = m.assistant * m.wants_assistant
    found["date"] = m.date
    found["question"] = m.asks * m.people
    found["question_to_machine"] = m.asks * (1 - m.people)
    found["length"] = m.length
    found["crowd"] = np.full_like(m.length, np.log1p(len(m.length)))
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def standard(values: Floats, usual: tuple[float, float] | None = None) -> Floats:
    """Return values in deviations from their mean; all 0 when they are all alike.

    With `usual`, the mean and deviation of memories that have nothing to do with a question, a store of few memories
    is filled up with `FILL` such ones: otherwise the only memory of a store would always be its average.
    """
    if not len(values):
        return values
    mean, variance = float(values.mean()), float(values.var())
    if usual is not None:
        known = len(values) / (len(values) + FILL)
        between = (mean - usual[0]) ** 2 * known * (1 - known)
        mean = known * mean + (1 - known) * usual[0]
        variance = known * variance + (1 - known) * usual[1] ** 2 + between
    spread = variance**0.5
    return (values - mean) / spread if spread > 1e-6 else np.zeros_like(values)


def without_trend(values: Floats, length: Floats) -> Floats:
    """Return values minus what their length explains (least squares); a negative trend is left alone.

    The trend is shrunk as if there were `FILL` more memories without one: two memories always lie on a line.
    """
    if not len(values):
        return values
    centred = length - length.mean()
    slope = float((centred * (values - values.mean())).sum()) / (float((centred * centred).sum()) + FILL)
    return values - max(slope, 0.0) * centred


def _like(source: Floats, target: Floats) -> Floats:
    """Return `source` moved and stretched to the known values of `target`, to stand in where those are missing."""
    known = ~np.isnan(target)
    if known.sum() < 2 or source[known].std() < 1e-6:
        return np.full_like(source, np.nanmean(target) if known.any() else 0.0)
    scaled = (source - source[known].mean()) / source[known].std()
    return np.nanmean(target) + scaled * np.nanstd(target)
