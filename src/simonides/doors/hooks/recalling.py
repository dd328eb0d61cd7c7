"""What a hook puts into a session: the project's memories at its start, those that fit a prompt; within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simonides.parts.headings import PROJECT_HEADING, PROMPT_HEADING
from simonides.parts.pack import pack
from simonides.types import Hit, Kind

if TYPE_CHECKING:
    from simonides.finding import Finding
    from simonides.types import Memory

NEWEST, PAGES, ENOUGH = 100, 5, 40
"""Of a page of the project's memories, of pages that are looked at when a session starts, and of what is enough."""
CANDIDATES = 30
LONGEST_QUERY = 2000
"""Characters of a prompt that are searched for: what comes later is what was pasted in."""
_VERBATIM = (Kind.TURN, Kind.DOCUMENT)
_NOTED = tuple(kind for kind in Kind if kind not in _VERBATIM)


def for_start(memory: Finding, project: str, session: str, source: str, budget: int) -> str:
    """Return what a session begins with: what was noted first, then what was said last; empty when there is nothing.

    A session that is resumed still has its own turns before it; one that was compacted has lost them.
    """
    own = "" if source == "compact" else session
    found = [*_newest(memory, project, _NOTED, own), *_newest(memory, project, _VERBATIM, own)]
    ordered = sorted(found, key=_rank)  # stable: the newest first within each rank
    return _told(PROJECT_HEADING, [Hit(one, 1.0, {}) for one in ordered], budget)


def _newest(memory: Finding, project: str, kinds: tuple[Kind, ...], own: str) -> list[Memory]:
    """Return the newest memories of a project that are not of the own session; looks at some pages of them only."""
    found: list[Memory] = []
    after = ""
    for _ in range(PAGES):
        page = memory.list(project=project, kinds=kinds, limit=NEWEST, after=after, newest_first=True)
        found += [one for one in page if not own or one.scope.session != own]
        if len(page) < NEWEST or len(found) >= ENOUGH:
            break
        after = page[-1].id
    return found


def _rank(one: Memory) -> int:
    if one.kind not in _VERBATIM:
        return 0
    return 2 if one.speaker == "assistant" else 1


def for_prompt(memory: Finding, project: str, session: str, prompt: str, budget: int) -> str:
    """Return what fits a prompt; empty when nothing does, and for commands. Turns of the same session are known."""
    query = prompt.strip()[:LONGEST_QUERY]
    if not query or query.startswith("/") or not any(char.isalnum() for char in query):
        return ""
    hits = memory.search(query, k=CANDIDATES, project=project)
    return _told(
        PROMPT_HEADING, [hit for hit in hits if not session or hit.memory.scope.session != session], budget
    )


def _told(heading: str, hits: list[Hit], budget: int) -> str:
    block = pack(hits, budget).text if hits else ""
    return f"{heading}\n{block}" if block else ""
