"""The hooks of an agent, each a process of its own as the agent runs it: they recall, capture, and are silent else."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from simonides.doors.hooks import faults, recalling
from simonides.doors.hooks.capturing import Session, capture
from simonides.doors.hooks.project import project_of
from simonides.doors.hooks.transcript import BLOCK, beginning, turns
from simonides.finding import Finding
from simonides.memory import Memory
from simonides.parts.pack import CLOSING, OPENING
from simonides.settings import Settings

AT = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
LONG = "20000"
"""Milliseconds: what a hook says is one question, how quickly another, and the machine of a test may be busy."""
WORDS = Settings(meaning="instant", background=False)


@dataclass
class Transcript:
    """A transcript as Claude Code writes it: line by line, with the noise between what is said."""

    path: Path
    cwd: str
    session: str = "11111111-2222-4333-8444-555555555555"
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    drawn: random.Random = field(default_factory=lambda: random.Random(1))

    def write(self, role: str, content: Any, **more: Any) -> str:
        """Append a line; return its uuid."""
        uuid = str(UUID(int=self.drawn.getrandbits(128), version=4))
        at = AT + timedelta(seconds=len(self.lines))
        line = {
            "parentUuid": self.lines[-1]["uuid"] if self.lines else None, "isSidechain": False, "userType": "external",
            "cwd": self.cwd, "sessionId": self.session, "version": "2.1.290", "gitBranch": "main", "type": role,
            "message": {"role": role, "content": content}, "uuid": uuid,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **more,
        }  # fmt: skip
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
        return uuid

    def user(self, text: str) -> str:
        """Let the user say something."""
        return self.write("user", text)

    def agent(self, text: str) -> str:
        """Let the agent say something, as it does: with thinking, and a tool."""
        self.write("assistant", [{"type": "thinking", "thinking": "hm", "signature": "x"}])
        uuid = self.write("assistant", [{"type": "text", "text": text}])
        self.write("assistant", [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}])
        self.write("user", [{"type": "tool_result", "tool_use_id": "t", "content": "README.md noise"}])
        return uuid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a repository called `voyage`."""
    made = tmp_path / "voyage"
    (made / ".git").mkdir(parents=True)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "data" / "memory.db"


@pytest.fixture
def transcript(tmp_path: Path, folder: Path) -> Transcript:
    return Transcript(tmp_path / "11111111-2222-4333-8444-555555555555.jsonl", str(folder))


def hook(
    event: str, given: object, store: Path, *words: str, budget: str = LONG
) -> subprocess.CompletedProcess[bytes]:
    raw = given if isinstance(given, bytes) else json.dumps(given).encode()
    command = [
        sys.executable,
        "-P",
        "-m",
        "simonides.doors.hooks",
        event,
        "--path",
        str(store),
        "--budget",
        budget,
    ]
    return subprocess.run([*command, *words], input=raw, capture_output=True, timeout=60, check=False)


def told(transcript: Transcript, **more: str) -> dict[str, str]:
    """Return what the agent tells every hook."""
    return {
        "session_id": transcript.session,
        "transcript_path": str(transcript.path),
        "cwd": transcript.cwd,
        **more,
    }


def silent(done: subprocess.CompletedProcess[bytes]) -> bool:
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def kept(store: Path) -> list[tuple[str, str]]:
    with Memory(store, settings=WORDS) as memory:
        return [(one.speaker, one.text) for one in memory.list(limit=1000)]


def fault(store: Path) -> str:
    found = faults.read(faults.log_of(store))
    return found[-1].what if found else ""


def context(done: subprocess.CompletedProcess[bytes]) -> str:
    assert (done.returncode, done.stderr) == (0, b"")
    said = json.loads(done.stdout)
    assert set(said) == {"hookSpecificOutput"}
    return said["hookSpecificOutput"]["additionalContext"]


# Capture


