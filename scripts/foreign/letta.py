# type: ignore  # noqa: PGH003 - runs where letta is installed, see make_foreign_stores.py
"""Writes a database with Letta's own tables, and an agent file with its own schema; knows nothing of simonides."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

OUT = Path(sys.argv[1])
os.environ["LETTA_DIR"] = str(OUT / "home")

import letta.orm  # noqa: E402, F401 - the tables register themselves
import sqlalchemy as sa  # noqa: E402
from letta.orm.base import Base  # noqa: E402
from letta.schemas.agent_file import AgentFileSchema, AgentSchema, BlockSchema, MessageSchema  # noqa: E402
from letta.schemas.letta_message_content import TextContent  # noqa: E402
from openai.types.chat.chat_completion_message_tool_call import (  # noqa: E402
    ChatCompletionMessageToolCall as Call,
)

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
ENGINE = sa.create_engine(f"sqlite:///{OUT / 'letta.db'}")
OWN = {"organization_id": "organization-1", "is_deleted": False, "created_at": START, "updated_at": START}
LATER = START + timedelta(days=30)


def put(into: str, **row: object) -> None:
    table = Base.metadata.tables[into]
    with ENGINE.begin() as connection:
        connection.execute(table.insert().values(**{name: row[name] for name in row if name in table.c}))


def block(**row: object) -> dict[str, object]:
    return {"label": "human", "limit": 5000, "block_id": "block-1", **OWN, **row}


def main() -> None:
    Base.metadata.create_all(ENGINE)
    put("organizations", id="organization-1", name="o", privileged_tools=False)
    put(
        "agents", id="agent-1", name="Nora", agent_type="memgpt_agent", system="You are Nora.",
        message_buffer_autoclear=False, timezone="UTC", **OWN,
    )  # fmt: skip
    put("block_history", **block(id="block_hist-1", value="Lives in Berlin.", sequence_number=1))
    put(
        "block_history",
        **block(id="block_hist-2", value="Lives in Lisbon.", sequence_number=2, created_at=LATER),
    )
    now = block(
        id="block-1", value="Lives in Lisbon.", current_history_entry_id="block_hist-2", updated_at=LATER
    )
    flags = {"is_template": False, "preserve_on_migration": False, "read_only": False, "version": 2}
    put("block", **now, **flags, metadata_={"topic": "home"})
    put("blocks_agents", agent_id="agent-1", block_id="block-1", block_label="human")
    put("archives", id="archive-1", name="Nora", vector_db_provider="NATIVE", **OWN)
    put("archives_agents", agent_id="agent-1", archive_id="archive-1", is_owner=True, created_at=START)
    put(
        "archival_passages", id="passage-1", text="The boat is called Mermaid.", metadata_={"from": "call"},
        tags=["boat"], archive_id="archive-1", embedding=None, **OWN,
    )  # fmt: skip
    messages()
    (OUT / "nora.af").write_text(agent_file().model_dump_json(indent=1), encoding="utf-8")


def messages() -> None:
    user = json.dumps({"type": "user_message", "message": "Hi, I moved to Lisbon.", "time": "now"})
    spoken = json.dumps({"message": "Lovely! How is it?"})
    call = {"id": "c1", "type": "function", "function": {"name": "send_message", "arguments": spoken}}
    said = [
        ("system", "You are Nora.", []),
        ("user", user, []),
        ("user", json.dumps({"type": "heartbeat", "reason": "x"}), []),
        ("assistant", "The user moved.", [call]),
        ("tool", "None", []),
    ]
    for number, (role, content, calls) in enumerate(said, 1):
        put(
            "messages",
            **OWN | {"created_at": START + timedelta(minutes=number)},
            id=f"message-{number}", role=role, content=[TextContent(text=content)], agent_id="agent-1",
            tool_calls=[Call(**one) for one in calls], sequence_id=number, tool_returns=[],
        )  # fmt: skip


def agent_file() -> AgentFileSchema:
    said = [("user", "Hi, I moved to Lisbon."), ("assistant", "Lovely! How is it?")]
    turns = [
        MessageSchema(id=f"message-{n}", role=role, content=[TextContent(text=text)], created_at=START)
        for n, (role, text) in enumerate(said)
    ]
    agent = AgentSchema(id="agent-0", name="Nora", block_ids=["block-0"], messages=turns)
    human = BlockSchema(id="block-0", label="human", value="Lives in Lisbon.", limit=5000)
    empty = {"groups": [], "files": [], "sources": [], "tools": [], "mcp_servers": []}
    return AgentFileSchema(agents=[agent], blocks=[human], created_at=START, **empty)


main()
