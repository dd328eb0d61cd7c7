"""The statements that spread a store over the machines of Citus, tenant by tenant; runs nothing.

Every table leads its keys with the tenant, so all rows of a tenant lie on one machine, joins and foreign keys stay
there, and its writers take turns there as they do on a single server. What has never been run on Citus is only said
to fit its rules: that every key begins with the distribution column, that a table comes after those it refers to, and
that what is the same for all tenants is a reference table.
"""

from __future__ import annotations

from simonides.ledger.postgres.roles import literal
from simonides.ledger.postgres.schema import SHARED, TABLES, Names

EXTENSION = "citus"
COLUMN = "tenant"
"""What rows are spread by."""


def distributed(names: Names, shards: int = 32) -> list[str]:
    """Return the statements in the order in which they must run, once, on the coordinator, as the owner.

    Args:
        shards: into how many pieces the tenants are spread; more than machines that there will ever be.
    """
    first, *rest = TABLES
    lead = literal(f"{names.tables}.{first}")
    beside = f"'{COLUMN}', colocate_with => {lead}"
    return [
        f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}",
        *(f"SELECT create_reference_table({literal(f'{names.tables}.{table}')})" for table in SHARED),
        f"SELECT create_distributed_table({lead}, '{COLUMN}', colocate_with => 'none', shard_count => {int(shards)})",
        *(
            f"SELECT create_distributed_table({literal(f'{names.tables}.{table}')}, {beside})"
            for table in rest
        ),
    ]
