"""Tell which slot a statement fills, whether two statements fill the same one, and what ends one; knows no memory.

A slot is a subject with an attribute. One slot has several names (where somebody lives is their home, what somebody
works as is their job), and some sentences fill it the other way round ("Rui is Ana's husband"). Words that end a slot
("sold", "broke up with") and words by which a sentence excludes others ("not Ben", "only", "instead") are lists.
English.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from simonides.parts.analyse import STOPS, fold, stems, words
from simonides.parts.statements import Statement, plain
from simonides.types import Kind

_ALIASES = {
    "home": "home|residence|place of residence|home town now|city|home city|location|where they live|live|resid",
    "employer": "employer|workplace|company|place of work|firm|work",
    "job": "job|occupation|profession|position|job title|role|title|line of work",
    "spouse": "spouse|husband|wife",
    "partner": "partner|boyfriend|girlfriend",
    "birthday": "birthday|date of birth|birthdate|birth date",
    "birthplace": "birthplace|place of birth|birth place",
    "marital status": "marital status|relationship status",
    "drives": "drives|car",
    "phone": "phone|phone number|mobile|mobile number|telephone|telephone number|cell phone number",
    "email": "email|e-mail|email address|mail address|e-mail address",
    "allergy": "allergy|allergies|allergic",
    "diet": "diet|eating habits",
    "name": "name|full name",
    "deadline": "deadline|due date",
    "price": "price|cost",
}
_NAMED = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split("|")}
ONE = frozenset(_ALIASES) - {"allergy"}
"""Attributes of which there is one value at a time, beside those that the statement says so of."""
_LEAD = re.compile(r"^(?:(?:current|present|new|main|actual|own|latest|first and only) )+")
_ENDINGS_OF_TRADES = "ist|ian|eer|ger|ner|her|ter|tor|sor|yer|ver|mer|ber|ker|der|per"
_TRADES = (
    "nurse|chef|doctor|pilot|clerk|cook|judge|architect|accountant|surgeon|vet|coach|consultant|analyst|guide"
)
_PROFESSION = re.compile(
    r"^(?:an? )(?!(?:avid|keen|passionate|amateur|hobby|big|great|good|real|true) )"
    rf"(?P<v>(?:[a-z-]+ ){{0,3}}?(?:[a-z-]{{2,}}(?:{_ENDINGS_OF_TRADES})|{_TRADES}))\b",
    re.IGNORECASE,
)
_NO_PROFESSION = frozenset(
    "father mother brother sister daughter partner member newcomer beginner number winner lover owner supporter reader "
    "stranger teenager letter matter monster winter summer water paper flower computer".split()
)
_ALLERGY = re.compile(r"^(?:an? )?(?:severe |mild |bad )?(?P<v>[\w -]+?) allerg(?:y|ies)$", re.IGNORECASE)
_ALLERGIC = re.compile(r"(?:severely |very )?allergic to (?P<v>.+)", re.IGNORECASE)
_RELATION = re.compile(
    r"^(?P<s>.+?)'s? (?P<a>husband|wife|spouse|boyfriend|girlfriend|partner|employer)$", re.IGNORECASE
)
_TAIL = re.compile(
    r"\s+(?:with|near|since|because|for (?:now|good)|right|by now|from now|as (?:of|well)|these|at the)\b.*$",
    re.IGNORECASE,
)
_THEIR = r"(?:(?:his|her|their|the|its) )"
_DONE = r"(?=[.,!]|$)"
_GONE = r"(?=[.,!]|$| (?:last|to|for|in|on)\b)"
_NAMED_ONE = r"[A-Z][\w'-]*"
_FROM_JOB = r"(?:left|quit|resigned from|was fired (?:from|by)|was laid off (?:from|by)|retired from)"
_ENDS = tuple(
    (
        slot,
        re.compile(
            rf"^(?P<s>[\w'. -]+?) (?:has |have |had |just |finally |recently )*(?:{how})", re.IGNORECASE
        ),
    )
    for slot, how in (
        ("employer", rf"{_FROM_JOB} (?:{_THEIR}job (?:at|with) )?(?P<v>[A-Z][\w&'-]*(?: [A-Z][\w&'-]*)*)"),
        (
            "job",
            rf"(?:retired|lost {_THEIR}job|(?:left|quit) {_THEIR}job)(?P<v>)(?=[.!,]|$| (?:as|last|in|after))",
        ),
        ("home", rf"moved (?:out of|away from) (?P<v>[\w' -]+?){_DONE}"),
        ("home", r"left (?P<v>[A-Z][\w' -]+?) (?:for good|behind)"),
        ("partner", rf"(?:broke|split) up(?: with (?P<v>{_NAMED_ONE}))?"),
        ("spouse", rf"(?:got divorced|divorced|separated)(?: from)?(?: (?P<v>{_NAMED_ONE}))?"),
        (
            "has",
            rf"(?:sold|gave away|lost|returned|threw away|got rid of) {_THEIR}?(?P<v>[\w' -]+?){_GONE}",
        ),
    )
)
_DENYING = re.compile(
    r"\b(?:not|never|no longer|nobody|none|neither|nor|no|stopped|stops|quit|quits|gave up|gives up|used to|formerly|"
    r"cancelled|canceled|called off|dropped|abandoned|any ?more|unable|without|over|ended|sold)\b|n't\b",
    re.IGNORECASE,
)
_EXCLUDING = re.compile(
    r"\b(?:instead|rather than|only|exclusively|solely|no longer|never|not|none of|unable|primarily|mainly|actually|"
    r"while|in fact|switched|changed|replaced|different|but|dislikes)\b|n't\b",
    re.IGNORECASE,
)
_NAMED_AS_WRONG = re.compile(
    r"\b(?:not|instead of|rather than|no longer)\s+(?P<v>(?:\"[^\"]+\"|[\w'.-]+(?: [\w'.-]+){0,7}?))"
    r"(?=$|[,.;!]| but| and | as | who | on )",
    re.IGNORECASE,
)
_ADDING = re.compile(
    r"\b(?:also|another|again|too|as well|additionally|more|second|besides|next|yet|along with)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b[A-Z][a-z'-]+ [A-Z][\w'-]+(?! [A-Z])")
_NO_PERSON = frozenset(
    "university institute award society festival school museum college conference global international national "
    "academy the summit association network club foundation prize project park mountains mountain south north east "
    "west new san los united science art arts music medal congress symposium".split()
)
_DENYING_WORDS = re.compile(
    r"\b(?:gave up|gives up|used to|any ?more|called off|no longer|\w+n't|sundays?|mondays?|tuesdays?|wednesdays?|"
    r"thursdays?|fridays?|saturdays?|every)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][\w'-]+")
_SAME = {
    "reside": "live", "relocate": "move", "employ": "work", "enjoy": "like", "love": "like", "adore": "like",
    "begin": "start", "children": "kid", "child": "kid", "automobile": "car", "mother": "mom", "mum": "mom",
    "father": "dad", "purchase": "buy", "bought": "buy", "film": "movi", "favourit": "favorit", "colour": "color",
    "taught": "teach", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "one": "1", "goe": "go", "own": "has", "owns": "has", "bike": "bicycl",
    "dislik": "hate", "detest": "hate", "loath": "hate", "fond": "like", "fan": "like", "photo": "pictur",
    "photograph": "pictur", "physician": "doctor", "allergi": "allerg",
}  # fmt: skip
"""Stems that mean the same."""
_EMPTY = frozenset(
    "realli actual now current still just veri alway ever absolut both all old year together re s t".split()
)
_ONCE = frozenset(stems("met meet found founded founders founder born graduated married graduate".split()))
_DAYS = frozenset(
    stems(
        "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
        "september october november december mondays tuesdays wednesdays thursdays fridays saturdays sundays yesterday "
        "today".split()
    )
)
_DENIALS = frozenset(
    "longer never stop quit anymor gave give no not doesn don didn isn wasn aren won use".split()
)
_FELT = frozenset(
    "patience expectation time life mind heart chest head mood day week month year work family support advice help "
    "idea goal thing point dream love passion body stomach soul spirit energy confidence performance response answer "
    "question way".split()
)
"""Nouns of which the value is how somebody puts it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """That a slot has ended: which, and the value where it is named."""

    subject: str
    attribute: str
    value: str


