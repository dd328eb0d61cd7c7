"""The page over many memories: it opens, pages and finds within a sane time, and never loads them all.

`TESTS_UI_MEMORIES=100000` is the size that docs/page.md reports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from browser import Watched, browsing, serving
from simonides.memory import Memory
from simonides.settings import Settings

pytest.importorskip("playwright", reason="needs the dev group")
MANY = int(os.environ.get("TESTS_UI_MEMORIES", "20000"))
SANE = 8.0
"""Seconds that a view may take on a busy machine; what takes longer is looked for while the page is shown."""
SYLLABLES = "ba ce di fo gu ha je ki lo mu ra sel".split()
WORDS = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]


def _words(draw: Random) -> str:
    """Return words as people use them: a few all the time, most of them seldom."""
    return " ".join(f"{WORDS[int(40 ** (draw.random() * 2))]}" for _ in range(9))


def _filled(place: Path) -> str:
    draw, start = Random(1), datetime(2020, 1, 1, tzinfo=UTC)
    with Memory(place, settings=Settings(meaning="off", background=False, synchronous="normal")) as memory:
        memory.add_many(
            {
                "text": f"Number {n}: {_words(draw)}.",
                "at": start + timedelta(minutes=n * 20),
                "user": f"u{n % 7}",
            }
            for n in range(MANY)
        )
        ids = [one.id for one in memory.list(limit=200)]
        for one, other in pairwise(ids):
            memory.link(one, other, "before")
        return ids[0]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Watched, str]]:
    """Show many memories in a browser."""
    folder = tmp_path_factory.mktemp("many")
    first = _filled(folder / "memory.db")
    with (
        serving(folder / "memory.db", "--set", "meaning=off") as (url, key_url),
        browsing(url, key_url, folder / "pictures") as watched,
    ):
        yield watched, first


def test_views_of_many_memories_take_a_sane_time(seen: tuple[Watched, str]) -> None:
    watched, first = seen
    page = watched.page("/")
    took: dict[str, float] = {}

    def timed(name: str, act: Callable[[], object]) -> None:
        begun = time.perf_counter()
        act()
        took[name] = round(time.perf_counter() - begun, 2)

    def turn() -> None:
        page.keyboard.press("n")
        page.wait_for_url("**after=**")

    def ask() -> None:
        page.keyboard.press("Enter")
        page.wait_for_selector(".hits")

    timed("memories", page.reload)
    assert f"{MANY:,} memories" in page.inner_text("main")
    assert page.locator("main tbody tr").count() == 50
    timed("next page", turn)
    assert f"Number {MANY - 51}:" in page.inner_text("main")
    timed("filtered", lambda: page.goto(f"{watched.url}/?user=u3&order=oldest"))
    assert "Number 3:" in page.inner_text("main")
    page.goto(f"{watched.url}/health")
    page.wait_for_selector(".finding", timeout=60_000)
    for view in ("search", "timeline", "graph", "health", f"memory/{first}", "review"):
        timed(view.split("/")[0], lambda view=view: page.goto(f"{watched.url}/{view}"))
    page.goto(f"{watched.url}/search")
    page.fill("[type=search]", "number 777")
    timed("first search", ask)
    page.fill("[type=search]", "number 778")
    timed("next search", ask)
    print(MANY, took)
    page.goto(f"{watched.url}/review")
    page.get_by_role("heading", name="Nothing is doubtful").wait_for(timeout=60_000)
    assert max(took.values()) < SANE, took
    page.close()
