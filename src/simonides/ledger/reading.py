"""Reading memories at a moment of both clocks, by id, by scope and filter, or in bulk for an index; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simonides.clock import FOREVER, parse_id
from simonides.errors import InputError, NotFound
from simonides.ledger import filters
from simonides.ledger.derived import READ
from simonides.ledger.expiry import KEPT
from simonides.ledger.postgres.conditions import to_sql as in_postgresql
from simonides.ledger.rows import SCOPED, Fresh, memory_of, moment_sql, no_memory
from simonides.ledger.rules import checked_count
from simonides.ledger.sql import Connection, numbers
from simonides.types import Memory, Scope

_FROM = "FROM memory m JOIN scope s ON s.scope = m.scope"
_CAN_EXPIRE = "SELECT EXISTS (SELECT 1 FROM expiry), EXISTS (SELECT 1 FROM retention)"
_FEWEST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Moment:
    """What time a question is asked about, in microseconds; `now` is when it is asked."""

    now: int
    as_of: int | None = None
    known_at: int | None = None

    def sql(self, alias: str) -> tuple[str, tuple[int, ...]]:
        """Return the condition on the rows of a table."""
        return moment_sql(alias, self.as_of, self.known_at, self.now)


@dataclass(frozen=True, slots=True)
class Page:
    """Which memories a list is about, and which part of it."""

    scopes: Scope | Sequence[int] = Scope()
    kinds: tuple[str, ...] | None = None
    where: filters.Node | None = None
    limit: int = 100
    after: str = ""
    newest_first: bool = False


def get(connection: Connection, id: bytes, moment: Moment) -> Memory:
    """Return the version of a memory that holds at a moment; without `as_of` the present one, else the next to come.

    Raises:
        NotFound: no such memory, or nothing of it holds then.
    """
    condition, values = moment.sql("m")
    query = f"SELECT {SCOPED} {_FROM} WHERE m.id = ? AND {condition}"
    shown = f"{query} AND {KEPT} ORDER BY m.valid_from LIMIT 1"
    row = connection.execute(shown, (id, *values, moment.now, moment.now)).fetchone()
    if row is not None:
        return memory_of(row)
    if connection.execute(query, (id, *values)).fetchone() is not None:
        way_out = "`history` shows it until upkeep; `expire` gives it another end, unless a rule ended it."
        raise NotFound(f"memory {id.hex()}", "has expired", "", way_out)
    if connection.execute("SELECT 1 FROM memory WHERE id = ? LIMIT 1", (id,)).fetchone() is None:
        raise no_memory(id)
    rule = "has ended" if moment.as_of is None and moment.known_at is None else "says nothing about that time"
    raise NotFound(
        f"memory {id.hex()}", rule, "", "`history` shows all its versions, `restore` brings it back."
    )


def listed(connection: Connection, page: Page, moment: Moment) -> list[Memory]:
    """Return the memories of a page in the order of their ids, each once, as `get` would return it."""
    limit = checked_count(page.limit, "limit")
    condition, values = moment.sql("m")
    conditions, parameters = [condition], list[object](values)
    if any(
        connection.execute(_CAN_EXPIRE).fetchone()
    ):  # asked of every memory of a scope, it takes as long as the rest
        conditions.append(KEPT)
        parameters += [moment.now, moment.now]
    if moment.as_of is None:
        earlier, more = moment.sql("e")
        conditions.append(
            f"""(m.valid_from <= ? OR NOT EXISTS
            (SELECT 1 FROM memory e WHERE e.id = m.id AND e.valid_from < m.valid_from AND {earlier}))"""
        )
        parameters += [moment.now, *more]
    for part, given in (_scoped(page.scopes), _kinds(page.kinds), _filtered(connection, page.where)):
        if part:
            conditions.append(part)
            parameters += given
    order = "DESC" if page.newest_first else "ASC"
    if page.after:
        conditions.append("m.id < ?" if page.newest_first else "m.id > ?")
        parameters.append(parse_id(page.after))
    # Two steps, so that the sort carries ids and not whole rows; a quarter of the time in a scope of 40,000.
    chosen = f"SELECT m.row {_FROM} WHERE {' AND '.join(conditions)} ORDER BY m.id {order} LIMIT ?"
    query = f"SELECT {SCOPED} {_FROM} WHERE m.row IN ({chosen}) ORDER BY m.id {order}"
    return [memory_of(row) for row in connection.execute(query, (*parameters, limit)).fetchall()]


def history(connection: Connection, id: bytes) -> list[Memory]:
    """Return every version of a memory, oldest first."""
    query = f"SELECT {SCOPED} {_FROM} WHERE m.id = ? ORDER BY m.version"
    rows = connection.execute(query, (id,)).fetchall()
    if not rows:
        raise no_memory(id)
    return [memory_of(row) for row in rows]


def load(connection: Connection, rows: Sequence[int]) -> dict[int, Memory]:
    """Return the versions in rows, by row; rows that are gone are left out."""
    query = f"SELECT {SCOPED} {_FROM} WHERE m.row IN (SELECT value FROM json_each(?))"
    return {row[0]: memory_of(row) for row in connection.execute(query, (numbers(rows),)).fetchall()}


def kept(connection: Connection, rows: Sequence[int], now: int) -> dict[int, Memory]:
    """Return the versions in rows, by row; rows that are gone or have expired are left out."""
    query = f"SELECT {SCOPED} {_FROM} WHERE m.row IN (SELECT value FROM json_each(?)) AND {KEPT}"
    found = connection.execute(query, (numbers(rows), now, now)).fetchall()
    return {row[0]: memory_of(row) for row in found}


def rows_where(connection: Connection, where: filters.Node, scopes: Sequence[int] | None) -> list[int]:
    """Return the rows of all versions whose metadata satisfy a filter, ascending."""
    condition, parameters = _filtered(connection, where)
    if scopes is not None:
        condition += " AND m.scope IN (SELECT value FROM json_each(?))"
        parameters.append(numbers(scopes))
    query = f"SELECT m.row FROM memory m WHERE {condition} ORDER BY m.row"
    return [row[0] for row in connection.execute(query, parameters).fetchall()]


def expand(connection: Connection, text: str) -> str:
    """Return the id of the memory or link that ends in these digits.

    Raises:
        NotFound: none does.
        InputError: several do, or it isn't 4 or more hexadecimal digits.
    """
    digits = text.replace("-", "").lower()
    if len(digits) < _FEWEST_DIGITS or len(digits) > 32 or set(digits) - set("0123456789abcdef"):
        rule = f"must be {_FEWEST_DIGITS} to 32 hexadecimal digits"
        raise InputError("id", rule, repr(text), "Take it from `list` or a receipt.")
    if len(digits) == 32:
        return digits
    query = """SELECT hex(id) FROM memory WHERE hex(id) LIKE ?
        UNION SELECT hex(id) FROM link WHERE hex(id) LIKE ? LIMIT 4"""
    ending = f"%{digits.upper()}"
    found = [row[0].lower() for row in connection.execute(query, (ending, ending)).fetchall()]
    if not found:
        raise NotFound(
            f"id {text}", "no memory or link ends in these digits", "", "`list` shows what there is."
        )
    if len(found) > 1:
        raise InputError(
            "id", "several ids end in these digits", text, f"Give more of them: {', '.join(found[:3])}."
        )
    return found[0]


def existing(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Return those ids that memories have, of any time."""
    query = "SELECT 1 FROM memory WHERE id = ? LIMIT 1"
    return {id for id in ids if connection.execute(query, (id,)).fetchone() is not None}


