"""The nine tools of the reference memory server, with its names, schemas, titles and hints; imports no store."""

from __future__ import annotations

from simonides.doors.mcp.tool import Schema, Tool, text, texts

HOME = "simonides.doors.mcp.verbs_reference"
GRAPH = "memory://knowledge-graph"
LONGEST_QUERY = 2048


def _table(description: str, item: dict[str, Schema]) -> Schema:
    """Return the schema of a list of objects."""
    items: Schema = {"type": "object", "properties": item, "required": list(item)}
    return {"type": "array", **({"description": description} if description else {}), "items": items}


ENTITY: dict[str, Schema] = {
    "name": text("The name of the entity"),
    "entityType": text("The type of the entity"),
    "observations": texts("An array of observation contents associated with the entity"),
}
RELATION: dict[str, Schema] = {
    "from": text("The name of the entity where the relation starts"),
    "to": text("The name of the entity where the relation ends"),
    "relationType": text("The type of the relation"),
}
ADDED: dict[str, Schema] = {
    "entityName": text("The name of the entity to add the observations to"),
    "contents": texts("An array of observation contents to add"),
}
DELETED: dict[str, Schema] = {
    "entityName": text("The name of the entity containing the observations"),
    "observations": texts("An array of observations to delete"),
}
BARE: Schema = {"type": "string"}


def _output(**parts: Schema) -> Schema:
    return {"type": "object", "properties": parts, "required": list(parts)}


DONE = _output(success={"type": "boolean"}, message=BARE)
WHOLE = _output(entities=_table("", ENTITY), relations=_table("", RELATION))


def _tool(
    name: str, description: str, parameters: dict[str, Schema], output: Schema, *, hints: str = ""
) -> Tool:
    reads, destroys = hints == "reads", hints == "destroys"
    return Tool(
        name,
        name.replace("_", " ").title(),
        description,
        parameters,
        tuple(parameters),
        f"{HOME}:{name}",
        reads=reads,
        destroys=destroys,
        idempotent=reads or destroys,
        right="read" if reads else "write",
        output=output,
    )


REFERENCE = (
    _tool(
        "create_entities",
        "Create multiple new entities in the knowledge graph",
        {"entities": _table("", ENTITY)},
        _output(entities=_table("", ENTITY)),
    ),
    _tool(
        "create_relations",
        "Create multiple new relations between entities in the knowledge graph. "
        "Relations should be in active voice",
        {"relations": _table("", RELATION)},
        _output(relations=_table("", RELATION)),
    ),
    _tool(
        "add_observations",
        "Add new observations to existing entities in the knowledge graph",
        {"observations": _table("", ADDED)},
        _output(
            results=_table("", {"entityName": BARE, "addedObservations": {"type": "array", "items": BARE}})
        ),
    ),
    _tool(
        "delete_entities",
        "Delete multiple entities and their associated relations from the knowledge graph",
        {"entityNames": texts("An array of entity names to delete")},
        DONE,
        hints="destroys",
    ),
    _tool(
        "delete_observations",
        "Delete specific observations from entities in the knowledge graph",
        {"deletions": _table("", DELETED)},
        DONE,
        hints="destroys",
    ),
    _tool(
        "delete_relations",
        "Delete multiple relations from the knowledge graph",
        {"relations": _table("An array of relations to delete", RELATION)},
        DONE,
        hints="destroys",
    ),
    _tool("read_graph", "Read the entire knowledge graph", {}, WHOLE, hints="reads"),
    _tool(
        "search_nodes",
        "Search for nodes in the knowledge graph based on a query",
        {
            "query": text(
                "The search query to match against entity names, types, and observation content",
                maxLength=LONGEST_QUERY,
            )
        },
        WHOLE,
        hints="reads",
    ),
    _tool(
        "open_nodes",
        "Open specific nodes in the knowledge graph by their names",
        {"names": texts("An array of entity names to retrieve")},
        WHOLE,
        hints="reads",
    ),
)
GRAPHS: tuple[dict[str, object], ...] = (
    {
        "name": "knowledge-graph",
        "title": "Knowledge Graph",
        "uri": GRAPH,
        "description": "The full knowledge graph with all entities and relations",
        "mimeType": "application/json",
    },
)
