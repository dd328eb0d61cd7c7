"""What a server says of itself before it has opened anything: tools, prompts, resources; imports no store, no SDK."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import simonides
from simonides.doors.mcp.table import (
    DEFAULT,
    FORGET,
    FORGET_OR_ERASE,
    INSTRUCTIONS,
    PROMPTS,
    RESOURCES,
    TEMPLATES,
)
from simonides.doors.mcp.tool import Tool

PROFILES = ("default", "full", "reference")
NAME = "simonides"
TITLE = "Simonides memory"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is offered.

    Attributes:
        profile: of `PROFILES`.
        subscribes: whether clients can be told when a resource has changed.
    """

    profile: str
    tools: tuple[Tool, ...]
    instructions: str = ""
    prompts: tuple[dict[str, object], ...] = ()
    resources: tuple[dict[str, object], ...] = ()
    templates: tuple[dict[str, object], ...] = ()
    subscribes: bool = False

    @property
    def version(self) -> str:
        """The version of this package."""
        return installed_version()

    def tool(self, name: str) -> Tool | None:
        """Return a tool by its name."""
        return next((each for each in self.tools if each.name == name), None)

    def lists(self) -> dict[str, dict[str, object]]:
        """Return the answer to each request for a list, without what a version of the protocol adds."""
        return {
            "tools/list": {"tools": [tool.wire() for tool in self.tools]},
            "prompts/list": {"prompts": [dict(each) for each in self.prompts]},
            "resources/list": {"resources": [dict(each) for each in self.resources]},
            "resources/templates/list": {"resourceTemplates": [dict(each) for each in self.templates]},
        }


@cache
def installed_version() -> str:
    """Return the version of this package, read off its folder of metadata: importlib.metadata takes 20 ms to load."""
    for folder in sys.path:
        found = next(Path(folder or ".").glob("simonides-*.dist-info"), None)
        if found is not None:
            return found.name.removeprefix("simonides-").removesuffix(".dist-info")
    return simonides.__version__


def manifest(profile: str, rights: Iterable[str]) -> Manifest:
    """Return what a profile offers to whoever has these rights."""
    may = frozenset(rights)
    if profile == "reference":
        from simonides.doors.mcp.table_reference import GRAPHS, REFERENCE

        offered = tuple(tool for tool in REFERENCE if tool.right in may)
        return Manifest(profile, offered, resources=GRAPHS, subscribes=True)
    tools = tuple(FORGET_OR_ERASE if tool is FORGET and "erase" in may else tool for tool in DEFAULT)
    if profile == "full":
        from simonides.doors.mcp.table_full import FULL, REVIEW, SETTLE

        there = find_spec("simonides.reviewing") is not None
        tools += tuple(tool for tool in FULL if there or tool not in (REVIEW, SETTLE))
    tools = tuple(tool for tool in tools if tool.right in may)
    return Manifest(profile, tools, INSTRUCTIONS, PROMPTS, RESOURCES, TEMPLATES)
