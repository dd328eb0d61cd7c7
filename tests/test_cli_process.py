"""The command line as a process of its own: pipes, signals, exit codes, colours; knows little of what commands do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

HIDDEN = ("NO_COLOR", "FORCE_COLOR", "TERM")
LONG_IMPORT = 30_000


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a plain shell; words only, because models have their own tests."""
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    return {**kept, "SIMONIDES_MEANING": "off", "PYTHONIOENCODING": "utf-8", **more}


def run(*words: str, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "simonides", *words]
    return subprocess.run(
        command, input=stdin, capture_output=True, env=environment(more), timeout=120, check=False
    )


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")


def test_a_memory_travels_through_pipes_and_processes(path: str) -> None:
    added = run("--path", path, "add", "-", stdin="Ana drinks tea, not café.\n".encode())
    assert (added.returncode, added.stderr) == (0, b"")
    found = run("search", "--no-gate", "-", stdin=b"what does Ana drink", SIMONIDES_PATH=path)
    assert found.returncode == 0
    assert "Ana drinks tea, not café." in found.stdout.decode()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("list",), 1),
        (("nonsense",), 2),
        (("add", "x", "--at", "never"), 3),
        (("get", "00000000000000000000000000000000"), 4),
        (("--path", ".", "list"), 5),
        (("--version",), 0),
    ],
)
def test_each_exit_code_means_one_thing(path: str, words: tuple[str, ...], code: int) -> None:
    result = run(*words, SIMONIDES_PATH=path)
    assert result.returncode == code, result.stderr
    assert b"Traceback" not in result.stderr


def test_colours_are_for_terminals_and_for_those_who_ask(path: str) -> None:
    run("--path", path, "add", "Ana drinks tea.")
    words = ("--path", path, "search", "tea", "--no-gate")
    assert b"\x1b[" not in run(*words).stdout
    assert b"\x1b[" in run(*words, FORCE_COLOR="1").stdout
    assert b"\x1b[" not in run(*words, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert b"\x1b[" not in run("nonsense").stderr


def test_a_reader_that_goes_away_is_no_error(path: str) -> None:
    rows = b"".join(json.dumps({"text": f"number {n} " + "x" * 200}).encode() + b"\n" for n in range(800))
    assert run("--path", path, "import", "jsonl", "-", stdin=rows).returncode == 0
    command = [sys.executable, "-m", "simonides", "--path", path, "export"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment({})
    ) as reader:
        assert reader.stdout
        assert reader.stderr
        reader.stdout.readline()
        reader.stdout.close()
        complaint = reader.stderr.read()
        reader.wait(timeout=60)
    assert b"Traceback" not in complaint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_said_without_a_traceback(path: str) -> None:
    run("--path", path, "add", "Ana drinks tea.")
    command = [sys.executable, "-m", "simonides", "--path", path, "export"]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment({}), timeout=60, check=False
        )
    assert result.returncode == 5
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_terminal_that_speaks_no_unicode_still_gets_an_answer(path: str) -> None:
    run("--path", path, "add", "Ana drinks café 茶.")
    result = run("--path", path, "list", PYTHONIOENCODING="latin-1")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"caf\xe9 \\u8336" in result.stdout
    answer = json.loads(run("--path", path, "--json", "list", PYTHONIOENCODING="latin-1").stdout)
    assert answer["memories"][0]["text"] == "Ana drinks café 茶."


def hear_ctrl_c() -> None:
    """Undo what a shell does to whatever it starts in the background: there Ctrl-C is ignored, also by children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_in_an_import_keeps_what_is_in_and_the_next_run_goes_on(path: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with rows.open("w") as stream:
        stream.writelines(json.dumps({"text": f"memory number {n}"}) + "\n" for n in range(LONG_IMPORT))
    words = ("--path", path, "import", "jsonl", str(rows))
    command = [sys.executable, "-m", "simonides", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - it only sets a signal, and no thread is about
    ) as stopped:
        until = time.monotonic() + 60
        while not os.path.exists(f"{path}-wal") or os.path.getsize(f"{path}-wal") < 600_000:  # noqa: PTH110, PTH202
            assert time.monotonic() < until
            assert stopped.poll() is None, "the import was over before it could be stopped"
            time.sleep(0.01)
        stopped.send_signal(signal.SIGINT)
        _, told = stopped.communicate(timeout=60)
    assert stopped.returncode == 130, told
    assert b"nothing half-written" in told
    assert b"goes on from here" in told
    said = int(told.decode().split("Stopped: ")[1].split()[0].replace(",", ""))
    status = json.loads(run("--path", path, "--json", "status").stdout)
    assert 0 < said == status["memories"] < LONG_IMPORT
    assert run("--path", path, "log", "verify").returncode == 0
    again = json.loads(run("--path", path, "--json", "import", "jsonl", str(rows)).stdout)
    assert (again["already"], again["new"]) == (said, LONG_IMPORT - said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_while_waiting_for_a_pipe_stops_at_once(path: str) -> None:
    command = [sys.executable, "-m", "simonides", "--path", path, "add", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
        preexec_fn=hear_ctrl_c,  # noqa: PLW1509 - it only sets a signal, and no thread is about
    ) as waiting:
        time.sleep(1.5)
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert b"Stopped." in told
    assert b"Traceback" not in told


HELP = """
import sys
from simonides.doors.cli import main
sys.argv = ["simonides", "--help"]
try:
    main()
except SystemExit:
    print(*{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def test_help_loads_neither_numpy_nor_sqlite_nor_a_model() -> None:
    result = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, env=environment({}), check=True
    )
    loaded = set(result.stderr.decode().split())
    assert "click" in loaded
    assert not loaded & {
        "numpy",
        "sqlite3",
        "_sqlite3",
        "onnxruntime",
        "tokenizers",
        "turbovec",
        "rich",
        "asyncio",
    }
