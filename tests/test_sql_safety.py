"""No value ever becomes part of a statement: proven on the syntax trees of the source, and by trying hostile values.

Every statement that is executed must be made of constants. What is put into one must itself be a constant of the
source, a choice among such, or something on the list `ALLOWED`, each with the reason why no caller can choose it.
"""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simonides.clock import FrozenClock, new_id
from simonides.errors import SimonidesError
from simonides.ledger import Ledger, Lexical
from simonides.ledger.sql import SqliteConnection
from simonides.settings import Settings
from simonides.types import Add, Connect, Disconnect, Json, Restore, Retire, Scope, Source, Supersede

SOURCE = Path(__file__).resolve().parent.parent / "src" / "simonides"
EXECUTE = {"execute", "executemany", "executescript"}
MARKS = "as many question marks as there are values"

DRIVER = "a driver passes on what its callers, which are looked at themselves, execute"
MOMENT = "`bitemporal.moment_sql` makes the condition of constants and binds the times"
SCHEMA = "the name of a schema, checked to be an identifier when the address of the server is read"
COUNTED = "made here of a constant and a number that is counted up"

ALLOWED: dict[tuple[str, str], str] = {
    ("ledger/db.py", "self._synchronous"): "the setting has two values, checked when settings are made",
    ("ledger/encrypted.py", "key_and_salt.hex()"): "hexadecimal digits; a pragma takes no parameters",
    ("ledger/encrypted.py", "sql"): DRIVER,
    ("ledger/sql.py", "sql"): DRIVER,
    ("credentials.py", "names.tables"): SCHEMA,
    (
        "doors/importers/sqlite_file.py",
        "_quoted(name)",
    ): "the name of a table that the file has, in SQL's quotes",
    ("doors/importers/sqlite_file.py", "order"): "importers hand in constants",
    ("ledger/erase.py", "*portions(sorted(ids))"): MARKS,
    (
        "ledger/erase.py",
        "*zip(('user', 'agent', 'session', 'project'), fields, strict=True)",
    ): "the first of each pair, a constant",
    ("ledger/selection.py", "*portions(sorted(ids))"): MARKS,
    ("ledger/selection.py", "*searches"): MARKS,
    ("ledger/selection.py", "_condition(selection)"): "constants; numbers, kinds and times are bound",
    ("ledger/jobs.py", "connection.dialect.skip_locked"): "one of two constants, by the database",
    ("ledger/jobs.py", "conditions[state]"): "a dictionary of constants above; an unknown state is refused",
    ("ledger/links.py", "moment"): MOMENT,
    ("ledger/links.py", "moment[0]"): MOMENT,
    ("ledger/reading.py", "moment.sql('m')"): MOMENT,
    ("ledger/reading.py", "_filtered(connection, where)"): "`filters.to_sql` binds fields and values",
    ("ledger/reading.py", "_fields(scope)"): "names of the four fields of a scope; their values are bound",
    ("ledger/memories.py", "condition"): "callers within the floor hand in constants",
    ("ledger/migrations.py", "step.statements"): "the steps of the schema are constants",
    ("ledger/migrations.py", "step.number"): "a number of the schema's steps",
    (
        "ledger/portable.py",
        "**groupby(marks, key=lambda mark: (mark[0], mark[3], mark[4]))",
    ): "'memory' or 'link', constants of the query above",
    (
        "ledger/postgres/administer.py",
        "statements",
    ): "made by `postgres plan` for an administrator to read first",
    ("ledger/postgres/check.py", "database.names.tables"): SCHEMA,
    ("ledger/postgres/database.py", "self.names.fill(_TURN)"): SCHEMA,
    ("ledger/postgres/database.py", "self.names.fill(_ANALYSE)"): SCHEMA,
    ("ledger/postgres/database.py", "self._jobs_lock"): "a constant and the number of the tenant",
    ("ledger/postgres/driver.py", "self._before_jobs"): "a constant and the number of the tenant",
    ("ledger/postgres/database.py", "self.names.fill('SELECT @@.enter($1)')"): SCHEMA,
    ("ledger/postgres/schema.py", "names.fill('SELECT max(number) FROM @@.migration')"): SCHEMA,
    ("ledger/postgres/schema.py", "names.fill(statement, raw.info.server_version)"): SCHEMA,
    (
        "ledger/postgres/schema.py",
        "names.fill('INSERT INTO @@.migration (number, name) VALUES ($1, $2)')",
    ): SCHEMA,
    ("ledger/postgres/driver.py", "translated(sql)"): DRIVER,
    ("ledger/postgres/driver.py", "sql"): DRIVER,
    ("ledger/postgres/driver.py", "self._savepoint"): COUNTED,
    ("ledger/postgres/driver.py", "self._name"): COUNTED,
    ("ledger/postgres/driver.py", "int(wanted)"): "a number",
    ("ledger/postgres/remains.py", "how.format(tables)"): "psycopg quotes the identifiers of a fixed table",
}
"""(file, expression) of what is put into statements: why nobody outside can choose it."""