@pytest.mark.parametrize("event", ["stop", "pre-compact", "session-end"])
def test_what_was_said_is_kept_word_for_word_and_the_noise_is_not(
    event: str, transcript: Transcript, store: Path
) -> None:
    transcript.user("  I moved from Berlin\n to Lisbon \u2014 \u91cc\u65af\u672c.")
    transcript.agent("Noted. We use SQLite.")
    transcript.write("user", "<command-name>/clear</command-name>")
    transcript.write("user", "meta", isMeta=True)
    transcript.write("assistant", [{"type": "text", "text": "from a sub-agent"}], isSidechain=True)
    assert silent(hook(event, told(transcript), store))
    assert kept(store) == [
        ("user", "I moved from Berlin\n to Lisbon \u2014 \u91cc\u65af\u672c."),
        ("assistant", "Noted. We use SQLite."),
    ]
    with Memory(store, settings=WORDS) as memory:
        first, second = memory.list()
    assert first.scope.project == "voyage"
    assert first.scope.session == transcript.session
    assert first.at == AT
    assert first.actor == "claude-code"
    assert (first.source and first.source.name) == f"claude-code:{transcript.path.name}"
    assert (second.source and second.source.modality) == "agent"


def test_a_second_capture_takes_what_is_new_and_nothing_twice(transcript: Transcript, store: Path) -> None:
    transcript.user("one")
    for number in range(3):
        transcript.agent(f"answer {number}")
        for event in ("stop", "stop", "session-end"):
            assert silent(hook(event, told(transcript), store))
    assert [text for _, text in kept(store)] == ["one", "answer 0", "answer 1", "answer 2"]


def test_many_processes_that_capture_at_once_store_each_turn_once(
    transcript: Transcript, store: Path
) -> None:
    for number in range(120):
        transcript.user(f"turn {number}")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: hook("stop", told(transcript), store), range(4)))
    assert all(silent(one) for one in done)
    assert sorted(text for _, text in kept(store)) == sorted(f"turn {number}" for number in range(120))
    assert not faults.read(faults.log_of(store))


def test_import_and_capture_know_each_others_turns(transcript: Transcript, store: Path) -> None:
    transcript.user("said before the hooks were there")
    command = [sys.executable, "-m", "simonides", "--path", str(store), "--set", "meaning=instant", "import"]
    subprocess.run(
        [*command, "claude-code", str(transcript.path)], check=True, capture_output=True, timeout=60
    )
    transcript.user("said after")
    assert silent(hook("stop", told(transcript), store))
    done = subprocess.run(
        [*command, "claude-code", str(transcript.path), "--json"], check=True, capture_output=True, timeout=60
    )
    assert json.loads(done.stdout)["new"] == 0
    assert [text for _, text in kept(store)] == ["said before the hooks were there", "said after"]


def test_a_resumed_session_in_a_new_file_brings_only_what_is_new(
    transcript: Transcript, store: Path, tmp_path: Path
) -> None:
    transcript.user("first life")
    hook("stop", told(transcript), store)
    again = Transcript(tmp_path / "resumed.jsonl", transcript.cwd, "99999999-2222-4333-8444-555555555555")
    again.path.write_bytes(transcript.path.read_bytes())
    again.lines = list(transcript.lines)
    again.drawn = random.Random(2)
    again.user("second life")
    hook("stop", told(again), store)
    again.user("third life")
    hook("stop", told(again), store)
    assert [text for _, text in kept(store)] == ["first life", "second life", "third life"]


def test_what_was_retired_or_erased_does_not_come_back(transcript: Transcript, store: Path) -> None:
    transcript.user("to be retired")
    transcript.user("to be erased")
    hook("stop", told(transcript), store)
    with Memory(store, settings=WORDS) as memory:
        first, second = memory.list()
        memory.retire(first.id)
        memory.erase([second.id])
    hook("stop", told(transcript), store)
    assert kept(store) == []


