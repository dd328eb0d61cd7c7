"""A store as plain records and back, without loss; knows the tables, and no file format beyond JSON values.

The first record is a header, then come the versions of memories, those of links, when memories expire, the rules of
retention, and the log, each in the order in which it was written. Derived data are not in it: they are made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from simonides.clock import FOREVER
from simonides.errors import InputError
from simonides.ledger import counters, derived, erase, events, proof, retention
from simonides.ledger.events import Deed
from simonides.ledger.expiry import set_expiry
from simonides.ledger.memories import Batch
from simonides.ledger.records import (
    Record,
    edge_of,
    entry_of,
    event_record,
    expiry_of,
    expiry_record,
    link_record,
    memory_record,
    rule_of,
    rule_record,
    version_of,
)
from simonides.ledger.rows import (
    INSERT_LINK,
    INSERT_MEMORY,
    LINK,
    SCOPED,
    Edge,
    Version,
    link_digest,
    memory_digest,
)
from simonides.ledger.rules import Lexical
from simonides.ledger.sql import Connection, Taken
from simonides.settings import Settings
from simonides.types import Json, Scope

FORMAT = 1
"""Grows when a record changes its meaning."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What `undump` took in: versions of memories and of links, events; and what it left out.

    Attributes:
        skipped: versions that were there already.
        erased: versions left out because they were erased here.
    """

    memories: int = 0
    links: int = 0
    events: int = 0
    skipped: int = 0
    erased: int = 0


def dump(connection: Connection) -> Iterator[dict[str, Json]]:
    """Iterate over the records of a store, seen through one transaction."""
    count, digest = events.head(connection)
    yield {"type": "simonides", "format": FORMAT, "events": count, "head": digest.hex()}
    query = f"SELECT {SCOPED} FROM memory m JOIN scope s ON s.scope = m.scope ORDER BY m.row"
    for columns in _rows(connection, query):
        yield memory_record(Version._make(columns[: len(Version._fields)]), columns[len(Version._fields) :])
    for columns in _rows(connection, f"SELECT {LINK} FROM link l ORDER BY l.row"):
        yield link_record(Edge._make(columns))
    for columns in _rows(connection, "SELECT id, at, action FROM expiry ORDER BY id"):
        yield expiry_record(*columns)
    for rule in retention.rules(connection):
        yield rule_record(rule)
    for row in events.entries(connection):
        yield event_record(row)


def undump(
    connection: Connection,
    batch: Batch,
    records: Iterable[Record],
    settings: Settings,
    analyse: Callable[[str], Lexical],
    *,
    even_erased: bool = False,
) -> Counts:
    """Write records in the transaction of `batch`; see `Ledger.undump`."""
    taker = Taker(connection, batch, settings, analyse, even_erased=even_erased)
    for number, record in enumerate(records, 1):
        try:
            taker.take(record)
        except InputError as err:
            err.add_note(f"In record {number}.")
            raise
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, Taken) as err:
            rule = f"is not a record of an export ({type(err).__name__}: {err})"
            raise InputError(
                f"record {number}", rule, record, "Make it again with `simonides export`."
            ) from err
    return taker.finish()


class Taker:
    """Takes in records one by one.

    Rows go in with the event numbers of their own log, negative; `finish` either keeps those numbers (an empty store
    that gets the whole log) or writes an event of import for each.
    """

    def __init__(
        self,
        connection: Connection,
        batch: Batch,
        settings: Settings,
        analyse: Callable[[str], Lexical],
        *,
        even_erased: bool = False,
    ) -> None:
        self._connection = connection
        self._batch = batch
        self._settings = settings
        self._analyse = analyse
        self._began = batch.next_seq
        self._header: Record | None = None
        self._counts = {"memory": 0, "link": 0, "event": 0, "skipped": 0, "erased": 0}
        self._invented = 0
        self._empty = connection.execute("SELECT 1 FROM memory UNION SELECT 1 FROM event").fetchone() is None
        self._gone = set[bytes]() if even_erased else erase.erased_ids(connection)
        self._new: set[bytes] = set()

    @property
    def whole(self) -> bool:
        """Tell whether the store becomes the one that was dumped, log and all."""
        return self._empty and self._header is not None

    def take(self, record: Record) -> None:
        """Take one record in."""
        kind = record.get("type")
        if kind == "simonides":
            if record.get("format") != FORMAT:
                way_out = "Upgrade: pip install --upgrade simonides."
                raise InputError("export", f"has another format than {FORMAT}", record.get("format"), way_out)
            self._header = record
        elif kind == "memory":
            self._take_memory(record)
        elif kind == "link":
            self._take_link(record)
        elif kind == "expiry":
            self._take_expiry(record)
        elif kind == "retention":
            self._take_rule(record)
        elif kind == "event":
            if self.whole:
                self._connection.execute(events.INSERT, entry_of(record))
                self._counts["event"] += 1
        else:
            raise InputError(
                "record", "type must be simonides, memory, link, expiry, retention or event", kind
            )

    def finish(self) -> Counts:
        """Number the events and return what was taken in.

        Raises:
            InputError: the log in the records is not whole, or doesn't fit the rows.
        """
        self._require_ends()
        self._require_one_truth()
        if self.whole:
            for table in ("memory", "link"):
                self._connection.execute(f"UPDATE {table} SET opened = -opened, closed = -closed")
            self._prove()
        else:
            self._log_import()
        counts = self._counts
        return Counts(counts["memory"], counts["link"], counts["event"], counts["skipped"], counts["erased"])

    def _take_memory(self, record: Record) -> None:
        row, scope = version_of(record, self._settings)
        if self._skips("memory", row.id) or self._erased(row.id):
            return
        self._new.add(row.id)
        opened, closed = self._numbers(record, row.recorded_to)
        row = row._replace(scope=self._batch.scope_number(scope), opened=opened, closed=closed)
        lexical = self._analyse(row.text)
        made = counters.draw(self._connection, "memory")
        self._connection.execute(INSERT_MEMORY, (made, *row[1:]))
        run = self._connection.execute
        run(
            "INSERT INTO lexical (row, words, tokens) VALUES (?, ?, ?)", (made, lexical.words, lexical.tokens)
        )
        run("INSERT INTO job (kind, row, created) VALUES (?, ?, ?)", (derived.READ, made, self._batch.now))
        self._counts["memory"] += 1

    def _take_link(self, record: Record) -> None:
        row = edge_of(record, self._settings)
        if self._skips("link", row.id) or self._erased(row.id, row.source, row.target):
            return
        opened, closed = self._numbers(record, row.recorded_to)
        number = counters.draw(self._connection, "link")
        self._connection.execute(INSERT_LINK, (number, *row._replace(opened=opened, closed=closed)[1:]))
        self._counts["link"] += 1

    def _take_expiry(self, record: Record) -> None:
        """Take the end of a memory, if the memory is new here."""
        id, at, action = expiry_of(record)
        if id in self._new:
            set_expiry(self._connection, id, at, action)

    def _take_rule(self, record: Record) -> None:
        """Take a rule along with a whole store; another store's rules are not ours."""
        if self.whole:
            retention.write_rule(self._connection, rule_of(record))

    def _erased(self, *ids: bytes) -> bool:
        """Tell whether one of these was erased here, so that what is about it stays out."""
        gone = not self._gone.isdisjoint(ids)
        self._counts["erased"] += gone
        return gone

    def _skips(self, table: str, id: bytes) -> bool:
        """Tell whether the store had the id before this import."""
        query = f"SELECT 1 FROM {table} WHERE id = ? AND opened > 0 LIMIT 1"
        there = self._connection.execute(query, (id,)).fetchone() is not None
        self._counts["skipped"] += there
        return there

    def _numbers(self, record: Record, recorded_to: int) -> tuple[int, int | None]:
        """Return the event numbers that a record names, negative; invent them where it names none."""
        opened, closed = record.get("opened"), record.get("closed")
        if not isinstance(opened, int):
            self._invented += 1
            return -self._invented, None if recorded_to == FOREVER else -self._invented
        ends = type(closed) is int and closed >= opened
        if type(opened) is not int or opened < 1 or ends != (recorded_to != FOREVER) or (closed and not ends):
            rule = "`opened` and `closed` must be numbers of events, `closed` only if it is not believed any more"
            raise InputError(f"{record.get('type')} {record.get('id')}", rule, repr((opened, closed)))
        return -opened, -closed if type(closed) is int else None

    def _require_ends(self) -> None:
        query = """SELECT hex(l.id) FROM link l WHERE l.opened < 0 AND (
            NOT EXISTS (SELECT 1 FROM memory m WHERE m.id = l.source)
            OR NOT EXISTS (SELECT 1 FROM memory m WHERE m.id = l.target)) LIMIT 1"""
        loose = self._connection.execute(query).fetchone()
        if loose is not None:
            rule = "it joins a memory that is not there"
            raise InputError(f"link {loose[0].lower()}", rule, "", "Import the memories with their links.")

    def _require_one_truth(self) -> None:
        query = """SELECT hex(a.id) FROM memory a JOIN memory b ON b.id = a.id AND b.version <> a.version
            WHERE a.opened < 0 AND a.recorded_to = ? AND b.recorded_to = ?
            AND a.valid_from < b.valid_to AND b.valid_from < a.valid_to LIMIT 1"""
        double = self._connection.execute(query, (FOREVER, FOREVER)).fetchone()
        if double is not None:
            rule = "its versions contradict each other about when they hold"
            raise InputError(f"memory {double[0].lower()}", rule, "", "Export it again.")

    def _prove(self) -> None:
        header = self._header
        assert header is not None
        result = proof.verify(self._connection)
        way_out = "Export again; or leave out its first record to import the memories with a new log."
        if not result.ok:
            raise InputError("export", "its log does not fit its memories", result.problems[0], way_out)
        if (result.events, result.head) != (header["events"], header["head"]):
            raise InputError("export", "its log is not whole", f"{result.events} events", way_out)

    def _log_import(self) -> None:
        """Write an event for each event of the other log, in its order, and give its number to the rows."""
        query = """SELECT -opened, 0, row, 'memory', id FROM memory WHERE opened < 0
            UNION ALL SELECT -closed, 1, row, 'memory', id FROM memory WHERE closed < 0
            UNION ALL SELECT -opened, 0, row, 'link', id FROM link WHERE opened < 0
            UNION ALL SELECT -closed, 1, row, 'link', id FROM link WHERE closed < 0
            ORDER BY 1, 4, 5, 2, 3"""
        marks = self._connection.execute(query).fetchall()
        for (_, noun, id), group in groupby(marks, key=lambda mark: (mark[0], mark[3], mark[4])):
            deed, seq = Deed("import", id, "imported", facts={"noun": noun}), self._batch.next_seq
            for _, closes, row, _, _ in group:
                version, recorded_to, digest = self._facts(noun, row)
                if closes:
                    deed.closed[str(version)] = recorded_to
                else:
                    deed.opened[str(version)] = digest
                column = "closed" if closes else "opened"
                self._connection.execute(f"UPDATE {noun} SET {column} = ? WHERE row = ?", (seq, row))
            self._batch.log(deed)
            self._counts["event"] += 1
        self._batch.flush()

    def _facts(self, noun: str, number: int) -> tuple[int, int, str]:
        if noun == "link":
            query = f"SELECT {LINK} FROM link l WHERE l.row = ?"
            edge = Edge._make(self._connection.execute(query, (number,)).fetchone())
            return edge.version, edge.recorded_to, link_digest(edge)
        query = f"SELECT {SCOPED} FROM memory m JOIN scope s ON s.scope = m.scope WHERE m.row = ?"
        columns = self._connection.execute(query, (number,)).fetchone()
        row = Version._make(columns[: len(Version._fields)])
        return row.version, row.recorded_to, memory_digest(row, Scope(*columns[len(Version._fields) :]))


def _rows(connection: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    cursor = connection.execute(query)
    while rows := cursor.fetchmany(2000):
        yield from rows
