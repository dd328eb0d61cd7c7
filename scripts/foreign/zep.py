# type: ignore  # noqa: PGH003 - runs where graphiti-core is installed, see make_foreign_stores.py
"""Writes a graph with Graphiti's own classes, and the lines that its users export; knows nothing of simonides."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from graphiti_core.driver.kuzu_driver import KuzuDriver
from graphiti_core.edges import EntityEdge, EpisodicEdge
from graphiti_core.nodes import CommunityNode, EntityNode, EpisodeType, EpisodicNode

OUT = Path(sys.argv[1])
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LATER = START + timedelta(days=30)
VECTOR = [0.0] * 8
LEFT_OUT = {"name_embedding", "fact_embedding"}


def place(name: str, label: str, **more: object) -> EntityNode:
    return EntityNode(
        name=name, group_id="ana", labels=[label], created_at=START, name_embedding=VECTOR, **more
    )


def episode(number: int, text: str, at: datetime) -> EpisodicNode:
    return EpisodicNode(
        name=f"turn {number}", group_id="ana", source=EpisodeType.message, source_description="chat",
        content=text, valid_at=at, created_at=at, entity_edges=[],
    )  # fmt: skip


def lives(who: EntityNode, where: EntityNode, said: EpisodicNode, **more: object) -> EntityEdge:
    edge = EntityEdge(
        group_id="ana", source_node_uuid=who.uuid, target_node_uuid=where.uuid, name="LIVES_IN",
        fact=f"Ana lives in {where.name}", episodes=[said.uuid], created_at=said.created_at,
        valid_at=said.valid_at, fact_embedding=VECTOR, **more,
    )  # fmt: skip
    said.entity_edges = [edge.uuid]
    return edge


async def main() -> None:
    driver = KuzuDriver(str(OUT / "graph.kuzu"))
    ana = place("Ana", "Person", summary="Ana, a nurse.", attributes={"age": 34})
    berlin, lisbon = place("Berlin", "City"), place("Lisbon", "City")
    first, second = episode(1, "ana: I live in Berlin.", START), episode(2, "ana: I moved to Lisbon.", LATER)
    old = lives(ana, berlin, first, invalid_at=LATER, expired_at=LATER, attributes={"since": 2020})
    new = lives(ana, lisbon, second)
    mention = EpisodicEdge(
        group_id="ana", source_node_uuid=first.uuid, target_node_uuid=ana.uuid, created_at=START
    )
    places = CommunityNode(
        name="Places", group_id="ana", summary="Where Ana lives", created_at=START, name_embedding=VECTOR
    )
    for one in (ana, berlin, lisbon, first, second, old, new, mention, places):
        await one.save(driver)
    with (OUT / "graph.jsonl").open("w", encoding="utf-8") as file:
        for kind in (EpisodicNode, EntityNode, EntityEdge, EpisodicEdge, CommunityNode):
            for one in await kind.get_by_group_ids(driver, ["ana"]):
                file.write(json.dumps(json.loads(one.model_dump_json(exclude=LEFT_OUT))) + "\n")
    await driver.close()


asyncio.run(main())
