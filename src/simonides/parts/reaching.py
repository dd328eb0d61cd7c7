"""Read the links around some memories, hop by hop, from wherever they lie; knows no store and no relation.

`parts.spreading` walks over links that it is handed; this fetches those that such a walk needs, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simonides.types import Link

MOST = 200
"""Memories whose links are read: a hub must not pull in the whole store."""


def reached(
    seeds: Iterable[str], links_of: Callable[[str], Sequence[Link]], hops: int, *, most: int = MOST
) -> dict[str, Link]:
    """Return the links within so many hops of the seeds, by id; nearer ones are read first.

    Args:
        seeds: ids where it starts.
        links_of: gives the links of one memory.
        hops: how far it goes; 0 reads nothing.
        most: memories whose links are read at most.
    """
    found: dict[str, Link] = {}
    seen = edge = list(dict.fromkeys(seeds))
    known, read = set(seen), 0
    for _ in range(hops):
        beyond: set[str] = set()
        for one in edge:
            if read == most:
                return found
            read += 1
            for link in links_of(one):
                found[link.id] = link
                beyond.update((link.source, link.target))
        edge = sorted(beyond - known)
        known |= beyond
    return found
