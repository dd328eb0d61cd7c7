"""Imports only go down, and only doors touch the world around the process; proven on the syntax trees of the source.

A floor is a number; a wing is a folder of a floor. A module may import modules of lower floors and of its own wing.
The order of the floors is the one of CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "simonides"

FLOORS = {
    "errors": 0,
    "clock": 1,
    "cluster": 1,
    "pool": 1,
    "registry": 1,
    "shapes": 1,
    "settings": 1,
    "work": 1,
    "types": 1,
    "data": 1,
    "ledger": 2,
    "kv": 2,
    "neural": 2,
    "hardware": 2,
    "trust": 2,
    "parts": 3,
    "working": 3,
    "learn": 3,
    "recipes": 4,
    "enrich": 5,
    "bounded": 5,
    "composed": 5,
    "digesting": 5,
    "client": 5,
    "credentials": 5,
    "finding": 5,
    "keeping": 5,
    "lifetime": 5,
    "opened": 5,
    "reviewing": 5,
    "backlog": 5,
    "chosen": 5,
    "health": 5,
    "reindex": 5,
    "spending": 5,
    "unread": 5,
    "memory": 5,
    "memory_async": 5,
    "compat": 6,
    "doors": 7,
    "__main__": 8,
    "bench": 8,
}
GROUND = {"clock", "cluster", "pool", "registry", "settings", "shapes", "work", "types"}
"""Nouns of floor 1 are one wing: they may build on each other, without a circle."""

OBJECT = {
    "memory",
    "memory_async",
    "bounded",
    "composed",
    "digesting",
    "client",
    "credentials",
    "finding",
    "keeping",
    "opened",
    "reviewing",
    "enrich",
    "lifetime",
    "backlog",
    "chosen",
    "health",
    "reindex",
    "spending",
    "unread",
}
"""The object that users hold, and what it alone uses."""

PACKAGES = {
    "cluster": {"ray"},
    "ledger": {"numpy", "turbovec", "apsw", "psycopg", "psycopg_pool"},
    "parts": {
        "numpy",
        "graspologic_native",
        "onnxruntime",
        "tokenizers",
        "turbovec",
        "Stemmer",
        "sentence_transformers",
        "tqdm",
    },
    "recipes": {"numpy"},
    **{name: {"numpy"} for name in OBJECT},
    "doors": {
        "numpy",
        "click",
        "keyring",
        "mcp",
        "mcp_types",
        "anyio",
        "fastapi",
        "starlette",
        "uvicorn",
        "pydantic",
        "prometheus_client",
        "opentelemetry",
        "jwt",
        "tomlkit",
    },
    "compat": {
        "anthropic",
        "autogen_core",
        "crewai",
        "langgraph",
        "llama_index",
        "agents",
        "pydantic",
        "openai",
    },
    "bench": None,
}
"""Third-party packages that a wing may import; whoever is not named has the standard library only; None is any."""

OUTSIDE_WORLD = {"doors", "bench"}
MODELS_RUN = {"unread"}
"""Where models of anybody read texts: whatever they raise is caught there, and becomes the reason of a job."""
LAZY_HOMES = {"doors", "compat", "bench", *OBJECT}
"""Where an import of ours may stand inside a function: to keep the start of a door or of the object quick."""

SQLITE_HOMES = {"ledger", "doors"}
"""The store, and the doors whose importers read the SQLite files of other systems."""

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
NAIVE = {"utcnow", "utcfromtimestamp", "today"}
UNSAFE = {"pickle", "shelve", "marshal", "dill", "cloudpickle"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file, parsed once."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def wing(self) -> str:
        """The part of the name that a floor is given to; empty for the package's own `__init__`."""
        return self.name.split(".")[1] if "." in self.name else ""

    def at(self, node: ast.AST) -> str:
        """Return where a node stands, for a message."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True, slots=True)
class Import:
    """One import: what is imported, where, whether inside a function, and whether for the type checker only."""

    target: str
    node: ast.stmt
    hidden: bool
    typing: bool = False


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package."""
    found: list[Module] = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(("simonides", *(part for part in parts if part != "__init__")))
        found.append(Module(name, path, ast.parse(path.read_text("utf-8"), str(path))))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """Yield every import of a module, those for the type checker and those inside functions too."""

    def walk(node: ast.AST, *, hidden: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child, hidden, typing)
            elif isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    yield Import(whole if whole in names() else str(child.module), child, hidden, typing)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            checking = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
            yield from walk(child, hidden=hidden or inside, typing=typing or checking)

    return walk(module.tree, hidden=False, typing=False)


