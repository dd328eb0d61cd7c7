"""Serves one client on standard input and output: the front at once, the SDK's server behind it; knows no tool."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO

from simonides.doors.mcp.front import Front, Inbox, Outbox
from simonides.doors.mcp.manifest import Manifest

if TYPE_CHECKING:
    from simonides.doors.mcp.answering import Caller

FAREWELL = 10.0
"""Seconds that the server may take to end."""


class _Stop(BaseException):
    """A signal asks this process to end."""


def serve_stdio(offered: Manifest, provide: Callable[[Any], Caller]) -> None:
    """Serve until standard input ends or a signal says so. Only the protocol is written to standard output."""
    stdin, stdout = _claimed()
    inbox, outbox = Inbox(), Outbox(stdout)
    front = Front(offered, inbox, outbox)
    failures: list[BaseException] = []

    def behind() -> None:
        try:
            _serve(offered, provide, front, inbox, outbox)
        except BaseException as err:
            failures.append(err)
            os.kill(os.getpid(), signal.SIGTERM)  # wakes the front, which waits for input

    server = threading.Thread(target=behind, name="simonides-mcp", daemon=True)
    begun = threading.Lock()

    def begin() -> None:
        if begun.acquire(blocking=False):
            server.start()

    before = {sign: signal.signal(sign, _stop) for sign in (signal.SIGTERM, signal.SIGINT)}
    try:
        front.run(stdin, begin)
    except _Stop:
        pass
    finally:
        for sign in before:
            signal.signal(sign, signal.SIG_IGN)  # it is ending already
        inbox.end()
        if server.is_alive():
            server.join(FAREWELL)
        for sign, handler in before.items():
            signal.signal(sign, handler)
    if failures:
        raise failures[0]


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def _claimed() -> tuple[BinaryIO, BinaryIO]:
    """Return the two streams of the protocol; whatever else is printed goes to standard error from now on."""
    sys.stdout.flush()
    wire_in, wire_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(wire_in, "rb"), os.fdopen(wire_out, "wb")


def _serve(
    offered: Manifest, provide: Callable[[Any], Caller], front: Front, inbox: Inbox, outbox: Outbox
) -> None:
    """Load the SDK and serve what the front hands on."""
    import anyio
    from mcp.server.stdio import stdio_server

    from simonides.doors.mcp.server import Door

    door = Door(offered, provide)

    async def run() -> None:
        files: Any = anyio.wrap_file(inbox), anyio.wrap_file(outbox)  # pyright: ignore[reportArgumentType]
        async with stdio_server(*files) as (read, write):
            front.up.set()
            await door.server.run(read, write, door.server.create_initialization_options())

    anyio.run(run)
