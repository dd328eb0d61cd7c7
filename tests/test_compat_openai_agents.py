"""A session of the Agents SDK over a store: any item comes back as it was, in order, from any process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from agents import (
    Agent,
    ModelResponse,
    RunConfig,
    Runner,
    SessionSettings,
    SQLiteSession,
    Usage,
    function_tool,
)
from agents.memory import Session as Protocol
from agents.models.interface import Model
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from simonides.compat.openai_agents import Session
from simonides.memory import Memory
from simonides.settings import Settings
from simonides.types import Kind

Item = dict[str, Any]


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(":memory:", settings=Settings(meaning="instant")) as memory:
        yield memory


def said(text: str, role: str = "user") -> Item:
    return {"role": role, "content": text}


def put(session: Any, *items: Item) -> None:
    asyncio.run(session.add_items([*items]))


def got(session: Any, limit: int | None = None) -> list[Item]:
    return cast("list[Item]", asyncio.run(session.get_items(limit)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.one_of(
    st.dictionaries(st.text(), JSON, max_size=4),
    st.builds(said, st.text(), st.sampled_from(["user", "assistant", "system", "developer"])),
    st.builds(lambda text: {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, st.text()),
    st.builds(lambda text: {"type": "function_call_output", "call_id": "c", "output": text}, st.text()),
)  # fmt: skip
ACTS = st.one_of(
    st.tuples(st.just("add"), st.lists(ITEMS, max_size=4)),
    st.tuples(st.just("pop"), st.none()),
    st.tuples(st.just("get"), st.none() | st.integers(-1, 6)),
    st.tuples(st.just("clear"), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=8), st.booleans())
def test_it_does_what_the_sdks_own_session_does(acts: list[tuple[str, Any]], erase: bool) -> None:
    async def run() -> None:
        theirs = SQLiteSession("s")
        with Memory(":memory:", settings=Settings(meaning="off")) as memory:
            ours = Session("s", memory, erase=erase)
            for act, given in acts:
                told: list[Any] = []
                for one in (theirs, ours):
                    match act:
                        case "add":
                            told.append(await one.add_items(given))
                        case "pop":
                            told.append(await one.pop_item())
                        case "get":
                            told.append(await one.get_items(given))
                        case _:
                            told.append(await one.clear_session())
                assert told[0] == told[1]
            assert await theirs.get_items() == await ours.get_items()
        theirs.close()

    asyncio.run(run())


def test_it_fits_the_protocol_and_its_settings(memory: Memory) -> None:
    session = Session("s", memory, session_settings=SessionSettings(limit=2))
    assert isinstance(session, Protocol)
    put(session, said("a"), said("b"), said("c"))
    assert got(session) == [said("b"), said("c")]
    assert got(session, 1) == [said("c")]
    with pytest.raises(ValueError, match="session_id"):
        Session("", memory)


def test_what_was_said_is_found_and_the_rest_is_no_turn(memory: Memory) -> None:
    session = Session("trip", memory, user="ana", project="travel")
    call = {"type": "function_call", "call_id": "c", "name": "book_train", "arguments": '{"to": "Porto"}'}
    put(
        session, said("I am allergic to peanuts."), call, {"type": "item_reference", "id": "x"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I booked the train to Porto."}]},
        {"role": "user", "content": "odd \0 \ud800 letters"},
    )  # fmt: skip
    (hit, *_) = memory.search("what is Ana allergic to?", user="ana", session="trip")
    assert (hit.memory.text, hit.memory.kind, hit.memory.speaker) == (
        "I am allergic to peanuts.",
        Kind.TURN,
        "user",
    )
    kept = memory.list(session="trip")
    assert [one.text for one in kept][1:3] == ['book_train {"to": "Porto"}', "(item_reference)"]
    assert [one.kind for one in kept] == [Kind.TURN, Kind.ARTIFACT, Kind.ARTIFACT, Kind.TURN, Kind.TURN]
    assert got(session)[4] == {"role": "user", "content": "odd \0 \ud800 letters"}


def test_sessions_do_not_see_each_other_nor_other_memories(memory: Memory) -> None:
    memory.add("not an item", session="s", user="ana")
    sessions = [Session("s", memory), Session("s", memory, user="ana"), Session("t", memory, user="ana")]
    for number, session in enumerate(sessions):
        put(session, said(str(number)))
    assert [got(session) for session in sessions] == [[said("0")], [said("1")], [said("2")]]
    asyncio.run(sessions[1].clear_session())
    assert [len(got(session)) for session in sessions] == [1, 0, 1]
    assert [one.text for one in memory.list(session="s", user="ana")] == ["not an item"]


def test_what_is_taken_away_is_kept_or_erased(memory: Memory) -> None:
    session = Session("s", memory)
    put(session, said("keep my word"), said("take it back"))
    (last,) = [one.id for one in memory.list() if one.text == "take it back"]
    assert asyncio.run(session.pop_item()) == said("take it back")
    assert len(memory.history(last)) == 2
    memory.restore(last)
    assert got(session) == [said("keep my word"), said("take it back")]
    asyncio.run(Session("s", memory, erase=True).clear_session())
    assert "take it back" not in str([*memory.dump()])
    assert asyncio.run(session.pop_item()) is None


def test_calls_at_once_keep_their_items_together(tmp_path: Path) -> None:
    async def run(memory: Memory) -> None:
        sessions = [Session("s", memory) for _ in range(3)]
        batches = [[said(f"{n}.{place}") for place in range(3)] for n in range(12)]
        await asyncio.gather(
            *(sessions[n % 3].add_items(cast("Any", batch)) for n, batch in enumerate(batches))
        )
        items = cast("list[Item]", await sessions[0].get_items())
        together = [items[n : n + 3] for n in range(0, len(items), 3)]
        assert sorted(together, key=str) == sorted(batches, key=str)
        taken = await asyncio.gather(*(one.pop_item() for one in sessions * 12))
        assert sorted(map(str, taken)) == sorted(map(str, items)), "each item is taken once"

    with Memory(tmp_path / "m.db", settings=Settings(meaning="off")) as memory:
        asyncio.run(run(memory))


def test_a_call_that_is_cancelled_is_in_or_not(memory: Memory) -> None:
    async def run() -> None:
        session = Session("s", memory)
        task = asyncio.ensure_future(session.add_items([cast("Any", said("a"))]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = await session.get_items()
        await asyncio.sleep(0.05)
        assert await session.get_items() == before

    asyncio.run(run())


WRITER = """
import asyncio, sys
from simonides.compat.openai_agents import Session
async def main():
    session = Session("s", sys.argv[1])
    for n in range(10 ** 6 if sys.argv[2] == "killed" else 10):
        await session.add_items([{"role": "user", "content": f"{sys.argv[2]}.{n}.{part}"} for part in "xy"])
        print(n, flush=True)