@lru_cache(maxsize=8192)
def slot_name(attribute: str) -> str:
    """Return the one name of an attribute: ``residence`` is ``home``, ``favourite colour`` is ``favorite color``."""
    bare = _LEAD.sub("", fold(attribute)).replace("favourite", "favorite").replace("colour", "color")
    return _NAMED.get(bare, bare)


def slotted(says: Statement, *, aliases: bool = True) -> Statement:
    """Return a statement with the one name of its attribute, turned round where it is told from the other end."""
    if not aliases:
        return says
    value = _TAIL.sub("", says.value) or says.value
    if says.attribute == "is" and (
        denied_allergy := re.match(r"(?:severely |very )?allergic to (?P<v>.+)", value)
    ):
        return replace(says, attribute="allergy", value=denied_allergy["v"], single=False)
    if says.attribute == "is" and (turned := _RELATION.match(value)):
        return replace(
            says, subject=turned["s"], attribute=slot_name(turned["a"]), value=says.subject, single=True
        )
    if says.attribute == "is" and (works := _PROFESSION.match(value)):
        last = works["v"].split()[-1].lower()
        if last not in _NO_PROFESSION and works.end() == len(value):
            return replace(says, attribute="job", value=works["v"], single=True, kind=Kind.FACT)
    if says.attribute in ("has", "allergy", "is") and (allergy := _ALLERGY.match(value)):
        return replace(says, attribute="allergy", value=allergy["v"], single=False)
    name = slot_name(says.attribute)
    single = says.single or name in ONE
    if single and re.match(r"(?:to|in|at|on|called|named) ", value):
        value = value.split(" ", 1)[1]
    return replace(says, attribute=name, value=value, single=single)


