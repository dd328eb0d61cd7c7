"""What `doctor` asks of a store in PostgreSQL: is it whole, is the wall between tenants up; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import psycopg

from simonides.ledger.check import EVERYWHERE, Finding
from simonides.ledger.postgres import schema
from simonides.ledger.postgres.database import PostgresDatabase
from simonides.ledger.postgres.following import behind
from simonides.ledger.sql import Connection

_OLDEST_SERVER = 140000
_LONG_SECONDS = 300
"""A transaction that is open for longer keeps old rows from being cleaned away."""


def check(database: PostgresDatabase) -> list[Finding]:
    """Look at everything; a finding that could not be made says why."""
    own = (_server, _schema, _wall, _views, _role, _durability, _transactions)
    looks: dict[str, Callable[[Connection], Finding]] = {
        **{look.__name__: partial(look, database) for look in own},
        **{look.__name__: look for look in EVERYWHERE},
    }
    return [_tried(name.strip("_"), look, database) for name, look in looks.items()]


def table_bytes(database: PostgresDatabase) -> int:
    """Return how many bytes the tables take with their indexes, those of all tenants together."""
    query = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relkind = 'r'"""
    with database.reading() as connection:
        row = connection.execute(query, (database.names.tables,)).fetchone()
    return int(row[0]) if row else 0


def _tried(name: str, look: Callable[[Connection], Finding], database: PostgresDatabase) -> Finding:
    try:
        with database.snapshot() as connection:
            return look(connection)
    except (psycopg.Error, ValueError, TypeError, AttributeError) as err:
        text = " ".join(str(err).split())
        fix = "Restore a backup of the server, or import the last export into a new tenant."
        return Finding(name, False, f"could not be read: {text}", fix)


def _server(_: PostgresDatabase, connection: Connection) -> Finding:
    query = """SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
        pg_is_in_recovery()"""
    number, name, following = connection.execute(query).fetchone()
    detail = f"PostgreSQL {name}"
    if following:
        seconds = behind(connection.execute).seconds
        much = "it can't tell how many" if seconds is None else f"{seconds:.1f}"
        detail += f", following another server, {much} seconds behind"
    fix = "" if number >= _OLDEST_SERVER else "Upgrade the server to PostgreSQL 14 or newer."
    return Finding("server", not fix, detail, fix)


def _schema(database: PostgresDatabase, connection: Connection) -> Finding:
    query = f"SELECT max(number) FROM {database.names.tables}.migration"
    version = connection.execute(query).fetchone()[0]
    detail = f"version {version} in {database.names.tables}, newest is {schema.LATEST}"
    return Finding("schema", version == schema.LATEST, detail)


def _wall(database: PostgresDatabase, connection: Connection) -> Finding:
    """Look for a table of tenants without forced row-level security, or without its policy."""
    query = """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
        WHERE n.nspname = ? AND c.relkind IN ('r', 'p') AND c.relname NOT IN (?, ?, ?)
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity
            AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'))
        ORDER BY c.relname"""
    open_ = [row[0] for row in connection.execute(query, (database.names.tables, *schema.SHARED)).fetchall()]
    fix = f"ALTER TABLE {database.names.tables}.{open_[0]} FORCE ROW LEVEL SECURITY, ..." if open_ else ""
    detail = f"open: {', '.join(open_)}" if open_ else "row-level security is forced on every table"
    return Finding("tenants", not open_, detail, fix)


def _views(database: PostgresDatabase, connection: Connection) -> Finding:
    """Say when the views of an old server run with the rights of somebody whom no policy holds."""
    query = """SELECT current_setting('server_version_num')::bigint >= 150000, r.rolname,
        r.rolsuper OR r.rolbypassrls FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_roles r ON r.oid = c.relowner WHERE n.nspname = ? AND c.relname = 'memory'"""
    invoked, owner, passes = connection.execute(query, (database.names.views,)).fetchone()
    if invoked or not passes:
        return Finding(
            "views", True, f"they belong to {owner}, and show what row-level security lets through"
        )
    fix = (
        f"ALTER VIEW {database.names.views}.memory OWNER TO a plain role; so for tables and the other views."
    )
    return Finding("views", False, f"they run as {owner}, whom row-level security does not hold", fix)


def _role(_: PostgresDatabase, connection: Connection) -> Finding:
    """Say when the role of this connection passes through row-level security."""
    query = "SELECT session_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
    name, passes = connection.execute(query).fetchone()
    if not passes:
        return Finding("role", True, f"{name} is held by row-level security")
    fix = "Connect as a plain role: simonides postgres role --role NAME --execute"
    return Finding("role", False, f"{name} passes through row-level security (superuser or BYPASSRLS)", fix)


def _durability(_: PostgresDatabase, connection: Connection) -> Finding:
    query = "SELECT name, setting FROM pg_settings WHERE name IN (?, ?, ?) ORDER BY name"
    names = ("fsync", "full_page_writes", "synchronous_commit")
    found = dict(connection.execute(query, names).fetchall())
    off = [name for name, value in found.items() if value == "off"]
    fix = f"ALTER SYSTEM SET {off[0]} = on; then pg_reload_conf()" if off else ""
    detail = ", ".join(f"{name} {value}" for name, value in found.items())
    return Finding("durability", not off, detail, fix)


def _transactions(_: PostgresDatabase, connection: Connection) -> Finding:
    query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid() AND xact_start < now() - make_interval(secs => ?::double precision)"""
    count = connection.execute(query, (_LONG_SECONDS,)).fetchone()[0]
    fix = "`SELECT * FROM pg_stat_activity` shows them." if count else ""
    return Finding("transactions", not count, f"{count} are open for more than {_LONG_SECONDS} seconds", fix)
