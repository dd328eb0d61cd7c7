"""Reads what Basic Memory keeps: its folder of Markdown notes, or its memory.db; knows no other kind of note.

A note comes in word for word, as `markdown` would bring it. Its observations (`- [category] text #tag (context)`)
become memories of their own, and its relations (`- relates_to [[Other note]]`) links with their names. A note is known
again by its permalink, from the folder and from the database alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from simonides.doors.importers import front_matter
from simonides.doors.importers.markdown import notes, sections
from simonides.doors.importers.reading import named, rows, stamp, string
from simonides.doors.importers.record import Edge, Item, Passed, Problem, Reading, Record, digest, unreadable
from simonides.doors.importers.sqlite_file import Tables, decoded, inner, is_sqlite, opened
from simonides.errors import TimeError
from simonides.types import Json

DATABASE = "memory.db"
ABOUT, LINKS_TO = "about", "links_to"

_OBSERVATION = re.compile(r"^\s*[-*+]\s+\[(?!\[)([^\[\]()]{1,100})\]\s+(\S.*)$")
_BOX = re.compile(r"^[ xX\-/>]$")
_RELATION = re.compile(r"^\s*[-*+]\s+(\S[^\[\]]{0,200}?)\s*\[\[([^\[\]]+)\]\]\s*(?:\((.*)\))?\s*$")
_WIKI = re.compile(r"\[\[([^\[\]|#^\n]+)[^\[\]\n]*\]\]")
_CONTEXT = re.compile(r"\s*\(([^()]*)\)\s*$")
_TAG = re.compile(r"(?<!\S)#([\w/-]+)")
_CODE = re.compile(r"[ \t]*(```|~~~)")
_OWN = ("title", "type", "permalink")


@dataclass(frozen=True, slots=True)
class _Note:
    path: str
    permalink: str
    title: str
    front: Mapping[str, Json]
    body: str
    at: datetime | None
    changed: datetime | None
    project: str = ""


@dataclass(slots=True)
class _Names:
    """The notes by all that a relation may call them."""

    known: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, permalink: str, *names: str) -> None:
        for name in (permalink, *names):
            if name:
                self.known.setdefault(_plain(name), permalink)

    def key(self, name: str) -> str:
        """Return the key of the note that a relation means; of one that is not there, a key nobody has."""
        return f"note:{self.known.get(_plain(name), f'missing:{name}')}"


def _plain(name: str) -> str:
    return name.strip().removeprefix("memory://").casefold().removesuffix(".md")


def parse(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield the notes, their observations and their relations."""
    database = path if path.is_file() and is_sqlite(path) else path / DATABASE
    if database.is_file() and is_sqlite(database):
        with opened(database) as tables:
            if not tables.has("entity", "id", "title", "permalink"):
                raise unreadable(database, "is no database of Basic Memory: it has no table `entity`")
            yield from _database(tables, reading)
    else:
        yield from _folder(path, reading)


# A folder


def _folder(path: Path, reading: Reading) -> Iterator[Item]:
    root, files = notes(path)
    names = _Names()
    for file in files:
        text, _ = _read(file)
        front, _ = front_matter.split(text)
        place = file.relative_to(root).as_posix()
        names.add(_permalink(front, place), string(front.get("title")), place, PurePosixPath(place).stem)
    for file in files:
        place = file.relative_to(root).as_posix()
        text, written = _read(file)
        if written is None:
            yield Problem(place, f"cannot be read: {text}")
            continue
        front, body = front_matter.split(text)
        title = string(front.get("title")) or PurePosixPath(place).stem
        at = _said(front, reading) or written
        yield from _items(_Note(place, _permalink(front, place), title, front, body, at, written), names)


def _read(file: Path) -> tuple[str, datetime | None]:
    """Return the text of a file and when it was written; of one that can't be read the reason, and no time."""
    try:
        text = file.read_bytes().decode("utf-8-sig", "surrogateescape")
        return text, datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as err:
        return str(err.strerror), None


def _permalink(front: Mapping[str, Json], place: str) -> str:
    return string(front.get("permalink")) or _plain(place)


def _said(front: Mapping[str, Json], reading: Reading) -> datetime | None:
    for name in ("created", "created_at", "date"):
        try:
            if at := stamp(front.get(name), reading.zone or UTC):
                return at
        except TimeError:
            continue
    return None


# A database


def _database(tables: Tables, reading: Reading) -> Iterator[Item]:
    projects = _by_id(tables, "project", "name")
    bodies = _by_id(tables, "note_content", "markdown_content", of="entity_id")
    names, found = _Names(), dict[str, dict[str, Json]]()
    for row in tables.rows("entity"):
        if isinstance(row, Problem):
            yield row
            continue
        given = row[1]
        permalink = string(given.get("permalink")) or _plain(string(given.get("file_path")))
        names.add(permalink, string(given.get("title")), string(given.get("file_path")))
        found[string(given.get("id"))] = {**given, "permalink": permalink, "where": row[0]}
    unread = 0
    for id, given in found.items():
        body = bodies.get(id)
        if body is None:
            unread += 1
        yield from _entity(given, body, projects, names, reading)
    if unread:
        yield from _tables(tables, found, projects, names, {id for id in found if id not in bodies})


