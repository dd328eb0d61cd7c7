"""An AutoGen agent that remembers: pip install "simonides[autogen]" autogen-agentchat autogen-ext.

The model is scripted, so that this runs without a key; put your own in its place.
"""

import asyncio
from tempfile import TemporaryDirectory

from autogen_agentchat.agents import AssistantAgent
from autogen_core.memory import MemoryContent, MemoryMimeType
from autogen_ext.models.replay import ReplayChatCompletionClient

from simonides.compat.autogen import SimonidesMemory


async def main(path: str) -> None:
    """Remember something, and ask an agent about it."""
    memory = SimonidesMemory(path, user="ana")
    await memory.add(MemoryContent(content="Ana is allergic to peanuts.", mime_type=MemoryMimeType.TEXT))
    await memory.add(
        MemoryContent(content="The train to Porto leaves at seven.", mime_type=MemoryMimeType.TEXT)
    )

    model = ReplayChatCompletionClient(["A vegetable curry, without peanuts."])
    agent = AssistantAgent("cook", model_client=model, memory=[memory])
    result = await agent.run(task="What is Ana allergic to? Then find her a dinner.")

    for message in result.messages:
        print(f"{message.source}: {message.to_text()}")
    (asked,) = model.create_calls
    print([one.content for one in asked["messages"] if one.type == "SystemMessage"][-1])
    await memory.close()


with TemporaryDirectory() as folder:
    asyncio.run(main(f"{folder}/memory.db"))
