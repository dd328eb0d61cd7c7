"""Tell whether a sentence has a finite verb, and whether it orders something; English, by lists, knows no grammar."""

from __future__ import annotations

import re

PAST = frozenset(
    (
        "ate beat became began bent bet bit bled blew bought bound bred broke brought built "
        "burnt burst came cast caught "
        "chose clung cost crept cut dealt did dreamt drank drew drove dug fed fell felt fled "
        "flew flung forgave forgot fought "
        "found froze gave got grew ground had heard held hid hit hung hurt kept knelt knew laid "
        "lay leapt learnt led left lent "
        "let lit lost made meant met mistook overcame paid put quit ran rang read rode rose said "
        "sang sank sat saw sent set "
        "sewed shed shone shook shot shrank shut slept slid smelt sold sought spelt spent spilt "
        "split spoilt spoke sprang "
        "spread spun stole stood strode struck stuck stung swam swore swept swung taught thought "
        "threw told took tore "
        "understood undertook underwent was went were withdrew woke won wore wove wrote"
    ).split()
)
"""Verbs of which the past has no -ed; those that look like their present are taken as past."""
BASES = frozenset(
    """accept access achieve act add adjust admire adopt agree aim allow analyze announce answer apologize appear apply
    appreciate approach approve argue arrange arrive ask assist assume attach attend avoid award balance base bake
    be become begin believe belong book borrow break bring build burn buy calculate call cancel capture care carry
    catch cause celebrate challenge change charge chase check choose claim clarify clean close coach collect combine
    come commit compare complain complete confirm connect consider consist consult contain continue contribute
    convert convince cook cost count cover create cry cut cycle dance deal decide decline define delay deliver
    demand depend deploy describe deserve design detail determine develop die discover discuss dislike draft drag
    draw dream drink drive drop earn eat edit email emphasize employ empower enable encourage end enjoy ensure enter
    establish evolve examine exceed execute exercise exist expand expect experience explain explore express extend
    face fail fall feed feel fight fill finalize find finish fit fix flag flow fly focus follow force forget form
    gain generate get give go grab grow guarantee guess handle hang happen hate have head hear help hide highlight
    hire hit hold hope host hunt identify ignore imagine implement improve include incorporate increase inform
    insist inspire install integrate intend introduce invest invite involve join jump keep kick know lack land last
    launch lead learn leave lend let lie lift like limit link list listen live load lock log look lose love lower
    make manage map mark marry matter mean measure meet mention mind miss mix monitor motivate move name need note
    notice notify observe obtain occur offer open operate opt optimize order organize outline own paint park
    participate pass pay perform pick pivot place plan plant play populate post practice practise prefer prepare
    present prevent print prioritize proceed process produce program promise propose protect prove provide publish
    pull push put quit raise ran reach read realize recall receive recommend record recover reduce refer refine
    reflect refuse relate relax release rely remain remember remind remove rent repair repeat replace report
    represent request require reschedule research resolve respect respond rest return reveal review ride rise roll
    run save say schedule search see seek seem select sell send serve set settle share ship show shut sign simplify
    sing sit skip sleep solve sort sound speak specify spend split stand start state stay stick stop store stream
    strive struggle study submit succeed suffer suggest suit summarize supply support suppose switch tackle take
    talk target teach tell tend test thank think throw time tie track trade train transfer translate travel treat
    trigger trust try turn type understand update upgrade upload use validate value verify visit wait wake walk want
    warn wash waste watch wear weigh win wish wonder work worry write yield""".split()
)
"""Verbs people use in conversation, as they stand after "to"; written by hand."""
_FINITE = re.compile(
    (
        r"(?:\b(?:am|is|are|was|were|be|been|has|have|had|do|does|did|will|would|can|could|shall|"
        r"should|may|might|must|cannot|ain't|"
        r"\w+n't)\b|\w'(?:m|re|ve|ll|d)\b|\b(?:it|that|he|she|there|who|what)'s\b)"
    ),
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?", re.IGNORECASE)
_LEAD = re.compile(
    (
        r"(?:(?:just|please|so|also|and|then|now|next|but|again|first|finally|simply|kindly|ok|"
        r"okay|do|right|after that|once again|for now)[,\s]\s{0,3}){0,3}(?P<verb>[a-z]+)\b"
    ),
    re.IGNORECASE,
)
_NOUNS = frozenset(
    (
        "time name end work plan state form list place record process program report practice "
        "program research review rest value mind "
        "design travel love hope offer order support test trade train change update coach base "
        "cost face head host land "
        "last like map mark matter mean note open own paint park pass plant post present print "
        "question request return ride "
        "run ship show sign sound stand start target tie track type upgrade exercise experience "
        "focus feed force"
    ).split()
)
"""Verbs that as often begin a sentence as a noun: no order by themselves."""


_ENDINGS = (
    ("ies", "y"),
    ("ied", "y"),
    ("es", ""),
    ("s", ""),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
)


def base(word: str) -> str:
    """Return the verb that a word is a form of, or an empty string."""
    low = word.lower()
    if low in BASES:
        return low
    for end, put in (
        ("ies", "y"),
        ("ied", "y"),
        ("es", ""),
        ("s", ""),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
    ):
        stem = low.removesuffix(end) + put
        if low.endswith(end) and (
            stem in BASES or (len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in BASES)
        ):
            return stem
    return low if low in PAST else ""


def has_verb(sentence: str) -> bool:
    """Tell whether a sentence has a finite verb; a gerund or an infinitive alone is none."""
    if _FINITE.search(sentence):
        return True
    words = _WORD.findall(sentence)
    return any(
        base(word)
        and not word.endswith("ing")
        and (place == 0 or words[place - 1].lower() not in _NO_VERB_AFTER)
        for place, word in enumerate(words)
    )


_NO_VERB_AFTER = frozenset(
    "to a an the my your his her its our their this these those of for with no".split()
)


def orders(sentence: str) -> bool:
    """Tell whether a sentence is an order: it begins with a bare verb, or with "don't"."""
    found = _LEAD.match(sentence.lstrip("*_\"' "))
    if found is None:
        return False
    verb = found["verb"].lower()
    rest = sentence[found.end() : found.end() + 12].lstrip().lower()
    if verb in ("don", "let"):
        return True
    follows = re.match(r"(?:is|are|was|were|has|have|will|would|can|for me|of)\b|[,:'\u2019-]", rest)
    return verb in BASES and not (verb in _NOUNS and follows) and follows is None