asyncio.run(main())
"""


def test_two_processes_write_one_session_and_one_is_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "m.db")
    command = [sys.executable, "-c", WRITER, path]
    started = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("killed", "other")
    ]
    killed, other = started
    assert killed.stdout is not None
    for _ in range(5):
        killed.stdout.readline()
    assert other.wait(60) == 0
    killed.kill()
    told = 4 + len(killed.stdout.read().splitlines())
    killed.wait()
    with Memory(path) as memory:
        texts = [str(one["content"]) for one in got(Session("s", memory))]
    assert [text for text in texts if text.startswith("other")] == [
        f"other.{n}.{part}" for n in range(10) for part in "xy"
    ]
    rest = [text for text in texts if text.startswith("killed")]
    assert rest == [f"killed.{n}.{part}" for n in range(len(rest) // 2) for part in "xy"]
    assert len(rest) // 2 >= told, "what was told to be in is in"
    for one in (killed, other):
        assert one.stdout is not None
        one.stdout.close()


class Scripted(Model):
    """Calls a tool, then says what it was told; and how many items it saw."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    async def get_response(self, *_: Any, **given: Any) -> ModelResponse:
        items = cast("list[Item]", given["input"])
        self.seen.append(len(items))
        output: list[Any]
        if "Porto" in str(items[-1].get("content")):
            output = [
                ResponseFunctionToolCall(
                    arguments='{"town": "Porto"}', call_id="c1", name="train", type="function_call"
                )
            ]
        else:
            part = ResponseOutputText(text="It leaves at seven.", type="output_text", annotations=[])
            output = [
                ResponseOutputMessage(
                    id="m", content=[part], role="assistant", status="completed", type="message"
                )
            ]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def test_the_real_runner_remembers(memory: Memory) -> None:
    @function_tool
    def train(town: str) -> str:
        """Tell when the train leaves."""
        return f"to {town}: seven"

    model = Scripted()
    agent = Agent(name="clerk", model=model, tools=[train])
    config = RunConfig(tracing_disabled=True)

    async def run() -> None:
        first = await Runner.run(
            agent, "When is the train to Porto?", session=Session("s", memory), run_config=config
        )
        assert first.final_output == "It leaves at seven."
        await Runner.run(agent, "Thanks.", session=Session("s", memory), run_config=config)

    asyncio.run(run())
    assert model.seen == [1, 3, 5]
    types = [str(one.get("type", one.get("role"))) for one in got(Session("s", memory))]
    assert types == ["user", "function_call", "function_call_output", "message", "user", "message"]
    assert memory.search("when does the train to Porto leave?", session="s")
