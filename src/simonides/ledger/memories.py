"""Writes changes inside one open transaction; knows tables and the log, leaves the meaning of time to `bitemporal`.

Adds are gathered and go in with one call for many rows; everything else is written at once, after what was gathered.
"""

from __future__ import annotations

from collections.abc import Mapping

from simonides.clock import FOREVER
from simonides.errors import Conflict
from simonides.ledger import bitemporal, counters, derived, events, links
from simonides.ledger.bitemporal import Edit
from simonides.ledger.counters import whole
from simonides.ledger.events import Deed
from simonides.ledger.expiry import expiry, set_expiry
from simonides.ledger.rows import INSERT_MEMORY, MEMORY, Version, memory_digest, no_memory
from simonides.ledger.rules import Lexical, Ready
from simonides.ledger.sql import Connection, Taken
from simonides.types import Add, Connect, Disconnect, Expire, Restore, Retire, Scope, Supersede

_LEXICAL = "INSERT INTO lexical (row, words, tokens) VALUES (?, ?, ?)"
_JOB = "INSERT INTO job (kind, row, created) VALUES (?, ?, ?)"


class Batch:
    """What one transaction writes.

    Attributes:
        now: the microsecond at which everything in it is recorded.
        seqs: numbers of the events written so far.
        new_scopes: scopes that this transaction looked up or made; valid once it is committed.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now: int,
        actor: str,
        scopes: Mapping[Scope, int] | None = None,
        several: bool = False,
    ) -> None:
        """Begin a batch in an open transaction; `several` changes are marked in the log as one set."""
        self.seqs: list[int] = []
        self.new_scopes: dict[Scope, int] = {}
        self.connection = connection
        self.now = now
        self.actor = actor
        self._scopes = scopes or {}
        self._seq, self._head = events.head(connection)
        self._set = self._seq + 1 if several else 0
        self._row = self._drawn = counters.last(connection, "memory")
        self._added: list[Version] = []
        self._lexical: list[tuple[int, bytes, bytes]] = []
        self._events: list[events.Entry] = []
        self._ends: list[tuple[bytes, int, str]] = []

    def write(self, ready: Ready) -> None:
        """Write one change that was made ready."""
        change = ready.change
        if isinstance(change, Add):
            self._add(ready, change)
            return
        self.flush()
        match change:
            case Supersede():
                self._supersede(ready, change)
            case Retire():
                self._require_version(ready.id, change.if_version)
                edit = bitemporal.retire(self._believed(ready.id, ready.at), known(ready.at))
                self.record(edit, Deed("retire", ready.id, change.reason, facts={"at": ready.at}))
            case Restore():
                self._restore(ready.id, change)
            case Connect():
                links.connect(self, ready, change)
            case Disconnect():
                links.disconnect(self, ready, change)
            case Expire():
                if not self.rows("m.id = ?", ready.id):
                    raise no_memory(ready.id)
                deed = Deed("expire", ready.id, change.reason)
                self.set_end(deed, ready.expires, change.action)
                self.log(deed)

    def flush(self) -> None:
        """Send to the database what was gathered."""
        run = self.connection.executemany
        if self._row > self._drawn:
            counters.draw(self.connection, "memory", self._row - self._drawn)
            self._drawn = self._row
        if self._added:
            try:
                run(INSERT_MEMORY, self._added)
            except Taken as err:
                raise self._taken(err) from err
            run(_LEXICAL, self._lexical)
            run(_JOB, [(derived.READ, row.row, self.now) for row in self._added])
            for end in self._ends:
                set_expiry(self.connection, *end)
        if self._events:
            run(events.INSERT, self._events)
        self._added.clear()
        self._lexical.clear()
        self._events.clear()
        self._ends.clear()

    def log(self, deed: Deed) -> int:
        """Append one event; returns its number."""
        if self._set:
            deed.facts["set"] = self._set
        entry = events.entry(self._seq + 1, self._head, self.now, self.actor, deed)
        self._seq, self._head = entry.seq, entry.digest
        self._events.append(entry)
        self.seqs.append(entry.seq)
        return entry.seq

    @property
    def head(self) -> bytes:
        """The digest of the newest event."""
        return self._head

    @property
    def next_seq(self) -> int:
        """The number that the next event gets."""
        return self._seq + 1

    def scope_number(self, scope: Scope) -> int:
        """Return the number of a scope, a new one if it is new."""
        number = self.new_scopes.get(scope) or self._remembered(scope)
        if number is not None:
            return number
        fields = (scope.user, scope.agent, scope.session, scope.project)
        query = 'SELECT scope FROM scope WHERE "user" = ? AND agent = ? AND session = ? AND project = ?'
        found = self.connection.execute(query, fields).fetchone()
        if found is None:
            number = counters.draw(self.connection, "scope")
            insert = 'INSERT INTO scope (scope, "user", agent, session, project) VALUES (?, ?, ?, ?, ?)'
            self.connection.execute(insert, (number, *fields))
        else:
            number = whole(found[0], "scope")
        self.new_scopes[scope] = number
        return number

    def _remembered(self, scope: Scope) -> int | None:
        """Return the number that an earlier transaction found, if nobody has erased the scope since."""
        number = self._scopes.get(scope)
        query = "SELECT scope FROM scope WHERE scope = ?"
        if number is None or self.connection.execute(query, (number,)).fetchone() is None:
            return None
        self.new_scopes[scope] = number
        return number

    def set_end(self, deed: Deed, at: int, action: str) -> None:
        """Give a memory another end; its event will say which one it had, so that this can be undone."""
        before = expiry(self.connection, deed.subject)
        set_expiry(self.connection, deed.subject, at, action)
        deed.facts |= {"expires": at, "action": action, "before": None if before is None else [*before]}

    def _add(self, ready: Ready, change: Add) -> None:
        assert ready.lexical is not None
        self._row += 1
        row = Version(
            self._row,
            ready.id,
            1,
            str(change.kind),
            self.scope_number(change.scope),
            change.speaker,
            change.text,
            known(ready.at),
            ready.until,
            self.now,
            FOREVER,
            change.zone,
            float(change.confidence),
            float(change.importance),
            ready.metadata,
            ready.attributes,
            ready.source,
            change.reason,
            self.actor,
            self.next_seq,
            None,
        )
        self._added.append(row)
        self._lexical.append((row.row, ready.lexical.words, ready.lexical.tokens))
        opened = {"1": memory_digest(row, change.scope)}
        deed = Deed("add", ready.id, change.reason, opened, facts={"kind": row.kind})
        if ready.expires != FOREVER:
            deed.facts |= {"expires": ready.expires, "action": change.on_expiry}
            self._ends.append((ready.id, ready.expires, change.on_expiry))
        self.log(deed)

    def _supersede(self, ready: Ready, change: Supersede) -> None:
        self._require_version(ready.id, change.if_version)
        edit, base = bitemporal.supersede(self._believed(ready.id, ready.at), ready.at, self.now)
        content = base._replace(
            text=base.text if change.text is None else change.text,
            zone=base.zone if change.zone is None else change.zone,
            confidence=base.confidence if change.confidence is None else float(change.confidence),
            importance=base.importance if change.importance is None else float(change.importance),
            metadata=base.metadata if ready.metadata is None else ready.metadata or None,
            attributes=base.attributes if ready.attributes is None else ready.attributes or None,
            source=base.source if ready.source is None else ready.source,
        )
        kept = base.row if content.text == base.text else 0
        edit = Edit(edit.close, (*edit.open, bitemporal.Opening(content, kept)))
        self.record(edit, Deed("supersede", ready.id, change.reason, facts={"at": ready.at}), ready.lexical)

    def _restore(self, id: bytes, change: Restore) -> None:
        rows = self.rows("m.id = ?", id)
        if not rows:
            raise no_memory(id)
        if change.version is None:
            edit, deed = bitemporal.undo(rows), Deed("restore", id, change.reason)
        else:
            edit = bitemporal.bring_back(rows, change.version)
            deed = Deed("restore", id, change.reason, facts={"version": change.version})
        self.record(edit, deed)

    def record(self, edit: Edit, deed: Deed, lexical: Lexical | None = None) -> None:
        """Write an edit and its event; recorded time never runs backwards for one memory, whatever the clock does."""
        query = f"""SELECT max(version), max(recorded_from), max(CASE WHEN recorded_to < {FOREVER} THEN recorded_to END)
            FROM memory WHERE id = ?"""
        version, began, ended = self.connection.execute(query, (deed.subject,)).fetchone()
        at = max(self.now, began, ended or began)
        seq = self.next_seq
        for row in edit.close:
            self.connection.execute(
                "UPDATE memory SET recorded_to = ?, closed = ? WHERE row = ?", (at, seq, row.row)
            )
            deed.closed[str(row.version)] = at
        for opening in edit.open:
            version += 1
            self._row += 1
            row = opening.row._replace(
                row=self._row,
                version=version,
                recorded_from=at,
                recorded_to=FOREVER,
                reason=deed.reason,
                actor=self.actor,
                opened=seq,
                closed=None,
            )
            self.connection.execute(INSERT_MEMORY, row)
            self._derive(row.row, opening.copies, lexical)
            deed.opened[str(version)] = memory_digest(row, self._scope(row.scope))
        self.log(deed)

    def _derive(self, row: int, copies: int, lexical: Lexical | None) -> None:
        """Give a new row its words, and its codes if the text they were made of is the same."""
        run = self.connection.execute
        if not copies:
            assert lexical is not None
            run(_LEXICAL, (row, lexical.words, lexical.tokens))
            run(_JOB, (derived.READ, row, self.now))
            return
        words = "INSERT INTO lexical (row, words, tokens) SELECT ?, words, tokens FROM lexical WHERE row = ?"
        run(words, (row, copies))
        if not derived.copy_codes(self.connection, copies, row):
            run(_JOB, (derived.READ, row, self.now))

    def _believed(self, id: bytes, at: int | None) -> list[Version]:
        """Return the believed rows that hold at a time or later; those that ended before when there are no others."""
        believed = f"m.id = ? AND m.recorded_to = {FOREVER}"
        rows = self.rows(f"{believed} AND m.valid_to > ?", id, self.now if at is None else at)
        rows = rows or self.rows(believed, id)
        if (
            not rows
            and self.connection.execute("SELECT 1 FROM memory WHERE id = ? LIMIT 1", (id,)).fetchone() is None
        ):
            raise no_memory(id)
        return rows

    def _require_version(self, id: bytes, version: int | None) -> None:
        """Refuse a change that was decided on a version which isn't believed any more."""
        if version is None:
            return
        query = f"SELECT version FROM memory WHERE id = ? AND recorded_to = {FOREVER} ORDER BY version DESC"
        believed = [row[0] for row in self.connection.execute(query, (id,)).fetchall()]
        if version not in believed and self.rows("m.id = ?", id):
            state = f"is at version {believed[0]}" if believed else "has been retired"
            raise Conflict(
                f"memory {id.hex()}", f"{state}, not at {version}", "", "Read it again and decide anew."
            )

    def rows(self, condition: str, *values: object) -> list[Version]:
        """Return the versions of memories (m) for which a condition holds."""
        query = f"SELECT {MEMORY} FROM memory m WHERE {condition} ORDER BY m.version"
        return [Version._make(row) for row in self.connection.execute(query, values).fetchall()]

    def _scope(self, number: int) -> Scope:
        query = 'SELECT "user", agent, session, project FROM scope WHERE scope = ?'
        return Scope(*self.connection.execute(query, (number,)).fetchone())

    def _taken(self, error: Taken) -> Conflict:
        """Name the id that is there twice: in the batch, in the store, or else what the database says of it."""
        way_out = "Draw a new one (clock.new_id()), or use `update`."
        seen: set[bytes] = set()
        for row in self._added:
            if row.id in seen or row.id in error.ids or self._stored(row):
                return Conflict(f"memory {row.id.hex()}", "its id is taken already", "", way_out)
            seen.add(row.id)
        return Conflict("memory", "an id is taken already", str(error), way_out)

    def _stored(self, row: Version) -> bool:
        """Tell whether an id was there before."""
        query = "SELECT 1 FROM memory WHERE id = ? AND row < ?"
        return self.connection.execute(query, (row.id, self._added[0].row)).fetchone() is not None


def known(at: int | None) -> int:
    """Return a time that was made ready; every change but a correction has one."""
    assert at is not None
    return at
