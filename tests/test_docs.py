"""Nothing can be used that is not written down: commands, options, settings, errors, modules and public names."""

from __future__ import annotations

import ast
import inspect
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from simonides.ledger.migrations import MIGRATIONS
from simonides.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "simonides"

sys.path.insert(0, str(ROOT / "scripts"))
import figures  # noqa: E402
import reference  # noqa: E402

VERBS = (
    "add search context get list update retire restore history explain link log where doctor import export model "
    "reindex demo bench jobs undo expire erase upkeep retention"
).split()


def page(name: str) -> str:
    """Return the text of a page of docs/."""
    return (DOCS / name).read_text("utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_page_that_begins_with_its_name(verb: str) -> None:
    assert page(f"verbs/{verb}.md").startswith(f"# {verb}\n")


def test_each_command_has_a_page_or_is_named_on_the_page_of_its_group() -> None:
    top, context = reference.command_line()
    missing: list[str] = []
    for path, _, _ in reference.commands(top, context):
        home = DOCS / "verbs" / f"{path.split()[1]}.md"
        if not home.exists() or path not in home.read_text("utf-8"):
            missing.append(path)
    assert not missing, f"write about these in docs/verbs/: {missing}"


def test_each_option_is_explained() -> None:
    top, context = reference.command_line()
    silent = [
        f"{path} {option}"
        for path, command, inner in [("simonides", top, context), *reference.commands(top, context)]
        for option, told in reference.option_rows(command, inner)
        if option.startswith("`-") and not told.strip()
    ]
    assert not silent, f"options without help: {silent}"


@pytest.mark.parametrize("name", sorted(reference.PLACES))
def test_a_reference_page_is_as_the_code_says(name: str) -> None:
    file, make = reference.PLACES[name]
    assert reference.fill(DOCS / file, name, make(), check=True), f"docs/{file}: run scripts/reference.py"


def test_the_numbers_are_those_of_the_saved_reports() -> None:
    found = figures.reports()
    assert figures.fill(ROOT / "README.md", "summary", figures.summary(found), check=True), "run make numbers"
    assert figures.fill(DOCS / "benchmarks.md", "numbers", figures.details(found), check=True), (
        "run make numbers"
    )


@pytest.mark.parametrize("setting", [item.name for item in fields(Settings)])
def test_each_setting_is_on_the_page_of_settings(setting: str) -> None:
    assert f"`{setting}`" in page("settings.md")


@pytest.mark.parametrize("error", [cls.__name__ for cls in reference.error_classes()])
def test_each_error_is_told_with_its_way_out(error: str) -> None:
    sections = page("errors.md").split("\n## ")
    assert any(section.startswith(error) for section in sections[1:]) or error == "SimonidesError"


def test_each_table_and_column_is_on_the_page_of_the_file() -> None:
    with closing(sqlite3.connect(":memory:")) as store:
        for step in MIGRATIONS:
            for statement in step.statements:
                store.execute(statement)
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            f"{table}.{name}": name
            for table in tables
            if not table.startswith("sqlite_")
            for _, name, *_ in store.execute(f"PRAGMA table_info({table})")
        }
    told = page("file-format.md")
    assert not [column for column, name in columns.items() if f"`{name}`" not in told]
    assert not [table for table in tables if not table.startswith("sqlite_") and f"| `{table}` |" not in told]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_module_begins_with_a_sentence(path: Path) -> None:
    told = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert told, "say in one sentence what it is for and what it must not know"
    paragraph = " ".join(told.split("\n\n")[0].split())
    assert paragraph.endswith((".", ":")), f"the first paragraph is no sentence: {paragraph!r}"


def public(node: ast.Module | ast.ClassDef, prefix: str) -> list[tuple[str, ast.stmt]]:
    """Return the public functions and classes below a node, those in public classes too."""
    found: list[tuple[str, ast.stmt]] = []
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
            found.append((f"{prefix}{child.name}", child))
            if isinstance(child, ast.ClassDef):
                found += public(child, f"{prefix}{child.name}.")
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_public_name_has_a_docstring(path: Path) -> None:
    silent: list[str] = []
    for name, node in public(ast.parse(path.read_text("utf-8")), ""):
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        overload = any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
        told = inspect.cleandoc(ast.get_docstring(node) or "")
        if not overload and not re.match(r"\S.*[.:?]$", told.split("\n")[0] if told else ""):
            silent.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert not silent, "begin each docstring with one sentence on one line\n" + "\n".join(silent)


def test_nobody_tells_where_they_work() -> None:
    told = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for folder in (SOURCE, DOCS, ROOT / "scripts", ROOT / "tests", ROOT / "bench")
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".py", ".md", ".json", ".toml") and ".venvs" not in path.parts
        for found in [
            re.search(r"/root/|/work/(?:main|shared)|/tmp/(?:dev|house)", path.read_text("utf-8", "replace"))
        ]
        if found and path.name != "test_docs.py"
    ]
    assert not told, "paths of one machine\n" + "\n".join(told)


def test_the_changelog_tells_of_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
