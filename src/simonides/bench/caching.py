"""Keeps what the full-tier model says of texts, so that many stores of the same texts cost one reading; knows no set.

What is kept of a text are its pooled vector and its token codes, about 2.5 KB: states are some hundred times larger,
and the store keeps nothing else of them either. A text that comes back gets states that stand for its codes: encoding
them again gives the same bytes. A single text without one before it may be a question, which is scored with its states
as they are; these are kept in memory only, the newest few.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from simonides.ledger.index import CODE_BYTES
from simonides.parts import analyse, codes, embed, models
from simonides.parts.embed import States

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from simonides.types import Json

    Floats = NDArray[np.float32]

QUESTIONS = 2000
"""Questions whose states are kept."""
PIECE = "harbour"
"""Its wordpiece is no stop word, so states under it are not dropped when they are encoded."""
SIDE = np.float32(0.05)
"""How far from the mean the states lie that stand for codes; any distance gives the same codes."""


class CachedReader:
    """A reader that asks another one for each text once.

    Attributes:
        read_now: texts that the model has read for this reader.
        from_cache: texts that were answered without it.
    """

    def __init__(self, reader: embed.Reader, folder: Path | None = None, *, borrowed: bool = False) -> None:
        """Wrap a reader; with a folder, what it says outlives the process, a file for each model and encoder.

        Args:
            borrowed: the file is somebody else's, who takes over what is new: `fresh` here, `take` there.
        """
        self._reader = reader
        self._borrowed = borrowed
        self._fresh: list[bytes] = []
        self._kept: dict[bytes, tuple[Floats, bytes]] = {}
        self._asked: OrderedDict[str, States] = OrderedDict()
        self._file = None if folder is None else folder / f"{_fingerprint(reader)}.codes"
        self.read_now = self.from_cache = 0
        if self._file is not None and self._file.exists():
            self._load(self._file)

    def identity(self) -> Mapping[str, Json]:
        """Return the identity of the reader inside: what is kept cannot be told from what it says."""
        return self._reader.identity()

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the states of each text, or states that stand for its codes."""
        if len(texts) == 1 and not texts[0][0]:
            return [self._kept_as_is(texts[0][1], lambda: self._reader.read(texts)[0])]
        keys = [_key(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if missing:
            self._keep(dict(zip(missing, self._reader.read(list(missing.values())), strict=True)))
        self.read_now += len(missing)
        self.from_cache += len(texts) - len(missing)
        return [self._standing_for(key) for key in keys]

    def ask(self, question: str) -> States:
        """Return the states of a question, as the reader inside reads questions."""
        return self._kept_as_is(question, lambda: models.read_question(self._reader, question))

    def pooled(self, texts: Sequence[str], batch: int = 64) -> Floats:
        """Return the pooled unit vectors (texts, dimension) of texts on their own."""
        found = [
            states.pooled
            for start in range(0, len(texts), batch)
            for states in self.read([("", text) for text in texts[start : start + batch]])
        ]
        return np.stack(found) if found else np.zeros((0, embed.DIMENSION), np.float32)

    def _kept_as_is(self, text: str, read: Callable[[], States]) -> States:
        if text in self._asked:
            self.from_cache += 1
            self._asked.move_to_end(text)
            return self._asked[text]
        states = self._asked[text] = read()
        self.read_now += 1
        if len(self._asked) > QUESTIONS:
            self._asked.popitem(last=False)
        return states

    def _standing_for(self, key: bytes) -> States:
        pooled, packed = self._kept[key]
        states = _states_of(packed) if packed else np.zeros((0, len(pooled)), np.float32)
        return States(np.full(len(states), _worthy(), np.uint16), states, pooled)

    def _keep(self, said: Mapping[bytes, States]) -> None:
        lines: list[bytes] = []
        for key, states in said.items():
            pooled, packed = states.pooled.astype(np.float32), codes.encode(states)
            self._kept[key] = (pooled, packed)
            lines += [key, len(pooled).to_bytes(4, "little"), len(packed).to_bytes(4, "little")]
            lines += [pooled.tobytes(), packed]
        if self._borrowed:
            self._fresh += lines
        else:
            self._append(b"".join(lines))

    def fresh(self) -> bytes:
        """Return what the model has said since the last call, as `take` takes it."""
        lines, self._fresh = self._fresh, []
        return b"".join(lines)

    def take(self, lines: bytes) -> None:
        """Keep what a reader in another process has learnt from the same model."""
        self._parse(lines)
        self._append(lines)

    def _append(self, lines: bytes) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(lines)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        whole = self._parse(data)
        if whole < len(data) and not self._borrowed:
            path.write_bytes(data[:whole])

    def _parse(self, data: bytes) -> int:
        """Keep what the bytes hold; return how many of them are whole entries."""
        at = 0
        while at + 24 <= len(data):
            size, length = (int.from_bytes(data[at + n : at + n + 4], "little") for n in (16, 20))
            end = at + 24 + 4 * size + length
            if end > len(data):  # cut short by whoever was stopped while writing
                break
            pooled = np.frombuffer(data, np.float32, size, at + 24).copy()
            self._kept[data[at : at + 16]] = (pooled, data[end - length : end])
            at = end
        return at


def _key(text: tuple[str, str]) -> bytes:
    return hashlib.blake2b("\0".join(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _states_of(packed: bytes) -> Floats:
    signs = np.unpackbits(np.frombuffer(packed, np.uint8)).reshape(len(packed) // CODE_BYTES, -1)
    return codes.mean_state() + np.where(signs > 0, SIDE, -SIDE)


def _worthy() -> int:
    return analyse.pieces(PIECE)[0].token


def _fingerprint(reader: embed.Reader) -> str:
    """Return a name that changes with the model, with how it is run and with how its states are encoded."""
    probe = reader.read([("We met at the harbour.", "The lighthouse was painted white. " * 60)])[0]
    seen = hashlib.blake2b(digest_size=8)
    seen.update(json.dumps(dict(reader.identity()), sort_keys=True).encode())
    seen.update(np.rint(probe.pooled * 1000).astype(np.int16).tobytes())
    seen.update(codes.encode(probe))
    return seen.hexdigest()
