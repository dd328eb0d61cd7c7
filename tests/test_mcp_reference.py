"""The reference profile: the nine tools of the reference memory server, its file, and the same memories elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types import ResourceUpdatedNotification

from backends import Place
from mcp_inside import Inside, connected, run, said
from simonides import Memory
from simonides.bounded import Bounded
from simonides.doors.cli import cli
from simonides.doors.importers.mcp_memory import parse
from simonides.doors.importers.record import Reading
from simonides.doors.importers.run import Plan, Run
from simonides.doors.mcp.graph import Graph
from simonides.doors.mcp.manifest import manifest
from simonides.doors.mcp.table_reference import GRAPH
from simonides.parts.analyse import count_tokens
from simonides.types import Scope

ADA = {"name": "Ada", "entityType": "person", "observations": ["speaks Dutch", "Ada likes tea"]}
SHOP = {"name": "Shop", "entityType": "project", "observations": []}
OWNS = {"from": "Ada", "to": "Shop", "relationType": "owns"}
TABLE = {
    "create_entities": ("entities", "entities", "FFFF"),
    "create_relations": ("relations", "relations", "FFFF"),
    "add_observations": ("observations", "results", "FFFF"),
    "delete_entities": ("entityNames", "success message", "FTTF"),
    "delete_observations": ("deletions", "success message", "FTTF"),
    "delete_relations": ("relations", "success message", "FTTF"),
    "read_graph": ("", "entities relations", "TFTF"),
    "search_nodes": ("query", "entities relations", "TFTF"),
    "open_nodes": ("names", "entities relations", "TFTF"),
}
"""Arguments, keys of the result, and hints (read-only, destructive, idempotent, open world) of each tool."""


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db") as opened:
        yield opened


async def facts(inside: Inside, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool; its words and its structured result must say the same."""
    done = await inside.call(tool, **arguments)
    assert done.structured_content is not None
    told: dict[str, Any] = done.structured_content
    if "message" in told:
        assert said(done) == told["message"]
    elif tool.startswith(("create", "add")):
        assert json.loads(said(done)) == next(iter(told.values()))
    else:
        assert said(done) == json.dumps(told, indent=2, ensure_ascii=False)
    return told


