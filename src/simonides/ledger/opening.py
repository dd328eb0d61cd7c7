"""Which database a path means, and what has to be asked differently of each; knows no memory.

A path is a file, or the address of a PostgreSQL server. What that needs is imported when such an address is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from simonides.errors import InputError, ModelMissing
from simonides.ledger import check as checks
from simonides.ledger.check import Finding
from simonides.ledger.db import Database
from simonides.ledger.drivers import STANDARD, Driver
from simonides.ledger.postgres.address import is_address, masked
from simonides.settings import Settings

if TYPE_CHECKING:
    from simonides.ledger.postgres.database import PostgresDatabase

    Store: TypeAlias = Database | PostgresDatabase


def opened(
    path: str | Path,
    settings: Settings,
    tracer: Callable[[str], None] | None = None,
    driver: Driver = STANDARD,
) -> Store:
    """Open what a path means.

    Raises:
        ModelMissing: it is the address of a server, and psycopg is not installed.
        StoreUnusable: as `Database` and `PostgresDatabase` say.
    """
    if not is_address(path):
        return Database(path, settings, tracer, driver)
    if driver.encrypted:
        rule = "must not be given for a PostgreSQL server, which keeps its own files"
        raise InputError("key", rule, masked(str(path)), "Encrypt the disk of the server.")
    try:
        module = import_module("simonides.ledger.postgres.database")
    except ImportError as err:
        if err.name is None or err.name.split(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        way_out = "pip install 'simonides[postgres]'"
        raise ModelMissing("PostgreSQL", "psycopg is not installed", str(err), way_out) from err
    database: PostgresDatabase = module.PostgresDatabase(str(path), settings, tracer)
    return database


def check(database: Store) -> list[Finding]:
    """Return what `doctor` prints about a store."""
    if isinstance(database, Database):
        return checks.check(database)
    found: list[Finding] = import_module("simonides.ledger.postgres.check").check(database)
    return found


def size(database: Store) -> int:
    """Return how many bytes a store takes on disk; of a server, what all tenants together take."""
    if isinstance(database, Database):
        return checks.file_bytes(database)
    taken: int = import_module("simonides.ledger.postgres.check").table_bytes(database)
    return taken
