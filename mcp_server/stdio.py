"""The stdio transport (MCP specification, "Transports"), which ends when it is told to.

The SDK's own reader sits in a thread that nothing wakes but input, and the process would wait for it. Here whoever
reads stdin is a daemon: the process ends without it, at the end of input or on a signal. Calls that run are called off
(`mcp_server.workers`), and waited for.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

from mcp_server.http.envelopes import Messages

END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Bytes; the capacity of a pipe on Linux (pipe(7)).
CHUNK_SIZE = 2**16


class Lines:
    """The lines of a file descriptor, until its end or until `close`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        # One line ahead: who writes faster than we work waits.
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(1)
        self._is_closed = asyncio.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        """End the iteration, whatever is still to be read."""
        self._is_closed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = asyncio.ensure_future(self._lines.get())
        closed = asyncio.ensure_future(self._is_closed.wait())
        try:
            await asyncio.wait([line, closed], return_when=asyncio.FIRST_COMPLETED)
            found = None if closed.done() else line.result()
        finally:
            line.cancel()
            closed.cancel()
        if found is None:
            raise StopAsyncIteration
        return found

    def _read(self) -> None:
        rest = b""
        while piece := os.read(self._descriptor, CHUNK_SIZE):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._put(line.decode(errors="replace"))
        if rest:
            self._put(rest.decode(errors="replace"))
        self._put(None)

    def _put(self, line: str | None) -> None:
        with suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()


async def serve(mcp: MCPServer[Any]) -> signal.Signals | None:
    """Serve until stdin ends (None) or a signal comes (which one)."""
    received: list[signal.Signals] = []
    with _diverted_stdin() as descriptor:
        lines = Lines(descriptor)

        def end(number: signal.Signals) -> None:
            received.append(number)
            lines.close()

        loop = asyncio.get_running_loop()
        for number in END_SIGNALS:
            loop.add_signal_handler(number, end, number)
        messages = Messages(lines)
        async with stdio_server(stdin=cast("anyio.AsyncFile[str]", messages)) as (reading, writing):
            messages.answer_on(writing)
            lowlevel = mcp._lowlevel_server
            await lowlevel.run(reading, writing, lowlevel.create_initialization_options())
    return received[0] if received else None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM end the process with 128 and their number, and without a traceback."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in END_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _diverted_stdin() -> Iterator[int]:
    """Gives a descriptor of what is stdin; meanwhile who reads stdin finds nothing: it is the protocol's."""
    descriptor = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield descriptor
    finally:
        os.dup2(descriptor, 0)
