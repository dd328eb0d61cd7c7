"""The real mem0 for tests, offline: its Qdrant in a folder, its models from a server of the test on this machine."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DIMENSIONS = 64


class _Models(BaseHTTPRequestHandler):
    """Speaks as an OpenAI-compatible endpoint: vectors of words, and a model that extracts each message as a fact."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self._embeddings(body) if self.path.endswith("/embeddings") else self._chat(body)
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = [vector(text) for text in texts]
        packed = body.get("encoding_format") == "base64"
        made = [
            base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *row)).decode() if packed else row for row in rows
        ]
        data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(made)]
        return {
            "object": "list",
            "model": "m",
            "data": data,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = str(body["messages"][-1]["content"])
        facts = [{"text": fact} for fact in re.findall(r"user: (I [^\n]*)", asked)] or [
            {"text": "nothing new"}
        ]
        message = {"role": "assistant", "content": json.dumps({"memory": facts})}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def vector(text: str) -> list[float]:
    """Return a vector of a text's words, so that texts with the same words are near."""
    row = [0.001] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        row[int(md5(word.encode(), usedforsecurity=False).hexdigest(), 16) % DIMENSIONS] += 1
    length = sum(value * value for value in row) ** 0.5
    return [value / length for value in row]


@contextmanager
def models() -> Generator[str]:
    """Serve the models; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Models)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def library(home: Path) -> Any:
    """Import mem0 with its folder in `home`, and its reports to its makers off."""
    os.environ.setdefault("MEM0_DIR", str(home))
    os.environ["MEM0_TELEMETRY"] = "False"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mem0  # pyright: ignore[reportMissingTypeStubs]
    return mem0


def config(home: Path, models: str) -> dict[str, Any]:
    """Return what mem0 is configured by."""
    model = {"api_key": "none", "openai_base_url": models}
    folder = {
        "path": str(home / "qdrant"),
        "collection_name": "all",
        "embedding_model_dims": DIMENSIONS,
        "on_disk": True,
    }
    return {
        "vector_store": {"provider": "qdrant", "config": folder},
        "llm": {"provider": "openai", "config": model},
        "embedder": {"provider": "openai", "config": {**model, "embedding_dims": DIMENSIONS}},
        "history_db_path": str(home / "history.db"),
    }
