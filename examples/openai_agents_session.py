"""An agent of the OpenAI Agents SDK that remembers a conversation; a scripted model stands in for the API."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agents import Agent, ModelResponse, RunConfig, Runner, Usage
from agents.models.interface import Model
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from simonides import Memory
from simonides.compat.openai_agents import Session


class Scripted(Model):
    """Says how much of the conversation it was shown."""

    async def get_response(self, *_: Any, **given: Any) -> ModelResponse:
        """Answer with one sentence."""
        part = ResponseOutputText(
            text=f"I see {len(given['input'])} items.", type="output_text", annotations=[]
        )
        message = ResponseOutputMessage(
            id="m", content=[part], role="assistant", status="completed", type="message"
        )
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Not needed here."""
        raise NotImplementedError


async def main(memory: Memory) -> None:
    """Ask twice in one session; a second process could go on with it."""
    agent = Agent(name="clerk", model=Scripted())
    config = RunConfig(tracing_disabled=True)
    for words in ("I am allergic to peanuts.", "Book me the train to Porto."):
        session = Session("trip-to-porto", memory, user="ana")
        print((await Runner.run(agent, words, session=session, run_config=config)).final_output)


with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.db") as store:
    asyncio.run(main(store))
    print(store.search("what is Ana allergic to?", user="ana")[0].memory.text)
