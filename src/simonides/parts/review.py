"""Tell duplicates and contradictions by written rules over two texts; knows no store, no index and no model.

Likeness alone is never a contradiction. Two statements contradict each other when one is the other's negation, or when
they are the same sentence but for one slot that holds one value only: where somebody lives, what something is called,
when it starts, what it costs. Everything else may be true twice ("I like tea", "I like coffee"). The rules for
contradictions are English; duplicates are found in any language. Junk is told by `parts.small_talk`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from simonides.clock import Span
from simonides.errors import NotFound
from simonides.parts.analyse import STOPS, fold, stems
from simonides.parts.claims import claims, rivals
from simonides.types import Doubt, Kind, Memory

WHYS = ("duplicate", "contradiction", "similar", "junk")
WHOLE_ID = 32
"""Digits of a memory's id."""
MOST = 6
"""Memories that stand in one doubt; what else is like them is asked about after it is settled."""
APART = "distinct-from"
"""The relation of two memories that were looked at and are both kept."""
INTO = "merged-into"
"""The relation of a memory that was merged to the one that stayed."""
DOUBTS = "in-doubt-with"
"""The relation of a memory to an older one that it may contradict."""
KEPT = "reviewed"
"""The attribute of a memory that looked like junk and is kept."""
NEAR = 0.8
"""Share of words that similar texts have in common."""
ENOUGH = 60
"""Words of a text in which one may stand in place of another and nearly the same is said."""
VERBATIM = (Kind.TURN, Kind.DOCUMENT)
UNASKED = frozenset({Kind.ENTITY, Kind.BLOCK, Kind.SKILL, Kind.ARTIFACT})
"""Kinds that are never in doubt: names of things, and what is edited as a whole."""
LONGEST = 40
"""Words of a sentence that is compared with another for a contradiction."""

_DIGITS = frozenset("0123456789abcdefABCDEF")
_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*[^\W\d_]*|[^\W_]+(?:['\u2019][^\W_]+)*|[^\w\s]|_")
_IDLE = frozenset(".,;:!\"'()\u2026\u201c\u201d\u2018\u2019*_~`-\u2013\u2014")
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bMrs\.)(?<!\bSt\.)(?<!\bvs\.)\s+|\n+"
)

