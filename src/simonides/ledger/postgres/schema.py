"""The schema in PostgreSQL as numbered steps that are never edited, and how a database gets to the newest one.

Every table of the ledger lies in one schema, with the tenant first in every key, behind row-level security. A second
schema holds views of the same names and columns without the tenant, so that the statements of the ledger are the
same as for SQLite. Knows SQL and roles; knows no noun of the domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString, cast

from simonides.errors import InputError, NewerStore, StoreUnusable
from simonides.ledger.counters import NAMES

if TYPE_CHECKING:
    from simonides.ledger.postgres.driver import Raw

SCHEMA = "simonides"
"""The schema of the tables, unless the address names another; that of the views has ``_tenant`` behind it."""
COMMITS = "commits"
"""The counter that every writing transaction locks first and counts up."""
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_VIEWS_INVOKE_FROM = 150000
"""Server version from which a view can run with the rights of whoever reads it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; in its statements ``@@`` stands for the schema of tables, ``@v`` for that of views."""

    number: int
    name: str
    statements: tuple[str, ...]


# ANALYZE keeps the most common values of a column in a table of the server's own, where no erasure reaches them. So it
# counts no column that can hold what somebody said; only names that this program gives.
_COUNTED = frozenset({"name", "key", "kind", "state", "action", "verb", "purpose", "id", "subject", "target"})
_OF_WORDS = frozenset({"words", "tokens", "states", "vector"})


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a tenant's.

    Attributes:
        name: of the table and of its view.
        columns: each with its type, without the tenant.
        keys: primary key, unique and foreign keys, each led by the tenant.
        options: storage parameters.
    """

    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    options: str = ""

    def statements(self) -> Iterator[str]:
        """Yield what makes the table, its wall and its view."""
        inside = (
            "tenant bigint NOT NULL DEFAULT @@.current_tenant()",
            *(column.replace(" text", ' text COLLATE "C"', 1) for column in self.columns),
            *self.keys,
        )
        options = f" WITH ({self.options})" if self.options else ""
        yield f"CREATE TABLE @@.{self.name} ({', '.join(inside)}){options}"
        yield f"ALTER TABLE @@.{self.name} ENABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE @@.{self.name} FORCE ROW LEVEL SECURITY"
        yield (
            f"CREATE POLICY tenant ON @@.{self.name} "
            "USING (tenant = (SELECT @@.current_tenant())) WITH CHECK (tenant = (SELECT @@.current_tenant()))"
        )
        for name, kind in (column.split()[:2] for column in self.columns):
            if name not in _COUNTED and (kind == "text" or name in _OF_WORDS):
                yield f"ALTER TABLE @@.{self.name} ALTER COLUMN {name} SET STATISTICS 0"
        names = ", ".join(column.split()[0] for column in self.columns)
        yield (
            f"CREATE VIEW @v.{self.name}@options AS SELECT {names} FROM @@.{self.name} "
            "WHERE tenant = (SELECT @@.current_tenant())"
        )


