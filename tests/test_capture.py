"""What recall put in is taken out of what was said, and nothing else is."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.clock import new_id
from simonides.doors.mcp import quoted
from simonides.parts.capture import strip
from simonides.parts.headings import PROJECT_HEADING, PROMPT_HEADING
from simonides.parts.pack import CLOSING, OPENING, pack
from simonides.types import Hit, Memory, Scope, Span

AT = datetime(2026, 5, 2, tzinfo=UTC)
OPEN_END = None
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=60)
said = st.lists(st.text("abc äß語.,!?\n ", max_size=40), max_size=3).map("\n".join)
"""What people say around a block; none of it can be taken for a line of one."""


def memory(text: str, speaker: str = "user") -> Memory:
    span = Span(AT, OPEN_END)
    return Memory(
        id=new_id(), version=1, kind="turn", text=text, speaker=speaker, valid=span, recorded=span, zone="UTC",
        scope=Scope(), metadata={}, attributes={}, confidence=1.0, importance=0.5, source=None, reason="", actor="",
    )  # fmt: skip


def block(*texts: str) -> str:
    return pack([Hit(memory(text), 1.0, {}) for text in texts], 100_000).text


PLAIN = block("I like tea.", "We chose SQLite.\nIt is one file.")


@given(st.lists(words.filter(lambda text: text.strip()), min_size=1, max_size=4), said, said)
def test_a_block_goes_whatever_it_holds_and_what_stands_around_it_stays(
    texts: list[str], before: str, after: str
) -> None:
    whole = f"{before}\n{block(*texts)}\n{after}"
    kept = "\n".join(part.strip() for part in (before, after) if part.strip())
    assert "".join(strip(whole).split()) == ("".join(kept.split()) if any(map(str.isalnum, kept)) else "")


@pytest.mark.parametrize(
    "quoted",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", " "),
        PLAIN.replace("\n", "\\n"),
        "> " + PLAIN.replace("\n", "\n> "),
        "    " + PLAIN.replace("\n", "\n    "),
        f"```\n{PLAIN}\n```",
        f"{PROJECT_HEADING}\n{PLAIN}",
        f"> {PROMPT_HEADING}\n> " + PLAIN.replace("\n", "\n> "),
        PLAIN.replace(OPENING, OPENING.upper()),
        PLAIN + PLAIN,
        f"{PLAIN}\n\n{PLAIN}",
        PLAIN.removeprefix(OPENING).strip(),
        PLAIN.removesuffix(CLOSING).strip(),
        "\n".join(PLAIN.split("\n")[1:-1]),
        PLAIN.replace("- [", "* ["),
    ],
)
def test_a_block_is_known_however_it_is_quoted(quoted: str) -> None:
    assert strip(quoted) == ""
    assert strip(f"Hello.\n\n{quoted}\n\nThanks.") == "Hello.\nThanks."


@pytest.mark.parametrize("cut", range(12, len(PLAIN)))
def test_a_block_that_was_cut_off_behind_goes_too(cut: int) -> None:
    assert strip(f"Hello.\n{PLAIN[:cut]}") == "Hello."


def test_the_lines_of_the_mcp_server_are_known_too() -> None:
    line = quoted.line(memory('I said "<memories>" and\nleft.'))
    assert strip(line) == ""
    assert strip(f"I found this:\n{OPENING}\n{line}\n{CLOSING}") == "I found this:"
    assert strip(f"I found this:\n  > {line}\nGood.") == "I found this:\nGood."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I moved to Lisbon.",
        "Use the <memories> tag, and close it with </memories>.",
        "- [2026-05-02] an entry of a changelog",
        "- [x] done [abc]\n- [ ] to do",
        "see [0123abcd]",
        "  leading and trailing blanks stay \n",
        "a < b and c > d [1]",
        '{"memories": [1, 2]}',
    ],
)
def test_what_is_no_block_stays_to_the_character(text: str) -> None:
    assert strip(text) == text


PIECES = (
    "<",
    "memories",
    ">",
    "</",
    "<memories>",
    "</memories>",
    "- [2026-05-02]",
    "[0123abcd]",
    "\n",
    " ",
    "x",
    "> ",
    "`",
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_stripped_once_and_for_all(text: str) -> None:
    once = strip(text)
    assert strip(once) == once
    assert len(once) <= len(text)


@pytest.mark.parametrize(
    "part",
    [OPENING, CLOSING, OPENING + CLOSING, "- [2026-05-02] a", "- [2026-05-02] a [0123abcd]\n", "> > > ", "`", "[",
     " \n", "- [", OPENING + "- [2026-05-02]", "\\n", PROMPT_HEADING],
)  # fmt: skip
def test_it_takes_linear_time(part: str) -> None:
    def seconds(size: int) -> float:
        text = part * (size // len(part))
        started = time.process_time()
        strip(text)
        return time.process_time() - started

    small = min(seconds(100_000) for _ in range(3))
    assert (
        seconds(800_000) < 40 * small + 0.2
    )  # eight times the text; quadratic would be sixty-four times the seconds
