"""A LangGraph graph whose memory outlives it: pip install "simonides[langgraph]" langgraph."""

from tempfile import TemporaryDirectory
from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore

from simonides.compat.langgraph import Store


class State(TypedDict, total=False):
    """What goes through the graph."""

    user: str
    said: str
    answer: str


def remember(state: State, *, store: BaseStore) -> State:
    """Keep what was said, in the user's own namespace."""
    namespace = ("memories", state["user"])
    key = str(len(store.search(namespace, limit=1000)))
    store.put(namespace, key, {"text": state["said"], "words": len(state["said"].split())})
    return {}


def recall(state: State, *, store: BaseStore) -> State:
    """Find what fits; a model would read it."""
    found = store.search(
        ("memories", state["user"]), query=state["said"], filter={"words": {"$gt": 3}}, limit=2
    )
    return {"answer": " | ".join(item.value["text"] for item in found)}


graph = StateGraph(State)
graph.add_node("recall", recall)
graph.add_node("remember", remember)
graph.add_edge(START, "recall")
graph.add_edge("recall", "remember")

with TemporaryDirectory() as folder, Store(f"{folder}/memory.db", index={"fields": ["text"]}) as store:
    app = graph.compile(store=store)
    for said in ("I am allergic to peanuts.", "The train to Porto leaves at seven.", "What must I not eat?"):
        answer = app.invoke({"user": "ana", "said": said})["answer"]
        print(f"{said} -> {answer}")

    store.put(("memories", "ana"), "0", {"text": "I am allergic to almonds.", "words": 5})
    for version in store.memory.history(store.memory.list(where={"langgraph.key": "0"})[0].id):
        print(version.version, version.text)
