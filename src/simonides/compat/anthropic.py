"""Anthropic's memory tool (``memory_20250818``) over a store; knows the SDK's base class, the tree is in `folder`.

from simonides.compat.anthropic import MemoryTool

client.beta.messages.tool_runner(tools=[MemoryTool("memory.db", user="ana")], ...)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.compat.folder import Folder
from simonides.compat.tree import Refused
from simonides.errors import ModelMissing
from simonides.memory import Memory as Store
from simonides.types import Scope

try:
    from anthropic.lib.tools import ToolError
    from anthropic.tools.memory import BetaAbstractMemoryTool, BetaAsyncAbstractMemoryTool
except ImportError as err:
    raise ModelMissing(
        "Anthropic's SDK", "is not installed", "", "pip install 'simonides[anthropic]'."
    ) from err

if TYPE_CHECKING:
    from anthropic.types.beta import (
        BetaCacheControlEphemeralParam,
        BetaMemoryTool20250818CreateCommand,
        BetaMemoryTool20250818DeleteCommand,
        BetaMemoryTool20250818InsertCommand,
        BetaMemoryTool20250818RenameCommand,
        BetaMemoryTool20250818StrReplaceCommand,
        BetaMemoryTool20250818ViewCommand,
    )

__all__ = ["AsyncMemoryTool", "MemoryTool"]


class MemoryTool(BetaAbstractMemoryTool):
    """The six commands with the documented texts; every edit is a version, every file is found by `Memory.search`.

    Safe for any number of threads and processes on one store. What a command refuses is a `ToolError`, which the
    SDK's runner shows to the model.

    Args:
        memory: an open store, which stays open; or its path; None is the default one.
        user, agent, session, project: whose files they are; each scope has a tree of its own.
        erase: what is deleted is erased for good; by default it ends, and its history is kept.
        cache_control: as in the SDK.
    """

    def __init__(
        self,
        memory: Store | str | Path | None = None,
        *,
        user: str = "",
        agent: str = "",
        session: str = "",
        project: str = "",
        erase: bool = False,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self._owned = not isinstance(memory, Store)
        self.memory = memory if isinstance(memory, Store) else Store(memory)
        self.folder = Folder(self.memory, Scope(user, agent, session, project), erase=erase)

    def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Show a file with line numbers, or a folder two levels deep."""
        return _told(lambda: self.folder.view(command.path, command.view_range))

    def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Write a new file."""
        return _told(lambda: self.folder.create(command.path, command.file_text))

    def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replace a text that occurs once."""
        return _told(lambda: self.folder.str_replace(command.path, command.old_str, command.new_str))

    def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Insert a text after a line."""
        return _told(lambda: self.folder.insert(command.path, command.insert_line, command.insert_text))

    def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Delete a file, or a folder with all that is in it."""
        return _told(lambda: self.folder.delete(command.path))

    def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Move a file or a folder."""
        return _told(lambda: self.folder.rename(command.old_path, command.new_path))

    def clear_all_memory(self) -> str:
        """Delete all files and folders."""
        return _told(self.folder.clear)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        if self._owned:
            self.memory.close()


class AsyncMemoryTool(BetaAsyncAbstractMemoryTool):
    """`MemoryTool` for the asynchronous client, each command in a thread; takes the same arguments."""

    def __init__(
        self,
        memory: Store | str | Path | None = None,
        *,
        user: str = "",
        agent: str = "",
        session: str = "",
        project: str = "",
        erase: bool = False,
        cache_control: BetaCacheControlEphemeralParam | None = None,
    ) -> None:
        super().__init__(cache_control=cache_control)
        self.tool = MemoryTool(memory, user=user, agent=agent, session=session, project=project, erase=erase)

    async def view(self, command: BetaMemoryTool20250818ViewCommand) -> str:
        """Show a file with line numbers, or a folder two levels deep."""
        return await asyncio.to_thread(self.tool.view, command)

    async def create(self, command: BetaMemoryTool20250818CreateCommand) -> str:
        """Write a new file."""
        return await asyncio.to_thread(self.tool.create, command)

    async def str_replace(self, command: BetaMemoryTool20250818StrReplaceCommand) -> str:
        """Replace a text that occurs once."""
        return await asyncio.to_thread(self.tool.str_replace, command)

    async def insert(self, command: BetaMemoryTool20250818InsertCommand) -> str:
        """Insert a text after a line."""
        return await asyncio.to_thread(self.tool.insert, command)

    async def delete(self, command: BetaMemoryTool20250818DeleteCommand) -> str:
        """Delete a file, or a folder with all that is in it."""
        return await asyncio.to_thread(self.tool.delete, command)

    async def rename(self, command: BetaMemoryTool20250818RenameCommand) -> str:
        """Move a file or a folder."""
        return await asyncio.to_thread(self.tool.rename, command)

    async def clear_all_memory(self) -> str:
        """Delete all files and folders."""
        return await asyncio.to_thread(self.tool.clear_all_memory)

    def close(self) -> None:
        """Close the store, if it was opened here."""
        self.tool.close()


def _told(command: Callable[[], str]) -> str:
    """Return the text of a command, or raise what the SDK shows to the model."""
    try:
        return command()
    except Refused as err:
        raise ToolError(str(err)) from err
