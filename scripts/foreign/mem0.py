# type: ignore  # noqa: PGH003 - runs where mem0ai is installed, see make_foreign_stores.py
"""Writes a store with mem0 itself, on Qdrant in a folder, with a model on loopback; knows nothing of simonides."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import sys
import threading
from pathlib import Path

OUT = Path(sys.argv[1])
os.environ |= {"MEM0_TELEMETRY": "False", "MEM0_DIR": str(OUT / "home")}

from mem0 import Memory  # noqa: E402


class Model(http.server.BaseHTTPRequestHandler):
    """Answers for vectors on loopback; the same text gets the same vector."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        texts = [asked] if isinstance(asked, str) else asked
        made = [[part / 255 for part in hashlib.sha256(text.encode()).digest()[:8]] for text in texts]
        data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(made)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        raw = json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None: ...


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = {"api_key": "x", "model": "m", "openai_base_url": f"http://127.0.0.1:{server.server_port}/v1"}
points = {"collection_name": "mem0", "path": str(OUT / "qdrant"), "embedding_model_dims": 8, "on_disk": True}
memory = Memory.from_config(
    {
        "vector_store": {"provider": "qdrant", "config": points},
        "llm": {"provider": "openai", "config": url},
        "embedder": {"provider": "openai", "config": {**url, "embedding_dims": 8}},
        "history_db_path": str(OUT / "history.db"),
    }
)
home = memory.add("I live in Berlin.", user_id="ana", run_id="r1", metadata={"topic": "home"}, infer=False)
said = [{"role": "user", "content": "I like tea", "name": "Ana"}, {"role": "assistant", "content": "Noted."}]
memory.add(said, user_id="ana", agent_id="bot", infer=False)
gone = memory.add("Ben hates rain.", user_id="ben", infer=False)
memory.update(home["results"][0]["id"], "I live in Lisbon.")
memory.delete(gone["results"][0]["id"])
(OUT / "all.json").write_text(json.dumps(memory.get_all(filters={"user_id": "ana"})), encoding="utf-8")
memory.vector_store.client.close()
memory.close()
server.shutdown()
