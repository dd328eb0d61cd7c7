"""The same ledger in PostgreSQL: connections, schema, tenants; imported when a ``postgresql://`` address is opened."""