def _by_id(tables: Tables, name: str, column: str, of: str = "id") -> dict[str, str]:
    if not tables.has(name, of, column):
        return {}
    pairs = [row[1] for row in tables.rows(name) if not isinstance(row, Problem)]
    return {string(row.get(of)): string(row.get(column)) for row in pairs}


def _entity(
    given: dict[str, Json], body: str | None, projects: Mapping[str, str], names: _Names, reading: Reading
) -> Iterator[Item]:
    where = string(given.get("where"))
    try:
        zone = reading.zone or UTC  # Basic Memory keeps UTC without saying so
        at, changed = (stamp(given.get(name), zone, name) for name in ("created_at", "updated_at"))
    except TimeError as err:
        yield Problem(where, str(err))
        return
    front, text = ({}, "") if body is None else front_matter.split(body)
    if body is None:
        front = inner(given.get("entity_metadata"))
        yield Passed("notes whose text is in their files only: import their folder too")
    project = projects.get(string(given.get("project_id")), "")
    place, title = string(given.get("file_path")), string(given.get("title"))
    note = _Note(place, string(given.get("permalink")), title, front, text, at, changed, project)
    if text.strip():
        yield from _items(note, names)


def _tables(
    tables: Tables,
    found: Mapping[str, dict[str, Json]],
    projects: Mapping[str, str],
    names: _Names,
    wanted: set[str],
) -> Iterator[Item]:
    """Yield observations and relations of notes whose text the database does not have."""
    for row in tables.rows("observation") if tables.has("observation", "entity_id", "content") else ():
        if isinstance(row, Problem):
            yield row
            continue
        where, given = row
        entity = found.get(string(given.get("entity_id")))
        if entity is None or string(given.get("entity_id")) not in wanted:
            continue
        note = _Note(
            string(entity.get("file_path")), string(entity.get("permalink")), string(entity.get("title")), {}, "",
            stamp(entity.get("created_at"), UTC), None, projects.get(string(entity.get("project_id")), ""),
        )  # fmt: skip
        tags = [string(tag) for tag in rows(decoded(given.get("tags")))]
        told = string(given.get("category")), string(given.get("context")), tags
        yield from _observation(note, string(given.get("content")), *told, where=where)
    for row in tables.rows("relation") if tables.has("relation", "from_id", "to_name") else ():
        if isinstance(row, Problem):
            yield row
        elif string(row[1].get("from_id")) in wanted:
            source = found[string(row[1].get("from_id"))]
            target = names.key(string(row[1].get("to_name")))
            relation, context = string(row[1].get("relation_type")), string(row[1].get("context"))
            yield Edge(f"note:{string(source.get('permalink'))}", target, relation or LINKS_TO, context)


# A note


def _items(note: _Note, names: _Names) -> Iterator[Item]:
    if not note.body.strip():
        yield Passed("notes without text")
        return
    yield from _documents(note)
    linked: set[str] = set()
    fenced = False
    for line in note.body.splitlines():
        fenced ^= bool(_CODE.match(line))
        if fenced:
            continue
        if (match := _OBSERVATION.match(line)) and not _BOX.match(match[1]):
            context = _CONTEXT.search(match[2])
            text = match[2][: context.start()] if context else match[2]
            told = match[1].strip(), context[1] if context else "", _TAG.findall(text)
            yield from _observation(note, text.strip(), *told, where=note.path)
        elif match := _RELATION.match(line):
            target = names.key(match[2].partition("|")[0])
            linked.add(target)
            yield Edge(f"note:{note.permalink}", target, match[1].strip(), match[3] or "")
    for target in dict.fromkeys(names.key(match[1]) for match in _WIKI.finditer(note.body)):
        if target not in linked and target != f"note:{note.permalink}":
            yield Edge(f"note:{note.permalink}", target, LINKS_TO)


def _documents(note: _Note) -> Iterator[Item]:
    seen: dict[str, int] = {}
    for number, section in enumerate(sections(note.body)):
        name = " > ".join(section.headings)
        seen[name] = seen.get(name, 0) + 1
        again = f"~{seen[name]}" if seen[name] > 1 else ""
        own = named(title=note.title, path=note.path, permalink=note.permalink, headings=[*section.headings])
        front = {key: value for key, value in note.front.items() if key not in _OWN}
        yield Record(
            key=f"note:{note.permalink}" + (f"#{name}{again}" if number else ""),
            text=section.text,
            where=f"{note.path} {name}".strip(),
            kind="document",
            at=note.at,
            changed=note.changed,
            project=note.project,
            metadata={**named(**front), **own, **named(note_type=string(note.front.get("type")))},
            source=f"basic-memory:{note.path}",
        )


def _observation(
    note: _Note, text: str, category: str, context: str, tags: list[str], *, where: str
) -> Iterator[Item]:
    if not text:
        yield Passed("observations without words")
        return
    key = f"observation:{digest(note.permalink, category, text)}"
    yield Record(
        key=key,
        text=text,
        where=where,
        kind="observation",
        at=note.at,
        project=note.project,
        metadata=named(category=category, context=context, tags=[*tags], title=note.title),
        source=f"basic-memory:{note.path}",
    )
    yield Edge(key, f"note:{note.permalink}", ABOUT)
