"""Find communities among linked things: label propagation, assignment of one more, Leiden; knows no store.

A community is named by the smallest of its members, so that names do not depend on how it was found. Ids are ordered
by time: the smallest is the oldest.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, cast

from simonides.errors import InputError, ModelMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from simonides.types import Link

Weights = Mapping[str, Mapping[str, float]]
"""Neighbours of each node with the weight between them, the same from both sides; a node may have none."""
Communities = dict[str, str]
"""The community of each node."""


def weights(links: Iterable[Link], *, among: Collection[str] | None = None) -> Weights:
    """Return how many links lie between each two nodes, whatever their direction, relation and weight.

    Args:
        among: only these nodes, all of them, also those without a link; None for those that have one.
    """
    found: dict[str, dict[str, float]] = {id: {} for id in among or ()}
    for link in links:
        ends = (link.source, link.target)
        if ends[0] == ends[1] or (among is not None and not found.keys() >= set(ends)):
            continue
        for one, other in (ends, ends[::-1]):
            near = found.setdefault(one, {})
            near[other] = near.get(other, 0.0) + 1.0
    return found


def propagate(weights: Weights) -> Communities:
    """Return communities by label propagation, as Zep does: weight is the count of edges, ties go to the larger label.

    Every node begins with a label of its own. In a round, all at once, each takes the label that weighs most among
    its neighbours, its own counting as one edge more; until nothing changes. Where two sides would swap labels for
    ever (Graphiti's released loop does: two nodes with two edges are enough), the nodes go on one after the other,
    which ends: the weight inside communities never falls. The same nodes and weights give the same communities.
    """
    nodes = sorted(weights)
    labels = {node: place for place, node in enumerate(nodes)}
    seen: set[tuple[int, ...]] = set()
    while (state := tuple(labels.values())) not in seen:
        seen.add(state)
        labels = {node: _plurality(weights[node], labels, labels[node]) for node in nodes}
    changed = True
    while changed:
        changed = False
        for node in nodes:
            label = _plurality(weights[node], labels, labels[node])
            changed |= label != labels[node]
            labels[node] = label
    return named(labels)


def assign(neighbours: Mapping[str, float], communities: Mapping[str, str]) -> str | None:
    """Return the community of one more node: the one its neighbours weigh most for, ties to the larger; else None.

    This is Zep's step between two full computations. It drifts: what is far away is never looked at again, so
    `propagate` has to be run now and then.

    Args:
        neighbours: weights by neighbour; those in no community are passed over.
    """
    votes: defaultdict[str, list[float]] = defaultdict(list)
    for other, weight in neighbours.items():
        if other in communities:
            votes[communities[other]].append(weight)
    return max(votes, key=lambda name: (math.fsum(votes[name]), name), default=None)


def leiden(weights: Weights, *, resolution: float = 1.0, seed: int = 42, trials: int = 1) -> Communities:
    """Return communities by the Leiden algorithm (Traag, Waltman and van Eck, 2019), which maximises modularity.

    Needs the extra `graph`. Nodes without a neighbour are communities of their own.

    Args:
        resolution: above 1 for more and smaller communities.
        seed: the same one gives the same communities; 42 is SuperLocalMemory's.
        trials: independent runs, of which the best is kept.

    Raises:
        ModelMissing: the extra is not installed.
    """
    edges = [
        (one, other, weight)
        for one in sorted(weights)
        for other, weight in sorted(weights[one].items())
        if one < other and weight > 0
    ]
    if not edges:
        return named({node: node for node in weights})
    _, found = _library()(edges, resolution=resolution, seed=seed, trials=trials)
    alone = {node: -place for place, node in enumerate(weights, 1) if node not in found}
    return named({**found, **alone})


def modularity(weights: Weights, communities: Mapping[str, str], *, resolution: float = 1.0) -> float:
    """Return how much more weight lies inside communities than chance would put there, at most 1; 0 without edges.

    The measure before and after a recomputation (Newman and Girvan, 2004).
    """
    degree = {node: math.fsum(near.values()) for node, near in weights.items()}
    whole = math.fsum(degree.values())
    if not whole:
        return 0.0
    inside = math.fsum(
        weight
        for node, near in weights.items()
        for other, weight in near.items()
        if communities[node] == communities[other]
    )
    sums: defaultdict[str, float] = defaultdict(float)
    for node in sorted(degree):
        sums[communities[node]] += degree[node]
    return inside / whole - resolution * math.fsum((value / whole) ** 2 for value in sums.values())


def named(labels: Mapping[str, object]) -> Communities:
    """Return each node's community by the name of its smallest member, for labels of any kind."""
    first: dict[object, str] = {}
    for node in sorted(labels):
        first.setdefault(labels[node], node)
    return {node: first[labels[node]] for node in sorted(labels)}


def _plurality(near: Mapping[str, float], labels: Mapping[str, int], own: int) -> int:
    votes: defaultdict[int, list[float]] = defaultdict(list)
    votes[own].append(1.0)
    for other, weight in near.items():
        if other not in labels:
            raise InputError("weights", "must hold every neighbour as a node", other)
        votes[labels[other]].append(weight)
    return max(votes, key=lambda label: (math.fsum(votes[label]), label))


def _library() -> Callable[..., tuple[float, dict[str, int]]]:
    try:
        from graspologic_native import leiden as run
    except ImportError as err:
        way_out = 'Run `pip install "simonides[graph]"`, or use label propagation, which needs nothing.'
        raise ModelMissing("leiden", "graspologic-native is not installed", "", way_out) from err
    return cast("Callable[..., tuple[float, dict[str, int]]]", run)
