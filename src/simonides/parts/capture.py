"""Takes what recall put in out of what was said, so that no memory is evidence for itself; knows no store.

A block is known by its marks (`parts.pack`), a single line of one by its form: `- [date] text [last digits of an id]`.
Blocks that were quoted, indented or cut off are known too. Everything else stays as it is, to the character.
"""

from __future__ import annotations

import re

from simonides.parts.headings import PROJECT_HEADING, PROMPT_HEADING
from simonides.parts.pack import CITED, CLOSING, OPENING

_QUOTE = r"[\s>|*_`#\"']{0,40}"
_HEADINGS = re.compile(
    rf"^{_QUOTE}(?:{re.escape(PROJECT_HEADING)}|{re.escape(PROMPT_HEADING)})[ \t]*(?:\\n|$)\n?", re.MULTILINE
)
_MARK = re.compile(r"<(/?)memories>", re.IGNORECASE)
_ITEM = re.compile(r"[-*\u2022] ?\[[0-9]{4}-[0-9]{2}-[0-9]{2}\]")
_BEGINS = re.compile(rf"{_QUOTE}[-*\u2022] ?\[(?:[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\]|[0-9-]{{0,10}}$)")
_CITATION = re.compile(rf"\[[0-9a-f]{{{CITED}}}\][\s`*_\"']*$")
_ALONE = re.compile(rf"{_QUOTE}</?memories>[\s`*_\"']*", re.IGNORECASE)
_EMPTY_FENCE = re.compile(r"\n*^(```|~~~)[a-z]{0,20}\n\s{0,40}\1$\n*", re.MULTILINE)
_ROUNDS = 4
"""Blocks that only show once others are gone are looked for this often."""


def strip(text: str) -> str:
    """Return the text without recalled blocks and lines; empty when nothing else was in it.

    A text in which nothing is recognised comes back unchanged. Where something was taken out, the blanks around it
    shrink to one line break. Takes time linear in the length.
    """
    given = text
    for _ in range(_ROUNDS):
        shorter = _once(text)
        if shorter == text:
            break
        text = shorter
    if text != given:
        text = _EMPTY_FENCE.sub("\n", text).strip()
    return text if text == given or any(char.isalnum() for char in text) else ""


def _once(text: str) -> str:
    if "[" not in text and "<" not in text and "simonides" not in text:
        return text
    return _without_lines(_without_blocks(_HEADINGS.sub("", text)))


def _without_blocks(text: str) -> str:
    """Take out what stands between an opening mark and the first closing one, if it is a block and no mention."""
    kept: list[str] = []
    start, opened = 0, -1
    for mark in _MARK.finditer(text):
        if not mark[1]:
            opened = mark.start() if opened < 0 else opened
        elif opened >= 0:
            if _is_block(text[opened + len(OPENING) : mark.start()]):
                kept.append(_before(text[start:opened]))
                start = mark.end()
            opened = -1
    if not kept:
        return text
    kept.append(text[start:])
    return _joined(kept)


def _is_block(inside: str) -> bool:
    return not inside.strip("\\n \t\r\n>|*`") or _ITEM.search(inside) is not None


def _before(text: str) -> str:
    """Return what stands before a block, without the signs by which the block was quoted or fenced."""
    head, line_end, last = text.rpartition("\n")
    return head if line_end and not last.strip(" \t>|*\"'") else text


def _without_lines(text: str) -> str:
    """Take out single lines of a block, and marks that lost their other half; a cut-off block is both."""
    kept: list[str] = []
    parts: list[str] = []
    inside = False
    lines = text.split("\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        begins = _BEGINS.match(line) is not None
        mark = _ALONE.fullmatch(line) is not None or (last and _cut_mark(line, inside=inside))
        if mark or (begins and (inside or _CITATION.search(line) is not None)):
            if number == 1 and _CITATION.search(lines[0]):
                kept = []  # the end of a line whose beginning was cut off
            if kept or not parts:
                parts.append("\n".join(kept))
                kept = []
            inside = True if begins else "/" not in line
        else:
            inside = False
            kept.append(line)
    if not parts:
        return text
    return _joined([*parts, "\n".join(kept)])


def _cut_mark(line: str, *, inside: bool) -> bool:
    """Tell whether the last line is the beginning of a mark, where the text was cut off."""
    rest = line.strip(" \t>|*`\"'").lower()
    if inside and (rest in ("-", "\u2022") or (rest and CLOSING.startswith(rest))):
        return True
    return any(mark.startswith(rest) and len(rest) > len("</m") for mark in (OPENING, CLOSING))


def _joined(parts: list[str]) -> str:
    """Put together what stood around what was taken out."""
    last = len(parts) - 1
    whole = [
        part.rstrip() if not number else part.lstrip() if number == last else part.strip()
        for number, part in enumerate(parts)
    ]
    return "\n".join(part for part in whole if part)
