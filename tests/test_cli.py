"""Every command does what its help says, in words and in JSON; what it means is tested where it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from simonides.doors import places
from simonides.doors.cli import COMMANDS, OTHERWISE, cli
from simonides.doors.verb import LazyGroup, Verb
from simonides.errors import InputError
from simonides.settings import Settings

LISBON = "I moved from Berlin to Lisbon."
DOG = "Our dog Biscuit is allergic to chicken."


@dataclass(frozen=True)
class Shell:
    """A command line on a file of its own; words only, because models have their own tests."""

    path: Path

    def __call__(self, *words: str, stdin: str | bytes | None = None, code: int | None = 0) -> Result:
        given = ["--path", str(self.path), "--set", "meaning=off", *words]
        result = CliRunner().invoke(cli, given, input=stdin)
        if code is not None:
            assert result.exit_code == code, (words, result.stdout, result.stderr)
        return result

    def json(self, *words: str, stdin: str | None = None, code: int = 0) -> dict[str, Any]:
        found = json.loads(self("--json", *words, stdin=stdin, code=code).stdout)
        assert isinstance(found, dict)
        return found

    def error(self, *words: str, code: int, stdin: str | bytes | None = None) -> dict[str, str]:
        result = self("--json", *words, stdin=stdin, code=code)
        assert not result.stdout
        (line,) = result.stderr.splitlines()
        error = json.loads(line)["error"]
        assert set(error) == {"type", "subject", "rule", "value", "way_out"}
        return error

    def add(self, *words: str) -> str:
        return self("add", *words).stdout.strip()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "memory.db")


def commands(group: LazyGroup, name: str = "") -> Iterator[tuple[str, click.Command]]:
    for word in group.entries:
        found = group.get_command(click.Context(group), word)
        assert found is not None
        yield f"{name}{word}", found
        if isinstance(found, LazyGroup):
            yield from commands(found, f"{name}{word} ")


ALL = dict(commands(cli))


# Help


@pytest.mark.parametrize("name", ALL)
def test_each_command_has_a_purpose_examples_and_a_next_step(name: str) -> None:
    command = ALL[name]
    *groups, last = name.split()
    entries = COMMANDS if not groups else ALL[groups[0]].entries  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(command, (Verb, LazyGroup))
    assert (command.help or "").split("\n")[0] == entries[last].what, "the list and the command say the same"
    if isinstance(command, Verb):
        assert 1 <= len(command.examples) <= 4
        assert command.then
        assert all(option.help for option in command.params if isinstance(option, click.Option))
        assert all("simonides" in example for example in command.examples)


@pytest.mark.parametrize("name", ALL)
def test_each_command_shows_its_help(name: str) -> None:
    result = CliRunner().invoke(cli, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage: simonides" in result.stdout or "Usage: cli" in result.stdout


def test_the_list_of_commands_fits_a_terminal_and_tells_the_exit_codes() -> None:
    result = CliRunner().invoke(cli, [])
    assert result.exit_code == 0
    listed = [line for line in result.stdout.splitlines() if line.split()[:1] and line.split()[0] in COMMANDS]
    assert len(listed) == len(COMMANDS)
    assert all(entry.what in result.stdout for entry in COMMANDS.values()), "no line is wrapped"
    assert "130  stopped with Ctrl-C" in result.stdout


@pytest.mark.parametrize(
    "group",
    [name for name, one in ALL.items() if isinstance(one, LazyGroup) and name not in ("jobs", "review")],
)  # these two alone list
def test_a_group_alone_shows_what_is_in_it(group: str) -> None:
    result = CliRunner().invoke(cli, [group])
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ALL[group].entries)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("typed", "meant"), [("serach", "search"), ("remember", "add"), ("forgett", "erase")]
)
def test_an_unknown_command_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    result = CliRunner().invoke(cli, [typed])
    assert result.exit_code == 2
    assert f"Did you mean `{meant}`?" in result.stderr


def test_what_others_call_it_leads_to_a_command_of_ours() -> None:
    assert set(OTHERWISE.values()) <= {*COMMANDS, "--help"}
    assert not set(OTHERWISE) & set(COMMANDS)


@pytest.mark.parametrize("name", sorted(ALL))
def test_examples_name_options_that_exist(name: str) -> None:
    command = ALL[name]
    known = {option for parameter in [*command.params, *cli.params] for option in parameter.opts} | {"--help"}
    for example in getattr(command, "examples", ()):
        words = example.split("#")[0].split("|")[0].replace("=", " ").split()
        used = {word for word in words if word.startswith("--")}
        if f"simonides {name}" in example:
            assert used <= known, example


def test_completion_prints_a_script_and_how_to_install_it() -> None:
    for name in ("bash", "zsh", "fish"):
        result = CliRunner().invoke(cli, ["completion", name])
        assert "_SIMONIDES_COMPLETE" in result.stdout
        assert "To install" in result.stderr


def test_completion_knows_commands_without_loading_them() -> None:
    context = click.Context(cli, info_name="simonides")
    assert [item.value for item in cli.shell_complete(context, "re")] == [
        "retire",
        "restore",
        "review",
        "retention",
        "reindex",
        "rekey",
    ]
    assert "--json" in [item.value for item in cli.shell_complete(context, "--j")]


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout.startswith("simonides ")


# Writing


def test_add_takes_words_a_pipe_and_a_dash(shell: Shell) -> None:
    first = shell.add("I", "moved", "to", "Lisbon")
    second = shell("add", "-", stdin=" two\nlines \n").stdout.strip()
    third = shell("add", stdin="from a pipe\r\n").stdout.strip()
    texts = [shell.json("get", id)["text"] for id in (first, second, third)]
    assert texts == ["I moved to Lisbon", " two\nlines ", "from a pipe"]


def test_add_keeps_all_that_was_said_about_it(shell: Shell) -> None:
    id = shell.add(
        LISBON, "--kind", "fact", "--speaker", "Ana", "--at", "2026-05-02T10:00+02:00", "--user", "ana",
        "--agent", "a1", "--session", "s", "--project", "p", "--meta", "city=Lisbon", "--meta", "n=3",
        "--meta", "l=[1]", "--metadata-json", '{"city": "Rome", "deep": {"x": null}}', "--source", "letter",
    )  # fmt: skip
    found = shell.json("get", id)
    assert found["kind"] == "fact"
    assert found["speaker"] == "Ana"
    assert (found["at"], found["zone"], found["until"]) == ("2026-05-02T08:00:00Z", "+02:00", None)
    assert found["scope"] == {"user": "ana", "agent": "a1", "session": "s", "project": "p"}
    assert found["metadata"] == {"city": "Lisbon", "deep": {"x": None}, "n": 3, "l": [1]}
    assert found["source"]["name"] == "letter"
    assert found["actor"] == "cli"


def test_the_receipt_is_json_or_the_bare_id(shell: Shell) -> None:
    receipt = shell.json("add", LISBON)
    assert set(receipt) == {"ids", "seqs", "state", "skipped", "changes"}
    assert receipt["ids"] == [shell.json("list")["memories"][0]["id"]]
    assert len(shell.add("again")) == 32
    assert shell("--quiet", "add", "silence").stdout == ""


def test_json_may_stand_before_or_after_the_verb(shell: Shell) -> None:
    shell.add(LISBON)
    assert json.loads(shell("list", "--json").stdout) == shell.json("list")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "nothing of this"),
        ("update", "ID", "new"),
        ("retire", "ID"),
        ("link", "add", "ID", "OTHER", "near"),
    ],
)
def test_a_dry_run_shows_the_plan_and_writes_nothing(shell: Shell, words: tuple[str, ...]) -> None:
    id, other = shell.add(LISBON), shell.add(DOG)
    before = shell("export").stdout
    real = [{"ID": id, "OTHER": other}.get(word, word) for word in words]
    assert "nothing was written" in shell(*real, "--dry-run").stdout
    plan = shell.json(*real, "--dry-run")
    assert plan["state"] == "planned"
    assert plan["changes"][0]["do"] in ("add", "supersede", "retire", "connect")
    assert shell("export").stdout == before


def test_update_keeps_the_old_text_true_until_then(shell: Shell) -> None:
    id = shell.add("Ana lives in Berlin.", "--at", "2026-01-01")
    shell("update", id[-8:], "Ana", "lives", "in", "Lisbon.", "--at", "2026-05-01", "--reason", "she moved")
    assert shell.json("get", id)["text"] == "Ana lives in Lisbon."
    assert shell.json("get", id, "--as-of", "2026-03-01")["text"] == "Ana lives in Berlin."
    versions = shell.json("history", id)["versions"]
    assert [one["reason"] for one in versions][-1] == "she moved"
    assert "she moved" in shell("history", id).stdout


def test_update_takes_text_as_an_option_and_from_a_pipe(shell: Shell) -> None:
    id = shell.add("one")
    shell("update", id, "--text", "two")
    assert shell.json("get", id)["text"] == "two"
    shell("update", id, stdin="three\n")
    assert shell.json("get", id)["text"] == "three"
    shell("update", id, "--meta", "checked=true")
    assert shell.json("get", id)["text"] == "three"
    assert shell.json("get", id)["metadata"] == {"checked": True}


def test_update_refuses_when_somebody_was_faster(shell: Shell) -> None:
    id = shell.add("one")
    version = shell.json("get", id)["version"]
    shell("update", id, "two")
    assert shell.error("update", id, "three", "--if-version", str(version), code=6)["type"] == "Conflict"


def test_retire_and_restore(shell: Shell) -> None:
    id = shell.add(DOG)
    shell("retire", id, "--reason", "gone")
    assert shell.error("get", id, code=4)["type"] == "NotFound"
    shell("list", code=1)
    shell("restore", id)
    assert shell.json("get", id)["text"] == DOG


def test_links_are_written_listed_walked_and_ended(shell: Shell) -> None:
    a, b, c = (shell.add(text) for text in ("alpha", "beta", "gamma"))
    link = shell.json("link", "add", a[-8:], b, "supports", "--weight", "0.5", "--evidence", "page 3")["ids"][
        0
    ]
    shell("link", "add", b, c, "decided by")
    (one,) = shell.json("link", "list", a)["links"]
    assert (one["source"], one["target"], one["relation"], one["weight"]) == (a, b, "supports", 0.5)
    assert one["evidence"] == "page 3"
    near = shell.json("link", "near", a, "--hops", "2")["neighbours"]
    assert [(one["hops"], one["memory"]["text"]) for one in near] == [(1, "beta"), (2, "gamma")]
    assert "gamma" in shell("link", "near", a, "--hops", "2").stdout
    shell("link", "remove", link)
    shell("link", "list", a, code=1)
    shell("link", "near", a, code=1)


# Reading


def test_search_finds_scopes_and_says_why(shell: Shell) -> None:
    shell.add(LISBON, "--user", "ana")
    shell.add("We went from Berlin to Lisbon by train.", "--user", "ben")
    found = shell.json("search", "who", "moved", "to", "Lisbon", "--user", "ana")
    assert [hit["memory"]["text"] for hit in found["hits"]] == [LISBON]
    assert 0 <= found["hits"][0]["score"] <= 1
    assert found["hits"][0]["shares"]
    people = shell("search", "who moved to Lisbon").stdout
    assert LISBON in people
    assert "why: " in people


def test_search_that_finds_nothing_says_so(shell: Shell) -> None:
    result = shell("search", "anything", code=1)
    assert "Nothing fits" in result.stdout
    assert "no file yet" in result.stderr
    assert not shell.path.exists(), "asking makes no file"
    assert shell.json("search", "anything", code=1) == {"query": "anything", "hits": []}


def test_search_can_be_asked_as_of_then(shell: Shell) -> None:
    id = shell.add("Ana lives in Berlin.", "--at", "2026-01-01")
    shell("update", id, "Ana lives in Lisbon.", "--at", "2026-05-01")
    now = shell.json("search", "where does Ana live", "--no-gate")["hits"]
    then = shell.json("search", "where does Ana live", "--no-gate", "--as-of", "2026-03-01")["hits"]
    assert [now[0]["memory"]["text"], then[0]["memory"]["text"]] == [
        "Ana lives in Lisbon.",
        "Ana lives in Berlin.",
    ]


def test_search_filters_on_metadata_and_kind(shell: Shell) -> None:
    shell.add("tea is green", "--meta", "stars=3", "--kind", "fact")
    shell.add("tea is black", "--meta", "stars=5")
    query = ("search", "tea", "--no-gate")
    found = shell.json(*query, "--where", '{"stars": {"gt": 4}}')
    assert [hit["memory"]["text"] for hit in found["hits"]] == ["tea is black"]
    found = shell.json(*query, "--kind", "fact", "--kind", "note")
    assert [hit["memory"]["text"] for hit in found["hits"]] == ["tea is green"]


def test_context_is_a_block_and_says_what_it_took(shell: Shell) -> None:
    shell.add(DOG)
    result = shell("context", "dog Biscuit allergic chicken", "--budget", "300", "--no-gate")
    assert DOG in result.stdout
    assert "of 300 tokens" in result.stderr
    packed = shell.json("context", "dog Biscuit allergic chicken", "--no-gate")
    assert set(packed) == {"query", "text", "tokens", "budget", "hits", "left_out"}
    assert packed["tokens"] <= packed["budget"]


def test_explain_shows_what_was_kept_and_dropped(shell: Shell) -> None:
    shell.add(DOG)
    shell.add(LISBON)
    found = shell.json("explain", "dog Biscuit allergic chicken")
    keys = {"query", "reading", "gate", "considered", "hits", "dropped", "milliseconds"}
    assert set(found) == keys
    assert set(found["gate"]) == {"chance", "threshold"}
    assert "gate" in shell("explain", "dog Biscuit allergic chicken").stdout


def test_list_pages_through_everything(shell: Shell) -> None:
    ids = [shell.add(f"number {n}") for n in range(5)]
    page = shell.json("list", "--limit", "2")
    seen = [one["id"] for one in page["memories"]]
    while page["after"]:
        result = shell("--json", "list", "--limit", "2", "--after", page["after"], code=None)
        page = json.loads(result.stdout)
        seen += [one["id"] for one in page["memories"]]
    assert seen == ids
    newest = shell.json("list", "--newest", "--limit", "1")["memories"]
    assert newest[0]["id"] == ids[-1]


def test_list_into_a_pipe_is_one_line_each_with_tabs(shell: Shell) -> None:
    id = shell.add("two\nlines\tand a tab", "--at", "2026-05-02", "--speaker", "Ana")
    (row,) = shell("list").stdout.splitlines()
    assert row.split("\t") == [id, "2026-05-02", "turn", "Ana", "two lines and a tab"]


def test_get_shows_a_card_with_the_zone_it_was_said_in(shell: Shell) -> None:
    id = shell.add(LISBON, "--at", "2026-05-02T10:00+02:00", "--meta", "city=Lisbon", "--project", "p")
    card = shell("get", id[-6:]).stdout
    for part in (LISBON, "2026-05-02 10:00 +02:00", id, "project p", "city=Lisbon", "version 1"):
        assert part in card


def test_the_log_is_listed_and_verified(shell: Shell) -> None:
    id = shell.add(LISBON)
    shell("retire", id)
    events = shell.json("log", "list", "--subject", id[-8:])["events"]
    assert [event["verb"] for event in events] == ["add", "retire"]
    assert LISBON not in json.dumps(events)
    newest = shell.json("log", "list", "--newest", "--limit", "1")["events"]
    assert (
        newest
        == shell.json("log", "list", "--newest", "--limit", "1", "--subject", id)["events"]
        == events[1:]
    )
    assert shell.json("log", "verify")["intact"] is True
    assert "intact" in shell("log", "verify").stdout


# Looking after


def test_where_prints_the_one_file_and_makes_nothing(shell: Shell) -> None:
    assert shell("where").stdout.strip() == str(shell.path)
    assert shell.json("where") == {"path": str(shell.path), "exists": False}
    assert not shell.path.exists()


def test_where_lists_each_setting_with_its_source(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMONIDES_THREADS", "2")
    monkeypatch.setenv("SIMONIDES_ENDPOINT_KEY", "secret")
    rows = {row["name"]: row for row in shell.json("where", "--settings")["settings"]}
    assert set(rows) == set(Settings.__dataclass_fields__)
    assert (rows["meaning"]["value"], rows["meaning"]["from"]) == ("off", "--set")
    assert (rows["threads"]["value"], rows["threads"]["from"]) == (2, "SIMONIDES_THREADS")
    assert rows["fusion"]["from"] == "default"
    assert "secret" not in shell("where", "--settings").stdout


def test_status_counts(shell: Shell) -> None:
    shell.add(LISBON)
    found = shell.json("status")
    assert found["memories"] == 1
    assert found["path"] == str(shell.path)
    assert "1  memories" in shell("status").stdout


def test_doctor_is_content_with_a_sound_file(shell: Shell) -> None:
    shell.add(LISBON)
    found = shell.json("doctor")
    assert found["ok"] is True
    assert {"name", "ok", "detail", "fix"} == set(found["findings"][0])
    assert "All is well." in shell("doctor").stdout


def test_doctor_names_what_is_wrong_and_the_fix(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMONIDES_MEANNIG", "off")
    shell.path.write_text("this is no store, but a text that is long enough to be looked at")
    found = shell.json("doctor", code=1)
    bad = {one["name"]: one for one in found["findings"] if not one["ok"]}
    assert set(bad) == {"environment", "file"}
    assert all(one["fix"] for one in bad.values())
    assert "SIMONIDES_MEANNIG" in bad["environment"]["detail"]
    assert "fix" in shell("doctor", code=1).stdout


def test_reindex_makes_derived_data_anew(shell: Shell) -> None:
    shell.add(LISBON)
    assert shell.json("reindex")["memories"] == 1
    assert "1 memory" in shell("reindex").stdout


def test_models_are_listed_with_which_are_here(shell: Shell) -> None:
    found = {one["name"]: one for one in shell.json("model", "list")["models"]}
    assert found["minilm"]["installed"] is True
    assert found["multilingual"]["installed"] is False
    assert shell.json("model", "info", "multilingual") == found["multilingual"]
    assert "minilm *" in shell("model", "list").stdout
    assert "sha256" in shell("model", "info", "multilingual").stdout
    assert shell.error("model", "info", "multilingaul", code=3)["way_out"].startswith(
        "Did you mean 'multilingual'?"
    )


def test_what_is_here_already_is_not_fetched(shell: Shell) -> None:
    assert shell.json("model", "get", "minilm")["path"].endswith("minilm")
    assert shell.error("model", "get", "nothing", code=3)["type"] == "UnknownName"


def test_every_sql_statement_can_be_seen(shell: Shell) -> None:
    result = shell("--trace-sql", "add", LISBON)
    assert "INSERT INTO memory" in result.stderr
    assert "INSERT" not in result.stdout


def test_the_actor_is_in_the_log(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("--actor", "ada", "add", LISBON)
    monkeypatch.setenv("SIMONIDES_ACTOR", "ben")
    shell.add(DOG)
    assert [event["actor"] for event in shell.json("log", "list")["events"]] == ["ada", "ben"]


# Errors


@pytest.mark.parametrize(
    ("words", "code", "type"),
    [
        (("add", "  "), 3, "TextError"),
        (("add", "a\ud800b"), 3, "TextError"),
        (("add", "x", "--at", "2026-05-02T10:00"), 3, "TimeError"),
        (("add", "x", "--at", "yesterday"), 3, "TimeError"),
        (("add", "x", "--kind", "novel"), 3, "UnknownName"),
        (("add", "x", "--meta", "novalue"), 3, "InputError"),
        (("add", "x", "--metadata-json", "[1]"), 3, "InputError"),
        (("search", "x", "--where", "{"), 3, "FilterError"),
        (("search", "x", "--where", '{"a": {"foo": 1}}'), 3, "FilterError"),
        (("search", "x", "-k", "0"), 2, "BadParameter"),
        (("search", "x", "-k", "-3"), 2, "BadParameter"),
        (("list", "--limit", "-1"), 2, "BadParameter"),
        (("get", "00000000000000000000000000000000"), 4, "NotFound"),
        (("get", "zzzz"), 3, "InputError"),
        (("get",), 2, "MissingParameter"),
        (("add", "--nonsense"), 2, "NoSuchOption"),
        (("--set", "nothing=1", "list"), 3, "UnknownName"),
        (("--set", "meaning=loud", "list"), 3, "InputError"),
        (("--set", "meaning", "list"), 2, "BadParameter"),
        (("import", "chatgpt", "nowhere.zip"), 3, "InputError"),
        (("import", "chatgtp", "nowhere.zip"), 3, "UnknownName"),
        (("import",), 2, "UsageError"),
    ],
)
def test_errors_have_a_shape_a_code_and_a_way_out(
    shell: Shell, words: tuple[str, ...], code: int, type: str
) -> None:
    shell.add("something")
    error = shell.error(*words, code=code)
    assert error["type"] == type
    people = shell(*words, code=code).stderr
    assert people.startswith("Error: ")
    assert "Traceback" not in people
    assert error["subject"] in people


def test_a_pipe_that_is_not_utf8_is_refused(shell: Shell) -> None:
    assert shell.error("add", "-", stdin=b"caf\xe9", code=3)["type"] == "TextError"


@pytest.mark.parametrize("verb", ["add", "search"])
def test_a_path_that_is_a_directory_is_a_store_error(tmp_path: Path, verb: str) -> None:
    assert Shell(tmp_path).error(verb, "x", code=5)["type"] == "StoreUnusable"


def test_a_file_that_is_not_ours_is_left_alone(shell: Shell) -> None:
    shell.path.write_bytes(b"SQLite format 4\0" + bytes(500))
    before = shell.path.read_bytes()
    assert shell.error("add", "x", code=5)["type"] == "StoreUnusable"
    assert shell.path.read_bytes() == before


# Where the file is


def test_the_file_is_in_the_platforms_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.user_path({}, "linux") == tmp_path / ".local/share/simonides/memory.db"
    assert places.user_path({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/simonides/memory.db")
    assert (
        places.user_path({"XDG_DATA_HOME": "relative"}, "linux")
        == tmp_path / ".local/share/simonides/memory.db"
    )
    assert places.user_path({}, "darwin") == tmp_path / "Library/Application Support/simonides/memory.db"
    assert places.user_path({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/simonides/memory.db")


def test_a_projects_file_is_used_up_to_the_git_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer, root = tmp_path / ".simonides", tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / "deep" / "er").mkdir(parents=True)
    outer.mkdir()
    (outer / "memory.db").touch()
    monkeypatch.chdir(root / "deep" / "er")
    assert places.store_path(None, {}) == places.user_path({}), "above the git root is somebody else's"
    (root / ".simonides").mkdir()
    (root / ".simonides" / "memory.db").touch()
    assert places.store_path(None, {}) == root / ".simonides" / "memory.db"
    assert places.store_path(None, {"SIMONIDES_PATH": "x.db"}) == root / "deep" / "er" / "x.db"
    assert places.store_path("y.db", {"SIMONIDES_PATH": "x.db"}) == root / "deep" / "er" / "y.db"
    monkeypatch.chdir(tmp_path)
    assert places.store_path(None, {}) == outer / "memory.db", "without git only the working directory counts"


@pytest.mark.parametrize(
    "folder", ["lib/python3.12/site-packages/x", ".npm/_npx/ab12", "cache/uv/archive-v0/q"]
)
def test_a_place_that_an_update_deletes_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InputError, match="installed package"):
        places.store_path(str(tmp_path / folder / "memory.db"), {})
