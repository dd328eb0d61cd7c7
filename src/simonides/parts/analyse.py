"""Turn text into the terms and wordpieces it can be found by; knows no store, no model weights and no ranking.

Terms are stemmed words for BM25 (Porter2 through Snowball). Scripts written without spaces (Chinese, Japanese, Thai,
...) give character pairs, so that they can be found by words too. Wordpieces are the units of the static token table
and of MiniLM. Both are stored as short byte strings; a term is known by its 32-bit checksum, which at a hundred
thousand different terms collides about once.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from simonides.ledger import Lexical
from simonides.ledger.index import ASKS, pack_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenizers import Tokenizer

WORDPIECE_CHARACTERS = 200_000
"""Only so much of a text is cut into wordpieces; terms are taken from all of it."""

TERM_CHARACTERS = 64
"""A longer word is known by its first characters."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_MARKS = re.compile("[\u0300-\u036f]")

ARTICLES = frozenset("a an the this that these those such".split())
PRONOUNS = frozenset(
    "i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours "
    "ourselves they them their theirs themselves".split()
)
AUXILIARIES = frozenset(
    "am is are was were be been being do does did done doing have has had having will would shall should can could may "
    "might must".split()
)
QUESTIONS = frozenset("what which who whom whose when where why how".split())
PARTICLES = frozenset(
    "and or but if then than so as at by for from in into of off on onto out over to too with within without about "
    "there here not no nor just also very any some".split()
)
STOPS = ARTICLES | PRONOUNS | AUXILIARIES | QUESTIONS | PARTICLES
"""Words that say how a question is put and not what it is about."""

_local = threading.local()


@dataclass(frozen=True, slots=True)
class Piece:
    """One wordpiece of a text: its id in the vocabulary and the characters it covers."""

    token: int
    start: int
    end: int


def fold(text: str) -> str:
    """Return the text in small letters without Latin accents; letters of other scripts stay whole."""
    if text.isascii():
        return text.lower()
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", bare).casefold()


def words(text: str) -> list[str]:
    """Return the words of a text in order, folded, not stemmed; unspaced scripts as character pairs."""
    found: list[str] = []
    for match in _WORD.findall(fold(text)):
        word = match[:-2] if match.endswith(("'s", "\u2019s")) else match
        if word.isascii():
            found.append(word[:TERM_CHARACTERS])
        else:
            found.extend(_split(word))
    return found


def unspaced(character: str) -> bool:
    """Tell whether a character is of a script that is written without spaces between words."""
    return _UNSPACED.match(character) is not None


def _split(word: str) -> list[str]:
    parts: list[str] = []
    at = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > at:
            parts.append(word[at : run.start()][:TERM_CHARACTERS])
        chars = run.group()
        parts.extend(chars[i : i + 2] for i in range(max(1, len(chars) - 1)))
        at = run.end()
    if at < len(word):
        parts.append(word[at:][:TERM_CHARACTERS])
    return parts


def _single_characters(text: str) -> list[int]:
    """Return the checksums of each character of longer unspaced runs, so that one character finds them too."""
    if text.isascii():
        return []
    return [checksum(char) for run in _UNSPACED.findall(fold(text)) if len(run) > 1 for char in run]


def stems(found: Iterable[str]) -> list[str]:
    """Return the stem of each word."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        import Stemmer

        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    return stemmer.stemWords(list(found))


def checksum(term: str) -> int:
    """Return the 32 bits by which a term is known in the index."""
    return crc32(term.encode("utf-8", "surrogatepass"))


def terms(text: str) -> list[int]:
    """Return the checksums of the stemmed words that carry meaning, in order, with repeats."""
    return [checksum(stem) for stem in stems(word for word in words(text) if word not in STOPS)]


def lexical(text: str) -> Lexical:
    """Return what is stored beside a text so that it can be found: terms with their counts, and wordpieces."""
    counts: dict[int, int] = {}
    for term in (*terms(text), *_single_characters(text)):
        counts[term] = counts.get(term, 0) + 1
    keys = np.fromiter(counts.keys(), np.uint32, len(counts))
    often = np.minimum(np.fromiter(counts.values(), np.int64, len(counts)), 255).astype(np.uint8)
    flags = ASKS if text.rstrip().endswith(("?", "\uff1f")) else 0
    pieces = (
        set(tokenizer().encode(text[:WORDPIECE_CHARACTERS], add_special_tokens=False).ids) - stop_pieces()
    )
    return Lexical(pack_words(keys, often, flags), np.array(sorted(pieces), np.uint16).tobytes())


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    """Return the shipped wordpiece tokeniser, loaded once; safe for several threads."""
    from tokenizers import Tokenizer

    text = resources.files("simonides").joinpath("data/minilm/tokenizer.json").read_text(encoding="utf-8")
    loaded = Tokenizer.from_str(text)
    loaded.no_padding()
    loaded.no_truncation()
    return loaded


@lru_cache(maxsize=1)
def stop_pieces() -> frozenset[int]:
    """Return the wordpieces that no memory is looked up by: stop words, punctuation, special tokens."""
    found: set[int] = set()
    for piece, token in tokenizer().get_vocab().items():
        bare = piece.removeprefix("##")
        special = bare.startswith("[") and len(bare) > 1
        if special or bare in STOPS or bare == "s" or not (bare.isalnum() or any(map(str.isalnum, bare))):
            found.add(token)
    return frozenset(found)


def pieces(text: str) -> list[Piece]:
    """Return the wordpieces of a text with their places, specials left out."""
    coded = tokenizer().encode(text[:WORDPIECE_CHARACTERS], add_special_tokens=False)
    return [Piece(token, start, end) for token, (start, end) in zip(coded.ids, coded.offsets, strict=True)]


def count_tokens(texts: Sequence[str]) -> list[int]:
    """Return how many wordpieces each text has; the measure of `context` budgets."""
    return [len(coded.ids) for coded in tokenizer().encode_batch(list(texts), add_special_tokens=False)]
