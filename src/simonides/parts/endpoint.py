"""Ask an endpoint that speaks the OpenAI embeddings protocol; knows no store. Texts go to that host and to no other.

Every request that leaves, a repeated one too, is told to a `Meter`, which may refuse it beforehand.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import numpy as np

from simonides.errors import InputError, ModelMissing
from simonides.parts.pooled import padded, pooled_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from http.client import HTTPResponse
    from urllib.error import HTTPError
    from urllib.request import Request

    from numpy.typing import NDArray

    from simonides.parts.embed import States
    from simonides.types import Json

BATCH_TEXTS = 64
BATCH_CHARACTERS = 100_000
TEXT_CHARACTERS = 20_000
"""Only so much of a text is sent: what 8,000 tokens of most languages hold."""
TRIES = 5
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
TIMEOUT_SECONDS = 60.0
AGAIN = (408, 429, 500, 502, 503, 504)
"""Answers after which the same request may succeed."""
TOKEN_CHARACTERS = 4
"""Characters that count as a token where the endpoint doesn't say how many it read."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request that left, or is about to.

    Attributes:
        purpose: ``memory`` (texts to keep), ``question`` or ``dimension`` (one word, to learn its size).
        tokens: that it sent: as the endpoint says, else estimated from the characters.
        detail: the rule that failed, or a remark; never what was sent or answered.
    """

    purpose: str
    model: str
    tokens: int
    seconds: float = 0.0
    ok: bool = True
    detail: str = ""


class Meter(Protocol):
    """Whoever counts requests."""

    def allow(self, sent: Sent) -> None:
        """Let a request leave.

        Raises:
            BudgetSpent: it must not.
        """
        ...

    def note(self, sent: Sent) -> None:
        """Take down a request that left."""
        ...


class Endpoint:
    """One model of one endpoint; pooled vectors only. Safe for several threads.

    Args:
        model: the name that the endpoint knows it by.
        url: the endpoint with or without ``/embeddings`` at its end.
        key: sent as a bearer token when it is not empty; never stored, logged or shown.
        sleep: what waits between tries.
        meter: is asked before each request and told after it.
        dimension: of the vectors, where it is known; else the endpoint is asked for it once.
    """

    def __init__(
        self,
        model: str,
        url: str,
        key: str = "",
        *,
        sleep: Callable[[float], None] = time.sleep,
        meter: Meter | None = None,
        dimension: int = 0,
    ) -> None:
        if not model:
            raise InputError(
                "model",
                "must name a model after openai:",
                "openai:",
                "Example: openai:text-embedding-3-small.",
            )
        if not url:
            way_out = "Set it, e.g. SIMONIDES_ENDPOINT=http://localhost:11434/v1 or Settings(endpoint=...)."
            raise InputError("setting endpoint", f"must be set for the model openai:{model}", "", way_out)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                "setting endpoint", "must be an http or https URL", url, "Example: https://api.openai.com/v1."
            )
        self.model = model
        self.host = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._url = url.rstrip("/").removesuffix("/embeddings") + "/embeddings"
        self._key = key
        self._sleep = sleep
        self._meter = meter
        self._dimension = dimension

    def metered(self, meter: Meter) -> None:
        """Let a meter count, unless one does already."""
        self._meter = self._meter or meter

    def identity(self) -> Mapping[str, Json]:
        """Return name, host and dimension; the dimension is asked for once.

        Raises:
            ModelMissing: the endpoint does not answer, or refuses.
            BudgetSpent: its meter doesn't let the question out.
        """
        if not self._dimension:
            self._vectors(["dimension"], "dimension")
        return {
            "name": f"openai:{self.model}",
            "revision": self.host,
            "dimension": padded(self._dimension),
            "normalised": True,
            "prefix": "",
        }

    def read(self, texts: Sequence[tuple[str, str]]) -> list[States]:
        """Return the pooled vector of each text; several requests where there are many."""
        found: list[States] = []
        for batch in _batches([text[:TEXT_CHARACTERS] for _, text in texts]):
            found += pooled_only(self._vectors(batch, "memory"))
        return found

    def ask(self, question: str) -> States:
        """Return the pooled vector of a question."""
        return pooled_only(self._vectors([question[:TEXT_CHARACTERS]], "question"))[0]

    def _vectors(self, texts: Sequence[str], purpose: str) -> NDArray[np.float32]:
        guess = sum(map(len, texts)) // TOKEN_CHARACTERS + len(texts)
        sent = Sent(purpose, f"openai:{self.model}", guess)
        answer = self._post({"model": self.model, "input": list(texts), "encoding_format": "float"}, sent)
        try:
            rows = sorted(json.loads(answer)["data"], key=lambda item: item["index"])
            vectors = np.array([row["embedding"] for row in rows], np.float32)
        except (ValueError, KeyError, TypeError) as err:
            raise self._failed("answered something that is no list of embeddings", answer[:80]) from err
        if (
            vectors.ndim != 2
            or len(vectors) != len(texts)
            or not vectors.size
            or not np.isfinite(vectors).all()
        ):
            raise self._failed("answered with other vectors than asked for", str(vectors.shape))
        known = self._dimension
        if known and vectors.shape[1] != known and padded(vectors.shape[1]) != known:
            raise self._failed(f"changed its dimension from {known}", str(vectors.shape[1]))
        self._dimension = vectors.shape[1]
        return vectors

    def _post(self, body: Mapping[str, Json], sent: Sent) -> bytes:
        """Send a request until it is answered and return the answer; each try is asked for and told."""
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError

        request = self._request(body)
        pause = PAUSE_SECONDS
        for left in range(TRIES - 1, -1, -1):
            if self._meter is not None:
                self._meter.allow(sent)
            begun = time.perf_counter()
            try:
                with _open(request) as answer:
                    told = answer.read()
            except HTTPError as err:
                with err:
                    self._note(sent, begun, f"answered {err.code}")
                    if err.code not in AGAIN or not left:
                        raise self._refused(err) from err
                    pause = max(pause, _told_to_wait(err))
            except (URLError, HTTPException, OSError) as err:
                self._note(sent, begun, "does not answer")
                if not left:
                    raise self._failed("does not answer", getattr(err, "reason", err)) from err
            else:
                self._note(replace(sent, tokens=_tokens(told) or sent.tokens), begun)
                return told
            self._sleep(min(pause, LONGEST_PAUSE_SECONDS))
            pause *= 2
        raise AssertionError("each last try returns or raises")

    def _request(self, body: Mapping[str, Json]) -> Request:
        from urllib.request import Request

        headers = {"Content-Type": "application/json", "User-Agent": "simonides"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return Request(self._url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - http(s) alone

    def _note(self, sent: Sent, begun: float, wrong: str = "") -> None:
        if self._meter is not None:
            self._meter.note(replace(sent, seconds=time.perf_counter() - begun, ok=not wrong, detail=wrong))

    def _refused(self, err: HTTPError) -> ModelMissing:
        if err.code in (401, 403):
            way_out = "Set the right one as endpoint_key (SIMONIDES_ENDPOINT_KEY)."
            return self._failed(f"refused the key ({err.code})", "", way_out)
        if 300 <= err.code < 400:
            return self._failed("points elsewhere, and a key is not sent on", err.headers.get("Location", ""))
        told = err.read(200).decode("utf-8", "replace").replace(self._key or "\0", "***")
        if err.code == 404:
            return self._failed(f"has no model {self.model!r} or no such path (404)", told)
        return self._failed(f"answered {err.code}", told)

    def _failed(self, rule: str, value: object, way_out: str = "") -> ModelMissing:
        otherwise = "Check the settings endpoint and model; meaning = instant searches without it."
        return ModelMissing(f"endpoint {self.host}", rule, str(value) if value else "", way_out or otherwise)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == BATCH_TEXTS or characters + len(text) > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _tokens(answer: bytes) -> int:
    """Return how many tokens an answer says that the endpoint read, 0 where it doesn't say."""
    try:
        return max(0, int(json.loads(answer)["usage"]["prompt_tokens"]))
    except (ValueError, KeyError, TypeError):
        return 0


def _open(request: Request) -> HTTPResponse:
    """Open a request without following redirects: the key goes to the host that was named and to no other."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_args: Any, **_more: Any) -> None:
            return None

    return build_opener(Stay()).open(request, timeout=TIMEOUT_SECONDS)


def _told_to_wait(err: HTTPError) -> float:
    try:
        return float(err.headers.get("Retry-After", 0))
    except ValueError:  # a date; the usual pause does
        return 0.0