def test_a_last_line_that_is_still_being_written_comes_with_the_next_capture(
    transcript: Transcript, store: Path
) -> None:
    transcript.user("whole")
    transcript.user("half")
    raw = transcript.path.read_bytes()
    transcript.path.write_bytes(raw[:-20])
    hook("stop", told(transcript), store)
    assert [text for _, text in kept(store)] == ["whole"]
    transcript.path.write_bytes(raw)
    transcript.user("more")
    hook("stop", told(transcript), store)
    assert [text for _, text in kept(store)] == ["whole", "half", "more"]


GONE = ("[redacted: github-token]", "[redacted: password]", "[redacted: aws-access-key]")


def test_no_secret_reaches_the_bytes_of_the_store(transcript: Transcript, store: Path) -> None:
    secrets = ["gh" + "p_" + "aB3" * 12, "hunter" + "2xQ9", "AK" + "IAQWERTYUIOPASDFGH"]
    transcript.user(f"token {secrets[0]}, password: {secrets[1]}, \u5bc6\u94a5{secrets[2]}\u3002")
    transcript.agent(f"I will use {secrets[0]}.")
    hook("stop", told(transcript), store)
    assert kept(store) == [
        (
            "user",
            f"token {GONE[0]}, password: {GONE[1]}, \u5bc6\u94a5{GONE[2]}\u3002",
        ),
        ("assistant", "I will use [redacted: github-token]."),
    ]
    everything = b"".join(path.read_bytes() for path in store.parent.iterdir())
    assert not [secret for secret in secrets if secret.encode() in everything]


def test_what_recall_put_in_is_never_kept_however_often_it_goes_round(
    transcript: Transcript, store: Path
) -> None:
    store.parent.mkdir()
    with Finding(store, settings=WORDS, actor="claude-code") as memory:
        transcript.user("We chose SQLite because it is one file.")
        assert capture(memory, Session(transcript.path, transcript.session, "voyage")) == 1
        for number in range(50):
            session = f"session {number}"
            again = Transcript(
                transcript.path.with_name(f"{number}.jsonl"),
                transcript.cwd,
                session,
                drawn=random.Random(number + 9),
            )
            block = recalling.for_prompt(memory, "voyage", session, "why did we choose SQLite?", 500)
            assert "one file" in block
            again.user(block)
            again.agent("As I recall:\n\n> " + block.replace("\n", "\n> "))
            again.user(
                f"<system-reminder>\nUserPromptSubmit hook additional context: {block}\n</system-reminder>"
            )
            again.write(
                "attachment", block, attachment={"type": "hook_additional_context", "content": [block]}
            )
            again.agent("\n".join(line for line in block.split("\n") if line.startswith("- [")))
            assert capture(memory, Session(again.path, session, "voyage")) <= 1  # "As I recall:" was said
            capture(memory, Session(again.path, session, "voyage"))
        texts = [one.text for one in memory.list(limit=1000)]
    assert texts == ["We chose SQLite because it is one file.", *["As I recall:"] * 50]


def test_the_end_of_a_long_transcript_is_found_without_reading_it_all(transcript: Transcript) -> None:
    transcript.user("first")
    for _ in range(4):
        transcript.write("user", [{"type": "tool_result", "content": "x" * (BLOCK - 100)}])
    known = transcript.user("known")
    end = transcript.path.stat().st_size
    transcript.user("new")
    begin = beginning(transcript.path, {f"claude-code:{known}"})
    assert begin == end
    assert [record.text for record in turns(transcript.path, begin)] == ["new"]
    assert beginning(transcript.path, {"claude-code:nobody"}) == 0
    first = f"claude-code:{transcript.lines[0]['uuid']}"
    assert [record.text for record in turns(transcript.path, beginning(transcript.path, {first}))] == [
        "known",
        "new",
    ]


