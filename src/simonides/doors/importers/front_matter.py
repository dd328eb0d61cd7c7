"""Reads the front matter of a note, the part of YAML that people write there; ignores the note below.

Scalars, quoted text, `[lists]`, `- lists` and `|`/`>` blocks are read; whatever else stands there is kept
as text.
"""

from __future__ import annotations

import re

from simonides.types import Json

_KEY = re.compile(r"([^\s:#\[\]{}\-][^:\n]*?)\s*:(?:\s+(.*)|\s*)$")
_FENCE = re.compile(r"\ufeff?---[ \t]*\r?\n")
_END = re.compile(r"^(---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "~": None, "": None}


def split(text: str) -> tuple[dict[str, Json], str]:
    """Return the front matter and the rest; without one, an empty table and the text itself.

    >>> split("---\\ntags: [a, b]\\ndone: true\\n---\\nHello")
    ({'tags': ['a', 'b'], 'done': True}, 'Hello')
    """
    start = _FENCE.match(text)
    end = _END.search(text, start.end()) if start else None
    if not start or not end:
        return {}, text
    return _table(text[start.end() : end.start()].splitlines()), text[end.end() :].lstrip("\r\n")


def _table(lines: list[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    key = ""
    block: list[str] = []
    style = ""
    for line in [*lines, "end:"]:
        opened = _KEY.match(line)
        if opened is None:
            block.append(line)
            continue
        if key:
            found[key] = _value(style, block)
        key, style, block = _unquoted(opened[1].strip()), (opened[2] or "").strip(), []
    return found


def _value(first: str, block: list[str]) -> Json:
    lines = [line for line in block if line.strip() and not line.lstrip().startswith("#")]
    if first in ("|", ">", "|-", ">-"):
        return (" " if first.startswith(">") else "\n").join(line.strip() for line in lines)
    if first or not lines:
        return _scalar(" ".join([first, *(line.strip() for line in lines)]))
    if all(line.lstrip().startswith("-") for line in lines):
        return [_scalar(line.lstrip()[1:].strip()) for line in lines]
    return "\n".join(line.strip() for line in lines)


def _scalar(text: str) -> Json:
    text = text.strip()
    if text.startswith("[") and text.endswith("]") and not text.startswith("[["):
        return [_scalar(part) for part in text[1:-1].split(",") if part.strip()]
    plain = _unquoted(text)
    if plain != text:
        return plain
    text = re.sub(r"\s+#.*$", "", text)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"[-+]?\d{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?\d{1,15}\.\d{1,15}", text) else text


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
