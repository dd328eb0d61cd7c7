"""Tell a text that is small talk and nothing else: greetings, thanks, acknowledgements; knows no memory. English only.

A text is small talk when all of it is made of the phrases below. One word more, and it says something: "thanks" goes,
"thanks, the tests are green now" stays. After a question a mere "yes" is an answer, and no junk.
"""

from __future__ import annotations

import re

from simonides.parts.analyse import fold

LONGEST = 200
"""Characters of a text that may be small talk."""

HELLO = """hi; hello; hey; hiya; howdy; yo; greetings; good morning; good afternoon; good evening; good day;
good night; welcome; welcome back; how are you; how are you doing; how are you today; how are you doing today;
what's up; whats up; how's it going; how is it going; nice to meet you"""
BYE = """bye; bye bye; goodbye; see you; see ya; see you later; see you soon; see you tomorrow; see you around;
take care; talk to you later; talk to you soon; talk later; talk soon; have a good day; have a great day; have a
nice day; have a lovely day; have a wonderful day; have a good one; have a great one; have a good evening; have
a great evening; have a good night; have a good weekend; have a great weekend; have a nice weekend; cheers; ciao"""
THANKS = """thanks; thank you; thank u; thanks again; thank you again; many thanks; thx; ty; tysm; much
appreciated; appreciate it; i appreciate it; i appreciate that; i really appreciate it; i appreciate your help;
you're welcome; you are welcome; you're very welcome; you are very welcome; my pleasure; it was my pleasure;
it's my pleasure; anytime; any time; no problem; no worries; glad i could help; glad to help; happy to help; i'm
glad i could help; i'm happy to help; i'm glad to help"""
YES = """ok; okay; okey; k; alright; all right; right; sure; sure thing; yes; yep; yeah; yup; no; nope; nah; got
it; gotcha; i see; understood; makes sense; that makes sense; sounds good; sounds great; sounds fine; sounds
perfect; that sounds good; that sounds great; cool; nice; great; awesome; perfect; wow; oh; ah; hm; hmm; mhm; uh
huh; haha; hahaha; lol; amazing; interesting; indeed; exactly; absolutely; definitely; certainly; of course;
agreed; true; fair enough; good point; good idea; great idea; that's great; that's good; that's nice; that's
cool; that's awesome; that's fine; that's right; that's true; that's interesting; that's wonderful; that's
amazing; that's perfect; that is great; that is good; will do; done; noted; no thanks; no thank you; please; go
on; go ahead; continue; please continue; test; testing; same here; me too; good; fine; very good; excellent;
wonderful; fantastic; brilliant; lovely"""
BESIDE = """so; very; too; a lot; very much; so much; much; again; then; there; all; everyone; everybody; guys;
friend; mate; man; dude; buddy; and; for your help; for the help; for all your help; for all the help; for your
time; for the info; for the information; for the advice; for your advice; for the tips; for all the tips; for
the suggestions; for your suggestions; for your support; for the support; for that; for this; for everything;
for now; really; just; to you; back; you too; same to you; well; that's; it"""


def _any(phrases: str) -> str:
    """Return a pattern of the phrases, the longest first and never given back: time grows with the text only."""
    found = sorted((" ".join(one.split()) for one in phrases.split(";")), key=len, reverse=True)
    return "(?>(?:" + "|".join(re.escape(one) for one in found) + ")(?: |$))"


_ALL = re.compile(f"{_any('; '.join((HELLO, BYE, THANKS, YES, BESIDE)))}++")
_ANSWERS = re.compile(f"{_any('; '.join((YES, BESIDE)))}++")
_KINDS = tuple(
    (what, re.compile(f"{_any(BESIDE)}*{_any(phrases)}"))
    for what, phrases in (
        ("a greeting", HELLO),
        ("a goodbye", BYE),
        ("thanks", THANKS),
        ("an acknowledgement", YES),
    )
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def small_talk(text: str, *, answers: bool = False) -> str:
    """Return what kind of small talk a text is and nothing else, or an empty string.

    Args:
        text: the whole text; anything with content beside the small talk is none.
        answers: the turn before asked something; then "yes" and "sure" say something.
    """
    if len(text) > LONGEST:
        return ""
    plain = " ".join(_WORD.findall(fold(text).replace("\u2019", "'")))
    if not plain:
        return "no words at all"
    if not _ALL.fullmatch(plain) or (answers and _ANSWERS.fullmatch(plain)):
        return ""
    return next((what for what, pattern in _KINDS if pattern.match(plain)), "")
