"""What CrewAI's memory over ours must do, run where the real CrewAI is; test_compat_crewai.py says where and reads it.

Each function is a check; this program runs them all and prints a line of JSON for each: its name, and what went wrong.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crewai import Agent, BaseLLM, Crew, Task  # pyright: ignore[reportMissingModuleSource]
from crewai.memory.types import MemoryRecord  # pyright: ignore[reportMissingModuleSource]
from crewai.memory.unified_memory import Memory as Own  # pyright: ignore[reportMissingModuleSource]

from simonides import Memory as Store
from simonides.bounded import Bounded
from simonides.compat.crewai import Memory
from simonides.compat.crewai_storage import Storage
from simonides.errors import Forbidden, InputError
from simonides.types import Scope


class Scripted(BaseLLM):
    """Gives the next of some answers, and keeps what it was asked."""

    answers: list[str]
    asked: list[str]

    def call(self, messages: Any, *_: Any, **__: Any) -> str:
        self.asked.append(
            messages if isinstance(messages, str) else "\n".join(str(one["content"]) for one in messages)
        )
        return f"Thought: I now can give a great answer\nFinal Answer: {self.answers.pop(0)}"


def scripted(*answers: str) -> Any:
    return Scripted(model="scripted", answers=[*answers], asked=[])


def refused(error: type[Exception], call: Any, *given: Any, **named: Any) -> None:
    try:
        call(*given, **named)
    except error:
        return
    raise AssertionError(f"{error.__name__} was expected")


def check_a_crew_recalls_and_keeps_its_work(store: Store) -> None:
    memory: Any = Memory(store, user="ana")
    memory.remember("Ana is allergic to peanuts.", scope="/people")
    store.add("Ben is allergic to milk.", user="ben")
    model = scripted("Vegetable curry.", "The curry again.")

    def run(task: str) -> str:
        cook = Agent(role="cook", goal="plan dinners", backstory="You cook.", llm=model)
        work = Task(description=task, expected_output="one dish", agent=cook)
        return str(Crew(agents=[cook], tasks=[work], memory=memory).kickoff())

    assert run("What is Ana allergic to? Plan a dinner.") == "Vegetable curry."
    assert "Ana is allergic to peanuts." in model.asked[0]
    assert "milk" not in model.asked[0]
    run("Which dinner did we plan for Ana?")
    assert "Vegetable curry." in model.asked[1]
    kept = [one.text for one in store.list(user="ana")]
    assert len(kept) == 3
    assert kept[1].startswith("Task: What is Ana allergic to?")
    assert not any("[20" in text for text in kept), "what was recalled is not kept again"
    assert len(model.asked) == 2, "no model is asked for the memory itself"


def check_an_agent_uses_its_memory_and_its_tools(store: Store) -> None:
    from crewai.tools.memory_tools import create_memory_tools  # pyright: ignore[reportMissingImports]

    memory: Any = Memory(store)
    recall, remember = create_memory_tools(memory)
    assert "Saved to memory (scope=/" in remember.run(contents=["The code word is heron."])
    remember.run(contents=["The train leaves at seven.", "The ship leaves at nine."])
    said = recall.run(queries=["what is the code word?"])
    assert "The code word is heron." in said
    assert said.count("heron") == 1
    model = scripted("heron")
    Agent(role="guard", goal="g", backstory="b", llm=model, memory=memory).kickoff("What is the code word?")  # pyright: ignore[reportAttributeAccessIssue]
    assert "The code word is heron." in model.asked[0]
    assert len(create_memory_tools(Memory(store, read_only=True))) == 1


def check_what_was_recalled_is_not_evidence(store: Store) -> None:
    memory: Any = Memory(store)
    memory.remember("Ana lives in Lisbon.")
    line = memory.recall("where does Ana live?")[0].format()
    assert memory.remember(line) is None
    (kept,) = memory.remember_many([f"{line}\nBen lives in Porto."])
    assert kept.content == "Ben lives in Porto."
    assert memory.extract_memories(" ") == []


def check_scopes_slices_and_privacy_hold(store: Store) -> None:
    memory: Any = Memory(store)
    memory.remember("The code word is heron.", scope="/crew/a", categories=["secret"])
    memory.remember("The code word is stork.", scope="/crew/ab", categories=["secret"])
    memory.remember("The code word is crane.", scope="/crew/a/deep", source="ana", private=True)

    def words(found: Any) -> set[str]:
        return {one.record.content.split()[-1] for one in found}

    ask = "what is the code word?"
    assert words(memory.recall(ask)) == {"heron.", "stork."}
    assert words(memory.recall(ask, scope="/crew/a")) == {"heron."}, "/crew/ab is not below /crew/a"
    assert words(memory.recall(ask, scope="/crew/a", source="ana")) == {"heron.", "crane."}
    assert words(memory.recall(ask, scope="/crew/a", source="ben")) == {"heron."}
    assert words(memory.recall(ask, include_private=True, limit=1)) <= {"heron.", "stork.", "crane."}
    assert words(memory.recall(ask, categories=["open"])) == set()
    assert words(memory.scope("/crew/ab").recall(ask)) == {"stork."}
    assert words(memory.slice(["/crew/a", "/crew/ab"]).recall(ask)) == {"heron.", "stork."}
    assert memory.recall(" ") == []
    assert memory.list_scopes("/crew") == ["/crew/a", "/crew/ab"]
    assert memory.list_categories() == {"secret": 2}
    info = memory.info("/crew/a")
    assert (info.record_count, info.child_scopes, info.categories) == (2, ["/crew/a/deep"], ["secret"])
    assert "/crew/a/deep (1 records)" in memory.tree()
    rooted: Any = Memory(store, root_scope="/crew")
    assert rooted.remember("The code word is tern.", scope="c").scope == "/crew/c"
    assert words(rooted.recall(ask, scope="c")) == {"tern."}


def check_forgetting_retires_only_what_fits_and_is_crewais(store: Store) -> None:
    memory: Any = Memory(store)
    store.add("A note of another door")
    old = memory.remember("old", scope="/a", categories=["x"])
    for name in ("one", "two"):
        memory.remember(name, scope="/b", categories=["x"], metadata={"name": name})
    assert memory.forget(scope="/a", categories=["y"]) == 0
    assert memory.forget(older_than=datetime(2020, 1, 1)) == 0  # noqa: DTZ001 - CrewAI's times have no zone
    assert memory.forget(scope="/b", metadata_filter={"name": "two"}) == 1
    assert memory.forget(record_ids=[old.id, "unknown"]) == 1
    assert [one.content for one in memory.list_records()] == ["one", "A note of another door"]
    memory.reset()
    assert [one.text for one in store.list()] == ["A note of another door"]
    assert [one.text for one in store.history(old.id)] == ["old", "old"], "it is in the history"
    assert memory.storage.count() == 1


def check_an_update_is_a_new_version(store: Store) -> None:
    memory: Any = Memory(store)
    made = memory.remember("Ana lives in Berlin.", scope="/people", importance=0.9, metadata={"sure": True})
    memory.update(made.id, content="Ana lives in Lisbon.", categories=["home"])
    found = memory.storage.get_record(made.id)
    assert (found.content, found.scope, found.categories) == ("Ana lives in Lisbon.", "/people", ["home"])
    assert (found.importance, found.metadata, found.created_at) == (0.9, {"sure": True}, made.created_at)
    assert [one.text for one in store.history(made.id)] == ["Ana lives in Berlin.", "Ana lives in Lisbon."]
    refused(ValueError, memory.update, "0" * 32, content="x")


def check_crewais_own_memory_runs_on_the_storage(store: Store) -> None:
    storage = Storage(store, user="ana")
    memory: Any = Own(storage=storage, embedder=storage.embed, llm=scripted())
    fields = {"scope": "/people", "categories": ["diet"], "importance": 0.5, "metadata": {"n": 1}}
    memory.remember("Ana is allergic to peanuts.", **fields)
    memory.remember("The train to Porto leaves at seven.", **fields)
    for depth in ("shallow", "deep"):
        found = memory.recall("what is Ana allergic to?", depth=depth, scope="/people")
        assert found[0].record.content == "Ana is allergic to peanuts.", depth
    assert memory.forget(scope="/people") == 2
    refused(InputError, storage.search, [0.5] * 32)


def check_records_come_back_as_they_were(store: Store) -> None:
    storage = Storage(store)
    moment = datetime(2026, 1, 5, 9, 30)  # noqa: DTZ001 - CrewAI's times have no zone
    for id in ("7f1c1c1e-0b8e-4bd1-a6b4-0c8f2b6f8a11", "no uuid"):
        record = MemoryRecord(
            id=id, content=f"  {id}\n", scope="/a/b", categories=["x", "y"], metadata={"n": [1, {"m": None}]},
            importance=0.25, created_at=moment, source="ana", private=True,
        )  # fmt: skip
        storage.save([record])
        again = storage.get_record(id)
        assert again is not None
        told, kept = (
            record.__dict__ | {"id": 0, "last_accessed": 0},
            again.__dict__ | {"id": 0, "last_accessed": 0},
        )
        assert told == kept
    assert storage.get_record("7f1c1c1e-0b8e-4bd1-a6b4-0c8f2b6f8a12") is None
    assert [one.created_at for one in storage.list_records("/a", limit=1, offset=1)] == [moment]


def check_a_bounded_store_keeps_to_its_scope_and_rights(store: Store) -> None:
    store.add("Ben's code word is stork.", user="ben")
    memory: Any = Memory(Bounded(store, Scope(user="ana"), rights=("read",)))
    assert memory.recall("what is Ben's code word?") == []
    refused(Forbidden, memory.remember, "x")
    refused(Forbidden, memory.forget)


def check_a_copy_of_a_crew_has_the_same_memory(store: Store) -> None:
    memory: Any = Memory(store)
    cook = Agent(role="cook", goal="g", backstory="b", llm=scripted("soup"))
    crew = Crew(agents=[cook], tasks=[Task(description="d", expected_output="e", agent=cook)], memory=memory)
    crew.copy().kickoff()
    assert "soup" in store.list()[0].text


def check_another_process_sees_it_at_once(store: Store) -> None:
    with TemporaryDirectory() as folder:
        first, second = Memory(Path(folder) / "m.db"), Memory(Path(folder) / "m.db")
        first.remember("The code word is heron.")
        assert second.recall("what is the code word?")[0].record.content == "The code word is heron."
        assert second.recall("what is the code word?")[0].record.created_at > datetime(2026, 1, 1)  # noqa: DTZ001
        first.close()
        second.close()


def main() -> None:
    """Run every check on a store of its own."""
    for name, check in [*globals().items()]:
        if name.startswith("check_"):
            wrong = ""
            with Store(":memory:") as store:
                try:
                    check(store)
                except Exception:  # noqa: BLE001 - whatever it is, it is the result
                    wrong = traceback.format_exc()
            sys.stdout.write(json.dumps({"check": name, "wrong": wrong}) + "\n")


if __name__ == "__main__":
    main()
