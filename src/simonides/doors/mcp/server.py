"""The SDK's server over the tools: calls, prompts, resources, subscriptions; knows neither transport nor options."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from simonides.doors.mcp.answering import Answer, Caller, answer
from simonides.doors.mcp.manifest import NAME, TITLE, Manifest
from simonides.doors.mcp.reading import get_prompt, read_resource
from simonides.doors.mcp.table_reference import GRAPH
from simonides.errors import SimonidesError

Context: TypeAlias = ServerRequestContext[Any]
Provide: TypeAlias = Callable[[Any], Caller]
"""Gives the caller behind a request of HTTP, or behind None for standard input; runs in a thread, and may wait."""
logger = logging.getLogger("simonides.mcp")


class Door:
    """The server of one manifest; `server` is what a transport runs."""

    def __init__(self, offered: Manifest, provide: Provide) -> None:
        self._offered = offered
        self._provide = provide
        self._bus = InMemorySubscriptionBus()
        self._watching: dict[str, ServerSession] = {}
        lists = offered.lists()
        self._tools = types.ListToolsResult.model_validate(lists["tools/list"], by_name=False)
        self._prompts = types.ListPromptsResult.model_validate(lists["prompts/list"], by_name=False)
        self._resources = types.ListResourcesResult.model_validate(lists["resources/list"], by_name=False)
        self._templates = types.ListResourceTemplatesResult.model_validate(
            lists["resources/templates/list"], by_name=False
        )
        self.server: Server[Any] = self._made()

    def _made(self) -> Server[Any]:
        offered = self._offered
        prompts: dict[str, Any] = {}
        if offered.prompts:
            prompts = {"on_list_prompts": self._list_prompts, "on_get_prompt": self._get_prompt}
        watching: dict[str, Any] = {}
        if offered.subscribes:
            watching = {
                "on_subscribe_resource": self._subscribe,
                "on_unsubscribe_resource": self._unsubscribe,
                "on_subscriptions_listen": ListenHandler(self._bus),
            }
        return Server(
            NAME,
            version=offered.version,
            title=TITLE,
            instructions=offered.instructions or None,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            **prompts,
            **watching,
        )

    async def _list_tools(self, _context: Context, _page: object) -> types.ListToolsResult:
        return self._tools

    async def _list_prompts(self, _context: Context, _page: object) -> types.ListPromptsResult:
        return self._prompts

    async def _list_resources(self, _context: Context, _page: object) -> types.ListResourcesResult:
        return self._resources

    async def _list_templates(self, _context: Context, _page: object) -> types.ListResourceTemplatesResult:
        return self._templates

    async def _call_tool(self, context: Context, call: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self._offered.tool(call.name)
        if tool is None:
            known = ", ".join(each.name for each in self._offered.tools)
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {call.name!r}. Known: {known}.")
        given = dict(call.arguments or {})

        def run() -> Answer:
            try:
                caller = self._provide(context.request)
            except (SimonidesError, OSError) as err:
                return Answer(str(err), failed=True)
            return answer(tool, caller, given)

        done = await anyio.to_thread.run_sync(run)
        if self._offered.subscribes and not tool.reads and not done.failed:
            await self._changed(GRAPH)
        return _result(done)

    async def _get_prompt(
        self, context: Context, call: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        run = partial(get_prompt, self._provide, context.request, call.name, dict(call.arguments or {}))
        return types.GetPromptResult.model_validate(await _known(run), by_name=False)

    async def _read_resource(
        self, context: Context, call: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        run = partial(read_resource, self._provide, context.request, str(call.uri), self._offered.profile)
        return types.ReadResourceResult.model_validate(await _known(run), by_name=False)

    async def _subscribe(self, context: Context, call: types.SubscribeRequestParams) -> types.EmptyResult:
        if context.request is None:  # over HTTP there is no line back to who asked so: they listen instead
            self._watching[str(call.uri)] = context.session
        return types.EmptyResult()

    async def _unsubscribe(
        self, _context: Context, call: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        self._watching.pop(str(call.uri), None)
        return types.EmptyResult()

    async def _changed(self, uri: str) -> None:
        """Tell those who watch a resource."""
        await self._bus.publish(ResourceUpdated(uri=uri))
        session = self._watching.get(uri)
        if session is not None:
            try:
                await session.send_resource_updated(uri)
            except Exception:
                logger.debug("the watcher of %s is gone", uri, exc_info=True)
                self._watching.pop(uri, None)


async def _known(run: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Run in a thread; an error of ours becomes one of the protocol, with its words."""
    try:
        return await anyio.to_thread.run_sync(run)
    except SimonidesError as err:
        raise MCPError(types.INVALID_PARAMS, str(err)) from err
    except OSError as err:
        raise MCPError(types.INTERNAL_ERROR, f"The store could not be used: {err.strerror or err}.") from err


def _result(done: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=done.text)]
    if done.note:
        content.append(types.TextContent(type="text", text=done.note))
    facts = None if done.facts is None else dict(done.facts)
    return types.CallToolResult(content=content, structured_content=facts, is_error=done.failed)
