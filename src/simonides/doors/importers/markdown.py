"""Reads a folder of Markdown notes, or one note; knows no other kind of document.

A note of up to `WHOLE` characters is one document; a longer one is split at its headings, and a section
that is still longer than `PART` at blank lines. Obsidian `[[links]]` and links to other notes become edges.
A note says when it was written (front matter, or a date at the start of its name), else its file does.
Notes follow their files: what changed since the last import supersedes what was there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from simonides.doors.importers import front_matter
from simonides.doors.importers.reading import named, stamp, string
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record, digest, unreadable
from simonides.errors import TimeError
from simonides.types import Json

WHOLE = 1500
PART = 3000
RELATION = "links to"
ENDINGS = (".md", ".markdown")

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_CODE = re.compile(r"[ \t]*(```|~~~)")
_WIKI = re.compile(r"!?\[\[([^\[\]|#^\n]+)[^\[\]\n]*\]\]")
_INLINE = re.compile(
    r"\]\(<?([^()\s<>#]+\.(?:md|markdown))(?:#[^()\s<>]*)?>?(?:\s+\"[^\"]*\")?\)", re.IGNORECASE
)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})")
_WRITTEN = ("date", "created", "created_at", "date created", "creation date")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a note that becomes one document, under the headings above it."""

    headings: tuple[str, ...]
    text: str


class _Folder:
    """The notes of a folder, by the names under which other notes may mean them."""

    def __init__(self, name: str, paths: list[str]) -> None:
        self.name = name
        self._by_path = {_plain(path): path for path in paths}
        self._by_stem = {_plain(PurePosixPath(path).name): path for path in reversed(paths)}

    def key(self, path: str) -> str:
        """Return the key of a note's first document."""
        return f"{self.name}/{path}"

    def target(self, link: str, note: str) -> str:
        """Return the key of the note that a link means; for a note that is not there, a key nobody has."""
        wanted = _plain(unquote(link.strip()))
        near = _plain(os.path.normpath(PurePosixPath(note).parent / wanted).replace(os.sep, "/"))
        stem = wanted.rpartition("/")[2]
        path = self._by_path.get(near) or self._by_path.get(wanted) or self._by_stem.get(stem)
        return self.key(path) if path else f"{self.name}/missing:{wanted}"


def _plain(path: str) -> str:
    ending = next((ending for ending in ENDINGS if path.casefold().endswith(ending)), "")
    return path[: len(path) - len(ending)].casefold()


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield the documents of each note and an edge for each link; hidden folders are left out."""
    root, files = notes(path)
    paths = [file.relative_to(root).as_posix() for file in files]
    folder = _Folder(reading.name or digest(str(root.resolve())), paths)
    for file, note in zip(files, paths, strict=True):
        try:
            text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
            written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        except OSError as err:
            yield Problem(note, f"cannot be read: {err.strerror}")
            continue
        yield from _note(folder, note, text, (written, reading.zone or UTC))


def notes(path: Path) -> tuple[Path, list[Path]]:
    """Return a folder and its notes in order, hidden folders left out; of one note, its folder and itself.

    Raises:
        InputError: there are none.
    """
    if not path.exists():
        raise unreadable(path, "does not exist")
    if path.is_file():
        return path.parent, [path]
    files: list[Path] = []
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith(".") and name != "node_modules")
        files += [Path(folder, name) for name in sorted(names) if name.casefold().endswith(ENDINGS)]
    if not files:
        raise unreadable(path, "holds no Markdown notes (.md)")
    return path, files


def _note(folder: _Folder, note: str, text: str, written: tuple[datetime, tzinfo]) -> Iterator[Item]:
    front, body = front_matter.split(text)
    if not body.strip():
        yield Passed("notes without text")
        return
    title = string(front.get("title")) or PurePosixPath(note).stem
    at = _written(front, note, *written)
    seen: dict[str, int] = {}
    for number, section in enumerate(sections(body)):
        name = " > ".join(section.headings)
        seen[name] = seen.get(name, 0) + 1
        again = f"~{seen[name]}" if seen[name] > 1 else ""
        key = folder.key(note) + (f"#{name}{again}" if number else "")
        own = named(title=title, path=note, headings=list(section.headings))
        yield Record(
            key=key,
            text=section.text,
            where=f"{note} {name}".strip(),
            kind="document",
            at=at,
            metadata={**named(**front), **own},
            source=f"markdown:{note}",
            changed=written[0],
        )
        yield from _edges(folder, note, key, section.text)


def _written(front: dict[str, Json], note: str, file: datetime, zone: tzinfo) -> datetime:
    keys = {key.casefold(): value for key, value in front.items()}
    day = _DAY.match(PurePosixPath(note).name)
    for value in [*(keys.get(name) for name in _WRITTEN), day and day[1]]:
        try:
            if at := stamp(value, zone):
                return at
        except TimeError:  # a template's {{date}} and the like: the next best says it
            continue
    return file


def sections(body: str) -> list[Section]:
    """Return a note in parts: whole if it is short, else cut at headings, and then at blank lines."""
    whole = body.strip("\r\n").rstrip()
    if len(whole) <= WHOLE:
        return [Section((), whole)]
    found: list[Section] = []
    for section in _split_at_headings(whole):
        found += [Section(section.headings, part) for part in _parts(section.text)]
    return found


def _split_at_headings(text: str) -> list[Section]:
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = bare = False
    for line in text.splitlines():
        fenced ^= bool(_CODE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading:
            if lines and not bare:
                found.append(_section(path, lines))
                lines = []
            path = [step for step in path if step[0] < len(heading[1])] + [(len(heading[1]), heading[2])]
        bare = bool(heading) or (
            bare and not line.strip()
        )  # a heading without words goes with the next section
        lines.append(line)
    return [*found, _section(path, lines)]


def _section(path: list[tuple[int, str]], lines: list[str]) -> Section:
    return Section(tuple(name for _, name in path), "\n".join(lines).strip())


def _parts(text: str) -> list[str]:
    """Cut a long section at blank lines; a single longer paragraph stays whole."""
    parts: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        if parts and len(parts[-1]) + len(paragraph) + 2 <= PART:
            parts[-1] += f"\n\n{paragraph}"
        elif paragraph.strip():
            parts.append(paragraph)
    return parts


def _edges(folder: _Folder, note: str, key: str, text: str) -> Iterator[Item]:
    links = [match[1] for match in _WIKI.finditer(text)] + [match[1] for match in _INLINE.finditer(text)]
    for target, link in {folder.target(link, note): link for link in links}.items():
        if target != folder.key(note) and not link.startswith(("http:", "https:")):
            yield Edge(key, target, RELATION, link)