@cache
def names() -> frozenset[str]:
    """Return the names of all modules."""
    return frozenset(module.name for module in modules())


def calls(module: Module, *wanted: str) -> Iterator[ast.Call]:
    """Yield the calls of a bare name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in wanted:
            yield node


def floor_of(name: str) -> int | None:
    """Return the floor of one of our modules; None for the package itself."""
    return FLOORS[name.split(".")[1]] if "." in name else None


def same_wing(one: str, other: str) -> bool:
    """Tell whether two modules belong to one wing."""
    first, second = one.split(".")[1], other.split(".")[1]
    return first == second or {first, second} <= GROUND or {first, second} <= OBJECT


def test_every_module_stands_on_a_floor() -> None:
    unknown = {module.wing for module in modules()} - {""} - set(FLOORS)
    assert not unknown, f"give these a floor here and in CONTRIBUTING.md: {sorted(unknown)}"


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {module.path.parent for module in modules()}
    assert not [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").exists()]


def test_imports_only_go_down() -> None:
    wrong: list[str] = []
    for module in modules():
        own = floor_of(module.name)
        for found in imports(module):
            if not found.target.startswith("simonides") or own is None:
                continue
            target = floor_of(found.target)
            if target is None:
                if module.wing not in OUTSIDE_WORLD:
                    wrong.append(f"{module.at(found.node)}: imports the package itself; name the module")
            elif target > own or (target == own and not same_wing(module.name, found.target)):
                wrong.append(f"{module.at(found.node)}: floor {own} imports {found.target} of floor {target}")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_the_bench() -> None:
    wrong = [
        f"{module.at(found.node)}: {found.target}"
        for module in modules()
        for found in imports(module)
        if found.target.startswith("simonides.bench") and module.wing != "bench"
    ]
    assert not wrong, "reach the bench through a registry string\n" + "\n".join(wrong)


def test_no_import_runs_in_a_circle() -> None:
    edges = {
        module.name: {
            found.target for found in imports(module) if found.target in names() and not found.typing
        }
        for module in modules()
    }
    for name, targets in edges.items():
        targets.discard(name)
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != "open", " -> ".join((*trail, name))
        if name not in state:
            state[name] = "open"
            for target in sorted(edges[name]):
                visit(target, (*trail, name))
            state[name] = "done"

    for name in sorted(edges):
        visit(name, ())


def test_imports_of_ours_inside_functions_stand_only_where_a_quick_start_needs_them() -> None:
    wrong = [
        f"{module.at(found.node)}: {found.target}"
        for module in modules()
        for found in imports(module)
        if found.hidden and found.target.startswith("simonides") and module.wing not in LAZY_HOMES
    ]
    assert not wrong, "\n".join(wrong)


def test_each_wing_imports_only_the_packages_it_may() -> None:
    wrong: list[str] = []
    for module in modules():
        allowed = PACKAGES.get(module.wing, set())
        for found in imports(module):
            top = found.target.split(".")[0]
            ours = top in ("simonides", "__future__") or top in sys.stdlib_module_names
            if not ours and allowed is not None and top not in allowed:
                wrong.append(
                    f"{module.at(found.node)}: {top} is not for {module.wing or 'the package itself'}"
                )
    assert not wrong, "\n".join(wrong)


def test_only_the_ledger_and_importers_speak_sqlite() -> None:
    wrong = [
        module.at(found.node)
        for module in modules()
        for found in imports(module)
        if found.target.split(".")[0] == "sqlite3" and module.wing not in SQLITE_HOMES | {"bench"}
    ]
    assert not wrong, "\n".join(wrong)


def test_only_doors_read_the_environment() -> None:
    wrong: list[str] = []
    for module in modules():
        if module.wing == "doors":
            continue
        for node in ast.walk(module.tree):
            attribute = isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT
            named = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set[str]()
            if attribute or (
                isinstance(node, ast.ImportFrom) and node.module == "os" and named & ENVIRONMENT
            ):
                wrong.append(module.at(node))
    assert not wrong, "hand the value in from a door\n" + "\n".join(wrong)


def test_nothing_prints_outside_doors_and_bench() -> None:
    wrong = [
        module.at(node)
        for module in modules()
        if module.wing not in OUTSIDE_WORLD
        for node in calls(module, "print", "input", "breakpoint")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_time_is_naive() -> None:
    wrong: list[str] = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            of_time = ast.unparse(owner).split(".")[-1] in ("datetime", "date")
            given = [keyword.arg for keyword in node.keywords]
            naive = node.func.attr in NAIVE
            naive |= node.func.attr == "now" and not node.args and "tz" not in given
            naive |= node.func.attr == "fromtimestamp" and len(node.args) < 2 and "tz" not in given
            if of_time and naive:
                wrong.append(f"{module.at(node)}: {ast.unparse(node)}")
    assert not wrong, "pass a zone, or take the clock that was handed in\n" + "\n".join(wrong)


def test_only_doors_and_bench_catch_everything() -> None:
    wrong: list[str] = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and module.wing not in OUTSIDE_WORLD:
                caught = ast.unparse(node.type) if node.type else ""
                again = any(isinstance(last, ast.Raise) and last.exc is None for last in node.body[-1:])
                if (
                    caught in ("", "Exception", "BaseException")
                    and not again
                    and module.wing not in MODELS_RUN
                ):
                    wrong.append(module.at(node))
    assert not wrong, "catch by name, or raise again\n" + "\n".join(wrong)


def test_nothing_unpickles() -> None:
    wrong = [
        f"{module.at(found.node)}: {found.target}"
        for module in modules()
        for found in imports(module)
        if found.target.split(".")[0] in UNSAFE
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_are_named_by_their_noun() -> None:
    words = [(module, part) for module in modules() for part in module.name.split(".")[1:]]
    vague = [str(m.path.relative_to(ROOT)) for m, part in words if part.strip("_") in VAGUE or "_v2" in part]
    shadowed = [str(m.path.relative_to(ROOT)) for m in modules() if m.path.with_suffix("").is_dir()]
    assert not vague, f"name them by what they hold: {vague}"
    assert not shadowed, f"a module and a folder share a name: {shadowed}"


@pytest.mark.parametrize(
    ("source", "hidden", "typing", "target"),
    [
        ("import simonides.ledger", False, False, "simonides.ledger"),
        ("from simonides.errors import NotFound", False, False, "simonides.errors"),
        ("def f():\n    from simonides.errors import NotFound", True, False, "simonides.errors"),
        ("if True:\n    import numpy.linalg", False, False, "numpy.linalg"),
        ("if TYPE_CHECKING:\n    import numpy.linalg", False, True, "numpy.linalg"),
        ("class A:\n    def f(self):\n        import os", True, False, "os"),
    ],
)
def test_the_reader_of_imports_sees_each_form(source: str, hidden: bool, typing: bool, target: str) -> None:
    module = Module("simonides.example", SOURCE / "example.py", ast.parse(source))
    (found,) = imports(module)
    assert (found.target, found.hidden, found.typing) == (target, hidden, typing)