_TWO_CLOCKS = (
    "valid_from bigint NOT NULL",
    "valid_to bigint NOT NULL",
    "recorded_from bigint NOT NULL",
    "recorded_to bigint NOT NULL",
)
_OF_MEMORY = "FOREIGN KEY (tenant, row) REFERENCES @@.memory (tenant, row) ON DELETE CASCADE"
_TABLES_3 = (
    Table("counter", ("name text NOT NULL", "value bigint NOT NULL"), ("PRIMARY KEY (tenant, name)",), "fillfactor=20"),
    Table("writer", ("writer bytea NOT NULL", "mark bigint NOT NULL", "at timestamptz NOT NULL DEFAULT now()"),
          ("PRIMARY KEY (tenant, writer)",), "fillfactor=20"),
    Table("meta", ("key text NOT NULL", "value text"), ("PRIMARY KEY (tenant, key)",)),
    Table(
        "scope",
        (
            "scope bigint NOT NULL",
            *(f"{name} text NOT NULL DEFAULT ''" for name in ('"user"', "agent", "session", "project")),
        ),
        ("PRIMARY KEY (tenant, scope)", 'UNIQUE (tenant, "user", agent, session, project)'),
    ),
    Table(
        "memory",
        (
            "row bigint NOT NULL", "id bytea NOT NULL", "version bigint NOT NULL", "kind text NOT NULL",
            "scope bigint NOT NULL", *_TWO_CLOCKS, "opened bigint NOT NULL", "closed bigint",
            "zone text NOT NULL", "confidence double precision NOT NULL", "importance double precision NOT NULL",
            "speaker text NOT NULL", "actor text NOT NULL", "reason text NOT NULL",
            "source text", "metadata text", "attributes text", "text text NOT NULL",
        ),
        (
            "PRIMARY KEY (tenant, row)", "UNIQUE (tenant, id, version)",
            "FOREIGN KEY (tenant, scope) REFERENCES @@.scope (tenant, scope)",
        ),
    ),
    Table(
        "link",
        (
            "row bigint NOT NULL", "id bytea NOT NULL", "version bigint NOT NULL",
            "source bytea NOT NULL", "target bytea NOT NULL", "relation text NOT NULL", *_TWO_CLOCKS,
            "weight double precision NOT NULL", "evidence text NOT NULL", "reason text NOT NULL",
            "actor text NOT NULL", "opened bigint NOT NULL", "closed bigint",
        ),
        ("PRIMARY KEY (tenant, row)", "UNIQUE (tenant, id, version)"),
    ),
    Table(
        "event",
        (
            "seq bigint NOT NULL", "at bigint NOT NULL", "actor text NOT NULL", "verb text NOT NULL",
            "subject bytea NOT NULL", "payload text", "payload_hash bytea", "digest bytea NOT NULL",
        ),
        ("PRIMARY KEY (tenant, seq)",),
    ),
    Table(
        "model",
        ("model bigint NOT NULL", "identity text NOT NULL"),
        ("PRIMARY KEY (tenant, model)", "UNIQUE (tenant, identity)"),
    ),
    Table(
        "lexical",
        ("row bigint NOT NULL", "words bytea NOT NULL", "tokens bytea NOT NULL"),
        ("PRIMARY KEY (tenant, row)", _OF_MEMORY),
    ),
    Table(
        "pooled",
        ("serial bigint NOT NULL", "model bigint NOT NULL", "row bigint NOT NULL", "vector bytea NOT NULL"),
        (
            "PRIMARY KEY (tenant, serial)", "UNIQUE (tenant, row, model)", _OF_MEMORY,
            "FOREIGN KEY (tenant, model) REFERENCES @@.model (tenant, model)",
        ),
    ),
    Table(
        "codes",
        ("serial bigint NOT NULL", "states bytea NOT NULL", "tokens bytea NOT NULL"),
        (
            "PRIMARY KEY (tenant, serial)",
            "FOREIGN KEY (tenant, serial) REFERENCES @@.pooled (tenant, serial) ON DELETE CASCADE",
        ),
    ),
    Table(
        "job",
        (
            "job bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY", "kind text NOT NULL", "row bigint",
            "payload text", "priority bigint NOT NULL DEFAULT 0", "due bigint NOT NULL DEFAULT 0",
            "attempts bigint NOT NULL DEFAULT 0", "worker text NOT NULL DEFAULT ''",
            "state text NOT NULL DEFAULT 'waiting'", "reason text NOT NULL DEFAULT ''",
            "created bigint NOT NULL DEFAULT 0",
        ),
        ("PRIMARY KEY (tenant, job)", _OF_MEMORY),
    ),
    Table(
        "call",
        (
            "call bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY", "at bigint NOT NULL",
            "purpose text NOT NULL", "model text NOT NULL", "job bigint", "prompt_tokens bigint NOT NULL",
            "reply_tokens bigint NOT NULL", "cost double precision NOT NULL",
            "seconds double precision NOT NULL", "ok bigint NOT NULL", "detail text NOT NULL DEFAULT ''",
        ),
        ("PRIMARY KEY (tenant, call)",),
    ),
    Table(
        "expiry",
        ("serial bigint NOT NULL", "id bytea NOT NULL", "at bigint NOT NULL", "action text NOT NULL"),
        ("PRIMARY KEY (tenant, serial)", "UNIQUE (tenant, id)"),
    ),
    Table(
        "retention",
        (
            "rule bigint NOT NULL",
            *(f"{name} text NOT NULL DEFAULT ''" for name in ("kind", '"user"', "agent", "session", "project")),
            "seconds bigint NOT NULL", "action text NOT NULL", "reason text NOT NULL", "created bigint NOT NULL",
        ),
        ("PRIMARY KEY (tenant, rule)",),
    ),
    Table("erased", ("serial bigint NOT NULL", "row bigint NOT NULL"), ("PRIMARY KEY (tenant, serial)",)),
)  # fmt: skip

_TABLES_4 = (
    Table(
        "credential",
        (
            "id bytea NOT NULL", "name text NOT NULL",
            *(f"{name} text NOT NULL DEFAULT ''" for name in ('"user"', "agent", "session", "project")),
            "rights text NOT NULL", "digest bytea NOT NULL", "former bytea",
            "former_until bigint NOT NULL DEFAULT 0", "created bigint NOT NULL", "expires bigint NOT NULL",
            "used bigint", "revoked bigint",
        ),
        ("PRIMARY KEY (tenant, id)",),
    ),
    Table(
        "replay",
        (
            "key bytea NOT NULL", "part bigint NOT NULL", "at bigint NOT NULL", "digest bytea NOT NULL",
            "receipt text NOT NULL",
        ),
        ("PRIMARY KEY (tenant, key, part)",),
    ),
)  # fmt: skip

