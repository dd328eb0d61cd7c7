"""The memory tool over a store, beside the SDK's own over a folder: the same texts, refusals and tree."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic.lib.tools import ToolError
from anthropic.tools.memory import BetaLocalFilesystemMemoryTool
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.compat.anthropic import AsyncMemoryTool, MemoryTool
from simonides.compat.tree import size
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Kind, Scope

SIZES = re.compile(r"^\S+\t(.*/|/memories\S*)$", re.MULTILINE)


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", settings=Settings(meaning="instant")) as memory:
        yield memory


@pytest.fixture
def tool(memory: Memory) -> MemoryTool:
    return MemoryTool(memory, user="ana")


def says(tool: Any, command: str, **fields: Any) -> str:
    return str(tool.call({"command": command, **fields}))


def refuses(tool: Any, command: str, **fields: Any) -> str:
    with pytest.raises(ToolError) as caught:
        tool.call({"command": command, **fields})
    return str(caught.value)


# Beside the SDK's own

NAMES = st.sampled_from(["a", "b", "c.txt", ".hidden", "ü 1.md"])
PATHS = st.lists(NAMES, max_size=4).map(lambda parts: "/".join(("/memories", *parts)))
ODD = st.sampled_from(
    ["/memories/", "/memories/a/", "/memories/./a", "/memories/a/../b", "/etc/passwd", "memories", ""]
)
ANYWHERE = PATHS | PATHS | PATHS | ODD
TEXTS = st.lists(st.sampled_from(["one", "two", "one two", "", " ", "drei\r", "\t"]), max_size=6).map(
    "\n".join
)
PARTS = st.sampled_from(["one", "two", "e", "", "\n", "one two", "zzz"])
LINES = st.integers(-2, 8)
RANGES = st.lists(LINES, min_size=2, max_size=2)
COMMANDS = st.one_of(
    st.fixed_dictionaries({"command": st.just("view"), "path": ANYWHERE}, optional={"view_range": RANGES}),
    st.fixed_dictionaries({"command": st.just("create"), "path": ANYWHERE, "file_text": TEXTS}),
    st.fixed_dictionaries({"command": st.just("create"), "path": PATHS, "file_text": TEXTS}),
    st.fixed_dictionaries({"command": st.just("str_replace"), "path": ANYWHERE, "old_str": PARTS, "new_str": TEXTS}),
    st.fixed_dictionaries({"command": st.just("insert"), "path": ANYWHERE, "insert_line": LINES, "insert_text": TEXTS}),
    st.fixed_dictionaries({"command": st.just("delete"), "path": ANYWHERE}),
    st.fixed_dictionaries({"command": st.just("rename"), "old_path": ANYWHERE, "new_path": ANYWHERE}),
)  # fmt: skip


def attempt(tool: Any, command: dict[str, Any]) -> tuple[str, str]:
    """Return what a tool says: done, refused with a text, or broken in a way of its own."""
    try:
        return "done", str(tool.call(command))
    except ToolError as err:
        return "refused", str(err)
    except (OSError, ValueError):
        return "broken", ""


def tree(root: Path) -> dict[str, str | None]:
    """Return the files of a folder with their texts, and its folders."""
    return {
        str(one.relative_to(root)): None if one.is_dir() else one.read_bytes().decode()
        for one in sorted(root.rglob("*"))
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(COMMANDS, min_size=1, max_size=12))
def test_the_same_commands_leave_the_same_tree_and_the_same_words(commands: list[dict[str, Any]]) -> None:
    with (
        TemporaryDirectory() as folder,
        Memory(":memory:", settings=Settings(meaning="off")) as memory,
    ):
        root = Path(folder) / "memories"
        theirs, ours = BetaLocalFilesystemMemoryTool(folder), MemoryTool(memory)
        for command in commands:
            before = tree(root)
            wanted, got = attempt(theirs, command), attempt(ours, command)
            if wanted[0] == "broken":  # an error of the system, which the model would see as it is
                assert got[0] == "refused"
            else:
                assert SIZES.sub(r"<size>\t\1", got[1]) == SIZES.sub(r"<size>\t\1", wanted[1])
                assert got[0] == wanted[0]
            if (
                wanted[0] != "done"
            ):  # a command that fails may have made folders in the SDK's tree, and never in ours
                for one in sorted(tree(root).keys() - before.keys(), reverse=True):
                    (root / one).rmdir()
        kept = {name.removeprefix("/memories/"): one for name, one in ours.folder.files().items()}
        files = {name: text for name, text in tree(root).items() if text is not None}
        assert {name: str(one.attributes.get("content", one.text)) for name, one in kept.items()} == files


@given(st.integers(0, 5 * 1024**3))
def test_sizes_read_as_the_sdk_writes_them(count: int) -> None:
    from anthropic.lib.tools._beta_builtin_memory_tool import _format_file_size

    assert size(count) == _format_file_size(count)


def test_the_tool_is_declared_as_the_sdks(tool: MemoryTool) -> None:
    assert tool.to_dict() == {"type": "memory_20250818", "name": "memory"}
    cached = MemoryTool(tool.memory, cache_control={"type": "ephemeral"})
    assert cached.to_dict() == {
        "type": "memory_20250818",
        "name": "memory",
        "cache_control": {"type": "ephemeral"},
    }


# What a folder can't do


def test_every_edit_is_a_version_and_every_file_is_found(tool: MemoryTool, memory: Memory) -> None:
    says(tool, "create", path="/memories/people/ben.md", file_text="Ben is allergic to peanuts.\n")
    says(tool, "create", path="/memories/empty.md", file_text="")
    says(tool, "str_replace", path="/memories/people/ben.md", old_str="peanuts", new_str="cashews")
    says(tool, "rename", old_path="/memories/people", new_path="/memories/friends")
    (hit, *_) = memory.search("what is Ben allergic to?", user="ana")
    assert (hit.memory.text, hit.memory.kind) == ("Ben is allergic to cashews.\n", Kind.BLOCK)
    assert hit.memory.metadata["path"] == "/memories/friends/ben.md"
    versions = memory.history(hit.memory.id)
    assert [one.text for one in versions] == ["Ben is allergic to peanuts.\n"] + [
        "Ben is allergic to cashews.\n"
    ] * 2
    assert [one.reason for one in versions] == ["created", "edited", "renamed"]
    memory.undo(memory.log(subject=hit.memory.id)[-1].seq)
    assert "/memories/people/ben.md" in tool.folder.files(), (
        "a move can be undone, with all that moved together"
    )


def test_what_is_deleted_can_be_restored_and_erased(memory: Memory) -> None:
    tool = MemoryTool(memory)
    says(tool, "create", path="/memories/a/plan.md", file_text="Buy the grey boat.")
    (id,) = [one.id for one in tool.folder.files().values()]
    says(tool, "delete", path="/memories/a")
    assert says(tool, "view", path="/memories").endswith("4K\t/memories")
    assert [one.text for one in memory.history(id)] == ["Buy the grey boat."] * 2
    memory.restore(id)
    assert "Buy the grey boat." in says(tool, "view", path="/memories/a/plan.md")
    eraser = MemoryTool(memory, erase=True)
    says(eraser, "create", path="/memories/b/note.md", file_text="x")
    says(eraser, "delete", path="/memories/a")
    assert "grey boat" not in json.dumps([*memory.dump()])
    assert "/memories/a" not in json.dumps([*memory.dump()])
    assert "/memories/b/note.md" in says(tool, "view", path="/memories")
    says(eraser, "delete", path="/memories/b/note.md")
    assert says(tool, "view", path="/memories").endswith("/memories/b/")
    assert tool.clear_all_memory() == eraser.clear_all_memory() == "All memory cleared"


def test_each_scope_has_a_tree_of_its_own(memory: Memory) -> None:
    scopes = [
        Scope(),
        Scope(user="ana"),
        Scope(user="ana", session="s"),
        Scope(session="s"),
        Scope(project="p"),
    ]
    tools = [
        MemoryTool(memory, user=s.user, agent=s.agent, session=s.session, project=s.project) for s in scopes
    ]
    for number, tool in enumerate(tools):
        says(tool, "create", path="/memories/who.md", file_text=f"number {number}")
    for number, tool in enumerate(tools):
        assert f"number {number}" in says(tool, "view", path="/memories/who.md")
        assert len(tool.folder.files()) == 1
    says(tools[0], "delete", path="/memories/who.md")
    assert [len(tool.folder.files()) for tool in tools] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "path",
    [
        "/memories/../secret", "/memories/a/../../secret", "/memories/%2e%2e/secret", "/memories/%252e%252e/secret",
        "/memories/..%2fsecret", "/memories/..\\secret", "/memories/a\\..\\..\\secret", "/memoriesque",
        "/memories/a\0b", "/memories/\ud800", "/memories/a\nb", "../memories", "/etc/passwd", "", "/",
        "/memories/" + "a" * 2000,
    ],
)  # fmt: skip
def test_a_path_never_leads_out(tool: MemoryTool, memory: Memory, path: str) -> None:
    for command, fields in (
        ("view", {}),
        ("create", {"file_text": "x"}),
        ("str_replace", {"old_str": "x", "new_str": "y"}),
        ("insert", {"insert_line": 0, "insert_text": "x"}),
        ("delete", {}),
    ):
        refuses(tool, command, path=path, **fields)
    refuses(tool, "rename", old_path=path, new_path="/memories/b")
    refuses(tool, "rename", old_path="/memories/b", new_path=path)
    assert memory.list() == []


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(tool: MemoryTool, memory: Memory) -> None:
    assert "NUL" in refuses(tool, "create", path="/memories/a", file_text="a\0b")
    says(tool, "create", path="/memories/a", file_text="ab")
    assert "NUL" in refuses(tool, "str_replace", path="/memories/a", old_str="b", new_str="\0")
    assert "lone surrogate" in refuses(
        tool, "insert", path="/memories/a", insert_line=0, insert_text="\ud800"
    )
    assert tool.folder.files()["/memories/a"].text == "ab"
    refuses(tool, "create", path="/memories/a/b", file_text="below a file")
    refuses(tool, "rename", old_path="/memories/a", new_path="/memories/a/b")
    huge = "\n" * 1_000_000
    says(tool, "create", path="/memories/huge", file_text=huge)
    assert refuses(tool, "view", path="/memories/huge").endswith(
        "exceeds maximum line limit of 999,999 lines."
    )


def test_a_root_that_others_ended_or_erased_is_made_again(tool: MemoryTool, memory: Memory) -> None:
    says(tool, "create", path="/memories/a/b.md", file_text="one")
    root = next(one for one in memory.list() if one.text == "/memories")
    memory.retire(root.id)
    says(tool, "create", path="/memories/c.md", file_text="two")
    memory.erase(root.id)
    says(tool, "create", path="/memories/d.md", file_text="three")
    assert [*tool.folder.files()] == ["/memories/a/b.md", "/memories/c.md", "/memories/d.md"]


def test_nobody_overwrites_what_another_thread_wrote(tmp_path: Path) -> None:
    with Memory(tmp_path / "m.db", settings=Settings(meaning="off")) as memory:
        tools = [MemoryTool(memory) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            made = [
                *pool.map(
                    lambda one: attempt(one, {"command": "create", "path": "/memories/a", "file_text": "|"}),
                    tools,
                )
            ]
            assert sorted(kind for kind, _ in made) == ["done", "refused", "refused", "refused"]
            edits = [(tools[n % 4], f"<{n}>") for n in range(24)]
            done = pool.map(
                lambda one: says(
                    one[0], "str_replace", path="/memories/a", old_str="|", new_str=f"|{one[1]}"
                ),
                edits,
            )
            assert len([*done]) == 24
        text = tools[0].folder.files()["/memories/a"].text
        assert sorted(re.findall(r"<\d+>", text)) == sorted(word for _, word in edits)
        assert len(tools[0].folder.files()) == 1


WORKER = """
import sys
from anthropic.lib.tools import ToolError
from simonides.compat.anthropic import MemoryTool
tool = MemoryTool(sys.argv[1])
made = 0
for n in range(4):
    try:
        tool.call({"command": "create", "path": f"/memories/n/{n}", "file_text": sys.argv[2]})
        made += 1
    except ToolError as err:
        assert "already exists" in str(err), err
    tool.call({"command": "insert", "path": "/memories/log", "insert_line": 0, "insert_text": f"{sys.argv[2]}{n}"})