@lru_cache(maxsize=8192)
def profession(text: str) -> tuple[str, str] | None:
    """Return who is what by profession, where a sentence says so as "Ana is a nurse"."""
    found = re.match(
        r"(?P<s>[A-Z][\w'. -]*?) (?:is|became|has become) (?:now |currently |actually )?(?P<rest>an? .+)",
        text,
    )
    works = _PROFESSION.match(found["rest"]) if found else None
    if found is None or works is None or works["v"].split()[-1].lower() in _NO_PROFESSION:
        return None
    return found["s"], works["v"]


@lru_cache(maxsize=8192)
def once(text: str) -> frozenset[str]:
    """Return the words for what happens once between the same people, or to one: to meet, to found, to be born."""
    return (content(text) - told_names(text)) & _ONCE


@lru_cache(maxsize=8192)
def opening(text: str) -> tuple[frozenset[str], str]:
    """Return the names that a sentence begins with, and the first word after them that carries meaning."""
    mine, names = roles(text)[0], told_names(text)
    first = next((stem for word in words(text) for stem in content(word) if stem not in names), "")
    return mine, first


def whole_value(text: str, value: str) -> str:
    """Return a value with the names that follow it in the sentence: "Alfama, Lisbon"."""
    found = re.search(re.escape(value) + r"((?:, [A-Z]\w+)+)(?=[.!]|$)", text) if value else None
    return found.group() if found else value


def without_value(text: str, value: str) -> str:
    """Return a sentence without a value and the names that belong to it: "Seattle, Washington"."""
    return re.sub(re.escape(value) + r"(?:, [A-Z]\w+)*", " ", text) if value else text


@lru_cache(maxsize=8192)
def ending(text: str) -> Ending | None:
    """Return which slot a sentence says has ended, without a new value; None where it says nothing like it."""
    for slot, pattern in _ENDS:
        if found := pattern.match(text):
            return Ending(found["s"].strip(), slot, (found.groupdict().get("v") or "").strip())
    return None