@dataclass(frozen=True, slots=True)
class File:
    """One source file, parsed once, with what its names stand for at the top."""

    name: str
    tree: ast.Module
    constants: dict[str, list[ast.expr]] = field(default_factory=dict[str, list[ast.expr]])
    imports: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


@cache
def sources() -> dict[str, File]:
    """Return every file of the package by the name of its module."""
    found: dict[str, File] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        module = ".".join(("simonides", *(part for part in parts if part != "__init__")))
        source = File(str(path.relative_to(SOURCE)), ast.parse(path.read_text("utf-8")))
        for node in source.tree.body:
            for name, value in assigned(node):
                source.constants.setdefault(name, []).append(value)
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    source.imports[alias.asname or alias.name] = (node.module, alias.name)
        found[module] = source
    return found


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement gives values to, with these values; a loop gives each of what it walks over."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from pairs(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        if node.value is not None:
            yield from pairs(node.target, node.value)
    elif isinstance(node, ast.For | ast.comprehension):
        for value in each(node.iter):
            yield from pairs(node.target, value)


def each(values: ast.expr) -> list[ast.expr]:
    """Return what a loop walks over, where that is written down; else one thing that nobody knows."""
    if isinstance(values, ast.Tuple | ast.List | ast.Set):
        return values.elts
    if isinstance(values, ast.Dict):
        return [key for key in values.keys if key is not None]
    if (
        isinstance(values, ast.Call)
        and isinstance(values.func, ast.Attribute)
        and values.func.attr == "items"
    ):
        inner = values.func.value
        if isinstance(inner, ast.Dict):
            return [ast.Tuple([k, v]) for k, v in zip(inner.keys, inner.values, strict=True) if k is not None]
    if isinstance(values, ast.Call) and isinstance(values.func, ast.Name) and values.func.id == "enumerate":
        return [ast.Tuple([ast.Constant(0), one]) for one in each(values.args[0])]
    return [ast.Starred(values)]


