"""Turn what the channels measured into comparable signals, by name; knows no store, no model and no weights.

A signal is either standardised over the candidates of one question (mean 0, deviation 1, so that BM25 and cosines can
be added) or a plain fact (spoken by the person named: 1). Scores that are a maximum over a text's tokens grow with
its length; that trend is taken out before they are compared, because it carries no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

ANSWER_TO_QUESTION, ANSWER_TO_OTHER = 0.7, 0.3
"""How much of the words score of the turn before counts for a turn, where people talk: if that turn was a question
from somebody else, and otherwise. Measured on LoCoMo and RealTalk; does not help beside an assistant."""
MEANING_TO_QUESTION, MEANING_TO_OTHER = 0.3, 0.1
"""The same for meaning, which already reads the turn before."""
NEXT_WORDS = 0.1
"""How much of the words score of the turn after counts."""


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
    """Return the named signals of the candidates, in a fixed order."""
    m = measured
    beside = m.people * (m.words_before * _either(m.replies, ANSWER_TO_QUESTION, ANSWER_TO_OTHER))
    beside = beside + m.people * NEXT_WORDS * m.words_after
    found: dict[str, Floats] = {
        "words": standard(m.words + beside),
        "coverage": m.coverage,
        "static": standard(without_trend(m.static, m.length)),
    }
    if m.full is not None:
        stand_in = np.isnan(m.full)
        full = np.where(stand_in, _like(m.static, m.full), m.full)
        full = full + m.people * m.full_before * _either(m.replies, MEANING_TO_QUESTION, MEANING_TO_OTHER)
        found["full"] = standard(without_trend(full, m.length))
        found["full_level"] = np.where(stand_in, 0.0, full)
    if m.pooled is not None:
        pooled = np.where(np.isnan(m.pooled), _like(m.static, m.pooled), m.pooled)
        found["pooled"] = standard(pooled)
    found["named"] = m.named
    found["user"] = m.user
    found["assistant"] = m.assistant
    found["user_wanted"] = m.user * m.wants_user
    found["assistant_wanted"] = m.assistant * m.wants_assistant
    found["date"] = m.date
    found["question"] = m.asks * m.people
    found["question_to_machine"] = m.asks * (1 - m.people)
    found["length"] = m.length
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def standard(values: Floats) -> Floats:
    """Return values with mean 0 and deviation 1; all 0 when they are all alike."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-6 else np.zeros_like(values)


def without_trend(values: Floats, length: Floats) -> Floats:
    """Return values minus what their length explains (least squares); a negative trend is left alone."""
    centred = length - length.mean()
    variance = float((centred * centred).mean())
    if variance < 1e-6:
        return values
    slope = float((centred * (values - values.mean())).mean()) / variance
    return values - max(slope, 0.0) * centred


def _either(flag: Floats, yes: float, no: float) -> Floats:
    return np.where(flag > 0, yes, no).astype(np.float32)


def _like(source: Floats, target: Floats) -> Floats:
    """Return `source` moved and stretched to the known values of `target`, to stand in where those are missing."""
    known = ~np.isnan(target)
    if known.sum() < 2 or source[known].std() < 1e-6:
        return np.full_like(source, np.nanmean(target) if known.any() else 0.0)
    scaled = (source - source[known].mean()) / source[known].std()
    return np.nanmean(target) + scaled * np.nanstd(target)
