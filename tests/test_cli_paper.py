"""What people see on a terminal fits it, loses nothing it should not, and marks what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.clock import Span
from simonides.doors.paper import (
    Paper,
    columns,
    count,
    cut,
    day,
    excerpt,
    in_words,
    moment,
    size,
    worth_marking,
    wrap,
    zone_of,
)
from simonides.types import Hit, Memory, Scope

AT = datetime(2026, 5, 2, 22, 30, tzinfo=UTC)
TEXTS = st.text(st.sampled_from("ab c茶é日\u0301😀.\n"), max_size=300)


def memory(text: str) -> Memory:
    return Memory("0" * 24 + "4f2a91c7", "turn", text, Scope(project="p"), Span(AT), Span(AT), speaker="Ana")


@given(TEXTS, st.integers(1, 60))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert columns(cut(text, width)) <= width
    assert cut(text, columns(text)) == text


@given(TEXTS.map(lambda text: text.replace("\n", " ")), st.integers(20, 60))
def test_wrapped_lines_fit_and_keep_every_character(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(TEXTS, st.integers(30, 200))
def test_an_excerpt_is_short_and_of_the_text(text: str, limit: int) -> None:
    found = excerpt(text * 5, frozenset({"ab"}), limit)
    assert len(found) <= max(limit + 4, len(text * 5) if len(text * 5) <= limit else 0)
    assert found.strip("… ").strip() in text * 5


def test_an_excerpt_is_about_what_was_asked() -> None:
    text = "Nothing here. " * 60 + "The vet says that Biscuit is allergic to chicken. " + "And so on. " * 60
    assert "Biscuit is allergic" in excerpt(text, worth_marking("what is Biscuit allergic to?"))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_cards_and_tables_fit_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    paper = Paper(plain=False, colour=False, width=width)
    paper.body("word " * 100 + "茶" * 90, whole=True)
    paper.table(("id", "text"), [("4f2a91c7", "long " * 50), ("1", "茶" * 80)])
    assert all(columns(line) <= width for line in capsys.readouterr().out.splitlines())


def test_into_a_pipe_nothing_is_cut_and_tables_have_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    paper = Paper(plain=True, colour=False, width=20)
    paper.table(("id", "text"), [("1", "long " * 50)])
    paper.body("word " * 50)
    paper.then("simonides demo")
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"1\t{('long ' * 50).strip()}"
    assert second.split() == ["word"] * 50


def test_a_hit_says_how_sure_when_who_what_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    hit = Hit(
        memory("Biscuit is allergic to chicken."),
        0.76,
        {"words": 2.5, "meaning": 0.8, "date": -0.4, "bias": -2.0},
    )
    Paper(plain=False, colour=True, width=90).hit(hit, 1, worth_marking("chickens and dogs"))
    shown = capsys.readouterr().out
    for part in (
        "0.76",
        "2026-05-02",
        "Ana",
        "4f2a91c7",
        "\x1b[1mchicken\x1b[0m",
        "words strongly, meaning clearly",
    ):
        assert part in shown
    assert "against: date a little" in shown
    assert "bias" not in shown
    Paper(plain=True, colour=False).hit(hit, 1, frozenset())
    assert "\x1b" not in capsys.readouterr().out


@given(st.dictionaries(st.sampled_from(["words", "meaning", "date", "bias"]), st.floats(-5, 5)))
def test_shares_in_words_never_name_what_does_not_matter(shares: dict[str, float]) -> None:
    told = in_words(shares)
    assert all((name in told) == (abs(value) >= 0.15 and name != "bias") for name, value in shares.items())


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_score(score: float) -> None:
    bar = Paper(plain=False, colour=False, width=80).bar(score)
    assert len(bar) == len("████████ 0.00")
    assert Paper(plain=True, colour=False).bar(score) == f"{score:.2f}"


def test_times_are_shown_in_the_zone_they_were_given_in() -> None:
    assert (day(AT, "Europe/Berlin"), day(AT, "+09:30"), day(AT, "-11:00")) == (
        "2026-05-03",
        "2026-05-03",
        "2026-05-02",
    )
    assert moment(AT, "Europe/Berlin") == "2026-05-03 00:30 Europe/Berlin"
    assert zone_of("Atlantis/Nowhere") is UTC


def test_numbers_are_for_people() -> None:
    assert [count(1, "memory", "memories"), count(1204, "link")] == ["1 memory", "1,204 links"]
    assert [size(12), size(3_400_000)] == ["12 B", "3.4 MB"]
