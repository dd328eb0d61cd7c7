"""Which model one open store is read with, opened when it is first needed; knows no queue, no search and no door."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from simonides.errors import ModelMismatch
from simonides.ledger.staging import SCALE_BYTES
from simonides.parts import models
from simonides.parts.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simonides.ledger import Ledger
    from simonides.parts.embed import Reader
    from simonides.settings import Settings
    from simonides.spending import Spending
    from simonides.types import Json


class Chosen:
    """The model that the settings name or the user handed in; with ``auto``, the one that the store is served with.

    Another process may switch the store to another model at any time: `follow` takes notice.
    """

    def __init__(self, ledger: Ledger, settings: Settings, given: Reader | None, spending: Spending) -> None:
        self._ledger = ledger
        self._settings = settings
        self._given = given
        self._spending = spending
        self._lock = threading.RLock()
        self._name = ""
        self._served: int = -1
        self._reader: Reader | None = None
        self._identity: Mapping[str, Json] | None = None
        if isinstance(given, Endpoint):
            given.metered(spending)

    @property
    def settings(self) -> Settings:
        """The settings with the name of the model in them."""
        self.follow()
        return self._named_settings()

    @property
    def name(self) -> str:
        """The name of the model."""
        self.follow()
        return self._name

    @property
    def named(self) -> bool:
        """Whether another process can open it by its name."""
        return self._given is None

    def count_for(self, job: int) -> None:
        """Let the calls that are made now be entered as made for a job."""
        self._spending.job = job

    @property
    def remote(self) -> bool:
        """Whether to read is to call somebody."""
        if self._given is not None:
            return isinstance(self._given, Endpoint)
        return self.name.startswith(models.OPENAI)

    def follow(self) -> None:
        """Look which model the store is served with now; takes microseconds."""
        served = self._ledger.served()
        if served == self._served:
            return
        with self._lock:
            name = self._resolved()
            if name != self._name and self._given is None:
                self._reader = None
                self._identity = None
            self._name, self._served = name, served

    def identity(self) -> Mapping[str, Json]:
        """Return what makes its vectors comparable, without loading it where that can be told.

        Raises:
            ModelMissing: it isn't here, or its endpoint doesn't say.
            BudgetSpent: its endpoint would have to be asked, and may not.
        """
        self.follow()
        with self._lock:
            if self._identity is None:
                self._identity = models.identity(
                    self._named_settings(), self._given, meter=self._spending, dimension=self._dimension()
                )
            return self._identity

    def vector_bytes(self) -> int:
        """Return what one of its vectors takes in the store."""
        return int(str(self.identity()["dimension"])) + SCALE_BYTES

    def number(self) -> int:
        """Return its number in the store.

        Raises:
            ModelMismatch: the store is served with another model.
        """
        return self._ledger.model_id(self.identity(), create=True)

    def reader(self) -> Reader:
        """Return the model, loaded once."""
        self.follow()
        with self._lock:
            return self._loaded()

    def reader_of(self, identity: Mapping[str, Json]) -> Reader:
        """Return the model if it is still the one of this identity: what it reads is compared with its own codes only.

        Raises:
            ModelMismatch: another one was chosen meanwhile.
        """
        with self._lock:
            if self.identity() != identity:
                raise ModelMismatch(
                    "model", "was switched by another process", str(identity["name"]), "Ask again."
                )
            return self._loaded()

    def opened(self) -> tuple[int, Reader]:
        """Return the number of the model and the model, loaded; raises what `number` and `reader` do."""
        with self._lock:
            identity = self.identity()
            return self._ledger.model_id(identity, create=True), self._loaded()

    def _loaded(self) -> Reader:
        if self._given is not None:
            return self._given
        if self._reader is None:
            self._reader = models.open_reader(
                self._named_settings(), meter=self._spending, dimension=self._dimension()
            )
        return self._reader

    def _named_settings(self) -> Settings:
        return replace(self._settings, model=self._name)

    def _resolved(self) -> str:
        if self._given is not None:
            return str(self._given.identity()["name"])
        if self._settings.model != models.AUTO:
            return self._settings.model
        name = self._stored().get("name")
        if isinstance(name, str) and models.known(name):
            return name
        return self._name or models.SHIPPED

    def _stored(self) -> Mapping[str, Json]:
        text = self._ledger.model_identity()
        return json.loads(text) if text else {}

    def _dimension(self) -> int:
        """Return the dimension of an endpoint's vectors where the store holds some, so that it needn't be asked."""
        stored = self._stored()
        return int(str(stored.get("dimension", 0))) if stored.get("name") == self._name else 0
