"""Undoing an applied set of changes, found by any of its events; knows the log and the rows, and no change type.

What a set did is read from the log and from the rows that name its events, never from the texts. An undo is a set like
any other, so undoing it redoes. Whatever came later and still counts on the same memories and links stands in the way;
a later set that was itself undone does not. What was erased since is no part of a set any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from simonides.clock import FOREVER
from simonides.errors import Conflict, InputError, NotFound
from simonides.ledger import bitemporal, links
from simonides.ledger.bitemporal import Edit, Opening
from simonides.ledger.canonical import decode
from simonides.ledger.events import COLUMNS, ERASE, Deed, Entry
from simonides.ledger.memories import Batch
from simonides.ledger.rows import LINK, Edge
from simonides.ledger.sql import Connection
from simonides.types import Json, Undone

_POLICIES = {
    **dict.fromkeys(("rule", "unrule"), ("a retention rule", "Add or drop the rule with `retention`.")),
    **dict.fromkeys(("issue", "rotate", "revoke"), ("a credential", "`token` issues and revokes them.")),
}
"""Events about what is no memory and no link: what that is, and the way to change it."""
_ONE_AFTER_THE_OTHER = 500


@dataclass(slots=True)
class _Applied:
    """What an earlier apply() wrote.

    Attributes:
        number: the first of its events.
        last: the last of them.
        nouns: ``memory`` or ``link`` for each id it is about, in order.
        ends: what a memory's expiry was before it, where it changed that.
    """

    number: int
    last: int
    nouns: dict[bytes, str] = field(default_factory=dict[bytes, str])
    ends: dict[bytes, tuple[int, str]] = field(default_factory=dict[bytes, tuple[int, str]])


def undo(batch: Batch, seq: int, *, reason: str = "undone") -> Undone:
    """Undo the set of changes to which an event belongs, in the transaction of `batch`.

    Raises:
        NotFound: there is no such event.
        InputError: it was an erasure, it is about something erased since, or about a retention rule or a credential.
        Conflict: something newer changed the same memory or link, or it was undone already; names the newer event.
    """
    applied = _applied(batch.connection, seq)
    _require_last(batch.connection, applied)
    closed: list[tuple[str, int]] = []
    reopened: list[tuple[str, int]] = []
    began = len(batch.seqs)
    for id, noun in applied.nouns.items():
        deed = Deed("undo", id, reason, facts={"undone": applied.number})
        old = _undo_link(batch, deed, applied) if noun == "link" else _undo_memory(batch, deed, applied)
        closed += [(id.hex(), int(version)) for version in deed.closed]
        reopened += [(id.hex(), version) for version in old]
    batch.flush()
    return Undone(
        state="undone",
        undone=applied.number,
        ids=tuple(id.hex() for id in applied.nouns),
        closed=tuple(closed),
        reopened=tuple(reopened),
        seqs=tuple(batch.seqs[began:]),
    )


def _undo_memory(batch: Batch, deed: Deed, applied: _Applied) -> list[int]:
    id = deed.subject
    if id in applied.ends:
        at, action = applied.ends[id]
        batch.set_end(deed, at, action)
    ending, coming = bitemporal.rewind(batch.rows("m.id = ?", id), applied.number)
    batch.record(Edit(tuple(ending), tuple(Opening(row, row.row) for row in coming)), deed)
    return [row.version for row in coming]


def _undo_link(batch: Batch, deed: Deed, applied: _Applied) -> list[int]:
    deed.facts["noun"] = "link"
    query = f"SELECT {LINK} FROM link l WHERE l.id = ? ORDER BY l.version"
    rows = [Edge._make(row) for row in batch.connection.execute(query, (deed.subject,)).fetchall()]
    ending, coming = bitemporal.rewind(rows, applied.number)
    links.record(batch, ending, coming, deed)
    return [row.version for row in coming]


def _applied(connection: Connection, seq: int) -> _Applied:
    """Return the set of an event.

    Raises:
        NotFound: there is no such event. InputError: it can't be undone.
    """
    chosen = _event(connection, seq)
    if chosen is None:
        raise NotFound(f"event {seq}", "no such event in the log", "", "`log list` shows what was done.")
    _require_undoable(chosen)
    events = [*_members(connection, chosen)]
    applied = _Applied(_set(chosen), events[-1].seq)
    for event in events:
        facts = decode(event.payload)
        noun = "link" if event.verb in ("link", "unlink") or facts.get("noun") == "link" else "memory"
        applied.nouns.setdefault(event.subject, noun)
        if "before" in facts and event.subject not in applied.ends:
            before = facts["before"]
            end = (int(str(before[0])), str(before[1])) if isinstance(before, list) else (FOREVER, "retire")
            applied.ends[event.subject] = end
    return applied


def _members(connection: Connection, chosen: Entry) -> Iterator[Entry]:
    """Yield the events of the set that one belongs to, in order, without those about what was erased since."""
    if "set" not in decode(chosen.payload):
        yield chosen
        return
    number = _set(chosen)
    after = number - 1
    while True:
        query = f"SELECT {COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        found = connection.execute(query, (after, _ONE_AFTER_THE_OTHER)).fetchall()
        for row in map(Entry._make, found):
            if row.payload is not None and _set(row) != number:
                return
            if row.payload is not None:
                yield row
        if len(found) < _ONE_AFTER_THE_OTHER:
            return
        after = found[-1][0]


def _require_undoable(event: Entry) -> None:
    way_out = "What is erased is gone for good."
    if event.verb == ERASE:
        raise InputError(f"event {event.seq}", "is an erasure, which can't be undone", "", way_out)
    if event.payload is None:
        rule = "is about something that was erased since"
        raise InputError(f"event {event.seq}", rule, "", way_out)
    if event.verb in _POLICIES:
        what, way_out = _POLICIES[event.verb]
        raise InputError(f"event {event.seq}", f"is about {what}", "", way_out)


def _require_last(connection: Connection, applied: _Applied) -> None:
    """Refuse when a later set still counts: later ones that undid one another are passed over."""
    later: dict[int, tuple[Entry, int]] = {}
    for id in applied.nouns:
        query = f"SELECT {COLUMNS} FROM event WHERE subject = ? AND seq > ? ORDER BY seq"
        for row in map(Entry._make, connection.execute(query, (id, applied.last)).fetchall()):
            facts = decode(row.payload)
            later.setdefault(_set(row), (row, _number(facts, "undone")))
    passed: set[int] = set()
    for number in sorted(later, reverse=True):
        if number in passed:
            continue
        event, undoes = later[number]
        if undoes == applied.number:
            rule, way_out = (
                f"was undone already, by event {event.seq}",
                f"Undoing event {event.seq} redoes it.",
            )
            raise Conflict(f"event {applied.number}", rule, "", way_out)
        if undoes not in later:
            rule = f"event {event.seq} ({event.verb}) changed {event.subject.hex()} since"
            way_out = f"Undo event {event.seq} first, or change the memory itself."
            raise Conflict(f"event {applied.number}", rule, "", way_out)
        passed.add(undoes)


def _event(connection: Connection, seq: int) -> Entry | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM event WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else Entry._make(row)


def _set(event: Entry) -> int:
    return _number(decode(event.payload), "set") or event.seq


def _number(facts: Mapping[str, Json], name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0


def planned(undone: Undone) -> Undone:
    """Return what an undo would do."""
    return Undone("planned", undone.undone, undone.ids, undone.closed, undone.reopened)
