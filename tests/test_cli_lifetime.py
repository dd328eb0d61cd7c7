"""`erase`, `expire`, `upkeep`, `retention`, `undo` on the command line: they ask first, and say what they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simonides import Memory, Settings
from test_cli import DOG, LISBON, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "memory.db")


def texts(shell: Shell) -> list[str]:
    with Memory(shell.path, settings=Settings(meaning="off")) as memory:
        return [one.text for one in memory.list()]


def test_erase_counts_first_and_wants_a_yes(shell: Shell) -> None:
    id = shell.add(LISBON, "--user", "ana")
    shell.add(DOG)
    plan = shell.json("erase", "--user", "ana", "--dry-run")
    assert (plan["state"], plan["ids"], plan["examples"]) == ("planned", [id], [LISBON])
    assert "Nobody is there to ask" in shell("erase", id[-8:], code=2).stderr
    assert texts(shell) == [LISBON, DOG]
    done = shell.json("erase", id[-8:], "--yes", "--reason", "asked to")
    assert (done["state"], done["ids"], done["reason"]) == ("erased", [id], "asked to")
    assert texts(shell) == [DOG]
    assert shell.error("erase", id, "--yes", code=4)["rule"].startswith("was erased already")


def test_erase_says_in_words_what_went(shell: Shell) -> None:
    shell.add(LISBON)
    shell.add(DOG)
    shown = shell("erase", "--subject", "biscuit", "--dry-run").stdout
    assert shown.startswith("Would erase 1 memory, 39 B of text:\n        1  version of text\n")
    assert DOG in shown
    shown = shell("erase", "--subject", "biscuit", "--yes", "--keep-pages").stdout
    assert "Pending: stale pieces in pages of the file are left: `simonides upkeep` writes it anew." in shown
    assert DOG not in shown
    assert "finished: pages" in shell("upkeep").stdout


def test_erase_refuses_nothing_and_everything(shell: Shell) -> None:
    shell.add(LISBON)
    shell.add(DOG)
    assert shell.error("erase", "--yes", code=3)["rule"] == "must say what is to be erased"
    assert "every memory" in shell.error("erase", "--kind", "turn", "--yes", code=3)["rule"]
    assert shell.error("erase", "--user", "eve", "--yes", code=4)["rule"] == "nothing fits"
    assert len(shell.json("erase", "--everything", "--yes")["ids"]) == 2


def test_a_receipt_is_checked(shell: Shell, tmp_path: Path) -> None:
    id, receipt = shell.add(LISBON), tmp_path / "receipt.json"
    shell("erase", id, "--yes", "--receipt", str(receipt))
    assert shell.json("erase", "--verify", str(receipt)) == {"holds": True, "problems": []}
    assert "exists already" in shell.error("erase", id, "--receipt", str(receipt), code=3)["rule"]
    facts = json.loads(receipt.read_text())
    receipt.write_text(json.dumps(facts | {"counts": facts["counts"] | {"memories": 2}}))
    changed = shell.json("erase", "--verify", str(receipt), code=1)
    assert changed["holds"] is False
    assert "its signature is not of this store" in changed["problems"][0]
    for text in ("no JSON", "[]", "{}", json.dumps(facts | {"at": 7})):
        receipt.write_text(text)
        assert "is no receipt" in shell.error("erase", "--verify", str(receipt), code=3)["rule"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("typed", "left"), [("1\n", [DOG]), ("2\n", [LISBON, DOG]), ("\n", [LISBON, DOG])])
def test_on_a_terminal_the_number_is_typed(shell: Shell, typed: str, left: list[str]) -> None:
    id = shell.add(LISBON)
    shell.add(DOG)
    terminal, inside = os.openpty()
    with os.fdopen(terminal, "wb", buffering=0) as keyboard, os.fdopen(inside) as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "simonides", "--path", str(shell.path), "--set", "meaning=off", "erase", id],
            stdin=screen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        keyboard.write(typed.encode())
        out, err = process.communicate(timeout=60)
    assert "This can't be undone. Type 1 to erase" in err
    assert ("Erased 1 memory" in out) == (left == [DOG])
    assert process.returncode == (0 if left == [DOG] else 130)
    assert texts(shell) == left


def test_an_end_is_given_moved_and_taken_away(shell: Shell) -> None:
    soon = shell.add(LISBON, "--ttl", "1s", "--on-expiry", "erase")
    id = shell.add(DOG, "--expires", "2099-01-01")
    assert shell.json("expire", id[-8:], "--at", "2098-01-01")["state"] == "stored"
    assert shell.json("expire", id, "--never", "--dry-run")["changes"][0]["do"] == "expire"
    shell("expire", id, "--never")
    assert "Give one of" in shell("expire", id, code=2).stderr
    assert "Give one of" in shell("expire", id, "--never", "--ttl", "3d", code=2).stderr
    assert (
        shell.error("expire", id, "--ttl", "soon", code=3)["rule"] == "must be a number with s, m, h, d or w"
    )
    assert shell.error("expire", id, "--at", "2020-01-01", code=3)["rule"] == "must be later than now"
    while texts(shell) != [DOG]:  # at most a second
        pass
    assert shell.error("get", soon, code=4)["rule"] == "has expired"
    assert len(shell.json("upkeep", "--dry-run")["erasure"]["ids"]) == 1
    assert shell("upkeep").stdout == "0 memories retired, 1 erased\n"
    assert shell.json("upkeep")["erasure"] is None


def test_rules_are_added_listed_and_dropped(shell: Shell) -> None:
    shell("retention", "list", code=1)
    rule = shell.json(
        "retention", "add", "--kind", "turn", "--session", "s", "--days", "0.5", "--action", "erase"
    )["rule"]
    assert {name: rule[name] for name in ("rule", "seconds", "action", "kind")} == {
        "rule": 1, "seconds": 43_200, "action": "erase", "kind": "turn",
    }  # fmt: skip
    assert rule["scope"]["session"] == "s"
    assert shell("retention", "list").stdout.startswith("1\tturn\tsession s\t0.5 days\terase\t")
    assert shell.json("retention", "drop", "1") == {"rules": []}
    assert shell.error("retention", "drop", "1", code=4)["subject"] == "rule 1"


def test_a_change_is_undone_and_redone(shell: Shell) -> None:
    id = shell.add(LISBON)
    shell("update", id, "I moved to Porto.")
    planned = shell.json("undo", "2", "--dry-run")
    assert (planned["state"], planned["closed"], planned["reopened"]) == ("planned", [[id, 2]], [[id, 1]])
    shown = shell("undo", "2", "--reason", "a slip").stdout
    assert f"{id[-8:]}  version 1 is believed again" in shown
    assert texts(shell) == [LISBON]
    assert shell.error("undo", "2", code=6)["rule"] == "was undone already, by event 3"
    shell("undo", "3")
    assert texts(shell) == ["I moved to Porto."]
    assert shell.error("undo", "99", code=4)["subject"] == "event 99"


def test_an_old_export_stays_out_unless_asked(shell: Shell, tmp_path: Path) -> None:
    id, old = shell.add(LISBON), tmp_path / "old.jsonl"
    shell("export", str(old))
    shell("erase", id, "--yes")
    found = shell.json("import", "jsonl", str(old))
    assert (found["memories"], found["erased"]) == (0, 1)
    assert texts(shell) == []
    assert "--even-erased takes them in" in shell("import", "jsonl", str(old), "--dry-run").stdout
    assert shell.json("import", "jsonl", str(old), "--even-erased")["memories"] == 1
    assert texts(shell) == [LISBON]
