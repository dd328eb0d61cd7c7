"""A bounded piece of the graph of links, and where to draw it; knows no HTML. Reads only what it is handed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simonides.types import Link

MOST_NODES = 200
ROUNDS = 220


@dataclass(slots=True)
class Piece:
    """Some memories and the links between them.

    Attributes:
        nodes: ids in the order in which they were found.
        links: by id.
        cut: whether there was more than fits.
    """

    nodes: dict[str, None] = field(default_factory=dict[str, None])
    links: dict[str, Link] = field(default_factory=dict[str, Link])
    cut: bool = False

    def add(self, link: Link, most: int = MOST_NODES) -> None:
        """Take in a link with its ends, unless there are too many nodes already."""
        fresh = {link.source, link.target} - self.nodes.keys()
        if len(self.nodes) + len(fresh) > most:
            self.cut = True
            return
        self.nodes.setdefault(link.source)
        self.nodes.setdefault(link.target)
        self.links[link.id] = link

    def degrees(self) -> Counter[str]:
        """Return how many of the links each node has."""
        return Counter(end for link in self.links.values() for end in (link.source, link.target))


def grow(
    starts: Iterable[str],
    links_of: Callable[[str], Sequence[Link]],
    *,
    most: int = MOST_NODES,
    enough: int = 0,
) -> Piece:
    """Return the starts with their links; stops after `enough` nodes where it is given, and never passes `most`."""
    piece = Piece()
    for id in starts:
        if enough and len(piece.nodes) >= enough:
            break
        for link in links_of(id):
            piece.add(link, most)
    return piece


def layout(nodes: Sequence[str], links: Iterable[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Return places in a square of side 1: nodes push each other away, links pull. The same graph looks the same.

    Takes time by the square of the nodes: 0.2 seconds for 200.
    """
    many = len(nodes)
    if not many:
        return {}
    number = {id: place for place, id in enumerate(nodes)}
    pairs = np.array([(number[a], number[b]) for a, b in links if a != b], np.int64).reshape(-1, 2)
    angle = np.arange(many) * math.pi * (3 - math.sqrt(5))
    places = np.sqrt((np.arange(many) + 0.5) / many)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    ideal = 1.4 / math.sqrt(many)
    for turn in range(ROUNDS):
        push = _forces(places, pairs, ideal)
        length = np.linalg.norm(push, axis=1, keepdims=True)
        heat = 0.12 * (1 - turn / ROUNDS) + 0.001
        places = places + push / np.maximum(length, 1e-9) * np.minimum(length, heat)
    return dict(zip(nodes, _fitted(places), strict=True))


def _forces(places: NDArray[np.float64], pairs: NDArray[np.int64], ideal: float) -> NDArray[np.float64]:
    apart = places[:, None] - places[None]
    squared = np.maximum((apart**2).sum(-1), 1e-6)
    push: NDArray[np.float64] = (apart * (ideal**2 / squared)[..., None]).sum(1) - 0.25 * places
    if len(pairs):
        pull = places[pairs[:, 1]] - places[pairs[:, 0]]
        pull = pull * (np.linalg.norm(pull, axis=1, keepdims=True) / ideal)
        np.add.at(push, pairs[:, 0], pull)
        np.add.at(push, pairs[:, 1], -pull)
    return push


def _fitted(places: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return the places moved and stretched into the square."""
    low, high = places.min(0), places.max(0)
    fitted = (places - low) / np.maximum(high - low, 1e-9) if len(places) > 1 else np.full_like(places, 0.5)
    return [(float(x), float(y)) for x, y in fitted]
