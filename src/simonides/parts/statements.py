"""Read the statement in a sentence told in the third person: who, which attribute, what value; knows no memory.

A slot is a subject with an attribute. Of some attributes there is one value at a time (where somebody lives), of most
there may be many (what somebody likes): only the former can be contradicted by another value. Written patterns for
English; what no pattern reads is a statement with the verb as its attribute, of which there may be many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from simonides.parts.analyse import fold, stems
from simonides.parts.verbs import base
from simonides.types import Kind

LONGEST = 600
"""Characters of a sentence that is read."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a sentence says.

    Attributes:
        subject: who or what it is about, as written.
        attribute: the slot's name, small letters; `slot` joins it with the subject.
        value: the value, as written; empty where only the slot is denied.
        single: whether the slot has one value at a time.
        negated: the sentence denies the value, or says that it has ended.
        kind: which of the typed kinds it is.
    """

    subject: str
    attribute: str
    value: str
    single: bool = False
    negated: bool = False
    kind: str = Kind.FACT

    @property
    def slot(self) -> tuple[str, str]:
        """The subject and the attribute in a form that is equal for equal ones."""
        return plain(self.subject), self.attribute


def plain(words: str) -> str:
    """Return a name or a value without capitals, accents, articles and signs."""
    bare = _SIGNS.sub(" ", fold(words.replace("\u2019", "'"))).split()
    while len(bare) > 1 and bare[0] in ("a", "an", "the", "their", "his", "her", "its", "my", "our", "some"):
        bare = bare[1:]
    return " ".join(bare)


def same_value(one: str, other: str) -> bool:
    """Tell whether two values name one thing: equal stems, or one holds all of the other's."""
    mine, theirs = ({*stems(plain(value).split())} for value in (one, other))
    return mine <= theirs or theirs <= mine


_SIGNS = re.compile(r"[^\w']+|'s\b")
_S = r"(?P<s>(?:(?:The|the|An?|My|Our) )?[\w&.'-]+(?: (?:and|of|the|de|van|von|al)? ?[\w&.'-]+){0,4}?)"
_ADV = (
    r"(?:(?:now|currently|still|also|always|really|just|actually|recently|finally|already|"
    r"usually|often|mostly|"
    r"absolutely|both|all|personally|ever|even|only|once) )*"
)
_NEG = (
    r"(?P<n>(?:does not|doesn't|do not|don't|did not|didn't|is not|isn't|are not|aren't|was "
    r"not|wasn't|has not|hasn't|"
    r"never|no longer|not) )?"
)
_STOP = (
    r"(?=$|[.,;:!?()\u2014]| (?:but|because|since|although|though|while|which|who|so that|so|"
    r"and (?:is|has|was|it|they|"
    r"the|a|an|their|would|will|also|now|then|\w+s)|when|if|until|as of|anymore|any more|"
    r"instead|these days|now|"
    r"at the moment|right now|(?:last|this|next) (?:week|weekend|month|year|spring|summer|"
    r"autumn|fall|winter)|(?:an?|one|two|three|four|five|six|ten|several|a few|a couple of|"
    r"\d+) (?:day|week|month|year)s? ago|tomorrow|tonight|in (?:19|"
    r"20)\d\d|ago|yesterday|today)\b)"
)
_V = r"(?P<v>[\w&@:$\u20ac%'\"+#/.-]+(?: [\w&@:$\u20ac%'\"+#/.-]+){0,11}?)"
_BE = r"(?P<be>is|are|was|were|'s)"


