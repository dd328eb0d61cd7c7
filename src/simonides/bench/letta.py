"""Reads Letta's core-memory items of read and update; knows no metric and no other set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from simonides.bench.cases import Conversation, Question, Turn, files_of, read_json
from simonides.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

POOL = 20
"""Fact lists in one store: ten facts alone would make every search a success."""
START = datetime(2026, 1, 1, tzinfo=UTC)
"""The set states no dates; only the order matters."""
UPDATED = START + timedelta(days=30)
STEP = timedelta(minutes=1)

_Facts = tuple[str, ...]


def read_letta(path: Path) -> tuple[Conversation, ...]:
    """Return stores of facts in pools of `POOL` lists, each pool twice: before and after updates.

    Items that share a list of facts (five on average) share its turns. Lists are pooled in the
    order of the file, so the last pool may be smaller.

    * ``read-<n>``: the facts alone; evidence is the item's supporting facts, category ``read``.
    * ``update-<n>``: thirty days later the contradicting fact of every item of the pool follows;
      evidence is the item's contradicting fact, `stale` its supporting facts, category ``update``.

    Needs ``core_memory_update*.jsonl``: the read file has the same facts and questions but names no
    supporting fact. Where the read file is beside it, its names of persons become the speakers.
    """
    (source, *_) = files_of(path, "core_memory_update*.jsonl")
    items = read_json(source)
    if any("supporting_fact_indices" not in _extra(item) for item in items):
        way_out = "Give core_memory_update*.jsonl or its folder."
        raise InputError("letta file", "must name supporting facts", str(source), way_out)
    names = _names(source.parent)
    lists: dict[_Facts, list[int]] = {}
    for number, item in enumerate(items):
        lists.setdefault(tuple(_extra(item)["facts"]), []).append(number)
    order = list(lists)
    stores: list[Conversation] = []
    for pool, first in enumerate(range(0, len(order), POOL)):
        pooled = {facts: lists[facts] for facts in order[first : first + POOL]}
        stores += _stores(pool, pooled, items, names)
    return tuple(stores)


def _stores(
    pool: int,
    pooled: Mapping[_Facts, Sequence[int]],
    items: Sequence[Mapping[str, Any]],
    names: Mapping[_Facts, tuple[str, ...]],
) -> tuple[Conversation, Conversation]:
    speakers = tuple(dict.fromkeys(name for facts in pooled for name in names.get(facts, ())))
    notes = [
        (f"list{k}:{i}", fact, f"list{k}") for k, facts in enumerate(pooled) for i, fact in enumerate(facts)
    ]
    before, after, news = [], [], []
    for k, numbers in enumerate(pooled.values()):
        for number in numbers:
            item, extra = items[number], _extra(items[number])
            chosen = sorted(set(extra["supporting_fact_indices"]))
            support = tuple(f"list{k}:{i}" for i in chosen)
            new = f"list{k}:new{number}"
            news.append((new, extra["contradicting_fact"].strip().strip('"'), f"list{k}"))
            before.append(Question(f"read:{number}", item["input"], "read", support))
            after.append(Question(f"update:{number}", item["input"], "update", (new,), stale=support))
    old = _turns(notes, START)
    return (
        Conversation(f"read-{pool}", old, tuple(before), speakers),
        Conversation(f"update-{pool}", old + _turns(news, UPDATED), tuple(after), speakers),
    )


def _turns(notes: Sequence[tuple[str, str, str]], start: datetime) -> tuple[Turn, ...]:
    return tuple(
        Turn(name, text, "", start + STEP * i, session, "document", "note")
        for i, (name, text, session) in enumerate(notes)
    )


def _names(folder: Path) -> dict[_Facts, tuple[str, ...]]:
    return {
        tuple(_extra(item)["facts"]): tuple(_extra(item).get("names", ()))
        for file in sorted(folder.glob("core_memory_read*.jsonl"))[:1]
        for item in read_json(file)
    }


def _extra(item: Mapping[str, Any]) -> Mapping[str, Any]:
    extra: Mapping[str, Any] = item["agent_args"]["extra"]
    return extra
