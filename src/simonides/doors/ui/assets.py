"""The style sheet, the script and the icon of the page, named by their content so that browsers may keep them."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

from simonides.doors.ui.script import SCRIPT

STYLE = files("simonides.doors.ui").joinpath("page.css").read_text("utf-8")
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b6e63"/>'
    '<path d="M9 22V10h4v12M14.5 22V10h3v12M19 22V10h4v12M7 24.5h18M7 7.5h18" fill="none" stroke="#fff" '
    'stroke-width="1.6"/></svg>'
)


def _named(stem: str, ending: str, content: str) -> str:
    return f"{stem}-{sha256(content.encode()).hexdigest()[:12]}.{ending}"


STYLE_NAME = _named("page", "css", STYLE)
SCRIPT_NAME = _named("page", "js", SCRIPT)
ASSETS = {
    STYLE_NAME: (STYLE, "text/css; charset=utf-8"),
    SCRIPT_NAME: (SCRIPT, "text/javascript; charset=utf-8"),
    "icon.svg": (ICON, "image/svg+xml"),
}
"""By name: the content and its type."""
