"""A real Chromium and a real `simonides ui` for tests; knows no view. Where Chromium is missing it says so.

With `CI=true` a missing Chromium is a failure. `CHROMIUM` names another program than those of the PATH. Pictures go to
the folder `TESTS_SCREENSHOTS`, or to the temporary folder of the run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
LOOPBACK = ("127.0.0.1", "localhost", "::1", "")
GRAVE = ("serious", "critical")


def program() -> str:
    """Return the path of Chromium; without one the test is skipped, and fails where CI=true."""
    named = os.environ.get("CHROMIUM", "")
    found = named or next(filter(None, map(shutil.which, PROGRAMS)), "")
    if not found and Path(ON_MACOS).exists():
        found = ON_MACOS
    if not found:
        why = "no Chromium here: `make test` installs it on Debian as root; CHROMIUM=/its/path names another one"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


@dataclass(slots=True)
class Watched:
    """A browser that is signed in, and what it did."""

    url: str
    context: BrowserContext
    browser: Browser
    pictures: Path
    requests: list[str] = field(default_factory=list[str])
    complaints: list[str] = field(default_factory=list[str])

    def page(self, path: str = "/") -> Page:
        """Return a new tab that shows a view."""
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        self.watch(page)
        page.goto(self.url + path)
        return page

    def watch(self, page: Page) -> None:
        """Keep what a tab asks for, and what its console says."""

        def asked(request: Request) -> None:
            self.requests.append(request.url)

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(message.text)

        def failed(error: object) -> None:
            self.complaints.append(str(error))

        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", failed)

    def abroad(self) -> list[str]:
        """Return the requests that left this machine."""
        return [url for url in self.requests if (urlsplit(url).hostname or "") not in LOOPBACK]

    def picture(self, page: Page, name: str) -> None:
        """Keep a picture of the whole page."""
        page.screenshot(path=self.pictures / f"{name}.png", full_page=True)


@contextmanager
def browsing(url: str, key_url: str, folder: Path) -> Generator[Watched]:
    """Start Chromium and let it in with a key."""
    from playwright.sync_api import sync_playwright

    wanted = os.environ.get("TESTS_SCREENSHOTS", "")
    pictures = Path(wanted) if wanted else folder
    pictures.mkdir(parents=True, exist_ok=True)
    chromium = program()
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        try:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            watched = Watched(url, context, browser, pictures)
            first = context.new_page()
            watched.watch(first)
            first.goto(key_url)
            first.close()
            yield watched
        finally:
            browser.close()


@contextmanager
def serving(path: Path, *options: str) -> Generator[tuple[str, str]]:
    """Run `simonides ui` on a store, as a person would; yield its address and the one with the key."""
    command = [
        sys.executable,
        "-m",
        "simonides",
        "--path",
        str(path),
        *options,
        "ui",
        "--no-browser",
        "--json",
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert running.stdout is not None
        told = cast("dict[str, str]", json.loads(running.stdout.readline()))
        yield told["url"], told["key_url"]
    finally:
        running.terminate()
        running.wait(20)
        if running.stdout is not None:
            running.stdout.close()


def broken_rules(page: Page, only: Sequence[str] = ()) -> Mapping[str, str]:
    """Return the rules of accessibility that the page breaks gravely, with the first place of each.

    No rule is off; `only` names those to look at.
    """
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    options = {"runOnly": [*only], "resultTypes": ["violations"]} if only else {"resultTypes": ["violations"]}
    found = page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return {one["id"]: one["nodes"][0]["html"][:200] for one in found if one["impact"] in GRAVE}


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