def scopes(connection: Connection, scope: Scope) -> list[int]:
    """Return the numbers of the scopes that fit: a field left empty fits all."""
    condition, values = _fields(scope)
    query = f"SELECT s.scope FROM scope s WHERE {condition or '1 = 1'} ORDER BY s.scope"
    return [row[0] for row in connection.execute(query, values).fetchall()]


def scope_table(connection: Connection, after: int) -> list[tuple[int, Scope]]:
    """Return all scopes with a number greater than `after`; numbers only grow and scopes never change."""
    query = 'SELECT scope, "user", agent, session, project FROM scope WHERE scope > ? ORDER BY scope'
    return [(row[0], Scope(*row[1:])) for row in connection.execute(query, (after,)).fetchall()]


def fresh(connection: Connection, after_row: int, limit: int) -> list[Fresh]:
    """Return versions with a row greater than `after_row`, in row order."""
    query = f"""SELECT m.row, m.scope, m.kind, m.speaker, m.valid_from, m.valid_to, m.recorded_from, m.recorded_to,
        x.words, x.tokens, length(m.text), m.version, coalesce(y.at, {FOREVER}), CASE WHEN m.version = 1
            THEN m.recorded_from ELSE (SELECT b.recorded_from FROM memory b WHERE b.id = m.id AND b.version = 1) END
        FROM memory m LEFT JOIN lexical x ON x.row = m.row LEFT JOIN expiry y ON y.id = m.id
        WHERE m.row > ? ORDER BY m.row LIMIT ?"""
    return list(map(Fresh._make, connection.execute(query, (after_row, limit)).fetchall()))