TABLES = tuple(table.name for table in (*_TABLES_3, *_TABLES_4))
"""The tables that hold rows of tenants, those that others refer to first."""
SHARED = ("migration", "tenant", "member")
"""The tables that are the same for all tenants."""

_COUNTERS = ", ".join(f"'{name}'" for name in (*NAMES, COMMITS))
_TENANTS_3 = (
    "CREATE SCHEMA IF NOT EXISTS @@",
    "CREATE SCHEMA IF NOT EXISTS @v",
    """CREATE TABLE @@.migration (
    number bigint PRIMARY KEY, name text NOT NULL COLLATE "C", at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE @@.tenant (
    tenant bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, name text NOT NULL UNIQUE COLLATE "C")""",
    """CREATE TABLE @@.member (
    role name PRIMARY KEY, tenant bigint NOT NULL REFERENCES @@.tenant ON DELETE CASCADE)""",
    # Whose rows this session sees. A role that is bound to a tenant sees that one, whatever it sets; SET ROLE does not
    # change session_user, and the function reads `member` with the rights of its owner.
    """CREATE FUNCTION @@.current_tenant() RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
    PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    DECLARE bound bigint;
    BEGIN
        SELECT m.tenant INTO bound FROM @@.member m WHERE m.role = session_user;
        RETURN coalesce(bound, nullif(current_setting('simonides.tenant', true), '')::bigint);
    END $$""",
    """CREATE FUNCTION @v.integers(list text) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.string_to_array(pg_catalog.btrim(list, '[]'), ',')::bigint[] $$""",
    """CREATE FUNCTION @v.numbers(list text) RETURNS TABLE (value bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.btrim(list, '[]'), ',')::bigint[]) $$""",
    """CREATE FUNCTION @v.hex(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.upper(pg_catalog.encode(bytes, 'hex')) $$""",
    # A JSON number by its exact value: Python and SQLite read what has a point or an exponent as a double.
    """CREATE FUNCTION @v.exact(number text) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN number ~ '[.eE]' AND abs(number::double precision) >= 4503599627370496
        AND number::double precision BETWEEN -9223372036854775808 AND 9223372036854774784
        THEN number::double precision::bigint::numeric ELSE number::numeric END $$""",
)
_ENTER_3 = (
    # The number of a tenant, made when it is new; of the one that a role is bound to, whatever it asks for.
    f"""CREATE FUNCTION @@.enter(wanted text) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    DECLARE found bigint; bound text;
    BEGIN
        SELECT t.tenant, t.name INTO found, bound FROM @@.member m JOIN @@.tenant t USING (tenant)
            WHERE m.role = session_user;
        IF found IS NOT NULL THEN
            IF wanted <> '' AND wanted <> bound THEN
                RAISE insufficient_privilege USING MESSAGE = 'role ' || session_user || ' is bound to tenant ' || bound;
            END IF;
            RETURN found;
        END IF;
        IF wanted = '' THEN wanted := 'default'; END IF;
        SELECT t.tenant INTO found FROM @@.tenant t WHERE t.name = wanted;
        IF found IS NULL THEN
            INSERT INTO @@.tenant (name) VALUES (wanted) ON CONFLICT (name) DO NOTHING RETURNING tenant INTO found;
            IF found IS NULL THEN
                SELECT t.tenant INTO STRICT found FROM @@.tenant t WHERE t.name = wanted;
            ELSE
                PERFORM set_config('simonides.tenant', found::text, true);
                INSERT INTO @@.counter (tenant, name, value)
                    SELECT found, each, 0 FROM unnest(ARRAY[{_COUNTERS}]) each;
                INSERT INTO @@.meta (tenant, key, value)
                    VALUES (found, 'store', replace(gen_random_uuid()::text, '-', ''));
            END IF;
        END IF;
        RETURN found;
    END $$""",
    "REVOKE ALL ON FUNCTION @@.enter(text) FROM PUBLIC",
)

