"""What an order to erase takes along: the memories that fit, what cites them, the links on them; deletes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simonides.errors import InputError, NotFound
from simonides.ledger import filters
from simonides.ledger.canonical import decode
from simonides.ledger.events import ERASE
from simonides.ledger.sql import Connection, numbers
from simonides.types import Json

IDS = re.compile(r"[0-9a-f]{32}")
"""Finds ids in JSON."""
IN_ROWS = "IN (SELECT value FROM json_each(?))"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be erased: memories that fit all that is said, in any of their versions.

    Attributes:
        ids: these memories (or links) only; None for all.
        around: only these memories and what a link, of any time, joins with them.
        scopes: only in scopes of these numbers.
        where: only with such metadata.
        before: only what was said before this microsecond.
        mentions: only what this says yes to, asked of each text of a memory (its own, speaker, source, metadata,
            attributes, reason) and of each text of a link.
        everything: whether it may be all there is.
    """

    ids: tuple[bytes, ...] | None = None
    around: tuple[bytes, ...] | None = None
    scopes: tuple[int, ...] | None = None
    kinds: tuple[str, ...] | None = None
    where: filters.Node | None = None
    before: int | None = None
    mentions: Callable[[str], bool] | None = None
    everything: bool = False

    @property
    def says_nothing(self) -> bool:
        """Tell whether it limits nothing."""
        return all(
            part is None
            for part in (
                self.ids,
                self.around,
                self.scopes,
                self.kinds,
                self.where,
                self.before,
                self.mentions,
            )
        )


@dataclass(slots=True)
class Doomed:
    """What is to go.

    Attributes:
        derived: those of `memories` that go because they cite another one.
    """

    memories: set[bytes] = field(default_factory=set[bytes])
    links: set[bytes] = field(default_factory=set[bytes])
    derived: set[bytes] = field(default_factory=set[bytes])


def choose(
    connection: Connection, selection: Selection, *, links: bool = True, derived: bool = True
) -> Doomed:
    """Return what a selection takes along.

    Args:
        links: False refuses when a link hangs on one of the memories.
        derived: whether memories that cite one of them go too, and those that cite these.

    Raises:
        NotFound: nothing fits, or an id is not there.
        InputError: the selection says nothing, or it is all that the store holds, and it doesn't say `everything`.
    """
    if selection.says_nothing and not selection.everything:
        way_out = "Say which memories; or, for all of them, everything=True (--everything)."
        raise InputError("erase", "must say what is to be erased", "", way_out)
    doomed = _chosen(connection, selection)
    if not doomed.memories and not doomed.links:
        raise NotFound("erase", "nothing fits", "", "`list` with the same filters shows what there is.")
    if selection.ids is None and not selection.everything:
        _refuse_all(connection, doomed)
    if derived:
        doomed.derived = _derived(connection, doomed.memories) - doomed.memories
        doomed.memories |= doomed.derived
    hanging = _hanging(connection, doomed.memories)
    if hanging and not links:
        rule = f"{len(hanging)} links hang on what is to be erased"
        raise InputError(
            "links", rule, "", "Unlinked ones hang on it too; leave links=False out to erase them."
        )
    doomed.links |= hanging
    return doomed


def _chosen(connection: Connection, selection: Selection) -> Doomed:
    if selection.around is not None:
        near = _given(connection, selection.around).memories | _joined(connection, selection.around)
        near = near if selection.ids is None else near & set(selection.ids)
        return _chosen(connection, replace(selection, around=None, ids=tuple(near)))
    doomed = Doomed() if selection.ids is None else _given(connection, selection.ids)
    fitting = set(_fitting(connection, selection))
    if selection.ids is None:
        doomed.memories = fitting
        if selection.mentions is not None:
            doomed.links = set(_fitting_links(connection, selection, selection.mentions))
    else:
        doomed.memories &= fitting
    return doomed


