# type: ignore  # noqa: PGH003 - runs where langgraph-checkpoint-sqlite is installed, see make_foreign_stores.py
"""Writes a store with LangGraph's own class, as LangMem's tools and manager do; knows nothing of simonides."""

from __future__ import annotations

import sys
from pathlib import Path

from langgraph.store.sqlite import SqliteStore

with SqliteStore.from_conn_string(str(Path(sys.argv[1]) / "store.db")) as store:
    store.setup()
    store.put(("memories", "ana"), "m1", {"kind": "Memory", "content": {"content": "Ana lives in Lisbon."}})
    store.put(("memories", "ana"), "m2", {"content": "Ana likes tea."})
    profile = {"kind": "UserProfile", "content": {"name": "Ben", "languages": ["Dutch"]}}
    store.put(("users", "ben"), "profile", profile, ttl=10 * 365 * 24 * 60)