_NEW_4 = ", ".join(f"{schema}.{table.name}" for schema in ("@@", "@v") for table in _TABLES_4)
_LET_IN_4 = (
    # Whether a tenant is there; for a server that is shown a token before it knows whether the token is good.
    """CREATE FUNCTION @@.known(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$ SELECT EXISTS (
        SELECT 1 FROM @@.tenant t WHERE t.name = CASE wanted WHEN '' THEN 'default' ELSE wanted END) $$""",
    "REVOKE ALL ON FUNCTION @@.known(text) FROM PUBLIC",
    # Roles that were let in before get what they have on the table of memories.
    f"""DO $let$ DECLARE who text; BEGIN
        FOR who IN SELECT DISTINCT pg_get_userbyid(a.grantee) FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = '@@.memory'::regclass AND a.privilege_type = 'INSERT' AND a.grantee NOT IN (0, c.relowner)
        LOOP
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON {_NEW_4} TO %I', who);
            EXECUTE format('GRANT EXECUTE ON FUNCTION @@.known(text) TO %I', who);
        END LOOP; END $let$""",
)

MIGRATIONS = (
    Migration(
        3,
        "the tables of a ledger for each tenant, behind row-level security",
        (
            *_TENANTS_3,
            *(statement for table in _TABLES_3 for statement in table.statements()),
            *_ENTER_3,
            "CREATE INDEX memory_scope ON @@.memory (tenant, scope)",
            "CREATE INDEX memory_closed ON @@.memory (tenant, closed) WHERE closed IS NOT NULL",
            "CREATE INDEX link_source ON @@.link (tenant, source)",
            "CREATE INDEX link_target ON @@.link (tenant, target)",
            "CREATE INDEX event_subject ON @@.event (tenant, subject)",
            "CREATE INDEX job_next ON @@.job (tenant, kind, state, priority, due, job)",
            "CREATE INDEX job_row ON @@.job (tenant, row) WHERE row IS NOT NULL",
            "CREATE INDEX call_at ON @@.call (tenant, at)",
        ),
    ),
    Migration(
        4,
        "credentials of those who come over a network, and receipts of requests that may come again",
        (
            *(statement for table in _TABLES_4 for statement in table.statements()),
            "CREATE INDEX replay_at ON @@.replay (tenant, at)",
            *_LET_IN_4,
        ),
    ),
)
LATEST = MIGRATIONS[-1].number


@dataclass(frozen=True, slots=True)
class Names:
    """The two schemas of a store, checked to be plain names."""

    tables: str = SCHEMA

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.tables) or self.tables.startswith("pg_"):
            rule = "must be lower-case letters, digits and _, at most 40, not starting with pg_"
            raise InputError("schema", rule, repr(self.tables))

    @property
    def views(self) -> str:
        """The schema of the views."""
        return f"{self.tables}_tenant"

    def fill(self, statement: str, server_version: int = _VIEWS_INVOKE_FROM) -> LiteralString:
        """Return a statement with the names in their places."""
        # Not security_barrier: row-level security keeps the order of conditions, and joins still use every index.
        invoker = " WITH (security_invoker)" if server_version >= _VIEWS_INVOKE_FROM else ""
        filled = statement.replace("@options", invoker)
        return cast("LiteralString", filled.replace("@@", self.tables).replace("@v", self.views))


def version_of(raw: Raw, names: Names) -> int:
    """Return the number of the newest step that was taken; 0 where there is no store yet.

    Raises:
        NewerStore: a newer simonides took it.
    """
    query = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = $1 AND relname = $2"
    if raw.execute(query, (names.tables, "migration")).fetchone() is None:
        return 0
    found = raw.execute(names.fill("SELECT max(number) FROM @@.migration")).fetchone()
    version = int(found[0] or 0) if found else 0
    if version > LATEST:
        rule = f"was written by a newer simonides (schema {version}, this one knows {LATEST})"
        raise NewerStore(f"schema {names.tables}", rule, "", "Upgrade: pip install --upgrade simonides.")
    return version


def migrate(raw: Raw, names: Names) -> int:
    """Bring a database to the newest schema, in one transaction; returns the number it had.

    Of several that start at once, one takes the steps, and the others wait and find them taken. Where they are taken
    already no right to change the schema is needed.
    """
    began = version_of(raw, names)
    if began == LATEST:
        return began
    with raw.transaction():
        raw.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", (f"simonides {names.tables}",))
        began = version_of(raw, names)
        for step in MIGRATIONS:
            if step.number > began:
                for statement in step.statements:
                    raw.execute(names.fill(statement, raw.info.server_version), prepare=False)
                insert = names.fill("INSERT INTO @@.migration (number, name) VALUES ($1, $2)")
                raw.execute(insert, (step.number, step.name))
    return began


def require_present(raw: Raw, names: Names, subject: str) -> None:
    """Refuse a server that only reads and doesn't hold the newest schema."""
    version = version_of(raw, names)
    if version != LATEST:
        rule = f"follows another server, whose schema is at {version} and not at {LATEST}"
        raise StoreUnusable(subject, rule, "", "Open the other server once; this one follows.")
