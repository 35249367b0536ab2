"""A TCP proxy in front of PostgreSQL, or of several servers, which goes silent, or cuts what goes through it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Proxy:
    """Forwards to `host:port`. Its methods may be called from any thread."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.is_silent = False
        self._targets = [(host, port)]
        self._flows: set[_Flow] = set()
        self._loop: asyncio.AbstractEventLoop
        self._stopped: asyncio.Event
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def fall_silent(self, *, also_new: bool = True) -> None:
        """Take bytes from now on and forward none; of new connections too, or of those that there are."""
        self._call(self._silence(also_new))

    def speak(self) -> None:
        """Forward again, what was held back first."""
        self._call(self._resume())

    def cut(self) -> None:
        """End every connection at both ends."""
        self._call(self._cut())

    def lead_to(self, host: str, port: int) -> None:
        """Forward new connections there: a server that was started again has another port."""
        self._targets = [(host, port)]

    def rotate(self, *targets: tuple[str, int]) -> None:
        """Forward each new connection to the next of these, past those where nobody listens."""
        self._targets = list(targets)

    def flow_count(self) -> int:
        """How many connections there are."""
        return len(self._flows)

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopped.wait()
        server.close()
        for flow in list(self._flows):
            await flow.end()

    async def _stop(self) -> None:
        self._stopped.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = _Flow()
        self._flows.add(flow)
        if self.is_silent:
            flow.speaks.clear()
        flow.writers.append(writer)
        flow.task = asyncio.current_task()
        try:
            await flow.speaks.wait()
            server_reader, server_writer = await self._connected()
            flow.writers.append(server_writer)
            await asyncio.gather(flow.pump(reader, server_writer), flow.pump(server_reader, writer))
        except OSError:
            pass
        finally:
            flow.close()
            self._flows.discard(flow)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self._targets:
            self._targets = [*self._targets[1:], self._targets[0]]
            with suppress(ConnectionRefusedError):
                return await asyncio.open_connection(*self._targets[-1])
        raise ConnectionRefusedError

    async def _silence(self, also_new: bool) -> None:
        self.is_silent = also_new
        for flow in self._flows:
            flow.speaks.clear()

    async def _resume(self) -> None:
        self.is_silent = False
        for flow in self._flows:
            flow.speaks.set()

    async def _cut(self) -> None:
        for flow in list(self._flows):
            flow.close()

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        self._thread.start()
        assert self._started.wait(10)
        try:
            yield self
        finally:
            self.speak()
            self._call(self._stop())
            self._thread.join(10)


class _Flow:
    """One connection, to its two ends."""

    def __init__(self) -> None:
        self.speaks = asyncio.Event()
        self.speaks.set()
        self.writers: list[asyncio.StreamWriter] = []
        self.task: asyncio.Task[None] | None = None

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                await self.speaks.wait()
                writer.write(piece)
                await writer.drain()
        await self.speaks.wait()
        self.close()

    def close(self) -> None:
        for writer in self.writers:
            writer.close()

    async def end(self) -> None:
        """Close it, and wait for that."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        self.close()
        for writer in self.writers:
            with suppress(OSError):
                await writer.wait_closed()
