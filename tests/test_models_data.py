"""The shipped model files are what their manifests say, and have the form that the parts read them in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from simonides.parts import codes, embed, static

DATA = Path(__file__).resolve().parent.parent / "src" / "simonides" / "data"
FILES = {
    "minilm": {"model.onnx", "tokenizer.json", "mean.npy", "dots.onnx", "card.md"},
    "static": {"neighbours.npy", "cosines.npy", "card.md"},
}
PIECES = 30_522


def manifest(folder: Path) -> dict[str, dict[str, dict[str, str | int]]]:
    return json.loads((folder / "manifest.json").read_text("utf-8"))


def piece(tokenizer: Tokenizer, word: str) -> int:
    number = tokenizer.token_to_id(word)
    assert number is not None
    return number


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(DATA / "minilm" / "tokenizer.json"))


@pytest.fixture(scope="module")
def near() -> NDArray[np.uint16]:
    return np.load(DATA / "static" / "neighbours.npy")


@pytest.fixture(scope="module")
def cosines() -> NDArray[np.uint8]:
    return np.load(DATA / "static" / "cosines.npy")


@pytest.mark.parametrize("name", FILES)
def test_a_folder_holds_what_its_manifest_lists_and_nothing_else(name: str) -> None:
    folder = DATA / name
    listed = manifest(folder)["files"]
    assert set(listed) == FILES[name]
    assert {path.name for path in folder.iterdir()} == FILES[name] | {"manifest.json"}
    for file, told in listed.items():
        content = (folder / file).read_bytes()
        assert told == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}, file


@pytest.mark.parametrize("name", FILES)
def test_a_card_names_every_file_beside_it(name: str) -> None:
    card = (DATA / name / "card.md").read_text("utf-8")
    assert [file for file in FILES[name] - {"card.md"} if f"`{file}`" not in card] == []


def test_the_identity_of_the_model_is_the_hash_of_its_file() -> None:
    content = (DATA / "minilm" / "model.onnx").read_bytes()
    assert embed.identity()["revision"] == hashlib.sha256(content).hexdigest()[:16]


def test_the_mean_state_is_one_small_vector() -> None:
    mean = np.load(DATA / "minilm" / "mean.npy")
    assert (mean.shape, mean.dtype) == ((384,), np.float32)
    assert 0 < np.linalg.norm(mean) < 1
    assert (codes.mean_state() == mean).all()


def test_each_wordpiece_has_its_nearest_others_nearest_first(
    near: NDArray[np.uint16], cosines: NDArray[np.uint8]
) -> None:
    assert near.shape == cosines.shape == (PIECES, static.NEAR)
    assert (near.dtype, cosines.dtype) == (np.uint16, np.uint8)
    assert int(near.max()) < PIECES
    assert (cosines[:, 1:] <= cosines[:, :-1]).all()
    assert (near[cosines == 0] == 0).all()
    assert int(cosines[cosines > 0].min()) >= round(0.25 * 255)


def test_no_wordpiece_is_its_own_neighbour_or_listed_twice(
    near: NDArray[np.uint16], cosines: NDArray[np.uint8]
) -> None:
    filled = cosines > 0
    assert not ((near == np.arange(PIECES)[:, None]) & filled).any()
    ids = np.sort(np.where(filled, near.astype(np.int64), -1 - np.arange(static.NEAR)), axis=1)
    assert (ids[:, 1:] != ids[:, :-1]).all()


def test_the_cosine_of_two_pieces_is_the_same_from_both_sides(
    near: NDArray[np.uint16], cosines: NDArray[np.uint8]
) -> None:
    pieces = np.random.default_rng(7).permutation(PIECES)[:2000]
    others = near[pieces].astype(np.int64)
    back = near[others] == pieces[:, None, None]  # (pieces, neighbours, neighbours of those)
    both = back.any(axis=2) & (cosines[pieces] > 0)
    there = cosines[pieces].astype(int)[both]
    again = (cosines[others] * back).max(axis=2).astype(int)[both]
    assert len(there) > 1000
    assert np.abs(there - again).max() <= 1  # rounded after sums in another order


def test_special_pieces_are_near_nothing(
    tokenizer: Tokenizer, near: NDArray[np.uint16], cosines: NDArray[np.uint8]
) -> None:
    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused7]")
    special = [piece(tokenizer, word) for word in words]
    assert not cosines[special].any()
    assert not np.isin(near[cosines > 0], special).any()


@pytest.mark.parametrize(("word", "other"), [("dog", "dogs"), ("doctor", "physician"), ("buy", "purchase")])
def test_words_that_mean_much_the_same_are_neighbours(
    word: str, other: str, tokenizer: Tokenizer, near: NDArray[np.uint16]
) -> None:
    assert piece(tokenizer, other) in near[piece(tokenizer, word)]


@pytest.fixture(scope="module")
def product() -> onnxruntime.InferenceSession:
    model = (DATA / "minilm" / "dots.onnx").read_bytes()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 70),
    asked=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0.0, 0.5, 1.0]),
    extreme=st.booleans(),
)
def test_the_integer_product_is_that_of_numpy(
    product: onnxruntime.InferenceSession, tokens: int, asked: int, seed: int, density: float, extreme: bool
) -> None:
    source = np.random.default_rng(seed)
    bits = (source.random((tokens, 384)) < density).astype(np.uint8)
    question = source.integers(-127, 128, (384, asked)).astype(np.int8)
    if extreme:  # all of one sign, so that sums are as large as they get
        question[:] = 127 if seed % 2 else -127
    dots = product.run(None, {"bits": bits, "question": question})[0]
    assert dots.dtype == np.int32
    assert (dots == bits.astype(np.int32) @ question.astype(np.int32)).all()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [101, 102]),
        ("Hello, world!", [101, 7592, 1010, 2088, 999, 102]),
        ("the dog", [101, 1996, 3899, 102]),
        ("CAFÉ", [101, 7668, 102]),
        ("simonides", [101, 4079, 8621, 102]),
    ],
)
def test_words_have_the_ids_of_bert_uncased(tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenizer.encode(text).ids == ids


def test_the_tokenizer_neither_pads_nor_cuts(tokenizer: Tokenizer) -> None:
    assert (tokenizer.padding, tokenizer.truncation) == (None, None)
    assert tokenizer.get_vocab_size() == PIECES
    assert len(tokenizer.encode("dog " * 600).ids) == 602
