"""Hold an answer against the gold one: token F1 and exact match, as question answering counts them; knows no set."""

from __future__ import annotations

import math
import re
from collections import Counter

from simonides.errors import InputError
from simonides.parts.analyse import fold

_ARTICLES = re.compile(r"\b(?:a|an|the|and)\b")
_SIGNS = re.compile(r"[^\w\s]")


def tokens(text: str) -> list[str]:
    """Return the words of an answer in small letters, without signs, articles and "and"."""
    return _ARTICLES.sub(" ", _SIGNS.sub("", fold(text))).split()


def token_f1(said: str, gold: str) -> float:
    """Return the harmonic mean of precision and recall over words; 1.0 where both are empty."""
    mine, theirs = tokens(said), tokens(gold)
    shared = sum((Counter(mine) & Counter(theirs)).values())
    if not mine or not theirs:
        return float(mine == theirs)
    return 2 * shared / (len(mine) + len(theirs))


def exact(said: str, gold: str) -> float:
    """Return 1.0 where both are the same words in the same order, else 0.0."""
    return float(tokens(said) == tokens(gold))


def wilson(right: int, asked: int, *, z: float = 1.96) -> tuple[float, float]:
    """Return the interval of Wilson (1927) for a share; (0, 1) where nothing was asked.

    Args:
        z: how many standard errors: 1.96 for 95 %.
    """
    if not 0 <= right <= asked:
        raise InputError("right", "must be between 0 and what was asked", f"{right} of {asked}")
    if asked == 0:
        return 0.0, 1.0
    share, extra = right / asked, z * z / asked
    middle = share + extra / 2
    spread = z * math.sqrt(share * (1 - share) / asked + extra / (4 * asked))
    return max(0.0, (middle - spread) / (1 + extra)), min(1.0, (middle + spread) / (1 + extra))
