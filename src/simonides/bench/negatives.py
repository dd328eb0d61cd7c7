"""Makes questions a store cannot answer, by asking them of another one; knows no metric."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from simonides.bench.cases import Conversation, Question
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

SEED = 7
SHORTEST_SHORT_NAME = 3
"""Letters a short form of a name must have to be taken for it: Mel for Melanie, not Me."""

_MOMENT = timedelta(microseconds=1)
_GENERIC = frozenset({"user", "assistant", "system", ""})


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A question with the conversation to ask it of, and the one it was made for."""

    question: Question
    asked_of: str
    made_for: str


def misplace(conversations: Sequence[Conversation], seed: int = SEED) -> tuple[Misplaced, ...]:
    """Return each answerable question with evidence, asked of another store; one for each.

    Persons' names are replaced by names of that store; the mapping is drawn per question. Where
    there are none (user and assistant), the text stays. The store is drawn among the others, so
    that it neither holds the text of an evidence turn, nor of a stale one, nor is asked the
    resulting question itself. The question is asked where it sees the same share of that store as
    it did of its own, so that the size of the store does not tell right from misplaced.

    A store may by chance answer a question as broad as "What are her hobbies?"; the labels are
    therefore not free of error, and a perfect separation is not to be expected.
    """
    if len(conversations) < 2:
        raise InputError("negatives", "need two conversations at least", len(conversations))
    texts = [{_plain(turn.text) for turn in one.turns} for one in conversations]
    asked = [{_plain(question.text) for question in one.questions} for one in conversations]
    found = []
    for home, conversation in enumerate(conversations):
        by_id = {turn.id: _plain(turn.text) for turn in conversation.turns}
        for question in conversation.questions:
            if not (question.answerable and question.in_recall):
                continue
            rng = random.Random(f"{seed}:{conversation.id}:{question.id}")
            gold = {by_id[name] for name in (*question.evidence, *question.stale)}
            others = [i for i in range(len(conversations)) if i != home]
            for other in rng.sample(others, len(others)):
                target = conversations[other]
                text = rename(question.text, _mapping(question.text, conversation, target, rng))
                if gold.isdisjoint(texts[other]) and _plain(text) not in asked[other]:
                    found.append(_misplaced(question, text, conversation, target))
                    break
            else:
                rule = "every other conversation holds its evidence or is asked the same"
                raise InputError(f"question {question.id}", rule, question.text)
    return tuple(found)


def rename(text: str, names: Mapping[str, str]) -> str:
    """Return the text with whole names replaced, all at once; possessives follow the new name.

    >>> rename("Did Jon's mail reach James' boss, or Jones?", {"Jon": "Ana", "James": "Jon"})
    "Did Ana's mail reach Jon's boss, or Jones?"
    """
    if not names:
        return text
    longest_first = sorted(names, key=len, reverse=True)
    choices = "|".join(map(re.escape, longest_first))
    # "Johns's" is how one set writes the possessive of John.
    pattern = re.compile(rf"(?<!\w)({choices})(s?['\u2019]s(?!\w)|(?<=s)['\u2019](?=\s)|(?!\w))")

    def replacement(match: re.Match[str]) -> str:
        return names[match[1]] + ("'s" if match[2] else "")

    return pattern.sub(replacement, text)


def _misplaced(question: Question, text: str, home: Conversation, target: Conversation) -> Misplaced:
    moved = replace(
        question,
        id=f"{question.id}@{target.id}",
        text=text,
        evidence=(),
        answerable=False,
        at=_same_share(question, home, target),
        flags=question.flags | {"misplaced"},
        stale=(),
    )
    return Misplaced(moved, target.id, home.id)


def _same_share(question: Question, home: Conversation, target: Conversation) -> datetime | None:
    if question.at is None or not target.turns:
        return None
    share = home.seen_by(question) / len(home.turns)
    seen = max(1, round(share * len(target.turns)))
    return target.turns[seen - 1].at + _MOMENT


def _mapping(text: str, home: Conversation, target: Conversation, rng: random.Random) -> dict[str, str]:
    names = {name: name for name in home.speakers if name.lower() not in _GENERIC}
    new = [name for name in target.speakers if name.lower() not in _GENERIC]
    if not names or not new:
        return {}
    written = _forms(text, tuple(names))
    met = [name for name in names if name in written.values()]
    drawn = rng.sample(new, len(new))
    chosen = {name: drawn[i % len(drawn)] for i, name in enumerate(met)}
    return {form: chosen[name] for form, name in written.items()}


def _forms(text: str, names: Sequence[str]) -> dict[str, str]:
    """Return how names are written in the text: whole, or shortened to a capitalised beginning.

    Of a name of several words each word is a form too, unless two names share it.
    """
    words = set(re.findall(r"\w+", text))
    end = r"(?:s['\u2019]s|(?!\w))"
    forms = {name: name for name in names if re.search(rf"(?<!\w){re.escape(name)}{end}", text)}
    opening = re.match(r"\W*(\w+)", text)
    for word in words:
        if word in forms or not word[0].isupper() or len(word) < SHORTEST_SHORT_NAME:
            continue
        owners = {name for name in names for part in name.split() if part == word}
        if not owners and not (opening and opening[1] == word):
            owners = {name for name in names if name.startswith(word)}
        if len(owners) == 1:
            forms[word] = owners.pop()
    return forms


def _plain(text: str) -> str:
    return " ".join(text.split())
