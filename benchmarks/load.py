"""Sends one prepared HTTP request again and again over kept connections, and looks at each answer.

It parses as little as it can: what sends the load shares a processor with PostgreSQL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Wrong(Exception):
    """An answer is not what was asked for."""


@dataclass(slots=True)
class Load:
    """Calls of one request over `width` connections. `check` raises Wrong where a body is not as it should be."""

    port: int
    request: bytes
    check: Callable[[bytes], None]
    calls: int
    width: int
    # Seconds of each call.
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    # Of the body of an answer.
    size: int = 0
    _left: int = 0
    _done: asyncio.Future[None] | None = None
    _seen: bytes = b""

    def run(self) -> Load:
        """Send them, and wait for the answers."""
        asyncio.run(self._run())
        return self

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._left, self._done = self.calls, loop.create_future()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port) for _ in range(self.width)
        ]
        started = time.perf_counter()
        for _, connection in opened:
            connection.next()
        await self._done
        self.seconds = time.perf_counter() - started
        for transport, _ in opened:
            transport.close()

    def take(self) -> bool:
        """Whether there is a call left; then it is the caller's."""
        self._left -= 1
        return self._left >= 0

    def answered(self, status: bytes, body: bytes, seconds: float) -> None:
        """A call has its answer. Raises Wrong."""
        if status != b"200":
            raise Wrong(f"status {status.decode()}: {body[:500].decode(errors='replace')}")
        self.latencies.append(seconds)
        if body != self._seen:  # most are as the one before
            self.check(body)
            self._seen, self.size = body, len(body)
        if len(self.latencies) == self.calls:
            self._end(None)

    def failed(self, error: Exception) -> None:
        """A connection was lost, or an answer is wrong."""
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        if self._done is None or self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def next(self) -> None:
        if self._load.take():
            self._started = time.perf_counter()
            self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if (body := _body(self._received)) is None:
            return
        status, self._received = self._received[9:12], b""
        try:
            self._load.answered(status, body, time.perf_counter() - self._started)
        except Exception as error:
            self._load.failed(error)
            return
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.failed(exc or Wrong("the server closed a connection"))


def _body(received: bytes) -> bytes | None:
    """The body of a whole response; None where it is not whole yet."""
    head, end, rest = received.partition(HEAD_END)
    if not end:
        return None
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return rest if len(rest) >= int(value) else None
    return _joined(rest) if rest.endswith(LAST_CHUNK) else None


def _joined(chunks: bytes) -> bytes:
    body = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body += chunks[: int(size, 16)]
        chunks = chunks[int(size, 16) + 2 :]
    return body
