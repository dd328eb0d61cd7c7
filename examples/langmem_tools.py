"""LangMem's tools on simonides: pip install "simonides[langgraph]" langmem.

An agent of LangGraph takes the two tools as they are. Here a script calls them, so that this runs without a key.
"""

from tempfile import TemporaryDirectory

from langgraph.func import entrypoint
from langmem import create_manage_memory_tool, create_search_memory_tool

from simonides.compat.langgraph import Store

NAMESPACE = ("memories", "{langgraph_user_id}")

with TemporaryDirectory() as folder, Store(f"{folder}/memory.db") as store:
    manage = create_manage_memory_tool(namespace=NAMESPACE)
    search = create_search_memory_tool(namespace=NAMESPACE)

    @entrypoint(store=store)
    def call(arguments: dict[str, str]) -> str:
        """Call one tool, as a model would."""
        return (search if "query" in arguments else manage).invoke(arguments)

    ana = {"configurable": {"langgraph_user_id": "ana"}}
    made = call.invoke({"action": "create", "content": "Ana prefers dark mode."}, ana)
    call.invoke({"action": "create", "content": "Ana's dog is called Rex."}, ana)
    print(call.invoke({"query": "which theme does she like?"}, ana))

    id = made.split()[-1]
    call.invoke({"action": "update", "id": id, "content": "Ana prefers light mode."}, ana)
    call.invoke({"action": "delete", "id": id}, ana)
    for version in store.memory.history(store.memory.log()[0].subject):
        print(version.version, version.reason, version.text)
