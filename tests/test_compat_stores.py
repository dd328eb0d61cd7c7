"""The drop-ins over each kind of store: a file, an encrypted file, a tenant of PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from backends import Place
from simonides.compat import mem0
from simonides.compat.anthropic import MemoryTool
from simonides.compat.openai_agents import Session
from simonides.memory import Memory


def test_mem0_keeps_filters_and_ends(place: Place) -> None:
    with Memory(place(), **place.memory) as store:
        memory = mem0.Memory.over(store)
        id = memory.add("I drink tea.", user_id="ana", metadata={"stars": 4})["results"][0]["id"]
        memory.add("I drink rum.", user_id="ana", metadata={"stars": 1})
        for filters in ({"stars": {"gt": 2}}, {"stars": [4, 5]}, {"NOT": [{"stars": 1}]}):
            found = memory.get_all(filters={"user_id": "ana", **filters})["results"]
            assert [row["memory"] for row in found] == ["I drink tea."]
        memory.update(id, "I drink water.")
        memory.delete_all(user_id="ana")
        assert [row["event"] for row in memory.history(id)] == ["ADD", "UPDATE", "DELETE"]
        assert memory.get_all(user_id="ana") == {"results": []}


def test_files_of_the_memory_tool_move_and_go(place: Place) -> None:
    with Memory(place(), **place.memory) as store:
        tools = [MemoryTool(store, user="ana"), MemoryTool(store, user="ana", erase=True)]
        tools[0].call({"command": "create", "path": "/memories/a/log", "file_text": "|"})
        edits = [
            {"command": "str_replace", "path": "/memories/a/log", "old_str": "|", "new_str": f"|{n}"}
            for n in range(6)
        ]
        with ThreadPoolExecutor(3) as pool:
            assert len([*pool.map(tools[0].call, edits)]) == len(edits)
        tools[0].call({"command": "rename", "old_path": "/memories/a", "new_path": "/memories/b"})
        assert sorted(tools[0].folder.files()["/memories/b/log"].text) == sorted("|012345")
        tools[1].call({"command": "delete", "path": "/memories/b"})
        assert tools[0].folder.files() == {}


def test_items_of_a_session_stay_in_order(place: Place) -> None:
    async def run(store: Memory) -> None:
        sessions = [Session("s", store) for _ in range(3)]
        batches: list[Any] = [
            [{"role": "user", "content": f"{n}.{part}"} for part in "xyz"] for n in range(6)
        ]
        await asyncio.gather(*(sessions[n % 3].add_items(batch) for n, batch in enumerate(batches)))
        items = cast("list[Any]", await sessions[0].get_items())
        assert sorted((items[n : n + 3] for n in range(0, len(items), 3)), key=str) == batches
        assert await sessions[1].pop_item() == items[-1]
        await sessions[2].clear_session()
        assert await sessions[0].get_items() == []

    with Memory(place(), **place.memory) as store:
        asyncio.run(run(store))