_PASSING = frozenset(
    "today yesterday tomorrow tonight later soon earlier recently just ago now again last next this".split()
)
"""Words by which the same sentence means something else on another day."""
_HEDGES = frozenset(
    "if would could might may maybe perhaps possibly wish imagine suppose hypothetically example e.g whether should "
    "probably almost about around roughly approximately or either sometimes".split()
)
_NOT = frozenset("not never no longer cannot n't neither nor without hardly".split())
_DO = frozenset("do does did have has will 'll any at all really actually".split())
_LIGHT = frozenset(
    "sure know think worry worried mean care mind problem right wrong good bad okay ok fine matter yet ready idea "
    "remember forget understand see say tell believe want need seem look feel too also still that this it".split()
)
_STATES = frozenset(
    "is are am 's 're 'm has have costs cost weighs weigh takes take starts start begins ends opens open closes close "
    "runs lasts contains holds seats sits equals expires lives needs requires".split()
)
_ARTICLES = frozenset("a an the my our".split())
_MONTHS = frozenset(
    "january february march april may june july august september october november december jan feb mar apr jun jul "
    "aug sep sept oct nov dec".split()
)
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_NUMBERS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million first second "
    "third fourth fifth sixth seventh eighth ninth tenth".split()
)
_UNITS = frozenset("am pm $ \u20ac \u00a3 % st nd rd th o'clock".split())
_COLOURS = frozenset("red blue green yellow black white brown grey gray orange purple pink silver".split())
_PLACED = re.compile(r"\b(?:lives?|living|reside[sd]?|based|located|headquartered|born) (?:in|at|on)$")
_JOB = re.compile(r"\b(?:works?|working|employed) (?:at|for|as|in)$")
_CALLED = re.compile(r"\b(?:name|names) (?:is|'s)$|\b(?:is|was|am|are|'s) (?:called|named)$")
_MARRIED = re.compile(r"\b(?:married|engaged) to$")
_FAVOURITE = re.compile(r"\bfavou?rite (?:\w+ ){1,4}(?:is|'s)$")
_ONE = re.compile(
    r"^(?:my|our|your|his|her|their|its|the|[\w ]{1,30}'s) (?:[\w'-]+ ){1,5}(?:is|'s)(?: (?:at|on|in|by|for|due))?$"
)
_FRAMES = (_PLACED, _JOB, _CALLED, _MARRIED, _FAVOURITE)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a sentence, folded, and whether it is written with a capital."""

    word: str
    proper: bool


@lru_cache(maxsize=4096)
def normal(text: str) -> str:
    """Return what two texts must have in common to be duplicates: words, numbers and signs; no case, no full stops."""
    return " ".join(part for part in _TOKEN.findall(fold(text)) if part not in _IDLE)


def doubt_id(why: str, ids: Sequence[str]) -> str:
    """Return the id of a doubt: it says what is in doubt, so that it is the same in every process and every copy."""
    return "-".join((why, *ids))


def members(doubt: str) -> tuple[str, list[str]]:
    """Return why, and the ids (or ends of ids) of the memories of a doubt.

    Raises:
        NotFound: it is no id of a doubt.
    """
    why, *ids = doubt.strip().split("-")
    if (
        not all(id and set(id) <= _DIGITS for id in ids)
        or why not in WHYS
        or not (len(ids) == 1 if why == "junk" else 2 <= len(ids) <= MOST)
    ):
        raise no_doubt(doubt)
    return why, ids


def no_doubt(doubt: str) -> NotFound:
    """Return the error for what is no doubt, or is none any more."""
    way_out = "`review` lists what there is; settled and changed memories leave it."
    return NotFound(f"doubt {doubt}", "nothing like that is in doubt", "", way_out)


def comparable(one: Memory, other: Memory) -> bool:
    """Tell whether two memories could be about the same: same person, same project, neither quotes the other."""
    if one.kind in UNASKED or other.kind in UNASKED or not _overlap(one.valid, other.valid):
        return False
    if (one.kind in VERBATIM or other.kind in VERBATIM) and one.kind != other.kind:
        return False
    mine, theirs = one.scope, other.scope
    if (mine.user, mine.agent, mine.project) != (theirs.user, theirs.agent, theirs.project):
        return False
    cited = {each.source.memory for each in (one, other) if each.source is not None}
    return one.speaker == other.speaker and not cited & {one.id, other.id}


def _overlap(one: Span, other: Span) -> bool:
    return (other.end is None or one.start < other.end) and (one.end is None or other.start < one.end)


def same_text(one: Memory, other: Memory) -> bool:
    """Tell whether two comparable memories say the same in the same words, of the same day where that matters."""
    return normal(one.text) == normal(other.text) and not _of_its_day(one, other)


def _of_its_day(one: Memory, other: Memory) -> bool:
    words = _TOKEN.findall(fold(one.text))
    return one.at.date() != other.at.date() and bool(_PASSING.intersection(words))


def judged(one: Memory, other: Memory) -> Doubt | None:
    """Return what is in doubt between two memories, None if nothing is."""
    if not comparable(one, other):
        return None
    older, newer = sorted((one, other), key=lambda each: (each.at, each.id))
    if same_text(older, newer):
        return duplicate((older, newer))
    if reason := contradiction(older, newer):
        told = f"{reason}; the older of {older.at:%Y-%m-%d} may be stale"
        return _doubt("contradiction", (newer, older), 0.8, told)
    share = likeness(older, newer)
    if share >= NEAR:
        longer, shorter = (newer, older) if len(newer.text) > len(older.text) else (older, newer)
        return _doubt("similar", (longer, shorter), share, f"{share:.0%} of the words are the same")
    return None


def duplicate(same: Sequence[Memory]) -> Doubt:
    """Return the doubt of memories with the same text; the oldest comes first, and would be kept."""
    first, *rest = sorted(same, key=lambda each: (each.at, each.id))
    return _doubt("duplicate", (first, *rest[-(MOST - 1) :]), 1.0, f"the same text {len(same)} times")


def junk_doubt(memory: Memory, what: str) -> Doubt:
    """Return the doubt of one memory that is small talk."""
    return _doubt("junk", (memory,), 1.0, f"{what}, and nothing else")


def doubted(one: Memory, other: Memory, reason: str) -> Doubt | None:
    """Return the doubt of two memories of which whoever derived the later one could not say whether both are true."""
    if not comparable(one, other):
        return None
    older, newer = sorted((one, other), key=lambda each: (each.at, each.id))
    return _doubt("contradiction", (newer, older), 0.5, reason)


def _doubt(why: str, memories: Sequence[Memory], score: float, reason: str) -> Doubt:
    return Doubt(doubt_id(why, [each.id for each in memories]), why, tuple(memories), round(score, 3), reason)


def likeness(one: Memory, other: Memory) -> float:
    """Return the share of words and pairs of words that two texts have in common; 0 where what differs matters."""
    short, long = sorted((len(one.text), len(other.text)))
    if short < NEAR * NEAR * long:
        return 0.0
    mine, theirs = _bag(one.text), _bag(other.text)
    share = len(mine & theirs) / max(1, len(mine | theirs))
    if share < NEAR or _of_its_day(one, other):
        return 0.0
    words = [Counter(normal(each.text).split()) for each in (one, other)]
    only = set(words[0] - words[1]), set(words[1] - words[0])
    if _weighty(only[0] | only[1]) or _names(one.text) ^ _names(other.text):
        return 0.0
    if words[0].total() < ENOUGH and _replaced(*only):
        return 0.0
    return share


def _replaced(mine: set[str], theirs: set[str]) -> bool:
    """Tell whether words that carry meaning stand in place of others, and are no other form of them."""
    first, second = ({*stems(word for word in words if word not in STOPS)} for words in (mine, theirs))
    return bool(first - second) and bool(second - first)


@lru_cache(maxsize=4096)
def _bag(text: str) -> frozenset[str | tuple[str, str]]:
    """Return the words and the pairs of words of a text; of a short one nothing, it is the same or it is not."""
    words = normal(text).split()
    return frozenset((*words, *pairwise(words))) if len(words) >= 5 else frozenset()


def _weighty(words: set[str]) -> bool:
    """Tell whether words change what a sentence says: numbers, days, negations."""
    return any(w[0].isdigit() or w in _NOT or w.endswith("n't") or _is_quantity(w) for w in words)


def _names(text: str) -> set[str]:
    """Return the words that are written with a capital, not at the start of a sentence."""
    found: set[str] = set()
    for sentence in _SENTENCE.split(text):
        found |= {token.word for token in tokens(sentence)[1:] if token.proper}
    return found


# Contradictions


def contradiction(older: Memory, newer: Memory) -> str:
    """Return why two statements cannot both be true, or an empty string."""
    if reason := rivals(claims(older.text), claims(newer.text)):
        return reason
    mine, theirs = _statements(older.text), _statements(newer.text)
    if not mine or not theirs:
        return ""
    apart = newer.at.date() != older.at.date()
    for one in mine:
        for other in theirs:
            if reason := clash(one, other, apart=apart):
                return reason
    return ""


@lru_cache(maxsize=4096)
def _statements(text: str) -> list[list[Token]]:
    """Return the sentences that state something; none of a long text, a question or what is only supposed."""
    if len(text) > 600 or "?" in text or "```" in text:
        return []
    split = [tokens(sentence) for sentence in _SENTENCE.split(text) if sentence.strip()]
    if len(split) > 4:
        return []
    return [one for one in split if 3 <= len(one) <= LONGEST and not _HEDGES & {t.word for t in one}]


def tokens(sentence: str) -> list[Token]:
    """Return the words of a sentence; "don't" is "do not", "I'm" is "I am"."""
    found: list[Token] = []
    for raw in _TOKEN.findall(sentence.replace("\u2019", "'")):
        if raw in _IDLE:
            continue
        proper = raw[0].isupper() and raw not in ("I", "I'm", "I've", "I'll", "I'd")
        word = fold(raw)
        if word.endswith("n't"):
            stem = {"ca": "can", "wo": "will"}.get(word[:-3], word[:-3])
            found += [Token(stem, False), Token("not", False)]
        elif word.endswith(("'m", "'re", "'ve", "'ll")) or word in ("it's", "that's", "he's", "she's"):
            head, _, tail = word.partition("'")
            verb = {"m": "am", "re": "are", "ve": "have", "ll": "will", "s": "is"}[tail]
            found += [Token(head, proper), Token(verb, False)]
        else:
            found.append(Token(word, proper))
    return found


def clash(one: Sequence[Token], other: Sequence[Token], *, apart: bool = False) -> str:
    """Return why two sentences cannot both be true, or an empty string.

    Args:
        one, other: sentences as `tokens` reads them.
        apart: they were said on different days, so that "today" means two days.
    """
    if apart and _PASSING & {token.word for token in (*one, *other)}:
        return ""
    return _negated(one, other) or _valued(one, other)


def _negated(one: Sequence[Token], other: Sequence[Token]) -> str:
    mine, theirs = ([t.word for t in words] for words in (one, other))
    odd = [sum(word in _NOT - {"longer"} for word in words) % 2 for words in (mine, theirs)]
    if odd[0] == odd[1]:
        return ""
    bare = [stems(w for w in words if w not in _NOT and w not in _DO) for words in (mine, theirs)]
    if bare[0] != bare[1]:
        return ""
    weight = [w for w in mine if w not in STOPS and w not in _LIGHT and w not in _NOT and w not in _DO]
    return "one denies what the other says" if len(set(weight)) >= 2 else ""


def _valued(one: Sequence[Token], other: Sequence[Token]) -> str:
    start, end = _common(one, other), 0
    short = min(len(one), len(other)) - start
    while end < short and one[-1 - end].word == other[-1 - end].word:
        end += 1
    mine, theirs = one[start : len(one) - end], other[start : len(other) - end]
    if not mine or not theirs or max(len(mine), len(theirs)) > 4:
        return ""
    before, after = [t.word for t in one[:start]], [t.word for t in one[len(one) - end :]]
    while before and before[-1] in _ARTICLES and len(before) > 1:
        before.pop()
    mine, theirs = ([t for t in part if t.word not in _ARTICLES] for part in (mine, theirs))
    if not mine or not theirs:
        return ""
    if _NOT & {t.word for t in (*mine, *theirs)} or _NOT & {*before, *after}:
        return ""
    if not [w for w in (*before, *after) if w not in STOPS]:
        return ""
    return _slot(" ".join(before), {*before, *after}, mine, theirs, follows=bool(after))


def _common(one: Sequence[Token], other: Sequence[Token]) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine.word != theirs.word:
            return count
        count += 1
    return count


def _slot(
    before: str, frame: set[str], mine: Sequence[Token], theirs: Sequence[Token], *, follows: bool
) -> str:
    """Return which slot holds two values, or an empty string for one that may hold many."""
    values = f"{_words(mine)} or {_words(theirs)}"
    if all(_quantity(part) for part in (mine, theirs)):
        return f"two values for the same: {values}" if frame & _STATES and _same_sort(mine, theirs) else ""
    if any(_quantity(part) for part in (mine, theirs)):
        return ""
    if any(pattern.search(before) for pattern in _FRAMES) and not follows:
        return f"two values where one is true: {values}"
    if _ONE.search(before) and not follows and _one_of_a_kind(mine) and _one_of_a_kind(theirs):
        return f"two values where one is true: {values}"
    return ""


def _words(part: Sequence[Token]) -> str:
    return " ".join(token.word for token in part)


def _quantity(part: Sequence[Token]) -> bool:
    words = [token.word for token in part]
    return any(w[0].isdigit() or w in _NUMBERS or w in _DAYS or w in _MONTHS for w in words) and all(
        _is_quantity(w) or w in ("of", "and", "th", "at") for w in words
    )


def _is_quantity(word: str) -> bool:
    return word[0].isdigit() or word in _NUMBERS or word in _DAYS or word in _MONTHS or word in _UNITS


def _same_sort(mine: Sequence[Token], theirs: Sequence[Token]) -> bool:
    sorts = [
        {
            "day" if t.word in _DAYS else "month" if t.word in _MONTHS else "number"
            for t in part
            if t.word not in _UNITS
        }
        for part in (mine, theirs)
    ]
    return bool(sorts[0] & sorts[1])


def _one_of_a_kind(part: Sequence[Token]) -> bool:
    return all(token.proper for token in part) or all(token.word in _COLOURS for token in part)
