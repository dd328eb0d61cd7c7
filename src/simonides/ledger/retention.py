"""How long memories are kept: rules for many, and what is due by them or by its own end; knows no search.

What has expired is hidden by a condition of every statement that shows memories (`expiry.KEPT`); upkeep retires or
erases it later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simonides.clock import FOREVER, instant, micros
from simonides.errors import InputError, NotFound
from simonides.ledger import counters
from simonides.ledger.events import Deed
from simonides.ledger.expiry import FITS, SECOND
from simonides.ledger.memories import Batch
from simonides.ledger.rules import (
    checked_action,
    checked_count,
    checked_kinds,
    checked_name,
    checked_scope,
)
from simonides.ledger.sql import Connection
from simonides.types import Rule, Scope

LONGEST = 100 * 366 * 86_400
"""Seconds that a rule may keep things for: a century."""
_COLUMNS = 'rule, kind, "user", agent, session, project, seconds, action, reason, created'


@dataclass(frozen=True, slots=True)
class Due:
    """A memory that has expired: since when, by its own end (rule 0) or by a rule, and what is to be done."""

    id: bytes
    at: int
    action: str
    rule: int = 0
    reason: str = "expired"


def rules(connection: Connection) -> list[Rule]:
    """Return the rules, oldest first."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM retention ORDER BY rule").fetchall()
    return [
        Rule(
            seconds=seconds,
            action=action,
            kind=kind,
            scope=Scope(*scope),
            reason=reason,
            rule=rule,
            created=instant(created),
        )
        for rule, kind, *scope, seconds, action, reason, created in found
    ]


def add_rule(batch: Batch, rule: Rule) -> int:
    """Write a rule and its event; return its number. The log holds which fields it asks for, and no name in them.

    Raises:
        InputError: it asks for something that no memory can be, or for no time.
    """
    checked_kinds(rule.kind or None)
    scope = checked_scope(rule.scope)
    checked_action(rule.action)
    checked_name(rule.reason, "reason")
    if checked_count(rule.seconds, "seconds") > LONGEST:
        raise InputError("seconds", f"must be at most {LONGEST}", rule.seconds, "A century is enough.")
    number = counters.last(batch.connection, "rules") + 1
    write_rule(batch.connection, replace(rule, rule=number, created=instant(batch.now)))
    named = [name for name in ("user", "agent", "session", "project") if getattr(scope, name)]
    deed = Deed("rule", _subject(number), rule.reason)
    deed.facts = {"rule": number, "kind": rule.kind, "scoped": [*named], "seconds": rule.seconds}
    deed.facts["action"] = rule.action
    batch.log(deed)
    return number


def write_rule(connection: Connection, rule: Rule) -> None:
    """Write a rule under its own number, and let every index read the rules again."""
    grown = max(rule.rule - counters.last(connection, "rules"), 1)
    counters.draw(connection, "rules", grown)
    scope = rule.scope
    fields = (rule.rule, rule.kind, scope.user, scope.agent, scope.session, scope.project)
    created = 0 if rule.created is None else micros(rule.created)
    insert = f"INSERT INTO retention ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    connection.execute(insert, (*fields, rule.seconds, rule.action, rule.reason, created))


def drop_rule(batch: Batch, number: int) -> None:
    """Delete a rule; memories that only it had hidden are shown again.

    Raises:
        NotFound: there is no such rule.
    """
    found = batch.connection.execute("SELECT 1 FROM retention WHERE rule = ?", (number,)).fetchone()
    if found is None:
        raise NotFound(f"rule {number}", "no such rule in this store", "", "`retention list` lists them.")
    batch.connection.execute("DELETE FROM retention WHERE rule = ?", (number,))
    counters.draw(batch.connection, "rules")
    batch.log(Deed("unrule", _subject(number), "dropped", facts={"rule": number}))


def due(connection: Connection, now: int) -> list[Due]:
    """Return what has expired and is still there, each memory once: what is to be erased before what is to be retired.

    What is to be retired is left out when it has ended already.
    """
    found: dict[bytes, Due] = {}
    for one in (*_own(connection, now), *_ruled(connection, now)):
        known = found.get(one.id)
        if known is None or (one.action != "erase", one.at) < (known.action != "erase", known.at):
            found[one.id] = one
    return sorted(found.values(), key=lambda one: one.id)


def _own(connection: Connection, now: int) -> list[Due]:
    query = f"""SELECT y.id, y.at, y.action FROM expiry y WHERE y.at <= ? AND EXISTS (
        SELECT 1 FROM memory m WHERE m.id = y.id
        AND (y.action = 'erase' OR (m.recorded_to = {FOREVER} AND m.valid_to > y.at)))"""
    return [Due(*row) for row in connection.execute(query, (now,)).fetchall()]


def _ruled(connection: Connection, now: int) -> list[Due]:
    query = f"""SELECT m.id, m.recorded_from + t.seconds * {SECOND}, t.action, t.rule, t.reason
        FROM retention t CROSS JOIN memory m JOIN scope s ON s.scope = m.scope
        WHERE m.version = 1 AND m.recorded_from + t.seconds * {SECOND} <= ? AND {FITS}
        AND (t.action = 'erase' OR EXISTS (SELECT 1 FROM memory b WHERE b.id = m.id AND b.recorded_to = {FOREVER}
            AND b.valid_to > m.recorded_from + t.seconds * {SECOND}))"""
    rows = connection.execute(query, (now,)).fetchall()
    return [
        Due(id, at, action, rule, f"rule {rule}: {reason}" if reason else f"rule {rule}")
        for id, at, action, rule, reason in rows
    ]


def _subject(number: int) -> bytes:
    """Return what stands for a rule where the log wants an id."""
    return number.to_bytes(16, "big")