def test_the_table_is_that_of_the_reference_server() -> None:
    tools = manifest("reference", ("read", "write")).tools
    assert [tool.name for tool in tools] == list(TABLE)
    for tool in tools:
        arguments, keys, hints = TABLE[tool.name]
        assert list(tool.parameters) == list(tool.required) == arguments.split()
        assert tool.title == tool.name.replace("_", " ").title()
        wire: Any = tool.wire()
        assert list(wire["outputSchema"]["properties"]) == keys.split()
        names = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
        assert "".join("FT"[wire["annotations"][name]] for name in names) == hints
    reading = [name for name, (_, _, hints) in TABLE.items() if hints[0] == "T"]
    assert [tool.name for tool in manifest("reference", ("read",)).tools] == reading


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_nine_tools_answer_as_the_reference_server_does(memory: Memory, mode: str) -> None:
    async def scenario() -> None:
        async with connected(memory, profile="reference", mode=mode) as inside:
            assert await facts(inside, "read_graph") == {"entities": [], "relations": []}
            assert await facts(inside, "create_entities", entities=[ADA, SHOP, ADA]) == {
                "entities": [ADA, SHOP]
            }
            assert await facts(inside, "create_entities", entities=[ADA]) == {"entities": []}
            assert await facts(inside, "create_relations", relations=[OWNS, OWNS]) == {"relations": [OWNS]}
            assert await facts(inside, "create_relations", relations=[OWNS]) == {"relations": []}
            nobody = {"from": "Ada", "to": "Bob", "relationType": "knows"}
            assert (
                await inside.refused("create_relations", relations=[nobody])
                == "Entity with name Bob not found"
            )
            new = [{"entityName": "Ada", "contents": ["speaks Dutch", "plays chess"]}]
            done = await facts(inside, "add_observations", observations=new)
            assert done == {"results": [{"entityName": "Ada", "addedObservations": ["plays chess"]}]}
            new = [{"entityName": "Ada", "contents": ["lost"]}, {"entityName": "Bob", "contents": ["x"]}]
            assert (
                await inside.refused("add_observations", observations=new) == "Entity with name Bob not found"
            )
            ada = {**ADA, "observations": ["speaks Dutch", "Ada likes tea", "plays chess"]}
            whole = {"entities": [ada, SHOP], "relations": [OWNS]}
            assert await facts(inside, "read_graph") == whole
            for query in ("ada", "PERSON", "CHESS"):
                assert await facts(inside, "search_nodes", query=query) == {
                    "entities": [ada],
                    "relations": [OWNS],
                }
            assert await facts(inside, "search_nodes", query="zzz") == {"entities": [], "relations": []}
            assert await facts(inside, "open_nodes", names=["Shop", "Bob"]) == {
                "entities": [SHOP],
                "relations": [OWNS],
            }
            read: Any = await inside.client.read_resource(GRAPH)
            assert (read.contents[0].mime_type, json.loads(read.contents[0].text)) == (
                "application/json",
                whole,
            )
            gone = [{"entityName": "Ada", "observations": ["plays chess"]}]
            done = await facts(inside, "delete_observations", deletions=gone)
            assert done == {"success": True, "message": "Observations deleted successfully"}
            gone.append({"entityName": "Bob", "observations": ["x"]})
            done = await facts(inside, "delete_observations", deletions=gone)
            assert done["message"] == "Deleted 0 of 2 observations. Entities not found: Bob"
            done = await facts(inside, "delete_relations", relations=[OWNS])
            assert done["message"] == "Relations deleted successfully"
            done = await facts(inside, "delete_relations", relations=[OWNS])
            assert done["message"] == "Deleted 0 of 1 relations. The rest matched nothing."
            await facts(inside, "create_relations", relations=[OWNS])
            done = await facts(inside, "delete_entities", entityNames=["Ada"])
            assert done["message"] == "Entities deleted successfully"
            assert await facts(inside, "read_graph") == {"entities": [SHOP], "relations": []}
            done = await facts(inside, "delete_entities", entityNames=["Ada", "Shop"])
            assert done["message"] == "Deleted 1 of 2 entities. Not found: Ada"
            assert await facts(inside, "create_entities", entities=[ADA]) == {"entities": [ADA]}, (
                "a name is free again"
            )
            assert await facts(inside, "read_graph") == {"entities": [ADA], "relations": []}

    run(scenario)


