"""The ledger: the one object through which memories, links, the log and derived data are written and read.

Puts functions of this floor together and decides nothing itself; knows no search, no model and no door.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from simonides.clock import Clock, micros, parse_id
from simonides.errors import SimonidesError
from simonides.ledger import (
    counters,
    derived,
    erase,
    events,
    filters,
    links,
    mending,
    opening,
    portable,
    proof,
    reading,
    remains,
    replays,
    retention,
    undo,
    upkeep,
)
from simonides.ledger.calls import Book
from simonides.ledger.check import Finding
from simonides.ledger.derived import Code
from simonides.ledger.drivers import STANDARD, Driver
from simonides.ledger.jobs import Queue
from simonides.ledger.memories import Batch
from simonides.ledger.mending import Damage
from simonides.ledger.once import Once, require_new
from simonides.ledger.portable import Counts
from simonides.ledger.proof import Verification
from simonides.ledger.reading import Moment, Page
from simonides.ledger.replays import Done, Replay
from simonides.ledger.rows import Fresh
from simonides.ledger.rules import Lexical, checked_count, checked_kinds, checked_name, prepare
from simonides.ledger.selection import Selection
from simonides.ledger.staging import Staging
from simonides.ledger.upkeep import Manner, Writer
from simonides.settings import Settings
from simonides.types import (
    Change,
    Erasure,
    Event,
    Json,
    Link,
    Memory,
    Progress,
    Receipt,
    Rule,
    Scope,
    Undone,
    Upkeep,
)

_AT_ONCE = 2000
"""Rows analysed in one transaction while words are made again."""


class Ledger:
    """One SQLite file of memories, or a tenant's in PostgreSQL; for any number of threads and processes at once.

    Attributes:
        path: the file, ``:memory:``, or the address of the server without its password.
        database: the connections, for those who need a transaction of their own.
        jobs: the work that is still to be done.
        calls: the model calls that left the machine.
        staging: the codes of a model that is to take the place of the one that is served.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock,
        settings: Settings,
        analyse: Callable[[str], Lexical],
        tracer: Callable[[str], None] | None = None,
        driver: Driver = STANDARD,
    ) -> None:
        """Open the file; make it when it is missing and migrate it when it is old.

        Args:
            analyse: makes the words of a text; called before the write lock is taken.
            tracer: is given every SQL statement, with its values.
            driver: opens the connections to the file; an `encrypted.Vault` encrypts it.

        Raises:
            StoreUnusable: the path is a directory, another program's file, not writable, damaged ...
            NewerStore: the file was written by a newer simonides.
            StoreBusy: others held the file for longer than `settings.busy_seconds`.
        """
        self._clock = clock
        self._settings = settings
        self._analyse = analyse
        self._scopes: dict[Scope, int] = {}
        self.database = opening.opened(path, settings, tracer, driver)
        self.path = self.database.path
        self.jobs = Queue(self.database, self._now)
        self.calls = Book(self.database, self._now)
        self.staging = Staging(self.database, self._now)

    def apply(
        self,
        changes: Sequence[Change],
        *,
        actor: str = "",
        plan: bool = False,
        analysed: Mapping[str, Lexical] | None = None,
        once: Once | None = None,
        replay: Replay | None = None,
    ) -> tuple[int, ...]:
        """Commit all changes in one transaction, or none; return the numbers of their events.

        Args:
            plan: do everything but the commit, to see whether it would work; returns nothing then.
            analysed: the words of texts that were analysed elsewhere; other texts are analysed here.
            once: refuse memories (Conflict) that share a field of metadata with one written since a look.
            replay: the request that this is for; one that was here before raises `replays.Seen`.

        Raises:
            InputError: a change breaks a rule; its place is in the error's notes when there are several.
            NotFound: it is about a memory or link that doesn't exist.
            Conflict: an id is taken, or `if_version` isn't believed any more.
            StoreError: the store could not do it.
        """
        checked_name(actor, "actor")
        known = analysed or {}

        def prepared(change: Change) -> object:
            return prepare(change, self._settings, lambda text: known.get(text) or self._analyse(text))

        ready = [_placed(place, changes, prepared) for place in range(len(changes))]
        if not ready:
            return ()
        with self.database.writing(keep=not plan) as connection:
            if replay is not None:
                replays.require_new(connection, replay, self._now())
            if once is not None:
                require_new(connection, changes, once)
            several = len(ready) > 1
            batch = Batch(connection, now=self._now(), actor=actor, scopes=self._scopes, several=several)
            for place in range(len(ready)):
                _placed(place, ready, batch.write)
            batch.flush()
            if replay is not None:
                ids = tuple(change.id for change in changes)
                replays.keep(connection, replay, batch.now, Receipt(ids, tuple(batch.seqs)))
        if plan:
            return ()
        self._scopes.update(batch.new_scopes)
        return tuple(batch.seqs)

    def get(self, id: str, *, as_of: datetime | None = None, known_at: datetime | None = None) -> Memory:
        """Return what a memory says at a time: now, or when `as_of` was true, as believed at `known_at`.

        Raises:
            NotFound: no such memory, or it says nothing about that time.
        """
        moment = self._moment(as_of, known_at)
        with self.database.reading() as connection:
            return reading.get(connection, parse_id(id), moment)

    def list(
        self,
        *,
        scope: Scope | Sequence[int] = Scope(),
        kinds: Sequence[str] | None = None,
        where: Mapping[str, Json] | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        limit: int = 100,
        after: str = "",
        newest_first: bool = False,
    ) -> builtins.list[Memory]:
        """Return memories in the order of their ids, each once, as `get` would return it.

        Args:
            scope: fields left empty fit everything; or numbers of scopes, of which none fit nothing.
            after: id of the last one of the page before.
        """
        page = Page(scope, checked_kinds(kinds), _parsed(where), limit, after, newest_first)
        moment = self._moment(as_of, known_at)
        with self.database.reading() as connection:
            return reading.listed(connection, page, moment)

    def history(self, id: str) -> builtins.list[Memory]:
        """Return every version of a memory, oldest first, with who wrote it and why."""
        with self.database.reading() as connection:
            return reading.history(connection, parse_id(id))

    def expand(self, text: str) -> str:
        """Return the whole id of the memory or link whose id ends in these digits (at least 4)."""
        with self.database.reading() as connection:
            return reading.expand(connection, text)

    def shown(self, rows: Sequence[int]) -> dict[int, Memory]:
        """Return the versions in rows, by row, as `load`, without those that have expired."""
        with self.database.reading() as connection:
            return reading.kept(connection, rows, self._now())

    def existing(self, ids: Iterable[str]) -> set[str]:
        """Return those ids that memories have already, ended or not."""
        with self.database.reading() as connection:
            return {id.hex() for id in reading.existing(connection, [parse_id(id) for id in ids])}

    def load(self, rows: Sequence[int]) -> dict[int, Memory]:
        """Return the versions in rows, by row."""
        with self.database.reading() as connection:
            return reading.load(connection, rows)

    def rows_where(
        self, where: Mapping[str, Json], scopes: Sequence[int] | None = None
    ) -> builtins.list[int]:
        """Return the rows of all versions (of any time) whose metadata satisfy a filter, ascending."""
        node = filters.parse(where)
        with self.database.reading() as connection:
            return reading.rows_where(connection, node, scopes)

    def scopes(self, scope: Scope) -> builtins.list[int]:
        """Return the numbers of the scopes that fit: a field left empty fits all."""
        with self.database.reading() as connection:
            return reading.scopes(connection, scope)

    def scope_table(self, after: int = 0) -> builtins.list[tuple[int, Scope]]:
        """Return scopes with a number greater than `after`; a number never changes its meaning."""
        with self.database.reading() as connection:
            return reading.scope_table(connection, after)

    def changed(self) -> tuple[int, int]:
        """Return a token that differs whenever any process has committed in between; takes microseconds."""
        return self.database.token()

    def fresh(self, after_row: int, limit: int = 50_000) -> builtins.list[Fresh]:
        """Return versions with a greater row, in row order, as an index needs them."""
        with self.database.reading() as connection:
            return reading.fresh(connection, after_row, limit)

    def closings(self, after_seq: int) -> tuple[list[tuple[int, int]], int]:
        """Return (row, recorded_to) of what later events closed, and the number of the newest event."""
        with self.database.reading() as connection:
            return reading.closings(connection, after_seq)

    def counters(self) -> dict[str, int]:
        """Return the numbers that only grow, by name: what an index compares to see which part of a store is new."""
        with self.database.reading() as connection:
            return counters.read(connection)

    def erased(self, after_serial: int) -> builtins.list[tuple[int, int]]:
        """Return (serial, row) of rows erased after a serial number, by any process, in that order."""
        with self.database.reading() as connection:
            return reading.erased(connection, after_serial)

    def expiries(self, after_serial: int) -> builtins.list[tuple[int, int, int]]:
        """Return (serial, row, at) of rows whose memory got another end after a serial number, in that order."""
        with self.database.reading() as connection:
            return reading.expiries(connection, after_serial)

    def identity(self) -> str:
        """Return the name of this store, which no copy of its path and no other store has."""
        with self.database.reading() as connection:
            return str(connection.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()[0])

    def head(self) -> tuple[int, str]:
        """Return number and digest (hexadecimal) of the newest event; (0, 64 zeros) for an empty log."""
        with self.database.reading() as connection:
            number, digest = events.head(connection)
        return number, digest.hex()

    def previous(self, rows: Sequence[int]) -> dict[int, int]:
        """Return the row of the turn before, for those rows that are turns of a session and have one."""
        with self.database.reading() as connection:
            return reading.previous(connection, rows)

    def codes(self, rows: Sequence[int], model: int) -> dict[int, Code]:
        """Return the codes that a model made of rows, where there are any."""
        with self.database.reading() as connection:
            return derived.codes(connection, rows, model)

    def pooled(self, model: int, after_row: int = 0, limit: int = 50_000) -> builtins.list[tuple[int, bytes]]:
        """Return (row, vector) of what a model made, in row order."""
        with self.database.reading() as connection:
            return derived.pooled(connection, model, after_row, limit)

    def coded_since(
        self, model: int, after_serial: int, limit: int = 50_000
    ) -> builtins.list[tuple[int, int, bytes]]:
        """Return (serial, row, vector) of what got codes after a serial number, by any process, in that order."""
        with self.database.reading() as connection:
            return derived.coded_since(connection, model, after_serial, limit)

    def put_codes(self, model: int, codes: Sequence[Code]) -> None:
        """Write codes and take their rows from the backlog; rows that are gone are ignored.

        Raises:
            ModelMismatch: the store holds codes of another model.
        """
        with self.database.writing() as connection:
            derived.put_codes(connection, model, codes)

    def backlog(self, limit: int = 1000) -> builtins.list[int]:
        """Return rows that have no codes yet, oldest first."""
        with self.database.reading() as connection:
            return derived.backlog(connection, limit)

    def backlog_size(self) -> int:
        """Return how many rows have no codes yet."""
        with self.database.reading() as connection:
            return derived.backlog_size(connection)

    def model_id(self, identity: Mapping[str, Json], *, create: bool) -> int:
        """Return the number that stands for a model in this store; 0 when it is new here and `create` is false.

        It is 0 too where the store only reads: whoever writes gives the numbers.

        Raises:
            ModelMismatch: the store holds codes of another model.
        """
        with self.database.reading() as connection:
            number = derived.find_model(connection, identity)
        if number or not create or self.database.read_only:
            return number
        with self.database.writing() as connection:
            return derived.make_model(connection, identity)

    def model_identity(self) -> str | None:
        """Return the identity, as JSON, of the model whose codes the store holds; None without codes."""
        with self.database.reading() as connection:
            return derived.model_identity(connection)

    def served(self) -> int:
        """Return the number of the model whose codes are served, 0 without codes; takes microseconds."""
        with self.database.reading() as connection:
            return derived.served(connection)

    def progress(self, ids: Iterable[str]) -> builtins.list[Progress]:
        """Return how far the derived work of memories and links is.

        Raises:
            NotFound: there is none of an id.
        """
        with self.database.reading() as connection:
            return [derived.progress(connection, parse_id(id)) for id in ids]

    def damage(self, *, codes: bool = True) -> Damage:
        """Count the derived data that are missing or damaged; `codes` is false where there is no full tier."""
        with self.database.reading() as connection:
            return mending.damage(connection, codes=codes)

    def mend(self, *, codes: bool = True, progress: Callable[[int], object] | None = None) -> Damage:
        """Make the words that are missing or damaged, and put the codes that are into the backlog."""
        with self.database.writing() as connection:
            found = mending.mend(connection, self._now(), codes=codes)
        self.fill_words(progress=progress)
        return found

    def drop_derived(
        self, what: str, *, model: int = 0, progress: Callable[[int], object] | None = None
    ) -> int:
        """Make derived data again: ``codes`` go to the backlog, ``lexical`` is analysed now, ``all`` is both.

        The codes that are made now will be those of `model`; 0 is whichever comes first. Returns how many rows it
        concerns. Interrupted while it analyses, the rest keep the words they had.
        """
        with self.database.writing() as connection:
            concerned = derived.drop(connection, what, model)
        if what != "codes":
            self.fill_words(anew=True, progress=progress)
        return concerned

    def fill_words(self, *, anew: bool = False, progress: Callable[[int], object] | None = None) -> int:
        """Analyse the texts that have no words, or all `anew`, in small transactions; returns how many there were."""
        read = derived.texts if anew else derived.wordless
        done = last = 0
        while True:
            with self.database.reading() as connection:
                rows = read(connection, last, _AT_ONCE)
            if not rows:
                break
            analysed = [(row, self._analyse(text)) for row, text in rows]
            with self.database.writing() as connection:
                derived.put_words(connection, analysed)
            last, done = rows[-1][0], done + len(rows)
            if progress is not None:
                progress(done)
        if done:  # whoever followed in the meantime took the rows in without words
            with self.database.writing() as connection:
                derived.begin_epoch(connection)
        return done

    def epoch(self) -> int:
        """Return a number that grows whenever derived data were dropped: an index that sees it grow starts over."""
        with self.database.reading() as connection:
            return derived.epoch(connection)

    def links(
        self,
        *,
        of: str | None = None,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        limit: int = 1000,
    ) -> builtins.list[Link]:
        """Return links that hold at a time, oldest first; `of` is the id of one of their ends."""
        moment = self._moment(as_of, known_at).sql("l")
        with self.database.reading() as connection:
            return links.read(connection, of=of, relation=relation, moment=moment, limit=limit)

    def neighbours(
        self,
        id: str,
        *,
        hops: int = 1,
        relation: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> dict[str, int]:
        """Return the ids that links reach in either direction, with the number of links to them, nearest first."""
        moment = self._moment(as_of, known_at).sql("l")
        with self.database.reading() as connection:
            return links.neighbours(connection, parse_id(id), hops=hops, relation=relation, moment=moment)

    def events(self, *, after: int = 0, limit: int = 100, subject: str = "") -> builtins.list[Event]:
        """Return entries of the log in order, of one memory or link (`subject`) or of all."""
        with self.database.reading() as connection:
            return events.read(connection, after, limit, subject)

    def verify(self, erasure: Erasure | None = None) -> Verification:
        """Compute the chain of the log again, compare every version with the hash in its event, and check a receipt."""
        with self.database.snapshot() as connection:
            found = proof.verify(connection)
            if erasure is None:
                return found
            problems = (*found.problems, *erase.problems(connection, erasure))
        return Verification(found.events, found.head, problems)

    def undo(
        self,
        seq: int,
        *,
        reason: str = "undone",
        actor: str = "",
        plan: bool = False,
        replay: Replay | None = None,
    ) -> Undone:
        """Undo the set of changes to which an event belongs; see `ledger.undo.undo` for what stands in its way."""
        checked_name(actor, "actor")
        with self.database.writing(keep=not plan) as connection:
            if replay is not None:
                replays.require_new(connection, replay, self._now())
            batch = Batch(connection, now=self._now(), actor=actor, several=True)
            done = undo.undo(batch, checked_count(seq, "event"), reason=reason)
            if replay is not None:
                replays.keep(connection, replay, batch.now, done)
        return undo.planned(done) if plan else done

    def erase(
        self,
        selection: Selection,
        manner: Manner | None = None,
        *,
        actor: str = "",
        plan: bool = False,
        replay: Replay | None = None,
    ) -> Erasure:
        """Erase for good, in one transaction over every table, and clean the file; see docs/erasing.md.

        Raises:
            NotFound: nothing fits. InputError: the selection says nothing, or takes everything without saying so.
        """
        return upkeep.erase_chosen(
            self._writer(actor), selection, manner or Manner(), plan=plan, replay=replay
        )

    def seen(self, replay: Replay) -> Done | None:
        """Return the receipt of a request that was here before; None for a new one.

        Raises:
            InputError: the key belongs to another request.
        """
        with self.database.reading() as connection:
            return replays.find(connection, replay, self._now())

    def upkeep(self, *, actor: str = "", plan: bool = False, full: bool = False) -> Upkeep:
        """Retire or erase what has expired, and finish what earlier erasures left pending."""
        return upkeep.upkeep(self._writer(actor), plan=plan, full=full)

    def erased_origins(self) -> Callable[[str], bool]:
        """Return what tells whether something that an importer would bring in was erased here."""
        with self.database.reading() as connection:
            return erase.erased_origins(connection)

    def pending(self) -> tuple[str, ...]:
        """Return what earlier erasures have left to do: ``pages`` and ``log``."""
        return remains.pending(self.database)

    def rules(self) -> builtins.list[Rule]:
        """Return the rules of retention; what is older than one says (`Fresh.born`) is hidden, whatever its own end."""
        with self.database.reading() as connection:
            return retention.rules(connection)

    def add_rule(self, rule: Rule, *, actor: str = "") -> int:
        """Write a rule of retention; return its number."""
        with self.database.writing() as connection:
            batch = self._writer(actor).batch(connection)
            number = retention.add_rule(batch, rule)
            batch.flush()
        return number

    def drop_rule(self, number: int, *, actor: str = "") -> None:
        """Delete a rule of retention; NotFound if there is none of this number."""
        with self.database.writing() as connection:
            batch = self._writer(actor).batch(connection)
            retention.drop_rule(batch, number)
            batch.flush()

    def dump(self) -> Iterator[dict[str, Json]]:
        """Iterate over records that hold everything but derived data, as of one moment."""
        with self.database.snapshot() as connection:
            yield from portable.dump(connection)

    def undump(
        self,
        records: Iterable[Mapping[str, Json]],
        *,
        actor: str = "",
        plan: bool = False,
        even_erased: bool = False,
    ) -> Counts:
        """Take in what `dump` gave, in one transaction: all of it into an empty store, else what is missing by id.

        An empty store becomes the same store, its log included. Otherwise memories and links whose ids are new come
        with all their versions and their times, and the log says that they were imported. What was erased here stays
        out, unless `even_erased` says otherwise.

        Raises:
            InputError: a record is not one of ours, or the log in the records doesn't fit the memories.
        """
        checked_name(actor, "actor")
        with self.database.writing(keep=not plan) as connection:
            batch = Batch(connection, now=self._now(), actor=actor, several=True)
            return portable.undump(
                connection, batch, records, self._settings, self._analyse, even_erased=even_erased
            )

    def check(self) -> builtins.list[Finding]:
        """Return what `doctor` prints: each thing that was looked at, whether it is well, and the fix."""
        return opening.check(self.database)

    def sizes(self) -> dict[str, int]:
        """Return how many memories, versions, links, events, scopes and rows in the backlog there are, and bytes."""
        with self.database.reading() as connection:
            found = reading.sizes(connection, self._now())
        found["bytes"] = opening.size(self.database)
        return found

    def close(self) -> None:
        """Close all connections; closing twice is fine."""
        self.database.close()

    def _writer(self, actor: str) -> Writer:
        return Writer(self.database, self._now(), checked_name(actor, "actor"))

    def _now(self) -> int:
        return micros(self._clock.now())

    def _moment(self, as_of: datetime | None, known_at: datetime | None) -> Moment:
        return Moment(
            self._now(),
            None if as_of is None else micros(as_of),
            None if known_at is None else micros(known_at),
        )


def _parsed(where: Mapping[str, Json] | None) -> filters.Node | None:
    return None if where is None else filters.parse(where)


def _placed(place: int, items: Sequence[object], step: Callable[..., object]) -> object:
    """Take a step with one item; an error says which one it was when there are several."""
    try:
        return step(items[place])
    except SimonidesError as err:
        if len(items) > 1:
            err.add_note(f"In change {place + 1} of {len(items)}.")
        raise
