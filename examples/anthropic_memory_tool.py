"""Claude's memory tool over a store. A scripted endpoint on this machine stands in for the API, so it runs offline."""

import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from anthropic import Anthropic

from simonides import Memory
from simonides.compat.anthropic import MemoryTool

COMMANDS = [
    {"command": "view", "path": "/memories"},
    {"command": "create", "path": "/memories/ana.md", "file_text": "Ana is allergic to nuts.\n"},
    {"command": "str_replace", "path": "/memories/ana.md", "old_str": "nuts", "new_str": "peanuts"},
]


class Claude(BaseHTTPRequestHandler):
    """Uses the tool three times, then ends its turn."""

    def do_POST(self) -> None:
        """Answer as the Messages API does."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turn = (len(body["messages"]) - 1) // 2
        if turn < len(COMMANDS):
            content = [{"type": "tool_use", "id": f"use{turn}", "name": "memory", "input": COMMANDS[turn]}]
        else:
            content = [{"type": "text", "text": "I will remember."}]
        answer = {
            "id": f"message{turn}", "type": "message", "role": "assistant", "model": "scripted", "content": content,
            "stop_reason": "tool_use" if turn < len(COMMANDS) else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Claude)
thread = threading.Thread(target=server.serve_forever)
thread.start()
with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as memory:
    tool = MemoryTool(memory, user="ana")
    client = Anthropic(api_key="not needed here", base_url=f"http://127.0.0.1:{server.server_address[1]}")
    question = "I am allergic to peanuts, not to all nuts."
    client.beta.messages.tool_runner(
        model="scripted",
        max_tokens=1000,
        tools=[tool],
        thread=False,
        messages=[{"role": "user", "content": question}],
    ).until_done()

    print(tool.folder.view("/memories/ana.md"))
    file = memory.search("what is Ana allergic to?", user="ana")[0].memory
    print([version.text.strip() for version in memory.history(file.id)])
server.shutdown()
server.server_close()
thread.join()