def test_observations_are_memories_like_all_others(memory: Memory) -> None:
    async def scenario() -> None:
        async with connected(memory, profile="reference") as inside:
            await inside.call("create_entities", entities=[ADA, SHOP])
            await inside.call("create_relations", relations=[OWNS])

    run(scenario)
    (hit, *_) = memory.search("which language does Ada speak?")
    assert hit.memory.text == "Ada: speaks Dutch"
    memory.update(hit.memory.id, "Ada: speaks Dutch and Greek", reason="she learns")
    graph = Graph(Bounded(memory)).read().shape()
    assert graph["entities"][0]["observations"] == ["speaks Dutch and Greek", "Ada likes tea"]  # type: ignore[index,call-overload]
    memory.erase(hit.memory.id)
    graph = Graph(Bounded(memory)).read().shape()
    assert graph == {"entities": [{**ADA, "observations": ["Ada likes tea"]}, SHOP], "relations": [OWNS]}


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
def test_a_watcher_of_the_graph_is_told(memory: Memory) -> None:
    told: list[str] = []

    async def heard(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.append(str(message.params.uri))

    async def old() -> None:
        async with connected(memory, profile="reference", mode="legacy", message_handler=heard) as inside:
            await inside.call("create_entities", entities=[ADA])
            await inside.client.subscribe_resource(GRAPH)  # pyright: ignore[reportDeprecated]
            await inside.call("read_graph")
            await inside.call("create_entities", entities=[SHOP])
            await inside.call("create_relations", relations=[OWNS])
            await inside.client.unsubscribe_resource(GRAPH)  # pyright: ignore[reportDeprecated]
            await inside.call("delete_entities", entityNames=["Shop"])
            await anyio.sleep(0.05)

    async def new() -> None:
        async with connected(memory, profile="reference") as inside:
            async with inside.client.listen(resource_subscriptions=[GRAPH]) as events:
                await inside.call("create_entities", entities=[SHOP])
                with anyio.fail_after(5):
                    event: Any = await anext(aiter(events))
            assert event.uri == GRAPH

    run(old)
    assert told == [GRAPH, GRAPH]
    run(new)


def test_the_graph_is_the_same_in_every_kind_of_store(place: Place) -> None:
    with Memory(place(), **place.memory) as memory:
        run_in(memory, Scope(user="ana"), [ADA, SHOP])
        graph = Graph(Bounded(memory, Scope(user="ana")))
        assert graph.create_relations([("Ada", "Shop", "owns"), ("Ada", "Ada", "knows")])
        assert graph.add_observations([("Ada", ["speaks Dutch", "sings"])]) == [("Ada", ["sings"])]
        assert graph.delete_observations([("Ada", ["speaks Dutch"])]) == (1, [])
        ada = {**ADA, "observations": ["Ada likes tea", "sings"]}
        herself = {"from": "Ada", "to": "Ada", "relationType": "knows"}
        assert graph.read().shape() == {"entities": [ada, SHOP], "relations": [OWNS, herself]}
        assert graph.delete_entities(["Ada"]) == (["Ada"], [])
        assert graph.read().shape() == {"entities": [SHOP], "relations": []}


def test_a_bound_graph_knows_nothing_of_others(memory: Memory) -> None:
    ana, ben = (Graph(Bounded(memory, Scope(user=user))) for user in ("ana", "ben"))
    for graph in (ana, ben):
        graph.create_entities([])
    run_in(memory, Scope(user="ana"), [ADA, SHOP])
    assert ben.read().shape() == {"entities": [], "relations": []}
    run_in(memory, Scope(user="ben"), [ADA])
    assert ben.delete_entities(["Ada", "Shop"]) == (["Ada"], ["Shop"])
    assert [one.name for one in ana.read().entities] == ["Ada", "Shop"]


def run_in(memory: Memory, scope: Scope, entities: list[dict[str, Any]]) -> None:
    """Write entities as a client does that is bound to a scope."""

    async def scenario() -> None:
        async with connected(memory, profile="reference", scope=scope) as inside:
            await inside.call("create_entities", entities=entities)

    run(scenario)


def test_a_budget_cuts_a_large_graph_and_says_so(memory: Memory) -> None:
    many = [
        {"name": f"Entity {n}", "entityType": "thing", "observations": [f"weighs {n} tons"]}
        for n in range(50)
    ]

    async def scenario() -> None:
        async with connected(memory, profile="reference", most=500) as inside:
            await inside.call("create_entities", entities=many)
            done = await inside.call("read_graph")
            assert done.structured_content is not None
            assert 1 < len(done.structured_content["entities"]) < 50
            assert count_tokens([getattr(done.content[0], "text", "")])[0] <= 500
            assert "more entities do not fit into 500 tokens" in said(done)
            one = (await inside.call("open_nodes", names=["Entity 49"])).structured_content
            assert one is not None
            assert len(one["entities"]) == 1

    run(scenario)


def test_many_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    Memory(path).close()

    def write(number: int) -> None:
        with Memory(path) as memory:
            for turn in range(8):
                named = [(f"Shared {turn}", ["same"]), (f"Own {number}.{turn}", [])]
                entities = [{"name": name, "entityType": "x", "observations": seen} for name, seen in named]
                run_in(memory, Scope(), entities)
                Graph(Bounded(memory)).add_observations([(f"Shared {turn}", ["same", f"seen by {number}"])])

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    with Memory(path) as memory:
        read = Graph(Bounded(memory)).read()
    assert len(read.entities) == 8 + 4 * 8
    for turn in range(8):
        found = read.named(f"Shared {turn}")
        assert found is not None
        assert sorted(words for words, _ in found.observations) == [
            "same",
            *(f"seen by {n}" for n in range(4)),
        ]


# The file

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.sampled_from(
    ["", " ", "Ada", "ada", "(no words)", "Ada: x", "a: b", "(an entity without a name)", "import"]
)


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the lines of a memory.jsonl as the reference server writes it."""
    names = draw(st.lists(NAMES, max_size=5, unique=True))
    entities = [
        {
            "type": "entity",
            "name": name,
            "entityType": draw(NAMES),
            "observations": draw(st.lists(NAMES, max_size=4)),
        }
        for name in names
    ]
    ends = st.sampled_from([*names, "somebody who is not there"])
    pairs = draw(st.lists(st.tuples(ends, ends, NAMES | st.just("x" * 600)), max_size=6, unique=True))
    return entities + [
        {"type": "relation", "from": one, "to": other, "relationType": how} for one, other, how in pairs
    ]


@settings(max_examples=60, deadline=None)
@given(lines=graphs())
def test_the_file_comes_out_as_it_went_in(
    lines: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("graph")
    file = folder / "memory.jsonl"
    file.write_text(
        "\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines), "utf-8"
    )
    with Memory(":memory:") as memory:
        for _ in range(2):  # a second import changes nothing
            done = Run(memory, Plan("mcp-memory", "memory.jsonl")).go(parse(file, Reading()))
            assert (done.problems, done.loose) == ([], 0)
        out = [*Graph(Bounded(memory)).read().lines()]
    entities = [line for line in lines if line["type"] == "entity"]
    assert [json.loads(line) for line in out[: len(entities)]] == entities
    written = file.read_text("utf-8").split("\n") if lines else []
    assert sorted(out) == sorted(written), "each line, to the byte; relations may stand in another order"


@settings(max_examples=25, deadline=None)
@given(lines=graphs())
def test_what_the_tools_write_is_what_an_import_writes(lines: list[dict[str, Any]]) -> None:
    there = {line["name"] for line in lines if line["type"] == "entity"}
    entities = [{k: v for k, v in line.items() if k != "type"} for line in lines if line["type"] == "entity"]
    relations = [
        {k: v for k, v in line.items() if k != "type"}
        for line in lines
        if line["type"] == "relation" and {line["from"], line["to"]} <= there
    ]
    with Memory(":memory:") as memory:

        async def scenario() -> dict[str, Any]:
            async with connected(memory, profile="reference") as inside:
                await inside.call("create_entities", entities=entities)
                await inside.call("create_relations", relations=relations)
                return await facts(inside, "read_graph")

        read = run(scenario)
    assert read["entities"] == entities
    assert sorted(map(json.dumps, read["relations"])) == sorted(map(json.dumps, relations))


def test_the_command_line_writes_the_file_of_the_reference_server(tmp_path: Path) -> None:
    lines = [{"type": "entity", **ADA}, {"type": "entity", **SHOP}, {"type": "relation", **OWNS}]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (tmp_path / "memory.jsonl").write_text(text, "utf-8")
    store, out = str(tmp_path / "memory.db"), tmp_path / "out.jsonl"
    for words in (
        ["import", "mcp-memory", str(tmp_path / "memory.jsonl")],
        ["export", "--as", "reference", str(out)],
    ):
        done = CliRunner().invoke(cli, ["--path", store, *words])
        assert done.exit_code == 0, done.output
    assert out.read_text("utf-8") == text
    piped = CliRunner().invoke(cli, ["--path", store, "export", "--as", "reference"])
    assert piped.stdout == text
