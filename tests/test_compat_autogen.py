"""AutoGen's memory over ours: its own contexts here, its own agents in an environment of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from autogen_core import Image
from autogen_core.memory import Memory, MemoryContent, MemoryMimeType
from autogen_core.model_context import BufferedChatCompletionContext, UnboundedChatCompletionContext
from autogen_core.models import AssistantMessage, LLMMessage, SystemMessage, UserMessage

import environments
from simonides import Memory as Store
from simonides.bounded import Bounded
from simonides.clock import FrozenClock
from simonides.compat.autogen import SimonidesMemory
from simonides.errors import Forbidden, InputError
from simonides.parts.pack import OPENING
from simonides.types import Scope

TEXT = MemoryMimeType.TEXT


@pytest.fixture
def store(clock: FrozenClock) -> Iterator[Store]:
    with Store(":memory:", clock=clock) as opened:
        yield opened


def added(memory: SimonidesMemory, *texts: str) -> None:
    for text in texts:
        asyncio.run(memory.add(MemoryContent(content=text, mime_type=TEXT)))


def found(memory: Memory, query: str, **within: Any) -> list[object]:
    return [one.content for one in asyncio.run(memory.query(query, **within)).results]


def test_what_was_added_is_found_with_what_is_known_of_it(store: Store) -> None:
    memory = SimonidesMemory(store, user="ana")
    entry = MemoryContent(
        content="Ana is allergic to peanuts", mime_type=TEXT, metadata={"from": "form", "page": 3}
    )
    asyncio.run(memory.add(entry))
    added(memory, "The train to Porto leaves at seven")
    store.add("Ben is allergic to peanuts", user="ben")
    hit, other = asyncio.run(memory.query("who is allergic to peanuts?")).results
    assert other.content == "The train to Porto leaves at seven"
    assert hit.content == "Ana is allergic to peanuts"
    assert hit.mime_type == "text/plain"
    (kept, _) = store.list(user="ana")
    assert hit.metadata is not None
    score = hit.metadata.pop("score")
    assert 0 < score <= 1
    assert hit.metadata == {
        "from": "form", "page": 3, "id": kept.id, "at": kept.at.isoformat(), "speaker": "",
    }  # fmt: skip
    assert found(memory, "who is allergic?", where={"page": {"gt": 3}}) == []
    assert found(memory, "which alloy is the hull of the submarine made of?") == found(memory, " ") == []


def test_objects_come_back_as_objects_and_pictures_are_refused(store: Store) -> None:
    memory = SimonidesMemory(store)
    order = {"dish": "curry", "guests": 4, "without": ["peanuts"]}
    asyncio.run(memory.add(MemoryContent(content=order, mime_type=MemoryMimeType.JSON)))
    (kept,) = store.list()
    assert found(memory, "curry for guests without peanuts") == [order]
    store.update(kept.id, "curry for five guests, without peanuts")
    assert found(memory, "curry for guests without peanuts") == ["curry for five guests, without peanuts"]
    picture = Image.from_base64(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
    )
    for content, form in (
        (picture, MemoryMimeType.IMAGE),
        (b"raw", MemoryMimeType.BINARY),
        ({"x": {1}}, "x/y"),
    ):
        with pytest.raises(InputError, match="content"):
            asyncio.run(memory.add(MemoryContent(content=content, mime_type=form)))
    assert len(store.list()) == 1


def test_a_context_gets_what_answers_the_last_message_once(store: Store) -> None:
    memory = SimonidesMemory(store, k=1)
    added(memory, "Ana is allergic to peanuts", "The train to Porto leaves at seven")
    context = UnboundedChatCompletionContext()

    async def run() -> list[LLMMessage]:
        assert (await memory.update_context(context)).memories.results == []
        await context.add_message(UserMessage(content="When does the train to Porto leave?", source="user"))
        await context.add_message(AssistantMessage(content="What is Ana allergic to?", source="cook"))
        for _ in range(2):
            result = await memory.update_context(context)
            assert [one.content for one in result.memories.results] == ["The train to Porto leaves at seven"]
        await context.add_message(UserMessage(content=["And what is Ana", "allergic to?"], source="user"))
        await memory.update_context(context)
        await context.add_message(UserMessage(content="zzz qqq", source="user"))
        await memory.update_context(context)
        return await context.get_messages()

    blocks = [one.content for one in asyncio.run(run()) if isinstance(one, SystemMessage)]
    assert len(blocks) == 2
    assert all(block.startswith(OPENING) for block in blocks)
    assert "train" in blocks[0]
    assert "peanuts" in blocks[1]


def test_what_was_recalled_is_not_kept_again(store: Store) -> None:
    memory = SimonidesMemory(store)
    added(memory, "Ana is allergic to peanuts")
    block = str(store.context("what is Ana allergic to?"))
    added(memory, block, f"{block}\nBen is not.", " ", "\0")
    assert [one.text for one in store.list()] == ["Ana is allergic to peanuts", "Ben is not."]


def test_clearing_ends_what_came_in_here_and_nothing_else(store: Store) -> None:
    ana, ben = SimonidesMemory(store, user="ana"), SimonidesMemory(store, user="ben")
    added(ana, *(f"Ana's note number {number}" for number in range(3)))
    added(ben, "Ben's note")
    store.add("Ana said this elsewhere", user="ana")
    asyncio.run(ana.clear())
    assert [one.text for one in store.list()] == ["Ben's note", "Ana said this elsewhere"]
    asyncio.run(ana.clear())
    event = next(one.seq for one in store.log(limit=1000) if one.verb == "retire")
    store.undo(event)
    assert len(store.list(user="ana")) == 4, "and it can be taken back"


def test_a_bounded_memory_keeps_to_its_scope_and_rights(store: Store) -> None:
    memory = SimonidesMemory(Bounded(store, Scope(user="ana"), rights=("read",)))
    store.add("Ben is allergic to peanuts", user="ben")
    assert found(memory, "who is allergic to peanuts?") == []
    for forbidden in (memory.add(MemoryContent(content="x", mime_type=TEXT)), memory.clear()):
        with pytest.raises(Forbidden):
            asyncio.run(forbidden)


def test_a_memory_can_be_written_down_and_loaded_again(tmp_path: Path) -> None:
    memory = SimonidesMemory(tmp_path / "memory.db", user="ana", budget=200, k=3)
    added(memory, "Ana is allergic to peanuts")
    described = memory.dump_component()
    asyncio.run(memory.close())
    again = SimonidesMemory.load_component(described.model_dump())
    assert found(again, "what is Ana allergic to?") == ["Ana is allergic to peanuts"]
    assert again.dump_component() == described
    asyncio.run(again.close())


def test_a_context_with_a_window_works_too(store: Store) -> None:
    memory = SimonidesMemory(store)
    added(memory, "Ana is allergic to peanuts")

    async def run() -> None:
        context = BufferedChatCompletionContext(buffer_size=2)
        for _ in range(3):
            await context.add_message(UserMessage(content="What is Ana allergic to?", source="user"))
            await memory.update_context(context)
        assert any(isinstance(one, SystemMessage) for one in await context.get_messages())

    asyncio.run(run())


def test_an_agent_of_autogen_is_given_what_it_is_asked_about(tmp_path: Path) -> None:
    example = environments.ROOT / "examples" / "autogen_memory.py"
    done = environments.run("autogen", str(example), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cook: A vegetable curry, without peanuts." in done.stdout
    block = done.stdout[done.stdout.index(OPENING) :]
    assert "Ana is allergic to peanuts." in block