def test_a_capture_saves_the_index_so_that_the_next_hook_need_not_read_the_store(
    transcript: Transcript, filled: Path
) -> None:
    with Memory(filled, settings=WORDS) as memory:
        memory.add_many({"text": f"turn {n} about nothing", "project": "voyage"} for n in range(1100))
    saved = filled.with_name(f"{filled.name}-index")
    assert not saved.exists()
    transcript.user("The harbour is closed on Sundays.")
    assert silent(hook("stop", told(transcript), filled))
    assert (saved / "current").exists()
    other = told(transcript, prompt="When is the harbour closed?") | {"session_id": "another"}
    assert "Sundays" in context(hook("user-prompt-submit", other, filled))


# Recall


@pytest.fixture
def filled(store: Path) -> Path:
    store.parent.mkdir(exist_ok=True)
    with Memory(store, settings=WORDS) as memory:
        memory.add("I moved from Berlin to Lisbon.", project="voyage", speaker="user", at=AT)
        memory.add("We deploy on Fridays, never on Mondays.", project="voyage", kind="decision", at=AT)
        memory.add("The cat is called Minou.", project="other", speaker="user", at=AT)
    return store


def test_a_session_starts_with_the_memories_of_its_project(transcript: Transcript, filled: Path) -> None:
    inside = Path(transcript.cwd) / "src"
    inside.mkdir()
    said = context(
        hook("session-start", {**told(transcript), "cwd": str(inside), "source": "startup"}, filled)
    )
    assert "Lisbon" in said
    assert "Fridays" in said
    assert "Minou" not in said
    assert OPENING in said
    assert said.endswith(CLOSING)


def test_a_session_starts_within_its_budget_and_with_what_was_noted_first(
    transcript: Transcript, filled: Path
) -> None:
    with Memory(filled, settings=WORDS) as memory:
        memory.add_many({"text": f"turn {n} about nothing at all", "project": "voyage"} for n in range(300))
    said = context(hook("session-start", told(transcript, source="startup"), filled, "--tokens", "120"))
    assert "Fridays" in said
    assert 100 < len(said) < 900


@pytest.mark.parametrize(("source", "there"), [("resume", False), ("compact", True), ("startup", False)])
def test_a_session_gets_its_own_turns_back_only_when_it_has_lost_them(
    source: str, there: bool, transcript: Transcript, store: Path
) -> None:
    transcript.user("I moved to Lisbon.")
    hook("stop", told(transcript), store)
    done = hook("session-start", told(transcript, source=source), store)
    assert silent(done) is not there
    assert ("Lisbon" in done.stdout.decode()) is there


def test_a_prompt_gets_what_fits_it_and_nothing_when_nothing_does(
    transcript: Transcript, filled: Path
) -> None:
    said = context(hook("user-prompt-submit", told(transcript, prompt="Where did I move to?"), filled))
    assert "I moved from Berlin to Lisbon." in said
    for prompt in (
        "What is the boiling point of tungsten?",
        "What is the cat called?",
        "/compact",
        "   ",
        "?!",
    ):
        assert silent(hook("user-prompt-submit", told(transcript, prompt=prompt), filled)), prompt
    assert not faults.read(faults.log_of(filled))


