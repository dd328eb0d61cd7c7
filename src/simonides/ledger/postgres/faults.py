"""What PostgreSQL's failures mean to a user of the store; knows no table and no connection."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolTimeout

from simonides.errors import SimonidesError, StoreBusy, StoreUnusable
from simonides.ledger.postgres.driver import lost

_AGAIN = "Try again; nothing of this change was written."
_GRANT = "Let the owner of the schema run `simonides postgres role --role NAME --execute` for this role."
_MEANINGS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (pg.ReadOnlySqlTransaction, "only reads: this server follows another one", "Write to the other one."),
    (pg.InvalidPassword, "refuses the password", "Check the address, or the file that PGPASSFILE names."),
    (pg.InvalidAuthorizationSpecification, "refuses the role", "Check the address and pg_hba.conf."),
    (pg.InvalidCatalogName, "there is no such database", "Make it: createdb NAME."),
    (pg.InsufficientPrivilege, "the role lacks a right", _GRANT),
    (pg.UndefinedTable, "lacks a table of ours", "Run `simonides doctor`."),
    (pg.UndefinedColumn, "lacks a column of ours", "Run `simonides doctor`."),
    (pg.DiskFull, "the disk of the server is full", "Free some space and try again; nothing was written."),
    (pg.OutOfMemory, "the server is out of memory", _AGAIN),
    (pg.TooManyConnections, "the server takes no more connections", "Lower the setting pool_size."),
    (pg.ConfigurationLimitExceeded, "the server is at a limit", _AGAIN),
    (pg.DataCorrupted, "is damaged", "Run `simonides doctor`, then restore a backup of the server."),
    (pg.IndexCorrupted, "an index is damaged", "Run `REINDEX DATABASE` in psql."),
    (pg.IoError, "the disk of the server reports an error", "Check the disk of the server."),
)  # fmt: skip


def explain(error: psycopg.Error, subject: str, busy_seconds: float) -> SimonidesError | None:
    """Return the error that a user understands, or None when it is a bug of ours that should be seen as it is."""
    text = " ".join(str(error).split())
    if isinstance(error, pg.LockNotAvailable):
        rule = f"another writer of this tenant held its lock for more than {busy_seconds:g} seconds"
        return StoreBusy(subject, rule, "", "Try again, or raise the setting busy_seconds.")
    if isinstance(error, pg.DeadlockDetected | pg.SerializationFailure):
        return StoreBusy(subject, "another transaction was in the way", text, _AGAIN)
    if isinstance(error, pg.QueryCanceled):
        rule = "a statement took too long and was stopped"
        return StoreUnusable(subject, rule, text, "Raise the setting statement_seconds, or ask for less.")
    for kind, rule, way_out in _MEANINGS:
        if isinstance(error, kind):
            return StoreUnusable(subject, rule, text, way_out)
    if isinstance(error, PoolTimeout):
        rule = f"gave no connection within {busy_seconds:g} seconds"
        return StoreUnusable(
            subject, rule, text, "Check that the server runs, or raise the setting pool_size."
        )
    if lost(error):
        rule = "the connection was lost, and what was not committed with it"
        return StoreUnusable(subject, rule, text, "Check that the server runs, and try again.")
    return None


def unreachable(error: psycopg.Error, subject: str) -> StoreUnusable:
    """Return the error for a server that can't be connected to."""
    text = " ".join(str(error).split())
    return StoreUnusable(
        subject, "can't be connected to", text, "Check the address, and that the server runs."
    )


def unknown(error: psycopg.Error, subject: str) -> StoreUnusable:
    """Return the error for a commit of which nobody can say whether it happened."""
    rule = "the connection was lost during a commit, and the server can't be asked whether it was done"
    way_out = "Look whether the change is there before you make it again."
    return StoreUnusable(subject, rule, " ".join(str(error).split()), way_out)


def undone(error: psycopg.Error, subject: str) -> StoreUnusable:
    """Return the error for a commit that was lost with its connection, as the server says."""
    rule = "the connection was lost during a commit, and nothing was written"
    return StoreUnusable(subject, rule, " ".join(str(error).split()), "Try again.")


def alone(warning: str, subject: str) -> StoreUnusable:
    """Return the error for a commit that the server did not wait for, as it was told to, because somebody cancelled."""
    rule = "was written, but may be missing on the servers that follow this one"
    way_out = "Nothing need be done unless this server is lost; then look whether the change is there."
    return StoreUnusable(subject, rule, warning, way_out)
