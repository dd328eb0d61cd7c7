"""Walk over links with two clocks: what is so many hops away, and how activation spreads; knows no store.

The links are handed in. With times given, only those count that were valid and believed then. Nothing depends on the
order in which the links come.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from simonides.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from simonides.types import Link

    Edges = dict[str, list[tuple[str, float]]]


def holding(
    links: Iterable[Link],
    *,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    relations: Collection[str] | None = None,
) -> list[Link]:
    """Return the links that were valid at `as_of` and believed at `known_at`, by id.

    None for a time leaves that clock out: the links are taken as the caller read them.

    Args:
        relations: only these; None for all.
    """
    kept = {
        link.id: link
        for link in links
        if (as_of is None or link.valid.holds(as_of))
        and (known_at is None or link.recorded.holds(known_at))
        and (relations is None or link.relation in relations)
    }
    return [kept[id] for id in sorted(kept)]


def within(
    links: Iterable[Link],
    seeds: Iterable[str],
    hops: int,
    *,
    directed: bool = False,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    relations: Collection[str] | None = None,
) -> dict[str, int]:
    """Return the hops from the nearest seed, for what is at most `hops` away; the seeds are 0 away.

    Args:
        directed: follow links only from source to target.
    """
    _not_negative("hops", hops)
    edges = _edges(holding(links, as_of=as_of, known_at=known_at, relations=relations), directed=directed)
    found = dict.fromkeys(seeds, 0)
    edge = list(found)
    for far in range(1, hops + 1):
        edge = sorted({other for one in edge for other, _ in edges.get(one, ())} - found.keys())
        found.update(dict.fromkeys(edge, far))
    return found


def spread(
    links: Iterable[Link],
    seeds: Iterable[str] | Mapping[str, float],
    *,
    hops: int = 2,
    decay: float = 0.5,
    fan: bool = True,
    directed: bool = False,
    least: float = 0.0,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    relations: Collection[str] | None = None,
) -> dict[str, float]:
    """Return the activation of all that is reached, highest first, equal ones by id.

    With each hop a node hands on decay x its activation x the weight of the link, and with `fan` over the sum of the
    weights of all its links: who knows everybody says little about each (Anderson's fan effect, 1974). What a node
    gets adds up over all walks of at most `hops` links, its own seed included. (Collins and Loftus, 1975.)

    Args:
        seeds: where it starts, with how much each; 1 where only ids are given.
        decay: what is left after a hop, in [0, 1].
        fan: normalise by the fan of the node that hands on.
        directed: follow links only from source to target.
        least: nodes that end below this are left out.
        relations: only links of these relations; None for all.
    """
    _not_negative("hops", hops)
    if not 0 <= decay <= 1:
        raise InputError("decay", "must be from 0 to 1", decay)
    start: dict[str, float] = {**seeds} if isinstance(seeds, Mapping) else dict.fromkeys(seeds, 1.0)
    edges = _edges(holding(links, as_of=as_of, known_at=known_at, relations=relations), directed=directed)
    got: defaultdict[str, list[float]] = defaultdict(list)
    wave = start
    for id, value in start.items():
        got[id].append(value)
    for _ in range(hops):
        wave = _handed_on(wave, edges, decay, fan=fan)
        for id, value in wave.items():
            got[id].append(value)
    total = {id: math.fsum(values) for id, values in got.items()}
    kept = [(id, value) for id, value in total.items() if value >= least]
    return dict(sorted(kept, key=lambda one: (-one[1], one[0])))


def _handed_on(wave: Mapping[str, float], edges: Edges, decay: float, *, fan: bool) -> dict[str, float]:
    parts: defaultdict[str, list[float]] = defaultdict(list)
    for id, value in wave.items():
        out = edges.get(id, ())
        whole = math.fsum(weight for _, weight in out) if fan else 1.0
        if whole > 0:
            for other, weight in out:
                parts[other].append(decay * value * weight / whole)
    return {id: math.fsum(values) for id, values in parts.items()}


def _edges(links: Sequence[Link], *, directed: bool) -> Edges:
    edges: Edges = {}
    for link in links:
        if link.weight < 0:
            raise InputError("link", "must not weigh less than nothing", f"{link.weight} of {link.id}")
        edges.setdefault(link.source, []).append((link.target, link.weight))
        if not directed and link.source != link.target:
            edges.setdefault(link.target, []).append((link.source, link.weight))
    return edges


def _not_negative(subject: str, value: int) -> None:
    if value < 0:
        raise InputError(subject, "must not be negative", value)
