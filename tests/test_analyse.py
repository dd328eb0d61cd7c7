"""Words, stems and wordpieces: whatever is in a text can be asked for, in every script and however it is written."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simonides import Memory, Settings
from simonides.ledger.index import ASKS, unpack_words
from simonides.parts import analyse, query
from simonides.parts.query import named_speakers, read

NOW = datetime(2026, 3, 14, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
LETTERS = st.text(st.characters(categories=["L"], max_codepoint=0x24F), min_size=1, max_size=12)
SCRIPTS = [
    "昨日は東京で寿司を食べた",
    "我们明天去北京看长城",
    "เมื่อวานไปกินข้าว",
    "ကျွန်တော်သွားမယ်",
    "ខ្ញុំទៅផ្សារ",
    "어제 서울에 갔다",
]


def known(text: str) -> dict[int, int]:
    keys, counts, _ = unpack_words(analyse.lexical(text).words)
    return dict(zip(keys.tolist(), counts.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
@example("İ ŉ ß ﬁ Å")
@example("o'clock's Ann's rock’n’roll")
def test_what_is_stored_of_a_text_is_its_terms_with_their_counts(text: str) -> None:
    terms = analyse.terms(text)
    stored = known(text)
    assert all(stored[term] >= terms.count(term) for term in terms)
    if text.isascii():
        assert stored == {term: terms.count(term) for term in terms}
    characters = {analyse.checksum(char) for char in analyse.fold(text)}
    assert stored.keys() - set(terms) <= characters, (
        "beyond the terms there are only characters of unspaced scripts"
    )
    keys, _, flags = unpack_words(analyse.lexical(text).words)
    assert len(keys) == len(set(keys.tolist()))
    assert bool(flags & ASKS) == text.rstrip().endswith(("?", "？"))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_words_are_bare_short_and_small(text: str) -> None:
    for word in analyse.words(text):
        assert 0 < len(word) <= analyse.TERM_CHARACTERS
        assert any(char.isalnum() for char in word)
        assert not any(char.isspace() or char in '.,;:!?"()' for char in word)
        assert word == word.casefold() or not word.isascii()


@settings(max_examples=200, deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_accents_and_capitals_make_no_difference(words: list[str], chance: object) -> None:
    text = " ".join(words)
    for other in (unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)):
        assert analyse.words(other) == analyse.words(text)
    if len(text.upper()) == len(text) and text.upper().lower() == text.lower():
        assert analyse.words(text.upper()) == analyse.words(text)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["tokyo", "Ana", "東京", "寿司屋", "café", "7", "x" * 90, "北"]), max_size=6),
    TEXTS,
)
def test_words_of_parts_are_words_of_the_whole(parts: list[str], text: str) -> None:
    whole = analyse.words(" ".join(parts))
    assert whole == [word for part in parts for word in analyse.words(part)]
    assert analyse.words(f"{text} \n {' '.join(parts)}")[-len(whole) :] == whole or not whole


@pytest.mark.parametrize("text", SCRIPTS)
def test_each_two_characters_of_a_script_without_spaces_can_be_asked_for(text: str) -> None:
    stored = set(known(text))
    for start in range(len(text) - 2):
        piece = text[start : start + 3]
        asked = set(analyse.terms(piece))
        if text is not SCRIPTS[-1]:  # Korean has spaces, and is found by words
            assert asked <= stored | set(analyse.terms(piece[0])) | set(analyse.terms(piece[-1])), piece
    assert set(analyse.terms(text)) <= stored


def test_korean_is_found_by_words() -> None:
    assert set(analyse.terms("서울에")) <= set(known(SCRIPTS[-1]))


def test_mixed_scripts_are_taken_apart() -> None:
    assert analyse.words("iPhone手機 2台") == ["iphone", "手機", "2", "台"]
    assert analyse.words("Müller-Straße 5b") == ["muller", "strasse", "5b"]
    assert analyse.words("Ann's dog isn’t Bob’s") == ["ann", "dog", "isn’t", "bob"]
    assert analyse.words("مرحبا بالعالم") == ["مرحبا", "بالعالم"]
    assert analyse.words("がぎぐ") == ["がぎ", "ぎぐ"], "voiced kana are not taken apart into letter and mark"


def test_endings_make_no_difference() -> None:
    for one, other in (
        ("hiking", "hikes"),
        ("Berlin's", "berlin"),
        ("cities", "city"),
        ("RÉSUMÉS", "resume"),
    ):
        assert analyse.terms(one) == analyse.terms(other)
    assert analyse.terms("the of and is") == []


def test_a_long_word_is_known_by_its_beginning() -> None:
    word = "x" * 1_000_000
    assert analyse.words(word) == ["x" * analyse.TERM_CHARACTERS]
    assert len(known(word)) == 1
    assert len(known("記" * 100_000)) == 2, "one pair and one character, counted as far as a byte counts"
    assert set(known("記" * 1000).values()) == {255}


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_wordpieces_cover_the_text_they_are_of(text: str) -> None:
    pieces = analyse.pieces(text)
    stored = np.frombuffer(analyse.lexical(text).tokens, np.uint16).tolist()
    assert stored == sorted(set(stored))
    assert set(stored) == {piece.token for piece in pieces} - analyse.stop_pieces()
    assert all(0 <= piece.start <= piece.end <= len(text) for piece in pieces)
    assert analyse.count_tokens([text, ""]) == [len(pieces), 0]


def test_what_says_nothing_is_no_piece_to_look_up() -> None:
    vocabulary = analyse.tokenizer().get_vocab()
    stops = analyse.stop_pieces()
    for piece in ("the", "of", "you", ".", "?", "[CLS]", "[SEP]", "[UNK]", "##s", "##."):
        assert vocabulary[piece] in stops, piece
    for piece in ("dog", "berlin", "7", "##ing"):
        assert vocabulary[piece] not in stops, piece


def test_many_threads_may_analyse_at_once() -> None:
    texts = [f"{word} hiking {place} cities" for place, word in enumerate(SCRIPTS * 20)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(analyse.lexical, texts)) == [analyse.lexical(text) for text in texts]


def test_terms_are_the_same_in_every_process() -> None:
    script = (
        "from simonides.parts import analyse; print(analyse.lexical('Ana likes 東京 and hiking').words.hex())"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == analyse.lexical("Ana likes 東京 and hiking").words.hex()


# --- questions -----------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_question_can_be_read(text: str) -> None:
    question = read(text, NOW)
    assert len(set(question.terms)) == len(question.terms)
    assert len(set(question.pieces)) == len(question.pieces)
    assert set(analyse.terms(text)) <= set(question.terms)
    assert not (question.asks_user and question.asks_assistant)
    if analyse.words(text):
        assert question.terms, "a question of stop words alone is asked with its stop words"


@pytest.mark.parametrize(
    ("text", "user", "assistant"),
    [
        ("What did I say about the car?", True, False),
        ("Where is my passport?", True, False),
        ("What did you recommend for dinner?", False, True),
        ("Can you remind me what you told me about sleep?", False, True),
        ("your suggestion for a hotel", False, True),
        ("What did Ana say about the car?", False, False),
    ],
)
def test_a_question_is_about_the_user_or_the_words_of_the_assistant(
    text: str, user: bool, assistant: bool
) -> None:
    question = read(text, NOW)
    assert (question.asks_user, question.asks_assistant) == (user, assistant)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("What did Muhhamed say?", {"Muhammad Ali"}),
        ("what does muhammad like", {"Muhammad Ali"}),
        ("Did Ali move?", {"Muhammad Ali"}),
        ("Where does José live?", {"Jose"}),
        ("Ann's dog", {"Ann"}),
        ("Anne's dog", set()),
        ("Who likes rain?", set()),
        ("Did the user or the assistant say so?", set()),
        ("Anns and Jose", {"Jose"}),
        ("田中さんは?", set()),
    ],
)
def test_speakers_are_known_by_their_names_and_nearly_so(text: str, named: set[str]) -> None:
    speakers = ["Muhammad Ali", "Ann", "Jose", "user", "assistant", "", "X"]
    assert named_speakers(read(text, NOW), speakers) == named


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=5))
def test_only_speakers_are_named(text: str, speakers: list[str]) -> None:
    named = named_speakers(read(text, NOW), speakers)
    assert named <= set(speakers)
    assert not any(query.is_user(name) or query.is_assistant(name) for name in named)


@pytest.mark.parametrize("asked", ["猫", "猫が", "好き", "が"])
def test_unspaced_text_is_found_by_one_character_and_by_more(asked: str) -> None:
    with Memory(":memory:", settings=Settings(meaning="off")) as memory:
        memory.add("私は猫が好きです")
        memory.add("We met at the harbour")
        assert [hit.memory.text for hit in memory.search(asked, gate=False)][:1] == ["私は猫が好きです"]
