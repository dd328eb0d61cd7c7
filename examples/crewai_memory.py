"""A CrewAI crew that remembers: pip install "simonides[crewai]".

The model is scripted, so that this runs without a key; put your own in its place.
"""

from tempfile import TemporaryDirectory
from typing import Any

from crewai import Agent, BaseLLM, Crew, Task
from pydantic import Field

from simonides.compat.crewai import Memory


class Scripted(BaseLLM):
    """Gives the next of some answers, and keeps what it was asked."""

    answers: list[str]
    asked: list[str] = Field(default_factory=list)

    def call(self, messages: Any, *_: Any, **__: Any) -> str:
        """Answer."""
        self.asked.append(
            messages if isinstance(messages, str) else "\n".join(one["content"] for one in messages)
        )
        return f"Thought: I now can give a great answer\nFinal Answer: {self.answers.pop(0)}"


def run(memory: Memory, model: Scripted, task: str) -> str:
    """Let a crew of one do one task."""
    cook = Agent(role="cook", goal="plan dinners", backstory="You cook.", llm=model)
    work = Task(description=task, expected_output="one dish", agent=cook)
    return str(Crew(agents=[cook], tasks=[work], memory=memory).kickoff())


with TemporaryDirectory() as folder:
    memory = Memory(f"{folder}/memory.db", user="ana")
    memory.remember("Ana is allergic to peanuts.", scope="/people", importance=0.9)
    model = Scripted(model="scripted", answers=["Vegetable curry without peanuts.", "The curry again."])

    print(run(memory, model, "Plan a dinner for Ana. What is she allergic to?"))
    print("\n".join(line for line in model.asked[0].split("\n") if line.startswith("- [")))

    print(run(memory, model, "Which dinner did we plan for Ana?"))
    print("curry without peanuts" in model.asked[1])
    print(memory.tree())
    memory.close()
