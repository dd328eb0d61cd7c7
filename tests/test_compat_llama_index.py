"""The memory block in LlamaIndex's own `Memory`, with its own scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms.mock import MockLLMWithChatMemoryOfLastCall
from llama_index.core.memory import InsertMethod, Memory
from llama_index.core.storage.chat_store.base_db import MessageStatus
from llama_index.core.utils import get_tokenizer
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from simonides import Memory as Store
from simonides.bounded import Bounded
from simonides.clock import FrozenClock
from simonides.compat.llama_index import SimonidesMemoryBlock
from simonides.parts.pack import CLOSING, OPENING
from simonides.types import Scope


@pytest.fixture
def store(clock: FrozenClock) -> Iterator[Store]:
    with Store(":memory:", clock=clock) as opened:
        yield opened


def user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def asked(block: SimonidesMemoryBlock, text: str, **given: Any) -> str:
    return asyncio.run(block.aget([user("hello"), user(text), assistant("Let me think.")], **given))


def test_a_block_answers_the_last_message_of_the_user_within_its_budget(store: Store) -> None:
    for number in range(30):
        store.add(f"Ana has visited harbour number {number} in the north of Portugal", user="ana")
    store.add("Ben has visited harbour number 99", user="ben")
    block = SimonidesMemoryBlock(memory=store, user="ana", budget=120)
    said = asked(block, "which harbours has Ana visited?")
    assert said.startswith(OPENING)
    assert said.endswith(CLOSING)
    assert "harbour number" in said
    assert "number 99" not in said
    assert len(store.context("which harbours has Ana visited?", user="ana").hits) > said.count("\n- ")
    assert asked(block, "which alloy is the hull of the submarine made of?") == ""
    assert asyncio.run(block.aget([assistant("nobody asked")])) == asyncio.run(block.aget()) == ""


def test_messages_are_kept_word_for_word_with_who_said_them_and_where(store: Store) -> None:
    block = SimonidesMemoryBlock(memory=store, user="ana", project="harbour")
    picture = ImageBlock(url="https://example.org/pier.png")
    said = [
        user("I moved to  Lisbon.\n\nSince May!"),
        assistant("Noted."),
        ChatMessage(role=MessageRole.SYSTEM, content="You are helpful."),
        ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="See the pier"), picture]),
        user(" "),
        user("odd \0\ud800 signs"),
    ]
    asyncio.run(block.aput(said, session_id="s1"))
    kept = store.list()
    assert [(one.speaker, one.text) for one in kept] == [
        ("user", "I moved to  Lisbon.\n\nSince May!"), ("assistant", "Noted."), ("user", "See the pier"),
        ("user", "odd ? signs"),
    ]  # fmt: skip
    assert {one.scope for one in kept} == {Scope("ana", "", "s1", "harbour")}


def test_what_was_recalled_is_not_kept_again(store: Store) -> None:
    store.add("Ana lives in Lisbon")
    block = SimonidesMemoryBlock(memory=store)
    recalled = asked(block, "where does Ana live?")
    asyncio.run(block.aput([assistant(recalled), user(f"{recalled}\nAnd where does Ben live?")]))
    assert [one.text for one in store.list()] == ["Ana lives in Lisbon", "And where does Ben live?"]


def test_other_sessions_are_recalled_unless_that_is_not_wanted(store: Store) -> None:
    store.add("The code word is heron", session="s1")
    wide, narrow = (SimonidesMemoryBlock(memory=store, this_session_only=only) for only in (False, True))
    assert "heron" in asked(wide, "what is the code word?", session_id="s2")
    assert "heron" not in asked(narrow, "what is the code word?", session_id="s2")
    assert "heron" in asked(narrow, "what is the code word?", session_id="s1")


@pytest.mark.parametrize("by", [1, 20, 60])
def test_a_block_that_is_too_long_loses_its_least_likely_lines(store: Store, by: int) -> None:
    store.add("The code word is heron")
    for number in range(4):
        store.add(f"A code of conduct is on page {number} of the handbook of the word processor")
    block = SimonidesMemoryBlock(memory=store)
    whole = asked(block, "what is the code word?")
    assert whole.count("\n- ") > 2
    shorter = asyncio.run(block.atruncate(whole, by))
    assert shorter is not None
    assert "heron" in shorter
    assert len(get_tokenizer()(whole)) - len(get_tokenizer()(shorter)) >= by
    assert asyncio.run(block.atruncate(whole, 10_000)) is None


def test_a_scope_that_is_fixed_cannot_be_left(store: Store) -> None:
    store.add("Ben's code word is heron", user="ben")
    block = SimonidesMemoryBlock(memory=Bounded(store, Scope(user="ana")))
    assert asked(block, "what is Ben's code word?") == ""
    asyncio.run(block.aput([user("My code word is stork")]))
    assert [one.text for one in store.list(user="ana")] == ["My code word is stork"]


@pytest.mark.parametrize("method", [InsertMethod.SYSTEM, InsertMethod.USER])
def test_a_chat_with_a_small_window_remembers_what_fell_out_of_it(
    store: Store, clock: FrozenClock, tmp_path: Path, method: InsertMethod
) -> None:
    model = MockLLMWithChatMemoryOfLastCall(max_tokens=None)
    block = SimonidesMemoryBlock(memory=store, user="ana", budget=200)

    async def talk() -> None:
        database = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db", poolclass=NullPool)
        memory = Memory.from_defaults(
            session_id="s1", token_limit=400, token_flush_size=100, chat_history_token_ratio=0.4,
            insert_method=method, memory_blocks=[block], async_engine=database,
        )  # fmt: skip
        engine = SimpleChatEngine.from_defaults(llm=model, memory=memory)
        await engine.achat("My locker at the station has the number 4711.")
        left = await memory.aget_all(status=MessageStatus.ACTIVE)
        for number in range(40):  # LlamaIndex says when: it counts tokens in its own way
            if not any("4711" in str(one.content) for one in left):
                break
            clock.advance(minutes=1)
            await engine.achat(f"Tell me something about harbour number {number} in the north, please.")
            left = await memory.aget_all(status=MessageStatus.ACTIVE)
        assert not any("4711" in str(one.content) for one in left), "it fell out of the short-term memory"
        await engine.achat("Which number does my locker have?")
        await database.dispose()

    asyncio.run(talk())
    assert any("4711" in one.text for one in store.list())
    assert model.last_chat_messages is not None
    given = "\n".join(str(one.content) for one in model.last_chat_messages)
    assert "My locker at the station has the number 4711." in given
    assert OPENING in given
    assert not any(OPENING in one.text for one in store.list()), "what was recalled is not evidence"
    assert {(one.scope.user, one.scope.session) for one in store.list()} == {("ana", "s1")}
