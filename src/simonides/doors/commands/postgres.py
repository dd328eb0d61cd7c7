"""`postgres plan|role|index`: what whoever looks after a PostgreSQL server needs; knows no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simonides.doors.desk import Desk
from simonides.doors.paper import Paper
from simonides.doors.verb import Entry, LazyGroup, verb
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simonides.ledger.postgres.database import PostgresDatabase
    from simonides.ledger.postgres.schema import Names

HOME = "simonides.doors.commands.postgres"
POSTGRES = {
    "role": Entry("PostgreSQL", f"{HOME}:role", "Let a role into the store, bound to one tenant or not."),
    "plan": Entry("PostgreSQL", f"{HOME}:plan", "Print what spreads the store over many machines."),
    "index": Entry("PostgreSQL", f"{HOME}:index", "Keep vectors in pgvector too, for your own SQL."),
}


@click.group("postgres", cls=LazyGroup, entries=POSTGRES)
def postgres() -> None:
    """Look after a store in PostgreSQL."""


@verb(
    "role",
    examples=(
        "simonides postgres role --role acme_app --tenant acme",
        "simonides --path postgresql://owner@db/memories postgres role --role acme_app --tenant acme --execute",
        "simonides postgres role --role server      # for a server that chooses the tenant itself",
    ),
    then=("simonides --path postgresql://acme_app@db/memories doctor",),
)
@click.option("--role", required=True, metavar="NAME", help="The role; made when there is none.")
@click.option("--tenant", default="", metavar="NAME", help="The only tenant that the role may ever see.")
@click.option(
    "--execute", is_flag=True, help="Run the statements on the server of --path, in one transaction."
)
def role(desk: Desk, *, role: str, tenant: str, execute: bool) -> None:
    """Let a role into the store, bound to one tenant or not.

    Prints the statements; run them as the owner of the tables, or give --execute. A bound role sees its tenant
    and nothing else, whatever SQL it sends. Set a password yourself: `\\password NAME` in psql.
    """
    from simonides.ledger.postgres.roles import statements

    _run(desk, statements(role, _names(desk), tenant), execute=execute)


@verb(
    "plan",
    examples=("simonides postgres plan --distributed", "simonides postgres plan --distributed --shards 64"),
    then=("simonides postgres role --tenant acme --role acme_app",),
)
@click.option("--distributed", is_flag=True, help="For Citus. The only plan there is.")
@click.option("--shards", type=click.IntRange(min=1), default=32, show_default=True, help="Pieces to spread.")
def plan(desk: Desk, *, distributed: bool, shards: int) -> None:
    """Print what spreads the store over many machines.

    The statements follow the rules of Citus and are checked against the catalogue of a real PostgreSQL, but
    were never run on Citus. Read docs/postgres.md first: there, each tenant needs a role that is bound to it.
    """
    if not distributed:
        raise click.UsageError("Which plan? There is one: --distributed.")
    from simonides.ledger.postgres.plan import distributed as planned

    _run(desk, planned(_names(desk), shards), execute=False)


@verb(
    "index",
    examples=("simonides postgres index", "simonides postgres index --drop --execute"),
    then=("simonides doctor",),
)
@click.option(
    "--dimension", type=click.IntRange(min=1), default=384, show_default=True, help="Of the vectors."
)
@click.option("--drop", is_flag=True, help="Take the vectors and their index away again.")
@click.option(
    "--execute", is_flag=True, help="Run the statements on the server of --path, in one transaction."
)
def index(desk: Desk, *, dimension: int, drop: bool, execute: bool) -> None:
    """Keep vectors in pgvector too, for your own SQL.

    Recall does not use them: it follows the store with an index of its own, which finds more and asks the
    server less (docs/postgres.md has the figures). Needs the extension vector, and locks the table meanwhile.
    """
    from simonides.ledger.postgres.vectors import KINDS, dropping, making

    names, kind = _names(desk), KINDS[0]
    if execute and not drop:
        from simonides.ledger.postgres.administer import kind_of_vector

        kind = kind_of_vector(_database(desk))
    _run(desk, dropping(names) if drop else making(names, dimension, kind), execute=execute)


def _names(desk: Desk) -> Names:
    """Return the schemas that the address names, else the usual ones."""
    from simonides.ledger.postgres.address import Address
    from simonides.ledger.postgres.schema import SCHEMA, Names

    return Names(Address.of(desk.server).schema or SCHEMA) if desk.server else Names(SCHEMA)


def _database(desk: Desk) -> PostgresDatabase:
    if not desk.server:
        raise InputError(
            "path", "must be the address of a server", "", "--path postgresql://user@host/database"
        )
    from simonides.ledger.db import Database

    database = desk.memory().ledger.database
    assert not isinstance(database, Database)
    return database


def _run(desk: Desk, statements: Sequence[str], *, execute: bool) -> None:
    if execute:
        database = _database(desk)
        from simonides.ledger.postgres.administer import run

        run(database, statements)

    def people(paper: Paper) -> None:
        for statement in statements:
            paper.line(f"{statement};")
        if execute:
            desk.aside("Done.")

    desk.answer({"statements": [*statements], "executed": execute}, people)