@lru_cache(maxsize=8192)
def content(text: str) -> frozenset[str]:
    """Return the stems of the words that carry meaning, one stem for words that mean the same."""
    found = (
        _SAME.get(stem, stem)
        for stem in stems(w for w in words(text.replace("\u2019", "'")) if w not in STOPS)
    )
    return frozenset(found) - _EMPTY


def told_names(text: str) -> frozenset[str]:
    """Return the words with a capital, as `content` gives them."""
    return content(" ".join(word for word in _NAME.findall(text) if fold(word) not in STOPS))


def denies(text: str) -> bool:
    """Tell whether a sentence denies something or says that it is over."""
    return bool(_DENYING.search(text))


def denied(text: str) -> frozenset[str]:
    """Return what a sentence denies, as `content`, without the words that deny."""
    return content(_DENYING_WORDS.sub(" ", text.replace("\u2019", "'"))) - _DENIALS


def excludes(text: str) -> bool:
    """Tell whether a sentence excludes what else was said: "only", "instead", "not"."""
    return bool(_EXCLUDING.search(text))


def only(text: str) -> bool:
    """Tell whether a sentence says that there is nothing beside: "only speaks Dutch"."""
    return bool(re.search(r"\b(?:only|exclusively|solely)\b", text, re.IGNORECASE))


@lru_cache(maxsize=8192)
def roles(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that a sentence begins with, and the others: who does, and who or what it is done to."""
    lead = re.match(r"(?:(?:[A-Z][\w'.-]*|and|,|of|the)[, ]*)+", text)
    cut = lead.end() if lead else 0
    return told_names(text[:cut]), told_names(text[cut:])


@lru_cache(maxsize=8192)
def order(text: str) -> tuple[str, ...]:
    """Return the names of a sentence in their order, without days and months, which stand anywhere."""
    found = (stem for word in _NAME.findall(text) if fold(word) not in STOPS for stem in content(word))
    return tuple(stem for stem in found if stem not in _DAYS)


@lru_cache(maxsize=8192)
def same_people(one: str, other: str) -> bool:
    """Tell whether two sentences are about the same: who one begins with is named in the other, by the whole name.

    Also where another person is named in both, by two names: whom somebody worked with may be what has not changed.
    """
    (mine, _), (theirs, _) = roles(one), roles(other)
    shared = (mine & told_names(other)) | (theirs & told_names(one))
    return (
        len(shared) > 1
        or (bool(shared) and min(len(mine), len(theirs)) == 1)
        or bool(people(one) & people(other))
    )


@lru_cache(maxsize=8192)
def people(text: str) -> frozenset[str]:
    """Return what looks like the full names of people in a sentence, folded."""
    found = (match.group() for match in _PERSON.finditer(text.replace("'s", "")))
    return frozenset(fold(name) for name in found if not _NO_PERSON & {*fold(name).split()})


def adds(text: str) -> bool:
    """Tell whether a sentence says that it comes on top: "also", "another", "again"."""
    return bool(_ADDING.search(text))


def wrong(text: str) -> tuple[frozenset[str], ...]:
    """Return what a sentence names as not so ("not Ben", "instead of tea"), each as `content`."""
    return tuple(found for match in _NAMED_AS_WRONG.finditer(text) if (found := content(match["v"])))


def same_subject(one: str, other: str) -> bool:
    """Tell whether two subjects are one: the same words but for articles, capitals and signs."""
    return plain(one) == plain(other)


def plain_values(one: Statement, other: Statement) -> bool:
    """Tell whether two values of one attribute are such that only one can be true: names, numbers, short plain ones.

    "Her patience is gone" and "her patience is at its end" are two ways to put one thing.
    """
    if one.attribute in ONE or "favorite" in one.attribute or one.attribute.endswith("name"):
        return True
    if all(re.search(r"\d", each.value) or _NAME.search(each.value) for each in (one, other)):
        return True
    short = all(len(content(each.value)) <= 3 for each in (one, other))
    return short and one.attribute.split()[-1] not in _FELT


def within(one: str, other: str) -> bool:
    """Tell whether a value says all that another says."""
    return content(one) >= content(other)