_ENDED = (
    r"\b(?:no longer|not .* any ?more|used to|stopped|quit|gave up|cancelled|canceled|ended|"
    r"broke up|sold)\b"
)
_ROWS: tuple[tuple[str, bool, str, str], ...] = (
    (
        "home",
        True,
        Kind.FACT,
        (
            rf"^{_S} {_ADV}(?:has |have )?(?:moved|relocated)(?: back| over| out)?(?: from .+?)? to "
            rf"{_V}{_STOP}"
        ),
    ),
    (
        "home",
        True,
        Kind.FACT,
        (
            rf"^{_S} {_NEG}{_ADV}(?:lives?|living|resides?|lived|is (?:living|based|residing)|are "
            rf"(?:living|based)) "
            rf"(?:in|at|on|near) {_V}{_STOP}"
        ),
    ),
    (
        "employer",
        True,
        Kind.FACT,
        (
            rf"^{_S} {_NEG}{_ADV}(?:works?|working|worked|is working|is employed) (?:at|for|by|with) "
            rf"{_V}(?= as )"
        ),
    ),
    (
        "employer",
        True,
        Kind.FACT,
        rf"^{_S} {_NEG}{_ADV}(?:works?|working|is working|is employed) (?:at|for|by) {_V}{_STOP}",
    ),
    (
        "employer",
        True,
        Kind.FACT,
        (
            rf"^{_S} {_ADV}(?:has |have )?(?:joined|started (?:working )?at|got a job at|was hired by|"
            rf"switched to working at) "
            rf"{_V}{_STOP}"
        ),
    ),
    (
        "job",
        True,
        Kind.FACT,
        rf"^{_S} {_NEG}{_ADV}(?:works?|working|is working|is employed) as (?:an?|the) {_V}{_STOP}",
    ),
    (
        "diet",
        True,
        Kind.PREFERENCE,
        (
            rf"^{_S} {_NEG}{_ADV}(?:is|are|became|went|turned) (?:an? )?{_NEG.replace('?P<n>', '?:')}"
            rf"(?P<v>vegan|vegetarian|pescatarian|omnivore|carnivore|gluten-free|keto){_STOP}"
        ),
    ),
    (
        "spouse",
        True,
        Kind.RELATIONSHIP,
        rf"^{_S} {_NEG}{_ADV}(?:is|was|got|are) (?:married|engaged) to {_V}{_STOP}",
    ),
    ("partner", True, Kind.RELATIONSHIP, rf"^{_S} {_NEG}{_ADV}(?:is|are|started) dating {_V}{_STOP}"),
    (
        "marital status",
        True,
        Kind.RELATIONSHIP,
        rf"^{_S} {_NEG}{_ADV}(?:is|got) (?P<v>single|married|divorced|widowed|engaged){_STOP}",
    ),
    (
        "age",
        True,
        Kind.FACT,
        rf"^{_S} {_NEG}{_ADV}(?:is|turned|just turned) (?P<v>\d{{1,3}})(?: years old)?{_STOP}",
    ),
    ("birthplace", True, Kind.FACT, rf"^{_S} (?:was|were) born in {_V}{_STOP}"),
    ("birthday", True, Kind.FACT, rf"^{_S} (?:was|were) born on {_V}{_STOP}"),
    ("origin", True, Kind.FACT, rf"^{_S} {_NEG}(?:is|are|comes?|hails?) (?:originally )?from {_V}{_STOP}"),
    (
        "allergy",
        False,
        Kind.FACT,
        rf"^{_S} {_NEG}{_ADV}(?:is|are) (?:severely |mildly |very )?allergic to {_V}{_STOP}",
    ),
    ("name", True, Kind.FACT, rf"^{_S} {_NEG}(?:is|are|goes by) (?:called|named|known as) {_V}{_STOP}"),
    (
        "likes",
        False,
        Kind.PREFERENCE,
        rf"^{_S} (?P<n>hates?|dislikes?|can't stand|detests?|loathes?|avoids?) {_V}{_STOP}",
    ),
    (
        "likes",
        False,
        Kind.PREFERENCE,
        (
            rf"^{_S} {_NEG}{_ADV}(?:likes?|loves?|enjoys?|adores?|prefers?|is (?:really )?(?:into|fond "
            rf"of|a fan of)|"
            rf"likes? to|loves? to) {_V}{_STOP}"
        ),
    ),
    (
        "goal",
        False,
        Kind.GOAL,
        (
            rf"^{_S} {_NEG}{_ADV}(?:wants?|would like|would love|hopes?|aims?|dreams?|wishes|is hoping|"
            rf"is trying|"
            rf"is aiming) "
            rf"(?:to|of|for) {_V}{_STOP}"
        ),
    ),
    (
        "plan",
        False,
        Kind.COMMITMENT,
        (
            rf"^{_S} {_NEG}{_ADV}(?:plans?|is planning|are planning|intends?|is going|are going|"
            rf"promised|agreed|"
            rf"needs?|has|have|will|committed) (?:to|on) {_V}{_STOP}"
        ),
    ),
    (
        "decision",
        False,
        Kind.DECISION,
        (
            rf"^{_S} {_ADV}(?:has |have )?(?:(?:decided|opted)(?: to| on| for| against)|"
            rf"chose|chosen|picked|selected|settled on|went (?:for|with)|switched to) {_V}{_STOP}"
        ),
    ),
    ("drives", True, Kind.FACT, rf"^{_S} {_NEG}{_ADV}drives (?:an? )?{_V}{_STOP}"),
    (
        "studies",
        False,
        Kind.FACT,
        rf"^{_S} {_NEG}{_ADV}(?:studies|is studying|studied|majors in|is majoring in) {_V}{_STOP}",
    ),
    ("speaks", False, Kind.FACT, rf"^{_S} {_NEG}{_ADV}(?:speaks?|is fluent in) {_V}{_STOP}"),
    (
        "uses",
        False,
        Kind.FACT,
        (
            rf"^{_S} {_NEG}{_ADV}(?:uses?|is using|are using|runs? on|is built with|stores? (?:its|"
            rf"their) data in) {_V}{_STOP}"
        ),
    ),
    (
        "learned",
        False,
        Kind.LEARNING,
        (
            rf"^{_S} {_ADV}(?:has |have )?(?:learned|learnt|realised|realized|discovered|found out) "
            rf"(?:that |how )?"
            rf"{_V}{_STOP}"
        ),
    ),
    (
        "has",
        False,
        Kind.FACT,
        (
            rf"^{_S} {_NEG}{_ADV}(?:has|have|owns?|got|adopted|bought) (?P<v>(?:an?|one|two|three|four|"
            rf"five|six|\d+|no|some|"
            rf"several) [\w'-]+(?: [\w'-]+){{0,7}}?){_STOP}"
        ),
    ),
)
_POSSESSED = (
    rf"^(?P<s>(?:(?:The|the) )?[\w&.-]+(?:(?:'s)? [\w&.-]+){{0,3}}?)'s? "
    rf"(?P<a>(?!best\b)[a-z][\w-]*(?: [a-z][\w-]*){{0,3}}?) "
    rf"(?:{_BE}|(?:has|have) (?:changed|been changed|been moved|been set|moved) to|changed to|"
    rf"moved to) {_NEG}{_ADV}{_V}{_STOP}"
)
_NOUN_OF = (
    rf"^The (?P<a>[a-z][\w-]*(?: [a-z][\w-]*){{0,2}}?) (?:of|for) (?P<s>[\w&.'-]+(?: "
    rf"[\w&.'-]+){{0,4}}?) {_BE} {_NEG}{_ADV}{_V}{_STOP}"
)
_THE_NOUN = (
    rf"^The (?P<a>(?!user\b|assistant\b)[a-z][\w-]*(?: [a-z][\w-]*){{0,3}}?) {_BE} {_NEG}{_ADV}{_V}{_STOP}"
)
_BEING = rf"^{_S} (?P<be>is|are|was|were|became) {_NEG}{_ADV}{_V}{_STOP}"
_DOING = (
    rf"^{_S} {_NEG}{_ADV}(?P<a>[a-z]{{3,}}(?:s|ed)|"
    rf"went|made|took|met|saw|gave|told|ran|won|wrote|built|taught|began|left|lost|found) {_V}{_STOP}"
)
_MANY = frozenset(
    (
        "friend friends hobby hobbies interest interests skill skills pet pets goal goals child "
        "children kid kids book "
        "books idea ideas plan plans thing things point points"
    ).split()
)
_VAGUE = frozenset(
    "it this that there here he she they one what which who something someone everything nothing".split()
)
_LABELLED = r"(?P<a>[a-z][\w '/&()-]{2,40}): ?(?P<v>[^\s:][^:]*)"
_NO_SUBJECT = (
    r"^(?:this|that|these|those|such|what|no|not|many|most|some|once|when|after|before|if|as|"
    r"while|still|even|only|then|"
    r"so|for|with|in|on|at|to|from|by|and|but|or|there|here|how|why|where|everything|nothing|"
    r"something)\b|"
    r"\b(?:is|are|was|were|has|have|had|do|does|did|will|would|can|could|the|a|an|to|for|with|"
    r"who|which|that|not)$|"
    r"\b(?:has|have|had|is|are|was|were|will|would|can|could|does|did|n't) "
)
_FEELING = (
    r"^(?:very |so |really |quite |too |a bit |such )?(?:happy|glad|sorry|sure|good|great|"
    r"nice|fine|ready|excited|proud|"
    r"tired|afraid|curious|interested|able|going|trying|looking|thinking|working|not|just|all|"
    r"about)\b"
)


