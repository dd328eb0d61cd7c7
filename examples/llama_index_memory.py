"""A LlamaIndex chat that remembers what fell out of its window: pip install "simonides[llama-index]".

The model only repeats, so that this runs without a key; put your own in its place.
"""

import asyncio
from tempfile import TemporaryDirectory

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import MockLLM
from llama_index.core.memory import Memory

from simonides.compat.llama_index import SimonidesMemoryBlock


async def main(path: str) -> None:
    """Say something, talk of other things, and ask."""
    block = SimonidesMemoryBlock(memory=path, user="ana", budget=200)
    memory = Memory.from_defaults(
        session_id="monday",
        token_limit=300,
        token_flush_size=100,
        chat_history_token_ratio=0.4,
        memory_blocks=[block],
    )
    chat = SimpleChatEngine.from_defaults(llm=MockLLM(), memory=memory)

    await chat.achat("My locker at the station has the number 4711.")
    for number in range(6):
        await chat.achat(f"Tell me something about harbour number {number} in the north, please.")

    given = await memory.aget("Which number does my locker have?")
    print(given[0].content)
    block.store.close()


with TemporaryDirectory() as folder:
    asyncio.run(main(f"{folder}/memory.db"))
