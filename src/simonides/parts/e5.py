"""Read meaning in a hundred languages with multilingual-e5-small; knows no store and fetches nothing.

E5 is told what it reads by a prefix, and its vector is the mean of its token states (Wang et al., "Multilingual E5 Text
Embeddings", 2024). Two forms of the same model: 8-bit ONNX, and 4-bit blocks that numpy turns into a plain BERT.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from simonides.errors import ModelMissing
from simonides.parts.pooled import pooled_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

    from simonides.parts.embed import States
    from simonides.types import Json

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]
    Product = Callable[[Floats, Floats], Floats]

DIMENSION = 384
QUESTION, PASSAGE = "query: ", "passage: "
WINDOW = 510
"""Tokens that one run takes beside its first and last; longer texts are read in windows and averaged."""
TEXT_CHARACTERS = 40_000
"""Only so much of a text is read: some twenty windows, seconds of work."""
BATCH_TOKENS = 2048
BOS, PAD, EOS, UNKNOWN = 0, 1, 2, 3


def identity(name: str, sha256: str) -> Mapping[str, Json]:
    """Return what makes the vectors of a form of the model comparable: the weights, by checksum, and the prefixes."""
    return {
        "name": name,
        "revision": sha256[:16],
        "dimension": DIMENSION,
        "normalised": True,
        "prefix": f"{QUESTION}|{PASSAGE}",
    }


class Cutter(Protocol):
    """What cuts texts into pieces: a `tokenizers.Tokenizer`, or one that folds characters first."""

    def encode_batch(self, input: list[str], *, add_special_tokens: bool) -> list[Encoding]:
        """Return the pieces of each text."""
        ...


@dataclass(frozen=True, slots=True)
class E5:
    """The model, loaded; pooled vectors only. Safe for several threads.

    Attributes:
        known: its identity.
        tokenizer: cuts text into pieces, without the first and last token.
        run: from token ids and mask, both (texts, tokens), the states (texts, tokens, 384).
    """

    known: Mapping[str, Json]
    tokenizer: Cutter
    run: Callable[[Ids, Ids], Floats]

    def identity(self) -> Mapping[str, Json]:
        """Return name, revision, dimension, normalisation and prefixes."""
        return self.known

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the pooled vector of each text, read as a passage."""
        return self._read([PASSAGE + text[:TEXT_CHARACTERS] for _, text in texts])

    def ask(self, question: str) -> States:
        """Return the pooled vector of a question."""
        return self._read([QUESTION + question[:TEXT_CHARACTERS]])[0]

    def _read(self, texts: list[str]) -> list[States]:
        owners: list[int] = []
        windows: list[list[int]] = []
        for owner, coded in enumerate(self.tokenizer.encode_batch(texts, add_special_tokens=False)):
            for start in range(0, max(1, len(coded.ids)), WINDOW):
                windows.append([BOS, *coded.ids[start : start + WINDOW], EOS])
                owners.append(owner)
        sums = np.zeros((len(texts), DIMENSION), np.float32)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i]))
        while order:
            most = max(1, BATCH_TOKENS // len(windows[order[-1]]))
            batch, order = order[-most:], order[:-most]
            for i, total in zip(batch, self._sums([windows[i] for i in batch]), strict=True):
                sums[owners[i]] += total
        return pooled_only(sums)

    def _sums(self, windows: list[list[int]]) -> Floats:
        longest = max(len(window) for window in windows)
        ids = np.full((len(windows), longest), PAD, np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = window
            mask[row, : len(window)] = 1
        return (self.run(ids, mask) * mask[:, :, None].astype(np.float32)).sum(axis=1)


def open_onnx(known: Mapping[str, Json], model: Path, tokenizer: Path, threads: int) -> E5:
    """Return the model from an ONNX file and a tokeniser file."""
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    wanted = {str(given.name) for given in session.get_inputs()}

    def run(ids: Ids, mask: Ids) -> Floats:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return session.run(None, {name: array for name, array in given.items() if name in wanted})[0]

    coder = Tokenizer.from_file(str(tokenizer))
    coder.no_padding()
    coder.no_truncation()
    return E5(known, coder, run)


def open_packed(known: Mapping[str, Json], path: Path, threads: int = 1) -> E5:
    """Return the model from one file of 4-bit blocks, which also holds the vocabulary.

    Raises:
        ModelMissing: the file is none of that form.
    """
    data = np.memmap(path, np.uint8, "r")
    try:
        pieces, replaced, tensors = _parse(data)
        bert = _Bert(tensors, open_product(threads))
    except (struct.error, KeyError, ValueError, IndexError) as err:
        raise ModelMissing(
            "model", "is damaged", f"{path}: {err}", "Delete the file and fetch it again."
        ) from err
    return E5(known, _unigram(pieces, replaced), bert.states)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """One tensor where it lies in the file: floats, or blocks of 32 weights in 4 bits with a 16-bit scale."""

    raw: NDArray[np.uint8]
    packed: bool
    count: int

    def floats(self) -> Floats:
        if not self.packed:
            return self.raw[: 4 * self.count].view("<f4")
        return unpack_blocks(self.raw.reshape(-1, BLOCK_BYTES)).ravel()


BLOCK, BLOCK_BYTES = 32, 18


def unpack_blocks(blocks: NDArray[np.uint8]) -> Floats:
    """Return the weights (..., 32) of blocks (..., 18): a float16 scale, then 16 bytes; low halves come first."""
    scale = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    packed = blocks[..., 2:]
    levels = np.concatenate([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
    return levels * scale


def _parse(data: NDArray[np.uint8]) -> tuple[list[tuple[str, float]], dict[int, str], dict[str, _Tensor]]:
    """Return the pieces with their scores, the characters that are replaced, and the tensors."""
    if bytes(data[:4]) != b"E5S1":
        raise ValueError("it does not begin with E5S1")
    memory = data.data
    at = 8 + 9 * 4  # after magic, version and nine numbers that are those of this one model
    count, *_, letters = struct.unpack_from("<5iQ", memory, at)
    at += 28
    ends = data[at : at + 4 * (count + 1)].view("<u4").tolist()
    at += 4 * (count + 1)
    scores = data[at : at + 4 * count].view("<f4").tolist()
    at += 4 * count
    text = bytes(data[at : at + letters])
    pieces = [(text[a:b].decode(), score) for a, b, score in zip(ends[:-1], ends[1:], scores, strict=True)]
    at += letters
    rules, _ = struct.unpack_from("<iI", memory, at)
    at += 8
    replaced: dict[int, str] = {}
    for _ in range(rules):
        character, many = struct.unpack_from("<IB", memory, at)
        replaced[character] = "".join(map(chr, struct.unpack_from(f"<{many}I", memory, at + 5)))
        at += 5 + 4 * many
    tensors: dict[str, _Tensor] = {}
    (entries,) = struct.unpack_from("<i", memory, at)
    at += 4
    for _ in range(entries):
        (long,) = struct.unpack_from("<H", memory, at)
        name = bytes(data[at + 2 : at + 2 + long]).decode()
        form, many, start, size = struct.unpack_from("<BIQQ", memory, at + 2 + long)
        tensors[name] = _Tensor(data[start : start + size], form == 1, many)
        at += 2 + long + 21
    return pieces, replaced, tensors


class _Folding:
    """A tokeniser that replaces characters first, as the model's own normaliser does."""

    def __init__(self, inner: Tokenizer, replaced: dict[int, str]) -> None:
        self._inner = inner
        self._replaced = replaced

    def encode_batch(self, input: list[str], *, add_special_tokens: bool) -> list[Encoding]:
        folded = [text.translate(self._replaced) for text in input]
        return self._inner.encode_batch(folded, add_special_tokens=add_special_tokens)


def _unigram(pieces: list[tuple[str, float]], replaced: dict[int, str]) -> Cutter:
    from tokenizers import Tokenizer, models, pre_tokenizers

    coder = Tokenizer(models.Unigram(pieces, UNKNOWN, byte_fallback=False))
    coder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always"),
        ]
    )
    return _Folding(coder, replaced)


def open_product(threads: int) -> Product:
    """Return the matrix product of onnxruntime, as one node of float32.

    Numpy's may wait on threads of its own, as many as there are cores, which on a busy machine made a question ten
    times slower; nothing in numpy says how many it shall use.
    """
    import onnxruntime

    def field(number: int, value: int | bytes) -> bytes:  # of a protocol buffer, all lengths below 128
        return (
            bytes([number << 3, value])
            if isinstance(value, int)
            else bytes([number << 3 | 2, len(value)]) + value
        )

    def tensor(name: bytes) -> bytes:
        return field(1, name) + field(2, field(1, field(1, 1)))

    node = field(1, b"a") + field(1, b"b") + field(2, b"c") + field(4, b"MatMul")
    graph = field(1, node) + field(2, b"product") + field(11, tensor(b"a")) + field(11, tensor(b"b"))
    model = field(1, 8) + field(8, field(2, 13)) + field(7, graph + field(12, tensor(b"c")))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda a, b: session.run(None, {"a": np.ascontiguousarray(a, np.float32), "b": b})[0]


class _Bert:
    """A plain BERT encoder in float32; about 85 MB unpacked, and the word table is read where it lies."""

    HEADS = 12
    EPSILON = 1e-12

    def __init__(self, tensors: Mapping[str, _Tensor], product: Product) -> None:
        self._product = product
        self._words = tensors["emb.word"].raw.reshape(-1, DIMENSION // BLOCK, BLOCK_BYTES)
        small = {name: tensor.floats() for name, tensor in tensors.items() if name != "emb.word"}
        self._places = small["emb.pos"].reshape(-1, DIMENSION) + small["emb.type"][:DIMENSION]
        self._first = small["emb.ln.w"], small["emb.ln.b"]
        layers = len([name for name in small if name.endswith(".q.w")])
        if not layers:
            raise KeyError("layers")
        self._layers = [_layer(small, f"l{layer}.") for layer in range(layers)]

    def states(self, ids: Ids, mask: Ids) -> Floats:
        """Return the states (texts, tokens, 384) of token ids (texts, tokens)."""
        many, long = ids.shape
        product = self._product
        x = unpack_blocks(self._words[ids]).reshape(many, long, DIMENSION) + self._places[:long]
        x = self._norm(
            x.reshape(-1, DIMENSION), self._first
        )  # (texts * tokens, 384): one large product a layer
        away = np.where(mask[:, None, None, :] > 0, 0.0, -1e9).astype(np.float32)  # (texts, 1, 1, tokens)
        for layer in self._layers:
            q, k, v = (  # (texts, heads, tokens, 32)
                np.ascontiguousarray(
                    (product(x, w) + b).reshape(many, long, self.HEADS, -1).transpose(0, 2, 1, 3)
                )
                for w, b in (layer["q"], layer["k"], layer["v"])
            )
            near = (
                product(q, np.ascontiguousarray(k.transpose(0, 1, 3, 2))) / np.float32(np.sqrt(q.shape[-1]))
                + away
            )
            near = np.exp(near - near.max(axis=-1, keepdims=True))
            near /= near.sum(axis=-1, keepdims=True)
            seen = product(near, v).transpose(0, 2, 1, 3).reshape(-1, DIMENSION)
            x = self._norm(x + product(seen, layer["ao"][0]) + layer["ao"][1], layer["aln"])
            wide = gelu(product(x, layer["fi"][0]) + layer["fi"][1])
            x = self._norm(x + product(wide, layer["fo"][0]) + layer["fo"][1], layer["oln"])
        return x.reshape(many, long, DIMENSION)

    def _norm(self, x: NDArray[np.floating], how: tuple[Floats, Floats]) -> Floats:
        x = x - x.mean(axis=-1, keepdims=True)
        found = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.EPSILON) * how[0] + how[1]
        return found.astype(np.float32, copy=False)


def _layer(small: Mapping[str, Floats], prefix: str) -> dict[str, tuple[Floats, Floats]]:
    found: dict[str, tuple[Floats, Floats]] = {}
    for part in ("q", "k", "v", "ao", "aln", "fi", "fo", "oln"):
        weight, bias = small[f"{prefix}{part}.w"], small[f"{prefix}{part}.b"]
        rows = weight if part.endswith("ln") else np.ascontiguousarray(weight.reshape(len(bias), -1).T)
        found[part] = (rows, bias)  # (in, out)
    return found


def gelu(x: Floats) -> Floats:
    """Return x times the normal distribution's share below x; by Abramowitz and Stegun 7.1.26, to 2e-7."""
    z = np.abs(x) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - poly * np.exp(-z * z))
    return (x * (1 + erf) * np.float32(0.5)).astype(np.float32)