@cache  # as many as there are patterns above; none is compiled before the first sentence
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@lru_cache(maxsize=8192)
def statement(sentence: str) -> Statement | None:
    """Return what a sentence says, None where it says nothing of a subject that has a name."""
    text = " ".join(sentence.replace("\u2019", "'").split())
    if not text or len(text) > LONGEST or text.endswith("?"):
        return None
    ended = bool(_compiled(_ENDED).search(text))
    told = (
        re.sub(r"\b(?:used to|stopped|quit|gave up) (\w+?)(?:ing)?\b", lambda m: f"{m[1]}s", text, count=1)
        if ended
        else text
    )
    for name, single, kind, pattern in _ROWS:
        if (match := _compiled(pattern).match(told)) and _meant(match):
            found = match.groupdict()
            return Statement(
                found["s"], name, _value(found["v"]), single, bool(found.get("n")) or ended, kind
            )
    for pattern in (_POSSESSED, _NOUN_OF, _THE_NOUN):
        if (
            (match := _compiled(pattern).match(told))
            and _value(match["v"])
            and not _compiled(_FEELING).match(match["v"])
        ):
            found = match.groupdict()
            attribute = fold(found["a"])
            single = attribute.split()[-1] not in _MANY and found.get("be") not in ("are", "were")
            kind = Kind.PREFERENCE if "favo" in attribute else Kind.FACT
            return Statement(
                found.get("s") or "", attribute, _value(found["v"]), single, bool(found["n"]) or ended, kind
            )
    if label := _compiled(_LABELLED).fullmatch(told):
        return Statement("", fold(label["a"]), _value(label["v"]))
    for pattern, attribute in ((_BEING, "is"), (_DOING, "")):
        if (
            (match := _compiled(pattern).match(told))
            and _meant(match)
            and not (attribute and _compiled(_FEELING).match(match["v"]))
        ):
            found = match.groupdict()
            if not attribute and not base(found["a"]):
                continue
            verb = attribute or stems([fold(found["a"])])[0]
            kind = Kind.FACT if attribute else Kind.EVENT
            return Statement(found["s"], verb, _value(found["v"]), False, bool(found["n"]) or ended, kind)
    return None


def _meant(match: re.Match[str]) -> bool:
    return plain(match["s"]) not in _VAGUE and "n't" not in match["s"] and bool(_value(match["v"]))


def _value(words: str) -> str:
    found = words.strip(" .,'\"-")
    return "" if plain(found) in _VAGUE else found