def _joined(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Return the other ends of all links that these memories ever had."""
    query = "SELECT source, target FROM link WHERE source = ? OR target = ?"
    ends = (row for id in ids for row in connection.execute(query, (id, id)).fetchall())
    return {bytes(end) for row in ends for end in row}


def _fitting(connection: Connection, selection: Selection) -> Iterator[bytes]:
    """Yield the memories of which a version fits; those that `ids` names are all there is to look at, if it does."""
    condition, values = _condition(selection)
    columns = "m.id, m.metadata, m.text, m.speaker, m.reason, m.source, m.attributes"
    needed = columns if selection.mentions is not None else "m.id, m.metadata"
    where, mentions = selection.where, selection.mentions
    if selection.ids is None:
        searches = [("1 = 1", ())]
    else:
        searches = [(f"m.id IN ({marks})", some) for marks, some in portions(sorted(selection.ids))]
    for chosen, some in searches:
        query = f"SELECT {needed} FROM memory m WHERE {chosen} AND {condition}"
        for id, metadata, *texts in _rows(connection, query, (*some, *values)):
            if where is not None and not filters.matches(where, decode(metadata)):
                continue
            if mentions is None or any(map(mentions, _strings(metadata, *texts))):
                yield bytes(id)


def _fitting_links(
    connection: Connection, selection: Selection, mentions: Callable[[str], bool]
) -> Iterator[bytes]:
    """Yield the links whose own texts say it, and which touch a memory that fits otherwise."""
    around = set(_fitting(connection, replace(selection, mentions=None)))
    query = "SELECT l.id, l.source, l.target, l.relation, l.evidence, l.reason FROM link l"
    for id, source, target, *texts in _rows(connection, query, ()):
        if any(map(mentions, texts)) and not around.isdisjoint((bytes(source), bytes(target))):
            yield bytes(id)


def _strings(metadata: str | None, text: str, *rest: str | None) -> Iterator[str]:
    """Yield the texts of a version; what is JSON is taken apart, so that no escape hides a word."""
    speaker, reason, source, attributes = rest
    yield from (each for each in (text, speaker, reason) if each)
    for column in (metadata, source, attributes):
        yield from _inside(decode(column))


def _inside(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _inside(part)
    elif isinstance(value, list):
        for part in value:
            yield from _inside(part)


def _given(connection: Connection, ids: Sequence[bytes]) -> Doomed:
    """Return which of the ids are memories and which are links."""
    doomed = Doomed()
    for id in ids:
        for noun, found in (("memory", doomed.memories), ("link", doomed.links)):
            if connection.execute(f"SELECT 1 FROM {noun} WHERE id = ? LIMIT 1", (id,)).fetchone():
                found.add(id)
                break
        else:
            query = "SELECT seq FROM event WHERE subject = ? AND verb = ? LIMIT 1"
            gone = connection.execute(query, (id, ERASE)).fetchone()
            rule = (
                f"was erased already, see event {gone[0]}" if gone else "no such memory or link in this store"
            )
            raise NotFound(f"memory {id.hex()}", rule, "", "`list` shows what there is.")
    return doomed


def _condition(selection: Selection) -> tuple[str, list[object]]:
    conditions, values = list[str](), list[object]()
    if selection.scopes is not None:
        conditions.append(f"m.scope {IN_ROWS}")
        values.append(numbers(selection.scopes))
    if selection.kinds is not None:
        conditions.append(
            f"m.kind IN ({', '.join('?' * len(selection.kinds))})" if selection.kinds else "1 = 0"
        )
        values += selection.kinds
    if selection.before is not None:
        conditions.append("m.valid_from < ?")
        values.append(selection.before)
    return " AND ".join(conditions) or "1 = 1", values


def _refuse_all(connection: Connection, doomed: Doomed) -> None:
    whole = int(connection.execute("SELECT count(DISTINCT id) FROM memory").fetchone()[0])
    if whole > 1 and len(doomed.memories) == whole:
        way_out = "If that is meant, say everything=True (--everything)."
        raise InputError("erase", "this is every memory in the store", f"{whole} memories", way_out)


def _derived(connection: Connection, ids: set[bytes]) -> set[bytes]:
    """Return the memories that cite these, those that cite them, and so on."""
    query = "SELECT id, source FROM memory WHERE source LIKE ?"
    citing: dict[bytes, set[bytes]] = {}
    for id, source in _rows(connection, query, ('%"memory":"%',)):
        for cited in IDS.findall(source):
            citing.setdefault(bytes.fromhex(cited), set()).add(bytes(id))
    found, edge = set[bytes](), set(ids)
    while edge:
        edge = {id for cited in edge for id in citing.get(cited, ())} - found
        found |= edge
    return found


def _hanging(connection: Connection, ids: set[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for marks, some in portions(sorted(ids)):
        for end in ("source", "target"):
            rows = connection.execute(
                f"SELECT DISTINCT id FROM link WHERE {end} IN ({marks})", some
            ).fetchall()
            found.update(bytes(row[0]) for row in rows)
    return found


def portions(ids: Sequence[bytes]) -> Iterator[tuple[str, Sequence[bytes]]]:
    """Yield ids a few hundred at a time, each time with the marks that stand for them in a statement."""
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        yield ", ".join("?" * len(some)), some


def _rows(connection: Connection, query: str, values: Sequence[object]) -> Iterator[tuple[Any, ...]]:
    cursor = connection.execute(query, values)
    while rows := cursor.fetchmany(2000):
        yield from rows