def test_a_path_is_that_of_the_folder_where_the_hook_was_started(
    transcript: Transcript, filled: Path
) -> None:
    command = [sys.executable, "-P", "-m", "simonides.doors.hooks", "session-start", "--budget", LONG]
    given = json.dumps(told(transcript)).encode()
    done = subprocess.run(
        [*command, "--path", filled.name],
        input=given,
        cwd=filled.parent,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert "Lisbon" in context(done)
    environment = {**os.environ, "SIMONIDES_PATH": filled.name}
    again = subprocess.run(
        command, input=given, cwd=filled.parent, env=environment, capture_output=True, timeout=60, check=False
    )
    assert context(again) == context(done)


def test_the_command_line_has_the_same_hooks(transcript: Transcript, filled: Path) -> None:
    given = told(transcript, prompt="Where did I move to?")
    command = [
        sys.executable,
        "-m",
        "simonides",
        "--path",
        str(filled),
        "hook",
        "user-prompt-submit",
        "--budget",
        LONG,
    ]
    done = subprocess.run(
        command, input=json.dumps(given).encode(), capture_output=True, timeout=60, check=False
    )
    assert context(done) == context(hook("user-prompt-submit", given, filled))


def test_an_encrypted_store_is_opened_with_its_key_file(
    transcript: Transcript, store: Path, tmp_path: Path
) -> None:
    pytest.importorskip("apsw", reason="needs simonides[encryption]")
    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    store.parent.mkdir()
    with Memory(store, settings=WORDS, key=bytes.fromhex("ab" * 32)) as memory:
        memory.add("I moved from Berlin to Lisbon.", project="voyage", at=AT)
    transcript.user("nobody else reads this")
    assert silent(hook("stop", told(transcript), store, "--key-file", str(key)))
    given = told(transcript, source="compact")
    said = context(hook("session-start", given, store, "--key-file", str(key)))
    assert "Lisbon" in said
    assert "nobody else" in said
    assert silent(hook("session-start", given, store))
    assert fault(store)
    assert b"Lisbon" not in store.read_bytes()


# Silence


@pytest.mark.parametrize(
    "event", ["session-start", "user-prompt-submit", "pre-compact", "stop", "session-end", "nonsense", ""]
)
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"cwd": 7, "transcript_path": ["x"]}', b"[" * 100_000]
)
def test_whatever_it_is_told_it_ends_with_nothing(event: str, raw: bytes, filled: Path) -> None:
    assert silent(hook(event, raw, filled))


def test_what_went_wrong_is_written_down_without_what_was_said(transcript: Transcript, filled: Path) -> None:
    assert silent(hook("stop", b'{"transcript_path": my secret words', filled))
    log = faults.log_of(filled)
    assert "JSONDecodeError" in fault(filled)
    assert b"secret words" not in log.read_bytes()
    if os.name == "posix":
        assert log.stat().st_mode & 0o777 == 0o600


def test_without_a_store_recall_is_silent_and_makes_none(transcript: Transcript, store: Path) -> None:
    assert silent(hook("session-start", told(transcript, source="startup"), store))
    assert silent(hook("user-prompt-submit", told(transcript, prompt="Where?"), store))
    assert not store.parent.exists()


def test_without_a_transcript_capture_is_silent_and_makes_no_store(
    transcript: Transcript, store: Path
) -> None:
    assert silent(hook("stop", told(transcript), store))
    assert not store.exists()


@pytest.mark.parametrize("event", ["session-start", "stop"])
def test_a_store_that_is_none_is_left_alone_and_written_down(
    event: str, transcript: Transcript, store: Path
) -> None:
    transcript.user("hello")
    store.parent.mkdir()
    store.write_bytes(b"these are my notes, and no database at all" * 100)
    before = store.read_bytes()
    assert silent(hook(event, told(transcript), store))
    assert store.read_bytes() == before
    assert "StoreUnusable" in fault(store)


