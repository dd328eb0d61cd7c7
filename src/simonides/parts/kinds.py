"""Tell which of thirteen kinds a sentence is, by weighted rules; knows no memory and calls no model.

The kinds are those of Memanto (arXiv:2604.22085). Every rule that matches adds its points, 1 to 6; the kind with most
points has it, from three on; equal ones go to the one that is named first. What no rule claims is a fact. English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simonides.types import Kind

ENOUGH = 3
"""Points that a kind needs."""
KINDS: tuple[Kind, ...] = (
    Kind.INSTRUCTION, Kind.FACT, Kind.DECISION, Kind.GOAL, Kind.COMMITMENT, Kind.PREFERENCE, Kind.RELATIONSHIP,
    Kind.CONTEXT, Kind.EVENT, Kind.LEARNING, Kind.OBSERVATION, Kind.ARTIFACT, Kind.ERROR,
)  # fmt: skip
"""In the order in which equal points are given."""

_KIN = (
    r"mother|father|mom|mum|dad|sister|brother|wife|husband|son|daughter|boss|manager|colleague|friend|partner|"
    r"girlfriend|boyfriend|neighbou?r|aunt|uncle|cousin|grandmother|grandfather|teammate|roommate|landlord|mentor|client"
)
_DAYS = (
    r"yesterday|last (?:night|week|month|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday|summer|winter)|"
    r"ago\b"
)
_PAST = (
    r"went|met|visited|attended|celebrated|travelled|traveled|watched|saw|flew|gave|launched|happened|held|"
    r"graduated|signed|arrived|left|ran|won|lost|had|took"
)
_RULES: tuple[tuple[Kind, int, str], ...] = (
    (Kind.INSTRUCTION, 4, (
        r"^(?:please )?(?:always|never|don't|do not|make sure|ensure|remember to|from now on|use|"
        r"keep|avoid|reply|answer|call me|stop)\b"
    )),
    (Kind.INSTRUCTION, 3, (
        r"\b(?:you (?:must|should|need to)|must (?:not|never|always|be)|always (?:use|reply|"
        r"answer|ask|call|write)|never (?:use|call|share|delete|write|send)|from now on|"
        r"going forward)\b"
    )),
    (Kind.DECISION, 5, (
        r"\b(?:decided|have chosen|chose|opted|settled on|went with|agreed (?:on|that)|decision|"
        r"picked|approved|selected|going with|concluded that we)\b"
    )),
    (Kind.DECISION, 2, r"\b(?:instead of|rather than|over)\b"),
    (Kind.GOAL, 5, r"\b(?:goal|aim|objective|target|dream|ambition|milestone)s? (?:is|are|for|of|to)\b"),
    (Kind.GOAL, 4, (
        r"\b(?:wants?|hopes?|aims?|aspires?|would like|wish(?:es)?|dreams?|hoping|trying|"
        r"saving up) (?:to|of|for)\b"
    )),
    (Kind.COMMITMENT, 5, r"\b(?:promised?|committed|pledged?|guarantee[ds]?|swore|owe[sd]?|vowed)\b"),
    (Kind.COMMITMENT, 4, (
        r"\b(?:i|we|he|she|they|[A-Z]\w+)(?:'ll| will| shall| have to| has to| need to|"
        r" needs to) (?:\w+ ){1,12}?(?:by|before|until|on|tomorrow|tonight|next|this)\b"
    )),
    (Kind.COMMITMENT, 4, r"\b(?:due|deadline)\b"),
    (Kind.PREFERENCE, 5, (
        r"\b(?:prefers?|favou?rite|rather have|fond of|can't stand|hates?|loves?|likes?|dislikes?|"
        r"enjoys?|adores?|would rather)\b"
    )),
    (Kind.RELATIONSHIP, 4, (
        rf"\b(?:my|his|her|their|our|[A-Z]\w+'s|an?|the) (?:\w+ )?(?:{_KIN})\b(?! (?:prefers|likes|"
        rf"loves|hates))"
    )),
    (Kind.RELATIONSHIP, 5, (
        r"\b(?:married to|engaged to|dating|reports? to|works? (?:for|with|under) [A-Z]|"
        r"related to|is friends with|knows? [A-Z]\w+ from|close to [A-Z])\b"
    )),
    (Kind.RELATIONSHIP, -2, rf"\b(?:{_DAYS})|\b(?:decided|promised|wants)\b"),
    (Kind.CONTEXT, 5, (
        r"\b(?:currently|right now|at the moment|at present|these days|for now|today i(?:'m| am)|"
        r"this (?:morning|afternoon|week) (?:i|we)(?:'m| am|'re| are))\b"
    )),
    (Kind.CONTEXT, 3, (
        r"\b(?:is|are|'m|am|'re) (?:working|debugging|looking|travelling|traveling|waiting|"
        r"preparing|reviewing|writing|sitting|on (?:a|the) (?:call|train|plane))\b"
    )),
    (Kind.EVENT, 4, rf"\b(?:{_DAYS})"),
    (Kind.EVENT, 3, rf"\b(?:{_PAST})\b.*\b(?:on|in|at|to) (?:the )?(?:\d|[A-Z])"),
    (Kind.EVENT, 3, r"\b(?:took place|happened|occurred|was held|will be held|kicked off|starts? (?:on|at) )\b"),
    (Kind.EVENT, 2, (
        r"\b(?:meeting|conference|wedding|party|release|launch|concert|trip|birthday party|"
        r"ceremony|workshop)\b"
    )),
    (Kind.LEARNING, 6, (
        r"\b(?:learned|learnt|realis?z?ed|found out|discovered|figured out|lesson|turns out|"
        r"takeaway|now know|understood that)\b"
    )),
    (Kind.OBSERVATION, 5, (
        r"\b(?:notic(?:ed|es|ing)|observed|seems? (?:to|like|that)|appears? (?:to|that)|tends? to|"
        r"looks like|pattern|usually|often|most of the time|on average|typically|every time|"
        r"trend)\b"
    )),
    (Kind.OBSERVATION, 2, r"\b\d+(?:\.\d+)?\s?(?:%|percent)"),
    (Kind.ARTIFACT, 5, (
        r"(?:https?://\S+|\b[\w./-]+\.(?:pdf|docx?|xlsx?|csv|py|js|ts|md|json|ya?ml|pptx?|png|"
        r"jpe?g|ipynb|sql|txt|zip)\b)"
    )),
    (Kind.ARTIFACT, 4, (
        r"\b(?:repository|repo|spreadsheet|slide deck|document|report|file|notebook|dashboard|"
        r"wiki page|design doc|pull request|draft|attachment)\b.*\b(?:is (?:at|in|on|stored|saved|"
        r"here)|lives (?:at|in)|stored|saved|located|uploaded|attached|can be found)\b"
    )),
    (Kind.ERROR, 6, (
        r"\b(?:error|exception|traceback|crash(?:ed|es)?|stack trace|segfault|bug|timeout|"
        r"timed out|out of memory|failed|fails|failure|broke|outage)\b"
    )),
    (Kind.ERROR, -3, r"\b(?:learned|learnt|decided|promised|my (?:exam|test)|wants)\b"),
    (Kind.FACT, 3, r"\b(?:is|are|was|were) (?:\d|an? |the |called|named|located|born|made|based|from)\b"),
    (Kind.FACT, 3, r"\b(?:lives?|works?|has|have|owns?|speaks?|studies|runs on|costs?|contains?) "),
)  # fmt: skip
_COMPILED = tuple((kind, points, re.compile(pattern, re.IGNORECASE)) for kind, points, pattern in _RULES)


@dataclass(frozen=True, slots=True)
class Typed:
    """What a sentence is, with how many points the rules gave it; 0 where none claimed it."""

    kind: Kind
    points: int


def typed(sentence: str) -> Typed:
    """Return which of the thirteen kinds a sentence is.

    >>> typed("Never send mail without asking me.").kind.value
    'instruction'
    """
    text = " ".join(sentence.replace("\u2019", "'").split())
    points = dict.fromkeys(KINDS, 0)
    for kind, worth, pattern in _COMPILED:
        if pattern.search(text):
            points[kind] += worth
    best = max(KINDS, key=lambda kind: (points[kind], -KINDS.index(kind)))
    return Typed(best, points[best]) if points[best] >= ENOUGH else Typed(Kind.FACT, 0)
