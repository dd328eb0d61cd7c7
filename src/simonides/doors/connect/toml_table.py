"""One table of a TOML file, put at its end, replaced or taken out; each edit is checked with the standard parser."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import cast

from simonides.types import Json


class Unreadable(ValueError):
    """The text is no TOML, or the table can't be written into it; the message says why."""


def parse(text: str) -> dict[str, Json]:
    """Return what the text says."""
    try:
        return cast("dict[str, Json]", tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as err:
        raise Unreadable(str(err)) from err


def find(text: str, path: tuple[str, ...]) -> dict[str, Json] | None:
    """Return the table under names, None where there is none."""
    found: Json = parse(text)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found if isinstance(found, dict) else None


def put(text: str, path: tuple[str, ...], table: Mapping[str, Json]) -> str:
    """Return the text with the table under names; it stands at the end, or where it stood."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"[{'.'.join(path)}]", *(f"{name} = {_shown(value)}" for name, value in table.items())]
    shown = line_end.join(lines) + line_end
    if find(text, path) is not None:
        start, end = _span(text, path)
        new = text[:start] + shown + text[end:]
    else:
        gap = "" if not text.strip() else line_end if text.endswith("\n") else line_end * 2
        new = text + gap + shown
    wanted = _with(parse(text), path, dict(table))
    try:
        right = parse(new) == wanted
    except Unreadable:
        right = False
    if not right:
        raise Unreadable(f"[{'.'.join(path)}] can't be put into it as it is written")
    return new


def cut(text: str, path: tuple[str, ...]) -> str:
    """Return the text without the table under names and the blank lines above it."""
    start, end = _span(text, path)
    head = text[:start]
    bare = head.rstrip("\r\n")
    kept = bare + head[len(bare) :][: 2 if head[len(bare) :].startswith("\r\n") else 1] if bare else ""
    new = kept + text[end:]
    if find(new, path) is not None:
        raise Unreadable(f"[{'.'.join(path)}] can't be taken out of it as it is written")
    return new


def _span(text: str, path: tuple[str, ...]) -> tuple[int, int]:
    """Return where the table stands: from its header to the next header, without the blank lines before that."""
    names = r"\s*\.\s*".join(
        f"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')" for name in path
    )
    header = re.compile(rf"^[ \t]*\[\s*{names}\s*\][^\n]*\n?", re.MULTILINE)
    inner = re.compile(rf"[ \t]*\[\s*{names}\s*\.")
    found = header.search(text)
    if found is None:
        raise Unreadable(f"[{'.'.join(path)}] is not written as a table of its own")
    place = found.end()
    end = place
    while place < len(text):
        line_end = text.find("\n", place) + 1 or len(text)
        line = text[place:line_end]
        if re.match(r"[ \t]*\[", line) and not inner.match(line):
            break
        if line.strip() and not line.lstrip().startswith("#"):
            end = line_end
        place = line_end
    return found.start(), end


def _with(data: dict[str, Json], path: tuple[str, ...], table: Json) -> dict[str, Json]:
    known = data.get(path[0], {})
    inner = known if isinstance(known, dict) else {}
    return {**data, path[0]: table if len(path) == 1 else _with(inner, path[1:], table)}


def _shown(value: Json) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_shown(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(part) for part in value) + "]"
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
