"""The page in a real browser: each view is opened and used, and the store is looked at afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from browser import Watched, broken_rules, browsing, overflow, serving
from simonides.errors import NotFound
from simonides.memory import Memory
from simonides.settings import Settings

pytest.importorskip("playwright", reason="needs the dev group")
QUIET = Settings(meaning="instant", background=False)
FISH = "Ana eats fish again, and is allergic to peanuts."


@dataclass(slots=True)
class World:
    """A store that a page shows, and what is in it."""

    seen: Watched
    memory: Memory
    home: str
    ana: str
    lisbon: str


def _filled(memory: Memory) -> tuple[str, str, str]:
    """Write a small life: a home that moved, some entities with links, many turns, something said twice."""
    start = datetime(2024, 2, 3, 10, tzinfo=UTC)
    home = memory.add("Ana lives in Berlin, near the canal.", user="ana", speaker="user", at=start).id
    memory.update(
        home, "Ana lives in Lisbon, near the river.", at=start + timedelta(days=450), reason="moved"
    )
    ana, lisbon, shop = (
        memory.add(name, kind="entity", at=start).id for name in ("Ana Silva", "Lisbon", "The shop")
    )
    memory.link(ana, lisbon, "lives in", at=start)
    memory.link(ana, shop, "works on", at=start)
    memory.link(home, ana, "mentions", at=start)
    draw = Random(4)  # texts that nobody takes for each other
    memory.add_many(
        {"text": f"Turn {n}: {_sentence(draw)}", "at": start + timedelta(days=n)} for n in range(120)
    )
    memory.add(FISH, kind="preference", user="ana")
    memory.add(FISH, kind="preference", user="ana")
    return home, ana, lisbon


def _sentence(draw: Random) -> str:
    return " ".join("".join(draw.choices("abcdefghiklmnoprstuv", k=6)) for _ in range(9))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    """One store, one server and one browser for all tests of this file."""
    folder = tmp_path_factory.mktemp("page")
    with Memory(folder / "memory.db", settings=QUIET, actor="test") as memory:
        home, ana, lisbon = _filled(memory)
        with (
            serving(folder / "memory.db", "--set", "meaning=instant") as (url, key_url),
            browsing(url, key_url, folder / "pictures") as seen,
        ):
            yield World(seen, memory, home, ana, lisbon)


def _views(world: World) -> dict[str, str]:
    """Return every view that is there to look at."""
    return {
        "memories": "/",
        "write": "/add",
        "search": "/search",
        "timeline": f"/timeline?id={world.home}&as_of=2025-01-01",
        "graph": f"/graph?at={world.ana}",
        "memory": f"/memory/{world.home}",
        "erase": f"/memory/{world.home}/erase",
        "health": "/health",
        "review": "/review",
        "import": "/import",
        "help": "/help",
    }


def test_memories_are_listed_and_paged(world: World) -> None:
    page = world.seen.page("/")
    assert page.locator("main tbody tr").count() == 50
    assert "memories in this store" in page.inner_text("main")
    first = page.locator("main tbody tr").first.inner_text()
    page.keyboard.press("n")
    page.wait_for_url("**after=**")
    assert page.locator("main tbody tr").first.inner_text() != first
    page.get_by_role("link", name="Previous").click()
    page.wait_for_url("**before=**")
    assert page.locator("main tbody tr").first.inner_text() == first
    page.goto(f"{world.seen.url}/?kind=entity&order=oldest")
    assert [row.split("\t")[-2] for row in page.locator("main tbody tr").all_inner_texts()] == [
        "Ana Silva",
        "Lisbon",
        "The shop",
    ]
    page.close()


def test_what_another_process_writes_shows_at_the_next_look(world: World) -> None:
    page = world.seen.page("/")
    id = world.memory.add("Written meanwhile by somebody else.").id
    page.reload()
    assert "Written meanwhile" in page.locator("main tbody tr").first.inner_text()
    world.memory.retire(id)
    page.reload()
    assert "Written meanwhile" not in page.inner_text("main")
    page.close()


def test_a_memory_is_written(world: World) -> None:
    page = world.seen.page("/add")
    page.fill("textarea", "The dentist is on Rua Augusta.\nSecond floor.")
    page.get_by_role("button", name="Remember").click()
    page.wait_for_url("**/memory/**")
    assert "Remembered, word for word." in page.inner_text("main")
    id = re.sub(r".*/memory/|\?.*", "", page.url)
    assert world.memory.get(id).text == "The dentist is on Rua Augusta.\nSecond floor."
    assert world.memory.log(subject=id)[0].actor == "ui"
    world.memory.retire(id)
    page.close()


def test_a_search_shows_hits_with_their_shares_and_what_was_dropped(world: World) -> None:
    page = world.seen.page("/search")
    page.fill("[type=search]", "where does Ana live?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits")
    assert "Lisbon" in page.locator(".hits li").first.inner_text()
    told = page.locator(".hits li").first.get_by_role("img").get_attribute("aria-label") or ""
    assert re.search(r"words [+-]\d", told), told
    assert "considered" in page.inner_text("#said")
    assert re.search(r"\d+% that there is an answer", page.inner_text("main"))
    assert page.url == f"{world.seen.url}/search", "the question is in no address"
    page.get_by_text("Dropped:").click()
    assert page.get_by_role("region", name="Candidates that were dropped").locator("tbody tr").count() > 0
    world.seen.picture(page, "search-hits")
    page.close()


def test_a_slider_asks_the_past(world: World) -> None:
    page = world.seen.page("/search")
    page.fill("[type=search]", "where does Ana live?")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Lisbon")
    page.get_by_text("Filters and both clocks").click()
    slider = page.get_by_label("True on, as a slider")
    day = datetime(2024, 6, 1, tzinfo=UTC).timestamp() // 86_400
    slider.fill(str(int(day)))
    page.wait_for_selector(".hits >> text=Berlin")
    assert page.locator("#as_of").input_value() == "2024-06-01"
    assert slider.get_attribute("aria-valuetext") == "2024-06-01"
    page.close()


def test_the_timeline_shows_what_was_known_when_and_zooms(world: World) -> None:
    page = world.seen.page(f"/timeline?id={world.home}")
    assert page.locator(".lane").count() == 1
    assert page.locator(".lane rect.true").count() == 2
    assert page.locator(".lane rect.past").count() == 1
    before = page.locator(".chart svg").get_attribute("aria-label")
    page.get_by_role("link", name="Zoom in").click()
    page.wait_for_url("**from=**")
    assert page.locator(".chart svg").get_attribute("aria-label") != before
    page.goto(f"{world.seen.url}/timeline?id={world.home}&as_of=2024-06-01")
    assert "Berlin" in page.locator("section", has_text="What was known").inner_text()
    page.locator(".lane a").click()
    page.wait_for_url(f"**/memory/{world.home}")
    page.close()


def test_the_graph_grows_node_by_node(world: World) -> None:
    page = world.seen.page("/graph")
    assert "4 memories, 3 links" in page.inner_text("main")
    page.goto(f"{world.seen.url}/graph?at={world.lisbon}")
    assert page.locator(".node").count() == 2
    page.locator(".node[aria-label^='Ana Silva']").click()
    page.wait_for_url(f"**at={world.ana}**")
    assert page.locator(".node").count() == 4
    page.goto(f"{world.seen.url}/graph?at={world.ana}&relation=works+on")
    assert page.locator(".node").count() == 2
    page.get_by_text("The same as a list").click()
    assert "works on" in page.get_by_role("region", name="Links").inner_text()
    page.goto(f"{world.seen.url}/graph?at={world.ana}&as_of=2020-01-01")
    assert page.locator(".node").count() == 1, "nothing was linked then"
    page.close()


def test_a_memory_is_corrected_and_the_correction_undone(world: World) -> None:
    page = world.seen.page(f"/memory/{world.home}")
    page.locator("summary", has_text="Correct").click()
    page.fill("textarea", "Ana lives in Lisbon, near the sea.")
    page.get_by_role("button", name="Correct").click()
    page.wait_for_url("**done=corrected**")
    assert world.memory.get(world.home).text == "Ana lives in Lisbon, near the sea."
    assert page.locator("ins").first.inner_text().endswith("sea")
    page.get_by_role("status").get_by_role("button").click()
    page.wait_for_url("**done=undone**")
    assert world.memory.get(world.home).text == "Ana lives in Lisbon, near the river."
    page.close()


def test_a_correction_of_what_somebody_else_changed_meanwhile_is_refused(world: World) -> None:
    id = world.memory.add("The rent is 900.").id
    page = world.seen.page(f"/memory/{id}")
    world.memory.update(id, "The rent is 950.")
    page.locator("summary", has_text="Correct").click()
    page.fill("textarea", "The rent is 1000.")
    page.get_by_role("button", name="Correct").click()
    page.wait_for_selector("[role=alert]")
    assert "version" in page.inner_text("[role=alert]")
    assert world.memory.get(id).text == "The rent is 950."
    world.seen.complaints.clear()  # the browser's console notes the 409
    world.memory.retire(id)
    page.close()


def test_a_memory_is_retired_and_restored(world: World) -> None:
    id = world.memory.add("The bicycle is blue.").id
    page = world.seen.page(f"/memory/{id}")
    page.locator("summary", has_text="Retire").click()
    page.get_by_role("button", name="Retire").click()
    page.wait_for_url("**done=retired**")
    with pytest.raises(NotFound):
        world.memory.get(id)
    page.locator("summary", has_text="Restore").click()
    page.get_by_role("button", name="Restore").click()
    page.wait_for_url("**done=restored**")
    assert world.memory.get(id).text == "The bicycle is blue."
    page.close()


def test_erasing_shows_what_goes_and_wants_it_typed(world: World) -> None:
    id = world.memory.add("My old password was swordfish.").id
    page = world.seen.page(f"/memory/{id}")
    page.get_by_role("link", name="Erase for good").click()
    assert "memories\t1" in page.get_by_role("region", name="What would be erased").inner_text()
    page.fill("[name=typed]", "yes")
    page.get_by_role("button", name="Erase for good").click()
    assert "Nothing was erased" in page.inner_text("[role=alert]")
    assert world.memory.get(id).text.endswith("swordfish.")
    page.fill("[name=typed]", id[-8:])
    page.get_by_role("button", name="Erase for good").click()
    page.wait_for_selector("text=This is the receipt")
    with pytest.raises(NotFound):
        world.memory.history(id)
    world.seen.complaints.clear()  # the browser's console notes the 400
    page.close()


def test_health_tells_how_the_store_is_and_verifies_the_log(world: World) -> None:
    page = world.seen.page("/health")
    assert page.locator(".finding").count() >= 5
    assert f"{world.memory.status().memories:,}" in page.inner_text(".figures")
    page.get_by_role("button", name="Verify the log").click()
    page.wait_for_selector("text=The log is whole")
    assert world.memory.verify().head in page.inner_text("main")
    page.close()


def test_what_is_doubtful_is_merged_and_the_merge_undone(world: World) -> None:
    page = world.seen.page("/review?why=duplicate")
    doubt = page.locator("article", has_text=FISH)
    stays = doubt.locator("input[type=radio]").first.get_attribute("value")
    doubt.get_by_role("button", name="Merge").click()
    page.wait_for_url("**done=merge**")
    twins = world.memory.list(kinds=["preference"])
    assert [one.id for one in twins] == [stays]
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.wait_for_url("**/health**")
    assert len(world.memory.list(kinds=["preference"])) == 2
    page.close()


def test_a_file_is_looked_at_before_it_comes_in(world: World, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    file.write_text("".join(json.dumps({"text": f"Imported line {n}."}) + "\n" for n in range(7)), "utf-8")
    page = world.seen.page("/import")
    page.set_input_files("[type=file]", file)
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Import 7 memories").wait_for()
    assert not world.memory.search("imported line", gate=False, k=1)[0].memory.text.startswith("Imported")
    page.get_by_role("button", name="Import 7 memories").click()
    page.wait_for_selector("text=It is in, and can be found.")
    assert sum(one.text.startswith("Imported line") for one in world.memory.list(limit=500)) == 7
    page.goto(f"{world.seen.url}/import")
    page.set_input_files("[type=file]", file)
    page.get_by_role("button", name="Look at it").click()
    page.wait_for_selector("text=Nothing in it is new.")
    page.close()


def test_a_file_that_cannot_be_read_says_so(world: World, tmp_path: Path) -> None:
    file = tmp_path / "picture.bin"
    file.write_bytes(bytes(range(256)) * 10)
    page = world.seen.page("/import")
    page.set_input_files("[type=file]", file)
    page.get_by_role("button", name="Look at it").click()
    page.wait_for_selector("[role=alert]")
    assert "It did not come in" in page.inner_text("[role=alert]")
    assert str(tmp_path) not in page.inner_text("main")
    page.close()


def test_everything_is_reached_with_the_keyboard(world: World) -> None:
    page = world.seen.page("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert broken_rules(page) == {}
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/search")
    page.keyboard.press("/")
    page.keyboard.type("where does Ana live?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/memory/{world.home}")
    page.close()


def test_shortcuts_can_be_switched_off(world: World) -> None:
    page = world.seen.page("/")
    page.get_by_role("link", name="Keyboard shortcuts").click()
    page.get_by_label("Shortcuts of single keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_timeout(200)
    assert page.locator("dialog[open]").count() == 0
    page.evaluate("localStorage.clear()")
    page.close()


def test_the_theme_follows_the_system_and_a_choice_is_kept(world: World) -> None:
    page = world.seen.page("/")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert light != dark
    with page.expect_response("**/theme"):
        page.locator("#theme").click()
    assert page.evaluate(paper) == light
    page.reload()
    assert page.evaluate(paper) == light, "kept against the system"
    with page.expect_response("**/theme"):
        page.locator("#theme").click()
    page.emulate_media(color_scheme="light")
    page.goto(f"{world.seen.url}/health")
    assert page.evaluate(paper) == dark
    with page.expect_response("**/theme"):
        page.locator("#theme").click()
    page.close()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_no_view_breaks_a_rule_of_accessibility(world: World, look: Literal["light", "dark"]) -> None:
    page = world.seen.page("/")
    page.emulate_media(color_scheme=look)
    broken: dict[str, object] = {}
    for name, path in _views(world).items():
        page.goto(world.seen.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        world.seen.picture(page, f"{name}-{look}")
        # Only colours differ in the dark; all rules are for the light.
        if found := broken_rules(page, only=("color-contrast",) if look == "dark" else ()):
            broken[name] = found
    assert not broken
    page.close()


def test_no_view_is_wider_than_a_phone(world: World) -> None:
    page = world.seen.page("/")
    page.set_viewport_size({"width": 390, "height": 844})
    wide: dict[str, int] = {}
    for name, path in _views(world).items():
        page.goto(world.seen.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        world.seen.picture(page, f"{name}-phone")
        if (more := overflow(page)) > 0:
            wide[name] = more
    assert not wide
    page.close()


def test_it_all_works_without_a_script(world: World) -> None:
    context = world.seen.browser.new_context(
        java_script_enabled=False, storage_state=world.seen.context.storage_state()
    )
    page = context.new_page()
    page.goto(f"{world.seen.url}/search")
    page.fill("[type=search]", "where does Ana live?")
    page.keyboard.press("Enter")
    assert "Lisbon" in page.locator(".hits li").first.inner_text()
    page.get_by_role("link", name="Keyboard shortcuts").click()
    assert "Go to the search field" in page.inner_text("main")
    context.close()


def test_what_is_not_there_says_so(world: World) -> None:
    page = world.seen.page(f"/memory/{'0' * 32}")
    assert "no such memory" in page.inner_text("[role=alert]")
    page.goto(f"{world.seen.url}/nowhere")
    assert "There is no such page" in page.inner_text("h1")
    page.goto(f"{world.seen.url}/?as_of=yesterday")
    assert "must be ISO 8601" in page.inner_text("[role=alert]")
    world.seen.complaints.clear()  # the browser's console notes the 404s
    page.close()


def test_an_empty_store_says_what_to_do(world: World, tmp_path: Path) -> None:
    with serving(tmp_path / "empty.db", "--set", "meaning=off") as (url, key_url):
        context = world.seen.browser.new_context()
        page = context.new_page()
        page.goto(key_url)
        assert "Nothing is remembered yet" in page.inner_text("main")
        for path, words in (
            ("timeline", "No time has passed"),
            ("graph", "No memories are linked"),
            ("review", "Nothing is doubtful"),
        ):
            page.goto(f"{url}/{path}")
            assert words in page.inner_text("main")
            assert broken_rules(page) == {}
        context.close()


def test_nothing_left_this_machine_and_nothing_was_complained_of(world: World) -> None:
    page = world.seen.page("/")
    for path in _views(world).values():
        page.goto(world.seen.url + path)
    assert len(world.seen.requests) > 10
    assert world.seen.abroad() == []
    assert world.seen.complaints == []
    assert not [url for url in world.seen.requests if "Ana" in url or "Lisbon" in url], (
        "no text of a memory in a URL"
    )
    page.close()
