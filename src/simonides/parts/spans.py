"""Cut a text into sentences, each with its place in the text; knows neither grammar nor meaning. English first.

A sentence ends at a full stop, a question or an exclamation mark before white space, at a line break, and at the signs
that end a sentence in Chinese and Japanese. Abbreviations, initials and numbers do not end one; code is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 600
"""Characters of a sentence; what runs on without an end is cut at white space."""
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(r"\s*(?:[-*+\u2022\u2013]|\(?\d{1,3}[.)]|#{1,6}|>)\s+")
_END = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]*_]*(?=\s)|[\u3002\uff01\uff1f]+")
_SHORT = re.compile(
    r"(?:^|[\s(\"'])(?:(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|e\.g|i\.e|approx|dept|fig|no|vol|inc|ltd|co|corp|gen|col|lt|"
    r"sgt|rev|hon|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|a\.m|p\.m|u\.s|u\.k)|[A-Za-z])\.$",
    re.IGNORECASE,
)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the sentences of a text as ``[start, end)``, in order, without white space and bullets around them."""
    bare = _CODE.sub(lambda match: "\n" * len(match.group()), text)
    for line in _LINE.finditer(bare):
        bullet = _BULLET.match(bare, line.start(), line.end())
        yield from _of_line(bare, bullet.end() if bullet else line.start(), line.end())


def _of_line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begun = start
    for match in _END.finditer(text, start, end):
        if _short(text, begun, match.end()):
            continue
        yield from _bare(text, begun, match.end())
        begun = match.end()
    yield from _bare(text, begun, end)


def _short(text: str, start: int, end: int) -> bool:
    """Tell whether what ends here is an abbreviation or an initial, and the sentence goes on."""
    found = _SHORT.search(text[max(start, end - 12) : end])
    if found is None:
        return False
    after = text[end : end + 2].strip()
    alone = found.group().strip(" (\"'").lower() in ("i.", "etc.", "a.m.", "p.m.")
    return not (alone and after[:1].isupper())


def _bare(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > LONGEST:
        cut = text.rfind(" ", start, start + LONGEST)
        cut = cut if cut > start else start + LONGEST
        yield start, cut
        start = cut + (text[cut : cut + 1] == " ")
    if start < end:
        yield start, end