def inside(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, those of functions in it too; of a module, what stands in no function."""
    if not isinstance(function, ast.Module):
        yield from ast.walk(function)
        return
    waiting: list[ast.AST] = [function]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.FunctionDef)]


def pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        whole = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        for number, part in enumerate(target.elts):
            yield from pairs(part, value.elts[number] if whole else ast.Starred(value))  # type: ignore[union-attr]


@dataclass(slots=True)
class Looking:
    """Looks for what in an expression is no constant of the source."""

    source: File
    function: ast.AST
    seen: set[str] = field(default_factory=set[str])

    def holes(self, node: ast.expr) -> Iterator[str]:
        """Yield those parts of an expression that somebody might choose."""
        match node:
            case ast.Constant():
                return
            case ast.JoinedStr():
                for part in node.values:
                    yield from self.holes(part)
            case ast.FormattedValue():
                yield from self.holes(node.value)
            case ast.BinOp(op=ast.Mult()) if isinstance(node.left, ast.Constant | ast.List):
                yield from self.holes(node.left)  # a constant, so many times
            case ast.BinOp():
                yield from self.holes(node.left)
                yield from self.holes(node.right)
            case ast.IfExp():
                yield from self.holes(node.body)
                yield from self.holes(node.orelse)
            case ast.BoolOp():
                for part in node.values:
                    yield from self.holes(part)
            case ast.List() | ast.Tuple():
                for part in node.elts:
                    yield from self.holes(part)
            case ast.GeneratorExp() | ast.ListComp():
                yield from self.holes(node.elt)
            case ast.Starred():
                yield from self.walked(node.value)
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[given]):
                yield from self.holes(given)
            case ast.Call(func=ast.Name(id="cast"), args=[_, given]):
                yield from self.holes(given)
            case ast.Name():
                yield from self.named(node)
            case ast.Attribute(value=ast.Name(id=owner), attr="_fields") if owner[0].isupper():
                return  # the names of a NamedTuple's fields, as its class lists them
            case ast.Attribute(value=ast.Name()):
                yield from self.elsewhere(node)
            case _:
                yield ast.unparse(node)

    def walked(self, values: ast.expr) -> Iterator[str]:
        """Yield what is unknown of a sequence that is walked over."""
        if isinstance(values, ast.Name | ast.Attribute | ast.Tuple | ast.List | ast.BinOp):
            yield from self.holes(values)
        else:
            yield ast.unparse(values)

    def named(self, node: ast.Name) -> Iterator[str]:
        if node.id in self.seen:
            return
        self.seen.add(node.id)
        values = [
            value for inner in inside(self.function) for name, value in assigned(inner) if name == node.id
        ]
        if values:
            for value in values:
                yield from self.holes(value)
        elif isinstance(self.function, ast.FunctionDef) and node.id in parameters(self.function):
            yield from self.given(node.id, self.function)
        elif node.id in self.source.constants:
            for value in self.source.constants[node.id]:
                yield from Looking(self.source, self.source.tree, self.seen).holes(value)
        elif node.id in self.source.imports:
            yield from imported(*self.source.imports[node.id], node.id)
        else:
            yield node.id

    def given(self, name: str, function: ast.FunctionDef) -> Iterator[str]:
        """Yield what is unknown of a parameter: it is what the callers of the function hand in, each looked at."""
        private = function.name.startswith("_")
        calls = [call for call in calls_of(function.name) if private and call[0] is self.source]
        if not calls:
            yield name
        for source, caller, call in calls:
            value = argument(call, function, name)
            if value is None:
                yield name
            else:
                yield from Looking(source, caller, {*self.seen} - {name}).holes(value)

    def elsewhere(self, node: ast.Attribute) -> Iterator[str]:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if owner in self.source.imports:
            module, name = self.source.imports[owner]
            yield from imported(f"{module}.{name}", node.attr, ast.unparse(node))
        else:
            yield ast.unparse(node)


def parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names of a function's parameters, without the object it is called on."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    return [
        *(name for name in names if name not in ("self", "cls")),
        *(one.arg for one in function.args.kwonlyargs),
    ]


def argument(call: ast.Call, function: ast.FunctionDef, name: str) -> ast.expr | None:
    """Return what a call hands in for a parameter; its default where it hands in nothing."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    place = parameters(function).index(name)
    if place < len(call.args):
        return call.args[place]
    every = [*function.args.posonlyargs, *function.args.args]
    defaults = dict(
        zip((one.arg for one in every[len(every) - len(function.args.defaults) :]), function.args.defaults)
    )
    defaults |= {
        one.arg: value for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults) if value
    }
    return defaults.get(name)


@cache
def calls_of(name: str) -> tuple[tuple[File, ast.AST, ast.Call], ...]:
    """Return every call of a function of this name, with where it stands."""
    return tuple(
        (source, function, call)
        for source in sources().values()
        for function, call in calls(source)
        if (isinstance(call.func, ast.Name) and call.func.id == name)
        or (isinstance(call.func, ast.Attribute) and call.func.attr == name)
    )


