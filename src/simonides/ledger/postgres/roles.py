"""The statements that let a role into a store, bound to one tenant or not; prints and runs nothing itself."""

from __future__ import annotations

from simonides.errors import InputError
from simonides.ledger.postgres.schema import TABLES, Names

_LONGEST = 63
"""Bytes of a name that PostgreSQL keeps; it cuts the rest off without a word."""


def statements(role: str, names: Names, tenant: str = "") -> list[str]:
    """Return what makes a role (if need be), grants it what it needs, and binds it to a tenant (if named).

    The role needs no right to change the schema, and is held by row-level security. Unbound, it chooses the tenant with
    each connection: that is for servers that know whom they serve. Bound, it sees one tenant whatever it asks for.

    Raises:
        InputError: the name can't be that of a role.
    """
    if not role or "\0" in role or len(role.encode()) > _LONGEST or role.startswith("pg_"):
        raise InputError("role", f"must be 1 to {_LONGEST} bytes, and not start with pg_", repr(role))
    who, tables, views = quoted(role), names.tables, names.views
    every = [f"{schema}.{table}" for schema in (tables, views) for table in TABLES]
    there = f"EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {literal(role)}"
    fence = _fence(role)
    made = [
        f"""DO {fence} BEGIN
    IF NOT {there}) THEN CREATE ROLE {who} LOGIN NOSUPERUSER NOBYPASSRLS;
    ELSIF {there} AND (rolsuper OR rolbypassrls)) THEN
        RAISE 'a superuser, or a role with BYPASSRLS, passes through row-level security';
    END IF; END {fence}""",
        f"GRANT USAGE ON SCHEMA {tables}, {views} TO {who}",
        f"GRANT SELECT ON {tables}.migration TO {who}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(every)} TO {who}",
        f"GRANT EXECUTE ON FUNCTION {tables}.enter(text), {tables}.known(text) TO {who}",
    ]
    if tenant:
        made.append(
            f"INSERT INTO {tables}.member (role, tenant) VALUES ({literal(role)}, {tables}.enter({literal(tenant)})) "
            "ON CONFLICT (role) DO UPDATE SET tenant = excluded.tenant"
        )
    return made


def quoted(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a literal, whatever the server says about backslashes."""
    plain = "'" + text.replace("'", "''") + "'"
    return plain if "\\" not in text else " E" + plain.replace("\\", "\\\\")


def _fence(text: str) -> str:
    """Return a dollar quote that a text doesn't hold."""
    fence = "$make$"
    while fence in text:
        fence = f"{fence[:-1]}_$"
    return fence