def closings(connection: Connection, after_seq: int) -> tuple[list[tuple[int, int]], int]:
    """Return (row, recorded_to) of rows closed by events after a number, and the newest event's number."""
    newest = connection.execute("SELECT max(seq) FROM event").fetchone()[0] or 0
    query = "SELECT row, recorded_to FROM memory WHERE closed > ? AND closed <= ?"
    return connection.execute(query, (after_seq, newest)).fetchall(), newest


def erased(connection: Connection, after_serial: int) -> list[tuple[int, int]]:
    """Return (serial, row) of rows erased after a serial number, in that order."""
    query = "SELECT serial, row FROM erased WHERE serial > ? ORDER BY serial"
    return connection.execute(query, (after_serial,)).fetchall()


def expiries(connection: Connection, after_serial: int) -> list[tuple[int, int, int]]:
    """Return (serial, row, at) of the rows whose memory was given another end after a serial number, in that order."""
    query = """SELECT y.serial, m.row, y.at FROM expiry y JOIN memory m ON m.id = y.id
        WHERE y.serial > ? ORDER BY y.serial, m.row"""
    return connection.execute(query, (after_serial,)).fetchall()


def previous(connection: Connection, rows: Sequence[int]) -> dict[int, int]:
    """Return, for turns of a session, the row of the turn that was written just before, as it was first written.

    Rows that are no turns, belong to no session, or open one are left out.
    """
    query = """SELECT m.row, (
            SELECT p.row FROM memory p WHERE p.scope = m.scope AND p.row < f.row AND p.kind = 'turn' AND p.version = 1
            ORDER BY p.row DESC LIMIT 1) AS before
        FROM json_each(?) e JOIN memory m ON m.row = e.value
        JOIN scope s ON s.scope = m.scope AND s.session <> ''
        JOIN memory f ON f.id = m.id AND f.version = 1
        WHERE m.kind = 'turn'"""
    found = connection.execute(query, (numbers(rows),)).fetchall()
    return {row: before for row, before in found if before is not None}


def sizes(connection: Connection, now: int) -> dict[str, int]:
    """Return how many there are: memories (not ended), versions, links (not ended), events, scopes, backlog."""
    current = f"recorded_to = {FOREVER} AND valid_to > ?"
    row = connection.execute(
        f"""SELECT (SELECT count(DISTINCT id) FROM memory WHERE {current}), (SELECT count(*) FROM memory),
        (SELECT count(DISTINCT id) FROM link WHERE {current}), (SELECT count(*) FROM event),
        (SELECT count(*) FROM scope), (SELECT count(*) FROM job WHERE kind = ?)""",
        (now, now, READ),
    ).fetchone()
    return dict(zip(("memories", "versions", "links", "events", "scopes", "backlog"), row, strict=True))


def _fields(scope: Scope) -> tuple[str, list[object]]:
    named = {"user": scope.user, "agent": scope.agent, "session": scope.session, "project": scope.project}
    chosen = {name: value for name, value in named.items() if value}
    return " AND ".join(f's."{name}" = ?' for name in chosen), list(chosen.values())


def _scoped(scope: Scope | Sequence[int]) -> tuple[str, list[object]]:
    if isinstance(scope, Scope):
        return _fields(scope)
    return "m.scope IN (SELECT value FROM json_each(?))", [numbers(scope)]


def _kinds(kinds: tuple[str, ...] | None) -> tuple[str, list[object]]:
    if kinds is None:  # what recipes have derived is shown to those who ask for it
        return "m.kind NOT LIKE '%.%'", []
    if not kinds:
        return "1 = 0", []
    return f"m.kind IN ({', '.join('?' * len(kinds))})", list(kinds)


def _filtered(connection: Connection, where: filters.Node | None) -> tuple[str, list[object]]:
    if where is None:
        return "", []
    to_sql = in_postgresql if connection.dialect.name == "postgresql" else filters.to_sql
    return to_sql(where, "m.metadata")