def imported(module: str, name: str, said: str) -> Iterator[str]:
    source = sources().get(module)
    if source is None or name not in source.constants:
        yield said
        return
    for value in source.constants[name]:
        yield from Looking(source, source.tree).holes(value)


def calls(source: File) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield every call, with the function it stands in."""

    def walk(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inside = child if isinstance(child, ast.FunctionDef) else function
            if isinstance(child, ast.Call):
                yield function, child
            yield from walk(child, inside)

    return walk(source.tree, source.tree)


def statements(source: File) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield every call that executes a statement."""
    for function, call in calls(source):
        if isinstance(call.func, ast.Attribute) and call.func.attr in EXECUTE and call.args:
            yield function, call


def found() -> Iterator[tuple[str, str, int]]:
    """Yield (file, what is put in, line) of every statement that is not made of constants alone."""
    for source in sources().values():
        if source.name.startswith("bench/"):
            continue  # stores of its own, made of its own words
        for function, call in statements(source):
            for hole in Looking(source, function).holes(call.args[0]):
                yield source.name, hole, call.lineno


def test_statements_are_made_of_constants() -> None:
    unknown = [f"{name}:{line}: {hole}" for name, hole, line in found() if (name, hole) not in ALLOWED]
    assert not unknown, (
        "bind it as a parameter; or, if nobody outside can choose it, say so in ALLOWED\n"
        + "\n".join(unknown)
    )


def test_the_list_holds_nothing_that_is_not_there() -> None:
    """A reason outlives its statement otherwise, and excuses another."""
    assert not set(ALLOWED) - {(name, hole) for name, hole, _ in found()}


# --- hostile values ------------------------------------------------------------------------------------------------

