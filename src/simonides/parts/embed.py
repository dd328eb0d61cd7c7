"""Read meaning with MiniLM: token states, their short codes and a pooled vector; knows no store and no ranking.

A turn is read together with the end of the turn before it, and only the states of its own tokens are kept (late
chunking: Günther et al., "Late Chunking", 2024). What is kept of them is in `parts.codes`. Long texts are read in
windows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simonides.parts import analyse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simonides.types import Json

DIMENSION = 384
WINDOW = 192
"""Tokens of its own that one window of a long text holds."""
CONTEXT = 20
"""Tokens of the turn before that a turn is read with."""
BATCH_TOKENS = 512
"""Tokens, padding included, that one run of the model takes at most."""
CLS, SEP = 101, 102


@dataclass(frozen=True, slots=True)
class States:
    """What the model says of one text.

    Attributes:
        tokens: (tokens,) wordpiece ids.
        states: (tokens, 384) unit-length states, float32.
        pooled: (384,) unit-length mean of all token states, stop words included.
    """

    tokens: NDArray[np.uint16]
    states: NDArray[np.float32]
    pooled: NDArray[np.float32]


class Reader(Protocol):
    """A model that gives token states; `parts.models` knows those that can be had."""

    def identity(self) -> Mapping[str, Json]:
        """Return name, revision, dimension, normalisation and prefix: what makes its vectors comparable."""
        ...

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the states of each text; a text comes with the text before it, which may be empty."""
        ...


@dataclass(frozen=True, slots=True)
class _Window:
    text: int
    ids: NDArray[np.int64]
    own: int


class MiniLM:
    """The shipped all-MiniLM-L6-v2 as int8 ONNX, loaded on first use; safe for several threads."""

    def __init__(self, threads: int = 1) -> None:
        self._session = _session(threads)

    def identity(self) -> Mapping[str, Json]:
        """Return what the shipped manifest says of the model."""
        return identity()

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the states of each text; about 200 short turns a second and core."""
        windows = _windows(texts)
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        parts: list[list[tuple[int, NDArray[np.float32]]]] = [[] for _ in texts]
        for batch in _batches(order, windows):
            for i, states in zip(batch, self._run([windows[i] for i in batch]), strict=True):
                parts[windows[i].text].append((i, states))
        owned: list[list[NDArray[np.int64]]] = [[] for _ in texts]
        for window in windows:
            owned[window.text].append(window.ids[window.own : -1])
        return [
            _join(ids, [s for _, s in sorted(found, key=lambda p: p[0])])
            for ids, found in zip(owned, parts, strict=True)
        ]

    def _run(self, windows: list[_Window]) -> list[NDArray[np.float32]]:
        longest = max(len(window.ids) for window in windows)
        ids = np.zeros((len(windows), longest), np.int64)
        mask = np.zeros_like(ids)
        for i, window in enumerate(windows):
            ids[i, : len(window.ids)] = window.ids
            mask[i, : len(window.ids)] = 1
        out = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]  # (batch, tokens, 384)
        return [out[i, w.own : len(w.ids) - 1] for i, w in enumerate(windows)]


@lru_cache(maxsize=4)
def _session(threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = resources.files("simonides").joinpath("data/minilm/model.onnx")
    with resources.as_file(path) as file:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=1)
def identity() -> Mapping[str, Json]:
    """Return name, revision, dimension, normalisation and prefix of the shipped full-tier model."""
    text = resources.files("simonides").joinpath("data/minilm/manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    return {
        "name": "minilm",
        "revision": manifest["files"]["model.onnx"]["sha256"][:16],
        "dimension": DIMENSION,
        "normalised": True,
        "prefix": "",
    }


def _windows(texts: Sequence[tuple[str, str]]) -> list[_Window]:
    coder = analyse.tokenizer()
    limit = analyse.WORDPIECE_CHARACTERS
    own = coder.encode_batch([text[:limit] for _, text in texts], add_special_tokens=False)
    before = coder.encode_batch([context[-8 * CONTEXT :] for context, _ in texts], add_special_tokens=False)
    windows: list[_Window] = []
    for i, (mine, prior) in enumerate(zip(own, before, strict=True)):
        context = prior.ids[-CONTEXT:]
        for start in range(0, max(1, len(mine.ids)), WINDOW):
            lead = context if start == 0 else mine.ids[max(0, start - CONTEXT) : start]
            ids = np.array([CLS, *lead, *mine.ids[start : start + WINDOW], SEP], np.int64)
            windows.append(_Window(i, ids, 1 + len(lead)))
    return windows


def _batches(order: list[int], windows: list[_Window]) -> list[list[int]]:
    batches: list[list[int]] = []
    for i in order:  # shortest first, so the newest is the longest of its batch
        if batches and (len(batches[-1]) + 1) * len(windows[i].ids) <= BATCH_TOKENS:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _join(ids: list[NDArray[np.int64]], states: list[NDArray[np.float32]]) -> States:
    tokens = np.concatenate(ids).astype(np.uint16)
    vectors = np.concatenate(states).astype(np.float32)
    pooled = vectors.mean(axis=0) if len(vectors) else np.zeros(DIMENSION, np.float32)
    return States(tokens, _unit(vectors), _unit(pooled))


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