tool.close()
print(made)
"""


def test_two_processes_share_one_tree(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    tool = MemoryTool(path)
    says(tool, "create", path="/memories/log", file_text="end\n")
    started = [
        subprocess.Popen([sys.executable, "-c", WORKER, path, name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    told = [one.communicate(timeout=60)[0] for one in started]
    assert [one.returncode for one in started] == [0, 0]
    assert sum(int(one) for one in told) == 4, "each file was created by exactly one of the two"
    files = tool.folder.files()
    assert sorted(files) == ["/memories/log", *(f"/memories/n/{n}" for n in range(4))]
    assert sorted(files["/memories/log"].text.split()) == sorted(
        ["end", *(f"{name}{n}" for name in "ab" for n in range(4))]
    )
    tool.close()


def test_coroutines_do_the_same(memory: Memory) -> None:
    async def run() -> None:
        tool = AsyncMemoryTool(memory)
        path = "/memories/a.md"
        commands: list[dict[str, Any]] = [
            {"command": "create", "path": path, "file_text": "one\n"},
            {"command": "insert", "path": path, "insert_line": 1, "insert_text": "two"},
            {"command": "str_replace", "path": path, "old_str": "two", "new_str": "three"},
            {"command": "view", "path": path},
            {"command": "rename", "old_path": path, "new_path": "/memories/b.md"},
            {"command": "delete", "path": "/memories/b.md"},
        ]
        told = [str(await tool.call(command)) for command in commands]
        assert told[3].endswith("     1\tone\n     2\tthree\n     3\t")
        with pytest.raises(ToolError, match="does not exist"):
            await tool.call({"command": "view", "path": path})
        assert await tool.clear_all_memory() == "All memory cleared"
        tool.close()

    asyncio.run(run())


class _Model(BaseHTTPRequestHandler):
    """Answers as the Messages API would: first it uses the tool, then it says what the tool said."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["tools"] == [{"type": "memory_20250818", "name": "memory"}]
        results = [
            part
            for message in body["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "tool_result"
        ]
        asked = [
            {"command": "create", "path": "/memories/tea.md", "file_text": "Ana drinks green tea."},
            {"command": "view", "path": "/memories/coffee.md"},
            {"command": "view", "path": "/memories/tea.md"},
        ]
        if len(results) < len(asked):
            use = {
                "type": "tool_use",
                "id": f"t{len(results)}",
                "name": "memory",
                "input": asked[len(results)],
            }
            content, reason = [use], "tool_use"
        else:
            content, reason = [{"type": "text", "text": json.dumps(results)}], "end_turn"
        usage = {"input_tokens": 1, "output_tokens": 1}
        answer = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": usage,
        }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_sdks_own_runner_uses_it(tool: MemoryTool, memory: Memory) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with Anthropic(api_key="none", base_url=f"http://127.0.0.1:{server.server_address[1]}") as client:
            done = client.beta.messages.tool_runner(
                model="scripted",
                max_tokens=100,
                tools=[tool],
                thread=False,
                messages=[{"role": "user", "content": "I drink green tea."}],
            ).until_done()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    (said,) = done.content
    results = json.loads(str(getattr(said, "text", "")))
    assert [bool(one.get("is_error")) for one in results] == [False, True, False]
    assert "Ana drinks green tea." in json.dumps(results[2])
    assert memory.search("what does Ana drink?", user="ana")[0].memory.text == "Ana drinks green tea."


def test_without_the_sdk_the_way_out_is_named(tmp_path: Path) -> None:
    (tmp_path / "anthropic").mkdir()
    (tmp_path / "anthropic" / "__init__.py").write_text("")
    code = "import sys; sys.path.insert(0, sys.argv[1])\nimport simonides.compat.anthropic"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "simonides[anthropic]" in done.stderr
