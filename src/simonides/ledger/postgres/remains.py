"""What a server keeps of deleted rows in its files, and having it cleaned up; knows no row."""

from __future__ import annotations

from psycopg.sql import SQL, Identifier

from simonides.ledger.postgres.database import Lease, PostgresDatabase
from simonides.ledger.postgres.schema import TABLES

_MAY = """SELECT count(*) FILTER (WHERE NOT pg_has_role(c.relowner, 'USAGE')) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'"""


def vacuum(database: PostgresDatabase, *, full: bool = False) -> bool:
    """Vacuum the tables of the ledger, of all tenants; tell whether this role may (only their owner can).

    Args:
        full: writes the files anew, so that nothing deleted is left in them; nobody can read or write meanwhile.
    """
    schema = database.names.tables
    with database.translating(), Lease(database) as lease:
        row = lease.raw.execute(_MAY, (schema,)).fetchone()
        if row is None or row[0]:
            return False
        before = lease.raw.execute("SELECT current_setting('statement_timeout')").fetchone()
        lease.raw.execute("SET statement_timeout = 0")
        try:
            tables = SQL(", ").join(Identifier(schema, name) for name in TABLES)
            how = SQL("VACUUM (FULL, ANALYZE) {}") if full else SQL("VACUUM {}")
            lease.raw.execute(how.format(tables))
        finally:
            lease.raw.execute("SELECT set_config('statement_timeout', $1, false)", before)
    return True
