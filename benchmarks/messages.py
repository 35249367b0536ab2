"""A proxy in front of PostgreSQL that counts the statements which clients send.

A message of the simple protocol ("Query") is one, and so is an "Execute" of the extended one (PostgreSQL, 54.7): BEGIN
and COMMIT count, a prefix that comes in the same message as its statement does not.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STATEMENTS = (b"Q", b"E")
# Requests of encryption, which come before the first message and are answered by a byte (PostgreSQL, 54.2.10).
REQUEST_LENGTH = 8


class Counter:
    """How many statements went through `port`."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.statements = 0
        self._target = (host, port)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopped.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(_copy(their_reader, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:  # until the message that begins a session, which is no request of encryption
                length = await reader.readexactly(4)
                their_writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
                if int.from_bytes(length) != REQUEST_LENGTH:
                    break
            while True:
                head = await reader.readexactly(5)
                self.statements += head[:1] in STATEMENTS
                their_writer.write(head + await reader.readexactly(int.from_bytes(head[1:]) - 4))
        their_writer.close()
        await back


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextmanager
def counting(host: str, port: int) -> Iterator[Counter]:
    """A proxy for the length of the block."""
    counter = Counter(host, port)
    counter._thread.start()
    counter._started.wait()
    try:
        yield counter
    finally:
        counter._loop.call_soon_threadsafe(counter._stopped.set)
        counter._thread.join()