HOSTILE = (
    "'; DROP TABLE memory; --",
    '" OR 1 = 1 --',
    "x') UNION SELECT text FROM memory --",
    "? ? ?",
    "%s %(a)s %",
    "{c} {0} {}",
    ":a @b $1",
    "json_each(?)",
    "\\'\\\"",
    "/* */ ; COMMIT; BEGIN",
    "$.a.b[0]",
    "*",
)
HARMLESS = "harmless"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Recorded(SqliteConnection):
    """A connection that keeps the statements it is given, without their values."""

    said: list[str]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Keep the statement, and run it."""
        self.said.append(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
        """Keep the statement, and run it."""
        self.said.append(sql)
        return super().executemany(sql, rows)


@dataclass(slots=True)
class Recording:
    """A driver whose connections keep their statements in one list."""

    said: list[str] = field(default_factory=list[str])
    encrypted: bool = False

    def connect(self, path: str, busy_seconds: float, /) -> SqliteConnection:
        """Open a connection."""
        kind: Any = type("Kept", (Recorded,), {"said": self.said})
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=kind)

    def open(self, path: Path) -> Ledger:
        """Open a store."""
        return Ledger(
            path,
            clock=FrozenClock(NOW),
            settings=Settings(synchronous="normal"),
            analyse=lambda text: Lexical(b"w", b"t"),
            driver=self,
        )


def life(folder: Path, word: str) -> tuple[list[str], list[str]]:
    """Put a word wherever a caller can put one; return the statements, and what could be read of it again."""
    folder.mkdir()
    driver = Recording()
    ledger = driver.open(folder / "memory.db")
    scope = Scope(word, word, word, word)
    one, other, link = new_id(), new_id(), new_id()
    fields: dict[str, Json] = {word: word, "plain": [word, {word: word}]}
    ledger.apply(
        [
            Add(one, word, NOW, scope=scope, speaker=word, source=Source(word), metadata=fields,
                attributes=fields, reason=word),
            Add(other, word, NOW, scope=Scope(user=word)),
            Connect(link, one, other, word, NOW, evidence=word, reason=word),
        ],
        actor=word,
    )  # fmt: skip
    ledger.apply([Supersede(one, f"{word} again", metadata=fields, reason=word)], actor=word)
    ledger.apply([Retire(other, NOW, reason=word), Restore(one, reason=word)], actor=word)
    found = [memory.text for memory in ledger.list(scope=scope)]
    found += [memory.text for memory in ledger.list(where={"plain": {"contains": word}})]
    found += [edge.relation for edge in ledger.links(of=one, relation=word)]
    found += [event.actor for event in ledger.events(subject=one)]
    found += [known.user for _, known in ledger.scope_table()]
    ledger.rows_where({"or": [{"b": {"in": [word, 1]}}, {"not": {"a": {"gte": word}}}]})
    ledger.neighbours(one, relation=word)
    ledger.apply([Disconnect(link, NOW)], actor=word)
    for attempt in (
        lambda: ledger.get(word),
        lambda: ledger.expand(word),
        lambda: ledger.list(kinds=[word]),
        lambda: ledger.list(where={"a": {word: 1}}),
        lambda: ledger.events(subject=word),
        lambda: ledger.drop_derived(word),
    ):
        with pytest.raises(SimonidesError):
            attempt()
    ledger.model_id({word: word}, create=True)
    records = list(ledger.dump())
    assert ledger.verify().ok
    assert all(finding.ok for finding in ledger.check())
    ledger.close()
    taken = driver.open(folder / "copy.db")
    taken.undump(records, actor=word)
    assert list(taken.dump()) == records
    taken.close()
    return driver.said, found


@pytest.mark.parametrize("word", HOSTILE)
def test_no_value_changes_a_statement(tmp_path: Path, word: str) -> None:
    """The statements are those of a harmless word, one by one; and the word comes back as it was given."""
    said, found = life(tmp_path / "one", word)
    usual, expected = life(tmp_path / "other", HARMLESS)
    assert said == usual
    assert found == [text.replace(HARMLESS, word) for text in expected]
    assert found.count(word) >= 5


def test_a_field_of_any_name_is_filtered(tmp_path: Path) -> None:
    ledger = Recording().open(tmp_path / "memory.db")
    for word in HOSTILE:
        ledger.apply([Add(new_id(), word, NOW, metadata={word: {"inner": word}, "n": 1})])
    for word in HOSTILE:
        held = [memory.text for memory in ledger.list(where={word: {"exists": True}})]
        assert word in held or "." in word, "a dot leads to an inner field"
        assert len(held) <= 1
    assert len(ledger.list(where={"n": 1})) == len(HOSTILE)
    ledger.close()


EXAMPLE = """
TABLES = ("a", "b")
NAME = "c"
def f(connection, value, name):
    connection.execute("SELECT 1")
    connection.execute(f"SELECT {NAME} FROM t WHERE x = {value}")
    for table in TABLES:
        connection.execute(f"SELECT 1 FROM {table}")
    marks = ", ".join("?" * len(value))
    connection.execute("SELECT " + marks)
    query = "SELECT 2" if value else name.upper()
    connection.execute(query)
    connection.execute("SELECT %s" % value)
    connection.execute("SELECT {}".format(value))
    _g(connection, "SELECT 3")
    _g(connection, name)
def _g(connection, query):
    connection.execute(query)
"""


def test_the_analysis_sees_what_is_put_in() -> None:
    """A value, a call, a parameter of a public function and a changed name are seen; constants are not."""
    file = File("example.py", ast.parse(EXAMPLE))
    for node in file.tree.body:
        for name, value in assigned(node):
            file.constants.setdefault(name, []).append(value)
    sources()["example"] = file
    calls_of.cache_clear()
    try:
        holes = {
            (call.lineno, hole)
            for function, call in statements(file)
            for hole in Looking(file, function).holes(call.args[0])
        }
    finally:
        del sources()["example"]
        calls_of.cache_clear()
    assert holes == {
        (6, "value"),
        (12, "name.upper()"),
        (13, "value"),
        (14, "'SELECT {}'.format(value)"),
        (18, "name"),
    }