def test_a_store_that_others_hold_does_not_hold_the_agent(transcript: Transcript, filled: Path) -> None:
    transcript.user("hello")
    with sqlite3.connect(filled, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert silent(hook("session-end", told(transcript), filled, budget="3000"))
        assert time.monotonic() - started < 10
        assert "StoreBusy" in fault(filled)
        assert "Lisbon" in context(hook("session-start", told(transcript), filled))  # readers do not wait
        holder.execute("ROLLBACK")
    holder.close()
    assert silent(hook("session-end", told(transcript), filled))
    assert ("user", "hello") in kept(filled)


def test_a_hook_that_takes_too_long_falls_silent(transcript: Transcript, filled: Path) -> None:
    assert silent(
        hook("user-prompt-submit", told(transcript, prompt="Where did I move to?"), filled, budget="20")
    )
    assert fault(filled) == "took longer than 20 ms"


def test_a_hook_to_which_nobody_speaks_ends_by_itself(filled: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "simonides.doors.hooks",
        "session-start",
        "--path",
        str(filled),
        "--budget",
        "300",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_a_hook_to_which_nobody_listens_ends_by_itself(transcript: Transcript, filled: Path) -> None:
    with Memory(filled, settings=WORDS) as memory:
        memory.add_many({"text": f"turn {n} " * 20, "project": "voyage"} for n in range(2000))
    command = [sys.executable, "-P", "-m", "simonides.doors.hooks", "session-start", "--path", str(filled)]
    command += ["--budget", "3000", "--tokens", "100000"]  # more than a pipe holds
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told(transcript)).encode())
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_a_module_of_the_project_is_not_taken_for_one_of_ours(transcript: Transcript, filled: Path) -> None:
    for name in ("numpy", "json", "simonides", "tokenizers"):
        (Path(transcript.cwd) / f"{name}.py").write_text("raise SystemExit('taken')")
    command = [
        sys.executable,
        "-P",
        "-m",
        "simonides.doors.hooks",
        "session-start",
        "--path",
        str(filled),
        "--budget",
        LONG,
    ]
    given = json.dumps(told(transcript)).encode()
    done = subprocess.run(
        command, input=given, cwd=transcript.cwd, capture_output=True, timeout=60, check=False
    )
    assert "Lisbon" in context(done)


# What surrounds them


def test_doctor_reports_what_hooks_were_silent_about(transcript: Transcript, filled: Path) -> None:
    command = [sys.executable, "-m", "simonides", "--path", str(filled), "--json", "doctor"]

    def hooks() -> list[dict[str, Any]]:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        return [one for one in json.loads(done.stdout)["findings"] if one["name"] == "hooks"]

    assert hooks() == []
    hook("user-prompt-submit", told(transcript, prompt="Where?"), filled, budget="10")
    (slow,) = hooks()
    assert slow["ok"] is True
    assert "1 were too slow" in slow["detail"]
    hook("stop", b"{", filled)
    (failed,) = hooks()
    assert failed["ok"] is False
    assert "JSONDecodeError" in failed["detail"]
    assert str(faults.log_of(filled)) in failed["fix"]


def test_the_log_stays_small_and_keeps_the_newest(tmp_path: Path) -> None:
    log = tmp_path / "m.db.hooks.log"
    for number in range(3000):
        faults.write(log, "stop", f"fault {number}")
    assert log.stat().st_size <= faults.LARGEST
    found = faults.read(log)
    assert found[-1].what == "fault 2999"
    assert len(found) > 200


def test_the_log_takes_lines_of_many_at_once(tmp_path: Path) -> None:
    log = tmp_path / "m.db.hooks.log"
    threads = [
        threading.Thread(target=lambda: [faults.write(log, "stop", "x") for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(faults.read(log)) == 200


def test_a_damaged_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    log = tmp_path / "m.db.hooks.log"
    log.write_bytes(b'{"at": "x"}\n[]\n\xff\n{"at": "2026-05-02T09:00:00", "event": "a", "what": "naive"}\n')
    faults.write(log, "stop", "whole")
    assert [one.what for one in faults.read(log)] == ["whole"]
    assert faults.recent(log, datetime.now(UTC) + timedelta(days=8)) == []


def test_a_project_has_one_name_in_all_its_folders_and_worktrees(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
            cwd=main,
            check=True,
            capture_output=True,
        )

    main = tmp_path / "voyage"
    (main / "src" / "deep").mkdir(parents=True)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("worktree", "add", "-q", str(tmp_path / "branch"))
    link = tmp_path / "link"
    link.symlink_to(main)
    places = [main, main / "src" / "deep", tmp_path / "branch", link, link / "src"]
    assert {project_of(str(place)) for place in places} == {"voyage"}
    assert project_of(str(tmp_path)) == tmp_path.name
    assert project_of("C:\\work\\thing\\") == "thing"
    assert project_of("/nowhere/at/all/") == "all"
    assert project_of("") == ""
